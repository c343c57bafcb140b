// All the work of the page: loading, finding the line, running the two networks. The page only shows.
//
// To the worker                                     From the worker
//   start   { variant }                               progress { file, loaded, total } · ready {…} · failed { message }
//   read    { id, image: Blob | ImageBitmap }         picture · straight · text (each with the id) · problem { id, message }
//   line    { id, index }: another line of the        the same
//           latest picture
//   inspect { id }: profile the latest reading        inspected { id, networks }
//   toy     { id, rows, cols, x, mean, variance }     toy { id, batch, layer }

import { init, InferenceSession, Tensor, layerNorm, batchNorm } from './engine.js';
import { download, transfers } from './files.js';
import { findLines, look, mainLine, tilt } from './line.js';
import { alphabet, clsInputs, cutStrip, decode, direction, inContext, recInput, sureness, turn } from './ocr.js';
import { rotate, toRGBA } from './pixels.js';
import { withSpaces } from './spaces.js';

const CLS = 'models/ch_ppocr_mobile_v2.0_cls_infer.onnx';
const REC = 'models/ch_PP-OCRv4_rec_infer.onnx';
const ENGINE = 'engine';
const KEYS = 'models/ppocr_keys_v1.txt';
// More pixels than this say nothing new about a line that ends up 48 pixels high.
const MAX_PIXELS = 6e6;

const say = (type, body = {}, transfer = []) => postMessage({ type, ...body }, transfer);

/** @type {{ runtime: any, cls: any, rec: any, letters: string[], bytes: Record<string, Uint8Array>,
 *   written?: Record<string, string[]> } | undefined} */
let engine;
/** @type {{ picture: ImageData, lines: import('./pixels.js').Box[], lean: number, trim: number } | undefined} */
let latest;
/** What the latest reading fed to the networks, for `inspect`. */
let fed;

async function start({ variant }) {
  // Without the sizes the bars only count up.
  const sizes = await fetch(new URL('./files.json', import.meta.url)).then((r) => r.json()).catch(() => ({}));
  const follow = (path) => (loaded) => say('progress', { file: path, loaded, total: sizes[path] });
  const fetched = [CLS, REC, KEYS].map((path) => download(path, follow(path)));
  // Whatever fails first is reported; the others must not end as unhandled rejections.
  for (const f of fetched) f.catch(() => {});
  const starting = init({
    variant,
    onProgress: ({ phase, loaded, total }) => {
      // A compressed response tells the compressed length: the build's own figure is the one to measure against.
      const whole = sizes[ENGINE] ?? total;
      if (phase === 'download') say('progress', { file: ENGINE, loaded, total: whole });
      else say('progress', { file: ENGINE, loaded: whole ?? loaded, total: whole });
    },
  });
  warmUp();
  const runtime = await starting;
  const wasm = `normwasm/dist/normwasm.${runtime.variant}.wasm`;
  const [clsBytes, recBytes, keyBytes] = await Promise.all(fetched);
  const cls = await InferenceSession.create(clsBytes);
  const rec = await InferenceSession.create(recBytes);
  const letters = alphabet(new TextDecoder().decode(keyBytes));
  engine = { runtime, cls, rec, letters, bytes: { cls: clsBytes, rec: recBytes } };
  say('ready', {
    variant: runtime.variant,
    version: runtime.version,
    memory: runtime.memory(),
    letters: letters.slice(1),
    files: transfers([wasm, CLS, REC, KEYS]),
  });
}

/** While the files are on their way: lets the browser compile what will find and cut the first line. */
function warmUp() {
  const width = 480, height = 80;
  const stripes = { data: new Uint8ClampedArray(width * height * 4).fill(255), width, height };
  for (let y = 24; y < 56; y++) {
    for (let x = 40; x < 440; x++) if (x % 9 < 3) stripes.data.fill(0, (y * width + x) * 4, (y * width + x) * 4 + 3);
  }
  for (let i = 0; i < 3; i++) {
    tilt(look(stripes));
    const box = findLines(stripes)[0];
    clsInputs(stripes, box);
    recInput(cutStrip(stripes, box));
  }
}

/** Pixels of whatever was given, not more than are of use. @param {Blob | ImageBitmap} image */
async function open(image) {
  let bitmap;
  try {
    bitmap = image instanceof Blob ? await createImageBitmap(image) : image;
  } catch {
    const kind = image instanceof Blob && image.type ? ` (${image.type})` : '';
    throw new Error(`This file${kind} is not a picture that the browser can open. PNG, JPEG, WebP, GIF and BMP work.`);
  }
  const scale = Math.min(1, Math.sqrt(MAX_PIXELS / (bitmap.width * bitmap.height)));
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale)));
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d', { willReadFrequently: true }));
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

async function read({ id, image }) {
  let picture = await open(image);
  const begin = performance.now();
  let seen = look(picture);
  const lean = tilt(seen);
  if (lean) {
    const { data, width, height } = rotate(picture, lean);
    picture = new ImageData(data, width, height);
    seen = look(picture);
  }
  const lines = findLines(picture, seen);
  latest = { picture, lines, lean, trim: performance.now() - begin };
  await readLine({ id, index: mainLine(lines) });
}

async function readLine({ id, index }) {
  if (!engine || !latest) return;
  const { picture, lines, lean, trim } = latest;
  const bitmap = await createImageBitmap(picture);
  say('picture', { id, bitmap, lines, index, width: picture.width, height: picture.height }, [bitmap]);
  const box = lines[index];
  if (!box) {
    say('problem', { id, message: 'No writing was found in this picture. A line with clear contrast to its background works best.' });
    return;
  }
  const cut = performance.now();
  let strip = cutStrip(picture, box);
  const windows = clsInputs(picture, box);
  const times = { trim: trim + performance.now() - cut, cls: 0, rec: 0, decode: 0 };

  const asked = performance.now();
  const answers = [];
  for (const input of windows) answers.push(await run(engine.cls, input, (p) => p.slice()));
  const verdict = direction(answers);
  times.cls = performance.now() - asked;

  let reading = await recognise(verdict.turned ? turn(strip) : strip, times);
  let bothWays;
  if (verdict.unsure) {
    const other = await recognise(verdict.turned ? strip : turn(strip), times);
    bothWays = [reading, other].map((r) => sureness(r.characters));
    if (bothWays[1] > bothWays[0]) {
      reading = other;
      verdict.turned = !verdict.turned;
    }
  }
  if (verdict.turned) strip = turn(strip);
  const shown = await createImageBitmap(new ImageData(toRGBA(strip), strip.width, strip.height));
  say('straight', { id, bitmap: shown, ...verdict, lean, windows: windows.length, bothWays }, [shown]);

  fed = { cls: windows[0], rec: reading.input };
  say('text', {
    id,
    text: reading.text,
    characters: reading.characters,
    columns: strip.width,
    inputWidth: reading.input.dims[3],
    steps: reading.steps,
    times,
    memory: engine.runtime.memory(),
  });
}

/** One pass through a network; `take` copies what is needed before the tensors go. */
async function run(session, input, take) {
  const x = new Tensor('float32', input.data, input.dims);
  const outputs = await session.run({ [session.inputNames[0]]: x });
  const output = outputs[session.outputNames[0]];
  const result = take(output.data, output.dims);
  output.dispose();
  x.dispose();
  return result;
}

async function recognise(strip, times) {
  const { rec, letters } = /** @type {NonNullable<typeof engine>} */ (engine);
  const input = recInput(strip);
  const begin = performance.now();
  let decoding = 0;
  const reading = await run(rec, input, (probabilities, dims) => {
    const t = performance.now();
    const decoded = decode(probabilities, dims, letters);
    const characters = withSpaces(inContext(decoded.characters), strip);
    decoding = performance.now() - t;
    return { characters, text: characters.map((c) => c.text).join(''), steps: dims[1] };
  });
  times.rec += performance.now() - begin - decoding;
  times.decode += decoding;
  return { ...reading, input };
}

/** Both networks, as they run and as they are written in the file. */
async function inspect({ id }) {
  if (!engine || !fed) return;
  const networks = {};
  for (const name of /** @type {const} */ (['cls', 'rec'])) {
    const feeds = (session) => ({ [session.inputNames[0]]: new Tensor('float32', fed[name].data, fed[name].dims) });
    networks[name] = { run: await engine[name].profile(feeds(engine[name])), written: engine.written?.[name] };
  }
  say('inspected', { id, networks });
  if (engine.written) return;
  /** @type {Record<string, string[]>} */
  const written = {};
  for (const name of /** @type {const} */ (['cls', 'rec'])) {
    const plain = await InferenceSession.create(engine.bytes[name], { graphOptimizationLevel: 'none' });
    // Counting needs no wide line: the narrowest will do.
    const width = name === 'cls' ? 192 : 48;
    const x = new Tensor('float32', new Float32Array(3 * 48 * width), [1, 3, 48, width]);
    written[name] = (await plain.profile({ [plain.inputNames[0]]: x })).nodes.map((n) => n.op);
    await plain.release();
    networks[name].written = written[name];
  }
  engine.written = written;
  say('inspected', { id, networks });
}

/** The lesson's little table, normalized by the engine itself: rows are samples, columns are channels. */
function toy({ id, rows, cols, x, mean, variance }) {
  if (!engine) return;
  const table = Float32Array.from(x);
  const batch = batchNorm(table, { shape: [rows, cols], mean: Float32Array.from(mean), variance: Float32Array.from(variance), layout: 'nhwc' });
  const layer = layerNorm(table, { shape: [rows, cols] });
  say('toy', { id, batch: Array.from(batch), layer: Array.from(layer) });
}

const does = { start, read, line: readLine, inspect, toy };

// One thing at a time: sessions and the latest picture are shared.
let queue = Promise.resolve();
onmessage = ({ data }) => {
  queue = queue.then(async () => {
    try {
      await does[data.type](data);
    } catch (error) {
      const { message, code } = error instanceof Error ? /** @type {any} */ (error) : { message: String(error) };
      // Nothing comes after the runtime's death but a new start.
      if (data.type === 'start' || code === 'DISPOSED') say('failed', { message });
      // A reading stands without its profile, and the page without its lesson.
      else if (data.type === 'inspect' || data.type === 'toy') console.warn(`${data.type}: ${message}`);
      else say('problem', { id: data.id, message });
    }
  });
};
