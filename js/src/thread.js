// Starts the worker's script: in a page, in a worker of a page, in Node.
import { reason } from './cause.js';
import { LoadError } from './errors.js';
import { ownFile, resolve } from './loader.js';
import { isNodeFile, startThread as startInNode } from './node.js';

/**
 * @param {string | URL | undefined} script another one than the package's own
 * @param {(data: any) => void} receive gets what it posts
 * @param {(why: string) => void} fail is told when it cannot go on
 */
export async function startThread(script, receive, fail) {
  const worker = await begin(script);
  const failed = (/** @type {any} */ event) => {
    event?.preventDefault?.();
    fail(event?.message || unloaded(script));
  };
  if (typeof (/** @type {any} */ (worker).on) === 'function') {
    /** @type {any} */ (worker).on('message', receive).on('error', failed).on('exit', (/** @type {number} */ code) => fail(`it exited with code ${code}`));
  } else {
    worker.onmessage = ({ data }) => receive(data);
    worker.onerror = failed;
    worker.onmessageerror = failed;
  }
  return worker;
}

/** @param {string | URL} [script] */
function unloaded(script) {
  return `${script === undefined ? 'the script normwasm.worker.js' : script} could not be loaded. Is it there, is it JavaScript, `
    + "and does the page's Content-Security-Policy allow it (worker-src 'self'; worker-src blob: for a script of another origin)?";
}

/**
 * @param {string | URL} [script]
 * @returns {Promise<Worker>}
 */
async function begin(script) {
  const url = script === undefined ? ownFile('worker') : resolve(script);
  // In Node other packages may have put a Worker of their making on the global object.
  if (typeof Worker === 'function' && !isNodeFile(url)) {
    try {
      return startWorker(url);
    } catch (cause) {
      throw new LoadError(`the worker does not start: ${reason(cause)}`, 'START_FAILED', { cause });
    }
  }
  if (!isNodeFile(url)) throw new LoadError('this host has no workers; leave out the option worker', 'START_FAILED');
  try {
    return await startInNode(url);
  } catch (cause) {
    throw new LoadError(`the worker does not start: ${reason(cause)}`, 'START_FAILED', { cause });
  }
}

/**
 * A classic worker: the script has no imports, and any server's and any bundler's copy of it will do.
 * @param {URL} url
 */
function startWorker(url) {
  const options = /** @type {const} */ ({ name: 'normwasm' });
  if (!isElsewhere(url)) return new Worker(trusted(url), options);
  // A worker's own script must be of the page's origin; what it imports need not be.
  const source = `const policy = self.trustedTypes?.createPolicy('normwasm', { createScriptURL: (url) => url });
const url = ${JSON.stringify(url.href)};
importScripts(policy ? policy.createScriptURL(url) : url);`;
  const blob = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  try {
    return new Worker(trusted(blob), options);
  } finally {
    // Not at once: the worker reads it when it starts.
    setTimeout(() => URL.revokeObjectURL(blob), 60_000);
  }
}

/** @param {URL} url */
function isElsewhere(url) {
  return /^https?:$/.test(url.protocol) && url.origin !== (globalThis.origin ?? globalThis.location?.origin);
}

/** @type {{ createScriptURL(url: string): any } | undefined} */
let policy;

/**
 * The URL as a page with Trusted Types wants it.
 * @param {URL | string} url
 * @returns {string}
 */
function trusted(url) {
  const types = /** @type {any} */ (globalThis).trustedTypes;
  try {
    if (types && policy === undefined) policy = types.createPolicy('normwasm', { createScriptURL: (/** @type {string} */ text) => text });
  } catch {
    // The page's policy does not list this name. If it needs types for scripts all the same, starting the worker says so.
  }
  return policy ? policy.createScriptURL(String(url)) : String(url);
}
