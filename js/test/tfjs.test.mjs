// normwasm/tfjs on TensorFlow.js's cpu and wasm backends: against its own layers, against the formulas in float64, and
// against its own gradients of the formulas spelt out in its operations.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { NormError, ShapeError, UnsupportedError, init } from 'normwasm';
import { useNormwasm } from 'normwasm/tfjs';
import { floats } from './data.mjs';

const require = createRequire(import.meta.url);
const tf = require('@tensorflow/tfjs');
require('@tensorflow/tfjs-backend-wasm');

let runtime;
before(async () => {
  runtime = await init();
});
after(() => runtime.dispose());

const { ops, layers, release } = useNormwasm(tf);
const product = (dims) => dims.reduce((a, b) => a * b, 1);
const tensor = (dims, seed, spread = 2, offset = 0) => tf.tensor(floats(product(dims), seed, spread, offset), dims);

/** @param {number} tolerance of |want| + 1 */
function close(got, want, tolerance, what) {
  assert.deepEqual([...got.shape], [...want.shape], `${what}: shape`);
  const [g, w] = [got.dataSync(), want.dataSync()];
  w.forEach((v, i) => assert.ok(Math.abs(g[i] - v) <= tolerance * (1 + Math.abs(v)), `${what}[${i}] is ${g[i]}, want ${v}`));
}

/** LayerNorm and RMSNorm over axes, spelt out in TensorFlow.js's operations, which have gradients. */
function composed({ rms = false, axes, epsilon = 1e-5 }) {
  return (x, scale, bias) => tf.tidy(() => {
    const inShape = (p) => tf.reshape(p, x.shape.map((d, i) => (axes.includes(i) ? d : 1)));
    // A parameter has the dimensions of the axes in their order, the reshape those of x.
    const order = axes.map((a) => [...axes].sort((p, q) => p - q).indexOf(a));
    const arranged = (p) => inShape(tf.transpose(tf.reshape(p, axes.map((a) => x.shape[a])), [...order.keys()].map((i) => order.indexOf(i))));
    const mean = rms ? tf.scalar(0) : tf.mean(x, axes, true);
    const centred = tf.sub(x, mean);
    let y = tf.div(centred, tf.sqrt(tf.add(tf.mean(tf.square(centred), axes, true), epsilon)));
    if (scale) y = tf.mul(y, arranged(scale));
    if (bias) y = tf.add(y, arranged(bias));
    return y;
  });
}

/** GroupNorm, likewise: channels at axis, moved to the end. */
function composedGroups({ groups, axis, epsilon = 1e-5 }) {
  return (x, scale, bias) => tf.tidy(() => {
    const order = [...x.shape.keys()].filter((i) => i !== axis).concat(axis);
    const last = tf.transpose(x, order);
    const [n, channels] = [x.shape[0], x.shape[axis]];
    const grouped = tf.reshape(last, [n, x.size / n / channels, groups, channels / groups]);
    const centred = tf.sub(grouped, tf.mean(grouped, [1, 3], true));
    let y = tf.reshape(tf.div(centred, tf.sqrt(tf.add(tf.mean(tf.square(centred), [1, 3], true), epsilon))), last.shape);
    if (scale) y = tf.mul(y, scale);
    if (bias) y = tf.add(y, bias);
    return tf.transpose(y, order.map((_, i) => order.indexOf(i)));
  });
}

/** BatchNorm, likewise; without mean and variance with the batch's. */
function composedBatch({ axis, epsilon = 1e-5 }) {
  return (x, scale, bias, mean, variance) => tf.tidy(() => {
    const wide = (p) => tf.reshape(p, x.shape.map((d, i) => (i === axis ? d : 1)));
    const axes = [...x.shape.keys()].filter((i) => i !== axis);
    const m = mean ? wide(mean) : tf.mean(x, axes, true);
    const v = variance ? wide(variance) : tf.mean(tf.square(tf.sub(x, m)), axes, true);
    let y = tf.div(tf.sub(x, m), tf.sqrt(tf.add(v, epsilon)));
    if (scale) y = tf.mul(y, wide(scale));
    if (bias) y = tf.add(y, wide(bias));
    return y;
  });
}

/** The formula in float64; group(index along the dims) names what shares a mean and variance. */
function oracle(x, group, { rms = false, epsilon }) {
  const data = Float64Array.from(x.dataSync());
  const groups = new Map();
  const index = (i) => x.shape.map((d, k) => Math.floor(i / product(x.shape.slice(k + 1))) % d);
  data.forEach((v, i) => {
    const key = group(index(i));
    groups.set(key, [...(groups.get(key) ?? []), i]);
  });
  for (const members of groups.values()) {
    const mean = rms ? 0 : members.reduce((sum, i) => sum + data[i], 0) / members.length;
    const variance = members.reduce((sum, i) => sum + (data[i] - mean) ** 2, 0) / members.length;
    for (const i of members) data[i] = (data[i] - mean) / Math.sqrt(variance + epsilon);
  }
  return { shape: x.shape, dataSync: () => data };
}

for (const backend of ['cpu', 'wasm']) {
  describe(backend, () => {
    before(async () => {
      assert.ok(await tf.setBackend(backend));
      await tf.ready();
    });

    const rows = [
      { dims: [4, 6], axes: [1] }, { dims: [2, 3, 5], axes: [2] }, { dims: [2, 3, 4, 5], axes: [2, 3] }, { dims: [2, 3, 4, 5], axes: [3, 1] }, { dims: [5, 4], axes: [0] },
      { dims: [7], axes: [0] }, { dims: [2, 2, 2, 2, 3], axes: [1, 2] }, { dims: [3, 2], axes: [1, 0] },
    ];
    for (const { dims, axes } of rows) {
      for (const rms of [false, true]) {
        const name = rms ? 'rmsNorm' : 'layerNorm';
        for (const parameters of rms ? ['', 's'] : ['', 's', 'b', 'sb']) {
          test(`${name} of [${dims}] over [${axes}]${parameters && ` with ${parameters}`}: values and gradients`, () => {
            tf.tidy(() => {
              const shape = axes.map((a) => dims[a]);
              const x = tensor(dims, 1, 2, 0.5);
              const given = [parameters.includes('s') ? tensor(shape, 2, 1, 1) : null, parameters.includes('b') ? tensor(shape, 3) : null];
              const present = [x, ...given.filter(Boolean)];
              const spread = (f) => (...t) => f(t[0], given[0] && t[1], given[1] && t[t.length - 1]);
              const own = spread((a, scale, bias) => (rms ? ops.rmsNorm(a, { axes, scale }) : ops.layerNorm(a, { axes, scale, bias })));
              const theirs = spread(composed({ rms, axes }));
              close(own(...present), theirs(...present), 1e-5, 'y');
              const dy = tensor(dims, 4);
              const [got, want] = [tf.grads(own)(present, dy), tf.grads(theirs)(present, dy)];
              got.forEach((g, i) => close(g, want[i], 1e-4, `gradient ${i}`));
            });
          });
        }
      }
    }

    const grouped = [
      { dims: [2, 6], axis: 1, groups: 3 }, { dims: [2, 3, 3, 8], axis: 3, groups: 4 }, { dims: [2, 8, 3, 2], axis: 1, groups: 2 }, { dims: [2, 3, 4, 2], axis: 2, groups: 2 },
      { dims: [1, 5, 4], axis: 2, groups: 1 }, { dims: [2, 4, 5], axis: 1, groups: 4 },
    ];
    for (const { dims, axis, groups } of grouped) {
      for (const parameters of ['', 'sb', 's', 'b']) {
        test(`groupNorm of [${dims}], axis ${axis}, ${groups} groups${parameters && ` with ${parameters}`}: values and gradients`, () => {
          tf.tidy(() => {
            const x = tensor(dims, 1, 2, 0.5);
            const given = [parameters.includes('s') ? tensor([dims[axis]], 2, 1, 1) : null, parameters.includes('b') ? tensor([dims[axis]], 3) : null];
            const present = [x, ...given.filter(Boolean)];
            const spread = (f) => (...t) => f(t[0], given[0] && t[1], given[1] && t[t.length - 1]);
            const own = spread((a, scale, bias) => ops.groupNorm(a, { groups, axis: axis - dims.length, scale, bias }));
            const theirs = spread(composedGroups({ groups, axis }));
            close(own(...present), theirs(...present), 1e-5, 'y');
            const dy = tensor(dims, 4);
            const [got, want] = [tf.grads(own)(present, dy), tf.grads(theirs)(present, dy)];
            got.forEach((g, i) => close(g, want[i], 1e-4, `gradient ${i}`));
            if (parameters === '') close(own(x), oracle(x, (at) => `${at[0]} ${Math.floor((at[axis] * groups) / dims[axis])}`, { epsilon: 1e-5 }), 1e-5, 'float64');
          });
        });
      }
    }

    for (const { dims, axis } of [{ dims: [4, 3], axis: 1 }, { dims: [2, 3, 4, 5], axis: 3 }, { dims: [2, 3, 4, 5], axis: 1 }, { dims: [3, 2, 4], axis: 0 }, { dims: [2, 2, 3, 2, 2], axis: 2 }]) {
      for (const training of [false, true]) {
        for (const parameters of ['', 'sb', 's', 'b']) {
          test(`batchNorm of [${dims}], axis ${axis}${training ? ', training' : ''}${parameters && ` with ${parameters}`}: values and gradients`, () => {
            tf.tidy(() => {
              const c = [dims[axis]];
              const x = tensor(dims, 1, 2, 0.5);
              const given = [parameters.includes('s') ? tensor(c, 2, 1, 1) : null, parameters.includes('b') ? tensor(c, 3) : null];
              const statistics = training ? [] : [tensor(c, 5), tensor(c, 6, 0.5, 1)];
              const present = [x, ...statistics, ...given.filter(Boolean)];
              const spread = (f) => (...t) => f(t[0], given[0] && t[1 + statistics.length], given[1] && t[t.length - 1], ...t.slice(1, 1 + statistics.length));
              const own = spread((a, scale, bias, mean, variance) => (training ? ops.batchNormTraining(a, { axis, scale, bias }).y : ops.batchNorm(a, { axis, scale, bias, mean, variance })));
              const theirs = spread(composedBatch({ axis }));
              close(own(...present), theirs(...present), 1e-5, 'y');
              const dy = tensor(dims, 4);
              const [got, want] = [tf.grads(own)(present, dy), tf.grads(theirs)(present, dy)];
              got.forEach((g, i) => close(g, want[i], 1e-4, `gradient ${i}`));
            });
          });
        }
      }
    }

    test('the batch’s statistics, also after a batch of NaN', () => {
      tf.tidy(() => {
        ops.batchNormTraining(tf.fill([3, 2], NaN));
        const x = tensor([8, 2], 1, 2, 5);
        const { mean, variance } = ops.batchNormTraining(x);
        const want = tf.moments(x, 0);
        close(mean, want.mean, 1e-6, 'mean');
        close(variance, want.variance, 1e-5, 'variance');
      });
    });

    /** A layer of each and its counterpart of TensorFlow.js, if it has one, with the same weights. */
    function pair(name, args, dims) {
      const own = layers[name](args);
      const theirs = tf.layers[name](args);
      for (const layer of [own, theirs]) layer.build(dims);
      const weights = theirs.getWeights().map((w, i) => tensor(w.shape, 20 + i, 0.5, 1));
      theirs.setWeights(weights);
      own.setWeights(weights);
      return [own, theirs];
    }

    for (const [args, dims] of [[{}, [4, 6]], [{ axis: 1 }, [2, 3, 4]], [{ axis: [1, 2], epsilon: 1e-5 }, [2, 3, 4]], [{ axis: [3, 1] }, [2, 3, 4, 2]], [{ center: false }, [3, 5]], [{ scale: false }, [3, 5]]]) {
      test(`layerNormalization ${JSON.stringify(args)} of [${dims}] as tf.layers`, () => {
        tf.tidy(() => {
          // tf.layers misplaces parameters whose axes are not in order.
          const [own, theirs] = Array.isArray(args.axis) && args.axis[0] > args.axis[1] ? [layers.layerNormalization(args), tf.layers.layerNormalization(args)] : pair('layerNormalization', args, dims);
          assert.ok(own instanceof theirs.constructor);
          const x = tensor(dims, 1, 2, 3);
          close(own.apply(x), theirs.apply(x), 1e-5, 'y');
          assert.deepEqual(own.weights.map((w) => w.originalName.replace(/.*\//, '')), theirs.weights.map((w) => w.originalName.replace(/.*\//, '')));
        });
      });
    }

    for (const [args, dims] of [[{}, [4, 6]], [{ axis: -1, epsilon: 1e-5, momentum: 0.9 }, [2, 3, 4]], [{}, [2, 3, 4, 5]]]) {
      test(`batchNormalization ${JSON.stringify(args)} of [${dims}] as tf.layers`, () => {
        tf.tidy(() => {
          const [own, theirs] = pair('batchNormalization', args, dims);
          for (let step = 0; step < 3; step++) {
            const x = tensor(dims, step, 2, 3);
            close(own.apply(x), theirs.apply(x), 1e-5, 'inference');
            close(own.apply(x, { training: true }), theirs.apply(x, { training: true }), 1e-5, 'training');
            own.getWeights().forEach((w, i) => close(w, theirs.getWeights()[i], 1e-5, own.weights[i].name));
          }
          assert.ok(own instanceof theirs.constructor);
          assert.deepEqual(own.weights.map((w) => w.originalName.replace(/.*\//, '')), theirs.weights.map((w) => w.originalName.replace(/.*\//, '')));
        });
      });
    }

    test('batchNormalization where tf.layers fails: channels first on its cpu backend, training without gamma or beta', () => {
      tf.tidy(() => {
        const [own, last] = [layers.batchNormalization({ axis: 1 }), tf.layers.batchNormalization()];
        const x = tensor([2, 3, 4, 5], 1, 2, 3);
        const moved = tf.transpose(x, [0, 2, 3, 1]);
        for (const training of [true, false]) close(own.apply(x, { training }), tf.transpose(last.apply(moved, { training }), [0, 3, 1, 2]), 1e-5, `training ${training}`);
        own.getWeights().forEach((w, i) => close(w, last.getWeights()[i], 1e-5, own.weights[i].name));
        for (const without of ['center', 'scale']) {
          const layer = layers.batchNormalization({ [without]: false, epsilon: 1e-5, axis: 1 });
          close(layer.apply(x, { training: true }), composedBatch({ axis: 1 })(x), 1e-5, `without ${without}`);
          assert.equal(layer.getWeights().length, 3);
        }
      });
    });

    test('groupNormalization and rmsNormalization against float64', () => {
      tf.tidy(() => {
        const x = tensor([2, 3, 3, 64], 1, 2, 1);
        close(layers.groupNormalization().apply(x), oracle(x, (at) => `${at[0]} ${at[3] >> 1}`, { epsilon: 1e-3 }), 1e-5, '32 groups');
        close(layers.groupNormalization({ groups: -1, epsilon: 1e-5 }).apply(x), oracle(x, (at) => `${at[0]} ${at[3]}`, { epsilon: 1e-5 }), 1e-5, 'a channel a group');
        close(layers.rmsNormalization().apply(x), oracle(x, (at) => at.slice(0, 3).join(), { rms: true, epsilon: 1e-6 }), 1e-5, 'rms');
        close(layers.rmsNormalization({ axis: [1, 2], epsilon: 1e-3 }).apply(x), oracle(x, (at) => `${at[0]} ${at[3]}`, { rms: true, epsilon: 1e-3 }), 1e-5, 'rms of pictures');
        const rms = layers.rmsNormalization();
        rms.build([null, 4]);
        assert.deepEqual(rms.weights.map((w) => w.originalName.replace(/.*\//, '')), ['scale']);
        const group = layers.groupNormalization({ groups: 2 });
        group.build([null, 4]);
        assert.deepEqual(group.weights.map((w) => w.originalName.replace(/.*\//, '')), ['gamma', 'beta']);
      });
    });

    test('a model of all four learns, is saved, and loads with the same results', async () => {
      const make = () => tf.sequential({ layers: [
        tf.layers.dense({ units: 8, inputShape: [5], kernelInitializer: tf.initializers.glorotUniform({ seed: 1 }) }),
        layers.layerNormalization({ epsilon: 1e-4, gammaInitializer: tf.initializers.constant({ value: 0.5 }), betaRegularizer: 'l1l2' }),
        layers.batchNormalization({ momentum: 0.8, gammaConstraint: 'nonNeg' }),
        layers.groupNormalization({ groups: 2, betaConstraint: tf.constraints.maxNorm({ maxValue: 3 }) }),
        layers.rmsNormalization({ gammaRegularizer: tf.regularizers.l2({ l2: 0.01 }) }),
        tf.layers.dense({ units: 1, kernelInitializer: tf.initializers.glorotUniform({ seed: 2 }) }),
      ] });
      const model = make();
      const [x, t] = tf.tidy(() => {
        const input = tensor([32, 5], 7);
        return [input, tf.sum(input, 1, true)];
      });
      model.compile({ optimizer: tf.train.adam(0.05), loss: 'meanSquaredError' });
      const { history: { loss } } = await model.fit(x, t, { epochs: 30, batchSize: 16, shuffle: false, verbose: 0 });
      assert.ok(loss.at(-1) < loss[0] / 4, `${loss[0]} → ${loss.at(-1)}`);

      let artifacts;
      await model.save(tf.io.withSaveHandler(async (a) => {
        artifacts = a;
        return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
      }));
      const text = JSON.stringify(artifacts.modelTopology);
      for (const name of ['NormwasmLayerNormalization', 'NormwasmBatchNormalization', 'GroupNormalization', 'RMSNormalization', 'gamma_initializer', 'beta_regularizer', 'gamma_constraint', 'moving_mean_initializer', 'groups']) {
        assert.ok(text.includes(`"${name}"`), name);
      }
      const loaded = await tf.loadLayersModel(tf.io.fromMemory(JSON.parse(text) && { ...artifacts, modelTopology: JSON.parse(text) }));
      tf.tidy(() => close(loaded.predict(x), model.predict(x), 1e-6, 'loaded'));
      for (const [i, layer] of loaded.layers.entries()) {
        assert.equal(layer.getClassName(), model.layers[i].getClassName());
        assert.deepEqual(layer.getConfig(), model.layers[i].getConfig());
      }
      tf.dispose([x, t]);
      model.dispose();
      loaded.dispose();
    });

    test('TensorFlow.js sees kernels of its own kind: in its profile, and where an operation is taken alone', async () => {
      const { groupNorm } = ops;
      const x = tensor([2, 3, 4, 6], 1);
      const { kernelNames, newTensors, result } = await tf.profile(() => [groupNorm(x, { groups: 1, axis: 1, scale: null }), groupNorm(x, { groups: 2, axis: 2 })]);
      assert.ok(kernelNames.includes('NormwasmGroupNorm') && kernelNames.includes('Transpose'), kernelNames.join());
      assert.equal(newTensors, 2);
      tf.dispose(result);
      x.dispose();
    });

    test('nothing is left behind, and a second call of the same shape takes no more memory', () => {
      const x = tensor([16, 64], 1);
      const layer = layers.layerNormalization();
      layer.apply(x).dispose();
      const grad = tf.grad((t) => ops.groupNorm(layer.apply(t), { groups: 4 }));
      grad(x).dispose();
      const before = { tf: tf.memory().numTensors, bytes: tf.memory().numBytes, own: runtime.memory() };
      for (let i = 0; i < 20; i++) {
        layer.apply(x).dispose();
        grad(x).dispose();
        tf.dispose(ops.batchNormTraining(x));
        tf.tidy(() => void ops.batchNormTraining(tf.cast(x, 'int32')));
      }
      layer.apply(x).dispose();
      assert.equal(tf.memory().numTensors, before.tf);
      assert.equal(tf.memory().numBytes, before.bytes);
      assert.equal(runtime.memory().tensors, before.own.tensors);
      release();
      assert.equal(runtime.memory().tensors, 0);
      tf.tidy(() => close(layer.apply(x), tf.layers.layerNormalization().apply(x), 1e-5, 'after release'));
      layer.dispose();
      x.dispose();
    });

    test('operands of other types, of no elements, and tensors of another backend', async () => {
      const there = tensor([3, 4], 1);
      await tf.setBackend(backend === 'cpu' ? 'wasm' : 'cpu');
      const here = tensor([3, 4], 1);
      tf.tidy(() => close(ops.layerNorm(there), ops.layerNorm(here), 1e-6, 'moved'));
      await tf.setBackend(backend);
      tf.tidy(() => {
        const whole = tf.tensor([[1, 2, 6], [4, 4, 4]], [2, 3], 'int32');
        const y = ops.layerNorm(whole);
        assert.equal(y.dtype, 'float32');
        close(y, ops.layerNorm(tf.cast(whole, 'float32')), 0, 'int32');
        close(layers.layerNormalization({ epsilon: 1e-5 }).apply(whole), y, 0, 'int32, layer');
        assert.deepEqual(ops.rmsNorm(tf.zeros([0, 3])).shape, [0, 3]);
        assert.deepEqual(ops.groupNorm(tf.zeros([0, 4, 2]), { groups: 2 }).shape, [0, 4, 2]);
      });
      tf.dispose([there, here]);
    });

    test('gradients flow through a model to its input and weights, and of a gradient is an error', () => {
      tf.tidy(() => {
        const layer = layers.layerNormalization();
        const x = tensor([4, 5], 1);
        layer.apply(x);
        const { value, grads } = tf.variableGrads(() => tf.sum(tf.square(layer.apply(x))));
        assert.equal(value.rank, 0);
        assert.deepEqual(Object.keys(grads).map((name) => name.replace(/_\d+$/, '').replace(/.*\//, '')).sort(), ['beta', 'gamma']);
        assert.throws(() => tf.grad(tf.grad((t) => tf.sum(tf.square(ops.layerNorm(t)))))(x), /NormwasmLayerNormGrad/);
      });
    });
  });
}

describe('mistakes and settings', () => {
  test('are named', () => {
    tf.tidy(() => {
      const x = tf.zeros([2, 4]);
      assert.throws(() => useNormwasm({}), NormError);
      assert.throws(() => useNormwasm(tf, { replce: true }), /no option replce/);
      assert.throws(() => ops.layerNorm(x, { eps: 1 }), /no option eps; did you mean epsilon\? There are scale, bias, axes, epsilon/);
      assert.throws(() => ops.layerNorm([1, 2]), /no tensor/);
      assert.throws(() => ops.layerNorm(), /x is missing/);
      assert.throws(() => ops.layerNorm(tf.tensor(['a', 'b'])), UnsupportedError);
      assert.throws(() => ops.layerNorm(x, { axes: 2 }), ShapeError);
      assert.throws(() => ops.layerNorm(x, { axes: [1, -1] }), ShapeError);
      assert.throws(() => ops.layerNorm(x, { scale: tf.zeros([3]) }), ShapeError);
      assert.throws(() => ops.layerNorm(x, { epsilon: -1 }), NormError);
      assert.throws(() => ops.groupNorm(x, { groups: 3 }), ShapeError);
      assert.throws(() => ops.groupNorm(x, { groups: 2, axis: 0 }), ShapeError);
      assert.throws(() => ops.groupNorm(x), NormError);
      assert.throws(() => ops.batchNorm(x, { mean: tf.zeros([4]) }), /mean and variance/);
      assert.throws(() => layers.layerNormalization({ eps: 1 }), /no option eps/);
      assert.throws(() => layers.rmsNormalization({ center: true }), /no option center/);
      assert.throws(() => ops.rmsNorm(x, { axis: 0 }), /did you mean axes/);
      assert.throws(() => ops.groupNorm(x, { groups: 2, gamma: x }), /did you mean scale/);
      assert.throws(() => layers.batchNormalization({ moving_mean_initializer: 'ones' }), /did you mean movingMeanInitializer/);
      assert.throws(() => layers.groupNormalization({ groups: 3 }).build([null, 4]), ShapeError);
      assert.throws(() => layers.groupNormalization({ groups: 0 }), NormError);
      assert.throws(() => layers.groupNormalization({ axis: [1, 2] }), NormError);
      assert.throws(() => layers.groupNormalization().build([null, null]), ShapeError);
    });
  });

  test('the same TensorFlow.js gives the same layers, and a part of it has operations', () => {
    assert.equal(useNormwasm(tf).layers, layers);
    const { layers: none, ...core } = tf;
    assert.equal(useNormwasm(core).layers, undefined);
    assert.throws(() => useNormwasm(core, { replace: true }), /layers/);
    tf.tidy(() => close(useNormwasm(core).ops.rmsNorm(tf.tensor([3, 4])), tf.tensor([3 / Math.sqrt(12.5), 4 / Math.sqrt(12.5)]), 1e-5, 'y'));
  });

  test('after the runtime has ended and started again the memory is taken anew', async () => {
    const x = tensor([2, 3], 1);
    const gradient = tf.grad((t) => ops.batchNormTraining(t).y);
    const want = tf.tidy(() => tf.keep(gradient(x)));
    ops.layerNorm(x).dispose();
    for (const first of [() => close(ops.layerNorm(x), composed({ axes: [1] })(x), 1e-5, 'y'), () => close(gradient(x), want, 1e-6, 'dx')]) {
      runtime.dispose();
      assert.throws(() => ops.layerNorm(x), { code: 'DISPOSED' });
      assert.throws(() => gradient(x), { code: 'DISPOSED' });
      runtime = await init();
      tf.tidy(first);
    }
    want.dispose();
    x.dispose();
  });

  test('models of Keras with GroupNormalization and RMSNormalization load', async () => {
    const none = { beta_regularizer: null, gamma_regularizer: null, beta_constraint: null, gamma_constraint: null };
    const config = (name, more) => ({ name, trainable: true, dtype: 'float32', ...more });
    const modelTopology = { class_name: 'Sequential', keras_version: '3.5.0', backend: 'tensorflow', config: { name: 'sequential', layers: [
      { class_name: 'InputLayer', config: { batch_input_shape: [null, 4], dtype: 'float32', sparse: false, name: 'input' } },
      { class_name: 'GroupNormalization', config: config('group', { groups: 2, axis: -1, epsilon: 1e-4, center: true, scale: true, beta_initializer: { class_name: 'Zeros', config: {} }, gamma_initializer: { class_name: 'Ones', config: {} }, ...none }) },
      { class_name: 'RMSNormalization', config: config('rms', { axis: -1, epsilon: 1e-6 }) },
    ] } };
    const weightSpecs = ['group/gamma', 'group/beta', 'rms/scale'].map((name) => ({ name, shape: [4], dtype: 'float32' }));
    const weights = [floats(4, 1), floats(4, 2), floats(4, 3)];
    const weightData = Float32Array.from(weights.flatMap((w) => [...w])).buffer;
    const loaded = await tf.loadLayersModel(tf.io.fromMemory({ modelTopology, weightSpecs, weightData }));
    assert.ok(loaded.layers.at(-2) instanceof layers.GroupNormalization && loaded.layers.at(-1) instanceof layers.RMSNormalization);
    tf.tidy(() => {
      const x = tensor([3, 4], 4);
      const [gamma, beta, scale] = weights.map((w) => tf.tensor(w));
      close(loaded.predict(x), composed({ rms: true, axes: [1], epsilon: 1e-6 })(composedGroups({ groups: 2, axis: 1, epsilon: 1e-4 })(x, gamma, beta), scale), 1e-5, 'y');
    });
    loaded.dispose();
  });

  test('replace: saved models of TensorFlow.js load with these layers, and these save under its names', async () => {
    const theirs = tf.sequential({ layers: [tf.layers.layerNormalization({ inputShape: [6] }), tf.layers.batchNormalization()] });
    let artifacts;
    const save = tf.io.withSaveHandler(async (a) => {
      artifacts = a;
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
    });
    await theirs.save(save);
    useNormwasm(tf, { replace: true });
    const loaded = await tf.loadLayersModel(tf.io.fromMemory(artifacts));
    assert.ok(loaded.layers[0] instanceof layers.LayerNormalization);
    assert.ok(loaded.layers[1] instanceof layers.BatchNormalization);
    const x = tensor([3, 6], 1);
    tf.tidy(() => close(loaded.predict(x), theirs.predict(x), 1e-5, 'loaded'));
    await loaded.save(save);
    assert.deepEqual(artifacts.modelTopology.config.layers.map((l) => l.class_name), ['LayerNormalization', 'BatchNormalization']);
    x.dispose();
  });
});
