package main

import (
	"github.com/normwasm/normwasm/internal/bridge"
	"github.com/normwasm/normwasm/internal/slab"
)

// The exports, for calls in which microseconds count: functions of numbers that return a
// bridge.Status, or a handle or address where 0 says failure. The text of the latest failure is at
// failureAddress, failureLength bytes of UTF-8. What does not fit into numbers
// travels on the frame, an array of int32 at frameAddress; internal/bridge says
// what each call has there.
//
// An export must not block: no channel, no lock, no sleep, nothing of syscall/js
// that waits. Each recovers, because an instance that panicked goes on answering.

//go:wasmexport frameAddress
func frameAddress() uint32 { return uint32(slab.Addr(slab.Bytes(state.Frame()))) }

//go:wasmexport failureAddress
func failureAddress() uint32 { return uint32(slab.Addr(state.Failure())) }

//go:wasmexport failureLength
func failureLength() uint32 { return uint32(len(state.Failure())) }

// alloc makes a zeroed slab and returns its handle.
//
//go:wasmexport alloc
func alloc(bytes uint32) (handle uint32) {
	defer caughtHandle(&handle)
	h, err := state.Alloc(int(bytes))
	state.Fail(err)
	return uint32(h)
}

// scratch returns the handle of a slab of at least so many bytes whose contents
// last until the next call.
//
//go:wasmexport scratch
func scratch(bytes uint32) (handle uint32) {
	defer caughtHandle(&handle)
	h, err := state.Scratch(int(bytes))
	state.Fail(err)
	return uint32(h)
}

// address returns where a slab's bytes are; they do not move.
//
//go:wasmexport address
func address(handle uint32) (at uint32) {
	defer caughtHandle(&at)
	b, err := state.Bytes(bridge.Handle(handle))
	state.Fail(err)
	return uint32(slab.Addr(b))
}

//go:wasmexport free
func free(handle uint32) (status int32) {
	defer caughtStatus(&status)
	return int32(state.Fail(state.Free(bridge.Handle(handle))))
}

// layer makes a BatchNorm's state for so many channels, or an InstanceNorm's where
// instance is not 0, and returns its handle.
//
//go:wasmexport layer
func layer(channels, instance uint32) (handle uint32) {
	defer caughtHandle(&handle)
	h, err := state.NewLayer(int(channels), instance != 0)
	state.Fail(err)
	return uint32(h)
}

// norm runs an operation, whose arguments the frame holds (bridge.NormFrame).
//
//go:wasmexport norm
func normalize(operation uint32) (status int32) {
	defer caughtStatus(&status)
	return int32(state.Fail(state.NormFrame(int(operation))))
}

func caughtStatus(status *int32) {
	if p := recover(); p != nil {
		*status = int32(state.Fail(bridge.Caught(p)))
	}
}

func caughtHandle(handle *uint32) {
	if p := recover(); p != nil {
		*handle = 0
		state.Fail(bridge.Caught(p))
	}
}
