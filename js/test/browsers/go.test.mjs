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
/**
 * A sample, for all of norm takes long: the kernels against their scalar twins, bit by bit, and the functions on
 * rows that go wrong first. Examples are left out, which catch what they print in a file.
 */
const norm = '-test.run=^(Test|Fuzz).*(Contract|Bits|Hard|Finite|Beta|Neighbours|Rows$|Errors|Norm$)';
const programs = {
  norm: { build: ['./norm'], args: [norm] },
  nn: { build: ['./nn'], args: ['-test.run=^(Test|Fuzz)'] },
  asm: { build: ['./internal/asm/asmtest'], args: [] },
};

/** @type {string} */
let folder;
/** @type {Awaited<ReturnType<typeof serve>>} */
let server;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'normwasm-go-'));
  const env = { ...process.env, GOTOOLCHAIN: process.env.GOTOOLCHAIN ?? 'go1.27.4', GOOS: 'js', GOARCH: 'wasm' };
  for (const [name, { build }] of Object.entries(programs)) await promisify(execFile)('go', ['test', '-c', '-o', join(folder, `${name}.wasm`), ...build], { cwd: root, env });
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

    for (const [program, { args }] of Object.entries(programs)) {
      test(program, async (t) => {
        const { output, code, error } = await browser.evaluate(inWorker, { url: `/go/${program}.wasm`, args: ['-test.v', '-test.short', ...args] });
        const count = (/** @type {string} */ word) => output.match(new RegExp(`^--- ${word}`, 'gm'))?.length ?? 0;
        assert.equal(error, undefined, `${error}\n${output.slice(-3000)}`);
        assert.equal(code, 0, output.match(/^.*\n?(?=^ *--- FAIL)/gm)?.join('') + output.slice(-3000));
        assert.equal(count('FAIL'), 0);
        assert.ok(count('PASS') >= 5, output.slice(-3000));
        assert.match(output, /^PASS$/m);
        t.diagnostic(`${count('PASS')} tests passed, ${count('SKIP')} skipped`);
      });
    }
  });
}
