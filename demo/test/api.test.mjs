// The API page: everything that is exported is on it, links lead somewhere, and it fits screens and policy.
import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { declarationFiles, problems, readDeclarations, renderPage, writeAPI } from '../api.mjs';
import { finishPages, pages } from '../pages.mjs';
import { serve } from '../serve.mjs';
import { launch } from './browser.mjs';

const js = join(import.meta.dirname, '../../js');
const ts = createRequire(join(js, 'package.json'))('typescript');

/** The site's pages, with the API's, and nothing else. */
let dist = '';
let browser;
let server;
before(async () => {
  dist = await mkdtemp(join(tmpdir(), 'demo-api-'));
  await cp(join(import.meta.dirname, '../src'), dist, { recursive: true });
  await writeAPI({ engine: js, out: dist });
  await finishPages(dist);
  server = await serve({ root: dist });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  server?.close();
  if (dist) await rm(dist, { recursive: true, force: true });
});

const sample = `// A module.
// Of two lines.

// ---- first part ----

/** Doubles \`x\` <really>; see {@link Thing} and {@link Thing.size}.
 *
 *      in    out
 *  @throws {Bad} when x is
 *  no number
 *  @throws {Bad} always */
export function double(x: number /* any */, o?: { a: number; b: 'text'; c: readonly number[]; d: { e: boolean; f: string } }): Thing;
/** A thing. */
export declare class Thing<T = any> {
  private constructor();
  /** How large. */
  readonly size: number; [Symbol.dispose](): void
}
// ---- errors ----
export class Bad extends Error {}
`;

test('declarations are read in order, with comments and without what is private', () => {
  const read = readDeclarations(ts, sample, 'normwasm');
  assert.equal(read.intro, 'A module.\nOf two lines.');
  assert.deepEqual(read.sections.map((s) => [s.title, ...s.entries.map((e) => `${e.kind} ${e.name}`)]), [['first part', 'function double', 'class Thing'], ['errors', 'class Bad']]);
  assert.deepEqual(read.sections[0].entries[1].members.map((m) => [m.name, m.text, m.doc]), [['size', 'readonly size: number;', 'How large.'], ['[Symbol.dispose]', '[Symbol.dispose](): void', '']]);
  assert.deepEqual(problems([read]), ['normwasm: Bad has no doc comment']);
  const lost = readDeclarations(ts, '/** See {@link Gone}.\n * @throws {Lost} */\nexport type A = 1;', 'normwasm');
  assert.deepEqual(problems([lost]), ['normwasm: A refers to Gone, which is not declared', 'normwasm: A refers to Lost, which is not declared']);
});

test('documentation becomes HTML: code, links, columns, errors', () => {
  const html = renderPage(ts, [readDeclarations(ts, sample, 'normwasm')], { template: '<!-- version -->|<!-- body -->', version: '1.2.3' });
  assert.ok(html.startsWith('1.2.3|'));
  for (const part of [
    'Doubles <code>x</code> &lt;really&gt;; see <a href="#Thing"><code>Thing</code></a> and <a href="#Thing.size"><code>Thing.size</code></a>.',
    '<pre>in    out</pre>',
    '<p class="throws"><span>Throws</span> <a href="#Bad"><code>Bad</code></a> when x is no number</p>',
    "<b>double</b>(x: number , o?: {\n  a: number;\n  b: <i>'text'</i>;\n  c: readonly number[];\n  d: {\n    e: boolean;\n    f: string\n  }\n}): <a href=\"#Thing\">Thing</a>",
  ]) assert.ok(html.includes(part), `${part}\n\nis not in\n\n${html}`);
});

test('all that the package exports is on the page, once', async () => {
  const manifest = JSON.parse(await readFile(join(js, 'package.json'), 'utf8'));
  const page = await readFile(join(dist, 'api.html'), 'utf8');
  const files = declarationFiles(manifest.exports);
  assert.ok(files.some((f) => f.specifier === 'normwasm'));
  const program = ts.createProgram(files.map((f) => join(js, f.file)), { module: ts.ModuleKind.NodeNext, lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'], types: [] });
  const main = program.getSourceFile(join(js, files.find((f) => f.specifier === 'normwasm').file));
  const names = program.getTypeChecker().getExportsOfModule(program.getTypeChecker().getSymbolAtLocation(main)).map((symbol) => symbol.name);
  assert.ok(names.length > 40);
  for (const name of names) assert.equal(page.split(`id="${name}"`).length, 2, name);
});

test('the navigation stands on each page of the site and names those that are there', async () => {
  const there = (await readdir(dist)).filter((name) => name.endsWith('.html'));
  const known = pages.filter((p) => there.includes(p.file));
  assert.ok(known.length >= 3);
  for (const { file, name } of known) {
    const html = await readFile(join(dist, file), 'utf8');
    const [nav] = /<nav class="site"[^]*?<\/nav>/.exec(html) ?? assert.fail(`${file} has no navigation`);
    assert.deepEqual(Array.from(nav.matchAll(/<a [^>]*>([^<]*)</g), (m) => m[1]), known.map((p) => p.name), file);
    assert.deepEqual(Array.from(nav.matchAll(/aria-current="page">([^<]*)</g), (m) => m[1]), [name], file);
    assert.doesNotMatch(html, /<!-- (navigation|policy) -->/);
  }
});

test('links between the pages and inside them lead somewhere', async () => {
  const pages = (await readdir(dist)).filter((name) => name.endsWith('.html'));
  assert.ok(pages.length >= 3);
  const text = Object.fromEntries(await Promise.all(pages.map(async (name) => [name, await readFile(join(dist, name), 'utf8')])));
  for (const [name, html] of Object.entries(text)) {
    const ids = Array.from(html.matchAll(/ id="([^"]+)"/g), (m) => m[1]);
    assert.equal(new Set(ids).size, ids.length, `${name}: ${ids.filter((id, i) => ids.indexOf(id) !== i)} is there twice`);
    for (const [, href] of html.matchAll(/<a [^>]*href="([^"]*)"/g)) {
      if (/^https:/.test(href)) continue;
      const [file, hash] = href.split('#');
      const target = text[file === '' ? name : file === './' ? 'index.html' : file] ?? (await readFile(join(dist, file), 'utf8').catch(() => undefined));
      assert.ok(target !== undefined, `${name} links to ${href}`);
      if (hash) assert.ok(target.includes(` id="${hash}"`), `${name} links to ${href}`);
    }
  }
});

for (const width of [375, 1280]) {
  for (const name of ['api.html', 'which.html']) {
    test(`${name}, ${width} pixels wide: nothing is cut off, nothing breaks the policy`, async () => {
      const complaints = [];
      const page = await browser.newPage({ viewport: { width, height: 800 } });
      page.setDefaultTimeout(300_000);
      page.on('console', (message) => complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(String(error)));
      await page.goto(`${server.url}${name}`);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'the page scrolls sideways');
      // Names of the contents are in sight on a wide screen, and after a press on a narrow one.
      if (name === 'api.html') {
        if (width < 1024) await page.getByText('Contents').click();
        await page.locator('.index').getByRole('link', { name: 'layerNorm', exact: true }).click();
        assert.ok(await page.locator('#layerNorm h3').isVisible());
      }
      assert.deepEqual(complaints, []);
      await page.close();
    });
  }
}
