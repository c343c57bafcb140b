// Networks in training. A network is the only one of a module of its own: disposing of it gives all its memory back.
import { Core } from './core.js';
import { withTurn } from './turn.js';

export class LocalNetwork {
  /** @type {Core} */ #core;
  /** @type {number} */ #handle;

  /**
   * @param {Core} core
   * @param {any} options
   */
  constructor(core, options) {
    this.#core = core;
    this.#handle = core.invoke('network', options);
    /** The shape of the outputs of one example. @type {number[]} */
    this.output = core.invoke('outputShape', this.#handle);
  }

  /**
   * @param {WebAssembly.Module} module of the edition that trains
   * @param {import('../index.js').Variant | undefined} variant undefined: to be found out
   * @param {any} options of the network alone
   * @param {number | undefined} threads
   * @param {(core: Core) => void} help starts the module's helpers
   */
  static async start(module, variant, options, threads, help) {
    const core = await Core.start(module, variant, () => {}, 'train', threads);
    try {
      help(core);
      return new LocalNetwork(core, options);
    } catch (error) {
      if (core.ended === undefined) core.invoke('exit');
      throw error;
    }
  }

  get variant() {
    return this.#core.variant;
  }

  /**
   * Calls a function of the module's API object (wasm/train_js.go) with the network and these arguments.
   * @param {string} name
   * @param {...any} args
   * @returns {Promise<any>}
   */
  async call(name, ...args) {
    return withTurn(this.#core, this.#core.invoke(name, this.#handle, ...args));
  }

  end() {
    if (this.#core.ended === undefined) this.#core.invoke('exit');
  }
}
