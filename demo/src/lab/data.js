// Digits and names: read part by part, split into what is learnt from and what is held out, and served as an
// endless sequence of batches that depends on a seed alone. Runs in a page, in a worker and in Node: where the
// files come from is a function. `../../data.mjs` makes the files.

import { mix, random, shuffle } from './random.js';

/** @typedef {(path: string) => Promise<Uint8Array>} Read gives a file of the site, such as "data/names.txt" */
/** @typedef {{ x: any, y: any }} Batch of Tensors, as Trainer takes them */
/**
 * The examples [from, to), shuffled by a seed.
 * @typedef {{ seed?: number, from?: number, to?: number, shift?: number }} StreamOptions
 *   `shift` moves each picture by up to so many pixels, at random but by the seed alone
 */

export const classes = 10;
export const side = 28;
const pixels = side * side;
/** Pictures in a file. The first parts are learnt from, the last ones are held out. */
export const partSize = 1000;
export const trainParts = 8;
export const testParts = 2;

/** Bytes as numbers from 0 to 1. */
const shades = Float32Array.from({ length: 256 }, (_, i) => i / 255);

/** A file of the site, whichever page or worker asks. @type {Read} */
export async function fetchFile(path) {
  const response = await fetch(new URL(`../${path}`, import.meta.url));
  if (!response.ok || /text\/html/.test(response.headers.get('content-type') ?? '')) {
    throw new Error(`${path} could not be fetched: the server answered ${response.status}.`);
  }
  return new Uint8Array(await response.arrayBuffer());
}

/**
 * An endless sequence of examples: pass after pass over [from, to), each pass in another order. Within a pass the parts
 * come one after another, each shuffled, so that a page can begin when the first part is there. Where a batch begins in
 * the sequence decides what is in it: a run can go back, or change the size of its batches, and stay reproducible.
 */
export class Order {
  /** @param {{ seed?: number, from?: number, to: number, part?: number }} o */
  constructor({ seed = 0, from = 0, to, part = to - from }) {
    if (!(to > from)) throw new RangeError(`the examples ${from} to ${to} are none`);
    this.seed = seed;
    this.from = from;
    this.to = to;
    this.part = part;
    this.kept = { pass: -1, part: -1, order: new Int32Array(0) };
  }

  get count() {
    return this.to - this.from;
  }

  /** Which example stands at a place of the sequence. @param {number} place */
  at(place) {
    const pass = Math.floor(place / this.count);
    const within = place % this.count;
    const part = Math.floor(within / this.part);
    if (this.kept.pass !== pass || this.kept.part !== part) {
      const begin = this.from + part * this.part;
      const order = Int32Array.from({ length: Math.min(this.part, this.to - begin) }, (_, i) => begin + i);
      this.kept = { pass, part, order: shuffle(order, mix(this.seed, pass, part)) };
    }
    return this.kept.order[within - part * this.part];
  }

  /** @param {number} place @param {number} size */
  indices(place, size) {
    return Int32Array.from({ length: size }, (_, i) => this.at(place + i));
  }
}

/** 10,000 pictures of digits (or of clothes, in the same form), 28 × 28, with their classes. */
export class Digits {
  /** @type {Promise<void>[]} */ #parts = [];
  /** @type {Uint8Array[]} */ #bytes = [];

  /**
   * @param {{ read?: Read, Tensor: any, folder?: string }} o the package's Tensor; `folder` has another set in the same form
   */
  constructor({ read = fetchFile, Tensor, folder = 'data/digits' }) {
    this.read = read;
    this.Tensor = Tensor;
    this.folder = folder;
  }

  /** Pictures to learn from: [0, trainCount). */
  get trainCount() {
    return trainParts * partSize;
  }

  /** Pictures held out: [trainCount, count). */
  get count() {
    return (trainParts + testParts) * partSize;
  }

  /** Loads the parts that hold the pictures [from, to). Those that are there already cost nothing. @param {number} [from] @param {number} [to] */
  async load(from = 0, to = this.count) {
    const wanted = [];
    for (let p = Math.floor(from / partSize); p * partSize < to; p++) wanted.push((this.#parts[p] ??= this.#load(p)));
    await Promise.all(wanted);
    return this;
  }

  /** @param {number} part */
  async #load(part) {
    const path = `${this.folder}-${part}.bin`;
    try {
      const bytes = await this.read(path);
      if (bytes.length !== partSize * (1 + pixels)) throw new Error(`${path} has ${bytes.length} bytes, want ${partSize * (1 + pixels)}`);
      this.#bytes[part] = bytes;
    } catch (error) {
      delete this.#parts[part]; // can be tried again
      throw error;
    }
  }

  /** @param {number} i */
  #part(i) {
    const bytes = this.#bytes[Math.floor(i / partSize)];
    if (!bytes) throw new Error(`picture ${i} is not loaded`);
    return bytes;
  }

  /** The class of a picture. @param {number} i */
  label(i) {
    return this.#part(i)[i % partSize];
  }

  /** A picture's bytes, 0 is paper and 255 is ink. @param {number} i */
  picture(i) {
    const at = partSize + (i % partSize) * pixels;
    return this.#part(i).subarray(at, at + pixels);
  }

  /**
   * These pictures as a batch: x is float32 [N, 1, 28, 28], 0 to 1; y the classes, int32 [N]. They must be loaded.
   * @param {ArrayLike<number>} indices @param {(i: number) => readonly [number, number]} [move] right and down, in pixels
   * @returns {Batch}
   */
  batch(indices, move) {
    const n = indices.length;
    const x = new Float32Array(n * pixels);
    const y = new Int32Array(n);
    for (let i = 0; i < n; i++) {
      const picture = this.picture(indices[i]);
      const [right, down] = move?.(i) ?? [0, 0];
      y[i] = this.label(indices[i]);
      // What stays inside of each row; a picture that does not move is one run of pixels.
      const length = side - Math.abs(right);
      const rows = right ? side : 1;
      const run = right ? length : pixels;
      for (let row = 0; row < rows; row++) {
        const from = row * side + Math.max(0, -right);
        const to = from + right + down * side;
        for (let k = 0; k < run; k++) if (to + k >= 0 && to + k < pixels) x[i * pixels + to + k] = shades[picture[from + k]];
      }
    }
    return { x: new this.Tensor('float32', x, [n, 1, side, side]), y: new this.Tensor('int32', y, [n]) };
  }

  /** Pictures to learn from, in an endless sequence. @param {StreamOptions} [o] */
  stream({ seed = 0, from = 0, to = this.trainCount, shift = 0 } = {}) {
    const order = new Order({ seed, from, to, part: partSize });
    return new Stream(order, async (place, size) => {
      const indices = order.indices(place, size);
      await this.load(Math.min(...indices), Math.max(...indices) + 1);
      return this.batch(indices, shift ? mover(seed, place, shift) : undefined);
    });
  }

  /** The held-out pictures, in batches. @param {number} [size] @param {number} [count] the first so many */
  async test(size = 500, count = testParts * partSize) {
    await this.load(this.trainCount, this.trainCount + count);
    return cut(this.trainCount, count, size).map((indices) => this.batch(indices));
  }
}

/** How far to move the pictures of a batch. @param {number} seed @param {number} place @param {number} shift */
const mover = (seed, place, shift) => (/** @type {number} */ i) => {
  const draw = random(mix(seed, place + i, 0x517));
  return /** @type {const} */ ([draw(2 * shift + 1) - shift, draw(2 * shift + 1) - shift]);
};

/** @param {number} from @param {number} count @param {number} size */
function cut(from, count, size) {
  const list = [];
  for (let at = 0; at < count; at += size) list.push(Int32Array.from({ length: Math.min(size, count - at) }, (_, i) => from + at + i));
  return list;
}

/** Batches out of an endless sequence. */
export class Stream {
  /** @param {Order} order @param {(place: number, size: number) => Promise<Batch>} make */
  constructor(order, make) {
    this.order = order;
    this.make = make;
    this.place = 0;
  }

  /** The batch that begins at a place of the sequence. @param {number} place @param {number} size */
  batch(place, size) {
    return this.make(place, size);
  }

  /** The next batch; its size may be another each time. Setting `place` goes to another place. @param {number} size */
  async next(size) {
    const batch = await this.make(this.place, size);
    this.place += size;
    return batch;
  }
}

// ---- names ----

/** Token 0 begins and ends a name, and fills up what follows it; 1 to 26 are letters. */
export const alphabet = '.abcdefghijklmnopqrstuvwxyz';
export const heldOutNames = 1000;

/** @param {string} text @returns {number[]} */
export const encode = (text) => [...text].map((c) => {
  const token = alphabet.indexOf(c);
  if (token < 1) throw new RangeError(`${JSON.stringify(c)} is not among the letters a to z`);
  return token;
});

/** @param {ArrayLike<number>} tokens up to the first 0 */
export const decode = (tokens) => {
  const list = Array.from(tokens);
  const end = list.indexOf(0);
  return list.slice(0, end < 0 ? undefined : end).map((t) => alphabet[t]).join('');
};

/** Given names, of 2 to 15 letters; the last thousand are held out. */
export class Names {
  /** @type {Promise<this> | undefined} */ #loading;
  /** @type {string[]} */ names = [];

  /** @param {{ read?: Read, Tensor: any, length?: number }} o `length`: places of an example; longer names are left out */
  constructor({ read = fetchFile, Tensor, length = 16 }) {
    this.read = read;
    this.Tensor = Tensor;
    this.length = length;
  }

  load() {
    return (this.#loading ??= this.read('data/names.txt').then((bytes) => {
      const all = new TextDecoder().decode(bytes).trim().split('\n');
      const fits = (/** @type {string} */ name) => name.length < this.length;
      this.trainCount = all.slice(0, -heldOutNames).filter(fits).length;
      this.names = all.filter(fits);
      return this;
    }).catch((error) => {
      this.#loading = undefined;
      throw error;
    }));
  }

  trainCount = 0;

  get count() {
    return this.names.length;
  }

  /**
   * Names as a batch: x and y are int32 [N, length]. Where x has a letter, y has the next one; after the last letter y ends
   * the name, and then both are filled up with zeros.
   * @param {ArrayLike<number>} indices @returns {Batch}
   */
  batch(indices) {
    const n = indices.length;
    const x = new Int32Array(n * this.length);
    const y = new Int32Array(n * this.length);
    for (let i = 0; i < n; i++) {
      const tokens = encode(this.names[indices[i]]);
      x.set(tokens, i * this.length + 1);
      y.set(tokens, i * this.length);
    }
    const dims = [n, this.length];
    return { x: new this.Tensor('int32', x, dims), y: new this.Tensor('int32', y, dims) };
  }

  /** Names to learn from, in an endless sequence. @param {StreamOptions} [o] */
  stream({ seed = 0, from = 0, to = this.trainCount } = {}) {
    if (!this.names.length) throw new Error('the names are not loaded');
    const order = new Order({ seed, from, to });
    return new Stream(order, async (place, size) => this.batch(order.indices(place, size)));
  }

  /** The held-out names, in batches. @param {number} [size] @param {number} [count] the first so many */
  async test(size = 250, count = Infinity) {
    await this.load();
    return cut(this.trainCount, Math.min(count, this.count - this.trainCount), size).map((indices) => this.batch(indices));
  }
}

/**
 * The mean of −log p over the letters of names and what ends them, without the filling: what the loss would be if all names
 * were of one length. In nats; a guess among 27 costs 3.30.
 * @param {{ data: ArrayLike<number>, dims: readonly number[] }} outputs logits [N, T, 27] @param {{ data: ArrayLike<number> }} y
 */
export function nameLoss({ data, dims: [n, t, v] }, { data: labels }) {
  let sum = 0;
  let count = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < t; j++) {
      const label = labels[i * t + j];
      const row = (i * t + j) * v;
      let most = -Infinity;
      for (let k = 0; k < v; k++) most = Math.max(most, data[row + k]);
      let total = 0;
      for (let k = 0; k < v; k++) total += Math.exp(data[row + k] - most);
      sum += most + Math.log(total) - data[row + label];
      count++;
      if (label === 0) break; // the end of the name
    }
  }
  return { loss: sum / count, count };
}
