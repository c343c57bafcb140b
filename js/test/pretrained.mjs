// Folders of pretrained models as transformers.js loads them, made by code: small networks with weights drawn from a seed, in
// the spelling of those who write such files. fp32 is what PyTorch's exporter gives; fp16 what onnxconverter-common makes of it;
// q8 what onnxruntime's quantize_dynamic does (DynamicQuantizeLinear, MatMulInteger, Cast, Mul), with weights of int8, of uint8
// with a zero point, or of int8 with a scale for each column; q4 and q2 what its MatMulNBitsQuantizer does (MatMulNBits).
import { toHalf } from '../src/half.js';
import { model } from './data.mjs';
import { files as tokenizers } from './tokenizers.mjs';
import { byteFallback, normal } from './writing.mjs';

/** @typedef {'fp32' | 'fp16' | 'q8' | 'q4' | 'q4f16' | 'q2'} DType */
/** The ends of the files' names. */
const suffixes = { fp32: '', fp16: '_fp16', q8: '_quantized', q4: '_q4', q4f16: '_q4f16', q2: '_q2' };
/** @type {DType[]} */
export const dtypes = ['fp32', 'fp16', 'q8', 'q4', 'q4f16', 'q2'];

const product = (/** @type {number[]} */ dims) => dims.reduce((a, b) => a * b, 1);
const [float, uint8, int8, int32, int64, bool, half] = [1, 2, 3, 6, 7, 9, 10];

/** A graph that is being written in one of the types. */
class Graph {
  /** @type {any[]} */ nodes = [];
  /** @type {any[]} */ constants = [];
  /** @type {Map<string, any[]>} */ #quantized = new Map();
  #count = 0;

  /**
   * @param {DType} dtype
   * @param {{ weights?: 'int8' | 'uint8' | 'columns', accuracy?: number, zeros?: boolean, outer?: Graph }} [options] of q8, of q4, and of the branch of an If the graph around it
   */
  constructor(dtype, options = {}) {
    this.dtype = dtype;
    this.options = options;
    /** Where constants go: a branch takes those of the graph around it. */
    this.root = options.outer?.root ?? this;
    this.float = dtype.endsWith('f16') || dtype === 'fp16' ? half : float;
  }

  name(stem = 'v') {
    return this.root === this ? `${stem}_${this.#count++}` : this.root.name(stem);
  }

  /**
   * @param {string} op
   * @param {string[]} inputs
   * @param {object} [attributes]
   * @param {number | string[]} [outputs] how many, or their names
   * @returns {any} the output's name, or a list of several
   */
  node(op, inputs, attributes = {}, outputs = 1) {
    const [domain, kind] = op.includes('/') ? op.split('/') : [undefined, op];
    const names = Array.isArray(outputs) ? outputs : Array.from({ length: outputs }, () => this.name(kind));
    this.nodes.push({ op: kind, inputs, outputs: names, attributes, ...domain && { domain } });
    return names.length === 1 ? names[0] : names;
  }

  /** @param {string} name @param {number[]} dims @param {ArrayBufferView} data @param {number} type */
  constant(name, dims, data, type) {
    if (!this.root.constants.some(([known]) => known === name)) this.root.constants.push([name, dims, data, type]);
    return name;
  }

  /** Numbers of the type that the graph computes in. @param {string} name @param {number[]} dims @param {ArrayLike<number>} values @param {number} [type] */
  floats(name, dims, values, type = this.float) {
    return this.constant(name, dims, type === half ? Uint16Array.from(values, toHalf) : Float32Array.from(values), type);
  }

  /** @param {number} value */
  scalar(value) {
    const name = `scalar_${value}`;
    return this.floats(name, [], [value]);
  }

  /** @param {number[]} values */
  ints(values, dims = [values.length]) {
    return this.constant(`ints_${dims.length}_${values.join('_')}`, dims, BigInt64Array.from(values, BigInt), int64);
  }

  /**
   * x · W + b.
   * @param {string} name of the weights
   * @param {string} x
   * @param {{ k: number, n: number, data: Float32Array }} weights [k n]
   * @param {Float32Array} [bias]
   */
  linear(name, x, { k, n, data }, bias) {
    const y = this.dtype === 'q8' ? this.#dynamic(name, x, k, n, data) : /^q[24]/.test(this.dtype) ? this.#blocks(name, x, k, n, data)
      : this.node('MatMul', [x, this.floats(`${name}.weight`, [k, n], data)]);
    return bias ? this.node('Add', [this.floats(`${name}.bias`, [n], bias), y]) : y;
  }

  /** A linear layer of rows: Gemm, which quantizers take for MatMul and Add. @param {string} name @param {string} x @param {{ k: number, n: number, data: Float32Array }} weights @param {Float32Array} bias */
  gemm(name, x, weights, bias) {
    if (this.dtype.startsWith('q')) return this.linear(name, x, weights, bias);
    const { k, n, data } = weights;
    const transposed = Float32Array.from({ length: k * n }, (_, i) => data[(i % k) * n + Math.floor(i / k)]);
    return this.node('Gemm', [x, this.floats(`${name}.weight`, [n, k], transposed), this.floats(`${name}.bias`, [n], bias)], { alpha: Float32Array.of(1), beta: Float32Array.of(1), transB: 1 });
  }

  /** @param {string} name @param {string} x @param {number} k @param {number} n @param {Float32Array} data */
  #dynamic(name, x, k, n, data) {
    // Of several products of one value it is quantized once.
    if (!this.#quantized.has(x)) this.#quantized.set(x, this.node('DynamicQuantizeLinear', [x], {}, [`${x}_quantized`, `${x}_scale`, `${x}_zero_point`]));
    const [q, scale, zero] = /** @type {any[]} */ (this.#quantized.get(x));
    const w = quantize(this.options.weights ?? 'int8', n, data);
    const type = w.data instanceof Int8Array ? int8 : uint8;
    const weightScale = this.floats(`${name}.weight_scale`, w.dims, w.scales, float);
    const sum = this.node('MatMulInteger', [q, this.constant(`${name}.weight_quantized`, [k, n], w.data, type), zero, this.constant(`${name}.weight_zero_point`, w.dims, w.zeros, type)]);
    return this.node('Mul', [this.node('Cast', [sum], { to: float }), this.node('Mul', [scale, weightScale])]);
  }

  /** @param {string} name @param {string} x @param {number} k @param {number} n @param {Float32Array} data */
  #blocks(name, x, k, n, data) {
    const { zeros = false, accuracy } = this.options;
    const bits = Number(this.dtype[1]);
    const q = blocks(bits, n, k, (i, j) => data[j * n + i], zeros);
    return this.node('com.microsoft/MatMulNBits', [x, this.constant(`${name}.weight_Q${bits}`, [n, q.count, 4 * bits], q.data, uint8), this.floats(`${name}.weight_scales`, [n * q.count], q.scales),
      ...zeros ? [this.constant(`${name}.weight_zero_points`, [q.zeros.length], q.zeros, uint8)] : []], { K: k, N: n, bits, block_size: 32, ...accuracy !== undefined && { accuracy_level: accuracy } });
  }

  /** Rows of a table. @param {string} name @param {string} ids @param {number} rows @param {number} width @param {Float32Array} data */
  rows(name, ids, rows, width, data) {
    if (this.dtype === 'q8') {
      const w = quantize('uint8', 0, data);
      const taken = this.node('Gather', [this.constant(`${name}_quantized`, [rows, width], w.data, uint8), ids]);
      return this.node('DequantizeLinear', [taken, this.floats(`${name}_scale`, [], w.scales), this.constant(`${name}_zero_point`, [], w.zeros, uint8)]);
    }
    return this.node('Gather', [this.floats(name, [rows, width], data), ids]);
  }

  /** LayerNorm, in the nodes that it was before opset 17. @param {string} name @param {string} x @param {Float32Array} scale @param {Float32Array} bias */
  layerNorm(name, x, scale, bias, epsilon = 1e-12) {
    const centered = this.node('Sub', [x, this.node('ReduceMean', [x], { axes: [-1] })]);
    const variance = this.node('ReduceMean', [this.node('Pow', [centered, this.scalar(2)])], { axes: [-1] });
    const deviation = this.node('Sqrt', [this.node('Add', [variance, this.floats(`${name}.epsilon`, [], [Math.max(epsilon, this.float === half ? 1e-7 : 0)])])]);
    const y = this.node('Mul', [this.node('Div', [centered, deviation]), this.floats(`${name}.weight`, [scale.length], scale)]);
    return this.node('Add', [y, this.floats(`${name}.bias`, [bias.length], bias)]);
  }

  /** One size of a value, as a list of one. @param {string} x @param {number} axis */
  size(x, axis) {
    return this.node('Unsqueeze', [this.node('Gather', [this.node('Shape', [x]), this.ints([axis], [])], { axis: 0 }), this.ints([0])]);
  }

  /** [batch length width] → [batch heads length size]. @param {string} x @param {number} heads @param {number} size */
  split(x, heads, size, perm = [0, 2, 1, 3]) {
    const shape = this.node('Concat', [this.size(x, 0), this.size(x, 1), this.ints([heads]), this.ints([size])], { axis: 0 });
    return this.node('Transpose', [this.node('Reshape', [x, shape])], { perm });
  }

  /** The other way. @param {string} x @param {number} width */
  join(x, width) {
    const back = this.node('Transpose', [x], { perm: [0, 2, 1, 3] });
    return this.node('Reshape', [back, this.node('Concat', [this.size(back, 0), this.size(back, 1), this.ints([width])], { axis: 0 })]);
  }

  /** 0 where a mask of [batch length] is 1, and the least number elsewhere: [batch 1 1 length]. @param {string} mask */
  bias(mask) {
    const wide = this.node('Cast', [this.node('Unsqueeze', [mask, this.ints([1, 2])])], { to: this.float });
    return this.node('Mul', [this.node('Sub', [this.scalar(1), wide]), this.scalar(this.least)]);
  }

  get least() {
    return this.float === half ? -65504 : -3.4028234663852886e38;
  }

  /** @param {string} x */
  gelu(x) {
    const erf = this.node('Erf', [this.node('Div', [x, this.scalar(Math.SQRT2)])]);
    return this.node('Mul', [this.node('Mul', [x, this.node('Add', [erf, this.scalar(1)])]), this.scalar(0.5)]);
  }

  /** GELU as GPT-2 has it. @param {string} x */
  tanhGelu(x) {
    const cube = this.node('Mul', [this.node('Pow', [x, this.scalar(3)]), this.scalar(0.044715)]);
    const tanh = this.node('Tanh', [this.node('Mul', [this.node('Add', [x, cube]), this.scalar(Math.sqrt(2 / Math.PI))])]);
    return this.node('Mul', [this.node('Mul', [x, this.scalar(0.5)]), this.node('Add', [tanh, this.scalar(1)])]);
  }

  /** Softmax(q·kᵀ/√size + bias)·v, of heads. @param {string} q @param {string} keys transposed @param {string} v @param {number} size @param {(string | undefined)[]} biases */
  attend(q, keys, v, size, biases) {
    let scores = this.node('Div', [this.node('MatMul', [q, keys]), this.scalar(Math.sqrt(size))]);
    for (const bias of biases) if (bias) scores = this.node('Add', [scores, bias]);
    return this.node('MatMul', [this.node('Softmax', [scores], { axis: -1 }), v]);
  }

  /** @param {any[]} inputs @param {any[]} outputs */
  file(inputs, outputs, opset = 14) {
    return model({ opset, domains: { 'com.microsoft': 1 }, nodes: this.nodes, constants: this.constants, inputs, outputs });
  }

  /** What has 1 KiB or more goes into a file of its own, of which each tensor has a part. @param {string} location */
  apart(location) {
    const all = new Uint8Array(this.constants.reduce((sum, [, , { byteLength }]) => sum + byteLength, 0));
    let at = 0;
    this.constants = this.constants.map(([name, dims, data, type]) => {
      if (data.byteLength < 1024) return [name, dims, data, type];
      all.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
      const part = { location, offset: at, length: data.byteLength };
      at += data.byteLength;
      return [name, dims, part, type];
    });
    return all.slice(0, at);
  }
}

/**
 * As onnxruntime's quantizer does it.
 * @param {'int8' | 'uint8' | 'columns'} how
 * @param {number} n columns
 * @param {Float32Array} data
 */
function quantize(how, n, data) {
  if (how === 'uint8') {
    let [low, high] = [0, 0];
    for (const v of data) [low, high] = [Math.min(low, v), Math.max(high, v)];
    const scale = Math.fround((high - low) / 255);
    const zero = Math.round(-low / scale);
    return { dims: /** @type {number[]} */ ([]), scales: [scale], zeros: Uint8Array.of(zero), data: Uint8Array.from(data, (v) => Math.min(255, Math.max(0, Math.round(v / scale) + zero))) };
  }
  const columns = how === 'columns' ? n : 1;
  const scales = new Float32Array(columns);
  data.forEach((v, i) => {
    scales[i % columns] = Math.max(scales[i % columns], Math.abs(v) / 127);
  });
  return { dims: how === 'columns' ? [n] : [], scales, zeros: new Int8Array(columns), data: Int8Array.from(data, (v, i) => Math.max(-127, Math.min(127, Math.round(v / scales[i % columns])))) };
}

/**
 * Rows of 2-bit or 4-bit numbers in blocks of 32, the lowest bits of a byte first.
 * @param {number} bits
 * @param {number} rows
 * @param {number} k
 * @param {(row: number, j: number) => number} at
 * @param {boolean} asymmetric
 */
function blocks(bits, rows, k, at, asymmetric) {
  const count = Math.ceil(k / 32);
  const per = 8 / bits;
  const middle = 2 ** (bits - 1);
  const scales = new Float32Array(rows * count);
  const data = new Uint8Array(rows * count * 32 / per);
  const zeros = new Uint8Array(rows * Math.ceil(count / per));
  for (let row = 0; row < rows; row++) {
    for (let b = 0; b < count; b++) {
      const values = Array.from({ length: 32 }, (_, i) => (b * 32 + i < k ? at(row, b * 32 + i) : 0));
      const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
      const most = values.reduce((a, v) => (Math.abs(v) > Math.abs(a) ? v : a), 0);
      const size = Math.max(asymmetric ? (high - low) / (2 * middle - 1) : Math.abs(most) / middle, 2 ** -14);
      // Of ten digits, which float16 has.
      const unit = 2 ** (Math.floor(Math.log2(size)) - 9);
      const scale = (asymmetric || most < 0 ? 1 : -1) * Math.round(size / unit) * unit;
      const zero = asymmetric ? Math.round(-low / scale) : middle;
      scales[row * count + b] = scale;
      zeros[row * Math.ceil(count / per) + Math.floor(b / per)] |= zero << (bits * (b % per));
      values.forEach((v, i) => {
        const q = Math.min(2 * middle - 1, Math.max(0, Math.round(v / scale) + zero));
        data[((row * count + b) * 32 + i) / per | 0] |= q << (bits * (i % per));
      });
    }
  }
  return { count, scales, data, zeros };
}

/** Weights, the same for all types. @param {number} seed */
function weights(seed) {
  const draw = normal(seed);
  /** @type {Map<string, Float32Array>} */
  const known = new Map();
  const get = (/** @type {string} */ name, /** @type {number} */ length, /** @type {() => number} */ value) => {
    if (!known.has(name)) known.set(name, Float32Array.from({ length }, value));
    return /** @type {Float32Array} */ (known.get(name));
  };
  return {
    matrix: (/** @type {string} */ name, /** @type {number} */ k, /** @type {number} */ n, spread = 1) => ({ k, n, data: get(name, k * n, () => draw() * spread / Math.sqrt(k)) }),
    table: (/** @type {string} */ name, /** @type {number} */ rows, /** @type {number} */ width, spread = 1) => get(name, rows * width, () => draw() * spread),
    scale: (/** @type {string} */ name, /** @type {number} */ width) => get(name, width, () => 1 + 0.2 * draw()),
    bias: (/** @type {string} */ name, /** @type {number} */ width) => get(name, width, () => 0.2 * draw()),
  };
}

// ---- an encoder: BERT ---------------------------------------------------------------------------

const bert = { width: 64, heads: 4, inside: 96, layers: 2, positions: 64 };

/** @param {DType} dtype @param {number} vocabulary @param {number} [labels] of a classifier @param {(g: Graph) => void} [finish] what is done before it becomes a file */
function encoder(dtype, vocabulary, labels, finish) {
  const { width, heads, inside, layers, positions } = bert;
  const g = new Graph(dtype, { weights: labels ? 'columns' : 'int8' });
  const w = weights(labels ? 21 : 20);
  const linear = (/** @type {string} */ name, /** @type {string} */ x, /** @type {number} */ k, /** @type {number} */ n) => g.linear(name, x, w.matrix(`${name}.w`, k, n, 1.5), w.bias(`${name}.b`, n));
  const norm = (/** @type {string} */ name, /** @type {string} */ x) => g.layerNorm(name, x, w.scale(`${name}.s`, width), w.bias(`${name}.b`, width));
  const at = g.node('Slice', [g.constant('position_ids', [1, positions], BigInt64Array.from({ length: positions }, (_, i) => BigInt(i)), int64), g.ints([0]), g.size('input_ids', 1), g.ints([1])]);
  const words = g.rows('word_embeddings', 'input_ids', vocabulary, width, w.table('words', vocabulary, width));
  const types = g.rows('token_type_embeddings', 'token_type_ids', 2, width, w.table('types', 2, width, 0.3));
  let x = norm('embeddings', g.node('Add', [g.node('Add', [words, types]), g.rows('position_embeddings', at, positions, width, w.table('positions', positions, width, 0.3))]));
  const mask = g.bias('attention_mask');
  for (let i = 0; i < layers; i++) {
    const of = (/** @type {string} */ name) => `layer.${i}.${name}`;
    const q = g.split(linear(of('query'), x, width, width), heads, width / heads);
    const k = g.split(linear(of('key'), x, width, width), heads, width / heads, [0, 2, 3, 1]);
    const v = g.split(linear(of('value'), x, width, width), heads, width / heads);
    const y = g.join(g.attend(q, k, v, width / heads, [mask]), width);
    x = norm(of('attention'), g.node('Add', [linear(of('dense'), y, width, width), x]));
    x = norm(of('output'), g.node('Add', [linear(of('outer'), g.gelu(linear(of('inner'), x, width, inside)), inside, width), x]));
  }
  const inputs = ['input_ids', 'attention_mask', 'token_type_ids'].map((name) => [name, int64, ['batch_size', 'sequence_length']]);
  // The converter to float16 keeps the types of inputs and outputs, if it is told so: transformers.js wants float32 of an encoder.
  const output = (/** @type {string} */ last, /** @type {string} */ name) => g.node('Cast', [last], { to: float }, [name]);
  if (!labels) {
    output(x, 'last_hidden_state');
    finish?.(g);
    return g.file(inputs, [['last_hidden_state', float, ['batch_size', 'sequence_length', width]]]);
  }
  const first = g.node('Gather', [x, g.ints([0], [])], { axis: 1 });
  const pooled = g.node('Tanh', [g.gemm('pooler', first, w.matrix('pooler.w', width, width), w.bias('pooler.b', width))]);
  output(g.gemm('classifier', pooled, w.matrix('classifier.w', width, labels, 3), w.bias('classifier.b', labels)), 'logits');
  return g.file(inputs, [['logits', float, ['batch_size', labels]]]);
}

const bertTokenizer = {
  'tokenizer_config.json': { tokenizer_class: 'BertTokenizer', do_lower_case: true, model_max_length: 64, cls_token: '[CLS]', sep_token: '[SEP]', pad_token: '[PAD]', unk_token: '[UNK]', mask_token: '[MASK]' },
  'tokenizer.json': tokenizers.BERT(),
};
const pieces = Object.keys(tokenizers.BERT().model.vocab).length;
const bertConfig = { model_type: 'bert', hidden_size: bert.width, num_attention_heads: bert.heads, num_hidden_layers: bert.layers, vocab_size: pieces };

// ---- a decoder in ONNX's own operators: GPT-2 -----------------------------------------------------

/** @param {DType} dtype @param {number} vocabulary */
function gpt2(dtype, vocabulary) {
  const { width, heads, inside, layers, positions } = { width: 64, heads: 4, inside: 128, layers: 2, positions: 128 };
  const size = width / heads;
  const g = new Graph(dtype, { weights: 'uint8', zeros: true });
  const w = weights(23);
  const linear = (/** @type {string} */ name, /** @type {string} */ x, /** @type {number} */ k, /** @type {number} */ n) => g.linear(name, x, w.matrix(`${name}.w`, k, n, 1.5), w.bias(`${name}.b`, n));
  const norm = (/** @type {string} */ name, /** @type {string} */ x) => g.layerNorm(name, x, w.scale(`${name}.s`, width), w.bias(`${name}.b`, width), 1e-5);
  let x = g.node('Add', [g.rows('wte', 'input_ids', vocabulary, width, w.table('wte', vocabulary, width)), g.rows('wpe', 'position_ids', positions, width, w.table('wpe', positions, width, 0.7))]);
  const mask = g.bias('attention_mask');
  const triangle = g.constant('causal', [1, 1, positions, positions], Uint8Array.from({ length: positions ** 2 }, (_, i) => Number(i % positions <= Math.floor(i / positions))), bool);
  const shape = ['batch_size', heads, 'past_sequence_length', size];
  const [inputs, outputs] = [[], [['logits', g.float, ['batch_size', 'sequence_length', vocabulary]]]];
  for (const [name, length] of [['input_ids', 'sequence_length'], ['attention_mask', 'past_sequence_length + sequence_length'], ['position_ids', 'sequence_length']]) inputs.push([name, int64, ['batch_size', length]]);
  for (let i = 0; i < layers; i++) {
    const of = (/** @type {string} */ name) => `h.${i}.${name}`;
    const [q, k, v] = g.node('Split', [linear(of('attn.c_attn'), norm(of('ln_1'), x), width, 3 * width), g.ints([width, width, width])], { axis: 2 }, 3).map((/** @type {string} */ part) => g.split(part, heads, size));
    const [keys, values] = [['key', k], ['value', v]].map(([name, fresh]) => {
      inputs.push([`past_key_values.${i}.${name}`, g.float, shape]);
      outputs.push([`present.${i}.${name}`, g.float, ['batch_size', heads, 'past_sequence_length + sequence_length', size]]);
      return g.node('Concat', [`past_key_values.${i}.${name}`, fresh], { axis: 2 }, [`present.${i}.${name}`]);
    });
    const [total, now] = [g.size(keys, 2), g.size(q, 2)];
    const seen = g.node('Slice', [g.node('Slice', [triangle, g.node('Sub', [total, now]), total, g.ints([2])]), g.ints([0]), total, g.ints([3])]);
    const scores = g.node('Div', [g.node('MatMul', [q, g.node('Transpose', [keys], { perm: [0, 1, 3, 2] })]), g.scalar(Math.sqrt(size))]);
    const masked = g.node('Add', [g.node('Where', [seen, scores, g.scalar(g.least)]), mask]);
    const y = g.join(g.node('MatMul', [g.node('Softmax', [masked], { axis: -1 }), values]), width);
    x = g.node('Add', [linear(of('attn.c_proj'), y, width, width), x]);
    x = g.node('Add', [x, linear(of('mlp.c_proj'), g.tanhGelu(linear(of('mlp.c_fc'), norm(of('ln_2'), x), width, inside)), inside, width)]);
  }
  g.node('Identity', [g.linear('lm_head', norm('ln_f', x), w.matrix('lm_head.w', width, vocabulary, 4))], {}, ['logits']);
  return g.file(inputs, outputs);
}

// ---- a decoder in onnxruntime's operators: Llama --------------------------------------------------

/** @param {DType} dtype @param {number} vocabulary */
function llama(dtype, vocabulary) {
  const { width, heads, kv, inside, layers, positions } = { width: 64, heads: 4, kv: 2, inside: 96, layers: 2, positions: 128 };
  const size = width / heads;
  const g = new Graph(dtype, { weights: 'int8', accuracy: 4 });
  const w = weights(24);
  const linear = (/** @type {string} */ name, /** @type {string} */ x, /** @type {number} */ k, /** @type {number} */ n, spread = 1.5) => g.linear(name, x, w.matrix(`${name}.w`, k, n, spread));
  const scale = (/** @type {string} */ name) => g.floats(`${name}.weight`, [width], w.scale(name, width));
  const angle = (/** @type {number} */ i) => Math.floor(i / (size / 2)) / 10000 ** (2 * (i % (size / 2)) / size);
  const [cosines, sines] = [Math.cos, Math.sin].map((f) => g.floats(`${f.name}_cache`, [positions, size / 2], Float32Array.from({ length: positions * size / 2 }, (_, i) => f(angle(i)))));
  const lengths = g.node('Cast', [g.node('Sub', [g.node('ReduceSum', ['attention_mask', g.ints([1])], { keepdims: 0 }), g.ints([1])])], { to: int32 });
  const total = g.node('Cast', [g.node('Gather', [g.node('Shape', ['attention_mask']), g.ints([1], [])], { axis: 0 })], { to: int32 });
  let x = g.rows('embed_tokens', 'input_ids', vocabulary, width, w.table('embed', vocabulary, width));
  const inputs = [['input_ids', int64, ['batch_size', 'sequence_length']], ['attention_mask', int64, ['batch_size', 'total_sequence_length']], ['num_logits_to_keep', int64, []]];
  const outputs = [['logits', g.float, ['batch_size', 'num_logits_to_keep', vocabulary]]];
  let normal = g.node('SimplifiedLayerNormalization', [x, scale('layers.0.input_layernorm')], { axis: -1, epsilon: Float32Array.of(1e-5), stash_type: 1 });
  for (let i = 0; i < layers; i++) {
    const of = (/** @type {string} */ name) => `layers.${i}.${name}`;
    const names = ['key', 'value'].map((name) => [`past_key_values.${i}.${name}`, `present.${i}.${name}`]);
    for (const [past, present] of names) {
      inputs.push([past, g.float, ['batch_size', kv, 'past_sequence_length', size]]);
      outputs.push([present, g.float, ['batch_size', kv, 'total_sequence_length', size]]);
    }
    const [q, k, v] = [['q_proj', width], ['k_proj', kv * size], ['v_proj', kv * size]].map(([name, n]) => linear(of(String(name)), normal, width, Number(n)));
    const [y] = g.node('com.microsoft/GroupQueryAttention', [q, k, v, ...names.map(([past]) => past), lengths, total, cosines, sines],
      { num_heads: heads, kv_num_heads: kv, do_rotary: 1, rotary_interleaved: 0, scale: Float32Array.of(1 / Math.sqrt(size)) }, [g.name('attention'), ...names.map(([, present]) => present)]);
    const add = (/** @type {string} */ next, /** @type {string} */ delta) => {
      const [out, , , sum] = g.node('com.microsoft/SkipSimplifiedLayerNormalization', [x, delta, scale(next)], { epsilon: Float32Array.of(1e-5) }, [g.name('normal'), '', '', g.name('sum')]);
      [normal, x] = [out, sum];
    };
    add(of('post_attention_layernorm'), linear(of('o_proj'), y, width, width));
    const gate = linear(of('gate_proj'), normal, width, inside);
    const product = g.node('Mul', [g.node('Mul', [gate, g.node('Sigmoid', [gate])]), linear(of('up_proj'), normal, width, inside)]);
    add(i === layers - 1 ? 'norm' : `layers.${i + 1}.input_layernorm`, linear(of('down_proj'), product, inside, width));
  }
  // The rows of the last tokens, or all of them for 0.
  const from = g.node('Reshape', [g.node('Neg', ['num_logits_to_keep']), g.ints([1])]);
  const kept = g.node('Slice', [normal, from, g.ints([Number.MAX_SAFE_INTEGER]), g.ints([1])]);
  g.node('Identity', [linear('lm_head', kept, width, vocabulary, 4)], {}, ['logits']);
  return g.file(inputs, outputs);
}

// ---- an encoder and a decoder: T5 -----------------------------------------------------------------

const t5 = { width: 64, heads: 4, inside: 96, layers: 2 };

/** RMSNorm, as T5's exports spell it. @param {Graph} g @param {ReturnType<typeof weights>} w @param {string} name @param {string} x */
function rms(g, w, name, x) {
  const squares = g.node('ReduceMean', [g.node('Pow', [x, g.scalar(2)])], { axes: [-1] });
  const root = g.node('Sqrt', [g.node('Add', [squares, g.floats('epsilon', [], [1e-6])])]);
  return g.node('Mul', [g.floats(`${name}.weight`, [t5.width], w.scale(name, t5.width)), g.node('Mul', [x, g.node('Div', [g.scalar(1), root])])]);
}

/** @param {DType} dtype @param {number} vocabulary */
function t5Encoder(dtype, vocabulary) {
  const { width, heads, inside, layers } = t5;
  const g = new Graph(dtype);
  const w = weights(25);
  const linear = (/** @type {string} */ name, /** @type {string} */ x, /** @type {number} */ k, /** @type {number} */ n) => g.linear(name, x, w.matrix(name, k, n, 1.5));
  let x = g.rows('shared', 'input_ids', vocabulary, width, w.table('shared', vocabulary, width));
  const mask = g.bias('attention_mask');
  for (let i = 0; i < layers; i++) {
    const normal = rms(g, w, `encoder.${i}.0`, x);
    const [q, k, v] = ['q', 'k', 'v'].map((name) => g.split(linear(`encoder.${i}.${name}`, normal, width, width), heads, width / heads, name === 'k' ? [0, 2, 3, 1] : undefined));
    x = g.node('Add', [x, linear(`encoder.${i}.o`, g.join(g.attend(q, k, v, width / heads, [mask]), width), width, width)]);
    x = g.node('Add', [x, linear(`encoder.${i}.wo`, g.node('Relu', [linear(`encoder.${i}.wi`, rms(g, w, `encoder.${i}.1`, x), width, inside)]), inside, width)]);
  }
  g.node('Identity', [rms(g, w, 'encoder.norm', x)], {}, ['last_hidden_state']);
  return g.file(['input_ids', 'attention_mask'].map((name) => [name, int64, ['batch_size', 'sequence_length']]), [['last_hidden_state', g.float, ['batch_size', 'sequence_length', width]]]);
}

/**
 * The decoder without a past and with one, under an If, as Optimum merges the two.
 * @param {DType} dtype
 * @param {number} vocabulary
 */
function t5Decoder(dtype, vocabulary) {
  const { width, heads, inside, layers } = t5;
  const size = width / heads;
  const root = new Graph(dtype);
  const w = weights(25);
  const names = Array.from({ length: layers }, (_, i) => ['decoder.key', 'decoder.value', 'encoder.key', 'encoder.value'].map((name) => `${i}.${name}`)).flat();
  const outputs = () => [['logits', root.float, ['batch_size', 'decoder_sequence_length', vocabulary]],
    ...names.map((name) => [`present.${name}`, root.float, ['batch_size', heads, name.includes('encoder') ? 'encoder_sequence_length_out' : 'past_decoder_sequence_length + 1', size]])];
  const branch = (/** @type {boolean} */ past) => {
    const g = new Graph(dtype, { outer: root });
    const own = (/** @type {string} */ name) => `${name}_${past ? 'then' : 'else'}`; // an outer name may not be given again
    const linear = (/** @type {string} */ name, /** @type {string} */ x, /** @type {number} */ k, /** @type {number} */ n, spread = 1.5) => g.linear(name, x, w.matrix(name, k, n, spread));
    let x = g.rows('shared', 'input_ids', vocabulary, width, w.table('shared', vocabulary, width));
    const mask = g.bias('encoder_attention_mask');
    const made = ['logits', ...names.map((name) => `present.${name}`)].map(own);
    for (let i = 0; i < layers; i++) {
      const [key, value, encoderKey, encoderValue] = names.slice(4 * i, 4 * i + 4);
      const normal = rms(g, w, `decoder.${i}.0`, x);
      const [q, k, v] = ['q', 'k', 'v'].map((name) => g.split(linear(`decoder.${i}.${name}`, normal, width, width), heads, size));
      const [keys, values] = [[key, k], [value, v]].map(([name, fresh]) => (past ? g.node('Concat', [`past_key_values.${name}`, fresh], { axis: 2 }, [own(`present.${name}`)]) : g.node('Identity', [fresh], {}, [own(`present.${name}`)])));
      // Tokens may not look ahead; of the one token that there is with a past nothing is.
      const count = g.node('Squeeze', [g.size('input_ids', 1), g.ints([0])]);
      const places = g.node('Range', [g.ints([0], []), count, g.ints([1], [])]);
      const ahead = past ? undefined : g.node('Mul', [g.node('Cast', [g.node('Greater', [g.node('Unsqueeze', [places, g.ints([0])]), g.node('Unsqueeze', [places, g.ints([1])])])], { to: g.float }), g.scalar(-60000)]);
      x = g.node('Add', [x, linear(`decoder.${i}.o`, g.join(g.attend(q, g.node('Transpose', [keys], { perm: [0, 1, 3, 2] }), values, size, [ahead]), width), width, width)]);
      const query = g.split(linear(`decoder.${i}.cross.q`, rms(g, w, `decoder.${i}.1`, x), width, width), heads, size);
      const [crossKeys, crossValues] = [['k', encoderKey], ['v', encoderValue]].map(([kind, name]) => {
        if (!past) return g.node('Identity', [g.split(linear(`decoder.${i}.cross.${kind}`, 'encoder_hidden_states', width, width), heads, size)], {}, [own(`present.${name}`)]);
        // Nobody looks at them: the ones of the past are still good.
        g.node('Identity', [root.floats('nothing', [0, heads, 1, size], [])], {}, [own(`present.${name}`)]);
        return `past_key_values.${name}`;
      });
      x = g.node('Add', [x, linear(`decoder.${i}.cross.o`, g.join(g.attend(query, g.node('Transpose', [crossKeys], { perm: [0, 1, 3, 2] }), crossValues, size, [mask]), width), width, width)]);
      x = g.node('Add', [x, linear(`decoder.${i}.wo`, g.node('Relu', [linear(`decoder.${i}.wi`, rms(g, w, `decoder.${i}.2`, x), width, inside)]), inside, width)]);
    }
    g.node('Identity', [linear('lm_head', rms(g, w, 'decoder.norm', x), width, vocabulary, 4)], {}, [own('logits')]);
    return { nodes: g.nodes, outputs: outputs().map(([, type, dims], i) => [made[i], type, dims]) };
  };
  root.node('If', ['use_cache_branch'], { then_branch: branch(true), else_branch: branch(false) }, outputs().map(([name]) => name));
  const inputs = [['encoder_attention_mask', int64, ['batch_size', 'encoder_sequence_length']], ['input_ids', int64, ['batch_size', 'decoder_sequence_length']],
    ['encoder_hidden_states', root.float, ['batch_size', 'encoder_sequence_length', width]],
    ...names.map((name) => [`past_key_values.${name}`, root.float, ['batch_size', heads, name.includes('encoder') ? 'encoder_sequence_length_out' : 'past_decoder_sequence_length', size]]),
    ['use_cache_branch', bool, [1]]];
  return root.file(inputs, outputs());
}

// ---- folders --------------------------------------------------------------------------------------

/** Each model's files by path; those of a type are made when they are asked for. @returns {Record<string, Record<string, object | (() => Uint8Array)>>} */
export function folders() {
  const each = (/** @type {string} */ name, /** @type {(dtype: DType) => Uint8Array} */ make) => Object.fromEntries(dtypes.map((dtype) => [`onnx/${name}${suffixes[dtype]}.onnx`, () => make(dtype)]));
  const bytes = tokenizers['GPT-2']();
  const size = Object.keys(bytes.model.vocab).length + 1;
  const letters = byteFallback();
  const count = Object.keys(letters.model.vocab).length;
  const scored = tokenizers['Unigram, T5']();
  const many = scored.model.vocab.length;
  return {
    encoder: { 'config.json': { ...bertConfig, architectures: ['BertModel'] }, ...bertTokenizer, ...each('model', (dtype) => encoder(dtype, pieces)) },
    // The same with its weights in a file beside it, as newer exporters write it.
    external: {
      'config.json': { ...bertConfig, architectures: ['BertModel'], 'transformers.js_config': { use_external_data_format: true } }, ...bertTokenizer,
      'onnx/model.onnx': () => encoder('fp32', pieces, undefined, (g) => g.apart('model.onnx_data')),
      'onnx/model.onnx_data': () => {
        let data = new Uint8Array();
        encoder('fp32', pieces, undefined, (g) => {
          data = g.apart('model.onnx_data');
        });
        return data;
      },
    },
    classifier: {
      'config.json': { ...bertConfig, architectures: ['BertForSequenceClassification'], id2label: { 0: 'bad', 1: 'fair', 2: 'good' }, label2id: { bad: 0, fair: 1, good: 2 } },
      ...bertTokenizer, ...each('model', (dtype) => encoder(dtype, pieces, 3)),
    },
    gpt2: {
      'config.json': { model_type: 'gpt2', architectures: ['GPT2LMHeadModel'], n_head: 4, n_layer: 2, n_embd: 64, vocab_size: size, bos_token_id: size - 1, eos_token_id: size - 1 },
      'generation_config.json': { bos_token_id: size - 1, eos_token_id: size - 1 },
      'tokenizer_config.json': { tokenizer_class: 'GPT2Tokenizer', model_max_length: 128, eos_token: '<|endoftext|>', bos_token: '<|endoftext|>', unk_token: '<|endoftext|>', pad_token: '<|endoftext|>' },
      'tokenizer.json': bytes, ...each('model', (dtype) => gpt2(dtype, size)),
    },
    llama: {
      'config.json': { model_type: 'llama', architectures: ['LlamaForCausalLM'], hidden_size: 64, num_attention_heads: 4, num_key_value_heads: 2, num_hidden_layers: 2, vocab_size: count, bos_token_id: 1, eos_token_id: 2 },
      'generation_config.json': { bos_token_id: 1, eos_token_id: 2 },
      'tokenizer_config.json': { tokenizer_class: 'LlamaTokenizer', model_max_length: 128, bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>', pad_token: '</s>', add_bos_token: true, legacy: false },
      'tokenizer.json': letters, ...each('model', (dtype) => llama(dtype, count)),
    },
    t5: {
      'config.json': { model_type: 't5', architectures: ['T5ForConditionalGeneration'], is_encoder_decoder: true, d_model: t5.width, d_kv: 16, num_heads: t5.heads, num_layers: t5.layers, num_decoder_layers: t5.layers, vocab_size: many,
        decoder_start_token_id: 1, eos_token_id: 2, pad_token_id: 1 },
      'generation_config.json': { decoder_start_token_id: 1, eos_token_id: 2, pad_token_id: 1 },
      'tokenizer_config.json': { tokenizer_class: 'T5Tokenizer', model_max_length: 128, eos_token: '</s>', unk_token: '<unk>', pad_token: '<s>' },
      'tokenizer.json': scored, ...each('encoder_model', (dtype) => t5Encoder(dtype, many)), ...each('decoder_model_merged', (dtype) => t5Decoder(dtype, many)),
    },
  };
}
