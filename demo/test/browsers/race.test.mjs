// A short race in browsers (NORMWASM_BROWSERS names them, Chromium alone by default): its losses are those of Node, to the
// bit. The page is the one in dist, as `make test-browsers` or `node demo/build.mjs --quick` build it.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { chosen, open } from '../../../js/test/drivers.mjs';
import { readData } from '../../data.mjs';
import { serve } from '../../serve.mjs';
import { Race } from '../../src/lab/race-run.js';
import { fromHash } from '../../src/lab/race-setting.js';

const demo = join(import.meta.dirname, '../..');
const { Tensor, Trainer } = await import(pathToFileURL(join(demo, '../js/dist/normwasm.js')).href);
const hash = '#claim=3&steps=20&batch=4&then=10x1';

/** @type {{ url: string, close(): void }} */
let site;
/** @type {number[][]} */
let want;
before(async () => {
  site = await serve({ root: join(demo, 'dist') });
  const race = await Race.create({ Trainer, Tensor, setting: fromHash(hash), read: readData, start: { variant: 'simd' } });
  while (race.at < 20) await race.step();
  want = race.steps.map((s) => s.loss);
  race.dispose();
});
after(() => site?.close());

/** Guesses, starts, and waits for the result. In the page. */
async function runs() {
  const wait = async (/** @type {() => any} */ done, /** @type {string} */ what) => {
    for (const end = Date.now() + 5 * 60_000; !done(); await new Promise((resolve) => setTimeout(resolve, 50))) {
      const problem = document.querySelector('#problem:not([hidden])');
      if (problem) throw new Error(`the page says: ${problem.textContent}`);
      if (Date.now() > end) throw new Error(`${what} did not come; the page shows: ${document.body.innerText}`);
    }
  };
  await wait(() => 'started' in document.documentElement.dataset, 'the race');
  /** @type {HTMLElement} */ (document.querySelector('input[name=guess][value=b]')).click();
  /** @type {HTMLElement} */ (document.querySelector('#start')).click();
  await wait(() => /after 20 steps/.test(document.querySelector('#verdict')?.textContent ?? ''), 'the result');
  return {
    verdict: document.querySelector('#verdict')?.textContent,
    losses: /** @type {any} */ (globalThis).lab.race.steps.map((/** @type {any} */ s) => s.loss),
    curves: [...document.querySelectorAll('#plot-loss .band + .line')].map((line) => (line.getAttribute('d') ?? '').split(/[ML]/).length - 1),
  };
}

for (const name of chosen()) {
  describe(name, () => {
    /** @type {import('../../../js/test/drivers.mjs').Browser} */
    let browser;
    before(async () => {
      browser = await open(name);
      await browser.goto(`${site.url}lab.html${hash}`);
    });
    after(() => browser?.close());

    test('the race has the losses of Node, to the bit', async () => {
      const { verdict, losses, curves } = await browser.evaluate(runs);
      assert.match(verdict, /You said LayerNorm/);
      assert.deepEqual(losses, want);
      assert.deepEqual(curves, [20, 20]);
    });
    test('nothing was complained about', () => {
      assert.deepEqual(browser.complaints.filter((text) => /error|warn|unhandled|blocked|crash/i.test(text)), []);
    });
  });
}
