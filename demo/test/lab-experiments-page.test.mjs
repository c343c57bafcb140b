// The page of the experiments as visitors see it, and the charts where there is a document to draw them in.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { readEntries } from '../report.mjs';
import { assertAccessible, measure, measured } from './axe.mjs';
import { lab, looks, screens } from './lab.mjs';

const { visit } = lab();
const entries = await readEntries();

test('shows every experiment with its verdict, plots and numbers, in each look', async (t) => {
  for (const { name, options } of looks) {
    const page = await visit(t, 'experiments.html', { options, before: measure, wait: false });
    const sections = await page.$$eval('[data-experiment]', (list) => list.map((s) => ({
      name: s.dataset.experiment,
      verdict: s.querySelector('.finding').textContent,
      charts: [...s.querySelectorAll('svg.chart')].map((c) => ({ width: c.getBoundingClientRect().width, marks: c.querySelectorAll('.line, .pillar, .cell').length,
        // Rules for other things of the site must not reach into charts.
        stretched: [...c.querySelectorAll('rect')].filter((r) => Math.abs(r.getBoundingClientRect().width / (c.getBoundingClientRect().width / c.viewBox.baseVal.width) - Number(r.getAttribute('width'))) > 0.5).length,
      })),
      cells: [...s.querySelectorAll(':scope > .scrolls tbody tr')].map((r) => [...r.children].map((c) => c.textContent)),
    })));
    assert.deepEqual(sections.map((s) => s.name), entries.map((e) => e.name));
    entries.forEach(({ report }, i) => {
      assert.ok(sections[i].verdict.endsWith(report.verdict));
      assert.deepEqual(sections[i].cells, report.tables.flatMap((table) => table.rows));
      assert.equal(sections[i].charts.length, report.charts.length);
      for (const { width, marks, stretched } of sections[i].charts) assert.ok(width > 250 && marks > 1 && stretched === 0, `${sections[i].name}: ${width} px, ${marks} marks, ${stretched} stretched`);
    });
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name}: wider than the window`);
    // Lines of different normalizations have different colours, and none is that of the ground.
    const strokes = await page.$$eval('[data-experiment] .line.s-batchNorm, [data-experiment] .line.s-layerNorm', (l) => [...new Set(l.map((e) => getComputedStyle(e).stroke))]);
    assert.equal(strokes.length, 2, `${strokes}`);
    const { shifts } = await measured(page);
    assert.deepEqual(shifts, []);
    await page.screenshot({ path: join(screens, `experiments-${name}.png`), fullPage: true });
    if (name === '390-light') await assertAccessible(page, 'experiments.html');
  }
});

test('a claim can be gone to, and its numbers unfolded, by keyboard', async (t) => {
  const page = await visit(t, 'experiments.html', { wait: false });
  await page.locator('.overview a').last().focus();
  await page.keyboard.press('Enter');
  const id = await page.evaluate(() => location.hash.slice(1));
  assert.ok(await page.locator(`#${id}`).isVisible());
  await page.locator(`#${id} summary`).first().focus();
  await page.keyboard.press('Enter');
  assert.ok(await page.locator(`#${id} .plot table`).first().isVisible());
});

test('a chart that grows moves its lines only, and is drawn anew when its axes change', async (t) => {
  const page = await visit(t, 'experiments.html', { wait: false });
  const seen = await page.evaluate(async () => {
    const { lineChart, update } = await import('./lab/chart.js');
    const host = document.createElement('div');
    document.body.append(host);
    const chart = (n, high) => ({
      type: 'lines', id: 'test', title: 'T', x: { label: 'x', min: 0, max: 100 }, y: { label: 'y', min: 0, max: high },
      series: ['batchNorm', 'layerNorm'].map((kind, k) => ({ name: kind, kind, x: Array.from({ length: n }, (_, i) => i), y: Array.from({ length: n }, (_, i) => 1 + k + i / 100), low: new Array(n).fill(0.5), high: new Array(n).fill(2) })),
    });
    const out = [];
    let node;
    for (const [n, high] of [[5, 4], [50, 4], [50, 8]]) {
      update(host, chart(n, high));
      const fresh = document.createElement('div');
      fresh.innerHTML = lineChart(chart(n, high));
      out.push({ same: host.innerHTML === fresh.innerHTML, kept: host.firstChild === node });
      node = host.firstChild;
    }
    return out;
  });
  assert.deepEqual(seen, [{ same: true, kept: false }, { same: true, kept: true }, { same: true, kept: false }]);
});
