// Cases of every operator, drawn from its row in nn/op: types of each operand, opsets, attributes. What a row does not say,
// which shapes and numbers an operator takes, a maker adds: one for all of a kind, or one of a name.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { toHalf } from '../src/half.js';
import { contributed } from './contributed.mjs';
import { Draw, model } from './data.mjs';
import { learned } from './learned.mjs';

const root = join(import.meta.dirname, '../..');

/** @returns {{ MinOpset: number, MaxOpset: number, Rows: any[] }} */
export function readRows() {
  const env = { ...process.env, GOTOOLCHAIN: process.env.GOTOOLCHAIN ?? 'go1.27.4' };
  return JSON.parse(execFileSync('go', ['run', './internal/operators', '-json'], { cwd: root, env, encoding: 'utf8', maxBuffer: 1 << 26 }));
}

export const typeNumbers = {
  float32: 1, uint8: 2, int8: 3, uint16: 4, int16: 5, int32: 6, int64: 7, string: 8, bool: 9, float16: 10, float64: 11, uint32: 12, uint64: 13, bfloat16: 16, uint4: 21, int4: 22,
};
/** Those that tensors of JavaScript have. */
const arrays = {
  float32: Float32Array, float64: Float64Array, float16: Uint16Array, int64: BigInt64Array, uint64: BigUint64Array, int32: Int32Array,
  uint32: Uint32Array, int16: Int16Array, uint16: Uint16Array, int8: Int8Array, uint8: Uint8Array, bool: Uint8Array,
};
const limits = {
  int8: [-128, 127], uint8: [0, 255], int16: [-32768, 32767], uint16: [0, 65535], int32: [-(2 ** 31), 2 ** 31 - 1], uint32: [0, 2 ** 32 - 1],
  int64: [-(2n ** 63n), 2n ** 63n - 1n], uint64: [0n, 2n ** 64n - 1n],
};

const product = (dims) => dims.reduce((a, b) => a * b, 1);
const isFloat = (type) => /float/.test(type);
const isUnsigned = (type) => type.startsWith('uint');

/** Elements of a type from numbers, bigints for the largest. */
function pack(type, list) {
  switch (type) {
    case 'string': return list.map((v) => `s${v}`);
    case 'bool': return Uint8Array.from(list, (v) => Number(v > 0));
    case 'float16': return Uint16Array.from(list, (v) => toHalf(v));
    case 'bfloat16': return Uint16Array.from(list, (v) => new Uint32Array(Float32Array.of(v).buffer)[0] >>> 16);
    case 'int64': case 'uint64': return arrays[type].from(list, (v) => (typeof v === 'bigint' ? v : BigInt(Math.trunc(v))));
    case 'int4': case 'uint4': {
      const bytes = new Uint8Array(Math.ceil(list.length / 2));
      list.forEach((v, i) => (bytes[i >> 1] |= (v & 15) << (4 * (i & 1))));
      return bytes;
    }
    default: return arrays[type].from(list, (v) => (isFloat(type) ? v : Math.trunc(Number(v))));
  }
}

// Ways to draw a number.
const plain = (d, type) => (isFloat(type) ? 2 * d.normal() : d.int(isUnsigned(type) ? 0 : -9, 9));
const wild = (d, type) => {
  if (!d.chance(0.1)) return plain(d, type);
  if (type in limits) return d.pick(limits[type]);
  return d.pick([0, -0, NaN, Infinity, -Infinity, 1e4, -1e4, 1e-6, 100.5, -3.5, ...type === 'float16' || type === 'bfloat16' ? [] : [1e30, -1e30, 1e-40]]);
};
const between = (low, high) => (d, type) => (isFloat(type) ? d.between(low, high) : d.int(Math.ceil(isUnsigned(type) ? Math.max(low, 0) : low), Math.floor(high)));
const nonzero = (d, type) => plain(d, type) || 1;
const positive = between(0.1, 9);
/** With ties and both infinities, for what orders. */
const ordered = (d, type) => (isFloat(type) && d.chance(0.3) ? d.pick([0, 1, 1, -1, Infinity, -Infinity]) : plain(d, type));

/** What is drawn for a case of one row, at one opset, with one type for each operand. */
class Drawing extends Draw {
  attributes = {};
  /** Which outputs are asked for. */
  outs;
  /** The type of the first result, where attributes decide about it. */
  result;
  /** Graph inputs beside the operands. */
  captured = {};
  #touched = new Set();

  constructor(seed, row, opset, types) {
    super(Math.imul(seed + 1, 0x9e3779b1));
    Object.assign(this, { row, opset, types });
    this.outs = row.Out.map(({ Opt }) => !Opt);
  }

  typeOf(i) {
    const operand = this.row.In[Math.min(i, this.row.In.length - 1)];
    return this.types[operand.Var || operand.Name];
  }

  /** Whether the row has an attribute at this opset. */
  has(name) {
    const attribute = this.row.Attrs.find((a) => a.Name === name);
    if (!attribute) throw new Error(`the row of ${this.row.Name} has no attribute ${name}`);
    this.#touched.add(name);
    return attribute.Since <= this.opset && (attribute.Till === 0 || this.opset <= attribute.Till);
  }

  /** Gives an attribute that the opset has. */
  give(name, value) {
    if (this.has(name)) this.attributes[name] = value;
    return value;
  }

  /** Leaves an attribute away often, or where the opset has it not; then it is what `otherwise` says. */
  maybe(name, value, otherwise, p = 0.7) {
    return this.has(name) && this.chance(p) ? this.give(name, value) : otherwise;
  }

  /** The axis of so many dimensions; from opset `negative` on it may count from the end. */
  axis(name, rank, otherwise, negative = 11, low = 0) {
    const axis = this.int(low, rank - 1);
    const given = this.maybe(name, this.opset >= negative && this.chance(0.4) ? axis - rank : axis, undefined);
    return given === undefined ? (otherwise + rank) % rank : axis;
  }

  /** An axis of a list, which is operand i, or an attribute. */
  signed(axis, rank, i) {
    return this.opset >= 11 && !this.unsigned(i) && this.chance(0.3) ? axis - rank : axis;
  }

  unsigned(i) {
    return i !== undefined && isUnsigned(this.typeOf(i));
  }

  subset(rank, p = 0.5) {
    return this.shuffled(Array.from({ length: rank }, (_, i) => i).filter(() => this.chance(p)));
  }

  shuffled(list) {
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.int(0, i);
      [list[i], list[j]] = [list[j], list[i]];
    }
    return list;
  }

  /** Small dimensions; now and then one is long, or 0. */
  dims(rank, empty = true) {
    const dims = Array.from({ length: rank }, () => this.pick([1, 2, 2, 3, 3, 4, 5]));
    if (rank > 0 && this.chance(0.2)) dims[this.int(0, rank - 1)] = this.pick([9, 16, 17, 33, 64, 100]);
    if (rank > 0 && empty && this.chance(0.05)) dims[this.int(0, rank - 1)] = 0;
    return dims;
  }

  /** Dimensions that broadcast to some. */
  narrower(dims) {
    if (this.chance(0.4)) return dims;
    return dims.slice(this.chance(0.4) ? this.int(0, dims.length) : 0).map((n) => (this.chance(0.3) ? 1 : n));
  }

  /** Operand i. */
  tensor(i, dims, how = plain) {
    const type = this.typeOf(i);
    return { type, dims, data: pack(type, Array.from({ length: product(dims) }, () => how(this, type))) };
  }

  /** Operand i, a list that decides about shapes. */
  list(i, values, dims = [values.length]) {
    const type = this.typeOf(i);
    return { type, dims, data: pack(type, values), host: true };
  }

  /** Draws the attributes that no maker has cared for. */
  rest() {
    for (const { Name, Kind, I, F, Words, S } of this.row.Attrs) {
      if (this.#touched.has(Name)) continue;
      if (Words) this.maybe(Name, this.pick(Words.filter(Boolean)), S);
      else if (Kind === 'float' && Number.isFinite(Number(F))) this.maybe(Name, Float32Array.of(Number(F) + (Number(F) || 1) * this.between(-0.5, 0.5)));
      else if (Kind === 'int' && (I === 0 || I === 1)) this.maybe(Name, this.int(0, 1), I);
      else throw new Error(`nothing draws attribute ${Name} of ${this.row.Name}: its maker in js/test/rows.mjs has to`);
    }
  }
}

/** A maker draws attributes and gives a function that draws operands, with other sizes each time. @typedef {(d: Drawing) => () => any[]} Maker */

/** @type {(how?: Function) => Maker} */
const elementwise = (how = wild) => (d) => {
  const rank = d.int(0, 4);
  const last = d.row.In.at(-1);
  const count = last.Many ? d.int(1, 4) : d.row.In.length;
  return () => {
    const dims = d.dims(rank);
    const alike = count === 1 || (last.Many && d.opset < 8); // before, any number of operands had one shape
    return Array.from({ length: count }, (_, i) => d.tensor(i, alike ? dims : d.narrower(dims), how));
  };
};

/** @type {(how: Function) => Maker} */
const reduction = (how) => (d) => {
  const rank = d.int(0, 4);
  const axes = d.subset(rank).map((a) => d.signed(a, rank, 1));
  d.maybe('keepdims', d.int(0, 1), 1);
  d.maybe('noop_with_empty_axes', d.int(0, 1), 0);
  const moved = d.row.In[1].Since;
  const given = d.chance(0.8);
  d.has('axes');
  if (given && d.opset < moved && axes.length > 0) d.give('axes', axes);
  return () => [d.tensor(0, d.dims(rank, false), how), ...given && d.opset >= moved ? [d.list(1, axes)] : []];
};

/** @type {Maker} */
const argument = (d) => {
  const rank = d.int(1, 4);
  d.axis('axis', rank, 0);
  return () => [d.tensor(0, d.dims(rank, false), ordered)];
};

/** @type {(low: number) => Maker} */
const alongAxis = (low) => (d) => {
  const rank = d.int(low, 4);
  d.axis('axis', rank, d.row.Attrs.find((a) => a.Name === 'axis').I);
  return () => [d.tensor(0, d.dims(rank, false))];
};

/** What slides a window: its attributes, and sizes of planes that have room for it. */
function window(d, { pool = false, transposed = false, least = 1, most = 3 } = {}) {
  const spatial = d.pick([1, 2, 2, 3].filter((n) => n >= least && n <= most));
  const each = (f) => Array.from({ length: spatial }, f);
  const kernel = each(() => d.pick([1, 2, 3, 3, 5]));
  if (pool) d.give('kernel_shape', kernel);
  else d.maybe('kernel_shape', kernel);
  const strides = d.maybe('strides', each(() => d.int(1, 3)), each(() => 1));
  const auto = d.maybe('auto_pad', d.pick(['NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID']), 'NOTSET', 0.4);
  // SAME of dilated windows is nowhere described the same way twice.
  const dilations = d.row.Attrs.some(({ Name }) => Name === 'dilations') && d.has('dilations') && !auto.startsWith('SAME') ? d.maybe('dilations', each(() => d.int(1, 2)), each(() => 1), 0.5) : each(() => 1);
  const extent = kernel.map((k, i) => (k - 1) * dilations[i] + 1);
  if (d.has('pads') && auto === 'NOTSET' && d.chance(0.6)) d.give('pads', [...kernel, ...kernel].map((k) => d.int(0, Math.min(k - 1, 2))));
  return { spatial, kernel, strides, dilations, auto, sizes: () => extent.map((n) => d.int(transposed ? 2 : n, Math.max(n, 2) + d.pick(spatial > 2 ? [1, 3, 5] : [3, 7, 7, 20]))) };
}

/** @type {(transposed: boolean) => Maker} */
const convolution = (transposed) => (d) => {
  const { spatial, kernel, strides, auto, sizes } = window(d, { transposed });
  const group = d.maybe('group', d.int(1, 3), 1, 0.5);
  const [inner, outer] = [d.int(1, 4), d.pick([1, 2, 4, 5, 8])];
  const bias = d.chance(0.6);
  if (transposed) {
    d.has('output_shape');
    d.maybe('output_padding', strides.map((s) => d.int(0, s - 1)), undefined, auto === 'NOTSET' ? 0.3 : 0);
  }
  const fixed = transposed && auto === 'NOTSET' && d.chance(0.15);
  const shape = Array.from({ length: spatial }, () => d.int(4, 7));
  if (fixed) {
    delete d.attributes.pads;
    delete d.attributes.output_padding;
    d.give('output_shape', shape.map((n, i) => (n - 1) * strides[i] + 1 + d.int(0, strides[i] - 1)));
    d.give('strides', strides);
  }
  return () => {
    const { pads = [], dilations = [] } = d.attributes;
    const plane = fixed ? shape : sizes();
    // So long that padding leaves something of the result.
    if (transposed) plane.forEach((n, i) => (plane[i] = Math.max(n, 1 + Math.ceil(((pads[i] ?? 0) + (pads[spatial + i] ?? 0) - (kernel[i] - 1) * (dilations[i] ?? 1)) / strides[i]))));
    return [
      d.tensor(0, [d.int(1, 2), group * inner, ...plane]),
      d.tensor(1, transposed ? [group * inner, outer, ...kernel] : [group * outer, inner, ...kernel]),
      ...bias ? [d.tensor(2, [group * outer])] : [],
    ];
  };
};

/** Rows, what is summed and columns of a product. */
const productSizes = (d) => [d.pick([1, 2, 3, 4, 5, 7, 9, 16, 33]), d.pick([1, 2, 3, 4, 8, 17, 65]), d.pick([1, 2, 3, 4, 5, 8, 16, 19, 40])];

/** @type {Maker} */
const pool = (d) => {
  const { sizes } = window(d, { pool: true });
  if (d.row.Name === 'MaxPool' && d.opset >= 8) {
    d.outs[1] = d.chance(0.4);
    d.maybe('storage_order', d.int(0, 1), 0);
  }
  if (d.row.Name === 'LpPool') d.maybe('p', d.int(1, 3), 2);
  return () => [d.tensor(0, [d.int(1, 2), d.int(1, 3), ...sizes()])];
};

/** @type {Maker} */
const globalPool = (d) => {
  const rank = d.int(3, 5);
  if (d.row.Name === 'GlobalLpPool') d.maybe('p', d.int(1, 3), 2);
  return () => [d.tensor(0, d.dims(rank, false))];
};

/** Whether operand i is given: as an input, from the opset on that has it. */
const input = (d, i, p = 1) => d.opset >= d.row.In[i].Since && d.chance(p);

/** A list that was an attribute once. */
function argumentList(d, name, i, values) {
  if (d.opset >= d.row.In[i].Since) return d.has(name), d.list(i, values);
  d.give(name, values);
  return undefined;
}

/** Scale and bias of so many elements. @type {(low: number, per: (d: Drawing) => (dims: number[]) => number) => Maker} */
const channelNorm = (low, per) => (d) => {
  const rank = d.int(low, 5);
  const count = per(d);
  return () => {
    const dims = d.dims(rank, false);
    const n = count(dims);
    return [d.tensor(0, dims), d.tensor(1, [n]), d.tensor(2, [n])];
  };
};

/** @type {Maker} */
const rowNorm = (d) => {
  const rank = d.int(1, 4);
  const axis = d.axis('axis', rank, -1, 1);
  d.maybe('stash_type', 1);
  d.outs = d.outs.map((_, i) => i === 0 || d.row.Out.length > 1 && d.chance(0.5));
  if (d.outs[2]) d.outs[1] = true;
  const bias = d.row.In.length > 2 && d.chance(0.6);
  return () => {
    const dims = d.dims(rank, false);
    const own = () => (d.chance(0.8) ? dims.slice(axis) : dims.slice(axis).map((n) => (d.chance(0.5) ? 1 : n)));
    return [d.tensor(0, dims), d.tensor(1, own()), ...bias ? [d.tensor(2, own())] : []];
  };
};

/** Reads any element of `sizes` dimensions. */
const index = (d, size) => (d.chance(0.2) && d.opset >= 11 ? d.int(-size, -1) : d.int(0, size - 1));

/** @type {Maker} */
const elementsAt = (d) => {
  const rank = d.int(1, 4);
  const axis = d.axis('axis', rank, 0);
  const adds = d.row.In.length > 2;
  const how = adds && d.has('reduction') ? d.maybe('reduction', d.pick(reductionsOf(d)), 'none') : 'none';
  return () => {
    const dims = d.dims(rank, false);
    const at = dims.map((n, i) => (i === axis ? d.int(1, adds && how === 'none' ? n : n + 2) : d.int(1, n)));
    // Without a reduction no two updates may have one place.
    const places = lines(at, axis).map(() => (how === 'none' && adds ? d.shuffled(Array.from({ length: dims[axis] }, (_, i) => i)) : Array.from({ length: at[axis] }, () => index(d, dims[axis]))));
    const indices = new Array(product(at));
    lines(at, axis).forEach((line, k) => line.forEach((place, i) => (indices[place] = places[k][i])));
    return [d.tensor(0, dims, moved(how)), { ...d.list(1, indices, at), host: false }, ...adds ? [d.tensor(2, at, moved(how))] : []];
  };
};

const reductionsOf = (d) => (d.opset >= 18 ? ['none', 'add', 'mul', 'max', 'min'] : ['none', 'add', 'mul']);
const moved = (how) => (how === 'none' ? wild : plain);

/** The places of the elements along an axis, for each line of them. */
function lines(dims, axis) {
  const inner = product(dims.slice(axis + 1));
  return Array.from({ length: product(dims.slice(0, axis)) * inner }, (_, k) => Array.from({ length: dims[axis] }, (_, i) => (Math.floor(k / inner) * dims[axis] + i) * inner + (k % inner)));
}

/** @type {Maker} */
const resize = (d) => {
  const upsample = d.row.Name === 'Upsample';
  const mode = d.maybe('mode', d.pick(!['float32', 'int32', 'uint8'].includes(d.typeOf(0)) || d.chance(0.4) ? ['nearest'] : ['linear', ...upsample || d.opset < 11 || d.typeOf(0) !== 'float32' ? [] : ['cubic']]), 'nearest', 1);
  const rank = mode === 'nearest' ? d.int(1, 5) : d.pick([2, 4]);
  const from = mode === 'nearest' ? 0 : rank - 2; // the axes that change
  const scales = Array.from({ length: rank }, (_, i) => (i < from ? 1 : d.pick(upsample ? [1, 2, 3, 1.5] : [0.5, 1, 1.5, 2, 3, 0.75, 2.25])));
  if (upsample) {
    const at = { type: 'float32', dims: [rank], data: Float32Array.from(scales), host: true };
    if (d.has('scales')) d.give('scales', { floats: scales });
    return () => [d.tensor(0, d.dims(rank, false)), ...d.opset >= 9 ? [at] : []];
  }
  for (const name of ['antialias', 'axes', 'keep_aspect_ratio_policy', 'extrapolation_value']) d.has(name);
  const smooth = d.opset >= 18 && mode !== 'nearest' && d.maybe('antialias', d.int(0, 1), 0);
  if (d.opset < 11) {
    for (const name of ['coordinate_transformation_mode', 'cubic_coeff_a', 'exclude_outside', 'nearest_mode']) d.has(name);
    const at = { type: 'float32', dims: [rank], data: Float32Array.from(scales), host: true };
    return () => [d.tensor(0, d.dims(rank, false)), at];
  }
  const coordinates = d.maybe('coordinate_transformation_mode', d.pick(['half_pixel', 'pytorch_half_pixel', 'align_corners', 'asymmetric',
    ...d.opset >= 19 ? ['half_pixel_symmetric'] : [], ...d.opset < 13 ? ['tf_half_pixel_for_nn'] : [], ...mode === 'cubic' || smooth ? [] : ['tf_crop_and_resize']]), 'half_pixel');
  d.has('nearest_mode');
  if (mode === 'nearest') d.maybe('nearest_mode', d.pick(['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil']));
  d.has('cubic_coeff_a');
  if (mode === 'cubic') d.maybe('cubic_coeff_a', Float32Array.of(d.between(-0.9, -0.4)));
  d.has('exclude_outside');
  if (mode === 'cubic' && coordinates !== 'tf_crop_and_resize') d.maybe('exclude_outside', d.int(0, 1));
  const crops = coordinates === 'tf_crop_and_resize';
  if (crops) d.maybe('extrapolation_value', Float32Array.of(d.between(-5, 5)));
  const bySizes = d.chance(0.4);
  if (bySizes) d.maybe('keep_aspect_ratio_policy', d.pick(['stretch', 'not_larger', 'not_smaller']), 'stretch', from === 0 ? 0.5 : 0);
  const axes = d.has('axes') && d.chance(0.3) ? d.give('axes', Array.from({ length: rank - from }, (_, i) => from + i)) : undefined;
  const of = (list) => (axes ? list.slice(from) : list);
  return () => {
    const dims = d.dims(rank, false);
    const region = [...scales.map((_, i) => (i < from ? 0 : d.between(-0.2, 0.4))), ...scales.map((_, i) => (i < from ? 1 : d.between(0.6, 1.2)))];
    const roi = crops ? { type: d.typeOf(1), dims: [of(scales).length * 2], data: pack(d.typeOf(1), [...of(region.slice(0, rank)), ...of(region.slice(rank))]), host: true } : d.opset < 13 ? { type: d.typeOf(1), dims: [0], data: pack(d.typeOf(1), []), host: true } : undefined;
    if (!bySizes) return [d.tensor(0, dims), roi, { type: 'float32', dims: [of(scales).length], data: Float32Array.from(of(scales)), host: true }];
    const sizes = dims.map((n, i) => Math.max(1, Math.floor(n * scales[i])));
    const none = d.opset < 13 ? { type: 'float32', dims: [0], data: new Float32Array(0), host: true } : undefined;
    return [d.tensor(0, dims), roi, none, { ...d.list(3, of(sizes)), constant: true }]; // else onnxruntime counts them as none
  };
};

/** @type {Maker} */
const softmax = (d) => {
  const rank = d.int(d.opset < 13 ? 2 : 1, 4); // the default of axis was 1
  d.axis('axis', rank, d.opset < 13 ? 1 : -1);
  return () => [d.tensor(0, d.dims(rank, false))];
};

/** @type {Maker} */
const squeeze = (d) => {
  const rank = d.int(1, 4);
  const off = d.row.Name === 'Squeeze';
  const total = off ? rank : rank + d.int(1, 2);
  const places = off ? d.subset(rank) : d.shuffled(Array.from({ length: total }, (_, i) => i)).slice(0, total - rank);
  const axes = places.map((a) => d.signed(a, total, 1));
  const given = !off || d.chance(0.8);
  d.has('axes');
  if (given && d.opset < 13) d.give('axes', axes);
  return () => {
    const dims = d.dims(rank, false).map((n, i) => (off && places.includes(i) ? 1 : n));
    return [d.tensor(0, dims, wild), ...given && d.opset >= 13 ? [d.list(1, axes)] : []];
  };
};

/** @type {(how: Function) => Maker} */
const image = (how) => (d) => {
  const b = d.give('blocksize', d.int(1, 3));
  return () => {
    const [n, c, h, w] = d.dims(4, false);
    return [d.tensor(0, how(n, c, h, w, b), wild)];
  };
};

/** LSTM, GRU and RNN. @type {Maker} */
const recurrent = (d) => {
  const [gates, functions] = { LSTM: [4, 3], GRU: [3, 2], RNN: [1, 1] }[d.row.Name];
  const direction = d.maybe('direction', d.pick(['forward', 'reverse', 'bidirectional']), 'forward');
  const directions = direction === 'bidirectional' ? 2 : 1;
  const hidden = d.pick([1, 2, 3, 5, 8, 17]);
  d.give('hidden_size', hidden);
  const byBatch = d.has('layout') && d.maybe('layout', 0, 0) === 1; // onnxruntime knows 0 alone
  if (d.has('output_sequence')) d.give('output_sequence', 1);
  for (const name of ['activation_alpha', 'activation_beta']) d.has(name);
  if (d.has('activations') && d.chance(0.5)) {
    const given = d.chance(0.5);
    // onnxruntime has 0 for a parameter of these three that is not given.
    const names = ['Sigmoid', 'Tanh', 'Relu', 'HardSigmoid', 'Elu', 'LeakyRelu', 'Softsign', ...functions > 1 ? [] : ['Softplus'], ...given ? ['Affine', 'ScaledTanh', 'ThresholdedRelu'] : []];
    // Gates without bounds would let the state grow until rounding is all that is left.
    const gate = (i) => functions > 1 && i % functions === 0;
    d.give('activations', { strings: Array.from({ length: functions * directions }, (_, i) => d.pick(gate(i) ? ['Sigmoid', 'HardSigmoid', 'Softsign'] : names)) });
    if (given) {
      d.give('activation_alpha', { floats: Array.from({ length: functions * directions }, () => d.between(0.1, 0.5)) });
      d.give('activation_beta', { floats: Array.from({ length: functions * directions }, () => d.between(0.1, 0.5)) });
    }
  }
  d.has('clip');
  if (d.chance(0.3)) d.give('clip', Float32Array.of(d.between(0.2, 2)));
  if (d.row.Name === 'LSTM') d.maybe('input_forget', d.int(0, 1), 0, 0.3);
  if (d.row.Name === 'GRU') d.maybe('linear_before_reset', d.int(0, 1), 0);
  d.outs = d.outs.map(() => d.chance(0.7));
  if (!d.outs.includes(true)) d.outs[1] = true;
  const [bias, lens, state, cell, peep] = [0.7, 0.4, 0.6, 0.6, 0.4].map((p) => d.chance(p));
  const small = between(-0.6, 0.6);
  return () => {
    const [steps, batch, size] = [d.int(1, 6), d.int(1, 3), d.int(1, 9)];
    const states = byBatch ? [batch, directions, hidden] : [directions, batch, hidden];
    return [d.tensor(0, byBatch ? [batch, steps, size] : [steps, batch, size]), d.tensor(1, [directions, gates * hidden, size], small), d.tensor(2, [directions, gates * hidden, hidden], small),
      bias ? d.tensor(3, [directions, 2 * gates * hidden], small) : undefined,
      lens ? { ...d.tensor(4, [batch], () => d.int(1, steps)), host: true } : undefined,
      state ? d.tensor(5, states, small) : undefined,
      ...gates === 4 ? [cell ? d.tensor(6, states, small) : undefined, peep ? d.tensor(7, [directions, 3 * hidden], small) : undefined] : []];
  };
};

/** @type {Maker} */
const running = (d) => {
  const rank = d.int(1, 4);
  const axis = d.int(d.unsigned(1) ? 0 : -rank, rank - 1);
  return () => [d.tensor(0, d.dims(rank)), d.list(1, [axis], d.chance(0.5) ? [] : [1])];
};

/** @type {Maker} */
const loss = (d) => {
  const rank = d.int(2, 4);
  d.maybe('reduction', d.pick(['none', 'sum', 'mean']), 'mean');
  const ignored = d.maybe('ignore_index', d.int(-1, 2), undefined);
  const weighed = d.chance(0.5);
  d.outs = d.outs.map((_, i) => i === 0 || d.chance(0.5));
  return () => {
    const dims = d.dims(rank, false);
    dims[1] += 3;
    return [d.tensor(0, dims), d.tensor(1, dims.toSpliced(1, 1), () => (ignored !== undefined && d.chance(0.2) ? ignored : d.int(0, dims[1] - 1))), ...weighed ? [d.tensor(2, [dims[1]], positive)] : []];
  };
};

// Quantized numbers: any of the type, and scales.
const steps = (d, type) => (type in limits ? d.int(...limits[type]) : type === 'int4' || type === 'int2' ? d.int(-2, 1) : d.int(0, 3));
const scales = between(0.01, 0.1);
const scale = (d, dims = [], how = scales) => ({ type: 'float32', dims, data: Float32Array.from({ length: product(dims) }, () => how(d, 'float32')) });
const grids = (d, i, dims = [], how = scales) => [scale(d, dims, how), d.tensor(i + 1, dims, steps)];

/** Scales and zero points of a tensor, of an axis, of blocks. @type {(how: Function, zero: Function) => Maker} */
const quantizer = (how, zero) => (d) => {
  const rank = d.int(1, 4);
  for (const name of ['axis', 'block_size', 'output_dtype', 'precision', 'saturate']) if (d.row.Attrs.some(({ Name }) => Name === name)) d.has(name);
  // Of the types those that onnxruntime has kernels for: it has few, and none to look at results of 4 bits with.
  const halves = d.opset >= 19 || d.row.Domain;
  const bytes = ['int8', 'uint8'];
  const shorts = d.opset >= 21 || d.row.Domain ? ['int16', 'uint16'] : [];
  if (d.types.x in typeNumbers) {
    if (d.types.x !== 'float16' || !halves) d.types.x = 'float32';
    d.types.y_scale = d.types.x;
    if (![...bytes, ...shorts].includes(d.types.Z)) d.types.Z = 'uint8';
  } else {
    if (d.types.S !== 'float16' || !halves) d.types.S = 'float32';
    if (![...bytes, ...shorts, 'int32', ...shorts.length > 0 ? ['int4', 'uint4'] : []].includes(d.types.Z)) d.types.Z = 'int8';
  }
  const kind = d.pick(['tensor', ...d.has('axis') ? ['axis', 'axis'] : [], ...d.has('block_size') && !d.row.Domain ? ['blocks', 'blocks'] : []]);
  const axis = kind === 'tensor' ? 0 : rank === 1 ? d.give('axis', 0) : d.axis('axis', rank, 1); // which the usual one is not
  const block = kind === 'blocks' ? d.give('block_size', d.int(1, 4)) : 0;
  // The zero point says the type, where that is not the usual one.
  const zeros = (d.types.x in typeNumbers && d.types.Z !== 'uint8') || d.chance(0.7);
  return () => {
    const dims = d.dims(rank, false);
    if (block > 0) dims[axis] += block; // of a single block onnxruntime says that it is none
    const own = kind === 'tensor' ? d.pick([[], [1]]) : kind === 'axis' ? [dims[axis]] : dims.with(axis, Math.ceil(dims[axis] / block));
    return [d.tensor(0, dims, how), d.tensor(1, own, scales), ...zeros ? [d.tensor(2, own, zero)] : []];
  };
};

const quantizing = quantizer((d, type) => (isFloat(type) ? 4 * d.normal() : d.int(-20, 20)), steps);
const dequantizing = quantizer((d, type) => (type === 'int32' ? d.int(-99999, 99999) : steps(d, type)), (d, type) => (type === 'int32' ? 0 : steps(d, type)));

/** Operands of one quantized number, or two, of which another operator computes something. @type {(shapes: Maker) => Maker} */
const quantized = (shapes) => (d) => {
  const make = shapes(d);
  return () => { // with the zero points: onnxruntime does not take their names at their word that they may be left out
    const dims = make();
    return [...dims.flatMap((own, i) => [d.tensor(3 * i, own, steps), ...grids(d, 3 * i + 1)]), ...grids(d, 3 * dims.length)];
  };
};
const shapesOf = (maker) => (d) => {
  const make = maker(d);
  return () => make().filter(Boolean).map(({ dims }) => dims);
};
const byteWindows = (d) => {
  const { sizes } = window(d, { pool: true, most: 2 });
  return () => [d.tensor(0, [d.int(1, 2), d.int(1, 3), ...sizes()], steps)];
};
const pairOfShapes = (d) => {
  const rank = d.int(1, 4);
  return () => {
    const dims = d.dims(rank, false);
    return d.chance(0.5) ? [dims, d.narrower(dims)] : [d.narrower(dims), dims];
  };
};
const oneShape = (d) => {
  const rank = d.int(1, 4);
  return () => [d.dims(rank, false)];
};

/** Convolutions of bytes: places of scale and zero point of x, of the weights, of the result, and of the bias. @type {(linear: boolean) => Maker} */
const byteConvolution = (linear) => (d) => {
  const { kernel, sizes } = window(d);
  if (linear) byteKernels(d);
  const group = d.maybe('group', d.int(1, 3), 1, 0.5);
  const [inner, outer] = [d.int(1, 4), d.pick([1, 2, 4, 5, 8])];
  const [bias, perChannel, zeros] = [d.chance(0.6), d.chance(0.4), d.int(0, 2)];
  return () => {
    const [x, w] = [[d.int(1, 2), group * inner, ...sizes()], [group * outer, inner, ...kernel]];
    if (!linear) return [d.tensor(0, x, steps), d.tensor(1, w, steps), zeros > 0 ? d.tensor(2, [], steps) : undefined, zeros > 1 ? d.tensor(3, [], steps) : undefined];
    const own = perChannel ? [group * outer] : [];
    // Of weights by channel onnxruntime wants one zero point.
    const zero = steps(d, d.typeOf(5));
    return [d.tensor(0, x, steps), ...grids(d, 1), d.tensor(3, w, steps), scale(d, own), d.tensor(5, own, () => zero), scale(d, [], between(1, 4)), d.tensor(7, [], steps),
      ...bias ? [d.tensor(8, [group * outer], between(-1000, 1000))] : []];
  };
};

/** Types that onnxruntime has kernels for: int8 by int8, and the result is as the first operand is. */
function byteKernels(d) {
  if (d.types.T === 'int8') d.types.U = 'int8';
  d.types.Y = d.types.T;
}

/** Dimensions of two matrices, or stacks of them. */
const factors = (d) => {
  const [a, b] = d.pick([[2, 2], [2, 2], [3, 2], [3, 3], [4, 3]]);
  return () => {
    const [m, k, n] = productSizes(d);
    const lead = d.dims(Math.max(a, b) - 2, false);
    const of = (rank) => lead.slice(lead.length - (rank - 2)).map((v) => (d.chance(0.2) ? 1 : v));
    return { a: [...of(a), m, k], b: [...of(b), k, n], n };
  };
};

/** Windows of signals. @type {Maker} */
const signalWindow = (d) => {
  if (d.types[':output_datatype']) d.give('output_datatype', typeNumbers[d.types[':output_datatype']]);
  else d.has('output_datatype');
  return () => [d.list(0, [d.int(2, 40)], [])];
};

/** What draws numbers, of which no two engines draw the same. @type {Maker} */
const drawn = (d) => {
  for (const name of ['dtype', 'seed', ...d.row.Attrs.some(({ Name }) => Name === 'shape') ? ['shape'] : []]) d.has(name);
  if (d.row.Attrs.some(({ Name }) => Name === 'shape')) d.give('shape', d.dims(d.int(1, 3), false));
  if (d.chance(0.5)) d.give('seed', Float32Array.of(d.int(1, 9)));
  // Of another type no engine draws numbers like it.
  if (d.row.In.length > 0 && d.types.T && !['float32', 'float64'].includes(d.types.T)) d.types.T = 'float32';
  if (d.types[':dtype']) d.give('dtype', typeNumbers[d.types[':dtype']]);
  if (d.row.Name === 'Multinomial') {
    d.give('sample_size', d.int(1, 9));
    return () => [d.tensor(0, [d.int(1, 3), d.int(1, 9)])];
  }
  const rank = d.int(1, 3);
  return () => (d.row.In.length > 0 ? [d.tensor(0, d.dims(rank, false), between(0, 1))] : []);
};

/** @type {Record<string, Maker>} */
const makers = {
  ...contributed, ...learned,
  QuantizeLinear: quantizing, 'com.microsoft.QuantizeLinear': quantizing, DequantizeLinear: dequantizing, 'com.microsoft.DequantizeLinear': dequantizing,
  DynamicQuantizeLinear: (d) => {
    const rank = d.int(1, 4);
    return () => [scale(d, d.dims(rank, false), d.chance(0.1) ? () => 0 : plain)];
  },
  MatMulInteger: (d) => {
    const make = factors(d);
    const zeros = d.int(0, 2);
    return () => {
      const { a, b, n } = make();
      return [d.tensor(0, a, steps), d.tensor(1, b, steps), zeros > 0 ? d.tensor(2, [], steps) : undefined, zeros > 1 ? d.tensor(3, b.length === 2 && d.chance(0.5) ? [n] : [], steps) : undefined];
    };
  },
  QLinearMatMul: (d) => {
    const make = factors(d);
    byteKernels(d);
    d.types.S = 'float32';
    return () => {
      const { a, b, n } = make();
      const own = b.length === 2 && d.chance(0.4) ? [n] : [];
      return [d.tensor(0, a, steps), ...grids(d, 1), d.tensor(3, b, steps), ...grids(d, 4, own), ...grids(d, 6, [], between(1, 3))];
    };
  },
  'com.microsoft.QGemm': (d) => {
    byteKernels(d);
    const [ta, tb] = [d.maybe('transA', d.int(0, 1), 0), d.maybe('transB', d.int(0, 1), 0)];
    d.maybe('alpha', Float32Array.of(d.between(0.5, 2)));
    const [bias, floats] = [d.chance(0.6), d.chance(0.4)];
    if (floats) d.types.Y = 'float32';
    return () => {
      const [m, k, n] = productSizes(d);
      const list = [d.tensor(0, ta ? [k, m] : [m, k], steps), ...grids(d, 1), d.tensor(3, tb ? [n, k] : [k, n], steps), ...grids(d, 4), bias ? d.tensor(6, [n], between(-1000, 1000)) : undefined];
      return floats ? list : [...list, ...grids(d, 7, [], between(1, 3))];
    };
  },
  'com.microsoft.MatMulIntegerToFloat': (d) => {
    byteKernels(d);
    const make = factors(d);
    const [bias, zeros] = [d.chance(0.6), d.chance(0.6)];
    return () => {
      const { a, b, n } = make();
      const own = b.length === 2 && d.chance(0.4) ? [n] : [];
      return [d.tensor(0, a, steps), d.tensor(1, b, steps), scale(d), scale(d, own), zeros ? d.tensor(4, [], steps) : undefined, zeros ? d.tensor(5, own, steps) : undefined,
        bias ? scale(d, [n], plain) : undefined];
    };
  },
  'com.microsoft.DynamicQuantizeMatMul': (d) => {
    const make = factors(d);
    const [bias, zeros] = [d.chance(0.6), d.chance(0.6)];
    return () => {
      const { a, b, n } = make();
      const own = b.length === 2 && d.chance(0.4) ? [n] : [];
      return [scale(d, a, plain), d.tensor(1, b, steps), scale(d, own), zeros ? d.tensor(3, own, steps) : undefined, bias ? scale(d, [n], plain) : undefined];
    };
  },
  ConvInteger: byteConvolution(false), QLinearConv: byteConvolution(true),
  'com.microsoft.QLinearAdd': quantized(pairOfShapes), 'com.microsoft.QLinearMul': quantized(pairOfShapes), 'com.microsoft.QLinearLeakyRelu': quantized(oneShape), 'com.microsoft.QLinearSigmoid': quantized(oneShape),
  'com.microsoft.QLinearSoftmax': (d) => {
    const opset = d.give('opset', d.pick([11, 13]));
    const rank = d.int(1, 4);
    d.give('axis', d.int(opset < 13 ? 0 : -rank, rank - 1));
    return quantized(() => () => [d.dims(rank, false)])(d);
  },
  'com.microsoft.QLinearAveragePool': (d) => {
    d.maybe('channels_last', 0, 0);
    // Windows that reach over the pads too are counted in another way there than in its AveragePool.
    if (d.maybe('count_include_pad', 1, 0, 0.4)) d.give('ceil_mode', 0);
    return quantized(shapesOf((e) => byteWindows(e)))(d);
  },
  'com.microsoft.QLinearGlobalAveragePool': (d) => {
    d.give('channels_last', 0);
    return quantized(() => () => [d.dims(4, false)])(d);
  },
  'com.microsoft.QLinearReduceMean': (d) => {
    const rank = d.int(1, 4);
    const axes = d.subset(rank);
    d.has('axes');
    if (axes.length > 0) d.give('axes', axes);
    return quantized(() => () => [d.dims(rank, false)])(d);
  },
  'com.microsoft.MatMulNBits': (d) => {
    for (const name of ['bits', 'accuracy_level', 'weight_prepacked', 'K', 'N', 'block_size']) d.has(name);
    const bits = d.give('bits', d.pick([4, 4, 8]));
    const size = d.give('block_size', d.pick([16, 32, 64]));
    const [k, n] = [d.give('K', d.pick([16, 24, 32, 64, 100, 130])), d.give('N', d.pick([1, 3, 8, 17]))];
    const blocks = Math.ceil(k / size);
    const [zero, bias] = [d.chance(0.5), d.chance(0.3)];
    const rank = d.int(1, 2);
    for (const key of Object.keys(d.types)) if (d.types[key] === 'float16') d.types[key] = 'float32';
    const octets = (dims) => ({ type: 'uint8', dims, data: Uint8Array.from({ length: product(dims) }, () => d.int(0, 255)), constant: true });
    return () => [scale(d, [...d.dims(rank, false), k], plain), octets([n, blocks, (size * bits) / 8]), { ...scale(d, [n * blocks]), constant: true },
      zero ? octets([n * Math.ceil((blocks * bits) / 8)]) : undefined, undefined, bias ? { ...scale(d, [n], plain), constant: true } : undefined];
  },
  'com.microsoft.GatherBlockQuantized': (d) => {
    const bytes = d.types.D === 'uint8';
    const bits = d.give('bits', bytes ? d.pick([4, 8]) : 4);
    const size = d.give('block_size', d.pick([16, 32]));
    d.give('gather_axis', 0);
    d.give('quantize_axis', 1);
    if (d.types.T === 'bfloat16') d.types.T = 'float32';
    const zero = d.chance(0.5);
    return () => {
      const [rows, columns] = [d.int(2, 6), d.pick([16, 32, 48, 64])];
      const blocks = Math.ceil(columns / size);
      const per = bytes ? 8 / bits : 1;
      return [{ ...d.tensor(0, [rows, columns / per], steps), constant: true }, d.tensor(1, [d.int(1, 4)], () => d.int(0, rows - 1)), { ...d.tensor(2, [rows, blocks], scales), constant: true },
        ...zero ? [{ ...d.tensor(3, [rows, Math.ceil(blocks / per)], steps), constant: true }] : []];
    };
  },
  'com.microsoft.QLinearConcat': (d) => {
    const rank = d.int(1, 4);
    const axis = d.give('axis', d.int(0, rank - 1));
    const count = d.int(1, 3);
    const zeroType = d.types.T;
    d.types.inputs = zeroType;
    return () => {
      const dims = d.dims(rank, false);
      return [...grids(d, 0), ...Array.from({ length: count }, () => [d.tensor(2, dims.with(axis, d.int(1, 4)), steps), scale(d), d.tensor(2, [], steps)]).flat()];
    };
  },
  'com.microsoft.QLinearWhere': (d) => {
    const rank = d.int(1, 4);
    return () => {
      const dims = d.dims(rank, false);
      const known = (i) => grids(d, i).map((v) => ({ ...v, constant: true })); // onnxruntime wants them so
      return [d.tensor(0, d.narrower(dims)), d.tensor(1, d.narrower(dims), steps), ...known(2), d.tensor(4, dims, steps), ...known(5), ...known(7)];
    };
  },

  HannWindow: signalWindow, HammingWindow: signalWindow, BlackmanWindow: signalWindow,
  MelWeightMatrix: (d) => {
    if (d.types[':output_datatype']) d.give('output_datatype', typeNumbers[d.types[':output_datatype']]);
    else d.has('output_datatype');
    return () => [d.list(0, [d.int(2, 20)], []), d.list(1, [d.int(64, 400)], []), d.list(2, [d.int(8000, 20000)], []), d.list(3, [d.int(0, 300)], []), d.list(4, [d.int(2000, 3900)], [])];
  },
  DFT: (d) => {
    const rank = d.int(2, 4);
    const axis = d.int(1, rank - 1);
    const half = d.maybe('onesided', d.int(0, 1), 0);
    d.maybe('inverse', half ? 0 : d.int(0, 1), 0); // onnxruntime has no inverse of half a spectrum
    if (d.has('axis')) d.give('axis', axis);
    const parts = half ? 1 : d.int(1, 2);
    const length = d.chance(0.4);
    return () => {
      const dims = d.dims(rank, false);
      return [d.tensor(0, [...dims, parts]), length ? d.list(1, [d.int(1, 20)], []) : undefined, ...d.opset >= 20 ? [d.list(2, [d.chance(0.5) ? axis : axis - rank - 1], [])] : []];
    };
  },
  STFT: (d) => {
    const half = d.maybe('onesided', d.int(0, 1), 1);
    const parts = half ? 1 : d.int(1, 2);
    const [windowed, told] = [d.chance(0.7), d.chance(0.6)];
    return () => {
      const [frame, step] = [d.int(2, 30), d.int(1, 12)];
      return [d.tensor(0, [d.int(1, 2), frame + d.int(0, 60), parts]), d.list(1, [step], []), windowed ? d.tensor(2, [frame]) : undefined, told || !windowed ? d.list(3, [frame], []) : undefined];
    };
  },
  RandomNormal: drawn, RandomUniform: drawn, RandomNormalLike: drawn, RandomUniformLike: drawn, Bernoulli: drawn, Multinomial: drawn,
  LSTM: recurrent, GRU: recurrent, RNN: recurrent,

  // Elementwise, with what not every number is fit for.
  Mod: (d) => {
    if (isFloat(d.typeOf(0))) d.give('fmod', 1);
    return elementwise(nonzero)(d);
  },
  Div: (d) => elementwise(isFloat(d.typeOf(0)) ? wild : nonzero)(d),
  Pow: (d) => {
    const rank = d.int(0, 4);
    return () => {
      const dims = d.dims(rank);
      const whole = !isFloat(d.typeOf(0));
      return [d.tensor(0, d.narrower(dims), whole ? between(-3, 3) : wild), d.tensor(1, d.narrower(dims), whole || !isFloat(d.typeOf(1)) ? between(0, 3) : wild)];
    };
  },
  PRelu: (d) => {
    const rank = d.int(1, 4);
    return () => {
      const dims = d.dims(rank);
      return [d.tensor(0, dims), d.tensor(1, d.narrower(dims))];
    };
  },
  Where: (d) => {
    const rank = d.int(0, 4);
    return () => {
      const dims = d.dims(rank);
      return [0, 1, 2].map((i) => d.tensor(i, d.narrower(dims), wild));
    };
  },
  Clip: (d) => {
    const rank = d.int(0, 3);
    const [low, high] = [d.chance(0.7), d.chance(0.7)];
    if (d.opset < 11) {
      if (d.has('min') && low) d.give('min', Float32Array.of(d.between(-3, 0)));
      if (d.has('max') && high) d.give('max', Float32Array.of(d.between(0, 3)));
      return () => [d.tensor(0, d.dims(rank), wild)];
    }
    d.has('min');
    d.has('max');
    return () => [d.tensor(0, d.dims(rank), wild), low ? d.tensor(1, [], between(-4, 1)) : undefined, high ? d.tensor(2, [], between(0, 5)) : undefined];
  },
  Cast: (d) => {
    const rank = d.int(0, 3);
    d.has('saturate');
    d.has('round_mode'); // which onnxruntime takes for powers of two only
    d.give('to', typeNumbers[d.types[':to'] ?? 'float32']);
    return () => [d.tensor(0, d.dims(rank), castable(d.typeOf(0), d.types[':to']))];
  },
  CastLike: (d) => {
    const rank = d.int(0, 3);
    d.has('saturate');
    d.has('round_mode');
    return () => [d.tensor(0, d.dims(rank), castable(d.typeOf(0), d.typeOf(1))), d.tensor(1, [d.int(0, 2)])];
  },
  BitCast: (d) => {
    const rank = d.int(0, 3);
    const bits = { bool: 8, int8: 8, uint8: 8, int16: 16, uint16: 16, float16: 16, int32: 32, uint32: 32, float32: 32 };
    const types = Object.keys(bits).filter((t) => (bits[t] ?? 64) === (bits[d.typeOf(0)] ?? 64) && (t === 'bool') === (d.typeOf(0) === 'bool'));
    d.give('to', typeNumbers[d.typeOf(0) === 'bfloat16' ? 'bfloat16' : /64$/.test(d.typeOf(0)) ? 'int64' : d.pick(types)]);
    d.types[':to'] = Object.keys(typeNumbers).find((t) => typeNumbers[t] === d.attributes.to);
    return () => [d.tensor(0, d.dims(rank))];
  },
  Dropout: (d) => {
    const rank = d.int(0, 3);
    d.maybe('seed', 7, 0, 0.3);
    d.maybe('ratio', Float32Array.of(0.25), 0.5);
    d.outs[1] = d.chance(0.5);
    const [ratio, training] = [input(d, 1, 0.6), input(d, 2, 0.4)];
    return () => [d.tensor(0, d.dims(rank), wild), ratio ? d.tensor(1, [], between(0, 0.9)) : undefined, training ? { ...d.list(2, [0], []), host: true } : undefined];
  },

  ArgMax: argument, ArgMin: argument,
  TopK: (d) => {
    const rank = d.int(1, 4);
    const axis = d.axis('axis', rank, -1);
    const k = d.int(1, 3);
    if (d.has('k')) d.give('k', k);
    d.give('sorted', 1);
    return () => {
      const dims = d.dims(rank, false);
      dims[axis] += k;
      return [d.tensor(0, dims, ordered), ...d.opset >= 10 ? [d.list(1, [k])] : []];
    };
  },
  ReduceSum: reduction(plain), ReduceMean: reduction(plain), ReduceMax: reduction(ordered), ReduceMin: reduction(ordered), ReduceSumSquare: reduction(plain),
  ReduceL1: reduction(plain), ReduceL2: reduction(plain), ReduceLogSum: reduction(positive), ReduceLogSumExp: reduction(plain), ReduceProd: reduction(between(-2, 2)),
  Softmax: softmax, LogSoftmax: softmax,
  CumSum: running, CumProd: running,

  Conv: convolution(false), ConvTranspose: convolution(true), MaxPool: pool, AveragePool: pool, LpPool: pool, GlobalAveragePool: globalPool, GlobalMaxPool: globalPool, GlobalLpPool: globalPool,
  MatMul: (d) => {
    const [a, b] = d.pick([[1, 1], [1, 2], [2, 1], [2, 2], [2, 2], [3, 2], [2, 3], [3, 3], [4, 3], [1, 3], [3, 1], [4, 4]]);
    return () => {
      const [m, k, n] = productSizes(d);
      const lead = d.dims(Math.max(a, b, 2) - 2, false);
      const of = (rank) => lead.slice(lead.length - Math.max(rank - 2, 0)).map((v) => (d.chance(0.2) ? 1 : v));
      return [d.tensor(0, a === 1 ? [k] : [...of(a), m, k]), d.tensor(1, b === 1 ? [k] : [...of(b), k, n])];
    };
  },
  Gemm: (d) => {
    const [ta, tb] = [d.maybe('transA', d.int(0, 1), 0), d.maybe('transB', d.int(0, 1), 0)];
    const bias = d.opset < 11 || d.chance(0.7);
    return () => {
      const [m, k, n] = productSizes(d);
      return [d.tensor(0, ta ? [k, m] : [m, k]), d.tensor(1, tb ? [n, k] : [k, n]), ...bias ? [d.tensor(2, d.narrower([m, n]))] : []];
    };
  },

  BatchNormalization: (d) => {
    const rank = d.int(d.opset >= 9 ? 2 : 3, 5);
    d.maybe('spatial', 1, 1);
    d.maybe('momentum', Float32Array.of(d.between(0, 1)));
    const training = d.has('training_mode') && d.chance(0.4);
    if (training) {
      d.give('training_mode', 1);
      d.outs = [true, true, true, false, false];
    }
    return () => {
      const dims = d.dims(rank, false);
      const n = [dims[1]];
      return [d.tensor(0, dims), d.tensor(1, n), d.tensor(2, n), d.tensor(3, n), d.tensor(4, n, positive)];
    };
  },
  InstanceNormalization: channelNorm(3, () => (dims) => dims[1]),
  GroupNormalization: (d) => {
    const groups = d.give('num_groups', d.int(1, 3));
    d.maybe('stash_type', 1);
    const rank = d.int(2, 5);
    return () => {
      const dims = d.dims(rank, false);
      dims[1] *= groups;
      const n = [d.opset >= 21 ? dims[1] : groups];
      return [d.tensor(0, dims), d.tensor(1, n), d.tensor(2, n)];
    };
  },
  LayerNormalization: rowNorm, RMSNormalization: rowNorm,
  MeanVarianceNormalization: (d) => {
    const axes = d.maybe('axes', d.pick([[0, 2, 3], [2, 3], [0, 1, 2, 3], [1], [3]]), [0, 2, 3]);
    return () => {
      const dims = d.dims(4, false);
      dims[axes[0]] += 3; // equal numbers alone would be divided by 1e-9
      return [d.tensor(0, dims)];
    };
  },
  LpNormalization: (d) => {
    d.maybe('p', d.int(1, 2), 2);
    return alongAxis(1)(d);
  },
  LRN: (d) => {
    d.give('size', d.pick([1, 3, 5]));
    return () => [d.tensor(0, d.dims(4, false))];
  },

  Concat: (d) => {
    const rank = d.int(1, 4);
    const axis = d.int(0, rank - 1);
    d.give('axis', d.signed(axis, rank));
    const count = d.int(1, 4);
    return () => {
      const dims = d.dims(rank);
      return Array.from({ length: count }, () => d.tensor(0, dims.with(axis, d.int(0, 4)), wild));
    };
  },
  Split: (d) => {
    const rank = d.int(1, 4);
    const axis = d.axis('axis', rank, 0);
    const count = d.int(1, 4);
    d.outs = Array.from({ length: count }, () => true);
    const sizes = d.chance(0.6) ? Array.from({ length: count }, () => d.int(0, 3)) : undefined;
    d.has('split');
    if (sizes && d.opset < 13) d.give('split', sizes);
    d.has('num_outputs');
    if (!sizes) d.give('num_outputs', count);
    return () => {
      const dims = d.dims(rank, false).with(axis, sizes ? sizes.reduce((a, b) => a + b, 0) : count * d.int(2, 4) - (d.opset >= 18 && count > 1 ? d.int(0, 1) : 0));
      return [d.tensor(0, dims, wild), ...sizes && d.opset >= 13 ? [d.list(1, sizes)] : []];
    };
  },
  Slice: (d) => {
    const rank = d.int(1, 4);
    const places = d.subset(rank, 0.6);
    if (places.length === 0) places.push(0);
    const axes = d.chance(0.8) ? places.map((a) => d.signed(a, rank, 3)) : undefined;
    const n = axes ? axes.length : d.int(1, rank);
    const edge = () => d.pick([0, 1, 2, 3, 5, -1, -2, -4, 100, -100, 2147483647]);
    const [starts, ends] = [0, 1].map(() => Array.from({ length: n }, edge));
    const steps = d.opset >= 10 && d.chance(0.6) ? Array.from({ length: n }, () => d.pick([1, 2, 3, ...d.unsigned(4) ? [] : [-1, -2]])) : undefined;
    for (const name of ['starts', 'ends', 'axes']) d.has(name);
    if (d.opset < 10) {
      d.give('starts', starts);
      d.give('ends', ends);
      if (axes) d.give('axes', places);
      return () => [d.tensor(0, d.dims(rank), wild)];
    }
    const fit = (i, list) => d.list(i, list.map((v) => (d.typeOf(i) in limits ? Math.max(Math.min(v, Number(limits[d.typeOf(i)][1])), Number(limits[d.typeOf(i)][0])) : v)));
    return () => [d.tensor(0, d.dims(rank), wild), fit(1, starts), fit(2, ends), axes ? fit(3, axes) : undefined, steps ? fit(4, steps) : undefined];
  },
  Pad: (d) => {
    const rank = d.int(1, 4);
    const mode = d.maybe('mode', d.pick(['constant', 'reflect', 'edge', ...d.opset >= 19 ? ['wrap'] : []]), 'constant');
    const axes = d.opset >= 18 && d.chance(0.4) ? d.subset(rank) : undefined;
    const count = axes ? axes.length : rank;
    // A border is at most as wide as what it mirrors; crops leave something.
    const pads = Array.from({ length: 2 * count }, () => d.pick([0, 0, 1, 2, ...mode === 'constant' ? [3, d.unsigned(1) ? 0 : -1] : []]));
    const value = d.chance(0.6);
    d.has('pads');
    d.has('value');
    if (value && d.opset < 11 && mode === 'constant') d.give('value', Float32Array.of(d.between(-2, 2)));
    return () => {
      const first = argumentList(d, 'pads', 1, pads);
      const dims = d.dims(rank, false).map((n) => n + 2);
      if (d.opset < 11) return [d.tensor(0, dims, wild)];
      return [d.tensor(0, dims, wild), first, value ? d.tensor(2, [], plain) : undefined, axes ? d.list(3, axes.map((a) => d.signed(a, rank, 3))) : undefined];
    };
  },
  Transpose: (d) => {
    const rank = d.int(0, 5);
    d.maybe('perm', d.shuffled(Array.from({ length: rank }, (_, i) => i)), undefined, rank > 0 ? 0.8 : 0);
    return () => [d.tensor(0, d.dims(rank), wild)];
  },
  Expand: (d) => {
    const rank = d.int(0, 4);
    return () => {
      const dims = d.dims(rank, false);
      const own = d.narrower(dims);
      return [d.tensor(0, own, wild), d.list(1, dims.map((n, i) => (d.chance(0.2) && i >= dims.length - own.length ? 1 : n)))];
    };
  },
  Tile: (d) => {
    const rank = d.int(1, 4);
    return () => [d.tensor(0, d.dims(rank), wild), d.list(1, Array.from({ length: rank }, () => d.pick([0, 1, 1, 2, 3])))];
  },
  Reshape: (d) => {
    const rank = d.int(0, 4);
    const zero = d.maybe('allowzero', d.int(0, 1), 0, 0.4);
    return () => {
      const dims = d.dims(rank, zero === 1);
      const flat = product(dims) <= Number(limits[d.typeOf(1)][1]);
      let want = d.chance(0.5) ? [...dims].reverse() : flat && d.chance(0.5) ? [product(dims)] : [...dims, 1];
      if (want.length > 0 && product(dims) > 0 && !d.unsigned(1) && d.chance(0.5)) want = want.with(d.int(0, want.length - 1), -1);
      if (zero === 0) want = want.map((n, i) => (dims[i] === n && d.chance(0.4) ? 0 : n));
      return [d.tensor(0, dims, wild), d.list(1, want)];
    };
  },
  Flatten: (d) => {
    const rank = d.int(1, 4);
    d.maybe('axis', d.int(d.opset >= 11 ? -rank : 0, rank), 1);
    return () => [d.tensor(0, d.dims(rank), wild)];
  },
  Squeeze: squeeze, Unsqueeze: squeeze,
  Shape: (d) => {
    const rank = d.int(0, 4);
    d.maybe('start', d.int(-5, 5), 0, 0.5);
    d.maybe('end', d.int(-5, 5), undefined, 0.5);
    return () => [d.tensor(0, d.dims(rank))];
  },
  DepthToSpace: image((n, c, h, w, b) => [n, c * b * b, h, w]),
  SpaceToDepth: image((n, c, h, w, b) => [n, c, h * b, w * b]),
  Trilu: (d) => {
    const rank = d.int(2, 4);
    const k = d.chance(0.7);
    return () => [d.tensor(0, d.dims(rank), wild), ...k ? [d.list(1, [d.int(d.unsigned(1) ? 0 : -3, 4)], [])] : []];
  },
  Resize: resize, Upsample: resize,
  GridSample: (d) => {
    const spatial = d.pick([2, 2, 3]);
    const names = d.opset >= 20 ? ['linear', 'nearest', 'cubic'] : ['bilinear', 'nearest', 'bicubic'];
    const mode = d.pick(spatial === 3 ? names.slice(0, 2) : names);
    if (d.opset >= 20) d.maybe('mode', mode, 'linear');
    else d.give('mode', mode);
    return () => {
      const [n, c, ...sizes] = d.dims(2 + spatial, false);
      return [d.tensor(0, [n, c, ...sizes]), d.tensor(1, [n, ...d.dims(spatial, false), spatial], between(-1.4, 1.4))];
    };
  },
  AffineGrid: (d) => {
    // Of float16 onnxruntime refuses some sizes, and divides 0 by 0 for others; here it is float32 between casts, as everywhere.
    for (const key of Object.keys(d.types)) if (d.types[key] === 'float16') d.types[key] = 'float32';
    const spatial = d.int(2, 3);
    return () => {
      const size = d.dims(2 + spatial, false);
      return [d.tensor(0, [size[0], spatial, spatial + 1]), d.list(1, size)];
    };
  },
  NonMaxSuppression: (d) => {
    const center = d.maybe('center_point_box', d.int(0, 1), 0);
    const count = d.int(1, 5);
    return () => {
      const [n, classes, boxes] = [d.int(1, 2), d.int(1, 3), d.int(1, 30)];
      const box = (_, type) => (center ? between(0.1, 3) : plain)(d, type);
      return [d.tensor(0, [n, boxes, 4], box), d.tensor(1, [n, classes, boxes]), d.list(2, [d.int(0, 9)]), { ...d.tensor(3, [1], between(0, 1)), host: true }, { ...d.tensor(4, [1]), host: true }].slice(0, count === 1 ? 3 : count);
    };
  },
  'com.microsoft.GridSample': (d) => {
    d.give('mode', d.pick(['bilinear', 'nearest', 'bicubic']));
    return () => {
      const [n, c, ...sizes] = d.dims(4, false);
      return [d.tensor(0, [n, c, ...sizes]), d.tensor(1, [n, ...d.dims(2, false), 2], between(-1.4, 1.4))];
    };
  },
  'com.microsoft.FusedConv': (d) => {
    const make = convolution(false)(d);
    const activation = d.pick(['', 'Relu', 'Tanh', 'Sigmoid', 'LeakyRelu', 'Clip', 'HardSigmoid']);
    d.has('activation_params');
    d.has('activation');
    if (activation) d.give('activation', activation);
    if (activation === 'LeakyRelu') d.give('activation_params', { floats: [0.25] });
    if (activation === 'Clip') d.give('activation_params', { floats: [-1, 2] });
    if (activation === 'HardSigmoid') d.give('activation_params', { floats: [0.25, 0.5] });
    return make;
  },
  'com.microsoft.NhwcMaxPool': (d) => {
    const { sizes } = window(d, { pool: true });
    return () => [d.tensor(0, [d.int(1, 2), ...sizes(), d.int(1, 3)])];
  },
  'com.microsoft.NhwcConv': (d) => {
    const { kernel, sizes } = window(d, { pool: true, least: 2, most: 2 });
    const group = d.maybe('group', d.int(1, 3), 1, 0.5);
    const [inner, outer, bias] = [d.int(1, 4), d.int(1, 5), d.chance(0.6)];
    return () => [d.tensor(0, [d.int(1, 2), ...sizes(), group * inner]), d.tensor(1, [group * outer, inner, ...kernel]), ...bias ? [d.tensor(2, [group * outer])] : []];
  },
  'com.microsoft.CropAndResize': (d) => () => {
    const [n, rois] = [d.int(1, 3), d.int(1, 4)];
    return [d.tensor(0, [n, d.int(1, 3), d.int(1, 9), d.int(1, 9)]), d.tensor(1, [rois, 4], between(-0.2, 1.2)), { ...d.tensor(2, [rois], between(0, n - 1)), host: true }, d.list(3, [d.int(1, 5), d.int(1, 5)])];
  },
  MaxRoiPool: (d) => {
    d.give('pooled_shape', [d.int(1, 4), d.int(1, 4)]);
    return () => {
      const [n, rois] = [d.int(1, 3), d.int(1, 4)];
      const boxes = Array.from({ length: rois }, () => [d.int(0, n - 1), d.int(0, 5), d.int(0, 5)]).flatMap(([i, u, v]) => [i, u, v, u + d.int(0, 6), v + d.int(0, 6)]);
      return [d.tensor(0, [n, d.int(1, 3), d.int(1, 9), d.int(1, 9)]), { ...d.list(1, boxes, [rois, 5]), host: false }];
    };
  },
  MaxUnpool: (d) => {
    const spatial = d.int(1, 3);
    const kernel = d.give('kernel_shape', Array.from({ length: spatial }, () => d.int(1, 3)));
    d.give('strides', kernel);
    d.has('pads');
    return () => {
      const dims = d.dims(2 + spatial, false);
      const places = product(dims) * product(kernel);
      const at = d.shuffled(Array.from({ length: places }, (_, i) => i)).slice(0, product(dims));
      return [d.tensor(0, dims), { ...d.list(1, at, dims), host: false }];
    };
  },
  Col2Im: (d) => {
    const spatial = d.int(1, 3);
    const each = (f) => Array.from({ length: spatial }, f);
    const [block, strides, dilations] = [each(() => d.int(1, 3)), each(() => d.int(1, 2)), each(() => d.int(1, 2))];
    d.give('strides', strides);
    d.give('dilations', dilations);
    d.has('pads');
    return () => {
      const size = block.map((k, i) => (k - 1) * dilations[i] + 1 + d.int(0, 4));
      const places = size.map((n, i) => Math.floor((n - (block[i] - 1) * dilations[i] - 1) / strides[i]) + 1);
      return [d.tensor(0, [d.int(1, 2), d.int(1, 3) * product(block), product(places)]), d.list(1, size), d.list(2, block)];
    };
  },
  CenterCropPad: (d) => {
    const rank = d.int(1, 4);
    const axes = d.maybe('axes', d.subset(rank), undefined);
    return () => [d.tensor(0, d.dims(rank, false), wild), d.list(1, Array.from({ length: axes ? axes.length : rank }, () => d.int(1, 7)))];
  },
  DeformConv: (d) => {
    const [group, parts] = [d.give('group', d.int(1, 2)), d.give('offset_group', d.int(1, 2))];
    const kernel = [d.int(1, 3), d.int(1, 3)];
    d.maybe('kernel_shape', kernel);
    const strides = d.give('strides', [d.int(1, 2), d.int(1, 2)]);
    const dilations = d.give('dilations', [d.int(1, 2), d.int(1, 2)]);
    d.give('pads', [1, 0, 1, 0]);
    const [inner, outer, bias, mask] = [2 * d.int(1, 2), group * d.int(1, 3), d.chance(0.6), d.chance(0.6)];
    return () => {
      const n = d.int(1, 2);
      const size = kernel.map((k, i) => (k - 1) * dilations[i] + 1 + d.int(0, 5));
      const places = size.map((m, i) => Math.floor((m + (i === 0 ? 2 : 0) - (kernel[i] - 1) * dilations[i] - 1) / strides[i]) + 1);
      return [d.tensor(0, [n, inner, ...size]), d.tensor(1, [outer, inner / group, ...kernel]), d.tensor(2, [n, parts * product(kernel) * 2, ...places]),
        bias ? d.tensor(3, [outer]) : undefined, mask ? d.tensor(4, [n, parts * product(kernel), ...places]) : undefined];
    };
  },
  RoiAlign: (d) => {
    d.maybe('output_height', d.int(1, 4), 1);
    d.maybe('output_width', d.int(1, 4), 1);
    d.maybe('sampling_ratio', d.int(0, 3), 0);
    return () => {
      const [n, rois] = [d.int(1, 3), d.int(1, 4)];
      const x = d.tensor(0, [n, d.int(1, 3), d.int(1, 9), d.int(1, 9)]);
      // The far corner is beyond the near one: else onnxruntime fails.
      const boxes = Array.from({ length: rois }, () => [d.between(-3, 9), d.between(-3, 9)]).flatMap(([u, v]) => [u, v, u + d.between(0.1, 6), v + d.between(0.1, 6)]);
      return [x, { ...d.list(1, boxes, [rois, 4]), host: false }, { ...d.tensor(2, [rois], between(0, n - 1)), host: true }];
    };
  },
  ReverseSequence: (d) => {
    const rank = d.int(2, 4);
    const batch = d.maybe('batch_axis', d.int(0, 1), 1, 0.5);
    d.give('time_axis', 1 - batch);
    return () => {
      const dims = d.dims(rank, false);
      return [d.tensor(0, dims, wild), d.tensor(1, [dims[batch]], between(0, dims[1 - batch]))];
    };
  },

  Gather: (d) => {
    const rank = d.int(1, 4);
    const axis = d.axis('axis', rank, 0);
    const places = d.int(0, 2);
    return () => {
      const dims = d.dims(rank, false);
      return [d.tensor(0, dims, wild), d.tensor(1, d.dims(places), () => index(d, dims[axis]))];
    };
  },
  GatherElements: elementsAt, ScatterElements: elementsAt,
  GatherND: (d) => {
    const batch = d.maybe('batch_dims', d.int(0, 1), 0);
    const rank = d.int(batch + 1, 4);
    const depth = d.int(1, rank - batch);
    const places = d.int(batch, 2);
    return () => {
      const dims = d.dims(rank, false);
      const at = [...dims.slice(0, batch), ...d.dims(places - batch, false)];
      const list = Array.from({ length: product(at) }, () => dims.slice(batch, batch + depth).map((n) => index(d, n))).flat();
      return [d.tensor(0, dims, wild), { ...d.list(1, list, [...at, depth]), host: false }];
    };
  },
  ScatterND: (d) => {
    const rank = d.int(1, 3);
    const depth = d.int(1, rank);
    const how = d.has('reduction') ? d.maybe('reduction', d.pick(reductionsOf(d)), 'none') : 'none';
    return () => {
      const dims = d.dims(rank, false);
      const all = d.shuffled(Array.from({ length: product(dims.slice(0, depth)) }, (_, i) => i));
      const count = d.int(1, Math.min(all.length, 5));
      const places = all.slice(0, count).map((i) => (how !== 'none' && d.chance(0.3) ? all[0] : i));
      const list = places.flatMap((i) => dims.slice(0, depth).map((n, axis) => Math.floor(i / product(dims.slice(axis + 1, depth))) % n));
      return [d.tensor(0, dims, moved(how)), { ...d.list(1, list, [count, depth]), host: false }, d.tensor(2, [count, ...dims.slice(depth)], moved(how))];
    };
  },
  OneHot: (d) => {
    const rank = d.int(1, 3);
    d.axis('axis', rank + 1, -1, 9);
    return () => {
      const depth = d.int(1, 5);
      return [d.tensor(0, d.dims(rank, false), () => d.int(isUnsigned(d.typeOf(0)) || d.opset < 11 ? 0 : -depth, depth - 1)), d.list(1, [depth], d.chance(0.5) ? [] : [1]), d.tensor(2, [2], plain)];
    };
  },
  NonZero: (d) => {
    const rank = d.int(1, 4);
    return () => [d.tensor(0, d.dims(rank), (_, type) => (d.chance(0.5) ? 0 : plain(d, type)))];
  },

  Einsum: (d) => {
    const equation = d.give('equation', d.pick(['ij,jk->ik', 'bij,bjk->bik', 'bij,bkj->bik', 'bqhd,bkhd->bhqk', 'bhqk,bkhd->bqhd', 'bij,jk->bik', 'ij->ji', 'ii->i', 'bii->b', 'ij->', 'i,i->', 'i,j->ij', 'ij,ij->ij',
      'ij,jk,kl->il', 'i,ij', 'ba', '...ij,...jk->...ik', 'ij...->...', 'bhi,bi->bhi', 'iji,ji->j']));
    return () => {
      const sizes = {};
      const more = d.dims(2, false);
      return equation.split('->')[0].split(',').map((term) => d.tensor(0, term.split(/(\.\.\.|)/).filter(Boolean).flatMap((l) => (l === '...' ? more : (sizes[l] ??= d.pick([1, 2, 3, 5, 8])))), plain));
    };
  },
  Hardmax: (d) => {
    const rank = d.int(d.opset < 13 ? 2 : 1, 4);
    d.axis('axis', rank, d.opset < 13 ? 1 : -1);
    return () => [d.tensor(0, d.dims(rank, false), ordered)];
  },
  EyeLike: (d) => {
    d.maybe('k', d.int(-4, 4), 0);
    if (d.types[':dtype']) d.give('dtype', typeNumbers[d.types[':dtype']]);
    else d.has('dtype');
    return () => [d.tensor(0, d.dims(2))];
  },
  Compress: (d) => {
    const rank = d.int(1, 4);
    const axis = d.has('axis') && d.chance(0.7) ? d.give('axis', d.opset >= 11 ? d.int(-rank, rank - 1) : d.int(0, rank - 1)) : undefined;
    return () => {
      const dims = d.dims(rank, false);
      const n = axis === undefined ? product(dims) : dims.at(axis);
      return [d.tensor(0, dims, wild), d.tensor(1, [d.int(1, n)])];
    };
  },
  Unique: (d) => {
    const rank = d.int(1, 3);
    d.maybe('axis', d.int(-rank, rank - 1), undefined, 0.5);
    d.maybe('sorted', d.int(0, 1), 1);
    d.outs = d.outs.map((_, i) => i === 0 || d.chance(0.5));
    return () => [d.tensor(0, d.dims(rank, false), between(-2, 2))].map((x) => ({ ...x, data: isFloat(x.type) ? x.data.map((v) => (x.type === 'float16' ? v & 0xfe00 : Math.round(v))) : x.data }));
  },
  BitShift: (d) => {
    d.give('direction', d.pick(['LEFT', 'RIGHT']));
    const rank = d.int(0, 4);
    return () => {
      const dims = d.dims(rank);
      return [d.tensor(0, d.narrower(dims), wild), d.tensor(1, d.narrower(dims), between(0, 7))];
    };
  },
  Scatter: elementsAt,
  Det: (d) => {
    const rank = d.int(2, 4);
    return () => {
      const dims = d.dims(rank, false);
      const n = d.int(1, 5);
      return [d.tensor(0, [...dims.slice(2), n, n])];
    };
  },
  NegativeLogLikelihoodLoss: loss, SoftmaxCrossEntropyLoss: loss,

  ConstantOfShape: (d) => {
    const rank = d.int(0, 4);
    if (d.types[':value']) d.give('value', { type: typeNumbers[d.types[':value']], dims: [1], data: pack(d.types[':value'], [wild(d, d.types[':value'])]) });
    else d.has('value');
    return () => [d.list(0, d.dims(rank))];
  },
  Range: (d) => () => {
    const [type, up] = [d.typeOf(0), d.chance(0.6) ? 1 : -1];
    const [start, span, delta] = isFloat(type) ? [d.between(-5, 5), d.between(0, 9), d.pick([0.25, 0.5, 1, 2.5])] : [d.int(-9, 9), d.int(0, 20), d.int(1, 4)];
    return [start, start + up * span, up * delta].map((v, i) => d.list(i, [v], []));
  },
  If: (d) => {
    d.captured = { x: d.pick(['float32', 'int64']), y: 'float32' };
    d.captured.y = d.captured.x;
    const branch = (name, op) => ({ nodes: [{ op, inputs: [name], outputs: [`${name}1`] }], outputs: [[`${name}1`, typeNumbers[d.captured.x]]] });
    d.give('then_branch', branch('x', 'Identity'));
    d.give('else_branch', branch('y', 'Neg'));
    d.outs = [true];
    const rank = d.int(0, 3);
    return () => {
      const dims = d.dims(rank);
      const of = (type) => ({ type, dims, data: pack(type, Array.from({ length: product(dims) }, () => plain(d, type))) });
      return [d.list(0, [d.int(0, 1)], []), of(d.captured.x), of(d.captured.y)];
    };
  },
};

export const makerNames = Object.keys(makers);

/** Numbers that both types have, for elsewhere a conversion is undefined. */
function castable(from, to) {
  const small = isUnsigned(to) ? between(0, 100) : to in limits ? between(-100, 100) : wild;
  return isFloat(from) && to in limits ? small : wild;
}

/** What the lists call a row: with the domain, if it is not ONNX's. */
export const nameOf = ({ Domain, Name }) => (Domain ? `${Domain}.${Name}` : Name);

/** @param {any} row @returns {Maker} */
export function makerOf(row) {
  if (Object.hasOwn(makers, nameOf(row))) return makers[nameOf(row)];
  const shaped = row.Attrs.some(({ Kind, Words, I, Name }) => Name === 'axis' || (Kind !== 'float' && Kind !== 'int' && !Words) || (Kind === 'int' && I !== 0 && I !== 1));
  const same = row.In.every(({ Var, Opt, Since }) => (row.In.length === 1 || Var === row.In[0].Var && Var !== '') && !Opt && Since === 0);
  if (!shaped && same && row.Out.length === 1 && !row.Out[0].From && row.In.length <= 2) return elementwise();
  throw new Error(`nothing makes shapes for ${nameOf(row)}: add a maker to js/test/rows.mjs`);
}

/** The versions of a row in which it may mean something else: of its own domain. */
export const opsetsOf = ({ MinOpset, MaxOpset }, { Domain, Since, Changes = [] }) => Domain ? [Since, ...Changes] : [...new Set([Math.max(Since, MinOpset), ...Changes.filter((v) => v > MinOpset), MaxOpset])];

/** The sets of which each case has one type: operands that share a letter, operands, and what an attribute chooses. */
function setsOf(row) {
  const sets = {};
  for (const { Var, Name, Types } of row.In) {
    const key = Var || Name;
    // Few kernels of onnxruntime take whole numbers of 4 bits: nn/graph has tests of those that move them.
    const types = Types.filter((t) => t in typeNumbers && (!/int4$/.test(t) || /^(Flatten|Gather|Identity|Reshape|Shape|Size|Squeeze|Unsqueeze|.*Quantize.*)$/.test(row.Name)));
    // Where there is float32 the engine takes float16 and bfloat16 too; of these float16 goes through JavaScript.
    if (types.includes('float32') && !types.includes('float16') && row.Domain !== 'ai.onnx.ml') types.push('float16');
    sets[key] = sets[key] ? sets[key].filter((t) => types.includes(t)) : types;
  }
  if (row.Name === 'Cast') sets[':to'] = sets.input;
  if (row.Name === 'EyeLike') sets[':dtype'] = [undefined, 'float32', 'float64', 'int64', 'int32', 'uint8', 'bool', 'float16'];
  if (/^Random(Normal|Uniform)$/.test(row.Name)) sets[':dtype'] = ['float32', 'float64'];
  if (row.Out[0]?.From === 'output_datatype') sets[':output_datatype'] = [undefined, 'float32']; // onnxruntime computes the other types in float32, too
  if (row.Name === 'ConstantOfShape') sets[':value'] = [undefined, 'float32', 'float64', 'float16', 'int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64', 'bool', 'bfloat16'];
  return sets;
}

/** Each type of the first operand and of a result at each opset, and each of the others once; those of the other sets are drawn, mostly the usual one. */
export function* plansOf(table, row, draw) {
  const sets = setsOf(row);
  const opsets = opsetsOf(table, row);
  const usual = (list) => (list.includes('int64') && !draw.chance(0.1) ? 'int64' : draw.pick(list));
  const some = (key, type) => Object.fromEntries(Object.entries(sets).map(([other, list], i) => [other, other === key ? type : (i > 0 || !list.includes('float32')) && !other.startsWith(':') ? usual(list) : draw.pick(list)]));
  for (const [i, [key, types]] of Object.entries(sets).entries()) {
    for (const type of types) for (const opset of i === 0 || key.startsWith(':') ? opsets : [draw.pick(opsets)]) yield { opset, types: some(key, type) };
  }
}

const fed = (type) => type in arrays || type === 'string';

/**
 * A case: a model of one node, and what to run it with, once or twice.
 * @returns {{ bytes: Uint8Array, runs: Record<string, { type: string, dims: number[], data: any }>[], text: string, row: any, opset: number, types: any, attributes: any, first: any[], constant: boolean[] }}
 */
export function drawCase(row, { opset, types }, seed) {
  const d = new Drawing(seed, row, opset, types);
  const make = makerOf(row)(d);
  d.rest();
  const first = make();
  const names = first.map((_, i) => (i >= row.In.length && !row.In.at(-1)?.Many ? Object.keys(d.captured)[i - row.In.length] : `in${i}`));
  // Twice with other sizes, or once with some operands as constants.
  const twice = first.every((v) => !v || (fed(v.type) && !v.constant)) && d.chance(0.5);
  const constant = first.map((v) => Boolean(v) && !twice && (!fed(v.type) || v.constant || d.chance(v.host ? 0.6 : 0.3)));
  const all = twice ? [first, make()] : [first];
  const runs = all.map((operands) => Object.fromEntries(operands.flatMap((v, i) => (v && !constant[i] ? [[names[i], v]] : []))));
  // One value for two operands.
  const square = row.In.length > 1 && row.In[0].Var !== '' && row.In[0].Var === row.In[1].Var && !first[0].host && !constant[0] && !constant[1] &&
    all.every(([a, b]) => b && String(a.dims) === String(b.dims)) && d.chance(0.2);
  if (square) for (const run of runs) delete run.in1;
  const open = twice || d.chance(0.3);
  const declared = (dims, i) => (all.some((operands) => operands[i].dims.length !== dims.length) ? undefined : dims.map((n, k) => (open ? `${names[i]}_${k}` : n)));
  const given = first.slice(0, row.In.at(-1)?.Many ? undefined : row.In.length);
  while (given.length > 0 && !given.at(-1)) given.pop();

  const outputs = d.outs.map((wanted, i) => (wanted ? `out${i}` : ''));
  while (outputs.at(-1) === '') outputs.pop();
  const typeOf = (i) => {
    const out = row.Out[Math.min(i, row.Out.length - 1)];
    if (row.Name === 'Dropout' && i === 1) return opset >= 10 ? 'bool' : types.T;
    if (row.Name === 'If') return d.captured.x;
    if (i === 0 && d.result) return d.result;
    if (row.Name === 'Multinomial') return 'int32';
    return out.Type || (types[`:${out.From}`] ?? (out.Var ? types[out.Var] : 'float32'));
  };
  // Of a type that tensors of JavaScript have not, numbers are looked at as float32 (bfloat16), or else the dimensions.
  const inputs = given.map((v, i) => (v ? names[square && i === 1 ? 0 : i] : ''));
  const nodes = [{ op: row.Name, domain: row.Domain, inputs, outputs, attributes: d.attributes }];
  // Behind other nodes, so that operand 0 is in memory that may be used again.
  if (first[0] && !first[0].host && first[0].type !== 'bfloat16' && first[0].type !== 'string' && fed(first[0].type) && all.every(([{ dims }]) => dims.length === 3) && d.chance(0.4)) {
    nodes.unshift({ op: 'Transpose', inputs: ['in0'], outputs: ['turned'], attributes: { perm: [1, 2, 0] } }, { op: 'Transpose', inputs: ['turned'], outputs: ['back'], attributes: { perm: [2, 0, 1] } });
    nodes[2].inputs = inputs.map((name) => (name === 'in0' ? 'back' : name));
  }
  const results = outputs.flatMap((name, i) => {
    if (!name) return [];
    if (fed(typeOf(i))) return [[name, typeNumbers[typeOf(i)]]];
    const cast = typeOf(i) === 'bfloat16' && opset >= 13;
    nodes.push({ op: cast ? 'Cast' : 'Shape', inputs: [name], outputs: [`${name}.seen`], attributes: cast ? { to: 1 } : {} });
    return [[`${name}.seen`, cast ? 1 : 7]];
  });
  const bytes = model({
    opset: row.Domain ? 21 : opset, domains: row.Domain ? { [row.Domain]: opset } : {}, nodes, outputs: results,
    inputs: first.flatMap((v, i) => (v && !constant[i] && !(square && i === 1) ? [[names[i], typeNumbers[v.type], declared(v.dims, i)]] : [])),
    constants: first.flatMap((v, i) => (constant[i] ? [[names[i], v.dims, v.data, typeNumbers[v.type]]] : [])),
  });
  const show = (v) => (v instanceof Float32Array ? v[0] : v?.nodes ? 'graph' : JSON.stringify(v, (_, w) => (typeof w === 'bigint' ? `${w}` : ArrayBuffer.isView(w) ? [...w].map(Number) : w)));
  const text = `${nameOf(row)} opset ${opset} ${first.map((v, i) => (v ? `${v.type}[${v.dims}]${constant[i] ? '!' : ''}${v.host ? `=${[...v.data]}` : ''}` : '-')).join(' ')}${twice ? ' twice' : ''}${square ? ' squared' : ''}${nodes[0].op === 'Transpose' ? ' behind' : ''} ${Object.entries(d.attributes).map(([k, v]) => `${k}=${show(v)}`).join(' ')}`.trim();
  return { bytes, runs, text, row, opset, types, attributes: d.attributes, first, constant };
}
