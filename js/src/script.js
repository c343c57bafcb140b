// Scripts of the package that are no modules, which are fetched when what they do is wanted: whatever a bundler makes of such a file, an
// export of it might be gone.
import { reason } from './cause.js';
import { LoadError } from './errors.js';
import { ownFile } from './loader.js';
import { runScript } from './node.js';

/**
 * Fetches one, and returns what its function makes of what it is given. It finds who waits for it under the key `normwasm.` with its name.
 * @param {'text' | 'threads'} name
 * @param {...any} given so that both have the same classes of errors and the same module
 * @returns {Promise<any>}
 */
export async function fetchScript(name, ...given) {
  /** @type {any} */
  let start;
  const scope = /** @type {any} */ (globalThis);
  const key = `normwasm.${name}`;
  const receive = scope[key] = (/** @type {any} */ its) => {
    start = its;
  };
  try {
    await runScript(ownFile(name), receive);
    return start(...given); // (no function, if the file is another one)
  } catch (cause) {
    throw new LoadError(`${key}.js does not load: ${reason(cause)}`, 'FETCH_FAILED', { cause });
  } finally {
    delete scope[key];
  }
}
