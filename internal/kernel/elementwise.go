package kernel

import "math"

// Go calls the runtime for each min and max of floats in wasm, at forty
// nanoseconds a time; comparisons settle nearly all of them first.

func larger(a, b float32) float32 {
	switch {
	case a > b:
		return a
	case a < b:
		return b
	}
	return max(a, b)
}

func smaller(a, b float32) float32 {
	switch {
	case a < b:
		return a
	case a > b:
		return b
	}
	return min(a, b)
}

// clampOf is min(max(v, lo), hi).
func clampOf(v, lo, hi float32) float32 {
	if v > lo && v < hi {
		return v
	}
	return smaller(larger(v, lo), hi)
}

// AddRows, SubRows, MulRows, DivRows, MaxRows and MinRows combine two operands
// elementwise. y is contiguous [rows, cols]; an operand's row step as, bs is any number
// and its column step ac, bc is 1 or 0 (a scalar a row). y may be a or b when that
// operand is contiguous as well.
//
//	for r := 0; r < rows; r++ {
//		for c := 0; c < cols; c++ {
//			y[r*cols+c] = a[r*as+c*ac] ∘ b[r*bs+c*bc]
//		}
//	}
func addRowsScalar(y, a *float32, as, ac int, b *float32, bs, bc int, rows, cols int) {
	for r := range rows {
		y, a, b := row(y, r*cols, cols, 1), row(a, r*as, cols, ac), row(b, r*bs, cols, bc)
		i, j := 0, 0
		for c := range y {
			y[c] = a[i] + b[j]
			i, j = i+ac, j+bc
		}
	}
}

// SubRows: see AddRows.
func subRowsScalar(y, a *float32, as, ac int, b *float32, bs, bc int, rows, cols int) {
	for r := range rows {
		y, a, b := row(y, r*cols, cols, 1), row(a, r*as, cols, ac), row(b, r*bs, cols, bc)
		i, j := 0, 0
		for c := range y {
			y[c] = a[i] - b[j]
			i, j = i+ac, j+bc
		}
	}
}

// MulRows: see AddRows.
func mulRowsScalar(y, a *float32, as, ac int, b *float32, bs, bc int, rows, cols int) {
	for r := range rows {
		y, a, b := row(y, r*cols, cols, 1), row(a, r*as, cols, ac), row(b, r*bs, cols, bc)
		i, j := 0, 0
		for c := range y {
			y[c] = a[i] * b[j]
			i, j = i+ac, j+bc
		}
	}
}

// DivRows: see AddRows.
func divRowsScalar(y, a *float32, as, ac int, b *float32, bs, bc int, rows, cols int) {
	for r := range rows {
		y, a, b := row(y, r*cols, cols, 1), row(a, r*as, cols, ac), row(b, r*bs, cols, bc)
		i, j := 0, 0
		for c := range y {
			y[c] = a[i] / b[j]
			i, j = i+ac, j+bc
		}
	}
}

// MaxRows: see AddRows.
func maxRowsScalar(y, a *float32, as, ac int, b *float32, bs, bc int, rows, cols int) {
	for r := range rows {
		y, a, b := row(y, r*cols, cols, 1), row(a, r*as, cols, ac), row(b, r*bs, cols, bc)
		i, j := 0, 0
		for c := range y {
			y[c] = larger(a[i], b[j])
			i, j = i+ac, j+bc
		}
	}
}

// MinRows: see AddRows.
func minRowsScalar(y, a *float32, as, ac int, b *float32, bs, bc int, rows, cols int) {
	for r := range rows {
		y, a, b := row(y, r*cols, cols, 1), row(a, r*as, cols, ac), row(b, r*bs, cols, bc)
		i, j := 0, 0
		for c := range y {
			y[c] = smaller(a[i], b[j])
			i, j = i+ac, j+bc
		}
	}
}

// row is the n elements from p[from] on that lie step apart.
func row(p *float32, from, n, step int) []float32 {
	if n == 0 {
		return nil
	}
	return slice(p, from+Span(n, step, 1))[from:]
}

// The elementwise functions of n elements; y may be x. A tail of 1 to 3 elements goes
// through the same operations, lane by lane.

// ClipN: y = min(max(x, lo), hi)
func clipNScalar(y, x *float32, n int, lo, hi float32) {
	ys, xs := slice(y, n), slice(x, n)
	for i, v := range xs {
		ys[i] = clampOf(v, lo, hi)
	}
}

// AbsN: y = |x| (the sign bit cleared)
func absNScalar(y, x *float32, n int) {
	ys, xs := slice(y, n), slice(x, n)
	for i, v := range xs {
		ys[i] = AbsOf(v)
	}
}

// NegN: y = -x (the sign bit flipped)
func negNScalar(y, x *float32, n int) {
	ys, xs := slice(y, n), slice(x, n)
	for i, v := range xs {
		ys[i] = math.Float32frombits(math.Float32bits(v) ^ signBit)
	}
}

// SqrtN: y = √x, correctly rounded
func sqrtNScalar(y, x *float32, n int) {
	ys, xs := slice(y, n), slice(x, n)
	for i, v := range xs {
		ys[i] = float32(math.Sqrt(float64(v)))
	}
}

// LeakyN: y = x < 0 ? float32(alpha*x) : x (NaN stays)
func leakyNScalar(y, x *float32, n int, alpha float32) {
	ys, xs := slice(y, n), slice(x, n)
	for i, v := range xs {
		if v < 0 {
			v = float32(alpha * v)
		}
		ys[i] = v
	}
}

// HardSigmoidN: y = min(max(float32(alpha*x) + beta, 0), 1)
func hardSigmoidNScalar(y, x *float32, n int, alpha, beta float32) {
	ys, xs := slice(y, n), slice(x, n)
	for i, v := range xs {
		ys[i] = clampOf(float32(alpha*v)+beta, 0, 1)
	}
}

// HardSwishN: y = float32(float32(x * min(max(float32(alpha*x) + beta, 0), 1)) * scale) + shift.
// A scale of 1 and a shift of -0 change nothing.
func hardSwishNScalar(y, x *float32, n int, alpha, beta, scale, shift float32) {
	ys, xs := slice(y, n), slice(x, n)
	for i, v := range xs {
		ys[i] = float32(float32(v*clampOf(float32(alpha*v)+beta, 0, 1))*scale) + shift
	}
}

// ExpN: y = ExpOf(x)
func expNScalar(y, x *float32, n int) {
	ys, xs := slice(y, n), slice(x, n)
	for i, v := range xs {
		ys[i] = ExpOf(v)
	}
}

// SigmoidN: y = SigmoidOf(x)
func sigmoidNScalar(y, x *float32, n int) {
	ys, xs := slice(y, n), slice(x, n)
	for i, v := range xs {
		ys[i] = SigmoidOf(v)
	}
}

// SiluN: y = x * SigmoidOf(x)
func siluNScalar(y, x *float32, n int) {
	ys, xs := slice(y, n), slice(x, n)
	for i, v := range xs {
		ys[i] = v * SigmoidOf(v)
	}
}

// TanhN: y = TanhOf(x)
func tanhNScalar(y, x *float32, n int) {
	ys, xs := slice(y, n), slice(x, n)
	for i, v := range xs {
		ys[i] = TanhOf(v)
	}
}

// ErfN: y = ErfOf(x)
func erfNScalar(y, x *float32, n int) {
	ys, xs := slice(y, n), slice(x, n)
	for i, v := range xs {
		ys[i] = ErfOf(v)
	}
}

// GeluN: y = GeluOf(x)
func geluNScalar(y, x *float32, n int) {
	ys, xs := slice(y, n), slice(x, n)
	for i, v := range xs {
		ys[i] = GeluOf(v)
	}
}

// GeluTanhN: y = x * SigmoidOf(float32(x * (float32(float32(x*x)*geluCubic) + geluLinear)))
func geluTanhNScalar(y, x *float32, n int) {
	ys, xs := slice(y, n), slice(x, n)
	for i, v := range xs {
		ys[i] = GeluTanhOf(v)
	}
}

// LogN: y = LogOf(x)
func logNScalar(y, x *float32, n int) {
	ys, xs := slice(y, n), slice(x, n)
	for i, v := range xs {
		ys[i] = LogOf(v)
	}
}

// SoftplusN: y = SoftplusOf(x)
func softplusNScalar(y, x *float32, n int) {
	ys, xs := slice(y, n), slice(x, n)
	for i, v := range xs {
		ys[i] = SoftplusOf(v)
	}
}

// MishN: y = MishOf(x)
func mishNScalar(y, x *float32, n int) {
	ys, xs := slice(y, n), slice(x, n)
	for i, v := range xs {
		ys[i] = MishOf(v)
	}
}

// EluN: y = gamma * (x < 0 ? float32(alpha * expm1(x/divisor)) : x)
func eluNScalar(y, x *float32, n int, divisor, alpha, gamma float32) {
	ys, xs := slice(y, n), slice(x, n)
	for i, v := range xs {
		if v < 0 {
			v = float32(alpha * expm1(v/divisor))
		}
		ys[i] = gamma * v
	}
}

// What MapN computes.
const (
	MapFloor     = iota
	MapCeil      // rounded up
	MapRound     // to the nearest integer, halves to even
	MapSign      // -1 or 1, and x where it is neither below nor above 0
	MapSoftsign  // x / (1 + |x|)
	MapThreshold // x where x > alpha, else 0
	MapShrink    // x - beta where x > alpha, x + beta where x < -alpha, else 0
	MapInverse   // 1 / x
	MapCube      // float32(x * x) * x
)

// MapN: y is what how says.
func mapNScalar(y, x *float32, n, how int, alpha, beta float32) {
	ys, xs := slice(y, n), slice(x, n)
	for i, v := range xs {
		ys[i] = mapped(v, how, alpha, beta)
	}
}

func mapped(v float32, how int, alpha, beta float32) float32 {
	switch how {
	case MapFloor:
		return float32(math.Floor(float64(v)))
	case MapCeil:
		return float32(math.Ceil(float64(v)))
	case MapRound:
		return float32(math.RoundToEven(float64(v)))
	case MapSign:
		switch {
		case v > 0:
			return 1
		case v < 0:
			return -1
		}
		return v
	case MapSoftsign:
		return v / (1 + AbsOf(v))
	case MapThreshold:
		if v > alpha {
			return v
		}
		return 0
	case MapShrink:
		switch {
		case v > alpha:
			return v - beta
		case v < -alpha:
			return v + beta
		}
		return 0
	case MapInverse:
		return 1 / v
	}
	return float32(v*v) * v
}
