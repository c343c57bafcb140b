// The option state: outputs that a session keeps and feeds back, in this thread and in a worker.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { DisposedError, InferenceSession, NormError, ShapeError, Tensor, init } from 'normwasm';
import { floats, model } from './data.mjs';

let runtime;
before(async () => { runtime = await init(); });
after(() => runtime.dispose());

/** sum = h + x stays, and y = 2·sum. */
const adding = (names = ['h', 'hn']) => model({
  nodes: [{ op: 'Add', inputs: [names[0], 'x'], outputs: [names[1]] }, { op: 'Add', inputs: [names[1], names[1]], outputs: ['y'] }],
  inputs: [['x', 1, ['batch', 2]], [names[0], 1, ['batch', 2]]],
  outputs: [['y', 1, ['batch', 2]], [names[1], 1, ['batch', 2]]],
});

/** A cache of two heads that grows by x, and the table's rows that index says. */
const growing = () => model({
  nodes: [
    { op: 'Concat', inputs: ['past', 'x'], outputs: ['present'], attributes: { axis: 2 } },
    { op: 'Transpose', inputs: ['present'], outputs: ['turned'], attributes: { perm: [0, 1, 3, 2] } },
    { op: 'ReduceSum', inputs: ['turned'], outputs: ['sum'] },
    { op: 'Gather', inputs: ['table', 'index'], outputs: ['row'] },
  ],
  inputs: [['x', 1, [1, 2, 'new', 3]], ['past', 1, [1, 2, 'past', 3]], ['index', 7, [1]]],
  outputs: [['sum', 1, [1, 1, 1, 1]], ['row', 1, [1]], ['present', 1, [1, 2, 'total', 3]]],
  constants: [['table', [3], Float32Array.of(5, 6, 7)]],
});

const x = (...list) => new Tensor('float32', list, [1, 2]);
const index = (i) => new Tensor('int64', [BigInt(i)], [1]);
const rows = (n, from) => new Tensor('float32', Float32Array.from({ length: 6 * n }, (_, i) => from + i), [1, 2, n, 3]);
const list = (tensor) => [...tensor.data];

for (const options of [{}, { worker: true }, { graphOptimizationLevel: 'none' }]) {
  describe(`state with ${JSON.stringify(options)}`, () => {
    test('is fed back, and no result but where it is named', async () => {
      const session = await InferenceSession.create(adding(), { state: 'auto', ...options });
      assert.deepEqual(list((await session.run({ x: x(1, 2) })).y), [2, 4]);
      const second = await session.run({ x: x(1, 2) });
      assert.deepEqual(Object.keys(second), ['y']);
      assert.deepEqual(list(second.y), [4, 8]);
      const named = await session.run({ x: x(1, 2) }, ['hn', 'y']);
      assert.deepEqual([list(named.hn), list(named.y)], [[3, 6], [6, 12]]);
      const fed = await session.run({ x: x(1, 2), h: x(10, 20) }, ['hn']);
      assert.deepEqual(list(fed.hn), [11, 22]);
      assert.deepEqual(list((await session.run({ x: x(1, 2) })).y), [24, 48]);
      assert.deepEqual(list(named.hn), [3, 6], 'a result is a copy');
      await session.release();
      assert.throws(() => session.resetState(), DisposedError);
    });

    test('begins anew after resetState, in the order of the calls', async () => {
      const session = await InferenceSession.create(adding(), { state: { h: 'hn' }, ...options });
      const runs = [session.run({ x: x(1, 1) }), session.run({ x: x(1, 1) })];
      assert.equal(session.resetState(), undefined);
      runs.push(session.run({ x: x(1, 1) }), session.run({ x: x(1, 1) }));
      assert.deepEqual((await Promise.all(runs)).map(({ y }) => y.data[0]), [2, 4, 2, 4]);
      session.resetState();
      const { y } = await session.run({ x: new Tensor('float32', [1, 1, 1, 1, 1, 1], [3, 2]) });
      assert.deepEqual(y.dims.concat(list(y)), [3, 2, 2, 2, 2, 2, 2, 2], 'another batch');
      await session.release();
    });

    test('grows, and stays as it was when a run fails', async () => {
      const session = await InferenceSession.create(growing(), { state: 'auto', ...options });
      const fed = await InferenceSession.create(growing(), options);
      let past = rows(0, 0);
      for (let i = 0; i < 60; i++) {
        if (i % 7 === 3) {
          await assert.rejects(session.run({ x: rows(3, -100), index: index(3) }), ShapeError);
          await assert.rejects(session.run({ x: x(1, 2), index: index(0) }), ShapeError);
        }
        if (i === 40) past = rows(4, 1000);
        const n = i === 0 ? 9 : 1;
        const now = { x: rows(n, i), index: index(i % 3) };
        const want = await fed.run({ ...now, past });
        const got = await session.run(i === 40 ? { ...now, past } : now, i % 2 ? ['present', 'sum', 'row'] : undefined);
        assert.deepEqual(Object.keys(got), i % 2 ? ['present', 'sum', 'row'] : ['sum', 'row']);
        for (const name of Object.keys(got)) assert.deepEqual([got[name].dims, list(got[name])], [want[name].dims, list(want[name])], `${i} ${name}`);
        past = want.present;
      }
      const { nodes } = await session.profile({ x: rows(1, 0), index: index(0) });
      assert.ok(nodes.some(({ op }) => op === 'Concat'));
      const { present } = await session.run({ x: rows(1, 0), index: index(0) }, ['present']);
      assert.equal(present.dims[2], past.dims[2] + 2, 'a profiled run counts');
      await fed.release();
      await session.release();
    });
  });
}

test('resident results and feeds, at once', async () => {
  const before = runtime.memory();
  const session = await InferenceSession.create(growing(), { state: 'auto', preferredOutputLocation: 'wasm' });
  let length = 0;
  for (let i = 0; i < 20; i++) {
    const past = i === 10 ? Tensor.zeros([1, 2, 5, 3], { location: 'wasm' }) : undefined;
    length = (past ? 5 : length) + 2;
    const results = session.runSync({ x: rows(2, i), index: index(0), ...(past && { past }) }, i % 3 ? ['sum', 'present'] : undefined);
    assert.deepEqual(Object.keys(results), i % 3 ? ['sum', 'present'] : ['sum', 'row']);
    if (results.present) {
      assert.deepEqual([results.present.location, ...results.present.dims], ['wasm', 1, 2, length, 3]);
      assert.deepEqual(list(results.present).slice(-6), list(rows(2, i)).slice(-6));
    }
    for (const tensor of Object.values(results)) tensor.dispose();
    past?.dispose();
  }
  await session.release();
  const { tensors, inUse, sessions } = runtime.memory();
  assert.deepEqual([tensors, inUse, sessions], [before.tensors, before.inUse, before.sessions]);
});

test('memory counts it', async () => {
  const session = await InferenceSession.create(growing(), { state: 'auto' });
  const before = runtime.memory().inUse;
  session.runSync({ x: rows(10_000, 0), index: index(0) });
  const held = runtime.memory().inUse - before;
  assert.ok(held >= 2 * 240_000, `${held} bytes: the state, and what it is fed`);
  await session.release();
});

test('what it may be', async () => {
  for (const [state, Class, message] of [
    ['all', NormError, 'state is "all", want \'auto\' or an object of outputs\' names by those of the inputs, as in { h0: \'hn\' }'],
    [null, NormError, /state is null/], [['h', 'hn'], NormError, /state is a plain array/], [{ h: 3 }, NormError, /state "h" is 3|state "h" is a number/],
    [{ g: 'hn' }, ShapeError, 'graph: state of input "g" and output "hn": there is no such input'],
    [{ h: 'no' }, ShapeError, 'graph: state of input "h" and output "no": there is no such output'],
    [{ h: 'hn', x: 'hn' }, ShapeError, 'graph: state of input "x" and output "hn": one of them is given twice'],
  ]) {
    for (const worker of [false, true]) {
      await assert.rejects(InferenceSession.create(adding(), { state, worker }), (error) => {
        assert.equal(error.constructor, Class);
        if (typeof message === 'string') assert.ok(error.message.includes(message), error.message);
        else assert.match(error.message, message);
        return true;
      });
    }
  }
  await assert.rejects(InferenceSession.create(adding(), { state: 'auto', worker: 2 }), { code: 'CONTRADICTION' });
  const none = await InferenceSession.create(adding(['a', 'b']), { state: 'auto' });
  await assert.rejects(none.run({ x: x(1, 2) }), /input "a" is missing/);
  none.resetState();
  await none.release();
});

test('names that an object has already', async () => {
  const session = await InferenceSession.create(adding(['constructor', '__proto__']), { state: { constructor: '__proto__' } });
  session.runSync({ x: x(1, 2) });
  assert.deepEqual(list(session.runSync({ x: x(1, 2) }, ['__proto__']).__proto__), [2, 4]);
  await session.release();
});

/** An LSTM and a GRU, one behind the other, over [steps, 1, 20]; with what they keep as inputs and outputs. */
const twoLayers = (hidden = 24) => model({
  nodes: [
    { op: 'LSTM', inputs: ['x', 'w', 'r', 'b', '', 'h', 'c'], outputs: ['y1', 'hn', 'cn'], attributes: { hidden_size: hidden } },
    { op: 'Squeeze', inputs: ['y1', 'one'], outputs: ['x2'] },
    { op: 'GRU', inputs: ['x2', 'w2', 'r2', 'b2', '', 'state_in'], outputs: ['y', 'state_out'], attributes: { hidden_size: hidden } },
  ],
  inputs: [['x', 1, ['steps', 1, 20]], ...['h', 'c', 'state_in'].map((name) => [name, 1, [1, 1, hidden]])],
  outputs: [['y', 1, ['steps', 1, 1, hidden]], ...['hn', 'cn', 'state_out'].map((name) => [name, 1, [1, 1, hidden]])],
  constants: [
    ['one', [1], BigInt64Array.of(1n), 7],
    ...[['w', [1, 4 * hidden, 20]], ['r', [1, 4 * hidden, hidden]], ['b', [1, 8 * hidden]], ['w2', [1, 3 * hidden, hidden]], ['r2', [1, 3 * hidden, hidden]], ['b2', [1, 6 * hidden]]]
      .map(([name, dims], i) => [name, dims, floats(dims.reduce((a, b) => a * b), 50 + i, 0.4)]),
  ],
});

for (const variant of ['scalar', 'simd']) {
  test(`frames of a recurrent network, one at a time, are the bits of one long run: ${variant}`, async () => {
    runtime.dispose();
    runtime = await init({ variant });
    const session = await InferenceSession.create(twoLayers(), { state: 'auto' });
    const signal = floats(250 * 20, 7);
    const whole = await session.run({ x: new Tensor('float32', signal, [250, 1, 20]) }, ['y', 'hn', 'cn', 'state_out']);
    for (const size of [1, 50]) {
      session.resetState();
      let last;
      for (let f = 0; f < 250; f += size) {
        last = session.runSync({ x: new Tensor('float32', signal.subarray(f * 20, (f + size) * 20), [size, 1, 20]) }, ['y', 'hn', 'cn', 'state_out']);
        assert.deepEqual(last.y.data, whole.y.data.slice(f * 24, (f + size) * 24), `frame ${f}`);
      }
      for (const name of ['hn', 'cn', 'state_out']) assert.deepEqual(last[name].data, whole[name].data, name);
    }
    await session.release();
  });
}
