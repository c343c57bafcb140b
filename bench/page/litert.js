// LiteRT.js on the processor, which is XNNPACK behind TensorFlow Lite's interpreter, one thread.
import { channelsLast } from './data.js';

let loaded;

/** The library, and what writes its files. It is loaded by its first network. */
export const library = () => (loaded ??= load());

async function load() {
  const [api, files] = await Promise.all([import('/litert/dist/index.js'), import('./tflite.js')]);
  await api.loadLiteRt('/litert/wasm/', { threads: false });
  return { ...api, ...files };
}

/** A network of cnn.js, with an array in and one out as sessions have them. */
export async function network(steps, { data, dims: [n, channels, ...size] }) {
  const { loadAndCompile, Tensor, toTFLite } = await library();
  const model = await loadAndCompile(toTFLite(steps), { accelerator: 'wasm' });
  const x = channelsLast(data, [n, channels, ...size]);
  const result = async () => {
    const input = new Tensor(x, [n, ...size, channels]);
    const [output] = await model.run(input);
    const got = Float32Array.from(output.toTypedArray());
    input.delete();
    output.delete();
    return got;
  };
  return {
    name: 'litert', result,
    run: async (times) => {
      for (let i = 0; i < times; i++) await result();
    },
    release: () => model.delete(),
  };
}
