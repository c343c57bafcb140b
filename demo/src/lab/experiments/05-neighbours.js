import { number } from '../chart.js';
import { nameOf, stridedNetwork } from '../networks.js';
import { mix, random } from '../random.js';
import { dispose } from '../run.js';

const kinds = /** @type {const} */ (['batchNorm', 'layerNorm', 'groupNorm']);
const sizes = [2, 4, 8, 32];
const pictures = 20;
const rounds = 10;

/** @type {import('../run.js').Experiment} */
export default {
  id: 5,
  slug: 'neighbours',
  title: 'BatchNorm’s output depends on the neighbours',
  claim: 'With statistics of the batch, the answer for a picture depends on which pictures are with it; LayerNorm’s does not.',
  source: { text: 'It follows from the definition; Ioffe, Szegedy (2015), section 3', url: 'https://arxiv.org/abs/1502.03167', numbers: 'None: a property of the formula. LayerNorm’s and GroupNorm’s spread must be exactly 0.' },
  data: 'digits',
  setting: `The network of claim 3, trained on 4,000 pictures in batches of 32. Then ${pictures} held-out pictures, each in ${rounds} batches with others drawn at random, with statistics of the batch.`,
  measured: 'Standard deviation of a picture’s ten logits over the ten batches, mean over pictures and classes; how many pictures do not get the same answer each time.',
  cells: kinds.map((kind) => ({ key: kind, name: nameOf(kind), kind })),
  seeds: 5,

  async run(lab, { kind }, seed) {
    const { trainer } = await lab.train({
      network: stridedNetwork({ norm: /** @type {any} */ (kind) }), seed, size: 32, steps: lab.count(125),
      optimizer: { type: 'sgd', learningRate: 0.03, momentum: 0.9 },
    });
    const { digits } = lab;
    await digits.load(digits.trainCount, digits.count);
    /** @type {Record<string, number>} */
    const values = {};
    const many = lab.count(pictures, 3);
    const ask = async (/** @type {number[]} */ indices, /** @type {'batch' | 'running'} */ statistics) => {
      await lab.rest();
      const batch = digits.batch(indices);
      const { outputs } = await trainer.evaluate(batch, { statistics });
      const logits = Array.from(outputs.data).slice(0, 10);
      outputs.dispose();
      dispose(batch);
      return logits;
    };
    for (const [name, size, statistics] of /** @type {[string, number, 'batch' | 'running'][]} */ ([...sizes.map((s) => [String(s), s, 'batch']), ['running', 8, 'running']])) {
      const draw = random(mix(seed, size));
      let sum = 0;
      let unsteady = 0;
      for (let p = 0; p < many; p++) {
        const logits = [];
        for (let round = 0; round < rounds; round++) {
          const others = Array.from({ length: size - 1 }, () => digits.trainCount + pictures + draw(digits.count - digits.trainCount - pictures));
          logits.push(await ask([digits.trainCount + p, ...others], statistics));
        }
        for (let c = 0; c < 10; c++) {
          const mean = logits.reduce((s, l) => s + l[c], 0) / rounds;
          sum += Math.sqrt(logits.reduce((s, l) => s + (l[c] - mean) ** 2, 0) / rounds) / 10;
        }
        if (new Set(logits.map((l) => l.indexOf(Math.max(...l)))).size > 1) unsteady++;
      }
      values[`spread ${name}`] = sum / many;
      values[`unsteady ${name}`] = unsteady / many;
    }
    trainer.dispose();
    return { values };
  },

  report(r) {
    const columns = [...sizes.map(String), 'running'];
    const zero = ['layerNorm', 'groupNorm'].every((kind) => columns.every((c) => r.value(kind, `spread ${c}`).all.every((v) => v === 0)));
    return {
      tables: [['spread', 'Standard deviation of a logit over ten batches'], ['unsteady', 'Pictures whose answer changes with the neighbours']].map(([v, caption]) => ({
        caption,
        head: ['normalization', ...sizes.map((s) => `batch of ${s}`), 'running statistics'],
        rows: kinds.map((kind) => [nameOf(kind), ...columns.map((c) => r.text(kind, `${v} ${c}`, v === 'unsteady'))]),
      })),
      charts: [{
        type: 'bars', id: 'e5-spread', title: 'How much a logit changes with the neighbours', x: { label: 'pictures in the batch' }, y: { label: 'standard deviation', min: 0 },
        groups: sizes.map(String),
        series: kinds.map((kind) => ({ name: nameOf(kind), kind, values: sizes.map((s) => r.value(kind, `spread ${s}`).mean), spread: sizes.map((s) => r.value(kind, `spread ${s}`).std) })),
      }],
      holds: zero && r.mean('batchNorm', 'spread 2') > 0 && r.mean('batchNorm', 'spread running') === 0 ? 'yes' : 'no',
      verdict: `In a batch of two, BatchNorm’s logits vary by ${r.text('batchNorm', 'spread 2')}, and ${number(r.mean('batchNorm', 'unsteady 2'), true)} of the pictures do not get the same answer each time; in a batch of 32 it is ${r.text('batchNorm', 'spread 32')} and ${number(r.mean('batchNorm', 'unsteady 32'), true)}. `
        + `${zero ? 'LayerNorm and GroupNorm give the same logits to the last bit, whoever is beside.' : 'LayerNorm or GroupNorm varied, which must not be.'} So does BatchNorm with its running statistics.`,
    };
  },
};
