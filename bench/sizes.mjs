// What a visitor downloads: the files of one configuration, as brotli at its best.
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';

/**
 * @param {{ packageRoot?: string, modules: string, cache: string }} o `cache` remembers
 *   sizes by content hash: compressing onnxruntime's 14 MB takes half a minute.
 */
export async function downloadSizes({ packageRoot, modules, cache }) {
  const known = JSON.parse(await readFile(cache, 'utf8').catch(() => '{}'));
  const ort = join(modules, 'onnxruntime-web/dist');
  const tf = join(modules, '@tensorflow');
  const wasmBackend = [join(tf, 'tfjs-backend-wasm/dist/tf-backend-wasm.min.js'), join(tf, 'tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm')];
  const sets = [];
  if (packageRoot) {
    const js = [join(packageRoot, 'dist/normwasm.js')]; // a session in a worker takes normwasm.worker.js as well
    for (const v of ['relaxed', 'simd', 'scalar']) {
      sets.push([v === 'relaxed' ? 'normwasm' : `normwasm ${v}`, [join(packageRoot, `dist/normwasm.${v}.wasm`), ...js]]);
    }
  }
  sets.push(['onnxruntime-web', ['ort-wasm-simd-threaded.wasm', 'ort-wasm-simd-threaded.mjs', 'ort.wasm.min.mjs'].map((f) => join(ort, f))]);
  sets.push(['tfjs-wasm', [join(tf, 'tfjs/dist/tf.min.js'), ...wasmBackend]]);
  sets.push(['tfjs-wasm, core only', [join(tf, 'tfjs-core/dist/tf-core.min.js'), ...wasmBackend]]);

  const out = [];
  for (const [name, paths] of sets) {
    const files = [];
    for (const path of paths) {
      const data = await readFile(path);
      const key = createHash('sha256').update(data).digest('hex');
      known[key] ??= brotliCompressSync(data, {
        params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_SIZE_HINT]: data.length },
      }).length;
      files.push({ name: basename(path), bytes: data.length, brotli: known[key] });
    }
    const sum = (key) => files.reduce((n, f) => n + f[key], 0);
    out.push({ name, bytes: sum('bytes'), brotli: sum('brotli'), files });
  }
  await mkdir(dirname(cache), { recursive: true });
  await writeFile(cache, JSON.stringify(known));
  return out;
}
