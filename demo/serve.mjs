// Serves the built page on this computer only.
//   node serve.mjs [DIR]      PORT=8080

import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname, extname, join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { policy, types } from './headers.mjs';

/** @param {{ root: string, port?: number }} options @returns {Promise<{ url: string, close(): void }>} */
export function serve({ root, port = 0 }) {
  const base = resolve(root);
  const server = createServer(async (request, response) => {
    const fail = (status, text) => {
      response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
      response.end(`${text}\n`);
    };
    if (request.method !== 'GET' && request.method !== 'HEAD') return fail(405, 'Only GET and HEAD.');
    let path;
    try {
      path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname);
    } catch {
      return fail(400, 'This address cannot be read.');
    }
    if (path.endsWith('/')) path += 'index.html';
    const file = resolve(join(base, path));
    if (!file.startsWith(base + sep) || path.includes('\0')) return fail(404, 'There is no such file.');
    const isFile = (f) => stat(f).then((s) => (s.isFile() ? s : undefined), () => undefined);
    const plain = await isFile(file);
    if (!plain) return fail(404, 'There is no such file.');
    const accepts = /\bbr\b/.test(String(request.headers['accept-encoding'] ?? ''));
    const packed = accepts ? await isFile(`${file}.br`) : undefined;
    const chosen = packed ?? plain;
    const tag = `"${chosen.size.toString(36)}-${Math.round(chosen.mtimeMs).toString(36)}"`;
    const headers = {
      'content-type': types[extname(file)] ?? 'application/octet-stream',
      'content-security-policy': `${policy}; frame-ancestors 'none'`,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-cache',
      vary: 'accept-encoding',
      etag: tag,
    };
    if (request.headers['if-none-match'] === tag) {
      response.writeHead(304, headers);
      return response.end();
    }
    if (packed) headers['content-encoding'] = 'br';
    response.writeHead(200, { ...headers, 'content-length': chosen.size });
    if (request.method === 'HEAD') return response.end();
    createReadStream(packed ? `${file}.br` : file).on('error', () => response.destroy()).pipe(response);
  });
  return new Promise((done, fail) => {
    server.once('error', fail);
    server.listen(port, '127.0.0.1', () => {
      const { port: taken } = /** @type {import('node:net').AddressInfo} */ (server.address());
      done({
        url: `http://127.0.0.1:${taken}/`,
        close() {
          server.close();
          server.closeAllConnections();
        },
      });
    });
  });
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const root = process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), 'dist');
  const port = Number(process.env.PORT ?? 8080);
  if (!(await stat(join(root, 'index.html')).catch(() => undefined))) {
    console.error(`demo: ${root} holds no page. Run \`node build.mjs\` first.`);
    process.exit(1);
  }
  try {
    const { url } = await serve({ root, port });
    console.log(`demo: the page is at ${url}  (Ctrl+C ends it)`);
  } catch (error) {
    console.error(error.code === 'EADDRINUSE' ? `demo: port ${port} is taken. Choose another: PORT=8081 node serve.mjs` : `demo: ${error.message}`);
    process.exit(1);
  }
}
