// The normalizations. Go validates a call as a whole; what only JavaScript can
// tell (classes, detached arrays, disposed tensors) is checked here.
import { NormError, ShapeError, UnsupportedError } from './errors.js';
import { live } from './runtime.js';
import { Tensor, attached, checkDims, describe, is, resident } from './tensor.js';

/** @typedef {import('./core.js').Core} Core */

const defaultEpsilon = 1e-5;

/**
 * y = scale·(x − mean)/√(var + ε) + bias over `axes`.
 * @param {any} x
 * @param {any} [options]
 */
export function layerNorm(x, options = {}) {
  const call = new Call('layerNorm', x, options);
  call.operand('scale');
  call.operand('bias');
  call.operand('residual');
  call.operand('mean', true);
  call.operand('invStdDev', true);
  const axes = options.axes === undefined ? undefined : call.integers(options.axes, 'axes');
  call.begin();
  call.list(call.shape);
  if (axes === undefined) call.int(-1);
  else call.list(axes);
  return call.run();
}

/**
 * Inference: y = scale·(x − mean)/√(variance + ε) + bias for each channel.
 * @param {any} x
 * @param {any} options
 */
export function batchNorm(x, options) {
  if (options === undefined || options === null) throw new NormError('batchNorm: options are missing; mean and variance are needed');
  const { layout = 'nchw', axis, activation } = options;
  const call = new Call('batchNorm', x, options);
  if (layout !== 'nchw' && layout !== 'nhwc') throw new NormError(`batchNorm: layout is ${JSON.stringify(layout)}, want 'nchw' or 'nhwc'`);
  const clamp = activation === undefined ? 0 : ['relu', 'relu6'].indexOf(activation) + 1;
  if (activation !== undefined && clamp === 0) throw new NormError(`batchNorm: activation is ${JSON.stringify(activation)}, want 'relu' or 'relu6'`);
  for (const name of ['mean', 'variance']) {
    if (options[name] === undefined || options[name] === null) throw new NormError(`batchNorm: ${name} is missing`);
  }
  call.operand('scale');
  call.operand('bias');
  call.operand('mean');
  call.operand('variance');
  const channels = axis === undefined ? 0 : call.integer(axis, 'axis');
  call.begin();
  call.list(call.shape);
  call.int(axis === undefined ? (layout === 'nchw' ? 0 : 1) : 2);
  call.int(channels);
  call.int(clamp);
  return call.run();
}

/**
 * One call on its way: operands are collected, plain arrays are copied into the
 * scratch slab side by side, everything is written on the frame, and what the
 * module computed is copied back. The result replaces x in the scratch slab, so
 * that no more memory than needed passes through the cache.
 */
class Call {
  /** Arrays to copy into scratch, each with its offset there in elements. @type {[Float32Array, number][]} */
  #sources = [];
  /** Arrays to copy out of scratch. @type {[Float32Array, number][]} */
  #results = [];
  /** Handle, offset and count of each operand, y's first; handle -1 stands for scratch. @type {number[]} */
  #operands = [0, 0, 0];
  /** Where in scratch a result is that the call makes an array of; -1 for none. */
  #fresh = -1;
  /** Whether the result is a resident tensor that this call made. */
  #owned = false;
  /** Elements of scratch. */
  #elements = 0;
  #at = 0;

  /**
   * @param {'layerNorm' | 'batchNorm'} name
   * @param {any} x
   * @param {any} options
   */
  constructor(name, x, options) {
    this.name = name;
    this.options = options;
    this.x = x;
    /** @type {Core} */
    this.core = live(name);
    const { epsilon = defaultEpsilon, shape } = options;
    if (typeof epsilon !== 'number') throw new NormError(`${name}: epsilon is ${describe(epsilon)}, want a number`);
    this.epsilon = epsilon;
    this.operand('x', false, x ?? null);
    if (!(x instanceof Tensor)) {
      this.shape = shape === undefined ? [x.length] : checkDims(shape, `${name}: shape`);
    } else if (shape === undefined) {
      this.shape = x.dims;
    } else {
      throw new NormError(`${name}: x is a tensor [${x.dims.join(' ')}] and has its shape; the option shape goes with a Float32Array`);
    }
  }

  /**
   * Adds the operand of this option's name.
   * @param {string} name
   * @param {boolean} [receives] whether the module writes it
   * @param {any} [value]
   */
  operand(name, receives = false, value = this.options[name]) {
    if (value === undefined || (value === null && name !== 'x')) {
      this.#operands.push(0, 0, 0);
      return;
    }
    const array = this.#arrayOf(name, value, receives);
    if (array === undefined) {
      this.#operands.push(value.storage(name).handle, 0, value.size);
      return;
    }
    const offset = this.#reserve(array.length);
    this.#operands.push(-1, offset, array.length);
    (receives ? this.#results : this.#sources).push([array, offset]);
  }

  /**
   * The array of an operand on the cpu; undefined for one that is resident.
   * @param {string} name
   * @param {any} value
   * @param {boolean} receives
   * @returns {Float32Array | undefined}
   */
  #arrayOf(name, value, receives) {
    const what = `${this.name}: ${name}`;
    let array = value;
    if (value instanceof Tensor) {
      if (value.type !== 'float32') throw new UnsupportedError(`${what} is a tensor of ${value.type}, want float32`);
      const storage = value.storage(what);
      if (storage !== undefined) {
        if (storage.core !== this.core) throw new NormError(`${what} belongs to another runtime`);
        return undefined;
      }
      array = attached(value.data, what, value.size);
    } else if (value instanceof Float32Array || (ArrayBuffer.isView(value) && is(value, 'Float32Array'))) {
      attached(/** @type {Float32Array} */ (value), what);
    } else {
      throw new NormError(`${what} is ${describe(value)}, want a Float32Array or a Tensor`);
    }
    if (receives && this.core.memory.owns(array)) throw new NormError(`${what} is a view of the module's memory: pass the tensor itself`);
    return this.core.memory.outside(array);
  }

  /**
   * Room for so many elements in scratch, aligned to a cache line.
   * @param {number} count
   */
  #reserve(count) {
    const offset = this.#elements;
    this.#elements += Math.ceil(count / 16) * 16;
    return offset;
  }

  /** Finds the result's place, copies the arrays in and writes the operands on the frame. */
  begin() {
    const { core, x, options } = this;
    const [, , , handle, offset, count] = this.#operands;
    const given = options.out ?? undefined;
    if (given === undefined && handle === -1) {
      // The new array is made of what stands in scratch after the call.
      this.#fresh = offset;
      this.#operands.splice(0, 3, -1, offset, count);
    } else {
      this.#owned = given === undefined;
      this.result = this.#owned ? resident(core, 'float32', x.dims) : given;
      const array = this.#arrayOf('out', this.result, true);
      if (array === undefined) {
        this.#operands.splice(0, 3, this.result.storage('out').handle, 0, this.result.size);
      } else {
        const inPlace = handle === -1 && array.length === count;
        const at = inPlace ? offset : this.#reserve(array.length);
        this.#operands.splice(0, 3, -1, at, array.length);
        this.#results.push([array, at]);
      }
    }

    const scratch = core.scratch(this.#elements * 4);
    const base = core.scratchAddress >>> 2;
    const { f32, i32 } = core.memory;
    for (const [source, at] of this.#sources) f32.set(source, base + at);
    for (let i = 0; i < this.#operands.length; i++) {
      i32[core.frame + i] = this.#operands[i] === -1 && i % 3 === 0 ? scratch : this.#operands[i];
    }
    this.#at = core.frame + this.#operands.length;
  }

  /** @param {number} value */
  int(value) {
    this.core.memory.i32[this.#at++] = value;
  }

  /** @param {readonly number[]} values */
  list(values) {
    if (values.length > 32) throw new ShapeError(`${this.name}: ${values.length} dimensions, want at most 32`);
    this.int(values.length);
    for (const value of values) this.int(value);
  }

  /**
   * @param {unknown} value
   * @param {string} name
   */
  integer(value, name) {
    if (typeof value !== 'number') throw new NormError(`${this.name}: ${name} is ${describe(value)}, want a whole number`);
    if (!Number.isInteger(value) || Math.abs(value) > 0x7fffffff) throw new ShapeError(`${this.name}: ${name} is ${value}, want a whole number`);
    return value;
  }

  /**
   * @param {any} values
   * @param {string} name
   */
  integers(values, name) {
    if (!Array.isArray(values)) throw new NormError(`${this.name}: ${name} is ${describe(values)}, want an array of whole numbers`);
    return values.map((value, i) => this.integer(value, `${name}[${i}]`));
  }

  /** Runs the call and copies the results out. */
  run() {
    const { core } = this;
    try {
      core.call(this.name, this.epsilon);
    } catch (error) {
      if (this.#owned) this.result.dispose();
      throw error;
    }
    const base = core.scratchAddress >>> 2;
    const { f32 } = core.memory;
    for (const [array, at] of this.#results) array.set(f32.subarray(base + at, base + at + array.length));
    if (this.#fresh < 0) return this.result;
    const y = f32.slice(base + this.#fresh, base + this.#fresh + this.#operands[2]);
    return this.x instanceof Tensor ? new Tensor('float32', y, this.x.dims) : y;
  }
}
