// Tokenizers of the kinds that models come with, as their tokenizer.json has them, with small vocabularies.
import { byteFallback } from './writing.mjs';

export const corpus = `The quick brown fox jumps over the lazy dog. It's 1,234 o'clock; we'll see: 50 % of naïve cafés don't open at 7:30.
for (let i = 0; i < 10; i++) { console.log("x\\t" + i); }   indented    text
Ünïcödé ÄÖÜß, Ελληνικά ΣΟΦΟΣ, русский текст, 日本語のテキスト、中文字符, 한국어, עברית, العربية, हिन्दी में, 🎉👩‍👩‍👧 emoji, e\u0301 combining.`;

/** A byte-level vocabulary and merges, learned of the corpus. */
export function learned(/** @type {RegExp} */ pattern, merges = 150) {
  const visible = [];
  let more = 256;
  for (let b = 0; b < 256; b++) visible.push(String.fromCharCode((b > 32 && b < 127) || (b > 160 && b !== 173) ? b : more++));
  const words = Array.from(corpus.matchAll(pattern), ([word]) => Array.from(new TextEncoder().encode(word), (b) => visible[b]));
  const vocabulary = [...visible];
  const list = [];
  while (list.length < merges) {
    const counts = new Map();
    for (const word of words) for (let i = 1; i < word.length; i++) counts.set(`${word[i - 1]} ${word[i]}`, (counts.get(`${word[i - 1]} ${word[i]}`) ?? 0) + 1);
    const [best] = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))[0];
    const [left, right] = best.split(' ');
    list.push(best);
    vocabulary.push(left + right);
    for (const word of words) for (let i = 1; i < word.length; i++) if (word[i - 1] === left && word[i] === right) word.splice(i - 1, 2, left + right);
  }
  return { vocab: Object.fromEntries(vocabulary.map((token, i) => [token, i])), merges: list };
}

export const special = (/** @type {string[]} */ contents, from = 0, more = {}) => contents.map((content, i) => ({ id: from + i, content, special: true, single_word: false, lstrip: false, rstrip: false, normalized: false, ...more }));
export const base = { version: '1.0', truncation: null, padding: null, added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
const gpt2Pattern = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;
const gpt4 = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

const wordPieces = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'the', 'quick', 'brown', 'fox', 'un', '##aff', '##able', '##s', ...'abcdefghijklmnopqrstuvwxyz0123456789.,;:!?\'"()[]{}-<>=+%/'];
const pieceList = Object.fromEntries([...wordPieces, ...'abcdefghijklmnopqrstuvwxyz'.split('').map((c) => `##${c}`), ...'0123456789'.split('').map((c) => `##${c}`), '日', '本', 'é', 'e'].filter((p, i, all) => all.indexOf(p) === i).map((p, i) => [p, i]));

const scored = [['<unk>', 0], ['<s>', 0], ['</s>', 0], ['▁', -2.5], ['▁the', -3], ['the', -4.1], ['▁quick', -6], ['er', -5], ['▁o', -5.5], ['th', -5.2], ['▁un', -5], ['aff', -7], ['able', -6.2], ['s', -4], ['▁a', -4.5],
  ...'abcdefghijklmnopqrtuvwxyzTI.,0123456789'.split('').map((c, i) => [c, -7 - i / 40])];

/** @type {Record<string, any>} */
export const files = {
  'GPT-2': () => {
    const { vocab, merges } = learned(gpt2Pattern);
    return { ...base, added_tokens: special(['<|endoftext|>'], Object.keys(vocab).length), pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      post_processor: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: false, use_regex: true }, decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true }, model: { type: 'BPE', dropout: null, unk_token: null, continuing_subword_prefix: '', end_of_word_suffix: '', fuse_unk: false, byte_fallback: false, ignore_merges: false, vocab, merges } };
  },
  RoBERTa: () => {
    const { vocab, merges } = learned(gpt2Pattern, 80);
    const n = Object.keys(vocab).length;
    return { ...base, added_tokens: [...special(['<s>', '</s>'], n), ...special(['<mask>'], n + 2, { lstrip: true })], pre_tokenizer: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
      post_processor: { type: 'RobertaProcessing', sep: ['</s>', n + 1], cls: ['<s>', n], trim_offsets: true, add_prefix_space: true }, decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true }, model: { type: 'BPE', vocab, merges: merges.map((m) => m.split(' ')) } };
  },
  'Llama 3': () => {
    const { vocab, merges } = learned(gpt2Pattern, 120);
    const n = Object.keys(vocab).length;
    return { ...base, added_tokens: special(['<|begin_of_text|>', '<|eot_id|>'], n), pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Split', pattern: { Regex: gpt4 }, behavior: 'Isolated', invert: false }, { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false }] },
      post_processor: { type: 'Sequence', processors: [{ type: 'ByteLevel', add_prefix_space: true, trim_offsets: false, use_regex: true }, { type: 'TemplateProcessing', single: [{ SpecialToken: { id: '<|begin_of_text|>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }], pair: [], special_tokens: { '<|begin_of_text|>': { id: '<|begin_of_text|>', ids: [n], tokens: ['<|begin_of_text|>'] } } }] },
      decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true }, model: { type: 'BPE', ignore_merges: true, vocab, merges } };
  },
  'Llama 2': byteFallback,
  BERT: () => ({ ...base, added_tokens: special(['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']), normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true }, pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: { type: 'TemplateProcessing', single: [{ SpecialToken: { id: '[CLS]', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '[SEP]', type_id: 0 } }], pair: [], special_tokens: { '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] }, '[SEP]': { id: '[SEP]', ids: [3], tokens: ['[SEP]'] } } },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true }, model: { type: 'WordPiece', unk_token: '[UNK]', continuing_subword_prefix: '##', max_input_chars_per_word: 100, vocab: pieceList } }),
  'BERT, cased': () => ({ ...files.BERT(), normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: false, lowercase: false }, post_processor: { type: 'BertProcessing', sep: ['[SEP]', 3], cls: ['[CLS]', 2] }, decoder: { type: 'WordPiece', prefix: '##', cleanup: false } }),
  'Unigram, T5': () => ({ ...base, added_tokens: special(['<unk>', '<s>', '</s>']), normalizer: { type: 'Sequence', normalizers: [{ type: 'NFKC' }, { type: 'Lowercase' }, { type: 'Replace', pattern: { Regex: ' {2,}' }, content: ' ' }] },
    pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'WhitespaceSplit' }, { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true }] },
    post_processor: { type: 'TemplateProcessing', single: [{ Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '</s>', type_id: 0 } }], pair: [], special_tokens: { '</s>': { id: '</s>', ids: [2], tokens: ['</s>'] } } },
    decoder: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true }, model: { type: 'Unigram', unk_id: 0, vocab: scored } }),
  'Unigram, ALBERT': () => ({ ...files['Unigram, T5'](), normalizer: { type: 'Sequence', normalizers: [{ type: 'Replace', pattern: { String: '``' }, content: '"' }, { type: 'NFKD' }, { type: 'StripAccents' }, { type: 'Lowercase' }] }, pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true } }),
  'words and digits': () => ({ ...base, normalizer: { type: 'Sequence', normalizers: [{ type: 'NFD' }, { type: 'StripAccents' }, { type: 'NFC' }] }, pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'WhitespaceSplit' }, { type: 'Digits', individual_digits: true }] },
    model: { type: 'WordLevel', unk_token: '<unk>', vocab: Object.fromEntries(['<unk>', 'the', 'hello', 'world', 'a', 'b', 'c', 'd', 'naive', 'cafes', '.', ',', ...'0123456789'].map((w, i) => [w, i])) } }),
};
