import { number } from '../chart.js';
import { nameOf, transformer } from '../networks.js';
import { smooth } from '../run.js';

const kinds = /** @type {const} */ (['layerNorm', 'rmsNorm']);
const shapes = [[64, 128], [64, 768], [512, 768]];
const steps = 250;
const size = 32;

/** Microseconds of a call: the quickest of many, taken in turn with the other's. @param {(() => void)[]} calls @param {number} rounds */
function times(calls, rounds) {
  const best = calls.map(() => Infinity);
  for (let i = 0; i < rounds; i++) {
    calls.forEach((call, k) => {
      const repeat = 8;
      const begin = performance.now();
      for (let j = 0; j < repeat; j++) call();
      best[k] = Math.min(best[k], ((performance.now() - begin) * 1000) / repeat);
    });
  }
  return best;
}

/** @type {import('../run.js').Experiment} */
export default {
  id: 9,
  slug: 'rms',
  title: 'RMSNorm is as good and cheaper',
  claim: 'RMSNorm, LayerNorm without the mean, is as good and takes less time.',
  source: {
    text: 'Zhang, Sennrich: Root Mean Square Layer Normalization (2019)',
    url: 'https://arxiv.org/abs/1910.07467',
    numbers: 'Quality as LayerNorm’s; a step of training takes 7 to 64 % less time, depending on the network and how it is programmed.',
  },
  data: 'names',
  setting: `The transformer of claim 7, ${steps} steps of ${size} names, AdamW, rate 0.003. Times: this package’s kernels on resident tensors, one thread, and a whole step of training.`,
  measured: 'Loss a letter on 1,000 held-out names; time of a forward normalization in µs, the quickest of many; time of a training step in ms, what the quickest tenth of the steps keeps within.',
  cells: [...kinds.map((kind) => ({ key: kind, name: nameOf(kind), kind })), { key: 'kernels', name: 'kernels alone' }],
  seeds: 5,

  async run(lab, { kind }, seed) {
    if (!kind) {
      const { layerNorm, rmsNorm } = lab.functions;
      /** @type {Record<string, number | null>} */
      const values = {};
      for (const [rows, columns] of shapes) {
        if (!layerNorm) continue; // the module for inference was not started
        const x = new lab.Tensor('float32', Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(i)), [rows, columns]).toWasm();
        const scale = new lab.Tensor('float32', new Float32Array(columns).fill(1), [columns]).toWasm();
        const bias = new lab.Tensor('float32', new Float32Array(columns), [columns]).toWasm();
        const out = lab.Tensor.zeros([rows, columns], { location: 'wasm' });
        const [layer, rms] = times([() => layerNorm(x, { scale, bias, out }), () => rmsNorm(x, { scale, out })], lab.count(400, 2));
        values[`layerNorm ${rows}×${columns}`] = layer;
        values[`rmsNorm ${rows}×${columns}`] = rms;
        for (const t of [x, scale, bias, out]) t.dispose();
        await lab.rest();
      }
      return { values };
    }
    /** @type {number[]} */
    const spent = [];
    let begin = 0;
    const { trainer, losses } = await lab.train({
      network: transformer({ norm: /** @type {any} */ (kind), length: 12 }), data: 'names', seed, size, steps: lab.count(steps), every: 1,
      optimizer: { type: 'adamw', learningRate: 0.003 },
      at: async (step) => {
        const now = performance.now();
        if (step) spent.push(now - begin);
        begin = now;
      },
    });
    const loss = await lab.testNames(trainer);
    trainer.dispose();
    return { values: { loss, ms: spent.sort((a, b) => a - b)[Math.floor(spent.length / 10)] }, curves: { loss: smooth(losses) } };
  },

  report(r) {
    const difference = r.difference('layerNorm', 'rmsNorm', 'loss');
    const names = shapes.map(([a, b]) => `${a}×${b}`);
    const saved = names.map((s) => 1 - r.mean('kernels', `rmsNorm ${s}`) / r.mean('kernels', `layerNorm ${s}`));
    const step = 1 - r.mean('rmsNorm', 'ms') / r.mean('layerNorm', 'ms');
    const good = !difference.clear || difference.mean < 0;
    return {
      tables: [{
        caption: 'Loss a letter on held-out names, and times',
        head: ['normalization', 'loss', 'step of training, ms', ...names.map((s) => `${s}, µs`)],
        rows: kinds.map((kind) => [nameOf(kind), r.text(kind, 'loss'), r.text(kind, 'ms'), ...names.map((s) => r.text('kernels', `${kind} ${s}`))]),
      }],
      charts: [
        {
          type: 'lines', id: 'e9-loss', title: 'Loss while training', x: { label: 'step' }, y: { label: 'loss a place, with the filling' },
          series: kinds.map((kind) => r.series(kind, 'loss', { name: nameOf(kind), kind })),
        },
        {
          type: 'bars', id: 'e9-time', title: 'Time of a normalization', x: { label: 'rows × columns' }, y: { label: 'µs', log: true }, groups: names,
          series: kinds.map((kind) => ({ name: nameOf(kind), kind, values: names.map((s) => r.value('kernels', `${kind} ${s}`).mean) })),
        },
      ],
      holds: good && Math.min(...saved) > 0 ? 'yes' : good ? 'partly' : 'no',
      verdict: `RMSNorm’s loss is ${number(Math.abs(difference.mean))} ${difference.mean > 0 ? 'above' : 'below'} LayerNorm’s, which ${difference.clear ? 'is clear' : 'is within chance'}: ${good ? 'as good' : 'not as good'}. `
        + `Our kernel of RMSNorm takes ${saved.map((s, i) => `${number(Math.abs(s), true)} ${s >= 0 ? 'less' : 'more'} time (${names[i]})`).join(', ')}. `
        + `Of a whole training step that leaves ${number(Math.abs(step), true)} ${step >= 0 ? 'less' : 'more'}: in a small transformer the normalizations are a small part of the work.`,
    };
  },
};
