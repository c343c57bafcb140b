#!/usr/bin/env node
// Measures normwasm/tfjs's layers next to TensorFlow.js's own on its wasm backend, in one page of Chromium:
// layer.apply, tensors of TensorFlow.js in and out. `node bench/layers.mjs [rounds]`
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { serve } from './server.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, 'node_modules');
const plan = { rounds: Number(process.argv[2] ?? 40), sampleMs: 25, warmMs: 600, budgetMs: 4000 };
const cases = [
  ['layerNormalization', {}, [64, 768]],
  ['layerNormalization', {}, [2048, 768]],
  ['layerNormalization', {}, [64, 768], 'with its gradient'],
  ['batchNormalization', {}, [8, 32, 32, 32]],
];

const server = await serve({ '/page/': join(here, 'page'), '/tfjs/': join(modules, '@tensorflow/tfjs/dist'), '/tfjs-wasm/': join(modules, '@tensorflow/tfjs-backend-wasm/dist'), '/normwasm/': join(here, '../js') });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'] });
try {
  const page = await browser.newPage();
  page.on('pageerror', (e) => console.error(`page: ${e.message}`));
  await page.goto(`${server.origin}/page/layers.html`);
  await page.waitForFunction(() => globalThis.bench);
  console.log(JSON.stringify(await page.evaluate(() => globalThis.bench.start('/normwasm/'))), browser.version());
  for (const [name, args, dims, train] of cases) {
    const { difference, results: [theirs, ours, spelled] } = await page.evaluate((a) => globalThis.bench.compare(...a), [name, args, dims, plan, train]);
    const us = (ms) => `${(ms * 1000).toFixed(1)} µs`;
    const composed = spelled ? `; spelled out in its operations, without parameters, ${us(spelled.medianMs)}: ${(spelled.medianMs / ours.medianMs).toFixed(1)}×` : '';
    console.log(`${name} ${dims.join('×')}${train ? ` ${train}` : ''}: tf.layers ${us(theirs.medianMs)}, normwasm ${us(ours.medianMs)}: ${(theirs.medianMs / ours.medianMs).toFixed(1)}× (least of each ${(theirs.minMs / ours.minMs).toFixed(1)}×), differing by ${difference.toExponential(1)}${composed}`);
  }
} finally {
  await browser.close();
  await server.close();
}
