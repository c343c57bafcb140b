package plan

import (
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/op"
)

// segment is a part of a plan, between values that the rest depends on.
type segment struct {
	frames  []frame // where it starts
	wait    *place  // the value it waits for, as the steps give it
	waitFor int     // its number
	value   *place  // the value as the segment's nodes see it: known
	after   *node   // or the loop that it comes after

	straight bool // it is without control flow: the graph's nodes from … to
	from, to int
	own      int // how many of visited are these, without copies of outputs
	ownSteps int // and of steps

	last    bool // the graph ends with it
	ended   bool // last, when memory was laid out
	end     int  // the number of the node that it stops before
	steps   []*node
	visited []*node
	given   []binding
	at      int     // while walking: how many of visited were the same so far
	ran     int     // and of steps
	loose   bool    // an earlier segment's memory has moved
	other   bool    // while walking: they are others than those that memory was laid out for
	changed []*node // of visited, those that were planned again

	// As memory was laid out.
	bound   []binding // given
	kept    []*buffer // of the outputs
	buffers []*buffer
	outer   []*place // in memory outside of the arena: views of inputs, and results
	results []result // those that it makes
	size    int
	arena   []byte
	extra   []*node // the copies that it makes of outputs which share memory with inputs or constants
}

// binding says that a value of an outer graph is what a body's place is.
type binding struct {
	place *place
	value int
	buf   *buffer // the place's, when memory was laid out
}

// result is an output that is written where the caller keeps it.
type result struct {
	output int
	buf    *buffer
}

func (s *segment) begin() {
	s.at, s.ran, s.changed, s.given = 0, 0, s.changed[:0], s.given[:0]
	s.last, s.end = false, forever
}

// add notes a node that was visited, which most often is the one that was so the last time.
func (s *segment) add(n *node) {
	if s.at == len(s.visited) || s.visited[s.at] != n {
		s.visited, s.other = append(s.visited[:s.at], n), true
	}
	s.at++
	if !n.runs {
		return
	}
	if s.ran == len(s.steps) || s.steps[s.ran] != n {
		s.steps, s.other = append(s.steps[:s.ran], n), true
	}
	s.ran++
}

// finishOutputs finds the graph's outputs. Those that would share memory with an input or
// a constant are copied, so that the caller may overwrite them.
func (p *Plan) finishOutputs(s *segment) error {
	s.last = true
	p.outputs, p.made, p.counts = p.outputs[:0], p.made[:0], p.counts[:0]
	for i, id := range p.main.outputs {
		pl := p.current[id]
		switch {
		case pl == nil:
			return unknown(p.graph.Outputs[i])
		case pl.list != nil && pl.list.absent:
			p.counts = append(p.counts, Nothing)
		case pl.list != nil:
			p.counts = append(p.counts, len(pl.list.items))
			for _, item := range pl.list.items {
				p.finishOutput(s, i, id, item)
			}
		default:
			p.counts = append(p.counts, One)
			p.finishOutput(s, i, id, pl)
		}
	}
	for len(p.results) < len(p.outputs) {
		p.results = append(p.results, nil)
	}
	return nil
}

// finishOutput adds the next of outputs, of output number o, which is value id.
func (p *Plan) finishOutput(s *segment, o, id int, pl *place) {
	i := len(p.outputs)
	p.made = append(p.made, o)
	if p.options.body && pl.slot > 0 {
		// An element of a sequence that passes through a body is not copied in each trip.
	} else if pl.buf == nil || pl.buf.first < 0 && pl.buf.settled && p.keeps(i, pl) == nil {
		pl = p.copied(s, i, id, pl)
	}
	p.outputs = append(p.outputs, pl)
}

// copied adds the step that copies output i, of value id, out of pl, and returns where to.
func (p *Plan) copied(s *segment, i, id int, pl *place) *place {
	for len(s.extra) <= i {
		s.extra = append(s.extra, nil)
	}
	n := s.extra[i]
	if n == nil {
		n = &node{node: &ir.Node{Op: "Copy", Domain: ir.Internal}, step: op.Copy{}, runs: true,
			places: make([]*place, 1), outs: []*place{{}}, out: []int{0}, inPlace: []uint32{0}, shared: []int8{-1}}
		s.extra[i] = n
	}
	n.out[0] = id
	n.places[0] = pl
	n.outs[0].buffered(&op.Spec{Type: pl.spec.Type, Dims: pl.spec.Dims}, p.stamp)
	n.args.In, n.args.Out = tensors(n.args.In, n.places), tensors(n.args.Out, n.outs)
	s.changed = append(s.changed, n)
	s.add(n)
	return n.outs[0]
}

// settle lays out the segment's memory where it has to be, and binds the operands to it.
func (s *segment) settle(p *Plan) error {
	s.other = s.other || s.at != len(s.visited) || s.ran != len(s.steps) || s.last != s.ended
	s.visited, s.steps = s.visited[:s.at], s.steps[:s.ran]
	moved := s.moved(p) || s.size > len(s.arena)
	if moved {
		s.arrange(p)
	}
	if total := p.total(s); total > p.options.MaxBytes {
		if s.size = layout(s.buffers, false); p.total(s) > p.options.MaxBytes {
			return p.limit(p.total(s))
		}
		moved = true
	}
	s.other, s.ended = false, s.last
	s.findOuter(moved)
	switch {
	case s.size > len(s.arena) && s != p.segments[0]:
		return p.take(s)
	case s.size > len(s.arena):
		s.unbind() // Bind takes the memory, when the run is wanted
	case moved || s.loose:
		p.bind(s)
	default:
		for _, n := range s.changed {
			n.bind()
		}
	}
	return nil
}

// findOuter lists the places that are in memory outside of the arena, if they may have
// changed.
func (s *segment) findOuter(moved bool) {
	for _, n := range s.changed {
		for _, pl := range n.outs {
			moved = moved || pl != nil && pl.outer != (pl.buf != nil && pl.buf.root().outside)
		}
	}
	if !moved {
		return
	}
	s.outer = s.outer[:0]
	for _, n := range s.visited {
		for _, pl := range n.outs {
			if pl == nil {
				continue
			}
			if pl.outer = pl.buf != nil && pl.buf.root().outside; pl.outer {
				s.outer = append(s.outer, pl)
			}
		}
	}
}

// total is the memory of a run: the segment's, that of the others, inputs and results.
func (p *Plan) total(s *segment) int {
	n := s.size + p.fed + p.arenas - len(s.arena) + p.looped
	for _, r := range s.results {
		n += r.buf.size
	}
	return n
}

// take gets the arena.
func (p *Plan) take(s *segment) (err error) {
	if s.size > len(s.arena) {
		s.unbind()
		p.arenas -= len(s.arena)
		slab.Give(s.arena)
		if s.arena, err = slab.Take(s.size, false); err != nil {
			s.size = layout(s.buffers, false)
			s.arena, err = slab.Take(s.size, false)
		}
		if err != nil {
			s.arena = nil
			return err
		}
		p.arenas += len(s.arena)
	}
	p.bind(s)
	return nil
}

// moved says whether the layout no longer holds: other steps, a buffer that has outgrown
// its room, memory that is no longer to be shared.
func (s *segment) moved(p *Plan) bool {
	if s.other || len(s.given) != len(s.bound) {
		return true
	}
	for i, g := range s.given {
		if g.value != s.bound[i].value || g.place.buf != s.bound[i].buf {
			return true
		}
	}
	if s.last {
		for i, pl := range p.outputs {
			if i >= len(s.kept) || pl.buf != s.kept[i] {
				return true
			}
		}
	}
	for _, n := range s.changed {
		if n.runs && n.outgrown() {
			return true
		}
	}
	return false
}

// outgrown says whether a step no longer fits the memory that was laid out for it.
func (n *node) outgrown() bool {
	for o, pl := range n.outs {
		if pl == nil || pl.buf == nil || !pl.owns {
			continue
		}
		b := pl.buf
		if b.into != nil && !n.may(o) || b.into == nil && !b.outside && b.room < b.size {
			return true
		}
	}
	for k, pl := range n.places {
		if pl != nil && pl.buf != n.read[k] || pl == nil && n.read[k] != nil {
			return true
		}
	}
	return n.scratch != nil && n.scratch.room < n.scratch.size
}

// may says whether output o may still have the memory that it has.
func (n *node) may(o int) bool {
	j := int(n.shared[o])
	in, out := n.places[j], n.outs[o]
	if n.inPlace[o]>>j&1 == 0 || in == nil || in.buf == nil || in.buf.root() != out.buf.root() || in.buf.size != out.buf.size {
		return false
	}
	for k, other := range n.places {
		if k != j && other != nil && other.buf != nil && other.buf.root() == in.buf.root() && !ir.SameDims(other.spec.Dims, in.spec.Dims) {
			return false
		}
	}
	return true
}

// arrange lays out the segment's memory.
func (s *segment) arrange(p *Plan) {
	s.buffers, s.results, s.kept, s.bound = s.buffers[:0], s.results[:0], s.kept[:0], s.bound[:0]
	for _, g := range s.given {
		s.bound = append(s.bound, binding{g.place, g.value, g.place.buf})
	}
	for i, n := range s.steps {
		for _, pl := range n.outs {
			if pl != nil && pl.buf != nil && pl.owns {
				b := pl.buf
				*b = buffer{size: b.size, growth: b.growth, first: i, last: i}
				s.buffers = append(s.buffers, b)
			}
		}
		if n.scratch != nil {
			*n.scratch = buffer{size: n.scratch.size, growth: n.scratch.growth, first: i, last: i}
			s.buffers = append(s.buffers, n.scratch)
		}
		n.read = n.read[:0]
		for _, pl := range n.places {
			if pl == nil {
				n.read = append(n.read, nil)
			} else {
				n.read = append(n.read, pl.buf)
			}
		}
	}
	lives(s.steps)
	for _, n := range s.visited {
		for o, pl := range n.outs {
			if pl != nil && pl.buf != nil && n.out[o] >= 0 {
				pl.buf.until = max(pl.buf.until, p.lastUse[n.out[o]])
			}
		}
	}
	for _, g := range s.given {
		if g.place.buf != nil {
			g.place.buf.until = max(g.place.buf.until, p.lastUse[g.value])
		}
	}
	for _, b := range s.buffers {
		if b.until >= s.end {
			b.last = forever
		}
	}
	if s.last {
		for _, pl := range p.outputs {
			if pl.buf != nil {
				pl.buf.last = forever
			}
			s.kept = append(s.kept, pl.buf)
		}
	}
	share(s.steps)
	if s.last {
		for i, pl := range p.outputs {
			if pl.buf == nil {
				continue
			}
			r := pl.buf.root()
			if !p.options.Resident && p.keeps(i, nil) == nil || pl.buf.size == 0 || r.settled || r.outside {
				continue
			}
			r.outside = true
			s.results = append(s.results, result{i, r})
		}
	}
	s.size = layout(s.buffers, true)
}

// bind points the operands at the arena. What later segments see of it, they have to bind
// anew as well.
func (p *Plan) bind(s *segment) {
	s.loose = false
	for k := len(p.segments) - 1; p.segments[k] != s; k-- {
		p.segments[k].loose = true
		p.stale = min(p.stale, k)
	}
	for _, b := range s.buffers {
		if b.into == nil && !b.outside && b.size > 0 {
			b.data = s.arena[b.offset : b.offset+b.room : b.offset+b.room]
		}
	}
	for _, n := range s.visited {
		n.bind()
	}
	if !s.last {
		for _, b := range s.buffers {
			b.settled = true
		}
	}
}

// bind points the node's outputs and scratch memory at where they are.
func (n *node) bind() {
	for _, pl := range n.outs {
		if pl != nil && pl.buf != nil {
			pl.own.Data = pl.buf.bytes()
		}
	}
	if n.runs && n.scratch != nil {
		n.args.Scratch = n.scratch.bytes()
	}
}

// unbind lets go of the arena.
func (s *segment) unbind() {
	for _, b := range s.buffers {
		b.data = nil
	}
	for _, n := range s.visited {
		for _, pl := range n.outs {
			if pl != nil && pl.buf != nil {
				pl.own.Data = nil
			}
		}
		n.args.Scratch = nil
	}
}

// bindOuter points operands at memory outside of the arena.
func (s *segment) bindOuter() {
	for _, pl := range s.outer {
		pl.own.Data = pl.buf.bytes()
	}
}

// fetch reads the value that the segment waits for, and says whether it has changed.
func (s *segment) fetch(stamp int) bool {
	t := s.wait.tensor
	if s.value == nil {
		s.value = &place{}
	}
	old := s.value.spec.Host
	if old != nil && old.Equal(t) {
		return false
	}
	s.value.know(t.Clone(), stamp)
	return true
}
