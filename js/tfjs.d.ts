// normwasm/tfjs: normalization for TensorFlow.js, as operations with gradients and as layers.
//
//     import * as tf from '@tensorflow/tfjs';
//     import { init } from 'normwasm';
//     import { useNormwasm } from 'normwasm/tfjs';
//
//     await init();
//     const { ops, layers } = useNormwasm(tf);
//     const model = tf.sequential({ layers: [tf.layers.dense({ units: 64, inputShape: [32] }), layers.layerNormalization()] });
//
// The types are structural, so that TensorFlow.js needs to be installed by those alone who use it, in the version
// that they use. Where `Tensor` or `Layer` stands, the types of the given TensorFlow.js are meant and given.

/** What is used of TensorFlow.js: `@tensorflow/tfjs`, or of its parts `{ ...core, layers }`. */
export interface TensorFlow {
  engine(): any;
  tidy(f: () => any): any;
  cast(x: any, dtype: any): any;
  transpose(x: any, perm?: number[]): any;
  sub(a: any, b: any): any;
  mul(a: any, b: any): any;
  readonly Tensor: any;
  readonly serialization: any;
  registerKernel(config: any): void;
  registerGradient(config: any): void;
  getKernel(kernelName: string, backendName: string): any;
  getGradient(kernelName: string): any;
}
/** TensorFlow.js with layers. */
export interface TensorFlowLayers extends TensorFlow {
  readonly layers: { layerNormalization(args?: any): any; batchNormalization(args?: any): any };
}

/** A tensor of the given TensorFlow.js. */
export type TensorOf<T extends TensorFlow> = T extends { zeros(...args: any[]): infer R } ? R : any;

/** Operations on tensors of TensorFlow.js, of any backend. Operands of type int32 or bool are converted to float32, results are
 *  float32. scale and bias have the dimensions of what they belong to, or one dimension of as many elements.
 *
 *  All have gradients of the first order in x and the parameters (batchNorm in mean and variance too); a gradient of a
 *  gradient is an error of TensorFlow.js, which names the kernel.
 *  @throws {NormError} before `init()` of normwasm has resolved (`NOT_INITIALIZED`), for unknown options, and what are no tensors
 *  @throws {ShapeError} when dimensions do not fit */
export interface Ops<Tensor = any> {
  /** y = scale·(x − mean)/√(var + ε) + bias over `axes` (default: −1, the last; any set). ε = 1e-5. */
  layerNorm(x: Tensor, options?: { scale?: Tensor | null; bias?: Tensor | null; axes?: number | readonly number[]; epsilon?: number }): Tensor;
  /** y = scale·x/√(mean(x²) + ε) over `axes` (default: −1, the last; any set). ε = 1e-5. */
  rmsNorm(x: Tensor, options?: { scale?: Tensor | null; axes?: number | readonly number[]; epsilon?: number }): Tensor;
  /** `groups` groups of neighbouring channels of each example have a mean and a variance each. Channels are at `axis`
   *  (default: −1, the last), examples at 0. ε = 1e-5. */
  groupNorm(x: Tensor, options: { groups: number; scale?: Tensor | null; bias?: Tensor | null; axis?: number; epsilon?: number }): Tensor;
  /** y = scale·(x − mean)/√(variance + ε) + bias for each channel (`axis`, default: −1) with given statistics. ε = 1e-5. */
  batchNorm(x: Tensor, options: { mean: Tensor; variance: Tensor; scale?: Tensor | null; bias?: Tensor | null; axis?: number; epsilon?: number }): Tensor;
  /** The same with the batch's own statistics, which are results too: mean and biased variance of each channel, for running
   *  averages. No gradient flows back through these two. */
  batchNormTraining(x: Tensor, options?: { scale?: Tensor | null; bias?: Tensor | null; axis?: number; epsilon?: number }): { y: Tensor; mean: Tensor; variance: Tensor };
}

/** What all layers of TensorFlow.js take. */
export interface LayerArgs {
  name?: string; trainable?: boolean; dtype?: any; inputShape?: any; batchInputShape?: any; batchSize?: number; weights?: any[]; inputDType?: any;
}
/** Initializers, regularizers and constraints are names or objects of TensorFlow.js. */
interface ScaleArgs extends LayerArgs {
  /** Multiply by gamma. Default: true. */
  scale?: boolean;
  gammaInitializer?: any; gammaRegularizer?: any; gammaConstraint?: any;
}
interface AffineArgs extends ScaleArgs {
  /** Add beta. Default: true. */
  center?: boolean;
  betaInitializer?: any; betaRegularizer?: any; betaConstraint?: any;
}
/** Options of {@link Layers.layerNormalization}, named as in Keras. */
export interface LayerNormalizationArgs extends AffineArgs {
  /** What is normalized together. Default: −1. */
  axis?: number | number[];
  /** Default: 1e-3, as in Keras. */
  epsilon?: number;
}
/** Options of {@link Layers.rmsNormalization}, named as in Keras. */
export interface RMSNormalizationArgs extends ScaleArgs {
  /** What is normalized together. Default: −1. */
  axis?: number | number[];
  /** Default: 1e-6, as in Keras. */
  epsilon?: number;
}
/** Options of {@link Layers.groupNormalization}, named as in Keras. */
export interface GroupNormalizationArgs extends AffineArgs {
  /** How many groups the channels are in; −1: as many as there are channels. Default: 32. */
  groups?: number;
  /** The channels. Default: −1. */
  axis?: number;
  /** Default: 1e-3, as in Keras. */
  epsilon?: number;
}
/** Options of {@link Layers.batchNormalization}, named as in Keras. */
export interface BatchNormalizationArgs extends AffineArgs {
  /** The channels. Default: −1. */
  axis?: number;
  /** Of the moving averages: r ← momentum·r + (1 − momentum)·batch. Default: 0.99. */
  momentum?: number;
  /** Default: 1e-3, as in Keras. */
  epsilon?: number;
  movingMeanInitializer?: any; movingVarianceInitializer?: any;
}

/** Layers with the options, weights and configuration of Keras: gamma, beta (RMSNormalization: scale), moving_mean,
 *  moving_variance. Weights of TensorFlow.js's own layers fit those of the same name.
 *
 *  Models that have them can be saved and loaded like others, once {@link useNormwasm} was called in the page that loads them.
 *  GroupNormalization and RMSNormalization, which TensorFlow.js lacks, are known by these names, so that models of Keras
 *  that have them load. LayerNormalization and BatchNormalization are saved as NormwasmLayerNormalization and
 *  NormwasmBatchNormalization; see `replace`. */
export interface Layers<LayerNormalization = any, BatchNormalization = any> {
  layerNormalization(args?: LayerNormalizationArgs): LayerNormalization;
  rmsNormalization(args?: RMSNormalizationArgs): LayerNormalization;
  groupNormalization(args?: GroupNormalizationArgs): LayerNormalization;
  /** With `training: true` (which `fit` gives) it normalizes with the batch's statistics, and the moving ones learn. */
  batchNormalization(args?: BatchNormalizationArgs): BatchNormalization;
  /** The classes, each of which extends one of TensorFlow.js's own. */
  readonly LayerNormalization: any; readonly RMSNormalization: any; readonly GroupNormalization: any; readonly BatchNormalization: any;
}

/** Options of {@link useNormwasm}. */
export interface UseOptions {
  /** Load LayerNormalization and BatchNormalization of saved models as these layers, and save these under those names. Default: false. */
  replace?: boolean;
}

interface Release {
  /** Frees the memory that calls reuse: the latest tensors of each shape, up to
   *  32 MiB an operand, or one larger tensor. The next call takes some anew. */
  release(): void;
}

/** Operations and layers for a TensorFlow.js. They need `init()` of normwasm to have resolved when they compute; models can be
 *  built and loaded before. The same TensorFlow.js gives the same operations and layers.
 *
 *  On the cpu and wasm backends tensors are copied once each way, within memory; on webgl and webgpu they are read back from
 *  the GPU, which waits for it.
 *  @throws {NormError} when `tf` is not TensorFlow.js, and for unknown options */
export function useNormwasm<T extends TensorFlowLayers>(tf: T, options?: UseOptions): Release
  & { ops: Ops<TensorOf<T>>; layers: Layers<ReturnType<T['layers']['layerNormalization']>, ReturnType<T['layers']['batchNormalization']>> };
/** Of a TensorFlow.js without layers. */
export function useNormwasm<T extends TensorFlow>(tf: T, options?: UseOptions): Release & { ops: Ops<TensorOf<T>>; layers: undefined };
