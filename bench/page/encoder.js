// Transformers as exporters write them, as ONNX models made by code with random weights: an encoder as BERT has them, in float32 or
// with its products quantized as onnxruntime's quantize_dynamic writes them (which is what transformers.js loads as q8), a vision
// transformer, and a step of a decoder with past and present.
import { fast } from './data.js';
import { Graph } from './onnx.js';

/** What the three have in common. Weights are the same at every call. */
class Writer extends Graph {
  #seed = 1;
  #quantized = new Map();
  #scalars = new Map();

  random(dims, spread, middle = 0) {
    const data = fast(dims.reduce((a, b) => a * b, 1), spread, this.#seed++);
    return this.constant(middle === 0 ? data : data.map((v) => middle + v), dims);
  }

  /** A constant that is written once. */
  once(value) {
    if (!this.#scalars.has(value)) this.#scalars.set(value, this.scalar(value));
    return this.#scalars.get(value);
  }

  /** x · W, and a bias if there is one. Quantized products of one x share what quantizes it. */
  dense(x, k, n, { weights = 'float32', bias = true } = {}) {
    const w = fast(k * n, Math.sqrt(3 / k), this.#seed++);
    const plus = (y) => (bias ? this.node('Add', [y, this.random([n], 0.02)]) : y);
    if (weights === 'float32') return plus(this.node('MatMul', [x, this.constant(w, [k, n])]));
    let [low, high] = [0, 0];
    for (const v of w) [low, high] = [Math.min(low, v), Math.max(high, v)];
    const signed = weights === 'int8';
    const scale = signed ? Math.max(high, -low) / 127 : (high - low) / 255;
    const zero = signed ? 0 : Math.round(-low / scale);
    const q = signed ? Int8Array.from(w, (v) => Math.round(v / scale)) : Uint8Array.from(w, (v) => Math.round(v / scale) + zero);
    if (!this.#quantized.has(x)) this.#quantized.set(x, this.node('DynamicQuantizeLinear', [x], {}, { outputs: 3 }));
    const [bytes, s, z] = this.#quantized.get(x);
    const product = this.node('MatMulInteger', [bytes, this.constant(q, [k, n]), z, this.constant(q.constructor.of(zero), [])]);
    return plus(this.node('Mul', [this.node('Cast', [product], { to: 1 }), this.node('Mul', [s, this.scalar(scale)])]));
  }

  normalized(x, width) {
    return this.node('LayerNormalization', [x, this.random([width], 0.1, 1), this.random([width], 0.02)], { axis: -1, epsilon: 1e-5 });
  }

  gelu(x) {
    const inside = this.node('Add', [this.node('Erf', [this.node('Mul', [x, this.once(Math.SQRT1_2)])]), this.once(1)]);
    return this.node('Mul', [this.node('Mul', [x, inside]), this.once(0.5)]);
  }

  /** Of [1, tokens, width] among themselves. */
  attention(x, { tokens, width, heads, weights }) {
    const apart = this.list(1, tokens, heads, width / heads);
    const [q, k, v] = [0, 1, 2].map((j) => this.node('Transpose', [this.node('Reshape', [this.dense(x, width, width, { weights }), apart])],
      { perm: j === 1 ? [0, 2, 3, 1] : [0, 2, 1, 3] }));
    const scores = this.node('Mul', [this.node('MatMul', [q, k]), this.once(1 / Math.sqrt(width / heads))]);
    const seen = this.node('Transpose', [this.node('MatMul', [this.node('Softmax', [scores], { axis: -1 }), v])], { perm: [0, 2, 1, 3] });
    return this.dense(this.node('Reshape', [seen, this.list(1, tokens, width)]), width, width, { weights });
  }

  feedForward(x, { width, weights }) {
    return this.dense(this.gelu(this.dense(x, width, 4 * width, { weights })), 4 * width, width, { weights });
  }
}

/**
 * @param {object} o
 * @param {number} [o.layers] how many layers
 * @param {number} [o.width] of a token
 * @param {number} [o.heads] of the attention
 * @param {number} [o.tokens] of the input [1, tokens, width]
 * @param {'float32' | 'int8' | 'uint8'} [o.weights] of the products
 * @returns {Uint8Array} the model, with input x and output y
 */
export function encoder({ layers = 6, width = 384, heads = 12, tokens = 128, weights = 'float32' } = {}) {
  const g = new Writer();
  let x = g.input('x', [1, tokens, width]);
  for (let i = 0; i < layers; i++) {
    x = g.normalized(g.node('Add', [g.attention(x, { tokens, width, heads, weights }), x]), width);
    x = g.normalized(g.node('Add', [g.feedForward(x, { width, weights }), x]), width);
  }
  g.output(x, [1, tokens, width], 'y');
  return g.model();
}

/** ViT-tiny as torchvision and timm have it: patches of 16², 12 layers of width 192 with 3 heads. @returns {Uint8Array} x [1, 3, 224, 224] to y [1, 1000] */
export function visionTransformer({ layers = 12, width = 192, heads = 3, size = 224, patch = 16, classes = 1000 } = {}) {
  const g = new Writer();
  const patches = (size / patch) ** 2;
  const tokens = patches + 1;
  const x = g.input('x', [1, 3, size, size]);
  const fan = 3 * patch * patch;
  const cut = g.node('Conv', [x, g.random([width, 3, patch, patch], Math.sqrt(3 / fan)), g.random([width], 0.1)], { kernel_shape: [patch, patch], strides: [patch, patch] });
  const rows = g.node('Transpose', [g.node('Reshape', [cut, g.list(1, width, patches)])], { perm: [0, 2, 1] });
  let t = g.node('Add', [g.node('Concat', [g.random([1, 1, width], 1), rows], { axis: 1 }), g.random([1, tokens, width], 0.5)]);
  for (let i = 0; i < layers; i++) {
    t = g.node('Add', [t, g.attention(g.normalized(t, width), { tokens, width, heads })]);
    t = g.node('Add', [t, g.feedForward(g.normalized(t, width), { width })]);
  }
  const first = g.node('Gather', [g.normalized(t, width), g.constant(BigInt64Array.of(0n), [])], { axis: 1 });
  g.output(g.node('Gemm', [first, g.random([classes, width], Math.sqrt(3 / width)), g.random([classes], 0.1)], { transB: 1 }), [1, classes], 'y');
  return g.model();
}

/** The sizes of the decoder below. */
export const decoderSizes = { layers: 6, width: 384, heads: 6, kv: 3, hidden: 1024, vocabulary: 4096, context: 512 };

/**
 * A decoder as Llama, as PyTorch's exporter spells it: RMSNorm of its parts, positions rotated by halves, keys and values shared by
 * groups of queries, past in and present out. input_ids and position_ids are [1, sequence].
 * @returns {Uint8Array}
 */
export function decoder({ layers, width, heads, kv, hidden, vocabulary, context } = decoderSizes) {
  const g = new Writer();
  const size = width / heads;
  const ids = g.input('input_ids', [1, 'sequence'], BigInt64Array);
  const positions = g.input('position_ids', [1, 'sequence'], BigInt64Array);
  const mask = g.input('mask', [1, 1, 'sequence', 'total']);
  const pasts = Array.from({ length: layers }, (_, i) => ['key', 'value'].map((kind) => g.input(`past_key_values.${i}.${kind}`, [1, kv, 'past', size])));
  const turns = (f) => Float32Array.from({ length: context * size }, (_, at) => f(Math.floor(at / size) / 10000 ** (2 * (at % (size / 2)) / size)));
  const [cos, sin] = [Math.cos, Math.sin].map((f) => {
    const rows = g.node('Gather', [g.constant(turns(f), [context, size]), positions]); // [1, sequence, size]
    return g.node('Unsqueeze', [rows, g.list(1)]);
  });
  const rms = (x) => {
    const mean = g.node('ReduceMean', [g.node('Pow', [x, g.once(2)])], { axes: [-1], keepdims: 1 });
    const root = g.node('Sqrt', [g.node('Add', [mean, g.once(1e-5)])]);
    return g.node('Mul', [g.random([width], 0.1, 1), g.node('Mul', [x, g.node('Div', [g.once(1), root])])]);
  };
  const slice = (x, from, to) => g.node('Slice', [x, g.list(from), g.list(to), g.list(3)]);
  const rotated = (x) => {
    const half = g.node('Concat', [g.node('Neg', [slice(x, size / 2, size)]), slice(x, 0, size / 2)], { axis: 3 });
    return g.node('Add', [g.node('Mul', [x, cos]), g.node('Mul', [half, sin])]);
  };
  const embedding = g.random([vocabulary, width], 1);
  const heading = (x, n) => g.node('Transpose', [g.node('Reshape', [x, g.list(1, -1, n, size)])], { perm: [0, 2, 1, 3] });
  /** [1, kv, total, size] for each of the queries that share it. */
  const spread = (x) => {
    const wide = g.node('Unsqueeze', [x, g.list(2)]);
    const shape = g.node('Concat', [g.list(1, kv, heads / kv), g.node('Slice', [g.node('Shape', [x]), g.list(2), g.list(4)])], { axis: 0 });
    return g.node('Reshape', [g.node('Expand', [wide, shape]), g.list(1, heads, -1, size)]);
  };
  let x = g.node('Gather', [embedding, ids]);
  const presents = [];
  for (const past of pasts) {
    const h = rms(x);
    const q = rotated(heading(g.dense(h, width, width, { bias: false }), heads));
    const k = g.node('Concat', [past[0], rotated(heading(g.dense(h, width, kv * size, { bias: false }), kv))], { axis: 2 });
    const v = g.node('Concat', [past[1], heading(g.dense(h, width, kv * size, { bias: false }), kv)], { axis: 2 });
    presents.push([k, v]);
    const products = g.node('MatMul', [q, g.node('Transpose', [spread(k)], { perm: [0, 1, 3, 2] })]);
    const scores = g.node('Add', [g.node('Mul', [products, g.once(1 / Math.sqrt(size))]), mask]);
    const seen = g.node('Transpose', [g.node('MatMul', [g.node('Softmax', [scores], { axis: -1 }), spread(v)])], { perm: [0, 2, 1, 3] });
    x = g.node('Add', [x, g.dense(g.node('Reshape', [seen, g.list(1, -1, width)]), width, width, { bias: false })]);
    const m = rms(x);
    const gate = g.dense(m, width, hidden, { bias: false });
    const silu = g.node('Mul', [gate, g.node('Sigmoid', [gate])]);
    x = g.node('Add', [x, g.dense(g.node('Mul', [silu, g.dense(m, width, hidden, { bias: false })]), hidden, width, { bias: false })]);
  }
  g.output(g.dense(rms(x), width, vocabulary, { bias: false }), [1, 'sequence', vocabulary], 'logits');
  for (const [i, pair] of presents.entries()) {
    for (const [j, kind] of ['key', 'value'].entries()) g.output(pair[j], [1, kv, 'total', size], `present.${i}.${kind}`);
  }
  return g.model();
}
