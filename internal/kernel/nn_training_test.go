package kernel

import "math"

// trainingTable is what kernelTable lacks: the kernels that only training calls.
var trainingTable = map[string]kernelCase{
	"tileTaps": func(c *kernelCall) {
		rows, cols, nt, filters := c.size(5), c.size(29), c.r.IntN(12), c.r.IntN(11)
		ldx, ldy := cols+c.r.IntN(4), rows*cols+c.r.IntN(3)
		const far = 30
		taps := c.offsets(nt, far)
		x := Ptr(c.either(far + Span(rows, ldx, cols) + 7))
		padded := RoundUp(filters, 4)
		w, bias := Ptr(c.finite(padded*nt)), Ptr(c.finite(padded))
		y, z := c.out(Span(filters, ldy, rows*cols))
		TileTaps(y, ldy, x, ldx, Ptr(taps), w, nt, filters, rows, cols, bias)
		tileTapsScalar(z, ldy, x, ldx, Ptr(taps), w, nt, filters, rows, cols, bias)
	},
	"dotTaps": func(c *kernelCall) {
		rows, cols, nt, panels := c.size(5), 4*c.r.IntN(6), 2*c.r.IntN(6), c.r.IntN(4)
		ldx := cols + c.r.IntN(4)
		const far = 30
		taps := c.offsets(nt, far)
		x := Ptr(c.finite(far + Span(rows, ldx, cols)))
		dealt := Ptr(c.either(4 * panels * rows * cols))
		y, z := c.out(4 * panels * nt * 4)
		DotTaps(y, dealt, x, ldx, Ptr(taps), nt, panels, rows, cols)
		dotTapsScalar(z, dealt, x, ldx, Ptr(taps), nt, panels, rows, cols)
	},
	"dealPlanes": func(c *kernelCall) {
		planes, rows, cols := c.r.IntN(10), c.size(5), c.size(21)
		x := Ptr(c.in(planes * rows * cols))
		y, z := c.out(RoundUp(planes, 4) * rows * RoundUp(cols, 4))
		DealPlanes(y, x, planes, rows, cols)
		dealPlanesScalar(z, x, planes, rows, cols)
	},
	"copyPlane": func(c *kernelCall) {
		rows, cols := c.size(5), c.size(21)
		ldd, lds := cols+c.r.IntN(4), cols+c.r.IntN(4)
		x := Ptr(c.in(Span(rows, lds, cols)))
		y, z := c.out(Span(rows, ldd, cols))
		CopyPlane(y, ldd, x, lds, rows, cols)
		copyPlaneScalar(z, ldd, x, lds, rows, cols)
	},
	"maxPairs": func(c *kernelCall) {
		rows, cols := c.size(4), c.size(13)
		ldx := 2*cols + c.r.IntN(4)
		x := Ptr(c.either(Span(2*rows, ldx, 2*cols)))
		if c.r.IntN(3) == 0 { // many equals
			s := make([]float32, Span(2*rows, ldx, 2*cols))
			for i := range s {
				s[i] = float32(c.r.IntN(3))
			}
			x = Ptr(s)
		}
		y, z := c.out(rows * cols)
		at, atTwin := c.out(rows * cols)
		MaxPairs(y, at, x, ldx, rows, cols)
		maxPairsScalar(z, atTwin, x, ldx, rows, cols)
	},
	"spreadPairs": func(c *kernelCall) {
		rows, cols := c.size(4), c.size(13)
		ldx := 2*cols + c.r.IntN(4)
		dy, which := Ptr(c.in(rows*cols)), make([]float32, rows*cols)
		for i := range which {
			which[i] = math.Float32frombits(uint32(c.r.IntN(4)))
		}
		y, z := c.out(Span(2*rows, ldx, 2*cols))
		SpreadPairs(y, ldx, dy, Ptr(which), rows, cols)
		spreadPairsScalar(z, ldx, dy, Ptr(which), rows, cols)
	},
	"reluGradN":    gradientCase(ReluGradN, reluGradNScalar),
	"tanhGradN":    gradientCase(TanhGradN, tanhGradNScalar),
	"sigmoidGradN": gradientCase(SigmoidGradN, sigmoidGradNScalar),
	"siluGradN":    gradientCase(SiluGradN, siluGradNScalar),
	"geluGradN":    gradientCase(GeluGradN, geluGradNScalar),
	"softmaxGradRows": func(c *kernelCall) {
		rows, cols := c.r.IntN(4), rowLength(c)
		dy, p := Ptr(c.either(rows*cols)), Ptr(c.finite(rows*cols))
		y, z := c.out(rows * cols)
		SoftmaxGradRows(y, dy, p, rows, cols)
		softmaxGradRowsScalar(z, dy, p, rows, cols)
	},
	"dotWide": func(c *kernelCall) {
		n := rowLength(c)
		a, b := Ptr(c.either(n)), Ptr(c.finite(n))
		// All 64 bits of the sum, as two numbers: NaNs of two kinds are one.
		y, z := c.out(2)
		for p, sum := range map[*float32]float64{y: DotWide(a, b, n), z: dotWideScalar(a, b, n)} {
			high := float32(sum)
			slice(p, 2)[0], slice(p, 2)[1] = high, float32(sum-float64(high))
		}
	},
	"momentumN": func(c *kernelCall) {
		n := c.size(40)
		g, s := Ptr(c.either(n)), c.finite(4)
		w, w2 := c.out(n)
		m, m2 := c.out(n)
		MomentumN(w, m, g, n, s[0], s[1], s[2], s[3])
		momentumNScalar(w2, m2, g, n, s[0], s[1], s[2], s[3])
	},
	"adamN": func(c *kernelCall) {
		n := c.size(40)
		g, s := Ptr(c.either(n)), c.finite(9)
		w, w2 := c.out(n)
		m, m2 := c.out(n)
		v, v2 := c.out(n) // with numbers below 0, whose roots are NaN
		AdamN(w, m, v, g, n, s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8])
		adamNScalar(w2, m2, v2, g, n, s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8])
	},
}

func gradientCase(kernel, twin func(dx, dy, of *float32, n int)) kernelCase {
	return func(c *kernelCall) {
		n := c.size(70)
		of, dy := Ptr(c.either(n)), Ptr(c.either(n))
		y, z := c.out(n)
		kernel(y, dy, of, n)
		twin(z, dy, of, n)
	}
}
