// What options there are, and what to say to one that does not exist: a name that is spelt
// wrong, or comes from another library, would otherwise be ignored in silence.
import { functionOptions, layerOptions, optimizerOptions, scheduleOptions } from './bridge.js';
import { LoadError, NormError } from './errors.js';
import { Tensor, describe, quote } from './tensor.js';
import { checkThreads } from './threads.js';

const start = 'wasmURL wasmModule workerURL variant threads signal onProgress';

/** The options that onnxruntime-web has as well and that change nothing here. */
export const harmless = 'executionProviders intraOpNumThreads interOpNumThreads enableCpuMemArena enableMemPattern executionMode '
  + 'optimizedModelFilePath enableProfiling profileFilePrefix logId logSeverityLevel logVerbosityLevel enableGraphCapture extra';

/**
 * The options of everything that takes some: functions, classes' constructors, methods.
 * A test compares this with index.d.ts.
 */
const table = {
  init: start,
  'InferenceSession.create': `${start} worker graphOptimizationLevel freeDimensionOverrides preferredOutputLocation externalData state ${harmless}`,
  'InferenceSession.run': 'signal logSeverityLevel logVerbosityLevel terminate tag extra',
  'Tensor.zeros': 'location',

  ...functionOptions,
  foldBatchNorm: 'weight weightShape bias mean variance scale shift epsilon',

  BatchNorm: 'features preset momentum epsilon layout affine',
  'BatchNorm.forward': 'out shape training useBatchStats updateStats moments',
  'BatchNorm.backward': 'out sums',
  'BatchNorm.moments': 'shape',
  LayerNorm: 'normalizedShape epsilon affine',
  'LayerNorm.forward': 'out shape',
  'LayerNorm.backward': 'out',
  RMSNorm: 'normalizedShape epsilon affine',
  'RMSNorm.forward': 'out shape',
  'RMSNorm.backward': 'out',
  GroupNorm: 'groups features epsilon layout affine',
  'GroupNorm.forward': 'out shape',
  'GroupNorm.backward': 'out',
  InstanceNorm: 'features epsilon layout affine trackRunningStats preset momentum',
  'InstanceNorm.forward': 'out shape training useBatchStats updateStats',
  'InstanceNorm.backward': 'out',
  AdaptiveLayerNorm: 'features epsilon',
  'AdaptiveLayerNorm.forward': 'out shape scale shift',
  'AdaptiveLayerNorm.backward': 'out',
  LpNorm: 'axis p epsilon',
  'LpNorm.forward': 'out shape',
  'LpNorm.backward': 'out',
  LocalResponseNorm: 'size alpha beta bias',
  'LocalResponseNorm.forward': 'out shape',
  'LocalResponseNorm.backward': 'out',
  SpectralNorm: 'shape',
  'SpectralNorm.forward': 'out steps',
  'SpectralNorm.converge': 'tolerance limit',

  'Trainer.create': 'input model loss seed worker optimizer schedule clip wasmURL wasmModule workerURL variant threads signal onProgress',
  'Trainer.evaluate': 'statistics',
  'Trainer.exportONNX': 'intermediates',

  tensorFromImage: 'crop width height fit resize antialias channels layout background pad white mean std type location out',
  tensorToImage: 'layout channels index white mean std',
};

/** @typedef {keyof typeof table} Name */

/** The names of the options of each. @type {Record<Name, Set<string>>} */
export const known = sets(table);

/**
 * What options are called elsewhere, without capitals and underscores, and here: the first that there is.
 * @type {Record<string, string>}
 */
const elsewhere = {
  axis: 'axes', axes: 'axis', dim: 'axes axis', dims: 'shape normalizedShape axes', axislist: 'axes', reductionaxes: 'axes', size: 'shape features width',
  xshape: 'shape', inputshape: 'shape', normalizedshape: 'axes shape', hiddensize: 'normalizedShape features', dmodel: 'normalizedShape features',
  eps: 'epsilon', varianceepsilon: 'epsilon', tol: 'tolerance', eta: 'epsilon',
  weight: 'scale g', weights: 'scale g weight', gamma: 'scale g', gain: 'scale g', magnitude: 'g', scale: 'g white', a: 'scale',
  beta: 'bias shift', b: 'bias', offset: 'bias shift', bias: 'shift', shift: 'bias',
  kernel: 'weight', filter: 'weight resize', filters: 'weight', kernelshape: 'weightShape kernel', filtershape: 'weightShape', shape: 'weightShape',
  train: 'training', istraining: 'training', istrain: 'training', mode: 'training preset resize', trainingmode: 'training', eval: 'training', inference: 'training',
  numgroups: 'groups', ngroups: 'groups', group: 'groups', g: 'groups', groupcount: 'groups',
  numfeatures: 'features', nfeatures: 'features', numchannels: 'features', channels: 'features', featuresize: 'features', units: 'features', c: 'features',
  outchannels: 'filters units', outputs: 'units', outfeatures: 'units', numheads: 'heads', nheads: 'heads', iscausal: 'causal', embeddingdim: 'width', numembeddings: 'vocabulary',
  lr: 'learningRate', rate: 'learningRate', l2: 'weightDecay', warmupsteps: 'warmup', totalsteps: 'steps', layers: 'model body', gradclip: 'clip', clipnorm: 'clip',
  runningmean: 'mean', movingmean: 'mean', inputmean: 'mean', mu: 'mean',
  var: 'variance', runningvar: 'variance', runningvariance: 'variance', movingvariance: 'variance', movingvar: 'variance', inputvar: 'variance', sigma2: 'variance',
  rstd: 'invStdDev', invstd: 'invStdDev', invstdvar: 'invStdDev', inversestddev: 'invStdDev std', istd: 'invStdDev', std: 'invStdDev', stddev: 'invStdDev std',
  dataformat: 'layout', format: 'layout', channelslast: 'layout', channelslayout: 'layout', memoryformat: 'layout', dataorder: 'layout', order: 'layout p', channelaxis: 'axis',
  affines: 'affine', elementwiseaffine: 'affine', learnable: 'affine', center: 'affine',
  act: 'activation', fusedactivation: 'activation', activations: 'activation', nonlinearity: 'activation', relu: 'activation',
  skip: 'residual', add: 'residual', shortcut: 'residual', addend: 'residual',
  output: 'out', dst: 'out', dest: 'out', destination: 'out', result: 'out', y: 'out', into: 'out', dx: 'out', target: 'out',
  decay: 'momentum', averagefactor: 'momentum', exponentialaveragefactor: 'momentum', framework: 'preset',
  batchstats: 'useBatchStats', userunningstats: 'useBatchStats', useglobalstats: 'useBatchStats', userunningaverage: 'useBatchStats', update: 'updateStats', statistics: 'moments', stats: 'moments sums',
  trackstats: 'trackRunningStats', trackrunning: 'trackRunningStats',
  n: 'size', depthradius: 'size', radius: 'size', localsize: 'size', windowsize: 'size', k: 'bias',
  ord: 'p', norm: 'p', degree: 'p', p: 'rate', prob: 'rate', drop: 'rate', kernelsize: 'kernel size', poolsize: 'size', strides: 'stride',
  iterations: 'steps limit', iters: 'steps limit', npoweriterations: 'steps limit', nsteps: 'steps', maxsteps: 'limit', maxiterations: 'limit', maxiter: 'limit',
  resizedwidth: 'width', resizedheight: 'height', w: 'scale weight width', h: 'height', interpolation: 'resize', resample: 'resize', method: 'resize',
  objectfit: 'fit', resizemode: 'fit', aspect: 'fit', keepaspectratio: 'fit', letterbox: 'fit', padding: 'pad', padvalue: 'pad', padcolor: 'pad', fillcolor: 'pad',
  backgroundcolor: 'background', bg: 'background', rect: 'crop', box: 'crop', region: 'crop', roi: 'crop', aliasing: 'antialias', smooth: 'antialias',
  tensorformat: 'channels', tensorlayout: 'layout', colorspace: 'channels', colororder: 'channels', colors: 'channels', dtype: 'type', datatype: 'type',
  range: 'white', max: 'white', rescale: 'white', divisor: 'white', normalize: 'mean', normalization: 'mean', batch: 'index', image: 'index',
  device: 'location preferredOutputLocation', place: 'location', outputlocation: 'preferredOutputLocation', location: 'preferredOutputLocation',
  wasmpath: 'wasmURL', wasmpaths: 'wasmURL', wasmbinary: 'wasmModule', wasm: 'wasmURL', url: 'wasmURL', module: 'wasmModule', simd: 'variant',
  numthreads: 'threads', nthreads: 'threads', abortsignal: 'signal', abort: 'signal', controller: 'signal', progress: 'onProgress',
  proxy: 'worker', workers: 'worker', useworker: 'worker', numworkers: 'worker',
  optimize: 'graphOptimizationLevel', optimization: 'graphOptimizationLevel', optimizationlevel: 'graphOptimizationLevel',
  overrides: 'freeDimensionOverrides', freedims: 'freeDimensionOverrides', freedimensions: 'freeDimensionOverrides', dimensions: 'freeDimensionOverrides',
  backend: 'executionProviders', providers: 'executionProviders', ep: 'executionProviders',
};

/** What there is to say of an option that someone has reason to expect. @type {Record<string, string>} */
const reasons = {
  'rmsNorm bias': 'RMSNorm has no bias; layerNorm has',
  'rmsNorm mean': 'RMSNorm has no mean; invStdDev receives 1/√(mean(x²) + ε)',
  'batchNorm training': 'batchNorm is inference; the class BatchNorm trains',
  'batchNorm momentum': 'batchNorm is inference; the class BatchNorm trains',
  'foldBatchNorm beta': "did you mean 'shift'? (bias is the convolution's)",
  'BatchNorm trackRunningStats': 'running statistics are always kept; forward takes useBatchStats and updateStats',
  'BatchNorm axis': "did you mean 'layout'? ('nchw': channels are axis 1; 'nhwc': the last)",
  'LayerNorm axes': "did you mean 'normalizedShape'? (the sizes of the last dimensions)",
  'RMSNorm axes': "did you mean 'normalizedShape'? (the sizes of the last dimensions)",
  'SpectralNorm steps': 'it is an option of forward',
  'Tensor.zeros type': 'the zeros are float32; for others new Tensor(type, data, dims)',
  'InferenceSession.run fetches': "name the outputs in an array: run(feeds, ['name'])",
};

/**
 * Throws unless all options exist. (For hot calls: nothing is allocated, and a class of objects
 * costs the search for its keys once.)
 * @param {Name} name
 * @param {Set<string>} keys
 * @param {any} options
 * @param {number} [surplus] how many arguments came after the options
 */
export function check(name, keys, options, surplus = 0) {
  if (surplus > 0) throw new NormError(`${name}: ${surplus === 1 ? 'an argument comes' : `${surplus} arguments come`} after the options; everything but the input is an option, as in ${name}(${name === 'foldBatchNorm' ? '' : 'x, '}{ ${[...keys].find((key) => key !== 'shape')} })`);
  if (typeof options !== 'object' || options === null) throw notOptions(name, options);
  let any = false;
  for (const key in options) {
    if (!keys.has(key)) unknown(name, key, options);
    any = true;
  }
  if (!any) checkKind(name, options);
}

/**
 * As check, by the name of what takes the options.
 * @param {string} name
 * @param {any} options
 * @param {number} [surplus]
 */
export function checkOptions(name, options, surplus) {
  check(/** @type {Name} */ (name), known[/** @type {Name} */ (name)], options, surplus);
}

/**
 * Sets of names from words in a row.
 * @param {Record<string, string>} all
 * @param {string[]} more that each of them has
 * @returns {any}
 */
function sets(all, ...more) {
  return Object.fromEntries(Object.entries(all).map(([name, words]) => [name, new Set([...more, ...words.split(' ').filter(Boolean)])]));
}

/** The options of Trainer's layers by type. @type {Record<string, Set<string>>} */
export const layers = sets(layerOptions, 'type');

/** Those of its optimizers and of its schedule. @type {Record<string, Set<string>>} */
export const optimizers = sets(optimizerOptions, 'type');
const { schedule } = sets({ schedule: scheduleOptions });

/**
 * What the options of a network in training may be called; what they may be, the module says.
 * @param {any} options
 */
export function checkTrainer(options) {
  const where = 'Trainer.create';
  checkOptions(where, options);
  checkStart(where, options);
  const { model, optimizer, worker } = options;
  if (worker !== undefined && typeof worker !== 'boolean') throw new NormError(`${where}: worker is ${quote(worker)}, want true or false`);
  checkLayers(where, model, '');
  const type = Object.hasOwn(optimizers, optimizer?.type) ? optimizer.type : undefined;
  if (optimizer === null || typeof optimizer !== 'object' || type === undefined) {
    throw new NormError(`${where}: optimizer is ${optimizer?.type === undefined ? describe(optimizer) : `of the type ${quote(optimizer.type)}`}, want { type: 'sgd', learningRate: 0.1 } or { type: 'adamw', learningRate: 0.001 }`);
  }
  checkNames(`${where}: optimizer`, optimizers[type], optimizer);
  if (options.schedule !== undefined) checkNames(`${where}: schedule`, schedule, options.schedule);
}

/**
 * @param {string} where
 * @param {any} model
 * @param {string} prefix of the layers' numbers
 */
function checkLayers(where, model, prefix) {
  if (!Array.isArray(model)) throw new NormError(`${where}: ${prefix ? `the body of layer ${prefix.slice(0, -1)}` : 'model'} is ${describe(model)}, want an array of layers`);
  for (const [i, layer] of model.entries()) {
    const name = `${where}: layer ${prefix}${i}`;
    const type = layer?.type;
    if (typeof layer !== 'object' || layer === null) throw new NormError(`${name} is ${describe(layer)}, want an object, as in { type: 'relu' }`);
    if (!Object.hasOwn(layers, type)) {
      const near = typeof type === 'string' ? nearest(type, Object.keys(layers)) : undefined;
      throw new NormError(`${name}: there is no type ${quote(type)}${near ? `: did you mean '${near}'?` : `; the types are ${Object.keys(layers).join(', ')}`}`);
    }
    checkNames(`${name} (${type})`, layers[type], layer);
    if (type === 'residual') checkLayers(where, layer.body, `${prefix}${i}.`);
  }
}

/**
 * @param {string} where
 * @param {Set<string>} names
 * @param {any} object
 */
function checkNames(where, names, object) {
  if (typeof object !== 'object' || object === null) throw new NormError(`${where} is ${describe(object)}, want an object`);
  for (const key of Object.keys(object)) {
    if (names.has(key) || object[key] === undefined) continue;
    const near = meant(key, names) ?? nearest(key, names);
    throw new NormError(`${where}: unknown option ${quoted(key)}${near && near !== 'type' ? `: did you mean ${quoted(near)}?` : names.size > 1 ? list(names) : '; there are none'}`, 'UNKNOWN_OPTION');
  }
}

/**
 * What the options of a start may be.
 * @param {string} where
 * @param {any} options
 */
export function checkStart(where, { wasmURL, wasmModule, variant, threads, signal, onProgress }) {
  if (wasmModule !== undefined && tag(wasmModule) !== 'WebAssembly.Module') throw new LoadError(`${where}: wasmModule is ${describe(wasmModule)}, not a WebAssembly.Module`, 'NOT_A_MODULE');
  if (wasmURL !== undefined && typeof wasmURL !== 'string' && tag(wasmURL) !== 'URL') throw new NormError(`${where}: wasmURL is ${describe(wasmURL)}, want a string or a URL`);
  if (wasmURL !== undefined && wasmModule !== undefined) throw new NormError(`${where}: wasmURL and wasmModule are given, and each says which module to take: give one of the two`, 'CONTRADICTION');
  checkThreads(where, threads, variant);
  checkSignal(signal, where);
  if (onProgress !== undefined && typeof onProgress !== 'function') throw new NormError(`${where}: onProgress is ${describe(onProgress)}, want a function`);
}

/**
 * @param {any} signal
 * @param {string} where
 */
export function checkSignal(signal, where) {
  if (signal === undefined || signal === null || (typeof signal === 'object' && typeof signal?.aborted === 'boolean' && typeof signal.addEventListener === 'function')) return;
  throw new NormError(`${where}: signal is ${describe(signal)}, want an AbortSignal${signal?.signal ? " (the controller's signal)" : ''}`);
}

/**
 * @param {Name} name
 * @param {string} key
 * @param {any} options
 */
function unknown(name, key, options) {
  checkKind(name, options);
  // An option that is undefined counts as left out, whatever its name; and what a page's
  // libraries added to all objects is nobody's option.
  if (options[key] === undefined || (key in Object.prototype && !Object.hasOwn(options, key))) return;
  throw new NormError(`${name}: unknown option ${quoted(key)}${advice(name, key)}`, 'UNKNOWN_OPTION');
}

/**
 * Refuses objects that are something else than options.
 * @param {string} name
 * @param {any} options
 */
function checkKind(name, options) {
  const kind = tag(options);
  if (options instanceof Tensor || (kind !== 'Object' && kind !== 'Module')) throw notOptions(name, options);
}

/**
 * What an object is, of whatever frame it comes from.
 * @param {any} value
 */
function tag(value) {
  return Object.prototype.toString.call(value).slice(8, -1);
}

/**
 * @param {string} name
 * @param {any} options
 */
function notOptions(name, options) {
  const option = Array.isArray(options) && known[/** @type {Name} */ (name)]?.has('shape') ? `, as in { shape: [${options.join(', ')}] }` : '';
  return new NormError(`${name}: options is ${describe(options)}, want an object${option}`);
}

/**
 * What to write instead of an option that does not exist.
 * @param {Name} name
 * @param {string} key
 */
function advice(name, key) {
  const options = known[name];
  const plain = simple(key);
  const reason = reasons[`${name} ${key}`];
  if (reason) return `: ${reason}`;

  const here = meant(key, options);
  if (here) return `: did you mean ${quoted(here)}?`;

  const [Class, method] = name.split('.');
  for (const [other, its] of /** @type {[string, Set<string>][]} */ (Object.entries(known))) {
    if (other === name || other.split('.')[0] !== Class) continue;
    const there = its.has(key) ? key : meant(key, its);
    if (there) return `: ${there === key ? 'it' : quoted(there)} is an option of ${other === Class ? `new ${Class}()` : other.slice(Class.length + 1)}${list(options)}`;
  }
  if (method === 'backward' && key === 'shape') return `: the gradient has the shape of forward's x${list(options)}`;
  const others = Object.keys(known).filter((other) => known[/** @type {Name} */ (other)].has(key));
  const near = nearest(plain, options);
  if (near && others.length === 0) return `: did you mean ${quoted(near)}?`;
  const sibling = others.find((other) => /^[a-z]/.test(other) === /^[a-z]/.test(name)) ?? others[0];
  if (sibling) return `: it is an option of ${sibling}, not of ${name}${list(options)}`;
  return list(options);
}

/**
 * The one of some names that someone means who writes it otherwise, or calls it what other libraries do.
 * @param {string} name
 * @param {Iterable<string>} names
 */
export function meant(name, names) {
  const plain = simple(name);
  const there = [...names];
  const others = Object.hasOwn(elsewhere, plain) ? elsewhere[plain].split(' ') : [];
  return there.find((other) => simple(other) === plain) ?? others.find((other) => there.includes(other));
}

/** @param {Set<string>} options */
function list(options) {
  return `; the options are ${[...options].join(', ')}`;
}

/** @param {string} key */
function simple(key) {
  return key.toLowerCase().replace(/[_\-\s]/g, '');
}

/** @param {string} key */
function quoted(key) {
  return `'${key.length > 40 ? `${key.slice(0, 40)}…` : key}'`;
}

/**
 * The word that takes the fewest changes, if that are few.
 * @param {string} word
 * @param {Iterable<string>} words
 */
export function nearest(word, words) {
  let [best, least] = [/** @type {string | undefined} */ (undefined), Math.min(3, Math.floor((word.length + 1) / 3)) + 1];
  for (const other of word.length > 40 ? [] : words) {
    const d = distance(simple(word), simple(other));
    if (d < least) [best, least] = [other, d];
  }
  return best;
}

/**
 * How many letters to insert, leave out, replace or swap with their neighbours.
 * @param {string} a
 * @param {string} b
 */
function distance(a, b) {
  let [before, row] = [/** @type {number[]} */ ([]), Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) next[j] = Math.min(next[j], before[j - 2] + 1);
    }
    [before, row] = [row, next];
  }
  return row[b.length];
}
