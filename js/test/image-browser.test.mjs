// Pictures as tensors in Chromium: everything that it can draw, in the page and in a worker.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { serve } from './server.mjs';
import { again } from './again.mjs';

const flags = ['--no-sandbox', '--headless', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
let browser;
let server;
let page;

before(async () => {
  server = await serve();
  browser = await again(() => chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: flags, timeout: 300_000 }));
  page = await browser.newPage();
  page.setDefaultTimeout(300_000);
  // Without the policy of other pages: pictures come from blobs, and from another origin.
  await page.route('**/page.html', (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>Pictures</title>' }));
  await page.goto(`${server.url}/page.html`);
  await page.evaluate(async () => {
    const { Tensor, init, tensorFromImage, tensorToImage } = await import('/dist/normwasm.js');
    const { random } = await import('/test/data.mjs');
    await init({ variant: 'simd' });
    /** Noise on a canvas; alpha is the least that pixels have. */
    const noise = (width, height, seed, alpha = 255, canvas = new OffscreenCanvas(width, height)) => {
      Object.assign(canvas, { width, height });
      const context = canvas.getContext('2d');
      const image = context.createImageData(width, height);
      const next = random(seed);
      for (let i = 0; i < image.data.length; i++) image.data[i] = i % 4 === 3 ? 255 - Math.floor(((next() + 1) / 2) * (256 - alpha)) : (next() + 1) * 128;
      context.putImageData(image, 0, 0);
      return canvas;
    };
    const pixels = (canvas) => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const failure = (run) => {
      try {
        run();
      } catch ({ name, code, message }) {
        return { name, code, message };
      }
      return 'it went through';
    };
    const image = async (blob) => {
      const element = new Image();
      element.src = URL.createObjectURL(blob);
      await element.decode();
      return element;
    };
    Object.assign(globalThis, { Tensor, init, tensorFromImage, tensorToImage, noise, pixels, failure, image });
  });
});
after(async () => {
  await browser?.close();
  server?.close();
});

const options = [{}, { width: 20, height: 15, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }, { width: 32, height: 32, fit: 'contain', layout: 'nhwc', pad: 114, crop: { x: 5, y: 3, width: 40, height: 21 } }];

test('whatever an opaque picture is in, its tensor is that of its ImageData, bit by bit', async () => {
  const got = await page.evaluate(async (all) => {
    const canvas = noise(53, 31, 1);
    const element = noise(53, 31, 1, 255, document.createElement('canvas'));
    const blob = await canvas.convertToBlob({ type: 'image/png' });
    const gl = document.createElement('canvas');
    Object.assign(gl, { width: 53, height: 31 });
    gl.getContext('bitmaprenderer').transferFromImageBitmap(await createImageBitmap(canvas));
    const frame = document.createElement('iframe');
    document.body.append(frame);
    const foreign = noise(53, 31, 1, 255, frame.contentDocument.createElement('canvas'));
    const sources = {
      OffscreenCanvas: canvas, HTMLCanvasElement: element, ImageBitmap: await createImageBitmap(canvas), 'ImageBitmap of a file': await createImageBitmap(blob), HTMLImageElement: await image(blob),
      VideoFrame: new VideoFrame(canvas, { timestamp: 0 }), 'canvas of another kind': gl, 'canvas of another frame': foreign, 'ImageData of another frame': foreign.getContext('2d').getImageData(0, 0, 53, 31),
    };
    return all.map((o) => {
      const want = tensorFromImage(pixels(canvas), o).data.join();
      return Object.entries(sources).map(([name, source]) => [name, tensorFromImage(source, o).data.join() === want]);
    });
  }, options);
  for (const sources of got) for (const [name, same] of sources) assert.ok(same, name);
  assert.equal(got[0].length, 9);
});

test('transparent pictures: as getImageData reads them', async () => {
  const same = await page.evaluate(async () => {
    const canvas = noise(40, 30, 2, 0);
    const bitmap = await createImageBitmap(canvas);
    return [{ channels: 'rgba' }, { background: 255 }, { background: [255, 0, 128], width: 17, height: 11 }].map((o) => {
      const want = tensorFromImage(pixels(canvas), o).data;
      return [canvas, bitmap].map((source) => Math.max(...tensorFromImage(source, o).data.map((v, i) => Math.abs(v - want[i]))));
    }).flat();
  });
  // A browser keeps colours multiplied by alpha, and may round once more on the way from canvas to canvas: not where they are seen.
  same.forEach((worst, i) => assert.ok(worst <= (i < 2 ? 1 : 1.01 / 255), `${i}: off by ${worst}`));
});

test('there and back in ImageData', async () => {
  const got = await page.evaluate(() => {
    const canvas = noise(33, 22, 3);
    const back = tensorToImage(tensorFromImage(canvas, { mean: 0.5, std: 0.25 }), { mean: 0.5, std: 0.25 });
    return { is: back instanceof ImageData, size: [back.width, back.height], same: back.data.join() === pixels(canvas).data.join() };
  });
  assert.deepEqual(got, { is: true, size: [33, 22], same: true });
});

test('a canvas without a context stays without one', async () => {
  const got = await page.evaluate(() => {
    const canvas = document.createElement('canvas');
    Object.assign(canvas, { width: 3, height: 2 });
    const { data } = tensorFromImage(canvas, { channels: 'rgba' });
    return { zeros: data.every((v) => v === 0), free: canvas.getContext('bitmaprenderer') !== null };
  });
  assert.deepEqual(got, { zeros: true, free: true });
});

test('a photo that its EXIF data turn is turned, by the browser', async () => {
  const got = await page.evaluate(async () => {
    const canvas = new OffscreenCanvas(32, 16);
    const context = canvas.getContext('2d');
    context.fillStyle = 'red';
    context.fillRect(0, 0, 16, 16);
    context.fillStyle = 'blue';
    context.fillRect(16, 0, 16, 16);
    const jpeg = new Uint8Array(await (await canvas.convertToBlob({ type: 'image/jpeg', quality: 1 })).arrayBuffer());
    // Orientation 6: the left edge is what one sees above.
    const exif = [0xff, 0xe1, 0, 34, ...new TextEncoder().encode('Exif\0\0MM\0*'), 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0];
    const turned = new Blob([jpeg.subarray(0, 2), new Uint8Array(exif), jpeg.subarray(2)], { type: 'image/jpeg' });
    return [await image(turned), await createImageBitmap(turned)].map((source) => {
      const t = tensorFromImage(source, { layout: 'nhwc', type: 'uint8' });
      return { dims: t.dims, top: [...t.data.slice(0, 3)], bottom: [...t.data.slice(-3)] };
    });
  });
  for (const { dims, top, bottom } of got) {
    assert.deepEqual(dims, [1, 32, 16, 3]);
    assert.ok(top[0] > 230 && top[2] < 25, `red above: ${top}`);
    assert.ok(bottom[2] > 230 && bottom[0] < 25, `blue below: ${bottom}`);
  }
});

test('a video, once it has a frame', async () => {
  const got = await page.evaluate(async () => {
    const canvas = document.createElement('canvas');
    Object.assign(canvas, { width: 64, height: 32 });
    const context = canvas.getContext('2d', { alpha: false });
    const paint = () => {
      context.fillStyle = 'rgb(200, 30, 40)';
      context.fillRect(0, 0, 32, 32);
      context.fillStyle = 'rgb(20, 60, 220)';
      context.fillRect(32, 0, 32, 32);
    };
    paint();
    const recorder = new MediaRecorder(canvas.captureStream(20), { mimeType: 'video/webm;codecs=vp8' });
    const parts = [];
    recorder.ondataavailable = ({ data }) => parts.push(data);
    const stopped = new Promise((resolve) => (recorder.onstop = resolve));
    recorder.start(50);
    // Frames come while something is painted; a loaded machine takes its time.
    for (let i = 0; i < 4000 && parts.reduce((sum, part) => sum + part.size, 0) < 1000; i++) {
      paint();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    recorder.stop();
    await stopped;
    const video = document.createElement('video');
    const early = failure(() => tensorFromImage(video));
    video.muted = true;
    video.src = URL.createObjectURL(new Blob(parts, { type: 'video/webm' }));
    await new Promise((resolve, reject) => {
      video.onloadeddata = resolve;
      video.onerror = () => reject(new Error(video.error.message));
    });
    // A browser may have the data of a frame and not have drawn it yet: then there is an error, never a black tensor.
    const loaded = failure(() => {
      const { data } = tensorFromImage(video, { channels: 'rgba' });
      if (data.every((v) => v === 0)) throw new Error('nothing');
    });
    const frame = new Promise((resolve) => video.requestVideoFrameCallback(resolve));
    await video.play();
    await frame;
    const t = tensorFromImage(video, { width: 4, height: 2, white: 255, layout: 'nhwc' });
    return { early, loaded, dims: t.dims, left: [...t.data.slice(0, 3)], right: [...t.data.slice(-3)] };
  });
  assert.equal(got.early.code, 'NOT_READY');
  assert.match(got.early.message, /no frame yet \(readyState 0\).*loadeddata/);
  if (got.loaded !== 'it went through') assert.equal(got.loaded.code, 'NOT_READY', JSON.stringify(got.loaded));
  assert.deepEqual(got.dims, [1, 2, 4, 3]);
  const near = (a, b) => assert.ok(a.every((v, i) => Math.abs(v - b[i]) < 20), `${a}, want about ${b}`);
  near(got.left, [200, 30, 40]);
  near(got.right, [20, 60, 220]);
});

test('what cannot be read says why', async () => {
  const png = await page.evaluate(async () => [...new Uint8Array(await (await noise(4, 4, 5).convertToBlob()).arrayBuffer())]);
  for (const [host, headers] of [['other.example', {}], ['open.example', { 'access-control-allow-origin': '*' }]]) {
    await page.route(`http://${host}/picture.png`, (route) => route.fulfill({ contentType: 'image/png', body: Buffer.from(png), headers }));
  }
  await page.route('http://stalled.example/**', () => {}); // for which no answer ever comes
  const got = await page.evaluate(async () => {
    const load = async (src, crossOrigin) => {
      const element = new Image();
      if (crossOrigin) element.crossOrigin = crossOrigin;
      element.src = src;
      await element.decode().catch(() => {});
      return element;
    };
    const other = await load('http://other.example/picture.png');
    const tainted = document.createElement('canvas');
    tainted.getContext('2d').drawImage(other, 0, 0);
    const closed = await createImageBitmap(noise(2, 2, 1));
    closed.close();
    const frame = new VideoFrame(noise(2, 2, 1), { timestamp: 0 });
    frame.close();
    const pending = new Image();
    pending.src = 'http://stalled.example/picture.png';
    const empty = document.createElement('canvas');
    empty.width = 0;
    return {
      other: failure(() => tensorFromImage(other)),
      tainted: failure(() => tensorFromImage(tainted)),
      allowed: tensorFromImage(await load('http://open.example/picture.png', 'anonymous')).dims,
      closed: failure(() => tensorFromImage(closed)),
      frame: failure(() => tensorFromImage(frame)),
      pending: failure(() => tensorFromImage(pending)),
      failed: failure(() => tensorFromImage(new Image(3, 3))),
      broken: await load(URL.createObjectURL(new Blob(['no picture'], { type: 'image/png' }))).then((element) => failure(() => tensorFromImage(element))),
      empty: failure(() => tensorFromImage(empty)),
      blob: failure(() => tensorFromImage(new Blob([]))),
      element: failure(() => tensorFromImage(document.body)),
    };
  });
  for (const key of ['other', 'tainted']) {
    assert.equal(got[key].code, 'TAINTED', JSON.stringify(got[key]));
    assert.match(got[key].message, /another origin.*crossOrigin = 'anonymous'.*Access-Control-Allow-Origin/);
  }
  assert.deepEqual(got.allowed, [1, 3, 4, 4]);
  assert.match(got.closed.message, /ImageBitmap is 0 × 0 pixels large, there is nothing in it: it was closed/);
  assert.match(got.frame.message, /VideoFrame is 0 × 0 pixels.*closed/);
  assert.equal(got.pending.code, 'NOT_READY');
  assert.match(got.pending.message, /not loaded yet: await image.decode\(\)/);
  assert.match(got.failed.message, /HTMLImageElement is 0 × 0 pixels.*failed to load/);
  assert.match(got.broken.message, /HTMLImageElement is 0 × 0 pixels.*failed to load/);
  assert.match(got.empty.message, /HTMLCanvasElement is 0 × \d+ pixels/);
  assert.match(got.blob.message, /createImageBitmap/);
  assert.match(got.element.message, /an object of class HTMLBodyElement, want an ImageData/);
});

test('in a worker, from a canvas of its own and from pictures that are sent', async () => {
  const got = await page.evaluate(async () => {
    const code = `
      import { init, tensorFromImage } from '${location.origin}/dist/normwasm.js';
      onmessage = async ({ data: { bitmap, imageData } }) => {
        await init({ variant: 'simd' });
        const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
        canvas.getContext('2d').drawImage(bitmap, 0, 0);
        const o = { width: 16, height: 9, fit: 'cover' };
        postMessage([bitmap, canvas, imageData].map((source) => tensorFromImage(source, o).data.join()));
      };`;
    const worker = new Worker(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })), { type: 'module' });
    const canvas = noise(50, 40, 6);
    const result = new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(message));
    });
    const bitmap = await createImageBitmap(canvas);
    worker.postMessage({ bitmap, imageData: pixels(canvas) }, [bitmap]);
    const want = tensorFromImage(canvas, { width: 16, height: 9, fit: 'cover' }).data.join();
    const same = (await result).map((data) => data === want);
    worker.terminate();
    return same;
  });
  assert.deepEqual(got, [true, true, true]);
});

test('a photo of 12 megapixels, and all variants with the same bits', async (t) => {
  const got = await page.evaluate(async () => {
    const canvas = noise(4000, 3000, 7);
    const image = pixels(canvas);
    const results = {};
    const times = {};
    for (const variant of ['simd', 'relaxed', 'scalar']) {
      (await globalThis.init({ variant })).dispose();
      const runtime = await globalThis.init({ variant });
      const o = { width: 224, height: 224, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
      times[variant] = Infinity;
      for (let i = 0; i < (variant === 'scalar' ? 1 : 3); i++) {
        const start = performance.now();
        const { data } = tensorFromImage(image, o);
        times[variant] = Math.min(times[variant], performance.now() - start);
        results[variant] = data.join();
      }
      results[`${variant} bicubic`] = tensorFromImage(canvas, { ...o, resize: 'bicubic', fit: 'cover', layout: 'nhwc' }).data.join();
      results[`${variant} memory`] = runtime.memory();
      runtime.dispose();
    }
    await globalThis.init({ variant: 'simd' });
    return { times, same: ['relaxed', 'scalar'].map((v) => results[v] === results.simd && results[`${v} bicubic`] === results['simd bicubic']), memory: results['simd memory'] };
  });
  t.diagnostic(`to 224 × 224: ${Object.entries(got.times).map(([variant, ms]) => `${variant} ${ms.toFixed(1)} ms`).join(', ')}; ${got.memory.total >> 20} MiB of memory`);
  assert.deepEqual(got.same, [true, true]);
  assert.ok(got.memory.total < 48e6, 'the module never had the picture as a whole');
  assert.equal(got.memory.inUse, 0);
});
