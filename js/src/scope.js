// What Go's runtime finds on its global object. An AudioWorklet, which has no clock, no text coders, no timers and no
// random numbers, gets stand-ins.

/** @type {any} */
const realm = globalThis;

const constructors = ['Object', 'Array', 'Reflect', 'Error', 'Date', 'Int8Array', 'Uint8Array', 'Int16Array', 'Uint16Array', 'Int32Array',
  'Uint32Array', 'BigInt64Array', 'BigUint64Array', 'Float32Array', 'Float64Array'];

/** A new global object. @returns {any} */
export function scope() {
  return {
    ...Object.fromEntries(constructors.map((name) => [name, realm[name]])),
    performance: realm.performance ?? { now: () => Date.now(), timeOrigin: 0 },
    // Seeds of hash tables: nothing here is a secret.
    crypto: realm.crypto ?? { getRandomValues: (/** @type {Uint8Array} */ bytes) => bytes.map((_, i, all) => (all[i] = Math.random() * 256)) },
    TextEncoder: realm.TextEncoder ?? Encoder,
    TextDecoder: realm.TextDecoder ?? Decoder,
  };
}

/**
 * A timer of Go's scheduler. It does not keep a Node process alive. Where there are no timers, what waits for one goes on with
 * the next call; nothing that this module computes waits.
 * @param {() => void} callback
 * @param {number} ms
 */
export function timer(callback, ms) {
  const id = realm.setTimeout?.(callback, ms);
  id?.unref?.();
  return id ?? 0;
}

/** @param {number} id */
export function clearTimer(id) {
  realm.clearTimeout?.(id);
}

/** UTF-8, for lack of the engine's own. */
class Encoder {
  /** @param {string} text */
  encode(text) {
    /** @type {number[]} */
    const bytes = [];
    for (const character of text) {
      let code = /** @type {number} */ (character.codePointAt(0));
      if (code >= 0xd800 && code < 0xe000) code = 0xfffd; // half of a pair
      if (code < 0x80) bytes.push(code);
      else if (code < 0x800) bytes.push(0xc0 | code >> 6, 0x80 | code & 63);
      else if (code < 0x10000) bytes.push(0xe0 | code >> 12, 0x80 | code >> 6 & 63, 0x80 | code & 63);
      else bytes.push(0xf0 | code >> 18, 0x80 | code >> 12 & 63, 0x80 | code >> 6 & 63, 0x80 | code & 63);
    }
    return Uint8Array.from(bytes);
  }
}

class Decoder {
  /** @param {ArrayBufferView | ArrayBuffer} [source] */
  decode(source = new ArrayBuffer(0)) {
    const bytes = ArrayBuffer.isView(source) ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength) : new Uint8Array(source);
    let text = '';
    for (let i = 0; i < bytes.length;) {
      const first = bytes[i++];
      const more = first < 0x80 ? 0 : first >= 0xc2 && first < 0xe0 ? 1 : first >= 0xe0 && first < 0xf0 ? 2 : first >= 0xf0 && first < 0xf5 ? 3 : -1;
      let code = more === 0 ? first : first & (0x3f >> more);
      let left = more;
      // The second byte's range rules out what has a shorter form, halves of pairs, and what is beyond Unicode.
      let [low, high] = [first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80, first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf];
      for (; left > 0 && bytes[i] >= low && bytes[i] <= high; left--, [low, high] = [0x80, 0xbf]) code = code << 6 | bytes[i++] & 63;
      text += more < 0 || left > 0 ? '\ufffd' : String.fromCodePoint(code);
    }
    return text;
  }
}

export const utf8 = { Encoder, Decoder };
