package opt

import (
	"github.com/normwasm/normwasm/nn/ir"
)

// microsoft is the domain of the operators that onnxruntime adds.
const microsoft = "com.microsoft"

// fuseDynamicQuant recognises products of numbers that are quantized when they are there,
//
//	q, s, z = DynamicQuantizeLinear(x)
//	y = Mul(Cast(MatMulInteger(q, W, z, Wz)), Mul(s, Ws))
//	y = Add(y, b)                                       (may be missing)
//
// with constants W [K, N], Ws and Wz of one element or N, and b [N], and emits
// com.microsoft.DynamicQuantizeMatMul(x, W, Ws, Wz, b), which quantizes while it packs, or,
// where something else uses q, com.microsoft.MatMulIntegerToFloat(q, W, s, Ws, z, Wz, b).
// ConvInteger, with b [1, C, 1, …], becomes normwasm.ConvInteger in the same way. The sums are
// scaled as they were: the results have the same bits.
//
// Left alone: scales, zero points and weights that are computed, zero points of something
// else, inner values that something else uses.
func fuseDynamicQuant(r *rewriter) {
	r.each(func(n *ir.Node) {
		if n.Domain != "" || n.Op != "Mul" || len(n.Inputs) != 2 {
			return
		}
		for i := range 2 {
			cast := r.by(n.Inputs[i], "Cast")
			if cast == nil || ir.DType(cast.Int("to", 0)) != ir.Float32 || !r.private(n.Inputs[i], 1) {
				continue
			}
			m := r.by(cast.Inputs[0], "MatMulInteger", "ConvInteger")
			if m == nil || !r.private(cast.Inputs[0], 1) {
				continue
			}
			d := r.by(m.Inputs[0], "DynamicQuantizeLinear")
			if d == nil || d.Outputs[0] != m.Inputs[0] || d.Out(2) == nil || m.In(2) != d.Out(2) {
				continue
			}
			w, ws := m.Inputs[1], r.weightScale(n.Inputs[1-i], d.Out(1))
			if ws == nil || w.Const == nil || m.In(3) != nil && m.In(3).Const == nil {
				continue
			}
			r.emitDynamic(n, m, d, w, ws)
			return
		}
	})
}

// weightScale is Ws of Mul(s, Ws), a constant.
func (r *rewriter) weightScale(v, s *ir.Value) *ir.Value {
	mul := r.by(v, "Mul")
	if mul == nil || s == nil || len(mul.Inputs) != 2 {
		return nil
	}
	for i := range 2 {
		if ws := mul.Inputs[1-i]; mul.Inputs[i] == s {
			if f, ok := floats(ws); ok && len(f) > 0 {
				return ws
			}
		}
	}
	return nil
}

func (r *rewriter) emitDynamic(n, m, d *ir.Node, w, ws *ir.Value) {
	dims, conv := w.Const.Dims, m.Op == "ConvInteger"
	columns := 0
	switch {
	case conv && len(dims) > 2:
		columns = dims[0]
	case !conv && len(dims) == 2:
		columns = dims[1]
	default:
		return
	}
	if !varies(ws.Const, columns, len(dims), conv) {
		return
	}
	last, bias := n, (*ir.Value)(nil)
	if y := n.Outputs[0]; r.private(y, 1) {
		if add := r.users[y][0]; add.Domain == "" && add.Op == "Add" && len(add.Inputs) == 2 {
			b := other(add, y)
			if _, ok := floats(b); ok && b.Const.Len() == columns && varies(b.Const, columns, len(dims), conv) && (conv || len(b.Const.Dims) == 1) {
				last, bias = add, b
			}
		}
	}
	q, x := d.Outputs[0], d.Inputs[0]
	alone := r.private(q, 1)
	switch {
	case conv && alone:
		r.become(last, ir.Internal, m.Op, 1, m.Attrs, x, w, nil, nil, ws, m.In(3), bias)
	case conv:
		r.become(last, ir.Internal, m.Op, 1, m.Attrs, q, w, d.Outputs[1], d.Outputs[2], ws, m.In(3), bias)
	case alone:
		r.become(last, microsoft, "DynamicQuantizeMatMul", 1, nil, x, w, ws, m.In(3), bias)
	default:
		r.become(last, microsoft, "MatMulIntegerToFloat", 1, nil, q, w, d.Outputs[1], ws, d.Outputs[2], m.In(3), bias)
	}
}

// varies says whether a constant has one element, or one a column of a product; of a
// convolution, one a channel.
func varies(c *ir.Tensor, columns, rank int, conv bool) bool {
	if c.Len() == 1 {
		return len(c.Dims) <= 1
	}
	if c.Len() != columns {
		return false
	}
	if !conv {
		return len(c.Dims) == 1
	}
	return len(c.Dims) == rank && c.Dims[1] == columns || len(c.Dims) == rank-1 && c.Dims[0] == columns
}
