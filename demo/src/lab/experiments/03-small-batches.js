import { number } from '../chart.js';
import { nameOf, stridedNetwork } from '../networks.js';
import { smooth } from '../run.js';

const kinds = /** @type {const} */ (['batchNorm', 'groupNorm', 'layerNorm']);
const sizes = [2, 4, 8, 32, 128];
const examples = 6000;
const rate = 0.03;
const key = (/** @type {string} */ kind, /** @type {number} */ size) => `${kind} ${size}`;

/** @type {import('../run.js').Experiment} */
export default {
  id: 3,
  slug: 'small-batches',
  title: 'BatchNorm suffers with small batches',
  claim: 'BatchNorm loses accuracy when batches are small; LayerNorm and GroupNorm do not.',
  source: {
    text: 'Wu, He: Group Normalization (2018), table 2',
    url: 'https://arxiv.org/abs/1803.08494',
    numbers: 'ResNet-50 on ImageNet, batch of 32 → 2 pictures: BatchNorm’s error goes from 23.6 to 34.7 %, GroupNorm’s stays at 24.1 %.',
  },
  data: 'digits',
  setting: `Four convolutions of stride 2 (8, 16, 32, 32 filters), normalized before the ReLU; SGD with momentum 0.9 and a cosine. Each run sees ${examples} pictures, in batches of 2 to 128; the rate is ${rate} × batch / 32, scaled as in the paper. The running statistics keep their momentum of 0.1, as there.`,
  measured: 'Error on 2,000 held-out pictures with running statistics, and the loss of the last tenth of training.',
  cells: kinds.flatMap((kind) => sizes.map((size) => ({ key: key(kind, size), name: `${nameOf(kind)}, batch ${size}`, kind, size }))),
  seeds: 5,

  async run(lab, { kind, size }, seed) {
    const steps = lab.count(Math.round(examples / size));
    const { trainer, losses, ended } = await lab.train({
      network: stridedNetwork({ norm: /** @type {any} */ (kind) }), seed, size, steps,
      optimizer: { type: 'sgd', learningRate: (rate * size) / 32, momentum: 0.9 }, schedule: { decay: 'cosine', steps },
    });
    const { error } = ended ? { error: 0.9 } : await lab.testDigits(trainer);
    trainer.dispose();
    const last = losses.slice(-Math.ceil(losses.length / 10));
    const curve = smooth(losses, 32, steps);
    return {
      values: { error, loss: last.reduce((a, b) => a + b, 0) / last.length },
      curves: { loss: { x: curve.x.map((s) => s * size), y: curve.y } },
    };
  },

  report(r) {
    const error = (/** @type {string} */ kind, /** @type {number} */ size) => r.mean(key(kind, size), 'error');
    const best = (/** @type {string} */ kind) => sizes.reduce((a, b) => (error(kind, b) < error(kind, a) ? b : a));
    const loses = error('batchNorm', 2) - error('batchNorm', best('batchNorm'));
    const others = Math.min(error('groupNorm', 2), error('layerNorm', 2));
    const clear = ['groupNorm', 'layerNorm'].every((kind) => {
      const d = r.difference(key(kind, 2), key('batchNorm', 2), 'error');
      return d.clear && d.mean > 0;
    });
    const what = r.results.data === 'fashion' ? 'clothes (Fashion-MNIST)' : 'digits';
    return {
      tables: ['error', 'loss'].map((v) => ({
        caption: v === 'error' ? `Error on held-out ${what}, by batch size` : 'Loss in the last tenth of training, by batch size',
        head: ['normalization', ...sizes.map(String)],
        rows: kinds.map((kind) => [nameOf(kind), ...sizes.map((size) => r.text(key(kind, size), v, v === 'error'))]),
      })),
      charts: [
        {
          type: 'lines', id: 'e3-error', title: `Error on held-out ${what}`, x: { label: 'pictures in a batch', log: true, ticks: sizes }, y: { label: 'wrong', percent: true, min: 0 },
          series: kinds.map((kind) => ({
            name: nameOf(kind), kind, points: true, x: sizes, y: sizes.map((s) => error(kind, s)),
            low: sizes.map((s) => error(kind, s) - r.std(key(kind, s), 'error')), high: sizes.map((s) => error(kind, s) + r.std(key(kind, s), 'error')),
          })),
        },
        {
          type: 'lines', id: 'e3-loss', title: 'Loss while training with two pictures a batch', x: { label: 'pictures seen' }, y: { label: 'loss', min: 0 },
          series: kinds.map((kind) => r.series(key(kind, 2), 'loss', { name: nameOf(kind), kind })),
        },
      ],
      holds: clear && loses > 0.01 ? 'yes' : loses > 0 && error('batchNorm', 2) > others ? 'partly' : 'no',
      verdict: `With two pictures a batch BatchNorm’s error is ${r.text(key('batchNorm', 2), 'error', true)}, at its best size (${best('batchNorm')}) ${r.text(key('batchNorm', best('batchNorm')), 'error', true)}. GroupNorm and LayerNorm reach ${r.text(key('groupNorm', 2), 'error', true)} and ${r.text(key('layerNorm', 2), 'error', true)} with two. `
        + `The training loss shows it more plainly: ${r.text(key('batchNorm', 2), 'loss')} against ${r.text(key('groupNorm', 2), 'loss')}, because the statistics of two pictures are noise that the network has to learn through. `
        + `With 128 pictures a batch all are worse, for there are only ${Math.round(examples / 128)} steps, and BatchNorm is the ${error('batchNorm', 128) < Math.min(error('groupNorm', 128), error('layerNorm', 128)) ? 'best' : 'worst'} of the three: it learns fastest.`,
    };
  },
};
