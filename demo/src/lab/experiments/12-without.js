import { number } from '../chart.js';
import { transformer } from '../networks.js';
import { smooth } from '../run.js';

const depth = 2;
const steps = 250;
const size = 32;
const rates = [0.001, 0.01];
const variants = /** @type {const} */ ([
  { id: 'layer', name: 'LayerNorm', norm: 'layerNorm', kind: 'layerNorm' },
  { id: 'tanh', name: 'dynamic tanh, α = 0.5', norm: 'dynamicTanh', alpha: 0.5, kind: 'dynamicTanh' },
  { id: 'steep', name: 'dynamic tanh, α = 2', norm: 'dynamicTanh', alpha: 2, kind: 'dynamicTanh' },
  { id: 'none', name: 'nothing', norm: 'none', kind: 'none' },
]);
const key = (/** @type {string} */ id, /** @type {number} */ rate) => `${id} ${rate}`;

/** @type {import('../run.js').Experiment} */
export default {
  id: 12,
  slug: 'without',
  title: 'One can do without normalization',
  claim: 'A transformer with dynamic tanh, scale · tanh(αx) + shift, in place of LayerNorm is as good, without any statistics.',
  source: {
    text: 'Zhu et al.: Transformers without Normalization (2025)',
    url: 'https://arxiv.org/abs/2503.10622',
    numbers: 'ViT-B on ImageNet 82.3 % with LayerNorm, 82.5 % with dynamic tanh; language models of 7 to 70 billion weights reach the loss of RMSNorm.',
  },
  data: 'names',
  setting: `A transformer of ${depth} layers, width 32, four heads, on given names letter by letter, normalized inside the branch; AdamW at two rates, ${steps} steps of ${size} names. α begins at 0.5, the paper’s usual value, or at 2, and is learnt.`,
  measured: 'Loss a letter on 1,000 held-out names.',
  cells: variants.flatMap((v) => rates.map((rate) => ({ ...v, key: key(v.id, rate), name: `${v.name}, rate ${rate}`, rate }))),
  seeds: 5,

  async run(lab, { norm, alpha, rate }, seed) {
    const run = lab.count(steps);
    const { trainer, losses, ended } = await lab.train({
      network: transformer({ norm, alpha, length: 12, depth }), data: 'names', seed, size, steps: run, optimizer: { type: 'adamw', learningRate: rate },
    });
    const loss = ended ? null : await lab.testNames(trainer);
    trainer.dispose();
    return { values: { loss }, curves: { loss: smooth(losses, 40, run) } };
  },

  report(r) {
    const best = (/** @type {string} */ id) => rates.reduce((a, b) => (r.mean(key(id, b), 'loss') < r.mean(key(id, a), 'loss') ? b : a));
    const loss = (/** @type {string} */ id) => r.mean(key(id, best(id)), 'loss');
    const tanh = loss('tanh') < loss('steep') ? 'tanh' : 'steep';
    const difference = r.difference(key('layer', best('layer')), key(tanh, best(tanh)), 'loss');
    const good = !difference.clear || difference.mean < 0;
    const nothing = r.difference(key('none', best('none')), key(tanh, best(tanh)), 'loss');
    const slow = rates[0];
    return {
      tables: [{
        caption: `Loss a letter on held-out names after ${steps} steps, in nats`,
        head: ['', ...rates.map((rate) => `rate ${rate}`)],
        rows: variants.map(({ id, name }) => [name, ...rates.map((rate) => r.text(key(id, rate), 'loss'))]),
      }],
      charts: rates.map((rate, i) => ({
        type: /** @type {const} */ ('lines'), id: `e12-${i}`, title: `Loss while training, rate ${rate}`, x: { label: 'step' }, y: { label: 'loss a place, with the filling' },
        series: variants.map(({ id, name, kind }) => r.series(key(id, rate), 'loss', { name, kind, dash: id === 'steep' ? 1 : 0 })),
      })),
      holds: good ? 'yes' : difference.mean <= 0.05 ? 'partly' : 'no',
      verdict: `Each at its best rate, dynamic tanh reaches ${r.text(key(tanh, best(tanh)), 'loss')} and LayerNorm ${r.text(key('layer', best('layer')), 'loss')}; without either it is ${r.text(key('none', best('none')), 'loss')}. `
        + `${good ? `The claim holds: the difference is ${number(Math.abs(difference.mean))}, ${difference.clear ? 'clearly in favour of dynamic tanh' : 'within chance'}` : `Dynamic tanh is ${number(difference.mean)} behind, which is clear`}. But what it is compared with matters: ${nothing.clear && nothing.mean < 0 ? 'with nothing in its place the network is worse' : 'with nothing in its place the network is as good too, so such a small network does not show what a normalization is for'}. `
        + `At the low rate of ${slow} it is ${r.text(key('layer', slow), 'loss')} with LayerNorm, ${r.text(key('tanh', slow), 'loss')} with dynamic tanh from α = 0.5 and ${r.text(key('steep', slow), 'loss')} from α = 2: where α begins matters, as the paper says too.`,
    };
  },
};
