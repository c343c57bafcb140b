// The page Bench in browsers (NORMWASM_BROWSERS names them, Chromium alone by default): both programs run all cases there, and
// agree. The samples are so short that the numbers mean nothing. The page is the one in dist, as `make test-browsers` or
// `node demo/build.mjs --quick` build it.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { chosen, open } from '../../../js/test/drivers.mjs';
import { serve } from '../../serve.mjs';
import { cases } from '../../src/bench/cases.js';

/** @type {{ url: string, close(): void }} */
let site;
before(async () => {
  site = await serve({ root: join(import.meta.dirname, '../../dist') });
});
after(() => site?.close());

/** Measures everything, beside onnxruntime-web. In the page. */
async function runs() {
  const element = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));
  const wait = async (/** @type {() => any} */ done, /** @type {string} */ what) => {
    for (const end = Date.now() + 5 * 60_000; !done(); await new Promise((resolve) => setTimeout(resolve, 50))) {
      if (Date.now() > end) throw new Error(`${what} did not come; the page shows: ${document.body.innerText}`);
    }
  };
  await wait(() => 'started' in document.documentElement.dataset, 'the page');
  for (const value of ['simd', 'ort']) /** @type {any} */ (document.querySelector(`input[value=${value}]`)).click();
  element('go').click();
  await wait(() => 'measured' in document.documentElement.dataset, 'the end');
  return { problem: element('problem').textContent, results: JSON.parse(element('json').textContent), sideways: document.documentElement.scrollWidth > innerWidth };
}

for (const name of chosen()) {
  describe(name, () => {
    /** @type {import('../../../js/test/drivers.mjs').Browser} */
    let browser;
    before(async () => {
      browser = await open(name);
      await browser.goto(`${site.url}bench.html?rounds=1&sample=1&warm=1`);
    });
    after(() => browser?.close());

    test('both programs run all cases, and agree', async () => {
      const { problem, results, sideways } = await browser.evaluate(runs);
      assert.equal(problem, '');
      assert.equal(sideways, false);
      const { contenders, cases: done } = results;
      // Without relaxed SIMD the fastest build is that with SIMD, and there is no second one.
      assert.match(contenders.map((/** @type {any} */ c) => c.name).join(), /^(normwasm \(relaxed\),)?normwasm \(simd\),onnxruntime-web$/);
      assert.deepEqual(done.map((/** @type {any} */ c) => c.id), cases.map((c) => c.id));
      for (const { id, cells } of done) {
        for (const contender of contenders.slice(1)) assert.ok(cells[contender.id].apart < 1e-4, `${id}: apart by ${cells[contender.id].apart}`);
      }
    });
    test('nothing was complained about', () => {
      assert.deepEqual(browser.complaints.filter((text) => /error|warn|unhandled|blocked|crash/i.test(text)), []);
    });
  });
}
