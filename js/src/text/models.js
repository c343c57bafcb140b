// What makes tokens of a word: BPE, WordPiece, Unigram, and whole words.
import { isObject, shown, wrong } from './parts.js';

/**
 * @typedef {object} Model
 * @property {Map<string, number>} vocabulary
 * @property {(word: string) => number[]} tokens
 */

/** How many words are remembered, and how long they may be. */
const remembered = 10_000;
const longWord = 64;

/**
 * A vocabulary as most models have it: an object of numbers.
 * @param {any} vocab
 */
function vocabularyOf(vocab) {
  if (!isObject(vocab)) throw wrong(`the model's vocab is ${shown(vocab)}, want an object of numbers`);
  /** @type {Map<string, number>} */
  const map = new Map();
  for (const [token, id] of Object.entries(vocab)) {
    if (!isToken(id)) throw wrong(`the vocab has ${shown(id)} for ${shown(token)}, want a token's number`);
    map.set(token, id);
  }
  return map;
}

/** @param {unknown} id */
export function isToken(id) {
  return Number.isInteger(id) && /** @type {number} */ (id) >= 0 && /** @type {number} */ (id) < 2 ** 31;
}

const encoder = new TextEncoder();

/**
 * The tokens of a text's bytes, undefined unless there are all of them.
 * @param {Map<string, number>} vocabulary
 * @param {string} text
 */
function bytesOf(vocabulary, text) {
  const list = [];
  for (const byte of encoder.encode(text)) {
    const id = vocabulary.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
    if (id === undefined) return undefined;
    list.push(id);
  }
  return list;
}

/**
 * Joins neighbours, those first that rank says the least of, the first of equal ones.
 * @param {number[]} ids
 * @param {(left: number, right: number) => { rank: number, id: number } | undefined} merge
 */
export function join(ids, merge) {
  const next = ids.map((_, i) => i + 1);
  const previous = ids.map((_, i) => i - 1);
  /** Pairs by rank and place: a heap. @type {{ rank: number, id: number, at: number, left: number, right: number }[]} */
  const heap = [];
  const before = (/** @type {typeof heap[0]} */ a, /** @type {typeof heap[0]} */ b) => a.rank < b.rank || (a.rank === b.rank && a.at < b.at);
  const push = (/** @type {number} */ at) => {
    if (at < 0 || next[at] >= ids.length) return;
    const pair = merge(ids[at], ids[next[at]]);
    if (!pair) return;
    const entry = { ...pair, at, left: ids[at], right: ids[next[at]] };
    let i = heap.length;
    for (let up = (i - 1) >> 1; i > 0 && before(entry, heap[up]); up = (i - 1) >> 1) {
      heap[i] = heap[up];
      i = up;
    }
    heap[i] = entry;
  };
  for (let i = 0; i < ids.length; i++) push(i);
  while (heap.length > 0) {
    const top = heap[0];
    const last = /** @type {typeof top} */ (heap.pop());
    if (heap.length > 0) {
      let i = 0;
      for (let child = 1; child < heap.length; child = 2 * i + 1) {
        if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child++;
        if (!before(heap[child], last)) break;
        heap[i] = heap[child];
        i = child;
      }
      heap[i] = last;
    }
    const { at, left, right, id } = top;
    const other = next[at];
    // One of the two may have been joined with something else since.
    if (ids[at] !== left || other >= ids.length || ids[other] !== right) continue;
    ids[at] = id;
    ids[other] = -1;
    next[at] = next[other];
    if (next[at] < ids.length) previous[next[at]] = at;
    push(previous[at]);
    push(at);
  }
  return ids.filter((id) => id >= 0);
}

/**
 * @param {any} model
 * @returns {Model}
 */
export function bpe(model) {
  const vocabulary = vocabularyOf(model.vocab);
  if (!Array.isArray(model.merges)) throw wrong(`the model's merges are ${shown(model.merges)}, want an array of pairs`);
  const { unk_token: unknown, byte_fallback: bytes = false, fuse_unk: fuse = false, ignore_merges: whole = false } = model;
  const prefix = model.continuing_subword_prefix ?? '';
  const suffix = model.end_of_word_suffix ?? '';
  const unk = typeof unknown === 'string' ? vocabulary.get(unknown) : undefined;
  /** By the two tokens. @type {Map<number, { rank: number, id: number }>} */
  const merges = new Map();
  const key = (/** @type {number} */ a, /** @type {number} */ b) => a * 2 ** 21 + b;
  for (const id of vocabulary.values()) if (id >= 2 ** 21) throw wrong(`the vocab has token ${id}, and ${2 ** 21} are the most`);
  for (const [rank, merge] of model.merges.entries()) {
    const pair = Array.isArray(merge) ? merge : typeof merge === 'string' ? merge.split(' ') : [];
    const left = vocabulary.get(pair[0]);
    const right = vocabulary.get(pair[1]);
    const id = vocabulary.get(pair[0] + String(pair[1]).slice(prefix.length * Number(String(pair[1]).startsWith(prefix))));
    if (pair.length !== 2 || left === undefined || right === undefined || id === undefined) throw wrong(`merge ${rank} is ${shown(merge)}, want two tokens of the vocab whose sum is one`);
    if (!merges.has(key(left, right))) merges.set(key(left, right), { rank, id });
  }
  const merge = (/** @type {number} */ left, /** @type {number} */ right) => merges.get(key(left, right));
  /** @type {Map<string, number[]>} */
  const known = new Map();

  /** @param {string} word */
  const tokens = (word) => {
    const id = whole ? vocabulary.get(word) : undefined;
    if (id !== undefined) return [id];
    /** @type {number[]} */
    const ids = [];
    const chars = [...word];
    let missing = false;
    chars.forEach((char, i) => {
      const id = vocabulary.get((i > 0 ? prefix : '') + char + (i === chars.length - 1 ? suffix : ''));
      const parts = id === undefined ? (bytes ? bytesOf(vocabulary, char) : undefined) : [id];
      if (parts) ids.push(...parts);
      else if (unk !== undefined && !(fuse && missing)) ids.push(unk);
      missing = !parts;
    });
    return join(ids, merge);
  };
  return {
    vocabulary,
    tokens(word) {
      if (word.length > longWord) return tokens(word);
      let ids = known.get(word);
      if (!ids) {
        ids = tokens(word);
        if (known.size >= remembered) known.clear();
        known.set(word, ids);
      }
      return ids;
    },
  };
}

/**
 * @param {any} model
 * @returns {Model}
 */
export function wordPiece(model) {
  const vocabulary = vocabularyOf(model.vocab);
  const { unk_token: unknown = '[UNK]', continuing_subword_prefix: prefix = '##', max_input_chars_per_word: most = 100 } = model;
  const unk = vocabulary.get(unknown);
  if (unk === undefined) throw wrong(`the vocab lacks the token ${shown(unknown)} for unknown words`);
  return {
    vocabulary,
    tokens(word) {
      const chars = [...word];
      if (chars.length > most) return [unk];
      const ids = [];
      for (let from = 0; from < chars.length;) {
        let to = chars.length;
        let id;
        for (; to > from; to--) {
          id = vocabulary.get((from > 0 ? prefix : '') + chars.slice(from, to).join(''));
          if (id !== undefined) break;
        }
        if (id === undefined) return [unk];
        ids.push(id);
        from = to;
      }
      return ids;
    },
  };
}

/**
 * @param {any} model
 * @returns {Model}
 */
export function wordLevel(model) {
  const vocabulary = vocabularyOf(model.vocab);
  const unk = vocabulary.get(model.unk_token);
  return {
    vocabulary,
    tokens(word) {
      const id = vocabulary.get(word) ?? unk;
      return id === undefined ? [] : [id];
    },
  };
}

/** A node of the tree of pieces. */
class Node {
  /** @type {Map<string, Node>} */ next = new Map();
  /** @type {number | undefined} */ id;
}

/**
 * The likeliest way to cut a text into pieces.
 * @param {any} model
 * @returns {Model}
 */
export function unigram(model) {
  if (!Array.isArray(model.vocab)) throw wrong(`the model's vocab is ${shown(model.vocab)}, want an array of pieces and scores`);
  /** @type {Map<string, number>} */
  const vocabulary = new Map();
  /** @type {number[]} */
  const scores = [];
  const root = new Node();
  let least = Infinity;
  for (const [id, entry] of model.vocab.entries()) {
    const [piece, score] = Array.isArray(entry) ? entry : [];
    if (typeof piece !== 'string' || typeof score !== 'number') throw wrong(`piece ${id} of the vocab is ${shown(entry)}, want a string and a score`);
    vocabulary.set(piece, id);
    scores.push(score);
    least = Math.min(least, score);
    let node = root;
    for (const char of piece) {
      let child = node.next.get(char);
      if (!child) node.next.set(char, (child = new Node()));
      node = child;
    }
    if (piece !== '') node.id = id;
  }
  const { unk_id: unk, byte_fallback: bytes = false } = model;
  if (unk !== null && unk !== undefined && !(isToken(unk) && unk < scores.length)) throw wrong(`the model's unk_id is ${shown(unk)}, and there are ${scores.length} pieces`);
  const unlikely = least - 10;
  return {
    vocabulary,
    tokens(text) {
      const chars = [...text];
      const n = chars.length;
      const best = new Float64Array(n + 1).fill(-Infinity);
      best[0] = 0;
      const from = new Int32Array(n + 1);
      const ids = new Int32Array(n + 1);
      for (let i = 0; i < n; i++) {
        /** @type {Node | undefined} */
        let node = root;
        let single = false;
        for (let j = i; j < n; j++) {
          node = node.next.get(chars[j]);
          if (!node) break;
          if (node.id === undefined) continue;
          single ||= j === i;
          const score = best[i] + scores[node.id];
          if (score > best[j + 1]) {
            best[j + 1] = score;
            from[j + 1] = i;
            ids[j + 1] = node.id;
          }
        }
        if (!single && best[i] + unlikely > best[i + 1]) {
          best[i + 1] = best[i] + unlikely;
          from[i + 1] = i;
          ids[i + 1] = -1;
        }
      }
      /** @type {number[]} */
      const list = [];
      for (let to = n; to > 0;) {
        let start = from[to];
        if (ids[to] >= 0) list.unshift(ids[to]);
        else {
          // Neighbours that are unknown are one.
          while (start > 0 && ids[start] < 0) start = from[start];
          const parts = bytes ? bytesOf(vocabulary, chars.slice(start, to).join('')) : undefined;
          if (parts) list.unshift(...parts);
          else if (isToken(unk)) list.unshift(unk);
          else throw new Error(`there is no token for ${shown(chars.slice(start, to).join(''))}`);
        }
        to = start;
      }
      return list;
    },
  };
}
