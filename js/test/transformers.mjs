// How results of transformers.js are compared, and those of onnxruntime-web that are kept.
import assert from 'node:assert/strict';

/** What onnxruntime-web gave: fixtures/transformers.test.mjs looks whether it still does, and writes it with NORMWASM_GOLDEN=write. */
export const golden = new URL('pretrained.json', import.meta.url);
/** Of these runs: one of each task, each type of weights among them. */
export const goldenRuns = [['operations'], ['features', 'q8'], ['gpt2', 'q8'], ['llama', 'q4'], ['labels', 'fp16'], ['t5', 'q4f16']];

/**
 * How far numbers may be apart, in units of (1 + |want|). onnxruntime computes float16 in float32 from one node to the next as well, but rounds
 * other sums than we do: a few units of its last place, 2⁻¹¹, by the last layer. Where x is quantized, an x that rounds up here and down there
 * is off by a step of 1/255 of its range, and what is summed of 64 of them by a 64th of that.
 */
const tolerances = { default: 1e-5, fp32: 1e-5, fp16: 4e-3, q8: 1e-3, q4: 1e-5, q2: 1e-5, q4f16: 4e-3 };

/** @param {string} name of the run @param {any} got @param {any} want */
export function compare(name, got, want) {
  const tolerance = tolerances[/** @type {keyof typeof tolerances} */ (name.split(' ')[1])];
  assert.ok(want && got, `${name}: ${got ? 'nothing is known of it' : 'it was not run'}`);
  assert.equal(got.error, undefined, name);
  each(name, got, want, tolerance);
}

/** @param {string} where @param {any} got @param {any} want @param {number} tolerance */
function each(where, got, want, tolerance) {
  if (typeof want === 'number' && typeof got === 'number' && !/\.(dims|tokens)\./.test(where)) return assert.ok(Math.abs(got - want) <= tolerance * (1 + Math.abs(want)), `${where} is ${got}, want ${want} to ${tolerance}`);
  if (typeof want !== 'object' || want === null || typeof got !== 'object' || got === null) return assert.equal(got, want, where);
  assert.deepEqual(Object.keys(got), Object.keys(want), where);
  for (const key of Object.keys(want)) each(`${where}.${key}`, got[key], want[key], tolerance);
}
