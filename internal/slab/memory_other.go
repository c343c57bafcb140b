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
