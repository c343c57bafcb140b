// Options: that none is ignored in silence. The table of src/options.js is compared with the
// published types, and the tests range over it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import ts from 'typescript';
import * as normwasm from '../src/index.js';
import { InferenceSession, NormError, Tensor, TextGenerator, Tokenizer, Trainer, init } from '../src/index.js';
import { scheduleOptions } from '../src/bridge.js';
import { known, layers, optimizers } from '../src/options.js';
import { addOptions } from '../src/text/parts.js';
import { twoOutputs } from './data.mjs';
import { byteFallback, file, llama } from './writing.mjs';

let runtime;
/** @type {InferenceSession} */
let session;
/** @type {Trainer} */
let trainer;
/** @type {Tokenizer} */
let tokenizer;
/** @type {TextGenerator} */
let generator;
const vocabulary = file(byteFallback());
const { model: decoder, config } = llama(300, { layers: 1, width: 8, heads: 2, kv: 1, inside: 8, context: 8 });
const network = { input: [2], model: [{ type: 'linear', units: 2 }], loss: 'crossEntropy', optimizer: { type: 'sgd', learningRate: 0.1 } };
before(async () => {
  runtime = await init();
  trainer = await Trainer.create(network);
  await trainer.step({ x: new Tensor('float32', [1, 2], [1, 2]), y: new Tensor('int32', [0], [1]) }); // so that it can be exported
  session = await InferenceSession.create(twoOutputs());
  tokenizer = await Tokenizer.fromFile(vocabulary);
  generator = await TextGenerator.create(decoder, { tokenizer, config });
});
after(async () => {
  await session.release();
  await generator.release();
  trainer.dispose();
  runtime.dispose();
});

const x = Float32Array.of(1, 2, 4, 8);
const four = new Float32Array(4).fill(0.5);
const half = new Float32Array(2).fill(0.5);
const feeds = () => ({ x: new Tensor('float32', new Float32Array(3), [1, 3]) });
/** What constructors, functions and methods need besides the option in question. */
const needed = {
  batchNorm: { shape: [2, 2], mean: half, variance: half },
  instanceNorm: { shape: [1, 2, 2] },
  groupNorm: { shape: [1, 4], groups: 2 },
  localResponseNorm: { shape: [1, 4], size: 3 },
  meanVarianceNorm: { shape: [2, 2] },
  adaptiveLayerNorm: { shape: [2, 2] },
  weightNorm: { g: four },
  foldBatchNorm: { weight: four, weightShape: [2, 2], mean: half, variance: half },
  BatchNorm: { features: 2 },
  LayerNorm: { normalizedShape: [2] },
  RMSNorm: { normalizedShape: [2] },
  GroupNorm: { groups: 1, features: 2 },
  InstanceNorm: { features: 2 },
  AdaptiveLayerNorm: { features: 2 },
  LocalResponseNorm: { size: 3 },
  SpectralNorm: { shape: [2, 2] },
};
for (const Class of ['BatchNorm', 'LayerNorm', 'RMSNorm', 'AdaptiveLayerNorm', 'LpNorm', 'LocalResponseNorm']) {
  for (const method of ['forward', 'moments']) needed[`${Class}.${method}`] = { shape: [2, 2] };
}
for (const Class of ['GroupNorm', 'InstanceNorm']) needed[`${Class}.forward`] = { shape: [1, 2, 2] };

/** Calls by name, with these options and no others. */
function call(name, options) {
  if (name === 'init') return init(options);
  if (name === 'InferenceSession.create') return InferenceSession.create(twoOutputs(), options).then((made) => made.release());
  if (name === 'InferenceSession.run') return session.run(feeds(), options);
  if (name === 'Trainer.create') return Trainer.create({ ...network, ...options }).then((made) => made.dispose());
  if (name === 'Trainer.evaluate') return trainer.evaluate({ x: new Tensor('float32', [1, 2], [1, 2]), y: new Tensor('int32', [0], [1]) }, options);
  if (name === 'Trainer.exportONNX') return trainer.exportONNX(options);
  if (name === 'Tokenizer.fromFile') return Tokenizer.fromFile(vocabulary, options);
  if (name === 'Tokenizer.encode') return tokenizer.encode('a', options);
  if (name === 'Tokenizer.decode') return tokenizer.decode([5], options);
  if (name === 'TextGenerator.create') return TextGenerator.create(decoder, { tokenizer, config, ...options }).then((made) => made.release());
  if (name === 'TextGenerator.generate') return generator.generate('a', options);
  if (name === 'Tensor.zeros') return Tensor.zeros([2], options);
  const [Class, method] = name.split('.');
  if (method === undefined) {
    if (/^[A-Z]/.test(name)) return new normwasm[name](options);
    if (name === 'tensorFromImage') return normwasm[name]({ data: new Uint8Array(4), width: 1, height: 1 }, options);
    if (name === 'tensorToImage') return normwasm[name](new Tensor('float32', x.subarray(1), [3, 1, 1]), options);
    return name === 'foldBatchNorm' ? normwasm[name](options) : normwasm[name](x, options);
  }
  const layer = new normwasm[Class](needed[Class]);
  if (method === 'backward') layer.forward(x, needed[`${Class}.forward`]);
  return layer[method](x, options);
}

addOptions(known); // as the script does that tokenizers and texts come with

/** The error of a call. */
async function failure(name, options) {
  try {
    await call(name, options);
  } catch (error) {
    return error;
  }
  return assert.fail(`${name}(${JSON.stringify(options)}) went through`);
}

test('the table has what the types have', () => {
  const file = new URL('../index.d.ts', import.meta.url).pathname;
  const program = ts.createProgram([file], { strict: true, target: ts.ScriptTarget.ES2022, lib: ['lib.es2022.d.ts', 'lib.dom.d.ts', 'lib.esnext.disposable.d.ts'], types: [] });
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(file);
  /** @type {Record<string, string[]>} */
  const typed = {};
  /** @param {string} name @param {readonly ts.ParameterDeclaration[]} parameters */
  const add = (name, parameters) => {
    const last = parameters.at(-1);
    if (last === undefined || !/^(o|options)$/.test(last.name.getText())) return;
    const properties = checker.getPropertiesOfType(checker.getNonNullableType(checker.getTypeAtLocation(last)));
    typed[name] = properties.map((property) => property.name);
  };
  for (const statement of source.statements) {
    if (ts.isFunctionDeclaration(statement)) add(statement.name.text, statement.parameters);
    if (!ts.isClassDeclaration(statement)) continue;
    for (const member of statement.members) {
      if (ts.isConstructorDeclaration(member)) add(statement.name.text, member.parameters);
      if (ts.isMethodDeclaration(member)) add(`${statement.name.text}.${member.name.getText()}`, member.parameters);
    }
  }
  // Layers, optimizers and the schedule of a network in training.
  const alias = (name) => checker.getTypeAtLocation(source.statements.find((s) => s.name?.text === name));
  const members = (type) => checker.getPropertiesOfType(type);
  const typeOf = (property) => checker.getNonNullableType(checker.getTypeOfSymbolAtLocation(property, source));
  const variants = (type) => Object.fromEntries((type.isUnion() ? type.types : [type]).flatMap((one) => {
    const kinds = typeOf(members(one).find(({ name }) => name === 'type'));
    return (kinds.isUnion() ? kinds.types : [kinds]).map(({ value }) => [value, members(one).map(({ name }) => name)]);
  }));
  const option = (name) => typeOf(members(alias('TrainerOptions')).find((property) => property.name === name));

  const sorted = (lists) => Object.fromEntries(Object.entries(lists).map(([name, keys]) => [name, [...keys].sort()]).sort());
  assert.ok(Object.keys(typed).length > 35, 'the types were read');
  assert.deepEqual(sorted(known), sorted(typed));
  assert.deepEqual(sorted(layers), sorted(variants(alias('LayerSpec'))));
  assert.deepEqual(sorted(optimizers), sorted(variants(option('optimizer'))));
  assert.deepEqual(scheduleOptions.split(' ').sort(), members(option('schedule')).map(({ name }) => name).sort());
});

describe('every option that others have is an error', () => {
  const all = new Set(Object.values(known).flatMap((keys) => [...keys]));
  for (const [name, keys] of Object.entries(known)) {
    test(name, async () => {
      await call(name, { ...needed[name] });
      for (const foreign of [...all, 'nonsense', 'toString', 'constructor', 'hasOwnProperty', '__proto_'].filter((option) => !keys.has(option))) {
        const error = await failure(name, { ...needed[name], [foreign]: 1 });
        assert.ok(error instanceof NormError, String(error));
        assert.equal(error.code, 'UNKNOWN_OPTION', error.message);
        assert.ok(error.message.startsWith(`${name}: unknown option '${foreign}'`), error.message);
        const suggested = /did you mean '(\w+)'/.exec(error.message)?.[1];
        if (suggested) assert.ok(keys.has(suggested), error.message);
        else assert.ok(/: \S/.test(error.message) || [...keys].every((option) => error.message.includes(option)), error.message);
        await call(name, { ...needed[name], [foreign]: undefined }); // as if left out
      }
    });
  }
});

describe('mistakes and what is said', () => {
  for (const [name, option, meant] of [
    ['layerNorm', 'axis', 'axes'], ['layerNorm', 'eps', 'epsilon'], ['layerNorm', 'weight', 'scale'], ['layerNorm', 'gamma', 'scale'], ['layerNorm', 'beta', 'bias'],
    ['layerNorm', 'dim', 'axes'], ['layerNorm', 'dims', 'shape'], ['layerNorm', 'normalized_shape', 'axes'], ['layerNorm', 'Epsilon', 'epsilon'], ['layerNorm', 'epsilom', 'epsilon'],
    ['layerNorm', 'inv_std_dev', 'invStdDev'], ['layerNorm', 'sacle', 'scale'], ['layerNorm', 'output', 'out'], ['layerNorm', 'skip', 'residual'],
    ['rmsNorm', 'eps', 'epsilon'], ['rmsNorm', 'weight', 'scale'], ['rmsNorm', 'rstd', 'invStdDev'],
    ['batchNorm', 'axes', 'axis'], ['batchNorm', 'runningMean', 'mean'], ['batchNorm', 'running_var', 'variance'], ['batchNorm', 'var', 'variance'], ['batchNorm', 'moving_variance', 'variance'],
    ['batchNorm', 'dataFormat', 'layout'], ['batchNorm', 'offset', 'bias'], ['batchNorm', 'varianceEpsilon', 'epsilon'],
    ['groupNorm', 'numGroups', 'groups'], ['groupNorm', 'num_groups', 'groups'], ['groupNorm', 'group', 'groups'],
    ['lpNorm', 'axes', 'axis'], ['lpNorm', 'ord', 'p'], ['localResponseNorm', 'depthRadius', 'size'], ['localResponseNorm', 'k', 'bias'],
    ['adaptiveLayerNorm', 'bias', 'shift'], ['weightNorm', 'gain', 'g'], ['foldBatchNorm', 'gamma', 'scale'], ['foldBatchNorm', 'beta', 'shift'], ['foldBatchNorm', 'shape', 'weightShape'],
    ['BatchNorm', 'eps', 'epsilon'], ['BatchNorm', 'num_features', 'features'], ['BatchNorm', 'channels', 'features'], ['BatchNorm', 'affines', 'affine'], ['BatchNorm', 'elementwise_affine', 'affine'],
    ['LayerNorm', 'normalized_shape', 'normalizedShape'], ['LayerNorm', 'shape', undefined], ['LayerNorm', 'axes', 'normalizedShape'], ['GroupNorm', 'num_channels', 'features'],
    ['InstanceNorm', 'track_running_stats', 'trackRunningStats'],
    ['BatchNorm.forward', 'train', 'training'], ['BatchNorm.forward', 'is_training', 'training'], ['BatchNorm.forward', 'dims', 'shape'], ['BatchNorm.backward', 'dx', 'out'],
    ['SpectralNorm.forward', 'nPowerIterations', 'steps'], ['SpectralNorm.converge', 'tol', 'tolerance'],
    ['tensorFromImage', 'size', 'width'], ['tensorFromImage', 'interpolation', 'resize'], ['tensorFromImage', 'dtype', 'type'], ['tensorFromImage', 'dataFormat', 'layout'],
    ['tensorFromImage', 'resizedWidth', 'width'], ['tensorFromImage', 'tensorLayout', 'layout'], ['tensorFromImage', 'widht', 'width'], ['tensorToImage', 'stddev', 'std'],
    ['Tensor.zeros', 'device', 'location'], ['init', 'wasmPaths', 'wasmURL'], ['init', 'numThreads', 'threads'],
    ['InferenceSession.create', 'executionProvider', 'executionProviders'], ['InferenceSession.create', 'workers', 'worker'], ['InferenceSession.create', 'freeDimensionOverride', 'freeDimensionOverrides'],
    ['InferenceSession.create', 'outputLocation', 'preferredOutputLocation'], ['InferenceSession.run', 'abortSignal', 'signal'],
  ]) {
    test(`${name} ${option}`, async () => {
      const { code, message } = await failure(name, { ...needed[name], [option]: 1 });
      assert.equal(code, 'UNKNOWN_OPTION', message);
      if (meant !== undefined) assert.ok(message.includes(`did you mean '${meant}'?`), message);
    });
  }

  for (const [name, options, message] of [
    ['rmsNorm', { bias: four }, "rmsNorm: unknown option 'bias': RMSNorm has no bias; layerNorm has"],
    ['rmsNorm', { nonsense: 1 }, "rmsNorm: unknown option 'nonsense'; the options are shape, epsilon, out, scale, residual, axes, activation, invStdDev, sum"],
    ['layerNorm', { groups: 2 }, /'groups': it is an option of groupNorm, not of layerNorm; the options are shape/],
    ['LayerNorm.forward', { epsilon: 1 }, /'epsilon': it is an option of new LayerNorm\(\); the options are out, shape/],
    ['BatchNorm.forward', { momentum: 1 }, /'momentum': it is an option of new BatchNorm\(\)/],
    ['BatchNorm', { training: true }, /'training': it is an option of forward/],
    ['BatchNorm', { trackRunningStats: true }, /'trackRunningStats': running statistics are always kept/],
    ['LayerNorm.backward', { shape: [2, 2] }, /'shape'.*forward/],
    ['layerNorm', [2, 2], 'layerNorm: options is a plain array, want an object, as in { shape: [2, 2] }'],
    ['layerNorm', [], /options is a plain array/],
    ['layerNorm', 5, /options is a number, want an object/],
    ['layerNorm', 'fast', /options is a string/],
    ['layerNorm', null, /options is null/],
    ['layerNorm', four, /options is a Float32Array/],
    ['layerNorm', new Tensor('float32', four), /options is an object of class Tensor/],
    ['layerNorm', new Map([['epsilon', 1]]), /options is an object of class Map/],
    ['layerNorm', Promise.resolve({}), /options is an object of class Promise/],
    ['groupNorm', 2, /options is a number/],
    ['BatchNorm', 4, /options is a number/],
    ['BatchNorm.forward', [2, 2], /options is a plain array, want an object, as in \{ shape: \[2, 2\] \}/],
    ['Tensor.zeros', 'wasm', /options is a string/],
    ['init', 'simd', /init: options is a string/],
    ['InferenceSession.create', ['wasm'], /options is a plain array/],
    ['InferenceSession.run', 'y', /fetches is a string, want an array of outputs' names, as in \["y"\]/],
    ['InferenceSession.run', { y: null }, /an object with the output "y", want an array of names, as in \["y"\]/],
    ['InferenceSession.run', [5], /a number is no output/],
    ['InferenceSession.run', { signal: new AbortController() }, /signal is an object of class AbortController, want an AbortSignal \(the controller's signal\)/],
    ['InferenceSession.run', { terminate: true }, /terminate is true/],
  ]) {
    test(`${name}(${Array.isArray(options) ? JSON.stringify(options) : String(Object.keys(Object(options)))}) ${message}`, async () => {
      const error = await failure(name, options?.constructor === Object ? { ...needed[name], ...options } : options);
      assert.ok(error instanceof NormError, String(error));
      if (typeof message === 'string') assert.equal(error.message, message);
      else assert.match(error.message, message);
    });
  }
});

test('arguments after the options are not ignored', () => {
  const x = new Float32Array(4);
  for (const name of ['layerNorm', 'rmsNorm', 'batchNorm', 'instanceNorm', 'groupNorm', 'localResponseNorm', 'lpNorm', 'meanVarianceNorm', 'adaptiveLayerNorm', 'weightNorm']) {
    assert.throws(() => normwasm[name](x, {}, x), (error) => error instanceof NormError && error.message.startsWith(`${name}: an argument comes after the options; everything but the input is an option, as in ${name}(x, { `));
    assert.throws(() => normwasm[name](x, {}, x, x), /: 2 arguments come after the options/);
  }
  assert.throws(() => normwasm.foldBatchNorm({}, x), { message: 'foldBatchNorm: an argument comes after the options; everything but the input is an option, as in foldBatchNorm({ weight })' });
});

describe('other mistakes, and what is said', () => {
  const { BatchNorm, GroupNorm, LayerNorm, foldBatchNorm, layerNorm, lpNorm } = normwasm;
  const t = (data = new Float32Array(3), dims = [1, 3]) => new Tensor(data, dims);
  for (const [name, make, Class, message] of [
    ['normalizedShape as a number', () => new LayerNorm({ normalizedShape: 768 }), 'NormError', 'LayerNorm: normalizedShape is a number, want an array of whole numbers, as in [768]'],
    ['LayerNorm(768)', () => new LayerNorm(768), 'NormError', /options is a number, want an object/],
    ['half a group', () => new GroupNorm({ groups: 1.5, features: 3 }), 'ShapeError', /groups is 1\.5, want a divisor of the 3 features/],
    ['negative groups', () => new GroupNorm({ groups: -1, features: 3 }), 'ShapeError', /groups is -1/],
    ['negative groups of the function', () => normwasm.groupNorm(x, { shape: [1, 4], groups: -2 }), 'ShapeError', /groups is -2, want a divisor of the 4 channels/],
    ['axes as a number', () => layerNorm(x, { shape: [2, 2], axes: 1 }), 'NormError', /axes is a number, want an array of whole numbers, as in \[1\]/],
    ['axis as an array', () => lpNorm(x, { axis: [1] }), 'NormError', /axis is a plain array, want a whole number/],
    ['shape of strings', () => layerNorm(x, { shape: ['2', '2'] }), 'ShapeError', /shape\[0\] is a string, want a whole number/],
    ['shape as a number', () => layerNorm(x, { shape: 4 }), 'NormError', /as in \[4\]/],
    ['epsilon NaN', () => layerNorm(x, { epsilon: NaN }), 'NormError', /epsilon is NaN/],
    ['epsilon as text', () => new LayerNorm({ normalizedShape: [4], epsilon: '1e-5' }), 'NormError', /epsilon is a string/],
    ['momentum', () => new BatchNorm({ features: 2, momentum: NaN }), 'NormError', /momentum is NaN/],
    ['training as text', () => new BatchNorm({ features: 2 }).forward(x, { shape: [2, 2], training: 'false' }), 'NormError', /training is a string, want true or false/],
    ['a promise as x', () => layerNorm(init()), 'NormError', /x is an object of class Promise, want .*: await it first/],
    ['a response as x', () => layerNorm(new Response('')), 'NormError', /x is an object of class Response/],
    ['tensors to fold', () => foldBatchNorm({ weight: t(four, [2, 2]), weightShape: [2, 2], mean: half, variance: half }), 'NormError', 'foldBatchNorm: weight is a Tensor, want a Float32Array: its data'],
    ['PyTorch’s state', () => new BatchNorm({ features: 4 }).loadStateDict({ weight: four, bias: four, running_mean: four, running_var: four, num_batches_tracked: four }), 'NormError',
      /there is no weight \(here: scale\), running_mean \(here: runningMean\), running_var \(here: runningVar\), num_batches_tracked \(here: batches\); want/],
    ['Keras’s state', () => new BatchNorm({ features: 4 }).loadStateDict({ gamma: four, beta: four, moving_mean: four, moving_variance: four }), 'NormError', /gamma \(here: scale\), beta \(here: bias\), moving_mean \(here: runningMean\), moving_variance \(here: runningVar\)/],
    ['type float', () => new Tensor('float', x), 'UnsupportedError', /type "float" is none of .*: did you mean 'float32'\?/],
    ['type Float32', () => new Tensor('Float32', x), 'UnsupportedError', /did you mean 'float32'\?/],
    ['type double', () => new Tensor('double', x), 'UnsupportedError', /did you mean 'float64'\?/],
    ['type boolean', () => new Tensor('boolean', [true]), 'UnsupportedError', /did you mean 'bool'\?/],
    ['type bfloat16', () => new Tensor('bfloat16', [1]), 'UnsupportedError', /uint64, string$/],
    ['dims before data', () => new Tensor('float32', [2, 2], x), 'ShapeError', /: data come before dims$/],
    ['reshape(2, 2)', () => t(x, [4]).reshape(2, 2), 'NormError', /dims is a number, want an array of whole numbers, as in \[2\]/],
    ['feeds as an array', () => session.run([t()]), 'NormError', 'InferenceSession.run: feeds is a plain array, want an object of tensors by name, as in { "x": tensor }'],
    ['feeds as a tensor', () => session.run(t()), 'NormError', /feeds is an object of class Tensor, want .*, as in \{ "x": tensor \}/],
    ['feeds as a map', () => session.run(new Map([['x', t()]])), 'NormError', /Object\.fromEntries\(feeds\) is one/],
    ['feeds as a promise', () => session.run(Promise.resolve({ x: t() })), 'NormError', /await it first/],
    ['a promise as a feed', () => session.run({ x: Promise.resolve(t()) }), 'NormError', /input "x" is an object of class Promise, want a Tensor: await it first/],
    ['an array as a feed', () => session.run({ x: [1, 2, 3] }), 'NormError', `InferenceSession.run: input "x" is a plain array, want a Tensor: new Tensor('float32', data, dims) makes one, of dims [n, 3]`],
    ['a typed array as a feed', () => session.run({ x: new Float32Array(3) }), 'NormError', /is a Float32Array, want a Tensor: new Tensor\('float32', data, dims\)/],
    ['a number as a feed', () => session.run({ x: 1 }), 'NormError', /is a number, want a Tensor: new Tensor\('float32', \[value\], dims\)/],
    ['another package’s tensor', () => session.run({ x: { type: 'float32', data: new Float32Array(3), dims: [1, 3] } }), 'NormError', /want a Tensor of this package .*new Tensor\(t\.type, t\.data, t\.dims\)/],
    ['a tensor of another type', () => session.run({ x: t(new Int32Array(3)) }), 'NormError', /is a tensor of int32, want float32: new Tensor\('float32', tensor\.data, tensor\.dims\) is one/],
    ['an output in other letters', () => session.run({ x: t() }, ['Y']), 'NormError', /"Y" is no output; the model has "y", "z"; did you mean "y"\?/],
    ['a session by new', () => new InferenceSession('x.onnx'), 'NormError', /use InferenceSession\.create\(\)/],
    ['a promise as the model', () => InferenceSession.create(Promise.resolve(twoOutputs())), 'NormError', /await it first/],
    ['worker as text', () => InferenceSession.create(twoOutputs(), { worker: 'true' }), 'NormError', /worker is "true"/],
  ]) {
    test(name, async () => {
      await assert.rejects(async () => make(), (error) => {
        assert.equal(error.name, Class, String(error));
        if (typeof message === 'string') assert.equal(error.message, message);
        else assert.match(error.message, message);
        return true;
      });
    });
  }
  test('axes in a typed array are fine', () => assert.deepEqual(layerNorm(x, { shape: [2, 2], axes: Int32Array.of(0) }), layerNorm(x, { shape: [2, 2], axes: [0] })));
});

test('calls on resident tensors, which have a path of their own, are no exception', () => {
  const [r, out] = [new Tensor('float32', x, [2, 2]).toWasm(), Tensor.zeros([2, 2], { location: 'wasm' })];
  const [mean, variance] = [Tensor.zeros([2], { location: 'wasm' }), Tensor.zeros([2], { location: 'wasm' })];
  for (const [f, o] of [[normwasm.layerNorm, {}], [normwasm.rmsNorm, {}], [normwasm.instanceNorm, {}], [normwasm.batchNorm, { mean, variance }], [normwasm.groupNorm, { groups: 1 }]]) {
    assert.equal(f(r, { ...o, out }), out);
    assert.throws(() => f(r, { ...o, out, eps: 1e-3 }), { code: 'UNKNOWN_OPTION', message: `${f.name}: unknown option 'eps': did you mean 'epsilon'?` });
    assert.equal(f(r, { ...o, out, eps: undefined }), out);
    assert.throws(() => f(r, Object.create({ eps: 1 }, { out: { value: out } })), /eps|mean|groups/, 'of a prototype too');
  }
  for (const tensor of [r, out, mean, variance]) tensor.dispose();
});

test('what a library adds to all objects is nobody’s option', () => {
  Object.defineProperty(Object.prototype, 'extended', { value: () => {}, enumerable: true, configurable: true });
  try {
    assert.equal(normwasm.layerNorm(x, { epsilon: 1 }).length, 4);
  } finally {
    delete Object.prototype.extended;
  }
});

describe('contradictions', () => {
  test('layout and axis of batchNorm', () => {
    const o = { shape: [2, 1, 2], mean: half, variance: half };
    for (const [given, axis] of [['nhwc', 2], ['nhwc', -1]]) assert.equal(normwasm.batchNorm(x, { ...o, layout: given, axis }).length, 4);
    assert.throws(() => normwasm.batchNorm(x, { ...o, layout: 'nchw', axis: 2 }), { code: 'CONTRADICTION', message: "batchNorm: axis is 2, and layout 'nchw' has the channels at axis 1 of x [2 1 2]: give one of the two" });
    assert.throws(() => normwasm.batchNorm(x, { ...o, layout: 'nhwc', axis: -2 }), { code: 'CONTRADICTION', message: /at axis 2/ });
  });
  test('statistics of an InstanceNorm that keeps none', () => {
    for (const o of [{ momentum: 0.1 }, { preset: 'keras' }]) assert.throws(() => new normwasm.InstanceNorm({ features: 2, ...o }), { code: 'CONTRADICTION', message: /trackRunningStats/ });
    const norm = new normwasm.InstanceNorm({ features: 2 });
    for (const o of [{ useBatchStats: false }, { updateStats: true }]) assert.throws(() => norm.forward(x, { shape: [1, 2, 2], ...o }), { code: 'CONTRADICTION', message: /trackRunningStats/ });
    assert.deepEqual(norm.forward(x, { shape: [1, 2, 2], training: false, updateStats: false }), norm.forward(x, { shape: [1, 2, 2], training: true, useBatchStats: true }));
  });
  test('two modules', async () => {
    const wasmModule = new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]));
    for (const make of [(o) => init(o), (o) => InferenceSession.create(twoOutputs(), o)]) await assert.rejects(make({ wasmModule, wasmURL: '/a.wasm' }), { code: 'CONTRADICTION' });
  });
  test('fetches and options', async () => {
    await assert.rejects(session.run(feeds(), {}, {}), /want an array of outputs' names where options follow/);
    assert.deepEqual(Object.keys(await session.run(feeds(), undefined, {})), Object.keys(await session.run(feeds(), null)));
  });
});

describe('onnxruntime’s options', () => {
  const harmless = {
    executionProviders: ['webgpu', { name: 'wasm', simd: true }], intraOpNumThreads: 2, interOpNumThreads: 1, enableCpuMemArena: true, enableMemPattern: false,
    executionMode: 'parallel', optimizedModelFilePath: 'x.onnx', enableProfiling: true, profileFilePrefix: 'p', enableGraphCapture: false,
    logId: 'a', logSeverityLevel: 2, logVerbosityLevel: 0, extra: { session: { use_ort_model_bytes_directly: '1' } },
  };
  test('those that change nothing are accepted', async () => {
    const [own, with_] = [await InferenceSession.create(twoOutputs()), await InferenceSession.create(twoOutputs(), harmless)];
    const results = await Promise.all([own.run(feeds()), with_.run(feeds(), { tag: 't', logSeverityLevel: 1, logVerbosityLevel: 1, terminate: false, extra: {} })]);
    assert.deepEqual(results[0].y.data, results[1].y.data);
    await Promise.all([own.release(), with_.release()]);
  });
  test('its names of how much to optimize', async () => {
    for (const [level, like] of [['disabled', 'none'], ['basic', 'all'], ['extended', 'all'], ['layout', 'all']]) {
      const [a, b] = [await InferenceSession.create(twoOutputs(), { graphOptimizationLevel: level }), await InferenceSession.create(twoOutputs(), { graphOptimizationLevel: like })];
      assert.deepEqual(a.operators, b.operators, level);
      await Promise.all([a.release(), b.release()]);
    }
    for (const level of ['fast', 'toString', 3]) await assert.rejects(InferenceSession.create(twoOutputs(), { graphOptimizationLevel: level }), /graphOptimizationLevel is .*'disabled' is 'none'/);
  });
  test('providers', async () => {
    const create = (executionProviders) => InferenceSession.create(twoOutputs(), { executionProviders }).then((made) => made.release());
    for (const fine of [[], ['wasm'], ['cpu'], ['webnn', 'cpu'], [{ name: 'cpu' }]]) await create(fine);
    await assert.rejects(create(['webgpu']), { name: 'UnsupportedError', message: /executionProviders are webgpu, and this package computes in WebAssembly only: add 'wasm'/ });
    await assert.rejects(create(['wsam']), { name: 'NormError', message: /executionProviders\[0\] is "wsam": did you mean 'wasm'\?/ });
    await assert.rejects(create('wasm'), { message: /executionProviders is a string, want an array, as in \['wasm'\]/ });
    await assert.rejects(create([5]), { message: /executionProviders\[0\] is 5, want one of wasm/ });
  });
  test('none is left unconsidered', () => {
    // Its types: each option is one of ours, or refused with a reason.
    const path = createRequire(import.meta.url).resolve('onnxruntime-common').replace(/index\.js$/, 'inference-session.d.ts');
    const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.ES2022, true);
    /** @type {Record<string, string[]>} */
    const found = {};
    const visit = (/** @type {ts.Node} */ node) => {
      if (ts.isInterfaceDeclaration(node)) found[node.name.text] = node.members.map((member) => member.name?.getText() ?? '');
      ts.forEachChild(node, visit);
    };
    visit(source);
    assert.ok(found.SessionOptions.length > 10 && found.RunOptions.length > 3);
    assert.deepEqual(found.SessionOptions.filter((option) => !known['InferenceSession.create'].has(option)), []);
    assert.deepEqual(found.RunOptions.filter((option) => !known['InferenceSession.run'].has(option)), []);
  });
});

describe('what start and session options may be', () => {
  for (const [options, message] of [
    [{ wasmURL: 5 }, /wasmURL is a number, want a string or a URL/],
    [{ threads: 0 }, /threads is 0/], [{ threads: 'many' }, /threads is "many"/], [{ threads: 2.5 }, /threads is 2.5/], [{ threads: NaN }, /threads is NaN|threads is null/],
    [{ threads: 1e9 }, /threads is 1000000000, want 'auto' or a whole number from 1 to 64/], [{ threads: '2' }, /threads is "2"/], [{ threads: -1 }, /threads is -1/], [{ threads: 65 }, /threads is 65/],
    [{ threads: 2, variant: 'scalar' }, /threads is 2, and the variant 'scalar' computes in one/],
    [{ signal: true }, /signal is a boolean, want an AbortSignal/], [{ onProgress: 'yes' }, /onProgress is a string, want a function/],
  ]) {
    test(String(message), async () => {
      await assert.rejects(init(options), message);
      await assert.rejects(InferenceSession.create(twoOutputs(), options), message);
    });
  }
  test('other threads than those of the runtime', async () => {
    const runtime = await init({ threads: 'auto' });
    assert.equal(await init({ threads: runtime.threads, signal: undefined }), runtime);
    const contradiction = { code: 'CONTRADICTION', message: new RegExp(`init: threads is 7, and the module that is running has ${runtime.threads}: dispose`) };
    await assert.rejects(init({ threads: 7 }), contradiction);
    await assert.rejects(InferenceSession.create(twoOutputs(), { threads: 7 }), contradiction);
  });
  test('freeDimensionOverrides', async () => {
    for (const [overrides, message] of [[[1], /is a plain array/], [null, /is null/], [{ N: 1.5 }, /"N"\[0\] is 1.5/], [{ N: '1' }, /a string/]]) {
      await assert.rejects(InferenceSession.create(twoOutputs(), { freeDimensionOverrides: overrides }), message);
    }
    const fixed = await InferenceSession.create(twoOutputs(), { freeDimensionOverrides: { n: 5 } });
    assert.deepEqual(fixed.inputMetadata[0].shape, [5, 3]);
    await fixed.release();
    for (const worker of [false, true]) {
      await assert.rejects(InferenceSession.create(twoOutputs(), { freeDimensionOverrides: { n: 5, nonsense: 1 }, worker }), {
        name: 'ShapeError', message: /there is no free dimension "nonsense"; those of the model's inputs are "n"/,
      });
    }
  });
});
