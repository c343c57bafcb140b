// The memory's limits are rewritten while a module's bytes pass, however these are cut.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { pagesSection } from '../src/control.js';
import { Sharing, shared } from '../src/threads/share.js';

const file = new Uint8Array(readFileSync(new URL('../dist/normwasm.simd.wasm', import.meta.url)));

/** A number as WebAssembly writes it, in so many bytes at least. */
function leb(value, least = 1) {
  const bytes = [];
  do {
    bytes.push(value % 128 + 128);
    value = Math.floor(value / 128);
  } while (value > 0 || bytes.length < least);
  bytes[bytes.length - 1] -= 128;
  return bytes;
}
const section = (id, content, least) => [id, ...leb(content.length, least), ...content];
const begin = [0, 97, 115, 109, 1, 0, 0, 0];
const exported = section(7, [1, 3, 109, 101, 109, 2, 0]);
/** A module with a memory of these limits, and sections before and after it. */
const made = (limits, least) => Uint8Array.from([...begin, ...section(0, [2, 104, 105, ...new Array(300).fill(5)]), ...section(1, [0], least), ...section(5, limits, least), ...exported]);

/** The sections of a module: [id, content], by another reader than the one that is tested. */
function sections(bytes) {
  const list = [];
  for (let at = 8; at < bytes.length;) {
    const id = bytes[at++];
    let [size, shift] = [0, 0];
    do size |= (bytes[at] & 127) << shift, shift += 7; while (bytes[at++] & 128);
    list.push([id, bytes.slice(at, at + size)]);
    at += size;
  }
  return list;
}

const joined = (list) => Uint8Array.from(Buffer.concat(list));
/** The bytes in chunks of sizes that next gives. */
function cut(bytes, next, pages = 65536) {
  const sharing = new Sharing(pages);
  const out = [];
  for (let at = 0; at < bytes.length;) {
    const size = next();
    out.push(...sharing.push(bytes.subarray(at, at + size)).map((part) => part.slice()));
    at += size;
  }
  return joined([...out, sharing.rest()]);
}

test('only the limits of the memory change', async () => {
  const other = shared(file, 65536);
  const [before, after] = [sections(file), sections(other)];
  assert.deepEqual(after.map(([id]) => id), before.map(([id]) => id));
  before.forEach(([id, content], i) => {
    if (id !== 5) return assert.ok(Buffer.compare(content, after[i][1]) === 0, `section ${id}`);
    assert.deepEqual([...after[i][1]], [1, 3, ...content.slice(2, 5).subarray(0, after[i][1].length - 5), 0x80, 0x80, 4]);
  });
  assert.equal(await WebAssembly.compile(file).then((m) => WebAssembly.Module.exports(m).length), await WebAssembly.compile(other).then((m) => WebAssembly.Module.exports(m).length));
});

test('however the bytes are cut', () => {
  const small = made([1, 0, 200, 1]);
  const want = shared(small, 65536);
  for (let size = 1; size <= small.length; size++) assert.deepEqual(cut(small, () => size), want, `chunks of ${size}`);
  for (let at = 0; at <= small.length; at++) {
    let first = true;
    assert.deepEqual(cut(small, () => (first ? (first = false, at) : small.length)), want, `cut at ${at}`);
  }
  let seed = 7;
  const random = (n) => ((seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) >>> 8) % n;
  const wanted = shared(file, 65536);
  for (let i = 0; i < 5; i++) {
    let count = 0;
    assert.ok(Buffer.compare(cut(file, () => (count++ < 3000 ? random(9) : 1 + random(100_000))), wanted) === 0);
  }
});

for (const least of [1, 2, 5]) {
  test(`limits of all kinds, sizes in ${least} byte${least > 1 ? 's' : ''} at least`, async () => {
    for (const [limits, initial] of [[[1, 0, 7], 7], [[1, 1, 7, 9], 7], [[1, 0, 200, 1], 200], [[1, 0, 0], 0], [[1, 0, ...leb(3, 4)], 3]]) {
      for (const pages of [65536, 4096, 300]) {
        const bytes = shared(made(limits, least), pages);
        const module = await WebAssembly.compile(bytes);
        const { mem } = (await WebAssembly.instantiate(module)).exports;
        assert.ok(mem.buffer instanceof SharedArrayBuffer);
        assert.equal(mem.buffer.byteLength, initial * 65536);
        if (pages === 300) {
          mem.grow(300 - initial);
          assert.throws(() => mem.grow(1), RangeError);
        }
        const [section] = WebAssembly.Module.customSections(module, pagesSection);
        assert.equal(section && new DataView(section).getUint32(0, true), pages < 65536 ? pages : undefined);
      }
    }
    // Those with more pages than are to be had keep what they need.
    const { mem } = (await WebAssembly.instantiate(await WebAssembly.compile(shared(made([1, 0, ...leb(500)], least), 400)))).exports;
    assert.equal(mem.buffer.byteLength, 500 * 65536);
  });
}

test('what is shared already, and what is no module, stays as it is', () => {
  for (const bytes of [
    made([1, 3, 1, 9]), made([2, 0, 1, 0, 1]), made([1, 4, 1]), made([0]), made([]),
    Uint8Array.from(begin), Uint8Array.of(), Uint8Array.of(0, 97), new Uint8Array(500).fill(42), new Uint8Array(300).fill(255),
    Uint8Array.from([...begin, 5]), Uint8Array.from([...begin, 5, 3, 1, 0]), Uint8Array.from([...begin, 1, 0x80]), Uint8Array.from([...begin, 5, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 1]),
    Uint8Array.from([...begin, ...section(1, [0]), 9, 200]), new TextEncoder().encode('<!doctype html><title>Not found</title>'.repeat(20)),
  ]) {
    assert.deepEqual(shared(bytes, 65536), bytes);
    for (let size = 1; size < 12; size++) assert.deepEqual(cut(bytes, () => size), bytes);
  }
});

test('in a stream', async () => {
  const stream = new Blob([made([1, 0, 7])]).stream().pipeThrough(new Sharing(65536).transform());
  const { exports } = await WebAssembly.instantiate(await WebAssembly.compileStreaming(new Response(stream, { headers: { 'content-type': 'application/wasm' } })));
  assert.ok(exports.mem.buffer instanceof SharedArrayBuffer);
  assert.deepEqual([...new Uint8Array(await new Response(new Blob([Uint8Array.of(0, 97)]).stream().pipeThrough(new Sharing(65536).transform())).arrayBuffer())], [0, 97], 'what ends too soon ends as it did');
});
