// The networks of cnn.js as LiteRT's files (.tflite), channels last. Numbers of fields, operators and types are those of its schema.fbs.
import { Builder } from 'flatbuffers';
import { channelsLast } from './data.js';

const FLOAT32 = 0;
const INT32 = 2;
const VALID = 1;
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

  file(input, output) {
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
    const graph = table(b, [['offset', offsets(b, tensors)], ['offset', numbers(b, [input])], ['offset', numbers(b, [output])], ['offset', offsets(b, nodes)], ['offset', name]]);
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
  const activation = (act) => fused[act] ?? 0;
  /** PyTorch pads on all sides alike, which TensorFlow has an operator of its own for. */
  const padded = (x, pad) => {
    const [n, h, wide, c] = w.dims(x);
    return pad === 0 ? x : w.node('PAD', [x, w.tensor([4, 2], Int32Array.of(0, 0, pad, pad, pad, pad, 0, 0))], [n, h + 2 * pad, wide + 2 * pad, c], { type: 22, fields: [] });
  };
  const pair = (op, a, b, act) => w.node(op, [a, b], w.dims(a), { type: op === 'ADD' ? 11 : 21, fields: [['int8', activation(act)]] });
  const write = {
    input: (s) => w.tensor(image(s)),
    conv(s) {
      const { channels, inside, kernel, stride, depthwise } = s;
      const weight = depthwise ? channelsLast(s.weight, [1, channels, kernel, kernel]) : channelsLast(s.weight, [channels, inside, kernel, kernel]);
      const filter = w.tensor(depthwise ? [1, kernel, kernel, channels] : [channels, kernel, kernel, inside], weight);
      const fields = [['int8', VALID], ['int32', stride], ['int32', stride], ...(depthwise ? [['int32', 1]] : []), ['int8', activation(s.act)], ['int32', 1], ['int32', 1]];
      return w.node(depthwise ? 'DEPTHWISE_CONV_2D' : 'CONV_2D', [padded(values[s.x], s.pad), filter, w.tensor([channels], s.bias)], image(s), { type: depthwise ? 2 : 1, fields });
    },
    add: (s) => pair('ADD', values[s.x], values[s.b], s.act),
    mul: (s) => pair('MUL', values[s.x], values[s.b]),
    // Behind a Relu, so that zeros around do no harm.
    maxPool: (s) => w.node('MAX_POOL_2D', [padded(values[s.x], 1)], image(s), { type: 5, fields: [['int8', VALID], ['int32', 2], ['int32', 2], ['int32', 3], ['int32', 3], ['int8', 0]] }),
    mean: (s) => w.node('MEAN', [values[s.x], w.tensor([2], Int32Array.of(1, 2))], image(s), { type: 27, fields: [['int8', 1]] }),
    dense: (s) => w.node('FULLY_CONNECTED', [values[s.x], w.tensor([s.channels, s.inside], s.weight), w.tensor([s.channels], s.bias)], [1, s.channels], { type: 8, fields: [['int8', activation(s.act)]] }),
  };
  for (const s of steps) {
    let y = write[s.op](s);
    if (s.act === 'hardSwish') y = w.node('HARD_SWISH', [y], w.dims(y));
    if (s.act === 'hardSigmoid') y = pair('MUL', pair('ADD', y, w.tensor([1], Float32Array.of(3)), 'relu6'), w.tensor([1], Float32Array.of(1 / 6)));
    values.push(y);
  }
  return w.file(values[0], values.at(-1));
}
