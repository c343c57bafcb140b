// The steps around a tokenizer's model: normalizers, pre-tokenizers, post-processors and decoders, as tokenizer.json has them.
import { isObject, shown, unsupported, wrong } from './parts.js';
import { literal, patternOf, translate } from './pattern.js';
import { charsMap } from './charsmap.js';

/** @typedef {(text: string) => string} Normalizer */
/** Cuts pieces; first says whether a piece begins the text. @typedef {(pieces: Piece[]) => Piece[]} PreTokenizer */
/** @typedef {{ text: string, first: boolean }} Piece */
/** @typedef {(tokens: string[]) => string[]} Decoder */

/**
 * @param {any} step
 * @param {string} what
 * @returns {string}
 */
function typeOf(step, what) {
  if (!isObject(step) || typeof step.type !== 'string') throw wrong(`the ${what} is ${shown(step)}, want an object with a type`);
  return step.type;
}

/**
 * The steps of a Sequence.
 * @param {any} list
 * @param {string} what
 * @returns {any[]}
 */
function steps(list, what) {
  if (!Array.isArray(list)) throw wrong(`the ${what} of type Sequence has no list of steps`);
  return list;
}

/** @param {any} value @param {string} what */
function stringOf(value, what) {
  if (typeof value !== 'string') throw wrong(`${what} is ${shown(value)}, want a string`);
  return value;
}

const cjk = /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;
/** Of bytes as characters that can be seen, as GPT-2 has them. */
const seen = visible();
const unseen = new Map(seen.map((char, byte) => [char, byte]));

function visible() {
  /** @type {string[]} */
  const list = [];
  let more = 256;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
    list.push(String.fromCharCode(printable ? byte : more++));
  }
  return list;
}

const encoder = new TextEncoder();
const bytesAsText = (/** @type {string} */ text) => Array.from(encoder.encode(text), (byte) => seen[byte]).join('');

/**
 * @param {any} step
 * @returns {Normalizer}
 */
export function normalizer(step) {
  if (step === null || step === undefined) return (text) => text;
  const type = typeOf(step, 'normalizer');
  switch (type) {
    case 'Sequence': {
      const list = steps(step.normalizers, 'normalizer').map(normalizer);
      return (text) => list.reduce((sum, next) => next(sum), text);
    }
    case 'NFC': case 'NFD': case 'NFKC': case 'NFKD': return (text) => text.normalize(type);
    case 'Lowercase': return lower;
    case 'StripAccents': return (text) => text.replace(/\p{M}/gu, '');
    case 'Strip': {
      const { strip_left: left = true, strip_right: right = true } = step;
      return (text) => {
        const begun = left ? text.replace(/^\p{White_Space}+/u, '') : text;
        return right ? begun.replace(/\p{White_Space}+$/u, '') : begun;
      };
    }
    case 'Prepend': {
      const prefix = stringOf(step.prepend, 'what Prepend puts before a text');
      return (text) => (text === '' ? text : prefix + text);
    }
    case 'Replace': {
      const pattern = patternOf(step.pattern);
      const content = stringOf(step.content, 'what Replace puts in');
      return (text) => text.replace(pattern, () => content);
    }
    case 'ByteLevel': return bytesAsText;
    case 'Nmt': return (text) => text.replace(/[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]/g, '')
      .replace(/[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g, ' ');
    case 'Precompiled': return charsMap(stringOf(step.precompiled_charsmap ?? '', 'the precompiled_charsmap'));
    case 'BertNormalizer': {
      const { clean_text: clean = true, handle_chinese_chars: chinese = true, strip_accents: strip, lowercase = true } = step;
      return (text) => {
        if (clean) text = text.replace(/[\0\ufffd]|(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}]/gu, '').replace(/\p{White_Space}/gu, ' ');
        if (chinese) text = text.replace(cjk, ' $& ');
        if (strip ?? lowercase) text = text.normalize('NFD').replace(/\p{Mn}/gu, '');
        return lowercase ? lower(text) : text;
      };
    }
  }
  throw unsupported(`the normalizer ${shown(type)}`);
}

/**
 * By character, as Rust's char has it: a Σ that ends a word is σ like any other.
 * @param {string} text
 */
const lower = (text) => text.replace(/Σ/g, 'σ').toLowerCase();

/**
 * Cuts by a pattern.
 * @param {string} text
 * @param {RegExp} pattern
 * @param {string} behaviour
 * @param {boolean} [invert] whether the pattern is of what is kept
 * @returns {string[]}
 */
export function cut(text, pattern, behaviour, invert = false) {
  /** @type {[string, boolean][]} */
  const parts = [];
  let at = 0;
  for (const match of text.matchAll(pattern)) {
    if (match[0] === '') continue;
    if (match.index > at) parts.push([text.slice(at, match.index), invert]);
    at = match.index + match[0].length;
    parts.push([match[0], !invert]);
  }
  if (at < text.length) parts.push([text.slice(at), invert]);
  /** @type {string[]} */
  const list = [];
  let joined = false; // whether what comes belongs to the latest
  for (const [part, mark] of parts) {
    switch (behaviour) {
      case 'Removed':
        if (!mark) list.push(part);
        break;
      case 'Isolated':
        list.push(part);
        break;
      case 'MergedWithPrevious':
        if (mark && joined) list[list.length - 1] += part;
        else list.push(part);
        joined = !mark;
        break;
      case 'MergedWithNext':
        if (joined && !mark) list[list.length - 1] += part;
        else list.push(part);
        joined = mark;
        break;
      case 'Contiguous':
        if (list.length > 0 && mark === joined) list[list.length - 1] += part;
        else list.push(part);
        joined = mark;
        break;
      default: throw unsupported(`the behavior ${shown(behaviour)} of a Split`);
    }
  }
  return list;
}

/**
 * @param {(text: string, first: boolean) => string[]} split
 * @returns {PreTokenizer}
 */
const each = (split) => (pieces) => pieces.flatMap(({ text, first }) => split(text, first).map((part, i) => ({ text: part, first: first && i === 0 })));

const punctuation = /[!-/:-@[-`{-~\p{P}]/gu;
const gpt2 = translate("'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+");

/**
 * @param {any} step
 * @returns {PreTokenizer}
 */
export function preTokenizer(step) {
  if (step === null || step === undefined) return (pieces) => pieces;
  const type = typeOf(step, 'pre-tokenizer');
  switch (type) {
    case 'Sequence': {
      const list = steps(step.pretokenizers, 'pre-tokenizer').map(preTokenizer);
      return (pieces) => list.reduce((sum, next) => next(sum), pieces);
    }
    case 'ByteLevel': {
      const { add_prefix_space: space = true, use_regex: regex = true } = step;
      return each((text) => {
        const whole = space && !text.startsWith(' ') ? ` ${text}` : text;
        return (regex ? cut(whole, gpt2, 'Isolated') : [whole]).map(bytesAsText);
      });
    }
    case 'Metaspace': {
      const { split = true } = step;
      const [mark, scheme] = metaspace(step);
      return each((text, first) => {
        let whole = text.replaceAll(' ', mark);
        if ((scheme === 'always' || (scheme === 'first' && first)) && !whole.startsWith(mark)) whole = mark + whole;
        return split ? cut(whole, literal(mark), 'MergedWithNext') : [whole];
      });
    }
    case 'Split': {
      const pattern = patternOf(step.pattern);
      const { behavior, invert = false } = step;
      cut('', pattern, behavior);
      return each((text) => cut(text, pattern, behavior, invert));
    }
    case 'BertPreTokenizer': return each((text) => cut(text, /\p{White_Space}/gu, 'Removed').flatMap((word) => cut(word, punctuation, 'Isolated')));
    case 'Whitespace': return each((text) => cut(text, /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu, 'Removed', true));
    case 'WhitespaceSplit': return each((text) => cut(text, /\p{White_Space}/gu, 'Removed'));
    case 'Punctuation': return each((text) => cut(text, punctuation, step.behavior ?? 'Isolated'));
    case 'Digits': return each((text) => cut(text, /\p{N}/gu, step.individual_digits ? 'Isolated' : 'Contiguous'));
    case 'CharDelimiterSplit': {
      const pattern = literal(stringOf(step.delimiter, 'the delimiter'));
      return each((text) => cut(text, pattern, 'Removed'));
    }
  }
  throw unsupported(`the pre-tokenizer ${shown(type)}`);
}

/**
 * What stands for a space, and when a text begins with it.
 * @param {any} step
 * @returns {[string, string]}
 */
function metaspace({ replacement = '▁', prepend_scheme: scheme, add_prefix_space: prefix = true }) {
  const when = scheme ?? (prefix ? 'always' : 'never');
  if (!['always', 'first', 'never'].includes(when)) throw unsupported(`the prepend_scheme ${shown(when)}`);
  return [stringOf(replacement, 'the replacement of Metaspace'), when];
}

/**
 * Adds the tokens that a text has around it.
 * @param {any} step
 * @returns {(ids: number[]) => number[]}
 */
export function postProcessor(step) {
  if (step === null || step === undefined) return (ids) => ids;
  const type = typeOf(step, 'post-processor');
  switch (type) {
    case 'Sequence': {
      const list = steps(step.processors, 'post-processor').map(postProcessor);
      return (ids) => list.reduce((sum, next) => next(sum), ids);
    }
    case 'ByteLevel': return (ids) => ids;
    case 'BertProcessing': case 'RobertaProcessing': {
      const [cls, sep] = [step.cls?.[1], step.sep?.[1]];
      if (!Number.isInteger(cls) || !Number.isInteger(sep)) throw wrong(`the post-processor ${type} lacks the tokens cls and sep`);
      return (ids) => [cls, ...ids, sep];
    }
    case 'TemplateProcessing': {
      const parts = steps(step.single, 'post-processor').map((part) => {
        if (isObject(part?.Sequence)) return undefined;
        const ids = step.special_tokens?.[part?.SpecialToken?.id]?.ids;
        if (!Array.isArray(ids) || !ids.every(Number.isInteger)) throw wrong(`the template has ${shown(part)}, which is no sequence and none of its special_tokens`);
        return ids;
      });
      return (ids) => parts.flatMap((part) => part ?? ids);
    }
  }
  throw unsupported(`the post-processor ${shown(type)}`);
}

/**
 * @param {any} step
 * @returns {Decoder}
 */
export function decoder(step) {
  if (step === null || step === undefined) return (tokens) => tokens.map((token, i) => (i > 0 ? ` ${token}` : token));
  const type = typeOf(step, 'decoder');
  switch (type) {
    case 'Sequence': {
      const list = steps(step.decoders, 'decoder').map(decoder);
      return (tokens) => list.reduce((sum, next) => next(sum), tokens);
    }
    case 'ByteLevel': return (tokens) => [utf8(tokens.flatMap((token) => {
      const bytes = [...token].map((char) => unseen.get(char));
      return bytes.includes(undefined) ? [...encoder.encode(token)] : /** @type {number[]} */ (bytes);
    }))];
    case 'WordPiece': {
      const { prefix = '##', cleanup = true } = step;
      return (tokens) => tokens.map((token, i) => {
        const word = i === 0 ? token : token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
        return cleanup ? cleaned(word) : word;
      });
    }
    case 'Metaspace': {
      const [mark, scheme] = metaspace(step);
      return (tokens) => tokens.map((token, i) => {
        const text = i === 0 && scheme !== 'never' && token.startsWith(mark) ? token.slice(mark.length) : token;
        return text.replaceAll(mark, ' ');
      });
    }
    case 'ByteFallback': return byteFallback;
    case 'Fuse': return (tokens) => [tokens.join('')];
    case 'Strip': {
      const content = stringOf(step.content, 'what Strip takes away');
      const { start = 0, stop = 0 } = step;
      return (tokens) => tokens.map((token) => {
        let [from, to] = [0, token.length];
        for (let i = 0; i < start && token.startsWith(content, from); i++) from += content.length;
        for (let i = 0; i < stop && to - content.length >= from && token.startsWith(content, to - content.length); i++) to -= content.length;
        return token.slice(from, to);
      });
    }
    case 'Replace': {
      const pattern = patternOf(step.pattern);
      const content = stringOf(step.content, 'what Replace puts in');
      return (tokens) => tokens.map((token) => token.replace(pattern, () => content));
    }
    case 'BPEDecoder': {
      const { suffix = '</w>' } = step;
      return (tokens) => tokens.map((token, i) => token.replaceAll(suffix, i === tokens.length - 1 ? '' : ' '));
    }
  }
  throw unsupported(`the decoder ${shown(type)}`);
}

const utf8Decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const strictDecoder = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });

/** @param {number[]} bytes */
export const utf8 = (bytes) => utf8Decoder.decode(Uint8Array.from(bytes));

/** @type {Decoder} */
function byteFallback(tokens) {
  /** @type {string[]} */
  const list = [];
  /** @type {number[]} */
  let bytes = [];
  const flush = () => {
    if (bytes.length === 0) return;
    try {
      list.push(strictDecoder.decode(Uint8Array.from(bytes)));
    } catch {
      for (const _ of bytes) list.push('\ufffd');
    }
    bytes = [];
  };
  for (const token of tokens) {
    const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token);
    if (byte) {
      bytes.push(parseInt(byte[1], 16));
      continue;
    }
    flush();
    list.push(token);
  }
  flush();
  return list;
}

/** As the library that wrote WordPiece's vocabularies tidies its texts. @param {string} text */
const cleaned = (text) => text.replaceAll(' .', '.').replaceAll(' ?', '?').replaceAll(' !', '!').replaceAll(' ,', ',').replaceAll(" ' ", "'")
  .replaceAll(" n't", "n't").replaceAll(" 'm", "'m").replaceAll(' do not', " don't").replaceAll(" 's", "'s").replaceAll(" 've", "'ve").replaceAll(" 're", "'re");
