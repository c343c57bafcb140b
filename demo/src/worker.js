// All the work of the page: loading, reading pictures, running the networks. The page only shows.
//
// To the worker                                     From the worker
//   start   { variant, threads }                              progress { file, loaded, total } · ready {…} · failed { message }
//   read    { id, image: Blob | ImageBitmap }         step · picture · line (one each) · done (each with the id),
//                                                     or problem { id, message }
//   stop    { id }: the reading is no longer wanted   stopped { id }
//   inspect { id }: profile the latest reading        inspected { id, networks }

import { init, InferenceSession, Tensor } from './engine.js';
import { download, transfers } from './files.js';
import { alphabet } from './ocr.js';
import { shrinker, toRGBA } from './pixels.js';
import { readPicture, whyNot } from './read.js';

const FILES = {
  det: 'models/ch_PP-OCRv4_det_infer.onnx',
  cls: 'models/ch_ppocr_mobile_v2.0_cls_infer.onnx',
  rec: 'models/ch_PP-OCRv4_rec_infer.onnx',
  keys: 'models/ppocr_keys_v1.txt',
};
const NETWORKS = /** @type {const} */ (['det', 'cls', 'rec']);
const ENGINE = 'engine';
// More pixels than this say little more about text that a person can read.
const MAX_PIXELS = 6e6;
// So many pixels of a large picture are looked at before the page hears of it.
const BAND = 3e6;

const say = (type, body = {}, transfer = []) => postMessage({ type, ...body }, transfer);

/** @type {{ runtime: any, sessions: Record<string, any>, nets: import('./read.js').Networks, bytes: Record<string, Uint8Array>,
 *   unfolded: Record<string, { op: string, ms: number }[]> } | undefined} */
let engine;
/** What the latest reading fed to the networks, for `inspect`. @type {Record<string, import('./read.js').Feed>} */
let fed = {};
/** The reading that is to end at its next step. */
let stopped = -1;

async function start({ variant, threads }) {
  // Without the sizes the bars only count up.
  const sizes = await fetch(new URL('./files.json', import.meta.url)).then((r) => r.json()).catch(() => ({}));
  const follow = (path) => (loaded) => say('progress', { file: path, loaded, total: sizes[path] });
  const fetched = Object.values(FILES).map((path) => download(path, follow(path)));
  // Whatever fails first is reported; the others must not end as unhandled rejections.
  for (const f of fetched) f.catch(() => {});
  const runtime = await init({
    variant,
    threads,
    onProgress: ({ phase, loaded, total }) => {
      // A compressed response tells the compressed length: the build's own figure is the one to measure against.
      const whole = sizes[ENGINE] ?? total;
      if (phase === 'download') say('progress', { file: ENGINE, loaded, total: whole });
      else say('progress', { file: ENGINE, loaded: whole ?? loaded, total: whole });
    },
  });
  const wasm = `normwasm/dist/normwasm.${runtime.variant}.wasm`;
  const [det, cls, rec, keys] = await Promise.all(fetched);
  const bytes = { det, cls, rec };
  /** @type {Record<string, any>} */
  const sessions = {};
  for (const name of NETWORKS) sessions[name] = await InferenceSession.create(bytes[name]);
  const letters = alphabet(new TextDecoder().decode(keys));
  /** @param {'det' | 'cls' | 'rec'} name @returns {import('./read.js').Network} */
  const network = (name) => async (feed) => {
    fed[name] ??= feed;
    const session = sessions[name];
    const x = new Tensor('float32', feed.data, feed.dims);
    const outputs = await session.run({ [session.inputNames[0]]: x });
    const output = outputs[session.outputNames[0]];
    const result = { data: output.data.slice(), dims: [...output.dims] };
    output.dispose();
    x.dispose();
    return result;
  };
  engine = { runtime, sessions, bytes, unfolded: {}, nets: { det: network('det'), cls: network('cls'), rec: network('rec'), letters } };
  say('ready', {
    variant: runtime.variant,
    version: runtime.version,
    memory: runtime.memory(),
    threads: runtime.threads,
    letters: letters.slice(1),
    files: transfers([wasm, ...Object.values(FILES)]),
  });
}

/** A moment for messages to come in; ends a reading that is no longer wanted. @param {number} id */
async function breathe(id) {
  await new Promise((done) => setTimeout(done));
  if (stopped === id) throw new Stopped();
}
class Stopped extends Error {}

/**
 * Pixels of whatever was given, not more than are of use. Larger pictures are shrunk here rather than by the canvas:
 * each browser smooths in its own way, and what is read should not depend on it.
 * @param {Blob | ImageBitmap} image @param {number} id
 */
async function open(image, id) {
  let bitmap;
  try {
    if (image instanceof Blob && image.size === 0) throw new Error('empty');
    bitmap = image instanceof Blob ? await createImageBitmap(image) : image;
  } catch {
    if (image instanceof Blob && image.size === 0) throw new Error('This file is empty.');
    const kind = image instanceof Blob && image.type ? ` (${image.type})` : '';
    throw new Error(`This file${kind} is damaged, or not a picture that this browser can open. PNG, JPEG, WebP, AVIF, GIF, BMP and SVG work in most.`);
  }
  const { width, height } = bitmap;
  const scale = Math.min(1, Math.sqrt(MAX_PIXELS / (width * height)));
  const band = scale < 1 ? Math.max(1, Math.min(height, Math.floor(BAND / width))) : height;
  const canvas = new OffscreenCanvas(width, band);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  try {
    if (!context) throw new Error('no canvas');
    if (scale === 1) {
      context.drawImage(bitmap, 0, 0);
      return context.getImageData(0, 0, width, height);
    }
    const shrink = shrinker(width, height, Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)));
    for (let y = 0; y < height; y += band) {
      say('step', { id, what: 'shrink', done: y, of: height });
      await breathe(id);
      context.clearRect(0, 0, width, band);
      context.drawImage(bitmap, 0, -y);
      shrink.take(context.getImageData(0, 0, width, Math.min(band, height - y)).data);
    }
    return shrink.done();
  } catch (error) {
    if (error instanceof Stopped) throw error;
    throw new Error(`This picture of ${width} × ${height} pixels is more than this browser can hold.`);
  } finally {
    bitmap.close();
  }
}

/** All lines, and as much around them as they are high. @param {import('./detect.js').Rect[]} rects */
function around(rects, { width, height }) {
  const margin = 1.5 * Math.max(...rects.map((r) => r.height));
  const x = Math.max(0, Math.floor(Math.min(...rects.map((r) => r.cx - r.width / 2)) - margin));
  const y = Math.max(0, Math.floor(Math.min(...rects.map((r) => r.cy - r.height / 2)) - margin));
  return {
    x,
    y,
    width: Math.min(width, Math.ceil(Math.max(...rects.map((r) => r.cx + r.width / 2)) + margin)) - x,
    height: Math.min(height, Math.ceil(Math.max(...rects.map((r) => r.cy + r.height / 2)) + margin)) - y,
  };
}

const REASONS = {
  blank: 'No writing was found in this picture.',
  faint: 'There may be writing here, but it hardly stands out from its ground. A picture with more contrast would help.',
  noisy: 'There may be writing here, but the grain of the picture is as strong as the strokes. More light, or a steadier picture, would help.',
  small: 'There is writing here, but too small to be told apart. A closer picture would help.',
  unclear: 'There seems to be writing here, but none of it could be read with any certainty.',
};

async function read({ id, image }) {
  if (!engine) return;
  try {
    say('step', { id, what: 'open', done: 0, of: 0 });
    const opened = performance.now();
    const picture = await open(image, id);
    const opening = performance.now() - opened;
    fed = {};
    const { lines, rects, times } = await readPicture(picture, engine.nets, {
      async progress(what, done, of) {
        say('step', { id, what, done, of });
        await breathe(id);
      },
      async found({ picture: sheet, rects: boxes, turn }) {
        // Levelling opens wide corners: then what is around the lines is enough to see.
        const view = turn.lean && boxes.length ? around(boxes, sheet) : { x: 0, y: 0, width: sheet.width, height: sheet.height };
        const bitmap = await createImageBitmap(new ImageData(/** @type {any} */ (sheet.data), sheet.width, sheet.height), view.x, view.y, view.width, view.height);
        const rects = boxes.map((r) => ({ ...r, cx: r.cx - view.x, cy: r.cy - view.y }));
        say('picture', { id, bitmap, rects, width: view.width, height: view.height, turn }, [bitmap]);
      },
      async line({ strip, fed: feed, doubtful, ...line }, index) {
        if (doubtful) return;
        const bitmap = await createImageBitmap(new ImageData(toRGBA(strip), strip.width, strip.height));
        say('line', { ...line, id, index, bitmap, columns: strip.width, inputWidth: feed.dims[3] }, [bitmap]);
      },
    });
    const legible = lines.filter((l) => l.legible).length;
    say('done', {
      id,
      times: { open: opening, ...times },
      lines: lines.filter((l) => !l.doubtful).length,
      legible,
      reason: legible ? undefined : REASONS[whyNot(picture, rects)],
      memory: engine.runtime.memory(),
      threads: engine.runtime.threads,
    });
  } catch (error) {
    if (!(error instanceof Stopped)) throw error;
    say('stopped', { id });
  }
}

/**
 * The networks as they run, and as their files have them: without folding and fusing, on the same input, which shows
 * what normalization takes before it is folded away.
 */
async function inspect({ id }) {
  if (!engine) return;
  const networks = {};
  const about = NETWORKS.filter((name) => fed[name]);
  const feeds = (session, name) => ({ [session.inputNames[0]]: new Tensor('float32', fed[name].data, fed[name].dims) });
  for (const name of about) {
    const session = engine.sessions[name];
    networks[name] = { run: await session.profile(feeds(session, name)), dims: fed[name].dims };
  }
  say('inspected', { id, networks });
  for (const name of about) {
    await breathe(id).catch(() => {});
    if (stopped === id) return;
    const plain = await InferenceSession.create(engine.bytes[name], { graphOptimizationLevel: 'none' });
    networks[name].written = await plain.profile(feeds(plain, name));
    await plain.release();
  }
  say('inspected', { id, networks });
}

const does = { start, read, inspect };

// One thing at a time: sessions are shared.
let queue = Promise.resolve();
onmessage = ({ data }) => {
  // Not to be queued behind what it is to end.
  if (data.type === 'stop') return void (stopped = data.id);
  queue = queue.then(async () => {
    try {
      await does[data.type](data);
    } catch (error) {
      const { message, code } = error instanceof Error ? /** @type {any} */ (error) : { message: String(error) };
      // Nothing comes after the runtime's death but a new start.
      if (data.type === 'start' || code === 'DISPOSED') say('failed', { message });
      // A reading stands without its profile.
      else if (data.type === 'inspect') console.warn(`${data.type}: ${message}`);
      else say('problem', { id: data.id, message });
    }
  });
};
