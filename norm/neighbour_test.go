package norm

import (
	"math"
	"testing"

	"github.com/normwasm/normwasm/internal/testkit"
	"github.com/stretchr/testify/require"
)

// A row's result depends on nothing but the row.
func TestLayerNormRowsDoesNotSeeNeighbours(t *testing.T) {
	for _, cols := range []int{1, 3, 4, 7, 16, 19, 30, 64, 100, 257, 768, 1030} {
		const rows = 9
		r := testkit.Rand(uint64(cols))
		x := testkit.Normal(r, rows*cols, 2, 3)
		x[4*cols] = float32(math.NaN()) // one hard row in the middle
		gamma, beta := testkit.Normal(r, cols, 1, 1), testkit.Normal(r, cols, 0, 1)
		alone := make([]float32, rows*cols)
		aloneMean, aloneRstd := make([]float32, rows), make([]float32, rows)
		for row := range rows {
			from, to := row*cols, (row+1)*cols
			require.NoError(t, LayerNormRows(alone[from:to], aloneMean[row:row+1], aloneRstd[row:row+1], x[from:to], nil, gamma, beta, 1, cols, 1e-5))
		}
		for offset := range 4 {
			in := testkit.InOut("x", x, offset)
			mean, rstd := testkit.Output("mean", rows, offset), testkit.Output("rstd", rows, 3-offset)
			require.NoError(t, LayerNormRows(in.S, mean.S, rstd.S, in.S, nil, gamma, beta, rows, cols, 1e-5))
			testkit.SameBits(t, alone, in.S, "y of %d columns at offset %d", cols, offset)
			testkit.SameBits(t, aloneMean, mean.S, "mean")
			testkit.SameBits(t, aloneRstd, rstd.S, "rstd")
			in.Check(t, "%d columns", cols)
			mean.Check(t, "%d columns", cols)
			rstd.Check(t, "%d columns", cols)
		}
	}
}
