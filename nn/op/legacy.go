//go:build !lean

package op

import (
	"strings"

	"github.com/normwasm/normwasm/nn/ir"
)

func init() { Register(legacyRows) }

// legacyRows are operators that only Modernize makes.
var legacyRows = []Row{{
	// B with dimensions of 1 behind its own, so that they begin at one of A's.
	Name: "Align", Domain: ir.Internal, Since: 1,
	In:    []In{{Name: "A", Types: anyType, Strided: StridesAny}, {Name: "B", Types: anyType, Var: 'T'}},
	Out:   []Out{{Name: "aligned", Var: 'T'}},
	Attrs: []Attr{{Name: "axis", Kind: ir.AttrInt}},
	Plan:  planAlign,
}}

func planAlign(c *Call) error {
	a, b := c.In(0).Dims, c.In(1).Dims
	axis, out := c.Int("axis"), b
	if c.In(1).Len() != 1 {
		behind := int64(len(a)-len(b)) - axis
		if axis < 0 || behind < 0 {
			return c.fail("b with dimensions @ does not begin at axis % of % dimensions", b, int(axis), len(a))
		}
		out = c.Clone(b)
		for range behind {
			out = append(out, 1)
		}
	}
	c.Out(0, c.In(1).Type, out...)
	c.Alias(0, 1)
	return nil
}

// Modernize writes nodes of opsets 1 to 6, of a graph and of its bodies, as those of later
// opsets that mean the same:
//
//	operands that are broadcast from an axis on get dimensions of 1 behind theirs;
//	attributes that became inputs, or have another name or type since, are replaced;
//	those that say how memory is reused, or that a network is not being trained, go.
//
// What it does not know it leaves for Check to report.
func Modernize(g *ir.Graph) {
	var nodes []*ir.Node // from when on one is put before another
	for i, n := range g.Nodes {
		for _, body := range n.Subgraphs() {
			Modernize(body)
		}
		if n.Domain == "" && n.Version < 7 {
			if before := modernize(n); before != nil {
				if nodes == nil {
					nodes = append(make([]*ir.Node, 0, len(g.Nodes)+1), g.Nodes[:i]...)
				}
				nodes = append(nodes, before)
			}
		}
		if nodes != nil {
			nodes = append(nodes, n)
		}
	}
	if nodes != nil {
		g.Nodes = nodes
	}
}

// modernize changes a node, and may give one that belongs before it.
func modernize(n *ir.Node) (before *ir.Node) {
	old := n.Attrs
	n.Attrs = make(map[string]*ir.Attr, len(old))
	for name, a := range old {
		if name != "consumed_inputs" || n.Version > 5 {
			n.Attrs[name] = a
		}
	}
	switch n.Op {
	case "Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less":
		if _, given := n.Attrs["axis"]; given && n.Int("broadcast", 0) != 0 {
			before = aligned(n, n.Int("axis", 0))
		}
		delete(n.Attrs, "axis")
		delete(n.Attrs, "broadcast")
		n.Version = 7
	case "PRelu":
		before = aligned(n, 1)
		n.Version = 7
	case "Gemm":
		delete(n.Attrs, "broadcast")
		n.Version = 7
	case "BatchNormalization":
		if n.Int("is_test", 0) == 0 || len(n.Outputs) == 1 { // with one output it is not trained anyhow
			delete(n.Attrs, "is_test")
		}
		n.Version = 7
	case "Dropout":
		delete(n.Attrs, "is_test")
		n.Version = 7
	case "Selu":
		if n.Version < 6 {
			defaults(n, "alpha", &ir.Attr{Kind: ir.AttrFloat, F: 1.6732})
			defaults(n, "gamma", &ir.Attr{Kind: ir.AttrFloat, F: 1.0507})
		}
	case "Cast":
		if n.Version < 6 {
			n.Attrs["to"] = &ir.Attr{Kind: ir.AttrInt, I: int64(typeNamed(n.Str("to", "")))}
		}
		n.Version = 6
	case "Reshape":
		shape, given := n.Ints("shape")
		if n.Version > 4 || !given || n.In(0) == nil || n.In(1) != nil {
			break
		}
		t := ir.NewTensor(ir.Int64, len(shape))
		copy(t.Int64s(), shape)
		n.Inputs = []*ir.Value{n.In(0), {Name: n.Name + ".shape", Type: ir.Int64, Const: t}}
		delete(n.Attrs, "shape")
		n.Version = 5
	case "Concat":
		if n.Version < 4 {
			defaults(n, "axis", &ir.Attr{Kind: ir.AttrInt, I: 1})
		}
		n.Version = max(n.Version, 4)
	case "Split":
		if len(n.Inputs) == 1 {
			n.Version = max(n.Version, 2)
		}
	case "Pad":
		if a := n.Attrs["paddings"]; n.Version < 2 && a != nil {
			n.Attrs["pads"] = a
			delete(n.Attrs, "paddings")
		}
		n.Version = max(n.Version, 2)
	case "Upsample":
		if n.Version < 7 {
			n.Attrs["scales"] = &ir.Attr{Kind: ir.AttrFloats, Floats: []float32{1, 1, n.Float("height_scale", 0), n.Float("width_scale", 0)}}
			delete(n.Attrs, "height_scale")
			delete(n.Attrs, "width_scale")
			if n.Str("mode", "") == "bilinear" {
				n.Attrs["mode"] = &ir.Attr{Kind: ir.AttrString, S: "linear"}
			}
		}
		n.Version = 7
	}
	return before
}

// defaults gives a node an attribute that it leaves out.
func defaults(n *ir.Node, name string, a *ir.Attr) {
	if n.Attrs[name] == nil {
		n.Attrs[name] = a
	}
}

// aligned lets input 1 begin at a dimension of input 0.
func aligned(n *ir.Node, axis int64) *ir.Node {
	if n.In(0) == nil || n.In(1) == nil {
		return nil
	}
	b := n.Inputs[1]
	v := &ir.Value{Name: b.Name, Type: b.Type}
	align := &ir.Node{Name: n.Name, Op: "Align", Domain: ir.Internal, Version: 1, Inputs: []*ir.Value{n.Inputs[0], b}, Outputs: []*ir.Value{v},
		Attrs: map[string]*ir.Attr{"axis": {Kind: ir.AttrInt, I: axis}}}
	n.Inputs = append([]*ir.Value(nil), n.Inputs...)
	n.Inputs[1] = v
	return align
}

// typeNamed is the type that opsets 1 to 5 call by a name such as FLOAT or INT64.
func typeNamed(name string) ir.DType {
	switch name {
	case "FLOAT":
		return ir.Float32
	case "DOUBLE":
		return ir.Float64
	}
	for t := ir.Uint8; t <= ir.Uint64; t++ {
		if t.Known() && strings.EqualFold(t.String(), name) {
			return t
		}
	}
	return ir.Undefined
}
