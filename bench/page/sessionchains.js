// The chains of a layer's nodes, by what runs models in sessions.
import { chainOfNodes, folds } from './layerlist.js';

const lengthsOf = (layer) => [[2, folds(layer) ? 42 : 12], [12, 22], [22, 44]];

/** What runs models by sessions: 12 nodes, 2, and the whole result of one. */
export async function sessions(name, create, tensor, models, x, dims) {
  const run = async (s) => (await s.run({ x: tensor(x, dims) })).y.data;
  const whole = await create(models.whole);
  const got = [await run(whole)];
  await whole.release();
  const input = tensor(x, dims);
  const contenders = [];
  const open = [];
  for (const [length, model] of models.chains) {
    const s = await create(model);
    open.push(s);
    got.push(await run(s));
    contenders.push({
      name: `${name}, ${length}`,
      run: async (times) => {
        for (let i = 0; i < times; i++) await s.run({ x: input });
      },
    });
  }
  return {
    name, got, contenders,
    release: async () => {
      for (const s of open) await s.release();
    },
  };
}

/**
 * Whether a chain is run by the same operators however long it is. The layout of a graph is chosen when it is prepared, and a short one
 * may not be worth the way into another: then the difference of both would be nobody's time.
 */
async function alike(creators, chains) {
  for (const create of creators) {
    const kinds = [];
    for (const [, model] of chains) {
      const s = await create(model);
      kinds.push(s.operators.map(({ op }) => op).sort().join());
      await s.release();
    }
    if (kinds[0] !== kinds[1]) return false;
  }
  return true;
}

/**
 * The first two chains of a layer that are run alike, with their lengths.
 * @param {any} layer of layerlist.js
 * @param {((model: Uint8Array) => Promise<any>)[]} creators of normwasm's sessions
 * @returns {Promise<[number, Uint8Array][]>}
 */
export async function chainsOf(layer, creators) {
  for (const lengths of lengthsOf(layer)) {
    const made = lengths.map((length) => [length, chainOfNodes(layer, length)]);
    if (await alike(creators, made)) return made;
  }
  throw new Error(`${layer.name}: chains of every length are run by other operators`);
}
