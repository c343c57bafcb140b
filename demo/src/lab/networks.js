// The lab's networks, as functions of the normalization that stands in them: everything else stays the same, so that two
// runs differ in that alone. What they give is what Trainer takes as `input` and `model`.

/** @typedef {Record<string, any>} LayerSpec a layer as in the package's index.d.ts */
/** @typedef {'none' | 'batchNorm' | 'layerNorm' | 'groupNorm' | 'instanceNorm' | 'rmsNorm' | 'dynamicTanh'} Kind */
/** @typedef {{ input: number[], model: LayerSpec[] }} Network */
/**
 * @typedef {{ norm?: Kind, affine?: boolean, groups?: number, momentum?: number | null, alpha?: number, noise?: number }} NormOptions
 *   `groups` for groupNorm (channels a group follow), `momentum` for batchNorm, `alpha` for dynamicTanh;
 *   `noise`: standard deviation of random numbers that are added behind the normalization, in training
 */

/**
 * What can stand where a normalization stands. `images`: in the digits' convolutional networks; `dense`: on [N, D];
 * `sequences`: on [N, T, D] where a place must not see what follows it. (GroupNorm and InstanceNorm of a sequence
 * take statistics over time, so a letter would know of the letters behind it.)
 */
export const norms = /** @type {const} */ ([
  { kind: 'none', name: 'no normalization', images: true, dense: true, sequences: true },
  { kind: 'batchNorm', name: 'BatchNorm', images: true, dense: true, sequences: true },
  { kind: 'layerNorm', name: 'LayerNorm', images: true, dense: true, sequences: true },
  { kind: 'groupNorm', name: 'GroupNorm', images: true, dense: true, sequences: false },
  { kind: 'instanceNorm', name: 'InstanceNorm', images: true, dense: false, sequences: false },
  { kind: 'rmsNorm', name: 'RMSNorm', images: true, dense: true, sequences: true },
  { kind: 'dynamicTanh', name: 'dynamic tanh', images: true, dense: true, sequences: true },
]);

/** @param {Kind} kind */
export const nameOf = (kind) => norms.find((n) => n.kind === kind)?.name ?? kind;

/** @param {Kind} kind @param {'images' | 'dense' | 'sequences'} where */
function check(kind, where) {
  const known = norms.find((n) => n.kind === kind);
  if (!known) throw new RangeError(`norm is ${JSON.stringify(kind)}, want one of ${norms.map((n) => n.kind).join(', ')}`);
  if (!known[where]) throw new RangeError(`${known.name} cannot stand here: ${where === 'dense' ? 'a channel of one number has no variance' : 'a letter would know of those behind it'}`);
}

/**
 * The layers of a normalization: one, none, or two when noise follows.
 * @param {NormOptions} o @returns {LayerSpec[]}
 */
export function normalization({ norm = 'none', affine, groups = 4, momentum, alpha, noise }) {
  const layers = [];
  if (norm !== 'none') {
    /** @type {LayerSpec} */
    const layer = { type: norm };
    if (affine === false) layer.affine = false;
    if (norm === 'groupNorm') layer.groups = groups;
    if (norm === 'batchNorm' && momentum !== undefined) layer.momentum = momentum;
    if (norm === 'dynamicTanh' && alpha !== undefined) layer.alpha = alpha;
    layers.push(layer);
  }
  if (noise) layers.push({ type: 'noise', std: noise });
  return layers;
}

const picture = [1, 28, 28];

/**
 * Dense layers of one width with a normalization before each activation, as in Ioffe & Szegedy's experiment on MNIST
 * (section 4.1: three layers of 100 sigmoid units).
 * @param {NormOptions & { width?: number, depth?: number, activation?: string }} [o] @returns {Network}
 */
export function denseNetwork({ width = 100, depth = 3, activation = 'sigmoid', ...o } = {}) {
  check(o.norm ?? 'none', 'dense');
  const model = [{ type: 'flatten' }];
  for (let i = 0; i < depth; i++) model.push({ type: 'linear', units: width }, ...normalization(o), { type: activation });
  model.push({ type: 'linear', units: 10 });
  return { input: picture, model };
}

/**
 * Convolutions of stride 2 with a normalization before each ReLU, until little of the picture's extent is left, then the
 * mean of each channel: at the usual four filters 28 → 14 → 7 → 4 → 2.
 * @param {NormOptions & { filters?: readonly number[] }} [o] @returns {Network}
 */
export function stridedNetwork({ filters = [8, 16, 32, 32], ...o } = {}) {
  check(o.norm ?? 'none', 'images');
  /** @type {LayerSpec[]} */
  const model = [];
  for (const f of filters) model.push({ type: 'conv2d', filters: f, kernel: 3, stride: 2, padding: 'same' }, ...normalization(o), { type: 'relu' });
  model.push({ type: 'globalAveragePool' }, { type: 'linear', units: 10 });
  return { input: picture, model };
}

/**
 * The usual small network for digits: convolution, normalization, ReLU and maxima of 2 × 2, again and again, then a dense layer.
 * @param {NormOptions & { filters?: readonly number[], kernel?: number, dropout?: number }} [o] @returns {Network}
 */
export function pooledNetwork({ filters = [16, 32], kernel = 3, dropout = 0, ...o } = {}) {
  check(o.norm ?? 'none', 'images');
  /** @type {LayerSpec[]} */
  const model = [];
  for (const f of filters) {
    model.push({ type: 'conv2d', filters: f, kernel, padding: 'same' }, ...normalization(o), { type: 'relu' }, { type: 'maxPool2d', size: 2 });
  }
  model.push({ type: 'flatten' });
  if (dropout) model.push({ type: 'dropout', rate: dropout });
  model.push({ type: 'linear', units: 10 });
  return { input: picture, model };
}

/** Tokens of the names: what ends them, and 26 letters. */
export const vocabulary = 27;

/**
 * Gated recurrent units that write names letter by letter, a normalization behind each. (Ba et al. normalize inside the
 * cell; here it stands between the layers, which is what one can do with a framework's fused GRU.)
 * @param {NormOptions & { length?: number, width?: number, units?: number, depth?: number }} [o] @returns {Network}
 */
export function recurrentNetwork({ length = 16, width = 16, units = 48, depth = 2, ...o } = {}) {
  check(o.norm ?? 'none', 'sequences');
  /** @type {LayerSpec[]} */
  const model = [{ type: 'embedding', vocabulary, width }];
  for (let i = 0; i < depth; i++) model.push({ type: 'gru', units }, ...normalization(o));
  model.push({ type: 'linear', units: vocabulary });
  return { input: [length], model };
}

/**
 * A transformer that writes names letter by letter. `place`: the normalization stands 'before' attention and the two dense
 * layers, inside the residual branch (and once more at the end), or 'after' the sum, as in the first transformer.
 * `dropout` ends each branch.
 * @param {NormOptions & { place?: 'before' | 'after', length?: number, width?: number, heads?: number, depth?: number, inner?: number, dropout?: number }} [o]
 * @returns {Network}
 */
export function transformer({ place = 'before', length = 16, width = 32, heads = 4, depth = 2, inner = 4 * width, dropout = 0, ...o } = {}) {
  check(o.norm ?? 'none', 'sequences');
  /** @type {LayerSpec[]} */
  const model = [{ type: 'embedding', vocabulary, width, positions: length }];
  const end = dropout ? [{ type: 'dropout', rate: dropout }] : [];
  const attention = [{ type: 'attention', heads, causal: true }, ...end];
  const dense = [{ type: 'linear', units: inner }, { type: 'gelu' }, { type: 'linear', units: width }, ...end];
  for (let i = 0; i < depth; i++) {
    for (const body of [attention, dense]) {
      if (place === 'before') model.push({ type: 'residual', body: [...normalization(o), ...body] });
      else model.push({ type: 'residual', body }, ...normalization(o));
    }
  }
  if (place === 'before') model.push(...normalization(o));
  model.push({ type: 'linear', units: vocabulary });
  return { input: [length], model };
}

// ---- the two that ship with weights: ../models/digits.safetensors and ../models/names.onnx, made by `make weights` ----

/** Tells digits apart; with BatchNorm. */
export const digitReader = () => pooledNetwork({ norm: 'batchNorm', filters: [16, 32, 64], dropout: 0.2 });

/** Writes names of up to 15 letters; with LayerNorm. */
export const nameWriter = () => transformer({ norm: 'layerNorm', length: 16, width: 64, heads: 4, depth: 2, dropout: 0.1 });
