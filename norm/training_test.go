package norm

import (
	"errors"
	"math"
	"strconv"
	"testing"

	"github.com/normwasm/normwasm/internal/testkit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// trainingShapes are [N C …] for NCHW; the NHWC ones have the channels last.
var trainingShapes = []struct {
	shape  []int
	layout Layout
}{
	{[]int{5, 3}, NCHW},
	{[]int{5, 3}, NHWC},
	{[]int{40, 7}, NCHW},
	{[]int{1, 2, 9}, NCHW},
	{[]int{2, 4, 3, 5}, NCHW}, // short planes
	{[]int{7, 3, 2, 2}, NCHW},
	{[]int{3, 5, 1, 3}, NCHW},
	{[]int{2, 6, 5, 7}, NCHW},
	{[]int{3, 2, 16, 9}, NCHW},
	{[]int{1, 4, 33}, NCHW},
	{[]int{2, 5, 7, 6}, NHWC},
	{[]int{2, 9, 11, 3}, NHWC}, // tiled, with a rest
	{[]int{1, 4, 5, 1}, NHWC},
	{[]int{3, 50, 10}, NHWC},
	{[]int{1, 3, 300}, NHWC},
	{[]int{2, 17, 70}, NHWC},
}

func product64(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// errorInULP is the worst distance of got from the oracle in ULP of
// max(|y|, |γ·x̂|, |β|).
func errorInULP(worst *testkit.Worst, got []float32, want testkit.Normalized, groups testkit.Groups, beta []float32, where string) {
	for i, v := range got {
		size := max(math.Abs(want.Y[i]), math.Abs(want.Scaled[i]))
		if beta != nil {
			size = max(size, math.Abs(float64(beta[groups.Channel[i]])))
		}
		worst.Add(math.Abs(float64(v)-want.Y[i])/testkit.ULP(size), "%s at %d: %v, want %v", where, i, v, want.Y[i])
	}
}

func TestBatchNormLayerForward(t *testing.T) {
	var ulp, stat testkit.Worst
	for i, c := range trainingShapes {
		axis := c.layout.axis(len(c.shape))
		n, size := c.shape[axis], product64(c.shape)
		groups := testkit.ByChannel(c.shape, axis)
		for variant := range 6 {
			r := testkit.Rand(uint64(10*i + variant))
			data := testkit.Normal(r, size, 3, 2)
			l, err := NewBatchNormLayer(n, ONNX)
			require.NoError(t, err)
			l.Layout = c.layout
			copy(l.Gamma, testkit.Normal(r, n, 1, 1))
			copy(l.Beta, testkit.Normal(r, n, 0, 1))
			if variant == 1 {
				l.Gamma = nil
			}
			if variant == 2 {
				l.Gamma, l.Beta = nil, nil
			}
			want := groups.Normalize(data, l.Gamma, l.Beta, l.Epsilon)
			x, y := testkit.Input("x", data, i%4), testkit.Output("y", size, variant%3)
			if variant == 3 {
				x = testkit.InOut("x and y", data, 1)
				y = x
			}
			require.NoError(t, l.Forward(y.S, x.S, c.shape, true, true))
			x.Check(t, "%v", c.shape)
			y.Check(t, "%v", c.shape)
			errorInULP(&ulp, y.S, want, groups, l.Beta, "batch")
			for k := range n {
				stat.Add(testkit.RelativeError(l.saved[k], want.Mean[k]), "mean %d of %v", k, c.shape)
				stat.Add(testkit.RelativeError(l.saved[l.grid.groups+k], want.Rstd[k]), "rstd %d of %v", k, c.shape)
			}
		}
	}
	t.Logf("worst error of y: %v ULP; of the statistics: %v relative", ulp, stat)
	assert.LessOrEqual(t, ulp.Figure, 4.0, ulp.Where)
	assert.LessOrEqual(t, stat.Figure, 1e-6, stat.Where)
}

// The running statistics, by hand: channels of 1, 3 and 10, 30 with variances 1 and
// 100, unbiased 2 and 200.
func TestFrameworksUpdateRunningStatistics(t *testing.T) {
	x := []float32{1, 10, 3, 30}
	for _, c := range []struct {
		framework          Framework
		momentum           float64
		cumulative         bool
		mean, variance     []float32
		mean2, variance2   []float32 // after a second batch of zeros
		wantMomentum, wEps float64
	}{
		{PyTorch, 0.1, false, []float32{.2, 2}, []float32{1.1, 20.9}, []float32{.18, 1.8}, []float32{.99, 18.81}, 0.1, 1e-5},
		{ONNX, 0.9, false, []float32{.2, 2}, []float32{1, 10.9}, []float32{.18, 1.8}, []float32{.9, 9.81}, 0.9, 1e-5},
		{Keras, 0.99, false, []float32{.02, .2}, []float32{1, 1.99}, []float32{.0198, .198}, []float32{.99, 1.9701}, 0.99, 1e-3},
		{PyTorch, 0.1, true, []float32{2, 20}, []float32{2, 200}, []float32{1, 10}, []float32{1, 100}, 0.1, 1e-5},
		{ONNX, 0.25, false, []float32{1.5, 15}, []float32{1, 75.25}, []float32{.375, 3.75}, []float32{.25, 18.8125}, 0.9, 1e-5},
	} {
		l, err := NewBatchNormLayer(2, c.framework)
		require.NoError(t, err)
		assert.Equal(t, c.wantMomentum, l.Momentum)
		assert.Equal(t, c.wEps, l.Epsilon)
		l.Momentum, l.Cumulative = c.momentum, c.cumulative
		y := make([]float32, 4)
		require.NoError(t, l.Forward(y, x, []int{2, 2}, true, true))
		assert.InDeltaSlice(t, c.mean, l.RunningMean, 1e-6)
		assert.InDeltaSlice(t, c.variance, l.RunningVar, 1e-5)
		assert.Equal(t, 1, l.Batches)
		require.NoError(t, l.Forward(y, make([]float32, 4), []int{2, 2}, true, true))
		assert.InDeltaSlice(t, c.mean2, l.RunningMean, 1e-6)
		assert.InDeltaSlice(t, c.variance2, l.RunningVar, 1e-5)
		assert.Equal(t, 2, l.Batches)
	}
}

// What is normalized with and what is learnt are two switches.
func TestBatchNormLayerModes(t *testing.T) {
	x := []float32{1, 10, 3, 30}
	for _, c := range []struct {
		useBatch, update bool
		y, mean          []float32
	}{
		{true, true, []float32{-1, -1, 1, 1}, []float32{.2, 2}},
		{true, false, []float32{-1, -1, 1, 1}, []float32{0, 0}},
		{false, true, x, []float32{.2, 2}},
		{false, false, x, []float32{0, 0}},
	} {
		l, err := NewBatchNormLayer(2, PyTorch)
		require.NoError(t, err)
		y := make([]float32, 4)
		require.NoError(t, l.Forward(y, x, []int{2, 2}, c.useBatch, c.update))
		assert.InDeltaSlice(t, c.y, y, 2e-4)
		assert.InDeltaSlice(t, c.mean, l.RunningMean, 1e-6)
		want := 0
		if c.update {
			want = 1
		}
		assert.Equal(t, want, l.Batches)
	}
}

// One value per channel: refused by PyTorch, beta under the others.
func TestBatchNormLayerOfOneValue(t *testing.T) {
	for _, f := range []Framework{PyTorch, ONNX, Keras} {
		l, err := NewBatchNormLayer(3, f)
		require.NoError(t, err)
		copy(l.Beta, []float32{1, 2, 3})
		y := []float32{9, 9, 9}
		err = l.Forward(y, []float32{5, -6, 7}, []int{1, 3}, true, true)
		if f == PyTorch {
			assert.EqualError(t, err, "norm: BatchNorm: x [1 3] has one value per channel, want more (PyTorch's unbiased variance divides by one less)")
			var value *ValueError
			assert.True(t, errors.As(err, &value))
			assert.Equal(t, []float32{9, 9, 9}, y)
			assert.Equal(t, []float32{0, 0, 0}, l.RunningMean)
			assert.Zero(t, l.Batches)
			require.NoError(t, l.Forward(y, []float32{5, -6, 7}, []int{1, 3}, false, false))
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, []float32{1, 2, 3}, y)
		keep := l.Momentum
		assert.InDeltaSlice(t, []float64{5 * (1 - keep), -6 * (1 - keep), 7 * (1 - keep)}, []float64{float64(l.RunningMean[0]), float64(l.RunningMean[1]), float64(l.RunningMean[2])}, 1e-6)
		assert.InDelta(t, keep, l.RunningVar[1], 1e-6)
	}
}

// layerGradients are the central differences of the float64 oracle for Σ dy·y.
func groupGradients(g testkit.Groups, x, dy, gamma []float32, channels int, epsilon, deviation float64, centered bool) (dx, dgamma, dbeta []float64) {
	wx, wg, wb := testkit.Widen(x, len(x), 0), testkit.Widen(gamma, channels, 1), make([]float64, channels)
	f := func() float64 { return testkit.Dot(dy, g.Forward(wx, wg, wb, epsilon, centered)) }
	return testkit.Gradient(f, wx, deviation), testkit.Gradient(f, wg, 1), testkit.Gradient(f, wb, 1)
}

func TestBatchNormLayerBackward(t *testing.T) {
	var worst testkit.Worst
	for i, c := range trainingShapes {
		if spared(i) {
			continue
		}
		axis := c.layout.axis(len(c.shape))
		n, size := c.shape[axis], product64(c.shape)
		if size > 1000 {
			continue
		}
		groups := testkit.ByChannel(c.shape, axis)
		for variant := range 5 {
			r := testkit.Rand(uint64(10*i + variant))
			mean, deviation := 3.0, 2.0
			if variant == 4 {
				mean, deviation = 1e7, 50
			}
			x, dy := testkit.Normal(r, size, mean, deviation), testkit.Normal(r, size, 0.5, 1)
			l, err := NewBatchNormLayer(n, ONNX)
			require.NoError(t, err)
			l.Layout = c.layout
			copy(l.Gamma, testkit.Normal(r, n, 1, 1))
			copy(l.Beta, testkit.Normal(r, n, 0, 1))
			if variant == 1 {
				l.Gamma, l.Beta = nil, nil
			}
			if variant == 3 {
				copy(l.RunningMean, testkit.Normal(r, n, 0, 1))
				copy(l.RunningVar, testkit.Uniform(r, n, 0.5, 2))
			}
			means, variance := append([]float32(nil), l.RunningMean...), append([]float32(nil), l.RunningVar...)
			require.NoError(t, l.Forward(make([]float32, size), x, c.shape, variant != 3, true))
			in, grad := testkit.Input("x", x, 1), testkit.Input("dy", dy, 2)
			dx := testkit.Output("dx", size, 3)
			if variant == 2 {
				grad = testkit.InOut("dy and dx", dy, 1)
				dx = grad
			}
			dgamma, dbeta := testkit.Output("dgamma", n, 0), testkit.Output("dbeta", n, 1)
			var wx, wg, wb []float64
			if variant == 3 { // frozen statistics: a plain scale and shift
				wx, wg, wb = make([]float64, size), make([]float64, n), make([]float64, n)
				for k := range x {
					ch := groups.Channel[k]
					root := math.Sqrt(float64(variance[ch]) + l.Epsilon)
					wx[k] = float64(dy[k]) * float64(l.Gamma[ch]) / root
					wg[ch] += float64(dy[k]) * (float64(x[k]) - float64(means[ch])) / root
					wb[ch] += float64(dy[k])
				}
			} else {
				wx, wg, wb = groupGradients(groups, x, dy, l.Gamma, n, l.Epsilon, deviation, true)
			}
			for range 2 { // it may be asked again
				copy(grad.S, dy)
				require.NoError(t, l.Backward(dx.S, dgamma.S, dbeta.S, grad.S, in.S))
			}
			for _, o := range []*testkit.Operand{in, grad, dx, dgamma, dbeta} {
				o.Check(t, "%v variant %d", c.shape, variant)
			}
			worst.Add(testkit.GradientError(dx.S, wx), "dx of %v %v, variant %d", c.shape, c.layout, variant)
			worst.Add(testkit.GradientError(dgamma.S, wg), "dgamma of %v %v, variant %d", c.shape, c.layout, variant)
			worst.Add(testkit.GradientError(dbeta.S, wb), "dbeta of %v %v, variant %d", c.shape, c.layout, variant)
		}
	}
	t.Logf("worst error of a gradient: %v", worst)
	assert.LessOrEqual(t, worst.Figure, 1e-4, worst.Where)
}

// InstanceNorm's running statistics take the average over the examples, by hand:
// means 2 and 20, unbiased variances 2 and 200.
func TestInstanceNormLayer(t *testing.T) {
	l, err := NewInstanceNormLayer(1, PyTorch)
	require.NoError(t, err)
	x, y := []float32{1, 3, 10, 30}, make([]float32, 4)
	require.NoError(t, l.Forward(y, x, []int{2, 1, 2}, true, true))
	assert.InDeltaSlice(t, []float32{-1, 1, -1, 1}, y, 1e-5)
	assert.InDelta(t, 1.1, l.RunningMean[0], 1e-6)
	assert.InDelta(t, 0.9+10.1, l.RunningVar[0], 1e-5)
	require.NoError(t, l.Forward(y, x, []int{2, 1, 2}, false, false))
	assert.InDeltaSlice(t, []float64{-0.1 / math.Sqrt(11), 1.9 / math.Sqrt(11), 8.9 / math.Sqrt(11), 28.9 / math.Sqrt(11)}, testkit.Widen(y, 4, 0), 1e-5)
	assert.EqualError(t, l.Forward(y[:2], x[:2], []int{2, 1, 1}, true, true), "norm: InstanceNorm: x [2 1 1] has one value per channel, want more (PyTorch's unbiased variance divides by one less)")
	assert.EqualError(t, l.Moments(NewMoments(1), x, []int{2, 1, 2}), "norm: InstanceNorm: Moments merges examples, and instance normalization keeps them apart")
}

func TestInstanceNormLayerBackward(t *testing.T) {
	var worst testkit.Worst
	for i, c := range trainingShapes {
		axis := c.layout.axis(len(c.shape))
		n, size := c.shape[axis], product64(c.shape)
		if size > 1000 || len(c.shape) == 2 {
			continue
		}
		r := testkit.Rand(uint64(i))
		x, dy := testkit.Normal(r, size, 3, 2), testkit.Normal(r, size, 0.5, 1)
		l, err := NewInstanceNormLayer(n, ONNX)
		require.NoError(t, err)
		l.Layout = c.layout
		copy(l.Gamma, testkit.Normal(r, n, 1, 1))
		groups := testkit.ByGroup(c.shape, axis, n)
		want := groups.Normalize(x, l.Gamma, l.Beta, l.Epsilon)
		y, dx, dgamma, dbeta := make([]float32, size), make([]float32, size), make([]float32, n), make([]float32, n)
		require.NoError(t, l.Forward(y, x, c.shape, true, true))
		for k, v := range y {
			assert.InDelta(t, want.Y[k], v, 2e-6)
		}
		require.NoError(t, l.Backward(dx, dgamma, dbeta, dy, x))
		wx, wg, wb := groupGradients(groups, x, dy, l.Gamma, n, l.Epsilon, 2, true)
		worst.Add(testkit.GradientError(dx, wx), "dx of %v", c.shape)
		worst.Add(testkit.GradientError(dgamma, wg), "dgamma of %v", c.shape)
		worst.Add(testkit.GradientError(dbeta, wb), "dbeta of %v", c.shape)
		// With the running statistics, a plain scale and shift.
		require.NoError(t, l.Forward(y, x, c.shape, false, false))
		require.NoError(t, l.Backward(dx, dgamma, nil, dy, x))
		for k, v := range dx {
			ch := groups.Channel[k]
			assert.InEpsilon(t, float64(dy[k])*float64(l.Gamma[ch])/math.Sqrt(float64(l.RunningVar[ch])+1e-5), v, 1e-6)
		}
	}
	t.Logf("worst error of a gradient: %v", worst)
	assert.LessOrEqual(t, worst.Figure, 1e-4, worst.Where)
}

// After an error nothing has changed: not y, not the running statistics, not what
// Backward would give.
func TestBatchNormLayerErrors(t *testing.T) {
	f := func(n int) []float32 { return make([]float32, n) }
	fresh := func(change func(l *BatchNormLayer)) *BatchNormLayer {
		l, err := NewBatchNormLayer(3, PyTorch)
		require.NoError(t, err)
		copy(l.RunningMean, []float32{1, 2, 3})
		if change != nil {
			change(l)
		}
		return l
	}
	forward := func(l *BatchNormLayer, y, x []float32, shape []int, useBatch bool) error {
		mean, variance := append([]float32(nil), l.RunningMean...), append([]float32(nil), l.RunningVar...)
		for i := range y {
			y[i] = 7
		}
		err := l.Forward(y, x, shape, useBatch, true)
		testkit.SameBits(t, mean, l.RunningMean, "running mean")
		testkit.SameBits(t, variance, l.RunningVar, "running variance")
		assert.Zero(t, l.Batches)
		for _, v := range y {
			assert.Equal(t, float32(7), v)
		}
		return err
	}
	shape := []int{2, 3, 2}
	_, negative := NewBatchNormLayer(-1, ONNX)
	_, unknown := NewBatchNormLayer(1, 3)
	ran := fresh(nil)
	require.NoError(t, ran.Forward(f(12), f(12), shape, true, false))
	require.Error(t, ran.Forward(f(12), f(12), []int{3, 3}, true, false)) // Backward still knows the one before
	require.NoError(t, ran.Backward(f(12), nil, nil, f(12), f(12)))
	for _, c := range []struct {
		err   error
		shape bool
		want  string
	}{
		{negative, true, "norm: BatchNorm: channels is -1, want at least 0"},
		{unknown, false, "norm: BatchNorm: framework is 3, want PyTorch, ONNX or Keras (0 to 2)"},
		{forward(fresh(nil), f(12), f(12), []int{2, 2, 3}, true), true, "norm: BatchNorm: x [2 2 3] has 2 channels (axis 1), want 3"},
		{forward(fresh(nil), f(12), f(11), shape, true), true, "norm: BatchNorm: x has 11 elements, want 12 (x [2 3 2])"},
		{forward(fresh(nil), f(13), f(12), shape, true), true, "norm: BatchNorm: y has 13 elements, want 12 (x [2 3 2])"},
		{forward(fresh(nil), f(3), f(3), []int{3}, true), true, "norm: BatchNorm: x [3] has rank 1, want at least 2 (examples and channels)"},
		{forward(fresh(func(l *BatchNormLayer) { l.Momentum = 1.5 }), f(12), f(12), shape, true), false, "norm: BatchNorm: momentum is 1.5, want 0 to 1"},
		{forward(fresh(func(l *BatchNormLayer) { l.Momentum = math.NaN() }), f(12), f(12), shape, true), false, "norm: BatchNorm: momentum is NaN, want 0 to 1"},
		{forward(fresh(func(l *BatchNormLayer) { l.Epsilon = -1 }), f(12), f(12), shape, true), false, "norm: BatchNorm: epsilon is -1, want a finite number of at least 0"},
		{forward(fresh(func(l *BatchNormLayer) { l.Activation = 7 }), f(12), f(12), shape, true), false, "norm: BatchNorm: activation is 7, want Linear, ReLU, ReLU6 or SiLU (0 to 3)"},
		{forward(fresh(func(l *BatchNormLayer) { l.Gamma = f(2) }), f(12), f(12), shape, true), true, "norm: BatchNorm: gamma has 2 elements, want 3 (one for each channel)"},
		{forward(fresh(func(l *BatchNormLayer) { l.Beta = f(2) }), f(12), f(12), shape, true), true, "norm: BatchNorm: beta has 2 elements, want 3 (one for each channel)"},
		{forward(fresh(func(l *BatchNormLayer) { l.RunningMean = f(2) }), f(12), f(12), shape, true), true, "norm: BatchNorm: running mean has 2 elements, want 3 (one for each channel)"},
		{forward(fresh(func(l *BatchNormLayer) { l.RunningVar = f(1) }), f(12), f(12), shape, true), true, "norm: BatchNorm: running variance has 1 elements, want 3 (one for each channel)"},
		{fresh(nil).Backward(f(12), nil, nil, f(12), f(12)), false, "norm: BatchNorm: Backward came before Forward: there are no statistics"},
		{ran.Backward(f(11), nil, nil, f(12), f(12)), true, "norm: BatchNorm: dx has 11 elements, want 12 (x [2 3 2])"},
		{ran.Backward(f(12), nil, nil, f(1), f(12)), true, "norm: BatchNorm: dy has 1 elements, want 12 (x [2 3 2])"},
		{ran.Backward(f(12), nil, nil, f(12), f(2)), true, "norm: BatchNorm: x has 2 elements, want 12 (x [2 3 2])"},
		{ran.Backward(f(12), f(2), nil, f(12), f(12)), true, "norm: BatchNorm: dgamma has 2 elements, want 3 (one for each channel)"},
		{ran.Backward(f(12), nil, f(4), f(12), f(12)), true, "norm: BatchNorm: dbeta has 4 elements, want 3 (one for each channel)"},
		{ran.BackwardSums(make([]float64, 5), f(12), f(12)), true, "norm: BatchNorm: sums has 5 elements, want 6 (two for each channel)"},
		{ran.ForwardWith(f(12), f(12), shape, NewMoments(3), true), false, "norm: BatchNorm: the moments are those of no values, want some"},
		{ran.ForwardWith(f(12), f(12), shape, NewMoments(2), true), true, "norm: MergeMoments: mean has 2 elements, want 3 (one for each channel)"},
		{ran.Moments(NewMoments(2), f(12), shape), true, "norm: BatchNorm: the moments have 2 channels, want 3"},
		{ran.SetStatistics(NewMoments(3)), false, "norm: BatchNorm: the moments are those of no values, want some"},
	} {
		assert.EqualError(t, c.err, c.want)
		var shape *ShapeError
		assert.Equal(t, c.shape, errors.As(c.err, &shape), c.want)
	}
}

func TestBatchNormLayerOfNothing(t *testing.T) {
	for _, shape := range [][]int{{0, 3}, {2, 3, 0}, {0, 3, 4, 4}} {
		l, err := NewBatchNormLayer(3, PyTorch)
		require.NoError(t, err)
		require.NoError(t, l.Forward(nil, nil, shape, true, true))
		assert.Zero(t, l.Batches)
		dgamma := []float32{1, 2, 3}
		require.NoError(t, l.Backward(nil, dgamma, nil, nil, nil))
		assert.Equal(t, []float32{0, 0, 0}, dgamma)
	}
}

func TestBatchNormLayerAllocatesNothing(t *testing.T) {
	for _, c := range trainingShapes {
		n, size := c.shape[c.layout.axis(len(c.shape))], product64(c.shape)
		l, err := NewBatchNormLayer(n, ONNX)
		require.NoError(t, err)
		l.Layout, l.Activation = c.layout, SiLU
		x, y, p, m, sums := make([]float32, size), make([]float32, size), make([]float32, n), NewMoments(n), make([]float64, 2*n)
		x[0] = 3e38
		assert.Zero(t, testing.AllocsPerRun(2, func() {
			_ = l.Forward(y, x, c.shape, true, true)
			_ = l.Backward(y, p, p, y, x)
			_ = l.Moments(m, x, c.shape)
			_ = l.ForwardWith(y, x, c.shape, m, true)
			_ = l.BackwardSums(sums, y, x)
			_ = l.BackwardWith(y, p, p, y, x, sums)
		}), "%v", c.shape)
	}
}

// A γ of another length than at the forward pass is an error, and nothing is written.
func TestBackwardChecksGamma(t *testing.T) {
	for _, gamma := range [][]float32{{}, {1}, {1, 1, 1}} {
		l, err := NewBatchNormLayer(2, ONNX)
		require.NoError(t, err)
		x := []float32{1, 2, 3, 5}
		require.NoError(t, l.Forward(make([]float32, 4), x, []int{2, 2}, true, false))
		l.Gamma = gamma
		dx, p, sums := []float32{7, 7, 7, 7}, []float32{7, 7}, []float64{7, 7, 7, 7}
		for _, err := range []error{l.Backward(dx, p, p, x, x), l.BackwardSums(sums, x, x), l.BackwardWith(dx, p, p, x, x, sums)} {
			var shape *ShapeError
			require.ErrorAs(t, err, &shape)
			assert.EqualError(t, err, "norm: BatchNorm: gamma has "+strconv.Itoa(len(gamma))+" elements, want 2 (one for each channel)")
		}
		assert.Equal(t, []float32{7, 7, 7, 7}, dx)
		assert.Equal(t, []float32{7, 7}, p)
		assert.Equal(t, []float64{7, 7, 7, 7}, sums)
	}
}
