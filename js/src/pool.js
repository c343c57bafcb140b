// Workers of this package's script, and what they are asked: one question at a time each.
import { reason } from './cause.js';
import { DisposedError, LoadError, NormError, aborted, fromName } from './errors.js';
import { startThread } from './thread.js';
import { help } from './threads.js';

/** @typedef {import('../index.js').InitOptions} InitOptions */

/**
 * A request to a worker, waiting for one to be idle.
 * @typedef {object} Job
 * @property {object} message
 * @property {Transferable[]} transfer
 * @property {(value: any) => void} resolve
 * @property {(error: unknown) => void} reject
 */

export class Pool {
  /** Those that live. @type {Set<Worker>} */ #workers = new Set();
  /** @type {Worker[]} */ #idle = [];
  /** Of the modules in them. @type {Map<Worker, import('./threads/helpers.js').Helpers | undefined>} */ #helpers = new Map();
  /** Waiting, the eldest first. @type {Job[]} */ #queue = [];
  /** What each busy worker is at. @type {Map<Worker, Job>} */ #jobs = new Map();
  /** Why no more is to be expected. @type {string | undefined} */ #ended;
  #abandoned = false;
  /** Whether its owner came into being: before, what goes wrong is a failure to start. */
  #created = false;

  /** @param {string} owner the class that it works for, for errors */
  constructor(owner) {
    this.owner = owner;
  }

  check() {
    if (this.#ended !== undefined) throw new DisposedError(`${this.owner}: ${this.#ended}`);
  }

  /**
   * @param {object} message
   * @param {Transferable[]} transfer
   * @param {string} what is being done
   * @param {AbortSignal} [signal]
   * @returns {Promise<any>}
   */
  ask(message, transfer, what, signal) {
    /** @type {() => void} */
    let stop;
    return new Promise((resolve, reject) => {
      /** @type {Job} */
      const job = { message, transfer, resolve, reject };
      stop = () => {
        const at = this.#queue.indexOf(job);
        if (at >= 0) this.#queue.splice(at, 1);
        // A run that has begun is told: its loops end. What is no loop goes on, and the result is dropped.
        for (const [worker, other] of this.#jobs) if (other === job) worker.postMessage({ call: 'abort' });
        reject(aborted(/** @type {AbortSignal} */ (signal), what));
      };
      signal?.addEventListener('abort', stop);
      this.#queue.push(job);
      this.#next();
    }).finally(() => signal?.removeEventListener('abort', stop)); // a signal may outlive many runs
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
      this.#settle(worker, () => job.reject(new NormError(`${this.owner}: the worker cannot be reached: ${reason(cause)}`, 'INTERNAL', { cause })));
    }
  }

  /**
   * Asks one worker.
   * @param {Worker} worker
   * @param {object} message
   * @param {Transferable[]} transfer
   * @returns {Promise<any>}
   */
  send(worker, message, transfer) {
    return new Promise((resolve, reject) => this.#post(worker, { message, transfer, resolve, reject }));
  }

  /**
   * Ends a worker's job and lets it take the next one.
   * @param {Worker} worker
   * @param {() => void} tell
   */
  #settle(worker, tell) {
    this.#jobs.delete(worker);
    if (this.#workers.has(worker)) this.#idle.push(worker);
    /** @type {any} */ (worker).unref?.(); // an idle worker must not keep a Node process alive
    tell();
    this.#next();
    if (this.#abandoned) this.abandon();
  }

  /**
   * A worker has died. The others go on, and take what waits: its own run is lost, since what brought it down could bring them down too.
   * @param {Worker} worker
   * @param {string} why
   */
  #lose(worker, why) {
    if (!this.#workers.delete(worker)) return;
    const left = this.#workers.size;
    this.#terminate(worker);
    if (!this.#created || left === 0) return this.end(`its worker failed: ${why}`);
    this.#idle = this.#idle.filter((other) => other !== worker);
    const job = this.#jobs.get(worker);
    this.#settle(worker, () => job?.reject(new NormError(`${this.owner}: the worker of this run failed: ${why}; ${left} of the session's go on`, 'WORKER_FAILED')));
  }

  /**
   * Brings its owner into being. If that fails, or is aborted, the workers end.
   * @template T
   * @param {AbortSignal | undefined} signal
   * @param {() => Promise<T>} make
   */
  async create(signal, make) {
    const stop = () => this.end('its creation was aborted');
    signal?.addEventListener('abort', stop);
    try {
      const made = await make();
      this.#created = true;
      return made;
    } catch (error) {
      this.end('its creation failed');
      throw error;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  /** @param {InitOptions} source of the worker's script, and of what its helpers need */
  async start(source) {
    /** @type {Worker} */
    const worker = await startThread(source.workerURL, ({ value, error, ended, shared }) => {
      if (shared) return this.#help(worker, shared, source);
      const job = this.#jobs.get(worker);
      if (!job) return;
      if (error) this.#helpers.get(worker)?.check();
      if (ended) return this.#lose(worker, ended);
      this.#settle(worker, () => (error ? job.reject(fromName(error.name, error.code, error.message)) : job.resolve(value)));
    }, (why) => this.#lose(worker, why));
    if (this.#ended !== undefined) worker.terminate(); // meanwhile
    this.check();
    this.#workers.add(worker);
    return worker;
  }

  /**
   * Starts the helpers of the module in a worker: from here, for not every engine lets workers start workers.
   * @param {Worker} worker
   * @param {import('./threads.js').Shared} shared
   * @param {InitOptions} source
   */
  async #help(worker, shared, source) {
    const helpers = await help(shared, source);
    if (this.#workers.has(worker)) this.#helpers.set(worker, helpers);
    else helpers?.end();
  }

  /** @param {Worker} worker */
  #terminate(worker) {
    worker.terminate();
    this.#helpers.get(worker)?.end();
    this.#helpers.delete(worker);
  }

  /** Nobody holds the owner any more: its workers end when they have done what they were asked. */
  abandon() {
    this.#abandoned = true;
    if (this.#jobs.size === 0) this.end(`nobody holds the ${this.owner === 'Trainer' ? 'trainer' : 'session'} any more`);
  }

  /** @param {string} why */
  end(why) {
    if (this.#ended !== undefined) return;
    this.#ended = why;
    for (const worker of this.#workers) this.#terminate(worker);
    const error = this.#created ? new DisposedError(`${this.owner}: ${why}`) : new LoadError(`${this.owner}.create: ${why}`, 'START_FAILED');
    for (const job of [...this.#jobs.values(), ...this.#queue]) job.reject(error);
    this.#workers.clear();
    this.#jobs.clear();
    this.#queue = [];
    this.#idle = [];
  }
}
