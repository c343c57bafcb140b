package norm

import (
	"math"
	"testing"

	"github.com/normwasm/normwasm/internal/testkit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// activatedWant is an activation of what came out without.
func activatedWant(a Activation, v float32) float64 {
	w := float64(v)
	switch a {
	case ReLU:
		return max(w, 0)
	case ReLU6:
		return min(max(w, 0), 6)
	case SiLU:
		return w / (1 + math.Exp(-w))
	}
	return w
}

// nearby holds an activation to its oracle; a call of require for each of so many values
// would take most of the time in wasm.
func nearby(want float64, got float32) bool {
	return math.Abs(want-float64(got)) <= 3e-7*math.Abs(want)+1e-30
}

// Fused activations are those of the result without, in every layout of rows, with a
// residual and a hard row too.
func TestRowActivations(t *testing.T) {
	for i, c := range axesCases {
		layer, err := NewLayerNorm(c.shape, c.axes, 1e-5)
		require.NoError(t, err)
		rms, err := NewRMSNorm(c.shape, c.axes, 1e-5)
		require.NoError(t, err)
		n := layer.Rows() * layer.Cols()
		r := testkit.Rand(uint64(i))
		x, residual, gamma, beta := testkit.Normal(r, n, 0, 1), testkit.Normal(r, n, 0, 1), testkit.Normal(r, layer.Cols(), 3, 3), testkit.Normal(r, layer.Cols(), 0, 2)
		if n > 20 {
			x[7] = 3e38
		}
		for _, second := range [][]float32{nil, residual} {
			want, wantRMS, y := make([]float32, n), make([]float32, n), make([]float32, n)
			layer.Activation = Linear
			require.NoError(t, rms.Fuse(Linear))
			require.NoError(t, layer.Forward(want, nil, nil, x, second, gamma, beta))
			require.NoError(t, rms.Forward(wantRMS, nil, nil, x, second, gamma))
			for _, a := range []Activation{ReLU, ReLU6, SiLU} {
				layer.Activation = a
				require.NoError(t, rms.Fuse(a))
				require.NoError(t, layer.Forward(y, nil, nil, x, second, gamma, beta))
				for k, v := range want {
					w := activatedWant(a, v)
					if !nearby(w, y[k]) {
						require.Failf(t, "LayerNorm", "%v over %v: activation %d of %v is %v, want %v", c.shape, c.axes, a, v, y[k], w)
					}
				}
				require.NoError(t, rms.Forward(y, nil, nil, x, second, gamma))
				for k, v := range wantRMS {
					w := activatedWant(a, v)
					if !nearby(w, y[k]) {
						require.Failf(t, "RMSNorm", "%v over %v: activation %d of %v is %v, want %v", c.shape, c.axes, a, v, y[k], w)
					}
				}
			}
		}
	}
}

func TestBatchNormLayerActivations(t *testing.T) {
	for _, c := range trainingShapes {
		channels, n := c.shape[c.layout.axis(len(c.shape))], product64(c.shape)
		x, y, want := testkit.Normal(testkit.Rand(1), n, 0, 1), make([]float32, n), make([]float32, n)
		x[n/2] = 3e38
		l, err := NewBatchNormLayer(channels, ONNX)
		require.NoError(t, err)
		l.Layout = c.layout
		copy(l.Beta, testkit.Normal(testkit.Rand(2), channels, 1, 4))
		for _, useBatch := range []bool{true, false} {
			l.Activation = Linear
			require.NoError(t, l.Forward(want, x, c.shape, useBatch, false))
			for _, a := range []Activation{ReLU, ReLU6, SiLU} {
				l.Activation = a
				require.NoError(t, l.Forward(y, x, c.shape, useBatch, false))
				for i, v := range want {
					w := activatedWant(a, v)
					require.InDelta(t, w, y[i], 3e-7*math.Abs(w)+1e-30, "%v: activation %d of %v", c.shape, a, v)
				}
			}
		}
	}
}

// NaN goes through every activation.
func TestActivationsKeepNaN(t *testing.T) {
	nan := float32(math.NaN())
	for _, a := range []Activation{Linear, ReLU, ReLU6, SiLU} {
		y := []float32{nan, 1, nan, 2, nan}
		activate(y, a)
		assert.True(t, y[0] != y[0] && y[2] != y[2] && y[4] != y[4], "activation %d: %v", a, y)
		v := activated(nan, a)
		assert.True(t, v != v)
	}
}

// The calls on bare slices allocate nothing either.
func TestWeightsAllocateNothing(t *testing.T) {
	w, v, g := make([]float32, 12), testkit.Normal(testkit.Rand(1), 12, 0, 1), []float32{1, 2, 3}
	s, err := NewSpectralNorm(3, 4)
	require.NoError(t, err)
	assert.Zero(t, testing.AllocsPerRun(5, func() {
		_ = FoldBatchNorm(w, g, v, g, g, g, g, g, 1, 3, 4, 1e-5)
		_ = WeightNorm(w, g, v, g, 3, 4)
		_ = WeightNormBackward(w, g, w, v, g, 3, 4)
		_, _ = s.Forward(w, v, 1)
		_ = s.Backward(w, w, v)
		_ = RMSNormRows(w, g, v, nil, 3, 4, 1e-5)
	}))
}

// BatchNorm's inference: rows and planes in several parts, and hard channels.
func TestBatchNormSiLU(t *testing.T) {
	for i, c := range []struct {
		shape []int
		axis  int
	}{{[]int{2, 3, 5, 5}, 1}, {[]int{1, 7, 70, 70}, 1}, {[]int{3, 40, 17, 8}, 1}, {[]int{2, 9, 9, 12}, -1}, {[]int{700, 33}, 1}, {[]int{64, 3, 2, 2}, 1}, {[]int{5}, 0}, {[]int{0, 3}, 1}} {
		linear, err := NewBatchNorm(c.shape, c.axis, 1e-5, Linear)
		require.NoError(t, err)
		fused, err := NewBatchNorm(c.shape, c.axis, 1e-5, SiLU)
		require.NoError(t, err)
		n := 1
		for _, d := range c.shape {
			n *= d
		}
		r := testkit.Rand(uint64(i))
		x := testkit.Normal(r, n, 0, 3)
		mean, variance, gamma, beta := batchParameters(uint64(i), linear.Channels())
		for _, large := range []bool{false, true} {
			if large {
				beta[0], mean[linear.Channels()-1] = 1e31, 1e31
			}
			want, y := make([]float32, n), testkit.Output("y", n, i%4)
			require.NoError(t, linear.Forward(want, x, mean, variance, gamma, beta))
			activate(want, SiLU)
			require.NoError(t, fused.Forward(y.S, x, mean, variance, gamma, beta))
			testkit.SameBits(t, want, y.S, "%v", c.shape)
			y.Check(t, "%v", c.shape)
			in := testkit.InOut("y", x, i%4)
			require.NoError(t, fused.Apply(in.S, in.S))
			testkit.SameBits(t, want, in.S, "%v in place", c.shape)
			in.Check(t, "%v in place", c.shape)
			assert.Zero(t, testing.AllocsPerRun(3, func() { _ = fused.Apply(y.S, x) }))
		}
	}
}
