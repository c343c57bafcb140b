package onnx

import (
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

// scope is a graph being read: its names, and those of the graphs around it.
type scope struct {
	outer    *scope
	values   map[string]*ir.Value
	captured map[*ir.Value]bool // values of outer scopes that this one uses

	// Of a call of a function: the inputs that it leaves out, and its attributes.
	omitted map[string]bool
	attrs   map[string]*ir.Attr
}

// lacks says that a name is an input that the call of a function leaves out.
func (s *scope) lacks(name string) bool {
	for ; s != nil; s = s.outer {
		if s.omitted[name] {
			return true
		}
	}
	return false
}

// find looks a name up, here and then outwards.
func (s *scope) find(name string) *ir.Value {
	for at := s; at != nil; at = at.outer {
		if v := at.values[name]; v != nil {
			for in := s; in != at; in = in.outer {
				if in.captured == nil {
					in.captured = map[*ir.Value]bool{}
				}
				in.captured[v] = true
			}
			return v
		}
	}
	return nil
}

// define enters a value under its name, which must be new to the scope.
func (s *scope) define(v *ir.Value) error {
	if s.values[v.Name] != nil {
		return ir.Load("onnx: value ", text.Quote(v.Name), " is defined twice")
	}
	s.values[v.Name] = v
	return nil
}

// node is a node whose inputs and attributes are still to be resolved.
type node struct {
	*ir.Node
	inputs []string
	attrs  [][]byte
	deps   []*ir.Value // what its subgraphs take from around them

	overload string // which of the functions of this name
}

// graphProto is what a GraphProto has to be resolved when all of it is read.
type graphProto struct {
	nodes           []*node
	inputs, outputs []*ir.Value
}

// graph reads a GraphProto; outer is the scope around a subgraph, nil for the
// model's own graph.
func (r *reader) graph(b []byte, outer *scope) (*ir.Graph, error) {
	if r.depth++; r.depth > maxDepth {
		return nil, ir.Load("onnx: graphs are nested more than ", maxDepth, " deep")
	}
	defer func() { r.depth-- }()
	g := &ir.Graph{}
	s := &scope{outer: outer, values: map[string]*ir.Value{}}
	var p graphProto
	if err := r.graphFields(b, g, s, &p); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, v := range p.inputs {
		if seen[v.Name] {
			return nil, ir.Load("onnx: input ", text.Quote(v.Name), " is declared twice")
		}
		seen[v.Name] = true
		if init := s.values[v.Name]; init != nil {
			continue // before IR version 4 initializers had to be inputs too
		}
		s.values[v.Name] = v
		g.Inputs = append(g.Inputs, v)
	}
	if err := r.nodes(g, s, p.nodes); err != nil {
		return nil, err
	}
	for _, o := range p.outputs {
		v := s.find(o.Name)
		if v == nil {
			return nil, ir.Load("onnx: output ", text.Quote(o.Name), " is computed by no node")
		}
		if s.values[o.Name] == v && v.Const == nil { // of a body it may be a value of what is around it
			if !v.Known {
				v.Dims, v.Known = o.Dims, o.Known
			}
			if v.Form == ir.OneTensor {
				v.Form = o.Form
			}
		}
		if v.Type == ir.Undefined {
			v.Type = o.Type
		}
		g.Outputs = append(g.Outputs, v)
	}
	if outer == nil && len(g.Outputs) == 0 {
		return nil, ir.Load("onnx: the graph has no outputs")
	}
	return g, nil
}

// graphFields reads the fields of a GraphProto: initializers into s, what remains to be resolved into p.
func (r *reader) graphFields(b []byte, g *ir.Graph, s *scope, p *graphProto) error {
	m := open(b, "graph")
	for m.next() {
		switch m.num {
		case 1:
			if m.want(kindBytes) {
				m.err = r.node(m.data, p)
			}
		case 2:
			g.Name = m.str()
		case 5:
			if m.want(kindBytes) {
				m.err = r.initializer(m.data, s)
			}
		case 11, 12:
			if m.want(kindBytes) {
				m.err = r.ends(m, p)
			}
			// 13, value_info, is what an exporter believed about the values between.
			// Planning finds it out, so a file that is wrong there cannot mislead.
		case 15:
			if m.want(kindBytes) {
				m.err = r.sparse(m.data, s)
			}
		}
	}
	return m.err
}

// ends reads an input or an output of a graph.
func (r *reader) ends(m *message, p *graphProto) error {
	v, err := r.valueInfo(m.data)
	if err == nil && m.num == 11 {
		p.inputs = append(p.inputs, v)
	} else {
		p.outputs = append(p.outputs, v)
	}
	return err
}

// initializer reads a constant of a graph.
func (r *reader) initializer(b []byte, s *scope) error {
	t, name, err := r.tensor(b)
	if err != nil {
		return err
	}
	if name == "" {
		return ir.Load("onnx: an initializer has no name")
	}
	return s.define(&ir.Value{Name: name, Type: t.Type, Const: t})
}

// node reads a NodeProto, all but its attributes, and adds it to p.
func (r *reader) node(b []byte, p *graphProto) error {
	if err := r.item(); err != nil {
		return err
	}
	n := &node{Node: &ir.Node{}}
	if err := r.nodeFields(b, n); err != nil {
		return err
	}
	switch {
	case n.Op == "":
		return ir.Load("onnx: node ", text.Quote(n.Name), " has no operator")
	case len(n.Outputs) == 0:
		return ir.Load("onnx: ", text.Quote(n.Op), " node ", text.Quote(n.Name), " has no outputs")
	}
	if n.Version = r.opsets[n.Domain]; n.Version == 0 && n.Domain == "" {
		return ir.Load("onnx: the model imports no opset for its ", text.Quote(n.Op), " nodes")
	}
	if n.Domain == ir.Internal { // operators that only the optimizer may make
		r.missing("domain " + text.Quote(n.Domain))
	}
	p.nodes = append(p.nodes, n)
	return nil
}

// nodeFields reads the fields of a NodeProto.
func (r *reader) nodeFields(b []byte, n *node) error {
	m := open(b, "node")
	for m.next() {
		switch m.num {
		case 1:
			n.inputs = append(n.inputs, m.str())
		case 2:
			m.err = r.output(m, n)
		case 3:
			n.Name = m.str()
		case 4:
			n.Op = m.str()
		case 5:
			if m.want(kindBytes) {
				n.attrs = append(n.attrs, m.data)
			}
		case 7:
			n.Domain = domainName(m.str())
		case 8:
			n.overload = m.str()
		}
	}
	return m.err
}

// output reads the name of a node's output, which is empty where there is none.
func (r *reader) output(m *message, n *node) error {
	if err := r.item(); err != nil {
		return err
	}
	var v *ir.Value
	if name := m.str(); name != "" {
		v = &ir.Value{Name: name}
	}
	n.Outputs = append(n.Outputs, v)
	return m.err
}

// nodes resolves what the nodes refer to and puts them into g in topological
// order. Constant nodes become their outputs' values.
func (r *reader) nodes(g *ir.Graph, s *scope, nodes []*node) error {
	for _, n := range nodes {
		for _, v := range n.Outputs {
			if v != nil {
				if err := s.define(v); err != nil {
					return err
				}
			}
		}
	}
	kept, err := r.resolved(nodes, s)
	if err != nil {
		return err
	}
	kept, err = ordered(kept)
	for _, n := range kept {
		g.Nodes = append(g.Nodes, n.Node)
	}
	return err
}

// resolved resolves what nodes refer to, whose outputs are in s already. Constant nodes
// become their outputs' values, calls of functions what these consist of.
func (r *reader) resolved(nodes []*node, s *scope) (kept []*node, err error) {
	kept = make([]*node, 0, len(nodes))
	for _, n := range nodes {
		if err := r.resolve(n, s); err != nil {
			return nil, err
		}
		if f := r.called(n); f != nil {
			inner, err := r.expand(n, f)
			if err != nil {
				return nil, err
			}
			kept = append(kept, inner...)
			continue
		}
		if n.Op != "Constant" || n.Domain != "" {
			kept = append(kept, n)
			continue
		}
		t, err := r.constant(n.Node)
		if err != nil {
			return nil, err
		}
		if v := n.Outputs[0]; v != nil && t != nil {
			v.Const, v.Type = t, t.Type
		}
	}
	return kept, nil
}

// resolve reads a node's attributes and finds its inputs.
func (r *reader) resolve(n *node, s *scope) error {
	for _, b := range n.attrs {
		if err := r.attach(n, b, s); err != nil {
			return err
		}
	}
	n.attrs = nil
	if len(n.inputs) > 0 {
		n.Inputs = make([]*ir.Value, len(n.inputs))
	}
	for i, name := range n.inputs {
		if name == "" || s.lacks(name) {
			continue
		}
		if n.Inputs[i] = s.find(name); n.Inputs[i] == nil {
			return ir.Load("onnx: ", text.Quote(n.Op), " node ", text.Quote(n.Name), " uses ", text.Quote(name), ", which nothing defines")
		}
	}
	n.inputs = nil
	return nil
}

// attach reads an attribute and gives it to its node.
func (r *reader) attach(n *node, b []byte, s *scope) error {
	inner := &scope{outer: s}
	name, a, err := r.attribute(b, inner)
	if err != nil {
		return err
	}
	for v := range inner.captured {
		n.deps = append(n.deps, v)
	}
	if n.Attrs == nil {
		n.Attrs = make(map[string]*ir.Attr, len(n.attrs))
	}
	if n.Attrs[name] != nil {
		return ir.Load("onnx: ", text.Quote(n.Op), " node ", text.Quote(n.Name), " has the attribute ", text.Quote(name), " twice")
	}
	if a != nil {
		n.Attrs[name] = a
	}
	return nil
}

// ordered returns the nodes in an order in which each comes after what it uses; the
// given one, when it is such.
func ordered(nodes []*node) ([]*node, error) {
	maker := map[*ir.Value]int{}
	for i, n := range nodes {
		for _, v := range n.Outputs {
			if v != nil {
				maker[v] = i
			}
		}
	}
	for i, n := range nodes {
		if !n.follows(i, maker) {
			return sorted(nodes, maker)
		}
	}
	return nodes, nil
}

// follows tells whether the node, number i, uses only what is made before it.
func (n *node) follows(i int, maker map[*ir.Value]int) bool {
	for _, list := range [...][]*ir.Value{n.Inputs, n.deps} {
		for _, v := range list {
			if j, ok := maker[v]; ok && j >= i {
				return false
			}
		}
	}
	return true
}

// sorted returns the nodes in topological order.
func sorted(nodes []*node, maker map[*ir.Value]int) ([]*node, error) {
	waits := make([]int, len(nodes)) // how many uses of node i are not yet made
	users := make([][]int, len(nodes))
	for i, n := range nodes {
		for _, list := range [...][]*ir.Value{n.Inputs, n.deps} {
			for _, v := range list {
				if j, ok := maker[v]; ok {
					waits[i]++
					users[j] = append(users[j], i)
				}
			}
		}
	}
	var ready []int
	for i, w := range waits {
		if w == 0 {
			ready = append(ready, i)
		}
	}
	var out []*node
	for len(ready) > 0 {
		i := ready[0]
		ready = ready[1:]
		out = append(out, nodes[i])
		for _, u := range users[i] {
			if waits[u]--; waits[u] == 0 {
				ready = append(ready, u)
			}
		}
	}
	if len(out) < len(nodes) {
		for i, w := range waits {
			if w > 0 {
				return nil, ir.Load("onnx: node ", text.Quote(nodes[i].Name), " (", text.Quote(nodes[i].Op), ") depends on itself")
			}
		}
	}
	return out, nil
}
