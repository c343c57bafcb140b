package onnx

import (
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

// function is a FunctionProto: an operator that the model defines by a graph of other
// operators. A node that calls it is replaced by its nodes; one that nobody calls does
// not matter.
type function struct {
	name            string // as calls name it: domain, name and overload
	body            []byte
	inputs, outputs []string
	nodes           [][]byte
	defaults        [][]byte // AttributeProtos
	opsets          map[string]int
}

// functionName is how functions are found: by domain, name and overload.
func functionName(domain, name, overload string) string {
	if overload != "" {
		name += ":" + overload
	}
	return domain + "." + name
}

// header reads what tells a function from others; the rest is read when it is called.
func (r *reader) header(b []byte) error {
	if err := r.item(); err != nil {
		return err
	}
	var domain, name, overload string
	m := open(b, "function")
	for m.next() {
		switch m.num {
		case 1:
			name = m.str()
		case 10:
			domain = domainName(m.str())
		case 13:
			overload = m.str()
		}
	}
	if m.err != nil {
		return m.err
	}
	f := &function{name: functionName(domain, name, overload), body: b}
	if r.functions[f.name] != nil {
		return ir.Load("onnx: function ", text.Quote(f.name), " is defined twice")
	}
	if r.functions == nil {
		r.functions = map[string]*function{}
	}
	r.functions[f.name] = f
	return nil
}

// read reads a function when it is called for the first time.
func (f *function) read(r *reader) error {
	if f.opsets != nil {
		return nil
	}
	own := r.opsets
	f.opsets, r.opsets = map[string]int{}, map[string]int{}
	defer func() { r.opsets = own }()
	m := open(f.body, "function")
	for m.next() {
		switch m.num {
		case 4:
			f.inputs = append(f.inputs, m.str())
		case 5:
			f.outputs = append(f.outputs, m.str())
		case 7:
			m.want(kindBytes)
			f.nodes = append(f.nodes, m.data)
		case 9:
			if m.want(kindBytes) {
				m.err = r.opset(m.data)
			}
		case 11:
			m.want(kindBytes)
			f.defaults = append(f.defaults, m.data)
		}
	}
	for domain, version := range own {
		f.opsets[domain] = version
	}
	for domain, version := range r.opsets {
		f.opsets[domain] = version
	}
	return m.err
}

// called returns the function that a node calls, nil where it calls an operator.
func (r *reader) called(n *node) *function {
	if len(r.functions) == 0 {
		return nil
	}
	return r.functions[functionName(n.Domain, n.Op, n.overload)]
}

// expand returns the nodes of a function in place of n, a call of it whose inputs and
// attributes are resolved.
func (r *reader) expand(n *node, f *function) ([]*node, error) {
	if r.calls++; r.calls > maxDepth {
		return nil, ir.Load("onnx: function ", text.Quote(f.name), " is called more than ", maxDepth, " deep")
	}
	if r.budget -= len(f.body); r.budget < 0 {
		return nil, ir.Load("onnx: the calls of function ", text.Quote(f.name), " make far more of the model than the file has")
	}
	own := r.opsets
	defer func() { r.calls, r.opsets = r.calls-1, own }()
	if err := f.read(r); err != nil {
		return nil, err
	}
	r.opsets = f.opsets
	if len(n.Inputs) > len(f.inputs) || len(n.Outputs) > len(f.outputs) {
		return nil, ir.Load("onnx: node ", text.Quote(n.Name), " calls function ", text.Quote(f.name), " with ", len(n.Inputs), " inputs and ",
			len(n.Outputs), " outputs; it has ", len(f.inputs), " and ", len(f.outputs))
	}
	s, err := r.arguments(n, f)
	if err != nil {
		return nil, err
	}
	nodes, err := r.body(n, f, s)
	if err != nil {
		return nil, err
	}
	return r.resolved(nodes, s)
}

// arguments is the scope of a call: the function's inputs, and its attributes.
func (r *reader) arguments(n *node, f *function) (*scope, error) {
	s := &scope{values: map[string]*ir.Value{}, omitted: map[string]bool{}, attrs: map[string]*ir.Attr{}}
	for _, b := range f.defaults {
		name, a, err := r.attribute(b, s)
		if err != nil {
			return nil, err
		}
		s.attrs[name] = a
	}
	for name, a := range n.Attrs {
		s.attrs[name] = a
	}
	for i, name := range f.inputs {
		if s.values[name] != nil || s.omitted[name] {
			return nil, ir.Load("onnx: function ", text.Quote(f.name), " has the input ", text.Quote(name), " twice")
		}
		if i < len(n.Inputs) && n.Inputs[i] != nil {
			s.values[name] = n.Inputs[i]
		} else {
			s.omitted[name] = true
		}
	}
	return s, nil
}

// body reads a function's nodes and gives their results to the outputs of the call.
func (r *reader) body(n *node, f *function, s *scope) ([]*node, error) {
	results := map[string]*ir.Value{} // by the function's names, until something makes them
	var p graphProto
	for i, name := range f.outputs {
		if results[name] != nil {
			return nil, ir.Load("onnx: function ", text.Quote(f.name), " has the output ", text.Quote(name), " twice")
		}
		if i >= len(n.Outputs) || n.Outputs[i] == nil {
			continue
		}
		if in := s.values[name]; in != nil { // an input, as it is
			if err := r.item(); err != nil {
				return nil, err
			}
			p.nodes = append(p.nodes, &node{Node: &ir.Node{Name: n.Name, Op: "Identity", Version: max(f.opsets[""], 13),
				Outputs: []*ir.Value{n.Outputs[i]}}, inputs: []string{name}})
			continue
		}
		results[name] = n.Outputs[i]
	}
	forwarded := len(p.nodes)
	for _, b := range f.nodes {
		if err := r.node(b, &p); err != nil {
			return nil, err
		}
	}
	for _, inner := range p.nodes[forwarded:] {
		for i, v := range inner.Outputs {
			if v == nil {
				continue
			}
			name := v.Name
			if s.values[name] != nil || s.omitted[name] {
				return nil, ir.Load("onnx: value ", text.Quote(name), " of function ", text.Quote(f.name), " is defined twice")
			}
			if out := results[name]; out != nil {
				v, inner.Outputs[i] = out, out
				delete(results, name)
			}
			s.values[name] = v
		}
	}
	for name := range results {
		return nil, ir.Load("onnx: output ", text.Quote(name), " of function ", text.Quote(f.name), " is computed by no node")
	}
	return p.nodes, nil
}

// reference is the attribute of the call that an attribute of a function's node refers
// to, nil where the call does not give it.
func (r *reader) reference(p *attributeProto, s *scope) (*ir.Attr, error) {
	for ; s != nil; s = s.outer {
		if s.attrs == nil {
			continue
		}
		a := s.attrs[p.ref]
		if a == nil {
			return nil, nil
		}
		if a.Kind == ir.AttrGraph {
			r.missing("attribute " + text.Quote(p.name) + " with a reference to a graph")
			return nil, nil
		}
		if p.typ != 0 && p.typ != int64(a.Kind) {
			return nil, ir.Load("onnx: attribute ", text.Quote(p.name), " refers to ", text.Quote(p.ref), ", which is of another kind")
		}
		value := *a
		return &value, nil
	}
	r.missing("attribute " + text.Quote(p.name) + " with a reference")
	return nil, nil
}
