// Resident feeds and outputs of sessions: where they are, no copy is made, and nobody else writes there.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { InferenceSession, Tensor, init, layerNorm } from '../src/index.js';
import { floats, model, twoOutputs } from './data.mjs';

const MiB = 1 << 20;
let runtime;
before(async () => {
  runtime = await init();
});
after(() => runtime.dispose());

/** A chain of operators that work in place, from x to y. */
const chain = (ops, more = {}) => model({
  nodes: ops.map((op, i) => ({ op, inputs: [i ? `v${i}` : 'x'], outputs: [i === ops.length - 1 ? 'y' : `v${i + 1}`] })),
  inputs: [['x', 1, ['n', 3]]], outputs: [['y', 1, ['n', 3]]], ...more,
});
const open = (file, options = {}) => InferenceSession.create(file, { preferredOutputLocation: 'wasm', ...options });

for (const level of ['all', 'none']) {
  test(`alternating resident tensors are neither copied nor written over (${level})`, async () => {
    const session = await open(chain(['Neg', 'Abs', 'Neg', 'Relu', 'Neg', 'Exp']), { graphOptimizationLevel: level });
    const given = [floats(300, 1), floats(300, 2), floats(300, 3)];
    const tensors = given.map((data) => new Tensor('float32', data, [100, 3]).toWasm());
    const results = [];
    for (let k = 0; k < 12; k++) {
      const i = [0, 1, 0, 2, 2, 1][k % 6];
      // Every third time from the cpu, in between.
      const feed = k % 3 === 2 ? new Tensor('float32', given[i], [100, 3]) : tensors[i];
      const { y } = k % 2 ? session.runSync({ x: feed }) : await session.run({ x: feed });
      results.push([i, y]);
    }
    for (const [i, y] of results) {
      assert.equal(y.location, 'wasm');
      assert.deepEqual([...y.data], [...given[i]].map(() => 1), 'what an earlier run gave stays');
      y.dispose();
    }
    tensors.forEach((t, i) => assert.deepEqual(t.data, given[i]));
    for (const t of tensors) t.dispose();
    await session.release();
    assert.equal(runtime.memory().inUse, 0);
  });
}

test('a run’s result is fed to the next', async () => {
  const session = await open(model({
    nodes: [{ op: 'Add', inputs: ['a', 'b'], outputs: ['c'] }, { op: 'Relu', inputs: ['c'], outputs: ['y'] }],
    inputs: [['a', 1, ['n']], ['b', 1, ['n']]], outputs: [['y', 1, ['n']]],
  }));
  let t = new Tensor('float32', [1, 2, -3], [3]).toWasm();
  for (let k = 0; k < 10; k++) {
    const { y } = await session.run({ a: t, b: t }); // the same tensor twice
    t.dispose();
    t = y;
  }
  assert.deepEqual([...t.data], [1024, 2048, 0]);
  layerNorm(t, { out: t }); // and a kernel writes into it
  const { y } = session.runSync({ a: t, b: new Tensor('float32', [1, 1, 1]) });
  assert.equal(y.size, 3);
  t.dispose();
  assert.throws(() => session.runSync({ a: t, b: y }), { name: 'DisposedError' });
  y.dispose();
  await session.release();
  assert.equal(runtime.memory().inUse, 0);
});

test('outputs that are an input, a constant, each other or part of the way', async () => {
  const session = await open(model({
    nodes: [{ op: 'Neg', inputs: ['x'], outputs: ['v'] }, { op: 'Identity', inputs: ['v'], outputs: ['w'] }, { op: 'Neg', inputs: ['v'], outputs: ['u'] },
      { op: 'Identity', inputs: ['x'], outputs: ['i'] }, { op: 'Identity', inputs: ['c'], outputs: ['k'] }, { op: 'Flatten', inputs: ['v'], outputs: ['f'] }],
    inputs: [['x', 1, [3]]],
    outputs: ['v', 'w', 'u', 'i', 'k'].map((name) => [name, 1, [3]]).concat([['f', 1, [3, 1]]]),
    constants: [['c', [3], Float32Array.of(7, 8, 9)]],
  }), { graphOptimizationLevel: 'none' });
  const x = new Tensor('float32', [1, 2, 3]).toWasm();
  const first = await session.run({ x });
  const all = Object.values(first);
  assert.equal(new Set([x, ...all].map((t) => t.data.byteOffset)).size, 7, 'each has memory of its own');
  for (const t of all) t.data.fill(5); // which is the caller's to write
  assert.deepEqual([...x.data], [1, 2, 3]);
  const again = session.runSync({ x });
  assert.deepEqual(Object.entries(again).map(([name, t]) => [name, ...t.data]),
    [['v', -1, -2, -3], ['w', -1, -2, -3], ['u', 1, 2, 3], ['i', 1, 2, 3], ['k', 7, 8, 9], ['f', -1, -2, -3]]);
  for (const t of [...all, ...Object.values(again)]) t.dispose();
  const { tensors } = runtime.memory();
  const few = session.runSync({ x }, ['u']);
  assert.deepEqual(Object.keys(few), ['u']);
  assert.equal(runtime.memory().tensors, tensors + 1, 'outputs that nobody fetched are gone');
  few.u.dispose();
  x.dispose();
  await session.release();
  assert.equal(runtime.memory().inUse, 0);
});

test('shapes that depend on data', async () => {
  const session = await open(model({
    nodes: [{ op: 'NonZero', inputs: ['x'], outputs: ['i'] }, { op: 'Cast', inputs: ['i'], outputs: ['f'], attributes: { to: 1 } },
      { op: 'Shape', inputs: ['i'], outputs: ['s'] }, { op: 'ConstantOfShape', inputs: ['s'], outputs: ['z'] }, { op: 'Add', inputs: ['f', 'z'], outputs: ['y'] },
      { op: 'Neg', inputs: ['x'], outputs: ['n'] }, { op: 'Reshape', inputs: ['x', 'all'], outputs: ['r'] }, { op: 'Neg', inputs: ['r'], outputs: ['late'] }],
    inputs: [['x', 1, ['n']], ['all', 7, [1]]], outputs: [['n', 1, ['n']], ['y', 1, [1, 'k']], ['late', 1, ['n']]],
  }));
  const all = new Tensor('int64', [-1n], [1]);
  for (const data of [[0, 5, 0, 6], [1, 1, 1, 1], [0, 0, 0, 2], [0, 5, 0, 6]]) {
    const x = new Tensor('float32', data).toWasm();
    const { n, y, late } = await session.run({ x, all });
    assert.deepEqual([...y.data], data.flatMap((v, i) => (v ? [i] : [])));
    assert.deepEqual([...n.data], data.map((v) => -v));
    assert.deepEqual([...late.data], data.map((v) => -v));
    for (const t of [x, n, y, late]) t.dispose();
  }
  await session.release();
  assert.equal(runtime.memory().inUse, 0);
});

test('the session has no memory for what is resident, and the memory does not grow', async () => {
  const session = await open(chain(['Relu']));
  const x = new Tensor('float32', floats(3 * MiB, 1), [MiB, 3]).toWasm();
  const before = runtime.memory();
  const { y } = session.runSync({ x });
  const run = runtime.memory();
  assert.ok(run.inUse - before.inUse <= 12 * MiB + 64, `${run.inUse - before.inUse} for a result of 12 MiB`);
  for (let i = 0; i < 30; i++) session.runSync({ x: y }).y.dispose();
  assert.ok(runtime.memory().total <= run.total + 16 * MiB);
  x.dispose();
  y.dispose();
  await session.release();
  assert.equal(runtime.memory().inUse, 0);

  const cpu = await InferenceSession.create(twoOutputs()); // resident feeds, outputs to the cpu
  const t = new Tensor('float32', [1, -2, 3], [1, 3]).toWasm();
  const { y: a, z } = cpu.runSync({ x: t });
  assert.deepEqual([[...a.data], [...z.data], [...t.data]], [[1, 0, 3], [2, -4, 6], [1, -2, 3]]);
  t.dispose();
  await cpu.release();
});
