// Models that write and their tokenizers, made by code: small ones, with weights drawn from a seed.
import { Tensor, writeSafetensors } from '../src/index.js';

/** Numbers that look normally distributed, the same each time. @param {number} seed */
export function normal(seed) {
  let state = seed >>> 0 || 1;
  const uniform = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(uniform() || 1e-9)) * Math.cos(2 * Math.PI * uniform());
}

const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`);

/** A tokenizer like Llama's, of bytes, letters and a few merges: for any text. */
export function byteFallback() {
  const pieces = ['<unk>', '<s>', '</s>', ...bytes, '▁', 'a', 'b', 'c', 'd', 'e', 'h', 'l', 'o', 't', 'th', 'the', '▁the', 'lo', 'hel', 'he', 'hello', '▁hello'];
  return {
    version: '1.0', truncation: null, padding: null,
    added_tokens: ['<unk>', '<s>', '</s>'].map((content, id) => ({ id, content, special: true, single_word: false, lstrip: false, rstrip: false, normalized: false })),
    normalizer: { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: '▁' }, { type: 'Replace', pattern: { String: ' ' }, content: '▁' }] },
    pre_tokenizer: null,
    post_processor: { type: 'TemplateProcessing', single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }], pair: [], special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } } },
    decoder: { type: 'Sequence', decoders: [{ type: 'Replace', pattern: { String: '▁' }, content: ' ' }, { type: 'ByteFallback' }, { type: 'Fuse' }, { type: 'Strip', content: ' ', start: 1, stop: 0 }] },
    model: { type: 'BPE', unk_token: '<unk>', fuse_unk: true, byte_fallback: true, vocab: Object.fromEntries(pieces.map((piece, i) => [piece, i])), merges: ['t h', 'h e', 'th e', '▁ the', 'l o', 'he l', 'hel lo', '▁ hello'] },
  };
}

/**
 * A decoder like Llama for a vocabulary, and its configuration.
 * @param {number} vocabulary
 */
export function llama(vocabulary, { width = 32, layers = 2, heads = 4, kv = 2, inside = 48, context = 64, seed = 5 } = {}) {
  const draw = normal(seed);
  /** @type {Record<string, Tensor>} */
  const tensors = {};
  const matrix = (/** @type {string} */ name, /** @type {number} */ rows, /** @type {number} */ cols, scale = 1 / Math.sqrt(cols)) => {
    tensors[`${name}.weight`] = new Tensor('float32', Float32Array.from({ length: rows * cols }, () => draw() * scale), [rows, cols]);
  };
  const norm = (/** @type {string} */ name) => {
    tensors[`${name}.weight`] = new Tensor('float32', Float32Array.from({ length: width }, () => 1 + 0.1 * draw()), [width]);
  };
  matrix('model.embed_tokens', vocabulary, width, 1);
  const size = width / heads;
  for (let i = 0; i < layers; i++) {
    const at = `model.layers.${i}.`;
    norm(`${at}input_layernorm`);
    matrix(`${at}self_attn.q_proj`, width, width);
    matrix(`${at}self_attn.k_proj`, kv * size, width);
    matrix(`${at}self_attn.v_proj`, kv * size, width);
    matrix(`${at}self_attn.o_proj`, width, width);
    norm(`${at}post_attention_layernorm`);
    matrix(`${at}mlp.gate_proj`, inside, width);
    matrix(`${at}mlp.up_proj`, inside, width);
    matrix(`${at}mlp.down_proj`, width, inside);
  }
  norm('model.norm');
  matrix('lm_head', vocabulary, width, 2 / Math.sqrt(width));
  const config = { model_type: 'llama', num_attention_heads: heads, num_key_value_heads: kv, num_hidden_layers: layers, max_position_embeddings: context, rms_norm_eps: 1e-5, tie_word_embeddings: false };
  return { tensors, config, model: writeSafetensors(tensors) };
}

/** A JSON file. @param {unknown} value */
export const file = (value) => new TextEncoder().encode(JSON.stringify(value));
