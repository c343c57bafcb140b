// Loops without end, as a file or its numbers may have them: by a signal, in this thread and in a worker, and by the limits that
// end them without one. Sessions live on.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { InferenceSession, Tensor, init } from 'normwasm';
import { model } from './data.mjs';

const most = 2n ** 63n - 1n;
const truth = ['yes', [], Uint8Array.of(1), 9];

/** v ← v + 1 as often as m says; with `collect` v is collected after each trip; with `asked` while the trip is not negative. */
const counting = ({ collect = false, asked = false } = {}) => model({
  opset: 21,
  nodes: [{
    op: 'Loop', inputs: ['m', 'yes', 'x'], outputs: collect ? ['y', 'all'] : ['y'],
    attributes: {
      body: {
        nodes: [asked ? { op: 'GreaterOrEqual', inputs: ['i', 'zero'], outputs: ['c2'] } : { op: 'Identity', inputs: ['c'], outputs: ['c2'] }, { op: 'Add', inputs: ['v', 'one'], outputs: ['v2'] }, ...collect ? [{ op: 'Neg', inputs: ['v2'], outputs: ['s'] }] : []],
        inputs: [['i', 7, []], ['c', 9, []], ['v', 1]], outputs: [['c2', 9, []], ['v2', 1], ...collect ? [['s', 1]] : []],
      },
    },
  }],
  inputs: [['m', 7, []], ['x', 1, ['n']]], outputs: [['y', 1, ['n']], ...collect ? [['all', 1]] : []],
  constants: [truth, ['one', [], Float32Array.of(1)], ['zero', [], BigInt64Array.of(0n), 7]],
});

const feeds = (m, n = 1) => ({ m: new Tensor('int64', [m], []), x: new Tensor('float32', new Float32Array(n), [n]) });

describe('loops without end', () => {
  let runtime;
  before(async () => {
    runtime = await init();
  });
  after(() => runtime.dispose());

  for (const worker of [false, true]) {
    test(`a signal ends one ${worker ? 'in a worker' : 'in this thread'}, and the session lives on`, async () => {
      const session = await InferenceSession.create(counting(), { worker });
      const other = await InferenceSession.create(counting());
      const control = new AbortController();
      let turns = 0;
      const timer = setInterval(() => turns++, 50);
      // Trips of a million numbers: their limit is hours away.
      const run = session.run(feeds(4_000_000n, 1_000_000), { signal: control.signal });
      while (turns < 3) await new Promise((resolve) => { setTimeout(resolve, 5); });
      clearInterval(timer);
      if (!worker) {
        // Meanwhile others run, and this session says that it does.
        assert.equal((await other.run(feeds(5n))).y.data[0], 5);
        await assert.rejects(session.run(feeds(1n)), { name: 'NormError', message: /the session is in the midst of a run/ });
        assert.throws(() => session.runSync(feeds(1n)), /in the midst of a run/);
        await assert.rejects(session.profile(feeds(1n)), /in the midst of a run/);
      }
      control.abort(new Error('enough'));
      await assert.rejects(run, (error) => {
        assert.deepEqual([error.name, error.code, error.cause?.message], ['AbortError', 'ABORTED', 'enough']);
        return true;
      });
      // In time, and not when the loop has ended: the worker is free again.
      const { y } = await session.run(feeds(3n));
      assert.deepEqual([...y.data], [3]);
      await session.release();
      await other.release();
    });
  }

  test('a run with a signal that nobody aborts gives the same', async () => {
    const session = await InferenceSession.create(counting({ collect: true }));
    const { signal } = new AbortController();
    for (const m of [0n, 3n, 20_000n]) {
      const [plain, parted] = [await session.run(feeds(m, 2)), await session.run(feeds(m, 2), { signal })];
      assert.deepEqual(parted.all.dims, [Number(m), 2]);
      assert.deepEqual(parted, plain);
    }
    await session.release();
  });

  test('release ends a run that has given way, and dispose of all too', async () => {
    const session = await InferenceSession.create(counting());
    const { signal } = new AbortController();
    const before = runtime.memory().sessions;
    const run = session.run(feeds(4_000_000n, 1_000_000), { signal });
    await session.release();
    await assert.rejects(run, { name: 'DisposedError' });
    assert.equal(runtime.memory().sessions, before - 1);
  });

  // What is known not to end is not begun; what is not known runs into the limits, which TestLoopLimits in nn/graph sees.
  test('what has no end, or collects too much, is refused with its numbers', async () => {
    const session = await InferenceSession.create(counting());
    await assert.rejects(session.run(feeds(most)), { name: 'ShapeError', message: "graph: Loop: it would make 9223372036854775807 trips; the run's loops may make 4194304 more, of 4194304" });
    assert.equal((await session.run(feeds(2n))).y.data[0], 2);
    await session.release();
    const collecting = await InferenceSession.create(counting({ collect: true }));
    const { total } = runtime.memory();
    await assert.rejects(collecting.run(feeds(4_000_000n, 1000)), { name: 'ShapeError', message: /^graph: Loop, trip 0: output 2 is collected in 4000000 slices of 4000 bytes, more than the session's limit leaves: \d+$/ });
    assert.ok(runtime.memory().total - total < 2 ** 20, 'nothing was taken for it');
    assert.deepEqual((await collecting.run(feeds(2n))).all.dims, [2, 1]);
    await collecting.release();
  });

  test('a run with a signal whose loop fails says what failed', async () => {
    const session = await InferenceSession.create(counting({ asked: true }));
    const { signal } = new AbortController();
    await assert.rejects(session.run({ m: new Tensor('int64', [1n, 2n], [2]), x: feeds(1n).x }, { signal }), { name: 'ShapeError' });
    assert.equal((await session.run(feeds(2n), { signal })).y.data[0], 2);
    await session.release();
  });
});
