// normwasm: what the package exports. index.d.ts documents it.
export { init } from './runtime.js';
export { Tensor } from './tensor.js';
export { layerNorm, rmsNorm, batchNorm, instanceNorm, groupNorm, localResponseNorm, lpNorm, meanVarianceNorm, adaptiveLayerNorm, weightNorm, foldBatchNorm } from './norm.js';
export { BatchNorm, LayerNorm, RMSNorm, GroupNorm, InstanceNorm } from './training.js';
export { AdaptiveLayerNorm, LpNorm, LocalResponseNorm, SpectralNorm } from './parameterless.js';
export { tensorFromImage, tensorToImage } from './image.js';
export { readSafetensors, writeSafetensors } from './safetensors.js';
export { InferenceSession } from './session.js';
export { NormError, ShapeError, LoadError, UnsupportedError, DisposedError } from './errors.js';
