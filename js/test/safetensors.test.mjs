// safetensors: every type there and back, files of others, hostile files.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { DisposedError, LoadError, NormError, Tensor, UnsupportedError, init, readSafetensors, writeSafetensors } from 'normwasm';
import { detached, random } from './data.mjs';

let runtime;
before(async () => {
  runtime = await init();
});
after(() => runtime.dispose());

/** A file of this header, an object or text, and these bytes. */
function file(header, data = [], length) {
  const text = header instanceof Uint8Array ? header : new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length ?? text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

const zeros = (n) => new Uint8Array(n);
const two = { dtype: 'F32', shape: [2], data_offsets: [0, 8] };

const samples = {
  F64: ['float64', Float64Array.of(Math.PI, -0, NaN)], F32: ['float32', Float32Array.of(1.5, -Infinity, 1e-45)],
  F16: ['float16', Uint16Array.of(0x3c00, 0x7e01, 0x8000)], I64: ['int64', BigInt64Array.of(-(2n ** 63n), 1n, 2n)],
  U64: ['uint64', BigUint64Array.of(2n ** 64n - 1n, 0n, 7n)], I32: ['int32', Int32Array.of(-5, 6, 7)], U32: ['uint32', Uint32Array.of(2 ** 32 - 1, 1, 0)],
  I16: ['int16', Int16Array.of(-32768, 3, 4)], U16: ['uint16', Uint16Array.of(65535, 3, 4)],
  I8: ['int8', Int8Array.of(-128, 1, 2)], U8: ['uint8', Uint8Array.of(255, 1, 2)], BOOL: ['bool', Uint8Array.of(1, 0, 1)],
};
const bits = (array) => [...new Uint8Array(array.buffer, array.byteOffset, array.byteLength)];

test('every type there and back, bit by bit, and every tensor aligned', () => {
  const given = Object.fromEntries(Object.entries(samples).map(([name, [type, data]]) => [name, new Tensor(type, data, [1, 3])]));
  const bytes = writeSafetensors(given, { format: 'pt', 'ключ': 'ö' });
  const { tensors, metadata } = readSafetensors(bytes);
  assert.deepEqual({ ...metadata }, { format: 'pt', 'ключ': 'ö' });
  assert.deepEqual(Object.keys(tensors).sort(), Object.keys(samples).sort());
  for (const [name, [type, data]] of Object.entries(samples)) {
    assert.equal(tensors[name].type, type);
    assert.deepEqual([...tensors[name].dims], [1, 3]);
    assert.deepEqual(bits(tensors[name].data), bits(data), name);
    assert.equal(tensors[name].data.buffer, bytes.buffer, `${name} is a view`);
  }
});

test('the bytes are those of the format’s description', () => {
  const bytes = writeSafetensors({ b: new Tensor('uint8', [7]), a: new Tensor('float32', [1, 2], [2, 1]) }, { k: 'v' });
  const header = '{"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[1],"data_offsets":[8,9]}}';
  const padded = header.padEnd(Math.ceil(header.length / 8) * 8);
  assert.deepEqual(bytes, file(padded, [0, 0, 128, 63, 0, 0, 0, 64, 7]));
  assert.deepEqual(writeSafetensors({}), file('{}      '));
  assert.deepEqual({ ...readSafetensors(writeSafetensors({})).tensors }, {});
});

test('the order of the arguments does not change the file', () => {
  const [x, y] = [new Tensor('int8', [1]), new Tensor('int8', [2])];
  assert.deepEqual(writeSafetensors({ x, y }), writeSafetensors(new Map([['y', y], ['x', x]])));
});

test('scalars, empty tensors, resident ones, wherever the bytes begin', () => {
  const resident = new Tensor('float32', [3, 4]).toWasm();
  const bytes = writeSafetensors({ scalar: new Tensor('float64', [5], []), empty: new Tensor('float32', [], [3, 0]), resident });
  resident.dispose();
  for (const shift of [0, 1, 2, 3, 4, 8]) {
    const moved = new Uint8Array(bytes.length + shift + 5).subarray(shift, shift + bytes.length);
    moved.set(bytes);
    const { tensors } = readSafetensors(moved);
    assert.deepEqual([[...tensors.scalar.dims], tensors.scalar.data[0]], [[], 5]);
    assert.deepEqual([[...tensors.empty.dims], tensors.empty.size], [[3, 0], 0]);
    assert.deepEqual([...tensors.resident.data], [3, 4]);
    assert.equal(tensors.resident.data.buffer === moved.buffer, shift % 4 === 0, 'a view where it is aligned');
  }
  for (const source of [bytes.buffer, new DataView(bytes.buffer), Buffer.from(bytes), Object.assign(new Uint8Array(new SharedArrayBuffer(bytes.length)), bytes)]) {
    assert.deepEqual([...readSafetensors(source).tensors.resident.data], [3, 4]);
  }
});

test('bytes in the module’s memory are copied, since that memory moves', () => {
  const bytes = writeSafetensors({ x: new Tensor('float32', [3, 4]) });
  const held = new Tensor('uint8', bytes).toWasm();
  const { tensors } = readSafetensors(held.data);
  held.dispose();
  Tensor.zeros([1 << 22], { location: 'wasm' }).dispose();
  assert.deepEqual([...tensors.x.data], [3, 4]);
});

test('bfloat16 becomes float32', () => {
  const { tensors } = readSafetensors(file({ x: { dtype: 'BF16', shape: [3], data_offsets: [0, 6] } }, [0x80, 0x3f, 0x49, 0xc0, 0x80, 0xff]));
  assert.equal(tensors.x.type, 'float32');
  assert.deepEqual([...tensors.x.data], [1, -3.140625, -Infinity]);
});

test('a tensor called __proto__ is like any other', () => {
  const given = new Map([['__proto__', new Tensor('float32', [1])], ['constructor', new Tensor('float32', [2])], ['0', new Tensor('float32', [3])]]);
  const { tensors, metadata } = readSafetensors(writeSafetensors(given, new Map([['__proto__', 'text']])));
  assert.equal(tensors['__proto__'].data[0], 1);
  assert.equal(tensors.constructor.data[0], 2);
  assert.equal(metadata['__proto__'], 'text');
  assert.equal({}.data, undefined);
  assert.equal(tensors.toString, undefined);
  const again = readSafetensors(writeSafetensors(tensors, metadata));
  assert.deepEqual(Object.keys(again.tensors).sort(), ['0', '__proto__', 'constructor']);
});

const hostile = {
  'an empty file': [zeros(0), /has 0 bytes/],
  'seven bytes': [zeros(7), /has 7 bytes/],
  'no header': [zeros(8), /begins with "", want "\{"/],
  'a header beyond the file': [file('{}', [], 1000), /header has 1000 bytes, and only 2 follow/],
  'a header of 2^63': [file('{}', [], 2n ** 63n), /are the most/],
  'a header of 100 MB and a byte': [file('{}', [], 100_000_001), /gives?.* 100000001 bytes, and 100000000 are the most/],
  'no object': [file('[]'), /begins with "\["/],
  'space before the object': [file(' {}'), /begins with " "/],
  'a byte order mark': [file(new Uint8Array([0xef, 0xbb, 0xbf, 0x7b, 0x7d])), /begins with/],
  'bad JSON': [file('{"x":'), /not JSON/],
  'something after the object': [file('{} x'), /not JSON/],
  'not UTF-8': [file(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])), /not UTF-8/],
  'a name twice': [file(`{"x":${JSON.stringify(two)},"x":${JSON.stringify(two)}}`, zeros(8)), /has "x" twice/],
  'a name twice, once escaped': [file(`{"x":${JSON.stringify(two)},"\\u0078":${JSON.stringify(two)}}`, zeros(8)), /twice/],
  'a field twice': [file('{"x":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}', zeros(8)), /has "dtype" twice/],
  'metadata twice': [file('{"__metadata__":{},"__metadata__":{}}'), /twice/],
  'a metadata key twice': [file('{"__metadata__":{"a":"1","a":"2"}}'), /has "a" twice/],
  'metadata that is no object': [file({ __metadata__: [] }), /__metadata__ is a plain array/],
  'metadata that is no string': [file({ __metadata__: { a: 1 } }), /under "a" a number, want a string/],
  'a tensor that is no object': [file({ x: 5 }), /"x" is a number/],
  'a tensor that is null': [file({ x: null }), /"x" is null/],
  'an unknown type': [file({ x: { ...two, dtype: 'F31' } }, zeros(8)), /"x" has dtype "F31", want one of/],
  'no type': [file({ x: { ...two, dtype: undefined } }, zeros(8)), /dtype undefined/],
  'a type from the prototype': [file({ x: { ...two, dtype: 'toString' } }, zeros(8)), /dtype "toString"/],
  'no shape': [file({ x: { ...two, shape: 2 } }, zeros(8)), /shape 2/],
  'a negative dimension': [file({ x: { ...two, shape: [-2] } }, zeros(8)), /shape \[-2\]/],
  'a fraction': [file({ x: { ...two, shape: [1.5] } }, zeros(8)), /shape \[1.5\]/],
  'dimensions whose product overflows': [file({ x: { ...two, shape: [2 ** 40, 2 ** 40] } }, zeros(8)), /"x" of F32/],
  'dimensions whose product is no number': [file({ x: { dtype: 'F32', shape: [...Array(40).fill(2 ** 40), 0], data_offsets: [0, 0] } }), /"x" of F32/],
  'dimensions too large beside a 0': [file({ x: { dtype: 'F32', shape: [0, 2 ** 40], data_offsets: [0, 0] } }), /dims that no tensor/],
  'a size that is not the shape’s': [file({ x: { ...two, shape: [3] } }, zeros(8)), /"x" of F32 \[3\] has 8 bytes, want 12/],
  'one offset': [file({ x: { ...two, data_offsets: [0] } }, zeros(8)), /data_offsets \[0\]/],
  'offsets backwards': [file({ x: { ...two, data_offsets: [8, 0] } }, zeros(8)), /data_offsets \[8,0\]/],
  'negative offsets': [file({ x: { ...two, data_offsets: [-8, 0] } }, zeros(8)), /data_offsets/],
  'offsets beyond the file': [file({ x: two }, zeros(7)), /"x" ends at byte 8, and the data have 7/],
  'bytes twice': [file({ x: two, y: { ...two, data_offsets: [4, 12] } }, zeros(12)), /"y" begins at byte 4, within "x"/],
  'the same bytes twice': [file({ x: two, y: two }, zeros(8)), /within "x"/],
  'bytes between': [file({ x: two, y: { ...two, data_offsets: [12, 20] } }, zeros(20)), /bytes 8 to 12 belong to no tensor/],
  'bytes before': [file({ x: { ...two, data_offsets: [4, 12] } }, zeros(12)), /bytes 0 to 4/],
  'bytes after': [file({ x: two }, zeros(9)), /1 bytes after the end of "x"/],
  'a bool of 2': [file({ x: { dtype: 'BOOL', shape: [2], data_offsets: [0, 2] } }, [1, 2]), /"x" of BOOL has 2 as element 1/],
  'deep nesting': [file(`{"x":${'['.repeat(200_000)}${']'.repeat(200_000)}}`), /"x" is a plain array|not JSON/],
};
hostile['a name of ten million escapes'] = [file(`{"${'\\n'.repeat(1e7)}":5}`), /is a number|cannot be searched/];
for (const [name, [bytes, message]] of Object.entries(hostile)) {
  test(`hostile: ${name}`, () => {
    assert.throws(() => readSafetensors(bytes), (error) => {
      assert.ok(error instanceof LoadError, error.stack);
      assert.equal(error.code, 'INVALID_MODEL');
      assert.match(error.message, message);
      assert.ok(error.message.length < 500, 'a short message');
      return true;
    });
  });
}

test('types that no tensor has are named, with their tensors', () => {
  const x = { dtype: 'F8_E4M3', shape: [8], data_offsets: [0, 8] };
  assert.throws(() => readSafetensors(file({ x }, zeros(8))), (error) => error instanceof UnsupportedError && /F8_E4M3 \("x"\)/.test(error.message));
  assert.throws(() => readSafetensors(file(Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`t${i}`, x])))), /"t7" and 12 more/);
});

test('what is no file, and what cannot be written', () => {
  for (const source of [undefined, null, 'x.safetensors', new Blob([]), {}, 5]) assert.throws(() => readSafetensors(source), { name: 'NormError', message: /source is .*want the file's bytes/ });
  assert.throws(() => readSafetensors(detached(3, Uint8Array)), { code: 'DETACHED' });
  const t = new Tensor('float32', [1]);
  assert.throws(() => writeSafetensors({ a: t, s: new Tensor('string', ['x']) }), UnsupportedError);
  assert.throws(() => writeSafetensors({ a: [1] }), { name: 'NormError', message: /"a" is a plain array, want a Tensor/ });
  assert.throws(() => writeSafetensors([t]), { message: /tensors is a plain array/ });
  assert.throws(() => writeSafetensors({ __metadata__: t }), { message: /"__metadata__"/ });
  assert.throws(() => writeSafetensors({ a: t }, { n: 1 }), { message: /under "n" a number, want a string/ });
  assert.throws(() => writeSafetensors({ '\ud800': t }), { message: /surrogate/ });
  assert.throws(() => writeSafetensors({ a: t }, { a: '\udc00' }), { message: /surrogate/ });
  assert.throws(() => writeSafetensors(new Map([[1, t]])), { message: /a name in tensors is a number/ });
  t.dispose();
  assert.throws(() => writeSafetensors({ a: t }), (error) => error instanceof DisposedError && /"a"/.test(error.message));
});

test('whatever is changed in a file, it is read or a LoadError says why not', () => {
  const good = writeSafetensors({ a: new Tensor('float32', [1, 2, 3, 4], [2, 2]), 'b.c': new Tensor('int64', [5n]), m: new Tensor('bool', [1, 0]) }, { by: 'test' });
  const next = random(11);
  const pick = (n) => Math.floor(((next() + 1) / 2) * n);
  let read = 0;
  for (let round = 0; round < 20_000; round++) {
    let bytes = good.slice();
    for (let i = pick(3); i >= 0; i--) {
      // Mostly the header, where there is something to get wrong, in characters that mean something there.
      const at = pick(4) === 0 ? pick(bytes.length) : 8 + pick(200);
      bytes[Math.min(at, bytes.length - 1)] = pick(2) ? '{}[]",:0123456789-.eBFIU\\ '.charCodeAt(pick(26)) : pick(256);
    }
    if (pick(8) === 0) bytes = bytes.slice(0, pick(bytes.length));
    if (pick(8) === 0) {
      const from = pick(bytes.length);
      bytes = Uint8Array.from([...bytes.slice(0, from), ...bytes.slice(from - pick(20))]);
    }
    try {
      const { tensors } = readSafetensors(bytes);
      read++;
      for (const t of Object.values(tensors)) assert.equal(t.data.length, t.size);
    } catch (error) {
      assert.ok(error instanceof LoadError || (error instanceof NormError && error.code === 'UNSUPPORTED'), `${error.stack}\n${JSON.stringify(new TextDecoder().decode(bytes))}`);
    }
  }
  assert.ok(read > 200 && read < 15_000, `${read} of 20000 were still files`);
});

const models = join(import.meta.dirname, '../../../shared/data/models');
const real = existsSync(models) ? readdirSync(models, { recursive: true }).filter((name) => name.endsWith('.safetensors')) : [];
test('files of others come back with the same bytes', { skip: real.length === 0 && `there are no *.safetensors under ${models}` }, () => {
  for (const name of real) {
    const bytes = readFileSync(join(models, name));
    const { tensors, metadata } = readSafetensors(bytes);
    const header = JSON.parse(bytes.toString('utf8', 8, 8 + Number(bytes.readBigUInt64LE())));
    const again = readSafetensors(writeSafetensors(tensors, metadata));
    const { __metadata__, ...entries } = header;
    assert.deepEqual({ ...again.metadata }, __metadata__ ?? {});
    assert.deepEqual(Object.keys(again.tensors).sort(), Object.keys(entries).sort());
    const start = 8 + Number(bytes.readBigUInt64LE());
    for (const [key, { shape, data_offsets: [from, to] }] of Object.entries(entries)) {
      assert.deepEqual([...again.tensors[key].dims], shape);
      const { data } = again.tensors[key];
      assert.ok(Buffer.from(data.buffer, data.byteOffset, data.byteLength).equals(bytes.subarray(start + from, start + to)), `${name} ${key}`);
    }
  }
});
