package norm

import (
	"math"
	"testing"

	"github.com/normwasm/normwasm/internal/testkit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// closeTo compares an output with what a conformance case expects of it.
func closeTo(t *testing.T, want testkit.Tensor, got []float32, rtol, atol float64) {
	t.Helper()
	require.Len(t, got, len(want.Float))
	for i, w := range want.Float {
		require.LessOrEqual(t, math.Abs(float64(got[i])-float64(w)), atol+rtol*math.Abs(float64(w)), "%s at %d: %v, want %v", want.Name, i, got[i], w)
	}
}

func TestOnnxLayerNormalization(t *testing.T) {
	cases := testkit.OnnxNormCases(t, "LayerNormalization")
	require.Len(t, cases, 19)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			in := func(i int) testkit.Tensor {
				if i < len(c.Node.Inputs) {
					return c.Inputs[c.Node.Inputs[i]]
				}
				return testkit.Tensor{}
			}
			x := in(0)
			axis, given := c.Node.Int["axis"]
			if !given {
				axis = -1
			}
			epsilon, given := c.Node.Float["epsilon"]
			if !given {
				epsilon = 1e-5
			}
			if axis < 0 {
				axis += int64(len(x.Dims))
			}
			var axes []int
			for a := int(axis); a < len(x.Dims); a++ {
				axes = append(axes, a)
			}
			plan, err := NewLayerNorm(x.Dims, axes, float64(epsilon))
			require.NoError(t, err)
			y, mean, rstd := make([]float32, len(x.Float)), make([]float32, plan.Rows()), make([]float32, plan.Rows())
			require.NoError(t, plan.Forward(y, mean, rstd, x.Float, nil, in(1).Float, in(2).Float))
			for i, got := range [][]float32{y, mean, rstd} {
				if i < len(c.Outputs) {
					closeTo(t, c.Outputs[i], got, c.Rtol[i], c.Atol[i])
				}
			}
			if len(c.Outputs) > 1 {
				assert.Equal(t, c.Outputs[1].Dims, plan.StatShape())
			}
		})
	}
}

func TestOnnxBatchNormalization(t *testing.T) {
	run := 0
	for _, c := range testkit.OnnxNormCases(t, "BatchNormalization") {
		if c.Node.Int["training_mode"] != 0 {
			continue
		}
		run++
		t.Run(c.Name, func(t *testing.T) {
			in := func(i int) testkit.Tensor { return c.Inputs[c.Node.Inputs[i]] }
			epsilon, given := c.Node.Float["epsilon"]
			if !given {
				epsilon = 1e-5
			}
			x := in(0)
			axis, err := NCHW.Axis(len(x.Dims))
			require.NoError(t, err)
			plan, err := NewBatchNorm(x.Dims, axis, float64(epsilon), Linear)
			require.NoError(t, err)
			y := make([]float32, len(x.Float))
			require.NoError(t, plan.Forward(y, x.Float, in(3).Float, in(4).Float, in(1).Float, in(2).Float))
			closeTo(t, c.Outputs[0], y, c.Rtol[0], c.Atol[0])
		})
	}
	assert.Equal(t, 2, run)
}
