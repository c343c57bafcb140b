package nn

import "math"

func addRowsScalar(y, a *float32, as, ac int, b *float32, bs, bc int, rows, cols int) {
	combine(y, a, as, ac, b, bs, bc, rows, cols, func(p, q float32) float32 { return p + q })
}

func subRowsScalar(y, a *float32, as, ac int, b *float32, bs, bc int, rows, cols int) {
	combine(y, a, as, ac, b, bs, bc, rows, cols, func(p, q float32) float32 { return p - q })
}

func mulRowsScalar(y, a *float32, as, ac int, b *float32, bs, bc int, rows, cols int) {
	combine(y, a, as, ac, b, bs, bc, rows, cols, func(p, q float32) float32 { return p * q })
}

func divRowsScalar(y, a *float32, as, ac int, b *float32, bs, bc int, rows, cols int) {
	combine(y, a, as, ac, b, bs, bc, rows, cols, func(p, q float32) float32 { return p / q })
}

func maxRowsScalar(y, a *float32, as, ac int, b *float32, bs, bc int, rows, cols int) {
	combine(y, a, as, ac, b, bs, bc, rows, cols, func(p, q float32) float32 { return max(p, q) })
}

func minRowsScalar(y, a *float32, as, ac int, b *float32, bs, bc int, rows, cols int) {
	combine(y, a, as, ac, b, bs, bc, rows, cols, func(p, q float32) float32 { return min(p, q) })
}

// combine is small enough to be inlined together with its function, so that the
// inner loops hold no call.
func combine(y, a *float32, as, ac int, b *float32, bs, bc int, rows, cols int, f func(p, q float32) float32) {
	ys := vec(y, rows*cols)
	av := vec(a, span(rows, as, span(cols, ac, 1)))
	bv := vec(b, span(rows, bs, span(cols, bc, 1)))
	for r := range rows {
		i, j := r*as, r*bs
		row := ys[r*cols:][:cols]
		for c := range row {
			row[c] = f(av[i], bv[j])
			i += ac
			j += bc
		}
	}
}

func clipNScalar(y, x *float32, n int, lo, hi float32) {
	ys, xs := vec(y, n), vec(x, n)
	for i, v := range xs {
		ys[i] = min(max(v, lo), hi)
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
		ys[i] = min(max(float32(alpha*v)+beta, 0), 1)
	}
}

func hardSwishNScalar(y, x *float32, n int, alpha, beta float32) {
	ys, xs := vec(y, n), vec(x, n)
	for i, v := range xs {
		ys[i] = v * min(max(float32(alpha*v)+beta, 0), 1)
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
