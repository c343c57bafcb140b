package kernel

import (
	"math"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/testkit"
)

// TestElementaryAccuracy walks evenly through all bit patterns of float32, so
// that each binade has its share, and holds the functions to float64 ones. The
// distance is in units in the last place of the true value, or, for those that
// cancel (x·Φ(x) far left of zero), of a floor that the table gives.
func TestElementaryAccuracy(t *testing.T) {
	phi := func(x float64) float64 { return 0.5 * math.Erfc(-x/math.Sqrt2) }
	inner := func(x float64) float64 { return 2 * math.Sqrt(2/math.Pi) * (x + 0.044715*x*x*x) }
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	tests := []struct {
		name  string
		f     func(float32) float32
		want  func(float64) float64
		ulps  float64
		floor float64 // magnitude below which a unit no longer shrinks
	}{
		{"exp", ExpOf, math.Exp, 1.5, 0},
		{"sigmoid", SigmoidOf, sigmoid, 2.5, 0},
		{"silu", func(x float32) float32 { return x * SigmoidOf(x) }, func(x float64) float64 { return x * sigmoid(x) }, 3.5, 1e-36},
		{"tanh", TanhOf, math.Tanh, 2.5, 0},
		{"erf", ErfOf, math.Erf, 2, 0},
		{"gelu", func(x float32) float32 { return x * NormalOf(x) }, func(x float64) float64 { return x * phi(x) }, 4, 0.125},
		{"log", LogOf, math.Log, 1, 0},
		{"softplus", SoftplusOf, func(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }, 3, 1e-36},
		{"mish", MishOf, func(x float64) float64 { return x * math.Tanh(max(x, 0)+math.Log1p(math.Exp(-math.Abs(x)))) }, 5, 1e-36},
		{"geluTanh", GeluTanhOf, func(x float64) float64 { return x * sigmoid(inner(x)) }, 4, 0.125},
	}
	step := uint64(2003)
	if coarse() {
		step = 100003
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var worst, tail testkit.Worst
			for bits := uint64(0); bits < 1<<32; bits += step {
				x := math.Float32frombits(uint32(bits))
				got, want := tt.f(x), tt.want(float64(x))
				if x != x {
					require.True(t, got != got, "NaN %#x gives %v", bits, got)
					continue
				}
				if want != want {
					require.True(t, math.IsInf(float64(x), 0) || got != got, "x = %v: %v, want NaN", x, got) // of Inf·0 see below
					continue
				}
				if math.Abs(want) > math.MaxFloat32*(1+0x1p-25) {
					require.Equal(t, float32(want), got, "x = %v", x)
					continue
				}
				d := math.Abs(float64(got) - want)
				worst.Add(d/testkit.ULP(max(math.Abs(want), tt.floor)), "x = %v: %v, want %v", x, got, want)
				if tt.floor > 0 && math.Abs(want) > 1e-30 {
					tail.Add(d/testkit.ULP(want), "x = %v: %v, want %v", x, got, want)
				}
			}
			t.Logf("%s: at most %v units in the last place; the far tail %v", tt.name, worst, tail)
			assert.LessOrEqual(t, worst.Figure, tt.ulps, worst.Where)
		})
	}
}

func TestElementarySpecials(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	zero := float32(math.Copysign(0, -1))
	tests := []struct {
		name    string
		f       func(float32) float32
		x, want float32
	}{
		{"exp of 0", ExpOf, 0, 1},
		{"exp of -0", ExpOf, zero, 1},
		{"exp of -Inf", ExpOf, -inf, 0},
		{"exp of Inf", ExpOf, inf, inf},
		{"exp just overflows", ExpOf, 88.72284, inf},
		{"exp's least result", ExpOf, -103.97, math.SmallestNonzeroFloat32},
		{"exp underflows", ExpOf, -103.98, 0},
		{"sigmoid of 0", SigmoidOf, 0, 0.5},
		{"sigmoid of Inf", SigmoidOf, inf, 1},
		{"sigmoid of -Inf", SigmoidOf, -inf, 0},
		{"tanh of Inf", TanhOf, inf, 1},
		{"tanh of -Inf", TanhOf, -inf, -1},
		{"tanh of -0", TanhOf, zero, zero},
		{"tanh of a denormal", TanhOf, 1e-42, 1e-42},
		{"erf of Inf", ErfOf, inf, 1},
		{"erf of -Inf", ErfOf, -inf, -1},
		{"erf of -0", ErfOf, zero, zero},
		{"Φ of Inf", NormalOf, inf, 1},
		{"Φ of -Inf", NormalOf, -inf, 0},
		{"gelu of 0", GeluTanhOf, 0, 0},
		{"log of 0", LogOf, 0, -inf},
		{"log of -0", LogOf, zero, -inf},
		{"log of 1", LogOf, 1, 0},
		{"log of Inf", LogOf, inf, inf},
		{"softplus of -Inf", SoftplusOf, -inf, 0},
		{"softplus of Inf", SoftplusOf, inf, inf},
		{"mish of Inf", MishOf, inf, inf},
		{"expm1 of -Inf", expm1, -inf, -1},
	}
	for _, tt := range tests {
		got := tt.f(tt.x)
		assert.Equal(t, math.Float32bits(tt.want), math.Float32bits(got), "%s: %v, want %v", tt.name, got, tt.want)
	}
	for _, f := range []func(float32) float32{ExpOf, SigmoidOf, TanhOf, ErfOf, NormalOf, GeluTanhOf, LogOf, SoftplusOf, MishOf} {
		assert.True(t, f(nan) != f(nan))
	}
}

// coarse says to take fewer points: these functions are plain Go, slow in wasm and
// not different there (TestKernelBits is what looks at the assembly).
func coarse() bool { return testing.Short() || runtime.GOARCH == "wasm" }

// erf and tanh must not step back where their halves meet.
func TestElementaryMonotone(t *testing.T) {
	step := float32(0x1p-23) // the least that moves on from 1
	if coarse() {
		step = 0x1p-18
	}
	for name, f := range map[string]func(float32) float32{"erf": ErfOf, "tanh": TanhOf} {
		last := float32(0)
		for x := float32(0.5); x < 1.1; x += step {
			y := f(x)
			if y < last-2*0x1p-24 {
				require.Failf(t, "steps back", "%s(%v) = %v after %v", name, x, y, last)
			}
			last = max(last, y)
		}
	}
}
