// node run.mjs: mutates ONNX files, has the engine run them natively as they are written and optimized (TestMutants in
// nn/onnx), then the package and onnxruntime-web, and compares. NORMWASM_SEED starts another series, NORMWASM_MUTANTS is how many seconds
// the engine mutates for; onnxruntime-web has twice as long. What differs is kept in nn/onnx/testdata/corpus.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { createRequire } from 'node:module';

const root = resolve(import.meta.dirname, '../../..');
const corpus = join(root, 'nn/onnx/testdata/corpus');
const seed = process.env.NORMWASM_SEED ?? '1';
const seconds = Number(process.env.NORMWASM_MUTANTS ?? 25);
const batch = 40;
const folder = mkdtempSync(join(tmpdir(), 'normwasm-mutants-'));
const results = join(folder, 'results');
let failed = false;

/** Runs a command to its end, or until it has said nothing to `results` for so long. */
function run(command, args, options, quiet = Infinity) {
  return new Promise((done) => {
    const child = spawn(command, args, options);
    let output = '';
    let size = -1;
    const watch = Number.isFinite(quiet) ? setInterval(() => {
      const now = existsSync(results) ? readFileSync(results).length : 0;
      if (now === size) child.kill('SIGKILL');
      size = now;
    }, quiet) : undefined;
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => { output += text; });
    child.on('close', (code) => {
      clearInterval(watch);
      done({ code, output });
    });
  });
}

const hash = (file) => createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, 16);

/** Keeps a file that shows a fault, and says how it becomes a test. */
function found(file, what, play) {
  failed = true;
  const name = join(corpus, `found-${hash(file)}`);
  copyFileSync(file, `${name}.onnx`);
  if (play) writeFileSync(`${name}.json`, `${JSON.stringify(play, undefined, 1)}\n`);
  console.error(`${what}\nkept as ${relative(root, name)}.onnx${play ? ' and .json' : ''}: add ${play ? 'both' : 'it'} to the repository, under a name that says what it shows, and TestCorpus runs it from then on\n`);
}

console.log(`mutants: seed ${seed}; NORMWASM_SEED=${seed} NORMWASM_MUTANTS=${seconds} make test-mutants repeats it`);
const go = await run('go', ['test', './nn/onnx', '-run', '^TestMutants$', '-count=1', '-v', '-timeout', '10m'], {
  cwd: root, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NORMWASM_SEED: seed, NORMWASM_MUTANTS: String(seconds), NORMWASM_MUTANTS_TO: folder },
});
console.log(go.output.split('\n').filter((line) => !/^(=== RUN|PASS|$)/.test(line)).join('\n'));
if (go.code !== 0) {
  failed = true;
  const current = join(folder, 'current');
  if (!/^--- FAIL: TestMutants/m.test(go.output) && existsSync(current)) found(current, 'this mutant ended the process');
}

const count = readdirSync(folder).filter((name) => name.endsWith('.json')).length;
const verdicts = {};
const lines = () => (existsSync(results) ? readFileSync(results, 'utf8').trim().split('\n').filter(Boolean).map((line) => JSON.parse(line)) : []);
const { version } = JSON.parse(readFileSync(join(createRequire(import.meta.url).resolve('onnxruntime-web'), '../../package.json'), 'utf8'));
const end = Date.now() + 2 * seconds * 1000;

/** Has onnxruntime-web run models first … last−1; what follows one that ended its process comes next. */
async function compare(first, last) {
  for (let at = first; at < last;) {
    rmSync(results, { force: true });
    const to = Math.min(at + batch, last);
    await run(process.execPath, [join(import.meta.dirname, 'batch.mjs'), folder, String(at), String(to), results], { stdio: 'ignore' }, 60_000);
    const said = lines();
    for (const { i, verdict, why, outs } of said) {
      if (verdict === 'begun') continue;
      verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
      if (verdict !== 'wasm' && verdict !== 'differs') continue;
      const { What, Feeds, Ops } = JSON.parse(readFileSync(join(folder, `${i}.json`), 'utf8'));
      if (verdict === 'wasm') {
        found(join(folder, `${i}.onnx`), `${What}: in WebAssembly the results are others than in native code: ${why} (${Ops.join(' ')})`);
        continue;
      }
      found(join(folder, `${i}.onnx`), `${What}: onnxruntime-web differs: ${why} (${Ops.join(' ')})`, { What, Source: `onnxruntime-web ${version}`, Feeds, Outs: outs });
    }
    const last_ = said.at(-1);
    if (last_ === undefined) throw new Error('onnxruntime-web does not start');
    if (last_.verdict === 'begun') verdicts.ended = (verdicts.ended ?? 0) + 1;
    at = last_.i + 1;
    if (Date.now() > end) return at - first;
  }
  return last - first;
}

// A difference has to be seen: the first model that ran there, with another number in its results.
let ran = 0;
if (count > 0) {
  ran = await compare(0, count);
  const plain = ({ Type, Data, Error }) => Type === 'float32' && Data.length > 8 && (Error ?? []).every((d) => d < 1);
  const control = Array.from({ length: Math.min(count, ran) }, (_, i) => JSON.parse(readFileSync(join(folder, `${i}.json`), 'utf8')))
    .filter(({ Outs }) => Outs.some(plain));
  let seen = false;
  for (const play of control.slice(0, 20)) {
    const out = play.Outs.find(plain);
    const bytes = Buffer.from(out.Data, 'base64');
    bytes.writeFloatLE(bytes.readFloatLE(0) + 10, 0);
    out.Data = bytes.toString('base64');
    writeFileSync(join(folder, `${count}.json`), JSON.stringify(play));
    rmSync(results, { force: true });
    await run(process.execPath, [join(import.meta.dirname, 'batch.mjs'), folder, String(count), String(count + 1), results], { stdio: 'ignore' }, 60_000);
    if ((seen = lines().some(({ verdict }) => verdict === 'wasm'))) break;
  }
  if (!seen) {
    failed = true;
    console.error('a wrong number in the results was not seen: the comparison says nothing');
  }
}
console.log(`mutants: onnxruntime-web ${version} on ${ran} of ${count}: ${Object.entries(verdicts).map(([what, n]) => `${n} ${what}`).join(', ')}`);
if ((verdicts.same ?? 0) < ran / 2) {
  failed = true;
  console.error('most of them should run there as well');
}
rmSync(folder, { recursive: true, force: true });
process.exit(failed ? 1 : 0);
