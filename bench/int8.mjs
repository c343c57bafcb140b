#!/usr/bin/env node
// What int8 gains: an encoder as BERT has them (6 layers of width 384, 128 tokens) with products in float32, and quantized
// dynamically with weights of int8 and of uint8, in this package and in onnxruntime-web, in turn, one thread each, in Node.
// Times are of the processor: medians.
//   node bench/int8.mjs [ROUNDS]
// It needs the built package (make build) and bench/node_modules.
import * as ort from 'onnxruntime-web';
import { InferenceSession, Tensor, init } from '../js/dist/normwasm.js';
import { encoder } from './encoder.mjs';
import { quantile } from './page/measure.js';

const rounds = Number(process.argv[2] ?? 9);
const [tokens, width] = [128, 384];
ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'error';
const { variant } = await init();
const x = Float32Array.from({ length: tokens * width }, (_, i) => Math.sin(i * 0.7) + Math.cos(i * 0.013));

const contenders = [];
for (const weights of ['float32', 'int8', 'uint8']) {
  const model = encoder({ layers: 6, width, heads: 12, tokens, weights });
  for (const [name, engine, Class] of [[`normwasm (${variant})`, InferenceSession, Tensor], ['onnxruntime-web', ort.InferenceSession, ort.Tensor]]) {
    const session = await engine.create(model.slice());
    const feeds = { [session.inputNames[0]]: new Class('float32', x, [1, tokens, width]) };
    contenders.push({ name: `${name} ${weights}`, run: () => session.run(feeds), times: [] });
  }
}
for (let round = -2; round < rounds; round++) {
  for (const { run, times } of contenders) {
    const begin = process.cpuUsage();
    await run();
    const { user, system } = process.cpuUsage(begin);
    if (round >= 0) times.push((user + system) / 1000);
  }
}
const median = Object.fromEntries(contenders.map(({ name, times }) => [name, quantile(times, 0.5)]));
for (const [name, ms] of Object.entries(median)) console.log(`${name.padEnd(30)} ${ms.toFixed(1).padStart(7)} ms`);
for (const weights of ['int8', 'uint8']) {
  const ours = median[`normwasm (${variant}) ${weights}`];
  console.log(`${weights}: ${(ours / median[`normwasm (${variant}) float32`]).toFixed(2)} times the time of our float32; onnxruntime-web's ${weights} takes ${(median[`onnxruntime-web ${weights}`] / ours).toFixed(2)} times as long`);
}
