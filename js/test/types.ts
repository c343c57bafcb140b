// Checked by tsc, never run: code as users write it against the published types.
import { AdaptiveLayerNorm, BatchNorm, DisposedError, GroupNorm, InferenceSession, InstanceNorm, LayerNorm, LoadError, LocalResponseNorm, LpNorm, NormError, RMSNorm, ShapeError, SpectralNorm, Tensor, Trainer, UnsupportedError, adaptiveLayerNorm, batchNorm, foldBatchNorm, groupNorm, init, instanceNorm, layerNorm, localResponseNorm, lpNorm, meanVarianceNorm, readSafetensors, rmsNorm, tensorFromImage, tensorToImage, weightNorm, writeSafetensors } from 'normwasm';
import type { Batch, LayerSpec, Runtime, Variant } from 'normwasm';

export async function use(signal: AbortSignal): Promise<number> {
  const runtime: Runtime = await init({ variant: 'auto', signal, onProgress: ({ phase, loaded, total }) => void [phase, loaded, total] });
  const variant: Variant = runtime.variant;
  const array: Float32Array = layerNorm(new Float32Array(8), { shape: [2, 4], axes: [-1], epsilon: 1e-6 });
  using resident = Tensor.zeros([2, 4], { location: 'wasm' });
  const same: Tensor<'float32'> = layerNorm(resident, { scale: array.subarray(4), residual: resident, out: resident });
  batchNorm(same, { mean: array, variance: array, layout: 'nhwc', activation: 'relu6' });
  // @ts-expect-error mean and variance are needed
  batchNorm(same, { layout: 'nhwc' });
  // @ts-expect-error no such layout
  batchNorm(same, { mean: array, variance: array, layout: 'hwc' });
  const also: Float32Array = groupNorm(array, { shape: [1, 4, 2], groups: 2, activation: 'silu', mean: array.subarray(0, 2) });
  using again: Tensor<'float32'> = rmsNorm(resident, { residual: same, sum: same });
  using one = instanceNorm(resident, { layout: 'nhwc' });
  lpNorm(meanVarianceNorm(localResponseNorm(one, { size: 5 }), { axes: [0] }), { p: 1, axis: 0 });
  // @ts-expect-error p is 1 or 2
  lpNorm(again, { p: 3 });
  // @ts-expect-error groups is needed
  groupNorm(also, {});
  const folded: { weight: Float32Array; bias: Float32Array } = foldBatchNorm({ weight: array, weightShape: [2, 4], mean: array, variance: array });

  using bn = new BatchNorm({ features: 4, preset: 'keras', momentum: null });
  const through: Float32Array = bn.forward(array, { shape: [2, 4], training: true, updateStats: false });
  const { dx, dbias }: { dx: Float32Array; dbias: Float32Array } = bn.backward(through);
  const onWasm: Tensor<'float32'> = bn.forward(same, { moments: BatchNorm.mergeMoments([bn.moments(same), bn.moments(dx, { shape: [2, 4] })]) });
  bn.setStatistics(BatchNorm.mergeMoments([{ count: 2, mean: array, variance: dbias }]));
  const single: Float32Array = BatchNorm.mergeMoments([{ count: 2, mean: array, variance: dbias }]).mean;
  bn.loadStateDict(bn.stateDict());
  const ln = new LayerNorm({ normalizedShape: [4], affine: true });
  ln.scale = single;
  const rms = new RMSNorm({ normalizedShape: [4] });
  // @ts-expect-error there is no bias
  rms.bias = single;
  new GroupNorm({ groups: 2, features: 4 }).forward(new InstanceNorm({ features: 4, layout: 'nhwc' }).forward(ln.forward(rms.forward(onWasm))));

  const steered: Float32Array = adaptiveLayerNorm(array, { shape: [1, 2, 4], scale: same, shift: array.subarray(4), mean: through.subarray(2) });
  const weights: Tensor<'float32'> = weightNorm(resident, { g: steered.subarray(6), out: resident });
  // @ts-expect-error g is needed
  weightNorm(array, { shape: [2, 4] });
  using adaptive = new AdaptiveLayerNorm({ features: 4, epsilon: 1e-6 });
  const { dshift, dscale }: { dshift: Float32Array; dscale: Float32Array } = adaptive.backward(adaptive.forward(weights, { scale: array.subarray(4) }), { out: weights });
  using lp = new LpNorm();
  using response = new LocalResponseNorm({ size: 3, alpha: 1 });
  const left: Float32Array = response.backward(lp.backward(lp.forward(response.forward(dscale, { shape: [2, 4] }), { shape: [2, 4] })).dx).dx;
  // @ts-expect-error size is needed
  new LocalResponseNorm({});
  // @ts-expect-error p is 1 or 2
  new LpNorm({ p: 3 });
  using spectral = new SpectralNorm({ shape: [2, 4] });
  spectral.u = new Float64Array(2);
  const { weight, sigma }: { weight: Tensor<'float32'>; sigma: number } = spectral.forward(weights, { steps: spectral.converge(left, { limit: 9 }), out: weights });
  console.log(weight.size, sigma, dshift.length);

  const nested: Tensor<'float32'> = Tensor.from([[1, 2], [3, 4]]);
  const halves: Tensor<'float16'> = Tensor.from([[1.5], [2]], 'float16');
  const flags: Tensor<'bool'> = Tensor.from([[true], [false]]);
  const words: string[] = Tensor.from([['a']]).data;
  const longs: BigInt64Array = Tensor.from([1n, 2n]).data;
  const rows: number[][] = nested.toArray();
  console.log(halves.toString(), flags, words, longs, rows, Tensor.from([new Float32Array(2)]).dims, Tensor.from(new Int8Array(2), 'int32'));
  // @ts-expect-error no such type
  Tensor.from([1], 'float8');

  const ids = new Tensor('int64', [1n, 2n], [1, 2]);
  const big: BigInt64Array = ids.data;
  const inferred: Float32Array = new Tensor(array, [2, 4]).data;
  const told: [Int32Array, string[], Uint8Array, BigInt64Array] = [new Tensor<'int32'>(new Int32Array(1)).data, new Tensor<'string'>(['a'], [1]).data,
    new Tensor<'bool'>([true], [1]).data, new Tensor<'int64'>([1n]).data];
  const clamped: Uint8Array = new Tensor('uint8', new Uint8ClampedArray(4), [1, 1, 4]).data;
  new Tensor('float16', [1.5, 2]).data satisfies Uint16Array;
  // @ts-expect-error nested arrays are Tensor.from's
  new Tensor([[1], [2]]);
  console.log(inferred, told, clamped);
  const feeds: Record<string, Tensor> = { ids, mask: new Tensor('bool', [true, false].map(Number)) };
  const session = await InferenceSession.create(new URL('model.onnx', 'https://example.org/'), { freeDimensionOverrides: { batch: 1 } });
  const stateful = await InferenceSession.create('model.onnx', { state: 'auto', worker: true });
  await InferenceSession.create('model.onnx', { state: { h0: 'hn' } });
  stateful.resetState() satisfies void;
  // @ts-expect-error 'auto', or names
  await InferenceSession.create('model.onnx', { state: 'all' });
  await InferenceSession.create('model.onnx', { executionProviders: ['webgpu', { name: 'wasm' }], graphOptimizationLevel: 'extended', logSeverityLevel: 3, threads: 'auto' });
  // @ts-expect-error no such option
  await InferenceSession.create('model.onnx', { executionProvider: ['wasm'] });
  // @ts-expect-error no such option
  layerNorm(array, { eps: 1e-6 });
  // @ts-expect-error no such option
  bn.forward(array, { train: false });
  const results = await session.run(feeds, ['logits'], { signal });
  const logits: Float32Array = results['logits']!.data;
  await session.run(feeds, { signal });
  const lists = await session.run<Tensor[] | null>({ list: [onWasm, onWasm], absent: null });
  const length: number | undefined = lists['list']?.length;
  const form: 'sequence' | 'optional' | 'optional sequence' | undefined = session.inputMetadata[length ?? 0]?.form;
  const first: number | string | undefined = session.inputMetadata[0]?.shape[0];
  await session.release();
  const picture: Tensor<'float32'> = tensorFromImage(document.createElement('canvas'), { width: 224, height: 224, fit: 'cover', mean: [0.485, 0.456, 0.406], std: 0.225 });
  const photo: Tensor<'uint8'> = tensorFromImage(await createImageBitmap(new Blob([])), { type: 'uint8', layout: 'nhwc' });
  const image: ImageData = tensorToImage(picture, { mean: [0.485, 0.456, 0.406], std: 0.225 });
  tensorFromImage({ data: new Uint8Array(4), width: 1, height: 1 }, { out: picture });
  tensorFromImage(image, { crop: { x: 0, y: 0, width: 1, height: 1 }, background: [255, 255, 255] });
  console.log(photo.size, tensorFromImage(document.createElement('video')).dims, tensorFromImage(new VideoFrame(image.data, { format: 'RGBA', codedWidth: 1, codedHeight: 1, timestamp: 0 })));
  // @ts-expect-error no picture
  tensorFromImage('photo.jpg');
  // @ts-expect-error no such filter
  tensorFromImage(image, { resize: 'lanczos' });
  const file: Blob = new Blob([writeSafetensors(results, { format: 'pt' })]);
  const { tensors, metadata } = readSafetensors(await file.arrayBuffer());
  const format: string | undefined = metadata['format'];
  console.log(tensors['logits']?.dims, format, writeSafetensors(new Map([['ids', ids]])).byteLength);
  // @ts-expect-error a path is not its bytes
  readSafetensors('model.safetensors');
  const model: LayerSpec[] = [{ type: 'conv2d', filters: 8, kernel: 3 }, { type: 'batchNorm', momentum: null }, { type: 'residual', body: [{ type: 'relu' }] }, { type: 'flatten' }, { type: 'linear', units: 10 }];
  const trainer: Trainer = await Trainer.create({ input: [1, 28, 28], model, loss: 'crossEntropy', optimizer: { type: 'adamw', learningRate: 1e-3 }, schedule: { warmup: 10 }, worker: true, signal });
  const examples: Batch = { x: picture, y: ids };
  const { loss, accuracy = 0, gradientNorm }: { loss: number; accuracy?: number; gradientNorm: number } = await trainer.step(examples);
  const scores: Float32Array = (await trainer.evaluate(examples, { statistics: 'batch' })).outputs.data;
  for (const { layer, running } of await trainer.statistics()) console.log(layer, running?.mean[0]);
  await trainer.recomputeStatistics([examples]);
  await trainer.load(await trainer.save());
  await InferenceSession.create(await trainer.exportONNX({ intermediates: true }));
  trainer.dispose();
  console.log(loss, accuracy, gradientNorm, scores.length);
  // @ts-expect-error a linear layer has units
  await Trainer.create({ input: [2], model: [{ type: 'linear', filters: 2 }], loss: 'crossEntropy', optimizer: { type: 'sgd', learningRate: 0.1 } });
  // @ts-expect-error SGD has no beta1
  await Trainer.create({ input: [2], model, loss: 'crossEntropy', optimizer: { type: 'sgd', learningRate: 0.1, beta1: 0.9 } });
  try {
    runtime.dispose();
  } catch (error) {
    if (error instanceof ShapeError || error instanceof LoadError || error instanceof UnsupportedError || error instanceof DisposedError) throw error;
    if (error instanceof NormError) console.log(error.code, error.message, variant, big, first);
  }
  return logits.length;
}
