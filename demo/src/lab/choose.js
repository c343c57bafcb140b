// Choose: four questions, and what they lead to. The answers stand in the address, so that a link leads to the same page.

import { $, make, wireCopy } from '../dom.js';
import { codeFor } from './choose-code.js';
import { NAMES, choose, claims, questions } from './choose-model.js';

const FRAMEWORKS = /** @type {const} */ (['normwasm', 'pytorch', 'keras']);

/** @type {Record<string, string>} */
const answers = { task: 'classify', data: 'images', batch: 'many', mode: 'training' };

/** Takes the answers that the address names; what is none of them is left out. */
function readAddress() {
  const given = location.hash.slice(1).split('-');
  for (const { id, options } of questions) {
    const found = options.find(([value]) => given.includes(value));
    if (found) answers[id] = found[0];
  }
}

$('questions').replaceChildren(...questions.map(({ id, text, options }) => make('fieldset', { className: 'choice' },
  make('legend', null, text),
  make('div', { className: 'each' }, ...options.map(([value, name]) => make('label', null, make('input', { type: 'radio', name: id, value }), name))))));

/** What the experiments showed, by claim. @type {Record<string, { holds: 'yes' | 'partly' | 'no', says: string }>} */
let measured = {};
const HOLDS = { yes: 'It shows here.', partly: 'It shows here in part.', no: 'It does not show here.' };

function show() {
  for (const input of document.querySelectorAll('#questions input')) /** @type {HTMLInputElement} */ (input).checked = answers[/** @type {HTMLInputElement} */ (input).name] === /** @type {HTMLInputElement} */ (input).value;
  const a = /** @type {import('./choose-model.js').Answers} */ (answers);
  const { kind, why, instead, claims: evidence } = choose(a);
  $('choose').classList.remove('waits');
  $('answer').className = `card answer hue s-${kind}`;
  $('kind').textContent = NAMES[kind];
  $('why').replaceChildren(...why.map((text) => make('p', null, text)));
  $('instead').replaceChildren(make('b', null, 'Instead: '), instead);
  $('evidence').replaceChildren(...evidence.map((n) => make('li', { 'data-claim': String(n) },
    measured[n] ? make('a', { href: `experiments.html#claim-${n}` }, claims[n].text) : claims[n].text, '. ',
    ...(measured[n] ? [make('b', null, HOLDS[measured[n].holds]), ` ${measured[n].says} `] : []),
    make('small', null, `${claims[n].source}.`))));
  const code = codeFor(a, kind);
  for (const name of FRAMEWORKS) $(`code-${name}`).textContent = code[name];
}

$('questions').addEventListener('change', (event) => {
  const input = /** @type {HTMLInputElement} */ (event.target);
  answers[input.name] = input.value;
  history.replaceState(null, '', `#${questions.map(({ id }) => answers[id]).join('-')}`);
  show();
});
addEventListener('hashchange', () => {
  readAddress();
  show();
});
const framework = () => /** @type {HTMLInputElement} */ (document.querySelector('[name="framework"]:checked')).value;
$('framework').addEventListener('change', () => {
  for (const pre of document.querySelectorAll('[data-framework]')) /** @type {HTMLElement} */ (pre).hidden = /** @type {HTMLElement} */ (pre).dataset.framework !== framework();
});
wireCopy($('code-copy'), () => $(`code-${framework()}`).textContent, $('code-normwasm').parentElement?.parentElement ?? document.body);

readAddress();
// With the numbers of the experiments, if they arrive; what they say belongs to the answer, so it is not shown before.
measured = await fetch(new URL('results/summary.json', import.meta.url)).then((r) => (r.ok ? r.json() : {})).catch(() => ({}));
show();
