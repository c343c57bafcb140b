// Which normalization four answers lead to, why, and which of the experiments bear on it. No DOM here.

/** @typedef {{ task: 'classify' | 'locate' | 'generate' | 'restyle', data: 'images' | 'sequences', batch: 'one' | 'few' | 'many', mode: 'training' | 'inference' }} Answers */
/** @typedef {'batchNorm' | 'layerNorm' | 'groupNorm' | 'instanceNorm' | 'rmsNorm'} Kind */

export const questions = /** @type {const} */ ([
  { id: 'task', text: 'What should the network do?', options: [['classify', 'Classify, or predict a number'], ['locate', 'Label every place: segment, detect, tag'], ['generate', 'Generate'], ['restyle', 'Change the style']] },
  { id: 'data', text: 'What goes in?', options: [['images', 'Images'], ['sequences', 'Sequences: text, sound, measurements']] },
  { id: 'batch', text: 'How many examples are in a training batch?', options: [['one', '1'], ['few', '2 to 15'], ['many', '16 or more']] },
  { id: 'mode', text: 'What is the code for?', options: [['training', 'Training'], ['inference', 'Inference']] },
]);

export const NAMES = /** @type {Record<Kind, string>} */ ({ batchNorm: 'BatchNorm', layerNorm: 'LayerNorm', groupNorm: 'GroupNorm', instanceNorm: 'InstanceNorm', rmsNorm: 'RMSNorm' });

/** What the experiments look at, in a line each, and who said it first. The numbers are those of the papers. */
export const claims = /** @type {Record<number, { text: string, source: string }>} */ ({
  1: { text: 'BatchNorm speeds up training', source: 'Ioffe and Szegedy 2015: as accurate in 14 times fewer steps' },
  2: { text: 'BatchNorm allows larger learning rates', source: 'Bjorck et al. 2018: that is where its gain comes from' },
  3: { text: 'BatchNorm suffers with small batches, GroupNorm does not', source: 'Wu and He 2018: from 32 to 2 examples the error goes from 23.6 to 34.7 % with BatchNorm, from 24.1 to 24.1 % with GroupNorm' },
  4: { text: 'BatchNorm computes different things in training and in inference', source: 'Wu and Johnson 2021' },
  5: { text: 'BatchNorm’s output depends on the neighbours in the batch', source: 'By definition' },
  6: { text: 'LayerNorm suits recurrent networks and sequences of varying length', source: 'Ba et al. 2016' },
  7: { text: 'LayerNorm suits transformers, BatchNorm does not', source: 'Shen et al. 2020 (PowerNorm): 35.5 against 34.4 BLEU in translation' },
  8: { text: 'Where LayerNorm stands matters: behind the sum it needs a warm-up', source: 'Xiong et al. 2020: 8.45 BLEU without' },
  9: { text: 'RMSNorm is as good and cheaper', source: 'Zhang and Sennrich 2019: 7 to 64 % less time' },
  12: { text: 'A transformer can do without: dynamic tanh in place of LayerNorm', source: 'Zhu et al. 2025' },
});

/**
 * Every combination has an answer.
 * @param {Answers} a
 * @returns {{ kind: Kind, why: string[], instead: string, claims: number[] }}
 */
export function choose(a) {
  const { kind, why, instead, claims: evidence } = a.data === 'images' ? forImages(a) : forSequences(a);
  const then = a.mode === 'training' ? [] : [kind === 'batchNorm'
    ? 'In inference its mean and variance are constants from training, whatever comes with the example: switch the network to inference, or fold the normalization into the convolution.'
    : 'In inference it computes what it computed in training: there is nothing to switch.'];
  if (a.mode === 'inference') then.push('A trained network keeps the normalization that it was trained with.');
  const more = a.mode === 'inference' && kind === 'batchNorm' ? [4] : [];
  return { kind, why: [...why, ...then], instead, claims: [...new Set([...evidence, ...more])].sort((x, y) => x - y) };
}

/** @param {Answers} a @returns {{ kind: Kind, why: string[], instead: string, claims: number[] }} */
function forImages({ task, batch }) {
  if (task === 'restyle') {
    return {
      kind: 'instanceNorm',
      why: ['Much of a picture’s style is in the mean and spread of its channels. InstanceNorm takes these out of each picture by itself, and the network sets new ones.', ...(batch === 'one' ? ['That works with one picture as with many.'] : [])],
      instead: 'GroupNorm, where brightness and contrast mean something. (Ulyanov et al. 2016 is the source; the experiments here have no style in them, only the independence of neighbours.)',
      claims: [5],
    };
  }
  if (task === 'generate') {
    return {
      kind: 'groupNorm',
      why: ['What a generator draws should not depend on what else is drawn in the same batch. GroupNorm measures each picture by itself; the networks of diffusion models have it.', ...(batch === 'many' ? [] : ['It does not mind a small batch.'])],
      instead: batch === 'many' ? 'BatchNorm, as the first adversarial networks had it: batches of your size allow it.' : 'LayerNorm over the channels, as vision transformers have it.',
      claims: [3, 5],
    };
  }
  const large = task === 'locate' ? 'Pictures to be labelled place by place are large, so that few fit into a batch. ' : '';
  if (batch === 'many') {
    return {
      kind: 'batchNorm',
      why: ['The mean and variance of 16 or more pictures are steady enough. With BatchNorm a convolutional network learns in fewer steps and stands larger ones; after training it costs nothing, since it is folded into the convolution before it.'],
      instead: 'GroupNorm, if the answer must not depend on the other examples in training either; LayerNorm in a vision transformer.',
      claims: [1, 2, 3],
    };
  }
  if (batch === 'few') {
    return {
      kind: 'groupNorm',
      why: [`${large}The fewer examples there are, the more their mean and variance are left to chance, and BatchNorm with them. GroupNorm measures each picture by itself: the size of the batch does not matter.`],
      instead: 'BatchNorm whose statistics are merged over several workers, or frozen from an earlier training.',
      claims: [3, 4, 5],
    };
  }
  return {
    kind: 'groupNorm',
    why: [`${large}One example is no batch: BatchNorm would measure each picture alone in training, and use an average of such measurements in inference, which is something else. GroupNorm computes the same in both.`],
    instead: 'InstanceNorm, where the contrast of a picture does not matter; BatchNorm only with frozen statistics.',
    claims: [3, 4, 5],
  };
}

/** @param {Answers} a @returns {{ kind: Kind, why: string[], instead: string, claims: number[] }} */
function forSequences({ task, batch }) {
  const size = batch === 'one' ? ' A batch of one is no different to it.' : batch === 'few' ? ' A small batch is no different to it.' : ' With text in large models, a batch’s statistics were found to change from step to step more than BatchNorm’s running ones can follow.';
  if (task === 'restyle') {
    return {
      kind: 'instanceNorm',
      why: ['The mean and spread of each channel over time belong to the speaker or the instrument more than to what is said. InstanceNorm takes them out of each example by itself, and the network sets new ones.'],
      instead: 'LayerNorm, where no step may know of those behind it, as in text that is written: InstanceNorm measures over all of the time. (The experiments here have no style in them, only the independence of neighbours.)',
      claims: [5],
    };
  }
  if (task === 'generate') {
    return {
      kind: 'rmsNorm',
      why: [`Most newer language models have RMSNorm, before attention and before the dense layers: each step is measured by itself, so that none sees what comes later, and without the mean it costs less than LayerNorm.${size}`],
      instead: 'LayerNorm, which is as good; for a recurrent network it is the usual one. Dynamic tanh, which measures nothing at all, is a newer proposal.',
      claims: [7, 8, 9, 12],
    };
  }
  return {
    kind: 'layerNorm',
    why: [`Each step is measured by itself over its channels: the length of the sequences and what else is in the batch do not matter.${size}`, 'Put it before attention and before the dense layers, not behind the sum.'],
    instead: 'RMSNorm, which is as good and cheaper.',
    claims: batch === 'many' ? [6, 7, 8] : [5, 6, 7, 8],
  };
}

/** All combinations of answers. @returns {Generator<Answers>} */
export function* combinations() {
  for (const [task] of questions[0].options) for (const [data] of questions[1].options) for (const [batch] of questions[2].options) for (const [mode] of questions[3].options) yield { task, data, batch, mode };
}
