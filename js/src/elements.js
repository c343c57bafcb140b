// The elements of tensors from arrays of whatever class: kept where the class is right,
// converted where nothing is lost, refused where something would be.
import { NormError } from './errors.js';
import { fromHalf, toHalf } from './half.js';
import { arrayClass, attached, describe, is } from './tensor.js';

/** @typedef {import('../index.js').DataType} DataType */

/** The types that arrays' classes stand for. @type {Record<string, DataType>} */
export const typeByClass = {
  Float32Array: 'float32', Float64Array: 'float64', Float16Array: 'float16', Int8Array: 'int8', Uint8Array: 'uint8', Uint8ClampedArray: 'uint8',
  Int16Array: 'int16', Uint16Array: 'uint16', Int32Array: 'int32', Uint32Array: 'uint32', BigInt64Array: 'int64', BigUint64Array: 'uint64',
};

/** The types that plain arrays' elements stand for. @type {Record<string, DataType>} */
export const typeByElement = { number: 'float32', boolean: 'bool', bigint: 'int64', string: 'string' };

/** What plain arrays may have. @type {Partial<Record<DataType, string>>} */
export const ranges = {
  string: 'strings',
  float32: 'numbers up to 3.4e38', float64: 'numbers', float16: 'numbers', bool: 'true and false, 1 and 0',
  int8: 'whole numbers from -128 to 127', uint8: 'whole numbers from 0 to 255', int16: 'whole numbers from -32768 to 32767', uint16: 'whole numbers from 0 to 65535',
  int32: 'whole numbers from -2147483648 to 2147483647', uint32: 'whole numbers from 0 to 4294967295',
  int64: 'bigints from -2n ** 63n to 2n ** 63n - 1n, and whole numbers of up to 2 ** 53 - 1 in place of them', uint64: 'bigints from 0n to 2n ** 64n - 1n, and whole numbers up to 2 ** 53 - 1 in place of them',
};

/**
 * The type of data that comes without one.
 * @param {any} data
 * @returns {DataType}
 */
export function inferType(data) {
  if (ArrayBuffer.isView(data) && Object.hasOwn(typeByClass, tag(data))) return typeByClass[tag(data)];
  if (!Array.isArray(data)) throw notData(data, 'a type, a typed array, or a plain array', '');
  if (data.length === 0) throw new NormError("Tensor: the type of an empty plain array cannot be told: name it, as in new Tensor('float32', [], dims)");
  const type = typeByElement[typeof data[0]];
  if (type === undefined) throw element(data, 0, Array.isArray(data[0]) || ArrayBuffer.isView(data[0]) ? ': for nested arrays there is Tensor.from()' : ', want numbers, bigints, booleans or strings');
  return type;
}

/**
 * The array that holds a tensor's elements: the given one where its class is right.
 * @param {DataType} type
 * @param {any} data
 */
export function toArray(type, data) {
  if (type === 'string') {
    if (!Array.isArray(data)) throw notData(data, 'an array of strings', '');
    const wrong = data.findIndex((text) => typeof text !== 'string');
    if (wrong >= 0) throw element(data, wrong, ', want a string');
    return data;
  }
  const Class = arrayClass(type);
  if (ArrayBuffer.isView(data) && !is(data, 'DataView')) {
    const array = attached(/** @type {any} */ (data), 'Tensor: data');
    if (is(array, Class.name)) return array;
    const bits = type === 'float16' ? 'Float16Array' : type === 'uint8' || type === 'bool' ? 'Uint8ClampedArray' : '';
    if (is(array, bits)) return new Class(array.buffer, array.byteOffset, array.length);
    return convert(type, array, 'Tensor: data', 'data');
  }
  if (data === null || typeof data !== 'object' || !Number.isInteger(data.length)) throw notData(data, `a ${Class.name} or a plain array`, Class.name);
  return convert(type, data, 'Tensor: data', 'data');
}

/**
 * Elements in an array of a type's class. Of a plain array's numbers digits may be lost, which
 * numbers of JavaScript have more of than they are meant to; of a typed array's nothing.
 * @param {Exclude<DataType, 'string'>} type
 * @param {any} data
 * @param {string} name for errors
 * @param {string} variable what the caller may call it in his code
 */
export function convert(type, data, name, variable) {
  const Class = arrayClass(type);
  const typed = ArrayBuffer.isView(data);
  const digits = !typed || (type === 'float16' && /^Float/.test(tag(data)));
  const put = putter(type);
  const array = new Class(data.length);
  for (let i = 0; i < data.length; i++) {
    const value = data[i];
    if (!put(array, i, value, digits)) {
      const big = type === 'int64' || type === 'uint64';
      const map = !typed || big === (typeof value === 'bigint') ? '' : big ? ', (v) => BigInt(Math.trunc(v))' : ', Number';
      const how = typed ? `to convert it all the same, with what is lost: ${type === 'float16' ? `new Tensor('float16', Float32Array.from(${variable}${map}))` : `${Class.name}.from(${variable}${map})`}` : `${type} has ${ranges[type]}`;
      throw new NormError(`${name}[${i}] is ${shown(value)}, which ${type} does not have${typed ? ' exactly' : ''}: ${how}`);
    }
  }
  return array;
}

/**
 * What puts an element of whatever kind into an array of a type, and says whether the type has it.
 * @param {DataType} type
 * @returns {(array: any, i: number, value: any, digits: boolean) => boolean}
 */
export function putter(type) {
  if (type === 'string') {
    return (array, i, value) => {
      array[i] = value;
      return typeof value === 'string';
    };
  }
  const put = puts[type] ?? putNumber;
  return (array, i, value, digits) => {
    const kind = typeof value;
    return kind === 'number' || kind === 'bigint' ? put(array, i, value, digits) : kind === 'boolean' && put(array, i, Number(value), digits);
  };
}

/**
 * How types that are not whole numbers take an element; false if they cannot. (== compares
 * numbers with bigints by what they are worth.)
 * @type {Partial<Record<DataType, (array: any, i: number, value: number | bigint, digits: boolean) => boolean>>}
 */
const puts = {
  int64: putBig,
  uint64: putBig,
  float32: putFloat,
  float64: putFloat,
  float16(array, i, value, digits) {
    array[i] = toHalf(Number(value));
    return (digits && typeof value === 'number') || fromHalf(array[i]) == value;
  },
  bool(array, i, value) {
    array[i] = Number(value);
    return value == 0 || value == 1;
  },
};

/** @param {any} array @param {number} i @param {number | bigint} value */
function putNumber(array, i, value) {
  array[i] = Number(value);
  return array[i] == value;
}

/** @param {any} array @param {number} i @param {number | bigint} value @param {boolean} digits whether they may be lost */
function putFloat(array, i, value, digits) {
  array[i] = Number(value);
  if (array[i] == value || value !== value) return true;
  return digits && typeof value === 'number' && Number.isFinite(array[i]);
}

/** @param {any} array @param {number} i @param {number | bigint} value */
function putBig(array, i, value) {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) return false;
  const big = BigInt(value);
  array[i] = big;
  return array[i] === big;
}

/** @param {any} data */
function tag(data) {
  return data[Symbol.toStringTag];
}

/** @param {any} value */
function shown(value) {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : describe(value);
}

/**
 * @param {any[]} data
 * @param {number} i
 * @param {string} want
 */
function element(data, i, want) {
  return new NormError(`Tensor: data[${i}] is ${shown(data[i])}${want}`);
}

/**
 * @param {any} data
 * @param {string} want
 * @param {string} Class
 */
function notData(data, want, Class) {
  const hint = typeof data?.then === 'function' ? ': await it first'
    : data instanceof ArrayBuffer || data instanceof DataView ? `: make an array of it, as new ${Class || 'Float32Array'}(${data instanceof DataView ? 'view.buffer' : 'buffer'})` : '';
  return new NormError(`Tensor: data is ${describe(data)}, want ${want}${hint}`);
}
