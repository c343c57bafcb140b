// The networks of modellist.js: their files and inputs.
import * as cnn from './cnn.js';
import { uniform } from './data.js';
import { decoder, encoder, visionTransformer } from './encoder.js';

const made = {
  encoder: () => encoder(),
  encoderInt8: () => encoder({ weights: 'int8' }),
  visionTransformer: () => visionTransformer(),
  decoder: () => decoder(),
  ...Object.fromEntries(Object.entries(cnn.networks).map(([name, steps]) => [name, () => cnn.toONNX(steps())])),
};

const arrays = { float32: Float32Array, int32: Int32Array, int64: BigInt64Array };
const count = (dims) => dims.reduce((a, b) => a * b, 1);

async function fetched(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return response.arrayBuffer();
}

/** The bytes of a model. */
export const bytesOf = async ({ url, make }) => (make ? made[make]() : new Uint8Array(await fetched(url)));

/** Data, types and dims of a model's inputs, in order. */
export const inputsOf = ({ inputs }) => Promise.all(inputs.map(async ({ name, dims, type = 'float32', url, value }, i) => {
  const Class = arrays[type];
  let data;
  if (url) data = new Class(await fetched(url));
  else if (value !== undefined) data = new Class(count(dims)).fill(type === 'int64' ? BigInt(value) : value);
  else data = uniform(count(dims), -1, 1, i + 1);
  return { name, dims, type, data };
}));

/** What a session of either runtime is fed: new tensors of the same arrays. */
export const feedsOf = (session, Tensor, inputs) => Object.fromEntries(inputs.map(({ name, type, data, dims }, i) => [name ?? session.inputNames[i], new Tensor(type, data, dims)]));

/** How far results are from `wants`, at most, in units of an output's largest number. Those of whole numbers have to be the same. */
export function apart(results, wants) {
  let worst = 0;
  for (const [name, { data: want }] of Object.entries(wants)) {
    const got = results[name].data;
    if (got.length !== want.length) throw new Error(`${name} has ${got.length} elements, want ${want.length}`);
    const whole = typeof want[0] === 'bigint';
    let [most, scale] = [0, 0];
    for (let i = 0; i < want.length; i++) {
      if (whole ? got[i] !== want[i] : !(Math.abs(got[i] - want[i]) <= Number.MAX_VALUE)) return NaN;
      if (whole) continue;
      most = Math.max(most, Math.abs(got[i] - want[i]));
      scale = Math.max(scale, Math.abs(want[i]));
    }
    worst = Math.max(worst, scale === 0 ? most : most / scale);
  }
  return worst;
}

export function requireAgreement(who, difference, tolerance) {
  if (!(difference <= tolerance)) throw new Error(`${who} differs from onnxruntime-web by ${difference} of the largest number, allowed ${tolerance}`);
  return difference;
}
