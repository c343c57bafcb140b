package compute

import "github.com/normwasm/normwasm/internal/slab"

// arena deals out parts of the caller's scratch.
type arena []float32

//go:noinline
func (a *arena) take(n int) []float32 {
	s := (*a)[:n:n]
	*a = (*a)[n:]
	return s
}

// takeInts takes n elements as integers.
func (a *arena) takeInts(n int) []int32 {
	return slab.View[int32](slab.Bytes(a.take(n)))
}
