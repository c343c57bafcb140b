package plan

import (
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

// What a trip gives: values that are carried on, rows that are collected.

// take reads what the body gave.
func (l *loop) take() error {
	b := l.body
	at := 0
	for o := range l.out {
		y := &l.out[o]
		count := b.counts[o]
		outs := b.outputs[at : at+max(count, 0)]
		if count == One {
			outs = b.outputs[at : at+1]
		}
		at += len(outs)
		switch y.kind {
		case yieldGoes:
			t := b.tensorOf(outs, count)
			if t == nil || t.Type != ir.Bool || t.Len() != 1 {
				return l.fail("the body's condition must be one bool")
			}
			l.goes[0] = t.Data[0]
		case yieldCarried:
			if err := l.carry(o, y, outs, count); err != nil {
				return err
			}
		case yieldStack:
			if y.result < 0 {
				continue
			}
			t := b.tensorOf(outs, count)
			if t == nil {
				return l.fail("output ", o, " of the body is no tensor")
			}
			if err := l.push(o, y, t); err != nil {
				return err
			}
		case yieldItem:
			if y.result < 0 {
				continue
			}
			t := b.tensorOf(outs, count)
			if t == nil {
				return l.fail("output ", o, " of the body is no tensor")
			}
			v := &l.results[y.result]
			if len(v.list) > 0 && v.list[0].Type != t.Type {
				return l.fail("output ", o, " of the body is ", t.Type.String(), ", before it was ", v.list[0].Type.String(), ": all elements of a sequence are of one type")
			}
			v.list = append(v.list, t.Clone())
			v.count = len(v.list)
		}
	}
	return nil
}

// tensorOf is an output that is one tensor, nil for others.
func (p *Plan) tensorOf(outs []*place, count int) *ir.Tensor {
	if count != One {
		return nil
	}
	return outs[0].tensor
}

// carry keeps an output for the next trip.
func (l *loop) carry(o int, y *yield, outs []*place, count int) error {
	f, v := &l.in[y.input], &l.values[y.input]
	switch {
	case f.kind == feedWhole:
		return nil
	case f.state >= 0:
		if count != One {
			return l.fail("output ", o, " of the body is no tensor")
		}
		v.set(&l.body.states[f.state].tensor)
		v.kept = true
		return nil
	}
	if count == One {
		t := outs[0].tensor
		if v.count == One && v.one.Type != t.Type {
			return l.fail("output ", o, " of the body is ", t.Type.String(), ", want ", v.one.Type.String(), " as what it becomes")
		}
		v.set(t.Clone())
		return nil
	}
	list := make([]*ir.Tensor, 0, len(outs))
	bytes := 0
	for _, pl := range outs {
		t := pl.tensor
		if pl.slot > 0 && pl.slot <= len(l.fed) && l.body.places[pl.slot-1] == pl {
			t = l.tensorAt(pl.slot - 1)
		} else {
			t = t.Clone()
		}
		bytes += len(t.Data)
		list = append(list, t)
	}
	if limit := l.body.options.MaxBytes; bytes > limit {
		return l.fail("the sequence that is carried has ", bytes, " bytes, more than the session's limit leaves: ", limit)
	}
	v.count, v.list, v.kept = count, list, false
	return nil
}

// tensorAt is what place k of the body's inputs was fed.
func (l *loop) tensorAt(k int) *ir.Tensor {
	i := l.body.slots[k]
	for first := k; ; first-- {
		if first == 0 || l.body.slots[first-1] != i {
			return l.values[i].list[k-first]
		}
	}
}

// push adds a slice to a stack.
func (l *loop) push(o int, y *yield, t *ir.Tensor) error {
	s := &y.stack
	size := t.Type.Size()
	if size == 0 && t.Type != ir.String {
		return l.fail("slices of ", t.Type.String())
	}
	if !s.started {
		s.started = true
		s.t.Type, s.t.Dims, s.rows = t.Type, append(s.t.Dims[:0], t.Dims...), 0
		if row := t.Len() * size; row > 0 { // the run before has left memory
			s.rows = len(s.data) / row
		}
		if l.batch >= 0 {
			clear(s.data)
		}
	} else if s.t.Type != t.Type || !ir.SameDims(s.t.Dims, t.Dims) {
		return l.fail("output ", o, " of the body is ", t.Type.String(), " of dimensions ", t.Dims, ", before it was ", s.t.Type.String(), " of ", s.t.Dims)
	}
	trip := l.trip
	if l.batch >= 0 {
		trip += l.batch * l.rows
	}
	if t.Type == ir.String {
		if y.axis != 0 || y.reverse {
			return l.fail("slices of strings along another axis, or in reverse")
		}
		s.t.Strings = append(s.t.Strings, t.Strings...)
		return nil
	}
	rank := len(t.Dims) + 1
	axis := y.axis
	if axis < -rank || axis >= rank {
		return l.fail("scan_output_axes has ", axis, " for a result of ", rank, " dimensions")
	}
	if axis < 0 {
		axis += rank
	}
	row := t.Len() * size
	outer, inner := ir.Elements(t.Dims[:axis]), ir.Elements(t.Dims[axis:])*size
	wanted := trip + 1
	if y.reverse || outer > 1 { // where a slice goes depends on how many there will be
		wanted = l.rows
	}
	if err := l.room(o, s, row, wanted); err != nil {
		return err
	}
	if y.reverse {
		trip = l.rows - 1 - trip
	}
	if outer == 1 {
		copy(s.data[trip*row:(trip+1)*row], t.Data)
	} else if row > 0 {
		ir.CopyBlocks(s.data[trip*inner:], t.Data, outer, inner, l.rows*inner, inner)
	}
	return nil
}

// room makes room for so many slices of row bytes.
func (l *loop) room(o int, s *stack, row, wanted int) error {
	if wanted <= s.rows || row == 0 {
		return nil
	}
	limit := l.body.options.MaxBytes - l.bytes + len(s.data)
	rows := max(2*s.rows, wanted, 16)
	if all := max(l.rows, 0) * max(l.batches, 1); all > 0 && l.endless && all <= l.plan.trips.most {
		wanted = max(all, wanted) // exactly as many as there will be
		rows = wanted
	}
	if most := limit / row; rows > most/2 {
		rows = max(most, wanted) // all that there is, once: the last steps of growing would take the most memory
		if l.endless {
			rows = wanted
		}
		if wanted > most {
			return l.fail("output ", o, " is collected in ", wanted, " slices of ", row, " bytes, more than the session's limit leaves: ", limit)
		}
	}
	data, err := slab.Take(rows*row, l.batch >= 0)
	if err != nil {
		return err
	}
	copy(data, s.data)
	slab.Give(s.data)
	l.bytes += len(data) - len(s.data)
	s.data, s.rows = data, rows
	return nil
}

// finish makes the node's results of what the trips have left.
func (l *loop) finish() error {
	for o := range l.out {
		y := &l.out[o]
		if y.result < 0 {
			continue
		}
		r := &l.results[y.result]
		switch y.kind {
		case yieldCarried:
			v := &l.values[y.input]
			r.count, r.list = v.count, v.list
			switch {
			case v.count != One:
			case v.kept:
				r.one = v.one.Dense()
			case l.in[y.input].kind == feedWhole || l.trip == 0: // the operand's memory may be another's soon
				t := v.one
				if t.Stride != 0 {
					t = t.Dense()
				}
				r.keep(t)
			default:
				r.one = v.one
			}
		case yieldStack:
			s := &y.stack
			if !s.started {
				if err := l.emptyStack(o, s); err != nil {
					return err
				}
			}
			rank, axis := len(s.t.Dims)+1, y.axis
			if axis < 0 {
				axis += rank
			}
			if axis < 0 || axis >= rank {
				return l.fail("scan_output_axes has ", y.axis, " for a result of ", rank, " dimensions")
			}
			t := &r.own
			t.Type = s.t.Type
			t.Dims = append(append(append(t.Dims[:0], s.t.Dims[:axis]...), l.trip), s.t.Dims[axis:]...)
			t.Data, t.Strings = s.data[:t.Type.Bytes(t.Len())], s.t.Strings
			r.count, r.one = One, t
		case yieldItem:
			r.count = len(r.list)
		}
	}
	return nil
}

// keep makes the value a copy of a tensor.
func (v *value) keep(t *ir.Tensor) {
	if len(v.room) < len(t.Data) {
		v.room = slab.New(len(t.Data))
	}
	v.own.Type, v.own.Dims, v.own.Strings = t.Type, append(v.own.Dims[:0], t.Dims...), append([]string(nil), t.Strings...)
	v.own.Data = v.room[:copy(v.room, t.Data)]
	v.count, v.one = One, &v.own
}

// emptyStack gives a stack without slices the type and dimensions that they would have, as
// far as they are known: by a plan for the first trip, or as the model declares them.
func (l *loop) emptyStack(o int, s *stack) error {
	s.started = true
	l.anticipate()
	v := l.body.graph.Outputs[o]
	s.t.Type, s.t.Dims = v.Type, s.t.Dims[:0]
	for _, d := range v.Dims {
		s.t.Dims = append(s.t.Dims, max(d.Size, 0))
	}
	if l.body.ready && len(l.body.segments) == 1 && o < len(l.body.counts) && l.body.counts[o] == One {
		if at := l.body.first(o); at >= 0 {
			s.t.Type, s.t.Dims = l.body.outputs[at].spec.Type, append(s.t.Dims[:0], l.body.outputs[at].spec.Dims...)
		}
	}
	if s.t.Type == ir.Undefined {
		return l.fail("there are none, and the model does not say of which type output ", o, " of the body is")
	}
	return nil
}
