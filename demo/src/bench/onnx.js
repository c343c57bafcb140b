// Writes ONNX files: as much of protobuf as the networks of cases.js need. The numbers of fields are those of onnx.proto3.

const utf8 = new TextEncoder();

/** @param {number} n @returns {number[]} */
function varint(n) {
  const out = [];
  for (; n > 127; n = Math.floor(n / 128)) out.push((n % 128) | 128);
  return [...out, n];
}

/** @param {(Uint8Array | number[])[]} parts */
function joined(parts) {
  const out = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

const whole = (field, n) => [...varint(field * 8), ...varint(n)];
const part = (field, bytes) => joined([varint(field * 8 + 2), varint(bytes.length), bytes]);
const text = (field, string) => part(field, utf8.encode(string));
const message = (field, ...parts) => part(field, joined(parts));
const float = (field, value) => joined([varint(field * 8 + 5), new Uint8Array(Float32Array.of(value).buffer)]);

const types = new Map([[Float32Array, 1], [BigInt64Array, 7]]);

/** Whole numbers and lists of them, other numbers. @param {string} name @param {number | number[]} value */
function attribute(name, value) {
  if (Array.isArray(value)) return message(5, text(1, name), ...value.map((v) => whole(8, v)), whole(20, 7));
  return Number.isInteger(value) ? message(5, text(1, name), whole(3, value), whole(20, 2)) : message(5, text(1, name), float(2, value), whole(20, 1));
}

const described = (field, name, dims) => message(field, text(1, name), message(2, message(1, whole(1, 1), message(2, ...dims.map((d) => message(1, whole(1, d)))))));

/** A graph that is written node by node, of float32 from x to y. What its methods return are the names of values. */
export class Graph {
  #nodes = [];
  #constants = [];
  #count = 0;

  /** @param {Float32Array | BigInt64Array} data @param {number[]} [dims] one by default, its length */
  constant(data, dims = [data.length]) {
    const name = `c${this.#count++}`;
    this.#constants.push(message(5, ...dims.map((d) => whole(1, d)), whole(2, /** @type {number} */ (types.get(/** @type {any} */ (data.constructor)))), text(8, name),
      part(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength))));
    return name;
  }

  /** Whole numbers, as shapes are given. @param {number[]} values */
  list(values) {
    return this.constant(BigInt64Array.from(values, BigInt));
  }

  /** @param {string} op @param {string[]} inputs @param {Record<string, number | number[]>} [attributes] */
  node(op, inputs, attributes = {}) {
    const name = `v${this.#count++}`;
    this.#nodes.push(message(1, ...inputs.map((input) => text(1, input)), text(2, name), text(3, name), text(4, op), ...Object.entries(attributes).map(([key, value]) => attribute(key, value))));
    return name;
  }

  /**
   * The file.
   * @param {number[]} x the dimensions of the input @param {string} last the value that is the result @param {number[]} y its dimensions
   * @param {number} [opset]
   */
  file(x, last, y, opset = 17) {
    const end = message(1, text(1, last), text(2, 'y'), text(4, 'Identity'));
    return joined([whole(1, 8), message(8, text(1, ''), whole(2, opset)), message(7, ...this.#nodes, end, text(2, 'bench'), ...this.#constants, described(11, 'x', x), described(12, 'y', y))]);
  }
}
