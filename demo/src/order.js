// Lines out of pieces, and the order to read them in. Pure functions over boxes of a level picture.

/** @typedef {{ x: number, y: number, width: number, height: number }} Box */

/** The upright box around a turned rectangle. @param {import('./detect.js').Rect} r @returns {Box} */
export function around({ cx, cy, width, height, angle }) {
  const cos = Math.abs(Math.cos((angle * Math.PI) / 180)), sin = Math.abs(Math.sin((angle * Math.PI) / 180));
  const w = width * cos + height * sin, h = width * sin + height * cos;
  return { x: cx - w / 2, y: cy - h / 2, width: w, height: h };
}

const overlap = (a0, a1, b0, b1) => Math.min(a1, b1) - Math.max(a0, b0);

/**
 * Joins pieces of one line that the detection network left apart: of like height, on one level, hardly further apart than
 * they are high.
 * @param {readonly import('./detect.js').Rect[]} rects
 */
export function joined(rects) {
  const lines = [...rects].sort((a, b) => a.cx - b.cx);
  for (let again = true; again;) {
    again = false;
    for (let i = 0; i < lines.length && !again; i++) {
      for (let j = i + 1; j < lines.length && !again; j++) {
        const a = lines[i], b = lines[j];
        if (Math.abs(a.angle) > 8 || Math.abs(b.angle) > 8) continue;
        const high = Math.max(a.height, b.height), low = Math.min(a.height, b.height);
        const [l, r] = a.cx <= b.cx ? [a, b] : [b, a];
        const gap = r.cx - r.width / 2 - (l.cx + l.width / 2);
        // Across a gap the slope carries on.
        const level = l.cy + Math.tan((l.angle * Math.PI) / 180) * (r.cx - l.cx);
        const alike = high <= 1.6 * low && gap <= 1.1 * low && Math.abs(r.cy - level) <= 0.3 * low;
        // A lone letter, digit or stop beside a line is lower than the line is.
        const lone = (l.height < r.height ? l : r).width < 1.2 * high && gap <= 0.6 * high && Math.abs(r.cy - level) <= (high - low) / 2 + 0.1 * high && low > 0.25 * high;
        if (!alike && !lone) continue;
        const left = Math.min(l.cx - l.width / 2, r.cx - r.width / 2), right = Math.max(l.cx + l.width / 2, r.cx + r.width / 2);
        const top = Math.min(l.cy - l.height / 2, r.cy - r.height / 2), bottom = Math.max(l.cy + l.height / 2, r.cy + r.height / 2);
        lines.splice(j, 1);
        lines[i] = { cx: (left + right) / 2, cy: (top + bottom) / 2, width: right - left, height: bottom - top, angle: (l.angle * l.width + r.angle * r.width) / (l.width + r.width), score: Math.min(l.score, r.score) };
        again = true;
      }
    }
  }
  return lines;
}

// More lines than this are ordered row by row: looking for columns takes time in the cube of their number.
const MANY = 160;

/**
 * Indices of the boxes in reading order: from top to bottom, and columns of running text one after the other.
 * A table or a receipt, whose right column holds a word or a price, is read row by row.
 * @param {readonly Box[]} boxes
 * @returns {number[]}
 */
export function readingOrder(boxes) {
  const byTop = boxes.map((_, i) => i).sort((a, b) => boxes[a].y + boxes[a].height / 2 - (boxes[b].y + boxes[b].height / 2));
  return byTop.length > MANY ? rows(byTop, boxes) : ordered(byTop, boxes);
}

/** @param {number[]} list from top to bottom */
function ordered(list, boxes) {
  if (list.length < 4) return rows(list, boxes);
  // The longest run of lines that a gutter divides; what is above or below it, a title say, runs across.
  for (let count = list.length; count >= 4; count--) {
    for (let from = 0; from + count <= list.length; from++) {
      const part = list.slice(from, from + count);
      const at = gutter(part.map((i) => boxes[i]));
      if (at === undefined) continue;
      const left = part.filter((i) => boxes[i].x < at), right = part.filter((i) => boxes[i].x >= at);
      return [...ordered(list.slice(0, from), boxes), ...ordered(left, boxes), ...ordered(right, boxes), ...ordered(list.slice(from + count), boxes)];
    }
  }
  return rows(list, boxes);
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

/** Where running text on both sides leaves an upright stripe free; undefined when it does not. @param {Box[]} boxes */
function gutter(boxes) {
  const high = median(boxes.map((b) => b.height));
  const sorted = [...boxes].sort((a, b) => a.x - b.x);
  let right = sorted[0].x + sorted[0].width;
  for (const b of sorted) {
    if (b.x - right > 0.4 * high) {
      const sides = [boxes.filter((o) => o.x < b.x), boxes.filter((o) => o.x >= b.x)];
      const running = (side) => side.length >= 2 && median(side.map((o) => o.width / o.height)) > 4;
      const spans = sides.map((side) => [Math.min(...side.map((o) => o.y)), Math.max(...side.map((o) => o.y + o.height))]);
      const beside = overlap(spans[0][0], spans[0][1], spans[1][0], spans[1][1]) > high;
      if (sides.every(running) && beside) return b.x;
    }
    right = Math.max(right, b.x + b.width);
  }
  return undefined;
}

/** Row by row; what overlaps in height by half is one row, read from the left. */
function rows(list, boxes) {
  /** @type {number[][]} */
  const out = [];
  for (const i of list) {
    const b = boxes[i];
    const last = out.at(-1);
    const a = last && boxes[last[0]];
    if (a && overlap(a.y, a.y + a.height, b.y, b.y + b.height) > 0.5 * Math.min(a.height, b.height)) last.push(i);
    else out.push([i]);
  }
  return out.flatMap((row) => row.sort((a, b) => boxes[a].x - boxes[b].x));
}
