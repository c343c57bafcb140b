// The page that writes, beside the same story written in Node.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { TextGenerator, Tokenizer } from '../../js/dist/normwasm.js';
import { Story } from '../src/write-model.js';
import { assertAccessible } from './axe.mjs';
import { lab, looks, screens } from './lab.mjs';

const beginning = 'And it came to pass in those days, that';
const usual = { temperature: 0.7, topK: 40, topP: 1, seed: 1 };
const still = { options: { reducedMotion: 'reduce' } };

describe('the page Write', () => {
  const { read, visit } = lab();
  let tokenizer, writer;
  before(async () => {
    tokenizer = await Tokenizer.fromFile(await read('models/writer.tokenizer.json'));
    writer = await TextGenerator.create(await read('models/writer.safetensors'), { tokenizer, config: JSON.parse(String(await read('models/writer.config.json'))), variant: 'simd' });
  });
  const written = async (count, { from = beginning, ...settings } = {}) => {
    const story = new Story(tokenizer, writer, from, { ...usual, ...settings });
    while (story.count < count) await story.next();
    return story;
  };

  const text = (page) => page.locator('#story').textContent();
  const count = async (page) => Number(await page.locator('#count').textContent());
  const number = (page, name, value) => page.locator(`#${name}`).fill(String(value));
  /** Waits until nothing is being written. */
  const done = (page) => page.locator('#stop:disabled').waitFor();
  const press = async (page, name) => {
    await page.click(`#${name}`);
    await page.locator('#stop:enabled').waitFor();
  };

  test('writes what the network writes elsewhere, the same again and after a reload, beyond what it sees', async (t) => {
    const page = await visit(t, 'write.html', still);
    const want = await written(200);
    assert.ok(want.turns > 1 && want.seen > 0);
    for (const again of ['first', 'again', 'after a reload']) {
      if (again === 'after a reload') {
        await page.reload();
        await page.waitForFunction(() => 'started' in document.documentElement.dataset);
      }
      if (again !== 'again') await page.locator('#slowly').uncheck();
      await page.click('#go');
      await page.waitForFunction(() => document.querySelector('#count').textContent === '200');
      await done(page);
      assert.equal(await text(page), want.text, again);
    }
    assert.equal(await page.locator('#story .past').allTextContents().then((parts) => parts.join('')), want.text.slice(0, want.seen), 'what it no longer sees is pale');
    assert.equal(await page.locator('#story .given').allTextContents().then((parts) => parts.join('')), beginning);
    assert.equal(await page.locator('#seen').textContent(), `${want.tokens} of 128`);
    assert.equal(await page.locator('#norms').textContent(), '9 RMSNorm');
    assert.ok(Number(await page.locator('#rate').textContent()) > 0);
    const operators = Object.fromEntries(await page.locator('#operators tr').evaluateAll((rows) => rows.map((row) => Array.from(row.children, (c) => c.textContent))));
    assert.deepEqual(operators, Object.fromEntries(writer.operators.map(({ op, count: n }) => [op, String(n)])));
    const own = await written(30, { seed: 5, temperature: 1, topK: 100, topP: 0.9, from: 'In the beginning' });
    for (const [name, value] of [['begin', 'In the beginning'], ['seed', 5], ['temperature', 1], ['topK', 100], ['topP', 0.9], ['length', 30]]) await number(page, name, value);
    await page.locator('#begin').press('Control+Enter');
    await page.waitForFunction(() => document.querySelector('#count').textContent === '30');
    assert.equal(await text(page), own.text);
    await assertAccessible(page, 'with a story');
  });

  test('stops at once and goes on where it stopped, by keys too', async (t) => {
    const page = await visit(t, 'write.html', still);
    await number(page, 'length', 120);
    await page.locator('#go').focus();
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => Number(document.querySelector('#count').textContent) >= 3);
    await page.locator('#stop').focus();
    await page.keyboard.press('Enter');
    const focused = () => page.evaluate(() => document.activeElement?.id);
    assert.equal(await focused(), 'more');
    // A token that was under way may still come; time is the page's, which on a busy computer has fallen behind.
    const pause = () => page.evaluate(() => new Promise((resolve) => { setTimeout(resolve, 500); }));
    await pause();
    const stopped = await count(page);
    assert.ok(stopped < 120);
    const part = await text(page);
    assert.equal(part, (await written(stopped)).text);
    await pause();
    assert.equal(await text(page), part, 'it has stopped');
    assert.ok(part.includes(await page.locator('#announce').textContent()));
    await page.locator('#slowly').uncheck();
    await page.locator('#more').focus();
    await page.keyboard.press('Enter');
    const total = String(stopped + 120);
    await page.waitForFunction((want) => document.querySelector('#count').textContent === want, total);
    await done(page);
    assert.equal(await focused(), 'more');
    assert.equal(await text(page), (await written(Number(total))).text, 'as if it had not been stopped');
    // Stopped and let go on faster than a token is written.
    await page.evaluate(() => {
      const click = (id) => document.getElementById(id).click();
      for (let i = 0; i < 5; i++) click('more'), click('stop');
      click('more');
    });
    await done(page);
    const all = await count(page);
    assert.equal(await text(page), (await written(all)).text);
    await press(page, 'more');
    await page.keyboard.press('Escape');
    await done(page);
  });

  test('begins by itself, draws while it writes, and tells those who listen once', async (t) => {
    const page = await visit(t, 'write.html');
    await page.waitForFunction(() => Number(document.querySelector('#count').textContent) > 2);
    await page.click('#stop');
    await page.evaluate(() => {
      Object.assign(globalThis, { heard: [], frames: 0 });
      new MutationObserver(() => globalThis.heard.push(document.querySelector('#announce').textContent)).observe(document.querySelector('#announce'), { childList: true, characterData: true, subtree: true });
      const frame = () => {
        globalThis.frames++;
        requestAnimationFrame(frame);
      };
      frame();
    });
    await page.locator('#slowly').uncheck();
    await number(page, 'length', 1000);
    await press(page, 'go');
    await done(page);
    assert.equal(await count(page), 1000);
    const { heard, frames } = await page.evaluate(() => ({ heard: globalThis.heard, frames: globalThis.frames }));
    assert.deepEqual(heard, ['Writing', (await text(page)).slice(beginning.length)]);
    assert.ok(frames > 10, `${frames} frames`);
    assert.equal(page.workers().length, Number(await page.inputValue('#threads')), 'the network computes in a worker, which has one to help for each further thread');
  });

  test('says what it does not know, and which number cannot be', async (t) => {
    const page = await visit(t, 'write.html', still);
    await number(page, 'begin', 'In 7 days, Noé');
    assert.equal(await page.locator('#kept').textContent(), 'It has never read “7”, “é”, and passes over that.');
    await page.locator('#slowly').uncheck();
    await number(page, 'length', 5);
    await page.click('#go');
    await page.waitForFunction(() => document.querySelector('#count').textContent === '5');
    assert.equal(await text(page), (await written(5, { from: 'In  days, No' })).text);
    const before = await text(page);
    for (const [name, value] of [['seed', '1.5'], ['topK', '0'], ['length', '']]) {
      const old = await page.locator(`#${name}`).inputValue();
      await number(page, name, value);
      await page.click('#go');
      assert.equal(await page.evaluate(() => document.activeElement?.id), name);
      assert.equal(await text(page), before, `${name}: ${value}`);
      await number(page, name, old);
    }
    await number(page, 'begin', '');
    await page.click('#go');
    await page.waitForFunction((was) => document.querySelector('#count').textContent === '5' && document.querySelector('#story').textContent !== was, before);
    assert.equal(await text(page), (await written(5, { from: '' })).text);
  });

  test('what does not arrive is told', async (t) => {
    for (const [file, message] of [['models/writer.safetensors', /models\/writer\.safetensors could not be fetched/], ['normwasm/dist/normwasm.full.simd.wasm', /404/]]) {
      const page = await visit(t, 'write.html', { wait: false, quiet: false, before: (p) => p.route(`**/${file}`, (route) => route.fulfill({ status: 404, body: 'gone' })) });
      await page.locator('#failed').filter({ hasText: message }).waitFor();
      assert.ok(await page.locator('#go').isDisabled());
    }
  });

  test('its code runs', async (t) => {
    const page = await visit(t, 'write.html', still);
    const code = (await page.locator('#code').textContent()).replace(/^import (\{.*?\}) from 'normwasm';/, "const $1 = await import('./engine.js');").replace('document.body.append', 'pieces.push');
    const pieces = await page.evaluate(`(async () => { const pieces = []; ${code}; return pieces; })()`);
    const want = [];
    for await (const step of writer.generate('In the beginning', { maxTokens: 100, temperature: 0.7, topK: 40, seed: 1 })) want.push(step.text);
    assert.equal(pieces.join(''), want.join(''));
  });

  for (const { name, options } of looks) {
    test(`looks as it should: ${name}`, async (t) => {
      const page = await visit(t, 'write.html', { options: { ...options, ...(options.viewport && { viewport: { width: 360, height: 740 } }), reducedMotion: 'reduce' } });
      await page.locator('#slowly').uncheck();
      await number(page, 'length', 100);
      await page.click('#go');
      await page.waitForFunction(() => document.querySelector('#count').textContent === '100');
      await done(page);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'the page scrolls sideways');
      // The latest words are in sight.
      assert.ok(await page.locator('#story').evaluate((box) => box.scrollHeight - box.scrollTop - box.clientHeight < 60));
      await page.screenshot({ path: join(screens, `write-${name.replace('390', '360')}.png`), fullPage: true });
    });
  }
});
