// Sessions in workers, in Node.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { getEventListeners } from 'node:events';
import { createServer } from 'node:http';
import { syncBuiltinESMExports } from 'node:module';
import { after, before, test } from 'node:test';
import threads from 'node:worker_threads';
import { InferenceSession, NormError, Tensor, init } from 'normwasm';
import { floats, model, twoOutputs } from './data.mjs';

const file = twoOutputs();
const feed = (n, seed) => ({ x: new Tensor('float32', floats(3 * n, seed), [n, 3]) });
let local;
let runtime;
before(async () => {
  runtime = await init();
  local = await InferenceSession.create(file);
});
after(() => runtime.dispose());

test('the same bits as in this thread, from several workers with one queue', async () => {
  const session = await InferenceSession.create(file, { worker: 3 });
  assert.deepEqual(session.inputMetadata, local.inputMetadata);
  assert.deepEqual(session.outputNames, local.outputNames);
  assert.deepEqual(session.operators, local.operators);
  const runs = await Promise.all(Array.from({ length: 20 }, (_, i) => session.run(feed(i, i), i % 2 ? ['z'] : undefined)));
  for (const [i, got] of runs.entries()) {
    const want = await local.run(feed(i, i), i % 2 ? ['z'] : undefined);
    assert.deepEqual(Object.keys(got), Object.keys(want));
    for (const name of Object.keys(want)) {
      assert.ok(got[name] instanceof Tensor);
      assert.deepEqual(got[name].data, want[name].data);
      assert.deepEqual(got[name].dims, want[name].dims);
    }
  }
  const { nodes, totalMs } = await session.profile(feed(4, 1));
  assert.deepEqual(nodes.map((n) => n.op).sort(), ['Add', 'Relu']);
  assert.ok(totalMs >= 0);
  assert.equal(runtime.memory().sessions, 1, 'the workers’ sessions are in their own modules');
  await session.release();
});

test('the feeds stay the caller’s, who may change them at once', async () => {
  const session = await InferenceSession.create(file, { worker: true });
  const feeds = feed(5, 2);
  const want = (await local.run(feeds)).z.data;
  const pending = [session.run(feeds), session.run(feeds)];
  feeds.x.data.fill(9);
  assert.equal(feeds.x.data.length, 15);
  for (const { z } of await Promise.all(pending)) assert.deepEqual(z.data, want);
  const resident = feed(5, 2).x.toWasm();
  assert.deepEqual((await session.run({ x: resident })).z.data, want);
  resident.dispose();
  await session.release();
});

test('errors come back as what they were', async () => {
  const unknown = model({ nodes: [{ op: 'Frobnicate', inputs: ['x'], outputs: ['y'] }], inputs: [['x', 1, [1]]], outputs: [['y', 1, [1]]] });
  await assert.rejects(InferenceSession.create(unknown, { worker: true }), { name: 'UnsupportedError', code: 'UNSUPPORTED', message: /Frobnicate/ });
  await assert.rejects(InferenceSession.create(file.slice(9), { worker: true }), { name: 'LoadError', code: 'INVALID_MODEL' });
  await assert.rejects(InferenceSession.create('nowhere.onnx', { worker: true }), { name: 'LoadError', message: /ENOENT/ });
  await assert.rejects(InferenceSession.create(file, { worker: true, wasmURL: 'nowhere.wasm' }), { name: 'LoadError', message: /ENOENT/ });
  await assert.rejects(InferenceSession.create(file, { worker: true, preferredOutputLocation: 'wasm' }), { name: 'UnsupportedError' });
  await assert.rejects(InferenceSession.create(file, { worker: -1 }), { name: 'NormError', message: /worker is -1/ });
  await assert.rejects(InferenceSession.create(file, { worker: true, signal: AbortSignal.abort() }), { name: 'AbortError' });

  const session = await InferenceSession.create(file, { worker: true });
  await assert.rejects(session.run({}), { name: 'NormError', message: /input "x" is missing/ });
  await assert.rejects(session.run({ x: new Tensor('float32', [1, 2], [1, 2]) }), { name: 'ShapeError', code: 'INVALID_SHAPE', message: /\[1 2\], want \[n 3\]/ });
  const lost = feed(2, 1);
  structuredClone(lost.x.data.buffer, { transfer: [lost.x.data.buffer] });
  await assert.rejects(session.run(lost), { name: 'NormError', code: 'DETACHED' });
  assert.equal((await session.run(feed(2, 1))).y.size, 6, 'and it still runs');
  await session.release();
});

test('release ends what is under way, abort what waits', async () => {
  const session = await InferenceSession.create(file, { worker: true });
  const stop = new AbortController();
  const running = session.run(feed(1 << 16, 1));
  const waiting = session.run(feed(1, 1), { signal: stop.signal });
  const next = session.run(feed(1, 3));
  stop.abort();
  await assert.rejects(waiting, { name: 'AbortError', code: 'ABORTED' });
  assert.equal((await running).y.size, 3 << 16);
  assert.equal((await next).y.size, 3);
  const lost = [session.run(feed(1 << 16, 1)), session.run(feed(1, 1))];
  const released = session.release();
  for (const run of lost) await assert.rejects(run, { name: 'DisposedError', message: /released/ });
  await released;
  await session.release();
  await assert.rejects(session.run(feed(1, 1)), { name: 'DisposedError' });
});

test('this thread stays free while a worker computes', async () => {
  // A chain of additions over 12 MB, about a hundred milliseconds of work.
  const nodes = Array.from({ length: 40 }, (_, i) => ({ op: 'Add', inputs: [i ? `v${i}` : 'x', 'x'], outputs: [i === 39 ? 'y' : `v${i + 1}`] }));
  const session = await InferenceSession.create(model({ nodes, inputs: [['x', 1, ['n', 3]]], outputs: [['y', 1, ['n', 3]]] }), { worker: true });
  const pending = session.run({ x: new Tensor('float32', new Float32Array(3 << 20).fill(1), [1 << 20, 3]) });
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  const { y } = await pending;
  clearInterval(timer);
  assert.equal(y.data[0], 41);
  assert.ok(ticks >= 3, `${ticks} ticks`);
  await session.release();
});

const failing = new URL('failing-worker.js', import.meta.url);
/** What makes a run of that worker's fail. */
const faults = { 'an error outside of the run': [1001, /thrown on purpose/], 'a crash of the module': [1002, /the runtime crashed: unreachable/], 'the end of its thread': [1003, /it exited with code 3/] };
const fatal = (fault) => ({ x: new Tensor('float32', [fault, 2, 3], [1, 3]) });

for (const [what, [fault, message]] of Object.entries(faults)) {
  test(`${what} costs a worker and its run, and the last worker the session`, async () => {
    const session = await InferenceSession.create(file, { worker: 3, workerURL: failing });
    const others = Array.from({ length: 12 }, (_, i) => session.run(feed(i + 1, i)));
    const lost = session.run(fatal(fault));
    const later = Array.from({ length: 12 }, (_, i) => session.run(feed(i + 1, i)));
    await assert.rejects(lost, (error) => error instanceof NormError && error.code === 'WORKER_FAILED' && message.test(error.message) && /; 2 of the session's go on/.test(error.message));
    for (const runs of [others, later]) {
      for (const [i, { y }] of (await Promise.all(runs)).entries()) assert.deepEqual(y.data, (await local.run(feed(i + 1, i))).y.data);
    }
    await assert.rejects(session.run(fatal(fault)), { code: 'WORKER_FAILED', message: /; 1 of/ });
    const last = [session.run(fatal(fault)), session.run(feed(1, 1))];
    for (const run of last) await assert.rejects(run, { name: 'DisposedError', message });
    await assert.rejects(session.run(feed(1, 1)), { name: 'DisposedError', message });
    await assert.rejects(session.profile(feed(1, 1)), { name: 'DisposedError', message });
    await session.release();
  });
}

test('numbers of workers', async () => {
  for (const worker of [0, -1, 1.5, NaN, Infinity, 65, 1e9, 2n ** 64n, '2', null]) {
    await assert.rejects(InferenceSession.create(file, { worker }), (error) => error.name === 'NormError' && error.code === 'INVALID_VALUE' && /worker is .*, want true, false or a number of workers from 1 to 64$/.test(error.message), String(worker));
  }
  await assert.rejects(InferenceSession.create(file, { worker: 2, state: 'auto' }), { name: 'NormError', code: 'CONTRADICTION', message: /state with 2 workers, of which each would have one of its own/ });
  const session = await InferenceSession.create(file, { worker: 1 });
  session.resetState(); // has no state, and is no error
  assert.equal((await session.run(feed(2, 1))).y.size, 6);
  await session.release();
});

/**
 * The workers that are made meanwhile: what each was told, and a promise of its end.
 * @param {() => Promise<void>} f
 * @param {(workers: any[]) => void} [onMade]
 */
async function watched(f, onMade) {
  const workers = [];
  const { Worker } = threads;
  threads.Worker = class extends Worker {
    sent = [];
    exited = new Promise((resolve) => this.on('exit', resolve));

    constructor(...args) {
      super(...args);
      workers.push(this);
      onMade?.(workers);
    }

    postMessage(message, transfer) {
      this.sent.push(message);
      super.postMessage(message, transfer);
    }
  };
  syncBuiltinESMExports();
  try {
    await f();
  } finally {
    threads.Worker = Worker;
    syncBuiltinESMExports();
  }
  return workers;
}

test('workers share the module and the bytes of the model, which are fetched once', async () => {
  let requests = 0;
  const server = createServer((_request, response) => {
    requests++;
    response.end(file);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const workers = await watched(async () => {
      const session = await InferenceSession.create(`http://127.0.0.1:${server.address().port}/model.onnx`, { worker: 3 });
      assert.equal((await session.run(feed(2, 1))).y.size, 6);
      await session.release();
    });
    assert.equal(requests, 1);
    assert.equal(workers.length, 3);
    for (const { sent: [{ call, bytes, options }] } of workers) {
      assert.equal(call, 'create');
      assert.ok(bytes.buffer instanceof SharedArrayBuffer);
      assert.equal(bytes.buffer, workers[0].sent[0].bytes.buffer);
      assert.equal(options.wasmModule, runtime.wasmModule);
    }
  } finally {
    server.close();
  }
});

test('an abort while the workers start ends them all', async () => {
  const stop = new AbortController();
  const workers = await watched(async () => {
    await assert.rejects(InferenceSession.create(file, { worker: 4, signal: stop.signal }), { name: 'AbortError', code: 'ABORTED' });
  }, ({ length }) => length === 2 && stop.abort());
  await Promise.all(workers.map(({ exited }) => exited));
  // One signal for many runs: nothing of them stays with it.
  const session = await InferenceSession.create(file, { worker: 2 });
  const { signal } = new AbortController();
  await Promise.all(Array.from({ length: 9 }, () => session.run(feed(1, 1), { signal })));
  assert.equal(getEventListeners(signal, 'abort').length, 0);
  await session.release();
});

test('an idle worker does not keep the process', () => {
  const script = `import { InferenceSession, Tensor } from 'normwasm';
    const session = await InferenceSession.create(Uint8Array.from(${JSON.stringify([...file])}), { worker: 2 });
    console.log([...(await session.run({ x: new Tensor('float32', [1, -2, 3], [1, 3]) })).y.data].join());`;
  const out = execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: new URL('..', import.meta.url), encoding: 'utf8', timeout: 300_000 });
  assert.equal(out, '1,0,3\n');
});
