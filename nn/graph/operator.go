package graph

// operator is what the engine knows of one ONNX operator.
type operator struct {
	// since is the first opset version that the plan function honours.
	since int
	// check, where set, is asked at load: it returns what of the node's
	// attributes or types is not implemented, as in `mode="cubic"`, or "".
	check func(n *Node) string
	// plan is called for each new set of input shapes. It declares the outputs
	// and gives the step that computes them.
	plan func(c *Call) error
}

// operators maps "Op" (ONNX domain) or "domain.Op" to its implementation. The
// op_*.go files fill it from their register functions.
var operators = map[string]operator{}

// key is the node's name in operators.
func (n *Node) key() string {
	if n.Domain == "" {
		return n.Op
	}
	return n.Domain + "." + n.Op
}

// Spec is what is known of a value while planning.
type Spec struct {
	Type DType
	Dims []int
	Host *Tensor // the value itself, when it does not depend on the input data
}

// Len is the number of elements.
func (s *Spec) Len() int { return Elements(s.Dims) }

// Args are a step's operands, bound to memory once after planning. In and Out
// have the node's arity; an omitted operand is nil. A step that meets data which
// it cannot work with panics with an error that says what and why; the run
// returns it with the node's name.
type Args struct {
	In, Out []*Tensor
	Scratch []byte // aligned, contents undefined at the start of each run
}
