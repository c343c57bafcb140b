import assert from 'node:assert/strict';
import { test } from 'node:test';
import { luminance, resample, toRGBA, turn } from '../src/pixels.js';

/** A picture from a function of x and y giving [r, g, b, a]. */
function picture(width, height, at) {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let y = 0, p = 0; y < height; y++) for (let x = 0; x < width; x++, p += 4) data.set(at(x, y), p);
  return { data, width, height };
}

test('luminance weighs the colours and puts white paper behind what is transparent', () => {
  const lum = luminance(picture(4, 1, (x) => [[255, 255, 255, 255], [0, 0, 0, 255], [0, 0, 0, 0], [255, 0, 0, 255]][x]));
  assert.deepEqual([...lum].map((v) => Math.round(v)), [255, 0, 255, 76]);
});

test('resampling to the same size changes nothing', () => {
  const p = picture(5, 3, (x, y) => [x * 50, y * 100, x * y * 10, 255]);
  const out = resample(p, { x: 0, y: 0, width: 5, height: 3 }, 5, 3);
  for (let i = 0; i < 15; i++) for (let c = 0; c < 3; c++) assert.ok(Math.abs(out.data[3 * i + c] - p.data[4 * i + c]) < 1e-3);
});

test('shrinking keeps the mean: no source pixel is skipped', () => {
  const p = picture(64, 64, (x, y) => ((x + y) % 2 ? [255, 255, 255, 255] : [0, 0, 0, 255]));
  const { data } = resample(p, { x: 0, y: 0, width: 64, height: 64 }, 8, 8);
  for (const v of data) assert.ok(Math.abs(v - 127.5) < 1, `a chequered board turns to grey, got ${v}`);
});

test('a box cuts exactly its own pixels', () => {
  const p = picture(10, 10, (x, y) => (x >= 3 && x < 6 && y >= 2 && y < 8 ? [10, 20, 30, 255] : [200, 200, 200, 255]));
  const out = resample(p, { x: 3, y: 2, width: 3, height: 6 }, 30, 12);
  for (let i = 0; i < out.data.length; i += 3) assert.deepEqual([...out.data.subarray(i, i + 3)].map(Math.round), [10, 20, 30]);
});

test('turning twice gives the same picture, turning once the pixels in reverse', () => {
  const strip = { data: Float32Array.from({ length: 18 }, (_, i) => i), width: 3, height: 2 };
  assert.deepEqual(turn(turn(strip)).data, strip.data);
  assert.deepEqual([...turn(strip).data.subarray(0, 6)], [15, 16, 17, 12, 13, 14]);
});

test('toRGBA gives opaque bytes', () => {
  assert.deepEqual([...toRGBA({ data: Float32Array.of(1, 2, 300), width: 1, height: 1 })], [1, 2, 255, 255]);
});
