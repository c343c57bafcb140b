// The twin in ONNX of a decoder like Llama: with past and present, of the operators that onnxruntime's own tools write for
// its fastest kernels (RotaryEmbedding, SkipSimplifiedLayerNormalization), one token a run, one product for q, k and v and one for gate and up.
import { attribute, bytes, concat, integer, message, string } from './onnx.js';

const FLOAT = 1;
const INT32 = 6;
const INT64 = 7;

const tensor = (name, dims, type, data) => message(5, ...dims.map((d) => integer(1, d)), integer(2, type), string(8, name), bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)));
const value = (field, name, type, dims) => message(field, string(1, name), message(2, message(1, integer(1, type), message(2, ...dims.map((d) => message(1, typeof d === 'string' ? string(2, d) : integer(1, d)))))));

/** Matrices [out, in], one below the other, as one [in, out]. */
function turned(list, inside) {
  const rows = list.reduce((n, m) => n + m.length / inside, 0);
  const t = new Float32Array(rows * inside);
  let at = 0;
  for (const m of list) {
    for (let r = 0; r < m.length / inside; r++, at++) for (let c = 0; c < inside; c++) t[c * rows + at] = m[r * inside + c];
  }
  return [t, [inside, rows]];
}

/**
 * @param {Record<string, Float32Array>} w token_embedding, rms_final and layers.N.{rms_att, wq, wk, wv, wo, rms_ffn, w1, w2, w3}
 * @param {{ dim: number, layers: number, heads: number, kv: number, vocabulary: number, context: number }} o
 */
export function twin(w, { dim, layers, heads, kv, vocabulary, context }) {
  const graph = [];
  const size = dim / heads;
  const constant = (name, [data, dims]) => graph.push(tensor(name, dims, FLOAT, data));
  const node = (op, inputs, outputs, attributes = {}, domain = '') => graph.push(message(1, ...inputs.map((s) => string(1, s)), ...outputs.map((s) => string(2, s)),
    string(3, outputs[0]), string(4, op), ...Object.entries(attributes).map(([k, v]) => attribute(k, v)), ...(domain ? [string(7, domain)] : [])));
  const contrib = 'com.microsoft';
  const epsilon = 1e-5;
  const cos = new Float32Array(context * size / 2);
  const sin = cos.slice();
  for (let p = 0; p < context; p++) {
    for (let i = 0; i < size / 2; i++) {
      const angle = p / 10000 ** (2 * i / size);
      cos[p * size / 2 + i] = Math.cos(angle);
      sin[p * size / 2 + i] = Math.sin(angle);
    }
  }
  constant('cos', [cos, [context, size / 2]]);
  constant('sin', [sin, [context, size / 2]]);
  const shape = (name, ...list) => graph.push(tensor(name, [list.length], INT64, BigInt64Array.from(list, BigInt)));
  shape('heads', 1, heads, 1, size);
  shape('kvs', 1, kv, 1, size);
  shape('groups', 1, kv, heads / kv, size);
  shape('row', 1, 1, dim);
  constant('scale', [Float32Array.of(1 / Math.sqrt(size)), []]);
  constant('embedding', [w.token_embedding, [vocabulary, dim]]);
  node('Gather', ['embedding', 'input_ids'], ['x0']);
  constant('norm0.weight', [w['layers.0.rms_att'], [dim]]);
  node('SimplifiedLayerNormalization', ['x0', 'norm0.weight'], ['h0'], { epsilon, axis: -1 });
  const inputs = [value(11, 'input_ids', INT64, [1, 'sequence']), value(11, 'position_ids', INT64, [1, 'sequence'])];
  const outputs = [value(12, 'logits', FLOAT, [1, 'sequence', vocabulary])];
  let x = 'x0';
  for (let i = 0; i < layers; i++) {
    const at = `layers.${i}.`;
    constant(`${at}qkv`, turned([w[`${at}wq`], w[`${at}wk`], w[`${at}wv`]], dim));
    constant(`${at}o`, turned([w[`${at}wo`]], dim));
    const hidden = w[`${at}w1`].length / dim;
    constant(`${at}gate`, turned([w[`${at}w1`], w[`${at}w3`]], dim));
    constant(`${at}down`, turned([w[`${at}w2`]], hidden));
    constant(`${at}ffn`, [w[`${at}rms_ffn`], [dim]]);
    constant(`norm${i + 1}.weight`, [w[`layers.${i + 1}.rms_att`] ?? w.rms_final, [dim]]);
    node('MatMul', [`h${i}`, `${at}qkv`], [`${at}projected`]);
    // GroupQueryAttention of onnxruntime takes heads of multiples of 16 only, so that attention is spelled out: rotated by its operator, and with the
    // queries that share keys as the rows of one product.
    graph.push(tensor(`${at}thirds`, [3], INT64, BigInt64Array.of(BigInt(dim), BigInt(kv * size), BigInt(kv * size))));
    node('Split', [`${at}projected`, `${at}thirds`], [`${at}q`, `${at}k`, `${at}v`], { axis: -1 });
    for (const [name, shape] of [['q', 'heads'], ['k', 'kvs'], ['v', 'kvs']]) {
      node('Reshape', [`${at}${name}`, shape], [`${at}${name}4`]);
      if (name !== 'v') node('RotaryEmbedding', [`${at}${name}4`, 'position_ids', 'cos', 'sin'], [`${at}${name}r`], { interleaved: 1 }, contrib);
    }
    node('Concat', [`past_key_values.${i}.key`, `${at}kr`], [`present.${i}.key`], { axis: 2 });
    node('Concat', [`past_key_values.${i}.value`, `${at}v4`], [`present.${i}.value`], { axis: 2 });
    node('Reshape', [`${at}qr`, 'groups'], [`${at}qg`]);
    node('Transpose', [`present.${i}.key`], [`${at}kt`], { perm: [0, 1, 3, 2] });
    node('MatMul', [`${at}qg`, `${at}kt`], [`${at}scores`]);
    node('Mul', [`${at}scores`, 'scale'], [`${at}scaled`]);
    node('Softmax', [`${at}scaled`], [`${at}p`], { axis: -1 });
    node('MatMul', [`${at}p`, `present.${i}.value`], [`${at}pv`]);
    node('Reshape', [`${at}pv`, 'row'], [`${at}attention`]);
    node('MatMul', [`${at}attention`, `${at}o`], [`${at}attended`]);
    node('SkipSimplifiedLayerNormalization', [x, `${at}attended`, `${at}ffn`], [`${at}normed`, '', '', `${at}sum`], { epsilon }, contrib);
    node('MatMul', [`${at}normed`, `${at}gate`], [`${at}both`]);
    graph.push(tensor(`${at}halves`, [2], INT64, BigInt64Array.of(BigInt(hidden), BigInt(hidden))));
    node('Split', [`${at}both`, `${at}halves`], [`${at}g`, `${at}u`], { axis: -1 });
    node('Sigmoid', [`${at}g`], [`${at}s`]);
    node('Mul', [`${at}g`, `${at}s`], [`${at}silu`]);
    node('Mul', [`${at}silu`, `${at}u`], [`${at}inside`]);
    node('MatMul', [`${at}inside`, `${at}down`], [`${at}mlp`]);
    x = `x${i + 1}`;
    node('SkipSimplifiedLayerNormalization', [`${at}sum`, `${at}mlp`, `norm${i + 1}.weight`], [`h${i + 1}`, '', '', x], { epsilon }, contrib);
    for (const kind of ['key', 'value']) {
      inputs.push(value(11, `past_key_values.${i}.${kind}`, FLOAT, [1, kv, 'past', size]));
      outputs.push(value(12, `present.${i}.${kind}`, FLOAT, [1, kv, 'total', size]));
    }
  }
  constant('head', turned([w.token_embedding], dim));
  node('MatMul', [`h${layers}`, 'head'], ['logits']);
  graph.push(string(2, 'twin'), ...inputs, ...outputs);
  return concat([integer(1, 8), message(8, string(1, ''), integer(2, 17)), message(8, string(1, contrib), integer(2, 1)), message(7, ...graph)]);
}

/** The weights of a file of llama2.c, version 0, by their names. @param {ArrayBuffer} file */
export function llama2c(file) {
  const [dim, hidden, layers, heads, kv, vocabulary, context] = new Int32Array(file, 0, 7);
  const w = {};
  let at = 28;
  const take = (n) => {
    const list = new Float32Array(file, at, n);
    at += 4 * n;
    return list;
  };
  const each = (name, n) => {
    for (let i = 0; i < layers; i++) w[`layers.${i}.${name}`] = take(n);
  };
  const width = dim / heads * kv;
  w.token_embedding = take(vocabulary * dim);
  each('rms_att', dim);
  each('wq', dim * dim);
  each('wk', dim * width);
  each('wv', dim * width);
  each('wo', dim * dim);
  each('rms_ffn', dim);
  each('w1', dim * hidden);
  each('w2', dim * hidden);
  each('w3', dim * hidden);
  w.rms_final = take(dim);
  return { weights: w, sizes: { dim, hidden, layers, heads, kv, vocabulary, context } };
}
