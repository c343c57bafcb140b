// What the tests of the lab's tools share: the built site, a browser, and a page of which nothing goes wrong unseen.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { promisify } from 'node:util';
import { serve } from '../serve.mjs';
import { launch } from './browser.mjs';

const demo = join(import.meta.dirname, '..');
export const screens = join(demo, 'dist', 'screens');

/** When the newest of these was changed; of a folder, of all that is in it. @param {string[]} paths */
async function newest(...paths) {
  const times = await Promise.all(paths.map(async (path) => {
    const s = await stat(path);
    return s.isDirectory() ? Math.max(s.mtimeMs, await newest(...(await readdir(path)).map((name) => join(path, name)))) : s.mtimeMs;
  }));
  return Math.max(0, ...times);
}

/** The folder of the site as `make` has built it for the tests, if nothing that it is made of has changed since. */
async function ready() {
  const js = join(demo, '..', 'js');
  const built = await stat(join(demo, 'dist', '.built')).then((s) => s.mtimeMs, () => 0);
  if (!built) return undefined;
  const parts = (await readdir(demo)).filter((name) => name.endsWith('.mjs')).map((name) => join(demo, name));
  const declared = (await readdir(js)).filter((name) => name.endsWith('.d.ts')).map((name) => join(js, name));
  return built > await newest(join(demo, 'src'), join(js, 'dist'), join(demo, 'package-lock.json'), ...parts, ...declared) ? join(demo, 'dist') : undefined;
}

/**
 * Serves the site for a test file, built where that is needed.
 * @param {{ isolated?: boolean }} [options] of serve.mjs
 * @returns {Promise<{ url: string, root: string, close(): Promise<void> }>}
 */
export async function serveSite(options) {
  let root = await ready();
  /** @type {string | undefined} */
  let own;
  if (!root) {
    root = own = await mkdtemp(join(tmpdir(), 'demo-lab-'));
    await promisify(execFile)(process.execPath, [join(demo, 'build.mjs'), '--quick', '--out', root]);
  }
  const { url, close } = await serve({ root, ...options });
  return {
    url,
    root,
    async close() {
      close();
      if (own) await rm(own, { recursive: true });
    },
  };
}

/**
 * The site for a test file, and pages of it.
 * @param {{ isolated?: boolean }} [served] of serve.mjs
 * @returns {{ read: (path: string) => Promise<Buffer>, visit: (t: import('node:test').TestContext, file: string, options?: { options?: object, before?: (page: any) => Promise<void>, quiet?: boolean, wait?: boolean }) => Promise<import('playwright-core').Page> }}
 */
export function lab(served) {
  let browser, site;
  before(async () => {
    site = await serveSite(served);
    await mkdir(screens, { recursive: true });
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await site?.close();
  });
  return {
    /** A file of the site. */
    read: (path) => readFile(join(site.root, path)),
    async visit(t, file, { options = {}, before: prepare = async () => {}, quiet = true, wait = true } = {}) {
      const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
      const page = await context.newPage();
      page.setDefaultTimeout(300_000);
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
      if (wait) await page.waitForFunction(() => 'started' in document.documentElement.dataset);
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
