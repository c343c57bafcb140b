//go:build wasm && !purego && replay

package kernel

import "unsafe"

// replay copies a frame below its own and calls what begins at pc, as a kernel's caller would.
//
//go:noescape
func replay(frame unsafe.Pointer, size, pc uintptr)

// Replay makes a recorded call and says where the next one lies.
func Replay(at uintptr) (next uintptr) {
	record := *(*unsafe.Pointer)(unsafe.Pointer(&at))
	word := *(*uint64)(record)
	size := uintptr(word >> 32)
	kernel := byIndex[uint32(word)]
	// A function in an interface is a pointer to where its address is.
	code := *(**uintptr)(unsafe.Add(unsafe.Pointer(&kernel), unsafe.Sizeof(uintptr(0))))
	replay(unsafe.Add(record, 8), size, *code)
	return at + 8 + size
}
