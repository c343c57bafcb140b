// Package ir holds what all parts of the engine speak of: a network as a graph of
// ONNX operators, its values, nodes and attributes, tensors with their element
// types, and the errors of models.
package ir

import "github.com/normwasm/normwasm/internal/text"

// Graph is a network, or the body of a control-flow attribute. Nodes are in
// topological order.
type Graph struct {
	Name    string
	Opsets  map[string]int // version by domain; "" is the ONNX domain
	Inputs  []*Value       // what the caller feeds: initializers are not among them
	Outputs []*Value
	Nodes   []*Node
	Missing Missing // what the reader found that is not implemented
}

// Value is an edge: an input, an initializer or a node's output. Values are
// compared by pointer; the body of an If refers to outer values directly.
type Value struct {
	Name  string
	Form  Form    // of what a model declares that is no tensor
	Maps  bool    // declared as a sequence of maps: what ZipMap gives is a tensor all the same
	Type  DType   // of the elements; Undefined when the file does not say
	Dims  []Dim   // as declared
	Known bool    // Dims is declared (a scalar has Known and no Dims)
	Const *Tensor // the value itself, when it is known at load
	// Channels is set by the optimizer for a value in the blocked layout: how many channels it
	// has. Its dimensions are then [n, blocks, …, 8], with 8 channels of a pixel together.
	Channels int
}

// Form is what a value is made of.
type Form uint8

const (
	OneTensor        Form = iota
	Sequence              // a list of tensors of one type
	Optional              // a tensor, or nothing
	OptionalSequence      // a sequence, or nothing
)

// List says whether a value of this form may be something else than one tensor.
func (f Form) List() bool { return f != OneTensor }

func (f Form) String() string {
	return [...]string{"tensor", "sequence", "optional", "optional sequence"}[f]
}

// Lists says whether it may be a sequence.
func (f Form) Lists() bool { return f == Sequence || f == OptionalSequence }

// Dim is a declared dimension: a size, or -1 with a symbol's name (which may be
// empty).
type Dim struct {
	Size   int
	Symbol string
}

// Node is one operator call. An omitted optional input or output is nil.
type Node struct {
	Name    string
	Op      string
	Domain  string // "" is ONNX; Internal for what the optimizer makes
	Version int    // the domain's opset version in force
	Inputs  []*Value
	Outputs []*Value
	Attrs   map[string]*Attr
	Wide    bool // set by the optimizer: constants may give the result more elements than input 0 has
	// What the optimizer lets the node do to its result, one of these at most; no file says it.
	Clamp *Clamp
	Apply *Function
}

// Function is an elementwise operator that a node applies to its result.
type Function struct {
	Op   string  // HardSwish, HardSigmoid, LeakyRelu, Sigmoid, Tanh, Silu, Gelu, or GeluTanh
	A, B float32 // alpha and beta, of those that have them
	// Of HardSwish: what it gives is multiplied by Scale, unless that is 0, and then added to Shift.
	Scale, Shift float32
}

// Clamp bounds a result: y = min(max(y, Lo), Hi).
type Clamp struct{ Lo, Hi float32 }

// Internal is the domain of operators that only the optimizer creates.
const Internal = "normwasm"

// AttrKind tells which field of an Attr counts, numbered as ONNX's
// AttributeProto.AttributeType.
type AttrKind uint8

const (
	AttrFloat   AttrKind = 1
	AttrInt     AttrKind = 2
	AttrString  AttrKind = 3
	AttrTensor  AttrKind = 4
	AttrGraph   AttrKind = 5
	AttrFloats  AttrKind = 6
	AttrInts    AttrKind = 7
	AttrStrings AttrKind = 8
	AttrType    AttrKind = 13
)

// Attr is a node's attribute.
type Attr struct {
	Kind    AttrKind
	F       float32
	I       int64
	S       string
	T       *Tensor
	G       *Graph
	V       *Value // of a type: one without a name that has it
	Floats  []float32
	Ints    []int64
	Strings []string
}

// Int returns the integer attribute name, or def where it is absent.
func (n *Node) Int(name string, def int64) int64 {
	if a := n.Attrs[name]; a != nil && a.Kind == AttrInt {
		return a.I
	}
	return def
}

// Float returns the float attribute name, or def where it is absent.
func (n *Node) Float(name string, def float32) float32 {
	if a := n.Attrs[name]; a != nil && a.Kind == AttrFloat {
		return a.F
	}
	return def
}

// Str returns the string attribute name, or def where it is absent.
func (n *Node) Str(name, def string) string {
	if a := n.Attrs[name]; a != nil && a.Kind == AttrString {
		return a.S
	}
	return def
}

// Ints returns the integer list name and whether it is there.
func (n *Node) Ints(name string) ([]int64, bool) {
	if a := n.Attrs[name]; a != nil && a.Kind == AttrInts {
		return a.Ints, true
	}
	return nil, false
}

// Subgraphs returns the node's graph attributes, by the attributes' names.
func (n *Node) Subgraphs() []*Graph {
	var names []string
	for name, a := range n.Attrs {
		if a.G != nil {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	graphs := make([]*Graph, len(names))
	for i, k := range Ordered(len(names), func(a, b int) bool { return names[a] < names[b] }) {
		graphs[i] = n.Attrs[names[k]].G
	}
	return graphs
}

// In returns input i, nil when it is omitted or beyond the list.
func (n *Node) In(i int) *Value {
	if i < len(n.Inputs) {
		return n.Inputs[i]
	}
	return nil
}

// Out returns output i, nil when it is omitted or beyond the list.
func (n *Node) Out(i int) *Value {
	if i < len(n.Outputs) {
		return n.Outputs[i]
	}
	return nil
}

// Key names the node's operator: "Op" in the ONNX domain, else "domain.Op".
func (n *Node) Key() string {
	if n.Domain == "" {
		return n.Op
	}
	return n.Domain + "." + n.Op
}

// Describe names an operator as in "Conv (opset 11)".
func (n *Node) Describe() string {
	return text.Join(Plain(n.Key()), " (opset ", n.Version, ")")
}

// Plain is a name for a message: as it is when it is harmless, else quoted.
func Plain(name string) string {
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

// EachUse calls f for every value that the nodes and their bodies refer to.
func EachUse(nodes []*Node, f func(v *Value)) {
	for _, n := range nodes {
		for _, v := range n.Inputs {
			if v != nil {
				f(v)
			}
		}
		for _, g := range n.Subgraphs() {
			EachUse(g.Nodes, f)
			for _, v := range g.Outputs {
				f(v)
			}
		}
	}
}
