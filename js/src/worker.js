// The worker of remote.js: one module, one session.
import { NormError } from './errors.js';
import { InferenceSession } from './session.js';
import { Tensor } from './tensor.js';

/** @type {InferenceSession} */
let session;

/** @param {import('./remote.js').PlainTensor[]} feeds in the order of the inputs */
function tensors(feeds) {
  return Object.fromEntries(feeds.map(({ type, dims, data }, i) => [session.inputNames[i], new Tensor(type, data, dims)]));
}

/** @type {Record<string, (message: any) => Promise<{ value: any, transfer?: any[] }>>} */
const calls = {
  async create({ bytes, options }) {
    session = await InferenceSession.create(bytes, options);
    const { inputMetadata: inputs, outputMetadata: outputs, operators: ops } = session;
    return { value: { inputs, outputs, ops } };
  },
  async run({ feeds, fetches }) {
    const results = await session.run(tensors(feeds), fetches);
    /** @type {any[]} */
    const list = fetches.map((/** @type {string} */ name) => {
      const { type, dims, data } = results[name];
      return { type, dims: [...dims], data };
    });
    return { value: list, transfer: list.map(({ data }) => data.buffer).filter(Boolean) };
  },
  async profile({ feeds }) {
    return { value: await session.profile(tensors(feeds)) };
  },
};

/** @type {any} */
const scope = globalThis;
const name = 'node:worker_threads';
const port = typeof scope.postMessage === 'function' ? scope : (await import(/* webpackIgnore: true */ /* @vite-ignore */ name)).parentPort;

/** @param {any} message */
async function answer(message) {
  try {
    const { value, transfer = [] } = await calls[message.call](message);
    port.postMessage({ value }, transfer);
  } catch (error) {
    const { name, message: text } = /** @type {Error} */ (error);
    port.postMessage({ error: { name, code: error instanceof NormError ? error.code : 'INTERNAL', message: text } });
  }
}

if (port === scope) scope.onmessage = (/** @type {MessageEvent} */ { data }) => answer(data);
else port.on('message', answer);
