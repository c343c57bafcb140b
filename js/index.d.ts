// normwasm: normalization kernels and a small ONNX runtime in WebAssembly SIMD.
//
// Option names follow WebNN (scale, bias, epsilon, axes, layout); sessions and tensors follow
// onnxruntime-common. Arrays are row-major; shapes are numbers of elements, never bytes.
//
// An option that its function, class or method does not know is a NormError of code UNKNOWN_OPTION,
// which names it and, where there is one, the option that was meant. Known and unknown ones alike
// count as left out when they are undefined.

// ---- the scope --------------------------------------------------------------------------------

// What stands below is for this file alone.
export {};

// These declarations are for pages, workers, Node and programs whose lib has neither: each name is the global one where there is
// one, and otherwise what the package needs of it. Nothing is declared globally.
type InGlobal<Name extends string, Else> = typeof globalThis extends { readonly [N in Name]: { readonly prototype: infer T } } ? T : Else;
type URL = InGlobal<'URL', { readonly href: string; toString(): string }>;
type AbortSignal = InGlobal<'AbortSignal', { readonly aborted: boolean; readonly reason?: any;
  addEventListener(type: 'abort', listener: () => void, options?: any): void; removeEventListener(type: 'abort', listener: () => void): void }>;
type Request = InGlobal<'Request', { readonly url: string; readonly method: string; readonly headers: object }>;
type Response = InGlobal<'Response', { readonly status: number; readonly headers: object; readonly body: object | null; arrayBuffer(): Promise<ArrayBuffer> }>;
type Blob = InGlobal<'Blob', { readonly size: number; readonly type: string; arrayBuffer(): Promise<ArrayBuffer>; stream(): object }>;
type ReadableStream<R> = InGlobal<'ReadableStream', object> & { getReader(): { read(): Promise<{ done: boolean; value?: R | undefined }> } };
declare namespace WebAssembly {
  type Module = typeof globalThis extends { readonly WebAssembly: { readonly Module: { readonly prototype: infer T } } } ? T : object;
}
// Where the lib has no Symbol.dispose, members of this name cannot be called, and there is no `using` either.
declare const Symbol: SymbolConstructor extends { readonly dispose: symbol } ? SymbolConstructor : { readonly dispose: unique symbol };

// ---- start-up ---------------------------------------------------------------------------------

/** The builds of the module: `scalar` runs everywhere, `simd` needs WebAssembly SIMD and gives the
 *  same bits, `relaxed` needs relaxed SIMD and rounds multiply-adds once instead of twice. */
export type Variant = 'relaxed' | 'simd' | 'scalar';

/** What {@link init} takes: where the module is, which build of it, and how to follow or stop the download. */
export interface InitOptions {
  /** Where the .wasm is; the default finds the packaged file next to the module (browser and Node).
   *  A URL that ends with a slash is a folder with the packaged files; then the variant is chosen as by default, and the other editions
   *  (`normwasm.full.*.wasm`, which has the rarer operators, and `normwasm.train.*.wasm`) are looked for there too.
   *  In Node a string without a scheme is a file's path. */
  wasmURL?: string | URL;
  /** A compiled module, for hosts that forbid compiling bytes at run time, and for an AudioWorklet, which cannot fetch:
   *  {@link Runtime.wasmModule} of the page's runtime will do. Not together with `wasmURL`. */
  wasmModule?: WebAssembly.Module;
  /** 'auto' (default) takes the fastest variant that this engine validates. One that it does not
   *  validate is an {@link UnsupportedError}. */
  variant?: 'auto' | Variant;
  /** In how many threads the module computes, the calling one among them: 1 to 64. The others are workers of the script `workerURL`
   *  that share the module's memory; each step that is large enough is divided among all, and the results are the same bits however
   *  many there are. 'auto' (default) is the number of cores, 4 at most, in Node and in a page that is cross-origin isolated, elsewhere
   *  1. Such a page is served with the headers `Cross-Origin-Opener-Policy: same-origin` and
   *  `Cross-Origin-Embedder-Policy: require-corp`; elsewhere more than 1 is a {@link NormError} of code `NOT_ISOLATED`, and with the
   *  variant 'scalar', which computes in one thread, one of code `CONTRADICTION`.
   *
   *  The start does not wait for them: they take part as soon as they are there. Where some do not start, for the script or the file
   *  `normwasm.kernels.*.wasm` is missing or a policy forbids workers, or are lost later, the others go on, and a warning on the console
   *  says so once; {@link Runtime.threads} tells how many there are. One that disappears in the midst of a step ends that run with an
   *  error, and what comes after it is computed in one thread. With more than one, views of the module's memory (the `data` of
   *  tensors that are resident) are views of a SharedArrayBuffer, which some of the web's interfaces refuse: pass a copy, `data.slice()`.
   *  A `wasmModule` has the memory that it was compiled for: only one of a runtime with several threads computes in several.
   *  Sessions in workers have threads of their own, of which there are never more than cores. */
  threads?: 'auto' | number;
  /** Where the script of sessions in workers is; the default finds the packaged `normwasm.worker.js`, from another origin too
   *  (by way of a blob: URL, which a Content-Security-Policy must allow then: `worker-src blob:`). */
  workerURL?: string | URL;
  /** Aborting makes the promise fail with a {@link LoadError} of code `ABORTED` and name `AbortError`;
   *  its cause is the signal's reason. Others who wait for the same module go on waiting. */
  signal?: AbortSignal;
  /** `loaded` and `total` are bytes while downloading and compiling; `total` is absent when the server does not tell
   *  (or compresses on the way). 'model' is the download of {@link InferenceSession.create}.
   *  An error that it throws becomes an unhandled rejection. */
  onProgress?(p: { phase: 'download' | 'compile' | 'start' | 'model'; loaded: number; total?: number }): void;
}

/** Loads and starts the module. Idempotent: the same promise while it is loading or loaded; a failed start can be tried again, and
 *  so can one whose runtime was disposed or died.
 *
 *  All who call this, by way of {@link InferenceSession.create} too, wait for one start, which takes its options from the first of
 *  them. Aborting the signal of one makes that one's promise fail and no other's; the download ends when all have given up. Each one's
 *  `onProgress` is called from then on (bytes are counted only where the first has one). Where the module comes from makes no
 *  difference to those who come later; a `variant`, or a number of `threads`, other than that of the module they would get is a
 *  {@link NormError} of code `CONTRADICTION`.
 *
 *  Fails with a {@link LoadError} that says what came instead of the module: a status other than 2xx, an HTML page, JSON, a Git LFS
 *  pointer, a gzip file, a truncated or empty file, something that does not compile. Where the page's Content-Security-Policy forbids
 *  WebAssembly its code is `BLOCKED_BY_POLICY`, and it says what to add. A wrong content-type does no harm.
 *
 *  The download begins with the call. A page can have it begin before its scripts are there, by the line
 *  `<link rel="preload" as="fetch" crossorigin href="….wasm">` with the URL of the variant that will run. */
export function init(options?: InitOptions): Promise<Runtime>;

/** The running module, of which a page has one: {@link init} gives it. */
export interface Runtime {
  /** The package's and the module's version. */
  readonly version: string;
  readonly variant: Variant;
  /** In how many threads it computes: those that were asked for, less those that did not start or were lost. */
  readonly threads: number;
  /** The compiled module, to hand on to a worker or an AudioWorklet by `postMessage`, whose own `init` takes it. */
  readonly wasmModule: WebAssembly.Module;
  /** Bytes and counts. `total` is the wasm memory's size (it never shrinks, and has at most 4 GiB; where threads share it, less on devices that have no room for so much). `inUse` is what live tensors,
   *  layers and sessions hold; of a session that is its file, the weights that are kept elsewhere (computed, or packed for the
   *  kernels where that could not be done in place), and the memory of its plans for the shapes it ran with. `scratch` is kept for copying plain arrays in and for the
   *  next tensor of a size that was freed; it is given up when something else needs the room. The rest is the module itself.
   *
   *  What does not fit is refused with a {@link NormError} of code `OUT_OF_MEMORY` that names the numbers, and everything else
   *  lives on: a tensor, a model, a run whose shapes need too much. One tensor or model has at most 1 GiB. */
  memory(): { total: number; inUse: number; tensors: number; sessions: number; scratch: number };
  /** Ends the module. Everything that it holds says {@link DisposedError} from then on; `init` starts a new one. */
  dispose(): void;
}

// ---- tensors ----------------------------------------------------------------------------------

/** The types that a tensor's elements may have. */
export type DataType = 'float32' | 'float64' | 'float16' | 'int8' | 'uint8' | 'int16' | 'uint16'
  | 'int32' | 'uint32' | 'int64' | 'uint64' | 'bool' | 'string';

/** The array that each type's elements come in. float16 has its bits in a Uint16Array, bool a byte of 0 or 1. */
export interface DataTypeMap {
  float32: Float32Array; float64: Float64Array; float16: Uint16Array;
  int8: Int8Array; uint8: Uint8Array; int16: Int16Array; uint16: Uint16Array;
  int32: Int32Array; uint32: Uint32Array; int64: BigInt64Array; uint64: BigUint64Array;
  bool: Uint8Array; string: string[];
}

/** What {@link Tensor}'s constructor tells a type from. */
export type TypedData = DataTypeMap[Exclude<DataType, 'string'>] | Uint8ClampedArray | readonly number[] | readonly bigint[] | readonly boolean[] | readonly string[];

/** A tensor whose type is not known at compile time is taken to hold float32, as most do. */
type DataOf<T extends DataType> = 0 extends 1 & T ? Float32Array : DataTypeMap[T];

/** An element, or arrays of them, as deep as there are dimensions. */
export type Nested<E> = E | readonly Nested<E>[];

/** onnxruntime-common's Tensor: row-major data with dims. `location` is 'cpu' (a JS array) or 'wasm'
 *  (resident in the module's memory; no copy when it is passed back in). */
export class Tensor<T extends DataType = any> {
  /** A tensor on the cpu. A typed array of the type's class is kept, not copied, and so is a Uint8ClampedArray (of ImageData) for uint8
   *  and a Float16Array for float16, under other names; `dims` default to the data's length; a scalar has `[]`.
   *
   *  Other data are converted, if nothing is lost: typed arrays of another class when the type has each of their elements exactly;
   *  plain arrays when their numbers are in range, whole where the type is (digits that float32 and float16 do not have are rounded
   *  to the nearest), and for int64 and uint64 bigints or whole numbers up to 2^53 − 1. float16 takes numbers, of Float32Array and
   *  Float64Array too, rounded to the nearest, even ones in the middle, and beyond 65519.99 infinite; a Uint16Array is its bits.
   *  bool takes booleans, 0 and 1.
   *  @throws {ShapeError} when data does not have as many elements as dims say
   *  @throws {NormError} when an element does not fit, of which the first is named with what there is to do; when data is nothing of
   *  the kind, or detached */
  constructor(type: T, data: ArrayLike<number> | ArrayLike<bigint> | ArrayBufferView | readonly boolean[] | readonly string[], dims?: readonly number[]);
  /** As above, of the type that the data have: that of a typed array's class (uint8 for a Uint8ClampedArray), and of a plain array's
   *  first element: a number float32, a bigint int64, a boolean bool, a string string. (TypeScript takes it for float32 as long as it is
   *  not told: `new Tensor<'int32'>(ids)`.) */
  constructor(data: TypedData, dims?: readonly number[]);
  /** A float32 tensor of zeros; `location` defaults to 'cpu', 'wasm' needs {@link init} first. */
  static zeros(dims: readonly number[], options?: { location?: 'cpu' | 'wasm' }): Tensor<'float32'>;
  /** A tensor on the cpu of nested arrays, of which all at one depth have the same length; an element alone makes a scalar with
   *  dims []. The innermost arrays may be typed ones. Without `type` the first element says it: a number float32, a bigint
   *  int64, a boolean bool, a string string, and a typed array its class's (of a Float64Array float64); of no elements at all float32.
   *  With `type`, numbers become float16 rounded to the nearest, whole ones int64 and uint64, and 0 and 1 bool.
   *  @throws {ShapeError} for arrays of different lengths, or nested more than 32 deep; the message names the place
   *  @throws {NormError} for an element that the type does not have (1.5 in int32, 256 in uint8, a hole), or a detached array */
  static from<T extends DataType>(nested: Nested<number | bigint | boolean | string> | ArrayBufferView | readonly ArrayBufferView[], type: T): Tensor<T>;
  static from(nested: Nested<bigint>): Tensor<'int64'>;
  static from(nested: Nested<boolean>): Tensor<'bool'>;
  static from(nested: Nested<string>): Tensor<'string'>;
  static from(nested: Nested<number>): Tensor<'float32'>;
  static from(nested: ArrayBufferView | readonly ArrayBufferView[]): Tensor;
  readonly type: T;
  readonly dims: readonly number[];
  /** The number of elements: the product of dims. */
  readonly size: number;
  readonly location: 'cpu' | 'wasm';
  /** The elements. For 'wasm' tensors a fresh view on each read, never a detached one; it may become one with the next
   *  call, when the module's memory grows.
   *  @throws {DisposedError} after dispose, or when the runtime is gone */
  readonly data: DataOf<T>;
  /** The elements: of a 'wasm' tensor a copy, otherwise the array itself. */
  getData(): Promise<DataOf<T>>;
  /** A resident copy; a tensor that is resident already returns itself. Dispose of it when it is done with. */
  toWasm(): Tensor<T>;
  /** The same elements under other dims of the same product. Resident memory is shared, and freed with the last
   *  tensor that uses it. */
  reshape(dims: readonly number[]): Tensor<T>;
  /** The elements as nested arrays, one level a dimension; a scalar's alone. float16 gives numbers, bool booleans, int64 and uint64
   *  bigints. {@link Tensor.from} makes the same tensor of it, but for dimensions behind one of 0.
   *  @throws {DisposedError} after dispose, or when the runtime is gone */
  toArray(): any;
  /** For people: `Tensor float32 [2, 3] [[1, 2, 3], [4, 5, 6]]`, with `wasm` for a resident tensor, and `disposed` or `detached` in
   *  place of elements that are gone. Numbers have as many digits as tell them from others of their type. Of more than 100
   *  elements, axes longer than 6 show 3 at each end, and those before the last two 1. Node's console shows the same. */
  toString(): string;
  /** Frees a resident tensor, and lets go of a cpu tensor's array. Idempotent. (A resident tensor that nothing refers
   *  to is freed when the engine collects it. The engine does not know how much memory that is, so this may be late.) */
  dispose(): void;
  [Symbol.dispose](): void;
}

// ---- normalization, inference: synchronous once init() has resolved ---------------------------

/** `x` is a Float32Array with `shape`, or a Tensor (then no `shape`). The result is of x's kind.
 *
 *  From JavaScript, other typed arrays are taken as well for what is only read (x, scale, bias …; the result is a Float32Array then),
 *  if float32 has each of their elements exactly: pixels of ImageData, a Float64Array of such numbers. Otherwise a {@link NormError}
 *  names the first that it does not have; `Float32Array.from(x)` rounds them. */
export type Operand = Float32Array | Tensor;
/** Options that most normalizations take. */
export interface Common {
  /** The dimensions of a Float32Array `x`; default: one, its length. */
  shape?: readonly number[];
  /** Added to the variance; finite, at least 0. */
  epsilon?: number;
  /** Takes the result and is returned, in place of a new array or tensor; as many elements as x. It may be x itself
   *  (or `residual`), and must not share memory with anything else. */
  out?: Operand;
}
/** What the normalized values are multiplied by and what is then added; left out they count as 1 and 0. */
export interface Affine { scale?: Operand; bias?: Operand }

/** What may follow a normalization in the same pass; silu is v·sigmoid(v). NaN passes through. */
export type Activation = 'relu' | 'relu6' | 'silu';

/** y = scale·(x − mean)/√(var + ε) + bias over `axes` (default: the last; any set, in any order, negative counts from the end;
 *  [] normalizes each element with itself: y = bias). scale and bias have the dimensions of `axes` in the order given. Default: ε = 1e-5.
 *
 *  `residual` (x's shape) is added to x first; `sum`, when given, receives x + residual, and may be x or `residual` itself.
 *  `mean` and `invStdDev`, when given, receive each group's mean and 1/√(var + ε): x's shape with 1 at each of the axes.
 *  var is the biased variance. Dimensions of 0 are legal and give zero elements. NaN and ±Inf make their own group NaN.
 *  @throws {ShapeError} when a length, axis or dimension does not fit
 *  @throws {NormError} for an epsilon that is NaN, infinite or negative, an operand of another class or detached, or two
 *  results in the same memory
 *  @throws {DisposedError} for a disposed tensor or runtime */
export function layerNorm<T extends Operand>(x: T, o?: Common & Affine & {
  axes?: readonly number[]; residual?: Operand; activation?: Activation; mean?: Operand; invStdDev?: Operand; sum?: Operand;
}): T;

/** y = scale·x/√(mean(x²) + ε) over `axes` (default: the last), which work as in {@link layerNorm}, as do `residual`, `sum`,
 *  `activation`, `invStdDev` (1/√(mean(x²) + ε)) and the errors. Default: ε = 1e-5. */
export function rmsNorm<T extends Operand>(x: T, o?: Common & {
  scale?: Operand; axes?: readonly number[]; residual?: Operand; activation?: Activation; invStdDev?: Operand; sum?: Operand;
}): T;

/** Inference: per channel with the given statistics, y = scale·(x − mean)/√(variance + ε) + bias, then `activation`.
 *  layout 'nchw' (default; channel is axis 1, any rank ≥ 2) or 'nhwc' (last);
 *  `axis` names the channel axis itself, for any rank ≥ 1; a layout given with it must name the same. mean, variance, scale and bias have one element a channel.
 *  Default: ε = 1e-5. NaN passes through the activations. A stored variance may be a little below 0, as rounding leaves it: a channel whose
 *  variance + ε is negative is NaN, the others do not notice.
 *  @throws {ShapeError} when a length, axis or dimension does not fit
 *  @throws {NormError} for a negative or NaN epsilon, or an operand of another class or detached
 *  @throws {DisposedError} for a disposed tensor or runtime */
export function batchNorm<T extends Operand>(x: T, o: Common & Affine & {
  mean: Operand; variance: Operand; layout?: 'nchw' | 'nhwc'; axis?: number; activation?: Activation;
}): T;

/** Each channel of each example with its own mean and biased variance: {@link groupNorm} with a channel a group.
 *  x is [N C …] ('nchw') or [N … C] ('nhwc'), of rank 2 or more. scale and bias have an element a channel; `mean` and `invStdDev`,
 *  when given, receive [N C]. Defaults: ε = 1e-5, layout = 'nchw'. Errors as for {@link layerNorm}. */
export function instanceNorm<T extends Operand>(x: T, o?: Common & Affine & {
  layout?: 'nchw' | 'nhwc'; activation?: Activation; mean?: Operand; invStdDev?: Operand;
}): T;

/** y = scale·(x − mean)/√(var + ε) + bias, `groups` groups of neighbouring channels of each example having a mean and a biased
 *  variance each. Shapes as for {@link instanceNorm}; scale and bias have an element a channel; `mean` and `invStdDev`, when
 *  given, receive [N groups]. Defaults: ε = 1e-5, layout = 'nchw'.
 *  @throws {ShapeError} when `groups` does not divide the channels, and as {@link layerNorm} */
export function groupNorm<T extends Operand>(x: T, o: Common & Affine & {
  groups: number; layout?: 'nchw' | 'nhwc'; activation?: Activation; mean?: Operand; invStdDev?: Operand;
}): T;

/** y = x/(bias + alpha/size·Σx²)^beta, the sum over `size` neighbouring channels (⌊(size−1)/2⌋ before, ⌊size/2⌋ after, where
 *  there are such). x is [N C …]. Defaults: alpha = 1e-4, beta = 0.75, bias = 1.
 *  @throws {ShapeError} for a rank below 2 or a wrong length
 *  @throws {NormError} for a size below 1 or numbers that are not finite */
export function localResponseNorm<T extends Operand>(x: T, o: { shape?: readonly number[]; size: number; alpha?: number; beta?: number; bias?: number; out?: Operand }): T;

/** y = x/max(‖x‖, ε) along `axis`, ‖x‖ being Σ|x| (p = 1) or √Σx² (p = 2). With ε = 0 zeros give zeros all the same.
 *  Defaults: ε = 0, axis = -1, p = 2. Errors as for {@link layerNorm}, and a {@link NormError} for another p. */
export function lpNorm<T extends Operand>(x: T, o?: { shape?: readonly number[]; axis?: number; p?: 1 | 2; epsilon?: number; out?: Operand }): T;

/** y = (x − mean)/(√var + 1e-9) over `axes`, as ONNX has it; with an `epsilon`, y = (x − mean)/√(var + ε) as elsewhere.
 *  `axes` default to all but axis 1, which for [N C H W] are ONNX's [0 2 3]. Errors as for {@link layerNorm}. */
export function meanVarianceNorm<T extends Operand>(x: T, o?: Common & { axes?: readonly number[] }): T;

/** y = (x − mean)/√(var + ε)·(1 + scale) + shift over the last axis: {@link layerNorm} whose scale and shift come with each
 *  example, as diffusion transformers condition on time and class. x is [N … F], of rank 2 or more; scale and shift are [N F],
 *  and each may be left out (0). Default: ε = 1e-5. `mean` and `invStdDev`, when given, receive each token's mean and 1/√(var + ε): [N …].
 *  Errors as for {@link layerNorm}. Source: Peebles, Xie, "Scalable Diffusion Models with Transformers", arXiv:2212.09748,
 *  section 3.2 (adaLN). */
export function adaptiveLayerNorm<T extends Operand>(x: T, o?: Common & { scale?: Operand; shift?: Operand; mean?: Operand; invStdDev?: Operand }): T;

/** w = g·v/‖v‖₂ for each row of weights v: [O …], of a convolution or linear layer, are O rows, and g has O elements. A row of
 *  zeros, which has no direction, gives zeros. Without `shape` a Float32Array has rows of one element. In float64, rounded once.
 *  Source: Salimans, Kingma, "Weight Normalization", arXiv:1602.07868, eq. 2.
 *  @throws {ShapeError} when a length or dimension does not fit
 *  @throws {NormError} without g, or for an operand of another class or detached
 *  @throws {DisposedError} for a disposed tensor or runtime */
export function weightNorm<T extends Operand>(v: T, o: { shape?: readonly number[]; g: Operand; out?: Operand }): T;

/** Conv weights [O, I/g, ...] (or linear ones, [O, I]) and bias with a BatchNorm folded in: the same outputs, one op fewer.
 *  With a = scale/√(variance + ε): weight·a and (bias − mean)·a + shift, new arrays both. bias, mean, variance, scale and shift
 *  have O elements; those left out count as 0, or 1 for scale. Default: ε = 1e-5. A channel whose variance + ε is negative gets NaN.
 *  @throws {ShapeError} when a length does not fit */
export function foldBatchNorm(o: { weight: Float32Array; weightShape: readonly number[]; bias?: Float32Array;
  mean: Float32Array; variance: Float32Array; scale?: Float32Array; shift?: Float32Array; epsilon?: number }): { weight: Float32Array; bias: Float32Array };

// ---- normalization, training ------------------------------------------------------------------

/** Where a pass puts its result. A forward whose result lies over x leaves nothing for a backward. */
export interface Out { out?: Operand }

/** Every layer keeps a reference to the x of its latest forward (not a copy: it must keep its elements until backward) and
 *  that pass's statistics. Parameters and running statistics are arrays of the layer's own, which may be written to or
 *  replaced (by ones of the same length) between calls; no forward or backward writes to scale and bias. Constructors need no
 *  {@link init}, passes do.
 *
 *  `forward` takes a Float32Array with `shape`, or a Tensor. `backward` takes the gradient dy of its result, in x's shape, as a
 *  Float32Array or a Tensor of x's dims, and gives dx of dy's kind and the gradients of the parameters, summed over all that
 *  shares them. It may be called more than once.
 *  @throws {ShapeError} when a length, rank or dimension does not fit
 *  @throws {NormError} for options that make no sense, an operand of another class or detached, a backward without a forward
 *  @throws {DisposedError} after dispose, for a disposed tensor (x of the latest forward too), or when the runtime is gone
 *
 *  An error leaves everything as it was: parameters, running statistics, and the pass that backward differentiates. */
interface Layer { dispose(): void; [Symbol.dispose](): void }

/** What the constructor of {@link BatchNorm} takes. */
export interface BatchNormOptions {
  /** The number of channels. */
  features: number;
  /** Which framework's meaning of momentum, of the running variance and of the defaults:
   *  pytorch  r ← (1−m)r + m·b, running variance unbiased, m = 0.1,  ε = 1e-5, one value per channel is an error
   *  onnx     r ← m·r + (1−m)b, running variance biased,   m = 0.9,  ε = 1e-5
   *  keras    r ← m·r + (1−m)b, running variance biased,   m = 0.99, ε = 1e-3
   *  The batch itself is always normalized with its biased variance. Default: pytorch. */
  preset?: 'pytorch' | 'onnx' | 'keras';
  /** 0 to 1; null: the plain average over all batches (PyTorch's None). */
  momentum?: number | null;
  /** Finite, at least 0. */
  epsilon?: number;
  /** 'nchw' (default): channels are axis 1 of a rank of 2 or more; 'nhwc': the last. */
  layout?: 'nchw' | 'nhwc';
  /** false: without scale and bias, whose arrays (and gradients) are then empty. */
  affine?: boolean;
}

/** Means and biased variances of `count` values in each channel. float64 keeps what float32 would round: at 1e7 ± 50 that
 *  is a hundredth of the deviation. */
export interface Moments<A extends Float32Array | Float64Array = Float64Array> { count: number; mean: A; variance: A }

/** Batch normalization with its parameters and running statistics, each of `features` elements: scale and runningVar start
 *  as 1, bias and runningMean as 0.
 *
 *  Synchronised over workers, each of which has a part of the batch:
 *
 *      each    part = bn.moments(x)
 *      one     whole = BatchNorm.mergeMoments(parts)
 *      each    y = bn.forward(x, { moments: whole }), later sums = bn.backwardSums(dy)
 *      one     the sums added up, element by element
 *      each    bn.backward(dy, { sums }); dscale and dbias are those of the whole batch already */
export class BatchNorm implements Layer {
  constructor(o: BatchNormOptions);
  scale: Float32Array; bias: Float32Array; runningMean: Float32Array; runningVar: Float32Array;
  /** How many batches the running statistics have learnt from. */
  batches: number;
  /** useBatchStats normalizes with the batch's statistics rather than the running ones, updateStats lets these learn from the
   *  batch. They are separate: both default to `training` (default true). `moments` take the place of the batch's statistics.
   *  A channel whose running variance + ε is negative is NaN where it is used.
   *  @throws {NormError} also for one value per channel under 'pytorch', and
   *  moments where the running statistics are to be used (`useBatchStats` false, or `training` false without it) */
  forward<T extends Operand>(x: T, o?: Out & { shape?: readonly number[]; training?: boolean; useBatchStats?: boolean; updateStats?: boolean;
    moments?: Moments<Float32Array | Float64Array> }): T;
  /** Gradients of the latest forward, in the mode that it ran in: running statistics count as constants. */
  backward<T extends Operand>(dy: T, o?: Out & { sums?: Float64Array }): { dx: T; dscale: Float32Array; dbias: Float32Array };
  /** The statistics of a part of a batch. Nothing is normalized or learnt; the latest forward is forgotten, unless this fails. */
  moments(x: Operand, o?: { shape?: readonly number[] }): Moments;
  /** Σdy·x̂ of each channel, then Σdy of each: a part of what backward needs of the whole batch. */
  backwardSums(dy: Operand): Float64Array;
  /** Makes these the running statistics, with the preset's meaning of the variance: together with mergeMoments over a stream
   *  of batches this is "precise BatchNorm". */
  setStatistics(moments: Moments<Float32Array | Float64Array>): void;
  /** This instance's batch statistics merged with others' (synchronised BatchNorm over workers). Needs no {@link init}. */
  static mergeMoments<A extends Float32Array | Float64Array>(parts: readonly Moments<A>[]): Moments<A>;
  /** Copies: scale and bias (where there are such), runningMean, runningVar, and batches as one element. */
  stateDict(): Record<string, Float32Array>;
  /** Copies a state into the layer's arrays, which stay the same ones. `batches` may be left out (0). An entry that is missing,
   *  unknown or of another length is an error, as is a runningVar below 0 or NaN; nothing has changed then. */
  loadStateDict(s: Record<string, Float32Array>): void;
  /** Frees what the module holds for it. Idempotent. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/** {@link layerNorm} over the last dimensions, which normalizedShape names; scale and bias have its elements, row-major.
 *  A Float32Array without `shape` is taken as rows of them. Default: ε = 1e-5. */
export class LayerNorm implements Layer {
  constructor(o: { normalizedShape: readonly number[]; epsilon?: number; affine?: boolean });
  scale: Float32Array; bias: Float32Array;
  forward<T extends Operand>(x: T, o?: Out & { shape?: readonly number[] }): T;
  backward<T extends Operand>(dy: T, o?: Out): { dx: T; dscale: Float32Array; dbias: Float32Array };
  dispose(): void;
  [Symbol.dispose](): void;
}

/** {@link rmsNorm} over the last dimensions, as {@link LayerNorm}. Default: ε = 1e-5. */
export class RMSNorm implements Layer {
  constructor(o: { normalizedShape: readonly number[]; epsilon?: number; affine?: boolean });
  scale: Float32Array;
  forward<T extends Operand>(x: T, o?: Out & { shape?: readonly number[] }): T;
  backward<T extends Operand>(dy: T, o?: Out): { dx: T; dscale: Float32Array };
  dispose(): void;
  [Symbol.dispose](): void;
}

/** {@link groupNorm} of `features` channels; scale and bias have an element a channel. Defaults: ε = 1e-5, layout = 'nchw'.
 *  The constructor throws a {@link ShapeError} when groups does not divide features. */
export class GroupNorm implements Layer {
  constructor(o: { groups: number; features: number; epsilon?: number; layout?: 'nchw' | 'nhwc'; affine?: boolean });
  scale: Float32Array; bias: Float32Array;
  forward<T extends Operand>(x: T, o?: Out & { shape?: readonly number[] }): T;
  backward<T extends Operand>(dy: T, o?: Out): { dx: T; dscale: Float32Array; dbias: Float32Array };
  dispose(): void;
  [Symbol.dispose](): void;
}

/** {@link instanceNorm} of `features` channels; scale and bias have an element a channel. Defaults: ε = 1e-5, layout = 'nchw'.
 *
 *  With `trackRunningStats`, running statistics of each channel learn from the average over the examples, with `preset`,
 *  `momentum` and the switches of `forward` as {@link BatchNorm} has them; `training: false` normalizes with them. Without it
 *  there are none: `preset`, `momentum`, `useBatchStats: false` and `updateStats: true` are errors then, and `training` makes no difference. */
export class InstanceNorm implements Layer {
  constructor(o: { features: number; epsilon?: number; layout?: 'nchw' | 'nhwc'; affine?: boolean;
    trackRunningStats?: boolean; preset?: 'pytorch' | 'onnx' | 'keras'; momentum?: number | null });
  scale: Float32Array; bias: Float32Array;
  runningMean: Float32Array | undefined; runningVar: Float32Array | undefined;
  forward<T extends Operand>(x: T, o?: Out & { shape?: readonly number[]; training?: boolean; useBatchStats?: boolean; updateStats?: boolean }): T;
  backward<T extends Operand>(dy: T, o?: Out): { dx: T; dscale: Float32Array; dbias: Float32Array };
  dispose(): void;
  [Symbol.dispose](): void;
}

/** {@link adaptiveLayerNorm} of `features` features, as a layer. It has no parameters: scale and shift are operands, and backward
 *  gives their gradients, [N F] and summed over an example's tokens, whether they were given or not. It refers to the latest
 *  forward's scale as it does to x: both must keep their elements until backward. Default: ε = 1e-5. */
export class AdaptiveLayerNorm implements Layer {
  constructor(o: { features: number; epsilon?: number });
  forward<T extends Operand>(x: T, o?: Out & { shape?: readonly number[]; scale?: Operand; shift?: Operand }): T;
  backward<T extends Operand>(dy: T, o?: Out): { dx: T; dscale: Float32Array; dshift: Float32Array };
  dispose(): void;
  [Symbol.dispose](): void;
}

/** {@link lpNorm} as a layer: dx = (dy − y·Σdy·y)/‖x‖ for p = 2, (dy − sign(x)·Σdy·y)/‖x‖ for p = 1, and dy/ε where ‖x‖ < ε.
 *  A group of zeros gets 0 for ε = 0. Defaults: ε = 0, axis = -1, p = 2. The constructor throws a {@link NormError} for another p. */
export class LpNorm implements Layer {
  constructor(o?: { axis?: number; p?: 1 | 2; epsilon?: number });
  forward<T extends Operand>(x: T, o?: Out & { shape?: readonly number[] }): T;
  backward<T extends Operand>(dy: T, o?: Out): { dx: T };
  dispose(): void;
  [Symbol.dispose](): void;
}

/** {@link localResponseNorm} as a layer. With d = bias + alpha/size·Σx², dx = dy/d^beta − 2·alpha·beta/size·x·Σ dy·x/d^(beta+1),
 *  the sum over the channels whose window has this one in it. Defaults: alpha = 1e-4, beta = 0.75, bias = 1. The constructor throws a
 *  {@link NormError} for a size below 1 or numbers that are not finite. */
export class LocalResponseNorm implements Layer {
  constructor(o: { size: number; alpha?: number; beta?: number; bias?: number });
  forward<T extends Operand>(x: T, o?: Out & { shape?: readonly number[] }): T;
  backward<T extends Operand>(dy: T, o?: Out): { dx: T };
  dispose(): void;
  [Symbol.dispose](): void;
}

/** Weights divided by their largest singular value σ, which power iteration follows from call to call. Weights of `shape`,
 *  [O …] of a convolution or linear layer, are a matrix of O rows.
 *
 *  `u` (O elements) and `v` (a row's) are its state: vectors of length 1, pseudo-random at first and the same for the same shape,
 *  which come closer to σ's singular vectors with every step. They may be written to, replaced (by arrays of the same length) and
 *  stored between calls. Weights that are not finite make them NaN. An error leaves them as they were.
 *
 *  Source: Miyato, Kataoka, Koyama, Yoshida, "Spectral Normalization for Generative Adversarial Networks", arXiv:1802.05957,
 *  algorithm 1. */
export class SpectralNorm implements Layer {
  /** @throws {ShapeError} for a shape without dimensions, or with one of 0 */
  constructor(o: { shape: readonly number[] });
  u: Float64Array; v: Float64Array;
  /** Takes `steps` (default 1; 0 is inference; at most 1000000) of power iteration, then gives w/σ, of w's kind, and σ = uᵀ·w·v.
   *  w is a Float32Array, or a Tensor of `shape`; `out` may be w. Weights of zeros have σ 0 and give zeros.
   *  @throws {ShapeError} when a length or w's dims do not fit
   *  @throws {NormError} for a negative or too large number of steps, or an array of another class or detached
   *  @throws {DisposedError} after dispose, for a disposed tensor, or when the runtime is gone */
  forward<T extends Operand>(w: T, o?: Out & { steps?: number }): { weight: T; sigma: number };
  /** Takes steps until σ changes by no more than `tolerance` (1e-6; finite, at least 0), relative to itself, or `limit` (1000) is
   *  reached, and gives how many it took. For weights that come from elsewhere. Errors as for forward. */
  converge(w: Operand, o?: { tolerance?: number; limit?: number }): number;
  dispose(): void;
  [Symbol.dispose](): void;
}

// ---- models: the subset of onnxruntime-common's InferenceSession that small models use ---------

/** An ONNX file. A string is a URL (in Node also a file's path). */
export type ModelSource = string | URL | Request | Response | Blob | ArrayBuffer | Uint8Array | ReadableStream<Uint8Array>;

/** onnxruntime-web's options that change no result, accepted and without effect here, so that its users' code runs as it is.
 *  @see {@link SessionOptions} for those that mean something. */
export interface OnnxRuntimeOptions {
  /** 'wasm' or 'cpu', as a name or as `{ name }`, must be among them, or the list be empty: with nothing but others ('webgpu', 'webnn' …), which are not
   *  there, creating the session fails, as it does in onnxruntime where a provider is missing. */
  executionProviders?: readonly (string | { readonly name: string })[];
  intraOpNumThreads?: number; interOpNumThreads?: number;
  enableCpuMemArena?: boolean; enableMemPattern?: boolean; executionMode?: 'sequential' | 'parallel';
  optimizedModelFilePath?: string; enableProfiling?: boolean; profileFilePrefix?: string; enableGraphCapture?: boolean;
  logId?: string; logSeverityLevel?: 0 | 1 | 2 | 3 | 4; logVerbosityLevel?: number;
  extra?: Record<string, unknown>;
}

/** The options of {@link init} count when this session is the first to start the module. */
export interface SessionOptions extends InitOptions, OnnxRuntimeOptions {
  /** true: a worker of its own with a module of its own, so that the page never blocks. A number from 1 to 64: that many, sharing a
   *  queue, from which the first that is idle takes the next run; each run's promise is settled by itself. This makes runs that are
   *  asked for at the same time quicker (those of a batch), not a single one, and more workers than the device has cores
   *  (`navigator.hardwareConcurrency`) gain nothing. 0 is an error.
   *
   *  The module is compiled and the model fetched once for all. Each worker has the weights in a memory of its own: n workers take n
   *  times what one takes. While they start there is also a copy of the file for each, or one for all where memory can be shared (in
   *  isolated pages and in Node).
   *
   *  Such sessions need no runtime in this thread, and its `memory()` does not count them; feeds are copied, outputs come
   *  to the cpu. `release` ends the workers, and runs that are under way with them. A policy needs `worker-src 'self'`.
   *  Of several workers one may fail (no memory, a crash of the module): its run fails with a {@link NormError} of code `WORKER_FAILED`,
   *  the others take what waits. With the last one the session ends, and what is left fails with a {@link DisposedError}. */
  worker?: boolean | number;
  /** Fold, fuse and plan (default 'all'); 'none' runs the graph as it is written. Of onnxruntime's names 'disabled' is 'none', and
   *  'basic', 'extended' and 'layout' are 'all'. */
  graphOptimizationLevel?: 'none' | 'all' | 'disabled' | 'basic' | 'extended' | 'layout';
  /** Sizes for symbolic dimensions of the inputs, when known beforehand. A name that no input has is a {@link ShapeError} that lists
   *  those that there are. */
  freeDimensionOverrides?: Record<string, number>;
  /** Keep the outputs resident ('wasm'): each run writes them where they stay, without a copy. They are the caller's to
   *  dispose of. Default 'cpu': they are copied into new arrays. */
  preferredOutputLocation?: 'cpu' | 'wasm';
  /** Files that the model's tensors are in, as PyTorch's exporter writes them (`model.onnx.data`), by their paths as the model has them. Those that are not
   *  listed are fetched beside the model's URL (in Node: are read beside its file); a model that came as bytes needs all of them. A string is such a path, or a URL that
   *  ends with it; `data` is whatever a model may be. Files that the model does not refer to are left alone.
   *
   *  The weights stay where the files were read to, once in memory; the phase 'model' of onProgress counts them. Paths that lead out of the
   *  model's folder (absolute ones, "..", backslashes, URLs) are refused.
   *  Files that are missing or too short are a {@link LoadError} that names tensor, path, and the bytes that are wanted and there. */
  externalData?: readonly (string | { readonly path: string; readonly data: ModelSource })[];
  /** Outputs that the session keeps and feeds back at the next run: input name → output name. 'auto' pairs what is called past and present,
   *  h0 and hn, c0 and cn, state and stateN, x_in and x_out, cache and new_cache, and the like, where type and number of dimensions are the same.
   *
   *  Such inputs may be left out of the feeds. The first run then starts from zeros; a dimension that is free has the size that fed inputs give to
   *  its name (the batch), is 0 where the state grows (a cache that is concatenated), and 1 otherwise. A state that is fed counts in
   *  place of the kept one. Such outputs are results only where `fetches` names them: a copy, and the state stays.
   *
   *  A state that grows by a Concat is appended to in place, in memory with room for more; others change places with what replaces
   *  them. Nothing is copied, and `memory()` counts both. A run that fails leaves the state as it was; one in a worker that is aborted
   *  after it has begun does not.
   *
   *  Names that do not exist, types or numbers of dimensions that differ and an output given twice are a {@link ShapeError}; more than one worker is a
   *  {@link NormError} of code `CONTRADICTION`. */
  state?: 'auto' | Readonly<Record<string, string>>;
}

/** What a model says of an input or output. */
export interface ValueMetadata {
  readonly name: string;
  readonly type: DataType;
  /** A string names a dimension that is not fixed. */
  readonly shape: readonly (number | string)[];
  /** Of what is no tensor, or need not be one: then `type` and `shape` are those of its tensors. */
  readonly form?: 'sequence' | 'optional' | 'optional sequence';
}

/** What a run is given, by the inputs' names: a tensor; an array of tensors for a sequence; null, or nothing at all, for an optional value that is not there. */
export type Feeds = Readonly<Record<string, Tensor | readonly Tensor[] | null>>;

/** A model that is ready to run: `InferenceSession.create` makes one, and `release` frees it. */
export class InferenceSession {
  private constructor();
  /** Reads and optimizes a model, and starts the module where that is not done yet. A BatchNormalization in training mode runs
   *  as one: each run starts from the running statistics that the model or the feeds give, and gives out what they become.
   *  @throws {LoadError} when the model cannot be fetched, or of code `INVALID_MODEL` when it is truncated or no ONNX file: HTML, JSON, a Git
   *  LFS pointer, gzip, and the formats of other libraries (.ort, .tflite, safetensors, PyTorch, Keras, TensorFlow …) are named
   *  @throws {UnsupportedError} that lists the operators, attributes and types that are not implemented: the first 32, and how many more */
  static create(model: ModelSource, options?: SessionOptions): Promise<InferenceSession>;
  /** In the order of the model. In names that are not UTF-8 in the file, U+FFFD stands for what is wrong, with "_2", "_3" … behind
   *  it where another input (or output) has that name; so do the names of dimensions, without numbers. */
  readonly inputNames: readonly string[]; readonly outputNames: readonly string[];
  readonly inputMetadata: readonly ValueMetadata[];
  readonly outputMetadata: readonly ValueMetadata[];
  /** How often each operator occurs, after optimization. */
  readonly operators: readonly { op: string; count: number }[];
  /** Computes the outputs named by `fetches` (default: all but states) from one tensor for each input (but for those of the option `state`). Tensors on the cpu are
   *  copied in before run returns its promise; resident ones are read where they are, and never written over. Strings are always on the cpu;
   *  U+FFFD stands for what is not Unicode in them.
   *  An output that is a sequence is an array of tensors, an optional one that is not there is null: `run<Tensor[]>(…)` has the type so. (In all a run
   *  has room for about 800 tensors.) Maps, as ZipMap makes them, are given as a tensor with a column for each label.
   *  Feeds are read as own properties, and results are own properties, whatever the names ("__proto__" is one).
   *  @throws {NormError} for an input that is missing, unknown or of the wrong type, and for an unknown output
   *  @throws {ShapeError} for dims that the model does not take
   *  @throws {NormError} with code `OUT_OF_MEMORY` when there is no memory for a run of these dims; the session lives on
   *  @throws {DisposedError} after release */
  run<Result = Tensor>(feeds: Feeds, fetches?: readonly string[] | RunOptions, options?: RunOptions): Promise<Record<string, Result>>;
  /** As {@link run}, but at once: for an AudioWorklet, a game loop, a test. Not for sessions in workers.
   *  @throws {UnsupportedError} when the session was created with the option worker, and what run's promise would fail with */
  runSync<Result = Tensor>(feeds: Feeds, fetches?: readonly string[]): Record<string, Result>;
  /** Nodes as executed (after optimization) with the time each took in the latest profiled run. Those with the layout 'blocked' give results with 8
   *  channels of a pixel together, as convolutions do; Block and Unblock lead into that layout and out of it. `threads` is how many a step was divided
   *  among, where it was. Of models whose inputs and outputs are tensors.
   *  Of several workers one runs and measures it. */
  profile(feeds: Feeds): Promise<{ nodes: { name: string; op: string; ms: number; layout?: 'blocked'; threads?: number }[]; totalMs: number }>;
  /** Lets the next run start as the first did, with the option `state`; without it nothing changes. In a worker too it comes after the runs before
   *  and before those after it.
   *  @throws {DisposedError} after release */
  resetState(): void;
  /** Frees the session's memory, and ends its workers. Idempotent. (A session that nothing refers to is released when the
   *  engine collects it, where the engine has FinalizationRegistry: at some time, or never.) */
  release(): Promise<void>;
}
/** What a run takes beside its feeds. */
export interface RunOptions {
  /** Aborting makes the promise fail with a {@link LoadError} of code `ABORTED`. It stops a loop (Loop, Scan, SequenceMap), in a worker and in this
   *  thread: with a signal loops give way to the page every 30 ms or so. Meanwhile the session takes no other run, and a resident tensor that it was
   *  fed must not be disposed of. What is no loop runs to its end, in a worker too, and its result is dropped.
   *
   *  Without a signal too a loop ends: where its model says so, or with an error that names it, for all loops of a run make at most 4,194,304 trips together,
   *  and what they collect stays within the session's memory. */
  signal?: AbortSignal;
  /** onnxruntime's; these are accepted and without effect, but that `terminate: true`, which would run nothing, is an error. */
  logSeverityLevel?: 0 | 1 | 2 | 3 | 4; logVerbosityLevel?: number; terminate?: boolean; tag?: string; extra?: Record<string, unknown>;
}

// ---- text -------------------------------------------------------------------------------------

/** Encodes texts as tokens and decodes them. It needs no module: `init` may come later, or never. What reads and runs tokenizers is a script of its own,
 *  `normwasm.text.js` beside this one (10 KB), which the first use of `Tokenizer` or `TextGenerator` fetches. Service workers and AudioWorklets cannot
 *  import a script later: they have neither. */
export class Tokenizer {
  private constructor();
  /** Reads a tokenizer: Hugging Face's `tokenizer.json`, or llama2.c's `tokenizer.bin`.
   *
   *  Of tokenizer.json: the models BPE (of bytes, or with byte fallback), WordPiece, Unigram and WordLevel; added tokens; the normalizers NFC, NFD, NFKC,
   *  NFKD, Lowercase, Strip, StripAccents, Replace, Prepend, BertNormalizer, Nmt, Precompiled, ByteLevel; the pre-tokenizers ByteLevel, Metaspace, Split,
   *  BertPreTokenizer, Whitespace, WhitespaceSplit, Punctuation, Digits, CharDelimiterSplit; the post-processors TemplateProcessing, BertProcessing,
   *  RobertaProcessing, ByteLevel; the decoders ByteLevel, WordPiece, Metaspace, ByteFallback, Fuse, Strip, Replace, BPEDecoder; Sequences of them. Others are an
   *  {@link UnsupportedError} that names them. Truncation, padding and BPE's dropout are left out. A file that is damaged is a {@link LoadError}. */
  static fromFile(file: ModelSource, options?: Pick<InitOptions, 'signal' | 'onProgress'>): Promise<Tokenizer>;
  /** How many tokens there are. */
  readonly size: number;
  /** The tokens of a text, with those that the tokenizer puts around it (the one that texts begin with); `special: false` leaves these out. */
  encode(text: string, options?: { special?: boolean }): Int32Array;
  /** The text of tokens, without special ones; with them for `special: true`. Bytes that are no UTF-8 become U+FFFD. A token that does not exist is a
   *  {@link NormError}. */
  decode(ids: ArrayLike<number>, options?: { special?: boolean }): string;
}

/** What `TextGenerator.create` takes. */
export interface TextGeneratorOptions extends InitOptions, OnnxRuntimeOptions {
  tokenizer: Tokenizer;
  /** The object of the model's `config.json`. Files of safetensors need it, for their tensors do not tell the number of heads; of ONNX models it tells the length
   *  of the context (`max_position_embeddings`), and of either the tokens that begin and end texts (`bos_token_id`, `eos_token_id`). Files of llama2.c need none. */
  config?: Record<string, unknown>;
  /** An own worker with its own module, so that the page never waits. */
  worker?: boolean;
  /** As of sessions. */
  graphOptimizationLevel?: SessionOptions['graphOptimizationLevel'];
}

/** How `generate` writes. */
export interface GenerateOptions {
  /** The most tokens to write. Default: until the context ends. */
  maxTokens?: number;
  /** Divides the logits; 0 (default) takes the likeliest token each time. */
  temperature?: number;
  /** Choose among so many of the likeliest tokens; 0 (default) is all. */
  topK?: number;
  /** Choose, of these, among the likeliest ones that together have this probability, above 0 and up to 1 (default, all). */
  topP?: number;
  /** A whole number; default 0. The same seed gives the same text: in every engine with the variants `scalar` and `simd`, whose numbers are the same; `relaxed` rounds
   *  otherwise, and can come to another text. */
  seed?: number;
  /** Strings that end the text, and are not part of it. A piece that could be the beginning of one is held back until it is clear. */
  stop?: readonly string[];
  /** Ends the text with an error of code `ABORTED`. */
  signal?: AbortSignal;
}

/** A decoder that writes, which remembers keys and values of the tokens that it has seen. One text at a time. It runs in the full edition of the
 *  module (`normwasm.full.*.wasm`), which it starts as the page's own where none was started yet. */
export class TextGenerator {
  private constructor();
  /** Reads a model:
   *
   *  - safetensors with the tensors of Hugging Face's Llama (with Mistral and Qwen 2), GPT-2 (and nanoGPT's, minGPT's), GPT-NeoX or GPT-1, in float32, float16, bfloat16, or int8
   *    with a `weight_scale` (or `SCB`) for each row. Weights stay as they are stored, where matrices read them. A configuration with `rms_norm_eps` has RMSNorm
   *    in place of LayerNorm, whichever names the tensors have;
   *  - llama2.c's files of versions 0, 1 and 2 (whose int8 is widened);
   *  - an ONNX decoder, with past and present or without, by the names of its inputs: input_ids, attention_mask, position_ids, past_key_values.N.key and so on.
   *
   *  A tensor that has no place in the decoder, another `model_type` or an input that is not known is an {@link UnsupportedError}. While it is created, weights of
   *  safetensors are in memory twice. */
  static create(model: ModelSource, options: TextGeneratorOptions): Promise<TextGenerator>;
  /** The most tokens of prompt and text together; one more can be written, which the model does not see. */
  readonly context: number;
  /** The operators as they run, and how often. */
  readonly operators: readonly { readonly op: string; readonly count: number }[];
  /** Writes on after the prompt: each step gives a token and the text that it makes certain, which may be empty, for pieces never split a character. The prompt is
   *  run at once, then token after token; the event loop has its turn every 8 ms. It ends at `maxTokens`, at a token that ends texts (which is given only with
   *  text that was held back), at a stop string, by the signal, or where the context ends.
   *
   *  A prompt longer than the context is a {@link ShapeError}, an option out of its range a {@link NormError}: thrown at once, not at the first step. */
  generate(prompt: string, options?: GenerateOptions): AsyncIterableIterator<{ token: number; text: string }>;
  /** Frees the memory. */
  release(): Promise<void>;
}

// ---- networks in training ----------------------------------------------------------------------

/** A layer of a network. Layers stand in order, and their shapes follow from the input's, without the batch: [C, H, W] for images,
 *  [T, D] for sequences, [D] for features. Weights start as He draws them before a ReLU, and as Xavier elsewhere. */
export type LayerSpec =
  /** [C, H, W] → [filters, H′, W′], a square kernel. `padding: 'same'` (default) keeps ⌈H/stride⌉, 'valid' pads nothing. */
  | { type: 'conv2d'; filters: number; kernel: number; stride?: number; padding?: 'same' | 'valid'; groups?: number; bias?: boolean }
  /** […, D] → […, units] */
  | { type: 'linear'; units: number; bias?: boolean }
  /** Tokens [T] → [T, width], the first layer only. `positions`: a learned vector for each of that many places is added. */
  | { type: 'embedding'; vocabulary: number; width: number; positions?: number }
  /** Multi-head self-attention with its linear layers, [T, D] → [T, D]; `heads` divides D. `causal`: none looks ahead. */
  | { type: 'attention'; heads: number; causal?: boolean }
  /** All states of a GRU, [T, D] → [T, units], as PyTorch and Keras (`reset_after`) compute it. */
  | { type: 'gru'; units: number }
  /** Of images each channel over the batch and all places, of sequences each feature over the batch and all steps. `momentum: null`:
   *  running statistics are the plain average of all batches. `preset` (default 'pytorch') as for {@link BatchNorm}. */
  | { type: 'batchNorm'; momentum?: number | null; epsilon?: number; affine?: boolean; preset?: 'pytorch' | 'onnx' | 'keras' }
  /** layerNorm and rmsNorm: over the last axis; of images over all of [C, H, W]. instanceNorm: each channel of each example. */
  | { type: 'layerNorm' | 'rmsNorm' | 'instanceNorm'; epsilon?: number; affine?: boolean }
  | { type: 'groupNorm'; groups: number; epsilon?: number; affine?: boolean }
  /** scale · tanh(α·x) + bias with a learned α that starts at `alpha` (0.5), in place of a normalization. */
  | { type: 'dynamicTanh'; alpha?: number; affine?: boolean }
  /** Adds normally distributed numbers in steps, nothing in evaluations. */
  | { type: 'noise'; mean?: number; std: number }
  | { type: 'relu' | 'gelu' | 'silu' | 'tanh' | 'sigmoid' | 'flatten' }
  /** [C, H, W] → [C], [T, D] → [D] */
  | { type: 'globalAveragePool' }
  /** A square window without padding; `stride` defaults to `size`. */
  | { type: 'maxPool2d' | 'averagePool2d'; size: number; stride?: number }
  /** Sets a share `rate` of the numbers to 0 in steps and scales the others by 1/(1 − rate). */
  | { type: 'dropout'; rate: number }
  /** Adds its body's input to its output, which has the same shape. */
  | { type: 'residual'; body: LayerSpec[] };

/** What a network in training is, and how it learns. */
export interface TrainerOptions extends InitOptions {
  /** The shape of one example: [C, H, W], [T, D], [D], or [T] tokens. */
  input: readonly number[];
  model: readonly LayerSpec[];
  /** Softmax cross-entropy of the outputs (logits) with class indices, or the mean of the squared differences. */
  loss: 'crossEntropy' | 'meanSquaredError';
  /** A whole number that weights, dropout and noise come from (default 0). The same seed, options and batches give the same
   *  bits in the variants 'simd' and 'scalar', on every engine. */
  seed?: number;
  /** A worker of its own, so that the page never blocks (default false). Batches are copied to it, results come back. */
  worker?: boolean;
  /** SGD as PyTorch writes it (v ← momentum·v + g + weightDecay·w, w ← w − learningRate·v), or AdamW (beta1 0.9, beta2 0.999). Biases,
   *  and the scales and shifts of normalizations, do not decay. */
  optimizer: { type: 'sgd'; learningRate: number; momentum?: number; weightDecay?: number } | { type: 'adamw'; learningRate: number; beta1?: number; beta2?: number; weightDecay?: number };
  /** `warmup` steps of linear growth, then the learning rate itself, or by `decay: 'cosine'` half a cosine down to 0 at `steps`. */
  schedule?: { warmup?: number; decay?: 'none' | 'cosine'; steps?: number };
  /** The largest norm that the gradient of all parameters together may have: a longer one is shortened. */
  clip?: number;
}

/** N examples; N may change from batch to batch. */
export interface Batch {
  /** float32 [N, …input]; for an embedding int32 (or another type of whole numbers) [N, T]. */
  x: Tensor;
  /** Class indices for crossEntropy: int32, or another type of whole numbers, [N], or [N, T] for outputs of [T, classes]. For
   *  meanSquaredError float32 [N, …outputs]. */
  y: Tensor;
}

/** A small network in training, by an edition of the module of its own (`normwasm.train.*.wasm`), which is fetched by the first
 *  {@link Trainer.create} and by nobody else; {@link init} is not needed. `wasmURL` and `wasmModule` are those of that edition;
 *  where init() was given a folder, that is the default. Batches are copied. A mistake is an error before anything has changed:
 *  weights are never half updated. */
export class Trainer {
  private constructor();
  /** @throws {ShapeError} for layers that do not fit each other, @throws {NormError} for options that make no sense: both name the layer */
  static create(o: TrainerOptions): Promise<Trainer>;
  /** Which variant of the module computes. */
  readonly variant: Variant;
  /** One step along the gradient of the batch's loss. `accuracy` (crossEntropy only) is the share of rows, 0 to 1, whose largest output is
   *  that of their class; `gradientNorm` is that of all parameters before clipping.
   *  @throws {ShapeError} for tensors of other shapes, @throws {NormError} for labels out of range, or for one value a channel in a batchNorm
   *  of the preset 'pytorch'
   *  @throws {NormError} of code `NOT_FINITE`, when the batch, the loss or the gradient is NaN or infinite: it names where that began, and
   *  the step was not made */
  step(batch: Batch): Promise<{ loss: number; accuracy?: number; gradientNorm: number }>;
  /** Loss and outputs [N, …] without a step: without dropout and noise, and batchNorms with their running statistics, or with
   *  the batch's own. Running statistics do not change. */
  evaluate(batch: Batch, o?: { statistics?: 'running' | 'batch' }): Promise<{ loss: number; accuracy?: number; outputs: Tensor }>;
  /** Running statistics anew from these batches, without a step ("precise BatchNorm"). After an error they are as they were. */
  recomputeStatistics(batches: Iterable<Batch> | AsyncIterable<Batch>): Promise<void>;
  /** By layer, as the latest step or evaluation left it; nothing before that. `layer` is its place and type, as in "1 batchNorm", or
   *  "4.1 attention" within a residual, whose body comes before it. Mean and deviation of its outputs; the norm of the gradient of its
   *  parameters by the latest step; for batchNorm the statistics of the batch beside the running ones, each channel's. */
  statistics(): Promise<readonly {
    layer: string; activation: { mean: number; std: number }; gradientNorm: number;
    running?: { mean: Float32Array; variance: Float32Array }; batch?: { mean: Float32Array; variance: Float32Array };
  }[]>;
  /** A safetensors file with the parameters ("3.weight", "3.bias", laid out as PyTorch's), the optimizer's state ("momentum.3.weight",
   *  "square.3.weight") and the running statistics ("1.running_mean", "1.running_var"); steps, random numbers and counts are in its
   *  metadata. */
  save(): Promise<Uint8Array>;
  /** Continues to the bit from what a trainer of the same model and type of optimizer has saved.
   *  @throws {ShapeError} for a file of another model, which names the tensor; nothing has changed then
   *  @throws {LoadError} for a file that is none of `save`'s */
  load(file: Uint8Array): Promise<void>;
  /** The network for inference as an ONNX model of opset 17: its input is "x" ([N, …input]; tokens are int64), its output "y", before the
   *  loss. BatchNorm has its running statistics. With `intermediates` each layer's output is one of the model's too, by its name
   *  in {@link statistics}, and so are the probabilities of each attention, [N, heads, T, T], as "4.1 attention probabilities".
   *  @throws {NormError} while the network has made no step, and none was loaded */
  exportONNX(o?: { intermediates?: boolean }): Promise<Uint8Array>;
  /** Ends the module behind it, and the worker: all memory is free, and what is under way in a worker fails with a
   *  {@link DisposedError}. Idempotent. */
  dispose(): void;
  [Symbol.dispose](): void;
}

// ---- pictures ---------------------------------------------------------------------------------

/** A class of the scope that the types are for: never where there is none, as of HTMLImageElement in Node. */
type Global<Name extends string> = InGlobal<Name, never>;

/** Pixels as ImageData has them: rows from the top, R, G, B and A a byte each, the colours not multiplied by alpha. */
export interface Pixels { readonly data: Uint8ClampedArray | Uint8Array; readonly width: number; readonly height: number }

/** An ImageData (or in Node an object of its form), or what a browser draws on a canvas. Of a file, `await createImageBitmap(blob)`
 *  makes an ImageBitmap. It may come from another frame. Whether a photo is turned as its EXIF data say is the browser's
 *  matter; HTMLImageElement and createImageBitmap do it. */
export type ImageSource = Pixels | Global<'HTMLCanvasElement'> | Global<'OffscreenCanvas'> | Global<'ImageBitmap'>
  | Global<'HTMLImageElement'> | Global<'HTMLVideoElement'> | Global<'VideoFrame'>;

/** Which channels a tensor of a picture has, in this order. gray is 0.299·R + 0.587·G + 0.114·B (ITU-R BT.601). */
export type ImageChannels = 'rgb' | 'bgr' | 'gray' | 'rgba';

/** How a tensor's numbers stand for colours from 0 to 255: y = (v·white/255 − mean)/std. Of mean and std each channel has one, in
 *  the order of `channels`, or all the same. */
export interface ImageScale {
  /** What 255 becomes before mean and std: 1 (the default) or 255, as a rule. mean and std are on this scale. */
  white?: number;
  /** Default 0. */
  mean?: number | readonly number[] | Float32Array | Float64Array;
  /** Default 1; not 0. */
  std?: number | readonly number[] | Float32Array | Float64Array;
}

/** How {@link tensorFromImage} makes a tensor of a picture. */
export interface ImageOptions extends ImageScale {
  /** The part of the picture to take, in whole pixels from its upper left corner; default: all of it. It is resized as a picture
   *  of its own: pixels around it have no influence. */
  crop?: { x: number; y: number; width: number; height: number };
  /** The result's size in pixels. One alone gives the other, in proportion and rounded; without both the picture keeps its size. */
  width?: number; height?: number;
  /** With both sizes given. `fill` (default) stretches. `contain` shows the whole picture in its proportions, as large as fits, with
   *  bars of `pad`; `cover` fills the result in the picture's proportions and cuts off what is over. The size is rounded to the
   *  nearest; the picture is in the middle, the odd pixel of a bar to the right or below, that of a cut to the left or above. */
  fit?: 'fill' | 'contain' | 'cover';
  /** Pixel j of the result is centred at (j + ½)·scale − ½ of the picture, scale being its size over the result's (half-pixel
   *  centres). `bilinear` (default) takes the mean of the pixels around, weighted by 1 − |d| where the distance d is below 1;
   *  `bicubic` Keys' cubic with a = −½ for |d| < 2; `nearest` the one pixel there. Pixels beyond the edge do not count. */
  resize?: 'nearest' | 'bilinear' | 'bicubic';
  /** true (default): when shrinking, d is divided by the scale, so that every pixel counts: what Pillow's resize gives, and
   *  torchvision's with antialias, but for their rounding to bytes. false: what OpenCV's
   *  INTER_LINEAR and PyTorch's interpolate give for bilinear. */
  antialias?: boolean;
  /** Default 'rgb'. */
  channels?: ImageChannels;
  /** 'nchw' (default): [1 C H W]; 'nhwc': [1 H W C]. */
  layout?: 'nchw' | 'nhwc';
  /** What transparent pixels stand before, 0 to 255, gray or [R, G, B]; default 0, black. Not for channels 'rgba', which keep alpha
   *  and have colours that are not multiplied by it. Neighbours are mixed in proportion to their alpha. */
  background?: number | readonly number[];
  /** The bars of fit 'contain', 0 to 255, gray or [R, G, B]; default: `background`. */
  pad?: number | readonly number[];
  /** 'uint8': the picture's values from 0 to 255, rounded to the nearest, halves upwards; white, mean and std go with 'float32', the default. */
  type?: 'float32' | 'uint8';
  /** Default 'cpu'; 'wasm' leaves the tensor in the module's memory, as {@link Tensor.toWasm}. */
  location?: 'cpu' | 'wasm';
  /** Takes the result and is returned, in place of a new tensor: of the same type and dims, wherever it is. */
  out?: Tensor;
}

/** A picture as a tensor for a model. Synchronous, once {@link init} has resolved. Results have the same bits in every variant and on
 *  every platform; computed in float32, then scaled in float64 and rounded once, so that without resizing y is exactly the
 *  formula of {@link ImageScale}. Widths and heights are at most 1048576.
 *  @throws {ShapeError} for sizes that do not fit: a crop beyond the picture, a picture without pixels (a failed image, a closed
 *  VideoFrame), data of another length, an out of other dims, two means for three channels
 *  @throws {NormError} of code `NOT_READY` for an image that is not loaded, and a video without a frame to see (wait for
 *  `requestVideoFrameCallback`); of code `TAINTED` for one from another origin,
 *  which a page may not read; for what is no picture, options that make no sense, detached data
 *  @throws {UnsupportedError} for ImageData of half-floats, and where there is no canvas to draw on
 *  @throws {DisposedError} for a disposed out */
export function tensorFromImage(source: ImageSource, options: ImageOptions & { type: 'uint8' }): Tensor<'uint8'>;
export function tensorFromImage(source: ImageSource, options?: ImageOptions & { type?: 'float32' }): Tensor<'float32'>;
export function tensorFromImage(source: ImageSource, options?: ImageOptions): Tensor<'float32' | 'uint8'>;

/** The way back: v = (y·std + mean)·255/white, rounded to the nearest whole number (halves upwards), below 0 and NaN as 0, above 255 as
 *  255. The tensor is float32, float16, float64 or uint8 (then white is 255), [1 C H W], [C H W] or [H W], or in layout 'nhwc' [1 H W C]
 *  and so on, of 1 (gray), 3 or 4 channels; `channels` says the order (default 'rgb', 'rgba'), `index` which of several pictures.
 *  Where there is no ImageData, as in Node, the result is an object of its form. Bytes that {@link tensorFromImage} did not resize
 *  come back as they were, but for colours of pixels that are fully transparent. Needs no {@link init}.
 *  @throws {ShapeError} for dims that are no picture's, and an index or numbers of channels that do not fit
 *  @throws {UnsupportedError} for other types
 *  @throws {DisposedError} for a disposed tensor */
export function tensorToImage(tensor: Tensor, options?: ImageScale & { layout?: 'nchw' | 'nhwc'; channels?: ImageChannels; index?: number }):
  [Global<'ImageData'>] extends [never] ? Pixels & { readonly data: Uint8ClampedArray } : Global<'ImageData'>;

// ---- files of tensors -------------------------------------------------------------------------

/** The tensors and metadata of a safetensors file, from its bytes (of a Response or Blob: `await source.arrayBuffer()`). Needs no
 *  {@link init}. Both results have no prototype, so that any name, `__proto__` too, is an ordinary property.
 *
 *  The tensors are on the cpu. Their data are views of the given bytes, which must then be left alone, wherever an element begins
 *  at a multiple of its size (in files written by {@link writeSafetensors} all do, when the bytes have a buffer of their own);
 *  otherwise they are copies. F64, F32, F16, I64, I32, I16, I8, U64, U32, U16, U8 and BOOL become the types of their names. BF16
 *  becomes float32, which has all of its values.
 *  @throws {LoadError} of code `INVALID_MODEL` for what is no such file, is damaged, or breaks a rule of the format: a header
 *  that is over 100 MB, not JSON, or has a name twice; bytes that belong to two tensors or to none; a shape of another size than
 *  the bytes; a BOOL that is neither 0 nor 1
 *  @throws {UnsupportedError} for types that no tensor here has (F8_E4M3, C64 …), with the names of those tensors
 *  @throws {NormError} for a source that is not bytes, or detached */
export function readSafetensors(source: ArrayBufferLike | ArrayBufferView): { tensors: Record<string, Tensor>; metadata: Record<string, string> };

/** A Uint8Array whose buffer is no shared one, in versions of TypeScript that tell these apart and in those that do not. */
type OwnBytes = ReturnType<Uint8ArrayConstructor['of']>;

/** A safetensors file of these tensors, which may be resident, and these texts. The same tensors and metadata give the same bytes,
 *  whatever order the tensors are named in. Tensors are written in the order of the format's reference implementation:
 *  the largest elements first, then by name.
 *  @throws {UnsupportedError} for a tensor of strings
 *  @throws {NormError} for what is no Tensor or no text, the name `__metadata__`, and text with half a surrogate pair
 *  @throws {DisposedError} for a disposed tensor */
export function writeSafetensors(tensors: Readonly<Record<string, Tensor>> | ReadonlyMap<string, Tensor>,
  metadata?: Readonly<Record<string, string>> | ReadonlyMap<string, string>): OwnBytes;

// ---- errors -----------------------------------------------------------------------------------

/** Every failure is one of these, with a stable `code` and a message that gives the numbers and the names in question.
 *
 *  NormError itself has the codes `INVALID_VALUE`, `UNKNOWN_OPTION`, `CONTRADICTION` (options that exclude each other),
 *  `DETACHED` (an array whose buffer is gone), `NOT_READY` and `TAINTED` (a picture that is not loaded, or may not be read),
 *  `NOT_INITIALIZED`, `NOT_FINITE` (of a network in training), `OUT_OF_MEMORY`, `WORKER_FAILED` (one of several of a session) and `INTERNAL`. */
export class NormError extends Error { readonly code: string }
/** A length, rank, axis or dimension does not fit: `INVALID_SHAPE`. */
export class ShapeError extends NormError {}
/** The module or a model could not be fetched, read or compiled: `FETCH_FAILED`, `HTTP_STATUS`, `NOT_A_MODULE`,
 *  `BLOCKED_BY_POLICY` (by the page's Content-Security-Policy), `INTERRUPTED`, `COMPILE_FAILED`, `START_FAILED`, `VERSION_MISMATCH`, `INVALID_MODEL`, `ABORTED`, `LOAD_FAILED`. */
export class LoadError extends NormError {}
/** An operator, attribute or type that is not implemented: `UNSUPPORTED`; the first 32 are listed, the others counted. `OTHER_EDITION`
 *  is for callers of the module's own API object alone: InferenceSession.create answers it by fetching the full edition. */
export class UnsupportedError extends NormError {}
/** Use after dispose() or release(), or after the runtime died: `DISPOSED`. */
export class DisposedError extends NormError {}
