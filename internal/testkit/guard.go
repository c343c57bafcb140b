package testkit

import (
	"fmt"
	"math"
	"testing"
)

// band is the number of guard elements on each side, and guardBits what they hold:
// a NaN, so that a read outside shows in the result as well.
const (
	band      = 24
	guardBits = 0x7fc5afe5
)

// An Operand is a slice between guard bands. A kernel that writes outside it, or
// into it where it is an input, is found by Check.
type Operand struct {
	S        []float32 // the slice to hand out
	name     string
	all      []float32
	original []float32 // of an input
}

// Input returns a guarded copy of x, offset elements away from 16-byte alignment
// (as far as the allocator aligns). It must not be changed.
func Input(name string, x []float32, offset int) *Operand {
	o := Output(name, len(x), offset)
	copy(o.S, x)
	o.original = append([]float32(nil), x...)
	return o
}

// InOut returns a guarded copy of x that may be changed.
func InOut(name string, x []float32, offset int) *Operand {
	o := Output(name, len(x), offset)
	copy(o.S, x)
	return o
}

// Output returns a guarded slice of n elements, holding guard values at first.
func Output(name string, n, offset int) *Operand {
	all := make([]float32, n+2*band+offset)
	for i := range all {
		all[i] = math.Float32frombits(guardBits)
	}
	from := band + offset
	return &Operand{S: all[from : from+n : from+n], name: name, all: all}
}

// Check fails the test if a guard, or an input's element, has changed.
func (o *Operand) Check(t testing.TB, format string, args ...any) {
	t.Helper()
	n := len(o.S)
	from := len(o.all) - n - band
	for i, v := range o.all {
		inside := i >= from && i < from+n
		if !inside && math.Float32bits(v) != guardBits {
			t.Errorf("%s: %s was written at %d, outside its %d elements", fmt.Sprintf(format, args...), o.name, i-from, n)
			return
		}
		if inside && o.original != nil && math.Float32bits(v) != math.Float32bits(o.original[i-from]) {
			t.Errorf("%s: the input %s was changed at %d", fmt.Sprintf(format, args...), o.name, i-from)
			return
		}
	}
}
