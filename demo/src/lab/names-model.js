// Writing names letter by letter, and what happens in the network meanwhile. No DOM here; the network comes as a function.

import { alphabet, decode, encode } from './data.js';
import { mix, random } from './random.js';
import { row, softmax } from './softmax.js';

/** @typedef {(x: BigInt64Array, dims: number[], outputs: string[]) => Promise<Record<string, { data: Float32Array, dims: readonly number[] }>>} Run */

/** What the network knows of what was typed: letters without accents, in lower case. @param {string} text @param {number} most */
export const lettersOf = (text, most) => text.normalize('NFD').toLowerCase().replace(/[^a-z]/g, '').slice(0, most);

/** A beginning as the network takes it: a 0 first, which begins each name, then letters, then zeros. @param {string} beginning @param {number} length */
export function feed(beginning, length) {
  const x = new BigInt64Array(length);
  encode(beginning).forEach((token, i) => (x[i + 1] = BigInt(token)));
  return x;
}

/**
 * Writes names to the end. The same seed gives the same names.
 * @param {Run} run @param {{ beginning: string, count: number, temperature: number, seed: number, length: number, stop?: () => boolean }} o
 * @returns {Promise<string[] | undefined>} as many as asked for, without those that came twice; undefined when stopped
 */
export async function write(run, { beginning, count, temperature, seed, length, stop = () => false }) {
  const x = new BigInt64Array(count * length), ended = new Array(count).fill(false);
  const draws = Array.from({ length: count }, (_, n) => random(mix(seed, n)));
  for (let n = 0; n < count; n++) x.set(feed(beginning, length), n * length);
  for (let at = beginning.length; at < length - 1 && !ended.every(Boolean); at++) {
    const { y } = await run(x, [count, length], ['y']);
    if (stop()) return undefined;
    const width = alphabet.length;
    for (let n = 0; n < count; n++) {
      if (ended[n]) continue;
      const p = softmax(row(y.data, n * length + at, width), temperature);
      let left = draws[n](2 ** 30) / 2 ** 30, token = 0;
      while (token < width - 1 && (left -= p[token]) >= 0) token++;
      // Rounding may leave a rest behind the last; what cannot be is never taken.
      while (p[token] === 0) token--;
      if (token === 0) ended[n] = true;
      else x[n * length + at + 1] = BigInt(token);
    }
  }
  const names = Array.from({ length: count }, (_, n) => decode(Array.from(x.subarray(n * length + 1, (n + 1) * length), Number)));
  return [...new Set(names)];
}

/**
 * The network's inner outputs: its attentions, and each LayerNorm with the output that it normalizes.
 * @param {readonly string[]} outputs names, as in "1.0 layerNorm"
 */
export function layersOf(outputs) {
  const attentions = outputs.filter((name) => name.endsWith(' attention probabilities'));
  const norms = outputs.filter((name) => name.endsWith(' layerNorm')).map((name) => {
    const [place] = name.split(' '), parts = place.split('.').map(Number);
    // The first of a residual's body normalizes what comes into the residual; any other what stands before it.
    const last = /** @type {number} */ (parts.pop());
    const before = last > 0 ? [...parts, last - 1] : [...parts.slice(0, -1), parts[parts.length - 1] - 1];
    return { output: name, input: outputs.find((other) => other.startsWith(`${before.join('.')} `) && !other.endsWith('probabilities')) };
  });
  return { attentions, norms };
}

/** Mean and deviation of each place's numbers, for the first so many. @param {{ data: Float32Array, dims: readonly number[] }} tensor of [1, T, D] @param {number} places */
export function moments({ data, dims }, places) {
  const width = dims[2];
  return Array.from({ length: places }, (_, t) => {
    const row = data.subarray(t * width, (t + 1) * width), mean = row.reduce((a, b) => a + b, 0) / width;
    return { mean, std: Math.sqrt(row.reduce((a, b) => a + (b - mean) ** 2, 0) / width) };
  });
}
