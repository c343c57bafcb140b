import { number } from '../chart.js';
import { nameOf, stridedNetwork, transformer } from '../networks.js';
import { smooth } from '../run.js';

const kinds = /** @type {const} */ (['none', 'batchNorm', 'layerNorm']);
const sizes = [4, 32];
const examples = 6400;
const rate = 0.003;
const length = 12;
const key = (/** @type {string} */ kind, /** @type {number} */ size) => `${kind} ${size}`;

/** How far a batch's variances are from the running ones, of all channels of all BatchNorms. @param {readonly any[]} statistics */
function fluctuation(statistics) {
  let sum = 0;
  let count = 0;
  for (const { running, batch } of statistics) {
    if (!running) continue;
    for (let c = 0; c < running.variance.length; c++) {
      sum += Math.abs(Math.log((batch.variance[c] + 1e-5) / (running.variance[c] + 1e-5)));
      count++;
    }
  }
  return sum / count;
}

/** @type {import('../run.js').Experiment} */
export default {
  id: 7,
  slug: 'transformer',
  title: 'LayerNorm suits transformers, BatchNorm does not',
  claim: 'In transformers LayerNorm is better than BatchNorm, because statistics of text change too much from batch to batch.',
  source: {
    text: 'Shen et al.: PowerNorm (2020), tables 1 and 2',
    url: 'https://arxiv.org/abs/2003.07845',
    numbers: 'IWSLT14 German–English: LayerNorm 35.5 BLEU, BatchNorm 34.4. Batch variances of text deviate from the running ones by orders of magnitude more than those of images.',
  },
  data: 'both',
  setting: `A transformer of two layers, width 32, four heads, normalized before attention and dense layers, on given names letter by letter. AdamW, rate ${rate}, ${examples} names in batches of 4 and 32. Beside it for the fluctuations: claim 3’s network on digits, in batches as large.`,
  measured: 'Loss a letter on 1,000 held-out names; for BatchNorm also with the statistics of the test’s own batches. How far the variances of a batch are from the running ones, |ln(batch / running)|, mean over channels and the second half of training.',
  cells: sizes.flatMap((size) => [
    ...kinds.map((kind) => ({ key: key(kind, size), name: `${nameOf(kind)}, batch ${size}`, kind, size })),
    { key: key('digits', size), name: `BatchNorm on digits, batch ${size}`, kind: 'batchNorm', size, digits: true },
  ]),
  seeds: 5,

  async run(lab, { kind, size, digits }, seed) {
    const steps = lab.count(examples / size);
    const away = { x: /** @type {number[]} */ ([]), y: /** @type {number[]} */ ([]) };
    const { trainer, losses } = await lab.train({
      ...(digits
        ? { network: stridedNetwork({ norm: 'batchNorm' }), optimizer: { type: 'sgd', learningRate: (0.03 * size) / 32, momentum: 0.9 } }
        : { network: transformer({ norm: /** @type {any} */ (kind), length }), data: /** @type {const} */ ('names'), optimizer: { type: 'adamw', learningRate: rate } }),
      seed, size, steps, every: Math.max(1, Math.round(steps / 60)),
      at: async (step, t) => {
        if (step === 0 || kind !== 'batchNorm') return;
        away.x.push(step * size);
        away.y.push(fluctuation(await t.statistics()));
      },
    });
    /** @type {Record<string, number>} */
    const values = {};
    if (!digits) {
      const last = losses.slice(-Math.ceil(losses.length / 4));
      values.train = last.reduce((a, b) => a + b, 0) / last.length;
      values.loss = await lab.testNames(trainer);
      values.batch = await lab.testNames(trainer, { statistics: 'batch' });
      values.own = await lab.testNames(trainer, { statistics: 'batch', size });
    }
    trainer.dispose();
    if (kind === 'batchNorm') {
      // The second half: at first the running statistics are still those that they began with.
      const settled = away.y.slice(Math.floor(away.y.length / 2));
      values.away = settled.reduce((a, b) => a + b, 0) / settled.length;
    }
    const curve = smooth(losses, 40, steps);
    return { values, curves: { loss: { x: curve.x.map((s) => s * size), y: curve.y }, ...(kind === 'batchNorm' && { away }) } };
  },

  report(r) {
    const worse = (/** @type {number} */ size) => r.difference(key('layerNorm', size), key('batchNorm', size), 'loss');
    const ahead = (/** @type {number} */ size) => r.difference(key('layerNorm', size), key('batchNorm', size), 'train');
    const lost = sizes.filter((size) => worse(size).clear && worse(size).mean > 0);
    return {
      tables: [{
        caption: 'Loss a letter on held-out names, in nats',
        head: ['normalization', ...sizes.map((s) => `batch of ${s}`)],
        rows: [
          ...kinds.map((kind) => [nameOf(kind), ...sizes.map((s) => r.text(key(kind, s), 'loss'))]),
          ['BatchNorm, statistics of 250 names', ...sizes.map((s) => r.text(key('batchNorm', s), 'batch'))],
          ['BatchNorm, statistics of batches as in training', ...sizes.map((s) => r.text(key('batchNorm', s), 'own'))],
        ],
      }, {
        caption: 'Loss of the last quarter of training, a place, with the filling',
        head: ['normalization', ...sizes.map((s) => `batch of ${s}`)],
        rows: [
          ...kinds.map((kind) => [nameOf(kind), ...sizes.map((s) => r.text(key(kind, s), 'train'))]),
        ],
      }, {
        caption: 'How far a batch’s variances are from the running ones, |ln(batch / running)|',
        head: ['', ...sizes.map((s) => `batch of ${s}`)],
        rows: [['names, transformer', 'batchNorm'], ['digits, convolutions', 'digits']].map(([name, k]) => [name, ...sizes.map((s) => r.text(key(k, s), 'away'))]),
      }],
      charts: [
        ...sizes.map((size) => ({
          type: /** @type {const} */ ('lines'), id: `e7-loss-${size}`, title: `Loss while training, ${size} names a batch`, x: { label: 'names seen' }, y: { label: 'loss a place, with the filling' },
          series: kinds.map((kind) => r.series(key(kind, size), 'loss', { name: nameOf(kind), kind })),
        })),
        {
          type: /** @type {const} */ ('lines'), id: 'e7-away', title: 'How far a batch’s variances are from the running ones', x: { label: 'examples seen' }, y: { label: '|ln(batch / running)|', min: 0 },
          series: sizes.flatMap((size, i) => [
            r.series(key('batchNorm', size), 'away', { name: `names, batches of ${size}`, kind: 'layerNorm', dash: i }),
            r.series(key('digits', size), 'away', { name: `digits, batches of ${size}`, kind: 'batchNorm', dash: i }),
          ]),
        },
      ],
      holds: lost.length === sizes.length ? 'yes' : lost.length ? 'partly' : 'no',
      verdict: `BatchNorm’s loss a letter is ${sizes.map((s) => `${number(Math.abs(worse(s).mean))} ${worse(s).mean > 0 ? 'above' : 'below'} LayerNorm’s in batches of ${s} (${worse(s).clear ? 'clear' : 'not clear'})`).join(' and ')}. `
        + `${lost.length < sizes.length ? `In batches of ${sizes.filter((s) => !lost.includes(s)).join(' and ')} that does not bear out the claim: all names are much alike, and a batch of 32 has hundreds of letters. ` : ''}`
        + `${sizes.filter((s) => ahead(s).clear && ahead(s).mean < 0).map((s) => `In training with batches of ${s} BatchNorm looks better, by ${number(-ahead(s).mean)}: its statistics know of the letters that follow, and of the other names; with statistics of such batches a held-out letter costs it only ${r.text(key('batchNorm', s), 'own')}, which is no use for writing. `).join('')}`
        + `The variances of names are ${sizes.map((s) => `${number(r.mean(key('batchNorm', s), 'away') / r.mean(key('digits', s), 'away'))} times as far from the running ones as those of digits (batches of ${s})`).join(' and ')}, not orders of magnitude as in the paper. `
        + `A network of two layers learns without any normalization too: ${sizes.map((s) => `${r.text(key('none', s), 'loss')} against LayerNorm’s ${r.text(key('layerNorm', s), 'loss')}`).join(', ')}.`,
    };
  },
};
