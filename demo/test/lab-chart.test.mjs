import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { draw, figure, number, numbers, spread, standalone, ticks } from '../src/lab/chart.js';

const steps = Array.from({ length: 1001 }, (_, i) => i);
const lines = {
  type: 'lines', id: 'l', title: 'Loss < 1 & "more"', description: 'how it falls', x: { label: 'step' }, y: { label: 'loss' },
  series: [
    { name: 'BatchNorm', kind: 'batchNorm', x: steps, y: steps.map((i) => 2 - i / 1000), low: steps.map((i) => 1.9 - i / 1000), high: steps.map((i) => 2.1 - i / 1000) },
    { name: 'none', kind: 'none', x: [0, 500, 600, 1000], y: [2, 1.5, null, 1], ended: true },
  ],
};
const bars = { type: 'bars', id: 'b', title: 'Errors', y: { label: 'error', percent: true }, x: { label: 'batch' }, groups: ['2', '4'], series: [{ name: 'LN', kind: 'layerNorm', values: [0.1, null], spread: [0.02, null] }] };
const cells = { type: 'cells', id: 'c', title: 'Map', x: { label: 'rate', values: [0.1, 1] }, y: { label: 'depth', values: [2, 8] }, values: [[0.5, 1], [0, null]], percent: true };

/** Numbers of a path. */
const path = (svg, pattern) => pattern.exec(svg)[1].match(/-?[\d.]+/g).map(Number);

test('lines stand where their numbers are', () => {
  const svg = draw(lines);
  const [x0, y0, ...rest] = path(svg, /<path class="line s-batchNorm" d="(M[\d.]+ [\d.]+L[^"]+)"/);
  const [x1, y1] = rest.slice(-2);
  // The ticks say where 2 and 1 are: a falling line from one to the other.
  const tick = (label) => Number(new RegExp(`y="([\\d.]+)">${label}</text>`).exec(svg)[1]) - 4;
  assert.ok(Math.abs(y0 - tick('2')) < 0.2 && Math.abs(y1 - tick('1')) < 0.2, `${y0} ${y1} ${tick('2')} ${tick('1')}`);
  const step = (label) => Number(new RegExp(`x="([\\d.]+)" y="[\\d.]+">${label}</text>`).exec(svg)[1]);
  assert.ok(Math.abs(x0 - step('0')) < 0.2 && Math.abs(x1 - step('1,000')) < 0.2);
  // A gap begins a new piece; where a run broke off there is a cross.
  assert.equal(/<path class="line s-none" d="(M[\d.]+ [^"]+)"\/><path class="dots/.exec(svg)[1].split('M').length - 1, 2);
  assert.match(svg, /class="cross s-none" d="M/);
  assert.ok(svg.length < 8000, `${svg.length}`);
});

test('charts have a title, a description and a table of their numbers, and no style attribute', () => {
  for (const chart of [lines, bars, cells]) {
    const html = figure(chart);
    assert.match(html, new RegExp(`role="img" aria-labelledby="${chart.id}-title`));
    assert.doesNotMatch(html, /style=/);
    assert.match(html, /<table><thead>/);
  }
  assert.match(draw(lines), /<title id="l-title">Loss &lt; 1 &amp; &quot;more&quot;<\/title><desc id="l-description">how it falls<\/desc>/);
  assert.deepEqual(numbers(bars), { head: ['batch', 'LN'], rows: [['2', '10 ± 2 %'], ['4', '–']] });
  assert.deepEqual(numbers(cells).rows, [['2', '50 %', '100 %'], ['8', '0 %', '–']]);
  const { rows } = numbers(lines);
  assert.equal(rows.length, 8);
  assert.deepEqual([rows[0], rows[7]], [['0', '2 ± 0.1', '2'], ['1,000', '1 ± 0.1', '1']]);
});

test('bars are as high as their numbers, cells as dark', () => {
  const svg = draw(bars);
  const [, y, height] = /class="pillar s-layerNorm" x="[\d.]+" y="([\d.]+)" width="[\d.]+" height="([\d.]+)"/.exec(svg).map(Number);
  const tick = (label) => Number(new RegExp(`y="([\\d.]+)">${label}</text>`).exec(svg)[1]) - 4;
  assert.ok(Math.abs(y - tick('10 %')) < 0.2 && Math.abs(y + height - tick('0 %')) < 0.2);
  const whisker = path(svg, /class="whisker" d="([^"]+)"/);
  assert.ok(whisker[1] > y && whisker[2] < y);
  assert.deepEqual([...draw(cells).matchAll(/fill-opacity="([\d.]+)"/g)].map((m) => Number(m[1])), [0.5, 1, 0, 0]);
});

test('a chart with nothing in it, or with one number, can be drawn', () => {
  for (const series of [[], [{ name: 'a', x: [], y: [] }], [{ name: 'a', x: [3], y: [7] }], [{ name: 'a', x: [1, 2], y: [NaN, Infinity] }]]) {
    for (const log of [false, true]) {
      const svg = draw({ ...lines, x: { label: 'x', log }, y: { label: 'y', log }, series });
      assert.doesNotMatch(svg, /NaN|Infinity|undefined/);
    }
  }
  assert.doesNotMatch(draw({ ...bars, series: [{ name: 'a', values: [null, null] }] }), /NaN|Infinity|undefined/);
});

test('axes are divided at round numbers', () => {
  assert.deepEqual(ticks(0, 1, false, 5), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(ticks(0, 103, false, 4), [0, 50, 100]);
  assert.deepEqual(ticks(0.01, 1, true, 4), [0.01, 0.1, 1]);
  assert.deepEqual(ticks(2, 128, true, 6), [2, 5, 10, 20, 50, 100]);
  for (const most of [3, 5, 8]) for (const high of [1e-4, 0.37, 12, 9e5]) assert.ok(ticks(0, high, false, most).length <= most + 1);
});

test('numbers are written short', () => {
  assert.deepEqual([0.98123, 12345.6, 1e-5, 2.5e-7, null, -3, 0].map((v) => number(v)), ['0.981', '12,346', '1e−5', '2.5e−7', '–', '−3', '0']);
  assert.deepEqual([spread(0.9812, 0.0031, true), spread(12.345, 0.4), spread(3, 0), spread(null, 1)], ['98.12 ± 0.31 %', '12.35 ± 0.4', '3', '–']);
});

test('a chart as a file brings its colours along', async () => {
  const css = await readFile(new URL('../src/lab/chart.css', import.meta.url), 'utf8');
  const svg = standalone([lines, bars, cells], css);
  assert.match(svg, /<style>[^<]*prefers-color-scheme: dark[^<]*<\/style>/);
  assert.equal(svg.match(/<svg /g).length, 4);
});
