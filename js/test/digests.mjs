// What must come out with the same bits everywhere: a list of cases over every normalization, forward and
// backward, on ordinary numbers and on hard ones, and over whole networks. Runs in pages and in Node.
import * as normwasm from './package.mjs';
import { floats, random, twoOutputs } from './data.mjs';
import { networks as trained, plainBatch } from './networks.mjs';

const { AdaptiveLayerNorm, BatchNorm, GroupNorm, InferenceSession, InstanceNorm, LayerNorm, LocalResponseNorm, LpNorm, RMSNorm, SpectralNorm, Tensor, Trainer } = normwasm;

// Inputs are made of additions, multiplications and roundings to float32 alone, which all engines do alike.

/** What a row is filled with: ordinary numbers, and those that go wrong first. @type {Record<string, (u: () => number, i: number) => number>} */
const kinds = {
  ordinary: (u) => 2 * u(),
  'far from zero': (u) => 1e7 + 50 * u(),
  'hardly above zero': (u) => 1e-40 * u(),
  'squares overflow': (u) => 1e30 * u(),
  'sums overflow': (u) => 3e38 * u(),
  zeros: (u, i) => (i % 2 ? 0 : -0),
  constant: () => 0.1,
  'one spike': (u, i) => (i === 2 ? 1e20 : 1e-3 * u()),
  'a not-a-number': (u, i) => (i === 1 ? NaN : u()),
  'an infinity': (u, i) => (i === 1 ? -Infinity : u()),
  'signs alternate': (u, i) => (i % 2 ? 1 : -1) * (1 + 1e-6 * u()),
  integers: (u, i) => (i * 37) % 11,
};

/** Rows of each kind in turn. @param {number} rows @param {number} cols @param {number} seed */
function hard(rows, cols, seed) {
  const x = new Float32Array(rows * cols);
  const fills = Object.values(kinds);
  for (let r = 0; r < rows; r++) {
    const u = random(seed + r);
    for (let i = 0; i < cols; i++) x[r * cols + i] = fills[r % fills.length](u, i);
  }
  return x;
}

/** Squares: for variances and other things that are not negative. @param {number} n @param {number} seed */
const positive = (n, seed) => floats(n, seed).map((v) => v * v + 0.01);
const count = Object.keys(kinds).length;
const product = (/** @type {readonly number[]} */ shape) => shape.reduce((a, b) => a * b, 1);

/** Lengths around those of vectors, blocks and tails. */
const lengths = [1, 2, 3, 4, 5, 7, 8, 13, 16, 31, 64, 65, 255, 768, 1023, 4099];
/** [N C …], some with odd planes. */
const pictures = [[2, 12, 1], [1, 12, 5], [2, 12, 7, 3], [1, 12, 16, 16], [3, 24, 9, 5], [1, 64, 24, 32]];
const activations = [undefined, 'relu', 'relu6', 'silu'];

/**
 * The forward functions. Each gives its results one by one; a case's digest is of all of them.
 * @type {Record<string, () => Iterable<ArrayLike<number>>>}
 */
const forward = {
  * layerNorm() {
    for (const [i, cols] of lengths.entries()) {
      const shape = [2 * count, cols];
      const x = hard(2 * count, cols, 100 + i);
      const [scale, bias] = [floats(cols, 1), floats(cols, 2)];
      const residual = floats(x.length, 3);
      yield normwasm.layerNorm(x, { shape });
      yield normwasm.layerNorm(x, { shape, scale, bias, epsilon: 0 });
      const [mean, invStdDev, sum] = [new Float32Array(2 * count), new Float32Array(2 * count), new Float32Array(x.length)];
      yield normwasm.layerNorm(x, { shape, scale, bias, residual, sum, mean, invStdDev, activation: activations[i % 4] });
      yield* [mean, invStdDev, sum];
    }
    for (const axes of [[0], [1], [0, 1], [2, 0], [1, 3], []]) {
      const shape = [3, 12, 5, 4];
      const n = product(axes.map((a) => shape[a]));
      yield normwasm.layerNorm(hard(36, 20, 7), { shape, axes, scale: floats(n, 1), bias: floats(n, 2) });
    }
  },
  * rmsNorm() {
    for (const [i, cols] of lengths.entries()) {
      const shape = [2 * count, cols];
      const x = hard(2 * count, cols, 200 + i);
      const invStdDev = new Float32Array(2 * count);
      yield normwasm.rmsNorm(x, { shape });
      yield normwasm.rmsNorm(x, { shape, scale: floats(cols, 1), residual: floats(x.length, 3), invStdDev, activation: activations[i % 4] });
      yield invStdDev;
    }
  },
  * batchNorm() {
    for (const [i, shape] of pictures.entries()) {
      for (const layout of /** @type {const} */ (['nchw', 'nhwc'])) {
        const dims = layout === 'nchw' ? shape : [shape[0], ...shape.slice(2), shape[1]];
        const x = hard(product(shape) / shape.at(-1), shape.at(-1), 300 + i);
        const statistics = { mean: floats(shape[1], 4), variance: positive(shape[1], 5) };
        yield normwasm.batchNorm(x, { shape: dims, layout, ...statistics });
        yield normwasm.batchNorm(x, { shape: dims, layout, ...statistics, scale: floats(shape[1], 1), bias: floats(shape[1], 2), activation: activations[i % 4] });
      }
    }
  },
  * instanceNorm() {
    for (const [i, shape] of pictures.entries()) {
      const x = hard(shape[0] * shape[1], product(shape.slice(2)), 400 + i);
      const affine = { scale: floats(shape[1], 1), bias: floats(shape[1], 2) };
      const [mean, invStdDev] = [new Float32Array(shape[0] * shape[1]), new Float32Array(shape[0] * shape[1])];
      yield normwasm.instanceNorm(x, { shape, ...affine, mean, invStdDev, activation: activations[i % 4] });
      yield* [mean, invStdDev];
      yield normwasm.instanceNorm(x, { shape: [shape[0], ...shape.slice(2), shape[1]], layout: 'nhwc', ...affine });
    }
  },
  * groupNorm() {
    for (const [i, shape] of pictures.entries()) {
      for (const groups of [1, 2, 4, shape[1]]) {
        const x = hard(shape[0] * groups, product(shape) / shape[0] / groups, 500 + i);
        const affine = { scale: floats(shape[1], 1), bias: floats(shape[1], 2) };
        yield normwasm.groupNorm(x, { shape, groups, ...affine, activation: activations[i % 4] });
        yield normwasm.groupNorm(x, { shape: [shape[0], ...shape.slice(2), shape[1]], layout: 'nhwc', groups, ...affine });
      }
    }
  },
  * localResponseNorm() {
    for (const [i, shape] of pictures.entries()) {
      const x = hard(shape[0] * shape[1], product(shape.slice(2)), 600 + i);
      for (const size of [1, 2, 5]) yield normwasm.localResponseNorm(x, { shape, size });
      yield normwasm.localResponseNorm(x, { shape, size: 3, alpha: 0.5, beta: 0.3, bias: 2 });
    }
  },
  * lpNorm() {
    for (const [i, cols] of lengths.entries()) {
      for (const p of /** @type {const} */ ([1, 2])) {
        yield normwasm.lpNorm(hard(2 * count, cols, 700 + i), { shape: [2 * count, cols], p });
        yield normwasm.lpNorm(hard(2 * count, cols, 700 + i), { shape: [2 * count, cols], p, axis: 0, epsilon: 1e-3 });
      }
    }
  },
  * meanVarianceNorm() {
    for (const [i, shape] of pictures.entries()) {
      const x = hard(shape[0] * shape[1], product(shape.slice(2)), 800 + i);
      yield normwasm.meanVarianceNorm(x, { shape });
      yield normwasm.meanVarianceNorm(x, { shape, axes: [shape.length - 1], epsilon: 1e-5 });
    }
  },
  * adaptiveLayerNorm() {
    for (const [i, cols] of lengths.entries()) {
      yield normwasm.adaptiveLayerNorm(hard(2 * count, cols, 900 + i), { shape: [2, count, cols], scale: floats(2 * cols, 1), shift: floats(2 * cols, 2) });
    }
  },
  * weightNorm() {
    for (const [i, cols] of lengths.entries()) yield normwasm.weightNorm(hard(count, cols, 1000 + i), { shape: [count, cols], g: floats(count, 1) });
  },
  * foldBatchNorm() {
    const { weight, bias } = normwasm.foldBatchNorm({
      weight: floats(16 * 8 * 3 * 3, 1), weightShape: [16, 8, 3, 3], bias: floats(16, 2), mean: floats(16, 3), variance: positive(16, 4), scale: floats(16, 5), shift: floats(16, 6),
    });
    yield* [weight, bias];
  },
};

/** A layer's forward, its backward, and whatever it keeps. @param {any} layer @param {Float32Array} x @param {object} options */
function* passes(layer, x, options) {
  for (const [i, name] of ['scale', 'bias'].entries()) {
    if (layer[name]?.length) layer[name].set(floats(layer[name].length, 11 + i));
  }
  yield layer.forward(x, options);
  for (const seed of [21, 22]) yield* Object.values(layer.backward(floats(x.length, seed)));
  for (const name of ['runningMean', 'runningVar']) if (layer[name]) yield layer[name];
  layer.dispose();
}

/** @type {typeof forward} */
const backward = {
  * BatchNorm() {
    for (const [i, shape] of pictures.entries()) {
      const rows = hard(shape[0] * shape[1], product(shape.slice(2)), 1100 + i);
      for (const preset of /** @type {const} */ (['onnx', 'keras', 'pytorch'])) {
        if (preset === 'pytorch' && product(shape) === shape[1]) continue;
        yield* passes(new BatchNorm({ features: shape[1], preset }), rows, { shape });
        yield* passes(new BatchNorm({ features: shape[1], preset, layout: 'nhwc', momentum: null }), rows, { shape: [shape[0], ...shape.slice(2), shape[1]] });
      }
      yield* passes(new BatchNorm({ features: shape[1], affine: false }), rows, { shape, training: false });
      const parts = [1, 2].map((seed) => new BatchNorm({ features: shape[1] }).moments(floats(product(shape), seed), { shape }));
      const whole = BatchNorm.mergeMoments(parts);
      yield* [whole.mean, whole.variance];
    }
  },
  * LayerNorm() {
    for (const [i, cols] of lengths.entries()) {
      for (const affine of [true, false]) yield* passes(new LayerNorm({ normalizedShape: [cols], affine }), hard(2 * count, cols, 1200 + i), { shape: [2 * count, cols] });
    }
  },
  * RMSNorm() {
    for (const [i, cols] of lengths.entries()) {
      for (const affine of [true, false]) yield* passes(new RMSNorm({ normalizedShape: [cols], affine }), hard(2 * count, cols, 1300 + i), { shape: [2 * count, cols] });
    }
  },
  * GroupNorm() {
    for (const [i, shape] of pictures.entries()) {
      for (const groups of [1, 3, shape[1]].filter((g) => shape[1] % g === 0)) {
        const x = hard(shape[0] * groups, product(shape) / shape[0] / groups, 1400 + i);
        yield* passes(new GroupNorm({ features: shape[1], groups }), x, { shape });
        yield* passes(new GroupNorm({ features: shape[1], groups, layout: 'nhwc', affine: false }), x, { shape: [shape[0], ...shape.slice(2), shape[1]] });
      }
    }
  },
  * InstanceNorm() {
    for (const [i, shape] of pictures.entries()) {
      const x = hard(shape[0] * shape[1], product(shape.slice(2)), 1500 + i);
      yield* passes(new InstanceNorm({ features: shape[1] }), x, { shape });
      yield* passes(new InstanceNorm({ features: shape[1], layout: 'nhwc', trackRunningStats: true, preset: 'onnx' }), x, { shape: [shape[0], ...shape.slice(2), shape[1]] });
    }
  },
  * AdaptiveLayerNorm() {
    for (const [i, cols] of lengths.entries()) {
      const options = { shape: [2, count, cols], scale: floats(2 * cols, 1), shift: floats(2 * cols, 2) };
      yield* passes(new AdaptiveLayerNorm({ features: cols }), hard(2 * count, cols, 1600 + i), options);
    }
  },
  * LpNorm() {
    for (const [i, cols] of lengths.entries()) {
      for (const p of /** @type {const} */ ([1, 2])) yield* passes(new LpNorm({ p }), hard(2 * count, cols, 1700 + i), { shape: [2 * count, cols] });
    }
  },
  * LocalResponseNorm() {
    for (const [i, shape] of pictures.entries()) {
      yield* passes(new LocalResponseNorm({ size: 3 }), hard(shape[0] * shape[1], product(shape.slice(2)), 1800 + i), { shape });
    }
  },
  * SpectralNorm() {
    for (const shape of [[5, 3], [16, 65], [8, 4, 3, 3]]) {
      const layer = new SpectralNorm({ shape });
      const { weight, sigma } = layer.forward(floats(product(shape), 1), { steps: 5 });
      yield* [weight, [sigma], layer.u, layer.v];
      layer.dispose();
    }
  },
};

const arrays = { float32: Float32Array, int32: Int32Array, int64: BigInt64Array };

/**
 * A model and what it is fed: floats from a seed, or a file.
 * @typedef {{ name: string, model: string, feeds: { name?: string, type: 'float32' | 'int32' | 'int64', dims: number[], seed?: number, file?: string }[] }} Network
 */

/** @param {Network} network @param {(path: string) => Promise<ArrayBuffer>} read */
async function run({ model, feeds }, read) {
  const session = await InferenceSession.create(model === '' ? twoOutputs() : new Uint8Array(await read(model)));
  try {
    /** @type {Record<string, any>} */
    const tensors = {};
    for (const [i, { name = session.inputNames[i], type, dims, seed = 0, file }] of feeds.entries()) {
      tensors[name] = new Tensor(type, file ? new arrays[type](await read(file)) : floats(product(dims), seed, 1), dims);
    }
    const results = await session.run(tensors);
    return session.outputNames.map((name) => results[name].data);
  } finally {
    await session.release();
  }
}

/**
 * The results of each case in a variant, by name, each copied.
 * @param {string} variant
 * @param {Network[]} networks
 * @param {(path: string) => Promise<ArrayBuffer>} read
 */
async function compute(variant, networks, read) {
  const runtime = await normwasm.init({ variant: /** @type {any} */ (variant) });
  /** @type {Map<string, any[]>} */
  const results = new Map();
  try {
    for (const [name, calls] of Object.entries({ ...forward, ...backward })) results.set(name, [...calls()].map((values) => values.slice()));
    for (const network of networks) results.set(network.name, await run(network, read));
    for (const [name, network] of Object.entries(trained)) results.set(`training: ${name}`, await train(network, variant));
  } finally {
    runtime.dispose();
  }
  return results;
}

/**
 * All that a network in training remembers after a few steps, and its outputs.
 * @param {any} network
 * @param {string} variant
 */
async function train(network, variant) {
  const options = { loss: 'crossEntropy', seed: 3, optimizer: { type: 'sgd', learningRate: 0.05, momentum: 0.9 }, variant };
  const trainer = await Trainer.create(/** @type {any} */ ({ ...network, ...options }));
  const batch = (/** @type {number} */ seed) => {
    const { x, y } = plainBatch(network, 5, seed);
    return { x: new Tensor(/** @type {any} */ (x.type), x.data, x.dims), y: new Tensor(/** @type {any} */ (y.type), y.data, y.dims) };
  };
  for (let i = 0; i < 3; i++) await trainer.step(batch(i));
  const { outputs } = await trainer.evaluate(batch(9));
  const { tensors } = normwasm.readSafetensors(await trainer.save());
  trainer.dispose();
  return [outputs.data, ...Object.values(tensors).map(({ data }) => data)];
}

/**
 * SHA-256 of all bytes. WebAssembly leaves the sign and payload of a NaN to the engine: all count as one.
 * @param {any[]} results
 */
async function digest(results) {
  const parts = results.map((values) => {
    const array = Array.isArray(values) ? Float64Array.from(values) : values;
    if (array instanceof Float32Array) {
      const bits = new Uint32Array(array.buffer, array.byteOffset, array.length).slice();
      array.forEach((v, i) => { if (v !== v) bits[i] = 0x7fc00000; });
      return new Uint8Array(bits.buffer);
    }
    if (array instanceof Float64Array) {
      const bits = new BigUint64Array(array.buffer, array.byteOffset, array.length).slice();
      array.forEach((v, i) => { if (v !== v) bits[i] = 0x7ff8000000000000n; });
      return new Uint8Array(bits.buffer);
    }
    return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  });
  const all = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', all));
  return [...hash.subarray(0, 8)].map((b) => b.toString(16).padStart(2, '0')).join('');
}

const fetched = async (/** @type {string} */ path) => (await fetch(path)).arrayBuffer();

/**
 * The digest of every case in a variant.
 * @param {{ variant: string, networks: Network[] }} what
 */
export async function digests({ variant, networks }, read = fetched) {
  /** @type {Record<string, string>} */
  const found = {};
  for (const [name, results] of await compute(variant, networks, read)) found[name] = await digest(results);
  return found;
}

/**
 * How far a variant's results are from another's, case by case: the largest difference, in units of the largest
 * finite number of its array, or 1. Infinity where one has a NaN or an infinity and the other has not.
 * @param {{ variant: string, than: string, networks: Network[] }} what
 */
export async function distances({ variant, than, networks }, read = fetched) {
  const [got, want] = [await compute(variant, networks, read), await compute(than, networks, read)];
  /** @type {Record<string, number>} */
  const found = {};
  for (const [name, results] of got) {
    found[name] = Math.max(...results.map((values, k) => apart(values, want.get(name)?.[k])));
  }
  return found;
}

/** @param {any} got @param {any} want */
function apart(got, want) {
  let [worst, largest] = [0, 1];
  for (let i = 0; i < want.length; i++) {
    const [g, w] = [Number(got[i]), Number(want[i])];
    if (Object.is(g, w) || g === w) continue;
    if (!Number.isFinite(g) || !Number.isFinite(w)) return Infinity;
    largest = Math.max(largest, Math.abs(w));
    worst = Math.max(worst, Math.abs(g - w));
  }
  return worst / largest;
}
