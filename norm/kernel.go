package norm

// The kernels and their contract. A kernel is an unchecked, allocation-free
// function over whole blocks of rows. Each one exists
//
//   - in Go, always compiled, as xxxScalar (kernel_scalar.go);
//   - in wasm SIMD128 (kernel_wasm.s, generated; kernel_wasm.go has the stubs);
//   - under its plain name on every target: the assembly in wasm, a forward to
//     the scalar twin elsewhere and under the tag purego (kernel_other.go).
//
// The twins give the same bits: an element goes to the same lane, lanes are
// folded in the same tree, and no product is contracted with a sum. NaNs may
// differ in sign and payload. The comments below are the loops: "lanewise" is
// one vector operation, sums are written with all their parentheses, f32 and
// f64 say in which type an operation rounds.
//
// What holds for all of them: pointers need float32 alignment only (4 bytes);
// the caller passes sizes ≥ 1 (the twins tolerate less, nothing relies on it); dst may be
// exactly src (or residual) but must not overlap it otherwise; an element's
// result depends on its own row, never on its neighbours, its position in the
// call or its address.
//
// # layerNormRows
//
//	func layerNormRows(dst, src, gamma, beta, mean, rstd *float32, rows, cols int, epsilon float64) (done int)
//
// normalizes rows × cols elements and returns how many rows it finished. It
// stops before the first HARD row, with nothing of that row written; the caller
// takes that row in float64 (exactLayerNormRow) and calls again for the rest.
// gamma and beta (cols elements) and mean and rstd (rows elements) may each be
// nil. epsilon is ≥ 0 and finite. For each row x of n = cols elements:
//
//	// 1. A shift near the mean; a constant row gives it exactly.
//	n ≥ 16:  s = n/16*4                                  // integer; in elements
//	         v = (x[0:4] + x[s:s+4]) + (x[2s:2s+4] + x[3s:3s+4])     // f32 lanewise
//	         K = ((v0 + v1) + (v2 + v3)) * 0.0625        // f32
//	n < 16:  K = x[0]
//
//	// 2. One sweep.
//	a0 … a3 f64x2 = 0, q0 … q3 f32x4 = 0, Q0 Q1 f64x2 = 0
//	for i = 0; i < n/16; i++ {
//		v0 … v3 = x[16i : 16i+16]
//		a0 += f64(v0.low) + f64(v2.low);   a1 += f64(v0.high) + f64(v2.high)  // the sum in the
//		a2 += f64(v1.low) + f64(v3.low);   a3 += f64(v1.high) + f64(v3.high)  // bracket first
//		for k = 0 … 3 { d = v_k - K; q_k = q_k + d*d }       // f32 lanewise, rounding d*d
//		if i%16 == 15 { fold }                               // after each 256 elements
//	}
//	for k = 0; k < n%16/4; k++ {                             // tail vectors, at most three
//		v = x[n/16*16 + 4k : … + 4]
//		a_{2(k%2)} += f64(v.low); a_{2(k%2)+1} += f64(v.high)  // v0→a0,a1  v1→a2,a3  v2→a0,a1
//		d = v - K; q_k = q_k + d*d
//	}
//	fold                                                     // always, once more
//	fold: q = (q0 + q1) + (q2 + q3)                          // f32 lanewise
//	      Q0 += f64(q.low); Q1 += f64(q.high); q0 … q3 = 0
//	a = (a0 + a2) + (a1 + a3)                                // f64 lanewise
//	S = a[0] + a[1]
//	Q = (Q0[0] + Q0[1]) + (Q1[0] + Q1[1])
//	for each of the last n%4 elements, in order {            // tail scalars, at most three
//		S = S + f64(x); d = x - K; Q = Q + f64(d*d)          // d and d*d round to f32
//	}
//
//	// 3. Moments, in f64 scalars.
//	μ = S / f64(n);  c = μ - f64(K);  var = Q/f64(n) - c*c
//	if c*c > 0.5*var {             // K was far off: the difference above cancels
//		sweep once more with K = f32(μ); S comes out the same; c and var as above
//		if c*c > var { HARD }
//	}
//	v = var + epsilon
//	if !(v ≥ 1e-30 && v ≤ 1e+36) { HARD }      // also when NaN
//	r  = f32(1 / sqrt(v))
//	mh = f32(μ);  ml = f32(μ - f64(mh))
//	if mean ≠ nil { mean[row] = mh }
//	if rstd ≠ nil { rstd[row] = r }
//
//	// 4. Application, elementwise in f32; a step whose parameter is nil is left out.
//	y = (((x - mh) - ml) * r) * gamma + beta
//
// Why so. Σx in float64 and the mean as the pair mh + ml make x − μ good to a
// relative error of a few roundings even where it is near zero. d² in float32
// with at most 17 terms a lane before it goes to float64 keeps the relative
// error of the variance within about ten roundings at the very worst, and c² ≤
// var/2 lets the correction magnify that by 1.5 at most. The range of v keeps d²
// away from underflow (where ε does not cover it) and turns every overflow, NaN
// and Inf into a HARD row: they all end in a v outside, or in no number at all.
// The comparisons are false for NaN, so a NaN falls through to the last one.
//
// # addRows
//
//	func addRows(dst, src, residual *float32, count int)
//
//	for i < count { dst[i] = src[i] + residual[i] }          // f32
//
// # batchNormPlanes
//
//	func batchNormPlanes(dst, src, mean, scale, beta *float32, planes, channels, inner, clamp int)
//
// is BatchNorm's application for channels-first data: planes × inner elements,
// plane p belonging to channel p % channels. No parameter is nil; each has
// channels elements; scale is gamma/√(variance + ε).
//
//	for p < planes, i < inner {
//		y = (src[p*inner+i] - mean[p%channels]) * scale[p%channels] + beta[p%channels]   // f32
//		if clamp ≥ 1 { if y < 0 { y = 0 } }                  // f32x4.pmax(y, 0)
//		if clamp ≥ 2 { if y > 6 { y = 6 } }                  // f32x4.pmin(y, 6)
//		dst[p*inner+i] = y
//	}
//
// wasm's pmax(a, b) is b when a < b and a otherwise: y has to be the first
// operand, then a NaN passes through.
//
// # batchNormRows
//
//	func batchNormRows(dst, src, mean, scale, beta *float32, count, period, clamp int)
//
// is the same for channels-last data: element i takes the parameters at
// i % period. The three have period elements, a tiling of the channels; the
// caller makes period a multiple of 4 wherever count > period, but any is legal,
// and count need not be a multiple of it.
//
//	for i < count {
//		y = (src[i] - mean[i%period]) * scale[i%period] + beta[i%period]     // f32
//		clamp as above
//		dst[i] = y
//	}

// The last argument of the BatchNorm kernels.
const (
	clampNone  = 0
	clampReLU  = 1 // max(y, 0)
	clampReLU6 = 2 // min(max(y, 0), 6)
)

const (
	foldSteps   = 16    // 16-element steps between two folds of the squares
	varianceMin = 1e-30 // a row with variance + ε below is HARD
	varianceMax = 1e+36 // … and above
)
