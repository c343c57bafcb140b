package graph

import (
	"runtime"
	"slices"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
)

// Run is a session's plan for one set of input shapes, bound to memory. All
// runs of a session use the same arena: what In and Out give is valid until
// another run is prepared or executed.
type Run struct {
	session *Session
	dims    [][]int
	in, out []*Tensor
	first   *segment
	current *step // for messages
	stale   bool  // not bound to the session's arena
	hungry  bool  // what fed the inputs was let go of

	inputs  []*buffer
	results [][]byte // by output: what the latest Exec wrote and nobody took
}

// Prepare plans for inputs of these dimensions (in the order of Inputs), or
// finds the plan again.
func (s *Session) Prepare(dims [][]int) (*Run, error) { return s.PrepareFed(dims, nil) }

// PrepareFed is Prepare with memory that inputs are in already, nil for those that the
// caller fills in the place that In gives. The next Exec reads it, never writes it, and
// lets go of it; another needs another Prepare.
func (s *Session) PrepareFed(dims [][]int, fed [][]byte) (r *Run, err error) {
	if s.released {
		return nil, &ReleasedError{"graph: Prepare: the session was released"}
	}
	defer recovered("planning", &err)
	if r, err = s.planned(dims); err != nil {
		return nil, err
	}
	return r, r.bind(fed)
}

// planned is the plan for inputs of these dimensions, the first of those that are kept.
func (s *Session) planned(dims [][]int) (*Run, error) {
	for i, r := range s.runs {
		if r.serves(dims) {
			copy(s.runs[1:i+1], s.runs[:i])
			s.runs[0] = r
			return r, nil
		}
	}
	if err := s.fits(dims); err != nil {
		return nil, err
	}
	r := &Run{session: s, stale: true, results: make([][]byte, len(s.graph.Outputs))}
	p := &planner{session: s, limit: hostLimit, values: map[*Value]*place{}, frames: []frame{{nodes: s.graph.Nodes}}}
	for i, v := range s.graph.Inputs {
		d := slices.Clone(dims[i])
		pl := p.buffered(v.Type, d, -1)
		pl.buf.last, pl.buf.outside = forever, true
		p.fed += aligned(pl.buf.size)
		p.values[v] = pl
		r.dims = append(r.dims, d)
		r.in = append(r.in, pl.tensor)
		r.inputs = append(r.inputs, pl.buf)
	}
	var err error
	if r.first, err = p.segment(s.maxBytes); err != nil {
		return nil, err
	}
	r.out = r.first.out
	if len(s.runs) == maxRuns {
		s.runs[maxRuns-1].unbind()
		s.runs = s.runs[:maxRuns-1]
	}
	s.runs = append([]*Run{r}, s.runs...)
	return r, nil
}

// serves says whether the plan is for inputs of these dimensions.
func (r *Run) serves(dims [][]int) bool {
	for i, d := range r.dims {
		if i >= len(dims) || !sameDims(d, dims[i]) {
			return false
		}
	}
	return len(r.dims) == len(dims)
}

// fits checks dimensions against the declared ones. Symbols are not compared: exporters
// give unlike sizes one name. A declared scalar may come as one element of more dimensions.
func (s *Session) fits(dims [][]int) error {
	if len(dims) != len(s.graph.Inputs) {
		return Shape("graph: Prepare got ", len(dims), " shapes, want ", len(s.graph.Inputs), ", one for each input")
	}
	for i, v := range s.graph.Inputs {
		d := dims[i]
		if !sane(d, v.Type.Size(), s.maxBytes) {
			return Shape("graph: input ", text.Quote(v.Name), " has shape ", d, ": negative, or more than the session's limit of ", s.maxBytes, " bytes")
		}
		if !v.Known {
			continue
		}
		if len(v.Dims) == 0 && Elements(d) == 1 {
			continue
		}
		ok := len(d) == len(v.Dims)
		for j := 0; ok && j < len(d); j++ {
			ok = v.Dims[j].Size < 0 || v.Dims[j].Size == d[j]
		}
		if !ok {
			return Shape("graph: input ", text.Quote(v.Name), " has shape ", d, ", want ", DimsString(v.Dims))
		}
	}
	return nil
}

// DimsString shows declared dimensions as in "[1 3 height width]", with "?" for
// one that has no name.
func DimsString(dims []Dim) string {
	list := make([]string, len(dims))
	for i, d := range dims {
		switch {
		case d.Size >= 0:
			list[i] = text.Join(d.Size)
		case d.Symbol == "":
			list[i] = "?"
		default:
			list[i] = plain(d.Symbol)
		}
	}
	return text.Join(list)
}

// bind makes the run use the session's arenas, and the memory that inputs are fed from.
func (r *Run) bind(fed [][]byte) error {
	s := r.session
	own := 0
	for i, b := range r.inputs {
		if i < len(fed) && fed[i] != nil {
			if len(fed[i]) != b.size {
				return Shape("graph: input ", text.Quote(s.graph.Inputs[i].Name), " is fed ", len(fed[i]), " bytes, want ", b.size)
			}
		} else {
			own += aligned(b.size)
		}
	}
	if err := s.grow(&s.feeds, own); err != nil {
		return err
	}
	if r.stale {
		if err := s.grow(&s.arena, r.first.size); err != nil {
			return err
		}
		r.first.bind(s.arena)
		r.stale = false
	}
	at := 0
	for i, b := range r.inputs {
		if i < len(fed) && fed[i] != nil {
			b.data = fed[i]
			continue
		}
		b.data = s.feeds[at : at+b.size : at+b.size]
		at += aligned(b.size)
	}
	r.hungry = false
	r.first.bindOuter()
	return nil
}

// unbind lets go of the arenas, and of the continuations that refer to them.
func (r *Run) unbind() {
	r.Forget()
	if r.stale {
		return
	}
	r.stale = true
	r.first.bind(nil)
	for _, b := range r.inputs {
		b.data = nil
	}
	r.first.bindOuter()
	r.first.next, r.first.latest = nil, nil
	r.out = r.first.out
}

// Forget gives back the results that nobody took, and forgets where they were.
func (r *Run) Forget() {
	for i, b := range r.results {
		slab.Give(b)
		r.results[i] = nil
	}
	for g := r.first; g != nil; g = g.latest {
		for _, one := range g.given {
			one.buf.data = nil
		}
		g.bindOuter()
	}
}

// Take hands result i over, whose memory is then the caller's; nil where it has none of
// its own: Out has to be copied, before Forget.
func (r *Run) Take(i int) []byte {
	b := r.results[i]
	r.results[i] = nil
	return b
}

// start gives a segment's results their memory and binds what is outside of the arena.
func (r *Run) start(g *segment) error {
	for _, one := range g.given {
		b, err := slab.Take(one.buf.size, false)
		if err != nil {
			return err
		}
		r.results[one.output], one.buf.data = b, b
	}
	g.bindOuter()
	return nil
}

// finish lets go of what fed the inputs; after a failure of the results too.
func (r *Run) finish(err error) {
	if err != nil {
		r.Forget()
	}
	own := r.session.feeds
	from, to := slab.Addr(own), slab.Addr(own)+uintptr(len(own))
	for _, b := range r.inputs {
		if at := slab.Addr(b.data); len(b.data) > 0 && (at < from || at >= to) {
			b.data, r.hungry = nil, true
		}
	}
	for g := r.first; g != nil && r.hungry; g = g.latest {
		g.bindOuter()
	}
}

// In is input i, for the caller to fill.
func (r *Run) In(i int) *Tensor { return r.in[i] }

// Out is output i, valid after Exec.
func (r *Run) Out(i int) *Tensor { return r.out[i] }

// Exec runs the steps.
func (r *Run) Exec() (err error) {
	if r.stale || r.hungry {
		return r.gone()
	}
	r.Forget()
	defer func() { r.finish(err) }()
	defer r.caught(&err)
	g := r.first
	for {
		if err := r.start(g); err != nil {
			return err
		}
		for i := range g.steps {
			st := &g.steps[i]
			r.current = st
			st.run(&st.args)
		}
		if g.rest == nil {
			break
		}
		if g, err = g.advance(); err != nil {
			return err
		}
	}
	r.out = g.out
	return nil
}

// Ops counts the steps that each Exec runs, by operator, in order of first
// occurrence. What was computed while planning is not among them.
func (r *Run) Ops() []OpCount {
	var list []OpCount
	for g := r.first; g != nil; g = g.latest {
		for i := range g.steps {
			list = counted(list, g.steps[i].node.Op)
		}
	}
	return list
}

// counted adds one to op's count.
func counted(list []OpCount, op string) []OpCount {
	for i := range list {
		if list[i].Op == op {
			list[i].N++
			return list
		}
	}
	return append(list, OpCount{op, 1})
}

// StepTime is one step of a profiled run.
type StepTime struct {
	Name, Op string
	Ms       float64
}

// ExecProfiled is Exec with the time that each step took by now, a clock in
// milliseconds.
func (r *Run) ExecProfiled(now func() float64) (times []StepTime, err error) {
	if r.stale || r.hungry {
		return nil, r.gone()
	}
	r.Forget()
	defer func() { r.finish(err) }()
	defer r.caught(&err)
	g := r.first
	for {
		if err := r.start(g); err != nil {
			return nil, err
		}
		for i := range g.steps {
			st := &g.steps[i]
			r.current = st
			start := now()
			st.run(&st.args)
			times = append(times, StepTime{st.node.Name, st.node.Op, now() - start})
		}
		if g.rest == nil {
			break
		}
		if g, err = g.advance(); err != nil {
			return nil, err
		}
	}
	r.out = g.out
	return times, nil
}

func (r *Run) gone() error {
	if r.session.released {
		return &ReleasedError{"graph: Exec: the session was released"}
	}
	return &ReleasedError{"graph: Exec: the run's memory went to another run; Prepare it again"}
}

// caught turns a panic of the current step into the error of Exec.
func (r *Run) caught(err *error) {
	if p := recover(); p != nil {
		if e, ok := p.(*slab.NoMemoryError); ok { // of a later segment
			*err = e
			return
		}
		if r.current == nil {
			*err = Load("graph: the run failed")
			return
		}
		*err = stopped(r.current.node, p)
	}
}

// stopped is the error of a step that panicked with p. A step that meets data
// which it cannot work with (an index beyond the table) panics with an error
// that says so; anything else is a fault of the operator.
func stopped(n *Node, p any) error {
	name := plain(n.Op) + " " + text.Quote(n.Name)
	switch p := p.(type) {
	case *slab.NoMemoryError:
		return p
	case runtime.Error:
		return Load("graph: ", name, " failed: ", p)
	case error:
		return Shape("graph: ", name, ": ", p)
	case string:
		return Load("graph: ", name, " failed: ", p)
	}
	return Load("graph: ", name, " failed")
}
