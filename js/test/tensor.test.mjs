// Tensors: types, dims, location, life.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import vm from 'node:vm';
import { DisposedError, NormError, ShapeError, Tensor, UnsupportedError, init, layerNorm } from 'normwasm';

const held = [];
/** A tensor that is disposed of when its test is over. */
const own = (tensor) => {
  held.push(tensor);
  return tensor;
};
afterEach(() => held.splice(0).forEach((tensor) => tensor.dispose()));

let runtime;
before(async () => {
  runtime = await init();
});
after(() => runtime.dispose());

const classes = {
  float32: Float32Array, float64: Float64Array, float16: Uint16Array, int8: Int8Array, uint8: Uint8Array, int16: Int16Array,
  uint16: Uint16Array, int32: Int32Array, uint32: Uint32Array, int64: BigInt64Array, uint64: BigUint64Array, bool: Uint8Array,
};

for (const [type, Class] of Object.entries(classes)) {
  test(`type ${type}, on the cpu and resident`, async () => {
    const big = type.endsWith('int64') || type === 'uint64';
    const data = Class.from(big ? [1n, 0n, 1n, 1n, 0n, 1n] : [1, 0, 1, 1, 0, 1]);
    const t = new Tensor(type, data, [2, 3]);
    assert.equal(t.type, type);
    assert.equal(t.data, data, 'kept, not copied');
    assert.equal(t.size, 6);
    assert.equal(t.location, 'cpu');
    const plain = type === 'float16' ? [2 ** -24, 0, 2 ** -24, 2 ** -24, 0, 2 ** -24] : [1, 0, 1, 1, 0, 1];
    assert.deepEqual(new Tensor(type, plain).data, data, 'from a plain array');
    const wasm = own(t.toWasm());
    assert.equal(wasm.location, 'wasm');
    assert.equal(wasm.toWasm(), wasm);
    assert.equal(wasm.data.constructor, Class);
    assert.deepEqual(wasm.data.slice(), data);
    assert.deepEqual(await wasm.getData(), data);
    assert.equal(await t.getData(), data);
    const view = wasm.data;
    view[1] = big ? 5n : 1;
    assert.equal(wasm.data[1], view[1], 'a view, not a copy');
  });
}

test('strings', () => {
  const t = new Tensor('string', ['a', 'b'], [2, 1]);
  assert.deepEqual(t.data, ['a', 'b']);
  assert.throws(() => t.toWasm(), UnsupportedError);
  assert.throws(() => new Tensor('string', [1]), NormError);
});

test('dims', () => {
  assert.deepEqual([...new Tensor('float32', [1, 2, 3]).dims], [3]);
  const scalar = new Tensor('float32', [7], []);
  assert.deepEqual([scalar.size, scalar.dims.length], [1, 0]);
  assert.throws(() => new Tensor('float32', [1, 2, 3], [2, 2]), { name: 'ShapeError', message: 'Tensor: data has 3 elements, want 4 for dims [2 2]' });
  assert.throws(() => new Tensor('float32', [1], [-1]), ShapeError);
  assert.throws(() => new Tensor('float32', [1], 'x'), NormError);
  assert.throws(() => new Tensor('float32', [1, 2], [, 2]), { name: 'ShapeError', message: /dims\[0\] is undefined/ });
  assert.throws(() => Tensor.zeros([2, , 2]), { name: 'ShapeError', message: /dims\[1\] is undefined/ });
  assert.throws(() => scalar.reshape(new Array(1)), { name: 'ShapeError', message: /dims\[0\] is undefined/ });
  const given = [1, 2];
  const t = new Tensor('float32', [1, 2], given);
  given[0] = 5;
  assert.deepEqual([...t.dims], [1, 2], 'the caller’s array is his own');
  assert.throws(() => {
    t.dims[0] = 2;
  }, TypeError);
  assert.deepEqual([...Tensor.zeros([2, 0, 3]).dims], [2, 0, 3]);
  assert.throws(() => Tensor.zeros([2], { location: 'gpu' }), NormError);
  assert.throws(() => Tensor.zeros([1 << 20, 1 << 20]), { name: 'NormError', code: 'OUT_OF_MEMORY', message: /memory for 1099511627776 elements/ });
  assert.throws(() => Tensor.zeros([1 << 20, 1 << 20], { location: 'wasm' }), { name: 'NormError', code: 'OUT_OF_MEMORY' });
  assert.throws(() => Tensor.zeros([1 << 15, 1 << 14], { location: 'wasm' }), { name: 'NormError', code: 'OUT_OF_MEMORY', message: /2147483648 bytes wanted/ });
});

test('data of another class', () => {
  assert.throws(() => new Tensor('int32', 5), { message: /is a number/ });
  assert.throws(() => new Tensor('int32', null), { message: /is null/ });
  assert.throws(() => new Tensor('int64', [1.5]), { name: 'NormError', message: /data\[0\] is 1\.5, which int64 does not have/ });
  for (const type of ['toString', 5n, undefined]) assert.throws(() => new Tensor(type, [1]), UnsupportedError);
  assert.throws(() => new Tensor('complex64', [1]), { name: 'UnsupportedError', message: /"complex64"/ });
  const array = new Float32Array(4);
  const t = new Tensor('float32', array);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  assert.throws(() => new Tensor('float32', array), { name: 'NormError', code: 'DETACHED' });
  assert.throws(() => t.toWasm(), { code: 'DETACHED' });
  assert.throws(() => layerNorm(t), { code: 'DETACHED' });
});

test('the type is inferred from the data, as onnxruntime-common does', () => {
  for (const [type, Class] of Object.entries(classes)) {
    if (type === 'float16' || type === 'bool') continue; // no class of their own stands for these
    const data = new Class(6);
    const t = new Tensor(data, [2, 3]);
    assert.deepEqual([t.type, t.dims.join(), t.data === data], [type, '2,3', true]);
    assert.equal(new Tensor(data).dims.join(), '6');
  }
  const of = (data, dims) => {
    const t = new Tensor(data, dims);
    return [t.type, t.dims.join(), [...t.data]];
  };
  assert.deepEqual(of([1, 2.5], [2, 1]), ['float32', '2,1', [1, 2.5]]);
  assert.deepEqual(of([true, false, true]), ['bool', '3', [1, 0, 1]]);
  assert.deepEqual(of(['a', 'b'], [2]), ['string', '2', ['a', 'b']]);
  assert.deepEqual(of([1n, -2n]), ['int64', '2', [1n, -2n]]);
  const pixels = new Uint8ClampedArray([1, 2, 300]);
  assert.deepEqual(of(pixels), ['uint8', '3', [1, 2, 255]]);
  assert.equal(new Tensor(pixels).data.buffer, pixels.buffer, 'no copy');
  assert.equal(new Tensor(vm.runInNewContext('new Int16Array(2)')).type, 'int16');
  for (const [data, message] of [
    [[], /type of an empty plain array cannot be told: name it/], [[null], /data\[0\] is null, want numbers/], [[[1], [2]], /data\[0\] is a plain array: for nested arrays there is Tensor\.from/],
    [[1, 'a'], /data\[1\] is "a", which float32 does not have/], [['a', 1], /data\[1\] is 1, want a string/], [[true, 2], /data\[1\] is 2, which bool does not have/], [[, 1], /data\[0\] is undefined/],
    [new ArrayBuffer(8), /class ArrayBuffer, want .*: make an array of it, as new Float32Array\(buffer\)/], [new DataView(new ArrayBuffer(8)), /DataView.*view\.buffer/],
    [Promise.resolve([1]), /class Promise, want .*: await it first/], [{}, /class Object/], [new Tensor([1]), /class Tensor/],
  ]) {
    assert.throws(() => new Tensor(data, [2]), { name: 'NormError', message });
  }
  assert.throws(() => new Tensor(new Float32Array(3), [2, 2]), { name: 'ShapeError' });
  assert.throws(() => new Tensor(new Float32Array(2), 2), { message: /dims is a number, want an array of whole numbers, as in \[2\]/ });
  assert.throws(() => new Tensor(new Float32Array(2), ['2']), { message: /dims\[0\] is a string/ });
});

test('float16 from numbers: rounded to the nearest, the even one in the middle', () => {
  // Bits by hand from the format: sign, five of exponent (bias 15), ten of mantissa.
  const cases = [
    [1.5, 0x3e00], [2, 0x4000], [-2, 0xc000], [0, 0], [-0, 0x8000], [65504, 0x7bff], [65519.99, 0x7bff], [65520, 0x7c00], [1e9, 0x7c00], [-Infinity, 0xfc00],
    [2 ** -24, 1], [2 ** -25, 0], [2 ** -25 * 1.0001, 1], [3 * 2 ** -25, 2], [2 ** -14, 0x400], [2 ** -14 - 2 ** -24, 0x3ff], [2 ** -14 - 2 ** -26, 0x400],
    [1 + 2 ** -11, 0x3c00], [1 + 3 * 2 ** -11, 0x3c02], [1 + 2 ** -11 + 2 ** -40, 0x3c01], [0.1, 0x2e66], [1 / 3, 0x3555], [2049, 0x6800], [2051, 0x6802],
  ];
  const numbers = cases.map(([value]) => value);
  const bits = cases.map(([, b]) => b);
  assert.deepEqual([...new Tensor('float16', numbers).data], bits);
  assert.deepEqual([...new Tensor('float16', Float64Array.from(numbers)).data], bits);
  const single = Float32Array.from(numbers.filter((value) => Math.fround(value) === value));
  assert.deepEqual([...new Tensor('float16', single).data], bits.filter((_, i) => Math.fround(numbers[i]) === numbers[i]));
  for (const make of [[NaN], Float32Array.of(NaN)]) assert.equal(new Tensor('float16', make).data[0] & 0x7fff, 0x7e00);
  assert.deepEqual([...new Tensor('float16', Uint16Array.of(1, 0x3e00)).data], [1, 0x3e00], 'a Uint16Array is bits');
  assert.deepEqual([...new Tensor('float16', Int32Array.of(2048, -3)).data], [0x6800, 0xc200]);
  assert.throws(() => new Tensor('float16', Int32Array.of(2048, 2049)), { message: "Tensor: data[1] is 2049, which float16 does not have exactly: to convert it all the same, with what is lost: new Tensor('float16', Float32Array.from(data))" });
  // Every finite float16 comes back as itself, and what lies in the middle of two goes to the even one.
  const all = Uint16Array.from({ length: 0x7c00 }, (_, i) => i);
  const values = new Tensor('float16', all).toArray();
  assert.deepEqual([...new Tensor('float16', values).data], [...all]);
  const middles = values.slice(1).map((v, i) => (v + values[i]) / 2);
  assert.deepEqual([...new Tensor('float16', middles).data], middles.map((_, i) => i + (i & 1)));
});

test('a Float16Array, where there is one', { skip: typeof globalThis.Float16Array !== 'function' && 'this engine has none' }, () => {
  const array = globalThis.Float16Array.of(1.5, -2);
  for (const t of [new Tensor(array), new Tensor('float16', array)]) {
    assert.deepEqual([t.type, [...t.data], t.data.buffer === array.buffer], ['float16', [0x3e00, 0xc000], true]);
  }
  assert.deepEqual([...new Tensor('float32', array).data], [1.5, -2]);
});

test('conversions that lose nothing', () => {
  const good = [
    ['float32', Float64Array.of(0.5, -0, NaN, Infinity)], ['float32', Int32Array.of(1 << 24, -5)], ['float32', Uint8ClampedArray.of(255)], ['float32', BigInt64Array.of(3n, -(2n ** 40n))],
    ['float64', Float32Array.of(0.1)], ['float64', BigUint64Array.of(2n ** 53n)], ['int32', Float32Array.of(-7)], ['int32', BigInt64Array.of(-7n)], ['int8', Int32Array.of(-128, 127)],
    ['uint8', Float32Array.of(0, 255)], ['int64', Int32Array.of(-1, 5)], ['int64', Float64Array.of(2 ** 53 - 1)], ['uint64', Uint8Array.of(7)], ['int64', BigUint64Array.of(5n)],
    ['bool', Int32Array.of(0, 1)], ['bool', Float32Array.of(1, 0)], ['uint16', Int16Array.of(0, 32767)],
    ['int32', [1, -2, true]], ['int64', [1, -2n, 2 ** 53 - 1]], ['uint64', [0, 2n ** 64n - 1n]], ['float32', [0.1, 1n, NaN, -Infinity]], ['uint8', { length: 2, 0: 1, 1: 2 }],
  ];
  for (const [type, data] of good) {
    const t = new Tensor(type, data);
    const big = /64$/.test(type) && type !== 'float64';
    const want = Array.from(data, (v) => (big ? BigInt(v) : type === 'float32' ? Math.fround(Number(v)) : Number(v)));
    assert.deepEqual([...t.data], want, `${type} of ${data.constructor.name}`);
    assert.equal(t.data.constructor, classes[type]);
  }
  const bad = [
    ['float32', Float64Array.of(1, 0.1), 'data[1] is 0.1, which float32 does not have exactly: to convert it all the same, with what is lost: Float32Array.from(data)'],
    ['float32', Int32Array.of(16777217), /data\[0\] is 16777217, which float32 does not have exactly.*Float32Array\.from\(data\)$/],
    ['float32', BigInt64Array.of(2n ** 53n + 1n), /is 9007199254740993n, which float32 .*Float32Array\.from\(data, Number\)$/],
    ['float64', BigInt64Array.of(1n, 2n ** 53n + 1n), /data\[1\].*Float64Array\.from\(data, Number\)$/],
    ['int32', Float32Array.of(1.5), /is 1\.5, which int32 .*Int32Array\.from\(data\)$/], ['int32', BigInt64Array.of(2n ** 31n), /is 2147483648n.*Int32Array\.from\(data, Number\)$/],
    ['int64', Float64Array.of(0.5), /BigInt64Array\.from\(data, \(v\) => BigInt\(Math\.trunc\(v\)\)\)$/], ['int64', BigUint64Array.of(2n ** 63n), /BigInt64Array\.from\(data\)$/],
    ['uint8', Int16Array.of(-1), /is -1, which uint8/], ['int8', Uint8ClampedArray.of(128), /is 128, which int8/], ['bool', Int32Array.of(2), /is 2, which bool/], ['uint64', Int8Array.of(-1), /is -1/],
    ['int32', [1, 1.5], 'data[1] is 1.5, which int32 does not have: int32 has whole numbers from -2147483648 to 2147483647'],
    ['uint8', [300], /is 300, which uint8 does not have: uint8 has whole numbers from 0 to 255$/], ['int64', [NaN], /is NaN, which int64/], ['int64', [2 ** 53], /is 9007199254740992, which int64/], ['int64', [2n ** 63n], /is 9223372036854775808n/],
    ['int32', [NaN], /is NaN/], ['float32', [1e300], /is 1e\+300, which float32 does not have: float32 has numbers up to 3\.4e38/], ['float32', ['1'], /is "1"/], ['float32', [null], /is null/], ['float32', [, 1], /is undefined/],
    ['float32', [[1]], /is a plain array/], ['bool', [2], /is 2, which bool/], ['string', [1], /data\[0\] is 1, want a string/], ['string', 'text', /data is a string, want an array of strings/],
    ['float32', new DataView(new ArrayBuffer(4)), /is a DataView, want a Float32Array/], ['int32', new ArrayBuffer(4), /as new Int32Array\(buffer\)/], ['float32', Promise.resolve(), /await it first/], ['float32', undefined, /data is undefined/],
  ];
  for (const [type, data, message] of bad) {
    assert.throws(() => new Tensor(type, data), { name: 'NormError', code: 'INVALID_VALUE', message: typeof message === 'string' ? `Tensor: ${message}` : message });
  }
});

test('operands of other classes', () => {
  const x = [1, 2, 4, 8.5];
  const o = { shape: [2, 2], scale: Float32Array.of(2, 3), bias: Float32Array.of(1, -1) };
  const want = layerNorm(Float32Array.from(x), o);
  assert.deepEqual(layerNorm(Float64Array.from(x), o), want);
  assert.deepEqual(layerNorm(Float32Array.from(x), { ...o, scale: Float64Array.of(2, 3), bias: Int8Array.of(1, -1) }), want);
  for (const pixels of [Uint8ClampedArray.of(1, 2, 3, 255), BigInt64Array.of(1n, 2n, 3n, 255n)]) assert.deepEqual(layerNorm(pixels), layerNorm(Float32Array.of(1, 2, 3, 255)));
  assert.throws(() => layerNorm(Float64Array.of(1, 0.1)), { name: 'NormError', message: 'layerNorm: x[1] is 0.1, which float32 does not have exactly: to convert it all the same, with what is lost: Float32Array.from(x)' });
  assert.throws(() => layerNorm(Float32Array.from(x), { shape: [2, 2], scale: Float64Array.of(1, 1 / 3) }), { message: /^layerNorm: scale\[1\] is 0\.333.*Float32Array\.from\(scale\)$/ });
  assert.throws(() => layerNorm(Float32Array.from(x), { out: new Float64Array(4) }), { message: /out is a Float64Array, want a Float32Array or a Tensor$/ });
  assert.throws(() => layerNorm(Float64Array.from(x), { mean: new Float64Array(1) }), { message: /mean is a Float64Array/ });
  assert.throws(() => layerNorm(x), { message: /^layerNorm: x is a plain array, want a Float32Array or a Tensor: Float32Array\.from\(x\) makes one$/ });
  assert.throws(() => layerNorm(Promise.resolve(want)), { message: /class Promise, want .*: await it first/ });
  assert.throws(() => layerNorm(new Tensor(Int32Array.of(1, 2), [2])), { name: 'UnsupportedError', message: /x is a tensor of int32, want float32: new Tensor\('float32', x\.data, x\.dims\) is one/ });
  const half = new Tensor('float16', x, [2, 2]);
  assert.throws(() => layerNorm(half), (error) => {
    const make = /: (new Tensor\(.*\)) is one/.exec(error.message)?.[1];
    assert.deepEqual(layerNorm(new Function('Tensor', 'x', `return ${make}`)(Tensor, half), { scale: o.scale, bias: o.bias }).data, want, 'the message gives code that works');
    return true;
  });
});

test('arrays of another frame are as good', () => {
  const foreign = vm.runInNewContext('new Float32Array([1, 2, 3])');
  assert.ok(!(foreign instanceof Float32Array));
  assert.equal(new Tensor('float32', foreign).size, 3);
  assert.deepEqual(layerNorm(foreign), layerNorm(Float32Array.of(1, 2, 3)));
});

test('life: dispose is idempotent, and use afterwards an error', () => {
  const before = runtime.memory();
  const a = Tensor.zeros([4, 256], { location: 'wasm' });
  assert.deepEqual(runtime.memory(), { ...runtime.memory(), inUse: before.inUse + 4096, tensors: before.tensors + 1 });
  const b = a.reshape([256, 4]);
  assert.equal(runtime.memory().tensors, before.tensors + 1, 'shared');
  b.data[0] = 3;
  assert.equal(a.data[0], 3);
  a.dispose();
  a.dispose();
  a[Symbol.dispose]?.();
  assert.equal(b.data[0], 3, 'the other one lives on');
  for (const use of [() => a.data, () => a.reshape([1024]), () => a.toWasm(), () => layerNorm(a)]) assert.throws(use, DisposedError);
  assert.equal(a.location, 'wasm');
  assert.deepEqual([...a.dims], [4, 256]);
  b.dispose();
  assert.deepEqual([runtime.memory().inUse, runtime.memory().tensors], [before.inUse, before.tensors]);
  assert.throws(() => b.reshape([1]), { name: 'DisposedError', message: /\[256 4\] was disposed/ });
  assert.throws(() => Tensor.zeros([2, 3]).reshape([4]), { name: 'ShapeError', message: /dims \[4\] have 4 elements, the tensor \[2 3\] has 6/ });

  const cpu = new Tensor('float32', [1]);
  cpu.dispose();
  assert.throws(() => cpu.data, DisposedError);
  assert.equal(cpu.location, 'cpu');
});

test('tensors that nobody disposed of are collected', { skip: typeof globalThis.gc !== 'function' && 'needs node --expose-gc' }, async () => {
  const before = runtime.memory().tensors;
  for (let i = 0; i < 50; i++) Tensor.zeros([1024], { location: 'wasm' });
  for (let i = 0; i < 20 && runtime.memory().tensors > before; i++) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.ok(runtime.memory().tensors < before + 50);
});
