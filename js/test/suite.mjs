// What the browser tests run, in the page and in a worker: plain numbers go in and out.

/** @param {{ source?: string, asModule?: boolean, variant?: string }} options */
export async function run({ source, asModule, variant }) {
  const names = () => Reflect.ownKeys(globalThis).map(String);
  const before = new Set(names());
  const { BatchNorm, InferenceSession, LayerNorm, RMSNorm, Tensor, batchNorm, groupNorm, init, instanceNorm, layerNorm, lpNorm, rmsNorm } = await import('./package.mjs');
  const { floats, twoOutputs } = await import('/test/data.mjs');
  const started = performance.now();
  const phases = new Set();
  const options = { variant, onProgress: (p) => phases.add(p.phase) };
  if (asModule) options.wasmModule = await WebAssembly.compile(await (await fetch(source)).arrayBuffer());
  else if (source) options.wasmURL = source;
  const runtime = await init(options);
  const ms = performance.now() - started;

  const x = floats(64 * 768, 1, 2, 3);
  const scale = floats(768, 2);
  const bias = floats(768, 3);
  const stats = { mean: floats(64, 4), variance: floats(64, 5).map((v) => v * v + 0.1), scale: floats(64, 6), bias: floats(64, 7) };
  const layer = layerNorm(x, { shape: [64, 768], scale, bias });
  const resident = new Tensor('float32', x, [1, 64, 24, 32]).toWasm();
  const batch = batchNorm(resident, { ...stats, activation: 'relu' });
  const batchData = [...batch.data];
  batch.dispose();
  const shape = [64, 768];
  const family = [rmsNorm(x, { shape, scale }), instanceNorm(x, { shape: [1, 64, 768] }), groupNorm(x, { shape: [1, 64, 768], groups: 4, activation: 'silu' }), lpNorm(x, { shape })].flatMap((y) => [...y.subarray(0, 4000)]);
  const training = [];
  for (const [norm, input] of [[new BatchNorm({ features: 64 }), resident], [new LayerNorm({ normalizedShape: [768] }), x], [new RMSNorm({ normalizedShape: [768] }), x]]) {
    const out = norm.forward(input);
    const { dx, dscale } = norm.backward(out);
    training.push(...(dx.data ?? dx).slice(0, 4000), ...dscale, ...(norm.runningVar ?? []));
    for (const thing of [out, dx, norm]) thing.dispose?.();
  }
  resident.dispose();
  const session = await InferenceSession.create(new Blob([twoOutputs()]));
  const { y, z } = await session.run({ x: new Tensor('float32', x.subarray(0, 30), [10, 3]) });
  await session.release();
  const remote = await InferenceSession.create(new Blob([twoOutputs()]), { worker: 2, variant: runtime.variant });
  const [first, second] = await Promise.all([0, 30].map((at) => remote.run({ x: new Tensor('float32', x.subarray(at, at + 30), [10, 3]) })));
  await remote.release();
  const elsewhere = [...first.y.data, ...first.z.data].join() === [...y.data, ...z.data].join() && second.y.size === 30;
  let failure;
  try {
    layerNorm(x, { shape: [3, 3] });
  } catch (error) {
    failure = `${error.name} ${error.code} ${error.message}`;
  }
  const memory = runtime.memory();
  const kind = runtime.variant;
  runtime.dispose();
  return {
    variant: kind, phases: [...phases], ms, failure, elsewhere, memory: { ...memory, total: memory.total > 0 },
    layer: [...layer], batch: batchData, family, training, y: [...y.data], z: [...z.data],
    globals: names().filter((name) => !before.has(name)),
  };
}

/** A network in training, here and in a worker: what it has learnt, and what the page fetched for it. @param {{ variant?: string }} options */
export async function train(options) {
  const { Tensor, Trainer } = await import('./package.mjs');
  const { networks, plainBatch } = await import('/test/networks.mjs');
  const results = [];
  for (const worker of [false, true]) {
    const trainer = await Trainer.create({ ...networks.image, loss: 'crossEntropy', seed: 3, optimizer: { type: 'adamw', learningRate: 0.01 }, worker, ...options });
    const losses = [];
    for (let i = 0; i < 4; i++) {
      const { x, y } = plainBatch(networks.image, 5, i);
      losses.push((await trainer.step({ x: new Tensor(x.type, x.data, x.dims), y: new Tensor(y.type, y.data, y.dims) })).loss);
    }
    results.push({ variant: trainer.variant, losses, file: [...await trainer.save()] });
    trainer.dispose();
  }
  return { results, modules: performance.getEntriesByType('resource').map(({ name }) => name.split('/').pop()).filter((name) => name.endsWith('.wasm')) };
}

/** The message of a start that fails, and whether the next one works. @param {string} wasmURL */
export async function fail(wasmURL) {
  const { init, layerNorm } = await import('./package.mjs');
  const error = await init({ wasmURL }).then(() => undefined, (e) => e);
  const runtime = await init();
  const ok = layerNorm(new Float32Array(4)).every((v) => v === 0);
  runtime.dispose();
  return { name: error?.name, code: error?.code, message: error?.message, ok };
}

/** What a start says that is to fail. @param {object} options */
export async function refused(options) {
  const { init } = await import('./package.mjs');
  const { name, message } = await init(options).then(() => ({}), (error) => error);
  return { name, message };
}

/** Runs an ONNX model for one input; the first outputs' elements. @param {{ model: string, shape: number[], seed: number }} options */
export async function infer({ model, shape, seed }) {
  const { InferenceSession, Tensor, init } = await import('./package.mjs');
  const runtime = await init();
  const { floats } = await import('/test/data.mjs');
  const session = await InferenceSession.create(model);
  const x = new Tensor('float32', floats(shape.reduce((a, b) => a * b), seed, 1), shape);
  const results = await session.run({ [session.inputNames[0]]: x });
  await session.release();
  runtime.dispose();
  return [...results[session.outputNames[0]].data];
}

/** Products of bytes at the ends of their ranges, all sizes around those of a tile: how many results are not what integers give. @param {{ variant: string }} options */
export async function multiply({ variant }) {
  const { InferenceSession, Tensor, init } = await import('./package.mjs');
  const { model } = await import('/test/data.mjs');
  const runtime = await init({ variant });
  const wrong = [];
  let [seed, count] = [7, 0];
  const random = (/** @type {number} */ n) => ((seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) >>> 8) % n;
  const types = /** @type {const} */ ({ uint8: [2, Uint8Array, 0, 255], int8: [3, Int8Array, -128, 127] });
  const draw = (/** @type {'uint8' | 'int8'} */ type, /** @type {number} */ n, /** @type {boolean} */ ends) => types[type][1].from({ length: n }, () => (ends ? types[type][2 + random(2)] : types[type][2] + random(256)));
  for (const left of /** @type {const} */ (['uint8', 'int8'])) {
    for (const right of /** @type {const} */ (['uint8', 'int8'])) {
      for (const [m, k, n] of [[1, 5, 3], [1, 64, 40], [2, 7, 9], [3, 16, 8], [6, 33, 17], [7, 4, 33], [13, 130, 24], [20, 1, 5]]) {
        for (const kind of ['constant', 'fed', 'rows']) {
          const [a, b] = [draw(left, m * k, count % 2 > 0), draw(right, k * n, count % 3 > 0)];
          const [az, bz] = [draw(left, kind === 'rows' ? m : 1, false), draw(right, count % 2 ? n : 1, false)];
          const constants = [['az', kind === 'rows' ? [m] : [], az, types[left][0]], ['bz', bz.length > 1 ? [n] : [], bz, types[right][0]]];
          const inputs = [['a', types[left][0], [m, k]]];
          if (kind === 'fed') inputs.push(['b', types[right][0], [k, n]]);
          else constants.push(['b', [k, n], b, types[right][0]]);
          const session = await InferenceSession.create(model({ nodes: [{ op: 'MatMulInteger', inputs: ['a', 'b', 'az', 'bz'], outputs: ['y'] }], inputs, outputs: [['y', 6, [m, n]]], constants }));
          const { y } = await session.run({ a: new Tensor(left, a, [m, k]), ...kind === 'fed' && { b: new Tensor(right, b, [k, n]) } });
          await session.release();
          const at = [...y.data].findIndex((v, i) => {
            const [row, col] = [Math.floor(i / n), i % n];
            let sum = 0;
            for (let t = 0; t < k; t++) sum += (a[row * k + t] - az[az.length > 1 ? row : 0]) * (b[t * n + col] - bz[bz.length > 1 ? col : 0]);
            return v !== sum;
          });
          if (at >= 0) wrong.push(`${left} [${m} ${k}] · ${right} [${k} ${n}], ${kind}: ${at} is ${y.data[at]}`);
          count++;
        }
      }
    }
  }
  // Convolutions: pixels side by side and apart, taps that are no multiple of 4, windows over the edge.
  for (const left of /** @type {const} */ (['uint8', 'int8'])) {
    for (const right of /** @type {const} */ (['uint8', 'int8'])) {
      for (const [channels, h, w, outputs, kernel, stride, pad] of [[1, 5, 9, 3, 1, 1, 0], [3, 9, 17, 9, 3, 1, 1], [4, 8, 11, 8, 3, 2, 1], [2, 7, 20, 5, 2, 1, 0], [5, 6, 6, 16, 1, 1, 0], [2, 12, 13, 3, 3, 3, 2]]) {
        const [x, f] = [draw(left, channels * h * w, count % 2 > 0), draw(right, outputs * channels * kernel ** 2, count % 3 > 0)];
        const [xz, fz] = [draw(left, 1, false), draw(right, outputs, false)];
        const [oh, ow] = [h, w].map((n) => Math.floor((n + 2 * pad - kernel) / stride) + 1);
        const session = await InferenceSession.create(model({
          nodes: [{ op: 'ConvInteger', inputs: ['x', 'f', 'xz', 'fz'], outputs: ['y'], attributes: { strides: [stride, stride], pads: [pad, pad, pad, pad] } }],
          inputs: [['x', types[left][0], [1, channels, h, w]]], outputs: [['y', 6, [1, outputs, oh, ow]]],
          constants: [['f', [outputs, channels, kernel, kernel], f, types[right][0]], ['xz', [], xz, types[left][0]], ['fz', [outputs], fz, types[right][0]]],
        }));
        const { y } = await session.run({ x: new Tensor(left, x, [1, channels, h, w]) });
        await session.release();
        const at = [...y.data].findIndex((v, i) => {
          const [o, row, col] = [Math.floor(i / (oh * ow)), Math.floor(i / ow) % oh, i % ow];
          let sum = 0;
          for (let t = 0; t < channels * kernel ** 2; t++) {
            const [c, r, q] = [Math.floor(t / kernel ** 2), row * stride - pad + Math.floor(t / kernel) % kernel, col * stride - pad + t % kernel];
            if (r >= 0 && r < h && q >= 0 && q < w) sum += (x[(c * h + r) * w + q] - xz[0]) * (f[o * channels * kernel ** 2 + t] - fz[o]);
          }
          return v !== sum;
        });
        if (at >= 0) wrong.push(`${left} [${channels} ${h} ${w}] * ${right} ${outputs} of ${kernel}: ${at} is ${y.data[at]}`);
        count++;
      }
    }
  }
  const kind = runtime.variant;
  runtime.dispose();
  return { variant: kind, count, wrong };
}

/** Stops a loop whose end is hours away, and runs the session again: what was said, how many turns the thread had meanwhile, a result. */
export async function stop() {
  const { InferenceSession, Tensor, init } = await import('./package.mjs');
  const { model } = await import('/test/data.mjs');
  const runtime = await init();
  const file = model({
    opset: 21, inputs: [['m', 7, []], ['x', 1, ['n']]], outputs: [['y', 1, ['n']]],
    nodes: [{
      op: 'Loop', inputs: ['m', '', 'x'], outputs: ['y'],
      attributes: { body: { nodes: [{ op: 'Identity', inputs: ['c'], outputs: ['d'] }, { op: 'Neg', inputs: ['v'], outputs: ['w'] }], inputs: [['i', 7, []], ['c', 9, []], ['v', 1]], outputs: [['d', 9, []], ['w', 1]] } },
    }],
  });
  const feeds = (m, n) => ({ m: new Tensor('int64', [m], []), x: new Tensor('float32', new Float32Array(n).fill(2), [n]) });
  const results = [];
  for (const worker of [false, true]) {
    const session = await InferenceSession.create(file, { worker });
    const control = new AbortController();
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    setTimeout(() => control.abort(), 200);
    const code = await session.run(feeds(4_000_000n, 1_000_000), { signal: control.signal }).then(() => 'it ended', (error) => error.code);
    clearInterval(timer);
    const { y } = await session.run(feeds(3n, 1));
    results.push({ code, turned: turns > 0, y: y.data[0] });
    await session.release();
  }
  runtime.dispose();
  return results;
}

/** Three workers with one queue, of which all but one fail on the way: what was computed, and what was said. */
export async function workers() {
  const { InferenceSession, Tensor } = await import('./package.mjs');
  const session = await InferenceSession.create('/two-outputs.onnx', { worker: 3, workerURL: '/test/failing-worker.js' });
  const run = (/** @type {number} */ first) => session.run({ x: new Tensor('float32', [first, -2, 3], [1, 3]) }).then(({ y }) => [...y.data].join(), (error) => `${error.name} ${error.code} ${error.message}`);
  const results = await Promise.all([1, 2, 3, 1001, 4, 5, 1002, 6, 7, 8].map(run));
  results.push(await run(1001), await run(1));
  await session.release();
  return { results, isolated: globalThis.crossOriginIsolated };
}
