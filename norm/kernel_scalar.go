package norm

import (
	"math"
	"unsafe"
)

// The scalar twins: see kernel.go for each loop. Lanes are walked one after another,
// so that the accumulators of one stay in registers.

// slice is n elements from p on, and nil for nil.
func slice[T any](p *T, n int) []T {
	if p == nil {
		return nil
	}
	return unsafe.Slice(p, n)
}

// layerNormRowsScalar is layerNormRows; the comment in kernel.go is its loop.
func layerNormRowsScalar(dst, src, gamma, beta, mean, rstd *float32, rows, cols int, epsilon float64) (done int) {
	if rows <= 0 || cols <= 0 {
		return rows
	}
	size := rows * cols
	xs, ys := slice(src, size), slice(dst, size)
	g, b, means, rstds := slice(gamma, cols), slice(beta, cols), slice(mean, rows), slice(rstd, rows)
	for row := range rows {
		x := xs[row*cols : (row+1)*cols : (row+1)*cols]
		mu, variance := rowMoment(x)
		v := variance + epsilon
		if !isCarried(v) {
			return row
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
	return rows
}

// rowMoment is steps 1 and 2 of layerNormRows.
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
func isCarried(v float64) bool { return v >= varianceMin && v <= varianceMax }

// rowSweep returns S = Σ(x-shift) and Q = Σ(x-shift)² of layerNormRows.
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

// applyRow is step 3 of layerNormRows. gamma and beta may be nil.
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

// addRowsScalar is addRows: dst[i] = src[i] + residual[i].
func addRowsScalar(dst, src, residual *float32, count int) {
	if count <= 0 {
		return
	}
	x, r, y := slice(src, count), slice(residual, count), slice(dst, count)
	for i, e := range x {
		y[i] = e + r[i]
	}
}

// peakScalar is peak; the comment in kernel.go is its loop.
func peakScalar(src *float32, count int) (bits int) {
	for _, e := range slice(src, count) {
		bits = max(bits, int(math.Float32bits(e)&^(1<<31)))
	}
	return bits
}

// batchNormPlanesScalar is batchNormPlanes; the comment in kernel.go is its loop.
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

// batchNormRowsScalar is batchNormRows; the comment in kernel.go is its loop.
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

// clampRow is clampScalar of each element, if there is anything to do.
func clampRow(y []float32, clamp int) {
	if clamp == clampNone {
		return
	}
	for i, e := range y {
		y[i] = clampScalar(e, clamp)
	}
}

// clampScalar is the clamp of the BatchNorm kernels; a NaN passes through.
func clampScalar(y float32, clamp int) float32 {
	if clamp >= clampReLU && y < 0 {
		y = 0
	}
	if clamp >= clampReLU6 && y > 6 {
		y = 6
	}
	return y
}
