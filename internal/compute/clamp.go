package compute

import (
	"math"

	"github.com/normwasm/normwasm/internal/threads"
)

// Clamp limits a result to [Lo, Hi] in the pass that computes it. The zero value
// leaves the result as it is.
type Clamp struct{ Lo, Hi float32 }

// The clamps that networks have.
var (
	NoClamp = Clamp{}
	ReLU    = Clamp{0, float32(math.Inf(1))}
	ReLU6   = Clamp{0, 6}
)

// Function is applied to a result where it still is in a cache: F(y, y, A, B). The zero value leaves
// the result as it is. Where Scale is not 0, it is HardSwish in place of F, times Scale plus Shift.
type Function struct {
	F            func(y, x []float32, a, b float32)
	A, B         float32
	Scale, Shift float32
}

// To applies f to y.
func (f Function) To(y []float32) {
	switch {
	case f.Scale != 0:
		hardSwish(y, y, f.A, f.B, f.Scale, f.Shift)
	case f.F != nil:
		f.F(y, y, f.A, f.B)
	}
}

// ToAll is To, divided among threads.
func (f Function) ToAll(y []float32) {
	parts := threads.Parts(len(y)/64, len(y))
	threads.For(parts, func(part int) {
		from, to := threads.Range(len(y), parts, part)
		f.To(y[from:to])
	})
}

// bounds returns the limits that the kernels take.
//
//go:noinline
func (c Clamp) bounds() (lo, hi float32) {
	if c.Lo == 0 && c.Hi == 0 { // NoClamp
		return -inf, inf
	}
	return c.Lo, c.Hi
}
