// Runs a Go program whose kernels are in another module, and prints how often each was called.
//   node elsewhere.cjs wasm_exec.js PROGRAM.wasm KERNELS.wasm ARGUMENT…
'use strict';

const [, , runtime, program, kernels, ...rest] = process.argv;
Object.assign(globalThis, { require, fs: require('node:fs'), path: require('node:path') });
require(runtime);

const compiled = (file) => new WebAssembly.Module(fs.readFileSync(file));
const go = new Go();
go.argv = [program, ...rest];
const instance = new WebAssembly.Instance(compiled(program), go.importObject);
const { mem, table } = instance.exports;
const { exports: { run } } = new WebAssembly.Instance(compiled(kernels), { env: { memory: mem } });
table.set(1, run);
go.exit = (code) => {
  if (code === 0) console.log(JSON.stringify([...new Uint32Array(mem.buffer, 1024, 512)]));
  process.exit(code);
};
go.run(instance);
