// Tokenizer and TextGenerator: what is there before the script is that does the work (text/main.js), which is fetched when
// one of them is wanted.
import { DisposedError, LoadError, NormError, ShapeError, UnsupportedError, aborted } from './errors.js';
import { unwatch, watch } from './lost.js';
import { ArrayTarget, SlabTarget, beginModel, readModel } from './model.js';
import { checkOptions, checkSignal, known } from './options.js';
import { Pool } from './pool.js';
import { ensure, fullModule, fullRuntime, inherited } from './runtime.js';
import { fetchScript } from './script.js';
import { checkSession } from './sessionoptions.js';
import { describe } from './tensor.js';
import { shareOf } from './threads.js';

/** What the script is given of this one, in the order of text/parts.js. */
export const parts = [DisposedError, LoadError, NormError, ShapeError, UnsupportedError, aborted, fullModule, watch, unwatch, ArrayTarget, SlabTarget, beginModel, readModel, checkOptions, checkSignal, checkSession, Pool, ensure, fullRuntime, inherited, describe, known, shareOf];

/** @typedef {{ tokenizer(...args: any[]): Promise<any>, generator(...args: any[]): Promise<any> }} Text */
/** @type {Promise<Text> | undefined} */
let loading;

/** The script, fetched once; again, if it did not come. @returns {Promise<Text>} */
const load = () => (loading ??= fetchScript('text', parts, Tokenizer, TextGenerator).catch((error) => {
  loading = undefined;
  throw error;
}));

// Their methods come with the script, as do the objects: nobody has one before it.
export class Tokenizer {
  constructor() {
    throw new NormError('Tokenizer: use Tokenizer.fromFile()');
  }

  /** @param {any[]} args */
  static async fromFile(...args) {
    return (await load()).tokenizer(...args);
  }
}

export class TextGenerator {
  constructor() {
    throw new NormError('TextGenerator: use TextGenerator.create()');
  }

  /** @param {any[]} args */
  static async create(...args) {
    return (await load()).generator(...args);
  }
}
