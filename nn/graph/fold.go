package graph

import (
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/plan"
)

// folding computes nodes whose inputs are all constants, once.
type folding struct {
	maxBytes int
	left     int // bytes that may still be made
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
	kept := g.Nodes[:0]
	for _, n := range g.Nodes {
		for _, g := range n.Subgraphs() {
			f.fold(g)
		}
		if !f.node(n) {
			kept = append(kept, n)
		}
	}
	clear(g.Nodes[len(kept):])
	g.Nodes = kept
}

func (f *folding) node(n *ir.Node) bool {
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
	outs := plan.Evaluate(n, min(max(foldSmall, from), f.left), f.maxBytes)
	if outs == nil {
		return false
	}
	for i, v := range n.Outputs {
		if v != nil {
			v.Const, v.Type = outs[i], outs[i].Type
			f.left -= len(outs[i].Data)
		}
	}
	return true
}
