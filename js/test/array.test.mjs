// Tensors to and from nested arrays, and as text.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { inspect } from 'node:util';
import vm from 'node:vm';
import { NormError, ShapeError, Tensor, UnsupportedError, init } from 'normwasm';
import { fromHalf, toHalf } from '../src/half.js';
import { detached, floats } from './data.mjs';

let runtime;
before(async () => {
  runtime = await init();
});
after(() => runtime.dispose());

const dims = (t) => [...t.dims];

test('types are inferred', () => {
  for (const [nested, type, data] of [
    [[[1, 2, 3], [4, 5, 6.5]], 'float32', Float32Array.of(1, 2, 3, 4, 5, 6.5)],
    [[[true], [false]], 'bool', Uint8Array.of(1, 0)],
    [[-(2n ** 63n), 5n], 'int64', BigInt64Array.of(-(2n ** 63n), 5n)],
    [[['a', ''], ['c', 'd']], 'string', ['a', '', 'c', 'd']],
    [[Float64Array.of(1, 2), Float64Array.of(3, 4)], 'float64', Float64Array.of(1, 2, 3, 4)],
    [Uint8ClampedArray.of(1, 255), 'uint8', Uint8Array.of(1, 255)],
    [[BigUint64Array.of(2n ** 64n - 1n)], 'uint64', BigUint64Array.of(2n ** 64n - 1n)],
    [[Float32Array.of(1), [2]], 'float32', Float32Array.of(1, 2)],
    [[[]], 'float32', new Float32Array(0)],
  ]) {
    const t = Tensor.from(nested);
    assert.equal(t.type, type);
    assert.deepEqual(t.data, data);
    assert.equal(t.location, 'cpu');
  }
});

test('dims', () => {
  assert.deepEqual(dims(Tensor.from([[[1], [2]], [[3], [4]], [[5], [6]]])), [3, 2, 1]);
  assert.deepEqual(dims(Tensor.from(7)), []);
  assert.deepEqual(dims(Tensor.from([])), [0]);
  assert.deepEqual(dims(Tensor.from([[], []])), [2, 0]);
  assert.deepEqual(dims(Tensor.from('abc')), [], 'a string is an element, not an array of characters');
  assert.deepEqual(dims(Tensor.from(vm.runInNewContext('[[1, 2]]'))), [1, 2]);
  assert.deepEqual(dims(Tensor.from(vm.runInNewContext('new Float32Array(3)'))), [3]);
});

test('types that are given', () => {
  assert.deepEqual(Tensor.from([1.5, 65504, 1e9, -0], 'float16').data, Uint16Array.of(0x3e00, 0x7bff, 0x7c00, 0x8000));
  assert.deepEqual(Tensor.from([1, -2, 3n], 'int64').data, BigInt64Array.of(1n, -2n, 3n));
  assert.deepEqual(Tensor.from([0, 1, true], 'bool').data, Uint8Array.of(0, 1, 1));
  assert.deepEqual(Tensor.from(Float32Array.of(1, 200), 'uint8').data, Uint8Array.of(1, 200));
  assert.deepEqual(Tensor.from([0.1], 'float64').data, Float64Array.of(0.1));
  assert.equal(Tensor.from([], 'string').data.length, 0);
});

test('ragged arrays: the error names the place', () => {
  for (const [nested, message] of [
    [[[1, 2, 3], [4, 5]], 'Tensor.from: [1] has 2 elements, want 3 as at [0]'],
    [[[[1], [2]], [[3], [4, 5]]], 'Tensor.from: [1][1] has 2 elements, want 1 as at [0][0]'],
    [[[1], 2], 'Tensor.from: [1] is 2, want an array of 1 as at [0]'],
    [[1, [2, 3]], 'Tensor.from: [1] is an array of 2, want an element as at [0]'],
    [[[1], , [2]], 'Tensor.from: [1] is undefined, want an array of 1 as at [0]'],
    [[[], [1]], 'Tensor.from: [1] has 1 elements, want 0 as at [0]'],
  ]) assert.throws(() => Tensor.from(nested), { name: 'ShapeError', message });
  const cycle = [];
  cycle.push(cycle);
  assert.throws(() => Tensor.from(cycle), (error) => error instanceof ShapeError && /more than 32 deep/.test(error.message));
});

test('elements that do not fit: the error names the place', () => {
  for (const [nested, type, message] of [
    [[[1, 2], [3, 'x']], undefined, /^Tensor.from: \[1\]\[1\] is "x", want a number as the first element is \(or name a type/],
    [[1, 2n], undefined, /\[1\] is 2, want a number/],
    [[true, 1], undefined, /\[1\] is 1, want a boolean/],
    [[1n, 1], undefined, /\[1\] is 1, want a bigint/],
    [[1, , 3], undefined, /\[1\] is undefined, want a number/],
    [[null], undefined, /\[0\] is null, which float32 does not have/],
    [{ length: 1 }, undefined, /the value is an object of class Object, which float32/],
    [[Tensor.from([1])], undefined, /\[0\] is an object of class Tensor/],
    [[2n ** 63n], undefined, /\[0\] is 9223372036854775808, which int64 does not have: int64 has bigints from/],
    [[256], 'uint8', /\[0\] is 256, which uint8 does not have: uint8 has whole numbers from 0 to 255/],
    [[-1], 'uint32', /\[0\] is -1, which uint32/],
    [[1.5], 'int32', /\[0\] is 1.5/],
    [[NaN], 'int32', /\[0\] is NaN/],
    [[1e39], 'float32', /\[0\] is 1e\+39, which float32 does not have/],
    [[2 ** 53], 'int64', /\[0\] is 9007199254740992, which int64/],
    [[-1n], 'uint64', /\[0\] is -1, which uint64/],
    [[2], 'bool', /\[0\] is 2, which bool does not have: bool has true and false/],
    [[1], 'string', /\[0\] is 1, which string does not have: string has strings/],
  ]) assert.throws(() => Tensor.from(nested, type), (error) => error instanceof NormError && message.test(error.message), String(message));
  assert.throws(() => Tensor.from([1], 'float8'), (error) => error instanceof UnsupportedError && /Tensor.from: type "float8" is none of/.test(error.message));
});

test('there and back', () => {
  const nested = [[[1, 2], [3, 4.5]], [[-0, NaN], [Infinity, 1e-3]]];
  const float32 = nested.map((a) => a.map((b) => b.map(Math.fround)));
  assert.deepEqual(Tensor.from(nested).toArray(), float32);
  assert.deepEqual(Tensor.from(nested, 'float64').toArray(), nested);
  assert.deepEqual(Tensor.from([[1.5, 0.1], [65504, -(2 ** -24)]], 'float16').toArray(), [[1.5, 0.0999755859375], [65504, -(2 ** -24)]]);
  assert.deepEqual(Tensor.from([[true, false]]).toArray(), [[true, false]]);
  assert.deepEqual(Tensor.from([['a', 'b']]).toArray(), [['a', 'b']]);
  assert.deepEqual(Tensor.from([[1n], [2n]]).toArray(), [[1n], [2n]]);
  assert.equal(Tensor.from(7).toArray(), 7);
  assert.deepEqual(Tensor.from([[], []]).toArray(), [[], []]);
  assert.deepEqual(new Tensor('float32', [], [2, 0, 3]).toArray(), [[], []]);
  const resident = Tensor.from([[1, 2], [3, 4]]).toWasm();
  assert.deepEqual(resident.toArray(), [[1, 2], [3, 4]]);
  resident.dispose();
  assert.throws(() => resident.toArray(), { name: 'DisposedError' });
  const gone = Float32Array.of(1, 2);
  const t = new Tensor('float32', gone);
  structuredClone(gone.buffer, { transfer: [gone.buffer] });
  assert.throws(() => t.toArray(), { code: 'DETACHED' });
  assert.equal(String(t), 'Tensor float32 [2] detached');
  for (const nested of [detached(3), [detached(3), detached(3)]]) assert.throws(() => Tensor.from(nested), { code: 'DETACHED' });
});

test('every float16 is decoded and encoded, and numbers between two go to the nearer one', () => {
  for (let bits = 0; bits < 0x10000; bits++) {
    const value = fromHalf(bits);
    if (Number.isNaN(value)) assert.ok((bits & 0x7fff) > 0x7c00);
    else assert.equal(toHalf(value), bits);
  }
  assert.equal(fromHalf(0x3555), 0.333251953125);
  assert.equal(fromHalf(1), 2 ** -24);
  for (let bits = 0; bits < 0x7bff; bits++) {
    const [low, high] = [fromHalf(bits), fromHalf(bits + 1)];
    const middle = (low + high) / 2;
    assert.equal(toHalf(middle), bits + (bits & 1), 'the even one');
    assert.equal(toHalf(middle * (1 - 2 ** -50)), bits);
    assert.equal(toHalf(-middle * (1 + 2 ** -50)), 0x8000 + bits + 1);
  }
  assert.deepEqual([65519.99, 65520, -Infinity, 2 ** -25, 5e-324].map(toHalf), [0x7bff, 0x7c00, 0xfc00, 0, 0]);
});

test('text', () => {
  const show = (...args) => String(Tensor.from(...args));
  assert.equal(show([[1, 2, 3], [4, 5, 6]]), 'Tensor float32 [2, 3] [[1, 2, 3], [4, 5, 6]]');
  assert.equal(show(0.1), 'Tensor float32 [] 0.1');
  assert.equal(show([0.1, 1 / 3, 16777216, 1e-45, -0, NaN, -Infinity]), 'Tensor float32 [7] [0.1, 0.33333334, 16777216, 1e-45, -0, NaN, -Infinity]');
  assert.equal(show([0.1, 1.5, 65504], 'float16'), 'Tensor float16 [3] [0.1, 1.5, 65500]');
  assert.equal(show([0.1, 1 / 3], 'float64'), 'Tensor float64 [2] [0.1, 0.3333333333333333]');
  assert.equal(show([true, false]), 'Tensor bool [2] [true, false]');
  assert.equal(show([-5n]), 'Tensor int64 [1] [-5]');
  assert.equal(show([['a "b"', '\n']]), 'Tensor string [1, 2] [["a \\"b\\"", "\\n"]]');
  assert.equal(show(['x'.repeat(1000)]).length, 63);
  assert.equal(show([[], []]), 'Tensor float32 [2, 0] [[], []]');
  const t = Tensor.from([1]).toWasm();
  assert.equal(String(t), 'Tensor float32 [1] wasm [1]');
  t.dispose();
  assert.equal(String(t), 'Tensor float32 [1] wasm disposed');
});

test('text of many elements', () => {
  assert.equal(String(new Tensor('int32', Int32Array.from({ length: 1000 }, (_, i) => i))), 'Tensor int32 [1000] [0, 1, 2, ..., 997, 998, 999]');
  assert.equal(String(new Tensor('int32', Int32Array.from({ length: 700 }, (_, i) => i), [70, 10])), `Tensor int32 [70, 10]
[[0, 1, 2, ..., 7, 8, 9],
 [10, 11, 12, ..., 17, 18, 19],
 [20, 21, 22, ..., 27, 28, 29],
 ...,
 [670, 671, 672, ..., 677, 678, 679],
 [680, 681, 682, ..., 687, 688, 689],
 [690, 691, 692, ..., 697, 698, 699]]`);
  assert.equal(String(new Tensor('uint8', Uint8Array.from({ length: 40 }, (_, i) => i), [2, 2, 10])), `Tensor uint8 [2, 2, 10]
[[[0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  [10, 11, 12, 13, 14, 15, 16, 17, 18, 19]],
 [[20, 21, 22, 23, 24, 25, 26, 27, 28, 29],
  [30, 31, 32, 33, 34, 35, 36, 37, 38, 39]]]`);
  assert.ok(String(new Tensor('float32', floats(1 << 16, 1), [4, 4, 4, 4, 16, 16])).length < 10_000);
});

test('Node’s console shows it', () => {
  assert.equal(inspect(Tensor.from([1, 2])), 'Tensor float32 [2] [1, 2]');
  assert.equal(inspect({ y: Tensor.from([1, 2]) }), '{ y: Tensor float32 [2] [1, 2] }');
  assert.equal(inspect({ a: { b: { y: Tensor.from([1, 2]) } } }, { depth: 2 }), '{ a: { b: { y: [Tensor float32 [2]] } } }');
});

test('shown float32 numbers read back as the same', () => {
  const x = floats(2000, 5, 1e5);
  x.set(floats(1000, 6, 1e-38), 500);
  for (let i = 0; i < x.length; i += 50) {
    const part = new Tensor('float32', x.slice(i, i + 50));
    const numbers = JSON.parse(String(part).replace(/^Tensor float32 \[50\]\s/, ''));
    assert.deepEqual(Float32Array.from(numbers), part.data);
  }
});
