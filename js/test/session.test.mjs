// Inference sessions in Node: sources of models, feeds and fetches, real models, memory.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { DisposedError, InferenceSession, LoadError, NormError, ShapeError, Tensor, UnsupportedError, init } from 'normwasm';
import { model, twoOutputs } from './data.mjs';
import { serve } from './server.mjs';

const file = twoOutputs();
const folder = mkdtempSync(join(tmpdir(), 'normwasm-'));
const path = join(folder, 'two outputs.onnx');
let runtime;
let server;
before(async () => {
  writeFileSync(path, file);
  runtime = await init();
  server = await serve();
});
after(() => {
  runtime.dispose();
  server.close();
  rmSync(folder, { recursive: true });
});

const x = () => new Tensor('float32', [-1, 2, -3, 4, 5, -6], [2, 3]);

/** A stream in pieces. */
const stream = (pieces) => new ReadableStream({
  start(controller) {
    for (const piece of pieces) controller.enqueue(piece);
    controller.close();
  },
});
const sources = {
  'a path': () => path,
  'a file URL': () => pathToFileURL(path),
  'a file URL as a string': () => String(pathToFileURL(path)),
  'an ArrayBuffer': () => file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength),
  'a Uint8Array': () => file,
  'part of a buffer': () => Uint8Array.from([1, 2, 3, ...file, 4, 5]).subarray(3, 3 + file.length),
  'a Buffer': () => Buffer.from(file),
  'a Blob': () => new Blob([file]),
  'a Response': () => new Response(file),
  'a Response that knows its length': () => new Response(file, { headers: { 'content-length': String(file.length) } }),
  'a stream': () => stream([file.subarray(0, 10), file.subarray(10, 10), file.subarray(10)]),
  'a stream of single bytes': () => stream([...file].map((b) => Uint8Array.of(b))),
  'a data URL': () => `data:application/octet-stream;base64,${Buffer.from(file).toString('base64')}`,
  'a Request': () => new Request(`data:application/octet-stream;base64,${Buffer.from(file).toString('base64')}`),
};
for (const [name, source] of Object.entries(sources)) {
  test(`a model from ${name}`, async () => {
    const session = await InferenceSession.create(source());
    assert.deepEqual([...session.inputNames], ['x']);
    assert.deepEqual([...session.outputNames], ['y', 'z']);
    const { y, z } = await session.run({ x: x() });
    assert.deepEqual([...y.data], [0, 2, 0, 4, 5, 0]);
    assert.deepEqual([...z.data], [-2, 4, -6, 8, 10, -12]);
    assert.deepEqual([...y.dims], [2, 3]);
    await session.release();
    assert.deepEqual({ ...runtime.memory(), total: 0, scratch: 0 }, { total: 0, inUse: 0, tensors: 0, sessions: 0, scratch: 0 });
  });
}

test('a large stream of unknown length is put together', async () => {
  // A model with an unused field of 300 KB behind it, in pieces.
  const padding = new Uint8Array(300_000);
  const large = Uint8Array.from([...file, 0x12, ...[0xe0, 0xa7, 0x12], ...padding]);
  const pieces = [];
  for (let i = 0; i < large.length; i += 7001) pieces.push(large.subarray(i, i + 7001));
  const session = await InferenceSession.create(stream(pieces));
  assert.deepEqual([...(await session.run({ x: x() })).y.data], [0, 2, 0, 4, 5, 0]);
  await session.release();
});

test('progress of a model', async () => {
  const seen = [];
  const session = await InferenceSession.create(new Response(file, { headers: { 'content-length': String(file.length) } }), { onProgress: (p) => seen.push(p) });
  await session.release();
  assert.deepEqual(seen.at(-1), { phase: 'model', loaded: file.length, total: file.length });
});

test('what is not a model', async () => {
  const node = { op: 'Frobnicate', inputs: ['x'], outputs: ['y'] };
  const values = { inputs: [['x', 1, [1]]], outputs: [['y', 1, [1]]] };
  const unknown = model({ nodes: [node, { ...node, op: 'Defenestrate', inputs: ['y'], outputs: ['w'] }], ...values });
  const cases = [
    [unknown, UnsupportedError, /Frobnicate.*Defenestrate/],
    [new Uint8Array(0), LoadError, /./],
    [file.slice(0, file.length - 9), LoadError, /./],
    [new TextEncoder().encode('<!doctype html><p>hello'), LoadError, /./],
    [new Response('<!doctype html>', { headers: { 'content-type': 'text/html' } }), LoadError, /is an HTML page, not a model/],
    [new Response('gone', { status: 410, statusText: 'Gone' }), LoadError, /answered 410 Gone/],
    [new Response(file, { headers: { 'content-length': String(file.length + 7) } }), LoadError, /interrupted \(.*\d+ of \d+ bytes/],
    [stream([]), LoadError, /is empty/],
    [stream(['text']), NormError, /gave a string, want Uint8Array/],
    [join(folder, 'nothing.onnx'), LoadError, /ENOENT/],
    ['http://127.0.0.1:9/model.onnx', LoadError, /cannot fetch/],
    [7, NormError, /is a number, want a URL/],
    [undefined, NormError, /is undefined/],
    [new Float32Array(4), NormError, /is a Float32Array, want a Uint8Array/],
    [new URL(`${server.url}/missing/model.onnx`), LoadError, /answered 404/],
    [new URL(`${server.url}/page/package.json`), LoadError, /HTML page/],
    [new URL(`${server.url}/interrupted/package.json`), LoadError, /interrupted/],
  ];
  for (const [source, Class, message] of cases) {
    await assert.rejects(InferenceSession.create(source), (error) => {
      assert.equal(error.constructor, Class, String(error));
      assert.match(error.message, message);
      return true;
    });
  }
  const read = new Response(file);
  await read.arrayBuffer();
  await assert.rejects(InferenceSession.create(read), { name: 'NormError', message: /was read already/ });
  await assert.rejects(InferenceSession.create(new URL(`${server.url}/stalled/index.d.ts`), { signal: AbortSignal.timeout(50) }), { name: 'AbortError', code: 'ABORTED' });
  assert.deepEqual({ ...runtime.memory(), total: 0, scratch: 0 }, { total: 0, inUse: 0, tensors: 0, sessions: 0, scratch: 0 });
});

test('feeds and fetches', async () => {
  const session = await InferenceSession.create(file);
  assert.deepEqual(session.inputMetadata, [{ name: 'x', type: 'float32', shape: ['n', 3] }]);
  assert.deepEqual(session.outputMetadata.map((o) => o.name), ['y', 'z']);
  assert.deepEqual(Object.keys(await session.run({ x: x() }, ['z'])), ['z']);
  assert.deepEqual(Object.keys(await session.run({ x: x() }, { signal: new AbortController().signal })), ['y', 'z']);
  assert.deepEqual(Object.keys(await session.run({ x: x() }, ['y'], {})), ['y']);
  const disposed = x();
  disposed.dispose();
  const lost = x();
  structuredClone(lost.data.buffer, { transfer: [lost.data.buffer] });
  const cases = [
    [() => session.run({}), NormError, /input "x" is missing/],
    [() => session.run({ x: x(), w: x() }), NormError, /"w" is no input; the model wants "x"/],
    [() => session.run({ x: x() }, ['q']), NormError, /"q" is no output; the model has "y", "z"/],
    [() => session.run({ x: [1, 2, 3] }), NormError, /input "x" is a plain array, want a Tensor/],
    [() => session.run(), NormError, /feeds is undefined/],
    [() => session.run({ x: new Tensor('int32', [1, 2, 3], [1, 3]) }), NormError, /input "x" is a tensor of int32, want float32/],
    [() => session.run({ x: new Tensor('float32', [1, 2, 3, 4], [1, 4]) }), ShapeError, /"x" has shape \[1 4\], want \[n 3\]/],
    [() => session.run({ x: new Tensor('float32', [1, 2, 3], [3]) }), ShapeError, /"x" has shape \[3\]/],
    [() => session.run({ x: disposed }), DisposedError, /was disposed/],
    [() => session.run({ x: lost }), NormError, /detached/],
    [() => session.run({ x: x() }, { signal: AbortSignal.abort() }), LoadError, /aborted/],
    [() => session.profile({}), NormError, /input "x" is missing/],
    [() => InferenceSession.create(file, { preferredOutputLocation: 'gpu' }), NormError, /"gpu"/],
    [() => InferenceSession.create(file, { graphOptimizationLevel: 'some' }), NormError, /"some", want 'all' or 'none'/],
    [() => InferenceSession.create(file, { freeDimensionOverrides: { n: -1 } }), ShapeError, /-1/],
  ];
  for (const [call, Class, message] of cases) {
    await assert.rejects(call(), (error) => {
      assert.equal(error.constructor, Class, String(error));
      assert.match(error.message, message);
      return true;
    });
  }
  assert.throws(() => new InferenceSession(), NormError);
  assert.deepEqual([...(await session.run({ x: x() })).y.data], [0, 2, 0, 4, 5, 0], 'and it still runs');
  await session.release();
  await session.release();
  await assert.rejects(session.run({ x: x() }), { name: 'DisposedError', message: /the session was released/ });
  await assert.rejects(session.profile({ x: x() }), DisposedError);
});

test('resident feeds and outputs', async () => {
  const session = await InferenceSession.create(file, { preferredOutputLocation: 'wasm' });
  const input = x().toWasm();
  const { y, z } = await session.run({ x: input });
  assert.deepEqual([y.location, z.location], ['wasm', 'wasm']);
  const again = await session.run({ x: y }, ['z']);
  assert.deepEqual([...again.z.data], [0, 4, 0, 8, 10, 0]);
  assert.deepEqual([...y.data], [0, 2, 0, 4, 5, 0], 'results outlive the next run');
  assert.deepEqual([...z.data], [-2, 4, -6, 8, 10, -12]);
  // A view of the module's memory as a feed.
  const last = await session.run({ x: new Tensor('float32', y.data, [2, 3]) });
  assert.deepEqual([...last.z.data], [0, 4, 0, 8, 10, 0]);
  const { nodes, totalMs } = await session.profile({ x: input });
  assert.deepEqual(nodes.map((n) => n.op).sort(), ['Add', 'Relu']);
  assert.ok(nodes.every((n) => n.ms >= 0 && typeof n.name === 'string') && totalMs >= 0);
  await session.release();
  assert.equal(z.data[0], -2, 'and the session');
  for (const tensor of [input, y, z, again.z, last.y, last.z]) tensor.dispose();
});

test('zero elements, and other sizes from run to run', async () => {
  const session = await InferenceSession.create(file, { freeDimensionOverrides: {} });
  for (const n of [4, 0, 1, 1000, 4]) {
    const { y } = await session.run({ x: new Tensor('float32', new Float32Array(n * 3).fill(2), [n, 3]) });
    assert.deepEqual([...y.dims], [n, 3]);
    assert.ok(y.data.every((v) => v === 2));
  }
  await session.release();
});

test('memory soak: sessions', async () => {
  let total = 0;
  for (let i = 0; i < 150; i++) {
    const session = await InferenceSession.create(file);
    await session.run({ x: new Tensor('float32', new Float32Array(3 << 14), [1 << 14, 3]) });
    assert.equal(runtime.memory().sessions, 1);
    await session.release();
    if (i === 50) total = runtime.memory().total;
  }
  const now = runtime.memory();
  assert.deepEqual({ ...now, total: 0, scratch: 0 }, { total: 0, inUse: 0, tensors: 0, sessions: 0, scratch: 0 });
  assert.ok(now.total <= total + (4 << 20), `the memory went on growing: ${total} → ${now.total}`);
});

const data = process.env.NORMWASM_DATA ?? join(import.meta.dirname, '../../../shared/data');
const arrays = { float32: Float32Array, int32: Int32Array, int64: BigInt64Array };
for (const name of ['crepe-tiny', 'magika-v3_3', 'nano-gpt-sort', 'stories260k', 'ultraface-rfb-320']) {
  const cases = join(data, 'models', name, 'cases');
  test(`the cases of ${name}`, { skip: !existsSync(cases) && `${cases} is absent` }, async () => {
    const manifest = JSON.parse(readFileSync(join(cases, 'cases.json'), 'utf8'));
    const read = ({ dtype, dims, file: bin }) => {
      const bytes = readFileSync(join(cases, bin));
      return new Tensor(dtype, new arrays[dtype](bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)), dims);
    };
    for (const one of manifest.cases) {
      const session = await InferenceSession.create(join(cases, one.model ?? manifest.model));
      const feeds = Object.fromEntries(one.inputs.map((input) => [input.name, read(input)]));
      const results = await session.run(feeds);
      if (name === 'ultraface-rfb-320') {
        const { nodes } = await session.profile(feeds);
        const layouts = (op) => [...new Set(nodes.filter((n) => n.op === op).map((n) => n.layout))];
        assert.deepEqual([layouts('Conv'), layouts('Unblock'), layouts('Softmax')], [['blocked'], [undefined], [undefined]]);
      }
      for (const output of one.outputs) {
        const want = read(output);
        const got = results[output.name];
        assert.deepEqual([...got.dims], output.dims);
        assert.equal(got.type, output.dtype);
        for (let i = 0; i < want.size; i++) {
          const [g, w] = [Number(got.data[i]), Number(want.data[i])];
          assert.ok(Math.abs(g - w) <= (output.atol ?? 0) + (output.rtol ?? 0) * Math.abs(w), `${one.name}, ${output.name}[${i}]: ${g}, want ${w}`);
        }
      }
      await session.release();
    }
  });
}
