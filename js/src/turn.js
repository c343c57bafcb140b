// The host's loop of events.

/**
 * The next turn of the loop, which comes at once in a page that nobody sees too. (A timer would wait for four milliseconds once
 * it has been set a few times; jsdom, as Jest gives it, has nothing else.)
 */
export function turn() {
  const { setImmediate } = /** @type {any} */ (globalThis);
  return /** @type {Promise<void>} */ (new Promise((resolve) => {
    if (typeof setImmediate === 'function') return setImmediate(resolve);
    if (typeof MessageChannel !== 'function') return setTimeout(resolve);
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => resolve(port1.close());
    port2.postMessage(0);
  }));
}

/**
 * Gives the loop a turn while a module's helpers are starting: who computes again and again, and waits for nothing else, would
 * leave the loop none, and stay without them.
 * @template T
 * @param {import('./core.js').Core | undefined} core
 * @param {T} result
 * @returns {T | Promise<T>}
 */
export const withTurn = (core, result) => (core?.helpers?.starting ? turn().then(() => result) : result);
