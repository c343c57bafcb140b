import { number } from '../chart.js';
import { stridedNetwork } from '../networks.js';
import { dispose } from '../run.js';

const sizes = [2, 4, 32];
const examples = 6000;
const key = (/** @type {number} */ size) => `batch ${size}`;
/** How a network that was trained can be asked. */
const ways = /** @type {const} */ ([
  ['running', 'running statistics, momentum 0.1'],
  ['precise', 'precise statistics, of 2,000 pictures'],
  ['batch', 'statistics of the test’s own batches of 32'],
  ['pair', 'statistics of the test’s own batches of 4'],
  ['single', 'statistics of each picture alone'],
]);

/** @type {import('../run.js').Experiment} */
export default {
  id: 4,
  slug: 'inference',
  title: 'BatchNorm differs between training and inference',
  claim: 'What BatchNorm computes in training is not what it computes afterwards; with small batches that costs accuracy, and better statistics win it back.',
  source: {
    text: 'Wu, Johnson: Rethinking “Batch” in BatchNorm (2021); Singh, Shrivastava: EvalNorm (2019)',
    url: 'https://arxiv.org/abs/2105.07576',
    numbers: 'ResNet-50 on ImageNet: exact statistics in place of moving averages matter most at small batches and early in training; EvalNorm wins 6 points at a batch of 2.',
  },
  data: 'digits',
  setting: `The network of claim 3 with BatchNorm, trained on ${examples} pictures in batches of 2, 4 and 32 (rate 0.03 × batch / 32, momentum 0.9), without lowering the rate at the end: weights still move when training stops, as when one looks at a network in between.`,
  measured: 'Error of one and the same weights on held-out pictures, by where the statistics come from.',
  cells: sizes.map((size) => ({ key: key(size), name: `trained in batches of ${size}`, size })),
  seeds: 5,

  async run(lab, { size }, seed) {
    const steps = lab.count(Math.round(examples / size));
    const curve = { x: /** @type {number[]} */ ([]), running: /** @type {number[]} */ ([]), batch: /** @type {number[]} */ ([]) };
    const { trainer } = await lab.train({
      network: stridedNetwork({ norm: 'batchNorm' }), seed, size, steps, optimizer: { type: 'sgd', learningRate: (0.03 * size) / 32, momentum: 0.9 }, every: Math.max(1, Math.round(steps / 10)),
      at: async (step, t) => {
        if (step === 0 || curve.x.length === 10) return;
        curve.x.push(step * size);
        curve.running.push((await lab.testDigits(t, { count: 500 })).error);
        curve.batch.push((await lab.testDigits(t, { count: 500, statistics: 'batch', size: 100 })).error);
      },
    });
    /** @type {Record<string, number>} */
    const values = { running: (await lab.testDigits(trainer)).error };
    for (const [name, many, count] of /** @type {const} */ ([['batch', 32, 2000], ['pair', 4, 2000], ['single', 1, 500]])) {
      values[name] = (await lab.testDigits(trainer, { statistics: 'batch', size: many, count })).error;
    }
    // As many pictures as are usual for this, of those that were learnt from.
    const order = lab.digits.stream({ seed });
    const batches = [];
    for (let i = 0; i < 20; i++) batches.push(await order.next(lab.count(100, 10)));
    await trainer.recomputeStatistics(batches);
    batches.forEach(dispose);
    values.precise = (await lab.testDigits(trainer)).error;
    trainer.dispose();
    return { values, curves: { running: { x: curve.x, y: curve.running }, batch: { x: curve.x, y: curve.batch } } };
  },

  report(r) {
    const gained = (/** @type {number} */ size) => r.difference(key(size), key(size), 'precise', 'running');
    const clear = sizes.filter((s) => gained(s).clear && gained(s).mean > 0);
    const alone = r.difference(key(4), key(4), 'running', 'single');
    return {
      tables: [{
        caption: 'Error on held-out digits of the same weights, by the statistics used',
        head: ['statistics', ...sizes.map((s) => `trained in batches of ${s}`)],
        rows: ways.map(([v, text]) => [text, ...sizes.map((s) => r.text(key(s), v, true))]),
      }],
      charts: [
        {
          type: 'bars', id: 'e4-ways', title: 'Error of the same weights, by the statistics used', x: { label: 'pictures in a batch of training' }, y: { label: 'wrong', percent: true, min: 0 },
          groups: sizes.map(String),
          series: [['running', 'running'], ['precise', 'precise'], ['batch', 'own batches of 32'], ['single', 'each alone']].map(([v, name], i) => ({
            name, kind: 'batchNorm', ...(i && { dash: i }), values: sizes.map((s) => r.value(key(s), v).mean), spread: sizes.map((s) => r.value(key(s), v).std),
          })),
        },
        {
          type: 'lines', id: 'e4-curve', title: 'Error while training in batches of 2', x: { label: 'pictures seen' }, y: { label: 'wrong', percent: true, min: 0 },
          series: [r.series(key(2), 'running', { name: 'running statistics', kind: 'batchNorm' }), r.series(key(2), 'batch', { name: 'batches of 100', kind: 'batchNorm', dash: 1 })],
        },
      ],
      holds: clear.includes(2) ? 'yes' : clear.length || (alone.clear && alone.mean > 0) ? 'partly' : 'no',
      verdict: `Precise statistics in place of the running ones lower the error by ${sizes.map((s) => `${number(gained(s).mean * 100)} points (batches of ${s})`).join(', ')}, which is ${clear.length === sizes.length ? 'clear' : clear.length ? `clear for batches of ${clear.join(' and ')}` : 'not clear for any: here the running averages are good enough, and what small batches cost was lost while training (claim 3)'}. `
        + `The difference that one meets in practice is another: with the statistics of each picture alone the error is ${r.text(key(4), 'single', true)} in place of ${r.text(key(4), 'running', true)} (trained in batches of 4). Whoever forgets to switch BatchNorm to inference gets that for a batch of one. `
        + `With the statistics of 32 pictures it is ${r.text(key(4), 'batch', true)}.`,
    };
  },
};
