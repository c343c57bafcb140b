// The layers of small networks whose own time is measured, and their chains in ONNX. Nothing here needs a page.
import { Graph } from './onnx.js';
import { fast } from './data.js';

/** @typedef {{ op: string, in: number, out: number, height: number, width: number, kernel: number[], stride: number, groups: number }} Convolution */

const conv = (input, output, size, kernel, { stride = 1, groups = 1, height = size } = {}) => (
  { op: 'Conv', in: input, out: output, height, width: size, kernel: [Math.min(kernel, height), kernel], stride, groups });
const depthwise = (channels, size, kernel, stride = 1) => conv(channels, channels, size, kernel, { stride, groups: channels });
const product = (rows, k, n) => ({ op: 'MatMul', rows, k, n });
const norm = (op, channels, size, groups) => ({ op, channels, size, groups });

/**
 * Where a layer's result cannot be the next one's operand, two that fit each other take turns (1×1 convolutions from few
 * channels to many and back), or all read the same x (`aside`: strided ones).
 */
export const layers = [
  { name: 'product 512³', nodes: [product(512, 512, 512)] },
  { name: 'product 128×384 · 384×1536 and back', nodes: [product(128, 384, 1536), product(128, 1536, 384)] },
  { name: 'product 1×768 · 768×3072 and back', nodes: [product(1, 768, 3072), product(1, 3072, 768)] },
  ...[[64, 56], [128, 28], [256, 14], [512, 7]].map(([c, size]) => ({ name: `conv 3×3 ${c}@${size}²`, nodes: [conv(c, c, size, 3)] })),
  { name: 'conv 3×3 /2 3→32@224²', aside: true, nodes: [conv(3, 32, 224, 3, { stride: 2 })] },
  { name: 'conv 3×3 /2 128→256@28²', aside: true, nodes: [conv(128, 256, 28, 3, { stride: 2 })] },
  { name: 'conv 3×3 128@28², 32 groups', nodes: [conv(128, 128, 28, 3, { groups: 32 })] },
  { name: 'conv 1-D 3 128@256', nodes: [conv(128, 128, 256, 3, { height: 1 })] },
  ...[[24, 144, 56], [32, 192, 28], [96, 576, 14], [160, 960, 7]].map(([few, many, size]) => (
    { name: `conv 1×1 ${few}↔${many}@${size}²`, nodes: [conv(few, many, size, 1), conv(many, few, size, 1)] })),
  ...[[144, 56], [192, 28], [576, 14], [960, 7]].map(([c, size]) => ({ name: `depthwise 3×3 ${c}@${size}²`, nodes: [depthwise(c, size, 3)] })),
  ...[[144, 56], [192, 28], [576, 14]].map(([c, size]) => ({ name: `depthwise 3×3 /2 ${c}@${size}²`, aside: true, nodes: [depthwise(c, size, 3, 2)] })),
  { name: 'depthwise 5×5 120@28²', nodes: [depthwise(120, 28, 5)] },
  { name: 'depthwise 5×5 /2 240@28²', aside: true, nodes: [depthwise(240, 28, 5, 2)] },
  { name: 'depthwise 7×7 96@28²', nodes: [depthwise(96, 28, 7)] },
  ...[[512, 7], [256, 14]].flatMap(([c, size]) => [
    { name: `BatchNorm ${c}@${size}²`, nodes: [norm('BatchNormalization', c, size)] },
    { name: `InstanceNorm ${c}@${size}²`, nodes: [norm('InstanceNormalization', c, size)] },
    { name: `GroupNorm ${c}@${size}², 32 groups`, nodes: [norm('GroupNormalization', c, size, 32)] },
  ]),
];

const padding = ({ kernel }) => kernel.map((k) => (k - 1) / 2);
const outSize = (n, k, stride) => Math.floor((n - 1) / stride) + 1; // padding of (k − 1)/2 on both sides

/** The operand and the result of a node, as ONNX has them. */
export function dimsOf(node) {
  if (node.op === 'MatMul') return { x: [node.rows, node.k], y: [node.rows, node.n] };
  if (node.op !== 'Conv') return { x: [1, node.channels, node.size, node.size], y: [1, node.channels, node.size, node.size] };
  const { kernel: [kh, kw], stride } = node;
  return { x: [1, node.in, node.height, node.width], y: [1, node.out, outSize(node.height, kh, stride), outSize(node.width, kw, stride)] };
}

const count = (dims) => dims.reduce((a, b) => a * b, 1);

/** Multiplications and additions of products; nothing for norms. */
export function flopsOf(node) {
  if (node.op === 'MatMul') return 2 * node.rows * node.k * node.n;
  return node.op === 'Conv' ? 2 * count(dimsOf(node).y) * (node.in / node.groups) * count(node.kernel) : 0;
}

/** The mean of a layer's nodes, as that of their time is measured. */
export const flops = ({ nodes }) => nodes.reduce((sum, n) => sum + flopsOf(n), 0) / nodes.length;

/**
 * What node `i` of a chain multiplies by: the same for every contender, another for every node. Weights keep numbers about as
 * large as they were, however long the chain is.
 */
export function parametersOf(node, i) {
  if (node.op === 'MatMul') return { weight: fast(node.k * node.n, Math.sqrt(3 / node.k), i + 1) };
  if (node.op === 'Conv') {
    const fan = (node.in / node.groups) * count(node.kernel);
    return { weight: fast(node.out * fan, Math.sqrt(3 / fan), i + 1), bias: fast(node.out, 0.1, i + 101) };
  }
  const about = (n, middle, spread, seed) => fast(n, spread, seed).map((v) => middle + v);
  const c = node.channels;
  return {
    scale: about(c, 1, 0.05, i + 1), bias: fast(c, 0.1, i + 101),
    ...(node.op === 'BatchNormalization' ? { mean: fast(c, 0.1, i + 201), variance: about(c, 1, 0.05, i + 301) } : {}),
  };
}

/** The nodes of a chain, the layer's in turn. */
export const chainOf = ({ nodes }, length) => Array.from({ length }, (_, i) => nodes[i % nodes.length]);

/**
 * The model of so many of a layer's nodes, with input x and output y. Those aside each other give one pixel of each plane to
 * the result, which a MaxPool of a single element picks: it reads no other, so that it costs next to nothing in any layout.
 * `whole` is the model of the first node alone, of whose result everything is given.
 */
export function chainOfNodes(layer, length, { whole = false } = {}) {
  const chain = chainOf(layer, whole ? 1 : length);
  const g = new Graph();
  const x = g.input('x', dimsOf(chain[0]).x);
  const picked = [];
  let value = x;
  for (const [i, node] of chain.entries()) {
    const p = parametersOf(node, i);
    const from = layer.aside ? x : value;
    if (node.op === 'MatMul') value = g.node('MatMul', [from, g.constant(p.weight, [node.k, node.n])]);
    else if (node.op === 'Conv') {
      const [ph, pw] = padding(node);
      value = g.node('Conv', [from, g.constant(p.weight, [node.out, node.in / node.groups, ...node.kernel]), g.constant(p.bias)],
        { kernel_shape: node.kernel, strides: [node.stride, node.stride], pads: [ph, pw, ph, pw], group: node.groups });
    } else value = g.node(node.op, [from, ...Object.values(p).map((v) => g.constant(v))], { epsilon: 1e-5, ...(node.groups ? { num_groups: node.groups } : {}) });
    if (layer.aside && !whole) {
      const [, , h, w] = dimsOf(node).y;
      picked.push(g.node('MaxPool', [value], { kernel_shape: [1, 1], strides: [h, w] }));
    }
  }
  const last = dimsOf(chain.at(-1)).y;
  if (picked.length === 0) g.output(value, last, 'y');
  else g.output(g.node('Concat', picked, { axis: 1 }), [1, picked.length * last[1], 1, 1], 'y');
  return g.model({ opset: chain[0].op === 'GroupNormalization' ? 21 : 17 });
}

/** Norms behind norms could be folded into one by an optimizer; nobody folds the others. */
export const folds = ({ nodes }) => nodes[0].op.endsWith('Normalization');
