// A call of one of the module's operations. Go validates it as a whole; what only
// JavaScript can tell (classes, detached arrays, disposed tensors) is checked here.
import { maxRank, maxWhole } from './bridge.js';
import { NormError, ShapeError, UnsupportedError } from './errors.js';
import { convert } from './elements.js';
import { live } from './runtime.js';
import { Tensor, attached, checkDims, describe, is, overlap, quote, resident } from './tensor.js';

/** @typedef {import('./core.js').Core} Core */

/** An axis is an int32 on the frame. */
const maxAxis = 0x7fffffff;

/**
 * One call on its way: operands are collected, plain arrays are copied into the
 * scratch slab side by side, everything is written on the frame, and what the
 * module computed is copied back. The result replaces x in the scratch slab, so
 * that no more memory than needed passes through the cache. In which order
 * operands and options come, frames.js says.
 */
export class Call {
  /** Arrays to copy into scratch, each with its offset there in elements. @type {[Float32Array, number][]} */
  #sources = [];
  /** Arrays that nobody but the caller has. @type {unknown[] | undefined} */
  #own;
  /** Arrays to copy out of scratch, with what errors call them ('' for own ones). @type {[Float32Array, number, string][]} */
  #results = [];
  /** Handle, offset and count of each operand, y's first; handle -1 stands for scratch. @type {number[]} */
  #operands = [0, 0, 0];
  /** Where in scratch a result is that the call makes an array of; -1 for none. */
  #fresh = -1;
  /** Of the latest resident operand. */
  #handle = 0;
  /** Whether the result is a resident tensor that this call made. */
  #owned = false;
  /** Elements of scratch. */
  #elements = 0;
  #at = 0;

  /**
   * @param {string} name for errors
   * @param {any} x the operand whose kind the result is of
   * @param {any} options whose names are checked
   * @param {string} [operand] what errors call x
   */
  constructor(name, x, options, operand = 'x') {
    this.name = name;
    this.options = options;
    this.x = x;
    /** @type {Core} */
    this.core = live(name);
    const { shape } = options;
    if (x === undefined || x === null) throw new NormError(`${name}: ${operand} is ${x}, want a Float32Array or a Tensor`);
    this.operand(operand, x);
    if (!(x instanceof Tensor)) {
      this.shape = shape === undefined ? [x.length] : checkDims(shape, `${name}: shape`);
    } else if (shape === undefined) {
      this.shape = x.dims;
    } else {
      throw new NormError(`${name}: ${operand} is a tensor [${x.dims.join(' ')}] and has its shape; the option shape goes with a Float32Array`);
    }
  }

  /**
   * Takes an array for one that nobody but the caller has. Such a one needs no checks, and these take long: asked
   * for its buffer, a small array is given one.
   * @template T
   * @param {T} array
   * @returns {T}
   */
  own(array) {
    (this.#own ??= []).push(array);
    return array;
  }

  /**
   * Adds an operand.
   * @param {string} name
   * @param {any} value
   * @param {boolean} [receives] whether the module writes it
   */
  operand(name, value, receives = false) {
    if (value === undefined || (value === null && this.#operands.length > 3)) {
      this.#operands.push(0, 0, 0);
      return;
    }
    if (this.#own !== undefined && this.#own.includes(value)) {
      this.#array(value, !receives, receives, '');
      return;
    }
    const array = this.#arrayOf(name, value, receives);
    if (array === undefined) this.#operands.push(this.#handle, 0, value.size);
    else this.#array(array, !receives, receives, name);
  }

  /**
   * Adds an operand that is no option.
   * @param {string} name
   * @param {any} value
   */
  needed(name, value) {
    if (value === undefined || value === null) throw new NormError(`${this.name}: ${name} is missing`);
    this.operand(name, value);
  }

  /**
   * Adds an operand that receives elements.
   * @param {string} name
   * @param {any} value
   */
  output(name, value) {
    this.operand(name, value, true);
  }

  /**
   * Adds an array that a layer has checked, which the module reads and, where it learns, writes.
   * @param {string} name
   * @param {Float32Array} array
   * @param {boolean} [learns]
   */
  learnt(name, array, learns = true) {
    this.#array(this.#held(name, array, learns), true, learns, name);
  }

  /**
   * Adds an array of float64 that a layer has checked, as one of float32 of twice the length.
   * @param {string} name
   * @param {Float64Array | undefined} array
   * @param {boolean} [receives] whether the module writes it as well
   */
  doubles(name, array, receives = false) {
    if (array === undefined) this.#operands.push(0, 0, 0);
    else this.#array(this.#held(name, new Float32Array(array.buffer, array.byteOffset, array.length * 2), receives), true, receives, name);
  }

  /**
   * @param {string} name
   * @param {Float32Array} array
   * @param {boolean} receives
   */
  #held(name, array, receives) {
    if (receives && this.core.memory.owns(array)) throw new NormError(`${this.name}: ${name} is a view of the module's memory, want an array outside of it`);
    return this.core.memory.outside(array);
  }

  /**
   * @param {Float32Array} array
   * @param {boolean} reads
   * @param {boolean} receives
   * @param {string} name
   */
  #array(array, reads, receives, name) {
    const offset = this.#reserve(array.length);
    this.#operands.push(-1, offset, array.length);
    if (reads) this.#sources.push([array, offset]);
    if (receives) this.#receive(array, offset, name);
  }

  /**
   * Adds an array to copy a result into, which must not overlap another: the
   * later one would overwrite the earlier.
   * @param {Float32Array} array
   * @param {number} offset
   * @param {string} name
   */
  #receive(array, offset, name) {
    if (name !== '') {
      for (const [other, , before] of this.#results) {
        if (before !== '' && overlap(array, other)) throw new NormError(`${this.name}: ${name} and ${before} are the same memory, and each receives a result`);
      }
    }
    this.#results.push([array, offset, name]);
  }

  /**
   * The array of an operand on the cpu; undefined for one that is resident, whose
   * handle it leaves.
   * @param {string} name
   * @param {any} value
   * @param {boolean} receives
   * @returns {Float32Array | undefined}
   */
  #arrayOf(name, value, receives) {
    let array = value;
    if (value instanceof Tensor) {
      if (value.type !== 'float32') throw new UnsupportedError(`${this.name}: ${name} is a tensor of ${value.type}, want float32${receives || value.type === 'string' ? '' : `: new Tensor('float32', ${value.type === 'float16' ? `${name}.toArray().flat(Infinity)` : `${name}.data`}, ${name}.dims) is one, where nothing is lost`}`);
      const storage = value.storage(this.name, name);
      if (storage !== undefined) {
        if (storage.core !== this.core) throw new NormError(`${this.name}: ${name} belongs to another runtime`);
        this.#handle = storage.handle;
        return undefined;
      }
    }
    const what = `${this.name}: ${name}`;
    if (value instanceof Tensor) {
      array = attached(value.data, what, value.size);
    } else if (value instanceof Float32Array || (ArrayBuffer.isView(value) && is(value, 'Float32Array'))) {
      attached(/** @type {Float32Array} */ (value), what);
    } else if (!receives && ArrayBuffer.isView(value) && !is(value, 'DataView')) {
      return convert('float32', attached(/** @type {any} */ (value), what), what, name);
    } else {
      const how = Array.isArray(value) && !receives ? `: Float32Array.from(${name}) makes one` : typeof value?.then === 'function' ? ': await it first' : '';
      throw new NormError(`${what} is ${describe(value)}, want a Float32Array or a Tensor${how}`);
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

  /**
   * Finds the result's place, copies the arrays in and writes the operands, the
   * shape and the axes on the frame.
   * @param {readonly number[]} [axes]
   */
  begin(axes) {
    const { core, x, options } = this;
    const [, , , handle, offset, count] = this.#operands;
    const given = options.out ?? undefined;
    if (given === undefined && handle === -1) {
      // The new array is made of what stands in scratch after the call.
      this.#fresh = offset;
      this.#place(-1, offset, count);
    } else {
      this.#owned = given === undefined;
      this.result = this.#owned ? resident(core, 'float32', x.dims) : given;
      const array = this.#arrayOf('out', this.result, true);
      if (array === undefined) {
        this.#place(this.#handle, 0, this.result.size);
      } else {
        const inPlace = handle === -1 && array.length === count;
        const at = inPlace ? offset : this.#reserve(array.length);
        this.#place(-1, at, array.length);
        this.#receive(array, at, 'out');
      }
    }
    return this.#write(axes);
  }

  /**
   * Sets y's place.
   * @param {number} handle
   * @param {number} offset
   * @param {number} count
   */
  #place(handle, offset, count) {
    const operands = this.#operands;
    operands[0] = handle;
    operands[1] = offset;
    operands[2] = count;
  }

  /** As begin, for an operation without a result of x's kind. */
  beginWithout() {
    this.#operands.splice(0, 3);
    return this.#write();
  }

  /** @param {readonly number[]} [axes] */
  #write(axes) {
    const { core } = this;
    const operands = this.#operands;
    const scratch = core.scratch(this.#elements * 4);
    const base = core.scratchAddress >>> 2;
    const { f32, i32 } = core.memory;
    for (const [source, at] of this.#sources) f32.set(source, base + at);
    let { frame } = core;
    for (let i = 0; i < operands.length; i += 3) {
      i32[frame++] = operands[i] === -1 ? scratch : operands[i];
      i32[frame++] = operands[i + 1];
      i32[frame++] = operands[i + 2];
    }
    this.#at = frame;
    this.#list(this.shape);
    if (axes === undefined) this.#at = core.writeNoAxes(this.#at);
    else this.#list(axes);
    return this;
  }

  /** @param {readonly number[]} values */
  #list(values) {
    if (values.length > maxRank) throw this.#discard(new ShapeError(`${this.name}: ${values.length} dimensions, want at most ${maxRank}`));
    this.#at = this.core.writeList(this.#at, values);
  }

  /**
   * Writes an option on the frame.
   * @param {number} value
   */
  put(value) {
    this.#at = this.core.writeNumber(this.#at, value);
    return this;
  }

  /**
   * An option that is a number.
   * @param {string} name
   * @param {any} value
   * @param {number} otherwise where it is left out
   * @returns {number}
   */
  number(name, value, otherwise) {
    if (value === undefined) return otherwise;
    if (typeof value !== 'number') throw new NormError(`${this.name}: ${name} is ${describe(value)}, want a number`);
    return value;
  }

  /**
   * An option that is a whole number.
   * @param {string} name
   * @param {any} value
   * @param {number} [otherwise] where it is left out; undefined: it must not be
   */
  whole(name, value, otherwise) {
    if (value !== undefined) return this.#whole(value, name, maxWhole);
    if (otherwise === undefined) throw new NormError(`${this.name}: ${name} is missing`);
    return otherwise;
  }

  /**
   * An option that is true or false, as 1 or 0.
   * @param {string} name
   * @param {any} value
   * @param {number} otherwise where it is left out
   */
  flag(name, value, otherwise) {
    if (value === undefined) return otherwise;
    if (typeof value !== 'boolean') throw new NormError(`${this.name}: ${name} is ${describe(value)}, want true or false`);
    return Number(value);
  }

  /**
   * The number of an option that is a word.
   * @param {string} name
   * @param {any} value
   * @param {readonly (string | undefined)[]} words
   * @param {number} otherwise where it is left out
   */
  word(name, value, words, otherwise) {
    if (value === undefined) return otherwise;
    const i = words.indexOf(value);
    if (i < 0) throw new NormError(`${this.name}: ${name} is ${quote(value)}, want ${words.filter(Boolean).map((w) => `'${w}'`).join(' or ')}`);
    return i;
  }

  /**
   * The option axes; undefined when it is left out.
   * @param {any} axes
   */
  axes(axes) {
    if (axes === undefined) return undefined;
    const list = Array.isArray(axes) || (ArrayBuffer.isView(axes) && !is(axes, 'DataView'));
    if (!list) throw new NormError(`${this.name}: axes is ${describe(axes)}, want an array of whole numbers${Number.isInteger(axes) ? `, as in [${axes}]` : ''}`);
    /** @type {readonly number[]} */
    const all = /** @type {any} */ (axes);
    for (let i = 0; i < all.length; i++) {
      if (!Number.isInteger(all[i]) || Math.abs(all[i]) > maxAxis) this.#whole(all[i], `axes[${i}]`, maxAxis);
    }
    return all;
  }

  /**
   * @param {unknown} value
   * @param {string} name
   * @param {number} most
   */
  #whole(value, name, most) {
    if (typeof value !== 'number') throw new NormError(`${this.name}: ${name} is ${describe(value)}, want a whole number`);
    if (!Number.isInteger(value) || Math.abs(value) > most) throw new ShapeError(`${this.name}: ${name} is ${value}, want a whole number`);
    return value;
  }

  /**
   * Lets go of a result that the call failed to fill.
   * @template E
   * @param {E} error
   */
  #discard(error) {
    if (this.#owned) this.result.dispose();
    return error;
  }

  /**
   * Runs the call and copies the results out.
   * @param {number} operation
   */
  run(operation) {
    const { core } = this;
    try {
      core.norm(operation);
    } catch (error) {
      throw this.#discard(error);
    }
    const base = core.scratchAddress >>> 2;
    const { f32 } = core.memory;
    for (const [array, at] of this.#results) array.set(f32.subarray(base + at, base + at + array.length));
    if (this.#fresh < 0) return this.result; // undefined without one
    const y = f32.slice(base + this.#fresh, base + this.#fresh + this.#operands[2]);
    return this.x instanceof Tensor ? new Tensor('float32', y, this.x.dims) : y;
  }
}
