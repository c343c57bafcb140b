// Choose: all combinations of answers have one, and the code that the page gives runs.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { NAMES, claims, combinations, questions } from '../src/lab/choose-model.js';
import { lab, looks, screens } from './lab.mjs';

const run = promisify(execFile);
const { read, visit: open } = lab();

/** The page once it has its answer, for which it waits for the numbers of the experiments. */
async function visit(/** @type {any} */ t, /** @type {string} */ address, /** @type {any} */ options) {
  const page = await open(t, address, options);
  await page.waitForFunction(() => document.querySelectorAll('#evidence li').length > 0);
  return page;
}

/** What the page says for each combination, as a visitor finds it: the choices are pressed one after another. */
let walked;
const walk = (page) => (walked ??= page.evaluate((combinations) => combinations.map((answers) => {
  for (const [name, value] of Object.entries(answers)) {
    const input = document.querySelector(`#questions input[name="${name}"][value="${value}"]`);
    if (!input.checked) input.click();
  }
  const text = (id) => document.getElementById(id).textContent;
  return {
    answers, address: location.hash, title: document.querySelector('#answer-title').textContent, why: text('why'), instead: text('instead'),
    evidence: [...document.querySelectorAll('#evidence li')].map((li) => Number(li.dataset.claim)),
    normwasm: text('code-normwasm'), pytorch: text('code-pytorch'), keras: text('code-keras'),
  };
}), [...combinations()]));

test('every combination has an answer, a reason, evidence and code that names it', async (t) => {
  const page = await visit(t, 'choose.html', { wait: false });
  const all = await walk(page);
  assert.equal(all.length, questions.reduce((n, q) => n * q.options.length, 1));
  const spelt = {
    BatchNorm: [/batchNorm/, /nn\.BatchNorm2d\(/, /BatchNormalization\(/], LayerNorm: [/layerNorm/, /nn\.LayerNorm\(/, /LayerNormalization\(/],
    GroupNorm: [/groupNorm/, /nn\.GroupNorm\(/, /GroupNormalization\(groups=8/], InstanceNorm: [/instanceNorm/, /nn\.InstanceNorm[12]d\(/, /GroupNormalization\(groups=-1/],
    RMSNorm: [/rmsNorm/, /nn\.RMSNorm\(/, /RMSNormalization\(/],
  };
  for (const { answers, title, why, instead, evidence, address, normwasm, pytorch, keras } of all) {
    const about = Object.values(answers).join(' '), name = title.replace('Take ', '');
    assert.ok(Object.values(NAMES).includes(name), `${about}: ${title}`);
    assert.ok(why.length > 80 && instead.length > 30, about);
    assert.ok(evidence.length >= 1, `${about}: no evidence`);
    assert.equal(address, `#${Object.values(answers).join('-')}`);
    [normwasm, pytorch, keras].forEach((code, i) => assert.match(code, spelt[name][i], `${about}: ${['normwasm', 'PyTorch', 'Keras'][i]}`));
    const n = { one: 1, few: 4, many: 32 }[answers.batch];
    if (answers.mode === 'training') for (const code of [normwasm, pytorch, keras]) assert.match(code, new RegExp(`[[(]${n},`), `${about}: the batch has ${n} examples`);
    // What the rules must never say.
    if (answers.data === 'sequences') assert.notEqual(name, 'BatchNorm', about);
    if (answers.batch !== 'many') assert.notEqual(name, 'BatchNorm', about);
  }
  assert.equal(new Set(all.map((a) => a.title)).size, 5, 'each normalization is somebody’s answer');
});

test('the code for normwasm runs as it stands', async (t) => {
  const page = await visit(t, 'choose.html', { wait: false });
  const programs = [...new Set((await walk(page)).map((a) => a.normwasm))];
  assert.ok(programs.length >= 30, `${programs.length} programs`);
  const folder = await mkdtemp(join(tmpdir(), 'demo-choose-'));
  t.after(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, 'node_modules'));
  await symlink(join(import.meta.dirname, '../../js'), join(folder, 'node_modules', 'normwasm'));
  for (const [i, text] of programs.entries()) await writeFile(join(folder, `${i}.mjs`), text);
  // One process for all: each module is a program of its own, but the engine is compiled once.
  await writeFile(join(folder, 'all.mjs'), `for (let i = 0; i < ${programs.length}; i++) {
    console.log('program', i);
    await import(\`./\${i}.mjs\`).catch((error) => { console.log(error.stack); process.exit(1); });
  }`);
  const { stdout } = await run(process.execPath, ['all.mjs'], { cwd: folder, timeout: 300_000 }).catch((error) => assert.fail(`${error.stdout}\n${programs[Number(/program (\d+)\n[^]*$/.exec(error.stdout.slice(error.stdout.lastIndexOf('program')))?.[1] ?? 0)]}`));
  const printed = stdout.split(/program \d+\n/).slice(1);
  assert.equal(printed.length, programs.length);
  printed.forEach((text, i) => {
    assert.match(text, /^[\d. ]+\n/, programs[i]);
    if (programs[i].includes('Trainer')) assert.ok(Number(text) > 0 && Number(text) < 20, `loss ${text} of\n${programs[i]}`);
  });
});

const python = await run('python3', ['--version']).then(() => true, () => false);
test('the code for PyTorch and Keras is Python', { skip: python ? false : 'there is no python3' }, async (t) => {
  const page = await visit(t, 'choose.html', { wait: false });
  const programs = [...new Set((await walk(page)).flatMap((a) => [a.pytorch, a.keras]))];
  const checker = 'import ast, json, sys\nfor text in json.load(sys.stdin):\n    try:\n        ast.parse(text)\n    except SyntaxError as e:\n        print(e, text)';
  const checked = run('python3', ['-c', checker]);
  checked.child.stdin?.end(JSON.stringify(programs));
  assert.equal((await checked).stdout, '');
});

test('what the experiments showed stands beside each claim that was tried, with a link to it', async (t) => {
  const page = await visit(t, 'choose.html', { wait: false });
  await walk(page);
  const summary = JSON.parse(String(await read('lab/results/summary.json')));
  const tried = String(await read('experiments.html'));
  const words = { yes: 'It shows here.', partly: 'It shows here in part.', no: 'It does not show here.' };
  const seen = new Set();
  for (const a of combinations()) {
    await page.evaluate((hash) => (location.hash = hash), Object.values(a).join('-'));
    await page.waitForFunction((values) => values.every((v) => document.querySelector(`#questions input[value="${v}"]`).checked), Object.values(a));
    for (const { n, text, href } of await page.evaluate(() => [...document.querySelectorAll('#evidence li')].map((li) => ({ n: li.dataset.claim, text: li.textContent, href: li.querySelector('a')?.getAttribute('href') })))) {
      seen.add(n);
      const said = summary[n];
      assert.equal(href, said ? `experiments.html#claim-${n}` : undefined, `claim ${n}`);
      if (!said) continue;
      assert.ok(text.includes(`${words[said.holds]} ${said.says}`), `claim ${n}: ${text}`);
      assert.ok(tried.includes(`id="claim-${n}"`), `claim ${n} has its place on the page of experiments`);
    }
    if (seen.size === Object.keys(claims).length) break;
  }
  assert.equal(seen.size, Object.keys(claims).length, 'each claim is somebody’s evidence');
});

test('an address leads to its answers; frameworks are chosen, and copied', async (t) => {
  const page = await visit(t, 'choose.html#generate-sequences-few-inference', { wait: false, options: { permissions: ['clipboard-read', 'clipboard-write'] } });
  assert.equal(await page.textContent('#answer-title'), 'Take RMSNorm');
  for (const value of ['generate', 'sequences', 'few', 'inference']) assert.ok(await page.isChecked(`input[value="${value}"]`), value);
  await page.focus('input[value="normwasm"]');
  await page.keyboard.press('ArrowRight');
  assert.ok(await page.isVisible('#code-pytorch'));
  assert.ok(await page.isHidden('#code-normwasm'));
  await page.click('#code-copy');
  await page.locator('#code-copy').filter({ hasText: 'Copied' }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), await page.textContent('#code-pytorch'));
  await page.evaluate(() => (location.hash = '#restyle-images-one-training'));
  await page.locator('#answer-title').filter({ hasText: 'Take InstanceNorm' }).waitFor();
});

test('every answer fits a phone', async (t) => {
  const desk = await visit(t, 'choose.html', { wait: false, options: looks[3].options });
  await desk.screenshot({ path: join(screens, `choose-${looks[3].name}.png`), fullPage: true });
  const page = await visit(t, 'choose.html', { wait: false, options: looks[0].options });
  await page.screenshot({ path: join(screens, `choose-${looks[0].name}.png`), fullPage: true });
  const wide = await page.evaluate((all) => all.filter((values) => {
    for (const v of values) document.querySelector(`#questions input[value="${v}"]`).click();
    return document.documentElement.scrollWidth > innerWidth;
  }), [...combinations()].map((a) => Object.values(a)));
  assert.deepEqual(wide, []);
});
