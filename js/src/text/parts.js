// What this part of the package has of the rest of it. It is a script of its own, which is fetched when somebody wants a
// tokenizer, and has no imports: the rest hands over what is wanted of it.

/** @typedef {typeof import('../text.js').parts} Parts */

/** @type {Parts} */
// eslint-disable-next-line prefer-const
export let parts;

/** @param {Parts} given */
export function take(given) {
  parts = given;
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
