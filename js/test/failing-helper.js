// The package's script of workers, but that a helper fails in the way that the search part of this script's URL says: ?start throws before
// it serves; ?other has kernels of another build; ?throw, ?hang and ?exit (in Node) do so in the midst of its third job. It runs as a classic worker in browsers, and as a
// module in Node; what both have of the script's URL is the stack of an error.
const [, how] = /failing-helper\.js\?(\w+)/.exec(new Error().stack) ?? [];
const { Instance } = WebAssembly;
let jobs = 0;
WebAssembly.Instance = function (module, imports) {
  if (how === 'start') throw new Error('thrown on purpose');
  const { exports } = new Instance(module, imports);
  const failing = (...given) => {
    if (++jobs < 3) return exports.run(...given);
    if (how === 'throw') throw new Error('thrown on purpose');
    if (how === 'exit') globalThis.process.exit(3);
    if (how === 'hang') for (;;);
    return exports.run(...given);
  };
  return { exports: Object.fromEntries(Object.keys(exports).map((name) => [how === 'other' ? `${name}0` : name, failing])) };
};

// (Go's runtime wants an instance of this class.)
Object.defineProperty(WebAssembly.Instance, Symbol.hasInstance, { value: (value) => value instanceof Instance });

/** Where messages go once the script is there. */
let answer;
const receive = async (event) => {
  await loaded;
  answer(event);
};
globalThis.onmessage = receive;
const loaded = (typeof importScripts === 'function' ? Promise.resolve(importScripts('/dist/normwasm.worker.js')) : import('../dist/normwasm.worker.js')).then(() => {
  answer = globalThis.onmessage;
  globalThis.onmessage = receive;
});
