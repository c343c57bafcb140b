// The module's memory. Nothing else touches its buffer: growth replaces it, and what is a view of the one before is detached or,
// where threads share the memory, too short. So views are made anew when Go's runtime says that the memory has grown.
import { scope } from './scope.js';

const { TextDecoder, TextEncoder } = scope();
// A byte order mark that begins a string is part of it.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();

export class Memory {
  /** @type {WebAssembly.Memory} */ #memory;
  #buffer = new ArrayBuffer(0);
  /** All that there were: views of a shared one go on being views of this memory. @type {WeakSet<ArrayBufferLike>} */ #buffers = new WeakSet();
  f32 = new Float32Array(0);
  i32 = new Int32Array(0);
  u8 = new Uint8Array(0);

  /** @param {WebAssembly.Memory} mem */
  constructor(mem) {
    this.#memory = mem;
    this.renew();
  }

  /** The memory has grown. */
  renew() {
    const mem = this.#memory;
    this.#buffer = mem.buffer;
    this.#buffers.add(this.#buffer);
    this.f32 = new Float32Array(this.#buffer);
    this.i32 = new Int32Array(this.#buffer);
    this.u8 = new Uint8Array(this.#buffer);
  }

  /** Whether threads share it. */
  get isShared() {
    return !(this.#buffer instanceof ArrayBuffer);
  }

  /** Bytes. */
  get size() {
    return this.#buffer.byteLength;
  }

  /**
   * A view of length elements.
   * @template T
   * @param {new (buffer: ArrayBuffer, offset: number, length: number) => T} Class
   * @param {number} address
   * @param {number} length
   */
  view(Class, address, length) {
    return new Class(this.#buffer, address, length);
  }

  /**
   * Copies an array to an address, which suits its elements.
   * @param {any} array
   * @param {number} address
   */
  write(array, address) {
    if (array instanceof Float32Array) this.f32.set(array, address >>> 2);
    else this.u8.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), address);
  }

  /**
   * An array of what is at an address, which suits its elements.
   * @param {any} Class
   * @param {number} address
   * @param {number} bytes
   */
  copy(Class, address, bytes) {
    // (A slice of the whole costs no view, and no buffer where it is small.)
    if (Class === Float32Array) return this.f32.slice(address >>> 2, (address + bytes) >>> 2);
    return this.view(Class, address, bytes / Class.BYTES_PER_ELEMENT).slice();
  }

  /**
   * The array itself; a copy of one that is a view of this memory, which growth would detach.
   * @template {{ buffer: ArrayBufferLike, slice(): T }} T
   * @param {T} array
   * @returns {T}
   */
  outside(array) {
    return this.owns(array) ? array.slice() : array;
  }

  /** @param {{ buffer: ArrayBufferLike }} array */
  owns(array) {
    return this.#buffers.has(array.buffer);
  }

  /**
   * A copy of UTF-8 text.
   * @param {number} address
   * @param {number} length
   */
  text(address, length) {
    return decoder.decode(this.u8.slice(address, address + length)); // which takes no view of shared memory
  }

  /**
   * Strings that are there as the module wants and gives them: their lengths in bytes, then their bytes.
   * @param {number} address
   * @param {number} count
   */
  texts(address, count) {
    let at = address + 4 * count;
    const lengths = this.view(Uint32Array, address, count);
    return Array.from(lengths, (length) => this.text((at += length) - length, length));
  }
}

/**
 * Strings as the module wants them. What is not UTF-16, half of a pair, becomes U+FFFD.
 * @param {readonly string[]} list
 */
export function encodeTexts(list) {
  const texts = list.map((text) => encoder.encode(text));
  let at = 4 * list.length;
  const bytes = new Uint8Array(texts.reduce((sum, { length }) => sum + length, at));
  new Uint32Array(bytes.buffer, 0, list.length).set(texts.map(({ length }) => length));
  for (const text of texts) {
    bytes.set(text, at);
    at += text.length;
  }
  return bytes;
}
