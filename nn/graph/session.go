// Package graph runs models: a Session is a graph that was checked and optimized, with
// its plan, its memory and its state between runs.
//
// The life of a model: nn/onnx reads a file into an ir.Graph; NewSession checks that every
// operator is there (nn/op), computes what is constant, optimizes (nn/opt) and packs the
// weights; Prepare plans for concrete input shapes (nn/plan); Exec runs the steps and
// allocates nothing.
package graph

import (
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/op"
	"github.com/normwasm/normwasm/nn/opt"
	"github.com/normwasm/normwasm/nn/plan"
)

// Options are a session's choices; the zero value is the default.
type Options struct {
	// Optimize is "all" (the default) or "none", which runs the graph as it is
	// written.
	Optimize string
	// MaxBytes limits the memory that a session takes beside its weights; 0 is
	// 1 GiB.
	MaxBytes int
	// MaxTrips limits how often a run may go through the bodies of its loops, all together; 0
	// is 4,194,304.
	MaxTrips int
	// Resident lets each run write its results into memory of their own, which the
	// caller may take (Run.Take), instead of into what all runs share.
	Resident bool
	// Own says that the memory of the graph's constants is the session's too, which may
	// write over it: weights that kernels want in another order are then held once.
	// Otherwise it is only read.
	Own bool
	// FreeDims gives sizes to symbolic dimensions of the inputs. One that no input
	// has is an error.
	FreeDims map[string]int
	// States are outputs that the session keeps and feeds back at the next run.
	States []State
	// AutoStates has it keep those that Paired finds.
	AutoStates bool
}

const (
	defaultMaxBytes = 1 << 30
	defaultMaxTrips = 1 << 22
)

// Session is a graph that is ready to be planned and run. It is not safe for
// concurrent use.
type Session struct {
	graph    *ir.Graph
	plan     *plan.Plan
	weights  weights
	run      *Run // the latest prepared
	maxBytes int
	released bool
	states   []plan.State
	lists    bool // there are inputs that are no tensors
}

// NewSession checks that every operator of g is implemented, in an
// UnsupportedError that lists those that are not, computes what is constant and
// optimizes. The session owns g from then on and changes it.
func NewSession(g *ir.Graph, o Options) (s *Session, err error) {
	defer func() {
		if err != nil && s != nil {
			s.weights.release()
		}
	}()
	defer recovered("the model's preparation", &err)
	if o.Optimize != "" && o.Optimize != "all" && o.Optimize != "none" {
		return nil, ir.Load("graph: optimization level ", text.Quote(o.Optimize), ", want \"all\" or \"none\"")
	}
	op.Modernize(g)
	if err := op.Check(g); err != nil {
		return nil, err
	}
	if err := op.Complete(g.Nodes); err != nil {
		return nil, err
	}
	op.SpellOut(g)
	s = &Session{graph: g, maxBytes: o.MaxBytes}
	if s.maxBytes <= 0 {
		s.maxBytes = defaultMaxBytes
	}
	if err := setFreeDims(g.Inputs, o.FreeDims); err != nil {
		return nil, err
	}
	for _, v := range g.Inputs {
		s.lists = s.lists || v.Form.List()
	}
	s.weights.own = o.Own
	if s.states, err = statesOf(g, o); err != nil {
		return nil, err
	}
	opt.Widen(g, o.Optimize != "none")
	if o.Optimize != "none" {
		f := &folding{maxBytes: s.maxBytes, left: min(s.maxBytes/4, foldTotal+2*constantBytes(g, nil)), weights: &s.weights}
		f.first = true
		f.fold(g)
		f.first = false
		opt.Sink(g)
		f.fold(g)
		s.weights.mark(g)
		opt.Optimize(g)
		f.fold(g)
	}
	s.weights.mark(g)
	if o.MaxTrips <= 0 {
		o.MaxTrips = defaultMaxTrips
	}
	s.plan = plan.New(g, plan.Options{MaxBytes: s.maxBytes, MaxTrips: o.MaxTrips, Resident: o.Resident, States: s.states})
	s.anticipate()
	return s, nil
}

// anticipate plans for the declared input shapes, so that weights are packed before the
// first run. A dimension that the model leaves open counts as one: what depends on it is
// planned again when it is known. A plan that fails is the first run's to report.
func (s *Session) anticipate() {
	dims := make([][]int, len(s.graph.Inputs))
	for i, v := range s.graph.Inputs {
		if !v.Known || v.Form.List() {
			return
		}
		dims[i] = make([]int, len(v.Dims))
		for j, d := range v.Dims {
			if dims[i][j] = d.Size; d.Size < 0 {
				dims[i][j] = 1
			}
		}
		if !op.Sane(dims[i], v.Type, s.maxBytes) {
			return
		}
	}
	for _, st := range s.states {
		dims[st.In] = nil
	}
	dims = s.complete(dims)
	var err error
	defer recovered("", &err)
	_ = s.plan.Update(dims)
}

// setFreeDims gives symbolic dimensions of the inputs their sizes.
func setFreeDims(inputs []*ir.Value, sizes map[string]int) error {
	var symbols []string
	known := map[string]bool{}
	for _, v := range inputs {
		for i, d := range v.Dims {
			if d.Size >= 0 || d.Symbol == "" {
				continue
			}
			if !known[d.Symbol] {
				known[d.Symbol] = true
				symbols = append(symbols, d.Symbol)
			}
			if size, ok := sizes[d.Symbol]; ok {
				if size < 0 {
					return ir.Shape("graph: dimension ", text.Quote(d.Symbol), " is given as ", size)
				}
				v.Dims[i].Size = size
			}
		}
	}
	unknown, found := "", false
	for name := range sizes { // the first by name, for maps have no order
		if !known[name] && (!found || name < unknown) {
			unknown, found = name, true
		}
	}
	if !found {
		return nil
	}
	have := "the model's inputs have none"
	for i, symbol := range symbols {
		if i == 32 {
			have = text.Join(have, " and ", len(symbols)-i, " more")
			break
		}
		if i == 0 {
			have = "those of the model's inputs are "
		} else {
			have += ", "
		}
		have += text.Quote(symbol)
	}
	return ir.Shape("graph: there is no free dimension ", text.Quote(unknown), "; ", have)
}

// Info describes an input or output.
type Info struct {
	Name string
	Form ir.Form  // whether it is a tensor, a sequence, optional
	Type ir.DType // of the elements
	Dims []ir.Dim
	// Known is false where the model does not declare the dimensions.
	Known bool
	// State says that the session keeps it (Options.States).
	State bool
}

// Inputs describes what Prepare wants, in its order.
func (s *Session) Inputs() []Info {
	list := infos(s.graph.Inputs)
	for _, st := range s.states {
		list[st.In].State = true
	}
	return list
}

// Outputs describes the outputs as far as the model declares them.
func (s *Session) Outputs() []Info {
	list := infos(s.graph.Outputs)
	for _, st := range s.states {
		list[st.Out].State = true
	}
	return list
}

func infos(values []*ir.Value) []Info {
	list := make([]Info, len(values))
	for i, v := range values {
		list[i] = Info{Name: v.Name, Form: v.Form, Type: v.Type, Dims: v.Dims, Known: v.Known}
	}
	return list
}

// OpCount says how often an operator occurs.
type OpCount = plan.Count

// Ops counts the nodes by operator, as they are after optimization, in order of
// first occurrence; the branches of an If count both.
func (s *Session) Ops() []OpCount { return opsOf(nil, s.graph.Nodes) }

func opsOf(list []OpCount, nodes []*ir.Node) []OpCount {
	for _, n := range nodes {
		list = plan.Counted(list, n.Op)
		for _, g := range n.Subgraphs() {
			list = opsOf(list, g.Nodes)
		}
	}
	return list
}

// Loops says whether a run may take long that is not foreseen: there are loops.
func (s *Session) Loops() bool { return !s.released && s.plan.Loops() }

// Bytes is what the session holds beside the weights as the model has them: packed
// ones for the kernels, and the memory of its plan.
func (s *Session) Bytes() int {
	if s.released {
		return 0
	}
	runs, kept := s.plan.Held()
	return runs + kept
}

// Release lets go of all memory. Runs of the session cannot be executed any more.
func (s *Session) Release() {
	if !s.released {
		s.plan.Release()
		s.weights.release()
	}
	*s = Session{graph: &ir.Graph{}, released: true}
}

// Weights is how many bytes of constants are elsewhere than in files.
func (s *Session) Weights(files ...[]byte) int { return constantBytes(s.graph, files...) }

// constantBytes sums the known values that the graph refers to, but for those in the
// memory of files.
func constantBytes(g *ir.Graph, files ...[]byte) int {
	n := 0
	seen := map[*ir.Tensor]bool{}
	add := func(v *ir.Value) {
		if v == nil || v.Const == nil || seen[v.Const] {
			return
		}
		seen[v.Const] = true
		data := v.Const.Data
		if v.Const.Taken != nil { // packed where it was
			data = v.Const.Taken
		}
		for _, file := range files {
			if from, at := slab.Addr(file), slab.Addr(data); at >= from && at < from+uintptr(len(file)) {
				return
			}
		}
		n += len(data)
	}
	ir.EachUse(g.Nodes, add)
	for _, v := range g.Outputs {
		add(v)
	}
	return n
}

// recovered turns a panic into an error. Operators check what they are given; this
// catches what their checks overlook.
func recovered(what string, err *error) {
	switch p := recover().(type) {
	case nil:
	case *slab.NoMemoryError:
		*err = p
	case error:
		*err = ir.Load("graph: ", what, " failed: ", p)
	case string:
		*err = ir.Load("graph: ", what, " failed: ", p)
	default:
		*err = ir.Load("graph: ", what, " failed")
	}
}
