// One contender in a worker of its own: a runtime, the case that it is at, and the clock. The page says what to do and when, so
// that only one of them computes at a time.

/** @type {{ session(model: Uint8Array): Promise<any>, tensor(data: any, dims: number[]): any }} */
let runtime;
/** @type {any} */
let session;
/** @type {(times: number) => Promise<number>} */
let time;

const starts = {
  async normwasm({ variant, threads }) {
    const { InferenceSession, Tensor, init } = await import('../engine.js');
    const own = await init({ variant, threads });
    runtime = { session: (model) => InferenceSession.create(model), tensor: (data, dims) => new Tensor(data instanceof BigInt64Array ? 'int64' : 'float32', data, dims) };
    return { version: own.version, variant: own.variant, threads: own.threads };
  },
  async ort({ threads }) {
    const ort = await import('../ort/ort.wasm.min.mjs');
    ort.env.wasm.numThreads = threads;
    const folder = new URL('../ort/', import.meta.url).href;
    ort.env.wasm.wasmPaths = folder;
    ort.env.wasm.wasmBinary = await fetched(`${folder}ort-wasm-simd-threaded.wasm`);
    const options = { executionProviders: ['wasm'], graphOptimizationLevel: 'all', logSeverityLevel: 3 };
    runtime = { session: (model) => ort.InferenceSession.create(model, options), tensor: (data, dims) => new ort.Tensor(data instanceof BigInt64Array ? 'int64' : 'float32', data, dims) };
    return { version: ort.env.versions.web, variant: 'simd', threads };
  },
};

/** A file, of which the page is told how much has come. @param {string} url */
async function fetched(url) {
  const response = await fetch(url);
  if (!response.ok || !response.body) throw new Error(`${url} answered ${response.status}`);
  const parts = [];
  let loaded = 0;
  const reader = response.body.getReader();
  for (let step = await reader.read(); !step.done; step = await reader.read()) {
    parts.push(step.value);
    loaded += step.value.length;
    globalThis.postMessage({ loaded });
  }
  return new Blob(parts).arrayBuffer();
}

const calls = {
  start: ({ runtime: name, ...options }) => starts[name](options),

  /** Makes the session and runs it once: what came out, in float32. */
  async prepare({ model, input, output, data }) {
    const begin = performance.now();
    session = await runtime.session(model);
    const feeds = { [input.name]: runtime.tensor(data, input.dims) };
    const name = output ?? session.outputNames[0];
    const results = await session.run(feeds, [name]);
    const firstMs = performance.now() - begin;
    time = async (times) => {
      const start = performance.now();
      for (let i = 0; i < times; i++) await session.run(feeds, [name]);
      return performance.now() - start;
    };
    return { firstMs, result: Float32Array.from(results[name].data) };
  },

  time: ({ times }) => time(times),

  async release() {
    await session?.release();
    session = undefined;
  },
};

globalThis.onmessage = async ({ data: { call, ...rest } }) => {
  try {
    globalThis.postMessage({ value: await calls[call](rest) });
  } catch (error) {
    globalThis.postMessage({ error: error instanceof Error ? error.message : String(error) });
  }
};
