package op

import (
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

// Control flow: the planner itself runs it, because bodies are planned like graphs. What runs
// a body many times is in loops.go.

func init() { Register(controlRows) }

var controlRows = []Row{{
	Name: "If", Since: 1, Changes: []int{11, 13, 16, 19, 21, 23, 24, 25},
	In:      []In{{Name: "cond", Types: boolOnly}},
	Out:     []Out{{Name: "outputs", Many: true}},
	Attrs:   []Attr{{Name: "then_branch", Kind: ir.AttrGraph}, {Name: "else_branch", Kind: ir.AttrGraph}},
	Check:   checkIf,
	Planned: true,
}}

// checkIf returns what is wrong with an If's branches, or "".
func checkIf(n *ir.Node) string {
	for _, name := range []string{"then_branch", "else_branch"} {
		a := n.Attrs[name]
		switch {
		case a == nil || a.G == nil:
			return "without " + name
		case len(a.G.Inputs) > 0:
			return "with inputs of its " + name
		case len(a.G.Outputs) < len(n.Outputs):
			return text.Join("with ", len(n.Outputs), " outputs, of which its ", name, " gives ", len(a.G.Outputs))
		}
	}
	return ""
}
