package bridge

import "github.com/normwasm/normwasm/internal/text"

// Handle names a resident object. It is an index and a generation, so that the
// handle of something disposed is never taken for its successor. 0 is no handle.
type Handle uint32

const (
	indexBits      = 20
	maxIndex       = 1<<indexBits - 1
	lastGeneration = 1<<(32-indexBits) - 1
)

// table holds what handles name. A slot whose generations are used up is never
// used again: no handle comes back.
type table struct {
	slots []slot
	free  []uint32
}

type slot struct {
	generation uint32 // of the current value, or of the latest one
	value      any    // nil when free
}

// put stores v under a new handle; 0 when there is none left.
func (t *table) put(v any) Handle {
	var i uint32
	if n := len(t.free); n > 0 {
		i, t.free = t.free[n-1], t.free[:n-1]
	} else if len(t.slots) <= maxIndex {
		i = uint32(len(t.slots))
		t.slots = append(t.slots, slot{})
	} else {
		return 0
	}
	s := &t.slots[i]
	s.generation++
	s.value = v
	return Handle(s.generation<<indexBits | i)
}

// get returns what h names, nil when that is gone or never was.
func (t *table) get(h Handle) any {
	i := uint32(h) & maxIndex
	if i >= uint32(len(t.slots)) || t.slots[i].generation != uint32(h)>>indexBits {
		return nil
	}
	return t.slots[i].value
}

// drop forgets h, which get has found.
func (t *table) drop(h Handle) {
	i := uint32(h) & maxIndex
	t.slots[i].value = nil
	if t.slots[i].generation < lastGeneration {
		t.free = append(t.free, i)
	}
}

// gone is the error of a handle that names nothing, or something else.
func gone(h Handle, kind string, found any) error {
	if found != nil {
		return &Error{Invalid, text.Join("bridge: handle ", uint32(h), " does not name a ", kind)}
	}
	return &Error{Disposed, text.Join("bridge: handle ", uint32(h), " names no live ", kind, ": it was disposed, or never made")}
}

// Keep gives something a handle.
func (b *Bridge) Keep(v any) (Handle, error) {
	h := b.handles.put(v)
	if h == 0 {
		return 0, &Error{NoMemory, text.Join("bridge: no handle is left of ", maxIndex+1)}
	}
	return h, nil
}

// Kept returns what Keep was given, for a package that keeps a kind of its own.
func (b *Bridge) Kept(h Handle, kind string) (any, error) {
	v := b.handles.get(h)
	if v == nil {
		return nil, gone(h, kind, nil)
	}
	return v, nil
}

// Forget drops a handle of Keep's.
func (b *Bridge) Forget(h Handle) error {
	if b.handles.get(h) == nil {
		return gone(h, "object", nil)
	}
	b.drop(h)
	return nil
}
