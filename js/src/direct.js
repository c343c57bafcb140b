// Calls whose operands and result are all in the module's memory: the operands are written
// to the frame as they are looked up, and no object is made. (An object would be small
// garbage, but while the engine collects garbage, making it takes longer than normalizing a
// small tensor.) The class Call handles everything else, mistakes included.
import { maxRank, maxWhole } from './bridge.js';
import { running } from './runtime.js';
import { Tensor } from './tensor.js';

/** @typedef {import('./core.js').Core} Core */

/** In place of where the frame goes on: this is no direct call. */
const no = -1;

/**
 * The module, if x and out are in its memory.
 * @param {any} x
 * @param {any} options
 * @returns {Core | undefined}
 */
export function coreOf(x, options) {
  if (!(x instanceof Tensor) || typeof options !== 'object' || options === null) return undefined;
  const { core } = x;
  return core !== undefined && core === running() && options.shape === undefined && options.out instanceof Tensor ? core : undefined;
}

/**
 * Writes an operand at a place of the frame, and returns the next one.
 * @param {Core} core
 * @param {number} at
 * @param {any} value
 */
export function operand(core, at, value) {
  if (at === no) return no;
  if (value === undefined || value === null) return core.writePlace(at, 0, 0, 0);
  if (!(value instanceof Tensor) || value.core !== core || value.type !== 'float32') return no;
  return core.writePlace(at, value.handle, 0, value.size);
}

/**
 * Writes an operand that must not be left out.
 * @param {Core} core
 * @param {number} at
 * @param {any} value
 */
export function needed(core, at, value) {
  return value === undefined || value === null ? no : operand(core, at, value);
}

/**
 * Writes the shape, and no axes.
 * @param {Core} core
 * @param {number} at
 * @param {readonly number[]} dims
 */
export function shape(core, at, dims) {
  return at === no || dims.length > maxRank ? no : core.writeNoAxes(core.writeList(at, dims));
}

/**
 * Writes an option that is a number.
 * @param {Core} core
 * @param {number} at
 * @param {any} value
 * @param {number} otherwise where it is left out
 */
export function number(core, at, value, otherwise) {
  if (value === undefined) value = otherwise;
  return at === no || typeof value !== 'number' ? no : core.writeNumber(at, value);
}

/**
 * Writes an option that is a whole number.
 * @param {Core} core
 * @param {number} at
 * @param {any} value
 * @param {number} [otherwise] where it is left out; undefined: it must not be
 */
export function whole(core, at, value, otherwise) {
  if (value === undefined) value = otherwise;
  return at === no || !Number.isInteger(value) || Math.abs(value) > maxWhole ? no : core.writeNumber(at, value);
}

/**
 * Writes the number of an option that is a word.
 * @param {Core} core
 * @param {number} at
 * @param {any} value
 * @param {readonly (string | undefined)[]} words
 * @param {number} otherwise where it is left out
 */
export function word(core, at, value, words, otherwise) {
  const i = value === undefined ? otherwise : words.indexOf(value);
  return at === no || i === -1 ? no : core.writeNumber(at, i);
}

/**
 * Runs what is on the frame, if all of it is.
 * @param {Core} core
 * @param {number} at
 * @param {number} operation
 */
export function ran(core, at, operation) {
  if (at === no) return false;
  core.norm(operation);
  return true;
}
