// A BatchNorm folded into the convolution or linear layer before it.
import { Call } from './call.js';
import { NormError } from './errors.js';
import * as frames from './frames.js';
import { checkOptions } from './options.js';
import { Tensor, checkDims } from './tensor.js';

/**
 * Convolution weights and bias with a BatchNorm folded in.
 * @param {any} options
 */
export function foldBatchNorm(options) {
  if (options === undefined || options === null) throw new NormError('foldBatchNorm: options are missing; weight, weightShape, mean and variance are needed');
  checkOptions('foldBatchNorm', options, arguments.length - 1);
  for (const option of ['weight', 'weightShape', 'mean', 'variance']) {
    if (options[option] === undefined || options[option] === null) throw new NormError(`foldBatchNorm: ${option} is missing`);
  }
  const { weight, weightShape, ...rest } = options;
  for (const name of ['weight', 'bias', 'mean', 'variance', 'scale', 'shift']) {
    if (options[name] instanceof Tensor) throw new NormError(`foldBatchNorm: ${name} is a Tensor, want a Float32Array: its data`);
  }
  const shape = checkDims(weightShape, 'foldBatchNorm: weightShape');
  const call = new Call('foldBatchNorm', weight, { shape }, 'weight');
  // No more than there is data for: the module says what does not fit.
  const bias = new Float32Array(Math.min(shape[0] ?? 0, Math.max(weight.length, options.mean.length) || 0));
  return { weight: frames.foldBatchNorm(call, { ...rest, outBias: bias }), bias };
}
