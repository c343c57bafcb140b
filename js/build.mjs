// Builds what is published, in dist/ beside the wasm modules:
//   normwasm.js         the package as one ES module
//   normwasm.cjs        the same for require() in Node
//   normwasm.worker.js  the script of sessions in workers, which runs as a classic and as a module worker
//   normwasm.text.js    the script of tokenizers and text generators, which the package fetches when one is wanted
//   normwasm.threads.js what there is to do where the module computes in several threads, fetched then
//   onnxruntime, tfjs   adapters (.js and .cjs), which import the package beside them
// and, for the sources as they stand, go-runtime.js.
import { build } from 'esbuild';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { minify } from 'terser';

const here = import.meta.dirname;
const toolchain = process.env.GOTOOLCHAIN ?? 'go1.27.4';
mkdirSync(join(here, 'dist'), { recursive: true });
writeFileSync(join(here, 'dist/go-runtime.js'), goRuntime());
// TypeScript wants the types of what is required under a name of their own, and those of the adapters for require() to name
// the classes of the package for require().
for (const name of ['index', 'onnxruntime', 'tfjs']) {
  writeFileSync(join(here, `${name}.d.cts`), readFileSync(join(here, `${name}.d.ts`), 'utf8').replaceAll("'./index.js'", "'./index.cjs'"));
}
const { version } = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8'));
const notice = `/*! normwasm ${version}, MIT licence. Contains wasm_exec.js of ${toolchain}, Copyright 2018 The Go Authors, BSD-3-Clause: the text is in go-runtime.js. */`;

const common = {
  bundle: true,
  minify: true,
  sourcemap: true,
  sourcesContent: false, // they are in src/
  target: 'es2022',
  legalComments: 'none',
  logLevel: 'warning',
};
/** Files beside the sources are beside the bundle too. */
const beside = {
  name: 'beside',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]src[\\/]files\.js$/ }, ({ path }) => ({ contents: readFileSync(path, 'utf8').replaceAll("'../dist/", "'./") }));
  },
};
/**
 * The comments in import() that tell bundlers to leave it alone, which minifying would take out. A name of the same length
 * stands for them meanwhile, so that the source map holds.
 */
const ignored = 'import(/* webpackIgnore: true */ /* @vite-ignore */ ';
const standIn = `${'ignored'.padEnd(ignored.length - 1, '_')}(`;
const uncommented = {
  name: 'uncommented',
  setup({ onLoad, onEnd }) {
    onLoad({ filter: /[\\/]src[\\/]node\.js$/ }, ({ path }) => ({ contents: readFileSync(path, 'utf8').replace(ignored, standIn) }));
    onEnd(async ({ outputFiles = [] }) => {
      const texts = new Map(outputFiles.map(({ path, text }) => [path, text]));
      for (const [path, text] of texts) {
        if (path.endsWith('.map')) continue;
        const { code, map } = await smaller(text, path, texts.get(`${path}.map`));
        if (code.split(standIn).length !== 2) throw new Error(`${path} does not have one import() that bundlers leave alone`);
        writeFileSync(path, code.replace(standIn, ignored));
        writeFileSync(`${path}.map`, map);
      }
    });
  },
};
/**
 * Terser names variables so that functions look alike, which compresses better: every page loads this file.
 * @param {string} text
 * @param {string} path
 * @param {string} content of the source map
 */
const smaller = (text, path, content) => minify(text, {
  module: path.endsWith('.js'), toplevel: true, compress: false, ecma: 2020, format: { comments: /^!/ }, sourceMap: { content, url: `${basename(path)}.map` },
});
/** Adapters share the package, and its one running module, with whoever imports it. @param {string} extension */
const shared = (extension) => ({
  name: 'shared',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.?\/index\.js$/ }, () => ({ path: `./normwasm.${extension}`, external: true }));
  },
});
/**
 * What the worker's script has no use for: it is given bytes and a compiled module, and what it is fed was checked. The names
 * are there, and who calls one all the same is told.
 */
const spared = {
  name: 'spared',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]src[\\/](loader|model|nested|node|options|remote|runtime|sniff|threads)\.js$/ }, ({ path }) => {
      const names = [...readFileSync(path, 'utf8').matchAll(/^export (?:async )?(?:function|class|const) (\w+)/gm)].map(([, name]) => name);
      return { contents: names.map((name) => `export function ${name}() { throw new Error('${name} is not in this script'); }`).join('\n') };
    });
  },
};
const formats = {
  js: { format: 'esm', platform: 'neutral', banner: { js: notice } },
  cjs: {
    format: 'cjs', platform: 'node', define: { 'import.meta.url': 'moduleURL' },
    banner: { js: `${notice}\nconst moduleURL = require('node:url').pathToFileURL(__filename).href;` },
  },
};
const adapters = ['onnxruntime', 'tfjs'].filter((name) => existsSync(join(here, 'src', `${name}.js`)));
await Promise.all([
  ...Object.entries(formats).flatMap(([extension, format]) => [
    build({ ...common, ...format, entryPoints: [join(here, 'src/index.js')], outfile: join(here, `dist/normwasm.${extension}`), plugins: [beside, uncommented], write: false }),
    ...adapters.map((name) => build({ ...common, ...format, entryPoints: [join(here, `src/${name}.js`)], outfile: join(here, `dist/${name}.${extension}`), plugins: [shared(extension)] })),
  ]),
  ...['text', 'threads'].map((name) => build({ ...common, format: 'iife', platform: 'neutral', entryPoints: [join(here, `src/${name}/main.js`)], outfile: join(here, `dist/normwasm.${name}.js`) })),
  build({
    ...common, format: 'iife', platform: 'neutral', banner: { js: notice }, entryPoints: [join(here, 'src/worker.js')],
    // A script has no import.meta; it is given the module, and finds a file beside itself.
    define: { 'import.meta.url': 'undefined' }, outfile: join(here, 'dist/normwasm.worker.js'), plugins: [beside, spared],
  }),
]);

/**
 * Go's wasm_exec.js, of the very toolchain that builds the module, as an ES module. The original is a script that reads and
 * writes the page's global object. Here it runs in a function whose `globalThis` is an object of its own, so that no global is
 * left behind and several instances can live side by side. No eval is involved: the wrapping happens here.
 */
function goRuntime() {
  const goroot = execFileSync('go', ['env', 'GOROOT'], { cwd: here, env: { ...process.env, GOTOOLCHAIN: toolchain }, encoding: 'utf8' }).trim();
  const source = readFileSync(join(goroot, 'lib/wasm/wasm_exec.js'), 'utf8');
  const cut = source.indexOf('"use strict"');
  if (cut < 0 || !source.slice(0, cut).includes('The Go Authors')) throw new Error('wasm_exec.js does not look as expected');
  const header = source.slice(0, cut);
  const body = source.slice(cut).replace(/^"use strict";\s*/, '');

  // The licence text that the header refers to; distributions of Go leave it out at times.
  const licenceFile = join(goroot, 'LICENSE');
  const licence = existsSync(licenceFile) ? readFileSync(licenceFile, 'utf8').trim().split('\n').map((line) => `// ${line}`.trimEnd()).join('\n') + '\n' : '';

  return `${header}${licence && '//\n' + licence}
// Generated by build.mjs from lib/wasm/wasm_exec.js of ${toolchain}; changed only by being wrapped.
// @ts-nocheck
import { clearTimer, scope, timer } from '../src/scope.js';

/** Makes a fresh Go instance and the object that its program sees as global. */
export function createGo() {
  const globalThis = scope();
  const { TextEncoder, performance } = globalThis;
  // Neither takes a view of memory that threads share.
  const crypto = { getRandomValues: (bytes) => bytes.set(globalThis.crypto.getRandomValues(new Uint8Array(bytes.length))) };
  const TextDecoder = class extends globalThis.TextDecoder {
    decode({ buffer, byteOffset, byteLength }) {
      return super.decode(new Uint8Array(buffer, byteOffset, byteLength).slice());
    }
  };
  const setTimeout = (callback, ms) => timer(() => go.exited || callback(), ms);
  const clearTimeout = clearTimer;
  let fs;

${body.trimEnd()}

  fs = globalThis.fs;
  const go = new globalThis.Go();
  return { go, global: globalThis };
}
`;
}
