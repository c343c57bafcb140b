// What a race looks like: numbers, curves, answers and statistics, all out of what the race has measured.

import { $, make } from '../dom.js';
import { htmlTable, number, numbers, update } from './chart.js';
import { alphabet, classes } from './data.js';
import { shown } from './race-run.js';
import { largest, row, softmax } from './softmax.js';
import { smooth, smoothed } from './race-curves.js';
import { networks, tasks } from './race-setting.js';

/** @typedef {import('./race-run.js').Race} Race */
/** @typedef {import('./race-run.js').Look} Look */

const names = /** @type {const} */ (['a', 'b']);
const percent = (/** @type {number} */ p) => `${(100 * p).toFixed(1)} %`;
const figure = (/** @type {number} */ v) => (Number.isFinite(v) ? (Math.abs(v) < 1e4 ? (Math.abs(v) < 0.005 ? '0.00' : v.toFixed(2).replace('-', '−')) : number(v)) : '–');

/** The curves of a race up to a step. @param {Race | undefined} race @param {number} step @param {number} end */
export function curves(race, step, end) {
  const looks = race ? race.looks.filter((l) => l.step <= step) : [];
  const x = { label: 'step', min: 0, max: Math.max(end, race?.at ?? 0) };
  const lanes = race ? twoNames(race) : [];
  const dash = race && race.lanes[0].kind === race.lanes[1].kind ? 1 : 0;
  const accuracy = {
    type: /** @type {const} */ ('lines'), id: 'accuracy', x, y: { label: 'right', percent: true, min: 0, ...(race?.setting.data !== 'names' && { max: 1 }) },
    title: race?.setting.data === 'names' ? 'Letters of held-out names that are right' : 'Held-out digits that are right',
    series: lanes.flatMap(({ name, kind }, i) => [
      { name, kind, dash: i * dash, x: looks.map((l) => l.step), y: looks.map((l) => l.running[i]?.accuracy ?? null), ended: Boolean(race?.lanes[i].stopped) },
      ...(kind === 'batchNorm' ? [{ name: `${name}, statistics of the batch`, kind, dash: 2 + i * dash, x: looks.map((l) => l.step), y: looks.map((l) => l.ofBatch[i]?.accuracy ?? null) }] : []),
    ]),
  };
  const made = race ? race.steps.slice(0, step) : [];
  const loss = {
    type: /** @type {const} */ ('lines'), id: 'loss', x, y: { label: 'loss', min: 0, ...(made.length < 2 && { max: 3 }) },
    title: `Loss of the training batches, mean of the latest ${smooth} steps`,
    series: lanes.map(({ name, kind }, i) => ({ name, kind, dash: i * dash, x: made.map((_, k) => k + 1), y: smoothed(made.map((s) => s.loss[i])), ended: Boolean(race?.lanes[i].stopped) })),
  };
  return { accuracy, loss };
}

/** Names that tell the lanes apart even when both run with the same. @param {Race} race */
function twoNames({ lanes: [a, b] }) {
  return a.name === b.name ? [{ name: `${a.name} (one)`, kind: a.kind }, { name: `${b.name} (other)`, kind: b.kind }] : [a, b];
}

/** @type {Map<Element, any>} the chart that stands in a figure */
const drawn = new Map();

/** @param {HTMLElement} plot a figure of the page @param {any} chart @param {{ cursor?: number, marks?: { at: number, text: string }[] }} [more] */
export function plot(plot, chart, { cursor, marks = [] } = {}) {
  const host = /** @type {HTMLElement} */ (plot.querySelector('.host'));
  const caption = /** @type {HTMLElement} */ (plot.querySelector('figcaption'));
  if (caption.textContent !== chart.title) caption.textContent = chart.title;
  const width = Math.max(280, Math.min(640, host.clientWidth));
  if (host.dataset.width !== String(width)) host.removeAttribute('data-axes');
  host.dataset.width = String(width);
  const description = chart.series.map((/** @type {any} */ s) => {
    const last = s.y.findLastIndex((/** @type {any} */ v) => v !== null);
    return last < 0 ? '' : `${s.name}: ${number(s.y[last], chart.y.percent)} at ${chart.x.label} ${s.x[last]}.`;
  }).filter(Boolean).join(' ') || 'No numbers yet.';
  update(host, { ...chart, description, width, height: 260 });
  const svg = /** @type {SVGElement} */ (host.querySelector('svg'));
  const desc = svg.querySelector('desc');
  if (desc && desc.textContent !== description) desc.textContent = description;
  overlay(svg, chart, cursor, marks);
  drawn.set(plot, chart);
  if (plot.querySelector('details')?.open) table(plot);
}

/** Where the visitor stands, and where the batch size changed. @param {SVGElement} svg @param {any} chart @param {number | undefined} cursor @param {{ at: number, text: string }[]} marks */
function overlay(svg, chart, cursor, marks) {
  svg.querySelectorAll('.mark, .mark-text').forEach((e) => e.remove());
  const [, left, bottom, right] = /M([\d.]+) ([\d.]+)H([\d.]+)/.exec(svg.querySelector('.axis')?.getAttribute('d') ?? '')?.map(Number) ?? [];
  const top = Number(/M[\d.]+ ([\d.]+)H/.exec([...svg.querySelectorAll('.grid')].at(-1)?.getAttribute('d') ?? '')?.[1] ?? 20);
  const place = (/** @type {number} */ step) => left + ((step - chart.x.min) / (chart.x.max - chart.x.min)) * (right - left);
  const draw = (/** @type {string} */ tag, /** @type {Record<string, any>} */ attributes, text = '') => {
    const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [k, v] of Object.entries(attributes)) node.setAttribute(k, v);
    node.textContent = text;
    svg.append(node);
  };
  for (const { at, text } of marks) {
    const x = place(at).toFixed(1);
    draw('path', { class: 'mark', d: `M${x} ${top}V${bottom}` });
    const late = Number(x) > right - 70;
    draw('text', { class: `mark-text${late ? ' end' : ''}`, x: Number(x) + (late ? -4 : 4), y: top + 10 }, text);
  }
  if (cursor !== undefined) draw('path', { class: 'mark cursor', d: `M${place(cursor).toFixed(1)} ${top}V${bottom}` });
}

/** The numbers of a figure's chart, as a table. @param {HTMLElement} plot */
function table(plot) {
  const chart = drawn.get(plot);
  const into = /** @type {HTMLElement} */ (plot.querySelector('.scrolls'));
  into.setAttribute('aria-label', `Numbers of: ${chart.title}`);
  into.innerHTML = htmlTable(numbers(chart));
}

for (const plot of document.querySelectorAll('.plot')) {
  plot.querySelector('details')?.addEventListener('toggle', (event) => {
    if (/** @type {HTMLDetailsElement} */ (event.target).open && drawn.has(plot)) table(/** @type {HTMLElement} */ (plot));
  });
}

/** The latest measurement up to a step. @param {Race} race @param {number} step */
export const lookAt = (race, step) => race.looks.findLast((l) => l.step <= step) ?? race.looks[0];

/** The numbers of both lanes. @param {Race} race @param {number} step */
export function showLanes(race, step) {
  const look = lookAt(race, step);
  const lanes = twoNames(race);
  names.forEach((id, i) => {
    const lane = $(`lane-${id}`);
    lane.className = `lane s-${lanes[i].kind}`;
    lane.querySelector('h3').textContent = lanes[i].name;
    const score = look.running[i];
    lane.querySelector('.score b').textContent = score ? percent(score.accuracy) : 'out';
    lane.querySelector('.score span').textContent = score ? `right, loss ${figure(score.loss)}` : '';
    const { stopped } = race.lanes[i];
    lane.querySelector('.pace').textContent = stopped && stopped.step <= step ? `Stopped at step ${stopped.step + 1}: ${stopped.message}` : pace(race, i);
  });
}

/** Steps a second, over the latest ones. @param {Race} race @param {number} lane */
function pace(race, lane) {
  const latest = race.steps.slice(-50).map((s) => s.ms[lane]).filter((t) => t > 0);
  if (latest.length === 0) return 'no step yet';
  const mean = latest.reduce((a, b) => a + b, 0) / latest.length;
  return `${number(1000 / mean)} steps a second`;
}

/** What both answer to held-out examples. @param {Race} race @param {number} step */
export function showAnswers(race, step) {
  const look = lookAt(race, step);
  const list = $('answers');
  const { data } = race.setting;
  list.className = `answers ${data}`;
  if (list.dataset.of !== data || list.childElementCount !== shown[data]) {
    list.dataset.of = data;
    list.replaceChildren(...Array.from({ length: shown[data] }, (_, i) => (data === 'digits' ? digitItem(race, i) : nameItem(race, i))));
  }
  const lanes = twoNames(race);
  [...list.children].forEach((item, i) => {
    names.forEach((_, k) => {
      const line = /** @type {HTMLElement} */ (item.querySelectorAll('.answer')[k]);
      line.className = `answer s-${lanes[k].kind}`;
      const outputs = look.outputs[k];
      if (!outputs) line.replaceChildren(make('span', { className: 'visually-hidden' }, `${lanes[k].name}: `), 'out');
      else if (data === 'digits') answerDigit(line, lanes[k].name, softmax(row(outputs, i, classes)), race.held.y.data[i]);
      else answerName(line, lanes[k].name, outputs, race.held.y.data, i, race.held.y.dims[1]);
    });
  });
}

/** @param {Race} race @param {number} i */
function digitItem(race, i) {
  const canvas = make('canvas', { width: 28, height: 28, role: 'img', 'aria-label': `a handwritten ${race.held.y.data[i]}` });
  const g = canvas.getContext('2d');
  const image = g.createImageData(28, 28);
  const ink = race.held.x.data.subarray(i * 784, (i + 1) * 784);
  // Dark on light in both colour schemes: a picture of paper.
  ink.forEach((/** @type {number} */ v, /** @type {number} */ p) => image.data.set([255 - 227 * v, 253 - 218 * v, 248 - 210 * v, 255], 4 * p));
  g.putImageData(image, 0, 0);
  return make('li', null, make('span', { className: 'label', 'aria-hidden': 'true' }, String(race.held.y.data[i])), canvas, make('p', { className: 'answer' }), make('p', { className: 'answer' }));
}

/** @param {HTMLElement} line @param {string} name @param {number[]} p @param {number} label */
function answerDigit(line, name, p, label) {
  const best = largest(p);
  line.classList.toggle('wrong', best !== label);
  line.replaceChildren(
    make('span', { className: 'visually-hidden' }, `${name}: `),
    make('b', null, String(best)),
    make('span', null, ` ${Math.round(100 * p[best])} %`),
    make('span', { className: 'visually-hidden' }, best === label ? ', right' : ', wrong'),
  );
}

/** @param {Race} race @param {number} i */
function nameItem(race, i) {
  const { y } = race.held;
  const letters = [...y.data.subarray(i * y.dims[1], (i + 1) * y.dims[1])];
  const name = letters.slice(0, letters.indexOf(0)).map((t) => alphabet[t]).join('');
  return make('li', null, make('b', { className: 'asked' }, name), make('p', { className: 'answer' }), make('p', { className: 'answer' }));
}

/** @param {HTMLElement} line @param {string} name @param {Float32Array} outputs @param {Int32Array} labels @param {number} i @param {number} length */
function answerName(line, name, outputs, labels, i, length) {
  const parts = [];
  let right = 0;
  let count = 0;
  for (let t = 0; t < length; t++) {
    const label = labels[i * length + t];
    const best = largest(row(outputs, i * length + t, alphabet.length));
    parts.push(make('span', { className: best === label ? 'right' : '' }, best === 0 ? '·' : alphabet[best]));
    right += best === label ? 1 : 0;
    count++;
    if (label === 0) break;
  }
  const letters = make('span', { className: 'letters', 'aria-hidden': 'true' }, ...parts);
  line.replaceChildren(make('span', { className: 'visually-hidden' }, `${name}: `), letters, make('span', { className: 'count' }, ` ${right} of ${count} right`));
}

/** Tables of the layers, one a lane, made once for a race. @param {Race} race */
export function setLayers(race) {
  const lanes = twoNames(race);
  $('layers').replaceChildren(...names.map((id, i) => {
    const model = networks[race.setting.network];
    const rows = make('tbody');
    return make('div', { className: `lane s-${lanes[i].kind}` },
      make('h3', { id: `layers-${id}` }, lanes[i].name),
      make('div', { className: 'scroll', tabIndex: 0, role: 'region', 'aria-labelledby': `layers-${id}` },
        make('table', { className: 'figures layers', id: `rows-${id}`, 'aria-label': `${lanes[i].name}, ${model.name}` },
          make('thead', null, make('tr', null, ...['Layer', 'Mean ± deviation', 'Gradient'].map((h) => make('th', { scope: 'col' }, h)))), rows)));
  }));
}

/** @param {Race} race @param {number} step */
export function showLayers(race, step) {
  const look = lookAt(race, step);
  const reach = Math.max(1, ...look.layers.flatMap((list) => (list ?? []).map((l) => Math.abs(l.activation.mean) + l.activation.std)).filter(Number.isFinite));
  names.forEach((id, i) => {
    const body = $(`rows-${id}`).querySelector('tbody');
    // Until the first step there are no statistics, but it is known how many rows there will be.
    const list = look.layers[i] ?? rowsOf(race, i);
    if (body.childElementCount !== list.length) {
      body.replaceChildren(...list.map(() => {
        const bar = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
        for (const [k, v] of Object.entries({ class: 'range', viewBox: '-50 0 100 10', preserveAspectRatio: 'none', 'aria-hidden': 'true' })) bar.setAttribute(k, v);
        bar.innerHTML = '<path class="zero" d="M0 0V10"/><path class="reach" d=""/>';
        return make('tr', null, make('th', { scope: 'row' }), make('td', null, make('span'), bar), make('td'));
      }));
    }
    list.forEach((/** @type {any} */ l, /** @type {number} */ k) => {
      const [name, value, gradient] = body.children[k].children;
      const { mean, std } = l.activation ?? { mean: NaN, std: NaN };
      name.textContent = l.layer;
      name.className = /Norm|Tanh/.test(l.layer) ? 'name' : '';
      value.querySelector('span').textContent = Number.isFinite(mean) ? `${figure(mean)} ± ${figure(std)}` : '–';
      const [low, high] = [mean - std, mean + std].map((v) => Math.min(50, Math.max(-50, (50 * v) / reach)));
      value.querySelector('.reach').setAttribute('d', Number.isFinite(low) ? `M${low.toFixed(1)} 5H${Math.max(high, low + 0.8).toFixed(1)}` : '');
      gradient.textContent = l.gradientNorm ? number(l.gradientNorm) : '';
    });
  });
}

/** The layers' names before they have numbers, as Trainer.statistics() will name them. @param {Race} race @param {number} lane */
function rowsOf(race, lane) {
  const list = (/** @type {any[]} */ layers, /** @type {string} */ before) => layers.flatMap((/** @type {any} */ l, /** @type {number} */ i) => [
    ...(l.body ? list(l.body, `${before}${i}.`) : []), { layer: `${before}${i} ${l.type}` },
  ]);
  return list(race.models[lane], '');
}

/** The layers with running statistics. @param {Race} race @returns {{ lane: number, layer: string, text: string }[]} */
export function normLayers(race) {
  const lanes = twoNames(race);
  return race.lanes.flatMap(({ kind }, lane) => (kind === 'batchNorm' ? rowsOf(race, lane).filter((r) => / batchNorm$/.test(r.layer)).map(({ layer }) => ({ lane, layer, text: `${lanes[lane].name}: layer ${layer.split(' ')[0]}` })) : []));
}

/** Running against batch statistics of one layer. @param {Race} race @param {number} step @param {{ lane: number, layer: string } | undefined} which */
export function showStatistics(race, step, which) {
  const look = lookAt(race, step);
  const found = which && look.layers[which.lane]?.find((l) => l.layer === which.layer);
  const of = (/** @type {'mean' | 'variance'} */ key) => {
    const [running, batch] = found ? [[...found.running[key]], [...found.batch[key]]] : [[], []];
    const x = running.map((_, i) => i);
    return {
      type: /** @type {const} */ ('lines'), id: key, title: key === 'mean' ? 'Mean of each channel' : 'Variance of each channel',
      x: { label: 'channel', min: 0, max: Math.max(1, running.length - 1) }, y: { label: key, ...(key === 'variance' && { min: 0 }) },
      series: [
        { name: 'running', kind: 'batchNorm', x, y: running, points: true },
        { name: 'latest batch', kind: 'none', dash: 1, x, y: batch, points: true },
      ],
    };
  };
  plot($('plot-mean'), of('mean'));
  plot($('plot-variance'), of('variance'));
  $('apart').textContent = found
    ? `Step ${look.step}, a batch of ${look.batch}: its variance and the running one differ by a factor of ${factor(found)} in the typical channel, its mean and the running one by ${shiftOf(found)} deviations.`
    : 'Statistics appear with the first measurement after a step.';
}

/** How many times a batch's variance is the running one, larger or smaller: the geometric mean over channels. @param {any} l */
function factor({ running, batch }) {
  let sum = 0;
  let n = 0;
  running.variance.forEach((/** @type {number} */ v, /** @type {number} */ i) => {
    if (v > 0 && batch.variance[i] > 0) [sum, n] = [sum + Math.abs(Math.log(batch.variance[i] / v)), n + 1];
  });
  return n ? Math.exp(sum / n).toFixed(2) : '–';
}

/** @param {any} l */
function shiftOf({ running, batch }) {
  const all = [...running.mean].map((m, i) => Math.abs(batch.mean[i] - m) / Math.sqrt(running.variance[i])).filter(Number.isFinite);
  return all.length ? (all.reduce((a, b) => a + b, 0) / all.length).toFixed(2) : '–';
}

/** What came of a changed batch size, in numbers. @param {Race} race @param {number} step */
export function changeText(race, step) {
  const change = race.setting.changes.findLast((c) => c.from < step);
  if (!change) return '';
  const now = lookAt(race, step);
  const before = race.looks.findLast((l) => l.step <= change.from);
  if (!before || now.step <= change.from) return '';
  const { unit, units } = tasks[race.setting.data];
  const lanes = twoNames(race);
  const what = race.setting.data === 'digits' ? 'held-out digits' : 'letters of held-out names';
  /** @param {number} was @param {number} is @param {number} much @param {(v: number) => string} text */
  const moved = (was, is, much, text) => `${is - was < -much ? 'fell' : is - was > much ? 'rose' : 'went'} from ${text(was)} to ${text(is)}`;
  const right = names.map((_, i) => {
    const [was, is] = [before.running[i], now.running[i]];
    return was && is ? `${lanes[i].name} ${moved(was.accuracy, is.accuracy, 0.02, percent)}` : `${lanes[i].name} has stopped`;
  });
  const loss = names.map((_, i) => {
    const all = smoothed(race.steps.slice(0, now.step).map((s) => s.loss[i]));
    const [was, is] = [all[change.from - 1], all[now.step - 1]];
    return typeof was === 'number' && typeof is === 'number' ? `${lanes[i].name}’s ${moved(was, is, 0.25 * was, figure)}` : '';
  }).filter(Boolean);
  const own = now.ofBatch.map((s, i) => (s && now.running[i] ? ` With these examples’ own statistics ${lanes[i].name} has ${percent(s.accuracy)}.` : '')).join('');
  return `Since step ${change.from} a batch is ${change.batch === 1 ? `one ${unit}` : `${change.batch} ${units}`}. Of the ${what}, ${right.join('; ')}.${own}${loss.length ? ` In training, ${loss.join('; ')}.`.replace('’s ', '’s loss ') : ''}`;
}

/** The result against the guess. @param {Race} race @param {Awaited<ReturnType<Race['decide']>>} result @param {string} guess */
export function verdictText(race, { winner, scores, count, difference, error }, guess) {
  const lanes = twoNames(race);
  const { units } = tasks[race.setting.data];
  const digits = race.setting.data === 'digits';
  const said = guess === 'same' ? 'about the same' : guess ? lanes[guess === 'a' ? 0 : 1].name : '';
  const told = (/** @type {number} */ i) => {
    const score = scores[i];
    return `${lanes[i].name} ${score ? (digits ? `${percent(score.accuracy)} right` : `a loss of ${score.loss.toFixed(3)} a letter`) : 'has stopped'}`;
  };
  const first = winner === 'b' ? 1 : 0;
  const next = race.setting.changes.length === 0 && race.setting.batch > 1 && lanes.some(({ kind }) => kind === 'batchNorm') ? ' Now try batches of 1: who minds?' : '';
  const margin = Number.isFinite(difference) ? ` Difference ${digits ? `${(100 * Math.abs(difference)).toFixed(1)} ± ${(100 * error).toFixed(1)} points` : `${Math.abs(difference).toFixed(3)} ± ${error.toFixed(3)}`}.` : '';
  return `${winner === 'same' ? 'No difference beyond chance' : `${lanes[first].name} is ahead`} after ${race.at} steps. Of ${count} held-out ${units}: ${told(first)}, ${told(1 - first)}.${margin}${said ? ` You said ${said}: ${guess === winner ? 'so it was.' : 'it was not so.'}` : ''}${next}`;
}

/**
 * The longest that both texts will be, to keep room for them.
 * @param {import('./race-setting.js').Setting} setting @param {{ name: string, kind: string }[]} lanes
 */
export function longest(setting, lanes) {
  const score = { loss: 1.234, accuracy: 0.8888 };
  const look = (/** @type {number} */ step) => ({ step, running: [score, score], ofBatch: lanes.map(({ kind }) => (kind === 'batchNorm' ? score : null)) });
  const race = /** @type {any} */ ({ setting: { ...setting, changes: [{ from: setting.steps, batch: 1 }] }, lanes, at: setting.steps, steps: Array.from({ length: setting.steps + 1 }, (_, i) => ({ loss: i < setting.steps ? [8.88, 8.88] : [9.99, 9.99] })), looks: [look(0), look(setting.steps + 1)] });
  const ahead = lanes[0].name.length > lanes[1].name.length ? 'a' : 'b';
  return {
    verdict: verdictText({ ...race, setting: { ...setting, changes: [] } }, { winner: ahead, scores: [score, score], count: 1000, difference: 0.1234, error: 0.0123 }, ahead === 'a' ? 'a' : 'b').replace('so it was', 'it was not so'),
    change: changeText(race, setting.steps + 1),
  };
}
