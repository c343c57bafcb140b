// Bench: starts the programs, has them take turns, shows what they needed. How it is measured is in bench/measure.js.

import { cases, inputOf } from './bench/cases.js';
import { measure } from './bench/measure.js';
import { asJSON, asText, differing, duration, overall, ratio, times, verdicts } from './bench/results.js';
import { $, bytes, make, wireCopy } from './dom.js';
import { fetchFile } from './lab/data.js';
import { offerThreads } from './threads.js';

const kinds = { norms: 'Norms', layers: 'Layers', models: 'Models' };
const plans = {
  short: { rounds: 7, sampleMs: 30, warmMs: 250 },
  long: { rounds: 25, sampleMs: 60, warmMs: 500 },
};

/** The measuring that is under way. @type {AbortController | undefined} */
let control;
/** @type {import('./bench/results.js').Results | undefined} */
let results;

/** ?rounds=3&sample=10&warm=50 measures otherwise than the page offers: for tests, and for devices that need it. */
function plan() {
  const own = new URLSearchParams(location.search);
  const chosen = { ...plans[$('length').value] };
  for (const [name, key] of Object.entries({ rounds: 'rounds', sample: 'sampleMs', warm: 'warmMs' })) {
    const value = Number(own.get(name));
    if (own.has(name) && value > 0 && value <= 10_000) chosen[key] = name === 'rounds' ? Math.ceil(value) : value;
  }
  return chosen;
}

/** A program in a worker of its own. It answers one question at a time. */
class Program {
  #worker = new Worker(new URL('./bench/contender.js', import.meta.url), { type: 'module', name: 'bench' });
  /** @type {{ resolve(value: any): void, reject(error: Error): void } | undefined} */
  #waiting;

  /** @param {string} id @param {(loaded: number) => void} progress of what it fetches */
  constructor(id, progress) {
    this.id = id;
    this.#worker.onmessage = ({ data: { value, error, loaded } }) => {
      if (loaded !== undefined) return progress(loaded);
      if (error === undefined) this.#waiting?.resolve(value);
      else this.#waiting?.reject(new Error(error));
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#waiting?.reject(new Error(event.message || 'The script of the worker could not be loaded.'));
    };
  }

  #ask(call, message = {}) {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#worker.postMessage({ call, ...message });
    });
  }

  /** @param {number} threads */
  start(threads) {
    if (this.id === 'ort') return this.#ask('start', { runtime: 'ort', threads });
    const alone = this.id === 'one' || this.id === 'scalar';
    return this.#ask('start', { runtime: 'normwasm', variant: this.id === 'one' ? 'auto' : this.id, threads: alone ? 1 : threads });
  }

  async prepare(item) {
    const { input, output } = item;
    return this.#ask('prepare', { model: await fileOf(item), input, output, data: inputOf(item) });
  }

  time(count) {
    return this.#ask('time', { times: count });
  }

  release() {
    return this.#ask('release');
  }

  end() {
    this.#worker.terminate();
    this.#waiting?.reject(new Error('It was stopped.'));
  }
}

/** The files, each made or fetched once. @type {Map<string, Promise<Uint8Array>>} */
const files = new Map();

/** @param {import('./bench/cases.js').Case} item */
function fileOf(item) {
  let file = files.get(item.id);
  if (!file) {
    file = item.file ? fetchFile(item.file) : Promise.resolve(item.write?.());
    file.catch(() => files.delete(item.id)); // the next try fetches it again
    files.set(item.id, file);
  }
  return file;
}

// ---- what is shown ----

const chosen = (name) => [...document.querySelectorAll(`input[name="${name}"]:checked`)].map((input) => /** @type {HTMLInputElement} */ (input).value);

/** Enables what can be pressed; who stood on a button that now cannot be stands on the other. */
function buttons() {
  const focused = document.activeElement;
  $('go').disabled = Boolean(control);
  $('stop').disabled = !control;
  for (const input of document.querySelectorAll('#setup input, #setup select')) input.disabled = Boolean(control);
  if ($('threads').options.length < 2) $('threads').disabled = true;
  offerOne();
  if (focused === $('go') && control) $('stop').focus();
  if (focused === $('stop') && !control) $('go').focus();
}

/** @param {string[]} lines */
function complain(lines) {
  $('problem').hidden = lines.length === 0;
  $('problem').replaceChildren(...lines.flatMap((line, i) => (i ? [make('br'), line] : [line])));
}

function showDevice() {
  const { hardwareConcurrency: cores, userAgent } = navigator;
  $('device').textContent = `${cores ? `${cores} cores. ` : ''}${userAgent}`;
}

/** Sizes stay in one line. @param {string} text */
const whole = (text) => text.replaceAll(' × ', '\u00a0×\u00a0');

/** The table with room for all that will be measured. @param {import('./bench/cases.js').Case[]} planned */
function showTable(planned) {
  const { contenders } = /** @type {any} */ (results);
  const table = $('head').parentElement;
  $('head').replaceChildren(make('tr', null, make('th', { scope: 'col' }, 'What'), ...contenders.map(({ name }) => {
    const [program, ...which] = name.split(' ');
    return make('th', { scope: 'col' }, program, ...(which.length ? [make('small', null, which.join(' '))] : []));
  })));
  for (const body of [...table.tBodies]) body.remove();
  for (const [group, title] of Object.entries(kinds)) {
    const items = planned.filter((item) => item.group === group);
    if (items.length === 0) continue;
    const row = (attributes, first, cell) => make('tr', attributes, first, ...contenders.map(cell));
    table.append(make('tbody', null,
      make('tr', { className: 'kind' }, make('th', { scope: 'rowgroup', colSpan: contenders.length + 1 }, title)),
      ...items.map(({ id, name, detail }) => row({ 'data-case': id }, make('th', { scope: 'row' }, whole(name), make('small', null, whole(detail))), () => make('td', null, '–'))),
      ...(contenders.length > 1 ? [row({ className: 'mean', 'data-mean': group }, make('th', { scope: 'row' }, 'Geometric mean'), (_, i) => make('td', null, i ? '–' : ''))] : []),
    ));
  }
}

/** @param {string} [now] the case that is being measured */
function showResults(now) {
  if (!results) return;
  const { contenders, cases: measured } = results;
  const [first] = contenders;
  for (const row of document.querySelectorAll('.measured [data-case]')) {
    const id = /** @type {HTMLElement} */ (row).dataset.case;
    row.className = id === now ? 'now' : '';
    const item = measured.find((m) => m.id === id);
    if (!item) continue;
    for (const [i, { id: contender }] of contenders.entries()) {
      const cell = item.cells[contender];
      const r = i ? ratio(item, first.id, contender) : undefined;
      row.children[i + 1].replaceChildren(...(cell?.medianMs === undefined ? [cell?.error ? 'fails' : '–'] : [duration(cell.medianMs), ...(r === undefined ? [] : [make('small', null, `× ${times(r)}`)])]));
    }
  }
  for (const row of document.querySelectorAll('.measured [data-mean]')) {
    for (const [i, { id }] of contenders.entries()) {
      const all = i ? overall(results, id, /** @type {HTMLElement} */ (row).dataset.mean) : undefined;
      if (all) row.children[i + 1].textContent = `× ${times(all.mean)}`;
    }
  }
  $('verdict').replaceChildren(...verdicts(results).map((text) => make('p', null, text)));
  $('text').textContent = asText(results);
  $('json').textContent = asJSON(results);
  $('copy-text').disabled = $('copy-json').disabled = false;
}

// ---- measuring ----

/** @param {number} share @param {string} text */
function tell(share, text) {
  $('progress').value = share;
  $('state').textContent = text;
}

/**
 * Starts the programs that are chosen, one after another: what each fetches is not measured.
 * @param {AbortSignal} signal @param {string[]} problems gets what does not start
 */
async function start(signal, problems) {
  const programs = [];
  const contenders = [];
  const names = { auto: 'normwasm', simd: 'normwasm (simd)', scalar: 'normwasm (scalar)', one: 'normwasm in one thread', ort: 'onnxruntime-web' };
  const wanted = Number($('threads').value);
  for (const id of ['auto', ...chosen('also')]) {
    if (id === 'one' && wanted === 1) continue; // the first is this
    tell(0, `Starting ${names[id]} …`);
    const program = new Program(id, (loaded) => tell(0, `Fetching ${names[id]}: ${bytes(loaded)}`));
    const stop = () => program.end();
    signal.addEventListener('abort', stop);
    try {
      const { version, variant, threads } = await program.start(wanted);
      const name = id === 'ort' ? names.ort : `normwasm (${variant}${id === 'one' ? ', 1 thread' : ''})`;
      if (contenders.some((c) => c.name === name)) { // where there is no better one, the fastest is this
        program.end();
        continue;
      }
      contenders.push({ id, name, version, threads });
      programs.push(program);
    } catch (error) {
      program.end();
      if (signal.aborted) break;
      if (id === 'auto') throw error;
      problems.push(`${names[id]} does not start: ${error.message}`);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }
  return { programs, contenders };
}

async function run() {
  const groups = chosen('group');
  const planned = cases.filter((item) => groups.includes(item.group));
  if (planned.length === 0) return complain(['Choose what to measure: norms, layers or models.']);
  control = new AbortController();
  const { signal } = control;
  const problems = [];
  complain(problems);
  buttons();
  $('announce').textContent = 'Measuring';
  let programs = [];
  let hidden = document.hidden;
  const watch = () => (hidden ||= document.hidden);
  document.addEventListener('visibilitychange', watch);
  try {
    const started = await start(signal, problems);
    programs = started.programs;
    complain(problems);
    if (!signal.aborted) {
      results = { date: new Date().toISOString(), device: { userAgent: navigator.userAgent, cores: navigator.hardwareConcurrency, hidden }, plan: plan(), contenders: started.contenders, cases: [] };
      showTable(planned);
    }
    for (const [i, item] of planned.entries()) {
      if (signal.aborted) break;
      const { id, group, name, detail } = item;
      showResults(id);
      const cells = await measure(programs, item, results.plan, { signal, tell: (done) => tell((i + done) / planned.length, `${i + 1} of ${planned.length}: ${name}, ${detail}`) });
      results.device.hidden = hidden;
      if (cells.size > 0) results.cases.push({ id, group, name, detail, cells: Object.fromEntries(cells) });
      for (const { id: program, name: title } of started.contenders) {
        const error = cells.get(program)?.error;
        if (error) problems.push(`${name} fails in ${title}: ${error}`);
      }
    }
    problems.push(...(results ? differing(results) : []));
    if (hidden) problems.push('The page was out of sight meanwhile, which may have slowed it down.');
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
  document.removeEventListener('visibilitychange', watch);
  for (const program of programs) program.end();
  const stopped = signal.aborted;
  control = undefined;
  complain(problems);
  showResults();
  buttons();
  tell(stopped ? 0 : 1, stopped ? 'Stopped. What was measured until then stays.' : 'Done.');
  $('announce').textContent = stopped ? 'Stopped' : ['Done.', ...(results ? verdicts(results) : [])].join(' ');
  document.documentElement.dataset.measured = String(results?.cases.length ?? 0);
}

$('setup').addEventListener('submit', (event) => {
  event.preventDefault();
  if (!control) run();
});
$('stop').addEventListener('click', () => control?.abort());
addEventListener('keydown', (event) => {
  if (event.key === 'Escape') control?.abort();
});
wireCopy($('copy-text'), () => $('text').textContent, $('text'));
$('copy-json').addEventListener('click', () => ($('json-whole').open = true)); // where it cannot be copied it is selected
wireCopy($('copy-json'), () => $('json').textContent, $('json'));

/** What one thread takes is worth asking where there are more. */
function offerOne() {
  const alone = Number($('threads').value) < 2;
  const box = /** @type {HTMLInputElement} */ (document.querySelector('input[value=one]'));
  box.disabled = alone || Boolean(control);
  if (alone) box.checked = false;
}

offerThreads($('threads'), $('threads-why'));
$('threads').addEventListener('change', offerOne);
showDevice();
buttons();
document.documentElement.dataset.started = 'true';
