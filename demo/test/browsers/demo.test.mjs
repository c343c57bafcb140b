// The page in browsers (NORMWASM_BROWSERS names them, Chromium alone by default): it starts, and each sample reads
// as it was drawn. The page is the one in dist, as `make test-browsers` or `node demo/build.mjs --quick` build it.
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chosen, open } from '../../../js/test/drivers.mjs';
import { serve } from '../../serve.mjs';
import { samples } from '../../src/compose.js';

/** @type {{ url: string, close(): void }} */
let site;
before(async () => {
  site = await serve({ root: join(dirname(fileURLToPath(import.meta.url)), '../../dist') });
});
after(() => site?.close());

/** Waits in the page for the reading after the one of number `was`; its number and text. @param {number} was */
async function reading(was) {
  if (!document.querySelector('#text')) throw new Error(`this is not the page: ${document.body.innerText}`);
  const count = () => Number(document.documentElement.dataset.read ?? 0);
  for (const end = Date.now() + 8 * 60_000; count() <= was; await new Promise((resolve) => setTimeout(resolve, 50))) {
    const failed = document.querySelector('#failed:not([hidden])');
    if (failed) throw new Error(`the page says: ${failed.textContent?.trim().replace(/\s+/g, ' ')}`);
    if (Date.now() > end) throw new Error(`nothing was read; the page shows: ${document.body.innerText}`);
  }
  return { count: count(), text: document.querySelector('#text')?.textContent?.trim().replace(/\s+/g, ' ') ?? '' };
}

/** @param {string} name */
function press(name) {
  const button = [...document.querySelectorAll('#samples button')].find((b) => b.textContent?.trim() === name);
  if (!button) throw new Error(`there is no sample ${name}`);
  /** @type {HTMLElement} */ (button).click();
}

for (const name of chosen()) {
  describe(name, () => {
    /** @type {import('../../../js/test/drivers.mjs').Browser} */
    let browser;
    let count = 0;
    before(async () => {
      browser = await open(name);
      await browser.goto(site.url);
    });
    after(() => browser?.close());

    test('the first line is read', async () => {
      const first = await browser.evaluate(reading, 0);
      assert.equal(first.text, 'Every channel finds its own mean.');
      count = first.count;
    });
    for (const sample of samples) {
      test(sample.name, async () => {
        await browser.evaluate(press, sample.name);
        const read = await browser.evaluate(reading, count);
        count = read.count;
        assert.ok(read.text.includes(sample.text), `${JSON.stringify(read.text)}, want ${JSON.stringify(sample.text)}`);
      });
    }
    test('nothing was complained about', () => {
      assert.deepEqual(browser.complaints.filter((text) => /error|warn|unhandled|blocked|crash/i.test(text)), []);
    });
  });
}
