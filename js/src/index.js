// normwasm: what the package exports. index.d.ts documents it.
import { named } from './errors.js';
import { TextGenerator, Tokenizer } from './text.js';
import { AdaptiveLayerNorm, LocalResponseNorm, LpNorm, SpectralNorm } from './parameterless.js';
import { InferenceSession } from './session.js';
import { Tensor } from './tensor.js';
import { Trainer } from './trainer.js';
import { BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm } from './training.js';

export { init } from './runtime.js';
export * from './norm.js'; // the functions that are generated from the module's table
export { foldBatchNorm } from './fold.js';
export { tensorFromImage, tensorToImage } from './image.js';
export { readSafetensors, writeSafetensors } from './safetensors.js';
export { NormError, ShapeError, LoadError, UnsupportedError, DisposedError } from './errors.js';
export { AdaptiveLayerNorm, BatchNorm, GroupNorm, InferenceSession, InstanceNorm, LayerNorm, LocalResponseNorm, LpNorm, RMSNorm, SpectralNorm, Tensor, TextGenerator, Tokenizer, Trainer };

named({ AdaptiveLayerNorm, BatchNorm, GroupNorm, InferenceSession, InstanceNorm, LayerNorm, LocalResponseNorm, LpNorm, RMSNorm, SpectralNorm, Tensor, TextGenerator, Tokenizer, Trainer });
