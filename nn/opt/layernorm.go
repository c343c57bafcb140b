package opt

import "github.com/normwasm/normwasm/nn/ir"

// fuseLayerNorm recognises LayerNorm spelled in primitive nodes,
//
//	m = ReduceMean(x, axes)      d = Sub(x, m)
//	v = ReduceMean(Pow(d, 2) or Mul(d, d), axes)
//	s = Sqrt(Add(v, ε))          n = Div(d, s) or Mul(d, Reciprocal(s))
//	y = Add(Mul(n, γ), β)        (β may be missing)
//
// with axes the last k and γ, β constants of those k dimensions, and emits
// ONNX's LayerNormalization(x, γ, β; axis = −k, epsilon = ε).
//
// Left alone: ε outside the root, another power, a corrected (unbiased)
// variance, different axes in the two means, axes that are not the last ones,
// keepdims=0, a γ or β that varies over other axes or is computed, and any inner
// value that something else uses.
func fuseLayerNorm(r *rewriter) {
	r.each(func(n *ir.Node) {
		if n.Domain != "" || (n.Op != "Div" && n.Op != "Mul") || len(n.Inputs) != 2 {
			return
		}
		d, root := r.standardized(n)
		if d == nil {
			return
		}
		x, axes, epsilon, ok := r.deviation(d, root)
		if !ok {
			return
		}
		r.emitLayerNorm(n, x, axes, epsilon)
	})
}

// standardized splits n = d/s or d·(1/s) into d and s, where the quotient is
// private to the product with γ.
func (r *rewriter) standardized(n *ir.Node) (d, s *ir.Value) {
	if n.Op == "Div" {
		return n.Inputs[0], n.Inputs[1]
	}
	for i := range 2 {
		if inv := r.by(n.Inputs[i], "Reciprocal"); inv != nil && r.private(inv.Outputs[0], 1) {
			return n.Inputs[1-i], inv.Inputs[0]
		}
	}
	return nil, nil
}

// deviation follows s = √(mean((x−mean(x))²) + ε) back to x.
func (r *rewriter) deviation(d, s *ir.Value) (x *ir.Value, axes []int64, epsilon float32, ok bool) {
	sub, sqrt := r.by(d, "Sub"), r.by(s, "Sqrt")
	if sub == nil || sqrt == nil || !r.private(s, 1) {
		return
	}
	add := r.by(sqrt.Inputs[0], "Add")
	if add == nil || !r.private(add.Outputs[0], 1) {
		return
	}
	variance, epsilon, isConst := r.operands(add)
	if !isConst || !(epsilon >= 0) {
		return
	}
	mean2 := r.by(variance, "ReduceMean")
	if mean2 == nil || !r.private(variance, 1) {
		return
	}
	square := r.by(mean2.Inputs[0], "Pow", "Mul")
	if square == nil || !r.private(square.Outputs[0], 1) || square.Inputs[0] != d {
		return
	}
	uses := 2 // d: in the square and in the quotient
	if square.Op == "Mul" {
		uses = 3
		if square.Inputs[1] != d {
			return
		}
	} else if p, isScalar := r.scalarFor(square.Inputs[1], d); !isScalar || p != 2 {
		return
	}
	if !r.private(d, uses) {
		return
	}
	x = sub.Inputs[0]
	mean1 := r.by(sub.Inputs[1], "ReduceMean")
	if mean1 == nil || mean1.Inputs[0] != x || !r.private(sub.Inputs[1], 1) {
		return
	}
	a1, ok1 := r.lastAxes(mean1, x)
	a2, ok2 := r.lastAxes(mean2, x)
	if !ok1 || !ok2 || len(a1) != len(a2) {
		return
	}
	return x, a1, epsilon, true
}

// lastAxes is the list −k … −1 when n reduces over the last k dimensions of x
// and keeps them.
func (r *rewriter) lastAxes(n *ir.Node, x *ir.Value) ([]int64, bool) {
	if n.Int("keepdims", 1) != 1 {
		return nil, false
	}
	axes, ok := n.Ints("axes")
	if in := n.In(1); in != nil {
		if in.Const == nil {
			return nil, false
		}
		axes, ok = in.Const.Ints(), true
	}
	if !ok || len(axes) == 0 {
		return nil, false
	}
	k := len(axes)
	out := make([]int64, k)
	for _, a := range axes {
		if a >= 0 {
			rank := r.rank(x)
			if rank < 0 {
				return nil, false
			}
			a -= int64(rank)
		}
		i := a + int64(k)
		if i < 0 || i >= int64(k) || out[i] != 0 {
			return nil, false
		}
		out[i] = a
	}
	return out, true
}

func (r *rewriter) emitLayerNorm(n *ir.Node, x *ir.Value, axes []int64, epsilon float32) {
	y := n.Outputs[0]
	if !r.private(y, 1) {
		return
	}
	mul := r.users[y][0]
	if mul.Domain != "" || mul.Op != "Mul" {
		return
	}
	gamma := other(mul, y)
	if !r.affineOver(gamma, x, len(axes)) {
		return
	}
	last, beta := mul, (*ir.Value)(nil)
	if scaled := mul.Outputs[0]; r.private(scaled, 1) {
		if add := r.users[scaled][0]; add.Domain == "" && add.Op == "Add" {
			b := other(add, scaled)
			if r.affineOver(b, x, len(axes)) && ir.SameDims(b.Const.Dims, gamma.Const.Dims) {
				last, beta = add, b
			}
		}
	}
	attrs := map[string]*ir.Attr{"axis": intAttr(-int64(len(axes))), "epsilon": floatAttr(epsilon)}
	r.become(last, "", "LayerNormalization", 17, attrs, x, gamma, beta)
	last.Wide = true
}

// other is the operand of the binary node n that is not v.
func other(n *ir.Node, v *ir.Value) *ir.Value {
	if n.Inputs[0] == v {
		return n.Inputs[1]
	}
	return n.Inputs[0]
}

// affineOver says that v is a constant with exactly k dimensions, all larger
// than one or known to be x's: then it varies over the normalized axes alone.
func (r *rewriter) affineOver(v, x *ir.Value, k int) bool {
	f, ok := floats(v)
	if !ok || len(f) == 0 || len(v.Const.Dims) != k {
		return false
	}
	for i, c := range v.Const.Dims {
		size := -1
		if x.Known && len(x.Dims) >= k {
			size = x.Dims[len(x.Dims)-k+i].Size
		}
		if size >= 0 && size != c || size < 0 && c == 1 {
			return false
		}
	}
	return true
}
