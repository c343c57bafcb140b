// How long a layer takes within a network: a chain of 12 nodes less a chain of 2, by every contender.
// Norms of small planes take microseconds, of which the difference needs more.
import { channelsLast, fast, maxDifference } from './data.js';
import { chainOf, chainOfNodes, dimsOf, flops, folds, layers, parametersOf } from './layerlist.js';
import { measure, perNode } from './measure.js';
import * as ort from './ort.js';
import * as tfjs from './tfjs.js';

const SHORT = 2;
const longOf = (layer) => (folds(layer) ? 42 : 12);

/** Of the largest number of a result. */
const TOLERANCE = 1e-4;

const count = (dims) => dims.reduce((a, b) => a * b, 1);

/** What runs models by sessions: 12 nodes, 2, and the whole result of one. */
async function sessions(name, create, tensor, models, x, dims) {
  const run = async (s) => (await s.run({ x: tensor(x, dims) })).y.data;
  const whole = await create(models.whole);
  const got = [await run(whole)];
  await whole.release();
  const input = tensor(x, dims);
  const contenders = [];
  const open = [];
  for (const [length, model] of models.chains) {
    const s = await create(model);
    open.push(s);
    got.push(await run(s));
    contenders.push({
      name: `${name}, ${length}`,
      run: async (times) => {
        for (let i = 0; i < times; i++) await s.run({ x: input });
      },
    });
  }
  return {
    name, got, contenders,
    release: async () => {
      for (const s of open) await s.release();
    },
  };
}

/** TensorFlow.js's wasm backend, whose products and convolutions are XNNPACK's, on its own layout, channels last. */
function eager(layer, x, dims) {
  const last = (data, d) => (d.length === 4 ? channelsLast(data, d) : data);
  const lastDims = (d) => (d.length === 4 ? [d[0], d[2], d[3], d[1]] : d);
  const long = longOf(layer);
  const nodes = chainOf(layer, long).map((node, i) => ({ node, ...tfjs.node(node, parametersOf(node, i)) }));
  const input = tfjs.tensor(last(x, dims), lastDims(dims));
  const compute = (length) => tfjs.chain(nodes.slice(0, length).map((n) => n.call), input, layer.aside);
  const result = (length) => {
    const all = compute(length);
    const data = all.map((y) => y.dataSync());
    all.forEach((y) => y.dispose());
    if (!layer.aside || length === 1) return data.at(-1);
    // As the chains in ONNX: the first pixel of each plane, which channels last is the first row.
    return Float32Array.from(data.flatMap((d, i) => [...d.subarray(0, dimsOf(nodes[i].node).y[1])]));
  };
  const planes = (data, length) => {
    const { y } = dimsOf(nodes[length - 1].node);
    return y.length === 4 && data.length === count(y) ? channelsFirst(data, y) : data;
  };
  return {
    name: 'tfjs-wasm',
    got: [1, SHORT, long].map((length) => (layer.aside && length > 1 ? result(length) : planes(result(length), length))),
    contenders: [SHORT, long].map((length) => ({
      name: `tfjs-wasm, ${length}`,
      run: (times) => {
        for (let i = 0; i < times; i++) compute(length).forEach((y) => y.dispose());
      },
    })),
    release: () => {
      input.dispose();
      nodes.forEach((n) => n.dispose());
    },
  };
}

/** [N, ...inner, C], whose dims in the other order are [N, C, ...inner], to that order. */
function channelsFirst(x, [n, channels, ...inner]) {
  return channelsLast(x, [n, count(inner), channels]);
}

/**
 * @param {{ variant: string, api: any }[]} engines of normwasm @param {(e: any, i: number) => string} label
 * @param {string} name of layerlist.js @param {object} plan
 */
export async function layerTimes(engines, label, name, plan) {
  const layer = layers.find((l) => l.name === name);
  const { x: dims } = dimsOf(layer.nodes[0]);
  const x = fast(count(dims), 1.7, 7);
  const off = folds(layer);
  const models = { whole: chainOfNodes(layer, 1, { whole: true }), chains: [SHORT, longOf(layer)].map((length) => [length, chainOfNodes(layer, length)]) };
  const parts = [];
  for (const [i, e] of engines.entries()) {
    const create = (m) => e.api.InferenceSession.create(m, { graphOptimizationLevel: off ? 'none' : 'all' });
    parts.push(await sessions(label(e, i), create, (data, d) => new e.api.Tensor('float32', data, d), models, x, dims));
  }
  parts.push(await sessions('onnxruntime-web', (m) => ort.session(m, off ? 'disabled' : 'all'), ort.tensor, models, x, dims));
  if (tfjs.has(layer.nodes[0])) parts.push(eager(layer, x, dims));
  const wants = parts.find((p) => p.name === 'onnxruntime-web').got;
  const differences = parts.map(({ name: who, got }) => Math.max(...got.map((y, i) => {
    const scale = wants[i].reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    const apart = maxDifference(y, wants[i]) / scale;
    if (!(apart <= TOLERANCE)) throw new Error(`${name}: ${who} and onnxruntime-web differ by ${apart} of the largest number, allowed ${TOLERANCE}`);
    return apart;
  })));
  const measured = await measure(parts.flatMap((p) => p.contenders), plan);
  for (const p of parts) await p.release();
  const work = flops(layer);
  const nodes = longOf(layer);
  return parts.map(({ name: who }, i) => {
    const [short, long] = [SHORT, nodes].map((length) => measured.find((m) => m.name === `${who}, ${length}`));
    const r = perNode(who, short, long, nodes, SHORT);
    return { ...r, ...(work ? { gflops: work / (r.medianMs * 1e6) } : {}), maxDifference: differences[i] };
  });
}
