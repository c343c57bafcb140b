// The worker of remote.js and remotenetwork.js: one module, and one session or network in training. It is given a compiled module,
// a model's bytes or a network's options, and checked tensors.
import { Core } from './core.js';
import { NormError } from './errors.js';
import { Local } from './local.js';
import { LocalNetwork } from './network.js';
import { revived } from './tensor.js';
import { LocalWriter } from './writer.js';

/** @type {Core | undefined} */
let core;
/** @type {Local} */
let session;
/** @type {LocalNetwork} */
let network;
/** @type {LocalWriter} */
let writer;

/** Of the run that is under way. @type {AbortController | undefined} */
let control;

/** What crosses of a result. @param {import('./tensor.js').Tensor | import('./tensor.js').Tensor[] | null} result @returns {any} */
const plain = (result) => {
  if (Array.isArray(result)) return result.map(plain);
  return result && { type: result.type, dims: [...result.dims], data: result.data };
};

/** @type {Record<string, (message: any) => Promise<{ value: any, transfer?: any[] }>>} */
const calls = {
  async create({ bytes, files, options: { wasmModule, variant, ...options } }) {
    core ??= await Core.start(wasmModule, variant === 'auto' ? undefined : variant, () => {});
    const opened = Local.open(core, bytes, options, files);
    if (Array.isArray(opened)) return { value: { needed: opened } }; // and is asked again, with these files
    session = opened;
    return { value: session.description };
  },
  async run({ feeds, fetches, abortable }) {
    control = abortable ? new AbortController() : undefined;
    const results = await session.run(feeds.map(revived), fetches, 'cpu', control?.signal);
    /** @type {any[]} */
    const list = fetches.map((/** @type {string} */ name) => plain(results[name]));
    return { value: list, transfer: list.flat().map((tensor) => tensor?.data.buffer).filter(Boolean) };
  },
  async profile({ feeds }) {
    return { value: await session.profile(feeds.map(revived)) };
  },
  async writer({ bytes, options: { wasmModule, variant, ...options } }) {
    writer = LocalWriter.open(await Core.start(wasmModule, variant === 'auto' ? undefined : variant, () => {}, 'full'), bytes, options);
    return { value: writer.info };
  },
  async writerStart({ prompt, sampling }) {
    return { value: await writer.start(prompt, sampling) };
  },
  async writerNext({ most, ms }) {
    return { value: await writer.next(most, ms) };
  },
  async resetState() {
    return { value: session.resetState() };
  },
  async train({ module, variant, options }) {
    network = await LocalNetwork.start(module, variant, options);
    return { value: { output: network.output, variant: network.variant } };
  },
  async network({ name, args }) {
    const value = await network.call(name, ...args);
    /** Of a snapshot, of an evaluation, of a file. @type {any[]} */
    const arrays = value?.tensors?.map((/** @type {any} */ { data }) => data) ?? [value?.outputs ?? value];
    return { value, transfer: arrays.filter(ArrayBuffer.isView).map(({ buffer }) => buffer) };
  },
};

/** @type {any} */
const scope = globalThis;
scope.onmessage = async (/** @type {MessageEvent} */ { data: message }) => {
  if (message.call === 'abort') return control?.abort(); // which the run answers
  try {
    const { value, transfer = [] } = await calls[message.call](message);
    scope.postMessage({ value }, transfer);
  } catch (error) {
    const { name, message: text } = /** @type {Error} */ (error);
    scope.postMessage({ ended: core?.ended, error: { name, code: error instanceof NormError ? error.code : 'INTERNAL', message: text } });
  }
};
