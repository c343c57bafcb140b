// Axes: a small tensor to drag numbers in. Shows which elements share statistics, these, the formula with its numbers, and what moves.

import { $, make } from '../dom.js';
import { init, BatchNorm, layerNorm, rmsNorm, instanceNorm, groupNorm } from '../engine.js';
import { NORMS, channelsOf, invent, makeLayer, nameOf, normalize, placeOf, sharing, sizeOf } from './axes-model.js';

const MOST = 4; // examples
const LIMIT = 99, STEP = 0.5;
const CALLS = { batch: 'BatchNorm', layer: 'layerNorm', instance: 'instanceNorm', group: 'groupNorm', rms: 'rmsNorm' };

/** @type {import('./axes-model.js').Setting} */
const setting = { kind: 'pictures', dims: [3, 4, 2, 2], norm: 'batch', groups: 2, over: 'all' };
let training = true;
/** Each example by itself, with a name that it keeps when others come and go. @type {{ id: number, x: Float32Array }[]} */
let examples = [];
let made = 0;
let chosen = 0;
/** The element under the pointer, which is shown rather than the chosen one. @type {number | undefined} */
let hovered;
let ready = false;
/** @type {import('normwasm').BatchNorm | undefined} */
let layer;
/** @type {{ ids: Int32Array, names: string[] }} */
let shared = sharing(setting);
/** What is shown now. @type {{ y: Float32Array, mean: ArrayLike<number> | undefined, variance: ArrayLike<number> } | undefined} */
let result;
/** The outputs before the last change, by example. @type {Map<number, Float32Array>} */
let before = new Map();

const each = () => sizeOf(setting.dims.slice(1));
const whole = () => Float32Array.from(examples.flatMap((e) => [...e.x]));
const clamp = (v) => Math.max(-LIMIT, Math.min(LIMIT, v));
const signed = (text) => text.replace('-', '−');
const short = (v) => signed(String(+v.toFixed(2)));
const fixed = (v) => signed(v.toFixed(2)).replace(/^−(0\.00)$/, '$1');
const exampleOf = (i) => Math.floor(i / each());

const newExample = () => ({ id: made, x: invent(setting.kind, [1, ...setting.dims.slice(1)], 1 + made++) });

/** A batch of another shape, on which BatchNorm has trained already. */
function restart(count = 3) {
  made = 0;
  examples = Array.from({ length: count }, newExample);
  chosen = 0;
  hovered = undefined;
  before = new Map();
  setting.dims[0] = count;
  layer?.dispose();
  layer = undefined;
  build();
}

const inCells = () => /** @type {NodeListOf<HTMLElement>} */ ($('in').querySelectorAll('.cell'));
const outCells = () => /** @type {NodeListOf<HTMLElement>} */ ($('out').querySelectorAll('.cell'));

/** Draws both tensors: an example a row; of pictures a block a channel, of sequences steps by channels. */
function build() {
  const { kind, dims } = setting, [, a, b] = dims;
  const columns = dims.at(-1), blocks = kind === 'pictures' ? a : 1, per = kind === 'pictures' ? b * columns : a * columns;
  for (const id of ['in', 'out']) {
    let i = 0;
    $(id).replaceChildren(...examples.map((_, n) => make('div', { className: 'example' },
      make('h3', null, kind === 'pictures' ? `Example ${n + 1}` : `Example ${n + 1}: steps down, channels across`),
      make('div', { className: 'blocks' }, ...Array.from({ length: blocks }, (_, c) => {
        const block = make('div', { className: 'block' });
        block.style.gridTemplateColumns = `repeat(${columns}, var(--cell))`;
        if (kind === 'pictures' && n === 0) block.append(make('h4', null, columns > 1 ? `Channel ${c + 1}` : `Ch. ${c + 1}`));
        for (let k = 0; k < per; k++, i++) {
          const name = nameOf(kind, placeOf(i, dims), dims);
          block.append(id === 'in'
            ? make('span', { className: 'cell', role: 'spinbutton', tabIndex: -1, 'aria-label': name, 'aria-valuemin': String(-LIMIT), 'aria-valuemax': String(LIMIT), 'data-i': String(i) })
            : make('span', { className: 'cell', 'data-i': String(i) }));
        }
        return block;
      })))));
  }
}

/** Computes anew and shows it. @param {string} [cause] what changed, for the sentence below the output */
function update(cause) {
  setting.dims[0] = examples.length;
  const { norm, dims, kind } = setting;
  if (chosen >= sizeOf(dims)) chosen = 0;
  if (hovered !== undefined && hovered >= sizeOf(dims)) hovered = undefined;
  shared = sharing(setting);
  result = undefined;
  const x = whole();
  if (ready) {
    if (!layer) {
      layer = makeLayer(BatchNorm, kind, dims);
      layer.setStatistics(layer.moments(x, { shape: dims }));
    }
    result = normalize({ layerNorm, rmsNorm, instanceNorm, groupNorm }, setting, x, { layer, training });
  }
  $('axes').className = `hue s-${CALLS[norm][0].toLowerCase()}${CALLS[norm].slice(1)}`;
  $('axes').classList.toggle('constant', norm === 'batch' && !training);

  const moved = new Map(examples.map((e) => [e.id, 0]));
  outCells().forEach((cell, i) => {
    cell.textContent = result ? fixed(result.y[i]) : '';
    const example = examples[exampleOf(i)], was = before.get(example.id)?.[i % each()];
    const change = cause !== undefined && result !== undefined && was !== undefined && Math.abs(was - result.y[i]) > 0.005;
    cell.classList.toggle('moved', change);
    if (change) moved.set(example.id, /** @type {number} */ (moved.get(example.id)) + 1);
  });
  inCells().forEach((cell, i) => {
    cell.textContent = short(x[i]);
    cell.setAttribute('aria-valuenow', String(x[i]));
    cell.setAttribute('aria-valuetext', result ? `${short(x[i])}, output ${fixed(result.y[i])}` : short(x[i]));
  });
  $('says').textContent = says(cause, moved);
  showSetting();
  showChosen();
  show();
}

/** What one element is part of: lights, formula, statistics. */
function show() {
  const i = hovered ?? chosen, { ids, names } = shared, group = ids[i];
  for (const cells of [inCells(), outCells()]) {
    cells.forEach((cell, k) => {
      cell.classList.toggle('lit', ids[k] === group);
      cell.classList.toggle('chosen', k === chosen);
    });
  }
  const { kind, dims, norm } = setting, members = [...ids.keys()].filter((k) => ids[k] === group), x = whole();
  const stays = norm === 'batch' && !training;
  $('formula-where').textContent = `${capital(nameOf(kind, placeOf(i, dims), dims))}. ${stays
    ? `All of ${names[group]} gets the same constants.`
    : members.length === 1 ? 'It is measured alone: one number has no spread.' : `${capital(names[group])}: ${members.length} numbers are measured together.`}`;
  $('formula').replaceChildren(...(result ? formula(x, members, i, group) : []));
  showStatistics(group);
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);

// ---- the formula, as MathML ----

const element = (tag, ...children) => {
  const made = document.createElementNS('http://www.w3.org/1998/Math/MathML', tag);
  made.append(...children);
  return made;
};
const row = (...parts) => element('mrow', ...parts.map((p) => (typeof p === 'string' ? element(/^[()+−=⋯]$/.test(p) ? 'mo' : /^−?\d/.test(p) ? 'mn' : 'mi', p) : p)));
const over = (a, b) => element('mfrac', a, b);
const root = (...parts) => element('msqrt', row(...parts));
const squared = (...parts) => element('msup', row(...parts), element('mn', '2'));
/** A number behind a sign or under a power, where a negative one takes brackets. */
const inner = (text) => (text.startsWith('−') ? row('(', text, ')') : element('mn', text));
const line = (note, ...parts) => make('p', null, element('math', row(...parts)), ...(note ? [make('small', null, note)] : []));

/** All terms of a few, otherwise the first and the last. */
function sum(terms, most = 2) {
  const shown = terms.length <= most ? terms : [terms[0], '⋯', terms[terms.length - 1]];
  return row(...shown.flatMap((t, k) => (k ? ['+', t] : [t])));
}

function formula(x, members, i, group) {
  const { y, mean, variance } = /** @type {NonNullable<typeof result>} */ (result), n = String(members.length);
  const value = short(x[i]), v = precise(variance[group]), epsilon = '0.00001';
  const outcome = element('mn', fixed(y[i]));
  outcome.classList.add('result');
  if (!mean) {
    return [
      line('the mean of the squares; no mean is subtracted', squared('r'), '=', over(sum(members.map((k) => squared(inner(short(x[k])))), 4), row(n)), '=', v),
      line('', 'y', '=', over(row('x'), root(squared('r'), '+', 'ε')), '=', over(row(value), root(v, '+', epsilon)), '=', outcome),
    ];
  }
  const m = fixed(mean[group]);
  const constant = setting.norm === 'batch' && !training;
  return [
    constant ? line('the running mean, from training', 'μ', '=', m) : line('the mean', 'μ', '=', over(sum(members.map((k) => inner(short(x[k]))), 6), row(n)), '=', m),
    constant ? line('the running variance, from training', squared('σ'), '=', v)
      : line('the variance', squared('σ'), '=', over(sum(members.map((k) => squared('(', short(x[k]), '−', inner(m), ')'))), row(n)), '=', v),
    line('', 'y', '=', over(row('x', '−', 'μ'), root(squared('σ'), '+', 'ε')), '=', over(row(value, '−', inner(m)), root(v, '+', epsilon)), '=', outcome),
  ];
}

/** Two decimals, or as many as a small number needs to be seen. */
const precise = (v) => (v !== 0 && v < 0.01 ? (v < 1e-6 ? '0' : v.toPrecision(2)) : fixed(v));

// ---- statistics of all groups ----

function showStatistics(group) {
  const { norm } = setting;
  const heads = norm === 'batch' ? ['Shares', 'batch mean', 'batch variance', 'running mean', 'running variance'] : norm === 'rms' ? ['Shares', 'mean of squares', 'root'] : ['Shares', 'mean', 'variance'];
  $('statistics-head').replaceChildren(...heads.map((text, k) => make('th', { scope: 'col', className: norm === 'batch' && k ? used(k) : '' }, text)));
  const batch = norm === 'batch' && layer ? layer.moments(whole(), { shape: setting.dims }) : undefined;
  $('statistics').replaceChildren(...shared.names.map((name, id) => {
    let numbers = ['', '', '', ''].slice(0, heads.length - 1);
    if (result) {
      const v = result.variance[id];
      numbers = batch && layer ? [fixed(batch.mean[id]), precise(batch.variance[id]), fixed(layer.runningMean[id]), precise(layer.runningVar[id])]
        : norm === 'rms' ? [precise(v), fixed(Math.sqrt(v))]
        : [fixed(/** @type {ArrayLike<number>} */ (result.mean)[id]), precise(v)];
    }
    return make('tr', { className: id === group ? 'lit' : '' }, make('th', { scope: 'row' }, capital(name)),
      ...numbers.map((text, k) => make('td', { className: norm === 'batch' ? used(k + 1) : '' }, text)));
  }));
}

/** Of BatchNorm's four columns the two that the outputs are made with. @param {number} column */
const used = (column) => ((column <= 2) === training ? 'used' : 'unused');

// ---- words ----

const ABOUT = {
  batch: () => (training ? 'Each channel is measured over all examples of the batch. A training step also moves the running statistics a tenth of the way to the batch’s.'
    : 'Nothing is measured: the running statistics from training are constants. They began as those of the first batch.'),
  layer: () => 'Each example, or each place in it, is measured by itself over its channels. The rest of the batch does not matter.',
  instance: () => 'Each channel of each example is measured by itself.',
  group: () => 'Each example is measured by itself, a group of neighbouring channels at a time. One group is LayerNorm over the whole example, one channel a group InstanceNorm.',
  rms: () => 'As LayerNorm, but no mean is subtracted: the numbers are only divided by the root of the mean of their squares.',
};

function says(cause, moved) {
  const { norm } = setting, count = (n) => (n === 0 ? 'none' : String(n));
  if (!result) return '';
  if (cause === 'train') return 'The running statistics went a tenth of the way to the batch’s. Outputs use them in inference.';
  const stays = norm === 'batch' && !training;
  if (new Set(shared.ids).size === shared.ids.length && !stays) {
    if (norm === 'rms') return 'Each number is measured alone: only its sign is left.';
    return `Each number is measured alone and is its own mean: every output is 0.${norm === 'batch' ? ' PyTorch refuses to train like this.' : ''}`;
  }
  if (!cause) return 'Dots will mark the outputs that your next change moves.';
  const [what, id] = cause.split(' '), n = examples.findIndex((e) => e.id === Number(id));
  const others = [...moved].filter(([e]) => e !== Number(id)).reduce((a, [, k]) => a + k, 0);
  const rest = (examples.length - (n < 0 ? 0 : 1)) * each();
  const why = norm === 'batch' ? (training ? (rest ? 'BatchNorm measures each channel over the whole batch.' : 'It is alone in the batch.') : 'In inference the statistics are constants: an output depends on its own input only.')
    : `${NORMS[norm]} measures within one example.`;
  const neighbours = rest ? `, and ${count(others)} of ${rest} in the other examples` : '';
  const own = moved.get(Number(id)) ?? 0;
  switch (what) {
    case 'one': return `One number went in differently. ${own} of ${each()} outputs of example ${n + 1} moved${neighbours}. ${why}`;
    case 'all': return `Example ${n + 1} went in differently. ${own === 0 ? 'None' : own} of its ${each()} outputs moved${neighbours}. ${why}`;
    case 'replaced': return `Example ${n + 1} was replaced: ${count(others)} of ${rest} outputs of the other examples moved. ${why}`;
    case 'added': return `Example ${n + 1} joined the batch: ${count(others)} of ${rest} outputs of the other examples moved. ${why}`;
    default: return `An example left the batch: ${count(others)} of ${rest} outputs of the others moved. ${why}`;
  }
}

// ---- controls ----

function showSetting() {
  const { kind, norm, dims, over } = setting;
  $('mode').hidden = norm !== 'batch';
  $('train').disabled = !training || !ready;
  $('groups-field').hidden = norm !== 'group';
  $('over-field').hidden = norm !== 'layer' && norm !== 'rms';
  $('about').textContent = ABOUT[norm]();
  $('calls').textContent = CALLS[norm];
  const channels = channelsOf(kind, dims), divisors = Array.from({ length: channels }, (_, k) => k + 1).filter((k) => channels % k === 0);
  $('groups').replaceChildren(...divisors.map((k) => make('option', { value: String(k), selected: k === setting.groups }, `${k} of ${channels / k} ${channels / k === 1 ? 'channel' : 'channels'}`)));
  const options = kind === 'pictures' ? [['all', 'a whole example: C, H, W'], ['channels', 'the channels of each pixel: C']] : [['channels', 'the channels of each step: D'], ['all', 'a whole example: T, D']];
  $('over').replaceChildren(...options.map(([value, text]) => make('option', { value, selected: value === over }, text)));
  for (const field of document.querySelectorAll('.size')) /** @type {HTMLElement} */ (field).hidden = /** @type {HTMLElement} */ (field).dataset.kind !== kind;
}

function showChosen() {
  const { kind, dims } = setting, n = exampleOf(chosen), value = examples[n].x[chosen % each()], range = $('value');
  inCells().forEach((cell, i) => (cell.tabIndex = i === chosen ? 0 : -1));
  const most = Math.max(9, Math.ceil(Math.abs(value)));
  range.min = String(-most);
  range.max = String(most);
  range.value = String(value);
  $('where').textContent = capital(nameOf(kind, placeOf(chosen, dims), dims));
  $('value-text').textContent = short(value);
  $('which').textContent = `Example ${n + 1}`;
  const x = examples[n].x, largest = Math.max(...x.map(Math.abs));
  const off = { darker: Math.min(...x) - 1 < -LIMIT, brighter: Math.max(...x) + 1 > LIMIT, double: largest * 2 > LIMIT, halve: largest < 0.5, remove: examples.length === 1, add: examples.length === MOST };
  for (const [name, disabled] of Object.entries(off)) /** @type {HTMLButtonElement} */ (document.querySelector(`[data-do="${name}"]`)).disabled = disabled;
}

/** Keeps the outputs as they are, to see what a change moves. */
function remember() {
  before = new Map(result ? examples.map((e, n) => [e.id, result.y.slice(n * each(), (n + 1) * each())]) : []);
}

function choose(i, focus = false) {
  chosen = i;
  if (focus) inCells()[i].focus();
  showChosen();
  show();
}

/** Changes the chosen number; what has moved is measured from the latest {@link remember}. @param {number} value */
function write(value) {
  const example = examples[exampleOf(chosen)];
  example.x[chosen % each()] = clamp(value);
  update(`one ${example.id}`);
}
const read = () => examples[exampleOf(chosen)].x[chosen % each()];

const deeds = {
  darker: (e) => (e.x = e.x.map((v) => v - 1), `all ${e.id}`),
  brighter: (e) => (e.x = e.x.map((v) => v + 1), `all ${e.id}`),
  halve: (e) => (e.x = e.x.map((v) => v / 2), `all ${e.id}`),
  double: (e) => (e.x = e.x.map((v) => v * 2), `all ${e.id}`),
  replace: (e) => (e.x = newExample().x, `replaced ${e.id}`),
  remove: (e) => {
    examples = examples.filter((other) => other !== e);
    setting.dims[0] = examples.length;
    chosen = Math.min(chosen, sizeOf(setting.dims) - 1);
    build();
    return 'removed -1';
  },
  add: () => {
    const e = newExample();
    examples.push(e);
    setting.dims[0] = examples.length;
    build();
    return `added ${e.id}`;
  },
  reset: () => (restart(), undefined),
};
for (const button of document.querySelectorAll('[data-do]')) {
  button.addEventListener('click', () => {
    remember();
    update(deeds[/** @type {HTMLElement} */ (button).dataset.do ?? ''](examples[exampleOf(chosen)]));
  });
}

const indexOf = (event) => {
  const cell = /** @type {Element} */ (event.target).closest?.('.cell');
  return cell ? Number(cell.dataset.i) : undefined;
};

/** @type {{ pointer: number, y: number, value: number } | undefined} */
let drag;
for (const id of ['in', 'out']) {
  const area = $(id);
  area.addEventListener('pointerover', (event) => {
    const i = indexOf(event);
    // A finger has no place when it does not touch: what it taps is chosen.
    if (drag || event.pointerType === 'touch' || i === undefined || i === hovered) return;
    hovered = i;
    show();
  });
  area.addEventListener('pointerleave', () => {
    if (drag || hovered === undefined) return;
    hovered = undefined;
    show();
  });
  area.addEventListener('click', (event) => {
    const i = indexOf(event);
    if (i !== undefined && i !== chosen) choose(i, id === 'in');
  });
}
const input = $('in');
input.addEventListener('pointerdown', (event) => {
  const i = indexOf(event);
  if (i === undefined || event.button !== 0) return;
  // By touch the first tap chooses, so that a finger that scrolls the page changes nothing.
  if (event.pointerType === 'touch' && i !== chosen) return;
  hovered = undefined;
  choose(i, true);
  remember();
  drag = { pointer: event.pointerId, y: event.clientY, value: read() };
  input.setPointerCapture(event.pointerId);
  event.preventDefault();
});
input.addEventListener('pointermove', (event) => {
  if (drag?.pointer !== event.pointerId) return;
  const value = clamp(drag.value + STEP * Math.round((drag.y - event.clientY) / 7));
  if (value !== read()) write(value);
});
for (const type of ['pointerup', 'pointercancel']) input.addEventListener(type, (event) => { if (drag?.pointer === event.pointerId) drag = undefined; });
input.addEventListener('focusin', (event) => {
  const i = indexOf(event);
  if (i !== undefined && i !== chosen) choose(i);
});
input.addEventListener('keydown', (event) => {
  const by = { ArrowUp: STEP, ArrowDown: -STEP, PageUp: 4 * STEP, PageDown: -4 * STEP }[event.key];
  const last = sizeOf(setting.dims) - 1;
  const to = { ArrowLeft: Math.max(0, chosen - 1), ArrowRight: Math.min(last, chosen + 1), Home: 0, End: last }[event.key];
  if (event.ctrlKey || event.metaKey || event.altKey || (by === undefined && to === undefined)) return;
  event.preventDefault();
  if (to !== undefined) return choose(to, true);
  remember();
  write(read() + by);
});

// One change from the moment it is taken hold of until it is let go.
let sliding = false;
$('value').addEventListener('input', () => {
  if (!sliding) remember();
  sliding = true;
  write(Number($('value').value));
});
$('value').addEventListener('change', () => (sliding = false));

$('norm').addEventListener('change', (event) => {
  setting.norm = /** @type {any} */ (event.target).value;
  update();
});
$('mode').addEventListener('change', (event) => {
  training = /** @type {any} */ (event.target).value === 'training';
  update();
});
$('train').addEventListener('click', () => {
  layer?.forward(whole(), { shape: setting.dims, training: true });
  remember();
  update('train');
});
$('groups').addEventListener('change', () => {
  setting.groups = Number($('groups').value);
  update();
});
$('over').addEventListener('change', () => {
  setting.over = $('over').value;
  update();
});
const FIELDS = { pictures: ['size-1', 'size-2', 'size-3'], sequences: ['size-t', 'size-d'] };
for (const id of ['kind', ...Object.values(FIELDS).flat()]) {
  $(id).addEventListener('change', () => {
    const kind = $('kind').value;
    if (kind !== setting.kind) setting.over = kind === 'pictures' ? 'all' : 'channels';
    setting.kind = kind;
    setting.dims = [examples.length, ...FIELDS[kind].map((f) => Number($(f).value))];
    const channels = channelsOf(kind, setting.dims);
    if (channels % setting.groups) setting.groups = channels % 2 ? 1 : 2;
    restart(examples.length);
    update();
  });
}

restart();
update();
init().then(() => {
  ready = true;
  update();
  document.documentElement.dataset.started = 'true';
}, (error) => {
  $('failed').hidden = false;
  $('failed').textContent = `The engine could not be started: ${error.message} The numbers above can be changed, but nothing is computed.`;
});
