// What all layers have, and the checks of what they are given.
import { maxBytes } from './bridge.js';
import { Call } from './call.js';
import { DisposedError, NormError, ShapeError } from './errors.js';
import { checkOptions } from './options.js';
import { Tensor, attached, describe, is, overlap, product, quote } from './tensor.js';

/** @typedef {import('./core.js').Core} Core */
/** @typedef {{ x: any, shape: readonly number[], core: Core, [statistics: string]: any }} Saved */

/** What all layers have: the latest forward pass, and an end. */
export class Layer {
  /** Of the latest forward pass. @type {Saved | undefined} */ #saved;
  /** Why there is none. */
  #missing = 'there was no forward';
  #disposed = false;

  /** @param {string} name */
  constructor(name) {
    this._name = name;
    Object.defineProperty(this, '_name', { enumerable: false, writable: false });
  }

  /**
   * @param {Call} call a forward pass that is set up
   * @param {() => any} run
   * @param {object} statistics and what else the gradients need
   */
  _forward(call, run, statistics) {
    const y = run();
    this.#saved = { x: call.x, shape: call.shape, core: call.core, ...statistics };
    this._written(call.options.out, 'the latest forward');
    return y;
  }

  /** @param {string} what */
  _alive(what) {
    if (this.#disposed) throw new DisposedError(`${this._name}.${what}: the layer was disposed`);
  }

  /**
   * A call for gradients of the latest forward.
   * @param {any} dy
   * @param {any} options
   * @param {string} [what]
   */
  _gradient(dy, options, what = 'backward') {
    this._alive(what);
    const name = `${this._name}.${what}`;
    const saved = this.#saved;
    if (saved === undefined) throw new NormError(`${name}: ${this.#missing}`);
    saved.core.check();
    if (what === 'backward') checkOptions(name, options);
    if (dy instanceof Tensor && dy.dims.join() !== saved.shape.join()) {
      throw new ShapeError(`${name}: dy is [${dy.dims.join(' ')}], want [${saved.shape.join(' ')}] as x`);
    }
    const call = new Call(name, dy, { out: options.out, shape: dy instanceof Tensor ? undefined : saved.shape }, 'dy');
    if (!(dy instanceof Tensor) && dy.length !== product(saved.shape)) {
      throw new ShapeError(`${name}: dy has ${dy.length} elements, want ${product(saved.shape)} (x [${saved.shape.join(' ')}])`);
    }
    return { call, saved };
  }

  /**
   * Forgets a pass whose x, or scale where that came with it, is written over.
   * @param {any} out
   * @param {string} [pass] which did it
   */
  _written(out, pass = 'an earlier backward') {
    for (const name of ['x', 'scale']) {
      if (this.#saved?.[name] && shares(out, this.#saved[name])) this._forget(`${pass} wrote its result over ${name}`);
    }
  }

  /** @param {string} why */
  _forget(why) {
    this.#saved = undefined;
    this.#missing = why;
  }

  dispose() {
    this.#disposed = true;
    this._forget('');
  }

  [Symbol.dispose ?? Symbol.for('Symbol.dispose')]() {
    this.dispose();
  }
}

/**
 * Whether a result lies in an operand's memory.
 * @param {any} out
 * @param {any} x
 * @returns {boolean}
 */
function shares(out, x) {
  if (out === undefined || out === null) return false;
  if (out === x) return true;
  return overlap(out instanceof Tensor ? out.data : out, x instanceof Tensor ? x.data : x);
}

/**
 * An array that whoever holds the layer may have replaced.
 * @template {Float32Array | Float64Array} [A=Float32Array]
 * @param {any} array
 * @param {string} name
 * @param {number} size
 * @param {string} [Class]
 * @returns {A}
 */
export function checkArray(array, name, size, Class = 'Float32Array') {
  if (!(ArrayBuffer.isView(array) && is(array, Class))) throw new NormError(`${name} is ${describe(array)}, want a ${Class}`);
  const { length } = attached(/** @type {any} */ (array), name);
  if (length !== size) throw new ShapeError(`${name} has ${length} elements, want ${size}`);
  return /** @type {any} */ (array);
}

/**
 * @param {any} value
 * @param {string} name
 */
export function object(value, name) {
  if (value === null || typeof value !== 'object') throw new NormError(`${name}: options is ${describe(value)}, want an object`);
}

/**
 * @param {any} value
 * @param {string} name
 * @param {boolean} otherwise
 * @param {string} option
 * @returns {boolean}
 */
export function flag(value, name, otherwise, option) {
  if (value === undefined) return otherwise;
  if (typeof value !== 'boolean') throw new NormError(`${name}: ${option} is ${describe(value)}, want true or false`);
  return value;
}

/**
 * @param {any} value
 * @param {readonly string[]} words
 * @param {string} name
 * @returns {string | undefined}
 */
export function word(value, words, name) {
  if (value !== undefined && !words.includes(value)) throw new NormError(`${name} is ${quote(value)}, want ${words.map((w) => `'${w}'`).join(' or ')}`);
  return value;
}

/**
 * @param {any} value
 * @param {string} name
 * @param {string} [option]
 * @returns {number | undefined}
 */
export function checkEpsilon(value, name, option = 'epsilon') {
  if (value !== undefined && (typeof value !== 'number' || !(value >= 0 && value < Infinity))) {
    throw new NormError(`${name}: ${option} is ${typeof value === 'number' ? value : describe(value)}, want a finite number of at least 0`);
  }
  return value;
}

/**
 * @param {any} value
 * @param {string} name
 * @returns {number}
 */
export function checkFeatures(value, name) {
  if (checkWhole(value, name, 'features') < 0) throw new ShapeError(`${name}: features is ${value}, want a whole number of at least 0`);
  return checkSize(value, `${name}: features`);
}

/**
 * Refuses a number of elements that no array can have.
 * @param {number} size
 * @param {string} name
 */
export function checkSize(size, name) {
  if (size > maxBytes / Float32Array.BYTES_PER_ELEMENT) throw new ShapeError(`${name}: ${size} are more than memory can hold`);
  return size;
}

/**
 * @param {any} value
 * @param {string} name
 * @param {string} option
 * @returns {number}
 */
export function checkWhole(value, name, option) {
  if (typeof value !== 'number') throw new NormError(`${name}: ${option} is ${describe(value)}, want a whole number`);
  if (!Number.isInteger(value)) throw new ShapeError(`${name}: ${option} is ${value}, want a whole number`);
  return value;
}
