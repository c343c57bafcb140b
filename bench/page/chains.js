// An operator's own time inside a runtime that is reached by sessions only: a
// chain of 21 nodes less one node. What a run costs besides its nodes, copies in
// and out above all, cancels out.
import { chainModel } from './onnx.js';
import { perNode } from './measure.js';

const LONG = 21;

/**
 * @param {object} o
 * @param {string} o.name
 * @param {(model: Uint8Array) => Promise<any>} o.session Must not fold nodes into one another.
 * @param {(data: Float32Array, dims: number[]) => any} o.tensor
 * @param {Float32Array} o.x
 * @param {number[]} o.dims
 * @param {(y: Float32Array) => void} o.check Is given the result of a single node.
 * The rest describes the node, as for chainModel, or `write` makes the chain of it.
 */
export async function makeChains({ name, session, tensor, x, dims, check, ...node }) {
  const input = tensor(x, dims);
  const contenders = [];
  for (const nodes of [1, LONG]) {
    const s = await session((node.write ?? chainModel)({ ...node, dims, nodes }));
    contenders.push({
      name: `${name}, ${nodes} nodes`,
      session: s,
      run: async (times) => {
        for (let i = 0; i < times; i++) await s.run({ x: input });
      },
    });
  }
  return {
    contenders,
    verify: async () => check((await contenders[0].session.run({ x: input })).y.data),
    result: (measured) => perNode(name, ...contenders.map((c) => measured.find((m) => m.name === c.name)), LONG),
    release: async () => {
      for (const c of contenders) await c.session.release();
    },
  };
}
