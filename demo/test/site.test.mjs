// What holds for every page of the site: axe-core finds nothing, in light and dark, on a phone and on a desk; the first
// paint waits for nothing that could take long; nothing moves by itself; nothing is asked of other hosts or breaks the policy.

import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { types } from '../headers.mjs';
import { pages } from '../pages.mjs';
import { assertAccessible, measure, measured } from './axe.mjs';
import { launch } from './browser.mjs';
import { serveSite } from './lab.mjs';

let browser, site;
before(async () => {
  site = await serveSite();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await site?.close();
});

const looks = [
  { name: 'phone', options: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true } },
  { name: 'desk', options: { viewport: { width: 1440, height: 900 } } },
];

for (const { file } of pages) {
  test(file, async (t) => {
    if (!(await readdir(site.root)).includes(file)) return t.skip('is not there');
    for (const look of looks) {
      const context = await browser.newContext({ ...look.options, reducedMotion: 'reduce' });
      const page = await context.newPage();
      page.setDefaultTimeout(300_000);
      const trouble = [];
      page.on('console', (m) => ['error', 'warning'].includes(m.type()) && trouble.push(`console: ${m.text()}`));
      page.on('pageerror', (e) => trouble.push(`page: ${e.message}`));
      context.on('request', (r) => r.url().startsWith(site.url) || r.url().startsWith('blob:') || trouble.push(`request: ${r.url()}`));
      await measure(page);
      await page.goto(`${site.url}${file}`);
      // Pages that have something to fetch say when they are through with it.
      await page.waitForFunction(() => !('starts' in document.documentElement.dataset) || 'started' in document.documentElement.dataset);
      const { shifts, paint } = await measured(page);
      // How long that takes depends on the machine, and is only told; what it waits for is tested below.
      t.diagnostic(`${look.name}: first paint after ${paint.toFixed(0)} ms`);
      if (file !== 'index.html') assert.deepEqual(shifts, [], `${look.name}: what moved by itself`);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${look.name}: the page scrolls sideways`);
      // What depends on colours does not depend on the width.
      await assertAccessible(page, look.name, { schemes: [look.name === 'phone' ? 'dark' : 'light'] });
      assert.deepEqual(trouble, [], look.name);
      await context.close();
    }
  });

  test(`${file}: the first paint waits for no script and no data`, async (t) => {
    if (!(await readdir(site.root)).includes(file)) return t.skip('is not there');
    const page = await browser.newPage();
    page.setDefaultTimeout(300_000);
    const held = [];
    await page.route('**/*', (route) => {
      if (['document', 'stylesheet'].includes(route.request().resourceType())) route.continue();
      else held.push(route);
    });
    await page.goto(`${site.url}${file}`, { waitUntil: 'commit' });
    await page.waitForFunction(() => performance.getEntriesByName('first-contentful-paint').length > 0);
    if (await page.locator('script[src]').count()) assert.ok(held.length > 0, 'something was held back');
    await page.close();
  });

  // Read shows what it reads, step by step.
  if (file === 'index.html') continue;

  // A slow line, or a busy machine on which the browser draws in the midst of its reading. No headers either: what a page
  // says of that must not move it.
  test(`${file}: nothing moves when the page comes in pieces`, async (t) => {
    if (!(await readdir(site.root)).includes(file)) return t.skip('is not there');
    const server = createServer(async (request, response) => {
      const path = new URL(request.url, 'http://localhost').pathname;
      const bytes = await readFile(join(site.root, path)).catch(() => undefined);
      response.writeHead(bytes ? 200 : 404, { 'content-type': types[extname(path)] ?? 'application/octet-stream' });
      // The pieces of the first 20,000 bytes, which fill a window.
      if (path.endsWith('.html')) {
        for (let i = 0; i < 20_000 && i < bytes.length; i += 350) {
          response.write(bytes.subarray(i, Math.min(i + 350, 20_000)));
          await new Promise((done) => setTimeout(done, 20));
        }
        response.end(bytes.subarray(20_000));
      } else response.end(bytes);
    });
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    t.after(() => {
      server.close();
      server.closeAllConnections();
    });
    for (const look of looks) {
      const context = await browser.newContext({ ...look.options, reducedMotion: 'reduce' });
      const page = await context.newPage();
      page.setDefaultTimeout(300_000);
      await measure(page);
      await page.goto(`http://127.0.0.1:${server.address().port}/${file}`);
      await page.waitForFunction(() => !('starts' in document.documentElement.dataset) || 'started' in document.documentElement.dataset);
      assert.deepEqual((await measured(page)).shifts, [], look.name);
      await context.close();
    }
  });
}
