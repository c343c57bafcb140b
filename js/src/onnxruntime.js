// onnxruntime's JavaScript interface over sessions of this package, in two forms:
// `backend` (with registerNormwasm) is an execution provider for onnxruntime-common's
// registerBackend, and the other exports are those of onnxruntime-web, so that a
// bundler's alias or an import map can put this module in its place.
import { InferenceSession as Session, LoadError, NormError, ShapeError, Tensor as Value, UnsupportedError, init } from './index.js';

/** @typedef {import('../index.js').DataType} DataType */

// ---- the backend ------------------------------------------------------------------------------

/** Options that ask for what has no counterpart here and changes no result. */
const harmless = ['intraOpNumThreads', 'interOpNumThreads', 'enableCpuMemArena', 'enableMemPattern', 'executionMode', 'optimizedModelFilePath',
  'enableProfiling', 'profileFilePrefix', 'logId', 'logSeverityLevel', 'logVerbosityLevel', 'enableGraphCapture', 'extra'];
const own = ['signal', 'onProgress', 'worker', 'workerURL', 'wasmURL', 'wasmModule', 'variant', 'threads'];
const known = [...harmless, ...own, 'executionProviders', 'graphOptimizationLevel', 'freeDimensionOverrides', 'preferredOutputLocation', 'externalData'];
const levels = ['disabled', 'basic', 'extended', 'layout', 'all'];

/**
 * onnxruntime's session options as this package's.
 * @param {any} options
 */
function sessionOptions(options) {
  /** @type {any} */
  const result = {};
  const { graphOptimizationLevel: level, preferredOutputLocation: location, externalData, freeDimensionOverrides } = options;
  for (const name of own) if (options[name] !== undefined) result[name] = options[name];
  // What onnxruntime takes as options of one provider comes with the provider's name.
  for (const provider of options.executionProviders ?? []) {
    for (const name of own) if (provider?.[name] !== undefined) result[name] = provider[name];
  }
  if (level !== undefined) {
    if (!levels.includes(level)) throw new NormError(`InferenceSession.create: graphOptimizationLevel is ${JSON.stringify(level)}, want one of ${levels.join(', ')}`);
    result.graphOptimizationLevel = level === 'disabled' ? 'none' : 'all';
  }
  if (freeDimensionOverrides !== undefined) result.freeDimensionOverrides = { ...freeDimensionOverrides };
  const places = typeof location === 'object' && location !== null ? Object.values(location) : [location ?? 'cpu'];
  const elsewhere = places.find((place) => place !== 'cpu' && place !== 'cpu-pinned');
  if (elsewhere !== undefined) throw new UnsupportedError(`InferenceSession.create: preferredOutputLocation is ${JSON.stringify(elsewhere)}; outputs come to 'cpu' alone`);
  if (externalData !== undefined) result.externalData = externalData;
  const unknown = Object.keys(options).filter((name) => !known.includes(name));
  // onnxruntime ignores them, and libraries hand on objects that have fields of their own.
  if (unknown.length > 0 && !quiet.includes(/** @type {string} */ (env.logLevel))) console.warn(`normwasm: InferenceSession.create ignores ${unknown.join(', ')}, which onnxruntime does not know either`);
  return result;
}

/** A session as onnxruntime-common's InferenceSession wants its handler. */
class Handler {
  /** @type {Session} */ #session;
  /** What was recorded, while profiling. @type {{ name: string, op: string, ms: number }[] | undefined} */ #profile;

  /** @param {Session} session */
  constructor(session) {
    this.#session = session;
    this.inputNames = session.inputNames;
    this.outputNames = session.outputNames;
    this.inputMetadata = metadata(session.inputMetadata);
    this.outputMetadata = metadata(session.outputMetadata);
  }

  /**
   * @param {Record<string, any>} feeds
   * @param {Record<string, any>} fetches names of outputs, with null or a tensor that takes the result
   * @param {any} [options]
   */
  async run(feeds, fetches, options) {
    /** @type {Record<string, any>} */
    const inputs = Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, value(tensor, `InferenceSession.run: input ${JSON.stringify(name)}`)]));
    const names = Object.keys(fetches);
    const signal = options?.signal;
    const outputs = await this.#session.run(inputs, names, signal === undefined ? {} : { signal });
    if (this.#profile) this.#profile.push(...(await this.#session.profile(inputs)).nodes);
    return Object.fromEntries(names.map((name) => {
      const { type, data, dims } = outputs[name] ?? {};
      if (!dims) throw new UnsupportedError(`InferenceSession.run: output ${JSON.stringify(name)} is a sequence or an optional value, which onnxruntime's run does not give: InferenceSession of normwasm does`);
      const taker = fetches[name];
      if (taker === null || taker === undefined) return [name, { type, data, dims: [...dims] }];
      const where = `InferenceSession.run: the tensor given for output ${JSON.stringify(name)}`;
      if (taker.type !== type) throw new NormError(`${where} is one of ${taker.type}, want ${type}`);
      if (taker.dims.join() !== dims.join()) throw new ShapeError(`${where} is [${taker.dims.join(' ')}], want [${dims.join(' ')}]`);
      const to = taker.data;
      if (Array.isArray(to)) to.splice(0, to.length, .../** @type {any} */ (data));
      else bytes(to).set(bytes(/** @type {any} */ (data)));
      return [name, taker];
    }));
  }

  /** From here on every run is made twice, once with a clock at each node. */
  startProfiling() {
    this.#profile ??= [];
  }

  /** Prints how long each node took since startProfiling, in milliseconds. */
  endProfiling() {
    const nodes = this.#profile;
    this.#profile = undefined;
    if (nodes) console.table(nodes);
  }

  dispose() {
    return this.#session.release();
  }
}

/** @param {ArrayBufferView} array */
function bytes({ buffer, byteOffset, byteLength }) {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** @param {readonly import('../index.js').ValueMetadata[]} values */
function metadata(values) {
  return values.map(({ name, type, shape, form }) => (form ? { name, isTensor: /** @type {const} */ (false) } : { name, isTensor: /** @type {const} */ (true), type, shape: [...shape] }));
}

/**
 * A feed as this package's tensor: it may be of onnxruntime-common, of this module, or of this package.
 * @param {any} tensor
 * @param {string} what
 * @returns {Value}
 */
function value(tensor, what) {
  if (tensor instanceof Value) return tensor;
  if (typeof tensor !== 'object' || tensor === null || typeof tensor.type !== 'string' || !Array.isArray(tensor.dims)) throw new NormError(`${what} is no Tensor`);
  const { location = 'cpu' } = tensor;
  if (location !== 'cpu' && location !== 'cpu-pinned') {
    throw location === 'none' ? new NormError(`${what} was disposed`, 'DISPOSED') : new UnsupportedError(`${what} is in a ${location}; feeds must be on the cpu (await its getData())`);
  }
  return new Value(/** @type {DataType} */ (tensor.type), tensor.data, tensor.dims);
}

/** What registerBackend of onnxruntime-common takes. */
export const backend = makeBackend({});

/**
 * @param {any} defaults session options that count where a session has none
 */
function makeBackend(defaults) {
  return {
    /** @param {string} _name */
    async init(_name) {
      // A session in a worker needs no module in this thread.
      if (!defaults.worker) await init(startOptions(defaults));
    },
    /**
     * @param {string | Uint8Array} model a URL, in Node a path too, or an ONNX file's bytes
     * @param {any} [options]
     */
    async createInferenceSessionHandler(model, options = {}) {
      return new Handler(await Session.create(/** @type {any} */ (model), { ...defaults, ...sessionOptions(options) }));
    },
  };
}

/** @param {any} options */
function startOptions({ worker, ...options }) {
  return options;
}

/**
 * Registers the backend as an execution provider.
 * @param {any} ort onnxruntime-common, or a package built on it such as onnxruntime-web
 * @param {any} [options] or the priority
 */
export function registerNormwasm(ort, options = {}) {
  if (typeof ort?.registerBackend !== 'function') throw new NormError('registerNormwasm: the first argument has no registerBackend; want the module onnxruntime-common or onnxruntime-web');
  if (typeof options === 'number') options = { priority: options };
  if (options === null || typeof options !== 'object') throw new NormError('registerNormwasm: the second argument must be options, or the priority alone');
  const { priority = 100, names = ['normwasm'], ...rest } = options;
  if (!Array.isArray(names) || !names.every((name) => typeof name === 'string')) throw new NormError("registerNormwasm: names must be an array of strings, as in ['normwasm', 'wasm']");
  if (!Number.isInteger(priority)) throw new NormError(`registerNormwasm: priority is ${String(priority)}, want a whole number`);
  const unknown = Object.keys(rest).find((name) => !own.includes(name));
  if (unknown !== undefined) throw new NormError(`registerNormwasm: there is no option ${unknown}; want priority, names, ${own.join(', ')}`);
  // One object however often it is registered: onnxruntime refuses another one of the same name and priority.
  const made = Object.keys(rest).length === 0 ? backend : makeBackend(rest);
  for (const name of names) ort.registerBackend(name, made, priority);
}

// ---- in place of onnxruntime-web --------------------------------------------------------------

/** Log levels at which warnings are not printed. */
const quiet = ['error', 'fatal'];
const logLevels = ['verbose', 'info', 'warning', ...quiet];
let logLevel = 'warning';

/** onnxruntime's settings. Of them `wasm.proxy` (sessions run in a worker) and `logLevel` have a meaning here. */
export const env = {
  /** @type {Record<string, any>} */ wasm: {},
  /** @type {Record<string, any>} */ webgl: {},
  /** @type {Record<string, any>} */ webgpu: {},
  // The version of onnxruntime-common that this module follows. There is no `web`: libraries make
  // an address out of it from which they load onnxruntime's own module.
  versions: { common: '1.30.0' },
  get logLevel() {
    return logLevel;
  },
  set logLevel(level) {
    if (level === undefined) return;
    if (!logLevels.includes(level)) throw new NormError(`env.logLevel is ${JSON.stringify(level)}, want one of ${logLevels.join(', ')}`);
    logLevel = level;
  },
  /** @type {boolean | undefined} */ trace: undefined,
  /** @type {boolean | undefined} */ debug: undefined,
};

/** @type {Record<string, any>} */
const arrays = {
  float32: Float32Array, uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array, int16: Int16Array, int32: Int32Array, int64: BigInt64Array,
  bool: Uint8Array, float16: /** @type {any} */ (globalThis).Float16Array ?? Uint16Array, float64: Float64Array, uint32: Uint32Array, uint64: BigUint64Array,
};
/** Types by the name of the array, which tells a class of another frame too. */
const typeOf = new Map(Object.entries(arrays).filter(([type]) => type !== 'bool' && type !== 'float16').map(([type, { name }]) => [name, type]));
typeOf.set('Float16Array', 'float16').set('Uint8ClampedArray', 'uint8');

/** @param {any} data */
const className = (data) => (ArrayBuffer.isView(data) ? /** @type {any} */ (data)[Symbol.toStringTag] : undefined);

/**
 * The elements as an array of the type's class.
 * @param {string} type
 * @param {any} data
 */
function elements(type, data) {
  if (type === 'string') {
    if (!Array.isArray(data)) throw new NormError("Tensor: data of type string must be an array of strings");
    return data;
  }
  const Class = Object.hasOwn(arrays, type) ? arrays[type] : undefined;
  if (Class === undefined) throw new UnsupportedError(`Tensor: type ${JSON.stringify(type)} is none of ${Object.keys(arrays).join(', ')}, string`);
  const name = className(data);
  if (name === Class.name) return data;
  if (name === 'Uint8ClampedArray' && (type === 'uint8' || type === 'bool')) return Uint8Array.from(data);
  // float16 as bits, where the class is Float16Array, and the other way round.
  if (type === 'float16' && (name === 'Uint16Array' || name === 'Float16Array')) return new Class(data.buffer, data.byteOffset, data.length);
  if (Array.isArray(data)) {
    if (type === 'float16' && Class === Uint16Array) throw new UnsupportedError('Tensor: this engine has no Float16Array; data of type float16 must be its bits in a Uint16Array');
    return type === 'int64' || type === 'uint64' ? Class.from(data, BigInt) : Class.from(data);
  }
  throw new NormError(`Tensor: data of type ${type} must be a ${Class.name} or an array of numbers`);
}

/** onnxruntime-common's Tensor, on the cpu. */
export class Tensor {
  /**
   * @param {any} type or data, or an object with location 'cpu-pinned', type, data and dims
   * @param {any} [data] or dims
   * @param {readonly number[]} [dims]
   */
  constructor(type, data, dims) {
    /** @type {string} */
    let location = 'cpu';
    if (typeof type === 'object' && type !== null && 'location' in type) {
      ({ location } = type);
      if (location !== 'cpu' && location !== 'cpu-pinned') throw new UnsupportedError(`Tensor: location is ${JSON.stringify(location)}; tensors are on the cpu`);
      ({ type, data, dims } = type);
    } else if (typeof type !== 'string') {
      [data, dims] = [type, data];
      if (Array.isArray(data)) type = typeof data[0] === 'boolean' ? 'bool' : typeof data[0];
      else type = typeOf.get(className(data));
      if (type !== 'string' && type !== 'bool' && (type === undefined || Array.isArray(data))) {
        throw new NormError('Tensor: the type follows from a typed array, an array of strings or one of booleans; otherwise name it first: new Tensor(type, data, dims)');
      }
    }
    /** @type {any} */
    this.cpuData = elements(type, data);
    this.dims = dims ?? [this.cpuData.length];
    if (!Array.isArray(this.dims)) throw new NormError('Tensor: dims must be an array of numbers');
    this.size = 1;
    for (const [i, d] of this.dims.entries()) {
      if (!Number.isSafeInteger(d) || d < 0) throw new ShapeError(`Tensor: dims[${i}] is ${String(d)}, want a whole number of at least 0`);
      this.size *= d;
    }
    if (this.cpuData.length !== this.size) throw new ShapeError(`Tensor: data has ${this.cpuData.length} elements, want ${this.size} for dims [${this.dims.join(' ')}]`);
    /** @type {string} */
    this.type = type;
    this.dataLocation = location;
  }

  get location() {
    return this.dataLocation;
  }

  get data() {
    if (this.dataLocation === 'none') throw new NormError('Tensor.data: the tensor was disposed', 'DISPOSED');
    return this.cpuData;
  }

  async getData() {
    return this.data;
  }

  /** @param {readonly number[]} dims */
  reshape(dims) {
    return new Tensor(this.type, this.data, dims);
  }

  dispose() {
    this.cpuData = undefined;
    this.dataLocation = 'none';
  }

  /** @returns {never} */
  get texture() {
    throw new UnsupportedError('Tensor.texture: tensors are on the cpu');
  }

  /** @returns {never} */
  get gpuBuffer() {
    throw new UnsupportedError('Tensor.gpuBuffer: tensors are on the cpu');
  }

  /** @returns {never} */
  get mlTensor() {
    throw new UnsupportedError('Tensor.mlTensor: tensors are on the cpu');
  }

  /**
   * @param {string} type
   * @param {any} data
   * @param {readonly number[]} [dims]
   */
  static fromPinnedBuffer(type, data, dims) {
    return new Tensor({ location: 'cpu-pinned', type, data, dims });
  }

  /** @returns {never} */
  static fromTexture() {
    throw new UnsupportedError('Tensor.fromTexture: there is no WebGL here; tensors are on the cpu');
  }

  /** @returns {never} */
  static fromGpuBuffer() {
    throw new UnsupportedError('Tensor.fromGpuBuffer: there is no WebGPU here; tensors are on the cpu');
  }

  /** @returns {never} */
  static fromMLTensor() {
    throw new UnsupportedError('Tensor.fromMLTensor: there is no WebNN here; tensors are on the cpu');
  }

  /**
   * (pixel + bias)/mean of each channel of a picture, [1 3 height width] ([1 4 …] with alpha).
   * @param {any} image
   * @param {any} [options]
   */
  static async fromImage(image, options = {}) {
    const picture = typeof image === 'string' ? await load(image) : image;
    const { width, height, data } = pixels(picture, options.resizedWidth ?? options.width, options.resizedHeight ?? options.height);
    if (options.tensorLayout === 'NHWC') throw new UnsupportedError('Tensor.fromImage: tensorLayout NHWC; onnxruntime has none either');
    if ((options.dataType ?? 'float32') !== 'float32') throw new UnsupportedError(`Tensor.fromImage: dataType is ${options.dataType}; onnxruntime gives float32 too`);
    const isElement = typeof HTMLImageElement !== 'undefined' && image instanceof HTMLImageElement;
    const order = options.tensorFormat ?? (isElement ? 'RGBA' : 'RGB');
    const [mean, bias] = [perChannel(options.norm?.mean, 255), perChannel(options.norm?.bias, 0)];
    const result = new Float32Array(order.length * width * height);
    [...order].forEach((letter, plane) => {
      const channel = channels.indexOf(letter);
      for (let i = 0, at = plane * width * height; i < width * height; i++) result[at++] = (data[4 * i + channel] + bias[channel]) / mean[channel];
    });
    return new Tensor('float32', result, [1, order.length, height, width]);
  }

  /**
   * The inverse of fromImage: (value − bias)·mean.
   * @param {any} [options]
   */
  toImageData(options = {}) {
    if (this.dims.length !== 4 || this.dims[0] !== 1) throw new ShapeError(`Tensor.toImageData: the tensor is [${this.dims.join(' ')}], want [1 channels height width]`);
    const last = options.tensorLayout === 'NHWC';
    const [, a, b, c] = this.dims;
    const [height, width, depth] = last ? [a, b, c] : [b, c, a];
    const order = options.format ?? (depth === 4 ? 'RGBA' : 'RGB');
    if (order.length !== depth) throw new ShapeError(`Tensor.toImageData: the tensor has ${depth} channels, and format ${order} ${order.length}`);
    const [mean, bias] = [perChannel(options.norm?.mean, 255), perChannel(options.norm?.bias, 0)];
    const image = new ImageData(width, height);
    image.data.fill(255);
    [...order].forEach((letter, plane) => {
      const channel = channels.indexOf(letter);
      for (let i = 0; i < width * height; i++) {
        const v = Number(this.data[last ? i * depth + plane : plane * width * height + i]);
        image.data[4 * i + channel] = (v - bias[channel]) * mean[channel];
      }
    });
    return image;
  }

  /** @param {any} [options] as of toImageData */
  toDataURL(options = {}) {
    if (typeof document === 'undefined') throw new UnsupportedError('Tensor.toDataURL needs a document: no canvas of a worker gives a URL at once');
    const image = this.toImageData(options);
    const canvas = Object.assign(document.createElement('canvas'), { width: image.width, height: image.height });
    /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d')).putImageData(image, 0, 0);
    return canvas.toDataURL();
  }
}

const channels = 'RGBA';

/** @param {string} url */
async function load(url) {
  if (typeof Image === 'undefined') throw new UnsupportedError('Tensor.fromImage: only a page loads a picture by its URL; elsewhere give an ImageBitmap');
  const element = new Image();
  element.crossOrigin = 'anonymous';
  element.src = url;
  try {
    await element.decode();
  } catch (cause) {
    throw new LoadError(`Tensor.fromImage: ${url.slice(0, 200)} is no picture that can be loaded`, 'LOAD_FAILED', { cause });
  }
  return element;
}

/**
 * A number for each of red, green, blue and alpha.
 * @param {any} given one number for all, or a list
 * @param {number} otherwise
 * @returns {number[]}
 */
function perChannel(given, otherwise) {
  return [0, 1, 2, 3].map((i) => (Array.isArray(given) ? given[i] : given) ?? otherwise);
}

/**
 * @param {any} picture ImageData, or what a canvas draws
 * @param {number} [width] drawn to this size
 * @param {number} [height]
 */
function pixels(picture, width = picture.naturalWidth || picture.width, height = picture.naturalHeight || picture.height) {
  const isData = typeof ImageData !== 'undefined' && picture instanceof ImageData;
  if (isData && picture.width === width && picture.height === height) return picture;
  const make = (/** @type {number} */ w, /** @type {number} */ h) => {
    if (typeof OffscreenCanvas !== 'undefined') return /** @type {any} */ (new OffscreenCanvas(w, h).getContext('2d'));
    if (typeof document === 'undefined') throw new UnsupportedError('Tensor.fromImage: there is no canvas here');
    return /** @type {any} */ (Object.assign(document.createElement('canvas'), { width: w, height: h }).getContext('2d'));
  };
  let source = picture;
  if (isData) {
    const whole = make(picture.width, picture.height);
    whole.putImageData(picture, 0, 0);
    source = whole.canvas;
  }
  const context = make(width, height);
  context.drawImage(source, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

/** Execution providers that registerBackend was given, by name. @type {Map<string, { backend: any, priority: number }>} */
const registered = new Map();

/**
 * @param {string} name
 * @param {any} other
 * @param {number} priority
 */
export function registerBackend(name, other, priority) {
  if (typeof other?.init !== 'function' || typeof other.createInferenceSessionHandler !== 'function') throw new NormError('registerBackend: the backend has no init or no createInferenceSessionHandler');
  const current = registered.get(name);
  if (current === undefined || current.priority <= priority) registered.set(name, { backend: other, priority });
}

/**
 * The backend that a session's list of execution providers comes to.
 * @param {any} options
 */
async function choose(options) {
  /** @type {string[]} */
  const names = (options.executionProviders ?? []).map((/** @type {any} */ p) => (typeof p === 'string' ? p : p?.name));
  /** @type {string[]} */
  const missing = [];
  for (const name of names.length > 0 ? names : ['wasm']) {
    const other = registered.get(name);
    if (other === undefined && !['wasm', 'cpu', 'normwasm'].includes(name)) {
      missing.push(name);
      continue;
    }
    if (missing.length > 0 && !quiet.includes(logLevel)) console.warn(`normwasm: there is no execution provider ${missing.join(', ')} here; the session runs on ${name}`);
    if (other === undefined) return env.wasm.proxy ? makeBackend({ worker: true }) : backend;
    await other.backend.init(name);
    return other.backend;
  }
  throw new UnsupportedError(`InferenceSession.create: there is no execution provider ${missing.join(', ')} here; 'wasm' is the one`);
}

const secret = Symbol('session');

/** onnxruntime-common's InferenceSession. */
export class InferenceSession {
  /**
   * @param {symbol} key
   * @param {any} handler
   */
  constructor(key, handler) {
    if (key !== secret) throw new NormError('InferenceSession: use InferenceSession.create()');
    /** Libraries call its dispose(). */
    this.handler = handler;
  }

  /**
   * create(path | bytes, options) or create(buffer, byteOffset, byteLength, options).
   * @param {any} model
   * @param {...any} rest
   */
  static async create(model, ...rest) {
    if (typeof model !== 'string' && !(model instanceof Uint8Array)) {
      if (!['[object ArrayBuffer]', '[object SharedArrayBuffer]'].includes(Object.prototype.toString.call(model))) {
        throw new NormError('InferenceSession.create: the model must be a path, an ArrayBuffer or a Uint8Array');
      }
      const offset = typeof rest[0] === 'number' ? rest.shift() : 0;
      const length = typeof rest[0] === 'number' ? rest.shift() : model.byteLength - offset;
      if (!(Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length > 0 && offset + length <= model.byteLength)) {
        throw new NormError(`InferenceSession.create: byteOffset ${offset} and byteLength ${length} are not within the ${model.byteLength} bytes of the buffer`);
      }
      // Between a number and the options onnxruntime's callers may leave out byteLength.
      if (rest[0] === undefined && rest.length > 1) rest.shift();
      model = new Uint8Array(model, offset, length);
    }
    const [options = {}] = rest;
    if (typeof options !== 'object' || options === null) throw new NormError('InferenceSession.create: options must be an object');
    const chosen = await choose(options);
    return new InferenceSession(secret, await chosen.createInferenceSessionHandler(model, options));
  }

  /**
   * run(feeds, options) or run(feeds, fetches, options).
   * @param {any} feeds
   * @param {any} [fetches] names of outputs, or an object that has null or a tensor for each
   * @param {any} [options]
   */
  async run(feeds, fetches, options) {
    if (typeof feeds !== 'object' || feeds === null || feeds instanceof Tensor || Array.isArray(feeds)) throw new NormError('InferenceSession.run: feeds must be an object of tensors by input name');
    /** @type {Map<string, any>} */
    const wanted = new Map();
    if (Array.isArray(fetches)) {
      if (fetches.length === 0) throw new NormError('InferenceSession.run: fetches is an empty array');
      for (const name of fetches) wanted.set(name, null);
    } else if (fetches !== undefined) {
      if (typeof fetches !== 'object' || fetches === null || fetches instanceof Tensor) throw new NormError('InferenceSession.run: the second argument must be fetches or options');
      for (const name of this.outputNames) if (Object.hasOwn(fetches, name) && (fetches[name] === null || fetches[name]?.dims)) wanted.set(name, fetches[name]);
      if (wanted.size === 0) options = fetches;
    }
    if (wanted.size === 0) for (const name of this.outputNames) wanted.set(name, null);
    const results = await this.handler.run(feeds, Object.fromEntries(wanted), options ?? {});
    return Object.fromEntries(Object.entries(results).map(([name, r]) => [name, r instanceof Tensor ? r : new Tensor(r.type, r.data, r.dims)]));
  }

  async release() {
    await this.handler.dispose();
  }

  startProfiling() {
    this.handler.startProfiling();
  }

  endProfiling() {
    this.handler.endProfiling();
  }

  /** @returns {readonly string[]} */
  get inputNames() {
    return this.handler.inputNames;
  }

  /** @returns {readonly string[]} */
  get outputNames() {
    return this.handler.outputNames;
  }

  /** @returns {readonly any[]} */
  get inputMetadata() {
    return this.handler.inputMetadata;
  }

  /** @returns {readonly any[]} */
  get outputMetadata() {
    return this.handler.outputMetadata;
  }
}

/** Whether marks for the browser's profiler are asked for. */
const tracing = () => env.trace ?? env.wasm.trace;

/**
 * @param {string} device
 * @param {string} label
 */
export function TRACE(device, label) {
  if (tracing()) /** @type {any} */ (console).timeStamp?.(`${device}::ORT::${label}`);
}

/** @param {string} [message] */
export function TRACE_FUNC_BEGIN(message) {
  TRACE('CPU', `FUNC_BEGIN::${message ?? ''}`);
}

/** @param {string} [message] */
export function TRACE_FUNC_END(message) {
  TRACE('CPU', `FUNC_END::${message ?? ''}`);
}

/** @param {string} [message] */
export function TRACE_EVENT_BEGIN(message) {
  if (tracing()) console.time(`ORT::${message}`);
}

/** @param {string} [message] */
export function TRACE_EVENT_END(message) {
  if (tracing()) console.timeEnd(`ORT::${message}`);
}

export default { InferenceSession, Tensor, TRACE, TRACE_EVENT_BEGIN, TRACE_EVENT_END, TRACE_FUNC_BEGIN, TRACE_FUNC_END, env, registerBackend };
