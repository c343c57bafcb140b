// Where the lines of text are: before and after PaddleOCR's detection network (PP-OCRv4 det), which tells for each
// pixel how likely it lies in the core of a line. Pure functions.

import { resample } from './pixels.js';

/** @typedef {import('./pixels.js').Picture} Picture */
/** @typedef {{ cx: number, cy: number, width: number, height: number, angle: number, score: number }} Rect
 *   a turned rectangle in pixels: its middle, its sides, and the angle of its width in degrees, clockwise as the screen has it */

// What the network was trained with: pictures of about this size, in steps of 32.
const LONGEST = 960;
const STEP = 32;
const MEAN = [0.485, 0.456, 0.406], DEVIATION = [0.229, 0.224, 0.225];
const LIKELY = 0.3;
const SURE = 0.5;
// The network marks the cores of lines; the lines themselves reach further by this share of area over perimeter.
const UNCLIP = 2.1;

/**
 * The picture as the network takes it, planes of blue, green, red.
 * @param {Picture} picture
 * @param {number} [longest] its longer side at most
 */
export function detInput(picture, longest = LONGEST) {
  const shrink = Math.min(1, longest / Math.max(picture.width, picture.height));
  const to = (n) => Math.max(STEP, Math.round((n * shrink) / STEP) * STEP);
  const width = to(picture.width), height = to(picture.height);
  const { data } = resample(picture, { x: 0, y: 0, width: picture.width, height: picture.height }, width, height);
  const plane = width * height;
  const out = new Float32Array(3 * plane);
  for (let i = 0, p = 0; i < plane; i++, p += 3) {
    for (let c = 0; c < 3; c++) out[c * plane + i] = (data[p + 2 - c] / 255 - MEAN[c]) / DEVIATION[c];
  }
  return { data: out, dims: [1, 3, height, width] };
}

/**
 * Connected patches of likely pixels, each as the smallest rectangle around it, in the picture's pixels.
 * @param {ArrayLike<number>} map likelihoods, height × width
 * @param {number} width
 * @param {number} height
 * @param {Picture | { width: number, height: number }} picture
 * @returns {Rect[]} the longer side is the width
 */
export function regions(map, width, height, picture) {
  const seen = new Uint8Array(width * height);
  const stack = new Int32Array(width * height);
  const sx = picture.width / width, sy = picture.height / height;
  const found = [];
  for (let start = 0; start < seen.length; start++) {
    if (seen[start] || map[start] < LIKELY) continue;
    let depth = 1, sum = 0, count = 0;
    stack[0] = start;
    seen[start] = 1;
    /** The ends of each row of the patch: all that its hull can be made of. @type {Map<number, [number, number]>} */
    const rows = new Map();
    while (depth > 0) {
      const at = stack[--depth];
      const x = at % width, y = (at - x) / width;
      sum += map[at];
      count++;
      const row = rows.get(y);
      if (!row) rows.set(y, [x, x]);
      else {
        row[0] = Math.min(row[0], x);
        row[1] = Math.max(row[1], x);
      }
      for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
        for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
          const near = v * width + u;
          if (!seen[near] && map[near] >= LIKELY) {
            seen[near] = 1;
            stack[depth++] = near;
          }
        }
      }
    }
    const score = sum / count;
    if (score < SURE || count < 6) continue;
    const corners = [...rows].flatMap(([y, [left, right]]) => [[left, y], [right + 1, y], [left, y + 1], [right + 1, y + 1]].map(([x, v]) => [x * sx, v * sy]));
    const rect = smallestRect(corners);
    if (Math.min(rect.width / sx, rect.height / sy) < 3) continue;
    const more = (2 * UNCLIP * rect.width * rect.height) / (2 * (rect.width + rect.height));
    found.push({ ...rect, width: rect.width + more, height: rect.height + more, score });
  }
  return found;
}

/** @param {number[][]} points */
function hull(points) {
  const sorted = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const turn = (o, a, b) => (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0]);
  const half = (list) => {
    const out = [];
    for (const p of list) {
      while (out.length >= 2 && turn(out[out.length - 2], out[out.length - 1], p) <= 0) out.pop();
      out.push(p);
    }
    out.pop();
    return out;
  };
  return [...half(sorted), ...half(sorted.reverse())];
}

/** The rectangle of the least area around points; one of its sides lies on a side of the hull. @param {number[][]} points */
export function smallestRect(points) {
  const around = hull(points);
  let best = { cx: 0, cy: 0, width: 0, height: 0, angle: 0 }, least = Infinity;
  around.forEach((a, i) => {
    const b = around[(i + 1) % around.length];
    const length = Math.hypot(b[0] - a[0], b[1] - a[1]);
    if (!length) return;
    const cos = (b[0] - a[0]) / length, sin = (b[1] - a[1]) / length;
    let u0 = Infinity, u1 = -Infinity, v0 = Infinity, v1 = -Infinity;
    for (const [x, y] of around) {
      const u = x * cos + y * sin, v = y * cos - x * sin;
      u0 = Math.min(u0, u);
      u1 = Math.max(u1, u);
      v0 = Math.min(v0, v);
      v1 = Math.max(v1, v);
    }
    const area = (u1 - u0) * (v1 - v0);
    if (area >= least) return;
    least = area;
    const u = (u0 + u1) / 2, v = (v0 + v1) / 2;
    best = { cx: u * cos - v * sin, cy: u * sin + v * cos, width: u1 - u0, height: v1 - v0, angle: (Math.atan2(sin, cos) * 180) / Math.PI };
  });
  return best.width >= best.height ? { ...best, angle: half(best.angle) } : turned(best);
}

/** An angle of an undirected line, above −90 and up to 90. */
function half(angle) {
  const a = ((angle % 180) + 180) % 180;
  return a > 90 ? a - 180 : a;
}

/** The same rectangle with its other side as the width. */
export function turned(rect) {
  return { ...rect, width: rect.height, height: rect.width, angle: half(rect.angle + 90) };
}

/**
 * The direction in which the lines run, in degrees: what most of their length agrees on.
 * @param {readonly Rect[]} rects
 * @returns {number} above −90 and up to 90; 0 for none
 */
export function slope(rects) {
  // What is hardly longer than high has no direction of its own.
  const weight = (r) => r.width * Math.max(0, Math.min(1, r.width / r.height - 1.2));
  const apart = (a, b) => half(a - b);
  let best = 0, most = 0;
  for (const r of rects) {
    const near = rects.filter((o) => Math.abs(apart(o.angle, r.angle)) <= 4);
    const sum = near.reduce((n, o) => n + weight(o), 0);
    if (sum <= most) continue;
    most = sum;
    best = half(r.angle + near.reduce((n, o) => n + weight(o) * apart(o.angle, r.angle), 0) / sum);
  }
  return best;
}

/** Where `rect` lies once its picture has been turned by 180°. */
export const upended = (rect, { width, height }) => ({ ...rect, cx: width - rect.cx, cy: height - rect.cy });

/**
 * Upright rectangles for a picture whose lines run level: what is nearly square lies as the others do, what stands
 * clearly upright stays so.
 * @param {readonly Rect[]} rects
 */
export function settled(rects) {
  return rects.map((r) => {
    const level = Math.abs(r.angle) > 45 && r.width < 2.2 * r.height ? turned(r) : r;
    // A short word's smallest rectangle leans at random.
    return Math.abs(level.angle) < 45 && (level.width < 4 * level.height || Math.abs(level.angle) < 0.6) ? upright(level) : level;
  });
}

function upright(r) {
  const cos = Math.abs(Math.cos((r.angle * Math.PI) / 180)), sin = Math.abs(Math.sin((r.angle * Math.PI) / 180));
  return { ...r, angle: 0, width: r.width * cos + r.height * sin * 0.5, height: r.height * cos + r.width * sin * 0.5 };
}
