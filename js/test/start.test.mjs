// Start-up in Node: variants, faults, retries, the runtime's end.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, afterEach, before, test } from 'node:test';
import { DisposedError, InferenceSession, LoadError, NormError, Tensor, UnsupportedError, init, layerNorm } from '../src/index.js';
import { live } from '../src/runtime.js';
import { distance, layerNormOracle, twoOutputs } from './data.mjs';
import { serve } from './server.mjs';

const dist = new URL('../dist/', import.meta.url);
const one = new Float32Array([1, 2, 3, 4]);
let server;
/** The runtime that a test started. */
let runtime;
const start = async (options) => (runtime = await init(options));

/** Waits until something has been seen. @param {unknown[]} list */
async function seenSome(list) {
  while (list.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
}

before(async () => {
  server = await serve();
});
after(() => server.close());
afterEach(() => {
  runtime?.dispose();
  runtime = undefined;
});

test('before init, functions say what is missing', async () => {
  // This test file is a process of its own: nothing was started before.
  const expected = { name: 'NormError', code: 'NOT_INITIALIZED', message: /await init\(\) first/ };
  assert.throws(() => layerNorm(one), expected);
  assert.throws(() => Tensor.zeros([2], { location: 'wasm' }), expected);
});

test('init is one promise while it is loading and loaded', async () => {
  const first = init();
  assert.equal(init({ variant: 'auto' }), first);
  runtime = await first;
  assert.equal(init(), first);
  assert.equal(await init(), runtime);
  assert.equal(runtime.version, JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')).version);
  assert.ok(['simd', 'relaxed'].includes(runtime.variant));
  const memory = runtime.memory();
  assert.ok(memory.total > 1e6);
  assert.deepEqual(memory, { total: memory.total, inUse: 0, tensors: 0, sessions: 0, scratch: 0 });
});

for (const variant of ['scalar', 'simd']) {
  test(`variant ${variant} by name`, async () => {
    assert.equal((await start({ variant })).variant, variant);
    assert.ok(distance(layerNorm(one), layerNormOracle(one, 4)) < 1e-6);
  });
  test(`variant ${variant} is told from the file itself`, async () => {
    assert.equal((await start({ wasmURL: new URL(`normwasm.${variant}.wasm`, dist) })).variant, variant);
  });
}

test('a variant that does not exist', async () => {
  await assert.rejects(init({ variant: 'turbo' }), { name: 'UnsupportedError', message: /"turbo".*'relaxed', 'simd', 'scalar'/ });
});

test('no global is added, changed or left', async () => {
  const snapshot = () => new Map(Reflect.ownKeys(globalThis).map((key) => [key, Object.getOwnPropertyDescriptor(globalThis, key)?.value]));
  const before = snapshot();
  await start();
  layerNorm(one);
  assert.deepEqual([...snapshot().keys()], [...before.keys()]);
  for (const [key, value] of snapshot()) assert.equal(value, before.get(key), String(key));
});

const sources = {
  'a URL': () => new URL('normwasm.simd.wasm', dist),
  'a file name': () => new URL('normwasm.simd.wasm', dist).pathname,
  'a folder': () => dist,
  'a folder on a server': () => `${server.url}/dist/`,
  'a server, right type': () => `${server.url}/dist/normwasm.simd.wasm`,
  'a server, application/octet-stream': () => `${server.url}/octets/dist/normwasm.simd.wasm`,
  'a server, text/html': () => `${server.url}/text/dist/normwasm.simd.wasm`,
  'a server, no type': () => `${server.url}/untyped/dist/normwasm.simd.wasm`,
};
for (const [name, source] of Object.entries(sources)) {
  for (const watched of [false, true]) {
    test(`loads from ${name}${watched ? ', with progress' : ''}`, async () => {
      const seen = [];
      await start({ wasmURL: source(), onProgress: watched ? (p) => seen.push(p) : undefined });
      assert.deepEqual(layerNorm(new Float32Array(4)), new Float32Array(4));
      if (!watched) return;
      const size = (await readFile(new URL('normwasm.simd.wasm', dist))).length;
      assert.deepEqual([...new Set(seen.map((p) => p.phase))], ['download', 'compile', 'start']);
      const downloads = seen.filter((p) => p.phase === 'download');
      assert.ok(downloads.every((p, i) => i === 0 || p.loaded >= downloads[i - 1].loaded));
      // Of what auto takes here, the relaxed file has the same size.
      assert.equal(downloads.at(-1).loaded, size);
      assert.ok(downloads.every((p) => p.total === undefined || p.total === size));
      if (/octet|file/.test(name)) assert.equal(downloads[0].total, size);
    });
  }
}

test('a compiled module', async () => {
  const wasmModule = await WebAssembly.compile(await readFile(new URL('normwasm.scalar.wasm', dist)));
  assert.equal((await start({ wasmModule })).variant, 'scalar');
});

const faults = {
  page: [/is an HTML page, not a WebAssembly module/, 'NOT_A_MODULE', /status 200, content-type text\/html, \d+ bytes/],
  pageAsWasm: [/is an HTML page/, 'NOT_A_MODULE', /content-type application\/wasm/],
  missing: [/answered 404 Not Found/, 'HTTP_STATUS', /text\/html/],
  broken: [/answered 503/, 'HTTP_STATUS', /not given/],
  empty: [/is empty/, 'NOT_A_MODULE', /0 bytes/],
  garbage: [/begins with 2a 2a 2a 2a/, 'NOT_A_MODULE', /bytes/],
  half: [/damaged or incomplete/, 'COMPILE_FAILED', /\d{6,} bytes/],
  interrupted: [/was interrupted/, 'INTERRUPTED', /\d+ of \d+ bytes/],
  interruptedOctets: [/was interrupted/, 'INTERRUPTED', /\d+ of \d+ bytes/],
};
for (const [fault, [what, code, detail]] of Object.entries(faults)) {
  for (const watched of [false, true]) {
    test(`${fault}${watched ? ', with progress' : ''}: the error says so, and a later init works`, async () => {
      const wasmURL = `${server.url}/${fault}/dist/normwasm.simd.wasm`;
      const error = await init({ wasmURL, onProgress: watched ? () => {} : undefined }).then(() => assert.fail('started'), (e) => e);
      assert.ok(error instanceof LoadError && error instanceof NormError, String(error));
      assert.equal(error.code, code, error.message);
      assert.match(error.message, what);
      assert.match(error.message, detail);
      assert.ok(error.message.includes(wasmURL), error.message);
      await start();
      assert.equal(layerNorm(new Float32Array(1))[0], 0);
    });
  }
}

test('no server, no file, no URL, no module', async () => {
  await assert.rejects(init({ wasmURL: 'http://127.0.0.1:9/x.wasm' }), { name: 'LoadError', code: 'FETCH_FAILED', message: /cannot fetch http:\/\/127\.0\.0\.1:9\/x\.wasm/ });
  await assert.rejects(init({ wasmURL: 'nowhere/x.wasm' }), { name: 'LoadError', code: 'FETCH_FAILED', message: /cannot read file:.*nowhere\/x\.wasm.*ENOENT/ });
  await assert.rejects(init({ wasmURL: 'http://[' }), { name: 'LoadError', message: /is not a URL/ });
  await assert.rejects(init({ wasmModule: /** @type {any} */ ({}) }), { name: 'LoadError', message: /not a WebAssembly\.Module/ });
  const other = new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]));
  await assert.rejects(init({ wasmModule: other }), { name: 'LoadError', code: 'NOT_A_MODULE', message: /not normwasm's: it exports nothing/ });
});

test('a session asks for the module first, and for the model without waiting for it', async (t) => {
  const asked = [];
  const { fetch } = globalThis;
  t.mock.method(globalThis, 'fetch', (source, o) => {
    asked.push(String(source).slice(server.url.length));
    return fetch(source, o);
  });
  const pending = InferenceSession.create(`${server.url}/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx`, { wasmURL: `${server.url}/dist/normwasm.simd.wasm` });
  const both = ['/dist/normwasm.simd.wasm', '/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx'];
  assert.deepEqual(asked, both, 'asked for before anything has come');
  const session = await pending;
  runtime = await init();
  assert.deepEqual(session.inputNames, ['x']);
  await session.release();
  assert.deepEqual(asked, both, 'nothing is fetched twice');
});

test('an aborted start', async () => {
  const stop = new AbortController();
  const pending = init({ wasmURL: `${server.url}/stalled/dist/normwasm.simd.wasm`, signal: stop.signal });
  setTimeout(() => stop.abort(new Error('changed my mind')), 50);
  const error = await pending.then(() => assert.fail('started'), (e) => e);
  assert.ok(error instanceof LoadError);
  assert.equal(error.name, 'AbortError');
  assert.equal(error.code, 'ABORTED');
  assert.equal(error.cause.message, 'changed my mind');
  await assert.rejects(init({ signal: AbortSignal.abort() }), { code: 'ABORTED' });
  await start();
});

test('one who gives up leaves the start to the others', async () => {
  const [one, two] = [new AbortController(), new AbortController()];
  const wasmURL = `${server.url}/slow/dist/normwasm.simd.wasm`;
  const seen = { one: [], two: [], three: [] };
  const listen = (name) => (p) => seen[name].push(p);
  const first = init({ wasmURL, signal: one.signal, onProgress: listen('one') });
  const second = init({ signal: two.signal, onProgress: listen('two') });
  const third = init({ onProgress: listen('three') });
  const fourth = InferenceSession.create(twoOutputs(), { signal: two.signal });
  const failed = [first, fourth].map((promise) => promise.then(() => assert.fail('went on'), (e) => e));
  await seenSome(seen.one);
  one.abort(new Error('left'));
  const error = await failed[0];
  assert.deepEqual([error.name, error.code, error.cause.message], ['AbortError', 'ABORTED', 'left']);
  const told = seen.one.length;
  two.abort();
  await assert.rejects(second, { code: 'ABORTED' });
  assert.equal((await failed[1]).code, 'ABORTED', 'a session is one of them');
  runtime = await third;
  assert.equal(runtime, await init(), 'the one start');
  assert.equal(seen.one.length, told, 'who has left is told no more');
  assert.deepEqual([...new Set(seen.three.map((p) => p.phase))], ['download', 'compile', 'start']);
  assert.deepEqual(seen.three.at(-1), { phase: 'start', loaded: 1, total: 1 });
  const late = [];
  await init({ onProgress: (p) => late.push(p), signal: new AbortController().signal });
  assert.deepEqual(late, [{ phase: 'start', loaded: 1, total: 1 }]);
  await assert.rejects(init({ signal: AbortSignal.abort() }), { code: 'ABORTED' }, 'as of any promise with a signal');
});

test('sessions in workers that wait for one download give up each for itself', async () => {
  const [one, two] = [new AbortController(), new AbortController()];
  const wasmURL = `${server.url}/stalled/dist/normwasm.scalar.wasm`;
  const seen = [];
  const first = InferenceSession.create(twoOutputs(), { worker: true, wasmURL, signal: one.signal, onProgress: (p) => seen.push(p) });
  const ends = first.catch((error) => error.code);
  await seenSome(seen);
  const second = InferenceSession.create(twoOutputs(), { worker: true, wasmURL, signal: two.signal });
  setTimeout(() => two.abort(), 20);
  await assert.rejects(second, { name: 'AbortError', code: 'ABORTED' });
  assert.equal(await Promise.race([ends, new Promise((resolve) => setTimeout(resolve, 50, 'waits'))]), 'waits');
  one.abort();
  assert.equal(await ends, 'ABORTED');
});

test('when all have given up the download ends, and the next start is a new one', async () => {
  const [one, two] = [new AbortController(), new AbortController()];
  const wasmURL = `${server.url}/stalled/dist/normwasm.simd.wasm`;
  const closed = server.closed('/stalled/dist/normwasm.simd.wasm');
  const seen = [];
  const pending = [init({ wasmURL, signal: one.signal, onProgress: (p) => seen.push(p) }), init({ signal: two.signal })].map((p) => p.catch((e) => e.code));
  await seenSome(seen);
  one.abort();
  two.abort();
  // As a component that is mounted twice does it: at once, before anything has settled.
  const again = start();
  assert.deepEqual(await Promise.all(pending), ['ABORTED', 'ABORTED']);
  await closed;
  await again;
  assert.deepEqual(layerNorm(new Float32Array(2)), new Float32Array(2));
});

test('a listener that throws disturbs no one', async () => {
  const { execFileSync } = await import('node:child_process');
  // In a process of its own, for the test runner takes unhandled rejections for its.
  const script = `import { InferenceSession, init } from 'normwasm';
    process.on('unhandledRejection', (e) => console.log(e.message));
    const model = Uint8Array.from(${JSON.stringify([...twoOutputs()])});
    for (const worker of [false, true]) {
      const session = await InferenceSession.create(new Blob([model]), { worker, wasmURL: ${JSON.stringify(String(new URL('../dist/normwasm.simd.wasm', import.meta.url)))}, onProgress() { throw new Error('mine'); } });
      await session.release();
    }
    let seen = 0;
    const all = await Promise.all([init({ onProgress() { throw new Error('mine'); } }), init({ onProgress() { seen++; } })]);
    console.log(all[0] === all[1], seen > 0);`;
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: new URL('..', import.meta.url), encoding: 'utf8', timeout: 300_000 });
  assert.match(said, /^(mine\n)+true true\n(mine\n)*$/);
});

test('another variant than the running one', async () => {
  const first = init({ variant: 'scalar' });
  assert.equal(init({ variant: 'scalar' }), first, 'the same one');
  const contradiction = { name: 'NormError', code: 'CONTRADICTION', message: /variant is "simd", and the module that is running is "scalar"/ };
  await assert.rejects(init({ variant: 'simd' }), contradiction);
  runtime = await first;
  await assert.rejects(init({ variant: 'simd' }), contradiction);
  await assert.rejects(InferenceSession.create(twoOutputs(), { variant: 'simd' }), contradiction);
  await assert.rejects(init({ variant: 'turbo' }), { name: 'UnsupportedError' });
  assert.equal(await init({ wasmURL: '/elsewhere.wasm' }), runtime, 'where it comes from makes no difference');
});

test('after dispose everything says so, and init starts anew', async () => {
  await start();
  const old = runtime;
  const tensor = new Tensor('float32', one).toWasm();
  const other = tensor.reshape([2, 2]);
  const session = await InferenceSession.create(twoOutputs());
  const x = new Tensor('float32', new Float32Array(3), [1, 3]);
  old.dispose();
  old.dispose();
  const disposed = { name: 'DisposedError', code: 'DISPOSED', message: /the runtime was disposed/ };
  assert.throws(() => layerNorm(one), disposed);
  assert.throws(() => tensor.data, disposed);
  assert.throws(() => other.reshape([4]), disposed);
  assert.throws(() => old.memory(), disposed);
  await assert.rejects(session.run({ x }), disposed);
  await assert.rejects(session.profile({ x }), disposed);
  await session.release();
  tensor.dispose();

  await start();
  assert.notEqual(runtime, old);
  assert.deepEqual(layerNorm(new Float32Array(2)), new Float32Array(2));
  assert.throws(() => layerNorm(other), disposed);
  assert.equal(runtime.memory().tensors, 0);
});

test('a crash inside the module ends it for good', async (t) => {
  t.mock.method(console, 'log', () => {}); // Go's last words
  t.mock.method(console, 'warn', () => {});
  await start();
  const tensor = Tensor.zeros([4], { location: 'wasm' });
  const core = live('test');
  core.memory.u8.fill(0xff);
  assert.throws(() => layerNorm(one), DisposedError);
  assert.throws(() => layerNorm(one), { name: 'DisposedError', message: /the runtime (crashed|died)/ });
  assert.throws(() => tensor.data, DisposedError);
  assert.throws(() => runtime.memory(), DisposedError);
  tensor.dispose();
  await start();
  assert.deepEqual(layerNorm(new Float32Array(2)), new Float32Array(2));
});

test('an engine without SIMD takes the scalar module', async (t) => {
  const validate = WebAssembly.validate;
  t.mock.method(WebAssembly, 'validate', (bytes) => bytes.length > 1000 && validate(bytes));
  await assert.rejects(init({ variant: 'simd' }), (e) => e instanceof UnsupportedError && /needs WebAssembly SIMD/.test(e.message));
  assert.equal((await start()).variant, 'scalar');
});

test('a process that is done ends although the module runs', async () => {
  const { execFileSync } = await import('node:child_process');
  const script = `import { init, layerNorm } from 'normwasm'; await init(); console.log(layerNorm(new Float32Array(3)).length)`;
  assert.equal(execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: new URL('..', import.meta.url), encoding: 'utf8', timeout: 300_000 }), '3\n');
});
