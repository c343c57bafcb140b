import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crop, luminance, resample, rotate, shrinker, toRGBA, turn } from '../src/pixels.js';

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

test('shrinking in bands gives the mean of what each pixel covers, whatever the bands and the ratio', () => {
  const p = picture(37, 29, (x, y) => [x * 6, y * 8, (x * y) % 256, 255]);
  for (const [w, h] of [[37, 29], [10, 7], [1, 1], [36, 13]]) {
    const shrink = shrinker(37, 29, w, h);
    for (let y = 0; y < 29; y += 5) shrink.take(p.data.subarray(4 * 37 * y, 4 * 37 * Math.min(29, y + 5)));
    const out = shrink.done();
    for (let v = 0; v < h; v++) {
      for (let u = 0; u < w; u++) {
        // From the definition: the integral over the pixel's area.
        const mean = [0, 0, 0];
        let whole = 0;
        for (let y = 0; y < 29; y++) {
          for (let x = 0; x < 37; x++) {
            const covers = Math.max(0, Math.min((u + 1) * 37 / w, x + 1) - Math.max(u * 37 / w, x)) * Math.max(0, Math.min((v + 1) * 29 / h, y + 1) - Math.max(v * 29 / h, y));
            whole += covers;
            for (let c = 0; c < 3; c++) mean[c] += covers * p.data[4 * (37 * y + x) + c];
          }
        }
        for (let c = 0; c < 3; c++) assert.ok(Math.abs(out.data[4 * (w * v + u) + c] - mean[c] / whole) <= 0.6, `${w} × ${h} at ${u}, ${v}`);
      }
    }
  }
  const clear = shrinker(2, 1, 1, 1);
  clear.take(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 255));
  assert.deepEqual([...clear.done().data], [128, 128, 128, 255], 'what is transparent shows white paper');
});

test('quarter turns move pixels and change none; four of them are none', () => {
  const p = picture(3, 2, (x, y) => [x, y, 7, 255]);
  const once = rotate(p, 90);
  assert.deepEqual([once.width, once.height], [2, 3]);
  assert.deepEqual([...once.data.subarray(0, 4)], [0, 1, 7, 255], 'what was below on the left is above on the left');
  assert.deepEqual(rotate(rotate(once, 90), 180).data, p.data);
  assert.deepEqual(rotate(p, -90).data, rotate(p, 270).data);
});

test('a turned rectangle is laid level, and turning clockwise undoes a lean to the left', () => {
  const bar = (x, y) => (Math.abs((y - 50) * Math.cos(0.3) - (x - 50) * Math.sin(0.3)) < 5 ? [0, 0, 0, 255] : [255, 255, 255, 255]);
  const p = picture(100, 100, bar);
  const level = crop(p, { cx: 50, cy: 50, width: 60, height: 20, angle: (0.3 * 180) / Math.PI });
  assert.deepEqual([level.width, level.height], [60, 20]);
  for (let x = 0; x < 60; x += 7) assert.deepEqual([level.data[4 * (60 * 10 + x)], level.data[4 * (60 * 1 + x)]], [0, 255]);
  const turnedBack = rotate(p, (-0.3 * 180) / Math.PI);
  const middle = Math.floor(turnedBack.height / 2);
  for (let x = 40; x < turnedBack.width - 40; x += 5) assert.equal(turnedBack.data[4 * (turnedBack.width * middle + x)], 0);
});
