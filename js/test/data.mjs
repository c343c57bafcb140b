// Data of the tests: a seeded generator, float64 oracles, and models written by hand.

/** Uniform numbers in [-1, 1), the same on every machine (mulberry32). @param {number} seed */
export function random(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (((t ^ (t >>> 14)) >>> 0) / 2 ** 31) - 1;
  };
}

/** Numbers and choices of a seed. */
export class Draw {
  #next;

  /** @param {number} seed */
  constructor(seed) {
    this.#next = random(seed);
  }

  /** From low up to high. */
  between(low, high) {
    return low + ((this.#next() + 1) / 2) * (high - low);
  }

  /** From low to high, both of them included. */
  int(low, high) {
    return Math.floor(this.between(low, high + 1));
  }

  chance(p) {
    return this.between(0, 1) < p;
  }

  pick(list) {
    return list[this.int(0, list.length - 1)];
  }

  normal() {
    return Math.sqrt(-2 * Math.log(1 - this.between(0, 1))) * Math.cos(this.between(0, 2 * Math.PI));
  }

  normals(n, mean, deviation) {
    return Float32Array.from({ length: n }, () => mean + deviation * this.normal());
  }

  /** As an attribute has it: a float32. */
  epsilon() {
    return Math.fround(10 ** this.between(-12, -1));
  }
}

/** @param {number} n @param {number} seed @param {number} [spread] @param {number} [offset] */
export function floats(n, seed, spread = 2, offset = 0) {
  const next = random(seed);
  return Float32Array.from({ length: n }, () => next() * spread + offset);
}

/** LayerNorm over the last axis, straight from the formula, in float64. */
export function layerNormOracle(x, cols, { scale, bias, residual, epsilon = 1e-5 } = {}) {
  const y = new Float64Array(x.length);
  const rows = cols ? x.length / cols : 0;
  for (let r = 0; r < rows; r++) {
    const row = Array.from({ length: cols }, (_, i) => (residual ? Math.fround(x[r * cols + i] + residual[r * cols + i]) : x[r * cols + i]));
    const mean = row.reduce((sum, v) => sum + v, 0) / cols;
    const variance = row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / cols;
    row.forEach((v, i) => {
      y[r * cols + i] = ((v - mean) / Math.sqrt(variance + epsilon)) * (scale ? scale[i] : 1) + (bias ? bias[i] : 0);
    });
  }
  return y;
}

/** BatchNorm of [outer channels inner] in float64. */
export function batchNormOracle(x, channels, inner, { scale, bias, mean, variance, epsilon = 1e-5, activation }) {
  return Float64Array.from(x, (v, i) => {
    const c = Math.floor(i / inner) % channels;
    const y = ((v - mean[c]) / Math.sqrt(variance[c] + epsilon)) * (scale ? scale[c] : 1) + (bias ? bias[c] : 0);
    return activate(y, activation);
  });
}

/**
 * Any normalization with statistics of its own, in float64: group(i) names what shares
 * them with element i, parameter(i) is the index of its scale and bias.
 */
export function groupedOracle(x, group, parameter, { scale, bias, residual, epsilon = 1e-5, rms = false, activation } = {}) {
  const input = Float64Array.from(x, (v, i) => (residual ? Math.fround(v + residual[i]) : v));
  const groups = new Map();
  input.forEach((v, i) => groups.set(group(i), [...(groups.get(group(i)) ?? []), v]));
  const statistics = new Map();
  for (const [key, values] of groups) {
    const mean = rms ? 0 : values.reduce((a, b) => a + b, 0) / values.length;
    statistics.set(key, { mean, rstd: 1 / Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length + epsilon) });
  }
  const y = input.map((v, i) => {
    const { mean, rstd } = statistics.get(group(i));
    return activate((v - mean) * rstd * (scale ? scale[parameter(i)] : 1) + (bias ? bias[parameter(i)] : 0), activation);
  });
  return { y, input, statistics };
}

export function activate(v, activation) {
  switch (activation) {
    case 'relu': return Math.max(v, 0);
    case 'relu6': return Math.min(Math.max(v, 0), 6);
    case 'silu': return v / (1 + Math.exp(-v));
    default: return v;
  }
}

/** The example and the channel of element i of [N C …] or [N … C]. */
export function indexOf(shape, layout) {
  const channels = layout === 'nhwc' ? shape[shape.length - 1] : shape[1];
  const size = shape.slice(1).reduce((a, b) => a * b, 1);
  const inner = size / channels;
  return (i) => ({ n: Math.floor(i / size), c: layout === 'nhwc' ? i % channels : Math.floor(i / inner) % channels });
}

/** The largest difference in units of (1 + |want|). */
export function distance(got, want) {
  if (got.length !== want.length) return Infinity;
  let worst = 0;
  for (let i = 0; i < want.length; i++) {
    const d = Math.abs(got[i] - want[i]) / (1 + Math.abs(want[i]));
    if (!(d <= worst)) worst = Number.isNaN(d) && Number.isNaN(got[i]) && Number.isNaN(want[i]) ? worst : Number.isNaN(d) ? Infinity : d;
  }
  return worst;
}

// Protobuf, as much as a small ONNX model needs.
const number = (v) => {
  const out = [];
  for (v = BigInt.asUintN(64, BigInt(v)); v > 127n; v >>= 7n) out.push(Number(v & 127n) | 128);
  return [...out, Number(v)];
};
const varint = (id, v) => [...number(id * 8), ...number(v)];
const bytes = (id, content) => [...number(id * 8 + 2), ...number(content.length), ...content];
const text = (id, s) => bytes(id, [...new TextEncoder().encode(s)]);
const dim = (d) => bytes(1, typeof d === 'number' ? varint(1, d) : text(2, d));
const typeOf = (type, dims) => (type.map ? bytes(5, [...varint(1, type.map[0]), ...bytes(2, typeOf(type.map[1], []))]) : type.sequence ? bytes(4, bytes(1, typeOf(type.sequence, dims))) : type.optional ? bytes(9, bytes(1, typeOf(type.optional, dims)))
  : bytes(1, [...varint(1, type), ...dims ? bytes(2, dims.flatMap(dim)) : []]));
const value = (id, name, type, dims) => bytes(id, [...text(1, name), ...bytes(2, typeOf(type, dims))]);

const raw = (array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
const float = (id, v) => [...number(id * 8 + 5), ...raw(Float32Array.of(v))];
/** What a TensorProto has: strings one by one, other elements in one piece, or where a file has them. */
const elements = (data) => (Array.isArray(data) ? data.flatMap((s) => text(6, s)) : ArrayBuffer.isView(data) ? bytes(9, raw(data))
  : [...Object.entries(data).flatMap(([key, v]) => bytes(13, [...text(1, key), ...text(2, String(v))])), ...varint(14, 1)]);
const tensor = (name, dims, data, type = 1) => [...dims.flatMap((d) => varint(1, d)), ...varint(2, type), ...text(8, name), ...elements(data)];

function attribute(name, v) {
  let content;
  if (v instanceof Float32Array) content = [...float(2, v[0]), ...varint(20, 1)];
  else if (Array.isArray(v)) content = [...v.flatMap((i) => varint(8, i)), ...varint(20, 7)];
  else if (typeof v === 'string') content = [...text(4, v), ...varint(20, 3)];
  else if (v.floats) content = [...v.floats.flatMap((f) => float(7, f)), ...varint(20, 6)];
  else if (v.strings) content = [...v.strings.flatMap((s) => text(9, s)), ...varint(20, 8)];
  else if (v.nodes) content = [...bytes(6, graph(v)), ...varint(20, 5)];
  else if (v.data) content = [...bytes(5, tensor('', v.dims, v.data, v.type)), ...varint(20, 4)];
  else content = [...varint(3, v), ...varint(20, 2)];
  return bytes(5, [...text(1, name), ...content]);
}

const graph = ({ nodes, inputs = [], outputs, constants = [] }) => [
  ...nodes.flatMap((n) => bytes(1, [...n.inputs.flatMap((i) => text(1, i)), ...n.outputs.flatMap((o) => text(2, o)), ...text(4, n.op), ...n.domain ? text(7, n.domain) : [],
    ...Object.entries(n.attributes ?? {}).flatMap(([name, v]) => attribute(name, v))])),
  ...text(2, 'graph'),
  ...constants.flatMap((c) => bytes(5, tensor(...c))),
  ...inputs.flatMap((i) => value(11, ...i)),
  ...outputs.flatMap((o) => value(12, ...o)),
];

/**
 * A model of the given nodes: { op, inputs, outputs, attributes }, with the domain of those that are not ONNX's, whose
 * versions `domains` has. Inputs and outputs are [name, type number, dims], without
 * dims where they are not known; a type may be { sequence: type }, { optional: type } or { map: [type of keys, type] }. Constants are [name, dims, typed array or strings, or
 * { location, offset, length } of external data, type number: float32 if left out]. Of the
 * attributes a number is an int, a Float32Array of one a float, an array ints, { floats } a list of them, { strings } one of strings, { type, dims, data }
 * a tensor, { nodes, outputs } a graph.
 */
export function model({ opset = 17, domains = {}, ...content }) {
  const others = Object.entries(domains).flatMap(([domain, version]) => bytes(8, [...text(1, domain), ...varint(2, version)]));
  return Uint8Array.from([...varint(1, 8), ...bytes(8, varint(2, opset)), ...others, ...bytes(7, graph(content))]);
}

/** y = relu(x) and z = x + x, with x [n 3]. */
export function twoOutputs() {
  return model({
    nodes: [{ op: 'Relu', inputs: ['x'], outputs: ['y'] }, { op: 'Add', inputs: ['x', 'x'], outputs: ['z'] }],
    inputs: [['x', 1, ['n', 3]]],
    outputs: [['y', 1, ['n', 3]], ['z', 1, ['n', 3]]],
  });
}

/** An array whose buffer is gone. */
export function detached(length, Class = Float32Array) {
  const array = new Class(length);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}
