package norm

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Results that are finite come out finite, whatever overflows float32 on the way.
func TestFiniteResultsOfLargeParameters(t *testing.T) {
	const large = 2e38
	for _, shape := range [][]int{{1, 1, 16}, {4, 2, 4}, {2, 3, 8, 8}, {1, 64}, {5, 33}} {
		for _, layout := range []Layout{NCHW, NHWC} {
			size := 1
			for _, d := range shape {
				size *= d
			}
			axis := layout.axis(len(shape))
			channels := shape[axis]
			x, gamma, beta := make([]float32, size), make([]float32, channels), make([]float32, channels)
			for i := range x {
				x[i] = float32(i % 3)
			}
			for c := range channels {
				gamma[c], beta[c] = 1, 0
				if c%2 == 0 {
					gamma[c], beta[c] = large, -large
				}
			}
			inner := 1
			for _, d := range shape[axis+1:] {
				inner *= d
			}
			y := make([]float32, size)
			check := func(name string, stats func(i int) (mean, variance float64)) {
				for i, e := range x {
					c := i / inner % channels
					mean, v := stats(i)
					want := (float64(e)-mean)/math.Sqrt(v)*float64(gamma[c]) + float64(beta[c])
					if math.Abs(want) <= math.MaxFloat32 {
						assert.InDelta(t, want, y[i], 4e-7*max(large, math.Abs(want)), "%s %v, layout %d: element %d", name, shape, layout, i)
					}
				}
			}
			group := func(same func(i, j int) bool) func(i int) (float64, float64) {
				return func(i int) (mean, v float64) {
					n := 0.0
					for j, e := range x {
						if same(i, j) {
							mean, n = mean+float64(e), n+1
						}
					}
					mean /= n
					for j, e := range x {
						if same(i, j) {
							v += (float64(e) - mean) * (float64(e) - mean) / n
						}
					}
					return mean, v + 1e-5
				}
			}
			example := size / shape[0]
			channel := func(i int) int { return i / inner % channels }

			in, err := NewInstanceNorm(shape, layout, 1e-5)
			require.NoError(t, err)
			require.NoError(t, in.Forward(y, nil, nil, x, gamma, beta))
			check("InstanceNorm", group(func(i, j int) bool { return i/example == j/example && channel(i) == channel(j) }))
			gn, err := NewGroupNorm(shape, layout, 1, 1e-5)
			require.NoError(t, err)
			require.NoError(t, gn.Forward(y, nil, nil, x, gamma, beta))
			check("GroupNorm", group(func(i, j int) bool { return i/example == j/example }))

			bn, err := NewBatchNormLayer(channels, ONNX)
			require.NoError(t, err)
			bn.Layout, bn.Gamma, bn.Beta = layout, gamma, beta
			require.NoError(t, bn.Forward(y, x, shape, true, false))
			check("BatchNorm", group(func(i, j int) bool { return channel(i) == channel(j) }))
			inference, err := NewBatchNorm(shape, axis, 0, Linear)
			require.NoError(t, err)
			ones := make([]float32, channels)
			for c := range ones {
				ones[c] = 1
			}
			require.NoError(t, inference.Forward(y, x, make([]float32, channels), ones, gamma, beta))
			check("BatchNorm, inference", func(int) (float64, float64) { return 0, 1 })

			if axis == len(shape)-1 {
				require.NoError(t, LayerNormRows(y, nil, nil, x, nil, gamma, beta, size/channels, channels, 1e-5))
				check("LayerNorm", group(func(i, j int) bool { return i/channels == j/channels }))
			}
		}
	}
}
