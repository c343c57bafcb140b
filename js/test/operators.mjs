// Cases of ONNX's normalizations drawn from a seed: a model of one node, the function that computes the same, and what
// the formula gives in float64.
import { BatchNorm, batchNorm, groupNorm, instanceNorm, layerNorm, localResponseNorm, lpNorm, meanVarianceNorm, rmsNorm } from 'normwasm';
import { Draw, model } from './data.mjs';

const product = (dims) => dims.reduce((a, b) => a * b, 1);
const float = (v) => Float32Array.of(v);

// Around the lanes and the unrolled steps of the kernels.
const sizes = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 257];

/** Dimensions of about 2000 elements at most; now and then a long one, which is at `long` or the last. */
function drawDims(draw, rank, long = rank - 1) {
  if (draw.chance(0.1)) return Array.from({ length: rank }, (_, i) => (i === long ? draw.int(3000, 20000) : draw.pick(draw.chance(0.7) ? [1] : [2, 3])));
  let left = 2000;
  const dims = Array.from({ length: rank }, () => {
    const size = draw.pick(sizes.filter((v) => v <= left));
    left /= size;
    return size;
  });
  for (let i = rank - 1; i > 0; i--) {
    const j = draw.int(0, i);
    [dims[i], dims[j]] = [dims[j], dims[i]];
  }
  return dims;
}

const far = (draw) => draw.pick([-1, 1]) * 10 ** draw.between(2, 4);

/** What data may be like, row by row. */
const kinds = {
  normal: (draw, n) => draw.normals(n, 0, 1),
  'off centre': (draw, n) => draw.normals(n, draw.between(-3, 3), 1),
  tiny: (draw, n) => draw.normals(n, 0, 1e-6),
  large: (draw, n) => draw.normals(n, 0, 1e6),
  'with zeros': (draw, n) => draw.normals(n, 0, 1).map((v) => (draw.chance(0.4) ? 0 : v)),
  far: (draw, n, centre) => draw.normals(n, centre, 1),
  constant: (draw, n) => new Float32Array(n).fill(draw.normal() * 10 ** draw.between(-2, 4)),
};

/** x in rows of so many elements, of one kind or of all. */
function drawData(draw, dims, row) {
  const n = product(dims);
  const kind = draw.pick([...Object.keys(kinds), 'normal', 'mixed']);
  const centre = far(draw);
  const x = new Float32Array(n);
  for (let at = 0; at < n; at += row) {
    const of = kind === 'mixed' ? draw.pick(Object.keys(kinds)) : kind;
    x.set(kinds[of](draw, row, kind === 'mixed' ? far(draw) : centre), at);
  }
  return { kind, x };
}

/** A scale: around 1, of either sign, and 0 here and there. */
const drawScale = (draw, n) => draw.normals(n, 1, 1).map((v) => (draw.chance(0.05) ? 0 : v));

/** For each element the number of the group that it is in: those share statistics that differ in `axes` only. */
function groupsOf(dims, axes) {
  const group = new Int32Array(product(dims));
  for (let i = 0; i < group.length; i++) {
    let [rest, stride] = [i, 1];
    for (let d = dims.length - 1; d >= 0; d--) {
      const at = rest % dims[d];
      rest = (rest - at) / dims[d];
      if (axes.includes(d)) continue;
      group[i] += at * stride;
      stride *= dims[d];
    }
  }
  return group;
}

/** Values that broadcast to dims, mostly by having them already: their own dims, and spread. */
function drawParameter(draw, dims, values) {
  const own = draw.chance(0.2) ? dims.map((d) => (draw.chance(0.5) ? 1 : d)) : dims;
  const data = values(product(own));
  return { input: [own, data], spread: Float32Array.from(groupsOf(dims, dims.map((_, i) => i).filter((i) => own[i] === 1)), (i) => data[i]) };
}

/** Mean, biased variance and mean square of each group. Differences from a group's first element keep what equal values are. */
function statistics(x, group) {
  const groups = group.reduce((a, b) => Math.max(a, b), 0) + 1;
  const [count, first, mean, variance, square] = Array.from({ length: 5 }, () => new Float64Array(groups));
  x.forEach((v, i) => {
    if (count[group[i]]++ === 0) first[group[i]] = v;
  });
  x.forEach((v, i) => (mean[group[i]] += v - first[group[i]]));
  mean.forEach((sum, g) => (mean[g] = first[g] + sum / count[g]));
  x.forEach((v, i) => {
    variance[group[i]] += (v - mean[group[i]]) ** 2 / count[group[i]];
    square[group[i]] += v ** 2 / count[group[i]];
  });
  return { mean, variance, square };
}

/**
 * An output in float64, and for each element what errors are measured by: `unit` is the largest number that it is made of
 * once the mean is off, `size` counts the rest of its group too. `condition` is how large a group's numbers are next to what
 * they are divided by: far above 1, digits are lost where the mean is subtracted late or is a float32.
 * @typedef {{ value: Float64Array, unit: Float64Array, size: Float64Array, condition: Float64Array }} Want
 */

/** @returns {Want} */
function want(value, { unit = value, size = unit, condition } = {}) {
  const larger = (a, b) => Math.max(Math.abs(a), Math.abs(b));
  unit = value.map((v, i) => larger(v, unit[i]));
  return { value, unit, size: unit.map((v, i) => larger(v, size[i])), condition: condition ?? value.map(() => 0) };
}

/** y = scale·(x − mean)·rstd + bias. */
function affine(x, group, { mean, rstd, condition }, scale, bias, parameter) {
  const [value, unit, size] = [0, 1, 2].map(() => new Float64Array(x.length));
  x.forEach((v, i) => {
    const g = group[i];
    const [a, b] = [scale ? scale[parameter(i)] : 1, bias ? bias[parameter(i)] : 0];
    const scaled = a * (v - mean[g]) * rstd[g];
    value[i] = scaled + b;
    unit[i] = Math.max(Math.abs(scaled), Math.abs(b));
    size[i] = a * Math.min(1, condition[g]);
  });
  return want(value, { unit, size, condition: value.map((_, i) => condition[group[i]]) });
}

/** The normalizations with a mean and a variance of the data itself. */
function normalized(x, group, divisor, scale, bias, parameter) {
  const { mean, variance, square } = statistics(x, group);
  const rstd = variance.map((v) => 1 / divisor(v));
  const condition = square.map((v, g) => Math.sqrt(v) * rstd[g]);
  return { y: affine(x, group, { mean, rstd, condition }, scale, bias, parameter), mean, variance, square, rstd, condition };
}

const rooted = (epsilon) => (variance) => Math.sqrt(variance + epsilon);
const channelOf = (dims) => {
  const inner = product(dims.slice(2));
  return (i) => Math.floor(i / inner) % dims[1];
};

/**
 * What each draw gives, beside the op and its attributes.
 * @typedef {object} Drawn
 * @property {string} kind
 * @property {number} opset
 * @property {Record<string, number | number[] | Float32Array>} attributes
 * @property {Record<string, [number[], Float32Array]>} inputs
 * @property {Record<string, number[]>} outputs dims; a name that starts with _ is left out
 * @property {() => Record<string, Float32Array>} call the outputs by normwasm's function
 * @property {Record<string, Want>} want
 * @property {boolean} [refused] by onnxruntime-web
 */

/** @type {Record<string, { cases: number, ulps: number, todo?: string, draw: (draw: Draw) => Drawn }>} */
export const operators = {
  LayerNormalization: {
    cases: 80,
    ulps: 4,
    draw(draw) {
      const dims = drawDims(draw, draw.int(1, 5));
      const axis = draw.int(0, dims.length - 1);
      const normalizedDims = dims.slice(axis);
      const cols = product(normalizedDims);
      const { kind, x } = drawData(draw, dims, cols);
      const scale = drawParameter(draw, normalizedDims, (n) => drawScale(draw, n));
      const bias = draw.chance(0.7) ? drawParameter(draw, normalizedDims, (n) => draw.normals(n, 0, 1)) : undefined;
      const epsilon = draw.epsilon();
      const statDims = dims.map((d, i) => (i < axis ? d : 1));
      const axes = dims.map((_, i) => i).slice(axis);
      const { y, condition, mean, square, rstd } = normalized(x, groupsOf(dims, axes), rooted(epsilon), scale.spread, bias?.spread, (i) => i % cols);
      return {
        kind, opset: 17,
        attributes: { axis: draw.pick([axis, axis - dims.length]), epsilon: float(epsilon) },
        inputs: { x: [dims, x], scale: scale.input, ...bias && { bias: bias.input } },
        outputs: { y: dims, mean: statDims, invStdDev: statDims },
        call() {
          const o = { mean: new Float32Array(mean.length), invStdDev: new Float32Array(mean.length) };
          return { y: layerNorm(x, { shape: dims, axes, scale: scale.spread, bias: bias?.spread, epsilon, ...o }), ...o };
        },
        want: { y, mean: want(mean, { size: square.map(Math.sqrt) }), invStdDev: want(rstd, { condition }) },
      };
    },
  },

  RMSNormalization: {
    cases: 60,
    ulps: 3,
    draw(draw) {
      const dims = drawDims(draw, draw.int(1, 5));
      const axis = draw.int(0, dims.length - 1);
      const cols = product(dims.slice(axis));
      const { kind, x } = drawData(draw, dims, cols);
      const scale = drawParameter(draw, dims.slice(axis), (n) => drawScale(draw, n));
      const epsilon = draw.epsilon();
      const axes = dims.map((_, i) => i).slice(axis);
      const group = groupsOf(dims, axes);
      const { square } = statistics(x, group);
      const rstd = square.map((v) => 1 / Math.sqrt(v + epsilon));
      const none = square.map(() => 0);
      return {
        kind, opset: 23,
        attributes: { axis: draw.pick([axis, axis - dims.length]), epsilon: float(epsilon) },
        inputs: { x: [dims, x], scale: scale.input },
        outputs: { y: dims },
        call: () => ({ y: rmsNorm(x, { shape: dims, axes, scale: scale.spread, epsilon }) }),
        want: { y: affine(x, group, { mean: none, rstd, condition: none }, scale.spread, undefined, (i) => i % cols) },
      };
    },
  },

  BatchNormalization: {
    cases: 70,
    ulps: 3,
    draw(draw) {
      const { dims, kind, x, scale, bias, epsilon, channels, group } = drawBatch(draw);
      const about = statistics(x, group);
      const mean = Float32Array.from(about.mean, (v, c) => v + 0.3 * Math.sqrt(about.variance[c]) * draw.normal());
      const variance = Float32Array.from(about.variance, (v) => v * draw.between(0.3, 3));
      const rstd = Float64Array.from(variance, (v) => 1 / Math.sqrt(v + epsilon));
      const condition = rstd.map((v, c) => v * Math.max(Math.abs(mean[c]), Math.sqrt(about.square[c])));
      return {
        kind, opset: 15,
        attributes: { epsilon: float(epsilon) },
        inputs: { x: [dims, x], scale: [channels, scale], bias: [channels, bias], mean: [channels, mean], variance: [channels, variance] },
        outputs: { y: dims },
        call: () => ({ y: batchNorm(x, { shape: dims, scale, bias, mean, variance, epsilon }) }),
        want: { y: affine(x, group, { mean, rstd, condition }, scale, bias, (i) => group[i]) },
      };
    },
  },

  'BatchNormalization, training': {
    cases: 50,
    ulps: 4,
    draw(draw) {
      const { dims, kind, x, scale, bias, epsilon, channels, group } = drawBatch(draw);
      const momentum = Math.fround(draw.pick([0, 0.1, 0.9, 0.99, 1, draw.between(0, 1)]));
      const runningMean = draw.normals(dims[1], 0, 1);
      const runningVar = draw.normals(dims[1], 0, 1).map((v) => v * v);
      const { y, mean, square, variance, condition } = normalized(x, group, rooted(epsilon), scale, bias, (i) => group[i]);
      const learnt = (old, now, o) => want(now.map((v, c) => momentum * old[c] + (1 - momentum) * v),
        { unit: now.map((v, c) => Math.max(Math.abs(momentum * old[c]), Math.abs((1 - momentum) * v))), ...o });
      return {
        kind, opset: draw.pick([14, 15]),
        attributes: { epsilon: float(epsilon), momentum: float(momentum), training_mode: 1 },
        inputs: { x: [dims, x], scale: [channels, scale], bias: [channels, bias], mean: [channels, runningMean], variance: [channels, runningVar] },
        outputs: { y: dims, runningMean: channels, runningVar: channels },
        call() {
          const bn = new BatchNorm({ features: dims[1], preset: 'onnx', momentum, epsilon });
          bn.loadStateDict({ scale, bias, runningMean, runningVar });
          const result = { y: bn.forward(x, { shape: dims }), runningMean: bn.runningMean, runningVar: bn.runningVar };
          bn.dispose();
          return result;
        },
        want: {
          y,
          runningMean: learnt(runningMean, mean, { size: square.map((v) => (1 - momentum) * Math.sqrt(v)) }),
          runningVar: learnt(runningVar, variance, { condition }),
        },
      };
    },
  },

  InstanceNormalization: {
    cases: 60,
    ulps: 4,
    draw: (draw) => drawGroups(draw, true),
  },

  GroupNormalization: {
    cases: 90,
    ulps: 4,
    draw: (draw) => drawGroups(draw, false),
  },

  LRN: {
    cases: 60,
    ulps: 1,
    draw(draw) {
      const dims = drawDims(draw, draw.chance(0.8) ? 4 : draw.int(2, 5));
      const { kind, x } = drawData(draw, dims, product(dims.slice(2)));
      const size = draw.chance(0.8) ? draw.pick([1, 3, 5, 7, 9, 15, 31]) : draw.pick([2, 4, 6]);
      const [alpha, beta, bias] = [10 ** draw.between(-5, 0), draw.pick([0.5, 0.75, 1, draw.between(0.1, 2)]), draw.pick([1, 2, draw.between(0.5, 3)])].map(Math.fround);
      const channel = channelOf(dims);
      const inner = product(dims.slice(2));
      const value = new Float64Array(x.length);
      const condition = new Float64Array(x.length);
      const largest = new Float64Array(x.length); // of the sums of the channels before
      x.forEach((v, i) => {
        const c = channel(i);
        let sum = 0;
        for (let k = Math.max(0, c - Math.floor((size - 1) / 2)); k <= Math.min(dims[1] - 1, c + Math.floor(size / 2)); k++) sum += x[i + (k - c) * inner] ** 2;
        const divisor = bias + (alpha / size) * sum;
        value[i] = v / divisor ** beta;
        // onnxruntime-web goes from sum to sum by adding a square and subtracting another.
        largest[i] = Math.max(sum, c > 0 ? largest[i - inner] : 0);
        condition[i] = Math.sqrt((alpha / size) * largest[i] / divisor);
      });
      return {
        kind, opset: 13,
        attributes: { size, alpha: float(alpha), beta: float(beta), bias: float(bias) },
        inputs: { x: [dims, x] },
        outputs: { y: dims },
        call: () => ({ y: localResponseNorm(x, { shape: dims, size, alpha, beta, bias }) }),
        want: { y: want(value, { condition }) },
        refused: dims.length !== 4 || size % 2 === 0,
      };
    },
  },

  LpNormalization: {
    cases: 60,
    ulps: 3,
    draw(draw) {
      const rank = draw.int(1, 5);
      const axis = draw.int(0, rank - 1);
      const dims = drawDims(draw, rank, axis);
      const { kind, x } = drawData(draw, dims, product(dims.slice(axis)));
      const p = draw.pick([1, 2]);
      const group = groupsOf(dims, [axis]);
      const sum = new Float64Array(x.length);
      x.forEach((v, i) => (sum[group[i]] += Math.abs(v) ** p));
      return {
        kind, opset: 22,
        attributes: { p, axis: draw.pick([axis, axis - rank]) },
        inputs: { x: [dims, x] },
        outputs: { y: dims },
        call: () => ({ y: lpNorm(x, { shape: dims, p, axis }) }),
        want: { y: want(Float64Array.from(x, (v, i) => v / (p === 1 ? sum[group[i]] : Math.sqrt(sum[group[i]])) || 0)) },
      };
    },
  },

  MeanVarianceNormalization: {
    cases: 60,
    ulps: 4,
    draw(draw) {
      const rank = draw.int(2, 5);
      const dims = drawDims(draw, rank);
      const byDefault = rank === 4 && draw.chance(0.3);
      let axes = dims.map((_, i) => i).filter(() => draw.chance(0.5));
      if (byDefault) axes = [0, 2, 3];
      else if (axes.length === 0) axes = [draw.int(0, rank - 1)];
      const { kind, x } = drawData(draw, dims, dims[rank - 1]);
      const group = groupsOf(dims, axes);
      const { y, variance } = normalized(x, group, (v) => Math.sqrt(v) + 1e-9);
      // onnxruntime-web leaves the 1e-9 out, and divides 0 by 0 where all are equal.
      y.condition = y.condition.map((v, i) => (variance[group[i]] < 1e-7 ? Infinity : v));
      return {
        kind, opset: 13,
        attributes: byDefault ? {} : { axes: axes.map((a) => draw.pick([a, a - rank])) },
        inputs: { x: [dims, x] },
        outputs: { y: dims },
        call: () => ({ y: meanVarianceNorm(x, { shape: dims, ...!byDefault && { axes } }) }),
        want: { y },
      };
    },
  },
};

function drawBatch(draw) {
  const dims = drawDims(draw, draw.int(2, 5));
  const group = groupsOf(dims, dims.map((_, i) => i).filter((i) => i !== 1));
  return { dims, ...drawData(draw, dims, product(dims.slice(2))), scale: drawScale(draw, dims[1]), bias: draw.normals(dims[1], 0, 1), epsilon: draw.epsilon(), channels: [dims[1]], group };
}

function drawGroups(draw, instance) {
  const dims = drawDims(draw, draw.int(instance ? 3 : 2, 5));
  const [n, channels, ...space] = dims;
  const groups = instance ? channels : draw.pick(Array.from({ length: channels }, (_, i) => i + 1).filter((g) => channels % g === 0));
  const share = channels / groups;
  const { kind, x } = drawData(draw, dims, share * product(space));
  const epsilon = draw.epsilon();
  // Up to opset 20 of GroupNormalization, parameters belong to groups.
  const opset = instance ? 17 : draw.pick([18, 21]);
  const parameters = opset === 18 ? groups : channels;
  const [scale, bias] = [drawScale(draw, parameters), draw.normals(parameters, 0, 1)];
  const channel = channelOf(dims);
  const spread = (values) => (opset === 18 ? Float32Array.from({ length: channels }, (_, c) => values[Math.floor(c / share)]) : values);
  const o = { shape: dims, scale: spread(scale), bias: spread(bias), epsilon };
  const { y } = normalized(x, groupsOf([n, groups, share, ...space], [2, ...space.map((_, i) => 3 + i)]), rooted(epsilon), o.scale, o.bias, channel);
  return {
    kind, opset,
    attributes: { ...!instance && { num_groups: groups }, epsilon: float(epsilon) },
    inputs: { x: [dims, x], scale: [[parameters], scale], bias: [[parameters], bias] },
    outputs: { y: dims },
    call: () => ({ y: instance ? instanceNorm(x, o) : groupNorm(x, { ...o, groups }) }),
    want: { y },
  };
}

/** The case of an operator and a seed. Parameters are constants of the model or inputs of it. */
export function drawCase(name, seed) {
  const draw = new Draw(seed);
  const drawn = operators[name].draw(draw);
  const { opset, attributes, inputs, outputs } = drawn;
  const constant = Object.keys(inputs).filter((input) => input !== 'x' && draw.chance(0.5));
  const given = Object.keys(inputs).filter((input) => !constant.includes(input));
  const op = name.split(',')[0];
  const bytes = model({
    opset,
    nodes: [{ op, inputs: Object.keys(inputs), outputs: Object.keys(outputs), attributes }],
    inputs: given.map((input) => [input, 1, inputs[input][0]]),
    outputs: Object.entries(outputs).map(([output, dims]) => [output, 1, dims]),
    constants: constant.map((input) => [input, ...inputs[input]]),
  });
  const shown = Object.entries(attributes).map(([key, v]) => `${key}=${v instanceof Float32Array ? v[0] : JSON.stringify(v)}`).join(' ');
  return {
    ...drawn, bytes, given,
    text: `seed ${seed}: ${op} opset ${opset} x [${inputs.x[0].join(' ')}] (${drawn.kind}) ${shown}${constant.length ? `, constants ${constant.join(' ')}` : ''}`,
  };
}
