package nn

import "math"

// trainingTable is what kernelTable lacks: the kernels that only training calls.
var trainingTable = map[string]kernelCase{
	"tileTaps": func(c *kernelCall) {
		rows, cols, nt, filters := c.size(5), c.size(29), c.r.IntN(12), c.r.IntN(11)
		ldx, ldy := cols+c.r.IntN(4), rows*cols+c.r.IntN(3)
		const far = 30
		taps := c.offsets(nt, far)
		x := ptr(c.either(far + span(rows, ldx, cols) + 7))
		padded := roundUp(filters, 4)
		w, bias := ptr(c.finite(padded*nt)), ptr(c.finite(padded))
		y, z := c.out(span(filters, ldy, rows*cols))
		tileTaps(y, ldy, x, ldx, ptr32(taps), w, nt, filters, rows, cols, bias)
		tileTapsScalar(z, ldy, x, ldx, ptr32(taps), w, nt, filters, rows, cols, bias)
	},
	"dotTaps": func(c *kernelCall) {
		rows, cols, nt, panels := c.size(5), 4*c.r.IntN(6), 2*c.r.IntN(6), c.r.IntN(4)
		ldx := cols + c.r.IntN(4)
		const far = 30
		taps := c.offsets(nt, far)
		x := ptr(c.finite(far + span(rows, ldx, cols)))
		dealt := ptr(c.either(4 * panels * rows * cols))
		y, z := c.out(4 * panels * nt * 4)
		dotTaps(y, dealt, x, ldx, ptr32(taps), nt, panels, rows, cols)
		dotTapsScalar(z, dealt, x, ldx, ptr32(taps), nt, panels, rows, cols)
	},
	"dealPlanes": func(c *kernelCall) {
		planes, rows, cols := c.r.IntN(10), c.size(5), c.size(21)
		x := ptr(c.in(planes * rows * cols))
		y, z := c.out(roundUp(planes, 4) * rows * roundUp(cols, 4))
		dealPlanes(y, x, planes, rows, cols)
		dealPlanesScalar(z, x, planes, rows, cols)
	},
	"copyPlane": func(c *kernelCall) {
		rows, cols := c.size(5), c.size(21)
		ldd, lds := cols+c.r.IntN(4), cols+c.r.IntN(4)
		x := ptr(c.in(span(rows, lds, cols)))
		y, z := c.out(span(rows, ldd, cols))
		copyPlane(y, ldd, x, lds, rows, cols)
		copyPlaneScalar(z, ldd, x, lds, rows, cols)
	},
	"maxPairs": func(c *kernelCall) {
		rows, cols := c.size(4), c.size(13)
		ldx := 2*cols + c.r.IntN(4)
		x := ptr(c.either(span(2*rows, ldx, 2*cols)))
		if c.r.IntN(3) == 0 { // many equals
			s := make([]float32, span(2*rows, ldx, 2*cols))
			for i := range s {
				s[i] = float32(c.r.IntN(3))
			}
			x = ptr(s)
		}
		y, z := c.out(rows * cols)
		at, atTwin := c.out(rows * cols)
		maxPairs(y, at, x, ldx, rows, cols)
		maxPairsScalar(z, atTwin, x, ldx, rows, cols)
	},
	"spreadPairs": func(c *kernelCall) {
		rows, cols := c.size(4), c.size(13)
		ldx := 2*cols + c.r.IntN(4)
		dy, which := ptr(c.in(rows*cols)), make([]float32, rows*cols)
		for i := range which {
			which[i] = math.Float32frombits(uint32(c.r.IntN(4)))
		}
		y, z := c.out(span(2*rows, ldx, 2*cols))
		spreadPairs(y, ldx, dy, ptr(which), rows, cols)
		spreadPairsScalar(z, ldx, dy, ptr(which), rows, cols)
	},
	"reluGradN":    gradientCase(reluGradN, reluGradNScalar),
	"tanhGradN":    gradientCase(tanhGradN, tanhGradNScalar),
	"sigmoidGradN": gradientCase(sigmoidGradN, sigmoidGradNScalar),
	"siluGradN":    gradientCase(siluGradN, siluGradNScalar),
	"geluGradN":    gradientCase(geluGradN, geluGradNScalar),
	"softmaxGradRows": func(c *kernelCall) {
		rows, cols := c.r.IntN(4), rowLength(c)
		dy, p := ptr(c.either(rows*cols)), ptr(c.finite(rows*cols))
		y, z := c.out(rows * cols)
		softmaxGradRows(y, dy, p, rows, cols)
		softmaxGradRowsScalar(z, dy, p, rows, cols)
	},
	"dotWide": func(c *kernelCall) {
		n := rowLength(c)
		a, b := ptr(c.either(n)), ptr(c.finite(n))
		// All 64 bits of the sum, as two numbers: NaNs of two kinds are one.
		y, z := c.out(2)
		for p, sum := range map[*float32]float64{y: dotWide(a, b, n), z: dotWideScalar(a, b, n)} {
			high := float32(sum)
			vec(p, 2)[0], vec(p, 2)[1] = high, float32(sum-float64(high))
		}
	},
	"momentumN": func(c *kernelCall) {
		n := c.size(40)
		g, s := ptr(c.either(n)), c.finite(4)
		w, w2 := c.out(n)
		m, m2 := c.out(n)
		momentumN(w, m, g, n, s[0], s[1], s[2], s[3])
		momentumNScalar(w2, m2, g, n, s[0], s[1], s[2], s[3])
	},
	"adamN": func(c *kernelCall) {
		n := c.size(40)
		g, s := ptr(c.either(n)), c.finite(9)
		w, w2 := c.out(n)
		m, m2 := c.out(n)
		v, v2 := c.out(n) // with numbers below 0, whose roots are NaN
		adamN(w, m, v, g, n, s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8])
		adamNScalar(w2, m2, v2, g, n, s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8])
	},
}

func gradientCase(kernel, twin gradientKernel) kernelCase {
	return func(c *kernelCall) {
		n := c.size(70)
		of, dy := ptr(c.either(n)), ptr(c.either(n))
		y, z := c.out(n)
		kernel(y, dy, of, n)
		twin(z, dy, of, n)
	}
}
