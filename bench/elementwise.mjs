#!/usr/bin/env node
// One operator at a time, 131072 elements each: normwasm beside onnxruntime-web, one thread each, in turn, in Node. A run is what a caller waits
// for, copies in and out included; lower quartiles in µs, which other programs on the machine disturb least, and how many times as fast as onnxruntime-web. Sorted by that, the slowest first.
//   node bench/elementwise.mjs [--variant simd] [--rounds 30] [WORD …]
// WORDs choose cases by their names. It needs the built package (make build) and bench/node_modules.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { InferenceSession, Tensor, init } from '../js/dist/normwasm.js';
import { Draw, model } from '../js/test/data.mjs';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { variant: { type: 'string', default: 'auto' }, rounds: { type: 'string', default: '30' } } });
const types = { float32: [1, Float32Array], uint8: [2, Uint8Array], int8: [3, Int8Array], int32: [6, Int32Array], int64: [7, BigInt64Array], bool: [9, Uint8Array], float16: [10, Uint16Array], float64: [11, Float64Array] };
const draw = new Draw(7);
const count = (dims) => dims.reduce((a, b) => a * b, 1);

/** Numbers of a type: a from … to. */
function numbers(type, dims, from = -4, to = 4) {
  const next = () => (type === 'bool' ? Number(draw.chance(0.5)) : type.startsWith('float') ? draw.between(from, to) : draw.int(type === 'uint8' ? Math.max(from, 0) : from, to));
  if (type === 'int64') return BigInt64Array.from({ length: count(dims) }, () => BigInt(next()));
  if (type === 'float16') return Uint16Array.from({ length: count(dims) }, () => 0x3000 + draw.int(0, 0x1000));
  return types[type][1].from({ length: count(dims) }, next);
}

const D = [128, 1024];
const D4 = [4, 32, 32, 32];
const cases = [];
/** inputs: [type, dims, from, to] or { data, type, dims } for constants. */
const add = (name, op, inputs, out, attributes = {}, options = {}) => cases.push({ name, op, inputs, out, attributes, ...options });
const constant = (type, dims, data) => ({ type, dims, data });
const ints = (...list) => constant('int64', [list.length], BigInt64Array.from(list, BigInt));

for (const type of ['float32', 'int64', 'int32']) {
  for (const op of ['Equal', 'Greater', 'Less', 'GreaterOrEqual', 'LessOrEqual']) {
    if (op !== 'Equal' && op !== 'Greater' && type !== 'float32') continue;
    add(`${op} ${type}`, op, [[type, D], [type, D]], 'bool');
    add(`${op} ${type} scalar`, op, [[type, D], [type, []]], 'bool');
    if (op === 'Equal') {
      add(`${op} ${type} row`, op, [[type, D], [type, [1024]]], 'bool');
      add(`${op} ${type} column`, op, [[type, D], [type, [128, 1]]], 'bool');
      add(`${op} ${type} outer`, op, [[type, [1024, 1]], [type, [1, 128]]], 'bool');
    }
  }
}
add('Equal bool', 'Equal', [['bool', D], ['bool', D]], 'bool');
add('Greater float64', 'Greater', [['float64', D], ['float64', D]], 'bool');
for (const op of ['And', 'Or', 'Xor']) add(op, op, [['bool', D], ['bool', D]], 'bool');
add('And row', 'And', [['bool', D], ['bool', [1024]]], 'bool');
add('Not', 'Not', [['bool', D]], 'bool');
for (const [from, to] of ['float32 int64', 'float32 int32', 'float32 bool', 'float32 uint8', 'float32 int8', 'float32 float16', 'float16 float32', 'float32 float64', 'float64 float32', 'int64 float32', 'int64 int32', 'int64 bool', 'int32 float32', 'int32 int64', 'uint8 float32', 'int8 float32', 'uint8 int32', 'bool float32', 'bool int64', 'bool int32', 'int32 bool'].map((s) => s.split(' '))) {
  add(`Cast ${from} ${to}`, 'Cast', [[from, D, -100, 100]], to, { to: types[to][0] });
}
for (const type of ['float32', 'int64', 'int32', 'uint8']) {
  add(`Where ${type}`, 'Where', [['bool', D], [type, D], [type, D]], type);
  add(`Where ${type} scalar`, 'Where', [['bool', D], [type, []], [type, D]], type);
}
add('Where float32 mask row', 'Where', [['bool', [1, 1024]], ['float32', []], ['float32', D]], 'float32');
add('Where float32 mask column', 'Where', [['bool', [128, 1]], ['float32', [1]], ['float32', D]], 'float32');
add('Where float32 mask heads', 'Where', [['bool', [1, 1, 32, 32]], ['float32', [4, 32, 32, 32]], ['float32', [1]]], 'float32');

for (const e of [2, 3, 0.5, -1, 1.7, -0.5, 4]) add(`Pow float32 ${e}`, 'Pow', [['float32', D, 0.1, 4], constant('float32', [], Float32Array.of(e))], 'float32');
add('Pow float32', 'Pow', [['float32', D, 0.1, 4], ['float32', D]], 'float32');
add('Mod float32', 'Mod', [['float32', D], ['float32', D, 1, 3]], 'float32', { fmod: 1 });
add('Mod int32', 'Mod', [['int32', D, -100, 100], ['int32', D, 1, 9]], 'int32');
add('Mod int64', 'Mod', [['int64', D, -100, 100], ['int64', D, 1, 9]], 'int64');
add('Mod int64 scalar', 'Mod', [['int64', D, -100, 100], ['int64', [], 7, 7]], 'int64');
for (const type of ['int64', 'int32']) {
  for (const op of ['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min']) {
    add(`${op} ${type}`, op, [[type, D], [type, D, 1, 9]], type);
    add(`${op} ${type} scalar`, op, [[type, D], [type, [], 3, 3]], type);
  }
}
add('Add float64', 'Add', [['float64', D], ['float64', D]], 'float64');
for (const op of ['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min']) {
  add(`${op} float32`, op, [['float32', D], ['float32', D, 1, 3]], 'float32');
  add(`${op} float32 channel`, op, [['float32', D4], ['float32', [32, 1, 1], 1, 3]], 'float32');
}
add('Add float32 row', 'Add', [['float32', D], ['float32', [1024]]], 'float32');
add('Sum float32 of 3', 'Sum', [['float32', D], ['float32', D], ['float32', D]], 'float32');
add('Mean float32 of 3', 'Mean', [['float32', D], ['float32', D], ['float32', D]], 'float32');

for (const op of ['Sigmoid', 'Tanh', 'Softplus', 'Softsign', 'HardSwish', 'Erf', 'Exp', 'Reciprocal', 'Floor', 'Ceil', 'Round', 'Sin', 'Cos', 'Tan', 'Atan', 'Sinh', 'Cosh', 'Asinh', 'Sign', 'Abs', 'Neg', 'Relu', 'LeakyRelu', 'Elu', 'Selu', 'Celu', 'ThresholdedRelu', 'HardSigmoid', 'Shrink']) add(op, op, [['float32', D]], 'float32');
add('Mish', 'Mish', [['float32', D]], 'float32', {}, { opset: 18 });
add('Gelu', 'Gelu', [['float32', D]], 'float32', {}, { opset: 20 });
add('Log', 'Log', [['float32', D, 0.01, 9]], 'float32');
add('Sqrt', 'Sqrt', [['float32', D, 0.01, 9]], 'float32');
add('Asin', 'Asin', [['float32', D, -1, 1]], 'float32');
add('Acos', 'Acos', [['float32', D, -1, 1]], 'float32');
add('Acosh', 'Acosh', [['float32', D, 1, 9]], 'float32');
add('Atanh', 'Atanh', [['float32', D, -0.9, 0.9]], 'float32');
add('Abs int64', 'Abs', [['int64', D]], 'int64');
add('Neg int64', 'Neg', [['int64', D]], 'int64');
add('Neg int32', 'Neg', [['int32', D]], 'int32');
add('Sign int64', 'Sign', [['int64', D]], 'int64');
add('IsNaN', 'IsNaN', [['float32', D]], 'bool');
add('IsInf', 'IsInf', [['float32', D]], 'bool');
add('Clip float32', 'Clip', [['float32', D], constant('float32', [], Float32Array.of(-1)), constant('float32', [], Float32Array.of(1))], 'float32');
add('Clip int64', 'Clip', [['int64', D], constant('int64', [], BigInt64Array.of(-1n)), constant('int64', [], BigInt64Array.of(1n))], 'int64');
add('PRelu channel', 'PRelu', [['float32', D4], ['float32', [32, 1, 1]]], 'float32');
add('PRelu row', 'PRelu', [['float32', D], ['float32', [1024]]], 'float32');

for (const [type, from, to] of [['float32', -4, 4], ['int64', -99, 99], ['int32', -99, 99], ['uint8', 0, 255]]) {
  for (const axis of [1, 0]) add(`ArgMax ${type} axis ${axis}`, 'ArgMax', [[type, D, from, to]], 'int64', { axis });
}
add('ArgMax float32 channels', 'ArgMax', [['float32', D4]], 'int64', { axis: 1 });
add('ArgMin float32 axis 1', 'ArgMin', [['float32', D]], 'int64', { axis: 1 });
for (const k of [1, 5, 100]) add(`TopK float32 ${k}`, 'TopK', [['float32', D], ints(k)], 'float32', {}, { outs: ['float32', 'int64'] });
add('TopK float32 axis 0', 'TopK', [['float32', D], ints(5)], 'float32', { axis: 0 }, { outs: ['float32', 'int64'] });
add('TopK int64 5', 'TopK', [['int64', D, -999, 999], ints(5)], 'int64', {}, { outs: ['int64', 'int64'] });
for (const type of ['float32', 'int64', 'int32']) {
  for (const axis of [1, 0]) add(`CumSum ${type} axis ${axis}`, 'CumSum', [[type, D], constant('int64', [], BigInt64Array.of(BigInt(axis)))], type);
}

for (const type of ['float32', 'int64', 'uint8']) {
  add(`Gather ${type} rows`, 'Gather', [[type, [1000, 64]], ['int64', [2048], 0, 999]], type, { axis: 0 });
  add(`Gather ${type} scalars`, 'Gather', [[type, [1000]], ['int64', [131072], 0, 999]], type, { axis: 0 });
  add(`Gather ${type} last axis`, 'Gather', [[type, D], ['int64', [1024], 0, 1023]], type, { axis: 1 });
}
add('Gather float32 rows int32', 'Gather', [['float32', [1000, 64]], ['int32', [2048], 0, 999]], 'float32', { axis: 0 });
add('GatherElements', 'GatherElements', [['float32', D], ['int64', D, 0, 1023]], 'float32', { axis: 1 });
add('GatherND', 'GatherND', [['float32', D], ['int64', [131072, 2], 0, 127]], 'float32');
add('GatherND rows', 'GatherND', [['float32', D], ['int64', [128, 1], 0, 127]], 'float32');
add('ScatterElements', 'ScatterElements', [['float32', D], ['int64', D, 0, 1023], ['float32', D]], 'float32', { axis: 1 });
add('ScatterND', 'ScatterND', [['float32', D], ['int64', [128, 1], 0, 127], ['float32', D]], 'float32');
add('OneHot', 'OneHot', [['int64', [1024], 0, 127], constant('int64', [], BigInt64Array.of(128n)), constant('float32', [2], Float32Array.of(0, 1))], 'float32');

for (const type of ['float32', 'int64', 'uint8', 'bool', 'float16']) {
  add(`Transpose ${type} 10`, 'Transpose', [[type, D]], type, { perm: [1, 0] });
  add(`Transpose ${type} 0231`, 'Transpose', [[type, D4]], type, { perm: [0, 2, 3, 1] });
  add(`Transpose ${type} 0213`, 'Transpose', [[type, D4]], type, { perm: [0, 2, 1, 3] });
}
for (const perm of [[3, 2, 1, 0], [0, 3, 1, 2], [0, 1, 3, 2], [2, 0, 3, 1], [1, 0, 3, 2], [0, 3, 2, 1]]) add(`Transpose float32 ${perm.join('')}`, 'Transpose', [['float32', D4]], 'float32', { perm });
add('Transpose float32 small last', 'Transpose', [['float32', [4, 128, 64, 4]]], 'float32', { perm: [0, 2, 1, 3] });
add('Transpose float32 5-D', 'Transpose', [['float32', [4, 16, 8, 16, 16]]], 'float32', { perm: [0, 1, 3, 2, 4] });
add('Transpose float32 shuffle', 'Transpose', [['float32', [1, 2, 64, 32, 32]]], 'float32', { perm: [0, 2, 1, 3, 4] });
add('Slice rows', 'Slice', [['float32', D], ints(16), ints(112), ints(0)], 'float32');
add('Slice columns', 'Slice', [['float32', D], ints(16), ints(1000), ints(1)], 'float32');
add('Slice step 2', 'Slice', [['float32', D], ints(0), ints(1024), ints(1), ints(2)], 'float32');
add('Slice step 2 both', 'Slice', [['float32', D4], ints(0, 0), ints(32, 32), ints(2, 3), ints(2, 2)], 'float32');
add('Slice reverse', 'Slice', [['float32', D], ints(-1), ints(-5000), ints(1), ints(-1)], 'float32');
add('Slice int64 step 2', 'Slice', [['int64', D], ints(0), ints(1024), ints(1), ints(2)], 'int64');
add('Slice uint8 step 2', 'Slice', [['uint8', D], ints(0), ints(1024), ints(1), ints(2)], 'uint8');
add('Expand row', 'Expand', [['float32', [1, 1024]], ints(128, 1024)], 'float32');
add('Expand column', 'Expand', [['float32', [128, 1]], ints(128, 1024)], 'float32');
add('Expand int64 column', 'Expand', [['int64', [128, 1]], ints(128, 1024)], 'int64');
add('Tile', 'Tile', [['float32', [64, 512]], ints(2, 2)], 'float32');
add('DepthToSpace', 'DepthToSpace', [['float32', D4]], 'float32', { blocksize: 2 });
add('SpaceToDepth', 'SpaceToDepth', [['float32', D4]], 'float32', { blocksize: 2 });
add('Concat last', 'Concat', [['float32', [128, 512]], ['float32', [128, 512]]], 'float32', { axis: 1 });
add('Concat uint8 last', 'Concat', [['uint8', [128, 512]], ['uint8', [128, 512]]], 'uint8', { axis: 1 });

for (const op of ['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceProd', 'ReduceL1', 'ReduceL2', 'ReduceSumSquare', 'ReduceLogSum', 'ReduceLogSumExp']) {
  for (const [label, dims, axes] of [['last', D, [1]], ['first', D, [0]], ['plane', D4, [2, 3]], ['channel', D4, [1]], ['ends', D4, [0, 3]], ['batch', D4, [0, 2, 3]], ['all', D, [0, 1]], ['mid pair', D4, [1, 3]]]) {
    if (!['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceL2'].includes(op) && !['last', 'first', 'channel'].includes(label)) continue;
    const from = op === 'ReduceLogSum' ? 0.1 : op === 'ReduceProd' ? 0.9 : -4;
    const to = op === 'ReduceProd' ? 1.1 : 4;
    add(`${op} float32 ${label}`, op, op === 'ReduceSum' ? [['float32', dims, from, to], ints(...axes)] : [['float32', dims, from, to]], 'float32', op === 'ReduceSum' ? {} : { axes });
  }
}
for (const type of ['int64', 'int32']) {
  for (const [label, axes] of [['last', [1]], ['first', [0]]]) {
    add(`ReduceSum ${type} ${label}`, 'ReduceSum', [[type, D], ints(...axes)], type);
    add(`ReduceMax ${type} ${label}`, 'ReduceMax', [[type, D]], type, { axes });
  }
}

/** The model of a case and what it is fed. */
function prepare(c) {
  const inputs = [];
  const constants = [];
  const feeds = {};
  const names = c.inputs.map((given, i) => {
    const name = `i${i}`;
    if (!Array.isArray(given)) {
      constants.push([name, given.dims, given.data, types[given.type][0]]);
      return name;
    }
    const [type, dims, from, to] = given;
    inputs.push([name, types[type][0], dims]);
    feeds[name] = { type, data: numbers(type, dims, from, to), dims };
    return name;
  });
  const outs = c.outs ?? [c.out];
  const bytes = model({
    opset: c.opset ?? 17, nodes: [{ op: c.op, inputs: names, outputs: outs.map((_, i) => `o${i}`), attributes: c.attributes }],
    inputs, constants, outputs: outs.map((type, i) => [`o${i}`, types[type][0]]),
  });
  return { bytes, feeds };
}

const ort = await import(pathToFileURL(join(import.meta.dirname, 'node_modules/onnxruntime-web/dist/ort.wasm.min.mjs')).href);
ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'fatal';
const { variant } = await init({ variant: values.variant });
const chosen = cases.filter((c) => positionals.length === 0 || positionals.some((word) => c.name.toLowerCase().includes(word.toLowerCase())));
const quartile = (list) => list.sort((a, b) => a - b)[list.length >> 2];
const rows = [];
for (const c of chosen) {
  const { bytes, feeds } = prepare(c);
  const map = (T) => Object.fromEntries(Object.entries(feeds).map(([name, { type, data, dims }]) => [name, new T(type, data, dims)]));
  let theirs;
  try {
    theirs = await ort.InferenceSession.create(bytes, { executionProviders: ['wasm'] });
  } catch (e) {
    console.log(`${c.name}: onnxruntime-web: ${String(e.message ?? e).slice(0, 120)}`);
    continue;
  }
  const ours = await InferenceSession.create(bytes);
  const runners = [() => ours.run(map(Tensor)), () => theirs.run(map(ort.Tensor))];
  const times = [[], []];
  for (let round = -10; round < Number(values.rounds); round++) {
    for (const [i, run] of runners.entries()) {
      const start = performance.now();
      await run();
      if (round >= 0) times[i].push(performance.now() - start);
    }
  }
  ours.dispose?.();
  await theirs.release();
  const [a, b] = times.map((list) => 1000 * quartile(list));
  rows.push({ name: c.name, ours: a, theirs: b, ratio: b / a });
}
rows.sort((a, b) => a.ratio - b.ratio);
console.log(`${variant}, ${rows.length} cases; geometric mean ${Math.exp(rows.reduce((s, r) => s + Math.log(r.ratio), 0) / rows.length).toFixed(2)}`);
for (const r of rows) console.log(`${r.ratio.toFixed(2).padStart(6)}  ${r.ours.toFixed(0).padStart(7)} ${r.theirs.toFixed(0).padStart(7)}  ${r.name}`);
