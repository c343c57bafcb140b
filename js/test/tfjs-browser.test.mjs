// normwasm/tfjs in Chromium, with TensorFlow.js as a script tag gives it, on each of its backends that a page has.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { serve } from './server.mjs';
import { again } from './again.mjs';

const flags = ['--no-sandbox', '--headless', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const scripts = ['tfjs/dist/tf.min.js', 'tfjs-backend-wasm/dist/tf-backend-wasm.min.js'].map((path) => `<script src="/node_modules/@tensorflow/${path}"></script>`).join('');
let browser;
let server;
let page;

before(async () => {
  server = await serve();
  browser = await again(() => chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: flags, timeout: 300_000 }));
  page = await browser.newPage();
  page.setDefaultTimeout(300_000);
  await page.route('**/page.html', (route) => route.fulfill({ contentType: 'text/html', body: `<!doctype html>${scripts}` }));
  await page.goto(`${server.url}/page.html`);
  await page.evaluate(async () => {
    const { init } = await import('/src/index.js');
    const { useNormwasm } = await import('/src/tfjs.js');
    globalThis.tf.wasm.setWasmPaths('/node_modules/@tensorflow/tfjs-backend-wasm/dist/');
    await init();
    Object.assign(globalThis, useNormwasm(globalThis.tf));
  });
});
after(async () => {
  await browser?.close();
  server?.close();
});

for (const backend of ['wasm', 'cpu', 'webgl']) {
  test(`layers and gradients on the ${backend} backend`, async (t) => {
    const got = await page.evaluate(async (name) => {
      const { tf, layers, ops } = globalThis;
      if (!(await tf.setBackend(name))) return undefined;
      await tf.ready();
      const { floats } = await import('/test/data.mjs');
      const x = tf.tensor(floats(4 * 6 * 8, 1, 2, 1), [4, 6, 8]);
      const worst = (a, b) => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0];
      const composed = (t) => {
        const { mean, variance } = tf.moments(t, -1, true);
        return tf.div(tf.sub(t, mean), tf.sqrt(tf.add(variance, 1e-3)));
      };
      const layer = layers.layerNormalization();
      const theirs = tf.layers.layerNormalization();
      const group = layers.groupNormalization({ groups: 2, axis: 1 });
      for (const l of [layer, theirs, group]) l.apply(x).dispose();
      const tensors = tf.memory().numTensors;
      const differences = tf.tidy(() => {
        const dy = tf.tensor(floats(x.size, 2), x.shape);
        return {
          forward: worst(layer.apply(x), theirs.apply(x)),
          gradient: worst(tf.grad((t) => layer.apply(t))(x, dy), tf.grad(composed)(x, dy)),
          // Computed before and after: of results on a GPU too.
          chained: worst(tf.relu(layer.apply(tf.mul(x, 2))), tf.relu(theirs.apply(tf.add(x, x)))),
          ofGroup: Math.abs(tf.mean(group.apply(x)).dataSync()[0]),
          rms: worst(tf.mean(tf.square(ops.rmsNorm(x)), -1), tf.ones([4, 6])),
        };
      });
      const left = tf.memory().numTensors - tensors;
      const was = { backend: tf.getBackend(), left, size: ops.layerNorm(x).shape };
      return { ...differences, ...was };
    }, backend);
    // A machine without any GPU has no WebGL where Chromium lacks its software renderer.
    if (got === undefined && backend === 'webgl') return t.skip('Chromium has no WebGL here');
    assert.equal(got.backend, backend);
    assert.equal(got.left, 0);
    const { forward, gradient, chained, ofGroup, rms } = got;
    for (const [what, difference] of Object.entries({ forward, chained, ofGroup })) assert.ok(difference <= 1e-5, `${what}: ${difference}`);
    for (const [what, difference] of Object.entries({ gradient, rms })) assert.ok(difference <= 1e-4, `${what}: ${difference}`);
  });
}
