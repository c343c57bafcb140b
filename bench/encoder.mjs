// An encoder as BERT has them, as an ONNX model made by code: float32, or with its products quantized as onnxruntime's
// quantize_dynamic writes them (which is what transformers.js loads as q8).

const bytesOf = (array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** Messages of protobuf, as parts that are joined once. */
const number = (v) => {
  const out = [];
  for (; v > 127; v = Math.floor(v / 128)) out.push((v % 128) | 128);
  return Uint8Array.from([...out, v]);
};
const size = (parts) => parts.reduce((n, part) => n + part.length, 0);
const varint = (id, v) => [number(id * 8), number(v)];
const message = (id, parts) => [number(id * 8 + 2), number(size(parts)), ...parts];
const text = (id, s) => message(id, [new TextEncoder().encode(s)]);
function join(parts) {
  const all = new Uint8Array(size(parts));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const types = new Map([[Float32Array, 1], [Uint8Array, 2], [Int8Array, 3], [BigInt64Array, 7]]);
const tensor = (name, dims, data) => message(5, [...dims.flatMap((d) => varint(1, d)), ...varint(2, types.get(data.constructor)), ...text(8, name), ...message(9, [bytesOf(data)])]);
const value = (id, name, dims) => message(id, [...text(1, name), ...message(2, message(1, [...varint(1, 1), ...message(2, dims.flatMap((d) => message(1, varint(1, d))))]))]);
function attribute(name, v) {
  if (Array.isArray(v)) return message(5, [...text(1, name), ...v.flatMap((i) => varint(8, i)), ...varint(20, 7)]);
  const integer = v < 0 ? [Uint8Array.of(3 * 8), Uint8Array.of(...Array.from({ length: 9 }, (_, i) => (i === 0 ? (v & 127) | 128 : 255)), 1)] : varint(3, v); // two's complement of 64 bits
  return message(5, [...text(1, name), ...integer, ...varint(20, 2)]);
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
  let seed = 12345;
  const random = () => ((seed = (Math.imul(seed, 1664525) + 1013904223) | 0) / 2 ** 31); // −1 … 1
  const nodes = [];
  const constants = [];
  let count = 0;
  const node = (op, inputs, attributes = {}, outputs = [`v${count++}`]) => {
    nodes.push(message(1, [...inputs.flatMap((i) => text(1, i)), ...outputs.flatMap((o) => text(2, o)), ...text(4, op), ...Object.entries(attributes).flatMap(([k, v]) => attribute(k, v))]));
    return outputs[0];
  };
  const constant = (dims, data) => {
    const name = `c${count++}`;
    constants.push(tensor(name, dims, data));
    return name;
  };
  const list = (...v) => constant([v.length], BigInt64Array.from(v, BigInt));
  const floats = (n, f) => Float32Array.from({ length: n }, f);
  const vector = (n, f = () => 0.02 * random()) => constant([n], floats(n, f));
  const scalar = (v) => constant([], Float32Array.of(v));
  const quantized = new Map();

  /** x · W + b. Products of one x share what quantizes it. */
  function dense(x, k, n) {
    const w = floats(k * n, () => random() * Math.sqrt(3 / k));
    const bias = vector(n);
    if (weights === 'float32') return node('Add', [node('MatMul', [x, constant([k, n], w)]), bias]);
    let [low, high] = [0, 0];
    for (const v of w) [low, high] = [Math.min(low, v), Math.max(high, v)];
    const signed = weights === 'int8';
    const scale = signed ? Math.max(high, -low) / 127 : (high - low) / 255;
    const zero = signed ? 0 : Math.round(-low / scale);
    const q = signed ? Int8Array.from(w, (v) => Math.round(v / scale)) : Uint8Array.from(w, (v) => Math.round(v / scale) + zero);
    if (!quantized.has(x)) {
      const names = [`v${count++}`, `v${count++}`, `v${count++}`];
      node('DynamicQuantizeLinear', [x], {}, names);
      quantized.set(x, names);
    }
    const [bytes, s, z] = quantized.get(x);
    const product = node('MatMulInteger', [bytes, constant([k, n], q), z, constant([], q.constructor.of(zero))]);
    return node('Add', [node('Mul', [node('Cast', [product], { to: 1 }), node('Mul', [s, scalar(scale)])]), bias]);
  }
  const normalized = (x) => node('LayerNormalization', [x, vector(width, () => 1 + 0.1 * random()), vector(width)], { axis: -1 });
  const apart = list(1, tokens, heads, width / heads);
  const together = list(1, tokens, width);
  const [root, one, half] = [scalar(1 / Math.sqrt(width / heads)), scalar(1), scalar(0.5)];
  const halfRoot = scalar(Math.SQRT1_2);

  let x = 'x';
  for (let i = 0; i < layers; i++) {
    const [q, k, v] = [0, 1, 2].map((j) => node('Transpose', [node('Reshape', [dense(x, width, width), apart])], { perm: j === 1 ? [0, 2, 3, 1] : [0, 2, 1, 3] }));
    const scores = node('Softmax', [node('Mul', [node('MatMul', [q, k]), root])], { axis: -1 });
    const seen = node('Reshape', [node('Transpose', [node('MatMul', [scores, v])], { perm: [0, 2, 1, 3] }), together]);
    x = normalized(node('Add', [dense(seen, width, width), x]));
    const wide = dense(x, width, 4 * width);
    const gelu = node('Mul', [node('Mul', [wide, node('Add', [node('Erf', [node('Mul', [wide, halfRoot])]), one])]), half]);
    x = normalized(node('Add', [dense(gelu, 4 * width, width), x]));
  }
  node('Identity', [x], {}, ['y']);
  return join([...varint(1, 8), ...message(8, varint(2, 17)), ...message(7, [...nodes, ...text(2, 'encoder'), ...constants, ...value(11, 'x', [1, tokens, width]), ...value(12, 'y', [1, tokens, width])].flat())]);
}
