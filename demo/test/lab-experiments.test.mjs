import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { init, layerNorm, rmsNorm, Tensor, Trainer } from '../../js/dist/normwasm.js';
import { readData } from '../data.mjs';
import { docsFolder, documents, pageParts, readEntries, resultsFolder, summary } from '../report.mjs';
import { Digits, Names } from '../src/lab/data.js';
import * as networks from '../src/lab/networks.js';
import { experimentIds, Lab, loadExperiment, Read, runExperiment, smooth } from '../src/lab/run.js';

await init({ variant: 'simd', threads: 1 });
const digits = new Digits({ read: readData, Tensor });
const names = new Names({ read: readData, Tensor, length: 12 });
const shared = { Trainer, Tensor, digits, names, functions: { layerNorm, rmsNorm }, options: { variant: 'simd' } };

/** Keys and names of what results have. */
const shape = (results) => Object.fromEntries(Object.entries(results.cells).map(([key, { values, curves }]) => [key, [...Object.keys(values), ...Object.keys(curves)].sort()]));

const short = new Map();
for (const id of experimentIds) {
  test(`experiment ${id} runs in a shortened form and gives its tables and charts`, async () => {
    const experiment = await loadExperiment(id);
    const seen = [];
    const results = await runExperiment({ ...shared, experiment, seeds: 1, scale: 0.004, onProgress: (p) => seen.push(p.done) });
    short.set(id, results);
    assert.equal(experiment.id, id);
    assert.deepEqual(Object.keys(results.cells), experiment.cells.map((c) => c.key));
    assert.deepEqual(seen, experiment.cells.map((_, i) => i));
    assert.equal(new Set(experiment.cells.map((c) => c.key)).size, experiment.cells.length);
    const { tables, charts, holds, verdict } = experiment.report(new Read(results));
    assert.ok(tables.length && charts.length && ['yes', 'partly', 'no'].includes(holds) && verdict.length > 100);
    for (const { head, rows } of tables) for (const row of rows) assert.equal(row.length, head.length);
    for (const text of ['claim', 'setting', 'measured', 'title', 'slug']) assert.ok(experiment[text]);
    assert.match(experiment.source.url, /^https:\/\/arxiv\.org\/abs\/\d{4}\.\d{5}$/);
  });
}

test('a run repeats to the bit', async () => {
  const experiment = await loadExperiment(11);
  const run = () => runExperiment({ ...shared, experiment, seeds: 2, scale: 0.01, only: (c) => c.network === 'convolutions' });
  assert.deepEqual({ ...(await run()), seconds: 0 }, { ...(await run()), seconds: 0 });
});

test('a run can be cancelled, and its trainer is disposed of', async () => {
  const abort = new AbortController();
  let steps = 0;
  let open = 0;
  class Watched {
    static async create(o) {
      const t = await Trainer.create(o);
      open++;
      const dispose = t.dispose.bind(t);
      t.dispose = () => {
        open--;
        dispose();
      };
      const step = t.step.bind(t);
      t.step = (batch) => {
        if (++steps === 5) abort.abort(new Error('enough'));
        return step(batch);
      };
      return t;
    }
  }
  const experiment = await loadExperiment(3);
  await assert.rejects(runExperiment({ ...shared, Trainer: Watched, experiment, seeds: 1, signal: abort.signal }), /enough/);
  assert.equal(steps, 5);
  assert.equal(open, 0);
});

test('a loss that is not finite ends a run, and is no failure', async () => {
  const lab = new Lab(shared);
  const { trainer, losses, ended } = await lab.train({
    network: networks.denseNetwork({ depth: 4, activation: 'relu' }), optimizer: { type: 'sgd', learningRate: 1000 }, seed: 1, size: 16, steps: 50,
  });
  trainer.dispose();
  assert.ok(ended > 1 && ended < 50);
  assert.equal(losses.length, ended - 1);
  const { y } = smooth(losses, 50, 50);
  assert.equal(y.findIndex((v) => v === null), ended - 1);
});

test('two variants with one seed see the same batches and begin with the same weights where they have them', async () => {
  const lab = new Lab(shared);
  const seen = [];
  for (const norm of ['none', 'layerNorm']) {
    const network = networks.stridedNetwork({ norm });
    const { trainer, losses } = await lab.train({ network, optimizer: { type: 'sgd', learningRate: 0 }, seed: 7, size: 8, steps: 2 });
    seen.push({ losses, first: (await trainer.statistics())[0] });
    trainer.dispose();
  }
  assert.deepEqual(seen[0].first.activation, seen[1].first.activation);
  assert.notDeepEqual(seen[0].losses, seen[1].losses);
});

test('means and spreads are those of the seeds', async () => {
  const values = [[1, null], [2, 5], [6, 7]];
  const experiment = {
    id: 99, seeds: 3, data: 'names', cells: [{ key: 'k', name: 'k' }],
    run: async (_, __, seed) => ({ values: { a: values[seed - 1][0], b: values[seed - 1][1] }, curves: { c: { x: [1, 2], y: [seed, seed === 2 ? null : 1] } } }),
  };
  const { cells } = await runExperiment({ ...shared, experiment });
  assert.deepEqual(cells.k.values.a, { mean: 3, std: 2.646, n: 3, all: [1, 2, 6] });
  assert.deepEqual(cells.k.values.b, { mean: 6, std: 1.414, n: 2, all: [null, 5, 7] });
  assert.deepEqual(cells.k.curves.c, { x: [1, 2], mean: [2, null], std: [1, null] });
  const r = new Read({ cells });
  // Paired: every seed has 1 more, whatever the seeds have in common.
  const pairs = new Read({ cells: { a: { values: { v: { all: [1, 5, 9, 2, 7] } } }, b: { values: { v: { all: [2.1, 5.9, 10, 3.1, 7.9] } } }, c: { values: { v: { all: [3, 1, 9, null, 8] } } } } });
  const d = pairs.difference('a', 'b', 'v');
  assert.deepEqual([d.mean, d.n, d.clear], [1, 5, true]);
  assert.deepEqual([pairs.difference('a', 'c', 'v').n, pairs.difference('a', 'c', 'v').clear, pairs.difference('a', 'a', 'v').clear], [4, false, false]);
  assert.deepEqual([r.text('k', 'a'), r.reached('k', 'b'), r.reached('k', 'none')], ['3 ± 2.6', '6 ± 1.4 (2 of 3 seeds)', 'never']);
});

test('each network takes each normalization that suits it, and refuses the others', async () => {
  const places = { denseNetwork: 'dense', stridedNetwork: 'images', pooledNetwork: 'images', recurrentNetwork: 'sequences', transformer: 'sequences' };
  await digits.load(0, 1000);
  await names.load();
  for (const [make, where] of Object.entries(places)) {
    for (const known of networks.norms) {
      const build = () => networks[make]({ norm: known.kind, ...(where === 'sequences' && { length: 12 }) });
      if (!known[where]) {
        assert.throws(build, /cannot stand here/, `${make} ${known.kind}`);
        continue;
      }
      const trainer = await Trainer.create({ ...build(), loss: 'crossEntropy', seed: 1, optimizer: { type: 'sgd', learningRate: 0.01 }, variant: 'simd' });
      const { loss } = await trainer.step(where === 'sequences' ? names.batch([1, 2]) : digits.batch([1, 2]));
      assert.ok(loss > 0 && loss < 20, `${make} ${known.kind}: ${loss}`);
      trainer.dispose();
    }
  }
  assert.throws(() => networks.transformer({ norm: 'norm' }), /norm is "norm", want one of none, batchNorm/);
});

test('the results fit their declarations', async () => {
  const files = (await readdir(resultsFolder)).filter((f) => f.endsWith('.json'));
  for (const file of files) {
    const results = JSON.parse(await readFile(join(resultsFolder, file), 'utf8'));
    const experiment = await loadExperiment(results.experiment);
    assert.equal(file, results.data === experiment.data ? `${results.experiment}.json` : `${results.experiment}-${results.data}.json`);
    assert.ok(results.seeds >= 5 && results.scale === 1, `${file}: at least five seeds, at full length`);
    const now = short.get(results.experiment) ?? await runExperiment({ ...shared, experiment, seeds: 1, scale: 0.004 });
    assert.deepEqual(shape(results), shape(now), file);
    for (const { values } of Object.values(results.cells)) for (const v of Object.values(values)) assert.equal(v.all.length, results.seeds);
  }
});

test('documents and page are made of the results', async () => {
  for (const [path, text] of await documents()) {
    assert.ok(await readFile(join(docsFolder, path), 'utf8') === text, `docs/${path} is not up to date: node experiment.mjs --documents`);
  }
  const entries = await readEntries();
  const { index, body } = pageParts(entries);
  for (const { experiment, results } of entries) {
    assert.ok(results.data === 'fashion' || body.includes(`id="claim-${experiment.id}"`));
    assert.ok(index.includes(`#claim-${experiment.id}"`));
    assert.match(summary(entries)[experiment.id].says, /[.;]$/);
  }
  assert.doesNotMatch(body, /style=|NaN|undefined|Infinity/);
  const ids = [...body.matchAll(/ id="([^"]+)"/g)].map((m) => m[1]);
  assert.equal(new Set(ids).size, ids.length);
});
