package norm

import (
	"fmt"
	"math"
	"strconv"
	"testing"

	"github.com/normwasm/normwasm/internal/testkit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A backwardCase is one normalization of rows of n elements that lie in some way, with
// its passes and with the groups that share statistics.
type backwardCase struct {
	name     string
	groups   testkit.Groups
	channels int
	centered bool
	scaled   bool    // has gamma
	factor   float64 // of the gradient: LpNorm's y is x̂/√n
	forward  func(t testing.TB, y, x, gamma []float32, epsilon float64) (backward func(dx, dgamma, dbeta, dy []float32) error)
}

// backwardCases are all normalizations with a backward pass of the formula, over three
// rows of n.
func backwardCases(n int) []backwardCase {
	const rows = 3
	var all []backwardCase
	for _, last := range []bool{true, false} {
		shape, axis, name := []int{rows, n}, 1, "rows"
		if !last {
			shape, axis, name = []int{n, rows}, 0, "columns"
		}
		groups := testkit.ByAxes(shape, []int{axis})
		all = append(all, backwardCase{"LayerNorm of " + name, groups, n, true, true, 1, func(t testing.TB, y, x, gamma []float32, epsilon float64) func(dx, dgamma, dbeta, dy []float32) error {
			plan, err := NewLayerNorm(shape, []int{axis}, epsilon)
			require.NoError(t, err)
			m, s := make([]float32, rows), make([]float32, rows)
			require.NoError(t, plan.Forward(y, m, s, x, nil, gamma, nil))
			return func(dx, dgamma, dbeta, dy []float32) error {
				return plan.Backward(dx, dgamma, dbeta, dy, x, m, s, gamma)
			}
		}}, backwardCase{"RMSNorm of " + name, groups, n, false, true, 1, func(t testing.TB, y, x, gamma []float32, epsilon float64) func(dx, dgamma, dbeta, dy []float32) error {
			plan, err := NewRMSNorm(shape, []int{axis}, epsilon)
			require.NoError(t, err)
			s := make([]float32, rows)
			require.NoError(t, plan.Forward(y, nil, s, x, nil, gamma))
			return func(dx, dgamma, _, dy []float32) error { return plan.Backward(dx, dgamma, dy, x, s, gamma) }
		}}, backwardCase{"LpNorm of " + name, groups, n, false, false, 1 / math.Sqrt(float64(n)), func(t testing.TB, y, x, _ []float32, _ float64) func(dx, dgamma, dbeta, dy []float32) error {
			plan, err := NewLpNorm(shape, axis, 2, 0)
			require.NoError(t, err)
			require.NoError(t, plan.Forward(y, x))
			return func(dx, _, _, dy []float32) error { return plan.Backward(dx, dy, x) }
		}})
	}
	for _, c := range layouts(n) {
		groups, channels := groupsOf(c.shape, c.layout, c.groups), c.shape[c.layout.axis(len(c.shape))]
		if c.batch {
			groups = testkit.ByChannel(c.shape, c.layout.axis(len(c.shape)))
		}
		all = append(all, backwardCase{c.name, groups, channels, true, true, 1, func(t testing.TB, y, x, gamma []float32, epsilon float64) func(dx, dgamma, dbeta, dy []float32) error {
			if c.batch {
				l, err := NewBatchNormLayer(channels, ONNX)
				require.NoError(t, err)
				l.Layout, l.Epsilon, l.Gamma, l.Beta = c.layout, epsilon, gamma, nil
				require.NoError(t, l.Forward(y, x, c.shape, true, false))
				return func(dx, dgamma, dbeta, dy []float32) error { return l.Backward(dx, dgamma, dbeta, dy, x) }
			}
			plan := newGroup(t, c.shape, c.layout, c.groups, epsilon)
			m, s := make([]float32, 3), make([]float32, 3)
			require.NoError(t, plan.Forward(y, m, s, x, gamma, nil))
			return func(dx, dgamma, dbeta, dy []float32) error {
				return plan.Backward(dx, dgamma, dbeta, dy, x, m, s, gamma)
			}
		}})
	}
	return all
}

// gradientErrors is the largest error in each group relative to the largest of the
// group. Groups whose truth is not in float32's range do not count, nor does what is
// below float64's roundings of the terms.
func gradientErrors(got []float32, want, terms []float64, groups testkit.Groups) (worst float64) {
	difference, size := make([]float64, groups.Count), make([]float64, groups.Count)
	for i, k := range groups.Group {
		d := math.Abs(float64(got[i]) - want[i])
		if d != d && want[i] == want[i] {
			return math.NaN()
		}
		difference[k], size[k] = max(difference[k], d), max(size[k], math.Abs(want[i]))
	}
	for k, d := range difference {
		if size[k] < math.MaxFloat32 && terms[k] > 0 {
			worst = max(worst, (d-1e-16*terms[k]-1e-44)/(size[k]+1e-44))
		}
	}
	return worst
}

// A dy that has little but multiples of 1 and x̂, as the gradients of Σy²/2 and Σy have,
// leaves a dx that is far smaller than its terms.
func TestGradientsThatCancel(t *testing.T) {
	rows := testkit.HardRows()
	for _, n := range []int{4, 60, 300} {
		rows = append(rows, testkit.WellConditioned(n)...)
	}
	worst := map[string]*testkit.Worst{}
	for i, row := range rows {
		n := len(row.X)
		if n == 1 || testing.Short() && n > 100 || spared(i) {
			continue
		}
		for j, c := range backwardCases(n) {
			r := testkit.Rand(uint64(100*i + j))
			x := spread(c.groups, [][]float32{testkit.Normal(r, n, 1, 1), row.X, testkit.Normal(r, n, -1, 2)})
			epsilon := []float64{1e-5, 0}[(i+j)%2]
			if !c.scaled {
				epsilon = 0 // LpNorm's is another
			}
			var gamma []float32
			if c.scaled && i%3 == 0 {
				gamma = testkit.Normal(r, c.channels, 1, 0.1)
			}
			y, dx := make([]float32, len(x)), make([]float32, len(x))
			backward := c.forward(t, y, x, gamma, epsilon)
			noise := testkit.Normal(r, len(x), 0, 1)
			for kind := range 9 {
				if n > 300 && kind > 1 && kind != 4 {
					continue // the oracle takes its time
				}
				dy := make([]float32, len(x))
				for k := range dy {
					switch {
					case kind == 0:
						dy[k] = y[k]
					case kind == 1:
						dy[k] = 1
					case kind == 2:
						dy[k] = y[k] - 3
					default:
						dy[k] = y[k] - 0.5 + noise[k]*float32(math.Pow(10, float64(3-kind)))
					}
				}
				want, terms, _, _ := c.groups.Differentiate(x, dy, gamma, c.channels, epsilon, c.centered)
				for k := range want {
					want[k] *= c.factor
				}
				require.NoError(t, backward(dx, nil, nil, dy))
				if worst[c.name] == nil {
					worst[c.name] = new(testkit.Worst)
				}
				worst[c.name].Add(gradientErrors(dx, want, terms, c.groups), "%s of %d, ε %v, dy %d", row.Name, n, epsilon, kind)
			}
		}
	}
	for name, w := range worst {
		t.Logf("%s: worst error of dx: %v", name, *w)
		assert.LessOrEqual(t, w.Figure, 1e-4, "%s: %s", name, w.Where)
	}
}

// The oracle of the formula is that of the central differences, where these have digits.
func TestGradientsOfSquaresAndSums(t *testing.T) {
	var worst testkit.Worst
	const n, epsilon = 24, 0.3
	for i, row := range testkit.WellConditioned(n) {
		if row.Name == "small" || row.Name == "one outlier" || row.Name == "large" {
			continue // steps in proportion to the deviation are others there
		}
		for _, c := range backwardCases(n) {
			if !c.scaled {
				continue // LpNorm has no ε
			}
			r := testkit.Rand(uint64(i))
			x := spread(c.groups, [][]float32{testkit.Normal(r, n, 1, 1), row.X, testkit.Normal(r, n, -1, 2)})
			for _, gamma := range [][]float32{nil, testkit.Normal(r, c.channels, 1, 0.5)} {
				y, dx, dgamma, dbeta := make([]float32, len(x)), make([]float32, len(x)), make([]float32, c.channels), make([]float32, c.channels)
				backward := c.forward(t, y, x, gamma, epsilon)
				for _, dy := range [][]float32{y, constant(len(x), 1)} {
					require.NoError(t, backward(dx, dgamma, dbeta, dy))
					wx, wg, wb := groupGradients(c.groups, x, dy, gamma, c.channels, epsilon, 1, c.centered)
					if difference(make([]float32, len(wx)), wx) < 1e-9 {
						clear(wx) // a sum does not move: differences are roundings
					}
					worst.Add(testkit.GradientError(dx, wx), "dx of %s, %s", c.name, row.Name)
					worst.Add(difference(dgamma, wg), "dgamma of %s, %s", c.name, row.Name)
					if c.centered {
						worst.Add(difference(dbeta, wb), "dbeta of %s, %s", c.name, row.Name)
					}
				}
			}
		}
	}
	t.Logf("worst error of a gradient: %v", worst)
	assert.LessOrEqual(t, worst.Figure, 1e-4, worst.Where)
}

// difference is GradientError, of sums that may be nothing but roundings.
func difference(got []float32, want []float64) (worst float64) {
	size := 1.0
	for _, w := range want {
		size = max(size, math.Abs(w))
	}
	for i, w := range want {
		worst = max(worst, math.Abs(float64(got[i])-w)/size)
	}
	return worst
}

func constant(n int, v float32) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = v
	}
	return s
}

// Terms of dx that overflow float32 where dx does not, and sums of dgamma and dbeta.
func TestGradientsBesideOverflow(t *testing.T) {
	spike := func(n int, v float32) []float32 {
		s := make([]float32, n)
		s[0] = v
		return s
	}
	far := make([]float32, 16)
	for i := range far {
		far[i] = 10000.5 - float32(i%2)
	}
	for i, row := range []struct{ x, dy []float32 }{
		{[]float32{1, 0, 0, 0}, spike(4, 1.6e38)},
		{far, spike(16, 1.85e38)},
		{[]float32{1, 2, 3, 4}, []float32{3e38, 3e38, -3e38, 3e38}},
	} {
		n := len(row.x)
		for _, c := range backwardCases(n) {
			for _, scale := range []float32{0, 1, 1e-3, 1e-38} {
				x := spread(c.groups, [][]float32{row.x, row.x, row.x})
				minus := make([]float32, n)
				for k, v := range row.dy {
					minus[k] = -v
				}
				dy := spread(c.groups, [][]float32{row.dy, minus, row.dy})
				var gamma []float32
				if scale != 0 && c.scaled {
					gamma = constant(c.channels, scale)
				}
				y, dx, dgamma, dbeta := make([]float32, 3*n), make([]float32, 3*n), make([]float32, c.channels), make([]float32, c.channels)
				require.NoError(t, c.forward(t, y, x, gamma, 1e-5)(dx, dgamma, dbeta, dy))
				wx, terms, wg, wb := c.groups.Differentiate(x, dy, gamma, c.channels, 1e-5*c.factor, c.centered)
				if !c.scaled {
					wx, terms, _, _ = c.groups.Differentiate(x, dy, nil, c.channels, 0, false)
				}
				name := c.name + ", row " + strconv.Itoa(i)
				for k := range wx {
					wx[k] *= c.factor
				}
				assert.LessOrEqual(t, gradientErrors(dx, wx, terms, c.groups), 1e-4, name)
				for k := range wx {
					if math.Abs(wx[k]) > 3.41e38 {
						assert.True(t, math.IsInf(float64(dx[k]), 0), name)
					} else {
						assert.False(t, math.IsInf(float64(dx[k]), 0), "%s: %v, want %v", name, dx[k], wx[k])
					}
				}
				if !c.scaled {
					continue
				}
				for k := range wg {
					sums(t, wg[k], dgamma[k], name+": dgamma")
					if c.centered {
						sums(t, wb[k], dbeta[k], name+": dbeta")
					}
				}
			}
		}
	}
	// BatchNorm with a large γ, and a large dy.
	l, err := NewBatchNormLayer(1, ONNX)
	require.NoError(t, err)
	l.Layout, l.Gamma[0] = NHWC, 1e38
	x, dy, dx := []float32{1, -2, 3, 0}, []float32{10, 9, 10.5, 9.75}, make([]float32, 4)
	require.NoError(t, l.Forward(dx, x, []int{4, 1}, true, false))
	require.NoError(t, l.Backward(dx, nil, nil, dy, x))
	want, terms, _, _ := testkit.ByChannel([]int{4, 1}, 1).Differentiate(x, dy, l.Gamma, 1, l.Epsilon, true)
	assert.LessOrEqual(t, gradientErrors(dx, want, terms, testkit.ByChannel([]int{4, 1}, 1)), 1e-4)
}

// sums compares what may overflow in truth.
func sums(t *testing.T, want float64, got float32, name string) {
	t.Helper()
	if math.Abs(want) > math.MaxFloat32 {
		assert.True(t, math.IsInf(float64(got), int(math.Copysign(1, want))), "%s is %v, want %v", name, got, want)
		return
	}
	assert.InDelta(t, want, got, 1e-6*max(math.Abs(want), 1e33), name)
}

// x̂ that float32 has no digits for: the variance is nothing beside ε.
func TestFaintGradients(t *testing.T) {
	const tiny = math.SmallestNonzeroFloat32
	for _, row := range [][]float32{
		{2 * tiny, 2 * tiny, 2 * tiny, 2 * tiny},
		{2 * tiny, 0, 0, 7 * tiny},
		{tiny, -tiny, tiny, -tiny},
		{0, 0, 0, 1e-42},
		{3e-41, -2e-40, 0, 0},
		{1e-38, 2e-38, -1e-38, 1e-44},
	} {
		for _, c := range backwardCases(4) {
			if !c.scaled {
				continue
			}
			for _, dyRow := range [][]float32{{1e8, 1e8, 1e8, 1e8}, {1e8, -2e8, 3e7, 1e6}} {
				x := spread(c.groups, [][]float32{{0, 0, 0, 0}, row, row})
				dy := spread(c.groups, [][]float32{dyRow, dyRow, dyRow})
				dx, dgamma, dbeta := make([]float32, 12), make([]float32, c.channels), make([]float32, c.channels)
				require.NoError(t, c.forward(t, dx, x, nil, 1e-5)(dx, dgamma, dbeta, dy))
				_, _, want, _ := c.groups.Differentiate(x, dy, nil, c.channels, 1e-5, c.centered)
				size := 0.0
				for _, w := range want {
					size = max(size, math.Abs(w))
				}
				for k, w := range want {
					assert.InDelta(t, w, dgamma[k], 1e-5*size+1e-45, "%s of %v", c.name, row)
				}
			}
		}
	}
	// With running statistics, which are not x's.
	l, err := NewBatchNormLayer(1, ONNX)
	require.NoError(t, err)
	x, dy, dgamma := []float32{3 * tiny, tiny, 5 * tiny}, []float32{1e8, 2e8, -1e7}, make([]float32, 1)
	l.RunningVar[0] = 3
	require.NoError(t, l.Forward(make([]float32, 3), x, []int{3, 1}, false, false))
	require.NoError(t, l.Backward(make([]float32, 3), dgamma, nil, dy, x))
	assert.InEpsilon(t, 1e7*(30+20-5)*tiny/math.Sqrt(3+1e-5), dgamma[0], 1e-6)
}

// What IEEE 754 makes of the formula, an infinite dy or γ in it.
func TestInfiniteGradients(t *testing.T) {
	inf := float32(math.Inf(1))
	formula := func(x, g []float32, centered bool) []float64 {
		groups := testkit.ByAxes([]int{1, len(x)}, []int{1})
		exact := groups.RMSNorm(x, nil, 1e-5)
		if centered {
			exact = groups.Normalize(x, nil, nil, 1e-5)
		}
		var m1, m2 float64
		for i, d := range g {
			if centered {
				m1 += float64(d) / float64(len(x))
			}
			m2 += float64(d) * exact.XHat[i] / float64(len(x))
		}
		want := make([]float64, len(x))
		for i, d := range g {
			want[i] = (float64(d) - m1 - exact.XHat[i]*m2) * exact.Rstd[0]
		}
		return want
	}
	x := []float32{-1, 0, 0.5, 2}
	for _, dyRow := range [][]float32{{0, 0, 0, inf}, {0, -inf, 0, 1}, {inf, 0, 0, inf}, {inf, 0, 0, -inf}, {1, float32(math.NaN()), 0, 0}} {
		for _, c := range backwardCases(4) {
			if !c.scaled {
				continue
			}
			all := spread(c.groups, [][]float32{x, x, x})
			dy := spread(c.groups, [][]float32{{1, 2, 0, 3}, dyRow, {1, 0, 0, 1}})
			dx := make([]float32, 12)
			require.NoError(t, c.forward(t, dx, all, nil, 1e-5)(dx, nil, nil, dy))
			want := spread(c.groups, [][]float64{formula(x, []float32{1, 2, 0, 3}, c.centered), formula(x, dyRow, c.centered), formula(x, []float32{1, 0, 0, 1}, c.centered)})
			for i, w := range want {
				assert.True(t, testkit.Same(dx[i], w, 1e-5), "%s of %v at %d: %v, want %v", c.name, dyRow, i, dx[i], w)
			}
		}
	}
	// γ is inside of the sums over a group.
	for _, scale := range []float32{inf, -inf} {
		for _, dyRow := range [][]float32{{1, -3, 1, 1}, {1, 2, 3, 4}, {0, 1, 1, 1}} {
			g := make([]float32, 4)
			for i, d := range dyRow {
				g[i] = d * scale
			}
			for _, c := range layouts(4) {
				groups, channels := groupsOf(c.shape, c.layout, c.groups), c.shape[c.layout.axis(len(c.shape))]
				if c.batch {
					groups = testkit.ByChannel(c.shape, c.layout.axis(len(c.shape)))
				}
				for _, b := range backwardCases(4) {
					if b.name != c.name {
						continue
					}
					gamma := constant(channels, 1)
					for i, k := range groups.Group {
						if k == 1 {
							gamma[groups.Channel[i]] = scale
						}
					}
					dx, dy := make([]float32, 12), spread(groups, [][]float32{dyRow, dyRow, dyRow})
					require.NoError(t, b.forward(t, dx, spread(groups, [][]float32{x, x, x}), gamma, 1e-5)(dx, nil, nil, dy))
					want := spread(groups, [][]float64{formula(x, dyRow, true), formula(x, g, true), formula(x, dyRow, true)})
					for i, w := range want {
						assert.True(t, testkit.Same(dx[i], w, 1e-5), "%s, γ %v at %d: %v, want %v", c.name, scale, i, dx[i], w)
					}
				}
			}
		}
	}
}

func TestAllEqual(t *testing.T) {
	for _, n := range testkit.Sizes() {
		for _, v := range []float32{0, 1, -3, 1e-45, 0.1, 1e7, 3e38} {
			x := make([]float32, n)
			for i := range x {
				x[i] = v
			}
			assert.True(t, allEqual(x), "%d × %v", n, v)
			for _, at := range []int{0, n / 3, n - 1} {
				if n > 1 {
					x[at] = math.Nextafter32(v, 0.5)
					assert.False(t, allEqual(x), "%d × %v but at %d", n, v, at)
					x[at] = v
				}
			}
		}
	}
	assert.False(t, allEqual([]float32{1, float32(math.NaN()), 1}))
	assert.False(t, allEqual([]float32{float32(math.Inf(1)), float32(math.Inf(1))}))
}

// Groups that cancel, that do not, of one dy and with statistics that float32 does not
// carry, side by side in one tensor, and in place.
func TestGradientsOfSeveralKinds(t *testing.T) {
	const n = 48
	seeds := []int{0, 1, 2, 3, 4}
	if testing.Short() {
		seeds = []int{0, 4} // all kinds among each other, and two groups among others of one kind
	}
	for _, seed := range seeds {
		r := testkit.Rand(uint64(seed))
		for i, c := range manyGroups(n, 600) {
			if spared(i) {
				continue
			}
			x, dy := make([]float32, len(c.groups.Group)), make([]float32, len(c.groups.Group))
			noise := testkit.Normal(r, len(x), 0, 1)
			kinds := make([]int, c.groups.Count)
			for k := range kinds {
				kinds[k] = []int{k % 5, r.IntN(5), 0, 1, min(1, k%299)}[seed] // all of a kind, and then but for two
			}
			for i, k := range c.groups.Group {
				x[i] = 3*noise[i] + 1
				if kinds[k] == 4 {
					x[i] *= 1e30
				}
			}
			y, scratch := make([]float32, len(x)), make([]float32, len(x))
			backward := c.forward(t, y, x, nil, 1e-5)
			for i, k := range c.groups.Group {
				dy[i] = []float32{y[i], noise[len(x)-1-i], 2, y[i] + 1e-3*noise[i], y[i]}[kinds[k]]
			}
			want, terms, _, _ := c.groups.Differentiate(x, dy, nil, c.channels, 1e-5, c.centered)
			for _, inPlace := range []bool{false, true} {
				out, in := scratch, dy
				if inPlace {
					out = append([]float32(nil), dy...)
					in = out
				}
				require.NoError(t, backward(out, nil, nil, in))
				assert.LessOrEqual(t, gradientErrors(out, want, terms, c.groups), 1e-4, "%s, kinds %d, in place %v", c.name, seed, inPlace)
			}
		}
	}
}

// manyGroups are normalizations of some groups of n elements, in every way that these lie.
func manyGroups(n, count int) []backwardCase {
	var all []backwardCase
	for _, rms := range []bool{false, true} {
		for axis, shape := range [][]int{{n, count}, {count, n}} {
			c := backwardCase{name: fmt.Sprint("rows of ", shape, " along ", axis, ", RMS ", rms), groups: testkit.ByAxes(shape, []int{axis}), channels: n, centered: !rms}
			c.forward = func(t testing.TB, y, x, _ []float32, epsilon float64) func(dx, dgamma, dbeta, dy []float32) error {
				m, s := make([]float32, count), make([]float32, count)
				if rms {
					plan, err := NewRMSNorm(shape, []int{axis}, epsilon)
					require.NoError(t, err)
					require.NoError(t, plan.Forward(y, nil, s, x, nil, nil))
					return func(dx, dgamma, _, dy []float32) error { return plan.Backward(dx, dgamma, dy, x, s, nil) }
				}
				plan, err := NewLayerNorm(shape, []int{axis}, epsilon)
				require.NoError(t, err)
				require.NoError(t, plan.Forward(y, m, s, x, nil, nil, nil))
				return func(dx, dgamma, dbeta, dy []float32) error {
					return plan.Backward(dx, dgamma, dbeta, dy, x, m, s, nil)
				}
			}
			all = append(all, c)
		}
	}
	for _, layout := range []Layout{NCHW, NHWC} {
		for _, inner := range []int{n / 2, 4, 1} {
			shape := []int{n / inner, count, inner}
			if layout == NHWC {
				shape = []int{n / inner, inner, count}
			}
			all = append(all, backwardCase{fmt.Sprint("BatchNorm of ", shape), testkit.ByChannel(shape, layout.axis(3)), count, true, true, 1, func(t testing.TB, y, x, _ []float32, epsilon float64) func(dx, dgamma, dbeta, dy []float32) error {
				l, err := NewBatchNormLayer(count, ONNX)
				require.NoError(t, err)
				l.Layout, l.Epsilon, l.Gamma, l.Beta = layout, epsilon, nil, nil
				require.NoError(t, l.Forward(y, x, shape, true, false))
				return func(dx, dgamma, dbeta, dy []float32) error { return l.Backward(dx, dgamma, dbeta, dy, x) }
			}})
		}
		groups, share := count/2, 3
		shape := []int{2, groups * share, n / share}
		if layout == NHWC {
			shape = []int{2, n / share, groups * share}
		}
		all = append(all, backwardCase{fmt.Sprint("GroupNorm of ", shape), groupsOf(shape, layout, groups), groups * share, true, true, 1, func(t testing.TB, y, x, _ []float32, epsilon float64) func(dx, dgamma, dbeta, dy []float32) error {
			plan := newGroup(t, shape, layout, groups, epsilon)
			m, s := make([]float32, 2*groups), make([]float32, 2*groups)
			require.NoError(t, plan.Forward(y, m, s, x, nil, nil))
			return func(dx, dgamma, dbeta, dy []float32) error {
				return plan.Backward(dx, dgamma, dbeta, dy, x, m, s, nil)
			}
		}})
	}
	return all
}
