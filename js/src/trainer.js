// Trainer: a network in training, in this thread or in a worker.
import { DisposedError, LoadError, NormError, ShapeError, aborted } from './errors.js';
import { chooseVariant, isFolder, sharedModule } from './loader.js';
import { unwatch, watch } from './lost.js';
import { LocalNetwork } from './network.js';
import { checkOptions, checkTrainer } from './options.js';
import { RemoteNetwork } from './remotenetwork.js';
import { inherited } from './runtime.js';
import { readSafetensors, writeSafetensors } from './safetensors.js';
import { Tensor, attached, describe } from './tensor.js';
import { attach, shareOf, threadsOf, withRoom } from './threads.js';

/** @typedef {import('../index.js').TrainerOptions} TrainerOptions */
/** @typedef {import('../index.js').Batch} Batch */
/** What the module is given of a batch. @typedef {{ n: number, x: Float32Array | Int32Array, y: Float32Array | Int32Array }} PlainBatch */

const secret = Symbol('trainer');
/** Marks the files that save() writes. */
const format = 'normwasm-trainer';

export class Trainer {
  /** @type {LocalNetwork | RemoteNetwork} */ #network;
  /** @type {readonly number[]} */ #input;
  #tokens;
  #labels;
  #disposed = false;

  /**
   * @param {symbol} key
   * @param {LocalNetwork | RemoteNetwork} network
   * @param {TrainerOptions} options
   */
  constructor(key, network, options) {
    if (key !== secret) throw new NormError('Trainer: use Trainer.create()');
    const { input, model, loss } = options;
    this.#network = network;
    this.#input = [...input];
    this.#tokens = model[0].type === 'embedding';
    this.#labels = loss === 'crossEntropy';
    watch(this, abandon, network);
  }

  /** @param {TrainerOptions} options */
  static async create(options) {
    checkTrainer(options);
    const { input, model, loss, seed, optimizer, schedule, clip, worker, signal, ...start } = options;
    const network = { input, model, loss, seed, optimizer, schedule, clip };
    const source = inherited(start, 'train');
    const { variant: wanted = 'auto', wasmModule, wasmURL } = source;
    const variant = chooseVariant(wanted);
    const threads = threadsOf({ ...source, variant });
    const from = { ...source, threads: worker ? shareOf(threads, 1) : threads };
    const running = await withRoom(threads, async () => {
      const module = wasmModule ?? await sharedModule(`train.${variant}`, { ...source, threads, signal });
      if (signal?.aborted) throw aborted(signal, 'Trainer.create');
      // A file of the caller's choice says itself what it is.
      const known = wanted !== 'auto' || (wasmModule === undefined && (wasmURL === undefined || isFolder(wasmURL))) ? variant : undefined;
      return worker ? RemoteNetwork.start(module, known, network, from, signal) : LocalNetwork.start(module, known, network, threads, (core) => attach(core, from));
    });
    return new Trainer(secret, running, options);
  }

  get variant() {
    return this.#network.variant;
  }

  /** @param {Batch} batch */
  async step(batch) {
    const plain = this.#batch('step', batch);
    const { loss, accuracy, gradientNorm } = await this.#network.call('step', plain);
    return { loss, ...(this.#labels && { accuracy }), gradientNorm };
  }

  /**
   * @param {Batch} batch
   * @param {{ statistics?: 'running' | 'batch' }} [options]
   */
  async evaluate(batch, options = {}) {
    checkOptions('Trainer.evaluate', options);
    const plain = this.#batch('evaluate', batch);
    const { loss, accuracy, outputs } = await this.#network.call('evaluate', plain, options.statistics);
    return { loss, ...(this.#labels && { accuracy }), outputs: new Tensor('float32', outputs, [plain.n, ...this.#network.output]) };
  }

  /** @param {Iterable<Batch> | AsyncIterable<Batch>} batches */
  async recomputeStatistics(batches) {
    this.#check('recomputeStatistics');
    if (typeof (/** @type {any} */ (batches)?.[Symbol.iterator] ?? /** @type {any} */ (batches)?.[Symbol.asyncIterator]) !== 'function') {
      throw new NormError(`Trainer.recomputeStatistics: batches is ${describe(batches)}, want an array or another iterable of { x, y }`);
    }
    let count = 0;
    for await (const batch of batches) await this.#network.call('gather', this.#batch('recomputeStatistics', batch), count++ === 0);
    if (count === 0) throw new NormError('Trainer.recomputeStatistics: there are no batches');
    this.#check('recomputeStatistics');
    await this.#network.call('settle');
  }

  async statistics() {
    this.#check('statistics');
    /** @type {any[]} */
    const all = await this.#network.call('statistics');
    return all.map(({ layer, mean, std, gradientNorm, runningMean, runningVar, batchMean, batchVar }) => ({
      layer, activation: { mean, std }, gradientNorm,
      ...(runningMean && { running: { mean: runningMean, variance: runningVar }, batch: { mean: batchMean, variance: batchVar } }),
    }));
  }

  async save() {
    this.#check('save');
    const { tensors, steps, random, batches } = await this.#network.call('snapshot');
    return writeSafetensors(
      Object.fromEntries(tensors.map((/** @type {any} */ { name, shape, data }) => [name, new Tensor('float32', data, shape)])),
      { format, steps: String(steps), random, batches: batches.join(' ') },
    );
  }

  /** @param {Uint8Array} file */
  async load(file) {
    this.#check('load');
    const { tensors, metadata } = readSafetensors(file);
    const { steps, random, batches } = metadata;
    if (metadata.format !== format || !/^\d{1,15}$/.test(steps) || !/^[0-9a-f]{16}$/.test(random) || !/^(\d+( \d+)*)?$/.test(batches)) {
      throw new LoadError('Trainer.load: the file is safetensors, but none that Trainer.save() has written: its metadata lack steps, random or batches', 'INVALID_MODEL');
    }
    const list = Object.entries(tensors).map(([name, { type, dims, data }]) => {
      if (type !== 'float32') throw new LoadError(`Trainer.load: tensor ${JSON.stringify(name)} is of ${type}, want float32`, 'INVALID_MODEL');
      return { name, shape: [...dims], data };
    });
    await this.#network.call('restore', { tensors: list, steps: Number(steps), random, batches: batches.split(' ').filter(Boolean).map(Number) });
  }

  /** @param {{ intermediates?: boolean }} [options] */
  async exportONNX(options = {}) {
    checkOptions('Trainer.exportONNX', options);
    this.#check('exportONNX');
    return /** @type {Promise<Uint8Array>} */ (this.#network.call('onnx', options.intermediates === true));
  }

  dispose() {
    if (this.#disposed) return;
    this.#disposed = true;
    unwatch(this);
    this.#network.end();
  }

  /** @param {string} what */
  #check(what) {
    if (this.#disposed) throw new DisposedError(`Trainer.${what}: the trainer was disposed of`);
  }

  /**
   * A batch as the module takes it.
   * @param {string} what
   * @param {any} batch
   * @returns {PlainBatch}
   */
  #batch(what, batch) {
    this.#check(what);
    const where = `Trainer.${what}`;
    if (typeof batch !== 'object' || batch === null || batch.x === undefined || batch.y === undefined) throw new NormError(`${where}: the batch is ${describe(batch)}, want { x, y }, two tensors`);
    const { x, y } = batch;
    const input = this.#input;
    const output = this.#labels ? this.#network.output.slice(0, -1) : this.#network.output;
    const n = this.#examples(where, 'x', x, input, this.#tokens);
    if (this.#examples(where, 'y', y, output, this.#labels) !== n) throw new ShapeError(`${where}: y is [${y.dims.join(', ')}], want [${[n, ...output].join(', ')}] for x of [${x.dims.join(', ')}]`);
    return { n, x: elements(where, 'x', x, this.#tokens, 'tokens'), y: elements(where, 'y', y, this.#labels, 'class indices') };
  }

  /**
   * How many examples a tensor has.
   * @param {string} where
   * @param {string} name
   * @param {any} tensor
   * @param {readonly number[]} shape of one
   * @param {boolean} whole
   * @returns {number}
   */
  #examples(where, name, tensor, shape, whole) {
    const want = `[N${shape.map((d) => `, ${d}`).join('')}]`;
    if (!(tensor instanceof Tensor)) throw new NormError(`${where}: ${name} is ${describe(tensor)}, want a Tensor: new Tensor('${whole ? 'int32' : 'float32'}', data, dims) makes one, of dims ${want}`);
    const { dims } = tensor;
    if (dims.length !== shape.length + 1 || shape.some((d, i) => dims[i + 1] !== d) || dims[0] < 1) throw new ShapeError(`${where}: ${name} is [${dims.join(', ')}], want ${want}${dims[0] < 1 ? ' with N of at least 1' : ''}`);
    return dims[0];
  }
}

if (Symbol.dispose) Object.defineProperty(Trainer.prototype, Symbol.dispose, { value: Trainer.prototype.dispose, configurable: true, writable: true });

/**
 * @param {string} where
 * @param {string} name
 * @param {Tensor} tensor
 * @param {boolean} whole whether int32 is wanted, else float32
 * @param {string} kind
 * @returns {Float32Array | Int32Array}
 */
function elements(where, name, tensor, whole, kind) {
  const { type, dims, size } = tensor;
  const data = /** @type {any} */ (tensor.data);
  const wanted = whole ? 'int32' : 'float32';
  if (type === wanted) return attached(data, `${where}: ${name}`, size);
  if (!whole || !/^u?int/.test(type)) {
    throw new NormError(`${where}: ${name} is a tensor of ${type}, want ${wanted}${whole ? ` (${kind})` : ''}${type === 'string' ? '' : `: new Tensor('${wanted}', ${name}.data, [${dims.join(', ')}]) is one, where nothing is lost`}`);
  }
  return Int32Array.from(attached(data, `${where}: ${name}`, size), (v, i) => {
    const number = Number(v);
    if (number !== (number | 0)) throw new NormError(`${where}: element ${i} of ${name} is ${v}, too large for ${kind}`);
    return number;
  });
}

/** @param {LocalNetwork | RemoteNetwork} network of a trainer that nobody disposed of */
function abandon(network) {
  if (network instanceof RemoteNetwork) network.abandon();
  else network.end();
}
