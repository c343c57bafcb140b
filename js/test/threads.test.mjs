// Several threads in Node: how many there are, what they compute, and what becomes of a session that loses some.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os, { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import threads from 'node:worker_threads';
import { InferenceSession, Tensor, Trainer, init, layerNorm } from '../src/index.js';
import { lost, patience, ready, wordsAt } from '../src/control.js';
import { live } from '../src/runtime.js';
import { floats, model, twoOutputs } from './data.mjs';

const dist = new URL('../dist/', import.meta.url);
const seed = Number(process.env.NORMWASM_SEED ?? 1);

// As many cores as a test wants, and all workers that it starts.
const { availableParallelism } = os;
const cores = (n) => {
  os.availableParallelism = () => n;
};
/** @type {Set<threads.Worker>} */
const running = new Set();
let started = 0;
const { Worker } = threads;
/** Has an instance wait for a helper that is lost for a moment only. */
const hasty = ({ memory, control }) => (wordsAt(memory, control)[patience] = 200);
threads.Worker = class extends Worker {
  constructor(...args) {
    super(...args);
    started++;
    running.add(this);
    this.on('exit', () => running.delete(this));
    this.on('message', ({ shared }) => shared && hasty(shared)); // of a module in a worker
  }
};
syncBuiltinESMExports();

/** @type {import('../index.js').Runtime | undefined} */
let runtime;
const start = async (options) => (runtime = await init(options));
let warnings = [];
const { warn } = console;
beforeEach(() => {
  cores(4);
  warnings = [];
  started = 0;
  console.warn = (text) => warnings.push(text);
});
afterEach(async () => {
  runtime?.dispose();
  runtime = undefined;
  for (let i = 0; i < 20_000 && running.size > 0; i++) await sleep(5);
  assert.equal(running.size, 0, 'workers are left');
});
after(() => {
  console.warn = warn;
  os.availableParallelism = availableParallelism;
});

const until = async (what, done) => {
  for (let i = 0; i < 60_000; i++) {
    if (done()) return;
    await sleep(5);
  }
  assert.fail(`never: ${what}`);
};
const wordsOf = (core) => wordsAt(core.shared.memory, core.shared.control);
const helpersReady = async (n) => until(`${n} helpers are ready`, () => Atomics.load(wordsOf(live('test')), ready) === n);

/** A network with enough to do that its steps are divided: convolutions of n pictures. */
const wide = () => model({
  nodes: [
    { op: 'Conv', inputs: ['x', 'w'], outputs: ['a'], attributes: { pads: [1, 1, 1, 1] } }, { op: 'Relu', inputs: ['a'], outputs: ['b'] },
    { op: 'Conv', inputs: ['b', 'v'], outputs: ['y'], attributes: { pads: [1, 1, 1, 1] } },
  ],
  inputs: [['x', 1, ['n', 16, 32, 32]]], outputs: [['y', 1, ['n', 16, 32, 32]]],
  constants: [['w', [32, 16, 3, 3], floats(32 * 16 * 9, 1, 0.1)], ['v', [16, 32, 3, 3], floats(16 * 32 * 9, 2, 0.1)]],
});
const example = 16 * 32 * 32;
const x = (n = 3, k = 4) => new Tensor('float32', floats(n * example, k), [n, 16, 32, 32]);
const bits = ({ y }) => Buffer.from(y.data.slice().buffer).toString('base64');

describe('how many', () => {
  for (const [options, available, want] of [
    [{}, 1, 1], [{}, 2, 2], [{}, 64, 4], [{ threads: 'auto' }, 3, 3], [{ threads: 1 }, 8, 1], [{ threads: 3 }, 1, 3], [{ threads: 2, variant: 'simd' }, 8, 2], [{ variant: 'scalar' }, 8, 1],
  ]) {
    test(`${JSON.stringify(options)} on ${available} cores: ${want}`, async () => {
      cores(available);
      await start(options);
      assert.equal(runtime.threads, want);
      assert.equal(live('test').memory.isShared, want > 1);
      if (want > 1) await helpersReady(want - 1);
      assert.equal(started, want - 1);
      assert.equal(layerNorm(new Float32Array(3)).length, 3);
      assert.equal(runtime.threads, want);
      assert.deepEqual(warnings, []);
    });
  }

  test('they come to who does nothing but compute, and leaves the loop of events no turn', async () => {
    await start({ threads: 2 });
    const session = await InferenceSession.create(wide());
    const feeds = { x: x() };
    const end = performance.now() + 300_000;
    let runs = 0;
    while (Atomics.load(wordsOf(live('test')), ready) === 0) {
      assert.ok(performance.now() < end, `no helper after ${runs} runs`);
      await session.run(feeds);
      runs++;
    }
  });

  test('a compiled module has the memory that it was compiled for', async () => {
    await start({ wasmModule: await WebAssembly.compile(readFileSync(new URL('normwasm.simd.wasm', dist))), threads: 3 });
    assert.equal(runtime.threads, 1);
    assert.equal(live('test').memory.isShared, false);
    runtime.dispose();
    await start({ threads: 3 });
    const { wasmModule } = runtime;
    runtime.dispose();
    await start({ wasmModule, threads: 2 });
    assert.equal(runtime.threads, 2);
    await helpersReady(1);
  });

  test('workers and threads are no more than cores', async () => {
    for (const [available, worker, each] of [[4, true, 4], [4, 2, 2], [4, 3, 1], [2, 4, 1], [8, 2, 4]]) {
      cores(available);
      started = 0;
      const session = await InferenceSession.create(wide(), { worker });
      const count = Number(worker);
      await until('all are started', () => started === count * each);
      await sleep(20);
      assert.equal(started, count * each, `${worker} on ${available} cores`);
      await session.release();
    }
    assert.deepEqual(warnings, []);
  });

  test('a process ends although helpers sleep', () => {
    const out = execFileSync(process.execPath, ['--input-type=module', '-e', `
      import { InferenceSession, init } from 'normwasm';
      const runtime = await init({ threads: 3 });
      await InferenceSession.create(Uint8Array.from(${JSON.stringify([...twoOutputs()])}), { worker: 1, threads: 2 });
      console.log(runtime.threads);`], { cwd: new URL('..', import.meta.url), encoding: 'utf8', timeout: 300_000 });
    assert.equal(out, '3\n');
  });
});

test('the same bits in one thread and in several, here and in a worker', async () => {
  const feeds = { x: x() };
  await start({ threads: 1, variant: 'simd' });
  const session = await InferenceSession.create(wide());
  const want = bits(await session.run(feeds));
  runtime.dispose();
  for (const count of [2, 4]) {
    await start({ threads: count, variant: 'simd' });
    await helpersReady(count - 1);
    const here = await InferenceSession.create(wide());
    const { nodes } = await here.profile(feeds);
    assert.ok(nodes.some((node) => node.threads === count), JSON.stringify(nodes));
    for (let i = 0; i < 20; i++) assert.equal(bits(await here.run(feeds)), want);
    const there = await InferenceSession.create(wide(), { worker: true });
    for (let i = 0; i < 20; i++) assert.equal(bits(await there.run(feeds)), want);
    await there.release();
    runtime.dispose();
  }
  assert.deepEqual(warnings, []);
});

test('a network of small steps is tried in one thread now and then', async () => {
  await start({ threads: 2 });
  await helpersReady(1);
  const session = await InferenceSession.create(model({
    nodes: [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] }], inputs: [['x', 1, [96, 192]]], outputs: [['y', 1, [96, 192]]], constants: [['w', [192, 192], floats(192 * 192, 1, 0.1)]],
  }));
  const feeds = { x: new Tensor('float32', floats(96 * 192, 2), [96, 192]) };
  const divided = async () => (await session.profile(feeds)).nodes.some(({ threads }) => threads === 2);
  const end = performance.now() + 300_000;
  for (const [wanted, what] of [[true, 'divided'], [false, 'tried in one thread'], [true, 'tried divided again']]) {
    while ((await divided()) !== wanted) assert.ok(performance.now() < end, `it is never ${what}`);
  }
});

test('memory that grows is seen by all', async () => {
  await start({ threads: 2 });
  const { memory } = live('test');
  const tensor = new Tensor('float32', [1, 2, 3]).toWasm();
  const before = tensor.data;
  assert.ok(before.buffer instanceof SharedArrayBuffer);
  const large = Tensor.zeros([1 << 24], { location: 'wasm' });
  assert.equal(large.data[(1 << 24) - 1], 0);
  assert.ok(memory.size > before.buffer.byteLength);
  before[1] = 7;
  assert.equal(tensor.data[1], 7, 'a view from before is one of the same memory');
  assert.ok(memory.owns(before));
  assert.throws(() => layerNorm(new Float32Array(3), { out: before }), { message: /is a view of the module's memory/ });
  const y = layerNorm(before);
  assert.ok(!(y.buffer instanceof SharedArrayBuffer));
  large.dispose();
  tensor.dispose();
});

test('training in a thread of its own has helpers, and ends them', async () => {
  for (const worker of [false, true]) {
    started = 0;
    const trainer = await Trainer.create({
      input: [8], model: [{ type: 'linear', units: 3 }], loss: 'crossEntropy', optimizer: { type: 'sgd', learningRate: 0.1 }, worker, threads: 3, variant: 'simd',
    });
    await until('all are started', () => started === 2 + Number(worker));
    const { loss } = await trainer.step({ x: new Tensor('float32', floats(32, 1), [4, 8]), y: new Tensor('int32', [0, 1, 2, 0], [4]) });
    assert.ok(loss > 0);
    trainer.dispose();
    await until('none is left', () => running.size === 0);
  }
});

describe('memory of a limited size', () => {
  const { Memory } = WebAssembly;
  const { instantiate } = WebAssembly;
  afterEach(() => {
    WebAssembly.Memory = Memory;
    WebAssembly.instantiate = instantiate;
  });

  /** In a process of its own, for what a device has is asked once. */
  const child = (script) => execFileSync(process.execPath, ['--input-type=module', '-e', `
    const { Memory, instantiate } = WebAssembly;
    ${script}`], { cwd: new URL('..', import.meta.url), encoding: 'utf8', timeout: 300_000, stdio: ['ignore', 'pipe', 'inherit'] }).trim().split('\n');

  const fill = `
    const { Tensor, init } = await import('normwasm');
    const runtime = await init({ threads: 2 });
    const held = [];
    try {
      for (;;) held.push(Tensor.zeros([4 << 20], { location: 'wasm' }));
    } catch (error) {
      console.log(error.code, error.message);
    }
    console.log(runtime.threads, held.length, runtime.memory().total);
    for (const tensor of held) tensor.dispose();
    console.log(Tensor.zeros([4 << 20], { location: 'wasm' }).size);`;

  test('is chosen by what the device has, and an error says how much that is', () => {
    const out = child(`
      WebAssembly.Memory = function (limits) {
        if (limits.maximum > 10_000) throw new RangeError('no');
        return new Memory(limits);
      };${fill}`);
    assert.match(out[0], /^OUT_OF_MEMORY .*there is no memory for 16777216 bytes.*Threads share the memory, which can have 536870912 bytes on this device; with threads: 1 it can have 4 GiB$/);
    assert.match(out[1], /^2 (2\d|30) /);
    assert.ok(Number(out[1].split(' ')[2]) <= 8192 * 65536);
    assert.equal(out[2], String(4 << 20));
  });

  test('is tried smaller where a module does not start with it', () => {
    const out = child(`
      let tries = 0;
      WebAssembly.instantiate = async (module, imports) => {
        if (tries++ < 2) throw new RangeError('WebAssembly.Instance(): Out of memory: Cannot allocate Wasm memory for new instance');
        return instantiate(module, imports);
      };${fill}`);
    assert.match(out[0], /^OUT_OF_MEMORY .*can have 268435456 bytes on this device/);
    assert.match(out[1], /^2 1\d /);
  });

  test('is not shared where that cannot be, without a word', () => {
    const out = child(`
      WebAssembly.Memory = function () {
        throw new RangeError('no');
      };
      console.warn = (text) => console.log('warned', text);
      const { init, layerNorm } = await import('normwasm');
      const runtime = await init({ threads: 2 });
      console.log(runtime.threads, layerNorm(new Float32Array(3)).length);`);
    assert.deepEqual(out, ['1 3']);
  });
});

describe('faults', () => {
  test('no script of workers', async () => {
    await start({ threads: 3, workerURL: new URL('missing.js', dist) });
    await until('it is said', () => warnings.length > 0);
    await until('both are given up', () => runtime.threads === 1);
    const session = await InferenceSession.create(wide());
    assert.equal((await session.run({ x: x(2) })).y.size, 2 * example);
    assert.equal(warnings.length, 1, warnings.join('\n'));
    assert.match(warnings[0], /^normwasm: the computation goes on in [12] threads?, for .*missing\.js/);
  });

  test('no kernels', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'normwasm-'));
    try {
      for (const name of ['normwasm.simd.wasm', 'normwasm.relaxed.wasm']) copyFileSync(new URL(name, dist), join(folder, name));
      await start({ threads: 3, wasmURL: pathToFileURL(`${folder}/`) });
      await until('it is said', () => warnings.length > 0);
      assert.equal(runtime.threads, 1);
      assert.match(warnings[0], /^normwasm: the computation goes on in 1 thread, for cannot read .*normwasm\.kernels\.(simd|relaxed)\.wasm/);
      assert.equal(started, 0);
      assert.equal(layerNorm(new Float32Array(3)).length, 3);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('a script that throws at the start of a helper', async () => {
    await start({ threads: 3, workerURL: new URL('failing-helper.js?start', import.meta.url) });
    await until('both are given up', () => runtime.threads === 1);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0], /thrown on purpose/);
    assert.equal(Atomics.load(wordsOf(live('test')), ready), 0);
  });

  test('kernels of another build', async () => {
    await start({ threads: 3, workerURL: new URL('failing-helper.js?other', import.meta.url) });
    await until('both are given up', () => runtime.threads === 1);
    assert.match(warnings[0], /the kernels that it loaded are of another build than the module/);
    assert.equal(Atomics.load(wordsOf(live('test')), ready), 0);
  });

  test('a helper that ends while nothing is computed', async () => {
    await start({ threads: 3 });
    await helpersReady(2);
    await [...running][0].terminate();
    await until('it is noticed', () => runtime.threads === 2);
    assert.equal(Atomics.load(wordsOf(live('test')), ready), 1);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0], /^normwasm: the computation goes on in 2 threads, for it exited with code 1/);
    const session = await InferenceSession.create(wide());
    assert.equal((await session.run({ x: x() })).y.size, 3 * example);
    await [...running][0].terminate();
    await until('it is noticed', () => runtime.threads === 1);
    assert.equal((await session.run({ x: x() })).y.size, 3 * example);
    assert.equal(warnings.length, 1, 'it is said once');
  });

  for (const how of ['throw', 'hang', 'exit']) {
    for (const worker of [false, true]) {
      test(`a helper that fails in the midst of its work (${how})${worker ? ', of a session in a worker' : ''}`, async () => {
        const workerURL = new URL(`failing-helper.js?${how}`, import.meta.url);
        await start({ threads: 1 });
        const { y: want } = await (await InferenceSession.create(wide())).run({ x: x(1) });
        runtime.dispose();
        cores(2);
        await start({ threads: 2, workerURL });
        await helpersReady(1);
        hasty(live('test').shared);
        const session = await InferenceSession.create(wide(), { worker });
        let failed;
        for (let i = 0; i < 400 && !failed; i++) failed = await session.run({ x: x() }).then(() => undefined, (error) => error);
        assert.ok(failed, 'no run failed');
        assert.match(failed.message, /a thread that computed a part of this run has disappeared/);
        await until('its worker is gone', () => warnings.length > 0);
        assert.equal(runtime.threads, worker ? 2 : 1);
        assert.equal(Atomics.load(wordsOf(live('test')), lost), worker ? 0 : 1);
        assert.deepEqual((await session.run({ x: x(1) })).y.data, want.data, 'the session goes on');
        assert.equal((await session.run({ x: x() })).y.size, 3 * example);
        assert.equal(warnings.length, 1, warnings.join('\n'));
        assert.match(warnings[0], /the computation goes on in 1 thread, for/);
        await session.release();
      });
    }
  }
});

test('dispose, release, abort, runs and the end of helpers in any order', { timeout: 600_000 }, async () => {
  let state = (seed * 7919) >>> 0;
  const random = (n) => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8) % n;
  const file = wide();
  cores(3);
  for (let order = 0; order < 25; order++) {
    const where = `NORMWASM_SEED=${seed}, order ${order}`;
    const control = new AbortController();
    const steps = [];
    let sessions = [];
    const rt = init({ threads: 3, ...random(3) === 0 && { signal: control.signal } });
    const remote = () => InferenceSession.create(file, { worker: random(2) ? true : 2, ...random(2) && { signal: control.signal } });
    const expected = ['ABORTED', 'DISPOSED', 'START_FAILED', 'NOT_INITIALIZED', 'WORKER_FAILED'];
    const wrong = [];
    const settled = (promise) => promise.catch((error) => expected.includes(error.code) || wrong.push(`${where}: ${error.stack}`));
    const pending = [settled(rt)];
    const begin = (promise) => pending.push(settled(promise));
    steps.push(
      () => begin(remote().then((session) => sessions.push(session))),
      () => begin(InferenceSession.create(file).then((session) => sessions.push(session))),
      () => control.abort(),
      () => rt.then((r) => r.dispose(), () => {}),
      () => [...running][random(running.size || 1)]?.terminate(),
    );
    for (let i = 0; i < 4; i++) {
      steps.push(() => sessions.forEach((session) => begin(session.run({ x: x(1 + random(3)) }, random(2) ? {} : { signal: control.signal }))));
      steps.push(() => random(2) && sessions.splice(0, 1).forEach((session) => begin(session.release())));
    }
    while (steps.length > 0) {
      await steps.splice(random(steps.length), 1)[0]();
      const pause = random(4);
      if (pause === 1) await sleep(random(30));
      else if (pause === 2) await Promise.all(pending.splice(0));
    }
    await Promise.all(pending.splice(0));
    for (const session of sessions) await settled(session.release());
    assert.deepEqual(wrong, []);
    (await init()).dispose(); // a session may have started another runtime after the end of the first
    await until(`no worker is left (${where})`, () => running.size === 0);
  }
});
