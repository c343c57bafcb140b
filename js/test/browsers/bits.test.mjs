// The same bits everywhere: the scalar and the simd variant in Node and in every browser, in the page and in
// a worker. The relaxed variant, which the processor and the engine have a say in, is held to a tolerance.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import * as normwasm from 'normwasm';
import { digests, distances } from '../digests.mjs';
import { chosen, open } from '../drivers.mjs';
import { assets, data, serve } from '../server.mjs';

/** @type {import('../digests.mjs').Network[]} */
const networks = [{ name: 'two outputs', model: '', feeds: [{ type: 'float32', dims: [10, 3], seed: 4 }] }];
for (const [file, dims] of /** @type {[string, number[]][]} */ ([['ch_ppocr_mobile_v2.0_cls_infer.onnx', [2, 3, 48, 192]], ['ch_PP-OCRv4_rec_infer.onnx', [1, 3, 48, 157]]])) {
  if (existsSync(assets)) networks.push({ name: file, model: `/assets/${file}`, feeds: [{ type: 'float32', dims, seed: 7 }] });
}
for (const name of ['crepe-tiny', 'magika-v3_3', 'nano-gpt-sort', 'stories260k', 'ultraface-rfb-320']) {
  const cases = `models/${name}/cases`;
  if (!existsSync(join(data, cases))) continue;
  const { model, cases: [one] } = JSON.parse(readFileSync(join(data, cases, 'cases.json'), 'utf8'));
  networks.push({
    name, model: join('/data', cases, one.model ?? model),
    feeds: one.inputs.map((input) => ({ name: input.name, type: input.dtype, dims: input.dims, file: join('/data', cases, input.file) })),
  });
}

/** What the server of the tests would give out. @param {string} path */
async function read(path) {
  const bytes = await readFile(path.startsWith('/data/') ? join(data, path.slice(6)) : join(assets, path.slice(8)));
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
}

/** In units of the largest number of an array: what fused multiply-adds may change. */
const tolerance = 3e-5;

let server;
/** @type {Record<string, string>} */
let reference;
before(async () => {
  server = await serve();
  reference = await digests({ variant: 'scalar', networks }, read);
});
/** What run.mjs makes the table of versions from. @type {Record<string, { title: string, version: string, variants: string[], relaxed?: number }>} */
const findings = {};
after(() => {
  server?.close();
  if (process.env.NORMWASM_FINDINGS) writeFileSync(process.env.NORMWASM_FINDINGS, JSON.stringify({ cases: Object.keys(reference).length, engines: findings }));
});

test('every normalization is among the cases, and no two give the same', () => {
  const wanted = Object.keys(normwasm).filter((name) => /norm(alization)?$/i.test(name));
  assert.ok(wanted.length >= 20, String(wanted));
  assert.deepEqual(wanted.filter((name) => !Object.hasOwn(reference, name)), []);
  assert.equal(new Set(Object.values(reference)).size, Object.keys(reference).length);
});

test(`the networks: ${networks.map((network) => network.name).join(', ')}`, { skip: networks.length < 8 && 'some of the models are absent' }, () => {});

test('Node: simd gives the same bits as scalar', async () => {
  assert.deepEqual(await digests({ variant: 'simd', networks }, read), reference);
});

test('Node: relaxed, where this version has it, differs, and not by much', async () => {
  const engine = { title: 'Node.js', version: process.versions.node, variants: ['simd', 'scalar'] };
  findings.node = engine;
  if (!WebAssembly.validate(await readFile(new URL('../../dist/normwasm.relaxed.wasm', import.meta.url)))) return;
  const relaxed = Math.max(...Object.values(await distances({ variant: 'relaxed', than: 'simd', networks }, read)));
  assert.ok(relaxed > 0 && relaxed <= tolerance, `off by ${relaxed}`);
  findings.node = { ...engine, variants: ['relaxed', ...engine.variants], relaxed };
});

const inPage = async ([name, argument]) => (await import('/test/digests.mjs'))[name](argument);
const inWorker = (call) => new Promise((resolve, reject) => {
  const worker = new Worker('/test/browsers/worker.mjs', { type: 'module' });
  worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data.value));
  worker.onerror = (event) => reject(new Error(event.message));
  worker.postMessage(call);
});

for (const name of chosen()) {
  describe(name, () => {
    /** @type {import('../drivers.mjs').Browser} */
    let browser;
    before(async () => {
      browser = await open(name);
      await browser.goto(server.url);
    });
    after(() => browser?.close());

    for (const [variant, place, run] of /** @type {const} */ ([['scalar', 'page', inPage], ['simd', 'page', inPage], ['simd', 'worker', inWorker]])) {
      test(`${variant} in a ${place} gives the bits of Node's`, async () => {
        assert.deepEqual(await browser.evaluate(run, ['digests', { variant, networks }]), reference);
      });
    }

    test('relaxed differs, and not by much', async (t) => {
      const { title, version } = browser;
      findings[name] = { title, version, variants: ['simd', 'scalar'] };
      const relaxed = await browser.evaluate(async () => WebAssembly.validate(await (await fetch('/dist/normwasm.relaxed.wasm')).arrayBuffer()));
      if (!relaxed) {
        t.diagnostic(`${title} ${version} has no relaxed SIMD`);
        return assert.notEqual(name, 'chromium');
      }
      const distances = await browser.evaluate(inPage, ['distances', { variant: 'relaxed', than: 'simd', networks }]);
      t.diagnostic(Object.entries(distances).map(([name, d]) => `${name} ${d.toExponential(1)}`).join(', '));
      for (const [name, distance] of Object.entries(distances)) assert.ok(distance <= tolerance, `${name}: off by ${distance}`);
      assert.ok(Object.values(distances).some((distance) => distance > 0), 'it is another variant');
      findings[name] = { title, version, variants: ['relaxed', 'simd', 'scalar'], relaxed: Math.max(...Object.values(distances)) };
    });
  });
}
