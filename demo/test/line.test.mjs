import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findLines, look, mainLine, tilt as tiltOf } from '../src/line.js';
import { rotate } from '../src/pixels.js';

/** Paper with bars for letters: dark uprights of 3 pixels, 5 pixels apart. */
function paper(width, height, lines, { ink = 20, ground = 240, draw = () => {} } = {}) {
  const grey = new Uint8Array(width * height).fill(ground);
  for (const { x, y, tall, letters } of lines) {
    for (let l = 0; l < letters; l++) {
      for (let v = y; v < y + tall; v++) for (let u = 0; u < 3; u++) grey[v * width + x + l * 8 + u] = ink;
    }
  }
  draw((x, y, v) => (grey[y * width + x] = v));
  const data = new Uint8ClampedArray(width * height * 4);
  grey.forEach((v, i) => data.set([v, v, v, 255], 4 * i));
  return { data, width, height };
}

const holds = (box, { x, y, tall, letters }) => {
  assert.ok(box.x <= x && box.x >= x - tall, `left ${box.x} for ${x}`);
  assert.ok(box.y <= y && box.y >= y - tall * 0.4, `top ${box.y} for ${y}`);
  assert.ok(box.x + box.width >= x + letters * 8 - 5, 'right edge inside the box');
  assert.ok(box.y + box.height >= y + tall && box.y + box.height <= y + tall * 1.4, `bottom ${box.y + box.height} for ${y + tall}`);
};

const tilt = (picture) => tiltOf(look(picture));

const line = { x: 40, y: 60, tall: 24, letters: 30 };

for (const [name, options] of Object.entries({
  'dark on light': {},
  'light on dark': { ink: 235, ground: 25 },
  'faint': { ink: 200, ground: 230 },
})) {
  test(`one line, ${name}`, () => {
    const found = findLines(paper(400, 150, [line], options));
    assert.equal(found.length, 1);
    holds(found[0], line);
  });
}

test('a blank picture, and one of a single pixel, have no line', () => {
  assert.deepEqual(findLines(paper(300, 100, [])), []);
  assert.deepEqual(findLines(paper(1, 1, [])), []);
});

test('two lines come from top to bottom; the larger one is the main one', () => {
  const small = { x: 40, y: 110, tall: 14, letters: 20 };
  const found = findLines(paper(400, 160, [line, small]));
  assert.equal(found.length, 2);
  holds(found[0], line);
  holds(found[1], small);
  assert.equal(mainLine(found), 0);
});

test('a frame around the line is left out', () => {
  const found = findLines(paper(400, 150, [line], {
    draw(set) {
      for (let y = 10; y < 140; y++) for (const x of [10, 11, 12, 380, 381, 382]) set(x, y, 20);
      for (let x = 10; x < 383; x++) for (const y of [10, 11, 12, 138, 139, 140]) set(x, y, 20);
    },
  }));
  assert.equal(found.length, 1);
  holds(found[0], line);
});

test('light that falls off across the picture does not hide the line', () => {
  const p = paper(400, 150, [line], { ink: 0, ground: 200 });
  for (let i = 0; i < 400 * 150; i++) for (let c = 0; c < 3; c++) p.data[4 * i + c] = p.data[4 * i + c] * (1 - (0.6 * (i % 400)) / 400);
  const found = findLines(p);
  assert.equal(found.length, 1);
  holds(found[0], line);
});

test('a picture larger than needed gives boxes in its own pixels', () => {
  const big = { x: 400, y: 700, tall: 200, letters: 90 };
  const found = findLines(paper(3000, 1600, [big]));
  assert.equal(found.length, 1);
  assert.ok(found[0].y <= 700 && found[0].y + found[0].height >= 900);
});

test('a leaning picture is measured and levelled, an upright one left alone', () => {
  const two = [{ x: 60, y: 60, tall: 24, letters: 50 }, { x: 60, y: 110, tall: 20, letters: 46 }];
  const straight = paper(520, 200, two);
  assert.equal(tilt(straight), 0);
  assert.equal(tilt(paper(520, 200, [])), 0);
  for (const lean of [-9, -3, 2, 6, 12]) {
    const found = tilt(rotate(straight, -lean));
    assert.ok(Math.abs(found - lean) <= 0.75, `${lean}° measured as ${found}°`);
    const level = findLines(rotate(rotate(straight, -lean), found));
    assert.equal(level.length, 2, `${lean}°`);
  }
});

test('a very wide picture is not shrunk until nothing is left', () => {
  const low = { x: 100, y: 18, tall: 24, letters: 60 };
  const found = findLines(paper(9000, 60, [low]));
  assert.equal(found.length, 1);
  holds(found[0], low);
});

test('every box lies inside its picture, whatever the pixels', () => {
  let seed = 1;
  const roll = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  for (let round = 0; round < 60; round++) {
    const width = 1 + Math.floor(roll() * 120), height = 1 + Math.floor(roll() * 80);
    const p = paper(width, height, [], { draw(set) { for (let i = 0; i < width * height * roll(); i++) set(Math.floor(roll() * width), Math.floor(roll() * height), roll() * 255); } });
    for (const b of findLines(p)) {
      assert.ok(b.x >= 0 && b.y >= 0 && b.width > 0 && b.height > 0 && b.x + b.width <= width && b.y + b.height <= height, JSON.stringify({ b, width, height }));
    }
  }
});
