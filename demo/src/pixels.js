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
 * Turned clockwise by `degrees`, on a sheet that holds all of it; the corners that open show the nearest edge.
 * Quarter turns move pixels and change none.
 * @param {Picture} picture
 * @param {number} degrees
 */
export function rotate(picture, degrees) {
  const quarters = Math.round(degrees / 90);
  if (Math.abs(degrees - 90 * quarters) < 1e-6) return quarter(picture, ((quarters % 4) + 4) % 4);
  const cos = Math.cos((degrees * Math.PI) / 180), sin = Math.sin((degrees * Math.PI) / 180);
  const { width, height } = picture;
  const sheet = {
    width: Math.max(1, Math.round(width * Math.abs(cos) + height * Math.abs(sin))),
    height: Math.max(1, Math.round(width * Math.abs(sin) + height * Math.abs(cos))),
  };
  return sampled(picture, sheet.width, sheet.height, { x: width / 2, y: height / 2 }, cos, -sin);
}

/** @param {Picture} picture @param {number} times clockwise */
function quarter({ data, width, height }, times) {
  if (times === 0) return { data, width, height };
  const from = new Uint32Array(data.buffer, data.byteOffset, width * height);
  const to = new Uint32Array(width * height);
  const w = times === 2 ? width : height, h = times === 2 ? height : width;
  for (let y = 0, i = 0; y < h; y++) {
    for (let x = 0; x < w; x++, i++) {
      to[i] = times === 1 ? from[(height - 1 - x) * width + y] : times === 2 ? from[to.length - 1 - i] : from[x * width + width - 1 - y];
    }
  }
  return { data: new Uint8ClampedArray(to.buffer), width: w, height: h };
}

/** width × height pixels around `middle` of the picture, one pixel apart along (cos, sin); linear between pixels. */
function sampled({ data, width: from, height: rows }, width, height, middle, cos, sin) {
  const out = new Uint8ClampedArray(4 * width * height);
  for (let y = 0, o = 0; y < height; y++) {
    const dy = y + 0.5 - height / 2;
    for (let x = 0; x < width; x++, o += 4) {
      const dx = x + 0.5 - width / 2;
      const u = Math.max(0, Math.min(from - 1, middle.x + dx * cos - dy * sin - 0.5));
      const v = Math.max(0, Math.min(rows - 1, middle.y + dx * sin + dy * cos - 0.5));
      const left = Math.min(from - 1, Math.floor(u)), top = Math.min(rows - 1, Math.floor(v));
      const fx = u - left, fy = v - top;
      const a = (top * from + left) * 4;
      const right = left + 1 < from ? 4 : 0, below = top + 1 < rows ? from * 4 : 0;
      for (let c = 0; c < 4; c++) {
        const upper = data[a + c] * (1 - fx) + data[a + right + c] * fx;
        const lower = data[a + below + c] * (1 - fx) + data[a + below + right + c] * fx;
        out[o + c] = upper * (1 - fy) + lower * fy;
      }
    }
  }
  return { data: out, width, height };
}

/**
 * What lies under a turned rectangle, laid level; beyond the picture's edge the edge repeats.
 * @param {Picture} picture
 * @param {{ cx: number, cy: number, width: number, height: number, angle: number }} rect
 */
export function crop(picture, { cx, cy, width, height, angle }) {
  const w = Math.max(1, Math.round(width)), h = Math.max(1, Math.round(height));
  // On whole pixels nothing needs to be blended.
  const middle = angle === 0 ? { x: Math.round(cx - w / 2) + w / 2, y: Math.round(cy - h / 2) + h / 2 } : { x: cx, y: cy };
  return sampled(picture, w, h, middle, Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180));
}

/**
 * Takes a picture in bands of rows, from the top, and makes a smaller one in which each pixel is the mean of what it
 * covers, on white paper: a photograph of any size, without a second copy of it.
 * @param {number} width
 * @param {number} height
 * @param {number} toWidth not more than width
 * @param {number} toHeight not more than height
 */
export function shrinker(width, height, toWidth, toHeight) {
  const first = new Int32Array(width), share = new Float32Array(width);
  for (let x = 0; x < width; x++) {
    const a = (x * toWidth) / width, b = ((x + 1) * toWidth) / width;
    first[x] = Math.min(toWidth - 1, Math.floor(a));
    share[x] = Math.min(1, (Math.max(a, first[x] + 1) - a) / (b - a));
    if (b <= first[x] + 1) share[x] = 1;
  }
  const row = new Float32Array((toWidth + 1) * 3);
  const sum = new Float32Array(toWidth * 3);
  const out = new Uint8ClampedArray(toWidth * toHeight * 4).fill(255);
  const area = (toWidth / width) * (toHeight / height);
  let y = 0, o = 0;
  const flush = () => {
    for (let i = 0, p = o * toWidth * 4; i < toWidth * 3; i += 3, p += 4) {
      out[p] = sum[i] * area;
      out[p + 1] = sum[i + 1] * area;
      out[p + 2] = sum[i + 2] * area;
    }
    sum.fill(0);
    o++;
  };
  return {
    /** @param {ArrayLike<number>} data RGBA of the next rows */
    take(data) {
      for (let p = 0; p < data.length; y++) {
        row.fill(0);
        for (let x = 0; x < width; x++, p += 4) {
          const a = data[p + 3] / 255, white = 255 - data[p + 3];
          const i = first[x] * 3, s = share[x];
          const r = data[p] * a + white, g = data[p + 1] * a + white, b = data[p + 2] * a + white;
          row[i] += r * s;
          row[i + 1] += g * s;
          row[i + 2] += b * s;
          if (s < 1) {
            row[i + 3] += r * (1 - s);
            row[i + 4] += g * (1 - s);
            row[i + 5] += b * (1 - s);
          }
        }
        const top = (y * toHeight) / height, bottom = ((y + 1) * toHeight) / height;
        const part = bottom <= o + 1 ? 1 : (o + 1 - top) / (bottom - top);
        for (let i = 0; i < sum.length; i++) sum[i] += row[i] * part;
        if (bottom >= o + 1 - 1e-9 && o < toHeight - 1) {
          flush();
          for (let i = 0; i < sum.length; i++) sum[i] += row[i] * (1 - part);
        }
      }
    },
    /** @returns {Picture} */
    done() {
      flush();
      return { data: out, width: toWidth, height: toHeight };
    },
  };
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
