package onnx

import (
	"math"

	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/nn/ir"
)

// attributeProto is an AttributeProto as it is written.
type attributeProto struct {
	name           string
	value          ir.Attr
	tensor, body   []byte
	typeOf, sparse []byte
	typ, seen      int64  // as declared, and by the field that is there
	odd            string // what is not implemented
	ref            string // the attribute of a function that it refers to
}

// attrSparse is the number that AttributeProto.AttributeType has for sparse tensors.
const attrSparse = 11

// attribute reads an AttributeProto of a node in scope s.
func (r *reader) attribute(b []byte, s *scope) (name string, a *ir.Attr, err error) {
	if err := r.item(); err != nil {
		return "", nil, err
	}
	var p attributeProto
	if err := p.fields(b); err != nil {
		return p.name, nil, err
	}
	a, err = r.finish(&p, s)
	return p.name, a, err
}

// fields reads the fields of an AttributeProto.
func (p *attributeProto) fields(b []byte) error {
	m := open(b, "attribute")
	for m.next() {
		switch m.num {
		case 1:
			p.name = m.str()
		case 3:
			p.value.I, p.seen = m.num64(), int64(ir.AttrInt)
		case 8:
			p.value.Ints, p.seen = m.numbers(p.value.Ints), int64(ir.AttrInts)
		case 20:
			p.typ = m.num64()
		default:
			p.rarer(m)
		}
	}
	return m.err
}

// rarer reads a field that few attributes have.
func (p *attributeProto) rarer(m *message) {
	switch m.num {
	case 2:
		m.want(kindFixed32)
		p.value.F, p.seen = math.Float32frombits(uint32(m.bits)), int64(ir.AttrFloat)
	case 4:
		p.value.S, p.seen = m.str(), int64(ir.AttrString)
	case 5:
		m.want(kindBytes)
		p.tensor, p.seen = m.data, int64(ir.AttrTensor)
	case 6:
		m.want(kindBytes)
		p.body, p.seen = m.data, int64(ir.AttrGraph)
	case 7:
		p.value.Floats, p.seen = m.floats(p.value.Floats), int64(ir.AttrFloats)
	case 9:
		p.value.Strings, p.seen = append(p.value.Strings, m.str()), int64(ir.AttrStrings)
	case 10, 11:
		p.odd = "a list of tensors or graphs"
	case 14:
		m.want(kindBytes)
		p.typeOf, p.seen = m.data, int64(ir.AttrType)
	case 15:
		p.odd = "a list of types"
	case 21:
		p.ref = m.str()
	case 22:
		m.want(kindBytes)
		p.sparse, p.seen = m.data, attrSparse
	case 23:
		p.odd = "a list of sparse tensors"
	}
}

// finish makes an attribute of what was read; nil is one that is not implemented, and noted.
func (r *reader) finish(p *attributeProto, s *scope) (a *ir.Attr, err error) {
	if p.name == "" {
		return nil, ir.Load("onnx: an attribute has no name")
	}
	if p.ref != "" {
		return r.reference(p, s)
	}
	if p.odd != "" || p.typ > int64(ir.AttrStrings) && p.typ != int64(ir.AttrType) && p.typ != attrSparse {
		if p.odd == "" {
			p.odd = text.Join("kind ", p.typ)
		}
		r.missing("attribute " + text.Quote(p.name) + " with " + p.odd)
		return nil, nil
	}
	if p.typ == 0 { // written before the field existed
		p.typ = p.seen
	}
	if p.typ < 1 || p.seen != 0 && p.seen != p.typ {
		return nil, ir.Load("onnx: attribute ", text.Quote(p.name), " has no value, or not of the kind that it declares")
	}
	value := p.value
	a = &value
	a.Kind = ir.AttrKind(p.typ)
	switch {
	case a.Kind == ir.AttrTensor && p.tensor != nil:
		a.T, _, err = r.tensor(p.tensor)
	case p.typ == attrSparse && p.sparse != nil: // which is read into a tensor with all its elements
		a.Kind = ir.AttrTensor
		a.T, _, err = r.sparseTensor(p.sparse)
	case a.Kind == ir.AttrType && p.typeOf != nil:
		a.V = &ir.Value{}
		err = r.typeOf(p.typeOf, a.V)
	case a.Kind == ir.AttrGraph && p.body != nil:
		a.G, err = r.graph(p.body, s)
	case a.Kind == ir.AttrTensor || a.Kind == ir.AttrGraph || a.Kind == ir.AttrType || p.typ == attrSparse:
		err = ir.Load("onnx: attribute ", text.Quote(p.name), " has no value")
	}
	return a, err
}

// constant returns the value of a Constant node, nil when it is not implemented
// (and noted).
func (r *reader) constant(n *ir.Node) (*ir.Tensor, error) {
	if len(n.Attrs) == 0 && r.missed.Any() {
		return nil, nil
	}
	if len(n.Attrs) != 1 {
		return nil, ir.Load("onnx: Constant ", text.Quote(n.Name), " has ", len(n.Attrs), " attributes, want 1")
	}
	for name, a := range n.Attrs {
		switch {
		case (name == "value" || name == "sparse_value") && a.Kind == ir.AttrTensor:
			return a.T, nil
		case name == "value_float" && a.Kind == ir.AttrFloat:
			t := ir.NewTensor(ir.Float32)
			t.Float32s()[0] = a.F
			return t, nil
		case name == "value_int" && a.Kind == ir.AttrInt:
			t := ir.NewTensor(ir.Int64)
			t.Int64s()[0] = a.I
			return t, nil
		case name == "value_string" && a.Kind == ir.AttrString:
			return &ir.Tensor{Type: ir.String, Strings: []string{a.S}}, nil
		case name == "value_floats" && a.Kind == ir.AttrFloats:
			t := ir.NewTensor(ir.Float32, len(a.Floats))
			copy(t.Float32s(), a.Floats)
			return t, nil
		case name == "value_ints" && a.Kind == ir.AttrInts:
			t := ir.NewTensor(ir.Int64, len(a.Ints))
			copy(t.Int64s(), a.Ints)
			return t, nil
		case name == "value_strings" && a.Kind == ir.AttrStrings:
			return &ir.Tensor{Type: ir.String, Dims: []int{len(a.Strings)}, Strings: a.Strings}, nil
		default:
			return nil, ir.Load("onnx: Constant ", text.Quote(n.Name), " has the attribute ", text.Quote(name))
		}
	}
	return nil, nil
}
