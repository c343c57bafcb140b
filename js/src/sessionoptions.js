// What the options of sessions and of their runs may be, onnxruntime's among them.
import { NormError, UnsupportedError } from './errors.js';
import { checkExternal } from './external.js';
import { checkOptions, checkSignal, checkStart, nearest } from './options.js';
import { checkDims, describe, quote } from './tensor.js';

/** @typedef {import('../index.js').SessionOptions} SessionOptions */
/** @typedef {import('../index.js').RunOptions} RunOptions */

/** onnxruntime's names of how much to optimize, and what they are here. @type {Record<string, 'all' | 'none'>} */
const levels = { all: 'all', none: 'none', disabled: 'none', basic: 'all', extended: 'all', layout: 'all' };

/** onnxruntime's execution providers. */
const providers = ['wasm', 'cpu', 'webgpu', 'webnn', 'webgl', 'coreml', 'cuda', 'dml', 'nnapi', 'qnn', 'tensorrt', 'xnnpack'];

/**
 * The options as this package has them.
 * @param {any} options
 * @returns {SessionOptions}
 */
export function checkSession(options) {
  const where = 'InferenceSession.create';
  checkOptions(where, options);
  checkStart(where, options);
  const { worker, preferredOutputLocation: location, graphOptimizationLevel: level, freeDimensionOverrides: overrides, state } = options;
  if (worker !== undefined && typeof worker !== 'boolean' && !(Number.isInteger(worker) && worker > 0 && worker <= 64)) {
    throw new NormError(`${where}: worker is ${quote(worker)}, want true, false or a number of workers from 1 to 64`);
  }
  if (location !== undefined && location !== 'cpu' && location !== 'wasm') throw new NormError(`${where}: preferredOutputLocation is ${quote(location)}, want 'cpu' or 'wasm'`);
  if (worker && location === 'wasm') throw new UnsupportedError(`${where}: outputs of a session in a worker cannot stay in the module; preferredOutputLocation must be 'cpu'`);
  if (level !== undefined && !Object.hasOwn(levels, level)) throw new NormError(`${where}: graphOptimizationLevel is ${quote(level)}, want 'all' or 'none' (of onnxruntime's, 'disabled' is 'none', and 'basic', 'extended' and 'layout' are 'all')`);
  if (overrides !== undefined) {
    if (overrides === null || Object.prototype.toString.call(overrides) !== '[object Object]') throw new NormError(`${where}: freeDimensionOverrides is ${describe(overrides)}, want an object of sizes by the dimensions' names`);
    for (const [name, size] of Object.entries(overrides)) checkDims([size], `${where}: freeDimensionOverrides ${JSON.stringify(name)}`);
  }
  if (state !== undefined && state !== 'auto') {
    if (state === null || Object.prototype.toString.call(state) !== '[object Object]') throw new NormError(`${where}: state is ${typeof state === 'string' ? quote(state) : describe(state)}, want 'auto' or an object of outputs' names by those of the inputs, as in { h0: 'hn' }`);
    for (const [input, output] of Object.entries(state)) if (typeof output !== 'string') throw new NormError(`${where}: state ${JSON.stringify(input)} is ${describe(output)}, want the name of an output`);
  }
  if (state !== undefined && worker > 1) throw new NormError(`${where}: state with ${worker} workers, of which each would have one of its own: worker must be true`, 'CONTRADICTION');
  checkExternal(options.externalData, where);
  checkProviders(options.executionProviders, where);
  return { ...options, ...(level !== undefined && { graphOptimizationLevel: levels[level] }) };
}

/**
 * Refuses a list that leaves the WebAssembly provider out, as onnxruntime does where the others are missing.
 * @param {any} list
 * @param {string} where
 */
function checkProviders(list, where) {
  if (list === undefined) return;
  if (!Array.isArray(list)) throw new NormError(`${where}: executionProviders is ${describe(list)}, want an array, as in ['wasm']`);
  const names = list.map((provider) => (typeof provider === 'object' && provider !== null ? provider.name : provider));
  for (const [i, name] of names.entries()) {
    if (providers.includes(name)) continue;
    const near = typeof name === 'string' ? nearest(name, providers) : undefined;
    throw new NormError(`${where}: executionProviders[${i}] is ${quote(name)}${near ? `: did you mean '${near}'?` : `, want one of ${providers.join(', ')}`}`);
  }
  if (names.length > 0 && !names.includes('wasm') && !names.includes('cpu')) {
    throw new UnsupportedError(`${where}: executionProviders are ${names.join(', ')}, and this package computes in WebAssembly only: add 'wasm', or leave the option out`);
  }
}

/**
 * The second and third argument of run.
 * @param {any} fetches
 * @param {any} options
 * @param {readonly string[]} outputs
 * @returns {{ wanted?: readonly string[], signal?: AbortSignal }}
 */
export function checkRun(fetches, options, outputs) {
  const where = 'InferenceSession.run';
  const named = Array.isArray(fetches);
  if (!named && fetches !== undefined && fetches !== null) {
    if (typeof fetches !== 'object') throw new NormError(`${where}: fetches is ${describe(fetches)}, want an array of outputs' names${typeof fetches === 'string' ? `, as in [${JSON.stringify(fetches)}]` : ''}`);
    const output = Object.keys(fetches).find((name) => outputs.includes(name));
    if (output !== undefined) throw new NormError(`${where}: fetches is an object with the output ${JSON.stringify(output)}, want an array of names, as in [${JSON.stringify(output)}]`);
    if (options !== undefined) throw new NormError(`${where}: fetches is ${describe(fetches)}, want an array of outputs' names where options follow`);
    options = fetches;
  }
  options ??= {};
  checkOptions(where, options);
  checkSignal(options.signal, where);
  if (options.terminate) throw new UnsupportedError(`${where}: terminate is ${quote(options.terminate)}, which would end the run before it begins; use signal to end one`);
  return { wanted: named ? fetches : undefined, signal: options.signal ?? undefined };
}
