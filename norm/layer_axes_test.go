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

// axesCases are shapes with axes: kept and normalized ones in every arrangement.
var axesCases = []struct{ shape, axes []int }{
	{[]int{5}, []int{0}},
	{[]int{5}, nil},
	{[]int{}, nil},
	{[]int{1}, []int{-1}},
	{[]int{3, 4}, []int{1}},
	{[]int{3, 4}, []int{0}},
	{[]int{3, 4}, []int{0, 1}},
	{[]int{3, 4}, []int{1, 0}},
	{[]int{3, 4}, nil},
	{[]int{2, 3, 4}, []int{-1}},
	{[]int{2, 3, 4}, []int{1}},
	{[]int{2, 3, 4}, []int{0}},
	{[]int{2, 3, 4}, []int{0, 2}},
	{[]int{2, 3, 4}, []int{2, 0}},
	{[]int{2, 3, 4}, []int{-1, -2}},
	{[]int{2, 3, 4}, []int{2, 0, 1}},
	{[]int{2, 8, 5, 7}, []int{1}}, // channels first: ConvNeXt
	{[]int{2, 8, 5, 7}, []int{1, 2, 3}},
	{[]int{2, 8, 5, 7}, []int{2, 3}},
	{[]int{2, 8, 5, 7}, []int{3, 1}},
	{[]int{2, 8, 5, 7}, []int{0, 2}},
	{[]int{2, 8, 5, 7}, []int{-4, -2, -1}},
	{[]int{1, 8, 1, 7}, []int{1}},
	{[]int{1, 8, 1, 7}, []int{2, 0}},
	{[]int{1, 8, 1, 7}, []int{0, 1, 2}},
	{[]int{3, 1, 4, 1}, []int{3, 2, 1}},
	{[]int{2, 3, 2, 3, 2}, []int{0, 2, 4}},
	{[]int{2, 3, 2, 3, 2}, []int{3, 1}},
	{[]int{2, 3, 2, 3, 2}, []int{4, 1, 2}},
	{[]int{1, 64, 300}, []int{1}},  // more lanes than a block
	{[]int{70, 300, 2}, []int{1}},  // fewer lanes than a block
	{[]int{2100, 33}, []int{0}},    // one long group a lane
	{[]int{40, 1000, 3}, []int{1}}, // several blocks
	{[]int{3, 40000, 2}, []int{1}}, // groups larger than a block's budget
	{[]int{9, 50, 9, 50}, []int{1, 3}},
	{[]int{0, 3}, []int{1}},
	{[]int{3, 0}, []int{1}},
	{[]int{3, 0}, []int{0}},
	{[]int{0}, nil},
	{[]int{2, 0, 3}, []int{2, 0}},
}

func positive(axes []int, rank int) []int {
	p := make([]int, len(axes))
	for i, a := range axes {
		p[i] = (a + rank) % max(rank, 1)
	}
	return p
}

// spared says which cases a short run in wasm leaves out, where the float64 oracle takes most of the time: two of
// three. A native run has all of them, and so has a long one.
func spared(i int) bool {
	return testing.Short() && runtime.GOARCH == "wasm" && i%3 != 0
}

func TestLayerNormAxes(t *testing.T) {
	for i, c := range axesCases {
		if spared(i) {
			continue
		}
		axes := positive(c.axes, len(c.shape))
		plan, err := NewLayerNorm(c.shape, c.axes, 1e-5)
		require.NoError(t, err)
		size := plan.Rows() * plan.Cols()
		r := testkit.Rand(uint64(i))
		data, addend := testkit.Normal(r, size, 1, 2), testkit.Normal(r, size, 0, 1)
		gamma, beta := testkit.Normal(r, plan.Cols(), 1, 1), testkit.Normal(r, plan.Cols(), 0, 1)
		sum := make([]float32, size)
		for k := range sum {
			sum[k] = data[k] + addend[k]
		}
		for variant := range 16 {
			g, b := gamma, beta
			if variant&1 != 0 {
				g = nil
			}
			if variant&2 != 0 {
				b = nil
			}
			x, y := testkit.Input("x", data, i%4), testkit.Output("y", size, i%3)
			if variant&8 != 0 {
				x = testkit.InOut("x and y", data, i%4)
				y = x
			}
			residual := &testkit.Operand{}
			want := testkit.LayerNorm(data, c.shape, axes, g, b, 1e-5)
			if variant&4 != 0 {
				residual = testkit.Input("residual", addend, 1)
				want = testkit.LayerNorm(sum, c.shape, axes, g, b, 1e-5)
			}
			mean, rstd := testkit.Output("mean", plan.Rows(), 0), testkit.Output("rstd", plan.Rows(), 1)
			for range 2 { // a plan is used again
				require.NoError(t, plan.Forward(y.S, mean.S, rstd.S, x.S, residual.S, g, b), "%v over %v", c.shape, c.axes)
				if variant&8 != 0 {
					break
				}
			}
			for k := range y.S {
				tolerance := 4 * testkit.ULP(max(math.Abs(want.Y[k]), math.Abs(want.Scaled[k]), 1e-6))
				if b != nil { // whichever element of beta it is, it is no larger
					tolerance = max(tolerance, 4*testkit.ULP(want.Y[k]-want.Scaled[k]))
				}
				require.InDelta(t, want.Y[k], y.S[k], tolerance, "%v over %v, variant %d, at %d", c.shape, c.axes, variant, k)
			}
			for k := range mean.S {
				require.True(t, testkit.Same(mean.S[k], want.Mean[k], testkit.ULP(want.Mean[k])), "mean %d of %v over %v: %v, want %v", k, c.shape, c.axes, mean.S[k], want.Mean[k])
				require.True(t, testkit.Same(rstd.S[k], want.Rstd[k], 1e-6*want.Rstd[k]), "rstd %d of %v over %v: %v, want %v", k, c.shape, c.axes, rstd.S[k], want.Rstd[k])
			}
			for _, o := range []*testkit.Operand{x, y, mean, rstd} {
				o.Check(t, "%v over %v", c.shape, c.axes)
			}
			if residual.S != nil {
				residual.Check(t, "%v over %v", c.shape, c.axes)
			}
			if size > 10000 && variant&7 == 0 {
				break
			}
		}
	}
}

// The order in which the axes are named changes what gamma and beta look like and
// not one bit of the result.
func TestLayerNormAxesOrderKeepsBits(t *testing.T) {
	shape := []int{4, 6, 5, 3}
	x := testkit.Normal(testkit.Rand(1), 360, 0, 1)
	want, got := make([]float32, 360), make([]float32, 360)
	require.NoError(t, LayerNormAxes(want, nil, nil, x, nil, nil, nil, shape, []int{0, 2, 3}, 1e-5))
	for _, axes := range [][]int{{3, 2, 0}, {2, 0, 3}, {-1, 0, -2}} {
		require.NoError(t, LayerNormAxes(got, nil, nil, x, nil, nil, nil, shape, axes, 1e-5))
		testkit.SameBits(t, want, got, "axes %v", axes)
	}
}

// A group gives the same bits wherever it lies: side by side or strided.
func TestLayerNormAxesMatchesRows(t *testing.T) {
	const rows, cols = 50, 37
	r := testkit.Rand(9)
	x, gamma, beta := testkit.Normal(r, rows*cols, 3, 1), testkit.Normal(r, cols, 0, 1), testkit.Normal(r, cols, 0, 1)
	x[100] = float32(math.Inf(1))
	x[200] = 1e30
	want, turned, got := make([]float32, rows*cols), make([]float32, rows*cols), make([]float32, rows*cols)
	require.NoError(t, LayerNormRows(want, nil, nil, x, nil, gamma, beta, rows, cols, 1e-5))
	for i := range x {
		turned[i%cols*rows+i/cols] = x[i]
	}
	require.NoError(t, LayerNormAxes(turned, nil, nil, turned, nil, gamma, beta, []int{cols, rows}, []int{0}, 1e-5))
	for i := range x {
		got[i] = turned[i%cols*rows+i/cols]
	}
	testkit.SameBits(t, want, got, "transposed")
}

func TestLayerNormPlanDescribesItself(t *testing.T) {
	plan, err := NewLayerNorm([]int{2, 3, 4}, []int{-1, 0}, 1e-5)
	require.NoError(t, err)
	assert.Equal(t, 3, plan.Rows())
	assert.Equal(t, 8, plan.Cols())
	assert.Equal(t, []int{1, 3, 1}, plan.StatShape())
}

func TestNewLayerNormErrors(t *testing.T) {
	cases := []struct {
		shape, axes []int
		epsilon     float64
		want        string
	}{
		{[]int{2, 3}, []int{2}, 0, "norm: LayerNorm: axis 2 is out of range for x [2 3], want -2 to 1"},
		{[]int{2, 3}, []int{0, -3}, 0, "norm: LayerNorm: axis -3 is out of range for x [2 3], want -2 to 1"},
		{[]int{}, []int{0}, 0, "norm: LayerNorm: axis 0 is out of range: x [] has no axes"},
		{[]int{2, 3}, []int{0, -2}, 0, "norm: LayerNorm: axes [0 -2] name axis 0 of x [2 3] twice"},
		{[]int{2, -3}, []int{0}, 0, "norm: LayerNorm: dimension 1 of x [2 -3] is negative"},
		{[]int{1 << 40, 1 << 40}, []int{0}, 0, "norm: LayerNorm: x [1099511627776 1099511627776] has more elements than memory can hold"},
		{[]int{2, 3}, []int{1}, -1, "norm: LayerNorm: epsilon is -1, want a finite number of at least 0"},
	}
	for _, c := range cases {
		_, err := NewLayerNorm(c.shape, c.axes, c.epsilon)
		assert.EqualError(t, err, c.want)
		assert.EqualError(t, LayerNormAxes(nil, nil, nil, nil, nil, nil, nil, c.shape, c.axes, c.epsilon), c.want)
		var shape *ShapeError
		assert.Equal(t, c.epsilon == 0, errors.As(err, &shape))
	}
}

func TestLayerNormForwardErrors(t *testing.T) {
	f := func(n int) []float32 { return make([]float32, n) }
	last, err := NewLayerNorm([]int{64, 768}, []int{1}, 1e-5)
	require.NoError(t, err)
	several, err := NewLayerNorm([]int{2, 3, 4}, []int{2, 0}, 1e-5)
	require.NoError(t, err)
	each, err := NewLayerNorm([]int{2}, nil, 1e-5)
	require.NoError(t, err)
	for _, c := range []struct {
		err  error
		want string
	}{
		{last.Forward(f(64*768), nil, nil, f(64*768), nil, f(512), nil), "norm: LayerNorm: gamma has 512 elements, want 768 (the last dimension of x [64 768])"},
		{last.Forward(f(64*768), nil, nil, f(64), nil, nil, nil), "norm: LayerNorm: x has 64 elements, want 49152 (x [64 768])"},
		{last.Forward(nil, nil, nil, f(64*768), nil, nil, nil), "norm: LayerNorm: y has 0 elements, want 49152 (x [64 768])"},
		{several.Forward(f(24), nil, nil, f(24), f(23), nil, nil), "norm: LayerNorm: residual has 23 elements, want 24 (x [2 3 4])"},
		{several.Forward(f(24), nil, nil, f(24), nil, nil, f(4)), "norm: LayerNorm: beta has 4 elements, want 8 (axes [2 0] of x [2 3 4])"},
		{several.Forward(f(24), f(8), nil, f(24), nil, nil, nil), "norm: LayerNorm: mean has 8 elements, want 3 (x [2 3 4] but for axes [2 0])"},
		{several.Forward(f(24), nil, f(1), f(24), nil, nil, nil), "norm: LayerNorm: rstd has 1 elements, want 3 (x [2 3 4] but for axes [2 0])"},
		{each.Forward(f(2), nil, nil, f(2), nil, f(2), nil), "norm: LayerNorm: gamma has 2 elements, want 1 (no dimension of x [2])"},
	} {
		assert.EqualError(t, c.err, c.want)
	}
}

// A fantasy shape costs nothing until operands of its size come.
func TestNewLayerNormOfFantasyShapeIsCheap(t *testing.T) {
	for _, axes := range [][]int{{0}, {1, 0}, {2, 0}, {2}} {
		plan, err := NewLayerNorm([]int{1 << 30, 3, 1 << 25}, axes, 1e-5)
		require.NoError(t, err)
		assert.Error(t, plan.Forward(nil, nil, nil, make([]float32, 8), nil, nil, nil))
	}
}

func TestLayerNormForwardAllocatesNothing(t *testing.T) {
	for _, c := range axesCases {
		plan, err := NewLayerNorm(c.shape, c.axes, 1e-5)
		require.NoError(t, err)
		n := plan.Rows() * plan.Cols()
		x, y, p, s := make([]float32, n), make([]float32, n), make([]float32, plan.Cols()), make([]float32, plan.Rows())
		assert.Zero(t, testing.AllocsPerRun(2, func() { _ = plan.Forward(y, s, s, x, x, p, p) }), "%v over %v", c.shape, c.axes)
	}
}

func FuzzLayerNormAxes(f *testing.F) {
	f.Add([]byte{2, 3, 4}, []byte{2}, uint64(1), uint8(0))
	f.Add([]byte{2, 3, 4}, []byte{0, 254}, uint64(2), uint8(3))
	f.Add([]byte{5, 1, 2, 6}, []byte{1}, uint64(3), uint8(7))
	f.Add([]byte{}, []byte{}, uint64(4), uint8(1))
	f.Add([]byte{0, 3}, []byte{0}, uint64(5), uint8(2))
	f.Add([]byte{7}, []byte{0, 0}, uint64(6), uint8(0))
	f.Add([]byte{200, 3}, []byte{255}, uint64(7), uint8(0))
	f.Fuzz(func(t *testing.T, dims, axisBytes []byte, seed uint64, variant uint8) {
		if len(dims) > 6 || len(axisBytes) > 8 {
			t.Skip()
		}
		shape, axes := make([]int, len(dims)), make([]int, len(axisBytes))
		size, rank, bad := 1, len(dims), false
		for i, d := range dims {
			shape[i] = int(int8(d)) % 12
			size *= shape[i]
			bad = bad || shape[i] < 0
		}
		seen := map[int]bool{}
		for i, a := range axisBytes {
			axes[i] = int(int8(a))
			at := axes[i]
			if at < 0 {
				at += rank
			}
			bad = bad || at < 0 || at >= rank || seen[at]
			seen[at] = true
		}
		if size > 20000 {
			t.Skip()
		}
		plan, err := NewLayerNorm(shape, axes, 1e-5)
		require.Equal(t, bad, err != nil, "%v over %v: %v", shape, axes, err)
		if bad {
			var e *ShapeError
			require.True(t, errors.As(err, &e))
			return
		}
		r := testkit.Rand(seed)
		data := testkit.Normal(r, size, float64(variant%5), 1)
		var gamma, beta []float32
		if variant&1 != 0 {
			gamma = testkit.Normal(r, plan.Cols(), 1, 1)
		}
		if variant&2 != 0 {
			beta = testkit.Normal(r, plan.Cols(), 0, 1)
		}
		x, y := testkit.Input("x", data, int(variant)%4), testkit.Output("y", size, int(variant)/4%4)
		mean, rstd := make([]float32, plan.Rows()), make([]float32, plan.Rows())
		require.NoError(t, plan.Forward(y.S, mean, rstd, x.S, nil, gamma, beta))
		want := testkit.LayerNorm(data, shape, positive(axes, rank), gamma, beta, 1e-5)
		for k := range y.S {
			require.InDelta(t, want.Y[k], y.S[k], 1e-6*max(1, math.Abs(want.Y[k]), math.Abs(want.Scaled[k])), "%v over %v at %d", shape, axes, k)
		}
		x.Check(t, "%v over %v", shape, axes)
		y.Check(t, "%v over %v", shape, axes)
	})
}
