// What is wrong with quantized models, tables, sequences and files beside a model, as it reaches JavaScript: the class, the node's
// name and the numbers, in this thread and in a worker. (TestBadInput in nn/onnx has all kinds; loops.test.mjs the loops, text.test.mjs the prompts.)
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { InferenceSession, Tensor, init } from 'normwasm';
import { model } from './data.mjs';

const ms = 'com.microsoft';
const bytes = (n) => Uint8Array.from({ length: n }, (_, i) => i + 1);
const one = (name, v) => [name, [], Float32Array.of(v)];

/** By name: the nodes, what x [2 6] has beside it, and what must be said. @type {Record<string, { nodes: any[], constants?: any[], inputs?: any[], feeds?: any, want: RegExp, name?: string }>} */
const cases = {
  'a zero point of another type': {
    nodes: [{ op: 'DequantizeLinear', inputs: ['q', 's', 'z'], outputs: ['d'] }, { op: 'Add', inputs: ['x', 'd'], outputs: ['y'] }],
    constants: [['q', [6], bytes(6), 3], one('s', 1), ['z', [], bytes(1), 2]], want: /^graph: DequantizeLinear: input 2 is uint8, want int8 as input 0$/,
  },
  'a scale of 0': { nodes: [{ op: 'QuantizeLinear', inputs: ['x', 's'], outputs: ['y'] }], constants: [one('s', 0)], want: /^graph: QuantizeLinear: y_scale 0 is 0, want a finite number that is not 0$/ },
  'a scale that is fed as NaN': {
    nodes: [{ op: 'QuantizeLinear', inputs: ['x', 's'], outputs: ['y'] }], inputs: [['s', 1, []]], feeds: { s: new Tensor('float32', [NaN], []) },
    want: /^graph: QuantizeLinear: y_scale is NaN, want a finite number that is not 0$/,
  },
  'blocks that do not divide': {
    nodes: [{ op: 'DequantizeLinear', inputs: ['q', 's'], outputs: ['d'], attributes: { axis: 1, block_size: 4 } }, { op: 'Add', inputs: ['x', 'd'], outputs: ['y'] }],
    constants: [['q', [2, 6], bytes(12), 3], ['s', [2, 3], Float32Array.of(1, 1, 1, 1, 1, 1)]],
    want: /^graph: DequantizeLinear: x_scale has dimensions \[2 3\], want \[2 2\] for blocks of 4 along axis 1 of \[2 6\]$/,
  },
  'weights of 4 bits in blocks of 5': {
    nodes: [{ op: 'MatMulNBits', domain: ms, inputs: ['x', 'w', 's'], outputs: ['y'], attributes: { K: 6, N: 2, bits: 4, block_size: 5 } }],
    constants: [['w', [2, 1, 8], bytes(16), 2], ['s', [2], Float32Array.of(1, 1)]], want: /^graph: MatMulNBits: block_size is 5, want a power of 2 from 16 on$/,
  },
  'a token that the table does not have': {
    nodes: [{ op: 'Gather', inputs: ['table', 'ids'], outputs: ['g'] }, { op: 'Add', inputs: ['g', 'x'], outputs: ['y'] }],
    constants: [['table', [5, 6], new Float32Array(30)]], inputs: [['ids', 7, [2]]], feeds: { ids: new Tensor('int64', [1n, 5n], [2]) },
    want: /^graph: Gather: an index is 5, want one in \[-5, 4\]$/,
  },
  'a sequence of mixed types': {
    nodes: [{ op: 'SequenceConstruct', inputs: ['x', 'i'], outputs: ['l'] }, { op: 'SequenceLength', inputs: ['l'], outputs: ['y'] }], inputs: [['i', 6, [1]]], feeds: { i: new Tensor('int32', [1], [1]) },
    want: /^graph: SequenceConstruct: input 1 is a tensor of int32, want float32: all elements of a sequence are of one type$/,
  },
  'a file that is too short': {
    nodes: [{ op: 'Add', inputs: ['x', 'w'], outputs: ['y'] }], constants: [['w', [6], { location: 'w.bin', offset: 4, length: 24 }]],
    want: /tensor "w" is in the file "w\.bin", of which the model needs 28 bytes; the file has 27$/, name: 'LoadError',
  },
  'a file whose name ends early': { // in what does not look at all of it
    nodes: [{ op: 'Add', inputs: ['x', 'w'], outputs: ['y'] }], constants: [['w', [6], { location: 'w.bin\0.txt', offset: 0, length: 24 }]],
    want: /tensor "w" is in the file ".*", want one in the model's folder, or below it$/, name: 'LoadError',
  },
};

describe('bad input', () => {
  let runtime;
  before(async () => { runtime = await init(); });
  after(() => runtime.dispose());

  for (const [what, { nodes, constants, inputs = [], feeds, want, name = 'ShapeError' }] of Object.entries(cases)) {
    test(what, async () => {
      const file = model({ opset: 21, domains: { [ms]: 1 }, nodes, constants, inputs: [['x', 1, [2, 6]], ...inputs], outputs: [['y', 1]] });
      const x = new Tensor('float32', new Float32Array(12), [2, 6]);
      for (const worker of feeds ? [false, true] : [false]) {
        for (const graphOptimizationLevel of /** @type {const} */ (['none', 'all'])) {
          let session;
          const attempt = async () => {
            session ??= await InferenceSession.create(file, { worker, graphOptimizationLevel, externalData: [{ path: 'w.bin', data: new Uint8Array(27) }] });
            await session.run({ x, ...feeds });
          };
          await assert.rejects(attempt(), { name, message: want });
          await assert.rejects(attempt(), { name, message: want }, 'the second time too');
          await session?.release();
        }
      }
      assert.deepEqual([runtime.memory().sessions, runtime.memory().inUse], [0, 0], 'nothing is left behind');
    });
  }

  test('types that JavaScript has no array for', async () => {
    const cast = (from, to, extra = []) => model({
      opset: 21, nodes: [{ op: 'Cast', inputs: ['x'], outputs: ['y'], attributes: { to } }, { op: 'Identity', inputs: ['x'], outputs: ['z'] }], inputs: [['x', from, [2]]], outputs: [['y', to, [2]], ['z', from, [2]], ...extra],
    });
    await assert.rejects(InferenceSession.create(cast(16, 1)), { name: 'UnsupportedError', message: 'graph: the model needs what is not implemented: input "x" of type bfloat16' });
    for (const options of [{}, { preferredOutputLocation: /** @type {const} */ ('wasm') }]) {
      const session = await InferenceSession.create(cast(1, 16), options);
      const x = new Tensor('float32', [1, 2], [2]);
      await assert.rejects(session.run({ x }), { name: 'UnsupportedError', message: /^InferenceSession\.run: output "y" is of ONNX's type 16, for which JavaScript has no array$/ });
      const { z } = await session.run({ x }, ['z']);
      assert.deepEqual([...await z.getData()], [1, 2]);
      z.dispose();
      await session.release();
    }
    assert.deepEqual([runtime.memory().tensors, runtime.memory().inUse], [0, 0]);
  });
});
