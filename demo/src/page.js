// Wires the page: what is given goes to the worker, what the worker says is shown.

import { drawLine, drawSample, samples } from './compose.js';
import { $, bytes, make, wireCopy } from './dom.js';
import { prepared } from './pictures.js';
import { showDone, showLine, showPicture, wholeText, wireText } from './reading.js';
import { showDownloads, showEngine, showNetworks, showTimes } from './report.js';
import { offerThreads } from './threads.js';

/** @type {Worker | undefined} */
let worker;
let began = 0;
let ready;
let loadMs = 0;
/** @type {Set<string> | undefined} the letters that the network knows */
let alphabet;

// One reading at a time; of what comes in meanwhile only the latest counts.
let id = 0;
let busy = false;
/** @type {{ open: () => Promise<{ image: Blob | ImageBitmap, transfer: Transferable[] }>, truth?: string } | undefined} */
let next;
/** @type {typeof next} */
let current;
let inspection = 0;

const NAMES = [
  ['engine', 'Engine'],
  ['models/ch_PP-OCRv4_det_infer.onnx', 'Finding network'],
  ['models/ch_ppocr_mobile_v2.0_cls_infer.onnx', 'Direction network'],
  ['models/ch_PP-OCRv4_rec_infer.onnx', 'Reading network'],
  ['models/ppocr_keys_v1.txt', 'Alphabet'],
];
/** @type {Map<string, { bar: HTMLProgressElement, figure: HTMLElement }>} */
const bars = new Map();

/** The build that takes one number at a time has one thread only. */
const threads = () => ($('variant').value === 'scalar' ? 1 : Number($('threads').value));

/** The worker takes the engine and its threads with it when it ends. */
function start() {
  worker?.terminate();
  busy = false;
  ready = undefined;
  began = performance.now();
  $('failed').hidden = true;
  $('loading').hidden = false;
  $('loading-text').textContent = 'Fetching the engine and three small networks, once.';
  $('files').replaceChildren(...NAMES.map(([file, name]) => {
    const bar = make('progress', { className: 'bar', max: 1, value: 0, 'aria-label': `${name}, download` });
    const figure = make('span', null, '');
    bars.set(file, { bar, figure });
    return make('li', null, make('span', null, name), figure, bar);
  }));
  worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
  worker.onmessage = ({ data }) => hears[data.type]?.(data);
  worker.onerror = (event) => {
    event.preventDefault();
    hears.failed({ message: event.message || 'The worker script or a part of it could not be loaded.' });
  };
  worker.postMessage({ type: 'start', variant: $('variant').value, threads: threads() });
}

const hears = {
  progress({ file, loaded, total }) {
    const entry = bars.get(file);
    if (!entry) return;
    const whole = Math.max(total ?? 0, loaded);
    entry.bar.max = whole || 1;
    entry.bar.value = loaded;
    entry.figure.textContent = total ? `${bytes(loaded)} of ${bytes(whole)}` : bytes(loaded);
    if ([...bars.values()].slice(1).every((b) => b.bar.value === b.bar.max)) $('loading-text').textContent = 'All here. Preparing the networks.';
  },

  ready(message) {
    ready = message;
    loadMs = performance.now() - began;
    alphabet = new Set(message.letters);
    $('loading').hidden = true;
    showEngine({ ...ready, threads: message.threads }, message.memory, loadMs);
    showDownloads(message.files);
    unknown();
    if (!next && !current) typed();
    else next ??= current;
    pump();
  },

  failed({ message }) {
    worker?.terminate();
    ready = undefined;
    settle();
    $('loading').hidden = true;
    $('result').hidden = true;
    $('failed').hidden = false;
    $('failed-text').textContent = `${message.replace(/[.!]?$/, '.')} Check the connection, then try again; what has arrived already is kept by the browser.`;
  },

  step(message) {
    if (message.id === id) showStep(message);
  },

  picture(message) {
    if (message.id !== id) return;
    $('problem').hidden = true;
    $('result').hidden = false;
    showPicture(message);
  },

  line(message) {
    if (message.id !== id) return;
    showLine(message);
    widest = Math.max(widest, message.inputWidth);
    steps += message.steps;
  },

  done(message) {
    if (message.id !== id) return;
    settle();
    if (message.legible) showDone(message, current?.truth);
    else problem(message.reason, message.lines > 0);
    $('echo').hidden = !message.legible;
    $('echo').lastChild.textContent = wholeText();
    showTimes(message.times, { lines: message.lines, columns: widest, steps });
    showEngine({ ...ready, threads: message.threads }, message.memory, loadMs);
    document.documentElement.dataset.read = document.documentElement.dataset.started = String(id);
    if (next) return pump();
    clearTimeout(inspection);
    inspection = setTimeout(() => !busy && worker?.postMessage({ type: 'inspect', id }), 700);
  },

  stopped({ id: about }) {
    if (about !== id) return;
    settle();
    pump();
  },

  problem({ id: about, message }) {
    if (about !== id) return;
    settle();
    problem(message, false);
    pump();
  },

  inspected({ networks }) {
    showNetworks(networks);
  },
};

let widest = 0, steps = 0;

/** Nothing is being read any more. */
function settle() {
  busy = false;
  clearTimeout(slow);
  $('steps').hidden = true;
  $('result').classList.remove('waiting');
}

/** @param {string} message @param {boolean} picture whether what was given is worth seeing beside it */
function problem(message, picture) {
  $('result').hidden = !picture;
  $('problem').hidden = false;
  $('problem').textContent = message;
}

let slow = 0;
const WORDS = { open: 'Opening the picture', shrink: 'Taking the picture in', find: 'Looking for lines', turn: 'Finding which way is up', read: 'Reading' };

/** What takes more than a moment is told. */
function showStep(message) {
  const { what, done, of } = message;
  $('step-text').textContent = what === 'read' ? `Reading line ${done + 1} of ${of}` : WORDS[what];
  const bar = $('step-bar');
  if (of > 1) bar.value = done / of;
  else bar.removeAttribute('value');
}

/** Asks for a reading as soon as the worker is free; what it is at is given up. */
function give(open, truth) {
  next = { open, truth };
  worker?.postMessage({ type: 'stop', id });
  pump();
}

async function pump() {
  if (busy || !ready || !next) return;
  busy = true;
  clearTimeout(inspection);
  current = next;
  next = undefined;
  id++;
  widest = steps = 0;
  $('result').classList.add('waiting');
  showStep({ what: 'open', done: 0, of: 0 });
  clearTimeout(slow);
  slow = setTimeout(() => ($('steps').hidden = false), 400);
  const mine = id;
  try {
    const { image, transfer } = await current.open();
    worker?.postMessage({ type: 'read', id: mine, image }, transfer);
  } catch (error) {
    hears.problem({ id: mine, message: error instanceof Error ? error.message : String(error) });
  }
}

const fromCanvas = (draw) => async () => {
  const image = await createImageBitmap(await draw());
  return { image, transfer: [image] };
};

function press(chosen) {
  document.querySelectorAll('#samples button').forEach((b, i) => b.setAttribute('aria-pressed', String(i === chosen)));
}

function typed() {
  const line = { text: $('line').value, face: $('font').value, size: Number($('size').value), upside: $('upside').checked, dark: $('dark').checked };
  $('size-value').textContent = `${line.size} px`;
  unknown();
  if (!line.text.trim()) return;
  press(-1);
  give(fromCanvas(() => drawLine(line)), line.text);
}

function unknown() {
  const letters = [...new Set($('line').value)].filter((c) => alphabet && !alphabet.has(c));
  $('unknown').hidden = letters.length === 0;
  $('unknown').textContent = letters.length ? `Not in the network's alphabet: ${letters.join(' ')}` : '';
}

/** @param {File | undefined | null} file */
function brought(file) {
  if (!file) return;
  press(-1);
  if (file.type && !file.type.startsWith('image/')) {
    next = undefined;
    problem(`“${file.name}” is not a picture (${file.type}). PNG, JPEG, WebP, AVIF, GIF, BMP and SVG work in most browsers.`, false);
    return;
  }
  give(() => prepared(file));
  showReading();
}

/** Where the cards are stacked, the reading may be out of sight. */
function showReading() {
  const { top, bottom } = $('read').getBoundingClientRect();
  if (top > innerHeight * 0.6 || bottom < 80) $('read').scrollIntoView({ block: 'start', behavior: 'smooth' });
}

let typing = 0;
$('compose').addEventListener('input', () => {
  clearTimeout(typing);
  typing = setTimeout(typed, 120);
});
$('compose').addEventListener('submit', (event) => {
  event.preventDefault();
  typed();
});

$('samples').append(...samples.map((sample, i) => {
  const button = make('button', {
    type: 'button',
    'aria-pressed': 'false',
    onclick: () => {
      press(i);
      give(fromCanvas(() => drawSample(sample)), sample.text);
      showReading();
    },
  });
  // Stands in its place until the typefaces are there.
  const place = make('canvas', { width: 720, height: 220, 'aria-hidden': 'true' });
  button.append(place, sample.name);
  drawSample(sample).then((picture) => {
    picture.setAttribute('aria-hidden', 'true');
    place.replaceWith(picture);
  });
  return make('li', null, button);
}));

for (const input of [$('file'), $('camera')]) {
  input.addEventListener('change', () => {
    brought(input.files?.[0]);
    input.value = '';
  });
}

let inside = 0;
const curtain = (on) => ($('curtain').hidden = !on);
const hasFile = (event) => [...(event.dataTransfer?.types ?? [])].includes('Files');
addEventListener('dragenter', (event) => {
  if (hasFile(event)) curtain(++inside > 0);
});
addEventListener('dragleave', (event) => {
  if (hasFile(event)) curtain(--inside > 0);
});
addEventListener('dragover', (event) => event.preventDefault());
addEventListener('drop', (event) => {
  event.preventDefault();
  inside = 0;
  curtain(false);
  brought(event.dataTransfer?.files[0]);
});
addEventListener('paste', (event) => {
  const file = [...(event.clipboardData?.files ?? [])][0];
  if (!file) return;
  event.preventDefault();
  brought(file);
});

$('retry').addEventListener('click', () => {
  // A build that this browser cannot run would fail again.
  $('variant').value = 'auto';
  start();
});
offerThreads($('threads'), $('threads-why'));
for (const name of ['variant', 'threads']) $(name).addEventListener('change', start);
wireText();

// Room for everything: what is folded away on a phone is open from the start.
if (matchMedia('(min-width: 60rem)').matches) $('how').open = true;

// The lines of code are a file of their own, which a test runs as it stands.
fetch(new URL('take-home.html', import.meta.url)).then((r) => (r.ok ? r.text() : '')).then((text) => ($('take-code').textContent = text)).catch(() => {});
wireCopy($('take-copy'), () => $('take-code').textContent, $('take-code'));

start();
