// A story in browsers (NORMWASM_BROWSERS names them, Chromium alone by default): it is that of Node, to the last letter, also
// when it is stopped and goes on. The page is the one in dist, as `make test-browsers` or `node demo/build.mjs --quick` build it.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { chosen, open } from '../../../js/test/drivers.mjs';
import { serve } from '../../serve.mjs';
import { Story } from '../../src/write-model.js';

const demo = join(import.meta.dirname, '../..');
const { TextGenerator, Tokenizer } = await import(pathToFileURL(join(demo, '../js/dist/normwasm.js')).href);

/** @type {{ url: string, close(): void }} */
let site;
let want = '';
before(async () => {
  site = await serve({ root: join(demo, 'dist') });
  const read = (/** @type {string} */ name) => readFile(join(demo, 'src/models', name));
  const tokenizer = await Tokenizer.fromFile(await read('writer.tokenizer.json'));
  const writer = await TextGenerator.create(await read('writer.safetensors'), { tokenizer, config: JSON.parse(String(await read('writer.config.json'))), variant: 'simd' });
  const story = new Story(tokenizer, writer, 'In the beginning', { temperature: 0.7, topK: 40, topP: 1, seed: 11 });
  while (story.count < 300) await story.next();
  want = story.text;
  await writer.release();
});
after(() => site?.close());

/** Writes 300 tokens, with a stop amid them. In the page. */
async function runs() {
  const element = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));
  const wait = async (/** @type {() => any} */ done, /** @type {string} */ what) => {
    for (const end = Date.now() + 5 * 60_000; !done(); await new Promise((resolve) => setTimeout(resolve, 20))) {
      const problem = document.querySelector('#failed:not([hidden])');
      if (problem) throw new Error(`the page says: ${problem.textContent}`);
      if (Date.now() > end) throw new Error(`${what} did not come; the page shows: ${document.body.innerText}`);
    }
  };
  await wait(() => 'started' in document.documentElement.dataset, 'the network');
  for (const [name, value] of [['begin', 'In the beginning'], ['seed', '11'], ['length', '150']]) element(name).value = value;
  element('slowly').checked = true;
  element('go').click();
  await wait(() => Number(element('count').textContent) > 3, 'a token');
  element('stop').click();
  element('slowly').checked = false;
  await new Promise((resolve) => setTimeout(resolve, 300));
  const stopped = Number(element('count').textContent);
  element('length').value = String(300 - stopped);
  element('more').click();
  await wait(() => element('count').textContent === '300' && element('stop').disabled, 'the rest');
  return { stopped, text: element('story').textContent };
}

for (const name of chosen()) {
  describe(name, () => {
    /** @type {import('../../../js/test/drivers.mjs').Browser} */
    let browser;
    before(async () => {
      browser = await open(name);
      await browser.goto(`${site.url}write.html`);
    });
    after(() => browser?.close());

    test('the story is that of Node', async () => {
      const { stopped, text } = await browser.evaluate(runs);
      assert.ok(stopped > 3 && stopped < 150, `stopped after ${stopped}`);
      assert.equal(text, want);
    });
    test('nothing was complained about', () => {
      assert.deepEqual(browser.complaints.filter((text) => /error|warn|unhandled|blocked|crash/i.test(text)), []);
    });
  });
}
