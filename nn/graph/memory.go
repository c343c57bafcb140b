package graph

import (
	"math"

	"github.com/normwasm/normwasm/internal/slab"
)

// forever is the last step of a buffer that outlives its segment's steps.
const forever = math.MaxInt

// buffer is a stretch of memory with its lifetime, in steps.
type buffer struct {
	size        int
	first, last int
	offset      int
	into        *buffer // the buffer whose memory this one takes over
	settled     bool    // its segment is laid out: it has its memory
	outside     bool    // not in an arena but in data, which changes from run to run
	data        []byte
}

// bytes is where the buffer is, if it is outside.
func (b *buffer) bytes() []byte {
	if b.size == 0 || b.root().data == nil {
		return nil
	}
	return b.root().data[:b.size:b.size]
}

// root is the buffer that has b's memory.
func (b *buffer) root() *buffer {
	if b.into != nil {
		return b.into
	}
	return b
}

// lives sets the buffers' last uses from the steps.
func lives(steps []step) {
	for i := range steps {
		for _, pl := range steps[i].in {
			if pl != nil && pl.buf != nil {
				pl.buf.last = max(pl.buf.last, i)
			}
		}
	}
}

// share lets outputs take the memory of inputs that end with the same step,
// where the operator allows it.
func share(steps []step) {
	for i := range steps {
		st := &steps[i]
		for o, allowed := range st.inPlace {
			if allowed == 0 || st.out[o] == nil || st.out[o].buf == nil || st.out[o].buf.first != i {
				continue
			}
			for j, in := range st.in {
				if j < 32 && allowed>>j&1 != 0 && st.yields(i, o, j) {
					st.out[o].buf.takeOver(in.buf.root())
					break
				}
			}
		}
	}
}

// yields says whether output o of step i may have input j's memory.
func (st *step) yields(i, o, j int) bool {
	in := st.in[j]
	if in == nil || in.buf == nil {
		return false
	}
	b := in.buf.root()
	if b.last != i || in.buf.size != st.out[o].buf.size || in.buf.size == 0 {
		return false
	}
	for _, other := range st.out {
		if other != nil && other.buf != nil && other.buf.root() == b {
			return false
		}
	}
	for k, other := range st.in {
		if k != j && other != nil && other.buf != nil && other.buf.root() == b && !sameDims(other.spec.Dims, in.spec.Dims) {
			return false
		}
	}
	return true
}

// takeOver makes b's memory that of r, which lives on as b.
func (b *buffer) takeOver(r *buffer) {
	b.into = r
	r.last = max(r.last, b.last)
}

// greedy is how many buffers are placed with care; those beyond it, the
// smallest, are put one after another.
const greedy = 4096

// layout gives the buffers offsets in one arena, so that those which live at
// the same time do not overlap, and returns the arena's size. It goes from the
// largest to the smallest and takes the tightest gap that fits.
func layout(buffers []*buffer) int {
	var list []*buffer
	for _, b := range buffers {
		if b.into == nil && b.size > 0 && !b.settled && !b.outside {
			list = append(list, b)
		}
	}
	end := 0
	var placed []*buffer // by offset
	for i, k := range ordered(len(list), func(a, b int) bool { return list[a].size > list[b].size }) {
		b := list[k]
		size := aligned(b.size)
		if i >= greedy {
			b.offset = end
			end += size
			continue
		}
		b.offset = gap(placed, b, size)
		end = max(end, b.offset+size)
		placed = append(placed, nil)
		at := len(placed) - 1
		for ; at > 0 && placed[at-1].offset >= b.offset; at-- {
			placed[at] = placed[at-1]
		}
		placed[at] = b
	}
	return end
}

// gap finds the tightest free stretch for b among the placed buffers that live
// at the same time.
func gap(placed []*buffer, b *buffer, size int) int {
	best, bestRoom, free := -1, math.MaxInt, 0
	for _, p := range placed {
		if p.last < b.first || b.last < p.first {
			continue
		}
		if room := p.offset - free; room >= size && room < bestRoom {
			best, bestRoom = free, room
		}
		free = max(free, p.offset+aligned(p.size))
	}
	if best < 0 {
		return free
	}
	return best
}

func aligned(n int) int { return (n + slab.Align - 1) &^ (slab.Align - 1) }
