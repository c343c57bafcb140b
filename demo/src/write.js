// Write: a story goes on token by token. How it goes on beyond what the network sees is in write-model.js.

import { $, bytes, make, ms, wireCopy } from './dom.js';
import { TextGenerator, Tokenizer, readSafetensors } from './engine.js';
import { fetchFile } from './lab/data.js';
import { offerThreads } from './threads.js';
import { Story, known, normalizations } from './write-model.js';

const READING = 16; // tokens a second that a reader follows

/** The configuration, the vocabulary, the weights. @type {[any, Uint8Array, Uint8Array]} */
let files;
/** @type {any} */
let tokenizer;
/** @type {any} */
let writer;
/** @type {Story | undefined} */
let story;
/** The press of a button that writes now: others have ended. @type {object | undefined} */
let writing;
/** Where what the latest press has written begins. */
let from = 0;
/** The story's time of computing, in milliseconds. */
let time = 0;

/** @param {unknown} error */
function say(error) {
  $('failed').hidden = false;
  $('failed').textContent = error instanceof Error ? error.message : String(error);
}

/** Enables what can be pressed; who stood on a button that now cannot be stands on the one that takes its place. */
function buttons() {
  const focused = document.activeElement;
  $('go').disabled = !writer;
  $('stop').disabled = !writing;
  $('more').disabled = !story || Boolean(writing);
  if (focused === $('stop') && !writing) $('more').focus();
  if (focused === $('more') && writing) $('stop').focus();
  $('story').classList.toggle('writing', Boolean(writing));
}

// ---- the story ----

/** What is shown: of which story, cut where, and up to where. */
let shown = { story: /** @type {Story | undefined} */ (undefined), seen: 0, length: 0 };

function show() {
  if (!story) return;
  const { text, seen, given } = story;
  const box = $('story');
  const follows = box.scrollHeight - box.scrollTop - box.clientHeight < 60;
  if (shown.story !== story || shown.seen !== seen) {
    const cuts = [...new Set([0, given, seen])].sort((a, b) => a - b);
    box.replaceChildren(...cuts.map((from, i) => make('span', { className: [from < seen && 'past', from < given && 'given'].filter(Boolean).join(' ') }, text.slice(from, cuts[i + 1]))));
    shown = { story, seen, length: text.length };
  } else if (text.length > shown.length) {
    // The same node grows, so that little is laid out anew.
    const span = box.lastElementChild;
    if (span.lastChild) span.lastChild.appendData(text.slice(shown.length));
    else span.append(text.slice(shown.length));
    shown.length = text.length;
  }
  if (follows) box.scrollTop = box.scrollHeight;
  $('count').textContent = String(story.count);
  $('rate').textContent = time > 0 ? (1000 * story.count / time).toFixed(0) : '–';
  $('each').textContent = time > 0 ? ms(time / story.count) : '–';
  $('seen').textContent = `${Math.min(story.tokens, writer.context)} of ${writer.context}`;
}

const settings = () => ({ temperature: Number($('temperature').value), topP: Number($('topP').value), topK: Number($('topK').value), seed: Number($('seed').value) });

/** Writes on, until there are enough tokens or somebody presses a button. @param {Story} of */
async function write(of) {
  const mine = writing = {};
  from = of.text.length;
  const enough = of.count + Number($('length').value);
  $('failed').hidden = true;
  $('announce').textContent = 'Writing';
  buttons();
  show();
  let due = performance.now();
  let drawn = due;
  try {
    while (mine === writing && of.count < enough) {
      const before = performance.now();
      await of.next();
      const now = performance.now();
      if (of !== story) return;
      time += now - before;
      const slowly = $('slowly').checked;
      // Not more often than it is seen: between tokens the generator gives the page its turn.
      if (slowly || mine !== writing || now - drawn > 16) {
        show();
        drawn = now;
      }
      due = Math.max(due + 1000 / READING, now);
      if (slowly) await new Promise((done) => setTimeout(done, due - now));
    }
  } catch (error) {
    if (mine === writing) say(error);
  }
  if (mine === writing) ended(of);
}

/** @param {Story} of */
function ended(of) {
  writing = undefined;
  show();
  buttons();
  $('announce').textContent = of.text.slice(from);
  document.documentElement.dataset.written = String(of.count);
}

/** Whether all numbers can be used; shows which cannot. */
const valid = () => $('settings').reportValidity();

function begin() {
  if (!writer || !valid()) return;
  time = 0;
  story = new Story(tokenizer, writer, $('begin').value, settings());
  $('story').scrollTop = 0;
  write(story);
}

function stop() {
  if (writing && story) ended(story);
}

function goOn() {
  if (!story || writing || !valid()) return;
  story.set(settings());
  write(story);
}

function checked() {
  const { unknown } = known(tokenizer, $('begin').value);
  const names = unknown.slice(0, 8).map((character) => (/\s/.test(character) ? 'some white space' : `“${character}”`));
  $('kept').textContent = unknown.length ? `It has never read ${[...new Set(names)].join(', ')}${unknown.length > 8 ? ' and others' : ''}, and passes over that.` : '';
}

$('settings').addEventListener('submit', (event) => {
  event.preventDefault();
  begin();
});
$('stop').addEventListener('click', stop);
$('more').addEventListener('click', goOn);
offerThreads($('threads'), $('threads-why'));
$('threads').addEventListener('change', () => writer && restart());
$('begin').addEventListener('input', () => tokenizer && checked());
for (const [name, digits] of /** @type {const} */ ([['temperature', 1], ['topP', 2]])) {
  const tell = () => ($(`${name}-value`).textContent = Number($(name).value).toFixed(digits));
  $(name).addEventListener('input', tell);
  tell(); // browsers keep what was chosen when a page is loaded again
}
$('begin').addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) begin();
});
addEventListener('keydown', (event) => {
  if (event.key === 'Escape') stop();
});
wireCopy($('copy'), () => $('code').textContent, $('code'));

/** All devices write the same with these two variants, in any number of threads; the third variant rounds otherwise. */
function create() {
  const [config, , weights] = files;
  const options = { tokenizer, config, worker: true };
  return TextGenerator.create(weights, { ...options, variant: 'simd', threads: Number($('threads').value) })
    .catch((error) => (error?.code === 'UNSUPPORTED' ? TextGenerator.create(weights, { ...options, variant: 'scalar', threads: 1 }) : Promise.reject(error)));
}

/** Ends what writes, and starts it anew in as many threads as were chosen. A story that was there begins again: it becomes the same. */
async function restart() {
  const before = writer;
  const again = story !== undefined;
  stop();
  story = writer = undefined;
  $('threads').disabled = true;
  buttons();
  try {
    await before?.release();
    writer = await create();
    if (again) begin();
  } catch (error) {
    say(error);
  }
  $('threads').disabled = false;
  buttons();
}

async function start() {
  const [config, vocabulary, weights] = files = await Promise.all([
    fetchFile('models/writer.config.json').then((file) => JSON.parse(new TextDecoder().decode(file))),
    fetchFile('models/writer.tokenizer.json'),
    fetchFile('models/writer.safetensors'),
  ]);
  tokenizer = await Tokenizer.fromFile(vocabulary);
  writer = await create();
  const { total, name, kinds } = normalizations(writer.operators);
  $('norms').textContent = `${total} ${name}`;
  $('kinds').textContent = kinds.map(({ count, sums }) => `${count} ${sums ? 'in one pass with the residual sum' : 'alone'}`).join(', ');
  $('operators').replaceChildren(...writer.operators.map((/** @type {{ op: string, count: number }} */ { op, count }) => make('tr', null, make('th', { scope: 'row' }, op), make('td', null, String(count)))));
  const { tensors } = readSafetensors(weights);
  const parameters = Object.entries(tensors).reduce((sum, [name, { size }]) => sum + (name.endsWith('_scale') ? 0 : size), 0);
  $('parameters').textContent = parameters.toLocaleString('en');
  $('size').textContent = `in ${bytes(weights.length)}, and a vocabulary in ${bytes(vocabulary.length)}`;
  $('waiting').textContent = 'Ready: press Write.';
  checked();
  buttons();
  document.documentElement.dataset.started = 'true';
  if (!matchMedia('(prefers-reduced-motion: reduce)').matches) begin();
}
start().catch((error) => {
  $('waiting').remove();
  say(error);
});
