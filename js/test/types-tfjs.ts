// Checked by tsc, never run: normwasm/tfjs as users write against it.
import * as tf from '@tensorflow/tfjs';
import * as core from '@tensorflow/tfjs-core';
import { useNormwasm } from 'normwasm/tfjs';

export function use(): tf.Tensor {
  const { ops, layers, release } = useNormwasm(tf, { replace: true });
  const model: tf.Sequential = tf.sequential({ layers: [
    layers.layerNormalization({ inputShape: [8], axis: [-1], gammaInitializer: 'ones' }), layers.rmsNormalization({ epsilon: 1e-6 }),
    layers.groupNormalization({ groups: 2, gammaConstraint: tf.constraints.nonNeg() }), layers.batchNormalization({ momentum: 0.9 }),
  ] });
  // @ts-expect-error no such option
  layers.layerNormalization({ eps: 1 });
  const x: tf.Tensor = tf.zeros([2, 8]);
  const y: tf.Tensor = ops.layerNorm(x, { scale: tf.ones([8]), axes: -1 });
  const { mean } = ops.batchNormTraining(ops.rmsNorm(y));
  // @ts-expect-error groups is needed
  ops.groupNorm(x, {});
  // @ts-expect-error no such option
  useNormwasm(tf, { replce: true });
  release();
  const none: undefined = useNormwasm(core).layers;
  return none ?? tf.add(model.predict(x) as tf.Tensor, mean);
}
