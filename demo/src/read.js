// Reads a whole picture: finds the lines, levels and turns them, reads each. The three networks come as functions, so that
// this runs in the page's worker and in tests alike.

import { detInput, regions, settled, slope, turned, upended } from './detect.js';
import { around, joined, readingOrder } from './order.js';
import { clsInputs, cutStrip, decode, direction, inContext, recInput, STEP, sureness, turn } from './ocr.js';
import { crop, luminance, rotate } from './pixels.js';
import { columnsOfInk, withSpaces } from './spaces.js';

/** @typedef {import('./pixels.js').Picture} Picture */
/** @typedef {{ data: Float32Array, dims: number[] }} Feed */
/** @typedef {(feed: Feed) => Promise<{ data: Float32Array, dims: readonly number[] }>} Network the outcome is a copy */
/** @typedef {{ det: Network, cls: Network, rec: Network, letters: readonly string[] }} Networks */
/**
 * @typedef {{ text: string, characters: import('./spaces.js').Character[], confidence: number, legible: boolean,
 *   strip: { data: Float32Array, width: number, height: number }, fed: Feed, steps: number, doubtful?: boolean }} Line
 *   doubtful: not legible, and perhaps no writing at all
 */

// A line that the network is less sure of, on average over its characters, is not shown as if it had been read.
const LEGIBLE = 0.7;
// Wider strips are read in pieces: attention over a whole line was trained with shorter ones.
const PIECE = 1200;
// Half the letters of a line this low in what the detection network saw are lost: then it looks at a larger copy.
const SMALL = 15;
const FINER = 1760;
// So many lines are asked for their direction; the rest lies as they do.
const ASKED = 6;
const MOST_LINES = 400;

/**
 * @param {Picture} picture
 * @param {Networks} nets
 * @param {{ progress?: (what: string, done: number, of: number) => void | Promise<void>,
 *   found?: (found: { picture: Picture, rects: import('./detect.js').Rect[], turn: Turn }) => void | Promise<void>,
 *   line?: (line: Line, index: number) => void | Promise<void> }} [tell]
 *   each may return a promise that is waited for, and throw to end the reading
 * @typedef {{ quarters: number, lean: number, upsideDown: number, turned: boolean, unsure: boolean, asked: number }} Turn
 *   how the picture was turned: quarters clockwise, then levelled by `lean` degrees; of the half turn, how sure
 */
export async function readPicture(picture, nets, { progress = () => {}, found = () => {}, line = () => {} } = {}) {
  const times = { find: 0, turn: 0, read: 0 };
  let began = performance.now();
  const lap = (key) => {
    const now = performance.now();
    times[key] += now - began;
    began = now;
  };
  await progress('find', 0, 1);
  let sheet = stretched(picture);
  let rects = await detect(sheet, nets.det);
  // Less than this is no lean; and exact quarter turns change no pixel.
  let lean = slope(rects);
  if (Math.abs(lean - 90 * Math.round(lean / 90)) <= 0.7) lean = 90 * Math.round(lean / 90);
  if (lean) {
    sheet = rotate(sheet, -lean);
    rects = await detect(sheet, nets.det);
  }
  rects = joined(settled(rects));
  const boxes = rects.map(around);
  rects = readingOrder(boxes).slice(0, MOST_LINES).map((i) => rects[i]);
  lap('find');

  await progress('turn', 0, 1);
  let verdict = await halfTurn(sheet, rects, nets.cls);
  // What the network hesitates about is decided by reading it both ways.
  if (verdict.unsure && rects.length) {
    const probe = [...rects].sort((a, b) => b.width * b.height - a.width * a.height).slice(0, 2);
    const surest = async (way) => {
      let sum = 0;
      for (const r of probe) sum += sureness((await readStrip(way(cutStrip(...flat(crop(sheet, r)))), nets)).characters) * r.width;
      return sum;
    };
    const asIs = await surest((s) => s), other = await surest(turn);
    verdict = { ...verdict, turned: other > asIs };
  }
  if (verdict.turned) {
    rects = rects.map((r) => upended(r, sheet));
    sheet = rotate(sheet, 180);
    rects = readingOrder(rects.map(around)).map((i) => rects[i]);
  }
  lap('turn');
  const way = (((verdict.turned ? 180 : 0) - lean) % 360 + 360) % 360;
  const quarters = Math.round(way / 90) % 4;
  const level = way - 90 * Math.round(way / 90);
  await found({ picture: sheet, rects, turn: { quarters, lean: level, ...verdict } });

  /** @type {Line[]} */
  const lines = [];
  for (let i = 0; i < rects.length; i++) {
    await progress('read', i, rects.length);
    began = performance.now();
    const read = await readLine(sheet, rects[i], nets);
    // A frame's corner or a speck that looked like writing from afar is not worth telling of.
    const { width, height, score } = rects[i];
    if (!read.legible) read.doubtful = score < 0.75 || (read.text === '' && width < 2 * height);
    lap('read');
    lines.push(read);
    await line(read, i);
  }
  return { picture: sheet, rects, lines, times, turn: { quarters, lean: level, ...verdict } };
}

const flat = (/** @type {Picture} */ p) => /** @type {const} */ ([p, { x: 0, y: 0, width: p.width, height: p.height }]);

async function detect(picture, det) {
  const look = async (longest) => {
    const feed = detInput(picture, longest);
    const [, , height, width] = feed.dims;
    const { data } = await det(feed);
    return { rects: regions(data, width, height, picture), scale: width / picture.width };
  };
  const first = await look();
  const heights = first.rects.map((r) => r.height * first.scale).sort((a, b) => a - b);
  const small = heights.length > 0 && heights[heights.length >> 1] < SMALL;
  return small && first.scale < 0.8 ? (await look(FINER)).rects : first.rects;
}

async function halfTurn(sheet, rects, cls) {
  const asked = [...rects].filter((r) => Math.abs(r.angle) < 45).sort((a, b) => b.width * b.height - a.width * a.height).slice(0, ASKED);
  const answers = [];
  for (const r of asked) for (const feed of clsInputs(...flat(crop(sheet, r)))) answers.push((await cls(feed)).data);
  return answers.length ? { ...direction(answers), asked: answers.length } : { upsideDown: 0, turned: false, unsure: false, asked: 0 };
}

async function readLine(sheet, rect, nets) {
  const upright = await readStrip(cutStrip(...flat(crop(sheet, rect))), nets);
  if (upright.confidence >= LEGIBLE) return upright;
  // A line of its own direction, or one that was too short to tell: the surer of the ways to read it counts.
  const ways = [turn(upright.strip)];
  if (rect.width < 2.5 * rect.height || Math.abs(rect.angle) > 45) {
    const strip = cutStrip(...flat(crop(sheet, turned(rect))));
    ways.push(strip, turn(strip));
  }
  let best = upright;
  for (const way of ways) {
    const read = await readStrip(way, nets);
    if (read.confidence > best.confidence && read.legible) best = read;
  }
  return best;
}

/** @returns {Promise<Line>} */
async function readStrip(strip, { rec, letters }) {
  const characters = [];
  let fed, steps = 0;
  for (const [from, to] of pieces(strip)) {
    const piece = part(strip, from, to);
    const feed = recInput(piece);
    const { data, dims } = await rec(feed);
    const read = withSpaces(inContext(decode(data, dims, letters).characters), piece);
    if (from > 0 && read.length && characters.length) {
      characters.push({ text: ' ', confidence: 0.9, step: from / STEP - 0.5, other: { text: '', confidence: 0 }, measured: true });
    }
    characters.push(...read.map((c) => ({ ...c, step: c.step + from / STEP })));
    fed ??= feed;
    steps += dims[1];
  }
  const confidence = sureness(characters);
  const text = characters.map((c) => c.text).join('');
  return { text, characters, confidence, legible: text !== '' && confidence >= LEGIBLE, strip, fed: /** @type {Feed} */ (fed), steps };
}

/** Where to cut a strip so that no piece is too wide: at the widest gaps, as near the middle as they are. */
function pieces({ data, width, height }) {
  if (width <= PIECE) return [[0, width]];
  const { ink } = columnsOfInk({ data, width, height });
  const gaps = [];
  for (let x = 0, start = -1; x <= width; x++) {
    if (x < width && !ink[x]) start = start < 0 ? x : start;
    else if (start >= 0) {
      gaps.push({ at: Math.round((start + x) / 2), wide: x - start });
      start = -1;
    }
  }
  const cut = (from, to) => {
    if (to - from <= PIECE) return [[from, to]];
    const inner = gaps.filter((g) => g.at > from + (to - from) / 4 && g.at < to - (to - from) / 4);
    const best = inner.reduce((a, b) => (b.wide > a.wide ? b : a), { at: Math.round((from + to) / 2), wide: 0 });
    return [...cut(from, best.at), ...cut(best.at, to)];
  };
  return cut(0, width);
}

function part({ data, width, height }, from, to) {
  if (from === 0 && to === width) return { data, width, height };
  const out = new Float32Array((to - from) * height * 3);
  for (let y = 0; y < height; y++) out.set(data.subarray((y * width + from) * 3, (y * width + to) * 3), y * (to - from) * 3);
  return { data: out, width: to - from, height };
}

/** The spread of brightness that all but the outermost fiftieths of the pixels have. @param {Picture} picture */
function spread(picture) {
  const counts = new Uint32Array(256);
  const light = luminance(picture);
  const stride = Math.max(1, Math.floor(light.length / 200000));
  let n = 0;
  for (let i = 0; i < light.length; i += stride, n++) counts[Math.round(light[i])]++;
  const at = (share) => {
    let v = 0;
    for (let sum = counts[0]; sum < share * n && v < 255; sum += counts[++v]);
    return v;
  };
  return { dark: at(0.005), light: at(0.995) };
}

/** A faint picture with its contrast drawn out: light and dark further apart, not beyond what noise allows. */
function stretched(picture) {
  const { dark, light } = spread(picture);
  const range = light - dark;
  if (range >= 90 || range < 4) return picture;
  const factor = Math.min(6, 160 / range), middle = (dark + light) / 2;
  const data = new Uint8ClampedArray(picture.data.length);
  for (let i = 0; i < data.length; i++) data[i] = i % 4 === 3 ? picture.data[i] : 128 + (picture.data[i] - middle) * factor;
  return { data, width: picture.width, height: picture.height };
}

/**
 * Why little or nothing could be read, as far as the picture tells.
 * @param {Picture} picture as it was given
 * @param {readonly import('./detect.js').Rect[]} rects
 * @returns {'blank' | 'faint' | 'noisy' | 'small' | 'unclear'}
 */
export function whyNot(picture, rects) {
  const { dark, light } = spread(picture);
  const range = light - dark;
  if (range < 4) return 'blank';
  const grey = luminance(picture);
  // Half of all neighbours differ by more than this: paper is smooth, noise is not.
  const steps = new Uint32Array(256);
  for (let i = 1; i < grey.length; i++) if (i % picture.width) steps[Math.min(255, Math.round(Math.abs(grey[i] - grey[i - 1])))]++;
  let rough = 0;
  for (let sum = steps[0]; sum < grey.length / 2 && rough < 255; sum += steps[++rough]);
  if (rough > 0.12 * range && rough > 2) return 'noisy';
  if (range < 50) return 'faint';
  const heights = rects.map((r) => r.height).sort((a, b) => a - b);
  if (heights.length && heights[heights.length >> 1] < 14) return 'small';
  return heights.length ? 'unclear' : 'blank';
}
