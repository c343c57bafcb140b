// The module's two interfaces give the same: every operation through the API object
// (syscall/js) and through the package (exports), bit for bit; and the same bits from
// the scalar and the SIMD variant.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import {
  InferenceSession, SpectralNorm, Tensor, adaptiveLayerNorm, batchNorm, foldBatchNorm, groupNorm, init, instanceNorm, layerNorm, localResponseNorm, lpNorm, meanVarianceNorm, rmsNorm, weightNorm,
} from '../src/index.js';
import * as frames from '../src/frames.js';
import { live } from '../src/runtime.js';
import { floats, twoOutputs } from './data.mjs';

const bits = (array) => new Uint32Array(array.buffer, array.byteOffset, array.length);
const stats = (n) => ({ mean: floats(n, 21), variance: floats(n, 22).map((v) => v * v + 0.1), scale: floats(n, 23), bias: floats(n, 24) });

/** @type {[string, keyof typeof byName, Float32Array, object][]} */
const calls = [
  ['defaults', 'layerNorm', floats(100, 1), {}],
  ['rows', 'layerNorm', floats(64 * 768, 2, 3, 50), { shape: [64, 768], scale: floats(768, 3), bias: floats(768, 4) }],
  ['residual', 'layerNorm', floats(35, 5), { shape: [5, 7], residual: floats(35, 6), epsilon: 1e-12 }],
  ['axes', 'layerNorm', floats(120, 7), { shape: [2, 3, 4, 5], axes: [3, 1], scale: floats(15, 8) }],
  ['no axes', 'layerNorm', floats(6, 9), { shape: [2, 3], axes: [], bias: floats(1, 10) }],
  ['hard rows', 'layerNorm', Float32Array.of(40000, 40001, 40002, 40003, 1e30, 1e-30, -1e30, 1, NaN, 1, 2, 3, 5e-42, 1e-41, 0, -5e-42), { shape: [4, 4] }],
  ['no elements', 'layerNorm', new Float32Array(0), { shape: [0, 3] }],
  ['channels first', 'batchNorm', floats(2 * 3 * 35, 11), { shape: [2, 3, 5, 7], ...stats(3) }],
  ['channels last', 'batchNorm', floats(2 * 3 * 35, 12), { shape: [2, 5, 7, 3], layout: 'nhwc', ...stats(3), activation: 'relu' }],
  ['by axis', 'batchNorm', floats(24, 13, 20), { shape: [4, 6], axis: 0, ...stats(4), epsilon: 1e-3, activation: 'relu6' }],
  ['fused', 'layerNorm', floats(60, 14), { shape: [3, 20], activation: 'silu', bias: floats(20, 15) }],
  ['defaults', 'rmsNorm', floats(37, 16), {}],
  ['everything', 'rmsNorm', floats(60, 17), { shape: [3, 4, 5], axes: [2, 0], scale: floats(15, 18), residual: floats(60, 19), activation: 'relu', epsilon: 1e-6 }],
  ['channels first', 'instanceNorm', floats(2 * 3 * 35, 20, 3, 50), { shape: [2, 3, 5, 7], scale: floats(3, 21), bias: floats(3, 22) }],
  ['channels last', 'instanceNorm', floats(2 * 3 * 35, 23), { shape: [2, 5, 7, 3], layout: 'nhwc', activation: 'relu6' }],
  ['channels first', 'groupNorm', floats(2 * 6 * 35, 24), { shape: [2, 6, 5, 7], groups: 3, scale: floats(6, 25), bias: floats(6, 26), activation: 'silu' }],
  ['channels last', 'groupNorm', floats(2 * 6 * 35, 27, 1, 1e4), { shape: [2, 5, 7, 6], groups: 2, layout: 'nhwc', epsilon: 1e-3 }],
  ['defaults', 'meanVarianceNorm', floats(2 * 3 * 35, 28), { shape: [2, 3, 5, 7] }],
  ['axes', 'meanVarianceNorm', floats(24, 29), { shape: [2, 3, 4], axes: [-1, 0], epsilon: 0.5 }],
  ['defaults', 'lpNorm', floats(40, 30), { shape: [4, 10] }],
  ['p 1', 'lpNorm', floats(40, 31), { shape: [4, 10], axis: 0, p: 1, epsilon: 1e-3 }],
  ['defaults', 'localResponseNorm', floats(2 * 7 * 12, 32, 5), { shape: [2, 7, 3, 4], size: 5 }],
  ['numbers', 'localResponseNorm', floats(2 * 7 * 12, 33, 5), { shape: [2, 7, 12], size: 2, alpha: 0.1, beta: 0.5, bias: 2 }],
  ['defaults', 'adaptiveLayerNorm', floats(2 * 3 * 35, 34, 3, 50), { shape: [2, 3, 35] }],
  ['everything', 'adaptiveLayerNorm', floats(2 * 3 * 35, 35), { shape: [2, 3, 5, 7], scale: floats(14, 36), shift: floats(14, 37), epsilon: 1e-3 }],
  ['rows', 'weightNorm', floats(4 * 18, 38), { shape: [4, 2, 3, 3], g: floats(4, 39) }],
];
const byName = { layerNorm, batchNorm, rmsNorm, instanceNorm, groupNorm, meanVarianceNorm, lpNorm, localResponseNorm, adaptiveLayerNorm, weightNorm };
/** What each variant computed, by call. */
const seen = {};
const compare = (what, result) => {
  if (seen[what]) assert.deepEqual(result, seen[what], 'scalar and simd');
  seen[what] = result;
};

for (const variant of ['scalar', 'simd']) {
  describe(variant, () => {
    let runtime;
    const core = () => live('test');
    const start = async () => (runtime ??= await init({ variant }));
    after(() => runtime.dispose());

    test('what the API object says of itself', async () => {
      await start();
      const { api } = core();
      assert.equal(api.version, runtime.version);
      assert.equal(api.simd, variant === 'simd');
      assert.match(api.doc, /None\s+throws/);
      const functions = Object.keys(api).filter((name) => typeof api[name] === 'function');
      assert.deepEqual(functions.sort(), [
        ...api.operations, 'describe', 'dispose', 'exit', 'files', 'help', 'layer', 'limit', 'memory', 'open', 'profile', 'read', 'release', 'run', 'tensor', 'write',
      ].sort());
      for (const name of functions) {
        assert.ok(api[name].doc.startsWith(`${name}(`), name);
        assert.equal(api.help(name), api[name].doc);
        assert.ok(api.help().includes(api[name].doc));
      }
      const { code, name, status } = api.help('nothing');
      assert.deepEqual([code, name, status], ['INVALID_VALUE', 'NormError', 1]);
    });

    test('the numbers that the package has for operations are the module\'s', async () => {
      await start();
      const written = Object.entries(frames).filter(([, call]) => typeof call === 'function');
      assert.equal(written.length, core().api.operations.length);
      for (const [name, call] of written) assert.equal(core().api.operations[/\.(?:run|norm)\((\d+)\)/.exec(String(call))[1]], name);
    });

    for (const [name, operation, x, options] of calls) {
      test(`${operation}: ${name}`, async () => {
        await start();
        const { api } = core();
        const plain = byName[operation](x, options);
        assert.deepEqual(bits(api[operation](x, options)), bits(plain), 'arrays');

        // Resident, by both interfaces; the API object takes shapes from its tensors.
        const shape = options.shape ?? [x.length];
        const tensor = new Tensor('float32', x, shape).toWasm();
        const { shape: _, ...rest } = options;
        const y = byName[operation](tensor, rest);
        assert.deepEqual(bits(y.data), bits(plain), 'resident');
        // All of it resident, as the calls are that need no object.
        const all = Object.fromEntries(Object.entries(rest).map(([key, v]) => [key, v instanceof Float32Array ? new Tensor('float32', v).toWasm() : v]));
        const result = Tensor.zeros(shape, { location: 'wasm' });
        assert.equal(byName[operation](tensor, { ...all, out: result }), result);
        assert.deepEqual(bits(result.data), bits(plain), 'all resident');
        const t = api.tensor(shape, x);
        const z = api[operation](t, rest);
        assert.deepEqual([...z.shape], shape);
        assert.deepEqual(bits(api.read(z)), bits(plain), 'resident by the API object');
        assert.equal(api[operation](t, { ...rest, out: t }), t);
        assert.deepEqual(bits(api.read(t)), bits(plain), 'in place');
        const out = new Float32Array(x.length);
        assert.equal(api[operation](x, { ...options, out }), out);
        assert.deepEqual(bits(out), bits(plain));
        for (const own of [tensor, y, result, ...Object.values(all)]) if (own instanceof Tensor) own.dispose();
        for (const own of [t, z]) assert.equal(api.dispose(own), undefined);

        compare(`${operation} ${name}`, bits(plain));
      });
    }

    test('foldBatchNorm', async () => {
      await start();
      const weight = floats(4 * 3 * 9, 51);
      const { mean, variance, scale, bias: shift } = stats(4);
      const bias = floats(4, 52);
      const plain = foldBatchNorm({ weight, weightShape: [4, 3, 3, 3], bias, mean, variance, scale, shift, epsilon: 1e-3 });
      const outBias = new Float32Array(4);
      const other = core().api.foldBatchNorm(weight, { shape: [4, 3, 3, 3], bias, mean, variance, scale, shift, epsilon: 1e-3, outBias });
      assert.deepEqual(bits(other), bits(plain.weight));
      assert.deepEqual(bits(outBias), bits(plain.bias));
      assert.notEqual(outBias[3], 0);
      compare('fold', [bits(plain.weight), bits(plain.bias)]);
    });

    test('spectralNorm', async () => {
      await start();
      const { api } = core();
      const shape = [4, 3, 3, 3];
      const w = floats(4 * 27, 55);
      const layer = new SpectralNorm({ shape });
      const [u, v, sigma] = [layer.u.slice(), layer.v.slice(), new Float64Array(1)];
      for (const steps of [0, undefined, 3]) {
        const plain = layer.forward(w, { steps });
        assert.deepEqual(bits(api.spectralNorm(w, { shape, u, v, sigma, steps })), bits(plain.weight));
        assert.deepEqual([u, v, sigma[0]], [layer.u, layer.v, plain.sigma]);
        compare(`spectralNorm ${steps}`, [bits(plain.weight), u.slice(), v.slice(), plain.sigma]);
      }
      const t = api.tensor(shape, w);
      const y = api.spectralNorm(t, { u, v, sigma });
      assert.deepEqual(bits(api.read(y)), bits(layer.forward(w).weight));
      for (const wrong of [
        api.spectralNorm(w, { shape }), api.spectralNorm(w, { shape, u, v, sigma: new Float64Array(2) }), api.spectralNorm(w, { shape, u: v, v: u, sigma }), api.spectralNorm(w, { shape, u, v, sigma, steps: -1 }),
        api.spectralNorm(w, { shape, u, v, sigma, steps: 1e9 }), api.spectralNorm(w, { shape, u: new Float32Array(8), v, sigma }), api.spectralNorm(w, { u, v, sigma }), api.spectralNorm(w, { shape: [], u, v, sigma }),
      ]) {
        assert.ok(wrong instanceof Error, String(wrong));
        assert.notEqual(wrong.code, 'INTERNAL', wrong.message);
        assert.deepEqual([u, v], [layer.u, layer.v], wrong.message);
      }
      for (const own of [t, y]) api.dispose(own);
    });

    test('second results', async () => {
      await start();
      for (const [operation, shape, groups, names] of [
        ['layerNorm', [4, 10], 4, ['mean', 'invStdDev', 'sum']], ['rmsNorm', [4, 10], 4, ['invStdDev', 'sum']],
        ['groupNorm', [2, 4, 5], 4, ['mean', 'invStdDev']], ['adaptiveLayerNorm', [2, 2, 10], 4, ['mean', 'invStdDev']], ['instanceNorm', [2, 4, 5], 8, ['mean', 'invStdDev']],
      ]) {
        const x = floats(40, 53, 2, 9);
        const results = () => Object.fromEntries(names.map((name) => [name, new Float32Array(name === 'sum' ? 40 : groups)]));
        const [one, other] = [results(), results()];
        const options = { shape, ...(names.includes('sum') ? { residual: floats(40, 54) } : {}), ...(operation === 'groupNorm' ? { groups: 2 } : {}) };
        byName[operation](x, { ...options, ...one });
        core().api[operation](x, { ...options, ...other });
        for (const name of names) {
          assert.ok(one[name].every((v) => v !== 0), `${operation} ${name}`);
          assert.deepEqual(bits(one[name]), bits(other[name]), `${operation} ${name}`);
          compare(`${operation} ${name}`, bits(one[name]));
        }
      }
    });

    test('tensors', async () => {
      await start();
      const { api, memory } = core();
      const t = api.tensor([2, 2], Float32Array.of(1, 2, 3, 4));
      assert.deepEqual([t.type, [...t.shape]], ['float32', [2, 2]]);
      assert.deepEqual([...memory.view(Float32Array, t.address, 4)], [1, 2, 3, 4]);
      assert.equal(t.address % 64, 0);
      assert.equal(api.write(t, Float32Array.of(5, 6, 7, 8)), undefined);
      assert.deepEqual([...api.read(t)], [5, 6, 7, 8]);
      assert.equal(api.memory().tensors, 1);
      assert.equal(api.memory().inUse, 16);
      assert.equal(api.dispose(t), undefined);
      assert.equal(api.dispose(t).code, 'DISPOSED');
      assert.equal(api.read(t).code, 'DISPOSED');
      assert.equal(api.write(t, new Float32Array(4)).code, 'DISPOSED');
      assert.equal(api.memory().tensors, 0);
    });

    test('sessions', async () => {
      await start();
      const { api } = core();
      const file = twoOutputs();
      const s = api.open(file, { graphOptimizationLevel: 'none', freeDimensionOverrides: { n: 2 } });
      const d = api.describe(s);
      assert.deepEqual(d.inputs, [{ name: 'x', type: 'float32', shape: [2, 3], state: false }]);
      assert.deepEqual(d.ops, [{ op: 'Relu', count: 1 }, { op: 'Add', count: 1 }]);
      const data = floats(6, 41);
      const feeds = { x: { shape: [2, 3], data } };
      const plain = api.run(s, feeds);
      const profiled = api.profile(s, feeds);
      assert.deepEqual(profiled.outputs, plain);
      assert.deepEqual(profiled.nodes.map((n) => n.op), ['Relu', 'Add']);
      assert.ok(profiled.totalMs >= 0);

      const session = await InferenceSession.create(file);
      const results = await session.run({ x: new Tensor('float32', data, [2, 3]) });
      for (const name of ['y', 'z']) {
        assert.deepEqual(bits(results[name].data), bits(plain[name].data));
        assert.deepEqual([...results[name].dims], plain[name].shape);
        assert.equal(results[name].type, plain[name].type);
      }
      await session.release();
      assert.equal(api.memory().sessions, 1);
      assert.equal(api.release(s), undefined);
      assert.equal(api.release(s).code, 'DISPOSED');
      assert.equal(api.run(s, feeds).code, 'DISPOSED');
      assert.equal(api.memory().sessions, 0);
    });

    test('failures are returned by one lane and thrown by the other, in the same words', async () => {
      await start();
      const { api } = core();
      const x = new Float32Array(8);
      const two = new Float32Array(2);
      const detached = new Float32Array(8);
      structuredClone(detached.buffer, { transfer: [detached.buffer] });
      for (const [operation, options] of [
        ['layerNorm', { shape: [3, 3] }], ['layerNorm', { scale: two }], ['layerNorm', { axes: [3] }], ['layerNorm', { epsilon: -1 }], ['layerNorm', { epsilon: NaN }],
        ['layerNorm', { out: two }], ['layerNorm', { residual: two }], ['layerNorm', { sum: x }],
        ['rmsNorm', { scale: two }], ['groupNorm', { shape: [2, 4], groups: 3 }], ['instanceNorm', { shape: [2, 4], bias: two }], ['lpNorm', { p: 3 }], ['lpNorm', { axis: 1 }],
        ['localResponseNorm', { shape: [2, 4], size: 0 }], ['localResponseNorm', { shape: [2, 4], size: 1, beta: NaN }], ['meanVarianceNorm', { axes: [7] }], ['adaptiveLayerNorm', {}], ['adaptiveLayerNorm', { shape: [2, 4], scale: two }], ['adaptiveLayerNorm', { shape: [2, 4], epsilon: -1 }],
        ['weightNorm', { shape: [4, 2], g: two }], ['weightNorm', { shape: [], g: two }], ['batchNorm', { mean: two, variance: two }], ['batchNorm', { shape: [2, 4], mean: two, variance: two }],
      ]) {
        const error = api[operation](x, options);
        assert.ok(error instanceof Error, JSON.stringify(options));
        assert.throws(() => byName[operation](x, options), { name: error.name, code: error.code, message: error.message });
      }
      for (const wrong of [
        api.layerNorm(), api.layerNorm([1, 2]), api.layerNorm(new Float64Array(2)), api.layerNorm(x, { scale: 5 }), api.layerNorm(x, { axes: 'last' }),
        api.layerNorm(x, { shape: [1.5] }), api.layerNorm(x, { epsilon: 'small' }), api.layerNorm({ handle: 12345 }), api.layerNorm(detached, { shape: [8] }),
        api.batchNorm(x, { layout: 'hwc', mean: x, variance: x }), api.batchNorm(x, { activation: 'gelu', mean: x, variance: x }), api.batchNorm(x),
        api.groupNorm(x, { shape: [2, 4] }), api.localResponseNorm(x, { shape: [2, 4] }), api.lpNorm(x, { axis: 0.5 }), api.lpNorm(x, { p: '2' }), api.foldBatchNorm(x),
        api.foldBatchNorm(x, { shape: [2, 4], mean: two, variance: two }), api.rmsNorm(x, { scale: new Float64Array(8) }),
        api.tensor('2'), api.tensor([-1]), api.tensor([2], new Float32Array(3)), api.tensor([1 << 20, 1 << 20]), api.read({}), api.read(), api.write(), api.dispose(5),
        api.open(), api.open(new Uint8Array(10)), api.open(twoOutputs(), { graphOptimizationLevel: 'some' }), api.open(twoOutputs(), { freeDimensionOverrides: { n: 'x' } }),
        api.describe(77), api.describe('x'), api.run(), api.release(0), api.layerNorm(x, { get shape() { throw new Error('a getter that fails'); } }),
      ]) {
        assert.ok(wrong instanceof Error, String(wrong));
        assert.notEqual(wrong.code, 'INTERNAL', wrong.message);
        assert.ok(wrong.message.length > 10);
      }
      assert.deepEqual({ ...api.memory(), scratch: 0 }, { inUse: 0, tensors: 0, sessions: 0, scratch: 0 });
      assert.deepEqual(layerNorm(new Float32Array(2)), new Float32Array(2), 'and the module is well');
    });
  });
}
