package opt

import "github.com/normwasm/normwasm/nn/ir"

// fuseAttention recognises attention spelled in nodes,
//
//	s = MatMul(q, Transpose(k))      whose last two dimensions change places
//	s = Div(s, c) or Mul(s, c)       a scalar constant; may be missing, or scale q or kᵀ instead
//	s = Add(s, mask)                 may be missing
//	p = Softmax(s) of the last axis
//	p = Where(IsNaN(p), 0, p)        may be missing
//	y = MatMul(p, v)
//
// of float32 values with three or four dimensions, and emits normwasm.Attention(q, k, v,
// mask), which has no matrix of all scores. Transposes around it that put the heads before
// the rows, or behind them again, are left out: it reads and writes either way.
//
// Left alone: scores that something else uses as well, another axis, a product with a
// matrix that no Transpose has made, masks with more dimensions than the scores, and scales
// that are not scalars.
func fuseAttention(r *rewriter) {
	r.each(func(n *ir.Node) {
		if n.Domain != "" || n.Op != "MatMul" || len(n.Inputs) != 2 || n.Clamp != nil {
			return
		}
		p, v := n.Inputs[0], n.Inputs[1]
		rank := r.rank(v)
		if rank != 3 && rank != 4 || !isFloat32(v) {
			return
		}
		guarded := int64(0)
		if where := r.by(p, "Where"); where != nil && r.private(p, 1) {
			zero, ok := r.scalarFor(where.Inputs[1], where.Inputs[2])
			nan := r.by(where.Inputs[0], "IsNaN")
			if !ok || zero != 0 || nan == nil || nan.Inputs[0] != where.Inputs[2] || !r.private(where.Inputs[2], 2) || !r.private(where.Inputs[0], 1) {
				return
			}
			p, guarded = where.Inputs[2], 1
		} else if !r.private(p, 1) {
			return
		}
		softmax := r.by(p, "Softmax")
		if softmax == nil || !r.overLast(softmax, rank) {
			return
		}
		q, kt, mask, scale := r.scores(softmax.Inputs[0], rank)
		if q == nil || !isFloat32(q) || !isFloat32(kt) || r.rank(q) != rank || r.rank(kt) != rank {
			return
		}
		attrs := map[string]*ir.Attr{}
		if by, c := r.scaled(q); c != 1 {
			q, scale = by, scale*c
		}
		if by, c := r.scaled(kt); c != 1 {
			kt, scale = by, scale*c
		}
		transpose := r.by(kt, "Transpose")
		if transpose == nil {
			return
		}
		k := transpose.Inputs[0]
		switch perm, _ := transpose.Ints("perm"); {
		case same(perm, 0, 1, 3, 2), same(perm, 0, 2, 1):
			k = r.rowsFirst(k, attrs, "k_rows")
		case same(perm, 0, 2, 3, 1):
			attrs["k_rows"] = intAttr(1)
		default:
			return
		}
		q, v = r.rowsFirst(q, attrs, "q_rows"), r.rowsFirst(v, attrs, "v_rows")
		attrs["scale"], attrs["guarded"] = floatAttr(scale), intAttr(guarded)
		last := n
		if y := n.Outputs[0]; r.private(y, 1) {
			if u := r.users[y][0]; u.Domain == "" && u.Op == "Transpose" {
				if perm, _ := u.Ints("perm"); same(perm, 0, 2, 1, 3) {
					last, attrs["y_rows"] = u, intAttr(1)
				}
			}
		}
		r.become(last, ir.Internal, "Attention", 1, attrs, q, k, v, mask)
	})
}

// overLast says that a Softmax is one of the last axis.
func (r *rewriter) overLast(n *ir.Node, rank int) bool {
	axis := n.Int("axis", -1)
	if n.Version < 13 {
		axis = n.Int("axis", 1)
	}
	return axis == -1 || axis == int64(rank)-1
}

// scores takes softmax's operand apart; q is nil if it is something else.
func (r *rewriter) scores(s *ir.Value, rank int) (q, kt, mask *ir.Value, scale float32) {
	if add := r.by(s, "Add"); add != nil && r.private(s, 1) {
		for i := range 2 {
			m := add.Inputs[1-i]
			if n := r.rank(m); n < 0 || n > rank || !isFloat32(m) {
				continue
			}
			if q, kt, scale = r.product(add.Inputs[i], rank); q != nil {
				return q, kt, m, scale
			}
		}
		return nil, nil, nil, 0
	}
	q, kt, scale = r.product(s, rank)
	return q, kt, nil, scale
}

// product is MatMul(q, kt), times a scalar, of which nothing else has use.
func (r *rewriter) product(s *ir.Value, rank int) (q, kt *ir.Value, scale float32) {
	if !r.private(s, 1) {
		return nil, nil, 0
	}
	s, scale = r.scaled(s)
	n := r.by(s, "MatMul")
	if n == nil || n.Clamp != nil || !r.private(s, 1) {
		return nil, nil, 0
	}
	return n.Inputs[0], n.Inputs[1], scale
}

// scaled takes a scalar factor off v, 1 for none.
func (r *rewriter) scaled(v *ir.Value) (of *ir.Value, factor float32) {
	n := r.by(v, "Mul", "Div")
	if n == nil || !r.private(v, 1) {
		return v, 1
	}
	if of, c := r.factorOf(n); of != nil {
		return of, c
	}
	return v, 1
}

// rowsFirst is what v was before a Transpose put its heads before the rows.
func (r *rewriter) rowsFirst(v *ir.Value, attrs map[string]*ir.Attr, name string) *ir.Value {
	if n := r.by(v, "Transpose"); n != nil {
		if perm, _ := n.Ints("perm"); same(perm, 0, 2, 1, 3) {
			attrs[name] = intAttr(1)
			return n.Inputs[0]
		}
	}
	return v
}

func same(list []int64, want ...int64) bool {
	if len(list) != len(want) {
		return false
	}
	for i, v := range list {
		if v != want[i] {
			return false
		}
	}
	return true
}

// isFloat32 says that v's type is known to be float32.
func isFloat32(v *ir.Value) bool {
	return v != nil && (v.Type == ir.Float32 || v.Const != nil && v.Const.Type == ir.Float32)
}
