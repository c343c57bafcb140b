// The safetensors format: a header of JSON that says which tensor has which bytes, and the bytes.
import { LoadError, NormError, UnsupportedError } from './errors.js';
import { running } from './runtime.js';
import { Tensor, attached, describe } from './tensor.js';

/** @typedef {import('../index.js').DataType} DataType */

/**
 * The format's names of types, the largest elements first: the order in which tensors are
 * written, so that each begins at a multiple of its elements' size. It is the order of the
 * format's reference implementation.
 * @type {[string, Exclude<DataType, 'string'>, any][]}
 */
const types = [
  ['U64', 'uint64', BigUint64Array], ['I64', 'int64', BigInt64Array], ['F64', 'float64', Float64Array],
  ['F32', 'float32', Float32Array], ['U32', 'uint32', Uint32Array], ['I32', 'int32', Int32Array],
  ['F16', 'float16', Uint16Array], ['U16', 'uint16', Uint16Array], ['I16', 'int16', Int16Array],
  ['I8', 'int8', Int8Array], ['U8', 'uint8', Uint8Array], ['BOOL', 'bool', Uint8Array],
];

/** Types of the format that no tensor here has. */
const unsupported = ['F8_E5M2', 'F8_E4M3', 'F8_E8M0', 'F6_E2M3', 'F6_E3M2', 'F4', 'C64'];

/** The largest header that the reference implementation takes: JSON of 100 MB is an attack. */
const maxHeader = 100_000_000;

const metadataName = '__metadata__';

/**
 * The tensors and the metadata of a file.
 * @param {any} source
 */
export function readSafetensors(source) {
  const bytes = bytesOf(source);
  const end = headerEnd(bytes);
  const header = parse(bytes, end);
  const data = bytes.subarray(end);
  /** @type {Record<string, string>} */
  let metadata = Object.create(null);
  /** @type {Entry[]} */
  const entries = [];
  for (const [name, value] of Object.entries(header)) {
    if (name === metadataName) metadata = metadataOf(value ?? {}); // null stands for none in the reference implementation
    else entries.push(entryOf(name, value));
  }
  const strange = entries.filter(({ dtype }) => unsupported.includes(dtype));
  if (strange.length > 0) {
    throw new UnsupportedError(`readSafetensors: there are no tensors of ${[...new Set(strange.map(({ dtype }) => dtype))].join(', ')} (${list(strange.map(({ name }) => name))})`);
  }
  checkOffsets(entries, data.length);
  // Without a prototype any name is an ordinary property, __proto__ too.
  /** @type {Record<string, Tensor>} */
  const tensors = Object.create(null);
  for (const entry of entries) tensors[entry.name] = tensorOf(entry, data);
  return { tensors, metadata };
}

/** @typedef {{ name: string, dtype: string, shape: number[], from: number, to: number }} Entry */

/**
 * @param {any} source
 * @returns {Uint8Array}
 */
function bytesOf(source) {
  let bytes = source;
  if (ArrayBuffer.isView(source)) bytes = new Uint8Array(attached(/** @type {any} */ (source), 'readSafetensors: source').buffer, source.byteOffset, source.byteLength);
  else if (['ArrayBuffer', 'SharedArrayBuffer'].includes(source?.[Symbol.toStringTag])) bytes = attached(new Uint8Array(source), 'readSafetensors: source');
  else throw new NormError(`readSafetensors: source is ${describe(source)}, want the file's bytes (of a Response or Blob: await source.arrayBuffer())`);
  // Tensors are views of the bytes, and the module's memory moves when it grows.
  return running()?.memory.outside(bytes) ?? bytes;
}

/**
 * Where the header ends and the data begin.
 * @param {Uint8Array} bytes
 */
function headerEnd(bytes) {
  if (bytes.length < 8) throw wrong(`the file has ${bytes.length} bytes, and its header's length alone takes 8`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  const length = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
  if (length > maxHeader) throw wrong(`the file's first 8 bytes give its header ${length} bytes, and ${maxHeader} are the most: it is no safetensors file, or damaged`);
  if (length > bytes.length - 8) throw wrong(`the header has ${length} bytes, and only ${bytes.length - 8} follow its length: the file is truncated, or none of this format`);
  return 8 + length;
}

/**
 * The header's JSON.
 * @param {Uint8Array} bytes
 * @param {number} end
 * @returns {Record<string, unknown>}
 */
function parse(bytes, end) {
  let text;
  try {
    // (A copy, because a decoder does not take shared memory.)
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.slice(8, end));
  } catch (cause) {
    throw wrong('the header is not UTF-8', cause);
  }
  if (text[0] !== '{') throw wrong(`the header begins with ${JSON.stringify(text.slice(0, 1))}, want "{"`);
  let header;
  try {
    header = JSON.parse(text);
  } catch (cause) {
    throw wrong(`the header is not JSON: ${cause instanceof Error ? cause.message : cause}`, cause);
  }
  try {
    checkKeys(text);
  } catch (cause) { // an engine's own error: a name of millions of escapes is too much for its regular expressions
    throw cause instanceof LoadError ? cause : wrong(`the header cannot be searched: ${cause instanceof Error ? cause.message : cause}`, cause);
  }
  return header;
}

/**
 * Throws when an object has a key twice, of which JSON.parse keeps the later one.
 * @param {string} text valid JSON
 */
function checkKeys(text) {
  /** The keys of each object around the present place; undefined for an array. @type {(Set<string> | undefined)[]} */
  const open = [];
  let latest = '';
  for (const [token] of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:]/g)) {
    if (token === '{' || token === '[') open.push(token === '{' ? new Set() : undefined);
    else if (token === '}' || token === ']') open.pop();
    else if (token !== ':') latest = token;
    else {
      const keys = /** @type {Set<string>} */ (open.at(-1));
      const key = JSON.parse(latest);
      if (keys.has(key)) throw wrong(`the header has ${quoted(key)} twice`);
      keys.add(key);
    }
  }
}

/**
 * @param {unknown} value
 * @returns {Record<string, string>}
 */
function metadataOf(value) {
  if (!isObject(value)) throw wrong(`${metadataName} is ${describe(value)}, want an object of strings`);
  /** @type {Record<string, string>} */
  const metadata = Object.create(null);
  for (const [key, text] of Object.entries(/** @type {any} */ (value))) {
    if (typeof text !== 'string') throw wrong(`${metadataName} has under ${quoted(key)} ${describe(text)}, want a string`);
    metadata[key] = text;
  }
  return metadata;
}

/**
 * @param {string} name
 * @param {any} value
 * @returns {Entry}
 */
function entryOf(name, value) {
  const what = quoted(name);
  if (!isObject(value)) throw wrong(`${what} is ${describe(value)}, want an object with dtype, shape and data_offsets`);
  const { dtype, shape, data_offsets: offsets } = /** @type {any} */ (value);
  if (typeof dtype !== 'string' || (!unsupported.includes(dtype) && dtype !== 'BF16' && !types.some(([t]) => t === dtype))) {
    throw wrong(`${what} has dtype ${typeof dtype === 'string' ? quoted(dtype) : describe(dtype)}, want one of ${types.map(([t]) => t).join(', ')}, BF16`);
  }
  if (!Array.isArray(shape) || !shape.every(isWhole)) throw wrong(`${what} has shape ${quoted(shape)}, want an array of whole numbers`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isWhole) || offsets[0] > offsets[1]) {
    throw wrong(`${what} has data_offsets ${quoted(offsets)}, want the bytes where it begins and ends`);
  }
  return { name, dtype, shape, from: offsets[0], to: offsets[1] };
}

/**
 * Throws unless the tensors cover all bytes, each byte once.
 * @param {Entry[]} entries
 * @param {number} length of the data
 */
function checkOffsets(entries, length) {
  const sorted = [...entries].sort((a, b) => a.from - b.from || a.to - b.to);
  let at = 0;
  let before = 'the header';
  for (const { name, from, to } of sorted) {
    if (to > length) throw wrong(`${quoted(name)} ends at byte ${to}, and the data have ${length}: the file is truncated`);
    if (from < at) throw wrong(`${quoted(name)} begins at byte ${from}, within ${before}, which ends at ${at}`);
    if (from > at) throw wrong(`${quoted(name)} begins at byte ${from}: bytes ${at} to ${from} belong to no tensor`);
    at = to;
    before = quoted(name);
  }
  if (at < length) throw wrong(`${length - at} bytes after the end of ${before} belong to no tensor`);
}

/**
 * @param {Entry} entry
 * @param {Uint8Array} data
 */
function tensorOf({ name, dtype, shape, from, to }, data) {
  const what = quoted(name);
  const half = dtype === 'BF16';
  const [, type, Class] = /** @type {[string, any, any]} */ (half ? [dtype, 'float32', Uint16Array] : types.find(([t]) => t === dtype));
  let size = 1;
  for (const d of shape) size *= d;
  // (The product of dimensions so large that it is no number has no bytes that fit.)
  if (size * Class.BYTES_PER_ELEMENT !== to - from) throw wrong(`${what} of ${dtype} ${quoted(shape)} has ${to - from} bytes, want ${size * Class.BYTES_PER_ELEMENT}`);
  const at = data.byteOffset + from;
  let array = at % Class.BYTES_PER_ELEMENT === 0 ? new Class(data.buffer, at, size) : new Class(data.slice(from, to).buffer);
  if (half) array = widen(array);
  if (type === 'bool') {
    const bad = array.findIndex((/** @type {number} */ v) => v > 1);
    if (bad >= 0) throw wrong(`${what} of BOOL has ${array[bad]} as element ${bad}, want 0 or 1`);
  }
  try {
    return new Tensor(type, array, shape);
  } catch (cause) { // dimensions larger than a tensor's can be, beside one of 0
    throw wrong(`${what} has dims that no tensor here can have: ${cause instanceof Error ? cause.message : cause}`, cause);
  }
}

/**
 * bfloat16 as float32, of which it is the upper half.
 * @param {Uint16Array} halves
 */
function widen(halves) {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i] << 16;
  return new Float32Array(bits.buffer);
}

/**
 * A file of these tensors.
 * @param {any} tensors
 * @param {any} [metadata]
 * @returns {Uint8Array}
 */
export function writeSafetensors(tensors, metadata) {
  /** @type {{ name: string, dtype: string, rank: number, tensor: Tensor, data: any }[]} */
  const entries = [];
  for (const [name, tensor] of pairs(tensors, 'tensors')) {
    const what = `writeSafetensors: ${quoted(name)}`;
    if (name === metadataName) throw new NormError(`${what} is the format's name for metadata, and cannot be a tensor's`);
    if (!(tensor instanceof Tensor)) throw new NormError(`${what} is ${describe(tensor)}, want a Tensor`);
    const rank = types.findIndex(([, type]) => type === tensor.type);
    if (rank < 0) throw new UnsupportedError(`${what} is a tensor of ${tensor.type}, which the format does not have`);
    tensor.storage('writeSafetensors', quoted(name)); // throws when it was disposed of
    entries.push({ name, dtype: types[rank][0], rank, tensor, data: attached(tensor.data, what, tensor.size) });
  }
  entries.sort((a, b) => a.rank - b.rank || (a.name < b.name ? -1 : 1));

  // Written by hand: an object's integer-like keys would come first, and __proto__ not at all.
  const fields = [];
  if (metadata !== undefined) {
    const texts = pairs(metadata, 'metadata').map(([key, text]) => {
      if (typeof text !== 'string') throw new NormError(`writeSafetensors: metadata has under ${quoted(key)} ${describe(text)}, want a string`);
      return `${JSON.stringify(key)}:${JSON.stringify(wellFormed(text))}`;
    });
    fields.push(`"${metadataName}":{${texts.join()}}`);
  }
  let at = 0;
  for (const { name, dtype, tensor, data } of entries) {
    fields.push(`${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${tensor.dims.join()}],"data_offsets":[${at},${at += data.byteLength}]}`);
  }
  const text = new TextEncoder().encode(`{${fields.join()}}`);
  const length = Math.ceil(text.length / 8) * 8; // so that the data are aligned
  if (length > maxHeader) throw new NormError(`writeSafetensors: the header has ${length} bytes, and ${maxHeader} are the most`);
  let file;
  try {
    file = new Uint8Array(8 + length + at);
  } catch (cause) {
    throw new NormError(`writeSafetensors: there is no memory for ${8 + length + at} bytes`, 'OUT_OF_MEMORY', { cause });
  }
  new DataView(file.buffer).setUint32(0, length, true);
  file.set(text, 8);
  file.fill(0x20, 8 + text.length, 8 + length);
  let place = 8 + length;
  for (const { data } of entries) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), place);
    place += data.byteLength;
  }
  return file;
}

/**
 * The names and values of a record or Map.
 * @param {any} value
 * @param {string} what
 * @returns {[string, any][]}
 */
function pairs(value, what) {
  if (!isObject(value)) throw new NormError(`writeSafetensors: ${what} is ${describe(value)}, want an object or a Map`);
  const all = Object.prototype.toString.call(value) === '[object Map]' ? [.../** @type {any} */ (value)] : Object.entries(/** @type {any} */ (value));
  for (const [name] of all) {
    if (typeof name !== 'string') throw new NormError(`writeSafetensors: a name in ${what} is ${describe(name)}, want a string`);
    wellFormed(name);
  }
  return all;
}

/**
 * Throws for half a surrogate pair, which UTF-8 cannot hold.
 * @param {string} text
 */
function wellFormed(text) {
  if (/\p{Surrogate}/u.test(text)) throw new NormError(`writeSafetensors: ${quoted(text)} has half a surrogate pair, which UTF-8 cannot hold`);
  return text;
}

/** @param {unknown} value */
function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
}

/** @param {unknown} value */
function isWhole(value) {
  return Number.isSafeInteger(value) && /** @type {number} */ (value) >= 0 && !Object.is(value, -0);
}

/**
 * A name or a value of the header, cut short for an error.
 * @param {unknown} value
 */
function quoted(value) {
  const text = String(JSON.stringify(value));
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

/**
 * The first few names, and how many more there are.
 * @param {string[]} names
 */
function list(names) {
  const most = 8;
  return names.slice(0, most).map(quoted).join(', ') + (names.length > most ? ` and ${names.length - most} more` : '');
}

/**
 * @param {string} message
 * @param {unknown} [cause]
 */
function wrong(message, cause) {
  return new LoadError(`readSafetensors: ${message}`, 'INVALID_MODEL', { cause });
}
