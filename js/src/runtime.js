// init() and the one live runtime that the package's functions use.
import { Core } from './core.js';
import { DisposedError, LoadError, NormError, aborted } from './errors.js';
import { chooseVariant, loadModule } from './loader.js';
import { checkOptions, checkStart } from './options.js';

/** @typedef {import('../index.js').InitOptions} InitOptions */

export const version = '0.1.0';

/** @type {Core | undefined} */
let current;
/** Why there is none, once there was one. @type {string | undefined} */
let past;
/** @type {Promise<Runtime> | undefined} */
let starting;

/**
 * Loads and starts the module. The same promise while it is loading or loaded.
 * @param {InitOptions} [options]
 * @returns {Promise<import('../index.js').Runtime>}
 */
export function init(options = {}) {
  try {
    checkOptions('init', options);
    checkStart('init', options);
  } catch (error) {
    return Promise.reject(error);
  }
  return ensure(options);
}

/**
 * As init, for whoever has checked the options.
 * @param {InitOptions} options
 * @returns {Promise<import('../index.js').Runtime>}
 */
export function ensure(options) {
  if (starting) return starting;
  const attempt = start(options);
  starting = attempt;
  attempt.catch(() => {
    if (starting === attempt) starting = undefined;
  });
  return attempt;
}

/** @param {InitOptions} options */
async function start(options) {
  const { wasmModule, wasmURL, variant: wanted = 'auto', signal, onProgress } = options;
  const variant = chooseVariant(wanted);
  const module = wasmModule ?? await loadModule(variant, options);
  if (signal?.aborted) throw aborted(signal, 'init');
  onProgress?.({ phase: 'start', loaded: 0 });

  // A file of the caller's choice says itself what it is.
  const own = wasmModule === undefined && (wasmURL === undefined || String(wasmURL).endsWith('/'));
  /** @type {Core} */
  const core = await Core.start(module, own || wanted !== 'auto' ? variant : undefined, (why) => {
    if (current === undefined || current !== core) return;
    past = why;
    current = undefined;
    starting = undefined;
  });
  if (core.api.version !== version) {
    core.invoke('exit');
    throw new LoadError(`the module is of version ${core.api.version}, the package of ${version}: they must be the same`, 'VERSION_MISMATCH');
  }
  current = core;
  onProgress?.({ phase: 'start', loaded: 1, total: 1 });
  return new Runtime(core);
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

  memory() {
    const { inUse, tensors, sessions } = this.#core.invoke('memory');
    return { total: this.#core.memory.size, inUse, tensors, sessions };
  }

  dispose() {
    if (this.#core.ended === undefined) this.#core.invoke('exit');
  }
}
