package graph

// foldBudget is how many bytes constant folding may still make.
type foldBudget struct{ left int }

// A folded value may have foldLimit bytes, or four times as many as its operands. All
// folded values together may have foldTotal bytes and twice the bytes of the model's
// constants, so that no small file makes loading long.
const (
	foldLimit = 1 << 20
	foldTotal = 32 << 20
)

// fold computes the nodes whose inputs are all constants, once, and removes
// them. Nodes that would inflate the model stay (a ConstantOfShape of many
// megabytes), and so do those that fail: their error belongs to the run that
// reaches them.
func (s *Session) fold(g *Graph, b *foldBudget) {
	kept := g.Nodes[:0]
	for _, n := range g.Nodes {
		for _, g := range n.Subgraphs() {
			s.fold(g, b)
		}
		if !s.foldNode(n, b) {
			kept = append(kept, n)
		}
	}
	clear(g.Nodes[len(kept):])
	g.Nodes = kept
}

func (s *Session) foldNode(n *Node, b *foldBudget) bool {
	if n.Op == "If" {
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
	p := &planner{session: s, values: map[*Value]*place{}, limit: min(max(foldLimit, 4*from), b.left), dry: true}
	if !p.try(n) {
		return false
	}
	for _, v := range n.Outputs {
		if v != nil && p.values[v].spec.Host == nil {
			return false
		}
	}
	for _, v := range n.Outputs {
		if v != nil {
			v.Const = p.values[v].spec.Host
			v.Type = v.Const.Type
		}
	}
	b.left -= p.known
	return true
}

// try plans one node and says whether that went well.
func (p *planner) try(n *Node) bool {
	var err error
	func() {
		defer recovered(n.Op, &err)
		err = p.node(n)
	}()
	return err == nil
}
