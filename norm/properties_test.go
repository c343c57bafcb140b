package norm

import (
	"math"
	"testing"

	"github.com/normwasm/normwasm/internal/testkit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An example's result has the same bits alone as in any batch, at any address.
func TestGroupNormDoesNotSeeTheBatch(t *testing.T) {
	for _, c := range groupCases {
		one := append([]int{1}, c.shape[1:]...)
		size := product64(one)
		if size == 0 {
			continue
		}
		const batch = 4
		many := append([]int{batch}, c.shape[1:]...)
		r := testkit.Rand(uint64(size))
		x, dy := testkit.Normal(r, batch*size, 1, 2), testkit.Normal(r, batch*size, 0, 1)
		x[2*size], x[2*size+size/2] = float32(math.NaN()), 3e38 // a hard example among them
		alone, together := newGroup(t, one, c.layout, c.groups, 1e-5), newGroup(t, many, c.layout, c.groups, 1e-5)
		gamma := testkit.Normal(r, alone.Channels(), 1, 1)
		for offset := range 4 {
			in, grad, y, dx := testkit.Input("x", x, offset), testkit.Input("dy", dy, 3-offset), testkit.Output("y", batch*size, offset), testkit.Output("dx", batch*size, 1)
			mean, rstd := make([]float32, together.Stats()), make([]float32, together.Stats())
			require.NoError(t, together.Forward(y.S, mean, rstd, in.S, gamma, nil))
			require.NoError(t, together.Backward(dx.S, nil, nil, grad.S, in.S, mean, rstd, gamma))
			for n := range batch {
				from, to := n*size, (n+1)*size
				yn, dxn, m, s := make([]float32, size), make([]float32, size), make([]float32, alone.Stats()), make([]float32, alone.Stats())
				require.NoError(t, alone.Forward(yn, m, s, x[from:to], gamma, nil))
				require.NoError(t, alone.Backward(dxn, nil, nil, dy[from:to], x[from:to], m, s, gamma))
				testkit.SameBits(t, yn, y.S[from:to], "%v: y of example %d", many, n)
				testkit.SameBits(t, dxn, dx.S[from:to], "%v: dx of example %d", many, n)
				testkit.SameBits(t, m, mean[n*alone.Stats():(n+1)*alone.Stats()], "%v: mean", many)
			}
		}
	}
}

// Channels first and channels last are the same function.
func TestLayoutsAgree(t *testing.T) {
	const n, c, hw = 3, 6, 40
	turn := func(x []float32) []float32 {
		y := make([]float32, len(x))
		for i, v := range x {
			y[(i/(c*hw)*hw+i%hw)*c+i/hw%c] = v
		}
		return y
	}
	r := testkit.Rand(1)
	x, dy := testkit.Normal(r, n*c*hw, 3, 2), testkit.Normal(r, n*c*hw, 0, 1)
	gamma, beta := testkit.Normal(r, c, 1, 1), testkit.Normal(r, c, 0, 1)
	type result struct{ y, dx, dgamma, dbeta []float32 }
	for name, run := range map[string]func(layout Layout, shape []int, x, dy []float32) result{
		"GroupNorm": func(layout Layout, shape []int, x, dy []float32) result {
			g := newGroup(t, shape, layout, 2, 1e-5)
			o := result{make([]float32, len(x)), make([]float32, len(x)), make([]float32, c), make([]float32, c)}
			m, s := make([]float32, g.Stats()), make([]float32, g.Stats())
			require.NoError(t, g.Forward(o.y, m, s, x, gamma, beta))
			require.NoError(t, g.Backward(o.dx, o.dgamma, o.dbeta, dy, x, m, s, gamma))
			return o
		},
		"BatchNorm": func(layout Layout, shape []int, x, dy []float32) result {
			l, err := NewBatchNormLayer(c, Keras)
			require.NoError(t, err)
			l.Layout, l.Gamma, l.Beta = layout, gamma, beta
			o := result{make([]float32, len(x)), make([]float32, len(x)), make([]float32, c), make([]float32, c)}
			require.NoError(t, l.Forward(o.y, x, shape, true, true))
			require.NoError(t, l.Backward(o.dx, o.dgamma, o.dbeta, dy, x))
			return o
		},
	} {
		first := run(NCHW, []int{n, c, 8, 5}, x, dy)
		last := run(NHWC, []int{n, 8, 5, c}, turn(x), turn(dy))
		assert.InDeltaSlice(t, turn(first.y), last.y, 1e-6, name)
		assert.InDeltaSlice(t, turn(first.dx), last.dx, 1e-6, name)
		assert.InDeltaSlice(t, first.dgamma, last.dgamma, 1e-4, name)
		assert.InDeltaSlice(t, first.dbeta, last.dbeta, 1e-4, name)
	}
}

// The names for one thing: GroupNorm with one group is LayerNorm over all but the
// batch, InstanceNorm of one example is BatchNorm.
func TestRelatives(t *testing.T) {
	shape := []int{2, 4, 5, 5}
	x := testkit.Normal(testkit.Rand(1), 200, 3, 2)
	a, b := make([]float32, 200), make([]float32, 200)
	require.NoError(t, newGroup(t, shape, NCHW, 1, 1e-5).Forward(a, nil, nil, x, nil, nil))
	require.NoError(t, LayerNormAxes(b, nil, nil, x, nil, nil, nil, shape, []int{1, 2, 3}, 1e-5))
	assert.InDeltaSlice(t, b, a, 1e-6)

	one := []int{1, 4, 5, 10}
	require.NoError(t, newGroup(t, one, NCHW, 0, 1e-5).Forward(a, nil, nil, x, nil, nil))
	l, err := NewBatchNormLayer(4, PyTorch)
	require.NoError(t, err)
	require.NoError(t, l.Forward(b, x, one, true, false))
	testkit.SameBits(t, a, b, "InstanceNorm and BatchNorm of one example")
}

// Mean 0 and variance 1 come out, in every channel, whatever scale went in.
func TestBatchNormLayerProperties(t *testing.T) {
	shape := []int{6, 3, 11}
	groups := testkit.ByChannel(shape, 1)
	x := testkit.Normal(testkit.Rand(1), 198, 5, 3)
	scaled := make([]float32, len(x))
	for i, e := range x {
		scaled[i] = e * -64
	}
	l, err := NewBatchNormLayer(3, ONNX)
	require.NoError(t, err)
	l.Epsilon = 0
	y, ys := make([]float32, len(x)), make([]float32, len(x))
	require.NoError(t, l.Forward(ys, scaled, shape, true, false))
	require.NoError(t, l.Forward(y, x, shape, true, true))
	sum, square := [3]float64{}, [3]float64{}
	for i, v := range y {
		assert.Equal(t, v, -ys[i], "scaling by a power of two is exact")
		sum[groups.Channel[i]] += float64(v) / 66
		square[groups.Channel[i]] += float64(v) * float64(v) / 66
	}
	for c := range 3 {
		assert.InDelta(t, 0, sum[c], 1e-7)
		assert.InDelta(t, 1, square[c], 1e-6)
	}
}

func FuzzBatchNormLayerShape(f *testing.F) {
	f.Add([]byte{2, 6, 5}, uint64(1), uint8(0))
	f.Add([]byte{7, 3, 2, 2}, uint64(2), uint8(2))
	f.Add([]byte{3, 4, 2, 9}, uint64(3), uint8(1))
	f.Add([]byte{1, 4}, uint64(4), uint8(3))
	f.Add([]byte{0, 4}, uint64(5), uint8(4))
	f.Add([]byte{255, 4}, uint64(6), uint8(5))
	f.Fuzz(func(t *testing.T, dims []byte, seed uint64, variant uint8) {
		if len(dims) > 5 || len(dims) < 2 {
			t.Skip()
		}
		shape, size, bad := make([]int, len(dims)), 1, false
		for i, d := range dims {
			shape[i] = int(int8(d)) % 24
			size *= shape[i]
			bad = bad || shape[i] < 0
		}
		layout, framework := Layout(variant%2), Framework(variant/2%3)
		channels := shape[layout.axis(len(shape))]
		if size > 6000 || channels < 0 {
			t.Skip()
		}
		l, err := NewBatchNormLayer(channels, framework)
		require.NoError(t, err)
		l.Layout = layout
		bad = bad || size > 0 && size == channels && framework == PyTorch
		r := testkit.Rand(seed)
		n := max(size, 0)
		x, y := testkit.Input("x", testkit.Normal(r, n, 1, 2), int(variant)%4), testkit.Output("y", n, 1)
		dy, dx := testkit.Normal(r, n, 0, 1), testkit.Output("dx", n, 2)
		err = l.Forward(y.S, x.S, shape, true, true)
		require.Equal(t, bad, err != nil, "%v: %v", shape, err)
		if bad {
			assert.Equal(t, 0, l.Batches)
			return
		}
		require.NoError(t, l.Backward(dx.S, nil, nil, dy, x.S))
		groups := testkit.ByChannel(shape, layout.axis(len(shape)))
		want := groups.Normalize(x.S, nil, nil, l.Epsilon)
		m1, m2, count := make([]float64, channels), make([]float64, channels), float64(max(size, 1))/float64(max(channels, 1))
		for i, c := range groups.Channel {
			m1[c] += float64(dy[i]) / count
			m2[c] += float64(dy[i]) * want.XHat[i] / count
		}
		for i, c := range groups.Channel {
			require.InDelta(t, want.Y[i], y.S[i], 2e-6*max(1, math.Abs(want.Y[i])), "%v at %d", shape, i)
			g := (float64(dy[i]) - m1[c] - want.XHat[i]*m2[c]) * want.Rstd[c]
			require.InDelta(t, g, dx.S[i], 3e-6*want.Rstd[c]*max(1, math.Abs(want.XHat[i]))*4, "%v: dx at %d", shape, i)
		}
		for _, o := range []*testkit.Operand{x, y, dx} {
			o.Check(t, "%v", shape)
		}
	})
}

// Shapes, axes and p of LpNorm and RMSNorm, forward and backward, in place.
func FuzzAxis(f *testing.F) {
	f.Add([]byte{2, 6, 5}, int8(1), uint64(1), uint8(0))
	f.Add([]byte{2, 6, 5}, int8(-1), uint64(1), uint8(1))
	f.Add([]byte{9}, int8(0), uint64(1), uint8(1))
	f.Add([]byte{3, 0}, int8(1), uint64(1), uint8(0))
	f.Add([]byte{3, 2}, int8(2), uint64(1), uint8(0))
	f.Fuzz(func(t *testing.T, dims []byte, axis int8, seed uint64, variant uint8) {
		if len(dims) > 5 {
			t.Skip()
		}
		shape, size, rank := make([]int, len(dims)), 1, len(dims)
		bad := int(axis) < -rank || int(axis) >= rank
		for i, d := range dims {
			shape[i] = int(int8(d)) % 24
			size *= shape[i]
			bad = bad || shape[i] < 0
		}
		if size > 6000 {
			t.Skip()
		}
		p := 1 + int(variant)%2
		lp, err := NewLpNorm(shape, int(axis), p, 0)
		require.Equal(t, bad, err != nil, "%v along %d: %v", shape, axis, err)
		rms, err := NewRMSNorm(shape, []int{int(axis)}, 1e-5)
		require.Equal(t, bad, err != nil, "%v along %d: %v", shape, axis, err)
		if bad {
			return
		}
		groups := testkit.ByAxes(shape, []int{(int(axis) + rank) % rank})
		data := testkit.Normal(testkit.Rand(seed), size, 0.5, 2)
		x := testkit.InOut("x", data, int(variant)%4)
		require.NoError(t, lp.Forward(x.S, x.S))
		for i, w := range lpForward(testkit.Widen(data, size, 0), groups, p, 0) {
			require.InDelta(t, w, x.S[i], 1e-6, "%v along %d at %d", shape, axis, i)
		}
		x.Check(t, "%v", shape)
		x = testkit.InOut("x", data, int(variant)%4)
		require.NoError(t, rms.Forward(x.S, nil, nil, x.S, nil, nil))
		for i, w := range groups.RMSNorm(data, nil, 1e-5).Y {
			require.InDelta(t, w, x.S[i], 2e-6*max(1, math.Abs(w)), "%v along %d at %d", shape, axis, i)
		}
		x.Check(t, "%v", shape)
		require.NoError(t, lp.Backward(x.S, x.S, data))
		x.Check(t, "%v", shape)
	})
}

// Gradients whose sums overflow float32 on the way, though what comes out does not.
func TestHugeGradients(t *testing.T) {
	const n = 64
	r := testkit.Rand(1)
	for _, c := range layouts(n) {
		groups := groupsOf(c.shape, c.layout, c.groups)
		if c.batch {
			groups = testkit.ByChannel(c.shape, c.layout.axis(len(c.shape)))
		}
		x, dy, dx := testkit.Normal(r, 3*n, 0, 100), make([]float32, 3*n), make([]float32, 3*n)
		seen := [3]int{}
		for i := range dy {
			g := groups.Group[i]
			if dy[i] = float32(r.NormFloat64()); g == 1 {
				dy[i] = []float32{3e38, 3e38, -3e38, -3e38}[seen[g]/8%4]
			}
			seen[g]++
		}
		if c.batch {
			l, err := NewBatchNormLayer(3, ONNX)
			require.NoError(t, err)
			l.Layout = c.layout
			require.NoError(t, l.Forward(make([]float32, 3*n), x, c.shape, true, false))
			require.NoError(t, l.Backward(dx, nil, nil, dy, x))
		} else {
			plan := newGroup(t, c.shape, c.layout, c.groups, 1e-5)
			m, s := make([]float32, 3), make([]float32, 3)
			require.NoError(t, plan.Forward(make([]float32, 3*n), m, s, x, nil, nil))
			require.NoError(t, plan.Backward(dx, nil, nil, dy, x, m, s, nil))
		}
		exact := groups.Normalize(x, nil, nil, 1e-5)
		var m1, m2 [3]float64
		for i, g := range groups.Group {
			m1[g] += float64(dy[i]) / n
			m2[g] += float64(dy[i]) * exact.XHat[i] / n
		}
		for i, g := range groups.Group {
			want := (float64(dy[i]) - m1[g] - exact.XHat[i]*m2[g]) * exact.Rstd[g]
			require.InDelta(t, want, dx[i], 1e-5*max(math.Abs(float64(dy[i])), math.Abs(exact.XHat[i]*m2[g]))*exact.Rstd[g], "%s at %d", c.name, i)
		}
	}
}

// With running statistics the data do not enter dx, whatever is in them.
func TestFrozenGradientDoesNotSeeTheData(t *testing.T) {
	for _, c := range trainingShapes {
		n, size := c.shape[c.layout.axis(len(c.shape))], product64(c.shape)
		l, err := NewBatchNormLayer(n, ONNX)
		require.NoError(t, err)
		l.Layout, l.Epsilon = c.layout, 0
		for k := range n {
			l.RunningVar[k] = 4
			l.Gamma[k] = float32(k + 1)
		}
		x, dy, dx := testkit.Normal(testkit.Rand(1), size, 0, 1), testkit.Normal(testkit.Rand(2), size, 0, 1), make([]float32, size)
		x[0], x[size-1] = float32(math.Inf(1)), float32(math.NaN())
		require.NoError(t, l.Forward(dx, x, c.shape, false, false))
		dgamma := make([]float32, n)
		require.NoError(t, l.Backward(dx, dgamma, nil, dy, x))
		groups := testkit.ByChannel(c.shape, c.layout.axis(len(c.shape)))
		for i, v := range dx {
			require.Equal(t, dy[i]*l.Gamma[groups.Channel[i]]/2, v, "%v at %d", c.shape, i)
		}
		assert.True(t, dgamma[n-1] != dgamma[n-1])
	}
}

// Moments and Recompute take the scratch: what Backward would need is gone.
func TestMomentsForgetTheForwardPass(t *testing.T) {
	l, err := NewBatchNormLayer(2, ONNX)
	require.NoError(t, err)
	x := []float32{1, 2, 3, 4}
	require.NoError(t, l.Forward(make([]float32, 4), x, []int{2, 2}, true, true))
	require.NoError(t, l.Moments(NewMoments(2), x, []int{2, 2}))
	assert.EqualError(t, l.Backward(make([]float32, 4), nil, nil, x, x), "norm: BatchNorm: Backward came before Forward: there are no statistics")
}
