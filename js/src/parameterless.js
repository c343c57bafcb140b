// Layers that learn nothing themselves: what scales them, if anything does, is an operand.
import { Call } from './call.js';
import { NormError, ShapeError } from './errors.js';
import * as frames from './frames.js';
import { Layer, checkArray, checkEpsilon, checkFeatures, checkSize, checkWhole } from './layer.js';
import { checkOptions } from './options.js';
import { Tensor, checkDims, describe, product } from './tensor.js';

/** LayerNorm whose scale and shift come with each example. */
export class AdaptiveLayerNorm extends Layer {
  #features;
  #epsilon;

  /** @param {any} options */
  constructor(options) {
    const name = 'AdaptiveLayerNorm';
    checkOptions(name, options);
    super(name);
    this.#features = checkFeatures(options.features, name);
    this.#epsilon = checkEpsilon(options.epsilon, name);
  }

  /**
   * @param {any} x
   * @param {any} [options]
   */
  forward(x, options = {}) {
    this._alive('forward');
    checkOptions(`${this._name}.forward`, options);
    const call = new Call(`${this._name}.forward`, x, options);
    const { shape } = call;
    const tokens = shape.slice(0, -1);
    if (tokens.length > 0 && shape[tokens.length] !== this.#features) {
      throw new ShapeError(`${call.name}: x [${shape.join(' ')}] has ${shape[tokens.length]} features, want ${this.#features}`);
    }
    const count = checkSize(product(tokens), `${call.name}: x`);
    const [mean, invStdDev] = [call.own(new Float32Array(count)), call.own(new Float32Array(count))];
    const { scale, shift } = options;
    return this._forward(call, () => frames.adaptiveLayerNorm(call, { scale, shift, mean, invStdDev, epsilon: this.#epsilon }), { scale: scale ?? undefined, mean, invStdDev });
  }

  /**
   * @param {any} dy
   * @param {any} [options]
   */
  backward(dy, options = {}) {
    const { call, saved } = this._gradient(dy, options);
    const size = checkSize(saved.shape[0] * this.#features, `${call.name}: scale`);
    const [dscale, dshift] = [call.own(new Float32Array(size)), call.own(new Float32Array(size))];
    const [mean, invStdDev] = [call.own(saved.mean), call.own(saved.invStdDev)];
    const dx = frames.adaptiveLayerNormBackward(call, { x: saved.x, scale: saved.scale, mean, invStdDev, dscale, dshift, epsilon: this.#epsilon });
    this._written(options.out);
    return { dx, dscale, dshift };
  }
}

/** A layer that some numbers describe, for x of any shape. */
class Plain extends Layer {
  #numbers;
  #forward;
  #backward;

  /**
   * @param {string} name
   * @param {any} numbers the operation's options
   * @param {(call: Call, given: any) => any} forward
   * @param {(call: Call, given: any) => any} backward
   */
  constructor(name, numbers, forward, backward) {
    super(name);
    this.#numbers = numbers;
    this.#forward = forward;
    this.#backward = backward;
  }

  /**
   * @param {any} x
   * @param {any} [options]
   */
  forward(x, options = {}) {
    this._alive('forward');
    checkOptions(`${this._name}.forward`, options);
    const call = new Call(`${this._name}.forward`, x, options);
    return this._forward(call, () => this.#forward(call, this.#numbers), {});
  }

  /**
   * @param {any} dy
   * @param {any} [options]
   */
  backward(dy, options = {}) {
    const { call, saved } = this._gradient(dy, options);
    const dx = this.#backward(call, { x: saved.x, ...this.#numbers });
    this._written(options.out);
    return { dx };
  }
}

/** x/max(‖x‖, ε) along an axis. */
export class LpNorm extends Plain {
  /** @param {any} [options] */
  constructor(options = {}) {
    const name = 'LpNorm';
    checkOptions(name, options);
    const { axis, p, epsilon } = options;
    if (p !== undefined && p !== 1 && p !== 2) throw new NormError(`${name}: p is ${typeof p === 'number' ? p : describe(p)}, want 1 or 2`);
    if (axis !== undefined) checkWhole(axis, name, 'axis');
    super(name, { axis, p, epsilon: checkEpsilon(epsilon, name) }, frames.lpNorm, frames.lpNormBackward);
  }
}

/** x/(bias + alpha/size·Σx²)^beta over neighbouring channels. */
export class LocalResponseNorm extends Plain {
  /** @param {any} options */
  constructor(options) {
    const name = 'LocalResponseNorm';
    checkOptions(name, options);
    const { size, alpha, beta, bias } = options;
    if (checkWhole(size, name, 'size') < 1) throw new NormError(`${name}: size is ${size}, want at least 1`);
    for (const [option, value] of Object.entries({ alpha, beta, bias })) {
      if (value !== undefined && !Number.isFinite(value)) throw new NormError(`${name}: ${option} is ${typeof value === 'number' ? value : describe(value)}, want a finite number`);
    }
    super(name, { size, alpha, beta, bias }, frames.localResponseNorm, frames.localResponseNormBackward);
  }
}

/** A weight matrix divided by its largest singular value, which u and v follow. */
export class SpectralNorm extends Layer {
  #shape;
  #size;

  /** @param {any} options */
  constructor(options) {
    const name = 'SpectralNorm';
    checkOptions(name, options);
    super(name);
    const shape = checkDims(options.shape, `${name}: shape`);
    const size = checkSize(product(shape), `${name}: shape`);
    if (shape.length === 0 || size === 0) throw new ShapeError(`${name}: shape is [${shape.join(' ')}], want at least one dimension, and none of 0`);
    this.#shape = shape;
    this.#size = size;
    /** @type {[Float64Array, Float64Array]} */
    const [u, v] = start(shape[0], size / shape[0]);
    this.u = u;
    this.v = v;
  }

  /**
   * @param {any} w
   * @param {any} [options]
   */
  forward(w, options = {}) {
    this._alive('forward');
    checkOptions('SpectralNorm.forward', options);
    return this.#step(w, options, `${this._name}.forward`);
  }

  /**
   * @param {any} w
   * @param {any} options
   * @param {string} name
   */
  #step(w, options, name) {
    if (w instanceof Tensor && w.dims.join() !== this.#shape.join()) {
      throw new ShapeError(`${name}: w is [${w.dims.join(' ')}], want [${this.#shape.join(' ')}]`);
    }
    const { steps, out } = options;
    const call = new Call(name, w, { out, shape: w instanceof Tensor ? undefined : this.#shape }, 'w');
    const rows = this.#shape[0];
    /** @type {Float64Array} */
    const u = checkArray(this.u, `${name}: u`, rows, 'Float64Array');
    /** @type {Float64Array} */
    const v = checkArray(this.v, `${name}: v`, this.#size / rows, 'Float64Array');
    const sigma = new Float64Array(1);
    const weight = frames.spectralNorm(call, { u, v, sigma, steps });
    return { weight, sigma: sigma[0] };
  }

  /**
   * Step by step here, with the very steps of norm's Converge.
   * @param {any} w
   * @param {any} [options]
   */
  converge(w, options = {}) {
    this._alive('converge');
    const name = `${this._name}.converge`;
    checkOptions(name, options);
    const tolerance = checkEpsilon(options.tolerance, name, 'tolerance') ?? 1e-6;
    const { limit = 1000 } = options;
    if (checkWhole(limit, name, 'limit') < 0) throw new NormError(`${name}: limit is ${limit}, want at least 0`);
    const out = new Float32Array(this.#size);
    let [steps, before] = [0, Infinity];
    while (steps < limit) {
      const { sigma } = this.#step(w, { out }, name);
      steps++;
      if (Math.abs(sigma - before) <= tolerance * sigma) break;
      before = sigma;
    }
    return steps;
  }
}

/**
 * Where norm's SpectralNorm of this many rows and columns starts from: splitmix64,
 * brought to length 1.
 * @param {number} rows
 * @param {number} cols
 * @returns {[Float64Array, Float64Array]}
 */
function start(rows, cols) {
  const wrap = (/** @type {bigint} */ z) => BigInt.asUintN(64, z);
  let state = wrap((BigInt(rows) << 32n) + BigInt(cols));
  const vector = (/** @type {number} */ n) => {
    const v = new Float64Array(n);
    let sum = 0;
    for (let i = 0; i < n; i++) {
      state = wrap(state + 0x9e3779b97f4a7c15n);
      let z = wrap((state ^ (state >> 30n)) * 0xbf58476d1ce4e5b9n);
      z = wrap((z ^ (z >> 27n)) * 0x94d049bb133111ebn);
      v[i] = Number(BigInt.asIntN(64, z ^ (z >> 31n))) / 2 ** 63;
      sum += v[i] * v[i];
    }
    const scale = 1 / Math.sqrt(sum);
    return v.map((e) => e * scale);
  };
  return [vector(rows), vector(cols)];
}
