// What ran: phases, the engine, the two networks before and after optimization, and what was downloaded.

import { $, bytes, make, ms, percent, plural } from './dom.js';

const PHASES = [
  ['open', 'Take the picture in'],
  ['find', 'Find the lines, level them'],
  ['turn', 'Which way is up'],
  ['read', 'Read the lines'],
];
const NETWORKS = [['det', 'Finding'], ['cls', 'Direction'], ['rec', 'Reading']];

const row = (name, ...values) => make('tr', null, make('th', { scope: 'row' }, name), ...values.map((v) => make('td', null, v)));

export function showTimes(times, { lines, columns, steps }) {
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
      if (key === 'read' && lines) label.append(make('small', null, `${plural(lines, 'line')}, up to ${columns} columns in; ${steps} steps out`));
      return row(label, ms(times[key]));
    }),
    row('Together', ms(total)),
  );
}

/** @param {{ variant: string, version: string, threads: number }} ready */
export function showEngine(ready, memory, loadMs) {
  $('engine').replaceChildren(
    row('Running', ready.variant),
    row('Threads', String(ready.threads)),
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
  if (path.includes('det')) return 'Finding network';
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

// LayerNorm as PyTorch writes it into a file of this age: nine small operations.
const SPELT_OUT = ['ReduceMean', 'Sub', 'Pow', 'ReduceMean', 'Add', 'Sqrt', 'Div', 'Mul', 'Add'];

/** What normalization took: nodes of that name, and LayerNorm spelt out. @param {{ op: string, ms: number }[]} nodes */
function normMs(nodes) {
  const work = nodes.filter((n) => isWork(n.op));
  let sum = 0;
  for (let i = 0; i < work.length; i++) {
    if (isBatch(work[i].op) || isLayer(work[i].op)) sum += work[i].ms;
    else if (SPELT_OUT.every((op, k) => work[i + k]?.op === op)) {
      for (const n of work.slice(i, i + SPELT_OUT.length)) sum += n.ms;
      i += SPELT_OUT.length - 1;
    }
  }
  return sum;
}

/** The time of the nodes that were divided among threads. @param {Profile} run */
const divided = ({ nodes }) => nodes.reduce((sum, n) => sum + ((n.threads ?? 1) > 1 ? n.ms : 0), 0);

/**
 * @typedef {{ nodes: { op: string, ms: number, threads?: number }[], totalMs: number }} Profile
 * @param {Record<string, { run: Profile, written?: Profile, dims: number[] }>} networks by name, those that ran;
 *   written: the same with nothing folded or fused
 */
export function showNetworks(networks) {
  const there = NETWORKS.filter(([name]) => networks[name]);
  const each = there.map(([name, title]) => {
    const { run, written, dims } = networks[name];
    return { title, run, dims, plain: written, ops: run.nodes.map((n) => n.op), written: written?.nodes.map((n) => n.op).filter(isWork) };
  });
  const cells = (value) => each.map(value);
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
  $('networks-head').replaceChildren(make('td'), ...there.map(([, title]) => make('th', { scope: 'col' }, title)));
  $('networks').replaceChildren(
    row('Input', ...cells(({ dims }) => `${dims[3]} × ${dims[2]}`)),
    row('Nodes as written', ...cells(({ written }) => (written ? String(written.length) : wait))),
    row('Nodes that ran', ...cells(({ ops }) => String(ops.length))),
    ...(each.some((e) => divided(e.run) > 0) ? [row('Of their time, on several threads', ...cells(({ run }) => percent(divided(run) / run.totalMs)))] : []),
    batch,
    layer,
    row('Normalization, as it ran', ...cells(({ run }) => `${tick(normMs(run.nodes))} of ${tick(run.totalMs)}`)),
    row('Normalization, nothing folded', ...cells(({ plain }) => (plain ? `${tick(normMs(plain.nodes))} of ${tick(plain.totalMs)}` : wait))),
  );
  const add = (list) => list.reduce((a, b) => a + b, 0);
  if (each.every((e) => e.plain)) {
    const ran = add(each.map((e) => normMs(e.run.nodes))), all = add(each.map((e) => e.run.totalMs));
    const was = add(each.map((e) => normMs(/** @type {Profile} */ (e.plain).nodes))), whole = add(each.map((e) => /** @type {Profile} */ (e.plain).totalMs));
    $('norm-share').textContent = `Why so little? BatchNorm's frozen statistics are folded into the weights of the convolutions beside it when a model is loaded, so nothing of it is left to run; LayerNorm measures afresh and does run, but on a few thousand numbers. `
      + `Read once more with nothing folded or fused, the same input took ${tick(was)} of normalization in ${tick(whole)}, against ${tick(ran)} in ${tick(all)} as it ran: here the convolutions are the work, and normalization is what lets a network this deep be trained. One run each, so the times vary.`;
  }
  $('ops').replaceChildren(...each.map(({ title, run }) => make('div', null, make('h3', null, `${title}: where the time goes`), top(run))));
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
