// Pipelines of scikit-learn as skl2onnx writes them, beside onnxruntime-web: features of numbers and of words, a linear model, trees.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { InferenceSession, Tensor, init } from 'normwasm';
import { Draw, distance, model } from './data.mjs';

let runtime;
let ort;
before(async () => {
  runtime = await init();
  ort = await import('onnxruntime-web');
  ort.env.wasm.numThreads = 1;
});
after(() => runtime.dispose());

const ml = 'ai.onnx.ml';
const node = (op, inputs, outputs, attributes) => ({ op, domain: op === 'Concat' || op === 'Cast' ? '' : ml, inputs, outputs, attributes });

/** Missing numbers filled in, scaled, a logistic regression of two or three classes; with maps at the end, which onnxruntime-web cannot give out. */
function linear(d, classes, maps) {
  const [cols, n] = [4, classes === 2 ? 1 : classes];
  const floats = (count, low = -1, high = 1) => ({ floats: Array.from({ length: count }, () => d.between(low, high)) });
  const names = { strings: Array.from({ length: classes }, (_, i) => `kind ${i}`) };
  return model({
    domains: { [ml]: 1 },
    nodes: [
      node('Imputer', ['x'], ['filled'], { imputed_value_floats: floats(cols), replaced_value_float: Float32Array.of(NaN) }),
      node('Scaler', ['filled'], ['scaled'], { offset: floats(cols), scale: floats(cols, 0.5, 2) }),
      node('LinearClassifier', ['scaled'], ['label', 'scores'], { coefficients: floats(n * cols), intercepts: floats(n), classlabels_strings: names, multi_class: 0, post_transform: classes === 2 ? 'LOGISTIC' : 'SOFTMAX' }),
      node('Normalizer', ['scores'], ['probabilities'], { norm: 'L1' }),
      ...maps ? [node('ZipMap', ['probabilities'], ['maps'], { classlabels_strings: names })] : [],
    ],
    inputs: [['x', 1, ['rows', cols]]],
    outputs: [['label', 8, ['rows']], maps ? ['maps', { sequence: { map: [8, 1] } }] : ['probabilities', 1, ['rows', classes]]],
  });
}

/** Words as ones of categories beside numbers, and boosted trees. */
function boosted(d) {
  const lists = { treeids: [], nodeids: [], featureids: [], values: [], modes: [], truenodeids: [], falsenodeids: [] };
  const leaves = { treeids: [], nodeids: [], ids: [], weights: [] };
  for (let tree = 0; tree < 30; tree++) {
    for (let id = 0; id < 15; id++) {
      const leaf = id >= 7;
      const put = { treeids: tree, nodeids: id, featureids: leaf ? 0 : d.int(0, 4), values: leaf ? 0 : d.between(-1, 1), modes: leaf ? 'LEAF' : 'BRANCH_LEQ', truenodeids: leaf ? 0 : 2 * id + 1, falsenodeids: leaf ? 0 : 2 * id + 2 };
      for (const [name, v] of Object.entries(put)) lists[name].push(v);
      if (!leaf) continue;
      leaves.treeids.push(tree);
      leaves.nodeids.push(id);
      leaves.ids.push(tree % 3);
      leaves.weights.push(d.between(-0.3, 0.3));
    }
  }
  const attributes = { classlabels_int64s: [10, 20, 30], post_transform: 'SOFTMAX', base_values: { floats: [0.1, -0.2, 0] } };
  for (const [name, v] of Object.entries(lists)) attributes[`nodes_${name}`] = name === 'values' ? { floats: v } : name === 'modes' ? { strings: v } : v;
  for (const [name, v] of Object.entries(leaves)) attributes[`class_${name}`] = name === 'weights' ? { floats: v } : v;
  return model({
    domains: { [ml]: 3 },
    nodes: [
      node('OneHotEncoder', ['word'], ['ones'], { cats_strings: { strings: ['red', 'green', 'blue'] }, zeros: 1 }),
      node('FeatureVectorizer', ['x', 'ones'], ['features'], { inputdimensions: [2, 3] }),
      node('TreeEnsembleClassifier', ['features'], ['label', 'probabilities'], attributes),
    ],
    inputs: [['x', 1, ['rows', 2]], ['word', 8, ['rows']]],
    outputs: [['label', 7, ['rows']], ['probabilities', 1, ['rows', 3]]],
  });
}

const plain = ({ type, dims, data }) => ({ type, dims: [...dims], data: [...data] });

for (const options of [{}, { worker: true }]) {
  test(`pipelines give what onnxruntime-web gives, with ${JSON.stringify(options)}`, async () => {
    for (const classes of [2, 3]) {
      const [ours, theirs] = [new Draw(classes), new Draw(classes)];
      const mapped = await InferenceSession.create(linear(ours, classes, true), options);
      const session = await ort.InferenceSession.create(linear(theirs, classes, false));
      for (const rows of [1, 7, 50]) {
        const x = ours.normals(4 * rows, 0, 1).map((v) => (ours.chance(0.1) ? NaN : v));
        const got = await mapped.run({ x: new Tensor('float32', x, [rows, 4]) });
        const want = await session.run({ x: new ort.Tensor('float32', x, [rows, 4]) });
        assert.deepEqual(plain(got.label), plain(want.label));
        assert.deepEqual([got.maps.type, ...got.maps.dims], ['float32', rows, classes]);
        assert.ok(distance(got.maps.data, want.probabilities.data) < 1e-6);
      }
      await mapped.release();
      await session.release();
    }
    const bytes = boosted(new Draw(9));
    const d = new Draw(10);
    const session = await InferenceSession.create(bytes, options);
    const other = await ort.InferenceSession.create(bytes.slice());
    for (const rows of [1, 64]) {
      const x = d.normals(2 * rows, 0, 1);
      const word = Array.from({ length: rows }, () => d.pick(['red', 'green', 'blue', 'other']));
      const got = await session.run({ x: new Tensor('float32', x, [rows, 2]), word: new Tensor('string', word, [rows]) });
      const want = await other.run({ x: new ort.Tensor('float32', x, [rows, 2]), word: new ort.Tensor('string', word, [rows]) });
      assert.deepEqual(plain(got.label), plain(want.label));
      assert.ok(distance(got.probabilities.data, want.probabilities.data) < 1e-6);
    }
    await session.release();
    await other.release();
  });
}
