// What there is in Node alone. The script of workers is built without this file: development servers put an import of their own
// into a script in which they see import(), and a classic worker cannot have one.

/** Node's process object. @returns {{ cwd(): string, versions: { node?: string }, getBuiltinModule?(name: string): any } | undefined} */
export function node() {
  const process = /** @type {any} */ (globalThis).process;
  return typeof process?.versions?.node === 'string' ? process : undefined;
}

/** How many threads can compute at the same time. */
export function cores() {
  return node()?.getBuiltinModule?.('os').availableParallelism() ?? globalThis.navigator?.hardwareConcurrency ?? 1;
}

/** @param {URL} url */
export function isNodeFile(url) {
  return url.protocol === 'file:' && node() !== undefined;
}

/**
 * @param {URL} url
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function readFile(url) {
  const { readFile } = await load('node:fs/promises');
  return readFile(url);
}

/**
 * Runs the script of workers in a thread. It knows nothing of Node: what it finds is a worker's global object.
 * @param {URL} url
 * @returns {Promise<Worker>}
 */
export async function startThread(url) {
  const { Worker } = await load('node:worker_threads');
  const source = `const { parentPort } = require('node:worker_threads');
globalThis.postMessage = (message, transfer) => parentPort.postMessage(message, transfer);
import(${JSON.stringify(url.href)}).then(() => parentPort.on('message', (data) => globalThis.onmessage({ data })));`;
  // Without the flags of this process, some of which a worker refuses.
  return new Worker(source, { eval: true, execArgv: [] });
}

/**
 * Runs a script of the package that is no module, and hands it where to put itself.
 * @param {URL} url
 * @param {Function} receive
 */
export async function runScript(url, receive) {
  if (!isNodeFile(url)) return load(url.href);
  // Not by import(), for test runners forbid that; the code is the package's own.
  const [vm, code] = await Promise.all([load('node:vm'), readFile(url)]);
  vm.compileFunction(String(code), ['receive'])(receive);
}

/**
 * One of Node's modules: from 20.16 on without import(), which test runners such as Jest forbid in the scripts that they run. In
 * import() the name is in a variable, which bundlers for the browser let be.
 * @param {string} name
 */
async function load(name) {
  return node()?.getBuiltinModule?.(name) ?? import(/* webpackIgnore: true */ /* @vite-ignore */ name);
}
