// The module without the package: a plain script with Go's wasm_exec.js, as it is.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import vm from 'node:vm';
import { batchNormOracle, distance, floats, layerNormOracle, twoOutputs } from './data.mjs';
import { wasmExec } from './server.mjs';

test('a plain script uses everything', async () => {
  const before = Object.getOwnPropertyNames(globalThis);
  vm.runInThisContext(wasmExec());
  const go = new globalThis.Go();
  /** @type {any} */
  let api;
  globalThis.normwasm = (object) => {
    api = object;
  };
  const { instance } = await WebAssembly.instantiate(readFileSync(new URL('../dist/normwasm.simd.wasm', import.meta.url)), go.importObject);
  const ended = go.run(instance);
  assert.ok(api, 'the API object is there as soon as run returns');
  assert.equal('normwasm' in globalThis, false, 'and the handshake left no trace');

  const x = floats(12, 1);
  assert.ok(distance(api.layerNorm(x, { shape: [3, 4] }), layerNormOracle(x, 4)) < 1e-6);
  const stats = { mean: floats(3, 2), variance: floats(3, 3).map((v) => v * v) };
  assert.ok(distance(api.batchNorm(x, { shape: [1, 3, 4], ...stats, activation: 'relu' }), batchNormOracle(x, 3, 4, { ...stats, activation: 'relu' })) < 1e-5);
  const t = api.tensor([3, 4], x);
  api.layerNorm(t, { out: t });
  assert.deepEqual(api.read(t), api.layerNorm(x, { shape: [3, 4] }));
  api.dispose(t);
  const session = api.open(twoOutputs());
  assert.deepEqual(api.describe(session).inputs, [{ name: 'x', type: 'float32', shape: ['n', 3], state: false }]);
  assert.deepEqual(api.run(session, { x: { shape: [1, 3], data: Float32Array.of(-1, 0, 2) } }).y, { type: 'float32', shape: [1, 3], data: Float32Array.of(0, 0, 2) });
  api.release(session);
  assert.equal(api.layerNorm(x, { shape: [5, 5] }).name, 'ShapeError');
  assert.deepEqual({ ...api.memory(), scratch: 0 }, { inUse: 0, tensors: 0, sessions: 0, scratch: 0 });
  assert.match(api.help(), /layerNorm\(x, options\?\)/);

  // The exports, by hand: x over its last axis, in place in a slab.
  const { exports } = instance;
  const handle = exports.alloc(48);
  const at = exports.address(handle) >>> 0;
  new Float32Array(exports.mem.buffer, at, 12).set(x);
  const frame = new Int32Array(exports.mem.buffer, exports.frameAddress() >>> 0, 64);
  frame.fill(0);
  frame.set([handle, 0, 12, handle, 0, 12]);
  frame.set([2, 3, 4, -1], 24); // after eight operands: the shape, no axes, then epsilon and activation as float64
  const put = (epsilon) => { // through a new view: a call may grow the memory
    new Int32Array(exports.mem.buffer, exports.frameAddress() >>> 0, 64).set(new Int32Array(Float64Array.of(epsilon, 0).buffer), 28);
  };
  const layerNorm = api.operations.indexOf('layerNorm');
  put(1e-5);
  assert.equal(exports.norm(layerNorm), 0);
  assert.deepEqual(new Float32Array(exports.mem.buffer, at, 12).slice(), api.layerNorm(x, { shape: [3, 4] }));
  put(-1);
  assert.equal(exports.norm(layerNorm), 1);
  assert.equal(exports.norm(999), 1);
  put(-1);
  exports.norm(layerNorm);
  const text = new Uint8Array(exports.mem.buffer, exports.failureAddress() >>> 0, exports.failureLength());
  assert.match(new TextDecoder().decode(text), /epsilon is -1/);
  assert.equal(exports.free(handle), 0);
  assert.equal(exports.free(handle), 5);

  api.exit();
  await ended;
  assert.deepEqual(Object.getOwnPropertyNames(globalThis).filter((name) => !before.includes(name)).sort(), ['Go', 'fs', 'path'], 'what wasm_exec.js itself leaves');
});

test('without a function to call, the module says so and ends', async (t) => {
  const log = t.mock.method(console, 'log', () => {});
  const go = new globalThis.Go();
  const { instance } = await WebAssembly.instantiate(readFileSync(new URL('../dist/normwasm.simd.wasm', import.meta.url)), go.importObject);
  await go.run(instance);
  assert.match(log.mock.calls.map((call) => call.arguments.join(' ')).join('\n'), /no function named normwasm/);
});
