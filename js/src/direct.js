// Calls whose operands and result are all in the module's memory: the operands are written
// to the frame as they are looked up, and no object is made. (An object would be small
// garbage, but while the engine collects garbage, making it takes longer than normalizing a
// small tensor.) The class Call handles everything else, mistakes included.
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
  const { i32 } = core.memory;
  if (value === undefined || value === null) {
    i32[at] = i32[at + 1] = i32[at + 2] = 0;
    return at + 3;
  }
  if (!(value instanceof Tensor) || value.core !== core || value.type !== 'float32') return no;
  i32[at] = value.handle;
  i32[at + 1] = 0;
  i32[at + 2] = value.size;
  return at + 3;
}

/**
 * Writes the shape, no axes, and epsilon.
 * @param {Core} core
 * @param {number} at
 * @param {readonly number[]} dims
 * @param {any} epsilon
 */
export function shape(core, at, dims, epsilon) {
  if (at === no || dims.length > 32) return no;
  at = core.writeList(at, dims);
  core.memory.i32[at] = -1;
  return put(core, at + 1, epsilon === undefined ? 1e-5 : epsilon);
}

/**
 * Writes an option that is a number.
 * @param {Core} core
 * @param {number} at
 * @param {any} value
 */
export function put(core, at, value) {
  return at === no || typeof value !== 'number' ? no : core.writeNumber(at, value);
}

/**
 * Writes the index among words of an option that is one; 0 when it is left out.
 * @param {Core} core
 * @param {number} at
 * @param {any} value
 * @param {readonly string[]} words
 * @param {number} first the index of the first word
 */
export function word(core, at, value, words, first) {
  if (value === undefined) return put(core, at, 0);
  const i = words.indexOf(value);
  return i < 0 ? no : put(core, at, i + first);
}

/**
 * Runs what is on the frame, if all of it is.
 * @param {Core} core
 * @param {number} at
 * @param {string} operation
 */
export function ran(core, at, operation) {
  if (at === no) return false;
  core.norm(operation);
  return true;
}
