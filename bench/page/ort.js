// onnxruntime-web: the wasm execution provider on one thread.
import * as ort from '/ort/ort.wasm.min.mjs';
import { makeChains } from './chains.js';
import { groupNormChain } from './onnx.js';

export function start() {
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = '/ort/';
  ort.env.logLevel = 'error';
}

/** @param {Uint8Array} model */
export function session(model, graphOptimizationLevel = 'all') {
  return ort.InferenceSession.create(model, { executionProviders: ['wasm'], graphOptimizationLevel, logSeverityLevel: 3 });
}

export const { Tensor } = ort;
export const tensor = (data, dims) => new ort.Tensor('float32', data, dims);

/** The chains of chains.js: the graph optimizer is off, so that each node is a kernel of its own. */
export const chains = (o) => makeChains({ name: 'onnxruntime-web', session: (m) => session(m, 'disabled'), tensor, ...o });

export const decomposedGroupNorm = (o) => makeChains({ name: 'onnxruntime-web, as InstanceNorm', session: (m) => session(m, 'disabled'), tensor,
  write: groupNormChain, ...o });
