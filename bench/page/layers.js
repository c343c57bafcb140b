// TensorFlow.js's own layers and normwasm's, on its wasm backend in one page.
import { maxDifference, uniform } from './data.js';
import { measure, summary } from './measure.js';

/* global tf */

async function start(base) {
  tf.wasm.setWasmPaths('/tfjs-wasm/');
  await tf.setBackend('wasm');
  await tf.ready();
  if (tf.getBackend() !== 'wasm') throw new Error(`tfjs runs on ${tf.getBackend()}, want wasm`);
  const { init } = await import(`${base}src/index.js`);
  const { useNormwasm } = await import(`${base}src/tfjs.js`);
  const { variant } = await init();
  Object.assign(globalThis, useNormwasm(tf));
  return { variant, tfjs: tf.version.tfjs, threads: tf.wasm.getThreadsCount?.() };
}

/** What takes the least time in TensorFlow.js's own operations. */
function spelledOut(x) {
  const { mean, variance } = tf.moments(x, -1, true);
  return tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, 1e-3)));
}

/** Layers by the name that both have. Inference, and with a gradient where `train` says so. */
async function compare(name, args, dims, plan, train) {
  const x = tf.tensor(uniform(dims.reduce((a, b) => a * b, 1), -2, 3, 1), dims);
  const dy = tf.tensor(uniform(x.size, -1, 1, 2), dims);
  const contenders = [['tf.layers', tf.layers], ['normwasm', globalThis.layers]].map(([who, make]) => {
    const layer = make[name](args);
    layer.apply(x).dispose(); // builds it
    const gradient = tf.grad((t) => layer.apply(t));
    const once = train ? () => gradient(x, dy) : () => layer.apply(x);
    return { name: who, run: (times) => { for (let i = 0; i < times; i++) once().dispose(); }, result: () => { const y = once(); const data = y.dataSync(); y.dispose(); return data; } };
  });
  if (name === 'layerNormalization' && !train) {
    const once = () => tf.tidy(() => spelledOut(x));
    contenders.push({ name: 'spelled out, without parameters', run: (times) => { for (let i = 0; i < times; i++) once().dispose(); }, result: () => tf.tidy(() => once().dataSync()) });
  }
  const difference = maxDifference(contenders[0].result(), contenders[1].result());
  const tensors = tf.memory().numTensors;
  const measured = await measure(contenders, plan);
  if (tf.memory().numTensors !== tensors) throw new Error(`${tf.memory().numTensors - tensors} tensors were left`);
  tf.dispose([x, dy]);
  return { difference, results: measured.map(summary) };
}

globalThis.bench = { start, compare };
