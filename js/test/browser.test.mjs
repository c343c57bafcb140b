// The package in browsers (NORMWASM_BROWSERS names them, Chromium alone by default), under a policy
// without eval: main thread and worker × right and wrong content type × URL and compiled module, all
// variants, faults.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { distance, floats } from './data.mjs';
import { Tensor, Trainer } from '../src/index.js';
import { chosen, open } from './drivers.mjs';
import { assets, serve } from './server.mjs';

let server;
before(async () => {
  server = await serve();
});
after(() => server?.close());

const inPage = async ([name, argument]) => (await import('/test/suite.mjs'))[name](argument);
const inWorker = (call) => new Promise((resolve, reject) => {
  const worker = new Worker('/test/worker.mjs', { type: 'module' });
  worker.onmessage = ({ data }) => {
    worker.terminate();
    if (data.error) reject(new Error(data.error));
    else resolve(data.value);
  };
  worker.onerror = (event) => reject(new Error(event.message));
  worker.postMessage(call);
  setTimeout(() => {
    worker.terminate();
    reject(new Error('the worker has not answered'));
  }, 240_000);
});
const places = { 'main thread': inPage, worker: inWorker };

/** The results of the scalar variant in the first browser, which all others are compared with. */
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

for (const name of chosen()) {
  describe(name, () => {
    /** @type {import('./drivers.mjs').Browser} */
    let browser;
    /** The variants that this engine takes, the fastest first. @type {string[]} */
    let variants;
    before(async () => {
      browser = await open(name);
      await browser.goto(server.url);
      variants = await browser.evaluate(async () => {
        const files = await Promise.all(['relaxed', 'simd', 'scalar'].map(async (variant) => [variant, await (await fetch(`/dist/normwasm.${variant}.wasm`)).arrayBuffer()]));
        return files.filter(([, file]) => WebAssembly.validate(file)).map(([variant]) => variant);
      });
    });
    after(() => browser?.close());

    test('the engine has SIMD', () => {
      assert.deepEqual(variants.slice(-2), ['simd', 'scalar']);
      if (name === 'chromium') assert.equal(variants[0], 'relaxed');
    });

    test('a signal stops a loop, in the page and in a worker', async () => {
      const stopped = { code: 'ABORTED', turned: true, y: -2 };
      assert.deepEqual(await browser.evaluate(inPage, ['stop']), [stopped, stopped]);
    });

    for (const path of ['', '/isolated.html']) {
      test(`several workers${path && ', in a page that shares memory with them'}: one fetch for all, and one that fails leaves the others be`, async () => {
        await browser.goto(server.url + path);
        server.requests.length = 0;
        const { results, isolated } = await browser.evaluate(inPage, ['workers']);
        assert.equal(isolated, path !== '');
        const threw = results.splice(3, 1)[0];
        const crashed = results.splice(5, 1)[0];
        for (const [text, message] of [[threw, /: the worker of this run failed: .*thrown on purpose; [12] of the session's go on$/], [crashed, /: the worker of this run failed: the runtime crashed: unreachable.*; [12] of the session's go on$/]]) {
          assert.match(text, /^NormError WORKER_FAILED InferenceSession/);
          assert.match(text, message);
        }
        assert.deepEqual(results.splice(0, 8), [1, 2, 3, 4, 5, 6, 7, 8].map((n) => `${n},0,3`));
        for (const text of results) assert.match(text, /^DisposedError DISPOSED InferenceSession: its worker failed: .*thrown on purpose/);
        assert.deepEqual(server.requests.filter((request) => /\.onnx$|dist\/normwasm\.\w+\.wasm$/.test(request)).sort(), [`/dist/normwasm.${variants[0]}.wasm`, '/two-outputs.onnx']);
        await browser.goto(server.url);
      });
    }

    for (const [place, f] of Object.entries(places)) {
      describe(place, () => {
        // Firefox 140, driven, has let a worker that starts workers wait for ever, once in hundreds of times: one such wait is told, a second one fails.
        let waited = false;
        const call = (...call) => browser.evaluate(f, call).catch((error) => {
          if (waited || name !== 'firefox' || !/the worker has not answered/.test(error.message)) throw error;
          waited = true;
          console.warn(`${browser.title} ${browser.version}: ${error.message}; again`);
          return browser.evaluate(f, call);
        });
        for (const variant of ['scalar', 'simd', 'relaxed']) {
          test(`variant ${variant}`, async () => {
            if (!variants.includes(variant)) {
              const { name, message } = await call('refused', { variant });
              assert.equal(name, 'UnsupportedError');
              return assert.match(message, new RegExp(`'${variant}' needs WebAssembly relaxed SIMD, which this engine does not have`));
            }
            const got = await call('run', { variant });
            reference ??= got;
            assert.equal(got.variant, variant);
            assert.deepEqual(got.phases, ['download', 'compile', 'start']);
            same(got);
            if (variant === 'relaxed') assert.notDeepEqual(got.layer, reference.layer, 'its multiply-adds are fused');
          });
        }
        test('the default', async () => {
          const got = await call('run', {});
          assert.equal(got.variant, variants[0]);
          same(got);
        });
        test('trains, with the bits of Node', async () => {
          const { networks, plainBatch } = await import('./networks.mjs');
          for (const variant of variants) {
            const { results: [here, there], modules } = await call('train', { variant });
            assert.deepEqual(there, here, 'in a worker');
            assert.equal(here.variant, variant);
            if (place === 'worker') assert.deepEqual(new Set(modules), new Set([`normwasm.train.${variant}.wasm`]), 'only the edition that trains is fetched');
            const trainer = await Trainer.create({ ...networks.image, loss: 'crossEntropy', seed: 3, optimizer: { type: 'adamw', learningRate: 0.01 }, variant: 'simd' });
            const losses = [];
            for (let i = 0; i < 4; i++) {
              const { x, y } = plainBatch(networks.image, 5, i);
              losses.push((await trainer.step({ x: new Tensor(x.type, x.data, x.dims), y: new Tensor(y.type, y.data, y.dims) })).loss);
            }
            if (variant === 'relaxed') assert.ok(distance(here.losses, losses) < 1e-3);
            else assert.deepEqual(here, { variant, losses, file: [...await trainer.save()] });
            trainer.dispose();
          }
        });
        for (const [type, path] of Object.entries({ 'right type': '', 'application/octet-stream': 'octets/', 'text/html': 'text/', 'no type': 'untyped/' })) {
          for (const asModule of [false, true]) {
            test(`${asModule ? 'a module' : 'a URL'}, ${type}`, async () => {
              for (const variant of variants.filter((v) => v !== 'scalar')) {
                const got = await call('run', { source: `/${path}dist/normwasm.${variant}.wasm`, asModule });
                assert.equal(got.variant, variant, 'told from the module itself');
                same(got);
              }
            });
          }
        }

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

    test('products of bytes are exact in every variant, whatever the dots of relaxed SIMD are', async () => {
      for (const variant of variants) assert.deepEqual(await browser.evaluate(inPage, ['multiply', { variant }]), { variant, count: 120, wrong: [] });
    });

    for (const [file, shape] of [['ch_ppocr_mobile_v2.0_cls_infer.onnx', [1, 3, 48, 192]], ['ch_PP-OCRv4_rec_infer.onnx', [1, 3, 48, 160]]]) {
      test(`${file} in the default variant, against onnxruntime-web`, { skip: !existsSync(assets) && `${assets} is absent: run npm ci in demo` }, async () => {
        const ort = await import('onnxruntime-web');
        ort.env.wasm.numThreads = 1;
        const reference = await ort.InferenceSession.create(readFileSync(join(assets, file)), { executionProviders: ['wasm'] });
        const x = new ort.Tensor('float32', floats(shape.reduce((a, b) => a * b), 7, 1), shape);
        const want = (await reference.run({ [reference.inputNames[0]]: x }))[reference.outputNames[0]].data;
        const got = await browser.evaluate(inPage, ['infer', { model: `/assets/${file}`, shape, seed: 7 }]);
        assert.equal(got.length, want.length);
        let worst = 0;
        for (let i = 0; i < want.length; i++) worst = Math.max(worst, Math.abs(got[i] - want[i]));
        assert.ok(worst <= 1e-4, `off by ${worst}`);
      });
    }

    test('a plain script page', async () => {
      await browser.goto(`${server.url}/script.html`);
      const y = await browser.evaluate(async (variant) => {
        const go = new globalThis.Go();
        let api;
        globalThis.normwasm = (object) => {
          api = object;
        };
        const { instance } = await WebAssembly.instantiateStreaming(fetch(`/dist/normwasm.${variant}.wasm`), go.importObject);
        const ended = go.run(instance);
        const result = [...api.layerNorm(Float32Array.of(1, 2, 3, 4), { epsilon: 0 }), api.version, 'normwasm' in globalThis];
        api.exit();
        await ended;
        return result;
      }, variants[0]);
      assert.ok(distance(y.slice(0, 4), [-1.3416408, -0.4472136, 0.4472136, 1.3416408]) < 1e-6);
      assert.deepEqual(y.slice(4), ['0.1.0', false]);
    });

    test('nothing was requested but the package’s own files, and nothing was complained about', () => {
      // The faults make Chromium itself complain about a status and about cut connections, Firefox about cut streams.
      assert.deepEqual(browser.complaints.filter((text) => !/^error: Failed to load resource|^Error: Failed to read data from the ReadableStream: .(Error: the module ends within a section|TypeError: Error in input stream)/.test(text)), []);
    });

    test('a policy that forbids WebAssembly is told from a damaged file', async () => {
      await browser.goto(`${server.url}/strict.html`);
      const before = server.requests.length;
      const errors = await browser.evaluate(async () => {
        const { InferenceSession, init } = await import('/test/package.mjs');
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
      assert.ok(server.requests.slice(before).filter((path) => path === `/dist/normwasm.${variants[0]}.wasm`).length <= 2, 'not fetched a second time to see what is wrong');
    });
  });
}
