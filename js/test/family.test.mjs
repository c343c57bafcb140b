// The rest of the family as functions, against float64, in both variants that Node has.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import {
  NormError, ShapeError, Tensor, UnsupportedError, adaptiveLayerNorm, batchNorm, foldBatchNorm, groupNorm, init, instanceNorm, layerNorm, localResponseNorm, lpNorm, meanVarianceNorm, rmsNorm, weightNorm,
} from 'normwasm';
import { batchNormOracle, distance, floats, groupedOracle, indexOf } from './data.mjs';

const tolerance = 3e-6;
const held = [];
const own = (tensor) => {
  held.push(tensor);
  return tensor;
};
afterEach(() => held.splice(0).forEach((tensor) => tensor.dispose()));
const near = (got, want, what, within = tolerance) => assert.ok(distance(got, want) <= within, `${what}: off by ${distance(got, want)}`);

/** Calls with an array and with resident tensors; both have to come out alike. */
function both(f, x, options, shape) {
  const y = f(x, { ...options, shape });
  const resident = Object.fromEntries(Object.entries(options).map(([name, v]) => [name, v instanceof Float32Array ? own(new Tensor('float32', v).toWasm()) : v]));
  const t = own(f(own(new Tensor('float32', x, shape).toWasm()), resident));
  assert.equal(t.location, 'wasm');
  assert.deepEqual([...t.dims], shape);
  assert.deepEqual(t.data.slice(), y);
  const cpu = f(new Tensor('float32', x, shape), options);
  assert.equal(cpu.location, 'cpu');
  assert.deepEqual(cpu.data, y);
  return y;
}

for (const variant of ['simd', 'scalar']) {
  describe(variant, () => {
    let runtime;
    before(async () => {
      runtime = await init({ variant });
    });
    after(() => runtime.dispose());

    test('rmsNorm', () => {
      for (const [rows, cols] of [[1, 1], [3, 5], [64, 768], [5, 1027]]) {
        const x = floats(rows * cols, 1, 3, 1);
        const group = (i) => Math.floor(i / cols);
        near(both(rmsNorm, x, {}, [rows, cols]), groupedOracle(x, group, () => 0, { rms: true }).y, `${rows}×${cols}`);
        const o = { scale: floats(cols, 2), residual: floats(rows * cols, 3), epsilon: 1e-3 };
        for (const activation of [undefined, 'relu', 'relu6', 'silu']) {
          near(both(rmsNorm, x, { ...o, activation }, [rows, cols]), groupedOracle(x, group, (i) => i % cols, { ...o, activation, rms: true }).y, `${rows}×${cols} ${activation}`);
        }
      }
      const x = floats(24, 4);
      const scale = floats(8, 5);
      const c = (i) => i % 4;
      near(rmsNorm(x, { shape: [2, 3, 4], axes: [2, 0], scale }), groupedOracle(x, (i) => Math.floor(i / 4) % 3, (i) => c(i) * 2 + Math.floor(i / 12), { scale, rms: true }).y, 'axes');
    });

    test('sums and statistics come out too', () => {
      const x = floats(60, 6);
      const residual = floats(60, 7);
      const { input, statistics } = groupedOracle(x, (i) => Math.floor(i / 20), () => 0, { residual });
      const sum = new Float32Array(60);
      const mean = new Float32Array(3);
      const invStdDev = own(Tensor.zeros([3, 1], { location: 'wasm' }));
      layerNorm(x, { shape: [3, 20], residual, sum, mean, invStdDev });
      assert.deepEqual([...sum], [...input]);
      near(mean, [...statistics.values()].map((s) => s.mean), 'mean');
      near(invStdDev.data, [...statistics.values()].map((s) => s.rstd), 'invStdDev');
      const square = groupedOracle(x, (i) => Math.floor(i / 20), () => 0, { residual, rms: true });
      sum.fill(0);
      rmsNorm(x, { shape: [3, 20], residual, sum, invStdDev });
      assert.deepEqual([...sum], [...input]);
      near(invStdDev.data, [...square.statistics.values()].map((s) => s.rstd), 'rmsNorm invStdDev');
    });

    for (const layout of ['nchw', 'nhwc']) {
      test(`instanceNorm and groupNorm, ${layout}`, () => {
        for (const [n, channels, ...space] of [[2, 6, 5, 7], [1, 12], [3, 4, 9], [2, 32, 8, 8]]) {
          const shape = layout === 'nchw' ? [n, channels, ...space] : [n, ...space, channels];
          const x = floats(shape.reduce((a, b) => a * b), 8, 2, 30);
          const at = indexOf(shape, layout);
          const o = { scale: floats(channels, 9), bias: floats(channels, 10), epsilon: 1e-3 };
          for (const activation of [undefined, 'silu']) {
            const all = { ...o, activation };
            near(both(instanceNorm, x, { ...all, layout }, shape), groupedOracle(x, (i) => at(i).n * channels + at(i).c, (i) => at(i).c, all).y, `instanceNorm ${shape}`);
            for (const groups of [1, 2, channels]) {
              const share = channels / groups;
              const group = (i) => at(i).n * groups + Math.floor(at(i).c / share);
              near(both(groupNorm, x, { ...all, layout, groups }, shape), groupedOracle(x, group, (i) => at(i).c, all).y, `groupNorm ${shape} by ${groups}`);
            }
          }
        }
      });
    }

    test('statistics of groups', () => {
      const x = floats(2 * 4 * 5, 11, 2, 7);
      const at = indexOf([2, 4, 5], 'nchw');
      const { statistics } = groupedOracle(x, (i) => at(i).n * 2 + Math.floor(at(i).c / 2), () => 0);
      const [mean, invStdDev] = [new Float32Array(4), new Float32Array(4)];
      groupNorm(x, { shape: [2, 4, 5], groups: 2, mean, invStdDev });
      near(mean, [...statistics.values()].map((s) => s.mean), 'mean');
      near(invStdDev, [...statistics.values()].map((s) => s.rstd), 'invStdDev');
    });

    test('meanVarianceNorm', () => {
      const shape = [2, 3, 4, 5];
      const x = floats(120, 12);
      const at = indexOf(shape, 'nchw');
      near(both(meanVarianceNorm, x, {}, shape), groupedOracle(x, (i) => at(i).c, () => 0, { epsilon: 0 }).y, 'all but the channels');
      near(both(meanVarianceNorm, x, { axes: [-1], epsilon: 0.1 }, shape), groupedOracle(x, (i) => Math.floor(i / 5), () => 0, { epsilon: 0.1 }).y, 'the last');
      near(meanVarianceNorm(x), groupedOracle(x, () => 0, () => 0, { epsilon: 0 }).y, 'one dimension');
      assert.deepEqual(meanVarianceNorm(new Float32Array(6).fill(3)), new Float32Array(6));
      // Where deviations are as small as what is added, it shows where that is added.
      for (const scale of [1, 1e-8, 1e-9, 1e-10, 1e-20]) {
        const row = Float32Array.from([1, 2, 4, 9], (v) => v * scale);
        const mean = row.reduce((a, b) => a + b, 0) / 4;
        const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / 4;
        const want = (divisor) => Float64Array.from(row, (v) => (v - mean) / divisor);
        near(meanVarianceNorm(row, { axes: [0] }), want(Math.sqrt(variance) + 1e-9), `${scale}: beside the root`);
        near(meanVarianceNorm(row, { axes: [0], epsilon: undefined }), want(Math.sqrt(variance) + 1e-9), `${scale}: left out`);
        for (const epsilon of [1e-9, 1e-18]) near(meanVarianceNorm(row, { axes: [0], epsilon }), want(Math.sqrt(variance + epsilon)), `${scale}: ${epsilon} in the root`);
      }
      for (const epsilon of [-1, NaN, Infinity]) assert.throws(() => meanVarianceNorm(x, { shape, epsilon }), { name: 'NormError', message: /epsilon is/ });
    });

    test('lpNorm', () => {
      const [a, b, c] = [3, 7, 5];
      const x = floats(a * b * c, 13);
      x.fill(0, 0, c); // a vector of zeros along the last axis
      for (const [axis, group] of [[-1, (i) => Math.floor(i / c)], [1, (i) => Math.floor(i / (b * c)) * c + (i % c)], [0, (i) => i % (b * c)]]) {
        for (const p of [1, 2]) {
          for (const epsilon of [0, 2]) {
            const lengths = new Map();
            x.forEach((v, i) => lengths.set(group(i), (lengths.get(group(i)) ?? 0) + Math.abs(v) ** p));
            const want = Float64Array.from(x, (v, i) => v / Math.max(lengths.get(group(i)) ** (1 / p), epsilon) || 0);
            near(both(lpNorm, x, { axis, p, epsilon }, [a, b, c]), want, `axis ${axis}, p ${p}, epsilon ${epsilon}`);
          }
        }
      }
      near(lpNorm(Float32Array.of(3, 4)), [0.6, 0.8], 'defaults');
    });

    test('localResponseNorm', () => {
      for (const [shape, o] of [[[2, 7, 3, 4], { size: 5 }], [[1, 6], { size: 2, alpha: 0.3, beta: 0.5, bias: 2 }], [[2, 5, 9], { size: 9, alpha: 1, beta: 0.3, bias: 0.5 }]]) {
        const x = floats(shape.reduce((p, q) => p * q), 14, 5);
        const { size, alpha = 1e-4, beta = 0.75, bias = 1 } = o;
        const channels = shape[1];
        const inner = x.length / shape[0] / channels;
        const want = Float64Array.from(x, (v, i) => {
          const ch = Math.floor(i / inner) % channels;
          let sum = 0;
          for (let k = Math.max(0, ch - Math.floor((size - 1) / 2)); k <= Math.min(channels - 1, ch + Math.floor(size / 2)); k++) sum += x[i + (k - ch) * inner] ** 2;
          return v / (bias + (alpha / size) * sum) ** beta;
        });
        near(both(localResponseNorm, x, o, shape), want, `${shape}`);
      }
    });

    test('adaptiveLayerNorm', () => {
      for (const shape of [[2, 5], [3, 7, 5], [2, 2, 3, 33], [1, 4, 1027], [2, 3, 1]]) {
        const [n, cols] = [shape[0], shape.at(-1)];
        const x = floats(shape.reduce((a, b) => a * b), 60, 3, 1);
        const rows = x.length / cols;
        const [scale, shift] = [floats(n * cols, 61), floats(n * cols, 62)];
        const parameter = (i) => Math.floor(i / (x.length / n)) * cols + (i % cols);
        for (const given of [{}, { scale }, { shift }, { scale, shift, epsilon: 0.1 }]) {
          const { y, statistics } = groupedOracle(x, (i) => Math.floor(i / cols), parameter, { epsilon: given.epsilon, scale: given.scale && Float64Array.from(scale, (v) => 1 + v), bias: given.shift });
          const [mean, invStdDev] = [new Float32Array(rows), new Float32Array(rows)];
          near(both(adaptiveLayerNorm, x, given, shape), y, `${shape} ${Object.keys(given)}`);
          near(adaptiveLayerNorm(x, { ...given, shape, mean, invStdDev }), y, 'with statistics');
          near(mean, [...statistics.values()].map((s) => s.mean), 'mean');
          near(invStdDev, [...statistics.values()].map((s) => s.rstd), 'invStdDev');
          const out = x.slice();
          assert.equal(adaptiveLayerNorm(out, { ...given, shape, out }), out);
          near(out, y, 'in place');
        }
      }
    });

    test('weightNorm', () => {
      for (const shape of [[4, 6], [3, 2, 3, 3], [5], [1, 1027]]) {
        const v = floats(shape.reduce((a, b) => a * b), 63, 3);
        const cols = v.length / shape[0];
        const g = floats(shape[0], 64);
        if (shape[0] > 1) v.fill(0, cols, 2 * cols); // a row without a direction
        const length = Float64Array.from(g, (_, r) => Math.sqrt(v.slice(r * cols, (r + 1) * cols).reduce((sum, e) => sum + e ** 2, 0)));
        const want = Float64Array.from(v, (e, i) => e && (g[Math.floor(i / cols)] * e) / length[Math.floor(i / cols)]);
        near(both(weightNorm, v, { g }, shape), want, `${shape}`);
        assert.equal(weightNorm(v, { shape, g, out: v }), v);
        near(v, want, 'in place');
      }
      near(weightNorm(Float32Array.of(3e-42, 4e-42), { shape: [1, 2], g: Float32Array.of(5) }), [3, 4], 'denormal', 1e-3);
      near(weightNorm(Float32Array.of(3e38, -3e38), { shape: [1, 2], g: Float32Array.of(2) }), [Math.SQRT2, -Math.SQRT2], 'squares overflow');
    });

    test('foldBatchNorm: the folded layer gives what both gave', () => {
      const [outputs, inputs] = [4, 6];
      const weight = floats(outputs * inputs, 15);
      const o = { bias: floats(outputs, 16), mean: floats(outputs, 17), variance: floats(outputs, 18).map((v) => v * v + 0.1), scale: floats(outputs, 19), shift: floats(outputs, 20) };
      const linear = (w, b, x) => Float32Array.from({ length: outputs }, (_, r) => x.reduce((sum, v, i) => sum + v * w[r * inputs + i], b ? b[r] : 0));
      for (const [name, left] of [['all', {}], ['no bias', { bias: undefined }], ['statistics only', { bias: undefined, scale: undefined, shift: undefined }]]) {
        const given = { ...o, ...left };
        const folded = foldBatchNorm({ weight, weightShape: [outputs, inputs], ...given });
        for (const seed of [21, 22]) {
          const x = floats(inputs, seed);
          const y = linear(weight, given.bias, x);
          const want = batchNormOracle(y, outputs, 1, { mean: given.mean, variance: given.variance, scale: given.scale, bias: given.shift });
          near(linear(folded.weight, folded.bias, x), want, name);
          near(batchNorm(y, { axis: 0, ...given, bias: given.shift, shift: undefined }), want, name);
        }
      }
      assert.deepEqual(weight, floats(outputs * inputs, 15), 'what was given is as it was');
      const none = foldBatchNorm({ weight: new Float32Array(0), weightShape: [0, 3, 3, 3], mean: new Float32Array(0), variance: new Float32Array(0) });
      assert.deepEqual([none.weight.length, none.bias.length], [0, 0]);
    });

    test('hard data', () => {
      const far = Float32Array.from({ length: 512 }, (_, i) => 1e7 + ((i * 37) % 101) - 50);
      const at = (i) => Math.floor(i / 256);
      near(instanceNorm(far, { shape: [1, 2, 256] }), groupedOracle(far, at, () => 0).y, '1e7 ± 50');
      near(groupNorm(new Float32Array(64).fill(1234.1), { shape: [1, 4, 16], groups: 2, bias: Float32Array.of(1, 2, 3, 4) }).filter((_, i) => i % 16 === 0), [1, 2, 3, 4], 'constant');
      near(rmsNorm(Float32Array.of(3e38, -3e38)), [1, -1], 'squares overflow');
      near(lpNorm(Float32Array.of(3e-42, 4e-42)), [0.6, 0.8].map((v, i) => Math.fround([3e-42, 4e-42][i]) / Math.hypot(Math.fround(3e-42), Math.fround(4e-42))), 'denormal');
      const spoilt = instanceNorm(Float32Array.of(1, 2, NaN, 4, 5, 7), { shape: [1, 2, 3] });
      assert.deepEqual([...spoilt].map(Number.isNaN), [true, true, true, false, false, false]);
    });

    test('zero elements are legal', () => {
      const none = new Float32Array(0);
      for (const [f, shape, o] of [
        [rmsNorm, [0, 4], {}], [instanceNorm, [0, 2, 3], {}], [instanceNorm, [2, 3, 0], {}], [groupNorm, [2, 0, 3], { groups: 1 }],
        [meanVarianceNorm, [0, 3], {}], [lpNorm, [3, 0], {}], [localResponseNorm, [0, 2], { size: 1 }],
        [adaptiveLayerNorm, [0, 3, 4], { scale: none }], [adaptiveLayerNorm, [2, 0, 4], { shift: floats(8, 1) }], [adaptiveLayerNorm, [2, 3, 0], {}], [weightNorm, [0, 3], { g: none }], [weightNorm, [2, 0], { g: floats(2, 1) }],
      ]) assert.equal(f(none, { shape, ...o }).length, 0, `${f.name} ${shape}`);
    });

    const x = new Float32Array(8);
    const two = new Float32Array(2);
    const fold = (o) => foldBatchNorm({ weight: x, weightShape: [2, 4], mean: two, variance: two.map(() => 1), ...o });
    for (const [name, f, Class, message] of [
      ['rmsNorm scale', () => rmsNorm(x, { shape: [2, 4], scale: two }), ShapeError, /scale has 2 elements, want 4/],
      ['rmsNorm sum without residual', () => rmsNorm(x, { sum: x }), ShapeError, /a sum but no residual/],
      ['rmsNorm epsilon', () => rmsNorm(x, { epsilon: -1 }), NormError, /epsilon is -1/],
      ['rmsNorm activation', () => rmsNorm(x, { activation: 'gelu' }), NormError, /activation is "gelu", want 'relu' or 'relu6' or 'silu'/],
      ['rmsNorm options', () => rmsNorm(x, 5), NormError, /options is a number/],
      ['instanceNorm rank', () => instanceNorm(x), ShapeError, /rank 1, want at least 2/],
      ['instanceNorm bias', () => instanceNorm(x, { shape: [2, 4], bias: two }), ShapeError, /bias has 2 elements, want 4/],
      ['instanceNorm layout', () => instanceNorm(x, { shape: [2, 4], layout: 'chw' }), NormError, /layout is "chw"/],
      ['groupNorm without options', () => groupNorm(x), NormError, /groups is needed/],
      ['groupNorm without groups', () => groupNorm(x, {}), NormError, /groups is missing/],
      ['groupNorm groups', () => groupNorm(x, { shape: [2, 4], groups: 3 }), ShapeError, /groups is 3, want a divisor of the 4 channels/],
      ['groupNorm no groups', () => groupNorm(x, { shape: [2, 4], groups: 0 }), ShapeError, /groups is 0/],
      ['groupNorm broken groups', () => groupNorm(x, { shape: [2, 4], groups: 1.5 }), ShapeError, /groups is 1\.5/],
      ['groupNorm mean', () => groupNorm(x, { shape: [2, 4], groups: 2, mean: two }), ShapeError, /mean has 2 elements, want 4/],
      ['groupNorm integer tensor', () => groupNorm(new Tensor('int32', [1, 2], [1, 2]), { groups: 1 }), UnsupportedError, /want float32/],
      ['localResponseNorm without options', () => localResponseNorm(x), NormError, /size is needed/],
      ['localResponseNorm size', () => localResponseNorm(x, { shape: [2, 4], size: 0 }), NormError, /size is 0, want at least 1/],
      ['localResponseNorm rank', () => localResponseNorm(x, { size: 3 }), ShapeError, /rank 1/],
      ['localResponseNorm alpha', () => localResponseNorm(x, { shape: [2, 4], size: 1, alpha: '1' }), NormError, /alpha is a string/],
      ['localResponseNorm beta', () => localResponseNorm(x, { shape: [2, 4], size: 1, beta: NaN }), NormError, /beta is NaN/],
      ['lpNorm p', () => lpNorm(x, { p: 3 }), NormError, /p is 3, want 1 or 2/],
      ['lpNorm axis', () => lpNorm(x, { axis: 1 }), ShapeError, /axis 1 is out of range for x \[8\]/],
      ['lpNorm epsilon', () => lpNorm(x, { epsilon: Infinity }), NormError, /epsilon is \+Inf/],
      ['meanVarianceNorm axes', () => meanVarianceNorm(x, { axes: [0, -1] }), ShapeError, /twice/],
      ['adaptiveLayerNorm rank', () => adaptiveLayerNorm(x), ShapeError, /rank 1, want at least 2/],
      ['adaptiveLayerNorm scale', () => adaptiveLayerNorm(x, { shape: [2, 1, 4], scale: two }), ShapeError, /scale has 2 elements, want 8 \(the features of each example of x \[2 1 4\]\)/],
      ['adaptiveLayerNorm shift', () => adaptiveLayerNorm(x, { shape: [1, 2, 4], shift: x }), ShapeError, /shift has 8 elements, want 4/],
      ['adaptiveLayerNorm mean', () => adaptiveLayerNorm(x, { shape: [1, 2, 4], mean: x }), ShapeError, /mean has 8 elements, want 2/],
      ['adaptiveLayerNorm shape', () => adaptiveLayerNorm(x, { shape: [2, 5] }), ShapeError, /x has 8 elements, want 10/],
      ['adaptiveLayerNorm epsilon', () => adaptiveLayerNorm(x, { shape: [2, 4], epsilon: NaN }), NormError, /epsilon is NaN/],
      ['adaptiveLayerNorm options', () => adaptiveLayerNorm(x, null), NormError, /options is null/],
      ['adaptiveLayerNorm class', () => adaptiveLayerNorm(x, { shape: [2, 4], scale: [1, 2] }), NormError, /scale is a plain array/],
      ['weightNorm without options', () => weightNorm(x), NormError, /g is needed/],
      ['weightNorm without g', () => weightNorm(x, { shape: [2, 4] }), NormError, /g is missing/],
      ['weightNorm g', () => weightNorm(x, { shape: [4, 2], g: two }), ShapeError, /g has 2 elements, want 4 \(one for each row\)/],
      ['weightNorm v', () => weightNorm(x, { shape: [2, 5], g: two }), ShapeError, /v has 8 elements, want 10 \(2 rows of 5\)/],
      ['weightNorm class', () => weightNorm([1, 2], { g: two }), NormError, /v is a plain array/],
      ['weightNorm out', () => weightNorm(x, { shape: [2, 4], g: two, out: two }), ShapeError, /out has 2 elements, want 8/],
      ['weightNorm no shape', () => weightNorm(x, { shape: [], g: two }), ShapeError, /shape is \[\]/],
      ['foldBatchNorm without options', () => foldBatchNorm(), NormError, /options are missing/],
      ['foldBatchNorm without mean', () => fold({ mean: undefined }), NormError, /mean is missing/],
      ['foldBatchNorm weight', () => fold({ weightShape: [2, 5] }), ShapeError, /weight has 8 elements, want 10/],
      ['foldBatchNorm huge shape', () => fold({ weightShape: [2 ** 31 - 1, 0] }), ShapeError, /weight has 8 elements, want 0/],
      ['foldBatchNorm no shape', () => fold({ weightShape: [] }), ShapeError, /shape is \[\]/],
      ['foldBatchNorm mean', () => fold({ mean: x }), ShapeError, /mean has 8 elements, want 2/],
      ['foldBatchNorm bias', () => fold({ bias: x }), ShapeError, /: bias has 8 elements, want 2/],
      ['foldBatchNorm shift', () => fold({ shift: x }), ShapeError, /shift has 8 elements, want 2/],
      ['foldBatchNorm scale', () => fold({ scale: x }), ShapeError, /scale has 8 elements, want 2/],
    ]) {
      test(`mistake: ${name}`, () => {
        let error;
        try {
          f();
        } catch (e) {
          error = e;
        }
        assert.equal(error?.constructor, Class, String(error));
        assert.match(error.message, message);
      });
    }

    test('results that meet operands in memory', () => {
      const row = own(Tensor.zeros([1, 4], { location: 'wasm' }));
      const same = own(row.reshape([4]));
      assert.throws(() => rmsNorm(new Float32Array(4), { scale: same, out: row }), { name: 'NormError', message: /out and scale are the same memory/ });
      assert.throws(() => layerNorm(row, { residual: new Float32Array(4), sum: same, out: row }), { name: 'NormError', message: /out and sum are the same memory/ });
      assert.equal(instanceNorm(row, { out: row }), row);
      assert.throws(() => adaptiveLayerNorm(new Float32Array(4), { shape: [1, 4], scale: same, out: row }), { name: 'NormError', message: /out and scale are the same memory/ });
      const [mean, other] = [own(Tensor.zeros([1], { location: 'wasm' })), new Float32Array(1)];
      assert.throws(() => adaptiveLayerNorm(row, { mean, invStdDev: mean }), { name: 'NormError', message: /mean and invStdDev are the same memory/ });
      assert.throws(() => adaptiveLayerNorm(row, { mean: other, invStdDev: other }), { name: 'NormError', message: /invStdDev and mean are the same memory/ });
      assert.throws(() => weightNorm(new Float32Array(4), { g: same, out: row }), { name: 'NormError', message: /out and g are the same memory/ });
    });
  });
}
