// Tensors: a JavaScript array with dimensions, or memory of the module.
import { types } from './bridge.js';
import { DisposedError, NormError, ShapeError, UnsupportedError } from './errors.js';
import { inferType, toArray } from './elements.js';
import { unwatch, watch } from './lost.js';
import { flatten, nest, show } from './nested.js';
import { checkOptions, nearest } from './options.js';
import { live } from './runtime.js';

/** @typedef {import('../index.js').DataType} DataType */
/** @typedef {import('./core.js').Core} Core */

/** @type {Map<number, DataType>} */
const typeByNumber = new Map([[8, 'string'], ...Object.entries(types).map(([name, t]) => /** @type {[number, DataType]} */ ([t.number, name]))]);

/** What types are called elsewhere. @type {Record<string, DataType | undefined>} */
const elsewhere = Object.assign(Object.create(null), {
  float: 'float32', f32: 'float32', single: 'float32', number: 'float32', double: 'float64', f64: 'float64', half: 'float16', f16: 'float16', fp16: 'float16', fp32: 'float32',
  int: 'int32', i32: 'int32', long: 'int64', i64: 'int64', bigint: 'int64', short: 'int16', i16: 'int16', i8: 'int8', byte: 'uint8', u8: 'uint8', u16: 'uint16', u32: 'uint32', u64: 'uint64',
  boolean: 'bool', text: 'string', str: 'string',
});

/** @param {number} number of ONNX's TensorProto.DataType */
export function typeName(number) {
  return typeByNumber.get(number);
}

/** @param {DataType} type */
export function arrayClass(type) {
  return type === 'string' ? undefined : types[type]?.array;
}

/**
 * A slab of the module's memory, shared by a tensor and its reshaped ones.
 */
class Storage {
  refs = 1;

  /**
   * @param {Core} core
   * @param {number} bytes
   * @param {{ handle: number, address: number }} [slab] one that is there already
   */
  constructor(core, bytes, slab) {
    this.core = core;
    this.bytes = bytes;
    const { handle, address } = slab ?? core.alloc(bytes);
    this.handle = handle;
    this.address = address;
  }

  release() {
    if (--this.refs === 0 && this.core.ended === undefined) this.core.call('free', this.handle);
  }
}

/** An array of a tensor's own, which needs no check. */
class Filled {
  /** @param {any} array */
  constructor(array) {
    this.array = array;
  }
}

/** @param {Storage} storage */
function release(storage) {
  storage.release();
}

export class Tensor {
  /** @type {DataType} */ #type;
  /** @type {readonly number[]} */ #dims;
  #size = 0;
  /** On the cpu. @type {any} */ #array;
  /** In the module. @type {Storage | undefined} */ #storage;
  #disposed = false;

  /**
   * @param {any} type may be left out
   * @param {any} [data]
   * @param {any} [dims]
   */
  constructor(type, data, dims) {
    if (data instanceof Storage || data instanceof Filled) {
      this.#type = type;
      this.#dims = dims;
      this.#size = product(dims);
      if (data instanceof Filled) {
        this.#array = data.array;
        return;
      }
      this.#storage = data;
      watch(this, release, data);
      return;
    }
    if (typeof type === 'object' && type !== null) [type, data, dims] = [inferType(type), type, data];
    checkType(type, 'Tensor');
    this.#type = type;
    this.#array = toArray(type, data);
    this.#dims = dims === undefined ? Object.freeze([this.#array.length]) : checkDims(dims, 'Tensor: dims');
    this.#size = product(this.#dims);
    if (this.#array.length !== this.#size) {
      const swapped = ArrayBuffer.isView(dims) && Array.isArray(data) && product(data) === this.#dims.length ? ': data come before dims' : '';
      throw new ShapeError(`Tensor: data has ${this.#array.length} elements, want ${this.#size} for dims [${this.#dims.slice(0, 32).join(' ')}${this.#dims.length > 32 ? ' …' : ''}]${swapped}`);
    }
  }

  /**
   * @param {readonly number[]} dims
   * @param {{ location?: 'cpu' | 'wasm' }} [options]
   */
  static zeros(dims, options = {}) {
    checkOptions('Tensor.zeros', options);
    const { location = 'cpu' } = options;
    const shape = checkDims(dims, 'Tensor.zeros: dims');
    if (location === 'cpu') return new Tensor('float32', allocate(product(shape), 'Tensor.zeros'), shape);
    if (location !== 'wasm') throw new NormError(`Tensor.zeros: location is ${quote(location)}, want 'cpu' or 'wasm'`);
    return resident(live('Tensor.zeros'), 'float32', shape);
  }

  /**
   * @param {any} nested
   * @param {DataType} [type]
   */
  static from(nested, type) {
    if (type !== undefined) checkType(type, 'Tensor.from');
    const { type: found, dims, data } = flatten(nested, type);
    return new Tensor(found, data, dims);
  }

  get type() {
    return this.#type;
  }

  get dims() {
    return this.#dims;
  }

  get size() {
    return this.#size;
  }

  /** The module whose memory has the elements; undefined on the cpu and once disposed of. */
  get core() {
    return this.#storage?.core;
  }

  /** Of the slab there. */
  get handle() {
    return this.#storage?.handle ?? 0;
  }

  get location() {
    return this.#storage || (this.#disposed && this.#array === undefined) ? 'wasm' : 'cpu';
  }

  get data() {
    const storage = this.storage('Tensor.data');
    if (!storage) return this.#array;
    return storage.core.memory.view(arrayClass(this.#type), storage.address, this.#size);
  }

  async getData() {
    return this.#storage ? this.data.slice() : this.data;
  }

  toWasm() {
    if (this.storage('Tensor.toWasm')) return this;
    if (this.#type === 'string') throw new UnsupportedError('Tensor.toWasm: tensors of type string stay on the cpu');
    const copy = resident(live('Tensor.toWasm'), this.#type, this.#dims);
    const source = attached(this.#array, 'Tensor.toWasm: data', this.#size);
    copy.data.set(/** @type {any} */ (source));
    return copy;
  }

  /** @param {readonly number[]} dims */
  reshape(dims) {
    const storage = this.storage('Tensor.reshape');
    const shape = checkDims(dims, 'Tensor.reshape: dims');
    if (product(shape) !== this.#size) {
      throw new ShapeError(`Tensor.reshape: dims [${shape.join(' ')}] have ${product(shape)} elements, the tensor [${this.#dims.join(' ')}] has ${this.#size}`);
    }
    if (!storage) return new Tensor(this.#type, this.#array, shape);
    storage.refs++;
    return new Tensor(this.#type, storage, shape);
  }

  toArray() {
    const { data } = this;
    if (Array.isArray(data) || this.#storage === undefined) attached(data, 'Tensor.toArray: data', this.#size);
    return nest(this.#type, data, this.#dims);
  }

  toString() {
    return show(this);
  }

  /**
   * What Node's console shows.
   * @param {number} depth how many levels of objects may still be shown
   */
  [Symbol.for('nodejs.util.inspect.custom')](depth) {
    return depth < 0 ? `[${show(this, false)}]` : show(this);
  }

  dispose() {
    if (this.#disposed) return;
    this.#disposed = true;
    if (this.#storage) {
      unwatch(this);
      this.#storage.release();
      this.#storage = undefined;
    } else {
      this.#array = new (arrayClass(this.#type) ?? Array)(0);
    }
  }

  [Symbol.dispose ?? Symbol.for('Symbol.dispose')]() {
    this.dispose();
  }

  /**
   * Where the elements are in the module; undefined for a tensor on the cpu.
   * @param {string | (() => string)} what is being done, for the error
   * @param {string} [name] what the tensor is there
   */
  storage(what, name) {
    if (this.#disposed) throw new DisposedError(`${typeof what === 'string' ? what : what()}${name === undefined ? '' : `: ${name}`}: the tensor [${this.#dims.join(' ')}] was disposed`);
    this.#storage?.core.check();
    return this.#storage;
  }
}

/**
 * @param {unknown} type
 * @param {string} what is being done, for the error
 */
function checkType(type, what) {
  if (type === 'string' || Object.hasOwn(types, /** @type {any} */ (type))) return;
  const names = [...Object.keys(types), 'string'];
  const near = typeof type === 'string' && !/^(complex|bfloat|float8|float4|u?int[24]$)/.test(type)
    ? elsewhere[type.toLowerCase().replace(/_t$|^torch\.|^np\./, '')] ?? nearest(type, names) : undefined;
  throw new UnsupportedError(`${what}: type ${quote(type)} is none of ${names.join(', ')}${near ? `: did you mean '${near}'?` : ''}`);
}

/**
 * The tensors of what crossed from or to a worker: of one, of a list, of nothing.
 * @param {any} plain
 * @returns {any}
 */
export const revived = (plain) => (Array.isArray(plain) ? plain.map(revived) : plain && new Tensor(plain.type, plain.data, plain.dims));

/**
 * A tensor in the module: of zeros, or of what a slab has.
 * @param {Core} core
 * @param {DataType} type
 * @param {readonly number[]} dims frozen
 * @param {{ handle: number, address: number }} [slab] which is the tensor's from then on
 */
export function resident(core, type, dims, slab) {
  return new Tensor(type, new Storage(core, product(dims) * arrayClass(type).BYTES_PER_ELEMENT, slab), dims);
}

/**
 * A tensor of an array that was made for it.
 * @param {DataType} type
 * @param {any} array of its class, with as many elements
 * @param {readonly number[]} dims frozen
 */
export const filled = (type, array, dims) => new Tensor(type, new Filled(array), dims);

/**
 * Frozen dimensions, each a whole number of at least 0.
 * @param {any} dims
 * @param {string} name
 * @returns {readonly number[]}
 */
export function checkDims(dims, name) {
  const view = ArrayBuffer.isView(dims) && !(dims instanceof DataView);
  if (!Array.isArray(dims) && !view) throw new NormError(`${name} is ${describe(dims)}, want an array of whole numbers${Number.isInteger(dims) ? `, as in [${dims}]` : ''}`);
  const copy = [...(view ? attached(/** @type {any} */ (dims), name) : dims)]; // in which a hole is undefined
  let size = 1;
  for (const [i, d] of copy.entries()) {
    if (!Number.isInteger(d) || d < 0 || d > 0x7fffffff) throw new ShapeError(`${name}[${i}] is ${typeof d === 'number' ? d : describe(d)}, want a whole number from 0 to 2147483647`);
    size *= d;
  }
  if (size > 2 ** 40) throw new ShapeError(`${name} [${copy.join(' ')}] have ${size} elements, more than memory can hold`);
  return Object.freeze(copy);
}

/**
 * @param {number} length
 * @param {string} name
 */
function allocate(length, name) {
  try {
    return new Float32Array(length);
  } catch (cause) {
    throw new NormError(`${name}: there is no memory for ${length} elements`, 'OUT_OF_MEMORY', { cause });
  }
}

/** @param {readonly number[]} dims */
export function product(dims) {
  let size = 1;
  for (const d of dims) size *= d;
  return size;
}

/**
 * Throws when the array's buffer is gone, or has shrunk below size elements.
 * @template {{ length: number, buffer: ArrayBufferLike }} A
 * @param {A} array
 * @param {string} name
 * @param {number} [size]
 * @returns {A}
 */
export function attached(array, name, size) {
  if (array.length !== 0 && (size === undefined || array.length === size)) return array;
  if (size === 0 || size === undefined) {
    if (array.buffer.byteLength > 0 || !isDetached(array.buffer)) return array;
  }
  throw new NormError(`${name} is detached: its buffer was transferred or replaced`, 'DETACHED');
}

/**
 * Whether two arrays have an element in common.
 * @param {ArrayBufferView} a
 * @param {ArrayBufferView} b
 */
export function overlap(a, b) {
  return a.buffer === b.buffer && a.byteLength > 0 && b.byteLength > 0 && a.byteOffset < b.byteOffset + b.byteLength && b.byteOffset < a.byteOffset + a.byteLength;
}

/** @param {ArrayBufferLike} buffer */
function isDetached(buffer) {
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}

/**
 * Whether a typed array is of this class, of whatever frame it comes from.
 * @param {any} array
 * @param {string} name
 */
export function is(array, name) {
  return array[Symbol.toStringTag] === name;
}

/**
 * A value in place of a word, for an error.
 * @param {unknown} value
 */
export function quote(value) {
  return ['string', 'number', 'boolean'].includes(typeof value) ? JSON.stringify(value) : describe(value);
}

/**
 * What a value is, for an error.
 * @param {any} value
 */
export function describe(value) {
  if (value === null || value === undefined) return String(value);
  if (ArrayBuffer.isView(value)) return `a ${/** @type {any} */ (value)[Symbol.toStringTag] ?? 'DataView'}`;
  if (Array.isArray(value)) return 'a plain array';
  if (typeof value === 'object') return `an object of class ${value.constructor?.name ?? 'null'}`;
  return `a ${typeof value}`;
}
