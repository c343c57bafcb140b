// Normalization for TensorFlow.js: operations with gradients and layers on this package's
// kernels. TensorFlow.js itself is an argument and never imported: bundlers could otherwise
// put a second copy of it into a page.
//
// Operations are kernels in TensorFlow.js's own registry, registered for a backend when it
// first needs them, so that its tape, profiler and memory accounting see them as its own.
import { defaultEpsilon } from './bridge.js';
import { BatchNorm, DisposedError, GroupNorm, LayerNorm, NormError, RMSNorm, ShapeError, Tensor, UnsupportedError, batchNorm, groupNorm, layerNorm, rmsNorm } from './index.js';

/** @typedef {{ dataId: object, shape: number[], dtype: string }} Info what TensorFlow.js's kernels take and give */
/** @typedef {{ inputs: Info[], attrs: any, backend: any }} Call */

const product = (/** @type {readonly number[]} */ dims) => dims.reduce((a, b) => a * b, 1);
const same = (/** @type {readonly number[]} */ a, /** @type {readonly number[]} */ b) => a.length === b.length && a.every((d, i) => d === b[i]);

/** What other packages call some of the options. @type {Record<string, string[]>} */
const synonyms = {
  eps: ['epsilon'], axis: ['axes'], axes: ['axis'], gamma: ['scale'], weight: ['scale'], beta: ['bias'], offset: ['bias'], numGroups: ['groups'], var: ['variance'],
  movingMean: ['mean'], movingVariance: ['variance'], affine: ['scale', 'center'], bias: ['center'],
};

/**
 * Refuses options that do not exist.
 * @param {string} where
 * @param {object} options
 * @param {readonly string[]} known
 */
function checkNames(where, options, known) {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const meant = (Object.hasOwn(synonyms, name) ? synonyms[name] : []).filter((option) => known.includes(option)).join(' and ')
      || known.find((option) => option.toLowerCase() === name.replaceAll('_', '').toLowerCase());
    throw new NormError(`${where}: there is no option ${name}; ${meant ? `did you mean ${meant}? There are` : 'there are'} ${known.join(', ')}`);
  }
}

// ---- memory -----------------------------------------------------------------------------------

/** How many elements a slot keeps beyond the tensor in use: 32 MiB. */
const kept = 1 << 23;

/** Memory of the module that each call uses anew: a resident tensor for each shape that was asked for. */
class Slot {
  /** @type {Map<string, Tensor>} */ #tensors = new Map();
  /** @type {Tensor | undefined} */ #latest;
  #elements = 0;

  /** @param {readonly number[]} dims */
  tensor(dims) {
    if (this.#latest !== undefined && same(this.#latest.dims, dims)) return this.#latest;
    const key = dims.join();
    let tensor = this.#tensors.get(key);
    if (tensor === undefined) {
      const size = product(dims);
      if (this.#elements + size > kept) this.free();
      tensor = Tensor.zeros(dims, { location: 'wasm' });
      this.#tensors.set(key, tensor);
      this.#elements += size;
    }
    return (this.#latest = tensor);
  }

  /**
   * The tensor of these dimensions with these elements.
   * @param {readonly number[]} dims
   * @param {ArrayLike<number>} elements
   */
  load(dims, elements) {
    try {
      const tensor = this.tensor(dims);
      tensor.data.set(elements);
      return tensor;
    } catch (error) {
      if (!(error instanceof DisposedError)) throw error;
    }
    freeSlots(); // they were of a runtime that has ended since
    const tensor = this.tensor(dims);
    tensor.data.set(elements);
    return tensor;
  }

  free() {
    for (const tensor of this.#tensors.values()) tensor.dispose();
    this.#tensors.clear();
    this.#latest = undefined;
    this.#elements = 0;
  }
}

/** One for each operand of an operation; all operations are synchronous and share them. */
const slots = { x: new Slot(), y: new Slot(), dy: new Slot(), scale: new Slot(), bias: new Slot(), mean: new Slot(), variance: new Slot() };

/** Layers of this package that have gradients, by their options. @type {Map<string, any>} */
const differentiable = new Map();

/**
 * @param {string} key
 * @param {() => any} make
 */
function remembered(key, make) {
  let layer = differentiable.get(key);
  if (layer === undefined) {
    if (differentiable.size >= 64) forget();
    layer = make();
    differentiable.set(key, layer);
  }
  return layer;
}

function forget() {
  for (const layer of differentiable.values()) layer.dispose();
  differentiable.clear();
}

function freeSlots() {
  for (const slot of Object.values(slots)) slot.free();
}

/** Gives the module's memory back that calls have reused. The next call takes some again. */
function release() {
  freeSlots();
  forget();
}

/**
 * The elements of a tensor, to be copied before anything else is allocated.
 * @param {any} backend
 * @param {Info} info
 * @returns {Float32Array}
 */
function read(backend, info) {
  // On the wasm backend a view of its memory, where readSync would copy.
  return typeof backend.typedArrayFromHeap === 'function' ? backend.typedArrayFromHeap(info) : backend.readSync(info.dataId);
}

/**
 * A new tensor of the backend with these elements.
 * @param {any} backend
 * @param {number[]} shape
 * @param {Float32Array} elements a view of the module's memory, or an array to keep
 */
function write(backend, shape, elements) {
  if (typeof backend.makeOutput === 'function' && typeof backend.typedArrayFromHeap === 'function') {
    const info = backend.makeOutput(shape, 'float32');
    backend.typedArrayFromHeap(info).set(elements);
    return info;
  }
  return { dataId: backend.write(elements.slice(), shape, 'float32'), shape, dtype: 'float32' };
}

// ---- kernels ----------------------------------------------------------------------------------

/**
 * A parameter in the slot of its name.
 * @param {keyof typeof slots} slot
 * @param {any} backend
 * @param {Info | undefined} info
 */
const parameter = (slot, backend, info) => (info === undefined ? undefined : slots[slot].load([product(info.shape)], read(backend, info)));

/**
 * Runs a normalization in x's place in the module and copies the result out.
 * @param {Call} call
 * @param {readonly number[]} dims
 * @param {(x: Tensor) => unknown} normalize
 */
function through({ inputs: [x], backend }, dims, normalize) {
  const tensor = slots.x.load(dims, read(backend, x));
  normalize(tensor);
  return write(backend, x.shape, tensor.data);
}

/**
 * Runs both passes of a layer, and leaves dx in the result's slot.
 * @param {any} backend
 * @param {Info} x
 * @param {Info} dy
 * @param {Info | undefined} scale
 * @param {any} layer
 * @param {readonly number[]} dims
 * @param {any} [options] of the forward pass
 * @returns {{ dx: Info, dscale: Float32Array, dbias: Float32Array }}
 */
function passes(backend, x, dy, scale, layer, dims, options) {
  if (scale) layer.scale.set(read(backend, scale));
  else layer.scale.fill(1);
  layer.bias?.fill(0); // no gradient depends on it
  const input = slots.x.load(dims, read(backend, x)); // first, for it finds out whether the other slots are still good
  const out = slots.y.tensor(dims);
  layer.forward(input, { ...options, out });
  const { dscale, dbias } = layer.backward(slots.dy.load(dims, read(backend, dy)), { out });
  return { dx: write(backend, x.shape, out.data), dscale, dbias };
}

/**
 * dx and the gradients of the parameters that there are.
 * @param {Call} call inputs x, dy and, where there is one, scale
 * @param {any} layer
 * @param {any} [options]
 */
function gradients({ inputs: [x, dy, scale], attrs, backend }, layer, options) {
  const { dx, dscale, dbias } = passes(backend, x, dy, scale, layer, attrs.dims, options);
  return [dx, ...(attrs.scale ? [write(backend, attrs.parameters, dscale)] : []), ...(attrs.bias ? [write(backend, attrs.parameters, dbias)] : [])];
}

/** The inputs after the first ones that an operation always has. */
const optional = (/** @type {Call} */ { inputs, attrs }, /** @type {number} */ first) => ({
  scale: attrs.scale ? inputs[first] : undefined,
  bias: attrs.bias ? inputs[first + (attrs.scale ? 1 : 0)] : undefined,
});

/**
 * LayerNorm and RMSNorm. attrs.dims are [rows columns] where the axes are the last ones, which the kernels are quickest for.
 * @param {typeof layerNorm | typeof rmsNorm} normalize
 * @param {Call} call
 */
function rows(normalize, call) {
  const { attrs, backend } = call;
  const { scale, bias } = optional(call, 1);
  return through(call, attrs.dims, (x) => /** @type {any} */ (normalize)(x, {
    scale: parameter('scale', backend, scale), ...(bias && { bias: parameter('bias', backend, bias) }), ...(attrs.axes && { axes: attrs.axes }), epsilon: attrs.epsilon, out: x,
  }));
}

/**
 * @param {string} name
 * @param {new (o: any) => any} Class
 * @param {Call} call whose axes are the last ones
 */
function rowGradients(name, Class, call) {
  const { dims: [, columns], epsilon } = call.attrs;
  return gradients(call, remembered(`${name} ${columns} ${epsilon}`, () => new Class({ normalizedShape: [columns], epsilon })));
}

/** @param {any} attrs of dims [N channels …] or, with layout nhwc, [N … channels] */
const features = ({ dims, layout }) => dims[layout === 'nchw' ? 1 : dims.length - 1];

/**
 * The layer that differentiates a BatchNorm. With a momentum of 0 its running statistics become the latest batch's.
 * @param {any} attrs
 */
function batchLayer(attrs) {
  const { epsilon, layout } = attrs;
  const channels = features(attrs);
  return remembered(`batch ${channels} ${epsilon} ${layout}`, () => new BatchNorm({ features: channels, epsilon, layout, preset: 'keras', momentum: 0 }));
}

/** By name, what TensorFlow.js runs. @type {Record<string, (call: Call) => Info | Info[]>} */
const kernels = {
  NormwasmLayerNorm: (call) => rows(layerNorm, call),
  NormwasmLayerNormGrad: (call) => rowGradients('layer', LayerNorm, call),
  NormwasmRMSNorm: (call) => rows(rmsNorm, call),
  NormwasmRMSNormGrad: (call) => rowGradients('rms', RMSNorm, call),
  NormwasmGroupNorm(call) {
    const { attrs: { groups, layout, epsilon, dims }, backend } = call;
    const { scale, bias } = optional(call, 1);
    return through(call, dims, (x) => groupNorm(x, { groups, layout, epsilon, scale: parameter('scale', backend, scale), bias: parameter('bias', backend, bias), out: x }));
  },
  NormwasmGroupNormGrad(call) {
    const { groups, layout, epsilon } = call.attrs;
    const channels = features(call.attrs);
    return gradients(call, remembered(`group ${groups} ${channels} ${epsilon} ${layout}`, () => new GroupNorm({ groups, features: channels, epsilon, layout })));
  },
  /** Inputs x, mean, variance and the parameters. */
  NormwasmBatchNorm(call) {
    const { inputs: [, mean, variance], attrs: { layout, epsilon, dims }, backend } = call;
    const { scale, bias } = optional(call, 3);
    return through(call, dims, (x) => batchNorm(x, {
      layout, epsilon, out: x, scale: parameter('scale', backend, scale), bias: parameter('bias', backend, bias),
      mean: /** @type {Tensor} */ (parameter('mean', backend, mean)), variance: /** @type {Tensor} */ (parameter('variance', backend, variance)),
    }));
  },
  /** Inputs x, dy, mean, variance and, where there is one, scale; gives dx, dmean, dvariance and those of the parameters. */
  NormwasmBatchNormGrad({ inputs: [x, dy, mean, variance, scale], attrs, backend }) {
    const layer = batchLayer(attrs);
    layer.runningMean.set(read(backend, mean));
    layer.runningVar.set(read(backend, variance));
    const { dx, dscale, dbias } = passes(backend, x, dy, scale, layer, attrs.dims, { training: false });
    // With r = 1/√(variance + ε), dbias = Σdy and dscale = Σdy·(x − mean)·r:
    const dmean = dbias.map((sum, c) => (-sum * layer.scale[c]) / Math.sqrt(layer.runningVar[c] + attrs.epsilon));
    const dvariance = dscale.map((sum, c) => (-0.5 * sum * layer.scale[c]) / (layer.runningVar[c] + attrs.epsilon));
    const wanted = [dmean, dvariance, ...(attrs.scale ? [dscale] : []), ...(attrs.bias ? [dbias] : [])];
    return [dx, ...wanted.map((gradient) => write(backend, attrs.parameters, gradient))];
  },
  /** Inputs x and the parameters; gives y and the batch's mean and biased variance. */
  NormwasmBatchNormTraining(call) {
    const { inputs: [x], attrs, backend } = call;
    const layer = batchLayer(attrs);
    const { scale, bias } = optional(call, 1);
    layer.runningMean.fill(0); // 0·NaN of an earlier batch would be NaN
    layer.runningVar.fill(1);
    for (const [name, given, otherwise] of /** @type {const} */ ([['scale', scale, 1], ['bias', bias, 0]])) {
      if (given) layer[name].set(read(backend, given));
      else layer[name].fill(otherwise);
    }
    const input = slots.x.load(attrs.dims, read(backend, x));
    const out = slots.y.tensor(attrs.dims);
    layer.forward(input, { out });
    return [write(backend, x.shape, out.data), write(backend, attrs.parameters, layer.runningMean), write(backend, attrs.parameters, layer.runningVar)];
  },
  NormwasmBatchNormTrainingGrad: (call) => gradients(call, batchLayer(call.attrs), { updateStats: false }),
};

/**
 * Where the axes of a row's gradient are not the last ones, they are moved there for it.
 * @param {any} tf
 * @param {any} attrs
 */
function moved(tf, { axes, dims, ...attrs }, /** @type {any} */ x, /** @type {any} */ dy, /** @type {any} */ scale) {
  const order = [...x.shape.keys()].filter((i) => !axes.includes(i)).concat(axes);
  const back = order.map((_, i) => order.indexOf(i));
  const columns = product(axes.map((/** @type {number} */ i) => x.shape[i]));
  const last = (/** @type {any} */ t) => tf.transpose(t, order);
  return { inputs: [last(x), last(dy), ...scale], attrs: { ...attrs, dims: [columns > 0 ? x.size / columns : 0, columns] }, restore: (/** @type {any} */ dx) => tf.transpose(dx, back) };
}

// ---- operations -------------------------------------------------------------------------------

/** Backends of an engine that have the kernels. @type {WeakMap<object, Set<string>>} */
const ready = new WeakMap();

/**
 * @param {any} tf
 */
function makeOps(tf) {
  /**
   * @param {string} name
   * @param {any[]} inputs tensors
   * @param {any} attrs
   */
  const run = (name, inputs, attrs) => {
    const engine = tf.engine();
    // The backend is started by this getter, when no operation has done so before.
    const backendName = engine.backendName ?? (engine.backend, engine.backendName);
    let names = ready.get(engine);
    if (names === undefined) {
      ready.set(engine, (names = new Set()));
      for (const forward of Object.keys(kernels).filter((k) => !k.endsWith('Grad'))) {
        if (!tf.getGradient(forward)) tf.registerGradient({ kernelName: forward, saveAllInputs: true, gradFunc: (/** @type {any} */ dy, /** @type {any} */ saved, /** @type {any} */ a) => gradient(forward, dy, saved, a) });
      }
    }
    if (!names.has(backendName)) {
      names.add(backendName);
      for (const [kernelName, kernelFunc] of Object.entries(kernels)) if (!tf.getKernel(kernelName, backendName)) tf.registerKernel({ kernelName, backendName, kernelFunc });
    }
    return engine.runKernel(name, inputs, attrs);
  };

  /**
   * The gradients of an operation's inputs, by their index.
   * @param {string} name
   * @param {any} dy
   * @param {any[]} saved
   * @param {any} attrs
   */
  const gradient = (name, dy, saved, attrs) => {
    const [x, ...rest] = saved;
    const parameters = rest.length - (attrs.scale ? 1 : 0) - (attrs.bias ? 1 : 0); // mean and variance, where they are inputs
    const others = rest.slice(0, parameters + (attrs.scale ? 1 : 0));
    // Of a batch's statistics, further results, nothing flows back: they are for running averages.
    const first = Array.isArray(dy) ? dy[0] : dy;
    let results;
    if (attrs.axes) {
      const { inputs, attrs: there, restore } = moved(tf, attrs, x, first, others);
      const [dx, ...more] = run(`${name}Grad`, inputs, there);
      results = [restore(dx), ...more];
    } else results = run(`${name}Grad`, [x, first, ...others], attrs);
    return Object.fromEntries(results.map((/** @type {any} */ g, /** @type {number} */ i) => [i, () => g]));
  };

  /**
   * An operand as float32, which the kernels are for.
   * @param {string} op
   * @param {string} name
   * @param {any} tensor
   * @param {readonly number[]} [shape]
   */
  const float = (op, name, tensor, shape) => {
    if (tensor === undefined || tensor === null) return undefined;
    if (!(tensor instanceof tf.Tensor)) throw new NormError(`${op}: ${name} is no tensor of TensorFlow.js; make one with tf.tensor()`);
    if (tensor.dtype === 'string' || tensor.dtype === 'complex64') throw new UnsupportedError(`${op}: ${name} is of type ${tensor.dtype}, want float32`);
    if (shape !== undefined && !same(tensor.shape, shape) && !(tensor.rank === 1 && tensor.size === product(shape))) {
      throw new ShapeError(`${op}: ${name} is [${tensor.shape.join(' ')}], want [${shape.join(' ')}]`);
    }
    return tensor.dtype === 'float32' ? tensor : tf.cast(tensor, 'float32');
  };

  /**
   * Runs in a tidy where operands are converted, so that only the results stay.
   * @param {string} op
   * @param {any} x
   * @param {any} options
   * @param {readonly string[]} known
   * @param {(x: any) => any} compute
   */
  const operation = (op, x, options, known, compute) => {
    if (options === null || typeof options !== 'object') throw new NormError(`${op}: the options are missing; want an object of ${known.join(', ')}`);
    checkNames(op, options, known);
    return tf.tidy(() => {
      const input = float(op, 'x', x);
      if (input === undefined) throw new NormError(`${op}: x is missing`);
      return compute(input);
    });
  };

  /**
   * @param {string} op
   * @param {any} value
   * @param {number} rank
   */
  const whichAxis = (op, value, rank) => {
    if (!Number.isInteger(value)) throw new NormError(`${op}: axis is ${String(value)}, want a whole number`);
    if (value < -rank || value >= rank) throw new ShapeError(`${op}: axis is ${value}, and x has ${rank} dimensions`);
    return value < 0 ? value + rank : value;
  };

  /**
   * What the kernels of rows are told of a shape.
   * @param {string} op
   * @param {number[]} shape
   * @param {number | readonly number[]} given
   */
  const rowAttributes = (op, shape, given) => {
    const axes = (Array.isArray(given) ? given : [given]).map((axis) => whichAxis(op, axis, shape.length));
    if (new Set(axes).size !== axes.length) throw new ShapeError(`${op}: axes [${axes.join(' ')}] name a dimension twice`);
    const parameters = axes.map((axis) => shape[axis]);
    const columns = product(parameters);
    if (axes.length > 0 && axes.every((axis, i) => axis === shape.length - axes.length + i)) return { parameters, dims: [product(shape.slice(0, shape.length - axes.length)), columns] };
    return { parameters, dims: shape, axes };
  };

  /**
   * What the kernels of channels are told of a shape: dims around the channel axis, the rest flattened.
   * @param {number[]} shape
   * @param {number} axis
   */
  const channelAttributes = (shape, axis) => {
    const before = product(shape.slice(0, axis));
    return axis === shape.length - 1 ? { dims: [before, shape[axis]], layout: 'nhwc', parameters: [shape[axis]] }
      : { dims: [before, shape[axis], product(shape.slice(axis + 1))], layout: 'nchw', parameters: [shape[axis]] };
  };

  /**
   * @param {string} op
   * @param {string} kernel
   * @param {any} input
   * @param {any} attrs
   * @param {any} options
   * @param {any[]} [more]
   */
  const withParameters = (op, kernel, input, attrs, { scale, bias, epsilon = defaultEpsilon }, more = []) => {
    const [s, b] = [float(op, 'scale', scale, attrs.parameters), float(op, 'bias', bias, attrs.parameters)];
    return run(kernel, [input, ...more, ...(s ? [s] : []), ...(b ? [b] : [])], { ...attrs, epsilon, scale: s !== undefined, bias: b !== undefined });
  };

  const ops = {
    /** @param {any} x @param {any} [options] */
    layerNorm(x, options = {}) {
      return operation('layerNorm', x, options, ['scale', 'bias', 'axes', 'epsilon'], (input) => withParameters('layerNorm', 'NormwasmLayerNorm', input, rowAttributes('layerNorm', input.shape, options.axes ?? -1), options));
    },
    /** @param {any} x @param {any} [options] */
    rmsNorm(x, options = {}) {
      return operation('rmsNorm', x, options, ['scale', 'axes', 'epsilon'], (input) => withParameters('rmsNorm', 'NormwasmRMSNorm', input, rowAttributes('rmsNorm', input.shape, options.axes ?? -1), options));
    },
    /** @param {any} x @param {any} options */
    groupNorm(x, options) {
      return operation('groupNorm', x, options, ['groups', 'scale', 'bias', 'axis', 'epsilon'], (input) => {
        const { groups } = options;
        const { rank, shape } = input;
        if (rank < 2) throw new ShapeError(`groupNorm: x is [${shape.join(' ')}], want examples, channels and what else there is`);
        const axis = whichAxis('groupNorm', options.axis ?? -1, rank);
        if (axis === 0) throw new ShapeError('groupNorm: axis is 0, which has the examples');
        if (!Number.isInteger(groups) || groups < 1 || shape[axis] % groups !== 0) throw new ShapeError(`groupNorm: groups is ${String(groups)}, want a divisor of the ${shape[axis]} channels`);
        if (axis > 1 && axis < rank - 1) {
          // A group's elements lie in stripes here: the channels go to the end, and back.
          const order = [...shape.keys()].filter((i) => i !== axis).concat(axis);
          const y = ops.groupNorm(tf.transpose(input, order), { ...options, axis: -1 });
          return tf.transpose(y, order.map((_, i) => order.indexOf(i)));
        }
        const [n, channels] = [shape[0], shape[axis]];
        const inner = product(shape.slice(1)) / (channels || 1);
        const dims = axis === rank - 1 && rank > 2 ? { dims: [n, inner, channels], layout: 'nhwc' } : { dims: [n, channels, inner], layout: 'nchw' };
        return withParameters('groupNorm', 'NormwasmGroupNorm', input, { ...dims, groups, parameters: [channels] }, options);
      });
    },
    /** @param {any} x @param {any} options */
    batchNorm(x, options) {
      return operation('batchNorm', x, options, ['mean', 'variance', 'scale', 'bias', 'axis', 'epsilon'], (input) => {
        const attrs = channelAttributes(input.shape, whichAxis('batchNorm', options.axis ?? -1, input.rank));
        const statistics = ['mean', 'variance'].map((name) => float('batchNorm', name, options[name], attrs.parameters));
        if (statistics.includes(undefined)) throw new NormError('batchNorm: mean and variance are needed');
        return withParameters('batchNorm', 'NormwasmBatchNorm', input, attrs, options, statistics);
      });
    },
    /** @param {any} x @param {any} [options] */
    batchNormTraining(x, options = {}) {
      const [y, mean, variance] = operation('batchNormTraining', x, options, ['scale', 'bias', 'axis', 'epsilon'], (input) => {
        const attrs = channelAttributes(input.shape, whichAxis('batchNormTraining', options.axis ?? -1, input.rank));
        return withParameters('batchNormTraining', 'NormwasmBatchNormTraining', input, attrs, options);
      });
      return { y, mean, variance };
    },
  };
  return { run, rowAttributes, ops };
}

// ---- layers -----------------------------------------------------------------------------------

const one = (/** @type {any} */ inputs) => (Array.isArray(inputs) ? inputs[0] : inputs);

/**
 * Layers that extend TensorFlow.js's own, which read the options, make the weights and write
 * the configuration; theirs is what runs.
 * @param {any} tf
 * @param {ReturnType<typeof makeOps>} made
 */
function makeLayers(tf, { run, rowAttributes, ops }) {
  // The classes are not exported. A name spares the counter from which layers without one get theirs.
  const Rows = tf.layers.layerNormalization({ name: 'normwasm' }).constructor;
  const Batch = tf.layers.batchNormalization({ name: 'normwasm' }).constructor;

  /** With the constraints that Keras has and TensorFlow.js's layerNormalization lacks. */
  class Constrained extends Rows {
    /** @param {any} [args] */
    constructor(args = {}) {
      super(args);
      const { betaConstraint, gammaConstraint } = args;
      // BatchNormalization reads and writes them.
      this.constraints = new Batch({ name: 'normwasm', betaConstraint, gammaConstraint });
    }

    /**
     * @param {string} name
     * @param {any[]} rest shape, type, initializer, regularizer, whether it is trained
     */
    addWeight(name, ...rest) {
      // Keras names the one weight of RMSNormalization scale.
      return super.addWeight(name === 'gamma' ? this.gammaName : name, ...rest, this.constraints[`${name}Constraint`]);
    }

    get gammaName() {
      return 'gamma';
    }

    getConfig() {
      const { betaConstraint, gammaConstraint } = this.constraints.getConfig();
      return { ...super.getConfig(), betaConstraint, gammaConstraint };
    }
  }

  class LayerNormalization extends Constrained {
    static className = 'NormwasmLayerNormalization';

    /** @param {any} inputs */
    call(inputs) {
      return rowCall(this, 'NormwasmLayerNorm', inputs);
    }
  }

  class RMSNormalization extends Constrained {
    static className = 'RMSNormalization';

    /** @param {any} [args] */
    constructor(args = {}) {
      super({ ...args, epsilon: args.epsilon ?? 1e-6, center: false });
    }

    get gammaName() {
      return 'scale';
    }

    /** @param {any} inputs */
    call(inputs) {
      return rowCall(this, 'NormwasmRMSNorm', inputs);
    }

    getConfig() {
      const { center, betaInitializer, betaRegularizer, betaConstraint, ...config } = super.getConfig();
      return config;
    }
  }

  /**
   * @param {any} layer whose axes are not negative once it is built
   * @param {string} kernel
   * @param {any} inputs
   */
  function rowCall(layer, kernel, inputs) {
    const x = one(inputs);
    if (x.dtype !== 'float32') return tf.tidy(() => rowCall(layer, kernel, tf.cast(x, 'float32')));
    const { gamma, beta, axis, epsilon } = layer;
    const operands = [x];
    for (const variable of [gamma, beta]) if (variable) operands.push(variable.read());
    // A layer mostly sees one shape again and again.
    if (layer.latest === undefined || !same(layer.latest.shape, x.shape)) {
      layer.latest = { shape: [...x.shape], attrs: { ...rowAttributes(layer.name, x.shape, axis), epsilon, scale: Boolean(gamma), bias: Boolean(beta) } };
    }
    return run(kernel, operands, layer.latest.attrs);
  }

  class GroupNormalization extends Constrained {
    static className = 'GroupNormalization';

    /** @param {any} [args] */
    constructor(args = {}) {
      super(args);
      this.groups = args.groups ?? 32;
      if (!Number.isInteger(this.axis)) throw new NormError(`GroupNormalization: axis is [${this.axis}], want one whole number`);
      if (!Number.isInteger(this.groups) || (this.groups < 1 && this.groups !== -1)) throw new NormError(`GroupNormalization: groups is ${String(this.groups)}, want a whole number of at least 1, or -1 for one a channel`);
    }

    /** @param {any} inputShape */
    build(inputShape) {
      const shape = Array.isArray(inputShape[0]) ? inputShape[0] : inputShape;
      const channels = shape.at(this.axis);
      if (channels === undefined || channels === null) throw new ShapeError(`GroupNormalization: axis ${this.axis} of the input [${shape.join(' ')}] must have a known size`);
      if (this.groups !== -1 && channels % this.groups !== 0) throw new ShapeError(`GroupNormalization: groups is ${this.groups}, want a divisor of the ${channels} channels`);
      this.gamma = this.scale ? this.addWeight('gamma', [channels], 'float32', this.gammaInitializer, this.gammaRegularizer, true) : null;
      this.beta = this.center ? this.addWeight('beta', [channels], 'float32', this.betaInitializer, this.betaRegularizer, true) : null;
      this.built = true;
    }

    /** @param {any} inputs */
    call(inputs) {
      const x = one(inputs);
      const groups = this.groups === -1 ? x.shape.at(this.axis) : this.groups;
      return ops.groupNorm(x, { groups, axis: this.axis, epsilon: this.epsilon, scale: this.gamma?.read(), bias: this.beta?.read() });
    }

    getConfig() {
      return { ...super.getConfig(), groups: this.groups };
    }
  }

  class BatchNormalization extends Batch {
    static className = 'NormwasmBatchNormalization';

    /** @param {any} inputs @param {any} [kwargs] */
    call(inputs, kwargs) {
      return tf.tidy(() => {
        const x = one(inputs);
        const options = { axis: this.axis, epsilon: this.epsilon, scale: this.gamma?.read(), bias: this.beta?.read() };
        if (!kwargs?.training) return ops.batchNorm(x, { ...options, mean: this.movingMean.read(), variance: this.movingVariance.read() });
        const { y, mean, variance } = ops.batchNormTraining(x, options);
        for (const [variable, value] of [[this.movingMean, mean], [this.movingVariance, variance]]) {
          const before = variable.read();
          variable.write(tf.sub(before, tf.mul(tf.sub(before, value), 1 - this.momentum)));
        }
        return y;
      });
    }
  }

  const classes = { LayerNormalization, RMSNormalization, GroupNormalization, BatchNormalization };
  for (const Class of Object.values(classes)) tf.serialization.registerClass(Class);
  // Their names are checked here and not by the constructors, which get what a file says too.
  const make = (/** @type {any} */ Class, /** @type {string} */ name, /** @type {readonly string[]} */ known) => (/** @type {any} */ args = {}) => {
    checkNames(name, args, known);
    return new Class(args);
  };
  const gamma = ['axis', 'epsilon', 'scale', 'gammaInitializer', 'gammaRegularizer', 'gammaConstraint'];
  const affine = [...gamma, 'center', 'betaInitializer', 'betaRegularizer', 'betaConstraint'];
  return {
    ...classes,
    layerNormalization: make(LayerNormalization, 'layerNormalization', [...affine, ...layerOptions]),
    rmsNormalization: make(RMSNormalization, 'rmsNormalization', [...gamma, ...layerOptions]),
    groupNormalization: make(GroupNormalization, 'groupNormalization', ['groups', ...affine, ...layerOptions]),
    batchNormalization: make(BatchNormalization, 'batchNormalization', ['momentum', ...affine, 'movingMeanInitializer', 'movingVarianceInitializer', ...layerOptions]),
  };
}

/** What all layers of TensorFlow.js take. */
const layerOptions = ['name', 'trainable', 'dtype', 'inputShape', 'batchInputShape', 'batchSize', 'weights', 'inputDType', 'updatable'];

/** What useNormwasm has made of a TensorFlow.js. @type {WeakMap<object, any>} */
const used = new WeakMap();

/**
 * @param {any} tf TensorFlow.js
 * @param {any} [options]
 */
export function useNormwasm(tf, options = {}) {
  if (typeof tf?.engine !== 'function' || typeof tf.registerKernel !== 'function') throw new NormError("useNormwasm: the first argument is not TensorFlow.js; want what import * as tf from '@tensorflow/tfjs' gives");
  if (options === null || typeof options !== 'object') throw new NormError('useNormwasm: options must be an object');
  checkNames('useNormwasm', options, ['replace']);
  let made = used.get(tf);
  if (made === undefined) {
    const { ops, ...parts } = makeOps(tf);
    made = { ops, layers: tf.layers ? makeLayers(tf, { ops, ...parts }) : undefined, release };
    used.set(tf, made);
  }
  if (options.replace) {
    if (made.layers === undefined) throw new NormError('useNormwasm: replace is about layers, and this TensorFlow.js has none; want @tensorflow/tfjs, or { ...core, layers } of its parts');
    for (const name of ['LayerNormalization', 'BatchNormalization']) {
      made.layers[name].className = name;
      tf.serialization.registerClass(made.layers[name]);
    }
  }
  return made;
}
