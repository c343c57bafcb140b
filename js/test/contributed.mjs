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

/** @type {Record<string, Maker>} */
export const contributed = {
  Attention: onnxAttention, 'com.microsoft.GroupQueryAttention': groupQuery, 'com.microsoft.MultiHeadAttention': multiHead,
  'com.microsoft.Attention': projectedAttention, RotaryEmbedding: rotary, 'com.microsoft.RotaryEmbedding': rotary,
};
