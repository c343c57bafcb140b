// A model that writes, in this thread's module or in that of a worker.

/** @typedef {import('./core.js').Core} Core */
/** @typedef {{ temperature: number, topK: number, topP: number, seed: number }} Sampling */
/** @typedef {{ context: number, vocabulary: number, begin: number, end: number[], ops: { op: string, count: number }[] }} WriterInfo */

export class LocalWriter {
  /** @type {Core} */ #core;
  /** @type {number} */ #handle;

  /**
   * @param {Core} core
   * @param {{ handle: number }} slab with the file, which is gone afterwards
   * @param {{ bytes: number, config?: string, graphOptimizationLevel?: import('../index.js').SessionOptions['graphOptimizationLevel'] }} options
   */
  constructor(core, slab, options) {
    this.#core = core;
    this.#handle = core.invoke('writer', slab, options);
    /** @type {WriterInfo} */
    this.info = core.invoke('writerInfo', this.#handle);
  }

  /**
   * @param {Core} core
   * @param {Uint8Array} bytes
   * @param {{ config?: string, graphOptimizationLevel?: import('../index.js').SessionOptions['graphOptimizationLevel'] }} options
   */
  static open(core, bytes, options) {
    const { handle, address } = core.alloc(bytes.length);
    core.memory.u8.set(bytes, address);
    return new LocalWriter(core, { handle }, { ...options, bytes: bytes.length });
  }

  check() {
    this.#core.check();
  }

  /**
   * Begins a text.
   * @param {Int32Array} prompt
   * @param {Sampling} sampling
   */
  async start(prompt, sampling) {
    this.#core.invoke('writerStart', this.#handle, prompt, sampling);
  }

  /**
   * The next tokens: at least one, unless the context has ended, at most so many, in about so many milliseconds.
   * @param {number} most
   * @param {number} ms
   * @returns {Promise<Int32Array>}
   */
  async next(most, ms) {
    return this.#core.invoke('writerNext', this.#handle, most, ms);
  }

  async release() {
    this.abandon();
  }

  abandon() {
    if (this.#core.ended === undefined) this.#core.invoke('release', this.#handle);
  }
}
