// Memory: what is let go of is free, disposed of or forgotten. (Failures for lack of it: limit.test.mjs.)
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, test } from 'node:test';
import { BatchNorm, InferenceSession, Tensor, init, layerNorm } from '../src/index.js';
import { live } from '../src/runtime.js';
import { model, twoOutputs } from './data.mjs';

const file = twoOutputs();
const MiB = 1 << 20;
let runtime;
before(async () => {
  runtime = await init();
});
after(() => runtime.dispose());

const x = () => new Tensor('float32', [-1, 2, -3, 4, 5, -6], [2, 3]);

test('what is allocated and freed again and again does not make the memory grow', () => {
  const round = () => {
    const [a, b] = [Tensor.zeros([16 * MiB], { location: 'wasm' }), Tensor.zeros([16 * MiB], { location: 'wasm' })];
    assert.equal(a.data[0], 0, 'new tensors are zeros');
    layerNorm(a, { out: b });
    a.data[0] = 1;
    a.dispose();
    b.dispose();
  };
  round();
  round();
  const { total } = runtime.memory();
  for (let i = 0; i < 12; i++) round();
  assert.ok(runtime.memory().total <= total + 64 * MiB, `${total} → ${runtime.memory().total}`);
  assert.equal(runtime.memory().inUse, 0);
});

/** Waits until the engine has found what nobody holds. */
async function collected(done) {
  for (let i = 0; i < 3000 && !done(); i++) {
    globalThis.gc();
    await sleep(10);
  }
  return done();
}

test('sessions that nobody released are released when they are lost', async () => {
  const open = async () => {
    for (let i = 0; i < 5; i++) assert.equal((await (await InferenceSession.create(file)).run({ x: x() })).y.size, 6);
  };
  await open();
  assert.ok(await collected(() => runtime.memory().sessions === 0), `${runtime.memory().sessions} sessions are left`);
  const session = await InferenceSession.create(file);
  await session.release();
  globalThis.gc();
  await sleep(20);
  assert.equal((await (await InferenceSession.create(file)).run({ x: x() })).z.data[0], -2, 'a released one is not released twice');
});

test('layers and tensors too', async () => {
  const use = () => {
    const norm = new BatchNorm({ features: 2 });
    norm.forward(new Float32Array(8), { shape: [4, 2] });
    return x().toWasm().size;
  };
  use();
  assert.ok(runtime.memory().inUse > 24, 'a layer counts');
  assert.ok(await collected(() => runtime.memory().inUse === 0));
});

// What happens in a process of its own, with the flag that lets it collect garbage.
const child = (script) => execFileSync(process.execPath, ['--expose-gc', '--input-type=module', '-e', script],
  { cwd: new URL('..', import.meta.url), encoding: 'utf8', timeout: 300_000 });
const bytes = `Uint8Array.from(${JSON.stringify([...file])})`;

test('workers of a lost session end, and not before they have answered', () => {
  const out = child(`
    import { setTimeout as sleep } from 'node:timers/promises';
    import threads from 'node:worker_threads';
    let ended = 0;
    threads.Worker = class extends threads.Worker {
      constructor(...args) {
        super(...args);
        this.on('exit', () => ended++);
      }
    };
    (await import('node:module')).syncBuiltinESMExports();
    const { InferenceSession, Tensor } = await import('normwasm');
    const feed = (n) => ({ x: new Tensor('float32', new Float32Array(3 * n).fill(2), [n, 3]) });
    const pending = await (async () => {
      const session = await InferenceSession.create(${bytes}, { worker: 2 });
      await session.run(feed(1));
      return { runs: [1, 2, 3, 1 << 20].map((n) => session.run(feed(n))) };
    })();
    globalThis.gc();
    await sleep(0);
    globalThis.gc();
    const sizes = (await Promise.all(pending.runs)).map(({ y }) => y.size);
    for (let i = 0; i < 10_000 && ended < 2; i++) {
      globalThis.gc();
      await sleep(10);
    }
    console.log(sizes.join(), ended);`);
  assert.equal(out, `3,6,9,${3 << 20} 2\n`);
});

test('engines without FinalizationRegistry and WeakRef', () => {
  const out = child(`
    delete globalThis.FinalizationRegistry;
    delete globalThis.WeakRef;
    const { BatchNorm, InferenceSession, Tensor, init } = await import('normwasm');
    const runtime = await init();
    const x = new Tensor('float32', [1, -2, 3], [1, 3]).toWasm();
    const session = await InferenceSession.create(${bytes});
    const { y } = await session.run({ x });
    const norm = new BatchNorm({ features: 3 });
    norm.forward(new Float32Array(6), { shape: [2, 3] });
    norm.dispose();
    x.dispose();
    await session.release();
    const { inUse, tensors, sessions } = runtime.memory();
    console.log([...y.data].join(), inUse, tensors, sessions);`);
  assert.equal(out, '1,0,3 0 0 0\n');
});

// ---- names ---------------------------------------------------------------------------------------

const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];

/** y = −x for each name of an output, whose input's is "in " and the same. */
function negations(list) {
  return model({
    nodes: list.map((name) => ({ op: 'Neg', inputs: [`in ${name}`], outputs: [name] })),
    inputs: list.map((name) => [`in ${name}`, 1, [name, 1]]),
    outputs: list.map((name) => [name, 1, [name, 1]]),
  });
}

for (const worker of [false, true]) {
  const where = worker ? 'in a worker' : 'in this thread';
  test(`outputs and dimensions called as Object.prototype's properties are, ${where}`, async () => {
    const session = await InferenceSession.create(negations(names), { worker, freeDimensionOverrides: { ['__proto__']: 2, constructor: 1 } });
    assert.deepEqual([...session.outputNames], names);
    assert.deepEqual(session.inputMetadata.map(({ shape }) => shape), [[2, 1], [1, 1], ['toString', 1], ['hasOwnProperty', 1]]);
    const feeds = Object.fromEntries(names.map((name, i) => [`in ${name}`, i ? new Tensor('float32', [i], [1, 1]) : new Tensor('float32', [8, 9], [2, 1])]));
    const results = await session.run(feeds);
    assert.deepEqual(Object.keys(results), names);
    assert.equal(Object.getPrototypeOf(results), Object.prototype);
    names.forEach((name, i) => assert.deepEqual([...Object.getOwnPropertyDescriptor(results, name).value.data], i ? [-i] : [-8, -9]));
    const one = await session.run(feeds, ['__proto__']);
    assert.deepEqual(Object.keys(one), ['__proto__']);
    await assert.rejects(session.run(feeds, ['valueOf']), { name: 'NormError', message: /"valueOf" is no output/ });
    await session.release();
  });

  test(`inputs called so are own properties of the feeds, ${where}`, async () => {
    const session = await InferenceSession.create(model({
      nodes: names.map((name, i) => ({ op: 'Neg', inputs: [name], outputs: [`y${i}`] })),
      inputs: names.map((name) => [name, 1, [1]]),
      outputs: names.map((_, i) => [`y${i}`, 1, [1]]),
    }), { worker });
    const feeds = Object.fromEntries(names.map((name, i) => [name, new Tensor('float32', [i + 1])]));
    const results = await session.run(feeds);
    names.forEach((_, i) => assert.equal(results[`y${i}`].data[0], -i - 1));
    for (const name of names) {
      const { [name]: left, ...rest } = feeds;
      await assert.rejects(session.run(rest), { name: 'NormError', message: new RegExp(`input "${name}" is missing`) });
    }
    assert.equal((await session.profile(feeds)).nodes.length, 4);
    await session.release();
  });

  test(`names that are not UTF-8, ${where}`, async () => {
    // "~1" becomes the bytes ff 31, and so on.
    const file = negations(['~1', '~2', '|1']).map((byte) => (byte === 0x7e ? 0xff : byte === 0x7c ? 0xfe : byte));
    const session = await InferenceSession.create(file, { worker });
    assert.deepEqual([...session.inputNames], ['in \ufffd1', 'in \ufffd2', 'in \ufffd1_2']);
    assert.deepEqual([...session.outputNames], ['\ufffd1', '\ufffd2', '\ufffd1_2']);
    const results = await session.run(Object.fromEntries(session.inputNames.map((name, i) => [name, new Tensor('float32', [i + 1], [1, 1])])));
    assert.deepEqual(session.outputNames.map((name) => results[name].data[0]), [-1, -2, -3]);
    await session.release();
  });
}

test('such names by the API object of the module', () => {
  const core = live('test');
  const session = core.invoke('open', negations(names));
  const feeds = Object.fromEntries(names.map((name, i) => [`in ${name}`, { shape: [1, 1], data: Float32Array.of(i) }]));
  const results = core.invoke('run', session, feeds);
  assert.deepEqual(Object.keys(results), names);
  assert.equal(results.toString.data[0], -2);
  core.invoke('release', session);
  const strange = core.invoke('open', model({ nodes: [{ op: 'Neg', inputs: ['toString'], outputs: ['y'] }], inputs: [['toString', 1, [1]]], outputs: [['y', 1, [1]]] }));
  assert.throws(() => core.invoke('run', strange, {}), { message: /feeds lack input "toString"/ });
  core.invoke('release', strange);
});

// ---- runSync -------------------------------------------------------------------------------------

test('runSync gives at once what run promises', async () => {
  const session = await InferenceSession.create(file);
  const results = session.runSync({ x: x() });
  assert.deepEqual([...results.y.data], [0, 2, 0, 4, 5, 0]);
  assert.deepEqual([...results.z.data], [-2, 4, -6, 8, 10, -12]);
  assert.deepEqual(Object.keys(session.runSync({ x: x() }, ['z', 'z'])), ['z']);
  assert.throws(() => session.runSync({}), { name: 'NormError', message: 'InferenceSession.runSync: input "x" is missing; the model wants "x"' });
  assert.throws(() => session.runSync({ x: x() }, ['w']), { name: 'NormError', message: /runSync: "w" is no output/ });
  assert.throws(() => session.runSync({ x: x() }, { signal: undefined }), { name: 'NormError', message: /fetches/ });
  assert.throws(() => session.runSync({ x: new Tensor('float32', [1], [1, 1]) }), { name: 'ShapeError' });
  await session.release();
  assert.throws(() => session.runSync({ x: x() }), { name: 'DisposedError', message: /runSync/ });

  const resident = await InferenceSession.create(file, { preferredOutputLocation: 'wasm' });
  const { y } = resident.runSync({ x: x() }, ['y']);
  assert.equal(y.location, 'wasm');
  y.dispose();
  await resident.release();

  const remote = await InferenceSession.create(file, { worker: true });
  assert.throws(() => remote.runSync({ x: x() }), { name: 'UnsupportedError', message: /in a worker/ });
  await remote.release();
});
