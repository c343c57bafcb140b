package norm

import (
	"math"
	"unsafe"
)

// The scalar twins: see kernel.go for each loop. Lanes are walked in halves of
// eight (two of each vector), so that the accumulators of one half stay in registers.

// layerNormRowsScalar is layerNormRows; the comment in kernel.go is its loop.
func layerNormRowsScalar(dst, src, gamma, beta, mean, rstd *float32, rows, cols int, epsilon float64) (done int) {
	if rows <= 0 || cols <= 0 {
		return rows
	}
	size := rows * cols
	xs, ys := unsafe.Slice(src, size), unsafe.Slice(dst, size)
	var g, b, means, rstds []float32
	if gamma != nil {
		g = unsafe.Slice(gamma, cols)
	}
	if beta != nil {
		b = unsafe.Slice(beta, cols)
	}
	if mean != nil {
		means = unsafe.Slice(mean, rows)
	}
	if rstd != nil {
		rstds = unsafe.Slice(rstd, rows)
	}
	for row := range rows {
		x := xs[row*cols : (row+1)*cols : (row+1)*cols]
		mu, variance, ok := rowMoment(x, epsilon)
		if !ok {
			return row
		}
		v := variance + epsilon
		r := float32(1 / math.Sqrt(v))
		high := float32(mu)
		low := float32(mu - float64(high))
		if means != nil {
			means[row] = high
		}
		if rstds != nil {
			rstds[row] = r
		}
		applyRow(ys[row*cols:(row+1)*cols:(row+1)*cols], x, g, b, high, low, r)
	}
	return rows
}

// rowMoment is steps 1 to 3 of layerNormRows; not ok says that the row is HARD.
func rowMoment(x []float32, epsilon float64) (mu, variance float64, ok bool) {
	n := float64(len(x))
	shift := rowShift(x)
	sum, squares := rowSweep(x, shift)
	mu = sum / n
	c := mu - float64(shift)
	cc := float64(c * c)
	variance = squares/n - cc
	if cc > float64(0.5*variance) {
		shift = float32(mu)
		_, squares = rowSweep(x, shift)
		c = mu - float64(shift)
		cc = float64(c * c)
		variance = squares/n - cc
		if cc > variance {
			return mu, variance, false
		}
	}
	v := variance + epsilon
	return mu, variance, v >= varianceMin && v <= varianceMax
}

// rowShift returns K of layerNormRows, a value near the mean of x.
func rowShift(x []float32) float32 {
	n := len(x)
	if n < 16 {
		return x[0]
	}
	s := n / 16 * 4
	p, q, r, t := x[0:4:4], x[s:s+4:s+4], x[2*s:2*s+4:2*s+4], x[3*s:3*s+4:3*s+4]
	v0 := (p[0] + q[0]) + (r[0] + t[0])
	v1 := (p[1] + q[1]) + (r[1] + t[1])
	v2 := (p[2] + q[2]) + (r[2] + t[2])
	v3 := (p[3] + q[3]) + (r[3] + t[3])
	return float32(((v0 + v1) + (v2 + v3)) * 0.0625)
}

// rowSweep returns S = Σx and Q = Σ(x−shift)² of layerNormRows.
func rowSweep(x []float32, shift float32) (sum, squares float64) {
	var a [4]float64  // a0, a1
	var q [16]float32 // q0 … q3
	var total [4]float64
	n := len(x)
	whole := n &^ 15
	for start := 0; start < whole; start += 16 * foldSteps {
		block := x[start:min(start+16*foldSteps, whole)]
		for h := 0; h < 4; h += 2 {
			a0, a1 := a[h], a[h+1]
			var p0, p1, p2, p3, r0, r1, r2, r3 float32
			for rest := block; len(rest) >= 16; rest = rest[16:] {
				v := rest[h : h+14 : h+14]
				x0, x1, x2, x3 := v[0], v[4], v[8], v[12]
				y0, y1, y2, y3 := v[1], v[5], v[9], v[13]
				a0 += ((float64(x0) + float64(x1)) + float64(x2)) + float64(x3)
				a1 += ((float64(y0) + float64(y1)) + float64(y2)) + float64(y3)
				x0, x1, x2, x3 = x0-shift, x1-shift, x2-shift, x3-shift
				y0, y1, y2, y3 = y0-shift, y1-shift, y2-shift, y3-shift
				p0 += float32(x0 * x0)
				p1 += float32(x1 * x1)
				p2 += float32(x2 * x2)
				p3 += float32(x3 * x3)
				r0 += float32(y0 * y0)
				r1 += float32(y1 * y1)
				r2 += float32(y2 * y2)
				r3 += float32(y3 * y3)
			}
			a[h], a[h+1] = a0, a1
			q[h], q[h+4], q[h+8], q[h+12] = p0, p1, p2, p3
			q[h+1], q[h+5], q[h+9], q[h+13] = r0, r1, r2, r3
		}
		if len(block) == 16*foldSteps {
			foldSquares(&total, &q)
		}
	}
	i := whole
	for ; i+4 <= n; i += 4 {
		k := i - whole
		v := x[i : i+4 : i+4]
		for l, e := range v {
			a[l] += float64(e)
			d := e - shift
			q[k+l] += float32(d * d)
		}
	}
	foldSquares(&total, &q)
	sum = (a[0] + a[2]) + (a[1] + a[3])
	squares = (total[0] + total[1]) + (total[2] + total[3])
	for ; i < n; i++ {
		sum += float64(x[i])
		d := x[i] - shift
		squares += float64(float32(d * d))
	}
	return sum, squares
}

// foldSquares is "fold" of layerNormRows.
func foldSquares(total *[4]float64, q *[16]float32) {
	for l := range 4 {
		total[l] += float64((q[l] + q[l+4]) + (q[l+8] + q[l+12]))
	}
	*q = [16]float32{}
}

// applyRow is step 4 of layerNormRows. gamma and beta may be nil.
func applyRow(y, x, gamma, beta []float32, high, low, rstd float32) {
	y = y[:len(x)]
	switch {
	case gamma != nil && beta != nil:
		gamma, beta = gamma[:len(x)], beta[:len(x)]
		for i, e := range x {
			y[i] = float32(float32(((e-high)-low)*rstd)*gamma[i]) + beta[i]
		}
	case gamma != nil:
		gamma = gamma[:len(x)]
		for i, e := range x {
			y[i] = float32(((e-high)-low)*rstd) * gamma[i]
		}
	case beta != nil:
		beta = beta[:len(x)]
		for i, e := range x {
			y[i] = float32(((e-high)-low)*rstd) + beta[i]
		}
	default:
		for i, e := range x {
			y[i] = ((e - high) - low) * rstd
		}
	}
}

// addRowsScalar is addRows: dst[i] = src[i] + residual[i].
func addRowsScalar(dst, src, residual *float32, count int) {
	if count <= 0 {
		return
	}
	x, r, y := unsafe.Slice(src, count), unsafe.Slice(residual, count), unsafe.Slice(dst, count)
	for i, e := range x {
		y[i] = e + r[i]
	}
}

// batchNormPlanesScalar is batchNormPlanes; the comment in kernel.go is its loop.
func batchNormPlanesScalar(dst, src, mean, scale, beta *float32, planes, channels, inner, clamp int) {
	if planes <= 0 || channels <= 0 || inner <= 0 {
		return
	}
	xs, ys := unsafe.Slice(src, planes*inner), unsafe.Slice(dst, planes*inner)
	means, scales, betas := unsafe.Slice(mean, channels), unsafe.Slice(scale, channels), unsafe.Slice(beta, channels)
	for p := range planes {
		c := p % channels
		m, a, b := means[c], scales[c], betas[c]
		x := xs[p*inner : (p+1)*inner]
		y := ys[p*inner : (p+1)*inner][:len(x)]
		for i, e := range x {
			y[i] = clampScalar(float32((e-m)*a)+b, clamp)
		}
	}
}

// batchNormRowsScalar is batchNormRows; the comment in kernel.go is its loop.
func batchNormRowsScalar(dst, src, mean, scale, beta *float32, count, period, clamp int) {
	if count <= 0 || period <= 0 {
		return
	}
	xs, ys := unsafe.Slice(src, count), unsafe.Slice(dst, count)
	means, scales, betas := unsafe.Slice(mean, period), unsafe.Slice(scale, period), unsafe.Slice(beta, period)
	for start := 0; start < count; start += period {
		x := xs[start:min(start+period, count)]
		y := ys[start:][:len(x)]
		m, a, b := means[:len(x)], scales[:len(x)], betas[:len(x)]
		for i, e := range x {
			y[i] = clampScalar(float32((e-m[i])*a[i])+b[i], clamp)
		}
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
