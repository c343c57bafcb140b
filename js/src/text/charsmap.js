// SentencePiece's table of what characters are normalized to: a trie (Darts' double array) of UTF-8 bytes, and the texts that
// its leaves refer to.
import { wrong } from './parts.js';

/**
 * @param {string} base64
 * @returns {(text: string) => string}
 */
export function charsMap(base64) {
  if (base64 === '') return (text) => text;
  let file;
  try {
    file = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  } catch (cause) {
    throw wrong('the precompiled_charsmap is no base64', cause);
  }
  const view = new DataView(file.buffer);
  const size = file.length < 4 ? NaN : view.getUint32(0, true);
  if (!(size % 4 === 0 && size > 0 && 4 + size <= file.length)) throw wrong(`the precompiled_charsmap of ${file.length} bytes gives its trie ${size}`);
  const trie = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
  const texts = file.subarray(4 + size);
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();
  const offset = (/** @type {number} */ unit) => (unit >>> 10) << ((unit & 512) >>> 6);

  /** What bytes that are a key of the trie stand for. @param {Uint8Array} key */
  const find = (key) => {
    let at = offset(trie[0]);
    for (const byte of key) {
      at ^= byte;
      const unit = trie[at];
      if (unit === undefined || (unit & 0x800000ff) >>> 0 !== byte) return undefined;
      at ^= offset(unit);
      if (unit & 256) {
        const from = trie[at] & 0x7fffffff;
        const end = texts.indexOf(0, from);
        return decoder.decode(texts.subarray(from, end < 0 ? texts.length : end));
      }
    }
    return undefined;
  };
  /** @type {Map<string, string>} */
  const known = new Map();
  const segments = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
  return (text) => Array.from(segments.segment(text), ({ segment }) => {
    const have = known.get(segment);
    if (have !== undefined) return have;
    // A whole cluster of few bytes, else each character.
    const bytes = encoder.encode(segment);
    const whole = bytes.length < 6 ? find(bytes) : undefined;
    const made = whole ?? Array.from(segment, (char) => find(encoder.encode(char)) ?? char).join('');
    if (known.size < 10_000) known.set(segment, made);
    return made;
  }).join('');
}
