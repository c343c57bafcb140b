// What does not fit into the memory is refused, and everything else lives on. The limit is
// lowered here, so that the tests are quick. With the real one, and models of 900 MB:
//   NORMWASM_LONG=1 node --test test/limit.test.mjs
// (needs 5 GB of memory for some ten seconds).
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { InferenceSession, Tensor, init, layerNorm } from '../src/index.js';
import { live } from '../src/runtime.js';
import { floats, model, twoOutputs } from './data.mjs';

const MiB = 1 << 20;
let runtime;
beforeEach(async () => {
  runtime = await init(); // a new one each time, without holes that earlier tests left
});
afterEach(() => runtime.dispose());

/** Leaves so many bytes beside what the memory has now. */
const leave = (bytes) => live('test').invoke('limit', runtime.memory().total + bytes);
const none = { name: 'NormError', code: 'OUT_OF_MEMORY' };
const zeros = (mib) => Tensor.zeros([(mib * MiB) / 4], { location: 'wasm' });

const varint = (n) => (n < 128 ? [n] : [(n % 128) + 128, ...varint(Math.floor(n / 128))]);

/** y = x + max(w), where w is [5, 0, 0, …] of so many bytes: put together here, as a list of 900 million numbers it would be too long. */
function heavy(bytes) {
  const small = model({
    nodes: [{ op: 'ReduceMax', inputs: ['w'], outputs: ['m'], attributes: { keepdims: 0 } }, { op: 'Add', inputs: ['x', 'm'], outputs: ['y'] }],
    inputs: [['x', 1, ['n']]], outputs: [['y', 1, ['n']]],
  });
  const at = small.indexOf(0x3a); // the graph, which is the last field
  const graph = small.subarray(at + (small[at + 1] < 128 ? 2 : 3));
  const head = [0x08, ...varint(bytes / 4), 0x10, 1, 0x42, 1, 'w'.charCodeAt(0), 0x4a, ...varint(bytes)];
  const tensor = [0x2a, ...varint(head.length + bytes), ...head];
  const before = [...small.subarray(0, at), 0x3a, ...varint(graph.length + tensor.length + bytes), ...graph, ...tensor];
  const file = new Uint8Array(before.length + bytes);
  file.set(before);
  file.set(new Uint8Array(Float32Array.of(5).buffer), before.length);
  return file;
}

test('tensors', () => {
  leave(100 * MiB);
  const list = [];
  let refused;
  try {
    while (list.length < 60) list.push(zeros(16));
  } catch (error) {
    refused = error;
  }
  assert.equal(refused?.code, 'OUT_OF_MEMORY');
  assert.match(refused.message, /no memory for 16777216 bytes: \d+ are in use .* may have \d+/);
  assert.ok(list.length >= 4, `${list.length} of 16 MiB in 100`);
  assert.equal(runtime.memory().tensors, list.length);
  list[0].data.fill(1);
  layerNorm(list[0], { out: list[1] });
  assert.throws(() => layerNorm(list[0]), none, 'a result that has no room');
  assert.equal(runtime.memory().tensors, list.length);
  list.pop().dispose();
  list.push(zeros(16));
  for (const t of list) t.dispose();
  zeros(32).dispose();
  assert.equal(runtime.memory().inUse, 0);
});

test('plain arrays', () => {
  const small = floats(1000, 1);
  const want = layerNorm(small);
  leave(20 * MiB);
  assert.throws(() => layerNorm(new Float32Array(16 * MiB)), none);
  assert.deepEqual(layerNorm(small), want);
});

for (const [how, source] of Object.entries({
  'an array': (bytes) => bytes,
  'a Blob': (bytes) => new Blob([bytes]),
  'a stream of no known length': (bytes) => new Blob([bytes]).stream(),
})) {
  test(`models from ${how}`, async () => {
    const x = new Tensor('float32', [1, 2], [2]);
    const file = heavy(16 * MiB);
    const alive = await InferenceSession.create(twoOutputs());
    const resident = new Tensor('float32', [7], [1]).toWasm();
    leave(100 * MiB);
    const sessions = [];
    await assert.rejects((async () => {
      while (sessions.length < 60) sessions.push(await InferenceSession.create(source(file)));
    })(), none);
    assert.ok(sessions.length >= 3, `${sessions.length} of 16 MiB in 100`);
    for (const session of sessions) assert.deepEqual([...(await session.run({ x })).y.data], [6, 7]);
    assert.equal((await alive.run({ x: new Tensor('float32', [1, 2, 3], [1, 3]) })).z.data[2], 6);
    assert.equal(resident.data[0], 7);
    assert.equal(runtime.memory().sessions, sessions.length + 1);
    assert.ok(runtime.memory().inUse >= sessions.length * file.length);
    await sessions.pop().release();
    sessions.push(await InferenceSession.create(source(file)));
    for (const session of [...sessions, alive]) await session.release();
    resident.dispose();
    assert.equal(runtime.memory().inUse, 0);
  });
}

test('a run whose shapes need too much', async () => {
  const session = await InferenceSession.create(model({
    nodes: [{ op: 'Conv', inputs: ['x', 'w'], outputs: ['y'] }],
    inputs: [['x', 1, [1, 3, 'h', 'w']]], outputs: [['y', 1, [1, 2, 'h', 'w']]], constants: [['w', [2, 3, 1, 1], floats(6, 1)]],
  }));
  const feed = (h, w) => ({ x: new Tensor('float32', new Float32Array(3 * h * w).fill(1), [1, 3, h, w]) });
  const want = (await session.run(feed(2, 2))).y.data;
  leave(30 * MiB);
  await assert.rejects(session.run(feed(2048, 2048)), none);
  assert.throws(() => session.runSync(feed(1024, 4096)), none);
  assert.deepEqual((await session.run(feed(2, 2))).y.data, want);
  // Shapes that no memory has room for, from a tensor that says it has them.
  const huge = feed(1, 1).x;
  for (const dims of [[1, 3, 100000, 100000], [1, 3, 2147483647, 2147483647], [1, 3, 65536, 65536], [1, 3, 65536, 16384]]) {
    Object.defineProperty(huge, 'dims', { value: dims, configurable: true });
    await assert.rejects(session.run({ x: huge }), ({ code }) => code === 'INVALID_SHAPE' || code === 'OUT_OF_MEMORY');
    Object.defineProperty(huge, 'dims', { value: [1, 3, 1, 1], configurable: true });
  }
  assert.deepEqual((await session.run(feed(2, 2))).y.data, want);
  await session.release();
});

test('what a model makes while it runs', async () => {
  const session = await InferenceSession.create(model({
    nodes: [{ op: 'ConstantOfShape', inputs: ['s'], outputs: ['c'] }, { op: 'Relu', inputs: ['c'], outputs: ['y'] }],
    inputs: [['s', 7, [2]]], outputs: [['y', 1, ['a', 'b']]],
  }));
  leave(30 * MiB);
  await assert.rejects(session.run({ s: new Tensor('int64', [4096n, 4096n], [2]) }), none);
  for (const [a, b] of [[2n ** 31n, 2n ** 31n], [2n ** 62n, 4n], [-1n, 3n], [2n ** 15n, 2n ** 14n]]) {
    await assert.rejects(session.run({ s: new Tensor('int64', [a, b], [2]) }), ({ code }) => code === 'INVALID_SHAPE' || code === 'OUT_OF_MEMORY');
  }
  assert.deepEqual([...(await session.run({ s: new Tensor('int64', [2n, 3n], [2]) })).y.dims], [2, 3]);
  await session.release();
});

test('memory() counts what sessions hold', async () => {
  const base = runtime.memory().inUse;
  const file = heavy(4 * MiB);
  const session = await InferenceSession.create(file);
  const loaded = runtime.memory().inUse - base;
  assert.ok(loaded >= file.length && loaded < file.length + 4096, `${loaded} of a file of ${file.length}`);
  await session.run({ x: new Tensor('float32', new Float32Array(MiB), [MiB]) });
  const run = runtime.memory().inUse - base - loaded;
  assert.ok(run >= 8 * MiB && run < 10 * MiB, `${run}, want x and y of 4 MiB each`);
  await session.release();
  assert.equal(runtime.memory().inUse, base);

  const packed = await InferenceSession.create(model({
    nodes: [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] }],
    inputs: [['x', 1, ['n', 1024]]], outputs: [['y', 1, ['n', 1024]]], constants: [['w', [1024, 1024], floats(MiB, 1)]],
  }));
  assert.ok(runtime.memory().inUse - base >= 8 * MiB, 'weights, and packed ones');
  await packed.run({ x: new Tensor('float32', floats(4096, 2), [4, 1024]) });
  await packed.release();
  layerNorm(floats(2 * MiB, 3));
  assert.ok(runtime.memory().scratch >= 8 * MiB);
  assert.equal(runtime.memory().inUse, base);
});

test('five models of 900 MB', { timeout: 600_000, skip: !process.env.NORMWASM_LONG && 'NORMWASM_LONG is not set' }, async () => {
  const file = heavy(900_000_000);
  const x = new Tensor('float32', [1, 2], [2]);
  const sessions = [];
  await assert.rejects((async () => {
    while (sessions.length < 6) sessions.push(await InferenceSession.create(file));
  })(), none);
  assert.equal(sessions.length, 4);
  for (const session of sessions) assert.deepEqual([...(await session.run({ x })).y.data], [6, 7]);
  await assert.rejects(InferenceSession.create(file), none);
  await sessions[1].release();
  sessions[1] = await InferenceSession.create(new Blob([file]).stream());
  for (const session of sessions) assert.deepEqual([...(await session.run({ x })).y.data], [6, 7]);
  const tensors = [];
  assert.throws(() => {
    for (;;) tensors.push(zeros(64));
  }, none);
  for (const tensor of tensors) tensor.dispose();
  for (const session of sessions) await session.release();
  assert.equal(runtime.memory().inUse, 0);
});
