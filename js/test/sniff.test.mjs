// Files that are taken for a model or a module: the error says what they are, however they come.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { InferenceSession, LoadError, Tensor, init, writeSafetensors } from 'normwasm';
import { forbidden, policyError } from '../src/cause.js';
import { guess, identify } from '../src/sniff.js';
import { twoOutputs } from './data.mjs';
import { assets } from './server.mjs';

const hex = (text) => Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));
const text = (s) => new TextEncoder().encode(s);
const pad = (bytes, length = 600) => {
  const all = new Uint8Array(Math.max(length, bytes.length));
  all.set(bytes);
  return all;
};
const wasm = readFileSync(new URL('../dist/normwasm.scalar.wasm', import.meta.url));
const model = twoOutputs();

/** What files are, by their bytes (of the formats' own writers where there is one to be had), and what to do. */
const files = {
  'an HTML page': [text('\ufeff\n<!DOCTYPE html><html><title>Start</title>'), /the file is missing, or the server sends its start page/],
  'an HTML page (a fragment)': [text('<!-- built --><div id="root">'), /the file is missing/],
  JSON: [text('{"error":"Invalid username or password."}'), /begins with "\{\\"error\\":\\"Invalid username/],
  'JSON (a list)': [text('[1, 2, 3]'), /JSON/],
  XML: [text('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'), /missing or private\b.*AccessDenied/],
  'a network of OpenVINO (.xml)': [text('<?xml version="1.0"?>\n<net name="m" version="11">'), /\.onnx/],
  'a Git LFS pointer': [text('version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 123\n'), /git lfs pull.*\/resolve\//],
  'a gzip file': [gzipSync(model), /content-encoding: gzip/],
  'a Zstandard file': [hex('28b52ffd 24 05 29 00 00 68656c6c6f'), /content-encoding: zstd/],
  'a compressed file': [hex('fd377a585a000004e6d6b446'), /decompress/],
  "a model in onnxruntime's own format (.ort)": [pad(hex('18000000 4f52544d 00000000')), /\.onnx file that it was made from/],
  'a TensorFlow Lite model': [pad(hex('1c000000 54464c33 14002000')), /tf2onnx\.convert --tflite/],
  'a safetensors file': [writeSafetensors({ w: new Tensor('float32', [1, 2]) }), /readSafetensors/],
  'a PyTorch file': [hex('504b0304140000000000 77707c5d7764156c0400000004000000100000006172636869 76652f646174612e706b6c78787878'), /torch\.onnx\.export/],
  "a Python pickle, as PyTorch's torch.save writes them": [hex('80028a0a6cfc9c46f9206aa850192e'), /torch\.onnx\.export/],
  "a Python pickle, as PyTorch's torch.save writes them (protocol 4)": [hex('8004950a000000000000007d948c0161944b01732e'), /torch\.onnx\.export/],
  'an HDF5 file, as Keras writes them (.h5)': [pad(hex('894844460d0a1a0a 00000000')), /model\.export/],
  'a ZIP archive': [hex('504b0304140000000000 77707c5d7764156c04000000040000000a0000006d6f64656c2e6f6e6e78 78787878'), /unpack/],
  'a model of llama.cpp (GGUF)': [pad(hex('47475546 03000000')), /convert/],
  'a NumPy array (.npy)': [pad(hex('934e554d5059 0100 7600')), /no network/],
  'a picture': [hex('89504e470d0a1a0a0000000d49484452'), /another file/],
  'a model of TensorFlow.js': [text('{"format": "graph-model", "generatedBy": "2.3.1", "modelTopology": {}}'), /--tfjs/],
};
const title = (name) => name.replace(/ \((a fragment|a list|protocol 4)\)$/, '');

let server;
let url;
before(async () => {
  await init();
  const all = { ...files, text: [text('hello')], model: [model], empty: [new Uint8Array(0)], wasm: [wasm], brotli: [brotliCompressSync(model)] };
  server = createServer((request, response) => {
    const [bytes] = all[decodeURIComponent((request.url ?? '').slice(1).replace(/\.br$/, ''))];
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': bytes.length }).end(bytes);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = (name) => `http://127.0.0.1:${server.address().port}/${encodeURIComponent(name)}`;
});
after(async () => {
  server.closeAllConnections();
  server.close();
  (await init()).dispose();
});

const streamed = (bytes) => new ReadableStream({
  start(controller) {
    for (let i = 0; i < bytes.length; i += 7) controller.enqueue(bytes.slice(i, i + 7));
    controller.close();
  },
});
const ways = {
  bytes: (_, bytes) => Uint8Array.from(bytes), 'an ArrayBuffer': (_, bytes) => Uint8Array.from(bytes).buffer, 'a Blob': (_, bytes) => new Blob([bytes]),
  'a stream': (_, bytes) => streamed(bytes), 'a Response': (_, bytes) => new Response(bytes), 'a URL': (name) => url(name),
};

describe('in place of a model', () => {
  for (const [name, [bytes, advice]] of Object.entries(files)) {
    test(name, async () => {
      for (const [way, make] of Object.entries(ways)) {
        for (const worker of way === 'a URL' ? [false, true] : [false]) {
          const error = await InferenceSession.create(make(name, bytes), { worker }).then(() => assert.fail('read'), (e) => e);
          assert.ok(error instanceof LoadError, String(error));
          assert.equal(error.code, 'INVALID_MODEL', error.message);
          assert.ok(error.message.startsWith(`${way === 'a URL' ? url(name) : 'the model'} is ${title(name)}, not a model`), `${way}: ${error.message}`);
          assert.match(error.message, advice);
        }
      }
      assert.equal((await init()).memory().inUse, 0, 'nothing is left behind');
    });
  }
  const weak = {
    'text, not like an ONNX model: it begins with "hello, world"': text('hello,\n world'),
    'a SavedModel of TensorFlow (saved_model.pb)': hex('0801 12 80020a0a 0a 04 7465737412'),
    'a graph of TensorFlow (.pb)': hex('0a2e 0a05 696e707574 120b 506c616365686f6c646572 2a0b0a0564747970651202300132'),
    "a single tensor (a .pb of ONNX's test data)": hex('0803 0804 1001 4201 78 4a0400000000'),
  };
  for (const [what, bytes] of Object.entries(weak)) {
    test(what, async () => {
      for (const [way, make] of Object.entries(ways)) {
        if (way === 'a URL') continue;
        await assert.rejects(InferenceSession.create(make('', bytes)), (error) => {
          assert.deepEqual([error.name, error.code], ['LoadError', 'INVALID_MODEL'], error.message);
          assert.ok(error.message.startsWith(`the model looks like ${what}`), error.message);
          return true;
        });
      }
      await assert.rejects(InferenceSession.create(Uint8Array.from(bytes), { worker: true }), { code: 'INVALID_MODEL', message: new RegExp('^the model looks like') });
    });
  }
  test('empty, a module, brotli without its header, a promise', async () => {
    for (const make of [(...a) => ways.bytes(...a), (...a) => ways['a stream'](...a), (...a) => ways['a Blob'](...a)]) {
      await assert.rejects(InferenceSession.create(make('', new Uint8Array(0))), { code: 'INVALID_MODEL', message: /^the model is empty/ });
      await assert.rejects(InferenceSession.create(make('', wasm)), { code: 'INVALID_MODEL', message: /is a WebAssembly module, not a model/ });
    }
    await assert.rejects(InferenceSession.create(`${url('brotli')}.br`), { code: 'INVALID_MODEL', message: /content-encoding: br/ });
    await assert.rejects(InferenceSession.create(fetch(url('model'))), { name: 'NormError', message: /an object of class Promise, want .*: await it first/ });
  });
  test('a stream of something else ends at once', async () => {
    let [given, cancelled] = [0, false];
    const endless = new ReadableStream({
      pull(controller) {
        given++;
        controller.enqueue(gzipSync(new Uint8Array(100_000)));
      },
      cancel() {
        cancelled = true;
      },
    });
    await assert.rejects(InferenceSession.create(endless), /is a gzip file/);
    assert.ok(cancelled && given < 100);
  });
});

describe('in place of the module', () => {
  for (const [name, [bytes, advice]] of Object.entries(files)) {
    test(name, async () => {
      (await init()).dispose();
      for (const onProgress of [undefined, () => {}]) {
        const error = await init({ wasmURL: url(name), onProgress }).then(() => assert.fail('started'), (e) => e);
        assert.deepEqual([error.name, error.code], ['LoadError', 'NOT_A_MODULE'], error.message);
        assert.ok(error.message.startsWith(`${url(name)} is ${title(name)}, not a WebAssembly module`), error.message);
        assert.match(error.message, advice);
        assert.ok(error.message.includes(`${bytes.length} of ${bytes.length} bytes`), error.message);
      }
    });
  }
  test('a model, and brotli without its header', async () => {
    (await init()).dispose();
    await assert.rejects(init({ wasmURL: url('model') }), { code: 'NOT_A_MODULE', message: /is an ONNX model, not a WebAssembly module: InferenceSession\.create\(\) takes it/ });
    await assert.rejects(init({ wasmURL: `${url('brotli')}.br` }), { code: 'NOT_A_MODULE', message: /content-encoding: br/ });
  });
});

test('models are not taken for anything else', () => {
  const models = [model];
  if (existsSync(assets)) models.push(...readdirSync(assets).filter((file) => file.endsWith('.onnx')).map((file) => readFileSync(join(assets, file))));
  for (const bytes of models) {
    const head = bytes.subarray(0, 512);
    assert.deepEqual([identify(head, 'model'), guess(head)], [undefined, undefined]);
    assert.equal(identify(head, 'module')?.what, 'an ONNX model');
  }
});

test('the words in which engines say that a policy forbids WebAssembly', () => {
  for (const message of [
    "WebAssembly.compile(): Compiling or instantiating WebAssembly module violates the following Content Security policy directive because 'unsafe-eval' is not an allowed source of script in the following Content Security Policy directive: \"script-src 'self'\".",
    'WebAssembly.compileStreaming(): Wasm code generation disallowed by embedder',
    'call to WebAssembly.compile() blocked by CSP',
    "Refused to create a WebAssembly object because 'unsafe-eval' or 'wasm-unsafe-eval' is not an allowed source of script in the following Content Security Policy directive: \"script-src 'self'\".",
  ]) {
    const error = new WebAssembly.CompileError(message);
    assert.ok(forbidden(error), message);
    assert.match(policyError('x.wasm', error).message, /add 'wasm-unsafe-eval' to its script-src.*The engine says/);
  }
  for (const message of ['expected magic word 00 61 73 6d, found 2a 2a 2a 2a @+0', 'Failed to fetch']) assert.ok(!forbidden(new Error(message)));
});
