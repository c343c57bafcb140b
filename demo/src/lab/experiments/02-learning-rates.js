import { number } from '../chart.js';
import { denseNetwork, nameOf } from '../networks.js';

const kinds = /** @type {const} */ (['none', 'batchNorm', 'layerNorm', 'groupNorm']);
const depths = [2, 8];
const rates = [0.01, 0.03, 0.1, 0.3, 1, 3, 10];
const steps = 100;
/** Right of the held-out digits: well above what guessing reaches. */
const alive = 0.5;
const name = (/** @type {number} */ depth, /** @type {number} */ rate) => `${depth} layers, rate ${rate}`;

/** @type {import('../run.js').Experiment} */
export default {
  id: 2,
  slug: 'learning-rates',
  title: 'BatchNorm allows higher learning rates',
  claim: 'With BatchNorm a network still learns at rates at which it otherwise does not, and that is where its gain comes from.',
  source: {
    text: 'Bjorck et al.: Understanding Batch Normalization (2018)',
    url: 'https://arxiv.org/abs/1806.02375',
    numbers: 'ResNet-110 on CIFAR-10: without BatchNorm it trains at a rate of at most 0.0001, with it at 0.1; at the low rate both generalize alike.',
  },
  data: 'digits',
  setting: `Dense layers of 48 ReLU units, 2 or 8 of them, normalized before the ReLU; plain SGD, batches of 32, ${steps} steps.`,
  measured: 'Accuracy on 500 held-out pictures after the last step; a run whose loss is no longer finite counts as guessing.',
  cells: kinds.map((kind) => ({ key: kind, name: nameOf(kind), kind })),
  seeds: 5,

  async run(lab, { kind }, seed) {
    /** @type {Record<string, number>} */
    const values = {};
    for (const depth of depths) {
      for (const rate of rates) {
        const { trainer, ended } = await lab.train({
          network: denseNetwork({ norm: /** @type {any} */ (kind), depth, width: 48, activation: 'relu' }),
          optimizer: { type: 'sgd', learningRate: rate }, seed, size: 32, steps: lab.count(steps),
        });
        values[name(depth, rate)] = ended ? 0.1 : (await lab.testDigits(trainer, { count: 500 })).accuracy;
        trainer.dispose();
      }
    }
    return { values };
  },

  report(r) {
    const highest = (/** @type {string} */ kind, /** @type {number} */ depth) => rates.findLast((rate) => r.mean(kind, name(depth, rate)) >= alive);
    const top = (/** @type {string} */ kind, /** @type {number} */ depth) => {
      const rate = rates.reduce((a, b) => (r.mean(kind, name(depth, b)) > r.mean(kind, name(depth, a)) ? b : a));
      return `${r.text(kind, name(depth, rate), true)} at ${rate}`;
    };
    const gains = depths.map((depth) => (highest('batchNorm', depth) ?? 0) / (highest('none', depth) ?? rates[0]));
    const low = rates[1];
    const peak = (/** @type {string} */ kind, /** @type {number} */ depth) => Math.max(...rates.map((rate) => r.mean(kind, name(depth, rate))));
    const ahead = depths.map((d) => ({
      low: (r.mean('batchNorm', name(d, low)) - r.mean('none', name(d, low))) * 100,
      best: (peak('batchNorm', d) - peak('none', d)) * 100,
    }));
    const list = (/** @type {string} */ kind) => depths.map((d) => highest(kind, d) ?? 'none').join(' and ');
    return {
      tables: [{
        caption: `The highest rate at which at least half of the digits are right after ${steps} steps; the best accuracy and its rate`,
        head: ['normalization', ...depths.flatMap((d) => [`${d} layer${d > 1 ? 's' : ''}: highest rate`, `${d} layer${d > 1 ? 's' : ''}: best`])],
        rows: kinds.map((kind) => [nameOf(kind), ...depths.flatMap((d) => [String(highest(kind, d) ?? 'none'), top(kind, d)])]),
      }],
      charts: kinds.map((kind) => ({
        type: /** @type {const} */ ('cells'), id: `e2-${kind}`, title: `${kind === 'none' ? 'No normalization' : nameOf(kind)}: percent right after ${steps} steps`, kind, percent: true, min: 0.1, max: 1,
        x: { label: 'learning rate', values: rates }, y: { label: 'layers', values: depths },
        values: depths.map((d) => rates.map((rate) => r.value(kind, name(d, rate)).mean)),
      })),
      holds: gains.every((g) => g >= 3) ? 'yes' : gains.some((g) => g >= 3) ? 'partly' : 'no',
      verdict: `With BatchNorm the highest rate that still works is ${depths.map((d, i) => `${number(gains[i])} times as high as without for ${d} layers`).join(', ')}. `
        + `By depth the highest rates are ${list('none')} without normalization, ${list('batchNorm')} with BatchNorm, ${list('layerNorm')} with LayerNorm and ${list('groupNorm')} with GroupNorm, each for ${depths.join(' and ')} layers. `
        + `At one and the same low rate of ${low} BatchNorm is ahead by ${ahead.map((a) => number(a.low)).join(' and ')} points, each at its best rate by ${ahead.map((a) => number(a.best)).join(' and ')}${(ahead.at(-1)?.best ?? 0) > 2 * (ahead.at(-1)?.low ?? 0) ? ': in the deeper network most of the gain comes with the rate, as the paper says' : ''}.`,
    };
  },
};
