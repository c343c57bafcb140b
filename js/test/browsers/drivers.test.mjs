// The browsers that the tests start end with them: when they are closed, and when the process is killed.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { chosen, open } from '../drivers.mjs';
import { serve } from '../server.mjs';

const skip = process.platform !== 'linux' && 'processes are looked for in /proc';
/** @type {Awaited<ReturnType<typeof serve>>} */
let server;
/** @type {string} */
let folder;
before(async () => {
  server = await serve();
  folder = mkdtempSync(join(tmpdir(), 'normwasm-drivers-'));
});
after(() => {
  server?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The processes that have this test's folder in their environment, as all descendants of one have. */
function descendants() {
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid)).flatMap((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(folder) ? [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')] : [];
    } catch {
      return []; // it has just ended
    }
  });
}

for (const name of chosen()) {
  test(`${name}, killed: no process and no file stays`, { skip }, async () => {
    const program = `import { open } from ${JSON.stringify(new URL('../drivers.mjs', import.meta.url).href)};
      const browser = await open(${JSON.stringify(name)});
      console.log(await browser.evaluate((n) => n + 1, 41));
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, TMPDIR: folder } });
    const said = await new Promise((resolve) => {
      child.stdout.once('data', (text) => resolve(String(text)));
      child.once('exit', () => resolve('nothing'));
    });
    assert.equal(said, '42\n');
    assert.ok(descendants().length > 2, String(descendants()));
    child.kill('SIGKILL');
    for (let i = 0; i < 3000 && (descendants().length > 0 || readdirSync(folder).length > 0); i++) await wait(100);
    assert.deepEqual(descendants(), []);
    assert.deepEqual(readdirSync(folder), []);
  });

  test(`${name}: numbers, errors and complaints come over`, async () => {
    const browser = await open(name);
    try {
      await browser.goto(server.url);
      assert.deepEqual(await browser.evaluate((x) => [x, [-0, NaN, Infinity], document.title], { a: -0, b: [-Infinity] }), [{ a: -0, b: [-Infinity] }, [-0, NaN, Infinity], 'normwasm']);
      assert.equal(await browser.evaluate(() => {}), undefined);
      await assert.rejects(browser.evaluate(async () => { throw new RangeError('too far'); }), new RegExp(`in ${name}: RangeError: too far`));
      await browser.evaluate(async () => {
        console.error('said');
        setTimeout(() => { throw new Error('thrown late'); });
        await new Promise((resolve) => setTimeout(resolve, 200));
      });
      assert.ok(browser.complaints.includes('error: said'), String(browser.complaints));
      assert.ok(browser.complaints.some((text) => /thrown late/.test(text)), String(browser.complaints));
    } finally {
      await browser.close();
    }
  });
}
