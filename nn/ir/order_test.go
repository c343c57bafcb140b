package ir

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestOrderedIsAStableSort(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 70 {
		keys, want := make([]int, n), make([]int, n)
		for i := range keys {
			keys[i], want[i] = r.IntN(1+n/2), i
		}
		slices.SortStableFunc(want, func(a, b int) int { return keys[a] - keys[b] })
		assert.Equal(t, want, Ordered(n, func(a, b int) bool { return keys[a] < keys[b] }), keys)
	}
}
