// Interleaved timing. Every round takes one sample of every contender, in an
// order that rotates, so that a noisy neighbour or a clock change hits them all.

/**
 * @typedef {object} Contender
 * @property {string} name
 * @property {(times: number) => (void | Promise<void>)} run Does the work `times` times.
 */

/** Lets the browser collect garbage and paint outside of the timed stretches. */
const breathe = () => new Promise((resolve) => setTimeout(resolve, 0));

async function time(run, times) {
  const start = performance.now();
  await run(times);
  return performance.now() - start;
}

/**
 * @param {Contender[]} contenders
 * @param {{ rounds: number, sampleMs: number, warmMs: number, budgetMs: number, fewest?: number }} plan
 *   A contender that has spent its budget leaves the later rounds to the others; it takes part in `fewest` at least.
 */
export async function measure(contenders, { rounds, sampleMs, warmMs, budgetMs, fewest = 9 }) {
  const seen = [];
  for (const c of contenders) {
    const coldMs = await time(c.run, 1);
    // V8 compiles hot wasm again with its optimizing tier while it runs: the
    // sample length is only settled once that has had time to happen.
    let times = 1;
    let last = 0;
    for (let spent = 0; spent < warmMs; ) {
      last = await time(c.run, times);
      spent += last;
      if (last < warmMs / 4) times *= 2;
      await breathe();
    }
    const perRun = last / times;
    seen.push({ ...c, coldMs, times: Math.max(1, Math.ceil(sampleMs / perRun)), spent: 0, samples: [] });
  }
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < seen.length; i++) {
      const c = seen[(i + round) % seen.length];
      if (c.spent > budgetMs && round >= fewest) continue;
      await breathe();
      const spent = await time(c.run, c.times);
      c.spent += spent;
      c.samples.push(spent / c.times);
    }
  }
  return seen.map(({ name, coldMs, times, samples }) => ({
    name, coldMs, timesPerSample: times, samples,
  }));
}

/** The p-quantile of a list of numbers, linear between neighbours. */
export function quantile(values, p) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * p;
  const low = Math.floor(at);
  const high = Math.ceil(at);
  return sorted[low] + (sorted[high] - sorted[low]) * (at - low);
}

/** What is kept of a contender's samples, in milliseconds. */
export function summary({ name, coldMs, timesPerSample, samples }) {
  return {
    name,
    medianMs: quantile(samples, 0.5),
    minMs: quantile(samples, 0),
    p90Ms: quantile(samples, 0.9),
    coldMs,
    rounds: samples.length,
    timesPerSample,
    totalMs: samples.reduce((a, b) => a + b, 0) * timesPerSample,
  };
}

/**
 * The time of one node out of a chain of `long` nodes and a chain of `short` (one): what
 * a run costs around its nodes (copies in and out, dispatch) cancels out. The
 * difference is taken round by round, then the median of it.
 */
export function perNode(name, shortChain, longChain, long, short = 1) {
  const samples = longChain.samples.map((t, i) => (t - shortChain.samples[i]) / (long - short));
  return {
    name,
    medianMs: quantile(samples, 0.5),
    minMs: (quantile(longChain.samples, 0) - quantile(shortChain.samples, 0)) / (long - short),
    p90Ms: quantile(samples, 0.9),
    coldMs: shortChain.coldMs,
    rounds: samples.length,
    chain: { nodes: long, medianMs: quantile(longChain.samples, 0.5) },
    single: { nodes: short, medianMs: quantile(shortChain.samples, 0.5) },
    totalMs: longChain.samples.reduce((a, b) => a + b, 0) * longChain.timesPerSample,
  };
}
