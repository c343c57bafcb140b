// Sessions in this thread's module.
import { frameSize } from './bridge.js';
import { ShapeError, UnsupportedError, aborted, needsFull } from './errors.js';
import { readFiles } from './external.js';
import { encodeTexts } from './memory.js';
import { SlabTarget, beginModel, dropModel, readModel } from './model.js';
import { ensure, fullRuntime, live } from './runtime.js';
import { Tensor, arrayClass, attached, product, resident, typeName } from './tensor.js';

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

/** What there is of a state that is left out, and of a count. */
const left = { dims: [], handle: 0 };

/** The next turn of the host's loop, which comes at once in a page that nobody sees too. */
const turn = () => new Promise((resolve) => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => resolve(port1.close());
  port2.postMessage(0);
});

export class Local {
  /** @type {Core} */ #core;
  #handle = 0;

  /**
   * @param {Core} core
   * @param {number} handle
   */
  constructor(core, handle) {
    this.#core = core;
    this.#handle = handle;
    this.description = core.invoke('describe', handle);
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
    return this.#collect(wanted, location);
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
   * @param {Feed[]} given
   * @param {string} where for errors
   */
  #feed(given, where) {
    const core = this.#core;
    const { inputs } = this.description;
    /** What goes on the frame: each tensor, and before those of a list how many there are. @type {(Tensor | number | undefined)[]} */
    const items = given.flatMap((/** @type {any} */ value, i) => {
      if (!inputs[i].form) return value;
      return Array.isArray(value) ? [value.length, ...value] : value ? [-1, value] : -2;
    });
    const tensors = /** @type {(Tensor | undefined)[]} */ (items.filter((item) => typeof item !== 'number'));
    /** @type {any[]} */
    const arrays = tensors.map((tensor) => (!tensor || tensor.location === 'wasm' || tensor.type === 'string' ? undefined : core.memory.outside(/** @type {any} */ (tensor.data))));
    /** Of strings: the slabs that they cross in. @type {Map<Tensor, number>} */
    const slabs = new Map();
    try {
      tensors.forEach((tensor) => {
        if (tensor?.type !== 'string' || slabs.has(tensor)) return;
        // Checked again: an array can have been changed.
        const bytes = encodeTexts(/** @type {any} */ (new Tensor('string', tensor.data, tensor.dims).data));
        const { handle, address } = core.alloc(bytes.length);
        slabs.set(tensor, handle);
        core.memory.u8.set(bytes, address);
      });
      let at = core.frame;
      const { i32 } = core.memory;
      for (const item of items) {
        const tensor = typeof item === 'object' ? item : undefined;
        const { dims, handle } = tensor ?? left;
        if (at + 2 + dims.length > core.frame + frameSize) throw new ShapeError(`${where}: the inputs have more dimensions together than ${frameSize}`);
        i32[at++] = tensor ? dims.length : /** @type {number} */ (item ?? -1);
        if (!tensor) continue;
        for (const d of dims) i32[at++] = d;
        i32[at++] = slabs.get(tensor) ?? handle;
      }
      core.call('sessionPrepare', this.#handle);
    } finally {
      if (core.ended === undefined) for (const handle of slabs.values()) core.call('free', handle);
    }
    const placed = core.memory.i32;
    const { u8 } = core.memory;
    tensors.forEach((tensor, i) => {
      if (!arrays[i] || !tensor) return;
      const address = placed[core.frame + 2 * i] >>> 0;
      const bytes = placed[core.frame + 2 * i + 1];
      const input = given.findIndex((value) => value === tensor || (Array.isArray(value) && value.includes(tensor)));
      const array = attached(arrays[i], `${where}: input ${JSON.stringify(inputs[input].name)}`, tensor.size);
      u8.set(new Uint8Array(array.buffer, array.byteOffset, bytes), address);
    });
  }

  /**
   * Takes the wanted outputs from where the frame says they are.
   * @param {readonly string[]} wanted
   * @param {'cpu' | 'wasm'} location
   */
  #collect(wanted, location) {
    const core = this.#core;
    const { i32 } = core.memory;
    let at = core.frame;
    const place = () => {
      const type = typeName(i32[at]) ?? i32[at];
      const rank = i32[at + 1];
      const dims = Object.freeze([...i32.subarray(at + 2, at + 2 + rank)]);
      at += 5 + rank;
      return { type, dims, address: i32[at - 3] >>> 0, bytes: i32[at - 2], handle: i32[at - 1] >>> 0 };
    };
    const drop = (/** @type {Result} */ result) => {
      for (const { handle } of [result ?? []].flat()) if (handle !== 0) core.call('free', handle);
    };
    /** @type {Map<string, Result>} */
    const found = new Map();
    for (const { name, form } of this.description.outputs) {
      const count = form ? i32[at++] : -1;
      const result = count === -1 ? place() : count < 0 ? null : Array.from({ length: count }, place);
      // Of a session whose outputs are resident all are; those that nobody wants go at once.
      if (found.has(name) || !wanted.includes(name)) drop(result);
      else found.set(name, result);
    }
    try {
      for (const [i, { name, state }] of this.description.outputs.entries()) {
        const result = /** @type {Place | undefined} */ (found.get(name));
        for (const { type } of [result ?? []].flat()) if (typeof type === 'number') throw new UnsupportedError(`InferenceSession.run: output ${JSON.stringify(name)} is of ONNX's type ${type}, for which JavaScript has no array`);
        if (!state || !result || !wanted.includes(name)) continue;
        core.call('sessionState', this.#handle, i);
        [result.address, result.bytes, result.handle] = [...core.memory.i32.subarray(core.frame, core.frame + 3)].map((n) => n >>> 0);
      }
    } catch (error) {
      for (const result of found.values()) drop(result);
      throw error;
    }
    /** @param {Result} result @returns {any} */
    const made = (result) => {
      if (result === null) return result;
      if (Array.isArray(result)) return result.map(made);
      const { type, dims, address, bytes, handle } = /** @type {Place & { type: import('../index.js').DataType }} */ (result);
      if (type === 'string') {
        const texts = core.memory.texts(address, product(dims));
        core.call('free', handle);
        return new Tensor(type, texts, dims);
      }
      if (location === 'wasm') return resident(core, type, dims, { handle, address });
      const array = new (arrayClass(type))(product(dims));
      new Uint8Array(array.buffer).set(core.memory.u8.subarray(address, address + bytes));
      drop(result);
      return new Tensor(type, array, dims);
    };
    // fromEntries defines properties; by assignment one of the name "__proto__" would be lost.
    return Object.fromEntries(wanted.map((name) => [name, made(/** @type {Result} */ (found.get(name)))]));
  }
}
