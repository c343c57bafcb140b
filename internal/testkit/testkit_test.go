package testkit

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

// recorder is a test that notes its failures instead of failing.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Errorf(string, ...any) { r.failed = true }

func TestULP(t *testing.T) {
	for v, want := range map[float64]float64{0: 0x1p-149, 1e-45: 0x1p-149, 1: 0x1p-23, -1.999: 0x1p-23, 2: 0x1p-22, 0.75: 0x1p-24, math.MaxFloat32: 0x1p104, 1e300: 0x1p104} {
		assert.Equal(t, want, ULP(v), "%v", v)
	}
}

func TestGuardsFindStrayWrites(t *testing.T) {
	for _, c := range []struct {
		name string
		at   int // index into all, relative to S
		want bool
	}{{"before", -1, true}, {"after", 5, true}, {"far after", 5 + band - 1, true}, {"inside", 2, false}} {
		o := Output("y", 5, 3)
		o.all[band+3+c.at] = 1
		r := &recorder{TB: t}
		o.Check(r, "test")
		assert.Equal(t, c.want, r.failed, c.name)
	}
	in := Input("x", []float32{1, 2, 3}, 0)
	in.S[1] = 7
	r := &recorder{TB: t}
	in.Check(r, "test")
	assert.True(t, r.failed, "a changed input goes unnoticed")
}

func TestSameBits(t *testing.T) {
	nan, other := float32(math.NaN()), math.Float32frombits(0xffc00001)
	negative := float32(math.Copysign(0, -1))
	for _, c := range []struct {
		a, b []float32
		want bool
	}{
		{[]float32{1, nan}, []float32{1, other}, true},
		{[]float32{0}, []float32{negative}, false},
		{[]float32{1}, []float32{math.Nextafter32(1, 2)}, false},
		{[]float32{nan}, []float32{1}, false},
		{[]float32{1}, []float32{1, 2}, false},
	} {
		r := &recorder{TB: t}
		assert.Equal(t, c.want, SameBits(r, c.a, c.b, "test"))
		assert.Equal(t, !c.want, r.failed)
	}
}

// By hand: mean 2.5, variance 1.25.
func TestLayerNormOracle(t *testing.T) {
	r := LayerNormRow([]float32{1, 2, 3, 4}, []float32{1, 1, 1, 2}, []float32{0, 0, 0, 1}, 0)
	assert.Equal(t, 2.5, r.Mean[0])
	assert.InDelta(t, 1/math.Sqrt(1.25), r.Rstd[0], 1e-15)
	assert.InDeltaSlice(t, []float64{-1.5 / math.Sqrt(1.25), -0.5 / math.Sqrt(1.25), 0.5 / math.Sqrt(1.25), 3/math.Sqrt(1.25) + 1}, r.Y, 1e-15)
	// Over the first of two axes: columns are groups.
	r = LayerNorm([]float32{1, 10, 3, 30}, []int{2, 2}, []int{0}, nil, nil, 0)
	assert.Equal(t, []float64{-1, -1, 1, 1}, r.Y)
	assert.Equal(t, []float64{2, 20}, r.Mean)
}

func TestBatchNormOracle(t *testing.T) {
	y, scaled := BatchNorm([]float32{1, 2, 3, 4}, []int{2, 2}, 1, []float32{1, 2}, []float32{4, 1}, []float32{2, 1}, []float32{0, 5}, 0, 0, 6)
	assert.Equal(t, []float64{0, 0, 2, 2}, scaled)
	assert.Equal(t, []float64{0, 5, 2, 6}, y)
}
