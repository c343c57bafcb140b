// What this part of the package has of the rest of it, which hands it over: it is a script of its own, and has no imports.

/**
 * @typedef {object} Given
 * @property {typeof import('../thread.js').startThread} startThread
 * @property {typeof import('../cause.js').reason} reason
 */

/** @type {Given} */
export let given;

/** @param {Given} all */
export function take(all) {
  given = all;
}
