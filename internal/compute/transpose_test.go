package compute

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/testkit"
)

// transposeOracle finds each element by its index.
func transposeOracle[T any](x []T, shape, perm []int) []T {
	out := make([]int, len(shape))
	for i, p := range perm {
		out[i] = shape[p]
	}
	y := make([]T, len(x))
	for i := range y {
		index := testkit.Unravel(i, out)
		from := make([]int, len(shape))
		for a, p := range perm {
			from[p] = index[a]
		}
		flat := 0
		for a, n := range shape {
			flat = flat*n + from[a]
		}
		y[i] = x[flat]
	}
	return y
}

func checkTranspose(t *testing.T, shape, perm []int) {
	n := 1
	for _, d := range shape {
		n *= d
	}
	values := make([]float32, n)
	bytes := make([]uint8, n)
	for i := range values {
		values[i], bytes[i] = float32(i), uint8(i*7)
	}
	name := fmt.Sprint(shape, perm)
	x, y := testkit.Input("x", values, 1), testkit.Output("y", n, 2)
	Transpose(y.S, x.S, shape, perm)
	testkit.SameBits(t, transposeOracle(values, shape, perm), y.S, "%s", name)
	x.Check(t, "%s", name)
	y.Check(t, "%s", name)
	got := make([]uint8, n)
	Transpose(got, bytes, shape, perm)
	require.Equal(t, transposeOracle(bytes, shape, perm), got, name)
}

func TestTranspose(t *testing.T) {
	for _, rows := range []int{1, 2, 3, 4, 5, 8, 11} {
		for _, cols := range []int{1, 3, 4, 7, 8, 13} {
			checkTranspose(t, []int{rows, cols}, []int{1, 0})
		}
	}
	shape := []int{3, 5, 2, 6}
	var permutations func(perm []int)
	permutations = func(perm []int) {
		if len(perm) == len(shape) {
			checkTranspose(t, shape, perm)
			return
		}
		for a := range shape {
			if !slices.Contains(perm, a) {
				permutations(append(slices.Clone(perm), a))
			}
		}
	}
	permutations(nil)
	checkTranspose(t, []int{}, []int{})
	checkTranspose(t, []int{4}, []int{0})
	checkTranspose(t, []int{2, 0, 3}, []int{2, 1, 0})
	checkTranspose(t, []int{1, 1, 1}, []int{2, 0, 1})
	checkTranspose(t, []int{1, 6, 1, 4}, []int{3, 0, 1, 2})
	checkTranspose(t, []int{2, 3, 1, 2, 3, 2}, []int{5, 0, 3, 1, 4, 2})
	checkTranspose(t, []int{1, 8, 6, 16}, []int{0, 2, 1, 3})
}
