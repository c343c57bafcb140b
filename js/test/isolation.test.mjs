// Cross-origin isolation, which several threads need, in the ways that README.md names: by headers, and by a service worker
// where a host cannot be told to send any.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { entry } from './server.mjs';
import { again } from './again.mjs';

const root = join(import.meta.dirname, '..');
const script = readFileSync(join(root, 'fixtures/isolate/isolate.js'), 'utf8');
const types = { '.js': 'text/javascript', '.html': 'text/html', '.wasm': 'application/wasm' };
const page = '<!doctype html><title>A page</title><script src="isolate.js"></script>';
const opener = 'cross-origin-opener-policy', embedder = 'cross-origin-embedder-policy';

/** By the first segment of a path: what is sent with what lies there. @type {Record<string, Record<string, string>>} */
const hosts = {
  both: { [opener]: 'same-origin', [embedder]: 'require-corp' },
  credentialless: { [opener]: 'same-origin', [embedder]: 'credentialless' },
  document: { 'document-isolation-policy': 'isolate-and-credentialless' },
  popups: { [opener]: 'same-origin-allow-popups', [embedder]: 'require-corp' },
  half: { [embedder]: 'require-corp' },
  plain: {},
  worker: {},
};

/** @type {import('node:http').Server} */
let server;
let url = '';
/** @type {import('playwright-core').Browser} */
let browser;
before(async () => {
  server = createServer((request, response) => {
    if (request.url === '/favicon.ico') return response.writeHead(204).end();
    const [, host, rest] = /^\/([^/]*)\/(.*)$/.exec(new URL(request.url ?? '/', 'http://localhost').pathname) ?? [];
    const headers = hosts[host] ?? {};
    if (rest === '') return response.writeHead(200, { 'content-type': 'text/html', ...headers }).end(host === 'worker' ? page : '<!doctype html><title>A page</title>');
    if (rest === 'isolate.js') return response.writeHead(200, { 'content-type': 'text/javascript' }).end(script);
    const file = join(root, rest ?? '');
    if (rest === undefined || !file.startsWith(join(root, 'dist')) || !existsSync(file)) return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': types[extname(file)] ?? 'application/octet-stream', ...headers }).end(readFileSync(file));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  url = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}`;
  browser = await again(() => chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--headless', '--disable-gpu'], timeout: 300_000 }));
});
after(async () => {
  await browser?.close();
  server?.closeAllConnections();
  server?.close();
});

/** Whether a page of a host is isolated, and a sum that the package computes there. @param {import('playwright-core').Page} there @param {string} host */
const tried = (there, host) => there.evaluate(async (address) => {
  const { init, layerNorm } = await import(address);
  const runtime = await init();
  return { isolated: crossOriginIsolated, threads: runtime.threads, cores: navigator.hardwareConcurrency, y: Array.from(layerNorm(new Float32Array([1, 3]), { epsilon: 0 })) };
}, `${url}/${host}${entry()}`);

for (const [host, isolated] of /** @type {const} */ ([['both', true], ['credentialless', true], ['document', true], ['popups', false], ['half', false], ['plain', false]])) {
  test(`${host}: ${isolated ? 'several threads' : 'one thread, and not a word of it'}`, async (t) => {
    const there = await browser.newPage();
    there.setDefaultTimeout(300_000);
    t.after(() => there.close());
    /** @type {string[]} */
    const said = [];
    there.on('console', (message) => said.push(message.text()));
    await there.goto(`${url}/${host}/`);
    const got = await tried(there, host);
    assert.deepEqual([got.isolated, got.threads, got.y], [isolated, isolated ? Math.min(4, got.cores) : 1, [-1, 1]]);
    assert.deepEqual(said, []);
  });
}

test('a service worker isolates the pages of a host without headers, from the second load on, which it sees to once', async (t) => {
  const there = await browser.newPage();
  there.setDefaultTimeout(300_000);
  t.after(() => there.close());
  let loads = 0;
  there.on('load', () => loads++);
  await there.goto(`${url}/worker/`);
  await there.waitForFunction(() => globalThis.crossOriginIsolated);
  await there.waitForLoadState('load');
  const got = await tried(there, 'worker');
  assert.deepEqual([got.isolated, got.threads, got.y], [true, Math.min(4, got.cores), [-1, 1]]);
  assert.equal(loads, 2);
  await there.reload();
  assert.equal(await there.evaluate(() => crossOriginIsolated), true, 'at once');
  assert.equal(loads, 3);
});
