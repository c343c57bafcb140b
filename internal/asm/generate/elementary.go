package main

import "github.com/normwasm/normwasm/internal/asm"

// The constants of internal/kernel; its tests hold the two together, bit by bit.
const (
	expMax       = 89
	expMin       = -105
	log2e        = 1.44269504
	expMagic     = 12582912
	expMagicBits = 0x4b400000
	ln2Hi        = 0.693359375
	ln2Lo        = -2.12194440e-4
	exp2         = 0.5
	exp3         = 0.16666576846
	exp4         = 0.0416665544377
	exp5         = 0.00836320297158
	exp6         = 0.00139262134663

	tanhSplit = 0.625
	sqrtHalf  = 0.70710678

	geluLinear = 1.5957691216
	geluCubic  = 0.0713548163

	signBit = 1 << 31
)

var (
	tanhTerms  = []float32{-0.00609671416591, 0.0209971789991, -0.0538509095785, 0.13332769737, -0.333333289441}
	erfTerms   = []float32{7.87587506269e-5, -0.000801686428717, 0.00518908742343, -0.0268542120106, 0.112835947152, -0.376126266667, 0.128379165848}
	erfcTerms  = []float32{0.0939210176083, -0.228245865758, 0.0859866510319, 0.0578009716881, 0.180396721157, 0.246510428486, 0.28210471533, 0.282094740414}
	expTerms   = []float32{exp6, exp5, exp4, exp3, exp2}
	expScalars = []float32{log2e, expMagic, ln2Hi, ln2Lo}
)

// function writes the elementary functions of one vector. Its methods emit code
// and leave their result in a register or give an expression.
type function struct {
	f *asm.Func
	pool
	x, r, g, n asm.V // temporaries: the argument, reduced, the polynomial, the integer
}

func newFunction(f *asm.Func, constants ...float32) function {
	return function{f, newPool(f, constants...), f.NewV("arg"), f.NewV("r"), f.NewV("g"), f.NewV("n")}
}

// horner leaves in g the polynomial in v whose first coefficient comes first.
func (k function) horner(v asm.V, terms []float32) {
	k.g.Set(k.c(terms[0]))
	for _, t := range terms[1:] {
		k.g.Set(k.mulAdd(k.g, v, t))
	}
}

// exp is expOf(v), given in g.
func (k function) exp(v asm.V) asm.V {
	x, r, g, n := k.x, k.r, k.g, k.n
	x.Set(v.PMin(k.c(expMax)).PMax(k.c(expMin)))
	r.Set(k.mulAdd(x, k.c(log2e), expMagic))
	n.Set(r.Sub(k.c(expMagic)))
	x.Set(x.Sub(n.Mul(k.c(ln2Hi))).Sub(n.Mul(k.c(ln2Lo))))
	n.Set(r.SubI32(k.bits(expMagicBits))) // i, the integer
	k.horner(x, expTerms)
	g.Set(x.Mul(x).Mul(g).Add(x).Add(k.c(1)))
	r.Set(n.ShrI32(1))
	power := func(e asm.V) asm.V { return e.AddI32(k.bits(127)).ShlI32(23) }
	g.Set(g.Mul(power(r)))
	g.Set(g.Mul(power(n.SubI32(r))))
	return g
}

// sigmoid is sigmoidOf(v); v must be a register.
func (k function) sigmoid(v asm.V) asm.V {
	e := k.exp(v.Abs().Neg())
	top := e.Select(v.Lt(k.c(0)), k.c(1))
	return top.Div(k.c(1).Add(e))
}

// tanh is tanhOf(v); v must be a register.
func (k function) tanh(v, small asm.V) asm.V {
	k.x.Set(v.Mul(v))
	k.horner(k.x, tanhTerms)
	small.Set(v.Mul(k.x).Mul(k.g).Add(v))
	k.n.Set(v.Abs())
	e := k.exp(k.n.Add(k.n).Neg())
	large := k.c(1).Sub(e).Div(k.c(1).Add(e))
	return small.Select(v.Abs().Lt(k.c(tanhSplit)), large).Or(v.And(k.bits(signBit)))
}

// erfSmall leaves erfSmall(v) in small; v must be a register.
func (k function) erfSmall(v, small asm.V) {
	k.x.Set(v.Mul(v))
	k.horner(k.x, erfTerms)
	small.Set(v.Mul(k.g).Add(v))
}

// erfcLarge is erfcLarge(t), which leaves t alone; the polynomial is kept in q.
func (k function) erfcLarge(t, q asm.V) asm.V {
	k.x.Set(k.c(1).Div(t.Mul(k.c(0.5)).Add(k.c(1))))
	k.horner(k.x, erfcTerms)
	q.Set(k.g.Mul(k.x))
	return q.Mul(k.exp(t.Mul(t).Neg()))
}

var expConstants = append(append([]float32{}, expScalars...), expTerms...)

func silu(f *asm.Func) func(x asm.V) asm.V {
	k := newFunction(f, append(expConstants, 1, expMin)...)
	return func(x asm.V) asm.V { return x.Mul(k.sigmoid(x)) }
}

func elementary(file *asm.File) {
	add := func(name, doc string, build func(f *asm.Func) func(x asm.V) asm.V) {
		file.Func("func "+name+"(y, x *float32, n int)", name+" is y = "+doc+".",
			func(f *asm.Func) { unary(f, 1, build(f)) })
	}
	add("ExpN", "ExpOf(x)", func(f *asm.Func) func(x asm.V) asm.V {
		return newFunction(f, append(expConstants, 1, expMax)...).exp
	})
	add("SigmoidN", "SigmoidOf(x)", func(f *asm.Func) func(x asm.V) asm.V {
		return newFunction(f, append(expConstants, 1, expMin)...).sigmoid
	})
	add("SiluN", "x * SigmoidOf(x)", silu)
	add("TanhN", "TanhOf(x)", func(f *asm.Func) func(x asm.V) asm.V {
		small := f.NewV("small")
		k := newFunction(f, append(expConstants, 1)...)
		return func(x asm.V) asm.V { return k.tanh(x, small) }
	})
	add("ErfN", "ErfOf(x)", func(f *asm.Func) func(x asm.V) asm.V {
		small, q, t := f.NewV("small"), f.NewV("q"), f.NewV("t")
		k := newFunction(f, append(expConstants[:7:7], 1)...)
		return func(x asm.V) asm.V {
			k.erfSmall(x, small)
			t.Set(x.Abs())
			large := k.c(1).Sub(k.erfcLarge(t, q)).Or(x.And(k.bits(signBit)))
			return small.Select(t.Lt(k.c(1)), large)
		}
	})
	add("GeluN", "x * NormalOf(x)", func(f *asm.Func) func(x asm.V) asm.V {
		small, q, t, s := f.NewV("small"), f.NewV("q"), f.NewV("t"), f.NewV("s")
		k := newFunction(f, append(expConstants[:6:6], 1)...)
		return func(x asm.V) asm.V {
			s.Set(x.Mul(k.c(sqrtHalf)))
			k.erfSmall(s, small)
			small.Set(k.c(0.5).Mul(small).Add(k.c(0.5)))
			t.Set(s.Abs())
			q.Set(k.c(0.5).Mul(k.erfcLarge(t, q)))
			large := q.Select(s.Lt(k.c(0)), k.c(1).Sub(q))
			return x.Mul(small.Select(t.Lt(k.c(1)), large))
		}
	})
	add("GeluTanhN", "x * SigmoidOf(x * (x*x*geluCubic + geluLinear))", func(f *asm.Func) func(x asm.V) asm.V {
		u := f.NewV("u")
		k := newFunction(f, append(expConstants, 1)...)
		return func(x asm.V) asm.V {
			u.Set(x.Mul(x.Mul(x).Mul(k.c(geluCubic)).Add(k.c(geluLinear))))
			return x.Mul(k.sigmoid(u))
		}
	})
}
