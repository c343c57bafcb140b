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
		control.ready, waste, noted, alone, woken, again = 0, 0, 0, 0, 0, 0
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
	now := int64(1e15) // a clock of its own: a busy computer stops the program for any time
	noted = now
	for range 100 {
		delayed(now, lateness-1, 0)
		delayed(now, 2*tolerated, 3*tolerated) // less than was computed meanwhile
	}
	assert.Zero(t, waste)
	delayed(now, tolerated/2, 0)
	assert.Zero(t, alone)
	now += 4 * tolerated // which makes up for it
	delayed(now, tolerated*3/4, 0)
	assert.EqualValues(t, tolerated*3/4, waste)
	assert.Zero(t, alone)
	delayed(now, tolerated/2, tolerated/4)
	assert.Equal(t, now+rest, alone)
	for i := range 2 * longest {
		delayed(now, tolerated, lateness)
		assert.Equal(t, now+rest<<min(i+1, longest), alone)
	}
	now = alone + 16*rest<<longest
	delayed(now, tolerated, lateness)
	assert.Equal(t, now+rest<<longest, alone, "not for long enough in peace")
	now = alone + 16*rest<<longest + 1
	delayed(now, tolerated, lateness)
	assert.Equal(t, now+rest, alone)
}

// While helpers get no work, nothing is recorded for them; a helper that does not come counts as wasted
// time.
func TestForAlone(t *testing.T) {
	helped(t)
	before := tail
	alone = nanotime() + 3600e9
	For(4, func(int) {})
	assert.Equal(t, 1, Used())
	assert.Equal(t, before, tail)
	alone = nanotime()
	For(4, func(int) {})
	assert.Equal(t, 2, Used())
	assert.Zero(t, alone)
	assert.EqualValues(t, missed, waste)
}

// A run that is quicker in one thread has it, from Begin to End.
func TestUndivided(t *testing.T) {
	helped(t)
	trial := Trial{shapes: 5, phase: settled, whole: true, fors: 4, until: nanotime() + 3600e9}
	before := tail
	trial.Begin(5)
	assert.Equal(t, 1, Parts(100, 1e9))
	For(4, func(int) {})
	trial.End()
	assert.Equal(t, 1, Used())
	assert.Equal(t, before, tail)
	assert.Equal(t, 4, Parts(100, 1e9))
	trial.Begin(6) // other shapes
	For(4, func(int) {})
	trial.End()
	assert.Equal(t, 2, Used())
	assert.Equal(t, 1, trial.runs)
}
