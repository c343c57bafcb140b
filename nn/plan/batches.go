package plan

import (
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/op"
)

// Scan of opset 8, which goes through each example of a batch by itself, and what a loop gives to the plan around it.

// runBatches runs opset 8's Scan: for each sequence of a batch apart.
func (l *loop) runBatches() error {
	defer func() { l.batch = -1 }()
	length, err := l.length(1)
	if err != nil {
		return err
	}
	batch := -1
	for i := range l.in {
		if f := &l.in[i]; f.kind == feedSlice || f.kind == feedCarried {
			pl := l.operand(f.operand)
			if pl == nil || pl.list != nil || len(pl.tensor.Dims) == 0 {
				return l.fail("input ", f.operand, " is no batch of tensors")
			}
			if n := pl.tensor.Dims[0]; batch >= 0 && n != batch {
				return l.fail("input ", f.operand, " is a batch of ", n, ", want ", batch)
			}
			batch = pl.tensor.Dims[0]
		}
	}
	var lengths []int64
	if pl := l.operand(0); pl != nil {
		if pl.list != nil || pl.tensor.Type != ir.Int64 || pl.tensor.Len() != batch {
			return l.fail("input 0 must be ", batch, " numbers of int64, the sequences' lengths")
		}
		lengths = pl.tensor.Int64s()
	}
	l.rows, l.batches = length, batch
	finals := make([]stack, len(l.out))
	for l.batch = 0; l.batch < batch; l.batch++ {
		most := length
		if lengths != nil {
			if n := lengths[l.batch]; n < 0 || n > int64(length) {
				return l.fail("sequence ", l.batch, " has the length ", n, " of ", length)
			}
			most = int(lengths[l.batch])
		}
		if err := l.begin(); err != nil {
			return err
		}
		if err := l.trips(most); err != nil {
			return err
		}
		for o := range l.out {
			if y := &l.out[o]; y.kind == yieldCarried && y.result >= 0 {
				t := l.values[y.input].one
				s := &finals[o]
				if l.batch > 0 && (s.t.Type != t.Type || !ir.SameDims(s.t.Dims, t.Dims)) {
					return l.fail("state ", o, " has dimensions ", t.Dims, ", in the sequence before ", s.t.Dims)
				}
				s.t.Type, s.t.Dims = t.Type, append(s.t.Dims[:0], t.Dims...)
				s.data = append(s.data, t.Dense().Data...)
				s.t.Strings = append(s.t.Strings, t.Strings...)
			}
		}
	}
	for o := range l.out {
		y := &l.out[o]
		if y.result < 0 {
			continue
		}
		r, s, lead := &l.results[y.result], &y.stack, []int{batch, length}
		if y.kind == yieldCarried {
			s, lead = &finals[o], lead[:1]
		} else if !s.started || length == 0 {
			if err := l.emptyStack(o, s); err != nil {
				return err
			}
		}
		t := &ir.Tensor{Type: s.t.Type, Dims: append(lead, s.t.Dims...), Strings: s.t.Strings}
		t.Data = slab.New(t.Type.Bytes(t.Len()))
		copy(t.Data, s.data)
		r.count, r.one = One, t
	}
	return nil
}

// receive gives a loop's results to the places of its outputs, and says whether their
// types, dimensions or elements' number have changed.
func (p *Plan) receive(n *node) (changed bool) {
	l := n.loop
	stamp := p.stamp + 1
	for o, id := range n.out {
		if id < 0 {
			continue
		}
		r, pl := &l.results[o], n.outs[o]
		if r.count == One {
			if changed = pl.result(r.one, stamp) || changed; p.current[id] != pl {
				p.current[id], changed = pl, true
			}
			continue
		}
		if l.lists[o] == nil {
			l.lists[o] = &listed{}
		}
		to := l.lists[o]
		for len(to.items) < r.count {
			item := &place{buf: outerBuffer()}
			item.tensor = &item.own
			to.items = append(to.items, item)
		}
		t := ir.Undefined
		for i := range max(r.count, 0) {
			changed = to.items[i].result(r.list[i], stamp) || changed
			t = r.list[i].Type
		}
		changed = to.list.hold(t, to.items[:max(r.count, 0)], r.count == Nothing, stamp) || changed
		if p.current[id] != &to.list {
			p.current[id], changed = &to.list, true
		}
	}
	return changed
}

// result makes the place that of a tensor in a loop's memory.
func (pl *place) result(t *ir.Tensor, stamp int) (changed bool) {
	if pl.stamp == 0 || pl.spec.Type != t.Type || !ir.SameDims(pl.spec.Dims, t.Dims) {
		pl.set(&op.Spec{Type: t.Type, Dims: t.Dims}, stamp)
		changed = true
	}
	pl.buf.size, pl.buf.data, pl.own.Data = len(t.Data), t.Data, t.Data
	if t.Type == ir.String { // views have the list itself
		changed = true
		pl.stamp = stamp
	}
	pl.own.Strings = t.Strings
	return changed
}

// held is how many bytes a loop holds for runs.
func (l *loop) held() int {
	n := l.body.heldByRuns() + l.bytes
	for i := range l.results {
		n += len(l.results[i].room)
	}
	return n
}

// release gives back the loop's memory.
func (l *loop) release() {
	for i := range l.out {
		slab.Give(l.out[i].stack.data)
	}
	l.body.Release()
}
