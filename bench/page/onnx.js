// Just enough of a protobuf writer to make ONNX models: chains of one operator, and graphs node by node.
// Field numbers are those of onnx.proto3.

const text = new TextEncoder();

export function varint(n) {
  const out = [];
  let v = BigInt.asUintN(64, BigInt(n));
  while (v > 127n) {
    out.push(Number(v & 127n) | 128);
    v >>= 7n;
  }
  out.push(Number(v));
  return out;
}

export function concat(parts) {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

export const integer = (field, n) => Uint8Array.from([...varint(field << 3), ...varint(n)]);
export const bytes = (field, b) => concat([Uint8Array.from([...varint((field << 3) | 2), ...varint(b.length)]), b]);
export const string = (field, s) => bytes(field, text.encode(s));
export const message = (field, ...parts) => bytes(field, concat(parts));
const float = (field, v) => concat([Uint8Array.from(varint((field << 3) | 5)), new Uint8Array(Float32Array.of(v).buffer)]);

const FLOAT = 1;
const types = new Map([[Float32Array, FLOAT], [Uint8Array, 2], [Int8Array, 3], [Int32Array, 6], [BigInt64Array, 7]]);

export function attribute(name, value) {
  if (Array.isArray(value)) return message(5, string(1, name), ...value.map((v) => integer(8, v)), integer(20, 7));
  if (typeof value === 'string') return message(5, string(1, name), string(4, value), integer(20, 3));
  return typeof value === 'number' && !Number.isInteger(value)
    ? message(5, string(1, name), float(2, value), integer(20, 1))
    : message(5, string(1, name), integer(3, value), integer(20, 2));
}

function initializer(name, dims, data) {
  return message(5, ...dims.map((d) => integer(1, d)), integer(2, types.get(data.constructor)), string(8, name),
    bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)));
}

function valueInfo(field, name, dims, type = FLOAT) {
  const shape = message(2, ...dims.map((d) => message(1, typeof d === 'string' ? string(2, d) : integer(1, d))));
  return message(field, string(1, name), message(2, message(1, integer(1, type), shape)));
}

/** A graph that is written node by node. Values are known by names, which methods make and return. */
export class Graph {
  #nodes = [];
  #constants = [];
  #values = [];
  #count = 0;
  #domains = new Map();
  #results = new Map();

  #name() {
    return `v${this.#count++}`;
  }

  /** @param {string} name @param {(number | string)[]} dims @param {Function} [type] the class of its elements' array */
  input(name, dims, type = Float32Array) {
    this.#values.push(valueInfo(11, name, dims, types.get(type)));
    return name;
  }

  /** A result of the model: what a node gives is known by this name then. */
  output(value, dims, name, type = Float32Array) {
    this.#results.set(value, name);
    this.#values.push(valueInfo(12, name, dims, types.get(type)));
  }

  /** @param {ArrayBufferView} data of a class that ONNX has a type for @param {number[]} [dims] default: one, its length */
  constant(data, dims = [data.length]) {
    const name = this.#name();
    this.#constants.push(initializer(name, dims, data));
    return name;
  }

  scalar(value) {
    return this.constant(Float32Array.of(value), []);
  }

  /** A list of whole numbers, as shapes and axes are given. */
  list(...values) {
    return this.constant(BigInt64Array.from(values, BigInt));
  }

  /** A node and the name of its result, or of several the names. '' is an input that is left out. */
  node(op, inputs, attributes = {}, { outputs = 1, domain = '', version = 1 } = {}) {
    const names = Array.from({ length: outputs }, () => this.#name());
    this.#nodes.push({ op, inputs, names, attributes, domain });
    if (domain) this.#domains.set(domain, version);
    return outputs === 1 ? names[0] : names;
  }

  /** @returns {Uint8Array} the file */
  model({ opset = 17 } = {}) {
    const sets = [['', opset], ...this.#domains].map(([domain, version]) => message(8, string(1, domain), integer(2, version)));
    const known = (value) => this.#results.get(value) ?? value;
    const nodes = this.#nodes.map(({ op, inputs, names, attributes, domain }) => message(1, ...inputs.map((s) => string(1, known(s))), ...names.map((s) => string(2, known(s))),
      string(3, names[0]), string(4, op), ...Object.entries(attributes).map(([k, v]) => attribute(k, v)), ...(domain ? [string(7, domain)] : [])));
    return concat([integer(1, 8), ...sets, message(7, ...nodes, string(2, 'graph'), ...this.#constants, ...this.#values)]);
  }
}

/**
 * A model in which x goes through `nodes` nodes of one operator to y. Every
 * node has its own copy of the parameters, as the layers of a network have.
 *
 * @param {object} o
 * @param {string} o.op
 * @param {number} o.nodes
 * @param {number[]} o.dims Of x and of y.
 * @param {[string, Float32Array][]} o.parameters The inputs after x, in order.
 * @param {Record<string, number>} o.attributes
 * @param {number} o.opset
 */
export function chainModel({ op, nodes, dims, parameters, attributes, opset }) {
  const graph = [];
  for (let i = 0; i < nodes; i++) {
    const inputs = [i === 0 ? 'x' : `h${i}`, ...parameters.map(([name]) => `${name}${i}`)];
    graph.push(message(1, ...inputs.map((s) => string(1, s)), string(2, i === nodes - 1 ? 'y' : `h${i + 1}`),
      string(3, `${op}_${i}`), string(4, op), ...Object.entries(attributes).map(([k, v]) => attribute(k, v))));
  }
  graph.push(string(2, 'chain'));
  for (let i = 0; i < nodes; i++) {
    for (const [name, data, dims = [data.length]] of parameters) graph.push(initializer(`${name}${i}`, dims, data));
  }
  graph.push(valueInfo(11, 'x', dims), valueInfo(12, 'y', dims));
  return concat([integer(1, 8), message(8, string(1, ''), integer(2, opset)), message(7, ...graph)]);
}

/** GroupNormalization as exporters spelled it before ONNX had it: InstanceNormalization of [N, groups, -1]. */
export function groupNormChain({ nodes, dims, groups, epsilon, parameters: [[, scale], [, bias]] }) {
  const graph = [];
  const node = (op, inputs, output, ...attributes) => graph.push(message(1, ...inputs.map((s) => string(1, s)), string(2, output),
    string(4, op), ...attributes));
  for (let i = 0; i < nodes; i++) {
    node('Reshape', [i === 0 ? 'x' : `h${i}`, 'grouped'], `a${i}`);
    node('InstanceNormalization', [`a${i}`, 'ones', 'zeros'], `b${i}`, attribute('epsilon', epsilon));
    node('Reshape', [`b${i}`, 'dims'], `c${i}`);
    node('Mul', [`c${i}`, 'scale'], `d${i}`);
    node('Add', [`d${i}`, 'bias'], i === nodes - 1 ? 'y' : `h${i + 1}`);
  }
  const channel = [dims[1], ...dims.slice(2).map(() => 1)];
  graph.push(string(2, 'chain'), int64s('grouped', [dims[0], groups, -1]), int64s('dims', dims),
    initializer('ones', [groups], new Float32Array(groups).fill(1)), initializer('zeros', [groups], new Float32Array(groups)),
    initializer('scale', channel, scale), initializer('bias', channel, bias), valueInfo(11, 'x', dims), valueInfo(12, 'y', dims));
  return concat([integer(1, 8), message(8, string(1, ''), integer(2, 17)), message(7, ...graph)]);
}

function int64s(name, values) {
  return message(5, integer(1, values.length), integer(2, 7), string(8, name), bytes(9, new Uint8Array(BigInt64Array.from(values, BigInt).buffer)));
}
