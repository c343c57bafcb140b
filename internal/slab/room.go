package slab

import (
	"runtime"
	"unsafe"

	"github.com/normwasm/normwasm/internal/text"
)

// Go's runtime ends the program when its memory cannot grow, and with it every tensor
// and session. So large slabs ask for room first, and get an error where there is none.
//
// A WebAssembly memory of 32-bit addresses has 4 GiB and never shrinks. Whether a slab
// fits is known where the memory may still grow by its size. Otherwise it has to fit
// into a hole that an earlier one left: Go's heap uses freed pages again, neighbouring
// ones together, but nobody can ask it for the largest stretch, so that the holes are
// noted here.

const (
	// Limit is the most that the memory may grow to. Go's heap takes 4 MiB at a time and
	// keeps books of about 1 % beside it. (Measured in Node 20: by slabs of 4 MiB the
	// runtime gets to 4,292 million bytes, almost the whole, and dies of the next.)
	Limit = 4<<30 - 128<<20

	// large is from what size on a slab has pages of its own.
	large = 256 << 10

	page = 8 << 10 // of Go's heap

	// slack is what growth by a slab may take beside it, and what small objects may have
	// taken of a hole.
	slack = 8 << 20
)

// NoMemoryError says how much was wanted and how much there is.
type NoMemoryError struct{ Wanted, InUse, Mapped, Limit, Largest int }

func (e *NoMemoryError) Error() string {
	return text.Join("there is no memory for ", e.Wanted, " bytes: ", e.InUse, " are in use in large blocks, the memory has ", e.Mapped,
		" bytes and may have ", e.Limit, ", and the largest stretch that is free has ", e.Largest)
}

// Room is what large slabs have.
type Room struct{ InUse, Cached int }

// hole is a stretch of freed pages.
type hole struct{ from, to uintptr }

var room = rooms{limit: Limit, slabs: map[uintptr]int{}}

func init() { room.base = mapped() }

type rooms struct {
	limit  int
	slabs  map[uintptr]int // given out by Take: sizes by address
	live   int             // bytes of them
	cache  [][]byte        // given back, for the next of that size
	cached int
	holes  []hole // by address, none touching the next
	base   int    // the memory's size when the program began
	steady int    // the memory's size after what is known to have made it grow
}

// SetLimit sets the limit, for tests and for who wants to stay below it, and returns the
// one before.
func SetLimit(bytes int) int {
	before := room.limit
	room.limit = min(bytes, Limit)
	return before
}

// Apart counts large slabs from nothing until back is called, for tests that count: of
// those taken before, some may be collected at any moment, and their places given out
// again.
func Apart() (back func()) {
	before := room
	room = rooms{limit: before.limit, slabs: map[uintptr]int{}, base: mapped()}
	return func() { room = before }
}

// Usage tells what large slabs have.
func Usage() Room { return Room{room.live, room.cached} }

// Take returns n bytes aligned to Align, zeros if it is asked to. Give returns them at
// once; a slab that nobody gives back is left to the garbage collector.
func Take(n int, zeros bool) ([]byte, error) {
	if n < large {
		return New(n), nil
	}
	size := (n + page - 1) &^ (page - 1)
	b := room.again(size)
	if b == nil {
		if err := room.ask(size); err != nil {
			return nil, err
		}
		b = make([]byte, size)
		room.settle(b)
		room.fill(b)
		room.steady = max(room.steady, mapped())
	} else if zeros {
		clear(b[:n])
	}
	at := Addr(b)
	room.live += len(b) - room.slabs[at] // of one that was there and collected, not given back
	room.slabs[at] = len(b)
	return b[:n:n], nil
}

// Give lets go of a slab that Take returned, which nothing may refer to any more.
func Give(b []byte) {
	if len(b) < large {
		return
	}
	size := room.slabs[Addr(b)]
	if size < len(b) {
		return
	}
	delete(room.slabs, Addr(b))
	room.live -= size
	room.cached += size
	room.cache = append(room.cache, unsafe.Slice(unsafe.SliceData(b), size))
}

// Reserve makes sure that Go's heap can take n bytes more.
func Reserve(n int) error {
	if n < large {
		return nil
	}
	err := room.ask(n)
	if err == nil {
		room.steady = max(room.steady, mapped()+n)
	}
	return err
}

// Must is Reserve, for n elements, where no error can be returned: it panics with it.
func Must[T any](n int) {
	var t T
	if err := Reserve(n * int(unsafe.Sizeof(t))); err != nil {
		panic(err)
	}
}

// Tidy collects garbage when the memory has grown by what nobody reserved. (Left alone,
// the collector waits until there is as much garbage as there are slabs.)
func Tidy() {
	const unasked = 64 << 20
	if room.steady == 0 {
		room.steady = mapped()
	}
	if mapped() > room.steady+unasked {
		runtime.GC()
		room.steady = mapped()
	}
}

// again takes a cached slab that is not much too large, the tightest.
func (r *rooms) again(size int) []byte {
	best := -1
	for i, b := range r.cache {
		if len(b) >= size && len(b) <= size+size/8 && (best < 0 || len(b) < len(r.cache[best])) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	b, last := r.cache[best], len(r.cache)-1
	r.cache[best], r.cache[last] = r.cache[last], nil
	r.cache = r.cache[:last]
	r.cached -= len(b)
	return b
}

// ask says whether Go's heap can take a slab, which it frees what is cached for. While
// that is little, growing costs less than a collection.
func (r *rooms) ask(size int) error {
	const little = 32 << 20
	if r.grows(size) && r.cached < max(size, little, mapped()/4) {
		return nil
	}
	r.drop()
	if r.grows(size) || r.largest() >= size {
		return nil
	}
	return &NoMemoryError{size, r.live, mapped(), r.limit, r.largest()}
}

// grows says whether the memory may grow by so much.
func (r *rooms) grows(size int) bool { return mapped()+size+size/64+slack <= r.limit }

// largest is the size of the largest hole, less what small objects may have taken of it
// since: all that was added beside slabs and holes.
func (r *rooms) largest() int {
	n, holes := 0, 0
	for _, h := range r.holes {
		n = max(n, int(h.to-h.from))
		holes += int(h.to - h.from)
	}
	return max(0, n-slack-max(0, mapped()-r.base-r.live-r.cached-holes))
}

// drop gives what is cached back to Go's heap.
func (r *rooms) drop() {
	for _, b := range r.cache {
		r.leave(b)
	}
	clear(r.cache)
	r.cache, r.cached = r.cache[:0], 0
	runtime.GC()
	r.steady = mapped()
}

// leave notes the hole that a slab leaves.
func (r *rooms) leave(b []byte) {
	h := hole{Addr(b), Addr(b) + uintptr(len(b))}
	i := 0
	for i < len(r.holes) && r.holes[i].to < h.from {
		i++
	}
	j := i
	for ; j < len(r.holes) && r.holes[j].from <= h.to; j++ {
		h.from, h.to = min(h.from, r.holes[j].from), max(h.to, r.holes[j].to)
	}
	r.holes = append(r.holes[:i], append([]hole{h}, r.holes[j:]...)...)
}

// fill takes a slab's bytes off the holes.
func (r *rooms) fill(b []byte) {
	from, to := Addr(b), Addr(b)+uintptr(len(b))
	var left []hole
	for _, h := range r.holes {
		if h.from < from {
			left = append(left, hole{h.from, min(h.to, from)})
		}
		if h.to > to {
			left = append(left, hole{max(h.from, to), h.to})
		}
	}
	r.holes = left
}
