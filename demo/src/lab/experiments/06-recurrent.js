import { number } from '../chart.js';
import { nameOf, recurrentNetwork } from '../networks.js';
import { smooth } from '../run.js';

const kinds = /** @type {const} */ (['none', 'batchNorm', 'layerNorm']);
const sizes = [4, 32];
const rate = 0.005;
const examples = 6400;
const length = 12;
const key = (/** @type {string} */ kind, /** @type {number} */ size) => `${kind} ${size}`;

/** @type {import('../run.js').Experiment} */
export default {
  id: 6,
  slug: 'recurrent',
  title: 'LayerNorm suits recurrent networks and sequences of varying length',
  claim: 'In recurrent networks LayerNorm helps where BatchNorm is awkward: lengths vary, and statistics would be needed for every step of time.',
  source: {
    text: 'Ba, Kiros, Hinton: Layer Normalization (2016), section 6',
    url: 'https://arxiv.org/abs/1607.06450',
    numbers: 'LSTM and GRU on reading, handwriting and ordering of images: LayerNorm converges faster, most of all for long sequences and small batches. No single figure.',
  },
  data: 'names',
  setting: `Two GRU layers of 48 units on given names, letter by letter, a normalization behind each layer. (The paper normalizes inside the cell.) BatchNorm takes its statistics over names and time together, the filling behind short names included. AdamW, rate ${rate}, ${examples} names in batches of 4 and 32.`,
  measured: 'Loss a letter on 1,000 held-out names, which counts no filling; the same for names of up to 5 and from 8 letters. For BatchNorm also with the statistics of the test’s own batches: of all names, and of the long ones alone.',
  cells: sizes.flatMap((size) => kinds.map((kind) => ({ key: key(kind, size), name: `${nameOf(kind)}, batch ${size}`, kind, size }))),
  seeds: 5,

  async run(lab, { kind, size }, seed) {
    const steps = lab.count(examples / size);
    const { trainer, losses, ended } = await lab.train({
      network: recurrentNetwork({ norm: /** @type {any} */ (kind), length }), data: 'names', seed, size, steps,
      optimizer: { type: 'adamw', learningRate: rate }, clip: 1,
    });
    const values = {
      loss: await lab.testNames(trainer),
      short: await lab.testNames(trainer, { select: (n) => n.length <= 5 }),
      long: await lab.testNames(trainer, { select: (n) => n.length >= 8 }),
      batch: await lab.testNames(trainer, { statistics: 'batch' }),
      longBatch: await lab.testNames(trainer, { statistics: 'batch', select: (n) => n.length >= 8, size: 50 }),
    };
    trainer.dispose();
    if (ended) throw new Error(`training ended in step ${ended}`);
    const curve = smooth(losses, 40, steps);
    return { values, curves: { loss: { x: curve.x.map((s) => s * size), y: curve.y } } };
  },

  report(r) {
    const loss = (/** @type {string} */ kind, /** @type {number} */ size) => r.mean(key(kind, size), 'loss');
    const gain = (/** @type {string} */ kind, /** @type {number} */ size) => loss('none', size) - loss(kind, size);
    const beyond = (/** @type {string} */ a, /** @type {string} */ b, /** @type {number} */ size) => {
      const d = r.difference(key(a, size), key(b, size), 'loss');
      return d.clear && d.mean > 0;
    };
    const helps = sizes.filter((s) => beyond('layerNorm', 'none', s));
    const beats = sizes.filter((s) => beyond('layerNorm', 'batchNorm', s));
    const harm = (/** @type {number} */ size) => r.mean(key('batchNorm', size), 'longBatch') - r.mean(key('batchNorm', size), 'long');
    return {
      tables: [{
        caption: 'Loss a letter on held-out names, in nats',
        head: ['normalization', ...sizes.flatMap((s) => [`all, batch ${s}`, `up to 5 letters`, 'from 8 letters'])],
        rows: kinds.map((kind) => [nameOf(kind), ...sizes.flatMap((s) => ['loss', 'short', 'long'].map((v) => r.text(key(kind, s), v)))]),
      }, {
        caption: 'BatchNorm, by the statistics used',
        head: ['trained in batches of', 'all names: running', 'own batches', 'long names: running', 'own batches of long names'],
        rows: sizes.map((s) => [String(s), ...['loss', 'batch', 'long', 'longBatch'].map((v) => r.text(key('batchNorm', s), v))]),
      }],
      charts: sizes.map((size) => ({
        type: /** @type {const} */ ('lines'), id: `e6-${size}`, title: `Loss while training, ${size} names a batch`, x: { label: 'names seen' }, y: { label: 'loss a place, with the filling' },
        series: kinds.map((kind) => r.series(key(kind, size), 'loss', { name: nameOf(kind), kind })),
      })),
      holds: helps.length === sizes.length && beats.length === sizes.length ? 'yes' : helps.length || beats.length ? 'partly' : 'no',
      verdict: `Beside no normalization the loss a letter is ${sizes.map((s) => `${number(Math.abs(gain('layerNorm', s)))} ${gain('layerNorm', s) > 0 ? 'lower' : 'higher'} with LayerNorm and ${number(Math.abs(gain('batchNorm', s)))} ${gain('batchNorm', s) > 0 ? 'lower' : 'higher'} with BatchNorm in batches of ${s}`).join(', ')}. `
        + `${beats.length === 0 ? 'LayerNorm is not better than BatchNorm here: names are short, and a batch has hundreds of letters to take statistics of.' : `LayerNorm is better than BatchNorm in batches of ${beats.join(' and ')}.`} `
        + `Lengths matter in the statistics: asked with those of 50 long names in place of the running ones, BatchNorm’s loss on these names changes by ${sizes.map((s) => `${number(harm(s))} (trained in batches of ${s})`).join(' and ')}. `
        + `${sizes.some((s) => harm(s) > 0.02) ? 'Where it is worse, it had learnt with a mixture that has more filling than long names have. ' : ''}${sizes.some((s) => harm(s) < -0.02) ? 'Where it is better, the running statistics of so small batches were no good. ' : ''}LayerNorm has nothing that could change.`,
    };
  },
};
