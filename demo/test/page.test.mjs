// The page end to end, in a real Chromium, under its policy. Builds the site first (NORMWASM_ENGINE: another package
// directory than ../js; CHROMIUM: another browser). Screenshots of the four looks land in dist/screens.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { serve } from '../serve.mjs';
import { launch } from './browser.mjs';

const demo = join(dirname(fileURLToPath(import.meta.url)), '..');
const engine = process.env.NORMWASM_ENGINE;
const screens = join(demo, 'dist', 'screens');

let browser, root, site;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'demo-page-')); // of its own: other tests read dist at the same time
  await promisify(execFile)(process.execPath, [join(demo, 'build.mjs'), '--quick', '--out', root, ...(engine ? ['--engine', engine] : [])]);
  await mkdir(screens, { recursive: true });
  site = await serve({ root });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  site?.close();
  if (root) await rm(root, { recursive: true });
});

/**
 * A fresh page that has read its first line, and a promise-free way to wait for the next reading.
 * At the end nothing may have gone wrong unseen: no console error, no request to elsewhere.
 */
async function visit(t, { options = {}, before: prepare = async () => {}, wait = true, quiet = true } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const trouble = [];
  page.on('console', (m) => ['error', 'warning'].includes(m.type()) && trouble.push(`console: ${m.text()}`));
  page.on('pageerror', (e) => trouble.push(`page: ${e.message}`));
  context.on('request', (r) => r.url().startsWith(site.url) || r.url().startsWith('blob:') || trouble.push(`request: ${r.url()}`));
  t.after(async () => {
    await context.close();
    if (quiet) assert.deepEqual(trouble, []);
  });
  await prepare(page);
  await page.goto(site.url);
  const latest = () => page.evaluate(() => Number(document.documentElement.dataset.read ?? 0));
  const reader = {
    page,
    trouble,
    /** Does something and gives the text that is read because of it. */
    async after(deed) {
      const was = await latest();
      await deed();
      await page.waitForFunction((n) => Number(document.documentElement.dataset.read ?? 0) > n, was, { timeout: 60_000 });
      return reader.text();
    },
    text: async () => (await page.locator('#text').textContent()) ?? '',
    type: (line) => reader.after(() => page.fill('#line', line)),
  };
  if (wait) await page.waitForFunction(() => document.documentElement.dataset.read, null, { timeout: 90_000 });
  return reader;
}

/** A picture file, drawn in the browser with the page's own typeface. */
const drawn = (page, text, { upside = false, type = 'image/png' } = {}) => page.evaluate(async ([text, upside, type]) => {
  const { fontReady } = await import(new URL('fonts.js', document.baseURI).href);
  await fontReady('44px "Noto Serif"', text);
  const canvas = new OffscreenCanvas(900, 200);
  const g = canvas.getContext('2d');
  g.fillStyle = '#f2ead8';
  g.fillRect(0, 0, 900, 200);
  if (upside) {
    g.translate(900, 200);
    g.rotate(Math.PI);
  }
  g.fillStyle = '#32291c';
  g.font = '44px "Noto Serif"';
  g.fillText(text, 40, 120);
  const blob = await canvas.convertToBlob({ type, quality: 0.9 });
  return [...new Uint8Array(await blob.arrayBuffer())];
}, [text, upside, type]).then((b) => Buffer.from(b));

test('the first line is read by itself, and announced', async (t) => {
  const { page, text } = await visit(t);
  assert.equal(await text(), 'Every channel finds its own mean.');
  assert.match((await page.textContent('#verdict')) ?? '', /^The right way up\. The direction network is (9\d(\.\d)?|100) % sure/);
  assert.match((await page.textContent('#announce')) ?? '', /^Read: Every channel finds its own mean\.\. Exactly as drawn/);
  assert.equal(await page.getAttribute('#announce', 'aria-live'), 'polite');
});

const sentences = [
  'The quick brown fox jumps over it.',
  'Mean zero, variance one, every time.',
  'Reading text with Go and WebAssembly',
  'Flight 218 leaves at 9:45 from gate 7',
];
for (const face of ['sans', 'serif', 'italic', 'bold', 'mono']) {
  test(`sentences read back exactly in ${face}: both ways up, dark and light`, async (t) => {
    const { page, type, after: upon } = await visit(t);
    if (face !== 'sans') await upon(() => page.selectOption('#font', face));
    for (const sentence of sentences) {
      assert.equal(await type(sentence), sentence);
      assert.equal(await upon(() => page.check('#upside')), sentence, 'upside down');
      assert.match((await page.textContent('#verdict')) ?? '', /^Upside down: it was turned/);
      assert.equal(await upon(() => page.check('#dark')), sentence, 'upside down, light on dark');
      assert.equal(await upon(() => page.uncheck('#upside')), sentence, 'light on dark');
      await upon(() => page.uncheck('#dark'));
    }
  });
}

test('small and large letters read the same', async (t) => {
  const { page, after: upon } = await visit(t);
  for (const size of [22, 64, 96]) {
    assert.equal(await upon(() => page.locator('#size').fill(String(size))), 'Every channel finds its own mean.', `${size} px`);
  }
});

test('fast typing ends with the latest line', async (t) => {
  const { page, text } = await visit(t);
  await page.locator('#line').fill('');
  await page.locator('#line').pressSequentially('Every keystroke is another line to read', { delay: 25 });
  await page.waitForFunction(() => document.querySelector('#text')?.textContent === 'Every keystroke is another line to read', null, { timeout: 60_000 });
  assert.equal(await text(), 'Every keystroke is another line to read');
});

test('each sample reads as it was drawn', async (t) => {
  const { page, after: upon } = await visit(t);
  const buttons = page.locator('#samples button');
  const count = await buttons.count();
  assert.ok(count >= 6);
  for (let i = 0; i < count; i++) {
    await upon(() => buttons.nth(i).click());
    assert.match((await page.textContent('#detail')) ?? '', /^Exactly as drawn/, `${await buttons.nth(i).textContent()}: ${await page.textContent('#text')}`);
    assert.equal(await buttons.nth(i).getAttribute('aria-pressed'), 'true');
  }
});

test('of several lines another one can be chosen in the picture', async (t) => {
  const { page, after: upon } = await visit(t);
  assert.equal(await upon(() => page.getByRole('button', { name: 'Two lines' }).click()), 'The first line is the title');
  const second = page.getByRole('button', { name: 'Read line 2 of 2' });
  assert.equal(await upon(() => second.press('Enter')), 'and the second one is printed rather small.');
  assert.equal(await second.getAttribute('aria-pressed'), 'true');
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('aria-label')), 'Read line 2 of 2', 'focus stays');
});

test('a picture comes in by the file input, by drop and by paste', async (t) => {
  const { page, after: upon } = await visit(t);
  const upside = await drawn(page, 'This file came upside down', { upside: true });
  assert.equal(await upon(() => page.setInputFiles('#file', { name: 'line.png', mimeType: 'image/png', buffer: upside })), 'This file came upside down');
  assert.match((await page.textContent('#verdict')) ?? '', /^Upside down/);

  const jpeg = await drawn(page, 'A dropped photograph of text', { type: 'image/jpeg' });
  const bring = (type, buffer, name, mime) => page.evaluate(([type, bytes, name, mime]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(bytes)], name, { type: mime }));
    const event = type === 'drop' ? new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true })
      : new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true, cancelable: true });
    document.body.dispatchEvent(event);
  }, [type, [...buffer], name, mime]);
  assert.equal(await upon(() => bring('drop', jpeg, 'photo.jpg', 'image/jpeg')), 'A dropped photograph of text');
  const pasted = await drawn(page, 'Pasted from the clipboard');
  assert.equal(await upon(() => bring('paste', pasted, 'image.png', 'image/png')), 'Pasted from the clipboard');
});

test('what is no picture, and a picture without writing, are answered kindly', async (t) => {
  const { page, type } = await visit(t);
  const problem = page.locator('#problem');
  await page.setInputFiles('#file', { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('hello') });
  await problem.filter({ hasText: '“notes.txt” is not a picture (text/plain). PNG, JPEG, WebP, GIF and BMP work.' }).waitFor();
  await page.setInputFiles('#file', { name: 'broken.png', mimeType: 'image/png', buffer: Buffer.from('no png') });
  await problem.filter({ hasText: 'not a picture that the browser can open' }).waitFor();
  await page.setInputFiles('#file', { name: 'blank.png', mimeType: 'image/png', buffer: await drawn(page, '') });
  await problem.filter({ hasText: 'No writing was found' }).waitFor();
  assert.equal(await problem.getAttribute('role'), 'alert');
  assert.equal(await type('After all that it still reads'), 'After all that it still reads');
  assert.ok(await problem.isHidden());
});

test('letters that the network does not know are named', async (t) => {
  const { page } = await visit(t);
  await page.fill('#line', 'Łódź and more');
  await page.locator('#unknown').filter({ hasText: "Not in the network's alphabet: Ł" }).waitFor();
});

test('everything is reached and used by keyboard alone', async (t) => {
  const { page, after: upon } = await visit(t);
  const focused = () => page.evaluate(() => document.activeElement?.id || document.activeElement?.textContent || '');
  const visible = () => page.evaluate(() => {
    // The file input lends its focus ring to the drop field around it.
    const at = document.activeElement?.id === 'file' ? document.querySelector('#drop') : document.activeElement;
    return at ? getComputedStyle(at).outlineStyle : 'none';
  });
  const tabTo = async (id) => {
    for (let i = 0; i < 40; i++) {
      if ((await focused()).startsWith(id)) return assert.notEqual(await visible(), 'none', `${id} shows its focus`);
      await page.keyboard.press('Tab');
    }
    assert.fail(`${id} is not reached by Tab`);
  };
  await tabTo('Skip to the reading');
  await tabTo('line');
  await page.keyboard.press('ControlOrMeta+A');
  assert.equal(await upon(() => page.keyboard.type('Typed without a mouse at hand', { delay: 0 })).then(async () => {
    await page.waitForFunction(() => document.querySelector('#text')?.textContent === 'Typed without a mouse at hand', null, { timeout: 60_000 });
    return page.textContent('#text');
  }), 'Typed without a mouse at hand');
  await tabTo('font');
  await tabTo('size');
  await tabTo('upside');
  assert.equal(await upon(() => page.keyboard.press('Space')), 'Typed without a mouse at hand');
  await tabTo('dark');
  await tabTo('file');
  await tabTo('Enamel sign');
  assert.equal(await upon(() => page.keyboard.press('Enter')), 'GAUSS LANE 1777');
  await tabTo('c0');
  assert.match((await page.textContent('#detail')) ?? '', /^“G” \d+(\.\d)? %; next best .+ \d+(\.\d)? %$/);
  await page.keyboard.press('ArrowRight');
  assert.equal(await focused(), 'c1');
  assert.match((await page.textContent('#detail')) ?? '', /^“A” \d+/);
  assert.match((await page.getAttribute('#c1', 'aria-label')) ?? '', /^A, \d+(\.\d)? %$/);
  assert.equal(await page.getAttribute('#c1', 'aria-selected'), 'true');
  assert.ok(await page.locator('#mark').isVisible(), 'the place in the strip is marked');
  await page.keyboard.press('End');
  assert.equal(await focused(), 'c14');
  await page.keyboard.press('Home');
  assert.equal(await focused(), 'c0');
  await tabTo('copy');
  await tabTo('variant');
});

test('every control has a name', async (t) => {
  const { page } = await visit(t);
  await page.locator('#networks tr').first().waitFor();
  const nameless = await page.evaluate(() => [...document.querySelectorAll('button, input, select, progress, canvas, [role]')]
    .filter((e) => !e.closest('[aria-hidden="true"], [hidden]') && e.getAttribute('role') !== 'alert' && e.getAttribute('role') !== 'status')
    .filter((e) => !(e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') || e.textContent?.trim() || /** @type {any} */ (e).labels?.length))
    .map((e) => e.outerHTML.slice(0, 120)));
  assert.deepEqual(nameless, []);
});

test('what ran is told: phases, nodes, norms, variant and sizes', async (t) => {
  const { page } = await visit(t);
  await page.locator('#networks').getByText('35 → 0').waitFor({ timeout: 60_000 });
  const cells = async (id) => Object.fromEntries(await page.locator(`#${id} tr`).evaluateAll((rows) => rows.map((r) => {
    const [name, ...values] = [...r.children].map((c) => c.firstElementChild?.firstChild?.nodeType === 3 ? c.firstElementChild.firstChild.textContent : c.textContent);
    return [name, values];
  })));
  const networks = await cells('networks');
  assert.deepEqual(networks.BatchNorm, ['35 → 0', '6 → 0']);
  assert.deepEqual(networks.LayerNorm, ['0', '5']);
  const [written, ran] = [networks['Nodes as written'], networks['Nodes that ran']].map((v) => v.map(Number));
  written.forEach((n, i) => assert.ok(n > ran[i] && ran[i] > 20, `${n} nodes as written, ${ran[i]} ran`));
  const times = await page.locator('#times td').allTextContents();
  assert.equal(times.length, 5);
  for (const time of times) assert.match(time, /^\d+(\.\d+)? ms$/);
  assert.match((await page.textContent('#engine')) ?? '', /Running(relaxed|simd|scalar)/);
  const downloads = await page.locator('#downloads tr').allTextContents();
  assert.equal(downloads.length, 5);
  assert.match(downloads[2], /^Reading network.*9\.\d+ MB10\.82 MB$/);
  if (!engine) assert.match(downloads[0], /^Enginenormwasm\.(relaxed|simd)\.wasm\d{3}\.\d KB\d\.\d+ MB$/);
});

test('every build of the engine reads the same', async (t) => {
  const { page, after: upon } = await visit(t);
  for (const variant of ['scalar', 'simd', 'relaxed']) {
    assert.equal(await upon(() => page.selectOption('#variant', variant)), 'Every channel finds its own mean.', variant);
    assert.match((await page.textContent('#engine')) ?? '', new RegExp(`^Running${variant}`));
  }
});

test("the lesson shows LayerNorm's indifference to brightness and BatchNorm's to its neighbours", async (t) => {
  const { page } = await visit(t);
  const moved = (id) => page.locator(`#${id} .moved`).count();
  await page.locator('#toy-batch').getByText('1.39').waitFor();
  await page.locator('#brighten').fill('3');
  await page.locator('#toy-says').filter({ hasText: /brighter or darker/ }).waitFor();
  assert.deepEqual([await moved('toy-batch'), await moved('toy-layer')], [12, 0]);
  await page.locator('#toy-reset').click();
  await page.locator('#toy-says').filter({ hasText: /Outlined cells/ }).waitFor();
  await page.locator('#toy-in button').first().click();
  await page.locator('#toy-says').filter({ hasText: /One number went in/ }).waitFor();
  assert.deepEqual([await moved('toy-batch'), await moved('toy-layer')], [1, 4]);
});

test('a download that fails is explained, and trying again works', async (t) => {
  let broken = true;
  const { page, text } = await visit(t, {
    wait: false,
    quiet: false, // the browser itself logs the failed request
    before: (page) => page.context().route('**/*rec_infer.onnx', (route) => (broken ? route.abort('connectionreset') : route.continue())),
  });
  await page.locator('#failed').waitFor({ timeout: 60_000 });
  assert.match((await page.textContent('#failed-text')) ?? '', /rec_infer\.onnx could not be fetched: the connection failed\. Check the connection/);
  broken = false;
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.waitForFunction(() => document.documentElement.dataset.read, null, { timeout: 60_000 });
  assert.equal(await text(), 'Every channel finds its own mean.');
  assert.ok(await page.locator('#failed').isHidden());
});

test('a web page in place of a model is recognised as such', async (t) => {
  const { page } = await visit(t, {
    wait: false,
    before: (page) => page.context().route('**/*cls_infer.onnx', (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html>' })),
  });
  await page.locator('#failed-text').filter({ hasText: 'the server sent a web page in its place' }).waitFor({ timeout: 60_000 });
});

test('a missing engine is explained', { skip: engine ? 'needs the real engine' : false }, async (t) => {
  const { page } = await visit(t, {
    wait: false,
    quiet: false,
    before: (page) => page.context().route('**/*.wasm', (route) => route.fulfill({ status: 404, body: 'gone' })),
  });
  await page.locator('#failed-text').filter({ hasText: /wasm/ }).waitFor({ timeout: 60_000 });
});

for (const colorScheme of ['light', 'dark']) {
  for (const width of [360, 1280]) {
    test(`the page fits ${width} pixels, ${colorScheme}`, async (t) => {
      const { page, after: upon } = await visit(t, { options: { viewport: { width, height: width < 600 ? 780 : 900 }, colorScheme, reducedMotion: 'reduce' } });
      const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok((await overflow()) <= 0);
      await page.locator('#networks').getByText('35 → 0').waitFor({ timeout: 60_000 });
      await page.screenshot({ path: join(screens, `${width}-${colorScheme}.png`), fullPage: true });
      await upon(() => page.getByRole('button', { name: 'Note, upside down' }).click());
      assert.ok((await overflow()) <= 0);
      if (width > 600) {
        const covers = () => page.evaluate(() => document.querySelector('.read').getBoundingClientRect().bottom - document.querySelector('.ran').getBoundingClientRect().top);
        await page.evaluate(() => scrollTo(0, 1400));
        assert.ok((await covers()) < 0, 'the reading that stays in sight does not cover what follows');
        await page.evaluate(() => scrollTo(0, 0));
      }
      if (width < 600) assert.ok(await page.evaluate(() => document.querySelector('#text').getBoundingClientRect().top < innerHeight), 'a picked sample brings the reading into sight');
      await page.screenshot({ path: join(screens, `${width}-${colorScheme}-sample.png`) });
    });
  }
}
