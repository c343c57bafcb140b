package norm

import (
	"math"
	"testing"

	"github.com/normwasm/normwasm/internal/testkit"
	"github.com/stretchr/testify/require"
)

// channel copies one channel of a tensor [n c inner].
func channel(x []float32, n, channels, inner, c int) []float32 {
	var out []float32
	for i := range n {
		at := (i*channels + c) * inner
		out = append(out, x[at:at+inner]...)
	}
	return out
}

// Tensors of several parts give what each channel alone gives, bit for bit, also where
// a group is one that float32 does not carry.
func TestPartsGiveWhatChannelsGiveAlone(t *testing.T) {
	const n, channels = 2, 5
	for _, inner := range []int{3000, 6000, 9000} {
		shape, alone := []int{n, channels, inner}, []int{n, 1, inner}
		size := n * channels * inner
		r := testkit.Rand(uint64(inner))
		x, dy := testkit.Normal(r, size, 3, 1), testkit.Normal(r, size, 0, 1)
		x[(1*channels+1)*inner+7] = float32(math.Inf(1))
		x[2*inner+3] = 3e38
		gamma, beta := testkit.Normal(r, channels, 1, 0.5), testkit.Normal(r, channels, 0, 1)
		type result struct{ y, dx, dgamma, dbeta []float32 }
		passes := map[string]func(shape []int, x, dy, gamma, beta []float32) result{
			"InstanceNorm": func(shape []int, x, dy, gamma, beta []float32) result {
				c := shape[1]
				g, err := NewGroupNorm(shape, NCHW, c, 1e-5)
				require.NoError(t, err)
				res := result{make([]float32, len(x)), make([]float32, len(x)), make([]float32, c), make([]float32, c)}
				mean, rstd := make([]float32, n*c), make([]float32, n*c)
				require.NoError(t, g.Forward(res.y, mean, rstd, x, gamma, beta))
				require.NoError(t, g.Backward(res.dx, res.dgamma, res.dbeta, dy, x, mean, rstd, gamma))
				return res
			},
			"BatchNorm": func(shape []int, x, dy, gamma, beta []float32) result {
				c := shape[1]
				l, err := NewBatchNormLayer(c, PyTorch)
				require.NoError(t, err)
				l.Gamma, l.Beta = gamma, beta
				res := result{make([]float32, len(x)), make([]float32, len(x)), make([]float32, c), make([]float32, c)}
				require.NoError(t, l.Forward(res.y, x, shape, true, true))
				require.NoError(t, l.Backward(res.dx, res.dgamma, res.dbeta, dy, x))
				return res
			},
		}
		for name, pass := range passes {
			all := pass(shape, x, dy, gamma, beta)
			for c := range channels {
				one := pass(alone, channel(x, n, channels, inner, c), channel(dy, n, channels, inner, c), gamma[c:c+1], beta[c:c+1])
				testkit.SameBits(t, one.y, channel(all.y, n, channels, inner, c), "%s: y of channel %d of %v", name, c, shape)
				testkit.SameBits(t, one.dx, channel(all.dx, n, channels, inner, c), "%s: dx of channel %d of %v", name, c, shape)
				testkit.SameBits(t, one.dgamma, all.dgamma[c:c+1], "%s: dgamma of channel %d of %v", name, c, shape)
				testkit.SameBits(t, one.dbeta, all.dbeta[c:c+1], "%s: dbeta of channel %d of %v", name, c, shape)
			}
		}
	}
}
