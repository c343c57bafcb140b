package kernel

import "math"

// LayerNorm and BatchNorm. The twins walk lanes one after another,
// so that the accumulators of one stay in registers.

// The last argument of the kernels that clamp.
const (
	ClampNone  = 0
	ClampReLU  = 1 // max(y, 0)
	ClampReLU6 = 2 // min(max(y, 0), 6)
)

// A row is HARD, and left to its caller, where its variance + ε is outside of these.
const (
	VarianceMin = 1e-30
	VarianceMax = 1e+36
)

// MeanMax is half a unit in the last place of the largest float32: what is below cannot
// bring a product that overflowed back into range.
const MeanMax = 1 << 102

// IsLarge says whether beta could bring a product back that overflowed float32.
func IsLarge(beta float32) bool { return !(AbsOf(beta) < MeanMax) }

// LayerNormRows normalizes rows × cols elements and returns how many rows it finished. It
// stops before the first HARD row, with nothing of that row written; the caller
// takes that row in float64 (norm's rowCall.exact) and calls again for the rest.
// gamma and beta (cols elements) and mean and rstd (rows elements) may each be
// nil. epsilon is ≥ 0 and finite. For each row x of n = cols elements:
//
//	// 1. One sweep, all of it in f64; K = 0.
//	a0 a1 q0 q1 f64x2 = 0
//	for i = 0; i < n/16; i++ {
//		v0 … v3 = x[16i : 16i+16];  l_k = f64(v_k.low) - K;  h_k = f64(v_k.high) - K
//		a0 += ((l0 + l1) + l2) + l3;                 a1 += ((h0 + h1) + h2) + h3    // the sums in the
//		q0 += ((l0*l0 + l1*l1) + l2*l2) + l3*l3;     q1 += the same of h            // brackets first
//	}
//	for k = 0; k < n%16/4; k++ {                             // tail vectors, at most three
//		v = x[n/16*16 + 4k : … + 4];  l and h as above
//		a0 += l;  q0 += l*l;  a1 += h;  q1 += h*h
//	}
//	a = a0 + a1;  q = q0 + q1                                // lanewise
//	S = a[0] + a[1];  Q = q[0] + q[1]
//	for each of the last n%4 elements, in order {            // tail scalars, at most three
//		d = f64(x) - K;  S = S + d;  Q = Q + d*d
//	}
//
//	// 2. Moments, in f64 scalars.
//	N = 1 / f64(n);  μ = S / f64(n);  var = Q*N - μ*μ
//	if μ*μ > 4096*var {            // the difference cancels: sweep once more
//		K = f64(f32(μ));  c = S / f64(n);  μ = K + c;  var = Q*N - c*c
//	}
//	v = var + epsilon
//	if !(v ≥ 1e-30 && v ≤ 1e+36) { HARD }      // also when NaN
//	mh = f32(μ);  r = f32(1 / sqrt(v));  c = f32((f64(mh) - μ) * (1 / sqrt(v)))
//	if mean ≠ nil { mean[row] = mh }
//	if rstd ≠ nil { rstd[row] = r }
//
//	// 3. Application, elementwise in f32; a step whose parameter is nil is left out.
//	y = ((x - mh) * r + c) * gamma + beta
//
// Why so. Squares of float32 are exact in float64, and none overflows or vanishes
// there; a conversion costs no more than the subtraction of a shift and the folding
// of float32 sums that it takes the place of. With μ² ≤ 4096·var the difference
// loses at most 13 of float64's 53 bits, which leaves the relative error of the
// variance far below float32's; the second sweep has a K next to the mean, to which
// even 1e7 ± 50 is nothing special. What the mean lacks in float32 goes with the
// shift c: near the mean x − mh is exact, and at least as large as what it lacks, so that
// y is good to a relative error of a few roundings even where it is near zero.
// v outside of its range are rows whose x − μ float32 would not carry, and NaN and
// Inf, which all end in no number: a comparison with NaN is false.
func layerNormRowsScalar(dst, src, gamma, beta, mean, rstd *float32, rows, cols int, epsilon float64, done *int) {
	if rows <= 0 || cols <= 0 {
		*done = rows
		return
	}
	size := rows * cols
	xs, ys := slice(src, size), slice(dst, size)
	g, b, means, rstds := slice(gamma, cols), slice(beta, cols), slice(mean, rows), slice(rstd, rows)
	for row := range rows {
		x := xs[row*cols : (row+1)*cols : (row+1)*cols]
		mu, variance := rowMoment(x)
		v := variance + epsilon
		if !isCarried(v) {
			*done = row
			return
		}
		exact := 1 / math.Sqrt(v)
		r, high := float32(exact), float32(mu)
		shift := float32((float64(high) - mu) * exact)
		if means != nil {
			means[row] = high
		}
		if rstds != nil {
			rstds[row] = r
		}
		applyRow(ys[row*cols:(row+1)*cols:(row+1)*cols], x, g, b, high, r, shift)
	}
	*done = rows
}

// rowMoment is steps 1 and 2 of LayerNormRows.
func rowMoment(x []float32) (mu, variance float64) {
	n := float64(len(x))
	part := 1 / n
	sum, squares := rowSweep(x, 0)
	mu = sum / n
	square := float64(mu * mu)
	variance = float64(squares*part) - square
	if square > float64(4096*variance) {
		shift := float64(float32(mu))
		sum, squares = rowSweep(x, shift)
		c := sum / n
		mu = shift + c
		variance = float64(squares*part) - float64(c*c)
	}
	return mu, variance
}

// isCarried says whether a row of this variance, epsilon included, is not HARD.
func isCarried(v float64) bool { return v >= VarianceMin && v <= VarianceMax }

// rowSweep returns S = Σ(x-shift) and Q = Σ(x-shift)² of LayerNormRows.
func rowSweep(x []float32, shift float64) (sum, squares float64) {
	var a, q [4]float64 // a0, a1 and q0, q1
	n := len(x)
	whole := n &^ 15
	for l := range a { // a lane of the four vectors
		var s, t float64
		for rest := x[:whole]; len(rest) >= 16; rest = rest[16:] {
			v := rest[l : l+13 : l+13]
			d0, d1, d2, d3 := float64(v[0])-shift, float64(v[4])-shift, float64(v[8])-shift, float64(v[12])-shift
			s += ((d0 + d1) + d2) + d3
			t += ((float64(d0*d0) + float64(d1*d1)) + float64(d2*d2)) + float64(d3*d3)
		}
		a[l], q[l] = s, t
	}
	i := whole
	for ; i+4 <= n; i += 4 {
		for l, e := range x[i : i+4] {
			d := float64(e) - shift
			a[l] += d
			q[l] += float64(d * d)
		}
	}
	sum = (a[0] + a[2]) + (a[1] + a[3])
	squares = (q[0] + q[2]) + (q[1] + q[3])
	for ; i < n; i++ {
		d := float64(x[i]) - shift
		sum += d
		squares += float64(d * d)
	}
	return sum, squares
}

// applyRow is step 3 of LayerNormRows. gamma and beta may be nil.
func applyRow(y, x, gamma, beta []float32, mean, rstd, shift float32) {
	y = y[:len(x)]
	switch {
	case gamma != nil && beta != nil:
		gamma, beta = gamma[:len(x)], beta[:len(x)]
		for i, e := range x {
			z := float32((e-mean)*rstd) + shift
			y[i] = float32(z*gamma[i]) + beta[i]
		}
	case gamma != nil:
		gamma = gamma[:len(x)]
		for i, e := range x {
			y[i] = (float32((e-mean)*rstd) + shift) * gamma[i]
		}
	case beta != nil:
		beta = beta[:len(x)]
		for i, e := range x {
			y[i] = (float32((e-mean)*rstd) + shift) + beta[i]
		}
	default:
		for i, e := range x {
			y[i] = float32((e-mean)*rstd) + shift
		}
	}
}

// Peak:
//
//	for i < count { bits = max(bits, bits of |src[i]|) }     // NaN's are above Inf's
func peakScalar(src *float32, count int) (bits int) {
	for _, e := range slice(src, count) {
		bits = max(bits, int(math.Float32bits(e)&^(1<<31)))
	}
	return bits
}

// BatchNormPlanes is BatchNorm's application for channels-first data: planes × inner elements,
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
func batchNormPlanesScalar(dst, src, mean, scale, beta *float32, planes, channels, inner, clamp int) {
	if planes <= 0 || channels <= 0 || inner <= 0 {
		return
	}
	xs, ys := slice(src, planes*inner), slice(dst, planes*inner)
	means, scales, betas := slice(mean, channels), slice(scale, channels), slice(beta, channels)
	for p := range planes {
		c := p % channels
		m, a, b := means[c], scales[c], betas[c]
		x := xs[p*inner : (p+1)*inner]
		y := ys[p*inner : (p+1)*inner][:len(x)]
		for i, e := range x {
			y[i] = float32((e-m)*a) + b
		}
		clampRow(y, clamp)
	}
}

// BatchNormRows is the same for channels-last data: element i takes the parameters at
// i % period. The three have period elements, a tiling of the channels; the
// caller makes period a multiple of 4 wherever count > period, but any is legal,
// and count need not be a multiple of it.
//
//	for i < count {
//		y = (src[i] - mean[i%period]) * scale[i%period] + beta[i%period]     // f32
//		clamp as above
//		dst[i] = y
//	}
func batchNormRowsScalar(dst, src, mean, scale, beta *float32, count, period, clamp int) {
	if count <= 0 || period <= 0 {
		return
	}
	xs, ys := slice(src, count), slice(dst, count)
	means, scales, betas := slice(mean, period), slice(scale, period), slice(beta, period)
	for start := 0; start < count; start += period {
		x := xs[start:min(start+period, count)]
		y := ys[start:][:len(x)]
		m, a, b := means[:len(x)], scales[:len(x)], betas[:len(x)]
		for i, e := range x {
			y[i] = float32((e-m[i])*a[i]) + b[i]
		}
		clampRow(y, clamp)
	}
}

// clampRow is Clamped of each element, if there is anything to do.
func clampRow(y []float32, clamp int) {
	if clamp == ClampNone {
		return
	}
	for i, e := range y {
		y[i] = Clamped(e, clamp)
	}
}

// Clamped is the clamp of the BatchNorm kernels; a NaN passes through.
func Clamped(y float32, clamp int) float32 {
	if clamp >= ClampReLU && y < 0 {
		y = 0
	}
	if clamp >= ClampReLU6 && y > 6 {
		y = 6
	}
	return y
}
