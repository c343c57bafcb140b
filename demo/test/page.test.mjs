// The page end to end, in a real Chromium, under its policy. Builds the site first (NORMWASM_ENGINE: another package
// directory than ../js; CHROMIUM: another browser; NORMWASM_LONG: more sentences and turns). Screenshots of the four looks land in dist/screens.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { serve } from '../serve.mjs';
import { launch } from './browser.mjs';
import { draw, sheets } from './sheets.mjs';

const demo = join(dirname(fileURLToPath(import.meta.url)), '..');
const engine = process.env.NORMWASM_ENGINE;
const long = Boolean(process.env.NORMWASM_LONG);
const screens = join(demo, 'dist', 'screens');

let browser, root, site;
/** Addresses other than the page's own that a test may ask for. @type {Set<string>} */
const allowed = new Set();
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
async function visit(t, { options = {}, before: prepare = async () => {}, wait = true, quiet = true, address = site.url } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(300_000);
  const trouble = [];
  page.on('console', (m) => ['error', 'warning'].includes(m.type()) && trouble.push(`console: ${m.text()}`));
  page.on('pageerror', (e) => trouble.push(`page: ${e.message}`));
  context.on('request', (r) => [site.url, 'blob:', ...allowed].some((a) => r.url().startsWith(a)) || trouble.push(`request: ${r.url()}`));
  t.after(async () => {
    await context.close();
    if (quiet) assert.deepEqual(trouble, []);
  });
  await prepare(page);
  await page.goto(address);
  const latest = () => page.evaluate(() => Number(document.documentElement.dataset.read ?? 0));
  const reader = {
    page,
    trouble,
    /** Does something and gives the text that is read because of it. */
    async after(deed) {
      const was = await latest();
      await deed();
      await page.waitForFunction((n) => Number(document.documentElement.dataset.read ?? 0) > n, was);
      return reader.text();
    },
    text: () => page.evaluate(() => [...document.querySelectorAll('#text .characters')].map((e) => e.textContent).join('\n')),
    type: (line) => reader.after(() => page.fill('#line', line)),
  };
  if (wait) await page.waitForFunction(() => document.documentElement.dataset.read);
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
  assert.match((await page.textContent('#verdict-text')) ?? '', /^The right way up\. The direction network is (9\d(\.\d)?|100) % sure/);
  assert.match((await page.textContent('#announce')) ?? '', /^Read: Every channel finds its own mean\.\. Exactly as drawn/);
  assert.equal(await page.getAttribute('#announce', 'aria-live'), 'polite');
});

const faces = ['sans', 'serif', 'italic', 'bold', 'mono'];
const sentences = [
  'Flight 218 leaves at 9:45 from gate 7',
  ...(long ? ['The quick brown fox jumps over it.', 'Mean zero, variance one, every time.', 'Reading text with Go and WebAssembly', 'GAUSS LANE 1777'] : []),
];
test('sentences read back exactly in every typeface: both ways up, dark and light', async (t) => {
  const { page, type, after: upon } = await visit(t);
  for (const face of faces) {
    if (face !== 'sans') await upon(() => page.selectOption('#font', face));
    for (const sentence of sentences) {
      // Typed once more, it would not be read again.
      if ((await page.inputValue('#line')) !== sentence) assert.equal(await type(sentence), sentence, face);
      assert.equal(await upon(() => page.check('#upside')), sentence, `${face}, upside down`);
      assert.match((await page.textContent('#verdict-text')) ?? '', /^Upside down: it was turned/);
      assert.equal(await upon(() => page.check('#dark')), sentence, `${face}, upside down, light on dark`);
      assert.equal(await upon(() => page.uncheck('#upside')), sentence, `${face}, light on dark`);
      assert.equal(await upon(() => page.uncheck('#dark')), sentence, face);
    }
  }
});

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
  await page.waitForFunction(() => document.querySelector('#text .characters')?.textContent === 'Every keystroke is another line to read');
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

const give = (page, buffer, type = 'image/png') => page.setInputFiles('#file', { name: `picture.${type.slice(6)}`, mimeType: type, buffer });

const often = ['lines', 'columns', 'receipt', 'turned 90', 'turned 180', 'turned 20', 'faint', 'grainy'];
test('all lines of a picture are read in order', async (t) => {
  const { page, after: upon } = await visit(t);
  for (const [name, { sheet, text: truth }] of Object.entries(sheets).filter(([name, { text }]) => text.length && (long || often.includes(name)))) {
    assert.deepEqual((await upon(async () => give(page, await draw(page, sheet)))).split('\n'), truth, name);
    assert.match((await page.textContent('#detail')) ?? '', new RegExp(`^${truth.length} lines, (9\\d(\\.\\d)?|100) % sure on average\\.$`), name);
    assert.equal(await page.locator('#picture i').count(), truth.length, `${name}: each line is marked in the picture`);
    const said = (await page.textContent('#verdict-text')) ?? '';
    const { turn = 0 } = sheet;
    if (turn === 90) assert.match(said, /^Lying on its side: it was turned by 90° to the left/);
    if (turn === 270) assert.match(said, /^Lying on its side: it was turned by 90° to the right/);
    if (turn === 180) assert.match(said, /^Upside down: it was turned/);
    if (turn === 20) assert.match(said, /^The right way up\. Levelled by (19|20)(\.\d)?°/);
  }
});

test('what noise or faintness defeats is said, and nothing is shown as read', async (t) => {
  const { page, after: upon, text } = await visit(t);
  for (const [name, says] of [['noise', /grain of the picture is as strong as the strokes/], ['ghost', /more contrast would help|grain of the picture/]]) {
    await upon(async () => give(page, await draw(page, sheets[name].sheet)));
    assert.match((await page.textContent('#problem')) ?? '', says, name);
    assert.ok(await page.locator('#result').isHidden() || (await text()) === '', name);
  }
});

test('a photograph of 50 megapixels is read in steps that are told, and the page stays alive', async (t) => {
  const { page, text } = await visit(t);
  await page.evaluate(() => {
    window.told = new Set();
    window.ticks = 0;
    setInterval(() => window.ticks++, 20);
    new MutationObserver(() => window.told.add(`${document.querySelector('#step-text').textContent} ${document.querySelector('#step-bar').value}`))
      .observe(document.querySelector('#steps'), { subtree: true, childList: true, attributes: true, characterData: true });
  });
  const was = await page.evaluate(async () => {
    const { fontReady } = await import(new URL('fonts.js', document.baseURI).href);
    const canvas = new OffscreenCanvas(8660, 5774);
    const g = canvas.getContext('2d');
    g.fillStyle = '#f1ede2';
    g.fillRect(0, 0, 8660, 5774);
    g.fillStyle = '#24282d';
    g.font = '420px "Noto Serif"';
    await fontReady(g.font, 'Fifty million pixels');
    g.fillText('Fifty million pixels', 900, 2300);
    g.fillText('hold these two lines', 900, 3100);
    const file = new File([await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.8 })], 'large.jpg', { type: 'image/jpeg' });
    const transfer = new DataTransfer();
    transfer.items.add(file);
    window.ticks = 0;
    const was = Number(document.documentElement.dataset.read);
    document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
    return was;
  });
  await page.waitForFunction((n) => Number(document.documentElement.dataset.read) > n, was);
  assert.equal(await text(), 'Fifty million pixels\nhold these two lines');
  const { told, ticks } = await page.evaluate(() => ({ told: [...window.told], ticks: window.ticks }));
  assert.ok(told.filter((s) => s.startsWith('Taking the picture in')).length >= 5, `steps told: ${told.join(' | ')}`);
  assert.ok(ticks >= 5, `the page's own timers ran ${ticks} times meanwhile`);
});

test('an SVG file is drawn and read, whether it names its size or not; a damaged one is named', async (t) => {
  const { page, after: upon } = await visit(t);
  // Letters of strokes: what fonts a drawing finds is the machine's business.
  const strokes = { T: 'M0 0H60M30 0V100', E: 'M55 0H5V100H55M5 48H45', N: 'M5 100V0L60 100V0', I: 'M30 0V100M12 0H48M12 100H48', L: 'M5 0V100H55', F: 'M5 100V0H55M5 48H45' };
  const letters = [...'TEN FINE TILE'].map((c, i) => (strokes[c] ? `<path transform="translate(${i * 85} 0)" d="${strokes[c]}"/>` : '')).join('');
  const body = `<g class="pen" transform="translate(100 100)" style="fill: none">${letters}</g><style>.pen { stroke: #222; stroke-width: 13px; }</style>`;
  for (const size of ['width="1300" height="300"', 'width="100%" viewBox="0 0 1300 300"', 'viewBox="0 0 1300 300"']) {
    const buffer = Buffer.from(`<?xml version="1.0"?><!-- <svg width="5"> --><svg xmlns="http://www.w3.org/2000/svg" ${size}><rect width="1300" height="300" fill="#fff"/>${body}</svg>`);
    assert.equal(await upon(() => page.setInputFiles('#file', { name: 'drawing.svg', mimeType: 'image/svg+xml', buffer })), 'TEN FINE TILE', size);
  }
  await page.setInputFiles('#file', { name: 'drawing.svg', mimeType: 'image/svg+xml', buffer: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><g') });
  await page.locator('#problem').filter({ hasText: 'This SVG file is damaged' }).waitFor();
});

test('all lines are copied at once; without permission they are selected', async (t) => {
  const { page, after: upon } = await visit(t, { options: { permissions: ['clipboard-read', 'clipboard-write'] } });
  await upon(() => page.getByRole('button', { name: 'Two lines' }).click());
  await page.getByRole('button', { name: 'Copy all' }).click();
  await page.locator('#copy').filter({ hasText: 'Copied' }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'The first line is the title\nand the second one is printed rather small.');
  await page.locator('#copy').filter({ hasText: 'Copy all' }).waitFor();
  await page.evaluate(() => Object.defineProperty(navigator, 'clipboard', { value: { writeText: () => Promise.reject(new Error('no')) } }));
  await page.locator('#copy').click();
  await page.locator('#copy').filter({ hasText: 'Selected' }).waitFor();
  assert.match(await page.evaluate(() => String(getSelection())), /The first line is the title[^]*rather small/);
});

test('on a phone the reading is on the first screen', async (t) => {
  const { page, after: upon } = await visit(t, { options: { viewport: { width: 375, height: 667 }, hasTouch: true, isMobile: true } });
  const bottom = () => page.evaluate(() => document.querySelector('#text').getBoundingClientRect().bottom);
  assert.equal(await page.evaluate(() => scrollY), 0);
  assert.ok((await bottom()) <= 667, `the text ends at ${await bottom()}`);
  assert.ok(await page.locator('#camera-label').isVisible(), 'where fingers point, there is a camera');
  await upon(() => page.getByRole('button', { name: 'Enamel sign' }).tap());
  assert.ok((await bottom()) <= 667 && (await page.evaluate(() => document.querySelector('#text').getBoundingClientRect().top)) >= 0);
});

/** Serves a folder as any static server would: no policy, no compression. */
async function plain(t, root) {
  const server = createServer(async (request, response) => {
    const path = join(root, decodeURIComponent(new URL(request.url, 'http://x').pathname).replace(/\/$/, '/index.html'));
    const body = await readFile(path).catch(() => undefined);
    response.writeHead(body ? 200 : 404, { 'content-type': { html: 'text/html', js: 'text/javascript', mjs: 'text/javascript', wasm: 'application/wasm' }[path.split('.').at(-1)] ?? 'application/octet-stream' });
    response.end(body);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${server.address().port}/`;
}

test('the code to take home runs as it stands', async (t) => {
  const { page, after: upon } = await visit(t, { options: { permissions: ['clipboard-read', 'clipboard-write'] } });
  await page.locator('#take-copy').click();
  await page.locator('#take-copy').filter({ hasText: 'Copied' }).waitFor();
  const code = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(code, await page.textContent('#take-code'));
  const home = await mkdtemp(join(tmpdir(), 'demo-home-'));
  t.after(() => rm(home, { recursive: true }));
  await mkdir(join(home, 'node_modules', '@gutenye'), { recursive: true });
  await symlink(resolve(engine ?? join(demo, '..', 'js')), join(home, 'node_modules', 'normwasm'));
  await symlink(join(demo, 'node_modules', '@gutenye', 'ocr-models'), join(home, 'node_modules', '@gutenye', 'ocr-models'));
  await writeFile(join(home, 'index.html'), code);
  const picture = await draw(page, { width: 420, height: 48, blocks: [{ x: 12, y: 36, size: 34, lines: ['Read it at home'] }] });
  const other = await page.context().newPage();
  other.setDefaultTimeout(300_000);
  const faults = [];
  other.on('pageerror', (e) => faults.push(e.message));
  await other.route('**/favicon.ico', (route) => route.fulfill({ status: 204 }));
  const address = await plain(t, home);
  allowed.add(address);
  await other.goto(address);
  await other.waitForFunction(() => document.querySelector('input').onchange);
  await other.setInputFiles('input', { name: 'line.png', mimeType: 'image/png', buffer: picture });
  await other.waitForFunction(() => document.querySelector('output').value);
  assert.equal(await other.evaluate(() => document.querySelector('output').value), 'Read it at home');
  assert.deepEqual(faults, []);
});

test('the site works below a path, as project pages have it', async (t) => {
  const above = await mkdtemp(join(tmpdir(), 'demo-below-'));
  t.after(() => rm(above, { recursive: true }));
  await symlink(root, join(above, 'normwasm'));
  const address = `${await plain(t, above)}normwasm/`;
  allowed.add(address);
  const { text } = await visit(t, { address });
  assert.equal(await text(), 'Every channel finds its own mean.');
});

test('a picture comes in by the file input, by drop and by paste', async (t) => {
  const { page, after: upon } = await visit(t);
  const upside = await drawn(page, 'This file came upside down', { upside: true });
  assert.equal(await upon(() => page.setInputFiles('#file', { name: 'line.png', mimeType: 'image/png', buffer: upside })), 'This file came upside down');
  assert.match((await page.textContent('#verdict-text')) ?? '', /^Upside down/);

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
  await problem.filter({ hasText: '“notes.txt” is not a picture (text/plain). PNG, JPEG, WebP, AVIF, GIF, BMP and SVG work' }).waitFor();
  await page.setInputFiles('#file', { name: 'broken.png', mimeType: 'image/png', buffer: Buffer.from('no png') });
  await problem.filter({ hasText: 'damaged, or not a picture that this browser can open' }).waitFor();
  await page.setInputFiles('#file', { name: 'empty.png', mimeType: 'image/png', buffer: Buffer.alloc(0) });
  await problem.filter({ hasText: 'This file is empty' }).waitFor();
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
    // The file input lends its focus ring to its label.
    const at = document.activeElement?.id === 'file' ? document.querySelector('#file-label') : document.activeElement;
    return at ? getComputedStyle(at).outlineStyle : 'none';
  });
  const tabTo = async (id) => {
    for (let i = 0; i < 60; i++) {
      if ((await focused()).startsWith(id)) return assert.notEqual(await visible(), 'none', `${id} shows its focus`);
      await page.keyboard.press('Tab');
    }
    assert.fail(`${id} is not reached by Tab`);
  };
  await tabTo('Skip to the reading');
  await tabTo('file');
  await tabTo('line');
  await page.keyboard.press('ControlOrMeta+A');
  assert.equal(await upon(() => page.keyboard.type('Typed without a mouse at hand', { delay: 0 })).then(async () => {
    await page.waitForFunction(() => document.querySelector('#text .characters')?.textContent === 'Typed without a mouse at hand');
    return page.textContent('#text .characters');
  }), 'Typed without a mouse at hand');
  await tabTo('font');
  await tabTo('size');
  await tabTo('upside');
  assert.equal(await upon(() => page.keyboard.press('Space')), 'Typed without a mouse at hand');
  await tabTo('dark');
  await tabTo('Enamel sign');
  assert.equal(await upon(() => page.keyboard.press('Enter')), 'GAUSS LANE 1777');
  await tabTo('c0-0');
  assert.match((await page.textContent('#detail')) ?? '', /^“G” \d+(\.\d)? %; next best .+ \d+(\.\d)? %$/);
  await page.keyboard.press('ArrowRight');
  assert.equal(await focused(), 'c0-1');
  assert.match((await page.textContent('#detail')) ?? '', /^“A” \d+/);
  assert.match((await page.getAttribute('#c0-1', 'aria-label')) ?? '', /^A, \d+(\.\d)? %$/);
  assert.equal(await page.getAttribute('#c0-1', 'aria-selected'), 'true');
  assert.ok(await page.locator('#mark').isVisible(), 'the place in the strip is marked');
  await page.keyboard.press('End');
  assert.equal(await focused(), 'c0-14');
  await page.keyboard.press('Home');
  assert.equal(await focused(), 'c0-0');
  await tabTo('copy');
  await tabTo('variant');
  await tabTo('Two lines');
  await upon(() => page.keyboard.press('Enter'));
  await tabTo('c0-0');
  await page.keyboard.press('ArrowDown');
  assert.equal(await focused(), 'c1-0', 'the arrows lead from line to line');
  assert.match((await page.textContent('#detail')) ?? '', /^“a” \d+/);
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
  await page.locator('#networks').getByText('35 → 0').waitFor();
  const cells = async (id) => Object.fromEntries(await page.locator(`#${id} tr`).evaluateAll((rows) => rows.map((r) => {
    const [name, ...values] = [...r.children].map((c) => c.firstElementChild?.firstChild?.nodeType === 3 ? c.firstElementChild.firstChild.textContent : c.textContent);
    return [name, values];
  })));
  const networks = await cells('networks');
  assert.deepEqual(networks.BatchNorm, ['3 → 0', '35 → 0', '6 → 0']);
  assert.deepEqual(networks.LayerNorm, ['0', '0', '5']);
  const [written, ran] = [networks['Nodes as written'], networks['Nodes that ran']].map((v) => v.map(Number));
  written.forEach((n, i) => assert.ok(n > ran[i] && ran[i] > 20, `${n} nodes as written, ${ran[i]} ran`));
  assert.match((await page.textContent('#norm-share')) ?? '', /^Why so little\? BatchNorm's frozen statistics are folded into the weights.* took \d+\.\d ms of normalization in \d+(\.\d)? ms, against (< )?\d+\.\d ms in \d+(\.\d)? ms as it ran/);
  const times = await page.locator('#times td').allTextContents();
  assert.equal(times.length, 5);
  for (const time of times) assert.match(time, /^\d+(\.\d+)? ms$/);
  assert.match((await page.textContent('#engine')) ?? '', /Running(relaxed|simd|scalar)/);
  const downloads = await page.locator('#downloads tr').allTextContents();
  assert.equal(downloads.length, 6);
  assert.match(downloads[3], /^Reading network.*9\.\d+ MB10\.82 MB$/);
  if (!engine) assert.match(downloads[0], /^Enginenormwasm\.(relaxed|simd)\.wasm\d{3}\.\d KB\d\.\d+ MB$/);
});

test('every build of the engine reads the same', async (t) => {
  const { page, after: upon } = await visit(t);
  for (const variant of ['scalar', 'simd', 'relaxed']) {
    assert.equal(await upon(() => page.selectOption('#variant', variant)), 'Every channel finds its own mean.', variant);
    assert.match((await page.textContent('#engine')) ?? '', new RegExp(`^Running${variant}`));
  }
});

test('a download that fails is explained, and trying again works', async (t) => {
  let broken = true;
  const { page, text } = await visit(t, {
    wait: false,
    quiet: false, // the browser itself logs the failed request
    before: (page) => page.context().route('**/*rec_infer.onnx', (route) => (broken ? route.abort('connectionreset') : route.continue())),
  });
  await page.locator('#failed').waitFor();
  assert.match((await page.textContent('#failed-text')) ?? '', /rec_infer\.onnx could not be fetched: the connection failed\. Check the connection/);
  broken = false;
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.waitForFunction(() => document.documentElement.dataset.read);
  assert.equal(await text(), 'Every channel finds its own mean.');
  assert.ok(await page.locator('#failed').isHidden());
});

test('a web page in place of a model is recognised as such', async (t) => {
  const { page } = await visit(t, {
    wait: false,
    before: (page) => page.context().route('**/*cls_infer.onnx', (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html>' })),
  });
  await page.locator('#failed-text').filter({ hasText: 'the server sent a web page in its place' }).waitFor();
});

test('a missing engine is explained', { skip: engine ? 'needs the real engine' : false }, async (t) => {
  const { page } = await visit(t, {
    wait: false,
    quiet: false,
    before: (page) => page.context().route('**/*.wasm', (route) => route.fulfill({ status: 404, body: 'gone' })),
  });
  await page.locator('#failed-text').filter({ hasText: /wasm/ }).waitFor();
});

for (const colorScheme of ['light', 'dark']) {
  for (const width of [375, 1280]) {
    test(`the page fits ${width} pixels, ${colorScheme}`, async (t) => {
      const { page, after: upon } = await visit(t, { options: { viewport: { width, height: width < 600 ? 667 : 800 }, colorScheme, reducedMotion: 'reduce' } });
      const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok((await overflow()) <= 0);
      await page.locator('#networks').getByText('35 → 0').waitFor();
      await page.screenshot({ path: join(screens, `${width}-${colorScheme}.png`), fullPage: true });
      await upon(() => page.getByRole('button', { name: 'Note, upside down' }).click());
      assert.ok((await overflow()) <= 0);
      if (width > 600) {
        const covers = () => page.evaluate(() => document.querySelector('.reading').getBoundingClientRect().bottom - document.querySelector('.ran').getBoundingClientRect().top);
        await page.evaluate(() => scrollTo(0, 1400));
        assert.ok((await covers()) < 0, 'the reading that stays in sight does not cover what follows');
        await page.evaluate(() => scrollTo(0, 0));
      }
      if (width < 600) assert.ok(await page.evaluate(() => document.querySelector('#text').getBoundingClientRect().top < innerHeight), 'a picked sample brings the reading into sight');
      await page.screenshot({ path: join(screens, `${width}-${colorScheme}-sample.png`) });
    });
  }
}
