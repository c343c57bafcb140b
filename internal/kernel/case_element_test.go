package kernel

import (
	"math"

	"github.com/normwasm/normwasm/internal/testkit"
)

// The cases of the elementwise kernels, of those along rows, and of pixels.

// elements is what the benchmark runs of elementwise kernels.
const elementCount = 1 << 14

func elementTimes(run func(y, x *float32)) []timing {
	return []timing{bytes("n=16384", 8*elementCount, func(data func(n int) *float32) func() {
		x, y := data(elementCount), data(elementCount)
		return func() { run(y, x) }
	})}
}

// unary is a function of one element. ulps is how many units in the last place the kernel
// may be off, and floor where they no longer shrink.
func unary(name string, kernel, twin func(y, x *float32, n int), f func(x float64) float64, ulps, floor float64) kernelCase {
	return kernelCase{name, func(c *call) {
		n := c.size(530)
		x := c.either(n)
		switch c.round {
		case 0: // every exponent
			c.wild = true
			x = make([]float32, 1<<16)
			for i := range x {
				x[i] = math.Float32frombits(uint32(i)<<16 | uint32(c.r.IntN(1<<16)))
			}
		case 1: // densely where the functions change their ways
			x = make([]float32, 1<<15)
			for i := range x {
				x[i] = float32(i-1<<14) * (110. / (1 << 14))
			}
		}
		y, k, t := c.into(x)
		kernel(y.kernel(), k, len(x))
		twin(y.twin(), t, len(x))
		y.want = func(i int) (float64, float64) {
			v := f(float64(x[i]))
			if math.Abs(v) > math.MaxFloat32 {
				v = math.Inf(1)
			}
			return v, ulps*0x1p-23*max(math.Abs(v), floor) + 1e-44
		}
	}, elementTimes(func(y, x *float32) { kernel(y, x, elementCount) })}
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func binaryOf(name string, kernel, twin func(y, a *float32, as, ac int, b *float32, bs, bc int, rows, cols int), f func(a, b float64) float64) kernelCase {
	return kernelCase{name, func(c *call) {
		rows, cols := c.r.IntN(5), c.size(129)
		step := func() (int, int) {
			s := [][2]int{{cols, 1}, {cols, 1}, {0, 1}, {1, 0}, {0, 0}, {cols + 3, 1}, {2, 0}}[c.r.IntN(7)]
			return s[0], s[1]
		}
		as, ac := step()
		bs, bc := step()
		a, b := c.either(Span(rows, as, Span(cols, ac, 1))), c.either(Span(rows, bs, Span(cols, bc, 1)))
		y, k, t, l, u := c.out(rows*cols), Ptr(a), Ptr(a), Ptr(b), Ptr(b)
		switch c.r.IntN(3) { // in place of an operand of the same shape
		case 0:
			if as == cols && ac == 1 {
				y = c.over(a)
				k, t = y.kernel(), y.twin()
			}
		case 1:
			if bs == cols && bc == 1 {
				y = c.over(b)
				l, u = y.kernel(), y.twin()
			}
		}
		kernel(y.kernel(), k, as, ac, l, bs, bc, rows, cols)
		twin(y.twin(), t, as, ac, u, bs, bc, rows, cols)
		y.want = func(i int) (float64, float64) {
			v := f(float64(a[i/cols*as+i%cols*ac]), float64(b[i/cols*bs+i%cols*bc]))
			return v, 0x1p-24 * math.Abs(v)
		}
	}, elementTimes(func(y, x *float32) { kernel(y, x, elementCount, 1, x, elementCount, 1, 1, elementCount) })}
}

// along is a kernel that makes one number of each row.
func along(name string, kernel, twin func(y, x *float32, rows, cols int, factor float64), f func(row []float32, factor float64) (value, tolerance float64)) kernelCase {
	return kernelCase{name, func(c *call) {
		rows, cols, factor := c.r.IntN(4), c.size(2100), []float64{1, 1.0 / 3}[c.r.IntN(2)]
		x, y := c.either(rows*cols), c.out(rows)
		kernel(y.kernel(), Ptr(x), rows, cols, factor)
		twin(y.twin(), Ptr(x), rows, cols, factor)
		y.want = func(r int) (float64, float64) { return f(x[r*cols:(r+1)*cols], factor) }
	}, rowTimes([][2]int{{128, 128}}, 4, func(data func(n int) *float32, rows, cols int) func() {
		x, y := data(rows*cols), data(rows)
		return func() { kernel(y, x, rows, cols, 1) }
	})}
}

// plainRows is a kernel along rows that takes no factor.
func plainRows(f func(y, x *float32, rows, cols int)) func(y, x *float32, rows, cols int, factor float64) {
	return func(y, x *float32, rows, cols int, _ float64) { f(y, x, rows, cols) }
}

func powers(p float64) func(row []float32, factor float64) (float64, float64) {
	return func(row []float32, factor float64) (float64, float64) {
		var s sum
		for _, v := range row {
			s.add(math.Pow(float64(v), p) * factor)
		}
		return s.value, s.few() * 2
	}
}

func extremeOf(first float64, f func(a, b float64) float64) func(row []float32, factor float64) (float64, float64) {
	return func(row []float32, _ float64) (float64, float64) {
		m := first
		for _, v := range row {
			m = f(m, float64(v))
		}
		return m, 0
	}
}

// bytesOf is the four bytes of a pixel.
func byteOf(p int32, c int) float64 { return float64(uint32(p) >> (8 * c) & 0xff) }

var clipCase = func() kernelCase {
	k := unary("ClipN", nil, nil, nil, 0, 0)
	k.call = func(c *call) {
		lo, hi := c.bounds()
		unary("ClipN", func(y, x *float32, n int) { ClipN(y, x, n, lo, hi) }, func(y, x *float32, n int) { clipNScalar(y, x, n, lo, hi) },
			func(x float64) float64 { return clamped(x, lo, hi) }, 0, 0).call(c)
	}
	k.time = elementTimes(func(y, x *float32) { ClipN(y, x, elementCount, 0, 6) })
	return k
}()

var mapCase = func() kernelCase {
	k := unary("MapN", nil, nil, nil, 0, 0)
	k.call = func(c *call) {
		how, alpha, beta := c.r.IntN(MapCube+1), float32(c.r.IntN(3))/2, float32(c.r.IntN(3))/2
		unary("MapN", func(y, x *float32, n int) { MapN(y, x, n, how, alpha, beta) }, func(y, x *float32, n int) { mapNScalar(y, x, n, how, alpha, beta) },
			func(x float64) float64 {
				switch how {
				case MapFloor:
					return math.Floor(x)
				case MapCeil:
					return math.Ceil(x)
				case MapRound:
					return math.RoundToEven(x)
				case MapSign:
					return min(max(x*1e300, -1), 1)
				case MapSoftsign:
					return x / (1 + math.Abs(x))
				case MapThreshold, MapShrink:
					if how == MapThreshold && !(x > float64(alpha)) || math.Abs(x) <= float64(alpha) {
						return 0
					}
					if how == MapShrink {
						return x - math.Copysign(float64(beta), x)
					}
					return x
				case MapInverse:
					return 1 / x
				}
				return x * x * x
			}, 1.5, 0).call(c)
	}
	k.time = elementTimes(func(y, x *float32) { MapN(y, x, elementCount, MapRound, 0, 0) })
	return k
}()

var elementCases = []kernelCase{
	binaryOf("AddRows", AddRows, addRowsScalar, func(a, b float64) float64 { return a + b }),
	binaryOf("SubRows", SubRows, subRowsScalar, func(a, b float64) float64 { return a - b }),
	binaryOf("MulRows", MulRows, mulRowsScalar, func(a, b float64) float64 { return a * b }),
	binaryOf("DivRows", DivRows, divRowsScalar, func(a, b float64) float64 { return a / b }),
	binaryOf("MaxRows", MaxRows, maxRowsScalar, math.Max),
	binaryOf("MinRows", MinRows, minRowsScalar, math.Min),
	clipCase,
	unary("AbsN", AbsN, absNScalar, math.Abs, 0, 0),
	unary("NegN", NegN, negNScalar, func(x float64) float64 { return -x }, 0, 0),
	unary("SqrtN", SqrtN, sqrtNScalar, math.Sqrt, 0.5, 0),
	unary("LeakyN", func(y, x *float32, n int) { LeakyN(y, x, n, 0.1) }, func(y, x *float32, n int) { leakyNScalar(y, x, n, 0.1) },
		func(x float64) float64 { return max(x, x*float64(float32(0.1))) }, 0.5, 0),
	unary("HardSigmoidN", func(y, x *float32, n int) { HardSigmoidN(y, x, n, 0.2, 0.5) }, func(y, x *float32, n int) { hardSigmoidNScalar(y, x, n, 0.2, 0.5) },
		func(x float64) float64 { return min(max(x*float64(float32(0.2))+0.5, 0), 1) }, 1, 0.5),
	unary("HardSwishN", func(y, x *float32, n int) { HardSwishN(y, x, n, 1./6, 0.5, -1.25, 0.75) }, func(y, x *float32, n int) { hardSwishNScalar(y, x, n, 1./6, 0.5, -1.25, 0.75) },
		func(x float64) float64 { return x*min(max(x*float64(float32(1./6))+0.5, 0), 1)*-1.25 + 0.75 }, 2.5, 2.5),
	unary("ExpN", ExpN, expNScalar, math.Exp, 1.5, 0),
	unary("SigmoidN", SigmoidN, sigmoidNScalar, sigmoid, 2.5, 0),
	unary("SiluN", SiluN, siluNScalar, func(x float64) float64 { return x * sigmoid(x) }, 3.5, 1e-36),
	unary("TanhN", TanhN, tanhNScalar, math.Tanh, 2.5, 0),
	unary("ErfN", ErfN, erfNScalar, math.Erf, 2, 0),
	unary("GeluN", GeluN, geluNScalar, func(x float64) float64 { return x * 0.5 * math.Erfc(-x/math.Sqrt2) }, 4, 0.125),
	unary("GeluTanhN", GeluTanhN, geluTanhNScalar, func(x float64) float64 {
		return x * sigmoid(2*math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))
	}, 4, 0.125),
	unary("LogN", LogN, logNScalar, math.Log, 1, 0),
	unary("SoftplusN", SoftplusN, softplusNScalar, func(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }, 3, 1e-36),
	unary("MishN", MishN, mishNScalar, func(x float64) float64 { return x * math.Tanh(max(x, 0)+math.Log1p(math.Exp(-math.Abs(x)))) }, 5, 1e-36),
	unary("EluN", func(y, x *float32, n int) { EluN(y, x, n, 2, 3, 0.5) }, func(y, x *float32, n int) { eluNScalar(y, x, n, 2, 3, 0.5) },
		func(x float64) float64 {
			if x < 0 {
				x = 3 * math.Expm1(x/2)
			}
			return x / 2
		}, 3, 1e-37),
	mapCase,
	along("SumRows", SumRows, sumRowsScalar, powers(1)),
	along("SquareRows", SquareRows, squareRowsScalar, powers(2)),
	along("RowMax", plainRows(RowMax), plainRows(rowMaxScalar), extremeOf(math.Inf(-1), math.Max)),
	along("RowMin", plainRows(RowMin), plainRows(rowMinScalar), extremeOf(math.Inf(1), math.Min)),
	{"SoftmaxRows", func(c *call) {
		rows, cols := c.r.IntN(4), c.size(2100)
		x := c.either(rows * cols)
		y, k, t := c.into(x)
		SoftmaxRows(y.kernel(), k, rows, cols)
		softmaxRowsScalar(y.twin(), t, rows, cols)
		var sums []float64
		for r := range rows {
			total := 0.0
			for _, v := range x[r*cols : (r+1)*cols] {
				total += math.Exp(float64(v))
			}
			sums = append(sums, total)
		}
		y.want = func(i int) (float64, float64) {
			v := math.Exp(float64(x[i])) / sums[i/cols]
			return v, 3e-6 * v
		}
	}, rowTimes([][2]int{{128, 128}, {4, 4096}}, 8, func(data func(n int) *float32, rows, cols int) func() {
		x, y := data(rows*cols), data(rows*cols)
		return func() { SoftmaxRows(y, x, rows, cols) }
	})},
	{"ExpRows", func(c *call) {
		rows, cols := c.r.IntN(4), c.size(2100)
		x, best := testkit.Normal(c.r, rows*cols, 0.5, 2), testkit.Normal(c.r, rows, 0.5, 2)
		if c.r.IntN(4) == 0 {
			x, c.wild = testkit.Mixed(c.r.Uint64(), rows*cols), true
		}
		for r := range best {
			if c.r.IntN(2) == 0 {
				best[r] = float32(math.Inf(-1))
			}
			if c.r.IntN(4) == 0 {
				for i := range cols {
					x[r*cols+i] = float32(math.Inf(-1))
				}
				c.wild = true
			}
		}
		y, k, t := c.into(x)
		m, sums := c.over(best), c.out(rows)
		ExpRows(y.kernel(), m.kernel(), sums.kernel(), k, rows, cols)
		expRowsScalar(y.twin(), m.twin(), sums.twin(), t, rows, cols)
		largest := func(r int) float64 {
			v := float64(best[r])
			for _, e := range x[r*cols : (r+1)*cols] {
				v = math.Max(v, float64(e))
			}
			return v
		}
		y.want = func(i int) (float64, float64) {
			v := math.Exp(float64(x[i]) - largest(i/cols))
			return v, 3e-6*v + 1e-37
		}
		m.want = func(r int) (float64, float64) { return largest(r), 0 }
		sums.want = func(r int) (float64, float64) {
			total := 0.0
			for _, e := range x[r*cols : (r+1)*cols] {
				total += math.Exp(float64(e) - largest(r))
			}
			return total, 3e-6*total + 1e-37
		}
	}, rowTimes([][2]int{{32, 128}}, 8, func(data func(n int) *float32, rows, cols int) func() {
		x, y, m, s := data(rows*cols), data(rows*cols), data(rows), data(rows)
		return func() { ExpRows(y, m, s, x, rows, cols) }
	})},
	{"ExpPanel", func(c *call) {
		n := c.size(600)
		x, best := testkit.Normal(c.r, n*NR, 0.5, 2), testkit.Normal(c.r, NR, 0.5, 2)
		if c.r.IntN(4) == 0 {
			x, c.wild = testkit.Mixed(c.r.Uint64(), n*NR), true
		}
		for l := range best {
			if c.r.IntN(2) == 0 {
				best[l] = float32(math.Inf(-1))
			}
			if c.r.IntN(4) == 0 {
				for i := range n {
					x[i*NR+l] = float32(math.Inf(-1))
				}
				c.wild = true
			}
		}
		y, m, sums := c.over(x), c.over(best), c.out(NR)
		ExpPanel(y.kernel(), m.kernel(), sums.kernel(), n)
		expPanelScalar(y.twin(), m.twin(), sums.twin(), n)
		largest := func(l int) float64 {
			v := float64(best[l])
			for i := range n {
				v = math.Max(v, float64(x[i*NR+l]))
			}
			return v
		}
		y.want = func(i int) (float64, float64) {
			v := math.Exp(float64(x[i]) - largest(i%NR))
			return v, 3e-6*v + 1e-37
		}
		m.want = func(l int) (float64, float64) { return largest(l), 0 }
		sums.want = func(l int) (float64, float64) {
			total := 0.0
			for i := range n {
				total += math.Exp(float64(x[i*NR+l]) - largest(l))
			}
			return total, 3e-5*total + 1e-37
		}
	}, rowTimes([][2]int{{8, 128}, {8, 512}}, 8, func(data func(n int) *float32, _, cols int) func() {
		x, m, s := data(NR*cols), data(NR), data(NR)
		return func() { ExpPanel(x, m, s, cols) }
	})},
	{"DotRows", func(c *call) {
		rows, depth := c.r.IntN(11), c.size(70)
		ld := depth + c.r.IntN(2)*3
		x, m, y := c.either(depth), c.either(Span(rows, ld, depth)), c.out(rows)
		DotRows(y.kernel(), Ptr(x), Ptr(m), ld, depth, rows)
		dotRowsScalar(y.twin(), Ptr(x), Ptr(m), ld, depth, rows)
		y.want = func(r int) (float64, float64) {
			return products(0, depth, -inf, inf, func(i int) float64 { return float64(x[i]) * float64(m[r*ld+i]) })
		}
	}, []timing{operations("depth=64/rows=256", 2*64*256, func(data func(n int) *float32) func() {
		x, m, y := data(64), data(64*256), data(256)
		return func() { DotRows(y, x, m, 64, 64, 256) }
	})}},
	{"AddPixelRows", func(c *call) {
		n := c.size(70)
		ldx := []int{0, n, n + 3}[c.r.IntN(3)]
		pixels := make([]int32, Span(4, ldx, n))
		for i := range pixels {
			pixels[i] = int32(c.r.Uint32())
		}
		w, y := c.either(4), c.out(4*n)
		before := append([]float32(nil), y.t.S...)
		AddPixelRows(y.kernel(), Ptr(pixels), ldx, Ptr(w), n)
		addPixelRowsScalar(y.twin(), Ptr(pixels), ldx, Ptr(w), n)
		y.want = func(i int) (float64, float64) {
			return products(before[i], 4, -inf, inf, func(r int) float64 { return float64(w[r]) * byteOf(pixels[r*ldx+i/4], i%4) })
		}
	}, []timing{bytes("n=4096", 32*4096, func(data func(n int) *float32) func() {
		x, y, w := make([]int32, 4*4096), data(4*4096), data(4)
		return func() { AddPixelRows(y, &x[0], 4096, w, 4096) }
	})}},
	{"MixPixels", func(c *call) {
		const far = 40
		n := c.size(20)
		spans, starts := c.offsets(2*n, far/2), make([]int, n+1)
		for i := range n {
			starts[i+1] = starts[i] + int(spans[2*i+1])
		}
		x, w, y := c.either(4*far), c.either(starts[n]), c.out(4*n)
		MixPixels(y.kernel(), Ptr(x), Ptr(w), Ptr(spans), n)
		mixPixelsScalar(y.twin(), Ptr(x), Ptr(w), Ptr(spans), n)
		y.want = func(i int) (float64, float64) {
			p := i / 4
			return products(0, int(spans[2*p+1]), -inf, inf, func(k int) float64 {
				return float64(w[starts[p]+k]) * float64(x[4*(int(spans[2*p])+k)+i%4])
			})
		}
	}, []timing{operations("n=1024/of=8", 2*8*4*1024, func(data func(n int) *float32) func() {
		x, y, w, spans := data(4*1040), data(4*1024), data(8*1024), make([]int32, 2*1024)
		for i := range 1024 {
			spans[2*i], spans[2*i+1] = int32(i), 8
		}
		return func() { MixPixels(y, x, w, &spans[0], 1024) }
	})}},
	{"AndPixels", func(c *call) {
		pixels := make([]int32, c.size(270))
		for i := range pixels {
			pixels[i] = int32(c.r.Uint32() | c.r.Uint32() | c.r.Uint32() | c.r.Uint32())
		}
		o := c.out64(1)
		*o.kernel(), *o.twin() = float64(AndPixels(Ptr(pixels), len(pixels))), float64(andPixelsScalar(Ptr(pixels), len(pixels)))
		o.want = func(int) (float64, float64) {
			v := int32(0)
			for bit := range 32 {
				all := true
				for _, p := range pixels {
					all = all && p>>bit&1 != 0
				}
				if all {
					v |= 1 << bit
				}
			}
			return float64(v), 0
		}
	}, []timing{bytes("n=4096", 4*4096, func(func(n int) *float32) func() {
		x := make([]int32, 4096)
		return func() { AndPixels(&x[0], len(x)) }
	})}},
}
