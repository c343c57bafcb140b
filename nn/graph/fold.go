package graph

import (
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/plan"
)

// folding computes nodes whose inputs are all constants, once.
type folding struct {
	maxBytes int
	left     int // bytes that may still be made
	weights  *weights
	slots    map[*ir.Value]int // how often a value is read
	first    bool              // only what is written as constants
}

// A folded value may have foldSmall bytes, or as many as its operands: folding makes no
// model larger, and weights stay in the type that they are stored in until something
// computes with them. All folded values together may have foldTotal bytes and twice the
// bytes of the model's constants, so that no small file makes loading long.
const (
	foldSmall = 1 << 20
	foldTotal = 32 << 20
)

// fold removes the nodes that it could compute. Those that would inflate the model stay
// (a ConstantOfShape of many megabytes), and so do those that fail: their error belongs to
// the run that reaches them.
func (f *folding) fold(g *ir.Graph) {
	f.weights.count(g)
	f.slots = map[*ir.Value]int{}
	eachRead(g, func(v *ir.Value) { f.slots[v]++ }, func(*ir.Tensor) {})
	f.body(g)
}

func (f *folding) body(g *ir.Graph) {
	kept := g.Nodes[:0]
	for _, n := range g.Nodes {
		for _, g := range n.Subgraphs() {
			f.body(g)
		}
		if !f.node(n) {
			kept = append(kept, n)
		}
	}
	clear(g.Nodes[len(kept):])
	g.Nodes = kept
}

func (f *folding) node(n *ir.Node) bool {
	if f.first && n.Op != "Constant" {
		return false
	}
	from := 0
	for _, v := range n.Inputs {
		if v == nil {
			continue
		}
		if v.Const == nil {
			return false
		}
		from += len(v.Const.Data)
	}
	outs, slabs := plan.Evaluate(n, min(max(foldSmall, from), f.left), f.maxBytes)
	if outs == nil {
		return false
	}
	f.weights.slabs = append(f.weights.slabs, slabs...)
	for i, v := range n.Outputs {
		if v == nil {
			continue
		}
		v.Const, v.Type = outs[i], outs[i].Type
		f.left -= len(outs[i].Data)
		f.weights.settle(outs[i], n.Inputs)
		f.weights.read(outs[i], f.slots[v])
	}
	for _, v := range n.Inputs {
		if v != nil {
			f.weights.read(v.Const, -1)
		}
	}
	for _, a := range n.Attrs {
		f.weights.read(a.T, -1)
	}
	return true
}

// weights are a graph's constants: which of their bytes the session may write into, and
// what it has allocated for them.
type weights struct {
	own   bool            // all of their memory is the session's
	uses  map[uintptr]int // how often the bytes at an address are read
	slabs [][]byte        // taken for what was computed of them
}

// eachRead calls value for every use of a value, and attribute for tensors that are
// attributes.
func eachRead(g *ir.Graph, value func(v *ir.Value), attribute func(t *ir.Tensor)) {
	for _, n := range g.Nodes {
		for _, v := range n.Inputs {
			if v != nil {
				value(v)
			}
		}
		for _, a := range n.Attrs {
			if a.T != nil {
				attribute(a.T)
			}
		}
		for _, body := range n.Subgraphs() {
			eachRead(body, value, attribute)
		}
	}
	for _, v := range g.Outputs {
		if v != nil {
			value(v)
		}
	}
}

// count finds how often constants are read. Values that are views of one another (Reshape)
// are the same bytes.
func (w *weights) count(g *ir.Graph) {
	w.uses = map[uintptr]int{}
	eachRead(g, func(v *ir.Value) { w.read(v.Const, 1) }, func(t *ir.Tensor) { w.read(t, 1) })
	kept := w.slabs[:0]
	for _, b := range w.slabs {
		if w.uses[slab.Addr(b)] > 0 {
			kept = append(kept, b)
		} else {
			slab.Give(b)
		}
	}
	clear(w.slabs[len(kept):])
	w.slabs = kept
}

// read notes so many more uses of a tensor, if there is one. A slab that nothing uses any
// more goes back.
func (w *weights) read(t *ir.Tensor, times int) {
	if t == nil || len(t.Data) == 0 {
		return
	}
	at := slab.Addr(t.Data)
	if w.uses[at] += times; w.uses[at] > 0 {
		return
	}
	for i, b := range w.slabs {
		if slab.Addr(b) == at {
			w.slabs = append(w.slabs[:i], w.slabs[i+1:]...)
			slab.Give(b)
			return
		}
	}
}

// settle moves a computed constant to where an operand lies that nothing else reads, if it
// is in a slab of its own and has room there.
func (w *weights) settle(t *ir.Tensor, operands []*ir.Value) {
	last := len(w.slabs) - 1
	if !w.own || last < 0 || slab.Addr(w.slabs[last]) != slab.Addr(t.Data) {
		return
	}
	for _, v := range operands {
		if v == nil {
			continue
		}
		to := v.Const.Data
		if at := slab.Addr(to); w.uses[at] == 1 && len(to) >= len(t.Data) && at%uintptr(max(t.Type.Size(), 1)) == 0 {
			t.Data = to[:copy(to, t.Data):len(t.Data)]
			slab.Give(w.slabs[last])
			w.slabs = w.slabs[:last]
			return
		}
	}
}

// mark lets operators overwrite the constants that they alone read.
func (w *weights) mark(g *ir.Graph) {
	if !w.own {
		return
	}
	w.count(g)
	eachRead(g, func(v *ir.Value) {
		if t := v.Const; t != nil {
			t.Sole = w.uses[slab.Addr(t.Data)] == 1
		}
	}, func(*ir.Tensor) {})
}

// release gives back what was taken.
func (w *weights) release() {
	for _, b := range w.slabs {
		slab.Give(b)
	}
	w.slabs = nil
}
