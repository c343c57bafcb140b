// The encoder of encoder.js in normwasm and onnxruntime-web, one thread each: started, and run so many times.
import * as ort from '/ort/ort.wasm.min.mjs';
import { encoder } from './encoder.js';
import { InferenceSession, Tensor, init } from '/normwasm/normwasm.js';

const [tokens, width] = [128, 384];
const runs = [];

/** @param {string} variant of normwasm @param {string[]} kinds of weights */
async function start(variant, kinds) {
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = '/ort/';
  ort.env.logLevel = 'error';
  const runtime = await init({ variant });
  const x = Float32Array.from({ length: tokens * width }, (_, i) => Math.sin(i * 0.7) + Math.cos(i * 0.013));
  for (const weights of kinds) {
    const model = encoder({ layers: 6, width, heads: 12, tokens, weights });
    for (const [engine, Class] of [[InferenceSession, Tensor], [ort.InferenceSession, ort.Tensor]]) {
      const session = await engine.create(model.slice(), { executionProviders: ['wasm'] });
      const feeds = { [session.inputNames[0]]: new Class('float32', x, [1, tokens, width]) };
      runs.push(async () => (await session.run(feeds))[session.outputNames[0]].data);
    }
  }
  return runtime.variant;
}

/** How long `times` runs of a contender take, in milliseconds. */
async function run(contender, times) {
  const begin = performance.now();
  for (let i = 0; i < times; i++) await runs[contender]();
  return performance.now() - begin;
}

/** How far the results of two contenders are apart at most. */
async function apart(one, other) {
  const [a, b] = [await runs[one](), await runs[other]()];
  return a.reduce((most, v, i) => Math.max(most, Math.abs(v - b[i])), 0);
}

globalThis.bench = { start, run, apart };
