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

/**
 * @param {{ postMessage(message: any, transfer?: any[]): void }} port
 * @param {any} message
 */
async function answer(port, message) {
  try {
    const { value, transfer = [] } = await calls[message.call](message);
    port.postMessage({ value }, transfer);
  } catch (error) {
    const { name, message: text } = /** @type {Error} */ (error);
    port.postMessage({ error: { name, code: error instanceof NormError ? error.code : 'INTERNAL', message: text } });
  }
}

/** @type {any} */
const scope = globalThis;
if (typeof scope.postMessage === 'function') {
  scope.onmessage = (/** @type {MessageEvent} */ { data }) => answer(scope, data);
} else {
  // No import at the top and none that is awaited: as a classic script this has neither. Messages wait for a listener.
  const name = 'node:worker_threads';
  import(/* webpackIgnore: true */ /* @vite-ignore */ name).then(({ parentPort }) => parentPort.on('message', (/** @type {any} */ message) => answer(parentPort, message)));
}
