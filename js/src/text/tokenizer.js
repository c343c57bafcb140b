// Tokenizers: of Hugging Face's tokenizer.json, and of llama2.c.
import { bpe, isToken, join, unigram, wordLevel, wordPiece } from './models.js';
import { isObject, parts, shown, unsupported, wrong } from './parts.js';
import { decoder, normalizer, postProcessor, preTokenizer, utf8 } from './pipeline.js';

/**
 * What a tokenizer does, whatever file it comes from.
 * @typedef {object} Coder
 * @property {(text: any, options: any) => Int32Array} give Tokenizer.encode
 * @property {(ids: any, options: any) => string} take Tokenizer.decode
 * @property {(text: string, special: boolean) => number[]} encode
 * @property {(ids: number[], special: boolean) => string} decode
 * @property {number} size how many tokens there are
 * @property {(id: number) => boolean} knows
 * @property {number | undefined} begin the token that texts begin with
 * @property {number[]} end tokens that end one
 */

/**
 * @param {Uint8Array} file
 * @returns {Coder}
 */
export function readTokenizer(file) {
  const coder = read(file);
  const { NormError, checkOptions, describe } = parts;
  return {
    ...coder,
    give(text, options) {
      if (typeof text !== 'string') throw new NormError(`Tokenizer.encode: text is ${describe(text)}, want a string`);
      checkOptions('Tokenizer.encode', options);
      return Int32Array.from(coder.encode(text, options.special ?? true));
    },
    take(ids, options) {
      if (typeof ids?.length !== 'number' || typeof ids === 'string') throw new NormError(`Tokenizer.decode: ids is ${describe(ids)}, want an array of tokens`);
      checkOptions('Tokenizer.decode', options);
      return coder.decode(Array.from(ids, Number), options.special ?? false);
    },
  };
}

/** @typedef {Omit<Coder, 'give' | 'take'>} Plain */

/**
 * @param {Uint8Array} file
 * @returns {Plain}
 */
function read(file) {
  const first = file.find((byte) => ![9, 10, 13, 32, 0xef, 0xbb, 0xbf].includes(byte));
  if (first !== 0x7b) return llama2c(file);
  let json;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(file));
  } catch (cause) {
    throw wrong(`the file begins as JSON, and is none: ${cause instanceof Error ? cause.message : cause}`, cause);
  }
  return huggingFace(json);
}

/** @typedef {{ id: number, content: string, special: boolean, alone: boolean, left: boolean, right: boolean, normalized: boolean }} Added */

/**
 * @param {any} json
 * @returns {Plain}
 */
function huggingFace(json) {
  if (!isObject(json.model)) throw wrong(`the file has the model ${shown(json.model)}: it is JSON, and no tokenizer.json`);
  const normalize = normalizer(json.normalizer);
  const split = preTokenizer(json.pre_tokenizer);
  const finish = postProcessor(json.post_processor);
  const put = decoder(json.decoder);
  const model = modelOf(json.model);
  const added = (json.added_tokens ?? []).map(addedOf);
  /** @type {Map<number, string>} */
  const names = new Map();
  for (const [token, id] of model.vocabulary) names.set(id, token);
  for (const { id, content } of added) names.set(id, content);
  const special = new Set(added.filter((/** @type {Added} */ token) => token.special).map((/** @type {Added} */ token) => token.id));
  const ids = new Map(added.map((/** @type {Added} */ token) => [token.content, token.id]));
  const named = (/** @type {string[]} */ list) => list.map((name) => ids.get(name)).filter((id) => id !== undefined);

  // First those that are looked for in the text as it is, then the others in what is normalized.
  const plain = finder(added.filter((/** @type {Added} */ { normalized }) => !normalized), (content) => content);
  const late = finder(added.filter((/** @type {Added} */ { normalized }) => normalized), normalize);
  return {
    size: names.size,
    knows: (id) => names.has(id),
    begin: /** @type {number | undefined} */ (named(['<s>', '<|begin_of_text|>', '<bos>', '<|endoftext|>', '[BOS]'])[0]),
    end: /** @type {number[]} */ (named(['</s>', '<|endoftext|>', '<|end_of_text|>', '<|eot_id|>', '<|im_end|>', '<eos>', '[EOS]'])),
    encode(text, withSpecial) {
      /** @type {number[]} */
      const list = [];
      let from = 0; // of what is left
      plain(text, (piece, id) => {
        const begins = from === 0;
        from += piece.length || 1;
        if (id !== undefined) return void list.push(id);
        let inner = 0;
        late(normalize(piece), (part, other) => {
          const first = begins && inner === 0;
          inner += part.length || 1;
          if (other !== undefined) return void list.push(other);
          for (const { text: word } of split([{ text: part, first }])) {
            if (word !== '') for (const token of model.tokens(word)) list.push(token);
          }
        });
      });
      return withSpecial ? finish(list) : list;
    },
    decode(tokens, withSpecial) {
      const list = [];
      for (const id of tokens) {
        const name = names.get(id);
        if (name === undefined) throw new parts.NormError(`Tokenizer.decode: there is no token ${id}; the vocabulary has ${names.size}`);
        if (withSpecial || !special.has(id)) list.push(name);
      }
      return put(list).join('');
    },
  };
}

/** @param {any} model */
function modelOf(model) {
  // Files of older libraries do not say the type.
  const type = model.type ?? (Array.isArray(model.vocab) ? 'Unigram' : model.merges ? 'BPE' : model.unk_token !== undefined && model.continuing_subword_prefix !== undefined ? 'WordPiece' : 'WordLevel');
  switch (type) {
    case 'BPE': return bpe(model);
    case 'WordPiece': return wordPiece(model);
    case 'Unigram': return unigram(model);
    case 'WordLevel': return wordLevel(model);
  }
  throw unsupported(`the model ${shown(type)}`);
}

/**
 * @param {any} token
 * @returns {Added}
 */
function addedOf(token) {
  if (!isObject(token) || !isToken(token.id) || typeof token.content !== 'string' || token.content === '') throw wrong(`an added token is ${shown(token)}, want an id and a content`);
  const { id, content, special = false, single_word: alone = false, lstrip: left = false, rstrip: right = false, normalized = !special } = token;
  return { id, content, special, alone, left, right, normalized };
}

/**
 * Finds tokens that stand in a text as they are, the longest of those that begin at a place.
 * @param {Added[]} tokens
 * @param {(content: string) => string} spelt
 * @returns {(text: string, give: (piece: string, id?: number) => void) => void}
 */
function finder(tokens, spelt) {
  const list = tokens.map((token) => ({ ...token, content: spelt(token.content) })).filter(({ content }) => content !== '');
  if (list.length === 0) return (text, give) => text !== '' && give(text);
  list.sort((a, b) => b.content.length - a.content.length);
  const byContent = new Map(list.map((token) => [token.content, token]));
  const pattern = new RegExp(list.map(({ content }) => content.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|').replace(/\\-/g, '-'), 'gu');
  const isWord = (/** @type {string | undefined} */ char) => char !== undefined && /[\p{L}\p{M}\p{N}\p{Pc}]/u.test(char);
  return (text, give) => {
    let at = 0;
    for (const match of text.matchAll(pattern)) {
      const { id, alone, left, right } = /** @type {Added} */ (byContent.get(match[0]));
      let from = match.index;
      let to = from + match[0].length;
      if (from < at) continue;
      if (alone && (isWord([...text.slice(Math.max(0, from - 2), from)].at(-1)) || isWord([...text.slice(to, to + 2)][0]))) continue;
      if (left) while (from > at && /\s/.test(text[from - 1])) from--;
      if (right) while (to < text.length && /\s/.test(text[to])) to++;
      if (from > at) give(text.slice(at, from));
      give(text.slice(from, to), id);
      at = to;
    }
    if (at < text.length) give(text.slice(at));
  };
}

/**
 * llama2.c's file: the longest piece's length, then score, length and bytes of each.
 * @param {Uint8Array} file
 * @returns {Plain}
 */
function llama2c(file) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  /** @type {Uint8Array[]} */
  const pieces = [];
  /** @type {number[]} */
  const scores = [];
  const bad = (/** @type {string} */ why) => wrong(`the file is neither a tokenizer.json, which begins with "{", nor llama2.c's: ${why}`);
  const longest = file.length < 4 ? 0 : view.getInt32(0, true);
  if (longest < 1 || longest > 1 << 16) throw bad(`it gives its longest piece ${longest} bytes`);
  for (let at = 4; at < file.length;) {
    const length = at + 8 <= file.length ? view.getInt32(at + 4, true) : -1;
    if (length < 0 || length > longest || at + 8 + length > file.length) throw bad(`piece ${pieces.length} at byte ${at} has ${length} bytes, of ${longest} at most, and the file ends at ${file.length}`);
    scores.push(view.getFloat32(at, true));
    pieces.push(file.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  if (pieces.length < 259) throw bad(`it has ${pieces.length} pieces, and three for the ends of texts and 256 for bytes are the fewest`);
  // As bytes in characters: pieces need not be whole characters.
  const latin = (/** @type {Uint8Array} */ bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  const texts = pieces.map(latin);
  /** @type {Map<string, number>} */
  const vocabulary = new Map();
  texts.forEach((text, id) => {
    if (!vocabulary.has(text)) vocabulary.set(text, id);
  });
  const encoder = new TextEncoder();
  return {
    size: pieces.length,
    knows: (id) => id in pieces,
    begin: 1,
    end: [1, 2],
    encode(text, special) {
      /** @type {number[]} */
      const ids = [];
      const space = vocabulary.get(' ');
      if (text !== '' && space !== undefined) ids.push(space);
      for (const char of text) {
        const bytes = encoder.encode(char);
        const id = vocabulary.get(latin(bytes));
        if (id === undefined) ids.push(...Array.from(bytes, (byte) => byte + 3));
        else ids.push(id);
      }
      const merged = join(ids, (left, right) => {
        const id = vocabulary.get(texts[left] + texts[right]);
        return id === undefined ? undefined : { rank: -scores[id], id };
      });
      return special ? [1, ...merged] : merged;
    },
    decode(ids, special) {
      /** @type {number[]} */
      const bytes = [];
      ids.forEach((id, i) => {
        if (!(id in pieces)) throw new parts.NormError(`Tokenizer.decode: there is no token ${id}; the vocabulary has ${pieces.length}`);
        const raw = /^<0x([0-9A-Fa-f]{2})>$/.exec(texts[id]);
        if (raw) bytes.push(parseInt(raw[1], 16));
        else if (id > 2 || special) {
          const piece = pieces[id];
          bytes.push(...(ids[i - 1] === 1 && piece[0] === 32 ? piece.subarray(1) : piece));
        }
      });
      return utf8(bytes);
    },
  };
}
