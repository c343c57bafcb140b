package opt

import "github.com/normwasm/normwasm/nn/ir"

// rewriter is a graph with the indexes that passes need, kept true while they
// rewrite: a pass costs one walk over the nodes, whatever it changes.
type rewriter struct {
	g        *ir.Graph
	producer map[*ir.Value]*ir.Node
	users    map[*ir.Value][]*ir.Node // one entry for each input slot
	pinned   map[*ir.Value]bool       // graph outputs, and what bodies of control flow refer to
	dead     map[*ir.Node]bool
	ranks    map[*ir.Value]int
	planes   map[*ir.Value]*plane // of values in the blocked layout
	lengths  map[*ir.Value]int    // of lists of dimensions
}

func newRewriter(g *ir.Graph) *rewriter {
	r := &rewriter{
		g:        g,
		producer: make(map[*ir.Value]*ir.Node),
		users:    make(map[*ir.Value][]*ir.Node),
		pinned:   make(map[*ir.Value]bool),
		dead:     make(map[*ir.Node]bool),
		ranks:    make(map[*ir.Value]int),
		lengths:  make(map[*ir.Value]int),
	}
	for _, v := range g.Outputs {
		r.pinned[v] = true
	}
	for _, n := range g.Nodes {
		for _, v := range n.Inputs {
			if v != nil {
				r.users[v] = append(r.users[v], n)
			}
		}
		for _, v := range n.Outputs {
			if v != nil {
				r.producer[v] = n
			}
		}
		for _, a := range n.Attrs {
			if a.Kind == ir.AttrGraph {
				r.pin(a.G)
			}
		}
	}
	for _, n := range g.Nodes {
		r.inferLength(n)
		r.inferRank(n)
	}
	return r
}

// pin marks all that a body refers to: a pass must not take it away.
func (r *rewriter) pin(g *ir.Graph) {
	for _, v := range g.Outputs {
		r.pinned[v] = true
	}
	for _, n := range g.Nodes {
		for _, v := range n.Inputs {
			if v != nil {
				r.pinned[v] = true
			}
		}
		for _, a := range n.Attrs {
			if a.Kind == ir.AttrGraph {
				r.pin(a.G)
			}
		}
	}
}

// each calls f for every live node in order; f may kill nodes and change its own.
func (r *rewriter) each(f func(n *ir.Node)) {
	for _, n := range r.g.Nodes {
		if !r.dead[n] {
			f(n)
		}
	}
}

// by is the node of the ONNX domain that makes v with one of ops, or nil.
func (r *rewriter) by(v *ir.Value, ops ...string) *ir.Node {
	n := r.producer[v]
	if n == nil || n.Domain != "" {
		return nil
	}
	for _, op := range ops {
		if n.Op == op {
			return n
		}
	}
	return nil
}

// private says that v is used in exactly `times` input slots and nowhere else,
// so that it may vanish together with those.
func (r *rewriter) private(v *ir.Value, times int) bool {
	return v != nil && !r.pinned[v] && len(r.users[v]) == times
}

// become turns n into another operator with other inputs. What it no longer
// uses dies at the next sweep, if nothing else uses it.
func (r *rewriter) become(n *ir.Node, domain, op string, version int, attrs map[string]*ir.Attr, inputs ...*ir.Value) {
	r.release(n)
	for len(inputs) > 0 && inputs[len(inputs)-1] == nil {
		inputs = inputs[:len(inputs)-1]
	}
	n.Domain, n.Op, n.Version, n.Attrs, n.Inputs = domain, op, version, attrs, inputs
	for _, v := range inputs {
		if v != nil {
			r.users[v] = append(r.users[v], n)
		}
	}
}

// release takes n off the users of its inputs.
func (r *rewriter) release(n *ir.Node) {
	for _, v := range n.Inputs {
		if v == nil {
			continue
		}
		users := r.users[v]
		if len(users) > 0 && users[0] == n { // passes go through long lists in order, and back
			r.users[v] = users[1:]
			continue
		}
		for i := len(users) - 1; i >= 0; i-- {
			if users[i] == n {
				users[i] = users[len(users)-1]
				r.users[v] = users[:len(users)-1]
				break
			}
		}
	}
}

// kill removes n, whose outputs nobody uses any more.
func (r *rewriter) kill(n *ir.Node) {
	if !r.dead[n] {
		r.dead[n] = true
		r.release(n)
	}
}

// forward lets every user of v use w instead and reports whether it could: a
// pinned v has to stay what it is.
func (r *rewriter) forward(v, w *ir.Value) bool {
	if r.pinned[v] {
		return false
	}
	for _, u := range r.users[v] {
		for i, in := range u.Inputs {
			if in == v {
				u.Inputs[i] = w
			}
		}
	}
	r.users[w] = append(r.users[w], r.users[v]...)
	delete(r.users, v)
	return true
}

// absorb gives the outputs of last to n, which takes last's place: n must come
// right before it in the data flow, its own output private.
func (r *rewriter) absorb(n, last *ir.Node) {
	for _, v := range last.Outputs {
		if v != nil {
			r.producer[v] = n
		}
	}
	n.Outputs = last.Outputs
	r.kill(last)
}

// sweep drops dead nodes and those whose outputs have no use.
func (r *rewriter) sweep() {
	for i := len(r.g.Nodes) - 1; i >= 0; i-- {
		n := r.g.Nodes[i]
		used := false
		for _, v := range n.Outputs {
			if v != nil && (r.pinned[v] || len(r.users[v]) > 0) {
				used = true
			}
		}
		if !used {
			r.kill(n)
		}
	}
	live := r.g.Nodes[:0]
	for _, n := range r.g.Nodes {
		if !r.dead[n] {
			live = append(live, n)
		}
	}
	clear(r.g.Nodes[len(live):])
	r.g.Nodes = live
	clear(r.dead)
}

// floats is v's value when it is a float32 constant.
func floats(v *ir.Value) ([]float32, bool) {
	if v == nil || v.Const == nil || v.Const.Type != ir.Float32 {
		return nil, false
	}
	return v.Const.Float32s(), true
}

// scalar is v's one element when it is a float32 constant with one element.
func scalar(v *ir.Value) (float32, bool) {
	f, ok := floats(v)
	if !ok || len(f) != 1 {
		return 0, false
	}
	return f[0], true
}

// scalarFor is scalar(v) where combining it with x gives x's shape: v must not
// have more dimensions than x.
func (r *rewriter) scalarFor(v, x *ir.Value) (float32, bool) {
	s, ok := scalar(v)
	if !ok || len(v.Const.Dims) > max(0, r.rank(x)) {
		return 0, false
	}
	return s, true
}

// operands splits a commutative node's inputs into a value and a constant that
// does not widen it.
func (r *rewriter) operands(n *ir.Node) (x *ir.Value, c float32, ok bool) {
	if n == nil || len(n.Inputs) != 2 {
		return nil, 0, false
	}
	for i := range 2 {
		if c, ok = r.scalarFor(n.Inputs[i], n.Inputs[1-i]); ok && n.Inputs[1-i].Const == nil {
			return n.Inputs[1-i], c, true
		}
	}
	return nil, 0, false
}

// constant makes a float32 constant.
func constant(name string, dims []int, data []float32) *ir.Value {
	t := ir.NewTensor(ir.Float32, dims...)
	copy(t.Float32s(), data)
	v := &ir.Value{Name: name, Type: ir.Float32, Known: true, Const: t}
	for _, d := range dims {
		v.Dims = append(v.Dims, ir.Dim{Size: d})
	}
	return v
}

func floatAttr(f float32) *ir.Attr { return &ir.Attr{Kind: ir.AttrFloat, F: f} }
func intAttr(i int64) *ir.Attr     { return &ir.Attr{Kind: ir.AttrInt, I: i} }
