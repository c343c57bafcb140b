// Networks in training in a worker, so that the page never blocks.
import { Pool } from './pool.js';

export class RemoteNetwork {
  #pool = new Pool('Trainer');
  /** The shape of the outputs of one example. @type {number[]} */ output = [];
  /** @type {import('../index.js').Variant | undefined} */ variant;

  /**
   * @param {WebAssembly.Module} module of the edition that trains
   * @param {import('../index.js').Variant | undefined} variant undefined: to be found out
   * @param {any} options of the network alone
   * @param {import('../index.js').InitOptions} source
   * @param {AbortSignal} [signal]
   */
  static async start(module, variant, options, source, signal) {
    const network = new RemoteNetwork();
    const pool = network.#pool;
    ({ output: network.output, variant: network.variant } = await pool.create(signal, async () => pool.send(await pool.start(source), { call: 'train', module, variant, options, threads: source.threads }, [])));
    return network;
  }

  /**
   * As LocalNetwork's.
   * @param {string} name
   * @param {...any} args
   * @returns {Promise<any>}
   */
  async call(name, ...args) {
    this.#pool.check();
    /** @type {Transferable[]} */
    const transfer = [];
    return this.#pool.ask({ call: 'network', name, args: copied(args, transfer) }, transfer, `Trainer: ${name}`);
  }

  end() {
    this.#pool.end('the trainer was disposed of');
  }

  abandon() {
    this.#pool.abandon();
  }
}

/**
 * The same with typed arrays of its own: the caller may go on with his as soon as he has the promise.
 * @param {any} value
 * @param {Transferable[]} transfer gets their buffers
 * @returns {any}
 */
function copied(value, transfer) {
  if (ArrayBuffer.isView(value)) {
    const array = /** @type {any} */ (value).slice();
    transfer.push(array.buffer);
    return array;
  }
  if (Array.isArray(value)) return value.map((item) => copied(item, transfer));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, copied(item, transfer)]));
}
