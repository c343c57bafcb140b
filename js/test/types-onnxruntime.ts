// Checked by tsc, never run: normwasm/onnxruntime as users write against it.
import * as common from 'onnxruntime-common';
import { InferenceSession, Tensor, backend, env, registerBackend, registerNormwasm } from 'normwasm/onnxruntime';
import ort from 'normwasm/onnxruntime';

export async function use(bytes: Uint8Array): Promise<number> {
  registerNormwasm(common);
  registerNormwasm(common, { names: ['normwasm', 'wasm'], priority: 20, worker: 2 });
  // @ts-expect-error no such option
  registerNormwasm(common, { prioritiy: 1 });
  // onnxruntime-common takes the backend itself, types and all.
  common.registerBackend('also', backend, 1);
  const theirs: common.InferenceSession = await common.InferenceSession.create(bytes, { executionProviders: ['normwasm'] });

  env.wasm.numThreads = 1;
  env.wasm.wasmPaths = { wasm: '/a.wasm' };
  env.logLevel = 'error';
  // @ts-expect-error no such level
  env.logLevel = 'loud';
  const session: InferenceSession = await ort.InferenceSession.create(bytes.buffer, 0, 10, { executionProviders: ['webgpu', { name: 'normwasm', worker: true }], intraOpNumThreads: 1 });
  await InferenceSession.create('model.onnx');
  const x = new Tensor('float32', [1, 2], [1, 2]);
  const results = await session.run({ x, y: new common.Tensor(Float32Array.of(1)) }, { z: null }, { tag: 'run' });
  const data: Float32Array = results.z.data;
  registerBackend('another', backend, 1);
  await session.release();
  return data.length + theirs.inputNames.length + session.inputMetadata[0].shape.length + (await Tensor.fromImage('a.png', { tensorFormat: 'BGR' })).size;
}
