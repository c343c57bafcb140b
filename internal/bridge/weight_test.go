package bridge

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/norm"
)

// putDoubles allocates a slab with these float64.
func putDoubles(t *testing.T, b *Bridge, d ...float64) (Handle, []float64) {
	t.Helper()
	h, err := b.Alloc(8 * len(d))
	require.NoError(t, err)
	bytes, err := b.Bytes(h)
	require.NoError(t, err)
	copy(bytes, slab.Bytes(d))
	return h, slab.View[float64](bytes)
}

func ramp(n int, from float32) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = from + float32(i*i%7) - float32(i%3)
	}
	return s
}

func TestAdaptiveLayerNormFrame(t *testing.T) {
	b := New()
	x, dy, scale, shift := ramp(24, 1), ramp(24, -2), ramp(8, 0.5), ramp(8, 3)
	plan, err := norm.NewAdaptiveLayerNorm(2, 3, 4, 1e-3)
	require.NoError(t, err)
	want, mean, rstd := make([]float32, 24), make([]float32, 6), make([]float32, 6)
	require.NoError(t, plan.Forward(want, mean, rstd, x, scale, shift))
	dx, dscale, dshift := make([]float32, 24), make([]float32, 8), make([]float32, 8)
	require.NoError(t, plan.Backward(dx, dscale, dshift, dy, x, mean, rstd, scale))

	hx, hd, hs, hh := put(t, b, x...), put(t, b, dy...), put(t, b, scale...), put(t, b, shift...)
	hy, hm, hg := put(t, b, make([]float32, 24)...), put(t, b, make([]float32, 12)...), put(t, b, make([]float32, 16)...)
	number := op(t, "adaptiveLayerNorm")
	forward := func(shape []int) error {
		frame(b, whole(hy, 24), whole(hx, 24), whole(hs, 8), whole(hh, 8), []int{int(hm), 0, 6}, []int{int(hm), 6, 6}, shape, []int{-1}, given(1e-3))
		return b.NormFrame(number)
	}
	for _, shape := range [][]int{{3, 2, 3, 4}, {4, 2, 1, 3, 4}, {5, 2, 3, 1, 1, 4}} { // tokens of any rank
		require.NoError(t, forward(shape))
		assert.Equal(t, want, read(t, b, hy))
		assert.Equal(t, append(slices.Clone(mean), rstd...), read(t, b, hm))
	}
	assert.Zero(t, testing.AllocsPerRun(10, func() { b.NormFrame(number) }))

	back := op(t, "adaptiveLayerNormBackward")
	frame(b, whole(hy, 24), whole(hd, 24), whole(hx, 24), whole(hs, 8), []int{int(hm), 0, 6}, []int{int(hm), 6, 6}, []int{int(hg), 0, 8}, []int{int(hg), 8, 8}, []int{3, 2, 3, 4}, []int{-1}, given(1e-3))
	require.NoError(t, b.NormFrame(back))
	assert.Equal(t, dx, read(t, b, hy))
	assert.Equal(t, append(slices.Clone(dscale), dshift...), read(t, b, hg))
	assert.Zero(t, testing.AllocsPerRun(10, func() { b.NormFrame(back) }))

	for _, bad := range []struct {
		shape []int
		text  string
	}{
		{[]int{1, 24}, "rank 1, want at least 2"}, {[]int{0}, "rank 0, want at least 2"}, {[]int{3, 2, 4, 4}, "x has 24 elements, want 32"},
		{[]int{3, 1, 6, 4}, "scale has 8 elements, want 4"}, {[]int{4, 2, -3, -1, 4}, "negative"}, {[]int{3, -2, 3, 4}, "negative"},
		{[]int{5, 2, math.MaxInt32, math.MaxInt32, math.MaxInt32, 4}, "x [2 -1 4]"},
	} {
		assert.Equal(t, BadShape, status(t, b, forward(bad.shape)), bad.shape)
		assert.Contains(t, string(b.Failure()), bad.text)
	}
}

func TestWeightNormFrame(t *testing.T) {
	b := New()
	v, g := ramp(12, 1), []float32{2, -3}
	want := make([]float32, 12)
	require.NoError(t, norm.WeightNorm(want, nil, v, g, 2, 6))
	hv, hg, hw := put(t, b, v...), put(t, b, g...), put(t, b, make([]float32, 12)...)
	number := op(t, "weightNorm")
	call := func(w []int, g []int, shape []int) error {
		frame(b, w, whole(hv, 12), g, shape, []int{-1})
		return b.NormFrame(number)
	}
	require.NoError(t, call(whole(hw, 12), whole(hg, 2), []int{3, 2, 3, 2}))
	assert.Equal(t, want, read(t, b, hw))
	assert.Zero(t, testing.AllocsPerRun(10, func() { b.NormFrame(number) }))
	for _, bad := range []struct {
		w, g, shape []int
		text        string
	}{
		{whole(hw, 12), absent, []int{2, 2, 6}, "g has 0 elements, want 2"}, {whole(hw, 12), whole(hg, 2), []int{2, 3, 4}, "g has 2 elements, want 3"},
		{whole(hw, 12), whole(hg, 2), []int{2, 2, 5}, "v has 12 elements, want 10"}, {[]int{int(hw), 0, 6}, whole(hg, 2), []int{2, 2, 6}, "out has 6 elements, want 12"},
		{whole(hw, 12), whole(hg, 2), []int{0}, "shape is []"}, {whole(hw, 12), whole(hg, 2), []int{3, 2, -2, -3}, "not a matrix"},
		{whole(hw, 12), whole(hg, 2), []int{2, -2, 6}, "not a matrix"},
	} {
		assert.Equal(t, BadShape, status(t, b, call(bad.w, bad.g, bad.shape)), bad.text)
		assert.Contains(t, string(b.Failure()), bad.text)
	}
	require.NoError(t, call(whole(hv, 12), whole(hg, 2), []int{2, 2, 6}))
	assert.Equal(t, want, read(t, b, hv), "in place")
}

// The package for JavaScript makes the same start: its tests have the same numbers.
func TestSpectralNormStart(t *testing.T) {
	s, err := norm.NewSpectralNorm(2, 3)
	require.NoError(t, err)
	assert.Equal(t, [][]float64{{-0.24867096338016934, 0.9685880197336629}, {0.9227480261381786, -0.031200032916485845, -0.3841388267333899}}, [][]float64{s.U, s.V})
}

func TestSpectralNormFrame(t *testing.T) {
	b := New()
	w := ramp(12, 1)
	s, err := norm.NewSpectralNorm(3, 4)
	require.NoError(t, err)
	hw, hy := put(t, b, w...), put(t, b, make([]float32, 12)...)
	hu, u := putDoubles(t, b, s.U...)
	hv, v := putDoubles(t, b, s.V...)
	hs, sigma := putDoubles(t, b, 0)
	number := op(t, "spectralNorm")
	call := func(u, v, sigma []int, shape []int, steps float64) error {
		frame(b, whole(hy, 12), whole(hw, 12), u, v, sigma, shape, []int{-1}, given(steps))
		return b.NormFrame(number)
	}
	shape := []int{3, 3, 2, 2}
	want := make([]float32, 12)
	for _, steps := range []int{0, 1, 1, 5} {
		value, err := s.Forward(want, w, steps)
		require.NoError(t, err)
		require.NoError(t, call(whole(hu, 6), whole(hv, 8), whole(hs, 2), shape, float64(steps)))
		assert.Equal(t, want, read(t, b, hy))
		assert.Equal(t, [][]float64{s.U, s.V, {value}}, [][]float64{u, v, sigma})
	}
	assert.Zero(t, testing.AllocsPerRun(10, func() { b.NormFrame(number) }))

	kept := [][]float64{slices.Clone(u), slices.Clone(v), slices.Clone(sigma)}
	for _, bad := range []struct {
		u, v, sigma, shape []int
		steps              float64
		status             Status
		text               string
	}{
		{absent, whole(hv, 8), whole(hs, 2), shape, 1, BadShape, "u has 0 elements, want 3"},
		{whole(hu, 6), []int{int(hv), 0, 6}, whole(hs, 2), shape, 1, BadShape, "v has 3 elements, want 4"},
		{whole(hu, 6), absent, whole(hs, 2), shape, 1, BadShape, "v has 0 elements, want 4"},
		{whole(hu, 6), whole(hv, 8), absent, shape, 1, BadShape, "sigma has 0 elements, want 1"},
		{[]int{int(hu), 0, 5}, whole(hv, 8), whole(hs, 2), shape, 1, BadShape, "5 float32 are no float64"},
		{whole(hu, 6), whole(hv, 8), whole(hu, 2), shape, 1, Invalid, "u and sigma are the same memory"},
		{whole(hu, 6), whole(hv, 8), whole(hs, 2), shape, -1, Invalid, "steps is -1, want at least 0"},
		{whole(hu, 6), whole(hv, 8), whole(hs, 2), shape, 0.5, BadShape, "steps is 0.5, want a whole number"},
		{whole(hu, 6), whole(hv, 8), whole(hs, 2), shape, 1e9, Invalid, "steps is 1000000000, want at most 1000000"},
		{whole(hu, 6), whole(hv, 8), whole(hs, 2), []int{2, 3, 0}, 1, BadShape, "v has 4 elements, want 0"},
		{whole(hu, 6), whole(hv, 8), whole(hs, 2), []int{2, 1 << 30, 1}, 1, BadShape, "u has 3 elements, want 1073741824"},
		{absent, absent, whole(hs, 2), []int{2, 0, 0}, 1, BadShape, "not a matrix that has a singular value"},
		{absent, absent, whole(hs, 2), []int{0}, 1, BadShape, "shape is []"},
	} {
		assert.Equal(t, bad.status, status(t, b, call(bad.u, bad.v, bad.sigma, bad.shape, bad.steps)), bad.text)
		assert.Contains(t, string(b.Failure()), bad.text)
		assert.Equal(t, kept, [][]float64{u, v, sigma}, bad.text)
	}
	frame(b, whole(hy, 12), []int{int(hw), 0, 11}, whole(hu, 6), whole(hv, 8), whole(hs, 2), shape, []int{-1}, given(1))
	assert.Equal(t, BadShape, status(t, b, b.NormFrame(number)))
	assert.Contains(t, string(b.Failure()), "w has 11 elements, want 12 (3 rows of 4)")
	assert.Equal(t, kept, [][]float64{u, v, sigma})

	// A step at a time, and the very stop of Converge.
	other, err := norm.NewSpectralNorm(3, 4)
	require.NoError(t, err)
	copy(u, other.U)
	copy(v, other.V)
	steps, err := other.Converge(w, 1e-9, 100)
	require.NoError(t, err)
	for before, n := math.Inf(1), 1; ; n++ {
		require.NoError(t, call(whole(hu, 6), whole(hv, 8), whole(hs, 2), shape, 1))
		if math.Abs(sigma[0]-before) <= 1e-9*sigma[0] {
			assert.Equal(t, steps, n)
			break
		}
		before = sigma[0]
	}
	assert.Equal(t, [][]float64{other.U, other.V}, [][]float64{u, v})
}

func TestBackwardOfPlainLayersFrame(t *testing.T) {
	b := New()
	x, dy := ramp(24, 1), ramp(24, -2)
	lp, err := norm.NewLpNorm([]int{2, 3, 4}, 1, 2, 1e-3)
	require.NoError(t, err)
	response, err := norm.NewLocalResponseNorm([]int{2, 3, 4}, 3, 0.5, 0.75, 2)
	require.NoError(t, err)
	hx, hd, hy := put(t, b, x...), put(t, b, dy...), put(t, b, make([]float32, 24)...)
	want := make([]float32, 24)
	for _, tt := range []struct {
		name     string
		backward func(dx, dy, x []float32) error
		options  []int
	}{
		{"lpNormBackward", lp.Backward, given(1e-3, 1, 2)},
		{"localResponseNormBackward", response.Backward, given(3, 0.5, 0.75, 2)},
	} {
		require.NoError(t, tt.backward(want, dy, x))
		number := op(t, tt.name)
		frame(b, whole(hy, 24), whole(hd, 24), whole(hx, 24), []int{3, 2, 3, 4}, []int{-1}, tt.options)
		require.NoError(t, b.NormFrame(number))
		assert.Equal(t, want, read(t, b, hy), tt.name)
		assert.Zero(t, testing.AllocsPerRun(10, func() { b.NormFrame(number) }), tt.name)
		frame(b, whole(hy, 24), whole(hd, 24), []int{int(hx), 0, 20}, []int{3, 2, 3, 4}, []int{-1}, tt.options)
		assert.Equal(t, BadShape, status(t, b, b.NormFrame(number)))
		assert.Contains(t, string(b.Failure()), "x has 20 elements, want 24")
	}
}
