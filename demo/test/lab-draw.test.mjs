// Draw: drawings as MNIST has them, and the page's numbers against the network in float64.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Digits } from '../src/lab/data.js';
import { BOX, SIDE, centreOfMass, moved, rasterize } from '../src/lab/draw-model.js';
import { softmax } from '../src/lab/softmax.js';
import { digitReader } from '../src/lab/networks.js';
import { lab, looks, screens } from './lab.mjs';

const { read, visit } = lab();
const weightsFile = join(import.meta.dirname, '../src/models/digits.safetensors');

/** Where there is ink. @param {ArrayLike<number>} picture */
function box(picture) {
  const at = Array.from({ length: SIDE * SIDE }, (_, i) => i).filter((i) => picture[i] > 0);
  const x = at.map((i) => i % SIDE), y = at.map((i) => Math.floor(i / SIDE));
  return { left: Math.min(...x), right: Math.max(...x), top: Math.min(...y), bottom: Math.max(...y) };
}

/** Digits as a hand may draw them, from 0 to 1. */
const circle = (cx, cy, rx, ry, from = 0, to = 2 * Math.PI) => Array.from({ length: 25 }, (_, k) => {
  const a = from + (to - from) * k / 24;
  return { x: cx + rx * Math.cos(a), y: cy + ry * Math.sin(a) };
});
const line = (...points) => points.flatMap(([x, y], k) => (k === 0 ? [{ x, y }] : Array.from({ length: 8 }, (_, i) => {
  const [px, py] = points[k - 1], t = (i + 1) / 8;
  return { x: px + t * (x - px), y: py + t * (y - py) };
})));
const drawings = {
  0: [circle(0.5, 0.5, 0.22, 0.32)],
  1: [line([0.52, 0.15], [0.48, 0.85])],
  2: [[...circle(0.5, 0.33, 0.2, 0.18, -Math.PI, 0.2), ...line([0.69, 0.37], [0.3, 0.82], [0.74, 0.82])]],
  3: [[...circle(0.48, 0.33, 0.19, 0.17, -2.4, 1.4), ...circle(0.48, 0.67, 0.22, 0.18, -1.4, 2.4)]],
  4: [line([0.4, 0.15], [0.28, 0.55], [0.75, 0.55]), line([0.65, 0.2], [0.6, 0.88])],
  7: [line([0.28, 0.2], [0.72, 0.2], [0.45, 0.85])],
};

describe('a drawing', () => {
  test('takes 20 pixels and has its centre of mass in the middle, wherever and however large it is', () => {
    for (const [name, strokes] of Object.entries(drawings)) {
      for (const [scale, dx, dy] of [[1, 0, 0], [0.5, 0.4, 0.1], [0.35, 0.02, 0.6]]) {
        const picture = rasterize(strokes.map((s) => s.map(({ x, y }) => ({ x: x * scale + dx, y: y * scale + dy })))), about = `${name}, ${scale} as large`;
        const { left, right, top, bottom } = box(picture), size = Math.max(right - left, bottom - top) + 1;
        assert.ok(Math.abs(size - BOX) <= 1, `${about}: ${size} pixels`);
        const { x, y } = centreOfMass(picture);
        assert.ok(Math.abs(x - SIDE / 2) <= 0.51 && Math.abs(y - SIDE / 2) <= 0.51, `${about}: ${x}, ${y}`);
        assert.ok(picture.every((v) => v >= 0 && v <= 1));
      }
    }
    assert.ok(rasterize([]).every((v) => v === 0), 'nothing is nothing');
    const dot = box(rasterize([[{ x: 0.1, y: 0.9 }]]));
    assert.ok(dot.right - dot.left < 6, 'a dot stays a dot');
  });

  test('has as much ink as MNIST’s, and lies where MNIST’s lie', async () => {
    const digits = await new Digits({ read, Tensor: undefined }).load(0, 1000);
    const ink = (p) => Array.from(p).reduce((a, b) => a + b, 0);
    for (const [name, strokes] of Object.entries(drawings)) {
      const same = Array.from({ length: 1000 }, (_, i) => i).filter((i) => digits.label(i) === Number(name)).map((i) => Float32Array.from(digits.picture(i), (v) => v / 255));
      const all = same.map(ink).sort((a, b) => a - b), mine = ink(rasterize(strokes));
      assert.ok(mine > all[Math.floor(all.length * 0.02)] && mine < all[Math.floor(all.length * 0.98)], `${name}: ${mine}, MNIST ${all[0]} to ${all.at(-1)}`);
      const middle = same.map(centreOfMass).reduce((a, c) => a + c.x + c.y, 0) / same.length / 2;
      assert.ok(Math.abs(middle - SIDE / 2) < 0.1, `${name}: MNIST's middle is ${middle}`);
    }
  });

  test('is moved by whole pixels', () => {
    const picture = rasterize(drawings[7]), there = moved(picture, 2, -3);
    assert.ok(there.every((v, i) => v === (i % SIDE >= 2 && i < SIDE * (SIDE - 3) ? picture[i + 3 * SIDE - 2] : 0)));
  });
});

/** The network in float64, straight from the definitions. */
function oracle(tensors, model, pictures, statistics) {
  const n = pictures.length;
  let x = pictures.map((p) => Float64Array.from(p)), shape = [1, SIDE, SIDE];
  const size = () => shape.reduce((a, b) => a * b, 1);
  model.forEach((layer, at) => {
    const of = (name) => tensors[`${at}.${name}`];
    const [c, h, w] = shape;
    switch (layer.type) {
      case 'conv2d': {
        const k = layer.kernel, stride = layer.stride ?? 1, H = Math.ceil(h / stride), W = Math.ceil(w / stride);
        // Half of what is missing, less at the top and left.
        const [up, before] = [[H, h], [W, w]].map(([o, i]) => Math.floor(Math.max(0, (o - 1) * stride + k - i) / 2));
        const weight = of('weight'), bias = of('bias');
        x = x.map((p) => Float64Array.from({ length: layer.filters * H * W }, (_, i) => {
          const f = Math.floor(i / (H * W)), r = Math.floor(i / W) % H, q = i % W;
          let sum = bias ? bias[f] : 0;
          for (let ch = 0; ch < c; ch++) for (let a = 0; a < k; a++) for (let b = 0; b < k; b++) {
            const row = r * stride - up + a, column = q * stride - before + b;
            if (row >= 0 && row < h && column >= 0 && column < w) sum += weight[((f * c + ch) * k + a) * k + b] * p[(ch * h + row) * w + column];
          }
          return sum;
        }));
        shape = [layer.filters, H, W];
        break;
      }
      case 'batchNorm': {
        const per = size() / c, [scale, bias, rm, rv] = ['weight', 'bias', 'running_mean', 'running_var'].map(of);
        const out = x.map((p) => p.slice());
        for (let ch = 0; ch < c; ch++) {
          let [mean, variance] = [rm[ch], rv[ch]];
          if (statistics === 'batch') {
            const all = x.flatMap((p) => Array.from(p.subarray(ch * per, (ch + 1) * per)));
            mean = all.reduce((a, b) => a + b, 0) / all.length;
            variance = all.reduce((a, b) => a + (b - mean) ** 2, 0) / all.length;
          }
          for (const p of out) for (let i = ch * per; i < (ch + 1) * per; i++) p[i] = (p[i] - mean) / Math.sqrt(variance + (layer.epsilon ?? 1e-5)) * (scale ? scale[ch] : 1) + (bias ? bias[ch] : 0);
        }
        x = out;
        break;
      }
      case 'relu': x = x.map((p) => p.map((v) => Math.max(0, v))); break;
      case 'maxPool2d': {
        const s = layer.size, H = Math.floor(h / s), W = Math.floor(w / s);
        x = x.map((p) => Float64Array.from({ length: c * H * W }, (_, i) => {
          const ch = Math.floor(i / (H * W)), r = Math.floor(i / W) % H, q = i % W;
          let best = -Infinity;
          for (let a = 0; a < s; a++) for (let b = 0; b < s; b++) best = Math.max(best, p[(ch * h + r * s + a) * w + q * s + b]);
          return best;
        }));
        shape = [c, H, W];
        break;
      }
      case 'globalAveragePool': x = x.map((p) => Float64Array.from({ length: c }, (_, ch) => p.subarray(ch * h * w, (ch + 1) * h * w).reduce((a, b) => a + b, 0) / (h * w))); shape = [c]; break;
      case 'dropout': case 'flatten': break;
      case 'linear': {
        const weight = of('weight'), bias = of('bias'), from = size();
        x = x.map((p) => Float64Array.from({ length: layer.units }, (_, u) => p.reduce((a, v, i) => a + v * weight[u * from + i], bias ? bias[u] : 0)));
        shape = [layer.units];
        break;
      }
      default: assert.fail(`the oracle knows no ${layer.type}`);
    }
  });
  assert.equal(x.length, n);
  return x;
}

/** @param {Buffer} file a safetensors file of float32 */
function tensorsOf(file) {
  const length = Number(file.readBigUInt64LE(0)), header = JSON.parse(file.subarray(8, 8 + length).toString());
  return Object.fromEntries(Object.entries(header).filter(([name, t]) => name !== '__metadata__' && t.dtype === 'F32').map(([name, { data_offsets: [from, to] }]) => [
    name, new Float32Array(file.buffer.slice(file.byteOffset + 8 + length + from, file.byteOffset + 8 + length + to))]));
}

describe('the page', () => {
  const number = (text) => Number(text.replace('−', '-').replace(' %', ''));
  const seen = (page) => page.evaluate(() => ({
    answer: document.querySelector('#answer').textContent,
    rows: [...document.querySelectorAll('#bars tr')].map((r) => [...r.children].map((c) => c.textContent)),
    widths: [...document.querySelectorAll('#bars i')].map((i) => i.style.width),
    pictures: [...document.querySelectorAll('#batch canvas')].map((c) => Array.from(c.getContext('2d').getImageData(0, 0, 28, 28).data.filter((_, i) => i % 4 === 3), (v) => v / 255)),
    captions: [...document.querySelectorAll('#batch .thumb span')].map((s) => s.textContent),
    moved: document.querySelector('#moved').textContent, layers: [...document.querySelectorAll('#layers tr')].map((r) => [...r.children].map((c) => c.textContent)),
  }));
  const answers = (page) => page.evaluate(() => Number(document.documentElement.dataset.answers ?? 0));
  /** Does something and waits for the answer to it. */
  const upon = async (page, deed) => {
    const was = await answers(page);
    await deed();
    await page.waitForFunction((n) => Number(document.documentElement.dataset.answers) > n, was);
    return seen(page);
  };
  const pick = (page, statistics) => upon(page, () => page.locator(`input[value="${statistics}"]`).check({ force: true }));

  test('shows the network’s outputs: those of float64, with running statistics and with the batch’s', async (t) => {
    const tensors = tensorsOf(await readFile(weightsFile)), { model } = digitReader();
    const page = await visit(t, 'draw.html');
    for (const [digit, beside, statistics] of [['4', 'mixed', 'running'], ['4', 'mixed', 'batch'], ['8', 'alone', 'batch'], ['2', 'blank', 'batch']]) {
      if ((await page.inputValue('#beside')) !== beside) await upon(page, () => page.selectOption('#beside', beside));
      if (!(await page.isChecked(`input[value="${statistics}"]`))) await pick(page, statistics);
      const now = await upon(page, () => page.getByRole('button', { name: `${digit}: a ${digit} from the test set` }).click());
      assert.equal(now.pictures.length, beside === 'alone' ? 1 : 8);
      const [want, running] = [statistics, 'running'].map((s) => oracle(tensors, model, now.pictures, s)), about = `${digit}, ${beside}, ${statistics}`;
      const p = softmax(want[0]), best = want[0].indexOf(Math.max(...want[0]));
      now.rows.forEach(([, , share, logit, change], d) => {
        assert.ok(Math.abs(number(logit) - want[0][d]) < 0.0052, `${about}: logit of ${d} is ${logit}, want ${want[0][d]}`);
        assert.ok(Math.abs(number(change) - (want[0][d] - running[0][d])) < 0.0052, `${about}: ${d} moved by ${change}, want ${want[0][d] - running[0][d]}`);
        assert.ok(share === (p[d] > 0.9995 ? '> 99.9 %' : '< 0.1 %') ? p[d] > 0.9994 || p[d] < 0.0006 : Math.abs(number(share) - 100 * p[d]) < 0.06, `${about}: ${d} is ${share}, want ${p[d]}`);
        assert.ok(Math.abs(parseFloat(now.widths[d]) - 100 * p[d]) < 0.01, `${about}: the bar of ${d} is as long as its share`);
      });
      assert.match(now.answer, new RegExp(`^It says ${best}, `));
      now.captions.slice(1).forEach((caption, k) => {
        if (beside !== 'blank') assert.equal(Number(/\d$/.exec(caption)?.[0]), want[k + 1].indexOf(Math.max(...want[k + 1])), `${about}: ${caption}`);
      });
    }
  });

  test('the pictures beside it move the answer with the batch’s statistics, and only then', async (t) => {
    const page = await visit(t, 'draw.html');
    const logits = (s) => s.rows.map((r) => r[3]).join();
    const first = await seen(page);
    const other = await upon(page, () => page.click('#exchange'));
    assert.notDeepEqual(other.pictures.slice(1), first.pictures.slice(1));
    assert.equal(logits(other), logits(first), 'running statistics: nothing moves');
    assert.match(other.moved, /^Running statistics: /);
    const own = await pick(page, 'batch');
    assert.notEqual(logits(own), logits(first));
    const again = await upon(page, () => page.click('#exchange'));
    assert.notEqual(logits(again), logits(own));
    assert.deepEqual(again.pictures[0], own.pictures[0]);
    assert.match(again.moved, /in 2 batches its logit for \d was between −?\d+\.\d\d and −?\d+\.\d\d\.$/);
    const one = await upon(page, () => page.locator('#batch button').nth(2).click());
    assert.deepEqual(one.pictures.map((p, k) => p.join() !== again.pictures[k].join()), [false, false, false, true, false, false, false, false], 'one is exchanged');
    assert.match(one.moved, /in 3 batches/);
    assert.ok(one.layers.length >= 2 && one.layers.every(([name, shift, range]) => /batchNorm$/.test(name) && Number(shift) >= 0 && /^\d+\.\d\d to \d+\.\d\d$/.test(range)), String(one.layers));
  });

  test('what is drawn is read, by mouse and by touch', async (t) => {
    for (const { options } of [looks[3], looks[0]]) {
      const page = await visit(t, 'draw.html', { options });
      const box = await page.locator('#pad canvas').boundingBox();
      const touch = options.hasTouch ? await page.context().newCDPSession(page) : undefined;
      const at = ({ x, y }) => ({ x: box.x + x * box.width, y: box.y + y * box.height });
      for (const digit of touch ? [7] : [0, 3, 7]) {
        await page.click('#clear');
        for (const stroke of drawings[digit]) {
          const points = stroke.map(at);
          if (touch) {
            await touch.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: [points[0]] });
            for (const p of points) await touch.send('Input.dispatchTouchEvent', { type: 'touchMove', touchPoints: [p] });
            await touch.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
          } else {
            await page.mouse.move(points[0].x, points[0].y);
            await page.mouse.down();
            for (const p of points) await page.mouse.move(p.x, p.y);
            await page.mouse.up();
          }
        }
        await page.locator('#answer').filter({ hasText: `It says ${digit}, ` }).waitFor();
      }
      const want = rasterize(drawings[7]), off = async () => {
        const [seven] = (await seen(page)).pictures;
        return Math.max(...want.map((v, i) => Math.abs(v - seven[i])));
      };
      // The answer to the last stroke may be on its way.
      for (let k = 0; k < 3000 && (await off()) > 0.12; k++) await page.waitForTimeout(100);
      assert.ok((await off()) <= 0.12, `a pixel is off by ${await off()}`);
      await page.screenshot({ path: join(screens, `draw-${touch ? '390-light' : '1440-dark'}.png`), fullPage: true });
    }
  });

  test('by keyboard alone a digit is picked, moved and cleared', async (t) => {
    const page = await visit(t, 'draw.html');
    await page.getByRole('button', { name: '3: a 3 from the test set' }).focus();
    const three = await upon(page, () => page.keyboard.press('Enter'));
    await page.focus('#pad');
    await upon(page, () => page.keyboard.press('ArrowRight'));
    const there = await upon(page, () => page.keyboard.press('ArrowUp'));
    assert.deepEqual(there.pictures[0], Array.from(moved(three.pictures[0], 1, -1), (v) => there.pictures[0].find((w) => Math.abs(v - w) < 1e-6) ?? v));
    const nothing = await upon(page, () => page.keyboard.press('Delete'));
    assert.equal(nothing.answer, 'Draw a digit from 0 to 9.');
    assert.ok(nothing.pictures[0].every((v) => v === 0));
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'undo');
  });

  test('digits that it is not sure of are found', async (t) => {
    const page = await visit(t, 'draw.html');
    const pictures = new Set();
    for (let k = 0; k < 3; k++) {
      const now = await upon(page, () => page.click('#doubtful'));
      await page.waitForFunction(() => !document.querySelector('#doubtful').disabled);
      const [first, second] = now.rows.map((r) => number(r[3])).sort((a, b) => b - a);
      assert.ok(first - second < 3, `${first} and ${second} are not close`);
      pictures.add(now.pictures[0].join());
    }
    assert.equal(pictures.size, 3);
  });

  test('weights that do not arrive are told', async (t) => {
    const page = await visit(t, 'draw.html', { wait: false, quiet: false, before: (page) => page.route('**/digits.safetensors', (route) => route.fulfill({ status: 404, body: 'gone' })) });
    await page.locator('#failed').filter({ hasText: 'models/digits.safetensors could not be fetched' }).waitFor();
  });
});
