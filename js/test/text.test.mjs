// Tokenizers and texts. Tokenizers are compared with those of @huggingface/tokenizers, on files made here.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { Tokenizer as Oracle } from '@huggingface/tokenizers';
import { LoadError, NormError, TextGenerator, Tokenizer, UnsupportedError, init } from '../src/index.js';
import { base, corpus, files } from './tokenizers.mjs';
import { byteFallback, file, llama } from './writing.mjs';

const shared = new URL('../../../shared/data/models/stories260k/', import.meta.url);
const noStories = existsSync(shared) ? false : 'there is no ../shared/data';

const texts = [
  '', ' ', 'a', 'hello world', '  two  spaces  ', corpus, 'the theory of the other', "I'M HERE, you'Re there: they'LL", 'x'.repeat(150), '12345 67 8', 'a\nb\r\n\n c\t\td', 'trailing \n',
  'ﬁ ½ ① Ａｂｃ \u00a0nbsp\u2003em\u200bzero', 'İstanbul ŞİŞLİ ǅ', '<s>special</s> <mask>in <mask> the', '[CLS] the [MASK]. [SEP]', '\u0000null\u0007 \ufffd', 'unaffable, un-affable!!', '㍿ Ⅷ ﷺ', '😀😃 😄',
  // Emoji: with skin, families, flags, keys, tags, selectors of variation, alone and in words.
  '👍🏽', '👩‍👩‍👧‍👦 family', '🇩🇪🇫🇷', '1️⃣2️⃣', '🏴󠁧󠁢󠁥󠁮󠁧󠁿', '❤️ ❤', 'a😀b', '🎉the🎉', '🧑🏿‍🚀🚀', '\u{1f9ff}\u200d', '😀'.repeat(30), '✂️✈︎',
  // Chinese, Japanese, Korean, in words and between spaces; beyond the first plane.
  '日本', 'the日本the', '日 本', '中文，字符。', 'カタカナ ｶﾀｶﾅ', 'ひらがな', '𠀀𠀁 𪚥', '한국어 ㄱㄴ', '\u1112\u1161\u11ab\u1100\u116e\u11a8', '「引用」', '〇一二', '豈更車',
  // Accents: composed, apart, several, on what is no letter, in the wrong order.
  'é', 'e\u0301', 'naïve café', 'a\u0323\u0302 ậ', '\u0301 alone', 'Å Å \u212b', 'ñandú', 'ẛ̣', 'Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤a̴l̷g̶o', 'ﬃ ﬄ ﬅ', 'Ǆ ǆ ǅ', 'straße STRASSE ẞ', 'ΣΟΦΟΣ σοφος', 'I İ ı i', 'q\u0307\u0323',
  // Spaces of all kinds, and lines.
  '   ', '\t', '\n', '\n\n\n', '\r\n', ' \n ', '\n \n', 'a  b   c    d', ' a', 'a ', '\ta\t', 'a\u00a0b', '\u3000全角\u3000', 'a\u2028b\u2029c', '\u1680\u2000\u200a', 'line one\nline two\r\nline three\rline four', 'a\u000bb\u000cc', '\u200d\u200c\u2060', 'soft\u00adhyphen',
  // Special tokens of each kind of file, whole, in words, in pieces, twice, in another case.
  '<|endoftext|>', 'a<|endoftext|>b', '<|endoftext|><|endoftext|>', '<|endof text|>', '<s>', '</s>', '<s><s></s>', ' <s> ', 'the<unk>quick', '[MASK]', '[mask]', 'the[SEP]fox', '[CLS][CLS]', '<mask>', '  <mask>  the', '<|begin_of_text|>the<|eot_id|>', '<0x41>', '▁the', '_the', '##s',
  // Digits, signs, code, and what looks like something else.
  "don't 'tis '80s ''", '3.14159 1,000,000 1e-9', '٣٤٥ १२३ Ⅳ ²³', '!!!???...', '--- === ***', '$5 €6 £7 ¥8 ₿', 'a@b.example', 'https://example.org/a?b=c&d=e#f', 'if (a[i] != b->c) { return; } // x', '<p class="x">&amp;</p>', 'snake_case camelCase kebab-case', '\\n \\u0041 \\', '"quoted" “quoted” «quoted»', '`` \'\' ``the``', 'ｆｕｌｌ ｗｉｄｔｈ', '…‥ ‼ ⁇',
  // Other directions and scripts, controls, private characters, and the ends of what there is.
  'עברית שָׁלוֹם', 'العربية مَرْحَبًا', 'हिन्दी क्षत्रिय', 'ไทยสวัสดี', 'བོད་ཡིག', '𝒜𝓑 𝔘𝕍 𝟙𝟚', '\u202eabc\u202c', '\u0001\u001f\u007f\u009f', '\ue000\uf8ff', '\u{10fffd}', '\uffff', '\u{1d173}', 'a\u0000b', '𝄞 ♪', 'ꟼ ꜩ', 'the'.repeat(60),
];

/** What that library takes otherwise than the one in Rust that the files are of: Chinese characters beyond the first plane are no Chinese to it, nor digits other than 0 to 9 digits. */
const otherwise = { BERT: ['𠀀𠀁 𪚥'], 'BERT, cased': ['𠀀𠀁 𪚥'], 'words and digits': ['〇一二', '٣٤٥ १२३ Ⅳ ²³', '𝒜𝓑 𝔘𝕍 𝟙𝟚'] };

describe('tokenizers are those of @huggingface/tokenizers', () => {
  for (const [name, make] of Object.entries(files)) {
    test(name, async () => {
      const json = make();
      const ours = await Tokenizer.fromFile(file(json));
      const theirs = new Oracle(json, {});
      for (const text of texts) {
        if (otherwise[/** @type {keyof typeof otherwise} */ (name)]?.includes(text)) continue;
        const ids = (/** @type {object} */ options) => theirs.encode(text, options).ids.map((/** @type {any} */ id) => id ?? 0); // of WordLevel's unknown words it does not say the token
        const want = ids({});
        assert.deepEqual([...ours.encode(text)], want, `${name}: ${JSON.stringify(text)}`);
        assert.deepEqual([...ours.encode(text, { special: false })], ids({ add_special_tokens: false }), `${name}: ${JSON.stringify(text)} without special tokens`);
        if (json.decoder && want.length > 0) assert.equal(ours.decode(want), theirs.decode(want, { skip_special_tokens: true, clean_up_tokenization_spaces: false }), `${name}: ${JSON.stringify(text)} back`);
      }
    });
  }
});


test('what the library in JavaScript takes otherwise than the one that the files are of', async () => {
  // Words have the letters of all languages.
  const words = await Tokenizer.fromFile(file({ ...files['words and digits'](), normalizer: null, pre_tokenizer: { type: 'Whitespace' }, model: { type: 'WordLevel', unk_token: '?', vocab: { '?': 0, naïve: 1, ',': 2, и_1: 3, '!?': 4 } } }));
  assert.deepEqual([...words.encode('naïve, и_1!? x')], [1, 2, 3, 4, 0]);
  // U+FEFF is no white space in Unicode, nor a mark to be dropped.
  const tokenizer = await Tokenizer.fromFile(file(files['Llama 2']()));
  assert.equal(tokenizer.decode(tokenizer.encode('\ufeffa\ufeff')), '\ufeffa\ufeff');
  assert.deepEqual([...words.encode('naïve \ufeff,')], [1, 0]);
  assert.deepEqual([...words.encode('naïve\u0085,')], [1, 2]);
  for (const [name, list, want] of /** @type {[string, string[], number[]][]} */ ([['BERT', otherwise.BERT, [3]], ['words and digits', otherwise['words and digits'], [2, 9, 4]]])) {
    const other = await Tokenizer.fromFile(file(files[name]()));
    assert.deepEqual(list.map((text) => other.encode(text, { special: false }).length), want, name);
  }
});

describe('parts of tokenizers', () => {
  const word = (/** @type {object} */ parts, /** @type {string[]} */ words) => Tokenizer.fromFile(file({ ...base, model: { type: 'WordLevel', unk_token: '?', vocab: Object.fromEntries(['?', ...words].map((w, i) => [w, i])) }, ...parts }));
  const cut = async (/** @type {any} */ step, /** @type {string} */ text, /** @type {string[]} */ words) => {
    const tokenizer = await word({ pre_tokenizer: step }, words);
    assert.deepEqual([...tokenizer.encode(text)], words.map((_, i) => i + 1), JSON.stringify(step));
  };
  test('a Split of each behavior, of the pattern and of what is between', async () => {
    const split = (/** @type {string} */ behavior, invert = false) => ({ type: 'Split', pattern: { String: '-' }, behavior, invert });
    await cut(split('Removed'), 'the-final--x', ['the', 'final', 'x']);
    await cut(split('Isolated'), 'a-b', ['a', '-', 'b']);
    await cut(split('MergedWithPrevious'), 'the-final--x', ['the-', 'final-', '-', 'x']);
    await cut(split('MergedWithNext'), 'the-final--x', ['the', '-final', '-', '-x']);
    await cut(split('Contiguous'), 'the-final--x', ['the', '-', 'final', '--', 'x']);
    await cut({ type: 'Split', pattern: { Regex: '[a-z]+' }, behavior: 'Removed', invert: true }, 'ab12cd', ['ab', 'cd']);
    await cut({ type: 'Punctuation', behavior: 'Isolated' }, 'a!?b。', ['a', '!', '?', 'b', '。']); // one by one, as the library has it that the files are of
    await cut({ type: 'Punctuation', behavior: 'Contiguous' }, 'a!?b', ['a', '!?', 'b']);
    await cut({ type: 'CharDelimiterSplit', delimiter: '|' }, 'a|b c', ['a', 'b c']);
    await cut({ type: 'Digits', individual_digits: false }, 'ab123c', ['ab', '123', 'c']);
    await cut({ type: 'Metaspace', replacement: '_', prepend_scheme: 'never', split: true }, 'a b  c', ['a', '_b', '_', '_c']);
    await cut({ type: 'Metaspace', replacement: '_', prepend_scheme: 'first', split: false }, 'a b', ['_a_b']);
  });
  test('regular expressions of Oniguruma', async () => {
    const regex = (/** @type {string} */ source) => ({ type: 'Split', pattern: { Regex: source }, behavior: 'Removed', invert: true });
    await cut(regex("(?i:it's)|x"), "IT'S it's It'ſ", ["IT'S", "it's", "It'ſ"]);
    await cut(regex('(?i)ab(?-i:C)'), 'aBC abc ABC', ['aBC', 'ABC']);
    await cut(regex('\\p{Han}+|\\h+'), '漢字 beef!zz', ['漢字', 'beef']);
    await cut(regex('a++b|[^\\S\\n]{2,}'), 'aaab  \n\n', ['aaab', '  ']);
    await cut(regex("\\'\\-\\ \\x41[\\]/{]"), "'- A]'- A{'- A/", ["'- A]", "'- A{", "'- A/"]);
    await cut(regex('.+'), 'a\rb\nc', ['a\rb', 'c']);
    await cut(regex('\\w+'), 'é_1 ٣', ['é_1', '٣']);
    await assert.rejects(word({ pre_tokenizer: regex('(?>a|b)') }, []), UnsupportedError);
    await assert.rejects(word({ pre_tokenizer: regex('[[:alpha:]]') }, []), UnsupportedError);
    await assert.rejects(word({ pre_tokenizer: regex('a{2,1}') }, []), (error) => error instanceof LoadError && error.message.includes('a{2,1}'));
  });
  test('added tokens alone, and with the spaces beside them', async () => {
    const added = (/** @type {object} */ more) => ({ added_tokens: [{ id: 9, content: 'ab', special: false, single_word: false, lstrip: false, rstrip: false, normalized: true, ...more }], pre_tokenizer: { type: 'WhitespaceSplit' } });
    const ids = async (/** @type {object} */ more, /** @type {string} */ text) => [...(await word({ ...added(more), normalizer: { type: 'Lowercase' } }, ['x', 'xab', 'y'])).encode(text)];
    assert.deepEqual(await ids({}, 'x AB y'), [1, 9, 3]);
    assert.deepEqual(await ids({}, 'xab'), [1, 9]);
    assert.deepEqual(await ids({ single_word: true }, 'xab ab'), [2, 9]);
    assert.deepEqual(await ids({ normalized: false }, 'x AB ab'), [1, 0, 9]);
  });
  test('SentencePiece\'s table of characters', async () => {
    // A trie of "A" → "a" and of "é" (two bytes) → "e", laid out by hand: Darts' units have the label in 8 bits, the offset from bit 10 on, bit 8 for "a leaf follows".
    const units = new Uint32Array(1024);
    const put = (/** @type {number} */ at, /** @type {number} */ label, /** @type {number} */ offset, leaf = false) => {
      units[at] = (offset << 10 | (leaf ? 256 : 0) | label) >>> 0;
    };
    put(0, 0, 256); // the root's children are at 256 ^ byte
    put(256 ^ 0x41, 0x41, 256 ^ 0x41 ^ 512, true); // "A": its leaf at 512
    units[512] = 0x80000000 | 0;
    put(256 ^ 0xc3, 0xc3, 256 ^ 0xc3 ^ 768);
    put(768 ^ 0xa9, 0xa9, 768 ^ 0xa9 ^ 520, true);
    units[520] = 0x80000000 | 2;
    const bytes = [...new Uint8Array(Uint32Array.of(units.byteLength).buffer), ...new Uint8Array(units.buffer), 0x61, 0, 0x65, 0];
    const tokenizer = await word({ normalizer: { type: 'Precompiled', precompiled_charsmap: btoa(String.fromCharCode(...bytes)) } }, ['abea']);
    assert.deepEqual([...tokenizer.encode('Ab\u00e9A')], [1]);
    await assert.rejects(word({ normalizer: { type: 'Precompiled', precompiled_charsmap: btoa('abc') } }, []), LoadError);
  });
});

test('damaged tokenizers are errors that say what is wrong', async () => {
  const good = files['GPT-2']();
  for (const [what, source, message, Class = LoadError] of /** @type {[string, any, RegExp, any?][]} */ ([
    ['JSON', new TextEncoder().encode('{"a"'), /is none/],
    ['no tokenizer', file({ a: 1 }), /no tokenizer\.json/],
    ['no merges', file({ ...good, model: { ...good.model, merges: 1 } }), /merges are 1/],
    ['a merge', file({ ...good, model: { ...good.model, merges: ['a zzz'] } }), /merge 0 is "a zzz"/],
    ['a number', file({ ...good, model: { ...good.model, vocab: { a: -1 } } }), /-1 for "a"/],
    ['a normalizer', file({ ...good, normalizer: { type: 'Other' } }), /normalizer "Other"/, UnsupportedError],
    ['a step', file({ ...good, decoder: 7 }), /decoder is 7/],
    ['a model', file({ ...good, model: { type: 'Magic' } }), /model "Magic"/, UnsupportedError],
    ['an added token', file({ ...good, added_tokens: [{ id: 'x', content: 'a' }] }), /added token/],
    ['a piece', file({ ...base, model: { type: 'Unigram', vocab: [['a']] } }), /piece 0/],
    ['no unknown', file({ ...base, model: { type: 'WordPiece', vocab: {} } }), /\[UNK\]/],
    ['other bytes', new Uint8Array(100).fill(1), /longest piece 16843009/],
    ['cut short', new Uint8Array([9, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 65]), /piece 0 at byte 4/],
    ['HTML', new Response('<!doctype html><p>no', { headers: { 'content-type': 'text/html' } }), /HTML/],
    ['nothing', new Uint8Array(0), /neither a tokenizer\.json/],
    ['no source', 7, /^Tokenizer\.fromFile: the tokenizer is (a number|7)/, NormError],
  ])) {
    await assert.rejects(Tokenizer.fromFile(source), (error) => error instanceof Class && message.test(error.message), what);
  }
  const tokenizer = await Tokenizer.fromFile(file(good));
  assert.throws(() => tokenizer.decode([99999]), /no token 99999/);
  assert.throws(() => tokenizer.encode(/** @type {any} */ (7)), NormError);
  assert.throws(() => new /** @type {any} */ (Tokenizer)(), NormError);
});

/** A text's pieces. @param {AsyncIterable<{ token: number, text: string }>} steps */
async function all(steps) {
  const list = [];
  for await (const step of steps) list.push(step);
  return list;
}
const textOf = (/** @type {{ text: string }[]} */ steps) => steps.map(({ text }) => text).join('');

describe('texts', () => {
  /** @type {import('../index.js').Runtime} */
  let runtime;
  /** @type {Tokenizer} */
  let tokenizer;
  /** @type {TextGenerator} */
  let generator;
  const { model, config } = llama(Object.keys(byteFallback().model.vocab).length);
  before(async () => {
    tokenizer = await Tokenizer.fromFile(file(byteFallback())); // before there is a module
    runtime = await init({ variant: 'simd' });
    generator = await TextGenerator.create(model, { tokenizer, config });
  });
  after(async () => {
    await generator.release();
    assert.equal(runtime.memory().sessions, 0);
    runtime.dispose();
  });

  test('stories are the golden ones to the last character, from llama2.c\'s file', { skip: noStories }, async () => {
    const stories = await Tokenizer.fromFile(readFileSync(new URL('tok512.bin', shared)));
    const golden = JSON.parse(readFileSync(new URL('greedy-expected.json', shared), 'utf8'));
    for (const worker of [false, true]) {
      const writer = await TextGenerator.create(readFileSync(new URL('stories260K.bin', shared)), { tokenizer: stories, worker });
      assert.equal(writer.context, 512);
      for (const { prompt, promptTokens, tokens, text } of golden.runs) {
        assert.deepEqual([...stories.encode(prompt)], promptTokens);
        const steps = await all(writer.generate(prompt, { maxTokens: tokens.length - promptTokens.length }));
        assert.equal(prompt + textOf(steps), text);
        assert.deepEqual(steps.map(({ token }) => token), tokens.slice(promptTokens.length));
      }
      await writer.release();
    }
  });

  test('a seed gives the same text again, in a worker and in the scalar module; another seed another', async () => {
    const options = { maxTokens: 40, temperature: 0.8, topK: 40, topP: 0.95, seed: 7 };
    const text = await all(generator.generate('the', options));
    assert.equal(text.length, 40);
    assert.deepEqual(await all(generator.generate('the', options)), text);
    assert.notDeepEqual(await all(generator.generate('the', { ...options, seed: 8 })), text);
    for (const variant of /** @type {const} */ (['simd', 'scalar'])) {
      const other = await TextGenerator.create(new Blob([model]), { tokenizer, config, worker: true, variant });
      assert.deepEqual(await all(other.generate('the', options)), text, variant);
      assert.deepEqual(other.operators, generator.operators);
      await other.release();
    }
  });

  test('pieces never split a character', async () => {
    // At such a temperature all bytes come, and most that come are no UTF-8: U+FFFD stands for those in the whole text and in its pieces alike.
    const bytes = await Tokenizer.fromFile(file(files['GPT-2']()));
    const other = await TextGenerator.create(llama(bytes.size, { layers: 1 }).model, { tokenizer: bytes, config: { ...config, num_hidden_layers: 1 } });
    for (let seed = 0; seed < 20; seed++) {
      const steps = await all(other.generate('a', { maxTokens: 60, temperature: 2, seed }));
      assert.equal(`a${textOf(steps)}`, bytes.decode([...bytes.encode('a'), ...steps.map(({ token }) => token)]));
    }
    await other.release();
    // The bytes of one character, which is given with the last of them.
    const four = [...new TextEncoder().encode('🎉')].map((byte) => byte + 3);
    const written = [];
    const [{ Generator }, { take }, { parts }] = await Promise.all([import('../src/text/generator.js'), import('../src/text/parts.js'), import('../src/text.js')]);
    take(parts);
    const writer = /** @type {any} */ ({ info: { context: 9, vocabulary: 0, begin: -1, end: [2] }, check() {}, start: async () => {}, next: async () => [...four, 4 + 3 + 252, 2] });
    const coder = /** @type {any} */ ({ size: 300, end: [], knows: () => true, encode: () => [1], decode: (/** @type {number[]} */ ids) => tokenizer.decode(ids) });
    for await (const { text } of new Generator(writer, coder).generate('', {})) written.push(text);
    assert.deepEqual(written.slice(0, 4), ['', '', '', '🎉']);
  });

  test('ends: tokens, stop strings, the context, the signal', async () => {
    const options = { maxTokens: 50, temperature: 1, seed: 3 };
    const whole = textOf(await all(generator.generate('hello', options)));
    assert.equal((await all(generator.generate('hello', { maxTokens: 0 }))).length, 0);
    for (const at of [3, 7, 11]) {
      const stop = whole.slice(at, at + 3);
      const steps = await all(generator.generate('hello', { ...options, stop: ['never', stop] }));
      assert.equal(textOf(steps), whole.slice(0, whole.indexOf(stop)));
    }
    // What only begins as a stop string does comes later, or at the end.
    const steps = await all(generator.generate('hello', { ...options, stop: [`${whole.slice(5, 8)}\u0000`, `${whole.slice(-2)}\u0000`] }));
    assert.equal(textOf(steps), whole);
    const long = await all(generator.generate('a', { temperature: 1 }));
    assert.equal(long.length, generator.context + 1 - tokenizer.encode('a').length);
    const end = await TextGenerator.create(model, { tokenizer, config: { ...config, eos_token_id: [long[4].token, 2] } });
    const before = (await all(end.generate('a', { temperature: 1 }))).map(({ token }) => token).filter((token) => token !== long[4].token); // it may come with what was held back
    assert.deepEqual(before, long.slice(0, long.findIndex(({ token }) => token === long[4].token)).map(({ token }) => token));
    await end.release();

    const controller = new AbortController();
    const seen = [];
    await assert.rejects(async () => {
      for await (const step of generator.generate('a', { signal: controller.signal, temperature: 1 })) {
        seen.push(step);
        if (seen.length === 3) controller.abort();
      }
    }, (error) => error instanceof NormError && error.code === 'ABORTED');
    assert.equal(seen.length, 3);
    // One text at a time: the elder one says so.
    const elder = generator.generate('a', { temperature: 1 });
    await elder.next();
    assert.equal((await all(generator.generate('a', { maxTokens: 2 }))).length, 2);
    await assert.rejects(elder.next(), (error) => error instanceof NormError && error.code === 'CONTRADICTION');
  });

  test('the event loop has its turn', async () => {
    const writer = await TextGenerator.create(llama(300, { width: 128, inside: 512, layers: 4, heads: 4, kv: 4, context: 600 }).model, { tokenizer, config: { ...config, num_attention_heads: 4, num_key_value_heads: 4, num_hidden_layers: 4, max_position_embeddings: 600 } });
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const began = performance.now();
    await all(writer.generate('a', { temperature: 1 }));
    const ms = performance.now() - began;
    clearInterval(timer);
    assert.ok(turns >= Math.min(3, ms / 200), `${turns} turns in ${ms} ms`);
    await writer.release();
  });

  test('mistakes', async () => {
    const rejects = (/** @type {Promise<any>} */ made, /** @type {RegExp} */ message, Class = NormError) => assert.rejects(made, (error) => error instanceof Class && message.test(error.message));
    for (const [options, message] of /** @type {[any, RegExp][]} */ ([
      [{ temperature: -1 }, /temperature is -1, want a finite number of at least 0/], [{ temperature: NaN }, /temperature is NaN/], [{ topP: 0 }, /topP is 0, want a number above 0/], [{ topP: 1.5 }, /topP is 1\.5/],
      [{ topK: 1.5 }, /topK is 1\.5/], [{ seed: -1 }, /seed is -1/], [{ maxTokens: -2 }, /maxTokens is -2/], [{ stop: [''] }, /stop is/], [{ stop: 'x' }, /stop is/], [{ max_tokens: 3 }, /unknown option 'max_tokens'/],
    ])) assert.throws(() => generator.generate('a', options), (error) => error instanceof NormError && message.test(error.message), JSON.stringify(options));
    assert.throws(() => generator.generate('ab '.repeat(50)), /the prompt has 1\d\d tokens, and the model's context 64/);
    assert.throws(() => generator.generate(/** @type {any} */ (undefined)), /prompt is undefined, want a string/);
    await rejects(TextGenerator.create(model, { tokenizer: /** @type {any} */ ({}), config }), /want a Tokenizer/);
    await rejects(TextGenerator.create(model, { tokenizer }), /lacks num_attention_heads/, LoadError);
    await rejects(TextGenerator.create(model, { tokenizer, config: { ...config, num_attention_heads: 5 } }), /5 heads do not divide|2 heads of keys/, LoadError);
    await rejects(TextGenerator.create(model, { tokenizer, config: { ...config, model_type: 'mamba' } }), /mamba/, UnsupportedError);
    await rejects(TextGenerator.create(model, { tokenizer, config: { ...config, rope_scaling: { rope_type: 'yarn', factor: 2 } } }), /yarn/, UnsupportedError);
    await rejects(TextGenerator.create(model, { tokenizer, config: { ...config, num_hidden_layers: 3 } }), /2 layers, and the configuration 3/, LoadError);
    await rejects(TextGenerator.create(model, { tokenizer, config: /** @type {any} */ ('{}') }), /config is/);
    for (const worker of [0, 1, 2, NaN]) await rejects(TextGenerator.create(model, { tokenizer, config, worker: /** @type {any} */ (worker) }), /TextGenerator\.create: worker is (\d|NaN), want true or false/);
    await rejects(TextGenerator.create(model.subarray(0, 5000), { tokenizer, config }), /truncated/, LoadError);
    await rejects(TextGenerator.create(llama(90).model, { tokenizer, config }), /the tokenizer has \d+ tokens, and the model 90/, LoadError);
    const { tensors } = llama(300);
    const { writeSafetensors, Tensor } = await import('../src/index.js');
    await rejects(TextGenerator.create(writeSafetensors({ ...tensors, 'model.layers.0.self_attn.q_norm.weight': tensors['model.norm.weight'] }), { tokenizer, config }), /q_norm/, UnsupportedError);
    await rejects(TextGenerator.create(writeSafetensors({ a: new Tensor('float32', [1]) }), { tokenizer, config }), /embed_tokens/, UnsupportedError);
    const released = await TextGenerator.create(model, { tokenizer, config });
    const steps = released.generate('a');
    await released.release();
    await released.release();
    await rejects(steps.next(), /released/);
  });
});
