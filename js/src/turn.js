// The host's loop of events.

/** The next turn of the loop, which comes at once in a page that nobody sees too. */
export const turn = () => new Promise((resolve) => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => resolve(port1.close());
  port2.postMessage(0);
});

/**
 * Gives the loop a turn while a module's helpers are starting: who computes again and again, and waits for nothing else, would
 * leave the loop none, and stay without them.
 * @template T
 * @param {import('./core.js').Core | undefined} core
 * @param {T} result
 * @returns {T | Promise<T>}
 */
export const withTurn = (core, result) => (core?.helpers?.starting ? turn().then(() => result) : result);
