// Training steps by normwasm's Trainer.

/**
 * @param {any} api
 * @param {string} name
 * @param {any} network one of networks.js
 * @param {{ x: Float32Array | Int32Array, labels: Int32Array }} data
 */
export async function steps(api, variant, name, { batch, rows, input, model, optimizer }, { x, labels }) {
  const trainer = await api.Trainer.create({ input, model, loss: 'crossEntropy', optimizer, variant });
  const given = {
    x: new api.Tensor(x instanceof Int32Array ? 'int32' : 'float32', x, [batch, ...input]),
    y: new api.Tensor('int32', labels, rows === batch ? [batch] : [batch, rows / batch]),
  };
  const start = await trainer.save();
  return {
    name,
    weights: api.readSafetensors(start).tensors,
    step: async () => (await trainer.step(given)).loss,
    run: async (times) => {
      for (let i = 0; i < times; i++) await trainer.step(given);
    },
    release: () => trainer.dispose(),
  };
}
