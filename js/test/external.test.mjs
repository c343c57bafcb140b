// Models whose weights are in files beside them, in Node: where the files come from, and what is said of those that are missing.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { InferenceSession, Tensor, init } from 'normwasm';
import { floats, model } from './data.mjs';

const [rows, cols] = [300, 400];
const w = floats(rows * cols, 1);
const b = floats(cols, 2);

/** y = x·w + b, with the weights in a file: w at 64, b after it. */
const network = (w0 = { location: 'model.onnx.data', offset: 64, length: 4 * w.length }, b0 = { location: './model.onnx.data', offset: 64 + 4 * w.length, length: 4 * b.length }) => model({
  nodes: [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['p'] }, { op: 'Add', inputs: ['p', 'b'], outputs: ['y'] }],
  inputs: [['x', 1, ['n', rows]]], outputs: [['y', 1]],
  constants: [['w', [rows, cols], w0], ['b', [cols], b0]],
});
const data = new Uint8Array(64 + 4 * (w.length + b.length));
data.set(new Uint8Array(w.buffer), 64);
data.set(new Uint8Array(b.buffer), 64 + 4 * w.length);

const file = network();
const whole = network(w, b);
const x = new Tensor('float32', floats(2 * rows, 3), [2, rows]);
let runtime;
let folder;
let want;
before(async () => {
  runtime = await init();
  folder = mkdtempSync(join(tmpdir(), 'external-'));
  mkdirSync(join(folder, 'a folder'));
  writeFileSync(join(folder, 'a folder/model.onnx'), file);
  writeFileSync(join(folder, 'a folder/model.onnx.data'), data);
  const session = await InferenceSession.create(whole);
  want = (await session.run({ x })).y.data;
  await session.release();
});
after(() => {
  rmSync(folder, { recursive: true });
  runtime.dispose();
});

async function check(source, options) {
  const session = await InferenceSession.create(source, options);
  assert.deepEqual((await session.run({ x })).y.data, want);
  await session.release();
}
const given = [{ path: 'model.onnx.data', data }];

test('files are read beside the model, or are given, here and in workers', async () => {
  const url = pathToFileURL(join(folder, 'a folder/model.onnx'));
  for (const worker of [undefined, 2]) {
    await check(url, { worker });
    await check(join(folder, 'a folder/model.onnx'), { worker });
    await check(file, { externalData: given, worker });
    await check(file, { externalData: [{ path: './model.onnx.data', data: new Blob([data]) }], worker });
    await check(file, { externalData: [{ path: 'model.onnx.data', data: new URL('model.onnx.data', url) }, { path: 'unused', data: new Uint8Array(1) }], worker });
    await check(url, { externalData: ['model.onnx.data'], worker });
    await check(new Blob([file]), { externalData: [join(folder, 'a folder/model.onnx.data')], worker });
  }
  assert.equal(runtime.memory().sessions, 0);
});

test('files are fetched beside the model’s URL; the phase model counts them', async () => {
  const asked = [];
  const server = createServer(({ url }, response) => {
    asked.push(url);
    const body = { '/m/model.onnx?v=1': file, '/m/model.onnx.data': data, '/m/w%23%25.bin': data, '/n/model.onnx': network({ location: 'w#%.bin', offset: 64 }, { location: 'sub/none', offset: 0 }),
      '/page/model.onnx': file, '/page/model.onnx.data': Buffer.from('<!doctype html><title>Start page</title>') }[url];
    if (!body) return void response.writeHead(404).end();
    response.writeHead(200, { 'content-length': body.length, 'content-type': url.startsWith('/page') ? 'text/html' : 'application/octet-stream' }).end(body);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const base = `http://127.0.0.1:${server.address().port}`;
  try {
    const told = [];
    await check(`${base}/m/model.onnx?v=1`, { onProgress: (p) => p.phase === 'model' && told.push(p) });
    assert.deepEqual(asked, ['/m/model.onnx?v=1', '/m/model.onnx.data']);
    assert.deepEqual(told.at(-1), { phase: 'model', loaded: file.length + data.length, total: file.length + data.length });
    told.reduce((before, { loaded }) => (assert.ok(loaded >= before), loaded), 0);
    await check(await fetch(`${base}/m/model.onnx?v=1`));
    await assert.rejects(InferenceSession.create(`${base}/n/model.onnx`), { name: 'LoadError', code: 'HTTP_STATUS', message: /tensor "w" is in the file "w#%\.bin".*\/n\/w%23%25\.bin answered 404/ });
    await assert.rejects(InferenceSession.create(`${base}/page/model.onnx`, { worker: true }), { name: 'LoadError', message: /tensor "w" is in the file "model\.onnx\.data".*is an HTML page/ });
  } finally {
    server.close();
  }
});

test('the weights stay where the file is, once', async () => {
  const before = runtime.memory().inUse;
  const session = await InferenceSession.create(file, { externalData: given, graphOptimizationLevel: 'none' });
  const external = runtime.memory().inUse - before;
  await session.release();
  assert.equal(runtime.memory().inUse, before);
  const inline = await InferenceSession.create(whole, { graphOptimizationLevel: 'none' });
  const own = runtime.memory().inUse - before;
  await inline.release();
  assert.ok(external < own + 4096, `${external} bytes, as one file ${own}`);
});

test('files that are missing, too short, or elsewhere are refused with what is wanted', async () => {
  const refused = (options, message, source = file) => Promise.all([undefined, true].map((worker) => assert.rejects(InferenceSession.create(source, { ...options, worker }), { name: 'LoadError', message })));
  await refused({}, /tensor "w" is in the file "model\.onnx\.data", of which the model needs 481664 bytes, and the model came without a URL: give it with externalData: \[\{ path: "model\.onnx\.data", data \}\]/);
  await refused({ externalData: [{ path: 'model.onnx.data', data: data.subarray(0, 1000) }] }, /tensor "w" is in the file "model\.onnx\.data", of which the model needs 481664 bytes; the file has 1000/);
  await refused({ externalData: [{ path: 'model.onnx.data', data: new Uint8Array(0) }] }, /the file has 0/);
  await refused({ externalData: ['nowhere/model.onnx.data'] }, /tensor "w".*ENOENT/);
  for (const location of ['/etc/passwd', '../secret', 'a/../../b', '..\\secret', 'C:\\secret', 'https://example.com/w', 'file:///etc/passwd', '']) {
    await refused({ externalData: given }, /tensor "w" is in the file .* want one in the model's folder, or below it/, network({ location, offset: 0, length: 4 * w.length }));
  }
  await refused({ externalData: given }, /tensor "w" has "12" bytes in the file "model\.onnx\.data", want 480000/, network({ location: 'model.onnx.data', offset: 0, length: 12 }));
  await refused({ externalData: given }, /at offset "-8"/, network({ location: 'model.onnx.data', offset: -8, length: 4 * w.length }));
  await assert.rejects(InferenceSession.create(file, { externalData: 'model.onnx.data' }), { name: 'NormError', message: /externalData is .*, want an array of paths/ });
  await assert.rejects(InferenceSession.create(file, { externalData: [{ path: 'x' }] }), { name: 'NormError', message: /externalData\[0\], "x", has no data/ });
  assert.equal(runtime.memory().sessions, 0);
  assert.equal(runtime.memory().tensors, 0, 'the slabs of what failed are free');
});

test('tensors may overlap in a file, and lie anywhere in it', async () => {
  const odd = new Uint8Array(data.length + 1);
  odd.set(data, 1);
  const at = (offset, length) => ({ location: 'f', offset, length });
  await check(network(at(65, 4 * w.length), at(65 + 4 * w.length, 4 * b.length)), { externalData: [{ path: 'f', data: odd }] });
  // b is the first row of w.
  const session = await InferenceSession.create(network(at(64, 4 * w.length), at(64, 4 * b.length)), { externalData: [{ path: 'f', data }] });
  const same = await InferenceSession.create(network(w, w.slice(0, cols)));
  assert.deepEqual((await session.run({ x })).y.data, (await same.run({ x })).y.data);
  await session.release();
  await same.release();
});
