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
		control.ready, waste, alone, woken, again = 0, 0, 0, 0, 0
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

// Helpers for which much time is wasted get no work for a while, and each time for longer.
func TestDelayed(t *testing.T) {
	helped(t)
	for range 100 {
		delayed(lateness-1, 0)
		delayed(2*tolerated, 3*tolerated) // less than was computed meanwhile
	}
	delayed(tolerated/2, 0)
	assert.Zero(t, alone)
	noted -= 4 * tolerated // which makes up for it
	delayed(tolerated*3/4, 0)
	assert.Zero(t, alone)
	delayed(tolerated/2, tolerated/4)
	assert.InDelta(t, nanotime()+rest, alone, rest/2)
	alone = nanotime() + 1e9
	For(4, func(int) {})
	assert.Equal(t, 1, Used())
	alone = nanotime()
	For(4, func(int) {})
	assert.Equal(t, 2, Used())
	for range 100 {
		delayed(tolerated, lateness)
	}
	assert.InDelta(t, nanotime()+rest<<longest, alone, rest)
	alone, waste = 0, 0
	for range tolerated/missed + 1 {
		For(4, func(int) {}) // and the helper never comes
	}
	assert.InDelta(t, nanotime()+rest<<longest, alone, rest)
	woken = nanotime() - 17*rest<<longest
	delayed(tolerated, lateness)
	assert.InDelta(t, nanotime()+rest, alone, rest/2)
}
