// Tensors of strings as inputs and outputs, in this thread and in a worker, and by the module's own interface.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { InferenceSession, NormError, ShapeError, Tensor, init } from 'normwasm';
import * as source from '../src/index.js';
import { live } from '../src/runtime.js';
import { model } from './data.mjs';

let runtime;
before(async () => { runtime = await init(); });
after(() => runtime.dispose());

/** Gives back its input, how many strings it has, and strings of its own. */
const echo = () => model({
  nodes: [{ op: 'Size', inputs: ['x'], outputs: ['n'] }],
  inputs: [['x', 8, ['rows', 2]]],
  outputs: [['x', 8, ['rows', 2]], ['n', 7, []], ['own', 8, [3]]],
  constants: [['own', [3], ['one', '', 'żółw 🐢'], 8]],
});

const hard = ['', 'a', '\u0000', 'ä', '漢字', '🐢', '\ufeffmark', 'x'.repeat(1000)];

for (const options of [{}, { worker: true }, { preferredOutputLocation: 'wasm' }]) {
  test(`strings go in and come out with ${JSON.stringify(options)}`, async () => {
    const session = await InferenceSession.create(echo(), options);
    assert.deepEqual(session.inputMetadata.map(({ type }) => type), ['string']);
    assert.deepEqual(session.outputMetadata.map(({ type }) => type), ['string', 'int64', 'string']);
    for (const list of [hard, hard.slice(2), [], Array.from({ length: 20_000 }, (_, i) => `${i}`.repeat(i % 9))]) {
      const { x, n, own } = await session.run({ x: new Tensor('string', list, [list.length / 2, 2]) });
      assert.deepEqual([x.type, x.location, [...x.dims], x.data], ['string', 'cpu', [list.length / 2, 2], list]);
      assert.equal((await n.getData())[0], BigInt(list.length));
      assert.deepEqual(own.data, ['one', '', 'żółw 🐢']);
      n.dispose();
    }
    const { x } = await session.run({ x: new Tensor('string', ['\ud800', 'a\udc00'], [1, 2]) });
    assert.deepEqual(x.data, ['\ufffd', 'a\ufffd'], 'what is no character');
    await assert.rejects(session.run({ x: new Tensor('string', ['a'], [1]) }), ShapeError);
    await assert.rejects(session.run({ x: new Tensor('float32', [1, 2], [1, 2]) }), { name: 'NormError', message: /input "x" is a tensor of float32, want string/ });
    const changed = new Tensor('string', ['a', 'b'], [1, 2]);
    changed.data.push('c');
    await assert.rejects(session.run({ x: changed }), NormError);
    changed.data.length = 2;
    changed.data[1] = /** @type {any} */ (7);
    await assert.rejects(session.run({ x: changed }), NormError);
    assert.equal((await session.profile({ x: new Tensor('string', hard, [4, 2]) })).nodes.length > 0, true);
    const tensors = runtime.memory().tensors;
    for (let i = 0; i < 5; i++) await session.run({ x: new Tensor('string', hard, [4, 2]) }, ['x']);
    assert.equal(runtime.memory().tensors, tensors, 'the slabs that strings cross in are given back');
    await session.release();
  });
}

test("strings by the module's own interface", async () => {
  const own = await source.init();
  const { api } = live('test');
  const h = api.open(echo());
  const run = (data, shape) => api.run(h, { x: { data, shape } });
  const { x, own: constant } = run(hard, [4, 2]);
  assert.deepEqual([x.type, x.shape, x.data, constant.data[2]], ['string', [4, 2], hard, 'żółw 🐢']);
  assert.match(run(['a', 7], [1, 2]).message, /element 1 of input "x" is number, want a string/);
  assert.match(run('ab', [1, 2]).message, /not an array of strings/);
  assert.match(run(['a'], [1, 2]).message, /has 1 elements, want 2/);
  api.release(h);
  own.dispose();
});
