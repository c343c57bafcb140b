// Prints the size of each module, raw and as brotli at its best, and fails above the budget.
import { readFileSync } from 'node:fs';
import { brotliCompressSync, constants } from 'node:zlib';

const budget = 650 * 1024;
let over = false;
for (const variant of ['scalar', 'simd', 'relaxed']) {
  const file = `js/dist/normwasm.${variant}.wasm`;
  const raw = readFileSync(file);
  const packed = brotliCompressSync(raw, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_LGWIN]: 24,
      [constants.BROTLI_PARAM_SIZE_HINT]: raw.length,
    },
  });
  const kb = (n) => (n / 1024).toFixed(0).padStart(5) + ' KB';
  const verdict = packed.length <= budget ? 'within' : 'OVER';
  over ||= packed.length > budget;
  console.log(`${file.padEnd(32)} ${kb(raw.length)}   brotli ${kb(packed.length)}   ${verdict} the budget of ${kb(budget).trim()}`);
}
process.exitCode = over ? 1 : 0;
