// Write: a story goes on token by token. What the page decides (where to cut what the network can no longer see, what counts
// as a normalization) is in write-model.js.

import { $, bytes, make, ms } from './dom.js';
import { TextGenerator, Tokenizer } from './engine.js';
import { normalizations, tail } from './write-model.js';

/** @type {any} */
let tokenizer;
/** @type {any} */
let writer;
/** How many tokens the network sees. */
let context = 128;
/** The story so far, the beginning included. */
let story = '';
/** What is being written, if anything is. @type {AbortController | undefined} */
let writing;
let count = 0;
let time = 0;
let normsEach = 0;

const say = (/** @type {unknown} */ error) => {
  $('failed').hidden = false;
  $('failed').textContent = error instanceof Error ? error.message : String(error);
};

function buttons() {
  $('go').disabled = !writer;
  $('stop').disabled = !writing;
  $('more').disabled = !writer || !story || Boolean(writing);
}

function figures() {
  $('count').textContent = String(count);
  $('rate').textContent = time > 0 ? (1000 * count / time).toFixed(0) : '–';
  $('each').textContent = time > 0 ? ms(time / count) : '–';
  $('rows').textContent = String(count * normsEach);
}

/** Writes on from the story, until there are enough tokens or somebody stops it. @param {number} seed */
async function write(seed) {
  writing?.abort();
  const mine = writing = new AbortController();
  const maxTokens = Math.max(1, Math.min(2000, Math.trunc(Number($('length').value)) || 200));
  const temperature = Number($('temperature').value);
  const shown = make('span', { className: 'writing' });
  $('text').append(shown);
  $('failed').hidden = true;
  buttons();
  let left = maxTokens;
  let from = story.length;
  try {
    // What no longer fits into the network's sight is left out: it goes on from the latest part.
    while (left > 0 && !mine.signal.aborted) {
      const { text: prompt, tokens } = tail(tokenizer, story, Math.floor(context / 2), context - 1);
      const before = left;
      let last = performance.now();
      for await (const { text } of writer.generate(prompt, { maxTokens: Math.min(left, context - tokens), temperature, seed: seed + left, signal: mine.signal })) {
        const now = performance.now();
        time += now - last;
        last = now;
        count++;
        left--;
        story += text;
        shown.append(text);
        figures();
        if ($('text').scrollHeight - $('text').scrollTop - $('text').clientHeight < 80) $('text').scrollTop = $('text').scrollHeight;
      }
      if (left === before) break;
    }
  } catch (error) {
    if (!mine.signal.aborted) say(error);
  } finally {
    shown.classList.remove('writing');
    if (writing === mine) {
      writing = undefined;
      buttons();
      $('announce').textContent = story.slice(from);
      Object.assign(document.documentElement.dataset, { started: 'true', written: String(count) });
    }
  }
}

function begin() {
  const given = $('begin').value;
  story = given;
  count = 0;
  time = 0;
  $('text').replaceChildren(make('span', { className: 'given' }, given));
  figures();
  write(Number($('seed').value) * 1000);
}

$('go').addEventListener('click', begin);
$('stop').addEventListener('click', () => writing?.abort());
$('more').addEventListener('click', () => write(Number($('seed').value) * 1000 + count));
$('temperature').addEventListener('input', () => {
  $('temperature-value').textContent = Number($('temperature').value).toFixed(1);
});
$('begin').addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) begin();
});

async function start() {
  const fetched = async (/** @type {string} */ name) => {
    const response = await fetch(`models/${name}`);
    if (!response.ok) throw new Error(`models/${name} answered ${response.status}`);
    return response;
  };
  const [config, vocabulary, weights] = await Promise.all([
    fetched('writer.config.json').then((r) => r.json()),
    fetched('writer.tokenizer.json').then((r) => r.arrayBuffer()),
    fetched('writer.safetensors').then((r) => r.arrayBuffer()),
  ]);
  $('size').textContent = bytes(vocabulary.byteLength + weights.byteLength);
  tokenizer = await Tokenizer.fromFile(vocabulary);
  writer = await TextGenerator.create(weights, { tokenizer, config, worker: true });
  context = config.n_positions ?? context;
  const { total, kinds } = normalizations(writer.operators);
  normsEach = total;
  $('norms').textContent = kinds;
  $('operators').replaceChildren(...writer.operators.map((/** @type {{ op: string, count: number }} */ { op, count: nodes }) => make('tr', null, make('th', { scope: 'row' }, op), make('td', null, String(nodes)))));
  buttons();
  begin();
}
start().catch(say);
