// Sessions in workers: each has a module of its own, so that the page never blocks.
import { aborted, needsFull } from './errors.js';
import { readFiles } from './external.js';
import { chooseVariant, sharedModule } from './loader.js';
import { ArrayTarget, beginModel, readModel } from './model.js';
import { Pool } from './pool.js';
import { fullModule, inherited } from './runtime.js';
import { attached, revived } from './tensor.js';
import { shareOf, threadsOf, withRoom } from './threads.js';

/** @typedef {import('../index.js').SessionOptions} SessionOptions */
/** @typedef {import('./tensor.js').Tensor} Tensor */
/** @typedef {import('./local.js').Feed} Feed */

/** Where workers may share memory, which is in Node and in isolated pages, all of them read the same bytes of the model; elsewhere
 *  each gets a copy. */
const isShared = globalThis.crossOriginIsolated !== false && typeof SharedArrayBuffer === 'function';
const makeTarget = () => new ArrayTarget(isShared ? SharedArrayBuffer : ArrayBuffer);

export class Remote {
  #pool = new Pool('InferenceSession');
  /** @type {any} */ description;

  /**
   * @param {import('../index.js').ModelSource} model
   * @param {SessionOptions} options
   */
  static async create(model, options) {
    const { signal, graphOptimizationLevel, freeDimensionOverrides, state } = options;
    const inherits = inherited(options);
    const { variant: wanted = 'auto', wasmModule, wasmURL } = inherits;
    const variant = chooseVariant(wanted);
    const target = makeTarget();
    const opened = beginModel(model, signal);
    const threads = threadsOf({ ...inherits, variant });
    const source = { ...inherits, threads: shareOf(threads, Number(options.worker)) };
    const load = async () => wasmModule ?? sharedModule(variant, { ...inherits, threads });
    /** @type {[WebAssembly.Module | undefined, import('./loader.js').Meter]} */
    let [module, meter] = await Promise.all([load(), readModel(opened, target, options)]);
    if (signal?.aborted) throw aborted(signal, 'InferenceSession.create');
    const known = wanted !== 'auto' || (wasmModule === undefined && wasmURL === undefined);
    const start = (/** @type {WebAssembly.Module} */ own, /** @type {string} */ variantOrAuto) => {
      const choices = { wasmModule: own, variant: variantOrAuto, threads: source.threads, graphOptimizationLevel, freeDimensionOverrides, state };
      return Remote.#start(target.bytes.subarray(0, meter.received), choices, source, options, fetchFiles);
    };
    /** Once for all workers. @type {Promise<{ path: string, bytes: Uint8Array }[]> | undefined} */
    let files;
    const fetchFiles = (/** @type {import('./external.js').Needed[] | undefined} */ needed) => {
      if (needed) files ??= readFiles(needed, model, meter.received, makeTarget, options).then((list) => list.map(({ path, target: { bytes }, bytes: length }) => ({ path, bytes: bytes.subarray(0, length) })));
      return files;
    };
    try {
      return await withRoom(threads, async () => {
        const own = module ?? await load();
        module = undefined; // the next one is another
        return start(own, known ? variant : 'auto');
      }).catch(async (error) => {
        if (!needsFull(error)) throw error;
        const full = await fullModule(options);
        return start(full.module, full.variant);
      });
    } catch (error) {
      throw signal?.aborted ? aborted(signal, 'InferenceSession.create') : meter.misread(error);
    }
  }

  /**
   * Starts the workers. They compile nothing: all have the same module.
   * @param {Uint8Array} model
   * @param {object} choices
   * @param {import('../index.js').InitOptions} source
   * @param {SessionOptions} options
   * @param {(needed?: import('./external.js').Needed[]) => Promise<{ path: string, bytes: Uint8Array }[]> | undefined} fetchFiles that the model refers to
   */
  static async #start(model, choices, source, { worker: count, signal }, fetchFiles) {
    const remote = new Remote();
    const pool = remote.#pool;
    [remote.description] = await pool.create(signal, () => Promise.all(Array.from({ length: Number(count) }, async () => {
      const worker = await pool.start(source);
      const create = (/** @type {{ path: string, bytes: Uint8Array }[] | undefined} */ list) => {
        /** @type {Transferable[]} */
        const transfer = [];
        const own = (/** @type {Uint8Array} */ bytes) => {
          if (isShared) return bytes;
          const copy = bytes.slice();
          transfer.push(copy.buffer);
          return copy;
        };
        const files = list?.map(({ path, bytes }) => ({ path, bytes: own(bytes) }));
        return pool.send(worker, { call: 'create', bytes: own(model), files, options: choices }, transfer);
      };
      const answer = await create(await fetchFiles());
      return answer.needed ? create(await fetchFiles(answer.needed)) : answer;
    })));
    return remote;
  }

  check() {
    this.#pool.check();
  }

  /** @returns {undefined} */
  get core() {
    return undefined;
  }

  /**
   * @param {Feed[]} tensors
   * @param {readonly string[]} wanted
   * @param {'cpu' | 'wasm'} _location
   * @param {AbortSignal} [signal]
   * @returns {Promise<Record<string, Tensor>>}
   */
  async run(tensors, wanted, _location, signal) {
    /** @type {any[]} */
    const results = await this.#ask({ call: 'run', fetches: [...wanted], abortable: !!signal }, tensors, 'InferenceSession.run', signal);
    return Object.fromEntries(results.map((result, i) => [wanted[i], revived(result)]));
  }

  /** @param {Feed[]} tensors */
  async profile(tensors) {
    return this.#ask({ call: 'profile' }, tensors, 'InferenceSession.profile');
  }

  resetState() {
    // In the order of the runs; it fails where these do, because the session has ended.
    this.#pool.ask({ call: 'resetState' }, [], 'InferenceSession.resetState').catch(() => {});
  }

  async release() {
    this.#pool.end('the session was released');
  }

  abandon() {
    this.#pool.abandon();
  }

  /**
   * @param {object} message
   * @param {Feed[]} tensors
   * @param {string} what
   * @param {AbortSignal} [signal]
   * @returns {Promise<any>}
   */
  async #ask(message, tensors, what, signal) {
    // Copied now: the caller may go on with his arrays as soon as he has the promise.
    /** @type {Transferable[]} */
    const transfer = [];
    /** @param {Feed} tensor @param {number} i @returns {any} */
    const plain = (tensor, i) => {
      if (!tensor) return tensor;
      if (Array.isArray(tensor)) return tensor.map((one) => plain(one, i));
      const { name } = this.description.inputs[i];
      if (tensor.type !== 'string') attached(tensor.data, `${what}: input ${JSON.stringify(name)}`, tensor.size);
      const data = tensor.data.slice();
      if (data.buffer) transfer.push(data.buffer);
      return { type: tensor.type, dims: [...tensor.dims], data };
    };
    return this.#pool.ask({ ...message, feeds: tensors.map(plain) }, transfer, what, signal);
  }
}
