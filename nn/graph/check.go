package graph

import (
	"strings"

	"github.com/normwasm/normwasm/internal/text"
)

// The ONNX opset versions that are implemented.
const (
	minOpset = 7
	maxOpset = 23
)

// maxOperands bounds a node's inputs, and its outputs.
const maxOperands = 1 << 16

// check returns an UnsupportedError that lists everything in the graph and its
// subgraphs that is not implemented, or nil.
func check(g *Graph) error {
	l := &lister{seen: map[string]bool{}}
	for _, m := range g.Missing {
		l.add(m)
	}
	if v, ok := g.Opsets[""]; ok && (v < minOpset || v > maxOpset) {
		l.add(text.Join("opset ", v, " (", minOpset, " to ", maxOpset, " are implemented)"))
	}
	for _, v := range g.Inputs {
		if v.Type == Undefined {
			l.add("input " + text.Quote(v.Name) + ", which is no tensor")
		}
	}
	l.version = g.Opsets[""]
	l.nodes(g.Nodes)
	return l.error()
}

// A model can lack as many things as it has nodes: a message names the first of them. Those
// beyond are told apart only as long as there are few, so that a list costs no more than the file.
const (
	maxMissing = 32
	maxKinds   = 4096
	maxLength  = 240 // of one of them: a file may give anything a long name
)

// lister collects what is missing, each thing once.
type lister struct {
	list    []string
	seen    map[string]bool // what is in list, and the keys of up to maxKinds more
	more    int             // in seen, but not in list
	endless bool            // there are more than seen has
	version int             // of the ONNX opset that the model imports
}

func (l *lister) add(m string) {
	if len(m) > maxLength {
		m = strings.ToValidUTF8(m[:maxLength], "") + "…"
	}
	switch {
	case l.seen[m]:
	case len(l.seen) == maxKinds:
		l.endless = true
	case len(l.list) < maxMissing:
		l.seen[m] = true
		l.list = append(l.list, m)
	default:
		l.seen[m] = true
		l.more++
	}
}

// error is the UnsupportedError of what was collected, nil for nothing.
func (l *lister) error() error {
	if len(l.list) == 0 {
		return nil
	}
	switch {
	case l.endless:
		l.list = append(l.list, text.Join("and more than ", l.more, " more"))
	case l.more > 0:
		l.list = append(l.list, text.Join("and ", l.more, " more"))
	}
	return &UnsupportedError{Missing: l.list}
}

func (l *lister) nodes(nodes []*Node) {
	for _, n := range nodes {
		if l.endless {
			return
		}
		if n.Op == "If" && n.Domain == "" {
			if why := checkIf(n); why != "" {
				l.add("If " + why)
			}
		} else if op, ok := operators[n.key()]; !ok {
			l.add(n.describe())
		} else if n.Domain == "" && n.Version != l.version && n.Version > maxOpset { // of a function of the model's own
			l.add(text.Join("opset ", n.Version, " (", minOpset, " to ", maxOpset, " are implemented)"))
		} else if n.Version < op.since {
			l.add(text.Join(n.describe(), ", implemented from opset ", op.since, " on"))
		} else if op.check != nil {
			if why := op.check(n); why != "" {
				l.add(text.Join(plain(n.Op), " ", why, " (opset ", n.Version, ")"))
			}
		}
		for _, g := range n.Subgraphs() {
			l.nodes(g.Nodes)
		}
	}
}

// describe names an operator as in "Conv (opset 11)".
func (n *Node) describe() string {
	return text.Join(plain(n.key()), " (opset ", n.Version, ")")
}

// checkIf returns what is wrong with an If's branches, or "".
func checkIf(n *Node) string {
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

// plain is a name for a message: as it is when it is harmless, else quoted.
func plain(name string) string {
	if len(name) > 80 {
		return text.Quote(name)
	}
	for i := 0; i < len(name); i++ {
		if name[i] <= ' ' || name[i] > '~' {
			return text.Quote(name)
		}
	}
	return name
}

// needs is how many inputs an ONNX operator cannot be without; others need one.
var needs = map[string]int{}

func init() {
	for n, ops := range [...]string{
		2: `Add Sub Mul Div Mod Pow Equal Less Greater LessOrEqual GreaterOrEqual And Or Xor BitShift BitwiseAnd BitwiseOr
			BitwiseXor MatMul Gemm Conv ConvTranspose Gather GatherElements GatherND Expand Tile PRelu Compress CastLike
			CumSum LayerNormalization RMSNormalization Reshape`,
		3: "Where OneHot Range ScatterElements ScatterND Scatter InstanceNormalization GroupNormalization",
		5: "BatchNormalization",
	} {
		for _, op := range strings.Fields(ops) {
			needs[op] = n
		}
	}
}

// complete checks that every node has the inputs that its operator cannot be
// without, so that the optimizer can rely on them.
func complete(nodes []*Node) error {
	for _, n := range nodes {
		want := max(needs[n.Op], 1)
		if n.Domain != "" || n.Op == "Constant" {
			want = 0
		}
		have := 0
		for have < want && n.In(have) != nil {
			have++
		}
		if have < want {
			return Load("graph: ", plain(n.Op), " ", text.Quote(n.Name), " has no input ", have, "; it needs ", want)
		}
		if len(n.Outputs) == 0 || len(n.Outputs) > maxOperands || len(n.Inputs) > maxOperands {
			return Load("graph: ", plain(n.Op), " ", text.Quote(n.Name), " has ", len(n.Inputs), " inputs and ", len(n.Outputs), " outputs")
		}
		for _, g := range n.Subgraphs() {
			if err := complete(g.Nodes); err != nil {
				return err
			}
		}
	}
	return nil
}
