// The page Bench, with samples so short that its numbers mean nothing: what it fetches and when, that both programs run all
// cases and agree, stopping, the keyboard, copying, and what it says when something is missing.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { cases } from '../src/bench/cases.js';
import { assertAccessible } from './axe.mjs';
import { lab, looks, screens } from './lab.mjs';

const tiny = 'bench.html?rounds=2&sample=1&warm=1';
const endless = 'bench.html?rounds=10000&sample=1&warm=1';

const measured = (page) => page.waitForFunction(() => 'measured' in document.documentElement.dataset && document.querySelector('#stop').disabled);
const json = async (page) => JSON.parse(await page.textContent('#json'));
const rows = (page) => page.$$eval('.measured [data-case]', (list) => list.map((row) => [...row.children].map((cell) => cell.textContent.replaceAll('\u00a0', ' '))));

describe('the page Bench', () => {
  const { visit } = lab();

  test('all programs run all cases, and agree; onnxruntime-web is fetched when it is asked for', async (t) => {
    const asked = [];
    const page = await visit(t, tiny, { before: async (p) => p.on('request', (r) => asked.push(new URL(r.url()).pathname)) });
    assert.ok(!asked.some((path) => /\/ort\/|\.wasm$|\.onnx$/.test(path)), `nothing is fetched before Start: ${asked.join(' ')}`);
    assert.match(await page.textContent('#ort-size'), /: \d+\.\d MB where the server compresses it, else \d+\.\d MB\.$/);
    assert.match(await page.textContent('#device'), /^\d+ cores\. Mozilla\/5\.0 /);

    await page.locator('input[value=norms]').uncheck();
    await page.locator('input[value=models]').uncheck();
    await page.click('#go');
    await measured(page);
    assert.ok(!asked.some((path) => path.includes('/ort/')), 'nor when it was not chosen');
    assert.deepEqual((await rows(page)).map(([name]) => name), cases.filter((c) => c.group === 'layers').map((c) => c.name + c.detail));
    assert.equal(await page.textContent('#verdict'), '', 'there is nothing to compare with');

    await page.evaluate(() => delete document.documentElement.dataset.measured);
    for (const name of ['norms', 'models', 'simd', 'scalar', 'ort']) await page.locator(`input[value=${name}]`).check();
    await page.click('#go');
    await measured(page);
    assert.equal(asked.filter((path) => path.endsWith('/ort/ort-wasm-simd-threaded.wasm')).length, 1);
    const { contenders, cases: done, device } = await json(page);
    assert.deepEqual(contenders.map((c) => c.name), ['normwasm (relaxed)', 'normwasm (simd)', 'normwasm (scalar)', 'onnxruntime-web']);
    assert.match(contenders[3].version, /^1\.\d+/);
    assert.equal(device.hidden, false);
    assert.deepEqual(done.map((c) => c.id), cases.map((c) => c.id));
    for (const { id, cells } of done) {
      for (const c of contenders) {
        assert.ok(cells[c.id].medianMs > 0 && cells[c.id].rounds === 2, `${id}, ${c.name}: ${JSON.stringify(cells[c.id])}`);
        if (c.id !== 'auto') assert.ok(cells[c.id].apart < 1e-4, `${id}, ${c.name}: apart by ${cells[c.id].apart}`);
      }
    }
    for (const row of await rows(page)) {
      assert.match(row[1], /^[\d.]+$/);
      for (const cell of row.slice(2)) assert.match(cell, /^[\d.]+× [\d.]+$/);
    }
    assert.match(await page.textContent('#verdict'), /Beside normwasm \(relaxed\), onnxruntime-web takes [\d.]+ times as long for norms \(.*, 5 measured\), .* for layers .*, .* for models /);
    assert.equal(await page.locator('#problem').isHidden(), true);
    await assertAccessible(page, 'with results');
  });

  test('stops by its button and by Escape, and goes on from what there is', async (t) => {
    const page = await visit(t, endless);
    for (const stop of [() => page.click('#stop'), () => page.keyboard.press('Escape')]) {
      await page.evaluate(() => delete document.documentElement.dataset.measured);
      await page.click('#go');
      await page.waitForFunction(() => document.querySelector('#progress').value > 0);
      assert.equal(await page.locator('input[value=ort]').isDisabled(), true);
      await stop();
      await measured(page);
      assert.equal(await page.textContent('#state'), 'Stopped. What was measured until then stays.');
      assert.equal((await rows(page)).length, cases.length);
      assert.ok((await json(page)).cases.length <= 1);
      assert.equal(await page.locator('#go').isDisabled(), false);
    }
  });

  test('is stopped while a program is fetched', async (t) => {
    let held;
    const page = await visit(t, tiny, { quiet: false, before: (p) => p.context().route('**/ort/*.wasm', (route) => (held = route)) });
    await page.locator('input[value=ort]').check();
    await page.click('#go');
    await page.waitForFunction(() => document.querySelector('#state').textContent === 'Starting onnxruntime-web …');
    for (let i = 0; i < 10_000 && !held; i++) await page.waitForTimeout(20);
    await page.click('#stop');
    await measured(page);
    assert.equal(await page.textContent('#state'), 'Stopped. What was measured until then stays.');
    await held?.abort();
  });

  test('by the keyboard alone', async (t) => {
    const page = await visit(t, tiny);
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the results');
    await page.focus('input[value=norms]');
    await page.keyboard.press('Space');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Space'); // models
    const focused = () => page.evaluate(() => document.activeElement.id);
    for (let i = 0; i < 8 && (await focused()) !== 'go'; i++) await page.keyboard.press('Tab');
    assert.equal(await focused(), 'go');
    await page.keyboard.press('Enter');
    await measured(page);
    assert.equal(await page.evaluate(() => document.activeElement.id), 'go', 'focus is back from Stop');
    assert.deepEqual((await json(page)).cases.map((c) => c.group), ['layers', 'layers', 'layers', 'layers']);
    assert.match(await page.textContent('#announce'), /^Done\./);
  });

  test('copies text and JSON', async (t) => {
    const page = await visit(t, tiny, { options: { permissions: ['clipboard-read', 'clipboard-write'] } });
    for (const id of ['copy-text', 'copy-json']) assert.equal(await page.locator(`#${id}`).isDisabled(), true);
    await page.locator('input[value=layers]').uncheck();
    await page.locator('input[value=models]').uncheck();
    await page.click('#go');
    await measured(page);
    for (const [id, source] of [['copy-text', 'text'], ['copy-json', 'json']]) {
      await page.click(`#${id}`);
      await page.waitForFunction((button) => document.getElementById(button).textContent === 'Copied', id);
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), await page.textContent(`#${source}`));
    }
    assert.match(await page.textContent('#text'), /\nLayerNorm, 128 × 768 +[\d.]+\n/);
  });

  test('says what is missing, and measures the rest', async (t) => {
    const page = await visit(t, tiny, { quiet: false, before: async (p) => {
      await p.context().route('**/ort/*.wasm', (route) => route.fulfill({ status: 404, body: '' }));
      await p.context().route('**/models/names.onnx', (route) => route.fulfill({ status: 500, body: '' }));
    } });
    for (const name of ['norms', 'layers']) await page.locator(`input[value=${name}]`).uncheck();
    await page.locator('input[value=models]').uncheck();
    await page.click('#go');
    assert.equal(await page.textContent('#problem'), 'Choose what to measure: norms, layers or models.');
    for (const name of ['models', 'ort']) await page.locator(`input[value=${name}]`).check();
    await page.click('#go');
    await measured(page);
    const problem = await page.textContent('#problem');
    assert.match(problem, /onnxruntime-web does not start: .*ort-wasm-simd-threaded\.wasm answered 404/);
    assert.match(problem, /Writer of names fails in normwasm \(relaxed\): /);
    const table = await rows(page);
    assert.deepEqual(table.filter(([, cell]) => cell === 'fails').map(([name]) => name.slice(0, 15)), ['Writer of names']);
    assert.equal(table.filter(([, cell]) => /^[\d.]+$/.test(cell)).length, 3);
  });

  for (const { name, options } of looks) {
    test(`looks as it should: ${name}`, async (t) => {
      const page = await visit(t, tiny, { options });
      for (const also of ['simd', 'ort']) await page.locator(`input[value=${also}]`).check();
      await page.click('#go');
      await measured(page);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'the page scrolls sideways');
      await page.screenshot({ path: join(screens, `bench-${name}.png`), fullPage: true });
    });
  }
});
