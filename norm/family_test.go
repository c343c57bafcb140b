package norm

import (
	"errors"
	"math"
	"testing"

	"github.com/normwasm/normwasm/internal/testkit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// response is the formula in float64.
func response(x []float64, shape []int, size int, alpha, beta, bias float64) []float64 {
	y, channels := make([]float64, len(x)), shape[1]
	inner := product64(shape[2:])
	for i, e := range x {
		c, sum := i/inner%channels, 0.0
		for k := c - (size-1)/2; k <= c+size/2; k++ {
			if k >= 0 && k < channels {
				v := x[i+(k-c)*inner]
				sum += v * v
			}
		}
		y[i] = e / math.Pow(bias+alpha/float64(size)*sum, beta)
	}
	return y
}

var responseCases = []struct {
	shape             []int
	size              int
	alpha, beta, bias float64
}{
	{[]int{2, 5, 3, 3}, 5, 1e-4, 0.75, 1},
	{[]int{2, 5, 3, 3}, 3, 2, 0.75, 1},
	{[]int{1, 7, 10}, 4, 1, 0.5, 2},
	{[]int{1, 7, 10}, 1, 1, 1, 0.1},
	{[]int{3, 4}, 9, 1, 0.3, 1},
	{[]int{2, 96, 30}, 5, 1, 0.75, 1}, // several blocks
	{[]int{1, 3000, 2}, 5, 1, 0.75, 1},
	{[]int{2, 3, 4}, 1000, 1, 2, 1},
	{[]int{0, 3, 4}, 3, 1, 0.75, 1},
	{[]int{2, 0, 4}, 3, 1, 0.75, 1},
}

func TestLocalResponseNorm(t *testing.T) {
	var ulp, gradient testkit.Worst
	for i, c := range responseCases {
		size := product64(c.shape)
		r := testkit.Rand(uint64(i))
		data, dy := testkit.Normal(r, size, 1, 2), testkit.Normal(r, size, 0, 1)
		plan, err := NewLocalResponseNorm(c.shape, c.size, c.alpha, c.beta, c.bias)
		require.NoError(t, err)
		x, y, inPlace := testkit.Input("x", data, 1), testkit.Output("y", size, 2), testkit.InOut("x and y", data, 3)
		require.NoError(t, plan.Forward(y.S, x.S))
		require.NoError(t, plan.Forward(inPlace.S, inPlace.S))
		testkit.SameBits(t, y.S, inPlace.S, "%v in place", c.shape)
		wide := testkit.Widen(data, size, 0)
		for k, w := range response(wide, c.shape, c.size, c.alpha, c.beta, c.bias) {
			ulp.Add(math.Abs(float64(y.S[k])-w)/testkit.ULP(w), "%v at %d", c.shape, k)
		}
		dx, both := testkit.Output("dx", size, 1), testkit.InOut("dy and dx", dy, 2)
		require.NoError(t, plan.Backward(dx.S, dy, x.S))
		require.NoError(t, plan.Backward(both.S, both.S, x.S))
		testkit.SameBits(t, dx.S, both.S, "%v: dx in place", c.shape)
		for _, o := range []*testkit.Operand{x, y, inPlace, dx, both} {
			o.Check(t, "%v", c.shape)
		}
		if size < 200 {
			f := func() float64 { return testkit.Dot(dy, response(wide, c.shape, c.size, c.alpha, c.beta, c.bias)) }
			gradient.Add(testkit.GradientError(dx.S, testkit.Gradient(f, wide, 1)), "dx of %v", c.shape)
		}
		if c.beta == 0.75 {
			assert.Zero(t, testing.AllocsPerRun(2, func() {
				_ = plan.Forward(y.S, x.S)
				_ = plan.Backward(dx.S, dy, x.S)
			}))
		}
	}
	t.Logf("worst error of y: %v ULP; of a gradient: %v", ulp, gradient)
	assert.LessOrEqual(t, ulp.Figure, 0.51, ulp.Where)
	assert.LessOrEqual(t, gradient.Figure, 1e-4, gradient.Where)
}

func TestLocalResponseNormOnHardRows(t *testing.T) {
	var worst testkit.Worst
	for _, row := range testkit.HardRows() {
		n := len(row.X)
		plan, err := NewLocalResponseNorm([]int{1, n}, 5, 1e-4, 0.75, 1)
		require.NoError(t, err)
		y := make([]float32, n)
		require.NoError(t, plan.Forward(y, row.X))
		for k, w := range response(testkit.Widen(row.X, n, 0), []int{1, n}, 5, 1e-4, 0.75, 1) {
			worst.Add(math.Abs(float64(y[k])-w)/testkit.ULP(w), "%s at %d: %v, want %v", row.Name, k, y[k], w)
		}
	}
	assert.LessOrEqual(t, worst.Figure, 0.51, worst.Where)
	// NaN spoils what has it in its window, and nothing else.
	plan, err := NewLocalResponseNorm([]int{1, 8, 2}, 3, 1, 0.75, 1)
	require.NoError(t, err)
	x := make([]float32, 16)
	x[6] = float32(math.NaN()) // channel 3, pixel 0
	require.NoError(t, plan.Forward(x, x))
	for i, v := range x {
		assert.Equal(t, i%2 == 0 && i/2 >= 2 && i/2 <= 4, v != v, "at %d", i)
	}
}

// length is the formula's denominator in float64.
func lpForward(x []float64, groups testkit.Groups, p int, epsilon float64) []float64 {
	sums := make([]float64, groups.Count)
	for i, e := range x {
		if p == 1 {
			sums[groups.Group[i]] += math.Abs(e)
		} else {
			sums[groups.Group[i]] += e * e
		}
	}
	y := make([]float64, len(x))
	for i, e := range x {
		n := sums[groups.Group[i]]
		if p == 2 {
			n = math.Sqrt(n)
		}
		if n = max(n, epsilon); n > 0 {
			y[i] = e / n
		}
	}
	return y
}

func TestLpNorm(t *testing.T) {
	var ulp, gradient testkit.Worst
	for i, c := range []struct {
		shape []int
		axis  int
	}{{[]int{5}, 0}, {[]int{1}, 0}, {[]int{3, 4}, -1}, {[]int{3, 4}, 0}, {[]int{2, 5, 7}, 1}, {[]int{2, 5, 7}, 2}, {[]int{40, 64}, 1},
		{[]int{3, 300, 2}, 1}, {[]int{9, 1000}, -1}, {[]int{0, 3}, 1}, {[]int{3, 0}, 1}, {[]int{4, 1}, 1}} {
		size, axis := product64(c.shape), (c.axis+len(c.shape))%len(c.shape)
		groups := testkit.ByAxes(c.shape, []int{axis})
		for p := 1; p <= 2; p++ {
			for _, epsilon := range []float64{0, 1e-12, 3} {
				r := testkit.Rand(uint64(i))
				data, dy := testkit.Normal(r, size, 0.5, 2), testkit.Normal(r, size, 0, 1)
				for k := range data {
					if groups.Group[k] == 1 {
						data[k] = 0 // has no direction
					}
					if groups.Group[k] == 2 && i%2 == 0 {
						data[k] *= 1e30 // is taken in float64
					}
				}
				plan, err := NewLpNorm(c.shape, c.axis, p, epsilon)
				require.NoError(t, err)
				x, y, inPlace := testkit.Input("x", data, 1), testkit.Output("y", size, 2), testkit.InOut("x and y", data, 3)
				require.NoError(t, plan.Forward(y.S, x.S))
				require.NoError(t, plan.Forward(inPlace.S, inPlace.S))
				testkit.SameBits(t, y.S, inPlace.S, "%v in place", c.shape)
				wide := testkit.Widen(data, size, 0)
				for k, w := range lpForward(wide, groups, p, epsilon) {
					ulp.Add(math.Abs(float64(y.S[k])-w)/testkit.ULP(w), "%v at %d: %v, want %v", c.shape, k, y.S[k], w)
				}
				dx, both := testkit.Output("dx", size, 1), testkit.InOut("dy and dx", dy, 2)
				require.NoError(t, plan.Backward(dx.S, dy, x.S))
				require.NoError(t, plan.Backward(both.S, both.S, x.S))
				testkit.SameBits(t, dx.S, both.S, "%v: dx in place", c.shape)
				for _, o := range []*testkit.Operand{x, y, inPlace, dx, both} {
					o.Check(t, "%v", c.shape)
				}
				for g := range groups.Count { // a group at a time: their sizes differ
					if size > 1000 || c.shape[axis] == 1 {
						break
					}
					var got []float32
					var want []float64
					deviation := 1.0
					if g == 2 && i%2 == 0 {
						deviation = 1e30
					}
					if g == 1 {
						continue
					}
					f := func() float64 { return testkit.Dot(dy, lpForward(wide, groups, p, epsilon)) }
					for k := range wide {
						if groups.Group[k] == g {
							want = append(want, testkit.Gradient(f, wide[k:k+1], deviation)...)
							got = append(got, dx.S[k])
						}
					}
					gradient.Add(testkit.GradientError(got, want), "dx of %v along %d, p %d, ε %v, group %d", c.shape, c.axis, p, epsilon, g)
				}
				for k, v := range dx.S {
					if groups.Group[k] == 1 || groups.Count == 2 && c.shape[axis] == 1 {
						want := 0.0
						if epsilon > 0 {
							want = float64(dy[k]) / epsilon
						}
						assert.InDelta(t, want, v, 1e-6*math.Abs(want))
					} else if c.shape[axis] == 1 && epsilon < 1 {
						assert.Zero(t, v) // a single element is ±1, whatever it is
					}
				}
				assert.Zero(t, testing.AllocsPerRun(1, func() {
					_ = plan.Forward(y.S, x.S)
					_ = plan.Backward(dx.S, dy, x.S)
				}))
			}
		}
	}
	t.Logf("worst error of y: %v ULP; of a gradient: %v", ulp, gradient)
	assert.LessOrEqual(t, ulp.Figure, 4.0, ulp.Where)
	assert.LessOrEqual(t, gradient.Figure, 1e-4, gradient.Where)
}

func TestLpNormOnHardRows(t *testing.T) {
	var worst testkit.Worst
	for _, row := range testkit.HardRows() {
		n := len(row.X)
		groups := testkit.ByAxes([]int{n}, []int{0})
		for p := 1; p <= 2; p++ {
			plan, err := NewLpNorm([]int{n}, 0, p, 0)
			require.NoError(t, err)
			y := make([]float32, n)
			require.NoError(t, plan.Forward(y, row.X))
			for k, w := range lpForward(testkit.Widen(row.X, n, 0), groups, p, 0) {
				worst.Add(math.Abs(float64(y[k])-w)/testkit.ULP(w), "%s at %d, p %d: %v, want %v", row.Name, k, p, y[k], w)
			}
		}
	}
	t.Logf("worst error: %v ULP", worst)
	assert.LessOrEqual(t, worst.Figure, 4.0, worst.Where)
}

// Folded weights give what the layer and its BatchNorm gave.
func TestFoldBatchNorm(t *testing.T) {
	const outer, channels, inner = 3, 4, 5
	r := testkit.Rand(1)
	mean, variance, gamma, beta := batchParameters(3, channels)
	w, b := testkit.Normal(r, outer*channels*inner, 0, 1), testkit.Normal(r, channels, 0, 1)
	for variant := range 8 {
		b, gamma, beta := b, gamma, beta
		if variant&1 != 0 {
			b = nil
		}
		if variant&2 != 0 {
			gamma = nil
		}
		if variant&4 != 0 {
			beta = nil
		}
		weight, bias := make([]float32, len(w)), make([]float32, channels)
		require.NoError(t, FoldBatchNorm(weight, bias, w, b, mean, variance, gamma, beta, outer, channels, inner, 1e-5))
		x := testkit.Normal(r, outer*inner, 0, 1)
		dot := func(w []float32, c int, bias float32) float64 {
			sum := float64(bias)
			for o := range outer {
				for i := range inner {
					sum += float64(w[(o*channels+c)*inner+i]) * float64(x[o*inner+i])
				}
			}
			return sum
		}
		for c := range channels {
			want := (dot(w, c, at(b, c, 0)) - float64(mean[c])) / math.Sqrt(float64(variance[c])+1e-5)
			want = want*float64(at(gamma, c, 1)) + float64(at(beta, c, 0))
			assert.InDelta(t, want, dot(weight, c, bias[c]), 1e-5*max(1, math.Abs(want)))
		}
		own, ownBias := append([]float32(nil), w...), make([]float32, channels)
		copy(ownBias, b)
		if b != nil {
			require.NoError(t, FoldBatchNorm(own, ownBias, own, ownBias, mean, variance, gamma, beta, outer, channels, inner, 1e-5))
			testkit.SameBits(t, weight, own, "weight in place")
			testkit.SameBits(t, bias, ownBias, "bias in place")
		}
	}
}

func TestWeightNorm(t *testing.T) {
	const rows, cols = 4, 7
	r := testkit.Rand(2)
	v, g, dw := testkit.Normal(r, rows*cols, 0, 2), testkit.Normal(r, rows, 1, 1), testkit.Normal(r, rows*cols, 0, 1)
	clear(v[2*cols : 3*cols])
	for i := range cols {
		v[3*cols+i] *= 1e37
	}
	w, length := make([]float32, rows*cols), make([]float32, rows)
	require.NoError(t, WeightNorm(w, length, v, g, rows, cols))
	wv, wg := testkit.Widen(v, len(v), 0), testkit.Widen(g, rows, 0)
	forward := func() []float64 {
		y := make([]float64, len(wv))
		for r := range rows {
			n := 0.0
			for _, e := range wv[r*cols : (r+1)*cols] {
				n = math.Hypot(n, e)
			}
			for i := r * cols; i < (r+1)*cols && n > 0; i++ {
				y[i] = wg[r] * wv[i] / n
			}
		}
		return y
	}
	for i, want := range forward() {
		assert.InDelta(t, want, w[i], testkit.ULP(want))
	}
	for row := range rows {
		want := math.Abs(float64(g[row]))
		if row == 2 {
			want = 0
		}
		assert.InDelta(t, want, norm2(w[row*cols:(row+1)*cols]), 1e-6)
	}
	assert.Zero(t, length[2])
	dv, dg := make([]float32, len(v)), make([]float32, rows)
	require.NoError(t, WeightNormBackward(dv, dg, dw, v, g, rows, cols))
	f := func() float64 { return testkit.Dot(dw, forward()) }
	wantG := testkit.Gradient(f, wg, 1)
	for row := range rows {
		from, to := row*cols, (row+1)*cols
		assert.InDelta(t, wantG[row], dg[row], 1e-6)
		if row == 2 {
			assert.Equal(t, make([]float32, cols), dv[from:to])
			continue
		}
		assert.Less(t, testkit.GradientError(dv[from:to], testkit.Gradient(f, wv[from:to], float64(length[row]))), 1e-4)
	}
}

// A matrix with known singular values: a rotation times a diagonal times a rotation.
func TestSpectralNorm(t *testing.T) {
	turn := func(angle float64) [2][2]float64 {
		s, c := math.Sincos(angle)
		return [2][2]float64{{c, -s}, {s, c}}
	}
	a, b := turn(0.7), turn(-1.9)
	w := make([]float32, 4)
	for i := range 2 {
		for j := range 2 {
			w[2*i+j] = float32(a[i][0]*5*b[0][j] + a[i][1]*2*b[1][j])
		}
	}
	s, err := NewSpectralNorm(2, 2)
	require.NoError(t, err)
	y := make([]float32, 4)
	sigma, err := s.Forward(y, w, 30)
	require.NoError(t, err)
	assert.InDelta(t, 5, sigma, 1e-6)
	for i := range y {
		assert.InDelta(t, w[i]/5, y[i], 1e-6)
	}
	again, err := s.Forward(y, y, 1)
	require.NoError(t, err)
	assert.InDelta(t, 1, again, 1e-6, "what has been normalized has the norm 1")

	// A larger one: no unit vector is stretched by more than σ, and σ is reached.
	r := testkit.Rand(3)
	big := testkit.Normal(r, 20*30, 0, 1)
	s, err = NewSpectralNorm(20, 30)
	require.NoError(t, err)
	steps, err := s.Converge(big, 1e-12, 10000)
	require.NoError(t, err)
	assert.Less(t, steps, 10000)
	out := make([]float32, len(big))
	sigma, err = s.Forward(out, big, 0)
	require.NoError(t, err)
	for range 200 {
		v := testkit.Normal(r, 30, 0, 1)
		n, stretched := norm2(v), 0.0
		for row := range 20 {
			d := 0.0
			for i, e := range v {
				d += float64(e) * float64(big[row*30+i])
			}
			stretched = math.Hypot(stretched, d)
		}
		assert.LessOrEqual(t, stretched/n, sigma*(1+1e-9))
	}

	// The gradient, U and V being constants.
	dy, dw := testkit.Normal(r, len(big), 0, 1), make([]float32, len(big))
	require.NoError(t, s.Backward(dw, dy, big))
	wide := testkit.Widen(big, len(big), 0)
	f := func() float64 {
		sigma, sum := 0.0, 0.0
		for k, e := range wide {
			sigma += s.U[k/30] * e * s.V[k%30]
			sum += float64(dy[k]) * e
		}
		return sum / sigma
	}
	assert.Less(t, testkit.GradientError(dw, testkit.Gradient(f, wide, 1)), 1e-4)

	zero := make([]float32, 600)
	sigma, err = s.Forward(out, zero, 3)
	require.NoError(t, err)
	assert.Zero(t, sigma)
	assert.Equal(t, zero, out)
	sigma, err = s.Forward(out, big, 500)
	require.NoError(t, err)
	assert.Greater(t, sigma, 5.0, "it finds out of zeros again")
}

func TestAdaptiveLayerNorm(t *testing.T) {
	const examples, tokens, features = 3, 4, 50
	r := testkit.Rand(1)
	size := examples * tokens * features
	x, dy := testkit.Normal(r, size, 2, 3), testkit.Normal(r, size, 0, 1)
	scale, shift := testkit.Normal(r, examples*features, 0, 0.3), testkit.Normal(r, examples*features, 0, 1)
	plan, err := NewAdaptiveLayerNorm(examples, tokens, features, 1e-6)
	require.NoError(t, err)
	y, mean, rstd := testkit.Output("y", size, 1), make([]float32, examples*tokens), make([]float32, examples*tokens)
	require.NoError(t, plan.Forward(y.S, mean, rstd, x, scale, shift))
	y.Check(t, "y")
	gamma := testkit.Widen(scale, len(scale), 0)
	for i := range gamma {
		gamma[i]++
	}
	shape := []int{examples, tokens, features}
	groups := testkit.GroupsOf(shape, examples*tokens, func(i []int) int { return i[0]*tokens + i[1] }, func(i []int) int { return i[0]*features + i[2] })
	wide, beta := testkit.Widen(x, size, 0), testkit.Widen(shift, len(shift), 0)
	for i, w := range groups.Forward(wide, gamma, beta, 1e-6, true) {
		assert.InDelta(t, w, y.S[i], 1e-6*max(1, math.Abs(w)))
	}
	dx, dscale, dshift := make([]float32, size), make([]float32, len(scale)), make([]float32, len(shift))
	require.NoError(t, plan.Backward(dx, dscale, dshift, dy, x, mean, rstd, scale))
	f := func() float64 { return testkit.Dot(dy, groups.Forward(wide, gamma, beta, 1e-6, true)) }
	assert.Less(t, testkit.GradientError(dx, testkit.Gradient(f, wide, 3)), 1e-4)
	assert.Less(t, testkit.GradientError(dscale, testkit.Gradient(f, gamma, 1)), 1e-4)
	assert.Less(t, testkit.GradientError(dshift, testkit.Gradient(f, beta, 1)), 1e-4)
	plain := make([]float32, size)
	require.NoError(t, plan.Forward(plain, nil, nil, x, nil, nil))
	want := make([]float32, size)
	require.NoError(t, LayerNormRows(want, nil, nil, x, nil, nil, nil, examples*tokens, features, 1e-6))
	testkit.SameBits(t, want, plain, "without scale and shift")
	assert.Zero(t, testing.AllocsPerRun(2, func() {
		_ = plan.Forward(y.S, mean, rstd, x, scale, shift)
		_ = plan.Backward(dx, dscale, dshift, dy, x, mean, rstd, scale)
	}))
}

func TestMeanVarianceNorm(t *testing.T) {
	shape := []int{2, 3, 4, 5}
	r := testkit.Rand(1)
	for _, form := range [][2]float64{{0, 1e-9}, {1e-5, 0}, {0.5, 0.25}, {0, 0}} {
		for scale := 1e6; scale > 1e-42; scale /= 30 { // through deviations like 1e-9, into the denormals
			for _, axes := range [][]int{{0, 2, 3}, {-1}, {1, 2, 3}} {
				x := testkit.Normal(r, 120, 0, 1)
				for i := range x {
					x[i] = float32((float64(x[i]) + 5) * scale)
				}
				copy(x[100:], []float32{x[100], x[100], x[100], x[100], x[100]}) // equal values
				groups := map[int][]int{}
				for i := range x {
					key := i / 5 // by the axes that are kept
					switch len(axes) {
					case 3:
						key = i / 20 % 3
						if axes[0] == 1 {
							key = i / 60
						}
					}
					groups[key] = append(groups[key], i)
				}
				want := make([]float64, 120)
				for _, g := range groups {
					var mu, v float64
					for _, i := range g {
						mu += float64(x[i]) / float64(len(g))
					}
					for _, i := range g {
						v += (float64(x[i]) - mu) * (float64(x[i]) - mu) / float64(len(g))
					}
					for _, i := range g {
						if d := float64(x[i]) - mu; math.Abs(d) > 1e-14*math.Abs(mu) {
							want[i] = d / (math.Sqrt(v+form[0]) + form[1])
						}
					}
				}
				plan, err := NewMeanVarianceNorm(shape, axes, form[0], form[1])
				require.NoError(t, err)
				y := make([]float32, 120)
				require.NoError(t, plan.Forward(y, x))
				for i, w := range want {
					assert.InDelta(t, w, y[i], 4e-7*max(math.Abs(w), 1e-3), "%v, axes %v, scale %v: element %d", form, axes, scale, i)
				}
				require.NoError(t, plan.Forward(x, x))
				testkit.SameBits(t, y, x, "in place")
				assert.Zero(t, testing.AllocsPerRun(5, func() { _ = plan.Forward(y, x) }))
			}
		}
	}
	// Huge values, and what is not finite stays with its own.
	plan, err := NewMeanVarianceNorm([]int{4, 2}, []int{1}, 0, 1e-9)
	require.NoError(t, err)
	y, inf := make([]float32, 8), float32(math.Inf(1))
	require.NoError(t, plan.Forward(y, []float32{3e38, -3e38, 1, 3, inf, 1, 7, 7}))
	assert.Equal(t, []float32{1, -1, -1, 1}, y[:4])
	assert.True(t, y[4] != y[4] && y[5] != y[5])
	assert.Equal(t, []float32{0, 0}, y[6:])

	_, err = NewMeanVarianceNorm(shape, []int{4}, 0, 0)
	assert.EqualError(t, err, "norm: MeanVarianceNorm: axis 4 is out of range for x [2 3 4 5], want -4 to 3")
	_, err = NewMeanVarianceNorm(shape, []int{1}, 0, -1)
	assert.EqualError(t, err, "norm: MeanVarianceNorm: deviation is -1, want a finite number of at least 0")
}

func TestFamilyErrors(t *testing.T) {
	f := func(n int) []float32 { return make([]float32, n) }
	one := []float32{1, 1}
	_, rank := NewLocalResponseNorm([]int{3}, 5, 1, 1, 1)
	_, window := NewLocalResponseNorm([]int{3, 3}, 0, 1, 1, 1)
	_, alpha := NewLocalResponseNorm([]int{3, 3}, 5, math.NaN(), 1, 1)
	_, bias := NewLocalResponseNorm([]int{3, 3}, 5, 1, 1, math.Inf(1))
	lrn, err := NewLocalResponseNorm([]int{3, 2}, 5, 1, 1, 1)
	require.NoError(t, err)
	_, p := NewLpNorm([]int{3}, 0, 3, 0)
	_, axis := NewLpNorm([]int{3}, 1, 2, 0)
	_, epsilon := NewLpNorm([]int{3}, 0, 2, -1)
	lp, err := NewLpNorm([]int{3}, 0, 2, 0)
	require.NoError(t, err)
	_, spectral := NewSpectralNorm(0, 3)
	s, err := NewSpectralNorm(2, 3)
	require.NoError(t, err)
	_, length := s.Forward(f(6), f(5), 1)
	_, output := s.Forward(f(5), f(6), 1)
	_, steps := s.Forward(f(6), f(6), -1)
	_, converge := s.Converge(f(5), 1, 1)
	_, negative := NewAdaptiveLayerNorm(-1, 2, 3, 0)
	_, nan := NewAdaptiveLayerNorm(1, 2, 3, math.NaN())
	a, err := NewAdaptiveLayerNorm(2, 3, 4, 0)
	require.NoError(t, err)
	for _, c := range []struct {
		err   error
		shape bool
		want  string
	}{
		{rank, true, "norm: LocalResponseNorm: x [3] has rank 1, want at least 2 (examples and channels)"},
		{window, false, "norm: LocalResponseNorm: size is 0, want at least 1"},
		{alpha, false, "norm: LocalResponseNorm: alpha is NaN, want a finite number"},
		{bias, false, "norm: LocalResponseNorm: bias is +Inf, want a finite number"},
		{lrn.Forward(f(6), f(5)), true, "norm: LocalResponseNorm: x has 5 elements, want 6 (x [3 2])"},
		{lrn.Forward(f(5), f(6)), true, "norm: LocalResponseNorm: y has 5 elements, want 6 (x [3 2])"},
		{lrn.Backward(f(6), f(5), f(6)), true, "norm: LocalResponseNorm: dy has 5 elements, want 6 (x [3 2])"},
		{lrn.Backward(f(5), f(6), f(6)), true, "norm: LocalResponseNorm: dx has 5 elements, want 6 (x [3 2])"},
		{p, false, "norm: LpNorm: p is 3, want 1 or 2"},
		{axis, true, "norm: LpNorm: axis 1 is out of range for x [3], want -1 to 0"},
		{epsilon, false, "norm: LpNorm: epsilon is -1, want a finite number of at least 0"},
		{lp.Forward(f(3), f(2)), true, "norm: LpNorm: x has 2 elements, want 3 (x [3])"},
		{lp.Forward(f(2), f(3)), true, "norm: LpNorm: y has 2 elements, want 3 (x [3])"},
		{lp.Backward(f(3), f(2), f(3)), true, "norm: LpNorm: dy has 2 elements, want 3 (x [3])"},
		{lp.Backward(f(2), f(3), f(3)), true, "norm: LpNorm: dx has 2 elements, want 3 (x [3])"},
		{FoldBatchNorm(f(4), f(2), f(4), nil, one, one, nil, nil, 1, 2, -2, 0), true, "norm: FoldBatchNorm: outer, channels and inner are [1 2 -2], want none negative"},
		{FoldBatchNorm(f(4), f(2), f(3), nil, one, one, nil, nil, 1, 2, 2, 0), true, "norm: FoldBatchNorm: w has 3 elements, want 4 (1·2·2)"},
		{FoldBatchNorm(f(3), f(2), f(4), nil, one, one, nil, nil, 1, 2, 2, 0), true, "norm: FoldBatchNorm: weight has 3 elements, want 4 (1·2·2)"},
		{FoldBatchNorm(f(4), nil, f(4), nil, one, one, nil, nil, 1, 2, 2, 0), true, "norm: FoldBatchNorm: bias has 0 elements, want 2 (one for each channel)"},
		{FoldBatchNorm(f(4), f(2), f(4), nil, one, one, f(1), nil, 1, 2, 2, 0), true, "norm: FoldBatchNorm: gamma has 1 elements, want 2 (one for each channel)"},
		{WeightNorm(f(6), nil, f(5), one, 2, 3), true, "norm: WeightNorm: v has 5 elements, want 6 (2 rows of 3)"},
		{WeightNorm(f(5), nil, f(6), one, 2, 3), true, "norm: WeightNorm: w has 5 elements, want 6 (2 rows of 3)"},
		{WeightNorm(f(6), nil, f(6), f(3), 2, 3), true, "norm: WeightNorm: g has 3 elements, want 2 (one for each row)"},
		{WeightNorm(nil, nil, nil, nil, -1, 3), true, "norm: WeightNorm: -1 rows of 3 columns are not a matrix that memory can hold"},
		{WeightNormBackward(f(6), f(1), f(6), f(6), one, 2, 3), true, "norm: WeightNorm: dg has 1 elements, want 2 (one for each row)"},
		{spectral, true, "norm: SpectralNorm: 0 rows of 3 columns are not a matrix that has a singular value"},
		{length, true, "norm: SpectralNorm: w has 5 elements, want 6 (2 rows of 3)"},
		{output, true, "norm: SpectralNorm: y has 5 elements, want 6 (2 rows of 3)"},
		{steps, false, "norm: SpectralNorm: steps is -1, want at least 0"},
		{converge, true, "norm: SpectralNorm: w has 5 elements, want 6 (2 rows of 3)"},
		{s.Backward(f(6), f(5), f(6)), true, "norm: SpectralNorm: dy has 5 elements, want 6 (2 rows of 3)"},
		{negative, true, "norm: AdaptiveLayerNorm: dimension 0 of x [-1 2 3] is negative"},
		{nan, false, "norm: AdaptiveLayerNorm: epsilon is NaN, want a finite number of at least 0"},
		{a.Forward(f(24), nil, nil, f(23), nil, nil), true, "norm: AdaptiveLayerNorm: x has 23 elements, want 24 (x [2 3 4])"},
		{a.Forward(f(24), nil, nil, f(24), f(4), nil), true, "norm: AdaptiveLayerNorm: scale has 4 elements, want 8 (the features of each example of x [2 3 4])"},
		{a.Forward(f(24), f(2), nil, f(24), nil, nil), true, "norm: AdaptiveLayerNorm: mean has 2 elements, want 6 (one for each token of x [2 3 4])"},
		{a.Backward(f(24), nil, nil, f(24), f(24), nil, f(6), nil), true, "norm: AdaptiveLayerNorm: mean has 0 elements, want 6 (one for each token of x [2 3 4])"},
	} {
		assert.EqualError(t, c.err, c.want)
		var shape *ShapeError
		assert.Equal(t, c.shape, errors.As(c.err, &shape), c.want)
	}
}
