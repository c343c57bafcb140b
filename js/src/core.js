// One running instance of the module: its exports, memory and API object, and
// whether it still lives.
import { createGo } from '../dist/go-runtime.js';
import { forbidden, policyError, reason } from './cause.js';
import { outOfMemory, version } from './bridge.js';
import { DisposedError, LoadError, NormError, fromStatus } from './errors.js';
import { pagesSection } from './control.js';
import { Memory } from './memory.js';

/** @typedef {import('./bridge.js').Exports} Exports */

/** A float64 as two integers. */
const number = new Float64Array(1);
const halves = new Int32Array(number.buffer);

export class Core {
  /** Why the instance can no longer be used. @type {string | undefined} */
  #ended;
  /** @type {(why: string) => void} */ #onEnd;
  /** @type {Exports['norm']} */ #norm;
  #scratchHandle = 0;
  #scratchAddress = 0;
  #scratchBytes = 0;
  /** @type {import('./threads/helpers.js').Helpers | undefined} */ helpers;
  /** The most bytes of the memory, where that is less than one can have. */ #most = 0;

  /**
   * @param {WebAssembly.Module} module
   * @param {Exports} exports
   * @param {Memory} memory
   * @param {any} api
   * @param {import('../index.js').Variant | undefined} variant
   * @param {(why: string) => void} onEnd
   * @param {number} threads
   */
  constructor(module, exports, memory, api, variant, onEnd, threads) {
    this.#onEnd = onEnd;
    /** What this is an instance of. */
    this.module = module;
    this.exports = exports;
    this.#norm = exports.norm;
    /** The API object, which calls by syscall/js: every operation, with its documentation. */
    this.api = api;
    this.memory = memory;
    /** Where the frame starts, as an index of int32. */
    this.frame = exports.frameAddress() >>> 2;
    this.variant = variant ?? this.#probe();
    const control = threads > 1 && memory.isShared ? exports.threadsControl(threads) >>> 0 : 0;
    /** What helpers need; undefined where there are to be none. @type {import('./threads/helpers.js').Shared | undefined} */
    this.shared = control ? { memory: exports.mem, control, variant: this.variant } : undefined;
    const [pages] = WebAssembly.Module.customSections(module, pagesSection);
    if (pages) {
      this.#most = new DataView(pages).getUint32(0, true) * 65536;
      this.invoke('limit', this.#most * 31 / 32); // Go's heap keeps its books beside what is allocated
    }
  }

  /**
   * Starts a compiled module.
   * @param {WebAssembly.Module} module
   * @param {import('../index.js').Variant | undefined} variant
   * @param {(why: string) => void} onEnd
   * @param {'model' | 'full' | 'train'} [edition] that the module must be of; the full one will do for models
   * @param {number} [threads] that it is to have, if its memory is shared
   */
  static async start(module, variant, onEnd, edition = 'model', threads = 1) {
    const { go, global } = createGo();
    /** @type {any} */
    let api;
    /** @type {Core | undefined} */
    let core;
    /** @type {Memory | undefined} */
    let memory;
    let code = 0;
    global.normwasm = (/** @type {any} */ object) => {
      api = object;
    };
    go.argv = ['normwasm'];
    go.env = {};
    // Called in the midst of the call that kills the program, so that this call
    // already can tell.
    go.exit = (/** @type {number} */ status) => {
      code = status;
      core?.end(status === 0 ? 'the runtime was disposed' : `the runtime died (exit ${status}); the console has Go's message`);
    };
    const { gojs } = go.importObject;
    const grown = gojs['runtime.resetMemoryDataView'];
    gojs['runtime.resetMemoryDataView'] = (/** @type {number} */ sp) => {
      grown(sp);
      memory?.renew();
    };
    /** @type {WebAssembly.Instance} */
    let instance;
    try {
      instance = await WebAssembly.instantiate(module, go.importObject);
    } catch (cause) {
      if (forbidden(cause)) throw policyError('the module', cause);
      throw new LoadError(`the module does not start: ${reason(cause)}`, cause instanceof RangeError ? 'OUT_OF_MEMORY' : 'START_FAILED', { cause });
    }
    if (typeof instance.exports.run !== 'function' || typeof instance.exports.frameAddress !== 'function') {
      throw new LoadError(`the module is not normwasm's: it exports ${Object.keys(instance.exports).slice(0, 8).join(', ') || 'nothing'}`, 'NOT_A_MODULE');
    }
    /** @type {unknown} */
    let failed;
    go.run(instance).then(
      () => core?.end('the runtime ended'),
      (/** @type {unknown} */ error) => {
        failed = error;
        core?.end(`the runtime died: ${reason(error)}`);
      },
    );
    if (api === undefined) {
      await Promise.resolve();
      throw new LoadError(`the module ended before it was ready (exit ${code}${failed ? `: ${reason(failed)}` : ''})`, 'START_FAILED', { cause: failed });
    }
    /** @type {LoadError | undefined} */
    let wrong;
    if (api.version !== version) wrong = new LoadError(`the module is of version ${api.version}, the package of ${version}: they must be the same`, 'VERSION_MISMATCH');
    else if (api.edition !== edition && (api.edition !== 'full' || edition === 'train')) wrong = new LoadError(`the module is the one ${api.edition === 'train' ? 'that trains, which Trainer takes' : 'that runs models, which init takes'}: want normwasm.${edition === 'model' ? '' : `${edition}.`}*.wasm`, 'NOT_A_MODULE');
    if (wrong) {
      api.exit();
      throw wrong;
    }
    memory = new Memory(/** @type {WebAssembly.Memory} */ (instance.exports.mem));
    core = new Core(module, /** @type {Exports} */ (/** @type {unknown} */ (instance.exports)), memory, api, variant, onEnd, threads);
    return core;
  }

  get ended() {
    return this.#ended;
  }

  /** @param {string} why */
  end(why) {
    if (this.#ended !== undefined) return;
    this.#ended = why;
    this.helpers?.end();
    this.#onEnd(why);
  }

  /** @returns {never} */
  #gone() {
    throw new DisposedError(`normwasm: ${this.#ended}; init() starts a new one`);
  }

  /** Throws unless the instance lives. */
  check() {
    if (this.#ended !== undefined) this.#gone();
  }

  /**
   * Runs an export that returns a status, and throws what it says; one below 0 is no error.
   * @param {'sessionPrepare' | 'sessionExec' | 'sessionState' | 'free'} name
   * @param {number} argument
   * @param {number} [second]
   */
  call(name, argument, second = 0) {
    if (this.#ended !== undefined) this.#gone();
    let status;
    try {
      status = this.exports[name](argument, second);
    } catch (cause) {
      this.#crashed(cause);
    }
    if (this.#ended !== undefined) this.#gone();
    if (status > 0) throw this.#failure(status);
    return status;
  }

  /**
   * Runs a normalization whose arguments the frame has.
   * @param {number} operation
   */
  norm(operation) {
    if (this.#ended !== undefined) this.#gone();
    let status;
    try {
      status = this.#norm(operation);
    } catch (cause) {
      this.#crashed(cause);
    }
    if (this.#ended !== undefined) this.#gone();
    if (status !== 0) throw this.#failure(/** @type {number} */ (status));
  }

  /**
   * Writes a float64 at a place of the memory, an index of int32, and returns the next one.
   * @param {number} at
   * @param {number} value
   */
  writeNumber(at, value) {
    const { i32 } = this.memory;
    number[0] = value;
    i32[at] = halves[0];
    i32[at + 1] = halves[1];
    return at + 2;
  }

  /**
   * Writes a list of integers, its length first.
   * @param {number} at
   * @param {readonly number[]} values
   */
  writeList(at, values) {
    const { i32 } = this.memory;
    i32[at++] = values.length;
    for (let i = 0; i < values.length; i++) i32[at++] = values[i];
    return at;
  }

  /**
   * Writes that no axes are given, which is not the same as none.
   * @param {number} at
   */
  writeNoAxes(at) {
    this.memory.i32[at] = -1;
    return at + 1;
  }

  /**
   * Writes where an operand is: a slab, and what of it in elements.
   * @param {number} at
   * @param {number} handle
   * @param {number} offset
   * @param {number} count
   */
  writePlace(at, handle, offset, count) {
    const { i32 } = this.memory;
    i32[at] = handle;
    i32[at + 1] = offset;
    i32[at + 2] = count;
    return at + 3;
  }

  /**
   * A slab's handle and address.
   * @param {number} bytes
   */
  alloc(bytes) {
    const handle = this.#handle('alloc', bytes);
    return { handle, address: this.exports.address(handle) >>> 0 };
  }

  /**
   * The handle of a BatchNorm's state.
   * @param {number} channels
   * @param {boolean} instance whether each example has its own statistics
   */
  layer(channels, instance) {
    return this.#handle('layer', channels, instance ? 1 : 0);
  }

  /**
   * The handle of the scratch slab, once it has so many bytes.
   * @param {number} bytes
   */
  scratch(bytes) {
    if (bytes > this.#scratchBytes) {
      this.#scratchBytes = 0; // a smaller one is gone, whether there is memory for a larger or not
      this.#scratchHandle = this.#handle('scratch', bytes);
      this.#scratchAddress = this.exports.address(this.#scratchHandle) >>> 0;
      this.#scratchBytes = bytes;
    }
    return this.#scratchHandle;
  }

  get scratchAddress() {
    return this.#scratchAddress;
  }

  /**
   * @param {'alloc' | 'scratch' | 'layer'} name
   * @param {number} bytes or channels
   * @param {number} [more]
   */
  #handle(name, bytes, more = 0) {
    this.check();
    if (bytes > 0xffffffff) throw new NormError(`normwasm: ${bytes} bytes are more than WebAssembly's memory can have`, 'OUT_OF_MEMORY');
    let handle = 0;
    try {
      handle = /** @type {(a: number, b: number) => number} */ (this.exports[name])(bytes, more) >>> 0;
    } catch (cause) {
      this.#crashed(cause);
    }
    this.check();
    if (handle === 0) throw this.#failure(outOfMemory);
    return handle;
  }

  /**
   * Calls a function of the API object, and throws the error that it returns.
   * @param {string} name
   * @param {...unknown} args
   */
  invoke(name, ...args) {
    this.check();
    let result;
    try {
      result = this.api[name](...args);
    } catch (cause) {
      this.#crashed(cause);
    }
    if (this.#ended !== undefined && name !== 'exit') this.#gone();
    if (result instanceof Error) throw this.#failure(/** @type {any} */ (result).status, result.message);
    return result;
  }

  /**
   * An exception out of the module leaves it in no state to go on.
   * @param {unknown} cause
   * @returns {never}
   */
  #crashed(cause) {
    this.end(`the runtime crashed: ${reason(cause)}`);
    throw new DisposedError(`normwasm: ${this.#ended}; init() starts a new one`, 'DISPOSED', { cause });
  }

  /**
   * @param {number} status
   * @param {string} [text] instead of what the module left
   */
  #failure(status, text = this.memory.text(this.exports.failureAddress() >>> 0, this.exports.failureLength())) {
    this.helpers?.check();
    return fromStatus(status, status === outOfMemory && this.#most ? `${text}. Threads share the memory, which can have ${this.#most} bytes on this device; with threads: 1 it can have 4 GiB` : text);
  }

  /**
   * Which variant a module is that came without a name: whether its kernels round
   * the product (1 + 2⁻¹²)² − (1 + 2⁻¹¹), which is 2⁻²⁴ when they do not.
   * @returns {import('../index.js').Variant}
   */
  #probe() {
    if (!this.api.simd) return 'scalar';
    const one = new Float32Array(64).fill(1 + 2 ** -12);
    const y = this.invoke('batchNorm', one, {
      shape: [1, 1, 64], epsilon: 0, mean: new Float32Array(1), variance: new Float32Array([1]),
      scale: new Float32Array([1 + 2 ** -12]), bias: new Float32Array([-1 - 2 ** -11]),
    });
    return y[0] === 0 ? 'simd' : 'relaxed';
  }
}
