//go:build !wasm || purego

package threads

import (
	"runtime"
	"sync"
)

// tested is for tests alone: how many goroutines share the parts.
var tested = 1

// Test divides steps among so many goroutines until it is called again. With the race
// detector a test sees whether parts are independent.
func Test(count int) { tested = count }

// Count is how many threads there are: this one and its helpers.
func Count() int { return tested }

// Start does nothing: without SIMD there are no helpers.
func Start(int) uintptr { return 0 }

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
	apart(parts, f)
}

// apart runs the parts from the last to the first, which is as good an order as any.
func apart(parts int, f func(part int)) {
	var group sync.WaitGroup
	next := make(chan int, parts)
	for part := range parts {
		next <- parts - 1 - part
	}
	close(next)
	for range min(tested, parts) {
		group.Go(func() {
			for part := range next {
				f(part)
				runtime.Gosched()
			}
		})
	}
	group.Wait()
}
