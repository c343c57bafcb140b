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
//	Tanh(√(2/π)·x + √(2/π)·0.044715·x³)     in any spelling by Add, Mul, Div and Pow,
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
			root := float32(math.Sqrt(2 / math.Pi))
			p, ok := r.polynomial(tanh.Inputs[0], x)
			if ok && p[0] == 0 && near(p[1], root) && p[2] == 0 && near(p[3], 0.044715*root) {
				r.become(n, "", "Gelu", 20, map[string]*ir.Attr{"approximate": {Kind: ir.AttrString, S: "tanh"}}, x)
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
		for i := range 2 {
			if x := n.Inputs[1-i]; x.Const == nil {
				if c, ok := r.numberFor(n.Inputs[i], x); ok {
					return x, c
				}
			}
		}
	} else if c, ok := r.numberFor(n.Inputs[1], n.Inputs[0]); ok && c != 0 {
		return n.Inputs[0], 1 / c
	}
	return nil, 1
}

// polynomial gives the coefficients of v as a polynomial in x, of no more than the third
// degree, where all that it is made of is used for it alone.
func (r *rewriter) polynomial(v, x *ir.Value) (p [4]float32, ok bool) {
	if v == x {
		return [4]float32{1: 1}, true
	}
	if c, ok := r.scalarFor(v, x); ok {
		return [4]float32{c}, true
	}
	n := r.by(v, "Add", "Mul", "Div", "Pow")
	if n == nil || !r.private(v, 1) || len(n.Inputs) != 2 {
		return p, false
	}
	a, ok1 := r.polynomial(n.Inputs[0], x)
	if !ok1 {
		return p, false
	}
	b, ok2 := r.polynomial(n.Inputs[1], x)
	number := b == [4]float32{b[0]}
	switch {
	case !ok2:
		return p, false
	case n.Op == "Mul":
		return times(a, b)
	case n.Op == "Add":
		for i := range p {
			p[i] = a[i] + b[i]
		}
		return p, true
	case n.Op == "Div" && number && b[0] != 0:
		return times(a, [4]float32{1 / b[0]})
	case n.Op == "Pow" && number && (b[0] == 2 || b[0] == 3):
		p, ok = times(a, a)
		if b[0] == 3 && ok {
			return times(p, a)
		}
		return p, ok
	}
	return p, false
}

// times multiplies polynomials whose product has a degree of no more than 3.
func times(a, b [4]float32) (p [4]float32, ok bool) {
	for i, v := range a {
		for j, w := range b {
			if c := v * w; c != 0 {
				if i+j > 3 {
					return p, false
				}
				p[i+j] += c
			}
		}
	}
	return p, true
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
