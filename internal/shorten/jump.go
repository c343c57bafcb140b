package shorten

import "github.com/normwasm/normwasm/internal/code"

// dispatch is how a function goes from one block of its code to another:
//
//	loop
//	  block … block        one for each place to go on at
//	    local.get 0
//	    br_table …
//	  end
//	  …
//	end
type dispatch struct {
	loop  int // where the loop begins
	table int // where the br_table is
}

// findDispatch looks for the loop at the beginning of f, and checks that nothing else goes
// there or reads the block's number than what sets it right before.
func (f function) findDispatch() (d dispatch, ok bool) {
	i := 2
	for f.at(i).Is(code.Block) {
		i++
	}
	d.loop = i
	if !f.at(i).is(code.Loop, noResult) {
		return d, false
	}
	for i++; f.at(i).is(code.Block, noResult); i++ {
	}
	d.table = i + 1
	if !f.at(i).is(code.LocalGet, localBlock) || !f.at(d.table).Is(code.BrTable) {
		return d, false
	}
	for _, depth := range f[d.table].Labels {
		if int(depth) >= d.table-2-d.loop { // it goes elsewhere than to the blocks
			return d, false
		}
	}
	var open nest
	for i := range f {
		open = open.step(f, i)
		switch in := f[i]; {
		case i == d.table || i == d.table-1:
		case in.is(code.LocalTee, localBlock):
			return d, false
		case in.is(code.LocalGet, localBlock):
			// An indirect call keeps its target there for a moment.
			if !f.at(i-2).is(code.LocalSet, localBlock) || !f.at(i-1).Is(code.I32Const) {
				return d, false
			}
		case in.Is(code.Br) && open.label(in.Value) == d.loop:
			if !f.setsBlock(i - 2) {
				return d, false
			}
		case in.Is(code.BrIf) && open.label(in.Value) == d.loop:
			return d, false
		case in.Is(code.BrTable):
			for _, depth := range in.Labels {
				if open.label(int64(depth)) == d.loop {
					return d, false
				}
			}
		}
	}
	return d, true
}

// setsBlock reports whether from i on the block's number is set to a constant.
func (f function) setsBlock(i int) bool {
	return i >= 0 && f.match(i, code.I32Const) && f.at(i+1).is(code.LocalSet, localBlock)
}

// jumps makes branches of the jumps to blocks that are further down.
func (f function) jumps() function {
	d, ok := f.findDispatch()
	if !ok {
		return f
	}
	labels := f[d.table].Labels
	out := make(function, 0, len(f))
	var open nest
	for i := 0; i < len(f); i++ {
		open = open.step(f, i)
		if i > d.table && f.setsBlock(i) && f.at(i+2).Is(code.Br) && open.label(f[i+2].Value) == d.loop {
			number := min(uint64(f[i].Value), uint64(len(labels)-1)) // a negative one is large
			depth := open.depth(d.table - 2 - int(labels[number]))
			switch {
			case depth < 0: // it is behind: the loop has to go there
			case open.label(0) == i-1 && f[i-1].Is(code.If) && f.at(i+3).Is(code.End):
				out[len(out)-1] = indexed(code.BrIf, depth-1)
				open = open[:len(open)-1]
				i += 3
				continue
			default:
				out = append(out, indexed(code.Br, depth))
				i += 2
				continue
			}
		}
		out = append(out, f[i])
	}
	return out
}
