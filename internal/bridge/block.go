package bridge

import (
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
)

// MaxBytes limits one allocation. (What all have together is limited by package slab.)
const MaxBytes = 1 << 30

// block is a slab that JavaScript knows by handle.
type block struct {
	bytes   []byte
	scratch bool
}

// Alloc makes a zeroed slab of n bytes, aligned to slab.Align.
func (b *Bridge) Alloc(n int) (Handle, error) {
	h, err := b.alloc(n, false)
	if err != nil {
		return 0, err
	}
	b.inUse += n
	b.tensors++
	return h, nil
}

func (b *Bridge) alloc(n int, scratch bool) (Handle, error) {
	if n < 0 || n > MaxBytes {
		return 0, &Error{NoMemory, text.Join("bridge: ", n, " bytes wanted at once; the limit is ", MaxBytes)}
	}
	bytes, err := slab.Take(n, !scratch)
	if err != nil {
		return 0, err
	}
	h, err := b.Keep(&block{bytes: bytes, scratch: scratch})
	if err != nil {
		slab.Give(bytes)
	}
	return h, err
}

// Free lets go of a slab or a layer. A second Free says Disposed.
func (b *Bridge) Free(h Handle) error {
	if l, ok := b.handles.get(h).(*layer); ok {
		b.inUse -= len(l.none) * layerBytes
		b.drop(h)
		return nil
	}
	s, err := b.block(h)
	if err != nil {
		return err
	}
	if s.scratch {
		return &Error{Invalid, "bridge: the scratch slab cannot be freed"}
	}
	b.release(h, s)
	slab.Give(s.bytes)
	return nil
}

// drop forgets what h names, and the calls that are remembered of it.
func (b *Bridge) drop(h Handle) {
	b.handles.drop(h)
	b.repeated.forget()
}

// release takes a slab off the list, whose memory goes on.
func (b *Bridge) release(h Handle, s *block) {
	b.drop(h)
	b.inUse -= len(s.bytes)
	b.tensors--
}

// Bytes is the memory of a live slab.
func (b *Bridge) Bytes(h Handle) ([]byte, error) {
	s, err := b.block(h)
	if err != nil {
		return nil, err
	}
	return s.bytes, nil
}

// Scratch returns the handle of a slab of at least n bytes whose contents last
// until the next call. It changes when the slab has to grow.
func (b *Bridge) Scratch(n int) (Handle, error) {
	if s, err := b.block(b.scratch); err == nil {
		if n <= len(s.bytes) {
			return b.scratch, nil
		}
		b.drop(b.scratch)
		b.scratch = 0
		slab.Give(s.bytes)
	}
	const least = 1 << 16
	size := max(n, least)
	if n > least && n < MaxBytes/2 {
		size = n + n/4 // operands that grow bit by bit shall not reallocate each time
	}
	h, err := b.alloc(size, true)
	if err != nil && size > n {
		h, err = b.alloc(n, true)
	}
	if err != nil {
		return 0, err
	}
	b.scratch = h
	return h, nil
}

func (b *Bridge) block(h Handle) (*block, error) {
	v := b.handles.get(h)
	s, ok := v.(*block)
	if !ok {
		return nil, gone(h, "tensor", v)
	}
	return s, nil
}

// empty stands for an operand that is there and has no elements; nil is one
// that is absent.
var empty = make([]float32, 0)

// Floats is the part of a slab that an operand names: count float32 from
// element offset on. Handle 0 gives nil.
func (b *Bridge) Floats(h Handle, offset, count int) ([]float32, error) {
	if h == 0 {
		return nil, nil
	}
	s, err := b.block(h)
	if err != nil {
		return nil, err
	}
	if have := len(s.bytes) / 4; offset < 0 || count < 0 || offset > have || count > have-offset {
		return nil, &Error{BadShape, text.Join("bridge: elements ", offset, " to ", offset+count, " are outside a slab of ", have)}
	}
	if count == 0 {
		return empty, nil
	}
	return slab.View[float32](s.bytes[offset*4 : (offset+count)*4]), nil
}
