// Several threads beside one, in one isolated page: of normwasm, of onnxruntime-web, and of jax-js, which has as many as there are
// cores. Each number of threads has a module graph of its own, below a path of its own.
import { fast, maxDifference } from './data.js';
import { chainOfNodes, dimsOf, flops, layers, parametersOf } from './layerlist.js';
import { measure, perNode, quantile, summary } from './measure.js';
import { models } from './modellist.js';
import { apart, bytesOf, feedsOf, inputsOf, requireAgreement } from './models.js';
import { chainsOf, sessions } from './sessionchains.js';

/** Of the largest number of a result. */
const TOLERANCE = 1e-4;

/** @typedef {{ name: string, threads: number, own: boolean, api: any, create(model: Uint8Array): Promise<any> }} Engine */

/** With all threads and with one of each runtime; normwasm's come first. @type {Engine[]} */
let engines = [];
/** @type {any} */
let jax;

const starts = {
  async normwasm(path, entry, threads) {
    const api = await import(`${path}${entry}`);
    const runtime = await api.init({ threads });
    if (runtime.threads !== threads) throw new Error(`normwasm has ${runtime.threads} threads, want ${threads}`);
    return { api, version: runtime.version, variant: runtime.variant, create: (model) => api.InferenceSession.create(model) };
  },
  async 'onnxruntime-web'(path, _, threads) {
    const api = await import(`${path}ort.wasm.min.mjs`);
    Object.assign(api.env.wasm, { numThreads: threads, wasmPaths: path });
    api.env.logLevel = 'error';
    return { api, create: (model) => api.InferenceSession.create(model, { executionProviders: ['wasm'], graphOptimizationLevel: 'all', logSeverityLevel: 3 }) };
  },
};

async function start({ entry, threads }) {
  if (!crossOriginIsolated) throw new Error('the page is not isolated');
  const info = {};
  for (const [runtime, begin] of Object.entries(starts)) {
    for (const count of [threads, 1]) {
      const { version, variant, ...engine } = await begin(`/${runtime}/${count}/`, entry, count);
      engines.push({ name: count === 1 ? `${runtime}, 1 thread` : runtime, threads: count, own: runtime === 'normwasm', ...engine });
      if (version) Object.assign(info, { version, variant });
    }
  }
  jax = await import('/jax/index.js');
  if (!(await jax.init('wasm')).includes('wasm')) throw new Error('jax-js has no wasm here');
  jax.defaultDevice('wasm');
  return info;
}

const float32 = (api) => (data, dims) => new api.Tensor('float32', data, dims);
const same = (a, b) => a.length === b.length && a.every((v, i) => Object.is(v, b[i]));

/** Whoever has the same program in one thread and in several has to give the same bits. */
function requireSameBits(name, [several, one]) {
  for (const [i, y] of several.entries()) if (!same(y, one[i])) throw new Error(`${name}: normwasm gives other bits in several threads than in one`);
}

/** The product of a layer's chain in jax-js, which compiles each chain as a whole. An array belongs to whom it is passed to there; `ref` keeps it. */
function products(layer, chains, x, dims) {
  const { numpy: np } = jax;
  const lengths = [1, ...chains.map(([length]) => length)];
  const weights = Array.from({ length: Math.max(...lengths) }, (_, i) => {
    const node = layer.nodes[i % layer.nodes.length];
    return np.array(parametersOf(node, i).weight).reshape([node.k, node.n]);
  });
  const input = np.array(x).reshape(dims);
  const calls = lengths.map((length) => {
    const call = jax.jit((from, ...list) => list.reduce((y, w) => np.matmul(y, w), from));
    return () => call(input.ref, ...weights.slice(0, length).map((w) => w.ref)).data();
  });
  return {
    name: 'jax-js',
    got: async () => [await calls[0](), await calls[1](), await calls[2]()],
    contenders: chains.map(([length], i) => ({
      name: `jax-js, ${length}`,
      run: async (times) => {
        for (let k = 0; k < times; k++) await calls[i + 1]();
      },
    })),
    release: () => [input, ...weights].forEach((a) => a.dispose()),
  };
}

/** A layer within a network: a chain of 12 nodes less a chain of 2, as in the group layers. */
async function layer(name, plan) {
  const one = layers.find((l) => l.name === name);
  const { x: dims } = dimsOf(one.nodes[0]);
  const x = fast(dims.reduce((a, b) => a * b), 1.7, 7);
  const chains = await chainsOf(one, engines.filter((e) => e.own).map((e) => e.create));
  const given = { whole: chainOfNodes(one, 1, { whole: true }), chains };
  const parts = [];
  for (const e of engines) parts.push(await sessions(e.name, e.create, float32(e.api), given, x, dims));
  requireSameBits(name, parts.map((p) => p.got));
  if (one.nodes[0].op === 'MatMul') {
    const j = products(one, chains, x, dims);
    parts.push({ ...j, got: await j.got() });
  }
  const wants = parts.find((p) => p.name.startsWith('onnxruntime-web')).got;
  for (const { name: who, got } of parts) {
    for (const [i, y] of got.entries()) requireAgreement(`${name}: ${who}`, maxDifference(y, wants[i]) / wants[i].reduce((most, v) => Math.max(most, Math.abs(v)), 0), TOLERANCE);
  }
  const measured = await measure(parts.flatMap((p) => p.contenders), plan);
  for (const p of parts) await p.release();
  const [short, long] = chains.map(([length]) => length);
  return parts.map(({ name: who }) => {
    const r = perNode(who, ...[short, long].map((length) => measured.find((m) => m.name === `${who}, ${length}`)), long, short);
    return { ...r, gflops: flops(one) / (r.medianMs * 1e6) };
  });
}

/** A whole network, arrays in and out. */
async function model(name, plan) {
  const spec = models.find((m) => m.name === name);
  const { tolerance = 1e-3 } = spec;
  const bytes = await bytesOf(spec);
  const inputs = await inputsOf(spec);
  const contenders = [];
  const open = [];
  const got = [];
  for (const e of engines) {
    const session = await e.create(bytes);
    const run = () => session.run(feedsOf(session, e.api.Tensor, inputs));
    got.push(await run());
    open.push(session);
    contenders.push({ name: e.name, run: async (times) => { for (let i = 0; i < times; i++) await run(); } });
  }
  requireSameBits(name, got.slice(0, 2).map((results) => Object.values(results).map((r) => r.data)));
  const wants = got.at(-1);
  for (const [i, results] of got.entries()) requireAgreement(`${name}: ${engines[i].name}`, apart(results, wants), tolerance);
  const measured = await measure(contenders, plan);
  const serial = await serialShare(open[0], open[1], (session, i) => feedsOf(session, engines[i].api.Tensor, inputs));
  for (const session of open) await session.release();
  return measured.map((m, i) => ({ ...summary(m), ...(i === 0 ? { serialShare: serial } : {}) }));
}

/**
 * What would be left of a run with endless cores: the time of its steps that are not divided among threads, of the time of all steps in
 * one thread. By the medians of some profiles; two of them, since what is divided shows in several threads and what it takes in one.
 */
async function serialShare(several, one, feeds) {
  const shares = [];
  for (let i = 0; i < 9; i++) {
    const whole = await one.profile(feeds(one, 1));
    const { nodes } = await several.profile(feeds(several, 0));
    if (nodes.length !== whole.nodes.length) throw new Error('the steps are others in several threads than in one');
    const all = whole.nodes.reduce((sum, n) => sum + n.ms, 0);
    shares.push(whole.nodes.reduce((sum, n, k) => sum + ((nodes[k].threads ?? 1) > 1 ? 0 : n.ms), 0) / all);
  }
  return quantile(shares, 0.5);
}

globalThis.bench = { start, layer, model };
