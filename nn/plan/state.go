package plan

import (
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/op"
)

// State is an output that stays in the plan and is an input of the next run, by their
// numbers.
//
// Most are replaced by each run: two blocks of memory change places, one with what the
// input reads and one for what the run writes. Where the output is the Concat of the input
// and something new, as a decoder's cache is, the state grows: its memory has room for
// more rows, and the step that concatenates writes what is new behind what is there. Where
// dimensions come before the axis along which it grows, each of their blocks has room of
// its own, so that the tensors have gaps (ir.Tensor.Stride). If an operator that reads them
// cannot do with gaps, the state is replaced after all: the Concat copies it, as something
// would have to.
//
// A run that fails leaves a state as it was: what is written behind it does not count
// before the run has ended. Of rows that are written over it may leave those of the next
// position, which the model's own count of valid rows leaves out.
type State struct{ In, Out int }

type state struct {
	State
	input  *place
	axis   int       // along which it grows, -1 for none
	fixed  bool      // its declared size there does not change: rows are written over
	grows  bool      // in place
	fed    bool      // this run's input is given by the caller
	kept   bool      // there is a state: a run has left it
	tensor ir.Tensor // it
	data   []byte    // its memory
	other  []byte    // what the run makes of it, where that is elsewhere

	// Of a state that grows: blocks of rows, each with room for more.
	blocks int
	row    int    // bytes
	rows   int    // that the plan has room for in each block
	room   int    // that data has
	copies bool   // the plan is for an input that is fed: the Concat copies it
	buf    buffer // the output's
}

// addStates finds out which states grow, once the graph is compiled.
func (p *Plan) addStates() {
	p.staying = make([]*state, len(p.graph.Outputs))
	for _, pair := range p.options.States {
		st := &state{State: pair, input: p.places[pair.In], axis: -1}
		st.tensor.Dims = []int{}
		st.buf = *st.input.buf
		st.input.state, p.staying[pair.Out] = st, st
		p.states = append(p.states, st)
		in, out := p.inputs[pair.In], p.main.outputs[pair.Out]
		declared := p.graph.Inputs[pair.In].Dims
		for _, d := range p.main.nodes {
			for k := range d.row.Grows {
				g := &d.row.Grows[k]
				if g.In >= len(d.in) || g.Out >= len(d.out) || d.in[g.In] != in || d.out[g.Out] != out || g.Inputs != 0 && len(d.in) != g.Inputs {
					continue
				}
				if st.axis = g.AxisOf(d.node, len(declared)); st.axis < 0 {
					continue
				}
				st.fixed = declared[st.axis].Size >= 0
				st.grows = (dense(declared[:st.axis]) || p.readGaps(d, g, out, st.axis, len(declared))) && !(g.Writes && p.readElsewhere(d, g))
				if st.grows {
					if d.states == nil {
						d.states = make([]*state, len(d.out))
					}
					d.states[g.Out] = st
				}
			}
		}
	}
}

// dense says whether all dimensions are 1, so that behind them there is one block.
func dense(dims []ir.Dim) bool {
	for i := range dims {
		if dims[i].Size != 1 {
			return false
		}
	}
	return true
}

// readElsewhere says whether anything but the node that writes over its input reads the
// elements of that.
func (p *Plan) readElsewhere(writes *node, g *op.Growth) bool {
	in := writes.in[g.In]
	for _, d := range p.all {
		for i, v := range d.in {
			if v == in && (d != writes || i != g.In) && d.row != op.Find("Shape") {
				return true
			}
		}
	}
	for _, v := range p.main.outputs {
		if v == in {
			return true
		}
	}
	return p.branches
}

// readGaps says whether whatever reads the operand that a node grows, but for the node, and
// its result, value number out, can do with gaps.
func (p *Plan) readGaps(grows *node, g *op.Growth, out, axis, rank int) bool {
	in, uses := grows.in[g.In], 0
	gaps := op.Spec{Outer: axis, Stride: 1, Dims: make([]int, rank)}
	for _, d := range p.main.nodes {
		for i, v := range d.in {
			if (v == in || v == out) && !d.row.Reads(i, &gaps) && (d != grows || i != g.In) {
				return false
			}
		}
	}
	for _, v := range p.main.outputs {
		if v == in || v == out {
			uses++
		}
	}
	return uses == 1 && !p.branches
}

// Feed says whether the next run's input of state k is given, or the state itself. It
// returns the dimensions of that, nil where there is none, as before the first run and after Reset, and the
// axis along which it grows, -1 if that is not known.
func (p *Plan) Feed(k int, given bool) (dims []int, axis int) {
	st := p.states[k]
	if st.fed = given; st.kept {
		dims = st.tensor.Dims
	}
	return dims, st.axis
}

// Reset lets all states begin anew.
func (p *Plan) Reset() {
	for _, st := range p.states {
		st.kept = false
	}
}

// State is output i as the latest run that succeeded left it, nil where that is none. It may
// have gaps, and lasts until the next run.
func (p *Plan) State(i int) *ir.Tensor {
	if st := p.staying[i]; st != nil && st.kept {
		return &st.tensor
	}
	return nil
}

// keeps is the state that place i of the outputs is; with a place only if that is where it grows.
func (p *Plan) keeps(i int, pl *place) *state {
	if len(p.states) == 0 {
		return nil
	}
	st := p.staying[p.made[i]]
	if st == nil || pl != nil && pl.buf != &st.buf {
		return nil
	}
	return st
}

// lay gives a tensor of a growing state its gaps, and returns how many bytes it reaches over.
// Where there is not enough room there will be: the first time little more than wanted, for
// a prompt may be all that there is; then it doubles, as long as it is small beside the
// session's limit.
func (p *Plan) lay(st *state, s *op.Spec) int {
	n := s.Dims[st.axis]
	if n > st.rows {
		more := n/8 + 16
		if st.fixed {
			more = 0
		}
		if st.rows > 0 && n*st.blocks*st.row < p.options.MaxBytes/16 {
			more += n
		}
		st.rows, p.regrow = n+more, true
	}
	s.Outer, s.Stride = 0, 0
	if st.blocks > 1 && n*st.row > 0 {
		s.Outer, s.Stride = st.axis, st.rows*st.row/s.Type.Size()
		n += (st.blocks - 1) * st.rows
		return n * st.row
	}
	return st.blocks * n * st.row
}

// layStates gives the inputs that grow their gaps, and says whether some have changed.
func (p *Plan) layStates() (changed bool) {
	held := 0
	for _, st := range p.states {
		if !st.grows {
			continue
		}
		pl := st.input
		s := &pl.spec
		st.blocks, st.row = ir.Elements(s.Dims[:st.axis]), s.Type.Bytes(ir.Elements(s.Dims[st.axis+1:]))
		if pl.buf.size = p.lay(st, s); st.fed {
			s.Stride, pl.buf.size = 0, s.Type.Bytes(s.Len())
		}
		if s.Stride != pl.own.Stride || st.fed != st.copies {
			pl.own.Outer, pl.own.Stride, pl.stamp, changed = s.Outer, s.Stride, p.stamp+1, true
			p.mark(p.inputs[st.In])
		}
		st.copies = st.fed
		held += aligned(st.blocks * st.rows * st.row)
	}
	p.fed += held - p.held
	p.held = held
	return changed
}

// appended gives the output that a state grows to its place in the state's memory.
func (p *Plan) appended(st *state, pl *place, s *op.Spec) {
	laid := *s
	st.buf.size = p.lay(st, &laid)
	pl.set(&laid, p.stamp)
	pl.buf = &st.buf
}

// ungrow takes back the room that a plan wanted which failed.
func (p *Plan) ungrow() {
	for _, st := range p.states {
		st.rows = st.room
	}
}

// Again is Update and Bind in one for a run like the latest: inputs of the same dimensions that
// are fed from nowhere else, and states that stay as large as they are, those of which the dimensions
// are nil. A decoder that writes token by token has no other. Where it is not so, nothing is done.
func (p *Plan) Again(dims [][]int) bool {
	if !p.ready || p.relisted || len(dims) != len(p.places) || len(p.states) == 0 || len(p.segments[0].arena) < p.segments[0].size {
		return false
	}
	for i, pl := range p.places {
		switch st := pl.state; {
		case pl.buf == nil || pl.list != nil:
			return false
		case st != nil:
			if dims[i] != nil || !(st.grows && st.fixed && st.kept) || st.fed || st.copies || st.other != nil || st.room != st.rows || !ir.SameDims(st.tensor.Dims, pl.spec.Dims) {
				return false
			}
		case pl.buf.data == nil || !ir.SameDims(pl.spec.Dims, dims[i]):
			return false
		}
	}
	p.hungry = false
	return p.bindStates() == nil // which takes no memory
}

// bindStates gives the states their memory.
func (p *Plan) bindStates() (err error) {
	for _, st := range p.states {
		pl := st.input
		size := pl.buf.size
		if st.grows {
			size = st.blocks * st.rows * st.row
			if move := st.kept && st.room != st.rows; st.fed || move {
				if st.buf.data, err = st.resultOf(size); err != nil {
					return err
				}
				if move && !st.fed {
					n := pl.spec.Dims[st.axis] * st.row
					ir.CopyBlocks(st.other, st.data, st.blocks, n, st.rows*st.row, st.room*st.row)
					st.data, st.other = st.other, st.data
				}
			}
		}
		if st.fed {
			continue
		}
		st.room = st.rows
		if st.data, err = again(st.data, size); err != nil {
			st.room = 0
			return err
		}
		if !st.kept {
			clear(st.data[:size])
		}
		st.buf.data, pl.buf.data = st.data, st.data
		pl.own.Data = pl.buf.bytes()
		st.tensor.Data, st.tensor.Stride = pl.own.Data, pl.own.Stride
	}
	return nil
}

// again is b, or another slab where b is too small, with room to grow where it was there.
func again(b []byte, size int) ([]byte, error) {
	if len(b) >= size {
		return b, nil
	}
	slab.Give(b)
	return slab.Take(size+len(b)/8, false)
}

// resultOf is the memory for what a run makes of a state elsewhere.
func (st *state) resultOf(size int) (b []byte, err error) {
	if st.other, err = again(st.other, size); err != nil {
		return nil, err
	}
	return st.other[:size:size], nil
}

// first is the place among the outputs of the first of output o.
func (p *Plan) first(o int) int {
	for i, of := range p.made {
		if of == o {
			return i
		}
	}
	return -1
}

// commit makes the run's outputs the states. It fails before it has changed any.
func (p *Plan) commit() error {
	for _, st := range p.states {
		t := p.outputs[p.first(st.Out)].tensor
		if t.Type != st.input.spec.Type {
			return ir.Load("graph: output ", text.Quote(p.graph.Outputs[st.Out].Name), " is ", t.Type.String(), ", want ", st.input.spec.Type.String(), " as input ",
				text.Quote(p.graph.Inputs[st.In].Name), ", which it becomes")
		}
		if !st.grows && len(t.Data) > 0 && slab.Addr(st.other) != slab.Addr(t.Data) {
			b, err := st.resultOf(len(t.Data))
			if err != nil {
				return err
			}
			copy(b, t.Data)
		}
	}
	for _, st := range p.states {
		t, have := p.outputs[p.first(st.Out)].tensor, &st.tensor
		data := t.Data
		if !st.grows || st.fed {
			st.data, st.other, st.room = st.other, st.data, st.rows
			data = st.data[:len(data)]
		}
		have.Type, have.Outer, have.Stride, have.Data, st.kept = t.Type, t.Outer, t.Stride, data, true
		have.Dims = append(have.Dims[:0], t.Dims...)
	}
	return nil
}

// dropStates lets go of what growing states have beside themselves.
func (p *Plan) dropStates() {
	for _, st := range p.states {
		if st.grows {
			slab.Give(st.other)
			st.other = nil
		}
		p.hungry = true
	}
}

// stateBytes is the memory of the states.
func (p *Plan) stateBytes() (n int) {
	for _, st := range p.states {
		n += len(st.data) + len(st.other)
	}
	return n
}

func (p *Plan) releaseStates() {
	for _, st := range p.states {
		slab.Give(st.data)
		slab.Give(st.other)
	}
}
