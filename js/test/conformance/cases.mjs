// The ONNX project's cases of single operators: models, what they are fed and what must come out, read from protobuf.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fromHalf } from '../../src/half.js';

/** The cases below a folder that have a model and what comes out of it, as "folder/name". @param {string} root */
export function listCases(root) {
  return readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => readdirSync(join(root, name)).map((test) => `${name}/${test}`))
    .filter((name) => existsSync(join(root, name, 'model.onnx'))).sort();
}

/**
 * @param {string} root
 * @param {string} name
 */
export function readCase(root, name) {
  const folder = join(root, name);
  const data = join(folder, 'test_data_set_0');
  const model = new Uint8Array(readFileSync(join(folder, 'model.onnx')));
  const graph = message(single(message(model), 7));
  const weights = new Set(all(graph, 5).map((t) => string(single(message(t), 8))));
  const files = (/** @type {string} */ kind, /** @type {Uint8Array[]} */ values) => values.map((v, i) => {
    const info = message(v);
    const type = info.has(2) ? message(single(info, 2)) : new Map();
    return { name: string(single(info, 1)), value: readValue(new Uint8Array(readFileSync(join(data, `${kind}_${i}.pb`))), type) };
  });
  return {
    name, model,
    inputs: files('input', all(graph, 11).filter((v) => !weights.has(string(single(message(v), 1))))),
    outputs: files('output', all(graph, 12)),
  };
}

/**
 * A tensor { type, dims, data }, an array of such for a sequence, undefined for an optional that is empty.
 * @param {Uint8Array} file
 * @param {Map<number, any[]>} type TypeProto
 * @returns {any}
 */
function readValue(file, type) {
  if (type.has(4)) { // a sequence
    const element = message(single(message(single(type, 4)), 1));
    return all(message(file), element.has(4) ? 5 : 3).map((t) => readValue(t, element));
  }
  if (type.has(9)) { // an optional
    const element = message(single(message(single(type, 9)), 1));
    const value = message(file);
    const [id] = [3, 5].filter((k) => value.has(k));
    return id === undefined ? undefined : readValue(single(value, id), element);
  }
  return readTensor(file);
}

const names = ['undefined', 'float32', 'uint8', 'int8', 'uint16', 'int16', 'int32', 'int64', 'string', 'bool', 'float16', 'float64', 'uint32', 'uint64'];
/** @type {Record<string, any>} */
const arrays = {
  float32: Float32Array, float64: Float64Array, float16: Uint16Array, int64: BigInt64Array, uint64: BigUint64Array, int32: Int32Array,
  uint32: Uint32Array, int16: Int16Array, uint16: Uint16Array, int8: Int8Array, uint8: Uint8Array, bool: Uint8Array,
};

/** @param {Uint8Array} bytes */
function readTensor(bytes) {
  const t = message(bytes);
  const dims = integers(t, 1).map(Number);
  const type = names[Number(single(t, 2))] ?? `type ${single(t, 2)}`;
  const size = dims.reduce((a, b) => a * b, 1);
  if (type === 'string') return { type, dims, data: all(t, 6).map(string) };
  const A = arrays[type];
  if (!A) return { type, dims, data: undefined };
  if (t.has(9)) {
    const raw = single(t, 9).slice();
    return { type, dims, data: new A(raw.buffer, 0, size) };
  }
  if (type === 'float32') return { type, dims, data: floats(t, 4, 4, 'getFloat32', Float32Array) };
  if (type === 'float64') return { type, dims, data: floats(t, 10, 8, 'getFloat64', Float64Array) };
  const list = integers(t, type === 'int64' ? 7 : type === 'uint32' || type === 'uint64' ? 11 : 5);
  return { type, dims, data: A.from(list, (/** @type {bigint} */ v) => (/64/.test(type) ? v : Number(v))) };
}

/** What differs between a result and what must come out; '' for nothing. @param {any} got @param {any} want @returns {string} */
export function difference(got, want) {
  if (want === undefined) return got === null ? '' : 'a value, want none';
  if (Array.isArray(want)) {
    if (!Array.isArray(got) || got.length !== want.length) return `a sequence of ${got?.length}, want ${want.length}`;
    return want.map((w, i) => difference(got[i], w)).find(Boolean) ?? '';
  }
  if (got?.type !== want.type) return `type ${got?.type}, want ${want.type}`;
  if (String(got.dims) !== String(want.dims)) return `dims ${got.dims}, want ${want.dims}`;
  const [a, b] = [got.data, want.data];
  for (let i = 0; i < b.length; i++) {
    if (want.type === 'string' || !want.type.startsWith('float')) {
      if (a[i] === b[i] || Number(a[i]) === Number(b[i]) && typeof b[i] !== 'bigint') continue;
      return `element ${i} is ${a[i]}, want ${b[i]}`;
    }
    const [x, y] = want.type === 'float16' && !(b instanceof Float32Array) ? [half(a, i), half(b, i)] : [a[i], b[i]];
    if (x === y || (Number.isNaN(x) && Number.isNaN(y)) || Math.abs(x - y) <= 1e-5 + 1e-3 * Math.abs(y)) continue;
    return `element ${i} is ${x}, want ${y}`;
  }
  return '';
}

/** @param {any} array of bits, or of numbers where the engine has such an array @param {number} i */
const half = (array, i) => (array instanceof Uint16Array ? fromHalf(array[i]) : array[i]);

// Protobuf: the fields of a message by number.

/** @param {Uint8Array} bytes @returns {Map<number, any[]>} */
function message(bytes) {
  /** @type {Map<number, any[]>} */
  const fields = new Map();
  let at = 0;
  while (at < bytes.length) {
    const [key, next] = varint(bytes, at);
    const [id, wire] = [Number(key >> 3n), Number(key & 7n)];
    /** @type {any} */
    let value;
    at = next;
    if (wire === 0) [value, at] = varint(bytes, at);
    else if (wire === 2) {
      const [n, from] = varint(bytes, at);
      at = from + Number(n);
      value = bytes.subarray(from, at);
    } else {
      value = bytes.subarray(at, at + (wire === 1 ? 8 : 4));
      at += wire === 1 ? 8 : 4;
    }
    fields.set(id, [...(fields.get(id) ?? []), value]);
  }
  return fields;
}

/** @param {Uint8Array} bytes @param {number} at @returns {[bigint, number]} */
function varint(bytes, at) {
  let v = 0n;
  for (let shift = 0n; ; shift += 7n) {
    const byte = bytes[at++];
    v |= BigInt(byte & 127) << shift;
    if (byte < 128) return [v, at];
  }
}

/** @param {Map<number, any[]>} fields @param {number} id @returns {any[]} */
const all = (fields, id) => fields.get(id) ?? [];
/** @param {Map<number, any[]>} fields @param {number} id */
const single = (fields, id) => all(fields, id).at(-1) ?? (id === 2 ? 0n : new Uint8Array());
/** @param {Uint8Array} bytes */
const string = (bytes) => new TextDecoder().decode(bytes);

/** Integers, packed or not. @param {Map<number, any[]>} fields @param {number} id @returns {bigint[]} */
function integers(fields, id) {
  return all(fields, id).flatMap((v) => {
    if (typeof v === 'bigint') return [BigInt.asIntN(64, v)];
    const list = [];
    for (let at = 0; at < v.length;) {
      const [n, next] = varint(v, at);
      list.push(BigInt.asIntN(64, n));
      at = next;
    }
    return list;
  });
}

/** @param {Map<number, any[]>} fields @param {number} id @param {number} size @param {'getFloat32' | 'getFloat64'} get @param {any} A */
function floats(fields, id, size, get, A) {
  return A.from(all(fields, id).flatMap((/** @type {Uint8Array} */ v) => {
    const view = new DataView(v.buffer, v.byteOffset, v.byteLength);
    return Array.from({ length: v.length / size }, (_, i) => view[get](i * size, true));
  }));
}
