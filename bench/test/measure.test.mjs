import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { get } from 'node:http';
import test from 'node:test';
import { brotliDecompressSync } from 'node:zlib';
import { batchNormReference, channelsLast, layerNormReference, maxDifference, uniform } from '../page/data.js';
import { measure, perNode, quantile } from '../page/measure.js';
import { fill, merge, table } from '../report.mjs';
import { serve } from '../server.mjs';

test('quantile', () => {
  assert.equal(quantile([3, 1, 2], 0.5), 2);
  assert.equal(quantile([4, 1, 2, 3], 0.5), 2.5);
  assert.equal(quantile([5, 4], 0), 4);
});

test('a chain minus a single node, by rounds', () => {
  const one = { coldMs: 1, timesPerSample: 1, samples: [10, 20, 12] };
  const many = { coldMs: 1, timesPerSample: 1, samples: [50, 60, 54] };
  const r = perNode('x', one, many, 21);
  assert.equal(r.medianMs, 2);
  assert.equal(r.rounds, 3);
});

test('each contender gives one sample a round, long enough', async (t) => {
  let clock = 0;
  t.mock.method(performance, 'now', () => clock);
  const order = [];
  const takes = (name, ms) => ({
    name,
    run: (times) => {
      order.push(name);
      clock += ms * times;
    },
  });
  const got = await measure([takes('a', 0.5), takes('b', 2)], { rounds: 4, sampleMs: 7, warmMs: 20, budgetMs: 1000 });
  assert.deepEqual(got, [
    { name: 'a', coldMs: 0.5, timesPerSample: 14, samples: [0.5, 0.5, 0.5, 0.5] },
    { name: 'b', coldMs: 2, timesPerSample: 4, samples: [2, 2, 2, 2] },
  ]);
  assert.equal(order.slice(-8).join(''), 'abbaabba');
  const slow = await measure([takes('a', 1), takes('slow', 300)], { rounds: 12, sampleMs: 1, warmMs: 1, budgetMs: 1000 });
  assert.deepEqual(slow.map((s) => s.samples.length), [12, 9]);
  const slower = await measure([takes('a', 1), takes('slow', 300)], { rounds: 12, sampleMs: 1, warmMs: 1, budgetMs: 500, fewest: 3 });
  assert.deepEqual(slower.map((s) => s.samples.length), [12, 3]);
});

test('references', () => {
  assert.deepEqual([...layerNormReference([1, 3], [2, 1], [0, 5], 1, 2, 0)], [-2, 6]);
  const p = { gamma: [1, 2], beta: [0, 1], mean: [1, 0], variance: [4, 1] };
  assert.deepEqual([...batchNormReference(Float32Array.of(3, 5, 1, 2), p, [1, 2, 2], 0)], [1, 2, 3, 5]);
  assert.deepEqual([...channelsLast(Float32Array.of(1, 2, 3, 4), [1, 2, 2])], [1, 3, 2, 4]);
  assert.ok(Number.isNaN(maxDifference([NaN, 1], [0, 1])));
  assert.deepEqual(uniform(4, 0, 1, 7), uniform(4, 0, 1, 7));
});

test('the table goes between the markers and nowhere else', () => {
  const results = {
    date: '2030-01-02T03:04:05.678Z', machine: { cpu: 'A', cores: 2, os: 'B' }, versions: { chromium: '1', normwasm: '2' }, variants: ['simd'],
    cases: [
      { name: 'LayerNorm', dims: [2, 3], contenders: [{ name: 'normwasm', medianMs: 0.001, rounds: 4, gbPerSecond: 102.4 },
        { name: 'onnxruntime-web', medianMs: 0.012, rounds: 4, gbPerSecond: 2 }, { name: 'tfjs-wasm', medianMs: 0.0085, rounds: 4 }] },
    ],
    sizes: [{ name: 'normwasm', brotli: 500000 }, { name: 'onnxruntime-web', brotli: 3000000 }],
  };
  const text = table(results);
  assert.match(text, /\| LayerNorm, 2×3 \| 1\.00 µs \(102 GB\/s\) \| 12\.0 µs \(2\.0 GB\/s\) \| \*\*12×\*\* \| 8\.50 µs \| \*\*8\.5×\*\* \|/);
  assert.match(text, /500 KB \| 3000 KB \| \*\*6\.0×\*\*/);
  const page = 'a\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nz\n';
  const filled = fill(page, text);
  assert.ok(filled.startsWith('a\n<!-- bench:begin -->\n|') && filled.endsWith('<!-- bench:end -->\nz\n') && !filled.includes('old'));
  assert.equal(fill(filled, text), filled);
  assert.throws(() => fill('nothing', text), /no <!-- bench:begin -->/);
});

test('steps of training have a table of their own, and a group can be measured anew', () => {
  const step = { group: 'steps', name: 'CNN', dims: [64, 1], contenders: [{ name: 'normwasm', medianMs: 20, rounds: 4, gflops: 19.1, productGflops: 34 },
    { name: 'normwasm simd', medianMs: 25, rounds: 4 }, { name: 'tfjs-cpu', medianMs: 5000, rounds: 3 }, { name: 'jax-js', medianMs: 900, rounds: 3 }] };
  const mlp = { ...step, name: 'MLP', contenders: [step.contenders[0], { name: 'tfjs-wasm', medianMs: 160, rounds: 4 }] };
  const other = { group: 'call', name: 'LayerNorm', dims: [2], contenders: [{ name: 'normwasm', medianMs: 1, rounds: 4 }] };
  const before = { date: '2030-01-02T03:04:05.678Z', machine: { cpu: 'A' }, versions: { normwasm: '2' }, variants: ['simd'], method: 'old', cases: [{ ...step, name: 'old' }, other] };
  const after = merge(before, { ...before, date: '2030-02-03T04:05:06.789Z', versions: { '@jax-js/jax': '3' }, method: 'new', cases: [step, mlp] }, ['steps'], ['steps', 'call']);
  assert.deepEqual(after.cases.map((c) => c.name), ['CNN', 'MLP', 'LayerNorm']);
  assert.deepEqual([after.method, after.versions], ['new', { normwasm: '2', '@jax-js/jax': '3' }]);
  const text = table(after);
  assert.match(text, /\| CNN, 64×1 \| 20\.0 ms \| 19\.1 of 34\.0 GFLOP\/s, 56 % \| 5000 ms \(cpu\) \| \*\*250×\*\* \| 900 ms \| \*\*45×\*\* \|/);
  assert.match(text, /\| MLP, 64×1 \| 20\.0 ms \|[^|]*\| 160 ms \| \*\*8\.0×\*\* \| – \| – \|/);
  assert.match(text, /\| LayerNorm, 2 \| 1\.00 ms \|/);
  assert.match(text, /jax-js 3/);
  assert.match(text, /^2030-01-02 \(measured again: steps 2030-02-03\), A/m);
  assert.throws(() => merge(before, { ...before, machine: { cpu: 'B' } }, ['steps'], ['steps']), /results\.json is of A, and this is B/);
});

test('the server sends scripts as they are, or in brotli', async () => {
  const file = new URL('../page/data.js', import.meta.url);
  const text = await readFile(file);
  for (const brotli of [false, true]) {
    const server = await serve({ '/page/': new URL('.', file).pathname }, { brotli });
    const { headers, body } = await new Promise((resolve, reject) => {
      get(`${server.origin}/page/data.js`, async (response) => {
        resolve({ headers: response.headers, body: Buffer.concat(await response.toArray()) });
      }).on('error', reject);
    });
    await server.close();
    assert.equal(headers['content-encoding'], brotli ? 'br' : undefined);
    assert.equal(Number(headers['content-length']), body.length);
    assert.deepEqual(brotli ? brotliDecompressSync(body) : body, text);
  }
});
