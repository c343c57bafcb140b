// Axes: the engine's numbers against float64, and that the page lights up and shows just these.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { join } from 'node:path';
import * as engine from '../../js/dist/normwasm.js';
import { NORMS, channelsOf, invent, makeLayer, normalize, placeOf, sharing, sizeOf } from '../src/lab/axes-model.js';
import { lab, looks, screens } from './lab.mjs';

/**
 * Whether two elements are measured together, straight from the definitions.
 * @param {any} s the setting @param {number[]} a @param {number[]} b
 */
function together({ kind, dims, norm, groups, over }, a, b) {
  const c = kind === 'pictures' ? 1 : 2, per = dims[c] / groups;
  if (norm === 'batch') return a[c] === b[c];
  if (a[0] !== b[0]) return false;
  if (norm === 'instance') return a[c] === b[c];
  if (norm === 'group') return Math.floor(a[c] / per) === Math.floor(b[c] / per);
  return over === 'all' || a.every((v, d) => d === c || v === b[d]);
}

/** What comes out, in float64; `running` for BatchNorm in inference. */
function oracle(s, x, running) {
  const places = Array.from(x, (_, i) => placeOf(i, s.dims));
  return Array.from(x, (v, i) => {
    const members = Array.from(x).filter((_, k) => together(s, places[i], places[k]));
    let mean = members.reduce((a, b) => a + b, 0) / members.length;
    if (s.norm === 'rms') return v / Math.sqrt(members.reduce((a, b) => a + b * b, 0) / members.length + 1e-5);
    let variance = members.reduce((a, b) => a + (b - mean) ** 2, 0) / members.length;
    if (running) {
      const channel = places[i][s.kind === 'pictures' ? 1 : 2];
      [mean, variance] = [running.mean[channel], running.variance[channel]];
    }
    return (v - mean) / Math.sqrt(variance + 1e-5);
  });
}

const settings = [];
for (const [kind, shapes] of /** @type {const} */ ([['pictures', [[3, 4, 2, 2], [1, 6, 3, 1], [2, 1, 1, 1]]], ['sequences', [[3, 3, 4], [1, 1, 6], [4, 2, 1]]]])) {
  for (const dims of shapes) {
    for (const norm of /** @type {const} */ (['batch', 'layer', 'instance', 'group', 'rms'])) {
      const channels = channelsOf(kind, dims);
      for (const groups of norm === 'group' ? [1, 2, 3, channels].filter((g, i, all) => channels % g === 0 && all.indexOf(g) === i) : [1]) {
        for (const over of norm === 'layer' || norm === 'rms' ? /** @type {const} */ (['all', 'channels']) : [/** @type {const} */ ('all')]) settings.push({ kind, dims, norm, groups, over });
      }
    }
  }
}

describe('the model', () => {
  before(() => engine.init());
  test('every normalization, shape and grouping agrees with float64', () => {
    assert.ok(settings.length > 50);
    for (const s of settings) {
      const x = invent(s.kind, s.dims, 7), name = JSON.stringify(s);
      const layer = makeLayer(engine.BatchNorm, s.kind, s.dims);
      const { y, mean, variance } = normalize(engine, s, x, { layer, training: true });
      oracle(s, x).forEach((want, i) => assert.ok(Math.abs(y[i] - want) < 2e-5 * Math.max(1, Math.abs(want)), `${name}: element ${i} is ${y[i]}, want ${want}`));
      const { ids, names } = sharing(s);
      assert.equal(new Set(names).size, names.length, `${name}: ${names}`);
      for (let i = 0; i < x.length; i++) {
        for (let k = 0; k < x.length; k++) assert.equal(ids[i] === ids[k], together(s, placeOf(i, s.dims), placeOf(k, s.dims)), `${name}: ${i} and ${k}`);
        const members = Array.from(x).filter((_, k) => ids[k] === ids[i]), m = members.reduce((a, b) => a + b, 0) / members.length;
        const v = members.reduce((a, b) => a + (s.norm === 'rms' ? b * b : (b - m) ** 2), 0) / members.length;
        if (s.norm === 'rms') assert.equal(mean, undefined);
        else assert.ok(Math.abs(mean[ids[i]] - m) < 1e-5, `${name}: mean ${mean[ids[i]]}, want ${m}`);
        assert.ok(Math.abs(variance[ids[i]] - v) < 1e-4, `${name}: variance ${variance[ids[i]]}, want ${v}`);
      }
      layer.dispose();
    }
  });

  test('the kernels themselves move what lights up, and nothing else', () => {
    for (const s of settings) {
      const x = invent(s.kind, s.dims, 3).map((v, i) => v + ((i * 37) % 11) / 8), { ids } = sharing(s);
      const layer = makeLayer(engine.BatchNorm, s.kind, s.dims);
      const run = (values) => normalize(engine, s, values, { layer, training: true }).y;
      const y = run(x);
      for (let i = 0; i < x.length; i++) {
        const z = run(x.map((v, k) => (k === i ? v + 5.3 : v)));
        for (let k = 0; k < x.length; k++) if (ids[k] !== ids[i]) assert.equal(z[k], y[k], `${JSON.stringify(s)}: ${k} moved with ${i}`);
        const size = ids.filter((g) => g === ids[i]).length;
        if (size > 2) assert.ok(ids.some((g, k) => k !== i && g === ids[i] && z[k] !== y[k]), `${JSON.stringify(s)}: nothing moved with ${i}`);
      }
      layer.dispose();
    }
  });
});

describe('the page', () => {
  const { visit, read } = lab();
  const number = (text) => Number(text.replace('−', '-'));
  /** What stands on the page. */
  const seen = async (page) => {
    const raw = await page.evaluate(() => {
      const cells = (id) => [...document.querySelectorAll(`#${id} .cell`)];
      return {
        in: cells('in').map((c) => c.textContent), out: cells('out').map((c) => c.textContent),
        litIn: cells('in').map((c) => c.classList.contains('lit')), litOut: cells('out').map((c) => c.classList.contains('lit')),
        moved: cells('out').map((c) => c.classList.contains('moved')),
        statistics: [...document.querySelectorAll('#statistics tr')].map((r) => [...r.children].map((c) => c.textContent)),
        says: document.querySelector('#says').textContent, result: document.querySelector('#formula .result').textContent,
      };
    });
    return { ...raw, in: raw.in.map(number), out: raw.out.map(number) };
  };
  const near = (got, want, about) => want.forEach((w, i) => assert.ok(Math.abs(got[i] - w) <= 0.00501, `${about}: output ${i} shows ${got[i]}, want ${w}`));
  const pick = (page, norm) => page.locator(`input[value="${norm}"]`).check({ force: true });
  const input = (page, i) => page.locator(`#in .cell[data-i="${i}"]`);

  test('shows what float64 says, and lights up what shares, for each normalization', async (t) => {
    const page = await visit(t, 'axes.html');
    // What stands there before the script runs is what it writes: nothing moves, however wide the typeface.
    const [, before] = /id="formula-where"[^>]*>([^<]+)</.exec(String(await read('axes.html')));
    assert.equal(await page.textContent('#formula-where'), before);
    for (const kind of ['pictures', 'sequences']) {
      await page.selectOption('#kind', kind);
      const dims = kind === 'pictures' ? [3, 4, 2, 2] : [3, 3, 4], over = kind === 'pictures' ? 'all' : 'channels';
      for (const norm of Object.keys(NORMS)) {
        await pick(page, norm);
        const s = { kind, dims, norm, groups: 2, over };
        for (const [i, hover] of [[5, false], [sizeOf(dims) - 2, true]]) {
          if (hover) await page.locator(`#out .cell[data-i="${i}"]`).hover();
          else await input(page, i).focus();
          const now = await seen(page);
          near(now.out, oracle(s, now.in), `${kind}, ${norm}`);
          const lit = now.in.map((_, k) => together(s, placeOf(i, dims), placeOf(k, dims)));
          assert.deepEqual(now.litIn, lit, `${kind}, ${norm}: input lit for ${i}`);
          assert.deepEqual(now.litOut, lit, `${kind}, ${norm}: output lit for ${i}`);
          const colours = await page.evaluate(() => ['.lit', ':not(.lit)'].map((c) => getComputedStyle(document.querySelector(`#in .cell${c}`) ?? document.body).backgroundColor));
          assert.notEqual(colours[0], colours[1], `${kind}, ${norm}: what is lit can be seen`);
          assert.equal(number(now.result), now.out[i], `${kind}, ${norm}: the formula's result`);
        }
        await page.mouse.move(5, 5);
      }
    }
  });

  test('dragging, keys and the slider change a number, and what moves is marked', async (t) => {
    const page = await visit(t, 'axes.html');
    const first = await seen(page);
    const box = await input(page, 21).boundingBox();
    await page.mouse.move(box.x + 10, box.y + 10);
    await page.mouse.down();
    await page.mouse.move(box.x + 12, box.y + 10 - 70, { steps: 4 });
    await page.mouse.up();
    let now = await seen(page);
    assert.equal(now.in[21], first.in[21] + 5);
    near(now.out, oracle({ kind: 'pictures', dims: [3, 4, 2, 2], norm: 'batch' }, now.in), 'after a drag');
    assert.deepEqual(now.moved, now.out.map((v, i) => Math.abs(v - first.out[i]) > 0.005), 'marked is what differs');
    assert.ok(now.moved.every((m, i) => !m || Math.floor(i / 4) % 4 === 1), 'only channel 2 moved');
    const others = now.moved.filter((m, i) => m && Math.floor(i / 16) !== 1).length;
    assert.match(now.says, new RegExp(`^One number went in differently\\. \\d+ of 16 outputs of example 2 moved, and ${others} of 32 in the other examples\\. BatchNorm measures each channel over the whole batch\\.$`));

    await pick(page, 'layer');
    await input(page, 40).focus();
    const before = await seen(page);
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('PageDown');
    now = await seen(page);
    assert.equal(now.in[40], before.in[40] + 0.5 - 2);
    assert.equal(await input(page, 40).getAttribute('aria-valuenow'), String(now.in[40]));
    assert.match(now.says, /and none of 32 in the other examples\. LayerNorm measures within one example\.$/);
    await page.keyboard.press('ArrowRight');
    assert.equal(await page.evaluate(() => document.activeElement.dataset.i), '41');
    await page.keyboard.press('Home');
    assert.equal(await page.evaluate(() => document.activeElement.dataset.i), '0');
    await page.locator('#value').fill('-7.5');
    now = await seen(page);
    assert.equal(now.in[0], -7.5);
    near(now.out, oracle({ kind: 'pictures', dims: [3, 4, 2, 2], norm: 'layer', over: 'all' }, now.in), 'after the slider');
    assert.equal(await page.locator('#in [tabindex="0"]').count(), 1, 'one stop for the Tab key');
  });

  test('a finger that scrolls changes nothing; after a tap it drags', async (t) => {
    const page = await visit(t, 'axes.html', { options: looks[0].options });
    const x = (await seen(page)).in;
    const cell = input(page, 18);
    assert.equal(await cell.evaluate((e) => getComputedStyle(e).touchAction), 'auto');
    await cell.tap();
    assert.equal(await cell.evaluate((e) => getComputedStyle(e).touchAction), 'none');
    assert.deepEqual((await seen(page)).in, x);
    const touch = await page.context().newCDPSession(page), { x: left, y: top } = await cell.boundingBox();
    const send = (type, y) => touch.send('Input.dispatchTouchEvent', { type, touchPoints: type === 'touchEnd' ? [] : [{ x: left + 8, y }] });
    await send('touchStart', top + 8);
    for (let d = 0; d <= 42; d += 14) await send('touchMove', top + 8 + d);
    await send('touchEnd');
    assert.equal((await seen(page)).in[18], x[18] - 3);
  });

  test('examples join, leave, brighten and are replaced; only BatchNorm in training minds', async (t) => {
    const page = await visit(t, 'axes.html');
    const press = (name) => page.locator(`[data-do="${name}"]`).click();
    const outputs = async (n) => (await seen(page)).out.slice(16 * n, 16 * (n + 1));
    for (const [norm, mode, minds] of [['batch', 'training', true], ['batch', 'inference', false], ['layer', '', false]]) {
      await press('reset');
      await pick(page, norm);
      if (mode) await pick(page, mode);
      const about = `${norm} ${mode}`;
      const was = await outputs(0);
      await press('add');
      assert.equal((await seen(page)).in.length, 64);
      assert.equal((await outputs(0)).join() !== was.join(), minds, `${about}: the fourth example came`);
      assert.match((await seen(page)).says, minds ? /^Example 4 joined the batch: [1-9]\d* of 48 outputs/ : /^Example 4 joined the batch: none of 48 outputs/);
      await input(page, 60).focus();
      for (const name of ['brighter', 'double', 'replace']) {
        const before = await outputs(0);
        await press(name);
        assert.equal((await outputs(0)).join() !== before.join(), minds, `${about}: ${name}`);
      }
      const own = await outputs(3);
      await press('brighter');
      assert.equal((await outputs(3)).join() === own.join(), norm === 'layer', `${about}: its own brightness`);
      await press('remove');
      assert.deepEqual(await outputs(0), was, `${about}: as before`);
    }
  });

  test('inference uses the running statistics, which a training step moves by a tenth; one value a channel comes out as 0', async (t) => {
    const page = await visit(t, 'axes.html');
    const s = { kind: 'pictures', dims: [3, 4, 2, 2], norm: 'batch' };
    await page.locator('[data-do="double"]').click();
    const before = (await seen(page)).statistics.map((r) => r.slice(1).map(number));
    await page.locator('#train').click();
    const now = await seen(page), after = now.statistics.map((r) => r.slice(1).map(number));
    before.forEach(([mean, variance, runningMean, runningVar], c) => {
      assert.ok(Math.abs(after[c][2] - (0.9 * runningMean + 0.1 * mean)) < 0.011, `channel ${c + 1}: ${after[c]}`);
      assert.ok(Math.abs(after[c][3] - (0.9 * runningVar + 0.1 * variance)) < 0.011, `channel ${c + 1}: ${after[c]}`);
    });
    await pick(page, 'inference');
    const inference = await seen(page);
    // The statistics are read off the page, to two decimals.
    const want = oracle(s, inference.in, { mean: after.map((r) => r[2]), variance: after.map((r) => r[3]) });
    inference.out.forEach((v, i) => assert.ok(Math.abs(v - want[i]) < 0.005 + 0.03 * Math.max(1, Math.abs(want[i])), `output ${i} shows ${v}, want ${want[i]}`));
    assert.notDeepEqual(inference.out, now.out);
    assert.ok(await page.locator('#train').isDisabled());
    await input(page, 0).focus();
    await page.keyboard.press('ArrowUp');
    assert.equal((await seen(page)).moved.filter(Boolean).length, 1, 'only the output of the number that changed moves');

    // One value a channel.
    await pick(page, 'training');
    await page.selectOption('#size-2', '1');
    await page.selectOption('#size-3', '1');
    await page.locator('[data-do="remove"]').click();
    await page.locator('[data-do="remove"]').click();
    const alone = await seen(page);
    assert.deepEqual(alone.out, [0, 0, 0, 0]);
    assert.match(alone.says, /Each number is measured alone and is its own mean: every output is 0\. PyTorch refuses to train like this\./);
    assert.ok(await page.locator('[data-do="remove"]').isDisabled(), 'one example stays');
  });

  test('largest shapes fit a phone and a desk', async (t) => {
    for (const { name, options } of [looks[0], looks[3]]) {
      const page = await visit(t, 'axes.html', { options });
      await page.screenshot({ path: join(screens, `axes-${name}.png`), fullPage: true });
      for (const kind of ['pictures', 'sequences']) {
        await page.selectOption('#kind', kind);
        // All sizes at once, as if each had been chosen.
        await page.evaluate(() => document.querySelectorAll('.size:not([hidden]) select').forEach((select) => {
          select.selectedIndex = select.options.length - 1;
          select.dispatchEvent(new Event('change', { bubbles: true }));
        }));
        while (await page.locator('[data-do="add"]').isEnabled()) await page.locator('[data-do="add"]').click();
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name}, ${kind}: the page scrolls sideways`);
        assert.equal((await seen(page)).in.length, kind === 'pictures' ? 4 * 6 * 3 * 3 : 4 * 5 * 8);
      }
    }
  });

  test('without an engine the page says so', async (t) => {
    const page = await visit(t, 'axes.html', { quiet: false, wait: false, before: (page) => page.route('**/*.wasm', (route) => route.fulfill({ status: 404, body: 'gone' })) });
    await page.locator('#failed').filter({ hasText: /The engine could not be started/ }).waitFor();
  });
});
