// What its holder forgot to dispose of goes when the engine finds the holder unreachable:
// a safety net. Engines without FinalizationRegistry have none.

/** @typedef {{ release: (held: any) => void, held: any }} Net */

/** @type {FinalizationRegistry<Net> | undefined} */
const registry = typeof FinalizationRegistry === 'function' ? new FinalizationRegistry(({ release, held }) => release(held)) : undefined;

/**
 * Calls release with what is held once the holder, which neither may refer to, is
 * unreachable.
 * @template T
 * @param {object} holder
 * @param {(held: T) => void} release
 * @param {T} held
 */
export function watch(holder, release, held) {
  registry?.register(holder, { release, held }, holder);
}

/**
 * The holder was disposed of.
 * @param {object} holder
 */
export function unwatch(holder) {
  registry?.unregister(holder);
}
