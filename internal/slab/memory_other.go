//go:build !wasm

package slab

// mapped is what large slabs have had at once: elsewhere than in a module the operating
// system has memory, and limits are for tests.
func mapped() int {
	n := room.live + room.cached
	for _, h := range room.holes {
		n += int(h.to - h.from)
	}
	return n
}

// settle lets a slab that had room in a hole only, and lies elsewhere, take the hole's place: here
// the garbage collector puts it where it likes, which a module's memory would have to grow for.
func (r *rooms) settle(b []byte) {
	from, to, largest := Addr(b), Addr(b)+uintptr(len(b)), -1
	for i, h := range r.holes {
		if h.from < to && from < h.to {
			return
		}
		if largest < 0 || h.to-h.from > r.holes[largest].to-r.holes[largest].from {
			largest = i
		}
	}
	if largest >= 0 && mapped()+len(b) > r.limit {
		r.holes[largest].from += min(uintptr(len(b)), r.holes[largest].to-r.holes[largest].from)
	}
}
