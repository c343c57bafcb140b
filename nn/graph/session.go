package graph

import (
	"slices"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
)

// Options are a session's choices; the zero value is the default.
type Options struct {
	// Optimize is "all" (the default) or "none", which runs the graph as it is
	// written.
	Optimize string
	// MaxBytes limits the memory that a session takes beside its weights; 0 is
	// 1 GiB.
	MaxBytes int
	// Resident lets each run write its results into memory of their own, which the
	// caller may take (Run.Take), instead of into what all runs share.
	Resident bool
	// FreeDims gives sizes to symbolic dimensions of the inputs. One that no input
	// has is an error.
	FreeDims map[string]int
}

const (
	defaultMaxBytes = 1 << 30
	maxRuns         = 8 // plans that a session keeps
)

// Session is a graph that is ready to be planned and run. It is not safe for
// concurrent use.
type Session struct {
	graph    *Graph
	maxBytes int
	prepared map[*Node][]prepared
	packed   int // bytes of prepared
	runs     []*Run
	arena    []byte // of the runs' first segments, which share it
	feeds    []byte // of the latest prepared run's inputs that nobody feeds from elsewhere
	resident bool
	released bool
}

// NewSession checks that every operator of g is implemented, in an
// UnsupportedError that lists those that are not, computes what is constant and
// optimizes. The session owns g from then on and changes it.
func NewSession(g *Graph, o Options) (s *Session, err error) {
	defer recovered("the model's preparation", &err)
	if o.Optimize != "" && o.Optimize != "all" && o.Optimize != "none" {
		return nil, Load("graph: optimization level ", text.Quote(o.Optimize), ", want \"all\" or \"none\"")
	}
	if err := check(g); err != nil {
		return nil, err
	}
	if err := complete(g.Nodes); err != nil {
		return nil, err
	}
	s = &Session{graph: g, maxBytes: o.MaxBytes, resident: o.Resident, prepared: map[*Node][]prepared{}}
	if s.maxBytes <= 0 {
		s.maxBytes = defaultMaxBytes
	}
	if err := setFreeDims(g.Inputs, o.FreeDims); err != nil {
		return nil, err
	}
	if o.Optimize != "none" {
		budget := &foldBudget{left: min(s.maxBytes/4, foldTotal+2*constantBytes(g, nil))}
		s.fold(g, budget)
		if err := optimize(g); err != nil {
			return nil, err
		}
		s.fold(g, budget)
	}
	return s, nil
}

// setFreeDims gives symbolic dimensions of the inputs their sizes.
func setFreeDims(inputs []*Value, sizes map[string]int) error {
	var symbols []string
	for _, v := range inputs {
		for i, d := range v.Dims {
			if d.Size >= 0 || d.Symbol == "" {
				continue
			}
			if !slices.Contains(symbols, d.Symbol) {
				symbols = append(symbols, d.Symbol)
			}
			if size, ok := sizes[d.Symbol]; ok {
				if size < 0 {
					return Shape("graph: dimension ", text.Quote(d.Symbol), " is given as ", size)
				}
				v.Dims[i].Size = size
			}
		}
	}
	unknown, found := "", false
	for name := range sizes { // the first by name, for maps have no order
		if !slices.Contains(symbols, name) && (!found || name < unknown) {
			unknown, found = name, true
		}
	}
	if !found {
		return nil
	}
	known := "the model's inputs have none"
	for i, symbol := range symbols {
		if i == 32 {
			known = text.Join(known, " and ", len(symbols)-i, " more")
			break
		}
		if i == 0 {
			known = "those of the model's inputs are "
		} else {
			known += ", "
		}
		known += text.Quote(symbol)
	}
	return Shape("graph: there is no free dimension ", text.Quote(unknown), "; ", known)
}

// Info describes an input or output.
type Info struct {
	Name string
	Type DType
	Dims []Dim
	// Known is false where the model does not declare the dimensions.
	Known bool
}

// Inputs describes what Prepare wants, in its order.
func (s *Session) Inputs() []Info { return infos(s.graph.Inputs) }

// Outputs describes the outputs as far as the model declares them.
func (s *Session) Outputs() []Info { return infos(s.graph.Outputs) }

func infos(values []*Value) []Info {
	list := make([]Info, len(values))
	for i, v := range values {
		list[i] = Info{v.Name, v.Type, v.Dims, v.Known}
	}
	return list
}

// OpCount says how often an operator occurs.
type OpCount struct {
	Op string
	N  int
}

// Ops counts the nodes by operator, as they are after optimization, in order of
// first occurrence; the branches of an If count both.
func (s *Session) Ops() []OpCount { return opsOf(nil, s.graph.Nodes) }

func opsOf(list []OpCount, nodes []*Node) []OpCount {
	for _, n := range nodes {
		list = counted(list, n.Op)
		for _, g := range n.Subgraphs() {
			list = opsOf(list, g.Nodes)
		}
	}
	return list
}

// Bytes is what the session holds beside the weights as the model has them: packed
// ones for the kernels, and the arenas of its plans.
func (s *Session) Bytes() int {
	n := s.packed + len(s.arena) + len(s.feeds)
	for _, r := range s.runs {
		n += r.first.held()
		for _, b := range r.results {
			n += len(b)
		}
	}
	return n
}

// Release lets go of all memory. Runs of the session cannot be executed any more.
func (s *Session) Release() {
	for _, r := range s.runs {
		r.unbind()
	}
	slab.Give(s.arena)
	slab.Give(s.feeds)
	*s = Session{graph: &Graph{}, released: true}
}

// Weights is how many bytes of constants are elsewhere than in file.
func (s *Session) Weights(file []byte) int { return constantBytes(s.graph, file) }

// constantBytes sums the known values that the graph refers to, but for those in the
// memory of file.
func constantBytes(g *Graph, file []byte) int {
	n, from := 0, slab.Addr(file)
	seen := map[*Tensor]bool{}
	add := func(v *Value) {
		if v == nil || v.Const == nil || seen[v.Const] {
			return
		}
		seen[v.Const] = true
		if at := slab.Addr(v.Const.Data); at < from || at >= from+uintptr(len(file)) {
			n += len(v.Const.Data)
		}
	}
	eachUse(g.Nodes, add)
	for _, v := range g.Outputs {
		add(v)
	}
	return n
}

// grow makes the arena that the first segments share, or that of the inputs, at least n
// bytes large. Runs that are bound to the old one turn stale until they are prepared again.
func (s *Session) grow(arena *[]byte, n int) (err error) {
	if n <= len(*arena) {
		return nil
	}
	more := n
	if len(*arena) > 0 {
		more = aligned(n + n/8) // so that inputs that grow step by step do not reallocate each time
	}
	for _, r := range s.runs {
		r.unbind()
	}
	slab.Give(*arena)
	if *arena, err = slab.Take(more, false); err != nil {
		*arena, err = slab.Take(n, false)
	}
	return err
}

// recovered turns a panic into an error. Operators check what they are given; this
// catches what their checks overlook.
func recovered(what string, err *error) {
	switch p := recover().(type) {
	case nil:
	case *slab.NoMemoryError:
		*err = p
	case error:
		*err = Load("graph: ", what, " failed: ", p)
	case string:
		*err = Load("graph: ", what, " failed: ", p)
	default:
		*err = Load("graph: ", what, " failed")
	}
}
