// Tokenizer and TextGenerator: what is there before the script is that does the work (text/main.js), which is fetched when
// one of them is wanted.
import { reason } from './cause.js';
import { DisposedError, LoadError, NormError, ShapeError, UnsupportedError, aborted } from './errors.js';
import { ownFile } from './loader.js';
import { unwatch, watch } from './lost.js';
import { ArrayTarget, SlabTarget, beginModel, readModel } from './model.js';
import { runScript } from './node.js';
import { checkOptions, checkSignal, known } from './options.js';
import { Pool } from './pool.js';
import { ensure, fullModule, fullRuntime, inherited } from './runtime.js';
import { checkSession } from './sessionoptions.js';
import { describe } from './tensor.js';

/** What the script is given of this one, in the order of text/parts.js, so that both have the same classes of errors and the same module. */
export const parts = [DisposedError, LoadError, NormError, ShapeError, UnsupportedError, aborted, fullModule, watch, unwatch, ArrayTarget, SlabTarget, beginModel, readModel, checkOptions, checkSignal, checkSession, Pool, ensure, fullRuntime, inherited, describe, known];

/** By which the script finds who waits for it. */
const key = 'normwasm.text';

/** @typedef {{ tokenizer(...args: any[]): Promise<any>, generator(...args: any[]): Promise<any> }} Text */
/** @type {Promise<Text> | undefined} */
let loading;

/** The script, fetched once. */
const load = () => (loading ??= fetchScript());

/** @returns {Promise<Text>} */
async function fetchScript() {
  /** @type {any} */
  let start;
  const scope = /** @type {any} */ (globalThis);
  const receive = scope[key] = (/** @type {any} */ given) => {
    start = given;
  };
  try {
    await runScript(ownFile('text'), receive);
    return start(parts, Tokenizer, TextGenerator); // (no function, if the file is another one)
  } catch (cause) {
    loading = undefined;
    throw new LoadError(`normwasm.text.js does not load: ${reason(cause)}`, 'FETCH_FAILED', { cause });
  } finally {
    delete scope[key];
  }
}

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
