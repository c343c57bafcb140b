package opt

import (
	"math"
	"strings"

	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/op"
)

// A model that is quantized statically has a QuantizeLinear and a DequantizeLinear around
// each operator, which computes in float32. staticQuant lets operators compute with the
// integers in between, all constants but x:
//
//	Q(Conv(DQ(x), DQ(W), DQ(b))) is QLinearConv, Q(MatMul(DQ(x), DQ(y))) QLinearMatMul,
//	Q(Gemm(DQ(x), DQ(W), DQ(b))) QGemm;
//	without the Q, Conv is normwasm.ConvInteger, MatMul MatMulIntegerToFloat, Gemm QGemm;
//	Q(Add(DQ(x), DQ(y))), and so Mul, Sigmoid, LeakyRelu and average pools, is QLinearAdd
//	and so on;
//	Q(MaxPool(DQ(x))), and so what only moves elements, is MaxPool(x), where both have the
//	same scale and zero point.
//
// Between an operator and Q there may be a Relu that Q's least number makes superfluous. The
// results are those of the nodes but for sums that are next to the middle of two steps.
//
// It has to come before constant nodes are evaluated, the DQ of weights among them.
//
// Left alone: scales that are not constant, finite and above 0, types other than int8 and
// uint8, activations with a scale for each channel, biases that are computed, an operator
// whose result something else uses, operators that this edition does not have.
func (r *rewriter) staticQuant() {
	r.each(func(n *ir.Node) {
		if n.Domain != "" {
			return
		}
		switch n.Op {
		case "QuantizeLinear":
			if y := r.grid(n); y.single() {
				r.quantizeResult(n, y)
			}
		case "Conv", "MatMul", "Gemm":
			u, v := n, n.Outputs[0]
			for r.private(v, 1) && (u == n || u.Op == "Relu" && u.Domain == "") {
				u = r.users[v][0]
				v = u.Outputs[0]
			}
			if y := r.grid(u); u.Op != "QuantizeLinear" || !y.single() || u.Inputs[0] != n.Outputs[0] && !y.floor() {
				r.quantizeProduct(n, n, nil)
			} // else it is done when the QuantizeLinear has its turn
		}
	})
}

// onGrid is a value that stands for numbers, as a DequantizeLinear reads it.
type onGrid struct {
	q, scale, zero *ir.Value
	scales         []float32
	kind           ir.DType
	axis           int // of scale and zero, where they have more than one element
}

// grid reads the scale and the zero point of a QuantizeLinear, or a DequantizeLinear; nil for
// anything else.
func (r *rewriter) grid(n *ir.Node) *onGrid {
	if n == nil || n.Domain != "" || n.Op != "QuantizeLinear" && n.Op != "DequantizeLinear" || n.Int("block_size", 0) != 0 {
		return nil
	}
	g := &onGrid{q: n.Inputs[0], scale: n.In(1), zero: n.In(2), axis: int(n.Int("axis", 1))}
	g.scales, _ = floats(g.scale)
	if len(g.scales) == 0 || len(g.scales) > 1 && len(g.scale.Const.Dims) != 1 {
		return nil
	}
	for _, v := range g.scales {
		if !(v > 0) || v-v != 0 {
			return nil
		}
	}
	if g.zero == nil {
		g.kind = g.q.Type
		if n.Op == "QuantizeLinear" {
			g.kind = max(ir.DType(n.Int("output_dtype", 0)), ir.Uint8)
		} else if g.q.Const != nil {
			g.kind = g.q.Const.Type
		}
		g.zero = &ir.Value{Type: g.kind, Const: ir.NewTensor(g.kind, g.scale.Const.Dims...)}
	}
	if g.zero.Const == nil || g.zero.Const.Len() != len(g.scales) {
		return nil
	}
	g.kind = g.zero.Const.Type
	return g
}

func (g *onGrid) bytes() bool { return g != nil && (g.kind == ir.Int8 || g.kind == ir.Uint8) }

// single says whether it is bytes with one scale.
func (g *onGrid) single() bool { return g.bytes() && len(g.scales) == 1 }

// floor says whether no number on the grid is below 0.
func (g *onGrid) floor() bool {
	return g.zero.Const.Data[0] == map[ir.DType]byte{ir.Int8: 128}[g.kind]
}

// of is what v stands for.
func (r *rewriter) of(v *ir.Value) *onGrid { return r.grid(r.by(v, "DequantizeLinear")) }

const (
	moving   = " MaxPool Reshape Transpose Squeeze Unsqueeze Flatten Slice Gather Expand Tile DepthToSpace SpaceToDepth "
	byFloats = " Add Mul Sigmoid LeakyRelu AveragePool GlobalAveragePool "
)

// quantizeResult lets q, a QuantizeLinear, be the operator before it, on bytes.
func (r *rewriter) quantizeResult(q *ir.Node, y *onGrid) {
	v := q.Inputs[0]
	n := r.by(v, "Relu")
	if n != nil && y.floor() && r.private(v, 1) {
		v = n.Inputs[0]
	}
	n = r.producer[v]
	if n == nil || n.Domain != "" || n.Outputs[0] != v || !r.private(v, 1) {
		return
	}
	x, word := r.of(n.In(0)), " "+n.Op+" "
	switch {
	case !x.single():
	case n.Op == "Conv" || n.Op == "MatMul" || n.Op == "Gemm":
		r.quantizeProduct(n, q, y)
	case strings.Contains(moving, word):
		if v == q.Inputs[0] && x.kind == y.kind && x.scales[0] == y.scales[0] && x.zero.Const.Data[0] == y.zero.Const.Data[0] && (n.Op != "MaxPool" || n.Version >= 12 && len(n.Outputs) == 1) {
			r.become(q, "", n.Op, n.Version, n.Attrs, append([]*ir.Value{x.q}, n.Inputs[1:]...)...)
		}
	case strings.Contains(byFloats, word):
		var inputs []*ir.Value
		for _, v := range n.Inputs {
			x := r.of(v)
			if !x.single() || x.kind != y.kind {
				return
			}
			inputs = append(inputs, x.q, x.scale, x.zero)
		}
		r.adopt(q, microsoft, "QLinear"+n.Op, 1, n.Attrs, append(inputs, y.scale, y.zero))
	}
}

// adopt is become where this edition has the operator, with these attributes.
func (r *rewriter) adopt(n *ir.Node, domain, name string, version int, attrs map[string]*ir.Attr, inputs []*ir.Value) {
	next := &ir.Node{Domain: domain, Op: name, Version: version, Attrs: attrs}
	if row := op.Find(next.Key()); row != nil && row.Missing(next) == "" {
		r.become(n, domain, name, version, attrs, inputs...)
	}
}

// quantizeProduct lets node at be n, a product or convolution, of bytes. y is the grid of the
// result, nil if that stays float32.
func (r *rewriter) quantizeProduct(n, at *ir.Node, y *onGrid) {
	x, w := r.of(n.Inputs[0]), r.of(n.In(1))
	if !x.single() || !w.bytes() {
		return
	}
	columns, conv, gemm := len(w.scales), n.Op == "Conv", n.Op == "Gemm"
	if c := w.q.Const; c != nil {
		// The axis that has the scales has to be that of the columns.
		rank, axis := len(c.Dims), 1
		if conv || gemm && n.Int("transB", 0) != 0 {
			axis = 0
		}
		if conv && rank < 3 || !conv && rank != 2 || columns > 1 && (w.axis != axis && w.axis != axis-rank || columns != c.Dims[axis]) {
			return
		}
		columns = c.Dims[axis]
	} else if conv || gemm || columns != 1 {
		return
	}
	b, fits := r.bias(n.In(2), columns, x, w, conv && y == nil)
	if !fits {
		return
	}
	all := [...]*ir.Value{x.q, x.scale, x.zero, w.q, w.scale, w.zero, b, nil, nil}
	domain, name, order, attrs, version := "", "QLinear"+n.Op, "012345786", n.Attrs, n.Version
	switch {
	case gemm:
		if n.Int("transA", 0) != 0 || n.Float("alpha", 1) != 1 || n.Float("beta", 1) != 1 {
			return
		}
		domain, name, order, attrs = microsoft, "QGemm", "012345678", map[string]*ir.Attr{"transB": intAttr(n.Int("transB", 0))}
	case y != nil:
	case conv:
		domain, name, order = ir.Internal, "ConvInteger", "0312456"
	default:
		domain, name, order = microsoft, "MatMulIntegerToFloat", "031425"
	}
	if y != nil {
		all[7], all[8] = y.scale, y.zero
	}
	if domain != "" {
		version = 1
	}
	var inputs []*ir.Value
	for _, i := range []byte(order) {
		inputs = append(inputs, all[i-'0'])
	}
	r.adopt(at, domain, name, version, attrs, inputs)
}

// bias gives v, a constant or what is dequantized from one, as float32, or as int32 in steps
// of the products' scales. There may be none.
func (r *rewriter) bias(v *ir.Value, columns int, x, w *onGrid, wide bool) (*ir.Value, bool) {
	if v == nil {
		return nil, true
	}
	list, known := floats(v)
	if g := r.of(v); g != nil && g.kind == ir.Int32 && g.q.Const != nil {
		list, known = make([]float32, columns), g.q.Const.Len() == columns && columns%len(g.scales) == 0
		for i := range list[:min(columns, g.q.Const.Len())] {
			list[i] = float32(g.q.Const.Int32s()[i]) * g.scales[i%len(g.scales)]
		}
		for _, z := range g.zero.Const.Int32s() {
			known = known && z == 0
		}
	}
	if !known || len(list) != columns {
		return nil, false
	}
	if wide {
		return constant(v.Name, []int{columns}, list), true
	}
	t := ir.NewTensor(ir.Int32, columns)
	for i, v := range list {
		q := math.RoundToEven(float64(v) / (float64(x.scales[0]) * float64(w.scales[i%len(w.scales)])))
		if !(math.Abs(q) < 1<<31) {
			return nil, false
		}
		t.Int32s()[i] = int32(q)
	}
	return &ir.Value{Name: v.Name, Type: ir.Int32, Known: true, Const: t}, true
}
