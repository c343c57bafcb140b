import assert from 'node:assert/strict';
import { test } from 'node:test';
import { regions, settled, slope, smallestRect, turned } from '../src/detect.js';
import { around, joined, readingOrder } from '../src/order.js';

const box = (x, y, width, height = 20) => ({ x, y, width, height });
const rect = (x, y, width, height = 20, angle = 0) => ({ cx: x + width / 2, cy: y + height / 2, width, height, angle, score: 1 });

test('lines are read from top to bottom', () => {
  assert.deepEqual(readingOrder([box(0, 60, 200), box(0, 0, 200), box(0, 30, 90)]), [1, 2, 0]);
  assert.deepEqual(readingOrder([]), []);
});

test('columns of running text are read one after the other, below what runs across and before what follows', () => {
  const title = box(0, 0, 460), foot = box(150, 140, 160);
  const left = [box(0, 40, 200), box(0, 70, 190), box(0, 100, 60)], right = [box(260, 42, 200), box(260, 72, 200), box(260, 102, 200)];
  const boxes = [right[1], title, left[0], foot, right[0], left[2], right[2], left[1]];
  assert.deepEqual(readingOrder(boxes), [1, 2, 7, 5, 4, 0, 6, 3]);
});

test('a receipt is read row by row', () => {
  const rows = [0, 30, 60].flatMap((y) => [box(0, y, 160), box(300, y + 2, 50)]);
  assert.deepEqual(readingOrder(rows), [0, 1, 2, 3, 4, 5]);
});

test('hundreds of lines are ordered in a moment', () => {
  const many = Array.from({ length: 400 }, (_, i) => box(i % 3 ? 0 : 5, 25 * i, 300));
  const begin = performance.now();
  assert.deepEqual(readingOrder(many), many.map((_, i) => i));
  assert.ok(performance.now() - begin < 5000);
});

test('words of one line are joined, lines and columns are not', () => {
  assert.equal(joined([rect(0, 0, 100), rect(112, 1, 60)]).length, 1);
  assert.equal(joined([rect(0, 0, 100), rect(110, 4, 12, 12)]).length, 1, 'a lone figure is lower than the line');
  assert.equal(joined([rect(0, 0, 100), rect(0, 26, 100)]).length, 2);
  assert.equal(joined([rect(0, 0, 100), rect(150, 0, 100)]).length, 2);
  assert.equal(joined([rect(0, 0, 100), rect(104, -20, 80, 60)]).length, 2, 'a heading beside small print');
  assert.deepEqual(around(joined([rect(0, 0, 100), rect(112, 0, 60)])[0]), box(0, 0, 172));
});

/** The corners of a turned rectangle. */
const corners = ({ cx, cy, width, height, angle }) => {
  const c = Math.cos((angle * Math.PI) / 180), s = Math.sin((angle * Math.PI) / 180);
  return [[-1, -1], [1, -1], [1, 1], [-1, 1]].map(([u, v]) => [cx + (u * width * c - v * height * s) / 2, cy + (u * width * s + v * height * c) / 2]);
};

test('the smallest rectangle around points is found at any angle, its width the longer side', () => {
  for (const angle of [0, 12, 45, 89, 90, -30, -89]) {
    const want = { cx: 50, cy: 40, width: 60, height: 10, angle };
    const got = smallestRect([...corners(want), [50, 40], [50, 41]]);
    for (const key of ['cx', 'cy', 'width', 'height']) assert.ok(Math.abs(got[key] - want[key]) < 1e-6, `${key} at ${angle}°`);
    assert.ok(Math.abs((((got.angle - angle) % 180) + 270) % 180 - 90) < 1e-6, `${angle}° found as ${got.angle}°`);
  }
});

test('a likelihood map becomes rectangles in the pixels of the picture, wider than the cores that it marks', () => {
  const map = new Float32Array(64 * 32);
  for (let y = 10; y < 16; y++) for (let x = 8; x < 56; x++) map[64 * y + x] = 0.9;
  map[64 * 28 + 60] = 0.9;
  for (let y = 22; y < 27; y++) for (let x = 5; x < 20; x++) map[64 * y + x] = 0.35;
  const found = regions(map, 64, 32, { width: 640, height: 320 });
  assert.equal(found.length, 1, 'neither a speck nor a patch that is unlikely throughout');
  const [{ cx, cy, width, height, angle }] = found;
  assert.deepEqual([cx, cy, angle], [320, 130, 0]);
  assert.ok(width > 480 && height > 60 && width - 480 === height - 60, `${width} × ${height}`);
});

test('the direction is what most of the length agrees on; squares have none', () => {
  assert.equal(slope([]), 0);
  assert.equal(slope([rect(0, 0, 20, 20, 33)]), 0);
  assert.ok(Math.abs(slope([rect(0, 0, 200, 20, 19), rect(0, 40, 180, 20, 20), rect(0, 80, 30, 20, -70)]) - 19.5) < 0.6);
  assert.ok(Math.abs(Math.abs(slope([rect(0, 0, 200, 20, 89), rect(0, 40, 200, 20, -89)])) - 90) < 1e-6, 'upright lines agree across the seam');
});

test('on a level picture short words lie level, and what clearly stands upright stays', () => {
  const [word, sign] = settled([rect(0, 0, 30, 20, 90), rect(0, 0, 200, 20, 90)]);
  assert.deepEqual([word.angle, word.width, word.height], [0, 20, 30]);
  assert.equal(sign.angle, 90);
  assert.deepEqual([turned(sign).angle, turned(sign).width], [0, 20]);
});
