package graph

import (
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/op"
	"github.com/normwasm/normwasm/nn/plan"
)

// Run is a session's plan for one set of input shapes, bound to memory. What In and Out
// give is valid until another run is prepared or executed.
type Run struct {
	session *Session
	update  int // which of the plan's updates it is
}

// Prepare plans for inputs of these dimensions (in the order of Inputs). The run that was
// prepared before for others cannot be executed any more. The dimensions of a state (Options.States)
// may be nil: the run starts from what the latest has left, or as Start says. (A scalar has none, but not nil.)
// With states each Exec needs a Prepare.
func (s *Session) Prepare(dims [][]int) (*Run, error) { return s.PrepareFed(dims, nil) }

// PrepareFed is Prepare with memory that inputs are in already, nil for those that the
// caller fills in the place that In gives. The next Exec reads it, never writes it, and
// lets go of it; another needs another Prepare.
func (s *Session) PrepareFed(dims [][]int, fed [][]byte) (r *Run, err error) {
	return s.PrepareLists(nil, dims, fed)
}

// The counts of an input or output that is one tensor, and of one that is not there.
const (
	One     = plan.One
	Nothing = plan.Nothing
)

// PrepareLists is PrepareFed for models with inputs that are sequences or optional: counts
// says of each input how many elements it has as a sequence, or that it is One tensor, or
// Nothing. Where one is a sequence dims, fed and the places that In gives have all its elements, one after
// another. Without counts each input is one tensor.
func (s *Session) PrepareLists(counts []int, dims [][]int, fed [][]byte) (r *Run, err error) {
	if s.released {
		return nil, released("Prepare")
	}
	if r := s.run; r != nil && r.update == s.plan.Updates() && counts == nil && fed == nil && s.plan.Again(dims) {
		return r, nil
	}
	defer recovered("planning", &err)
	if !op.Lean && (s.lists || counts != nil) {
		if err := s.count(counts, dims); err != nil {
			return nil, err
		}
	} else {
		dims = s.complete(dims)
	}
	if err := s.fits(dims); err != nil {
		return nil, err
	}
	if err := s.plan.Update(dims); err != nil {
		return nil, err
	}
	if err := s.plan.Bind(fed); err != nil {
		return nil, err
	}
	if s.run == nil || s.run.update != s.plan.Updates() {
		s.run = &Run{session: s, update: s.plan.Updates()}
	}
	return s.run, nil
}

// count tells the plan what the inputs are.
func (s *Session) count(counts []int, dims [][]int) error {
	if counts != nil && len(counts) != len(s.graph.Inputs) {
		return ir.Shape("graph: Prepare got ", len(counts), " counts, want ", len(s.graph.Inputs), ", one for each input")
	}
	for i, v := range s.graph.Inputs {
		n := One
		if counts != nil {
			n = counts[i]
		}
		why := ""
		switch {
		case n < Nothing:
			why = "has a negative number of elements"
		case n == One && v.Form.Lists():
			why = "is one tensor, want a sequence"
		case n == Nothing && (v.Form == ir.OneTensor || v.Form == ir.Sequence):
			why = "is missing"
		case n >= 0 && !v.Form.Lists():
			why = "is a sequence, want one tensor"
		}
		if why != "" {
			return ir.Shape("graph: input ", text.Quote(v.Name), " ", why)
		}
	}
	want := 0
	for i := range s.graph.Inputs {
		n := One
		if counts != nil {
			n = counts[i]
		}
		if want += max(n, 0); n == One {
			want++
		}
	}
	if len(dims) != want {
		return ir.Shape("graph: Prepare got ", len(dims), " shapes, want ", want, ", one for each tensor")
	}
	for i, v := range s.graph.Inputs {
		if v.Form.List() {
			n := One
			if counts != nil {
				n = counts[i]
			}
			s.plan.Count(i, n)
		}
	}
	return nil
}

func released(what string) error {
	return ir.Released("graph: ", what, ": the session was released")
}

// fits checks dimensions against the declared ones. Symbols are not compared: exporters
// give unlike sizes one name. A declared scalar may come as one element of more dimensions.
func (s *Session) fits(dims [][]int) error {
	if !s.lists && len(dims) != len(s.graph.Inputs) {
		return ir.Shape("graph: Prepare got ", len(dims), " shapes, want ", len(s.graph.Inputs), ", one for each input")
	}
	for i, d := range dims {
		v := s.graph.Inputs[s.plan.Slot(i)]
		if !op.Sane(d, v.Type, s.maxBytes) {
			return ir.Shape("graph: input ", text.Quote(v.Name), " has shape ", d, ": negative, or more than the session's limit of ", s.maxBytes, " bytes")
		}
		if !v.Known {
			continue
		}
		if len(v.Dims) == 0 && ir.Elements(d) == 1 {
			continue
		}
		ok := len(d) == len(v.Dims)
		for j := 0; ok && j < len(d); j++ {
			ok = v.Dims[j].Size < 0 || v.Dims[j].Size == d[j]
		}
		if !ok {
			return ir.Shape("graph: input ", text.Quote(v.Name), " has shape ", d, ", want ", DimsString(v.Dims))
		}
	}
	return nil
}

// DimsString shows declared dimensions as in "[1 3 height width]", with "?" for
// one that has no name.
func DimsString(dims []ir.Dim) string {
	list := make([]string, len(dims))
	for i, d := range dims {
		switch {
		case d.Size >= 0:
			list[i] = text.Join(d.Size)
		case d.Symbol == "":
			list[i] = "?"
		default:
			list[i] = ir.Plain(d.Symbol)
		}
	}
	return text.Join(list)
}

// Again makes the latest run ready for another of inputs with the same dimensions, fed as for PrepareFed, in a fraction of the
// time of that. Where it cannot it says so, and has done nothing.
func (r *Run) Again(fed [][]byte) bool {
	s := r.session
	return !s.released && s.run == r && s.plan.Updates() == r.update && !s.lists && s.plan.Refeed(fed)
}

// Counts are by output how many elements it has as a sequence, One where it is a tensor, or
// Nothing. They are valid after Exec, and then Out(i) is the i-th of all tensors.
func (r *Run) Counts() []int { return r.session.plan.Counts() }

// In is input i, for the caller to fill.
func (r *Run) In(i int) *ir.Tensor { return r.session.plan.In(i) }

// Out is output i, valid after Exec.
func (r *Run) Out(i int) *ir.Tensor { return r.session.plan.Out(i) }

// Take hands result i over, whose memory is then the caller's; nil where it has none of
// its own: Out has to be copied, before Forget.
func (r *Run) Take(i int) []byte { return r.session.plan.Take(i) }

// Forget gives back the results that nobody took, and forgets where they were.
func (r *Run) Forget() {
	if !r.session.released {
		r.session.plan.Forget()
	}
}

// Exec runs the steps.
func (r *Run) Exec() error {
	_, err := r.ExecProfiled(nil)
	return err
}

// ExecPausing is Exec that calls pause before each trip of a loop: it may let others run meanwhile, but none of this session, and
// says whether to go on.
func (r *Run) ExecPausing(pause func() bool) error {
	plan := r.session.plan
	plan.Pausing(pause)
	defer plan.Pausing(nil)
	return r.Exec()
}

// StepTime is one step of a profiled run.
type StepTime = plan.StepTime

// ExecProfiled is Exec with the time that each step took by now, a clock in
// milliseconds.
func (r *Run) ExecProfiled(now func() float64) ([]StepTime, error) {
	switch s := r.session; {
	case s.released:
		return nil, released("Exec")
	case s.run != r || s.plan.Updates() != r.update || s.plan.Hungry():
		return nil, ir.Released("graph: Exec: the run's memory went to another run; Prepare it again")
	}
	return r.session.plan.Exec(now)
}

// Ops counts the steps that the latest Exec ran, by operator, in order of first
// occurrence. What was computed while planning is not among them.
func (r *Run) Ops() []OpCount { return r.session.plan.Ops() }
