package nn

import "math"

func tileTapsScalar(y *float32, ldy int, x *float32, ldx int, taps *int32, weights *float32, nt, filters int,
	rows, cols int, bias *float32) {
	if filters <= 0 || rows <= 0 || cols <= 0 {
		return
	}
	tv, ys := idx(taps, nt), vec(y, span(filters, ldy, rows*cols))
	xs := tapSource(x, ldx, tv, rows, cols)
	wv, bv := vec(weights, roundUp(filters, 4)*nt), vec(bias, filters)
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

func dotTapsScalar(sums, dealt, x *float32, ldx int, taps *int32, nt, panels int, rows, cols int) {
	if panels <= 0 || nt <= 0 || rows <= 0 || cols <= 0 {
		return
	}
	tv, ds := idx(taps, nt), vec(dealt, panels*rows*cols*4)
	xs, out := tapSource(x, ldx, tv, rows, cols), vec(sums, 4*panels*nt*4)
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

func dealPlanesScalar(dst, src *float32, planes, rows, cols int) {
	pitch := roundUp(cols, 4)
	d, s := vec(dst, roundUp(planes, 4)*rows*pitch), vec(src, planes*rows*cols)
	for i, v := range s {
		c, r, o := i%cols, i/cols%rows, i/cols/rows
		d[((o/4*rows+r)*pitch+c&^3)*4+o%4*4+c%4] = v
	}
}

func copyPlaneScalar(dst *float32, ldd int, src *float32, lds int, rows, cols int) {
	d, s := vec(dst, span(rows, ldd, cols)), vec(src, span(rows, lds, cols))
	if len(d) > 0 {
		for r := range rows {
			copy(d[r*ldd:][:cols], s[r*lds:])
		}
	}
}

func maxPairsScalar(y, which, x *float32, ldx int, rows, cols int) {
	if rows <= 0 || cols <= 0 {
		return
	}
	ys, at, xs := vec(y, rows*cols), vec(which, rows*cols), vec(x, span(2*rows, ldx, 2*cols))
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

func spreadPairsScalar(dx *float32, ldx int, dy, which *float32, rows, cols int) {
	if rows <= 0 || cols <= 0 {
		return
	}
	xs, ds, at := vec(dx, span(2*rows, ldx, 2*cols)), vec(dy, rows*cols), vec(which, rows*cols)
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

func reluGradNScalar(dx, dy, of *float32, n int) {
	out, d, y := vec(dx, n), vec(dy, n), vec(of, n)
	for i, v := range y {
		g := float32(0)
		if v > 0 {
			g = d[i]
		}
		out[i] = g
	}
}

func tanhGradNScalar(dx, dy, of *float32, n int) {
	out, d, y := vec(dx, n), vec(dy, n), vec(of, n)
	for i, v := range y {
		out[i] = (1 - float32(v*v)) * d[i]
	}
}

func sigmoidGradNScalar(dx, dy, of *float32, n int) {
	out, d, y := vec(dx, n), vec(dy, n), vec(of, n)
	for i, v := range y {
		out[i] = float32(v*(1-v)) * d[i]
	}
}

func siluGradNScalar(dx, dy, of *float32, n int) {
	out, d, x := vec(dx, n), vec(dy, n), vec(of, n)
	for i, v := range x {
		s := sigmoidOf(v)
		out[i] = (s + float32(float32(v*s)*(1-s))) * d[i]
	}
}

func geluGradNScalar(dx, dy, of *float32, n int) {
	out, d, x := vec(dx, n), vec(dy, n), vec(of, n)
	for i, v := range x {
		t := float32(v * sqrtHalf)
		e := expOf(-float32(t * t))
		out[i] = (normalOf(v) + float32(float32(v*invSqrt2Pi)*e)) * d[i]
	}
}

func softmaxGradRowsScalar(dx, dy, y *float32, rows, cols int) {
	if rows <= 0 || cols <= 0 {
		return
	}
	out, ds, ys := vec(dx, rows*cols), vec(dy, rows*cols), vec(y, rows*cols)
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

func dotWideScalar(a, b *float32, n int) float64 {
	x, y := vec(a, n), vec(b, n)
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

func momentumNScalar(w, velocity, grad *float32, n int, rate, momentum, decay, by float32) {
	ws, m, g := vec(w, n), vec(velocity, n), vec(grad, n)
	for i, x := range ws {
		d := float32(g[i]*by) + float32(x*decay)
		v := float32(m[i]*momentum) + d
		m[i], ws[i] = v, x-float32(v*rate)
	}
}

func adamNScalar(w, first, second, grad *float32, n int, rate, beta1, beta2, rest1, rest2, decay, c1, c2, by float32) {
	ws, ms, vs, g := vec(w, n), vec(first, n), vec(second, n), vec(grad, n)
	for i, x := range ws {
		d := float32(g[i] * by)
		m := float32(ms[i]*beta1) + float32(rest1*d)
		v := float32(vs[i]*beta2) + float32(rest2*float32(d*d))
		d = float32(m*c1) / (float32(math.Sqrt(float64(float32(v*c2)))) + 1e-8)
		ms[i], vs[i], ws[i] = m, v, x-float32(rate*(d+float32(decay*x)))
	}
}
