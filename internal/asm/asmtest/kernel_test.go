//go:build wasm

package asmtest

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

func counting(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i + 1)
	}
	return x
}

func TestStoresKeepTheirOffset(t *testing.T) {
	src, dst := counting(8), make([]float32, 16)
	storeOffset(&dst[0], &src[0])
	assert.Equal(t, []float32{0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0}, dst)

	wide := make([]float64, 4)
	clear(dst)
	storeScalars(&dst[0], &wide[0], 7, 9)
	assert.Equal(t, []float32{0, 7, 0}, dst[:3])
	assert.Equal(t, []float64{0, 0, 9, 0}, wide)
}

func TestLaneOperationsTakeTheirLane(t *testing.T) {
	src, dst := counting(8), make([]float32, 4)
	lanes(&dst[0], &src[0])
	assert.Equal(t, []float32{4, 1, 2, 3}, dst)
	replaceLanes(&dst[0], &src[0])
	assert.Equal(t, []float32{1, 6, 3, 4}, dst)
	permute(&dst[0], &src[0])
	assert.Equal(t, []float32{4, 2, 1, 1}, dst)
}

func TestSplatAtEveryOffset(t *testing.T) {
	src, dst := counting(20), make([]float32, 80)
	splats(&dst[0], &src[0])
	for i, x := range dst {
		assert.Equal(t, src[i/4], x, "lane %d of %d", i%4, i/4)
	}
}

func TestPromotions(t *testing.T) {
	src, dst := []float32{0.1, -2, 1e30, 1e-40}, make([]float64, 4)
	promote(&dst[0], &src[0])
	for i, x := range src {
		assert.Equal(t, float64(x), dst[i])
	}
}

func TestConstantsKeepTheirBits(t *testing.T) {
	values := []float64{1, 0.1, -3, 1e-30, 1e30, 6, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), 16777217}
	dst, wide := make([]float32, len(values)+4), make([]float64, len(values))
	constants(&dst[0], &wide[0])
	for i, c := range values {
		assert.Equal(t, math.Float32bits(float32(c)), math.Float32bits(dst[i]), "float32 %v", c)
		assert.Equal(t, math.Float64bits(c), math.Float64bits(wide[i]), "float64 %v", c)
	}
	assert.Equal(t, []float32{-0.1, -0.1, -0.1, -0.1}, dst[len(values):])
}

// As assembled both are rounded twice; only a contraction after the link, which
// a test binary does not get, may change the first.
func TestMulAddRoundsTwice(t *testing.T) {
	x, y, z := []float32{1 + 1e-4, 3, 0.1, -2}, []float32{1 - 1e-4, 5, 0.3, 4}, []float32{-1, 1, -0.03, 8}
	dst := make([]float32, 8)
	mulAdd(&dst[0], &x[0], &y[0], &z[0])
	for i := range x {
		want := float32(x[i]*y[i]) + z[i]
		assert.Equal(t, want, dst[i])
		assert.Equal(t, want, dst[4+i])
	}
}

func TestSweepAtEveryEdge(t *testing.T) {
	for n := range 40 {
		src, dst := counting(n+2), make([]float32, n+2)
		dst[0], dst[n+1] = -1, -1
		sweep(&dst[1], &src[1], n)
		assert.Equal(t, float32(-1), dst[0], "n=%d", n)
		assert.Equal(t, float32(-1), dst[n+1], "n=%d", n)
		for i := 1; i <= n; i++ {
			assert.Equal(t, 2*src[i], dst[i], "n=%d i=%d", n, i)
		}
	}
}

func TestControlFlow(t *testing.T) {
	x := []float32{3, 2, 1, -1, -2}
	assert.Equal(t, 3, firstNegative(&x[0], len(x)))
	assert.Equal(t, 2, firstNegative(&x[0], 2))
	assert.Equal(t, 0, firstNegative(&x[0], 0))
	assert.Equal(t, 0, leaveBlock(0))
	assert.Equal(t, 7, leaveBlock(7))
	assert.Equal(t, 10, leaveBlock(70))
}

func TestArgumentsOfEveryType(t *testing.T) {
	assert.Equal(t, -3+0.5+2+0.25, argument(false, -3, 0.5, counting(2), 0.25))
	assert.Equal(t, -(5 + 0.5 + 3 + 0.125), argument(true, 5, 0.5, counting(3), 0.125))
}
