// tfjs on its wasm backend (SIMD, one thread: the page is not cross-origin
// isolated). Its kernels run when the operation is called, not when the result is read.

import { channelsLast } from './data.js';

/* global tf */

export async function start() {
  tf.wasm.setWasmPaths('/tfjs-wasm/');
  await use('wasm');
  return { version: tf.version.tfjs, simd: await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT') };
}

export async function use(backend) {
  await tf.setBackend(backend);
  await tf.ready();
  if (tf.getBackend() !== backend) throw new Error(`tfjs runs on ${tf.getBackend()}, want ${backend}`);
}

function contender(compute, inputs) {
  return {
    name: 'tfjs-wasm',
    run: (times) => {
      for (let i = 0; i < times; i++) tf.tidy(compute).dispose();
    },
    verify: (check) => {
      const y = tf.tidy(compute);
      check(y.dataSync());
      y.dispose();
    },
    release: () => tf.dispose(inputs),
  };
}

/** Composed of its own operations: it has no fused kernel. */
export function layerNorm({ x, gamma, beta, dims, epsilon }) {
  const t = { x: tf.tensor(x, dims), gamma: tf.tensor1d(gamma), beta: tf.tensor1d(beta) };
  return contender(() => {
    const { mean, variance } = tf.moments(t.x, -1, true);
    const rstd = tf.rsqrt(tf.add(variance, epsilon));
    return tf.add(tf.mul(tf.mul(tf.sub(t.x, mean), rstd), t.gamma), t.beta);
  }, t);
}

/** Channels last, the layout that its batchNorm is made for. */
export function batchNorm({ xLast, dimsLast, gamma, beta, mean, variance, epsilon }) {
  const t = { x: tf.tensor(xLast, dimsLast), gamma: tf.tensor1d(gamma), beta: tf.tensor1d(beta),
    mean: tf.tensor1d(mean), variance: tf.tensor1d(variance) };
  return contender(() => tf.batchNorm(t.x, t.mean, t.variance, t.beta, t.gamma, epsilon), t);
}

export const tensor = (data, dims) => tf.tensor(data, dims);

/** Grouped convolutions are not in its wasm backend, nor are norms but BatchNorm. */
export const has = ({ op, groups, in: channels }) => op === 'MatMul' || op === 'BatchNormalization' || (op === 'Conv' && (groups === 1 || groups === channels));

/** A filter of ONNX, [out, in / groups, height, width], as TensorFlow has it: [height, width, in, out], of depthwise ones [height, width, channels, 1]. */
export function filter(weight, [out, inside, ...kernel], depthwise) {
  const t = tf.tensor(weight, [out, inside, ...kernel]);
  const turned = tf.transpose(t, depthwise ? [2, 3, 0, 1] : [2, 3, 1, 0]);
  t.dispose();
  return turned;
}

/** A node of layerlist.js: a function of x, with its weights in the module's memory. */
export function node(n, p) {
  const weights = [];
  const keep = (t) => {
    weights.push(t);
    return t;
  };
  const dispose = () => tf.dispose(weights);
  if (n.op === 'MatMul') {
    const w = keep(tf.tensor(p.weight, [n.k, n.n]));
    return { call: (x) => tf.matMul(x, w), dispose };
  }
  if (n.op === 'BatchNormalization') {
    const [scale, bias, mean, variance] = ['scale', 'bias', 'mean', 'variance'].map((k) => keep(tf.tensor1d(p[k])));
    return { call: (x) => tf.batchNorm(x, mean, variance, bias, scale, 1e-5), dispose };
  }
  const depthwise = n.groups > 1;
  const w = keep(filter(p.weight, [n.out, n.in / n.groups, ...n.kernel], depthwise));
  const bias = keep(tf.tensor1d(p.bias));
  const [ph, pw] = n.kernel.map((k) => (k - 1) / 2);
  const pad = [[0, 0], [ph, ph], [pw, pw], [0, 0]];
  const convolve = depthwise ? tf.fused.depthwiseConv2d : tf.fused.conv2d;
  return { call: (x) => convolve({ x, filter: w, strides: n.stride, pad, bias }), dispose };
}

const activations = {
  hardSwish: (x) => tf.mul(x, tf.mul(tf.relu6(tf.add(x, 3)), 1 / 6)),
  hardSigmoid: (x) => tf.mul(tf.relu6(tf.add(x, 3)), 1 / 6),
};

/** A network of cnn.js, run step by step, with an array in and one out as sessions have them. */
export function network(steps, { data, dims }) {
  const weights = steps.map((s) => {
    if (!s.weight) return undefined;
    const bias = tf.tensor1d(s.bias);
    if (s.op === 'dense') return { bias, w: tf.tidy(() => tf.transpose(tf.tensor(s.weight, [s.channels, s.inside]))) };
    return { bias, w: filter(s.weight, [s.channels, s.inside, s.kernel, s.kernel], s.depthwise) };
  });
  const x = channelsLast(data, dims);
  const sides = (pad) => [[0, 0], [pad, pad], [pad, pad], [0, 0]];
  const call = {
    input: ({ channels, size }) => tf.tensor(x, [1, size, size, channels]),
    conv: (s, values, { w, bias }, activation) => (s.depthwise ? tf.fused.depthwiseConv2d : tf.fused.conv2d)(
      { x: values[s.x], filter: w, bias, strides: s.stride, pad: sides(s.pad), activation }),
    add: (s, values) => tf.add(values[s.x], values[s.b]),
    mul: (s, values) => tf.mul(values[s.x], values[s.b]),
    maxPool: (s, values) => tf.maxPool(values[s.x], 3, 2, sides(1)),
    mean: (s, values) => tf.mean(values[s.x], [1, 2], true),
    dense: (s, values, { w, bias }, activation) => tf.fused.matMul({ a: values[s.x].reshape([1, s.inside]), b: w, bias, activation }),
  };
  const result = () => {
    const y = tf.tidy(() => {
      const values = [];
      for (const [i, s] of steps.entries()) {
        const own = activations[s.act]; // not among those that are fused
        const fuses = weights[i] && s.act && !own;
        let v = call[s.op](s, values, weights[i], fuses ? s.act : undefined);
        if (own) v = own(v);
        else if (s.act && !fuses) v = tf[s.act](v);
        values.push(v);
      }
      return values.at(-1);
    });
    const got = y.dataSync();
    y.dispose();
    return got;
  };
  return {
    name: 'tfjs-wasm', result,
    run: (times) => {
      for (let i = 0; i < times; i++) result();
    },
    release: () => tf.dispose(weights),
  };
}

/** The last result, each the operand of the next, or all results of x. */
export function chain(calls, x, aside) {
  return aside ? calls.map((call) => tf.tidy(() => call(x))) : [tf.tidy(() => calls.reduce((y, call) => call(y), x))];
}

/**
 * What is differentiated has to be spelled out of operations that have gradients,
 * as tfjs-layers does it. 'both' is tf.grads, which runs the forward pass as well.
 */
function training(compute, { x, dy, dims, gamma, beta }) {
  const inputs = [tf.tensor(x, dims), tf.tensor1d(gamma), tf.tensor1d(beta)];
  const grad = tf.tensor(dy, dims);
  const gradients = tf.grads(compute);
  const run = { forward: () => [compute(...inputs)], both: () => gradients(inputs, grad) };
  return (name, what) => ({
    name,
    run: (times) => {
      for (let i = 0; i < times; i++) tf.dispose(tf.tidy(run[what]));
    },
    verify: (check) => {
      const results = tf.tidy(() => [...run.forward(), ...run.both()]);
      const [y, dx, dgamma, dbeta] = results.map((r) => r.dataSync());
      check({ y, dx, dgamma, dbeta });
      tf.dispose(results);
    },
    release: () => tf.dispose([...inputs, grad]),
  });
}

export function batchNormTraining(o) {
  const axes = o.dims.slice(1).map((_, i) => i);
  return training((x, gamma, beta) => {
    const { mean, variance } = tf.moments(x, axes);
    return tf.batchNorm(x, mean, variance, beta, gamma, o.epsilon);
  }, o);
}

export function layerNormTraining(o) {
  return training((x, gamma, beta) => {
    const { mean, variance } = tf.moments(x, -1, true);
    return tf.add(tf.mul(tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, o.epsilon))), gamma), beta);
  }, o);
}
