// Pictures as tensors and back: here from pixels; image.browser.test.mjs has what browsers draw.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { DisposedError, NormError, ShapeError, Tensor, UnsupportedError, init, tensorFromImage, tensorToImage } from 'normwasm';
import { detached, random } from './data.mjs';

let runtime;
before(async () => {
  runtime = await init({ variant: 'simd' });
});
after(() => runtime.dispose());

/** A picture of the pixels that colour(x, y) gives: [R, G, B] or [R, G, B, A]. */
function picture(width, height, colour) {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) data.set([...colour(x, y), 255].slice(0, 4), (y * width + x) * 4);
  }
  return { data, width, height };
}
const value = (x, y, c) => (x * 37 + y * 59 + c * 101 + x * y * 13) % 256;
const pattern = (width, height) => picture(width, height, (x, y) => [0, 1, 2].map((c) => value(x, y, c)));
const noise = (width, height, seed, transparent = false) => {
  const next = random(seed);
  const byte = () => Math.floor((next() + 1) * 128);
  return picture(width, height, () => [byte(), byte(), byte(), transparent ? byte() : 255]);
};

/**
 * One element, in float64, from every pixel of the picture: the description in index.d.ts as a formula.
 * The scaled picture stands at left, top.
 */
function oracle({ data, width, height }, { scaledWidth, scaledHeight, left = 0, top = 0, resize = 'bilinear', antialias = true, channel, gray = false, background = [0, 0, 0], pad = background }, x, y) {
  const axis = (i, size, scaled) => {
    const scale = size / scaled;
    const centre = (i + 0.5) * scale;
    const raw = Array.from({ length: size }, (_, p) => {
      const d = Math.abs(p + 0.5 - centre) / (antialias ? Math.max(scale, 1) : 1);
      if (resize === 'nearest') return Math.floor(centre) === p ? 1 : 0;
      if (resize === 'bilinear') return Math.max(1 - d, 0);
      return d < 1 ? 1.5 * d ** 3 - 2.5 * d ** 2 + 1 : d < 2 ? -0.5 * d ** 3 + 2.5 * d ** 2 - 4 * d + 2 : 0;
    });
    const sum = raw.reduce((a, b) => a + b);
    return raw.map((w) => w / sum);
  };
  const inside = x >= left && y >= top && x < left + scaledWidth && y < top + scaledHeight;
  const wx = inside && axis(x - left, width, scaledWidth);
  const wy = inside && axis(y - top, height, scaledHeight);
  const at = (c) => {
    if (!inside) return pad[c];
    let sum = 0;
    for (let py = 0; py < height; py++) {
      for (let px = 0; px < width; px++) {
        const i = (py * width + px) * 4;
        const a = data[i + 3] / 255;
        sum += wx[px] * wy[py] * (data[i + c] * a + (1 - a) * background[c]);
      }
    }
    return Math.min(Math.max(sum, 0), 255);
  };
  return gray ? 0.299 * at(0) + 0.587 * at(1) + 0.114 * at(2) : at(channel);
}

/** Compares a tensor of layout nchw with the oracle. */
function compare(tensor, image, options, { tolerance = 1e-3, channels = [0, 1, 2] } = {}) {
  const [, count, height, width] = tensor.dims;
  assert.equal(count, channels.length);
  for (let c = 0; c < count; c++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const want = oracle(image, { ...options, channel: channels[c] }, x, y);
        const got = tensor.data[(c * height + y) * width + x];
        assert.ok(Math.abs(got - want) <= tolerance, `channel ${c} at ${x}, ${y}: ${got}, want ${want}`);
      }
    }
  }
}

// Computed once by Pillow 9.4.0: Image.new('F', (7, 5)) with the green of pattern(7, 5), resize((w, h), filter), rounded to 4 decimals.
const pillow = {
  'bilinear 3 2': [131.3766, 129.9786, 121.2467, 99.6104, 135.0054, 116.961],
  'bilinear 10 3': [126.2857, 149.7, 152.0714, 105.0714, 129.3857, 159.1857, 181.6714, 109.0714, 102.3, 125.7143, 162.1111, 118.5389, 84.4167, 88.6944,
    129.95, 154.1389, 154.15, 98.6944, 107.2389, 141.8889, 55.7143, 101.6, 123.4286, 79.4286, 130.5143, 150.5143, 130.2857, 86.2857, 108.1143, 154.0],
  'bicubic 3 2': [132.2213, 132.1483, 121.6419, 96.6133, 133.7094, 117.3038],
  'bicubic 10 3': [127.2341, 156.5963, 158.5538, 99.9279, 120.6489, 163.345, 187.789, 101.9385, 94.2262, 125.8736, 170.6178, 119.0851, 73.9826, 87.207,
    132.4828, 159.2832, 149.9041, 94.2407, 110.2404, 151.9229, 47.134, 100.9066, 128.9462, 79.1001, 136.9215, 163.0822, 131.2051, 75.2077, 103.8164, 158.0967],
  'nearest 3 2': [210, 54, 154, 98, 250, 146],
  'nearest 10 3': [101, 138, 138, 175, 212, 212, 249, 30, 30, 67, 219, 26, 26, 89, 152, 152, 215, 22, 22, 85, 81, 170, 170, 3, 92, 92, 181, 14, 14, 103],
};
for (const [key, want] of Object.entries(pillow)) {
  test(`as Pillow: ${key}`, () => {
    const [resize, width, height] = key.split(' ');
    const t = tensorFromImage(pattern(7, 5), { width: +width, height: +height, resize, white: 255 });
    assert.deepEqual([...t.dims], [1, 3, +height, +width]);
    const green = t.data.subarray(want.length, 2 * want.length);
    want.forEach((v, i) => assert.ok(Math.abs(green[i] - v) < 1e-4, `${i}: ${green[i]}, want ${v}`));
  });
}

test('a picture as it is: the bytes over 255, rounded once, and back', () => {
  const image = noise(13, 7, 1);
  const t = tensorFromImage(image);
  assert.deepEqual([t.type, t.location, [...t.dims]], ['float32', 'cpu', [1, 3, 7, 13]]);
  for (let c = 0; c < 3; c++) for (let i = 0; i < 91; i++) assert.equal(t.data[c * 91 + i], Math.fround(image.data[4 * i + c] / 255));
  assert.deepEqual(tensorToImage(t), image);
  const mean = [0.485, 0.456, 0.406];
  const std = [0.229, 0.224, 0.225];
  const normal = tensorFromImage(image, { mean, std });
  for (let c = 0; c < 3; c++) for (let i = 0; i < 91; i++) assert.equal(normal.data[c * 91 + i], Math.fround((image.data[4 * i + c] / 255 - mean[c]) / std[c]));
  assert.deepEqual(tensorToImage(normal, { mean, std }), image);
});

test('every byte comes back, in all layouts, orders and types', () => {
  const image = picture(256, 1, (x) => [x, 255 - x, (x * 7) % 256, (x * 31) % 256]);
  const opaque = picture(256, 1, (x) => [x, 255 - x, (x * 7) % 256]);
  for (const layout of ['nchw', 'nhwc']) {
    for (const channels of ['rgb', 'bgr']) {
      for (const type of ['float32', 'uint8']) {
        assert.deepEqual(tensorToImage(tensorFromImage(opaque, { layout, channels, type }), { layout, channels }), opaque);
      }
    }
    const back = tensorToImage(tensorFromImage(image, { layout, channels: 'rgba' }), { layout });
    for (let i = 0; i < 1024; i++) assert.equal(back.data[i], image.data[i | 3] === 0 && (i & 3) < 3 ? 0 : image.data[i], `byte ${i}`);
    const gray = picture(256, 1, (x) => [x, x, x]);
    assert.deepEqual(tensorToImage(tensorFromImage(gray, { layout, channels: 'gray' }), { layout }), gray);
    assert.deepEqual(tensorToImage(tensorFromImage(gray, { layout, channels: 'gray', type: 'uint8' }), { layout }), gray);
  }
  assert.deepEqual([...tensorFromImage(opaque, { type: 'uint8', layout: 'nhwc' }).data.subarray(0, 6)], [0, 255, 0, 1, 254, 7]);
  assert.deepEqual([...tensorFromImage(picture(1, 1, () => [1, 2, 3]), { channels: 'bgr', white: 255 }).data], [3, 2, 1]);
});

test('sizes and filters, against the formula', () => {
  for (const [image, width, height] of [[noise(9, 6, 3), 4, 3], [noise(5, 5, 4), 11, 2], [noise(1, 1, 5), 3, 4], [noise(17, 3, 6), 1, 1]]) {
    for (const resize of ['nearest', 'bilinear', 'bicubic']) {
      for (const antialias of resize === 'nearest' ? [undefined] : [true, false]) {
        compare(tensorFromImage(image, { width, height, resize, antialias, white: 255 }), image, { scaledWidth: width, scaledHeight: height, resize, antialias });
      }
    }
  }
});

test('one size gives the other', () => {
  assert.deepEqual([...tensorFromImage(noise(10, 4, 1), { width: 5 }).dims], [1, 3, 2, 5]);
  assert.deepEqual([...tensorFromImage(noise(10, 4, 1), { height: 8, layout: 'nhwc' }).dims], [1, 8, 20, 3]);
  assert.deepEqual([...tensorFromImage(noise(100, 1, 1), { width: 10 }).dims], [1, 3, 1, 10], 'at least 1');
});

test('fit: contain leaves bars, cover cuts off', () => {
  const image = noise(10, 4, 7);
  const pad = [10, 20, 30];
  // 10 × 4 into 7 × 7: 7 × 3 in the middle, 2 rows above and below.
  compare(tensorFromImage(image, { width: 7, height: 7, fit: 'contain', pad, white: 255 }), image, { scaledWidth: 7, scaledHeight: 3, top: 2, pad });
  // Into 4 × 3: 4 × 2 (1.6 rounded), the odd row below.
  compare(tensorFromImage(image, { width: 4, height: 3, fit: 'contain', pad: 114, white: 255 }), image, { scaledWidth: 4, scaledHeight: 2, top: 0, pad: [114, 114, 114] });
  // 10 × 4 over 6 × 6: 15 × 6, of which 4 columns are cut off on the left and 5 on the right (-4.5 rounded down: 5 on the left).
  compare(tensorFromImage(image, { width: 6, height: 6, fit: 'cover', white: 255 }), image, { scaledWidth: 15, scaledHeight: 6, left: -5 });
  compare(tensorFromImage(image, { width: 5, height: 2, fit: 'cover', white: 255 }), image, { scaledWidth: 5, scaledHeight: 2 });
});

test('a cut-out is a picture of its own', () => {
  const image = noise(20, 15, 8);
  const crop = { x: 3, y: 4, width: 9, height: 7 };
  const cut = picture(9, 7, (x, y) => image.data.subarray(((y + 4) * 20 + x + 3) * 4, ((y + 4) * 20 + x + 3) * 4 + 4));
  assert.deepEqual(tensorFromImage(image, { crop, width: 4, height: 5 }).data, tensorFromImage(cut, { width: 4, height: 5 }).data);
});

test('transparency', () => {
  const image = noise(8, 6, 9, true);
  const background = [255, 128, 0];
  compare(tensorFromImage(image, { width: 5, height: 4, background, white: 255 }), image, { scaledWidth: 5, scaledHeight: 4, background });
  compare(tensorFromImage(image, { width: 5, height: 4, white: 255 }), image, { scaledWidth: 5, scaledHeight: 4 });
  const gray = tensorFromImage(image, { width: 5, height: 4, background: 255, channels: 'gray', white: 255 });
  compare(gray, image, { scaledWidth: 5, scaledHeight: 4, background: [255, 255, 255], gray: true }, { channels: [0] });
  // A colour that nobody sees does not bleed into its neighbour.
  const edge = picture(2, 1, (x) => (x === 0 ? [200, 100, 50, 255] : [0, 255, 0, 0]));
  const one = tensorFromImage(edge, { width: 1, height: 1, channels: 'rgba', white: 255 });
  [200, 100, 50, 127.5].forEach((v, i) => assert.ok(Math.abs(one.data[i] - v) < 1e-4, String(one)));
});

test('large pictures go through in bands, and every part gives the same', () => {
  const image = noise(1500, 1100, 10); // more than one band
  const t = tensorFromImage(image, { width: 50, height: 37, white: 255 });
  for (const [x, y] of [[0, 0], [49, 36], [25, 18], [3, 30]]) {
    const part = { x: Math.max(0, x * 30 - 60), y: Math.max(0, Math.round(y * 1100 / 37) - 60), width: 150, height: 150 };
    let [sum, weights] = [0, 0];
    const [sx, sy] = [30, 1100 / 37];
    for (let py = part.y; py < Math.min(1100, part.y + part.height); py++) {
      for (let px = part.x; px < Math.min(1500, part.x + part.width); px++) {
        const w = Math.max(0, 1 - Math.abs(px + 0.5 - (x + 0.5) * sx) / sx) * Math.max(0, 1 - Math.abs(py + 0.5 - (y + 0.5) * sy) / sy);
        sum += w * image.data[(py * 1500 + px) * 4];
        weights += w;
      }
    }
    assert.ok(Math.abs(t.data[y * 50 + x] - sum / weights) < 1e-3, `${t.data[y * 50 + x]}, want ${sum / weights}`);
  }
  assert.deepEqual(tensorToImage(tensorFromImage(image)), image);
  const tall = picture(3, 40_000, (x, y) => [y % 256, 0, 0]);
  assert.equal(tensorFromImage(tall, { width: 1, height: 1, white: 255 }).size, 3);
  assert.equal(tensorFromImage(tall, { width: 2, height: 50_000, fit: 'contain', type: 'uint8' }).size, 300_000);
});

test('where the result goes', () => {
  const image = noise(6, 5, 11);
  const options = { width: 3, height: 2 };
  const want = tensorFromImage(image, options);
  const before = runtime.memory();
  const wasm = tensorFromImage(image, { ...options, location: 'wasm' });
  assert.equal(wasm.location, 'wasm');
  assert.deepEqual(wasm.data.slice(), want.data);
  const bytes = tensorFromImage(image, { ...options, location: 'wasm', type: 'uint8' });
  assert.deepEqual([bytes.location, bytes.type, bytes.size], ['wasm', 'uint8', 18]);
  assert.deepEqual(bytes.data.slice(), tensorFromImage(image, { ...options, type: 'uint8' }).data);
  for (const out of [Tensor.zeros([1, 3, 2, 3]), wasm, bytes, new Tensor('uint8', new Uint8Array(18), [1, 3, 2, 3])]) {
    out.data.fill(77);
    assert.equal(tensorFromImage(image, { ...options, out, type: out.type }), out);
    assert.deepEqual(out.data.slice(), tensorFromImage(image, { ...options, type: out.type }).data);
  }
  wasm.dispose();
  bytes.dispose();
  const { inUse, tensors } = runtime.memory();
  assert.deepEqual({ inUse, tensors }, { inUse: before.inUse, tensors: before.tensors }, 'nothing is left behind');
});

test('pixels of any kind', () => {
  const { data, width, height } = noise(4, 3, 12);
  const want = tensorFromImage({ data, width, height }).data;
  const shifted = new Uint8Array(49).subarray(1);
  shifted.set(data);
  const shared = new Uint8Array(new SharedArrayBuffer(48));
  shared.set(data);
  const resident = new Tensor('uint8', new Uint8Array(data)).toWasm();
  for (const other of [new Uint8Array(data), Buffer.from(data), shifted, shared, resident.data]) assert.deepEqual(tensorFromImage({ data: other, width, height }).data, want);
  resident.dispose();
});

test('the tensor as a picture: rounding, clamping, what the numbers mean', () => {
  const show = (type, data, dims, options) => [...tensorToImage(new Tensor(type, data, dims), options).data];
  assert.deepEqual(show('float32', [-1, 0.5 / 255, 1.5 / 255, 2, NaN, 1], [1, 1, 6], { channels: 'gray' }).filter((_, i) => i % 4 === 0), [0, 1, 2, 255, 0, 255]);
  assert.deepEqual(show('float32', [10, 20.5, 300], [3, 1, 1], { white: 255 }), [10, 21, 255, 255]);
  assert.deepEqual(show('uint8', [1, 2, 3, 4], [1, 1, 4], { layout: 'nhwc' }), [1, 2, 3, 4]);
  assert.deepEqual(show('float16', new Uint16Array([0x3c00, 0, 0x3800]), [3, 1, 1]), [255, 0, 128, 255]);
  assert.deepEqual(show('float64', [0, 1], [1, 2]), [0, 0, 0, 255, 255, 255, 255, 255]);
  assert.deepEqual(show('float32', [0, 1, 0, 1, 0, 0], [2, 3, 1, 1], { index: 1, channels: 'bgr' }), [0, 0, 255, 255]);
  const resident = new Tensor('float32', [0, 1], [1, 2]).toWasm();
  assert.deepEqual([...tensorToImage(resident).data], [0, 0, 0, 255, 255, 255, 255, 255]);
  resident.dispose();
  assert.throws(() => tensorToImage(resident), DisposedError);
});

const image = noise(4, 3, 1);
for (const [what, source, options, Class, message] of [
  ['no picture', undefined, {}, NormError, /source is undefined, want an ImageData/],
  ['null', null, {}, NormError, /source is null/],
  ['a URL', 'photo.jpg', {}, NormError, /source is a string/],
  ['a Blob', new Blob([]), {}, NormError, /is a Blob, .*createImageBitmap/],
  ['bytes', new Uint8Array(4), {}, NormError, /source is a Uint8Array/],
  ['too few bytes', { ...image, width: 5 }, {}, ShapeError, /data has 48 bytes, want 60 for 5 × 3 pixels/],
  ['no size', { data: image.data }, {}, ShapeError, /width is undefined/],
  ['a size of 0', { data: new Uint8Array(0), width: 0, height: 3 }, {}, ShapeError, /is 0 × 3 pixels/],
  ['half-floats', { data: new Float32Array(48), width: 4, height: 3 }, {}, UnsupportedError, /want bytes/],
  ['an array', { data: [1, 2, 3, 4], width: 1, height: 1 }, {}, NormError, /data is a plain array/],
  ['no options', image, null, NormError, /options is null/],
  ['a width of 0', image, { width: 0 }, ShapeError, /width is 0, want a whole number from 1/],
  ['half a height', image, { height: 1.5 }, ShapeError, /height is 1.5/],
  ['a width of text', image, { width: '224' }, ShapeError, /width is a string/],
  ['fit for nothing', image, { width: 3, fit: 'cover' }, NormError, /fit is given without height/],
  ['an unknown fit', image, { width: 3, height: 3, fit: 'stretch' }, NormError, /fit is "stretch", want 'fill', 'contain' or 'cover'/],
  ['an unknown filter', image, { resize: 'lanczos' }, NormError, /resize is "lanczos"/],
  ['antialias nearest', image, { resize: 'nearest', antialias: true }, NormError, /antialias is true and resize 'nearest'/],
  ['antialias of text', image, { antialias: 'no' }, NormError, /antialias is a string/],
  ['an unknown layout', image, { layout: 'hwc' }, NormError, /layout is "hwc"/],
  ['unknown channels', image, { channels: 'cmyk' }, NormError, /channels is "cmyk"/],
  ['an unknown type', image, { type: 'int8' }, UnsupportedError, /type is "int8"/],
  ['an unknown place', image, { location: 'gpu' }, NormError, /location is "gpu"/],
  ['mean of bytes', image, { type: 'uint8', mean: 1 }, NormError, /mean is given, and a tensor of uint8/],
  ['two means', image, { mean: [1, 2] }, ShapeError, /mean has 2 numbers, want 3/],
  ['a std of 0', image, { std: [1, 0, 1] }, NormError, /std has 0/],
  ['a mean of NaN', image, { mean: NaN }, NormError, /mean has NaN/],
  ['a mean of text', image, { mean: '0.5' }, NormError, /mean is a string/],
  ['white of 0', image, { white: 0 }, NormError, /white is 0/],
  ['a pad of 256', image, { pad: 256 }, NormError, /pad is \[256 256 256\]/],
  ['a background by name', image, { background: 'white' }, NormError, /background is a string/],
  ['a crop outside', image, { crop: { x: 1, y: 0, width: 4, height: 3 } }, ShapeError, /crop is 4 × 3 at 1, 0, and the picture has 4 × 3/],
  ['an empty crop', image, { crop: { x: 1, y: 0, width: 0, height: 3 } }, ShapeError, /crop is 0 × 3/],
  ['half a crop', image, { crop: { x: 1, y: 0.5, width: 1, height: 1 } }, ShapeError, /crop.y is 0.5/],
  ['a crop of text', image, { crop: 'center' }, NormError, /crop is a string/],
  ['out of an array', image, { out: new Float32Array(36) }, NormError, /out is a Float32Array, want a Tensor/],
  ['out of other dims', image, { out: Tensor.zeros([3, 3, 4]) }, ShapeError, /out is \[3 3 4\], want \[1 3 3 4\]/],
  ['out of another type', image, { out: new Tensor('uint8', new Uint8Array(36), [1, 3, 3, 4]) }, NormError, /out is a tensor of uint8, want float32/],
  ['out and a place', image, { out: Tensor.zeros([1, 3, 3, 4]), location: 'cpu' }, NormError, /location is given, and out/],
  ['too large a result', image, { width: 1 << 20, height: 1 << 20 }, NormError, /bytes/],
]) {
  test(`tensorFromImage refuses ${what}`, () => {
    const before = runtime.memory();
    assert.throws(() => tensorFromImage(source, options), (error) => {
      assert.ok(error instanceof Class && message.test(error.message), error.stack);
      return true;
    });
    assert.equal(runtime.memory().tensors, before.tensors);
  });
}

test('pixels that are gone', () => {
  assert.throws(() => tensorFromImage({ data: detached(4, Uint8Array), width: 1, height: 1 }), { code: 'DETACHED' });
  const out = Tensor.zeros([1, 3, 3, 4], { location: 'wasm' });
  out.dispose();
  assert.throws(() => tensorFromImage(image, { out }), DisposedError);
});

for (const [what, tensor, options, Class, message] of [
  ['an array', new Float32Array(3), {}, NormError, /the tensor is a Float32Array/],
  ['integers', new Tensor('int32', [1], [1, 1]), {}, UnsupportedError, /of int32/],
  ['one dimension', Tensor.zeros([3]), {}, ShapeError, /2 to 4 dimensions/],
  ['two channels', Tensor.zeros([2, 4, 4]), {}, ShapeError, /has 2 channels in layout nchw, want 1, 3 or 4/],
  ['three channels as gray', Tensor.zeros([3, 4, 4]), { channels: 'gray' }, ShapeError, /has 3 channels in layout nchw, want 1 for gray/],
  ['two pictures', Tensor.zeros([2, 3, 4, 4]), {}, ShapeError, /has 2 pictures: the option index/],
  ['a third of two', Tensor.zeros([2, 3, 4, 4]), { index: 2 }, ShapeError, /index is 2, want a whole number below 2/],
  ['nothing', Tensor.zeros([3, 0, 4]), {}, ShapeError, /4 × 0 pixels/],
  ['a mean of two', Tensor.zeros([3, 1, 4]), { mean: [1, 2] }, ShapeError, /mean has 2/],
]) {
  test(`tensorToImage refuses ${what}`, () => {
    assert.throws(() => tensorToImage(tensor, options), (error) => error instanceof Class && message.test(error.message));
  });
}

test('all variants give the same bits', async () => {
  const pictures = [noise(61, 47, 20), noise(33, 29, 21, true)];
  const all = [{ width: 24, height: 20 }, { width: 90, height: 60, resize: 'bicubic', mean: 0.5, std: [0.1, 0.2, 0.3] }, { width: 32, height: 32, fit: 'contain', channels: 'gray', background: 255 }];
  const results = () => pictures.flatMap((p) => all.map((options) => tensorFromImage(p, options).data));
  const want = results();
  runtime.dispose();
  runtime = await init({ variant: 'scalar' });
  assert.deepEqual(results(), want);
});
