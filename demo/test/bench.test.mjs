// How the page Bench measures and what it says of it, without a page. That both programs run all cases and agree is in
// bench-page.test.mjs.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { InferenceSession, Tensor, init } from '../../js/dist/normwasm.js';
import { cases, inputOf } from '../src/bench/cases.js';
import { apart, geometricMean, measure, median } from '../src/bench/measure.js';
import { asJSON, asText, differing, overall, ratio, verdicts } from '../src/bench/results.js';

let runtime;
before(async () => {
  runtime = await init();
});
after(() => runtime.dispose());

const plan = { rounds: 5, sampleMs: 10, warmMs: 40 };
const item = { id: 'x', each: 4 };
const control = () => ({ signal: new AbortController().signal, tell() {} });

/** A contender whose run takes some milliseconds of a clock that nobody waits for. @param {string} id @param {(run: number) => number} takes */
function fake(id, takes, log, { result = Float32Array.of(1, 2), fails = '' } = {}) {
  let runs = 0;
  return {
    id,
    async prepare() {
      if (fails) throw new Error(fails);
      return { firstMs: 7, result };
    },
    async time(times) {
      let ms = 0;
      for (let i = 0; i < times; i++) ms += takes(runs++);
      log.push([id, times, ms]);
      return ms;
    },
    async release() {
      log.push([id, 'released']);
    },
  };
}

test('contenders take turns, each with samples that are long enough', async () => {
  const log = [];
  const shares = [];
  const cells = await measure([fake('a', () => 0.5, log), fake('b', () => 30, log), fake('c', (n) => (n < 100 ? 1 : 0.1), log)], item, plan, { signal: new AbortController().signal, tell: (share) => shares.push(share) });
  assert.deepEqual([...cells.keys()], ['a', 'b', 'c']);
  assert.equal(cells.get('a').medianMs, 0.125, 'of one of four');
  assert.equal(cells.get('b').medianMs, 7.5);
  assert.equal(cells.get('b').rounds, 5);
  assert.equal(cells.get('a').firstMs, 7);
  assert.equal(cells.get('a').apart, undefined);
  assert.equal(cells.get('b').apart, 0);
  const rounds = log.filter(([, times]) => times !== 'released').slice(-15);
  assert.equal(rounds.map(([id]) => id).join(''), 'abcbcacababcbca', 'the order rotates');
  assert.ok(rounds.every(([id, times, ms]) => (id === 'b' ? times === 1 : ms >= 9)), 'no sample is short');
  assert.deepEqual(log.slice(-3).map(([id]) => id), ['a', 'b', 'c'], 'all are released');
  assert.ok(shares.every((share, i) => share > (shares[i - 1] ?? 0)), 'it goes on and on');
  assert.equal(shares.at(-1), 1);
});

test('one that fails leaves the case to the others', async () => {
  const cells = await measure([fake('a', () => 1, []), fake('b', () => 1, [], { fails: 'no such operator' })], item, plan, control());
  assert.equal(cells.get('b').error, 'no such operator');
  assert.equal(cells.get('a').rounds, 5);
});

test('stopped, it gives what there is, and releases all', async () => {
  const stop = new AbortController();
  const log = [];
  const slow = fake('b', () => 10, log);
  const { time } = slow;
  let samples = 0;
  slow.time = (times) => {
    if (++samples === 7) stop.abort(); // in the third round, behind four of the warming
    return time(times);
  };
  const cells = await measure([fake('a', () => 10, log), slow], item, plan, { signal: stop.signal, tell() {} });
  assert.equal(cells.get('b').rounds, 3);
  assert.equal(log.filter(([, what]) => what === 'released').length, 2);
  stop.abort();
  assert.equal((await measure([fake('a', () => 10, log)], item, plan, { signal: stop.signal, tell() {} })).size, 0);
});

test('medians, means and differences', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.ok(Math.abs(geometricMean([2, 8]) - 4) < 1e-12);
  assert.equal(apart(Float32Array.of(1, -4), Float32Array.of(1, -3)), 0.25);
  assert.equal(apart(Float32Array.of(1), Float32Array.of(NaN)), Infinity);
  assert.equal(apart(Float32Array.of(NaN), Float32Array.of(1)), Infinity);
  assert.equal(apart(Float32Array.of(1, 2), Float32Array.of(1)), Infinity);
  assert.equal(apart(Float32Array.of(0), Float32Array.of(0)), 0);
});

const results = {
  date: '2026-01-02T03:04:05.678Z', device: { userAgent: 'Browser/1', cores: 4, hidden: false }, plan,
  contenders: [{ id: 'auto', name: 'normwasm (relaxed)', version: '0.1.0', threads: 2 }, { id: 'ort', name: 'onnxruntime-web', version: '1', threads: 1 }],
  cases: [
    { id: 'a', group: 'norms', name: 'LayerNorm', detail: '1 × 2', cells: { auto: { medianMs: 0.1 }, ort: { medianMs: 0.2, apart: 1e-6 } } },
    { id: 'b', group: 'norms', name: 'RMSNorm', detail: '3', cells: { auto: { medianMs: 1 }, ort: { medianMs: 8, apart: 0.5 } } },
    { id: 'c', group: 'models', name: 'Net', detail: '', cells: { auto: { medianMs: 123.4 }, ort: { error: 'no' } } },
    { id: 'd', group: 'layers', name: 'Product', detail: '', cells: { auto: { medianMs: 20 }, ort: { medianMs: 10 } } },
  ],
};

test('what is said of the results', () => {
  assert.equal(ratio(results.cases[1], 'auto', 'ort'), 8);
  assert.equal(ratio(results.cases[2], 'auto', 'ort'), undefined);
  const { mean, ...rest } = overall(results, 'ort', 'norms');
  assert.ok(Math.abs(mean - 4) < 1e-9);
  assert.deepEqual(rest, { least: 2, most: 8, count: 2 });
  assert.equal(overall(results, 'ort', 'models'), undefined);
  assert.deepEqual(verdicts(results), ['Beside normwasm (relaxed), onnxruntime-web takes 4.00 times as long for norms (2.00 to 8.00, 2 measured), 0.50 times as long for layers (1 measured).']);
  assert.deepEqual(differing(results), ['RMSNorm: onnxruntime-web gives another result than normwasm (relaxed)']);
  const text = asText(results);
  assert.match(text, /^normwasm, bench of 2026-01-02T03:04:05\.678Z: medians of 5 rounds\nBrowser\/1; 4 cores\nnormwasm \(relaxed\): version 0\.1\.0, 2 threads\nonnxruntime-web: version 1, one thread\n/);
  assert.match(text, /\nLayerNorm, 1 × 2 +0\.100 +0\.200 \(2\.00x\)\n/);
  assert.match(text, /\nNet, +123 +fails\n/);
  assert.deepEqual(JSON.parse(asJSON(results)), results);
});

test('all cases are models that run, and their numbers stay small', async () => {
  assert.equal(new Set(cases.map(({ id }) => id)).size, cases.length);
  for (const one of cases) {
    if (one.file && !one.file.includes('names')) continue; // of a package that the site copies
    const session = await InferenceSession.create(one.file ? await readFile(join(import.meta.dirname, '../src', one.file)) : one.write());
    const data = inputOf(one);
    assert.deepEqual(inputOf(one), data, 'the same each time');
    const name = one.output ?? session.outputNames[0];
    const y = (await session.run({ [one.input.name]: new Tensor(data instanceof BigInt64Array ? 'int64' : 'float32', data, one.input.dims) }, [name]))[name].data;
    const most = y.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    assert.ok(most > 1e-3 && most < 1e3, `${one.id}: ${most}`);
    assert.ok(y.every((v) => Number.isFinite(v)), one.id);
    await session.release();
  }
});
