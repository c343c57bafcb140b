// Where the files lie that the package fetches: the wasm modules and the scripts.

/** @typedef {import('../index.js').Variant} Variant */
/** A module: of the edition that runs models, of the one that runs all models, of the one that trains, or the kernels of all of them. @typedef {Variant | `full.${Variant}` | `train.${Variant}` | 'kernels.relaxed' | 'kernels.simd'} Module */

// Written out, each in the one form that bundlers look for, so that they take the files along.
/** @type {Record<Module | Script, () => URL>} */
const beside = {
  relaxed: () => new URL('../dist/normwasm.relaxed.wasm', import.meta.url),
  simd: () => new URL('../dist/normwasm.simd.wasm', import.meta.url),
  scalar: () => new URL('../dist/normwasm.scalar.wasm', import.meta.url),
  'full.relaxed': () => new URL('../dist/normwasm.full.relaxed.wasm', import.meta.url),
  'full.simd': () => new URL('../dist/normwasm.full.simd.wasm', import.meta.url),
  'full.scalar': () => new URL('../dist/normwasm.full.scalar.wasm', import.meta.url),
  'train.relaxed': () => new URL('../dist/normwasm.train.relaxed.wasm', import.meta.url),
  'train.simd': () => new URL('../dist/normwasm.train.simd.wasm', import.meta.url),
  'train.scalar': () => new URL('../dist/normwasm.train.scalar.wasm', import.meta.url),
  'kernels.relaxed': () => new URL('../dist/normwasm.kernels.relaxed.wasm', import.meta.url),
  'kernels.simd': () => new URL('../dist/normwasm.kernels.simd.wasm', import.meta.url),
  worker: () => new URL('../dist/normwasm.worker.js', import.meta.url),
  text: () => new URL('../dist/normwasm.text.js', import.meta.url),
  threads: () => new URL('../dist/normwasm.threads.js', import.meta.url),
};

/** The script of workers, that of tokenizers and text generators, that of several threads. @typedef {'worker' | 'text' | 'threads'} Script */

/** @param {Module | Script} file */
const nameOf = (file) => `normwasm.${file}.${/^(worker|text|threads)$/.test(file) ? 'js' : 'wasm'}`;

// Of the classic script that is running now; later it cannot be told.
const script = /** @type {any} */ (globalThis.document?.currentScript)?.src || undefined;

/**
 * A file of the package. In Node a file: URL, of a file that exists if there is one.
 * @param {Module | Script} file
 * @returns {URL}
 */
export function packaged(file) {
  const name = nameOf(file);
  let url = byModule(file);
  if (url === undefined) {
    // Bundled into a script that is no ES module: import.meta is empty there, and the files are beside the bundle.
    const base = script ?? globalThis.location?.href ?? commonJS();
    if (base === undefined) throw new TypeError(`where ${name} is cannot be told`);
    url = new URL(name, base);
  }
  return url.protocol === 'file:' ? inNode(url, name) : url;
}

/** @param {Module | Script} file */
function byModule(file) {
  try {
    const url = beside[file]();
    // Vite's dev server moves the script, and not the files, into a folder of its own: node_modules/.vite/deps.
    const moved = /^(.*\/node_modules\/)\.vite\/(.*\/)?deps[^/]*\/[^/]*$/.exec(url.pathname);
    return moved ? new URL(`${moved[1]}normwasm/dist/${nameOf(file)}`, url) : url;
  } catch {
    return undefined;
  }
}

/** Where a CommonJS bundle lies. @returns {URL | undefined} */
function commonJS() {
  if (typeof __filename !== 'string') return undefined;
  return builtin('url')?.pathToFileURL(__filename) ?? new URL(`file://${encodeURI(__filename).replace(/[?#]/g, encodeURIComponent)}`);
}

/**
 * The file beside the bundle, or else that of the installed package.
 * @param {URL} url
 * @param {string} name
 */
function inNode(url, name) {
  const [fs, module, { pathToFileURL } = {}] = [builtin('fs'), builtin('module'), builtin('url')];
  if (!fs || fs.existsSync(url)) return url;
  try {
    return pathToFileURL(module.createRequire(url).resolve(`normwasm/dist/${name}`));
  } catch {
    return url; // reading it will say what is missing
  }
}

/**
 * A module of Node's, from 20.16 on, without an import that bundlers would follow.
 * @param {string} name
 * @returns {any}
 */
function builtin(name) {
  return /** @type {any} */ (globalThis).process?.getBuiltinModule?.(name);
}
