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

/** n float32 values, uniform in [−spread, spread): a linear congruence, for weights by the million. */
export function fast(n, spread, seed) {
  const out = new Float32Array(n);
  const unit = spread / 2 ** 31;
  let s = Math.imul(seed, 0x9e3779b1) | 1;
  for (let i = 0; i < n; i++) {
    s = (Math.imul(s, 1664525) + 1013904223) | 0;
    out[i] = s * unit;
  }
  return out;
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

export function rmsNormReference(x, gamma, rows, cols, epsilon) {
  const y = new Float64Array(x.length);
  for (let r = 0; r < rows; r++) {
    let square = 0;
    for (let c = 0; c < cols; c++) square += x[r * cols + c] ** 2;
    const rstd = 1 / Math.sqrt(square / cols + epsilon);
    for (let c = 0; c < cols; c++) y[r * cols + c] = x[r * cols + c] * rstd * gamma[c];
  }
  return y;
}

/** dims is [N, C, ...inner]; groups = C is InstanceNorm. */
export function groupNormReference(x, { gamma, beta }, dims, groups, epsilon) {
  const [n, channels, ...rest] = dims;
  const inner = rest.reduce((a, b) => a * b, 1);
  const size = (channels / groups) * inner;
  const y = layerNormReference(x, new Float32Array(size).fill(1), new Float32Array(size), n * groups, size, epsilon);
  return y.map((v, i) => {
    const c = Math.floor(i / inner) % channels;
    return v * gamma[c] + beta[c];
  });
}

/**
 * Forward and backward of a matrix [rows, cols] whose columns (BatchNorm, channels
 * last) or rows (LayerNorm) share statistics. gamma and beta belong to columns.
 */
export function trainingReference(x, dy, { gamma, beta }, rows, cols, epsilon, columns) {
  const group = (i) => (columns ? i % cols : Math.floor(i / cols));
  const groups = columns ? cols : rows;
  const n = x.length / groups;
  const sums = (f) => {
    const s = new Float64Array(groups);
    for (let i = 0; i < x.length; i++) s[group(i)] += f(i) / n;
    return s;
  };
  const mean = sums((i) => x[i]);
  const rstd = sums((i) => (x[i] - mean[group(i)]) ** 2).map((v) => 1 / Math.sqrt(v + epsilon));
  const xhat = Float64Array.from(x, (v, i) => (v - mean[group(i)]) * rstd[group(i)]);
  const g = Float64Array.from(dy, (v, i) => v * gamma[i % cols]);
  const m1 = sums((i) => g[i]);
  const m2 = sums((i) => g[i] * xhat[i]);
  const dgamma = new Float64Array(cols);
  const dbeta = new Float64Array(cols);
  for (let i = 0; i < x.length; i++) {
    dgamma[i % cols] += dy[i] * xhat[i];
    dbeta[i % cols] += dy[i];
  }
  return {
    y: xhat.map((v, i) => v * gamma[i % cols] + beta[i % cols]),
    dx: g.map((v, i) => (v - m1[group(i)] - xhat[i] * m2[group(i)]) * rstd[group(i)]),
    dgamma, dbeta,
  };
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
