package opt

import (
	"math"

	"github.com/normwasm/normwasm/nn/ir"
)

// fuseGelu recognises x·(1 + f)/2 in its orders,
//
//	Mul(Mul(x, Add(f, 1)), 0.5), Mul(Mul(x, 0.5), Add(f, 1)), Mul(x, Mul(Add(f, 1), 0.5)), or with Div(·, 2),
//
// where f is Erf(x/√2), as Div or Mul, or
//
//	Tanh(Mul(Add(x, Mul(x³, 0.044715)), √(2/π)))     x³ as Pow(x, 3) or as products,
//
// and emits Gelu(x), of the second with approximate = "tanh".
//
// Left alone: other constants, and inner values that something else uses.
func fuseGelu(r *rewriter) {
	r.each(func(n *ir.Node) {
		if n.Domain != "" || n.Op != "Mul" && n.Op != "Div" || len(n.Inputs) != 2 {
			return
		}
		x, gate := r.halved(n)
		if x == nil {
			return
		}
		add := r.by(gate, "Add")
		if add == nil || !r.private(gate, 1) {
			return
		}
		f, one, ok := r.operands(add)
		if !ok || one != 1 || !r.private(f, 1) {
			return
		}
		if erf := r.by(f, "Erf"); erf != nil {
			if v, c := r.scaled(erf.Inputs[0]); v == x && near(c, math.Sqrt2/2) {
				r.become(n, "", "Gelu", 20, nil, x)
			}
			return
		}
		if tanh := r.by(f, "Tanh"); tanh != nil {
			v, c := r.scaled(tanh.Inputs[0])
			if sum := r.by(v, "Add"); sum != nil && near(c, float32(math.Sqrt(2/math.Pi))) && r.private(v, 1) {
				for i := range 2 {
					if cube, c := r.scaled(sum.Inputs[1-i]); sum.Inputs[i] == x && near(c, 0.044715) && r.cubeOf(cube, x) {
						r.become(n, "", "Gelu", 20, map[string]*ir.Attr{"approximate": {Kind: ir.AttrString, S: "tanh"}}, x)
						return
					}
				}
			}
		}
	})
}

// halved takes n apart as half of x times a gate, in any order; x is nil if it is not.
func (r *rewriter) halved(n *ir.Node) (x, gate *ir.Value) {
	isGate := func(v *ir.Value) bool {
		add := r.by(v, "Add")
		if add == nil {
			return false
		}
		f, _, ok := r.operands(add)
		return ok && r.by(f, "Erf", "Tanh") != nil
	}
	half := func(v *ir.Value) *ir.Value {
		if of, c := r.scaled(v); c == 0.5 {
			return of
		}
		return nil
	}
	if v, c := r.factorOf(n); c == 0.5 { // of the whole
		if mul := r.by(v, "Mul"); mul != nil && r.private(v, 1) {
			for i := range 2 {
				if isGate(mul.Inputs[i]) {
					return mul.Inputs[1-i], mul.Inputs[i]
				}
			}
		}
		return nil, nil
	}
	if n.Op != "Mul" {
		return nil, nil
	}
	for i := range 2 {
		a, b := n.Inputs[i], n.Inputs[1-i]
		if v := half(b); v != nil {
			if isGate(a) {
				return v, a
			}
			if isGate(v) {
				return a, v
			}
		}
	}
	return nil, nil
}

// factorOf takes n apart as a value times a scalar constant, 1 if it is none.
func (r *rewriter) factorOf(n *ir.Node) (*ir.Value, float32) {
	if n.Op == "Mul" {
		if x, c, ok := r.operands(n); ok {
			return x, c
		}
	} else if c, ok := r.scalarFor(n.Inputs[1], n.Inputs[0]); ok && c != 0 {
		return n.Inputs[0], 1 / c
	}
	return nil, 1
}

// cubeOf says that v is x³, which nothing else uses.
func (r *rewriter) cubeOf(v, x *ir.Value) bool {
	n := r.by(v, "Pow", "Mul")
	if n == nil || !r.private(v, 1) {
		return false
	}
	if n.Op == "Pow" {
		p, ok := r.scalarFor(n.Inputs[1], x)
		return ok && p == 3 && n.Inputs[0] == x
	}
	return n.Inputs[0] == x && r.squareOf(n.Inputs[1], x) || n.Inputs[1] == x && r.squareOf(n.Inputs[0], x)
}

// fuseGate recognises Mul(Silu(x), g), which a gated linear unit has between its products,
// and emits normwasm.SiluMul(x, g).
//
// Left alone: a Silu that something else uses, and products with a constant.
func fuseGate(r *rewriter) {
	r.each(func(n *ir.Node) {
		if n.Domain != "" || n.Op != "Mul" || len(n.Inputs) != 2 {
			return
		}
		for i := range 2 {
			silu, g := r.producer[n.Inputs[i]], n.Inputs[1-i]
			if silu != nil && silu.Domain == ir.Internal && silu.Op == "Silu" && g != n.Inputs[i] && g.Const == nil && r.private(n.Inputs[i], 1) {
				r.become(n, ir.Internal, "SiluMul", 1, nil, silu.Inputs[0], g)
				return
			}
		}
	})
}
