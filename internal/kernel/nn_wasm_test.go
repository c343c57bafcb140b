//go:build wasm && !purego

package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// The assembly against its scalar twins in one binary: the same bits, at every
// edge of the loops, at addresses that are aligned to 4 bytes only, with guards
// around each operand that must stay as they were.

// at is the address of the operand, one that may be read and written nowhere
// when it is empty.
func (o operand) at() *float32 { return &o.all[guard+o.shift] }

// filled has ordinary numbers with every special value strewn in.
func filled(r *rand.Rand, n int) operand {
	special := []float32{0, float32(math.Copysign(0, -1)), 1, -1, 6, float32(math.Inf(1)), float32(math.Inf(-1)),
		float32(math.NaN()), 1e-42, -1e-40, 3e38, 1e-30, 88.7, -87.4, -103.9, 104, 0.625, -0.625}
	o := newOperand(n, r.IntN(4))
	for i := range o.v {
		switch r.IntN(12) {
		case 0:
			o.v[i] = special[r.IntN(len(special))]
		case 1:
			o.v[i] = math.Float32frombits(r.Uint32())
		default:
			o.v[i] = float32(4 * r.NormFloat64())
		}
	}
	return o
}

func (o operand) clone() operand {
	c := newOperand(len(o.v), o.shift)
	copy(c.all, o.all)
	return c
}

var laneSizes = []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 15, 16, 17, 19, 23, 24, 25, 28, 31, 32, 33, 40, 47, 48, 49, 63, 64, 65, 129}

// both runs a kernel and its twin on copies of out and compares all of it.
func both(t *testing.T, out operand, twin, kernel func(y operand), context ...any) {
	t.Helper()
	want, got := out.clone(), out.clone()
	twin(want)
	kernel(got)
	sameBits(t, want, got, context...)
}

var clampBounds = [][2]float64{
	{math.Inf(-1), math.Inf(1)}, {0, math.Inf(1)}, {0, 6}, {-1, 1}, {math.Copysign(0, -1), 6}, {-3, math.Copysign(0, -1)},
	{-3, 0}, {math.NaN(), 1}, {-1, math.NaN()}, {2, 1},
}

func bound(r *rand.Rand) (lo, hi float32) {
	b := clampBounds[r.IntN(len(clampBounds))]
	return float32(b[0]), float32(b[1])
}

func TestGemmTilesBits(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, k := range []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 17, 64} {
		for start := range 4 {
			for range 6 {
				mp, np := r.IntN(4), r.IntN(4)
				ldc, as, bs := np*8+r.IntN(3), k*4+r.IntN(3), k*8+r.IntN(3)
				a, b := filled(r, Span(mp, as, k*4)), filled(r, Span(np, bs, k*8))
				bias := filled(r, max(mp*4, np*8))
				lo, hi := bound(r)
				both(t, filled(r, Span(mp*4, ldc, np*8)), func(c operand) {
					gemmTilesScalar(c.at(), ldc, a.at(), as, b.at(), bs, k, mp, np, start, bias.at(), lo, hi)
				}, func(c operand) {
					GemmTiles(c.at(), ldc, a.at(), as, b.at(), bs, k, mp, np, start, bias.at(), lo, hi)
				}, "k=", k, " mp=", mp, " np=", np, " start=", start)
			}
		}
	}
}

func TestGemmRowColBits(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, k := range []int{0, 1, 3, 4, 5, 9, 33} {
		for start := range 4 {
			for _, panels := range []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 17} {
				step := r.IntN(3) + 1
				strip := k*8 + r.IntN(3)
				x, m := filled(r, Span(k, step, 1)), filled(r, Span(panels, strip, k*8))
				bias := filled(r, panels*8+1)
				lo, hi := bound(r)
				both(t, filled(r, panels*8), func(c operand) {
					gemmRowScalar(c.at(), x.at(), step, m.at(), strip, k, panels, start, bias.at(), lo, hi)
				}, func(c operand) {
					GemmRow(c.at(), x.at(), step, m.at(), strip, k, panels, start, bias.at(), lo, hi)
				}, "row k=", k, " np=", panels, " start=", start)
				both(t, filled(r, panels*4), func(c operand) {
					gemmColScalar(c.at(), m.at(), strip, x.at(), step, k, panels, start, bias.at(), lo, hi)
				}, func(c operand) {
					GemmCol(c.at(), m.at(), strip, x.at(), step, k, panels, start, bias.at(), lo, hi)
				}, "col k=", k, " mp=", panels, " start=", start)
			}
		}
	}
}

func TestPackBits(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	for _, k := range []int{0, 1, 3, 4, 5, 9} {
		for np := range 4 {
			lds, ds := np*8+r.IntN(3), k*8+r.IntN(3)
			src := filled(r, Span(k, lds, np*8))
			both(t, newOperand(Span(np, ds, k*8), r.IntN(4)),
				func(y operand) { packColsScalar(y.at(), ds, src.at(), lds, k, np) },
				func(y operand) { PackCols(y.at(), ds, src.at(), lds, k, np) }, "cols k=", k, " np=", np)

			for range 8 {
				source := filled(r, 300)
				taps, pixels := make([]int32, k+1), make([]int32, np*8+1)
				for i := range taps {
					taps[i] = int32(r.IntN(100))
				}
				for i := 0; i < np*8; i += 4 {
					step := int32(1 + r.IntN(2))
					for l := range 4 {
						pixels[i+l] = 3*int32(i) + step*int32(l)
					}
					if r.IntN(4) == 0 {
						pixels[i+1+r.IntN(3)] = int32(r.IntN(100))
					}
				}
				both(t, newOperand(np*k*8, r.IntN(4)),
					func(y operand) { packPixelsScalar(y.at(), source.at(), &taps[0], k, &pixels[0], np) },
					func(y operand) { PackPixels(y.at(), source.at(), &taps[0], k, &pixels[0], np) }, "pixels nt=", k, " np=", np)
			}
		}
	}
}

func TestTransposeUnzipBits(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	for _, rows := range []int{0, 1, 3, 4, 5, 8, 9, 13} {
		for _, cols := range []int{0, 1, 2, 4, 6, 7, 8, 12, 15} {
			lds, ldd := cols+r.IntN(3), rows+r.IntN(3)
			src := filled(r, Span(rows, lds, cols))
			both(t, newOperand(Span(cols, ldd, rows), r.IntN(4)),
				func(y operand) { transposeScalar(y.at(), ldd, src.at(), lds, rows, cols) },
				func(y operand) { Transpose(y.at(), ldd, src.at(), lds, rows, cols) }, rows, "×", cols)
		}
	}
	for _, n := range laneSizes {
		x := filled(r, 2*n)
		odd, oddTwin := newOperand(n, 1), newOperand(n, 1)
		both(t, newOperand(n, r.IntN(4)),
			func(y operand) { unzipScalar(y.at(), oddTwin.at(), x.at(), n) },
			func(y operand) { Unzip(y.at(), odd.at(), x.at(), n) }, "even n=", n)
		sameBits(t, oddTwin, odd, "odd n=", n)
	}
}

func TestWindowBits(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 5))
	for _, cols := range laneSizes {
		for range 4 {
			rows, nt := r.IntN(4), r.IntN(10)
			ldx, ldy := cols+r.IntN(5), cols+r.IntN(3)
			taps := make([]int32, nt+1)
			for i := range nt {
				taps[i] = int32(r.IntN(40))
			}
			x, w := filled(r, 40+Span(rows, ldx, cols)), filled(r, nt)
			lo, hi := bound(r)
			bias := []float32{0, 0.3, float32(math.NaN())}[r.IntN(3)]
			both(t, newOperand(Span(rows, ldy, cols), r.IntN(4)), func(y operand) {
				depthwiseScalar(y.at(), ldy, x.at(), ldx, &taps[0], w.at(), nt, rows, cols, bias, lo, hi)
			}, func(y operand) {
				Depthwise(y.at(), ldy, x.at(), ldx, &taps[0], w.at(), nt, rows, cols, bias, lo, hi)
			}, "depthwise ", rows, "×", cols, " nt=", nt, " lo=", lo, " hi=", hi)
			both(t, newOperand(Span(rows, ldy, cols), r.IntN(4)),
				func(y operand) { maxTapsScalar(y.at(), ldy, x.at(), ldx, &taps[0], nt, rows, cols) },
				func(y operand) { MaxTaps(y.at(), ldy, x.at(), ldx, &taps[0], nt, rows, cols) },
				"maxTaps ", rows, "×", cols, " nt=", nt)
		}
	}
}

func TestBinaryBits(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 6))
	kernels := []struct {
		name         string
		kernel, twin func(y, a *float32, as, ac int, b *float32, bs, bc int, rows, cols int)
	}{
		{"add", AddRows, addRowsScalar}, {"sub", SubRows, subRowsScalar}, {"mul", MulRows, mulRowsScalar},
		{"div", DivRows, divRowsScalar}, {"max", MaxRows, maxRowsScalar}, {"min", MinRows, minRowsScalar},
	}
	for _, k := range kernels {
		for _, cols := range laneSizes {
			for mode := range 4 {
				for range 3 {
					rows := r.IntN(4)
					ac, bc := mode&1, mode>>1
					as := []int{0, ac * cols, cols + 1, 1}[r.IntN(4)]
					bs := []int{0, bc * cols, cols + 1, 1}[r.IntN(4)]
					a, b := filled(r, Span(rows, as, Span(cols, ac, 1))), filled(r, Span(rows, bs, Span(cols, bc, 1)))
					both(t, newOperand(rows*cols, r.IntN(4)),
						func(y operand) { k.twin(y.at(), a.at(), as, ac, b.at(), bs, bc, rows, cols) },
						func(y operand) { k.kernel(y.at(), a.at(), as, ac, b.at(), bs, bc, rows, cols) },
						k.name, " ", rows, "×", cols, " a ", as, ac, " b ", bs, bc)
				}
			}
			rows := r.IntN(3) + 1
			b := filled(r, cols)
			both(t, filled(r, rows*cols),
				func(y operand) { k.twin(y.at(), y.at(), cols, 1, b.at(), 0, 1, rows, cols) },
				func(y operand) { k.kernel(y.at(), y.at(), cols, 1, b.at(), 0, 1, rows, cols) }, k.name, " in place, first")
			c := filled(r, rows)
			both(t, filled(r, rows*cols),
				func(y operand) { k.twin(y.at(), c.at(), 1, 0, y.at(), cols, 1, rows, cols) },
				func(y operand) { k.kernel(y.at(), c.at(), 1, 0, y.at(), cols, 1, rows, cols) }, k.name, " in place, second")
		}
	}
}

type unaryKernel func(y, x *float32, n int)

func TestUnaryBits(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 7))
	type pair struct{ kernel, twin unaryKernel }
	kernels := map[string]pair{
		"abs": {AbsN, absNScalar}, "neg": {NegN, negNScalar}, "sqrt": {SqrtN, sqrtNScalar},
		"exp": {ExpN, expNScalar}, "sigmoid": {SigmoidN, sigmoidNScalar}, "silu": {SiluN, siluNScalar},
		"tanh": {TanhN, tanhNScalar}, "erf": {ErfN, erfNScalar}, "gelu": {GeluN, geluNScalar}, "geluTanh": {GeluTanhN, geluTanhNScalar},
		"leaky": {func(y, x *float32, n int) { LeakyN(y, x, n, 0.01) }, func(y, x *float32, n int) { leakyNScalar(y, x, n, 0.01) }},
		"hardSigmoid": {func(y, x *float32, n int) { HardSigmoidN(y, x, n, 0.2, 0.5) },
			func(y, x *float32, n int) { hardSigmoidNScalar(y, x, n, 0.2, 0.5) }},
		"hardSigmoid from -0": {func(y, x *float32, n int) { HardSigmoidN(y, x, n, 1, float32(math.Copysign(0, -1))) },
			func(y, x *float32, n int) { hardSigmoidNScalar(y, x, n, 1, float32(math.Copysign(0, -1))) }},
		"hardSwish": {func(y, x *float32, n int) { HardSwishN(y, x, n, 1./6, 0.5) },
			func(y, x *float32, n int) { hardSwishNScalar(y, x, n, 1./6, 0.5) }},
	}
	for i, b := range clampBounds {
		lo, hi := float32(b[0]), float32(b[1])
		kernels[fmt.Sprint("clip", i)] = pair{func(y, x *float32, n int) { ClipN(y, x, n, lo, hi) },
			func(y, x *float32, n int) { clipNScalar(y, x, n, lo, hi) }}
	}
	for name, k := range kernels {
		t.Run(name, func(t *testing.T) {
			for _, n := range append(laneSizes, 5000) {
				for range 3 {
					x := filled(r, n)
					both(t, newOperand(n, r.IntN(4)), func(y operand) { k.twin(y.at(), x.at(), n) }, func(y operand) { k.kernel(y.at(), x.at(), n) }, "n=", n)
					both(t, x, func(y operand) { k.twin(y.at(), y.at(), n) }, func(y operand) { k.kernel(y.at(), y.at(), n) }, "in place n=", n)
				}
			}
			// Every exponent, densely where the functions change their ways.
			x := newOperand(1<<16, 0)
			for i := range x.v {
				x.v[i] = math.Float32frombits(uint32(i)<<16 | uint32(r.IntN(1<<16)))
			}
			both(t, newOperand(len(x.v), 1), func(y operand) { k.twin(y.at(), x.at(), len(x.v)) }, func(y operand) { k.kernel(y.at(), x.at(), len(x.v)) }, "all exponents")
			for i := range x.v {
				x.v[i] = float32(i-1<<15) * (110. / (1 << 15))
			}
			both(t, newOperand(len(x.v), 2), func(y operand) { k.twin(y.at(), x.at(), len(x.v)) }, func(y operand) { k.kernel(y.at(), x.at(), len(x.v)) }, "-110 to 110")
		})
	}
}

func TestRowKernelBits(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 8))
	for _, cols := range append(laneSizes, 1023, 1024, 1025, 1040, 2049, 3000) {
		for special := range 3 {
			rows := 1 + r.IntN(3)
			x := filled(r, rows*cols)
			if special > 0 { // finite, so that every sum tells something
				for i := range x.v {
					x.v[i] = float32(r.NormFloat64()) + float32(special)
				}
			}
			factor := []float64{1, 1 / float64(max(cols, 1))}[r.IntN(2)]
			for _, k := range []struct {
				name         string
				kernel, twin func(y, x *float32, rows, cols int, factor float64)
			}{{"sum", SumRows, sumRowsScalar}, {"squares", SquareRows, squareRowsScalar}} {
				both(t, newOperand(rows, r.IntN(4)), func(y operand) { k.twin(y.at(), x.at(), rows, cols, factor) },
					func(y operand) { k.kernel(y.at(), x.at(), rows, cols, factor) }, k.name, " ", rows, "×", cols)
			}
			for _, k := range []struct {
				name         string
				kernel, twin func(y, x *float32, rows, cols int)
				out          int
			}{{"rowMax", RowMax, rowMaxScalar, rows}, {"rowMin", RowMin, rowMinScalar, rows}, {"softmax", SoftmaxRows, softmaxRowsScalar, rows * cols}} {
				both(t, newOperand(k.out, r.IntN(4)), func(y operand) { k.twin(y.at(), x.at(), rows, cols) },
					func(y operand) { k.kernel(y.at(), x.at(), rows, cols) }, k.name, " ", rows, "×", cols)
			}
			both(t, x, func(y operand) { softmaxRowsScalar(y.at(), y.at(), rows, cols) },
				func(y operand) { SoftmaxRows(y.at(), y.at(), rows, cols) }, "softmax in place ", rows, "×", cols)
		}
	}
}

// BenchmarkLayerKernels reports GFLOP/s or GB/s; sizes are those of the text models.
func BenchmarkLayerKernels(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 9))
	data := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		return x
	}
	inf := float32(math.Inf(1))
	flops := func(b *testing.B, n float64) {
		b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
	}
	for _, s := range [][3]int{{480, 480, 480}, {96, 96, 960}, {32, 27, 3840}} {
		m, k, n := s[0], s[1], s[2]
		c, p, q := data(m*n), data(m*k), data(k*n)
		b.Run(fmt.Sprintf("Gemm/m=%d/k=%d/n=%d", m, k, n), func(b *testing.B) {
			for b.Loop() {
				GemmTiles(&c[0], n, &p[0], 4*k, &q[0], 8*k, k, m/4, n/8, StartZero, nil, -inf, inf)
			}
			flops(b, 2*float64(m*k*n))
		})
	}
	c, p, q := data(6624), data(480), data(480*6624)
	b.Run("GemmRow/k=120/n=6624", func(b *testing.B) {
		for b.Loop() {
			GemmRow(&c[0], &p[0], 1, &q[0], 8*120, 120, 828, StartZero, nil, -inf, inf)
		}
		flops(b, 2*120*6624)
	})
	b.Run("GemmCol/k=120/m=480", func(b *testing.B) {
		for b.Loop() {
			GemmCol(&c[0], &q[0], 4*120, &p[0], 1, 120, 120, StartZero, nil, -inf, inf)
		}
		flops(b, 2*120*480)
	})
	for _, w := range []int{40, 80, 320} {
		x, y := data(30*(w+8)), data(24*w)
		taps := make([]int32, 25)
		for i := range taps {
			taps[i] = int32(i/5*(w+8) + i%5)
		}
		b.Run(fmt.Sprintf("Depthwise/24x%d/5x5", w), func(b *testing.B) {
			for b.Loop() {
				Depthwise(&y[0], w, &x[0], w+8, &taps[0], &p[0], 25, 24, w, 0, -inf, inf)
			}
			flops(b, 2*25*24*float64(w))
		})
		b.Run(fmt.Sprintf("MaxTaps/24x%d/5x5", w), func(b *testing.B) {
			for b.Loop() {
				MaxTaps(&y[0], w, &x[0], w+8, &taps[0], 25, 24, w)
			}
			flops(b, 25*24*float64(w))
		})
	}
	x, y := data(1<<14), data(1<<14)
	for _, k := range []struct {
		name   string
		kernel unaryKernel
	}{
		{"clip", func(y, x *float32, n int) { ClipN(y, x, n, 0, 6) }}, {"sqrt", SqrtN}, {"exp", ExpN}, {"sigmoid", SigmoidN}, {"silu", SiluN},
		{"tanh", TanhN}, {"erf", ErfN}, {"gelu", GeluN}, {"geluTanh", GeluTanhN},
		{"hardSwish", func(y, x *float32, n int) { HardSwishN(y, x, n, 1./6, 0.5) }},
		{"transpose", func(y, x *float32, n int) { Transpose(y, 128, x, 128, 128, 128) }},
		{"unzip", func(y, x *float32, n int) { Unzip(y, x, x, n/2) }},
		{"add", func(y, x *float32, n int) { AddRows(y, x, n, 1, x, n, 1, 1, n) }},
		{"max", func(y, x *float32, n int) { MaxRows(y, x, n, 1, x, n, 1, 1, n) }},
		{"softmax/cols=128", func(y, x *float32, n int) { SoftmaxRows(y, x, n/128, 128) }},
		{"softmax/cols=4096", func(y, x *float32, n int) { SoftmaxRows(y, x, n/4096, 4096) }},
		{"sumRows/cols=128", func(y, x *float32, n int) { SumRows(y, x, n/128, 128, 1) }},
		{"rowMax/cols=128", func(y, x *float32, n int) { RowMax(y, x, n/128, 128) }},
	} {
		b.Run("Elements/"+k.name, func(b *testing.B) {
			b.SetBytes(8 << 14)
			for b.Loop() {
				k.kernel(&y[0], &x[0], 1<<14)
			}
		})
	}
}
