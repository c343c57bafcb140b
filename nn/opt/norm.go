package opt

import (
	"math"

	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/op"
)

// fuseRMSNorm recognises RMSNorm spelled in primitive nodes,
//
//	m = ReduceMean(Pow(x, 2) or Mul(x, x), axes)
//	s = Sqrt(Add(m, ε))
//	n = Div(x, s), or Mul(x, ·) with Reciprocal(s), Div(1, s) or Pow(Add(m, ε), −1/2)
//	y = Mul(n, γ)
//
// with axes the last k and γ a constant of those k dimensions, and emits ONNX's
// RMSNormalization(x, γ; axis = −k, epsilon = ε). What else uses x does not matter.
//
// Left alone: another power, ε outside the root, axes that are not the last ones,
// keepdims=0, no γ, or one that varies over other axes or is computed, and any inner value
// that something else uses.
func fuseRMSNorm(r *rewriter) {
	r.each(func(n *ir.Node) {
		if n.Domain != "" || n.Op != "Div" && n.Op != "Mul" || len(n.Inputs) != 2 || !r.private(n.Outputs[0], 1) {
			return
		}
		var x *ir.Value
		var axes []int64
		var epsilon float32
		if n.Op == "Div" {
			if sqrt := r.by(n.Inputs[1], "Sqrt"); sqrt != nil && r.private(n.Inputs[1], 1) {
				x = n.Inputs[0]
				axes, epsilon = r.meanSquare(sqrt.Inputs[0], x)
			}
		} else {
			for i := 0; i < 2 && axes == nil; i++ {
				if sum := r.inverseRoot(n.Inputs[i]); sum != nil {
					x = n.Inputs[1-i]
					axes, epsilon = r.meanSquare(sum, x)
				}
			}
		}
		if axes == nil {
			return
		}
		mul := r.users[n.Outputs[0]][0]
		if mul.Domain != "" || mul.Op != "Mul" {
			return
		}
		gamma := other(mul, n.Outputs[0])
		if !r.affineOver(gamma, x, len(axes)) {
			return
		}
		r.become(mul, "", "RMSNormalization", 23, map[string]*ir.Attr{"axis": intAttr(-int64(len(axes))), "epsilon": floatAttr(epsilon)}, x, gamma)
		mul.Wide = true
	})
}

// inverseRoot is the value of which v is one over the root, nil for none.
func (r *rewriter) inverseRoot(v *ir.Value) *ir.Value {
	n := r.by(v, "Reciprocal", "Div", "Pow")
	if n == nil || !r.private(v, 1) {
		return nil
	}
	root := n.Inputs[0]
	switch n.Op {
	case "Pow":
		if p, ok := r.scalarFor(n.Inputs[1], root); !ok || p != -0.5 {
			return nil
		}
		return root
	case "Div":
		if one, ok := r.scalarFor(root, n.Inputs[1]); !ok || one != 1 {
			return nil
		}
		root = n.Inputs[1]
	}
	if sqrt := r.by(root, "Sqrt"); sqrt != nil && r.private(root, 1) {
		return sqrt.Inputs[0]
	}
	return nil
}

// meanSquare says that sum is mean(x²) + ε over the last axes, which it returns, nil if not.
func (r *rewriter) meanSquare(sum, x *ir.Value) (axes []int64, epsilon float32) {
	add := r.by(sum, "Add")
	if add == nil || !r.private(sum, 1) {
		return nil, 0
	}
	v, epsilon, ok := r.operands(add)
	if !ok || !(epsilon >= 0) {
		return nil, 0
	}
	mean := r.by(v, "ReduceMean")
	if mean == nil || !r.private(v, 1) || !r.squareOf(mean.Inputs[0], x) {
		return nil, 0
	}
	if axes, ok = r.lastAxes(mean, x); !ok {
		return nil, 0
	}
	return axes, epsilon
}

// squareOf says that v is x², which nothing else uses.
func (r *rewriter) squareOf(v, x *ir.Value) bool {
	n := r.by(v, "Pow", "Mul")
	if n == nil || !r.private(v, 1) || n.Inputs[0] != x {
		return false
	}
	if n.Op == "Mul" {
		return n.Inputs[1] == x
	}
	p, ok := r.scalarFor(n.Inputs[1], x)
	return ok && p == 2
}

// fuseResidual lets a normalization add up what it normalizes: Add(a, b) in front of
// LayerNormalization, RMSNormalization or SimplifiedLayerNormalization of the last axis
// becomes com.microsoft's SkipLayerNormalization or SkipSimplifiedLayerNormalization of a
// and b, in the Add's place. Where something else uses the sum as well, that is its fourth
// output.
//
// Left alone: sums with a constant or clamped, scales and biases that are computed or not of
// one dimension, normalizations of further axes or with further outputs, and all but the
// first normalization of one sum.
func fuseResidual(r *rewriter) {
	r.each(func(n *ir.Node) {
		rms := n.Op == "RMSNormalization" || n.Op == "SimplifiedLayerNormalization"
		if !rms && n.Op != "LayerNormalization" || n.Domain != "" || len(n.Outputs) != 1 {
			return
		}
		sum := n.Inputs[0]
		add := r.by(sum, "Add")
		rank := r.rank(sum)
		if add == nil || add.Clamp != nil || add.Inputs[0].Const != nil || add.Inputs[1].Const != nil || rank < 1 || !isFloat32(sum) {
			return
		}
		if axis := n.Int("axis", -1); axis != -1 && axis != int64(rank)-1 {
			return
		}
		for _, v := range n.Inputs[1:] {
			if f, ok := floats(v); v != nil && (!ok || len(v.Const.Dims) != 1 || len(f) < 2) {
				return
			}
		}
		name, row := "SkipLayerNormalization", op.Find(n.Key())
		if rms {
			name = "SkipSimplifiedLayerNormalization"
		}
		epsilon := float32(1e-5)
		for _, a := range row.Attrs {
			if a.Name == "epsilon" {
				epsilon = a.F
			}
		}
		attrs := map[string]*ir.Attr{"epsilon": floatAttr(n.Float("epsilon", epsilon))}
		a, b, gamma, beta, y := add.Inputs[0], add.Inputs[1], n.In(1), n.In(2), n.Outputs[0]
		r.kill(n)
		r.become(add, microsoft, name, 1, attrs, a, b, gamma, beta)
		add.Wide = true
		add.Outputs = []*ir.Value{y}
		r.producer[y] = add
		if r.pinned[sum] || len(r.users[sum]) > 0 {
			add.Outputs = []*ir.Value{y, nil, nil, sum}
		}
	})
}

// fuseGroupNorm recognises GroupNorm as PyTorch exports it,
//
//	g = Reshape(x, [n, G, −1])        n is 0, which stands for x's, or a number
//	g = InstanceNormalization(g; ε)   with scales of 1 and biases of 0
//	y = Reshape(g, shape)             Shape(x), or constants that begin with 0 or the same n
//	y = Mul(y, γ), y = Add(y, β)      constants [C, 1, …, 1], one dimension less than y has
//
// and emits GroupNormalization(Reshape(x, shape), γ, β; num_groups = G, epsilon = ε). G is
// larger than 1, and divides C.
//
// Left alone: other scales and biases within the groups, γ and β that are computed or vary
// over other axes, one group, shapes that may change the batch, and inner values that
// something else uses.
func fuseGroupNorm(r *rewriter) {
	r.each(func(n *ir.Node) {
		if n.Domain != "" || n.Op != "InstanceNormalization" || !r.private(n.Outputs[0], 1) || !all(n.In(1), 1) || !all(n.In(2), 0) {
			return
		}
		in, out := r.by(n.Inputs[0], "Reshape"), r.users[n.Outputs[0]][0]
		if in == nil || !r.private(n.Inputs[0], 1) || out.Domain != "" || out.Op != "Reshape" || out.Inputs[0] != n.Outputs[0] || in.Int("allowzero", 0)|out.Int("allowzero", 0) != 0 {
			return
		}
		x := in.Inputs[0]
		from, ok := ints(in.In(1))
		if !ok || len(from) != 3 || from[2] != -1 || from[1] < 2 || from[0] < 0 || !isFloat32(x) {
			return
		}
		rank := 0
		if shape := r.by(out.In(1), "Shape"); shape != nil && shape.Inputs[0] == x && len(shape.Attrs) == 0 && from[0] == 0 {
			rank = r.rank(x)
		} else if to, ok := ints(out.In(1)); ok && len(to) > 0 && (to[0] == 0 || to[0] == from[0]) {
			rank = len(to)
		}
		y := out.Outputs[0]
		if rank < 3 || !r.private(y, 1) {
			return
		}
		mul := r.users[y][0]
		if mul.Domain != "" || mul.Op != "Mul" || !r.private(mul.Outputs[0], 1) {
			return
		}
		add := r.users[mul.Outputs[0]][0]
		if add.Domain != "" || add.Op != "Add" {
			return
		}
		gamma, ok1 := channels(other(mul, y), rank)
		beta, ok2 := channels(other(add, mul.Outputs[0]), rank)
		if !ok1 || !ok2 || len(gamma) != len(beta) || int64(len(gamma))%from[1] != 0 {
			return
		}
		attrs := map[string]*ir.Attr{"num_groups": intAttr(from[1]), "epsilon": floatAttr(n.Float("epsilon", 1e-5))}
		shape := out.Inputs[1]
		r.become(out, "", "Reshape", 13, nil, x, shape)
		r.become(add, "", "GroupNormalization", 21, attrs, y, constant("gamma", []int{len(gamma)}, gamma), constant("beta", []int{len(beta)}, beta))
	})
}

// all says that v is a constant, every element of which is c.
func all(v *ir.Value, c float32) bool {
	f, ok := floats(v)
	for _, e := range f {
		ok = ok && e == c
	}
	return ok
}

// ints is v's value when it is a constant list of integers.
func ints(v *ir.Value) ([]int64, bool) {
	if v == nil || v.Const == nil || v.Const.Type != ir.Int64 {
		return nil, false
	}
	return v.Const.Ints(), true
}

// channels is a constant [C, 1, …, 1] for the channels of what has so many dimensions.
func channels(v *ir.Value, rank int) ([]float32, bool) {
	f, ok := floats(v)
	if !ok || len(f) < 2 || len(v.Const.Dims) != rank-1 || v.Const.Dims[0] != len(f) {
		return nil, false
	}
	return f, true
}

// fuseLpNorm recognises x over its length, as PyTorch's normalize is exported,
//
//	n = ReduceL2(x, axis) or ReduceL1   one axis, keepdims
//	n = Clip(n, ε) or Max(n, ε)         ε larger than 0
//	n = Expand(n, Shape(x))             may be missing
//	y = Div(x, n)
//
// and emits normwasm.LpNormalization(x; axis, p, epsilon = ε): x/max(n, ε).
//
// Left alone: several axes, keepdims=0, an upper bound, no lower one (for x of length 0 is
// NaN then), and a norm that something else uses.
func fuseLpNorm(r *rewriter) {
	r.each(func(n *ir.Node) {
		if n.Domain != "" || n.Op != "Div" || len(n.Inputs) != 2 {
			return
		}
		x, v := n.Inputs[0], n.Inputs[1]
		if expand := r.by(v, "Expand"); expand != nil && r.private(v, 1) {
			if shape := r.by(expand.In(1), "Shape"); shape == nil || shape.Inputs[0] != x || len(shape.Attrs) > 0 {
				return
			}
			v = expand.Inputs[0]
		}
		epsilon := float32(0)
		if clip := r.by(v, "Clip"); clip != nil && r.private(v, 1) {
			lo, hi, ok := clipBounds(clip)
			if !ok || !(lo > 0) || hi < math.MaxFloat32 {
				return
			}
			v, epsilon = clip.Inputs[0], lo
		} else if clip := r.by(v, "Max"); clip != nil && r.private(v, 1) {
			of, lo, ok := r.operands(clip)
			if !ok || !(lo > 0) {
				return
			}
			v, epsilon = of, lo
		}
		if epsilon == 0 {
			return
		}
		reduce := r.by(v, "ReduceL2", "ReduceL1")
		if reduce == nil || !r.private(v, 1) || reduce.Inputs[0] != x || reduce.Int("keepdims", 1) != 1 || !isFloat32(x) {
			return
		}
		axes, ok := reduce.Ints("axes")
		if in := reduce.In(1); in != nil {
			axes, ok = ints(in)
		}
		if !ok || len(axes) != 1 {
			return
		}
		p := int64(2)
		if reduce.Op == "ReduceL1" {
			p = 1
		}
		r.become(n, ir.Internal, "LpNormalization", 1, map[string]*ir.Attr{"axis": intAttr(axes[0]), "p": intAttr(p), "epsilon": floatAttr(epsilon)}, x)
	})
}
