// A helper: it repeats the calls of kernels that the module has recorded, on the same memory, until it is told to end.
import { done, gone, head, jobCount, jobs, lost, quit, ready, seq, serving, signature, signs, sleepers, wordsAt } from './control.js';

/** How long it looks for the next job before it sleeps, in milliseconds: to be woken takes about as long. */
const patience = 0.08;

/**
 * @param {object} given
 * @param {WebAssembly.Module} given.module the kernels
 * @param {WebAssembly.Memory} given.memory
 * @param {number} given.control the address of what threads share
 * @param {number} given.index of this helper
 */
export function serve({ module, memory, control, index }) {
  const words = wordsAt(memory, control);
  const run = /** @type {((from: number, to: number, sign: number) => void) | undefined} */ (
    new WebAssembly.Instance(module, { env: { memory } }).exports[(words[signature] >>> 0).toString(16)]);
  if (!run) throw new Error('the kernels that it loaded are of another build than the module');
  const sign = signs + 16 * index;
  if (Atomics.compareExchange(words, sign + 1, 0, serving) === gone) return; // it was given up
  Atomics.add(words, ready, 1);
  // (It takes hundreds of nanoseconds to fetch what another core has written: a job's words lie together, and few others are read.)
  for (;;) {
    const before = Atomics.load(words, seq);
    if (Atomics.load(words, quit) || Atomics.load(words, lost)) return;
    const job = Atomics.load(words, head);
    const at = jobs + 16 * (job & (jobCount - 1));
    const count = (job + 1) | 0;
    if (comes(words, at, count)) {
      const from = words[at + 1];
      const to = words[at + 2];
      if (Atomics.compareExchange(words, head, job, count) !== job) continue;
      try {
        run(from, to, control + 4 * sign);
      } catch (error) {
        Atomics.store(words, lost, 1); // so that nobody waits for this job
        throw error;
      }
      Atomics.add(words, done, 1);
    } else {
      Atomics.add(words, sleepers, 1);
      if (!isThere(words, Atomics.load(words, head))) Atomics.wait(words, seq, before);
      Atomics.sub(words, sleepers, 1);
    }
  }
}

/**
 * Whether there is a job of this number.
 * @param {Int32Array} words
 * @param {number} job
 */
const isThere = (words, job) => Atomics.load(words, jobs + 16 * (job & (jobCount - 1))) === ((job + 1) | 0);

/**
 * Whether a job comes soon.
 * @param {Int32Array} words
 * @param {number} at where it will say that it is there
 * @param {number} count what it will say
 */
function comes(words, at, count) {
  if (Atomics.load(words, at) === count) return true;
  const end = performance.now() + patience;
  do {
    for (let i = 0; i < 100; i++) if (Atomics.load(words, at) === count) return true;
  } while (performance.now() < end);
  return false;
}
