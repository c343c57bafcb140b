package shorten

import (
	"encoding/binary"

	"github.com/normwasm/normwasm/internal/code"
)

// oneToOne gives each number that the dispatch can be given a block of its own: those that
// went to one place have one block around the other there. So the br_table lists 0, 1, 2
// and so on in every function.
func (f function) oneToOne() function {
	d, ok := f.findDispatch()
	if !ok {
		return f
	}
	more, added := f.missing(d)
	if added == 0 {
		return f
	}
	label := func(begin int) int { return d.table - 2 - begin } // how deep the block that begins there lies around the table
	behind := 0                                                 // blocks that have ended
	inside := func(l int) (n int) {                             // added blocks that are open inside of block l
		for i := behind; i <= l && i < len(more); i++ {
			n += more[i]
		}
		return n
	}
	out := make(function, 0, len(f)+2*added)
	var open nest
	for i, in := range f {
		around := open
		open = open.step(f, i)
		switch {
		case i == d.table-1:
			for range added {
				out = append(out, f[i-1]) // a block
			}
		case i == d.table:
			in = counting(in.Labels, inside(int(in.Labels[len(in.Labels)-1])))
		case i > d.table && in.Is(code.End) && len(around) > 0 && around[len(around)-1] > d.loop && around[len(around)-1] < d.table:
			l := label(around[len(around)-1])
			for range more[l] {
				out = append(out, in)
			}
			behind = l + 1
		case i > d.table && (in.Is(code.Br) || in.Is(code.BrIf)):
			switch to := open.label(in.Value); {
			case to <= d.loop:
				in = indexed(in.Op, int(in.Value)+inside(len(more)))
			case to < d.table:
				in = indexed(in.Op, int(in.Value)+inside(label(to)))
			}
		}
		out = append(out, in)
	}
	return out
}

// missing is how many numbers besides the first go to the end of each block of the dispatch, and of all together.
// They are none where the numbers do not count the blocks from the innermost one on, and where there is another br_table.
func (f function) missing(d dispatch) (more []int, all int) {
	labels := f[d.table].Labels
	last := len(labels) - 1
	more = make([]int, d.table-2-d.loop)
	at := uint32(0)
	for n, l := range labels[:last] {
		switch {
		case n == 0 && l == 0:
		case n > 0 && l == at:
			more[l]++
			all++
		case n > 0 && l == at+1:
			at = l
		default:
			return nil, 0
		}
	}
	for i := range f {
		if i != d.table && f[i].Is(code.BrTable) {
			return nil, 0
		}
	}
	return more, all
}

// counting is the br_table of as many labels, which count up; the default's has more blocks inside.
func counting(labels []uint32, more int) instruction {
	last := len(labels) - 1
	in := instruction{code.Instruction{Op: code.BrTable}, binary.AppendUvarint([]byte{code.BrTable}, uint64(last))}
	for n := range labels {
		l := uint32(n)
		if n == last {
			l = labels[n] + uint32(more)
		}
		in.Labels = append(in.Labels, l)
		in.bytes = binary.AppendUvarint(in.bytes, uint64(l))
	}
	return in
}
