package norm

import (
	"encoding/binary"
	"errors"
	"math"
	"runtime"
	"strconv"
	"testing"

	"github.com/normwasm/normwasm/internal/testkit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// layerNorm is LayerNormRows on one row with fresh outputs.
func layerNorm(t testing.TB, x, gamma, beta []float32, epsilon float64) (y []float32, mean, rstd float32) {
	t.Helper()
	y = make([]float32, len(x))
	stats := make([]float32, 2)
	require.NoError(t, LayerNormRows(y, stats[:1], stats[1:], x, nil, gamma, beta, 1, len(x), epsilon))
	return y, stats[0], stats[1]
}

// The bounds that the package promises, against exact statistics. The worst
// figures are logged: they are the table in the documentation.
func TestLayerNormOnWellConditionedRows(t *testing.T) {
	sizes := append(testkit.Sizes(), 4096, 5000, 16384, 65536)
	if testing.Short() || runtime.GOARCH == "wasm" { // the oracle takes its time
		sizes = []int{7, 64, 257, 768, 1030, 5000}
	}
	var ulp, plain, stat testkit.Worst
	for _, n := range sizes {
		if n == 1 {
			continue // see the hard rows
		}
		for i, row := range testkit.WellConditioned(n) {
			r := testkit.Rand(uint64(n + i))
			gamma, beta := testkit.Normal(r, n, 1, 0.3), testkit.Normal(r, n, 0, 0.5)
			for variant := range 2 {
				if variant == 1 {
					gamma, beta = nil, nil
				}
				want := testkit.LayerNormRow(row.X, gamma, beta, 1e-5)
				y, mean, rstd := layerNorm(t, row.X, gamma, beta, 1e-5)
				stat.Add(testkit.RelativeError(float64(rstd), want.Rstd[0]), "%d × %s", n, row.Name)
				assert.True(t, testkit.Same(mean, want.Mean[0], testkit.ULP(want.Mean[0])), "mean of %d × %s is %v, want %v", n, row.Name, mean, want.Mean[0])
				for k := range y {
					size := max(math.Abs(want.Y[k]), math.Abs(want.Scaled[k]))
					if beta != nil {
						size = max(size, math.Abs(float64(beta[k])))
					}
					worst := &ulp
					if gamma == nil {
						worst = &plain
					}
					worst.Add(math.Abs(float64(y[k])-want.Y[k])/testkit.ULP(size), "%d × %s at %d: %v, want %v", n, row.Name, k, y[k], want.Y[k])
				}
			}
		}
	}
	t.Logf("worst error of y: %v ULP with gamma and beta, %v ULP without; of rstd: %v relative", ulp, plain, stat)
	assert.LessOrEqual(t, ulp.Figure, 4.0, ulp.Where)
	assert.LessOrEqual(t, plain.Figure, 4.0, plain.Where)
	assert.LessOrEqual(t, stat.Figure, 1e-6, stat.Where)
}

func TestLayerNormOnHardRows(t *testing.T) {
	var output, stat testkit.Worst
	for i, row := range testkit.HardRows() {
		n := len(row.X)
		r := testkit.Rand(uint64(i))
		gamma, beta := testkit.Normal(r, n, 1, 0.3), testkit.Normal(r, n, 0, 0.5)
		for _, epsilon := range []float64{1e-5, 1e-12, 1e-60, 0} {
			for variant := range 2 {
				if variant == 1 {
					gamma, beta = nil, nil
				}
				want := testkit.LayerNormRow(row.X, gamma, beta, epsilon)
				y, mean, rstd := layerNorm(t, row.X, gamma, beta, epsilon)
				where := row.Name + ", ε " + strconv.FormatFloat(epsilon, 'g', -1, 64)
				if want.Rstd[0] > math.MaxFloat32 {
					assert.True(t, math.IsInf(float64(rstd), 1), "rstd of %s is %v", where, rstd)
				} else {
					stat.Add(testkit.RelativeError(float64(rstd), want.Rstd[0]), "%s: %v, want %v", where, rstd, want.Rstd[0])
				}
				assert.True(t, testkit.Same(mean, want.Mean[0], testkit.ULP(want.Mean[0])), "mean of %s is %v, want %v", where, mean, want.Mean[0])
				for k := range y {
					output.Add(math.Abs(float64(y[k])-want.Y[k])/max(1, math.Abs(want.Y[k])), "%s at %d: %v, want %v", where, k, y[k], want.Y[k])
				}
			}
		}
	}
	t.Logf("worst error of y: %v of max(1, |y|); of rstd: %v relative", output, stat)
	assert.LessOrEqual(t, output.Figure, 2e-5, output.Where)
	assert.LessOrEqual(t, stat.Figure, 1e-5, stat.Where)
}

func TestLayerNormOfWhatIsNotFinite(t *testing.T) {
	const rows, cols = 5, 50
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		x := testkit.Normal(testkit.Rand(2), rows*cols, 0, 1)
		clean := make([]float32, rows*cols)
		require.NoError(t, LayerNormRows(clean, nil, nil, x, nil, nil, nil, rows, cols, 1e-5))
		x[2*cols+7] = float32(bad)
		y, mean, rstd := make([]float32, rows*cols), make([]float32, rows), make([]float32, rows)
		require.NoError(t, LayerNormRows(y, mean, rstd, x, nil, nil, nil, rows, cols, 1e-5))
		for i, v := range y {
			if i/cols == 2 {
				assert.True(t, math.IsNaN(float64(v)), "%v at %d is %v", bad, i, v)
			} else {
				assert.Equal(t, clean[i], v, "%v changed its neighbour at %d", bad, i)
			}
		}
		assert.True(t, testkit.Same(mean[2], bad, 0), "mean is %v", mean[2])
		assert.True(t, math.IsNaN(float64(rstd[2])))
	}
}

func TestLayerNormOfEqualValuesIsBeta(t *testing.T) {
	for _, v := range []float32{0, 1234.1, -7e-42, 3e38, math.SmallestNonzeroFloat32} {
		for _, n := range []int{1, 2, 5, 16, 100, 3000} {
			for _, epsilon := range []float64{1e-5, 1e-300, 0} {
				x, beta := make([]float32, n), testkit.Normal(testkit.Rand(1), n, 0, 1)
				for i := range x {
					x[i] = v
				}
				y, mean, _ := layerNorm(t, x, testkit.Normal(testkit.Rand(2), n, 0, 1), beta, epsilon)
				testkit.SameBits(t, beta, y, "%d × %v, ε %v", n, v, epsilon)
				assert.Equal(t, v, mean)
			}
		}
	}
}

// x + residual is rounded once and then normalized like any x.
func TestLayerNormResidual(t *testing.T) {
	for _, s := range [][2]int{{1, 1}, {3, 5}, {64, 100}, {5, 4096}, {3, 5000}, {200, 48}} {
		rows, cols := s[0], s[1]
		r := testkit.Rand(uint64(cols))
		x, residual := testkit.Normal(r, rows*cols, 0, 1), testkit.Normal(r, rows*cols, 1, 2)
		x[0] = 3e38 // a hard row among them
		gamma, beta := testkit.Normal(r, cols, 1, 1), testkit.Normal(r, cols, 0, 1)
		sum, want := make([]float32, rows*cols), make([]float32, rows*cols)
		for i := range sum {
			sum[i] = x[i] + residual[i]
		}
		wantMean, wantRstd := make([]float32, rows), make([]float32, rows)
		require.NoError(t, LayerNormRows(want, wantMean, wantRstd, sum, nil, gamma, beta, rows, cols, 1e-5))
		for name, alias := range map[string]int{"apart": 0, "y is x": 1, "y is residual": 2} {
			a, b := testkit.InOut("x", x, 1), testkit.InOut("residual", residual, 2)
			y := testkit.Output("y", rows*cols, 3)
			switch alias {
			case 1:
				y = a
			case 2:
				y = b
			}
			mean, rstd := make([]float32, rows), make([]float32, rows)
			require.NoError(t, LayerNormRows(y.S, mean, rstd, a.S, b.S, gamma, beta, rows, cols, 1e-5))
			testkit.SameBits(t, want, y.S, "%v, %s", s, name)
			testkit.SameBits(t, wantMean, mean, "%v, %s: mean", s, name)
			testkit.SameBits(t, wantRstd, rstd, "%v, %s: rstd", s, name)
			for _, o := range []*testkit.Operand{a, b, y} {
				o.Check(t, "%v, %s", s, name)
			}
			if alias == 0 {
				testkit.SameBits(t, x, a.S, "x")
				testkit.SameBits(t, residual, b.S, "residual")
			}
		}
	}
}

// Mean 0 and variance 1 come out; shifting and scaling the input changes nothing.
func TestLayerNormProperties(t *testing.T) {
	for _, n := range []int{8, 100, 768, 3001} {
		x := testkit.Normal(testkit.Rand(uint64(n)), n, 5, 3)
		for i := range x { // room for the shift to be exact
			x[i] = float32(math.Round(float64(x[i])*1024) / 1024)
		}
		y, _, _ := layerNorm(t, x, nil, nil, 0)
		mean, variance := testkit.Moments(y)
		m, _ := mean.Float64()
		v, _ := variance.Float64()
		assert.InDelta(t, 0, m, 1e-7)
		assert.InDelta(t, 1, v, 1e-6)
		shifted, scaled := make([]float32, n), make([]float32, n)
		for i, e := range x {
			shifted[i], scaled[i] = e+512, e*-64
		}
		ys, _, _ := layerNorm(t, shifted, nil, nil, 0)
		yc, _, _ := layerNorm(t, scaled, nil, nil, 0)
		for i := range y {
			assert.InDelta(t, y[i], ys[i], 1e-6*max(1, math.Abs(float64(y[i]))))
			assert.Equal(t, y[i], -yc[i], "scaling by a power of two is exact")
		}
	}
}

func TestLayerNormRowsErrors(t *testing.T) {
	f := func(n int) []float32 { return make([]float32, n) }
	inf, nan := math.Inf(1), math.NaN()
	cases := []struct {
		name string
		err  error
		want string
	}{
		{"x", LayerNormRows(f(6), nil, nil, f(5), nil, nil, nil, 2, 3, 0), "norm: LayerNorm: x has 5 elements, want 6 (2 rows of 3)"},
		{"y", LayerNormRows(f(7), nil, nil, f(6), nil, nil, nil, 2, 3, 0), "norm: LayerNorm: y has 7 elements, want 6 (2 rows of 3)"},
		{"residual", LayerNormRows(f(6), nil, nil, f(6), f(0), nil, nil, 2, 3, 0), "norm: LayerNorm: residual has 0 elements, want 6 (2 rows of 3)"},
		{"gamma", LayerNormRows(f(6), nil, nil, f(6), nil, f(2), nil, 2, 3, 0), "norm: LayerNorm: gamma has 2 elements, want 3 (one for each column)"},
		{"beta", LayerNormRows(f(6), nil, nil, f(6), nil, nil, f(4), 2, 3, 0), "norm: LayerNorm: beta has 4 elements, want 3 (one for each column)"},
		{"mean", LayerNormRows(f(6), f(3), nil, f(6), nil, nil, nil, 2, 3, 0), "norm: LayerNorm: mean has 3 elements, want 2 (one for each row)"},
		{"rstd", LayerNormRows(f(6), nil, f(6), f(6), nil, nil, nil, 2, 3, 0), "norm: LayerNorm: rstd has 6 elements, want 2 (one for each row)"},
		{"rows", LayerNormRows(nil, nil, nil, nil, nil, nil, nil, -1, 3, 0), "norm: LayerNorm: -1 rows of 3 columns are not a matrix that memory can hold"},
		{"overflow", LayerNormRows(nil, nil, nil, nil, nil, nil, nil, 1<<32, 1<<32, 0), "norm: LayerNorm: 4294967296 rows of 4294967296 columns are not a matrix that memory can hold"},
	}
	for _, c := range cases {
		assert.EqualError(t, c.err, c.want, c.name)
		var shape *ShapeError
		assert.True(t, errors.As(c.err, &shape), "%s is a %T", c.name, c.err)
	}
	for epsilon, want := range map[float64]string{nan: "NaN", -1e-5: "-1e-05", inf: "+Inf"} {
		err := LayerNormRows(f(6), nil, nil, f(6), nil, nil, nil, 2, 3, epsilon)
		assert.EqualError(t, err, "norm: LayerNorm: epsilon is "+want+", want a finite number of at least 0")
		var value *ValueError
		assert.True(t, errors.As(err, &value))
	}
}

func TestLayerNormRowsOfNothing(t *testing.T) {
	assert.NoError(t, LayerNormRows(nil, nil, nil, nil, nil, nil, nil, 0, 8, 1e-5))
	assert.NoError(t, LayerNormRows(nil, nil, nil, nil, []float32{}, make([]float32, 8), nil, 0, 8, 1e-5))
	mean, rstd := make([]float32, 3), make([]float32, 3)
	assert.NoError(t, LayerNormRows(nil, mean, rstd, nil, nil, []float32{}, nil, 3, 0, 1e-5))
	for i := range mean {
		assert.True(t, math.IsNaN(float64(mean[i])) && math.IsNaN(float64(rstd[i])), "the mean of nothing is %v", mean[i])
	}
}

func TestLayerNormRowsAllocatesNothing(t *testing.T) {
	const rows, cols = 20, 300
	x, y, p := make([]float32, rows*cols), make([]float32, rows*cols), make([]float32, cols)
	mean, rstd := make([]float32, rows), make([]float32, rows)
	x[5] = float32(math.NaN())
	assert.Zero(t, testing.AllocsPerRun(20, func() {
		_ = LayerNormRows(y, mean, rstd, x, nil, p, p, rows, cols, 1e-5)
		_ = LayerNormRows(y, nil, nil, x, x, p, nil, rows, cols, 1e-5)
	}))
}

// Means and deviations of any size against each other, with samples that mislead
// the shift in some rows.
func TestLayerNormOnRandomConditioning(t *testing.T) {
	r := testkit.Rand(11)
	var output, stat testkit.Worst
	rows := 3000
	if testing.Short() || runtime.GOARCH == "wasm" {
		rows = 500
	}
	for i := range rows {
		n := 1 + r.IntN(400)
		mean := r.NormFloat64() * math.Pow(10, 30*r.Float64()-15)
		x := testkit.Normal(r, n, mean, math.Abs(mean)*math.Pow(10, 14*r.Float64()-9))
		if i%3 == 0 && n >= 16 {
			for _, at := range []int{0, n / 16 * 4, n / 16 * 8, n / 16 * 12} {
				x[at+r.IntN(4)] *= float32(math.Pow(10, 6*r.Float64()-3))
			}
		}
		epsilon := []float64{0, 1e-5, 1e-12}[i%3]
		want := testkit.LayerNormRow(x, nil, nil, epsilon)
		y, _, rstd := layerNorm(t, x, nil, nil, epsilon)
		if want.Rstd[0] < math.MaxFloat32 {
			stat.Add(testkit.RelativeError(float64(rstd), want.Rstd[0]), "row %d: %d elements around %g, ε %g", i, n, mean, epsilon)
		}
		for k := range y {
			output.Add(math.Abs(float64(y[k])-want.Y[k])/max(1, math.Abs(want.Y[k])), "row %d at %d: %d elements around %g, ε %g: %v, want %v", i, k, n, mean, epsilon, y[k], want.Y[k])
		}
	}
	t.Logf("worst error of y: %v of max(1, |y|); of rstd: %v relative", output, stat)
	assert.LessOrEqual(t, output.Figure, 2e-5, output.Where)
	assert.LessOrEqual(t, stat.Figure, 1e-6, stat.Where)
}

// Any float32 values at all, by their bits: where the true result is finite, so is
// ours, and it is right; where the input is not, the row is NaN.
func FuzzLayerNormRows(f *testing.F) {
	bits := func(values ...float32) (b []byte) {
		for _, v := range values {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		return b
	}
	for i, row := range testkit.HardRows() {
		if len(row.X) <= 300 {
			f.Add(bits(row.X...), uint8(i))
		}
	}
	f.Add(bits(1, 2, float32(math.Inf(1))), uint8(0))
	f.Add(bits(float32(math.NaN()), 2), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, choice uint8) {
		n := len(data) / 4
		if n == 0 || n > 600 {
			t.Skip()
		}
		x := make([]float32, n)
		for i := range x {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
		epsilon := []float64{0, 1e-5, 1e-12, 1e-30, 1e-90, 1e-300, 1, 1e10, 1e300}[choice%9]
		want := testkit.LayerNormRow(x, nil, nil, epsilon)
		in, y := testkit.Input("x", x, int(choice/9)%4), testkit.Output("y", n, int(choice/36)%4)
		stats := make([]float32, 2)
		require.NoError(t, LayerNormRows(y.S, stats[:1], stats[1:], in.S, nil, nil, nil, 1, n, epsilon))
		for i, v := range y.S {
			require.True(t, testkit.Same(v, want.Y[i], 2e-5*max(1, math.Abs(want.Y[i]))), "%v over √(%v + %v) at %d is %v, want %v", x[i], want.Rstd[0], epsilon, i, v, want.Y[i])
		}
		require.True(t, testkit.Same(stats[0], want.Mean[0], 2*testkit.ULP(want.Mean[0])+1e-12*math.Abs(want.Mean[0])) || math.IsNaN(want.Y[0]) || largest(x)*1e-9 > math.Abs(want.Mean[0]),
			"mean is %v, want %v", stats[0], want.Mean[0])
		require.True(t, testkit.Same(stats[1], want.Rstd[0], 1e-5*want.Rstd[0]+math.SmallestNonzeroFloat32), "rstd is %v, want %v", stats[1], want.Rstd[0])
		in.Check(t, "%d elements", n)
		y.Check(t, "%d elements", n)
	})
}

func largest(x []float32) (m float64) {
	for _, e := range x {
		m = max(m, math.Abs(float64(e)))
	}
	return m
}
