// Creating a session and running it for the first time, and the memory that this takes.
import { quantile, summary } from './page/measure.js';

/**
 * Each time a page in a browsing context of its own, so that it has a process of its own, code that has not been optimized yet, and
 * memory that nothing has grown before.
 * @param {{ browser: import('playwright-core').Browser, origin: string, name: string, contenders: string[], entry: string | undefined, rounds: number }} o
 */
export async function measureFirst({ browser, origin, name, contenders, entry, rounds }) {
  const seen = Object.fromEntries(contenders.map((c) => [c, []]));
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < contenders.length; i++) {
      const contender = contenders[(round + i) % contenders.length];
      const context = await browser.newContext();
      try {
        const page = await context.newPage();
        await page.goto(`${origin}/page/first.html`);
        await page.waitForFunction(() => globalThis.first);
        seen[contender].push(await page.evaluate((args) => globalThis.first(...args), [name, contender, entry]));
      } finally {
        await context.close();
      }
    }
  }
  return contenders.map((c) => {
    const middle = (key) => quantile(seen[c].map((s) => s[key]), 0.5);
    const samples = seen[c].map((s) => s.createMs + s.runMs);
    return { ...summary({ name: c, coldMs: samples[0], timesPerSample: 1, samples }), createMs: middle('createMs'), runMs: middle('runMs'), memoryBytes: middle('bytes') };
  });
}
