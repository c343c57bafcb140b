package opt

import (
	"math"

	"github.com/normwasm/normwasm/nn/ir"
)

// What shapes say before any of them is known. Exporters spell lists of dimensions in nodes
// (Shape, Gather, Unsqueeze, Concat), and numbers that are made of one (1/√depth).

// size is an element of a list of dimensions: a number, or whatever a dimension of a value is.
type size struct {
	n    int64 // if of is nil
	of   *ir.Value
	axis int
}

// How many nodes are followed: exporters need a dozen, and half of that where nodes may
// have two operands to follow.
const (
	deepest       = 32
	deepestNumber = 8
)

// inferLength notes how long a list of dimensions is that n makes.
func (r *rewriter) inferLength(n *ir.Node) {
	if n.Domain != "" || len(n.Outputs) != 1 || len(n.Inputs) == 0 {
		return
	}
	k := -1
	switch in := n.Inputs[0]; n.Op {
	case "Shape":
		if len(n.Attrs) == 0 {
			k = r.rank(in)
		}
	case "Cast":
		k = r.length(in)
	case "Where": // of lists that are equally long, for others are repeated
		if equal := r.by(in, "Equal"); equal != nil && equal.In(0) == n.In(2) {
			if l := r.length(n.In(2)); l == r.length(n.In(1)) && l == r.length(equal.In(1)) {
				k = l
			}
		}
	case "Unsqueeze":
		if r.rank(in) == 0 {
			k = 1
		}
	case "Slice":
		if _, count, ok := r.part(n); ok {
			k = count
		}
	case "Concat":
		k = 0
		for _, in := range n.Inputs {
			if l := r.length(in); l >= 0 && k >= 0 {
				k += l
			} else {
				k = -1
			}
		}
	}
	if k >= 0 {
		r.lengths[n.Outputs[0]] = k
	}
}

// length is how many elements a list of dimensions has, -1 where that is not known.
func (r *rewriter) length(v *ir.Value) int {
	if v == nil {
		return -1
	}
	if v.Const != nil {
		return v.Const.Len()
	}
	if k, ok := r.lengths[v]; ok {
		return k
	}
	return -1
}

// part says which elements of a list a Slice with constant bounds takes.
func (r *rewriter) part(n *ir.Node) (from, count int, ok bool) {
	all := r.length(n.Inputs[0])
	var bounds [2]int64
	for i, name := range [...]string{"starts", "ends"} {
		list, given := n.Ints(name)
		if in := n.In(1 + i); in != nil {
			list, given = ints(in)
		}
		if !given || len(list) != 1 {
			return 0, 0, false
		}
		bounds[i] = list[0]
		if bounds[i] < 0 {
			bounds[i] += int64(all)
		}
		bounds[i] = min(max(bounds[i], 0), int64(all))
	}
	if step, given := ints(n.In(4)); n.In(4) != nil && (!given || len(step) != 1 || step[0] != 1) {
		return 0, 0, false
	}
	return int(bounds[0]), int(max(bounds[1]-bounds[0], 0)), all >= 0
}

// element is one of a list of dimensions, or a single one.
func (r *rewriter) element(v *ir.Value, i, depth int) (s size, ok bool) {
	if v == nil || depth > deepest || i < 0 {
		return s, false
	}
	if v.Const != nil {
		list, ok := ints(v)
		if !ok || i >= len(list) {
			return s, false
		}
		return size{n: list[i]}, true
	}
	n := r.by(v, "Shape", "Unsqueeze", "Concat", "Cast", "Slice", "Gather", "Where")
	if n == nil {
		return s, false
	}
	switch n.Op {
	case "Shape":
		if len(n.Attrs) == 0 {
			return r.dim(n.Inputs[0], i, depth+1)
		}
	case "Gather":
		// An index that is a number, or a list of one.
		if at, ok := ints(n.Inputs[1]); ok && len(at) == 1 && i == 0 {
			from := int(at[0])
			if from < 0 {
				from += max(r.length(n.Inputs[0]), 0)
			}
			return r.element(n.Inputs[0], from, depth+1)
		}
	case "Slice":
		if from, count, ok := r.part(n); ok && i < count {
			return r.element(n.Inputs[0], from+i, depth+1)
		}
	case "Concat":
		for _, in := range n.Inputs {
			k := r.length(in)
			if k < 0 {
				return s, false
			}
			if i < k {
				return r.element(in, i, depth+1)
			}
			i -= k
		}
	case "Where":
		// Of elements that are −1, others: PyTorch writes so what it expands to, and dimensions never are.
		if equal := r.by(n.In(0), "Equal"); equal != nil && equal.In(0) == n.In(2) {
			s, ok := r.element(n.In(2), i, depth+1)
			if not, known := r.element(equal.In(1), i, depth+1); ok && known && not.of == nil && not.n < 0 && (s.of != nil || s.n >= 0) {
				return s, true
			}
		}
	default:
		return r.element(n.Inputs[0], i, depth+1)
	}
	return s, false
}

// dim is a dimension of v: that of what it is a view of, as far as this can be told.
func (r *rewriter) dim(v *ir.Value, i, depth int) (s size, ok bool) {
	if i < 0 || i >= r.rank(v) || depth > deepest {
		return s, false
	}
	switch {
	case v.Const != nil:
		return size{n: int64(v.Const.Dims[i])}, true
	case v.Known && v.Dims[i].Size >= 0:
		return size{n: int64(v.Dims[i].Size)}, true
	}
	switch n := r.by(v, "Transpose", "Reshape", "Concat"); {
	case n == nil:
	case n.Op == "Transpose":
		if perm, ok := n.Ints("perm"); ok && i < len(perm) {
			return r.dim(n.Inputs[0], int(perm[i]), depth+1)
		}
	case n.Op == "Reshape":
		if s, ok := r.element(n.In(1), i, depth+1); ok && (s.of != nil || s.n > 0) {
			return s, true
		}
	default: // of the first operand, as the others have to have it
		if axis := int(n.Int("axis", 0)); axis != i && axis+r.rank(v) != i {
			return r.dim(n.Inputs[0], i, depth+1)
		}
	}
	return size{of: v, axis: i}, true
}

// isDim says that an element of a list is a dimension of v.
func (r *rewriter) isDim(list *ir.Value, i int, v *ir.Value, axis int) bool {
	a, ok1 := r.element(list, i, 0)
	b, ok2 := r.dim(v, axis, 0)
	return ok1 && ok2 && a == b
}

// computed is a single number that is made of constants and of dimensions that are known.
func (r *rewriter) computed(v *ir.Value, depth int) (float32, bool) {
	if c, ok := scalar(v); ok {
		return c, len(v.Const.Dims) <= 1
	}
	n := r.by(v, "Cast", "Sqrt", "Reciprocal", "Div", "Mul", "Pow")
	if n == nil || depth > deepestNumber {
		return 0, false
	}
	if n.Op == "Cast" {
		if n.Int("to", 0) != int64(ir.Float32) {
			return 0, false
		}
		if s, ok := r.element(n.Inputs[0], 0, depth+1); ok && s.of == nil && (r.length(n.Inputs[0]) == 1 || r.rank(n.Inputs[0]) == 0) {
			return float32(s.n), true
		}
		return r.computed(n.Inputs[0], depth+1)
	}
	a, ok := r.computed(n.Inputs[0], depth+1)
	b := float32(1)
	if ok && len(n.Inputs) > 1 {
		b, ok = r.computed(n.Inputs[1], depth+1)
	}
	switch n.Op {
	case "Sqrt":
		a = float32(math.Sqrt(float64(a)))
	case "Reciprocal":
		a = 1 / a
	case "Div":
		a /= b
	case "Mul":
		a *= b
	case "Pow":
		a = float32(math.Pow(float64(a), float64(b)))
	}
	return a, ok
}

// numberFor is scalarFor where v may also be computed from dimensions.
func (r *rewriter) numberFor(v, x *ir.Value) (float32, bool) {
	if c, ok := r.scalarFor(v, x); ok {
		return c, true
	}
	if n := r.rank(v); v.Const != nil || n < 0 || n > max(0, r.rank(x)) {
		return 0, false
	}
	return r.computed(v, 0)
}
