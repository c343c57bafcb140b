package threads

import (
	"testing"

	"github.com/stretchr/testify/assert"
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
	for _, parts := range []int{0, 1, 2, 7, 200} {
		times := make([]int, parts)
		For(parts, func(part int) { times[part]++ })
		for part, n := range times {
			assert.Equal(t, 1, n, "part %d of %d", part, parts)
		}
	}
}
