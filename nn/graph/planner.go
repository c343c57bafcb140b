package graph

import (
	"errors"
	"slices"

	"github.com/normwasm/normwasm/internal/text"
)

// errNotYet says that an operator's plan needs a value which no step has
// computed yet.
var errNotYet = errors.New("graph: the value is not computed yet")

// hostLimit is the most bytes of outputs that a node with known inputs computes
// while planning: enough for shape arithmetic, masks and index tables. Larger
// values are computed by a step of each run.
const hostLimit = 256 << 10

// place is where a value is: known already (spec.Host) or in a buffer. tensor
// is what steps see.
type place struct {
	spec   Spec
	tensor *Tensor
	buf    *buffer // nil for a known value
}

// step is one operator call with its operands bound to memory.
type step struct {
	node    *Node
	run     func(a *Args)
	args    Args
	in, out []*place
	inPlace []uint32 // by output: the set of inputs whose memory it may take
	scratch *buffer
}

// frame is a list of nodes being walked: a graph's, or those of the branch that
// an If took. When it is through, outer[i] is what inner[i] is.
type frame struct {
	nodes        []*Node
	next         int
	outer, inner []*Value
}

// planner walks a graph in topological order for concrete input shapes. It
// stops at a node whose outputs' shapes depend on data that no step has
// computed yet; the steps so far are then a segment, and a copy of the planner
// goes on once they have run.
type planner struct {
	session *Session
	values  map[*Value]*place
	frames  []frame
	wait    *Value // what the walk stopped for
	known   int    // bytes of values computed while planning
	limit   int    // of one node's outputs, to be computed while planning
	dry     bool   // constant folding: nothing is kept for later plans

	fed     int // bytes of inputs, which are outside of the arena
	steps   []step
	buffers []*buffer
	placed  []*place
}

// at returns the place of a value that a node or the caller refers to.
func (p *planner) at(v *Value) (*place, error) {
	if pl := p.values[v]; pl != nil {
		return pl, nil
	}
	if v.Const == nil {
		return nil, Load("graph: value ", text.Quote(v.Name), " is used before it is computed")
	}
	pl := hosted(v.Const)
	p.values[v] = pl
	return pl, nil
}

// hosted is the place of a known value.
func hosted(t *Tensor) *place {
	return &place{spec: Spec{Type: t.Type, Dims: t.Dims, Host: t}, tensor: t}
}

// buffered makes a place with a buffer of its own, first written by step first.
func (p *planner) buffered(t DType, dims []int, first int) *place {
	pl := &place{spec: Spec{Type: t, Dims: dims}, tensor: &Tensor{Type: t, Dims: dims}}
	pl.buf = &buffer{size: Elements(dims) * t.Size(), first: first, last: first}
	if t == String {
		pl.tensor.Strings = make([]string, Elements(dims))
	}
	p.buffers = append(p.buffers, pl.buf)
	p.placed = append(p.placed, pl)
	return pl
}

// walk plans nodes until the end (done) or until one has to wait for p.wait.
func (p *planner) walk() (done bool, err error) {
	for len(p.frames) > 0 {
		f := &p.frames[len(p.frames)-1]
		if f.next == len(f.nodes) {
			if err := p.leave(f); err != nil {
				return false, err
			}
			p.frames = p.frames[:len(p.frames)-1]
			continue
		}
		n := f.nodes[f.next]
		f.next++
		if n.Op == "If" && n.Domain == "" {
			err = p.enter(n)
		} else {
			err = p.node(n)
		}
		if err == errNotYet {
			p.frames[len(p.frames)-1].next--
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// enter chooses an If's branch and puts its nodes first.
func (p *planner) enter(n *Node) error {
	c := &Call{Node: n, planner: p}
	if err := c.operands(); err != nil {
		return err
	}
	cond := c.In(0)
	if cond == nil || cond.Type != Bool || cond.Len() != 1 {
		return c.Fail("the condition must be one bool")
	}
	t, err := c.Host(0)
	if err != nil {
		return err
	}
	name := "else_branch"
	if t.Data[0] != 0 {
		name = "then_branch"
	}
	body := n.Attrs[name].G
	p.frames = append(p.frames, frame{nodes: body.Nodes, outer: n.Outputs, inner: body.Outputs})
	return nil
}

// leave hands a finished branch's results to the If's outputs.
func (p *planner) leave(f *frame) error {
	for i, v := range f.outer {
		if v == nil {
			continue
		}
		pl, err := p.at(f.inner[i])
		if err != nil {
			return err
		}
		p.values[v] = pl
	}
	return nil
}

// node plans one node: it asks the operator and records, or does at once, what
// the operator wants done.
func (p *planner) node(n *Node) error {
	op, ok := operators[n.key()]
	if !ok {
		return &UnsupportedError{Missing: []string{n.describe()}}
	}
	c := &Call{Node: n, planner: p, out: make([]*Spec, len(n.Outputs))}
	if err := c.operands(); err != nil {
		return err
	}
	if err := op.plan(c); err != nil {
		return err
	}
	if c.err != nil {
		return c.err
	}
	return p.finish(c)
}

// finish gives the outputs of a planned call their places and records its step.
func (p *planner) finish(c *Call) error {
	st := step{node: c.Node, run: c.run, in: c.places, out: make([]*place, len(c.Node.Outputs)), inPlace: c.inPlace}
	fresh, bytes := 0, 0
	for i, v := range c.Node.Outputs {
		if v == nil {
			continue
		}
		spec := c.out[i]
		switch {
		case spec == nil:
			return c.Fail("output ", i, " does not exist")
		case spec.Host != nil:
			st.out[i] = hosted(spec.Host)
			p.known += len(spec.Host.Data)
		case c.aliased(i) != nil:
			pl, err := c.view(i)
			if err != nil {
				return err
			}
			st.out[i] = pl
		default:
			fresh++
			size := Elements(spec.Dims) * spec.Type.Size()
			bytes = min(bytes+size, p.session.maxBytes+1)
			if bytes > p.session.maxBytes {
				return c.Fail("output ", i, " with dimensions ", spec.Dims, " takes more than the session's limit of ", p.session.maxBytes, " bytes")
			}
		}
	}
	now := c.known() && bytes <= p.limit && p.known+bytes <= p.session.maxBytes/4
	for i, v := range c.Node.Outputs {
		if v == nil {
			continue
		}
		if st.out[i] == nil {
			spec := c.out[i]
			if now {
				st.out[i] = hosted(newTensor(spec.Type, spec.Dims))
			} else {
				st.out[i] = p.buffered(spec.Type, spec.Dims, len(p.steps))
			}
		}
		p.values[v] = st.out[i]
	}
	if fresh == 0 {
		return nil
	}
	if c.run == nil {
		return c.Fail("the operator gives no step")
	}
	if now {
		p.known += bytes
		st.bind()
		st.args.Scratch = newScratch(c.scratch)
		return st.once()
	}
	if c.scratch > 0 {
		st.scratch = &buffer{size: c.scratch, first: len(p.steps), last: len(p.steps)}
		p.buffers = append(p.buffers, st.scratch)
	}
	p.steps = append(p.steps, st)
	return nil
}

// once runs a step while planning.
func (st *step) once() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = stopped(st.node, p)
		}
	}()
	st.run(&st.args)
	return nil
}

// bind points the step's arguments at its operands' tensors.
func (st *step) bind() {
	st.args.In = tensors(st.in)
	st.args.Out = tensors(st.out)
}

func tensors(places []*place) []*Tensor {
	list := make([]*Tensor, len(places))
	for i, pl := range places {
		if pl != nil {
			list[i] = pl.tensor
		}
	}
	return list
}

// resume is a planner that continues where p stopped, knowing that the value p
// waits for is t.
func (p *planner) resume(t *Tensor) *planner {
	q := &planner{session: p.session, limit: p.limit, values: make(map[*Value]*place, len(p.values))}
	for v, pl := range p.values {
		q.values[v] = pl
	}
	q.values[p.wait] = hosted(t)
	q.frames = slices.Clone(p.frames)
	return q
}

// needed calls f for each place that the nodes still to be walked refer to.
func (p *planner) needed(f func(pl *place)) {
	mention := func(v *Value) {
		if v != nil && p.values[v] != nil {
			f(p.values[v])
		}
	}
	if p.wait != nil {
		mention(p.wait)
	}
	for _, fr := range p.frames {
		eachUse(fr.nodes[fr.next:], mention)
		for _, v := range fr.inner {
			mention(v)
		}
	}
}

// eachUse calls f for every value that the nodes and their subgraphs refer to.
func eachUse(nodes []*Node, f func(v *Value)) {
	for _, n := range nodes {
		for _, v := range n.Inputs {
			f(v)
		}
		for _, g := range n.Subgraphs() {
			eachUse(g.Nodes, f)
			for _, v := range g.Outputs {
				f(v)
			}
		}
	}
}
