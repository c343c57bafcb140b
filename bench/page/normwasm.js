// normwasm through its public API. The server shows the package under one path
// for each variant, so that each has its own module graph and its own runtime.
import { makeChains } from './chains.js';

/** @returns {Promise<{ variant: string, api: any, runtime: any }>} */
export async function start(entry, variant) {
  const api = await import(`/normwasm/${variant}/${entry}`);
  const runtime = await api.init({ variant });
  return { variant: runtime.variant, api, runtime };
}

function resident(api, named) {
  const out = {};
  for (const [name, [data, dims]] of Object.entries(named)) {
    out[name] = new api.Tensor('float32', data, dims).toWasm();
  }
  return out;
}

function contender(name, call, t) {
  return {
    name,
    run: (times) => {
      for (let i = 0; i < times; i++) call();
    },
    verify: (check) => {
      call();
      check(t.out.data);
    },
    release: () => Object.values(t).forEach((tensor) => tensor.dispose()),
  };
}

/**
 * The same chains as other runtimes get, through sessions: how much of a node's
 * time in a network is the kernel. Optimizations are off, as they are there.
 */
export const chains = (api, o) => makeChains({
  name: 'normwasm session',
  session: (model) => api.InferenceSession.create(model, { graphOptimizationLevel: 'none' }),
  tensor: (data, dims) => new api.Tensor('float32', data, dims),
  ...o,
});

export function layerNorm(api, name, { x, gamma, beta, dims, epsilon }) {
  const cols = dims[dims.length - 1];
  const t = resident(api, { x: [x, dims], scale: [gamma, [cols]], bias: [beta, [cols]], out: [new Float32Array(x.length), dims] });
  const o = { scale: t.scale, bias: t.bias, epsilon, out: t.out };
  return contender(name, () => api.layerNorm(t.x, o), t);
}

export function batchNorm(api, name, { x, dims, gamma, beta, mean, variance, epsilon, layout }) {
  const c = [gamma.length];
  const t = resident(api, { x: [x, dims], scale: [gamma, c], bias: [beta, c], mean: [mean, c], variance: [variance, c],
    out: [new Float32Array(x.length), dims] });
  const o = { scale: t.scale, bias: t.bias, mean: t.mean, variance: t.variance, epsilon, layout, out: t.out };
  return contender(name, () => api.batchNorm(t.x, o), t);
}

export function rmsNorm(api, name, { x, gamma, dims, epsilon }) {
  const t = resident(api, { x: [x, dims], scale: [gamma, [gamma.length]], out: [new Float32Array(x.length), dims] });
  const o = { scale: t.scale, epsilon, out: t.out };
  return contender(name, () => api.rmsNorm(t.x, o), t);
}

/** groups undefined is InstanceNorm. */
export function groupNorm(api, name, { x, dims, gamma, beta, groups, epsilon, layout }) {
  const c = [gamma.length];
  const t = resident(api, { x: [x, dims], scale: [gamma, c], bias: [beta, c], out: [new Float32Array(x.length), dims] });
  const o = { scale: t.scale, bias: t.bias, epsilon, layout, out: t.out, groups };
  return contender(name, groups === undefined ? () => api.instanceNorm(t.x, o) : () => api.groupNorm(t.x, o), t);
}

/**
 * The passes of a layer that trains, on resident tensors. `wanted` are the results
 * that are checked; what runs in a sample is 'forward', 'backward' or both.
 */
function passes(api, name, what, layer, { x, dy, dims, gamma, beta }) {
  const t = resident(api, { x: [x, dims], dy: [dy, dims], y: [new Float32Array(x.length), dims], dx: [new Float32Array(x.length), dims] });
  layer.scale = Float32Array.from(gamma);
  layer.bias = Float32Array.from(beta);
  const forward = () => layer.forward(t.x, { out: t.y });
  const backward = () => layer.backward(t.dy, { out: t.dx });
  forward();
  const call = { forward, backward, both: () => { forward(); backward(); } }[what];
  return {
    ...contender(name, call, t),
    verify: (check) => {
      forward();
      const { dscale, dbias } = backward();
      check({ y: t.y.data, dx: t.dx.data, dgamma: dscale, dbeta: dbias });
    },
    release: () => {
      for (const tensor of Object.values(t)) tensor.dispose();
      layer.dispose();
    },
  };
}

export const batchNormTraining = (api, name, what, o) => passes(api, name, what,
  new api.BatchNorm({ features: o.gamma.length, epsilon: o.epsilon, layout: o.layout }), o);

export const layerNormTraining = (api, name, what, o) => passes(api, name, what,
  new api.LayerNorm({ normalizedShape: [o.gamma.length], epsilon: o.epsilon }), o);
