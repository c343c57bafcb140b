// Makers of cases (rows.mjs) for attention and what else other optimizers write, which takes operands that depend on one another.

/** @typedef {(d: any) => () => any[]} Maker */

/** So small that scores, sums of products, keep their digits in the exponent. */
const mild = (d) => d.between(-0.9, 0.9);

/** Float attributes of attention: a scale, mostly, and a bound on scores. */
function scores(d) {
  d.maybe('scale', Float32Array.of(d.between(0.2, 0.8)));
  if (d.row.Attrs.some(({ Name }) => Name === 'softcap')) d.maybe('softcap', Float32Array.of(d.between(0.5, 3)), 0, 0.3);
}

/** Dimensions that are repeated to some along the first ones. */
const repeated = (d, dims, keep) => dims.map((n, i) => (i < dims.length - keep && d.chance(0.4) ? 1 : n));

/** @type {Maker} */
const onnxAttention = (d) => {
  const flat = d.chance(0.5);
  const [kv, group] = [d.int(1, 2), d.pick([1, 1, 2, 3])];
  for (const name of ['q_num_heads', 'kv_num_heads']) d.has(name);
  if (flat) {
    d.give('q_num_heads', kv * group);
    d.give('kv_num_heads', kv);
  }
  scores(d);
  d.maybe('is_causal', d.int(0, 1), 0);
  d.maybe('softmax_precision', 1, 1, 0.3);
  const past = d.chance(0.4);
  const mask = d.pick([0, 2, 3, 4]);
  d.outs = [true, past, past, d.chance(0.3)];
  d.has('qk_matmul_output_mode');
  if (d.outs[3]) d.maybe('qk_matmul_output_mode', d.int(0, 3), 0);
  const counts = d.opset >= 24 && !past && d.chance(0.3);
  return () => {
    const [batch, queries, keys, depth, width] = [d.int(1, 2), d.pick([1, 2, 5, 33]), d.pick([1, 3, 7, 40]), d.pick([1, 4, 8, 20]), d.pick([1, 4, 8, 11])];
    const rows = past ? d.pick([1, 2, 9]) : 0;
    const of = (heads, n, size) => (flat ? [batch, n, heads * size] : [batch, heads, n, size]);
    const lead = [batch, kv * group, queries, keys + rows].slice(4 - mask);
    return [d.tensor(0, of(kv * group, queries, depth), mild), d.tensor(1, of(kv, keys, depth), mild), d.tensor(2, of(kv, keys, width)),
      mask ? d.tensor(3, repeated(d, lead, 2), d.typeOf(3) === 'bool' ? () => Number(d.chance(0.8)) : mild) : undefined,
      ...past ? [d.tensor(4, [batch, kv, rows, depth], mild), d.tensor(5, [batch, kv, rows, width])] : counts ? [undefined, undefined, d.tensor(6, [batch], () => d.int(Math.min(queries, keys), keys))] : []];
  };
};

/** @type {Maker} */
const groupQuery = (d) => {
  const kv = d.give('kv_num_heads', d.int(1, 2));
  const heads = d.give('num_heads', kv * d.pick([1, 2, 4]));
  scores(d);
  const rotary = d.maybe('do_rotary', d.int(0, 1), 0);
  d.maybe('rotary_interleaved', d.int(0, 1), 0);
  d.maybe('local_window_size', d.pick([-1, 2, 5]), -1);
  d.maybe('smooth_softmax', d.int(0, 1), 0, 0.3);
  for (const name of ['qk_output', 'k_quant_type', 'v_quant_type', 'kv_cache_bit_width']) d.has(name);
  const filled = d.chance(0.5);
  const [packed, prompt, bias] = [d.chance(0.3), d.chance(0.4), d.chance(0.3)];
  d.outs = [true, true, true];
  return () => {
    const [batch, depth] = [d.int(1, 2), d.pick([8, 16])];
    const queries = prompt ? d.pick([2, 5, 35]) : 1;
    const lengths = Array.from({ length: batch }, () => (prompt ? queries : d.int(2, 12)));
    const total = Math.max(...lengths);
    const rows = filled ? total + d.int(1, 9) : total - queries;
    const of = (i, n) => d.tensor(i, [batch, queries, n * depth], mild);
    const table = () => d.tensor(7, [60, depth / 2], mild);
    const past = prompt && rows === 0;
    return [...packed ? [of(0, heads + 2 * kv), undefined, undefined] : [of(0, heads), of(1, kv), of(2, kv)],
      ...past ? [undefined, undefined] : [d.tensor(3, [batch, kv, rows, depth], mild), d.tensor(4, [batch, kv, rows, depth], mild)],
      { ...d.list(5, lengths.map((n) => n - 1), [batch, 1]), host: false }, d.list(6, [total], []), ...rotary || bias ? [rotary ? table() : undefined, rotary ? table() : undefined] : [],
      ...bias ? [undefined, d.tensor(10, repeated(d, [batch, heads, queries, total], 2), mild)] : []];
  };
};

/** A mask of integers for so many keys. */
const keyMask = (d, i, batch, queries, keys) => {
  const how = d.pick([1, 2, 3]);
  if (how === 1) return d.tensor(i, [batch], () => d.int(1, keys));
  return d.tensor(i, how === 2 ? [batch, keys] : [batch, queries, keys], () => Number(d.chance(0.8)));
};

/** @type {Maker} */
const multiHead = (d) => {
  const heads = d.give('num_heads', d.pick([1, 2, 4]));
  scores(d);
  d.maybe('unidirectional', d.int(0, 1), 0, 0.4);
  d.maybe('mask_filter_value', Float32Array.of(-1e4), -1e4, 0.3);
  const how = d.pick(['apart', 'apart', 'apart', 'planar', 'pair', 'all']);
  const [bias, mask, more] = [d.chance(0.4) && (how === 'apart' || how === 'all'), d.chance(0.3), d.chance(0.3)];
  const past = how === 'apart' && d.chance(0.4);
  d.outs = [true, past, past, false];
  return () => {
    const [batch, queries, depth] = [d.int(1, 2), d.pick([1, 2, 5, 33]), d.pick([4, 8, 20])];
    const keys = past || how === 'all' || d.attributes.unidirectional ? queries : d.pick([1, 3, 7, 40]);
    const width = how === 'apart' && !past && d.chance(0.3) ? d.pick([4, 12]) : depth;
    const rows = past ? d.pick([1, 2, 9]) : 0;
    const all = keys + rows;
    return [
      ...how === 'all' ? [d.tensor(0, [batch, queries, heads, 3, depth], mild), undefined, undefined]
        : [d.tensor(0, [batch, queries, heads * depth], mild), ...how === 'pair' ? [d.tensor(1, [batch, keys, heads, 2, depth], mild), undefined]
          : how === 'planar' ? [d.tensor(1, [batch, heads, keys, depth], mild), d.tensor(2, [batch, heads, keys, width])]
            : [d.tensor(1, [batch, keys, heads * depth], mild), d.tensor(2, [batch, keys, heads * width])]],
      bias ? d.tensor(3, [heads * (2 * depth + width)], mild) : undefined, mask ? keyMask(d, 4, batch, queries, all) : undefined,
      more ? d.tensor(5, repeated(d, [batch, heads, queries, all], 2), mild) : undefined,
      ...past ? [d.tensor(6, [batch, heads, rows, depth], mild), d.tensor(7, [batch, heads, rows, width])] : [],
    ];
  };
};

/** @type {Maker} */
const projectedAttention = (d) => {
  const heads = d.give('num_heads', d.pick([1, 2, 4]));
  scores(d);
  d.maybe('unidirectional', d.int(0, 1), 0, 0.4);
  d.maybe('mask_filter_value', Float32Array.of(-1e4), -1e4, 0.3);
  for (const name of ['past_present_share_buffer', 'do_rotary', 'rotary_embedding_dim', 'qkv_hidden_sizes']) d.has(name);
  const [bias, mask, more, past] = [d.chance(0.7), d.chance(0.4), d.chance(0.3), d.chance(0.3)];
  const [depth, width] = [d.pick([4, 8]), d.pick([4, 8])];
  const sized = !past && d.chance(0.4);
  if (sized) d.give('qkv_hidden_sizes', [heads * depth, heads * depth, heads * width]);
  d.outs = [true, past];
  return () => {
    const [batch, queries, n] = [d.int(1, 2), d.pick([1, 2, 5, 33]), d.pick([3, 8, 17])];
    const rows = past ? d.pick([1, 2, 9]) : 0;
    const columns = heads * (2 * depth + (sized ? width : depth));
    return [d.tensor(0, [batch, queries, n], mild), d.tensor(1, [n, columns], mild), bias ? d.tensor(2, [columns], mild) : undefined,
      mask ? keyMask(d, 3, batch, queries, queries + rows) : undefined, past ? d.tensor(4, [2, batch, heads, rows, depth], mild) : undefined,
      ...more ? [d.tensor(5, repeated(d, [batch, heads, queries, queries + rows], 2), mild)] : []];
  };
};

/** @type {Maker} */
const rotary = (d) => {
  const ours = !d.row.Domain;
  const flat = d.chance(0.5);
  const heads = d.int(1, 3);
  const part = d.chance(0.3);
  for (const name of ['num_heads', 'rotary_embedding_dim', ...ours ? [] : ['scale', 'is_packed_batching']]) d.has(name);
  if (flat || part) d.give('num_heads', heads);
  const depth = d.pick([8, 16]);
  const turned = part ? depth / 2 : depth;
  if (part) d.give('rotary_embedding_dim', turned);
  const [table, ids] = ours ? [1, 3] : [2, 1];
  const given = !ours || d.chance(0.6);
  const first = !ours && d.chance(0.4);
  return () => {
    const [batch, count] = [d.int(1, 2), d.pick([1, 2, 7])];
    const list = [];
    list[0] = d.tensor(0, flat ? [batch, count, heads * depth] : [batch, heads, count, depth]);
    for (const i of [table, table + 1]) list[i] = d.tensor(i, given ? [12, turned / 2] : [batch, count, turned / 2], mild);
    if (given) list[ids] = d.tensor(ids, first ? [1] : [batch, count], () => (first ? d.int(0, 12 - count) : d.int(0, 11)));
    return list;
  };
};

/** A sum of x and skip, normalized. @type {Maker} */
const skipNorm = (d) => {
  const simple = d.row.Name.includes('Simplified');
  const [beta, bias, whole] = [d.chance(0.6), d.chance(0.5), d.chance(0.7)];
  d.maybe('epsilon', Float32Array.of(d.pick([1e-12, 1e-5, 1e-3])));
  d.outs = [true, false, false, d.chance(0.5)];
  return () => {
    const dims = d.dims(3, false);
    const n = dims[2];
    const skip = whole ? dims : d.pick([dims.slice(1), [1, ...dims.slice(1)]]);
    return [d.tensor(0, dims), d.tensor(1, skip), d.tensor(2, [n]), ...simple ? [] : [beta ? d.tensor(3, [n]) : undefined], bias ? d.tensor(simple ? 3 : 4, [n]) : undefined];
  };
};

/** @type {Maker} */
const simplified = (d) => {
  const rank = d.int(1, 4);
  const axis = d.axis('axis', rank, -1, 1);
  d.maybe('stash_type', 1);
  d.outs = [true, false];
  return () => {
    const dims = d.dims(rank, false);
    return [d.tensor(0, dims), d.tensor(1, dims.slice(axis))];
  };
};

/** @type {Maker} */
const embedNorm = (d) => {
  const [segments, mask, positions] = [d.chance(0.6), d.chance(0.5), d.chance(0.3)];
  d.maybe('epsilon', Float32Array.of(d.pick([1e-12, 1e-5, 1e-3])));
  d.has('mask_index_type');
  d.outs = [true, true, d.chance(0.5)];
  return () => {
    const [batch, count, n] = [d.int(1, 3), d.int(1, 7), d.pick([1, 4, 9, 33])];
    const of = (i, most) => d.tensor(i, [batch, count], () => d.int(0, most - 1));
    const known = (i, dims) => ({ ...d.tensor(i, dims), constant: true }); // onnxruntime wants to know their sizes
    return [of(0, 11), segments ? of(1, 2) : undefined, known(2, [11, n]), known(3, [9, n]), segments ? known(4, [2, n]) : undefined, known(5, [n]), known(6, [n]),
      mask ? of(7, 2) : undefined, positions ? of(8, 9) : undefined];
  };
};

// Operands of 8 bits with a scale and a zero point.
const octet = (d, type) => (type === 'int8' ? d.int(-128, 127) : d.int(0, 255));
const small = (d) => d.between(0.003, 0.01);
/** onnxruntime takes no other floats beside them. */
const floatsOf32 = (d) => {
  for (const key of Object.keys(d.types)) if (/float16/.test(d.types[key])) d.types[key] = 'float32';
};

/** @type {Maker} */
const quantizedAttention = (d) => {
  floatsOf32(d);
  const heads = d.give('num_heads', d.pick([1, 2, 4]));
  d.maybe('unidirectional', d.int(0, 1), 0, 0.4);
  for (const name of ['past_present_share_buffer', 'do_rotary', 'mask_filter_value']) d.has(name);
  const [mask, past, columns, zeros] = [d.chance(0.4), d.chance(0.4), d.chance(0.4), d.chance(0.7)];
  if (d.types.T === 'int8') d.types.U = 'int8'; // of others there is no kernel
  d.outs = [true, past];
  return () => {
    const [batch, queries, n, depth] = [d.int(1, 2), d.pick([1, 2, 5, 33]), d.pick([3, 8, 17]), d.pick([4, 8])];
    const [rows, all] = [past ? d.pick([1, 2, 9]) : 0, 3 * heads * depth];
    const own = columns ? [all] : [];
    const zero = octet(d, d.typeOf(1));
    return [d.tensor(0, [batch, queries, n], octet), d.tensor(1, [n, all], octet), d.tensor(2, [all], mild), d.tensor(3, [], small), d.tensor(4, own, small),
      mask ? keyMask(d, 5, batch, queries, queries + rows) : undefined, zeros || past ? d.tensor(6, [], octet) : undefined, zeros || past ? d.tensor(7, own, () => zero) : undefined,
      ...past ? [d.tensor(8, [2, batch, heads, rows, depth], mild)] : []];
  };
};

/** @type {Maker} */
const quantizedLSTM = (d) => {
  floatsOf32(d);
  const directions = d.maybe('direction', d.pick(['forward', 'reverse', 'bidirectional']), 'forward') === 'bidirectional' ? 2 : 1;
  const hidden = d.give('hidden_size', d.pick([2, 5, 8]));
  for (const name of ['activations', 'activation_alpha', 'activation_beta', 'clip', 'input_forget']) d.has(name);
  const [bias, state, columns] = [d.chance(0.7), d.chance(0.5), d.chance(0.5)];
  d.outs = [true, true, true];
  const of = (i, dims, draw) => ({ ...d.tensor(i, dims, draw), constant: true });
  return () => {
    const [steps, batch, size] = [d.int(1, 4), d.int(1, 3), d.int(1, 9)];
    const own = columns ? [directions, 4 * hidden] : [directions];
    const zero = d.typeOf(1) === 'int8' ? 0 : 128;
    const states = [directions, batch, hidden];
    return [d.tensor(0, [steps, batch, size], mild), of(1, [directions, size, 4 * hidden], octet), of(2, [directions, hidden, 4 * hidden], octet), bias ? d.tensor(3, [directions, 8 * hidden], mild) : undefined,
      undefined, state ? d.tensor(5, states, mild) : undefined, state ? d.tensor(6, states, mild) : undefined, undefined, of(8, own, small), of(9, own, () => zero), of(10, own, small), of(11, own, () => zero)];
  };
};

/** @type {Maker} */
const quantizedEmbedding = (d) => {
  floatsOf32(d);
  const [segments, mask] = [d.chance(0.6), d.chance(0.5)];
  d.maybe('epsilon', Float32Array.of(d.pick([1e-12, 1e-5, 1e-3])));
  d.outs = [true, true];
  return () => {
    const [batch, count, n] = [d.int(1, 3), d.int(1, 7), d.pick([4, 9, 33])];
    const of = (i, most) => d.tensor(i, [batch, count], () => d.int(0, most - 1));
    const known = (i, dims, draw = octet) => ({ ...d.tensor(i, dims, draw), constant: true });
    const list = [of(0, 11), segments ? of(1, 2) : undefined, known(2, [11, n]), known(3, [9, n]), segments ? known(4, [2, n]) : undefined, known(5, [n]), known(6, [n]), mask ? of(7, 2) : undefined];
    for (const i of [8, 9, 10, 11, 12]) list[i] = i === 10 && !segments ? undefined : known(i, [], small);
    for (const i of [13, 14, 15, 16, 17]) list[i] = i === 15 && !segments ? undefined : known(i, []);
    return list;
  };
};

/** x and a bias for its last axis. @type {Maker} */
const biased = (d) => {
  const rank = d.int(1, 4);
  const bias = !d.row.In[1].Opt || d.chance(0.6);
  return () => {
    const dims = d.dims(rank, false);
    return [d.tensor(0, dims), bias ? d.tensor(1, dims.slice(-1)) : undefined];
  };
};

/** @type {Maker} */
const fusedMatMul = (d) => {
  const rank = d.pick([2, 3, 4]);
  const [ta, tb, batchA, batchB] = ['transA', 'transB', 'transBatchA', 'transBatchB'].map((name, i) => d.maybe(name, i < 2 || rank > 2 ? d.int(0, 1) : 0, 0, i < 2 ? 0.7 : 0.3));
  return () => {
    const [m, k, n] = [d.pick([1, 3, 4, 9, 33]), d.pick([1, 2, 8, 17]), d.pick([1, 4, 5, 16, 19])];
    const lead = d.dims(rank - 2, false);
    const of = (rows, cols, turned, batch) => {
      const [p, q] = turned ? [cols, rows] : [rows, cols];
      return batch && rank > 2 ? [p, ...lead, q] : [...lead, p, q];
    };
    return [d.tensor(0, of(m, k, ta, batchA), mild), d.tensor(1, of(k, n, tb, batchB), mild)];
  };
};

/** @type {Maker} */
const fusedGemm = (d) => {
  const [ta, tb] = [d.maybe('transA', d.int(0, 1), 0), d.maybe('transB', d.int(0, 1), 0)];
  const activation = d.give('activation', d.pick(['Relu', 'Sigmoid', 'Tanh', 'LeakyRelu', 'Elu', 'HardSigmoid', 'Softsign', 'Softplus', 'ThresholdedRelu']));
  for (const name of ['activation_alpha', 'activation_beta', 'activation_gamma']) d.has(name);
  if (/Leaky|Elu|Hard|Threshold/.test(activation)) d.give('activation_alpha', Float32Array.of(d.between(0.1, 0.9)));
  if (/Hard/.test(activation)) d.give('activation_beta', Float32Array.of(d.between(0.1, 0.9)));
  const bias = d.chance(0.7);
  return () => {
    const [m, k, n] = [d.pick([1, 3, 4, 9, 33]), d.pick([1, 2, 8, 17]), d.pick([1, 4, 5, 16, 19])];
    return [d.tensor(0, ta ? [k, m] : [m, k]), d.tensor(1, tb ? [n, k] : [k, n]), ...bias ? [d.tensor(2, d.narrower([m, n]))] : []];
  };
};

/** @type {Maker} */
const gemmFastGelu = (d) => {
  const bias = d.chance(0.6);
  return () => {
    const [k, n] = [d.pick([1, 2, 8, 17]), d.pick([1, 4, 5, 16, 19])];
    return [d.tensor(0, [...d.dims(2, false), k]), d.tensor(1, [k, n]), ...bias ? [d.tensor(2, [n])] : []];
  };
};

/** @type {Maker} */
const groupNorm = (d) => {
  const skip = d.row.Name.startsWith('Skip');
  const groups = d.give('groups', d.int(1, 3));
  d.maybe('channels_last', 1, 1);
  const bias = d.chance(0.5);
  d.outs = skip ? [true, d.chance(0.5)] : [true];
  return () => {
    const dims = d.dims(4, false);
    const n = (dims[3] *= groups);
    return [d.tensor(0, dims), d.tensor(1, [n]), d.tensor(2, [n]), ...skip ? [d.tensor(3, d.pick([dims, [dims[0], n], [dims[0], 1, 1, n]])), bias ? d.tensor(4, [n]) : undefined] : []];
  };
};

/** @type {Maker} */
const biasSoftmax = (d) => {
  const axis = d.give('axis', d.int(1, 3));
  const inner = d.give('is_inner_broadcast', d.int(0, 1));
  return () => {
    const dims = d.dims(4, false);
    const shared = d.int(0, axis);
    return [d.tensor(0, dims), d.tensor(1, dims.map((n, i) => (i < axis && (inner ? i >= shared : i < shared) ? 1 : n)))];
  };
};

/** @type {Maker} */
const tensorScatter = (d) => {
  const axis = d.maybe('axis', d.pick([-2, 1, 2]), -2);
  const mode = d.maybe('mode', d.pick(['linear', 'circular']), 'linear');
  const at = d.chance(0.8);
  return () => {
    const dims = d.dims(4, false);
    const k = (axis + 4) % 4;
    dims[k] += 2;
    const count = d.int(1, dims[k]);
    return [d.tensor(0, dims), d.tensor(1, dims.with(k, count)), ...at ? [d.tensor(2, [dims[0]], () => d.int(0, mode === 'linear' ? dims[k] - count : dims[k] - 1))] : []];
  };
};

/** @type {Record<string, Maker>} */
export const contributed = {
  Attention: onnxAttention, 'com.microsoft.GroupQueryAttention': groupQuery, 'com.microsoft.MultiHeadAttention': multiHead,
  'com.microsoft.Attention': projectedAttention, RotaryEmbedding: rotary, 'com.microsoft.RotaryEmbedding': rotary,
  'com.microsoft.SkipLayerNormalization': skipNorm, 'com.microsoft.SkipSimplifiedLayerNormalization': skipNorm,
  SimplifiedLayerNormalization: simplified, 'com.microsoft.SimplifiedLayerNormalization': simplified, 'com.microsoft.EmbedLayerNormalization': embedNorm,
  'com.microsoft.QAttention': quantizedAttention, 'com.microsoft.DynamicQuantizeLSTM': quantizedLSTM, 'com.microsoft.QEmbedLayerNormalization': quantizedEmbedding,
  'com.microsoft.FastGelu': biased, 'com.microsoft.BiasGelu': biased, 'com.microsoft.FusedMatMul': fusedMatMul, 'com.microsoft.FusedGemm': fusedGemm,
  'com.microsoft.GemmFastGelu': gemmFastGelu, 'com.microsoft.GroupNorm': groupNorm, 'com.microsoft.SkipGroupNorm': groupNorm,
  'com.microsoft.BiasAdd': (d) => () => {
    const dims = d.dims(3, false);
    return [d.tensor(0, dims), d.tensor(1, dims.slice(-1)), d.tensor(2, dims)];
  },
  'com.microsoft.BiasSplitGelu': (d) => () => {
    const dims = d.dims(3, false);
    dims[2] *= 2;
    return [d.tensor(0, dims), d.tensor(1, dims.slice(-1))];
  },
  'com.microsoft.BiasSoftmax': biasSoftmax, TensorScatter: tensorScatter,
};
