// Makes the weights that the site ships:
//   src/models/digits.safetensors   digitReader() of src/lab/networks.js: its parameters and running statistics
//   src/models/names.onnx           nameWriter(): with all intermediate results as outputs
// `make weights` writes both; node weights.mjs digits|names one of them. Seeds are fixed and every operation is exact or
// rounded as IEEE 754 says, so that the files come out the same to the byte wherever the module runs with SIMD (or without:
// scalar gives the same bits, only slower). The relaxed variant does not.

import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readData } from './data.mjs';
import { Digits, Names, nameLoss, side } from './src/lab/data.js';
import { digitReader, nameWriter } from './src/lab/networks.js';
import { mix, random } from './src/lab/random.js';

export const modelsFolder = join(dirname(fileURLToPath(import.meta.url)), 'src', 'models');
const seed = 1;
const digitSteps = 6000;
const nameSteps = 2000;

/**
 * Pictures a little moved, sheared and stretched, as handwriting is: each an affine map of its own, read off between four
 * pixels. No sines: engines round them differently.
 * @param {Float32Array} x [n, 28, 28] @param {number} place of the batch in the sequence
 */
export function warp(x, place) {
  const size = side * side;
  const out = new Float32Array(x.length);
  for (let n = 0; n * size < x.length; n++) {
    const draw = random(mix(seed, place + n, 0xaff));
    const between = (/** @type {number} */ most) => ((draw(2001) - 1000) / 1000) * most;
    const [a, b, c, d] = [1 + between(0.12), between(0.2), between(0.2), 1 + between(0.12)];
    const [right, down] = [between(2), between(2)];
    const from = x.subarray(n * size, (n + 1) * size);
    const at = (/** @type {number} */ row, /** @type {number} */ column) => (row < 0 || column < 0 || row >= side || column >= side ? 0 : from[row * side + column]);
    const middle = (side - 1) / 2;
    for (let row = 0; row < side; row++) {
      for (let column = 0; column < side; column++) {
        const [v, u] = [row - middle, column - middle];
        const [y, z] = [middle + c * u + d * v - down, middle + a * u + b * v - right];
        const [top, left] = [Math.floor(y), Math.floor(z)];
        const [p, q] = [y - top, z - left];
        out[n * size + row * side + column] = (1 - p) * ((1 - q) * at(top, left) + q * at(top, left + 1)) + p * ((1 - q) * at(top + 1, left) + q * at(top + 1, left + 1));
      }
    }
  }
  return out;
}

/**
 * @param {any} package_ normwasm @param {{ until?: number, log?: (text: string) => void }} [o] until: only the first steps, for a test
 * @returns {Promise<Uint8Array>}
 */
export async function makeDigits({ Trainer, Tensor, readSafetensors, writeSafetensors }, { until = digitSteps, log = () => {} } = {}) {
  const digits = await new Digits({ read: readData, Tensor }).load();
  const trainer = await Trainer.create({
    ...digitReader(), loss: 'crossEntropy', seed, variant: 'simd',
    optimizer: { type: 'adamw', learningRate: 0.004, weightDecay: 0.05 }, schedule: { warmup: 50, decay: 'cosine', steps: digitSteps },
  });
  const stream = digits.stream({ seed });
  for (let step = 1; step <= until; step++) {
    const { place } = stream;
    const { x, y } = await stream.next(64);
    const { loss } = await trainer.step({ x: new Tensor('float32', warp(x.data, place), x.dims), y });
    if (step % 100 === 0) log(`digits: step ${step} of ${digitSteps}, loss ${loss.toFixed(4)}, ${((await accuracy(trainer, digits)) * 100).toFixed(2)} % of the held-out digits`);
  }
  // What the optimizer remembers is for going on with it; the weights are for use, and for plain SGD.
  const { tensors, metadata } = readSafetensors(await trainer.save());
  trainer.dispose();
  return writeSafetensors(Object.fromEntries(Object.entries(tensors).filter(([name]) => !/^(momentum|square)\./.test(name))), metadata);
}

/** Of the held-out digits, how many are right. @param {any} trainer @param {Digits} digits */
export async function accuracy(trainer, digits) {
  let right = 0;
  let count = 0;
  for (const batch of await digits.test(500)) {
    right += (await trainer.evaluate(batch)).accuracy * 500;
    count += 500;
  }
  return right / count;
}

/** @param {any} package_ normwasm @param {{ until?: number, log?: (text: string) => void }} [o] @returns {Promise<Uint8Array>} */
export async function makeNames({ Trainer, Tensor }, { until = nameSteps, log = () => {} } = {}) {
  const names = await new Names({ read: readData, Tensor, length: 16 }).load();
  const trainer = await Trainer.create({
    ...nameWriter(), loss: 'crossEntropy', seed, variant: 'simd', clip: 1,
    optimizer: { type: 'adamw', learningRate: 0.003, weightDecay: 0.1 }, schedule: { warmup: 50, decay: 'cosine', steps: nameSteps },
  });
  const stream = names.stream({ seed });
  for (let step = 1; step <= until; step++) {
    const { loss } = await trainer.step(await stream.next(64));
    if (step % 100 !== 0) continue;
    let sum = 0;
    let letters = 0;
    for (const batch of await names.test(250)) {
      const part = nameLoss((await trainer.evaluate(batch)).outputs, batch.y);
      sum += part.loss * part.count;
      letters += part.count;
    }
    log(`names: step ${step} of ${nameSteps}, loss ${loss.toFixed(4)}, ${(sum / letters).toFixed(4)} a letter of held-out names`);
  }
  const file = await trainer.exportONNX({ intermediates: true });
  trainer.dispose();
  return file;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const wanted = process.argv.slice(2);
  const package_ = await import('../js/dist/normwasm.js');
  await mkdir(modelsFolder, { recursive: true });
  const log = (/** @type {string} */ text) => console.error(text);
  for (const [name, file, make] of /** @type {const} */ ([['digits', 'digits.safetensors', makeDigits], ['names', 'names.onnx', makeNames]])) {
    if (wanted.length && !wanted.includes(name)) continue;
    const bytes = await make(package_, { log });
    await writeFile(join(modelsFolder, file), bytes);
    console.log(`${file}: ${bytes.length} bytes`);
  }
}
