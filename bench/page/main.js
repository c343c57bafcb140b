// The cases, as functions that the driver calls one after another in one page.
import { batchNormReference, channelsLast, groupNormReference, layerNormReference, maxDifference, requireClose, rmsNormReference,
  trainingReference, uniform } from './data.js';
import { measure, perNode, summary } from './measure.js';
import * as jax from './jax.js';
import * as litert from './litert.js';
import * as cnn from './cnn.js';
import { layerTimes } from './layertimes.js';
import { models } from './modellist.js';
import { apart, bytesOf, feedsOf, inputsOf, requireAgreement } from './models.js';
import { batchOf, networks } from './networks.js';
import * as normwasm from './normwasm.js';
import { chainModel } from './onnx.js';
import * as ort from './ort.js';
import { steps } from './steps.js';
import * as tfjs from './tfjs.js';
import * as tfjsTrain from './tfjstrain.js';

const EPSILON = 1e-5;
const TOLERANCE = 1e-4;
const LOSS_TOLERANCE = 1e-3;

/** @type {{ variant: string, api: any }[]} The variant that `auto` takes comes first. */
let engines = [];

/** Whether LiteRT.js is there. */
let withLiteRT = false;

async function start({ entry, variants, litert: has }) {
  withLiteRT = has;
  ort.start();
  const info = { tfjs: await tfjs.start(), normwasm: [] };
  for (const variant of variants) {
    const e = await normwasm.start(entry, variant);
    if (engines.some((other) => other.variant === e.variant)) continue;
    engines.push(e);
    info.normwasm.push({ variant: e.variant, version: e.runtime.version });
  }
  return info;
}

/** Scalar code would take most of the time of layers and networks. */
const withoutScalar = () => engines.filter((e, i) => i === 0 || e.variant !== 'scalar');

const label = (e, i) => (i === 0 ? 'normwasm' : `normwasm ${e.variant}`);
const product = (dims) => dims.reduce((a, b) => a * b, 1);

/** Adds GB/s (x read once and y written once: the least that any kernel moves) and the ratios. */
function finish(results, elements) {
  const own = results.find((r) => r.name === 'normwasm');
  return results.map((r) => ({
    ...r,
    ...(elements ? { gbPerSecond: (elements * 8) / (r.medianMs * 1e6) } : {}),
    ...(own && r !== own ? { normwasmIsTimesAsFast: r.medianMs / own.medianMs } : {}),
  }));
}

async function layerNormKernel(dims, plan) {
  const cols = dims[dims.length - 1];
  const rows = product(dims) / cols;
  const c = { x: uniform(rows * cols, -2, 3, 1), gamma: uniform(cols, 0.5, 1.5, 2), beta: uniform(cols, -0.5, 0.5, 3), dims, epsilon: EPSILON };
  const want = layerNormReference(c.x, c.gamma, c.beta, rows, cols, EPSILON);
  const check = (who) => (got) => requireClose(who, got, want, TOLERANCE);

  const own = engines.map((e, i) => normwasm.layerNorm(e.api, label(e, i), c));
  const t = tfjs.layerNorm(c);
  const chains = await bothChains({ x: c.x, dims, op: 'LayerNormalization', opset: 17, attributes: { axis: -1, epsilon: EPSILON },
    parameters: [['scale', c.gamma], ['bias', c.beta]], check: check('a session') });
  for (const one of [...own, t]) one.verify(check(one.name));
  return compare([...own, t], chains, rows * cols, plan);
}

async function bothChains(o) {
  const chains = [await ort.chains(o)];
  for (const e of engines.slice(0, 1)) chains.push(await normwasm.chains(e.api, o));
  return chains;
}

async function compare(direct, chains, elements, plan) {
  for (const c of chains) await c.verify();
  const measured = await measure([...direct, ...chains.flatMap((c) => c.contenders)], plan);
  for (const c of [...direct, ...chains]) await c.release();
  return finish([...measured.slice(0, direct.length).map(summary), ...chains.map((c) => c.result(measured))], elements);
}

async function batchNormKernel(dims, plan) {
  const [n, channels, ...inner] = dims;
  const elements = product(dims);
  const dimsLast = [n, ...inner, channels];
  const parameters = { gamma: uniform(channels, 0.9, 1.1, 2), beta: uniform(channels, -0.5, 0.5, 3),
    mean: uniform(channels, -0.5, 0.5, 4), variance: uniform(channels, 0.9, 1.1, 5) };
  const x = uniform(elements, -2, 2, 1);
  const xLast = channelsLast(x, dims);
  const want = batchNormReference(x, parameters, dims, EPSILON);
  const wantLast = channelsLast(want, dims);
  const check = (who, w) => (got) => requireClose(who, got, w, TOLERANCE);

  const first = engines.map((e, i) => normwasm.batchNorm(e.api, label(e, i), { x, dims, ...parameters, epsilon: EPSILON, layout: 'nchw' }));
  const last = engines.map((e, i) => normwasm.batchNorm(e.api, `${label(e, i)} nhwc`, { x: xLast, dims: dimsLast, ...parameters, epsilon: EPSILON, layout: 'nhwc' }));
  const t = tfjs.batchNorm({ xLast, dimsLast, ...parameters, epsilon: EPSILON });
  const chains = await bothChains({ x, dims, op: 'BatchNormalization', opset: 15, attributes: { epsilon: EPSILON },
    parameters: [['scale', parameters.gamma], ['bias', parameters.beta], ['mean', parameters.mean], ['var', parameters.variance]],
    check: check('a session', want) });
  for (const one of first) one.verify(check(one.name, want));
  for (const one of [...last, t]) one.verify(check(one.name, wantLast));
  return compare([...first, ...last, t], chains, elements, plan);
}

async function rmsNormKernel(dims, plan) {
  const cols = dims[dims.length - 1];
  const rows = product(dims) / cols;
  const c = { x: uniform(rows * cols, -2, 3, 1), gamma: uniform(cols, 0.5, 1.5, 2), dims, epsilon: EPSILON };
  const want = rmsNormReference(c.x, c.gamma, rows, cols, EPSILON);
  const check = (who) => (got) => requireClose(who, got, want, TOLERANCE);

  const own = engines.map((e, i) => normwasm.rmsNorm(e.api, label(e, i), c));
  const chains = await bothChains({ x: c.x, dims, op: 'RMSNormalization', opset: 23, attributes: { axis: -1, epsilon: EPSILON },
    parameters: [['scale', c.gamma]], check: check('a session') });
  for (const one of own) one.verify(check(one.name));
  return compare(own, chains, rows * cols, plan);
}

/**
 * InstanceNorm (groups undefined) and GroupNorm. onnxruntime-web has no kernel for
 * GroupNormalization and runs the function that ONNX defines it by; exporters before
 * opset 18 wrote reshape, InstanceNormalization, reshape, multiply, add instead, which
 * is measured as well.
 */
async function groupNormKernel(dims, plan, groups) {
  const [n, channels, ...inner] = dims;
  const elements = product(dims);
  const parameters = { gamma: uniform(channels, 0.9, 1.1, 2), beta: uniform(channels, -0.1, 0.1, 3) };
  const x = uniform(elements, -2, 3, 1);
  const want = groupNormReference(x, parameters, dims, groups ?? channels, EPSILON);
  const check = (who, w = want) => (got) => requireClose(who, got, w, TOLERANCE);
  const o = { ...parameters, groups, epsilon: EPSILON };

  const own = engines.flatMap((e, i) => [
    normwasm.groupNorm(e.api, label(e, i), { ...o, x, dims, layout: 'nchw' }),
    normwasm.groupNorm(e.api, `${label(e, i)} nhwc`, { ...o, x: channelsLast(x, dims), dims: [n, ...inner, channels], layout: 'nhwc' }),
  ]);
  const node = { x, dims, check: check('a session'), parameters: [['scale', parameters.gamma], ['bias', parameters.beta]] };
  const chains = await bothChains(groups === undefined
    ? { ...node, op: 'InstanceNormalization', opset: 17, attributes: { epsilon: EPSILON } }
    : { ...node, op: 'GroupNormalization', opset: 21, attributes: { epsilon: EPSILON, num_groups: groups } });
  if (groups !== undefined) chains.push(await ort.decomposedGroupNorm({ ...node, groups, epsilon: EPSILON }));
  for (const [i, one] of own.entries()) one.verify(check(one.name, i % 2 === 0 ? want : channelsLast(want, dims)));
  return compare(own, chains, elements, plan);
}

const groupNorm32 = (dims, plan) => groupNormKernel(dims, plan, 32);

/**
 * Training passes against tfjs's own gradients; what is 'forward', 'backward' or
 * 'both'. dims is [..., C], the layout that tfjs is made for. tf.grads always runs
 * the forward pass: backward alone is what it takes more than that one.
 */
async function training(kind, what, dims, plan) {
  const cols = dims[dims.length - 1];
  const elements = product(dims);
  const columns = kind === 'batchNormTraining';
  const o = { x: uniform(elements, -2, 3, 1), dy: uniform(elements, -1, 1, 4), gamma: uniform(cols, 0.5, 1.5, 2),
    beta: uniform(cols, -0.5, 0.5, 3), dims, epsilon: EPSILON, layout: 'nhwc' };
  const want = trainingReference(o.x, o.dy, o, elements / cols, cols, EPSILON, columns);
  const check = (who) => (got) => {
    for (const key of Object.keys(want)) {
      const scale = Math.max(1, ...(key === 'dgamma' || key === 'dbeta' ? want[key].map(Math.abs) : [1]));
      requireClose(`${who}: ${key}`, got[key].map((v) => v / scale), want[key].map((v) => v / scale), TOLERANCE);
    }
  };
  const own = engines.map((e, i) => normwasm[kind](e.api, label(e, i), what, o));
  const theirs = tfjs[kind](o);
  const contenders = what === 'backward'
    ? [theirs('tfjs-wasm forward', 'forward'), theirs('tfjs-wasm both', 'both')]
    : [theirs('tfjs-wasm', what)];
  for (const one of [...own, contenders[0]]) one.verify(check(one.name));
  const measured = await measure([...own, ...contenders], plan);
  for (const one of [...own, contenders[0]]) one.release();
  const last = measured.slice(own.length);
  return finish([...measured.slice(0, own.length).map(summary),
    what === 'backward' ? perNode('tfjs-wasm', last[0], last[1], 2) : summary(last[0])]);
}

const batchNormForward = (dims, plan) => training('batchNormTraining', 'forward', dims, plan);
const batchNormBoth = (dims, plan) => training('batchNormTraining', 'both', dims, plan);
const layerNormBackward = (dims, plan) => training('layerNormTraining', 'backward', dims, plan);
const layerNormBoth = (dims, plan) => training('layerNormTraining', 'both', dims, plan);

/**
 * What a caller with plain arrays pays: Float32Array in, Float32Array out. A new
 * array of some size costs more than this normalization does; normwasm can write
 * into one that is there, so it is measured both ways. onnxruntime-web always
 * makes a new one (it takes a preallocated tensor on the cpu, and leaves it empty).
 */
async function layerNormCall(dims, plan) {
  const [rows, cols] = dims;
  const x = uniform(rows * cols, -2, 3, 1);
  const scale = uniform(cols, 0.5, 1.5, 2);
  const bias = uniform(cols, -0.5, 0.5, 3);
  const out = new Float32Array(x.length);
  const want = layerNormReference(x, scale, bias, rows, cols, EPSILON);

  const own = engines.flatMap((e, i) => {
    const o = { shape: dims, scale, bias, epsilon: EPSILON };
    const given = { ...o, out };
    return [
      { name: label(e, i), call: () => e.api.layerNorm(x, o) },
      { name: `${label(e, i)} out`, call: () => e.api.layerNorm(x, given) },
    ];
  });
  for (const o of own) requireClose(o.name, o.call(), want, TOLERANCE);
  const session = await ort.session(chainModel({ op: 'LayerNormalization', opset: 17, nodes: 1, dims,
    attributes: { axis: -1, epsilon: EPSILON }, parameters: [['scale', scale], ['bias', bias]] }));
  const viaSession = async () => (await session.run({ x: ort.tensor(x, dims) })).y.data;
  requireClose('onnxruntime-web', await viaSession(), want, TOLERANCE);

  const measured = await measure([
    ...own.map(({ name, call }) => ({ name, run: (times) => { for (let i = 0; i < times; i++) call(); } })),
    { name: 'onnxruntime-web', run: async (times) => { for (let i = 0; i < times; i++) await viaSession(); } },
  ], plan);
  await session.release();
  return finish(measured.map(summary));
}

/**
 * A whole network of modellist.js, arrays in and out, loaded and run on the page's own thread. Results are compared before anything is
 * timed, with onnxruntime-web's. TensorFlow.js runs those that are lists of steps, by its own operations.
 */
async function model(name, plan) {
  const spec = models.find((m) => m.name === name);
  const { tolerance = 1e-3, make } = spec;
  const bytes = await bytesOf(spec);
  const inputs = await inputsOf(spec);
  const contenders = [];
  const differences = {};
  const loading = {};
  let wants;
  const enter = async (who, load, Tensor) => {
    const begin = performance.now();
    const s = await load();
    loading[who] = performance.now() - begin;
    const run = () => s.run(feedsOf(s, Tensor, inputs));
    const results = await run();
    wants ??= results;
    differences[who] = requireAgreement(`${name}: ${who}`, apart(results, wants), tolerance);
    contenders.push({ name: who, release: () => s.release(), run: async (times) => { for (let i = 0; i < times; i++) await run(); } });
  };
  await enter('onnxruntime-web', () => ort.session(bytes), ort.Tensor);
  for (const [i, e] of withoutScalar().entries()) await enter(label(e, i), () => e.api.InferenceSession.create(bytes), e.api.Tensor);
  if (make in cnn.networks) {
    const t = tfjs.network(cnn.networks[make](), inputs[0]);
    differences['tfjs-wasm'] = requireAgreement(`${name}: tfjs-wasm`, apart({ y: { data: t.result() } }, wants), tolerance);
    contenders.push(t);
    if (withLiteRT) {
      const l = await litert.network(cnn.networks[make](), inputs[0]);
      differences.litert = requireAgreement(`${name}: litert`, apart({ y: { data: await l.result() } }, wants), tolerance);
      contenders.push(l);
    }
  }
  const measured = await measure(contenders, plan);
  for (const c of contenders) await c.release();
  return finish(measured.map(summary)).map((r) => ({ ...r, ...(r.name in loading ? { loadMs: loading[r.name] } : {}), maxDifference: differences[r.name] }));
}

/**
 * A step of training, by all contenders from the same weights and on the same batch. Their losses have to agree for
 * some steps, which they only do where network, gradients and optimizer are the same. Beside them runs our own product
 * of 512³: what share of its rate the step's products reach.
 */
async function trainingStep(which, peers, plan) {
  const network = networks[which];
  const data = batchOf(network);
  const own = [];
  for (const [i, e] of engines.entries()) own.push(await steps(e.api, e.variant, label(e, i), network, data));
  const contenders = [...own];
  for (const peer of peers) contenders.push(await peer(network, data, own[0].weights));
  const losses = [];
  for (const c of contenders) {
    losses.push([]);
    for (let i = 0; i < 4; i++) losses.at(-1).push(await c.step());
  }
  const differences = contenders.map(({ name }, i) => requireClose(`${name}: losses ${losses[i]}, normwasm's ${losses[0]}`, losses[i], losses[0], LOSS_TOLERANCE));
  const product = await ownProduct(engines[0].api);
  // Some peers take seconds for a step.
  const measured = (await measure([...contenders, product], { ...plan, fewest: 3 })).map(summary);
  for (const c of [...contenders, product]) await c.release();
  const last = measured.pop();
  return finish(measured).map((r, i) => ({
    ...r, gflops: network.flops / (r.medianMs * 1e6), maxDifference: differences[i],
    ...(i === 0 ? { productGflops: product.flops / (last.medianMs * 1e6) } : {}),
  }));
}

/** A chain of three products of 512³ in a session: about as long as a step, and the copy out a hundredth of it. */
async function ownProduct(api) {
  const n = 512;
  const nodes = 3;
  const session = await api.InferenceSession.create(chainModel({ op: 'MatMul', opset: 17, nodes, dims: [n, n], attributes: {},
    parameters: [['w', uniform(n * n, -0.1, 0.1, 3), [n, n]]] }));
  const x = new api.Tensor('float32', uniform(n * n, -1, 1, 4), [n, n]).toWasm();
  return {
    name: 'product',
    flops: nodes * 2 * n ** 3,
    run: async (times) => {
      for (let i = 0; i < times; i++) await session.run({ x });
    },
    release: async () => {
      await session.release();
      x.dispose();
    },
  };
}

const tfjsSteps = (backend) => async (...given) => tfjsTrain.steps(backend, ...given);
const jaxSteps = async (...given) => jax.steps(await jax.start(), ...given);

/** tfjs's wasm backend has no gradient of a convolution's filter. */
async function stepDigits(dims, plan) {
  await tfjs.use('cpu');
  try {
    return await trainingStep('digits', [tfjsSteps('cpu'), jaxSteps], plan);
  } finally {
    await tfjs.use('wasm');
  }
}
const stepRows = (dims, plan) => trainingStep('rows', [tfjsSteps('wasm')], plan);
const stepCharacters = (dims, plan) => trainingStep('characters', [tfjsSteps('wasm')], plan);

const layer = async (name, plan) => finish(await layerTimes(withoutScalar(), label, withLiteRT, name, plan));

globalThis.bench = { layer, stepDigits, stepRows, stepCharacters, start, layerNormKernel, batchNormKernel, rmsNormKernel, instanceNormKernel: groupNormKernel, groupNorm32,
  batchNormForward, batchNormBoth, layerNormBackward, layerNormBoth, layerNormCall, model };
