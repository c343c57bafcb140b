// Sequences and optional values as inputs and outputs, in this thread and in a worker; maps, which are tensors here.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { InferenceSession, NormError, ShapeError, Tensor, init } from 'normwasm';
import { model } from './data.mjs';

let runtime;
before(async () => { runtime = await init(); });
after(() => runtime.dispose());

/** list with what is in may, where that is there, at its end; may as it is, and how long list is. */
const appending = (type = 1) => model({
  opset: 18,
  nodes: [
    { op: 'OptionalHasElement', inputs: ['may'], outputs: ['has'] },
    {
      op: 'If', inputs: ['has'], outputs: ['longer'], attributes: {
        then_branch: { nodes: [{ op: 'OptionalGetElement', inputs: ['may'], outputs: ['e'] }, { op: 'SequenceInsert', inputs: ['list', 'e'], outputs: ['r'] }], outputs: [['r', { sequence: type }]] },
        else_branch: { nodes: [{ op: 'Identity', inputs: ['list'], outputs: ['s'] }], outputs: [['s', { sequence: type }]] },
      },
    },
    { op: 'SequenceLength', inputs: ['list'], outputs: ['n'] },
    { op: 'Identity', inputs: ['may'], outputs: ['same'] },
  ],
  inputs: [['list', { sequence: type }], ['may', { optional: type }]],
  outputs: [['longer', { sequence: type }], ['n', 7, []], ['same', { optional: type }]],
});

const tensor = (...data) => new Tensor('float32', data, [data.length]);
const plain = (list) => list.map(({ dims, data }) => [[...dims], [...data]]);

for (const options of [{}, { worker: true }, { preferredOutputLocation: 'wasm' }]) {
  test(`sequences and optional values go in and come out with ${JSON.stringify(options)}`, async () => {
    const session = await InferenceSession.create(appending(), options);
    assert.deepEqual(session.inputMetadata.map(({ name, type, form }) => [name, type, form]), [['list', 'float32', 'sequence'], ['may', 'float32', 'optional']]);
    assert.deepEqual(session.outputMetadata.map(({ form }) => form), ['sequence', undefined, 'optional']);
    const tensors = runtime.memory().tensors;
    const [a, b, c] = [tensor(1, 2), tensor(), tensor(3)];
    for (const list of [[a, b], [], [c, c, a], Array.from({ length: 300 }, (_, i) => tensor(i)), [b]]) {
      for (const may of [a, null, undefined]) {
        const { longer, n, same } = await session.run(may === undefined ? { list } : { list, may });
        assert.deepEqual(plain(longer), plain(may ? [...list, may] : list));
        assert.equal((await n.getData())[0], BigInt(list.length));
        assert.deepEqual(same && plain([same]), may ? plain([may]) : null);
        for (const t of [...longer, n, same]) t?.dispose();
      }
    }
    await session.run({ list: [a, b], may: a }, ['n']).then(({ n }) => n.dispose());
    assert.equal(runtime.memory().tensors, tensors, 'what nobody wants is given back');
    await session.release();
  });
}

test('sequences of strings, and tensors that are resident', async () => {
  const session = await InferenceSession.create(appending(8));
  const words = new Tensor('string', ['a', 'żółw'], [2]);
  const { longer } = await session.run({ list: [words, new Tensor('string', [], [0]), words], may: words });
  assert.deepEqual(longer.map(({ data }) => data), [['a', 'żółw'], [], ['a', 'żółw'], ['a', 'żółw']]);
  await session.release();
  const floats = await InferenceSession.create(appending());
  const resident = tensor(5, 6).toWasm();
  assert.deepEqual(plain((await floats.run({ list: [resident, tensor(7), resident], may: resident })).longer), [[[2], [5, 6]], [[1], [7]], [[2], [5, 6]], [[2], [5, 6]]]);
  resident.dispose();
  await floats.release();
});

test('what does not fit is refused', async () => {
  const session = await InferenceSession.create(appending());
  const list = [tensor(1)];
  const refused = (feeds, type, message) => assert.rejects(session.run(feeds), (error) => {
    assert.ok(error instanceof type && message.test(error.message), `${error.name}: ${error.message}`);
    return true;
  });
  await refused({ list: tensor(1) }, ShapeError, /^graph: input "list" is one tensor, want a sequence$/);
  await refused({ list: [tensor(1), 3] }, NormError, /input "list" is a number, want an array of Tensors$/);
  await refused({ list: null }, NormError, /input "list" is null, want an array of Tensors$/);
  await refused({}, NormError, /input "list" is missing/);
  await refused({ list, may: list }, NormError, /input "may" is a plain array, want a Tensor/);
  await refused({ list: [tensor(1), new Tensor('int32', [1], [1])] }, NormError, /input "list" is a tensor of int32, want float32/);
  await refused({ list: Array.from({ length: 2000 }, () => tensor(1)) }, ShapeError, /have more dimensions together than 4096/);
  await assert.rejects(session.profile({ list }), { name: 'UnsupportedError', message: /"list" is a sequence or an optional value, which run takes and gives/ });
  assert.equal((await session.run({ list })).longer.length, 1, 'and the session lives on');
  await session.release();
});

// What makes a sequence of tensors of two types knows only when it runs where they come from: its error names both.
test('sequences of mixed types are refused', async () => {
  const mixed = model({
    opset: 18, nodes: [{ op: 'SequenceInsert', inputs: ['list', 'x'], outputs: ['y'] }],
    inputs: [['list', { sequence: 1 }], ['x', 6, [1]]], outputs: [['y', { sequence: 1 }]],
  });
  const session = await InferenceSession.create(mixed);
  await assert.rejects(session.run({ list: [tensor(1)], x: new Tensor('int32', [1], [1]) }), {
    name: 'ShapeError', message: /^graph: SequenceInsert: input 1 is a tensor of int32, want float32: all elements of a sequence are of one type$/,
  });
  await session.release();
});
