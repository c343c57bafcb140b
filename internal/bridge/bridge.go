// Package bridge is what JavaScript sees of the module: handles for resident memory and
// sessions, the frame that carries a call's operands, and the status that goes back. Both
// interfaces of package wasm, by syscall/js and by exports, call it. It is plain Go that
// knows nothing of JavaScript, so that it can be fuzzed natively.
package bridge

import "github.com/normwasm/normwasm/internal/slab"

// Version is the module's, the same as the npm package's.
const Version = "0.1.0"

// Bridge is the state behind one module instance. It serves one call at a time,
// as JavaScript makes them.
type Bridge struct {
	handles table
	inUse   int // bytes of live tensors
	tensors int
	all     sessions

	scratch  Handle // the slab that plain arrays are copied into, 0 before the first
	frame    []int32
	dims     []int // decoded shapes, reused from call to call
	plans    plans
	call     Call // of NormFrame
	repeated repeated

	failure []byte // the latest error's text
}

// FrameSize is the number of int32 in the frame.
const FrameSize = 4096

// New returns an empty bridge.
func New() *Bridge {
	return &Bridge{frame: slab.View[int32](slab.New(FrameSize * 4))}
}

// Frame is the memory that a caller writes a call's integers into and reads
// descriptors from. Its address never changes.
func (b *Bridge) Frame() []int32 { return b.frame }

// Memory is what live tensors, layers and sessions hold.
type Memory struct {
	InUse    int // bytes: of a session its file, other weights, packed ones, and the plans' memory
	Tensors  int
	Sessions int
	Scratch  int // bytes kept for copying plain arrays; not part of InUse
}

// Memory counts.
func (b *Bridge) Memory() Memory {
	m := Memory{InUse: b.inUse + held(b.all), Tensors: b.tensors, Sessions: len(b.all)}
	if s, err := b.block(b.scratch); err == nil {
		m.Scratch = len(s.bytes)
	}
	return m
}
