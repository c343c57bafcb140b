// A helper: it repeats the calls of kernels that the module has recorded, on the same memory, until it is told to end.
import { done, gone, head, jobCount, jobs, lost, quit, ready, seq, serving, signature, signs, sleepers, tail, wordsAt } from './control.js';

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
  for (;;) {
    const before = Atomics.load(words, seq);
    if (Atomics.load(words, quit) || Atomics.load(words, lost)) return;
    const job = Atomics.load(words, head);
    if (job !== Atomics.load(words, tail)) {
      if (Atomics.compareExchange(words, head, job, (job + 1) | 0) !== job) continue;
      const at = jobs + 2 * (job & (jobCount - 1));
      try {
        run(words[at], words[at + 1], control + 4 * sign);
      } catch (error) {
        Atomics.store(words, lost, 1); // so that nobody waits for this job
        throw error;
      }
      Atomics.add(words, done, 1);
    } else if (!changes(words, before)) {
      Atomics.add(words, sleepers, 1);
      Atomics.wait(words, seq, before);
      Atomics.sub(words, sleepers, 1);
    }
  }
}

/**
 * Whether a job comes soon.
 * @param {Int32Array} words
 * @param {number} before
 */
function changes(words, before) {
  const end = performance.now() + patience;
  do {
    for (let i = 0; i < 100; i++) if (Atomics.load(words, seq) !== before) return true;
  } while (performance.now() < end);
  return false;
}
