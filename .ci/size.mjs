// Prints what a page downloads, raw and as brotli at its best, and fails above the budget.
//   node size.mjs [--all]      --all: each variant of the module, not only the one that nearly everyone loads
import { readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { squeeze } from './brotli.mjs';

const dist = join(import.meta.dirname, '..', 'js', 'dist');
const kib = (n) => `${(n / 1024).toFixed(1).padStart(7)} KiB`;
const read = (files) => Promise.all(files.map(async (file) => {
  const bytes = readFileSync(file);
  return { name: basename(file), raw: bytes.length, packed: (await squeeze(bytes, 11)).length };
}));
const print = ({ name, raw, packed }, rest = '') => console.log(`${name.padEnd(24)} ${kib(raw)}   brotli ${kib(packed)}${rest}`);

let over = false;
const hold = (packed, budget) => {
  over ||= packed > budget;
  return `   ${packed > budget ? 'OVER' : 'within'} the budget of ${budget / 1024} KiB`;
};

const variants = process.argv.includes('--all') ? ['simd', 'relaxed', 'scalar'] : ['simd'];
for (const file of await read(variants.map((variant) => join(dist, `normwasm.${variant}.wasm`)))) print(file, hold(file.packed, 650 * 1024));

// The package's module, for import or for require, and the script of its workers: a page loads both.
const scripts = await read(readdirSync(dist).filter((name) => /\.c?js$/.test(name)).map((name) => join(dist, name)));
for (const script of scripts) print(script);
const worker = scripts.find(({ name }) => name === 'normwasm.worker.js');
for (const main of scripts.filter(({ name }) => /^normwasm\.c?js$/.test(name))) {
  const both = { name: `${main.name} + worker`, raw: main.raw + worker.raw, packed: main.packed + worker.packed };
  print(both, hold(both.packed, 40 * 1024));
}
process.exitCode = over ? 1 : 0;
