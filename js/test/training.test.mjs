// The layers: forward against float64, gradients against central differences of the
// float64 formula, running statistics, workers, and what they refuse.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import {
  BatchNorm, DisposedError, GroupNorm, InstanceNorm, LayerNorm, NormError, RMSNorm, ShapeError, Tensor, batchNorm, groupNorm, init, instanceNorm, layerNorm, rmsNorm,
} from '../src/index.js';
import { live } from '../src/runtime.js';
import { detached, distance, floats, groupedOracle, indexOf } from './data.mjs';

const held = [];
const own = (thing) => {
  held.push(thing);
  return thing;
};
afterEach(() => held.splice(0).forEach((thing) => thing.dispose()));
const bits = (array) => new Uint32Array(array.buffer, array.byteOffset, array.length);
const near = (got, want, what, tolerance = 3e-6) => assert.ok(distance(got, want) <= tolerance, `${what}: off by ${distance(got, want)}`);
const resident = (array, shape) => own(new Tensor('float32', array, shape).toWasm());

/** Central differences of Σ dy·f(at) for each element of at. */
function differences(f, at, dy) {
  return Float64Array.from(at, (v, i) => {
    const h = 1e-4;
    const loss = (to) => {
      const moved = Float64Array.from(at);
      moved[i] = to;
      return f(moved).reduce((sum, y, k) => sum + y * dy[k], 0);
    };
    return (loss(v + h) - loss(v - h)) / (2 * h);
  });
}

/** What groups share statistics and parameters in each of the tests' shapes. */
const cases = [
  { name: 'LayerNorm', make: () => new LayerNorm({ normalizedShape: [4, 3], epsilon: 1e-3 }), plain: () => new LayerNorm({ normalizedShape: [4, 3], epsilon: 1e-3, affine: false }),
    shape: [5, 4, 3], group: (i) => Math.floor(i / 12), parameter: (i) => i % 12, parameters: 12, call: (x, o) => layerNorm(x, { ...o, axes: [1, 2] }) },
  { name: 'RMSNorm', make: () => new RMSNorm({ normalizedShape: [7], epsilon: 1e-3 }),
    shape: [6, 7], group: (i) => Math.floor(i / 7), parameter: (i) => i % 7, parameters: 7, rms: true, call: rmsNorm },
];
for (const layout of ['nchw', 'nhwc']) {
  const shape = layout === 'nchw' ? [3, 4, 2, 3] : [3, 2, 3, 4];
  const at = indexOf(shape, layout);
  const common = { shape, parameter: (i) => at(i).c, parameters: 4 };
  const o = { features: 4, epsilon: 1e-3, layout };
  cases.push(
    { ...common, name: `GroupNorm ${layout}`, make: () => new GroupNorm({ ...o, groups: 2 }), plain: () => new GroupNorm({ ...o, groups: 2, affine: false }),
      group: (i) => at(i).n * 2 + Math.floor(at(i).c / 2), call: (x, p) => groupNorm(x, { ...p, groups: 2, layout }) },
    { ...common, name: `InstanceNorm ${layout}`, make: () => new InstanceNorm(o), plain: () => new InstanceNorm({ ...o, affine: false }),
      group: (i) => at(i).n * 4 + at(i).c, call: (x, p) => instanceNorm(x, { ...p, layout }) },
    { ...common, name: `InstanceNorm with running statistics ${layout}`, make: () => new InstanceNorm({ ...o, trackRunningStats: true }),
      plain: () => new InstanceNorm({ ...o, trackRunningStats: true, affine: false }), group: (i) => at(i).n * 4 + at(i).c },
    { ...common, name: `BatchNorm ${layout}`, make: () => new BatchNorm(o), plain: () => new BatchNorm({ ...o, affine: false }), group: (i) => at(i).c },
  );
}
/** Bits by what they are of, from the first variant. */
const seen = {};

for (const variant of ['simd', 'scalar']) {
  describe(variant, () => {
    let runtime;
    before(async () => {
      runtime = await init({ variant });
    });
    after(() => runtime.dispose());

    for (const c of cases) {
      const size = c.shape.reduce((a, b) => a * b);
      const x = floats(size, 1, 2, 1);
      const dy = floats(size, 2);
      const scale = floats(c.parameters, 3);
      const bias = floats(c.parameters, 4);
      const f = (input, s, b) => groupedOracle(input, c.group, c.parameter, { scale: s, bias: c.rms ? undefined : b, epsilon: 1e-3, rms: c.rms }).y;
      const fill = (layer) => {
        layer.scale.set(scale);
        layer.bias?.set(bias);
        return own(layer);
      };

      test(`${c.name}: forward and backward`, () => {
        const layer = fill(c.make());
        const y = layer.forward(x, { shape: c.shape });
        near(y, f(x, scale, bias), 'y');
        if (c.call) assert.deepEqual(bits(y), bits(c.call(x, { shape: c.shape, scale, ...(c.rms ? {} : { bias }), epsilon: 1e-3 })), 'as the function');
        const { dx, dscale, dbias } = layer.backward(dy);
        near(dx, differences((v) => f(v, scale, bias), x, dy), 'dx', 1e-5);
        near(dscale, differences((v) => f(x, v, bias), scale, dy), 'dscale', 1e-5);
        if (c.rms) assert.equal(dbias, undefined);
        else near(dbias, differences((v) => f(x, scale, v), bias, dy), 'dbias', 1e-5);

        // Resident operands: the same bits, the same kind.
        const other = fill(c.make());
        const t = own(other.forward(resident(x, c.shape)));
        assert.deepEqual([t.location, t.dims], ['wasm', c.shape]);
        assert.deepEqual(bits(t.data), bits(y));
        const back = other.backward(resident(dy, c.shape));
        own(back.dx);
        assert.deepEqual([back.dx.location, back.dx.dims], ['wasm', c.shape]);
        assert.deepEqual(bits(back.dx.data), bits(dx));
        assert.deepEqual(bits(back.dscale), bits(dscale));
        if (!c.rms) assert.deepEqual(bits(back.dbias), bits(dbias));
        // x on one side, dy on the other; and into arrays of the caller's.
        const into = new Float32Array(size);
        assert.equal(other.backward(dy, { out: into }).dx, into);
        assert.deepEqual(bits(into), bits(dx));

        const all = [y, dx, dscale].map(bits);
        if (seen[c.name]) assert.deepEqual(all, seen[c.name], 'scalar and simd');
        seen[c.name] = all;
      });

      test(`${c.name}: layers do not see each other, nor earlier passes`, () => {
        const [one, two] = [fill(c.make()), fill(c.make())];
        const other = floats(2 * size, 5, 3);
        one.forward(other, { shape: [2 * c.shape[0], ...c.shape.slice(1)] });
        one.forward(x, { shape: c.shape });
        two.forward(other.subarray(0, size), { shape: c.shape });
        const { dx } = one.backward(dy);
        const alone = fill(c.make());
        alone.forward(x, { shape: c.shape });
        assert.deepEqual(bits(dx), bits(alone.backward(dy).dx));
        assert.notDeepEqual(bits(dx), bits(two.backward(dy).dx));
      });

      if (c.plain) {
        test(`${c.name}: without scale and bias`, () => {
          const layer = own(c.plain());
          near(layer.forward(x, { shape: c.shape }), f(x), 'y');
          const { dx, dscale, dbias } = layer.backward(dy);
          near(dx, differences((v) => f(v), x, dy), 'dx', 1e-5);
          assert.deepEqual([dscale.length, dbias.length, layer.scale.length], [0, 0, 0]);
        });
      }

      test(`${c.name}: mistakes change nothing`, () => {
        const layer = fill(c.make());
        assert.throws(() => layer.backward(dy), { name: 'NormError', message: /there was no forward/ });
        layer.forward(x, { shape: c.shape });
        const want = layer.backward(dy).dx;
        assert.throws(() => layer.forward(x, { shape: [...c.shape.slice(0, -1), 99] }), ShapeError);
        assert.throws(() => layer.forward(x.subarray(1), { shape: c.shape }), ShapeError);
        assert.throws(() => layer.forward([1, 2, 3]), NormError);
        assert.throws(() => layer.forward(x, 7), NormError);
        assert.throws(() => layer.backward(dy.subarray(1)), { name: 'ShapeError', message: new RegExp(`dy has ${size - 1} elements, want ${size}`) });
        assert.throws(() => layer.backward(resident(dy, [size])), { name: 'ShapeError', message: /dy is \[\d+\], want \[/ });
        assert.throws(() => layer.backward(undefined), NormError);
        assert.throws(() => layer.backward(new Float64Array(size).fill(0.1)), /dy\[0\] is 0.1, which float32 does not have exactly/);
        const right = layer.scale;
        layer.scale = new Float32Array(1);
        assert.throws(() => layer.forward(x, { shape: c.shape }), { name: 'ShapeError', message: new RegExp(`scale has 1 elements, want ${c.parameters}`) });
        assert.throws(() => layer.backward(dy), { name: 'ShapeError', message: /scale has 1 elements/ });
        for (const parameter of c.rms ? ['scale'] : ['scale', 'bias']) {
          const kept = layer[parameter];
          for (const [wrong, message] of [[detached(c.parameters), /is detached/], [undefined, /is undefined, want a Float32Array/], [[...kept], /is a plain array/]]) {
            layer[parameter] = wrong;
            if (parameter === 'bias') layer.scale = right;
            const error = { name: 'NormError', message: new RegExp(`^${layer.constructor.name}\\.\\w+: ${parameter} ${message.source}`) };
            assert.throws(() => layer.forward(x, { shape: c.shape }), error);
            if (parameter === 'scale') assert.throws(() => layer.backward(dy), error);
          }
          layer[parameter] = kept;
        }
        layer.scale = right;
        assert.deepEqual(bits(layer.backward(dy).dx), bits(want));

        const gone = new Tensor('float32', x, c.shape).toWasm();
        own(layer.forward(gone));
        gone.dispose();
        assert.throws(() => layer.backward(dy), { name: 'DisposedError', message: /x: the tensor/ });

        const over = resident(x, c.shape);
        assert.equal(layer.forward(over, { out: over }), over);
        assert.throws(() => layer.backward(dy), { name: 'NormError', message: /wrote its result over x/ });
        const kept = x.slice();
        layer.forward(kept, { shape: c.shape });
        assert.equal(layer.backward(dy, { out: kept }).dx, kept);
        assert.deepEqual(bits(kept), bits(want));
        assert.throws(() => layer.backward(dy), { name: 'NormError', message: /wrote its result over x/ });

        layer.dispose();
        layer.dispose();
        assert.throws(() => layer.forward(x, { shape: c.shape }), { name: 'DisposedError', message: /the layer was disposed/ });
        assert.throws(() => layer.backward(dy), DisposedError);
      });

      test(`${c.name}: no examples`, () => {
        const layer = fill(c.make());
        const shape = [0, ...c.shape.slice(1)];
        assert.equal(layer.forward(new Float32Array(0), { shape }).length, 0);
        const { dx, dscale } = layer.backward(new Float32Array(0));
        assert.deepEqual([dx.length, ...dscale], [0, ...new Array(c.parameters).fill(0)]);
        if (layer.runningMean) assert.deepEqual([[...layer.runningMean], layer.batches ?? 0], [[0, 0, 0, 0], 0]);
      });
    }

    test('rows without a shape', () => {
      const layer = own(new LayerNorm({ normalizedShape: [4] }));
      const x = floats(12, 6);
      assert.deepEqual(layer.forward(x), layerNorm(x, { shape: [3, 4] }));
      assert.throws(() => layer.forward(floats(10, 6)), { name: 'ShapeError', message: /x is \[10\], want its last dimensions to be \[4\]/ });
    });

    describe('BatchNorm', () => {
      const shape = [6, 3, 4];
      const batches = [1, 2, 3].map((seed) => floats(72, seed, 3, seed));
      const channel = (i) => Math.floor(i / 4) % 3;
      /** Mean and biased variance of each channel. */
      const moments = (x) => [0, 1, 2].map((c) => {
        const values = [...x].filter((_, i) => channel(i) === c);
        const mean = values.reduce((a, b) => a + b) / values.length;
        return { mean, variance: values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length };
      });

      for (const [preset, o, keep, correct, epsilon] of [
        ['pytorch', {}, 0.9, 24 / 23, 1e-5], ['onnx', {}, 0.9, 1, 1e-5], ['keras', {}, 0.99, 1, 1e-3],
        ['pytorch', { momentum: 0.3 }, 0.7, 24 / 23, 1e-5], ['onnx', { momentum: 0.3, epsilon: 0.1 }, 0.3, 1, 0.1], ['pytorch', { momentum: null }, undefined, 24 / 23, 1e-5],
      ]) {
        test(`running statistics of ${preset} ${JSON.stringify(o)}`, () => {
          const bn = own(new BatchNorm({ features: 3, preset, ...o }));
          const [mean, variance] = [[0, 0, 0], [1, 1, 1]];
          batches.forEach((x, n) => {
            const y = bn.forward(x, { shape });
            near(y, groupedOracle(x, channel, () => 0, { epsilon }).y, 'normalized with the biased variance');
            const k = keep ?? n / (n + 1);
            moments(x).forEach((m, c) => {
              mean[c] = k * mean[c] + (1 - k) * m.mean;
              variance[c] = k * variance[c] + (1 - k) * m.variance * correct;
            });
            near(bn.runningMean, mean, 'running mean');
            near(bn.runningVar, variance, 'running variance');
            assert.equal(bn.batches, n + 1);
          });
          const x = batches[0];
          const before = bn.stateDict();
          const y = bn.forward(x, { shape, training: false });
          near(y, batchNorm(x, { shape, mean: bn.runningMean, variance: bn.runningVar, epsilon }), 'inference');
          assert.deepEqual(bn.stateDict(), before, 'which learns nothing');
          // Frozen statistics are constants.
          bn.scale.set([2, 3, 4]);
          bn.forward(x, { shape, training: false });
          const dy = floats(72, 9);
          const { dx, dscale, dbias } = bn.backward(dy);
          const rstd = [...bn.runningVar].map((v) => 1 / Math.sqrt(v + epsilon));
          near(dx, Float64Array.from(dy, (v, i) => v * bn.scale[channel(i)] * rstd[channel(i)]), 'dx', 1e-5);
          const sum = (g) => [0, 1, 2].map((c) => dy.reduce((s, v, i) => s + (channel(i) === c ? g(v, i) : 0), 0));
          near(dscale, sum((v, i) => v * (x[i] - bn.runningMean[channel(i)]) * rstd[channel(i)]), 'dscale', 1e-5);
          near(dbias, sum((v) => v), 'dbias', 1e-5);
        });
      }

      test('useBatchStats and updateStats are separate', () => {
        const x = batches[1];
        const make = () => own(new BatchNorm({ features: 3 }));
        const [a, b, c] = [make(), make(), make()];
        const learnt = make();
        const batch = learnt.forward(x, { shape });
        assert.deepEqual(a.forward(x, { shape, updateStats: false }), batch);
        assert.deepEqual(a.stateDict(), make().stateDict());
        assert.deepEqual(b.forward(x, { shape, training: false, useBatchStats: true }), batch);
        assert.deepEqual(b.stateDict(), make().stateDict());
        const frozen = c.forward(x, { shape, useBatchStats: false });
        near(frozen, Float64Array.from(x, (v) => v / Math.sqrt(1 + 1e-5)), 'the statistics that it started from');
        assert.deepEqual(c.stateDict(), learnt.stateDict());
        assert.deepEqual(make().forward(x, { shape, training: false, updateStats: true, useBatchStats: true }), batch);
      });

      test('one value per channel', () => {
        const x = Float32Array.of(1, 2, 3);
        const bn = own(new BatchNorm({ features: 3 }));
        const before = bn.stateDict();
        assert.throws(() => bn.forward(x, { shape: [1, 3] }), { name: 'NormError', message: /one value per channel/ });
        assert.deepEqual(bn.stateDict(), before);
        assert.throws(() => bn.backward(x), /there was no forward/);
        near(bn.forward(x, { shape: [1, 3], training: false }), [1, 2, 3], 'inference', 1e-5);
        for (const preset of ['onnx', 'keras']) {
          const other = own(new BatchNorm({ features: 3, preset }));
          other.bias.set([4, 5, 6]);
          assert.deepEqual([...other.forward(x, { shape: [1, 3] })], [4, 5, 6]);
        }
      });

      test('errors leave the state as it was', () => {
        const bn = own(new BatchNorm({ features: 3 }));
        bn.forward(batches[0], { shape });
        const before = bn.stateDict();
        const out = resident(new Float32Array(71), [71]);
        for (const f of [
          () => bn.forward(batches[0], { shape: [6, 4, 3] }), () => bn.forward(batches[0]), () => bn.forward(batches[0], { shape, out: new Float32Array(71) }),
          () => bn.forward(batches[0], { shape, out }), () => bn.forward(batches[0], { shape, training: 'yes' }), () => bn.forward(batches[0], { shape, moments: { count: 3 } }),
          () => bn.forward(batches[0], { shape, moments: { count: 0, mean: new Float32Array(3), variance: new Float32Array(3) } }),
          () => bn.setStatistics({ count: 0, mean: new Float32Array(3), variance: new Float32Array(3) }),
          () => bn.setStatistics({ count: 2, mean: new Float32Array(3), variance: Float32Array.of(1, 1, -1) }),
          () => bn.setStatistics({ count: 2, mean: new Float32Array(2), variance: new Float32Array(3) }),
          () => bn.loadStateDict({ ...before, scale: new Float32Array(2) }), () => bn.loadStateDict({ ...before, weight: before.scale }),
          () => bn.loadStateDict({ scale: before.scale }), () => bn.loadStateDict({ ...before, batches: [-1] }), () => bn.loadStateDict(), () => bn.loadStateDict({ ...before, bias: [1, 2, 3] }),
        ]) {
          assert.throws(f, (error) => error instanceof NormError && error.message.startsWith('BatchNorm') || error.message.startsWith('norm: BatchNorm') || error.message.startsWith('norm: MergeMoments'), String(f));
          assert.deepEqual(bn.stateDict(), before, String(f));
        }
        // A stored variance may be below 0 by a rounding; where ε does not make up for it that channel is NaN, and no other.
        bn.loadStateDict({ ...bn.stateDict(), runningVar: Float32Array.of(1, -9e-6, -1) });
        const y = bn.forward(batches[0], { shape, training: false });
        y.forEach((v, i) => {
          const c = Math.floor(i / (y.length / shape[0] / 3)) % 3;
          const want = (batches[0][i] - bn.runningMean[c]) / Math.sqrt([1, Math.fround(-9e-6), -1][c] + 1e-5) * bn.scale[c] + bn.bias[c];
          if (c === 2) assert.ok(Number.isNaN(v) && Number.isNaN(want));
          else assert.ok(Math.abs(v - want) <= 1e-4 * Math.max(1, Math.abs(want)), `${i}: ${v}, want ${want}`);
        });
        bn.runningVar = new Float32Array(2);
        assert.throws(() => bn.forward(batches[0], { shape }), { name: 'ShapeError', message: /runningVar has 2 elements, want 3/ });
        bn.runningVar = [1, 1, 1];
        assert.throws(() => bn.forward(batches[0], { shape }), { name: 'NormError', message: /runningVar is a plain array/ });
        assert.deepEqual(bn.runningMean, before.runningMean);
      });

      test('arrays that are gone, or no arrays', () => {
        const bn = own(new BatchNorm({ features: 3 }));
        const y = bn.forward(batches[0], { shape });
        const before = bn.stateDict();
        const good = { count: 2, mean: new Float32Array(3), variance: new Float32Array(3) };
        const dx = bn.backward(y).dx;
        for (const key of ['scale', 'bias', 'runningMean', 'runningVar']) {
          const kept = bn[key];
          for (const wrong of [detached(3), undefined, [1, 1, 1], new Float64Array(3)]) {
            bn[key] = wrong;
            const error = { name: 'NormError', message: new RegExp(`^BatchNorm\\.\\w+: ${key} is `) };
            assert.throws(() => bn.forward(batches[1], { shape }), error);
            assert.throws(() => bn.forward(batches[1], { shape, training: false }), error);
            assert.throws(() => bn.stateDict(), error);
            if (key.startsWith('running')) assert.throws(() => bn.setStatistics(good), error);
          }
          bn[key] = kept;
        }
        bn.batches = 1n;
        assert.throws(() => bn.forward(batches[1], { shape }), { name: 'NormError', message: /batches is a bigint/ });
        assert.throws(() => bn.stateDict(), { name: 'NormError', message: /batches is a bigint/ });
        bn.batches = 1;
        for (const Class of [Float32Array, Float64Array]) {
          for (const key of ['mean', 'variance']) {
            const part = { ...good, [key]: detached(3, Class) };
            const error = { name: 'NormError', code: 'DETACHED', message: new RegExp(`${key} is detached`) };
            assert.throws(() => BatchNorm.mergeMoments([part]), error);
            assert.throws(() => BatchNorm.mergeMoments([good, part]), error);
            assert.throws(() => bn.setStatistics(part), error);
            assert.throws(() => bn.forward(batches[1], { shape, moments: part }), error);
          }
        }
        assert.throws(() => BatchNorm.mergeMoments([{ count: 2, mean: detached(3), variance: detached(3) }]), { code: 'DETACHED' });
        assert.throws(() => BatchNorm.mergeMoments(new Array(2)), NormError);
        assert.throws(() => bn.backward(y, { sums: detached(6, Float64Array) }), { code: 'DETACHED' });
        assert.throws(() => bn.loadStateDict({ ...before, runningMean: detached(3) }), { code: 'DETACHED' });
        assert.deepEqual(bn.stateDict(), before);
        assert.deepEqual(bits(bn.backward(y).dx), bits(dx));

        const view = resident(Float32Array.of(1, 2, 3), [3]);
        bn.runningMean = view.data;
        assert.throws(() => bn.forward(batches[1], { shape }), { name: 'NormError', message: /runningMean is a view of the module's memory/ });
        const big = new Float32Array(runtime.memory().total / 4); // whose place in scratch grows the memory
        bn.forward(big.subarray(0, big.length - (big.length % 3)), { shape: [Math.floor(big.length / 3), 3], training: false });
        bn.runningMean = bn.runningVar;
        assert.throws(() => bn.forward(batches[1], { shape }), { name: 'NormError', message: /runningVar and runningMean are the same memory/ });
        bn.runningMean = new Float32Array(3);
        const single = batches[1].slice(0, 3);
        const onnx = own(new BatchNorm({ features: 3, preset: 'onnx' }));
        assert.throws(() => onnx.forward(single, { shape: [1, 3], out: onnx.runningMean }), { name: 'NormError', message: /out and runningMean are the same memory/ });
      });

      test('more channels than a call takes arguments', () => {
        const bn = own(new BatchNorm({ features: 300000, preset: 'onnx' }));
        const x = floats(600000, 71);
        const y = bn.forward(x, { shape: [2, 300000], updateStats: false });
        near(bn.forward(x, { shape: [2, 300000], moments: bn.moments(x, { shape: [2, 300000] }) }), y, 'y');
        const other = own(new BatchNorm({ features: 300000, preset: 'onnx' }));
        other.loadStateDict(bn.stateDict());
        other.setStatistics(BatchNorm.mergeMoments([bn.moments(x, { shape: [2, 300000] })]));
        bn.forward(x, { shape: [2, 300000] });
        assert.equal(bn.backward(x, { sums: bn.backwardSums(x) }).dx.length, 600000);
      });

      test('what fails leaves the latest forward', () => {
        const x = batches[0];
        const dy = floats(72, 72);
        for (const o of [{}, { training: false }, { moments: { count: 99, mean: floats(3, 73), variance: Float32Array.of(1, 2, 3) } }]) {
          const bn = own(new BatchNorm({ features: 3 }));
          bn.forward(x, { shape, ...o });
          const want = bn.backward(dy);
          const state = bn.stateDict();
          for (const f of [
            () => bn.moments(new Float32Array(10), { shape: [2, 5] }), () => bn.moments(new Float32Array(10), { shape: [2, 3] }), () => bn.moments(new Float32Array(3)),
            () => bn.moments(detached(72), { shape }), () => bn.moments(), () => bn.forward(x, { shape: [2, 5] }), () => bn.forward(x, { shape: [6, 4, 3] }),
            () => bn.forward(batches[1].subarray(0, 3), { shape: [1, 3] }), () => bn.forward(x, { shape, out: new Float32Array(3) }),
            () => bn.forward(batches[1], { shape, moments: { count: 0, mean: new Float32Array(3), variance: new Float32Array(3) } }),
            () => bn.backwardSums(dy.subarray(1)), () => bn.backwardSums(detached(72)), () => bn.backward(dy.subarray(1)), () => bn.backward(dy, { out: new Float32Array(3) }),
            () => bn.backward(dy, { sums: new Float64Array(5) }), () => bn.loadStateDict({ ...state, runningVar: Float32Array.of(1, 1) }), () => bn.loadStateDict({}),
          ]) {
            assert.throws(f, NormError, String(f));
            assert.deepEqual(bn.backward(dy), want, String(f));
            assert.deepEqual(bn.stateDict(), state, String(f));
          }
        }
      });

      test('moments do not go with running statistics', () => {
        const bn = own(new BatchNorm({ features: 3 }));
        const given = bn.moments(batches[0], { shape });
        const before = bn.stateDict();
        for (const [o, message] of [
          [{ useBatchStats: false }, /moments .* useBatchStats is false/], [{ training: false }, /moments .* training is false/],
          [{ training: true, useBatchStats: false }, /useBatchStats is false/], [{ training: false, updateStats: true }, /training is false/],
        ]) assert.throws(() => bn.forward(batches[0], { shape, moments: given, ...o }), { name: 'NormError', message });
        assert.deepEqual(bn.stateDict(), before);
        near(bn.forward(batches[0], { shape, moments: given, training: false, useBatchStats: true }), bn.forward(batches[0], { shape, updateStats: false }), 'y');
        assert.deepEqual(bn.stateDict(), before);
      });

      test('state dictionaries', () => {
        const bn = own(new BatchNorm({ features: 3, momentum: null }));
        bn.scale.set([1, 2, 3]);
        bn.forward(batches[0], { shape });
        const state = bn.stateDict();
        assert.deepEqual(Object.keys(state).sort(), ['batches', 'bias', 'runningMean', 'runningVar', 'scale']);
        const other = own(new BatchNorm({ features: 3, momentum: null }));
        other.loadStateDict(state);
        state.scale[0] = 99; // both directions copy
        assert.equal(other.scale[0], 1);
        const names = ['scale', 'bias', 'runningMean', 'runningVar'];
        const arrays = names.map((name) => other[name]);
        other.loadStateDict(bn.stateDict());
        names.forEach((name, i) => assert.equal(other[name], arrays[i], 'the same array'));
        for (const array of [detached(3), new Float32Array(2), undefined]) {
          other.bias = array;
          other.loadStateDict(bn.stateDict());
          assert.deepEqual(other.stateDict(), bn.stateDict(), 'an array that does not fit is replaced');
        }
        other.loadStateDict({ ...other.stateDict(), scale: other.bias, bias: other.scale });
        assert.deepEqual([other.scale, other.bias], [bn.bias, bn.scale], 'its own arrays, in other places');
        other.loadStateDict(bn.stateDict());
        for (const layer of [bn, other]) layer.forward(batches[1], { shape });
        assert.deepEqual(other.stateDict(), bn.stateDict());
        const { batches: _, ...rest } = bn.stateDict();
        other.loadStateDict(rest);
        assert.equal(other.batches, 0);
        const plain = own(new BatchNorm({ features: 3, affine: false }));
        assert.deepEqual(Object.keys(plain.stateDict()).sort(), ['batches', 'runningMean', 'runningVar']);
        assert.throws(() => plain.loadStateDict(bn.stateDict()), /there is no scale, bias/);
      });

      test('workers that share a batch give what one gives', () => {
        for (const layout of ['nchw', 'nhwc']) {
          const whole = layout === 'nchw' ? [6, 3, 4] : [6, 4, 3];
          const x = floats(72, 31, 50, 1e7);
          const dy = floats(72, 32);
          const o = { features: 3, layout };
          const one = own(new BatchNorm(o));
          const y = one.forward(x, { shape: whole });
          const want = one.backward(dy);
          const parts = [[0, 12], [12, 60], [60, 72]];
          const part = ([from, to], a) => a.subarray(from, to);
          const workers = parts.map(() => own(new BatchNorm(o)));
          const shapes = parts.map(([from, to]) => [(to - from) / 12, ...whole.slice(1)]);
          const all = BatchNorm.mergeMoments(workers.map((w, i) => w.moments(part(parts[i], x), { shape: shapes[i] })));
          assert.equal(all.count, 24);
          const ys = workers.flatMap((w, i) => [...w.forward(part(parts[i], x), { shape: shapes[i], moments: all })]);
          near(ys, y, 'y', 1e-6);
          const sums = new Float64Array(6);
          workers.forEach((w, i) => w.backwardSums(part(parts[i], dy)).forEach((v, k) => (sums[k] += v)));
          const dxs = [];
          workers.forEach((w, i) => {
            const got = w.backward(part(parts[i], dy), { sums });
            dxs.push(...got.dx);
            near(got.dscale, want.dscale, 'dscale', 1e-5);
            near(got.dbias, want.dbias, 'dbias', 1e-5);
            near(w.runningMean, one.runningMean, 'running mean');
            near(w.runningVar, one.runningVar, 'running variance');
            assert.equal(w.batches, 1);
          });
          near(dxs, want.dx, 'dx', 1e-5);
        }
      });

      test('mergeMoments', () => {
        const parts = batches.map((x) => {
          const m = moments(x);
          return { count: 24, mean: Float64Array.from(m, (v) => v.mean), variance: Float64Array.from(m, (v) => v.variance) };
        });
        const all = BatchNorm.mergeMoments([...parts, { count: 0, mean: new Float64Array(3).fill(NaN), variance: new Float64Array(3) }]);
        const want = [0, 1, 2].map((c) => {
          const values = batches.flatMap((x) => [...x].filter((_, i) => channel(i) === c));
          const mean = values.reduce((a, b) => a + b) / 72;
          return { mean, variance: values.reduce((a, b) => a + (b - mean) ** 2, 0) / 72 };
        });
        assert.equal(all.count, 72);
        near(all.mean, want.map((m) => m.mean), 'mean', 1e-14);
        near(all.variance, want.map((m) => m.variance), 'variance', 1e-14);
        const single = BatchNorm.mergeMoments(parts.map((p) => ({ count: p.count, mean: Float32Array.from(p.mean), variance: Float32Array.from(p.variance) })));
        assert.ok(single.mean instanceof Float32Array && single.variance instanceof Float32Array);
        near(single.variance, all.variance, 'float32');
        for (const wrong of [undefined, [], [{}], [{ count: -1, mean: new Float32Array(1), variance: new Float32Array(1) }], [{ count: 0.5, mean: new Float32Array(1), variance: new Float32Array(1) }], [parts[0], { ...parts[1], mean: new Float64Array(2) }], [{ ...parts[0], variance: new Float64Array(3).fill(-1) }], [null]]) {
          assert.throws(() => BatchNorm.mergeMoments(wrong), NormError);
        }
      });

      test('precise statistics from a stream of batches', () => {
        for (const [preset, correct] of [['pytorch', 72 / 71], ['keras', 1]]) {
          const bn = own(new BatchNorm({ features: 3, preset }));
          const all = BatchNorm.mergeMoments(batches.map((x) => bn.moments(x, { shape })));
          bn.setStatistics(all);
          near(bn.runningMean, all.mean, 'mean');
          near(bn.runningVar, all.variance.map((v) => v * correct), 'variance');
          assert.equal(bn.batches, 0);
        }
        const bn = own(new BatchNorm({ features: 3 }));
        bn.forward(batches[0], { shape });
        bn.moments(batches[1], { shape });
        assert.throws(() => bn.backward(batches[0]), /moments came after/);
      });
    });

    test('InstanceNorm’s running statistics', () => {
      const [n, channels, inner] = [3, 2, 5];
      const x = floats(n * channels * inner, 61, 2, 4);
      const { statistics } = groupedOracle(x, (i) => Math.floor(i / inner), () => 0, { epsilon: 0 });
      const average = (f) => [0, 1].map((c) => [0, 1, 2].reduce((sum, e) => sum + f(statistics.get(e * channels + c)) / n, 0));
      const layer = own(new InstanceNorm({ features: channels, trackRunningStats: true, momentum: 0.25 }));
      near(layer.forward(x, { shape: [n, channels, inner] }), instanceNorm(x, { shape: [n, channels, inner] }), 'y');
      near(layer.runningMean, average((s) => 0.25 * s.mean), 'running mean');
      near(layer.runningVar, average((s) => 0.75 + (0.25 * inner) / (inner - 1) / s.rstd ** 2), 'running variance');
      const { runningMean, runningVar } = layer;
      near(layer.forward(x, { shape: [n, channels, inner], training: false }), batchNorm(x, { shape: [n, channels, inner], mean: runningMean, variance: runningVar }), 'inference');
      assert.throws(() => layer.forward(x.subarray(0, 6), { shape: [3, 2, 1] }), { name: 'NormError', message: /one value per channel/ });
      assert.equal(own(new InstanceNorm({ features: 2 })).runningMean, undefined);
    });

    test('constructors say what is wrong', () => {
      for (const [f, Class, message] of [
        [() => new BatchNorm(), NormError, /BatchNorm: options is undefined/],
        [() => new BatchNorm({}), NormError, /features is undefined/],
        [() => new BatchNorm({ features: -1 }), ShapeError, /features is -1/],
        [() => new BatchNorm({ features: 1.5 }), ShapeError, /features is 1\.5/],
        [() => new BatchNorm({ features: 1e12 }), ShapeError, /more than memory/],
        [() => new BatchNorm({ features: 2, preset: 1n }), NormError, /preset is a bigint/],
        [() => new BatchNorm({ features: 2, preset: 'tf' }), NormError, /preset is "tf"/],
        [() => new BatchNorm({ features: 2, momentum: 1.5 }), NormError, /momentum is 1\.5/],
        [() => new BatchNorm({ features: 2, momentum: NaN }), NormError, /momentum is NaN/],
        [() => new BatchNorm({ features: 2, momentum: '0.1' }), NormError, /momentum is a string/],
        [() => new BatchNorm({ features: 2, epsilon: -1 }), NormError, /epsilon is -1/],
        [() => new BatchNorm({ features: 2, epsilon: NaN }), NormError, /epsilon is NaN/],
        [() => new BatchNorm({ features: 2, layout: 'cn' }), NormError, /layout is "cn"/],
        [() => new BatchNorm({ features: 2, affine: 1 }), NormError, /affine is a number/],
        [() => new LayerNorm({}), NormError, /normalizedShape is undefined/],
        [() => new LayerNorm({ normalizedShape: [, 4] }), ShapeError, /normalizedShape\[0\] is undefined/],
        [() => new RMSNorm({ normalizedShape: new Array(1) }), ShapeError, /normalizedShape\[0\] is undefined/],
        [() => new LayerNorm({ normalizedShape: [-1] }), ShapeError, /normalizedShape\[0\] is -1/],
        [() => new LayerNorm({ normalizedShape: [4], epsilon: Infinity }), NormError, /epsilon is Infinity/],
        [() => new RMSNorm(), NormError, /options is undefined/],
        [() => new GroupNorm({ features: 6, groups: 4 }), ShapeError, /groups is 4, want a divisor of the 6 features/],
        [() => new GroupNorm({ features: 6, groups: 0 }), ShapeError, /groups is 0/],
        [() => new GroupNorm({ features: 6 }), NormError, /groups is undefined/],
        [() => new InstanceNorm({ features: 6, trackRunningStats: true, momentum: 2 }), NormError, /InstanceNorm: momentum is 2/],
        [() => new InstanceNorm({ features: 6, trackRunningStats: 'yes' }), NormError, /InstanceNorm: trackRunningStats is a string/],
        [() => new InstanceNorm({ features: '6' }), NormError, /features is a string/],
        [() => new GroupNorm({ features: 4, groups: 2 }).forward(floats(12, 1), { shape: [2, 6] }), ShapeError, /has 6 channels \(nchw\), want 4/],
        [() => new InstanceNorm({ features: 4 }).forward(floats(12, 1)), ShapeError, /rank 1, want at least 2/],
      ]) {
        let error;
        try {
          f();
        } catch (e) {
          error = e;
        }
        assert.equal(error?.constructor, Class, `${f}: ${error}`);
        assert.match(error.message, message);
      }
    });

    test('the API object computes the same', () => {
      const { api } = live('test');
      const shape = [6, 3, 4];
      const x = floats(72, 41, 2, 5);
      const dy = floats(72, 42);
      const scale = floats(3, 43);
      const bias = floats(3, 44);
      const fresh = () => ({ runningMean: new Float32Array(3), runningVar: new Float32Array(3).fill(1) });
      const gradients = (n) => ({ dscale: new Float32Array(n), dbias: new Float32Array(n) });
      const bn = own(new BatchNorm({ features: 3, preset: 'keras' }));
      bn.scale.set(scale);
      bn.bias.set(bias);
      const layer = api.layer(3);
      for (const mode of [{}, { useBatchStats: false }, { updateStats: false }]) {
        bn.loadStateDict({ ...bn.stateDict(), ...fresh() });
        const running = fresh();
        const y = api.batchNormForward(x, { layer, shape, preset: 'keras', epsilon: 1e-3, momentum: 0.99, scale, bias, ...mode, ...running });
        assert.deepEqual(bits(y), bits(bn.forward(x, { shape, ...mode })));
        assert.deepEqual(bits(running.runningVar), bits(bn.runningVar));
        const g = gradients(3);
        const want = bn.backward(dy);
        assert.deepEqual(bits(api.batchNormBackward(dy, { layer, shape, x, scale, ...g })), bits(want.dx));
        assert.deepEqual([bits(g.dscale), bits(g.dbias)], [bits(want.dscale), bits(want.dbias)]);
      }
      const m = new Float64Array(6);
      assert.equal(api.batchNormMoments({ layer, x, shape, moments: m }), undefined);
      const { count, mean, variance } = bn.moments(x, { shape });
      assert.deepEqual(m, Float64Array.of(...mean, ...variance));
      const running = fresh();
      const y = api.batchNormForward(x, { layer, shape, preset: 'keras', epsilon: 1e-3, momentum: 0.99, scale, bias, ...running, moments: m, count });
      bn.loadStateDict({ ...bn.stateDict(), ...fresh() });
      assert.deepEqual(bits(y), bits(bn.forward(x, { shape, moments: { count, mean, variance } })));
      const sums = new Float64Array(6);
      assert.equal(api.batchNormSums({ layer, dy, x, sums }), undefined);
      assert.deepEqual(sums, bn.backwardSums(dy));
      assert.deepEqual(bits(api.batchNormBackward(dy, { layer, shape, x, scale, sums })), bits(bn.backward(dy, { sums }).dx));
      for (const wrong of [
        api.batchNormForward(x, { layer: 0, shape }), api.batchNormForward(x, { layer: {}, shape }), api.batchNormMoments({ layer, x, shape, moments: new Float64Array(5) }),
        api.batchNormMoments({ layer, x, shape, moments: new Float32Array(12) }), api.batchNormSums({ layer, dy, x, sums: new Float64Array(2) }), api.batchNormMoments(),
        api.batchNormForward(x, { layer, shape, preset: 'tf', ...fresh() }), api.batchNormForward(x, { layer, shape }), api.layer(-1), api.layer('3'), api.layer(1e9),
      ]) {
        assert.ok(wrong instanceof Error, String(wrong));
        assert.notEqual(wrong.code, 'INTERNAL', wrong.message);
      }
      assert.equal(api.dispose(layer), undefined);
      assert.equal(api.dispose(layer).code, 'DISPOSED');
      assert.equal(api.batchNormForward(x, { layer, shape, ...fresh() }).code, 'DISPOSED');

      for (const [operation, make, options, rows] of [
        ['layerNorm', () => new LayerNorm({ normalizedShape: [3, 4] }), { axes: [1, 2] }, 6], ['rmsNorm', () => new RMSNorm({ normalizedShape: [3, 4] }), { axes: [1, 2] }, 6],
        ['groupNorm', () => new GroupNorm({ features: 3, groups: 1 }), { groups: 1 }, 6], ['instanceNorm', () => new InstanceNorm({ features: 3 }), {}, 18],
      ]) {
        const l = own(make());
        const n = l.scale.length;
        l.scale.set(floats(n, 45));
        l.forward(x, { shape });
        const want = l.backward(dy);
        const centred = operation !== 'rmsNorm';
        const stats = { ...(centred ? { mean: new Float32Array(rows) } : {}), invStdDev: new Float32Array(rows) };
        api[operation](x, { shape, ...options, ...stats });
        const { dscale, dbias } = gradients(n);
        const dx = api[`${operation}Backward`](dy, { x, shape, ...options, ...stats, scale: l.scale, dscale, ...(centred ? { dbias } : {}) });
        assert.deepEqual(bits(dx), bits(want.dx), operation);
        assert.deepEqual(bits(dscale), bits(want.dscale));
        if (centred) assert.deepEqual(bits(dbias), bits(want.dbias));
      }
    });

    test('memory soak: layers', () => {
      const x = resident(floats(64 * 256, 51), [64, 256]);
      const before = runtime.memory();
      let total = 0;
      for (let i = 0; i < 600; i++) {
        const bn = new BatchNorm({ features: 256 });
        const y = bn.forward(x);
        const { dx } = bn.backward(y);
        for (const thing of [y, dx, bn]) thing.dispose();
        if (i === 200) total = runtime.memory().total;
      }
      const now = runtime.memory();
      assert.deepEqual([now.inUse, now.tensors], [before.inUse, before.tensors]);
      assert.ok(now.total <= total + (4 << 20), `the memory went on growing: ${total} → ${now.total}`);
    });
  });
}

test('a layer outlives its runtime', async () => {
  const x = floats(12, 61);
  const shape = [4, 3];
  let runtime = await init({ variant: 'simd' });
  const bn = new BatchNorm({ features: 3 });
  bn.forward(x, { shape });
  runtime.dispose();
  assert.throws(() => bn.forward(x, { shape }), DisposedError);
  assert.throws(() => bn.backward(x), DisposedError);
  runtime = await init({ variant: 'simd' });
  assert.throws(() => bn.backward(x), DisposedError, 'what the forward left went with its runtime');
  bn.forward(x, { shape });
  assert.equal(bn.batches, 2);
  assert.equal(bn.backward(x).dx.length, 12);
  bn.dispose();
  runtime.dispose();
});
