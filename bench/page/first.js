// One network in one runtime in a page of its own: how long it takes to create the session and to run it for the first time, when the
// runtime has started and the file is there, and how much WebAssembly memory the page then has.
import { models } from './modellist.js';
import { bytesOf, feedsOf, inputsOf } from './models.js';
import { chainModel } from './onnx.js';

/* global memoryBytes */

const runtimes = {
  async normwasm(entry) {
    const { InferenceSession, Tensor, init } = await import(`/normwasm/${entry}`);
    const runtime = await init();
    return { create: (bytes) => InferenceSession.create(bytes), Tensor, own: () => runtime.memory().total };
  },
  async 'onnxruntime-web'() {
    const { start, session, Tensor } = await import('./ort.js');
    start();
    return { create: session, Tensor };
  },
};

globalThis.first = async (name, contender, entry) => {
  const spec = models.find((m) => m.name === name);
  const { create, Tensor, own } = await runtimes[contender](entry);
  // The runtime starts with its first session, if not before.
  const tiny = await create(chainModel({ op: 'Relu', nodes: 1, dims: [1, 4], attributes: {}, parameters: [], opset: 17 }));
  await tiny.run({ x: new Tensor('float32', new Float32Array(4), [1, 4]) });
  await tiny.release();
  const bytes = await bytesOf(spec);
  const inputs = await inputsOf(spec);

  const begin = performance.now();
  const session = await create(bytes);
  const created = performance.now();
  await session.run(feedsOf(session, Tensor, inputs));
  const ended = performance.now();

  const seen = memoryBytes(); // before the question, which takes memory itself
  const said = own?.() ?? seen;
  if (said !== seen) throw new Error(`the runtime says that it has ${said} bytes, the page sees ${seen}`);
  return { createMs: created - begin, runMs: ended - created, bytes: seen };
};
