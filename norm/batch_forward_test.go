package norm

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestForwardSeesEachParameterChange changes one bit of one parameter between
// calls: Forward keeps what it prepared, and must not keep it then.
func TestForwardSeesEachParameterChange(t *testing.T) {
	shape := []int{2, 3, 20}
	x := make([]float32, 120)
	for i := range x {
		x[i] = float32(i%17) - 8
	}
	params := [4][]float32{{1, 2, 3}, {4, 5, 6}, {0.5, 1, 2}, {0, -1, 1}}
	kept, err := NewBatchNorm(shape, 1, 1e-5, Linear)
	require.NoError(t, err)
	check := func(what string, mean, variance, gamma, beta []float32) {
		t.Helper()
		got, want := make([]float32, len(x)), make([]float32, len(x))
		require.NoError(t, kept.Forward(got, x, mean, variance, gamma, beta))
		fresh, err := NewBatchNorm(shape, 1, 1e-5, Linear)
		require.NoError(t, err)
		require.NoError(t, fresh.Forward(want, x, mean, variance, gamma, beta))
		for i := range want {
			require.Equal(t, math.Float32bits(want[i]), math.Float32bits(got[i]), "%s, element %d", what, i)
		}
	}
	check("first", params[0], params[1], params[2], params[3])
	check("again", params[0], params[1], params[2], params[3])
	for k, name := range []string{"mean", "variance", "gamma", "beta"} {
		for c := range 3 {
			params[k][c] = math.Nextafter32(params[k][c], 100)
			check(name, params[0], params[1], params[2], params[3])
		}
	}
	params[3][0] = float32(math.Copysign(0, -1))
	check("negative zero", params[0], params[1], params[2], params[3])
	check("no gamma", params[0], params[1], nil, params[3])
	check("no beta", params[0], params[1], nil, nil)
	check("all", params[0], params[1], params[2], params[3])

	y := make([]float32, len(x))
	assert.Error(t, kept.Forward(y, x, params[0], params[1], params[2][:1], params[3]))
	check("after an error", params[0], params[1], params[2], params[3])
}
