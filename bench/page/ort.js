// onnxruntime-web: the wasm execution provider on one thread.
import * as ort from '/ort/ort.wasm.min.mjs';
import { chainModel } from './onnx.js';

export const CHAIN = 21;

export function start() {
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = '/ort/';
  ort.env.logLevel = 'error';
}

/** @param {Uint8Array} model */
export function session(model, graphOptimizationLevel = 'all') {
  return ort.InferenceSession.create(model, { executionProviders: ['wasm'], graphOptimizationLevel });
}

export const tensor = (data, dims) => new ort.Tensor('float32', data, dims);

/**
 * The two chains that give an operator's own time. The graph optimizer is off:
 * it must not fold neighbouring nodes into one, and a chain of kernels has
 * nothing that it could rightly speed up.
 */
export async function chains({ x, dims, check, ...model }) {
  const input = tensor(x, dims);
  const out = [];
  for (const nodes of [1, CHAIN]) {
    const s = await session(chainModel({ ...model, dims, nodes }), 'disabled');
    const run = async (times) => {
      for (let i = 0; i < times; i++) await s.run({ x: input });
    };
    out.push({ name: `onnxruntime-web ×${nodes}`, run, session: s });
  }
  return {
    single: out[0],
    chain: out[1],
    verify: async () => check((await out[0].session.run({ x: input })).y.data),
    release: async () => {
      for (const o of out) await o.session.release();
    },
  };
}
