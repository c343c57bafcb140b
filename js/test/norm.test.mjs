// The normalizations and tensors, in both variants that Node has.
import assert from 'node:assert/strict';
import { PerformanceObserver } from 'node:perf_hooks';
import { after, afterEach, before, describe, test } from 'node:test';
import { DisposedError, NormError, ShapeError, Tensor, UnsupportedError, batchNorm, groupNorm, init, instanceNorm, layerNorm, rmsNorm } from 'normwasm';
import { batchNormOracle, detached, distance, floats, layerNormOracle } from './data.mjs';

const tolerance = 3e-6;
const held = [];
/** A tensor that is disposed of when its test is over. */
const own = (tensor) => {
  held.push(tensor);
  return tensor;
};
afterEach(() => held.splice(0).forEach((tensor) => tensor.dispose()));
const near = (got, want, what) => assert.ok(distance(got, want) <= tolerance, `${what}: off by ${distance(got, want)}`);

for (const variant of ['simd', 'scalar']) {
  describe(variant, () => {
    let runtime;
    before(async () => {
      runtime = await init({ variant });
    });
    after(() => runtime.dispose());

    test('layerNorm against float64', () => {
      for (const [rows, cols] of [[1, 1], [3, 5], [7, 16], [2, 31], [64, 768], [5, 1027]]) {
        const x = floats(rows * cols, rows + cols, 3, 100);
        const o = { scale: floats(cols, 1), bias: floats(cols, 2), residual: floats(rows * cols, 3) };
        near(layerNorm(x, { shape: [rows, cols] }), layerNormOracle(x, cols), `${rows}×${cols}`);
        const y = layerNorm(x, { shape: [rows, cols], epsilon: 1e-3, ...o });
        near(y, layerNormOracle(x, cols, { epsilon: 1e-3, ...o }), `${rows}×${cols} with everything`);
        assert.notEqual(y.buffer, x.buffer);
      }
    });

    test('hard rows', () => {
      const rows = {
        'close together, far from zero': [40000, 40001, 40002, 40003],
        constant: new Array(256).fill(1234.1),
        'noise at 1e4': [...floats(768, 4, 0.5, 1e4)],
        'noise at 1e7': [...floats(4096, 5, 50, 1e7)],
        'one element': [3.5],
        'huge and tiny': [1e30, 1e-30, -1e30, 1],
      };
      for (const [name, row] of Object.entries(rows)) {
        const x = Float32Array.from(row);
        near(layerNorm(x), layerNormOracle(x, x.length), name);
      }
      assert.ok(layerNorm(Float32Array.of(1, NaN, 3, 4, 5, 6), { shape: [2, 3] }).every((v, i) => Number.isNaN(v) === i < 3), 'NaN stays in its row');
    });

    test('axes in any order, and none', () => {
      const x = floats(2 * 3 * 4, 6);
      const at = (a, b, c) => (a * 3 + b) * 4 + c;
      const scale = floats(8, 7);
      const want = new Float64Array(24);
      for (let b = 0; b < 3; b++) {
        // axes [2, 0]: groups of 8 by b; scale is [4 2].
        const row = [];
        for (let c = 0; c < 4; c++) for (let a = 0; a < 2; a++) row.push(x[at(a, b, c)]);
        const y = layerNormOracle(Float32Array.from(row), 8, { scale });
        for (let c = 0; c < 4; c++) for (let a = 0; a < 2; a++) want[at(a, b, c)] = y[c * 2 + a];
      }
      near(layerNorm(x, { shape: [2, 3, 4], axes: [2, 0], scale }), want, 'axes [2 0]');
      near(layerNorm(x, { shape: [2, 3, 4], axes: [-1, -3], scale }), want, 'axes [-1 -3]');
      assert.deepEqual(layerNorm(x, { shape: [2, 3, 4], axes: [], bias: Float32Array.of(0.5) }), new Float32Array(24).fill(0.5));
    });

    test('mean and inverse standard deviation', () => {
      const x = floats(6 * 10, 8, 2, 5);
      const mean = new Float32Array(6);
      const invStdDev = own(Tensor.zeros([6, 1], { location: 'wasm' }));
      layerNorm(x, { shape: [6, 10], mean, invStdDev });
      for (let r = 0; r < 6; r++) {
        const row = x.subarray(r * 10, r * 10 + 10);
        const mu = row.reduce((a, b) => a + b, 0) / 10;
        const variance = row.reduce((a, b) => a + (b - mu) ** 2, 0) / 10;
        assert.ok(Math.abs(mean[r] - mu) < 1e-5);
        assert.ok(Math.abs(invStdDev.data[r] - 1 / Math.sqrt(variance + 1e-5)) < 1e-5);
      }
    });

    test('batchNorm against float64', () => {
      const stats = (n) => ({ mean: floats(n, 11), variance: floats(n, 12).map((v) => v * v), scale: floats(n, 13), bias: floats(n, 14) });
      for (const [shape, layout, channels, inner] of [
        [[2, 3, 5, 7], 'nchw', 3, 35], [[2, 5, 7, 3], 'nhwc', 3, 1], [[4, 6], 'nchw', 6, 1], [[1, 64, 56], 'nchw', 64, 56], [[9, 130], 'nhwc', 130, 1],
      ]) {
        const x = floats(shape.reduce((a, b) => a * b), 15, 10);
        for (const activation of [undefined, 'relu', 'relu6', 'silu']) {
          const o = { ...stats(channels), activation };
          near(batchNorm(x, { shape, layout, ...o }), batchNormOracle(x, channels, inner, o), `${shape} ${layout} ${activation}`);
        }
      }
      const x = floats(24, 16);
      const o = stats(2);
      near(batchNorm(x, { shape: [2, 3, 4], axis: 0, epsilon: 1e-3, ...o }), batchNormOracle(x, 2, 12, { epsilon: 1e-3, ...o }), 'axis 0');
      near(batchNorm(x, { axis: -1, ...stats(24) }), batchNormOracle(x, 24, 1, stats(24)), 'rank 1 by axis');
    });

    test('results go where they are wanted', () => {
      const x = floats(40, 17);
      const want = layerNorm(x, { shape: [4, 10] });
      const out = new Float32Array(40);
      assert.equal(layerNorm(x, { shape: [4, 10], out }), out);
      assert.deepEqual(out, want);
      const inPlace = x.slice();
      assert.equal(layerNorm(inPlace, { shape: [4, 10], out: inPlace }), inPlace);
      assert.deepEqual(inPlace, want);

      const cpu = new Tensor('float32', x, [4, 10]);
      const y = layerNorm(cpu);
      assert.ok(y instanceof Tensor && y.location === 'cpu');
      assert.deepEqual([...y.dims], [4, 10]);
      assert.deepEqual(y.data, want);

      const wasm = own(cpu.toWasm());
      const z = own(layerNorm(wasm));
      assert.equal(z.location, 'wasm');
      assert.deepEqual(z.data.slice(), want);
      assert.deepEqual(wasm.data.slice(), x, 'x is left alone');
      assert.equal(layerNorm(wasm, { out }), out);
      assert.deepEqual(wasm.data.slice(), x, 'also when the result leaves the module');
      const target = own(Tensor.zeros([40], { location: 'wasm' }));
      assert.equal(layerNorm(x, { shape: [4, 10], out: target }), target);
      assert.deepEqual(target.data.slice(), want);
      assert.equal(layerNorm(wasm, { out: wasm }), wasm);
      assert.deepEqual(wasm.data.slice(), want);
      const part = new Float32Array(44).fill(9);
      layerNorm(x, { shape: [4, 10], out: part.subarray(2, 42) });
      assert.deepEqual(part.subarray(2, 42), want);
      assert.deepEqual([part[0], part[1], part[42], part[43]], [9, 9, 9, 9]);
    });

    test('views of the module’s own memory survive its growth', () => {
      const wasm = own(new Tensor('float32', floats(64, 18)).toWasm());
      const want = layerNorm(floats(64, 18));
      assert.deepEqual(layerNorm(wasm.data), want);
      const big = runtime.memory().total / 4;
      // Both the scratch slab and the result grow the memory while x is a view of it.
      const y = layerNorm(wasm.data, { residual: new Float32Array(64), out: new Float32Array(64) });
      assert.deepEqual(y, want);
      layerNorm(new Float32Array(big), { shape: [1, big] });
      assert.deepEqual(layerNorm(wasm).data.slice(), want);
      assert.throws(() => layerNorm(floats(64, 1), { out: wasm.data }), { name: 'NormError', message: /view of the module's memory/ });
    });

    test('zero elements are legal', () => {
      assert.equal(layerNorm(new Float32Array(0), { shape: [0, 8], scale: new Float32Array(8) }).length, 0);
      assert.equal(layerNorm(new Float32Array(0), { shape: [8, 0] }).length, 0);
      assert.equal(batchNorm(new Float32Array(0), { shape: [0, 2, 4], mean: new Float32Array(2), variance: new Float32Array(2) }).length, 0);
      const none = own(Tensor.zeros([3, 0], { location: 'wasm' }));
      assert.equal(none.size, 0);
      assert.equal(none.data.length, 0);
      assert.deepEqual([...layerNorm(none).dims], [3, 0]);
      assert.equal(new Tensor('float32', [], [0]).toWasm().data.length, 0);
    });

    const x = new Float32Array(8);
    const two = new Float32Array(2);
    const gone = () => {
      const t = Tensor.zeros([8], { location: 'wasm' });
      t.dispose();
      return t;
    };
    const mistakes = [
      ['shape', () => layerNorm(x, { shape: [3, 3] }), ShapeError, /x has 8 elements, want 9 \(x \[3 3\]\)/],
      ['negative dimension', () => layerNorm(x, { shape: [-2, -4] }), ShapeError, /shape\[0\] is -2/],
      ['broken dimension', () => layerNorm(x, { shape: [1.5, 4] }), ShapeError, /shape\[0\] is 1\.5/],
      ['NaN dimension', () => layerNorm(x, { shape: [NaN] }), ShapeError, /NaN/],
      ['immense shape', () => layerNorm(x, { shape: [2 ** 31 - 1, 2 ** 31 - 1] }), ShapeError, /more than memory can hold/],
      ['many dimensions', () => layerNorm(x, { shape: [...new Array(40).fill(1), 8] }), ShapeError, /41 dimensions/],
      ['shape of another class', () => layerNorm(x, { shape: '2,4' }), NormError, /shape is a string/],
      ['scale', () => layerNorm(x, { shape: [2, 4], scale: two }), ShapeError, /scale has 2 elements, want 4 \(the last dimension of x \[2 4\]\)/],
      ['bias', () => layerNorm(x, { shape: [2, 4], bias: two }), ShapeError, /bias has 2 elements/],
      ['residual', () => layerNorm(x, { residual: two }), ShapeError, /residual has 2 elements, want 8/],
      ['out', () => layerNorm(x, { out: two }), ShapeError, /out has 2 elements, want 8/],
      ['mean', () => layerNorm(x, { shape: [2, 4], mean: x }), ShapeError, /mean has 8 elements, want 2/],
      ['axis', () => layerNorm(x, { axes: [1] }), ShapeError, /axis 1 is out of range for x \[8\], want -1 to 0/],
      ['axis twice', () => layerNorm(x, { shape: [2, 4], axes: [1, -1] }), ShapeError, /twice/],
      ['broken axis', () => layerNorm(x, { axes: [0.5] }), ShapeError, /axes\[0\] is 0\.5/],
      ['axes of another class', () => layerNorm(x, { axes: 1 }), NormError, /axes is a number/],
      ['a hole in axes', () => layerNorm(x, { shape: [2, 2, 2], axes: [, 2] }), NormError, /axes\[0\] is undefined, want a whole number/],
      ['a hole in shape', () => layerNorm(x, { shape: [2, , 4] }), ShapeError, /shape\[1\] is undefined, want a whole number/],
      ['no dimension at all', () => layerNorm(x, { shape: new Array(2) }), ShapeError, /shape\[0\] is undefined/],
      ['big dimension', () => layerNorm(x, { shape: [2n, 4n] }), ShapeError, /shape\[0\] is a bigint/],
      ['detached shape', () => layerNorm(x, { shape: detached(2, Int32Array) }), NormError, /shape is detached/],
      ['DataView for a shape', () => layerNorm(x, { shape: new DataView(new ArrayBuffer(8)) }), NormError, /shape is a DataView/],
      ['NaN epsilon', () => layerNorm(x, { epsilon: NaN }), NormError, /epsilon is NaN/],
      ['negative epsilon', () => layerNorm(x, { epsilon: -1 }), NormError, /epsilon is -1/],
      ['infinite epsilon', () => layerNorm(x, { epsilon: Infinity }), NormError, /epsilon is \+Inf/],
      ['epsilon of another class', () => layerNorm(x, { epsilon: '1e-5' }), NormError, /epsilon is a string/],
      ['Float64Array', () => layerNorm(new Float64Array(8).fill(0.1)), NormError, /x\[0\] is 0.1, which float32 does not have exactly/],
      ['plain array', () => layerNorm([1, 2]), NormError, /x is a plain array/],
      ['nothing', () => layerNorm(), NormError, /x is null|x is undefined/],
      ['foreign scale', () => layerNorm(x, { scale: new Int32Array(8).fill(2 ** 24 + 1) }), NormError, /scale\[0\] is 16777217/],
      ['detached x', () => layerNorm(detached(8)), NormError, /x is detached/],
      ['detached out', () => layerNorm(x, { out: detached(8) }), NormError, /out is detached/],
      ['disposed x', () => layerNorm(gone()), DisposedError, /x: the tensor \[8\] was disposed/],
      ['disposed scale', () => layerNorm(x, { scale: gone() }), DisposedError, /scale/],
      ['disposed out', () => layerNorm(x, { out: gone() }), DisposedError, /out/],
      ['integer tensor', () => layerNorm(new Tensor('int32', [1, 2])), UnsupportedError, /tensor of int32, want float32/],
      ['tensor with shape', () => layerNorm(new Tensor('float32', x), { shape: [2, 4] }), NormError, /has its shape/],
      ['batchNorm without options', () => batchNorm(x), NormError, /mean and variance are needed/],
      ['batchNorm without mean', () => batchNorm(x, { variance: two }), NormError, /mean is missing/],
      ['batchNorm without variance', () => batchNorm(x, { mean: two }), NormError, /variance is missing/],
      ['batchNorm rank 1', () => batchNorm(x, { mean: x, variance: x }), ShapeError, /rank 1, want at least 2/],
      ['batchNorm channels', () => batchNorm(x, { shape: [2, 4], mean: two, variance: two }), ShapeError, /mean has 2 elements, want 4/],
      ['batchNorm axis', () => batchNorm(x, { axis: 1, mean: two, variance: two }), ShapeError, /axis 1 is out of range/],
      ['batchNorm layout', () => batchNorm(x, { layout: 'hwc', mean: two, variance: two }), NormError, /layout is "hwc"/],
      ['batchNorm big layout', () => batchNorm(x, { layout: 1n, mean: two, variance: two }), NormError, /layout is a bigint, want 'nchw' or 'nhwc'/],
      ['batchNorm activation', () => batchNorm(x, { activation: 'gelu', mean: two, variance: two }), NormError, /activation is "gelu"/],
    ];
    for (const [name, f, Class, message] of mistakes) {
      test(`mistake: ${name}`, () => {
        const tensors = runtime.memory().tensors;
        const error = (() => {
          try {
            f();
          } catch (e) {
            return e;
          }
          return undefined;
        })();
        assert.equal(error?.constructor, Class, String(error));
        assert.match(error.message, message);
        assert.equal(error.name, Class.name);
        assert.equal(typeof error.code, 'string');
        assert.equal(runtime.memory().tensors, tensors, 'nothing is left behind');
      });
    }

    test('tensors that meet in memory', () => {
      const row = own(Tensor.zeros([4], { location: 'wasm' }));
      const same = own(row.reshape([1, 4]));
      assert.throws(() => layerNorm(new Float32Array(4), { scale: row, out: same }), { name: 'NormError', message: /out and scale are the same memory/ });
      assert.equal(layerNorm(row, { out: same }), same);
    });

    test('results that meet in arrays', () => {
      const x = floats(40, 21);
      const residual = floats(40, 22);
      const shape = [4, 10];
      const buffer = new Float32Array(80);
      const [low, high, across] = [buffer.subarray(0, 40), buffer.subarray(40), buffer.subarray(39, 79)];
      const stats = buffer.subarray(36, 40);
      const onCPU = (array) => new Tensor('float32', array);
      for (const [one, other, options] of [
        ['out', 'sum', { residual, out: low, sum: low }], ['out', 'sum', { residual, out: across, sum: low }], ['out', 'sum', { residual, out: low, sum: across }],
        ['out', 'sum', { residual, out: onCPU(low), sum: onCPU(low) }], ['out', 'mean', { out: low, mean: stats }], ['out', 'invStdDev', { out: low, invStdDev: stats }],
        ['invStdDev', 'mean', { mean: stats, invStdDev: stats }], ['sum', 'mean', { residual, sum: low, mean: stats }], ['out', 'sum', { residual: low, out: low, sum: low }],
      ]) {
        assert.throws(() => layerNorm(x, { shape, ...options }), { name: 'NormError', message: `layerNorm: ${one} and ${other} are the same memory, and each receives a result` });
        assert.deepEqual(buffer, new Float32Array(80), 'and nothing is written');
      }
      // Side by side in one buffer is apart, and x and residual may take results.
      const want = layerNorm(x, { shape, residual });
      const added = x.map((v, i) => v + residual[i]);
      layerNorm(x, { shape, residual, out: low, sum: high });
      assert.deepEqual([low, high], [want, added]);
      for (const [out, sum] of [[0, 1], [1, 0]]) {
        const both = [x.slice(), residual.slice()];
        layerNorm(both[0], { shape, residual: both[1], out: both[out], sum: both[sum] });
        assert.deepEqual([both[out], both[sum]], [want, added]);
      }
      const none = new Float32Array(0);
      assert.equal(layerNorm(none, { shape: [0, 4], mean: none, invStdDev: none, out: none }), none);
    });

    // With a resident result a call takes a way of its own.
    test('calls on resident tensors give what others do', () => {
      const dims = [2, 6, 3, 4];
      const put = (array, d) => own(new Tensor('float32', array, d).toWasm());
      const x = put(floats(144, 1), dims);
      const out = own(Tensor.zeros(dims, { location: 'wasm' }));
      const [six, four, more] = [6, 4, 144].map((n) => [put(floats(n, n), [n]), put(floats(n, n + 1), [n]), put(floats(n, n + 2).map(Math.abs), [n])]);
      for (const [call, options] of [
        [layerNorm, {}], [layerNorm, { scale: four[0], bias: four[1], epsilon: 0.1, activation: 'silu' }],
        [layerNorm, { scale: four[0], residual: more[0], axes: [3] }], [layerNorm, { axes: [1, 3], epsilon: 1 }],
        [rmsNorm, {}], [rmsNorm, { scale: four[0], residual: more[0], epsilon: 1e-3, activation: 'relu' }],
        [batchNorm, { mean: six[0], variance: six[2] }], [batchNorm, { mean: four[0], variance: four[2], scale: four[1], layout: 'nhwc', activation: 'relu6' }],
        [batchNorm, { mean: six[0], variance: six[2], bias: six[1], axis: 1, epsilon: 0.5 }],
        [instanceNorm, {}], [instanceNorm, { scale: six[0], bias: six[1], activation: 'relu' }], [instanceNorm, { scale: four[0], layout: 'nhwc' }],
        [groupNorm, { groups: 3, bias: six[0] }], [groupNorm, { groups: 2, layout: 'nhwc', epsilon: 0 }],
      ]) {
        const arrays = Object.fromEntries(Object.entries(options).map(([k, v]) => [k, v instanceof Tensor ? Float32Array.from(v.data) : v]));
        const want = call(Float32Array.from(x.data), { ...arrays, shape: dims });
        assert.equal(call(x, { ...options, out }), out);
        assert.deepEqual(out.data.slice(), want, `${call.name} ${Object.keys(options)}`);
      }
      const mean = own(Tensor.zeros([2, 6, 3, 1], { location: 'wasm' }));
      const inverse = own(Tensor.zeros([2, 6, 3, 1], { location: 'wasm' }));
      const [m, s] = [new Float32Array(36), new Float32Array(36)];
      layerNorm(Float32Array.from(x.data), { shape: dims, mean: m, invStdDev: s });
      layerNorm(x, { out, mean, invStdDev: inverse });
      assert.deepEqual([mean.data.slice(), inverse.data.slice()], [m, s]);
      for (const [call, what] of [
        [() => layerNorm(x, { out, scale: six[0] }), /^norm: LayerNorm: scale has 6 elements, want 4/],
        [() => rmsNorm(x, { out, epsilon: 'small' }), /^rmsNorm: epsilon is/], [() => rmsNorm(x, { out, epsilon: NaN }), /epsilon is NaN/],
        [() => groupNorm(x, { out, groups: 4 }), /groups is 4, want a divisor/], [() => groupNorm(x, { out, groups: 1.5 }), /groups is 1.5/],
        [() => layerNorm(x, { out, activation: 'gelu' }), /activation is "gelu"/], [() => batchNorm(x, { out, mean: six[0] }), /variance is missing/],
        [() => instanceNorm(x, { out, scale: new Tensor('int32', new Int32Array(6), [6]) }), /scale is a tensor of int32/],
        [() => layerNorm(x, { out, shape: dims }), /the option shape goes with a Float32Array/],
        [() => layerNorm(x, { out: own(Tensor.zeros([5], { location: 'wasm' })) }), /out has 5 elements, want 144/],
      ]) {
        assert.throws(call, { message: what });
      }
    });

    test('calls on resident tensors leave nothing to collect', async () => {
      const make = (dims) => own(Tensor.zeros(dims, { location: 'wasm' }));
      const [x, scale, mean, variance] = [make([4, 8]), make([8]), make([8]), make([8])];
      const [o, p] = [{ scale, bias: scale, out: make([4, 8]) }, { mean, variance, scale, out: make([4, 8]) }];
      const [q, r] = [{ groups: 2, ...o }, { scale, out: o.out }];
      /** How often garbage is collected in so many calls that young space could hold that of few. */
      const collections = async (call) => {
        let seen = 0;
        const observer = new PerformanceObserver((list) => {
          seen += list.getEntries().length;
        });
        observer.observe({ entryTypes: ['gc'] });
        for (let i = 0; i < 200000; i++) call();
        await new Promise((resolve) => setTimeout(resolve, 20));
        observer.disconnect();
        return seen;
      };
      for (const call of [() => layerNorm(x, o), () => rmsNorm(x, r), () => batchNorm(x, p), () => instanceNorm(x, o), () => groupNorm(x, q)]) {
        await collections(call); // what compiling leaves
        let seen = await collections(call);
        // Where the machine is busy, compiling takes longer than one round; what a call itself leaves shows in every round.
        for (let round = 0; round < 8 && seen > 1; round++) seen = await collections(call);
        assert.ok(seen <= 1, `${call}: ${seen} collections`);
      }
      const other = { ...o, axes: [-1] };
      const seen = await collections(() => layerNorm(x, other));
      assert.ok(seen >= 4, `calls by way of an object: ${seen} collections show that the measure can fail`);
    });

    test('a failed call leaves no resident result', () => {
      const wasm = own(Tensor.zeros([2, 4], { location: 'wasm' }));
      const { tensors } = runtime.memory();
      assert.throws(() => layerNorm(wasm, { epsilon: -1 }), NormError);
      assert.throws(() => layerNorm(wasm, { scale: two }), ShapeError);
      assert.equal(runtime.memory().tensors, tensors);
    });

    test('memory soak: tensors', () => {
      const before = runtime.memory();
      let total = 0;
      for (let i = 0; i < 400; i++) {
        const a = new Tensor('float32', new Float32Array(1 << 16), [64, 1024]).toWasm();
        const b = layerNorm(a);
        const c = b.reshape([1024, 64]);
        a.dispose();
        layerNorm(c, { out: c });
        assert.equal(runtime.memory().tensors, before.tensors + 1);
        b.dispose();
        c.dispose();
        if (i === 100) total = runtime.memory().total;
      }
      const now = runtime.memory();
      assert.deepEqual([now.inUse, now.tensors], [before.inUse, before.tensors]);
      assert.ok(now.total <= total + (4 << 20), `the memory went on growing: ${total} → ${now.total}`);
    });
  });
}
