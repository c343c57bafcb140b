// The one place where the page meets the engine: the npm package's public API and nothing else.
// The build puts the package beside this file.
export { init, InferenceSession, Tensor, TextGenerator, Tokenizer, Trainer, BatchNorm, layerNorm, rmsNorm, instanceNorm, groupNorm, readSafetensors } from './normwasm/dist/normwasm.js';
