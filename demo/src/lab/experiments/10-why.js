import { number } from '../chart.js';
import { denseNetwork } from '../networks.js';
import { dispose, smooth } from '../run.js';

const variants = /** @type {const} */ ([
  { key: 'none', name: 'no normalization', norm: 'none', kind: 'none' },
  { key: 'batch', name: 'BatchNorm', norm: 'batchNorm', kind: 'batchNorm' },
  { key: 'noise', name: 'BatchNorm, then noise', norm: 'batchNorm', noise: 0.5, kind: 'f' },
  { key: 'layer', name: 'LayerNorm', norm: 'layerNorm', kind: 'layerNorm' },
]);
const steps = 420;
const rate = 0.1;
const size = 64;
const along = [0.1, 0.2, 0.4, 0.8, 1.6];
const every = 60;

/** @type {import('../run.js').Experiment} */
export default {
  id: 10,
  slug: 'why',
  title: 'It is not (only) covariate shift',
  claim: 'Noise behind BatchNorm, which makes the distributions between layers unsteady again, hardly hurts; BatchNorm helps because the loss is smoother.',
  source: {
    text: 'Santurkar et al.: How Does Batch Normalization Help Optimization? (2018), figures 2 and 4',
    url: 'https://arxiv.org/abs/1805.11604',
    numbers: 'VGG on CIFAR-10: with noise behind BatchNorm nearly as fast as with BatchNorm alone, and much faster than without it. Along the gradient the loss varies less with BatchNorm.',
  },
  data: 'digits',
  setting: `Three dense layers of 100 sigmoid units, plain SGD, rate ${rate}, ${steps} steps of ${size} pictures. The noise has standard deviation 0.5, half of what BatchNorm leaves; it is drawn anew for each number of each step. (The paper’s noise also has a mean and variance that change with every step.)`,
  measured: `Loss while training, accuracy on held-out pictures. Along the gradient: every ${every} steps the weights are taken, steps of ${along.join(', ')} × gradient are made from them, each with a trainer of its own, and the loss of the same batch is computed there; the difference between the largest and the smallest.`,
  cells: [...variants],
  seeds: 5,

  async run(lab, { norm, noise }, seed) {
    // Without noise where it is measured: what varies then is the loss alone.
    const network = denseNetwork({ norm, noise });
    const still = denseNetwork({ norm });
    const probe = lab.digits.stream({ seed: 1000 + seed });
    const range = { x: /** @type {number[]} */ ([]), y: /** @type {number[]} */ ([]) };
    const run = lab.count(steps);
    const { trainer, losses } = await lab.train({
      network, seed, size, steps: run, optimizer: { type: 'sgd', learningRate: rate }, every: Math.min(every, Math.ceil(run / 2)),
      at: async (step, t) => {
        if (noise) return;
        const file = await t.save();
        const batch = await probe.batch(step * size, 256);
        const found = [(await evaluate(t, batch)).loss];
        for (const far of along) {
          await lab.rest();
          const other = await lab.create({ ...still, seed, optimizer: { type: 'sgd', learningRate: far } });
          await other.load(file);
          await other.step(batch);
          found.push((await evaluate(other, batch)).loss);
          other.dispose();
        }
        dispose(batch);
        range.x.push(step);
        range.y.push(Math.max(...found) - Math.min(...found));
      },
    });
    const { accuracy } = await lab.testDigits(trainer);
    trainer.dispose();
    const last = losses.slice(-Math.ceil(losses.length / 10));
    /** @type {Record<string, number>} */
    const values = { accuracy, loss: last.reduce((a, b) => a + b, 0) / last.length };
    if (!noise) values.range = range.y.reduce((a, b) => a + b, 0) / range.y.length;
    return { values, curves: { loss: smooth(losses, 40, run), ...(!noise && { range }) } };
  },

  report(r) {
    const [none, batch, noise] = ['none', 'batch', 'noise'].map((k) => r.mean(k, 'loss'));
    const kept = (none - noise) / (none - batch);
    const smoother = r.mean('none', 'range') > r.mean('batch', 'range');
    return {
      tables: [{
        caption: `After ${steps} steps`,
        head: ['', 'right of the held-out digits', 'training loss', 'variation of the loss along the gradient'],
        rows: variants.map(({ key, name }) => [name, r.text(key, 'accuracy', true), r.text(key, 'loss'), r.text(key, 'range')]),
      }],
      charts: [
        {
          type: 'lines', id: 'e10-loss', title: 'Loss while training', x: { label: 'step' }, y: { label: 'loss', min: 0 },
          series: variants.map(({ key, name, kind }) => r.series(key, 'loss', { name, kind })),
        },
        {
          type: 'lines', id: 'e10-range', title: 'Variation of the loss along the gradient', x: { label: 'step' }, y: { label: 'largest less smallest', min: 0 },
          series: variants.filter(({ key }) => key !== 'noise').map(({ key, name, kind }) => r.series(key, 'range', { name, kind, points: true })),
        },
      ],
      holds: kept > 0.7 && smoother ? 'yes' : kept > 0.5 || smoother ? 'partly' : 'no',
      verdict: `With noise behind it BatchNorm keeps ${number(kept, true)} of its lead in training loss, and ${r.text('noise', 'accuracy', true)} of the held-out digits are right, against ${r.text('batch', 'accuracy', true)} without noise and ${r.text('none', 'accuracy', true)} without BatchNorm. So steady distributions are not what it lives on. `
        + `Along the gradient the loss varies by ${r.text('batch', 'range')} with BatchNorm and by ${r.text('none', 'range')} without: ${smoother ? 'smoother, as the paper says' : 'more, not less. The paper’s second statement did not show: without BatchNorm the gradients of sigmoid units are so small that such steps hardly go anywhere, which also looks smooth'}. `
        + `With LayerNorm it varies by ${r.text('layer', 'range')}${r.mean('layer', 'range') > r.mean('none', 'range') && r.mean('layer', 'loss') < none / 2 ? `, more than without any normalization, and yet that network learns (${r.text('layer', 'accuracy', true)}): smoothness in this sense is not the whole reason either` : ''}.`,
    };
  },
};

/** @param {any} trainer @param {any} batch */
async function evaluate(trainer, batch) {
  const r = await trainer.evaluate(batch, { statistics: 'batch' });
  r.outputs.dispose();
  return r;
}
