import assert from 'node:assert/strict';
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { brotliCompressSync, brotliDecompressSync } from 'node:zlib';
import { serve } from '../serve.mjs';

let root, site;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'demo-serve-'));
  await mkdir(join(root, 'site'));
  await writeFile(join(root, 'secret.txt'), 'not yours');
  await writeFile(join(root, 'site', 'index.html'), '<!doctype html>');
  await writeFile(join(root, 'site', 'a.wasm'), 'wasm bytes');
  await writeFile(join(root, 'site', 'a.wasm.br'), brotliCompressSync('wasm bytes'));
  site = await serve({ root: join(root, 'site') });
});
after(async () => {
  site.close();
  await rm(root, { recursive: true });
});

/** A request as it is written, without a client that tidies the path. */
const get = (path, headers = {}, method = 'GET') => new Promise((done, fail) => {
  const { hostname, port } = new URL(site.url);
  request({ hostname, port, path, headers, method }, (response) => {
    const parts = [];
    response.on('data', (d) => parts.push(d)).on('end', () => done({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) }));
  }).on('error', fail).end();
});

test('only this computer is served', () => assert.equal(new URL(site.url).hostname, '127.0.0.1'));

test('the page comes with its policy and type', async () => {
  const { status, headers } = await get('/');
  assert.equal(status, 200);
  assert.equal(headers['content-type'], 'text/html; charset=utf-8');
  assert.match(headers['content-security-policy'], /default-src 'self'; script-src 'self' 'wasm-unsafe-eval'/);
  assert.doesNotMatch(headers['content-security-policy'], /unsafe-inline|'unsafe-eval'|https?:|data:|\*/);
});

test('the brotli twin goes to those who accept it, under the original type', async () => {
  const packed = await get('/a.wasm', { 'accept-encoding': 'gzip, deflate, br' });
  assert.equal(packed.headers['content-encoding'], 'br');
  assert.equal(packed.headers['content-type'], 'application/wasm');
  assert.equal(brotliDecompressSync(packed.body).toString(), 'wasm bytes');
  const plain = await get('/a.wasm', { 'accept-encoding': 'gzip' });
  assert.equal(plain.headers['content-encoding'], undefined);
  assert.equal(plain.body.toString(), 'wasm bytes');
});

test('an unchanged file is not sent twice', async () => {
  const { headers } = await get('/a.wasm');
  const again = await get('/a.wasm', { 'if-none-match': headers.etag });
  assert.equal(again.status, 304);
  assert.equal(again.body.length, 0);
});

test('nothing outside the site is served', async () => {
  for (const path of ['/../secret.txt', '/..%2fsecret.txt', '/%2e%2e/secret.txt', '/a/../../secret.txt', '/%00', '/%zz', '/missing']) {
    const { status, body } = await get(path);
    assert.ok(status === 404 || status === 400, `${path}: ${status}`);
    assert.doesNotMatch(body.toString(), /not yours/);
  }
});

test('only reading is possible', async () => {
  assert.equal((await get('/', {}, 'POST')).status, 405);
  const head = await get('/a.wasm', {}, 'HEAD');
  assert.equal(head.status, 200);
  assert.equal(head.body.length, 0);
});
