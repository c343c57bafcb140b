import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { details, ratios, serialByTimes, table, threadStandings } from '../report.mjs';
import { threadCases } from '../threads.mjs';

const contenders = (own, one, ort, more = []) => [{ name: 'normwasm', medianMs: own, rounds: 2, serialShare: 0.1 }, { name: 'normwasm, 1 thread', medianMs: one, rounds: 2 },
  { name: 'onnxruntime-web', medianMs: ort, rounds: 2 }, { name: 'onnxruntime-web, 1 thread', medianMs: 2 * ort, rounds: 2 }, ...more];
const cases = [
  { group: 'threads', kind: 'layer', name: 'product', dims: [], threads: 2, contenders: contenders(5, 10, 20, [{ name: 'jax-js', medianMs: 40, rounds: 2 }]) },
  { group: 'threads', kind: 'model', name: 'a', dims: [1, 2], threads: 2, contenders: contenders(1, 2, 4) },
  { group: 'threads', kind: 'model', name: 'b', dims: [1], threads: 2, contenders: contenders(2, 2, 2) },
  { group: 'threads', kind: 'start', name: 'Start', dims: [], threads: 2, contenders: contenders(300, 290, 1).slice(0, 2) },
  { group: 'threads-firefox', kind: 'model', name: 'a', dims: [1, 2], threads: 2, contenders: contenders(1, 1.5, 3) },
];
const results = { cases, machine: {}, versions: { chromium: '1', firefox: '2' }, date: '2030-01-02' };

test('the serial share by the times of one thread and of several', () => {
  assert.equal(serialByTimes(10, 5, 2), 0);
  assert.equal(serialByTimes(10, 10, 2), 1);
  for (const [several, threads] of [[6, 2], [4, 4]]) assert.ok(Math.abs(serialByTimes(10, several, threads) - 0.2) < 1e-12);
  assert.equal(serialByTimes(10, 12, 2), 1, 'slower than one');
  assert.equal(serialByTimes(10, 4, 2), 0, 'faster than can be');
});

test('how several threads stand against one, and against other runtimes', () => {
  const found = threadStandings(cases).map(({ group, kind, peer, count, mean, least, at }) => [group, kind, peer, count, Number(mean.toFixed(4)), least, at]);
  assert.deepEqual(found.filter(([, kind, peer]) => kind === 'model' && peer === 'normwasm, 1 thread'), [['threads', 'model', 'normwasm, 1 thread', 2, 1.4142, 1, 'b'], ['threads-firefox', 'model', 'normwasm, 1 thread', 1, 1.5, 1.5, 'a']]);
  assert.deepEqual(found.filter(([, , peer]) => peer === 'jax-js'), [['threads', 'layer', 'jax-js', 1, 8, 8, 'product']]);
  assert.match(ratios(cases).join('\n'), /2 threads in Chromium, models: onnxruntime-web takes 2\.00 times as long by the geometric mean of 2, and 1\.00 times at least \(b\)/);
});

test('the tables have threads in rows of their own', () => {
  const text = table(results);
  assert.match(text, /\| whole networks, Chromium \| \*\*1\.4×\*\* \(2\), at least 1\.0× \(b\) \| \*\*2\.0×\*\* \(2\), at least 1\.0× \(b\) \| – \|/);
  assert.match(text, /\| products and 3×3 convolutions, Chromium \| \*\*2\.0×\*\* \| \*\*4\.0×\*\* \| \*\*8\.0×\*\* \|/);
  assert.match(text, /^Start: 300 ms with helpers, 290 ms without\.$/m);
  assert.doesNotMatch(text, /^\| [ab], /m);
  assert.match(text, /Chromium 1 and Firefox 2, one thread where nothing else is said/);
  const all = details(results);
  assert.match(all, /^\| a, 1×2 \| 1\.00 ms \| 10 % \| 0 % \| 2\.00× \| 4\.00× \| – \| 8\.00× \|$/m);
  assert.match(all, /^\| a, 1×2 \| 1\.00 ms \| 10 % \| 33 % \| 1\.50× \| 3\.00× \| – \| 6\.00× \|$/m);
});

test('every case names a layer or a network that there is', () => {
  const all = threadCases('threads', { layerPlan: {}, modelPlan: {}, missing: [{ name: 'Magika' }] });
  assert.equal(all.filter((c) => c.kind === 'layer').length, 5);
  assert.ok(!all.some((c) => c.name === 'Magika') && all.some((c) => c.name === 'ResNet-18'));
});

test('a layer and a network are measured in several threads and in one, with the same bits, in Chromium', { timeout: 300_000 }, async () => {
  const bench = join(import.meta.dirname, '../run.mjs');
  for (const [filter, own] of [['product 512', [...'normwasm|normwasm, 1 thread|onnxruntime-web|onnxruntime-web, 1 thread|jax-js'.split('|')]], ['line direction', ['normwasm', 'normwasm, 1 thread', 'onnxruntime-web']]]) {
    const { stdout } = await promisify(execFile)(process.execPath, [bench, '--only', 'threads', '--filter', filter, '--rounds', '2', '--sample', '1', '--no-write']);
    for (const who of own) assert.match(stdout, new RegExp(`^ {2}${who} +-?[\\d.]+ µs`, 'm'), filter);
    assert.match(stdout, /times one thread/);
    if (filter === 'line direction') assert.match(stdout, /serial share \d+\.\d %/);
  }
});
