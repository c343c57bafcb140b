package onnx

import (
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/graph"
)

// scope is a graph being read: its names, and those of the graphs around it.
type scope struct {
	outer    *scope
	values   map[string]*graph.Value
	captured map[*graph.Value]bool // values of outer scopes that this one uses
}

// find looks a name up, here and then outwards.
func (s *scope) find(name string) *graph.Value {
	for at := s; at != nil; at = at.outer {
		if v := at.values[name]; v != nil {
			for in := s; in != at; in = in.outer {
				in.captured[v] = true
			}
			return v
		}
	}
	return nil
}

// define enters a value under its name, which must be new to the scope.
func (s *scope) define(v *graph.Value) error {
	if s.values[v.Name] != nil {
		return graph.Load("onnx: value ", text.Quote(v.Name), " is defined twice")
	}
	s.values[v.Name] = v
	return nil
}

// node is a node whose inputs and attributes are still to be resolved.
type node struct {
	*graph.Node
	inputs []string
	attrs  [][]byte
	deps   []*graph.Value // what its subgraphs take from around them
}

// graph reads a GraphProto; outer is the scope around a subgraph, nil for the
// model's own graph.
func (r *reader) graph(b []byte, outer *scope) (*graph.Graph, error) {
	if r.depth++; r.depth > maxDepth {
		return nil, graph.Load("onnx: graphs are nested more than ", maxDepth, " deep")
	}
	defer func() { r.depth-- }()
	g := &graph.Graph{}
	s := &scope{outer: outer, values: map[string]*graph.Value{}, captured: map[*graph.Value]bool{}}
	var nodes []*node
	var inputs, outputs []*graph.Value
	m := open(b, "graph")
	for m.next() {
		switch m.num {
		case 1:
			if m.want(kindBytes) {
				var n *node
				if n, m.err = r.node(m.data); m.err == nil {
					nodes = append(nodes, n)
				}
			}
		case 2:
			g.Name = m.str()
		case 5:
			if m.want(kindBytes) {
				m.err = r.initializer(m.data, s)
			}
		case 11, 12:
			if m.want(kindBytes) {
				var v *graph.Value
				if v, m.err = r.valueInfo(m.data); m.err == nil && m.num == 11 {
					inputs = append(inputs, v)
				} else {
					outputs = append(outputs, v)
				}
			}
			// 13, value_info, is what an exporter believed about the values between.
			// Planning finds it out, so a file that is wrong there cannot mislead.
		case 15:
			r.missing("sparse initializers")
		}
	}
	if m.err != nil {
		return nil, m.err
	}
	seen := map[string]bool{}
	for _, v := range inputs {
		if seen[v.Name] {
			return nil, graph.Load("onnx: input ", text.Quote(v.Name), " is declared twice")
		}
		seen[v.Name] = true
		if init := s.values[v.Name]; init != nil {
			continue // before IR version 4 initializers had to be inputs too
		}
		s.values[v.Name] = v
		g.Inputs = append(g.Inputs, v)
	}
	if err := r.nodes(g, s, nodes); err != nil {
		return nil, err
	}
	for _, o := range outputs {
		v := s.find(o.Name)
		if v == nil {
			return nil, graph.Load("onnx: output ", text.Quote(o.Name), " is computed by no node")
		}
		if outer == nil && v.Const == nil && !v.Known {
			v.Dims, v.Known = o.Dims, o.Known
		}
		if v.Type == graph.Undefined {
			v.Type = o.Type
		}
		g.Outputs = append(g.Outputs, v)
	}
	if outer == nil && len(g.Outputs) == 0 {
		return nil, graph.Load("onnx: the graph has no outputs")
	}
	return g, nil
}

// initializer reads a constant of a graph.
func (r *reader) initializer(b []byte, s *scope) error {
	t, name, err := r.tensor(b)
	if err != nil {
		return err
	}
	if name == "" {
		return graph.Load("onnx: an initializer has no name")
	}
	return s.define(&graph.Value{Name: name, Type: t.Type, Const: t})
}

// node reads a NodeProto, all but its attributes.
func (r *reader) node(b []byte) (*node, error) {
	if err := r.item(); err != nil {
		return nil, err
	}
	n := &node{Node: &graph.Node{}}
	m := open(b, "node")
	for m.next() {
		switch m.num {
		case 1:
			n.inputs = append(n.inputs, m.str())
		case 2:
			if err := r.item(); err != nil {
				return nil, err
			}
			var v *graph.Value
			if name := m.str(); name != "" {
				v = &graph.Value{Name: name}
			}
			n.Outputs = append(n.Outputs, v)
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
		}
	}
	switch {
	case m.err != nil:
		return nil, m.err
	case n.Op == "":
		return nil, graph.Load("onnx: node ", text.Quote(n.Name), " has no operator")
	case len(n.Outputs) == 0:
		return nil, graph.Load("onnx: ", text.Quote(n.Op), " node ", text.Quote(n.Name), " has no outputs")
	}
	if n.Version = r.opsets[n.Domain]; n.Version == 0 && n.Domain == "" {
		return nil, graph.Load("onnx: the model imports no opset for its ", text.Quote(n.Op), " nodes")
	}
	if n.Domain == graph.Internal { // operators that only the optimizer may make
		r.missing("domain " + text.Quote(n.Domain))
	}
	return n, nil
}

// nodes resolves what the nodes refer to and puts them into g in topological
// order. Constant nodes become their outputs' values.
func (r *reader) nodes(g *graph.Graph, s *scope, nodes []*node) error {
	for _, n := range nodes {
		for _, v := range n.Outputs {
			if v != nil {
				if err := s.define(v); err != nil {
					return err
				}
			}
		}
	}
	kept := nodes[:0]
	for _, n := range nodes {
		for _, b := range n.attrs {
			inner := &scope{outer: s, captured: map[*graph.Value]bool{}}
			name, a, err := r.attribute(b, inner)
			if err != nil {
				return err
			}
			for v := range inner.captured {
				n.deps = append(n.deps, v)
			}
			if n.Attrs == nil {
				n.Attrs = make(map[string]*graph.Attr, len(n.attrs))
			}
			if n.Attrs[name] != nil {
				return graph.Load("onnx: ", text.Quote(n.Op), " node ", text.Quote(n.Name), " has the attribute ", text.Quote(name), " twice")
			}
			if a != nil {
				n.Attrs[name] = a
			}
		}
		n.attrs = nil
		for _, name := range n.inputs {
			var v *graph.Value
			if name != "" {
				if v = s.find(name); v == nil {
					return graph.Load("onnx: ", text.Quote(n.Op), " node ", text.Quote(n.Name), " uses ", text.Quote(name), ", which nothing defines")
				}
			}
			n.Inputs = append(n.Inputs, v)
		}
		n.inputs = nil
		if n.Op != "Constant" || n.Domain != "" {
			kept = append(kept, n)
			continue
		}
		t, err := r.constant(n.Node)
		if err != nil {
			return err
		}
		if v := n.Outputs[0]; v != nil && t != nil {
			v.Const, v.Type = t, t.Type
		}
	}
	sorted, err := ordered(kept)
	for _, n := range sorted {
		g.Nodes = append(g.Nodes, n.Node)
	}
	return err
}

// ordered returns the nodes in an order in which each comes after what it uses; the
// given one, when it is such.
func ordered(nodes []*node) ([]*node, error) {
	maker := map[*graph.Value]int{}
	for i, n := range nodes {
		for _, v := range n.Outputs {
			if v != nil {
				maker[v] = i
			}
		}
	}
	waits := make([]int, len(nodes)) // how many uses of node i are not yet made
	users := make([][]int, len(nodes))
	inOrder := true
	for i, n := range nodes {
		for _, list := range [...][]*graph.Value{n.Inputs, n.deps} {
			for _, v := range list {
				if j, ok := maker[v]; ok {
					inOrder = inOrder && j < i
					waits[i]++
					users[j] = append(users[j], i)
				}
			}
		}
	}
	if inOrder {
		return nodes, nil
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
				return nil, graph.Load("onnx: node ", text.Quote(nodes[i].Name), " (", text.Quote(nodes[i].Op), ") depends on itself")
			}
		}
	}
	return out, nil
}
