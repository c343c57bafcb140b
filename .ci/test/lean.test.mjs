// How tests of Go run in a browser. What starts the browser is played by a script.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'node:test';

const root = dirname(dirname(import.meta.dirname));

/** Runs .ci/lean with a program that at its n-th start does what the n-th of these lines says. */
function lean(t, ...lines) {
  const dir = mkdtempSync(join(tmpdir(), 'lean-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const program = join(dir, 'browsertest');
  const starts = join(dir, 'starts');
  writeFileSync(program, `#!/bin/bash\necho "$*" >>${starts}\ncase $(wc -l <${starts}) in\n${lines.map((line, i) => `${i + 1}) ${line} ;;`).join('\n')}\nesac\n`);
  chmodSync(program, 0o755);
  const { status, stdout, stderr } = spawnSync(join(root, '.ci/lean'), [program, 'x.test.wasm', '-test.v'], { encoding: 'utf8' });
  return { status, stdout, stderr, starts: readFileSync(starts, 'utf8').trim().split('\n') };
}

const crash = 'echo "chrome failed to start: [1:1] no bus" >&2; exit 1';

test('a browser that crashes while it starts is started again', (t) => {
  const { status, stdout, stderr, starts } = lean(t, crash, crash, 'echo PASS');
  assert.equal(status, 0);
  assert.equal(stdout, 'PASS\n');
  assert.match(stderr, /failed to start/);
  assert.deepEqual(starts, Array(3).fill('x.test.wasm -test.v'));
});

test('but not for ever', (t) => {
  const { status, starts } = lean(t, crash, crash, crash, 'echo PASS');
  assert.equal(status, 1);
  assert.equal(starts.length, 3);
});

test('tests that fail are not run again', (t) => {
  const { status, stdout, stderr, starts } = lean(t, 'echo "--- FAIL: TestX"; echo "exit with status 3" >&2; exit 3', 'echo PASS');
  assert.equal(status, 3);
  assert.equal(stdout, '--- FAIL: TestX\n');
  assert.equal(stderr, 'exit with status 3\n');
  assert.equal(starts.length, 1);
});
