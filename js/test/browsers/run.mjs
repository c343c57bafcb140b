// Runs the tests of the package and of the demo in Chromium, Firefox and WebKitGTK (NORMWASM_BROWSERS names fewer).
//   node run.mjs [NAME…]    names of test files, such as bits; all without
// When the bits of all three are the same, results.json says with which versions, and the README's table follows it.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { chosen, open } from '../drivers.mjs';
import { fill } from './table.mjs';

const [here, root] = [import.meta.dirname, join(import.meta.dirname, '../../..')];
process.env.NORMWASM_BROWSERS ??= 'chromium,firefox,webkit';
for (const name of chosen()) {
  const browser = await open(name);
  console.log(`${browser.title} ${browser.version}`);
  await browser.close();
}

const folder = mkdtempSync(join(tmpdir(), 'normwasm-findings-'));
const findings = join(folder, 'findings.json');
const names = process.argv.slice(2);
const tests = ([
  join(here, '../browser.test.mjs'),
  ...readdirSync(here).filter((name) => name.endsWith('.test.mjs')).map((name) => join(here, name)),
  ...['demo', 'race', 'write', 'bench'].map((name) => join(root, `demo/test/browsers/${name}.test.mjs`)),
]).filter((file) => names.length === 0 || names.includes(basename(file, '.test.mjs')));
if (tests.length === 0) throw new Error(`no tests are named ${names.join(' or ')}`);
// One file after another: each test has the machine to itself, and says when it is done. What an engine never answers fails.
const child = spawn(process.execPath, ['--test', '--test-concurrency=1', '--test-timeout=3600000', '--test-reporter=spec', ...tests], {
  stdio: 'inherit', env: { ...process.env, NORMWASM_FINDINGS: findings },
});
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) process.on(signal, () => child.kill(signal));
process.exitCode = await new Promise((resolve) => child.on('exit', (code) => resolve(code ?? 1)));

if (process.exitCode === 0 && existsSync(findings)) {
  const { cases, engines: { node, ...browsers } } = JSON.parse(readFileSync(findings, 'utf8'));
  const engines = [...Object.values(browsers), node];
  const os = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  const system = `${os.match(/^PRETTY_NAME="?(.*?)"?$/m)?.[1] ?? process.platform}, ${process.arch}`;
  const file = join(here, 'results.json');
  const known = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  const found = { date: new Date().toISOString().slice(0, 10), system, cases, engines };
  if (Object.keys(browsers).length < 3) console.log('Not all three browsers: the table of versions stays as it is.');
  else if (JSON.stringify({ ...known, date: '' }) === JSON.stringify({ ...found, date: '' })) console.log('The versions are those of the table in README.md.');
  else {
    writeFileSync(file, `${JSON.stringify(found, undefined, 2)}\n`);
    const readme = join(root, 'README.md');
    writeFileSync(readme, fill(readFileSync(readme, 'utf8'), found));
    console.log('Wrote js/test/browsers/results.json and the table of browsers in README.md.');
  }
}
rmSync(folder, { recursive: true });
