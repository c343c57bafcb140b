// Makes the lab's data files out of npm packages: what the build writes into data/, and what Node reads directly.
//   data/digits-0.bin … digits-9.bin   1,000 pictures each: their classes, a byte each, then their pixels, 784 bytes each
//   data/names.txt                     given names in lower case, a line each
// The order is random with a fixed seed, so that each part is a fair sample of the whole.

import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { partSize, side, testParts, trainParts } from './src/lab/data.js';
import { shuffle } from './src/lab/random.js';

const modules = join(dirname(fileURLToPath(import.meta.url)), 'node_modules');
const parts = trainParts + testParts;
const pixels = side * side;

/** The files that the site has. */
export const dataFiles = [...Array.from({ length: parts }, (_, i) => `data/digits-${i}.bin`), 'data/names.txt'];

/** @type {Map<string, Promise<Map<string, Uint8Array>>>} */
const made = new Map();

/** A data file by the path that it has on the site. @param {string} path @returns {Promise<Uint8Array>} */
export async function readData(path) {
  const [, kind] = /^data\/([a-z]+)/.exec(path) ?? [];
  const make = { digits, names, fashion }[String(kind)];
  if (!make) throw new Error(`there is no ${path}`);
  let files = made.get(kind);
  if (!files) made.set(kind, (files = make()));
  const bytes = (await files).get(path);
  if (!bytes) throw new Error(`there is no ${path}`);
  return bytes;
}

/** @param {string} name @param {{ label: number, picture: Uint8Array }[]} pictures */
function pack(name, pictures) {
  const files = new Map();
  for (let p = 0; p < parts; p++) {
    const bytes = new Uint8Array(partSize * (1 + pixels));
    pictures.slice(p * partSize, (p + 1) * partSize).forEach(({ label, picture }, i) => {
      bytes[i] = label;
      bytes.set(picture, partSize + i * pixels);
    });
    files.set(`data/${name}-${p}.bin`, bytes);
  }
  return files;
}

async function digits() {
  const pictures = [];
  for (let label = 0; label < 10; label++) {
    /** @type {number[]} bytes divided by 255 and rounded to three digits */
    const { data } = JSON.parse(await readFile(join(modules, 'mnist', 'src', 'digits', `${label}.json`), 'utf8'));
    const bytes = Uint8Array.from(data, (v) => Math.round(v * 255));
    for (let at = 0; at < bytes.length; at += pixels) pictures.push({ label, picture: bytes.subarray(at, at + pixels) });
  }
  if (pictures.length !== parts * partSize) throw new Error(`the package mnist has ${pictures.length} pictures, want ${parts * partSize}`);
  return pack('digits', shuffle(pictures, 1));
}

async function names() {
  const all = new Set();
  for (const kind of ['female', 'male']) {
    /** @type {string[]} */
    const list = JSON.parse(await readFile(join(modules, '@stdlib', `datasets-${kind}-first-names-en`, 'data', 'names.json'), 'utf8'));
    for (const name of list) if (/^[a-z]{2,15}$/.test(name.toLowerCase())) all.add(name.toLowerCase());
  }
  return new Map([['data/names.txt', new TextEncoder().encode(`${shuffle([...all].sort(), 1).join('\n')}\n`)]]);
}

/** Where Debian's package dataset-fashion-mnist keeps its files. */
export const fashionFolder = '/usr/share/datasets/fashion-mnist';

/** Fashion-MNIST in the form of the digits: 8,000 of its pictures for training and 2,000 of those for tests. */
async function fashion() {
  const read = async (/** @type {string} */ set, /** @type {number} */ count) => {
    const file = async (/** @type {string} */ kind) => gunzipSync(await readFile(join(fashionFolder, `${set}-${kind}-ubyte.gz`)));
    const [images, labels] = [await file('images-idx3'), await file('labels-idx1')];
    const order = shuffle(Array.from({ length: labels.length - 8 }, (_, i) => i), 1).slice(0, count);
    return order.map((i) => ({ label: labels[8 + i], picture: images.subarray(16 + i * pixels, 16 + (i + 1) * pixels) }));
  };
  return pack('fashion', [...await read('train', trainParts * partSize), ...await read('t10k', testParts * partSize)]);
}
