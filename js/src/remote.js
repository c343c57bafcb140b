// Sessions in workers: each has a module of its own, so that the page never blocks.
import { reason } from './cause.js';
import { DisposedError, LoadError, NormError, aborted, fromName } from './errors.js';
import { chooseVariant, sharedModule } from './loader.js';
import { ArrayTarget, beginModel, readModel } from './model.js';
import { inherited } from './runtime.js';
import { Tensor, attached } from './tensor.js';
import { startThread } from './thread.js';

/** @typedef {import('../index.js').SessionOptions} SessionOptions */
/** @typedef {{ type: import('../index.js').DataType, dims: number[], data: any }} PlainTensor */

/**
 * A request to a worker, waiting for one to be idle.
 * @typedef {object} Job
 * @property {object} message
 * @property {Transferable[]} transfer
 * @property {(value: any) => void} resolve
 * @property {(error: unknown) => void} reject
 */

export class Remote {
  /** @type {Worker[]} */ #workers = [];
  /** @type {Worker[]} */ #idle = [];
  /** Waiting, the eldest first. @type {Job[]} */ #queue = [];
  /** What each busy worker is at. @type {Map<Worker, Job>} */ #jobs = new Map();
  /** Why no more is to be expected. @type {string | undefined} */ #ended;
  #abandoned = false;
  /** @type {any} */ description;

  /**
   * @param {import('../index.js').ModelSource} model
   * @param {SessionOptions} options
   */
  static async create(model, options) {
    const { signal, graphOptimizationLevel, freeDimensionOverrides } = options;
    const source = inherited(options);
    const { variant: wanted = 'auto', wasmModule, wasmURL, workerURL } = source;
    const variant = chooseVariant(wanted);
    const target = new ArrayTarget();
    const [module, meter] = await Promise.all([wasmModule ?? sharedModule(variant, source), readModel(beginModel(model, signal), target, options)]);
    if (signal?.aborted) throw aborted(signal, 'InferenceSession.create');
    const known = wanted !== 'auto' || (wasmModule === undefined && wasmURL === undefined);
    const remote = new Remote();
    const stop = () => remote.#end('its creation was aborted');
    signal?.addEventListener('abort', stop, { once: true });
    try {
      const created = [];
      for (let i = 0; i < Number(options.worker); i++) {
        const bytes = target.bytes.slice(0, meter.received);
        const worker = await remote.#start(workerURL);
        created.push(remote.#send(worker, {
          call: 'create', bytes,
          options: { wasmModule: module, variant: known ? variant : 'auto', graphOptimizationLevel, freeDimensionOverrides },
        }, [bytes.buffer]));
      }
      [remote.description] = await Promise.all(created);
      return remote;
    } catch (error) {
      remote.#end('its creation failed');
      throw signal?.aborted ? aborted(signal, 'InferenceSession.create') : meter.misread(error);
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  check() {
    if (this.#ended !== undefined) throw new DisposedError(`InferenceSession: ${this.#ended}`);
  }

  /** @returns {undefined} */
  get core() {
    return undefined;
  }

  /**
   * @param {Tensor[]} tensors
   * @param {readonly string[]} wanted
   * @param {'cpu' | 'wasm'} _location
   * @param {AbortSignal} [signal]
   * @returns {Promise<Record<string, Tensor>>}
   */
  async run(tensors, wanted, _location, signal) {
    /** @type {PlainTensor[]} */
    const results = await this.#ask({ call: 'run', fetches: [...wanted] }, tensors, 'InferenceSession.run', signal);
    return Object.fromEntries(results.map(({ type, dims, data }, i) => [wanted[i], new Tensor(type, data, dims)]));
  }

  /** @param {Tensor[]} tensors */
  async profile(tensors) {
    return this.#ask({ call: 'profile' }, tensors, 'InferenceSession.profile');
  }

  async release() {
    this.#end('the session was released');
  }

  /** Nobody holds the session any more: its workers end when they have done what they were asked. */
  abandon() {
    this.#abandoned = true;
    if (this.#jobs.size === 0) this.#end('nobody holds the session any more');
  }

  /**
   * @param {object} message
   * @param {Tensor[]} tensors
   * @param {string} what
   * @param {AbortSignal} [signal]
   * @returns {Promise<any>}
   */
  #ask(message, tensors, what, signal) {
    // Copied now: the caller may go on with his arrays as soon as he has the promise.
    /** @type {PlainTensor[]} */
    const feeds = [];
    /** @type {Transferable[]} */
    const transfer = [];
    tensors.forEach((tensor, i) => {
      const { name } = this.description.inputs[i];
      if (tensor.type !== 'string') attached(tensor.data, `${what}: input ${JSON.stringify(name)}`, tensor.size);
      const data = tensor.data.slice();
      feeds.push({ type: tensor.type, dims: [...tensor.dims], data });
      if (data.buffer) transfer.push(data.buffer);
    });
    return new Promise((resolve, reject) => {
      /** @type {Job} */
      const job = { message: { ...message, feeds }, transfer, resolve, reject };
      signal?.addEventListener('abort', () => {
        const at = this.#queue.indexOf(job);
        if (at >= 0) this.#queue.splice(at, 1);
        reject(aborted(signal, what)); // a run that has begun goes on, and its result is dropped
      }, { once: true });
      this.#queue.push(job);
      this.#next();
    });
  }

  /** Gives waiting jobs to idle workers. */
  #next() {
    while (this.#queue.length > 0 && this.#idle.length > 0) {
      const worker = /** @type {Worker} */ (this.#idle.pop());
      this.#post(worker, /** @type {Job} */ (this.#queue.shift()));
    }
  }

  /**
   * @param {Worker} worker
   * @param {Job} job
   */
  #post(worker, job) {
    this.#jobs.set(worker, job);
    /** @type {any} */ (worker).ref?.();
    try {
      worker.postMessage(job.message, job.transfer);
    } catch (cause) {
      this.#settle(worker, () => job.reject(new NormError(`InferenceSession: the worker cannot be reached: ${reason(cause)}`, 'INTERNAL', { cause })));
    }
  }

  /**
   * @param {Worker} worker
   * @param {object} message
   * @param {Transferable[]} transfer
   * @returns {Promise<any>}
   */
  #send(worker, message, transfer) {
    return new Promise((resolve, reject) => this.#post(worker, { message, transfer, resolve, reject }));
  }

  /**
   * Ends a worker's job and lets it take the next one.
   * @param {Worker} worker
   * @param {() => void} tell
   */
  #settle(worker, tell) {
    this.#jobs.delete(worker);
    this.#idle.push(worker);
    /** @type {any} */ (worker).unref?.(); // an idle worker must not keep a Node process alive
    tell();
    this.#next();
    if (this.#abandoned) this.abandon();
  }

  /** @param {string | URL} [script] */
  async #start(script) {
    this.check();
    const worker = await startThread(script);
    this.#workers.push(worker);
    const receive = (/** @type {any} */ { value, error }) => {
      const job = this.#jobs.get(worker);
      if (!job) return;
      this.#settle(worker, () => (error ? job.reject(fromName(error.name, error.code, error.message)) : job.resolve(value)));
    };
    const fail = (/** @type {any} */ event) => {
      event?.preventDefault?.();
      this.#end(`its worker failed: ${event?.message || unloaded(script)}`);
    };
    if (typeof (/** @type {any} */ (worker).on) === 'function') {
      /** @type {any} */ (worker).on('message', receive).on('error', fail);
    } else {
      worker.onmessage = ({ data }) => receive(data);
      worker.onerror = fail;
      worker.onmessageerror = fail;
    }
    return worker;
  }

  /** @param {string} why */
  #end(why) {
    if (this.#ended !== undefined) return;
    this.#ended = why;
    for (const worker of this.#workers) worker.terminate();
    const error = this.description === undefined ? new LoadError(`InferenceSession.create: ${why}`, 'START_FAILED') : new DisposedError(`InferenceSession: ${why}`);
    for (const job of [...this.#jobs.values(), ...this.#queue]) job.reject(error);
    this.#jobs.clear();
    this.#queue = [];
    this.#idle = [];
  }
}

/** @param {string | URL} [script] */
function unloaded(script) {
  return `${script === undefined ? 'the script normwasm.worker.js' : script} could not be loaded. Is it there, is it JavaScript, `
    + "and does the page's Content-Security-Policy allow it (worker-src 'self'; worker-src blob: for a script of another origin)?";
}
