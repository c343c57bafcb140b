// transformers.js in a page of Chromium whose import map puts normwasm/onnxruntime in the place of the two packages that it
// imports, onnxruntime-web/webgpu and onnxruntime-common. Its models are small ones made by code.
// What bundlers make of it, and all types of weights beside onnxruntime-web, is in fixtures/transformers.test.mjs.
// (package.json overrides what transformers.js needs in Node alone: native builds of hundreds of megabytes.)
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { floats, layerNormOracle, model } from './data.mjs';
import { folders } from './pretrained.mjs';
import { serve } from './server.mjs';
import { compare, golden, goldenRuns } from './transformers.mjs';
import { again } from './again.mjs';

const flags = ['--no-sandbox', '--headless', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const imports = {
  'onnxruntime-web/webgpu': '/dist/onnxruntime.js', 'onnxruntime-common': '/dist/onnxruntime.js',
  '@huggingface/transformers': '/node_modules/@huggingface/transformers/dist/transformers.web.js',
};

const words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'the', 'cat', 'sat', '##s'];
const width = 8;
const embedding = floats(words.length * width, 11);
const scale = floats(width, 12, 0.5, 1);
const bias = floats(width, 13);
// Each token's embedding, normalized; 0 where the mask says that there is none.
const onnx = model({
  nodes: [
    { op: 'Gather', inputs: ['embedding', 'input_ids'], outputs: ['tokens'] },
    { op: 'LayerNormalization', inputs: ['tokens', 'scale', 'bias'], outputs: ['normal'], attributes: { axis: -1 } },
    { op: 'Gather', inputs: ['masks', 'attention_mask'], outputs: ['mask'] },
    { op: 'Mul', inputs: ['normal', 'mask'], outputs: ['last_hidden_state'] },
  ],
  inputs: [['input_ids', 7, ['batch', 'length']], ['attention_mask', 7, ['batch', 'length']]],
  outputs: [['last_hidden_state', 1, ['batch', 'length', width]]],
  constants: [['embedding', [words.length, width], embedding], ['scale', [width], scale], ['bias', [width], bias], ['masks', [2, width], new Float32Array(2 * width).fill(1, width)]],
});
const special = (id) => ({ id, content: words[id], single_word: false, lstrip: false, rstrip: false, normalized: false, special: true });
const files = {
  'config.json': { model_type: 'bert', architectures: ['BertModel'], hidden_size: width, vocab_size: words.length },
  'tokenizer_config.json': { tokenizer_class: 'BertTokenizer', model_max_length: 16, cls_token: '[CLS]', sep_token: '[SEP]', pad_token: '[PAD]', unk_token: '[UNK]' },
  'tokenizer.json': {
    version: '1.0', truncation: null, padding: null, added_tokens: [0, 1, 2, 3].map(special),
    normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing', single: [{ SpecialToken: { id: '[CLS]', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '[SEP]', type_id: 0 } }], pair: [],
      special_tokens: { '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] }, '[SEP]': { id: '[SEP]', ids: [3], tokens: ['[SEP]'] } },
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: { type: 'WordPiece', unk_token: '[UNK]', continuing_subword_prefix: '##', max_input_chars_per_word: 100, vocab: Object.fromEntries(words.map((word, id) => [word, id])) },
  },
};

let browser;
let server;
let page;
/** Requests that left the server. @type {string[]} */
const elsewhere = [];

before(async () => {
  server = await serve();
  browser = await again(() => chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: flags, timeout: 300_000 }));
  page = await browser.newPage();
  page.setDefaultTimeout(300_000);
  page.on('request', (request) => request.url().startsWith(server.url) || request.url().startsWith('data:') || request.url().startsWith('blob:') || elsewhere.push(request.url()));
  await page.route('**/page.html', (route) => route.fulfill({ contentType: 'text/html', body: `<!doctype html><script type="importmap">${JSON.stringify({ imports })}</script>` }));
  await page.route('**/models/tiny/**', (route) => {
    const name = new URL(route.request().url()).pathname.replace('/models/tiny/', '');
    if (name === 'onnx/model.onnx') return route.fulfill({ contentType: 'application/octet-stream', body: Buffer.from(onnx) });
    return files[name] ? route.fulfill({ json: files[name] }) : route.fulfill({ status: 404 });
  });
  const models = folders();
  /** @type {Map<Function, Buffer>} */
  const made = new Map();
  await page.route('**/pretrained/**', (route) => {
    const [, folder, path] = /** @type {string[]} */ (/pretrained\/([^/]*)\/(.*)$/.exec(new URL(route.request().url()).pathname));
    const file = models[folder]?.[path];
    if (!file) return route.fulfill({ status: 404 });
    if (typeof file !== 'function') return route.fulfill({ json: file });
    const body = made.get(file) ?? Buffer.from(file());
    made.set(file, body);
    return route.fulfill({ contentType: 'application/octet-stream', body });
  });
  await page.goto(`${server.url}/page.html`);
});
after(async () => {
  await browser?.close();
  server?.close();
});

test('its web build imports what is replaced here, and nothing else', () => {
  const code = readFileSync(join(import.meta.dirname, '../node_modules/@huggingface/transformers/dist/transformers.web.js'), 'utf8');
  assert.deepEqual([...code.matchAll(/^import .* from "(.*)";$/gm)].map(([, name]) => name).sort(), ['onnxruntime-common', 'onnxruntime-web/webgpu']);
});

test('a feature-extraction pipeline', async () => {
  const got = await page.evaluate(async () => {
    const { env, pipeline, Tensor } = await import('@huggingface/transformers');
    const { InferenceSession } = await import('onnxruntime-web/webgpu');
    Object.assign(env, { allowRemoteModels: false, allowLocalModels: true, localModelPath: '/models/' });
    const extract = await pipeline('feature-extraction', 'tiny', { dtype: 'fp32', device: 'wasm' });
    const one = await extract('The cats sat.');
    const two = await extract(['the cat', 'cats sat the cat'], { pooling: 'mean', normalize: true });
    const session = extract.model.sessions.model;
    const results = { ours: session instanceof InferenceSession, tensor: one instanceof Tensor, dims: one.dims, data: [...one.data], type: one.type, location: one.location, mean: { dims: two.dims, data: two.tolist() } };
    one.dispose();
    await extract.dispose();
    return results;
  });
  assert.ok(got.ours && got.tensor);
  const ids = [2, 4, 5, 7, 6, 1, 3]; // [CLS] the cat ##s sat [UNK] [SEP]: the full stop is not known
  const rows = (tokens) => [...layerNormOracle(Float32Array.from(tokens.flatMap((id) => [...embedding.subarray(id * width, (id + 1) * width)])), width, { scale, bias })];
  const close = (a, b) => a.forEach((v, i) => assert.ok(Math.abs(v - b[i]) <= 1e-5 * (1 + Math.abs(b[i])), `[${i}] is ${v}, want ${b[i]}`));
  assert.deepEqual(got.dims, [1, ids.length, width]);
  assert.equal(got.type, 'float32');
  assert.equal(got.location, 'cpu');
  close(got.data, rows(ids));
  assert.deepEqual(got.mean.dims, [2, width]);
  for (const [i, tokens] of [[2, 4, 5, 3], [2, 5, 7, 6, 4, 5, 3]].entries()) {
    const y = rows(tokens);
    const mean = Array.from({ length: width }, (_, c) => tokens.reduce((sum, _, t) => sum + y[t * width + c], 0) / tokens.length);
    const length = Math.hypot(...mean);
    close(got.mean.data[i], mean.map((v) => v / length));
  }
  assert.deepEqual(elsewhere, [], 'nothing is fetched from other places, onnxruntime’s module least of all');
});

test('features, labels and texts of fp16, q8, q4 and q4f16 as onnxruntime-web gives them', async () => {
  const got = await page.evaluate(async (runs) => {
    const { perform } = await import('/fixtures/transformers/tasks.js');
    return perform(await import('@huggingface/transformers'), { models: '/pretrained/', runs });
  }, goldenRuns);
  const want = JSON.parse(readFileSync(golden, 'utf8'));
  assert.deepEqual(Object.keys(got), Object.keys(want));
  for (const name of Object.keys(want)) compare(name, got[name], want[name]);
});

test('a TextGenerator writes the same tokens with the same decoders', async () => {
  const want = JSON.parse(readFileSync(golden, 'utf8'));
  const runs = [['gpt2', 'model_quantized', 'The quick', 'gpt2 q8'], ['llama', 'model_q4', 'hello the cable', 'llama q4']];
  const got = await page.evaluate(async (runs) => {
    // The page's own runtime is there already, and the module with it.
    const { TextGenerator, Tokenizer } = await import(new URL('/dist/normwasm.js', location.href).href);
    return Promise.all(runs.map(async ([folder, name, prompt]) => {
      const tokenizer = await Tokenizer.fromFile(`/pretrained/${folder}/tokenizer.json`);
      const config = { ...await (await fetch(`/pretrained/${folder}/config.json`)).json(), max_position_embeddings: 128 };
      const generator = await TextGenerator.create(`/pretrained/${folder}/onnx/${name}.onnx`, { tokenizer, config });
      const tokens = [];
      for await (const { token } of generator.generate(prompt, { maxTokens: 24 })) tokens.push(token);
      await generator.release();
      return tokens;
    }));
  }, runs);
  assert.deepEqual(got, runs.map(([, , , run]) => want[run].one.tokens));
});
