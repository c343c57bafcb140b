package plan

import (
	"runtime"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/internal/threads"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/op"
)

// Bind gives the inputs their memory, and the first segment its own. fed has what inputs
// are in already, nil for those that the caller fills in the place that In gives. The next
// Exec reads it, never writes it, and lets go of it; another needs another Bind.
func (p *Plan) Bind(fed [][]byte) error {
	p.dropStates()
	own := 0
	for i, pl := range p.places {
		n := pl.spec.Type.Bytes(pl.spec.Len())
		switch {
		case pl.state != nil && !pl.state.fed || pl.buf == nil:
		case i >= len(fed) || fed[i] == nil:
			own += aligned(n)
		case len(fed[i]) != n:
			return ir.Shape("graph: input ", text.Quote(p.graph.Inputs[p.slots[i]].Name), " is fed ", len(fed[i]), " bytes, want ", n)
		}
	}
	if own > len(p.feeds) {
		more := own
		if len(p.feeds) > 0 {
			more = aligned(own + own/8 + 1024) // so that inputs that grow step by step do not reallocate each time
		}
		slab.Give(p.feeds)
		var err error
		if p.feeds, err = slab.Take(more, false); err != nil {
			if p.feeds, err = slab.Take(own, false); err != nil {
				p.feeds = nil
				return err
			}
		}
	}
	if err := p.bindArena(); err != nil {
		return err
	}
	at := 0
	for i, pl := range p.places {
		n := pl.spec.Type.Bytes(pl.spec.Len())
		switch {
		case pl.state != nil && !pl.state.fed || pl.buf == nil:
			continue
		case i < len(fed) && fed[i] != nil:
			pl.buf.data = fed[i]
		default:
			pl.buf.data = p.feeds[at : at+n : at+n]
			at += aligned(n)
		}
		pl.own.Data = pl.buf.data
	}
	p.hungry = false
	return nil
}

// Refeed is Update and Bind in one for a run like the latest: inputs of the same dimensions, and no states. Where there is
// more to be done, nothing is, and it says so.
func (p *Plan) Refeed(fed [][]byte) bool {
	if !p.ready || p.relisted || len(p.states) > 0 || len(fed) != len(p.places) || len(p.segments[0].arena) < p.segments[0].size {
		return false
	}
	for i, pl := range p.places {
		if pl.buf == nil || pl.list != nil {
			return false
		}
		if n := len(fed[i]); n != pl.buf.size && n > 0 || n == 0 && len(pl.buf.data) < pl.buf.size {
			return false
		}
	}
	for i, pl := range p.places {
		if len(fed[i]) > 0 {
			pl.buf.data, pl.own.Data = fed[i], fed[i]
		}
	}
	p.hungry = false
	return true
}

// bindArena gives the first segment its memory, and the states theirs.
func (p *Plan) bindArena() error {
	if s := p.segments[0]; len(s.arena) < s.size {
		if err := p.take(s); err != nil {
			return err
		}
	}
	return p.bindStates()
}

// In is place i of the inputs, for the caller to fill: an input, or an element of one that is a sequence.
func (p *Plan) In(i int) *ir.Tensor { return p.places[i].tensor }

// Out is place i of the outputs, valid after Exec: an output, or an element of one that is a
// sequence (see Counts). Where it is a state that grows it may be a copy.
func (p *Plan) Out(i int) *ir.Tensor {
	if t := p.State(p.made[i]); t != nil {
		return t.Dense()
	}
	return p.outputs[i].tensor
}

// Hungry says that the inputs are no longer there: the latest run let go of them.
func (p *Plan) Hungry() bool { return p.hungry }

// Take hands result i over, whose memory is then the caller's; nil where it has none of
// its own: Out has to be copied, before Forget.
func (p *Plan) Take(i int) []byte {
	b := p.results[i]
	p.results[i] = nil
	return b
}

// Forget gives back the results that nobody took, and forgets where they were.
func (p *Plan) Forget() {
	for i, b := range p.results {
		if b != nil {
			slab.Give(b)
			p.results[i] = nil
		}
	}
	for _, s := range p.segments {
		for _, r := range s.results {
			r.buf.data = nil
		}
		if len(s.results) > 0 {
			s.bindOuter()
		}
	}
}

// start gives a segment's results their memory and binds what is outside of the arena.
func (p *Plan) start(s *segment) error {
	for _, r := range s.results {
		if st := p.keeps(r.output, nil); st != nil {
			b, err := st.resultOf(r.buf.size)
			if err != nil {
				return err
			}
			r.buf.data = b
			continue
		}
		b, err := slab.Take(r.buf.size, false)
		if err != nil {
			return err
		}
		p.results[r.output], r.buf.data = b, b
	}
	s.bindOuter()
	return nil
}

// done lets go of what fed the inputs; after a failure of the results too.
func (p *Plan) done(err error) {
	p.dropStates()
	if err != nil {
		p.Forget()
	}
	from, to := slab.Addr(p.feeds), slab.Addr(p.feeds)+uintptr(len(p.feeds))
	for _, pl := range p.places {
		if pl.buf == nil {
			continue
		}
		if at := slab.Addr(pl.buf.data); len(pl.buf.data) > 0 && (at < from || at >= to) {
			pl.buf.data, pl.own.Data, p.hungry = nil, nil, true
		}
	}
	if p.hungry {
		for _, s := range p.segments {
			s.bindOuter()
		}
	}
}

// StepTime is one step of a profiled run.
type StepTime struct {
	Name, Op string
	Blocked  bool // its results have their channels in blocks
	Threads  int  // that its work was divided among
	Ms       float64
}

// blocked says that a node's results are in the blocked layout.
func (n *node) blocked() bool {
	for _, v := range n.node.Outputs {
		if v != nil && v.Channels > 0 {
			return true
		}
	}
	return false
}

// Exec runs the steps. With a clock, in milliseconds, it gives the time that each took.
func (p *Plan) Exec(now func() float64) (times []StepTime, err error) {
	p.trips.done = 0
	if p.trips.pause == nil { // others may run in a pause
		p.trial.Begin(p.updates)
		defer p.trial.End()
	}
	return p.exec(now)
}

// Loops says whether the graph has loops.
func (p *Plan) Loops() bool { return len(p.loops) > 0 }

// Pausing has each trip of a loop call pause, which may let others run meanwhile and says whether to go on; nil for none.
func (p *Plan) Pausing(pause func() bool) { p.trips.pause = pause }

// exec is Exec of a body too, whose trips count along with those of what is around it.
func (p *Plan) exec(now func() float64) (times []StepTime, err error) {
	p.Forget()
	defer p.ended(&err)
	p.running = nil
	for k := 0; ; k++ {
		s := p.segments[k]
		if k > 0 {
			if !op.Lean && s.after != nil {
				if p.receive(s.after) {
					p.stamp++
					p.stale = min(p.stale, k)
				}
			} else if s.fetch(p.stamp + 1) {
				p.stamp++
				p.mark(s.waitFor)
				p.stale = min(p.stale, k)
			}
			if p.stale <= k {
				if err := p.walk(k); err != nil {
					return nil, err
				}
			}
			if p.regrow {
				// A state was given more room: what was computed is in memory without it.
				p.layStates()
				if err := p.plan(); err != nil {
					return nil, err
				}
				if err := p.bindArena(); err != nil {
					return nil, err
				}
				k, times = -1, times[:0]
				continue
			}
		}
		if err := p.start(s); err != nil {
			return nil, err
		}
		if now == nil {
			for _, n := range s.steps {
				p.running = n
				op.Run(n.step, &n.args)
			}
		} else {
			for _, n := range s.steps {
				p.running = n
				threads.Used() // of the step before
				start := now()
				op.Run(n.step, &n.args)
				times = append(times, StepTime{n.node.Name, n.node.Op, n.blocked(), threads.Used(), now() - start})
			}
		}
		if s.last {
			return times, p.commit()
		}
	}
}

// Count says how often an operator occurs.
type Count struct {
	Op string
	N  int
}

// Ops counts the steps that the latest run executed, by operator, in order of first
// occurrence. What was computed while planning is not among them.
func (p *Plan) Ops() []Count {
	var list []Count
	for _, s := range p.segments {
		for _, n := range s.steps {
			list = Counted(list, n.node.Op)
		}
	}
	return list
}

// Counted adds one to op's count.
func Counted(list []Count, op string) []Count {
	for i := range list {
		if list[i].Op == op {
			list[i].N++
			return list
		}
	}
	return append(list, Count{op, 1})
}

// ended comes at the end of exec. It turns a panic of the current step into its error.
func (p *Plan) ended(err *error) {
	if r := recover(); r != nil {
		if e, ok := r.(*slab.NoMemoryError); ok { // of a later segment
			*err = e
		} else if p.running == nil {
			*err = ir.Load("graph: the run failed")
		} else {
			*err = stopped(p.running.node, r)
		}
	}
	p.done(*err)
}

// stopped is the error of a step that panicked with r. A step that meets data which it
// cannot work with (an index beyond the table) panics with an error that says so; anything
// else is a fault of the operator.
func stopped(n *ir.Node, r any) error {
	name := ir.Plain(n.Op)
	if n.Name != "" {
		name += " " + text.Quote(n.Name)
	}
	switch r := r.(type) {
	case *slab.NoMemoryError:
		return r
	case *threads.LostError:
		return r
	case *bodyError:
		return r.under(name)
	case runtime.Error:
		return ir.Load("graph: ", name, " failed: ", r)
	case error:
		return ir.Shape("graph: ", name, ": ", r)
	case string:
		return ir.Load("graph: ", name, " failed: ", r)
	}
	return ir.Load("graph: ", name, " failed")
}
