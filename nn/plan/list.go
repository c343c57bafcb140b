package plan

import (
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/op"
)

// Sequences, and optional values that are not there. A sequence is a list of the places of
// its elements, known while planning: the operators on sequences arrange places, and only
// what splits or joins tensors has a step. Which element is meant is known, or waited for as
// other values are that the plan depends on.

// One and Nothing are the counts of a value that is a tensor, and of one that is not there.
const (
	One     = -1
	Nothing = -2
)

// maxItems bounds the elements of a sequence.
const maxItems = 1 << 16

// list is a sequence, or nothing.
type list struct {
	items  []*place
	absent bool
}

// inner is the operator that computes what one on sequences needs.
type inner struct {
	node   *node
	places []*place
	sizes  *place
	views  *node // looks at the elements under other dimensions
}

// hold makes the place a list of elements of a type, and says whether it was another one.
func (pl *place) hold(t ir.DType, items []*place, absent bool, stamp int) bool {
	same := pl.list != nil
	if !same {
		pl.list = &list{}
	}
	l := pl.list
	same = same && l.absent == absent && pl.spec.Type == t && len(l.items) == len(items)
	for i := 0; same && i < len(items); i++ {
		same = l.items[i] == items[i]
	}
	if !same {
		l.items, l.absent, pl.spec.Type, pl.stamp = append(l.items[:0], items...), absent, t, stamp
	}
	return !same
}

// give notes that a place is a value too, and lasts as long.
func (s *segment) give(pl *place, value int) {
	if pl.list == nil {
		s.given = append(s.given, binding{place: pl, value: value})
		return
	}
	for _, item := range pl.list.items {
		s.given = append(s.given, binding{place: item, value: value})
	}
}

// passList is for nodes that take tensors, one of whose operands is none.
func (p *Plan) passList(s *segment, n *node, i int) error {
	if n.node.Op == "Identity" && n.node.Domain == "" {
		n.runs, n.stamp = false, 0
		p.pass(s, n, p.current[n.in[0]])
		return nil
	}
	p.call.Begin(n.node, n.row, nil, nil, nil, p.options.MaxBytes)
	if p.current[n.in[i]].list.absent {
		return p.call.Fail("input ", i, " is an optional value that is not there")
	}
	return p.call.Fail("input ", i, " is a sequence, want a tensor")
}

// pass makes a place that there is a node's result.
func (p *Plan) pass(s *segment, n *node, pl *place) {
	if id := n.out[0]; id >= 0 {
		p.current[id] = pl
		s.give(pl, id)
	}
}

// visitList does what an operator on sequences or optional values does.
func (p *Plan) visitList(s *segment, n *node) error {
	c := &p.call
	c.Begin(n.node, n.row, nil, nil, nil, p.options.MaxBytes)
	for i, id := range n.in {
		n.places[i] = nil
		if id < 0 {
			continue
		}
		if n.places[i] = p.current[id]; n.places[i] == nil {
			return unknown(n.node.Inputs[i])
		}
	}
	var first *place
	if len(n.places) > 0 {
		first = n.places[0]
	}
	switch n.node.Op {
	case "Optional":
		if first == nil {
			return p.result(s, n, ir.Undefined, nil, true)
		}
		p.pass(s, n, first)
		return nil
	case "OptionalGetElement":
		if first.list != nil && first.list.absent {
			return c.Fail("the optional value is not there")
		}
		p.pass(s, n, first)
		return nil
	case "OptionalHasElement":
		t := ir.NewTensor(ir.Bool)
		if first != nil && (first.list == nil || !first.list.absent) {
			t.Data[0] = 1
		}
		p.known1(n, t)
		return nil
	case "SequenceEmpty":
		t := ir.DType(n.node.Int("dtype", int64(ir.Float32)))
		if !t.Known() {
			return c.Fail("dtype ", int(t), " is no type of elements")
		}
		return p.result(s, n, t, nil, false)
	case "SequenceConstruct":
		t := ir.Undefined
		for i := range n.places {
			if err := p.element(n, i, &t); err != nil {
				return err
			}
		}
		return p.result(s, n, t, n.places, false)
	case "SplitToSequence":
		return p.split(s, n)
	}
	if first.list == nil || first.list.absent {
		return c.Fail("input 0 is no sequence")
	}
	items := first.list.items
	switch n.node.Op {
	case "SequenceLength":
		t := ir.NewTensor(ir.Int64)
		t.Int64s()[0] = int64(len(items))
		p.known1(n, t)
	case "SequenceAt":
		at, err := p.position(n, 1, len(items), 0)
		if err != nil {
			return err
		}
		p.pass(s, n, items[at])
	case "SequenceErase":
		at, err := p.position(n, 1, len(items), 0)
		if err != nil {
			return err
		}
		list := append(append(make([]*place, 0, len(items)), items[:at]...), items[at+1:]...)
		return p.result(s, n, first.spec.Type, list, false)
	case "SequenceInsert":
		t := first.spec.Type
		if err := p.element(n, 1, &t); err != nil {
			return err
		}
		at, err := p.position(n, 2, len(items), 1)
		if err != nil {
			return err
		}
		list := append(append(append(make([]*place, 0, len(items)+1), items[:at]...), n.places[1]), items[at:]...)
		return p.result(s, n, t, list, false)
	case "ConcatFromSequence":
		return p.join(s, n, items)
	}
	return nil
}

// result makes a list a node's result.
func (p *Plan) result(s *segment, n *node, t ir.DType, items []*place, absent bool) error {
	if len(items) > maxItems {
		return p.call.Fail("the sequence would have ", len(items), " elements; the limit is ", maxItems)
	}
	if n.outs[0] == nil {
		n.outs[0] = &place{}
	}
	n.outs[0].hold(t, items, absent, p.stamp)
	p.pass(s, n, n.outs[0])
	return nil
}

// known1 makes a known value a node's result.
func (p *Plan) known1(n *node, t *ir.Tensor) {
	if n.outs[0] == nil {
		n.outs[0] = &place{}
	}
	n.outs[0].know(t, p.stamp)
	if n.out[0] >= 0 {
		p.current[n.out[0]] = n.outs[0]
	}
}

// element checks that operand i is a tensor of the type of a sequence's elements.
func (p *Plan) element(n *node, i int, t *ir.DType) error {
	pl := n.places[i]
	if pl == nil || pl.list != nil {
		return p.call.Fail("input ", i, " is no tensor")
	}
	if *t == ir.Undefined {
		*t = pl.spec.Type
	}
	if *t != pl.spec.Type {
		return p.call.Fail("input ", i, " is a tensor of ", pl.spec.Type.String(), ", want ", t.String(), ": all elements of a sequence are of one type")
	}
	return nil
}

// position is operand i, a place in a list of n; beyond is 1 if that may be behind the
// last. Without the operand it is the last.
func (p *Plan) position(n *node, i, count, beyond int) (int, error) {
	c := &p.call
	if i >= len(n.places) || n.places[i] == nil {
		if beyond == 0 && count == 0 {
			return 0, c.Fail("the sequence is empty")
		}
		return count - 1 + beyond, nil
	}
	pl := n.places[i]
	if pl.list != nil || !n.row.In[i].Types.Has(pl.spec.Type) || pl.spec.Len() != 1 {
		return 0, c.Fail("input ", i, " must be one integer, the position")
	}
	if pl.spec.Host == nil {
		c.Wait = i
		return 0, op.ErrNotYet
	}
	at := pl.spec.Host.Ints()[0]
	if at < -int64(count) || at >= int64(count+beyond) {
		return 0, c.Fail("position ", at, " in a sequence of ", count)
	}
	if at < 0 {
		at += int64(count)
	}
	return int(at), nil
}

// inside plans the operator that does a node's work on places, and adds it to the steps.
func (p *Plan) inside(s *segment, n *node, name string, attrs map[string]*ir.Attr, places []*place, outs int) error {
	if n.inner == nil {
		n.inner = &inner{}
	}
	d := n.inner.node
	if d == nil || len(d.places) != len(places) || len(d.outs) != outs {
		call := &ir.Node{Name: n.node.Name, Op: n.node.Op, Version: 13, Attrs: attrs}
		for range places {
			call.Inputs = append(call.Inputs, &ir.Value{})
		}
		d = &node{node: call, row: op.Find(name), number: n.number, places: make([]*place, len(places)), specs: make([]*op.Spec, len(places)), outs: make([]*place, outs)}
		for range outs {
			call.Outputs, d.out = append(call.Outputs, &ir.Value{}), append(d.out, n.out[0])
		}
		n.inner.node = d
	}
	clean := d.stamp != 0
	for i, pl := range places {
		if pl != d.places[i] {
			d.places[i], d.specs[i], d.admitted, clean = pl, &pl.spec, false, false
		} else if pl.stamp > d.stamp {
			clean = false
		}
	}
	if !clean {
		d.stamp = 0
		if err := p.replan(s, d); err != nil {
			return err
		}
		d.stamp = p.stamp
	}
	s.add(d)
	return nil
}

// seen are places looked at with dimensions that dims makes of theirs.
func (p *Plan) seen(s *segment, n *node, places []*place, dims func(of []int) []int) []*place {
	if n.inner == nil {
		n.inner = &inner{}
	}
	v := n.inner.views
	if v == nil {
		v = &node{node: n.node, row: n.row, number: n.number}
		n.inner.views = v
	}
	for len(v.outs) < len(places) {
		v.outs, v.out = append(v.outs, &place{}), append(v.out, n.out[0])
	}
	v.outs, v.out = v.outs[:len(places)], v.out[:len(places)]
	for i, pl := range places {
		v.outs[i].view(pl, &op.Spec{Type: pl.spec.Type, Dims: dims(pl.spec.Dims)}, p.stamp)
	}
	s.changed = append(s.changed, v)
	s.add(v)
	return v.outs
}

// join is ConcatFromSequence.
func (p *Plan) join(s *segment, n *node, items []*place) error {
	c := &p.call
	if len(items) == 0 {
		return c.Fail("the sequence is empty")
	}
	if n.out[0] < 0 {
		return nil
	}
	added := int(n.node.Int("new_axis", 0))
	rank := len(items[0].spec.Dims) + added
	given := n.node.Int("axis", 0)
	axis := int(given)
	if axis < 0 {
		axis += rank
	}
	if added < 0 || added > 1 || given < -int64(rank) || given >= int64(rank) {
		return c.Fail("axis ", given, " of ", rank, " dimensions (new_axis is ", added, ")")
	}
	if added == 1 {
		for i, item := range items {
			if !ir.SameDims(item.spec.Dims, items[0].spec.Dims) {
				return c.Fail("element ", i, " has dimensions ", item.spec.Dims, ", element 0 has ", items[0].spec.Dims)
			}
		}
		items = p.seen(s, n, items, func(of []int) []int {
			dims := p.call.Clone(append(of[:axis:axis], 1))
			return append(dims, of[axis:]...)
		})
	}
	if err := p.inside(s, n, "Concat", map[string]*ir.Attr{"axis": {Kind: ir.AttrInt, I: int64(axis)}}, items, 1); err != nil {
		return err
	}
	p.current[n.out[0]] = n.inner.node.outs[0]
	return nil
}

// split is SplitToSequence.
func (p *Plan) split(s *segment, n *node) error {
	c := &p.call
	x := n.places[0]
	t := ir.Undefined
	if err := p.element(n, 0, &t); err != nil {
		return err
	}
	rank, given := len(x.spec.Dims), n.node.Int("axis", 0)
	if given < -int64(rank) || given >= int64(rank) {
		return c.Fail("axis ", given, " of ", rank, " dimensions")
	}
	axis := int(given)
	if axis < 0 {
		axis += rank
	}
	sizes, squeeze, err := p.sizes(n, x.spec.Dims[axis])
	if err != nil {
		return err
	}
	if len(sizes) == 0 || n.out[0] < 0 {
		return p.result(s, n, t, nil, false)
	}
	if n.inner == nil {
		n.inner = &inner{sizes: &place{}}
	}
	list := ir.NewTensor(ir.Int64, len(sizes))
	copy(list.Int64s(), sizes)
	n.inner.sizes.know(list, p.stamp)
	n.inner.places = append(n.inner.places[:0], x, n.inner.sizes)
	if err := p.inside(s, n, "Split", map[string]*ir.Attr{"axis": {Kind: ir.AttrInt, I: int64(axis)}}, n.inner.places, len(sizes)); err != nil {
		return err
	}
	items := n.inner.node.outs
	if squeeze {
		items = p.seen(s, n, items, func(of []int) []int {
			return append(p.call.Clone(of[:axis]), of[axis+1:]...)
		})
	}
	return p.result(s, n, t, items, false)
}

// sizes are those of the parts that SplitToSequence makes of a dimension, and whether the
// parts lose it.
func (p *Plan) sizes(n *node, dim int) (sizes []int64, squeeze bool, err error) {
	c := &p.call
	part := int64(1)
	squeeze = n.node.Int("keepdims", 1) == 0
	if len(n.places) > 1 && n.places[1] != nil {
		squeeze = false
		pl := n.places[1]
		if pl.list != nil || !n.row.In[1].Types.Has(pl.spec.Type) || len(pl.spec.Dims) > 1 {
			return nil, false, c.Fail("input 1 must be an integer or a list of integers")
		}
		if pl.spec.Host == nil {
			c.Wait = 1
			return nil, false, op.ErrNotYet
		}
		given := pl.spec.Host.Ints()
		if len(pl.spec.Dims) == 1 {
			sum := int64(0)
			for _, v := range given {
				if v < 0 || v > int64(dim) {
					return nil, false, c.Fail("a part of ", v, " of dimension ", dim)
				}
				sum += v
			}
			if sum != int64(dim) {
				return nil, false, c.Fail("the parts have ", sum, " together; the dimension has ", dim)
			}
			return given, false, nil
		}
		if part = given[0]; part < 1 {
			return nil, false, c.Fail("parts of ", part)
		}
	}
	if count := (int64(dim) + part - 1) / part; count > maxItems {
		return nil, false, c.Fail("the sequence would have ", count, " elements; the limit is ", maxItems)
	}
	for left := int64(dim); left > 0; left -= part {
		sizes = append(sizes, min(part, left))
	}
	return sizes, squeeze, nil
}

// entry is an input that may be something else than one tensor in memory of its own.
type entry struct {
	one   *place // as one tensor
	buf   *buffer
	list  *place
	items []*place
	count int
}

// Count says what input i is: a sequence of so many elements, One tensor, or Nothing. It
// holds for the next Update, which takes the dimensions of all elements in order, and from then on.
func (p *Plan) Count(i, count int) {
	e := p.entry(i)
	if e.count == count {
		return
	}
	e.count, p.relisted = count, true
	if count != One {
		for len(e.items) < count {
			pl := &place{owns: true, buf: outerBuffer(), slot: 1}
			pl.tensor, pl.spec.Type, pl.own.Type = &pl.own, e.one.spec.Type, e.one.spec.Type
			e.items = append(e.items, pl)
		}
		e.list.hold(e.one.spec.Type, e.items[:max(count, 0)], count == Nothing, p.stamp+1)
	}
	p.places, p.slots = p.places[:0], p.slots[:0]
	for k := range p.inputs {
		if e := p.entries[k]; e != nil && e.count != One {
			for _, pl := range e.items[:max(e.count, 0)] {
				p.places, p.slots = append(p.places, pl), append(p.slots, k)
				pl.slot = len(p.places)
			}
			continue
		}
		p.places, p.slots = append(p.places, p.ones[k]), append(p.slots, k)
	}
}

// enterInputs makes the inputs what Count says at the beginning of a walk.
func (p *Plan) enterInputs() {
	for i, e := range p.entries {
		switch {
		case e == nil:
		case e.count == One:
			p.current[p.inputs[i]] = e.one
		default:
			p.current[p.inputs[i]] = e.list
		}
	}
}

func (p *Plan) entry(i int) *entry {
	if p.entries == nil {
		p.entries = make([]*entry, len(p.inputs))
	}
	e := p.entries[i]
	if e == nil {
		one := p.ones[i]
		e = &entry{one: one, buf: one.buf, list: &place{}, count: One}
		p.entries[i] = e
	}
	return e
}

// Slot is which input place i of the inputs is of.
func (p *Plan) Slot(i int) int { return p.slots[i] }

// Counts are by output how many elements it has as a sequence, One, or Nothing. They are valid after Exec.
func (p *Plan) Counts() []int { return p.counts }
