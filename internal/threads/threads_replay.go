//go:build wasm && !purego && replay

package threads

import (
	"unsafe"

	"github.com/normwasm/normwasm/internal/kernel"
)

// Under the tag replay, which is for tests alone, one thread does what several would: calls of
// kernels are recorded and repeated later, in a random order of the parts, and Go's stack is
// overwritten in between. What a part may not rely on then gives other results.

// tested is how many threads there seem to be.
var tested = 4

// least is as in the other builds, but parts may be as short as they like.
const least = 1

// Test has steps divided among so many threads until it is called again.
func Test(count int) { tested = count }

// Count is how many threads there are: this one and its helpers.
func Count() int { return tested }

// Start does nothing.
func Start(int) uintptr { return 0 }

// among is now and then 1, as where helpers get no work for a while.
func among() int {
	if random(4) == 0 {
		return 1
	}
	return tested
}

func most() int { return tested }

const tapeBytes = 8 << 20

var (
	tape   = make([]uint64, tapeBytes/8)
	parted bool        // a For is under way
	state  = uint32(1) // of random
	waste  uint64
)

// random is a number below n.
func random(n int) int {
	state = state*1664525 + 1013904223
	return int(uint64(state) * uint64(n) >> 32)
}

// overwrite leaves no number behind on the stack below its caller's frame.
//
//go:noinline
func overwrite() {
	var stack [1024]uint64
	for i := range stack {
		stack[i] = 0x7ff7_dead_7ff7_dead
	}
	waste += stack[waste%1024]
}

// waiting is a part that is recorded.
type waiting struct {
	part   int
	at, to uintptr
	back   bool // it is not to be repeated, but taken back and computed directly
}

// For calls f with the parts 0 to parts−1.
func For(parts int, f func(part int)) {
	if tested == 1 || parts == 1 {
		for part := range parts {
			f(part)
		}
		return
	}
	if parted {
		panic("threads: For in a part of another")
	}
	used = max(used, min(parts, tested))
	parted = true
	defer func() { parted = false }()
	var list [64]waiting
	n := 0
	at := uintptr(unsafe.Pointer(unsafe.SliceData(tape)))
	end := at + tapeBytes
	for part := range parts {
		if n < len(list) && at+2*kernel.RecordMost <= end && random(8) > 0 {
			overwrite()
			kernel.Record(at, end)
			f(part)
			to, ok := kernel.Recorded()
			overwrite()
			if ok {
				list[n] = waiting{part, at, to, random(8) == 0}
				n, at = n+1, to
				for random(2) == 0 && n > 0 {
					n = proceed(list[:n], f)
				}
				continue
			}
		}
		f(part)
	}
	for n > 0 {
		n = proceed(list[:n], f)
	}
}

// proceed makes some of the recorded calls of a part, and says how many parts are left.
func proceed(list []waiting, f func(part int)) int {
	w := &list[random(len(list))]
	if w.back {
		f(w.part)
		w.at = w.to
	}
	for range 1 + random(4) {
		if w.at < w.to {
			w.at = kernel.Replay(w.at)
		}
	}
	if w.at == w.to {
		*w = list[len(list)-1]
		return len(list) - 1
	}
	return len(list)
}
