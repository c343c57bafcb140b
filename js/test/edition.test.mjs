// Models with what only the full edition has: create fetches it beside the lean one that is running.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { InferenceSession, Tensor, init } from 'normwasm';
import { model } from './data.mjs';

const x = Float32Array.of(3, 1, 2, 4);
/** A model of one node, x [2 2] → y. */
const one = (op, dims, opset = 22, attributes = {}) => model({ opset, nodes: [{ op, inputs: ['x'], outputs: ['y'], attributes }], inputs: [['x', 1, [2, 2]]], outputs: [['y', 1, dims]] });
const feeds = () => ({ x: new Tensor('float32', x, [2, 2]) });

describe('the full edition', () => {
  let runtime;
  before(async () => {
    runtime = await init();
  });
  after(() => runtime.dispose());

  for (const worker of [false, true]) {
    test(`runs what the lean one lacks${worker ? ', in a worker' : ''}`, async () => {
      const session = await InferenceSession.create(one('Det', []), { worker });
      const { y } = await session.run(feeds());
      assert.deepEqual([...y.data], [10]);
      await session.release();
    });
  }

  test('runs what opsets before 7 wrote in another way', async () => {
    const axis = model({
      opset: 6, nodes: [{ op: 'Add', inputs: ['x', 'b'], outputs: ['y'], attributes: { broadcast: 1, axis: 0 } }],
      inputs: [['x', 1, [2, 2]], ['b', 1, [2]]], outputs: [['y', 1, [2, 2]]],
    });
    const session = await InferenceSession.create(axis);
    const { y } = await session.run({ ...feeds(), b: new Tensor('float32', Float32Array.of(10, 20), [2]) });
    assert.deepEqual([...y.data], [13, 11, 22, 24], 'b is added to rows, not to columns');
    await session.release();
  });

  test('is not fetched for what the lean one has, and its memory is told of and given back', async () => {
    const { sessions, inUse } = runtime.memory();
    const plain = await InferenceSession.create(one('Neg', [2, 2]), { preferredOutputLocation: 'wasm' });
    const rare = await InferenceSession.create(one('Det', []));
    assert.equal(runtime.memory().sessions, sessions + 2);
    // A result that stays in one module's memory is copied into that of the other.
    const { y: negated } = await plain.run(feeds());
    assert.equal(negated.location, 'wasm');
    const { y } = await rare.run({ x: negated });
    assert.deepEqual([...y.data], [10]);
    negated.dispose();
    await Promise.all([plain.release(), rare.release()]);
    assert.equal(runtime.memory().sessions, sessions);
    assert.equal(runtime.memory().inUse, inUse);
  });

  test('names what neither has', async () => {
    const both = model({
      opset: 22, nodes: [{ op: 'Det', inputs: ['x'], outputs: ['d'] }, { op: 'NoSuchOperator', inputs: ['x'], outputs: ['y'] }],
      inputs: [['x', 1, [2, 2]]], outputs: [['d', 1, []], ['y', 1, [2, 2]]],
    });
    for (const worker of [false, true]) {
      await assert.rejects(InferenceSession.create(both, { worker }), (error) => error.code === 'UNSUPPORTED' && /NoSuchOperator/.test(error.message) && !/Det/.test(error.message));
    }
  });

  test('does for all models where wasmURL names it', async () => {
    runtime.dispose();
    const dist = new URL('../dist/', import.meta.url);
    runtime = await init({ wasmURL: new URL('normwasm.full.simd.wasm', dist), variant: 'simd' });
    const { total } = runtime.memory();
    const session = await InferenceSession.create(one('Det', []));
    const { y } = await session.run(feeds());
    assert.deepEqual([...y.data], [10]);
    assert.ok(runtime.memory().total < 1.5 * total, 'there is one module');
    await session.release();
  });

  test('ends with the runtime', async () => {
    const session = await InferenceSession.create(one('Det', []));
    runtime.dispose();
    await assert.rejects(session.run(feeds()), { code: 'DISPOSED' });
    runtime = await init();
  });
});
