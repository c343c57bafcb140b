// Seeded data and float64 references: every contender must give the right
// answer before its time counts.

/** xorshift32: the same numbers on every run. */
export function generator(seed) {
  let s = seed >>> 0 || 1;
  return () => {
    s ^= s << 13;
    s >>>= 0;
    s ^= s >>> 17;
    s ^= s << 5;
    s >>>= 0;
    return s / 4294967296;
  };
}

/** n float32 values, uniform in [low, high). */
export function uniform(n, low, high, seed) {
  const next = generator(seed);
  return Float32Array.from({ length: n }, () => low + (high - low) * next());
}

export function layerNormReference(x, gamma, beta, rows, cols, epsilon) {
  const y = new Float64Array(x.length);
  for (let r = 0; r < rows; r++) {
    let mean = 0;
    for (let c = 0; c < cols; c++) mean += x[r * cols + c];
    mean /= cols;
    let variance = 0;
    for (let c = 0; c < cols; c++) variance += (x[r * cols + c] - mean) ** 2;
    variance /= cols;
    const rstd = 1 / Math.sqrt(variance + epsilon);
    for (let c = 0; c < cols; c++) y[r * cols + c] = (x[r * cols + c] - mean) * rstd * gamma[c] + beta[c];
  }
  return y;
}

/** dims is [N, C, ...inner]. */
export function batchNormReference(x, { gamma, beta, mean, variance }, dims, epsilon) {
  const [, channels, ...rest] = dims;
  const inner = rest.reduce((a, b) => a * b, 1);
  return Float64Array.from(x, (v, i) => {
    const c = Math.floor(i / inner) % channels;
    return ((v - mean[c]) / Math.sqrt(variance[c] + epsilon)) * gamma[c] + beta[c];
  });
}

/** [N, C, ...inner] to [N, ...inner, C]. */
export function channelsLast(x, dims) {
  const [n, channels, ...rest] = dims;
  const inner = rest.reduce((a, b) => a * b, 1);
  const y = new x.constructor(x.length);
  for (let b = 0; b < n; b++) {
    for (let c = 0; c < channels; c++) {
      for (let i = 0; i < inner; i++) y[(b * inner + i) * channels + c] = x[(b * channels + c) * inner + i];
    }
  }
  return y;
}

export function maxDifference(got, want) {
  if (got.length !== want.length) throw new Error(`${got.length} elements, want ${want.length}`);
  let worst = 0;
  for (let i = 0; i < got.length; i++) {
    const d = Math.abs(got[i] - want[i]);
    if (Number.isNaN(d)) return NaN;
    if (d > worst) worst = d;
  }
  return worst;
}

export function requireClose(who, got, want, tolerance) {
  const worst = maxDifference(got, want);
  if (!(worst <= tolerance)) throw new Error(`${who}: differs from the reference by ${worst}, allowed ${tolerance}`);
  return worst;
}
