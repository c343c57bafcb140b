// Texts, token by token: the module samples, this part cuts them into pieces and knows when to end.
import { turn } from '../turn.js';
import { LocalWriter } from '../writer.js';
import { isObject, parts, shown } from './parts.js';

/** @typedef {import('../../index.js').SessionOptions} SessionOptions */
/** @typedef {Pick<LocalWriter, 'info' | 'check' | 'start' | 'next' | 'release' | 'abandon'>} Writer */

const where = 'TextGenerator.create';

/**
 * Opens a model that writes, here or in a worker.
 * @param {import('../../index.js').ModelSource} model
 * @param {unknown} config
 * @param {SessionOptions} options
 * @returns {Promise<Writer>}
 */
export async function openWriter(model, config, options) {
  const { NormError, aborted } = parts;
  if (config !== undefined && !isObject(config)) throw new NormError(`${where}: config is ${parts.describe(config)}, want the object of config.json`);
  const { signal, graphOptimizationLevel } = options;
  const choices = { config: config && JSON.stringify(config), graphOptimizationLevel };
  if (options.worker) return RemoteWriter.open(model, choices, options);
  const start = parts.ensure({ ...options, full: true });
  const opened = parts.beginModel(model, signal);
  /** @type {import('../core.js').Core} */
  let core;
  try {
    await start;
    core = await parts.fullRuntime(options, where);
  } catch (error) {
    opened.response?.then(({ body }) => body?.cancel()).catch(() => {});
    throw error;
  }
  const target = new parts.SlabTarget(core);
  const meter = await parts.readModel(opened, target, options, 'model');
  if (signal?.aborted) {
    target.drop();
    throw aborted(signal, where);
  }
  return new LocalWriter(core, target, { ...choices, bytes: meter.received });
}

/** In a worker, which has a module of its own. */
class RemoteWriter {
  #pool = new parts.Pool('TextGenerator');
  /** @type {import('../writer.js').WriterInfo} */ info = { context: 0, vocabulary: 0, begin: -1, end: [], ops: [] };

  /**
   * @param {import('../../index.js').ModelSource} model
   * @param {{ config?: string, graphOptimizationLevel?: SessionOptions['graphOptimizationLevel'] }} choices
   * @param {SessionOptions} options
   */
  static async open(model, choices, options) {
    const { signal } = options;
    const { wasmURL, workerURL } = parts.inherited(options);
    const target = new parts.ArrayTarget();
    const [{ module, variant, threads: most }, meter] = await Promise.all([
      options.wasmModule ? { module: options.wasmModule, variant: 'auto', threads: 1 } : parts.fullModule(options),
      parts.readModel(parts.beginModel(model, signal), target, options, 'model'),
    ]);
    if (signal?.aborted) throw parts.aborted(signal, where);
    const threads = parts.shareOf(most, 1);
    const writer = new RemoteWriter();
    const pool = writer.#pool;
    const bytes = target.bytes.slice(0, meter.received);
    try {
      writer.info = await pool.create(signal, async () => pool.send(await pool.start({ wasmURL, workerURL, threads }), { call: 'writer', bytes, options: { wasmModule: module, variant, threads, ...choices } }, [bytes.buffer]));
      return writer;
    } catch (error) {
      throw signal?.aborted ? parts.aborted(signal, where) : error;
    }
  }

  check() {
    this.#pool.check();
  }

  /**
   * @param {Int32Array} prompt
   * @param {import('../writer.js').Sampling} sampling
   * @returns {Promise<void>}
   */
  start(prompt, sampling) {
    return this.#pool.ask({ call: 'writerStart', prompt, sampling }, [], 'TextGenerator.generate');
  }

  /**
   * @param {number} most
   * @param {number} ms
   * @returns {Promise<Int32Array>}
   */
  next(most, ms) {
    return this.#pool.ask({ call: 'writerNext', most, ms }, [], 'TextGenerator.generate');
  }

  async release() {
    this.#pool.end('the generator was released');
  }

  abandon() {
    this.#pool.abandon();
  }
}

/** How long the module writes before the page has its turn, in milliseconds: half a frame. */
const slice = 8;

export class Generator {
  #released = false;
  /** Which text is being written. */
  #text = 0;

  /**
   * @param {Writer} writer
   * @param {import('./tokenizer.js').Coder} coder
   */
  constructor(writer, coder) {
    this.writer = writer;
    this.coder = coder;
    const { info } = writer;
    this.end = new Set(info.end.length > 0 ? info.end : coder.end);
    this.begin = info.begin >= 0 ? info.begin : coder.begin;
    if (info.vocabulary > 0 && coder.size > info.vocabulary) {
      writer.abandon();
      throw new parts.LoadError(`${where}: the tokenizer has ${coder.size} tokens, and the model ${info.vocabulary}: they do not belong together`, 'INVALID_MODEL');
    }
  }

  /**
   * @param {any} prompt
   * @param {any} options
   * @returns {AsyncIterableIterator<{ token: number, text: string }>}
   */
  generate(prompt, options) {
    const what = 'TextGenerator.generate';
    const { NormError, ShapeError } = parts;
    if (typeof prompt !== 'string') throw new NormError(`${what}: prompt is ${parts.describe(prompt)}, want a string`);
    parts.checkOptions(what, options);
    const { maxTokens = Infinity, temperature = 0, topK = 0, topP = 1, seed = 0, stop = [], signal } = options;
    parts.checkSignal(signal, what);
    const number = (/** @type {string} */ name, /** @type {any} */ value, /** @type {boolean} */ good, /** @type {string} */ want) => {
      if (typeof value !== 'number' || !good) throw new NormError(`${what}: ${name} is ${typeof value === 'number' ? value : parts.describe(value)}, want ${want}`);
    };
    number('maxTokens', maxTokens, maxTokens === Infinity || (Number.isInteger(maxTokens) && maxTokens >= 0), 'a whole number of at least 0');
    number('temperature', temperature, temperature >= 0 && temperature < Infinity, 'a finite number of at least 0');
    number('topK', topK, topK === Infinity || (Number.isSafeInteger(topK) && topK >= 0), 'a whole number of at least 1, or 0 for all tokens');
    number('topP', topP, topP > 0 && topP <= 1, 'a number above 0 and up to 1');
    number('seed', seed, Number.isSafeInteger(seed) && seed >= 0, 'a whole number from 0 to 2⁵³ − 1');
    if (!Array.isArray(stop) || !stop.every((text) => typeof text === 'string' && text !== '')) throw new NormError(`${what}: stop is ${shown(stop)}, want an array of strings that are not empty`);
    const tokens = this.coder.encode(prompt, true);
    if (tokens.length === 0 && this.begin !== undefined) tokens.push(this.begin);
    if (tokens.length === 0) throw new ShapeError(`${what}: the prompt is empty, and neither the tokenizer nor the configuration (bos_token_id) tells a token that texts begin with`);
    const { context } = this.writer.info;
    if (tokens.length > context) throw new ShapeError(`${what}: the prompt has ${tokens.length} tokens, and the model's context ${context}`);
    return this.#write(tokens, { maxTokens, sampling: { temperature, topK: topK < 2 ** 31 ? topK : 0, topP, seed }, stop, signal });
  }

  /**
   * @param {number[]} tokens of the prompt
   * @param {{ maxTokens: number, sampling: import('../writer.js').Sampling, stop: string[], signal?: AbortSignal }} options
   */
  async* #write(tokens, { maxTokens, sampling, stop, signal }) {
    const what = 'TextGenerator.generate';
    const check = () => {
      if (this.#released) throw new parts.DisposedError(`${what}: the generator was released`);
      if (signal?.aborted) throw parts.aborted(signal, what);
      this.writer.check();
    };
    check();
    if (maxTokens === 0) return;
    const text = ++this.#text;
    await this.writer.start(Int32Array.from(tokens), sampling);
    const pieces = new Pieces(this.coder, tokens, stop);
    let turned = performance.now();
    for (let written = 0, ahead = 1; written < maxTokens;) {
      check();
      if (text !== this.#text) throw new parts.NormError(`${what}: another text of this generator was begun, which can write one at a time`, 'CONTRADICTION');
      // The first alone, for somebody waits for it.
      const next = await this.writer.next(Math.min(maxTokens - written, ahead), slice);
      ahead = 1024;
      if (next.length === 0) break; // the end of the context
      for (const token of next) {
        if (this.end.has(token)) {
          const rest = pieces.rest();
          if (rest !== '') yield { token, text: rest };
          return;
        }
        const piece = pieces.add(token);
        written++;
        const last = pieces.stopped || written === maxTokens;
        yield { token, text: last && !pieces.stopped ? piece + pieces.rest() : piece };
        if (pieces.stopped) return;
        check();
      }
      if (performance.now() - turned >= slice) {
        await turn();
        turned = performance.now();
      }
    }
  }

  async release() {
    if (this.#released) return;
    this.#released = true;
    await this.writer.release();
  }
}

/** What a reader wants of tokens: text that never ends amid a character, nor in what may become a stop string. */
class Pieces {
  /** Tokens from which on the text is decoded: those before do not change it. @type {number[]} */
  #window;
  /** How many of them are given out. */
  #read;
  #held = '';
  stopped = false;

  /**
   * @param {import('./tokenizer.js').Coder} coder
   * @param {number[]} prompt
   * @param {string[]} stop
   */
  constructor(coder, prompt, stop) {
    this.coder = coder;
    this.stop = stop;
    this.#window = prompt.slice(-6);
    this.#read = this.#window.length;
  }

  /**
   * The text that one more token makes certain.
   * @param {number} token
   */
  add(token) {
    // Vocabularies of models are at times rounded up: the tokenizer has nothing for the last of their tokens.
    if (this.coder.knows(token)) this.#window.push(token);
    return this.#give(this.#decoded(false), false);
  }

  /** What was held back, at the end of a text. */
  rest() {
    return this.#give(this.#decoded(true), true);
  }

  /**
   * What the tokens since the latest call add.
   * @param {boolean} all also what ends amid a character
   */
  #decoded(all) {
    const before = this.coder.decode(this.#window.slice(0, this.#read), false);
    const after = this.coder.decode(this.#window, false);
    if (after.length <= before.length || (!all && after.endsWith('\ufffd'))) return '';
    // The latest tokens stay, for the next one's text may depend on them.
    this.#window = this.#window.slice(Math.max(0, this.#read - 1));
    this.#read = this.#window.length;
    return after.slice(before.length);
  }

  /**
   * @param {string} text
   * @param {boolean} all
   */
  #give(text, all) {
    const whole = this.#held + text;
    const ends = this.stop.map((stop) => whole.indexOf(stop)).filter((at) => at >= 0);
    if (ends.length > 0) {
      this.stopped = true;
      this.#held = '';
      return whole.slice(0, Math.min(...ends));
    }
    let keep = 0;
    if (!all) {
      for (const stop of this.stop) {
        for (let n = Math.min(stop.length - 1, whole.length); n > keep; n--) if (whole.endsWith(stop.slice(0, n))) keep = n;
      }
    }
    this.#held = whole.slice(whole.length - keep);
    return whole.slice(0, whole.length - keep);
  }
}
