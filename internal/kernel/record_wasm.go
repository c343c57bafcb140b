//go:build wasm && !purego

package kernel

// tape is where the next call of a kernel is to be recorded, 0 for nowhere, and the last place
// where one may be (see asm.File.Record).
var tape [2]uintptr

// RecordMost is how many bytes a recorded call takes at most.
const RecordMost = 256

// Record has calls of kernels recorded in memory from one address on up to another, in place of
// being computed, until Recorded. Those that would not fit lie over each other at the end.
func Record(from, to uintptr) { tape = [2]uintptr{from, to - RecordMost} }

// Recorded ends Record and says behind what the calls lie, and whether all of them fitted.
func Recorded() (to uintptr, ok bool) {
	to, last := tape[0], tape[1]
	tape = [2]uintptr{}
	return to, to < last
}
