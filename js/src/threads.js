// Threads: how many an instance of the module has. What there is to do where they are more than one is in a script of its own
// (threads/main.js), which is fetched then.
import { reason } from './cause.js';
import { mostHelpers } from './control.js';
import { LoadError, NormError } from './errors.js';
import { isFolder, sharedModule } from './loader.js';
import { cores, node } from './node.js';
import { fetchScript } from './script.js';
import { quote } from './tensor.js';
import { startThread } from './thread.js';

/** @typedef {import('../index.js').InitOptions} InitOptions */
/** @typedef {import('./threads/main.js').Threading} Threading */
/** @typedef {import('./threads/helpers.js').Shared} Shared */
/** @typedef {import('./core.js').Core} Core */

/** Whether there are workers here that can share memory. */
const canShare = () => typeof SharedArrayBuffer === 'function' && (node() !== undefined || (globalThis.crossOriginIsolated === true && typeof Worker === 'function'));

/**
 * @param {string} where
 * @param {any} threads
 * @param {any} variant
 */
export function checkThreads(where, threads, variant) {
  if (threads === undefined || threads === 'auto') return;
  if (!Number.isInteger(threads) || threads < 1 || threads > mostHelpers) throw new NormError(`${where}: threads is ${quote(threads)}, want 'auto' or a whole number from 1 to ${mostHelpers}`);
  if (threads === 1) return;
  const says = `${where}: threads is ${threads}, and `;
  if (variant === 'scalar') throw new NormError(`${says}the variant 'scalar' computes in one: leave one of the two out`, 'CONTRADICTION');
  if (!canShare()) {
    throw new NormError(`${says}memory cannot be shared with workers here${globalThis.crossOriginIsolated === false
      ? ': the page is not cross-origin isolated. Serve it with the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp '
        + '(a frame too, which also needs the attribute allow="cross-origin-isolated"), or leave the option out' : ''}`, 'NOT_ISOLATED');
  }
}

/**
 * How many threads an instance is to have.
 * @param {InitOptions} options
 */
export function threadsOf({ threads = 'auto', variant }) {
  if (threads === 1 || variant === 'scalar' || !canShare()) return 1;
  return threads === 'auto' ? Math.min(4, cores()) : threads;
}

/**
 * How many of them each of several instances may have that compute at the same time: together they are no more than the cores.
 * @param {number} threads
 * @param {number} instances
 */
export function shareOf(threads, instances) {
  return Math.max(1, Math.min(threads, Math.floor(cores() / instances)));
}

/** @type {Promise<Threading | undefined> | undefined} */
let loading;
/** Counts the sizes of shared memory that were tried. */
export let trial = 0;

/** What makes memory that is shared, if there is to be any; undefined where it cannot be had, which is said once. @param {InitOptions['threads']} threads a number: threadsOf's */
export async function threading(threads) {
  if (!(/** @type {number} */ (threads) > 1)) return undefined;
  loading ??= fetchScript('threads', { startThread, reason }).catch((error) => {
    console.warn(`normwasm: the computation goes on in 1 thread, for ${error.message}`);
    return undefined;
  });
  const made = await loading;
  return made?.pages ? made : undefined;
}

/**
 * Loads a module and starts an instance, again with a smaller memory to share as long as there is none of that size.
 * @template T
 * @param {InitOptions['threads']} threads
 * @param {() => Promise<T>} start
 * @returns {Promise<T>}
 */
export async function withRoom(threads, start) {
  try {
    return await start();
  } catch (error) {
    const made = error instanceof LoadError && error.code === 'OUT_OF_MEMORY' ? await threading(threads) : undefined;
    if (!made) throw error;
    made.lower();
    trial++;
    return withRoom(threads, start);
  }
}

/**
 * Starts the helpers of an instance, unless its memory is its own.
 * @param {Shared | undefined} shared
 * @param {InitOptions} options of the instance
 */
export async function help(shared, { threads, wasmURL, workerURL }) {
  if (!shared) return undefined;
  const { Helpers } = /** @type {Threading} */ (await threading(/** @type {number} */ (threads)));
  return new Helpers(shared, /** @type {number} */ (threads) - 1, sharedModule(`kernels.${/** @type {'simd'} */ (shared.variant)}`, isFolder(wasmURL) ? { wasmURL } : {}), workerURL);
}

/**
 * Starts the helpers of an instance in this thread.
 * @param {Core} core
 * @param {InitOptions} options
 */
export async function attach(core, options) {
  const helpers = await help(core.shared, options);
  core.helpers = helpers;
  if (core.ended !== undefined) helpers?.end();
}
