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

// input returns the i-th input of a case, with no elements where it is left out.
func input(c testkit.Case, i int) testkit.Tensor {
	if i < len(c.Node.Inputs) {
		return c.Inputs[c.Node.Inputs[i]]
	}
	return testkit.Tensor{}
}

// number returns a float attribute of a case's node, or what it is by default.
func number(c testkit.Case, name string, otherwise float32) float64 {
	if v, given := c.Node.Float[name]; given {
		return float64(v)
	}
	return float64(otherwise)
}

// integer is number for integers.
func integer(c testkit.Case, name string, otherwise int) int {
	if v, given := c.Node.Int[name]; given {
		return int(v)
	}
	return otherwise
}

// count is how many cases there were when last counted, and outputs of all of them.
type count struct{ cases, outputs int }

// conforms runs every case of an operator and compares all of its outputs: those of
// the shared data, and those of Debian's package, which may be older. It fails when
// there are fewer of either than are known to exist.
func conforms(t *testing.T, op string, shared, debian count, run func(t *testing.T, c testkit.Case, x testkit.Tensor) [][]float32) {
	t.Helper()
	from := func(name string, known count, read func(testing.TB, string) []testkit.Case) {
		t.Run(name, func(t *testing.T) {
			var done count
			for _, c := range read(t, op) {
				t.Run(c.Name, func(t *testing.T) {
					got := run(t, c, input(c, 0))
					require.GreaterOrEqual(t, len(got), len(c.Outputs))
					for i, want := range c.Outputs {
						closeTo(t, want, got[i], c.Rtol[i], c.Atol[i])
						done.outputs++
					}
					done.cases++
				})
			}
			assert.GreaterOrEqual(t, done.cases, known.cases, "cases")
			assert.GreaterOrEqual(t, done.outputs, known.outputs, "outputs")
		})
	}
	from("shared", shared, testkit.OnnxNormCases)
	from("Debian", debian, testkit.NodeCases)
}

// fromAxis lists the axes from a node's axis to the last.
func fromAxis(c testkit.Case, rank int) (axes []int) {
	for a := (integer(c, "axis", -1) + rank) % rank; a < rank; a++ {
		axes = append(axes, a)
	}
	return axes
}

// The outputs Mean and InvStdDev included.
func TestOnnxLayerNormalization(t *testing.T) {
	conforms(t, "LayerNormalization", count{19, 57}, count{19, 57}, func(t *testing.T, c testkit.Case, x testkit.Tensor) [][]float32 {
		plan, err := NewLayerNorm(x.Dims, fromAxis(c, len(x.Dims)), number(c, "epsilon", 1e-5))
		require.NoError(t, err)
		y, mean, rstd := make([]float32, len(x.Float)), make([]float32, plan.Rows()), make([]float32, plan.Rows())
		require.NoError(t, plan.Forward(y, mean, rstd, x.Float, nil, input(c, 1).Float, input(c, 2).Float))
		if len(c.Outputs) > 1 {
			assert.Equal(t, c.Outputs[1].Dims, plan.StatShape())
		}
		return [][]float32{y, mean, rstd}
	})
}

// In training mode the outputs are y and the new running statistics.
func TestOnnxBatchNormalization(t *testing.T) {
	conforms(t, "BatchNormalization", count{4, 8}, count{4, 8}, func(t *testing.T, c testkit.Case, x testkit.Tensor) [][]float32 {
		scale, bias, mean, variance := input(c, 1).Float, input(c, 2).Float, input(c, 3).Float, input(c, 4).Float
		y, epsilon := make([]float32, len(x.Float)), number(c, "epsilon", 1e-5)
		l, err := NewBatchNormLayer(len(scale), ONNX)
		require.NoError(t, err)
		l.Epsilon, l.Momentum = epsilon, number(c, "momentum", 0.9)
		copy(l.Gamma, scale)
		copy(l.Beta, bias)
		copy(l.RunningMean, mean)
		copy(l.RunningVar, variance)
		train := integer(c, "training_mode", 0) == 1
		require.NoError(t, l.Forward(y, x.Float, x.Dims, train, train))
		if train {
			require.Len(t, c.Outputs, 3)
			return [][]float32{y, l.RunningMean, l.RunningVar}
		}
		// Inference by both types.
		plan, err := NewBatchNorm(x.Dims, NCHW.axis(len(x.Dims)), epsilon, Linear)
		require.NoError(t, err)
		plain := make([]float32, len(y))
		require.NoError(t, plan.Forward(plain, x.Float, mean, variance, scale, bias))
		assert.InDeltaSlice(t, plain, y, 1e-6)
		return [][]float32{plain}
	})
}

func TestOnnxInstanceNormalization(t *testing.T) {
	conforms(t, "InstanceNormalization", count{2, 2}, count{2, 2}, func(t *testing.T, c testkit.Case, x testkit.Tensor) [][]float32 {
		plan, err := NewInstanceNorm(x.Dims, NCHW, number(c, "epsilon", 1e-5))
		require.NoError(t, err)
		y := make([]float32, len(x.Float))
		require.NoError(t, plan.Forward(y, nil, nil, x.Float, input(c, 1).Float, input(c, 2).Float))
		return [][]float32{y}
	})
}

// Up to opset 20 scale and bias belong to groups.
func TestOnnxGroupNormalization(t *testing.T) {
	conforms(t, "GroupNormalization", count{2, 2}, count{0, 0}, func(t *testing.T, c testkit.Case, x testkit.Tensor) [][]float32 {
		groups := integer(c, "num_groups", 0)
		plan, err := NewGroupNorm(x.Dims, NCHW, groups, number(c, "epsilon", 1e-5))
		require.NoError(t, err)
		channels := func(p []float32) []float32 {
			if len(p) == x.Dims[1] {
				return p
			}
			require.Len(t, p, groups)
			all := make([]float32, x.Dims[1])
			for i := range all {
				all[i] = p[i*groups/len(all)]
			}
			return all
		}
		y := make([]float32, len(x.Float))
		require.NoError(t, plan.Forward(y, nil, nil, x.Float, channels(input(c, 1).Float), channels(input(c, 2).Float)))
		return [][]float32{y}
	})
}

func TestOnnxRMSNormalization(t *testing.T) {
	conforms(t, "RMSNormalization", count{19, 19}, count{0, 0}, func(t *testing.T, c testkit.Case, x testkit.Tensor) [][]float32 {
		plan, err := NewRMSNorm(x.Dims, fromAxis(c, len(x.Dims)), number(c, "epsilon", 1e-5))
		require.NoError(t, err)
		y := make([]float32, len(x.Float))
		require.NoError(t, plan.Forward(y, nil, nil, x.Float, nil, input(c, 1).Float))
		return [][]float32{y}
	})
}

func TestOnnxLRN(t *testing.T) {
	conforms(t, "LRN", count{2, 2}, count{2, 2}, func(t *testing.T, c testkit.Case, x testkit.Tensor) [][]float32 {
		plan, err := NewLocalResponseNorm(x.Dims, integer(c, "size", 0), number(c, "alpha", 1e-4), number(c, "beta", 0.75), number(c, "bias", 1))
		require.NoError(t, err)
		y := make([]float32, len(x.Float))
		require.NoError(t, plan.Forward(y, x.Float))
		return [][]float32{y}
	})
}

func TestOnnxLpNormalization(t *testing.T) {
	conforms(t, "LpNormalization", count{6, 6}, count{0, 0}, func(t *testing.T, c testkit.Case, x testkit.Tensor) [][]float32 {
		plan, err := NewLpNorm(x.Dims, integer(c, "axis", -1), integer(c, "p", 2), 0)
		require.NoError(t, err)
		y := make([]float32, len(x.Float))
		require.NoError(t, plan.Forward(y, x.Float))
		return [][]float32{y}
	})
}

func TestOnnxMeanVarianceNormalization(t *testing.T) {
	conforms(t, "MeanVarianceNormalization", count{1, 1}, count{1, 1}, func(t *testing.T, c testkit.Case, x testkit.Tensor) [][]float32 {
		axes := []int{0, 2, 3}
		if given, ok := c.Node.Ints["axes"]; ok {
			axes = axes[:0]
			for _, a := range given {
				axes = append(axes, int(a))
			}
		}
		plan, err := NewMeanVarianceNorm(x.Dims, axes, 0, 1e-9)
		require.NoError(t, err)
		y := make([]float32, len(x.Float))
		require.NoError(t, plan.Forward(y, x.Float))
		return [][]float32{y}
	})
}
