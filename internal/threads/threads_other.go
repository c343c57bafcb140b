//go:build !wasm

package threads

import (
	"sync/atomic"
	"unsafe"
)

// tested is for tests alone: how many goroutines share the parts.
var tested = 1

// least is as in wasm, but while tested parts may be as short as they like.
var least = 8000

// Test divides steps among so many goroutines until it is called again, however short their
// parts are. With the race detector a test sees whether parts are independent.
func Test(count int) {
	tested = count
	if least = 1; count == 1 {
		least = 8000
	}
}

// Count is how many threads there are: this one and its helpers.
func Count() int { return tested }

// Start does nothing: only in wasm there are helpers.
func Start(int) uintptr { return 0 }

func among() int { return Count() }

func most() int { return tested }

// For calls f with the parts 0 to parts−1.
func For(parts int, f func(part int)) {
	if tested == 1 || parts == 1 {
		for part := range parts {
			f(part)
		}
		return
	}
	used = max(used, min(parts, tested))
	apart(parts, *(*func(part int))(hide(unsafe.Pointer(&f))))
}

// hide keeps from the compiler that what For is given is used by other goroutines, or each call
// of it would allocate.
func hide(p unsafe.Pointer) unsafe.Pointer {
	at := uintptr(p)
	return *(*unsafe.Pointer)(unsafe.Pointer(&at))
}

// apart runs the parts from the last to the first, which is as good an order as any.
func apart(parts int, f func(part int)) {
	var next, done atomic.Int32
	next.Store(int32(parts))
	for range min(tested, parts) {
		go func() {
			for {
				part := int(next.Add(-1))
				if part < 0 {
					break
				}
				f(part)
				done.Add(1)
			}
		}()
	}
	for done.Load() < int32(parts) {
		// Without a call, and so without a chance for this stack, where f may lie, to move.
	}
}
