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

// Spec is what is known of a value while planning.
type Spec struct {
	Type DType
	Dims []int
	Host *Tensor // the value itself, when it does not depend on the input data
}

// Len is the number of elements.
func (s *Spec) Len() int { return Elements(s.Dims) }

// Args are a step's operands, bound to memory once after planning. In and Out
// have the node's arity; an omitted operand is nil.
type Args struct {
	In, Out []*Tensor
	Scratch []byte // aligned, contents undefined at the start of each run
}

// Call is one node being planned for concrete input shapes: what an operator's
// plan function sees. All its methods may be called only while planning.
type Call struct {
	Node *Node

	planner *planner
	in      []*Spec
	out     []*Spec
	alias   []int // output i has the bytes of input alias[i]-1
	inPlace []int // output i may take the memory of input inPlace[i]-1
	scratch int
	run     func(a *Args)
}

// In is input i, nil when omitted.
func (c *Call) In(i int) *Spec {
	if i < len(c.in) {
		return c.in[i]
	}
	return nil
}

// NumIn is the number of inputs, trailing omitted ones included.
func (c *Call) NumIn() int { return len(c.in) }

// NumOut is the number of outputs that the node names.
func (c *Call) NumOut() int { return len(c.Node.Outputs) }

// Out declares output i. Outputs that the node omits may be declared all the
// same; nothing is computed into them and Args.Out[i] is nil.
func (c *Call) Out(i int, t DType, dims ...int) {
	c.out[i] = &Spec{Type: t, Dims: dims}
}

// OutHost declares output i with its value, which needs no step.
func (c *Call) OutHost(i int, t *Tensor) {
	c.out[i] = &Spec{Type: t.Type, Dims: t.Dims, Host: t}
}

// Alias lets output i be input j under other dimensions: no step, no memory.
func (c *Call) Alias(i, j int) { c.alias[i] = j + 1 }

// InPlace allows output i to overwrite input j, when j is not needed later and
// has the same number of bytes. The step must then work with Out[i] == In[j].
func (c *Call) InPlace(i, j int) { c.inPlace[i] = j + 1 }

// Scratch asks for bytes of temporary memory.
func (c *Call) Scratch(bytes int) { c.scratch = max(c.scratch, bytes) }

// Run gives the step. It is called once a run with the same Args each time and
// must not allocate.
func (c *Call) Run(step func(a *Args)) { c.run = step }
