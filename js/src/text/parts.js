// What this part of the package has of the rest of it. It is a script of its own, which is fetched when somebody wants a
// tokenizer, and has no imports: the rest hands over what is wanted of it.

/**
 * @typedef {object} Parts
 * @property {typeof import('../errors.js').DisposedError} DisposedError
 * @property {typeof import('../errors.js').LoadError} LoadError
 * @property {typeof import('../errors.js').NormError} NormError
 * @property {typeof import('../errors.js').ShapeError} ShapeError
 * @property {typeof import('../errors.js').UnsupportedError} UnsupportedError
 * @property {typeof import('../errors.js').aborted} aborted
 * @property {typeof import('../runtime.js').fullModule} fullModule
 * @property {typeof import('../lost.js').watch} watch
 * @property {typeof import('../lost.js').unwatch} unwatch
 * @property {typeof import('../model.js').ArrayTarget} ArrayTarget
 * @property {typeof import('../model.js').SlabTarget} SlabTarget
 * @property {typeof import('../model.js').beginModel} beginModel
 * @property {typeof import('../model.js').readModel} readModel
 * @property {typeof import('../options.js').checkOptions} checkOptions
 * @property {typeof import('../options.js').checkSignal} checkSignal
 * @property {typeof import('../sessionoptions.js').checkSession} checkSession
 * @property {typeof import('../pool.js').Pool} Pool
 * @property {typeof import('../runtime.js').ensure} ensure
 * @property {typeof import('../runtime.js').fullRuntime} fullRuntime
 * @property {typeof import('../runtime.js').inherited} inherited
 * @property {typeof import('../tensor.js').describe} describe
 * @property {Record<string, Set<string>>} known
 * @property {typeof import('../threads.js').shareOf} shareOf
 */

/** In the order of src/text.js. */
const names = 'DisposedError LoadError NormError ShapeError UnsupportedError aborted fullModule watch unwatch ArrayTarget SlabTarget beginModel readModel checkOptions checkSignal checkSession Pool ensure fullRuntime inherited describe known shareOf'.split(' ');

/**
 * Adds the options that there are here to those that the rest of the package knows.
 * @param {Record<string, Set<string>>} known
 */
export function addOptions(known) {
  const model = [...known['InferenceSession.create']].filter((name) => !['freeDimensionOverrides', 'preferredOutputLocation', 'state', 'externalData'].includes(name));
  known['TextGenerator.create'] = new Set([...model, 'tokenizer', 'config']);
  known['TextGenerator.generate'] = new Set(['maxTokens', 'temperature', 'topK', 'topP', 'seed', 'stop', 'signal']);
  known['Tokenizer.fromFile'] = new Set(['signal', 'onProgress']);
  known['Tokenizer.encode'] = known['Tokenizer.decode'] = new Set(['special']);
}

/** @type {Parts} */
export let parts;

/** @param {readonly any[]} given */
export function take(given) {
  parts = /** @type {any} */ (Object.fromEntries(names.map((name, i) => [name, given[i]])));
  addOptions(parts.known);
}

/**
 * The error of a tokenizer's file.
 * @param {string} message
 * @param {unknown} [cause]
 */
export function wrong(message, cause) {
  return new parts.LoadError(`Tokenizer.fromFile: ${message}`, 'INVALID_MODEL', cause === undefined ? undefined : { cause });
}

/** @param {string} what */
export function unsupported(what) {
  return new parts.UnsupportedError(`Tokenizer.fromFile: ${what} is not implemented`);
}

/**
 * A value of a file, cut short for an error.
 * @param {unknown} value
 */
export function shown(value) {
  const text = String(JSON.stringify(value));
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, any>}
 */
export function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
