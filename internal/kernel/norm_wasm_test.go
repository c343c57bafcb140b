//go:build wasm && !purego

package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// The assembly against its scalar twin in one binary: the same bits, at every
// edge of the loops, at addresses that are aligned to 4 bytes only, over rows
// easy and hard, with guards around each operand that must stay as they were.

const guard = 8 // elements before and after an operand

// operand is a slice between guards; shift moves it off its alignment.
type operand struct {
	all, v []float32
	shift  int
}

const guardBits = 0x7fc0dead // a NaN of its own

func newOperand(n, shift int) operand {
	all := make([]float32, n+2*guard+3)
	for i := range all {
		all[i] = math.Float32frombits(guardBits)
	}
	return operand{all, all[guard+shift : guard+shift+n], shift}
}

func sameBits(t *testing.T, want, got operand, context ...any) {
	t.Helper()
	for i := range want.all {
		w, g := want.all[i], got.all[i]
		if w != w && g != g && math.Float32bits(w) != guardBits && math.Float32bits(g) != guardBits {
			continue // two NaNs, whose bits are not held
		}
		if math.Float32bits(w) != math.Float32bits(g) {
			require.Failf(t, "bits differ", "%v: at %d of %d (v begins at %d): %v (%#x), want %v (%#x)",
				fmt.Sprint(context...), i, len(want.all), guard+want.shift, g, math.Float32bits(g), w, math.Float32bits(w))
		}
	}
}

var rowKinds = map[string]func(r *rand.Rand, i int) float32{
	"normal":   func(r *rand.Rand, _ int) float32 { return float32(r.NormFloat64()) },
	"far":      func(r *rand.Rand, _ int) float32 { return 1e4 + float32(r.NormFloat64()) },
	"constant": func(*rand.Rand, int) float32 { return 1234.1 },
	"zero":     func(*rand.Rand, int) float32 { return 0 },
	"signs":    func(r *rand.Rand, _ int) float32 { return []float32{0, float32(math.Copysign(0, -1))}[r.IntN(2)] },
	"denormal": func(r *rand.Rand, _ int) float32 { return math.Float32frombits(uint32(r.IntN(1 << 20))) },
	"mixed": func(r *rand.Rand, _ int) float32 {
		return float32(r.NormFloat64() * math.Pow(10, float64(r.IntN(30)-15)))
	},
	"drifting": func(r *rand.Rand, i int) float32 { return float32(i*i) + r.Float32() },
	"nan": func(r *rand.Rand, i int) float32 {
		return []float32{float32(r.NormFloat64()), float32(math.NaN())}[i%7/6]
	},
	"infinite": func(r *rand.Rand, i int) float32 {
		return []float32{float32(r.NormFloat64()), float32(math.Inf(1))}[i%5/4]
	},
	"outlier": func(r *rand.Rand, i int) float32 { return []float32{1e6, float32(r.NormFloat64())}[min(i, 1)] },
	"bits":    func(r *rand.Rand, _ int) float32 { return math.Float32frombits(r.Uint32()) },
	// On either side of where a variance is too small or too large for float32.
	"tiny": func(r *rand.Rand, i int) float32 {
		return float32(math.Pow(10, -14.9-float64(i%2)) * (1 + r.Float64()))
	},
	"small":     func(r *rand.Rand, i int) float32 { return float32(1e-15 * (0.3 - float64(i%2))) },
	"huge":      func(r *rand.Rand, i int) float32 { return float32(2e18 * (1 - 2*float64(i%2))) },
	"two steps": func(r *rand.Rand, i int) float32 { return []float32{-3e4, 1e4}[min(i/5, 1)] },
}

var edgeSizes = []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 15, 16, 17, 19, 20, 23, 24, 27, 28, 31, 32, 33, 35, 47, 48, 49,
	63, 64, 65, 79, 95, 127, 128, 129, 131, 255, 256, 257, 271, 272, 287, 511, 512, 513, 529, 768, 1023, 1024, 1027, 1040}

func TestLayerNormRowsBits(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for kind, gen := range rowKinds {
		t.Run(kind, func(t *testing.T) {
			for _, cols := range edgeSizes {
				for params := range 4 {
					rows, shift := r.IntN(4), r.IntN(4)
					if cols == 0 {
						rows = r.IntN(2)
					}
					x := newOperand(rows*cols, shift)
					for i := range x.v {
						x.v[i] = gen(r, i%max(cols, 1))
					}
					gamma, beta := newOperand(cols, r.IntN(4)), newOperand(cols, r.IntN(4))
					for i := range cols {
						gamma.v[i], beta.v[i] = float32(r.NormFloat64()), float32(r.NormFloat64())
					}
					var g, b *float32
					if params&1 != 0 {
						g = first(gamma.v)
					}
					if params&2 != 0 {
						b = first(beta.v)
					}
					epsilon := []float64{0, 1e-5, 1e-12, 1}[r.IntN(4)]
					run := func(kernel func(dst, src, gamma, beta, mean, rstd *float32, rows, cols int, epsilon float64) int, inPlace bool) (y, mean, rstd operand, done int) {
						y, mean, rstd = newOperand(rows*cols, shift), newOperand(rows, 1), newOperand(rows, 2)
						src := first(x.v)
						if inPlace {
							copy(y.v, x.v)
							src = first(y.v)
						}
						var m, s *float32
						if params != 1 {
							m, s = first(mean.v), first(rstd.v)
						}
						done = kernel(first(y.v), src, g, b, m, s, rows, cols, epsilon)
						return
					}
					for _, inPlace := range []bool{false, true} {
						wy, wm, ws, wn := run(layerNormRowsScalar, inPlace)
						gy, gm, gs, gn := run(LayerNormRows, inPlace)
						require.Equal(t, wn, gn, "rows done: %d×%d params=%d in place=%v", rows, cols, params, inPlace)
						sameBits(t, wy, gy, rows, "×", cols, " params=", params, " in place=", inPlace)
						sameBits(t, wm, gm, "mean ", rows, "×", cols)
						sameBits(t, ws, gs, "rstd ", rows, "×", cols)
					}
				}
			}
		})
	}
}

func first(v []float32) *float32 {
	if len(v) == 0 {
		return nil
	}
	return &v[0]
}

func fill(r *rand.Rand, v []float32) {
	special := []float32{0, float32(math.Copysign(0, -1)), 6, -6, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), 1e-42, 3e38}
	for i := range v {
		if v[i] = float32(4 * r.NormFloat64()); r.IntN(9) == 0 {
			v[i] = special[r.IntN(len(special))]
		}
	}
}

func TestBatchNormBits(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, inner := range edgeSizes {
		for clamp := range 3 {
			for _, channels := range []int{1, 3, 8} {
				planes, shift := channels*r.IntN(3), r.IntN(4)
				x := newOperand(planes*inner, shift)
				mean, scale, beta := newOperand(channels, 1), newOperand(channels, 2), newOperand(channels, 0)
				for _, o := range []operand{x, mean, scale, beta} {
					fill(r, o.v)
				}
				want, got := newOperand(len(x.v), shift), newOperand(len(x.v), shift)
				batchNormPlanesScalar(first(want.v), first(x.v), first(mean.v), first(scale.v), first(beta.v), planes, channels, inner, clamp)
				BatchNormPlanes(first(got.v), first(x.v), first(mean.v), first(scale.v), first(beta.v), planes, channels, inner, clamp)
				sameBits(t, want, got, "planes=", planes, " inner=", inner, " clamp=", clamp)
				copy(got.v, x.v)
				BatchNormPlanes(first(got.v), first(got.v), first(mean.v), first(scale.v), first(beta.v), planes, channels, inner, clamp)
				sameBits(t, want, got, "in place planes=", planes, " inner=", inner, " clamp=", clamp)
			}
			period := inner
			count := r.IntN(3*period + 2)
			if period == 0 {
				count = 0
			}
			shift := r.IntN(4)
			x, mean, scale, beta := newOperand(count, shift), newOperand(period, 1), newOperand(period, 2), newOperand(period, 3)
			for _, o := range []operand{x, mean, scale, beta} {
				fill(r, o.v)
			}
			want, got := newOperand(count, shift), newOperand(count, shift)
			batchNormRowsScalar(first(want.v), first(x.v), first(mean.v), first(scale.v), first(beta.v), count, period, clamp)
			BatchNormRows(first(got.v), first(x.v), first(mean.v), first(scale.v), first(beta.v), count, period, clamp)
			sameBits(t, want, got, "rows count=", count, " period=", period, " clamp=", clamp)
		}
	}
}

func BenchmarkNormKernels(b *testing.B) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, s := range [][2]int{{64, 768}, {2048, 768}, {128, 64}, {64, 256}} {
		rows, cols := s[0], s[1]
		x, y := make([]float32, rows*cols), make([]float32, rows*cols)
		g, be := make([]float32, cols), make([]float32, cols)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		b.Run(fmt.Sprintf("LayerNorm/rows=%d/cols=%d/path=simd", rows, cols), func(b *testing.B) {
			b.SetBytes(int64(8 * rows * cols))
			for b.Loop() {
				LayerNormRows(&y[0], &x[0], &g[0], &be[0], nil, nil, rows, cols, 1e-5)
			}
		})
	}
	for _, s := range [][3]int{{64, 64, 3136}, {256, 32, 1024}} {
		planes, channels, inner := s[0], s[1], s[2]
		x, y := make([]float32, planes*inner), make([]float32, planes*inner)
		p := make([]float32, channels)
		for _, clamp := range []int{0, 2} {
			b.Run(fmt.Sprintf("BatchNormPlanes/%dx%d/clamp=%d/path=simd", planes, inner, clamp), func(b *testing.B) {
				b.SetBytes(int64(8 * planes * inner))
				for b.Loop() {
					BatchNormPlanes(&y[0], &x[0], &p[0], &p[0], &p[0], planes, channels, inner, clamp)
				}
			})
		}
		b.Run(fmt.Sprintf("BatchNormRows/%dx%d/path=simd", inner, channels), func(b *testing.B) {
			b.SetBytes(int64(8 * planes * inner))
			for b.Loop() {
				BatchNormRows(&y[0], &x[0], &p[0], &p[0], &p[0], planes*inner, channels, 1)
			}
		})
	}
}
