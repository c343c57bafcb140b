package kernel

import (
	"testing"

	"github.com/normwasm/normwasm/internal/testkit"
	"github.com/stretchr/testify/require"
)

var exactPaths = []struct {
	name           string
	rowProducts    func(sums *SlotSums, dy, src, gamma *float32, params *SlotParams, rows, cols int)
	gradPlanes     func(dst, dy, src, gamma *float32, params *SlotParams, planes, inner int)
	columnProducts func(sums *SlotSums, dy, src *float32, params *SlotParams, rows, cols, stride int)
	gradRows       func(dst, dy, src *float32, params *SlotParams, rows, cols, stride int)
}{
	{"scalar", rowProductsExactScalar, gradPlanesExactScalar, columnProductsExactScalar, gradRowsExactScalar},
	{"kernel", RowProductsExact, GradPlanesExact, ColumnProductsExact, GradRowsExact},
}

// modelRest is e and t of the contract, modelGradient what is written.
func modelRest(p SlotParams, dy, x float32, scale float64) (e, t float64) {
	t = float64(x) - p.Mean
	g := float64(float64(dy) * scale)
	return (g - p.M1) - float64(t*p.Slope), t
}

func modelGradient(p SlotParams, dy, x float32, scale float64) float32 {
	e, t := modelRest(p, dy, x, scale)
	return float32((e + (float64(t*p.Tilt) + p.Shift)) * p.Rstd)
}

// slotsOf are parameters and sums of n slots, and one more that stays as it is.
func slotsOf(seed uint64, n int) ([]SlotParams, []SlotSums) {
	v := testkit.Normal(testkit.Rand(seed), 9*(n+1), 0.5, 2)
	params, sums := make([]SlotParams, n+1), make([]SlotSums, n+1)
	for i := range params {
		f := func(k int) float64 { return float64(v[9*i+k]) }
		params[i] = SlotParams{f(0), f(1), f(2), f(3), f(4), f(5), f(6)}
		sums[i] = SlotSums{f(7), f(8)}
	}
	return params, sums
}

// sameSums compares sums bit by bit; NaNs are equal.
func sameSums(t *testing.T, want, got []SlotSums, format string, args ...any) {
	t.Helper()
	flat := func(s []SlotSums) (all []float64) {
		for _, v := range s {
			all = append(all, v.E, v.ET)
		}
		return all
	}
	sameBits64(t, flat(want), flat(got), format, args...)
}

func TestExactRowKernelsAreTheirContract(t *testing.T) {
	for i, n := range testkit.Sizes() {
		rows, seed := 1+i%4, uint64(i)
		if n > 300 {
			rows = 2
		}
		x, dy, gamma := seeded(seed, rows*n), testkit.Normal(testkit.Rand(seed), rows*n, 0, 2), testkit.Normal(testkit.Rand(seed+1), n, 1, 1)
		if i%2 == 0 {
			gamma = nil
		}
		params, before := slotsOf(seed, rows)
		want, dx := append([]SlotSums(nil), before...), make([]float32, rows*n)
		for row := range rows {
			var lanes [4]SlotSums
			var tail []SlotSums
			for k := range n {
				at, scale := row*n+k, params[row].Scale
				if gamma != nil {
					scale = float64(gamma[k])
				}
				e, u := modelRest(params[row], dy[at], x[at], scale)
				dx[at] = modelGradient(params[row], dy[at], x[at], scale)
				term := SlotSums{e, float64(e * u)}
				if k < n/4*4 {
					l := &lanes[k%4]
					*l = SlotSums{l.E + term.E, l.ET + term.ET}
				} else {
					tail = append(tail, term)
				}
			}
			a, b, c, d := lanes[0], lanes[1], lanes[2], lanes[3]
			all := SlotSums{(a.E + c.E) + (b.E + d.E), (a.ET + c.ET) + (b.ET + d.ET)}
			for _, s := range tail {
				all = SlotSums{all.E + s.E, all.ET + s.ET}
			}
			w := &want[row]
			*w = SlotSums{w.E + all.E, w.ET + all.ET}
		}
		for _, path := range exactPaths {
			in, grad := testkit.Input("src", x, i%4), testkit.Input("dy", dy, i/4%4)
			got := append([]SlotSums(nil), before...)
			path.rowProducts(&got[0], &grad.S[0], &in.S[0], optional(gamma), &params[0], rows, n)
			sameSums(t, want, got, "%s: %d × %d", path.name, rows, n)
			in.Check(t, "%s: %d × %d", path.name, rows, n)
			grad.Check(t, "%s: %d × %d", path.name, rows, n)
			for alias := range 3 {
				g, s := testkit.InOut("dy", dy, 1), testkit.InOut("src", x, 2)
				out := []*testkit.Operand{testkit.Output("dst", rows*n, 3), g, s}[alias]
				path.gradPlanes(&out.S[0], &g.S[0], &s.S[0], optional(gamma), &params[0], rows, n)
				testkit.SameBits(t, dx, out.S, "%s: gradient %d × %d, alias %d", path.name, rows, n, alias)
				out.Check(t, "%s: gradient %d × %d", path.name, rows, n)
			}
		}
	}
}

func TestExactColumnKernelsAreTheirContract(t *testing.T) {
	for i, c := range [][3]int{{1, 1, 1}, {5, 1, 3}, {16, 4, 4}, {17, 5, 9}, {33, 7, 7}, {64, 12, 40}, {8, 31, 32}, {9, 64, 64}, {24, 3, 3}, {3, 130, 131}, {250, 2, 2}} {
		rows, cols, stride := c[0], c[1], c[2]
		seed, extent := uint64(i), (rows-1)*stride+cols
		x, dy := seeded(seed, extent), testkit.Normal(testkit.Rand(seed), extent, 0, 2)
		params, before := slotsOf(seed, cols)
		want, dx := append([]SlotSums(nil), before...), testkit.Output("dst", extent, 0).S
		for j := range cols {
			for from := 0; from < rows; from += 16 {
				var s SlotSums
				for r := from; r < min(from+16, rows); r++ {
					at := r*stride + j
					e, u := modelRest(params[j], dy[at], x[at], params[j].Scale)
					dx[at] = modelGradient(params[j], dy[at], x[at], params[j].Scale)
					s = SlotSums{s.E + e, s.ET + float64(e*u)}
				}
				w := &want[j]
				*w = SlotSums{w.E + s.E, w.ET + s.ET}
			}
		}
		for _, path := range exactPaths {
			in, grad := testkit.Input("src", x, i%4), testkit.Input("dy", dy, i/4%4)
			got := append([]SlotSums(nil), before...)
			path.columnProducts(&got[0], &grad.S[0], &in.S[0], &params[0], rows, cols, stride)
			sameSums(t, want, got, "%s: %v", path.name, c)
			in.Check(t, "%s: %v", path.name, c)
			grad.Check(t, "%s: %v", path.name, c)
			for alias := range 3 {
				g, s := testkit.InOut("dy", dy, 1), testkit.InOut("src", x, 2)
				out := []*testkit.Operand{testkit.Output("dst", extent, 3), g, s}[alias]
				other := append([]float32(nil), out.S...)
				path.gradRows(&out.S[0], &g.S[0], &s.S[0], &params[0], rows, cols, stride)
				for k := range other { // what is between the columns stays
					if k%stride < cols {
						other[k] = dx[k]
					}
				}
				testkit.SameBits(t, other, out.S, "%s: gradient %v, alias %d", path.name, c, alias)
				out.Check(t, "%s: gradient %v", path.name, c)
			}
		}
		require.Equal(t, before[cols], want[cols])
	}
}
