// Makes what the page Write writes with: a transformer of 656,000 parameters that has read the King James Bible (Debian's
// bible-kjv; the text is in the public domain outside of the United Kingdom, where the Crown holds the right to print it).
//   src/models/writer.tokenizer.json   a vocabulary of 1,024 tokens that was learned of the text, as Hugging Face's files have it
//   src/models/writer.safetensors      the weights in int8, named as in GPT-2
//   src/models/writer.config.json      what the weights do not tell
//   node writer.mjs [--steps N] [--out DIR] [--trained FILE]
// Takes an hour or two in one thread. Seeds are fixed and the arithmetic is exact or rounded as IEEE 754 says: the files come
// out the same to the byte wherever the module runs with SIMD. Every 500 steps the trained network is written to
// writer.trained.safetensors in the folder for temporary files; with --trained it is taken from there, and only the files made.

import { execFileSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { random } from './src/lab/random.js';

export const shape = { vocabulary: 1024, width: 96, heads: 4, depth: 4, context: 128 };
const seed = 1;
const batch = 16;

/** The verses, one a line, an empty line between chapters. */
export function readText() {
  let lines;
  try {
    lines = execFileSync('bible', ['-f', 'gen1:1-rev22:21'], { encoding: 'utf8', maxBuffer: 1 << 26 }).split('\n');
  } catch (cause) {
    throw new Error('the text is missing: apt-get install bible-kjv', { cause });
  }
  let chapter = '';
  let text = '';
  for (const line of lines) {
    const verse = /^(\w+?)(\d+):\d+ (.*)$/.exec(line.trim());
    if (!verse) continue;
    if (chapter && chapter !== verse[1] + verse[2]) text += '\n';
    chapter = verse[1] + verse[2];
    text += `${verse[3].replace(/\s+/g, ' ').trim()}\n`;
  }
  return text;
}

// ---- The vocabulary: byte pair encoding, in the form of tokenizer.json ----

/** GPT-2's characters for bytes: those that can be seen stand for themselves. */
export function byteCharacters() {
  const seen = [[33, 126], [161, 172], [174, 255]].flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => from + i));
  let more = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(seen.includes(byte) ? byte : more++));
}

const words = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** Merges the commonest pair until there are `size` tokens. @param {string} text @param {number} size */
export function learnMerges(text, size) {
  const characters = byteCharacters();
  const encode = (/** @type {string} */ word) => [...new TextEncoder().encode(word)].map((byte) => characters[byte]);
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const [word] of text.matchAll(words)) counts.set(word, (counts.get(word) ?? 0) + 1);
  const list = [...counts].map(([word, count]) => ({ parts: encode(word), count }));
  const vocabulary = [...new Set(list.flatMap(({ parts }) => parts))].sort();
  /** @type {[string, string][]} */
  const merges = [];
  while (vocabulary.length < size) {
    /** @type {Map<string, number>} */
    const pairs = new Map();
    for (const { parts, count } of list) {
      for (let i = 1; i < parts.length; i++) {
        const pair = `${parts[i - 1]} ${parts[i]}`;
        pairs.set(pair, (pairs.get(pair) ?? 0) + count);
      }
    }
    let best = '';
    for (const [pair, count] of pairs) if (best === '' || count > /** @type {number} */ (pairs.get(best)) || (count === pairs.get(best) && pair < best)) best = pair;
    const [a, b] = best.split(' ');
    merges.push([a, b]);
    if (!vocabulary.includes(a + b)) vocabulary.push(a + b);
    for (const word of list) {
      if (!word.parts.includes(a)) continue;
      const parts = [];
      for (let i = 0; i < word.parts.length; i++) {
        if (word.parts[i] === a && word.parts[i + 1] === b) parts.push(a + b), i++;
        else parts.push(word.parts[i]);
      }
      word.parts = parts;
    }
  }
  return { vocabulary, merges };
}

/** @param {{ vocabulary: string[], merges: [string, string][] }} learned */
export const tokenizerJSON = ({ vocabulary, merges }) => ({
  version: '1.0', truncation: null, padding: null, added_tokens: [], normalizer: null,
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  post_processor: null,
  decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  model: { type: 'BPE', dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: false, byte_fallback: false, vocab: Object.fromEntries(vocabulary.map((token, i) => [token, i])), merges },
});

/** The text in tokens: each word by the merges, in their order. @param {string} text @param {{ vocabulary: string[], merges: [string, string][] }} learned */
export function encodeText(text, { vocabulary, merges }) {
  const characters = byteCharacters();
  const ranks = new Map(merges.map(([a, b], i) => [`${a} ${b}`, i]));
  const ids = new Map(vocabulary.map((token, i) => [token, i]));
  /** @type {Map<string, number[]>} */
  const known = new Map();
  /** @type {number[]} */
  const out = [];
  for (const [word] of text.matchAll(words)) {
    let tokens = known.get(word);
    if (!tokens) {
      const parts = [...new TextEncoder().encode(word)].map((byte) => characters[byte]);
      for (;;) {
        let [best, at] = [Infinity, -1];
        for (let i = 1; i < parts.length; i++) {
          const rank = ranks.get(`${parts[i - 1]} ${parts[i]}`) ?? Infinity;
          if (rank < best) [best, at] = [rank, i];
        }
        if (at < 0) break;
        parts.splice(at - 1, 2, parts[at - 1] + parts[at]);
      }
      tokens = parts.map((part) => /** @type {number} */ (ids.get(part)));
      known.set(word, tokens);
    }
    for (const token of tokens) out.push(token);
  }
  return Int32Array.from(out);
}

// ---- The network ----

const { vocabulary, width, heads, depth, context } = shape;
/** RMSNorm before each half of a block and at the end. @returns {any[]} */
export const layers = () => [
  { type: 'embedding', vocabulary, width, positions: context },
  ...Array.from({ length: depth }, () => [
    { type: 'residual', body: [{ type: 'rmsNorm' }, { type: 'attention', heads, causal: true }] },
    { type: 'residual', body: [{ type: 'rmsNorm' }, { type: 'linear', units: 4 * width }, { type: 'gelu' }, { type: 'linear', units: width }] },
  ]).flat(),
  { type: 'rmsNorm' },
  { type: 'linear', units: vocabulary, bias: false },
];

// ---- The files that ship ----

/** What the weights do not tell. Giving the epsilon of RMSNorm says that it stands where GPT-2 has LayerNorm. */
export const config = {
  model_type: 'gpt2', vocab_size: vocabulary, n_positions: context, n_embd: width, n_layer: depth, n_head: heads,
  activation_function: 'gelu', rms_norm_eps: 1e-5, tie_word_embeddings: false,
};

/** Where a parameter of the trainer stands in GPT-2: layers are counted from the embedding on, two residual ones to a block. @param {string} name */
export function shippedName(name) {
  const [layer, ...rest] = name.split('.');
  const kind = String(rest.pop());
  const at = Number(layer);
  if (at === 0) return kind === 'positions' ? 'wpe.weight' : `wte.${kind}`;
  if (at === 2 * depth + 1) return `ln_f.${kind}`;
  if (at === 2 * depth + 2) return `lm_head.${kind}`;
  const attends = at % 2 === 1;
  /** @type {Record<string, string>} */
  const parts = attends ? { 0: 'ln_1', '1.in': 'attn.c_attn', '1.out': 'attn.c_proj' } : { 0: 'ln_2', 1: 'mlp.c_fc', 3: 'mlp.c_proj' };
  return `h.${(at - (attends ? 1 : 2)) / 2}.${parts[rest.join('.')]}.${kind}`;
}

/** A trainer's parameters by those names. @param {Record<string, any>} tensors as in its file @returns {Record<string, any>} */
export const shipped = (tensors) => Object.fromEntries(Object.entries(tensors)
  .filter(([name]) => !/^(momentum|square)\./.test(name)) // what the optimizer remembers is for going on with it
  .map(([name, tensor]) => [shippedName(name), tensor]));

/**
 * The same with matrices in int8, each row with a scale of its own so that its largest number is 127 or -127.
 * @param {Record<string, any>} tensors float32 @param {any} Tensor normwasm's @returns {Record<string, any>}
 */
export function quantized(tensors, Tensor) {
  /** @type {Record<string, any>} */
  const out = {};
  for (const [name, tensor] of Object.entries(tensors)) {
    const { data, dims: [rows, columns] } = tensor;
    if (columns === undefined) {
      out[name] = tensor;
      continue;
    }
    const scales = new Float32Array(rows);
    const whole = new Int8Array(data.length);
    for (let row = 0; row < rows; row++) {
      const values = data.subarray(row * columns, (row + 1) * columns);
      scales[row] = values.reduce((/** @type {number} */ most, /** @type {number} */ v) => Math.max(most, Math.abs(v)), 0) / 127;
      values.forEach((/** @type {number} */ v, /** @type {number} */ i) => (whole[row * columns + i] = scales[row] > 0 ? Math.round(v / scales[row]) : 0));
    }
    out[name] = new Tensor('int8', whole, [rows, columns]);
    out[`${name}_scale`] = new Tensor('float32', scales, [rows, 1]);
  }
  return out;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { steps: { type: 'string', default: '2500' }, out: { type: 'string', default: join(import.meta.dirname, 'src', 'models') }, trained: { type: 'string' } } });
  const steps = Number(values.steps);
  const { Trainer, Tensor, readSafetensors, writeSafetensors } = await import('../js/dist/normwasm.js');
  /** @param {Uint8Array} file of a trainer */
  const ship = async (file) => {
    await mkdir(values.out, { recursive: true });
    await writeFile(join(values.out, 'writer.config.json'), `${JSON.stringify(config, null, 2)}\n`);
    await writeFile(join(values.out, 'writer.safetensors'), writeSafetensors(quantized(shipped(readSafetensors(file).tensors), Tensor), { format: 'pt' }));
  };
  const text = readText();
  const learned = learnMerges(text, vocabulary);
  const tokens = encodeText(text, learned);
  console.error(`${text.length} characters, ${tokens.length} tokens`);
  await mkdir(values.out, { recursive: true });
  await writeFile(join(values.out, 'writer.tokenizer.json'), JSON.stringify(tokenizerJSON(learned)));
  if (values.trained) {
    await ship(await readFile(values.trained));
    process.exit();
  }
  const held = Math.floor(tokens.length * 0.02); // the last pages
  const trainer = await Trainer.create({
    input: [context], model: layers(), loss: 'crossEntropy', seed, variant: 'simd', clip: 1,
    optimizer: { type: 'adamw', learningRate: 0.003, weightDecay: 0.05 }, schedule: { warmup: Math.min(100, Math.floor(steps / 25)), decay: 'cosine', steps },
  });
  const draw = random(seed);
  const cut = (/** @type {() => number} */ from, /** @type {number} */ n) => {
    const x = new Int32Array(n * context);
    const y = new Int32Array(n * context);
    for (let i = 0; i < n; i++) {
      const at = from();
      x.set(tokens.subarray(at, at + context), i * context);
      y.set(tokens.subarray(at + 1, at + context + 1), i * context);
    }
    return { x: new Tensor('int32', x, [n, context]), y: new Tensor('int32', y, [n, context]) };
  };
  const save = async () => writeFile(join(tmpdir(), 'writer.trained.safetensors'), await trainer.save());
  const begin = performance.now();
  for (let step = 1; step <= steps; step++) {
    const { loss } = await trainer.step(cut(() => draw(tokens.length - held - context - 1), batch));
    if (step % 50 === 0) console.error(`step ${step} of ${steps}, loss ${loss.toFixed(4)}, ${((performance.now() - begin) / step).toFixed(0)} ms a step`);
    if (step % 500 !== 0 && step !== steps) continue;
    let sum = 0;
    for (let i = 0; i < 8; i++) {
      let at = tokens.length - held + i * 4 * context;
      sum += (await trainer.evaluate(cut(() => (at += context) - context, 4))).loss;
    }
    console.error(`held out: ${(sum / 8).toFixed(4)} a token`);
    await save();
  }
  await ship(await trainer.save());
}
