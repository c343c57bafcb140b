// The layers without parameters: forward and gradients against float64, power
// iteration, and what they refuse.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import {
  AdaptiveLayerNorm, DisposedError, LocalResponseNorm, LpNorm, NormError, ShapeError, SpectralNorm, Tensor, adaptiveLayerNorm, init, localResponseNorm, lpNorm,
} from '../src/index.js';
import { live } from '../src/runtime.js';
import { detached, distance, floats, groupedOracle } from './data.mjs';

const held = [];
const own = (thing) => {
  held.push(thing);
  return thing;
};
afterEach(() => held.splice(0).forEach((thing) => thing.dispose()));
const bits = (array) => new Uint32Array(array.buffer, array.byteOffset, array.length);
const near = (got, want, what, tolerance = 3e-6) => assert.ok(distance(got, want) <= tolerance, `${what}: off by ${distance(got, want)}`);
const resident = (array, shape) => own(new Tensor('float32', array, shape).toWasm());
const product = (list) => list.reduce((a, b) => a * b, 1);

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

/** x/max(‖x‖, ε) of [outer n inner] along n. */
function lpOracle(x, n, inner, p, epsilon) {
  const group = (i) => Math.floor(i / (n * inner)) * inner + (i % inner);
  const sums = new Map();
  x.forEach((v, i) => sums.set(group(i), (sums.get(group(i)) ?? 0) + Math.abs(v) ** p));
  return Float64Array.from(x, (v, i) => v / Math.max(sums.get(group(i)) ** (1 / p), epsilon) || 0);
}

function responseOracle(x, channels, inner, { size, alpha = 1e-4, beta = 0.75, bias = 1 }) {
  return Float64Array.from(x, (v, i) => {
    const c = Math.floor(i / inner) % channels;
    let sum = 0;
    for (let k = Math.max(0, c - Math.floor((size - 1) / 2)); k <= Math.min(channels - 1, c + Math.floor(size / 2)); k++) sum += x[i + (k - c) * inner] ** 2;
    return v / (bias + (alpha / size) * sum) ** beta;
  });
}

function adaptiveOracle(x, [n, ...rest], { scale, shift }) {
  const cols = rest.at(-1);
  const parameter = (i) => Math.floor(i / (x.length / n)) * cols + (i % cols);
  return groupedOracle(x, (i) => Math.floor(i / cols), parameter, { scale: scale && Float64Array.from(scale, (v) => 1 + v), bias: shift, epsilon: 1e-3 }).y;
}

/** Each layer with a shape, its oracle and what goes with x. */
const cases = [
  { name: 'AdaptiveLayerNorm', make: () => new AdaptiveLayerNorm({ features: 7, epsilon: 1e-3 }), shape: [3, 2, 2, 7], features: 21,
    oracle: (x, o) => adaptiveOracle(x, [3, 2, 2, 7], o), call: (x, o) => adaptiveLayerNorm(x, { ...o, epsilon: 1e-3 }), operation: 'adaptiveLayerNorm', options: { epsilon: 1e-3 }, groups: 12 },
];
for (const [axis, n, inner] of [[-1, 7, 1], [1, 4, 7], [0, 3, 28]]) {
  for (const [p, epsilon] of [[1, 0], [2, 0], [1, 1e-3], [2, 1e-3]]) {
    const o = { axis, p, epsilon };
    cases.push({ name: `LpNorm ${JSON.stringify(o)}`, make: () => new LpNorm(o), shape: [3, 4, 7], oracle: (x) => lpOracle(x, n, inner, p, epsilon), call: (x, s) => lpNorm(x, { ...s, ...o }), operation: 'lpNorm', options: o });
  }
}
for (const o of [{ size: 5 }, { size: 2, alpha: 0.7, beta: 0.5, bias: 2 }, { size: 3, alpha: 2, beta: 0.3, bias: 0.5 }]) {
  cases.push({ name: `LocalResponseNorm ${JSON.stringify(o)}`, make: () => new LocalResponseNorm(o), shape: [2, 6, 5], oracle: (x) => responseOracle(x, 6, 5, o), call: (x, s) => localResponseNorm(x, { ...s, ...o }), operation: 'localResponseNorm', options: o });
}
/** Bits by what they are of, from the first variant. */
const seen = {};
const compare = (what, result) => {
  if (seen[what]) assert.deepEqual(result, seen[what], 'scalar and simd');
  seen[what] = result;
};

for (const variant of ['simd', 'scalar']) {
  describe(variant, () => {
    let runtime;
    before(async () => {
      runtime = await init({ variant });
    });
    after(() => runtime.dispose());

    for (const c of cases) {
      const { shape } = c;
      const size = product(shape);
      const x = floats(size, 1, 2, 0.5).map((v) => (Math.abs(v) < 0.01 ? 0.3 : v)); // |x| has no derivative at 0
      const dy = floats(size, 2);
      const given = c.features ? { scale: floats(c.features, 3), shift: floats(c.features, 4) } : {};

      test(`${c.name}: forward and backward`, () => {
        const layer = own(c.make());
        const y = layer.forward(x, { shape, ...given });
        near(y, c.oracle(x, given), 'y');
        assert.deepEqual(bits(y), bits(c.call(x, { shape, ...given })), 'as the function');
        const { dx, ...gradients } = layer.backward(dy);
        near(dx, differences((v) => c.oracle(v, given), x, dy), 'dx', 1e-5);
        assert.deepEqual(Object.keys(gradients), c.features ? ['dscale', 'dshift'] : []);
        for (const name of Object.keys(given)) near(gradients[`d${name}`], differences((v) => c.oracle(x, { ...given, [name]: v }), given[name], dy), `d${name}`, 1e-5);
        assert.deepEqual(bits(layer.backward(dy).dx), bits(dx), 'more than once');

        // Resident operands: the same bits, the same kind.
        const other = own(c.make());
        const t = own(other.forward(resident(x, shape), Object.fromEntries(Object.entries(given).map(([name, v]) => [name, resident(v, [v.length])]))));
        assert.deepEqual([t.location, t.dims], ['wasm', shape]);
        assert.deepEqual(bits(t.data), bits(y));
        const back = other.backward(resident(dy, shape));
        own(back.dx);
        assert.deepEqual([back.dx.location, back.dx.dims], ['wasm', shape]);
        assert.deepEqual(bits(back.dx.data), bits(dx));
        for (const [name, v] of Object.entries(gradients)) assert.deepEqual(bits(back[name]), bits(v));
        const into = new Float32Array(size);
        assert.equal(other.backward(dy, { out: into }).dx, into);
        assert.deepEqual(bits(into), bits(dx));
        const last = dy.slice();
        assert.equal(other.backward(last, { out: last }).dx, last, 'over dy');
        assert.deepEqual(bits(last), bits(dx));

        // The API object computes the same.
        const { api } = live('test');
        const stats = c.groups ? { mean: new Float32Array(c.groups), invStdDev: new Float32Array(c.groups) } : {};
        assert.deepEqual(bits(api[c.operation](x, { shape, ...c.options, ...given, ...stats })), bits(y));
        const results = Object.fromEntries(Object.entries(gradients).map(([name, v]) => [name, new Float32Array(v.length)]));
        assert.deepEqual(bits(api[`${c.operation}Backward`](dy, { shape, x, ...c.options, scale: given.scale, ...stats, ...results })), bits(dx));
        assert.deepEqual(results, gradients);
        compare(c.name, [y, dx, ...Object.values(gradients)].map(bits));
      });

      test(`${c.name}: mistakes change nothing`, () => {
        const layer = own(c.make());
        assert.throws(() => layer.backward(dy), { name: 'NormError', message: /there was no forward/ });
        layer.forward(x, { shape, ...given });
        const want = layer.backward(dy);
        for (const [f, error] of [
          [() => layer.forward(x, { shape: [...shape.slice(0, -1), 99] }), { name: 'ShapeError' }], [() => layer.forward(x.subarray(1), { shape }), { name: 'ShapeError' }],
          [() => layer.forward([1, 2, 3]), { name: 'NormError', message: /x is a plain array/ }], [() => layer.forward(x, 7), { name: 'NormError', message: /options is a number/ }],
          [() => layer.forward(detached(size), { shape }), { code: 'DETACHED' }], [() => layer.forward(x, { shape, out: new Float32Array(3) }), { name: 'ShapeError', message: /out has 3 elements/ }],
          [() => layer.backward(dy.subarray(1)), { name: 'ShapeError', message: new RegExp(`dy has ${size - 1} elements, want ${size}`) }],
          [() => layer.backward(resident(dy, [size])), { name: 'ShapeError', message: /dy is \[\d+\], want \[/ }], [() => layer.backward(), { name: 'NormError' }],
          [() => layer.backward(new Float64Array(size).fill(0.1)), { message: /dy\[0\] is 0.1, which float32 does not have exactly/ }], [() => layer.backward(dy, 5), { name: 'NormError', message: /options is a number/ }],
          [() => layer.backward(dy, { out: new Float32Array(3) }), { name: 'ShapeError', message: /out has 3 elements/ }],
        ]) {
          assert.throws(f, error);
          assert.deepEqual(layer.backward(dy), want, String(f));
        }

        const gone = new Tensor('float32', x, shape).toWasm();
        own(layer.forward(gone));
        gone.dispose();
        assert.throws(() => layer.backward(dy), { name: 'DisposedError', message: /x: the tensor/ });
        const over = resident(x, shape);
        assert.equal(layer.forward(over, { ...given, out: over }), over);
        assert.throws(() => layer.backward(dy), { name: 'NormError', message: /the latest forward wrote its result over x/ });
        const kept = x.slice();
        layer.forward(kept, { shape, ...given });
        assert.equal(layer.backward(dy, { out: kept }).dx, kept);
        assert.deepEqual(bits(kept), bits(want.dx));
        assert.throws(() => layer.backward(dy), { name: 'NormError', message: /an earlier backward wrote its result over x/ });

        layer.forward(x, { shape, ...given });
        layer.dispose();
        layer.dispose();
        assert.throws(() => layer.forward(x, { shape }), { name: 'DisposedError', message: /the layer was disposed/ });
        assert.throws(() => layer.backward(dy), DisposedError);
      });

      test(`${c.name}: no examples`, () => {
        const layer = own(c.make());
        assert.equal(layer.forward(new Float32Array(0), { shape: [0, ...shape.slice(1)] }).length, 0);
        assert.deepEqual([...layer.backward(new Float32Array(0)).dx], []);
      });
    }

    describe('AdaptiveLayerNorm', () => {
      const shape = [2, 3, 4];
      const [x, dy, scale, shift] = [floats(24, 11), floats(24, 12), floats(8, 13), floats(8, 14)];
      const make = () => own(new AdaptiveLayerNorm({ features: 4, epsilon: 1e-3 }));

      test('scale and shift may be left out, and have gradients all the same', () => {
        for (const given of [{}, { scale }, { shift }, { scale: null, shift: null }]) {
          const layer = make();
          near(layer.forward(x, { shape, ...given }), adaptiveOracle(x, shape, given), 'y');
          const { dx, dscale, dshift } = layer.backward(dy);
          const f = (v, o) => adaptiveOracle(v, shape, { ...given, ...o });
          near(dx, differences((v) => f(v), x, dy), 'dx', 1e-5);
          near(dscale, differences((v) => f(x, { scale: v }), given.scale ?? new Float32Array(8), dy), 'dscale', 1e-5);
          near(dshift, differences((v) => f(x, { shift: v }), given.shift ?? new Float32Array(8), dy), 'dshift', 1e-5);
        }
      });

      test('no tokens, no features', () => {
        const layer = make();
        layer.forward(new Float32Array(0), { shape: [2, 0, 4], scale });
        assert.deepEqual(layer.backward(new Float32Array(0)), { dx: new Float32Array(0), dscale: new Float32Array(8), dshift: new Float32Array(8) });
        const none = own(new AdaptiveLayerNorm({ features: 0 }));
        none.forward(new Float32Array(0), { shape: [2, 3, 0] });
        assert.equal(none.backward(new Float32Array(0)).dscale.length, 0);
      });

      test('what goes with x goes with its pass', () => {
        const layer = make();
        layer.forward(x, { shape, scale, shift });
        const want = layer.backward(dy);
        for (const [f, message] of [
          [() => layer.forward(x, { shape, scale: shift.subarray(1) }), /scale has 7 elements, want 8/], [() => layer.forward(x, { shape, shift: x }), /shift has 24 elements, want 8/],
          [() => layer.forward(x, { shape: [2, 4, 3] }), /x \[2 4 3\] has 3 features, want 4/], [() => layer.forward(x), /x \[24\] has 24 features|rank 1/],
          [() => layer.forward(x.subarray(0, 4)), /rank 1, want at least 2/], [() => layer.forward(x, { shape: [] }), /rank 0|x has 24 elements/],
        ]) {
          assert.throws(f, { name: 'ShapeError', message });
          assert.deepEqual(layer.backward(dy), want);
        }
        assert.throws(() => layer.forward(x, { shape, scale: 5 }), { name: 'NormError', message: /AdaptiveLayerNorm.forward: scale is a number/ });
        assert.deepEqual(layer.backward(dy), want);

        const t = new Tensor('float32', scale, [2, 4]).toWasm();
        layer.forward(x, { shape, scale: t });
        t.dispose();
        assert.throws(() => layer.backward(dy), { name: 'DisposedError', message: /scale: the tensor/ });
        // A result over scale, by either pass.
        const [one, all] = [floats(4, 15), new Float32Array(8)];
        layer.forward(x.subarray(0, 4), { shape: [1, 4], scale: one, out: one });
        assert.throws(() => layer.backward(dy.subarray(0, 4)), { name: 'NormError', message: /the latest forward wrote its result over scale/ });
        layer.forward(x.subarray(0, 4), { shape: [1, 4], scale: all.subarray(2, 6) });
        layer.backward(dy.subarray(0, 4), { out: all.subarray(4) });
        assert.throws(() => layer.backward(dy.subarray(0, 4)), { name: 'NormError', message: /an earlier backward wrote its result over scale/ });
        const row = resident(one, [1, 4]);
        layer.forward(x.subarray(0, 4), { shape: [1, 4], scale: row });
        assert.throws(() => layer.backward(dy.subarray(0, 4), { out: row }), { name: 'NormError', message: /out and scale are the same memory/ });
        assert.equal(layer.backward(dy.subarray(0, 4)).dx.length, 4, 'an error forgets nothing');
      });
    });

    test('LpNorm of zeros, and below ε', () => {
      const layer = own(new LpNorm());
      assert.deepEqual(layer.forward(new Float32Array(4)), new Float32Array(4));
      assert.deepEqual(layer.backward(floats(4, 21)).dx, new Float32Array(4));
      const small = own(new LpNorm({ epsilon: 8 }));
      near(small.forward(Float32Array.of(3, 4)), [3 / 8, 0.5], 'y');
      near(small.backward(Float32Array.of(1, 2)).dx, [1 / 8, 1 / 4], 'dx');
    });

    describe('SpectralNorm', () => {
      /** Power iteration in float64, from the layer's own vectors. */
      const iterate = (w, rows, cols, u, v, steps) => {
        const unit = (list) => {
          const length = Math.hypot(...list);
          return list.map((e) => e / length);
        };
        let [a, b] = [[...u], [...v]];
        for (let i = 0; i < steps; i++) {
          b = unit(b.map((_, c) => a.reduce((sum, e, r) => sum + e * w[r * cols + c], 0)));
          a = unit(a.map((_, r) => b.reduce((sum, e, c) => sum + e * w[r * cols + c], 0)));
        }
        const sigma = a.reduce((sum, e, r) => sum + e * b.reduce((s, f, c) => s + f * w[r * cols + c], 0), 0);
        return { u: a, v: b, sigma, weight: Float64Array.from(w, (e) => e / sigma) };
      };

      test('starts as norm does', () => {
        const { u, v } = new SpectralNorm({ shape: [2, 3] }); // the numbers of norm's own
        assert.deepEqual([u, v], [Float64Array.of(-0.24867096338016934, 0.9685880197336629), Float64Array.of(0.9227480261381786, -0.031200032916485845, -0.3841388267333899)]);
        const long = new SpectralNorm({ shape: [64, 3, 7, 7] });
        assert.deepEqual([long.u.length, long.v.length], [64, 147]);
        for (const vector of [long.u, long.v]) near([Math.hypot(...vector)], [1], 'length', 1e-14);
      });

      test('forward', () => {
        for (const shape of [[4, 6], [3, 2, 3, 3], [1, 5], [5, 1], [7]]) {
          const w = floats(product(shape), 31, 3);
          const [rows, cols] = [shape[0], product(shape.slice(1))];
          const [layer, other] = [own(new SpectralNorm({ shape })), own(new SpectralNorm({ shape }))];
          const t = resident(w, shape);
          for (const steps of [0, undefined, 1, 20]) {
            const want = iterate(w, rows, cols, layer.u, layer.v, steps ?? 1);
            const { weight, sigma } = layer.forward(w, { steps });
            near(weight, want.weight, `${shape} after ${steps}`, 1e-5);
            near([sigma, ...layer.u, ...layer.v], [want.sigma, ...want.u, ...want.v], `${shape} after ${steps}`, 1e-12);
            const on = other.forward(t, { steps });
            assert.deepEqual([own(on.weight).location, on.weight.dims, on.sigma, other.u, other.v], ['wasm', shape, sigma, layer.u, layer.v]);
            assert.deepEqual(bits(on.weight.data), bits(weight));
            compare(`${shape} ${steps}`, [bits(weight), sigma, layer.u.slice(), layer.v.slice()]);
          }
          const { weight } = layer.forward(w);
          const over = w.slice();
          assert.equal(other.forward(over, { out: over }).weight, over);
          assert.deepEqual(bits(over), bits(weight));
          assert.equal(layer.forward(t, { out: t }).weight, t);
        }
      });

      test('converge', () => {
        // Of known singular values: a rotation of (3, 2, 1).
        const [c, s] = [Math.cos(0.7), Math.sin(0.7)];
        const w = Float32Array.from([3 * c, -2 * s, 0, 3 * s, 2 * c, 0, 0, 0, 1]);
        const layer = own(new SpectralNorm({ shape: [3, 3] }));
        const steps = layer.converge(w, { tolerance: 1e-12 });
        assert.ok(steps > 5 && steps < 200, `${steps} steps`);
        near([layer.forward(w, { steps: 0 }).sigma], [3], 'sigma', 1e-6);
        assert.ok(layer.converge(w) <= 2, 'it stays there');
        const other = own(new SpectralNorm({ shape: [3, 3] }));
        assert.equal(other.converge(resident(w, [3, 3]), { tolerance: 1e-12 }), steps);
        assert.equal(other.converge(floats(9, 32), { tolerance: 0, limit: 3 }), 3);
        const before = [other.u.slice(), other.v.slice()];
        assert.equal(other.converge(w, { limit: 0 }), 0);
        assert.deepEqual([other.u, other.v], before);
        assert.deepEqual(own(new SpectralNorm({ shape: [2, 2] })).forward(new Float32Array(4)), { weight: new Float32Array(4), sigma: 0 });
      });

      test('vectors that are replaced', () => {
        const w = floats(6, 33);
        const [layer, other] = [own(new SpectralNorm({ shape: [2, 3] })), own(new SpectralNorm({ shape: [2, 3] }))];
        layer.forward(w, { steps: 5 });
        other.u = layer.u.slice();
        other.v.set(layer.v);
        const kept = other.u;
        assert.deepEqual(other.forward(w), layer.forward(w));
        assert.equal(other.u, kept, 'the same array');
        assert.deepEqual(kept, layer.u);
      });

      test('mistakes change nothing', () => {
        const w = floats(6, 34);
        const layer = own(new SpectralNorm({ shape: [2, 3] }));
        layer.forward(w);
        const [u, v] = [layer.u, layer.v];
        const before = [u.slice(), v.slice()];
        const gone = new Tensor('float32', w, [2, 3]).toWasm();
        gone.dispose();
        for (const [f, Class, message] of [
          [() => layer.forward(w.subarray(1)), ShapeError, /w has 5 elements, want 6 \(2 rows of 3\)/], [() => layer.forward(resident(w, [3, 2])), ShapeError, /w is \[3 2\], want \[2 3\]/],
          [() => layer.forward([1, 2]), NormError, /SpectralNorm.forward: w is a plain array/], [() => layer.forward(), NormError, /w is undefined/], [() => layer.forward(w, 1), NormError, /options is a number/],
          [() => layer.forward(detached(6)), NormError, /w is detached/], [() => layer.forward(gone), DisposedError, /w: the tensor/],
          [() => layer.forward(w, { steps: -1 }), NormError, /steps is -1, want at least 0/], [() => layer.forward(w, { steps: 1.5 }), ShapeError, /steps is 1\.5, want a whole number/],
          [() => layer.forward(w, { steps: '1' }), NormError, /steps is a string/], [() => layer.forward(w, { steps: 1000001 }), NormError, /steps is 1000001, want at most 1000000/],
          [() => layer.forward(w, { out: new Float32Array(5) }), ShapeError, /out has 5 elements, want 6/], [() => layer.converge(w.subarray(1)), ShapeError, /w has 5 elements/],
          [() => layer.converge(w, { tolerance: NaN }), NormError, /SpectralNorm.converge: tolerance is NaN, want a finite number of at least 0/], [() => layer.converge(w, { tolerance: -1 }), NormError, /tolerance is -1/],
          [() => layer.converge(w, { limit: -1 }), NormError, /limit is -1, want at least 0/], [() => layer.converge(w, { limit: '5' }), NormError, /limit is a string/], [() => layer.converge(w, null), NormError, /options is null/],
        ]) {
          let error;
          try {
            f();
          } catch (e) {
            error = e;
          }
          assert.equal(error?.constructor, Class, `${f}: ${error}`);
          assert.match(error.message, message);
          assert.deepEqual([u, v], before, String(f));
        }
        for (const [key, wrong, Class, message] of [
          ['u', new Float64Array(3), ShapeError, /u has 3 elements, want 2/], ['v', new Float32Array(3), NormError, /v is a Float32Array, want a Float64Array/],
          ['v', detached(3, Float64Array), NormError, /v is detached/], ['u', undefined, NormError, /u is undefined/], ['u', v.subarray(0, 2), NormError, /v and u are the same memory/],
        ]) {
          const kept = layer[key];
          layer[key] = wrong;
          assert.throws(() => layer.forward(w), (error) => error.constructor === Class && message.test(error.message), key);
          layer[key] = kept;
          assert.deepEqual([u, v], before);
        }
        layer.dispose();
        assert.throws(() => layer.forward(w), { name: 'DisposedError', message: /SpectralNorm.forward: the layer was disposed/ });
        assert.throws(() => layer.converge(w), DisposedError);
      });
    });

    test('constructors say what is wrong', () => {
      for (const [f, Class, message] of [
        [() => new AdaptiveLayerNorm(), NormError, /AdaptiveLayerNorm: options is undefined/], [() => new AdaptiveLayerNorm({}), NormError, /features is undefined/],
        [() => new AdaptiveLayerNorm({ features: -1 }), ShapeError, /features is -1/], [() => new AdaptiveLayerNorm({ features: 4, epsilon: -1 }), NormError, /epsilon is -1/],
        [() => new LpNorm(null), NormError, /LpNorm: options is null/], [() => new LpNorm({ p: 3 }), NormError, /p is 3, want 1 or 2/], [() => new LpNorm({ p: '2' }), NormError, /p is a string/],
        [() => new LpNorm({ axis: 0.5 }), ShapeError, /axis is 0\.5, want a whole number/], [() => new LpNorm({ axis: '0' }), NormError, /axis is a string/], [() => new LpNorm({ epsilon: NaN }), NormError, /epsilon is NaN/],
        [() => new LpNorm({ axis: 1 }).forward(floats(3, 1)), ShapeError, /axis 1 is out of range for x \[3\]/],
        [() => new LocalResponseNorm(), NormError, /LocalResponseNorm: options is undefined/], [() => new LocalResponseNorm({}), NormError, /size is undefined/],
        [() => new LocalResponseNorm({ size: 0 }), NormError, /size is 0, want at least 1/], [() => new LocalResponseNorm({ size: 1.5 }), ShapeError, /size is 1\.5/],
        [() => new LocalResponseNorm({ size: 1, beta: Infinity }), NormError, /beta is Infinity, want a finite number/], [() => new LocalResponseNorm({ size: 1, bias: '1' }), NormError, /bias is a string/],
        [() => new LocalResponseNorm({ size: 1 }).forward(floats(3, 1)), ShapeError, /rank 1, want at least 2/],
        [() => new SpectralNorm(), NormError, /SpectralNorm: options is undefined/], [() => new SpectralNorm({}), NormError, /shape is undefined/], [() => new SpectralNorm({ shape: [] }), ShapeError, /shape is \[\]/],
        [() => new SpectralNorm({ shape: [3, 0] }), ShapeError, /shape is \[3 0\]/], [() => new SpectralNorm({ shape: [-1] }), ShapeError, /shape\[0\] is -1/], [() => new SpectralNorm({ shape: [2 ** 20, 2 ** 20] }), ShapeError, /more than memory/],
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

    test('nothing is left', () => {
      const before = runtime.memory();
      const [x, scale] = [resident(floats(8 * 8 * 64, 51), [8, 8, 64]), resident(floats(8 * 64, 52), [8, 64])];
      const spectral = new SpectralNorm({ shape: [8, 8, 64] });
      for (let i = 0; i < 50; i++) {
        for (const [layer, o] of [[new AdaptiveLayerNorm({ features: 64 }), { scale }], [new LpNorm(), {}], [new LocalResponseNorm({ size: 3 }), {}]]) {
          const y = layer.forward(x, o);
          const { dx } = layer.backward(y);
          assert.throws(() => layer.forward(x, { shape: [2] }), NormError);
          assert.throws(() => layer.backward(resident(new Float32Array(1), [1])), ShapeError);
          for (const thing of [y, dx, layer]) thing.dispose();
        }
        spectral.forward(x).weight.dispose();
        assert.throws(() => spectral.forward(x, { steps: -1 }), NormError);
        assert.equal(spectral.converge(x, { limit: 2, tolerance: 0 }) <= 2, true);
      }
      held.splice(0).forEach((thing) => thing.dispose());
      const now = runtime.memory();
      assert.deepEqual([now.inUse, now.tensors], [before.inUse, before.tensors]);
    });
  });
}
