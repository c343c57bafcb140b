// Tokenizer and TextGenerator: what is there before the script is that does the work (text/main.js), which is fetched when
// one of them is wanted.
import { reason } from './cause.js';
import { DisposedError, LoadError, NormError, ShapeError, UnsupportedError, aborted, needsFull } from './errors.js';
import { chooseVariant, ownFile, sharedModule } from './loader.js';
import { unwatch, watch } from './lost.js';
import { ArrayTarget, SlabTarget, beginModel, dropModel, readModel } from './model.js';
import { isNodeFile, runScript } from './node.js';
import { checkOptions, checkSignal, checkStart } from './options.js';
import { Pool } from './pool.js';
import { ensure, fullRuntime, inherited, live } from './runtime.js';
import { checkSession } from './sessionoptions.js';
import { describe, quote } from './tensor.js';

/** @typedef {import('../index.js').ModelSource} ModelSource */

/** What the script is given of this one, so that both have the same classes of errors and the same module. */
export const parts = {
  DisposedError, LoadError, NormError, ShapeError, UnsupportedError, aborted, needsFull, chooseVariant, sharedModule, unwatch, watch,
  ArrayTarget, SlabTarget, beginModel, dropModel, readModel, checkOptions, checkSignal, checkStart, checkSession, Pool,
  ensure, fullRuntime, inherited, live, describe, quote,
};

const secret = Symbol('text');
/** By which the script finds who waits for it. */
const key = Symbol.for('normwasm.text');

/** @typedef {ReturnType<typeof import('./text/main.js').start>} Text */
/** @type {Promise<Text> | undefined} */
let loading;

/** The script, fetched once. */
function load() {
  loading ??= fetchScript().catch((cause) => {
    loading = undefined;
    throw cause instanceof NormError ? cause : new LoadError(`the script normwasm.text.js, which tokenizers and text generators need, does not load: ${reason(cause)}`, 'FETCH_FAILED', { cause });
  });
  return loading;
}

/** @returns {Promise<Text>} */
async function fetchScript() {
  const url = ownFile('text');
  /** @type {((given: typeof parts) => Text) | undefined} */
  let start;
  const scope = /** @type {any} */ (globalThis);
  const receive = (/** @type {NonNullable<typeof start>} */ given) => {
    start = given;
  };
  scope[key] = receive;
  try {
    await runScript(url, isNodeFile(url), receive);
  } finally {
    delete scope[key];
  }
  if (!start) throw new LoadError(`${url} is not the script normwasm.text.js of this package`, 'FETCH_FAILED');
  return start(parts);
}

export class Tokenizer {
  /** @type {import('./text/tokenizer.js').Coder} */ #coder;

  /**
   * @param {symbol} given
   * @param {import('./text/tokenizer.js').Coder} coder
   */
  constructor(given, coder) {
    if (given !== secret) throw new NormError('Tokenizer: use Tokenizer.fromFile()');
    this.#coder = coder;
    this.size = coder.size;
  }

  /**
   * @param {ModelSource} file
   * @param {{ signal?: AbortSignal }} [options]
   */
  static async fromFile(file, options = {}) {
    checkOptions('Tokenizer.fromFile', options);
    const opened = beginModel(file, options.signal);
    return new Tokenizer(secret, await (await load()).tokenizer(opened, options));
  }

  /**
   * @param {string} text
   * @param {{ special?: boolean }} [options]
   */
  encode(text, options = {}) {
    if (typeof text !== 'string') throw new NormError(`Tokenizer.encode: text is ${describe(text)}, want a string`);
    checkOptions('Tokenizer.encode', options);
    return Int32Array.from(this.#coder.encode(text, options.special ?? true));
  }

  /**
   * @param {ArrayLike<number>} ids
   * @param {{ special?: boolean }} [options]
   */
  decode(ids, options = {}) {
    if (typeof ids?.length !== 'number' || typeof ids === 'string') throw new NormError(`Tokenizer.decode: ids is ${describe(ids)}, want an array of tokens`);
    checkOptions('Tokenizer.decode', options);
    return this.#coder.decode(Array.from(ids, Number), options.special ?? false);
  }

  /** What a generator wants of it. @param {unknown} tokenizer */
  static coder(tokenizer) {
    if (!(tokenizer instanceof Tokenizer)) throw new NormError(`TextGenerator.create: tokenizer is ${describe(tokenizer)}, want a Tokenizer: Tokenizer.fromFile() makes one`);
    return tokenizer.#coder;
  }
}
const { coder: coderOf } = Tokenizer;
// @ts-expect-error it is not for users
delete Tokenizer.coder;

export class TextGenerator {
  /** @type {import('./text/generator.js').Generator} */ #generator;

  /**
   * @param {symbol} given
   * @param {import('./text/generator.js').Generator} generator
   */
  constructor(given, generator) {
    if (given !== secret) throw new NormError('TextGenerator: use TextGenerator.create()');
    this.#generator = generator;
    const { context, ops } = generator.writer.info;
    this.context = context;
    /** @type {readonly { op: string, count: number }[]} */
    this.operators = Object.freeze(ops);
    watch(this, abandon, generator.writer);
  }

  /**
   * @param {ModelSource} model
   * @param {any} options
   */
  static async create(model, options) {
    const where = 'TextGenerator.create';
    checkOptions(where, options);
    const { tokenizer, config, ...rest } = options;
    const coder = coderOf(tokenizer);
    const text = await load();
    return new TextGenerator(secret, await text.generator(model, coder, config, checkSession(rest, where)));
  }

  /**
   * @param {string} prompt
   * @param {any} [options]
   */
  generate(prompt, options = {}) {
    return this.#generator.generate(prompt, options);
  }

  async release() {
    unwatch(this);
    await this.#generator.release();
  }
}

/** @param {{ abandon(): void }} writer of a generator that nobody released */
function abandon(writer) {
  writer.abandon();
}
