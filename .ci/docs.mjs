// Holds the documents to the code: links and paths lead somewhere, targets and tests that are named exist, the changelog
// knows the package's version, and every export has a doc comment. The samples in them are run by js/test/readme.test.mjs.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, normalize } from 'node:path';
import { declarationFiles, problems, readDeclarations } from '../demo/api.mjs';

const root = join(import.meta.dirname, '..');
const read = (path) => readFileSync(join(root, path), 'utf8');
const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root, encoding: 'utf8' }).split('\n').filter((f) => f && existsSync(join(root, f)));
const documents = files.filter((f) => f.endsWith('.md'));
const folders = new Set(files.flatMap((f) => f.split('/').map((_, i, parts) => parts.slice(0, i).join('/'))));
let failed = false;
const complain = (text) => {
  console.error(`docs: ${text}`);
  failed = true;
};

/** A path of the repository, from the document's folder or from the root; * stands for part of a name. */
function isThere(path, folder) {
  if (path === 'wasm_exec.js' || path === 'lib/wasm/wasm_exec.js') return true; // Go's
  return [join(folder, path), path].some((p) => {
    const clean = normalize(p).replace(/\/$/, '');
    if (clean.includes('*')) {
      const pattern = new RegExp(`^${clean.split('*').map((s) => s.replace(/[.+?^${}()|[\]\\]/g, '\\$&')).join('[^/]*')}$`);
      return files.some((f) => pattern.test(path.includes('/') ? f : basename(f)));
    }
    return files.includes(clean) || folders.has(clean);
  });
}

/** The name by which a headline can be linked to. @param {string} headline */
const anchor = (headline) => headline.toLowerCase().replace(/[`*]/g, '').replace(/[^\p{L}\p{N} _-]/gu, '').trim().replace(/ /g, '-');
const anchors = (text) => Array.from(text.replace(/^```[^]*?^```$/gm, '').matchAll(/^#+ (.*)$/gm), (m) => anchor(m[1]));

const targets = new Set(Array.from(read('Makefile').matchAll(/^([\w.\- ]+):(?!=)/gm), (m) => m[1].split(' ')).flat());
const tests = execFileSync('git', ['grep', '-hoE', '^func (Test|Fuzz|Benchmark|Example)\\w+', '--', '*_test.go'], { cwd: root, encoding: 'utf8' });
const testNames = new Set(tests.split('\n').map((line) => line.replace('func ', '')));

const declared = files.filter((f) => /^js\/[^/]*\.d\.ts$/.test(f)).map(read).join('\n');

for (const file of documents) {
  const folder = dirname(file);
  const text = read(file);
  const prose = text.replace(/^```[^]*?^```$/gm, '');
  for (const [, target] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^(https?|mailto):/.test(target)) continue;
    const [path, hash] = target.split('#');
    const to = path === '' ? file : normalize(join(folder, path));
    if (path !== '' && !isThere(path, folder)) complain(`${file} links to ${target}, which is not there`);
    else if (hash && !anchors(read(to)).includes(hash)) complain(`${file} links to ${target}, but ${to} has no such headline`);
  }
  for (const [, code] of prose.replace(/\]\([^)]*\)/g, ']').matchAll(/`([^`\n]+)`/g)) {
    const made = /^(?:make |\.\.\/shared|node_modules|@|https?:|\/)|(^|\/)(dist|bin)(\/|$)/;
    if (/^make [a-z-]+/.test(code)) {
      const [, target] = code.split(' ');
      if (!targets.has(target)) complain(`${file} names \`${code}\`, which the Makefile does not have`);
    } else if (/^[a-z]+[A-Z]\w*$/.test(code) && /^(js\/README|CHANGELOG)/.test(file)) {
      if (!new RegExp(`\\b${code}\\b`).test(declared)) complain(`${file} names \`${code}\`, which no declaration of js/ has`);
    } else if (/^(Test|Fuzz|Benchmark)[A-Z]\w*$/.test(code)) {
      if (!testNames.has(code)) complain(`${file} names the test ${code}, which is not there`);
    } else if (/^\.?[\w*-]+(\/[\w.*-]+)*(\/|\.(go|s|js|mjs|ts|json|html|css|md|mod|sum|yml))$/.test(code) && !made.test(code)) {
      // Names without a folder may be of any folder that the text is about.
      if (!isThere(code, folder) && !(!code.includes('/') && files.some((f) => f.endsWith(`/${code}`)))) complain(`${file} names \`${code}\`, which is not there`);
    }
  }
  // What is not done yet is not documented as if somebody knew.
  const unfinished = /\b(TODO|FIXME|XXX|TBD)\b|lorem ipsum|\/home\/\w+/i.exec(text);
  if (unfinished) complain(`${file} has ${JSON.stringify(unfinished[0])}`);
}

for (const file of files.filter((f) => f.startsWith('.github/workflows/'))) {
  for (const [, target] of read(file).matchAll(/run: (?:.*&& )?make ([\w-]+)/g)) if (!targets.has(target)) complain(`${file} runs make ${target}, which the Makefile does not have`);
}

// The limits that SECURITY.md promises are those of the code.
const security = read('SECURITY.md');
for (const [file, name, promise] of [
  ['nn/onnx/read.go', 'maxDepth', (n) => `nested ${n} deep`],
  ['nn/onnx/read.go', 'maxItems', (n) => `${n.toLocaleString('en')} nodes, attributes and values`],
  ['nn/onnx/tensor.go', 'maxRank', (n) => `${n} dimensions`],
  ['nn/graph/session.go', 'defaultMaxBytes', (n) => `${n / 2 ** 30} GB`],
  ['nn/graph/fold.go', 'foldTotal', (n) => `${n / 2 ** 20} MB and twice`],
  ['nn/onnx/read.go', 'maxGrowth', (n) => `${n / 2 ** 20} MB and`],
  ['nn/onnx/read.go', 'growthFactor', (n) => `and ${n} times the file`],
  ['nn/ir/errors.go', 'maxMissing', (n) => `first ${n} things`],
  ['nn/onnx/limits_test.go', 'maxPerByte', (n) => `${n} bytes for each byte`],
  ['nn/onnx/mutants_test.go', 'maxMessage', (n) => `${n / 1024} KB`],
]) {
  const [, value, shift = '0'] = new RegExp(`\\b${name}\\s+= (\\d+)(?: << (\\d+))?`).exec(read(file)) ?? [];
  const words = promise(Number(value) * 2 ** Number(shift));
  if (value === undefined || !security.includes(words)) complain(`SECURITY.md does not say ${JSON.stringify(words)}, as ${name} of ${file} has it`);
}

const manifest = JSON.parse(read('js/package.json'));
if (!new RegExp(`^## \\[${manifest.version.replaceAll('.', '\\.')}\\]`, 'm').test(read('CHANGELOG.md'))) complain(`CHANGELOG.md has no section for version ${manifest.version}`);

const ts = createRequire(join(root, 'js/package.json'))('typescript');
const modules = declarationFiles(manifest.exports).map(({ specifier, file }) => readDeclarations(ts, read(join('js', file)), specifier));
for (const problem of problems(modules)) complain(problem);

process.exitCode = failed ? 1 : 0;
