#!/usr/bin/env node
// What calls cost where there is next to nothing to compute, in Node: a step of a session, by chains of 21 nodes less one,
// and the run of one node, from JavaScript and back. `node bench/calls.mjs [rounds] [variant]`. Beside it onnxruntime-web, with
// one thread and its optimizer off, so that the nodes of a chain stay what they are.
import { measure, perNode, quantile } from './page/measure.js';
import { chainModel } from './page/onnx.js';
import { uniform } from './page/data.js';
import { InferenceSession, Tensor, init } from '../js/dist/normwasm.js';
import ort from 'onnxruntime-web/wasm';

const LONG = 21;
const plan = { rounds: Number(process.argv[2] ?? 30), sampleMs: 3, warmMs: 150, budgetMs: 2000 };
const { variant } = await init({ variant: process.argv[3] ?? 'simd' });
Object.assign(ort.env.wasm, { numThreads: 1 });
ort.env.logLevel = 'fatal';

const node = (op, dims, parameters = [], attributes = {}, opset = 17) => ({ op, dims, parameters, attributes, opset });
const cases = {
  'Relu, 4': node('Relu', [4]),
  'Add, 4': node('Add', [4], [['b', uniform(4, -1, 1, 1)]]),
  'Transpose, 2×2×4': node('Transpose', [2, 2, 4], [], { perm: [1, 0, 2] }),
  'Softmax, 1×16': node('Softmax', [1, 16]),
  'MatMul, 1×8 · 8×8': node('MatMul', [1, 8], [['w', uniform(64, -0.3, 0.3, 1), [8, 8]]]),
  'LayerNorm, 1×16': node('LayerNormalization', [1, 16], [['s', uniform(16, 0.5, 1, 1)], ['b', uniform(16, -1, 1, 2)]]),
};

const µs = (ms) => `${(1000 * ms).toFixed(2)} µs`;
for (const [name, model] of Object.entries(cases)) {
  const x = uniform(model.dims.reduce((a, b) => a * b, 1), -2, 3, 3);
  const contenders = [];
  for (const nodes of [1, LONG]) {
    const file = chainModel({ ...model, nodes });
    const add = (who, run) => contenders.push({ name: `${who} ${nodes}`, run });
    const session = await InferenceSession.create(file, { graphOptimizationLevel: 'none' });
    const resident = await InferenceSession.create(file, { graphOptimizationLevel: 'none', preferredOutputLocation: 'wasm' });
    const theirs = await ort.InferenceSession.create(file, { executionProviders: ['wasm'], graphOptimizationLevel: 'disabled' });
    const feeds = { x: new Tensor('float32', x, model.dims) };
    const inside = { x: feeds.x.toWasm() };
    const theirFeeds = { x: new ort.Tensor('float32', x, model.dims) };
    add('runSync', (times) => { for (let i = 0; i < times; i++) session.runSync(feeds); });
    add('run', async (times) => { for (let i = 0; i < times; i++) await session.run(feeds); });
    add('resident', (times) => { for (let i = 0; i < times; i++) resident.runSync(inside).y.dispose(); });
    add('onnxruntime-web', async (times) => { for (let i = 0; i < times; i++) await theirs.run(theirFeeds); });
  }
  const measured = await measure(contenders, plan);
  const of = (who) => [1, LONG].map((nodes) => measured.find((m) => m.name === `${who} ${nodes}`));
  const tell = (who) => {
    const [one, many] = of(who);
    const step = perNode(who, one, many, LONG);
    return `${who}: ${µs(step.medianMs)} a step (least ${µs(step.minMs)}), ${µs(quantile(one.samples, 0.5))} a run of one (least ${µs(quantile(one.samples, 0))})`;
  };
  console.log(`${name}, ${variant}\n${['runSync', 'run', 'resident', 'onnxruntime-web'].map((who) => `  ${tell(who)}`).join('\n')}`);
}
process.exit(0);
