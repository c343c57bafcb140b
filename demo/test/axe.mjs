// Accessibility by axe-core, and what a visitor sees move or wait for, measured by the browser itself.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';

const source = await readFile(new URL('../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');

/**
 * Asserts that axe-core finds nothing wrong with a page as it stands, in light and in dark colours.
 * @param {import('playwright-core').Page} page @param {string} name said with what is found
 * @param {{ schemes?: ('light' | 'dark')[] }} [options]
 */
export async function assertAccessible(page, name, { schemes = ['light', 'dark'] } = {}) {
  // Evaluated, not added as a script: the page's policy lets none in.
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(source);
  for (const colorScheme of schemes) {
    await page.emulateMedia({ colorScheme });
    // Colours that are on their way to others have no contrast yet.
    await page.evaluate(() => Promise.all(document.getAnimations().map((a) => a.finished.catch(() => {}))));
    const found = await page.evaluate(async () => {
      const { violations } = await globalThis.axe.run(document, { resultTypes: ['violations'] });
      return violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${v.help}: ${n.target.join(' ')}: ${(n.any[0] ?? n.all[0] ?? n.none[0])?.message ?? ''}`));
    });
    assert.deepEqual(found, [], `${name}, ${colorScheme}`);
  }
}

/** Call before the page is opened: from then on the browser's measurements are kept. @param {import('playwright-core').Page} page */
export async function measure(page) {
  await page.addInitScript(() => {
    const kept = { shifts: [], paint: undefined };
    Object.assign(globalThis, { measuredByTest: kept });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        kept.shifts.push({ value: entry.value, afterInput: entry.hadRecentInput, what: entry.sources.map((s) => s.node?.id || s.node?.className || s.node?.nodeName || '?') });
      }
    }).observe({ type: 'layout-shift', buffered: true });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if (entry.name === 'first-contentful-paint') kept.paint = entry.startTime;
    }).observe({ type: 'paint', buffered: true });
  });
}

/**
 * What has been measured: every shift that does not follow a press within half a second, which is what counts as
 * cumulative layout shift; and when the first text or picture was painted, in milliseconds.
 * @param {import('playwright-core').Page} page
 * @returns {Promise<{ shifts: { value: number, what: string[] }[], paint: number }>}
 */
export async function measured(page) {
  await page.waitForFunction(() => globalThis.measuredByTest.paint !== undefined);
  return page.evaluate(() => {
    const { shifts, paint } = globalThis.measuredByTest;
    return { shifts: shifts.filter((s) => !s.afterInput).map(({ value, what }) => ({ value, what })), paint };
  });
}
