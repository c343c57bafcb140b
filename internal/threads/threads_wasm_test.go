//go:build wasm && !purego && !replay

package threads

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/normwasm/normwasm/internal/kernel"
)

// helped makes For believe in a helper, which never takes a job.
func helped(t *testing.T) {
	Start(2)
	control.ready = 1
	t.Cleanup(func() {
		control.ready, late, alone = 0, 0, 0
		Start(1)
	})
}

// What no helper begins is computed here, once, also in a For within a part.
func TestForTakesBack(t *testing.T) {
	helped(t)
	assert.Equal(t, 2, Count())
	x := make([]float32, 7*3)
	one := []float32{1}
	For(7, func(part int) {
		For(3, func(inner int) {
			at := &x[part*3+inner]
			kernel.AddRows(at, at, 0, 1, &one[0], 0, 0, 1, 1)
		})
	})
	for i, v := range x {
		assert.Equal(t, float32(1), v, "element %d", i)
	}
	assert.Equal(t, 2, Used())
	assert.Equal(t, control.head, tail)
	assert.NotZero(t, tail, "parts were recorded")
}

// Helpers that are late a few times get no work for a while, then a little.
func TestDelayed(t *testing.T) {
	helped(t)
	for range tolerated {
		delayed(2*lateness, lateness)
	}
	assert.Zero(t, alone)
	delayed(2*lateness, 3*lateness) // less than was computed meanwhile
	delayed(lateness/2, 0)
	for range 3 {
		delayed(2*lateness, lateness)
	}
	assert.InDelta(t, nanotime()+rest, alone, rest/2)
	alone = nanotime() + 1e9
	For(4, func(int) {})
	assert.Equal(t, 1, Used())
	alone = nanotime()
	For(4, func(int) {})
	assert.Equal(t, 2, Used())
	for range 100 {
		delayed(2*lateness, lateness)
	}
	assert.InDelta(t, nanotime()+rest<<longest, alone, rest)
}
