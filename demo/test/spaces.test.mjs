import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inContext } from '../src/ocr.js';
import { columnsOfInk, withSpaces } from '../src/spaces.js';

/** Bars for letters, 16 pixels wide, at the given places; `slant` leans them. */
function strip(places, { width = 480, slant = 0, ink = 20, paper = () => 230 } = {}) {
  const data = new Float32Array(width * 48 * 3);
  for (let y = 0; y < 48; y++) for (let x = 0; x < width; x++) data.fill(paper(x), (y * width + x) * 3, (y * width + x) * 3 + 3);
  for (const at of places) {
    for (let y = 10; y < 38; y++) {
      for (let u = 0; u < 16; u++) data.fill(ink, (y * width + Math.round(at + u - (y - 24) * slant)) * 3, (y * width + Math.round(at + u - (y - 24) * slant)) * 3 + 3);
    }
  }
  return { data, width, height: 48 };
}

const read = (text, places) => [...text].map((c, i) => ({ text: c, confidence: 1, step: (places[i] + 8) / 8 - 0.5, other: { text: '', confidence: 0 } }));
const spaced = (text, places, options) => withSpaces(read(text, places), strip(places, options)).map((c) => c.text).join('');

test('a gap much wider than between letters is a space', () => {
  const places = [20, 40, 60, 98, 118, 138];
  assert.equal(spaced('GAULAN', places), 'GAU LAN');
  assert.equal(spaced('GAULAN', places, { ink: 240, paper: () => 30 }), 'GAU LAN', 'light on dark');
  assert.equal(spaced('GAULAN', places, { paper: (x) => 230 - x / 4 }), 'GAU LAN', 'light that falls off');
});

test('letters that stand evenly are one word, however far apart', () => {
  assert.equal(spaced('GAUSS', [20, 40, 60, 80, 100]), 'GAUSS');
  assert.equal(spaced('GAUSS', [20, 52, 84, 116, 148]), 'GAUSS');
});

test('gaps between slanted letters are measured along the slant', () => {
  const places = [40, 60, 80, 114, 134, 154];
  assert.equal(spaced('GAULAN', places, { slant: 0.2 }), 'GAU LAN');
});

test('where spaces were read, one put in must be about as wide', () => {
  const places = [20, 40, 70, 112, 132];
  const seen = [...read('abc', places), { text: ' ', confidence: 1, step: 11.5, other: { text: '', confidence: 0 } }, ...read('de', places.slice(3))];
  assert.equal(withSpaces(seen, strip(places)).map((c) => c.text).join(''), 'abc de');
});

test('Chinese is written without spaces', () => {
  assert.equal(spaced('归一化层数字', [20, 40, 60, 98, 118, 138]), '归一化层数字');
});

test('a space that was put in says so, and no network vouches for it', () => {
  const space = withSpaces(read('GAULAN', [20, 40, 60, 98, 118, 138]), strip([20, 40, 60, 98, 118, 138])).find((c) => c.text === ' ');
  assert.equal(space?.measured, true);
  assert.ok(space.confidence <= 0.9);
});

test('an empty strip and a single character are left alone', () => {
  assert.equal(columnsOfInk(strip([])).ink.length, 480);
  assert.deepEqual(withSpaces([], strip([])), []);
  assert.equal(spaced('a', [20]), 'a');
});

const c = (text, confidence, other = '', p = 0) => ({ text, confidence, step: 0, other: { text: other, confidence: p } });
const told = (...characters) => inContext(characters).map((x) => x.text).join('');

test('a digit between letters gives way to the letter that looks like it, if the network held that possible', () => {
  assert.equal(told(c('s', 1), c('0', 0.6, 'o', 0.35), c(' ', 1), c('2', 1)), 'so 2');
  assert.equal(told(c('s', 1), c('0', 0.6, 'o', 0.35)), 'so');
  assert.equal(told(c('s', 1), c('0', 0.99, 'o', 0.01)), 's0', 'a sure digit stays');
  assert.equal(told(c('2', 1), c('0', 0.6, 'o', 0.35), c('1', 1)), '201', 'among digits it stays');
  assert.equal(told(c('B', 1), c('0', 0.6, 'o', 0.35), c('1', 1)), 'B01', 'before a digit it stays');
  assert.equal(told(c('s', 1), c('0', 0.6, '6', 0.35)), 's0', 'a digit for a digit is no matter of context');
  assert.equal(told(c('1', 0.6, 'l', 0.35), ...[...'eaves'].map((x) => c(x, 1))), 'leaves');
  assert.equal(told(c('1', 0.6, 'l', 0.35), c('s', 1), c('t', 1)), '1st');
  assert.equal(inContext([c('s', 1), c('0', 0.6, 'o', 0.35)])[1].confidence, 0.35, 'it is no surer than the network was');
});
