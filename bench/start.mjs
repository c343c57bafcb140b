// From navigation to the first result of a model: what a visitor waits who comes for the first time.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { again } from '../js/test/again.mjs';
import { summary } from './page/measure.js';

/**
 * Each start is a browser of its own with an empty profile, so that nothing is cached: no file, no compiled code. The page
 * imports the library, opens a session of the model's URL and runs it once; it takes the time itself, from the beginning of
 * its navigation. Contenders take turns, so that what else the machine does comes to all of them.
 * @param {{ origin: string, contenders: string[], rounds: number, launch: object }} o
 */
export async function measureStart({ origin, contenders, rounds, launch }) {
  const starts = Object.fromEntries(contenders.map((name) => [name, []]));
  let want;
  // Round −1 does not count: in it the server compresses, and this computer reads the files from its disk.
  for (let round = -1; round < rounds; round++) {
    for (let i = 0; i < contenders.length; i++) {
      const name = contenders[(round + 1 + i) % contenders.length];
      const { ms, output } = await freshStart(`${origin}/page/start/${name}.html`, launch);
      if (round >= 0) starts[name].push(ms);
      want ??= output;
      if (output.length !== want.length || output.some((v, k) => !(Math.abs(v - want[k]) < 1e-4))) throw new Error(`start: ${name} gives ${output}, not ${want}`);
    }
  }
  const results = contenders.map((name) => summary({ name, coldMs: starts[name][0], timesPerSample: 1, samples: starts[name] }));
  const own = results.find((r) => r.name === 'normwasm');
  return results.map((r) => (own && r !== own ? { ...r, normwasmIsTimesAsFast: r.medianMs / own.medianMs } : r));
}

async function freshStart(url, launch) {
  const profile = await mkdtemp(join(tmpdir(), 'normwasm-start-'));
  let context;
  try {
    context = await again(() => chromium.launchPersistentContext(profile, launch));
    const page = await context.newPage();
    const failed = new Promise((_, reject) => page.on('pageerror', reject));
    failed.catch(() => {}); // an error while the page still loads, too, is thrown below
    await page.goto(url);
    const started = page.waitForFunction(() => globalThis.started, undefined, { timeout: 120_000 });
    return await (await Promise.race([started, failed])).jsonValue();
  } finally {
    await context?.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
