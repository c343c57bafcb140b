// Draw: a network with BatchNorm answers while a digit is drawn, with running statistics or with those of the batch on the page.

import { $, make } from '../dom.js';
import { Tensor, Trainer } from '../engine.js';
import { Digits, fetchFile, partSize } from './data.js';
import { SIDE, distance, moved, rasterize } from './draw-model.js';
import { largest, softmax } from './softmax.js';
import { digitReader } from './networks.js';
import { random } from './random.js';

const PIXELS = SIDE * SIDE;
const BESIDE = 7;
const FARTHEST = 8; // pixels that a picture can be moved by

/** @type {import('./draw-model.js').Stroke[]} */
let strokes = [];
/** A picture of the test set in place of a drawing. @type {number | undefined} */
let sample;
let offset = { right: 0, down: 0 };
/** Pictures of the test set by their numbers, −1 for an empty sheet. @type {number[]} */
let beside = [];
/** @type {Digits | undefined} */
let digits;
/** @type {import('normwasm').Trainer | undefined} */
let network;
/** The held-out pictures that are here, by class. @type {number[][]} */
let byClass = [];
const draw = random(Date.now() >>> 0);

const empty = () => strokes.length === 0 && sample === undefined;
const mode = () => /** @type {HTMLInputElement} */ (document.querySelector('[name="statistics"]:checked')).value;

/** A picture's numbers from 0 to 1. @param {number} i */
const pictureOf = (i) => (i < 0 || !digits ? new Float32Array(PIXELS) : Float32Array.from(digits.picture(i), (v) => v / 255));

/** What the network sees of the visitor's. */
function mine() {
  const picture = sample === undefined ? rasterize(strokes) : pictureOf(sample);
  return offset.right || offset.down ? moved(picture, offset.right, offset.down) : picture;
}

// ---- the paper ----

const pad = $('pad'), canvas = pad.querySelector('canvas'), g = canvas.getContext('2d');

function paint() {
  const size = canvas.width, colour = getComputedStyle(pad).color;
  g.clearRect(0, 0, size, size);
  if (sample !== undefined || offset.right || offset.down) {
    g.imageSmoothingEnabled = false;
    g.drawImage(ink(make('canvas', { width: SIDE, height: SIDE }), mine(), colour), 0, 0, size, size);
    return;
  }
  g.strokeStyle = colour;
  g.lineWidth = size * 0.075;
  g.lineCap = g.lineJoin = 'round';
  for (const stroke of strokes) {
    g.beginPath();
    g.moveTo(stroke[0].x * size, stroke[0].y * size);
    for (const { x, y } of stroke) g.lineTo(x * size, y * size);
    g.stroke();
  }
}

/** Puts a picture on a canvas of 28 × 28, in a colour of the page. @param {ArrayLike<number>} picture @param {string} colour as rgb(…) */
function ink(canvas, picture, colour) {
  const context = canvas.getContext('2d', { willReadFrequently: true }), image = context.createImageData(SIDE, SIDE);
  const [r, green, b] = (colour.match(/[\d.]+/g) ?? ['0', '0', '0']).map(Number);
  for (let i = 0; i < PIXELS; i++) image.data.set([r, green, b, Math.round(255 * picture[i])], 4 * i);
  context.putImageData(image, 0, 0);
  return canvas;
}

function change() {
  paint();
  sameDrawing = undefined;
  ask();
}

function clear() {
  strokes = [];
  sample = undefined;
  offset = { right: 0, down: 0 };
  change();
}

/** @type {number | undefined} */
let pointer;
const point = (event) => {
  const box = canvas.getBoundingClientRect();
  return { x: Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)), y: Math.max(0, Math.min(1, (event.clientY - box.top) / box.height)) };
};
pad.addEventListener('pointerdown', (event) => {
  if (event.button !== 0 || pointer !== undefined) return;
  if (sample !== undefined) clear();
  offset = { right: 0, down: 0 };
  pointer = event.pointerId;
  pad.setPointerCapture(pointer);
  strokes.push([point(event)]);
  change();
});
pad.addEventListener('pointermove', (event) => {
  if (event.pointerId !== pointer) return;
  const all = event.getCoalescedEvents?.() ?? [];
  strokes[strokes.length - 1].push(...(all.length ? all : [event]).map(point));
  change();
});
for (const type of ['pointerup', 'pointercancel']) {
  pad.addEventListener(type, (event) => {
    if (event.pointerId !== pointer) return;
    pointer = undefined;
    ask();
  });
}
pad.addEventListener('keydown', (event) => {
  const [right, down] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
  if (event.key === 'Delete' || event.key === 'Backspace') clear();
  else if ((event.ctrlKey || event.metaKey) && event.key === 'z') undo();
  else if ((right || down) && !event.ctrlKey && !event.metaKey && !event.altKey) {
    if (empty()) return;
    const within = (v) => Math.max(-FARTHEST, Math.min(FARTHEST, v));
    offset = { right: within(offset.right + right), down: within(offset.down + down) };
    change();
  } else return;
  event.preventDefault();
});
function undo() {
  if (sample !== undefined) return clear();
  strokes.pop();
  change();
}
$('undo').addEventListener('click', undo);
$('clear').addEventListener('click', clear);

[...$('digits').children].forEach((button, d) => button.addEventListener('click', () => {
  if (!digits) return;
  const list = byClass[d], was = sample === undefined ? -1 : list.indexOf(sample);
  take(list[was < 0 ? draw(list.length) : (was + 1) % list.length]);
}));

/** Puts a picture of the test set in the place of a drawing. @param {number} i */
function take(i) {
  strokes = [];
  offset = { right: 0, down: 0 };
  sample = i;
  change();
}

/** Those of the pictures here whose two likeliest digits are closest, with running statistics. @type {number[] | undefined} */
let doubtful;
async function findDoubtful() {
  if (!network || !digits) return [];
  const all = byClass.flat(), found = [];
  for (let at = 0; at < all.length; at += 200) {
    const some = all.slice(at, at + 200), { data } = (await network.evaluate(digits.batch(some))).outputs;
    some.forEach((i, k) => {
      const [first, second] = Array.from(data.subarray(10 * k, 10 * k + 10)).sort((a, b) => b - a);
      found.push({ i, lead: first - second });
    });
  }
  return found.sort((a, b) => a.lead - b.lead).slice(0, 12).map(({ i }) => i);
}
$('doubtful').addEventListener('click', async () => {
  if (!network) return;
  $('doubtful').disabled = true;
  try {
    doubtful ??= await findDoubtful();
  } finally {
    $('doubtful').disabled = false;
  }
  take(doubtful[(doubtful.indexOf(sample ?? -1) + 1) % doubtful.length]);
});

// ---- the batch ----

const another = (list) => list[draw(list.length)];
const deal = {
  mixed: () => {
    const classes = Array.from({ length: 10 }, (_, d) => d);
    return Array.from({ length: BESIDE }, () => another(byClass[classes.splice(draw(classes.length), 1)[0]]));
  },
  same: () => Array.from({ length: BESIDE }, () => another(byClass[1])),
  blank: () => new Array(BESIDE).fill(-1),
  alone: () => [],
};

function dealAnew() {
  if (!digits) return;
  beside = deal[$('beside').value]();
  $('exchange').disabled = beside.every((i) => i < 0);
  ask();
}
$('beside').addEventListener('change', dealAnew);
$('exchange').addEventListener('click', dealAnew);
$('statistics').addEventListener('change', () => ask());

/** Exchanges one picture for another of the test set. @param {number} k */
function exchange(k) {
  const all = $('beside').value === 'same' ? byClass[1] : byClass.flat();
  beside[k] = another(all);
  $('exchange').disabled = false;
  ask();
}

// ---- asking the network ----

let busy = false, again = false;
/** The outputs for the visitor's picture in the batches since it last changed. @type {{ batches: string[], outputs: Float32Array[] } | undefined} */
let sameDrawing;

async function ask() {
  if (!network || !digits) return;
  if (busy) return void (again = true);
  busy = true;
  try {
    do {
      again = false;
      await answer();
    } while (again);
  } catch (error) {
    $('failed').hidden = false;
    $('failed').textContent = error instanceof Error ? error.message : String(error);
  } finally {
    busy = false;
  }
}

async function answer() {
  if (!network || !digits) return;
  const pictures = [mine(), ...beside.map(pictureOf)], n = pictures.length, chosen = mode();
  const x = new Tensor('float32', new Float32Array(n * PIXELS), [n, 1, SIDE, SIDE]);
  pictures.forEach((p, k) => x.data.set(p, k * PIXELS));
  const labels = beside.map((i) => (i < 0 ? 0 : /** @type {Digits} */ (digits).label(i)));
  const batch = { x, y: new Tensor('int32', Int32Array.from([0, ...labels]), [n]) };
  const started = performance.now();
  const own = (await network.evaluate(batch, { statistics: 'batch' })).outputs.data.slice();
  const layers = (await network.statistics()).filter((l) => l.batch && l.running).map((l) => ({ name: l.layer, ...distance(l) }));
  const running = (await network.evaluate(batch, { statistics: 'running' })).outputs.data.slice();
  const took = performance.now() - started;
  // What was drawn meanwhile is asked next.
  if (again) return;
  show({ pictures, labels, outputs: chosen === 'batch' ? own : running, running, layers, chosen, took });
}

/** Never 0 or 100 %: the network is not that sure. */
const share = (p) => (p > 0.9995 ? '> 99.9 %' : p < 0.0005 ? '< 0.1 %' : `${(100 * p).toFixed(1)} %`);
const signed = (v) => (Math.abs(v) < 0.005 ? '0.00' : `${v < 0 ? '−' : '+'}${Math.abs(v).toFixed(2)}`);
const number = (v) => v.toFixed(2).replace('-', '−');

function show({ pictures, labels, outputs, running, layers, chosen, took }) {
  const nothing = empty();
  const logits = outputs.slice(0, 10), before = running.slice(0, 10), p = softmax(logits), best = largest(p);
  $('answer').textContent = nothing ? 'Draw a digit from 0 to 9.' : `It says ${best}, ${share(p[best]).replace('>', 'over')} sure.`;
  if (pointer === undefined) $('announce').textContent = $('answer').textContent;
  [...$('bars').children].forEach((row, d) => {
    const [, bar, sure, logit, change] = row.children;
    bar.querySelector('i').style.width = nothing ? '0' : `${100 * p[d]}%`;
    sure.textContent = nothing ? '' : share(p[d]);
    logit.textContent = nothing ? '' : number(logits[d]);
    change.textContent = nothing ? '' : signed(logits[d] - before[d]);
    row.classList.toggle('best', !nothing && d === best);
  });
  showBatch(pictures, labels, outputs);
  $('layers').replaceChildren(...layers.map((l) => make('tr', null, make('th', { scope: 'row' }, l.name), make('td', null, l.shift.toFixed(2)), make('td', null, `${l.least.toFixed(2)} to ${l.most.toFixed(2)}`))));
  $('moved').textContent = nothing ? 'Draw something, or take a digit from the test set.' : saysMoved(logits, before, best, chosen);
  Object.assign(document.documentElement.dataset, { started: 'true', answers: String(Number(document.documentElement.dataset.answers ?? 0) + 1), took: took.toFixed(1) });
}

/** What the batch did to the answer. */
function saysMoved(logits, before, best, chosen) {
  const key = beside.join(' ');
  if (chosen === 'running') return 'Running statistics: exchange the pictures as you like, the outputs for yours stay the same.';
  sameDrawing ??= { batches: [], outputs: [] };
  if (sameDrawing.batches.at(-1) !== key) {
    sameDrawing.batches.push(key);
    sameDrawing.outputs.push(logits);
  }
  const most = Math.max(...logits.map((v, d) => Math.abs(v - before[d]))), there = largest(softmax(before));
  const first = `The batch’s own statistics moved the logits by up to ${most.toFixed(2)}${there === best ? '' : `, and the answer from ${there} to ${best}`}.`;
  if (sameDrawing.batches.length === 1) return `${first} Exchange the pictures beside yours and see.`;
  const of = sameDrawing.outputs.map((o) => o[best]);
  return `${first} Yours has not changed; in ${of.length} batches its logit for ${best} was between ${number(Math.min(...of))} and ${number(Math.max(...of))}.`;
}

function showBatch(pictures, labels, outputs) {
  const colour = getComputedStyle(pad).color;
  const list = $('batch');
  // Buttons stay the same ones, so that the focus stays where it is.
  while (list.children.length > pictures.length) list.lastElementChild.remove();
  while (list.children.length < pictures.length) {
    const k = list.children.length - 1;
    list.append(make('li', null, k < 0 ? make('div', { className: 'thumb' }, make('canvas', { width: SIDE, height: SIDE, role: 'img', 'aria-label': 'Yours, as the network sees it: 28 by 28 pixels' }), make('span', null, 'yours'))
      : make('button', { type: 'button', className: 'thumb', onclick: () => exchange(k) }, make('canvas', { width: SIDE, height: SIDE, 'aria-hidden': 'true' }), make('span'))));
  }
  pictures.forEach((picture, k) => {
    const thumb = list.children[k].firstElementChild;
    ink(thumb.querySelector('canvas'), picture, colour);
    if (k === 0) return;
    const says = largest(outputs.slice(10 * k, 10 * k + 10)), blank = beside[k - 1] < 0, right = !blank && says === labels[k - 1];
    thumb.lastElementChild.textContent = blank ? 'empty' : right ? `reads ${says}` : `${labels[k - 1]} as ${says}`;
    thumb.classList.toggle('wrong', !blank && !right);
    thumb.setAttribute('aria-label', `${thumb.lastElementChild.textContent}: ${blank ? 'an empty sheet' : `a ${labels[k - 1]}, which the network reads as ${says}`}. Exchange it`);
  });
}

// Colours come from the page's.
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  paint();
  ask();
});

// ---- starting ----

async function start() {
  const { input, model } = digitReader();
  const data = new Digits({ Tensor });
  const first = data.trainCount;
  const [weights, trainer] = await Promise.all([
    fetchFile('models/digits.safetensors'),
    // Nothing is trained here; the file has no optimizer's state, as plain SGD has none.
    Trainer.create({ input, model, loss: 'crossEntropy', optimizer: { type: 'sgd', learningRate: 0.01 }, worker: true }),
    data.load(first, first + partSize),
  ]);
  await trainer.load(weights);
  byClass = Array.from({ length: 10 }, (_, d) => Array.from({ length: partSize }, (_, k) => first + k).filter((i) => data.label(i) === d));
  digits = data;
  network = trainer;
  if (empty()) sample = byClass[5][0];
  paint();
  dealAnew();
}
paint();
start().catch((error) => {
  $('answer').textContent = 'The network could not be started.';
  $('failed').hidden = false;
  $('failed').textContent = error instanceof Error ? error.message : String(error);
});
