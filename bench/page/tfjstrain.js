// The same networks' steps in tfjs: by its operations, their gradients and its optimizers.

/* global tf */

/** Images are channels last there; weights are turned round once. */
export function steps(backend, { batch, classes, input, model, optimizer, vocabulary }, { x, labels }, weights) {
  const variables = {};
  const layout = { conv2d: [2, 3, 1, 0] };
  let channels = input.length === 3 ? input : undefined;
  const make = (list, prefix) => {
    for (const [i, layer] of list.entries()) {
      const path = `${prefix}${i}`;
      if (layer.type === 'residual') make(layer.body, `${path}.`);
      for (const [name, t] of Object.entries(weights)) {
        if (!name.startsWith(`${path}.`) || name.includes('running') || layer.type === 'residual') continue;
        variables[name] = tf.variable(tf.tidy(() => {
          const w = tf.tensor(t.data, t.dims);
          if (layer.type === 'conv2d' && w.rank === 4) return w.transpose(layout.conv2d);
          // What comes out of flatten has the channels last.
          if (channels && layer.type === 'linear' && w.rank === 2) return w.reshape([t.dims[0], ...channels]).transpose([0, 2, 3, 1]).reshape(t.dims);
          return w;
        }));
      }
      if (layer.type === 'conv2d') channels = [layer.filters, channels[1], channels[2]];
      if (layer.type === 'maxPool2d') channels = [channels[0], channels[1] / 2, channels[2] / 2];
    }
  };
  make(model, '');
  const length = input[0];
  const mask = vocabulary && tf.tidy(() => tf.tensor2d(Float32Array.from({ length: length * length }, (_, i) => (i % length > Math.floor(i / length) ? -1e9 : 0)), [length, length]));
  const dense = (t, name) => {
    const w = variables[`${name}.weight`];
    const y = tf.matMul(t.rank === 2 ? t : t.reshape([-1, w.shape[1]]), w, false, true).add(variables[`${name}.bias`]);
    return t.rank === 2 ? y : y.reshape([...t.shape.slice(0, -1), w.shape[0]]);
  };
  const layers = {
    conv2d: (t, l, p) => tf.conv2d(t, variables[`${p}.weight`], 1, 'same').add(variables[`${p}.bias`]),
    batchNorm: (t, l, p) => {
      const { mean, variance } = tf.moments(t, [0, 1, 2]);
      return tf.batchNorm(t, mean, variance, variables[`${p}.bias`], variables[`${p}.weight`], 1e-5);
    },
    layerNorm: (t, l, p) => {
      const { mean, variance } = tf.moments(t, -1, true);
      return tf.add(tf.mul(tf.mul(tf.sub(t, mean), tf.rsqrt(tf.add(variance, 1e-5))), variables[`${p}.weight`]), variables[`${p}.bias`]);
    },
    relu: (t) => tf.relu(t),
    gelu: (t) => tf.mul(tf.mul(t, 0.5), tf.add(tf.erf(tf.mul(t, Math.SQRT1_2)), 1)),
    maxPool2d: (t) => tf.maxPool(t, 2, 2, 'valid'),
    flatten: (t) => t.reshape([batch, -1]),
    linear: (t, l, p) => dense(t, p),
    // Its gather's gradient has no kernel on wasm: a product with one-hot rows has.
    embedding: (t, l, p) => tf.matMul(t, variables[`${p}.weight`]).reshape([batch, length, -1]).add(variables[`${p}.positions`]),
    attention: (t, { heads }, p) => {
      const width = t.shape[2];
      const each = width / heads;
      const [q, k, v] = tf.split(dense(t, `${p}.in`), 3, 2).map((h) => h.reshape([batch, length, heads, each]).transpose([0, 2, 1, 3]));
      const scores = tf.matMul(q, k, false, true).mul(1 / Math.sqrt(each)).add(mask);
      return dense(tf.matMul(tf.softmax(scores), v).transpose([0, 2, 1, 3]).reshape([batch, length, width]), `${p}.out`);
    },
    residual: (t, l, p) => tf.add(t, run(l.body, t, `${p}.`)),
  };
  const run = (list, t, prefix) => list.reduce((value, layer, i) => layers[layer.type](value, layer, `${prefix}${i}`), t);
  const given = vocabulary ? tf.tidy(() => tf.oneHot(tf.tensor1d(x, 'int32'), vocabulary).toFloat())
    : tf.tensor(x, input.length === 3 ? [batch, input[1], input[2], input[0]] : [batch, ...input]);
  const wanted = tf.tidy(() => tf.oneHot(tf.tensor1d(labels, 'int32'), classes).toFloat());
  const by = optimizer.type === 'sgd' ? tf.train.momentum(optimizer.learningRate, optimizer.momentum)
    : tf.train.adam(optimizer.learningRate, 0.9, 0.999, 1e-8);
  const list = Object.values(variables);
  const step = () => {
    const cost = by.minimize(() => tf.losses.softmaxCrossEntropy(wanted, run(model, given, '').reshape([-1, classes])), true, list);
    const loss = cost.dataSync()[0];
    cost.dispose();
    return loss;
  };
  return {
    name: `tfjs-${backend}`,
    step: async () => step(),
    run: (times) => {
      for (let i = 0; i < times; i++) step();
    },
    release: () => {
      by.dispose();
      tf.dispose([list, given, wanted, ...(mask ? [mask] : [])]);
    },
  };
}
