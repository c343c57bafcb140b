package graph

import "github.com/normwasm/normwasm/internal/slab"

// segment is a part of a plan, between values that the rest depends on.
type segment struct {
	steps  []step
	placed []*place
	size   int    // bytes of arena
	arena  []byte // of its own, for all but a run's first segment
	out    []*Tensor
	outer  []*place // in memory outside of it: inputs, and results
	given  []result // those that it makes

	// An unfinished plan goes on from rest once the value of wait is known. The
	// continuations are kept by that value.
	rest   *planner
	wait   *place
	next   map[string]*segment
	latest *segment // what followed the last time
}

// result is an output that is written where the caller keeps it.
type result struct {
	output int
	buf    *buffer
}

const (
	maxNext    = 4        // continuations kept for one value
	maxNextKey = 64 << 10 // bytes of a value to keep a continuation for
)

// segment plans as far as it can and lays out memory of at most limit bytes.
func (p *planner) segment(limit int) (*segment, error) {
	done, err := p.walk()
	if err != nil {
		return nil, err
	}
	seg := &segment{}
	outputs := make([]*place, len(p.session.graph.Outputs))
	if done {
		if outputs, err = p.outputs(); err != nil {
			return nil, err
		}
		seg.out = tensors(outputs)
	} else {
		for i, v := range p.session.graph.Outputs {
			outputs[i] = p.values[v]
		}
		seg.rest, seg.wait = p, p.values[p.wait]
	}
	lives(p.steps)
	keep := func(pl *place) {
		if pl.buf != nil {
			pl.buf.last = forever
		}
	}
	p.needed(keep)
	for _, v := range p.session.graph.Outputs {
		if pl := p.values[v]; pl != nil {
			keep(pl)
		}
	}
	share(p.steps)
	beside := p.fed
	if p.session.resident {
		for i, pl := range outputs {
			if pl == nil || pl.buf == nil || pl.buf.first < 0 || pl.buf.settled || pl.buf.root().outside || pl.buf.size == 0 {
				continue
			}
			pl.buf.root().outside = true
			seg.given = append(seg.given, result{i, pl.buf.root()})
			beside += pl.buf.size
		}
	}
	seg.size = layout(p.buffers)
	if seg.size+beside > limit {
		return nil, Shape("graph: a run with these shapes needs ", seg.size+beside, " bytes, more than the session's limit of ", limit)
	}
	for i := range p.steps {
		p.steps[i].bind()
	}
	for _, pl := range p.placed {
		if pl.buf.root().outside {
			seg.outer = append(seg.outer, pl)
		} else if !pl.buf.settled { // else a view of an earlier segment's memory
			seg.placed = append(seg.placed, pl)
		}
	}
	for _, b := range p.buffers {
		b.settled = true
	}
	seg.steps = p.steps
	p.steps, p.placed, p.buffers = nil, nil, nil
	return seg, nil
}

// outputs gives the tensors of the graph's outputs. Those that would share memory with an
// input or a constant are copied, so that the caller may overwrite them.
func (p *planner) outputs() ([]*place, error) {
	var list []*place
	for _, v := range p.session.graph.Outputs {
		pl, err := p.at(v)
		if err != nil {
			return nil, err
		}
		if pl.buf == nil || pl.buf.first < 0 {
			to := p.buffered(pl.spec.Type, pl.spec.Dims, len(p.steps))
			p.steps = append(p.steps, step{
				node: &Node{Name: v.Name, Op: "Copy", Domain: Internal},
				run:  copyTensor, in: []*place{pl}, out: []*place{to},
			})
			to.buf.last = forever
			pl = to
		}
		list = append(list, pl)
	}
	return list, nil
}

func copyTensor(a *Args) {
	copy(a.Out[0].Data, a.In[0].Data)
	copy(a.Out[0].Strings, a.In[0].Strings)
}

// bind points the operands at the arena; nil lets go of it.
func (g *segment) bind(arena []byte) {
	at := func(b *buffer) []byte {
		if arena == nil || b.size == 0 {
			return nil
		}
		off := b.root().offset
		return arena[off : off+b.size : off+b.size]
	}
	for _, pl := range g.placed {
		pl.tensor.Data = at(pl.buf)
	}
	for i := range g.steps {
		if b := g.steps[i].scratch; b != nil {
			g.steps[i].args.Scratch = at(b)
		}
	}
}

// bindOuter points operands at memory outside of the arena.
func (g *segment) bindOuter() {
	for _, pl := range g.outer {
		pl.tensor.Data = pl.buf.bytes()
	}
}

// held is how much memory the segment and its continuations have of their own.
func (g *segment) held() int {
	n := len(g.arena)
	for _, next := range g.next {
		n += next.held()
	}
	return n
}

// advance plans, or finds again, what follows a segment that has run.
func (g *segment) advance() (*segment, error) {
	value := g.wait.tensor
	cached := len(value.Data) <= maxNextKey && value.Type != String
	if cached {
		if next := g.next[string(value.Data)]; next != nil {
			g.latest = next
			return next, nil
		}
	}
	p := g.rest.resume(cloneTensor(value))
	next, err := p.segment(p.session.maxBytes - len(p.session.arena) - len(p.session.feeds))
	if err != nil {
		return nil, err
	}
	next.arena = slab.New(next.size)
	next.bind(next.arena)
	g.latest = next
	if cached {
		if g.next == nil || len(g.next) == maxNext {
			g.next = map[string]*segment{}
		}
		g.next[string(value.Data)] = next
	}
	return next, nil
}

func cloneTensor(t *Tensor) *Tensor {
	c := newTensor(t.Type, t.Dims)
	copy(c.Data, t.Data)
	copy(c.Strings, t.Strings)
	return c
}
