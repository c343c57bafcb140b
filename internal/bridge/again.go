package bridge

import "slices"

// repeated are the latest calls that went through. A page that runs a network on
// resident tensors makes the same few calls over and over; one that has the very
// integers of an earlier call needs no decoding, no search and no check.
type repeated struct {
	calls [8]repeatable
	next  int
}

// repeatable is a call with the part of the frame that it was read from.
type repeatable struct {
	frame []int32
	call  Call
}

// find returns the kept call of operation op that frame begins with, or nil.
func (r *repeated) find(op int, frame []int32) *Call {
	for i := range r.calls {
		k := &r.calls[i]
		if k.call.Op == op && len(k.frame) > 0 && slices.Equal(k.frame, frame[:len(k.frame)]) {
			return &k.call
		}
	}
	return nil
}

// keep remembers a call that went through, in the place of the oldest.
func (r *repeated) keep(c *Call, frame []int32) {
	k := &r.calls[r.next]
	r.next = (r.next + 1) % len(r.calls)
	k.frame = append(k.frame[:0], frame...)
	shape, axes := append(k.call.Shape[:0], c.Shape...), append(k.call.Axes[:0], c.Axes...)
	k.call = *c
	k.call.Shape = shape
	if c.Axes != nil {
		k.call.Axes = axes
	}
}

// forget lets go of all calls, because memory that one of them names goes: a call
// that is remembered would keep it.
func (r *repeated) forget() {
	for i := range r.calls {
		if k := &r.calls[i]; len(k.frame) > 0 {
			k.frame = k.frame[:0]
			k.call = Call{Shape: k.call.Shape[:0], Axes: k.call.Axes[:0]}
		}
	}
}
