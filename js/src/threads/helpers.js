// The helpers of one instance of the module: workers of the package's script on the same memory.
import { gone, lost, quit, ready, seq, serving, signs, wordsAt } from '../control.js';
import { given } from './given.js';

/** What an instance shares with its helpers. @typedef {{ memory: WebAssembly.Memory, control: number, variant: import('../../index.js').Variant }} Shared */

/** How long helpers count as starting, in milliseconds. */
const longestStart = 5000;

export class Helpers {
  /** Those that serve, or may yet. */
  #left;
  /** @type {Set<Worker>} */ #workers = new Set();
  #ended = false;
  #warned = false;
  #words;
  #until = performance.now() + longestStart;

  /**
   * Starts them, for which nobody waits: they take part when they are there.
   * @param {Shared} shared
   * @param {number} count
   * @param {Promise<WebAssembly.Module>} kernels
   * @param {string | URL} [script]
   */
  constructor({ memory, control }, count, kernels, script) {
    this.#left = count;
    this.#words = wordsAt(memory, control);
    kernels.then(
      (module) => {
        for (let index = 0; index < count; index++) this.#start({ call: 'help', module, memory, control, index }, script);
      },
      (cause) => {
        this.#left = 0;
        this.#warn(given.reason(cause));
      },
    );
  }

  /** How many threads there are, that of the module itself among them. */
  get threads() {
    this.check();
    return 1 + this.#left;
  }

  /** Whether some may still be on their way. */
  get starting() {
    if (this.#until === 0) return false;
    const starting = !this.#ended && Atomics.load(this.#words, ready) < this.#left && performance.now() < this.#until;
    if (!starting) this.#until = 0;
    return starting;
  }

  /** Sees whether the module has given its helpers up. */
  check() {
    if (this.#ended || Atomics.load(this.#words, lost) === 0) return;
    this.#left = 0;
    this.#warn('a helper disappeared in the midst of its work');
    this.end();
  }

  /**
   * @param {{ index: number, [name: string]: any }} message
   * @param {string | URL} [script]
   */
  async #start(message, script) {
    if (this.#ended) return;
    /** @type {Worker | undefined} */
    let worker;
    let over = false;
    const lose = (/** @type {string} */ why) => {
      if (over || this.#ended) return;
      over = true;
      if (worker) this.#workers.delete(worker);
      worker?.terminate();
      if (Atomics.exchange(this.#words, signs + 16 * message.index + 1, gone) === serving) Atomics.sub(this.#words, ready, 1);
      this.#left--;
      this.#warn(why);
    };
    try {
      worker = await given.startThread(script, ({ error }) => error && lose(error.message), lose);
      /** @type {any} */ (worker).unref?.(); // a helper must not keep a Node process alive
      if (this.#ended) return worker.terminate();
      this.#workers.add(worker);
      worker.postMessage(message);
    } catch (cause) {
      lose(given.reason(cause));
    }
  }

  /** @param {string} why */
  #warn(why) {
    if (this.#warned || this.#ended) return;
    this.#warned = true;
    console.warn(`normwasm: the computation goes on in ${1 + this.#left} thread${this.#left ? 's' : ''}, for ${why}`);
  }

  end() {
    if (this.#ended) return;
    this.#ended = true;
    Atomics.store(this.#words, quit, 1);
    Atomics.add(this.#words, seq, 1);
    Atomics.notify(this.#words, seq);
    for (const worker of this.#workers) worker.terminate();
    this.#workers.clear();
  }
}
