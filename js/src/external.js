// The files that a model's tensors are in, beside the model: where they are, and how they come.
import { LoadError, NormError } from './errors.js';
import { resolve, tell } from './loader.js';
import { beginModel, dropModel, isA, readModel } from './model.js';
import { describe } from './tensor.js';

/** @typedef {import('../index.js').SessionOptions} SessionOptions */
/** What the module says of a file: its path, the bytes that it has at least, a tensor in it. @typedef {{ path: string, bytes: number, tensor: string }} Needed */

/**
 * @param {any} list
 * @param {string} where
 */
export function checkExternal(list, where) {
  if (list === undefined) return;
  if (!Array.isArray(list)) throw new NormError(`${where}: externalData is ${describe(list)}, want an array of paths or of { path, data }`);
  for (const [i, entry] of list.entries()) {
    const path = typeof entry === 'string' ? entry : entry?.path;
    if (typeof path !== 'string' || path === '') throw new NormError(`${where}: externalData[${i}] is ${describe(entry)}, want the path of a file as the model has it, or { path, data }`);
    if (typeof entry === 'object' && (entry.data === undefined || entry.data === null)) throw new NormError(`${where}: externalData[${i}], ${JSON.stringify(path)}, has no data`);
  }
}

/** A path without what says nothing in it. @param {string} path */
const clean = (path) => path.split('/').filter((part) => part !== '' && part !== '.').join('/');

/**
 * The URL that a model came from, if it did.
 * @param {any} model
 * @returns {URL | undefined}
 */
function origin(model) {
  const url = typeof model === 'string' || isA(model, 'URL') ? resolve(isA(model, 'URL') ? new URL(String(model)) : model) : model?.url ? new URL(model.url) : undefined;
  return url && /^(https?|file):$/.test(url.protocol) ? url : undefined;
}

/**
 * Where a file comes from: what externalData says, or beside the model.
 * @param {Needed} needed
 * @param {any} model
 * @param {SessionOptions} options
 * @returns {any}
 */
function sourceOf({ path, bytes, tensor }, model, { externalData = [] }) {
  const base = origin(model);
  for (const entry of externalData) {
    if (typeof entry !== 'string') {
      if (clean(entry.path) === path) return entry.data;
    } else if (clean(entry) === path || entry.endsWith(`/${path}`)) {
      // As a path of the model it is beside it; any other is a URL or, in Node, a path of its own.
      return base && clean(entry) === path ? beside(path, base) : resolve(entry);
    }
  }
  if (base) return beside(path, base);
  throw new LoadError(`InferenceSession.create: tensor ${JSON.stringify(tensor)} is in the file ${JSON.stringify(path)}, of which the model needs ${bytes} bytes, and the model came without a URL: `
    + `give it with externalData: [{ path: ${JSON.stringify(path)}, data }]`, 'FETCH_FAILED');
}

/**
 * @param {string} path
 * @param {URL} base
 */
const beside = (path, base) => new URL(path.split('/').map(encodeURIComponent).join('/'), base);

/**
 * Brings the files that a model needs, each to a target of its own.
 * @template {import('./model.js').Target} T
 * @param {readonly Needed[]} needed
 * @param {any} model what it was given as
 * @param {number} received bytes of the model
 * @param {() => T} makeTarget
 * @param {SessionOptions} options
 * @returns {Promise<{ path: string, target: T, bytes: number }[]>}
 */
export async function readFiles(needed, model, received, makeTarget, options) {
  const { signal, onProgress } = options;
  const opened = [];
  /** @type {{ path: string, target: T, bytes: number }[]} */
  const files = [];
  try {
    for (const need of needed) opened.push(beginModel(sourceOf(need, model, options), signal));
    let done = received;
    let left = needed.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const [i, need] of needed.entries()) {
      const { path, bytes, tensor } = need;
      left -= bytes;
      const says = `tensor ${JSON.stringify(tensor)} is in the file ${JSON.stringify(path)}, of which the model needs ${bytes} bytes`;
      const target = makeTarget();
      files.push({ path, target, bytes: 0 });
      const progress = onProgress && ((/** @type {{ loaded: number, total?: number }} */ { loaded, total }) => tell(onProgress, { phase: 'model', loaded: done + loaded, total: done + Math.max(total ?? bytes, loaded) + left }));
      /** @type {number} */
      let length;
      try {
        length = (await readModel(opened[i], target, { signal, onProgress: progress }, path)).received;
      } catch (error) {
        if (error instanceof LoadError && error.code !== 'ABORTED') throw new LoadError(`InferenceSession.create: ${says}: ${error.message}`, error.code, { cause: error });
        throw error;
      }
      if (length < bytes) throw new LoadError(`InferenceSession.create: ${says}; the file has ${length}`, 'INVALID_MODEL');
      files[i].bytes = length;
      done += length;
    }
    return files;
  } catch (error) {
    opened.slice(files.length).forEach(dropModel);
    for (const { target } of files) target.drop();
    throw error;
  }
}
