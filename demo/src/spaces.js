// Puts back spaces between words that the reading network passed over. It was trained on Chinese first, and runs
// Latin words in capitals together, surely even; the gap between them is plain to see in the strip. Pure functions.

import { STEP } from './ocr.js';

/** @typedef {{ text: string, confidence: number, step: number, other: { text: string, confidence: number }, measured?: boolean }} Character */

// Scripts that are written without spaces, and their punctuation, which brings wide gaps of its own.
const SPACELESS = /[\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]/;

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

/**
 * Which columns of a strip hold ink, and how high the writing is.
 * @param {{ data: Float32Array, width: number, height: number }} strip RGB floats
 */
export function columnsOfInk({ data, width, height }) {
  const light = new Float32Array(width * height);
  for (let i = 0; i < light.length; i++) light[i] = 0.299 * data[3 * i] + 0.587 * data[3 * i + 1] + 0.114 * data[3 * i + 2];
  // Each column against the paper around it: light falls off across a photograph.
  const paper = new Float32Array(width);
  const reach = 2 * height;
  for (let x = 0; x < width; x++) {
    if (x % 8) {
      paper[x] = paper[x - 1];
      continue;
    }
    const near = [];
    for (let u = Math.max(0, x - reach); u < Math.min(width, x + reach); u += 3) {
      for (let y = 1; y < height; y += 3) near.push(light[y * width + u]);
    }
    paper[x] = median(near);
  }
  const away = new Float32Array(width * height);
  for (let i = 0; i < away.length; i++) away[i] = Math.abs(light[i] - paper[i % width]);
  // Ink is what stands out half as far as the strongest twentieth does.
  const strong = [...away].sort((a, b) => b - a)[Math.floor(away.length / 20)];
  const rows = new Uint16Array(height);
  const marks = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (away[y * width + x] < strong * 0.5) continue;
      marks.push([x, y]);
      rows[y]++;
    }
  }
  const busiest = Math.max(...rows);
  const used = [...rows.keys()].filter((y) => rows[y] > busiest * 0.06);
  const top = used[0] ?? 0, bottom = used.at(-1) ?? height - 1;
  // Slanted letters overlap from above: of a few slants the one that leaves the most columns empty tells the gaps.
  let ink = new Uint8Array(width), most = -1;
  for (const slant of [0, 0.1, 0.2, 0.3]) {
    const count = new Uint8Array(width);
    for (const [x, y] of marks) {
      const u = Math.round(x + (y - (top + bottom) / 2) * slant);
      if (y >= top && y <= bottom && u >= 0 && u < width && count[u] < 9) count[u]++;
    }
    const columns = count.map((n) => (n >= 2 ? 1 : 0));
    // A little more is needed than chance, to leave upright what is upright.
    const empty = columns.reduce((n, c) => n + 1 - c, 0) - 0.01 * width * (slant > 0 ? 1 : 0);
    if (empty > most) {
      most = empty;
      ink = columns;
    }
  }
  return { ink, tall: bottom + 1 - top };
}

/**
 * The characters with the missing spaces put in; each carries `measured`, and as its confidence the least that the
 * picture supports, since no network vouches for it.
 * @param {readonly Character[]} characters as `decode` gives them
 * @param {{ data: Float32Array, width: number, height: number }} strip what was read
 * @returns {Character[]}
 */
export function withSpaces(characters, strip) {
  if (characters.length < 2) return [...characters];
  const { ink, tall } = columnsOfInk(strip);
  /** The widest run without ink between the middles of two characters. */
  const gap = (a, b) => {
    let widest = 0, run = 0;
    const end = Math.min(strip.width, Math.round((b.step + 0.5) * STEP));
    for (let x = Math.max(0, Math.round((a.step + 0.5) * STEP)); x < end; x++) {
      run = ink[x] ? 0 : run + 1;
      widest = Math.max(widest, run);
    }
    return widest;
  };
  const gaps = characters.map((c, i) => (i > 0 && c.text !== ' ' && characters[i - 1].text !== ' ' ? gap(characters[i - 1], c) : 0));
  const spaces = characters.flatMap((c, i) => (c.text === ' ' && i > 0 && i + 1 < characters.length ? [gap(characters[i - 1], characters[i + 1])] : []));
  const letters = gaps.filter((_, i) => i > 0 && characters[i].text !== ' ' && characters[i - 1].text !== ' ');
  if (!letters.length) return [...characters];
  // A space is much wider than what lies between letters, and as wide as the spaces that were seen, if any were.
  const between = median(letters);
  const least = Math.max(2.2 * between + 2, spaces.length ? 0.75 * median(spaces) : 0.3 * tall);
  return characters.flatMap((c, i) => {
    // Figures are all of one width, so a narrow one stands alone.
    const figures = /^\d\d$/.test(characters[Math.max(0, i - 1)].text + c.text);
    if (gaps[i] < (figures ? 1.4 * least : least) || SPACELESS.test(c.text) || SPACELESS.test(characters[i - 1].text)) return [c];
    const before = characters[i - 1];
    return [{ text: ' ', confidence: Math.min(0.9, gaps[i] / (gaps[i] + between)), step: (before.step + c.step) / 2, other: { text: '', confidence: 0 }, measured: true }, c];
  });
}
