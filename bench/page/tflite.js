// The networks of cnn.js and the chains of layerlist.js as LiteRT's files (.tflite), channels last. Numbers of fields, operators and types are those of its schema.fbs.
import { Builder } from 'flatbuffers';
import { channelsLast } from './data.js';
import { chainOf, dimsOf, parametersOf } from './layerlist.js';

const FLOAT32 = 0;
const INT32 = 2;
const [SAME, VALID] = [0, 1];
const operators = { ADD: 0, CONV_2D: 3, DEPTHWISE_CONV_2D: 4, FULLY_CONNECTED: 9, MAX_POOL_2D: 17, MUL: 18, PAD: 34, MEAN: 40, HARD_SWISH: 117 };
const fused = { relu: 1, relu6: 3 };

/**
 * A table: by the number of a field its type and value, of which those that are undefined are left out.
 * @param {Builder} b @param {['int8' | 'int32' | 'offset', number | undefined][]} fields
 */
function table(b, fields) {
  const add = { int8: 'addFieldInt8', int32: 'addFieldInt32', offset: 'addFieldOffset' };
  b.startObject(fields.length);
  for (const [i, [type, value]] of fields.entries()) if (value !== undefined) b[add[type]](i, value, type === 'offset' ? 0 : undefined);
  return b.endObject();
}

function offsets(b, list) {
  b.startVector(4, list.length, 4);
  for (const o of list.toReversed()) b.addOffset(o);
  return b.endVector();
}

function numbers(b, list) {
  b.startVector(4, list.length, 4);
  for (const v of [...list].reverse()) b.addInt32(v);
  return b.endVector();
}

class Writer {
  #tensors = [];
  #buffers = [new Uint8Array(0)]; // the first one is empty by convention
  #nodes = [];

  tensor(dims, data) {
    if (data) this.#buffers.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    this.#tensors.push({ dims, type: data instanceof Int32Array ? INT32 : FLOAT32, buffer: data ? this.#buffers.length - 1 : 0 });
    return this.#tensors.length - 1;
  }

  /** A node and its result. `options` are the number of their type in the union, and their fields. */
  node(op, inputs, dims, options) {
    const y = this.tensor(dims);
    this.#nodes.push({ op, inputs, y, options });
    return y;
  }

  dims(t) {
    return this.#tensors[t].dims;
  }

  /**
   * A convolution. PyTorch pads on all sides alike, which with steps of one pixel is what TensorFlow calls SAME; for others it
   * has an operator of its own. Weights are as ONNX has them, and so are the heights and widths of kernels.
   */
  conv(x, { weight, bias, kernel: [kh, kw], stride, depthwise, act }) {
    const [channels, inside] = [bias.length, weight.length / bias.length / (kh * kw)];
    const [n, h, wide, c] = this.dims(x);
    const [ph, pw] = [(kh - 1) / 2, (kw - 1) / 2];
    const same = stride === 1;
    let given = x;
    if (!same && ph + pw > 0) given = this.node('PAD', [x, this.tensor([4, 2], Int32Array.of(0, 0, ph, ph, pw, pw, 0, 0))], [n, h + 2 * ph, wide + 2 * pw, c], { type: 22, fields: [] });
    const filter = depthwise ? this.tensor([1, kh, kw, channels], channelsLast(weight, [1, channels, kh, kw])) : this.tensor([channels, kh, kw, inside], channelsLast(weight, [channels, inside, kh, kw]));
    const fields = [['int8', same ? SAME : VALID], ['int32', stride], ['int32', stride], ...(depthwise ? [['int32', 1]] : []), ['int8', fused[act] ?? 0], ['int32', 1], ['int32', 1]];
    const dims = [n, Math.floor((h - 1) / stride) + 1, Math.floor((wide - 1) / stride) + 1, channels];
    return this.node(depthwise ? 'DEPTHWISE_CONV_2D' : 'CONV_2D', [given, filter, this.tensor([channels], bias)], dims, { type: depthwise ? 2 : 1, fields });
  }

  /** A product with weights [out, in]. */
  dense(x, weight, out, { bias, act } = {}) {
    const rows = this.dims(x).slice(0, -1).reduce((a, b) => a * b, 1);
    const inputs = [x, this.tensor([out, weight.length / out], weight), ...(bias ? [this.tensor([out], bias)] : [])];
    return this.node('FULLY_CONNECTED', inputs, [rows, out], { type: 8, fields: [['int8', fused[act] ?? 0]] });
  }

  file(input, outputs) {
    const b = new Builder(1 << 20);
    const buffers = this.#buffers.map((bytes) => {
      if (bytes.length === 0) return table(b, []);
      b.startVector(1, bytes.length, 16);
      b.bb.setPosition((b.space -= bytes.length));
      b.bb.bytes().set(bytes, b.space);
      return table(b, [['offset', b.endVector()]]);
    });
    const codes = [...new Set(this.#nodes.map((n) => n.op))];
    const made = codes.map((op) => table(b, [['int8', Math.min(operators[op], 127)], ['offset', undefined], ['int32', 1], ['int32', operators[op]]]));
    const tensors = this.#tensors.map(({ dims, type, buffer }, i) => {
      const name = b.createString(`t${i}`);
      return table(b, [['offset', numbers(b, dims)], ['int8', type], ['int32', buffer], ['offset', name]]);
    });
    const nodes = this.#nodes.map(({ op, inputs, y, options }) => {
      const parts = [numbers(b, inputs), numbers(b, [y])];
      const of = options && table(b, options.fields);
      return table(b, [['int32', codes.indexOf(op)], ['offset', parts[0]], ['offset', parts[1]], ['int8', options?.type], ['offset', of]]);
    });
    const name = b.createString('main');
    const graph = table(b, [['offset', offsets(b, tensors)], ['offset', numbers(b, [input])], ['offset', numbers(b, outputs)], ['offset', offsets(b, nodes)], ['offset', name]]);
    const text = b.createString('network');
    b.finish(table(b, [['int32', 3], ['offset', offsets(b, made)], ['offset', offsets(b, [graph])], ['offset', text], ['offset', offsets(b, buffers)]]), 'TFL3');
    return b.asUint8Array();
  }
}

/** @returns {Uint8Array} */
export function toTFLite(steps) {
  const w = new Writer();
  const values = [];
  const image = ({ size, channels }) => [1, size, size, channels];
  const pair = (op, a, b, act) => w.node(op, [a, b], w.dims(a), { type: op === 'ADD' ? 11 : 21, fields: [['int8', fused[act] ?? 0]] });
  const write = {
    input: (s) => w.tensor(image(s)),
    conv: (s) => w.conv(values[s.x], { ...s, kernel: [s.kernel, s.kernel] }),
    add: (s) => pair('ADD', values[s.x], values[s.b], s.act),
    mul: (s) => pair('MUL', values[s.x], values[s.b]),
    // SAME would put the pixels around an even size on two sides only. Behind a Relu it does no harm that they are zeros.
    maxPool(s) {
      const [n, h, wide, c] = w.dims(values[s.x]);
      const wider = w.node('PAD', [values[s.x], w.tensor([4, 2], Int32Array.of(0, 0, 1, 1, 1, 1, 0, 0))], [n, h + 2, wide + 2, c], { type: 22, fields: [] });
      return w.node('MAX_POOL_2D', [wider], image(s), { type: 5, fields: [['int8', VALID], ['int32', 2], ['int32', 2], ['int32', 3], ['int32', 3], ['int8', 0]] });
    },
    mean: (s) => w.node('MEAN', [values[s.x], w.tensor([2], Int32Array.of(1, 2))], image(s), { type: 27, fields: [['int8', 1]] }),
    dense: (s) => w.dense(values[s.x], s.weight, s.channels, s),
  };
  for (const s of steps) {
    let y = write[s.op](s);
    if (s.act === 'hardSwish') y = w.node('HARD_SWISH', [y], w.dims(y));
    if (s.act === 'hardSigmoid') y = pair('MUL', pair('ADD', y, w.tensor([1], Float32Array.of(3)), 'relu6'), w.tensor([1], Float32Array.of(1 / 6)));
    values.push(y);
  }
  return w.file(values[0], [values.at(-1)]);
}

/** So many nodes of a layer: the last result, or those of all that read the same x. @returns {Uint8Array} */
export function chainToTFLite(layer, length) {
  const w = new Writer();
  const chain = chainOf(layer, length);
  const { x: dims } = dimsOf(chain[0]);
  const x = w.tensor(dims.length === 4 ? [dims[0], dims[2], dims[3], dims[1]] : dims);
  const results = [];
  let value = x;
  for (const [i, node] of chain.entries()) {
    const p = parametersOf(node, i);
    const from = layer.aside ? x : value;
    // [k, n] of a product to [n, k].
    if (node.op === 'MatMul') value = w.dense(from, channelsLast(p.weight, [1, node.k, node.n]), node.n);
    else value = w.conv(from, { ...p, ...node, depthwise: node.groups > 1 });
    results.push(value);
  }
  return w.file(x, layer.aside ? results : [value]);
}
