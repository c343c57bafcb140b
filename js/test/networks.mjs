// Small networks in training that have each type of layer between them, and batches that a seed alone decides. Runs in pages and in Node.
import { floats } from './data.mjs';

/** Networks that have each type of layer between them. */
export const networks = {
  image: { input: [2, 8, 8], model: [{ type: 'conv2d', filters: 4, kernel: 3, groups: 2 }, { type: 'batchNorm' }, { type: 'relu' }, { type: 'maxPool2d', size: 2 },
    { type: 'conv2d', filters: 6, kernel: 2, padding: 'valid', stride: 2, bias: false }, { type: 'groupNorm', groups: 3 }, { type: 'silu' },
    { type: 'residual', body: [{ type: 'conv2d', filters: 6, kernel: 3 }, { type: 'instanceNorm' }] }, { type: 'globalAveragePool' }, { type: 'linear', units: 3 }] },
  pooled: { input: [3, 6, 6], model: [{ type: 'layerNorm' }, { type: 'averagePool2d', size: 3, stride: 1 }, { type: 'rmsNorm' }, { type: 'noise', std: 0.1 }, { type: 'flatten' }, { type: 'dropout', rate: 0.25 }, { type: 'linear', units: 4 }] },
  features: { input: [5], model: [{ type: 'linear', units: 8 }, { type: 'batchNorm', preset: 'keras', momentum: 0.9 }, { type: 'sigmoid' }, { type: 'dynamicTanh' }, { type: 'linear', units: 6, bias: false }, { type: 'batchNorm', momentum: null, affine: false }, { type: 'tanh' }, { type: 'linear', units: 3 }] },
  sequence: { input: [6, 4], model: [{ type: 'gru', units: 5 }, { type: 'batchNorm', preset: 'onnx' }, { type: 'globalAveragePool' }, { type: 'linear', units: 3 }] },
  transformer: { input: [7], model: [{ type: 'embedding', vocabulary: 9, width: 8, positions: 7 },
    { type: 'residual', body: [{ type: 'layerNorm' }, { type: 'attention', heads: 2, causal: true }] }, { type: 'residual', body: [{ type: 'rmsNorm', epsilon: 1e-6 }, { type: 'linear', units: 16 }, { type: 'gelu' }, { type: 'linear', units: 8 }] },
    { type: 'layerNorm', affine: false }, { type: 'attention', heads: 4 }, { type: 'linear', units: 9 }] },
};

export const tokens = (o) => o.model[0].type === 'embedding';

/** Class indices, or tokens. @param {readonly number[]} dims @param {number} below @param {number} seed */
export const classes = (dims, below, seed) => Int32Array.from(floats(dims.reduce((a, b) => a * b, 1), seed, 1), (v) => Math.floor((v + 1) / 2 * below));

/** A batch for a network of crossEntropy, to make tensors of. @param {any} o @param {number} n @param {number} seed */
export function plainBatch(o, n, seed) {
  const dims = [n, ...o.input];
  const size = dims.reduce((a, b) => a * b, 1);
  return tokens(o)
    ? { x: { type: 'int32', dims, data: classes(dims, 9, seed) }, y: { type: 'int32', dims, data: classes(dims, 9, seed + 100) } }
    : { x: { type: 'float32', dims, data: floats(size, seed, 1) }, y: { type: 'int32', dims: [n], data: classes([n], 3, seed + 100) } };
}
