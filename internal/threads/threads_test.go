package threads

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/normwasm/normwasm/internal/kernel"
)

func TestRange(t *testing.T) {
	for n := range 40 {
		for parts := 1; parts <= 9; parts++ {
			next := 0
			for part := range parts {
				from, to := Range(n, parts, part)
				assert.Equal(t, next, from)
				assert.InDelta(t, float64(n)/float64(parts), float64(to-from), 1)
				next = to
			}
			assert.Equal(t, n, next)
		}
	}
}

func TestFor(t *testing.T) {
	defer Test(Count())
	Test(1) // what counts the times is not done again in the same way
	for _, parts := range []int{0, 1, 2, 7, 200} {
		times := make([]int, parts)
		For(parts, func(part int) { times[part]++ })
		for part, n := range times {
			assert.Equal(t, 1, n, "part %d of %d", part, parts)
		}
	}
}

// Parts may be short in a test, and share what is not theirs only by way of For's end.
func TestThreads(t *testing.T) {
	defer Test(Count())
	for count := 1; count <= 5; count++ {
		Test(count)
		parts := Parts(100, 1000)
		x, y := make([]float32, 100), make([]float32, 100)
		for i := range x {
			x[i] = float32(i)
		}
		double := func(part int) {
			from, to := Range(len(x), parts, part)
			for range 3 { // may be done again
				kernel.MulRows(&y[from], &x[from], 0, 1, &two[0], 0, 0, 1, to-from)
			}
		}
		For(parts, double)
		for i, v := range y {
			assert.Equal(t, float32(2*i), v)
		}
		Test(1)
		assert.Zero(t, testing.AllocsPerRun(1, func() { For(len(x), func(part int) { y[part] = x[part] }) }))
	}
}

var two = []float32{2}
