// The choice of threads on the pages that have one: what is offered, that it changes what runs and nothing that comes out,
// and that a host without the headers of isolation gets the same pages, in one thread.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { counts, offer, usual } from '../src/threads.js';
import { assertAccessible } from './axe.mjs';
import { lab } from './lab.mjs';

test('what is offered, by the number of cores', () => {
  assert.deepEqual([1, 2, 3, 4, 6, 8, 64, 128].map((cores) => counts(cores).join(' ')), ['1', '1 2', '1 2 3', '1 2 4', '1 2 4 6', '1 2 4 8', '1 2 4 8 16 32 64', '1 2 4 8 16 32 64']);
  for (const cores of [1, 2, 3, 4, 6, 8, 64, 128]) assert.ok(counts(cores).includes(usual(cores)), `${cores} cores`);
  assert.deepEqual(offer({ isolated: true, cores: 8 }), { choices: [1, 2, 4, 8], chosen: 4, says: 'This device has 8 cores.' });
  assert.deepEqual(offer({ isolated: true, cores: 1 }), { choices: [1], chosen: 1, says: 'This device has one core.' });
  assert.deepEqual(offer({ isolated: true, shares: false, cores: 8 }), { choices: [1], chosen: 1, says: 'This browser shares no memory with workers.' });
  const { choices, says } = offer({ isolated: false, cores: 8 });
  assert.deepEqual(choices, [1]);
  assert.match(says, /Cross-Origin-Opener-Policy and Cross-Origin-Embedder-Policy/);
});

const still = { options: { reducedMotion: 'reduce' } };
const pages = ['', 'write.html', 'names.html', 'bench.html'];
const choices = (page) => page.$$eval('#threads option', (list) => list.map((o) => o.value));
const cores = (page) => page.evaluate(() => navigator.hardwareConcurrency);
/** The figure beside a heading of a table. @param {string} name */
const figure = (page, name) => page.$$eval('.figures tr', (rows, wanted) => rows.find((row) => row.cells[0]?.textContent.startsWith(wanted))?.cells[1].textContent, name);

describe('in an isolated page', () => {
  const { visit } = lab();

  for (const file of pages) {
    test(`${file || 'index.html'} offers as many as there are cores`, async (t) => {
      const page = await visit(t, file, still);
      assert.equal(await page.evaluate(() => crossOriginIsolated), true);
      const n = await cores(page);
      assert.deepEqual(await choices(page), counts(n).map(String));
      assert.equal(await page.inputValue('#threads'), String(usual(n)));
      assert.equal(await page.locator('#threads').isDisabled(), n < 2);
    });
  }

  test('Read reads the same in one thread as in all, and says how many ran', async (t) => {
    const page = await visit(t, '');
    const n = usual(await cores(page));
    const text = () => page.textContent('#text .characters');
    assert.equal(await figure(page, 'Threads'), String(n));
    const first = await text();
    for (const chosen of [1, n]) {
      await page.evaluate(() => delete document.documentElement.dataset.read);
      await page.selectOption('#threads', String(chosen));
      // Where it is chosen already nothing changes.
      if (n > 1) await page.waitForFunction(() => document.documentElement.dataset.read);
      assert.equal(await figure(page, 'Threads'), String(chosen));
      assert.equal(await text(), first);
    }
  });

  test('Write writes the same story in any number of threads', async (t) => {
    const page = await visit(t, 'write.html', still);
    await page.locator('#slowly').uncheck();
    await page.fill('#length', '40');
    const stories = [];
    for (const chosen of await choices(page)) {
      await page.evaluate(() => delete document.documentElement.dataset.written);
      await page.selectOption('#threads', chosen);
      await page.locator('#go:enabled').waitFor();
      if (stories.length === 0) await page.click('#go'); // later ones begin by themselves
      await page.waitForFunction(() => document.documentElement.dataset.written === '40');
      stories.push(await page.textContent('#story'));
      assert.equal(await page.locator('#failed').isHidden(), true);
    }
    assert.deepEqual([...new Set(stories)], stories.slice(0, 1));
  });

  test('Names goes on after a change, even in the midst of an answer', async (t) => {
    const page = await visit(t, 'names.html', still);
    for (const chosen of (await choices(page)).reverse()) {
      await page.fill('#begin', `an${chosen}`);
      await page.selectOption('#threads', chosen);
      await page.locator('#threads:enabled').waitFor().catch(() => {});
    }
    await page.fill('#begin', 'zo');
    await page.waitForFunction(() => [...document.querySelectorAll('#written button')].some((b) => b.textContent.startsWith('Zo')));
    assert.equal(await page.locator('#failed').isHidden(), true);
  });

  test('Bench measures programs in several threads beside one in one', async (t) => {
    const page = await visit(t, 'bench.html?rounds=2&sample=1&warm=1');
    const n = usual(await cores(page));
    for (const name of ['norms', 'models']) await page.locator(`input[value=${name}]`).uncheck();
    for (const name of [...(n > 1 ? ['one'] : []), 'ort']) await page.locator(`input[value=${name}]`).check();
    await page.click('#go');
    await page.waitForFunction(() => 'measured' in document.documentElement.dataset);
    assert.equal(await page.locator('#problem').isHidden(), true, await page.textContent('#problem'));
    const { contenders, cases } = JSON.parse(await page.textContent('#json'));
    assert.deepEqual(contenders.map((c) => [c.id, c.threads]), [['auto', n], ...(n > 1 ? [['one', 1]] : []), ['ort', n]]);
    for (const { id, cells } of cases) for (const c of contenders) assert.ok(cells[c.id].medianMs > 0, `${id}, ${c.name}`);
    if (n > 1) for (const { id, cells } of cases) assert.equal(cells.one.apart, 0, `${id}: the same bits`);
    await page.selectOption('#threads', '1');
    assert.equal(await page.locator('input[value=one]').isDisabled(), true);
    assert.equal(await page.locator('input[value=one]').isChecked(), false);
  });
});

describe('on a host that sends no headers', () => {
  const { visit } = lab({ isolated: false });

  for (const file of pages) {
    test(`${file || 'index.html'} works in one thread, and says why`, async (t) => {
      const page = await visit(t, file, still);
      assert.equal(await page.evaluate(() => crossOriginIsolated), false);
      assert.deepEqual(await choices(page), ['1']);
      assert.equal(await page.locator('#threads').isDisabled(), true);
      assert.match(await page.textContent('#threads-why'), /Cross-Origin-Opener-Policy and Cross-Origin-Embedder-Policy/);
      if (file === '') {
        assert.equal(await page.textContent('#text .characters'), 'Every channel finds its own mean.');
        assert.equal(await figure(page, 'Threads'), '1');
      }
      await assertAccessible(page, file || 'index.html');
    });
  }
});
