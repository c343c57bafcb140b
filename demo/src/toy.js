// The lesson's table: three steps of four channels. The worker normalizes it with the engine's own layerNorm and batchNorm.

import { $, make } from './dom.js';

const ROWS = 3, COLS = 4;
const START = [2, 5, 1, 4, 6, 3, 2, 7, 1, 4, 3, 0];

// What "training" saw: the statistics of each channel of the start table, frozen from then on.
const mean = Array.from({ length: COLS }, (_, c) => START.filter((_, i) => i % COLS === c).reduce((a, b) => a + b) / ROWS);
const variance = mean.map((m, c) => START.filter((_, i) => i % COLS === c).reduce((a, v) => a + (v - m) ** 2, 0) / ROWS);

let x = [...START];
/** @type {Record<string, number[]>} */
let shown = {};
let cause = '';

/** @param {(message: any) => void} ask posts to the worker */
export function wireToy(ask) {
  const brighten = $('brighten'), contrast = $('contrast');
  const send = () => {
    $('brighten-value').textContent = `${Number(brighten.value) > 0 ? '+' : ''}${Number(brighten.value)}`.replace('-', '−');
    $('contrast-value').textContent = `× ${+(2 ** Number(contrast.value)).toFixed(2)}`;
    ask({ type: 'toy', id: 0, rows: ROWS, cols: COLS, x: input(), mean, variance });
  };
  brighten.oninput = () => { cause = 'brighten'; send(); };
  contrast.oninput = () => { cause = 'contrast'; send(); };
  $('toy-in').replaceChildren(...x.map((_, i) => make('button', {
    type: 'button',
    // Until the engine has answered for the first time.
    'aria-label': `Step ${Math.floor(i / COLS) + 1}, channel ${(i % COLS) + 1}`,
    onclick: () => { x[i] = x[i] >= 9 ? 0 : x[i] + 1; cause = 'cell'; send(); },
  })));
  for (const id of ['toy-batch', 'toy-layer']) $(id).replaceChildren(...x.map(() => make('span')));
  $('toy-reset').onclick = () => {
    x = [...START];
    brighten.value = contrast.value = '0';
    cause = '';
    shown = {};
    send();
  };
  return send;
}

const input = () => {
  const by = Number($('brighten').value), times = 2 ** Number($('contrast').value);
  return x.map((v) => v * times + by);
};

export function showToy({ batch, layer }) {
  const now = { 'toy-in': input(), 'toy-batch': batch, 'toy-layer': layer };
  const moved = {};
  for (const [id, values] of Object.entries(now)) {
    const before = shown[id];
    moved[id] = 0;
    [...$(id).children].forEach((cell, i) => {
      const text = id === 'toy-in' ? String(+values[i].toFixed(2)).replace('-', '−') : `${values[i] < -0.004 ? '−' : ''}${Math.abs(values[i]).toFixed(2)}`;
      cell.textContent = text;
      if (id === 'toy-in') cell.setAttribute('aria-label', `Step ${Math.floor(i / COLS) + 1}, channel ${(i % COLS) + 1}: ${text}. Press to raise`);
      const depth = Math.min(1, Math.abs(id === 'toy-in' ? values[i] / 12 : values[i] / 2.6));
      const hue = id === 'toy-in' ? 'var(--soft)' : 'var(--hue)';
      cell.style.setProperty('--cell', `color-mix(in srgb, ${hue} ${Math.round(depth * 42)}%, var(--card))`);
      const change = before !== undefined && Math.abs(before[i] - values[i]) > 0.005;
      cell.classList.toggle('moved', change);
      if (change) moved[id]++;
    });
  }
  shown = now;
  $('toy-says').textContent = says(moved);
}

function says(moved) {
  const b = moved['toy-batch'], l = moved['toy-layer'];
  const count = (n) => (n === 0 ? 'nothing' : n === 1 ? 'one number' : `${n} numbers`);
  switch (cause) {
    case 'cell':
      return `One number went in differently: ${count(b)} moved after BatchNorm, ${count(l)} after LayerNorm, where the whole step shares its mean and spread.`;
    case 'brighten':
      return `Everything brighter or darker: ${count(b)} moved after BatchNorm, whose means are frozen; ${count(l)} after LayerNorm, which subtracts the step's own mean.`;
    case 'contrast':
      return `Everything stretched or squeezed: ${count(b)} moved after BatchNorm; ${count(l)} after LayerNorm, which divides by the step's own spread (down to the small ε that keeps it from dividing by zero).`;
    default:
      return 'Blue and clay cells: the further from zero, the deeper. Outlined cells moved with your last change.';
  }
}
