package kernel

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/normwasm/normwasm/internal/testkit"
)

// The kernels against their scalar twins, in one binary: the same bits, nothing
// written outside. In wasm this is assembly against Go; elsewhere (and with the
// tag purego) the kernel forwards to the twin and the test holds the twin to its
// bounds. A kernel that is not in this table does not exist.

// kernelCase draws arguments for one call and returns it twice over: kernel and
// twin, each on its own outputs.
type kernelCase func(c *kernelCall)

// kernelCall collects the operands of one call.
type kernelCall struct {
	r        *rand.Rand
	operands []*testkit.Operand
	pairs    [][2]*testkit.Operand // outputs of the kernel and of the twin
	seed     uint64
}

// in returns an input of n elements at any alignment.
func (c *kernelCall) in(n int) []float32 {
	c.seed++
	o := testkit.Input("input", testkit.Mixed(c.seed, n), c.r.IntN(4))
	c.operands = append(c.operands, o)
	return o.S
}

// finite is in without values whose sums would all be NaN.
func (c *kernelCall) finite(n int) []float32 {
	o := testkit.Input("input", testkit.Normal(c.r, n, 0.5, 2), c.r.IntN(4))
	c.operands = append(c.operands, o)
	return o.S
}

// either is finite mostly.
func (c *kernelCall) either(n int) []float32 {
	if c.r.IntN(4) == 0 {
		return c.in(n)
	}
	return c.finite(n)
}

// out returns an output for the kernel and one for the twin, with the same
// contents and alignment.
func (c *kernelCall) out(n int) (kernel, twin *float32) {
	x := testkit.Normal(c.r, n, 0, 1)
	offset := c.r.IntN(4)
	a, b := testkit.InOut("output", x, offset), testkit.InOut("the twin's output", x, offset)
	c.pairs = append(c.pairs, [2]*testkit.Operand{a, b})
	return Ptr(a.S), Ptr(b.S)
}

// size draws a length near the edges of lanes and unrolled loops.
func (c *kernelCall) size(most int) int {
	if c.r.IntN(3) == 0 {
		return min(8*c.r.IntN(most/8+1)+c.r.IntN(3), most)
	}
	return c.r.IntN(most + 1)
}

func unaryCase(kernel, twin func(y, x *float32, n int)) kernelCase {
	return func(c *kernelCall) {
		n := c.size(70)
		x := Ptr(c.in(n))
		y, z := c.out(n)
		kernel(y, x, n)
		twin(z, x, n)
	}
}

func binaryCase(kernel, twin func(y, a *float32, as, ac int, b *float32, bs, bc int, rows, cols int)) kernelCase {
	return func(c *kernelCall) {
		rows, cols := c.size(6), c.size(40)
		step := func() (int, int) {
			s := [][2]int{{cols, 1}, {0, 1}, {1, 0}, {0, 0}, {cols + 3, 1}, {2, 0}}[c.r.IntN(6)]
			return s[0], s[1]
		}
		as, ac := step()
		bs, bc := step()
		a, b := Ptr(c.in(Span(rows, as, Span(cols, ac, 1)))), Ptr(c.in(Span(rows, bs, Span(cols, bc, 1))))
		y, z := c.out(rows * cols)
		kernel(y, a, as, ac, b, bs, bc, rows, cols)
		twin(z, a, as, ac, b, bs, bc, rows, cols)
	}
}

func rowsCase(kernel, twin func(y, x *float32, rows, cols int)) kernelCase {
	return func(c *kernelCall) {
		rows, cols := c.r.IntN(4), rowLength(c)
		x := Ptr(c.either(rows * cols))
		y, z := c.out(rows)
		kernel(y, x, rows, cols)
		twin(z, x, rows, cols)
	}
}

func sumCase(kernel, twin func(y, x *float32, rows, cols int, factor float64)) kernelCase {
	return func(c *kernelCall) {
		f := []float64{1, 1.0 / 3}[c.r.IntN(2)]
		rowsCase(func(y, x *float32, rows, cols int) { kernel(y, x, rows, cols, f) },
			func(y, x *float32, rows, cols int) { twin(y, x, rows, cols, f) })(c)
	}
}

func rowLength(c *kernelCall) int {
	if c.r.IntN(4) == 0 {
		return 1000 + c.r.IntN(1100) // more than one block
	}
	return c.size(70)
}

// offsets draws n offsets below most.
func (c *kernelCall) offsets(n, most int) []int32 {
	s := make([]int32, n)
	for i := range s {
		s[i] = int32(c.r.IntN(most))
	}
	return s
}

func (c *kernelCall) clamp() (lo, hi float32) {
	b := [][2]float64{{math.Inf(-1), math.Inf(1)}, {0, math.Inf(1)}, {0, 6}, {-1, 1}}[c.r.IntN(4)]
	return float32(b[0]), float32(b[1])
}

func tapsCase(c *kernelCall, run func(twin bool, y *float32, ldy int, x *float32, ldx int, taps *int32, nt, rows, cols int)) {
	rows, cols, nt := c.size(5), c.size(45), c.r.IntN(10)
	ldy, ldx := cols+c.r.IntN(3), cols+c.r.IntN(9)
	const far = 30
	taps := c.offsets(nt, far)
	x := Ptr(c.either(far + Span(rows, ldx, cols)))
	y, z := c.out(Span(rows, ldy, cols))
	run(false, y, ldy, x, ldx, Ptr(taps), nt, rows, cols)
	run(true, z, ldy, x, ldx, Ptr(taps), nt, rows, cols)
}

var kernelTable = map[string]kernelCase{
	"gemmTiles": func(c *kernelCall) {
		mp, np, k := c.r.IntN(4), c.r.IntN(4), c.size(40)
		as, bs, ldc := k*MR+c.r.IntN(2)*5, k*NR+c.r.IntN(2)*3, np*NR+c.r.IntN(4)
		a, b := Ptr(c.either(Span(mp, as, k*MR))), Ptr(c.either(Span(np, bs, k*NR)))
		for start := StartZero; start <= StartC; start++ {
			lo, hi := c.clamp()
			bias := Ptr(c.finite([]int{0, mp * MR, np * NR, 0}[start]))
			y, z := c.out(Span(mp*MR, ldc, np*NR))
			GemmTiles(y, ldc, a, as, b, bs, k, mp, np, start, bias, lo, hi)
			gemmTilesScalar(z, ldc, a, as, b, bs, k, mp, np, start, bias, lo, hi)
		}
	},
	"gemmRow": func(c *kernelCall) {
		np, k, astep := c.r.IntN(11), c.size(40), []int{1, MR, 7}[c.r.IntN(3)]
		bs := k*NR + c.r.IntN(2)*3
		a, b := Ptr(c.either(Span(k, astep, 1))), Ptr(c.either(Span(np, bs, k*NR)))
		for start := StartZero; start <= StartC; start++ {
			lo, hi := c.clamp()
			bias := Ptr(c.finite([]int{0, 1, np * NR, 0}[start]))
			y, z := c.out(np * NR)
			GemmRow(y, a, astep, b, bs, k, np, start, bias, lo, hi)
			gemmRowScalar(z, a, astep, b, bs, k, np, start, bias, lo, hi)
		}
	},
	"gemmCol": func(c *kernelCall) {
		mp, k, bstep := c.r.IntN(20), c.size(40), []int{1, NR, 7}[c.r.IntN(3)]
		as := k*MR + c.r.IntN(2)*3
		a, b := Ptr(c.either(Span(mp, as, k*MR))), Ptr(c.either(Span(k, bstep, 1)))
		for start := StartZero; start <= StartC; start++ {
			lo, hi := c.clamp()
			bias := Ptr(c.finite([]int{0, mp * MR, 1, 0}[start]))
			y, z := c.out(mp * MR)
			GemmCol(y, a, as, b, bstep, k, mp, start, bias, lo, hi)
			gemmColScalar(z, a, as, b, bstep, k, mp, start, bias, lo, hi)
		}
	},
	"packCols": func(c *kernelCall) {
		k, np := c.size(20), c.r.IntN(6)
		ds, lds := k*NR+c.r.IntN(2)*3, np*NR+c.r.IntN(5)
		x := Ptr(c.in(Span(k, lds, np*NR)))
		y, z := c.out(Span(np, ds, k*NR))
		PackCols(y, ds, x, lds, k, np)
		packColsScalar(z, ds, x, lds, k, np)
	},
	"packPixels": func(c *kernelCall) {
		np, nt := c.r.IntN(5), c.size(20)
		const far = 50
		pixels := c.offsets(np*NR, far)
		for i := range pixels { // runs of neighbours that begin anywhere
			if i > 0 && c.r.IntN(9) > 0 && pixels[i-1]+1 < far {
				pixels[i] = pixels[i-1] + 1
			}
		}
		x := Ptr(c.in(2 * far))
		taps := Ptr(c.offsets(nt, far))
		y, z := c.out(np * nt * NR)
		PackPixels(y, x, taps, nt, Ptr(pixels), np)
		packPixelsScalar(z, x, taps, nt, Ptr(pixels), np)
	},
	"transpose": func(c *kernelCall) {
		rows, cols := c.size(19), c.size(19)
		ldd, lds := rows+c.r.IntN(4), cols+c.r.IntN(4)
		x := Ptr(c.in(Span(rows, lds, cols)))
		y, z := c.out(Span(cols, ldd, rows))
		Transpose(y, ldd, x, lds, rows, cols)
		transposeScalar(z, ldd, x, lds, rows, cols)
	},
	"unzip": func(c *kernelCall) {
		n := c.size(40)
		x := Ptr(c.in(2 * n))
		even, evenTwin := c.out(n)
		odd, oddTwin := c.out(n)
		Unzip(even, odd, x, n)
		unzipScalar(evenTwin, oddTwin, x, n)
	},
	"depthwise": func(c *kernelCall) {
		lo, hi := c.clamp()
		w := Ptr(c.finite(10))
		tapsCase(c, func(twin bool, y *float32, ldy int, x *float32, ldx int, taps *int32, nt, rows, cols int) {
			f := Depthwise
			if twin {
				f = depthwiseScalar
			}
			f(y, ldy, x, ldx, taps, w, nt, rows, cols, 0.5, lo, hi)
		})
	},
	"maxTaps": func(c *kernelCall) {
		tapsCase(c, func(twin bool, y *float32, ldy int, x *float32, ldx int, taps *int32, nt, rows, cols int) {
			f := MaxTaps
			if twin {
				f = maxTapsScalar
			}
			f(y, ldy, x, ldx, taps, nt, rows, cols)
		})
	},
	"addRows": binaryCase(AddRows, addRowsScalar),
	"subRows": binaryCase(SubRows, subRowsScalar),
	"mulRows": binaryCase(MulRows, mulRowsScalar),
	"divRows": binaryCase(DivRows, divRowsScalar),
	"maxRows": binaryCase(MaxRows, maxRowsScalar),
	"minRows": binaryCase(MinRows, minRowsScalar),
	"clipN": func(c *kernelCall) {
		lo, hi := c.clamp()
		unaryCase(func(y, x *float32, n int) { ClipN(y, x, n, lo, hi) },
			func(y, x *float32, n int) { clipNScalar(y, x, n, lo, hi) })(c)
	},
	"absN":  unaryCase(AbsN, absNScalar),
	"negN":  unaryCase(NegN, negNScalar),
	"sqrtN": unaryCase(SqrtN, sqrtNScalar),
	"leakyN": unaryCase(func(y, x *float32, n int) { LeakyN(y, x, n, 0.1) },
		func(y, x *float32, n int) { leakyNScalar(y, x, n, 0.1) }),
	"hardSigmoidN": unaryCase(func(y, x *float32, n int) { HardSigmoidN(y, x, n, 0.2, 0.5) },
		func(y, x *float32, n int) { hardSigmoidNScalar(y, x, n, 0.2, 0.5) }),
	"hardSwishN": unaryCase(func(y, x *float32, n int) { HardSwishN(y, x, n, 0.2, 0.5) },
		func(y, x *float32, n int) { hardSwishNScalar(y, x, n, 0.2, 0.5) }),
	"expN":       unaryCase(ExpN, expNScalar),
	"sigmoidN":   unaryCase(SigmoidN, sigmoidNScalar),
	"siluN":      unaryCase(SiluN, siluNScalar),
	"tanhN":      unaryCase(TanhN, tanhNScalar),
	"erfN":       unaryCase(ErfN, erfNScalar),
	"geluN":      unaryCase(GeluN, geluNScalar),
	"geluTanhN":  unaryCase(GeluTanhN, geluTanhNScalar),
	"sumRows":    sumCase(SumRows, sumRowsScalar),
	"squareRows": sumCase(SquareRows, squareRowsScalar),
	"rowMax":     rowsCase(RowMax, rowMaxScalar),
	"rowMin":     rowsCase(RowMin, rowMinScalar),
	"softmaxRows": func(c *kernelCall) {
		rows, cols := c.r.IntN(4), rowLength(c)
		x := Ptr(c.either(rows * cols))
		y, z := c.out(rows * cols)
		SoftmaxRows(y, x, rows, cols)
		softmaxRowsScalar(z, x, rows, cols)
	},
	"addPixelRows": func(c *kernelCall) {
		n := c.size(40)
		ldx := []int{0, n, n + 3}[c.r.IntN(3)]
		pixels := make([]int32, Span(4, ldx, n))
		for i := range pixels {
			pixels[i] = int32(c.r.Uint32())
		}
		w := Ptr(c.either(4))
		y, z := c.out(4 * n)
		AddPixelRows(y, Ptr(pixels), ldx, w, n)
		addPixelRowsScalar(z, Ptr(pixels), ldx, w, n)
	},
	"mixPixels": func(c *kernelCall) {
		const far = 40
		n, weights := c.size(20), 0
		spans := c.offsets(2*n, far/2)
		for i := 1; i < len(spans); i += 2 {
			weights += int(spans[i])
		}
		x, w := Ptr(c.either(4*far)), Ptr(c.either(weights))
		y, z := c.out(4 * n)
		MixPixels(y, x, w, Ptr(spans), n)
		mixPixelsScalar(z, x, w, Ptr(spans), n)
	},
	"andPixels": func(c *kernelCall) {
		pixels := make([]int32, c.size(70))
		for i := range pixels {
			pixels[i] = int32(c.r.Uint32() | c.r.Uint32() | c.r.Uint32() | c.r.Uint32())
		}
		y, z := c.out(1)
		*y = float32(AndPixels(Ptr(pixels), len(pixels)))
		*z = float32(andPixelsScalar(Ptr(pixels), len(pixels)))
	},
}

func TestKernelBits(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 40
	}
	all := maps.Clone(kernelTable)
	maps.Copy(all, trainingTable)
	for name, draw := range all {
		t.Run(name, func(t *testing.T) {
			for round := range rounds {
				c := &kernelCall{r: testkit.Rand(uint64(round)), seed: uint64(round) << 8}
				draw(c)
				at := fmt.Sprintf("%s, round %d", name, round)
				for i, p := range c.pairs {
					testkit.SameBits(t, p[1].S, p[0].S, "%s, output %d", at, i)
					p[0].Check(t, "%s", at)
					p[1].Check(t, "%s", at)
				}
				for _, o := range c.operands {
					o.Check(t, "%s", at)
				}
				if t.Failed() {
					t.FailNow()
				}
			}
		})
	}
}

// The elementwise kernels and softmax may work in place.
func TestKernelInPlace(t *testing.T) {
	for _, n := range []int{1, 3, 4, 6, 17, 33} {
		x := testkit.Mixed(uint64(n), n)
		for name, run := range map[string]func(y, x *float32){
			"expN":        func(y, x *float32) { ExpN(y, x, n) },
			"tanhN":       func(y, x *float32) { TanhN(y, x, n) },
			"clipN":       func(y, x *float32) { ClipN(y, x, n, -1, 1) },
			"hardSwishN":  func(y, x *float32) { HardSwishN(y, x, n, 0.2, 0.5) },
			"softmaxRows": func(y, x *float32) { SoftmaxRows(y, x, 1, n) },
			"addRows":     func(y, x *float32) { AddRows(y, x, 0, 1, x, 0, 1, 1, n) },
		} {
			want := make([]float32, n)
			run(Ptr(want), Ptr(x))
			got := append([]float32(nil), x...)
			run(Ptr(got), Ptr(got))
			testkit.SameBits(t, want, got, "%s of %d in place", name, n)
		}
	}
}
