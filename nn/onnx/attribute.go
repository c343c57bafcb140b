package onnx

import (
	"math"

	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/graph"
)

// attribute reads an AttributeProto of a node in scope s.
func (r *reader) attribute(b []byte, s *scope) (name string, a *graph.Attr, err error) {
	if err := r.item(); err != nil {
		return "", nil, err
	}
	a = &graph.Attr{}
	var tensor, body []byte
	typ, seen := int64(0), int64(0) // as declared, and by the field that is there
	odd := ""
	m := open(b, "attribute")
	for m.next() {
		switch m.num {
		case 1:
			name = m.str()
		case 2:
			m.want(kindFixed32)
			a.F, seen = math.Float32frombits(uint32(m.bits)), int64(graph.AttrFloat)
		case 3:
			a.I, seen = m.num64(), int64(graph.AttrInt)
		case 4:
			a.S, seen = m.str(), int64(graph.AttrString)
		case 5:
			m.want(kindBytes)
			tensor, seen = m.data, int64(graph.AttrTensor)
		case 6:
			m.want(kindBytes)
			body, seen = m.data, int64(graph.AttrGraph)
		case 7:
			a.Floats, seen = m.floats(a.Floats), int64(graph.AttrFloats)
		case 8:
			a.Ints, seen = m.numbers(a.Ints), int64(graph.AttrInts)
		case 9:
			a.Strings, seen = append(a.Strings, m.str()), int64(graph.AttrStrings)
		case 10, 11:
			odd = "a list of tensors or graphs"
		case 14, 15:
			odd = "a type"
		case 20:
			typ = m.num64()
		case 21:
			odd = "a reference"
		case 22, 23:
			odd = "a sparse tensor"
		}
	}
	if m.err != nil {
		return name, nil, m.err
	}
	if name == "" {
		return name, nil, graph.Load("onnx: an attribute has no name")
	}
	if odd != "" || typ > int64(graph.AttrStrings) {
		if odd == "" {
			odd = text.Join("kind ", typ)
		}
		r.missing("attribute " + text.Quote(name) + " with " + odd)
		return name, nil, nil
	}
	if typ == 0 { // written before the field existed
		typ = seen
	}
	if typ < 1 || seen != 0 && seen != typ {
		return name, nil, graph.Load("onnx: attribute ", text.Quote(name), " has no value, or not of the kind that it declares")
	}
	a.Kind = graph.AttrKind(typ)
	switch {
	case a.Kind == graph.AttrTensor && tensor != nil:
		a.T, _, err = r.tensor(tensor)
	case a.Kind == graph.AttrGraph && body != nil:
		a.G, err = r.graph(body, s)
	case a.Kind == graph.AttrTensor || a.Kind == graph.AttrGraph:
		err = graph.Load("onnx: attribute ", text.Quote(name), " has no value")
	}
	return name, a, err
}

// constant returns the value of a Constant node, nil when it is not implemented
// (and noted).
func (r *reader) constant(n *graph.Node) (*graph.Tensor, error) {
	if len(n.Attrs) == 0 && len(r.missed) > 0 {
		return nil, nil
	}
	if len(n.Attrs) != 1 {
		return nil, graph.Load("onnx: Constant ", text.Quote(n.Name), " has ", len(n.Attrs), " attributes, want 1")
	}
	for name, a := range n.Attrs {
		switch {
		case name == "value" && a.Kind == graph.AttrTensor:
			return a.T, nil
		case name == "value_float" && a.Kind == graph.AttrFloat:
			t := graph.NewTensor(graph.Float32)
			t.Float32s()[0] = a.F
			return t, nil
		case name == "value_int" && a.Kind == graph.AttrInt:
			t := graph.NewTensor(graph.Int64)
			t.Int64s()[0] = a.I
			return t, nil
		case name == "value_string" && a.Kind == graph.AttrString:
			return &graph.Tensor{Type: graph.String, Strings: []string{a.S}}, nil
		case name == "value_floats" && a.Kind == graph.AttrFloats:
			t := graph.NewTensor(graph.Float32, len(a.Floats))
			copy(t.Float32s(), a.Floats)
			return t, nil
		case name == "value_ints" && a.Kind == graph.AttrInts:
			t := graph.NewTensor(graph.Int64, len(a.Ints))
			copy(t.Int64s(), a.Ints)
			return t, nil
		case name == "value_strings" && a.Kind == graph.AttrStrings:
			return &graph.Tensor{Type: graph.String, Dims: []int{len(a.Strings)}, Strings: a.Strings}, nil
		default:
			return nil, graph.Load("onnx: Constant ", text.Quote(n.Name), " has the attribute ", text.Quote(name))
		}
	}
	return nil, nil
}
