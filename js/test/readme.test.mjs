// The samples of the documents run as they stand, in a project that has the package as npm packs it.
//
// The word after a block's language says what is done with it:
//
//   js, ts       runs in Node and in Chromium; `js node` and `js browser` in one of them only
//   js config    a bundler's configuration, or a part of a program that a fixture has in full: its syntax is checked
//   html         is opened in Chromium
//   go           is formatted, compiled and run in a module of its own
//   sh           its make targets, scripts and npm packages exist
//   text, json, nginx, apache  what a host is told to send
//   go norm/a.go (any language, any path) an excerpt: its lines are in that file, in this order; … stands for lines left out
//
// A block that names the headers of cross-origin isolation has to isolate a page that is sent what it says.
// What follows `// prints ` in a sample has to be what it prints, line by line.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, extname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import { tried } from '../fixtures/versions.mjs';
import { data } from './server.mjs';
import { again } from './again.mjs';

const root = join(import.meta.dirname, '../..');
const run = promisify(execFile);
const environment = { ...process.env, GOTOOLCHAIN: process.env.GOTOOLCHAIN ?? 'go1.27.4' };
/** A process must end by itself: a sample that leaves a handle open is a mistake of the package. */
const limits = { encoding: /** @type {const} */ ('utf8'), timeout: 300_000 };

const documents = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', 'RATIONALE.md', 'js/README.md', 'demo/README.md'];
const blocks = documents.filter((file) => existsSync(join(root, file))).flatMap((file) => {
  const found = readFileSync(join(root, file), 'utf8').matchAll(/^```([a-z]+)(?: (.*))?\n([^]*?)^```$/gm);
  return Array.from(found, ([, language, mark = '', code], i) => ({ name: `${file}, block ${i + 1}: ${language} ${mark}`.trim(), language, mark, code }));
});
const prints = (code) => Array.from(code.matchAll(/\/\/ prints (.*)$/gm), ([, line]) => line);

/** Files that a sample reads, which are not in this repository: where they are not at hand, the sample is skipped. */
const stories = ['stories260K.bin', 'tok512.bin'];
const storiesFolder = join(data, 'models/stories260k');

/** The project. @type {string} */
let project;
/** @type {import('playwright-core').Browser} */
let browser;
/** @type {import('node:http').Server} */
let server;
let url = '';

before(async () => {
  project = await mkdtemp(join(tmpdir(), 'normwasm-samples-'));
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { ...limits, cwd: join(root, 'js') });
  for (const { path } of JSON.parse(stdout)[0].files) {
    await mkdir(dirname(join(project, 'node_modules/normwasm', path)), { recursive: true });
    await cp(join(root, 'js', path), join(project, 'node_modules/normwasm', path));
  }
  await symlink(join(root, 'demo/node_modules/@gutenye'), join(project, 'node_modules/@gutenye'));
  for (const name of ['@tensorflow', 'onnxruntime-common']) await symlink(join(root, 'js/node_modules', name), join(project, 'node_modules', name));
  if (existsSync(storiesFolder)) for (const name of stories) await cp(join(storiesFolder, name), join(project, name));
  await writeFile(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }));

  const types = { '.js': 'text/javascript', '.mjs': 'text/javascript', '.html': 'text/html', '.wasm': 'application/wasm' };
  server = createServer(async ({ url: path = '/' }, response) => {
    const name = decodeURIComponent(new URL(path, 'http://localhost').pathname);
    if (name === '/') return response.writeHead(200, { 'content-type': 'text/html' }).end(`<!doctype html><script type="importmap">${JSON.stringify({ imports: addresses() })}</script>`);
    if (name === '/favicon.ico') return response.writeHead(204).end();
    const content = await readFile(join(project, name)).catch(() => undefined);
    return response.writeHead(content ? 200 : 404, { 'content-type': types[extname(name)] ?? 'application/octet-stream' }).end(content);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  url = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}`;
  browser = await again(() => chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--headless', '--disable-gpu'], timeout: 300_000 }));
});
after(async () => {
  await browser?.close();
  server?.closeAllConnections();
  server?.close();
  if (project) await rm(project, { recursive: true, force: true });
});

/** The headers that a block tells a host to send: what stands behind each name, whatever the notation. @param {string} code */
function isolating(code) {
  const found = code.matchAll(/(Cross-Origin-(?:Opener|Embedder)-Policy)["']?[\s:,]*(?:"value":)?\s*["']?([a-z][a-z-]*)/g);
  return Object.fromEntries(Array.from(found, ([, name, value]) => [name, value]));
}

/** @param {Record<string, string>} headers */
async function checkIsolation(headers) {
  const host = createServer((_, response) => response.writeHead(200, { 'content-type': 'text/html', ...headers }).end('<!doctype html>'));
  await new Promise((resolve) => host.listen(0, '127.0.0.1', () => resolve(undefined)));
  const page = await browser.newPage();
  page.setDefaultTimeout(300_000);
  try {
    await page.goto(`http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (host.address()).port}/`);
    assert.equal(await page.evaluate(() => crossOriginIsolated), true, JSON.stringify(headers));
  } finally {
    await page.close();
    host.closeAllConnections();
    host.close();
  }
}

/** What a browser is to take for each import of the package: the first condition of its exports that a browser has. */
function addresses() {
  const { exports } = JSON.parse(readFileSync(join(project, 'node_modules/normwasm/package.json'), 'utf8'));
  const choose = (target) => {
    if (typeof target === 'string') return target;
    const condition = Object.keys(target ?? {}).find((name) => ['browser', 'import', 'module', 'default'].includes(name) && choose(target[name]));
    return condition && choose(target[condition]);
  };
  return Object.fromEntries(Object.entries(exports).filter(([name]) => !name.includes('*')).map(([name, target]) => [
    name.replace('.', 'normwasm'), `/${join('node_modules/normwasm', String(choose(target)))}`]));
}

/**
 * Opens an address, does something there, and returns what was printed meanwhile.
 * @param {string} address
 * @param {(page: import('playwright-core').Page, lines: string[]) => Promise<void>} act
 */
async function visit(address, act) {
  const page = await browser.newPage();
  /** @type {string[]} */
  const lines = [];
  /** @type {string[]} */
  const complaints = [];
  page.on('console', (message) => (message.type() === 'log' ? lines : complaints).push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.setDefaultTimeout(limits.timeout);
  await page.goto(address);
  await act(page, lines);
  await page.close();
  assert.deepEqual(complaints, []);
  return lines;
}

const inNode = async (name, code) => {
  const file = join(project, name);
  await writeFile(file, code);
  const { stdout } = await run(process.execPath, [file], { ...limits, cwd: project });
  assert.deepEqual(stdout.split('\n').slice(0, -1), prints(code));
};

const inBrowser = async (name, code) => {
  await writeFile(join(project, name), code);
  const lines = await visit(`${url}/`, (page) => page.evaluate((address) => import(address), `${url}/${name}`));
  assert.deepEqual(lines, prints(code));
};

async function types(name, code) {
  const file = join(project, `${name}.ts`);
  await writeFile(file, code);
  await run(process.execPath, [join(root, 'js/node_modules/typescript/bin/tsc'), '--strict', '--module', 'nodenext', '--target', 'es2022', '--rewriteRelativeImportExtensions', file],
    { ...limits, cwd: project });
  return readFile(join(project, `${name}.js`), 'utf8');
}

/** One line of a shell block. @param {string} line */
function checkCommand(line) {
  const words = line.replace(/\s+#.*$/, '').trim().split(/\s+/);
  while (/^[A-Z_]+=/.test(words[0])) words.shift();
  const [command, ...rest] = words;
  if (command === undefined || command === '') return;
  const makefile = readFileSync(join(root, 'Makefile'), 'utf8');
  if (command === 'make') {
    for (const target of rest.filter((word) => !word.includes('='))) assert.match(makefile, new RegExp(`^(?:.*\\s)?${target}(?:\\s.*)?:(?!=)`, 'm'), `make ${target}`);
  } else if (command === 'npm' && rest[0] === 'install') {
    const known = ['js', 'demo', 'bench'].flatMap((folder) => Object.keys(JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')).devDependencies));
    for (const name of rest.slice(1)) if (!name.startsWith('-') && !name.startsWith('path/')) assert.ok(name === 'normwasm' || known.includes(name), `npm install ${name}`);
  } else if (command === 'go') {
    assert.ok(['test', 'run', 'vet', 'tool'].includes(rest[0]), line);
    for (const word of rest) if (word.startsWith('./') && !word.includes('...')) assert.ok(existsSync(join(root, word)), word);
  } else if (command === 'node' || command === 'cd') {
    const paths = rest.filter((word) => /^[\w./-]+$/.test(word) && !word.startsWith('-'));
    for (const path of paths) assert.ok(['.', 'js', 'demo', 'bench'].some((folder) => existsSync(join(root, folder, path))), path);
  } else {
    assert.ok(['npm', 'git', 'cp', 'open'].includes(command), `${line}: this test does not know the command`);
  }
}

/** The lines of an excerpt are in the file in this order. */
async function checkExcerpt(code, path) {
  const lines = (await readFile(join(root, path), 'utf8')).split('\n').map((line) => line.trim());
  let at = -1;
  let gap = true; // anything may come before the first line
  for (const line of code.split('\n').map((l) => l.trim()).filter(Boolean)) {
    if (/^(\/\/ )?…$/.test(line)) {
      gap = true;
      continue;
    }
    const next = gap ? lines.indexOf(line, at + 1) : lines.findIndex((other, i) => i > at && other !== '');
    assert.ok(next > at && lines[next] === line, `${path} has no line ${JSON.stringify(line)}${at < 0 ? '' : ` after ${JSON.stringify(lines[at])}`}`);
    at = next;
    gap = false;
  }
}

async function checkGo(name, code) {
  const folder = join(project, name);
  await mkdir(folder);
  await writeFile(join(folder, 'main.go'), code);
  await writeFile(join(folder, 'go.mod'), `module example.com/sample\n\ngo 1.27\n\nrequire github.com/normwasm/normwasm v0.0.0\n\nreplace github.com/normwasm/normwasm => ${root}\n`);
  await cp(join(root, 'go.sum'), join(folder, 'go.sum'));
  const options = { ...limits, cwd: folder, env: environment };
  assert.equal((await run('gofmt', ['-l', '.'], options)).stdout, '', 'gofmt would change this sample');
  const { stdout } = await run('go', ['run', '-mod=mod', '.'], options);
  assert.deepEqual(stdout.split('\n').slice(0, -1), prints(code));
}

test('the README names the versions that the fixtures install', () => {
  assert.ok(readFileSync(join(root, 'README.md'), 'utf8').includes(tried), `README.md does not say: ${tried}`);
});

test('there are samples for JavaScript, Go and the shell', () => {
  for (const language of ['js', 'go', 'sh']) assert.ok(blocks.some((b) => b.language === language && b.mark === ''), language);
});

blocks.forEach(({ name, language, mark, code }, i) => {
  const file = `sample-${i}`;
  const skip = stories.some((other) => code.includes(other)) && !existsSync(storiesFolder) && 'there is no ../shared/data';
  test(name, { skip }, async () => {
    if (/Cross-Origin-\w+-Policy/.test(code)) await checkIsolation(isolating(code));
    if (['text', 'json', 'nginx', 'apache'].includes(language)) {
      if (language === 'json') JSON.parse(code);
      return assert.deepEqual(Object.keys(isolating(code)).length, 2, 'both headers');
    }
    if (/[./]/.test(mark)) return checkExcerpt(code, mark);
    assert.ok(['', 'node', 'browser', 'config'].includes(mark), `${mark} is no mark of a sample; see the head of this test`);
    if (language === 'sh') return code.split('\n').forEach(checkCommand);
    if (language === 'go') return checkGo(file, code);
    if (language === 'html') {
      await writeFile(join(project, `${file}.html`), code);
      const want = prints(code);
      const lines = await visit(`${url}/${file}.html`, async (page, seen) => {
        for (const end = Date.now() + 300_000; seen.length < want.length && Date.now() < end;) await page.waitForTimeout(50);
      });
      return assert.deepEqual(lines, want);
    }
    assert.ok(language === 'js' || language === 'ts', `${language}: this test does not know the language`);
    const script = language === 'ts' ? await types(file, code) : code;
    if (mark === 'config') {
      await writeFile(join(project, `${file}.mjs`), script);
      await run(process.execPath, ['--check', join(project, `${file}.mjs`)], limits);
      return;
    }
    if (mark !== 'browser') await inNode(`${file}.mjs`, script);
    if (mark !== 'node') await inBrowser(`${file}.mjs`, script);
  });
});
