package norm

import (
	"errors"
	"math"
	"runtime"
	"testing"

	"github.com/normwasm/normwasm/internal/testkit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var groupCases = []struct {
	shape  []int
	layout Layout
	groups int // 0: InstanceNorm
}{
	{[]int{3, 6}, NCHW, 2},
	{[]int{3, 6}, NHWC, 3},
	{[]int{3, 6}, NCHW, 0},
	{[]int{2, 6, 5}, NCHW, 1},
	{[]int{2, 6, 5}, NCHW, 6},
	{[]int{2, 6, 5}, NCHW, 0},
	{[]int{2, 8, 3, 3}, NCHW, 4},
	{[]int{1, 12, 7, 5}, NCHW, 3},
	{[]int{2, 4, 7, 9}, NCHW, 0},
	{[]int{2, 5, 7, 4}, NHWC, 0},
	{[]int{2, 5, 7, 6}, NHWC, 3},
	{[]int{2, 5, 7, 6}, NHWC, 1},
	{[]int{1, 7, 1, 6}, NHWC, 2},
	{[]int{2, 9, 11, 3}, NHWC, 0},
	{[]int{3, 1, 10}, NHWC, 5},
	{[]int{2, 23, 40}, NHWC, 8},
	{[]int{1, 64, 70}, NHWC, 7},
	{[]int{0, 4, 3}, NCHW, 2},
	{[]int{2, 4, 0}, NCHW, 2},
	{[]int{2, 0, 3}, NCHW, 0},
	{[]int{2, 0, 3}, NCHW, 2},
	{[]int{2, 0, 4}, NHWC, 2},
}

func newGroup(t testing.TB, shape []int, layout Layout, groups int, epsilon float64) *GroupNorm {
	t.Helper()
	if groups == 0 {
		i, err := NewInstanceNorm(shape, layout, epsilon)
		require.NoError(t, err)
		return &i.GroupNorm
	}
	g, err := NewGroupNorm(shape, layout, groups, epsilon)
	require.NoError(t, err)
	return g
}

func groupsOf(shape []int, layout Layout, groups int) testkit.Groups {
	axis := layout.axis(len(shape))
	if groups == 0 {
		groups = shape[axis]
	}
	return testkit.ByGroup(shape, axis, groups)
}

func TestGroupNormForward(t *testing.T) {
	var ulp, stat testkit.Worst
	for i, c := range groupCases {
		plan := newGroup(t, c.shape, c.layout, c.groups, 1e-5)
		size, n := product64(c.shape), plan.Channels()
		groups := groupsOf(c.shape, c.layout, c.groups)
		require.Equal(t, groups.Count, plan.Stats())
		for variant := range 8 {
			r := testkit.Rand(uint64(20*i + variant))
			data := testkit.Normal(r, size, -2, 3)
			gamma, beta := testkit.Normal(r, n, 1, 1), testkit.Normal(r, n, 0, 1)
			if variant&1 != 0 {
				gamma = nil
			}
			if variant&2 != 0 {
				beta = nil
			}
			want := groups.Normalize(data, gamma, beta, 1e-5)
			x, y := testkit.Input("x", data, i%4), testkit.Output("y", size, variant%3)
			if variant&4 != 0 {
				x = testkit.InOut("x and y", data, 1)
				y = x
			}
			mean, rstd := testkit.Output("mean", plan.Stats(), 0), testkit.Output("rstd", plan.Stats(), 1)
			require.NoError(t, plan.Forward(y.S, mean.S, rstd.S, x.S, gamma, beta))
			for _, o := range []*testkit.Operand{x, y, mean, rstd} {
				o.Check(t, "%v in %d groups", c.shape, c.groups)
			}
			errorInULP(&ulp, y.S, want, groups, beta, "group")
			for k := range mean.S {
				assert.True(t, testkit.Same(mean.S[k], want.Mean[k], testkit.ULP(want.Mean[k])), "mean of %v: %v, want %v", c.shape, mean.S[k], want.Mean[k])
				if size > 0 {
					stat.Add(testkit.RelativeError(float64(rstd.S[k]), want.Rstd[k]), "rstd %d of %v", k, c.shape)
				}
			}
		}
	}
	t.Logf("worst error of y: %v ULP; of rstd: %v relative", ulp, stat)
	assert.LessOrEqual(t, ulp.Figure, 4.0, ulp.Where)
	assert.LessOrEqual(t, stat.Figure, 1e-6, stat.Where)
}

// spread puts rows into a tensor so that row k becomes group k of [N C …].
func spread[T any](g testkit.Groups, rows [][]T) []T {
	x, next := make([]T, len(g.Group)), make([]int, g.Count)
	for i, k := range g.Group {
		x[i] = rows[k][next[k]]
		next[k]++
	}
	return x
}

// layouts are ways in which three rows of n elements can lie as groups.
func layouts(n int) []struct {
	name   string
	shape  []int
	layout Layout
	groups int
	batch  bool
} {
	return []struct {
		name   string
		shape  []int
		layout Layout
		groups int
		batch  bool
	}{
		{"InstanceNorm NCHW", []int{1, 3, n}, NCHW, 0, false},
		{"InstanceNorm NHWC", []int{1, n, 3}, NHWC, 0, false},
		{"GroupNorm NCHW", []int{1, 3 * n, 1}, NCHW, 3, false},
		{"GroupNorm NHWC", []int{1, 1, 3 * n}, NHWC, 3, false},
		{"BatchNorm NHWC", []int{n, 3}, NHWC, 0, true},
		{"BatchNorm NCHW", []int{1, 3, n}, NCHW, 0, true},
		{"BatchNorm NCHW, short planes", []int{n, 3, 1, 1}, NCHW, 0, true},
	}
}

// Every hard row between two easy ones, as groups and as channels in both layouts.
func TestGroupsOnHardRows(t *testing.T) {
	var output, stat testkit.Worst
	for i, row := range testkit.HardRows() {
		n := len(row.X)
		r := testkit.Rand(uint64(i))
		rows := [][]float32{testkit.Normal(r, n, 1, 1), row.X, testkit.Normal(r, n, -1, 2)}
		for k, c := range layouts(n) {
			if testing.Short() && (i+k)%4 != 0 {
				continue // each row in some of the layouts
			}
			groups := groupsOf(c.shape, c.layout, c.groups)
			if c.batch {
				groups = testkit.ByChannel(c.shape, c.layout.axis(len(c.shape)))
			}
			data := spread(groups, rows)
			size := len(data)
			for _, epsilon := range []float64{1e-5, 1e-12, 0} {
				var y, alone []float32
				var rstd []float64
				run := func(x []float32) ([]float32, []float64) {
					y := make([]float32, size)
					if c.batch {
						l, err := NewBatchNormLayer(3, ONNX)
						require.NoError(t, err)
						l.Layout, l.Epsilon = c.layout, epsilon
						require.NoError(t, l.Forward(y, x, c.shape, true, true))
						return y, l.saved[3:6]
					}
					plan := newGroup(t, c.shape, c.layout, c.groups, epsilon)
					s := make([]float32, 3)
					require.NoError(t, plan.Forward(y, nil, s, x, nil, nil))
					return y, testkit.Widen(s, 3, 0)
				}
				y, rstd = run(data)
				want := groups.Normalize(data, nil, nil, epsilon)
				where := c.name + " of " + row.Name
				for k, w := range want.Rstd {
					if w < math.MaxFloat32 {
						stat.Add(testkit.RelativeError(rstd[k], w), "%s, ε %v, group %d: %v, want %v", where, epsilon, k, rstd[k], w)
					}
				}
				for k, v := range y {
					output.Add(math.Abs(float64(v)-want.Y[k])/max(1, math.Abs(want.Y[k])), "%s, ε %v at %d: %v, want %v", where, epsilon, k, v, want.Y[k])
				}
				// The neighbours do not notice.
				alone, _ = run(spread(groups, [][]float32{rows[0], rows[0], rows[2]}))
				for k, v := range y {
					if groups.Group[k] != 1 {
						require.Equal(t, alone[k], v, "%s: neighbour at %d", where, k)
					}
				}
				// What is not finite spoils its own group only.
				bad := append([]float32(nil), data...)
				for k := range bad {
					if groups.Group[k] == 1 {
						bad[k] = float32([]float64{math.NaN(), math.Inf(1), math.Inf(-1)}[i%3])
						break
					}
				}
				got, _ := run(bad)
				for k, v := range got {
					if groups.Group[k] == 1 {
						require.True(t, v != v, "%s: %v at %d", where, v, k)
					} else {
						require.Equal(t, alone[k], v, "%s: neighbour at %d", where, k)
					}
				}
			}
		}
	}
	t.Logf("worst error of y: %v of max(1, |y|); of rstd: %v relative", output, stat)
	assert.LessOrEqual(t, output.Figure, 2e-5, output.Where)
	assert.LessOrEqual(t, stat.Figure, 1e-5, stat.Where)
}

func TestGroupsOnWellConditionedRows(t *testing.T) {
	sizes := append(testkit.Sizes()[1:], 3136, 5000, 16384, 65536)
	if testing.Short() || runtime.GOARCH == "wasm" {
		sizes = []int{7, 49, 257, 1000}
	}
	var ulp, stat testkit.Worst
	for _, n := range sizes {
		rows := testkit.WellConditioned(n)
		for k := 0; k+3 <= len(rows); k += 3 {
			if n > 4000 && k > 0 {
				break // the exact oracle takes its time
			}
			for _, c := range layouts(n) {
				groups := groupsOf(c.shape, c.layout, c.groups)
				if c.batch {
					groups = testkit.ByChannel(c.shape, c.layout.axis(len(c.shape)))
				}
				data := spread(groups, [][]float32{rows[k].X, rows[k+1].X, rows[k+2].X})
				channels := c.shape[c.layout.axis(len(c.shape))]
				r := testkit.Rand(uint64(n))
				gamma, beta := testkit.Normal(r, channels, 1, 0.5), testkit.Normal(r, channels, 0, 0.5)
				for range 2 { // with parameters, and without: then nothing covers up values near 0
					y, s := make([]float32, len(data)), make([]float32, 3)
					if c.batch {
						l, err := NewBatchNormLayer(3, ONNX)
						require.NoError(t, err)
						l.Layout, l.Gamma, l.Beta = c.layout, gamma, beta
						require.NoError(t, l.Forward(y, data, c.shape, true, false))
						for j := range s {
							s[j] = float32(l.saved[3+j])
						}
					} else {
						plan := newGroup(t, c.shape, c.layout, c.groups, 1e-5)
						require.NoError(t, plan.Forward(y, nil, s, data, gamma, beta))
					}
					want := groups.Normalize(data, gamma, beta, 1e-5)
					errorInULP(&ulp, y, want, groups, beta, c.name)
					for j, w := range want.Rstd {
						stat.Add(testkit.RelativeError(float64(s[j]), w), "%s of %d", c.name, n)
					}
					gamma, beta = nil, nil
				}
			}
		}
	}
	t.Logf("worst error of y: %v ULP; of rstd: %v relative", ulp, stat)
	assert.LessOrEqual(t, ulp.Figure, 4.0, ulp.Where)
	assert.LessOrEqual(t, stat.Figure, 1e-6, stat.Where)
}

func TestGroupNormBackward(t *testing.T) {
	var worst testkit.Worst
	for i, c := range groupCases {
		plan := newGroup(t, c.shape, c.layout, c.groups, 1e-5)
		size, n := product64(c.shape), plan.Channels()
		if size > 1000 || len(c.shape) == 2 && c.groups == 0 {
			continue // one element a group: the gradient is 0, below
		}
		groups := groupsOf(c.shape, c.layout, c.groups)
		for variant := range 4 {
			r := testkit.Rand(uint64(10*i + variant))
			mean, deviation := -2.0, 3.0
			if variant == 3 {
				if size == 2*plan.Stats() {
					continue // differences in float64 would see nothing but rounding
				}
				mean, deviation = 1e7, 50
			}
			x, dy := testkit.Normal(r, size, mean, deviation), testkit.Normal(r, size, 0.5, 1)
			gamma := testkit.Normal(r, n, 1, 1)
			if variant == 1 {
				gamma = nil
			}
			m, s := make([]float32, plan.Stats()), make([]float32, plan.Stats())
			require.NoError(t, plan.Forward(make([]float32, size), m, s, x, gamma, nil))
			in, grad, dx := testkit.Input("x", x, 1), testkit.Input("dy", dy, 2), testkit.Output("dx", size, 3)
			if variant == 2 {
				in = testkit.InOut("x and dx", x, 1)
				dx = in
			}
			dgamma, dbeta := testkit.Output("dgamma", n, 0), testkit.Output("dbeta", n, 1)
			require.NoError(t, plan.Backward(dx.S, dgamma.S, dbeta.S, grad.S, in.S, m, s, gamma))
			for _, o := range []*testkit.Operand{in, grad, dx, dgamma, dbeta} {
				o.Check(t, "%v variant %d", c.shape, variant)
			}
			wx, wg, wb := groupGradients(groups, x, dy, gamma, n, 1e-5, deviation, true)
			worst.Add(testkit.GradientError(dx.S, wx), "dx of %v %v, variant %d", c.shape, c.groups, variant)
			worst.Add(testkit.GradientError(dgamma.S, wg), "dgamma of %v %v, variant %d", c.shape, c.groups, variant)
			worst.Add(testkit.GradientError(dbeta.S, wb), "dbeta of %v %v, variant %d", c.shape, c.groups, variant)
		}
	}
	t.Logf("worst error of a gradient: %v", worst)
	assert.LessOrEqual(t, worst.Figure, 1e-4, worst.Where)
}

// The gradients of hard rows stay finite and right where the truth is.
func TestGroupGradientsOnHardRows(t *testing.T) {
	var worst testkit.Worst
	for i, row := range testkit.HardRows() {
		n := len(row.X)
		if n > 800 || n == 1 {
			continue
		}
		r := testkit.Rand(uint64(i))
		rows := [][]float32{testkit.Normal(r, n, 1, 1), row.X, testkit.Normal(r, n, -1, 2)}
		for _, epsilon := range []float64{1e-5, 0} {
			_, variance := testkit.Moments(row.X)
			v, _ := variance.Float64()
			if v+epsilon == 0 || 1/math.Sqrt(v+epsilon) > 1e36 {
				continue // the true gradient is not finite in float32
			}
			for _, c := range layouts(n) {
				groups := groupsOf(c.shape, c.layout, c.groups)
				if c.batch {
					groups = testkit.ByChannel(c.shape, c.layout.axis(len(c.shape)))
				}
				x, dy, dx := spread(groups, rows), testkit.Normal(r, 3*n, 0, 1), make([]float32, 3*n)
				if c.batch {
					l, err := NewBatchNormLayer(3, ONNX)
					require.NoError(t, err)
					l.Layout, l.Epsilon = c.layout, epsilon
					require.NoError(t, l.Forward(make([]float32, 3*n), x, c.shape, true, false))
					require.NoError(t, l.Backward(dx, nil, nil, dy, x))
				} else {
					plan := newGroup(t, c.shape, c.layout, c.groups, epsilon)
					m, s := make([]float32, 3), make([]float32, 3)
					require.NoError(t, plan.Forward(make([]float32, 3*n), m, s, x, nil, nil))
					require.NoError(t, plan.Backward(dx, nil, nil, dy, x, m, s, nil))
				}
				// The formula with exact statistics; central differences of 3e38 have no step.
				exact := groups.Normalize(x, nil, nil, epsilon)
				var m1, m2 [3]float64
				for k, g := range groups.Group {
					m1[g] += float64(dy[k]) / float64(n)
					m2[g] += float64(dy[k]) * exact.XHat[k] / float64(n)
				}
				for k, g := range groups.Group {
					want := (float64(dy[k]) - m1[g] - exact.XHat[k]*m2[g]) * exact.Rstd[g]
					worst.Add(math.Abs(float64(dx[k])-want)/(exact.Rstd[g]*max(1, math.Abs(exact.XHat[k]*m2[g]))+math.SmallestNonzeroFloat32*1e6), "%s of %s, ε %v, at %d: %v, want %v", c.name, row.Name, epsilon, k, dx[k], want)
				}
			}
		}
	}
	t.Logf("worst error of dx: %v of its terms", worst)
	assert.LessOrEqual(t, worst.Figure, 1e-5, worst.Where)
}

// With dy and x linear in nothing but dy: the gradient is linear.
func TestGroupNormGradientIsLinear(t *testing.T) {
	plan := newGroup(t, []int{2, 6, 20}, NCHW, 3, 1e-5)
	r := testkit.Rand(4)
	x, a, b, gamma := testkit.Normal(r, 240, 1, 2), testkit.Normal(r, 240, 0, 1), testkit.Normal(r, 240, 0, 1), testkit.Normal(r, 6, 1, 1)
	m, s := make([]float32, 6), make([]float32, 6)
	require.NoError(t, plan.Forward(make([]float32, 240), m, s, x, gamma, nil))
	back := func(dy []float32) []float32 {
		dx := make([]float32, 240)
		require.NoError(t, plan.Backward(dx, nil, nil, dy, x, m, s, gamma))
		return dx
	}
	sum := make([]float32, 240)
	for i := range sum {
		sum[i] = 2*a[i] - 4*b[i]
	}
	da, db, dsum := back(a), back(b), back(sum)
	groups := groupsOf([]int{2, 6, 20}, NCHW, 3)
	total, along := make([]float64, 6), make([]float64, 6)
	want := groups.Normalize(x, nil, nil, 1e-5)
	for i := range sum {
		assert.InDelta(t, 2*da[i]-4*db[i], dsum[i], 1e-5)
		total[groups.Group[i]] += float64(da[i])
		along[groups.Group[i]] += float64(da[i]) * want.XHat[i]
	}
	for k := range total { // shifting or scaling x does not change y
		assert.InDelta(t, 0, total[k], 1e-4)
		assert.InDelta(t, 0, along[k], 1e-3)
	}
}

func TestGroupNormErrors(t *testing.T) {
	f := func(n int) []float32 { return make([]float32, n) }
	group := func(shape []int, l Layout, groups int, epsilon float64) error {
		_, err := NewGroupNorm(shape, l, groups, epsilon)
		return err
	}
	_, instance := NewInstanceNorm([]int{4}, NCHW, 0)
	plan := newGroup(t, []int{2, 6, 5}, NCHW, 3, 1e-5)
	activated := newGroup(t, []int{2, 6, 5}, NCHW, 3, 1e-5)
	activated.Activation = 4
	for _, c := range []struct {
		err   error
		shape bool
		want  string
	}{
		{group([]int{2, 6}, NCHW, 4, 0), true, "norm: GroupNorm: groups is 4, want a divisor of the 6 channels of x [2 6]"},
		{group([]int{2, 6}, NCHW, 0, 0), true, "norm: GroupNorm: groups is 0, want a divisor of the 6 channels of x [2 6]"},
		{group([]int{2, 6}, NCHW, -3, 0), true, "norm: GroupNorm: groups is -3, want a divisor of the 6 channels of x [2 6]"},
		{group([]int{6}, NHWC, 3, 0), true, "norm: GroupNorm: x [6] has rank 1, want at least 2 (examples and channels)"},
		{group([]int{2, -6}, NHWC, 3, 0), true, "norm: GroupNorm: dimension 1 of x [2 -6] is negative"},
		{group([]int{2, 6}, 2, 3, 0), false, "norm: GroupNorm: layout is 2, want NCHW or NHWC (0 or 1)"},
		{group([]int{2, 6}, NHWC, 3, math.NaN()), false, "norm: GroupNorm: epsilon is NaN, want a finite number of at least 0"},
		{group([]int{1 << 40, 1 << 40}, NHWC, 1, 0), true, "norm: GroupNorm: x [1099511627776 1099511627776] has more elements than memory can hold"},
		{instance, true, "norm: InstanceNorm: x [4] has rank 1, want at least 2 (examples and channels)"},
		{plan.Forward(f(60), nil, nil, f(59), nil, nil), true, "norm: GroupNorm: x has 59 elements, want 60 (x [2 6 5])"},
		{plan.Forward(f(61), nil, nil, f(60), nil, nil), true, "norm: GroupNorm: y has 61 elements, want 60 (x [2 6 5])"},
		{plan.Forward(f(60), f(3), nil, f(60), nil, nil), true, "norm: GroupNorm: mean has 3 elements, want 6 (3 groups of 2 examples)"},
		{plan.Forward(f(60), nil, f(12), f(60), nil, nil), true, "norm: GroupNorm: rstd has 12 elements, want 6 (3 groups of 2 examples)"},
		{plan.Forward(f(60), nil, nil, f(60), f(3), nil), true, "norm: GroupNorm: gamma has 3 elements, want 6 (one for each channel)"},
		{plan.Forward(f(60), nil, nil, f(60), nil, f(7)), true, "norm: GroupNorm: beta has 7 elements, want 6 (one for each channel)"},
		{activated.Forward(f(60), nil, nil, f(60), nil, nil), false, "norm: GroupNorm: activation is 4, want Linear, ReLU, ReLU6 or SiLU (0 to 3)"},
		{plan.Backward(f(60), nil, nil, f(59), f(60), f(6), f(6), nil), true, "norm: GroupNorm: dy has 59 elements, want 60 (x [2 6 5])"},
		{plan.Backward(f(6), nil, nil, f(60), f(60), f(6), f(6), nil), true, "norm: GroupNorm: dx has 6 elements, want 60 (x [2 6 5])"},
		{plan.Backward(f(60), nil, nil, f(60), f(60), nil, f(6), nil), true, "norm: GroupNorm: mean has 0 elements, want 6 (3 groups of 2 examples)"},
		{plan.Backward(f(60), nil, nil, f(60), f(60), f(6), nil, nil), true, "norm: GroupNorm: rstd has 0 elements, want 6 (3 groups of 2 examples)"},
		{plan.Backward(f(60), f(5), nil, f(60), f(60), f(6), f(6), nil), true, "norm: GroupNorm: dgamma has 5 elements, want 6 (one for each channel)"},
		{plan.Backward(f(60), nil, f(5), f(60), f(60), f(6), f(6), nil), true, "norm: GroupNorm: dbeta has 5 elements, want 6 (one for each channel)"},
	} {
		assert.EqualError(t, c.err, c.want)
		var shape *ShapeError
		assert.Equal(t, c.shape, errors.As(c.err, &shape), c.want)
	}
}

func TestGroupNormAllocatesNothing(t *testing.T) {
	for _, c := range groupCases {
		plan := newGroup(t, c.shape, c.layout, c.groups, 1e-5)
		n := product64(c.shape)
		x, y, p, s := make([]float32, n), make([]float32, n), make([]float32, plan.Channels()), make([]float32, plan.Stats())
		if n > 0 {
			x[0] = 3e38 // a hard group as well
		}
		assert.Zero(t, testing.AllocsPerRun(2, func() {
			_ = plan.Forward(y, s, s, x, p, p)
			_ = plan.Backward(y, p, p, y, x, s, s, p)
		}), "%v", c.shape)
	}
}

// Activations come after the shift, in one pass and in place.
func TestGroupNormActivations(t *testing.T) {
	for _, c := range groupCases {
		plan := newGroup(t, c.shape, c.layout, c.groups, 1e-5)
		n := product64(c.shape)
		x, y, want := testkit.Normal(testkit.Rand(1), n, 0, 1), make([]float32, n), make([]float32, n)
		if n > 20 {
			x[11] = 3e38
		}
		beta := testkit.Normal(testkit.Rand(2), plan.Channels(), 1, 4)
		require.NoError(t, plan.Forward(want, nil, nil, x, nil, beta))
		for _, a := range []Activation{ReLU, ReLU6, SiLU} {
			plan.Activation = a
			require.NoError(t, plan.Forward(y, nil, nil, x, nil, beta))
			for i, v := range want {
				w := float64(v)
				switch a {
				case ReLU:
					w = max(w, 0)
				case ReLU6:
					w = min(max(w, 0), 6)
				case SiLU:
					w = w / (1 + math.Exp(-w))
				}
				assert.InDelta(t, w, y[i], 3e-7*math.Abs(w)+1e-30, "%v: activation %d of %v", c.shape, a, v)
			}
		}
	}
}

func FuzzGroupNormShape(f *testing.F) {
	f.Add([]byte{2, 6, 5}, uint8(3), uint64(1), uint8(0))
	f.Add([]byte{2, 5, 6}, uint8(2), uint64(2), uint8(1))
	f.Add([]byte{3, 4, 2, 2}, uint8(0), uint64(3), uint8(2))
	f.Add([]byte{1, 0, 3}, uint8(1), uint64(4), uint8(7))
	f.Add([]byte{4}, uint8(1), uint64(5), uint8(0))
	f.Fuzz(func(t *testing.T, dims []byte, groups uint8, seed uint64, variant uint8) {
		if len(dims) > 5 {
			t.Skip()
		}
		shape := make([]int, len(dims))
		size, layout := 1, Layout(variant%2)
		for i, d := range dims {
			shape[i] = int(int8(d)) % 16
			size *= shape[i]
		}
		bad := len(dims) < 2
		for _, d := range shape {
			bad = bad || d < 0
		}
		if size > 5000 {
			t.Skip()
		}
		k := int(groups) % 20
		bad = bad || k == 0 || shape[layout.axis(len(shape))]%k != 0
		plan, err := NewGroupNorm(shape, layout, k, 1e-5)
		require.Equal(t, bad, err != nil, "%v in %d groups: %v", shape, k, err)
		if bad {
			return
		}
		r := testkit.Rand(seed)
		x, y := testkit.Input("x", testkit.Normal(r, size, 1, 2), int(variant)%4), testkit.Output("y", size, 1)
		gamma, beta := testkit.Normal(r, plan.Channels(), 1, 1), testkit.Normal(r, plan.Channels(), 0, 1)
		require.NoError(t, plan.Forward(y.S, nil, nil, x.S, gamma, beta))
		want := groupsOf(shape, layout, k).Normalize(x.S, gamma, beta, 1e-5)
		for i, v := range y.S {
			require.InDelta(t, want.Y[i], v, 2e-6*max(1, math.Abs(want.Y[i]), math.Abs(want.Scaled[i])), "%v in %d groups at %d", shape, k, i)
		}
		x.Check(t, "%v", shape)
		y.Check(t, "%v", shape)
	})
}
