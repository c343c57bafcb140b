// Inference sessions.
import { DisposedError, LoadError, NormError, ShapeError, UnsupportedError, aborted } from './errors.js';
import { Meter, checkStatus, expectedLength, openModel } from './loader.js';
import { init, live } from './runtime.js';
import { Tensor, arrayClass, attached, checkDims, describe, is, product, resident, typeName } from './tensor.js';
import { frameSize } from './core.js';

/** @typedef {import('./core.js').Core} Core */
/** @typedef {import('../index.js').SessionOptions} SessionOptions */
/** @typedef {import('../index.js').RunOptions} RunOptions */
/** @typedef {import('../index.js').ValueMetadata} ValueMetadata */

const secret = Symbol('session');

export class InferenceSession {
  /** @type {Core} */ #core;
  #handle = 0;
  #released = false;
  /** @type {'cpu' | 'wasm'} */ #location;

  /**
   * @param {symbol} key
   * @param {Core} core
   * @param {number} handle
   * @param {SessionOptions} options
   */
  constructor(key, core, handle, options) {
    if (key !== secret) throw new NormError('InferenceSession: use InferenceSession.create()');
    this.#core = core;
    this.#handle = handle;
    this.#location = options.preferredOutputLocation ?? 'cpu';
    const { inputs, outputs, ops } = core.invoke('describe', handle);
    this.inputMetadata = metadata(inputs);
    this.outputMetadata = metadata(outputs);
    this.inputNames = Object.freeze(this.inputMetadata.map((m) => m.name));
    this.outputNames = Object.freeze(this.outputMetadata.map((m) => m.name));
    /** @type {readonly { op: string, count: number }[]} */
    this.operators = Object.freeze(ops);
  }

  /**
   * @param {import('../index.js').ModelSource} model
   * @param {SessionOptions} [options]
   */
  static async create(model, options = {}) {
    checkOptions(options);
    await init(options);
    const core = live('InferenceSession.create');
    const slab = await load(core, model, options);
    try {
      core.check();
      if (options.signal?.aborted) throw aborted(options.signal, 'InferenceSession.create');
    } catch (error) {
      free(core, slab.handle);
      throw error;
    }
    const handle = core.invoke('open', { handle: slab.handle }, {
      bytes: slab.length,
      graphOptimizationLevel: options.graphOptimizationLevel,
      freeDimensionOverrides: options.freeDimensionOverrides,
    });
    return new InferenceSession(secret, core, handle, options);
  }

  /**
   * @param {Record<string, Tensor>} feeds
   * @param {readonly string[] | RunOptions} [fetches]
   * @param {RunOptions} [options]
   */
  async run(feeds, fetches, options) {
    const wanted = Array.isArray(fetches) ? fetches : this.outputNames;
    const { signal } = options ?? /** @type {RunOptions} */ (Array.isArray(fetches) ? {} : fetches ?? {});
    this.#check('run');
    if (signal?.aborted) throw aborted(signal, 'InferenceSession.run');
    for (const name of wanted) {
      if (!this.outputNames.includes(name)) throw new NormError(`InferenceSession.run: ${JSON.stringify(name)} is no output; the model has ${list(this.outputNames)}`);
    }
    this.#feed('run', feeds);
    this.#core.call('sessionExec', this.#handle);
    return this.#fetch(wanted);
  }

  /** @param {Record<string, Tensor>} feeds */
  async profile(feeds) {
    this.#check('profile');
    const tensors = this.#tensors('profile', feeds);
    const plain = Object.fromEntries(this.inputNames.map((name, i) => {
      const tensor = tensors[i];
      // A copy, for a view of the module's memory may be detached while planning.
      return [name, { shape: [...tensor.dims], data: tensor.location === 'wasm' ? /** @type {any} */ (tensor.data).slice() : tensor.data }];
    }));
    const { nodes, totalMs } = this.#core.invoke('profile', this.#handle, plain);
    return { nodes, totalMs };
  }

  async release() {
    if (this.#released) return;
    this.#released = true;
    if (this.#core.ended === undefined) this.#core.invoke('release', this.#handle);
  }

  /** @param {string} what */
  #check(what) {
    if (this.#released) throw new DisposedError(`InferenceSession.${what}: the session was released`);
    this.#core.check();
  }

  /**
   * The feeds in the order of the inputs.
   * @param {string} what
   * @param {any} feeds
   * @returns {Tensor[]}
   */
  #tensors(what, feeds) {
    const where = `InferenceSession.${what}`;
    if (feeds === null || typeof feeds !== 'object') throw new NormError(`${where}: feeds is ${describe(feeds)}, want an object of tensors by name`);
    for (const name of Object.keys(feeds)) {
      if (!this.inputNames.includes(name)) throw new NormError(`${where}: ${JSON.stringify(name)} is no input; the model wants ${list(this.inputNames)}`);
    }
    return this.inputMetadata.map(({ name, type }) => {
      const tensor = feeds[name];
      if (tensor === undefined) throw new NormError(`${where}: input ${JSON.stringify(name)} is missing; the model wants ${list(this.inputNames)}`);
      if (!(tensor instanceof Tensor)) throw new NormError(`${where}: input ${JSON.stringify(name)} is ${describe(tensor)}, want a Tensor`);
      if (tensor.type !== type) throw new NormError(`${where}: input ${JSON.stringify(name)} is a tensor of ${tensor.type}, want ${type}`);
      const storage = tensor.storage(`${where}: input ${JSON.stringify(name)}`);
      if (storage && storage.core !== this.#core) throw new NormError(`${where}: input ${JSON.stringify(name)} belongs to another runtime`);
      return tensor;
    });
  }

  /**
   * Plans for the feeds' dimensions and copies the feeds to where the plan wants them.
   * @param {string} what
   * @param {Record<string, Tensor>} feeds
   */
  #feed(what, feeds) {
    const core = this.#core;
    const tensors = this.#tensors(what, feeds);
    // A view of the module's memory is lost when planning makes that grow.
    const arrays = tensors.map((tensor) => {
      if (tensor.location === 'wasm') return undefined;
      const data = /** @type {any} */ (tensor.data);
      return data.buffer === core.memory.buffer ? data.slice() : data;
    });
    let at = core.frame;
    const { i32 } = core.memory;
    for (const { dims } of tensors) {
      if (at + 1 + dims.length > core.frame + frameSize) throw new ShapeError(`InferenceSession.${what}: the inputs have more dimensions together than ${frameSize}`);
      i32[at++] = dims.length;
      for (const d of dims) i32[at++] = d;
    }
    core.call('sessionPrepare', this.#handle);
    const placed = core.memory.i32;
    const { u8 } = core.memory;
    tensors.forEach((tensor, i) => {
      const address = placed[core.frame + 2 * i] >>> 0;
      const bytes = placed[core.frame + 2 * i + 1];
      const name = `InferenceSession.${what}: input ${JSON.stringify(this.inputNames[i])}`;
      const storage = tensor.storage(name);
      if (storage) {
        u8.copyWithin(address, storage.address, storage.address + bytes);
        return;
      }
      const array = attached(arrays[i], name, tensor.size);
      u8.set(new Uint8Array(array.buffer, array.byteOffset, bytes), address);
    });
  }

  /**
   * Takes the wanted outputs from where the frame says they are.
   * @param {readonly string[]} wanted
   */
  #fetch(wanted) {
    const core = this.#core;
    const { i32 } = core.memory;
    let at = core.frame;
    const found = this.outputNames.map(() => {
      const type = typeName(i32[at++]);
      const dims = Object.freeze([...i32.subarray(at + 1, at + 1 + i32[at])]);
      at += 1 + dims.length;
      const address = i32[at++] >>> 0;
      const bytes = i32[at++];
      return { type: /** @type {import('../index.js').DataType} */ (type), dims, address, bytes };
    });
    /** @type {Record<string, Tensor>} */
    const results = {};
    for (const name of wanted) {
      const { type, dims, address, bytes } = found[this.outputNames.indexOf(name)];
      if (this.#location === 'wasm') {
        const tensor = resident(core, type, dims);
        const { u8 } = core.memory;
        u8.copyWithin(/** @type {any} */ (tensor.storage(name)).address, address, address + bytes);
        results[name] = tensor;
      } else {
        const array = new (arrayClass(type))(product(dims));
        new Uint8Array(array.buffer).set(core.memory.u8.subarray(address, address + bytes));
        results[name] = new Tensor(type, array, dims);
      }
    }
    return results;
  }
}

/** @param {SessionOptions} options */
function checkOptions(options) {
  const { worker, preferredOutputLocation: location, freeDimensionOverrides: overrides } = options;
  if (worker) throw new UnsupportedError('InferenceSession.create: the option worker is not implemented yet; create the session inside a worker of your own');
  if (location !== undefined && location !== 'cpu' && location !== 'wasm') throw new NormError(`InferenceSession.create: preferredOutputLocation is ${JSON.stringify(location)}, want 'cpu' or 'wasm'`);
  if (overrides !== undefined) checkDims(Object.values(overrides), 'InferenceSession.create: freeDimensionOverrides');
}

/**
 * @param {{ name: string, type: import('../index.js').DataType, shape: (number | string)[] | null }[]} values
 * @returns {readonly ValueMetadata[]}
 */
function metadata(values) {
  return Object.freeze(values.map(({ name, type, shape }) => Object.freeze({ name, type, shape: Object.freeze((shape ?? []).map((d) => (d === '' ? '?' : d))) })));
}

/** @param {readonly string[]} names */
function list(names) {
  return names.map((name) => JSON.stringify(name)).join(', ') || 'none';
}

/**
 * @param {Core} core
 * @param {number} handle
 */
function free(core, handle) {
  if (core.ended === undefined) core.call('free', handle);
}

/**
 * Brings a model into a slab of its own, as the bytes arrive.
 * @param {Core} core
 * @param {any} model
 * @param {SessionOptions} options
 * @returns {Promise<{ handle: number, length: number }>}
 */
async function load(core, model, options) {
  if (model instanceof ArrayBuffer || Object.prototype.toString.call(model) === '[object ArrayBuffer]') return copied(core, new Uint8Array(model));
  if (ArrayBuffer.isView(model)) {
    if (!is(model, 'Uint8Array')) throw new NormError(`InferenceSession.create: the model is ${describe(model)}, want a Uint8Array`);
    return copied(core, attached(/** @type {Uint8Array} */ (model), 'InferenceSession.create: the model'));
  }
  const { signal, onProgress } = options;
  const progress = onProgress && ((/** @type {number} */ loaded, /** @type {number | undefined} */ total) => onProgress({ phase: 'model', loaded, total }));
  /** @type {ReadableStream<Uint8Array> | null} */
  let stream;
  let meter;
  if (typeof model === 'string' || model instanceof URL || isA(model, 'Request')) {
    const response = await openModel(model, signal);
    meter = new Meter(model.url ?? String(model), expectedLength(response), response, progress);
    stream = response.body;
  } else if (isA(model, 'Response')) {
    checkStatus(model, model.url || 'the model');
    if (model.bodyUsed) throw new NormError('InferenceSession.create: the body of the Response was read already');
    meter = new Meter(model.url || 'the model', expectedLength(model), model, progress);
    stream = model.body;
  } else if (isA(model, 'Blob')) {
    meter = new Meter('the model', model.size, undefined, progress);
    stream = model.stream();
  } else if (isA(model, 'ReadableStream')) {
    if (model.locked) throw new NormError('InferenceSession.create: the stream is locked to another reader');
    meter = new Meter('the model', undefined, undefined, progress);
    stream = model;
  } else {
    throw new NormError(`InferenceSession.create: the model is ${describe(model)}, want a URL, Request, Response, Blob, ArrayBuffer, Uint8Array or ReadableStream`);
  }
  return streamed(core, stream, meter, signal);
}

/**
 * By name rather than by class, for objects of other frames.
 * @param {any} value
 * @param {string} name
 */
function isA(value, name) {
  return Object.prototype.toString.call(value) === `[object ${name}]` || (name === 'Blob' && Object.prototype.toString.call(value) === '[object File]');
}

/**
 * @param {Core} core
 * @param {Uint8Array} bytes
 */
function copied(core, bytes) {
  const { length } = bytes;
  const source = bytes.buffer === core.memory.buffer ? bytes.slice() : bytes;
  const { handle, address } = core.alloc(length);
  core.memory.u8.set(source, address);
  return { handle, length };
}

/**
 * @param {Core} core
 * @param {ReadableStream<Uint8Array> | null} stream
 * @param {Meter} meter
 * @param {AbortSignal} [signal]
 */
async function streamed(core, stream, meter, signal) {
  let slab = core.alloc(meter.total ?? 1 << 16);
  let capacity = meter.total ?? 1 << 16;
  let length = 0;
  const reader = stream?.getReader();
  const stop = () => {
    reader?.cancel(signal?.reason).catch(() => {});
  };
  signal?.addEventListener('abort', stop, { once: true });
  try {
    for (let step = await reader?.read(); step && !step.done; step = await reader?.read()) {
      const chunk = step.value;
      if (!ArrayBuffer.isView(chunk) || !is(chunk, 'Uint8Array')) throw new NormError(`InferenceSession.create: the stream gave ${describe(chunk)}, want Uint8Array`);
      core.check();
      if (length + chunk.length > capacity) {
        // No length was known, or it was wrong.
        const larger = Math.max(2 * capacity, length + chunk.length);
        const next = core.alloc(larger);
        core.memory.u8.copyWithin(next.address, slab.address, slab.address + length);
        core.call('free', slab.handle);
        slab = next;
        capacity = larger;
      }
      core.memory.u8.set(chunk, slab.address + length);
      length += chunk.length;
      meter.count(chunk);
    }
    core.check();
    if (signal?.aborted) throw aborted(signal, `loading ${meter.name}`);
    if (meter.isTruncated || meter.isHTML || length === 0) throw meter.explain(undefined, 'a model');
    return { handle: slab.handle, length };
  } catch (error) {
    free(core, slab.handle);
    reader?.cancel().catch(() => {});
    if (error instanceof NormError) throw error;
    if (signal?.aborted) throw aborted(signal, `loading ${meter.name}`);
    throw error instanceof Error ? meter.explain(error, 'a model') : new LoadError(`loading ${meter.name} failed: ${String(error)}`);
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}
