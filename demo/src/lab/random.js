// Random numbers that are the same everywhere: integers only, so no engine rounds otherwise.

/**
 * Mixes whole numbers into one of 32 bits.
 * @param {...number} parts
 */
export function mix(...parts) {
  let h = 0x9e3779b9;
  for (const part of parts) {
    h = Math.imul(h ^ part, 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    h ^= h >>> 16;
  }
  return h >>> 0;
}

/**
 * A generator: each call gives a whole number in [0, below). (Mulberry32 by Tommy Ettinger.)
 * @param {number} seed
 */
export function random(seed) {
  let state = seed >>> 0;
  return (/** @type {number} */ below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/**
 * Shuffles in place.
 * @template {{ length: number, [i: number]: any }} T
 * @param {T} list @param {number} seed
 */
export function shuffle(list, seed) {
  const draw = random(seed);
  for (let i = list.length - 1; i > 0; i--) {
    const j = draw(i + 1);
    [list[i], list[j]] = [list[j], list[i]];
  }
  return list;
}
