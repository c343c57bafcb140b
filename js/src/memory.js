// The module's memory. Nothing else touches its buffer: growth detaches every view,
// so views are checked, and made anew, right before each use.
import { scope } from './scope.js';

const decoder = new (scope().TextDecoder)();

export class Memory {
  /** @type {WebAssembly.Memory} */ #memory;
  #f32 = new Float32Array(0);
  #i32 = new Int32Array(0);
  #u8 = new Uint8Array(0);

  /** @param {WebAssembly.Memory} mem */
  constructor(mem) {
    this.#memory = mem;
  }

  // A detached view has length 0, the memory never has.

  get f32() {
    return this.#f32.length === 0 ? (this.#f32 = new Float32Array(this.#buffer)) : this.#f32;
  }

  get i32() {
    return this.#i32.length === 0 ? (this.#i32 = new Int32Array(this.#buffer)) : this.#i32;
  }

  get u8() {
    return this.#u8.length === 0 ? (this.#u8 = new Uint8Array(this.#buffer)) : this.#u8;
  }

  get #buffer() {
    const mem = this.#memory;
    return mem.buffer;
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
   * The array itself; a copy of one that is a view of this memory, which growth
   * would detach.
   * @template {{ buffer: ArrayBufferLike, slice(): T }} T
   * @param {T} array
   * @returns {T}
   */
  outside(array) {
    return this.owns(array) ? array.slice() : array;
  }

  /** @param {{ buffer: ArrayBufferLike }} array */
  owns(array) {
    return array.buffer === this.#buffer;
  }

  /**
   * A copy of UTF-8 text.
   * @param {number} address
   * @param {number} length
   */
  text(address, length) {
    return decoder.decode(this.u8.subarray(address, address + length));
  }
}
