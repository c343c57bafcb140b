// Networks for pictures with random weights, as lists of steps: written as ONNX models, and run step by step by TensorFlow.js.
// BatchNorms are folded into the convolutions, as PyTorch's exporter gives a network in evaluation.
import { fast } from './data.js';
import { Graph } from './onnx.js';

/** A network that is being described. Values are numbers of steps; step 0 is the input. */
class Description {
  steps = [];
  #seed = 1;

  constructor(channels, size) {
    this.steps.push({ op: 'input', channels, size });
  }

  #step(step) {
    return this.steps.push(step) - 1;
  }

  /** Weights that keep numbers about as large as they were: a Relu halves their square. */
  #weights(n, fan, act) {
    return { weight: fast(n * fan, Math.sqrt((act === undefined ? 3 : 6) / fan), this.#seed++), bias: fast(n, 0.1, this.#seed++) };
  }

  conv(x, out, kernel, { stride = 1, depthwise = false, act } = {}) {
    const { channels, size } = this.steps[x];
    const pad = (kernel - 1) / 2;
    const inside = depthwise ? 1 : channels;
    return this.#step({ op: 'conv', x, kernel, stride, pad, depthwise, act, inside, channels: out, size: Math.floor((size + 2 * pad - kernel) / stride) + 1, ...this.#weights(out, inside * kernel * kernel, act) });
  }

  add(a, b, act) {
    return this.#step({ ...this.#like(a), op: 'add', x: a, b, act });
  }

  maxPool(x) {
    const { channels, size } = this.steps[x];
    return this.#step({ op: 'maxPool', x, channels, size: Math.floor((size - 1) / 2) + 1 });
  }

  /** Squeeze and excitation: each channel times what two layers make of all channels' means. */
  excite(x, squeezed) {
    const { channels } = this.steps[x];
    const mean = this.#step({ op: 'mean', x, channels, size: 1 });
    const gate = this.conv(this.conv(mean, squeezed, 1, { act: 'relu' }), channels, 1, { act: 'hardSigmoid' });
    return this.#step({ ...this.#like(x), op: 'mul', x, b: gate });
  }

  mean(x) {
    return this.#step({ op: 'mean', x, channels: this.steps[x].channels, size: 1 });
  }

  /** Of a mean, as a row. */
  dense(x, out, act) {
    const inside = this.steps[x].channels;
    return this.#step({ op: 'dense', x, act, inside, channels: out, size: 1, ...this.#weights(out, inside, act) });
  }

  #like(x) {
    const { channels, size } = this.steps[x];
    return { channels, size };
  }
}

function resnet18() {
  const d = new Description(3, 224);
  let x = d.maxPool(d.conv(0, 64, 7, { stride: 2, act: 'relu' }));
  for (const [i, channels] of [64, 128, 256, 512].entries()) {
    for (let block = 0; block < 2; block++) {
      const stride = i > 0 && block === 0 ? 2 : 1;
      const inside = d.conv(d.conv(x, channels, 3, { stride, act: 'relu' }), channels, 3);
      x = d.add(inside, stride === 1 ? x : d.conv(x, channels, 1, { stride }), 'relu');
    }
  }
  d.dense(d.mean(x), 1000);
  return d.steps;
}

function mobilenetV2() {
  const d = new Description(3, 224);
  let x = d.conv(0, 32, 3, { stride: 2, act: 'relu6' });
  for (const [expand, channels, count, first] of [[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 3, 2], [6, 64, 4, 2], [6, 96, 3, 1], [6, 160, 3, 2], [6, 320, 1, 1]]) {
    for (let i = 0; i < count; i++) {
      const before = d.steps[x].channels;
      const stride = i === 0 ? first : 1;
      const wide = expand === 1 ? x : d.conv(x, before * expand, 1, { act: 'relu6' });
      const y = d.conv(d.conv(wide, before * expand, 3, { stride, depthwise: true, act: 'relu6' }), channels, 1);
      x = stride === 1 && before === channels ? d.add(x, y) : y;
    }
  }
  d.dense(d.mean(d.conv(x, 1280, 1, { act: 'relu6' })), 1000);
  return d.steps;
}

function mobilenetV3Small() {
  const d = new Description(3, 224);
  let x = d.conv(0, 16, 3, { stride: 2, act: 'hardSwish' });
  for (const [kernel, wide, channels, excited, act, stride] of [
    [3, 16, 16, true, 'relu', 2], [3, 72, 24, false, 'relu', 2], [3, 88, 24, false, 'relu', 1], [5, 96, 40, true, 'hardSwish', 2], [5, 240, 40, true, 'hardSwish', 1],
    [5, 240, 40, true, 'hardSwish', 1], [5, 120, 48, true, 'hardSwish', 1], [5, 144, 48, true, 'hardSwish', 1], [5, 288, 96, true, 'hardSwish', 2],
    [5, 576, 96, true, 'hardSwish', 1], [5, 576, 96, true, 'hardSwish', 1]]) {
    const before = d.steps[x].channels;
    let y = wide === before ? x : d.conv(x, wide, 1, { act });
    y = d.conv(y, wide, kernel, { stride, depthwise: true, act });
    if (excited) y = d.excite(y, Math.ceil(wide / 4 / 8) * 8);
    y = d.conv(y, channels, 1);
    x = stride === 1 && before === channels ? d.add(x, y) : y;
  }
  d.dense(d.dense(d.mean(d.conv(x, 576, 1, { act: 'hardSwish' })), 1024, 'hardSwish'), 1000);
  return d.steps;
}

export const networks = { resnet18, mobilenetV2, mobilenetV3Small };

/** Multiplications and additions of convolutions and products. */
export const flopsOf = (steps) => steps.reduce((sum, s) => sum + (s.weight ? 2 * s.size * s.size * s.weight.length : 0), 0);

/** @returns {Uint8Array} the model, with input x and output y */
export function toONNX(steps) {
  const g = new Graph();
  const values = [];
  const activate = {
    relu: (y) => g.node('Relu', [y]),
    relu6: (y) => g.node('Clip', [y, g.scalar(0), g.scalar(6)]),
    hardSwish: (y) => g.node('HardSwish', [y]),
    hardSigmoid: (y) => g.node('HardSigmoid', [y], { alpha: Math.fround(1 / 6), beta: 0.5 }),
  };
  const write = {
    input: ({ channels, size }) => g.input('x', [1, channels, size, size]),
    conv: (s) => g.node('Conv', [values[s.x], g.constant(s.weight, [s.channels, s.inside, s.kernel, s.kernel]), g.constant(s.bias)],
      { kernel_shape: [s.kernel, s.kernel], strides: [s.stride, s.stride], pads: [s.pad, s.pad, s.pad, s.pad], group: s.depthwise ? s.channels : 1, dilations: [1, 1] }),
    add: (s) => g.node('Add', [values[s.x], values[s.b]]),
    mul: (s) => g.node('Mul', [values[s.x], values[s.b]]),
    maxPool: (s) => g.node('MaxPool', [values[s.x]], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }),
    mean: (s) => g.node('GlobalAveragePool', [values[s.x]]),
    dense: (s) => g.node('Gemm', [steps[s.x].op === 'mean' ? g.node('Flatten', [values[s.x]], { axis: 1 }) : values[s.x], g.constant(s.weight, [s.channels, s.inside]), g.constant(s.bias)], { transB: 1 }),
  };
  for (const s of steps) {
    const y = write[s.op](s);
    values.push(s.act ? activate[s.act](y) : y);
  }
  g.output(values.at(-1), [1, steps.at(-1).channels], 'y');
  return g.model();
}
