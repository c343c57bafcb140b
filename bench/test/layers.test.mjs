import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { chainOf, dimsOf, flops, layers, parametersOf } from '../page/layerlist.js';
import { Graph } from '../page/onnx.js';
import { details, ratios, standings, table } from '../report.mjs';

test('layers: each result fits the next node, and parameters fit theirs', () => {
  assert.equal(new Set(layers.map((l) => l.name)).size, layers.length);
  for (const layer of layers) {
    const chain = chainOf(layer, 3);
    for (const [i, node] of chain.entries()) {
      if (i > 0) assert.deepEqual(layer.aside ? dimsOf(chain[0]).x : dimsOf(chain[i - 1]).y, dimsOf(node).x, layer.name);
      const { weight, scale } = parametersOf(node, i);
      if (node.op === 'Conv') assert.equal(weight.length, node.out * (node.in / node.groups) * node.kernel[0] * node.kernel[1], layer.name);
      assert.ok((weight ?? scale).every(Number.isFinite), layer.name);
    }
    assert.notDeepEqual(parametersOf(chain[0], 0), parametersOf(chain[0], chain.length), 'each node has its own');
  }
  const named = (name) => flops(layers.find((l) => l.name === name));
  assert.equal(named('conv 3×3 64@56²'), 2 * 56 * 56 * 64 * 64 * 9);
  assert.equal(named('conv 3×3 /2 3→32@224²'), 2 * 112 * 112 * 32 * 27);
  assert.equal(named('depthwise 3×3 /2 144@56²'), 2 * 28 * 28 * 144 * 9);
  assert.equal(named('product 1×768 · 768×3072 and back'), 2 * 768 * 3072);
  assert.equal(named('BatchNorm 512@7²'), 0);
});

test('a result has its name without a node of its own', () => {
  const g = new Graph();
  const x = g.input('x', [2]);
  const a = g.node('Relu', [x]);
  g.output(g.node('Neg', [a]), [2], 'y');
  g.output(a, [2], 'a node that others read');
  const text = Buffer.from(g.model()).toString('latin1');
  assert.deepEqual(text.match(/Relu|Neg|Identity/g), ['Relu', 'Neg']);
  assert.equal(text.match(/a node that others read/g)?.length, 3, 'as a result, an operand, and one of the graph');
});

test('how a group stands against its peers: geometric means and the worst', () => {
  const one = (name, own, simd, theirs) => ({ group: 'layers', name, dims: [], contenders: [{ name: 'normwasm', medianMs: own, rounds: 2 },
    { name: 'normwasm simd', medianMs: simd, rounds: 2 }, { name: 'onnxruntime-web', medianMs: theirs, rounds: 2 }] });
  const alone = { group: 'layers', name: 'c', dims: [], contenders: [{ name: 'normwasm', medianMs: 1, rounds: 2 }, { name: 'tfjs-wasm', medianMs: 3, rounds: 2 }] };
  const cases = [one('a', 1, 2, 4), one('b', 2, 2, 2), alone];
  assert.deepEqual(standings(cases).map(({ own, peer, count, mean, least, at }) => [own, peer, count, Number(mean.toFixed(6)), least, at]), [
    ['normwasm', 'onnxruntime-web', 2, 2, 1, 'b'], ['normwasm simd', 'onnxruntime-web', 2, Number(Math.SQRT2.toFixed(6)), 1, 'b'], ['normwasm', 'tfjs-wasm', 1, 3, 3, 'c']]);
  assert.match(ratios(cases)[0], /onnxruntime-web takes 2\.00 times what normwasm takes by the geometric mean of 2, and 1\.00 times at least \(b\)/);
  const text = table({ cases, machine: {}, versions: {}, date: '2030-01-02' });
  assert.doesNotMatch(text, /^\| [abc] /m, 'the README has no row for each of them');
  assert.match(text, /\| layers of small networks \| \*\*2\.0×\*\* \(2\), at least 1\.0× \(b\) \| \*\*3\.0×\*\* \(1\), at least 3\.0× \(c\) \| – \|/);
  const all = details({ cases, machine: {}, versions: {}, date: '2030-01-02' });
  assert.match(all, /\| a \| 1\.00 ms \| – \| 2\.00 ms \| – \| 4\.00× \| 2\.00× \| – \| – \| – \| – \|/);
  assert.match(all, /\| c \| 1\.00 ms \| – \| – \| – \| – \| – \| 3\.00× \| – \| – \| – \|/);
  const noisy = { ...alone, contenders: [{ name: 'normwasm', medianMs: -1, rounds: 2 }, alone.contenders[1]] };
  assert.deepEqual(standings([noisy]), [], 'a difference that got lost is no ratio');
});

test('the layers are measured in Chromium, filtered by name', { timeout: 300_000 }, async () => {
  const bench = join(import.meta.dirname, '../run.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, [bench, '--only', 'layers', '--filter', '2 576@14', '--rounds', '2', '--sample', '1', '--no-write']);
  for (const who of ['normwasm', 'normwasm simd', 'onnxruntime-web', 'tfjs-wasm', ...(stdout.includes('LiteRT.js is left out') ? [] : ['litert'])]) assert.match(stdout, new RegExp(`^ {2}${who} +-?[\\d.]+ µs`, 'm'));
  assert.match(stdout, /depthwise 3×3 \/2 576@14²/);
  assert.doesNotMatch(stdout, /conv|BatchNorm/);
});
