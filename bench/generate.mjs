#!/usr/bin/env node
// How fast a small decoder writes: TextGenerator, onnxruntime-web on the twin of the same weights with past and present, and a plain
// loop in C compiled to WebAssembly without SIMD, in turn, one thread each, in Node. All have to write the same tokens. What counts is the
// processor's time, of which other programs take nothing; the best round's shows what a busy machine's caches cost. C is compiled twice: as it is
// written, where sums are added in order, and with -ffast-math, which lets the compiler add them in another one.
//   node bench/generate.mjs FOLDER [ROUNDS]
// FOLDER has stories260K.bin and tok512.bin of llama2.c. It needs the built package (make build), bench/node_modules and, for C, clang with lld.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { TextGenerator, Tokenizer, init } from '../js/dist/normwasm.js';
import { quantile } from './page/measure.js';
import { llama2c, twin } from './page/twin.js';

const [folder, rounds = '15'] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: node bench/generate.mjs FOLDER [ROUNDS]');
const here = import.meta.dirname;
const read = (name) => readFileSync(join(resolve(folder), name));
const raw = read('stories260K.bin');
const file = raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.length);
const { weights, sizes } = llama2c(file);
const { layers, kv, dim, heads, vocabulary } = sizes;
const count = 200;

const largest = (list) => {
  let best = 0;
  for (let i = 1; i < list.length; i++) if (list[i] > list[best]) best = i;
  return best;
};

async function ours() {
  const { variant } = await init();
  const generator = await TextGenerator.create(raw, { tokenizer: await Tokenizer.fromFile(read('tok512.bin')) });
  return [`normwasm (${variant})`, async () => {
    const list = [];
    for await (const { token } of generator.generate('', { maxTokens: count })) list.push(token);
    return list;
  }];
}

async function onnxruntime() {
  const ort = await import(pathToFileURL(join(here, 'node_modules/onnxruntime-web/dist/ort.wasm.min.mjs')).href);
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = 'error';
  const session = await ort.InferenceSession.create(twin(weights, sizes), { executionProviders: ['wasm'] });
  const names = Array.from({ length: layers }, (_, i) => [`${i}.key`, `${i}.value`]).flat();
  return ['onnxruntime-web', async () => {
    const list = [];
    let state = Object.fromEntries(names.map((name) => [`past_key_values.${name}`, new ort.Tensor('float32', new Float32Array(0), [1, kv, 0, dim / heads])]));
    for (let position = 0, token = 1; position < count; position++) {
      const results = await session.run({ ...state, input_ids: new ort.Tensor('int64', BigInt64Array.of(BigInt(token)), [1, 1]), position_ids: new ort.Tensor('int64', BigInt64Array.of(BigInt(position)), [1, 1]) });
      list.push((token = largest(results.logits.data)));
      state = Object.fromEntries(names.map((name) => [`past_key_values.${name}`, results[`present.${name}`]]));
    }
    return list;
  }];
}

async function compiled(...options) {
  mkdirSync(join(here, 'dist'), { recursive: true });
  const module = join(here, 'dist/llama.wasm');
  execFileSync('clang', ['--target=wasm32', '-O3', ...options, '-fno-builtin-memset', '-nostdlib', '-Wl,--no-entry', '-Wl,--export-dynamic', '-o', module, join(here, 'llama.c')]);
  const { instance: { exports } } = await WebAssembly.instantiate(readFileSync(module), { math: Math });
  const at = exports.file(raw.length);
  new Uint8Array(exports.memory.buffer, at, raw.length).set(raw);
  return { exports, at };
}

async function plainC(name, ...options) {
  const { exports, at } = await compiled(...options);
  const place = exports.start(at); // which lets the memory grow
  const logits = new Float32Array(exports.memory.buffer, place, vocabulary);
  return [name, async () => {
    const list = [];
    for (let position = 0, token = 1; position < count; position++) {
      exports.forward(token, position);
      list.push((token = largest(logits)));
    }
    return list;
  }];
}

/** What nothing that computes tokens can be faster than: reading the weights once for each, by vectors. */
async function reading() {
  const { exports, at } = await compiled('-ffast-math', '-msimd128');
  const n = Object.values(weights).reduce((sum, { length }) => sum + length, 0);
  const times = [];
  for (let i = 0; i < 500; i++) {
    const start = performance.now();
    for (let k = 0; k < 20; k++) exports.sum(at + 28, n);
    times.push((performance.now() - start) / 20);
  }
  return `reading the weights      ${(quantile(times, 0.5) * 1000).toFixed(0).padStart(5)} µs a token (best ${(Math.min(...times) * 1000).toFixed(0)}): ${(n * 4 / 1e6).toFixed(2)} MB by vectors, and nothing else`;
}

const contenders = [];
for (const make of [ours, onnxruntime, () => plainC('C without SIMD'), () => plainC('C, -ffast-math', '-ffast-math'), () => plainC('C with SIMD, -ffast-math', '-ffast-math', '-msimd128')]) {
  try {
    contenders.push(await make());
  } catch (error) {
    console.log(`left out: ${String(error.message).split('\n')[0].slice(0, 200)}`);
  }
}
const texts = [];
for (const [, run] of contenders) {
  // As often as it takes an engine to compile what runs often.
  for (let i = 0; i < 5; i++) texts.push(String(await run()));
}
if (new Set(texts).size !== 1) throw new Error('they write unlike texts');
const samples = contenders.map(() => []);
for (let round = 0; round < Number(rounds); round++) {
  for (let i = 0; i < contenders.length; i++) {
    const k = (i + round) % contenders.length;
    const before = process.cpuUsage();
    await contenders[k][1]();
    const { user, system } = process.cpuUsage(before);
    samples[k].push((user + system) / 1000 / count);
  }
}
const median = (k) => quantile(samples[k], 0.5);
const least = (k) => Math.min(...samples[k]);
for (const [i, [name]] of contenders.entries()) {
  const gigabytes = (raw.length / 1e9) / (median(i) / 1e3);
  console.log(`${name.padEnd(24)} ${(median(i) * 1000).toFixed(0).padStart(5)} µs a token (best ${(least(i) * 1000).toFixed(0)}), ${(1000 / median(i)).toFixed(0).padStart(5)} tokens a second, ${gigabytes.toFixed(1)} GB/s of weights; normwasm × ${(median(i) / median(0)).toFixed(2)} (best rounds × ${(least(i) / least(0)).toFixed(2)})`);
}
console.log(await reading().catch((error) => `left out: ${String(error.message).split('\n')[0].slice(0, 200)}`));
process.exit(0);
