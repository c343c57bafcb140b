// The Go tests of the kernels, compiled for js/wasm, in every browser: in a worker, with Go's own wasm_exec.js.
// Files are not to be had there; the tests that read some say that they skip.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { chosen, open } from '../drivers.mjs';
import { serve } from '../server.mjs';

const root = join(import.meta.dirname, '../../..');
/** The SIMD kernels against their twins, exact sums, and the layers' own properties. */
const packages = { norm: ['./norm'], nn: ['./nn'], asm: ['./internal/asm/asmtest'], 'norm, scalar': ['-tags', 'purego', './norm'] };

/** @type {string} */
let folder;
/** @type {Awaited<ReturnType<typeof serve>>} */
let server;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'normwasm-go-'));
  const env = { ...process.env, GOTOOLCHAIN: process.env.GOTOOLCHAIN ?? 'go1.27.4', GOOS: 'js', GOARCH: 'wasm' };
  for (const [name, args] of Object.entries(packages)) await promisify(execFile)('go', ['test', '-c', '-o', join(folder, `${name}.wasm`), ...args], { cwd: root, env });
  server = await serve({ '/go/': folder });
});
after(async () => {
  server?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Runs a test program; its output and exit code. @param {{ url: string, args: string[] }} program */
const inWorker = (program) => new Promise((resolve, reject) => {
  const worker = new Worker('/test/browsers/go-worker.js');
  worker.onmessage = ({ data }) => {
    worker.terminate();
    resolve(data);
  };
  worker.onerror = (event) => reject(new Error(event.message));
  worker.postMessage(program);
});

for (const name of chosen()) {
  describe(name, () => {
    /** @type {import('../drivers.mjs').Browser} */
    let browser;
    before(async () => {
      browser = await open(name);
      await browser.goto(server.url);
    });
    after(() => browser?.close());

    for (const program of Object.keys(packages)) {
      test(program, async (t) => {
        const { output, code, error } = await browser.evaluate(inWorker, { url: `/go/${program}.wasm`, args: ['-test.v', '-test.short'] });
        const count = (/** @type {string} */ word) => output.match(new RegExp(`^--- ${word}`, 'gm'))?.length ?? 0;
        assert.equal(error, undefined, `${error}\n${output.slice(-3000)}`);
        assert.equal(code, 0, output.match(/^.*\n?(?=^ *--- FAIL)/gm)?.join('') + output.slice(-3000));
        assert.equal(count('FAIL'), 0);
        assert.ok(count('PASS') >= 10 || program === 'asm', output.slice(-3000));
        assert.match(output, /^PASS$/m);
        t.diagnostic(`${count('PASS')} tests passed, ${count('SKIP')} skipped`);
      });
    }
  });
}
