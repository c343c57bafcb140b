// Finding, fetching and compiling: the only place that fetches anything.
import { forbidden, policyError, reason } from './cause.js';
import { LoadError, UnsupportedError, aborted } from './errors.js';
import { packaged } from './files.js';
import { isNodeFile, node, readFile } from './node.js';
import { beginning, guess, headLength, identify } from './sniff.js';
import { threading, trial } from './threads.js';

/** @typedef {import('../index.js').Variant} Variant */
/** @typedef {import('../index.js').InitOptions} InitOptions */
/** @typedef {import('./files.js').Module} Module */
/** @typedef {import('./threads.js').Threading} Threading */
/** @typedef {(loaded: number, total?: number) => void} Progress */

/** From the fastest to the one that runs everywhere. @type {readonly Variant[]} */
const variants = ['relaxed', 'simd', 'scalar'];

// One function () → v128 each: i32.const 0, i8x16.splat; and three of these into f32x4.relaxed_madd.
const probes = {
  simd: [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11],
  relaxed: [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 19, 1, 17, 0,
    65, 0, 253, 15, 65, 0, 253, 15, 65, 0, 253, 15, 253, 133, 2, 11],
};

/** @param {Variant} variant */
function supports(variant) {
  return variant === 'scalar' || WebAssembly.validate(new Uint8Array(probes[variant]));
}

/**
 * @param {'auto' | Variant} wanted
 * @returns {Variant}
 */
export function chooseVariant(wanted) {
  if (wanted === 'auto') return /** @type {Variant} */ (variants.find(supports));
  if (!variants.includes(wanted)) throw new UnsupportedError(`init: variant is ${JSON.stringify(wanted)}, want 'auto', ${variants.map((v) => `'${v}'`).join(', ')}`);
  if (!supports(wanted)) throw new UnsupportedError(`init: variant '${wanted}' needs WebAssembly ${wanted === 'simd' ? '' : 'relaxed '}SIMD, which this engine does not have`);
  return wanted;
}

/**
 * What was compiled, by URL and by which try at a memory that threads share, as long as somebody has it: pages and workers run the same module.
 * @type {Map<string, { deref(): WebAssembly.Module | undefined }>}
 */
const compiled = new Map();
/** What is on its way. @type {Map<string, Promise<WebAssembly.Module>>} */
const loading = new Map();

/**
 * Fetches and compiles a module.
 * @param {Module} file
 * @param {InitOptions} options
 * @returns {Promise<WebAssembly.Module>}
 */
export async function loadModule(file, options) {
  const url = moduleURL(file, options);
  const { signal } = options;
  if (signal?.aborted) throw aborted(signal, `loading ${url}`);
  const key = keyOf(url, options);
  const pending = fetchModule(url, options);
  loading.set(key, pending);
  let module;
  try {
    module = await pending;
  } finally {
    if (loading.get(key) === pending) loading.delete(key);
  }
  compiled.set(key, typeof WeakRef === 'function' ? new WeakRef(module) : { deref: () => module });
  return module;
}

/**
 * As loadModule, but takes what this thread has compiled already.
 * @param {Module} file
 * @param {InitOptions} options
 */
export async function sharedModule(file, options) {
  const url = moduleURL(file, options);
  const key = keyOf(url, options);
  // Who began the download may give it up, or be unlucky: then this is a try of its own.
  return compiled.get(key)?.deref() ?? await unlessAborted(loading.get(key)?.catch(() => undefined), options.signal, url.href) ?? loadModule(file, options);
}

/**
 * @param {URL} url
 * @param {InitOptions} options
 */
const keyOf = ({ href }, { threads }) => `${/** @type {number} */ (threads) > 1 ? trial : ''} ${href}`;

/**
 * What somebody else began, for as long as this caller has not given up.
 * @template T
 * @param {Promise<T> | undefined} promise
 * @param {AbortSignal} [signal]
 * @param {string} [name]
 * @returns {Promise<T | undefined>}
 */
async function unlessAborted(promise, signal, name) {
  if (promise === undefined || !signal) return promise;
  return new Promise((resolve, reject) => {
    const leave = () => reject(aborted(signal, `loading ${name}`));
    if (signal.aborted) leave();
    signal.addEventListener('abort', leave, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}

/**
 * @param {Module} file
 * @param {InitOptions} options
 */
function moduleURL(file, { wasmURL }) {
  return wasmURL === undefined ? ownFile(file) : resolve(wasmURL, file);
}

/**
 * The URL of a file of the package.
 * @param {Module | import('./files.js').Script} file
 */
export function ownFile(file) {
  try {
    return packaged(file);
  } catch (cause) {
    throw new LoadError(`${reason(cause)}: say it in the option ${file === 'worker' ? 'workerURL' : 'wasmURL'}`, 'FETCH_FAILED', { cause });
  }
}

/**
 * Calls a listener. What it throws is reported as of any event's listener: whoever waits
 * for the module as well has nothing to do with it.
 * @param {NonNullable<InitOptions['onProgress']>} listener
 * @param {Parameters<NonNullable<InitOptions['onProgress']>>[0]} progress
 */
export function tell(listener, progress) {
  try {
    listener(progress);
  } catch (error) {
    Promise.reject(error);
  }
}

/**
 * @param {URL} url
 * @param {InitOptions} options
 */
async function fetchModule(url, options) {
  const { signal, onProgress, threads } = options;
  const shared = threading(threads); // at the same time
  /** @type {Progress | undefined} */
  const progress = onProgress && ((loaded, total) => tell(onProgress, { phase: 'download', loaded, total }));
  if (isNodeFile(url)) {
    const bytes = await readNodeFile(url);
    progress?.(bytes.length, bytes.length);
    if (onProgress) tell(onProgress, { phase: 'compile', loaded: bytes.length, total: bytes.length });
    return compile(bytes, new Meter(String(url), bytes.length).count(bytes), await shared);
  }

  const response = await request(url, signal);
  const direct = !progress && /^application\/wasm\b/i.test(response.headers.get('content-type') ?? '');
  if (direct && WebAssembly.compileStreaming) {
    // The response itself, if it can be, so that the engine can take compiled code from its cache.
    try {
      const passed = 'InternalError' in globalThis && typeof TransformStream === 'function' ? refusingCut(response) : response; // SpiderMonkey
      return await WebAssembly.compileStreaming((await shared)?.response(passed) ?? passed);
    } catch (cause) {
      if (signal?.aborted) throw aborted(signal, `loading ${url}`);
      if (forbidden(cause)) throw policyError(String(url), cause);
      // What was wrong shows when the bytes are read; or a second try succeeds.
      return compileResponse(await request(url, signal), url, options, progress);
    }
  }
  return compileResponse(response, url, options, progress);
}

/**
 * A response that breaks off where its module ends within a section: where the body just ends, compileStreaming of Firefox 140 waits
 * for ever, and whatever is compiled after it.
 * @param {Response} response
 */
function refusingCut({ body }) {
  // What is left of a section, first of what every module begins with; the bits of a section's length, below 0 before its first byte.
  let [left, length, bits] = [8, 0, -7];
  return new Response(/** @type {ReadableStream<Uint8Array>} */ (body).pipeThrough(new TransformStream({
    transform(chunk, control) {
      for (let at = 0; at < chunk.length;) {
        if (left > 0) {
          const some = Math.min(left, chunk.length - at);
          left -= some;
          at += some;
          continue;
        }
        const byte = chunk[at++];
        if (bits >= 0) length += (byte & 127) * 2 ** bits;
        bits += 7;
        if (bits > 0 && byte < 128) [left, length, bits] = [length, 0, -7];
      }
      control.enqueue(chunk);
    },
    flush(control) {
      if (left > 0 || bits >= 0) control.error(new Error('the module ends within a section'));
    },
  })), { headers: { 'content-type': 'application/wasm' } });
}

/**
 * Compiles whatever the server calls it, and says what it was when it was no module.
 * @param {Response} response
 * @param {URL} url
 * @param {InitOptions} options
 * @param {Progress} [progress]
 */
async function compileResponse(response, url, { signal, onProgress, threads }, progress) {
  const meter = new Meter(String(url), expectedLength(response), response, progress);
  /** @type {Uint8Array<ArrayBuffer>} */
  let bytes;
  try {
    bytes = await meter.read(response);
  } catch (cause) {
    if (signal?.aborted) throw aborted(signal, `loading ${url}`);
    throw meter.explain(cause);
  }
  if (onProgress) tell(onProgress, { phase: 'compile', loaded: bytes.length, total: bytes.length });
  return compile(bytes, meter, await threading(threads));
}

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {Meter} meter
 * @param {Threading} [shared] if its memory is to be
 */
async function compile(bytes, meter, shared) {
  if (meter.isTruncated || !meter.isModule) throw meter.explain();
  try {
    return await WebAssembly.compile(shared?.bytes(bytes) ?? bytes);
  } catch (cause) {
    throw meter.explain(cause);
  }
}

/**
 * A model's bytes as a stream, and how many there will be when that is known.
 * @param {string | URL | Request} source
 * @param {AbortSignal} [signal]
 * @returns {Promise<Response>}
 */
export async function openModel(source, signal) {
  const url = source instanceof URL || typeof source === 'string' ? resolve(source) : undefined;
  if (url && isNodeFile(url)) {
    const bytes = await readNodeFile(url);
    return new Response(bytes, { headers: { 'content-length': String(bytes.length) } });
  }
  return request(url ?? /** @type {Request} */ (source), signal);
}

/**
 * @param {URL | Request} source
 * @param {AbortSignal} [signal]
 */
async function request(source, signal) {
  const name = source instanceof URL ? String(source) : source.url;
  /** @type {Response} */
  let response;
  try {
    response = await fetch(source, signal ? { signal } : undefined);
  } catch (cause) {
    if (signal?.aborted) throw aborted(signal, `loading ${name}`);
    throw new LoadError(`cannot fetch ${name}: ${reason(cause)}`, 'FETCH_FAILED', { cause });
  }
  checkStatus(response, name);
  return response;
}

/**
 * @param {Response} response
 * @param {string} name
 */
export function checkStatus(response, name) {
  if (response.ok) return;
  response.body?.cancel().catch(() => {});
  throw new LoadError(`${name} answered ${response.status}${response.statusText && ' ' + response.statusText}` +
    ` (content-type ${response.headers.get('content-type') ?? 'not given'})`, 'HTTP_STATUS');
}

/**
 * How many bytes the body will have; unknown when the server compresses on the way.
 * @param {Response} response
 */
export function expectedLength(response) {
  const length = response.headers.get('content-length');
  const encoding = response.headers.get('content-encoding');
  return length !== null && (encoding === null || encoding === 'identity') ? Number(length) : undefined;
}

/** Counts the bytes of a download and remembers its beginning, to say what came when it was not what was wanted. */
export class Meter {
  received = 0;
  head = new Uint8Array(0);

  /**
   * @param {string} name
   * @param {number} [total]
   * @param {Response} [response]
   * @param {Progress} [progress]
   */
  constructor(name, total, response, progress) {
    this.name = name;
    this.total = total;
    this.type = response?.headers.get('content-type') ?? undefined;
    this.status = response?.status;
    this.progress = progress;
  }

  /** @param {Uint8Array} chunk */
  count(chunk) {
    if (this.head.length < headLength) {
      const head = new Uint8Array(Math.min(headLength, this.head.length + chunk.length));
      head.set(this.head);
      head.set(chunk.subarray(0, head.length - this.head.length), this.head.length);
      this.head = head;
    }
    this.received += chunk.length;
    this.progress?.(this.received, this.total);
    return this;
  }

  /**
   * Reads a body to its end.
   * @param {Response} response
   */
  async read(response) {
    if (!response.body) {
      const bytes = new Uint8Array(await response.arrayBuffer());
      this.count(bytes);
      return bytes;
    }
    /** @type {Uint8Array[]} */
    const chunks = [];
    const reader = response.body.getReader();
    for (let step = await reader.read(); !step.done; step = await reader.read()) {
      chunks.push(step.value);
      this.count(step.value);
    }
    const bytes = new Uint8Array(this.received);
    let at = 0;
    for (const chunk of chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return bytes;
  }

  get isTruncated() {
    return this.total !== undefined && this.received < this.total;
  }

  get isModule() {
    return [0, 97, 115, 109].every((byte, i) => this.head[i] === byte);
  }

  /**
   * Whether it is empty or something else. Data beside a model may be empty, and begin in any way.
   * @param {'model' | 'data'} wanted
   */
  isNothing(wanted) {
    return this.kind(wanted) !== undefined || (wanted === 'model' && this.received === 0);
  }

  /**
   * What certainly is no model, or no module; of data beside a model, what a server says in place of it.
   * @param {'model' | 'module' | 'data'} wanted
   */
  kind(wanted) {
    if (wanted === 'data') return /^text\/html/.test(this.type ?? '') ? identify(this.head, 'model') : undefined;
    return this.isModule && wanted === 'module' ? undefined : identify(this.head, wanted);
  }

  /**
   * What to say of a model that could not be read, where its beginning tells more than the reader does.
   * @template E
   * @param {E} error
   * @returns {E | LoadError}
   */
  misread(error) {
    if (!(error instanceof LoadError) || error.code !== 'INVALID_MODEL') return error;
    const kind = guess(this.head);
    if (kind) return new LoadError(`${this.name} looks like ${kind.what}, not like an ONNX model: ${kind.advice} (${this.received} bytes; ${error.message})`, 'INVALID_MODEL', { cause: error });
    return /\.br($|[?#])/.test(this.name) ? new LoadError(`${this.name} cannot be read: a file compressed with brotli must come with content-encoding: br (${error.message})`, 'INVALID_MODEL', { cause: error }) : error;
  }

  /**
   * @param {unknown} [cause]
   * @param {'model' | 'module' | 'data'} [wanted]
   */
  explain(cause, wanted = 'module') {
    const want = wanted === 'module' ? 'a WebAssembly module' : wanted === 'model' ? 'a model' : 'the data of one';
    const code = wanted === 'module' ? 'NOT_A_MODULE' : 'INVALID_MODEL';
    const origin = [
      this.status !== undefined && `status ${this.status}`,
      this.status !== undefined && `content-type ${this.type ?? 'not given'}`,
      `${this.received}${this.total === undefined ? '' : ` of ${this.total}`} bytes`,
    ].filter(Boolean).join(', ');
    const options = cause === undefined ? undefined : { cause };
    const kind = this.kind(wanted);
    if (kind) {
      const says = kind.what === 'JSON' || kind.what === 'XML' ? `, which begins with ${JSON.stringify(beginning(this.head))}` : '';
      return new LoadError(`${this.name} is ${kind.what}, not ${want}: ${kind.advice}${says} (${origin})`, code, options);
    }
    if (forbidden(cause)) return policyError(this.name, cause);
    if (this.isTruncated || (cause instanceof Error && !(cause instanceof WebAssembly.CompileError))) {
      return new LoadError(`the download of ${this.name} was interrupted (${origin})${cause === undefined ? '' : `: ${reason(cause)}`}`, 'INTERRUPTED', options);
    }
    if (this.received === 0) return new LoadError(`${this.name} is empty (${origin})`, code, options);
    if (wanted === 'module' && !this.isModule) {
      const compressed = /\.br($|[?#])/.test(this.name) ? '; a file compressed with brotli must come with content-encoding: br' : '';
      return new LoadError(`${this.name} is not ${want}: it begins with ${[...this.head.subarray(0, 4)].map((b) => b.toString(16).padStart(2, '0')).join(' ')}${compressed} (${origin})`, 'NOT_A_MODULE', options);
    }
    return new LoadError(`${this.name} cannot be compiled: it is damaged or incomplete (${origin})${cause === undefined ? '' : `: ${reason(cause)}`}`, 'COMPILE_FAILED', options);
  }
}

/**
 * A URL as the page, the worker or the process understands it. A base URL that
 * ends with a slash holds the packaged files.
 * @param {string | URL} where
 * @param {Module} [file]
 */
export function resolve(where, file) {
  const url = where instanceof URL ? where : parse(where);
  return file && isFolder(url.pathname) ? new URL(`normwasm.${file}.wasm`, url) : url;
}

/** Whether a base URL holds the packaged files. @param {string | URL} [url] */
export const isFolder = (url) => url !== undefined && String(url).endsWith('/');

/** @param {string} text */
function parse(text) {
  const base = globalThis.document?.baseURI ?? globalThis.location?.href;
  try {
    if (base !== undefined) return new URL(text, base);
    return /^[a-z][a-z+.-]+:/i.test(text) ? new URL(text) : new URL(encodeURI(text).replace(/[?#]/g, encodeURIComponent), `file://${node()?.cwd()}/`);
  } catch (cause) {
    throw new LoadError(`${JSON.stringify(text)} is not a URL`, 'FETCH_FAILED', { cause });
  }
}

/** @param {URL} url */
async function readNodeFile(url) {
  try {
    return await readFile(url);
  } catch (cause) {
    throw new LoadError(`cannot read ${url}: ${reason(cause)}`, 'FETCH_FAILED', { cause });
  }
}
