// Which elements of a tensor share a mean and a variance, and what the engine makes of the tensor.
// No DOM here: the page and the tests use it, each with the functions of the package.

/** @typedef {'pictures' | 'sequences'} Kind pictures are [N, C, H, W], sequences [N, T, D], whose channels are D */
/** @typedef {'batch' | 'layer' | 'instance' | 'group' | 'rms'} Norm */
/** @typedef {{ kind: Kind, dims: number[], norm: Norm, groups: number, over: 'channels' | 'all' }} Setting `over`: what LayerNorm and RMSNorm take together */

export const NORMS = /** @type {Record<Norm, string>} */ ({ batch: 'BatchNorm', layer: 'LayerNorm', instance: 'InstanceNorm', group: 'GroupNorm', rms: 'RMSNorm' });
export const EPSILON = 1e-5;

/** @param {readonly number[]} dims */
export const sizeOf = (dims) => dims.reduce((a, b) => a * b, 1);

/** @param {Kind} kind @param {readonly number[]} dims */
export const channelsOf = (kind, dims) => dims[kind === 'pictures' ? 1 : 2];

/** Where element i is: its index in each dimension. @param {number} i @param {readonly number[]} dims */
export function placeOf(i, dims) {
  const at = new Array(dims.length);
  for (let d = dims.length - 1; d >= 0; d--) {
    at[d] = i % dims[d];
    i = Math.floor(i / dims[d]);
  }
  return at;
}

const WORDS = { pictures: ['example', 'channel', 'row', 'column'], sequences: ['example', 'step', 'channel'] };

/** An element's place in words; dimensions of one element go without saying. @param {Kind} kind @param {number[]} at @param {readonly number[]} dims */
export const nameOf = (kind, at, dims) => at.map((v, d) => `${WORDS[kind][d]} ${v + 1}`).filter((_, d) => d === 0 || dims[d] > 1).join(', ');

/**
 * The group of each element, and what each group is called. The groups stand in the order in which the engine gives their statistics.
 * @param {Setting} setting
 * @returns {{ ids: Int32Array, names: string[] }}
 */
export function sharing({ kind, dims, norm, groups, over }) {
  const c = kind === 'pictures' ? 1 : 2, each = dims[c] / groups;
  // The dimensions that tell groups apart, and how an index becomes a part of the group's name.
  const apart = {
    batch: [c],
    instance: [0, c],
    group: [0, c],
    layer: over === 'all' ? [0] : dims.map((_, d) => d).filter((d) => d !== c),
    rms: over === 'all' ? [0] : dims.map((_, d) => d).filter((d) => d !== c),
  }[norm];
  const sizes = apart.map((d) => (norm === 'group' && d === c ? groups : dims[d]));
  const ids = new Int32Array(sizeOf(dims));
  for (let i = 0; i < ids.length; i++) {
    const at = placeOf(i, dims);
    ids[i] = apart.reduce((id, d, k) => id * sizes[k] + (norm === 'group' && d === c ? Math.floor(at[d] / each) : at[d]), 0);
  }
  const names = Array.from({ length: sizeOf(sizes) }, (_, id) => placeOf(id, sizes)
    .map((v, k) => (norm === 'group' && apart[k] === c ? (each === 1 ? `channel ${v + 1}` : `channels ${v * each + 1}–${(v + 1) * each}`) : `${WORDS[kind][apart[k]]} ${v + 1}`))
    .filter((_, k) => k === 0 || sizes[k] > 1 || apart.length === 1)
    .join(', '));
  return { ids, names };
}

/**
 * What the engine makes of the tensor. BatchNorm comes as the layer, which has running statistics, and with what it uses.
 * @param {Pick<typeof import('normwasm'), 'layerNorm' | 'rmsNorm' | 'instanceNorm' | 'groupNorm'>} engine
 * @param {Setting} setting
 * @param {Float32Array} x
 * @param {{ layer: import('normwasm').BatchNorm, training: boolean }} batchNorm
 * @returns {{ y: Float32Array, mean: ArrayLike<number> | undefined, variance: ArrayLike<number> }} the statistics of each group of
 * {@link sharing}; RMSNorm has no mean, and its `variance` is the mean of the squares
 */
export function normalize(engine, { kind, dims, norm, groups, over }, x, { layer, training }) {
  const options = { shape: dims, epsilon: EPSILON }, layout = kind === 'pictures' ? /** @type {const} */ ('nchw') : /** @type {const} */ ('nhwc');
  if (norm === 'batch') {
    const { mean, variance } = training ? layer.moments(x, { shape: dims }) : { mean: layer.runningMean, variance: layer.runningVar };
    return { y: layer.forward(x, { shape: dims, training, updateStats: false }), mean, variance };
  }
  const axes = over === 'all' ? dims.map((_, d) => d).slice(1) : [kind === 'pictures' ? 1 : 2];
  const count = new Set(sharing({ kind, dims, norm, groups, over }).ids).size;
  const mean = new Float32Array(count), invStdDev = new Float32Array(count);
  const y = {
    layer: () => engine.layerNorm(x, { ...options, axes, mean, invStdDev }),
    rms: () => engine.rmsNorm(x, { ...options, axes, invStdDev }),
    instance: () => engine.instanceNorm(x, { ...options, layout, mean, invStdDev }),
    group: () => engine.groupNorm(x, { ...options, layout, groups, mean, invStdDev }),
  }[norm]();
  // The kernels give 1/√(variance + ε). Of a variance near zero a rounding may be left.
  return { y, mean: norm === 'rms' ? undefined : mean, variance: Array.from(invStdDev, (v) => Math.max(0, 1 / v ** 2 - EPSILON)) };
}

/** The BatchNorm of the page: momentum and variance as in ONNX and Keras, so that training on the same batch for long comes to the batch's own statistics.
 *  @param {typeof import('normwasm').BatchNorm} BatchNorm @param {Kind} kind @param {readonly number[]} dims */
export const makeLayer = (BatchNorm, kind, dims) => new BatchNorm({ features: channelsOf(kind, dims), preset: 'onnx', epsilon: EPSILON, layout: kind === 'pictures' ? 'nchw' : 'nhwc' });

/** Small whole numbers whose channels differ in height, the same for the same seed. @param {Kind} kind @param {readonly number[]} dims one example's if dims[0] is 1 @param {number} seed */
export function invent(kind, dims, seed) {
  let s = seed * 2654435761 >>> 0;
  const random = () => {
    s = s + 0x6d2b79f5 >>> 0;
    let t = Math.imul(s ^ s >>> 15, 1 | s);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 2 ** 32;
  };
  const c = kind === 'pictures' ? 1 : 2, heights = [2, 5, 0, 3, 6, 1, 4, 2], spread = [4, 3, 3, 5, 2, 4, 3, 4];
  const lift = Array.from({ length: dims[0] }, () => Math.floor(random() * 3) - 1);
  return Float32Array.from({ length: sizeOf(dims) }, (_, i) => {
    const at = placeOf(i, dims), k = at[c] % heights.length;
    return heights[k] + lift[at[0]] + Math.floor(random() * spread[k]);
  });
}
