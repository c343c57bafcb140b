package opt

import (
	"math"

	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/op"
)

// fuseHardSwish recognises x·clip(x+3, 0, 6)/6 in its usual spellings,
//
//	Div(Mul(x, Clip(Add(x, 3), 0, 6)), 6), with Mul(·, 1/6) for the Div,
//	Mul(x, Div(Clip(Add(x, 3), 0, 6), 6)),
//	Mul(x, HardSigmoid(x; alpha = 1/6, beta = 0.5)),
//
// and emits HardSwish(x); Div(Clip(Add(x, 3), 0, 6), 6) on its own becomes
// HardSigmoid(x; alpha = 1/6, beta = 0.5).
//
// Left alone: other constants, and inner values that something else uses.
func fuseHardSwish(r *rewriter) {
	r.each(func(n *ir.Node) {
		x, sixth := r.sixth(n)
		if !sixth {
			return
		}
		if y, ok := r.shiftedClip(x); ok && r.private(x, 1) {
			attrs := map[string]*ir.Attr{"alpha": floatAttr(1.0 / 6), "beta": floatAttr(0.5)}
			r.become(n, "", "HardSigmoid", 6, attrs, y)
			return
		}
		mul := r.by(x, "Mul")
		if mul == nil || !r.private(x, 1) {
			return
		}
		for i := range 2 {
			if y, ok := r.shiftedClip(mul.Inputs[i]); ok && mul.Inputs[1-i] == y && r.private(mul.Inputs[i], 1) {
				r.become(n, "", "HardSwish", 14, nil, y)
				return
			}
		}
	})
	r.each(func(n *ir.Node) {
		if n.Domain != "" || n.Op != "Mul" || len(n.Inputs) != 2 {
			return
		}
		for i := range 2 {
			h := r.by(n.Inputs[i], "HardSigmoid")
			if h != nil && h.Inputs[0] == n.Inputs[1-i] && r.private(n.Inputs[i], 1) &&
				near(h.Float("alpha", 0.2), 1.0/6) && h.Float("beta", 0.5) == 0.5 {
				r.become(n, "", "HardSwish", 14, nil, h.Inputs[0])
				return
			}
		}
	})
}

// sixth says that n is a sixth of x, as a quotient or a product.
func (r *rewriter) sixth(n *ir.Node) (x *ir.Value, ok bool) {
	if n.Domain != "" || len(n.Inputs) != 2 {
		return nil, false
	}
	switch n.Op {
	case "Div":
		c, isConst := r.scalarFor(n.Inputs[1], n.Inputs[0])
		return n.Inputs[0], isConst && c == 6
	case "Mul":
		x, c, isConst := r.operands(n)
		return x, isConst && near(c, 1.0/6)
	}
	return nil, false
}

// shiftedClip says that v is clip(x+3, 0, 6), its sum private.
func (r *rewriter) shiftedClip(v *ir.Value) (x *ir.Value, ok bool) {
	clip := r.by(v, "Clip")
	if clip == nil {
		return nil, false
	}
	lo, hi, isConst := clipBounds(clip)
	if !isConst || lo != 0 || hi != 6 {
		return nil, false
	}
	add := r.by(clip.Inputs[0], "Add")
	if add == nil || !r.private(clip.Inputs[0], 1) {
		return nil, false
	}
	x, c, isConst := r.operands(add)
	return x, isConst && c == 3
}

// clipBounds are the bounds of a Clip node, the largest numbers where it has none; ok is
// false when one is computed.
func clipBounds(n *ir.Node) (lo, hi float32, ok bool) {
	lo, hi = -math.MaxFloat32, math.MaxFloat32
	if n.Version < 11 {
		return n.Float("min", lo), n.Float("max", hi), true
	}
	if v := n.In(1); v != nil {
		if lo, ok = scalar(v); !ok {
			return 0, 0, false
		}
	}
	if v := n.In(2); v != nil {
		if hi, ok = scalar(v); !ok {
			return 0, 0, false
		}
	}
	return lo, hi, true
}

// near allows for a constant that was rounded twice on its way.
func near(a, b float32) bool {
	return math.Abs(float64(a)-float64(b)) <= 1e-6*math.Abs(float64(b))
}

// fuseSilu recognises Mul(x, Sigmoid(x)) of float32 and emits normwasm.Silu(x), also
// known as swish; of Mul(x, Sigmoid(c·x)) with a scalar c it makes com.microsoft's QuickGelu(x; alpha = c). Left alone: a sigmoid that something else uses, a sigmoid of
// another value.
func fuseSilu(r *rewriter) {
	r.each(func(n *ir.Node) {
		if n.Domain != "" || n.Op != "Mul" || len(n.Inputs) != 2 {
			return
		}
		for i := range 2 {
			s, x := r.by(n.Inputs[i], "Sigmoid"), n.Inputs[1-i]
			if s == nil || !r.private(n.Inputs[i], 1) || n.Inputs[i].Type != ir.Float32 {
				continue
			}
			if s.Inputs[0] == x {
				r.become(n, ir.Internal, "Silu", 1, nil, x)
				return
			}
			if of, c := r.scaled(s.Inputs[0]); of == x {
				r.become(n, microsoft, "QuickGelu", 1, map[string]*ir.Attr{"alpha": floatAttr(c)}, x)
				return
			}
		}
	})
}

// fuseActivation lets a node clamp what it writes, where its operator's row says that it
// can: a Relu or a Clip with constant bounds behind it becomes its Clamp.
//
// Left alone: a result that something else uses too, a node that clamps already or has
// further outputs, other types than float32, bounds that are computed or NaN, lower bounds above upper ones; where
// the row has ReLU and ReLU6 only, other bounds; BatchNormalization in training mode.
func fuseActivation(r *rewriter) {
	r.each(func(n *ir.Node) {
		if n.Domain != "" || (n.Op != "Relu" && n.Op != "Clip") {
			return
		}
		x := n.In(0)
		p, row := r.fuses(x)
		if p == nil || row.Fuses == op.FusesNone {
			return
		}
		lo, hi := float32(0), float32(math.Inf(1))
		if n.Op == "Clip" {
			var ok bool
			if lo, hi, ok = clipBounds(n); !ok || !(lo <= hi) {
				return
			}
		}
		if lo == 0 && hi == 0 { // the zero Clamp is none to the kernels
			return
		}
		if row.Fuses == op.FusesRelu && (lo != 0 || hi != 6 && !math.IsInf(float64(hi), 1)) {
			return
		}
		p.Clamp = &ir.Clamp{Lo: lo, Hi: hi}
		r.absorb(p, n)
	})
}

// fuses is the node that computes x, and its operator's row, where what is done to x next can
// be done by the node itself.
func (r *rewriter) fuses(x *ir.Value) (*ir.Node, *op.Row) {
	p := r.producer[x]
	if p == nil || x.Type != ir.Float32 || p.Outputs[0] != x || !r.private(x, 1) || p.Clamp != nil || p.Apply != nil || op.Trains(p) {
		return nil, nil
	}
	for _, v := range p.Outputs[1:] {
		if v != nil {
			return nil, nil
		}
	}
	row := op.Find(p.Key())
	if row == nil {
		return nil, nil
	}
	return p, row
}

// fuseFunction lets a node apply a function to what it writes, while that is in a cache, where
// its operator's row says that it can: HardSwish, HardSigmoid, LeakyRelu, Sigmoid, Tanh, Silu
// or Gelu behind it becomes its Apply, and so does what scales and shifts a HardSwish by one
// number each.
//
// Left alone: what fuseActivation leaves alone too, a result that is clamped, scales of 0, and
// those behind a shift.
func fuseFunction(r *rewriter) {
	r.each(func(n *ir.Node) {
		if f := functionOf(n); f != nil {
			if p, row := r.fuses(n.In(0)); p != nil && row.Fuses == op.FusesFunction {
				p.Apply = f
				r.absorb(p, n)
			}
			return
		}
		if n.Domain != "" || n.Op != "Mul" && n.Op != "Add" {
			return
		}
		x, c, ok := r.operands(n)
		p := r.producer[x]
		if !ok || p == nil || p.Apply == nil || p.Apply.Op != "HardSwish" || p.Apply.Shift != 0 || !r.private(x, 1) {
			return
		}
		f := *p.Apply
		switch {
		case n.Op == "Mul" && (c == 0 || f.Scale != 0):
			return
		case n.Op == "Mul":
			f.Scale, f.Shift = c, float32(math.Copysign(0, -1)) // which changes no zero
		case f.Scale == 0:
			f.Scale = 1
			fallthrough
		default:
			f.Shift = c
		}
		p.Apply = &f
		r.absorb(p, n)
	})
}

// functionOf is what a node computes of each element of its only input, or nil.
func functionOf(n *ir.Node) *ir.Function {
	name, a, b := n.Op, float32(0), float32(0)
	switch {
	case name == "Silu" && n.Domain == ir.Internal:
	case n.Domain != "":
		return nil
	case name == "Sigmoid", name == "Tanh":
	case name == "Gelu":
		if approximate := n.Attrs["approximate"]; approximate != nil && approximate.S == "tanh" {
			name = "GeluTanh"
		}
	case name == "HardSwish":
		a, b = 1.0/6, 0.5
	case name == "HardSigmoid":
		a, b = n.Float("alpha", 0.2), n.Float("beta", 0.5)
	case name == "LeakyRelu":
		a = n.Float("alpha", 0.01)
	default:
		return nil
	}
	return &ir.Function{Op: name, A: a, B: b}
}
