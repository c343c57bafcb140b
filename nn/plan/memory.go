package plan

import (
	"math"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

// forever is the last step of a buffer that outlives its segment's steps.
const forever = math.MaxInt

// buffer is a stretch of memory with its lifetime, in steps of its segment.
type buffer struct {
	size        int
	room        int // bytes that its place in the arena has
	first, last int
	until       int // the last node that reads it, by its number in the graph
	offset      int
	into        *buffer // the buffer whose memory this one takes over
	growth      int     // the most by which its size has changed at once
	settled     bool    // of an earlier segment, or an input: not laid out here
	outside     bool    // not in an arena but in data, which changes from run to run
	data        []byte
}

// root is the buffer that has b's memory.
func (b *buffer) root() *buffer {
	for b.into != nil {
		b = b.into
	}
	return b
}

// bytes is where the buffer is.
func (b *buffer) bytes() []byte {
	r := b.root()
	if b.size == 0 || len(r.data) < b.size {
		return nil
	}
	return r.data[:b.size:b.size]
}

// resize gives the buffer another size; false says that its room is too small.
func (b *buffer) resize(size int) bool {
	if size != b.size {
		if b.room > 0 {
			b.growth = max(b.growth, size-b.size, b.size-size)
		}
		b.size = size
	}
	return size <= b.room
}

// wanted is the room that a buffer gets: where there is enough, more than its size when
// that has changed, so that shapes that grow step by step are laid out anew only now and
// then.
func (b *buffer) wanted(enough bool) int {
	if enough && b.growth > 0 {
		return aligned(b.size + b.size/8 + min(32*b.growth, 16<<10))
	}
	return aligned(b.size)
}

// lives sets first and last uses from a segment's steps.
func lives(steps []*node) {
	for i, n := range steps {
		for _, pl := range n.outs {
			if pl != nil && pl.buf != nil && pl.owns {
				pl.buf.first, pl.buf.last = i, max(pl.buf.last, i)
			}
		}
		for _, pl := range n.places {
			if pl != nil && pl.buf != nil {
				pl.buf.last = max(pl.buf.last, i)
			}
		}
	}
}

// share lets outputs take the memory of inputs that end with the same step, where the
// operator allows it.
func share(steps []*node) {
	for i, n := range steps {
		for o := range n.shared {
			n.shared[o] = -1
			if n.inPlace[o] == 0 || n.outs[o] == nil || !n.outs[o].owns {
				continue
			}
			for j := range n.places {
				if n.allows(o, j) && n.places[j].buf.root().last == i {
					n.shared[o] = int8(j)
					n.outs[o].buf.takeOver(n.places[j].buf.root())
					break
				}
			}
		}
	}
}

// allows says whether output o may have input j's memory, as far as their sizes and the
// other operands go.
func (n *node) allows(o, j int) bool {
	if j >= 32 || n.inPlace[o]>>j&1 == 0 {
		return false
	}
	in, out := n.places[j], n.outs[o]
	if in == nil || in.buf == nil || in.buf.size != out.buf.size || in.buf.size == 0 {
		return false
	}
	b := in.buf.root()
	for k, other := range n.outs {
		if k != o && other != nil && other.buf != nil && other.buf.root() == b {
			return false
		}
	}
	for k, other := range n.places {
		if k != j && other != nil && other.buf != nil && other.buf.root() == b && (n.apart || !ir.SameDims(other.spec.Dims, in.spec.Dims)) {
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
// the same time do not overlap, and returns the arena's size. Where there is enough
// memory those that grow get more than they need. It goes from the
// largest to the smallest and takes the tightest gap that fits.
func layout(buffers []*buffer, enough bool) int {
	var list []*buffer
	for _, b := range buffers {
		if b.into == nil && b.size > 0 && !b.outside {
			b.room = b.wanted(enough)
			list = append(list, b)
		}
	}
	end := 0
	var placed []*buffer // by offset
	for i, k := range ir.Ordered(len(list), func(a, b int) bool { return list[a].room > list[b].room }) {
		b := list[k]
		if i >= greedy {
			b.offset = end
			end += b.room
			continue
		}
		b.offset = gap(placed, b)
		end = max(end, b.offset+b.room)
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
func gap(placed []*buffer, b *buffer) int {
	best, bestRoom, free := -1, math.MaxInt, 0
	for _, p := range placed {
		if p.last < b.first || b.last < p.first {
			continue
		}
		if room := p.offset - free; room >= b.room && room < bestRoom {
			best, bestRoom = free, room
		}
		free = max(free, p.offset+p.room)
	}
	if best < 0 {
		return free
	}
	return best
}

func aligned(n int) int { return (n + slab.Align - 1) &^ (slab.Align - 1) }
