// The normalizations as functions.
import { Call, none } from './call.js';
import * as direct from './direct.js';
import { NormError } from './errors.js';
import { check, checkOptions, known } from './options.js';
import { Tensor, checkDims } from './tensor.js';

const layouts = ['nchw', 'nhwc'];
const activations = ['relu', 'relu6', 'silu'];
/** For those whose calls may be hot. */
const its = { layerNorm: known.layerNorm, rmsNorm: known.rmsNorm, batchNorm: known.batchNorm, instanceNorm: known.instanceNorm, groupNorm: known.groupNorm };

/**
 * y = scale·(x − mean)/√(var + ε) + bias over `axes`.
 * @param {any} x
 * @param {any} [options]
 */
export function layerNorm(x, options = {}) {
  check('layerNorm', its.layerNorm, options, arguments.length - 2);
  const core = direct.coreOf(x, options);
  if (core !== undefined && options.axes === undefined) {
    let at = start(core, x, options);
    at = direct.operand(core, at, options.residual);
    at = direct.operand(core, at, options.mean);
    at = direct.operand(core, at, options.invStdDev);
    at = direct.operand(core, at, options.sum);
    at = direct.shape(core, at, x.dims, options.epsilon);
    at = direct.word(core, at, options.activation, activations, 1);
    if (direct.ran(core, at, 'layerNorm')) return options.out;
  }
  const call = new Call('layerNorm', 'layerNorm', x, options);
  call.operand('scale', options.scale);
  call.operand('bias', options.bias);
  call.operand('residual', options.residual);
  call.operand('mean', options.mean, true);
  call.operand('invStdDev', options.invStdDev, true);
  call.operand('sum', options.sum, true);
  return rows(call);
}

/**
 * y = scale·x/√(mean(x²) + ε) over `axes`.
 * @param {any} x
 * @param {any} [options]
 */
export function rmsNorm(x, options = {}) {
  check('rmsNorm', its.rmsNorm, options, arguments.length - 2);
  const core = direct.coreOf(x, options);
  if (core !== undefined && options.axes === undefined) {
    let at = direct.operand(core, core.frame, options.out);
    at = direct.operand(core, at, x);
    at = direct.operand(core, at, options.scale);
    at = direct.operand(core, at, options.residual);
    at = direct.operand(core, at, options.invStdDev);
    at = direct.operand(core, at, options.sum);
    at = direct.shape(core, at, x.dims, options.epsilon);
    at = direct.word(core, at, options.activation, activations, 1);
    if (direct.ran(core, at, 'rmsNorm')) return options.out;
  }
  const call = new Call('rmsNorm', 'rmsNorm', x, options);
  call.operand('scale', options.scale);
  call.operand('residual', options.residual);
  call.operand('invStdDev', options.invStdDev, true);
  call.operand('sum', options.sum, true);
  return rows(call);
}

/**
 * Writes the result's place, x, scale and bias.
 * @param {import('./core.js').Core} core
 * @param {any} x
 * @param {any} options
 */
function start(core, x, options) {
  let at = direct.operand(core, core.frame, options.out);
  at = direct.operand(core, at, x);
  at = direct.operand(core, at, options.scale);
  return direct.operand(core, at, options.bias);
}

/** @param {Call} call */
function rows(call) {
  const { options } = call;
  const epsilon = call.number('epsilon', options.epsilon, 1e-5);
  const activation = call.word('activation', options.activation, activations, 1);
  call.begin(call.axes());
  return call.put(epsilon).put(activation).run();
}

/**
 * Inference: y = scale·(x − mean)/√(variance + ε) + bias for each channel.
 * @param {any} x
 * @param {any} options
 */
export function batchNorm(x, options) {
  if (options === undefined || options === null) throw new NormError('batchNorm: options are missing; mean and variance are needed');
  check('batchNorm', its.batchNorm, options, arguments.length - 2);
  const core = direct.coreOf(x, options);
  if (core !== undefined && options.axis === undefined && options.mean && options.variance) {
    let at = start(core, x, options);
    at = direct.operand(core, at, options.mean);
    at = direct.operand(core, at, options.variance);
    at = direct.shape(core, at, x.dims, options.epsilon);
    at = direct.word(core, at, options.layout, layouts, 0);
    at = direct.word(core, at, options.activation, activations, 1);
    at = direct.put(core, at, none);
    if (direct.ran(core, at, 'batchNorm')) return options.out;
  }
  const call = new Call('batchNorm', 'batchNorm', x, options);
  const layout = call.word('layout', options.layout, layouts);
  const activation = call.word('activation', options.activation, activations, 1);
  needed('batchNorm', options, ['mean', 'variance']);
  call.operand('scale', options.scale);
  call.operand('bias', options.bias);
  call.operand('mean', options.mean);
  call.operand('variance', options.variance);
  const axis = call.whole('axis', options.axis, none);
  if (axis !== none && options.layout !== undefined) agree(axis, options.layout, call.shape);
  const epsilon = call.number('epsilon', options.epsilon, 1e-5);
  call.begin();
  return call.put(epsilon).put(layout).put(activation).put(axis).run();
}

/**
 * Throws when two options name different axes of the channels.
 * @param {number} axis
 * @param {string} layout
 * @param {readonly number[]} shape
 */
function agree(axis, layout, shape) {
  const channels = layout === 'nchw' ? 1 : shape.length - 1;
  if ((axis < 0 ? axis + shape.length : axis) === channels) return;
  throw new NormError(`batchNorm: axis is ${axis}, and layout '${layout}' has the channels at axis ${channels} of x [${shape.join(' ')}]: give one of the two`, 'CONTRADICTION');
}

/**
 * GroupNorm with a channel a group.
 * @param {any} x
 * @param {any} [options]
 */
export function instanceNorm(x, options = {}) {
  check('instanceNorm', its.instanceNorm, options, arguments.length - 2);
  const core = direct.coreOf(x, options);
  if (core !== undefined && direct.ran(core, grouped(core, x, options), 'instanceNorm')) return options.out;
  return groups(new Call('instanceNorm', 'instanceNorm', x, options)).run();
}

/**
 * y = scale·(x − mean)/√(var + ε) + bias, for each group of channels of each example.
 * @param {any} x
 * @param {any} options
 */
export function groupNorm(x, options) {
  if (options === undefined || options === null) throw new NormError('groupNorm: options are missing; groups is needed');
  check('groupNorm', its.groupNorm, options, arguments.length - 2);
  const core = direct.coreOf(x, options);
  if (core !== undefined && Number.isInteger(options.groups) && direct.ran(core, direct.put(core, grouped(core, x, options), options.groups), 'groupNorm')) return options.out;
  const call = new Call('groupNorm', 'groupNorm', x, options);
  const count = call.whole('groups', options.groups, undefined);
  return groups(call).put(count).run();
}

/**
 * Writes what GroupNorm and InstanceNorm have in common.
 * @param {import('./core.js').Core} core
 * @param {any} x
 * @param {any} options
 */
function grouped(core, x, options) {
  let at = start(core, x, options);
  at = direct.operand(core, at, options.mean);
  at = direct.operand(core, at, options.invStdDev);
  at = direct.shape(core, at, x.dims, options.epsilon);
  at = direct.word(core, at, options.layout, layouts, 0);
  return direct.word(core, at, options.activation, activations, 1);
}

/** @param {Call} call */
function groups(call) {
  const { options } = call;
  call.operand('scale', options.scale);
  call.operand('bias', options.bias);
  call.operand('mean', options.mean, true);
  call.operand('invStdDev', options.invStdDev, true);
  const layout = call.word('layout', options.layout, layouts);
  const activation = call.word('activation', options.activation, activations, 1);
  const epsilon = call.number('epsilon', options.epsilon, 1e-5);
  call.begin();
  return call.put(epsilon).put(layout).put(activation);
}

/**
 * y = x/(bias + alpha/size·Σx²)^beta over neighbouring channels.
 * @param {any} x
 * @param {any} options
 */
export function localResponseNorm(x, options) {
  if (options === undefined || options === null) throw new NormError('localResponseNorm: options are missing; size is needed');
  checkOptions('localResponseNorm', options, arguments.length - 2);
  const call = new Call('localResponseNorm', 'localResponseNorm', x, options);
  const size = call.whole('size', options.size, undefined);
  const [alpha, beta, bias] = [call.number('alpha', options.alpha, 1e-4), call.number('beta', options.beta, 0.75), call.number('bias', options.bias, 1)];
  call.begin();
  return call.put(size).put(alpha).put(beta).put(bias).run();
}

/**
 * y = x/max(‖x‖, ε) along an axis.
 * @param {any} x
 * @param {any} [options]
 */
export function lpNorm(x, options = {}) {
  checkOptions('lpNorm', options, arguments.length - 2);
  const call = new Call('lpNorm', 'lpNorm', x, options);
  const axis = call.whole('axis', options.axis, -1);
  const p = call.whole('p', options.p, 2);
  const epsilon = call.number('epsilon', options.epsilon, 0);
  call.begin();
  return call.put(epsilon).put(axis).put(p).run();
}

/**
 * y = (x − mean)/(√var + 1e-9) over `axes`; with an epsilon (x − mean)/√(var + ε).
 * @param {any} x
 * @param {any} [options]
 */
export function meanVarianceNorm(x, options = {}) {
  checkOptions('meanVarianceNorm', options, arguments.length - 2);
  const call = new Call('meanVarianceNorm', 'meanVarianceNorm', x, options);
  const epsilon = call.number('epsilon', options.epsilon, none);
  call.begin(call.axes());
  return call.put(epsilon).run();
}

/**
 * y = (x − mean)/√(var + ε)·(1 + scale) + shift over the last axis, scale and shift being each example's.
 * @param {any} x
 * @param {any} [options]
 */
export function adaptiveLayerNorm(x, options = {}) {
  checkOptions('adaptiveLayerNorm', options, arguments.length - 2);
  const call = new Call('adaptiveLayerNorm', 'adaptiveLayerNorm', x, options);
  call.operand('scale', options.scale);
  call.operand('shift', options.shift);
  call.operand('mean', options.mean, true);
  call.operand('invStdDev', options.invStdDev, true);
  const epsilon = call.number('epsilon', options.epsilon, 1e-5);
  call.begin();
  return call.put(epsilon).run();
}

/**
 * w = g·v/‖v‖ for each row of a weight matrix.
 * @param {any} v
 * @param {any} options
 */
export function weightNorm(v, options) {
  if (options === undefined || options === null) throw new NormError('weightNorm: options are missing; g is needed');
  checkOptions('weightNorm', options, arguments.length - 2);
  const call = new Call('weightNorm', 'weightNorm', v, options, 'v');
  needed('weightNorm', options, ['g']);
  call.operand('g', options.g);
  call.begin();
  return call.run();
}

/**
 * Convolution weights and bias with a BatchNorm folded in.
 * @param {any} options
 */
export function foldBatchNorm(options) {
  if (options === undefined || options === null) throw new NormError('foldBatchNorm: options are missing; weight, weightShape, mean and variance are needed');
  checkOptions('foldBatchNorm', options, arguments.length - 1);
  needed('foldBatchNorm', options, ['weight', 'weightShape', 'mean', 'variance']);
  const { weight, weightShape, ...rest } = options;
  for (const name of ['weight', 'bias', 'mean', 'variance', 'scale', 'shift']) {
    if (options[name] instanceof Tensor) throw new NormError(`foldBatchNorm: ${name} is a Tensor, want a Float32Array: its data`);
  }
  const shape = checkDims(weightShape, 'foldBatchNorm: weightShape');
  const call = new Call('foldBatchNorm', 'foldBatchNorm', weight, { ...rest, shape, out: undefined }, 'weight');
  // No more than there is data for: the module says what does not fit.
  const bias = new Float32Array(Math.min(shape[0] ?? 0, Math.max(weight.length, options.mean.length) || 0));
  for (const name of ['bias', 'mean', 'variance', 'scale', 'shift']) call.operand(name, rest[name]);
  call.own(bias, false, true);
  const epsilon = call.number('epsilon', rest.epsilon, 1e-5);
  call.begin();
  return { weight: call.put(epsilon).run(), bias };
}

/**
 * @param {string} name
 * @param {any} options
 * @param {readonly string[]} needed
 */
function needed(name, options, needed) {
  for (const option of needed) {
    if (options[option] === undefined || options[option] === null) throw new NormError(`${name}: ${option} is missing`);
  }
}
