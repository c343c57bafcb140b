// Serves the built page on this computer only.
//   node serve.mjs [DIR]        PORT=8080
//   node serve.mjs --port       only says whether the port can be had

import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname, extname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { isolation, policy, types } from './headers.mjs';

/**
 * @param {{ root: string, port?: number, isolated?: boolean }} options isolated: false serves as a host does that cannot be told to send headers
 * @returns {Promise<{ url: string, close(): void }>}
 */
export function serve({ root, port = 0, isolated = true }) {
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
    // Scripts of workers need the headers of isolation as much as pages do, and on other responses they mean nothing.
    const headers = {
      ...(isolated ? isolation : {}),
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

/**
 * What to say when a port cannot be had: a command that works, with a port that was free just now.
 * @param {NodeJS.ErrnoException} error @param {number} port @param {string} command what to put behind PORT=…
 */
export async function advise(error, port, command) {
  const why = error.code === 'EADDRINUSE' ? `port ${port} is in use` : error.code === 'EACCES' ? `port ${port} needs rights that you do not have` : undefined;
  if (!why) return `demo: ${error.message}`;
  const free = await freePort(port < 1024 ? 8080 : port + 1);
  return `demo: ${why}. This works:\n\n    PORT=${free} ${command}\n`;
}

/** The first port from one on that can be listened to; any that the system has when the next hundred are in use. @param {number} from */
export async function freePort(from) {
  for (let port = from; port < from + 100 && port < 65536; port++) if (await listens(port)) return port;
  return listens(0);
}

/** @param {number} port @returns {Promise<number>} the port, 0 when it is in use */
function listens(port) {
  const probe = createServer();
  return new Promise((done) => {
    probe.once('error', () => done(0));
    probe.listen(port, '127.0.0.1', () => {
      const { port: taken } = /** @type {import('node:net').AddressInfo} */ (probe.address());
      probe.close(() => done(taken));
    });
  });
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({ options: { port: { type: 'boolean', default: false } }, allowPositionals: true });
  const root = positionals[0] ?? join(dirname(fileURLToPath(import.meta.url)), 'dist');
  const text = process.env.PORT || '8080';
  const port = Number(text);
  // What was typed, as far as one can tell.
  const command = process.env.MAKELEVEL ? 'make demo'
    : process.env.npm_lifecycle_event ? `npm run ${process.env.npm_lifecycle_event}`
    : ['node', relative(process.cwd(), process.argv[1]), ...process.argv.slice(2)].join(' ');
  const end = (message) => {
    console.error(message);
    process.exit(1);
  };
  try {
    if (!/^\d+$/.test(text) || port > 65535) throw new Error(`PORT is ${JSON.stringify(text)}, want a number up to 65535`);
    if (values.port) {
      (await serve({ root, port })).close();
    } else if (!(await stat(join(root, 'index.html')).catch(() => undefined))) {
      end(`demo: ${root} holds no page. Run \`make demo\`, or \`node build.mjs\` in demo/, first.`);
    } else {
      const { url } = await serve({ root, port });
      console.log(`demo: the page is at ${url}  (Ctrl+C ends it)`);
    }
  } catch (error) {
    end(await advise(error, port, command));
  }
}
