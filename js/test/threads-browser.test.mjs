// Several threads in browsers (NORMWASM_BROWSERS names them, Chromium alone by default): in an isolated page, in a page and in a frame
// that are not isolated; and what becomes of it without the files and workers that it takes.
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { chosen, open } from './drivers.mjs';
import { serve } from './server.mjs';

let server;
let folder;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'normwasm-'));
  for (const variant of ['simd', 'relaxed']) copyFileSync(new URL(`../dist/normwasm.${variant}.wasm`, import.meta.url), join(folder, `normwasm.${variant}.wasm`));
  server = await serve({ '/kernelless/': folder });
});
after(() => {
  server?.close();
  rmSync(folder, { recursive: true });
});

/** Starts, computes here and in a worker, waits until helpers are there or given up, and tells all that there is to tell. */
const report = async ([options, expected]) => {
  const warnings = [];
  const { warn } = console;
  console.warn = (text) => warnings.push(text);
  try {
    const { InferenceSession, Tensor, init, layerNorm } = await import('/test/package.mjs');
    const { floats, model } = await import('/test/data.mjs');
    const runtime = await init(options);
    const asked = runtime.threads;
    const file = model({
      nodes: [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['a'] }, { op: 'Relu', inputs: ['a'], outputs: ['b'] }, { op: 'LayerNormalization', inputs: ['b', 's'], outputs: ['y'] }],
      inputs: [['x', 1, ['n', 192]]], outputs: [['y', 1, ['n', 192]]], constants: [['w', [192, 192], floats(192 * 192, 1, 0.1)], ['s', [192], floats(192, 3)]],
    });
    const feeds = { x: new Tensor('float32', floats(256 * 192, 4), [256, 192]) };
    const session = await InferenceSession.create(file, { preferredOutputLocation: 'wasm' });
    const shared = typeof SharedArrayBuffer === 'function' && (await session.run(feeds)).y.data.buffer instanceof SharedArrayBuffer;
    for (let i = 0; i < 10_000 && expected !== undefined && runtime.threads !== expected; i++) await new Promise((resolve) => setTimeout(resolve, 20));
    await new Promise((resolve) => setTimeout(resolve, 300));
    const sums = [];
    for (let i = 0; i < 5; i++) sums.push((await session.run(feeds)).y.data.reduce((sum, v, k) => (sum * 31 + Math.round(v * 2 ** 20) * (k % 7)) % 1e12, 0));
    const remote = await InferenceSession.create(file, { worker: true, ...options }).then(async (there) => {
      const { y } = await there.run(feeds);
      await there.release();
      return y.data.reduce((sum, v, k) => (sum * 31 + Math.round(v * 2 ** 20) * (k % 7)) % 1e12, 0);
    }, (error) => error.code);
    const { threads, variant } = runtime;
    layerNorm(new Float32Array(3));
    runtime.dispose();
    return { asked, threads, variant, shared, sums: [...new Set(sums)], remote, warnings, cores: navigator.hardwareConcurrency, isolated: globalThis.crossOriginIsolated };
  } finally {
    console.warn = warn;
  }
};

/** Computes and does nothing else until a step is divided, or for a minute. */
const busy = async (withSignal) => {
  const { InferenceSession, Tensor, init } = await import('/test/package.mjs');
  const { floats, model } = await import('/test/data.mjs');
  const runtime = await init({ threads: 2 });
  const file = model({
    nodes: [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] }], inputs: [['x', 1, ['n', 192]]], outputs: [['y', 1, ['n', 192]]], constants: [['w', [192, 192], floats(192 * 192, 1, 0.1)]],
  });
  const session = await InferenceSession.create(file);
  const feeds = { x: new Tensor('float32', floats(512 * 192, 4), [512, 192]) };
  const options = withSignal ? { signal: new AbortController().signal } : undefined;
  const end = performance.now() + 300_000;
  let divided = false;
  while (!divided && performance.now() < end) {
    for (let i = 0; i < 20; i++) await session.run(feeds, options);
    divided = (await session.profile(feeds)).nodes.some(({ threads }) => threads === 2);
  }
  runtime.dispose();
  return divided;
};

const refused = (options) => import('/test/package.mjs').then(({ init }) => init(options)).then((runtime) => runtime.threads, ({ name, code, message }) => ({ name, code, message }));

for (const name of chosen()) {
  describe(name, () => {
    /** @type {import('./drivers.mjs').Browser} */
    let browser;
    let want;
    before(async () => {
      browser = await open(name);
    });
    after(() => browser?.close());
    /** Each page is loaded anew: what a start was told, the package remembers. */
    const at = async (path, ...given) => {
      await browser.goto(server.url + path);
      return browser.evaluate(...given);
    };
    const same = (got) => {
      assert.deepEqual(got.sums, want);
      assert.equal(got.remote, want[0]);
    };

    for (const withSignal of [false, true]) {
      test(`helpers come to a page that does nothing but compute${withSignal ? ', with a signal' : ''}`, async () => {
        assert.ok(await at('/isolated.html', busy, withSignal));
      });
    }

    test('a page that is not isolated has one thread', async () => {
      server.requests.length = 0;
      const got = await at('/', report, [{ variant: 'simd' }, 1]);
      assert.deepEqual([got.asked, got.threads, got.shared, got.isolated, got.warnings], [1, 1, false, false, []]);
      want = got.sums;
      assert.equal(got.remote, want[0]);
      assert.deepEqual(server.requests.filter((path) => /threads|kernels/.test(path)), [], 'and fetches nothing for more');
      const error = await at('/', refused, { threads: 2 });
      assert.deepEqual([error.name, error.code], ['NormError', 'NOT_ISOLATED']);
      assert.match(error.message, /^init: threads is 2, .*Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp/);
    });

    test('a frame that lost isolation has one thread', async () => {
      const got = await at('/frame.html', () => new Promise((resolve) => {
        addEventListener('message', ({ data }) => resolve(data));
        document.body.append(Object.assign(document.createElement('iframe'), { src: '/framed.html' }));
      }));
      assert.deepEqual(got, { threads: 1, refused: 'NOT_ISOLATED', isolated: false });
    });

    test('an isolated page has as many as cores, at most four', async () => {
      server.requests.length = 0;
      const got = await at('/isolated.html', report, [{ variant: 'simd' }]);
      assert.equal(got.isolated, true);
      assert.equal(got.asked, Math.min(4, got.cores));
      assert.equal(got.threads, got.asked);
      assert.equal(got.shared, got.asked > 1);
      assert.deepEqual(got.warnings, []);
      same(got);
      const count = (path) => server.requests.filter((request) => request === path).length;
      for (const path of ['/dist/normwasm.simd.wasm', '/dist/normwasm.threads.js', '/dist/normwasm.kernels.simd.wasm']) assert.equal(count(path), got.asked > 1 || path.endsWith('simd.wasm') && !path.includes('kernels') ? 1 : 0, path);
    });

    for (const threads of [1, 2, 3]) {
      test(`${threads}, asked for`, async () => {
        const got = await at('/isolated.html', report, [{ variant: 'simd', threads }]);
        assert.deepEqual([got.asked, got.threads, got.warnings], [threads, threads, []]);
        same(got);
      });
    }

    for (const [how, options] of [['counted', { onProgress: true }], ['of another type', { wasmURL: '/octets/dist/normwasm.simd.wasm' }], ['in a folder', { wasmURL: '/octets/dist/' }]]) {
      test(`a module that is ${how}`, async () => {
        const got = await at('/isolated.html', async (given) => {
          const { Tensor, init } = await import('/test/package.mjs');
          const phases = [];
          const runtime = await init({ variant: given.wasmURL?.endsWith('.wasm') ? undefined : 'simd', threads: 2, ...given, onProgress: given.onProgress && ((p) => phases.push(p.phase)) });
          const { threads, variant } = runtime;
          const shared = Tensor.zeros([3], { location: 'wasm' }).data.buffer instanceof SharedArrayBuffer;
          runtime.dispose();
          return { threads, variant, shared, phases: [...new Set(phases)] };
        }, options);
        assert.deepEqual(got, { threads: 2, variant: 'simd', shared: true, phases: options.onProgress ? ['download', 'compile', 'start'] : [] });
      });
    }

    test('without workers', async () => {
      const got = await at('/workerless.html', report, [{ variant: 'simd', threads: 3 }, 1]);
      assert.equal(got.threads, 1);
      assert.deepEqual(got.sums, want);
      assert.equal(got.remote, 'START_FAILED');
      assert.equal(got.warnings.length, 1, got.warnings.join('\n'));
      assert.match(got.warnings[0], /the computation goes on in [12] threads?, for .*(worker|Worker)/);
    });

    test('without the script of workers', async () => {
      const got = await at('/isolated.html', report, [{ variant: 'simd', threads: 3, workerURL: '/dist/none.js' }, 1]);
      assert.equal(got.threads, 1);
      assert.deepEqual(got.sums, want);
      assert.equal(got.warnings.length, 1, got.warnings.join('\n'));
      assert.match(got.warnings[0], /none\.js could not be loaded/);
    });

    test('a helper that throws at its start', async () => {
      const got = await at('/isolated.html', report, [{ variant: 'simd', threads: 3, workerURL: '/test/failing-helper.js?start' }, 1]);
      assert.equal(got.threads, 1);
      same(got);
      assert.match(got.warnings[0], /thrown on purpose/);
    });

    test('without the kernels', async () => {
      const got = await at('/isolated.html', report, [{ variant: 'simd', threads: 3, wasmURL: '/kernelless/' }, 1]);
      assert.equal(got.threads, 1);
      same(got);
      assert.match(got.warnings[0], /goes on in 1 thread, for .*kernelless\/normwasm\.kernels\.simd\.wasm answered 404/);
    });

    for (const fault of ['page', 'garbage', 'half', 'interrupted', 'empty']) {
      test(`${fault}: the error is that of one thread`, async () => {
        const message = (options) => at('/isolated.html', refused, { wasmURL: `/${fault}/dist/normwasm.simd.wasm`, ...options });
        const [one, two] = [await message({ threads: 1 }), await message({ threads: 2 })];
        assert.equal(one.name, 'LoadError');
        // (The memory section is longer, and how much arrives before an interruption varies.)
        const plain = ({ message, ...rest }) => ({ ...rest, message: message.replace(/@\+\d+/, '').replace(/, \d+ of (?=\d+ bytes\))/, ', some of ') });
        assert.deepEqual(plain(two), plain(one));
      });
    }
  });
}
