// Sessions in this thread's module.
import { frameSize } from './bridge.js';
import { ShapeError, UnsupportedError, aborted, needsFull } from './errors.js';
import { readFiles } from './external.js';
import { encodeTexts } from './memory.js';
import { SlabTarget, beginModel, dropModel, readModel } from './model.js';
import { ensure, fullRuntime, live } from './runtime.js';
import { Tensor, arrayClass, attached, filled, product, resident, typeName } from './tensor.js';
import { turn, withTurn } from './turn.js';

/** @typedef {import('./core.js').Core} Core */
/** @typedef {import('../index.js').SessionOptions} SessionOptions */

/**
 * The option as the module takes it: names in pairs.
 * @param {SessionOptions['state']} state
 */
const listed = (state) => (typeof state === 'object' ? Object.entries(state).flat() : state);

/** A file as the module takes it. @param {{ path: string, target: SlabTarget, bytes: number }} file */
const slabOf = ({ path, target, bytes }) => ({ path, slab: { handle: target.handle }, bytes });

/** What an input is fed: nothing where a state is left out, null for an optional value that is not there. @typedef {Tensor | Tensor[] | null | undefined} Feed */
/** A tensor in the module's memory; a number is a type that JavaScript has no array for. @typedef {{ type: import('../index.js').DataType | number, dims: readonly number[], address: number, bytes: number, handle: number }} Place */
/** What an output is. @typedef {Place | Place[] | null} Result */

/** What there is of a state that is left out, and of a count. @type {any} */
const left = { dims: [], handle: 0 };

export class Local {
  /** @type {Core} */ #core;
  #handle = 0;
  /** Of the outputs. @type {string[]} */ #names;
  /** Whether inputs may be something else than one tensor. @type {boolean} */ #lists;
  /** Of the latest results. @type {(readonly number[])[]} */ #dims = [];

  /**
   * @param {Core} core
   * @param {number} handle
   */
  constructor(core, handle) {
    this.#core = core;
    this.#handle = handle;
    this.description = core.invoke('describe', handle);
    this.#names = this.description.outputs.map((/** @type {{ name: string }} */ output) => output.name);
    this.#lists = this.description.inputs.some((/** @type {{ form?: string }} */ input) => input.form);
  }

  /**
   * @param {import('../index.js').ModelSource} model
   * @param {SessionOptions} options
   */
  static async create(model, options) {
    // The module is asked for first and the model at once after it: a connection that they share brings the module
    // before the model, which then arrives while the module starts.
    const start = ensure(options);
    const opened = beginModel(model, options.signal);
    try {
      await start;
    } catch (error) {
      dropModel(opened);
      throw error;
    }
    const core = live('InferenceSession.create');
    const target = new SlabTarget(core);
    const meter = await readModel(opened, target, options);
    if (options.signal?.aborted) {
      target.drop();
      throw aborted(options.signal, 'InferenceSession.create');
    }
    const { graphOptimizationLevel, freeDimensionOverrides, state } = options;
    const resident = options.preferredOutputLocation === 'wasm';
    const choices = { bytes: meter.received, graphOptimizationLevel, freeDimensionOverrides, state: listed(state), resident };
    /** @type {Awaited<ReturnType<typeof readFiles<SlabTarget>>>} */
    let files = [];
    try {
      const needed = core.invoke('files', { handle: target.handle }, meter.received);
      if (needed.length > 0) files = await readFiles(needed, model, meter.received, () => new SlabTarget(core), options);
      core.check();
    } catch (error) {
      target.drop();
      throw meter.misread(error);
    }
    try {
      return new Local(core, core.invoke('open', { handle: target.handle }, { ...choices, files: files.map(slabOf) }));
    } catch (error) {
      if (!needsFull(error)) throw meter.misread(error);
    }
    /** @param {SlabTarget} from @param {number} bytes @param {Core} to */
    const moved = (from, bytes, to) => {
      const { handle, address } = to.alloc(bytes);
      to.memory.u8.set(core.memory.u8.subarray(from.address, from.address + bytes), address);
      from.drop();
      return { handle };
    };
    try {
      const full = await fullRuntime(options, 'InferenceSession.create');
      core.check();
      const own = moved(target, meter.received, full);
      return new Local(full, full.invoke('open', own, { ...choices, files: files.map((file) => ({ ...slabOf(file), slab: moved(file.target, file.bytes, full) })) }));
    } catch (error) {
      target.drop();
      for (const file of files) file.target.drop();
      throw options.signal?.aborted ? aborted(options.signal, 'InferenceSession.create') : meter.misread(error);
    }
  }

  /**
   * A session of a model that is there as bytes.
   * @param {Core} core
   * @param {Uint8Array} bytes
   * @param {Pick<SessionOptions, 'graphOptimizationLevel' | 'freeDimensionOverrides' | 'state'>} options
   * @param {readonly { path: string, bytes: Uint8Array }[]} [files] that it refers to; without them what it does refer to is returned
   * @returns {Local | import('./external.js').Needed[]}
   */
  static open(core, bytes, options, files) {
    const put = (/** @type {Uint8Array} */ data) => {
      const { handle, address } = core.alloc(data.length);
      core.memory.u8.set(data, address);
      return { handle };
    };
    const model = put(bytes);
    if (files === undefined) {
      const needed = core.invoke('files', model, bytes.length);
      if (needed.length > 0) {
        core.call('free', model.handle);
        return needed;
      }
    }
    return new Local(core, core.invoke('open', model, { bytes: bytes.length, ...options, state: listed(options.state), files: (files ?? []).map((file) => ({ path: file.path, slab: put(file.bytes), bytes: file.bytes.length })) }));
  }

  /** Throws unless the module lives. */
  check() {
    this.#core.check();
  }

  /** The module whose resident tensors may be fed; undefined for any. @returns {Core | undefined} */
  get core() {
    return this.#core;
  }

  /**
   * Runs at once, or, with a signal, so that loops that take long give way every few hundredths of a second: the signal can be heard.
   * @param {Feed[]} tensors in the order of the inputs
   * @param {readonly string[]} wanted
   * @param {'cpu' | 'wasm'} location
   * @param {AbortSignal} [signal]
   */
  async run(tensors, wanted, location, signal) {
    const where = 'InferenceSession.run';
    if (!signal) return this.runSync(tensors, wanted, location, where);
    this.#feed(tensors, where);
    try {
      while (this.#core.call('sessionExec', this.#handle, signal.aborted ? 2 : 1) < 0) await turn();
    } finally {
      if (signal.aborted) throw aborted(signal, where); // whatever became of it
    }
    return withTurn(this.#core, this.#collect(wanted, location));
  }

  /**
   * @param {Feed[]} tensors in the order of the inputs
   * @param {readonly string[]} wanted
   * @param {'cpu' | 'wasm'} location
   * @param {string} where for errors
   */
  runSync(tensors, wanted, location, where) {
    this.#feed(tensors, where);
    this.#core.call('sessionExec', this.#handle);
    return this.#collect(wanted, location);
  }

  /** @param {Feed[]} tensors of which the module refuses those that are none */
  async profile(tensors) {
    /** @type {{ name: string }[]} */
    const inputs = this.description.inputs;
    const feeds = Object.fromEntries(inputs.flatMap(({ name }, i) => {
      const tensor = tensors[i];
      if (!tensor || Array.isArray(tensor)) return [];
      const { dims, data, location } = tensor;
      // A copy, for a view of the module's memory may be lost while planning.
      return [[name, { shape: [...dims], data: location === 'wasm' ? data.slice() : data }]];
    }));
    const { nodes, totalMs } = this.#core.invoke('profile', this.#handle, feeds);
    return { nodes, totalMs };
  }

  resetState() {
    this.#core.call('sessionState', this.#handle, -1);
  }

  async release() {
    this.abandon();
  }

  abandon() {
    if (this.#core.ended === undefined) this.#core.invoke('release', this.#handle);
  }

  /**
   * Plans for the tensors' dimensions, tells where the resident ones are and copies the others to where the plan wants them.
   * (Loops, and nothing made that is not needed: this and #collect take longer than a small network.)
   * @param {Feed[]} given
   * @param {string} where for errors
   */
  #feed(given, where) {
    const core = this.#core;
    const { memory, frame } = core;
    const { inputs } = this.description;
    /** What goes on the frame: each tensor, and before those of a list how many there are. @type {any[]} */
    const items = !this.#lists ? given : given.flatMap((/** @type {any} */ value, i) => {
      if (!inputs[i].form) return value;
      return Array.isArray(value) ? [value.length, ...value] : value ? [-1, value] : -2;
    });
    /** Of each tensor the array to be copied, if it is one. @type {any[]} */
    const arrays = [];
    /** Of strings: the slabs that they cross in. @type {Map<Tensor, number> | undefined} */
    let slabs;
    try {
      for (const item of items) {
        if (typeof item === 'number') continue;
        const { type, location } = item ?? left;
        if (type === 'string' && !slabs?.has(item)) {
          // Checked again: an array can have been changed.
          const bytes = encodeTexts(/** @type {any} */ (new Tensor('string', item.data, item.dims).data));
          const { handle, address } = core.alloc(bytes.length);
          (slabs ??= new Map()).set(item, handle);
          memory.u8.set(bytes, address);
        }
        arrays.push(location !== 'cpu' || type === 'string' ? undefined : memory.outside(item.data));
      }
      let at = frame;
      const { i32 } = memory;
      for (const item of items) {
        const { dims, handle } = item?.dims ? item : left;
        if (at + 2 + dims.length > frame + frameSize) throw new ShapeError(`${where}: the inputs have more dimensions together than ${frameSize}`);
        if (dims === left.dims) {
          i32[at++] = item ?? -1;
          continue;
        }
        i32[at++] = dims.length;
        for (let i = 0; i < dims.length; i++) i32[at++] = dims[i];
        i32[at++] = slabs?.get(item) ?? handle;
      }
      core.call('sessionPrepare', this.#handle);
    } finally {
      if (slabs && core.ended === undefined) for (const handle of slabs.values()) core.call('free', handle);
    }
    let at = frame;
    for (const item of items) {
      if (typeof item === 'number') continue;
      const array = arrays[(at - frame) / 2];
      if (array) {
        if (array.length !== item.size || item.size === 0) {
          const input = given.findIndex((value) => value === item || (Array.isArray(value) && value.includes(item)));
          attached(array, `${where}: input ${JSON.stringify(inputs[input].name)}`, item.size);
        }
        memory.write(array, memory.i32[at] >>> 0);
      }
      at += 2;
    }
  }

  /**
   * Takes the wanted outputs from where the frame says they are.
   * @param {readonly string[]} wanted
   * @param {'cpu' | 'wasm'} location
   */
  #collect(wanted, location) {
    const core = this.#core;
    const { memory, frame } = core;
    const { outputs } = this.description;
    const { i32 } = memory;
    let at = frame;
    let tensors = 0;
    /** @returns {Place} */
    const place = () => {
      const type = typeName(i32[at]) ?? i32[at];
      const rank = i32[at + 1];
      const dims = this.#dimensions(tensors++, i32, at + 2, rank);
      at += 5 + rank;
      return { type, dims, address: i32[at - 3] >>> 0, bytes: i32[at - 2], handle: i32[at - 1] >>> 0 };
    };
    const drop = (/** @type {Result | undefined} */ result) => {
      if (Array.isArray(result)) result.forEach(drop);
      else if (result && result.handle !== 0) core.call('free', result.handle);
    };
    /** By output. @type {(Result | undefined)[]} */
    const found = [];
    for (let i = 0; i < outputs.length; i++) {
      const { name, form } = outputs[i];
      const count = form ? i32[at++] : -1;
      const result = count === -1 ? place() : count < 0 ? null : Array.from({ length: count }, place);
      // Of a session whose outputs are resident all are; those that nobody wants go at once.
      const wants = this.#names.indexOf(name) === i && wanted.includes(name);
      if (!wants) drop(result);
      found.push(wants ? result : undefined);
    }
    try {
      for (let i = 0; i < outputs.length; i++) {
        const result = found[i];
        if (!result) continue;
        const { name, state } = outputs[i];
        for (const { type } of Array.isArray(result) ? result : [result]) if (typeof type === 'number') throw new UnsupportedError(`InferenceSession.run: output ${JSON.stringify(name)} is of ONNX's type ${type}, for which JavaScript has no array`);
        if (!state || Array.isArray(result)) continue;
        core.call('sessionState', this.#handle, i);
        [result.address, result.bytes, result.handle] = Array.from(memory.i32.subarray(frame, frame + 3), (n) => n >>> 0);
      }
    } catch (error) {
      found.forEach(drop);
      throw error;
    }
    /** @param {Result} result @returns {any} */
    const made = (result) => {
      if (result === null) return result;
      if (Array.isArray(result)) return result.map(made);
      const { type, dims, address, bytes, handle } = /** @type {Place & { type: import('../index.js').DataType }} */ (result);
      if (location === 'wasm' && type !== 'string') return resident(core, type, dims, { handle, address });
      const data = type === 'string' ? memory.texts(address, product(dims)) : memory.copy(arrayClass(type), address, bytes);
      drop(result);
      return filled(type, data, dims);
    };
    /** @type {Record<string, any>} */
    const results = {};
    for (const name of wanted) {
      const value = made(/** @type {Result} */ (found[this.#names.indexOf(name)]));
      if (name === '__proto__') Object.defineProperty(results, name, { value, enumerable: true, configurable: true, writable: true }); // which assignment would lose
      else results[name] = value;
    }
    return results;
  }

  /**
   * The dimensions of a result: those of the run before, where they are the same.
   * @param {number} k which result
   * @param {Int32Array} i32
   * @param {number} at
   * @param {number} rank
   */
  #dimensions(k, i32, at, rank) {
    const before = this.#dims[k];
    let same = before?.length === rank;
    for (let i = 0; same && i < rank; i++) same = before[i] === i32[at + i];
    return same ? before : (this.#dims[k] = Object.freeze(Array.from(i32.subarray(at, at + rank))));
  }
}
