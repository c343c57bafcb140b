// The networks whose training steps are measured, as Trainer takes them: the peers build the same from it.
import { uniform } from './data.js';

const image = (filters) => [{ type: 'conv2d', filters, kernel: 3 }, { type: 'batchNorm' }, { type: 'relu' }, { type: 'maxPool2d', size: 2 }];
const hidden = [{ type: 'linear', units: 512 }, { type: 'layerNorm' }, { type: 'relu' }];
const block = [
  { type: 'residual', body: [{ type: 'layerNorm' }, { type: 'attention', heads: 4, causal: true }] },
  { type: 'residual', body: [{ type: 'layerNorm' }, { type: 'linear', units: 256 }, { type: 'gelu' }, { type: 'linear', units: 64 }] },
];

/**
 * `flops` are those of a step's products: of each layer forward, of the gradient of its weights and, but for the first,
 * of its input. Nothing else is counted, and no product of attention's scores is left out for being masked.
 */
export const networks = {
  digits: {
    batch: 64, classes: 10, rows: 64, input: [1, 28, 28],
    model: [...image(16), ...image(32), { type: 'flatten' }, { type: 'linear', units: 10 }],
    optimizer: { type: 'sgd', learningRate: 0.002, momentum: 0.9 },
    flops: 64 * 2 * (2 * 28 * 28 * 16 * 9 + 3 * 14 * 14 * 32 * 16 * 9 + 3 * 7 * 7 * 32 * 10),
  },
  rows: {
    batch: 64, classes: 10, rows: 64, input: [784],
    model: [...hidden, ...hidden, { type: 'linear', units: 10 }],
    optimizer: { type: 'adamw', learningRate: 0.001 },
    flops: 64 * 2 * (2 * 784 * 512 + 3 * 512 * 512 + 3 * 512 * 10),
  },
  characters: {
    batch: 16, classes: 64, rows: 16 * 64, input: [64], vocabulary: 64,
    model: [{ type: 'embedding', vocabulary: 64, width: 64, positions: 64 }, ...block, ...block, { type: 'layerNorm' }, { type: 'linear', units: 64 }],
    optimizer: { type: 'adamw', learningRate: 0.001 },
    flops: 16 * 64 * 2 * 3 * (2 * (4 * 64 * 64 + 2 * 64 * 64 + 2 * 64 * 256) + 64 * 64),
  },
};

/** A batch that every contender learns by heart. */
export function batchOf({ batch, classes, rows, input, vocabulary }) {
  const size = batch * input.reduce((a, b) => a * b, 1);
  const whole = (n, below, seed) => Int32Array.from(uniform(n, 0, below, seed), (v) => Math.min(Math.floor(v), below - 1));
  return { x: vocabulary ? whole(size, vocabulary, 11) : uniform(size, 0, 1, 11), labels: whole(rows, classes, 12) };
}
