package compute

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/testkit"
)

// The gradients against central differences of the functions in float64.
func TestActivationGradients(t *testing.T) {
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	for name, c := range map[string]struct {
		f        func(x float64) float64
		gradient func(dx, dy, of []float32)
		output   bool // that the gradient is computed from
	}{
		"relu":    {func(x float64) float64 { return math.Max(x, 0) }, ReluGradient, true},
		"tanh":    {math.Tanh, TanhGradient, true},
		"sigmoid": {sigmoid, SigmoidGradient, true},
		"silu":    {func(x float64) float64 { return x * sigmoid(x) }, SiluGradient, false},
		"gelu":    {func(x float64) float64 { return x * (1 + math.Erf(x/math.Sqrt2)) / 2 }, GeluGradient, false},
	} {
		const n = 1601
		of, dy, dx := make([]float32, n), make([]float32, n), make([]float32, n)
		x := make([]float64, n)
		for i := range of {
			x[i] = float64(i-n/2)/100 + 0.001
			of[i], dy[i] = float32(x[i]), float32(i%5)-2
			if c.output {
				of[i] = float32(c.f(x[i]))
			}
		}
		c.gradient(dx, dy, of)
		for i, v := range x {
			const h = 1e-4
			want := (c.f(v+h) - c.f(v-h)) / (2 * h) * float64(dy[i])
			require.InDelta(t, want, dx[i], 3e-6, "%s at %v", name, v)
		}
		want := append([]float32(nil), dx...)
		c.gradient(dy, dy, of)
		testkit.SameBits(t, want, dy, "%s in place", name)
	}
}

func TestSoftmaxGradient(t *testing.T) {
	r := testkit.Rand(5)
	for _, cols := range []int{1, 3, 10, 64, 77} {
		const rows = 3
		x, dy := testkit.Normal(r, rows*cols, 0, 1), testkit.Normal(r, rows*cols, 0, 1)
		y, dx := make([]float32, rows*cols), make([]float32, rows*cols)
		Softmax(y, x, rows, cols, 1, nil)
		SoftmaxGradient(dx, dy, y, rows, cols)
		for i := range rows {
			// Σ dy·softmax(x), of which dx is the gradient.
			loss := func(at int, h float64) float64 {
				total, sum := 0.0, 0.0
				for j := range cols {
					v := float64(x[i*cols+j])
					if j == at {
						v += h
					}
					total += math.Exp(v)
					sum += math.Exp(v) * float64(dy[i*cols+j])
				}
				return sum / total
			}
			for j := range cols {
				require.InDelta(t, (loss(j, 1e-5)-loss(j, -1e-5))/2e-5, dx[i*cols+j], 1e-6)
			}
		}
	}
}

func TestDot(t *testing.T) {
	r := testkit.Rand(6)
	for _, n := range []int{0, 1, 15, 16, 17, 100, 1000} {
		a, b, want := testkit.Normal(r, n, 0, 1), testkit.Normal(r, n, 1, 1), 0.0
		for i, v := range a {
			want += float64(v) * float64(b[i])
		}
		assert.InDelta(t, want, Dot(a, b), 1e-12*float64(n))
	}
}

func TestMaxPairs(t *testing.T) {
	r := testkit.Rand(7)
	for _, s := range [][3]int{{1, 2, 2}, {2, 5, 7}, {3, 4, 16}, {2, 9, 18}, {1, 1, 8}, {2, 8, 1}} {
		planes, h, w := s[0], s[1], s[2]
		oh, ow := h/2, w/2
		x := testkit.Normal(r, planes*h*w, 0, 1)
		for i := range x {
			x[i] = float32(math.Round(float64(x[i]))) // with equals
		}
		y, which, dy := make([]float32, planes*oh*ow), make([]float32, planes*oh*ow), testkit.Normal(r, planes*oh*ow, 3, 1)
		MaxPairs(y, which, x, planes, h, w)
		dx, want := testkit.Normal(r, len(x), 0, 1), make([]float32, len(x))
		for j := range y {
			top := j/(oh*ow)*h*w + j/ow%oh*2*w + j%ow*2
			best := top
			for _, i := range []int{top + 1, top + w, top + w + 1} {
				if x[i] > x[best] {
					best = i
				}
			}
			require.Equal(t, x[best], y[j])
			want[best] = dy[j]
		}
		MaxPairsGradient(dx, dy, which, planes, h, w)
		require.Equal(t, want, dx)
	}
	nan := float32(math.NaN())
	for i := range 4 { // wherever it is
		x, y := []float32{1, 2, 3, 4}, make([]float32, 1)
		x[i] = nan
		MaxPairs(y, make([]float32, 1), x, 1, 2, 2)
		require.True(t, y[0] != y[0])
	}
}
