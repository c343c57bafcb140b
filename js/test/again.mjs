/**
 * Starts a browser; and again, where it crashes while it starts, as Chromium does once in some hundreds of times.
 * @template T
 * @param {() => Promise<T>} start
 * @returns {Promise<T>}
 */
export async function again(start) {
  for (let tries = 1; ; tries++) {
    try {
      return await start();
    } catch (error) {
      if (tries === 3) throw error;
    }
  }
}
