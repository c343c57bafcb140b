// What does not fit into the memory is refused, and everything else lives on. The limit is
// lowered here, so that the tests are quick. With the real one, and models of 900 MB:
//   NORMWASM_LONG=1 node --test test/limit.test.mjs
// (needs 5 GB of memory for some ten seconds).
import assert from 'node:assert/strict';
import { totalmem } from 'node:os';
import { afterEach, beforeEach, test } from 'node:test';
import { InferenceSession, Tensor, init, layerNorm } from '../src/index.js';
import { live } from '../src/runtime.js';
import { floats, model, twoOutputs } from './data.mjs';

const MiB = 1 << 20;
const tooLong = !process.env.NORMWASM_LONG && 'NORMWASM_LONG is not set' || totalmem() < 8e9 && 'the machine has less than 8 GB of memory';
let runtime;
beforeEach(async () => {
  runtime = await init(); // a new one each time, without holes that earlier tests left
});
afterEach(() => runtime.dispose());

/** Leaves so many bytes beside what the memory has now. */
const leave = (bytes) => live('test').invoke('limit', runtime.memory().total + bytes);
const none = { name: 'NormError', code: 'OUT_OF_MEMORY' };
const zeros = (mib) => Tensor.zeros([(mib * MiB) / 4], { location: 'wasm' });

const varint = (n) => (n < 128 ? [n] : [(n % 128) + 128, ...varint(Math.floor(n / 128))]);

/**
 * A model with large weights [name, dims, write(bytes)]: put together here, as a list of 900 million numbers it would be too long.
 * @param {object} spec
 * @param {[name: string, dims: number[], write: (bytes: Uint8Array) => void, type?: number][]} weights float32 where no type is given
 */
function large(spec, weights) {
  const small = model(spec);
  const at = small.indexOf(0x3a); // the graph, which is the last field
  let from = at + 1;
  while (small[from++] >= 128);
  const graph = small.subarray(from);
  const heads = weights.map(([name, dims, , type = 1]) => {
    const bytes = dims.reduce((a, b) => a * b, { 1: 4, 3: 1, 10: 2, 16: 2 }[type]);
    const head = [...dims.flatMap((d) => [0x08, ...varint(d)]), 0x10, type, 0x42, name.length, ...new TextEncoder().encode(name), 0x4a, ...varint(bytes)];
    return { bytes, head: [0x2a, ...varint(head.length + bytes), ...head] };
  });
  const before = [...small.subarray(0, at), 0x3a, ...varint(heads.reduce((n, { bytes, head }) => n + head.length + bytes, graph.length)), ...graph];
  const file = new Uint8Array(heads.reduce((n, { bytes, head }) => n + head.length + bytes, before.length));
  file.set(before);
  let to = before.length;
  heads.forEach(({ bytes, head }, i) => {
    file.set(head, to);
    to += head.length;
    weights[i][2](file.subarray(to, to + bytes));
    to += bytes;
  });
  return file;
}

/** y = x + max(w), where w is [5, 0, 0, …] of so many bytes. */
const heavy = (bytes) => large({
  nodes: [{ op: 'ReduceMax', inputs: ['w'], outputs: ['m'], attributes: { keepdims: 0 } }, { op: 'Add', inputs: ['x', 'm'], outputs: ['y'] }],
  inputs: [['x', 1, ['n']]], outputs: [['y', 1, ['n']]],
}, [['w', [bytes / 4], (w) => w.set(new Uint8Array(Float32Array.of(5).buffer))]]);

test('tensors', () => {
  leave(100 * MiB);
  const list = [];
  let refused;
  try {
    while (list.length < 60) list.push(zeros(16));
  } catch (error) {
    refused = error;
  }
  assert.equal(refused?.code, 'OUT_OF_MEMORY');
  assert.match(refused.message, /no memory for 16777216 bytes: \d+ are in use .* may have \d+/);
  assert.ok(list.length >= 4, `${list.length} of 16 MiB in 100`);
  assert.equal(runtime.memory().tensors, list.length);
  list[0].data.fill(1);
  layerNorm(list[0], { out: list[1] });
  assert.throws(() => layerNorm(list[0]), none, 'a result that has no room');
  assert.equal(runtime.memory().tensors, list.length);
  list.pop().dispose();
  list.push(zeros(16));
  for (const t of list) t.dispose();
  zeros(32).dispose();
  assert.equal(runtime.memory().inUse, 0);
});

test('plain arrays', () => {
  const small = floats(1000, 1);
  const want = layerNorm(small);
  leave(20 * MiB);
  assert.throws(() => layerNorm(new Float32Array(16 * MiB)), none);
  assert.deepEqual(layerNorm(small), want);
});

for (const [how, source] of Object.entries({
  'an array': (bytes) => bytes,
  'a Blob': (bytes) => new Blob([bytes]),
  'a stream of no known length': (bytes) => new Blob([bytes]).stream(),
})) {
  test(`models from ${how}`, async () => {
    const x = new Tensor('float32', [1, 2], [2]);
    const file = heavy(16 * MiB);
    const alive = await InferenceSession.create(twoOutputs());
    const resident = new Tensor('float32', [7], [1]).toWasm();
    leave(100 * MiB);
    const sessions = [];
    await assert.rejects((async () => {
      while (sessions.length < 60) sessions.push(await InferenceSession.create(source(file)));
    })(), none);
    assert.ok(sessions.length >= 3, `${sessions.length} of 16 MiB in 100`);
    for (const session of sessions) assert.deepEqual([...(await session.run({ x })).y.data], [6, 7]);
    assert.equal((await alive.run({ x: new Tensor('float32', [1, 2, 3], [1, 3]) })).z.data[2], 6);
    assert.equal(resident.data[0], 7);
    assert.equal(runtime.memory().sessions, sessions.length + 1);
    assert.ok(runtime.memory().inUse >= sessions.length * file.length);
    await sessions.pop().release();
    sessions.push(await InferenceSession.create(source(file)));
    for (const session of [...sessions, alive]) await session.release();
    resident.dispose();
    assert.equal(runtime.memory().inUse, 0);
  });
}

test('a run whose shapes need too much', async () => {
  const session = await InferenceSession.create(model({
    nodes: [{ op: 'Conv', inputs: ['x', 'w'], outputs: ['y'] }],
    inputs: [['x', 1, [1, 3, 'h', 'w']]], outputs: [['y', 1, [1, 2, 'h', 'w']]], constants: [['w', [2, 3, 1, 1], floats(6, 1)]],
  }));
  const feed = (h, w) => ({ x: new Tensor('float32', new Float32Array(3 * h * w).fill(1), [1, 3, h, w]) });
  const want = (await session.run(feed(2, 2))).y.data;
  leave(30 * MiB);
  await assert.rejects(session.run(feed(2048, 2048)), none);
  assert.throws(() => session.runSync(feed(1024, 4096)), none);
  assert.deepEqual((await session.run(feed(2, 2))).y.data, want);
  // Shapes that no memory has room for, from a tensor that says it has them.
  const huge = feed(1, 1).x;
  for (const dims of [[1, 3, 100000, 100000], [1, 3, 2147483647, 2147483647], [1, 3, 65536, 65536], [1, 3, 65536, 16384]]) {
    Object.defineProperty(huge, 'dims', { value: dims, configurable: true });
    await assert.rejects(session.run({ x: huge }), ({ code }) => code === 'INVALID_SHAPE' || code === 'OUT_OF_MEMORY');
    Object.defineProperty(huge, 'dims', { value: [1, 3, 1, 1], configurable: true });
  }
  assert.deepEqual((await session.run(feed(2, 2))).y.data, want);
  await session.release();
});

test('what a model makes while it runs', async () => {
  const session = await InferenceSession.create(model({
    nodes: [{ op: 'ConstantOfShape', inputs: ['s'], outputs: ['c'] }, { op: 'Relu', inputs: ['c'], outputs: ['y'] }],
    inputs: [['s', 7, [2]]], outputs: [['y', 1, ['a', 'b']]],
  }));
  leave(30 * MiB);
  await assert.rejects(session.run({ s: new Tensor('int64', [4096n, 4096n], [2]) }), none);
  for (const [a, b] of [[2n ** 31n, 2n ** 31n], [2n ** 62n, 4n], [-1n, 3n], [2n ** 15n, 2n ** 14n]]) {
    await assert.rejects(session.run({ s: new Tensor('int64', [a, b], [2]) }), ({ code }) => code === 'INVALID_SHAPE' || code === 'OUT_OF_MEMORY');
  }
  assert.deepEqual([...(await session.run({ s: new Tensor('int64', [2n, 3n], [2]) })).y.dims], [2, 3]);
  await session.release();
});

test('memory() counts what sessions hold', async () => {
  const base = runtime.memory().inUse;
  const file = heavy(4 * MiB);
  const session = await InferenceSession.create(file);
  const loaded = runtime.memory().inUse - base;
  assert.ok(loaded >= file.length && loaded < file.length + 4096, `${loaded} of a file of ${file.length}`);
  await session.run({ x: new Tensor('float32', new Float32Array(MiB), [MiB]) });
  const run = runtime.memory().inUse - base - loaded;
  assert.ok(run >= 8 * MiB && run < 10 * MiB, `${run}, want x and y of 4 MiB each`);
  await session.release();
  assert.equal(runtime.memory().inUse, base);

  const packed = await InferenceSession.create(model({
    nodes: [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] }],
    inputs: [['x', 1, ['n', 1024]]], outputs: [['y', 1, ['n', 1024]]], constants: [['w', [1024, 1024], floats(MiB, 1)]],
  }));
  const once = runtime.memory().inUse - base;
  assert.ok(once >= 4 * MiB && once < 4 * MiB + 200_000, `${once}, want the weights once`);
  await packed.run({ x: new Tensor('float32', floats(4096, 2), [4, 1024]) });
  await packed.release();
  layerNorm(floats(2 * MiB, 3));
  assert.ok(runtime.memory().scratch >= 8 * MiB);
  assert.equal(runtime.memory().inUse, base);
});

// ---- weights are held once -------------------------------------------------------------------------

/** Any numbers of standard deviation scale, quickly. */
function noise(bytes, scale, seed) {
  const list = new Float32Array(bytes.length / 4);
  let state = seed;
  for (let i = 0; i < list.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    list[i] = (state / 2 ** 31) * Math.sqrt(3) * scale;
  }
  bytes.set(new Uint8Array(list.buffer));
}

/** Dense layers with ReLU between them, as Gemm's weights are exported (transposed: [out, in]) or as MatMul's. */
function dense(widths, { transposed = false, spelled = false } = {}) {
  const nodes = [];
  const weights = [];
  widths.slice(1).forEach((n, i) => {
    const [k, w, last] = [widths[i], `w${i}`, i === widths.length - 2];
    if (spelled) nodes.push({ op: 'Transpose', inputs: [w], outputs: [`t${i}`], attributes: { perm: [1, 0] } });
    nodes.push({ op: transposed && !spelled ? 'Gemm' : 'MatMul', inputs: [i ? `h${i}` : 'x', spelled ? `t${i}` : w], outputs: [last ? 'y' : `m${i}`], attributes: transposed && !spelled ? { transB: 1 } : {} });
    if (!last) nodes.push({ op: 'Relu', inputs: [`m${i}`], outputs: [`h${i + 1}`] });
    weights.push([w, transposed ? [n, k] : [k, n], (bytes) => noise(bytes, Math.sqrt(2 / k), i + 1)]);
  });
  const last = widths[widths.length - 1];
  return large({ nodes, inputs: [['x', 1, ['n', widths[0]]]], outputs: [['y', 1, ['n', last]]] }, weights);
}

/** What dense gives for one row, in float64. */
function denseOracle(widths, x, { transposed = false } = {}) {
  let row = Float64Array.from(x);
  widths.slice(1).forEach((n, i) => {
    const k = widths[i];
    const bytes = new Uint8Array(4 * k * n);
    noise(bytes, Math.sqrt(2 / k), i + 1);
    const w = new Float32Array(bytes.buffer);
    const next = new Float64Array(n);
    for (let a = 0; a < k; a++) for (let b = 0; b < n; b++) next[b] += row[a] * w[transposed ? b * k + a : a * n + b];
    row = i === widths.length - 2 ? next : next.map((v) => Math.max(v, 0));
  });
  return row;
}

/** 3×3 convolutions with BatchNormalization and ReLU. */
function convolutions(channels) {
  const nodes = [];
  const weights = [];
  const constants = [];
  channels.slice(1).forEach((n, i) => {
    const k = channels[i];
    nodes.push({ op: 'Conv', inputs: [i ? `h${i}` : 'x', `w${i}`], outputs: [`c${i}`], attributes: { pads: [1, 1, 1, 1] } },
      { op: 'BatchNormalization', inputs: [`c${i}`, `s${i}`, `z${i}`, `z${i}`, `s${i}`], outputs: [`b${i}`] },
      { op: 'Relu', inputs: [`b${i}`], outputs: [i === channels.length - 2 ? 'y' : `h${i + 1}`] });
    constants.push([`s${i}`, [n], new Float32Array(n).fill(1)], [`z${i}`, [n], new Float32Array(n)]);
    weights.push([`w${i}`, [n, k, 3, 3], (bytes) => noise(bytes, Math.sqrt(2 / 9 / k), i + 1)]);
  });
  return large({ nodes, constants, inputs: [['x', 1, [1, channels[0], 'h', 'w']]], outputs: [['y', 1, [1, channels[channels.length - 1], 'h', 'w']]] }, weights);
}

/** Creates a session of the file in a module of its own, runs it, and tells what the module took. */
async function taken(source, feed) {
  const fresh = await init();
  try {
    const before = fresh.memory().total;
    const session = await InferenceSession.create(source);
    const { y } = await session.run({ x: feed });
    await session.run({ x: feed });
    const { total, inUse } = fresh.memory();
    await session.release();
    assert.equal(fresh.memory().inUse, 0);
    return { y: y.data, grown: total - before, inUse };
  } finally {
    fresh.dispose();
  }
}

const sources = {
  'an array': (file) => file,
  'a response that tells its length': (file) => new Response(file, { headers: { 'content-length': String(file.length) } }),
  'a stream of no known length': (file) => new Blob([file]).stream(),
};

for (const [size, layers, channels, skip] of [
  ['20 MB', [1000, 2048, 1024, 512, 405], [16, 256, 512, 512, 92], false],
  ['130 MB', [1024, 4096, 2560, 3072, 2504], [64, 512, 1024, 1024, 1024, 1000], tooLong],
]) {
  const row = new Tensor('float32', floats(layers[0], 1), [1, layers[0]]);
  for (const [what, options] of Object.entries({ MatMul: {}, 'Gemm, transposed': { transposed: true }, 'MatMul by Transpose': { transposed: true, spelled: true } })) {
    test(`dense layers of ${size} are held once: ${what}`, { skip }, async () => {
      const file = dense(layers, options);
      const want = denseOracle(layers, row.data, options);
      for (const [how, source] of Object.entries(sources)) {
        const { y, grown, inUse } = await taken(source(file), row);
        y.forEach((v, i) => assert.ok(Math.abs(v - want[i]) < 2e-5, `${i}: ${v}, want ${want[i]}`));
        // Go's heap grows by 4 MiB.
        assert.ok(grown <= file.length * 1.1 + (skip === false ? 4 * MiB : 0), `the memory grew by ${grown} for a file of ${file.length} from ${how}`);
        assert.ok(inUse >= file.length && inUse <= file.length * 1.08, `${inUse} of a file of ${file.length} from ${how}`);
      }
    });
  }
  test(`convolutions of ${size} are held once`, { skip }, async () => {
    const file = convolutions(channels);
    const x = new Tensor('float32', floats(channels[0] * 12, 1), [1, channels[0], 3, 4]);
    const outs = [];
    for (const [how, source] of Object.entries(sources)) {
      const { y, grown, inUse } = await taken(source(file), x);
      outs.push(y);
      assert.ok(grown <= file.length * 1.1 + (skip === false ? 4 * MiB : 0), `the memory grew by ${grown} for a file of ${file.length} from ${how}`);
      assert.ok(inUse >= file.length && inUse <= file.length * 1.08, `${inUse} of a file of ${file.length} from ${how}`);
    }
    assert.ok(outs[0].some((v) => v !== 0));
    assert.deepEqual(outs[1], outs[0]);
    assert.deepEqual(outs[2], outs[0]);
  });
}

test('what a model lacks is named, then counted', async () => {
  const message = async (n) => {
    const name = (i) => (i === 0 ? 'x' : i === n ? 'y' : `v${i}`);
    const nodes = Array.from({ length: n }, (_, i) => ({ op: `Nobody${i}`, inputs: [name(i)], outputs: [name(i + 1)] }));
    let found;
    await assert.rejects(InferenceSession.create(model({ nodes, inputs: [['x', 1, [1]]], outputs: [['y', 1, [1]]] })), (error) => {
      found = error.message;
      return error.name === 'UnsupportedError' && error.code === 'UNSUPPORTED';
    });
    return found;
  };
  const few = await message(3);
  for (let i = 0; i < 3; i++) assert.ok(few.includes(`Nobody${i} (opset 17)`));
  const before = runtime.memory().total;
  const many = await message(8000);
  assert.match(many, /Nobody31 \(opset 17\), and more than \d+ more$/);
  assert.ok(many.length < 1000, `${many.length} characters`);
  assert.ok(runtime.memory().total - before < 64 * MiB, 'and the memory stays small');
});

// What bytes are as elements of each type, as far as the next test needs them: [name, number, size, value].
const narrow = [
  ['int8', 3, 1, (bytes, i) => (bytes[i] << 24) >> 24],
  ['bfloat16', 16, 2, (bytes, i) => new DataView(Uint8Array.of(0, 0, bytes[2 * i], bytes[2 * i + 1]).buffer).getFloat32(0, true)],
  ['float16', 10, 2, (bytes, i) => {
    const bits = bytes[2 * i] | (bytes[2 * i + 1] << 8);
    return (bits >> 15 ? -1 : 1) * 2 ** (((bits >> 10) & 31) - 15) * (1 + (bits & 1023) / 1024);
  }],
];

for (const [name, type, size, value] of narrow) {
  test(`weights of ${name} stay that until they are used`, async () => {
    const [rows, columns, entries] = [1500, 5003, 16_000];
    /** Any bytes; the high one of two is that of ordinary numbers. */
    const write = (bytes) => {
      for (let i = 0, state = type; i < bytes.length; i++) {
        state = (Math.imul(state, 1664525) + 1013904223) | 0;
        bytes[i] = size === 2 && i % 2 === 1 ? ((state >> 16) & 0x83) | 0x38 : state >> 16;
      }
    };
    const cast = (from, to) => ({ op: 'Cast', inputs: [from], outputs: [to], attributes: { to: 1 } });
    const file = large({
      nodes: [cast('w', 'W'), { op: 'MatMul', inputs: ['x', 'W'], outputs: ['y'] }, cast('t', 'T'), { op: 'Gather', inputs: ['T', 'i'], outputs: ['z'] }],
      inputs: [['x', 1, ['n', rows]], ['i', 7, ['k']]], outputs: [['y', 1, ['n', columns]], ['z', 1, ['k', 512]]],
    }, [['w', [rows, columns], write, type], ['t', [entries, 512], write, type]]);
    const fresh = await init();
    const before = fresh.memory().total;
    const session = await InferenceSession.create(file);
    const x = new Tensor('float32', floats(2 * rows, 1), [2, rows]);
    const { y, z } = await session.run({ x, i: new Tensor('int64', [3n, 15_999n, 0n], [3]) });
    const { total, inUse } = fresh.memory();
    const [w, t] = [new Uint8Array(rows * columns * size), new Uint8Array(entries * 512 * size)];
    write(w);
    write(t);
    for (let at = 0; at < 2 * columns; at += 97) {
      let [sum, magnitude] = [0, 0];
      for (let k = 0; k < rows; k++) {
        const product = x.data[Math.floor(at / columns) * rows + k] * value(w, k * columns + (at % columns));
        sum += product;
        magnitude += Math.abs(product);
      }
      assert.ok(Math.abs(y.data[at] - sum) <= magnitude * 1e-5, `${at}: ${y.data[at]}, want ${sum}`);
    }
    [3, 15_999, 0].forEach((row, i) => {
      for (let k = 0; k < 512; k++) assert.equal(z.data[512 * i + k], value(t, 512 * row + k));
    });
    assert.ok(inUse <= file.length * 1.06, `${inUse} of a file of ${file.length}`);
    assert.ok(total - before <= file.length * 1.1 + 4 * MiB, `the memory grew by ${total - before} for a file of ${file.length}`);
    await session.release();
    fresh.dispose();
  });
}

test('five models of 900 MB', { timeout: 600_000, skip: tooLong }, async () => {
  const file = heavy(900_000_000);
  const x = new Tensor('float32', [1, 2], [2]);
  const sessions = [];
  await assert.rejects((async () => {
    while (sessions.length < 6) sessions.push(await InferenceSession.create(file));
  })(), none);
  assert.equal(sessions.length, 4);
  for (const session of sessions) assert.deepEqual([...(await session.run({ x })).y.data], [6, 7]);
  await assert.rejects(InferenceSession.create(file), none);
  await sessions[1].release();
  sessions[1] = await InferenceSession.create(new Blob([file]).stream());
  for (const session of sessions) assert.deepEqual([...(await session.run({ x })).y.data], [6, 7]);
  const tensors = [];
  assert.throws(() => {
    for (;;) tensors.push(zeros(64));
  }, none);
  for (const tensor of tensors) tensor.dispose();
  for (const session of sessions) await session.release();
  assert.equal(runtime.memory().inUse, 0);
});
