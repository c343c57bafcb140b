package nn

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
	return vec(p, from+span(n, step, 1))[from:]
}

func clipNScalar(y, x *float32, n int, lo, hi float32) {
	ys, xs := vec(y, n), vec(x, n)
	for i, v := range xs {
		ys[i] = clampOf(v, lo, hi)
	}
}

func absNScalar(y, x *float32, n int) {
	ys, xs := vec(y, n), vec(x, n)
	for i, v := range xs {
		ys[i] = absOf(v)
	}
}

func negNScalar(y, x *float32, n int) {
	ys, xs := vec(y, n), vec(x, n)
	for i, v := range xs {
		ys[i] = math.Float32frombits(math.Float32bits(v) ^ signBit)
	}
}

func sqrtNScalar(y, x *float32, n int) {
	ys, xs := vec(y, n), vec(x, n)
	for i, v := range xs {
		ys[i] = float32(math.Sqrt(float64(v)))
	}
}

func leakyNScalar(y, x *float32, n int, alpha float32) {
	ys, xs := vec(y, n), vec(x, n)
	for i, v := range xs {
		if v < 0 {
			v = float32(alpha * v)
		}
		ys[i] = v
	}
}

func hardSigmoidNScalar(y, x *float32, n int, alpha, beta float32) {
	ys, xs := vec(y, n), vec(x, n)
	for i, v := range xs {
		ys[i] = clampOf(float32(alpha*v)+beta, 0, 1)
	}
}

func hardSwishNScalar(y, x *float32, n int, alpha, beta float32) {
	ys, xs := vec(y, n), vec(x, n)
	for i, v := range xs {
		ys[i] = v * clampOf(float32(alpha*v)+beta, 0, 1)
	}
}

func expNScalar(y, x *float32, n int) {
	ys, xs := vec(y, n), vec(x, n)
	for i, v := range xs {
		ys[i] = expOf(v)
	}
}

func sigmoidNScalar(y, x *float32, n int) {
	ys, xs := vec(y, n), vec(x, n)
	for i, v := range xs {
		ys[i] = sigmoidOf(v)
	}
}

func siluNScalar(y, x *float32, n int) {
	ys, xs := vec(y, n), vec(x, n)
	for i, v := range xs {
		ys[i] = v * sigmoidOf(v)
	}
}

func tanhNScalar(y, x *float32, n int) {
	ys, xs := vec(y, n), vec(x, n)
	for i, v := range xs {
		ys[i] = tanhOf(v)
	}
}

func erfNScalar(y, x *float32, n int) {
	ys, xs := vec(y, n), vec(x, n)
	for i, v := range xs {
		ys[i] = erfOf(v)
	}
}

func geluNScalar(y, x *float32, n int) {
	ys, xs := vec(y, n), vec(x, n)
	for i, v := range xs {
		ys[i] = v * normalOf(v)
	}
}

func geluTanhNScalar(y, x *float32, n int) {
	ys, xs := vec(y, n), vec(x, n)
	for i, v := range xs {
		ys[i] = geluTanhOf(v)
	}
}
