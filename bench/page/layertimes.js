// How long a layer takes within a network: a chain of 12 nodes less a chain of 2, by every contender.
// Norms of small planes take microseconds, of which the difference needs more.
import { channelsLast, fast, maxDifference } from './data.js';
import * as litert from './litert.js';
import { chainOf, chainOfNodes, dimsOf, flops, folds, layers, parametersOf } from './layerlist.js';
import { measure, perNode } from './measure.js';
import * as ort from './ort.js';
import { chainsOf, sessions } from './sessionchains.js';
import * as tfjs from './tfjs.js';

/** Of the largest number of a result. */
const TOLERANCE = 1e-4;

const count = (dims) => dims.reduce((a, b) => a * b, 1);

const lastDims = (d) => (d.length === 4 ? [d[0], d[2], d[3], d[1]] : d);
const toLast = (data, d) => (d.length === 4 ? channelsLast(data, d) : data);

/**
 * What channels last give of a chain of so many nodes, as the chains in ONNX do: the last result, or of nodes that read the same
 * x the first pixel of each plane, which is the first row. Of one node it is all.
 * @param {ArrayLike<number>[]} all results of all nodes, or the last one
 */
function asONNX(layer, length, all) {
  const chain = chainOf(layer, length);
  if (layer.aside && length > 1) return Float32Array.from(all.flatMap((data, i) => [...data.subarray(0, dimsOf(chain[i]).y[1])]));
  const { y } = dimsOf(chain.at(-1));
  return y.length === 4 ? channelsFirst(all.at(-1), y) : all.at(-1);
}

/** TensorFlow.js's wasm backend, whose products and convolutions are XNNPACK's, on its own layout, channels last. */
function eager(layer, [short, long], x, dims) {
  const nodes = chainOf(layer, long).map((node, i) => tfjs.node(node, parametersOf(node, i)));
  const input = tfjs.tensor(toLast(x, dims), lastDims(dims));
  const compute = (length) => tfjs.chain(nodes.slice(0, length).map((n) => n.call), input, layer.aside);
  const dispose = (all) => all.forEach((y) => y.dispose());
  return {
    name: 'tfjs-wasm',
    got: [1, short, long].map((length) => {
      const all = compute(length);
      const data = all.map((y) => y.dataSync());
      dispose(all);
      return asONNX(layer, length, data);
    }),
    contenders: [short, long].map((length) => ({
      name: `tfjs-wasm, ${length}`,
      run: (times) => {
        for (let i = 0; i < times; i++) dispose(compute(length));
      },
    })),
    release: () => {
      input.dispose();
      nodes.forEach((n) => n.dispose());
    },
  };
}

/** XNNPACK as LiteRT.js has it, behind TensorFlow Lite's interpreter. */
async function interpreted(layer, lengths, x, dims) {
  const { loadAndCompile, Tensor, chainToTFLite } = await litert.library();
  const input = new Tensor(toLast(x, dims), lastDims(dims));
  const models = new Map();
  const got = [];
  for (const length of [1, ...lengths]) {
    const model = await loadAndCompile(chainToTFLite(layer, length), { accelerator: 'wasm' });
    const all = await model.run(input);
    got.push(asONNX(layer, length, all.map((y) => Float32Array.from(y.toTypedArray()))));
    all.forEach((y) => y.delete());
    if (length > 1) models.set(length, model);
    else model.delete();
  }
  return {
    name: 'litert', got,
    contenders: [...models].map(([length, model]) => ({
      name: `litert, ${length}`,
      run: async (times) => {
        for (let i = 0; i < times; i++) (await model.run(input)).forEach((y) => y.delete());
      },
    })),
    release: () => {
      input.delete();
      models.forEach((model) => model.delete());
    },
  };
}

/** [N, ...inner, C], whose dims in the other order are [N, C, ...inner], to that order. */
function channelsFirst(x, [n, channels, ...inner]) {
  return channelsLast(x, [n, count(inner), channels]);
}

/**
 * @param {{ variant: string, api: any }[]} engines of normwasm @param {(e: any, i: number) => string} label @param {boolean} withLiteRT
 * @param {string} name of layerlist.js @param {object} plan
 */
export async function layerTimes(engines, label, withLiteRT, name, plan) {
  const layer = layers.find((l) => l.name === name);
  const { x: dims } = dimsOf(layer.nodes[0]);
  const x = fast(count(dims), 1.7, 7);
  const off = folds(layer);
  const creators = engines.map((e) => (m) => e.api.InferenceSession.create(m, { graphOptimizationLevel: off ? 'none' : 'all' }));
  const chains = await chainsOf(layer, creators);
  const lengths = chains.map(([length]) => length);
  const models = { whole: chainOfNodes(layer, 1, { whole: true }), chains };
  const parts = [];
  for (const [i, e] of engines.entries()) parts.push(await sessions(label(e, i), creators[i], (data, d) => new e.api.Tensor('float32', data, d), models, x, dims));
  parts.push(await sessions('onnxruntime-web', (m) => ort.session(m, off ? 'disabled' : 'all'), ort.tensor, models, x, dims));
  if (tfjs.has(layer.nodes[0])) {
    parts.push(eager(layer, lengths, x, dims));
    if (withLiteRT && layer.nodes[0].op !== 'BatchNormalization') parts.push(await interpreted(layer, lengths, x, dims));
  }
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
  return parts.map(({ name: who }, i) => {
    const [short, long] = lengths.map((length) => measured.find((m) => m.name === `${who}, ${length}`));
    const r = perNode(who, short, long, lengths[1], lengths[0]);
    return { ...r, ...(work ? { gflops: work / (r.medianMs * 1e6) } : {}), maxDifference: differences[i] };
  });
}
