package plan

import (
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/op"
)

// How a loop runs: trip after trip.

// bodyError is an error that knows which loops it is in.
type bodyError struct {
	err  error
	path string
}

func (e *bodyError) Error() string { return e.path }

// under is the error with the loop before it.
func (e *bodyError) under(name string) error {
	message := "graph: " + name + e.path
	switch e.err.(type) {
	case *slab.NoMemoryError, *ir.UnsupportedError:
		return e.err
	case *ir.LoadError:
		return ir.Load(message)
	}
	return ir.Shape(message)
}

// loopStep is the step of a loop. It is a type of its own so that the linker can leave out loops where
// nothing makes one: methods by which a type that Plan refers to could be a step are never left out.
type loopStep struct{ loop *loop }

func (s loopStep) Run(*op.Args) {
	l := s.loop
	err := l.run()
	l.plan.looped = 0
	for _, other := range l.plan.loops {
		l.plan.looped += other.held()
	}
	if err == nil {
		return
	}
	if e, ok := err.(*bodyError); ok {
		panic(e)
	}
	panic(err)
}

// fail is the error of a trip.
func (l *loop) fail(parts ...any) error {
	return &bodyError{err: ir.Shape(), path: l.at() + text.Join(parts...)}
}

// at says in which trip something happens.
func (l *loop) at() string {
	if l.trip < 0 {
		return ": "
	}
	return text.Join(", trip ", l.trip, ": ")
}

// inBody is the error of a body.
func (l *loop) inBody(err error) error {
	const head = "graph: "
	message := err.Error()
	if len(message) > len(head) && message[:len(head)] == head {
		message = message[len(head):]
	}
	return &bodyError{err: err, path: l.at() + message}
}

// run makes all trips.
func (l *loop) run() error {
	l.trip = -1
	for i := range l.out {
		l.out[i].stack.started, l.out[i].stack.t.Strings = false, nil
	}
	for i := range l.results {
		l.results[i].count, l.results[i].list = Nothing, l.results[i].list[:0]
	}
	p := l.plan
	l.body.options.MaxBytes = max(p.options.MaxBytes-p.fed-p.arenas, 0)
	if l.node.node.Op == "Scan" && l.node.node.Version < 9 {
		return l.runBatches()
	}
	most, err := l.most()
	if err != nil {
		return err
	}
	l.rows = most
	if err := l.begin(); err != nil {
		return err
	}
	if err := l.trips(most); err != nil {
		return err
	}
	return l.finish()
}

// operand is what one of the node's operands is.
func (l *loop) operand(i int) *place {
	if i < len(l.heads) {
		return l.heads[i]
	}
	return nil
}

// scalar is an operand of one element, nil where it is left out.
func (l *loop) scalar(i int, t ir.DType) (*ir.Tensor, error) {
	pl := l.operand(i)
	if pl == nil {
		return nil, nil
	}
	if pl.list != nil || pl.tensor.Type != t || pl.tensor.Len() != 1 {
		return nil, l.fail("input ", i, " must be one ", t.String())
	}
	return pl.tensor, nil
}

// axis counts one from the front.
func (l *loop) axis(axis, rank, operand int) (int, error) {
	if axis < -rank || axis >= rank {
		return 0, l.fail("axis ", axis, " of ", rank, " dimensions of input ", operand)
	}
	if axis < 0 {
		axis += rank
	}
	return axis, nil
}

// most is how many trips there will be at most, -1 where nothing says it.
func (l *loop) most() (int, error) {
	switch l.node.node.Op {
	case "Loop":
		m, err := l.scalar(0, ir.Int64)
		if err != nil {
			return 0, err
		}
		l.goes[0] = 1
		goes, err := l.scalar(1, ir.Bool)
		if err != nil {
			return 0, err
		}
		if goes != nil {
			l.goes[0] = goes.Data[0]
		}
		if m == nil {
			return -1, nil
		}
		return int(min(max(m.Int64s()[0], 0), int64(^uint(0)>>1))), nil
	case "Scan":
		return l.length(0)
	}
	count := -1
	for i := range l.in {
		f := &l.in[i]
		if f.kind != feedItem {
			continue
		}
		pl := l.operand(f.operand)
		switch {
		case pl == nil || pl.list != nil && pl.list.absent || pl.list == nil && i == 0:
			return 0, l.fail("input ", i, " is no sequence")
		case pl.list == nil: // the same in all trips
		case count >= 0 && len(pl.list.items) != count:
			return 0, l.fail("input ", i, " has ", len(pl.list.items), " elements, input 0 has ", count)
		default:
			count = len(pl.list.items)
		}
	}
	return count, nil
}

// length is how long what a Scan goes through is; before is how many dimensions come first.
func (l *loop) length(before int) (int, error) {
	length := -1
	first := 0
	for i := range l.in {
		f := &l.in[i]
		if f.kind != feedSlice {
			continue
		}
		pl := l.operand(f.operand)
		if pl == nil || pl.list != nil {
			return 0, l.fail("input ", f.operand, " is no tensor")
		}
		if len(pl.tensor.Dims) < before {
			return 0, l.fail("input ", f.operand, " has dimensions ", pl.tensor.Dims, ", want a batch of sequences")
		}
		axis, err := l.axis(f.axis, len(pl.tensor.Dims)-before, f.operand)
		if err != nil {
			return 0, err
		}
		n := pl.tensor.Dims[before+axis]
		if length >= 0 && n != length {
			return 0, l.fail("input ", f.operand, " has ", n, " slices, input ", first, " has ", length)
		}
		if length < 0 {
			length, first = n, f.operand
		}
	}
	return length, nil
}

// begin gives the body its inputs for the first trip.
func (l *loop) begin() error {
	l.body.Reset()
	for i := range l.in {
		f, v := &l.in[i], &l.values[i]
		if f.kind != feedCarried && f.kind != feedWhole {
			continue
		}
		pl := l.operand(f.operand)
		switch {
		case pl == nil:
			return l.fail("input ", f.operand, " is missing")
		case pl.list == nil:
			v.set(pl.tensor)
			v.known = f.kind == feedWhole && pl.spec.Host != nil && len(pl.tensor.Data) <= knownLimit && pl.spec.Type != ir.String
		default:
			if f.state >= 0 {
				return l.fail("input ", f.operand, " is no tensor, as the body has it")
			}
			v.count, v.kept, v.known, v.list = len(pl.list.items), false, false, v.list[:0]
			if pl.list.absent {
				v.count = Nothing
			}
			for _, item := range pl.list.items {
				v.list = append(v.list, item.tensor)
			}
		}
		if l.batch >= 0 && f.kind == feedCarried {
			if err := l.sliced(v, f, v.one, 0, l.batch); err != nil {
				return err
			}
		}
	}
	return nil
}

// knownLimit is how many bytes of a value that is known while planning the body gets to know: sizes and the like.
const knownLimit = 4096

// trips runs the body until there are most trips, or it has enough.
func (l *loop) trips(most int) error {
	counts := l.plan.trips
	goes := l.node.node.Op != "Loop" || l.goes[0] != 0
	if left := counts.most - counts.done; l.endless && goes && (most < 0 || most > left) { // what will not end is not begun
		if most < 0 {
			return l.fail("it has no end: neither a number of trips nor a condition that may become false")
		}
		return l.fail("it would make ", most, " trips; the run's loops may make ", left, " more, of ", counts.most)
	}
	for l.trip = 0; most < 0 || l.trip < most; l.trip++ {
		if l.node.node.Op == "Loop" && l.goes[0] == 0 {
			break
		}
		if counts.done++; counts.done > counts.most {
			return l.fail("that is trip ", counts.done, " of the run's loops together; they may make ", counts.most)
		}
		if counts.pause != nil && !counts.pause() {
			return l.fail("the run was stopped")
		}
		if err := l.feedTrip(); err != nil {
			return err
		}
		if _, err := l.body.exec(nil); err != nil {
			return l.inBody(err)
		}
		if err := l.take(); err != nil {
			return err
		}
	}
	return nil
}

// feedTrip gives the body its inputs.
func (l *loop) feedTrip() error {
	for i := range l.in {
		f, v := &l.in[i], &l.values[i]
		switch f.kind {
		case feedTrip:
			for k := range l.count {
				l.count[k] = byte(uint64(l.trip) >> (8 * k))
			}
			v.set(&v.own)
			v.own.Type, v.own.Data = ir.Int64, l.count[:]
		case feedGoes:
			v.set(&v.own)
			v.own.Type, v.own.Data = ir.Bool, l.goes[:]
		case feedSlice:
			t, at := l.heads[f.operand].tensor, l.trip
			if f.reverse {
				at = l.rows - 1 - l.trip
			}
			if l.batch >= 0 {
				if err := l.sliced(v, f, t, 0, l.batch); err != nil {
					return err
				}
				t = &ir.Tensor{Type: v.own.Type, Dims: append([]int{}, v.own.Dims...), Data: v.own.Data, Strings: v.own.Strings}
			}
			axis, err := l.axis(f.axis, len(t.Dims), f.operand)
			if err != nil {
				return err
			}
			if err := l.sliced(v, f, t, axis, at); err != nil {
				return err
			}
		case feedItem:
			pl := l.heads[f.operand]
			if pl.list == nil {
				v.set(pl.tensor)
			} else {
				v.set(pl.list.items[l.trip].tensor)
			}
		}
	}
	return l.prepare()
}

// sliced makes v the slice at of a tensor along an axis.
func (l *loop) sliced(v *value, f *feed, t *ir.Tensor, axis, at int) error {
	if t == nil || axis >= len(t.Dims) || at >= t.Dims[axis] {
		return l.fail("input ", f.operand, " has no slice ", at)
	}
	size := t.Type.Size()
	if size == 0 && t.Type != ir.String {
		return l.fail("slices of ", t.Type.String())
	}
	outer, length, inner := ir.Elements(t.Dims[:axis]), t.Dims[axis], ir.Elements(t.Dims[axis+1:])
	data, strings := t.Data, t.Strings
	v.set(&v.own)
	v.own.Type, v.own.Dims = t.Type, append(append(v.own.Dims[:0], t.Dims[:axis]...), t.Dims[axis+1:]...)
	v.own.Data, v.own.Strings = nil, nil
	if t.Type == ir.String {
		for o := range outer {
			v.own.Strings = append(v.own.Strings, strings[(o*length+at)*inner:][:inner]...)
		}
		return nil
	}
	row := inner * size
	if outer == 1 {
		v.own.Data = data[at*row : (at+1)*row : (at+1)*row]
		return nil
	}
	if len(f.scratch) < outer*row {
		f.scratch = slab.New(outer * row)
	}
	v.own.Data = f.scratch[:outer*row]
	if outer > 0 {
		ir.CopyBlocks(v.own.Data, data[at*row:], outer, row, row, length*row)
	}
	return nil
}

// prepare plans the body for its inputs where they have changed, and binds it to them.
func (l *loop) prepare() error {
	b := l.body
	l.dims, l.fed = l.dims[:0], l.fed[:0]
	for i := range l.values {
		v := &l.values[i]
		if b.entries != nil && b.entries[i] != nil || v.count != One {
			b.Count(i, v.count)
		}
		if e := b.entries; v.known || e != nil && e[i] != nil {
			b.tell(i, v)
		}
	}
	k := 0
	for i := range l.values {
		v := &l.values[i]
		if s := l.in[i].state; s >= 0 {
			kept, _ := b.Feed(s, !v.kept)
			if v.kept {
				l.dims, l.fed = append(l.dims, kept), append(l.fed, nil)
				k++
				continue
			}
		}
		if v.count == One {
			l.put(i, k, v.one)
			k++
			continue
		}
		for _, t := range v.list[:max(v.count, 0)] {
			l.put(i, k, t)
			k++
		}
	}
	for i := range l.values {
		if declared := b.graph.Inputs[i]; i < len(b.inputs) && declared.Type != ir.Undefined && !l.values[i].kept {
			if t := l.typeOf(i); t != ir.Undefined && t != declared.Type {
				return l.fail("input ", text.Quote(declared.Name), " of the body is ", t.String(), ", want ", declared.Type.String())
			}
		}
	}
	if err := b.Update(l.dims); err != nil {
		return l.inBody(err)
	}
	if err := b.Bind(l.fed); err != nil {
		return l.inBody(err)
	}
	k = 0
	for i := range l.values {
		v := &l.values[i]
		if v.count == One {
			if v.one != nil && !v.kept {
				copy(b.places[k].own.Strings, v.one.Strings)
			}
			k++
			continue
		}
		for _, t := range v.list[:max(v.count, 0)] {
			copy(b.places[k].own.Strings, t.Strings)
			k++
		}
	}
	return nil
}

func (l *loop) typeOf(i int) ir.DType {
	v := &l.values[i]
	switch {
	case v.count == One && v.one != nil:
		return v.one.Type
	case v.count > 0:
		return v.list[0].Type
	}
	return ir.Undefined
}

// put feeds place k of the body's inputs.
func (l *loop) put(_, k int, t *ir.Tensor) {
	l.body.retype(k, t.Type)
	l.dims, l.fed = append(l.dims, t.Dims), append(l.fed, t.Data)
}

// tell lets the plan know the value of input i, or no longer.
func (p *Plan) tell(i int, v *value) {
	e := p.entry(i)
	pl := e.one
	switch {
	case v.known && v.count == One:
		if old := pl.spec.Host; old != nil && old.Equal(v.one) {
			return
		}
		pl.know(v.one.Clone(), p.stamp+1)
		p.mark(p.inputs[i])
		p.relisted = true
	case pl.spec.Host != nil:
		pl.spec.Host, pl.tensor, pl.buf, pl.owns, pl.stamp, pl.source = nil, &pl.own, e.buf, true, 0, nil
		pl.own.Type = pl.spec.Type
		pl.spec.Dims = nil
		p.mark(p.inputs[i])
		p.relisted = true
	}
}
