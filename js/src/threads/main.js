// The script normwasm.threads.js: what there is to do where the module computes in several threads. src/threads.js fetches it, and
// waits for it as for normwasm.text.js.
import { take } from './given.js';
import { Helpers } from './helpers.js';
import { Sharing, mostPages, shared } from './share.js';

/** @param {number} maximum */
function exists(maximum) {
  try {
    return maximum === 0 || new WebAssembly.Memory({ initial: 1, maximum, shared: true }).buffer instanceof SharedArrayBuffer;
  } catch {
    return false;
  }
}

/**
 * The most pages of a memory that is shared. Engines set so much aside at once, if only addresses, of which some devices have few.
 * 0: there is no such memory.
 */
let pages = /** @type {number} */ ([mostPages, mostPages / 2, mostPages / 4, mostPages / 8, mostPages / 16, 0].find(exists));

/** Takes less the next time, if that is worth while. */
function lower() {
  pages = pages > 4096 ? pages / 4 : 0;
}

/** @param {import('./given.js').Given} given */
function start(given) {
  take(given);
  return {
    Helpers,
    lower,
    get pages() {
      return pages;
    },
    /** @param {Uint8Array<ArrayBuffer>} bytes */
    bytes: (bytes) => shared(bytes, pages),
    /** @param {Response} response */
    response: ({ body }) => new Response(/** @type {ReadableStream} */ (body).pipeThrough(new Sharing(pages).transform()), { headers: { 'content-type': 'application/wasm' } }),
  };
}

/** @typedef {ReturnType<typeof start>} Threading */

// @ts-expect-error in Node it is an argument of the script
const ask = typeof receive === 'function' ? receive : /** @type {any} */ (globalThis)['normwasm.threads'];
ask?.(start);
