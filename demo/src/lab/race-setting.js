// What a race is: the data, the network, the two normalizations, the numbers, and the changes of the batch size on the
// way. A setting is plain data; it is written into the page's address and read back. No DOM here: Node runs it too.

import { alphabet, classes } from './data.js';
import { denseNetwork, nameOf, norms, pooledNetwork, recurrentNetwork, stridedNetwork, transformer } from './networks.js';

/**
 * @typedef {{ claim: number, data: 'digits' | 'names', network: string, a: string, b: string, batch: number, rate: number,
 *   optimizer: 'sgd' | 'adamw', seed: number, steps: number, changes: { from: number, batch: number }[] }} Setting
 *   `claim` 0: set by the visitor; `a`, `b`: names of variants; `changes`: from a step on, batches of another size
 */

/** What the networks are given to learn. */
export const tasks = {
  digits: { name: 'Digits', what: 'handwritten digits, 28 × 28', classes, unit: 'digit', units: 'digits' },
  names: { name: 'Names', what: 'given names, letter by letter', classes: alphabet.length, unit: 'name', units: 'names' },
};

/** @type {Record<string, { name: string, data: 'digits' | 'names', where: 'images' | 'dense' | 'sequences', make: (o: any) => { input: number[], model: any[] } }>} */
export const networks = {
  strided: { name: 'Four convolutions', data: 'digits', where: 'images', make: stridedNetwork },
  pooled: { name: 'Two convolutions, a dense layer', data: 'digits', where: 'images', make: pooledNetwork },
  dense: { name: 'Three dense layers, sigmoid', data: 'digits', where: 'dense', make: denseNetwork },
  transformer: { name: 'Transformer, two layers', data: 'names', where: 'sequences', make: transformer },
  recurrent: { name: 'Two GRU layers', data: 'names', where: 'sequences', make: recurrentNetwork },
};

/**
 * What a lane runs with: a normalization as it is, or one with something changed about it.
 * @type {Record<string, { name: string, kind: string, options: any, only?: string }>} `only`: the one network that it makes sense in
 */
export const variants = {
  ...Object.fromEntries(norms.map(({ kind }) => [kind, { name: kind === 'none' ? 'No normalization' : nameOf(kind), kind, options: { norm: kind } }])),
  batchNormBare: { name: 'BatchNorm without scale and shift', kind: 'batchNorm', options: { norm: 'batchNorm', affine: false } },
  layerNormBare: { name: 'LayerNorm without scale and shift', kind: 'layerNorm', options: { norm: 'layerNorm', affine: false } },
  batchNormNoise: { name: 'BatchNorm, then noise', kind: 'batchNorm', options: { norm: 'batchNorm', noise: 0.5 } },
  layerNormAfter: { name: 'LayerNorm after the sum', kind: 'layerNorm', options: { norm: 'layerNorm', place: 'after' }, only: 'transformer' },
};

/** The variants that can stand in a network. @param {string} network */
export const variantsOf = (network) => Object.keys(variants).filter((name) => {
  const { kind, only } = variants[name];
  const known = norms.find((n) => n.kind === kind);
  return known?.[networks[network].where] && (!only || only === network);
});

const digits = { data: /** @type {const} */ ('digits'), network: 'strided', optimizer: /** @type {'sgd' | 'adamw'} */ ('sgd'), seed: 1, changes: [] };
const names = { data: /** @type {const} */ ('names'), network: 'transformer', optimizer: /** @type {'sgd' | 'adamw'} */ ('adamw'), seed: 1, changes: [] };

/**
 * The claims that can be raced; number 5 of the twelve is a property of a single answer and needs no race.
 * `experiment`: its declaration in experiments/, which has the same title and tells the source; it is fetched when it is asked for.
 * @type {{ claim: number, experiment: string, title: string, why: string, setting: Omit<Setting, 'claim'> }[]}
 */
export const claims = [
  { claim: 3, experiment: '03-small-batches', title: 'BatchNorm suffers with small batches', why: 'BatchNorm takes its mean and variance from the batch. Two pictures say little about all pictures. LayerNorm takes them from each picture alone, so the size of the batch is all the same to it.',
    setting: { ...digits, a: 'batchNorm', b: 'layerNorm', batch: 2, rate: 0.002, optimizer: 'adamw', steps: 600, seed: 2 } },
  { claim: 1, experiment: '01-faster', title: 'BatchNorm speeds up training', why: 'Three layers of 100 sigmoid units, as in the paper that proposed BatchNorm. A sigmoid is flat far from zero; BatchNorm keeps its input where it is steep.',
    setting: { ...digits, network: 'dense', a: 'none', b: 'batchNorm', batch: 64, rate: 0.02, steps: 400 } },
  { claim: 2, experiment: '02-learning-rates', title: 'BatchNorm allows higher learning rates', why: 'A step that is too large makes activations grow from layer to layer. Behind a normalization they cannot.',
    setting: { ...digits, a: 'none', b: 'batchNorm', batch: 32, rate: 0.5, steps: 300 } },
  { claim: 4, experiment: '04-inference', title: 'BatchNorm differs between training and inference', why: 'In training it uses the statistics of the batch, afterwards an average of those it has seen. When batches are small the two differ. Compare “running” and “batch” below.',
    setting: { ...digits, a: 'batchNorm', b: 'groupNorm', batch: 4, rate: 0.02, steps: 600 } },
  { claim: 6, experiment: '06-recurrent', title: 'LayerNorm suits recurrent networks and sequences of varying length', why: 'Two layers of gated recurrent units learn to write names. LayerNorm treats each letter alone, however long the name is.',
    setting: { ...names, network: 'recurrent', a: 'none', b: 'layerNorm', batch: 32, rate: 0.005, steps: 300 } },
  { claim: 7, experiment: '07-transformer', title: 'LayerNorm suits transformers, BatchNorm does not', why: 'The statistics of text change from batch to batch, more than those of pictures. LayerNorm does not keep any.',
    setting: { ...names, a: 'batchNorm', b: 'layerNorm', batch: 32, rate: 0.003, steps: 300 } },
  { claim: 8, experiment: '08-placement', title: 'Where LayerNorm stands matters', why: 'In the first transformer it stood after the sum of branch and input; today it stands inside the branch, so that a path without any norm leads from the end to the beginning.',
    setting: { ...names, a: 'layerNormAfter', b: 'layerNorm', batch: 32, rate: 0.01, steps: 300 } },
  { claim: 9, experiment: '09-rms', title: 'RMSNorm is as good and cheaper', why: 'RMSNorm leaves out the mean and the shift: it only divides by the root of the mean square.',
    setting: { ...names, a: 'layerNorm', b: 'rmsNorm', batch: 32, rate: 0.003, steps: 300 } },
  { claim: 10, experiment: '10-why', title: 'It is not (only) covariate shift', why: 'BatchNorm was said to help because distributions between layers stay the same. Noise behind it makes them change at every step; if that were the reason, it would hurt.',
    setting: { ...digits, a: 'batchNorm', b: 'batchNormNoise', batch: 32, rate: 0.05, steps: 300 } },
  { claim: 11, experiment: '11-affine', title: 'Scale and shift matter', why: 'After normalizing, each channel is given a scale and a shift that are learnt. Without them every channel has mean 0 and variance 1.',
    setting: { ...digits, a: 'batchNorm', b: 'batchNormBare', batch: 32, rate: 0.05, steps: 300 } },
  { claim: 12, experiment: '12-without', title: 'One can do without normalization', why: 'Dynamic tanh, tanh(αx) with a learnt α, takes no statistics at all and was proposed in place of LayerNorm.',
    setting: { ...names, a: 'layerNorm', b: 'dynamicTanh', batch: 32, rate: 0.003, steps: 300 } },
];

/** @param {number} claim @returns {Setting} */
export const settingOf = (claim) => {
  const found = claims.find((c) => c.claim === claim) ?? claims[0];
  return { claim: found.claim, ...structuredClone(found.setting) };
};

export const limits = /** @type {const} */ ({ batch: [1, 256], rate: [1e-5, 10], seed: [0, 999999], steps: [20, 5000] });

/** @param {unknown} text @param {readonly [number, number]} range @param {boolean} [whole] */
function numberIn(text, [low, high], whole = true) {
  const v = Number(text);
  if (text === null || text === '' || !Number.isFinite(v)) return undefined;
  return Math.min(high, Math.max(low, whole ? Math.round(v) : v));
}

/** A setting that can be run, out of one that may be anything: what does not fit is replaced by what does. @param {any} wish @returns {Setting} */
export function mended(wish) {
  const base = settingOf(Number(wish.claim) || claims.find((c) => c.setting.data === wish.data)?.claim || 3);
  const data = wish.data in tasks ? wish.data : base.data;
  const network = networks[wish.network]?.data === data ? wish.network : data === base.data ? base.network : Object.keys(networks).find((n) => networks[n].data === data) ?? base.network;
  const fits = variantsOf(network);
  const variant = (/** @type {string} */ v, /** @type {string} */ other) => (fits.includes(v) ? v : other);
  const steps = numberIn(wish.steps, limits.steps) ?? base.steps;
  const setting = {
    claim: 0,
    data,
    network,
    a: variant(wish.a ?? base.a, 'batchNorm'),
    b: variant(wish.b ?? base.b, 'layerNorm'),
    batch: numberIn(wish.batch, limits.batch) ?? base.batch,
    rate: numberIn(wish.rate, limits.rate, false) ?? base.rate,
    optimizer: wish.optimizer === 'sgd' || wish.optimizer === 'adamw' ? wish.optimizer : data === base.data ? base.optimizer : data === 'digits' ? 'sgd' : 'adamw',
    seed: numberIn(wish.seed, limits.seed) ?? base.seed,
    steps,
    changes: [...(wish.changes ?? [])].filter((c) => c.from >= 0 && c.from < 1e6 && c.batch >= limits.batch[0] && c.batch <= limits.batch[1]).sort((c, d) => c.from - d.from),
  };
  return { ...setting, claim: claimOf(setting) };
}

const compared = /** @type {const} */ (['data', 'network', 'a', 'b', 'batch', 'rate', 'optimizer', 'steps']);

/** The claim that a setting is the race of, whatever its seed; 0 when it is none's. @param {Omit<Setting, 'claim'>} setting */
export const claimOf = (setting) => claims.find(({ setting: s }) => compared.every((k) => s[k] === setting[k]))?.claim ?? 0;

/** A setting as the part of an address behind #. @param {Setting} setting */
export function toHash(setting) {
  const claim = claims.find((c) => c.claim === claimOf(setting));
  const from = /** @type {any} */ (claim?.setting ?? {});
  const words = new URLSearchParams();
  if (claim) words.set('claim', String(claim.claim));
  for (const key of [...compared, 'seed']) {
    const value = /** @type {any} */ (setting)[key];
    if (value !== from[key]) words.set(key, String(value));
  }
  if (setting.changes.length) words.set('then', setting.changes.map((c) => `${c.from}x${c.batch}`).join('_'));
  return `#${words}`;
}

/** The setting that an address asks for. @param {string} hash @returns {Setting} */
export function fromHash(hash) {
  const words = new URLSearchParams(hash.replace(/^#/, ''));
  /** @type {any} */
  const wish = Object.fromEntries(words);
  wish.changes = (words.get('then') ?? '').split('_').map((c) => c.split('x').map(Number)).filter(([from, batch]) => Number.isInteger(from) && Number.isInteger(batch)).map(([from, batch]) => ({ from, batch }));
  return mended(wish);
}

/** The size of the batch of a step, counted from 0. @param {Setting} setting @param {number} step */
export function batchAt({ batch, changes }, step) {
  let size = batch;
  for (const c of changes) if (c.from <= step) size = c.batch;
  return size;
}

/** Where in the sequence of examples the batch of a step begins. @param {Setting} setting @param {number} step */
export function placeAt(setting, step) {
  let place = 0;
  let from = 0;
  let size = setting.batch;
  for (const c of setting.changes) {
    if (c.from >= step) break;
    place += (c.from - from) * size;
    [from, size] = [c.from, c.batch];
  }
  return place + (step - from) * size;
}

/** The network of a lane. @param {Setting} setting @param {'a' | 'b'} lane */
export const networkOf = (setting, lane) => networks[setting.network].make(variants[setting[lane]].options);

/** What Trainer.create() takes for a lane. @param {Setting} setting @param {'a' | 'b'} lane */
export const trainerOptions = (setting, lane) => ({
  ...networkOf(setting, lane),
  loss: /** @type {const} */ ('crossEntropy'),
  seed: setting.seed,
  optimizer: setting.optimizer === 'sgd'
    ? { type: /** @type {const} */ ('sgd'), learningRate: setting.rate, momentum: 0.9 }
    : { type: /** @type {const} */ ('adamw'), learningRate: setting.rate },
});
