// node batch.mjs FOLDER FROM TO RESULTS: has this package and onnxruntime-web run models FROM … TO−1 of a folder that
// TestMutants wrote, and compares with what is written beside each, which native code computed. A line a model goes to the file RESULTS at once, for a model may end the process.
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { InferenceSession, Tensor, init } from 'normwasm';
import * as ort from 'onnxruntime-web';

ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'fatal';
await init({ variant: 'simd' });

const [folder, from, to, results] = process.argv.slice(2);
const arrays = {
  float32: Float32Array, float64: Float64Array, float16: globalThis.Float16Array ?? Uint16Array, int64: BigInt64Array, uint64: BigUint64Array, int32: Int32Array,
  uint32: Uint32Array, int16: Int16Array, uint16: Uint16Array, int8: Int8Array, uint8: Uint8Array, bool: Uint8Array,
};

/** @param {{ Type: string, Data: string }} text */
function elements({ Type, Data }) {
  const bytes = Uint8Array.from(Buffer.from(Data, 'base64'));
  return new arrays[Type](bytes.buffer);
}

/** Where two outputs differ by more than they may, or by more than so many times as much, '' for nowhere. */
function unlike(want, got, times = 1) {
  if (got === undefined) return 'it is missing';
  if (got.type !== want.Type) return `it is ${got.type}, here ${want.Type}`;
  const doubt = (k) => want.Error?.[Math.min(k, want.Error.length - 1)] ?? 0;
  if (String(got.dims) !== String(want.Dims)) return doubt(0) > 1e300 ? '' : `it has dimensions [${got.dims}], here [${want.Dims}]`;
  const a = elements(want);
  const b = got.data;
  for (let k = 0; k < a.length; k++) {
    if (Object.is(a[k], b[k]) || a[k] === b[k]) continue;
    const [x, y] = [Number(a[k]), Number(b[k])];
    if (Math.abs(x - y) <= 2 * times * doubt(k) + (want.Type === 'float16' ? 2e-3 * Math.abs(x) : 0) || doubt(k) > 1e300) continue;
    if (want.Type.startsWith('float') && (!(Math.abs(x) < 1e30) || !(Math.abs(y) < 1e30)) && !(Number.isFinite(x) && Number.isNaN(y))) {
      // What overflowed somewhere is infinite, NaN or very large, as it comes; but a number is no NaN.
      if (!Number.isFinite(x) || Math.abs(x) > 1e15) continue;
    }
    return `element ${k} is ${y}, here ${x} (a difference of ${doubt(k).toPrecision(3)} would be rounding)`;
  }
  return '';
}

const losses = (want, got) => unlike(want, got, 10) === ''; // it adds thousands of losses one after another in float32, here they are added in pairs
const windows = (_, { data }) => data.some(Number.isNaN); // a window of one element is 0 / 0 there
const empty = ({ Dims }) => Dims.includes(0); // of no elements it reduces the first of the axes alone
/** What is known of onnxruntime, by operator: a difference of a model that has it is none of ours where the function says so. */
const known = {
  BlackmanWindow: windows,
  HammingWindow: windows,
  HannWindow: windows,
  MeanVarianceNormalization: () => true, // it takes E[x²] − E[x]² for the variance, which has no digits left where x is constant, and may be negative
  ReduceLogSumExp: ({ Type }) => !Type.startsWith('float'), // it adds exponentials that are cut off to integers
  ReduceMax: empty, ReduceMean: empty, ReduceMin: empty, ReduceProd: empty, ReduceSum: empty,
  Scan: (_, { data }) => data.some((v) => Math.abs(Number(v)) > 1e15), // it may read memory that nothing was written to
  NegativeLogLikelihoodLoss: losses,
  SoftmaxCrossEntropyLoss: losses,
};

/** The file that weights may be in, for a model that names it. */
const beside = readFileSync(join(folder, 'beside'));
const externalData = (model) => (model.includes('weights/data.bin') ? { externalData: [{ path: 'weights/data.bin', data: new Uint8Array(beside) }, { path: 'empty', data: new Uint8Array(0) }] } : {});

/** What an input is fed, or an output must give: of `counts` it is a list (null for −2), else one. */
const listed = (counts, name, all) => (counts?.[name] === undefined || counts[name] === -1 ? all[0] : counts[name] < 0 ? null : all);
const feedsOf = (play, tensor) => Object.fromEntries([...new Set([...play.Feeds.map(({ Name }) => Name), ...Object.keys(play.Ins ?? {})])]
  .map((name) => [name, listed(play.Ins, name, play.Feeds.filter(({ Name }) => Name === name).map(tensor))]));

/** How this package's results differ from what native code computed, '' for not at all. It has to be rounding where it does. */
async function ours(play) {
  let session;
  try {
    const model = readFileSync(join(folder, play.File));
    session = await InferenceSession.create(model, { graphOptimizationLevel: 'none', ...externalData(model) });
    const outputs = await session.run(feedsOf(play, (f) => new Tensor(f.Type, elements(f), f.Dims)));
    for (const [name, count] of Object.entries(play.Outputs ?? {})) {
      const [is, wanted] = [outputs[name], count].map((v) => (v === null ? -2 : Array.isArray(v) ? v.length : typeof v === 'number' ? v : -1));
      if (is !== wanted) return `${name}: it is ${is} tensors, here ${wanted}`;
    }
    const given = new Map(Object.entries(outputs).map(([name, value]) => [name, [value].flat()]));
    for (const want of play.Outs) {
      const [first] = given.get(want.Name);
      const why = unlike(want, first);
      if (play.Outputs && want.Name in play.Outputs) given.get(want.Name).shift();
      if (why !== '') return `${want.Name}: ${why}`;
    }
    return '';
  } catch (error) {
    return `${error.name}: ${error.message}`;
  } finally {
    await session?.release();
  }
}

/** What onnxruntime-web gives. */
async function theirs(play) {
  let session;
  try {
    const model = readFileSync(join(folder, play.File));
    // Its optimizer makes one of two quantizations that follow each other, which gives other numbers.
    const graphOptimizationLevel = play.Ops.filter((op) => op === 'QuantizeLinear').length > 1 ? 'disabled' : 'all';
    session = await ort.InferenceSession.create(model, { logSeverityLevel: 4, graphOptimizationLevel, ...externalData(model) });
    return await session.run(Object.fromEntries(play.Feeds.map((f) => [f.Name, new ort.Tensor(f.Type, elements(f), f.Dims)])));
  } finally {
    await session?.release().catch(() => {});
  }
}

async function judge(play) {
  if ([...play.Feeds, ...play.Outs].some(({ Type }) => !(Type in arrays))) return { verdict: 'skipped' };
  const own = await ours(play);
  if (own !== '') return { verdict: 'wasm', why: own };
  if (Object.keys({ ...play.Ins, ...play.Outputs }).length > 0) return { verdict: 'lists' }; // which onnxruntime-web refuses
  let outputs;
  try {
    outputs = await theirs(play);
  } catch (error) {
    return { verdict: 'refused', why: String(error?.message ?? error).slice(0, 300) };
  }
  for (const want of play.Outs) {
    const why = unlike(want, outputs[want.Name]);
    if (why !== '' && play.Ops.some((op) => known[op]?.(want, outputs[want.Name]))) return { verdict: 'known' };
    if (why !== '') {
      const again = await theirs(play);
      if (!isDeepStrictEqual(again[want.Name].data, outputs[want.Name].data)) return { verdict: 'unsteady' }; // it reads what nobody has written
      const outs = play.Outs.filter(({ Name }) => Name in outputs).map(({ Name, Error }) => {
        const { type, dims, data } = outputs[Name];
        return { Name, Type: type, Dims: [...dims], Data: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64'), Error };
      });
      return { verdict: 'differs', why: `${want.Name}: ${why}`, outs };
    }
  }
  return { verdict: 'same' };
}

for (let i = Number(from); i < Number(to); i++) {
  appendFileSync(results, `${JSON.stringify({ i, verdict: 'begun' })}\n`);
  const play = JSON.parse(readFileSync(join(folder, `${i}.json`), 'utf8'));
  appendFileSync(results, `${JSON.stringify({ i, ...await judge(play) })}\n`);
}
process.exit(0); // at once: onnxruntime may have left something running
