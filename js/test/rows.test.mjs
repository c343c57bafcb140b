// Every operator that models may have, in cases drawn from its row in nn/op (rows.mjs): types, opsets, attributes and shapes,
// in a session as written and optimized, and in onnxruntime-web. One of each operator; NORMWASM_ROWS=all (make test-rows)
// runs each type at each opset, NORMWASM_SEED=7 draws others, NORMWASM_ROW=Resize one operator only.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { InferenceSession, Tensor, init } from 'normwasm';
import { fromHalf } from '../src/half.js';
import { Draw } from './data.mjs';
import { drawCase, makerOf, makerNames, nameOf, plansOf, readRows } from './rows.mjs';

const all = process.env.NORMWASM_ROWS === 'all';
const seed = Number(process.env.NORMWASM_SEED ?? 1);
const only = process.env.NORMWASM_ROW;
/** How often each type and opset in all cases, at least how many of an operator, and how many in a sample. */
const [rounds, atLeast, sample] = [2, 80, 1];

/** @typedef {ReturnType<typeof drawCase>} Case */

const integers = 'int8 int16 int32 int64 uint8 uint16 uint32 uint64';
const otherIntegers = 'int8 int16 uint8 uint16 uint32 uint64';

// What onnxruntime-web refuses and the engine runs. In full runs every line has to be of use, and in all of them a case that
// one speaks of has to be refused, and no other one. Types are those of the operand with that number.

/** ONNX lets the operators take these types from a later opset on, or never: where no last opset is given. */
const typesBeyondONNX = [
  ['Add Sub Mul Div', 0, 'int8 int16 uint8 uint16', 13],
  ['Neg', 0, 'uint8 uint16 uint32 uint64'],
  ['Relu', 0, 'int8 int16 int32 int64', 13],
  ['Clip', 0, integers, 11],
  ['Max Min', 0, integers, 11],
  ['Pow', 0, 'int32 int64', 11],
  ['Equal', 0, 'float32 float64 int8 int16 uint8 uint16 uint32 uint64', 10],
  ['Less Greater', 0, integers, 8],
  ['ReduceMax ReduceMin', 0, 'int8 uint8', 11],
  ['ReduceMax ReduceMin', 0, 'int16 uint16'],
  ['TopK', 0, integers, 10],
  ['IsInf', 0, 'float16', 19],
  ['com.microsoft.CDist', 0, 'float16'],
  ['MatMul', 0, 'int32 int64 uint32 uint64', 8],
  ['Gemm', 0, 'int32 int64 uint32 uint64'],
  ['Celu', 0, 'float16 float64'],
  ['Equal', 0, 'float16', 10],
  ['Equal', 0, 'string', 18],
  ['ReduceMax ReduceMin', 0, 'bool', 19],
  ['Pad', 0, integers, 10],
  ['Pad', 0, 'bool', 12],
  ['Flatten', 0, `bool ${integers}`, 8],
  ['Dropout', 0, `bool ${integers}`],
  ['Dropout', 1, `bool ${integers}`],
  ['Gather', 0, 'int4 uint4'],
  ['Flatten', 0, 'string', 8],
  ['Pad', 0, 'string'],
  ['CumSum', 0, 'float16', 13],
  ['Range', 0, 'float16'],
  ['MaxPool', 0, 'int8 uint8', 11],
  ['ReverseSequence', 0, 'bfloat16'],
  ['Cast Concat DepthToSpace Flatten Gather GatherElements GatherND Expand Identity NonZero Pad Reshape Resize ScatterElements ScatterND Shape Size Slice SpaceToDepth Split Squeeze Tile Transpose Unsqueeze', 0, 'bfloat16', 12],
  ['Upsample Compress EyeLike Scatter Unique', 0, 'bfloat16'],
  // Indices and lists: the engine takes any integers, ONNX int64 alone or int32 as well.
  ['GatherND ScatterND', 1, 'int32'],
  ['ConstantOfShape', 0, `${otherIntegers} int32`],
  ['Expand Pad Reshape Tile TopK Trilu Split Squeeze Unsqueeze ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare', 1, `${otherIntegers} int32`],
  ['CumSum CumProd Slice', 1, otherIntegers],
  ['Slice', 2, otherIntegers],
  ['Slice Pad', 3, otherIntegers],
  ['Slice', 4, otherIntegers],
  ['Resize', 3, `${otherIntegers} int32`],
];

/** onnxruntime has no kernel for these, up to an opset where one is given. */
const typesWithoutKernel = [
  ['MelWeightMatrix', 3, 'float64'],
  ['Multinomial', 0, 'float64', 21],
  ['Acos Acosh Asin Asinh Atan Atanh Cosh Erf Mean Sinh Tan', 0, 'float64'],
  ['Max Min', 0, 'float64', 7],
  ['Max Min', 0, 'int16 uint16'],
  ['Clip', 0, 'int16 uint16', 12],
  ['Clip', 0, 'float64', 11],
  ['Relu', 0, 'int16 int64'],
  ['ArgMax ArgMin', 0, 'int16 uint16 uint32 uint64'],
  ['AveragePool LpPool GlobalAveragePool GlobalMaxPool GlobalLpPool', 0, 'float64'],
  ['MaxPool', 0, 'float64', 7],
  ['GridSample', 0, 'float64', 19],
  ['MaxUnpool Col2Im', 0, 'float64'],
  ['CenterCropPad', 0, 'bfloat16 int16 uint16'],
  ['CenterCropPad', 1, 'int32'],
  ['TopK', 0, 'uint16 uint32 uint64'],
  ['CumSum', 0, 'uint32 uint64'],
  ['ReduceL1 ReduceL2 ReduceLogSum ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare', 0, 'uint32'],
  ['DepthToSpace', 0, 'int8 uint8', 10],
  ['DepthToSpace SpaceToDepth', 0, 'bfloat16 bool int16 int32 int64 uint16 uint32 uint64'],
  ['Resize', 0, 'bfloat16 bool float64 int16 int64 uint16 uint32 uint64'],
  ['Upsample', 0, 'bool float64 int16 int64 uint16 uint32 uint64'],
  ['NonZero', 0, 'bfloat16 float64 int8 int16 uint16 uint32 uint64'],
  ['Trilu', 0, 'bfloat16 int8 int16 uint8 uint16 uint32 uint64'],
  ['Pad', 0, 'bfloat16 int16 uint16'],
  ['Where', 1, 'bfloat16 bool int8 int16 uint16 uint32 uint64'],
  ['Dropout Expand Tile Size', 0, 'bfloat16'],
  ['Dropout', 1, 'bfloat16'],
  ['Flatten Identity Reshape Shape Size Squeeze Unsqueeze', 0, 'int4 uint4'],
  ['Pow', 1, otherIntegers],
  ['DepthToSpace SpaceToDepth', 0, 'string'],
  ['MeanVarianceNormalization', 0, 'float16', 25],
  ['Elu HardSigmoid HardSwish InstanceNormalization LRN MeanVarianceNormalization Selu Softplus Softsign ThresholdedRelu', 0, 'float64'],
  ['Hardmax Det', 0, 'float64'],
  ['BitShift', 0, 'uint16'],
  ['ai.onnx.ml.Binarizer ai.onnx.ml.LinearRegressor ai.onnx.ml.SVMRegressor', 0, 'float64 int32 int64'],
  ['ai.onnx.ml.Imputer', 0, 'float64 int32'],
  ['ai.onnx.ml.OneHotEncoder', 0, 'int32'],
  ['ai.onnx.ml.TreeEnsembleRegressor', 0, 'int32 int64'],
  ['Unique', 0, 'bool int16 int32 uint8 uint16 uint32 uint64'],
];

// OneHot has kernels for these types of indices, depth and values.
const oneHots = `float32/float32/float32 float32/float32/float16 float32/int64/int64 int32/float32/float32 int32/float32/float16 int32/int32/float32
  int32/int32/float16 int64/float32/float32 int64/float32/int32 int64/float32/float16 int64/int32/float32 int64/int32/float16 int64/int64/float32
  int64/int64/int64 int64/int64/float16 int64/int64/string float32/int64/string`.split(/\s+/);

/** Whether SAME is asked of windows that are so far apart that they need less than the plane. */
function strides({ attributes, first, runs }) {
  return /^SAME/.test(attributes.auto_pad) && [first[0], ...runs.map(({ in0 }) => in0)].some((x) => x && attributes.kernel_shape.some((k, i) => {
    const [n, stride] = [x.dims[2 + i], attributes.strides?.[i] ?? 1];
    return (Math.ceil(n / stride) - 1) * stride + k < n;
  }));
}

/** Each axis that a Resize of opset 11 or later is told about, the last first: its sizes and the scale. */
function resized({ first, runs }) {
  const list = (first[3] ?? first[2]).data;
  return runs.flatMap(({ in0 = first[0] }) => Array.from(list, (_, i) => {
    const n = in0.dims.at(-1 - i);
    const v = Number(list.at(-1 - i));
    return first[3] ? [n, v, v / n] : [n, Math.floor(Math.fround(n * v)), v];
  }));
}

/** Whether a Resize rounds coordinates down or up that are whole numbers but for rounding. */
function nearlyWhole(c) {
  const { mode = 'nearest', coordinate_transformation_mode: how = 'half_pixel', nearest_mode: rounds } = c.attributes;
  if (c.opset < 11 || mode !== 'nearest' || !/half_pixel/.test(how) || !/^(floor|ceil)$/.test(rounds)) return false;
  return resized(c).some(([n, m, scale]) => Array.from({ length: m }, (_, j) => (j + 0.5) / scale - 0.5 + (how === 'half_pixel_symmetric' ? (n - m / scale) / 2 : 0))
    .some((x) => Math.abs(x - Math.round(x)) < 1e-4));
}

/** Whether a leaf of a regressor's trees says nothing of one of its targets. */
function untold({ attributes: { nodes_modes: modes, nodes_treeids: trees, nodes_nodeids: nodes, n_targets: targets = 1, ...a } }) {
  return modes.strings.some((mode, i) => mode === 'LEAF' && new Set(a.target_ids.filter((_, k) => a.target_treeids[k] === trees[i] && a.target_nodeids[k] === nodes[i])).size < targets);
}

const isFloat = (type) => /float/.test(type);
const mixed = (c) => new Set(c.first.filter(Boolean).map(({ type }) => type)).size > 1;

/** What is more than one operand's type. @type {[string, (c: Case) => boolean, string][]} */
const otherwise = [
  ['NonMaxSuppression', (c) => c.first.some((v) => v?.type === 'float16'), 'no float16'],
  ['Attention', (c) => Boolean(c.first[3]) && c.first[3].type !== 'bool' && c.first[3].type !== c.first[0].type && (c.attributes.is_causal === 1 || Boolean(c.first[6]) || c.first[0].type === 'float16'), 'a mask of another type, of float32 numbers only beside one that is causal or of lengths'],
  ['com.microsoft.SimplifiedLayerNormalization', () => true, 'no such operator in this domain: onnxruntime has it among those of ONNX'],
  ['RandomNormal RandomNormalLike RandomUniform RandomUniformLike Bernoulli Multinomial', (c) => c.opset >= 22, 'no kernel from opset 22 on'],
  ['BatchNormalization', (c) => mixed(c) && (c.opset < 14 || c.opset === 14 && new Set([c.first[0], c.first[1]].map(({ type }) => type)).size > 1 || c.first.some(({ type }) => type === 'float64')), 'one type for all operands before opset 14, for x and scale before 15, and no kernel for float64 with others'],
  ['Gelu LeakyRelu Mish', (c) => c.attributes.approximate !== 'tanh' && c.first.every(({ type }) => type === 'float64') && c.opset !== { Gelu: 20, LeakyRelu: 16, Mish: 18 }[c.row.Name], 'no kernel; at the opset that has it anew it is taken for the operators that it is made of'],
  ['Gelu', (c) => c.types.T === 'float64' && c.opset === 20 && c.attributes.approximate !== 'tanh', 'no kernel for Erf of float64, which it is made of'],
  ['PRelu', (c) => !/float(16|32)/.test(c.types.T) && (c.opset !== 16 || /uint/.test(c.types.T)), 'no kernel; at opset 16 it is taken for the operators that it is made of'],
  ['BitCast', (c) => c.types.input === 'bool', 'no kernel for bool'],
  ['RMSNormalization', mixed, 'a scale of another type'],
  ['com.microsoft.GemmFastGelu com.microsoft.GroupNorm com.microsoft.SkipGroupNorm com.microsoft.BiasAdd com.microsoft.BiasSplitGelu com.microsoft.BiasSoftmax com.microsoft.NhwcConv', () => true, 'no kernel on processors'],
  ['Swish', (c) => c.opset > 24, 'no kernel, and no function from opset 25 on'],
  ['com.microsoft.MultiHeadAttention', (c) => c.first[0].dims.length === 5 || c.first[1].dims.length === 5, 'no kernel for keys and values that are packed'],
  ['com.microsoft.GroupQueryAttention', (c) => c.attributes.do_rotary === 1 && [c.first[7], ...c.runs.map(({ in7 }) => in7)].some((v) => v && v.dims[1] % 8 > 0), 'heads of which 16 elements are a part, where they are turned'],
  ['com.microsoft.QAttention', (c) => c.first[0].type === 'int8', 'no kernel for an input of int8'],
  ['com.microsoft.Attention', (c) => !c.first[2] || Boolean(c.first[4] && c.first[5]), 'no kernel without a bias, or with a past and a bias of scores'],
  ['GridSample', (c) => (c.types.T === 'float64') !== (c.types.S === 'float64') && (c.opset >= 20 || c.types.T !== 'float64'), 'one type for both operands'],
  ['RoiAlign MaxRoiPool', (c) => c.opset >= 22, 'no kernel from opset 22 on'],
  ['GlobalLpPool', (c) => c.opset >= 22 && /float(16|32)/.test(c.types.T), 'no kernel from opset 22 on'],
  ['OneHot', (c) => !oneHots.includes(c.first.map(({ type }) => (type === 'float16' ? 'float32' : type)).join('/')) && !oneHots.includes(c.first.map(({ type }) => type).join('/')), 'no kernel for the three types'],
  ['Pow', (c) => c.opset < 12 && c.first[0].type !== c.first[1].type, 'one type for both operands before opset 12'],
  ['Upsample', (c) => c.opset >= 10, 'no such operator from opset 10 on'],
  ['ai.onnx.ml.ZipMap', () => true, 'its result is a list of maps'],
  ['Scatter', (c) => c.opset >= 11, 'no such operator from opset 11 on'],
  ['EyeLike', (c) => c.types.T !== 'bfloat16' && [c.types.T, c.types[':dtype'] ?? c.types.T].some((type) => !/^(float32|float64|int32|int64|uint64)$/.test(type) && !(c.types.T === 'float16' && type === 'float16')), 'no kernel for the types'],
  ['Resize', (c) => c.attributes.coordinate_transformation_mode === 'tf_crop_and_resize' && c.types.roi !== 'float32' && !(c.types.T === 'float16' && c.types.roi === 'float16'), 'a region of another type than float32'],
  ['Slice', (c) => c.first.slice(1).every((v) => !v || v.type === 'int32' || v.type === 'int64') && new Set(c.first.slice(1).filter(Boolean).map(({ type }) => type)).size > 1, 'one type for all lists'],
  ['Pad', (c) => c.first[3]?.type === 'int32' && c.constant[3], 'axes that are known have to be int64'],
  ['Clip', (c) => c.opset >= 13 && /^u?int16$/.test(c.types.T) && Boolean(c.first[1] || c.first[2]), 'no kernel for bounds of 16 bits'],
  ['ReduceLogSumExp', (c) => c.types.T === 'uint32' && c.opset !== 18, 'no kernel for uint32; at opset 18 it is taken for the operators that it is made of'],
  ['MaxPool AveragePool', (c) => (c.row.Name === 'MaxPool' ? !c.attributes.storage_order && /float(16|32)/.test(c.types.T) : c.opset < 19) && strides(c), 'SAME of strides so long that pads are negative'],
  ['com.microsoft.QLinearReduceMean', () => true, 'no kernel, only a name'],
  ['Cast ConstantOfShape', (c) => (c.types[':value'] ?? c.types[':to']) === 'bfloat16' && c.opset < 13, 'no operator by which the test could see a bfloat16 before opset 13'],
];

/** What the engine refuses: its row says so under limits. @type {[string, (c: Case) => boolean, string][]} */
const limits = [
  ['ScatterElements ScatterND', (c) => (c.attributes.reduction ?? 'none') !== 'none' && !['float32', 'float64', 'int32', 'int64'].includes(c.types.T), 'reductions of other types'],
  ['RMSNormalization', (c) => mixed(c) && c.first.some(({ type }) => type === 'float64'), 'float64 with another type'],
  ['Clip', (c) => c.opset < 11 && !isFloat(c.types.T), 'bounds that are attributes, of other types'],
  ['Pad', (c) => c.opset < 11 && 'value' in c.attributes && c.types.T !== 'float32' && c.types.T !== 'float64', 'a value that is an attribute, of other types'],
];

const farEnd = (c) => c.first[4] && c.attributes.starts === undefined && [1, 2].some((i) => [...c.first[i].data].some((v, k) => Number(v) === 2147483647 && Number(c.first[4].data[k]) < 0));

/** Where both run a model and need not give the same. In full runs there has to be a case of each that does not. @type {[string, (c: Case) => boolean, string][]} */
const differences = [
  ['ai.onnx.ml.TreeEnsembleRegressor', (c) => Boolean(c.attributes.base_values) && untold(c), 'onnxruntime gives 0 to a target that no leaf adds to, ONNX its base value'],
  ['Sign', (c) => c.types.T === 'float16', 'onnxruntime gives 0 for NaN of float16, and NaN for NaN of float32'],
  ['Attention', (c) => c.attributes.qk_matmul_output_mode === 2, 'onnxruntime gives the lowest number where ONNX has -Infinity in scores that are hidden'],
  ['Attention', (c) => c.attributes.is_causal === 1 && [c.first, ...c.runs].some((v) => (v[0] ?? v.in0)?.dims.at(-2) === 1), 'onnxruntime lets a single query see all keys, ONNX those up to its own place'],
  ['Slice', farEnd, 'onnxruntime takes an end of 2^31 − 1 for the far end in the direction of a negative step; ONNX limits it to the last element'],
  ['Squeeze', (c) => c.attributes.axes?.length === 0 || c.first[1]?.data.length === 0, 'onnxruntime takes an empty list of axes for none given, and removes all; ONNX lists what is removed'],
  ['ConvTranspose', (c) => /^SAME/.test(c.attributes.auto_pad) && c.first[1].dims.slice(2).some((k, i) => k < (c.attributes.strides?.[i] ?? 1)), 'SAME is stride times the size in ONNX; onnxruntime gives less where windows do not touch'],
  ['Col2Im', (c) => c.first[1].data.length !== 2 && [...c.attributes.strides, ...c.attributes.dilations].some((v) => v > 1), 'onnxruntime counts places without strides, and blocks with their gaps, but for two dimensions'],
  ['com.microsoft.NhwcMaxPool', (c) => /^SAME/.test(c.attributes.auto_pad) && c.attributes.kernel_shape.some((k, i) => k < (c.attributes.strides?.[i] ?? 1)), 'onnxruntime starts inside the plane where SAME would be a negative pad'],
  ['MaxPool AveragePool LpPool', (c) => (c.row.Name !== 'AveragePool' || c.opset >= 19) && strides(c), 'onnxruntime starts inside the plane where SAME would be a negative pad, and refuses that before opset 19'],
  ['STFT', (c) => c.first[0].dims[2] === 2 && Boolean(c.first[2]), 'onnxruntime does not multiply complex signals by the window as ONNX says'],
  ['DFT', (c) => c.types.T === 'float64' && c.attributes.inverse === 1, 'onnxruntime divides by the length in float32'],
  ['ReduceLogSumExp', (c) => !/float/.test(c.types.T), 'onnxruntime adds exponentials that are cut off to integers'],
  ['Resize', (c) => /^tf_/.test(c.attributes.coordinate_transformation_mode) && resized(c).some(([n, m]) => n === m), 'onnxruntime leaves an axis that keeps its size as it is, where ONNX has it shifted or cropped'],
  ['Resize', nearlyWhole, 'onnxruntime has coordinates in float32, ONNX in float64: rounded down or up, whole numbers are one less or one more'],
  ['Gather', (c) => c.types.T === 'string', 'onnxruntime copies the first string of each row only'],
  ['GroupNormalization Gelu', (c) => c.types.T === 'float64', 'onnxruntime computes them in float32, or with constants of float32'],
  ['Shrink', (c) => c.types.T === 'float64', 'onnxruntime computes it in float32'],
  ['Resize', (c) => c.attributes.coordinate_transformation_mode === 'align_corners', "ONNX's cases have the size of the output before it is rounded down, onnxruntime after"],
];

/** What onnxruntime scales in another order, or rounds down: next to a tie a result of 8 bits may be the step before or after. */
const nearTies = /^QLinear(Add|Mul|Softmax|Sigmoid|LeakyRelu|AveragePool|GlobalAveragePool|Where|Concat)$/;

/** Whose numbers are no one else's, so that types and dimensions alone are compared. */
const drawsNumbers = /^(Random|Bernoulli|Multinomial)/;

/** By how much numbers may differ: rel·(|want| + floor), of floats; of sums the floor is at least the largest result. Others and what is only moved are the same. */
function toleranceOf(c, type) {
  // onnxruntime puts the input and the state on a grid of 8 bits.
  if (c.row.Name === 'DynamicQuantizeLSTM') return { rel: 0, floor: 0, step: 0.02 };
  if (nearTies.test(c.row.Name)) return { rel: 0, floor: 0, step: 1 };
  const moves = c.row.In[0].Types.includes('bfloat16') && !['linear', 'cubic'].includes(c.attributes.mode) && (c.attributes.reduction ?? 'none') === 'none';
  // Cut off to integers where onnxruntime's float32 may be a little less than whole.
  if (!moves && /^(Resize|Upsample)$/.test(c.row.Name) && !/float/.test(type)) return { rel: 0, floor: 0, step: 1 };
  if (moves || !/float/.test(type)) return { rel: 0, floor: 0 };
  if (type === 'float64') return { rel: 1e-12, floor: 1 };
  if (type === 'float16') return { rel: 4e-3, sums: true, floor: 1 };
  // onnxruntime squares before it subtracts: digits are lost where numbers of a group are nearly alike.
  if (/^(Batch|Group|Instance)Normalization$/.test(c.row.Name)) return { rel: 5e-3, floor: 1 };
  return { rel: 1e-5, sums: /^(Conv|Gemm|MatMul|Einsum|Det|Reduce|Cum|.*Loss|Resize|Upsample|DeformConv|AveragePool|Global|GridSample|.*Normalization|.*Attention|Fused.*|Scatter|LSTM|GRU|RNN|DFT|STFT|.*Window|CDist|Linear|SVM)/.test(c.row.Name), floor: 0.1 };
}

/** Where two results differ, '' for nowhere. @param {Case} c */
function unlike(c, got, want) {
  for (const [i, run] of want.entries()) {
    for (const [name, w] of Object.entries(run)) {
      const g = got[i][name];
      const where = `run ${i}, ${name}`;
      if (g.type !== w.type) return `${where} is ${g.type}, want ${w.type}`;
      if (String(g.dims) !== String(w.dims)) return `${where} has dimensions [${g.dims}], want [${w.dims}]`;
      if (drawsNumbers.test(c.row.Name)) continue;
      const { rel, floor: least, sums, step = 0 } = toleranceOf(c, w.type);
      const floor = sums && w.type !== 'string' ? w.data.reduce((most, v) => (Number.isFinite(v) ? Math.max(most, Math.abs(v)) : most), 1) : least;
      const number = w.type === 'float16' ? fromHalf : Number;
      for (let k = 0; k < w.data.length; k++) {
        if (g.data[k] === w.data[k]) continue;
        if (w.type === 'string') return `${where}[${k}] is ${JSON.stringify(g.data[k])}, want ${JSON.stringify(w.data[k])}`;
        const [a, b] = [number(g.data[k]), number(w.data[k])];
        if ((Number.isNaN(a) && Number.isNaN(b)) || (a === b && /float/.test(w.type)) || Math.abs(a - b) <= Math.max(step, rel * (Math.abs(b) + floor))) continue;
        return `${where}[${k}] is ${g.data[k]}, want ${w.data[k]}`;
      }
    }
  }
  return '';
}

/** Results of a case's runs, or the error. */
async function outcome({ InferenceSession: Session, Tensor: Class }, c, options, runOptions) {
  let session;
  try {
    session = await Session.create(c.bytes, options);
    const results = [];
    for (const run of c.runs) {
      const feeds = Object.fromEntries(Object.entries(run).map(([name, { type, data, dims }]) => [name, new Class(type, data, dims)]));
      const outputs = await session.run(feeds, runOptions);
      results.push(Object.fromEntries(Object.entries(outputs).map(([name, { type, dims, data }]) => [name, { type, dims: [...dims], data: data.slice() }])));
    }
    return { results };
  } catch (error) {
    return { refused: String(error?.message ?? error) };
  } finally {
    await session?.release();
  }
}

const covers = (rows, name) => rows.split(' ').includes(name);

/** The lines of the tables that say that onnxruntime refuses a case. @param {Case} c */
const refusals = (c) => [
  ...[...typesBeyondONNX, ...typesWithoutKernel].filter(([rows, operand, types, till = Infinity]) => covers(rows, nameOf(c.row)) && c.opset <= till && covers(types, c.first[operand]?.type)),
  ...otherwise.filter(([rows, when]) => covers(rows, nameOf(c.row)) && when(c)),
];

/** Opsets before 7 onnxruntime does not promise: nn/graph has tests of their own for them. */
const table = { ...readRows(), MinOpset: 7 };

describe('operators beside onnxruntime-web', () => {
  let runtime;
  let ort;
  const used = new Set();
  const counted = { cases: 0, compared: 0, refused: 0 };

  before(async () => {
    runtime = await init();
    ort = await import('onnxruntime-web');
    ort.env.wasm.numThreads = 1;
    ort.env.logLevel = 'fatal'; // what it refuses is expected
  });
  after(() => runtime?.dispose());

  /** Returns what is wrong with a case, '' for nothing. @param {Case} c */
  async function judge(c) {
    const written = await outcome({ InferenceSession, Tensor }, c, { graphOptimizationLevel: 'none' });
    const optimized = await outcome({ InferenceSession, Tensor }, c, { graphOptimizationLevel: 'all' });
    counted.cases++;
    const ours = limits.filter(([rows, when]) => covers(rows, nameOf(c.row)) && when(c));
    ours.forEach((line) => used.add(line));
    if (Boolean(written.refused) !== Boolean(optimized.refused)) return `as written ${written.refused ?? 'it runs'}, optimized ${optimized.refused ?? 'it runs'}`;
    if (Boolean(written.refused) !== ours.length > 0) return written.refused ?? `it runs, though the engine is said to refuse ${ours[0][2]}`;
    if (written.refused) return '';
    const theirs = await outcome(ort, c, { executionProviders: ['wasm'], graphOptimizationLevel: 'disabled', logSeverityLevel: 4 }, { logSeverityLevel: 4 });
    const reasons = refusals(c);
    if (theirs.refused) {
      if (reasons.length === 0) return `onnxruntime refuses it, and no line says why: ${theirs.refused}`;
      if (reasons.length === 1) used.add(reasons[0]); // of several, any may be the one
      counted.refused++;
      return unlike(c, optimized.results, written.results) && `optimized: ${unlike(c, optimized.results, written.results)} as written`;
    }
    if (reasons.length > 0) return `onnxruntime runs it, though a line says that it does not: ${JSON.stringify(reasons[0])}`;
    const why = unlike(c, written.results, theirs.results) || (unlike(c, optimized.results, theirs.results) && `optimized: ${unlike(c, optimized.results, theirs.results)}`);
    const lines = differences.filter(([rows, when]) => covers(rows, nameOf(c.row)) && when(c));
    if (why && lines.length > 0) {
      lines.forEach((line) => used.add(line));
      return '';
    }
    counted.compared++;
    return why;
  }

  for (const [place, row] of table.Rows.entries()) {
    if (row.Planned && row.Name !== 'If') continue; // bodies and sequences, of which test/conformance has cases
    test(nameOf(row), { skip: only !== undefined && only !== nameOf(row) }, async () => {
      makerOf(row);
      const failures = [];
      const draw = new Draw(seed * 1009 + place);
      let plans = [...plansOf(table, row, draw)];
      if (all) for (let more = Math.max(rounds, Math.ceil(atLeast / plans.length)) - 1; more > 0; more--) plans = plans.concat([...plansOf(table, row, draw)]);
      else plans = Array.from({ length: sample }, () => draw.pick(plans));
      for (const [i, plan] of plans.entries()) {
        const c = drawCase(row, plan, (seed * 1009 + place) * 4099 + i);
        const why = await judge(c);
        if (why) failures.push(`${c.text}: ${why}`);
      }
      assert.equal(failures.length, 0, `${failures.length} of ${plans.length} cases:\n${failures.slice(0, 12).join('\n')}`);
    });
  }

  test('a wrong number, type or shape is seen', async () => {
    const row = table.Rows.find(({ Name }) => Name === 'Add');
    const c = drawCase(row, { opset: 14, types: { T: 'float32' } }, 5);
    const { results } = await outcome({ InferenceSession, Tensor }, c, {});
    const other = (change) => results.map((run) => Object.fromEntries(Object.entries(run).map(([name, tensor]) => [name, { ...tensor, ...change(tensor) }])));
    assert.equal(unlike(c, results, results), '');
    assert.match(unlike(c, other(({ data }) => ({ data: data.map((v) => v + 1e-3) })), results), /is .* want/);
    assert.match(unlike(c, other(() => ({ type: 'float64' })), results), /is float64, want float32/);
    assert.match(unlike(c, other(({ dims }) => ({ dims: [1, ...dims] })), results), /has dimensions/);
  });

  test('no maker and no line of the tables is left over', { skip: !all && 'only NORMWASM_ROWS=all draws all cases' }, async (t) => {
    t.diagnostic(`${counted.cases} cases, ${counted.compared} the same in onnxruntime-web, which refuses ${counted.refused}`);
    assert.deepEqual(makerNames.filter((name) => !table.Rows.some((row) => nameOf(row) === name)), []);
    for (const [rows] of limits) for (const name of rows.split(' ')) assert.ok(table.Rows.find((row) => nameOf(row) === name).Limits, name);
    if (only) return;
    assert.ok(counted.compared > counted.cases / 2, 'most cases are compared');
    // Lines that no case has come upon: cases of just these are drawn until one does.
    const refused = [...typesBeyondONNX, ...typesWithoutKernel, ...otherwise];
    const speaks = (line, c) => (refused.includes(line) ? refusals(c).length === 1 && refusals(c)[0] === line && !limits.some(([rows, when]) => covers(rows, nameOf(c.row)) && when(c))
      : covers(line[0], nameOf(c.row)) && line[1](c));
    const failures = [];
    for (const line of [...refused, ...limits, ...differences]) {
      const rows = table.Rows.filter(({ Domain, Name }) => covers(line[0], nameOf({ Domain, Name })));
      const draw = new Draw(seed);
      for (let i = 0, ran = 0; !used.has(line) && i < 20000 && ran < 400;) {
        const row = rows[i % rows.length];
        for (const plan of plansOf(table, row, draw)) {
          const c = drawCase(row, plan, i++);
          if (used.has(line) || !speaks(line, c)) continue;
          ran++;
          const why = await judge(c);
          if (why) failures.push(`${c.text}: ${why}`);
        }
      }
      if (!used.has(line)) failures.push(`not seen: ${line.join(' | ')}`);
    }
    assert.deepEqual(failures, []);
  });
});
