// The scripts that run the tests: what they say where a step fails, and which tools they refuse.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const root = mkdtempSync(join(tmpdir(), 'steps '));
after(() => rmSync(root, { recursive: true }));
cpSync(join(import.meta.dirname, '..'), join(root, '.ci'), { recursive: true });
writeFileSync(join(root, '.gitignore'), 'bin/\n');
writeFileSync(join(root, 'Makefile'), `
all: good bad late
good: ; @.ci/step good bash -c 'echo from good; sleep 0.2; x=0; while [ $$((x += 1)) -lt 100000 ]; do :; done'
bad: good ; @.ci/step bad bash -c 'echo from bad >&2; exit 3'
late: good ; @.ci/step late echo from late
after-bad: bad ; @.ci/step after-bad echo never
`);
// As make test has it: no variable of an outer make, nor of the step that this test runs in.
const { STEPS, MAKEFLAGS, MFLAGS, MAKELEVEL, ...env } = process.env;
const run = (command, args, more = {}) => {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8', env: { ...env, ...more } });
  return { status, out: stdout + stderr };
};
run('git', ['init', '-q']);

test('steps run side by side, all of them, and the table says what each took', () => {
  const { status, out } = run('.ci/steps', ['make all', 'make', '-k', '-j2', 'all', 'after-bad']);
  assert.equal(status, 2, out);
  for (const line of ['from good', 'from bad', 'from late']) assert.equal(out.split(`${line}\n`).length, 2, out);
  assert.match(out, /✓ good: \d/);
  assert.match(out, /✗ bad: failed with 3 after \d/);
  assert.match(out, /\n {2}good +\d+\.\d +\d+\.\d\n/);
  assert.match(out, /\n {2}bad +\d+\.\d +\d+\.\d {3}FAILED\n/);
  assert.match(out, /\n {2}in all +\d+ +\d+\.\d {3}FAILED\n/);
  assert.doesNotMatch(out, /never|after-bad {2}/);
  const [, real, cpu] = /good +([\d.]+) +([\d.]+)/.exec(out.slice(out.indexOf('of a CPU'))) ?? [];
  assert.ok(Number(real) >= 0.2 && Number(cpu) > 0 && Number(cpu) < Number(real), `${real} ${cpu}`);
});

test('a step that takes long is named again, and nothing is left running', () => {
  const begin = Date.now();
  const { status, out } = run('.ci/steps', ['make slow', 'bash', '-c', '.ci/step slow sleep 17'], { STEPS_WATCH: '1' });
  assert.equal(status, 0, out);
  assert.match(out, /^… slow\n… slow, for 1[5-9] s now\n/);
  assert.ok(Date.now() - begin >= 17_000);
});

test('a step alone is just its command', () => {
  assert.deepEqual(run('.ci/step', ['name', 'bash', '-c', 'echo hello; exit 4']), { status: 4, out: 'hello\n' });
});

test('an interrupted run says what did not end', () => {
  const { out } = run('bash', ['-c', `.ci/steps 'make long' bash -c '.ci/step long sleep 30 & kill -INT $PPID; sleep 1; kill $!' 2>&1; true`]);
  assert.match(out, /long .*did not end|long .*FAILED/);
});

test('what make test has passed with is known until a file changes', () => {
  const passed = () => run('.ci/steps', ['--has-passed', 'make test']).status;
  assert.equal(passed(), 1);
  assert.equal(run('.ci/steps', ['make test', '--passed', 'make', 'bad']).status, 2);
  assert.equal(passed(), 1, 'a failure is not noted');
  assert.equal(run('.ci/steps', ['make test', '--passed', 'make', '-n', 'late']).status, 0);
  assert.equal(passed(), 1, 'nor is a dry run');
  assert.equal(run('.ci/steps', ['make test', '--passed', 'make', 'late']).status, 0);
  assert.equal(passed(), 0);
  writeFileSync(join(root, 'a file.txt'), 'new');
  assert.equal(passed(), 1);
  rmSync(join(root, 'a file.txt'));
  assert.equal(passed(), 0);
});

test('tools that are missing or too old are named in one line', () => {
  const bin = join(root, 'bin', 'tools');
  const tool = (name, script) => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(bin, name), 0o755);
  };
  run('mkdir', ['-p', bin]);
  const need = () => run('/bin/bash', ['.ci/need'], { PATH: bin, GOTOOLCHAIN: 'go1.27.4' });
  const says = (pattern) => {
    const { status, out } = need();
    assert.equal(status, 1);
    assert.match(out, pattern);
    assert.equal(out.trim().split('\n').length, 1, out);
  };
  says(/^normwasm: Node\.js is missing: install version 20/);
  tool('node', 'echo v18.19.1');
  says(/^normwasm: Node\.js is v18\.19\.1, which is too old: install version 20/);
  tool('node', 'echo v20.9.0');
  says(/too old/);
  tool('node', 'echo v22.1.0');
  says(/^normwasm: npm is missing/);
  tool('npm', 'echo 10');
  says(/^normwasm: Go is missing: install version 1\.21/);
  tool('go', 'echo go version go1.19.8 linux/amd64');
  says(/^normwasm: Go is 1\.19\.8, which cannot fetch other versions: install 1\.21/);
  tool('go', 'echo "go: download go1.27.4: no such host" >&2; exit 1');
  says(/^normwasm: Go cannot fetch go1\.27\.4: go: download go1\.27\.4: no such host/);
  tool('go', '[ "$GOTOOLCHAIN" = go1.27.4 ] && echo go version go1.27.4 linux/amd64');
  assert.deepEqual(need(), { status: 0, out: '' });
  tool('go', 'echo "go: downloading go1.27.4 (linux/amd64)" >&2; echo go version go1.27.4 linux/amd64');
  assert.deepEqual(need(), { status: 0, out: '' }, 'the first time');
  tool('go', 'echo "go: downloading go1.27.4 (linux/amd64)" >&2; echo "go: download go1.27.4: no such host" >&2; exit 1');
  says(/^normwasm: Go cannot fetch go1\.27\.4: go: download go1\.27\.4: no such host/);
});
