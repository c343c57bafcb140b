package norm

import (
	"math"
	"testing"

	"github.com/normwasm/normwasm/internal/testkit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// momentsOf are exact moments of each column of rows.
func momentsOf(x []float32, channels int) *Moments {
	m := NewMoments(channels)
	m.Count = len(x) / channels
	for c := range channels {
		var column []float32
		for i := c; i < len(x); i += channels {
			column = append(column, x[i])
		}
		if len(column) == 0 {
			continue
		}
		mean, variance := testkit.Moments(column)
		m.Mean[c], _ = mean.Float64()
		m.Variance[c], _ = variance.Float64()
	}
	return m
}

// The moments of parts, merged in any order, are those of the whole.
func TestMergeMoments(t *testing.T) {
	for _, c := range []struct{ mean, deviation float64 }{{0, 1}, {1e7, 50}, {-3e5, 1e-2}, {1e30, 1e29}, {0, 1e-30}} {
		const channels = 3
		x := testkit.Normal(testkit.Rand(1), 300*channels, c.mean, c.deviation)
		want := momentsOf(x, channels)
		for _, cuts := range [][]int{{0, 300}, {0, 1, 300}, {0, 0, 100, 100, 300}, {0, 7, 20, 150, 299, 300}} {
			var parts []*Moments
			for i := 1; i < len(cuts); i++ {
				parts = append(parts, momentsOf(x[cuts[i-1]*channels:cuts[i]*channels], channels))
			}
			forward, err := MergeMoments(parts...)
			require.NoError(t, err)
			for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
				parts[i], parts[j] = parts[j], parts[i]
			}
			backward, err := MergeMoments(parts...)
			require.NoError(t, err)
			for _, got := range []*Moments{forward, backward} {
				assert.Equal(t, 300, got.Count)
				for k := range channels {
					assert.InEpsilon(t, want.Variance[k], got.Variance[k], 1e-9)
					assert.InDelta(t, want.Mean[k], got.Mean[k], 1e-14*math.Abs(c.mean)+1e-13*c.deviation)
				}
			}
		}
	}
	empty, err := MergeMoments(NewMoments(2), NewMoments(2))
	require.NoError(t, err)
	assert.Equal(t, NewMoments(2), empty)
}

func TestMergeMomentsErrors(t *testing.T) {
	merge := func(parts ...*Moments) error {
		_, err := MergeMoments(parts...)
		return err
	}
	assert.EqualError(t, merge(), "norm: MergeMoments: there are no parts, want at least one")
	assert.EqualError(t, merge(nil), "norm: MergeMoments: the moments are nil, want those of 0 channels")
	assert.EqualError(t, merge(NewMoments(2), nil), "norm: MergeMoments: the moments are nil, want those of 2 channels")
	many := &Moments{Count: math.MaxInt - 1, Mean: []float64{1}, Variance: []float64{1}}
	assert.ErrorContains(t, merge(many, &Moments{Count: 2, Mean: []float64{1}, Variance: []float64{1}}), "are together more than an int holds")
	assert.EqualError(t, merge(NewMoments(2), NewMoments(3)), "norm: MergeMoments: mean has 3 elements, want 2 (one for each channel)")
	assert.EqualError(t, merge(&Moments{1, []float64{1, 2}, []float64{1}}), "norm: MergeMoments: variance has 1 elements, want 2 (one for each channel)")
	assert.EqualError(t, merge(&Moments{-1, []float64{1}, []float64{1}}), "norm: MergeMoments: count is -1, want at least 0")
	assert.EqualError(t, merge(&Moments{1, []float64{1}, []float64{-2}}), "norm: MergeMoments: variance of channel 0 is -2, want at least 0")
}

// Workers with parts of a batch get what one worker gets from all of it.
func TestSynchronisedBatchNorm(t *testing.T) {
	for _, c := range []struct {
		layout Layout
		rest   []int // dimensions after N for NCHW; C goes last for NHWC
		mean   float64
	}{{NCHW, []int{5, 7}, 2}, {NHWC, []int{5, 7}, 2}, {NCHW, []int{3, 3}, 2}, {NCHW, nil, 2}, {NHWC, []int{6, 6}, 1e7}, {NCHW, []int{6, 6}, 1e7}} {
		const channels = 4
		inner := product64(c.rest)
		shapeOf := func(n int) []int {
			if c.layout == NHWC {
				return append(append([]int{n}, c.rest...), channels)
			}
			return append([]int{n, channels}, c.rest...)
		}
		for _, parts := range [][]int{{9}, {4, 5}, {1, 3, 0, 5}, {1, 1, 1, 1, 1, 1, 1, 1, 1}} {
			r := testkit.Rand(uint64(len(parts)))
			size := 9 * channels * inner
			x, dy := testkit.Normal(r, size, c.mean, 5), testkit.Normal(r, size, 0, 1)
			create := func() *BatchNormLayer {
				l, err := NewBatchNormLayer(channels, PyTorch)
				require.NoError(t, err)
				l.Layout = c.layout
				copy(l.Gamma, []float32{1, 2, -0.5, 3})
				copy(l.Beta, []float32{0, 1, 2, 3})
				return l
			}
			whole := create()
			y, dx := make([]float32, size), make([]float32, size)
			dgamma, dbeta := make([]float32, channels), make([]float32, channels)
			require.NoError(t, whole.Forward(y, x, shapeOf(9), true, true))

			workers, moments := make([]*BatchNormLayer, len(parts)), make([]*Moments, len(parts))
			from := make([]int, len(parts)+1)
			for i, n := range parts {
				from[i+1] = from[i] + n*channels*inner
				workers[i], moments[i] = create(), NewMoments(channels)
				require.NoError(t, workers[i].Moments(moments[i], x[from[i]:from[i+1]], shapeOf(n)))
			}
			all, err := MergeMoments(moments...)
			require.NoError(t, err)
			assert.Equal(t, 9*inner, all.Count)
			total, sums := make([]float64, 2*channels), make([]float64, 2*channels)
			got, gotDx := make([]float32, size), make([]float32, size)
			for i, l := range workers {
				require.NoError(t, l.ForwardWith(got[from[i]:from[i+1]], x[from[i]:from[i+1]], shapeOf(parts[i]), all, true))
				assert.InDeltaSlice(t, whole.RunningMean, l.RunningMean, 1e-6*c.mean)
				assert.InDeltaSlice(t, whole.RunningVar, l.RunningVar, 1e-5)
			}
			assert.InDeltaSlice(t, y, got, 4e-6)
			for _, dy := range [][]float32{dy, y} { // of the second little is left
				require.NoError(t, whole.Backward(dx, dgamma, dbeta, dy, x))
				clear(total)
				for i, l := range workers {
					require.NoError(t, l.BackwardSums(sums, dy[from[i]:from[i+1]], x[from[i]:from[i+1]]))
					for k, s := range sums {
						total[k] += s
					}
				}
				for i, l := range workers {
					g, b := make([]float32, channels), make([]float32, channels)
					require.NoError(t, l.BackwardWith(gotDx[from[i]:from[i+1]], g, b, dy[from[i]:from[i+1]], x[from[i]:from[i+1]], total))
					assert.InEpsilonSlice(t, dgamma, g, 1e-5)
					assert.InDeltaSlice(t, dbeta, b, 1e-4)
				}
				largest := 0.0
				for _, v := range dx {
					largest = max(largest, math.Abs(float64(v)))
				}
				tolerance := 1e-4
				if c.mean > 2 { // float64 has it to 2e-10 of the deviation
					tolerance = 1e-2
				}
				assert.InDeltaSlice(t, dx, gotDx, tolerance*largest)
			}
		}
	}
}

// Statistics recomputed over a stream are those of all its values.
func TestRecompute(t *testing.T) {
	for _, f := range []Framework{PyTorch, ONNX} {
		l, err := NewBatchNormLayer(2, f)
		require.NoError(t, err)
		l.Layout = NHWC
		x := testkit.Normal(testkit.Rand(1), 200, 1000, 3)
		batches := []int{0, 10, 12, 100, 100, 200}
		require.NoError(t, l.Recompute(func(yield func([]float32, []int) bool) {
			for i := 1; i < len(batches); i++ {
				if !yield(x[batches[i-1]:batches[i]], []int{(batches[i] - batches[i-1]) / 2, 2}) {
					return
				}
			}
		}))
		want := momentsOf(x, 2)
		for c := range 2 {
			v := want.Variance[c]
			if f == PyTorch {
				v *= 100. / 99
			}
			assert.InEpsilon(t, want.Mean[c], l.RunningMean[c], 1e-7)
			assert.InEpsilon(t, v, l.RunningVar[c], 1e-6)
		}
		before := append(append([]float32(nil), l.RunningMean...), l.RunningVar...)
		err = l.Recompute(func(yield func([]float32, []int) bool) {
			assert.True(t, yield(x[:20], []int{10, 2}))
			assert.False(t, yield(x[:20], []int{9, 2}))
		})
		assert.EqualError(t, err, "norm: BatchNorm: x has 20 elements, want 18 (x [9 2])")
		assert.Equal(t, before, append(append([]float32(nil), l.RunningMean...), l.RunningVar...))
		assert.EqualError(t, l.Recompute(func(func([]float32, []int) bool) {}), "norm: BatchNorm: the moments are those of no values, want some")
	}
}
