package kernel

import (
	"math"
)

// The cases of the kernels that only training calls.

// gradient is the gradient of an activation f, by the slope of f. Of those whose kernel is
// given the result of f, result is how float32 has it.
func gradient(name string, kernel, twin func(dx, dy, of *float32, n int), f func(x float64) float64, ofResult bool) kernelCase {
	return kernelCase{name, func(c *call) {
		n := c.size(270)
		x, dy := c.either(n), c.either(n)
		of := x
		if ofResult {
			of = make([]float32, n)
			for i, v := range x {
				of[i] = float32(f(float64(v)))
			}
			of = c.guarded(of)
		}
		y, k, t := c.into(dy)
		kernel(y.kernel(), k, Ptr(of), n)
		twin(y.twin(), t, Ptr(of), n)
		y.want = func(i int) (float64, float64) {
			v, tolerance := slope([]float64{float64(x[i])}, 0, func(x []float64) float64 { return f(x[0]) })
			d := float64(dy[i])
			return v * d, tolerance*math.Abs(d) + 1e-6*math.Abs(d)
		}
	}, elementTimes(func(y, x *float32) { kernel(y, x, x, elementCount) })}
}

func softmax(x []float64) []float64 {
	y, total := make([]float64, len(x)), 0.0
	for i, v := range x {
		y[i] = math.Exp(v)
		total += y[i]
	}
	for i := range y {
		y[i] /= total
	}
	return y
}

// convolved is a layer of a small classifier: 16 filters of 3×3 over 14×14 pixels.
func convolved(run func(y, x, w, bias *float32, taps []int32)) []timing {
	return []timing{operations("16x14x14/3x3x8", 2*16*14*14*72, func(data func(n int) *float32) func() {
		taps := make([]int32, 72)
		for i := range taps {
			taps[i] = int32(i/9*256 + i%9/3*16 + i%3)
		}
		y, x, w, bias := data(16*16*16*72), data(8*256+64), data(16*256), data(16)
		return func() { run(y, x, w, bias, taps) }
	})}
}

var trainingCases = []kernelCase{
	{"TileTaps", func(c *call) {
		p, filters := c.tapped(49, 7), c.r.IntN(11)
		ldy, padded := p.rows*p.cols+c.r.IntN(3), RoundUp(filters, 4)
		w, bias, y := c.plain(padded*p.nt), c.plain(padded), c.out(Span(filters, ldy, p.rows*p.cols))
		y.keep(p.rows*p.cols, ldy, func(o, i int) (float64, float64) {
			return products(bias[o], p.nt, -inf, inf, func(t int) float64 {
				return float64(w[(o/4*p.nt+t)*4+o%4]) * float64(p.at(i/p.cols, i%p.cols, t))
			})
		})
		TileTaps(y.kernel(), ldy, Ptr(p.x), p.ldx, Ptr(p.taps), Ptr(w), p.nt, filters, p.rows, p.cols, Ptr(bias))
		tileTapsScalar(y.twin(), ldy, Ptr(p.x), p.ldx, Ptr(p.taps), Ptr(w), p.nt, filters, p.rows, p.cols, Ptr(bias))
	}, convolved(func(y, x, w, bias *float32, taps []int32) { TileTaps(y, 196, x, 16, &taps[0], w, 72, 16, 14, 14, bias) })},
	{"DotTaps", func(c *call) {
		rows, cols, nt, panels := c.r.IntN(5), 4*c.r.IntN(9), 2*c.r.IntN(6), c.r.IntN(4)
		ldx := cols + c.r.IntN(4)
		const far = 30
		taps := c.offsets(nt, far)
		x, dealt := c.plain(far+Span(rows, ldx, cols)), c.either(4*panels*rows*cols)
		y := c.out(4 * panels * nt * 4)
		before := append([]float32(nil), y.t.S...)
		DotTaps(y.kernel(), Ptr(dealt), Ptr(x), ldx, Ptr(taps), nt, panels, rows, cols)
		dotTapsScalar(y.twin(), Ptr(dealt), Ptr(x), ldx, Ptr(taps), nt, panels, rows, cols)
		y.want = func(i int) (float64, float64) {
			lane, t, o := i%4, i/4%nt, i/4/nt
			return products(before[i], rows*cols/4, -inf, inf, func(k int) float64 {
				r, at := k/(cols/4), k%(cols/4)*4
				return float64(dealt[((o/4*rows+r)*cols+at)*4+o%4*4+lane]) * float64(x[r*ldx+int(taps[t])+at+lane])
			})
		}
	}, convolved(func(y, x, w, _ *float32, taps []int32) { DotTaps(y, w, x, 16, &taps[0], 72, 4, 14, 16) })},
	{"DealPlanes", func(c *call) {
		planes, rows, cols := c.r.IntN(10), c.r.IntN(5), c.size(49)
		pitch := RoundUp(cols, 4)
		x, y := c.either(planes*rows*cols), c.out(RoundUp(planes, 4)*rows*pitch)
		before := append([]float32(nil), y.t.S...)
		DealPlanes(y.kernel(), Ptr(x), planes, rows, cols)
		dealPlanesScalar(y.twin(), Ptr(x), planes, rows, cols)
		y.want = func(i int) (float64, float64) {
			lane, o, four, r := i%4, i/16/(pitch/4)/rows*4+i/4%4, i/16%(pitch/4), i/16/(pitch/4)%rows
			if col := 4*four + lane; o < planes && col < cols {
				return moved(x[(o*rows+r)*cols+col])
			}
			return moved(before[i])
		}
	}, square(func(y, x *float32) { DealPlanes(y, x, 16, 32, 32) })},
	{"CopyPlane", func(c *call) {
		rows, cols := c.r.IntN(5), c.size(49)
		ldd, lds := cols+c.r.IntN(4), cols+c.r.IntN(4)
		x, y := c.either(Span(rows, lds, cols)), c.out(Span(rows, ldd, cols))
		y.keep(cols, ldd, func(i, j int) (float64, float64) { return moved(x[i*lds+j]) })
		CopyPlane(y.kernel(), ldd, Ptr(x), lds, rows, cols)
		copyPlaneScalar(y.twin(), ldd, Ptr(x), lds, rows, cols)
	}, square(func(y, x *float32) { CopyPlane(y, 130, x, 128, 128, 128) })},
	{"MaxPairs", func(c *call) {
		rows, cols := c.r.IntN(5), c.size(33)
		ldx := 2*cols + c.r.IntN(4)
		x := c.either(Span(2*rows, ldx, 2*cols))
		if c.r.IntN(3) == 0 { // many equals
			for i := range x {
				x[i] = float32(c.r.IntN(3))
			}
			c.inputs = c.inputs[:len(c.inputs)-1]
			x = c.guarded(x)
		}
		y, which := c.out(rows*cols), c.out(rows*cols)
		MaxPairs(y.kernel(), which.kernel(), Ptr(x), ldx, rows, cols)
		maxPairsScalar(y.twin(), which.twin(), Ptr(x), ldx, rows, cols)
		pair := func(i int) (most float32, place int) {
			most = -inf
			for k := range 4 {
				if v := x[(2*(i/cols)+k/2)*ldx+2*(i%cols)+k%2]; v > most {
					most, place = v, k
				}
			}
			return most, place
		}
		y.want = func(i int) (float64, float64) { v, _ := pair(i); return float64(v), 0 }
		which.want = func(i int) (float64, float64) {
			_, k := pair(i)
			return float64(math.Float32frombits(uint32(k))), 0
		}
	}, square(func(y, x *float32) { MaxPairs(y, y, x, 128, 64, 64) })},
	{"SpreadPairs", func(c *call) {
		rows, cols := c.r.IntN(5), c.size(33)
		ldx := 2*cols + c.r.IntN(4)
		dy, which := c.either(rows*cols), make([]float32, rows*cols)
		for i := range which {
			which[i] = math.Float32frombits(uint32(c.r.IntN(4)))
		}
		y := c.out(Span(2*rows, ldx, 2*cols))
		y.keep(2*cols, ldx, func(i, j int) (float64, float64) {
			at := i/2*cols + j/2
			if int(math.Float32bits(which[at])) != i%2*2+j%2 {
				return 0, 0
			}
			return moved(dy[at])
		})
		SpreadPairs(y.kernel(), ldx, Ptr(dy), Ptr(which), rows, cols)
		spreadPairsScalar(y.twin(), ldx, Ptr(dy), Ptr(which), rows, cols)
	}, []timing{bytes("128x128", 6*128*128, func(data func(n int) *float32) func() {
		dx, dy, which := data(128*128), data(64*64), make([]float32, 64*64)
		return func() { SpreadPairs(dx, 128, dy, &which[0], 64, 64) }
	})}},
	gradient("ReluGradN", ReluGradN, reluGradNScalar, func(x float64) float64 { return max(x, 0) }, true),
	gradient("TanhGradN", TanhGradN, tanhGradNScalar, math.Tanh, true),
	gradient("SigmoidGradN", SigmoidGradN, sigmoidGradNScalar, sigmoid, true),
	gradient("SiluGradN", SiluGradN, siluGradNScalar, func(x float64) float64 { return x * sigmoid(x) }, false),
	gradient("GeluGradN", GeluGradN, geluGradNScalar, func(x float64) float64 { return x * 0.5 * math.Erfc(-x/math.Sqrt2) }, false),
	{"SoftmaxGradRows", func(c *call) {
		rows, cols := c.r.IntN(4), c.size(100)
		x, dy, p := c.either(rows*cols), c.either(rows*cols), make([]float32, rows*cols)
		row := func(s []float32, r int) (v []float64) {
			for _, e := range s[r*cols : (r+1)*cols] {
				v = append(v, float64(e))
			}
			return v
		}
		for r := range rows {
			for i, v := range softmax(row(x, r)) {
				p[r*cols+i] = float32(v)
			}
		}
		p = c.guarded(p)
		y, k, t := c.into(dy)
		SoftmaxGradRows(y.kernel(), k, Ptr(p), rows, cols)
		softmaxGradRowsScalar(y.twin(), t, Ptr(p), rows, cols)
		y.want = func(i int) (float64, float64) {
			g := row(dy, i/cols)
			return slope(row(x, i/cols), i%cols, func(x []float64) (total float64) {
				for k, v := range softmax(x) {
					total += v * g[k]
				}
				return total
			})
		}
	}, rowTimes([][2]int{{128, 128}}, 12, func(data func(n int) *float32, rows, cols int) func() {
		dx, dy, y := data(rows*cols), data(rows*cols), data(rows*cols)
		return func() { SoftmaxGradRows(dx, dy, y, rows, cols) }
	})},
	{"DotWide", func(c *call) {
		a := c.either(c.size(530))
		b := c.either(len(a))
		o := c.out64(1)
		*o.kernel(), *o.twin() = DotWide(Ptr(a), Ptr(b), len(a)), dotWideScalar(Ptr(a), Ptr(b), len(a))
		o.want = func(int) (float64, float64) {
			var s sum
			for i, v := range a {
				s.add(float64(v) * float64(b[i]))
			}
			return s.value, 1e-13 * s.size
		}
	}, elementTimes(func(y, x *float32) { DotWide(y, x, elementCount) })},
	{"MomentumN", func(c *call) {
		n := c.size(130)
		g, s := c.either(n), c.plain(4)
		w, m := c.out(n), c.out(n)
		weights, velocity := append([]float32(nil), w.t.S...), append([]float32(nil), m.t.S...)
		MomentumN(w.kernel(), m.kernel(), Ptr(g), n, s[0], s[1], s[2], s[3])
		momentumNScalar(w.twin(), m.twin(), Ptr(g), n, s[0], s[1], s[2], s[3])
		moved := func(i int) (v, size sum) {
			v.add(float64(velocity[i]) * float64(s[1]))
			v.add(float64(g[i]) * float64(s[3]))
			v.add(float64(weights[i]) * float64(s[2]))
			return v, v
		}
		m.want = func(i int) (float64, float64) {
			v, _ := moved(i)
			return v.value, v.after(3)
		}
		w.want = func(i int) (float64, float64) {
			v, _ := moved(i)
			return float64(weights[i]) - v.value*float64(s[0]), (v.size*math.Abs(float64(s[0])) + math.Abs(float64(weights[i]))) * 8 * 0x1p-24
		}
	}, elementTimes(func(y, x *float32) { MomentumN(y, y, x, elementCount, 1e-9, 0.9, 0, 1) })},
	{"AdamN", func(c *call) {
		n := c.size(130)
		g, s := c.either(n), c.plain(9)
		w, m := c.out(n), c.out(n)
		squares := make([]float32, n)
		for i := range squares { // with some below 0, whose roots are NaN
			squares[i] = float32(math.Abs(c.r.NormFloat64())) - float32(c.r.IntN(9)/8)
			c.wild = c.wild || squares[i] < 0
		}
		if c.r.IntN(2) == 0 {
			s = c.guarded([]float32{0.01, 0.9, 0.99, 0.1, 0.01, 0.02, 1.5, 2, 0.5})
			for i, v := range squares {
				squares[i] = max(v, 0)
			}
			c.wild = false
			g = c.plain(n)
		} else {
			c.wild = true
		}
		v := c.over(squares)
		weights, first := append([]float32(nil), w.t.S...), append([]float32(nil), m.t.S...)
		AdamN(w.kernel(), m.kernel(), v.kernel(), Ptr(g), n, s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8])
		adamNScalar(w.twin(), m.twin(), v.twin(), Ptr(g), n, s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8])
		d := func(i int) float64 { return float64(g[i]) * float64(s[8]) }
		m.want = func(i int) (float64, float64) {
			var a sum
			a.add(float64(first[i]) * float64(s[1]))
			a.add(d(i) * float64(s[3]))
			return a.value, a.after(3)
		}
		v.want = func(i int) (float64, float64) {
			var a sum
			a.add(float64(squares[i]) * float64(s[2]))
			a.add(d(i) * d(i) * float64(s[4]))
			return a.value, a.after(3)
		}
		w.want = func(i int) (float64, float64) {
			a, _ := m.want(i)
			b, _ := v.want(i)
			step := a*float64(s[6])/(math.Sqrt(b*float64(s[7]))+1e-8) + float64(s[5])*float64(weights[i])
			size := (math.Abs(float64(first[i]))+math.Abs(d(i)))*float64(s[6])/math.Sqrt(b*float64(s[7])) + math.Abs(float64(weights[i]))
			return float64(weights[i]) - float64(s[0])*step, size * 1e-6
		}
	}, elementTimes(func(y, x *float32) { AdamN(y, y, x, x, elementCount, 1e-9, 0.9, 0.999, 0.1, 1e-3, 0, 1, 1, 1) })},
}
