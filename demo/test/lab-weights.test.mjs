import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { InferenceSession, readSafetensors, Tensor, Trainer } from '../../js/dist/normwasm.js';
import { readData } from '../data.mjs';
import { decode, Digits, nameLoss, Names } from '../src/lab/data.js';
import { digitReader, nameWriter } from '../src/lab/networks.js';
import { random } from '../src/lab/random.js';
import { accuracy, makeDigits, makeNames, modelsFolder, warp } from '../weights.mjs';

const read = (name) => readFile(join(modelsFolder, name));
const sgd = { loss: 'crossEntropy', optimizer: { type: 'sgd', learningRate: 0.01 } };

test('the digits\' weights fit digitReader(), and read at least 98.5 % of the held-out digits', async () => {
  const file = await read('digits.safetensors');
  assert.ok(file.length < 300_000, `${file.length} bytes`);
  const digits = await new Digits({ read: readData, Tensor }).load();
  const trainer = await Trainer.create({ ...digitReader(), ...sgd, variant: 'simd' });
  // Parameters and running statistics, nothing else: what a new network of plain SGD has.
  const shapes = (bytes) => Object.fromEntries(Object.entries(readSafetensors(bytes).tensors).map(([name, { dims }]) => [name, [...dims]]));
  assert.deepEqual(shapes(file), shapes(await trainer.save()));
  await trainer.load(file);
  const right = await accuracy(trainer, digits);
  assert.ok(right >= 0.985, `${right}`);
  trainer.dispose();
});

/** Draws a name with a session, letter by letter. */
async function write(session, seed, begin = []) {
  const draw = random(seed);
  const tokens = [0, ...begin];
  while (tokens.length < 16) {
    const x = new BigInt64Array(16);
    tokens.forEach((t, i) => (x[i] = BigInt(t)));
    const { y } = await session.run({ x: new Tensor('int64', x, [1, 16]) }, ['y']);
    const logits = Array.from(y.data).slice((tokens.length - 1) * 27, tokens.length * 27);
    const most = Math.max(...logits);
    const p = logits.map((v) => Math.exp(v - most));
    let left = (draw(1e6) / 1e6) * p.reduce((a, b) => a + b, 0);
    const next = p.findIndex((v) => (left -= v) < 0);
    if (next === 0) break;
    tokens.push(next);
  }
  return decode(tokens.slice(1));
}

test('the names\' weights fit nameWriter(), know held-out names, and write new ones', async () => {
  const file = await read('names.onnx');
  assert.ok(file.length < 500_000, `${file.length} bytes`);
  const fresh = await Trainer.create({ ...nameWriter(), ...sgd, variant: 'simd' });
  await fresh.step({ x: new Tensor('int32', new Int32Array(16), [1, 16]), y: new Tensor('int32', new Int32Array(16), [1, 16]) }); // untrained networks cannot be exported
  const [session, same] = await Promise.all([InferenceSession.create(file), InferenceSession.create(await fresh.exportONNX({ intermediates: true }))]);
  assert.deepEqual(session.inputMetadata, same.inputMetadata);
  assert.deepEqual(session.outputMetadata, same.outputMetadata);
  assert.ok(session.outputNames.some((n) => / attention probabilities$/.test(n)) && session.outputNames.some((n) => / layerNorm$/.test(n)), `${session.outputNames}`);
  fresh.dispose();
  await same.release();

  const names = await new Names({ read: readData, Tensor, length: 16 }).load();
  let sum = 0;
  let letters = 0;
  for (const { x, y } of await names.test(250)) {
    const { y: outputs } = await session.run({ x: new Tensor('int64', BigInt64Array.from(x.data, BigInt), x.dims) }, ['y']);
    const part = nameLoss(outputs, y);
    sum += part.loss * part.count;
    letters += part.count;
  }
  // Guessing costs 3.30; knowing how often letters are, and nothing of their order, 2.8.
  assert.ok(sum / letters < 2.1, `${sum / letters} nats a letter`);

  const known = new Set(names.names);
  const written = [];
  for (let seed = 1; seed <= 40; seed++) written.push(await write(session, seed));
  const good = written.filter((name) => name.length >= 2);
  assert.ok(good.length >= 36 && new Set(good).size >= 30, `${written}`);
  const copies = good.filter((name) => known.has(name)).length;
  assert.ok(copies > 0 && copies < good.length * 0.8, `${copies} of ${good.length} are in the list: ${good}`);
  assert.match(await write(session, 3, [10, 15]), /^jo/);
  await session.release();
});

test('making weights repeats to the byte, and a warped picture is still about what it was', async () => {
  const package_ = await import('../../js/dist/normwasm.js');
  for (const make of [makeDigits, makeNames]) {
    const [a, b] = [await make(package_, { until: 5 }), await make(package_, { until: 5 })];
    assert.ok(Buffer.from(a).equals(Buffer.from(b)), make.name);
  }
  const digits = await new Digits({ read: readData, Tensor }).load(0, 1000);
  const { x } = digits.batch([1, 2, 3]);
  const moved = warp(x.data, 5);
  assert.deepEqual(moved, warp(x.data, 5));
  assert.notDeepEqual(moved, warp(x.data, 6));
  for (let n = 0; n < 3; n++) {
    const ink = (data) => data.slice(n * 784, (n + 1) * 784).reduce((a, b) => a + b, 0);
    assert.ok(Math.abs(ink(moved) / ink(x.data) - 1) < 0.35, `${ink(moved)} of ${ink(x.data)}`);
    assert.ok(moved.every((v) => v >= 0 && v <= 1));
  }
});
