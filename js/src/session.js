// Inference sessions: what is the same wherever they run. local.js has those of
// this thread's module, remote.js those in workers.
import { DisposedError, NormError, UnsupportedError, aborted } from './errors.js';
import { Local } from './local.js';
import { unwatch, watch } from './lost.js';
import { Remote } from './remote.js';
import { nearest } from './options.js';
import { checkRun, checkSession } from './sessionoptions.js';
import { Tensor, describe } from './tensor.js';
import { withTurn } from './turn.js';

/** @typedef {import('../index.js').SessionOptions} SessionOptions */
/** @typedef {import('../index.js').RunOptions} RunOptions */
/** @typedef {import('../index.js').ValueMetadata} ValueMetadata */

const secret = Symbol('session');

export class InferenceSession {
  /** @type {Local | Remote} */ #backend;
  #released = false;
  /** @type {'cpu' | 'wasm'} */ #location;
  /** Inputs that may be left out: their states are kept. @type {Set<string>} */ #kept;
  /** What run gives without fetches. @type {readonly string[]} */ #results;

  /**
   * @param {symbol} key
   * @param {Local | Remote} backend
   * @param {SessionOptions} options
   */
  constructor(key, backend, options) {
    if (key !== secret) throw new NormError('InferenceSession: use InferenceSession.create()');
    this.#backend = backend;
    this.#location = options.preferredOutputLocation ?? 'cpu';
    const { inputs, outputs, ops } = backend.description;
    this.inputMetadata = metadata(inputs);
    this.outputMetadata = metadata(outputs);
    this.inputNames = Object.freeze(this.inputMetadata.map((m) => m.name));
    this.outputNames = Object.freeze(this.outputMetadata.map((m) => m.name));
    this.#kept = new Set(inputs.filter(staying).map(named));
    this.#results = outputs.filter((/** @type {any} */ output) => !output.state).map(named);
    /** @type {readonly { op: string, count: number }[]} */
    this.operators = Object.freeze(ops);
    watch(this, abandon, backend);
  }

  /**
   * @param {import('../index.js').ModelSource} model
   * @param {SessionOptions} [options]
   */
  static async create(model, options = {}) {
    options = checkSession(options);
    const backend = await (options.worker ? Remote : Local).create(model, options);
    return new InferenceSession(secret, backend, options);
  }

  /**
   * @param {import('../index.js').Feeds} feeds
   * @param {readonly string[] | RunOptions} [fetches]
   * @param {RunOptions} [options]
   */
  async run(feeds, fetches, options) {
    const { wanted, signal } = checkRun(fetches, options, this.outputNames);
    this.#check('run');
    if (signal?.aborted) throw aborted(signal, 'InferenceSession.run');
    const backend = this.#backend;
    const tensors = this.#tensors('run', feeds);
    const names = this.#wanted('run', wanted);
    // (To wait for what is there already takes as long as a small network.)
    if (signal || backend instanceof Remote) return backend.run(tensors, names, this.#location, signal);
    return withTurn(backend.core, backend.runSync(tensors, names, this.#location, 'InferenceSession.run'));
  }

  /**
   * @param {import('../index.js').Feeds} feeds
   * @param {readonly string[]} [fetches]
   */
  runSync(feeds, fetches) {
    const where = 'InferenceSession.runSync';
    this.#check('runSync');
    if (this.#backend instanceof Remote) throw new UnsupportedError(`${where}: the session is in a worker, which answers later: use run(), or create the session without the option worker`);
    if (fetches !== undefined && !Array.isArray(fetches)) throw new NormError(`${where}: fetches is ${describe(fetches)}, want an array of outputs' names`);
    const wanted = this.#wanted('runSync', fetches);
    return this.#backend.runSync(this.#tensors('runSync', feeds), wanted, this.#location, where);
  }

  /** @param {import('../index.js').Feeds} feeds */
  async profile(feeds) {
    this.#check('profile');
    return this.#backend.profile(this.#tensors('profile', feeds));
  }

  resetState() {
    this.#check('resetState');
    this.#backend.resetState();
  }

  async release() {
    if (this.#released) return;
    this.#released = true;
    unwatch(this);
    await this.#backend.release();
  }

  /** @param {string} what */
  #check(what) {
    if (this.#released) throw new DisposedError(`InferenceSession.${what}: the session was released`);
    this.#backend.check();
  }

  /**
   * The outputs to give, each once: those of the list; without one all but states.
   * @param {string} what
   * @param {readonly string[]} [fetches]
   */
  #wanted(what, fetches) {
    if (!fetches) return this.#results;
    const where = `InferenceSession.${what}`;
    for (const name of fetches) {
      if (!this.outputNames.includes(name)) throw new NormError(`${where}: ${typeof name === 'string' ? JSON.stringify(name) : describe(name)} is no output; the model has ${list(this.outputNames)}${similar(name, this.outputNames)}`);
    }
    return [...new Set(fetches)];
  }

  /**
   * The feeds in the order of the inputs.
   * @param {string} what
   * @param {any} feeds
   * @returns {import('./local.js').Feed[]}
   */
  #tensors(what, feeds) {
    const where = `InferenceSession.${what}`;
    if (feeds === null || typeof feeds !== 'object' || Array.isArray(feeds) || ArrayBuffer.isView(feeds) || feeds instanceof Tensor || feeds instanceof Map || typeof feeds.then === 'function') {
      const how = typeof feeds?.then === 'function' ? ': await it first' : feeds instanceof Map ? ': Object.fromEntries(feeds) is one' : `, as in { ${JSON.stringify(this.inputNames[0] ?? 'x')}: tensor }`;
      throw new NormError(`${where}: feeds is ${describe(feeds)}, want an object of tensors by name${how}`);
    }
    for (const name of Object.keys(feeds)) {
      if (!this.inputNames.includes(name)) throw new NormError(`${where}: ${JSON.stringify(name)} is no input; the model wants ${list(this.inputNames)}${similar(name, this.inputNames)}`);
    }
    /** @type {import('./local.js').Feed[]} */
    const tensors = [];
    for (const input of this.inputMetadata) {
      const { name, form } = input;
      const given = Object.hasOwn(feeds, name) ? feeds[name] : undefined; // "constructor" is a name as well
      if (given === undefined && this.#kept.has(name)) tensors.push(undefined);
      else if ((given ?? null) === null && form?.startsWith('optional')) tensors.push(null);
      else tensors.push(form?.endsWith('sequence') && Array.isArray(given) ? given.map((one) => this.#tensor(where, input, one)) : this.#tensor(where, input, given));
    }
    return tensors;
  }

  /**
   * A tensor that is fed, for the module that is to read it.
   * @param {string} where for errors
   * @param {ValueMetadata} input
   * @param {any} tensor
   */
  #tensor(where, input, tensor) {
    const wrong = this.#wrong(tensor, input);
    if (wrong) throw new NormError(`${where}: input ${JSON.stringify(input.name)} is ${wrong}`);
    const { core } = this.#backend;
    // Of the edition beside this one: sessions of both may feed each other.
    if (tensor.storage(() => `${where}: input ${JSON.stringify(input.name)}`) && core && tensor.core !== core) return new Tensor(tensor.type, tensor.data.slice(), tensor.dims);
    return tensor;
  }

  /**
   * What is wrong with a tensor that is fed.
   * @param {any} tensor
   * @param {ValueMetadata} input
   */
  #wrong(tensor, { type, shape, form }) {
    if (tensor instanceof Tensor && tensor.type === type) return undefined;
    if (tensor === undefined) return `missing; the model wants ${list(this.inputNames)}`;
    if (!(tensor instanceof Tensor)) return `${describe(tensor)}, want ${form?.endsWith('sequence') ? 'an array of Tensors' : `a Tensor${madeOf(tensor, type, shape)}`}`;
    const how = tensor.type === 'string' || type === 'string' ? '' : `: new Tensor('${type}', tensor.${tensor.type === 'float16' ? 'toArray().flat(Infinity)' : 'data'}, tensor.dims) is one, where nothing is lost`;
    return `a tensor of ${tensor.type}, want ${type}${how}`;
  }
}

/**
 * How to make the tensor that is wanted of what was given in its place.
 * @param {any} given
 * @param {string} type
 * @param {readonly (number | string)[]} shape
 */
function madeOf(given, type, shape) {
  if (typeof given?.then === 'function') return ': await it first';
  if (typeof given?.type === 'string' && given.dims !== undefined) return ' of this package (and of this copy of it): new Tensor(t.type, t.data, t.dims) makes one';
  const data = typeof given === 'number' || typeof given === 'bigint' ? '[value]' : 'data';
  return Array.isArray(given) || ArrayBuffer.isView(given) || data === '[value]' ? `: new Tensor('${type}', ${data}, dims) makes one, of dims [${shape.join(', ')}]` : '';
}

/**
 * @param {unknown} name
 * @param {readonly string[]} names
 */
function similar(name, names) {
  const near = typeof name === 'string' ? names.find((other) => other.toLowerCase() === name.toLowerCase()) ?? nearest(name, names) : undefined;
  return near === undefined || names.length === 1 ? '' : `; did you mean ${JSON.stringify(near)}?`;
}

/** @param {{ state: boolean }} value */
const staying = ({ state }) => state;

/** @param {{ name: string }} value */
const named = ({ name }) => name;

/** @param {Local | Remote} backend of a session that nobody released */
function abandon(backend) {
  backend.abandon();
}

/**
 * @param {{ name: string, type: import('../index.js').DataType, shape: readonly (number | string)[] | null, form?: ValueMetadata['form'] }[]} values
 * @returns {readonly ValueMetadata[]}
 */
function metadata(values) {
  return Object.freeze(values.map(({ name, type, shape, form }) => Object.freeze({ ...form && { form }, name, type, shape: Object.freeze((shape ?? []).map((d) => (d === '' ? '?' : d))) })));
}

/** @param {readonly string[]} names */
function list(names) {
  return names.map((name) => JSON.stringify(name)).join(', ') || 'none';
}
