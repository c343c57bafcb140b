// Pictures as tensors and back. Pixels are read here; resizing, colours and layout are the
// module's work, in bands of rows, so that it need not hold the picture as a whole.
import { channelCounts, maxImageSize as maxSize, words } from './bridge.js';
import { NormError, ShapeError, UnsupportedError } from './errors.js';
import { imageRows, imageRowsDefaults as defaults } from './frames.js';
import { fromHalf } from './half.js';
import { checkOptions } from './options.js';
import { live } from './runtime.js';
import { Tensor, attached, describe, product, quote, resident } from './tensor.js';

/** @typedef {import('./core.js').Core} Core */

/**
 * A picture whose rows can be had: those from y on, so many, of width columns from x on,
 * as R, G, B and A a pixel, without a gap.
 * @typedef {{ width: number, height: number, open(crop: Rectangle): (from: number, to: number) => Uint8Array }} Picture
 * @typedef {{ x: number, y: number, width: number, height: number }} Rectangle
 */

const fits = ['fill', 'contain', 'cover'];

/** How many pixels go into the module at a time, and how many are drawn at a time. */
const bandPixels = 1 << 20;
const drawnPixels = 1 << 24;

/**
 * A tensor [1 C H W] or [1 H W C] of a picture.
 * @param {any} source
 * @param {any} [options]
 */
export function tensorFromImage(source, options = {}) {
  const name = 'tensorFromImage';
  checkOptions(name, options);
  const { type = 'float32', location = 'cpu', out } = options;
  if (type !== 'float32' && type !== 'uint8') throw new UnsupportedError(`${name}: type is ${quote(type)}, want 'float32' or 'uint8'`);
  const resize = word(name, 'resize', options.resize, words.resize, defaults.resize);
  const channels = word(name, 'channels', options.channels, words.channels, defaults.channels);
  const layout = word(name, 'layout', options.layout, words.layout, defaults.layout);
  word(name, 'location', location, ['cpu', 'wasm'], 0);
  const antialias = options.antialias ?? defaults.antialias;
  if (typeof antialias !== 'boolean') throw new NormError(`${name}: antialias is ${describe(antialias)}, want true or false`);
  if (antialias && options.antialias !== undefined && words.resize[resize] === 'nearest') throw new NormError(`${name}: antialias is true and resize 'nearest', which takes one pixel and no mean`, 'CONTRADICTION');
  const count = channelCounts[channels];
  if (type === 'uint8') {
    for (const key of ['mean', 'std', 'white']) {
      if (options[key] !== undefined) throw new NormError(`${name}: ${key} is given, and a tensor of uint8 has the picture's own values; for other ones take type 'float32'`, 'CONTRADICTION');
    }
  }
  const background = colour(name, 'background', options.background, [0, 0, 0]);
  const numbers = new Float64Array([
    ...scaleOf(name, options, count, type === 'uint8' ? 255 : 1), ...background, ...colour(name, 'pad', options.pad, background),
  ]);

  const picture = pictureOf(source);
  const crop = cropOf(options.crop, picture);
  const place = placeOf(options, crop);
  const dims = words.layout[layout] === 'nchw' ? [1, count, place.height, place.width] : [1, place.height, place.width, count];
  const size = product(dims);
  checkOut(out, type, dims, options.location);

  const core = live(name);
  const own = out?.core !== core || type !== 'float32';
  // Bytes are written four in place of a float32.
  const result = own ? resident(core, 'float32', type === 'float32' ? dims : [Math.ceil(size / 4)]) : out;
  let keep = false;
  try {
    if (out?.core !== undefined && out.core !== core) throw new NormError(`${name}: out belongs to another runtime`);
    const read = picture.open(crop);
    for (const band of bandsOf(crop, place, resize, antialias)) {
      imageRows(
        core, [crop.height, crop.width, place.scaledHeight, place.scaledWidth, place.height, place.width],
        { out: { handle: result.handle, offset: 0, count: result.size }, ...begin(core, numbers, band, crop.width, read) },
        { top: place.top, left: place.left, row: band.first, from: band.from, to: band.to, resize, antialias, channels, layout, bytes: type === 'uint8' },
      );
    }
    if (!own) return out;
    keep = type === 'float32' && out === undefined && location === 'wasm';
    if (keep) return result;
    const floats = result.data;
    const data = type === 'float32' ? floats : new Uint8Array(floats.buffer, floats.byteOffset, size);
    if (out === undefined && location === 'cpu') return new Tensor(type, data.slice(), dims);
    const copy = data.slice(); // of memory that moves when it grows
    const to = out ?? resident(core, type, dims);
    to.data.set(copy);
    return to;
  } finally {
    if (own && !keep) result.dispose();
  }
}

/**
 * Copies the numbers and a band's pixels into the scratch slab.
 * @param {Core} core
 * @param {Float64Array} numbers
 * @param {{ first: number, last: number }} band
 * @param {number} width
 * @param {(from: number, to: number) => Uint8Array} read
 */
function begin(core, numbers, { first, last }, width, read) {
  const rows = last - first;
  const pixels = rows > 0 ? read(first, last) : new Uint8Array(0);
  if (pixels.length !== rows * width * 4) throw new NormError(`tensorFromImage: rows ${first} to ${last} have ${pixels.length} bytes, want ${rows * width * 4}`);
  const offset = 128; // of the pixels; the numbers take 120 bytes
  const handle = core.scratch(offset + pixels.length);
  const { u8 } = core.memory;
  u8.set(new Uint8Array(numbers.buffer), core.scratchAddress);
  u8.set(pixels, core.scratchAddress + offset);
  return { pixels: { handle, offset: offset / 4, count: rows * width }, numbers: { handle, offset: 0, count: numbers.length * 2 } };
}

/**
 * Bands of the result: its rows from to to, and the picture's rows first to last that
 * these are made of, a few more than needed.
 * @param {Rectangle} crop
 * @param {ReturnType<typeof placeOf>} place
 * @param {number} resize
 * @param {boolean} antialias
 */
function* bandsOf(crop, place, resize, antialias) {
  const scale = crop.height / place.scaledHeight;
  const support = (words.resize[resize] === 'bicubic' ? 2 : 1) * (antialias ? Math.max(scale, 1) : 1) + 1;
  const rows = Math.max(1, Math.floor((Math.floor(bandPixels / crop.width) - 2 * support) / scale));
  /** @param {number} y */
  const within = (y) => Math.min(Math.max(y, 0), crop.height);
  for (let from = 0; from < place.height; from += rows) {
    const to = Math.min(from + rows, place.height);
    const [above, below] = [Math.max(from - place.top, 0), Math.min(to - place.top, place.scaledHeight)];
    const first = above < below ? within(Math.floor((above + 0.5) * scale - support)) : 0;
    const last = above < below ? within(Math.ceil((below - 0.5) * scale + support)) : 0;
    yield { from, to, first, last };
  }
}

/**
 * The rectangle of the picture that is taken.
 * @param {any} crop
 * @param {Picture} picture
 * @returns {Rectangle}
 */
function cropOf(crop, { width, height }) {
  if (crop === undefined) return { x: 0, y: 0, width, height };
  const name = 'tensorFromImage: crop';
  if (crop === null || typeof crop !== 'object') throw new NormError(`${name} is ${describe(crop)}, want { x, y, width, height }`);
  const { x, y, width: w, height: h } = crop;
  for (const [key, value] of Object.entries({ x, y, width: w, height: h })) {
    if (!Number.isInteger(value)) throw new ShapeError(`${name}.${key} is ${typeof value === 'number' ? value : describe(value)}, want a whole number of pixels`);
  }
  if (x < 0 || y < 0 || w < 1 || h < 1 || x + w > width || y + h > height) {
    throw new ShapeError(`${name} is ${w} × ${h} at ${x}, ${y}, and the picture has ${width} × ${height}`);
  }
  return { x, y, width: w, height: h };
}

/**
 * The result's size, the resized picture's, and where that stands in the result.
 * @param {any} options
 * @param {Rectangle} crop
 */
function placeOf(options, crop) {
  const fit = word('tensorFromImage', 'fit', options.fit, fits, 0);
  let { width, height } = options;
  for (const [key, value] of Object.entries({ width, height })) {
    if (value === undefined) continue;
    if (!Number.isInteger(value) || value < 1 || value > maxSize) throw new ShapeError(`tensorFromImage: ${key} is ${typeof value === 'number' ? value : describe(value)}, want a whole number from 1 to ${maxSize}`);
  }
  if (options.fit !== undefined && (width === undefined || height === undefined)) {
    throw new NormError(`tensorFromImage: fit is given without ${width === undefined ? 'width' : 'height'}: the picture fits as it is`, 'CONTRADICTION');
  }
  if (width === undefined && height === undefined) ({ width, height } = crop);
  width ??= near((height * crop.width) / crop.height);
  height ??= near((width * crop.height) / crop.width);
  const scale = fit === 1 ? Math.min(width / crop.width, height / crop.height) : Math.max(width / crop.width, height / crop.height);
  let [scaledWidth, scaledHeight] = [width, height];
  if (fit !== 0) {
    const limit = fit === 1 ? Math.min : Math.max; // against rounding
    scaledWidth = limit(width, near(crop.width * scale));
    scaledHeight = limit(height, near(crop.height * scale));
  }
  return { width, height, scaledWidth, scaledHeight, left: Math.floor((width - scaledWidth) / 2), top: Math.floor((height - scaledHeight) / 2) };
}

/**
 * The nearest size.
 * @param {number} size
 */
function near(size) {
  return Math.min(Math.max(Math.round(size), 1), maxSize);
}

/**
 * White, and mean and std of four channels each.
 * @param {string} name
 * @param {any} options
 * @param {number} count
 * @param {number} otherwise white
 */
function scaleOf(name, options, count, otherwise) {
  const { white = otherwise, mean, std } = options;
  if (typeof white !== 'number' || !(white > 0) || white === Infinity) throw new NormError(`${name}: white is ${typeof white === 'number' ? white : describe(white)}, want a finite number above 0`);
  return [white, ...channelValues(name, 'mean', mean, count, 0), ...channelValues(name, 'std', std, count, 1)];
}

/**
 * Four numbers, of which count are given, each or all by one.
 * @param {string} name
 * @param {string} key
 * @param {any} value
 * @param {number} count
 * @param {number} otherwise
 */
function channelValues(name, key, value, count, otherwise) {
  const list = numbersOf(value, count, otherwise);
  if (list === undefined) throw new NormError(`${name}: ${key} is ${describe(value)}, want a number or ${count} of them`);
  if (list.length !== count) throw new ShapeError(`${name}: ${key} has ${list.length} numbers, want ${count}, one a channel`);
  for (const v of list) {
    if (!Number.isFinite(v) || (key === 'std' && v === 0)) throw new NormError(`${name}: ${key} has ${typeof v === 'number' ? v : describe(v)}, want finite numbers${key === 'std' ? ' other than 0' : ''}`);
  }
  return [...list, ...new Array(4 - count).fill(otherwise)];
}

/**
 * R, G and B.
 * @param {string} name
 * @param {string} key
 * @param {any} value
 * @param {number[]} otherwise
 */
function colour(name, key, value, otherwise) {
  if (value === undefined) return otherwise;
  const list = numbersOf(value, 3, 0);
  if (list === undefined || list.length !== 3 || !list.every((v) => v >= 0 && v <= 255)) {
    throw new NormError(`${name}: ${key} is ${list === undefined ? describe(value) : `[${list.join(' ')}]`}, want a number from 0 to 255, or three: [R, G, B]`);
  }
  return list;
}

/**
 * @param {any} value
 * @param {number} count
 * @param {number} otherwise
 * @returns {number[] | undefined}
 */
function numbersOf(value, count, otherwise) {
  if (value === undefined) return new Array(count).fill(otherwise);
  if (typeof value === 'number') return new Array(count).fill(value);
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView)) ? Array.from(/** @type {any} */ (value)) : undefined;
}

/**
 * @param {any} out
 * @param {string} type
 * @param {number[]} dims
 * @param {any} location
 */
function checkOut(out, type, dims, location) {
  if (out === undefined) return;
  const name = 'tensorFromImage';
  if (!(out instanceof Tensor)) throw new NormError(`${name}: out is ${describe(out)}, want a Tensor`);
  if (location !== undefined) throw new NormError(`${name}: location is given, and out says where the result is: leave one of them out`, 'CONTRADICTION');
  if (out.type !== type) throw new NormError(`${name}: out is a tensor of ${out.type}, want ${type}`);
  out.storage(name, 'out'); // throws when it was disposed of
  if (out.dims.length !== 4 || !out.dims.every((d, i) => d === dims[i])) throw new ShapeError(`${name}: out is [${out.dims.join(' ')}], want [${dims.join(' ')}]`);
  attached(out.data, `${name}: out`, out.size);
}

// ---- where pixels come from --------------------------------------------------------------------

/**
 * @param {any} source
 * @returns {Picture}
 */
function pictureOf(source) {
  const kind = Object.prototype.toString.call(source).slice(8, -1);
  switch (kind) {
    case 'HTMLImageElement':
      if (!source.complete) throw notReady('the image is not loaded yet: await image.decode() before');
      return drawable(source, kind, source.naturalWidth, source.naturalHeight, 'it failed to load, or is an SVG without a size of its own');
    case 'HTMLVideoElement':
      if (source.readyState < 2) throw notReady(`the video has no frame yet (readyState ${source.readyState}): wait for its event 'loadeddata'`);
      return drawable(source, kind, source.videoWidth, source.videoHeight, 'it has no picture');
    case 'VideoFrame':
      return drawable(source, kind, source.displayWidth, source.displayHeight, 'it was closed');
    case 'ImageBitmap':
      return drawable(source, kind, source.width, source.height, 'it was closed');
    case 'HTMLCanvasElement':
    case 'OffscreenCanvas':
      return drawable(source, kind, source.width, source.height, '');
    case 'Blob':
    case 'File':
      throw new NormError(`tensorFromImage: source is a ${kind}, whose picture is not decoded: await createImageBitmap(it) before`);
    default:
      return pixelsOf(source);
  }
}

/**
 * ImageData, or an object of its form.
 * @param {any} source
 * @returns {Picture}
 */
function pixelsOf(source) {
  const name = 'tensorFromImage: source';
  const { data, width, height } = source ?? {};
  if (source === null || typeof source !== 'object' || data === undefined) {
    throw new NormError(`${name} is ${describe(source)}, want an ImageData, a canvas, an ImageBitmap, an image, a video, a VideoFrame, or { data, width, height }`);
  }
  const kind = data?.[Symbol.toStringTag];
  if (kind === 'Float16Array' || kind === 'Float32Array') throw new UnsupportedError(`${name}.data is a ${kind}, want bytes (an ImageData of pixelFormat 'rgba-unorm8')`);
  if (kind !== 'Uint8ClampedArray' && kind !== 'Uint8Array') throw new NormError(`${name}.data is ${describe(data)}, want a Uint8ClampedArray or Uint8Array`);
  attached(data, `${name}.data`);
  checkSize('it', width, height, '');
  if (data.length !== width * height * 4) {
    throw new ShapeError(`${name}.data has ${data.length} bytes, want ${width * height * 4} for ${width} × ${height} pixels of R, G, B and A`);
  }
  return {
    width, height,
    open: (crop) => {
      // (The module's memory may grow while it is read.)
      const bytes = live('tensorFromImage').memory.outside(new Uint8Array(data.buffer, data.byteOffset, data.length));
      return (from, to) => {
        const start = ((crop.y + from) * width + crop.x) * 4;
        const [stride, length] = [width * 4, crop.width * 4];
        if (stride === length) return bytes.subarray(start, start + (to - from) * stride);
        const rows = new Uint8Array((to - from) * length);
        for (let i = 0; i < to - from; i++) rows.set(bytes.subarray(start + i * stride, start + i * stride + length), i * length);
        return rows;
      };
    },
  };
}

/**
 * What a canvas can draw. It is drawn on one of our own: to ask another's for a context would decide which it has.
 * @param {any} source
 * @param {string} kind
 * @param {number} width
 * @param {number} height
 * @param {string} why it may be empty
 * @returns {Picture}
 */
function drawable(source, kind, width, height, why) {
  checkSize(`the ${kind}`, width, height, why);
  return {
    width, height,
    open: (crop) => {
      // A video that plays must be drawn at once, or bands would be of different frames.
      const rows = kind === 'HTMLVideoElement' ? crop.height : Math.max(1, Math.min(crop.height, Math.floor(drawnPixels / crop.width)));
      /** What is drawn now. @type {{ from: number, to: number, data: Uint8Array } | undefined} */
      let drawn;
      return (from, to) => {
        if (drawn === undefined || from < drawn.from || to > drawn.to) {
          const end = Math.min(crop.height, Math.max(to, from + rows));
          drawn = { from, to: end, data: draw(source, kind, crop.x, crop.y + from, crop.width, end - from) };
        }
        const stride = crop.width * 4;
        return drawn.data.subarray((from - drawn.from) * stride, (to - drawn.from) * stride);
      };
    },
  };
}

/**
 * The pixels of a rectangle.
 * @param {any} source
 * @param {string} kind
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {number} height
 */
function draw(source, kind, x, y, width, height) {
  const name = `tensorFromImage: the ${kind}`;
  const canvas = newCanvas(width, height);
  try {
    const context = canvas.getContext('2d', { willReadFrequently: true });
    if (!context) throw new UnsupportedError(`${name}: the browser gives no canvas of ${width} × ${height}`);
    context.drawImage(source, x, y, width, height, 0, 0, width, height);
    const { data } = context.getImageData(0, 0, width, height);
    if (kind === 'HTMLVideoElement' && !isVisible(data)) {
      throw notReady('the video has drawn no frame yet: wait for video.requestVideoFrameCallback()');
    }
    return new Uint8Array(data.buffer, data.byteOffset, data.length);
  } catch (cause) {
    if (cause instanceof NormError) throw cause;
    const error = /** @type {any} */ (cause);
    if (error?.name === 'SecurityError') {
      throw new NormError(`${name} shows what comes from another origin, whose pixels a page may not read: load it with crossOrigin = 'anonymous' from a server that sends Access-Control-Allow-Origin`, 'TAINTED', { cause });
    }
    throw new NormError(`${name} cannot be read: ${error?.message ?? error}`, 'INVALID_VALUE', { cause });
  } finally {
    canvas.width = canvas.height = 0; // lets go of the memory now
  }
}

/**
 * Whether any pixel is not fully transparent. (Of a video that shows something it is the first one as a rule.)
 * @param {Uint8ClampedArray} data
 */
function isVisible(data) {
  for (let i = 3; i < data.length; i += 4) if (data[i] !== 0) return true;
  return false;
}

/**
 * @param {number} width
 * @param {number} height
 * @returns {any}
 */
function newCanvas(width, height) {
  if (typeof OffscreenCanvas === 'function') return new OffscreenCanvas(width, height);
  if (typeof document === 'undefined') throw new UnsupportedError('tensorFromImage: there is no canvas in this scope to read the picture with; pass its ImageData');
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

/**
 * @param {string} what
 * @param {any} width
 * @param {any} height
 * @param {string} why it may be empty
 */
function checkSize(what, width, height, why) {
  for (const [key, value] of Object.entries({ width, height })) {
    if (!Number.isInteger(value) || value < 0 || value > maxSize) throw new ShapeError(`tensorFromImage: the source's ${key} is ${typeof value === 'number' ? value : describe(value)}, want a whole number from 1 to ${maxSize}`);
  }
  if (width === 0 || height === 0) throw new ShapeError(`tensorFromImage: ${what} is ${width} × ${height} pixels large, there is nothing in it${why && `: ${why}`}`);
}

/** @param {string} message */
function notReady(message) {
  return new NormError(`tensorFromImage: ${message}`, 'NOT_READY');
}

// ---- and back ----------------------------------------------------------------------------------

/** How numbers of a tensor are told from its elements. @type {Record<string, (v: any) => number>} */
const decoders = { float32: (v) => v, float64: (v) => v, uint8: (v) => v, float16: fromHalf };

/**
 * The picture of a tensor.
 * @param {any} tensor
 * @param {any} [options]
 */
export function tensorToImage(tensor, options = {}) {
  const name = 'tensorToImage';
  checkOptions(name, options);
  if (!(tensor instanceof Tensor)) throw new NormError(`${name}: the tensor is ${describe(tensor)}, want a Tensor`);
  const decode = Object.hasOwn(decoders, tensor.type) ? decoders[tensor.type] : undefined;
  if (!decode) throw new UnsupportedError(`${name}: the tensor is of ${tensor.type}, want float32, float16, float64 or uint8`);
  tensor.storage(name, 'the tensor');
  const nhwc = words.layout[word(name, 'layout', options.layout, words.layout, defaults.layout)] === 'nhwc';
  const shape = imageShape(tensor.dims, nhwc, options.index);
  const { count, height, width } = shape;
  const channels = options.channels === undefined ? channelCounts.indexOf(count) : word(name, 'channels', options.channels, words.channels, defaults.channels);
  if (channels < 0 || channelCounts[channels] !== count) {
    throw new ShapeError(`${name}: the tensor [${tensor.dims.join(' ')}] has ${count} channels in layout ${nhwc ? 'nhwc' : 'nchw'}, want ${channels < 0 ? '1, 3 or 4' : `${channelCounts[channels]} for ${words.channels[channels]}`}`);
  }
  const [white, ...rest] = scaleOf(name, options, count, tensor.type === 'uint8' ? 255 : 1);
  const data = attached(tensor.data, `${name}: the tensor's data`, tensor.size);
  const pixels = newPixels(width * height * 4);
  const [step, plane] = nhwc ? [count, 1] : [1, width * height];
  const first = shape.index * count * width * height;
  for (let c = 0; c < 4; c++) {
    // Which of the tensor's channels is the picture's channel c.
    const from = count === 1 ? (c < 3 ? 0 : -1) : c === 3 ? (count === 4 ? 3 : -1) : channels === 1 ? 2 - c : c;
    const [mean, std] = [rest[from], rest[4 + from]];
    for (let i = 0, at = first + from * plane; i < width * height; i++, at += step) {
      const v = from < 0 ? 255 : Math.floor(((decode(data[at]) * std + mean) * 255) / white + 0.5);
      pixels[4 * i + c] = v > 0 ? Math.min(v, 255) : 0;
    }
  }
  return typeof ImageData === 'function' ? new ImageData(pixels, width, height) : { data: pixels, width, height };
}

/** @param {number} length */
function newPixels(length) {
  try {
    return new Uint8ClampedArray(length);
  } catch (cause) {
    throw new NormError(`tensorToImage: there is no memory for ${length} bytes`, 'OUT_OF_MEMORY', { cause });
  }
}

/**
 * The sizes of one picture of a tensor [N C H W], [C H W] or [H W], or with channels last.
 * @param {readonly number[]} dims
 * @param {boolean} nhwc
 * @param {any} index of the picture
 */
function imageShape(dims, nhwc, index) {
  const all = dims.length === 2 ? (nhwc ? [1, ...dims, 1] : [1, 1, ...dims]) : dims.length === 3 ? [1, ...dims] : dims;
  if (all.length !== 4) throw new ShapeError(`tensorToImage: the tensor is [${dims.join(' ')}], want 2 to 4 dimensions`);
  const [pictures] = all;
  const [count, height, width] = nhwc ? [all[3], all[1], all[2]] : all.slice(1);
  if (width === 0 || height === 0) throw new ShapeError(`tensorToImage: the tensor [${dims.join(' ')}] is a picture of ${width} × ${height} pixels`);
  if (index === undefined && pictures !== 1) throw new ShapeError(`tensorToImage: the tensor [${dims.join(' ')}] has ${pictures} pictures: the option index says which`);
  if (index !== undefined && (!Number.isInteger(index) || index < 0 || index >= pictures)) {
    throw new ShapeError(`tensorToImage: index is ${typeof index === 'number' ? index : describe(index)}, want a whole number below ${pictures}`);
  }
  return { count, height, width, index: index ?? 0 };
}

// ---- options -----------------------------------------------------------------------------------

/**
 * The index of a word.
 * @param {string} name
 * @param {string} key
 * @param {any} value
 * @param {readonly string[]} all
 * @param {number} otherwise
 */
function word(name, key, value, all, otherwise) {
  if (value === undefined) return otherwise;
  const i = all.indexOf(value);
  if (i < 0) throw new NormError(`${name}: ${key} is ${quote(value)}, want ${all.map((w) => `'${w}'`).join(', ').replace(/, ([^,]*)$/, ' or $1')}`);
  return i;
}
