package norm

import (
	"encoding/binary"
	"errors"
	"math"
	"runtime"
	"testing"

	"github.com/normwasm/normwasm/internal/testkit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRMSNormOnWellConditionedRows(t *testing.T) {
	sizes := append(testkit.Sizes(), 4096, 16384, 65536)
	if testing.Short() || runtime.GOARCH == "wasm" {
		sizes = []int{7, 64, 257, 768}
	}
	var ulp, stat testkit.Worst
	for _, n := range sizes {
		groups := testkit.ByAxes([]int{1, n}, []int{1})
		for i, row := range testkit.WellConditioned(n) {
			gamma := testkit.Normal(testkit.Rand(uint64(n+i)), n, 1, 0.5)
			if i%2 == 0 {
				gamma = nil
			}
			want := groups.RMSNorm(row.X, gamma, 1e-5)
			y, rstd := make([]float32, n), make([]float32, 1)
			require.NoError(t, RMSNormRows(y, rstd, row.X, gamma, 1, n, 1e-5))
			errorInULP(&ulp, y, want, groups, nil, row.Name)
			stat.Add(testkit.RelativeError(float64(rstd[0]), want.Rstd[0]), "%d × %s", n, row.Name)
		}
	}
	t.Logf("worst error of y: %v ULP; of rstd: %v relative", ulp, stat)
	assert.LessOrEqual(t, ulp.Figure, 4.0, ulp.Where)
	assert.LessOrEqual(t, stat.Figure, 1e-6, stat.Where)
}

func TestRMSNormOnHardRows(t *testing.T) {
	var output, stat testkit.Worst
	for _, row := range testkit.HardRows() {
		n := len(row.X)
		groups := testkit.ByAxes([]int{1, n}, []int{1})
		for _, epsilon := range []float64{1e-5, 1e-12, 1e-60, 0} {
			want := groups.RMSNorm(row.X, nil, epsilon)
			y, rstd := make([]float32, n), make([]float32, 1)
			require.NoError(t, RMSNormRows(y, rstd, row.X, nil, 1, n, epsilon))
			if want.Rstd[0] > math.MaxFloat32 {
				assert.True(t, math.IsInf(float64(rstd[0]), 1))
			} else {
				stat.Add(testkit.RelativeError(float64(rstd[0]), want.Rstd[0]), "%s, ε %v", row.Name, epsilon)
			}
			for k, v := range y {
				output.Add(math.Abs(float64(v)-want.Y[k])/max(1, math.Abs(want.Y[k])), "%s, ε %v at %d: %v, want %v", row.Name, epsilon, k, v, want.Y[k])
			}
		}
	}
	t.Logf("worst error of y: %v of max(1, |y|); of rstd: %v relative", output, stat)
	assert.LessOrEqual(t, output.Figure, 2e-5, output.Where)
	assert.LessOrEqual(t, stat.Figure, 1e-5, stat.Where)
}

// NaN and ±Inf spoil their own row; the others have the bits that they have alone.
func TestRMSNormDoesNotSeeNeighbours(t *testing.T) {
	for _, cols := range []int{1, 3, 16, 19, 64, 100, 257, 768} {
		const rows = 7
		r := testkit.Rand(uint64(cols))
		x, gamma := testkit.Normal(r, rows*cols, 2, 3), testkit.Normal(r, cols, 1, 1)
		alone := make([]float32, rows*cols)
		x[2*cols], x[4*cols] = float32(math.NaN()), float32(math.Inf(1))
		for row := range rows {
			require.NoError(t, RMSNormRows(alone[row*cols:(row+1)*cols], nil, x[row*cols:(row+1)*cols], gamma, 1, cols, 1e-5))
		}
		y := testkit.InOut("x and y", x, cols%4)
		require.NoError(t, RMSNormRows(y.S, nil, y.S, gamma, rows, cols, 1e-5))
		testkit.SameBits(t, alone, y.S, "%d columns", cols)
		y.Check(t, "%d columns", cols)
		for i, v := range y.S {
			switch row := i / cols; {
			case row == 2 || row == 4 && i%cols == 0:
				assert.True(t, v != v)
			case row == 4:
				assert.Zero(t, v)
			default:
				assert.True(t, v == v)
			}
		}
	}
}

// Scaling the input by a power of two changes nothing, scaling gamma scales y.
func TestRMSNormProperties(t *testing.T) {
	x := testkit.Normal(testkit.Rand(1), 500, 3, 2)
	scaled := make([]float32, 500)
	for i, e := range x {
		scaled[i] = -32 * e
	}
	y, ys := make([]float32, 500), make([]float32, 500)
	require.NoError(t, RMSNormRows(y, nil, x, nil, 5, 100, 0))
	require.NoError(t, RMSNormRows(ys, nil, scaled, nil, 5, 100, 0))
	square := 0.0
	for i, v := range y {
		assert.Equal(t, v, -ys[i])
		square += float64(v) * float64(v)
	}
	assert.InDelta(t, 1, square/500, 1e-6)
}

func TestRMSNormAxesAndSum(t *testing.T) {
	var ulp testkit.Worst
	for i, c := range axesCases {
		plan, err := NewRMSNorm(c.shape, c.axes, 1e-5)
		require.NoError(t, err)
		groups := testkit.ByAxes(c.shape, positive(c.axes, len(c.shape)))
		size := plan.Rows() * plan.Cols()
		r := testkit.Rand(uint64(i))
		data, addend, gamma := testkit.Normal(r, size, 1, 2), testkit.Normal(r, size, 0, 1), testkit.Normal(r, plan.Cols(), 1, 1)
		total := make([]float32, size)
		for k := range total {
			total[k] = data[k] + addend[k]
		}
		want := groups.RMSNorm(total, gamma, 1e-5)
		x, residual := testkit.Input("x", data, i%4), testkit.Input("residual", addend, 1)
		y, sum, rstd := testkit.Output("y", size, 2), testkit.Output("sum", size, 3), testkit.Output("rstd", plan.Rows(), 1)
		require.NoError(t, plan.Forward(y.S, sum.S, rstd.S, x.S, residual.S, gamma))
		testkit.SameBits(t, total, sum.S, "%v over %v: sum", c.shape, c.axes)
		errorInULP(&ulp, y.S, want, groups, nil, "axes")
		for k, v := range rstd.S {
			assert.True(t, testkit.Same(v, want.Rstd[k], 1e-6*want.Rstd[k]))
		}
		for _, o := range []*testkit.Operand{x, residual, y, sum, rstd} {
			o.Check(t, "%v over %v", c.shape, c.axes)
		}
		// The same with LayerNorm; sum in place of the residual, y in place of x.
		layer, err := NewLayerNorm(c.shape, c.axes, 1e-5)
		require.NoError(t, err)
		plain := make([]float32, size)
		require.NoError(t, layer.Forward(plain, nil, nil, total, nil, gamma, nil))
		a, b := testkit.InOut("x and y", data, 1), testkit.InOut("residual and sum", addend, 2)
		require.NoError(t, layer.ForwardSum(a.S, b.S, nil, nil, a.S, b.S, gamma, nil))
		testkit.SameBits(t, plain, a.S, "%v over %v: y", c.shape, c.axes)
		testkit.SameBits(t, total, b.S, "%v over %v: sum", c.shape, c.axes)
		assert.Zero(t, testing.AllocsPerRun(1, func() {
			_ = plan.Forward(y.S, sum.S, rstd.S, x.S, residual.S, gamma)
			_ = layer.ForwardSum(a.S, b.S, nil, nil, a.S, b.S, gamma, nil)
		}))
	}
	assert.LessOrEqual(t, ulp.Figure, 4.0, ulp.Where)
}

func TestRMSNormErrors(t *testing.T) {
	f := func(n int) []float32 { return make([]float32, n) }
	plan, err := NewRMSNorm([]int{2, 3}, []int{1}, 1e-5)
	require.NoError(t, err)
	_, axis := NewRMSNorm([]int{2, 3}, []int{2}, 1e-5)
	layer, err := NewLayerNorm([]int{2, 3}, []int{1}, 1e-5)
	require.NoError(t, err)
	wrong, err := NewLayerNorm([]int{2, 3}, []int{1}, 1e-5)
	require.NoError(t, err)
	wrong.Activation = -1
	for _, c := range []struct {
		err   error
		shape bool
		want  string
	}{
		{axis, true, "norm: RMSNorm: axis 2 is out of range for x [2 3], want -2 to 1"},
		{RMSNormRows(f(6), nil, f(5), nil, 2, 3, 0), true, "norm: RMSNorm: x has 5 elements, want 6 (2 rows of 3)"},
		{RMSNormRows(f(5), nil, f(6), nil, 2, 3, 0), true, "norm: RMSNorm: y has 5 elements, want 6 (2 rows of 3)"},
		{RMSNormRows(f(6), nil, f(6), f(2), 2, 3, 0), true, "norm: RMSNorm: gamma has 2 elements, want 3 (one for each column)"},
		{RMSNormRows(f(6), f(3), f(6), nil, 2, 3, 0), true, "norm: RMSNorm: rstd has 3 elements, want 2 (one for each row)"},
		{RMSNormRows(nil, nil, nil, nil, 1<<40, 1<<40, 0), true, "norm: RMSNorm: 1099511627776 rows of 1099511627776 columns are not a matrix that memory can hold"},
		{RMSNormRows(f(6), nil, f(6), nil, 2, 3, -1), false, "norm: RMSNorm: epsilon is -1, want a finite number of at least 0"},
		{plan.Forward(f(6), f(6), nil, f(6), nil, nil), true, "norm: RMSNorm: there is a sum but no residual, want both or none"},
		{plan.Forward(f(6), f(5), nil, f(6), f(6), nil), true, "norm: RMSNorm: sum has 5 elements, want 6 (x [2 3])"},
		{plan.Forward(f(6), nil, nil, f(6), nil, f(2)), true, "norm: RMSNorm: gamma has 2 elements, want 3 (the last dimension of x [2 3])"},
		{plan.Fuse(9), false, "norm: RMSNorm: activation is 9, want Linear, ReLU, ReLU6 or SiLU (0 to 3)"},
		{wrong.Forward(f(6), nil, nil, f(6), nil, nil, nil), false, "norm: LayerNorm: activation is -1, want Linear, ReLU, ReLU6 or SiLU (0 to 3)"},
		{plan.Backward(f(6), nil, f(6), f(6), nil, nil), true, "norm: RMSNorm: rstd has 0 elements, want 2 (x [2 3] but for the last dimension)"},
		{layer.Backward(f(6), nil, nil, f(6), f(6), nil, f(2), nil), true, "norm: LayerNorm: mean has 0 elements, want 2 (x [2 3] but for the last dimension)"},
		{layer.Backward(f(6), nil, nil, f(5), f(6), f(2), f(2), nil), true, "norm: LayerNorm: dy has 5 elements, want 6 (x [2 3])"},
		{layer.Backward(f(5), nil, nil, f(6), f(6), f(2), f(2), nil), true, "norm: LayerNorm: dx has 5 elements, want 6 (x [2 3])"},
		{layer.Backward(f(6), nil, nil, f(6), f(7), f(2), f(2), nil), true, "norm: LayerNorm: x has 7 elements, want 6 (x [2 3])"},
		{layer.Backward(f(6), f(2), nil, f(6), f(6), f(2), f(2), nil), true, "norm: LayerNorm: dgamma has 2 elements, want 3 (the last dimension of x [2 3])"},
		{layer.Backward(f(6), nil, f(2), f(6), f(6), f(2), f(2), nil), true, "norm: LayerNorm: dbeta has 2 elements, want 3 (the last dimension of x [2 3])"},
		{layer.Backward(f(6), nil, nil, f(6), f(6), f(2), f(2), f(6)), true, "norm: LayerNorm: gamma has 6 elements, want 3 (the last dimension of x [2 3])"},
	} {
		assert.EqualError(t, c.err, c.want)
		var shape *ShapeError
		assert.Equal(t, c.shape, errors.As(c.err, &shape), c.want)
	}
}

// Gradients of LayerNorm and RMSNorm over every arrangement of axes.
func TestRowGradients(t *testing.T) {
	var worst testkit.Worst
	for i, c := range axesCases {
		if spared(i) {
			continue
		}
		axes := positive(c.axes, len(c.shape))
		groups := testkit.ByAxes(c.shape, axes)
		layer, err := NewLayerNorm(c.shape, c.axes, 1e-5)
		require.NoError(t, err)
		rms, err := NewRMSNorm(c.shape, c.axes, 1e-5)
		require.NoError(t, err)
		size, n := layer.Rows()*layer.Cols(), layer.Cols()
		if size > 1000 || size == 0 {
			continue
		}
		for variant := range 4 {
			r := testkit.Rand(uint64(10*i + variant))
			mean, deviation := 3.0, 2.0
			if variant == 3 {
				if n == 2 {
					continue // see TestGroupNormBackward
				}
				mean, deviation = 1e7, 50
			}
			x, dy, gamma := testkit.Normal(r, size, mean, deviation), testkit.Normal(r, size, 0.5, 1), testkit.Normal(r, n, 1, 1)
			if variant == 1 {
				gamma = nil
			}
			for _, centered := range []bool{true, false} {
				if n == 1 && centered || variant == 3 && !centered {
					continue // no gradient; no low part
				}
				m, s := make([]float32, layer.Rows()), make([]float32, layer.Rows())
				in, grad, dx := testkit.Input("x", x, 1), testkit.Input("dy", dy, 2), testkit.Output("dx", size, 3)
				if variant == 2 {
					in = testkit.InOut("x and dx", x, 1)
					dx = in
				}
				dgamma, dbeta := testkit.Output("dgamma", n, 0), testkit.Output("dbeta", n, 1)
				if centered {
					require.NoError(t, layer.Forward(make([]float32, size), m, s, x, nil, gamma, nil))
					require.NoError(t, layer.Backward(dx.S, dgamma.S, dbeta.S, grad.S, in.S, m, s, gamma))
				} else {
					require.NoError(t, rms.Forward(make([]float32, size), nil, s, x, nil, gamma))
					require.NoError(t, rms.Backward(dx.S, dgamma.S, grad.S, in.S, s, gamma))
				}
				for _, o := range []*testkit.Operand{in, grad, dx, dgamma, dbeta} {
					o.Check(t, "%v over %v", c.shape, c.axes)
				}
				wx, wg, wb := groupGradients(groups, x, dy, gamma, n, 1e-5, deviation, centered)
				worst.Add(testkit.GradientError(dgamma.S, wg), "dgamma of %v over %v, variant %d, %v", c.shape, c.axes, variant, centered)
				if centered {
					worst.Add(testkit.GradientError(dbeta.S, wb), "dbeta of %v over %v, variant %d", c.shape, c.axes, variant)
				}
				if n == 1 {
					// Only ε's part is left: γ·dy·ε/(x² + ε)^1.5, which differences do not see.
					for k, v := range dx.S {
						e := float64(x[k])
						g := float64(dy[k]) * float64(at(gamma, 0, 1))
						assert.InEpsilon(t, g*1e-5/math.Pow(e*e+1e-5, 1.5), v, 1e-5)
					}
					continue
				}
				worst.Add(testkit.GradientError(dx.S, wx), "dx of %v over %v, variant %d, %v", c.shape, c.axes, variant, centered)
			}
		}
	}
	t.Logf("worst error of a gradient: %v", worst)
	assert.LessOrEqual(t, worst.Figure, 1e-4, worst.Where)
}

// Rows of real models, and hard ones among them: against the formula with exact
// statistics. A row's dx has the bits that it has alone.
func TestRowGradientsOnHardRows(t *testing.T) {
	var worst, parameters testkit.Worst
	for i, row := range testkit.HardRows() {
		n := len(row.X)
		if n == 1 {
			continue
		}
		const rows = 3
		r := testkit.Rand(uint64(i))
		x := append(append(testkit.Normal(r, n, 1, 1), row.X...), testkit.Normal(r, n, -1, 2)...)
		dy, gamma := testkit.Normal(r, rows*n, 0, 1), testkit.Normal(r, n, 1, 1)
		groups := testkit.ByAxes([]int{rows, n}, []int{1})
		for _, epsilon := range []float64{1e-5, 0} {
			for _, centered := range []bool{true, false} {
				exact := groups.RMSNorm(x, gamma, epsilon)
				if centered {
					exact = groups.Normalize(x, gamma, nil, epsilon)
				}
				if exact.Rstd[1] > 1e36 {
					continue // the true gradient is not finite in float32
				}
				run := func(x, dy []float32, rows int) (dx, dgamma, dbeta []float32) {
					dx, dgamma, dbeta = make([]float32, rows*n), make([]float32, n), make([]float32, n)
					m, s := make([]float32, rows), make([]float32, rows)
					if centered {
						plan, err := NewLayerNorm([]int{rows, n}, []int{1}, epsilon)
						require.NoError(t, err)
						require.NoError(t, plan.Forward(make([]float32, rows*n), m, s, x, nil, gamma, nil))
						require.NoError(t, plan.Backward(dx, dgamma, dbeta, dy, x, m, s, gamma))
						return
					}
					plan, err := NewRMSNorm([]int{rows, n}, []int{1}, epsilon)
					require.NoError(t, err)
					require.NoError(t, plan.Forward(make([]float32, rows*n), nil, s, x, nil, gamma))
					require.NoError(t, plan.Backward(dx, dgamma, dy, x, s, gamma))
					return
				}
				dx, dgamma, dbeta := run(x, dy, rows)
				var m1, m2 [rows]float64
				wg, wb, size := make([]float64, n), make([]float64, n), make([]float64, n)
				for k, d := range dy {
					g := float64(d) * float64(gamma[k%n])
					if centered {
						m1[k/n] += g / float64(n)
					}
					m2[k/n] += g * exact.XHat[k] / float64(n)
					wg[k%n] += float64(d) * exact.XHat[k]
					wb[k%n] += float64(d)
					size[k%n] += math.Abs(float64(d)) * max(1, math.Abs(exact.XHat[k]))
				}
				for k, v := range dx {
					g := float64(dy[k]) * float64(gamma[k%n])
					want := (g - m1[k/n] - exact.XHat[k]*m2[k/n]) * exact.Rstd[k/n]
					terms := exact.Rstd[k/n] * max(1, math.Abs(g), math.Abs(exact.XHat[k]*m2[k/n]))
					worst.Add(math.Abs(float64(v)-want)/(terms+1e-39), "%s, ε %v at %d: %v, want %v", row.Name, epsilon, k, v, want)
				}
				for k := range n {
					parameters.Add(math.Abs(float64(dgamma[k])-wg[k])/size[k], "dgamma of %s, ε %v at %d: %v, want %v", row.Name, epsilon, k, dgamma[k], wg[k])
					if centered {
						parameters.Add(math.Abs(float64(dbeta[k])-wb[k])/size[k], "dbeta of %s", row.Name)
					}
				}
				alone, _, _ := run(x[:n], dy[:n], 1)
				testkit.SameBits(t, alone, dx[:n], "%s: the row before", row.Name)
				bad := append([]float32(nil), x...)
				bad[n] = float32(math.NaN())
				spoilt, g, _ := run(bad, dy, rows)
				testkit.SameBits(t, alone, spoilt[:n], "%s: the row before NaN", row.Name)
				assert.True(t, spoilt[n] != spoilt[n] && spoilt[2*n-1] != spoilt[2*n-1] && g[0] != g[0])
			}
		}
	}
	t.Logf("worst error of dx: %v of its terms; of dgamma, dbeta: %v of theirs", worst, parameters)
	assert.LessOrEqual(t, worst.Figure, 1e-5, worst.Where)
	assert.LessOrEqual(t, parameters.Figure, 1e-5, parameters.Where)
}

// Many rows: the columns are summed in blocks, and lose nothing.
func TestRowGradientsOfManyRows(t *testing.T) {
	const rows, cols = 3000, 20
	r := testkit.Rand(1)
	x, dy := testkit.Normal(r, rows*cols, 1, 1), testkit.Normal(r, rows*cols, 1, 0.1)
	plan, err := NewLayerNorm([]int{rows, cols}, []int{1}, 1e-5)
	require.NoError(t, err)
	m, s, dx, dgamma, dbeta := make([]float32, rows), make([]float32, rows), make([]float32, rows*cols), make([]float32, cols), make([]float32, cols)
	require.NoError(t, plan.Forward(dx, m, s, x, nil, nil, nil))
	require.NoError(t, plan.Backward(dx, dgamma, dbeta, dy, x, m, s, nil))
	exact := testkit.ByAxes([]int{rows, cols}, []int{1}).Normalize(x, nil, nil, 1e-5)
	wg, wb := make([]float64, cols), make([]float64, cols)
	for k, d := range dy {
		wg[k%cols] += float64(d) * exact.XHat[k]
		wb[k%cols] += float64(d)
	}
	for k := range cols {
		assert.InDelta(t, wb[k], dbeta[k], 1e-7*rows)
		assert.InDelta(t, wg[k], dgamma[k], 1e-7*rows)
	}
}

// Sixteen rows of dy are summed in float32, behind whatever gamma.
func TestRowGradientsThatOverflowInSums(t *testing.T) {
	x := []float32{1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4}
	dy := make([]float32, 12)
	dy[1], dy[5], dy[9] = 3e38, 3e38, -3e38
	for _, gamma := range [][]float32{nil, {1, 1, 1, 1}, {1, 1e-38, 1, 1}, {1, 0, 1, 1}} {
		l, err := NewLayerNorm([]int{3, 4}, []int{1}, 1e-5)
		require.NoError(t, err)
		m, s, dgamma, dbeta := make([]float32, 3), make([]float32, 3), make([]float32, 4), make([]float32, 4)
		require.NoError(t, l.Forward(make([]float32, 12), m, s, x, nil, gamma, nil))
		g := append([]float32(nil), dy...)
		require.NoError(t, l.Backward(g, dgamma, dbeta, g, x, m, s, gamma))
		assert.Equal(t, []float32{0, 3e38, 0, 0}, dbeta)
		assert.InEpsilon(t, 3e38*-0.5/math.Sqrt(1.25+1e-5), dgamma[1], 1e-6)
	}
}

func TestRowGradientsAllocateNothing(t *testing.T) {
	for _, c := range axesCases {
		plan, err := NewLayerNorm(c.shape, c.axes, 1e-5)
		require.NoError(t, err)
		n := plan.Rows() * plan.Cols()
		x, y, p, s := make([]float32, n), make([]float32, n), make([]float32, plan.Cols()), make([]float32, plan.Rows())
		assert.Zero(t, testing.AllocsPerRun(2, func() { _ = plan.Backward(y, p, p, x, x, s, s, p) }), "%v over %v", c.shape, c.axes)
	}
}

// Any float32 values at all, by their bits.
func FuzzRMSNormRows(f *testing.F) {
	for i, row := range testkit.HardRows() {
		if len(row.X) <= 300 {
			var b []byte
			for _, v := range row.X {
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
			}
			f.Add(b, uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, choice uint8) {
		n := len(data) / 4
		if n == 0 || n > 600 {
			t.Skip()
		}
		x := make([]float32, n)
		finite := true
		for i := range x {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
			finite = finite && x[i]-x[i] == 0
		}
		epsilon := []float64{0, 1e-5, 1e-12, 1e-30, 1e-90, 1e-300, 1, 1e10}[choice%8]
		want := testkit.ByAxes([]int{1, n}, []int{1}).RMSNorm(x, nil, epsilon)
		y := testkit.Output("y", n, int(choice)%4)
		require.NoError(t, RMSNormRows(y.S, nil, x, nil, 1, n, epsilon))
		for i, v := range y.S {
			if finite {
				require.True(t, testkit.Same(v, want.Y[i], 2e-5*max(1, math.Abs(want.Y[i]))), "%v at %d is %v, want %v", x[i], i, v, want.Y[i])
			}
		}
		y.Check(t, "%d elements", n)
	})
}
