// Trainer: networks in training, in this thread and in a worker, in every variant of the module.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import * as ort from 'onnxruntime-web';
import { floats } from './data.mjs';
import { classes, networks, plainBatch, tokens } from './networks.mjs';
import { InferenceSession, Tensor, Trainer, init, readSafetensors, writeSafetensors } from '../src/index.js';

ort.env.wasm.numThreads = 1;
const dist = new URL('../dist/', import.meta.url);
const sgd = { type: 'sgd', learningRate: 0.1 };
const adamw = { type: 'adamw', learningRate: 0.01, weightDecay: 0.01 };

const create = (o, more = {}) => Trainer.create({ loss: 'crossEntropy', optimizer: adamw, seed: 3, ...o, ...more });

const float = (dims, seed) => new Tensor('float32', floats(dims.reduce((a, b) => a * b, 1), seed, 1), dims);
const whole = (dims, below, seed) => new Tensor('int32', classes(dims, below, seed), dims);

/** A batch for a network of crossEntropy. */
function batch(o, n, seed = 1) {
  const { x, y } = plainBatch(o, n, seed);
  return { x: new Tensor(x.type, x.data, x.dims), y: new Tensor(y.type, y.data, y.dims) };
}

/** A network after a few steps. */
async function trained(o, more) {
  const trainer = await create(o, more);
  for (let i = 0; i < 6; i++) await trainer.step(batch(o, 5, i + 1));
  return trainer;
}

const close = (got, want, tolerance, what) => {
  assert.equal(got.length, want.length, what);
  want.forEach((w, i) => assert.ok(Math.abs(got[i] - w) <= tolerance * (1 + Math.abs(w)), `${what}: element ${i} is ${got[i]}, want ${w}`));
};

test('a step of SGD is what the formula says', async () => {
  const trainer = await Trainer.create({ input: [2], model: [{ type: 'linear', units: 1 }], loss: 'meanSquaredError', optimizer: { ...sgd, momentum: 0.5, weightDecay: 0.2 }, seed: 5 });
  const values = async () => {
    const { tensors } = readSafetensors(await trainer.save());
    return [...tensors['0.weight'].data, ...tensors['0.bias'].data];
  };
  const x = [[1, 2], [-3, 0.5]];
  const y = [1, -1];
  let want = await values();
  let v = [0, 0, 0];
  for (let step = 0; step < 3; step++) {
    const result = await trainer.step({ x: new Tensor('float32', x.flat(), [2, 2]), y: new Tensor('float32', y, [2, 1]) });
    const errors = x.map(([a, b], i) => want[0] * a + want[1] * b + want[2] - y[i]);
    assert.ok(Math.abs(result.loss - (errors[0] ** 2 + errors[1] ** 2) / 2) < 1e-5);
    assert.ok(!('accuracy' in result));
    const g = [errors[0] * x[0][0] + errors[1] * x[1][0], errors[0] * x[0][1] + errors[1] * x[1][1], errors[0] + errors[1]];
    assert.ok(Math.abs(result.gradientNorm - Math.hypot(...g)) < 1e-5);
    v = v.map((old, i) => 0.5 * old + g[i] + (i < 2 ? 0.2 * want[i] : 0));
    want = want.map((w, i) => w - 0.1 * v[i]);
    close(await values(), want, 1e-5, `step ${step}`);
  }
  trainer.dispose();
});

for (const [name, o] of Object.entries(networks)) {
  describe(name, () => {
    test('gives the same bits in simd and scalar, here and in a worker, and after save and load', async () => {
      const files = [];
      for (const more of [{ variant: 'simd' }, { variant: 'scalar' }, { variant: 'simd', worker: true }]) {
        const trainer = await trained(o, more);
        assert.equal(trainer.variant, more.variant);
        files.push(Buffer.from(await trainer.save()).toString('base64'));
        if (more.worker) {
          const other = await create(o, { seed: 9 });
          await other.load(await trainer.save());
          const b = batch(o, 4, 50);
          assert.deepEqual(await other.step(b), await trainer.step(b), 'the next step');
          assert.deepEqual(await other.save(), await trainer.save());
          other.dispose();
        }
        trainer.dispose();
      }
      assert.equal(files[1], files[0]);
      assert.equal(files[2], files[0]);
    });

    test('exports what onnxruntime-web and a session here compute the same', async () => {
      const trainer = await trained(o);
      const file = await trainer.exportONNX();
      const session = await ort.InferenceSession.create(file, { executionProviders: ['wasm'] });
      const own = await InferenceSession.create(file);
      for (const n of [1, 4]) {
        const b = batch(o, n, 60 + n);
        const { outputs } = await trainer.evaluate(b);
        assert.deepEqual(outputs.dims, [n, ...(tokens(o) ? [7, 9] : [o.model.at(-1).units])]);
        const x = tokens(o) ? BigInt64Array.from(b.x.data, BigInt) : b.x.data;
        const type = tokens(o) ? 'int64' : 'float32';
        close((await session.run({ x: new ort.Tensor(type, x, b.x.dims) })).y.data, outputs.data, 1e-5, 'onnxruntime-web');
        close((await own.run({ x: new Tensor(type, x, b.x.dims) })).y.data, outputs.data, 1e-5, 'a session');
      }
      await own.release();
      trainer.dispose();
    });
  });
}

test('every type of layer is in one of these networks', async () => {
  const { layers } = await import('../src/options.js');
  const types = (model) => model.flatMap((layer) => [layer.type, ...types(layer.body ?? [])]);
  assert.deepEqual([...new Set(Object.values(networks).flatMap(({ model }) => types(model)))].sort(), Object.keys(layers).sort());
});

test('the relaxed variant stays near the others', async (t) => {
  let relaxed;
  try {
    relaxed = await trained(networks.image, { variant: 'relaxed' });
  } catch (error) {
    if (error.name === 'UnsupportedError') return t.skip('this Node has no relaxed SIMD');
    throw error;
  }
  const simd = await trained(networks.image, { variant: 'simd' });
  const b = batch(networks.image, 4, 7);
  close((await relaxed.evaluate(b)).outputs.data, (await simd.evaluate(b)).outputs.data, 1e-3, 'relaxed');
  relaxed.dispose();
  simd.dispose();
});

test('learns, with warm-up, a cosine and clipping', async () => {
  const trainer = await create({ input: [2], model: [{ type: 'linear', units: 32 }, { type: 'relu' }, { type: 'linear', units: 2 }] }, { optimizer: { type: 'adamw', learningRate: 0.03 }, schedule: { warmup: 5, decay: 'cosine', steps: 120 }, clip: 1 });
  let last;
  for (let i = 0; i < 120; i++) {
    const x = floats(128, i + 1, 1);
    last = await trainer.step({ x: new Tensor('float32', x, [64, 2]), y: new Tensor('uint8', Uint8Array.from({ length: 64 }, (_, j) => (x[2 * j] * x[2 * j + 1] > 0 ? 1 : 0)), [64]) });
  }
  assert.ok(last.accuracy > 0.9, `accuracy ${last.accuracy}`);
  trainer.dispose();
});

test('statistics are those of the running kernels', async () => {
  const o = networks.features;
  const trainer = await create(o);
  assert.deepEqual(await trainer.statistics(), []);
  const b = batch(o, 12);
  const { gradientNorm } = await trainer.step(b);
  const all = await trainer.statistics();
  assert.deepEqual(all.map(({ layer }) => layer), ['0 linear', '1 batchNorm', '2 sigmoid', '3 dynamicTanh', '4 linear', '5 batchNorm', '6 tanh', '7 linear']);
  assert.ok(Math.abs(Math.hypot(...all.map((s) => s.gradientNorm)) - gradientNorm) < 1e-9);
  assert.deepEqual(all.map((s) => 'running' in s), [false, true, false, false, false, true, false, false]);
  // One batch, averaged plainly: the running mean is the batch's.
  close(all[5].running.mean, all[5].batch.mean, 1e-6, 'the running mean');
  close(all[5].running.variance, all[5].batch.variance.map((v) => v * 12 / 11), 1e-5, 'the unbiased variance');
  assert.ok(Math.abs(all[5].activation.mean) < 1e-6 && Math.abs(all[5].activation.std - 1) < 1e-3);
  trainer.dispose();
});

test('statistics anew: over several batches they are those of all examples', async () => {
  const o = { input: [3], model: [{ type: 'batchNorm' }, { type: 'linear', units: 3 }] };
  const trainer = await create(o);
  const parts = [1, 2, 3].map((seed) => batch(o, 8, seed));
  const saved = await trainer.save();
  await trainer.recomputeStatistics(parts);
  await trainer.evaluate(parts[0]);
  const [{ running }] = await trainer.statistics();
  const columns = [0, 1, 2].map((c) => parts.flatMap(({ x }) => [...x.data].filter((_, i) => i % 3 === c)));
  const means = columns.map((list) => list.reduce((a, b) => a + b) / 24);
  close(running.mean, means, 1e-5, 'means');
  close(running.variance, columns.map((list, c) => list.reduce((a, v) => a + (v - means[c]) ** 2, 0) / 23), 1e-5, 'variances');
  const anew = await trainer.save();
  await assert.rejects(trainer.recomputeStatistics([parts[0], { ...parts[1], y: parts[0].x }]), { name: 'ShapeError', message: /Trainer\.recomputeStatistics: y is \[8, 3\], want \[N\]/ });
  await assert.rejects(trainer.recomputeStatistics([]), /there are no batches/);
  await assert.rejects(trainer.recomputeStatistics(5), /want an array/);
  assert.deepEqual(await trainer.save(), anew);
  await trainer.recomputeStatistics((async function* () { // what failed before is forgotten
    yield* parts;
  })());
  assert.deepEqual(await trainer.save(), anew);
  assert.notDeepEqual(anew, saved);
  trainer.dispose();
});

test('intermediate values are what the layers gave', async () => {
  const o = networks.transformer;
  const trainer = await trained(o);
  const session = await InferenceSession.create(await trainer.exportONNX({ intermediates: true }));
  const b = batch(o, 2, 70);
  await trainer.evaluate(b);
  const got = await session.run({ x: new Tensor('int64', BigInt64Array.from(b.x.data, BigInt), b.x.dims) });
  const moments = (data) => {
    const mean = data.reduce((a, v) => a + v, 0) / data.length;
    return { mean, std: Math.sqrt(data.reduce((a, v) => a + (v - mean) ** 2, 0) / data.length) };
  };
  for (const { layer, activation } of await trainer.statistics()) {
    const { mean, std } = moments(got[layer].data);
    assert.ok(Math.abs(mean - activation.mean) < 1e-5 && Math.abs(std - activation.std) < 1e-5 * (1 + std), layer);
  }
  assert.deepEqual(got['1.1 attention probabilities'].dims, [2, 2, 7, 7]);
  assert.deepEqual(got['4 attention probabilities'].dims, [2, 4, 7, 7]);
  assert.equal(got['1.1 attention probabilities'].data[1], 0, 'nobody looks ahead');
  await session.release();
  trainer.dispose();
});

describe('mistakes', () => {
  const o = networks.image;
  for (const [what, options, message] of [
    ['no options', undefined, /options is undefined/],
    ['an unknown option', { ...o, lr: 1 }, /unknown option 'lr'/],
    ['an unknown option of a layer', { ...o, model: [{ type: 'batchNorm', eps: 1 }] }, /Trainer\.create: layer 0 \(batchNorm\): unknown option 'eps': did you mean 'epsilon'\?/],
    ['an unknown option inside a residual', { ...o, model: [{ type: 'residual', body: [{ type: 'conv2d', out_channels: 4 }] }] }, /layer 0\.0 \(conv2d\): unknown option 'out_channels': did you mean 'filters'\?/],
    ['an unknown type', { ...o, model: [{ type: 'batchnorm' }] }, /layer 0: there is no type "batchnorm": did you mean 'batchNorm'\?/],
    ['no model', { ...o, model: undefined }, /model is undefined, want an array/],
    ['an empty model', { ...o, model: [] }, /the model has no layers/],
    ['a layer that is a word', { ...o, model: ['relu'] }, /layer 0 is a string, want an object/],
    ['a body that is none', { ...o, model: [{ type: 'residual', body: 3 }] }, /the body of layer 0 is a number/],
    ['no filters', { ...o, model: [{ type: 'conv2d', kernel: 3 }] }, /layer 0 \(conv2d\): filters is missing/],
    ['half a filter', { ...o, model: [{ type: 'conv2d', filters: 2.5, kernel: 3 }] }, /layer 0 \(conv2d\): filters is 2\.5, want a whole number/],
    ['filters in words', { ...o, model: [{ type: 'conv2d', filters: '8', kernel: 3 }] }, /filters is "8", want a whole number/],
    ['a stride of 0', { ...o, model: [{ type: 'conv2d', filters: 8, kernel: 3, stride: 0 }] }, /stride is 0, want/],
    ['groups that do not divide', { ...o, model: [{ type: 'conv2d', filters: 9, kernel: 3, groups: 2 }] }, /layer 0 \(conv2d\)/],
    ['a residual that changes shape', { ...o, model: [{ type: 'residual', body: [{ type: 'maxPool2d', size: 2 }] }] }, /layer 0 \(residual\)/],
    ['linear on an image', { ...o, model: [{ type: 'gru', units: 3 }] }, /layer 0 \(gru\)/],
    ['heads that do not divide', { input: [4, 6], model: [{ type: 'attention', heads: 4 }] }, /layer 0 \(attention\)/],
    ['an embedding behind', { input: [4], model: [{ type: 'linear', units: 3 }, { type: 'embedding', vocabulary: 3, width: 3 }] }, /layer 1 \(embedding\)/],
    ['a pool larger than the image', { ...o, model: [{ type: 'maxPool2d', size: 20 }] }, /layer 0 \(maxPool2d\)/],
    ['a rate of 1.5', { ...o, model: [{ type: 'dropout', rate: 1.5 }] }, /rate is 1\.5/],
    ['a preset that is none', { ...o, model: [{ type: 'batchNorm', preset: 'torch' }] }, /preset is "torch"/],
    ['an input of four dimensions', { ...o, input: [1, 2, 3, 4] }, /input is \[1 2 3 4\]/],
    ['a loss that is none', { ...o, loss: 'mse' }, /loss is "mse", want "crossEntropy" or "meanSquaredError"/],
    ['no optimizer', { ...o, optimizer: undefined }, /optimizer is undefined, want \{ type: 'sgd'/],
    ['an optimizer that is none', { ...o, optimizer: { type: 'adam', learningRate: 1 } }, /optimizer is of the type "adam"/],
    ['no learning rate', { ...o, optimizer: { type: 'sgd' } }, /learningRate is missing/],
    ['lr', { ...o, optimizer: { type: 'sgd', lr: 1 } }, /optimizer: unknown option 'lr': did you mean 'learningRate'\?/],
    ['a negative rate', { ...o, optimizer: { type: 'sgd', learningRate: -1 } }, /learningRate is -1/],
    ['a rate that is NaN', { ...o, optimizer: { type: 'sgd', learningRate: NaN } }, /learningRate is NaN/],
    ['a schedule without steps', { ...o, schedule: { decay: 'cosine' } }, /cosine ends at steps/],
    ['a seed that is half', { ...o, seed: -1 }, /seed is -1/],
    ['a seed of a half', { ...o, seed: 0.5 }, /seed is 0\.5, want a whole number/],
    ['clip', { ...o, clip: -1 }, /clip is -1/],
    ['weights beyond all memory', { ...o, model: [{ type: 'flatten' }, { type: 'linear', units: 1 << 24 }, { type: 'linear', units: 1 << 24 }] }, /memory|layer/],
    ['worker', { ...o, worker: 2 }, /worker is 2, want true or false/],
  ]) {
    test(what, async () => {
      await assert.rejects(Promise.resolve().then(() => Trainer.create(options && { loss: 'crossEntropy', optimizer: sgd, ...options })), (error) => {
        assert.match(error.message, message);
        assert.match(error.name, /^(NormError|ShapeError)$/);
        return true;
      });
    });
  }

  test('batches that do not fit change nothing', async () => {
    const trainer = await trained(o);
    const before = await trainer.save();
    const good = batch(o, 4);
    const nan = good.x.data.slice();
    nan[2 * 64 * 1 + 5] = NaN;
    for (const [bad, name, message] of [
      [undefined, 'NormError', /Trainer\.step: the batch is undefined/],
      [{ x: good.x }, 'NormError', /want \{ x, y \}/],
      [{ x: good.x.data, y: good.y }, 'NormError', /Trainer\.step: x is a Float32Array, want a Tensor: new Tensor\('float32', data, dims\) makes one, of dims \[N, 2, 8, 8\]/],
      [{ x: float([4, 2, 8, 7]), y: good.y }, 'ShapeError', /Trainer\.step: x is \[4, 2, 8, 7\], want \[N, 2, 8, 8\]/],
      [{ x: float([4, 128]), y: good.y }, 'ShapeError', /x is \[4, 128\]/],
      [{ x: new Tensor('float32', [], [0, 2, 8, 8]), y: new Tensor('int32', [], [0]) }, 'ShapeError', /N of at least 1/],
      [{ x: good.x, y: whole([3], 3) }, 'ShapeError', /y is \[3\], want \[4\] for x of \[4, 2, 8, 8\]/],
      [{ x: good.x, y: whole([4, 1], 3) }, 'ShapeError', /y is \[4, 1\], want \[N\]/],
      [{ x: good.x, y: new Tensor('float32', [0, 1, 2, 0], [4]) }, 'NormError', /y is a tensor of float32, want int32 \(class indices\)/],
      [{ x: new Tensor('float64', new Float64Array(512), [4, 2, 8, 8]), y: good.y }, 'NormError', /x is a tensor of float64, want float32/],
      [{ x: good.x, y: new Tensor('int64', [0n, 1n, 2n, 1n << 40n], [4]) }, 'NormError', /element 3 of y is 1099511627776, too large/],
      [{ x: good.x, y: new Tensor('int32', [0, 1, 3, 0], [4]) }, 'NormError', /label 2 is 3, and there are the classes 0 to 2/],
      [{ x: good.x, y: new Tensor('int32', [0, -1, 2, 0], [4]) }, 'NormError', /label 1 is -1/],
      [{ x: new Tensor('float32', nan, [4, 2, 8, 8]), y: good.y }, 'NormError', /x is not finite: element 5 of example 1 is NaN/],
    ]) {
      await assert.rejects(trainer.step(bad), { name, message });
    }
    assert.deepEqual(await trainer.save(), before);
    trainer.dispose();
  });

  test('tokens beyond the vocabulary', async () => {
    const trainer = await create(networks.transformer);
    const { y } = batch(networks.transformer, 1);
    await assert.rejects(trainer.step({ x: new Tensor('int32', [0, 1, 2, 3, 9, 0, 0], [1, 7]), y }), /token 4 of example 0 is 9, and the vocabulary has 0 to 8/);
    trainer.dispose();
  });

  test('one value a channel has no variance', async () => {
    const trainer = await create(networks.features);
    const before = await trainer.save();
    await assert.rejects(trainer.step(batch(networks.features, 1)), { name: /NormError|ShapeError/, message: /layer (1|5) batchNorm/ });
    assert.deepEqual(await trainer.save(), before);
    await trainer.evaluate(batch(networks.features, 1));
    trainer.dispose();
  });

  test('a loss that is not finite names the layer where it began, and the step is not made', async () => {
    const trainer = await create({ input: [4], model: [{ type: 'linear', units: 4 }, { type: 'linear', units: 4 }, { type: 'linear', units: 1 }] }, { loss: 'meanSquaredError', optimizer: { type: 'sgd', learningRate: 1e30 } });
    const b = { x: float([8, 4]), y: float([8, 1], 2) };
    let failed;
    for (let i = 0; i < 10 && !failed; i++) {
      const before = await trainer.save();
      try {
        await trainer.step(b);
      } catch (error) {
        failed = error;
        assert.deepEqual(await trainer.save(), before);
      }
    }
    assert.equal(failed?.code, 'NOT_FINITE');
    assert.match(failed.message, /it began in layer \d linear, in step \d; the step was not made/);
    trainer.dispose();
  });

  test('export of an untrained network, and files of others', async () => {
    const trainer = await create(o);
    await assert.rejects(trainer.exportONNX(), /the network is untrained, it has made 0 steps/);
    const other = await trained({ ...o, model: [...o.model.slice(0, -1), { type: 'linear', units: 4 }] });
    const before = await trainer.save();
    await assert.rejects(trainer.load(await other.save()), { name: 'ShapeError', message: /the state's tensor "9\.weight" is \[4 6\] with 24 elements, want \[3 6\]/ });
    const { tensors, metadata } = readSafetensors(before);
    const { '9.bias': _, ...fewer } = tensors;
    await assert.rejects(trainer.load(writeSafetensors(fewer, metadata)), { name: 'ShapeError', message: /the state has no tensor "9\.bias"/ });
    await assert.rejects(trainer.load(writeSafetensors({ ...tensors, more: Tensor.zeros([1]) }, metadata)), { name: 'ShapeError', message: /a tensor "more"/ });
    await assert.rejects(trainer.load(writeSafetensors(tensors)), { name: 'LoadError', message: /none that Trainer\.save\(\) has written/ });
    await assert.rejects(trainer.load(before.slice(0, 100)), { name: 'LoadError' });
    await assert.rejects(trainer.load(new Uint8Array(0)), { name: 'LoadError' });
    assert.deepEqual(await trainer.save(), before);
    trainer.dispose();
    other.dispose();
  });

  for (const worker of [false, true]) {
    test(`disposing in the midst of a step, ${worker ? 'in a worker' : 'here'}`, async () => {
      const trainer = await create(o, { worker });
      const step = trainer.step(batch(o, 16)).then(() => 'made', (error) => error.name);
      trainer.dispose();
      trainer.dispose();
      assert.equal(await step, worker ? 'DisposedError' : 'made');
      for (const call of ['step', 'evaluate', 'save', 'statistics', 'exportONNX', 'load', 'recomputeStatistics']) {
        await assert.rejects(trainer[call](batch(o, 1)), { name: call === 'exportONNX' ? /DisposedError|NormError/ : 'DisposedError' }, call);
      }
    });
  }

  test('the modules of the two editions are told from each other', async () => {
    const [model, train] = await Promise.all(['normwasm.simd.wasm', 'normwasm.train.simd.wasm'].map(async (name) => WebAssembly.compile(await readFile(new URL(name, dist)))));
    await assert.rejects(create(o, { wasmModule: model }), { name: 'LoadError', message: /the one that runs models, which init takes: want normwasm\.train\.\*\.wasm/ });
    (await init()).dispose(); // or this would be given the one that runs
    await assert.rejects(init({ wasmModule: train }), { name: 'LoadError', message: /the one that trains, which Trainer takes: want normwasm\.\*\.wasm/ });
    const trainer = await create(o, { wasmModule: train });
    assert.equal(trainer.variant, 'simd');
    trainer.dispose();
  });
});

test('batches may be changed as soon as step has given its promise', async () => {
  const o = networks.features;
  const here = await create(o);
  const there = await create(o, { worker: true });
  const steps = [];
  for (let i = 0; i < 4; i++) {
    const b = batch(o, 6, i);
    steps.push(there.step(b));
    const mine = batch(o, 6, i);
    b.x.data.fill(9);
    b.y.data.fill(0);
    await here.step(mine);
  }
  await Promise.all(steps);
  assert.deepEqual(await there.save(), await here.save());
  here.dispose();
  there.dispose();
});

test('long runs do not hold on to their batches', async () => {
  const trainer = await create({ input: [100000], model: [{ type: 'linear', units: 1 }] }, { loss: 'meanSquaredError' });
  const held = () => {
    globalThis.gc?.();
    return process.memoryUsage().arrayBuffers;
  };
  const y = new Tensor('float32', [0, 0], [2, 1]);
  const step = () => trainer.step({ x: new Tensor('float32', new Float32Array(200000), [2, 100000]), y }); // 800 KB each
  await step();
  const before = held();
  for (let i = 0; i < 300; i++) await step();
  await new Promise((resolve) => { setTimeout(resolve, 0); });
  const more = held() - before;
  assert.ok(more < 100e6, `${(more / 1e6).toFixed()} MB more after 240 MB of batches`);
  trainer.dispose();
});

test('resident tensors, and a runtime beside', async () => {
  const runtime = await init();
  const o = networks.features;
  const [a, b] = [await create(o), await create(o)];
  const { x, y } = batch(o, 6);
  const resident = x.toWasm();
  assert.deepEqual(await a.step({ x: resident, y }), await b.step({ x, y }));
  resident.dispose();
  a.dispose();
  b.dispose();
  runtime.dispose();
});

