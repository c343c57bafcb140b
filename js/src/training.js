// The normalizations as layers: parameters, a forward pass and its gradients.
import { words } from './bridge.js';
import { Call } from './call.js';
import { NormError, ShapeError } from './errors.js';
import * as frames from './frames.js';
import { Layer, checkArray, checkEpsilon, checkFeatures, checkSize, flag, object, word } from './layer.js';
import { unwatch, watch } from './lost.js';
import { checkOptions, meant } from './options.js';
import { Tensor, attached, checkDims, describe, product } from './tensor.js';

/** @typedef {import('./core.js').Core} Core */

/** Other libraries' names of the running statistics. @type {Record<string, string | undefined>} */
const running = { mean: 'runningMean', moving_mean: 'runningMean', var: 'runningVar', variance: 'runningVar', moving_variance: 'runningVar' };

/** A layer with a scale, and most have a bias. */
class Affine extends Layer {
  /**
   * @param {string} name
   * @param {any} options
   * @param {number} size
   */
  constructor(name, options, size) {
    super(name);
    this._affine = flag(options.affine, name, true, 'affine');
    /** Elements of each parameter. */
    this._size = this._affine ? size : 0;
    this.scale = new Float32Array(this._size).fill(1);
    for (const internal of ['_affine', '_size']) Object.defineProperty(this, internal, { enumerable: false, writable: false });
  }

  /**
   * Scale or bias, which may have been replaced since the last call.
   * @param {Call} call
   * @param {'scale' | 'bias'} name
   */
  _parameter(call, name) {
    return this._affine ? checkArray(/** @type {any} */ (this)[name], `${call.name}: ${name}`, this._size) : undefined;
  }

  /**
   * A new array for a gradient of scale or bias.
   * @param {Call} call
   */
  _gradientArray(call) {
    return call.own(new Float32Array(this._size));
  }
}

/** A layer over the last dimensions. */
class Rows extends Affine {
  /** @type {readonly number[]} */ #shape;
  #size;
  #axes;
  #epsilon;
  #centred;
  #forward;
  #backward;

  /**
   * @param {string} name
   * @param {any} options
   * @param {boolean} centred whether there is a mean, and a bias
   * @param {typeof frames.layerNorm} forward
   * @param {typeof frames.layerNormBackward} backward
   */
  constructor(name, options, centred, forward, backward) {
    checkOptions(name, options);
    const shape = checkDims(options.normalizedShape, `${name}: normalizedShape`);
    const size = product(shape);
    super(name, options, checkSize(size, `${name}: normalizedShape`));
    this.#shape = shape;
    this.#size = size;
    this.#axes = shape.map((_, i) => i - shape.length);
    this.#epsilon = checkEpsilon(options.epsilon, name);
    this.#centred = centred;
    this.#forward = forward;
    this.#backward = backward;
    if (centred) this.bias = new Float32Array(this._size);
  }

  /**
   * @param {any} x
   * @param {any} [options]
   */
  forward(x, options = {}) {
    this._alive('forward');
    const name = `${this._name}.forward`;
    checkOptions(name, options);
    const call = new Call(name, x, x instanceof Tensor ? options : { ...options, shape: options.shape ?? this.#fit(x) });
    const { shape } = call;
    const kept = shape.length - this.#shape.length;
    if (kept < 0 || shape.slice(kept).join() !== this.#shape.join()) {
      throw new ShapeError(`${name}: x is [${shape.join(' ')}], want its last dimensions to be [${this.#shape.join(' ')}] (normalizedShape)`);
    }
    const rows = checkSize(product(shape.slice(0, kept)), `${name}: x`);
    const mean = this.#centred ? call.own(new Float32Array(rows)) : undefined;
    const invStdDev = call.own(new Float32Array(rows));
    const scale = this._parameter(call, 'scale');
    const bias = mean && this._parameter(call, 'bias');
    return this._forward(call, () => this.#forward(call, { scale, bias, mean, invStdDev, axes: this.#axes, epsilon: this.#epsilon }), { mean, invStdDev });
  }

  /**
   * The shape of an array that comes without one: rows of normalizedShape.
   * @param {any} x
   */
  #fit(x) {
    const length = x?.length ?? 0;
    return this.#size > 0 && length % this.#size === 0 ? [length / this.#size, ...this.#shape] : [length];
  }

  /**
   * @param {any} dy
   * @param {any} [options]
   * @returns {any}
   */
  backward(dy, options = {}) {
    const { call, saved } = this._gradient(dy, options);
    const dscale = this._gradientArray(call);
    const dbias = this.#centred ? this._gradientArray(call) : undefined;
    const dx = this.#backward(call, {
      x: saved.x, scale: this._parameter(call, 'scale'), mean: call.own(saved.mean), invStdDev: call.own(saved.invStdDev),
      dscale: this._affine ? dscale : undefined, dbias: this._affine ? dbias : undefined, axes: this.#axes, epsilon: this.#epsilon,
    });
    this._written(options.out);
    return dbias ? { dx, dscale, dbias } : { dx, dscale };
  }
}

/** LayerNorm over the last dimensions. */
export class LayerNorm extends Rows {
  /** @param {any} options */
  constructor(options) {
    super('LayerNorm', options, true, frames.layerNorm, frames.layerNormBackward);
  }
}

/** RMSNorm over the last dimensions. */
export class RMSNorm extends Rows {
  /** @param {any} options */
  constructor(options) {
    super('RMSNorm', options, false, frames.rmsNorm, frames.rmsNormBackward);
  }
}

/** A layer over groups of channels of an example. */
class Groups extends Affine {
  #features;
  /** @type {any} */ #groups;
  #layout;
  #epsilon;

  /**
   * @param {string} name
   * @param {any} options
   * @param {number} [groups] undefined for one a channel
   */
  constructor(name, options, groups) {
    super(name, options, checkFeatures(options.features, name));
    this.#features = options.features;
    this.#groups = groups;
    this.#layout = word(options.layout, words.layout, `${name}: layout`);
    this.#epsilon = checkEpsilon(options.epsilon, name);
    this.bias = new Float32Array(this.scale.length);
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
    const channels = shape[this.#layout === 'nhwc' ? shape.length - 1 : 1];
    if (shape.length > 1 && channels !== this.#features) {
      throw new ShapeError(`${call.name}: x [${shape.join(' ')}] has ${channels} channels (${this.#layout ?? words.layout[0]}), want ${this.#features} (features)`);
    }
    const count = shape.length > 1 ? checkSize(shape[0] * (this.#groups ?? channels), `${call.name}: x`) : 0;
    const [mean, invStdDev] = [call.own(new Float32Array(count)), call.own(new Float32Array(count))];
    const [scale, bias] = [this._parameter(call, 'scale'), this._parameter(call, 'bias')];
    const given = { scale, bias, mean, invStdDev, epsilon: this.#epsilon, layout: this.#layout, groups: this.#groups };
    return this._forward(call, () => (this.#groups === undefined ? frames.instanceNorm(call, given) : frames.groupNorm(call, given)), { mean, invStdDev });
  }

  /**
   * @param {any} dy
   * @param {any} [options]
   */
  backward(dy, options = {}) {
    const { call, saved } = this._gradient(dy, options);
    const [dscale, dbias] = [this._gradientArray(call), this._gradientArray(call)];
    const given = {
      x: saved.x, scale: this._parameter(call, 'scale'), mean: call.own(saved.mean), invStdDev: call.own(saved.invStdDev),
      dscale: this._affine ? dscale : undefined, dbias: this._affine ? dbias : undefined, epsilon: this.#epsilon, layout: this.#layout, groups: this.#groups,
    };
    const dx = this.#groups === undefined ? frames.instanceNormBackward(call, given) : frames.groupNormBackward(call, given);
    this._written(options.out);
    return { dx, dscale, dbias };
  }
}

/** Groups of channels of each example. */
export class GroupNorm extends Groups {
  /** @param {any} options */
  constructor(options) {
    checkOptions('GroupNorm', options);
    const { groups, features } = options;
    checkFeatures(features, 'GroupNorm');
    if (typeof groups !== 'number') throw new NormError(`GroupNorm: groups is ${describe(groups)}, want a whole number`);
    if (!(Number.isInteger(groups) && groups >= 1 && features % groups === 0)) throw new ShapeError(`GroupNorm: groups is ${groups}, want a divisor of the ${features} features`);
    super('GroupNorm', options, groups);
  }
}

/** The module's part of a layer; freed with it. @typedef {{ core: Core, handle: number }} State */

/** @param {State} state */
function release({ core, handle }) {
  if (core.ended === undefined) core.call('free', handle);
}

/** Batch normalization with running statistics. */
export class BatchNorm extends Affine {
  #features;
  #preset;
  #layout;
  /** @type {number | null | undefined} */ #momentum;
  #epsilon;
  /** @type {State | undefined} */ #state;

  /**
   * @param {any} options
   * @param {'BatchNorm' | 'InstanceNorm'} [name] whose statistics: of all examples, or of each
   */
  constructor(options, name = 'BatchNorm') {
    checkOptions(name, options);
    super(name, options, checkFeatures(options.features, name));
    const { features, momentum } = options;
    this.#features = features;
    this.#preset = word(options.preset, words.preset, `${name}: preset`);
    this.#layout = word(options.layout, words.layout, `${name}: layout`);
    this.#momentum = momentum;
    if (momentum !== undefined && momentum !== null && !(typeof momentum === 'number' && momentum >= 0 && momentum <= 1)) {
      throw new NormError(`${name}: momentum is ${typeof momentum === 'number' ? momentum : describe(momentum)}, want a number from 0 to 1, or null for the plain average`);
    }
    this.#epsilon = checkEpsilon(options.epsilon, name);
    this.bias = new Float32Array(this.scale.length);
    this.runningMean = new Float32Array(features);
    this.runningVar = new Float32Array(features).fill(1);
    /** How many batches the running statistics have seen. */
    this.batches = 0;
  }

  /**
   * The module's part, made anew in a module that is started anew.
   * @param {Core} core
   */
  #layer(core) {
    if (this.#state?.core !== core) {
      this.#free();
      this.#state = { core, handle: core.layer(this.#features, this._name === 'InstanceNorm') };
      watch(this, release, this.#state);
    }
    return /** @type {State} */ (this.#state).handle;
  }

  #free() {
    if (this.#state === undefined) return;
    unwatch(this);
    release(this.#state);
    this.#state = undefined;
  }

  /**
   * @param {any} x
   * @param {any} [options]
   */
  forward(x, options = {}) {
    this._alive('forward');
    checkOptions(`${this._name}.forward`, options);
    const call = new Call(`${this._name}.forward`, x, options);
    const training = flag(options.training, call.name, true, 'training');
    const useBatchStats = flag(options.useBatchStats, call.name, training, 'useBatchStats');
    const updateStats = flag(options.updateStats, call.name, training, 'updateStats');
    const given = options.moments === undefined ? undefined : checkMoments(options.moments, `${call.name}: moments`, this.#features);
    if (given && !useBatchStats) throw new NormError(`${call.name}: moments take the place of the batch's statistics, and ${options.useBatchStats === false ? 'useBatchStats' : 'training'} is false`);
    const [scale, bias] = [this._parameter(call, 'scale'), this._parameter(call, 'bias')];
    const [runningMean, runningVar] = [this.#statistic('runningMean', call.name), this.#statistic('runningVar', call.name)];
    const batches = checkBatches(this.batches, call.name);
    const y = this._forward(call, () => frames.batchNormForward(call, {
      scale, bias, runningMean, runningVar, moments: given && joined(given.mean, given.variance), count: given?.count,
      layer: this.#layer(call.core), layout: this.#layout, preset: this.#preset, epsilon: this.#epsilon,
      momentum: this.#momentum ?? undefined, cumulative: this.#momentum === null, batches, useBatchStats, updateStats,
    }), {});
    if (updateStats && (given ? given.count : product(call.shape)) > 0) this.batches = batches + 1;
    return y;
  }

  /**
   * @param {any} dy
   * @param {any} [options]
   */
  backward(dy, options = {}) {
    const { call, saved } = this._gradient(dy, options);
    const [dscale, dbias] = [this._gradientArray(call), this._gradientArray(call)];
    const scale = this._parameter(call, 'scale');
    const sums = options.sums === undefined ? undefined : checkSums(options.sums, call.name, this.#features);
    const layer = this.#layer(call.core);
    const dx = frames.batchNormBackward(call, { x: saved.x, scale, sums, dscale: this._affine ? dscale : undefined, dbias: this._affine ? dbias : undefined, layer });
    this._written(options.out);
    return { dx, dscale, dbias };
  }

  /**
   * The statistics of a part of a batch.
   * @param {any} x
   * @param {any} [options]
   */
  moments(x, options = {}) {
    this._alive('moments');
    checkOptions('BatchNorm.moments', options);
    const call = new Call('BatchNorm.moments', x, options);
    const all = new Float64Array(2 * this.#features);
    frames.batchNormMoments(call, { moments: all, layer: this.#layer(call.core), layout: this.#layout });
    this._forget('moments came after the latest forward');
    const count = this.#features === 0 ? 0 : product(call.shape) / this.#features;
    return { count, mean: all.slice(0, this.#features), variance: all.slice(this.#features) };
  }

  /**
   * A worker's part of the reductions of the backward pass.
   * @param {any} dy
   */
  backwardSums(dy) {
    const { call, saved } = this._gradient(dy, {}, 'backwardSums');
    const sums = new Float64Array(2 * this.#features);
    frames.batchNormSums(call, { x: saved.x, sums, layer: this.#layer(call.core) });
    return sums;
  }

  /**
   * Takes moments for the running statistics, with the preset's meaning of the variance.
   * @param {any} moments
   */
  setStatistics(moments) {
    this._alive('setStatistics');
    const name = 'BatchNorm.setStatistics';
    const { count, mean, variance } = checkMoments(moments, name, this.#features);
    if (count === 0) throw new NormError(`${name}: the moments are those of no values`);
    const unbiased = (this.#preset ?? words.preset[0]) === 'pytorch' && count > 1 ? count / (count - 1) : 1;
    const [runningMean, runningVar] = [this.#statistic('runningMean', name), this.#statistic('runningVar', name)];
    const corrected = variance.map((v) => v * unbiased); // before anything is written: they may share memory
    runningMean.set(mean);
    runningVar.set(corrected);
  }

  /**
   * Moments of parts of a batch to those of the whole (Chan, Golub, LeVeque). Here and
   * not in the module, so that whoever collects them needs none; the same bits as norm's.
   * @param {any} parts
   */
  static mergeMoments(parts) {
    const name = 'BatchNorm.mergeMoments';
    if (!Array.isArray(parts) || parts.length === 0) throw new NormError(`${name}: parts is ${Array.isArray(parts) ? 'empty' : describe(parts)}, want an array of at least one`);
    const all = Array.from(parts, (part, i) => checkMoments(part, `${name}: parts[${i}]`, parts[0]?.mean?.length));
    const features = all[0].mean.length;
    const Class = all.every((part) => part.mean instanceof Float32Array) ? Float32Array : Float64Array;
    let n = 0;
    const [mean, variance] = [new Float64Array(features), new Float64Array(features)];
    for (const part of all) {
      if (part.count === 0) continue;
      const total = n + part.count;
      const [u, w] = [n / total, part.count / total];
      for (let c = 0; c < features; c++) {
        const d = part.mean[c] - mean[c];
        variance[c] = n === 0 ? part.variance[c] : variance[c] * u + part.variance[c] * w + d * d * (u * w);
        mean[c] = n === 0 ? part.mean[c] : mean[c] + d * w;
      }
      n = total;
    }
    return { count: n, mean: Class.from(mean), variance: Class.from(variance) };
  }

  /** Copies of the parameters and running statistics. */
  stateDict() {
    /** @type {Record<string, Float32Array>} */
    const state = {};
    for (const key of this.#entries) state[key] = checkArray(this[key], `BatchNorm.stateDict: ${key}`, this.#features).slice();
    return { ...state, batches: Float32Array.of(checkBatches(this.batches, 'BatchNorm.stateDict')) };
  }

  /** @param {any} state */
  loadStateDict(state) {
    this._alive('loadStateDict');
    const name = 'BatchNorm.loadStateDict';
    object(state, name);
    const wanted = this.#entries;
    const unknown = Object.keys(state).filter((key) => key !== 'batches' && !(/** @type {string[]} */ (wanted).includes(key)));
    if (unknown.length > 0) {
      const names = unknown.map((key) => {
        const own = key === 'num_batches_tracked' ? 'batches' : meant(running[key] ?? key, wanted);
        return own ? `${key} (here: ${own})` : key;
      });
      throw new NormError(`${name}: there is no ${names.join(', ')}; want ${wanted.join(', ')}, and batches or not`);
    }
    const loaded = wanted.map((key) => {
      if (state[key] === undefined) throw new NormError(`${name}: ${key} is missing`);
      return checkArray(state[key], `${name}: ${key}`, this.#features).slice();
    });
    const batches = state.batches === undefined ? 0 : checkBatches(state.batches?.[0], name);
    wanted.forEach((key, i) => {
      const own = this[key];
      // Whoever holds the array that is there sees what is loaded.
      if (own instanceof Float32Array && own.length === loaded[i].length && own.length > 0) own.set(loaded[i]);
      else this[key] = loaded[i];
    });
    this.batches = batches;
  }

  dispose() {
    super.dispose();
    this.#free();
  }

  /** What a state consists of beside batches. @returns {('scale' | 'bias' | 'runningMean' | 'runningVar')[]} */
  get #entries() {
    return this._affine ? ['scale', 'bias', 'runningMean', 'runningVar'] : ['runningMean', 'runningVar'];
  }

  /**
   * A running statistic, which may have been replaced since the last call.
   * @param {'runningMean' | 'runningVar'} key
   * @param {string} name
   */
  #statistic(key, name) {
    return checkArray(this[key], `${name}: ${key}`, this.#features);
  }
}

/** Each channel of each example by itself, with running statistics or without. */
export class InstanceNorm extends Groups {
  /** What does the work where there are running statistics. @type {BatchNorm | undefined} */ #running;

  /** @param {any} options */
  constructor(options) {
    checkOptions('InstanceNorm', options);
    super('InstanceNorm', options);
    if (flag(options.trackRunningStats, 'InstanceNorm', false, 'trackRunningStats')) this.#running = new BatchNorm(options, 'InstanceNorm');
    else this.#only(options, ['preset', 'momentum'], 'InstanceNorm');
  }

  /**
   * Refuses what means nothing without running statistics.
   * @param {any} options
   * @param {readonly string[]} names
   * @param {string} where
   */
  #only(options, names, where) {
    const given = names.find((name) => options[name] !== undefined);
    if (given) throw new NormError(`${where}: ${given} is for running statistics, which there are with trackRunningStats: true only`, 'CONTRADICTION');
  }

  /** The running layer with this one's parameters. */
  get #layer() {
    const layer = this.#running;
    if (layer) Object.assign(layer, { scale: this.scale, bias: this.bias });
    return layer;
  }

  get runningMean() {
    return this.#running?.runningMean;
  }

  set runningMean(array) {
    if (this.#running) this.#running.runningMean = /** @type {any} */ (array);
  }

  get runningVar() {
    return this.#running?.runningVar;
  }

  set runningVar(array) {
    if (this.#running) this.#running.runningVar = /** @type {any} */ (array);
  }

  /**
   * @param {any} x
   * @param {any} [options]
   */
  forward(x, options = {}) {
    const layer = this.#layer;
    if (layer) return layer.forward(x, options);
    checkOptions('InstanceNorm.forward', options);
    // `training` says which part of a program this is, and means the same here either way.
    if (!flag(options.useBatchStats, 'InstanceNorm.forward', true, 'useBatchStats')) this.#only(options, ['useBatchStats'], 'InstanceNorm.forward');
    if (flag(options.updateStats, 'InstanceNorm.forward', false, 'updateStats')) this.#only(options, ['updateStats'], 'InstanceNorm.forward');
    flag(options.training, 'InstanceNorm.forward', true, 'training');
    return super.forward(x, options);
  }

  /**
   * @param {any} dy
   * @param {any} [options]
   */
  backward(dy, options = {}) {
    return this.#layer?.backward(dy, options) ?? super.backward(dy, options);
  }

  dispose() {
    super.dispose();
    this.#running?.dispose();
  }
}

/**
 * @param {any} moments
 * @param {string} name
 * @param {number} features
 * @returns {{ count: number, mean: Float32Array | Float64Array, variance: Float32Array | Float64Array }}
 */
function checkMoments(moments, name, features) {
  object(moments, name);
  const { count } = moments;
  if (!Number.isSafeInteger(count) || count < 0) throw new NormError(`${name}: count is ${typeof count === 'number' ? count : describe(count)}, want a whole number of at least 0`);
  for (const key of ['mean', 'variance']) {
    const array = moments[key];
    if (!(array instanceof Float32Array || array instanceof Float64Array)) throw new NormError(`${name}: ${key} is ${describe(array)}, want a Float32Array or Float64Array`);
    if (attached(array, `${name}: ${key}`).length !== features) throw new ShapeError(`${name}: ${key} has ${array.length} elements, want ${features}`);
  }
  const negative = moments.variance.findIndex((/** @type {number} */ v) => v < 0);
  if (negative >= 0) throw new NormError(`${name}: variance[${negative}] is ${moments.variance[negative]}, want at least 0`);
  return moments;
}

/**
 * Means and variances as the module takes them.
 * @param {Float32Array | Float64Array} mean
 * @param {Float32Array | Float64Array} variance
 */
function joined(mean, variance) {
  const both = new Float64Array(mean.length + variance.length);
  both.set(mean);
  both.set(variance, mean.length);
  return both;
}

/**
 * @param {any} batches
 * @param {string} name
 * @returns {number}
 */
function checkBatches(batches, name) {
  if (!Number.isSafeInteger(batches) || batches < 0) throw new NormError(`${name}: batches is ${typeof batches === 'number' ? batches : describe(batches)}, want a whole number of at least 0`);
  return batches;
}

/**
 * @param {any} sums
 * @param {string} name
 * @param {number} features
 * @returns {Float64Array}
 */
function checkSums(sums, name, features) {
  if (!(sums instanceof Float64Array)) throw new NormError(`${name}: sums is ${describe(sums)}, want a Float64Array`);
  if (attached(sums, `${name}: sums`).length !== 2 * features) throw new ShapeError(`${name}: sums has ${sums.length} elements, want ${2 * features} (two for each channel)`);
  return sums.slice();
}
