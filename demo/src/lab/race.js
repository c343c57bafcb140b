// The page of the race: what is chosen, the loop of steps, going back and on, sharing and taking home.

import { $, make, wireCopy } from '../dom.js';
import { Tensor, Trainer } from '../engine.js';
import { programOf } from './race-code.js';
import { Race } from './race-run.js';
import { claims, fromHash, mended, networks, settingOf, tasks, toHash, trainerOptions, variants, variantsOf } from './race-setting.js';
import { changeText, curves, longest, lookAt, normLayers, plot, setLayers, showAnswers, showLanes, showLayers, showStatistics, verdictText } from './race-view.js';

/** @type {Race | undefined} */ let race;
/** @type {Promise<unknown> | undefined} what prepares or has prepared the race that is shown */ let prepared;
let setting = fromHash(location.hash);
let guess = '';
let running = false;
/** The step that is shown; the race itself may be further. */ let view = 0;
/** Whether what is shown goes on with the race. */ let following = true;
/** Which race it is, to know answers of an earlier one. */ let number = 0;
/** The step that the race runs to. */ let goal = setting.steps;
/** @type {Awaited<ReturnType<Race['decide']>> | undefined} */ let result;

// The same bits in every browser, so that an address gives the same race. (The fastest build may round otherwise.)
const start = { variant: 'simd' };

/** One thing at a time is asked of the trainers. @type {Promise<any>} */
let queue = Promise.resolve();
/** @template T @param {() => Promise<T>} task @returns {Promise<T>} */
const inTurn = (task) => (queue = queue.then(task, task));

// ---- preparing ----

/** Makes the race of the setting; what was there before is ended. */
function prepare() {
  running = false;
  result = undefined;
  race?.dispose();
  race = undefined;
  view = 0;
  following = true;
  goal = setting.steps;
  $('problem').hidden = true;
  showSetting();
  const mine = ++number;
  const wanted = setting;
  const fetching = Race.create({ Trainer, Tensor, setting: wanted, worker: true, start }).catch((error) => {
    if (error?.code !== 'UNSUPPORTED') throw error;
    start.variant = 'scalar'; // the same bits, without SIMD
    return Race.create({ Trainer, Tensor, setting: wanted, worker: true, start });
  }).then((made) => {
    if (mine !== number) return made.dispose();
    race = made;
    setLayers(race);
    fillNormLayers();
    draw();
    document.documentElement.dataset.started = '';
  }, (error) => {
    if (mine !== number) return;
    failed(error, 'The race could not be prepared');
    document.documentElement.dataset.started = '';
  });
  prepared = fetching;
  buttons();
  return fetching;
}

/** @param {any} error @param {string} what */
function failed(error, what) {
  running = false;
  $('problem').hidden = false;
  $('problem').replaceChildren(make('p', null, `${what}: ${String(error?.message ?? error).replace(/[.!]?$/, '.')}`), make('button', { type: 'button', className: 'button', onclick: prepare }, 'Try again'));
  buttons();
}

// ---- what is chosen ----

$('claim').replaceChildren(...claims.map((c) => make('option', { value: String(c.claim) }, `${c.claim}. ${c.title}`)), make('option', { value: '0' }, 'Your own race'));
$('data').append(...Object.entries(tasks).map(([value, { name }]) => make('option', { value }, name)));

/** Brings the form, the texts and the address up to the setting. */
function showSetting() {
  const claim = claims.find((c) => c.claim === setting.claim);
  const { what, units } = tasks[setting.data];
  $('claim').value = String(setting.claim);
  $('claim-title').textContent = claim?.title ?? 'Your own race';
  $('source').classList.toggle('absent', !claim);
  if (!claim) $('source').open = false;
  if (claim && $('source').open) showSource();
  $('why').textContent = claim?.why ?? `${variants[setting.a].name} against ${variants[setting.b].name}, everything else the same.`;
  $('plan').textContent = `${capital(what)}. ${networks[setting.network].name}. Batches of ${setting.batch}, ${setting.optimizer === 'sgd' ? 'SGD with momentum' : 'AdamW'} at ${setting.rate}, ${setting.steps} steps.`;
  $('question').textContent = `Who will know more ${setting.data === 'digits' ? 'held-out digits' : 'about held-out names'} after ${setting.steps} steps?`;
  $('answers-what').textContent = setting.data === 'digits' ? 'Held-out digits, which neither has learnt from; what they are stands in the corner.' : 'Held-out names, which neither has learnt from: the letter that each expects next. Underlined ones are right; · ends a name.';
  for (const lane of /** @type {const} */ (['a', 'b'])) {
    const label = $(`guess-${lane}`);
    label.className = `s-${variants[setting[lane]].kind}`;
    label.querySelector('span').textContent = variants[setting[lane]].name;
    const head = $(`lane-${lane}`);
    head.className = `lane s-${variants[setting[lane]].kind}`;
    head.querySelector('h3').textContent = variants[setting[lane]].name;
  }
  $('network').replaceChildren(...Object.entries(networks).filter(([, n]) => n.data === setting.data).map(([value, { name }]) => make('option', { value }, name)));
  for (const lane of ['a', 'b']) $(lane).replaceChildren(...variantsOf(setting.network).map((value) => make('option', { value }, variants[value].name)));
  for (const key of /** @type {const} */ (['data', 'network', 'a', 'b', 'batch', 'rate', 'optimizer', 'seed', 'steps'])) $(key).value = String(setting[key]);
  $('statistics').hidden = ![setting.a, setting.b].some((v) => variants[v].kind === 'batchNorm');
  $('exports').replaceChildren(...(/** @type {const} */ (['a', 'b'])).map((lane, i) => make('div', { className: `lane s-${variants[setting[lane]].kind}` },
    make('h4', { className: 'name' }, variants[setting[lane]].name),
    make('div', { className: 'toolbar' }, ...(/** @type {const} */ (['onnx', 'safetensors'])).map((type) => make('button', {
      type: 'button', className: 'button quiet', id: `${type}-${lane}`, disabled: true, 'aria-label': `${variants[setting[lane]].name} as ${type === 'onnx' ? 'ONNX' : 'safetensors'}`, onclick: () => download(i, type),
    }, type === 'onnx' ? 'ONNX' : 'safetensors'))))));
  keepRoom();
  showShared();
  draw();
}

/** Where the claim comes from, out of the experiment's declaration. */
async function showSource() {
  const claim = claims.find((c) => c.claim === setting.claim);
  if (!claim) return;
  const { default: experiment } = await import(`./experiments/${claim.experiment}.js`);
  if (setting.claim !== claim.claim) return;
  $('source-claim').textContent = experiment.claim;
  $('source-paper').href = experiment.source.url;
  $('source-paper').textContent = experiment.source.text;
  $('source-numbers').textContent = experiment.source.numbers;
  $('source-here').href = `experiments.html#${experiment.slug}`;
}
$('source').addEventListener('toggle', () => $('source').open && showSource());

/** Keeps room for what will be said, so that nothing moves then. */
function keepRoom() {
  const texts = longest(setting, [variants[setting.a], variants[setting.b]]);
  for (const key of /** @type {const} */ (['verdict', 'change'])) {
    const element = $(key);
    const shown = element.textContent;
    element.style.minHeight = '';
    element.textContent = texts[key];
    element.style.minHeight = `${Math.ceil(element.getBoundingClientRect().height)}px`;
    element.textContent = shown;
  }
}

/** The address and the code, which also tell where the batch size changed. */
function showShared() {
  const shared = race ? { ...setting, changes: race.setting.changes } : setting;
  const hash = toHash(shared);
  if (hash !== location.hash && !(hash === toHash(settingOf(3)) && location.hash === '')) history.replaceState(null, '', hash);
  $('share').value = new URL(hash, location.href).href;
  $('code').textContent = programOf(shared, new URL('.', location.href).href, Math.max(setting.steps, race?.at ?? 0));
}

const capital = (/** @type {string} */ s) => s[0].toUpperCase() + s.slice(1);

/** @param {any} wish */
function choose(wish) {
  setting = mended(wish);
  guess = '';
  for (const input of document.querySelectorAll('input[name=guess]')) /** @type {HTMLInputElement} */ (input).checked = false;
  prepare();
}

$('claim').addEventListener('change', () => {
  const claim = Number($('claim').value);
  if (claim) return choose(settingOf(claim));
  $('own').open = true;
  $('data').focus();
  // The numbers stay as they are until one of them is changed.
  $('claim').value = String(setting.claim);
});
$('settings').addEventListener('submit', (/** @type {Event} */ event) => event.preventDefault());
$('settings').addEventListener('change', () => {
  if (!$('settings').reportValidity()) return;
  choose({ ...Object.fromEntries(['data', 'network', 'a', 'b', 'batch', 'rate', 'optimizer', 'seed', 'steps'].map((key) => [key, $(key).value])), ...($('data').value !== setting.data && { network: '', optimizer: '', batch: '', rate: '' }) });
});
addEventListener('hashchange', () => choose(fromHash(location.hash)));

$('predict').addEventListener('change', (/** @type {any} */ event) => {
  guess = event.target.value;
  $('asked').textContent = '';
  verdict();
});
$('predict').addEventListener('submit', (/** @type {Event} */ event) => {
  event.preventDefault();
  if (!guess) {
    $('asked').textContent = 'First say who will be ahead.';
    return $('predict').querySelector('input').focus();
  }
  if (matchMedia('(max-width: 59.99rem)').matches) $('race').scrollIntoView();
  if (race && race.at >= goal) prepare();
  go();
});

// ---- running ----

/** Runs until the goal, a pause or another race. */
async function go() {
  await prepared;
  if (!race || running) return;
  const mine = race;
  running = following = true;
  buttons();
  try {
    await back(mine);
    result = undefined;
    if (mine.at >= goal) goal = mine.at + setting.steps;
    while (running && race === mine && mine.at < goal && mine.running) {
      await inTurn(() => mine.step());
      if (race !== mine) return;
      if (following) view = mine.at;
      drawSoon();
    }
    if (race !== mine) return;
    running = false;
    if (mine.at >= goal || !mine.running) await finish(mine);
  } catch (error) {
    if (race === mine) failed(error, 'The race has stopped');
    return;
  }
  draw();
}

/** Takes the race to the step that is shown, if that is an earlier one. @param {Race} mine */
async function back(mine) {
  if (view >= mine.at) return;
  result = undefined;
  verdict(); // what was said is of a race that is no more
  const step = view;
  await inTurn(() => mine.goTo(step));
  goal = step < setting.steps ? setting.steps : step + setting.steps;
  showShared();
}

/** @param {Race} mine */
async function finish(mine) {
  const decided = await inTurn(() => mine.look().then(() => mine.decide()));
  if (race === mine) result = decided;
}

/** Does something to a race that stands still, at the step that is shown. @param {(mine: Race) => Promise<void>} deed */
async function still(deed) {
  const mine = race;
  if (!mine) return;
  const was = running;
  running = false;
  try {
    await inTurn(async () => {}); // a step that is under way
    if (race !== mine) return;
    if (following) view = mine.at;
    await back(mine);
    await inTurn(() => deed(mine));
    if (race !== mine) return;
    view = mine.at;
    following = true;
  } catch (error) {
    if (race === mine) failed(error, 'The race has stopped');
    return;
  }
  showShared();
  draw();
  if (was) go();
}

$('go').addEventListener('click', () => {
  if (!running) return go();
  running = false;
  buttons();
});
$('step').addEventListener('click', () => still(async (mine) => {
  result = undefined;
  await mine.step();
  await mine.look();
}));
$('one').addEventListener('click', () => still((mine) => mine.setBatch(mine.batch === 1 ? setting.batch === 1 ? 32 : setting.batch : 1)).then(() => {
  showShared();
  if (!running) go();
}));
$('at').addEventListener('input', () => {
  running = false;
  view = Number($('at').value);
  following = view === race?.at;
  draw();
});

// ---- drawing ----

let waiting = false;
let drawnAt = 0;
/** @type {ReturnType<typeof lookAt> | undefined} */ let shownLook;
/** Draws with the next frame, and no oftener than eight times a second: numbers that change faster cannot be read. */
function drawSoon() {
  if (waiting) return;
  waiting = true;
  setTimeout(() => requestAnimationFrame(() => {
    waiting = false;
    draw();
  }), Math.max(0, drawnAt + 125 - performance.now()));
}

/** Enables what can be pressed and names it by what it does. */
function buttons() {
  const at = race?.at ?? 0;
  $('go').textContent = running || at === 0 ? 'Pause' : view < at ? `Go on from step ${view}` : at >= goal || result ? `${setting.steps} more steps` : 'Go on';
  const stopped = race && !race.running && view === at;
  $('go').disabled = !race || stopped || at === 0;
  $('step').disabled = !race || running || stopped;
  $('one').disabled = !race || stopped;
  const one = race?.batch === 1;
  $('one').textContent = one ? `Batches of ${setting.batch === 1 ? 32 : setting.batch} from here` : 'Batches of 1 from here';
  $('start').textContent = running ? 'Running …' : at > 0 && at >= goal ? 'Race again' : at > 0 ? 'Go on' : 'Start the race';
  $('start').disabled = running;
  // A prediction is made before.
  for (const input of document.querySelectorAll('input[name=guess]')) /** @type {HTMLInputElement} */ (input).disabled = at > 0 || running;
  $('at').disabled = at === 0;
  for (const lane of ['a', 'b']) for (const type of ['onnx', 'safetensors']) $(`${type}-${lane}`).disabled = view === 0 || running;
  $('state').textContent = !race ? 'Fetching the program and the examples …' : running ? `Running to step ${goal}, batches of ${race.batch}` : at === 0 ? 'Ready' : view < at ? `Looking back from step ${at}` : `Paused at step ${at}`;
}

function draw() {
  drawnAt = performance.now();
  if (following && race) view = race.at;
  const at = race?.at ?? 0;
  $('at').max = String(Math.max(at, 1));
  $('at').value = String(view);
  $('at').setAttribute('aria-valuetext', `step ${view} of ${at}`);
  $('at-value').textContent = `${view} of ${at}`;
  const { accuracy, loss } = curves(race, race?.at ?? 0, goal);
  const more = {
    ...(race && view < at && { cursor: view }),
    marks: (race?.setting.changes ?? []).filter((c) => c.from <= at).map((c) => ({ at: c.from, text: `batch of ${c.batch}` })),
  };
  plot($('plot-loss'), loss, more);
  if (race) showLanes(race, view);
  // What is measured now and then is drawn when it has been measured.
  const look = race && lookAt(race, view);
  if (look !== shownLook || !running) {
    shownLook = look;
    plot($('plot-accuracy'), accuracy, more);
    if (race) {
      showAnswers(race, view);
      showLayers(race, view);
      if (!$('statistics').hidden) showStatistics(race, view, normLayers(race)[$('which').selectedIndex]);
    }
    $('change').textContent = (race && changeText(race, view)) || 'What becomes of them when the batch size changes on the way will stand here.';
  }
  verdict();
  buttons();
}

function verdict() {
  const text = race && result ? verdictText(race, result, race.at === setting.steps ? guess : '')
    : running || race?.at ? `The result comes after step ${goal}.` : 'Say who will be ahead, then start. The result appears here.';
  if ($('verdict').textContent !== text) $('verdict').textContent = text;
}

function fillNormLayers() {
  if (race) $('which').replaceChildren(...normLayers(race).map(({ text }) => make('option', null, text)));
}
$('which').addEventListener('change', () => {
  shownLook = undefined;
  draw();
});
new ResizeObserver(() => {
  keepRoom();
  shownLook = undefined;
  drawSoon();
}).observe($('plot-accuracy'));

// ---- taking home ----

/** @param {number} lane @param {'onnx' | 'safetensors'} type */
async function download(lane, type) {
  const mine = race;
  if (!mine) return;
  try {
    const step = view;
    const bytes = await inTurn(() => mine.after(step, lane, (trainer) => (type === 'onnx' ? trainer.exportONNX() : trainer.save())));
    const url = URL.createObjectURL(new Blob([bytes], { type: 'application/octet-stream' }));
    make('a', { href: url, download: `${mine.lanes[lane].name.replace(/\W+/g, '-').toLowerCase()}-step-${step}.${type}` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  } catch (error) {
    failed(error, 'The file could not be made');
  }
}
wireCopy($('share-copy'), () => $('share').value, $('share'));
wireCopy($('code-copy'), () => $('code').textContent, $('code'));

// For whoever looks into the page with the browser's tools, and for its tests.
Object.assign(globalThis, { lab: { get race() { return race; }, get setting() { return setting; }, get view() { return view; }, trainerOptions } });

prepare();
