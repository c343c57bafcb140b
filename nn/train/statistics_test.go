package train

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStatistics(t *testing.T) {
	tr := made(t, Options{Input: []int{4}, Model: []Spec{{Type: "linear", Units: 3}, {Type: "batchNorm"}, {Type: "residual", Body: []Spec{{Type: "tanh"}}}, {Type: "linear", Units: 2}}})
	none, err := tr.Statistics()
	require.NoError(t, err)
	require.Empty(t, none, "nothing ran yet")
	b := batchFor(tr, 16, 1)
	r, err := tr.Step(b)
	require.NoError(t, err)
	all, err := tr.Statistics()
	require.NoError(t, err)
	var names []string
	square := 0.0
	for _, s := range all {
		names = append(names, s.Layer)
		square += s.GradientNorm * s.GradientNorm
	}
	require.Equal(t, []string{"0 linear", "1 batchNorm", "2.0 tanh", "2 residual", "3 linear"}, names)
	require.InEpsilon(t, r.GradientNorm, math.Sqrt(square), 1e-12)

	// What goes into the norm has the batch's statistics; what comes out has mean 0 and deviation 1.
	bn := all[1]
	require.InDelta(t, 0, bn.Mean, 1e-6)
	require.InDelta(t, 1, bn.Std, 1e-3)
	require.Equal(t, 16, bn.Batch.Count)
	for c := range 3 {
		sum, squares := 0.0, 0.0
		for i := range 16 {
			sum += float64(tr.nodes[0].y[i*3+c]) / 16
		}
		for i := range 16 {
			d := float64(tr.nodes[0].y[i*3+c]) - sum
			squares += d * d / 16
		}
		require.InDelta(t, sum, bn.Batch.Mean[c], 1e-9)
		require.InDelta(t, squares, bn.Batch.Variance[c], 1e-9)
		require.InDelta(t, 0.1*sum, bn.RunningMean[c], 1e-6)
		require.InDelta(t, 0.9+0.1*squares*16/15, bn.RunningVar[c], 1e-6)
	}
	require.Nil(t, all[0].Batch)
}

// After a step the running statistics remember little; recomputed ones are the data's.
func TestPrecise(t *testing.T) {
	tr := made(t, Options{Input: []int{4}, Model: []Spec{{Type: "linear", Units: 3}, {Type: "batchNorm"}, {Type: "linear", Units: 2}}})
	b := batchFor(tr, 64, 1)
	weights := values(tr)[:9]
	p := tr.Precise()
	for i := 0; i < 64; i += 16 {
		require.NoError(t, p.Add(Batch{N: 16, X: b.X[i*4:][:64], Labels: b.Labels[i:][:16]}))
	}
	require.NoError(t, p.Finish())
	require.Equal(t, weights, values(tr)[:9], "no parameter moves")
	running, err := tr.Evaluate(b, false)
	require.NoError(t, err)
	y := append([]float32(nil), running.Outputs...)
	whole, err := tr.Evaluate(b, true)
	require.NoError(t, err)
	for i := range y { // but for the running variance being unbiased: 64/63
		require.InDelta(t, whole.Outputs[i], y[i], 0.02*(1+math.Abs(float64(y[i]))))
	}

	before := values(tr)
	require.EqualError(t, tr.Precise().Finish(), "train: there are no batches to compute statistics of")
	p = tr.Precise()
	require.NoError(t, p.Add(b))
	require.EqualError(t, p.Add(Batch{N: 1}), "train: the batch's x has 0 elements, want [1 4]")
	require.Equal(t, before, values(tr))
}

// A ReLU before a pool is computed by the pool; its statistics are its own all the same.
func TestStatisticsOfLaterRelu(t *testing.T) {
	model := []Spec{{Type: "conv2d", Filters: 3, Kernel: 3}, {Type: "relu"}, {Type: "maxPool2d", Size: 2}, {Type: "flatten"}, {Type: "linear", Units: 2}}
	tr := made(t, Options{Input: []int{1, 6, 6}, Model: model})
	_, err := tr.Evaluate(batchFor(tr, 5, 1), false)
	require.NoError(t, err)
	all, err := tr.Statistics()
	require.NoError(t, err)
	mean, square := 0.0, 0.0
	x := tr.nodes[0].y
	for _, v := range x {
		mean += math.Max(float64(v), 0) / float64(len(x))
	}
	for _, v := range x {
		d := math.Max(float64(v), 0) - mean
		square += d * d / float64(len(x))
	}
	require.Equal(t, "1 relu", all[1].Layer)
	require.InDelta(t, mean, all[1].Mean, 1e-6)
	require.InDelta(t, math.Sqrt(square), all[1].Std, 1e-6)
}

func TestMeanAndStd(t *testing.T) {
	r := random{state: 3}
	for _, shift := range []float64{0, 1, 1e3, 1e6} {
		for _, n := range []int{1, 7, 255, 256, 257, 5000} {
			x, mean, square := make([]float32, n), 0.0, 0.0
			for i := range x {
				x[i] = float32(shift + r.normal())
				mean += float64(x[i]) / float64(n)
			}
			for _, v := range x {
				square += (float64(v) - mean) * (float64(v) - mean) / float64(n)
			}
			m, s := meanAndStd(x)
			require.InDelta(t, mean, m, 1e-12*(1+shift))
			require.InDelta(t, math.Sqrt(square), s, 1e-9*(1+s))
		}
	}
	for _, v := range []float64{math.NaN(), math.Inf(1)} {
		_, s := meanAndStd([]float32{1, float32(v), 2})
		require.True(t, math.IsNaN(s))
	}
	m, s := meanAndStd([]float32{3e38, -3e38, 0, 0})
	require.Zero(t, m)
	require.InEpsilon(t, 3e38/math.Sqrt2, s, 1e-6)
}
