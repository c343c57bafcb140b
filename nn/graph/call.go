package graph

import (
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
)

// Call is one node being planned for concrete input shapes: what an operator's
// plan function sees. All its methods may be called only while planning.
type Call struct {
	Node *Node

	planner *planner
	places  []*place // of the inputs
	out     []*Spec
	alias   []int    // output i has the bytes of input alias[i]-1
	inPlace []uint32 // by output: the set of inputs whose memory it may take
	scratch int
	run     func(a *Args)
	err     error
}

// In is input i, nil when omitted.
func (c *Call) In(i int) *Spec {
	if i < len(c.places) && c.places[i] != nil {
		return &c.places[i].spec
	}
	return nil
}

// NumIn is the number of inputs, trailing omitted ones included.
func (c *Call) NumIn() int { return len(c.places) }

// NumOut is the number of outputs that the node names.
func (c *Call) NumOut() int { return len(c.Node.Outputs) }

// Out declares output i. Outputs that the node omits may be declared all the
// same; nothing is computed into them and Args.Out[i] is nil.
func (c *Call) Out(i int, t DType, dims ...int) {
	if !sane(dims, t.Size(), c.planner.session.maxBytes) && c.err == nil {
		c.err = c.Fail("output ", i, " would have dimensions ", dims, ", more than the session's limit of ",
			c.planner.session.maxBytes, " bytes")
	}
	c.declare(i, &Spec{Type: t, Dims: dims})
}

// OutHost declares output i with its value, which needs no step.
func (c *Call) OutHost(i int, t *Tensor) {
	c.declare(i, &Spec{Type: t.Type, Dims: t.Dims, Host: t})
}

func (c *Call) declare(i int, s *Spec) {
	if i < len(c.out) {
		c.out[i] = s
	}
}

// Alias lets output i be input j under other dimensions: no step, no memory.
func (c *Call) Alias(i, j int) {
	if c.alias == nil {
		c.alias = make([]int, len(c.out))
	}
	if i < len(c.alias) {
		c.alias[i] = j + 1
	}
}

// InPlace allows output i to overwrite input j, when j is not needed later and
// has the same number of bytes. The step must then work with Out[i] == In[j].
// Several inputs may be allowed for one output.
func (c *Call) InPlace(i, j int) {
	if c.inPlace == nil {
		c.inPlace = make([]uint32, len(c.out))
	}
	if i < len(c.inPlace) && j < 32 {
		c.inPlace[i] |= 1 << j
	}
}

// Scratch asks for bytes of temporary memory.
func (c *Call) Scratch(bytes int) {
	if (bytes < 0 || bytes > c.planner.session.maxBytes) && c.err == nil {
		c.err = c.Fail("the operator needs ", bytes, " bytes of scratch memory; the session's limit is ", c.planner.session.maxBytes)
	}
	c.scratch = max(c.scratch, bytes)
}

// Run gives the step. It is called once a run with the same Args each time and
// must not allocate.
func (c *Call) Run(step func(a *Args)) { c.run = step }

// Host returns input i's value, which the operator needs to tell its outputs'
// shapes (as Reshape needs its second input). When the value depends on the
// input data and is not computed yet it returns errNotYet, and the operator
// returns that error as it is: the planner calls it again once the value is
// there.
func (c *Call) Host(i int) (*Tensor, error) {
	s := c.In(i)
	if s == nil {
		return nil, c.Fail("input ", i, " is missing")
	}
	if s.Host == nil {
		c.planner.wait = c.Node.Inputs[i]
		return nil, errNotYet
	}
	return s.Host, nil
}

// Prepared returns what make gives, once a session for this node and key: the
// place for packed weights. make may use the values of known inputs; unless
// these are all constants of the model its result serves this plan only.
func (c *Call) Prepared(key string, make func() any) any {
	p := c.planner
	if p.dry {
		return make()
	}
	for i, pl := range c.places {
		if pl != nil && pl.spec.Host != nil && c.Node.Inputs[i].Const == nil {
			return make()
		}
	}
	s := p.session
	for _, kept := range s.prepared[c.Node] {
		if kept.key == key {
			return kept.value
		}
	}
	v := make()
	s.prepared[c.Node] = append(s.prepared[c.Node], prepared{key, v})
	s.packed += packedBytes(v)
	return v
}

// prepared is something that an operator keeps for a node.
type prepared struct {
	key   string
	value any
}

// packedBytes is the size of what Prepared keeps, for the types that say it.
func packedBytes(v any) int {
	switch v := v.(type) {
	case []float32:
		return 4 * len(v)
	case []byte:
		return len(v)
	case *Tensor:
		return len(v.Data)
	case interface{ Bytes() int }:
		return v.Bytes()
	}
	return 0
}

// Fail makes the error of a node whose operands do not fit: it puts the
// operator's and node's name before the parts.
func (c *Call) Fail(parts ...any) error {
	head := "graph: " + c.Node.Op
	if c.Node.Name != "" {
		head += " " + text.Quote(c.Node.Name)
	}
	return Shape(head, ": ", text.Join(parts...))
}

// operands finds the places of the node's inputs.
func (c *Call) operands() error {
	c.places = make([]*place, len(c.Node.Inputs))
	for i, v := range c.Node.Inputs {
		if v == nil {
			continue
		}
		pl, err := c.planner.at(v)
		if err != nil {
			return err
		}
		c.places[i] = pl
	}
	return nil
}

// known says whether all inputs' values are.
func (c *Call) known() bool {
	for _, pl := range c.places {
		if pl != nil && pl.spec.Host == nil {
			return false
		}
	}
	return true
}

// aliased returns the place whose bytes output i shares, nil for none.
func (c *Call) aliased(i int) *place {
	if c.alias == nil || c.alias[i] == 0 || c.alias[i] > len(c.places) {
		return nil
	}
	return c.places[c.alias[i]-1]
}

// view makes the place of output i, an alias.
func (c *Call) view(i int) (*place, error) {
	of, spec := c.aliased(i), c.out[i]
	if Elements(spec.Dims)*spec.Type.Size() != of.spec.Len()*of.spec.Type.Size() || (spec.Type == String) != (of.spec.Type == String) {
		return nil, c.Fail("dimensions ", of.spec.Dims, " do not fit ", spec.Dims)
	}
	t := &Tensor{Type: spec.Type, Dims: spec.Dims, Data: of.tensor.Data, Strings: of.tensor.Strings}
	if of.spec.Host != nil {
		return hosted(t), nil
	}
	pl := &place{spec: Spec{Type: spec.Type, Dims: spec.Dims}, tensor: t, buf: of.buf}
	c.planner.placed = append(c.planner.placed, pl)
	return pl, nil
}

// sane says whether a tensor of these dimensions has at most limit bytes. Zero
// dimensions do not excuse absurd ones beside them.
func sane(dims []int, size, limit int) bool {
	n := max(size, 1)
	for _, d := range dims {
		if d < 0 {
			return false
		}
		if d > 1 {
			if n > limit/d {
				return false
			}
			n *= d
		}
	}
	return n <= max(limit, 16)
}

func newTensor(t DType, dims []int) *Tensor {
	out := NewTensor(t, dims...)
	if t == String {
		out.Strings = make([]string, Elements(dims))
	}
	return out
}

func newScratch(n int) []byte {
	if n == 0 {
		return nil
	}
	return slab.New(n)
}
