// The package in Chromium, under a policy without eval: main thread and worker ×
// right and wrong content type × URL and compiled module, all variants, faults.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { chromium } from 'playwright-core';
import { distance, floats } from './data.mjs';
import { assets, serve } from './server.mjs';

const flags = ['--no-sandbox', '--headless', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
let browser;
let server;
let page;
/** Console messages and failures of the page; there must be none. @type {string[]} */
const complaints = [];

before(async () => {
  server = await serve();
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: flags, timeout: 60_000 });
  page = await browser.newPage();
  page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('crash', () => complaints.push('the page crashed'));
  await page.goto(server.url);
});
after(async () => {
  await browser?.close();
  server?.close();
});

const places = {
  'main thread': (name, argument) => page.evaluate(async ([f, a]) => (await import('/test/suite.mjs'))[f](a), [name, argument]),
  worker: (name, argument) => page.evaluate(([f, a]) => new Promise((resolve, reject) => {
    const worker = new Worker('/test/worker.mjs', { type: 'module' });
    worker.onmessage = ({ data }) => {
      worker.terminate();
      if (data.error) reject(new Error(data.error));
      else resolve(data.value);
    };
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage([f, a]);
  }), [name, argument]),
};

/** The results of the scalar variant, which all others are compared with. */
let reference;

function same(got) {
  assert.equal(got.failure, 'ShapeError INVALID_SHAPE norm: LayerNorm: x has 49152 elements, want 9 (x [3 3])');
  assert.deepEqual({ ...got.memory, scratch: 0 }, { total: true, inUse: 0, tensors: 0, sessions: 0, scratch: 0 });
  assert.deepEqual(got.globals, []);
  assert.ok(got.elsewhere, 'a session in a worker gives the same');
  for (const key of ['layer', 'batch', 'family', 'training', 'y', 'z']) {
    if (got.variant === 'relaxed') assert.ok(distance(got[key], reference[key]) < 3e-6, `${key}: off by ${distance(got[key], reference[key])}`);
    else assert.deepEqual(got[key], reference[key], key);
  }
}

for (const [place, call] of Object.entries(places)) {
  describe(place, () => {
    for (const variant of ['scalar', 'simd', 'relaxed']) {
      test(`variant ${variant}`, async () => {
        const got = await call('run', { variant });
        reference ??= got;
        assert.equal(got.variant, variant);
        assert.deepEqual(got.phases, ['download', 'compile', 'start']);
        same(got);
      });
    }
    test('the default', async () => {
      const got = await call('run', {});
      assert.equal(got.variant, 'relaxed');
      same(got);
    });
    for (const [type, path] of Object.entries({ 'right type': '', 'application/octet-stream': 'octets/', 'text/html': 'text/', 'no type': 'untyped/' })) {
      for (const asModule of [false, true]) {
        test(`${asModule ? 'a module' : 'a URL'}, ${type}`, async () => {
          for (const variant of ['simd', 'relaxed']) {
            const got = await call('run', { source: `/${path}dist/normwasm.${variant}.wasm`, asModule });
            assert.equal(got.variant, variant, 'told from the module itself');
            same(got);
          }
        });
      }
    }
    test('the fused variant really differs', async () => {
      const got = await call('run', { variant: 'relaxed' });
      assert.notDeepEqual(got.layer, reference.layer);
    });

    const faults = {
      page: /is an HTML page/, pageAsWasm: /is an HTML page/, missing: /answered 404/, empty: /is empty/, garbage: /begins with 2a/,
      half: /damaged or incomplete/, interrupted: /was interrupted/, interruptedOctets: /was interrupted/,
    };
    for (const [fault, message] of Object.entries(faults)) {
      test(`${fault}: the error says so, and a later init works`, async () => {
        const got = await call('fail', `/${fault}/dist/normwasm.simd.wasm`);
        assert.equal(got.name, 'LoadError', got.message);
        assert.match(got.message, message);
        assert.ok(got.message.includes(`${server.url}/${fault}/dist/normwasm.simd.wasm`), got.message);
        assert.ok(got.ok);
      });
    }
  });
}

for (const [name, shape] of [['ch_ppocr_mobile_v2.0_cls_infer.onnx', [1, 3, 48, 192]], ['ch_PP-OCRv4_rec_infer.onnx', [1, 3, 48, 160]]]) {
  test(`${name} with fused multiply-adds, against onnxruntime-web`, { skip: !existsSync(assets) && `${assets} is absent: run npm ci in demo` }, async () => {
    const ort = await import('onnxruntime-web');
    ort.env.wasm.numThreads = 1;
    const reference = await ort.InferenceSession.create(readFileSync(join(assets, name)), { executionProviders: ['wasm'] });
    const x = new ort.Tensor('float32', floats(shape.reduce((a, b) => a * b), 7, 1), shape);
    const want = (await reference.run({ [reference.inputNames[0]]: x }))[reference.outputNames[0]].data;
    const got = await places['main thread']('infer', { model: `/assets/${name}`, shape, seed: 7 });
    assert.equal(got.length, want.length);
    let worst = 0;
    for (let i = 0; i < want.length; i++) worst = Math.max(worst, Math.abs(got[i] - want[i]));
    assert.ok(worst <= 1e-4, `off by ${worst}`);
  });
}

test('a policy that forbids WebAssembly is told from a damaged file', async () => {
  const strict = await browser.newPage();
  await strict.goto(`${server.url}/strict.html`);
  const before = server.requests.length;
  const errors = await strict.evaluate(async () => {
    const { InferenceSession, init } = await import('/src/index.js');
    const say = (/** @type {any} */ e) => [e.name, e.code, e.message];
    return [
      await init().catch(say), // one after another: at the same time they would share a start
      await init({ wasmURL: '/octets/dist/normwasm.simd.wasm', onProgress() {} }).catch(say),
      await InferenceSession.create('/package.json', { worker: true }).catch(say),
    ];
  });
  for (const [name, code, message] of errors.slice(0, 2)) {
    assert.deepEqual([name, code], ['LoadError', 'BLOCKED_BY_POLICY'], message);
    assert.match(message, /Content-Security-Policy forbids WebAssembly; add 'wasm-unsafe-eval' to its script-src/);
  }
  assert.match(errors[2][1], /BLOCKED_BY_POLICY|INVALID_MODEL/, errors[2][2]); // whichever comes first: neither blames the other
  assert.ok(server.requests.slice(before).filter((path) => path === '/dist/normwasm.relaxed.wasm').length <= 2, 'not fetched a second time to see what is wrong');
  await strict.close();
});

test('a plain script page', async () => {
  const plain = await browser.newPage();
  await plain.goto(`${server.url}/script.html`);
  const y = await plain.evaluate(async () => {
    const go = new globalThis.Go();
    let api;
    globalThis.normwasm = (object) => {
      api = object;
    };
    const { instance } = await WebAssembly.instantiateStreaming(fetch('/dist/normwasm.relaxed.wasm'), go.importObject);
    const ended = go.run(instance);
    const result = [...api.layerNorm(Float32Array.of(1, 2, 3, 4), { epsilon: 0 }), api.version, 'normwasm' in globalThis];
    api.exit();
    await ended;
    return result;
  });
  await plain.close();
  assert.ok(distance(y.slice(0, 4), [-1.3416408, -0.4472136, 0.4472136, 1.3416408]) < 1e-6);
  assert.deepEqual(y.slice(4), ['0.1.0', false]);
});

test('nothing was requested but the package’s own files, and nothing was complained about', () => {
  // The faults make Chromium itself complain about a status and about cut connections.
  assert.deepEqual(complaints.filter((text) => !/^error: Failed to load resource/.test(text)), []);
});
