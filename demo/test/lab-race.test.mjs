// The race end to end, in a real Chromium: what is drawn is what was computed, and what was computed is what a Trainer in
// Node computes. The site is built first, where that is needed.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { readData } from '../data.mjs';
import { Race } from '../src/lab/race-run.js';
import { row, softmax } from '../src/lab/softmax.js';
import { batchAt, claims, fromHash, placeAt, settingOf, toHash } from '../src/lab/race-setting.js';
import { assertAccessible, measure, measured } from './axe.mjs';
import { launch } from './browser.mjs';
import { serveSite } from './lab.mjs';

const demo = join(import.meta.dirname, '..');
const js = join(demo, '..', 'js');
const { Tensor, Trainer } = await import(pathToFileURL(join(js, 'dist', 'normwasm.js')).href);
const run = promisify(execFile);

let browser, site;
before(async () => {
  site = await serveSite();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await site?.close();
});

/** The page, with what it says when something is wrong. */
async function visit(t, hash = '', { options = {}, quiet = true, prepare = async () => {} } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(300_000);
  const trouble = [];
  page.on('console', (m) => ['error', 'warning'].includes(m.type()) && trouble.push(`console: ${m.text()}`));
  page.on('pageerror', (e) => trouble.push(`page: ${e.message}`));
  context.on('request', (r) => [site.url, 'blob:'].some((a) => r.url().startsWith(a)) || trouble.push(`request: ${r.url()}`));
  t.after(async () => {
    await context.close();
    if (quiet) assert.deepEqual(trouble, []);
  });
  await prepare(page);
  await page.goto(`${site.url}lab.html${hash}`);
  await page.waitForFunction(() => 'started' in document.documentElement.dataset);
  return page;
}

const started = async (page, guess = 'b') => {
  await page.check(`input[name=guess][value=${guess}]`);
  await page.click('#start');
};
const decided = (page, step) => page.waitForFunction((n) => new RegExp(`after ${n} steps`).test(document.querySelector('#verdict').textContent), step);

/** The numbers of the page's race, as they are. */
const numbersOf = (page) => page.evaluate(() => ({ steps: lab.race.steps.map(({ loss, accuracy, batch }) => ({ loss, accuracy, batch })), looks: lab.race.looks.map(({ step, running, ofBatch }) => ({ step, running, ofBatch })) }));

/** The same race in Node, in this thread. */
async function inNode(t, setting, more = {}) {
  const race = await Race.create({ Trainer, Tensor, setting, read: readData, start: { variant: 'simd' }, ...more });
  t.after(() => race.dispose());
  while (race.at < setting.steps) await race.step();
  return race;
}
const plain = (race) => ({ steps: race.steps.map(({ loss, accuracy, batch }) => ({ loss, accuracy, batch })), looks: race.looks.map(({ step, running, ofBatch }) => ({ step, running, ofBatch })) });

/** A chart's curves in the units of its axes, read off the drawing: the axis for steps, the labelled grid for values. */
const drawn = (page, id) => page.evaluate((id) => {
  const svg = document.querySelector(`#plot-${id} svg`);
  const [, left, , right] = /M([\d.]+) ([\d.]+)H([\d.]+)/.exec(svg.querySelector('.axis').getAttribute('d')).map(Number);
  const value = (text) => (text.endsWith('%') ? Number(text.replace(/ %/, '')) / 100 : Number(text));
  const grid = [...svg.querySelectorAll('.grid')].map((g) => [Number(/M[\d.]+ ([\d.]+)H/.exec(g.getAttribute('d'))[1]), value(g.nextElementSibling.textContent)]);
  const [[y0, v0], [y1, v1]] = [grid[0], grid.at(-1)];
  return [...svg.querySelectorAll('.band + .line')].map((line) => [...line.getAttribute('d').matchAll(/[ML]([\d.]+) ([\d.]+)/g)].map(([, x, y]) => [(Number(x) - left) / (right - left), v0 + ((Number(y) - y0) / (y1 - y0)) * (v1 - v0)]));
}, id);

/** The mean of each value and the nineteen before it, or as many as there are. */
const smoothed = (values) => values.map((_, i) => values.slice(Math.max(0, i - 19), i + 1)).map((list) => list.reduce((a, b) => a + b, 0) / list.length);

const near = (a, b, by, what) => assert.ok(Math.abs(a - b) <= by, `${what}: ${a}, want ${b}`);

test('settings survive their address, and what makes no sense is mended', () => {
  for (const { claim } of claims) {
    const setting = settingOf(claim);
    assert.equal(toHash(setting), `#claim=${claim}`);
    assert.deepEqual(fromHash(toHash(setting)), setting);
    const other = { ...setting, claim: 0, seed: 77, rate: 0.0125, batch: 5, steps: 123, changes: [{ from: 10, batch: 1 }, { from: 40, batch: 64 }] };
    assert.deepEqual(fromHash(toHash(other)), other);
  }
  assert.deepEqual(fromHash(''), settingOf(3));
  for (const hash of ['#claim=99', '#claim=3&batch=x&rate=&seed=no&steps=NaN', '#data=paintings&network=__proto__&a=toString&b=%00', '#claim=3&then=1x0_x_-4x2_9x9e9_5:3']) assert.deepEqual(fromHash(hash), settingOf(3), hash);
  assert.equal(fromHash('#batch=100000&rate=-1').batch, 256);
  assert.equal(fromHash('#data=names&a=groupNorm').a, 'batchNorm', 'GroupNorm would see letters to come');
  // Where a step's batch begins is the sum of those before it.
  const setting = { ...settingOf(3), batch: 3, changes: [{ from: 2, batch: 1 }, { from: 5, batch: 7 }] };
  let place = 0;
  for (let step = 0; step < 9; step++) {
    assert.equal(placeAt(setting, step), place);
    place += batchAt(setting, step);
  }
});

test('claims are those of the experiments', async () => {
  for (const { claim, experiment, title } of claims) {
    const { default: declared } = await import(`../src/lab/experiments/${experiment}.js`);
    assert.deepEqual([claim, title], [declared.id, declared.title]);
  }
});

test('a race in Node goes back and on to the bit, and forgets what came after', async (t) => {
  const setting = { ...fromHash('#claim=4&steps=40&batch=3') };
  const race = await inNode(t, setting, { keep: { states: 4, bytes: 1e6 } });
  const { states, bytes } = race.kept;
  assert.ok(states >= 2 && states <= 4 && bytes <= 1e6, `${states} states of ${bytes} bytes are kept`);
  const whole = plain(race);
  await race.goTo(17);
  assert.equal(race.at, 17);
  assert.ok(race.looks.every((l) => l.step <= 17));
  while (race.at < 40) await race.step();
  assert.deepEqual(plain(race), whole);
  const was = await race.after(40, 0, (trainer) => trainer.save());
  const early = await race.after(11, 0, (trainer) => trainer.save());
  assert.notDeepEqual(early, was);
  assert.deepEqual(await race.after(40, 0, (trainer) => trainer.save()), was, 'looking back changes nothing');
  await race.goTo(11);
  assert.deepEqual(await race.after(11, 0, (trainer) => trainer.save()), early);
});

test('predict, start, pause, one step, look back, a batch of one, share, take home', async (t) => {
  const hash = '#claim=3&batch=8&rate=0.004&steps=40&seed=5';
  const setting = fromHash(hash);
  const page = await visit(t, hash, { options: { acceptDownloads: true, permissions: ['clipboard-read', 'clipboard-write'] } });
  await page.click('#start');
  assert.match(await page.textContent('#asked'), /First say who/);
  await started(page, 'a');
  await page.waitForFunction(() => lab.race.at >= 5);
  await page.click('#go'); // pause
  await page.waitForFunction(() => /^Paused at step/.test(document.querySelector('#state').textContent));
  const paused = await page.evaluate(() => lab.race.at);
  if (paused < 40) {
    await page.click('#step');
    await page.waitForFunction((n) => lab.view === n + 1, paused);
    await page.click('#go');
  }
  await decided(page, 40);

  const node = await inNode(t, setting);
  const grid = ({ steps, looks }) => ({ steps, looks: looks.filter((l) => node.looks.some((m) => m.step === l.step)) });
  assert.deepEqual(grid(await numbersOf(page)), plain(node), 'the page computes what Node computes');

  // What is said agrees with what was computed.
  const { winner, scores } = await node.decide();
  const said = await page.textContent('#verdict');
  for (const s of scores) assert.ok(said.includes(`${(100 * s.accuracy).toFixed(1)} % right`), said);
  assert.ok(said.includes(winner === 'a' ? 'You said BatchNorm: so it was.' : 'You said BatchNorm: it was not so.'), said);

  // What is drawn is what was computed.
  const accuracy = await drawn(page, 'accuracy');
  assert.equal(accuracy.length, 3);
  const looks = (await numbersOf(page)).looks;
  [(l) => l.running[0], (l) => l.ofBatch[0], (l) => l.running[1]].forEach((of, i) => {
    assert.equal(accuracy[i].length, looks.length);
    accuracy[i].forEach(([x, y], k) => {
      near(x, looks[k].step / 40, 0.001, `series ${i}, point ${k}, step`);
      near(y, of(looks[k]).accuracy, 0.002, `series ${i}, point ${k}`);
    });
  });
  const loss = await drawn(page, 'loss');
  loss.forEach((points, i) => {
    const want = smoothed(node.steps.map((s) => s.loss[i]));
    assert.equal(points.length, 40);
    points.forEach(([x, y], k) => {
      near(x, (k + 1) / 40, 0.001, 'step');
      near(y, want[k], 0.02, `loss of lane ${i}, step ${k + 1}`);
    });
  });

  // Looking back shows the numbers of then.
  await page.locator('#at').fill('20');
  assert.match(await page.textContent('#state'), /Looking back from step 40/);
  const then = node.looks.findLast((l) => l.step <= 20);
  for (const [i, lane] of ['a', 'b'].entries()) assert.equal(await page.textContent(`#lane-${lane} .score b`), `${(100 * then.running[i].accuracy).toFixed(1)} %`);
  const answers = await page.locator('#answers li').evaluateAll((items) => items.map((li) => [...li.querySelectorAll('.answer')].map((a) => [a.querySelector('b').textContent, a.querySelector('b + span').textContent.trim(), a.classList.contains('wrong')])));
  assert.equal(answers.length, 12);
  answers.forEach((pair, i) => pair.forEach(([digit, sure, wrong], lane) => {
    const p = softmax(row(then.outputs[lane], i, 10));
    const best = p.indexOf(Math.max(...p));
    assert.deepEqual([digit, sure, wrong], [String(best), `${Math.round(100 * p[best])} %`, best !== node.held.y.data[i]]);
  }));
  const rows = await page.locator('#rows-a tbody tr').evaluateAll((list) => list.map((r) => [r.children[0].textContent, r.querySelector('td span').textContent.replaceAll('−', '-').split(' ± ').map(Number)]));
  assert.deepEqual(rows.map(([name]) => name), then.layers[0].map((l) => l.layer));
  rows.forEach(([name, [mean, std]], k) => {
    near(mean, then.layers[0][k].activation.mean, 0.0051, `${name} mean`);
    near(std, then.layers[0][k].activation.std, 0.0051, `${name} deviation`);
  });
  const variances = await drawn(page, 'variance');
  const norm = then.layers[0].find((l) => / batchNorm$/.test(l.layer));
  [norm.running.variance, norm.batch.variance].forEach((list, i) => variances[i].forEach(([, v], c) => near(v, list[c], 0.01 * Math.max(...norm.batch.variance, ...norm.running.variance), `variance of channel ${c}`)));

  // Taking home what is shown: the networks after step 20.
  const download = async (id) => {
    const [file] = await Promise.all([page.waitForEvent('download'), page.click(id)]);
    return { name: file.suggestedFilename(), bytes: new Uint8Array(await readFile(await file.path())) };
  };
  const ort = createRequire(join(js, 'package.json'))('onnxruntime-web');
  ort.env.wasm.numThreads = 1;
  for (const [i, lane] of ['a', 'b'].entries()) {
    const onnx = await download(`#onnx-${lane}`);
    assert.equal(onnx.name, `${['batchnorm', 'layernorm'][i]}-step-20.onnx`);
    const { outputs } = await node.after(20, i, (trainer) => trainer.evaluate(node.held));
    const session = await ort.InferenceSession.create(onnx.bytes);
    const { y } = await session.run({ x: new ort.Tensor('float32', node.held.x.data, node.held.x.dims) });
    assert.deepEqual([...y.dims], [...outputs.dims]);
    outputs.data.forEach((v, k) => near(y.data[k], v, 1e-5 * Math.max(1, Math.abs(v)), `${onnx.name}, output ${k}`));
    const file = await download(`#safetensors-${lane}`);
    assert.equal(file.name, `${['batchnorm', 'layernorm'][i]}-step-20.safetensors`);
    assert.deepEqual(file.bytes, await node.after(20, i, (trainer) => trainer.save()));
  }

  // On from there with batches of one.
  await page.click('#one');
  await page.waitForFunction(() => lab.race.batch === 1);
  await decided(page, 40);
  const broken = node;
  await broken.goTo(20);
  await broken.setBatch(1);
  while (broken.at < 40) await broken.step();
  const changed = { ...setting, changes: [{ from: 20, batch: 1 }] };
  const got = await numbersOf(page);
  assert.deepEqual(got.steps, plain(broken).steps);
  const [now, before] = [broken.looks.at(-1), broken.looks.findLast((l) => l.step <= 20)];
  const told = await page.textContent('#change');
  assert.match(told, /^Since step 20 a batch is one digit\./);
  for (const i of [0, 1]) {
    assert.ok(told.includes(`from ${(100 * before.running[i].accuracy).toFixed(1)} % to ${(100 * now.running[i].accuracy).toFixed(1)} %`), told);
    const losses = smoothed(broken.steps.map((s) => s.loss[i]));
    assert.ok(told.includes(`from ${losses[19].toFixed(2)} to ${losses[39].toFixed(2)}`), told);
  }
  assert.ok(await page.locator('#plot-accuracy .mark-text').filter({ hasText: 'batch of 1' }).isVisible());

  // The address brings all of it back: a race that is to change there from the beginning.
  await page.click('#share-copy');
  const address = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(address, page.url());
  assert.deepEqual(fromHash(new URL(address).hash), changed);
  const second = await visit(t, new URL(address).hash);
  assert.deepEqual(await second.evaluate(() => lab.setting), changed);
  await started(second);
  await decided(second, 40);
  assert.deepEqual((await numbersOf(second)).steps, plain(broken).steps);

  // The code that is shown makes the same numbers.
  await second.locator('#code-copy').scrollIntoViewIfNeeded();
  const code = await second.textContent('#code');
  const home = await mkdtemp(join(tmpdir(), 'demo-race-home-'));
  t.after(() => rm(home, { recursive: true }));
  await mkdir(join(home, 'node_modules'));
  await symlink(js, join(home, 'node_modules', 'normwasm'));
  for (const file of ['data.js', 'random.js']) await copyFile(join(site.root, 'lab', file), join(home, file));
  await writeFile(join(home, 'package.json'), '{ "type": "module" }');
  await writeFile(join(home, 'race.js'), code);
  const { stdout } = await run(process.execPath, ['race.js'], { cwd: home });
  const lines = stdout.trim().split('\n');
  for (const [i, name] of ['BatchNorm', 'LayerNorm'].entries()) {
    assert.ok(lines.includes(`${name} step 37 loss ${broken.steps[36].loss[i]}`), stdout);
    assert.ok(lines.includes(`${name} held-out loss ${now.running[i].loss} accuracy ${now.running[i].accuracy}`), stdout);
  }
});

test('names race too: another task, another network, and code that says so', async (t) => {
  const page = await visit(t, '#claim=8&steps=20&batch=4');
  await started(page, 'same');
  await decided(page, 20);
  const node = await inNode(t, fromHash('#claim=8&steps=20&batch=4'));
  assert.deepEqual((await numbersOf(page)).steps, plain(node).steps);
  assert.ok(await page.locator('#statistics').isHidden(), 'LayerNorm keeps no statistics');
  assert.match(await page.textContent('#verdict'), /held-out names: .* a loss of \d\.\d{3} a letter.*You said about the same/);
  const letters = await page.locator('#answers li').first().locator('.letters').first().textContent();
  assert.equal(letters.length, (await page.locator('#answers li .asked').first().textContent()).length + 1, 'a letter for each, and one for the end');
  assert.match(await page.textContent('#code'), /'LayerNorm after the sum': \[/);
  // A claim tells where it comes from.
  await page.selectOption('#claim', '7');
  await page.locator('#source summary').click();
  await page.locator('#source').getByText('PowerNorm').waitFor();
  assert.equal(await page.getAttribute('#source-here', 'href'), 'experiments.html#transformer');
});

test('a lane that cannot go on says why, and the other goes on', async (t) => {
  // One value a channel has no variance.
  const page = await visit(t, '#claim=1&steps=20&batch=1');
  await started(page);
  await decided(page, 20);
  assert.match(await page.textContent('#lane-b .pace'), /^Stopped at step 1: .*layer 2 batchNorm.*one value per channel/);
  assert.match(await page.textContent('#verdict'), /^No normalization is ahead after 20 steps\..*BatchNorm has stopped/);
  assert.equal(await page.evaluate(() => lab.race.steps.filter((s) => s.loss[0] !== null && s.loss[1] === null).length), 20);

  // A learning rate that is far too large, and back to where both could still go on.
  const race = await Race.create({ Trainer, Tensor, setting: { ...fromHash('#claim=2&steps=20&batch=4'), rate: 1e9 }, read: readData, start: { variant: 'simd' } });
  t.after(() => race.dispose());
  while (race.running && race.at < 20) await race.step();
  const [none] = race.lanes;
  assert.match(none.stopped?.message, /not finite.* layer \d+/);
  const { step } = none.stopped;
  assert.ok(race.steps[step - 1].loss[0] !== null && race.steps[step].loss[0] === null);
  const { scores, winner } = await race.decide();
  assert.equal(scores[0], null);
  assert.equal(winner, race.lanes[1].stopped ? 'same' : 'b');
  await race.goTo(step);
  assert.equal(none.stopped, undefined);
  await race.step();
  assert.equal(none.stopped?.step, step, 'it stops where it stopped');
});

test('by keyboard alone, on a phone, nothing moves by itself and axe-core finds nothing', async (t) => {
  const page = await visit(t, '#claim=3&steps=60&batch=4', { options: { viewport: { width: 390, height: 844 } }, prepare: measure });
  const focused = () => page.evaluate(() => document.activeElement?.id || document.activeElement?.getAttribute('value') || '');
  const tabTo = async (id) => {
    for (let i = 0; i < 40; i++) {
      if ((await focused()) === id) return;
      await page.keyboard.press('Tab');
    }
    assert.fail(`${id} is not reached by Tab`);
  };
  await tabTo('claim');
  await tabTo('a'); // the first guess
  await page.keyboard.press('Space');
  await page.keyboard.press('ArrowRight');
  assert.equal(await focused(), 'b');
  await tabTo('start');
  await page.keyboard.press('Enter');
  await decided(page, 60);
  assert.match(await page.textContent('#verdict'), /You said LayerNorm/);
  await tabTo('at');
  await page.keyboard.press('ArrowLeft');
  assert.equal(await page.evaluate(() => lab.view), 59);
  await page.keyboard.press('Home');
  assert.equal(await page.evaluate(() => lab.view), 0);
  await page.keyboard.press('End');
  await tabTo('one');
  await page.keyboard.press('Enter');
  await decided(page, 120);
  await page.locator('#plot-loss summary').click();
  await page.locator('#plot-loss tbody tr:nth-child(5)').waitFor(); // the table is filled when it has opened
  const { shifts } = await measured(page);
  assert.deepEqual(shifts, []);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  await assertAccessible(page, 'after a race');
});

test('a program that cannot be fetched is explained, and trying again works', async (t) => {
  let broken = true;
  const page = await visit(t, '#claim=3&steps=20', { quiet: false, prepare: (page) => page.context().route('**/*.train.*.wasm', (route) => (broken ? route.abort('connectionreset') : route.continue())) });
  assert.match(await page.textContent('#problem'), /^The race could not be prepared: .*train\.simd\.wasm/);
  broken = false;
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.waitForFunction(() => lab.race);
  assert.ok(await page.locator('#problem').isHidden());
});
