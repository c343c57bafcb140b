package opt

import (
	"strings"

	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/op"
)

// fuseAttention recognises attention spelled in nodes,
//
//	s = MatMul(q, kᵀ)                kᵀ by a Transpose whose last two dimensions change places,
//	                                 perhaps between two Reshapes that take the heads together
//	s = Div(s, c) or Mul(s, c)       a scalar, constant or made of the depth; may be missing, or scale q or kᵀ instead
//	s = Where(seen, s, −∞)           or of the least float32, and in the other order; may be missing
//	s = Add(s, mask)                 may be missing
//	p = Softmax(s) of the last axis
//	p = Where(IsNaN(p), 0, p)        may be missing
//	y = MatMul(p, v)
//
// of float32 values with three or four dimensions, its products spelled as Einsums too, and
// emits normwasm.Attention(q, k, v, mask), which has no matrix of all scores. Transposes
// around it that put the heads before the rows, or behind them again, are left out: it reads
// and writes either way. Where is that of 0 and −∞ then, which is added. Heads of keys and values
// that are repeated, each for several heads of queries, are read as often instead.
//
// Left alone: scores that something else uses as well, another axis, a product with a
// matrix that no Transpose has made, masks with more dimensions than the scores, scales
// that are not scalars, and Where with numbers that other scores may be lower than.
func fuseAttention(r *rewriter) {
	r.each(func(n *ir.Node) {
		attrs := map[string]*ir.Attr{}
		p, v, ok := r.weighted(n, attrs)
		if !ok {
			return
		}
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
		s, ok := r.scores(softmax.Inputs[0], rank, attrs)
		if !ok || !isFloat32(s.q) || !isFloat32(s.k) || r.rank(s.q) != rank || r.rank(s.k) != rank {
			return
		}
		if x, n := r.repeated(s.k); n > 0 && attrs["k_rows"] == nil && attrs["v_rows"] == nil && isFloat32(x) {
			if y, m := r.repeated(v); m == n && isFloat32(y) {
				s.k, v, attrs["group"] = x, y, intAttr(n)
			}
		}
		q, k := r.rowsFirst(s.q, attrs, "q_rows"), r.rowsFirst(s.k, attrs, "k_rows")
		v = r.rowsFirst(v, attrs, "v_rows")
		attrs["scale"], attrs["guarded"] = floatAttr(s.scale), intAttr(guarded)
		last := n
		if y := n.Outputs[0]; attrs["y_rows"] == nil && r.private(y, 1) {
			if u := r.users[y][0]; u.Domain == "" && u.Op == "Transpose" && swapsHeads(u) {
				last, attrs["y_rows"] = u, intAttr(1)
			}
		}
		r.become(last, ir.Internal, "Attention", 1, attrs, q, k, v, r.maskOf(&s))
	})
}

// weighted takes the product of probabilities and values apart.
func (r *rewriter) weighted(n *ir.Node, attrs map[string]*ir.Attr) (p, v *ir.Value, ok bool) {
	if n.Domain != "" || n.Clamp != nil || len(n.Inputs) != 2 {
		return nil, nil, false
	}
	switch n.Op {
	case "MatMul":
		return n.Inputs[0], n.Inputs[1], true
	case "Einsum":
		if op.Lean { // which has no Einsum
			return nil, nil, false
		}
		p, v, y, ok := letters(n)
		if !ok || len(v) != 4 || v[3] == p[3] || !headed(v, p[0], p[1], p[3], v[3], attrs, "v_rows") || !headed(y, p[0], p[1], p[2], v[3], attrs, "y_rows") {
			return nil, nil, false
		}
		return n.Inputs[0], n.Inputs[1], true
	}
	return nil, nil, false
}

// letters are those of an Einsum's two operands and of its result, four each.
func letters(n *ir.Node) (a, b, y string, ok bool) {
	equation := n.Attrs["equation"]
	if equation == nil {
		return
	}
	var spaceless []byte // not by strings.ReplaceAll, which is 5 KB of code
	for i := range len(equation.S) {
		if equation.S[i] != ' ' {
			spaceless = append(spaceless, equation.S[i])
		}
	}
	in, y, ok := strings.Cut(string(spaceless), "->")
	a, b, ok2 := strings.Cut(in, ",")
	if !ok || !ok2 || len(a) != 4 || len(b) != 4 || len(y) != 4 {
		return "", "", "", false
	}
	for _, s := range [...]string{a, b, y} {
		for i := range 4 {
			if c := s[i]; c == '.' || strings.IndexByte(s, c) != i {
				return "", "", "", false
			}
		}
	}
	return a, b, y, true
}

// headed says that letters are those of a batch, heads, rows and depth, and notes where the rows
// are before the heads.
func headed(s string, batch, head, row, depth byte, attrs map[string]*ir.Attr, name string) bool {
	switch s {
	case string([]byte{batch, head, row, depth}):
		return true
	case string([]byte{batch, row, head, depth}):
		attrs[name] = intAttr(1)
		return true
	}
	return false
}

// overLast says that a Softmax is one of the last axis.
func (r *rewriter) overLast(n *ir.Node, rank int) bool {
	axis := n.Int("axis", -1)
	if n.Version < 13 {
		axis = n.Int("axis", 1)
	}
	return axis == -1 || axis == int64(rank)-1
}

// scoring is what scores are made of.
type scoring struct {
	q, k  *ir.Value
	scale float32
	add   *ir.Node  // of a mask, or nil
	mask  *ir.Value // the one added
	where *ir.Node  // that hides scores, or nil
	at    int       // the input that they are
	seen  *ir.Value // its condition
}

// scores takes softmax's operand apart.
func (r *rewriter) scores(s *ir.Value, rank int, attrs map[string]*ir.Attr) (scoring, bool) {
	add := r.by(s, "Add")
	if add == nil || !r.private(s, 1) {
		return r.hidden(s, rank, attrs)
	}
	for i := range 2 {
		m := add.Inputs[1-i]
		if n := r.rank(m); n < 0 || n > rank || !isFloat32(m) {
			continue
		}
		if of, ok := r.hidden(add.Inputs[i], rank, attrs); ok {
			of.add, of.mask = add, m
			return of, true
		}
	}
	return scoring{}, false
}

// hidden is a product some of which a Where may hide.
func (r *rewriter) hidden(s *ir.Value, rank int, attrs map[string]*ir.Attr) (scoring, bool) {
	where := r.by(s, "Where")
	if where == nil || !r.private(s, 1) {
		return r.product(s, 1, attrs)
	}
	for i := 1; i <= 2; i++ {
		least, ok := scalar(where.Inputs[3-i])
		if !ok || !(least <= compute.Hides) || len(where.Inputs[3-i].Const.Dims) > 1 {
			continue
		}
		of, seen, uses := where.Inputs[i], where.Inputs[0], 1
		// The condition may have been repeated to the shape of the scores, which this leaves to the sum.
		if expand := r.by(seen, "Expand"); expand != nil && r.private(seen, 1) {
			if shape := r.by(expand.In(1), "Shape"); shape != nil && len(shape.Attrs) == 0 && shape.Inputs[0] == of && r.private(shape.Outputs[0], 1) {
				seen, uses = expand.Inputs[0], 2
			}
		}
		if n := r.rank(seen); n < 0 || n > rank {
			continue
		}
		if p, ok := r.product(of, uses, attrs); ok {
			p.where, p.at, p.seen = where, i, seen
			return p, true
		}
	}
	return scoring{}, false
}

// product is q·kᵀ, times a scalar, which is used so often and nowhere else.
func (r *rewriter) product(s *ir.Value, uses int, attrs map[string]*ir.Attr) (of scoring, ok bool) {
	if !r.private(s, uses) {
		return of, false
	}
	of.scale = 1
	if uses == 1 {
		s, of.scale = r.scaled(s)
	} else if n := r.by(s, "Mul", "Div"); n != nil {
		if v, c := r.factorOf(n); v != nil {
			if s, of.scale = v, c; !r.private(s, 1) {
				return of, false
			}
		}
	}
	n := r.by(s, "MatMul", "Einsum")
	if n == nil || n.Clamp != nil || len(n.Inputs) != 2 || s != n.Outputs[0] {
		return of, false
	}
	if !op.Lean && n.Op == "Einsum" {
		a, b, y, ok := letters(n)
		for i := 0; ok && i < 2; i++ {
			found := map[string]*ir.Attr{}
			if a[3] == b[3] && headed(a, y[0], y[1], y[2], a[3], found, "q_rows") && headed(b, y[0], y[1], y[3], a[3], found, "k_rows") {
				for name, attr := range found {
					attrs[name] = attr
				}
				of.q, of.k = r.times(n.Inputs[i], &of.scale), r.times(n.Inputs[1-i], &of.scale)
				return of, true
			}
			a, b = b, a
		}
		return of, false
	}
	of.q = r.times(n.Inputs[0], &of.scale)
	of.k = r.keys(r.times(n.Inputs[1], &of.scale), attrs)
	return of, of.k != nil
}

// times takes a factor off v.
func (r *rewriter) times(v *ir.Value, scale *float32) *ir.Value {
	of, c := r.scaled(v)
	*scale *= c
	return of
}

// keys are what kt is the transposed of, nil if it is not.
func (r *rewriter) keys(kt *ir.Value, attrs map[string]*ir.Attr) *ir.Value {
	outer := r.by(kt, "Reshape")
	if outer != nil {
		kt = outer.Inputs[0]
	}
	transpose := r.by(kt, "Transpose")
	if transpose == nil {
		return nil
	}
	k := transpose.Inputs[0]
	perm, _ := transpose.Ints("perm")
	if outer != nil { // as PyTorch's newer exporter has it
		inner := r.by(k, "Reshape")
		if inner == nil || !same(perm, 0, 2, 1) {
			return nil
		}
		k = inner.Inputs[0]
		in, out := inner.In(1), outer.In(1)
		if r.rank(k) == 4 && r.length(in) == 3 && r.length(out) == 4 && inner.Int("allowzero", 0)|outer.Int("allowzero", 0) == 0 &&
			r.isDim(in, 1, k, 2) && r.isDim(in, 2, k, 3) && r.isDim(out, 0, k, 0) && r.isDim(out, 1, k, 1) && r.isDim(out, 2, k, 3) && r.isDim(out, 3, k, 2) {
			return k
		}
		return nil
	}
	switch {
	case same(perm, 0, 1, 3, 2), same(perm, 0, 2, 1):
		return k
	case same(perm, 0, 2, 3, 1), same(perm, 1, 2, 0):
		attrs["k_rows"] = intAttr(1)
		return k
	}
	return nil
}

// repeated is what v has each head of n times in a row,
//
//	v = Reshape(Expand(Unsqueeze(x, 2), [batch, heads, n, rows, depth]), [batch, heads·n, rows, depth])
//
// or 0 times where it is not known to be that.
func (r *rewriter) repeated(v *ir.Value) (x *ir.Value, n int64) {
	reshape := r.by(v, "Reshape")
	if reshape == nil {
		return nil, 0
	}
	expand := r.by(reshape.Inputs[0], "Expand")
	if expand == nil {
		return nil, 0
	}
	unsqueeze := r.by(expand.Inputs[0], "Unsqueeze")
	if unsqueeze == nil {
		return nil, 0
	}
	axes, ok := unsqueeze.Ints("axes")
	if in := unsqueeze.In(1); in != nil {
		axes, ok = ints(in)
	}
	x = unsqueeze.Inputs[0]
	many, to := expand.In(1), reshape.In(1)
	if !ok || !same(axes, 2) && !same(axes, -3) || r.rank(x) != 4 || r.length(many) != 5 || r.length(to) != 4 {
		return nil, 0
	}
	times, ok := r.element(many, 2, 0)
	heads, known := r.dim(x, 1, 0)
	if !ok || times.of != nil || times.n < 1 || times.n > op.MaxHeads || !known {
		return nil, 0
	}
	open := 0 // dimensions that follow from the others
	for axis := range 4 {
		i := axis
		if axis >= 2 {
			i++
		}
		if s, ok := r.element(many, i, 0); !(ok && s == size{n: 1}) && !r.isDim(many, i, x, axis) {
			return nil, 0
		}
		s, ok := r.element(to, axis, 0)
		switch {
		case ok && s == size{n: -1}:
			open++
		case ok && s == size{}: // what that dimension of the Expand is
			if axis > 0 || reshape.Int("allowzero", 0) != 0 {
				return nil, 0
			}
		case axis == 1 && (!ok || heads.of != nil || s != size{n: heads.n * times.n}),
			axis != 1 && !r.isDim(to, axis, x, axis):
			return nil, 0
		}
	}
	if open > 1 {
		return nil, 0
	}
	return x, times.n
}

// maskOf is what is added to the scores, nil for nothing. Where and Add become those of the
// masks alone, where they are.
func (r *rewriter) maskOf(s *scoring) *ir.Value {
	if s.where == nil {
		return s.mask
	}
	anew := func(n *ir.Node, op string, inputs ...*ir.Value) *ir.Value {
		v := &ir.Value{Name: n.Outputs[0].Name + ".mask", Type: ir.Float32}
		r.become(n, "", op, n.Version, nil, inputs...)
		n.Outputs = []*ir.Value{v}
		r.producer[v] = n
		r.inferRank(n)
		return v
	}
	inputs := [...]*ir.Value{s.seen, s.where.Inputs[1], s.where.Inputs[2]}
	inputs[s.at] = constant("shown", nil, []float32{0})
	mask := anew(s.where, "Where", inputs[:]...)
	if s.mask != nil {
		mask = anew(s.add, "Add", mask, s.mask)
	}
	return mask
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
	if n := r.by(v, "Transpose"); n != nil && attrs[name] == nil && swapsHeads(n) {
		attrs[name] = intAttr(1)
		return n.Inputs[0]
	}
	return v
}

// swapsHeads says that a Transpose puts the heads before the rows, or the rows before them.
func swapsHeads(n *ir.Node) bool {
	perm, _ := n.Ints("perm")
	return same(perm, 0, 2, 1, 3) || same(perm, 1, 0, 2)
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
