//go:build wasm && !purego

package kernel

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A recorded call computes nothing and leaves its index and its frame; calls that there is no
// room for lie where no other one is.
func TestRecord(t *testing.T) {
	room := make([]uint64, 128)
	at := uintptr(unsafe.Pointer(&room[0]))
	x, y := []float32{1, 2, 3, 4}, make([]float32, 4)
	call := func() { CopyPlane(Ptr(y), 4, Ptr(x), 4, 1, 4) }

	Record(at, at+1024)
	call()
	call()
	to, ok := Recorded()
	require.True(t, ok)
	assert.Equal(t, make([]float32, 4), y)
	assert.Equal(t, at+2*56, to)
	assert.Equal(t, uint64(48), room[0]>>32, "bytes of the frame")
	assert.Equal(t, room[:7], room[7:14])
	assert.Equal(t, []uint64{uint64(uintptr(unsafe.Pointer(&y[0]))), 4, uint64(uintptr(unsafe.Pointer(&x[0]))), 4, 1, 4}, room[1:7])

	Record(at, at+1024)
	for range 50 {
		call()
	}
	_, ok = Recorded()
	assert.False(t, ok, "more than fits")
	for i := 1024/8 - RecordMost/8 + 7; i < len(room); i++ {
		assert.Zero(t, room[i])
	}

	call()
	assert.Equal(t, x, y)
}
