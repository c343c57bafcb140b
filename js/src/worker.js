// The worker of remote.js and remotenetwork.js: one module, and one session or network in training. It is given a compiled module,
// a model's bytes or a network's options, and checked tensors. Or it is a helper, of a module that runs elsewhere.
import { Core } from './core.js';
import { NormError } from './errors.js';
import { serve } from './helper.js';
import { Local } from './local.js';
import { LocalNetwork } from './network.js';
import { revived } from './tensor.js';
import { LocalWriter } from './writer.js';

/** @type {any} */
const scope = globalThis;
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

/** Tells what the module's helpers need, if it is to have some. @param {Core} core */
const share = ({ shared }) => shared && scope.postMessage({ shared });

/**
 * Starts the module.
 * @param {{ wasmModule: WebAssembly.Module, variant: any, threads?: number }} given
 * @param {'full'} [edition]
 */
async function start({ wasmModule, variant, threads }, edition) {
  core = await Core.start(wasmModule, variant === 'auto' ? undefined : variant, () => {}, edition, threads);
  share(core);
  return core;
}

/** What crosses of a result. @param {import('./tensor.js').Tensor | import('./tensor.js').Tensor[] | null} result @returns {any} */
const plain = (result) => {
  if (Array.isArray(result)) return result.map(plain);
  return result && { type: result.type, dims: [...result.dims], data: result.data };
};

/** @type {Record<string, (message: any) => Promise<{ value: any, transfer?: any[] }>>} */
const calls = {
  async create({ bytes, files, options: { wasmModule, variant, threads, ...options } }) {
    core ??= await start({ wasmModule, variant, threads });
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
  async writer({ bytes, options: { wasmModule, variant, threads, ...options } }) {
    writer = LocalWriter.open(await start({ wasmModule, variant, threads }, 'full'), bytes, options);
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
  async train({ module, variant, options, threads }) {
    network = await LocalNetwork.start(module, variant, options, threads, share);
    return { value: { output: network.output, variant: network.variant } };
  },
  async network({ name, args }) {
    const value = await network.call(name, ...args);
    /** Of a snapshot, of an evaluation, of a file. @type {any[]} */
    const arrays = value?.tensors?.map((/** @type {any} */ { data }) => data) ?? [value?.outputs ?? value];
    return { value, transfer: arrays.filter(ArrayBuffer.isView).map(({ buffer }) => buffer) };
  },
  async help(message) {
    serve(message);
    return { value: undefined };
  },
};

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
