// A drawing as MNIST would have it, and what a network's outputs say. No DOM here.
//
// MNIST's pictures (LeCun et al. 1998) are scaled so that the longer side of the ink takes 20 pixels, and moved by whole
// pixels so that its centre of mass comes to the middle of 28 × 28: to pixel 14, counted from 0. Strokes are drawn anew at that
// size, with a pen as wide as MNIST's, rather than scaled with theirs: a digit drawn small has no thicker lines than one drawn large.

export const SIDE = 28;
export const BOX = 20;
/** Half the width of a line, in pixels of 28: the pictures then have as much ink as MNIST's. */
const RADIUS = 1.3;
/** Ink fades over one pixel. */
const EDGE = 0.5;
/** A drawing smaller than this share of the paper counts as this large: a dot stays one. */
const LEAST = 0.2;

/** @typedef {{ x: number, y: number }[]} Stroke points from 0 to 1, right and down */

/** How far a point is from a piece of a line, squared. */
function squaredDistance(px, py, ax, ay, bx, by) {
  const dx = bx - ax, dy = by - ay, length = dx * dx + dy * dy;
  const t = length === 0 ? 0 : Math.max(0, Math.min(1, ((px - ax) * dx + (py - ay) * dy) / length));
  return (px - ax - t * dx) ** 2 + (py - ay - t * dy) ** 2;
}

/**
 * The drawing as 28 × 28 numbers from 0, paper, to 1, ink.
 * @param {readonly Stroke[]} strokes
 * @returns {Float32Array}
 */
export function rasterize(strokes) {
  const points = strokes.flat();
  const picture = new Float32Array(SIDE * SIDE);
  if (points.length === 0) return picture;
  const xs = points.map((p) => p.x), ys = points.map((p) => p.y);
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const scale = (BOX - 2 * (RADIUS + EDGE)) / Math.max(right - left, bottom - top, LEAST);
  const at = ({ x, y }) => [(x - (left + right) / 2) * scale + SIDE / 2, (y - (top + bottom) / 2) * scale + SIDE / 2];
  for (const stroke of strokes) {
    const line = stroke.map(at);
    for (let k = 0; k < line.length; k++) {
      const [ax, ay] = line[Math.max(0, k - 1)], [bx, by] = line[k], reach = RADIUS + EDGE;
      for (let row = Math.max(0, Math.floor(Math.min(ay, by) - reach)); row <= Math.min(SIDE - 1, Math.max(ay, by) + reach); row++) {
        for (let column = Math.max(0, Math.floor(Math.min(ax, bx) - reach)); column <= Math.min(SIDE - 1, Math.max(ax, bx) + reach); column++) {
          const ink = Math.max(0, Math.min(1, (reach - Math.sqrt(squaredDistance(column + 0.5, row + 0.5, ax, ay, bx, by))) / (2 * EDGE)));
          const i = row * SIDE + column;
          if (ink > picture[i]) picture[i] = ink;
        }
      }
    }
  }
  const { x, y } = centreOfMass(picture);
  return moved(picture, Math.round(SIDE / 2 - x), Math.round(SIDE / 2 - y));
}

/** In pixels counted from 0. @param {ArrayLike<number>} picture */
export function centreOfMass(picture) {
  let ink = 0, x = 0, y = 0;
  for (let i = 0; i < SIDE * SIDE; i++) {
    ink += picture[i];
    x += picture[i] * (i % SIDE);
    y += picture[i] * Math.floor(i / SIDE);
  }
  return { x: x / ink, y: y / ink };
}

/** Moved by whole pixels; what leaves the picture is lost. @param {ArrayLike<number>} picture @param {number} right @param {number} down */
export function moved(picture, right, down) {
  const result = new Float32Array(SIDE * SIDE);
  for (let row = Math.max(0, down); row < Math.min(SIDE, SIDE + down); row++) {
    for (let column = Math.max(0, right); column < Math.min(SIDE, SIDE + right); column++) result[row * SIDE + column] = picture[(row - down) * SIDE + column - right];
  }
  return result;
}

/** How far a batch's statistics are from the running ones, over all channels of a layer. @param {{ running?: any, batch?: any }} layer */
export function distance({ running, batch }) {
  let shift = 0, least = Infinity, most = 0;
  for (let c = 0; c < running.mean.length; c++) {
    // A channel that is the same everywhere has no spread to compare with.
    if (running.variance[c] < 1e-8) continue;
    shift = Math.max(shift, Math.abs(batch.mean[c] - running.mean[c]) / Math.sqrt(running.variance[c]));
    const ratio = batch.variance[c] / running.variance[c];
    least = Math.min(least, ratio);
    most = Math.max(most, ratio);
  }
  return { shift, least, most };
}
