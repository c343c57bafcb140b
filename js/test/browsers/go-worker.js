// Runs one Go test program and posts what it wrote and how it ended. A classic worker: wasm_exec.js is a script.
importScripts('/wasm_exec.js');

onmessage = async ({ data: { url, args } }) => {
  let output = '';
  let code;
  let error;
  try {
    const decoder = new TextDecoder();
    // A file system without files: what looks for one is told that it is not there. (wasm_exec.js brings one along
    // whose flags are not to be told apart, and which loses the end of an unfinished line.)
    Object.assign(globalThis.fs.constants, { O_WRONLY: 1, O_RDWR: 2, O_CREAT: 64, O_EXCL: 128, O_TRUNC: 512, O_APPEND: 1024, O_DIRECTORY: 65536 });
    for (const name of ['open', 'stat', 'lstat', 'readdir']) {
      globalThis.fs[name] = (...args) => args.pop()(Object.assign(new Error(`${args[0]} is not there`), { code: 'ENOENT' }));
    }
    globalThis.fs.writeSync = (fd, bytes) => {
      output += decoder.decode(bytes, { stream: true });
      return bytes.length;
    };
    globalThis.fs.write = (fd, bytes, offset, length, position, done) => done(null, globalThis.fs.writeSync(fd, bytes.subarray(offset, offset + length)));
    const go = new Go();
    go.argv = ['test', ...args];
    go.exit = (status) => {
      code = status;
    };
    const { instance } = await WebAssembly.instantiateStreaming(fetch(url), go.importObject);
    await go.run(instance);
  } catch (thrown) {
    error = String(thrown.stack ?? thrown);
  }
  postMessage({ output, code, error });
};
