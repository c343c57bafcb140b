// The script normwasm.text.js: what Tokenizer and TextGenerator do. It is fetched by src/text.js, which waits for it under a symbol of the
// global object (in Node as an argument): whatever a bundler makes of the file, an export of it might be gone.
import { Generator, openWriter } from './generator.js';
import { parts, take } from './parts.js';
import { readTokenizer } from './tokenizer.js';

/** @type {WeakMap<object, import('./tokenizer.js').Coder>} */
const coders = new WeakMap();
/** @type {WeakMap<object, Generator>} */
const generators = new WeakMap();

const tokenizerMethods = {
  /**
   * @this {object}
   * @param {any} text
   * @param {any} [options]
   */
  encode(text, options = {}) {
    return own(coders, this, 'Tokenizer.encode').give(text, options);
  },
  /**
   * @this {object}
   * @param {any} ids
   * @param {any} [options]
   */
  decode(ids, options = {}) {
    return own(coders, this, 'Tokenizer.decode').take(ids, options);
  },
};

const generatorMethods = {
  /**
   * @this {object}
   * @param {any} prompt
   * @param {any} [options]
   */
  generate(prompt, options = {}) {
    return own(generators, this, 'TextGenerator.generate').generate(prompt, options);
  },
  /** @this {object} */
  async release() {
    parts.unwatch(this);
    await own(generators, this, 'TextGenerator.release').release();
  },
};

/**
 * @template T
 * @param {WeakMap<object, T>} map
 * @param {object} object
 * @param {string} what
 * @returns {T}
 */
function own(map, object, what) {
  const value = map.get(Object(object));
  if (!value) throw new parts.NormError(`${what}: this is ${parts.describe(object)}: call it as a method`);
  return value;
}

/**
 * Does what is written for sessions and files beside models, whose errors have other names.
 * @template T
 * @param {string} where
 * @param {() => Promise<T>} call
 */
async function called(where, call) {
  try {
    return await call();
  } catch (error) {
    if (error instanceof parts.NormError) error.message = error.message.replace(/^InferenceSession\.create/, where).replace(/the file (?="(model|tokenizer)")/, 'the ').replace(/"(model|tokenizer)"/, '$1');
    throw error;
  }
}

/**
 * Adds methods as a class has them.
 * @param {{ prototype: object }} Class
 * @param {Record<string, Function>} methods
 */
function extend(Class, methods) {
  for (const [name, value] of Object.entries(methods)) Object.defineProperty(Class.prototype, name, { value, writable: true, configurable: true });
}

/**
 * @param {readonly any[]} given
 * @param {{ prototype: any }} Tokenizer
 * @param {{ prototype: any }} TextGenerator
 */
export function start(given, Tokenizer, TextGenerator) {
  take(given);
  extend(Tokenizer, tokenizerMethods);
  extend(TextGenerator, generatorMethods);
  return {
    /**
     * @param {any} file
     * @param {any} [options]
     */
    async tokenizer(file, options = {}) {
      const where = 'Tokenizer.fromFile';
      parts.checkOptions(where, options);
      const target = new parts.ArrayTarget();
      const { received } = await called(where, () => parts.readModel(parts.beginModel(file, options.signal), target, options, 'tokenizer'));
      const coder = readTokenizer(target.bytes.subarray(0, received));
      const made = Object.create(Tokenizer.prototype, { size: { value: coder.size, enumerable: true } });
      coders.set(made, coder);
      return made;
    },

    /**
     * @param {any} model
     * @param {any} options
     */
    async generator(model, options) {
      const where = 'TextGenerator.create';
      parts.checkOptions(where, options);
      const { tokenizer, config, ...rest } = options;
      const coder = coders.get(Object(tokenizer));
      if (!coder) throw new parts.NormError(`${where}: tokenizer is ${parts.describe(tokenizer)}, want a Tokenizer: Tokenizer.fromFile() makes one`);
      if (typeof rest.worker === 'number') throw new parts.NormError(`${where}: worker is ${rest.worker}, want true or false: a generator has one worker`);
      const generator = new Generator(await called(where, () => openWriter(model, config, parts.checkSession(rest))), coder);
      const { context, ops } = generator.writer.info;
      const made = Object.create(TextGenerator.prototype, { context: { value: context, enumerable: true }, operators: { value: Object.freeze(ops), enumerable: true } });
      generators.set(made, generator);
      parts.watch(made, (/** @type {{ abandon(): void }} */ writer) => writer.abandon(), generator.writer);
      return made;
    },
  };
}

// @ts-expect-error in Node it is an argument of the script
const ask = typeof receive === 'function' ? receive : /** @type {any} */ (globalThis)['normwasm.text'];
ask?.(start);
