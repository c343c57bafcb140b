// What the tests of the lab's tools share: the built site, a browser, and a page of which nothing goes wrong unseen.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { promisify } from 'node:util';
import { serve } from '../serve.mjs';
import { launch } from './browser.mjs';

const demo = join(import.meta.dirname, '..');
export const screens = join(demo, 'dist', 'screens');

/**
 * Builds and serves the site for a test file, and opens pages of it.
 * @returns {{ read: (path: string) => Promise<Buffer>, visit: (t: import('node:test').TestContext, file: string, options?: { options?: object, before?: (page: any) => Promise<void>, quiet?: boolean, wait?: boolean }) => Promise<import('playwright-core').Page> }}
 */
export function lab() {
  let browser, root, site;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'demo-lab-')); // of its own: other tests read dist at the same time
    await promisify(execFile)(process.execPath, [join(demo, 'build.mjs'), '--quick', '--out', root]);
    await mkdir(screens, { recursive: true });
    site = await serve({ root });
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    site?.close();
    if (root) await rm(root, { recursive: true });
  });
  return {
    /** A file of the site. */
    read: (path) => readFile(join(root, path)),
    async visit(t, file, { options = {}, before: prepare = async () => {}, quiet = true, wait = true } = {}) {
      const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
      const page = await context.newPage();
      page.setDefaultTimeout(60_000);
      const trouble = [];
      page.on('console', (m) => ['error', 'warning'].includes(m.type()) && trouble.push(`console: ${m.text()}`));
      page.on('pageerror', (e) => trouble.push(`page: ${e.message}`));
      context.on('request', (r) => [site.url, 'blob:'].some((a) => r.url().startsWith(a)) || trouble.push(`request: ${r.url()}`));
      t.after(async () => {
        await context.close();
        if (quiet) assert.deepEqual(trouble, []);
      });
      await prepare(page);
      await page.goto(`${site.url}${file}`);
      if (wait) await page.waitForFunction(() => document.documentElement.dataset.started, null, { timeout: 90_000 });
      return page;
    },
  };
}

/** The looks that a page is looked at in. */
export const looks = [
  { name: '390-light', options: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, colorScheme: 'light', reducedMotion: 'reduce' } },
  { name: '390-dark', options: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, colorScheme: 'dark', reducedMotion: 'reduce' } },
  { name: '1440-light', options: { colorScheme: 'light' } },
  { name: '1440-dark', options: { colorScheme: 'dark' } },
];
