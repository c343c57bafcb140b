// The CNN's step in jax-js on its wasm backend (the page has no WebGPU, and is not isolated: one thread), compiled by
// its jit as a whole: forward, gradients and the optimizer.

export async function start() {
  const jax = await import('/jax/index.js');
  const devices = await jax.init('wasm');
  if (!devices.includes('wasm')) throw new Error(`jax-js has the devices ${devices}, want wasm`);
  jax.defaultDevice('wasm');
  return jax;
}

/** An array belongs to whom it is passed to there; `ref` keeps it. */
export function steps(jax, { batch, classes, input, model, optimizer }, { x, labels }, weights) {
  const { numpy: np, lax, nn } = jax;
  const trained = Object.entries(weights).filter(([name]) => /^\d/.test(name) && !name.includes('running'));
  const array = (t) => np.array(t.data).reshape(t.dims);
  let parameters = Object.fromEntries(trained.map(([name, t]) => [name, array(t)]));
  let velocity = Object.fromEntries(trained.map(([name, t]) => [name, np.zeros(t.dims)]));
  const layers = {
    conv2d: (t, w, b) => lax.convGeneralDilated(t, w, [1, 1], 'SAME').add(b.reshape([1, -1, 1, 1])),
    batchNorm: (t, w, b) => {
      const axes = [0, 2, 3];
      const centered = t.ref.sub(np.mean(t, axes, { keepdims: true }));
      const variance = np.mean(np.square(centered.ref), axes, { keepdims: true });
      return centered.mul(w.reshape([1, -1, 1, 1]).div(np.sqrt(variance.add(1e-5)))).add(b.reshape([1, -1, 1, 1]));
    },
    relu: (t) => nn.relu(t),
    maxPool2d: (t) => {
      const [n, c, h, wide] = t.shape;
      return np.max(t.reshape([n, c, h / 2, 2, wide / 2, 2]), [3, 5]);
    },
    flatten: (t) => t.reshape([batch, -1]),
    linear: (t, w, b) => np.matmul(t, w.transpose()).add(b),
  };
  const cost = (p, given, wanted) => {
    const y = model.reduce((t, l, i) => layers[l.type](t, p[`${i}.weight`], p[`${i}.bias`]), given);
    return nn.logSoftmax(y).mul(wanted).sum().mul(-1 / batch);
  };
  const gradient = jax.valueAndGrad(cost);
  const compiled = jax.jit((p, v, given, wanted) => {
    const [loss, g] = gradient(jax.tree.ref(p), given, wanted);
    const moved = {};
    const speed = {};
    for (const name of Object.keys(p)) {
      speed[name] = v[name].mul(optimizer.momentum).add(g[name]);
      moved[name] = p[name].sub(speed[name].ref.mul(optimizer.learningRate));
    }
    return { loss, moved, speed };
  });
  const given = np.array(x).reshape([batch, ...input]);
  const wanted = nn.oneHot(np.array(labels), classes);
  const step = async () => {
    const r = compiled(parameters, velocity, given.ref, wanted.ref);
    parameters = r.moved;
    velocity = r.speed;
    return (await r.loss.data())[0];
  };
  return {
    name: 'jax-js',
    step,
    run: async (times) => {
      for (let i = 0; i < times; i++) await step();
    },
    release: () => {
      for (const t of [parameters, velocity]) jax.tree.dispose(t);
      given.dispose();
      wanted.dispose();
    },
  };
}
