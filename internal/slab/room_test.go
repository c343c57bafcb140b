package slab

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fresh gives a test rooms of its own with a limit.
func fresh(t *testing.T, limit int) {
	t.Helper()
	t.Cleanup(Apart())
	room.limit = limit
}

const mib = 1 << 20

func TestTakeAndGive(t *testing.T) {
	fresh(t, 100*mib)
	a, err := Take(10*mib+1, true)
	require.NoError(t, err)
	assert.Len(t, a, 10*mib+1)
	assert.Equal(t, len(a), cap(a))
	assert.Zero(t, Addr(a)%Align)
	assert.Equal(t, Room{InUse: 10*mib + page}, Usage(), "by pages")
	a[5] = 1
	Give(a)
	Give(a) // and once more, which does nothing
	assert.Equal(t, Room{Cached: 10*mib + page}, Usage())
	b, err := Take(10*mib, true)
	require.NoError(t, err)
	assert.Equal(t, Addr(a), Addr(b), "the memory is used again at once")
	assert.Zero(t, b[5])
	assert.Equal(t, Room{InUse: 10*mib + page}, Usage())
	Give(b)
	small, err := Take(2*mib, false)
	require.NoError(t, err)
	assert.NotEqual(t, Addr(a), Addr(small), "one much larger is not wasted on it")

	few, err := Take(large-1, true)
	require.NoError(t, err)
	Give(few)
	Give(nil)
	assert.Equal(t, 2*mib, Usage().InUse, "small ones are the garbage collector's")
}

func TestNoRoom(t *testing.T) {
	fresh(t, 0)
	limit := mapped() + 110*mib
	room.limit = limit
	a, err := Take(60*mib, true)
	require.NoError(t, err)
	_, err = Take(50*mib, true)
	var none *NoMemoryError
	require.ErrorAs(t, err, &none)
	assert.Equal(t, NoMemoryError{Wanted: 50 * mib, InUse: 60 * mib, Mapped: mapped(), Limit: limit}, *none)
	assert.ErrorContains(t, err, "there is no memory for 52428800 bytes: 62914560 are in use in large blocks, the memory has ")
	b, err := Take(20*mib, true)
	require.NoError(t, err, "and the failure left nothing behind")
	require.NoError(t, Reserve(1*mib))
	require.Error(t, Reserve(25*mib))
	require.NoError(t, Reserve(large-1))
	assert.PanicsWithError(t, Reserve(25*mib).Error(), func() { New(25 * mib) })
	assert.PanicsWithError(t, Reserve(40*mib).Error(), func() { Must[float64](5 * mib) })
	Give(a)
	require.NoError(t, Reserve(40*mib), "what is cached makes room")
	assert.Zero(t, Usage().Cached)
	Give(b)
	assert.Equal(t, limit, SetLimit(8<<30))
	assert.Equal(t, Limit, SetLimit(5))
}

// Many sizes, taken and given back in any order: no two slabs overlap, and what is
// counted is what there is.
func TestRandomSlabs(t *testing.T) {
	fresh(t, 0)
	room.limit = mapped() + 64*mib
	random := rand.New(rand.NewPCG(1, 2))
	var list [][]byte
	refused := 0
	for range 300 {
		if len(list) > 0 && random.IntN(5) < 2 {
			i := random.IntN(len(list))
			for j, v := range list[i] {
				if want := list[i][0]; j%4096 == 0 && v != want {
					t.Fatalf("byte %d is %d, want %d: another slab wrote here", j, v, want)
				}
			}
			Give(list[i])
			list[i] = list[len(list)-1]
			list = list[:len(list)-1]
			continue
		}
		n := large + random.IntN(8*mib)
		b, err := Take(n, true)
		if err != nil {
			refused++
			continue
		}
		for j := 0; j < n; j += 4096 {
			require.Zero(t, b[j])
			b[j] = byte(len(list) + 1)
		}
		list = append(list, b)
		require.LessOrEqual(t, Usage().InUse, room.limit)
	}
	for _, b := range list {
		Give(b)
	}
	assert.Positive(t, refused)
	assert.Equal(t, 0, Usage().InUse)
}

// Holes: neighbours join, and a slab that is put into one leaves what is beside it.
func TestHoles(t *testing.T) {
	fresh(t, 0)
	b := make([]byte, 10*page)
	at := func(from, to int) []byte { return b[from*page : to*page] }
	list := func() (l [][2]int) {
		for _, h := range room.holes {
			start := uintptr(unsafe.Pointer(&b[0]))
			l = append(l, [2]int{int(h.from-start) / page, int(h.to-start) / page})
		}
		return l
	}
	room.leave(at(2, 3))
	room.leave(at(6, 8))
	room.leave(at(0, 1))
	assert.Equal(t, [][2]int{{0, 1}, {2, 3}, {6, 8}}, list())
	room.leave(at(1, 2))
	assert.Equal(t, [][2]int{{0, 3}, {6, 8}}, list())
	room.leave(at(3, 6))
	assert.Equal(t, [][2]int{{0, 8}}, list())
	room.leave(at(2, 5)) // of a slab that nobody had noticed in a hole
	assert.Equal(t, [][2]int{{0, 8}}, list())
	room.fill(at(3, 4))
	assert.Equal(t, [][2]int{{0, 3}, {4, 8}}, list())
	room.fill(at(7, 10))
	room.fill(at(0, 1))
	room.fill(at(2, 5))
	assert.Equal(t, [][2]int{{1, 2}, {5, 7}}, list())
}
