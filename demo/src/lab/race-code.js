// The program that makes the same numbers as a race, with Trainer and nothing of this page but its data. A test runs it.

import { networkOf, trainerOptions, variants } from './race-setting.js';

/** @typedef {import('./race-setting.js').Setting} Setting */

/** Stands for the layers of the normalization until the text is written. */
const place = { type: '…norm' };

/** A value as one writes it in JavaScript. @param {any} value @returns {string} */
function written(value) {
  if (value === place) return '...norm';
  if (Array.isArray(value)) return `[${value.map(written).join(', ')}]`;
  if (typeof value === 'object' && value !== null) return `{ ${Object.entries(value).map(([k, v]) => `${k}: ${written(v)}`).join(', ')} }`;
  return typeof value === 'string' ? `'${value}'` : String(value);
}

/** Layers, one a line; those of a residual behind it. @param {any[]} layers @param {string} indent */
const listed = (layers, indent) => layers.map((layer) => `${indent}${written(layer)},`).join('\n');

/**
 * Layers with each normalization replaced by a place for it.
 * @param {any[]} layers @param {any[]} norm the layers of one @returns {any[]}
 */
function opened(layers, norm) {
  const out = [];
  for (let i = 0; i < layers.length; i++) {
    if (norm.length && norm.every((n, k) => JSON.stringify(layers[i + k]) === JSON.stringify(n))) {
      out.push(place);
      i += norm.length - 1;
    } else {
      out.push(layers[i].body ? { ...layers[i], body: opened(layers[i].body, norm) } : layers[i]);
    }
  }
  return out;
}

/** @param {any[]} layers @param {any[]} norm @returns {any[]} */
const filled = (layers, norm) => layers.flatMap((l) => (l === place ? norm : l.body ? [{ ...l, body: filled(l.body, norm) }] : [l]));

/** The first layers of a model that are a normalization, with the noise behind it. @param {any[]} layers @returns {any[]} */
function normOf(layers) {
  for (let i = 0; i < layers.length; i++) {
    if (layers[i].body) {
      const inner = normOf(layers[i].body);
      if (inner.length) return inner;
    } else if (/Norm$|^dynamicTanh$/.test(layers[i].type)) {
      return layers[i + 1]?.type === 'noise' ? [layers[i], layers[i + 1]] : [layers[i]];
    }
  }
  return [];
}

/** @param {any} a @param {any} b */
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/**
 * @param {Setting} setting @param {string} site the address that the data are fetched from, with a slash at its end
 * @param {number} [steps]
 */
export function programOf(setting, site, steps = setting.steps) {
  const [a, b] = [networkOf(setting, 'a').model, networkOf(setting, 'b').model];
  const [normA, normB] = [normOf(a), normOf(b)];
  // One model with a place for the normalization, where the two differ in nothing else.
  const models = [opened(a, normA), opened(b, normB)].filter((model) => same(filled(model, normA), a) && same(filled(model, normB), b));
  const shared = models.find((model) => JSON.stringify(model).includes(JSON.stringify(place)));
  const { input, model: _, loss, seed, optimizer } = trainerOptions(setting, 'a');
  const names = [variants[setting.a].name, variants[setting.b].name];
  if (names[0] === names[1]) names[1] += ', again';
  const network = shared
    ? `const network = (norm) => [\n${listed(shared, '  ')}\n];\nconst models = {\n  '${names[0]}': network(${written(normA)}),\n  '${names[1]}': network(${written(normB)}),\n};`
    : `const models = {\n  '${names[0]}': [\n${listed(a, '    ')}\n  ],\n  '${names[1]}': [\n${listed(b, '    ')}\n  ],\n};`;
  const digits = setting.data === 'digits';
  const changes = setting.changes.filter((c) => c.from < steps);
  const size = changes.length === 0 ? String(setting.batch)
    : `${[...changes].reverse().map((c) => `step >= ${c.from} ? ${c.batch} : `).join('')}${setting.batch}`;
  return `import { Tensor, Trainer } from 'normwasm';
import { ${digits ? 'Digits' : 'Names, nameLoss'} } from './data.js';

const site = '${site}';
const read = async (path) => new Uint8Array(await (await fetch(site + path)).arrayBuffer());
const data = new ${digits ? 'Digits' : 'Names'}({ Tensor, read });
const [heldOut] = await data.test(${digits ? '200, 200' : '100, 100'});

${network}

for (const [name, model] of Object.entries(models)) {
  const trainer = await Trainer.create({
    input: ${written(input)},
    model,
    loss: '${loss}',
    seed: ${seed},
    optimizer: ${written(optimizer)},
    variant: 'simd', // the same bits everywhere; 'auto' may be faster
  });
  const batches = data.stream({ seed: ${setting.seed} });
  for (let step = 0; step < ${steps}; step++) {
    const { loss } = await trainer.step(await batches.next(${size}));
    if (step % ${Math.max(1, Math.round(steps / 10))} === 0) console.log(name, 'step', step + 1, 'loss', loss);
  }
${digits ? `  const { loss, accuracy } = await trainer.evaluate(heldOut);
  console.log(name, 'held-out loss', loss, 'accuracy', accuracy);` : `  const { outputs } = await trainer.evaluate(heldOut);
  console.log(name, 'held-out loss', nameLoss(outputs, heldOut.y).loss);`}
  trainer.dispose();
}
`;
}

