// Every normalization, on some hundreds of seeded random cases, three ways: as a model in onnxruntime-web, as the same
// model in a session, and as a function. All are judged by float64, on hard numbers as well as easy ones; types, opsets and
// attributes of all operators rows.test.mjs draws from their rows. `CASE=1017 node --test test/differential.test.mjs` runs one.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { InferenceSession, Tensor, UnsupportedError, init } from 'normwasm';
import { drawCase, operators } from './operators.mjs';

/** How far onnxruntime-web may be from float64, next to the size of what an element's group is made of. */
const tolerance = 1e-5;
/** Up to which condition it has to be that near: it loses digits where a mean is far from 0, normwasm does not. */
const wellConditioned = 8;

const bits = (array) => new Uint32Array(array.buffer, array.byteOffset, array.length);
const feeds = ({ given, inputs }, Class) => Object.fromEntries(given.map((name) => [name, new Class('float32', inputs[name][1], inputs[name][0])]));
const ratio = (difference, size) => (difference === 0 ? 0 : Number.isNaN(difference) ? Infinity : difference / size);

/** The distance of neighbouring float32 at v. */
function ulp(v) {
  const size = Math.fround(v);
  return size === 0 ? 2 ** -149 : Math.max(2 ** -149, 2 ** (Math.floor(Math.log2(size)) - 23));
}

/** The largest error in ULP of the largest number that an element is made of. */
function worst(got, { value, unit }) {
  let ulps = got.length === value.length ? 0 : Infinity;
  for (let i = 0; i < value.length; i++) ulps = Math.max(ulps, ratio(Math.abs(got[i] - value[i]), ulp(unit[i])));
  return ulps;
}

/** How far and from which condition on theirs is off, and how far ours is from it elsewhere: in all, and where it is easy. */
function compare(got, theirs, { value, size, condition }) {
  const found = { off: 0, offAt: Infinity, apart: 0, easy: 0 };
  for (let i = 0; i < value.length; i++) {
    const off = ratio(Math.abs(theirs[i] - value[i]), size[i]);
    if (off <= tolerance) {
      const apart = ratio(Math.abs(got[i] - theirs[i]), size[i]);
      found.apart = Math.max(found.apart, apart);
      if (condition[i] <= wellConditioned) found.easy = Math.max(found.easy, apart);
    } else {
      found.off = Math.max(found.off, off);
      found.offAt = Math.min(found.offAt, condition[i]);
    }
  }
  return found;
}

const cases = new Map();
/** A case and what onnxruntime-web makes of it, once for all variants. */
async function caseOf(ort, name, seed) {
  if (!cases.has(seed)) {
    const drawn = drawCase(name, seed);
    const run = async () => {
      const session = await ort.InferenceSession.create(drawn.bytes, { executionProviders: ['wasm'] });
      const results = await session.run(feeds(drawn, ort.Tensor));
      await session.release();
      return results;
    };
    cases.set(seed, { ...drawn, theirs: await run().catch((error) => String(error)) });
  }
  return cases.get(seed);
}

async function inSession(drawn) {
  const session = await InferenceSession.create(drawn.bytes);
  const results = await session.run(feeds(drawn, Tensor));
  await session.release();
  return results;
}

const seeds = Object.fromEntries(Object.entries(operators).map(([name, { cases: count }], place) => [
  name, Array.from({ length: count }, (_, i) => 1000 * (place + 1) + i).filter((seed) => !process.env.CASE || seed === Number(process.env.CASE)),
]));

/** @type {Map<number, Record<string, Float32Array>>} */
const first = new Map(); // results of the simd variant, by seed

for (const variant of ['relaxed', 'simd', 'scalar']) {
  describe(variant, () => {
    let runtime;
    let ort;
    before(async () => {
      runtime = await init({ variant }).catch((error) => {
        if (variant === 'scalar' || !(error instanceof UnsupportedError)) throw error;
      });
      ort = await import('onnxruntime-web');
      ort.env.wasm.numThreads = 1;
      ort.env.logLevel = 'fatal'; // what it refuses is expected
    });
    after(() => runtime?.dispose());

    for (const [name, { ulps: bound, todo }] of Object.entries(operators)) {
      test(name, { todo, skip: seeds[name].length === 0 }, async (t) => {
        if (!runtime) return t.skip(`this engine does not have ${variant}`);
        const failures = [];
        const count = { compared: 0, off: 0, refused: 0 };
        const most = { ulps: 0, easy: 0, off: 0, offAt: Infinity };
        for (const seed of seeds[name]) {
          const drawn = await caseOf(ort, name, seed);
          const { theirs } = drawn;
          const must = (ok, what) => ok || failures.push(`${drawn.text}: ${what()}`);
          let got;
          let session;
          try {
            got = drawn.call();
            session = await inSession(drawn);
          } catch (error) {
            must(false, () => String(error));
            continue;
          }
          const refused = typeof theirs === 'string';
          must(refused === Boolean(drawn.refused), () => (refused ? theirs : 'onnxruntime-web has it after all'));
          if (refused) count.refused++;
          let off = false;
          for (const [output, want] of Object.entries(drawn.want)) {
            const ulps = worst(got[output], want);
            most.ulps = Math.max(most.ulps, ulps);
            must(ulps <= bound, () => `${output} is off by ${ulps} ULP, want at most ${bound}`);
            must(String(session[output].dims) === String(drawn.outputs[output]), () => `the session's ${output} has dims ${session[output].dims}`);
            const different = bits(session[output].data).findIndex((v, i) => v !== bits(got[output])[i]);
            must(different < 0, () => `the session's ${output}[${different}] is ${session[output].data[different]}, the function's ${got[output][different]}, float64's ${want.value[different]}`);
            if (variant === 'scalar' && first.has(seed)) {
              const before = first.get(seed)[output];
              const other = bits(got[output]).findIndex((v, i) => v !== bits(before)[i]);
              must(other < 0, () => `${output}[${other}] is ${got[output][other]}, the simd variant's ${before[other]}`);
            }
            if (refused) continue;
            const found = compare(got[output], theirs[output].data, want);
            most.easy = Math.max(most.easy, found.easy);
            // Both are near float64, so that this fails only with one of the other two.
            must(found.apart <= 1.1 * tolerance, () => `${output} is ${found.apart} from onnxruntime-web's`);
            if (output === 'y' && found.off === 0) count.compared++;
            if (found.off === 0) continue;
            off = true;
            most.off = Math.max(most.off, found.off);
            most.offAt = Math.min(most.offAt, found.offAt);
            must(found.offAt > wellConditioned, () => `onnxruntime-web's ${output} is off by ${found.off} at a condition of ${found.offAt}`);
          }
          if (off) count.off++;
          if (variant === 'simd') first.set(seed, got);
        }
        const n = seeds[name].length;
        t.diagnostic(`${name}: ${n} cases, at worst ${most.ulps.toFixed(2)} ULP; onnxruntime-web gives the same in ${count.compared} (to ${most.easy.toExponential(1)} where well-conditioned)` +
          `${count.refused ? `, refuses ${count.refused}` : ''}${count.off ? `, is off in ${count.off} (by ${most.off.toExponential(1)}, from a condition of ${most.offAt.toFixed(0)} on)` : ''}`);
        assert.equal(failures.length, 0, `${failures.length} failures, of them\n${failures.slice(0, 12).join('\n')}`);
        assert.ok(process.env.CASE || count.compared >= n / 2, `only ${count.compared} of ${n} cases could be compared`);
      });
    }
  });
}
