package plan

import (
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/op"
)

// frame is a body being walked. When it is through, the node's outputs are the body's.
type frame struct {
	body *body
	next int
	node *node
}

// walk plans segment k from its first node to its end: the graph's, or the first node
// that needs a value which the segment's steps give. Then it lays out memory.
func (p *Plan) walk(k int) (err error) {
	s := p.segments[k]
	done := false
	defer func() {
		if n := p.computing; n != nil { // whose step has panicked
			p.computing, err = nil, stopped(n.node, recover())
		}
		if !done {
			s.other = true // what was planned again until then is not laid out
		}
	}()
	if err = p.through(k, s); err == nil {
		p.stale, done = k+1, true
	}
	return err
}

func (p *Plan) through(k int, s *segment) error {
	// What later segments read as known values is not known yet at this point of the walk.
	for ; p.reached > k; p.reached-- {
		if p.reached < len(p.segments) {
			if t := p.segments[p.reached]; t.after == nil {
				p.current[t.waitFor] = t.wait
			}
		}
	}
	if s.value != nil {
		p.current[s.waitFor] = s.value
	} else if !op.Lean && k == 0 {
		p.enterInputs()
	}
	p.reached = k
	if s.straight && !s.other {
		if ok, err := p.again(s); ok || err != nil {
			return err
		}
	}
	return p.whole(k, s)
}

// again plans those nodes of a segment again of which an operand has changed. It is not
// done, and the whole segment has to be walked, where that gives other steps or another end.
func (p *Plan) again(s *segment) (done bool, err error) {
	s.changed = s.changed[:0]
	nodes := p.main.nodes
	for i := p.marked.next(s.from, s.to); i < s.to; i = p.marked.next(i+1, s.to) {
		n := nodes[i]
		if err := p.visit(s, n); err == op.ErrNotYet || s.other {
			p.marked.set(i)
			s.other = true
			return false, nil
		} else if err != nil {
			p.marked.set(i)
			return false, err
		}
	}
	s.at, s.ran = s.own, s.ownSteps
	if s.last {
		if err := p.finishOutputs(s); err != nil {
			return false, err
		}
	}
	return true, s.settle(p)
}

// whole plans a segment by visiting all its nodes.
func (p *Plan) whole(k int, s *segment) error {
	s.begin()
	s.straight, s.from = !p.branches, s.frames[0].next
	waits := false
	frames := append(p.frames[:0], s.frames...)
	defer func() { p.frames = frames[:0] }()
	for len(frames) > 0 {
		f := &frames[len(frames)-1]
		if f.next == len(f.body.nodes) {
			if f.node != nil {
				if err := p.leave(s, f); err != nil {
					return err
				}
			}
			frames = frames[:len(frames)-1]
			continue
		}
		n := f.body.nodes[f.next]
		var err error
		if !op.Lean && n.loop != nil {
			if err := p.reach(s, n); err != nil {
				return err
			}
			s.add(n)
			f.next++
			p.stop(k, n, frames)
			waits = true
			break
		}
		if !op.Lean && n.row.Planned && n.bodies == nil {
			if err = p.visitList(s, n); err == nil {
				f.next++
				continue
			}
		} else if n.bodies != nil {
			var b *body
			if b, err = p.enter(n); err == nil {
				f.next++
				frames = append(frames, frame{body: b, node: n})
				continue
			}
		} else if err = p.visit(s, n); err == nil {
			s.add(n)
			f.next++
			continue
		}
		if err != op.ErrNotYet {
			return err
		}
		s.to = f.next
		p.stop(k, n, frames)
		waits = true
		break
	}
	s.own, s.ownSteps = s.at, s.ran
	if !waits {
		s.to = len(p.main.nodes)
		for _, t := range p.segments[k+1:] {
			p.arenas -= len(t.arena)
			slab.Give(t.arena)
		}
		p.segments = p.segments[:k+1]
		if err := p.finishOutputs(s); err != nil {
			return err
		}
	}
	return s.settle(p)
}

// stop ends segment k before node n, which waits for a value, or after n where that is a
// loop, whose results nobody knows before it has run; the next segment starts there.
func (p *Plan) stop(k int, n *node, frames []frame) {
	if len(p.segments) == k+1 {
		p.segments = append(p.segments, &segment{})
	}
	s, next := p.segments[k], p.segments[k+1]
	s.end, s.last = n.number, false
	next.frames = append(next.frames[:0], frames...)
	if next.after = n; n.loop != nil {
		s.end++
		next.wait, next.value = nil, nil
		return
	}
	next.after = nil
	waitFor := 0
	if n.bodies != nil {
		waitFor = n.in[0]
	} else {
		waitFor = n.in[p.call.Wait]
	}
	if next.wait != p.current[waitFor] {
		next.wait, next.waitFor = p.current[waitFor], waitFor
		next.value = nil
	}
}

// enter chooses an If's branch.
func (p *Plan) enter(n *node) (*body, error) {
	p.call.Begin(n.node, n.row, nil, nil, nil, p.options.MaxBytes)
	pl := p.current[n.in[0]]
	if pl == nil {
		return nil, unknown(n.node.Inputs[0])
	}
	if pl.list != nil || pl.spec.Type != ir.Bool || pl.spec.Len() != 1 {
		return nil, p.call.Fail("the condition must be one bool")
	}
	switch t := pl.spec.Host; {
	case t == nil:
		return nil, op.ErrNotYet
	case t.Data[0] != 0:
		return n.bodies[0], nil
	}
	return n.bodies[1], nil
}

// leave hands a finished branch's results to the If's outputs.
func (p *Plan) leave(s *segment, f *frame) error {
	for i, id := range f.node.out {
		if id < 0 {
			continue
		}
		pl := p.current[f.body.outputs[i]]
		if pl == nil {
			return unknown(f.node.node.Outputs[i])
		}
		p.current[id] = pl
		s.give(pl, id)
	}
	return nil
}

// visit plans a node if an operand has changed, and notes its step.
func (p *Plan) visit(s *segment, n *node) error {
	clean := n.stamp != 0
	for i, id := range n.in {
		if id < 0 {
			continue
		}
		pl := p.current[id]
		if pl == nil {
			return unknown(n.node.Inputs[i])
		}
		if !op.Lean && pl.list != nil {
			return p.passList(s, n, i)
		}
		if pl != n.places[i] {
			n.places[i], n.specs[i], n.admitted, clean = pl, &pl.spec, false, false
		} else if pl.stamp > n.stamp {
			clean = false
		}
	}
	if !clean {
		n.stamp = 0 // until it is done: the operator may fail
		if err := p.replan(s, n); err != nil {
			return err
		}
		n.stamp = p.stamp
	}
	for i, id := range n.out {
		if id >= 0 && p.current[id] != n.outs[i] {
			p.current[id] = n.outs[i]
		}
	}
	return nil
}

// replan asks the operator for a node's step.
func (p *Plan) replan(s *segment, n *node) error {
	c := &p.call
	c.Begin(n.node, n.row, n.specs, n.step, &n.store, p.options.MaxBytes)
	for i, pl := range n.outs {
		if pl != nil {
			c.Spares[i] = pl.spare
		}
	}
	for i, st := range n.states {
		if st != nil && !st.fed {
			c.Append |= 1 << i
		}
	}
	if !n.admitted {
		if err := n.row.Admit(c); err != nil {
			return err
		}
		n.admitted = true
	}
	if err := n.row.Do(c); err != nil {
		return err
	}
	runs := n.runs
	if err := p.finish(n, c); err != nil {
		return err
	}
	s.changed = append(s.changed, n)
	if runs != n.runs {
		s.other = true
	}
	return nil
}

// finish gives the outputs of a planned call their places, and does at once what can be.
func (p *Plan) finish(n *node, c *op.Call) error {
	fresh, bytes := 0, 0
	for i, id := range n.out {
		if id < 0 {
			continue
		}
		if n.outs[i] == nil {
			n.outs[i] = &place{}
		}
		spec := &c.Outs[i]
		switch {
		case spec.Host != nil:
		case spec.Type == ir.Undefined:
			return c.Fail("output ", i, " does not exist")
		case c.Aliases[i] != 0:
			if of := n.places[c.Aliases[i]-1]; spec.Type.Bytes(spec.Len()) != of.spec.Type.Bytes(of.spec.Len()) || (spec.Type == ir.String) != (of.spec.Type == ir.String) {
				return c.Fail("dimensions ", of.spec.Dims, " do not fit ", spec.Dims)
			}
		default:
			fresh++
			if bytes = min(bytes+spec.Type.Bytes(spec.Len()), p.options.MaxBytes+1); bytes > p.options.MaxBytes {
				return c.Fail("output ", i, " with dimensions ", spec.Dims, " takes more than the session's limit of ", p.options.MaxBytes, " bytes")
			}
		}
	}
	if c.Step == nil && fresh > 0 {
		return c.Fail("the operator gives no step")
	}
	p.known -= n.known
	n.known = 0
	now := fresh > 0 && !c.Draws && bytes <= p.hostLimit && p.known+bytes <= p.options.MaxBytes/4
	for i := 0; now && i < len(n.places); i++ {
		now = n.places[i] == nil || n.places[i].spec.Host != nil
	}
	n.runs = fresh > 0 && !now
	if c.Step != nil {
		n.step = c.Step
	}
	if now {
		if err := p.compute(n, c); err != nil {
			return err
		}
	}
	for i, id := range n.out {
		if id < 0 {
			continue
		}
		spec, pl := &c.Outs[i], n.outs[i]
		switch {
		case spec.Host != nil:
			n.known += len(spec.Host.Data)
			if c.Spares[i] == spec.Host {
				pl.spare = spec.Host
			}
			pl.know(spec.Host, p.stamp)
		case c.Aliases[i] != 0:
			pl.view(n.places[c.Aliases[i]-1], spec, p.stamp)
		case n.states != nil && n.states[i] != nil:
			p.appended(n.states[i], pl, spec)
		default:
			pl.buffered(spec, p.stamp)
		}
		if pl.stamp == p.stamp && p.readers != nil {
			p.mark(id)
		}
	}
	p.known += n.known
	if !n.runs {
		return nil
	}
	n.args.In, n.args.Out = tensors(n.args.In, n.places), tensors(n.args.Out, n.outs)
	n.inPlace, n.apart = append(n.inPlace[:0], c.Places...), c.Apart
	for len(n.shared) < len(n.outs) {
		n.shared = append(n.shared, -1)
	}
	switch {
	case c.Bytes == 0:
		n.scratch, n.args.Scratch = nil, nil
	case n.scratch == nil:
		n.scratch = &buffer{size: c.Bytes}
	default:
		n.scratch.resize(c.Bytes)
	}
	return nil
}

// compute runs a step while planning, into tensors that become known values.
func (p *Plan) compute(n *node, c *op.Call) (err error) {
	a := &p.args
	a.In, a.Out = tensors(a.In, n.places), a.Out[:0]
	for i, id := range n.out {
		var t *ir.Tensor
		if id >= 0 && c.Outs[i].Host == nil && c.Aliases[i] == 0 {
			spec := &c.Outs[i]
			if spec.Type == ir.String {
				c.Spares[i] = nil
			} else if p.evaluates {
				if c.Spares[i], err = p.slab(spec); err != nil {
					return err
				}
			}
			t = c.Value(i, spec.Type, spec.Dims...)
		}
		a.Out = append(a.Out, t)
	}
	if c.Bytes > cap(p.scratch) {
		p.scratch = slab.New(c.Bytes)
	}
	a.Scratch = p.scratch[:c.Bytes]
	p.computing = n
	c.Step.Run(a)
	p.computing = nil
	return nil
}

// slab is memory for a large value, which can be given back at once; nil for others.
func (p *Plan) slab(spec *op.Spec) (*ir.Tensor, error) {
	const large = 256 << 10
	size := spec.Type.Bytes(spec.Len())
	if size < large {
		return nil, nil
	}
	b, err := slab.Take(size, false)
	if err != nil {
		return nil, err
	}
	p.slabs = append(p.slabs, b)
	return &ir.Tensor{Type: spec.Type, Data: b}, nil
}

// tensors are what steps see of places.
func tensors(list []*ir.Tensor, places []*place) []*ir.Tensor {
	if n := len(places); cap(list) < n {
		list = make([]*ir.Tensor, n)
	} else {
		list = list[:n]
	}
	for i, pl := range places {
		var t *ir.Tensor
		if pl != nil {
			t = pl.tensor
		}
		if list[i] != t {
			list[i] = t
		}
	}
	return list
}

// know makes the place that of a known value.
func (pl *place) know(t *ir.Tensor, stamp int) {
	mine := pl.spare == t
	if old := pl.spec.Host; old != nil && pl.source == nil {
		if old == t || old.Equal(t) {
			return // where t is the spare tensor it stays that
		}
		if mine {
			pl.spare = nil
			if pl.mine {
				pl.spare = old
			}
		}
	} else if mine {
		pl.spare = nil
	}
	pl.mine = mine
	pl.spec = op.Spec{Type: t.Type, Dims: t.Dims, Host: t}
	pl.tensor, pl.buf, pl.owns, pl.source, pl.stamp = t, nil, false, nil, stamp
}

// view makes the place another look at the bytes of of.
func (pl *place) view(of *place, spec *op.Spec, stamp int) {
	if of.spec.Host != nil {
		if pl.source == of.tensor && pl.sourceStamp == of.stamp && ir.SameDims(pl.spec.Dims, spec.Dims) && pl.spec.Type == spec.Type {
			return
		}
		pl.own.Type, pl.own.Dims = spec.Type, append(pl.own.Dims[:0], spec.Dims...)
		pl.own.Data, pl.own.Strings = of.tensor.Data, of.tensor.Strings
		pl.spec = op.Spec{Type: spec.Type, Dims: pl.own.Dims, Host: &pl.own}
		pl.tensor, pl.buf, pl.owns, pl.stamp = &pl.own, nil, false, stamp
		pl.source, pl.sourceStamp = of.tensor, of.stamp
		return
	}
	same := pl.spec.Host == nil && pl.tensor == &pl.own && pl.buf == of.buf && !pl.owns && pl.spec.Type == spec.Type && ir.SameDims(pl.spec.Dims, spec.Dims)
	pl.own.Strings = of.tensor.Strings
	if same {
		return
	}
	pl.set(spec, stamp)
	pl.buf, pl.owns = of.buf, false
}

// buffered makes the place one with a buffer of its own.
func (pl *place) buffered(spec *op.Spec, stamp int) {
	n := ir.Elements(spec.Dims)
	if pl.owns && pl.spec.Type == spec.Type && ir.SameDims(pl.spec.Dims, spec.Dims) {
		return
	}
	pl.set(spec, stamp)
	if spec.Type == ir.String {
		pl.own.Strings = make([]string, n)
	}
	size := spec.Type.Bytes(n)
	if !pl.owns {
		pl.buf, pl.owns = &buffer{size: size}, true
	} else {
		pl.buf.resize(size)
	}
}

// set gives the place a type and dimensions without a value.
func (pl *place) set(spec *op.Spec, stamp int) {
	pl.own.Type, pl.own.Dims = spec.Type, append(pl.own.Dims[:0], spec.Dims...)
	pl.own.Outer, pl.own.Stride = spec.Outer, spec.Stride
	pl.spec = op.Spec{Type: spec.Type, Dims: pl.own.Dims, Outer: spec.Outer, Stride: spec.Stride}
	pl.tensor, pl.source, pl.stamp = &pl.own, nil, stamp
}
