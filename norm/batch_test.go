package norm

import (
	"errors"
	"math"
	"testing"

	"github.com/normwasm/normwasm/internal/testkit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var batchCases = []struct {
	shape []int
	axis  int
}{
	{[]int{7}, 0},
	{[]int{1}, -1},
	{[]int{3, 5}, 1},
	{[]int{1, 5}, 1},
	{[]int{3, 5}, 0},
	{[]int{4, 3, 6}, 1},
	{[]int{4, 3, 6}, -1},
	{[]int{4, 3, 6}, 0},
	{[]int{2, 8, 5, 7}, 1},
	{[]int{2, 5, 7, 8}, 3},
	{[]int{2, 5, 7, 3}, 3}, // RGB: tiled
	{[]int{2, 5, 7, 1}, 3},
	{[]int{1, 6, 2, 2}, 1}, // short planes
	{[]int{3, 5, 1, 3}, 1},
	{[]int{50, 3, 2, 2}, 1},
	{[]int{300, 13}, 1},
	{[]int{2, 300, 1, 1}, 1},
	{[]int{2, 64, 56, 56}, 1},
	{[]int{1, 3, 2, 2, 2, 3}, 1},
	{[]int{0, 3, 4}, 1},
	{[]int{2, 0, 4}, 1},
	{[]int{2, 3, 0}, 1},
	{[]int{0}, 0},
}

func batchParameters(seed uint64, n int) (mean, variance, gamma, beta []float32) {
	r := testkit.Rand(seed)
	return testkit.Normal(r, n, 1, 1), testkit.Uniform(r, n, 0.01, 4), testkit.Normal(r, n, 1, 1), testkit.Normal(r, n, 1, 2)
}

func TestBatchNorm(t *testing.T) {
	var worst testkit.Worst
	for i, c := range batchCases {
		axis := (c.axis + len(c.shape)) % len(c.shape)
		for _, activation := range []Activation{Linear, ReLU, ReLU6} {
			plan, err := NewBatchNorm(c.shape, c.axis, 1e-5, activation)
			require.NoError(t, err)
			size := 1
			for _, d := range c.shape {
				size *= d
			}
			require.Equal(t, c.shape[axis], plan.Channels())
			mean, variance, gamma, beta := batchParameters(uint64(i), plan.Channels())
			if i%3 == 1 {
				gamma = nil
			}
			if i%3 == 2 {
				beta = nil
			}
			low, high := math.Inf(-1), math.Inf(1)
			if activation != Linear {
				low = 0
			}
			if activation == ReLU6 {
				high = 6
			}
			data := testkit.Normal(testkit.Rand(uint64(i+100)), size, 1, 2)
			want, scaled := testkit.BatchNorm(data, c.shape, axis, mean, variance, gamma, beta, 1e-5, low, high)
			x, y := testkit.Input("x", data, i%4), testkit.Output("y", size, i%3)
			inPlace := testkit.InOut("x and y", data, 1)
			require.NoError(t, plan.Forward(y.S, x.S, mean, variance, gamma, beta))
			require.NoError(t, plan.Apply(inPlace.S, inPlace.S))
			testkit.SameBits(t, y.S, inPlace.S, "%v in place", c.shape)
			for k, v := range y.S {
				magnitude := math.Abs(scaled[k])
				if beta != nil {
					channel := testkit.Unravel(k, c.shape)[axis]
					magnitude = max(magnitude, math.Abs(float64(beta[channel])))
				}
				worst.Add(math.Abs(float64(v)-want[k])/testkit.ULP(max(magnitude, math.Abs(want[k]))), "%v axis %d at %d: %v, want %v", c.shape, c.axis, k, v, want[k])
			}
			for _, o := range []*testkit.Operand{x, y, inPlace} {
				o.Check(t, "%v axis %d", c.shape, c.axis)
			}
			// The bare application gives the same bits.
			outer, inner := plan.outer, plan.inner
			scale := make([]float32, plan.Channels())
			require.NoError(t, BatchNormScale(scale, variance, gamma, 1e-5))
			shift := beta
			if shift == nil {
				shift = make([]float32, plan.Channels())
			}
			bare := testkit.Output("y", size, 2)
			require.NoError(t, BatchNormApply(bare.S, x.S, mean, scale, shift, outer, plan.Channels(), inner, activation))
			testkit.SameBits(t, y.S, bare.S, "%v bare", c.shape)
			bare.Check(t, "%v bare", c.shape)
		}
	}
	t.Logf("worst error: %v ULP", worst)
	assert.LessOrEqual(t, worst.Figure, 4.0, worst.Where)
}

// NCHW and NHWC of the same data give the same bits.
func TestBatchNormLayoutsAgree(t *testing.T) {
	const n, c, hw = 3, 10, 21
	x := testkit.Normal(testkit.Rand(1), n*c*hw, 0, 3)
	mean, variance, gamma, beta := batchParameters(2, c)
	turned := make([]float32, n*c*hw)
	turn := func(i int) int { return (i/(c*hw)*hw+i%hw)*c + i/hw%c }
	for i, v := range x {
		turned[turn(i)] = v
	}
	first, err := NCHW.Axis(4)
	require.NoError(t, err)
	last, err := NHWC.Axis(4)
	require.NoError(t, err)
	a, err := NewBatchNorm([]int{n, c, 3, 7}, first, 1e-3, ReLU)
	require.NoError(t, err)
	b, err := NewBatchNorm([]int{n, 3, 7, c}, last, 1e-3, ReLU)
	require.NoError(t, err)
	require.NoError(t, a.Forward(x, x, mean, variance, gamma, beta))
	require.NoError(t, b.Forward(turned, turned, mean, variance, gamma, beta))
	for i := range x {
		require.Equal(t, x[i], turned[turn(i)])
	}
}

// The magnitude of the mean must not show, and a finite true result stays finite.
func TestBatchNormOnHardChannels(t *testing.T) {
	cases := []struct {
		name                 string
		x                    []float32
		mean, variance, g, b float32
		epsilon              float64
	}{
		{"far mean", []float32{1e7 - 50, 1e7, 1e7 + 33}, 1e7 + 1, 400, 1, 0.25, 1e-5},
		{"far mean, odd epsilon", []float32{40000, 40001, 40003}, 40001, 1.25, -2, 1, 0},
		{"difference overflows", []float32{3e38, -3e38, 0, 1}, -3e38, 1e38, 1, 0, 1e-5},
		{"difference overflows by a little", []float32{math.MaxFloat32, -1}, -1e32, 1e38, 1, 0, 1e-5},
		{"scale overflows", []float32{1e-30, -2e-30, 0}, 0, 1e-44, 1e20, 3, 0},
		{"scale underflows", []float32{1e30, -3e37, 5}, 1e29, 1e38, 1e-25, 0.5, 0},
		{"tiny variance", []float32{1e-22, -3e-22}, 1e-22, 1e-44, 1, 0, 0},
		{"infinite variance", []float32{1, 2}, 0, float32(math.Inf(1)), 1, 7, 0},
		{"gamma 0", []float32{1, -3e38}, 3e38, 1, 0, 7, 0},
	}
	var worst testkit.Worst
	for _, c := range cases {
		for _, shape := range [][]int{{1, 3, len(c.x)}, {len(c.x), 3}} {
			axis := 1
			inner := len(c.x)
			if len(shape) == 2 {
				inner = 1
			}
			x := testkit.Normal(testkit.Rand(1), 3*len(c.x), 0, 1)
			hard := 0
			for i := range x {
				if i/inner%3 == 1 { // the middle one of three channels
					x[i] = c.x[hard]
					hard++
				}
			}
			mean, variance := []float32{0.5, c.mean, 0.25}, []float32{1, c.variance, 2}
			gamma, beta := []float32{1.5, c.g, 1.25}, []float32{1, c.b, 2}
			plan, err := NewBatchNorm(shape, axis, c.epsilon, Linear)
			require.NoError(t, err)
			y := make([]float32, len(x))
			require.NoError(t, plan.Forward(y, x, mean, variance, gamma, beta))
			want, _ := testkit.BatchNorm(x, shape, axis, mean, variance, gamma, beta, c.epsilon, math.Inf(-1), math.Inf(1))
			for i := range y {
				worst.Add(math.Abs(float64(y[i])-want[i])/max(1, math.Abs(want[i])), "%s %v at %d: %v, want %v", c.name, shape, i, y[i], want[i])
			}
			// The neighbours do not notice.
			mean[1], variance[1], gamma[1], beta[1] = 0, 1, 1, 0
			alone := make([]float32, len(x))
			require.NoError(t, plan.Forward(alone, x, mean, variance, gamma, beta))
			for i := range y {
				if i/inner%3 != 1 {
					require.Equal(t, alone[i], y[i], "%s: neighbour at %d", c.name, i)
				}
			}
		}
	}
	t.Logf("worst error: %v of max(1, |y|)", worst)
	assert.LessOrEqual(t, worst.Figure, 2e-5, worst.Where)
}

func TestBatchNormOfWhatIsNotFinite(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, activation := range []Activation{Linear, ReLU, ReLU6} {
		plan, err := NewBatchNorm([]int{8, 1}, 1, 1e-5, activation)
		require.NoError(t, err)
		x := []float32{nan, inf, -inf, 1, -1, 100, nan, 0}
		y := make([]float32, len(x))
		require.NoError(t, plan.Forward(y, x, []float32{0}, []float32{1}, nil, nil))
		want := map[Activation][]float32{Linear: {nan, inf, -inf, 1, -1, 100, nan, 0}, ReLU: {nan, inf, 0, 1, 0, 100, nan, 0}, ReLU6: {nan, 6, 0, 1, 0, 6, nan, 0}}[activation]
		for i := range y {
			assert.True(t, testkit.Same(y[i], float64(want[i]), 1e-3), "%d: %v becomes %v, want %v", activation, x[i], y[i], want[i])
		}
	}
}

func TestBatchNormErrors(t *testing.T) {
	f := func(n int) []float32 { return make([]float32, n) }
	ones := []float32{1, 1, 1}
	create := func(shape []int, axis int, epsilon float64, a Activation) error {
		_, err := NewBatchNorm(shape, axis, epsilon, a)
		return err
	}
	plan, err := NewBatchNorm([]int{2, 3, 4}, 1, 0, Linear)
	require.NoError(t, err)
	_, rank := NHWC.Axis(1)
	_, unknown := Layout(7).Axis(4)
	assert.EqualError(t, unknown, "norm: BatchNorm: layout is 7, want NCHW or NHWC (0 or 1)")
	cases := []struct {
		err   error
		shape bool
		want  string
	}{
		{rank, true, "norm: BatchNorm: x has rank 1, want at least 2 (name the channel axis itself for less)"},
		{create([]int{2, 3}, 2, 0, Linear), true, "norm: BatchNorm: axis 2 is out of range for x [2 3], want -2 to 1"},
		{create(nil, 0, 0, Linear), true, "norm: BatchNorm: axis 0 is out of range: x [] has no axes"},
		{create([]int{2, -3}, 1, 0, Linear), true, "norm: BatchNorm: dimension 1 of x [2 -3] is negative"},
		{create([]int{2, 3}, 1, math.NaN(), Linear), false, "norm: BatchNorm: epsilon is NaN, want a finite number of at least 0"},
		{create([]int{2, 3}, 1, 0, 4), false, "norm: BatchNorm: activation is 4, want Linear, ReLU, ReLU6 or SiLU (0 to 3)"},
		{plan.Apply(f(24), f(24)), false, "norm: BatchNorm: Apply came before Prepare: there are no statistics"},
		{plan.Forward(f(24), f(23), ones, ones, nil, nil), true, "norm: BatchNorm: x has 23 elements, want 24 (x [2 3 4])"},
		{plan.Forward(f(25), f(24), ones, ones, nil, nil), true, "norm: BatchNorm: y has 25 elements, want 24 (x [2 3 4])"},
		{plan.Prepare(f(4), ones, nil, nil), true, "norm: BatchNorm: mean has 4 elements, want 3 (dimension 1 of x [2 3 4], the channels)"},
		{plan.Prepare(ones, nil, nil, nil), true, "norm: BatchNorm: variance has 0 elements, want 3 (dimension 1 of x [2 3 4], the channels)"},
		{plan.Prepare(ones, ones, f(2), nil), true, "norm: BatchNorm: gamma has 2 elements, want 3 (dimension 1 of x [2 3 4], the channels)"},
		{plan.Prepare(ones, ones, nil, f(0)), true, "norm: BatchNorm: beta has 0 elements, want 3 (dimension 1 of x [2 3 4], the channels)"},
		{BatchNormScale(f(3), f(2), nil, 1), true, "norm: BatchNorm: variance has 2 elements, want 3 (one for each channel)"},
		{BatchNormScale(f(3), f(3), f(2), 1), true, "norm: BatchNorm: gamma has 2 elements, want 3 (one for each channel)"},
		{BatchNormScale(f(3), f(3), nil, -1), false, "norm: BatchNorm: epsilon is -1, want a finite number of at least 0"},
		{BatchNormApply(f(6), f(5), ones, ones, ones, 2, 3, 1, Linear), true, "norm: BatchNorm: x has 5 elements, want 6 (2·3·1)"},
		{BatchNormApply(f(5), f(6), ones, ones, ones, 2, 3, 1, Linear), true, "norm: BatchNorm: y has 5 elements, want 6 (2·3·1)"},
		{BatchNormApply(f(6), f(6), f(2), ones, ones, 2, 3, 1, Linear), true, "norm: BatchNorm: mean has 2 elements, want 3 (one for each channel)"},
		{BatchNormApply(f(6), f(6), ones, f(2), ones, 2, 3, 1, Linear), true, "norm: BatchNorm: scale has 2 elements, want 3 (one for each channel)"},
		{BatchNormApply(f(6), f(6), ones, ones, nil, 2, 3, 1, Linear), true, "norm: BatchNorm: beta has 0 elements, want 3 (one for each channel)"},
		{BatchNormApply(nil, nil, nil, nil, nil, 2, -3, 1, Linear), true, "norm: BatchNorm: outer, channels and inner are [2 -3 1], want none negative"},
		{BatchNormApply(nil, nil, nil, nil, nil, 1<<40, 1<<40, 1, Linear), true, "norm: BatchNorm: x [1099511627776 1099511627776 1] has more elements than memory can hold"},
		{BatchNormApply(f(6), f(6), ones, ones, ones, 2, 3, 1, -1), false, "norm: BatchNorm: activation is -1, want Linear, ReLU or ReLU6 (0 to 2)"},
	}
	for _, c := range cases {
		assert.EqualError(t, c.err, c.want)
		var shape *ShapeError
		var value *ValueError
		assert.Equal(t, c.shape, errors.As(c.err, &shape), c.want)
		assert.Equal(t, !c.shape, errors.As(c.err, &value), c.want)
	}
}

// A refused Prepare leaves the one before it in force.
func TestBatchNormPrepareIsAllOrNothing(t *testing.T) {
	plan, err := NewBatchNorm([]int{2, 2}, 1, 0, Linear)
	require.NoError(t, err)
	require.NoError(t, plan.Prepare([]float32{1, 2}, []float32{4, 16}, nil, nil))
	require.Error(t, plan.Prepare([]float32{9, 9}, []float32{9, 9}, []float32{3}, nil))
	y := make([]float32, 4)
	require.NoError(t, plan.Apply(y, []float32{1, 2, 3, 6}))
	assert.Equal(t, []float32{0, 0, 1, 1}, y)
}

func TestBatchNormAllocatesNothing(t *testing.T) {
	for _, c := range batchCases {
		plan, err := NewBatchNorm(c.shape, c.axis, 1e-5, ReLU6)
		require.NoError(t, err)
		n := plan.outer * plan.channels * plan.inner
		x, y := make([]float32, n), make([]float32, n)
		mean, variance, gamma, beta := batchParameters(1, plan.Channels())
		require.NoError(t, plan.Prepare(mean, variance, gamma, beta))
		scale := make([]float32, plan.Channels())
		assert.Zero(t, testing.AllocsPerRun(3, func() {
			_ = plan.Forward(y, x, mean, variance, gamma, beta)
			_ = BatchNormScale(scale, variance, gamma, 1e-5)
			_ = BatchNormApply(y, x, mean, scale, beta, plan.outer, plan.channels, plan.inner, ReLU)
		}), "%v", c.shape)
	}
}

func FuzzBatchNormShape(f *testing.F) {
	f.Add([]byte{2, 3, 4}, int8(1), uint64(1), uint8(0))
	f.Add([]byte{2, 5, 3}, int8(-1), uint64(2), uint8(1))
	f.Add([]byte{9}, int8(0), uint64(3), uint8(2))
	f.Add([]byte{}, int8(0), uint64(4), uint8(2))
	f.Add([]byte{2, 0, 3}, int8(1), uint64(5), uint8(0))
	f.Add([]byte{1, 11, 11, 11}, int8(3), uint64(5), uint8(5))
	f.Fuzz(func(t *testing.T, dims []byte, axis int8, seed uint64, variant uint8) {
		if len(dims) > 6 {
			t.Skip()
		}
		shape := make([]int, len(dims))
		size, rank := 1, len(dims)
		bad := int(axis) < -rank || int(axis) >= rank
		for i, d := range dims {
			shape[i] = int(int8(d)) % 20
			size *= shape[i]
			bad = bad || shape[i] < 0
		}
		if size > 50000 {
			t.Skip()
		}
		activation := Activation(variant % 3)
		plan, err := NewBatchNorm(shape, int(axis), 1e-3, activation)
		require.Equal(t, bad, err != nil, "%v axis %d: %v", shape, axis, err)
		if bad {
			var e *ShapeError
			require.True(t, errors.As(err, &e))
			return
		}
		mean, variance, gamma, beta := batchParameters(seed, plan.Channels())
		x, y := testkit.Input("x", testkit.Normal(testkit.Rand(seed), size, 0, 2), int(variant)%4), testkit.Output("y", size, 1)
		require.NoError(t, plan.Forward(y.S, x.S, mean, variance, gamma, beta))
		low, high := [3]float64{math.Inf(-1), 0, 0}[activation], [3]float64{math.Inf(1), math.Inf(1), 6}[activation]
		want, scaled := testkit.BatchNorm(x.S, shape, (int(axis)+rank)%rank, mean, variance, gamma, beta, 1e-3, low, high)
		for k := range y.S {
			require.InDelta(t, want[k], y.S[k], 1e-6*max(1, math.Abs(scaled[k]), math.Abs(want[k]))*10, "%v axis %d at %d", shape, axis, k)
		}
		x.Check(t, "%v axis %d", shape, axis)
		y.Check(t, "%v axis %d", shape, axis)
	})
}

// A stored variance may be below 0 by a rounding: variance + epsilon counts. Where that is negative the channel is
// NaN, where it is 0 as IEEE 754 divides by it, and the channels beside it do not notice: in all forms.
func TestBatchNormVariancesBelowZero(t *testing.T) {
	const epsilon = 1e-5
	mean, gamma, beta := []float32{1, 2, 3, 4, 5}, []float32{1, 2, -1, 3, 1}, []float32{0, 1, 2, 3, 4}
	variance := []float32{4, -9e-6, -2, float32(math.NaN()), 0.25}
	for _, shape := range [][]int{{3, 5}, {2, 5, 3}, {2, 5, 40}} {
		inner := 1
		for _, n := range shape[2:] {
			inner *= n
		}
		x := make([]float32, shape[0]*5*inner)
		for i := range x {
			x[i] = float32(i%7) - 2.5
		}
		b, err := NewBatchNorm(shape, 1, epsilon, Linear)
		require.NoError(t, err)
		y := make([]float32, len(x))
		require.NoError(t, b.Forward(y, x, mean, variance, gamma, beta))
		l, err := NewBatchNormLayer(5, PyTorch)
		require.NoError(t, err)
		l.Gamma, l.Beta, l.RunningMean, l.RunningVar = gamma, beta, mean, variance
		layer := make([]float32, len(x))
		require.NoError(t, l.Forward(layer, x, shape, false, false))
		scale := make([]float32, 5)
		require.NoError(t, BatchNormScale(scale, variance, gamma, epsilon))
		for i, v := range x {
			c := i / inner % 5
			want := (float64(v)-float64(mean[c]))*float64(gamma[c])/math.Sqrt(float64(variance[c])+epsilon) + float64(beta[c])
			if c == 2 || c == 3 {
				require.True(t, want != want && y[i] != y[i] && layer[i] != layer[i] && scale[c] != scale[c], "channel %d", c)
				continue
			}
			require.InEpsilon(t, want, y[i], 1e-5, "%v, element %d", shape, i)
			require.InEpsilon(t, want, layer[i], 1e-5, "%v, element %d", shape, i)
		}
	}
	b, err := NewBatchNorm([]int{1, 2, 2}, 1, 0, Linear)
	require.NoError(t, err)
	y := make([]float32, 4)
	require.NoError(t, b.Forward(y, []float32{1, 2, 3, -4}, []float32{2, 1}, []float32{0, 4}, nil, nil))
	assert.True(t, math.IsInf(float64(y[0]), -1) && y[1] != y[1])
	assert.Equal(t, []float32{1, -2.5}, y[2:])
}
