// init() and the one live runtime that the package's functions use.
import { version } from './bridge.js';
import { Core } from './core.js';
import { DisposedError, NormError, aborted } from './errors.js';
import { chooseVariant, isFolder, loadModule, sharedModule, tell } from './loader.js';
import { checkOptions, checkStart } from './options.js';
import { quote } from './tensor.js';
import { attach, threadsOf, withRoom } from './threads.js';

/** @typedef {import('../index.js').InitOptions} InitOptions */

/** @type {Core | undefined} */
let current;
/** Why there is none, once there was one. @type {string | undefined} */
let past;
/** The start that is under way or done. @type {Start | undefined} */
let starting;
/** An instance of the full edition, beside the current one, for the models that need it. @type {Promise<Core> | undefined} */
let full;
/** @type {Core | undefined} */
let fullCore;

/**
 * Loads and starts the module. The same promise while it is loading or loaded.
 * @param {InitOptions} [options]
 * @returns {Promise<import('../index.js').Runtime>}
 */
export function init(options = {}) {
  try {
    checkOptions('init', options);
    checkStart('init', options);
    return join(options);
  } catch (error) {
    return Promise.reject(error);
  }
}

/**
 * As init, for whoever has checked the options. full: if nothing was started yet, it is to be the full edition.
 * @param {InitOptions & { full?: boolean }} options
 * @returns {Promise<import('../index.js').Runtime>}
 */
export async function ensure(options) {
  return join(options);
}

/**
 * @param {InitOptions} options
 * @returns {Promise<import('../index.js').Runtime>}
 */
function join(options) {
  const { variant, signal } = options;
  if (variant !== undefined) chooseVariant(variant);
  if (signal?.aborted) throw aborted(signal, 'init');
  starting ??= new Start(options);
  return starting.join(options);
}

/** A start, which all who wait for it share: one who gives up leaves it to the others. */
class Start {
  /** An AudioWorklet has none, and fetches nothing. */
  #controller = typeof AbortController === 'function' ? new AbortController() : undefined;
  /** How many wait. */
  #waiting = 0;
  #done = false;
  /** @type {Set<{ call: NonNullable<InitOptions['onProgress']> }>} */ #listeners = new Set();

  /** @param {InitOptions} options of the first who wants it */
  constructor(options) {
    /** @type {NonNullable<InitOptions['onProgress']>} */
    const all = (progress) => {
      for (const listener of this.#listeners) tell(listener.call, progress);
    };
    const { wasmURL, wasmModule, workerURL, variant, threads } = options;
    /** Where things come from, which sessions in workers keep to. */
    this.source = { wasmURL, wasmModule, workerURL, variant, threads };
    /** @type {Promise<Runtime>} */
    this.promise = start({ ...options, signal: this.#controller?.signal, onProgress: options.onProgress && all }, all);
    this.promise.then(() => {
      this.#done = true;
    }, () => {
      if (starting === this) starting = undefined;
    });
  }

  /**
   * The runtime, for one more.
   * @param {InitOptions} options
   * @returns {Promise<Runtime>}
   */
  join({ variant = 'auto', threads = 'auto', signal, onProgress }) {
    const asked = /** @type {const} */ (['variant', 'threads']).filter((name, i) => ![this.source[name], 'auto'].includes([variant, threads][i]));
    const promise = asked.length === 0 ? this.promise : this.promise.then((runtime) => {
      for (const name of asked) {
        const wanted = { variant, threads }[name];
        if (wanted !== runtime[name]) throw new NormError(`init: ${name} is ${quote(wanted)}, and the module that is running ${name === 'threads' ? 'has' : 'is'} ${quote(runtime[name])}: dispose() of it first, or leave the option out`, 'CONTRADICTION');
      }
      return runtime;
    });
    if (this.#done) {
      if (onProgress) tell(onProgress, { phase: 'start', loaded: 1, total: 1 });
      return promise;
    }
    this.#waiting++;
    const listener = onProgress && { call: onProgress };
    if (listener) this.#listeners.add(listener);
    if (!signal) return promise;
    return new Promise((resolve, reject) => {
      const leave = () => {
        reject(aborted(signal, 'init'));
        if (listener) this.#listeners.delete(listener);
        if (--this.#waiting > 0 || this.#done) return;
        if (starting === this) starting = undefined;
        this.#controller?.abort(signal.reason);
      };
      signal.addEventListener('abort', leave, { once: true });
      promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
    });
  }
}

/**
 * The options of a module of its own: those of init(), but for what is said here.
 * @param {InitOptions} options
 * @param {'model' | 'train'} [edition] of the module: init's file or compiled module is of the first
 * @returns {InitOptions}
 */
export function inherited(options, edition = 'model') {
  const own = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const { workerURL, threads, ...source } = starting ? starting.source : /** @type {InitOptions} */ ({});
  // A file is of one variant, a folder has all of them.
  const folder = isFolder(source.wasmURL);
  const follows = own.wasmURL === undefined && own.wasmModule === undefined
    && (edition === 'model' ? own.variant === undefined || own.variant === source.variant || folder : folder);
  return { workerURL, threads, ...(follows ? source : edition === 'train' && { variant: source.variant }), ...own };
}

/**
 * @param {InitOptions & { full?: boolean }} options
 * @param {NonNullable<InitOptions['onProgress']>} tell
 */
async function start(options, tell) {
  const { wasmModule, wasmURL, variant: wanted = 'auto', signal, full } = options;
  const variant = chooseVariant(wanted);
  const threads = threadsOf({ ...options, variant });
  const source = { ...options, threads };
  // A file of the caller's choice says itself what it is.
  const own = wasmModule === undefined && (wasmURL === undefined || isFolder(wasmURL));
  /** @type {Core} */
  const core = await withRoom(threads, async () => {
    const module = wasmModule ?? await loadModule(full ? `full.${variant}` : variant, source);
    if (signal?.aborted) throw aborted(signal, 'init');
    tell({ phase: 'start', loaded: 0 });
    return Core.start(module, own || wanted !== 'auto' ? variant : undefined, (why) => {
      if (current === undefined || current !== core) return;
      past = why;
      current = undefined;
      starting = undefined;
      if (fullCore?.ended === undefined) fullCore?.invoke('exit');
    }, 'model', threads);
  });
  await attach(core, source);
  if (signal?.aborted) {
    core.invoke('exit');
    throw aborted(signal, 'init');
  }
  current = core;
  tell({ phase: 'start', loaded: 1, total: 1 });
  return new Runtime(core);
}

/**
 * The full edition's module, its variant where that is known, and of how many threads instances of it are.
 * @param {InitOptions} options of a session
 */
export async function fullModule(options) {
  const { variant: wanted = 'auto', wasmURL, threads: asked } = inherited(options);
  const variant = current?.variant ?? chooseVariant(wanted);
  const { signal, onProgress } = options;
  const threads = threadsOf({ threads: asked, variant });
  // A file of the caller's choice is of the other edition; a folder has all of them.
  return { module: await sharedModule(`full.${variant}`, { ...(isFolder(wasmURL) && { wasmURL }), threads, signal, onProgress }), variant, threads };
}

/**
 * An instance of it: the current one, or one beside it that ends with it. All of this thread that need it share it.
 * @param {InitOptions} options of who needs it
 * @param {string} what is being done, for the error
 */
export async function fullRuntime(options, what) {
  const core = live(what);
  if (core.api.edition === 'full') return core;
  const { module, variant, threads } = await fullModule(options);
  live(what);
  full ??= Core.start(module, variant, () => {
    full = fullCore = undefined;
  }, 'full', threads).then((started) => {
    attach(started, { ...inherited(options), threads });
    return (fullCore = started);
  });
  full.catch(() => (full = undefined));
  await full;
  live(what); // it may have ended meanwhile, and not known of this one
  return full;
}

/** The running module, if there is one. */
export function running() {
  return current?.ended === undefined ? current : undefined;
}

/**
 * The running module.
 * @param {string} what is being done, for the error
 */
export function live(what) {
  if (current === undefined) {
    if (past !== undefined) throw new DisposedError(`${what}: ${past}; init() starts a new one`);
    throw new NormError(`${what}: normwasm is not started: await init() first`, 'NOT_INITIALIZED');
  }
  current.check();
  return current;
}

export class Runtime {
  /** @type {Core} */ #core;

  /** @param {Core} core */
  constructor(core) {
    this.#core = core;
  }

  get version() {
    return version;
  }

  get variant() {
    return this.#core.variant;
  }

  get threads() {
    return this.#core.helpers?.threads ?? 1;
  }

  get wasmModule() {
    return this.#core.module;
  }

  memory() {
    const sum = { total: 0, inUse: 0, tensors: 0, sessions: 0, scratch: 0 };
    for (const core of this.#core === current && fullCore ? [this.#core, fullCore] : [this.#core]) {
      /** @type {typeof sum} */
      const memory = { total: core.memory.size, ...core.invoke('memory') };
      for (const key of /** @type {(keyof typeof sum)[]} */ (Object.keys(sum))) sum[key] += memory[key];
    }
    return sum;
  }

  dispose() {
    if (this.#core.ended === undefined) this.#core.invoke('exit');
  }
}
