// Runs experiments in Node, as WebAssembly with SIMD in one thread, and writes their results and documents.
//   node experiment.mjs N|all [--seeds 5] [--data fashion] [--scale 1]
//   node experiment.mjs --documents        makes only the documents anew
// make experiment N=3 [SEEDS=5] [DATA=fashion] is the same.

import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { fashionFolder, readData } from './data.mjs';
import { readEntries, resultName, resultsFolder, writeDocuments } from './report.mjs';
import { experimentIds, loadExperiment, Read, runExperiment } from './src/lab/run.js';

const here = dirname(fileURLToPath(import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seeds: { type: 'string' }, data: { type: 'string' }, scale: { type: 'string', default: '1' }, documents: { type: 'boolean', default: false } },
});
const fail = (/** @type {string} */ text) => {
  console.error(`experiment: ${text}`);
  process.exit(1);
};

if (values.documents) {
  await writeDocuments();
  process.exit(0);
}
const ids = positionals[0] === 'all' ? experimentIds : positionals.map(Number);
if (!ids.length || !ids.every((id) => experimentIds.includes(id))) fail(`which one? N=1 to N=${experimentIds.length}, or N=all`);
const seeds = values.seeds === undefined ? undefined : Number(values.seeds);
if (seeds !== undefined && !(Number.isInteger(seeds) && seeds > 0)) fail(`seeds is ${JSON.stringify(values.seeds)}, want a whole number of at least 1`);
const scale = Number(values.scale);
if (!(scale > 0 && scale <= 1)) fail(`scale is ${JSON.stringify(values.scale)}, want a number above 0 and up to 1`);
const folder = values.data && values.data !== 'digits' ? `data/${values.data}` : undefined;
if (folder && values.data !== 'fashion') fail(`data is ${JSON.stringify(values.data)}, want digits or fashion`);
if (folder && !(await stat(fashionFolder).catch(() => undefined))) fail('Fashion-MNIST is not installed; on Debian: apt-get install dataset-fashion-mnist');

const package_ = await import('../js/dist/normwasm.js').catch((error) => fail(`the package is not built (make build): ${error.message}`));
const { init, layerNorm, rmsNorm, Tensor, Trainer } = package_;
const { version } = JSON.parse(await readFile(join(here, '..', 'js', 'package.json'), 'utf8'));
await init({ variant: 'simd', threads: 1 });

for (const id of ids) {
  const experiment = await loadExperiment(id);
  if (folder && experiment.data === 'names') {
    console.error(`experiment: ${id} has no pictures, and is left out`);
    continue;
  }
  let shown = 0;
  const before = process.cpuUsage();
  const results = await runExperiment({
    experiment, Trainer, Tensor, seeds, scale, folder, read: readData, functions: { layerNorm, rmsNorm }, options: { variant: 'simd' },
    onProgress({ done, total, cell, seed }) {
      if (Date.now() - shown < 5000 && done) return;
      shown = Date.now();
      console.error(`experiment ${id}: ${done} of ${total} (${cell.name}, seed ${seed})`);
    },
  });
  // Of a processor: what else the machine does is no matter.
  const { user, system } = process.cpuUsage(before);
  results.seconds = Math.round((user + system) / 1e6);
  results.date = new Date().toISOString().slice(0, 10);
  results.machine = `one core of ${cpus()[0].model.trim().replace(/\s+/g, ' ')}, Node ${process.versions.node}`;
  results.version = version;
  await mkdir(resultsFolder, { recursive: true });
  const name = resultName(id, results.data, experiment.data);
  // Shortened runs are for looking at, not for the record.
  if (scale === 1) await writeFile(join(resultsFolder, `${name}.json`), `${JSON.stringify(results, null, 1).replace(/\[[^[\]{}]*\]/g, (list) => list.replace(/\s+/g, ''))}\n`);
  const report = experiment.report(new Read(results));
  console.log(`${id}. ${experiment.title}: ${report.holds}, ${results.seconds} s\n${report.verdict}\n`);
  for (const { caption, head, rows } of report.tables) console.log([caption, head.join(' | '), ...rows.map((r) => r.join(' | '))].join('\n'), '\n');
}
if (scale === 1) {
  await writeDocuments();
  console.error(`experiment: docs/experiments.md has ${(await readEntries()).length} results`);
}
