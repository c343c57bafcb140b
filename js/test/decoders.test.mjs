// ONNX decoders with past and present, as exporters write them, through TextGenerator: the tokens are those that onnxruntime-web gives, to
// which the past is fed by hand. GPT-2 is in ONNX's operators, Llama in onnxruntime's, with a mask, positions and num_logits_to_keep.
//   NORMWASM_LONG=1 node --test test/decoders.test.mjs
// takes both in all types of weights; else it is one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as ort from 'onnxruntime-web';
import { fromHalf } from '../src/half.js';
import { TextGenerator, Tokenizer } from '../src/index.js';
import { folders } from './pretrained.mjs';
import { file } from './writing.mjs';

const long = Boolean(process.env.NORMWASM_LONG);
const prompt = 'the quick fox';
const count = 24;
ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'fatal';

/**
 * What onnxruntime-web writes behind a prompt.
 * @param {Uint8Array} model
 * @param {number[]} begin
 */
async function expected(model, begin) {
  const session = await ort.InferenceSession.create(model, { executionProviders: ['wasm'] });
  /** @type {Record<string, any>} */
  let past = {};
  for (const { name, type, shape } of /** @type {any[]} */ (session.inputMetadata)) {
    if (name.startsWith('past')) past[name] = new ort.Tensor(type, type === 'float16' ? new Uint16Array(0) : new Float32Array(0), [1, shape[1], 0, shape[3]]);
  }
  const whole = (/** @type {number[]} */ list) => new ort.Tensor('int64', BigInt64Array.from(list, BigInt), [1, list.length]);
  const written = [];
  let fed = begin;
  for (let at = 0; written.length < count; at += fed.length, fed = written.slice(-1)) {
    /** @type {Record<string, any>} */
    const all = { ...past, input_ids: whole(fed), attention_mask: whole(Array(at + fed.length).fill(1)), position_ids: whole(fed.map((_, i) => at + i)), num_logits_to_keep: new ort.Tensor('int64', BigInt64Array.of(1n), []) };
    const results = await session.run(Object.fromEntries(session.inputNames.map((name) => [name, all[name]])));
    const { data, dims, type } = results.logits;
    const last = Array.from(/** @type {any} */ (data).subarray(-dims[2]), type === 'float16' ? fromHalf : Number);
    written.push(last.indexOf(Math.max(...last)));
    past = Object.fromEntries(Object.keys(past).map((name) => [name, results[name.replace('past_key_values', 'present')]]));
  }
  await session.release();
  return written;
}

for (const [name, ...types] of long ? [['gpt2', '', '_fp16', '_quantized', '_q4'], ['llama', '', '_fp16', '_quantized', '_q4']] : [['llama', '']]) {
  for (const type of types) {
    test(`${name}${type}`, async () => {
      const folder = folders()[name];
      const tokenizer = await Tokenizer.fromFile(file(folder['tokenizer.json']));
      const model = /** @type {() => Uint8Array} */ (folder[`onnx/model${type}.onnx`])();
      const want = await expected(model, [...tokenizer.encode(prompt)]);
      for (const worker of long ? [false, true] : [false]) {
        const writer = await TextGenerator.create(model, { tokenizer, config: { max_position_embeddings: 128 }, worker });
        for (const maxTokens of [5, count]) { // the second begins anew
          const tokens = [];
          for await (const { token } of writer.generate(prompt, { maxTokens })) tokens.push(token);
          assert.deepEqual(tokens, want.slice(0, maxTokens));
        }
        await writer.release();
      }
    });
  }
}
