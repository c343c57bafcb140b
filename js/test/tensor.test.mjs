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
    assert.deepEqual(new Tensor(type, [1, 0, 1, 1, 0, 1]).data, data, 'from a plain array');
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
  assert.throws(() => new Tensor('float32', new Float64Array(2)), { name: 'NormError', message: /is a Float64Array, want a Float32Array/ });
  assert.throws(() => new Tensor('int32', 5), { message: /is a number/ });
  assert.throws(() => new Tensor('int32', null), { message: /is null/ });
  assert.throws(() => new Tensor('int64', [1.5]), { name: 'NormError', message: /does not convert to int64/ });
  for (const type of ['toString', 5n, undefined]) assert.throws(() => new Tensor(type, [1]), UnsupportedError);
  assert.throws(() => new Tensor('complex64', [1]), { name: 'UnsupportedError', message: /"complex64"/ });
  const array = new Float32Array(4);
  const t = new Tensor('float32', array);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  assert.throws(() => new Tensor('float32', array), { name: 'NormError', code: 'DETACHED' });
  assert.throws(() => t.toWasm(), { code: 'DETACHED' });
  assert.throws(() => layerNorm(t), { code: 'DETACHED' });
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
