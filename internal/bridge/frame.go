package bridge

import (
	"math"

	"github.com/normwasm/normwasm/internal/text"
)

// reader takes a call's integers off the frame. The first failure sticks.
//
// An operand is three integers: handle, offset and count, the last two in
// elements. A shape or a list of axes is its length and its elements.
type reader struct {
	b    *Bridge
	at   int
	dims int // of b.dims, how much is used
	err  error
}

// MaxRank bounds shapes, so that decoding one allocates nothing.
const MaxRank = 32

func (b *Bridge) read() reader {
	if b.dims == nil {
		b.dims = make([]int, 2*MaxRank)
	}
	return reader{b: b}
}

func (r *reader) int() int {
	if r.at == len(r.b.frame) {
		if r.err == nil {
			r.err = &Error{Invalid, "bridge: the frame ends before its last operand"}
		}
		return 0
	}
	r.at++
	return int(r.b.frame[r.at-1])
}

// float64 reads a number: two integers, the low half first.
func (r *reader) float64() float64 {
	low, high := uint32(r.int()), uint32(r.int())
	return math.Float64frombits(uint64(high)<<32 | uint64(low))
}

// floats reads an operand. Most are absent, which is why that is checked first.
func (r *reader) floats() []float32 {
	if r.err != nil {
		return nil
	}
	if len(r.b.frame)-r.at < 3 {
		r.at = len(r.b.frame)
		r.int() // sets r.err
		return nil
	}
	o := r.b.frame[r.at : r.at+3]
	r.at += 3
	if o[0] == 0 {
		return nil
	}
	var s []float32
	s, r.err = r.b.Floats(Handle(o[0]), int(o[1]), int(o[2]))
	return s
}

// list reads a list; length -1 gives nil.
func (r *reader) list(name string) []int {
	n := r.int()
	if r.err != nil || n == -1 {
		return nil
	}
	if n < 0 || n > MaxRank || n > len(r.b.dims)-r.dims {
		r.err = &Error{BadShape, text.Join("bridge: ", name, " has ", n, " entries, want at most ", MaxRank)}
		return nil
	}
	list := r.b.dims[r.dims : r.dims+n : r.dims+n]
	r.dims += n
	for i := range list {
		list[i] = r.int()
	}
	return list
}

// writer puts descriptors on the frame for the caller to read.
type writer struct {
	frame []int32
	at    int
	full  bool
}

func (w *writer) int(v int) {
	if w.at == len(w.frame) {
		w.full = true
		return
	}
	w.frame[w.at] = int32(v)
	w.at++
}
