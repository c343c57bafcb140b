// A static file server for one page: folders under names, on a free port of 127.0.0.1.
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize, sep } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants } from 'node:zlib';

const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
  '.onnx': 'application/octet-stream',
};

/**
 * @param {Record<string, string>} mounts URL prefix (with both slashes) to folder.
 * @param {{ brotli?: boolean, isolated?: boolean }} [options] brotli: scripts and modules compressed, as web servers send them;
 *   isolated: pages may share memory with workers
 * @returns {Promise<{ origin: string, close: () => Promise<void> }>}
 */
export async function serve(mounts, { brotli = false, isolated = false } = {}) {
  /** @type {Map<string, Promise<Buffer>>} */
  const packed = new Map();
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
    const prefix = Object.keys(mounts).find((p) => path.startsWith(p));
    const file = prefix && join(mounts[prefix], normalize(sep + path.slice(prefix.length)));
    const found = file && (await stat(file).catch(() => undefined));
    if (!found?.isFile()) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('not found\n');
      return;
    }
    const type = types[extname(file)] ?? 'application/octet-stream';
    const compress = brotli && /javascript|wasm/.test(type);
    if (compress && !packed.has(file)) packed.set(file, compressed(file));
    const body = await packed.get(file);
    response.writeHead(200, {
      'content-type': type,
      'content-length': body?.length ?? found.size,
      'cache-control': 'no-store',
      ...(isolated ? { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' } : {}),
      ...(compress ? { 'content-encoding': 'br' } : {}),
    });
    if (body) response.end(body);
    else createReadStream(file).pipe(response);
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close: () => new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    }),
  };
}

/** @param {string} file */
async function compressed(file) {
  // Better than 9 takes ten times as long and is as quick to unpack.
  return promisify(brotliCompress)(await readFile(file), { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } });
}
