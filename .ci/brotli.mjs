// Brotli that keeps its results by content, in bin/brotli/: at its best it takes 10 s for a module.
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants } from 'node:zlib';

const kept = join(import.meta.dirname, '..', 'bin', 'brotli');
const compress = promisify(brotliCompress);

/** Two files of the same bytes wait for one compression. @type {Map<string, Promise<Buffer>>} */
const running = new Map();

/** @param {Buffer} bytes @param {number} quality 0 to 11 @returns {Promise<Buffer>} */
export function squeeze(bytes, quality) {
  const file = join(kept, `${createHash('sha256').update(bytes).digest('hex')}-${quality}.br`);
  let result = running.get(file);
  if (!result) running.set(file, result = known(file, bytes, quality));
  return result;
}

async function known(file, bytes, quality) {
  const before = await readFile(file).catch(() => undefined);
  if (before) return before;
  const small = await compress(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: quality,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      [constants.BROTLI_PARAM_LGWIN]: 24,
    },
  });
  await mkdir(kept, { recursive: true });
  // Under a name of its own first: another process may be reading, and this one may be interrupted.
  await writeFile(`${file}.${process.pid}`, small);
  await rename(`${file}.${process.pid}`, file);
  return small;
}
