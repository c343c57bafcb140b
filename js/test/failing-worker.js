// The package's script of workers, but that a run fails in the way that its first input's first number says: 1001 throws outside of the
// run, 1002 crashes the module, 1003 ends the thread (in Node). It runs as a classic worker in browsers, and as a module in Node.
const instantiate = WebAssembly.instantiate;
let crash = false;
WebAssembly.instantiate = async (...args) => {
  const instance = await instantiate(...args);
  const exports = Object.fromEntries(Object.entries(instance.exports));
  for (const name of ['sessionExec', 'sessionPrepare']) {
    exports[name] = (...given) => {
      if (crash) throw new WebAssembly.RuntimeError('unreachable executed');
      return instance.exports[name](...given);
    };
  }
  return Object.create(instance, { exports: { value: exports } });
};

/** Where messages go once the script is there. */
let answer;
const receive = async (event) => {
  await loaded;
  const fault = event.data.feeds?.[0]?.data[0];
  if (fault === 1003) return globalThis.process.exit(3);
  if (fault === 1001) return setTimeout(() => {
    throw new Error('thrown on purpose');
  });
  crash = fault === 1002;
  answer(event);
};
globalThis.onmessage = receive;
const loaded = (typeof importScripts === 'function' ? Promise.resolve(importScripts('/dist/normwasm.worker.js')) : import('../dist/normwasm.worker.js')).then(() => {
  answer = globalThis.onmessage;
  globalThis.onmessage = receive;
});
