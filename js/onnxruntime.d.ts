// normwasm/onnxruntime: this package behind onnxruntime's JavaScript interface.
//
// Two ways to use it:
//
//     import * as ort from 'onnxruntime-web';            // or onnxruntime-common
//     import { registerNormwasm } from 'normwasm/onnxruntime';
//     registerNormwasm(ort);                             // ort.InferenceSession.create now runs on normwasm
//
// or, in the place of onnxruntime-web, by a bundler's alias or an import map, without a change of the program:
//
//     alias: { 'onnxruntime-web': 'normwasm/onnxruntime', 'onnxruntime-common': 'normwasm/onnxruntime' }
//
// The types here are structural: neither onnxruntime-common nor onnxruntime-web needs to be installed.
// With an alias, a program keeps the types of onnxruntime-web.
import type { DataType, InitOptions, SessionOptions as OwnSessionOptions } from './index.js';

/** A class of the browser, where the program has the types of one. */
type Global<Name extends string> = typeof globalThis extends { [name in Name]: { prototype: infer T } } ? T : any;

// ---- an execution provider of onnxruntime -----------------------------------------------------

/** A tensor of onnxruntime-common as this module reads it; one of `normwasm` is taken too (a resident one without a copy). */
export interface TensorLike { readonly type: string; readonly dims: readonly number[]; readonly data: unknown; readonly location?: string }

/** onnxruntime-common's InferenceSessionHandler. */
export interface SessionHandler {
  readonly inputNames: readonly string[]; readonly outputNames: readonly string[];
  readonly inputMetadata: readonly TensorMetadata[]; readonly outputMetadata: readonly TensorMetadata[];
  /** `fetches` has null for each output that is wanted, or a tensor of its type and dims, which takes the result and is given back. */
  run(feeds: Record<string, any>, fetches: Record<string, any>, options?: any): Promise<Record<string, any>>;
  startProfiling(): void;
  endProfiling(): void;
  dispose(): Promise<void>;
}

/** onnxruntime-common's Backend. */
export interface Backend {
  init(backendName: string): Promise<void>;
  createInferenceSessionHandler(uriOrBuffer: string | Uint8Array, options?: any): Promise<SessionHandler>;
}

/** What `registerBackend(name, backend, priority)` of onnxruntime-common takes; {@link registerNormwasm} calls it. */
export const backend: Backend;

/** Where the module is, and how {@link registerNormwasm} registers the backend. */
export interface RegisterOptions extends Pick<InitOptions, 'wasmURL' | 'wasmModule' | 'workerURL' | 'variant' | 'threads' | 'signal' | 'onProgress'>, Pick<OwnSessionOptions, 'worker'> {
  /** Of several providers, onnxruntime takes the one with the highest number when a session names none; below 0 it is taken
   *  only by name. onnxruntime-web's own have 5 and 10. Default: 100. */
  priority?: number;
  /** The names to register. Default: `['normwasm']`. With 'wasm' and 'cpu' too, sessions that ask for these run on normwasm. */
  names?: readonly string[];
}

/** Registers {@link backend} with onnxruntime-common, or a package built on it. Sessions that name no provider, or 'normwasm',
 *  run on it from then on. May be called again. A number is the priority alone.
 *  @throws {NormError} when `ort` has no registerBackend, and for unknown options */
export function registerNormwasm(ort: { registerBackend(name: string, backend: any, priority: number): void }, options?: RegisterOptions | number): void;

// ---- in place of onnxruntime-web --------------------------------------------------------------

/** onnxruntime's settings. All may be set; `wasm.proxy` (true: sessions run in a worker) and `logLevel` have an effect,
 *  for threads, paths and GPUs there is nothing to set. `versions` has no `web`, from which libraries derive an address
 *  of onnxruntime's own module. */
export const env: {
  readonly wasm: { numThreads?: number; simd?: boolean | 'fixed' | 'relaxed'; proxy?: boolean; trace?: boolean; initTimeout?: number;
    wasmPaths?: string | { wasm?: string | Global<'URL'>; mjs?: string | Global<'URL'> }; wasmBinary?: ArrayBufferLike | Uint8Array; [name: string]: unknown };
  readonly webgl: Record<string, unknown>;
  readonly webgpu: Record<string, unknown>;
  readonly versions: { readonly common: string; readonly web?: string };
  get logLevel(): string;
  set logLevel(level: 'verbose' | 'info' | 'warning' | 'error' | 'fatal' | undefined);
  debug?: boolean;
  trace?: boolean;
};

/** How a picture becomes a tensor. */
export interface ImageOptions {
  /** The picture is drawn to this size. Default: its own. */
  resizedWidth?: number; resizedHeight?: number; width?: number; height?: number;
  /** Which channels, in which order. Default: 'RGB', for an HTMLImageElement 'RGBA', as in onnxruntime. */
  tensorFormat?: 'RGB' | 'RGBA' | 'BGR' | 'RBG';
  /** (pixel + bias)/mean, one number or one for each of red, green, blue, alpha. Default: mean 255, bias 0. */
  norm?: { mean?: number | readonly number[]; bias?: number | readonly number[] };
}
/** How a tensor becomes a picture. */
export interface ImageDataOptions {
  /** Which channels the tensor has. Default: 'RGB', with four of them 'RGBA'. */
  format?: 'RGB' | 'RGBA' | 'BGR' | 'RBG';
  tensorLayout?: 'NCHW' | 'NHWC';
  /** (value − bias)·mean. Default: mean 255, bias 0. */
  norm?: { mean?: number | readonly number[]; bias?: number | readonly number[] };
}

/** onnxruntime-common's Tensor, on the cpu. What would be on a GPU is an {@link UnsupportedError}. */
export class Tensor {
  /** @throws {NormError} for data of another class, ShapeError when data does not have as many elements as dims say */
  constructor(type: string, data: ArrayBufferView | readonly (number | bigint | boolean | string)[], dims?: readonly number[]);
  /** The type follows from the array's class. */
  constructor(data: ArrayBufferView | readonly string[] | readonly boolean[], dims?: readonly number[]);
  /** On the cpu, at a place of the caller's. */
  constructor(pinned: { location: 'cpu-pinned'; type: string; data: ArrayBufferView; dims?: readonly number[] });
  readonly type: string;
  dims: readonly number[];
  /** The number of elements. */
  readonly size: number;
  /** 'none' after dispose. */
  readonly location: string;
  /** The elements. float16 is a Float16Array where the engine has one, else its bits in a Uint16Array.
   *  @throws {NormError} of code `DISPOSED` after dispose */
  readonly data: any;
  getData(releaseData?: boolean): Promise<any>;
  reshape(dims: readonly number[]): Tensor;
  dispose(): void;
  /** [1 3 height width] of a picture, or [1 4 …] with alpha. A string is a URL, which only a page can load. */
  static fromImage(image: Global<'ImageData'> | Global<'ImageBitmap'> | Global<'HTMLImageElement'> | string, options?: ImageOptions): Promise<Tensor>;
  static fromPinnedBuffer(type: string, data: ArrayBufferView, dims?: readonly number[]): Tensor;
  static fromTexture(...args: unknown[]): never;
  static fromGpuBuffer(...args: unknown[]): never;
  static fromMLTensor(...args: unknown[]): never;
  /** Of a tensor [1 3 height width], [1 4 …] or their like with channels last. */
  toImageData(options?: ImageDataOptions): Global<'ImageData'>;
  /** A PNG; on a page only. */
  toDataURL(options?: ImageDataOptions): string;
}

/** What a model says of an input or output. */
export interface TensorMetadata { readonly name: string; readonly isTensor: true; readonly type: DataType; readonly shape: readonly (number | string)[] }
/** Aborting the signal makes the run fail; onnxruntime's other options are accepted and do nothing. */
export interface RunOptions { signal?: InitOptions['signal']; [name: string]: unknown }

/** onnxruntime's options. Those of threads, memory, logging and profiling files are accepted and change nothing; outputs on a
 *  GPU are an {@link UnsupportedError}; unknown ones are named in a warning. Those of `normwasm` may be
 *  given here or beside a provider's name: `executionProviders: [{ name: 'normwasm', worker: true }]`. */
export interface SessionOptions extends Pick<OwnSessionOptions, 'externalData' | 'worker' | 'workerURL' | 'signal' | 'onProgress' | 'wasmURL' | 'wasmModule' | 'variant' | 'threads'> {
  /** 'wasm', 'cpu' and 'normwasm' are the same here. Others are passed over with a warning; alone they are an error. */
  executionProviders?: readonly (string | { readonly name: string; readonly [option: string]: unknown })[];
  graphOptimizationLevel?: 'disabled' | 'basic' | 'extended' | 'layout' | 'all';
  freeDimensionOverrides?: { readonly [dimensionName: string]: number };
  [name: string]: unknown;
}

/** onnxruntime-common's InferenceSession. */
export class InferenceSession {
  private constructor();
  /** The handler behind it, whose dispose() some libraries call. */
  readonly handler: SessionHandler;
  /** From a URL (in Node a path too) or an ONNX file's bytes. Errors as `InferenceSession.create` of `normwasm`. */
  static create(model: string | Uint8Array | ArrayBufferLike, options?: SessionOptions): Promise<InferenceSession>;
  /** From a part of a buffer. */
  static create(model: ArrayBufferLike, byteOffset: number, byteLength?: number, options?: SessionOptions): Promise<InferenceSession>;
  readonly inputNames: readonly string[]; readonly outputNames: readonly string[];
  readonly inputMetadata: readonly TensorMetadata[]; readonly outputMetadata: readonly TensorMetadata[];
  run(feeds: Readonly<Record<string, TensorLike>>, options?: RunOptions): Promise<Record<string, Tensor>>;
  /** `fetches` are the names of the outputs wanted, or an object that has null or a tensor, which takes the result, for each. */
  run(feeds: Readonly<Record<string, TensorLike>>, fetches: readonly string[] | Readonly<Record<string, TensorLike | null>>, options?: RunOptions): Promise<Record<string, Tensor>>;
  release(): Promise<void>;
  /** From here on each run is made twice, once with a clock at every node. */
  startProfiling(): void;
  /** Prints how long each node took, in milliseconds, with console.table. */
  endProfiling(): void;
}

/** Adds a provider that sessions here may name; those of lower priority under the same name are replaced. */
export function registerBackend(name: string, backend: Backend, priority: number): void;

/** Marks for the browser's profiler, when `env.trace` is set. */
export function TRACE(deviceType: string, label: string): void;
/** Marks where a function begins, as {@link TRACE} does. */
export function TRACE_FUNC_BEGIN(message?: string): void;
/** Marks where a function ends. */
export function TRACE_FUNC_END(message?: string): void;
/** Marks where an event begins. */
export function TRACE_EVENT_BEGIN(message?: string): void;
/** Marks where an event ends. */
export function TRACE_EVENT_END(message?: string): void;

declare const ort: {
  readonly InferenceSession: typeof InferenceSession; readonly Tensor: typeof Tensor; readonly env: typeof env; readonly registerBackend: typeof registerBackend;
  readonly TRACE: typeof TRACE; readonly TRACE_FUNC_BEGIN: typeof TRACE_FUNC_BEGIN; readonly TRACE_FUNC_END: typeof TRACE_FUNC_END;
  readonly TRACE_EVENT_BEGIN: typeof TRACE_EVENT_BEGIN; readonly TRACE_EVENT_END: typeof TRACE_EVENT_END;
};
export default ort;
