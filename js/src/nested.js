// Tensors as nested arrays, and as text.
import { maxRank } from './bridge.js';
import { putter, ranges, typeByClass, typeByElement } from './elements.js';
import { NormError, ShapeError } from './errors.js';
import { fromHalf, toHalf } from './half.js';
import { arrayClass, attached } from './tensor.js';

/** @typedef {import('../index.js').DataType} DataType */

/**
 * The type, dimensions and elements of nested arrays.
 * @param {any} nested
 * @param {DataType | undefined} given
 */
export function flatten(nested, given) {
  /** @type {number[]} */
  const dims = [];
  let first = nested;
  /** @type {DataType | undefined} */
  let ofArray;
  while (isList(first)) {
    // A list that is nested deeper may contain itself.
    if (dims.push(first.length) > maxRank) throw new ShapeError(`Tensor.from: the arrays are nested more than ${maxRank} deep`);
    ofArray = typeByClass[first[Symbol.toStringTag]];
    first = first[0];
  }
  /** @type {any[]} */
  const elements = [];
  collect(nested, dims, 0, [], elements);
  const type = given ?? ofArray ?? typeByElement[typeof first] ?? 'float32';
  return { type, dims, data: convert(elements, type, given === undefined, dims) };
}

/**
 * Appends all elements of value, which is what path leads to.
 * @param {any} value
 * @param {readonly number[]} dims
 * @param {number} level
 * @param {number[]} path
 * @param {any[]} elements
 */
function collect(value, dims, level, path, elements) {
  const like = `[${'0'.repeat(level).split('').join('][')}]`;
  if (level === dims.length) {
    if (isList(value)) throw new ShapeError(`Tensor.from: ${place(path)} is an array of ${value.length}, want an element as at ${like}`);
    elements.push(value);
    return;
  }
  if (!isList(value)) throw new ShapeError(`Tensor.from: ${place(path)} is ${describe(value)}, want an array of ${dims[level]} as at ${like}`);
  if (!Array.isArray(value)) attached(value, `Tensor.from: ${place(path)}`);
  if (value.length !== dims[level]) throw new ShapeError(`Tensor.from: ${place(path)} has ${value.length} elements, want ${dims[level]} as at ${like}`);
  for (let i = 0; i < value.length; i++) {
    path[level] = i;
    collect(value[i], dims, level + 1, path, elements);
  }
  path.length = level;
}

/**
 * The elements in an array of the type's class, as new Tensor(type, elements) takes them; where the
 * first one says the type, the others are of its kind.
 * @param {any[]} elements
 * @param {DataType} type
 * @param {boolean} inferred
 * @param {readonly number[]} dims
 */
function convert(elements, type, inferred, dims) {
  const array = type === 'string' ? new Array(elements.length) : new /** @type {any} */ (arrayClass(type))(elements.length);
  const put = putter(type);
  for (let i = 0; i < elements.length; i++) {
    const element = elements[i];
    if (inferred && typeof element !== typeof elements[0]) {
      throw new NormError(`Tensor.from: ${place(unravel(i, dims))} is ${describe(element)}, want a ${typeof elements[0]} as the first element is (or name a type: Tensor.from(nested, type))`);
    }
    if (!put(array, i, element, true)) {
      throw new NormError(`Tensor.from: ${place(unravel(i, dims))} is ${describe(element)}, which ${type} does not have: ${type} has ${ranges[type]}`);
    }
  }
  return array;
}

/** @param {any} value */
function isList(value) {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

/** @param {readonly number[]} path */
function place(path) {
  return path.length === 0 ? 'the value' : `[${path.join('][')}]`;
}

/**
 * The indices of element i.
 * @param {number} i
 * @param {readonly number[]} dims
 */
function unravel(i, dims) {
  const path = [];
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    path.unshift(i % dims[axis]);
    i = Math.floor(i / dims[axis]);
  }
  return path;
}

/** @param {any} value */
function describe(value) {
  if (typeof value === 'string') return shown(value);
  if (value === null || typeof value !== 'object') return typeof value === 'function' || typeof value === 'symbol' ? `a ${typeof value}` : String(value);
  return `an object of class ${value.constructor?.name ?? 'null'}`;
}

/**
 * Elements as nested arrays, one that is alone as itself.
 * @param {DataType} type
 * @param {ArrayLike<any>} data
 * @param {readonly number[]} dims
 */
export function nest(type, data, dims) {
  const value = decoder(type);
  let at = 0;
  /** @param {number} axis @returns {any} */
  const build = (axis) => (axis === dims.length ? value(data[at++]) : Array.from({ length: dims[axis] }, () => build(axis + 1)));
  return build(0);
}

/**
 * What makes an element's value of what its array holds.
 * @param {DataType} type
 * @returns {(element: any) => any}
 */
function decoder(type) {
  if (type === 'float16') return fromHalf;
  if (type === 'bool') return (element) => element !== 0;
  return (element) => element;
}

// As text.

/** A tensor of more elements is shown in part. */
const manyElements = 100;
/** How many elements at each end of an axis then are: of the last two axes and of those around them. */
const [inner, outer] = [3, 1];
/** What is longer than this many characters is broken into lines. */
const lineLength = 100;

/**
 * A tensor's type, dimensions, place and elements.
 * @param {import('./tensor.js').Tensor} tensor
 * @param {boolean} [elements] false: without them
 */
export function show(tensor, elements = true) {
  const { type, dims, size } = tensor;
  let head = `Tensor ${type} [${dims.join(', ')}]`;
  if (tensor.location === 'wasm') head += ' wasm';
  let data;
  try {
    ({ data } = tensor);
  } catch {
    return `${head} disposed`;
  }
  if (!elements) return head;
  if (data.length !== size) return `${head} detached`;
  const line = text(tensor, data, () => ' ');
  if (head.length + 1 + line.length <= lineLength) return `${head} ${line}`;
  return `${head}\n${text(tensor, data, (axis) => (axis === dims.length - 1 ? ' ' : `\n${' '.repeat(axis + 1)}`))}`;
}

/**
 * The elements in brackets.
 * @param {{ type: DataType, dims: readonly number[], size: number }} tensor
 * @param {ArrayLike<any>} data
 * @param {(axis: number) => string} space between two along an axis
 */
function text({ type, dims, size }, data, space) {
  const value = decoder(type);
  /** @param {number} axis @param {number} at @param {number} span @returns {string} */
  const part = (axis, at, span) => {
    if (axis === dims.length) return shown(value(data[at]), type);
    const length = dims[axis];
    const step = span / length;
    const ends = axis < dims.length - 2 ? outer : inner;
    const parts = [];
    for (let i = 0; i < length; i++) {
      if (i === ends && size > manyElements && length > 2 * ends) {
        parts.push('...');
        i = length - ends;
      }
      parts.push(part(axis + 1, at + i * step, step));
    }
    return `[${parts.join(`,${space(axis)}`)}]`;
  };
  return part(0, 0, size);
}

/**
 * An element with as few digits as tell it from others of its type.
 * @param {any} value
 * @param {DataType} [type]
 */
function shown(value, type) {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (Object.is(value, -0)) return '-0';
  if (!Number.isFinite(value) || (type !== 'float32' && type !== 'float16')) return String(value);
  const same = type === 'float32' ? Math.fround : (/** @type {number} */ v) => fromHalf(toHalf(v));
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (same(short) === value) return String(short);
  }
  return String(Number(value.toPrecision(9)));
}
