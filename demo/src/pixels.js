// Pictures as plain numbers. Everything here is a pure function over { data, width, height } (RGBA bytes,
// the form of ImageData), so that the same picture gives the same tensor in every browser and in Node.

/** @typedef {{ data: Uint8ClampedArray | Uint8Array, width: number, height: number }} Picture */
/** @typedef {{ x: number, y: number, width: number, height: number }} Box in pixels; x + width is exclusive */

/**
 * Brightness, 0 to 255, one value a pixel; transparent pixels show white paper behind them.
 * @param {Picture} picture
 */
export function luminance({ data, width, height }) {
  const out = new Float32Array(width * height);
  for (let i = 0, p = 0; i < out.length; i++, p += 4) {
    const a = data[p + 3] / 255;
    out[i] = (0.299 * data[p] + 0.587 * data[p + 1] + 0.114 * data[p + 2]) * a + 255 * (1 - a);
  }
  return out;
}

/**
 * For each output position the first source pixel and the weights of a triangle filter. When shrinking, the
 * triangle is as wide as the step, so each source pixel counts; when enlarging, it is plain linear interpolation.
 */
function taps(from, size, to) {
  const scale = size / to;
  const radius = Math.max(1, scale);
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - radius));
    const last = Math.min(size - 1, Math.ceil(centre + radius) - 1);
    const weights = [];
    let sum = 0;
    for (let s = first; s <= last; s++) {
      const w = Math.max(0, 1 - Math.abs(s + 0.5 - centre) / radius);
      weights.push(w);
      sum += w;
    }
    return { first: from + first, weights: weights.map((w) => w / sum) };
  });
}

/**
 * Cuts `box` out of a picture and scales it to width × height, as RGB floats, 0 to 255.
 * @param {Picture} picture
 * @param {Box} box whole pixels inside the picture
 * @param {number} width
 * @param {number} height
 * @returns {{ data: Float32Array, width: number, height: number }} three floats a pixel
 */
export function resample(picture, box, width, height) {
  const { data } = picture;
  const stride = picture.width * 4;
  const across = taps(box.x, box.width, width);
  const down = taps(0, box.height, height);
  const narrow = new Float32Array(box.height * width * 3);
  for (let y = 0, o = 0; y < box.height; y++) {
    const row = (box.y + y) * stride;
    for (let x = 0; x < width; x++, o += 3) {
      const { first, weights } = across[x];
      let r = 0, g = 0, b = 0;
      for (let k = 0, p = row + first * 4; k < weights.length; k++, p += 4) {
        const a = data[p + 3] / 255;
        const paper = 255 * (1 - a);
        const w = weights[k];
        r += w * (data[p] * a + paper);
        g += w * (data[p + 1] * a + paper);
        b += w * (data[p + 2] * a + paper);
      }
      narrow[o] = r;
      narrow[o + 1] = g;
      narrow[o + 2] = b;
    }
  }
  const out = new Float32Array(height * width * 3);
  for (let y = 0; y < height; y++) {
    const { first, weights } = down[y];
    for (let i = 0; i < width * 3; i++) {
      let v = 0;
      for (let k = 0; k < weights.length; k++) v += weights[k] * narrow[(first + k) * width * 3 + i];
      out[y * width * 3 + i] = v;
    }
  }
  return { data: out, width, height };
}

/**
 * Turned about its middle, counter-clockwise by `degrees`; what comes in at the corners repeats the nearest edge.
 * @param {Picture} picture
 * @param {number} degrees
 */
export function rotate({ data, width, height }, degrees) {
  const cos = Math.cos((degrees * Math.PI) / 180), sin = Math.sin((degrees * Math.PI) / 180);
  const out = new Uint8ClampedArray(data.length);
  const mx = (width - 1) / 2, my = (height - 1) / 2;
  for (let y = 0, o = 0; y < height; y++) {
    for (let x = 0; x < width; x++, o += 4) {
      const u = Math.max(0, Math.min(width - 1, mx + (x - mx) * cos - (y - my) * sin));
      const v = Math.max(0, Math.min(height - 1, my + (x - mx) * sin + (y - my) * cos));
      const left = Math.min(width - 1, Math.floor(u)), top = Math.min(height - 1, Math.floor(v));
      const fx = u - left, fy = v - top;
      const a = (top * width + left) * 4;
      const right = left + 1 < width ? 4 : 0, below = top + 1 < height ? width * 4 : 0;
      for (let c = 0; c < 4; c++) {
        const upper = data[a + c] * (1 - fx) + data[a + right + c] * fx;
        const lower = data[a + below + c] * (1 - fx) + data[a + below + right + c] * fx;
        out[o + c] = upper * (1 - fy) + lower * fy;
      }
    }
  }
  return { data: out, width, height };
}

/** Turned by 180°: the pixels in reverse order. */
export function turn({ data, width, height }) {
  const out = new Float32Array(data.length);
  for (let i = 0, j = data.length - 3; j >= 0; i += 3, j -= 3) {
    out[i] = data[j];
    out[i + 1] = data[j + 1];
    out[i + 2] = data[j + 2];
  }
  return { data: out, width, height };
}

/** RGB floats back to RGBA bytes, to be shown. */
export function toRGBA({ data, width, height }) {
  const out = new Uint8ClampedArray(width * height * 4);
  for (let i = 0, p = 0; i < data.length; i += 3, p += 4) {
    out[p] = data[i];
    out[p + 1] = data[i + 1];
    out[p + 2] = data[i + 2];
    out[p + 3] = 255;
  }
  return out;
}
