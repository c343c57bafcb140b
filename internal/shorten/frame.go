package shorten

import "github.com/normwasm/normwasm/internal/code"

// returns writes the ways out of a function: one addition to the stack pointer, which
// nothing reads from its local any more; and return in place of branches to the end,
// where 1 is returned.
func (f function) returns() function {
	exit := f.exit()
	out := make(function, 0, len(f))
	var open nest
	for i := 0; i < len(f); i++ {
		open = open.step(f, i)
		switch in := f[i]; {
		case exit >= 0 && in.Is(code.BrIf) && open.label(in.Value) == exit:
			out = append(out, ifNothing, constant(1), plain(code.Return), plain(code.End))
			continue
		case f.frees(i) && f.frees(i+5) && f.match(i+10, code.I32Const, code.Return):
			out = append(out, f[i], constant(int32(f[i+1].Value+f[i+6].Value)), f[i+2], f[i+4])
			i += 9
			continue
		case f.frees(i) && f.match(i+5, code.I32Const, code.Return):
			out = append(out, f[i], f[i+1], f[i+2], f[i+4])
			i += 4
			continue
		}
		out = append(out, f[i])
	}
	return out
}

// exit is where the block begins behind which f returns 1, and nothing else; -1: there is none.
func (f function) exit() int {
	last := len(f) - 3
	if !f.at(2).is(code.Block, noResult) || !f[last].Is(code.End) || !f[last+1].is(code.I32Const, 1) {
		return -1
	}
	var open nest
	for i := range last {
		open = open.step(f, i)
	}
	if len(open) != 1 {
		return -1
	}
	return open[0]
}

// frees reports whether from i on the stack pointer is raised by a constant.
func (f function) frees(i int) bool {
	return f.match(i, code.LocalGet, code.I32Const, code.I32Add, code.LocalTee, code.GlobalSet) &&
		f[i].Value == localSP && f[i+3].Value == localSP && f[i+4].Value == stackPointer && f[i+1].Value >= 0 && f[i+1].Value < 1<<30
}

// frame lets loads and stores add the offset in the stack's frame themselves. A frame
// is part of the memory, so that its addresses do not wrap, and 32 bits are enough for them.
// It also drops nops, which Go's assembler leaves behind opcodes of two bytes.
func (f function) frame() function {
	out := make(function, 0, len(f))
	changed := map[int]uint64{} // offsets of what is still to come
	for i := 0; i < len(f); i++ {
		in := f[i]
		if more, ok := changed[i]; ok {
			in = in.withOffset(in.Offset + more)
		}
		if in.Is(code.Nop) {
			continue
		}
		out = append(out, in)
		if !in.is(code.LocalGet, localSP) || !f.match(i+1, code.I64ExtendU) {
			continue
		}
		if f.match(i+2, code.I32WrapI64) {
			i += 2
			continue
		}
		if !f.match(i+2, code.I64Const, code.I64Add, code.I32WrapI64) || f[i+2].Value < 0 || f[i+2].Value >= 1<<30 {
			continue
		}
		offset := f[i+2].Value
		i += 4
		if user := f.addressed(i + 1); user >= 0 && f[user].Offset < 1<<30 && f[user].Value < 8 {
			changed[user] += uint64(offset)
			continue
		}
		out = append(out, constant(int32(offset)), plain(code.I32Add))
	}
	return out
}

// addressed returns which load or store takes as its address the value that lies on the stack
// before instruction i; -1: another instruction takes it, or it is not known which.
func (f function) addressed(i int) int {
	for above := 0; i < len(f); i++ {
		takes, leaves, known := f[i].Effect()
		switch {
		case !known:
			return -1
		case takes > above:
			if f[i].Loads() && above == 0 || f[i].Stores() && above == 1 {
				return i
			}
			return -1
		}
		above += leaves - takes
	}
	return -1
}
