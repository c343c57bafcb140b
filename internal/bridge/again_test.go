package bridge

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/graph"
)

// read returns a slab's elements.
func read(t *testing.T, b *Bridge, h Handle) []float32 {
	t.Helper()
	bytes, err := b.Bytes(h)
	require.NoError(t, err)
	return slab.View[float32](bytes)
}

func TestACallMadeAgain(t *testing.T) {
	b := New()
	x, y := put(t, b, 1, 3, 5, 5), put(t, b, 0, 0, 0, 0)
	z := put(t, b, 0, 0, 0, 0)
	layer := op(t, "layerNorm")
	call := func(out Handle, shape []int, epsilon float64) error {
		frame(b, whole(out, 4), whole(x, 4), absent, absent, absent, absent, absent, absent, shape, []int{-1}, given(epsilon, 0))
		return b.NormFrame(layer)
	}
	rows := []int{2, 2, 2}
	require.NoError(t, call(y, rows, 0))
	assert.Equal(t, []float32{-1, 1, 0, 0}, read(t, b, y))

	read(t, b, x)[0] = 7 // other elements at the same place
	require.NoError(t, call(y, rows, 0))
	assert.Equal(t, []float32{1, -1, 0, 0}, read(t, b, y))

	require.NoError(t, call(z, rows, 0), "another result")
	assert.Equal(t, []float32{1, -1, 0, 0}, read(t, b, z))
	require.NoError(t, call(y, rows, 4), "another option: √(4 + 4)")
	assert.InDelta(t, 0.70710678, read(t, b, y)[0], 1e-6)
	require.NoError(t, call(y, []int{1, 4}, 0), "another shape")
	assert.InDelta(t, 1.4142135, read(t, b, y)[0], 1e-6)
	require.NoError(t, call(y, rows, 0), "the first once more")
	assert.Equal(t, []float32{1, -1, 0, 0}, read(t, b, y))
	require.Error(t, call(y, []int{1, 5}, 0))

	frame(b, whole(y, 4), whole(x, 4), absent, absent, absent, absent, absent, absent, rows, []int{-1}, given(0, 0))
	assert.Zero(t, testing.AllocsPerRun(100, func() { require.NoError(t, b.NormFrame(layer)) }))

	require.NoError(t, b.Free(y))
	assert.Equal(t, Disposed, status(t, b, call(y, rows, 0)), "what it wrote to is gone")
	again := put(t, b, 0, 0, 0, 0) // in y's slot
	require.NoError(t, call(again, rows, 0))
	assert.Equal(t, []float32{1, -1, 0, 0}, read(t, b, again))
}

// heap is how many bytes live.
func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func TestARememberedCallHoldsNoFreedMemory(t *testing.T) {
	b := New()
	const n = 4 << 20
	before := heap()
	x, err := b.Alloc(4 * n)
	require.NoError(t, err)
	y, err := b.Alloc(4 * n)
	require.NoError(t, err)
	layer := op(t, "layerNorm")
	frame(b, whole(y, n), whole(x, n), absent, absent, absent, absent, absent, absent, []int{2, n / 8, 8}, []int{-1}, given(1e-5, 0))
	for range 2 {
		require.NoError(t, b.NormFrame(layer))
	}
	require.NoError(t, b.Free(x))
	require.NoError(t, b.Free(y))
	slab.SetLimit(0)
	_, err = slab.Take(1<<30, false)
	require.Error(t, err) // and what is kept for the next of a size was let go of
	slab.SetLimit(slab.Limit)
	assert.Less(t, heap()-before, 1<<20)
	assert.Equal(t, Disposed, status(t, b, b.NormFrame(layer)))
}

func TestAReleasedSessionHoldsNothing(t *testing.T) {
	b := New()
	before := heap()
	w := make([]byte, 8<<20)
	g := join(field(1, join(field(1, []byte("x")), field(1, []byte("w")), field(2, []byte("y")), field(4, []byte("Add")))), field(2, []byte("g")),
		field(5, join(varint(1, uint64(len(w)/8)), varint(1, 2), varint(2, 1), field(8, []byte("w")), field(9, w))), value(11, "x", 1), value(12, "y", 1))
	file := join(varint(1, 8), field(8, varint(2, 17)), field(7, g))
	w, g = nil, nil
	var open []Handle
	for range 3 {
		s, err := b.Open(load(t, b, file), -1, graph.Options{})
		require.NoError(t, err)
		_, err = b.Prepare(s, [][]int{{1, 2}})
		require.NoError(t, err)
		_, err = b.Exec(s)
		require.NoError(t, err)
		open = append(open, s)
	}
	file = nil
	for _, s := range open {
		require.NoError(t, b.Release(s))
	}
	slab.SetLimit(0)
	_, err := slab.Take(1<<30, false)
	require.Error(t, err)
	slab.SetLimit(slab.Limit)
	assert.Less(t, heap()-before, 1<<20)
	assert.Equal(t, Memory{}, b.Memory())
}
