// Makes the documents of the experiments out of their results: docs/experiments.md with its plots, and the body of the
// site's page experiments.html. Whether they are up to date, a test asks.

import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { escape, figure, htmlTable, standalone } from './src/lab/chart.js';
import { experimentIds, loadExperiment, Read } from './src/lab/run.js';

const here = dirname(fileURLToPath(import.meta.url));
export const resultsFolder = join(here, 'src', 'lab', 'results');
export const docsFolder = join(here, '..', 'docs');

/** @typedef {{ experiment: import('./src/lab/run.js').Experiment, results: import('./src/lab/run.js').Results, report: import('./src/lab/run.js').Report, name: string }} Entry */

/** How a result's file is called: "3", or "3-fashion" for other data than the experiment's own. @param {number} id @param {string} data @param {string} usual */
export const resultName = (id, data, usual) => (data === usual ? String(id) : `${id}-${data}`);

/** What has been run, in order. @returns {Promise<Entry[]>} */
export async function readEntries() {
  const files = await readdir(resultsFolder).catch(() => []);
  const entries = [];
  for (const id of experimentIds) {
    for (const name of files.map((f) => f.replace(/\.json$/, '')).filter((f) => new RegExp(`^${id}(-[a-z]+)?$`).test(f)).sort()) {
      const experiment = await loadExperiment(id);
      const results = JSON.parse(await readFile(join(resultsFolder, `${name}.json`), 'utf8'));
      entries.push({ experiment, results, report: experiment.report(new Read(results)), name });
    }
  }
  return entries;
}

const words = /** @type {const} */ ({ yes: 'It shows.', partly: 'It shows in part.', no: 'It does not show here.' });
const dataNames = /** @type {Record<string, string>} */ ({ digits: 'MNIST digits', names: 'given names', both: 'given names and MNIST digits', fashion: 'Fashion-MNIST' });
/** @param {Entry} e */
const command = ({ experiment, results }) => `make experiment N=${experiment.id}${results.data === 'fashion' ? ' DATA=fashion' : ''}`;
/** @param {Entry} e */
const conditions = ({ results }) => `${results.seeds} seeds, mean ± standard deviation; ${results.seconds} s on ${results.machine}; normwasm ${results.version}, ${results.date}`;

/** @param {import('./src/lab/run.js').Table} table */
function markdownTable({ head, rows }) {
  const line = (/** @type {readonly string[]} */ cells) => `| ${cells.map((c) => c.replace(/\|/g, '\\|')).join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i ? '--:' : '---'))), ...rows.map(line)].join('\n');
}

/** The first two sentences of a verdict: one is often half of a comparison. @param {string} verdict */
const beginning = (verdict) => verdict.split(/(?<=[.;]) (?=[A-ZÅ])/).slice(0, 2).join(' ');

/** @param {readonly Entry[]} entries */
export function markdown(entries) {
  const own = entries.filter((e) => e.results.data !== 'fashion');
  const minutes = Math.round(entries.reduce((s, e) => s + (e.results.seconds ?? 0), 0) / 60);
  return `# Experiments

What articles and papers say of BatchNorm, LayerNorm and their kin, tried out on real data with this package's own kernels: small networks that train in seconds, in one thread, as WebAssembly with SIMD. The papers trained large networks for days; their numbers are here to compare with, and where the small networks say otherwise, that is written down.

\`make experiment N=3\` repeats one, \`make experiment N=all\` all of them (${minutes} minutes where this was written); \`SEEDS=8\` takes other than five seeds. A seed decides the weights that a network begins with and the order of its examples, so that two variants with one seed differ in the normalization alone. A difference is called clear when runs of one seed differ by more than chance would make them in 95 of 100 cases (paired t-test). The numbers repeat to the bit, but for times. The experiments are declared in \`demo/src/lab/experiments/\`, and their numbers are in \`demo/src/lab/results/\`; this file is made of them.

${markdownTable({ head: ['#', 'claim', 'here'], rows: own.map((e) => [String(e.experiment.id), `[${e.experiment.title}](#${anchor(e)})`, words[e.report.holds].replace(/^It s/, 'S').replace(/^It /, '').replace(/^d/, 'D')]) })}

Data: 10,000 digits of MNIST, 8,000 to learn from and 2,000 held out; 8,403 given names, of which 1,000 are held out; where Debian's package \`dataset-fashion-mnist\` is installed, as many pictures of clothes.

${entries.map((e) => section(e)).join('\n')}`;
}

/** @param {Entry} e */
const headline = ({ experiment, results }) => `${experiment.id}. ${experiment.title}${results.data === 'fashion' ? ': Fashion-MNIST' : ''}`;
/** @param {Entry} e */
const anchor = (e) => headline(e).toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').trim().replace(/ /g, '-');

/** @param {Entry} e */
function section(e) {
  const { experiment: x, report, name } = e;
  return `## ${headline(e)}

**Claim.** ${x.claim}

**Source.** [${x.source.text}](${x.source.url}). ${x.source.numbers}

**Setting.** ${x.setting} **Measured:** ${x.measured}

**Here: ${words[report.holds].toLowerCase().replace(/\.$/, '')}.** ${report.verdict}

${report.tables.map((t) => `${t.caption}:\n\n${markdownTable(t)}`).join('\n\n')}

![${report.charts.map((c) => c.title).join('; ')}](experiments/${name}.svg)

\`${command(e)}\`: ${conditions(e)}.
`;
}

/** The body of the page, and its table of contents. @param {readonly Entry[]} entries */
export function pageParts(entries) {
  const rows = entries.filter((e) => e.results.data !== 'fashion').map((e) => `<tr class="${e.report.holds}"><th scope="row"><a href="#claim-${e.experiment.id}">${e.experiment.id}. ${escape(e.experiment.title)}</a></th><td>${words[e.report.holds]}</td></tr>`);
  const body = entries.map((e) => {
    const { experiment: x, report, results, name } = e;
    const id = results.data === 'fashion' ? `claim-${name}` : `claim-${x.id}`;
    // Charts of one page need names of their own.
    const charts = report.charts.map((c) => figure({ ...c, id: `${c.id}${results.data === 'fashion' ? '-fashion' : ''}` }));
    return `<section class="card experiment ${report.holds}" id="${id}" aria-labelledby="${id}-title" data-experiment="${name}">
<h2 id="${id}-title">${escape(headline(e))}</h2>
<p class="claim">${escape(x.claim)}</p>
<p class="finding"><strong>${words[report.holds]}</strong> ${escape(report.verdict)}</p>
<div class="plots">${charts.join('\n')}</div>
${report.tables.map((t) => `<div class="scrolls" tabindex="0" role="group" aria-label="${escape(t.caption)}">${htmlTable(t, t.caption)}</div>`).join('\n')}
<dl>
<dt>Source</dt><dd><a href="${escape(x.source.url)}">${escape(x.source.text)}</a>. ${escape(x.source.numbers)}</dd>
<dt>Setting</dt><dd>${escape(x.setting)}</dd>
<dt>Measured</dt><dd>${escape(x.measured)}</dd>
<dt>Command</dt><dd><code>${escape(command(e))}</code>: ${escape(conditions(e))}.</dd>
</dl>
</section>`;
  });
  const index = `<table class="overview"><caption class="visually-hidden">What the experiments say of each claim</caption><thead><tr><th scope="col">Claim</th><th scope="col">Here</th></tr></thead><tbody>${rows.join('')}</tbody></table>`;
  return { index, body: body.join('\n') };
}

/** Fills the page experiments.html of a built site, and writes a summary of the verdicts for other pages. @param {string} out */
export async function writeExperiments(out) {
  const entries = await readEntries();
  const path = join(out, 'experiments.html');
  if (!entries.length) return rm(path); // nothing has been run
  const { index, body } = pageParts(entries);
  const html = await readFile(path, 'utf8');
  await writeFile(path, html.replace('<!-- index -->', () => index).replace('<!-- body -->', () => body));
  await mkdir(join(out, 'lab', 'results'), { recursive: true });
  await writeFile(join(out, 'lab', 'results', 'summary.json'), JSON.stringify(summary(entries)));
}

/** By claim: whether it holds here, and why in two sentences. @param {readonly Entry[]} entries */
export const summary = (entries) => Object.fromEntries(entries.filter((e) => e.results.data !== 'fashion')
  .map((e) => [e.experiment.id, { holds: e.report.holds, says: beginning(e.report.verdict) }]));

/** All files below docs/ that the results make. @returns {Promise<Map<string, string>>} */
export async function documents() {
  const entries = await readEntries();
  if (!entries.length) return new Map();
  const css = await readFile(join(here, 'src', 'lab', 'chart.css'), 'utf8');
  const files = new Map([['experiments.md', markdown(entries)]]);
  for (const { name, report } of entries) files.set(join('experiments', `${name}.svg`), standalone(report.charts, css));
  return files;
}

export async function writeDocuments() {
  await rm(join(docsFolder, 'experiments'), { recursive: true, force: true });
  await mkdir(join(docsFolder, 'experiments'), { recursive: true });
  for (const [path, text] of await documents()) await writeFile(join(docsFolder, path), text);
}

