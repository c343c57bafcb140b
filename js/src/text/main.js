// The script normwasm.text.js: what Tokenizer and TextGenerator do. It is fetched by src/text.js, which waits for it under a symbol of the
// global object: whatever a bundler makes of the file, an export of it might be gone.
import { Generator, openWriter } from './generator.js';
import { parts, take } from './parts.js';
import { readTokenizer } from './tokenizer.js';

/** @param {import('./parts.js').Parts} given */
export function start(given) {
  take(given);
  return {
    /**
     * @param {import('../model.js').Opened} opened
     * @param {{ signal?: AbortSignal }} options
     */
    async tokenizer(opened, options) {
      const target = new parts.ArrayTarget();
      const { received } = await parts.readModel(opened, target, options, undefined, 'Tokenizer.fromFile');
      return readTokenizer(target.bytes.subarray(0, received));
    },

    /**
     * @param {import('../../index.js').ModelSource} model
     * @param {import('./tokenizer.js').Coder} coder
     * @param {unknown} config
     * @param {import('../../index.js').SessionOptions} options
     */
    async generator(model, coder, config, options) {
      return new Generator(await openWriter(model, config, options), coder);
    },
  };
}

/** @type {any} */ (globalThis)[Symbol.for('normwasm.text')]?.(start);
