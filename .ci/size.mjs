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
const print = ({ name, raw, packed }, rest = '') => console.log(`${name.padEnd(28)} ${kib(raw)}   brotli ${kib(packed)}${rest}`);

let over = false;
const hold = (packed, budget) => {
  over ||= packed > budget;
  return `   ${packed > budget ? 'OVER' : 'within'} the budget of ${budget / 1024} KiB`;
};

const variants = process.argv.includes('--all') ? ['simd', 'relaxed', 'scalar'] : ['simd'];
// What engines without SIMD get has the kernels as loops in Go, which take more.
for (const file of await read(variants.map((variant) => join(dist, `normwasm.${variant}.wasm`)))) print(file, hold(file.packed, 715 * 1024));
// The edition that trains, which only a page that trains loads.
for (const file of await read(variants.map((variant) => join(dist, `normwasm.train.${variant}.wasm`)))) print(file, hold(file.packed, 385 * 1024));
// The kernels alone, which only a page with threads loads.
for (const file of await read(variants.filter((variant) => variant !== 'scalar').map((variant) => join(dist, `normwasm.kernels.${variant}.wasm`)))) print(file, hold(file.packed, 25 * 1024));

// The one with the rarer operators, which only a page loads whose model needs one: it has no budget, and to compress it takes long.
if (variants.length > 1) for (const file of await read(variants.map((variant) => join(dist, `normwasm.full.${variant}.wasm`)))) print(file);

// The package as a page imports it; the same for require. The adapters and the script of workers, which only
// those load who use them, are told beside it.
const scripts = await read(readdirSync(dist).filter((name) => /\.c?js$/.test(name)).map((name) => join(dist, name)));
const worker = scripts.find(({ name }) => name === 'normwasm.worker.js');
for (const script of scripts) {
  const whole = /^normwasm\.c?js$/.test(script.name);
  print(script, whole ? `${hold(script.packed, 42 * 1024)}; with the worker's script ${kib(script.packed + worker.packed).trim()}` : '');
}
process.exitCode = over ? 1 : 0;
