// Reads a model from any source that it may be given as, into a slab of the module or into an array.
import { LoadError, NormError, aborted } from './errors.js';
import { Meter, checkStatus, expectedLength, openModel, tell } from './loader.js';
import { headLength } from './sniff.js';
import { attached, describe, is } from './tensor.js';

/** @typedef {import('./core.js').Core} Core */
/** @typedef {import('../index.js').SessionOptions} SessionOptions */

/**
 * Where the bytes of a model go as they arrive.
 * @typedef {object} Target
 * @property {(capacity: number) => void} reserve makes room, keeping what was written
 * @property {(chunk: Uint8Array, at: number) => void} write
 * @property {() => void} drop lets go of everything
 */

/**
 * A model whose download, if it takes one, has begun.
 * @typedef {object} Opened
 * @property {any} model
 * @property {Promise<Response>} [response]
 */

/**
 * Begins what there is to download.
 * @param {any} model
 * @param {AbortSignal} [signal]
 * @returns {Opened}
 */
export function beginModel(model, signal) {
  if (typeof model !== 'string' && !isA(model, 'URL') && !isA(model, 'Request')) return { model };
  const response = openModel(model, signal);
  response.catch(() => {}); // whoever reads the model will see it
  return { model, response };
}

/**
 * Lets go of a download that nobody will read.
 * @param {Opened} opened
 */
export function dropModel({ response }) {
  response?.then(({ body }) => body?.cancel()).catch(() => {});
}

/**
 * Brings a model to its target, and returns how many bytes there are and how it begins.
 * @param {Opened} opened
 * @param {Target} target
 * @param {Pick<SessionOptions, 'signal' | 'onProgress'>} options
 * @param {string} [file] the path of a file that the model refers to: it may begin in any way, and be empty
 * @returns {Promise<Meter>}
 */
export async function readModel({ model, response: opening }, target, { signal, onProgress }, file) {
  const wanted = file === undefined ? 'model' : 'data';
  const name = file === undefined ? 'the model' : `the file ${JSON.stringify(file)}`;
  const bytes = given(model, name);
  if (bytes !== undefined) {
    if (signal?.aborted) throw aborted(signal, 'InferenceSession.create');
    const meter = new Meter(name, bytes.length).count(bytes);
    if (meter.isNothing(wanted)) throw meter.explain(undefined, wanted);
    if (bytes.length > 0) target.reserve(bytes.length);
    target.write(bytes, 0);
    return meter;
  }
  const progress = onProgress && ((/** @type {number} */ loaded, /** @type {number | undefined} */ total) => tell(onProgress, { phase: 'model', loaded, total }));
  /** @type {ReadableStream<Uint8Array> | null} */
  let stream;
  /** @type {Meter} */
  let meter;
  if (opening !== undefined) {
    const response = await opening;
    meter = new Meter(model.url ?? String(model), expectedLength(response), response, progress);
    stream = response.body;
  } else if (isA(model, 'Response')) {
    checkStatus(model, model.url || name);
    if (model.bodyUsed) throw new NormError('InferenceSession.create: the body of the Response was read already');
    meter = new Meter(model.url || name, expectedLength(model), model, progress);
    stream = model.body;
  } else if (isA(model, 'Blob')) {
    meter = new Meter(name, model.size, undefined, progress);
    stream = model.stream();
  } else if (isA(model, 'ReadableStream')) {
    if (model.locked) throw new NormError('InferenceSession.create: the stream is locked to another reader');
    meter = new Meter(name, undefined, undefined, progress);
    stream = model;
  } else {
    throw new NormError(`InferenceSession.create: ${name} is ${describe(model)}, want a URL, Request, Response, Blob, ArrayBuffer, Uint8Array or ReadableStream${typeof model?.then === 'function' ? ': await it first' : ''}`);
  }
  return drain(stream, meter, target, signal, wanted);
}

/**
 * A model that is there as bytes already.
 * @param {any} model
 * @param {string} name
 * @returns {Uint8Array | undefined}
 */
function given(model, name) {
  if (Object.prototype.toString.call(model) === '[object ArrayBuffer]') return attached(new Uint8Array(model), `InferenceSession.create: ${name}`);
  if (!ArrayBuffer.isView(model)) return undefined;
  if (!is(model, 'Uint8Array')) throw new NormError(`InferenceSession.create: ${name} is ${describe(model)}, want a Uint8Array`);
  return attached(/** @type {Uint8Array} */ (model), `InferenceSession.create: ${name}`);
}

/**
 * By name rather than by class, for objects of other frames.
 * @param {any} value
 * @param {string} name
 */
export function isA(value, name) {
  const tag = Object.prototype.toString.call(value);
  return tag === `[object ${name}]` || (name === 'Blob' && tag === '[object File]');
}

/**
 * @param {ReadableStream<Uint8Array> | null} stream
 * @param {Meter} meter
 * @param {Target} target
 * @param {AbortSignal | undefined} signal
 * @param {'model' | 'data'} wanted
 */
async function drain(stream, meter, target, signal, wanted) {
  const capacity = meter.total ?? 0;
  let length = 0;
  /** What came when no length was known, or beyond one that was wrong: the module's memory, which never shrinks, gets it in one
   *  piece when all is there. @type {Uint8Array[]} */
  const rest = [];
  const reader = stream?.getReader();
  const stop = () => {
    reader?.cancel(signal?.reason).catch(() => {});
  };
  signal?.addEventListener('abort', stop, { once: true });
  try {
    if (capacity > 0) target.reserve(capacity);
    for (let step = await reader?.read(); step && !step.done; step = await reader?.read()) {
      const chunk = step.value;
      if (!ArrayBuffer.isView(chunk) || !is(chunk, 'Uint8Array')) throw new NormError(`InferenceSession.create: the stream gave ${describe(chunk)}, want Uint8Array`);
      if (rest.length > 0 || length + chunk.length > capacity) rest.push(chunk.slice());
      else target.write(chunk, length);
      length += chunk.length;
      // As soon as it is clear that this is no model, and not after half a gigabyte of it.
      if (meter.count(chunk).head.length >= headLength && length - chunk.length < headLength && meter.kind(wanted)) throw meter.explain(undefined, wanted);
    }
    if (rest.length > 0) {
      target.reserve(length);
      for (let at = length, chunk = rest.pop(); chunk; chunk = rest.pop()) target.write(chunk, (at -= chunk.length));
    }
    if (signal?.aborted) throw aborted(signal, `loading ${meter.name}`);
    if (meter.isTruncated || meter.isNothing(wanted)) throw meter.explain(undefined, wanted);
    return meter;
  } catch (error) {
    target.drop();
    reader?.cancel().catch(() => {});
    if (error instanceof NormError) throw error;
    if (signal?.aborted) throw aborted(signal, `loading ${meter.name}`);
    throw error instanceof Error ? meter.explain(error, wanted) : new LoadError(`loading ${meter.name} failed: ${String(error)}`);
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

/** A slab of the module, which a session then takes over. @implements {Target} */
export class SlabTarget {
  #slab = { handle: 0, address: 0 };
  #capacity = 0;

  /** @param {Core} core */
  constructor(core) {
    this.core = core;
  }

  get handle() {
    return this.#slab.handle;
  }

  get address() {
    return this.#slab.address;
  }

  /** @param {number} capacity */
  reserve(capacity) {
    const { core } = this;
    const old = this.#slab;
    this.#slab = core.alloc(capacity);
    if (old.handle !== 0) {
      core.memory.u8.copyWithin(this.#slab.address, old.address, old.address + this.#capacity);
      core.call('free', old.handle);
    }
    this.#capacity = capacity;
  }

  /** @param {Uint8Array} chunk @param {number} at */
  write(chunk, at) {
    this.core.check();
    const { u8 } = this.core.memory;
    // A view of the module's own memory may have been lost to its growth.
    u8.set(attached(chunk, 'InferenceSession.create: the model'), this.#slab.address + at);
  }

  drop() {
    if (this.#slab.handle !== 0 && this.core.ended === undefined) this.core.call('free', this.#slab.handle);
    this.#slab = { handle: 0, address: 0 };
  }
}

/** An array, for workers. @implements {Target} */
export class ArrayTarget {
  /** @type {Uint8Array} */ bytes = new Uint8Array(0);

  /** @param {ArrayBufferConstructor | SharedArrayBufferConstructor} [Buffer] */
  constructor(Buffer = ArrayBuffer) {
    this.Buffer = Buffer;
  }

  /** @param {number} capacity */
  reserve(capacity) {
    try {
      const larger = new Uint8Array(new this.Buffer(capacity));
      larger.set(this.bytes);
      this.bytes = larger;
    } catch (cause) {
      throw new NormError(`InferenceSession.create: there is no memory for a model of ${capacity} bytes`, 'OUT_OF_MEMORY', { cause });
    }
  }

  /** @param {Uint8Array} chunk @param {number} at */
  write(chunk, at) {
    this.bytes.set(chunk, at);
  }

  drop() {
    this.bytes = new Uint8Array(0);
  }
}
