// Makes the memory of a module one that threads can share: the limits in its memory section are rewritten while its bytes pass.
// (Of a shared memory the most that it may grow to must be said. Nothing else of the module changes.)

import { pagesSection } from '../control.js';

const memorySection = 5;

/** The most pages of 64 KiB that a memory can have. */
export const mostPages = 65536;

/**
 * A number as WebAssembly writes it: the number and where it ends; undefined where bytes end before it does.
 * @param {Uint8Array} bytes
 * @param {number} at
 */
function read(bytes, at) {
  let value = 0;
  for (let i = 0; i < 5 && at + i < bytes.length; i++) {
    value += (bytes[at + i] & 127) * 128 ** i;
    if (bytes[at + i] < 128) return { value, end: at + i + 1 };
  }
  return bytes.length - at < 5 ? undefined : { value: Infinity, end: at };
}

/** @param {number} value @returns {number[]} */
const write = (value) => (value < 128 ? [value] : [(value & 127) | 128, ...write(value >>> 7)]);

/** @param {number[]} content @param {number} id */
const section = (id, content) => [id, ...write(content.length), ...content];

/**
 * The memory section for one memory of these limits at least, in place of its content; the same for one that is shared already.
 * @param {Uint8Array} content
 * @param {number} pages
 */
function limits(content, pages) {
  const least = read(content, 2);
  if (content[0] !== 1 || content[1] > 1 || !least) return section(memorySection, [...content]);
  const most = Math.max(pages, least.value);
  const says = most < mostPages ? section(0, [pagesSection.length, ...new TextEncoder().encode(pagesSection), ...[0, 8, 16, 24].map((shift) => (most >>> shift) & 255)]) : [];
  return [...says, ...section(memorySection, [1, 3, ...write(least.value), ...write(most)])];
}

/** A module's bytes on their way, cut anywhere. */
export class Sharing {
  /** Of a head, or of the memory section, that has not come whole. */
  #held = new Uint8Array(0);
  /** How many bytes go on as they are: first what every module begins with. */
  #pass = 8;

  /** @param {number} pages the most that the memory may grow to */
  constructor(pages) {
    this.pages = pages;
  }

  /**
   * Takes bytes, and returns those that go on.
   * @param {Uint8Array} chunk
   * @returns {Uint8Array[]}
   */
  push(chunk) {
    const bytes = this.#held.length > 0 ? joined([this.#held, chunk]) : chunk;
    /** @type {Uint8Array[]} */
    const out = [];
    let at = 0;
    while (at < bytes.length) {
      if (this.#pass > 0) {
        const to = Math.min(at + this.#pass, bytes.length);
        out.push(bytes.subarray(at, to));
        this.#pass -= to - at;
        at = to;
        continue;
      }
      const size = read(bytes, at + 1);
      if (!size) break;
      const end = size.end + size.value;
      if (bytes[at] !== memorySection || size.value > 64) {
        this.#pass = end - at;
        continue;
      }
      if (end > bytes.length) break;
      out.push(Uint8Array.from(limits(bytes.subarray(size.end, end), this.pages)));
      at = end;
      this.#pass = Infinity;
    }
    this.#held = bytes.slice(at);
    return out;
  }

  /** What was held when the bytes ended, which is damaged then. */
  rest() {
    return this.#held;
  }

  /** For streams. */
  transform() {
    return new TransformStream({
      transform: (chunk, control) => this.push(chunk).forEach((bytes) => control.enqueue(bytes)),
      flush: (control) => control.enqueue(this.rest()),
    });
  }
}

/** @param {Uint8Array[]} list */
function joined(list) {
  const all = new Uint8Array(list.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const bytes of list) {
    all.set(bytes, at);
    at += bytes.length;
  }
  return all;
}

/**
 * A whole module.
 * @param {Uint8Array} bytes
 * @param {number} pages
 */
export function shared(bytes, pages) {
  const sharing = new Sharing(pages);
  return joined([...sharing.push(bytes), sharing.rest()]);
}
