// What ran: phases, the engine, the two networks before and after optimization, and what was downloaded.

import { $, bytes, make, ms } from './dom.js';

const PHASES = [
  ['trim', 'Find and cut the line'],
  ['cls', 'Direction network'],
  ['rec', 'Reading network'],
  ['decode', 'Decode the text'],
];

const row = (name, ...values) => make('tr', null, make('th', { scope: 'row' }, name), ...values.map((v) => make('td', null, v)));

export function showTimes(times, { columns, steps }) {
  $('ran-empty').hidden = true;
  $('ran').hidden = false;
  $('phases').replaceChildren(...PHASES.map(([key], i) => {
    const part = make('i', { className: `p${i}` });
    part.style.flexGrow = String(times[key]);
    return part;
  }));
  const total = PHASES.reduce((sum, [key]) => sum + times[key], 0);
  $('times').replaceChildren(
    ...PHASES.map(([key, name], i) => {
      const label = make('span', null, make('i', { className: `dot p${i}`, 'aria-hidden': 'true' }), name);
      if (key === 'rec') label.append(make('small', null, `${columns} columns in, ${steps} steps out`));
      return row(label, ms(times[key]));
    }),
    row('Together', ms(total)),
  );
}

/** @param {{ variant: string, version: string }} ready */
export function showEngine(ready, memory, loadMs) {
  $('engine').replaceChildren(
    row('Running', ready.variant),
    row('Version', ready.version),
    row('Memory', make('span', null, bytes(memory.total), make('small', null, `${bytes(memory.inUse)} in use`))),
    row('Ready after', ms(loadMs)),
  );
}

export function showDownloads(files) {
  const wire = (f) => (f.transferred > 0 && f.transferred >= f.encoded ? bytes(f.encoded) : f.encoded > 0 ? `${bytes(f.encoded)}, from cache` : 'not measured');
  const sum = (key) => bytes(files.reduce((n, f) => n + f[key], 0));
  $('downloads').replaceChildren(
    ...files.map((f) => row(make('span', null, describe(f.path), make('small', null, f.path.split('/').at(-1))), wire(f), f.decoded ? bytes(f.decoded) : '')),
    row('Together', sum('encoded'), sum('decoded')),
  );
}

function describe(path) {
  if (path.endsWith('.wasm')) return 'Engine';
  if (path.includes('cls')) return 'Direction network';
  if (path.includes('rec')) return 'Reading network';
  return 'Alphabet';
}

// The browser's clock ticks in tenths of a millisecond: nothing finer is known about a single node.
const tick = (t) => (t < 0.1 ? '< 0.1 ms' : ms(t).replace(/(\.\d)\d ms/, '$1 ms'));
const isBatch = (op) => /batch.?norm/i.test(op);
const isLayer = (op) => /layer.?norm/i.test(op);
const count = (ops, is) => ops.filter(is).length;
// Constants are how a file is written down; they are no work.
const isWork = (op) => op !== 'Constant' && op !== 'Identity';

/** @param {Record<'cls' | 'rec', { run: { nodes: { op: string, ms: number }[], totalMs: number }, written?: string[] }>} networks */
export function showNetworks(networks) {
  const both = ['cls', 'rec'].map((name) => {
    const { run, written } = networks[name];
    const ops = run.nodes.map((n) => n.op);
    return { run, ops, written: written?.filter(isWork) };
  });
  const cells = (value) => both.map(value);
  const wait = '…';
  const batch = row('BatchNorm', ...cells(({ ops, written }) => {
    if (!written) return wait;
    const was = count(written, isBatch), live = count(ops, isBatch);
    return make('span', null, `${was} → ${live}`, make('small', null, was > live ? was - live === was ? 'all folded away' : `${was - live} folded away` : live ? 'run as such' : 'none in the file'));
  }));
  const layer = row('LayerNorm', ...cells(({ ops, written }) => {
    if (!written) return wait;
    const named = count(written, isLayer), live = count(ops, isLayer);
    return make('span', null, String(live), make('small', null, live > named ? `out of ${9 * (live - named)} small nodes` : live ? 'run as such' : 'none in the file'));
  }));
  batch.className = 'batch';
  layer.className = 'layer';
  const normMs = (run) => run.nodes.filter((n) => isBatch(n.op) || isLayer(n.op)).reduce((sum, n) => sum + n.ms, 0);
  $('networks').replaceChildren(
    row('Nodes as written', ...cells(({ written }) => (written ? String(written.length) : wait))),
    row('Nodes that ran', ...cells(({ ops }) => String(ops.length))),
    batch,
    layer,
    row('Time in normalization', ...cells(({ run }) => `${tick(normMs(run))} of ${tick(run.totalMs)}`)),
  );
  $('ops').replaceChildren(...['Direction', 'Reading'].map((title, i) => make('div', null, make('h3', null, `${title}: where the time goes`), top(both[i].run))));
}

function top(run) {
  /** @type {Map<string, { ms: number, n: number }>} */
  const sums = new Map();
  for (const { op, ms: t } of run.nodes) {
    const s = sums.get(op) ?? { ms: 0, n: 0 };
    s.ms += t;
    s.n++;
    sums.set(op, s);
  }
  const ranked = [...sums].sort((a, b) => b[1].ms - a[1].ms);
  // The norms are what this project is about: they are shown even when they are too quick to rank.
  const shown = ranked.filter(([op], i) => i < 6 || isBatch(op) || isLayer(op));
  const most = ranked[0]?.[1].ms || 1;
  return make('ul', { className: 'ops' }, ...shown.map(([op, s]) =>
    make('li', { className: isLayer(op) ? 'layer' : isBatch(op) ? 'batch' : '' },
      make('span', null, `${op} × ${s.n}`),
      make('span', null, tick(s.ms)),
      make('progress', { className: 'bar', max: most, value: s.ms, 'aria-hidden': 'true' }))));
}
