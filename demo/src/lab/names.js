// Names: a transformer that writes names as their beginning is typed, with its attention and what its norms measure.

import { $, make, percent } from '../dom.js';
import { InferenceSession, Tensor } from '../engine.js';
import { offerThreads } from '../threads.js';
import { Names, alphabet, fetchFile } from './data.js';
import { feed, layersOf, lettersOf, moments, write } from './names-model.js';
import { row, softmax } from './softmax.js';

const COUNT = 6; // names at a time
const TRIES = 12; // some come twice
const SHOWN = 8; // letters that may come next

/** @type {InferenceSession | undefined} */
let session;
let length = 16;
/** @type {ReturnType<typeof layersOf>} */
let layers = { attentions: [], norms: [] };
/** All names of the data, to tell new ones from those that were learnt. @type {Set<string> | undefined} */
let known;
let seed = 1;
/** Counts what was asked for: what comes back for an older question is dropped. */
let asked = 0;

/** @type {import('./names-model.js').Run} */
const run = async (x, dims, outputs) => /** @type {any} */ (await /** @type {InferenceSession} */ (session).run({ x: new Tensor('int64', x, dims) }, outputs));

const beginning = () => lettersOf($('begin').value, length - 1);
const temperature = () => Number($('temperature').value);
const capital = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);
/** @type {number} */
let layer = 0;
/** The latest answer about the beginning. @type {{ text: string, outputs: Record<string, { data: Float32Array, dims: readonly number[] }> } | undefined} */
let looked;

async function ask() {
  if (!session) return;
  const mine = ++asked, text = beginning();
  try {
    const outputs = await run(feed(text, length), [1, length], ['y', ...layers.attentions, ...new Set(layers.norms.flatMap((n) => [n.input, n.output]))]);
    if (mine !== asked) return;
    looked = { text, outputs };
    showNext();
    showAttention();
    showNorms();
    await suggest(mine, text);
  } catch (error) {
    if (mine === asked) failed(error);
  }
}

async function suggest(mine, text) {
  const t = temperature();
  const names = await write(run, { beginning: text, count: t === 0 ? 1 : TRIES, temperature: t, seed, length, stop: () => mine !== asked });
  if (!names) return;
  $('written').replaceChildren(...names.slice(0, COUNT).map((name) => make('li', null, make('button', {
    type: 'button', title: 'Go on from this name',
    onclick: () => {
      $('begin').value = name;
      changed();
      $('begin').focus();
    },
  }, make('b', null, capital(text)), text ? name.slice(text.length) : capital(name)), ...(known ? [make('small', null, known.has(name) ? 'in the data' : 'new')] : []))));
  $('announce').textContent = `Names: ${names.slice(0, COUNT).map(capital).join(', ')}`;
  Object.assign(document.documentElement.dataset, { started: 'true', answered: `${text} ${t} ${seed}` });
}

// ---- the next letter ----

function showNext() {
  if (!looked) return;
  const { text, outputs: { y } } = looked, at = text.length, width = alphabet.length;
  if (at >= length - 1) {
    $('next-where').textContent = 'The name is as long as the network can write.';
    $('next').replaceChildren();
    return;
  }
  const p = softmax(row(y.data, at, width), temperature());
  $('next-where').textContent = text ? `After “${capital(text)}”:` : 'At the beginning of a name:';
  $('next').replaceChildren(...p.map((v, token) => ({ v, token })).sort((a, b) => b.v - a.v).slice(0, SHOWN).map(({ v, token }, k) => {
    const bar = make('i');
    bar.style.width = `${100 * v}%`;
    return make('tr', { className: k === 0 ? 'best' : '' }, make('th', { scope: 'row' }, token === 0 ? 'end' : alphabet[token]), make('td', null, make('span', { className: 'track', 'aria-hidden': 'true' }, bar)), make('td', null, percent(v)));
  }));
}

// ---- attention ----

/** The characters that stand at the places: a dot begins each name. */
const characters = (text) => ['.', ...text];

/** Squares as large as fit. */
function sized(table, places) {
  table.style.setProperty('--places', String(places + 1));
  return table;
}

function showAttention() {
  if (!looked) return;
  const { text, outputs } = looked, { data, dims: [, heads, steps] } = outputs[layers.attentions[layer]], labels = characters(text);
  $('heads').replaceChildren(...Array.from({ length: heads }, (_, h) => {
    const row = (t) => data.subarray((h * steps + t) * steps, (h * steps + t) * steps + labels.length);
    const last = row(labels.length - 1), order = [...last.keys()].sort((a, b) => last[b] - last[a]).slice(0, Math.min(2, labels.length));
    const place = (i) => `${i === 0 ? 'the beginning' : `“${labels[i]}”`} ${percent(last[i])}`;
    return make('figure', null,
      make('figcaption', null, make('b', null, `Head ${h + 1}`), ` from ${labels.length === 1 ? 'the beginning' : `the last “${labels.at(-1)}”`}: ${order.map(place).join(', ')}`),
      sized(make('table', { className: 'heat' },
        make('caption', { className: 'visually-hidden' }, `Head ${h + 1}: attention of each letter to those before it, in percent`),
        make('thead', null, make('tr', null, make('td'), ...labels.map((c) => make('th', { scope: 'col' }, c)))),
        make('tbody', null, ...labels.map((c, t) => make('tr', null, make('th', { scope: 'row' }, c), ...labels.map((_, s) => {
          if (s > t) return make('td', { className: 'ahead' });
          const v = row(t)[s], cell = make('td', { title: `${c} to ${labels[s]}: ${percent(v)}` }, make('span', { className: 'visually-hidden' }, percent(v)));
          cell.style.setProperty('--share', `${(100 * v).toFixed(1)}%`);
          return cell;
        }))))), labels.length));
  }));
}

$('layer').addEventListener('change', (event) => {
  layer = Number(/** @type {any} */ (event.target).value);
  showAttention();
});

// ---- norms ----

const number = (v) => (Math.abs(v) < 0.005 ? '0.00' : v.toFixed(2).replace('-', '−'));

function showNorms() {
  if (!looked) return;
  const { text, outputs } = looked, labels = characters(text);
  $('norms-head').replaceChildren(make('th', { scope: 'col' }, 'LayerNorm'), ...labels.map((c) => make('th', { scope: 'col' }, c)));
  const all = new Map(layers.norms.flatMap(({ input, output }) => [input, output]).map((name) => [name, moments(outputs[/** @type {string} */ (name)], labels.length)]));
  const most = Math.max(...[...all.values()].flat().map(({ mean, std }) => Math.abs(mean) + std));
  $('norms-body').replaceChildren(...layers.norms.flatMap(({ input, output }) => [['before', input], ['after', output]].map(([when, name]) => make('tr', { className: when },
    make('th', { scope: 'row' }, `${output.split(' ')[0]} ${when}`),
    ...all.get(/** @type {string} */ (name)).map(({ mean, std }) => make('td', null, whisker(mean, std, most), `${number(mean)} ± ${number(std)}`))))));
}

/** A line from one deviation below the mean to one above it, on a scale from −most to most. */
function whisker(mean, std, most) {
  const svg = (tag, attributes) => {
    const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
    return element;
  };
  const x = (v) => 30 + 28 * v / most, picture = svg('svg', { viewBox: '0 0 60 8', 'aria-hidden': 'true', class: 'whisker' });
  picture.append(svg('path', { d: 'M30 0V8', class: 'zero' }), svg('path', { d: `M${x(mean - std).toFixed(1)} 4H${x(mean + std).toFixed(1)}`, class: 'span' }), svg('circle', { cx: x(mean).toFixed(1), cy: 4, r: 2.2 }));
  return picture;
}

// ---- what the visitor does ----

let typing = 0;
function changed() {
  const text = beginning(), given = $('begin').value;
  $('kept').textContent = lettersOf(given, Infinity).length > length - 1 ? `The network knows names of up to ${length - 1} letters: it goes by “${capital(text)}”.`
    : text.toLowerCase() === given.trim().toLowerCase() ? 'Letters a to z. At temperature 0 it always takes the likeliest letter; the higher, the more daring.'
      : `The network knows the letters a to z only: it goes by “${capital(text)}”.`;
  clearTimeout(typing);
  typing = setTimeout(ask, 60);
}
$('begin').addEventListener('input', changed);
$('temperature').addEventListener('input', () => {
  $('temperature-value').textContent = temperature().toFixed(1);
  showNext();
  changed();
});
$('more').addEventListener('click', () => {
  seed++;
  ask();
});

/** @param {unknown} error */
function failed(error) {
  $('failed').hidden = false;
  $('failed').textContent = error instanceof Error ? error.message : String(error);
}

async function start() {
  const bytes = await fetchFile('models/names.onnx');
  const create = () => InferenceSession.create(bytes, { worker: true, threads: Number($('threads').value) });
  const created = await create();
  length = Number(created.inputMetadata[0].shape[1]);
  layers = layersOf(created.outputNames);
  $('layer-each').replaceChildren(...layers.attentions.map((name, k) => make('label', null, make('input', { type: 'radio', name: 'layer', value: String(k), checked: k === layer }), `${k + 1}`)));
  session = created;
  // The session takes its worker, and the threads of that, with it.
  $('threads').addEventListener('change', async () => {
    const before = session;
    session = undefined;
    asked++; // what is under way belongs to the one that ends
    $('threads').disabled = true;
    try {
      await before?.release();
      session = await create();
      await ask();
    } catch (error) {
      failed(error);
    }
    $('threads').disabled = false;
  });
  await ask();
  // To say which names are new, which can wait.
  const data = await new Names({ Tensor, length: Infinity }).load();
  known = new Set(data.names);
  ask();
}
offerThreads($('threads'), $('threads-why'));
start().catch(failed);
