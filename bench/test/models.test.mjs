import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { flopsOf, networks } from '../page/cnn.js';
import { models } from '../page/modellist.js';
import { apart } from '../page/models.js';

test('networks for pictures have the weights and products that they are known for', () => {
  // Of torchvision's models, whose BatchNorms have two parameters a channel where these have a bias; multiplications in millions.
  const known = { resnet18: [11_689_512 - 4_800, 1814], mobilenetV2: [3_504_872 - 17_056, 301], mobilenetV3Small: [2_542_856 - 6_056, 56] };
  for (const [name, [parameters, products]] of Object.entries(known)) {
    const steps = networks[name]();
    assert.equal(steps.reduce((n, s) => n + (s.weight?.length ?? 0) + (s.bias?.length ?? 0), 0), parameters, name);
    assert.ok(Math.abs(flopsOf(steps) / 2e6 - products) < 1.5, `${name}: ${flopsOf(steps) / 2e6} million`);
  }
});

test('results are compared in units of the largest number', () => {
  assert.equal(apart({ y: { data: [1, 4.5] } }, { y: { data: [1, 5] } }), 0.1);
  assert.equal(apart({ y: { data: [7n] } }, { y: { data: [7n] } }), 0);
  for (const got of [[NaN], [Infinity], [1n]]) assert.ok(Number.isNaN(apart({ y: { data: got } }, { y: { data: [typeof got[0] === 'bigint' ? 2n : 1] } })));
  assert.throws(() => apart({ y: { data: [1] } }, { y: { data: [1, 2] } }), /y has 1 elements, want 2/);
});

test('every network has a name of its own and comes from somewhere', () => {
  assert.equal(new Set(models.map((m) => m.name)).size, models.length);
  for (const m of models) assert.ok((m.url === undefined) !== (m.make === undefined), m.name);
});

test('networks are compared and measured in Chromium', { timeout: 300_000 }, async () => {
  const bench = join(import.meta.dirname, '../run.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, [bench, '--only', 'models', '--filter', 'mobilenetv3', '--rounds', '2', '--sample', '1', '--no-write']);
  for (const who of ['normwasm', 'normwasm simd', 'onnxruntime-web', 'tfjs-wasm', ...(stdout.includes('LiteRT.js is left out') ? [] : ['litert'])]) assert.match(stdout, new RegExp(`^ {2}${who} +[\\d.]+ µs.* differs by`, 'm'));
});

test('creating a session, the first run and the memory are measured, each in a page of its own', { timeout: 300_000 }, async () => {
  const bench = join(import.meta.dirname, '../run.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, [bench, '--only', 'first', '--filter', 'line direction', '--starts', '1', '--no-write']);
  for (const who of ['normwasm', 'onnxruntime-web']) assert.match(stdout, new RegExp(`^ {2}${who} +[\\d.]+ µs.* = [\\d.]+ \\+ [\\d.]+ ms, [\\d.]+ MiB`, 'm'));
  assert.match(stdout, /WebAssembly memory after that: onnxruntime-web takes [\d.]+ times/);
});
