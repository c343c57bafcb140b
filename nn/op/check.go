package op

import (
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

// maxOperands bounds a node's inputs, and its outputs.
const maxOperands = 1 << 16

// Check returns an UnsupportedError that lists what in the graph and its bodies is not
// implemented, or nil. It adds to what the reader has found.
func Check(g *ir.Graph) error {
	m := &g.Missing
	version := g.Opsets[""]
	if _, ok := g.Opsets[""]; ok && (version < MinOpset || version > MaxOpset) {
		m.Add(opsetMissing(version))
	}
	for _, v := range g.Inputs {
		if v.Type == ir.Undefined && !v.Form.List() {
			m.Add("input " + text.Quote(v.Name) + ", which is no tensor")
		}
	}
	checkNodes(m, g.Nodes, version)
	return m.Err()
}

func opsetMissing(version int) string {
	return text.Join("opset ", version, " (", MinOpset, " to ", MaxOpset, " are implemented)")
}

func checkNodes(m *ir.Missing, nodes []*ir.Node, version int) {
	for _, n := range nodes {
		if m.Endless() {
			return
		}
		switch row := Find(n.Key()); {
		case row == nil:
			m.AddAs(n.Key(), n.Describe)
		case n.Domain == "" && n.Version != version && n.Version > MaxOpset: // of a function of the model's own
			m.Add(opsetMissing(n.Version))
		case n.Version < row.Since:
			m.Add(text.Join(n.Describe(), ", implemented from opset ", row.Since, " on"))
		default:
			if why := row.Missing(n); why != "" {
				m.Add(text.Join(ir.Plain(n.Op), " ", why, " (opset ", n.Version, ")"))
			}
		}
		for _, g := range n.Subgraphs() {
			checkNodes(m, g.Nodes, version)
		}
	}
}

// Complete checks that every node has the inputs that its operator cannot be without, so
// that the optimizer can rely on them, and that its attributes are right. A node that names
// fewer results than its operator always has gets the others without a name.
func Complete(nodes []*ir.Node) error {
	for _, n := range nodes {
		want, have := 0, 0
		row := Find(n.Key())
		if row != nil {
			want = row.Needs(n.Version)
		}
		for have < want && (n.In(have) != nil || row.In[have].Opt) {
			have++
		}
		if have < want {
			return ir.Load("graph: ", ir.Plain(n.Op), " ", text.Quote(n.Name), " has no input ", have, "; it needs ", want)
		}
		if len(n.Outputs) == 0 || len(n.Outputs) > maxOperands || len(n.Inputs) > maxOperands {
			return ir.Load("graph: ", ir.Plain(n.Op), " ", text.Quote(n.Name), " has ", len(n.Inputs), " inputs and ", len(n.Outputs), " outputs")
		}
		if row != nil {
			for i, v := range n.Inputs {
				if v != nil && row.in(i) == nil {
					return ir.Load("graph: ", ir.Plain(n.Op), " ", text.Quote(n.Name), " has an input ", i, "; the operator takes ", len(row.In))
				}
			}
			for i := len(n.Outputs); i < len(row.Out) && !row.Out[i].Opt && !row.Out[i].Many; i++ {
				n.Outputs = append(n.Outputs, nil)
			}
		}
		if row != nil && row.Verify != nil {
			if err := row.Verify(n); err != nil {
				return err
			}
		}
		for _, g := range n.Subgraphs() {
			if err := Complete(g.Nodes); err != nil {
				return err
			}
		}
	}
	return nil
}
