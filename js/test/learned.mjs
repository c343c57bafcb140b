// Makers of cases (rows.mjs) for operators on strings and for ai.onnx.ml, what exports of scikit-learn consist of.

/** @typedef {(d: any) => () => any[]} Maker */

const words = ['', 'a', 'b', 'ab', 'A', 'a b', ' b  a ', 'ä', 'Ä', '漢', 'one-two', 'a,b,,c', 'monday', 'Tuesday', 's1'];
const product = (dims) => dims.reduce((a, b) => a * b, 1);
const list = (n, f) => Array.from({ length: n }, (_, i) => f(i));
const floats = (d, n, low = -1, high = 1) => ({ floats: list(n, () => d.between(low, high)) });

/** Operand i of strings. */
const texts = (d, dims, from = words) => ({ type: 'string', dims, data: list(product(dims), () => d.pick(from)) });

/** Operand 0, rows of features. */
const rows = (d, cols, how) => d.tensor(0, d.chance(0.15) ? [cols] : [d.pick([1, 2, 5, 40]), cols], how);
const post = ['NONE', 'SOFTMAX', 'LOGISTIC', 'SOFTMAX_ZERO', 'PROBIT'];

/** Labels of so many classes, in one of two kinds. */
function labels(d, n, ints) {
  d.has(ints);
  d.has('classlabels_strings');
  const strings = d.chance(0.4);
  if (strings) d.give('classlabels_strings', { strings: list(n, (i) => `class ${i}`) });
  else d.give(ints, list(n, (i) => 10 * i - 7));
  d.result = strings ? 'string' : 'int64';
}

/** Attributes of a machine of so many features. Returns how many there are. */
function kernel(d) {
  const how = d.give('kernel_type', d.pick(['LINEAR', 'POLY', 'RBF', 'SIGMOID']));
  d.give('kernel_params', { floats: [d.between(0.1, 0.5), d.between(0, 1), 2] });
  return how;
}

/** Trees of random depth: lists of nodes and what their leaves give. */
function grow(d, trees, features, targets, one) {
  const nodes = { treeids: [], nodeids: [], featureids: [], modes: [], values: [], truenodeids: [], falsenodeids: [] };
  const leaves = { treeids: [], nodeids: [], ids: [], weights: [] };
  const positive = d.chance(0.5);
  for (let tree = 0; tree < trees; tree++) {
    let next = 0;
    const build = (depth) => {
      const id = next++;
      const at = nodes.treeids.length;
      const split = depth > 0 && (depth === 3 || d.chance(0.7));
      nodes.treeids.push(tree);
      nodes.nodeids.push(id);
      nodes.featureids.push(split ? d.int(0, features - 1) : 0);
      nodes.modes.push(split ? d.pick(['BRANCH_LEQ', 'BRANCH_LT', 'BRANCH_GTE', 'BRANCH_GT', 'BRANCH_EQ', 'BRANCH_NEQ']) : 'LEAF');
      nodes.values.push(split ? d.pick([0, 1, -1, d.between(-2, 2)]) : 0);
      nodes.truenodeids.push(0);
      nodes.falsenodeids.push(0);
      if (split) {
        nodes.truenodeids[at] = build(depth - 1);
        nodes.falsenodeids[at] = build(depth - 1);
      } else {
        for (let k = 0; k < targets; k++) {
          if (one ? k !== 0 : targets > 1 && d.chance(0.2) && k > 0) continue;
          leaves.treeids.push(tree);
          leaves.nodeids.push(id);
          leaves.ids.push(k);
          leaves.weights.push(positive ? d.between(0.01, 0.3) : d.between(-1, 1));
        }
      }
      return id;
    };
    build(3);
  }
  return { nodes, leaves };
}

/** @type {Maker} */
const trees = (d) => {
  const classes = d.row.Name === 'TreeEnsembleClassifier';
  const features = d.int(1, 5);
  const targets = classes ? d.int(2, 4) : d.pick([1, 1, 2, 3]);
  const { nodes, leaves } = grow(d, d.int(1, 6), features, targets, classes && targets === 2);
  for (const [name, values] of Object.entries(nodes)) d.give(`nodes_${name}`, name === 'modes' ? { strings: values } : name === 'values' ? { floats: values } : values);
  for (const [name, values] of Object.entries(leaves)) d.give(`${classes ? 'class' : 'target'}_${name}`, name === 'weights' ? { floats: values } : values);
  d.maybe('nodes_missing_value_tracks_true', nodes.treeids.map(() => d.int(0, 1)), undefined, 0.4);
  for (const { Name } of d.row.Attrs) if (/hitrates|_as_tensor/.test(Name)) d.has(Name);
  d.maybe('post_transform', d.pick(classes ? post.slice(0, 4) : ['NONE', 'NONE', 'LOGISTIC', 'SOFTMAX']), 'NONE');
  d.maybe('base_values', floats(d, classes && targets === 2 ? 1 : targets, 0, 0.2), undefined, 0.4);
  if (classes) labels(d, targets, 'classlabels_int64s');
  else {
    d.give('n_targets', targets);
    d.maybe('aggregate_function', d.pick(['SUM', 'AVERAGE', 'MIN', 'MAX']), 'SUM');
  }
  return () => [d.tensor(0, [d.pick([1, 2, 5, 40]), features], (e, type) => (/float/.test(type) ? e.pick([0, 1, NaN, e.between(-2, 2)]) : e.int(-2, 2)))];
};

/** @type {Record<string, Maker>} */
export const learned = {
  StringConcat: (d) => {
    const rank = d.int(0, 3);
    return () => {
      const dims = d.dims(rank);
      return [texts(d, d.narrower(dims)), texts(d, d.narrower(dims))];
    };
  },
  StringSplit: (d) => {
    d.maybe('delimiter', d.pick(['', ' ', '-', ',', 'a', 'ab']), '');
    d.maybe('maxsplit', d.int(0, 3), undefined, 0.4);
    const rank = d.int(1, 2);
    return () => [texts(d, d.dims(rank, false))];
  },
  StringNormalizer: (d) => {
    const ascii = words.filter((w) => /^[\x20-\x7f]*$/.test(w)); // other letters need locales
    d.has('locale');
    d.give('case_change_action', d.pick(['NONE', 'LOWER', 'UPPER']));
    d.give('is_case_sensitive', d.int(0, 1));
    d.maybe('stopwords', { strings: d.pick([['a'], ['monday', 'ab'], ['A', 's1']]) }, undefined);
    return () => [texts(d, [d.int(1, 9)], ascii)];
  },
  RegexFullMatch: (d) => {
    d.give('pattern', d.pick(['a|b', '.*', '[a-z]+', '(a|ab)(b|)', '\\w+-\\w+', '', 'a', '漢|ä', '(?i)a', '\\s*b\\s+a\\s*', 'a$', '^ab']));
    const rank = d.int(0, 3);
    return () => [texts(d, d.dims(rank, false))];
  },
  TfIdfVectorizer: (d) => {
    const strings = d.typeOf(0) === 'string';
    const [low, high] = d.pick([[1, 1], [1, 2], [2, 2], [1, 3]]);
    const pool = [['a', 'b', 'c'], [['a', 'b'], ['b', 'b'], ['c', 'a']], [['a', 'b', 'c'], ['b', 'b', 'b']]].slice(0, high);
    const counts = pool.map((_, i) => pool.slice(0, i).reduce((sum, grams, k) => sum + grams.length * (k + 1), 0));
    const flat = pool.flat(2);
    const grams = pool.reduce((sum, list) => sum + list.length, 0);
    d.give('min_gram_length', low);
    d.give('max_gram_length', high);
    d.give('max_skip_count', d.int(0, 2));
    d.give('mode', d.pick(['TF', 'IDF', 'TFIDF']));
    d.give('ngram_counts', counts);
    d.give('ngram_indexes', list(grams, (i) => i));
    for (const name of ['pool_strings', 'pool_int64s']) d.has(name);
    if (strings) d.give('pool_strings', { strings: flat });
    else d.give('pool_int64s', flat.map((w) => 'abc'.indexOf(w)));
    d.maybe('weights', floats(d, grams, 0.5, 2), undefined, 0.6);
    const rank = d.int(1, 2);
    return () => {
      const dims = d.dims(rank, false);
      return [strings ? texts(d, dims, ['a', 'b', 'c', 'd']) : d.tensor(0, dims, (e) => e.int(0, 3))];
    };
  },

  'com.microsoft.Inverse': (d) => {
    const rank = d.int(2, 4);
    return () => {
      const n = d.int(1, 4);
      const dims = [...d.dims(rank - 2, false), n, n];
      const x = d.tensor(0, dims, (e) => e.between(-0.3, 0.3));
      if (x.type !== 'float16') for (let i = 0; i < x.data.length; i += n * n) for (let k = 0; k < n; k++) x.data[i + k * n + k] += 2;
      else for (let i = 0; i < x.data.length; i += n * n) for (let k = 0; k < n; k++) x.data[i + k * n + k] = 0x4000;
      return [x];
    };
  },
  'com.microsoft.CDist': (d) => {
    d.maybe('metric', d.pick(['euclidean', 'sqeuclidean']), 'sqeuclidean');
    return () => {
      const n = d.int(1, 6);
      return [d.tensor(0, [d.int(1, 6), n]), d.tensor(1, [d.int(1, 6), n])];
    };
  },

  'ai.onnx.ml.Scaler': (d) => {
    const cols = d.int(1, 6);
    const n = d.pick([1, cols]);
    d.give('offset', floats(d, n));
    d.give('scale', floats(d, n, 0.5, 2));
    return () => [rows(d, cols)];
  },
  'ai.onnx.ml.Normalizer': (d) => {
    d.maybe('norm', d.pick(['MAX', 'L1', 'L2']), 'MAX');
    const cols = d.int(1, 6);
    return () => [rows(d, cols)];
  },
  'ai.onnx.ml.Binarizer': (d) => {
    d.maybe('threshold', Float32Array.of(d.pick([0, 0.5, -1])), 0);
    return () => [rows(d, d.int(1, 6))];
  },
  'ai.onnx.ml.Imputer': (d) => {
    const cols = d.int(1, 5);
    const n = d.pick([1, cols]);
    const float = /float/.test(d.typeOf(0));
    for (const name of ['imputed_value_floats', 'imputed_value_int64s', 'replaced_value_float', 'replaced_value_int64']) d.has(name);
    if (float) {
      d.give('imputed_value_floats', floats(d, n));
      d.give('replaced_value_float', Float32Array.of(d.pick([NaN, 0, 1])));
    } else {
      d.give('imputed_value_int64s', list(n, (i) => i + 5));
      d.give('replaced_value_int64', 1);
    }
    return () => [rows(d, cols, (e) => (float ? e.pick([NaN, 0, 1, e.between(-2, 2)]) : e.int(0, 2)))];
  },
  'ai.onnx.ml.OneHotEncoder': (d) => {
    const strings = d.typeOf(0) === 'string';
    for (const name of ['cats_int64s', 'cats_strings']) d.has(name);
    if (strings) d.give('cats_strings', { strings: ['a', 'b', ''] });
    else d.give('cats_int64s', [3, -1, 0, 2]);
    d.give('zeros', 1);
    const rank = d.int(1, 2);
    return () => [strings ? texts(d, d.dims(rank, false)) : d.tensor(0, d.dims(rank, false), (e, type) => (/float/.test(type) ? e.between(-3, 4) : e.int(-2, 4)))];
  },
  'ai.onnx.ml.ArrayFeatureExtractor': (d) => {
    const rank = d.int(1, 3);
    return () => {
      const dims = d.dims(rank, false);
      return [d.typeOf(0) === 'string' ? texts(d, dims) : d.tensor(0, dims), d.tensor(1, [d.int(1, 4)], (e) => e.int(0, dims.at(-1) - 1))];
    };
  },
  'ai.onnx.ml.FeatureVectorizer': (d) => {
    const count = d.int(1, 3);
    const sizes = d.give('inputdimensions', list(count, () => d.int(1, 4)));
    return () => {
      const n = d.int(1, 4);
      return sizes.map((size) => d.tensor(0, [n, size]));
    };
  },
  'ai.onnx.ml.LabelEncoder': (d) => {
    // By lists there are three kinds of keys, and only two at first.
    if (!['string', 'int64', ...d.opset > 1 ? ['float32'] : []].includes(d.typeOf(0))) d.types.X = 'int64';
    const type = d.typeOf(0);
    for (const { Name } of d.row.Attrs) d.has(Name);
    const keys = { string: ['strings', { strings: ['a', 'b', ''] }], int64: ['int64s', [3, 1, 2]], float32: ['floats', { floats: [0.5, NaN, 2] }] };
    const values = { string: { strings: ['x', 'y', 'z'] }, int64: [7, 8, -9], float32: { floats: [1.5, -2, 0.25] } };
    if (d.opset === 1) {
      d.give('classes_strings', { strings: ['a', 'b', 'ab'] });
      d.result = type === 'string' ? 'int64' : 'string';
    } else {
      const to = d.pick(Object.keys(values));
      const [name, list] = keys[type] ?? keys.int64;
      d.give(`keys_${name}`, list);
      d.give(`values_${keys[to][0]}`, values[to]);
      d.give({ string: 'default_string', int64: 'default_int64', float32: 'default_float' }[to], to === 'string' ? 'none' : to === 'int64' ? -3 : Float32Array.of(9));
      d.result = to;
    }
    return () => [type === 'string' ? texts(d, [d.int(1, 9)]) : d.tensor(0, [d.int(1, 9)], (e) => (type === 'float32' ? e.pick([0.5, NaN, 2, 7]) : e.int(0, 4)))];
  },
  'ai.onnx.ml.CategoryMapper': (d) => {
    const strings = d.typeOf(0) === 'string';
    d.give('cats_strings', { strings: ['a', 'b', ''] });
    d.give('cats_int64s', [3, 1, 2]);
    for (const name of ['default_int64', 'default_string']) d.has(name);
    d.result = strings ? 'int64' : 'string';
    return () => [strings ? texts(d, [d.int(1, 9)]) : d.tensor(0, [d.int(1, 9)], (e) => e.int(0, 4))];
  },
  'ai.onnx.ml.ZipMap': (d) => {
    d.has('classlabels_strings');
    d.give('classlabels_int64s', [1, 2, 3]);
    return () => [d.tensor(0, [d.int(1, 4), 3])];
  },
  'ai.onnx.ml.LinearClassifier': (d) => {
    const cols = d.int(1, 6);
    const n = d.pick([1, 2, 3]);
    labels(d, Math.max(n, 2), 'classlabels_ints');
    d.give('coefficients', floats(d, n * cols));
    d.give('intercepts', floats(d, n));
    d.has('multi_class');
    d.maybe('post_transform', d.pick(post.slice(0, 4)), 'NONE');
    return () => [rows(d, cols)];
  },
  'ai.onnx.ml.LinearRegressor': (d) => {
    const cols = d.int(1, 6);
    const n = d.give('targets', d.pick([1, 2, 3]));
    d.give('coefficients', floats(d, n * cols));
    d.maybe('intercepts', floats(d, n), undefined);
    d.maybe('post_transform', d.pick(post.slice(0, 3)), 'NONE');
    return () => [rows(d, cols)];
  },
  'ai.onnx.ml.SVMClassifier': (d) => {
    const [cols, n] = [d.int(1, 4), d.int(2, 4)];
    const pairs = (n * (n - 1)) / 2;
    kernel(d);
    labels(d, n, 'classlabels_ints');
    const linear = d.chance(0.3);
    const per = list(n, () => d.int(1, 3));
    const count = per.reduce((a, b) => a + b, 0);
    for (const name of ['vectors_per_class', 'support_vectors', 'prob_a', 'prob_b']) d.has(name);
    if (!linear) {
      d.give('vectors_per_class', per);
      d.give('support_vectors', floats(d, count * cols));
      if (d.chance(0.5)) {
        d.give('prob_a', floats(d, pairs, -2, -0.5));
        d.give('prob_b', floats(d, pairs, -0.2, 0.2));
      }
    }
    d.give('coefficients', floats(d, linear ? n * cols : (n - 1) * count));
    d.give('rho', floats(d, linear ? 1 : pairs));
    d.maybe('post_transform', d.pick(post.slice(0, 3)), 'NONE', 0.4);
    return () => [rows(d, cols)];
  },
  'ai.onnx.ml.SVMRegressor': (d) => {
    const cols = d.int(1, 4);
    const count = d.give('n_supports', d.int(0, 4));
    kernel(d);
    d.give('coefficients', floats(d, count || cols));
    d.has('support_vectors');
    if (count) d.give('support_vectors', floats(d, count * cols));
    d.give('rho', floats(d, 1));
    d.maybe('one_class', d.int(0, 1), 0, 0.3);
    d.has('post_transform');
    return () => [rows(d, cols)];
  },
  'ai.onnx.ml.TreeEnsembleClassifier': trees, 'ai.onnx.ml.TreeEnsembleRegressor': trees,
  'ai.onnx.ml.TreeEnsemble': (d) => {
    const type = d.typeOf(0) === 'float64' ? 11 : 1;
    const of = (values) => ({ type, dims: [values.length], data: type === 11 ? Float64Array.from(values) : Float32Array.from(values) });
    const features = 3;
    d.give('n_targets', 2);
    d.maybe('aggregate_function', 1, 1);
    d.maybe('post_transform', 0, 0);
    for (const name of ['nodes_hitrates', 'nodes_missing_value_tracks_true']) d.has(name);
    d.give('tree_roots', [0, 3]);
    d.give('nodes_featureids', [0, 1, 2, 1]);
    d.give('nodes_modes', { type: 2, dims: [4], data: Uint8Array.of(0, 6, 3, 1) });
    d.give('nodes_splits', of([0.25, 0, -0.5, 1]));
    d.give('membership_values', of([1, 2, 0, NaN]));
    d.give('nodes_truenodeids', [1, 0, 2, 4]);
    d.give('nodes_trueleafs', [0, 1, 1, 1]);
    d.give('nodes_falsenodeids', [2, 1, 3, 5]);
    d.give('nodes_falseleafs', [0, 1, 1, 1]);
    d.give('leaf_targetids', [0, 1, 0, 1, 0, 1]);
    d.give('leaf_weights', of([1, -2, 0.5, 4, 0.125, 3]));
    return () => [d.tensor(0, [d.pick([1, 2, 5, 40]), features], (e) => e.pick([0, 1, 2, 3, e.between(-2, 2)]))];
  },
};
