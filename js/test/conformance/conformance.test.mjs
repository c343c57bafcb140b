// The ONNX project's tests in the module, beside onnxruntime-web: 1,942 models of single operators of its newest version, and
// those of Debian's package libonnx-testdata, which are older and have small networks of exporters too. At least 97 % of what passes there
// passes here, and nothing that passes there is wrong here. What is not run here is printed with the reason. Skipped, and said so,
// where the cases are absent.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as ort from 'onnxruntime-web';
import { InferenceSession, Tensor, UnsupportedError, init } from 'normwasm';
import { difference, listCases, readCase } from './cases.mjs';

const roots = {
  "the ONNX project's cases of operators": join(process.env.NORMWASM_DATA ?? join(import.meta.dirname, '../../../../shared/data'), 'conformance/onnx-node'),
  "Debian's libonnx-testdata": '/usr/share/libonnx-testdata/data',
};
/** Cases whose numbers come from another generator, and are no one else's. */
const drawn = /\/test_(bernoulli\w*|training_dropout(_default)?(_mask)?)$/;
/** How many of those that onnxruntime-web passes must pass. */
const share = 0.97;

/** '' when all outputs are right, or what is not. @param {any} engine @param {any} c @param {(value: any) => any} feed */
async function outcome(engine, c, feed, options = {}) {
  const session = await engine.create(c.model, options);
  try {
    const results = await session.run(Object.fromEntries(c.inputs.map(({ name, value }) => [name, feed(value)])));
    return c.outputs.map(({ name, value }) => difference(results[name], value)).find(Boolean) ?? '';
  } finally {
    await session.release();
  }
}

/** @param {any} Class */
const feedTo = (Class) => {
  const feed = (/** @type {any} */ value) => {
    if (value === undefined) return null;
    if (Array.isArray(value)) return value.map(feed);
    if (value.data === undefined) throw new Error(`JavaScript has no array of ${value.type}`);
    return new Class(value.type, value.data, value.dims);
  };
  return feed;
};

for (const [what, root] of Object.entries(roots)) test(`${what}, beside onnxruntime-web`, { skip: !existsSync(root) && `skipped: ${root} is absent` }, async (t) => {
  ort.env.logLevel = 'fatal';
  ort.env.wasm.numThreads = 1;
  const runtime = await init();
  t.after(() => runtime.dispose());
  const count = { cases: 0, here: 0, there: 0, both: 0 };
  /** @type {Map<string, string[]>} */
  const reasons = new Map();
  const wrong = [];
  for (const name of listCases(root)) {
    const c = readCase(root, name);
    count.cases++;
    if (drawn.test(name)) {
      reasons.set('draws numbers', [...(reasons.get('draws numbers') ?? []), name]);
      continue;
    }
    const there = await outcome(ort.InferenceSession, c, feedTo(ort.Tensor), { logSeverityLevel: 4 }).catch((error) => String(error.message ?? error)) === '';
    let here;
    try {
      here = await outcome(InferenceSession, c, feedTo(Tensor));
      if (here !== '') wrong.push(`${name}: ${here}`);
    } catch (error) {
      here = String(error.message ?? error);
      if (there && !(error instanceof UnsupportedError)) wrong.push(`${name}: ${here}`);
      const reason = here.replace(/^graph: the model needs what is not implemented: /, '');
      reasons.set(reason, [...(reasons.get(reason) ?? []), there ? `${name} (passes there)` : name]);
    }
    if (here === '') count.here++;
    if (there) count.there++;
    if (here === '' && there) count.both++;
  }
  t.diagnostic(`${count.cases} cases: ${count.here} pass here, ${count.there} in onnxruntime-web, ${count.both} in both (${(100 * count.both / count.there).toFixed(1)} % of those)`);
  for (const [reason, names] of [...reasons].sort((a, b) => b[1].length - a[1].length)) t.diagnostic(`not run: ${reason.slice(0, 160)}: ${names.join(', ')}`);
  assert.deepEqual(wrong, []);
  assert.ok(count.both >= share * count.there, `${count.both} of ${count.there}`);
});
