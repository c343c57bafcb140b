package main

import "github.com/normwasm/normwasm/internal/threads"

// threadsControl says that steps are to be divided among so many threads once their helpers
// are there, and returns the address of what these share with Go (internal/threads), 0 where
// this variant of the module does not divide any.
//
//go:wasmexport threadsControl
func threadsControl(count uint32) (at uint32) {
	defer caughtHandle(&at)
	return uint32(threads.Start(int(min(count, 1<<16))))
}
