package kernel

import "math"

// The kernels that only training calls; the default edition of the module links none of
// them.

// invSqrt2Pi is the standard normal density at 0.
const invSqrt2Pi = 0.39894228

// TileTaps correlates planes with filters. weights are panels [nt][4] of four
// filters each, the last padded; bias has as many elements as the panels have
// filters. Reads go up to 7 elements beyond the last of a row, where the memory
// has to be; what is there does not matter. Writes are those below.
//
//	for o := 0; o < filters; o++ {
//		for r := 0; r < rows; r++ {
//			for c := 0; c < cols; c++ {
//				acc := bias[o]
//				for t := 0; t < nt; t++ {
//					acc += float32(weights[(o/4*nt+t)*4 + o%4] * x[r*ldx + taps[t] + c])
//				}
//				y[o*ldy + r*cols+c] = acc
//			}
//		}
//	}
func tileTapsScalar(y *float32, ldy int, x *float32, ldx int, taps *int32, weights *float32, nt, filters int,
	rows, cols int, bias *float32) {
	if filters <= 0 || rows <= 0 || cols <= 0 {
		return
	}
	tv, ys := slice(taps, nt), slice(y, Span(filters, ldy, rows*cols))
	xs := tapSource(x, ldx, tv, rows, cols)
	wv, bv := slice(weights, RoundUp(filters, 4)*nt), slice(bias, filters)
	for o, b := range bv {
		w := wv[o/4*nt*4:]
		for r := range rows {
			out := ys[o*ldy+r*cols:][:cols]
			for c := range out {
				out[c] = b
			}
			for t, tap := range tv {
				f, in := w[t*4+o%4], xs[r*ldx+int(tap):][:cols]
				for c, v := range in {
					out[c] += float32(f * v)
				}
			}
		}
	}
}

// DotTaps adds to sums [4·panels][nt][4] the products of planes: each has four
// lanes, for columns 0, 4 …, columns 1, 5 … and so on. nt is even, cols a multiple of
// 4. dealt has the planes of a panel vector by vector: [panels][rows][cols/4][4][4].
//
//	for o := 0; o < 4*panels; o++ {
//		for t := 0; t < nt; t++ {
//			for r := 0; r < rows; r++ {
//				for c := 0; c < cols; c++ {
//					d := dealt[((o/4*rows+r)*cols + c&^3)*4 + o%4*4 + c%4]
//					sums[(o*nt+t)*4 + c%4] += float32(d * x[r*ldx + taps[t] + c])
//				}
//			}
//		}
//	}
func dotTapsScalar(sums, dealt, x *float32, ldx int, taps *int32, nt, panels int, rows, cols int) {
	if panels <= 0 || nt <= 0 || rows <= 0 || cols <= 0 {
		return
	}
	tv, ds := slice(taps, nt), slice(dealt, panels*rows*cols*4)
	xs, out := tapSource(x, ldx, tv, rows, cols), slice(sums, 4*panels*nt*4)
	for o := range 4 * panels {
		for t, tap := range tv {
			s := (*[4]float32)(out[(o*nt+t)*4:])
			s0, s1, s2, s3 := s[0], s[1], s[2], s[3]
			for r := range rows {
				d := ds[(o/4*rows+r)*cols*4+o%4*4:]
				for v := xs[r*ldx+int(tap):][:cols]; len(v) >= 4; v = v[4:] {
					e := (*[4]float32)(d)
					s0 += float32(e[0] * v[0])
					s1 += float32(e[1] * v[1])
					s2 += float32(e[2] * v[2])
					s3 += float32(e[3] * v[3])
					d = d[min(16, len(d)):]
				}
			}
			*s = [4]float32{s0, s1, s2, s3}
		}
	}
}

// DealPlanes lays src [planes][rows][cols] out as DotTaps wants it. What is beyond
// the last column, and the planes that a last panel lacks, stay as they were.
//
//	pitch := RoundUp(cols, 4)
//	dst[((o/4*rows+r)*pitch + c&^3)*4 + o%4*4 + c%4] = src[(o*rows+r)*cols + c]
func dealPlanesScalar(dst, src *float32, planes, rows, cols int) {
	pitch := RoundUp(cols, 4)
	d, s := slice(dst, RoundUp(planes, 4)*rows*pitch), slice(src, planes*rows*cols)
	for i, v := range s {
		c, r, o := i%cols, i/cols%rows, i/cols/rows
		d[((o/4*rows+r)*pitch+c&^3)*4+o%4*4+c%4] = v
	}
}

// CopyPlane: dst[r*ldd+c] = src[r*lds+c]
func copyPlaneScalar(dst *float32, ldd int, src *float32, lds int, rows, cols int) {
	d, s := slice(dst, Span(rows, ldd, cols)), slice(src, Span(rows, lds, cols))
	if len(d) > 0 {
		for r := range rows {
			copy(d[r*ldd:][:cols], s[r*lds:])
		}
	}
}

// MaxPairs finds the maxima of windows of 2×2, and where they are: 0 and 1 in the
// upper row, 2 and 3 in the lower one, as integers. The first of equals wins, and
// the last NaN.
//
//	for r := 0; r < rows; r++ {
//		for c := 0; c < cols; c++ {
//			y[r*cols+c], which[r*cols+c] = the maximum of x[2*r*ldx + 2*c], … + 1], … + ldx], … + ldx+1]
//		}
//	}
func maxPairsScalar(y, which, x *float32, ldx int, rows, cols int) {
	if rows <= 0 || cols <= 0 {
		return
	}
	ys, at, xs := slice(y, rows*cols), slice(which, rows*cols), slice(x, Span(2*rows, ldx, 2*cols))
	for r := range rows {
		upper, lower := xs[2*r*ldx:][:2*cols], xs[(2*r+1)*ldx:][:2*cols]
		out, place := ys[r*cols:][:cols], at[r*cols:][:cols]
		for c := range out {
			m, p := upper[2*c], uint32(0)
			if v := upper[2*c+1]; v > m || v != v {
				m, p = v, 1
			}
			if v := lower[2*c]; v > m || v != v {
				m, p = v, 2
			}
			if v := lower[2*c+1]; v > m || v != v {
				m, p = v, 3
			}
			out[c], place[c] = m, math.Float32frombits(p)
		}
	}
}

// SpreadPairs writes windows of 2×2 with dy where which says, and 0 elsewhere.
func spreadPairsScalar(dx *float32, ldx int, dy, which *float32, rows, cols int) {
	if rows <= 0 || cols <= 0 {
		return
	}
	xs, ds, at := slice(dx, Span(2*rows, ldx, 2*cols)), slice(dy, rows*cols), slice(which, rows*cols)
	for r := range rows {
		upper, lower := xs[2*r*ldx:][:2*cols], xs[(2*r+1)*ldx:][:2*cols]
		clear(upper)
		clear(lower)
		for c, v := range ds[r*cols:][:cols] {
			switch p := math.Float32bits(at[r*cols+c]); p {
			case 0, 1:
				upper[2*c+int(p)] = v
			default:
				lower[2*c+int(p)-2] = v
			}
		}
	}
}

// The gradients of activations: dx = dy·f′ for n elements, where `of` is the output of
// relu, tanh and sigmoid, and the input of silu and gelu. dx may be dy.

// ReluGradN: dx = of > 0 ? dy : 0
func reluGradNScalar(dx, dy, of *float32, n int) {
	out, d, y := slice(dx, n), slice(dy, n), slice(of, n)
	for i, v := range y {
		g := float32(0)
		if v > 0 {
			g = d[i]
		}
		out[i] = g
	}
}

// TanhGradN: dx = (1 - float32(of*of)) * dy
func tanhGradNScalar(dx, dy, of *float32, n int) {
	out, d, y := slice(dx, n), slice(dy, n), slice(of, n)
	for i, v := range y {
		out[i] = (1 - float32(v*v)) * d[i]
	}
}

// SigmoidGradN: dx = float32(of*(1-of)) * dy
func sigmoidGradNScalar(dx, dy, of *float32, n int) {
	out, d, y := slice(dx, n), slice(dy, n), slice(of, n)
	for i, v := range y {
		out[i] = float32(v*(1-v)) * d[i]
	}
}

// SiluGradN: s = SigmoidOf(of); dx = (s + float32(float32(of*s)*(1-s))) * dy
func siluGradNScalar(dx, dy, of *float32, n int) {
	out, d, x := slice(dx, n), slice(dy, n), slice(of, n)
	for i, v := range x {
		s := SigmoidOf(v)
		out[i] = (s + float32(float32(v*s)*(1-s))) * d[i]
	}
}

// GeluGradN: dx = (NormalOf(of) + float32(float32(of*invSqrt2Pi)*ExpOf(-float32(t*t)))) * dy, t = |float32(of*sqrtHalf)|
func geluGradNScalar(dx, dy, of *float32, n int) {
	out, d, x := slice(dx, n), slice(dy, n), slice(of, n)
	for i, v := range x {
		t := float32(v * sqrtHalf)
		e := ExpOf(-float32(t * t))
		out[i] = (NormalOf(v) + float32(float32(v*invSqrt2Pi)*e)) * d[i]
	}
}

// SoftmaxGradRows is the gradient of rows of a softmax. dx may be dy.
//
//	for each row {
//		sum := Σ float32(dy*y) in sixteen lanes, the fours that are left of whole
//			sixteens in the first four, folded as in SumRows
//		dx[i] = (dy[i] - sum) * y[i]
//	}
func softmaxGradRowsScalar(dx, dy, y *float32, rows, cols int) {
	if rows <= 0 || cols <= 0 {
		return
	}
	out, ds, ys := slice(dx, rows*cols), slice(dy, rows*cols), slice(y, rows*cols)
	for r := range rows {
		d, p, to := ds[r*cols:][:cols], ys[r*cols:][:cols], out[r*cols:][:cols]
		var lane [16]float32
		whole := cols &^ 3
		for i, v := range d[:whole] {
			lane[lanes(i, whole)] += float32(v * p[i])
		}
		sum := foldLanes(&lane)
		for i, v := range d[whole:] {
			sum += float32(v * p[whole+i])
		}
		for i, v := range d {
			to[i] = (v - sum) * p[i]
		}
	}
}

// lanes is where element i of n is added: in one of sixteen lanes, and what is left of
// whole sixteens in the first four.
func lanes(i, n int) int {
	if i < n&^15 {
		return i & 15
	}
	return i & 3
}

// DotWide is the sum of float64(a[i])*float64(b[i]): sixteen lanes of float64, each
// every sixteenth product; lane l is added to l+8 … l+8 to l+4 … and so on down to one
// sum, to which those of the n%16 last products are added.
func dotWideScalar(a, b *float32, n int) float64 {
	x, y := slice(a, n), slice(b, n)
	var lane [16]float64
	for len(x) >= 16 && len(y) >= 16 {
		for i := range lane {
			lane[i] += float64(float64(x[i]) * float64(y[i]))
		}
		x, y = x[16:], y[16:]
	}
	for n := 8; n > 0; n /= 2 {
		for i := range n {
			lane[i] += lane[i+n]
		}
	}
	sum := lane[0]
	for i, v := range x {
		sum += float64(float64(v) * float64(y[i]))
	}
	return sum
}

// MomentumN is a step of gradient descent with momentum.
//
//	d := float32(grad[i]*by) + float32(w[i]*decay)
//	velocity[i] = float32(velocity[i]*momentum) + d
//	w[i] -= float32(velocity[i]*rate)
func momentumNScalar(w, velocity, grad *float32, n int, rate, momentum, decay, by float32) {
	ws, m, g := slice(w, n), slice(velocity, n), slice(grad, n)
	for i, x := range ws {
		d := float32(g[i]*by) + float32(x*decay)
		v := float32(m[i]*momentum) + d
		m[i], ws[i] = v, x-float32(v*rate)
	}
}

// AdamN is a step of AdamW; rest is 1 − beta.
//
//	d := float32(grad[i]*by)
//	first[i] = float32(first[i]*beta1) + float32(rest1*d)
//	second[i] = float32(second[i]*beta2) + float32(rest2*float32(d*d))
//	d = float32(first[i]*c1) / (√float32(second[i]*c2) + 1e-8)
//	w[i] -= float32(rate*(d + float32(decay*w[i])))
func adamNScalar(w, first, second, grad *float32, n int, rate, beta1, beta2, rest1, rest2, decay, c1, c2, by float32) {
	ws, ms, vs, g := slice(w, n), slice(first, n), slice(second, n), slice(grad, n)
	for i, x := range ws {
		d := float32(g[i] * by)
		m := float32(ms[i]*beta1) + float32(rest1*d)
		v := float32(vs[i]*beta2) + float32(rest2*float32(d*d))
		d = float32(m*c1) / (float32(math.Sqrt(float64(float32(v*c2)))) + 1e-8)
		ms[i], vs[i], ws[i] = m, v, x-float32(rate*(d+float32(decay*x)))
	}
}
