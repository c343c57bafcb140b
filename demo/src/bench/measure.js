// How it is measured, without a page: contenders take turns, so that what disturbs the device meanwhile meets all of them.

/**
 * @typedef {object} Contender
 * @property {string} id
 * @property {(item: import('./cases.js').Case) => Promise<{ firstMs: number, result: Float32Array }>} prepare a session, and its first run
 * @property {(times: number) => Promise<number>} time of so many runs, in milliseconds
 * @property {() => Promise<void>} release
 */

/** @typedef {{ rounds: number, sampleMs: number, warmMs: number }} Plan */

/**
 * @typedef {object} Cell what a contender needed for a case
 * @property {number} [medianMs] @property {number} [leastMs] @property {number} [mostMs] @property {number} [firstMs] with the making of the session
 * @property {number} [rounds] @property {number} [apart] the largest difference from the first contender's result, as a share of its largest number
 * @property {string} [error]
 */

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = sorted.length >> 1;
  return sorted.length % 2 ? sorted[at] : (sorted[at - 1] + sorted[at]) / 2;
}

/** @param {readonly number[]} values */
export const geometricMean = (values) => Math.exp(values.reduce((sum, v) => sum + Math.log(v), 0) / values.length);

/** The largest difference of two results, as a share of the largest number of the first. @param {Float32Array} a @param {Float32Array} b */
export function apart(a, b) {
  if (a.length !== b.length) return Infinity;
  let [most, difference] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    most = Math.max(most, Math.abs(a[i]));
    // Not with Math.max: what is no number is as far off as can be.
    if (!(Math.abs(a[i] - b[i]) <= difference)) difference = Math.abs(a[i] - b[i]);
    if (Number.isNaN(difference)) return Infinity;
  }
  return difference === 0 ? 0 : difference / most;
}

/**
 * Measures one case. A contender that cannot run it leaves it to the others.
 * @param {readonly Contender[]} contenders
 * @param {import('./cases.js').Case} item
 * @param {Plan} plan
 * @param {{ signal: AbortSignal, tell(done: number): void }} control tell: how much of the case is done, up to 1
 * @returns {Promise<Map<string, Cell>>} without those that have no sample yet when it is stopped
 */
export async function measure(contenders, item, plan, { signal, tell }) {
  /** @type {Map<string, Cell>} */
  const cells = new Map();
  /** @type {{ contender: Contender, times: number, samples: number[], cell: Cell }[]} */
  const running = [];
  /** @type {Float32Array | undefined} */
  let first;
  const steps = contenders.length * (plan.rounds + 2);
  let done = 0;
  const step = () => tell(++done / steps);
  try {
    for (const contender of contenders) {
      if (signal.aborted) break;
      try {
        const { firstMs, result } = await contender.prepare(item);
        running.push({ contender, times: 1, samples: [], cell: { firstMs, ...(first && { apart: apart(first, result) }) } });
        first ??= result;
      } catch (error) {
        cells.set(contender.id, { error: error instanceof Error ? error.message : String(error) });
      }
      step();
    }
    // Engines compile what is hot once more, better: how many runs make a sample shows only when they had the time for it.
    for (const one of running) {
      let times = 1;
      for (let spent = 0; spent < plan.warmMs && !signal.aborted;) {
        const took = await one.contender.time(times);
        spent += took;
        one.times = Math.max(1, Math.ceil(plan.sampleMs * times / Math.max(took, 0.01)));
        if (took < plan.sampleMs) times *= 2;
      }
      step();
    }
    for (let round = 0; round < plan.rounds; round++) {
      for (let i = 0; i < running.length && !signal.aborted; i++) {
        const { contender, times, samples } = running[(i + round) % running.length];
        samples.push(await contender.time(times) / times / item.each);
        step();
      }
    }
  } finally {
    for (const { contender } of running) await contender.release();
  }
  for (const { contender, samples, cell } of running) {
    if (samples.length > 0) cells.set(contender.id, { ...cell, medianMs: median(samples), leastMs: Math.min(...samples), mostMs: Math.max(...samples), rounds: samples.length });
  }
  return cells;
}
