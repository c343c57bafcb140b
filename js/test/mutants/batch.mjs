// node batch.mjs FOLDER FROM TO RESULTS: has this package and onnxruntime-web run models FROM … TO−1 of a folder that
// TestMutants wrote, and compares with what is written beside each, which native code computed. A line a model goes to the file RESULTS at once, for a model may end the process.
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
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

/** What is known of onnxruntime, by operator: a difference of a model that has it is none of ours where the function says so. */
const losses = (want, got) => unlike(want, got, 10) === ''; // it adds thousands of losses one after another in float32, here they are added in pairs
const known = {
  MeanVarianceNormalization: () => true, // it takes E[x²] − E[x]² for the variance, which has no digits left where x is constant, and may be negative
  ReduceLogSumExp: ({ Type }) => !Type.startsWith('float'), // it adds exponentials that are cut off to integers
  NegativeLogLikelihoodLoss: losses,
  SoftmaxCrossEntropyLoss: losses,
};

/** How this package's results differ from what native code computed, '' for not at all. It has to be rounding where it does. */
async function ours(play) {
  let session;
  try {
    session = await InferenceSession.create(readFileSync(join(folder, play.File)), { graphOptimizationLevel: 'none' });
    const outputs = await session.run(Object.fromEntries(play.Feeds.map((f) => [f.Name, new Tensor(f.Type, elements(f), f.Dims)])));
    for (const want of play.Outs) {
      const why = unlike(want, outputs[want.Name]);
      if (why !== '') return `${want.Name}: ${why}`;
    }
    return '';
  } catch (error) {
    return `${error.name}: ${error.message}`;
  } finally {
    await session?.release();
  }
}

async function judge(play) {
  if ([...play.Feeds, ...play.Outs].some(({ Type }) => !(Type in arrays))) return { verdict: 'skipped' };
  const own = await ours(play);
  if (own !== '') return { verdict: 'wasm', why: own };
  let session;
  let outputs;
  try {
    session = await ort.InferenceSession.create(readFileSync(join(folder, play.File)), { logSeverityLevel: 4 });
    const feeds = Object.fromEntries(play.Feeds.map((f) => [f.Name, new ort.Tensor(f.Type, elements(f), f.Dims)]));
    outputs = await session.run(feeds);
  } catch (error) {
    return { verdict: 'refused', why: String(error?.message ?? error).slice(0, 300) };
  } finally {
    await session?.release().catch(() => {});
  }
  for (const want of play.Outs) {
    const why = unlike(want, outputs[want.Name]);
    if (why !== '' && play.Ops.some((op) => known[op]?.(want, outputs[want.Name]))) return { verdict: 'known' };
    if (why !== '') {
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
