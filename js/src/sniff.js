// What a file is that was taken for another: by how it begins.

/** @typedef {{ what: string, advice: string }} Kind */

const unpack = 'decompress it, or let the server say so with content-encoding';
const convert = 'convert it to ONNX';
const weights = 'it has weights and no network';

/**
 * Kinds by their first bytes, each read as a character.
 * @type {readonly [RegExp, string, string][]}
 */
const binary = [
  [/^\x1f\x8b/, 'a gzip file', `${unpack}: gzip`],
  [/^\x28\xb5\x2f\xfd/, 'a Zstandard file', `${unpack}: zstd`],
  [/^(BZh|\xfd7zXZ\0|7z\xbc\xaf|Rar!)/, 'a compressed file', 'decompress it'],
  [/^PK\x03\x04[^]{26}[^]{0,80}(data\.pkl|\.format_version|constants\.pkl|byteorder)/, 'a PyTorch file', 'export the network: torch.onnx.export(model, example, "model.onnx")'],
  [/^PK\x03\x04[^]{26}[^]{0,80}\.npy/, 'a NumPy archive (.npz)', weights],
  [/^PK\x03\x04[^]{26}(metadata\.json|config\.json|model\.weights\.h5)/, 'a Keras file', 'export the network: model.export("model.onnx", format="onnx")'],
  [/^PK\x03\x04/, 'a ZIP archive', 'unpack it and take the .onnx file in it'],
  [/^[^]{4}ORTM/, "a model in onnxruntime's own format (.ort)", 'take the .onnx file that it was made from'],
  [/^[^]{4}TFL3/, 'a TensorFlow Lite model', `${convert}: python -m tf2onnx.convert --tflite model.tflite --output model.onnx`],
  [/^\x89HDF\r\n/, 'an HDF5 file, as Keras writes them (.h5)', 'export the network: model.export("model.onnx", format="onnx")'],
  [/^[^]{5}\0\0\0\{/, 'a safetensors file', `${weights}; readSafetensors() reads it`],
  [/^\x80[\x02-\x05](\x8a\x0a|\x95|[}\]c(])/, "a Python pickle, as PyTorch's torch.save writes them", 'export the network: torch.onnx.export(model, example, "model.onnx")'],
  [/^(GGUF|lmgg|tjgg)/, 'a model of llama.cpp (GGUF)', convert],
  [/^\x93NUMPY/, 'a NumPy array (.npy)', weights],
  [/^(\x89PNG|\xff\xd8\xff|GIF8|RIFF[^]{4}WEBP)/, 'a picture', 'another file was meant'],
  [/^%PDF/, 'a PDF document', 'another file was meant'],
  [/^(\x7fELF|MZ[^]{58}|\xcf\xfa\xed\xfe)/, 'a native program', 'another file was meant'],
];

/** Kinds of text. @type {typeof binary} */
const textual = [
  [/^\s*<(!doctype html|html|head|body|meta|title|script|!--)/i, 'an HTML page', 'the file is missing, or the server sends its start page instead'],
  [/^\s*<net\b|^\s*<\?xml[^>]*>\s*<net\b/, 'a network of OpenVINO (.xml)', 'take the .onnx file that it was made from'],
  [/^\s*<(\?xml|[a-z])/i, 'XML', 'storage services answer so when a file is missing or private'],
  [/^version https:\/\/git-lfs/, 'a Git LFS pointer', 'the file itself is kept elsewhere: git lfs pull fetches it, and on the web the URL that downloads it (/resolve/ or media, in place of /raw/)'],
  [/^\s*\{[^]*"(format"\s*:\s*"(layers|graph)-model"|modelTopology)/, 'a model of TensorFlow.js', `${convert}: python -m tf2onnx.convert --tfjs model.json --output model.onnx`],
  [/^\s*(\{\s*("|\})|\[\s*["[{\d])/, 'JSON', 'the server may say in it what is wrong'],
];

/** What only looks like a kind, and is said of models that could not be read. @type {typeof binary} */
const likely = [
  [/^\x08\x01\x12[^]{1,4}\n/, 'a SavedModel of TensorFlow (saved_model.pb)', `${convert}: python -m tf2onnx.convert --saved-model folder --output model.onnx`],
  [/^\n[^]{1,3}\n[^]*(Placeholder|Const|VariableV2|VarHandleOp)/, 'a graph of TensorFlow (.pb)', `${convert} with tf2onnx`],
  [/^\n[^]*(feed|fetch|fluid|pd_op)/, 'a network of PaddlePaddle (.pdmodel)', `${convert} with paddle2onnx`],
  [/^(\x08[^])*\x10[\x01-\x17]/, "a single tensor (a .pb of ONNX's test data)", 'take the model.onnx beside it'],
];

/** How many bytes of a file tell what it is. */
export const headLength = 512;

/**
 * What a file certainly is, if it is none of what is wanted.
 * @param {Uint8Array} head
 * @param {'model' | 'module'} wanted
 * @returns {Kind | undefined}
 */
export function identify(head, wanted) {
  const text = characters(head);
  const other = wanted === 'model' ? /** @type {const} */ ([/^\0asm/, 'a WebAssembly module', 'another file was meant'])
    : /** @type {const} */ ([/^\x08[\x02-\x1f][\x12\x1a"*2:B]/, 'an ONNX model', 'InferenceSession.create() takes it']);
  return find([...binary, /** @type {typeof binary[0]} */ (/** @type {unknown} */ (other))], text) ?? (isText(text) ? find(textual, text.replace(/^\xef\xbb\xbf/, '')) : undefined);
}

/**
 * What a model may be that could not be read.
 * @param {Uint8Array} head
 * @returns {Kind | undefined}
 */
export function guess(head) {
  const text = characters(head);
  if (text.length > 0 && isText(text)) return { what: 'text', advice: `it begins with ${JSON.stringify(beginning(head))}` };
  return find(likely, text);
}

/**
 * The beginning of a text, for an error.
 * @param {Uint8Array} head
 */
export function beginning(head) {
  const text = new TextDecoder().decode(head).replace(/\s+/g, ' ').trim();
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

/**
 * @param {typeof binary} kinds
 * @param {string} text
 */
function find(kinds, text) {
  const kind = kinds.find(([pattern]) => pattern.test(text));
  return kind && { what: kind[1], advice: kind[2] };
}

/** @param {Uint8Array} head */
function characters(head) {
  return String.fromCharCode(...head.subarray(0, headLength));
}

/** @param {string} text */
function isText(text) {
  return !/[\0-\x08\x0e-\x1a\x1c-\x1f]/.test(text);
}
