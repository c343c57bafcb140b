// Finds the lines of text in a picture by their strokes: writing is where brightness changes often along a row.
// Changes along the row rather than darkness itself, so that it does not matter whether the text is dark or light,
// how the light falls, or whether a rule or a frame runs beside it.

import { luminance } from './pixels.js';

/** @typedef {import('./pixels.js').Picture} Picture */
/** @typedef {import('./pixels.js').Box} Box */

// Looking is done on a smaller copy: faster, and noise averages out.
const LOOK_PIXELS = 1e6;
// A page of text is more than one can choose from; of a thicket of leaves, little is writing anyway.
const MAX_LINES = 60;

/** @typedef {{ edge: Uint8Array | undefined, width: number, height: number, scale: number }} Look */

/**
 * Where strokes are, in a copy `scale` times smaller; no edge at all for a blank picture.
 * @param {Picture} picture
 * @returns {Look}
 */
export function look(picture) {
  const { lum, width, height, scale } = shrink(picture);
  const edge = strokes(lum, width, height);
  if (edge) dropFrames(edge, width, height);
  return { edge, width, height, scale };
}

/**
 * @param {Picture} picture
 * @param {Look} [seen] when it has been looked at already
 * @returns {Box[]} lines from top to bottom, padded as the recognition network expects; empty for a blank picture
 */
export function findLines(picture, seen = look(picture)) {
  const { edge, width, height, scale } = seen;
  if (!edge) return [];

  /** @type {Box[]} */
  const boxes = [];
  for (const band of bands(edge, width, height)) {
    for (const part of columns(edge, width, band)) boxes.push(grow(edge, width, height, part));
  }
  const tallest = Math.max(0, ...boxes.map((b) => b.height));
  const area = (b) => b.width * b.height;
  const enough = boxes.length > MAX_LINES ? area([...boxes].sort((a, b) => area(b) - area(a))[MAX_LINES - 1]) : 0;
  return boxes
    .filter((b) => area(b) >= enough)
    .filter((b) => b.height >= 5 && b.height >= tallest * 0.2 && b.width >= b.height * 0.08)
    .map((b) => pad(b, scale, picture));
}

// A hand-held picture leans a little; more than this is meant, or no text.
const MAX_TILT = 14;

/**
 * How far the lines lean, in degrees clockwise; 0 when they do not or when it cannot be told. Sheared by the right
 * angle, the strokes of a line fall into the fewest rows: the sum of squares over the rows is at its largest.
 * @param {Look} seen
 */
export function tilt({ edge, width, height }) {
  if (!edge) return 0;
  const xs = [], ys = [];
  for (let i = 0; i < edge.length; i++) {
    if (edge[i]) {
      xs.push(i % width);
      ys.push(Math.floor(i / width));
    }
  }
  // What is about as wide as high has no direction of its own.
  if (xs.length < 60 || xs.reduce((a, x) => Math.max(a, x), 0) - xs.reduce((a, x) => Math.min(a, x), width) < 60) return 0;
  const rows = new Float64Array(height + 2 * width);
  const sharpness = (degrees) => {
    const slope = Math.tan((degrees * Math.PI) / 180);
    rows.fill(0);
    for (let i = 0; i < xs.length; i++) rows[Math.round(ys[i] - xs[i] * slope) + width]++;
    let sum = 0;
    for (const n of rows) sum += n * n;
    return sum;
  };
  let best = 0, most = sharpness(0);
  const level = most;
  for (const [step, reach] of [[1, MAX_TILT], [0.25, 0.75]]) {
    const middle = best;
    for (let d = middle - reach; d <= middle + reach; d += step) {
      const s = sharpness(d);
      if (s > most) {
        most = s;
        best = d;
      }
    }
  }
  return Math.abs(best) >= 0.75 && most > level * 1.12 ? best : 0;
}

/** The line with the most writing in it. @param {Box[]} lines */
export function mainLine(lines) {
  let best = 0;
  lines.forEach((b, i) => {
    if (b.width * b.height > lines[best].width * lines[best].height) best = i;
  });
  return best;
}

function shrink(picture) {
  const scale = Math.max(1, Math.sqrt((picture.width * picture.height) / LOOK_PIXELS));
  const full = luminance(picture);
  if (scale === 1) return { lum: full, width: picture.width, height: picture.height, scale };
  const width = Math.max(1, Math.round(picture.width / scale));
  const height = Math.max(1, Math.round(picture.height / scale));
  const sum = new Float32Array(width * height);
  const count = new Float32Array(width * height);
  for (let y = 0, i = 0; y < picture.height; y++) {
    const row = Math.min(height - 1, Math.floor(y / scale)) * width;
    for (let x = 0; x < picture.width; x++, i++) {
      const o = row + Math.min(width - 1, Math.floor(x / scale));
      sum[o] += full[i];
      count[o]++;
    }
  }
  for (let i = 0; i < sum.length; i++) sum[i] /= count[i];
  return { lum: sum, width, height, scale };
}

/** 1 where brightness changes strongly along the row, else 0; undefined when nothing does. */
function strokes(lum, width, height) {
  const change = new Float32Array(width * height);
  const histogram = new Uint32Array(256);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const a = lum[x > 0 ? i - 1 : i];
      const b = lum[x + 1 < width ? i + 1 : i];
      change[i] = Math.abs(a - b);
      histogram[Math.min(255, Math.round(change[i]))]++;
    }
  }
  // The strength of a real stroke's edge: exceeded by one pixel in 2500, so that a few hot pixels do not set it.
  let strong = 255;
  for (let n = 0; strong > 0; strong--) {
    n += histogram[strong];
    if (n > Math.max(8, (width * height) / 2500)) break;
  }
  if (strong < 12) return undefined;
  const threshold = Math.max(8, strong * 0.4);
  const edge = new Uint8Array(width * height);
  for (let i = 0; i < edge.length; i++) edge[i] = change[i] >= threshold ? 1 : 0;
  return edge;
}

/** Takes out the upright sides of frames, signs and doors: connected pieces far taller than letters, and thin. */
function dropFrames(edge, width, height) {
  const ERASED = 0, NEW = 1, SEEN = 2;
  const stack = new Int32Array(edge.length);
  /** Walks the piece that `start` belongs to, from one mark to another, and measures it. */
  const walk = (start, from, to) => {
    let left = width, right = 0, top = height, bottom = 0;
    let depth = 1;
    stack[0] = start;
    edge[start] = to;
    while (depth > 0) {
      const at = stack[--depth];
      const x = at % width, y = (at - x) / width;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
      for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
        for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
          const near = v * width + u;
          if (edge[near] === from) {
            edge[near] = to;
            stack[depth++] = near;
          }
        }
      }
    }
    return { start, wide: right + 1 - left, tall: bottom + 1 - top };
  };
  const pieces = [];
  for (let i = 0; i < edge.length; i++) if (edge[i] === NEW) pieces.push(walk(i, NEW, SEEN));

  // Half of all the height belongs to pieces not taller than this: letters, unless there are hardly any.
  const ranked = pieces.filter((p) => p.tall > 3).sort((a, b) => a.tall - b.tall);
  const whole = ranked.reduce((sum, p) => sum + p.tall, 0);
  let sum = 0;
  const letter = ranked.find((p) => (sum += p.tall) * 2 >= whole)?.tall ?? height;
  for (const { start, wide, tall } of ranked) {
    if (tall > letter * 2.2 && wide < tall * 0.35) walk(start, SEEN, ERASED);
  }
  for (let i = 0; i < edge.length; i++) if (edge[i]) edge[i] = 1;
}

/** Runs of rows with writing in them. */
function bands(edge, width, height) {
  const count = new Float32Array(height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) count[y] += edge[y * width + x];
  }
  // A frame's upright sides put the same few pixels into every row; what every row has is no writing.
  const busiest = Math.max(...count);
  const floor = Math.min(...count);
  const threshold = floor + Math.max(2, (busiest - floor) * 0.06);
  const runs = [];
  for (let y = 0, start = -1; y <= height; y++) {
    const on = y < height && count[y] >= threshold;
    if (on && start < 0) start = y;
    if (!on && start >= 0) {
      runs.push({ top: start, bottom: y });
      start = -1;
    }
  }
  // The dots of i and j and the halves of a colon stand apart from their letters.
  const merged = [];
  for (const run of runs) {
    const last = merged.at(-1);
    const gap = last ? run.top - last.bottom : Infinity;
    const small = last ? Math.min(run.bottom - run.top, last.bottom - last.top) : 0;
    const large = last ? Math.max(run.bottom - run.top, last.bottom - last.top) : 0;
    if (last && gap <= Math.max(2, large * 0.25) && small < large * 0.5) last.bottom = run.bottom;
    else merged.push({ ...run });
  }
  return merged.filter((r) => r.bottom - r.top >= 3);
}

/** Parts of a band that stand far apart: two columns of text, or a line and the frame beside it. */
function columns(edge, width, { top, bottom }) {
  const tall = bottom - top;
  const gap = Math.max(6, tall * 2.2);
  const parts = [];
  let start = -1, last = -1;
  for (let x = 0; x <= width; x++) {
    let n = 0;
    if (x < width) for (let y = top; y < bottom; y++) n += edge[y * width + x];
    if (n > 0) {
      if (start < 0) start = x;
      last = x;
    } else if (start >= 0 && (x === width || x - last > gap)) {
      parts.push({ x: start, y: top, width: last + 1 - start, height: tall });
      start = -1;
    }
  }
  // A rule is all height and no width.
  return parts.filter((p) => parts.length === 1 || p.width > Math.max(4, tall * 0.25));
}

/** Takes in what belongs to the line but was too thin for the band: tails of g and p, accents, a lone capital's top. */
function grow(edge, width, height, box) {
  const rows = (y) => {
    for (let x = box.x; x < box.x + box.width; x++) if (edge[y * width + x]) return true;
    return false;
  };
  const reach = Math.ceil(box.height * 0.3);
  let top = box.y, bottom = box.y + box.height;
  for (let y = box.y - 1; y >= Math.max(0, box.y - reach) && (rows(y) || top - y < box.height * 0.12); y--) if (rows(y)) top = y;
  for (let y = bottom; y < Math.min(height, box.y + box.height + reach) && (rows(y) || y - bottom < box.height * 0.12); y++) if (rows(y)) bottom = y + 1;
  return { x: box.x, y: top, width: box.width, height: bottom - top };
}

/** Back to the picture's own pixels, with the margin that the networks were trained on. */
function pad(box, scale, picture) {
  const margin = box.height * 0.16;
  const x = Math.max(0, Math.floor((box.x - margin * 1.2) * scale));
  const y = Math.max(0, Math.floor((box.y - margin) * scale));
  return {
    x,
    y,
    width: Math.min(picture.width, Math.ceil((box.x + box.width + margin * 1.2) * scale)) - x,
    height: Math.min(picture.height, Math.ceil((box.y + box.height + margin) * scale)) - y,
  };
}
