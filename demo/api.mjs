// Writes the API pages: every export of the package, as its declaration file (index.d.ts) documents it.
//
// TypeDoc would need an inline script, which the site's policy forbids, and 40 pages; the declarations are read by
// TypeScript's own parser instead, and written in their own order as one page without scripts.

import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** @typedef {import('typescript')} TypeScript */
/** @typedef {import('typescript').Node} Node */
/** @typedef {{ name: string, kind: string, head: string, doc: string, exported: boolean, members: { name: string, text: string, doc: string }[] }} Entry */
/** @typedef {{ title: string, entries: Entry[] }} Section */
/** @typedef {{ specifier: string, intro: string, sections: Section[] }} Module */

const kinds = /** @type {Record<string, string>} */ ({
  FunctionDeclaration: 'function', ClassDeclaration: 'class', InterfaceDeclaration: 'interface', TypeAliasDeclaration: 'type',
  EnumDeclaration: 'enum', ModuleDeclaration: 'namespace',
});

/** The package's modules and their declaration files, as package.json's exports name them. @param {any} exports */
export function declarationFiles(exports) {
  const types = (/** @type {any} */ target) => {
    if (typeof target !== 'object' || target === null) return undefined;
    if (typeof target.types === 'string') return target.types;
    for (const inner of Object.values(target)) {
      const found = types(inner);
      if (found) return found;
    }
    return undefined;
  };
  return Object.entries(exports)
    .map(([path, target]) => ({ specifier: path.replace(/^\./, 'normwasm'), file: types(target) }))
    .filter((m) => m.file !== undefined);
}

/**
 * What a declaration file says.
 * @param {TypeScript} ts
 * @param {string} text
 * @param {string} specifier
 * @returns {Module}
 */
export function readDeclarations(ts, text, specifier) {
  const source = ts.createSourceFile('index.d.ts', text, ts.ScriptTarget.Latest, true);
  /** The comments before a node that stand alone: headlines of sections. @param {Node} node */
  const headline = (node) => {
    const found = text.slice(node.getFullStart(), node.getStart(source, true)).matchAll(/^\/\/ -+ (.*?) -+$/gm);
    return Array.from(found, (m) => m[1]).pop();
  };
  /** @param {Node} node */
  const doc = (node) => {
    const last = ts.getJSDocCommentsAndTags(node).filter((d) => ts.isJSDoc(d)).pop();
    return last === undefined ? '' : plain(last.getFullText(source));
  };
  /** A node's own text, without comments. @param {Node} node @param {number} [end] */
  const code = (node, end = node.end) => uncommented(ts, text.slice(node.getStart(source), end));

  /** @type {Section[]} */
  const sections = [{ title: '', entries: [] }];
  for (const node of source.statements) {
    const kind = ts.isVariableStatement(node) ? 'const' : kinds[ts.SyntaxKind[node.kind]];
    if (kind === undefined) continue; // imports, exports of what is declared here
    const title = headline(node);
    if (title !== undefined) sections.push({ title, entries: [] });
    const named = /** @type {any} */ (node).name ?? /** @type {any} */ (node).declarationList?.declarations[0]?.name;
    const name = named?.getText(source) ?? '';
    const members = /** @type {any} */ (node).members ?? [];
    const body = members.pos;
    /** @type {Entry} */
    const entry = {
      name,
      kind,
      head: body === undefined ? code(node) : code(node, body - 1).trimEnd(),
      doc: doc(node),
      exported: ts.canHaveModifiers(node) && !!ts.getModifiers(node)?.some((m) => m.kind === ts.SyntaxKind.ExportKeyword),
      members: Array.from(members, (/** @type {any} */ m) => ({
        name: m.name?.getText(source) ?? ts.SyntaxKind[m.kind].replace(/Declaration|Signature/, '').toLowerCase(),
        text: code(m),
        doc: doc(m),
      })).filter((m) => !m.text.startsWith('private ')),
    };
    entry.head = entry.head.replace(/^export (declare )?/, '').replace(/;$/, '');
    // What is neither exported nor explained is not meant for readers, such as the name of a default export.
    if (entry.exported || entry.doc !== '') /** @type {Section} */ (sections[sections.length - 1]).entries.push(entry);
  }
  const intro = /^(?:\/\/[^\n]*\n)+/.exec(text)?.[0].replace(/^\/\/ ?/gm, '') ?? '';
  return { specifier, intro: intro.trim(), sections: sections.filter((s) => s.entries.length > 0) };
}

/** A comment's text without its stars. @param {string} comment */
function plain(comment) {
  return comment.replace(/^\s*\/\*\*+ ?/, '').replace(/\s*\*+\/\s*$/, '').replace(/^[ \t]*\* ?/gm, '').replace(/^ /gm, '').trimEnd();
}

/** @param {TypeScript} ts @param {string} text */
function uncommented(ts, text) {
  const scanner = ts.createScanner(ts.ScriptTarget.Latest, false, ts.LanguageVariant.Standard, text);
  let out = '';
  for (let token = scanner.scan(); token !== ts.SyntaxKind.EndOfFileToken; token = scanner.scan()) {
    if (token !== ts.SyntaxKind.SingleLineCommentTrivia && token !== ts.SyntaxKind.MultiLineCommentTrivia) out += scanner.getTokenText();
  }
  return out.replace(/[ \t]+$/gm, '').replace(/\n{2,}/g, '\n').replace(/\n {2,}/g, '\n  ').trim();
}

/** A long declaration with the members of its object types on lines of their own. @param {string} text */
function laidOut(text) {
  const flat = text.replace(/\s+/g, ' ');
  if (flat.length <= 88) return flat;
  let depth = 0;
  return flat.replace(/\{\s*\}|\{\s*|;?\s*\}|;\s*/g, (part) => {
    if (/^\{\s*\}$/.test(part) || (depth === 0 && part.startsWith(';') && !part.endsWith('}'))) return part;
    if (part.startsWith('{')) depth++;
    if (part.endsWith('}')) depth--;
    const line = `\n${'  '.repeat(depth)}`;
    return part.endsWith('}') ? `${line}}` : `${part.trim()}${line}`;
  });
}

const escaped = (/** @type {string} */ s) => s.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');

/** Where names lead to in the text of one module: to its own declarations first. @param {Module[]} modules @param {Module} own */
function anchorsOf(modules, own) {
  /** @type {Map<string, string>} */
  const anchors = new Map();
  for (const m of [own, ...modules]) {
    for (const e of m.sections.flatMap((s) => s.entries)) {
      for (const name of [e.name, ...e.members.map((member) => `${e.name}.${member.name}`)]) {
        if (!anchors.has(name)) anchors.set(name, `${idOf(m, e.name)}${name.slice(e.name.length)}`);
      }
    }
  }
  return anchors;
}

/** The same in the text of one declaration, which may name its own members. @param {Map<string, string>} anchors @param {Entry} e */
function within(anchors, e) {
  const inner = new Map(anchors);
  for (const { name } of e.members) if (!inner.has(name)) inner.set(name, /** @type {string} */ (anchors.get(`${e.name}.${name}`)));
  return inner;
}

/** @param {Module} m @param {string} name */
const idOf = (m, name) => (m.specifier === 'normwasm' ? name : `${m.specifier.slice('normwasm/'.length)}.${name}`);

/** Code with its words marked and linked. @param {TypeScript} ts @param {string} text @param {Map<string, string>} anchors @param {string} [own] */
function colour(ts, text, anchors, own) {
  const scanner = ts.createScanner(ts.ScriptTarget.Latest, false, ts.LanguageVariant.Standard, text);
  let out = '';
  for (let token = scanner.scan(); token !== ts.SyntaxKind.EndOfFileToken; token = scanner.scan()) {
    const word = scanner.getTokenText();
    const anchor = token === ts.SyntaxKind.Identifier && word !== own ? anchors.get(word) : undefined;
    if (anchor !== undefined) out += `<a href="#${anchor}">${word}</a>`;
    else if (word === own) out += `<b>${word}</b>`;
    else if (token === ts.SyntaxKind.StringLiteral) out += `<i>${escaped(word)}</i>`;
    else out += escaped(word);
  }
  return out;
}

/** A line of prose: code and links. @param {string} text @param {Map<string, string>} anchors */
function prose(text, anchors) {
  return text.split(/(`[^`]+`|\{@link [^}]+\})/).map((part) => {
    if (part.startsWith('`')) return `<code>${escaped(part.slice(1, -1))}</code>`;
    const link = /^\{@link (\S+)( [^}]*)?\}$/.exec(part);
    if (link === null) return escaped(part);
    const anchor = anchors.get(link[1]);
    if (anchor === undefined) return `<code>${link[1]}</code>`;
    return `<a href="#${anchor}"><code>${link[2]?.trim() || link[1]}</code></a>`;
  }).join('');
}

/** A doc comment. Indented lines and lines set in columns stay as they are. @param {string} doc @param {Map<string, string>} anchors */
function documentation(doc, anchors) {
  /** @type {string[]} */
  const out = [];
  /** @type {{ kind: string, lines: string[] } | undefined} */
  let open;
  const close = () => {
    if (open === undefined) return;
    const { kind, lines } = open;
    open = undefined;
    if (kind === 'columns') {
      const indent = Math.min(...lines.map((l) => /^ */.exec(l)?.[0].length ?? 0));
      out.push(`<pre>${escaped(lines.map((l) => l.slice(indent)).join('\n'))}</pre>`);
    } else if (kind === 'throws') {
      const [, error, text] = /^\{(\w+)\} ?([^]*)$/.exec(lines.join(' ')) ?? ['', '', lines.join(' ')];
      const anchor = anchors.get(error);
      out.push(`<p class="throws"><span>Throws</span> ${anchor ? `<a href="#${anchor}"><code>${error}</code></a>` : `<code>${error}</code>`} ${prose(text, anchors)}</p>`);
    } else out.push(`<p>${prose(lines.join(' '), anchors)}</p>`);
  };
  for (const line of doc.split('\n')) {
    const columns = /^ {3,}\S/.test(line) || /\S {2,}\S/.test(line);
    const tag = /^@(\w+) ?(.*)$/.exec(line);
    if (tag) {
      close();
      open = tag[1] === 'throws' ? { kind: 'throws', lines: [tag[2]] } : { kind: 'prose', lines: [`${capital(tag[1])}: ${tag[2]}`] };
    } else if (line.trim() === '') {
      close();
    } else if (open === undefined || (open.kind !== 'throws' && (open.kind === 'columns') !== columns)) {
      close();
      open = { kind: columns ? 'columns' : 'prose', lines: [columns ? line : line.trim()] };
    } else {
      open.lines.push(open.kind === 'columns' ? line : line.trim());
    }
  }
  close();
  return out.join('\n');
}

/** @param {TypeScript} ts @param {Module} m @param {Entry} e @param {Map<string, string>} anchors */
function renderEntry(ts, m, e, anchors) {
  const inner = within(anchors, e);
  const id = idOf(m, e.name);
  /** Overloads share an anchor: the first has it. @type {Set<string>} */
  const seen = new Set();
  const members = e.members.map((member) => {
    const named = /^\w+$/.test(member.name);
    const anchor = named && !seen.has(member.name) ? ` id="${id}.${member.name}"` : '';
    seen.add(member.name);
    const text = `<code${anchor}>${colour(ts, laidOut(member.text), anchors, named ? member.name : undefined)}</code>`;
    return `<li><p>${text}</p>${member.doc ? `<div>${documentation(member.doc, inner)}</div>` : ''}</li>`;
  });
  return `<article id="${id}">
<h3><a href="#${id}">${e.name}</a> <small>${e.kind}${e.exported ? '' : ', not exported'}</small></h3>
<pre class="signature"><code>${colour(ts, laidOut(e.head), anchors, e.name)}</code></pre>
${documentation(e.doc, inner)}
${members.length > 0 ? `<ul class="members">${members.join('\n')}</ul>` : ''}
</article>`;
}

const slug = (/** @type {string} */ s) => s.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '');
const capital = (/** @type {string} */ s) => s[0].toUpperCase() + s.slice(1);

/**
 * What is wrong with the documentation: exports without any, and links to what is not declared.
 * @param {Module[]} modules
 */
export function problems(modules) {
  return modules.flatMap((m) => {
    const anchors = anchorsOf(modules, m);
    const entries = m.sections.flatMap((s) => s.entries);
    const documented = new Set(entries.filter((e) => e.doc !== '').map((e) => e.name)); // one comment may be for all overloads
    return entries.flatMap((e) => {
      const known = within(anchors, e);
      const named = [e.doc, ...e.members.map((member) => member.doc)].flatMap((doc) => Array.from(doc.matchAll(/\{@link ([^\s}]+)|@throws \{(\w+)\}/g), (found) => found[1] ?? found[2]));
      return [
        ...(e.exported && !documented.has(e.name) ? ['has no doc comment'] : []),
        ...named.filter((name) => !known.has(name)).map((name) => `refers to ${name}, which is not declared`),
      ].map((problem) => `${m.specifier}: ${e.name} ${problem}`);
    });
  });
}

/**
 * The page's HTML.
 * @param {TypeScript} ts
 * @param {Module[]} modules
 * @param {{ template: string, version: string }} options
 */
export function renderPage(ts, modules, { template, version }) {
  const seen = new Set();
  const parts = modules.map((m) => {
    const anchors = anchorsOf(modules, m);
    const sections = m.sections.map((s, i) => {
      const id = `${slug(m.specifier)}-${slug(s.title) || i}`;
      // Overloads of a function share their anchor.
      const entries = s.entries.map((e) => {
        const html = renderEntry(ts, m, e, anchors);
        if (!seen.has(idOf(m, e.name))) return seen.add(idOf(m, e.name)), html;
        return html.replace(/<article id="[^"]*"/, '<article');
      });
      const names = [...new Set(s.entries.map((e) => e.name))];
      return {
        index: `<li>${s.title ? `<a href="#${id}">${escaped(capital(s.title))}</a>` : ''}<ul>${names.map((n) => `<li><a href="#${idOf(m, n)}">${n}</a></li>`).join('')}</ul></li>`,
        body: `<section class="card" id="${id}">${s.title ? `<h2>${escaped(capital(s.title))}</h2>` : `<h2>${m.specifier}</h2>`}\n${entries.join('\n')}\n</section>`,
      };
    });
    const intro = m.intro && m.specifier !== 'normwasm' ? `<p>${prose(escaped(m.intro).replace(/\n+/g, ' '), anchors)}</p>` : '';
    return {
      index: `<h2><code>${m.specifier}</code></h2><ul>${sections.map((s) => s.index).join('')}</ul>`,
      body: `${modules.length > 1 ? `<h2 class="module"><code>${m.specifier}</code></h2>${intro}` : ''}${sections.map((s) => s.body).join('\n')}`,
    };
  });
  const slots = /** @type {Record<string, string>} */ ({ version, index: parts.map((p) => p.index).join('\n'), body: parts.map((p) => p.body).join('\n') });
  return template.replace(/<!-- (version|index|body) -->/g, (_, name) => slots[name]);
}

/**
 * Fills the template OUT/api.html.
 * @param {{ engine: string, out: string }} options engine: the package's folder
 */
export async function writeAPI({ engine, out }) {
  const manifest = JSON.parse(await readFile(join(engine, 'package.json'), 'utf8'));
  /** @type {TypeScript} */
  let ts;
  try {
    ts = createRequire(new URL('../js/package.json', import.meta.url))('typescript');
  } catch {
    throw new Error('js/node_modules/typescript is missing. Run `npm ci` in js/ first.');
  }
  const modules = await Promise.all(declarationFiles(manifest.exports).map(async ({ specifier, file }) => (
    readDeclarations(ts, await readFile(join(engine, file), 'utf8'), specifier))));
  const page = join(out, 'api.html');
  const template = await readFile(page, 'utf8');
  await writeFile(page, renderPage(ts, modules, { template, version: manifest.version }));
}
