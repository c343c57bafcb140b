import { number } from '../chart.js';
import { denseNetwork, nameOf, stridedNetwork } from '../networks.js';
import { smooth } from '../run.js';

const kinds = /** @type {const} */ (['batchNorm', 'layerNorm']);
/** @type {Record<string, { name: string, make: (o: any) => import('../networks.js').Network, optimizer: Record<string, any>, size: number, steps: number }>} */
const networks = {
  sigmoid: { name: 'three layers of sigmoid units', make: denseNetwork, optimizer: { type: 'sgd', learningRate: 0.5 }, size: 64, steps: 500 },
  convolutions: { name: 'four convolutions with ReLU', make: stridedNetwork, optimizer: { type: 'sgd', learningRate: 0.03, momentum: 0.9 }, size: 32, steps: 250 },
};
const key = (/** @type {string} */ network, /** @type {string} */ kind, /** @type {boolean} */ affine) => `${network} ${kind} ${affine ? 'affine' : 'bare'}`;

/** @type {import('../run.js').Experiment} */
export default {
  id: 11,
  slug: 'affine',
  title: 'Scale and shift matter',
  claim: 'A normalization needs a learnt scale and shift, so that it can express what was there without it.',
  source: {
    text: 'Ioffe, Szegedy: Batch Normalization (2015), section 3',
    url: 'https://arxiv.org/abs/1502.03167',
    numbers: 'None: it is an argument. Inputs of mean 0 and variance 1 would hold a sigmoid in its linear part.',
  },
  data: 'digits',
  setting: 'Two networks with BatchNorm and LayerNorm, with scale and shift and without: three dense layers of 100 sigmoid units (SGD, rate 0.5, 500 steps of 64), and claim 3’s convolutions with ReLU (rate 0.03, momentum 0.9, 250 steps of 32).',
  measured: 'Training loss of the last tenth, and error on 2,000 held-out pictures.',
  cells: Object.keys(networks).flatMap((network) => kinds.flatMap((kind) => [true, false].map((affine) => ({
    key: key(network, kind, affine), name: `${networks[network].name}, ${nameOf(kind)} ${affine ? 'with' : 'without'} scale and shift`, network, kind, affine,
  })))),
  seeds: 5,

  async run(lab, { network, kind, affine }, seed) {
    const { make, optimizer, size, steps } = networks[network];
    const run = lab.count(steps);
    const { trainer, losses } = await lab.train({ network: make({ norm: kind, affine }), optimizer, seed, size, steps: run });
    const { error } = await lab.testDigits(trainer);
    trainer.dispose();
    const last = losses.slice(-Math.ceil(losses.length / 10));
    return { values: { error, loss: last.reduce((a, b) => a + b, 0) / last.length }, curves: { loss: smooth(losses, 40, run) } };
  },

  report(r) {
    const lost = (/** @type {string} */ network, /** @type {string} */ kind, /** @type {string} */ what) => r.difference(key(network, kind, true), key(network, kind, false), what);
    const pairs = Object.keys(networks).flatMap((n) => kinds.map((k) => /** @type {[string, string]} */ ([n, k])));
    const clear = (/** @type {string} */ what) => pairs.filter(([n, k]) => lost(n, k, what).clear && lost(n, k, what).mean > 0);
    const [hurt, slower] = [clear('error'), clear('loss')];
    const where = (/** @type {[string, string]} */ [n, k]) => `${nameOf(k)}, ${n === 'sigmoid' ? 'sigmoid units' : 'convolutions'}`;
    return {
      tables: [{
        caption: 'Error on held-out digits, and training loss',
        head: ['network', 'normalization', 'error with', 'error without', 'loss with', 'loss without'],
        rows: pairs.map(([n, k]) => [networks[n].name, nameOf(k), ...['error', 'loss'].flatMap((v) => [true, false].map((a) => r.text(key(n, k, a), v, v === 'error')))]),
      }],
      charts: Object.keys(networks).map((n) => ({
        type: /** @type {const} */ ('lines'), id: `e11-${n}`, title: `Loss while training: ${networks[n].name}`, x: { label: 'step' }, y: { label: 'loss', min: 0 },
        series: kinds.flatMap((kind) => [true, false].map((affine) => r.series(key(n, kind, affine), 'loss', { name: `${nameOf(kind)}${affine ? '' : ', bare'}`, kind, dash: affine ? 0 : 1 }))),
      })),
      holds: hurt.length === pairs.length ? 'yes' : hurt.length || slower.length > pairs.length / 2 ? 'partly' : 'no',
      verdict: `Without scale and shift the training loss is higher in ${slower.length} of ${pairs.length} cases: by ${pairs.map((p) => `${number(lost(...p, 'loss').mean)} (${where(p)})`).join(', ')}. `
        + `The error on held-out digits changes by ${pairs.map((p) => number(lost(...p, 'error').mean * 100)).join(', ')} points; positive is worse. `
        + `${hurt.length === 0 ? 'None of these is clear: in small networks the linear layers behind take over much of what scale and shift would do' : hurt.length < pairs.length ? `Clear is ${hurt.map(where).join(' and ')}` : 'All of it is clear'}.`,
    };
  },
};
