#!/usr/bin/env node
// What int8 gains: an encoder as BERT has them (6 layers of width 384, 128 tokens) with products in float32, and quantized
// dynamically with weights of int8 and of uint8, in this package and in onnxruntime-web, in turn, one thread each, in one page
// of Chromium. Times are of the page's processor, a run: medians of samples of some runs each.
//   node bench/int8.mjs [ROUNDS [VARIANT]]
// It needs the built package (make build), bench/node_modules and Chromium.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { quantile } from './page/measure.js';
import { serve } from './server.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const [rounds, wanted] = [Number(process.argv[2] ?? 9), process.argv[3] ?? 'auto'];
const times = 10; // runs a sample: the processor's time is told in hundredths of a second
const kinds = ['float32', 'int8', 'uint8'];

const server = await serve({ '/page/': join(here, 'page'), '/ort/': join(here, 'node_modules/onnxruntime-web/dist'), '/normwasm/': join(here, '../js/dist') });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'] });
try {
  const page = await browser.newPage();
  page.on('pageerror', (e) => console.error(`page: ${e.message}`));
  await page.goto(`${server.origin}/page/int8.html`);
  await page.waitForFunction(() => globalThis.bench);
  const variant = await page.evaluate(([v, k]) => globalThis.bench.start(v, k), [wanted, kinds]);
  const control = await browser.newBrowserCDPSession();
  /** Seconds that the processor has spent on pages. */
  const spent = async () => (await control.send('SystemInfo.getProcessInfo')).processInfo.reduce((sum, p) => sum + (p.type === 'renderer' ? p.cpuTime : 0), 0);
  const names = kinds.flatMap((weights) => [`normwasm (${variant}) ${weights}`, `onnxruntime-web ${weights}`]);
  const samples = names.map(() => []);
  for (let round = -1; round < rounds; round++) {
    for (const i of names.keys()) {
      const before = await spent();
      await page.evaluate(([c, n]) => globalThis.bench.run(c, n), [i, times]);
      if (round >= 0) samples[i].push((await spent() - before) * 1000 / times);
    }
  }
  console.log(`Chromium ${browser.version()}`);
  const median = samples.map((list) => quantile(list, 0.5));
  for (const [i, name] of names.entries()) console.log(`${name.padEnd(30)} ${median[i].toFixed(1).padStart(7)} ms`);
  for (const [i, weights] of kinds.entries()) {
    const differ = await page.evaluate(([a, b]) => globalThis.bench.apart(a, b), [2 * i, 2 * i + 1]);
    console.log(`${weights}: ${(median[2 * i] / median[0]).toFixed(2)} times the time of our float32; onnxruntime-web's ${weights} takes ${(median[2 * i + 1] / median[2 * i]).toFixed(2)} times as long; the results differ by ${differ.toExponential(1)}`);
  }
} finally {
  await browser.close();
  await server.close();
}
