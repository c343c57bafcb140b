import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { brotliCompressSync, brotliDecompressSync } from 'node:zlib';
import { headersFile } from '../headers.mjs';
import { freePort, serve } from '../serve.mjs';

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

test('every response asks for isolation, so that pages and workers may share memory; a plain host asks for none', async (t) => {
  const wanted = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };
  for (const path of ['/', '/a.wasm']) {
    const { headers } = await get(path);
    for (const [name, value] of Object.entries(wanted)) assert.equal(headers[name], value, `${path}: ${name}`);
  }
  const plain = await serve({ root: join(root, 'site'), isolated: false });
  t.after(() => plain.close());
  const { headers } = await fetch(plain.url);
  for (const name of Object.keys(wanted)) assert.equal(headers.get(name), null, name);
});

test('the file that static hosts read asks for the same', () => {
  assert.equal(headersFile, '/*\n  Cross-Origin-Opener-Policy: same-origin\n  Cross-Origin-Embedder-Policy: require-corp\n');
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

/** Runs serve.mjs as a person does. @returns {Promise<{ code?: number, out: string, end(): void }>} once it has ended, or serves */
const start = (env, args = [], cwd = root) => new Promise((done) => {
  const { MAKELEVEL, npm_lifecycle_event, PORT, ...rest } = process.env;
  const child = spawn(process.execPath, [join(import.meta.dirname, '..', 'serve.mjs'), join(root, 'site'), ...args], { cwd, env: { ...rest, ...env } });
  let out = '';
  const end = () => child.kill();
  const hear = (d) => {
    out += d;
    if (/the page is at .*\n/.test(out)) done({ out, end });
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  child.on('close', (code) => done({ code: code ?? undefined, out, end }));
});

test('a port in use is answered with a command that works, word by word', async () => {
  const { port } = new URL(site.url);
  for (const env of [{}, { MAKELEVEL: '1' }, { npm_lifecycle_event: 'serve' }]) {
    const { code, out } = await start({ ...env, PORT: port });
    assert.equal(code, 1, out);
    const [, advice, free, command] = /port \d+ is in use\. This works:\n\n +(PORT=(\d+) (.*))\n/.exec(out) ?? assert.fail(out);
    assert.notEqual(free, port);
    if (env.MAKELEVEL) assert.equal(command, 'make demo');
    else if (env.npm_lifecycle_event) assert.equal(command, 'npm run serve');
    else {
      const second = await new Promise((ready) => {
        const shell = spawn('sh', ['-c', `exec env ${advice}`], { cwd: root });
        shell.stdout.once('data', (d) => ready({ out: String(d), end: () => shell.kill() }));
        shell.stderr.once('data', (d) => ready({ out: String(d), end: () => shell.kill() }));
      });
      second.end();
      assert.match(second.out, new RegExp(`the page is at http://127\\.0\\.0\\.1:${free}/`));
    }
  }
  assert.equal((await start({ PORT: port }, ['--port'])).code, 1);
  const free = String(await freePort(Number(port) + 1));
  assert.deepEqual(await start({ PORT: free }, ['--port']).then(({ code, out }) => ({ code, out })), { code: 0, out: '' });
});

test('a port that is none is refused', async () => {
  for (const PORT of ['http', '70000', '-1', '8080.5']) {
    const { code, out } = await start({ PORT });
    assert.equal(code, 1);
    assert.match(out, /^demo: PORT is ".*", want a number up to 65535\n/);
  }
});
