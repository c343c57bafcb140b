// What is measured: operators and networks, as ONNX files that every contender gets. The networks are made here, with random
// weights, or are of those that the site ships.

import { Graph } from './onnx.js';

/**
 * @typedef {object} Case
 * @property {string} id
 * @property {'norms' | 'layers' | 'models'} group
 * @property {string} name
 * @property {string} detail sizes, for people
 * @property {number} each how many of it are in a run: times are of one
 * @property {{ name: string, dims: number[], most?: number }} input most: whole numbers below it (int64), else numbers about 0 (float32)
 * @property {string} [output] the one that is asked for; the only one by default
 * @property {string} [file] of the site
 * @property {() => Uint8Array} [write] makes the file
 */

/** Numbers that are the same everywhere, from −1 to 1. @param {number} length @param {number} [scale] @param {number} [seed] */
export function numbers(length, scale = 1, seed = 1) {
  const out = new Float32Array(length);
  let state = Math.imul(seed, 0x9e3779b9) | 1;
  for (let i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    out[i] = scale * (state / 2 ** 31);
  }
  return out;
}

/** A builder with random weights of a size at which numbers keep theirs from layer to layer. */
class Network extends Graph {
  #seed = 1;

  weights(dims, inputs = dims.slice(1).reduce((a, b) => a * b, 1)) {
    return this.constant(numbers(dims.reduce((a, b) => a * b), Math.sqrt(3 / inputs), this.#seed++), dims);
  }

  vector(length, middle = 0) {
    return this.constant(numbers(length, 0.2, this.#seed++).map((v) => v + middle));
  }

  norm(op, x, width, attributes) {
    return this.node(op, [x, this.vector(width, 1), ...(op === 'RMSNormalization' ? [] : [this.vector(width)])], attributes);
  }

  batchNorm(x, width) {
    return this.node('BatchNormalization', [x, this.vector(width, 1), this.vector(width), this.vector(width), this.vector(width, 1)]);
  }

  conv(x, from, to, { size = 1, stride = 1, group = 1 } = {}) {
    const pad = size >> 1;
    return this.node('Conv', [x, this.weights([to, from / group, size, size]), this.vector(to)], { kernel_shape: [size, size], strides: [stride, stride], pads: [pad, pad, pad, pad], group });
  }

  linear(x, from, to) {
    return this.node('Add', [this.node('MatMul', [x, this.weights([from, to], from)]), this.vector(to)]);
  }

  relu(x) {
    return this.node('Relu', [x]);
  }
}

/** `each` of the same, one after another. */
function chain(each, dims, layer, opset) {
  const g = new Network();
  let x = 'x';
  for (let i = 0; i < each; i++) x = layer(g, x);
  return g.file(dims, x, dims, opset);
}

/** Inverted residuals as MobileNetV2 has them: pointwise, depthwise, pointwise, each with BatchNorm. */
function mobile() {
  const g = new Network();
  const conv = (x, from, to, options) => g.batchNorm(g.conv(x, from, to, options), to);
  let x = g.relu(conv('x', 3, 16, { size: 3, stride: 2 }));
  let from = 16;
  for (const [to, stride] of [[24, 2], [24, 1], [32, 2], [32, 1], [64, 2], [64, 1]]) {
    const wide = 6 * from;
    let y = g.relu(conv(x, from, wide));
    y = g.relu(conv(y, wide, wide, { size: 3, stride, group: wide }));
    y = conv(y, wide, to);
    x = from === to ? g.node('Add', [x, y]) : y;
    from = to;
  }
  x = g.relu(conv(x, 64, 256));
  x = g.node('Reshape', [g.node('GlobalAveragePool', [x]), g.list([1, 256])]);
  return g.file([1, 3, 128, 128], g.linear(x, 256, 100), [1, 100]);
}

/** Blocks of a transformer as exporters write them: LayerNorm before attention and before the two linear layers with GELU. */
function encoder({ layers, width, heads, tokens }) {
  const g = new Network();
  const [head, wide] = [width / heads, 4 * width];
  const split = g.list([1, tokens, heads, head]);
  const whole = g.list([1, tokens, width]);
  const [scale, root, one, half] = [1 / Math.sqrt(head), Math.SQRT2, 1, 0.5].map((v) => g.constant(Float32Array.of(v), []));
  let x = 'x';
  for (let i = 0; i < layers; i++) {
    const n = g.norm('LayerNormalization', x, width, { axis: 2 });
    const [q, k, v] = [[0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]].map((perm) => g.node('Transpose', [g.node('Reshape', [g.linear(n, width, width), split])], { perm }));
    const shares = g.node('Softmax', [g.node('Mul', [g.node('MatMul', [q, k]), scale])], { axis: 3 });
    const mixed = g.node('Reshape', [g.node('Transpose', [g.node('MatMul', [shares, v])], { perm: [0, 2, 1, 3] }), whole]);
    x = g.node('Add', [x, g.linear(mixed, width, width)]);
    const h = g.linear(g.norm('LayerNormalization', x, width, { axis: 2 }), width, wide);
    const gelu = g.node('Mul', [g.node('Mul', [h, g.node('Add', [g.node('Erf', [g.node('Div', [h, root])]), one])]), half]);
    x = g.node('Add', [x, g.linear(gelu, wide, width)]);
  }
  return g.file([1, tokens, width], g.norm('LayerNormalization', x, width, { axis: 2 }), [1, tokens, width]);
}

const norm = (id, name, detail, dims, layer, opset) => ({ id, group: 'norms', name, detail, each: 8, input: { name: 'x', dims }, write: () => chain(8, dims, layer, opset) });
const layer = (id, name, detail, each, dims, make) => ({ id, group: 'layers', name, detail, each, input: { name: 'x', dims }, write: () => chain(each, dims, make) });

/** @type {readonly Case[]} */
export const cases = [
  norm('layernorm', 'LayerNorm', '128 × 768', [128, 768], (g, x) => g.norm('LayerNormalization', x, 768, { axis: 1 })),
  norm('rmsnorm', 'RMSNorm', '128 × 768', [128, 768], (g, x) => g.norm('RMSNormalization', x, 768, { axis: 1 }), 23),
  norm('batchnorm', 'BatchNorm and ReLU', '64 × 56 × 56', [1, 64, 56, 56], (g, x) => g.relu(g.batchNorm(x, 64))),
  norm('instancenorm', 'InstanceNorm', '64 × 56 × 56', [1, 64, 56, 56], (g, x) => g.norm('InstanceNormalization', x, 64)),
  norm('groupnorm', 'GroupNorm', '64 × 28 × 28, 8 groups', [1, 64, 28, 28], (g, x) => g.norm('GroupNormalization', x, 64, { num_groups: 8 }), 21),
  layer('matmul', 'Matrix product', '512 × 512 × 512', 2, [512, 512], (g, x) => g.node('MatMul', [x, g.weights([512, 512])])),
  layer('conv3', 'Convolution 3 × 3', '64 to 64 channels, 56 × 56', 2, [1, 64, 56, 56], (g, x) => g.relu(g.conv(x, 64, 64, { size: 3 }))),
  layer('conv1', 'Convolution 1 × 1', '128 to 128 channels, 28 × 28', 8, [1, 128, 28, 28], (g, x) => g.relu(g.conv(x, 128, 128))),
  layer('depthwise', 'Depthwise convolution 3 × 3', '128 channels, 28 × 28', 8, [1, 128, 28, 28], (g, x) => g.relu(g.conv(x, 128, 128, { size: 3, group: 128 }))),
  { id: 'mobile', group: 'models', name: 'Small MobileNet', detail: '3 × 128 × 128, random weights', each: 1, input: { name: 'x', dims: [1, 3, 128, 128] }, write: mobile },
  { id: 'encoder', group: 'models', name: 'Transformer encoder', detail: '2 layers of 256, 128 tokens, random weights', each: 1, input: { name: 'x', dims: [1, 128, 256] }, write: () => encoder({ layers: 2, width: 256, heads: 4, tokens: 128 }) },
  { id: 'names', group: 'models', name: 'Writer of names', detail: 'of the page Names, 2 layers of 64, 16 letters', each: 1, input: { name: 'x', dims: [1, 16], most: 27 }, output: 'y', file: 'models/names.onnx' },
  { id: 'direction', group: 'models', name: 'Direction of text', detail: 'of the page Read, 3 × 48 × 192', each: 1, input: { name: 'x', dims: [1, 3, 48, 192] }, file: 'models/ch_ppocr_mobile_v2.0_cls_infer.onnx' },
];

/** What goes into a run. @param {Case} item @returns {Float32Array | BigInt64Array} */
export function inputOf({ input: { dims, most } }) {
  const values = numbers(dims.reduce((a, b) => a * b), 1, 77);
  return most === undefined ? values : BigInt64Array.from(values, (v) => BigInt(Math.floor((v + 1) / 2 * most)));
}
