package compute

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/testkit"
)

func TestActivations(t *testing.T) {
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	clip := func(x, lo, hi float64) float64 { return math.Min(math.Max(x, lo), hi) }
	a, b := float64(float32(0.2)), float64(float32(0.55))
	// want may be nil at a point where a limit, not the formula, rules.
	tests := []struct {
		name string
		run  func(y, x []float32)
		want func(x float64) float64
		tol  float64 // relative to 1 + |want|
	}{
		{"Relu", Relu, func(x float64) float64 { return math.Max(x, 0) }, 0},
		{"Clip", func(y, x []float32) { Clip(y, x, -1, 6) }, func(x float64) float64 { return clip(x, -1, 6) }, 0},
		{"Abs", Abs, math.Abs, 0},
		{"Neg", Neg, func(x float64) float64 { return -x }, 0},
		{"Sqrt", Sqrt, func(x float64) float64 { return float64(float32(math.Sqrt(x))) }, 0},
		{"Reciprocal", Reciprocal, func(x float64) float64 { return float64(1 / float32(x)) }, 0},
		{"Floor", Floor, math.Floor, 0},
		{"Ceil", Ceil, math.Ceil, 0},
		{"Round", Round, math.RoundToEven, 0},
		{"LeakyRelu", func(y, x []float32) { LeakyRelu(y, x, 0.2) }, func(x float64) float64 {
			if x < 0 {
				x *= a
			}
			return x
		}, 1e-7},
		{"ThresholdedRelu", func(y, x []float32) { ThresholdedRelu(y, x, 0.2) }, func(x float64) float64 {
			if !(x > a) {
				x = 0
			}
			return x
		}, 0},
		{"HardSigmoid", func(y, x []float32) { HardSigmoid(y, x, 0.2, 0.55) },
			func(x float64) float64 { return clip(a*x+b, 0, 1) }, 2e-7},
		{"HardSwish", func(y, x []float32) { HardSwish(y, x, 0.2, 0.55) },
			func(x float64) float64 { return x * clip(a*x+b, 0, 1) }, 2e-6},
		{"Exp", Exp, math.Exp, 2e-7},
		{"Log", Log, math.Log, 1e-7},
		{"Sin", Sin, math.Sin, 1e-7},
		{"Cos", Cos, math.Cos, 1e-7},
		{"Sigmoid", Sigmoid, sigmoid, 3e-7},
		{"Silu", Silu, func(x float64) float64 { return x * sigmoid(x) }, 3e-7},
		{"Tanh", Tanh, math.Tanh, 3e-7},
		{"Erf", Erf, math.Erf, 3e-7},
		{"Gelu", Gelu, func(x float64) float64 { return x * 0.5 * math.Erfc(-x/math.Sqrt2) }, 3e-7},
		{"Softsign", Softsign, func(x float64) float64 { return x / (1 + math.Abs(x)) }, 2e-7},
		{"Softplus", Softplus, func(x float64) float64 {
			if x > 700 {
				return x
			}
			return math.Log1p(math.Exp(x))
		}, 2e-7},
		{"Elu", func(y, x []float32) { Elu(y, x, 0.2) }, func(x float64) float64 {
			if x < 0 {
				x = a * (math.Exp(x) - 1)
			}
			return x
		}, 2e-7},
		{"Selu", func(y, x []float32) { Selu(y, x, 0.2, 0.5) }, func(x float64) float64 {
			if x < 0 {
				x = a * (math.Exp(x) - 1)
			}
			return 0.5 * x
		}, 2e-7},
		{"Celu", func(y, x []float32) { Celu(y, x, 2) }, func(x float64) float64 {
			if x < 0 {
				x = 2 * (math.Exp(x/2) - 1)
			}
			return x
		}, 2e-7},
		{"Sign", Sign, func(x float64) float64 {
			if x == 0 || x != x {
				return x
			}
			return math.Copysign(1, x)
		}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, n := range []int{0, 1, 3, 4, 7, 16, 19, 600} {
				x := testkit.Input("x", testkit.Mixed(uint64(n), n), 1)
				y := testkit.Output("y", n, 2)
				tt.run(y.S, x.S)
				for i, v := range x.S {
					want := tt.want(float64(v))
					tolerance := tt.tol * (1 + math.Abs(want))
					if tt.tol == 0 || math.IsInf(want, 0) {
						tolerance = 0
					}
					if !testkit.Same(y.S[i], want, tolerance) && float32(want) != y.S[i] {
						require.Failf(t, "wrong", "%s(%v) = %v, want %v", tt.name, v, y.S[i], want)
					}
				}
				x.Check(t, "%s", tt.name)
				y.Check(t, "%s", tt.name)
				in := append([]float32(nil), x.S...)
				tt.run(in, in)
				testkit.SameBits(t, y.S, in, "%s in place", tt.name)
			}
		})
	}
}

func TestBinary(t *testing.T) {
	type function = func(y, a []float32, as, ac int, b []float32, bs, bc, rows, cols int)
	tests := []struct {
		name string
		run  function
		want func(a, b float32) float32
	}{
		{"Add", Add, func(a, b float32) float32 { return a + b }},
		{"Sub", Sub, func(a, b float32) float32 { return a - b }},
		{"Mul", Mul, func(a, b float32) float32 { return a * b }},
		{"Div", Div, func(a, b float32) float32 { return a / b }},
		{"Max", Max, func(a, b float32) float32 {
			if a != a || b != b {
				return float32(math.NaN())
			}
			return float32(math.Max(float64(a), float64(b)))
		}},
		{"Min", Min, func(a, b float32) float32 {
			if a != a || b != b {
				return float32(math.NaN())
			}
			return float32(math.Min(float64(a), float64(b)))
		}},
		{"Pow", Pow, func(a, b float32) float32 { return float32(math.Pow(float64(a), float64(b))) }},
		{"PRelu", PRelu, func(a, b float32) float32 {
			if a >= 0 || a != a {
				return a
			}
			return a * b
		}},
	}
	// Row and column steps as broadcasting has them, for cols elements a row.
	steps := func(cols int) [][2]int { return [][2]int{{cols, 1}, {0, 1}, {1, 0}, {0, 0}, {cols + 3, 1}} }
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, rows := range []int{0, 1, 2, 5} {
				for _, cols := range []int{0, 1, 2, 3, 4, 5, 8, 15, 17, 35} {
					for _, p := range steps(cols) {
						for _, q := range steps(cols) {
							an, bn := kernel.Span(rows, p[0], kernel.Span(cols, p[1], 1)), kernel.Span(rows, q[0], kernel.Span(cols, q[1], 1))
							a, b := testkit.Input("a", testkit.Mixed(1, an), 1), testkit.Input("b", testkit.Mixed(2, bn), 2)
							y := testkit.Output("y", rows*cols, 3)
							tt.run(y.S, a.S, p[0], p[1], b.S, q[0], q[1], rows, cols)
							for i, got := range y.S {
								av, bv := a.S[i/cols*p[0]+i%cols*p[1]], b.S[i/cols*q[0]+i%cols*q[1]]
								want := tt.want(av, bv)
								if got != want && (got == got || want == want) {
									require.Failf(t, "wrong", "%s(%v, %v) = %v, want %v (steps %v %v, %d×%d at %d)", tt.name, av, bv, got, want, p, q, rows, cols, i)
								}
							}
							for _, o := range []*testkit.Operand{a, b, y} {
								o.Check(t, "%s %d×%d %v %v", tt.name, rows, cols, p, q)
							}
						}
					}
				}
			}
		})
	}
}

func TestPowExponents(t *testing.T) {
	r := testkit.Rand(3)
	x := testkit.Uniform(r, 50, 0.1, 20)
	for _, e := range []float32{1, 2, 3, -1, 0.5, 0, 1.7, -2} {
		y := make([]float32, len(x))
		Pow(y, x, 0, 1, []float32{e}, 0, 0, 1, len(x))
		for i, v := range x {
			want := math.Pow(float64(v), float64(e))
			require.InDelta(t, want, y[i], 2e-7*want, "%v to the power %v", v, e)
		}
	}
}
