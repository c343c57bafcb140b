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

	sqrtHalfBits = 0x3f3504f3
	infBits      = 0x7f800000
	nanBits      = 0x7fc00000
	mishMax      = 20
	expm1Min     = -20
)

var (
	tanhTerms  = []float32{-0.00609671416591, 0.0209971789991, -0.0538509095785, 0.13332769737, -0.333333289441}
	erfTerms   = []float32{7.87587506269e-5, -0.000801686428717, 0.00518908742343, -0.0268542120106, 0.112835947152, -0.376126266667, 0.128379165848}
	erfcTerms  = []float32{0.0939210176083, -0.228245865758, 0.0859866510319, 0.0578009716881, 0.180396721157, 0.246510428486, 0.28210471533, 0.282094740414}
	logTerms   = []float32{7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1}
	geluTerms  = []float32{1.131009964e-06, -1.517693968e-05, 0.00010009365, -0.0003570188201, 0.0008967556049, -0.001015571436, 0.002661388434, 0.00465687589, 0.02655945816, 0.0994196073, 0.1994748601}
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

// normalLog is normalLog(v, d), where v and d are registers, or d is nil.
func (k function) normalLog(v asm.V, d *asm.V) asm.V {
	f, z, e := k.x, k.r, k.n
	e.Set(v.SubI32(k.bits(sqrtHalfBits)).ShrI32(23))
	f.Set(v.SubI32(e.ShlI32(23)).Sub(k.c(1)))
	if d == nil {
		e.Set(e.ConvertI32())
	} else {
		e.Set(e.ConvertI32().Add(*d))
	}
	z.Set(f.Mul(f))
	k.horner(f, logTerms)
	r := f.Mul(z).Mul(k.g).Add(e.Mul(k.c(ln2Lo)))
	k.g.Set(f.Add(r.Sub(k.c(0.5).Mul(z))))
	return k.g.Add(e.Mul(k.c(ln2Hi)))
}

// expm1 is expm1(v), given in g.
func (k function) expm1(v asm.V) asm.V {
	x, r, g, n := k.x, k.r, k.g, k.n
	x.Set(v.PMax(k.c(expm1Min)))
	r.Set(k.mulAdd(x, k.c(log2e), expMagic))
	n.Set(r.Sub(k.c(expMagic)))
	x.Set(x.Sub(n.Mul(k.c(ln2Hi))).Sub(n.Mul(k.c(ln2Lo))))
	n.Set(r.SubI32(k.bits(expMagicBits)).AddI32(k.bits(127)).ShlI32(23))
	k.horner(x, expTerms)
	g.Set(x.Mul(x).Mul(g).Add(x).Mul(n))
	g.Set(g.Add(n.Sub(k.c(1))))
	return g
}

// sigmoid is sigmoidOf(v); v must be a register.
func (k function) sigmoid(v asm.V) asm.V {
	e := k.exp(v.Abs().Neg())
	top := e.Select(v.Lt(k.c(0)), k.c(1))
	return top.Div(k.c(1).Add(e))
}

// expNegative is exp(v) for v ≤ 0, but above 2^-29 only: below there is something as small.
func (k function) expNegative(v asm.V) asm.V {
	x, r, g, n := k.x, k.r, k.g, k.n
	x.Set(v.PMax(k.c(expm1Min)))
	r.Set(k.mulAdd(x, k.c(log2e), expMagic))
	n.Set(r.Sub(k.c(expMagic)))
	x.Set(x.Sub(n.Mul(k.c(ln2Hi))).Sub(n.Mul(k.c(ln2Lo))))
	n.Set(r.SubI32(k.bits(expMagicBits)).AddI32(k.bits(127)).ShlI32(23))
	k.horner(x, expTerms)
	g.Set(x.Mul(x).Mul(g).Add(x).Add(k.c(1)).Mul(n))
	return g
}

// tanh is tanhOf(v); v must be a register. It is 1 where the exponential is not exact.
func (k function) tanh(v, small asm.V) asm.V {
	k.x.Set(v.Mul(v))
	k.horner(k.x, tanhTerms)
	small.Set(v.Mul(k.x).Mul(k.g).Add(v))
	k.n.Set(v.Abs())
	e := k.expNegative(k.n.Add(k.n).Neg())
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
	add("GeluN", "GeluOf(x)", func(f *asm.Func) func(x asm.V) asm.V {
		t := f.NewV("t")
		k := newFunction(f, append(geluTerms[:6:6], 1, 2, 0.5)...)
		return func(x asm.V) asm.V {
			t.Set(x.Abs())
			k.horner(t, geluTerms)
			k.g.Set(k.g.Mul(t))
			for range 2 {
				k.g.Set(k.g.Mul(k.g.Add(k.c(2))))
			}
			k.r.Set(k.c(0.5).Div(k.g.Add(k.c(1))))
			return x.Mul(k.r.Select(x.Lt(k.c(0)), k.c(1).Sub(k.r)))
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
	add("LogN", "LogOf(x)", func(f *asm.Func) func(x asm.V) asm.V {
		v, d, tiny := f.NewV("v"), f.NewV("d"), f.NewV("tiny")
		k := newFunction(f, append(logTerms[:7:7], 1)...)
		return func(x asm.V) asm.V {
			tiny.Set(x.Lt(k.bits(1 << 23))) // the smallest normal number
			v.Set(x.Mul(k.c(1<<23)).Select(tiny, x))
			d.Set(k.c(-23).And(tiny))
			log := k.normalLog(v, &d)
			other := k.bits(infBits|signBit).Select(x.Eq(k.c(0)), k.bits(nanBits).Select(x.Lt(k.c(0)), x))
			return log.Select(x.Gt(k.c(0)).And(x.Lt(k.bits(infBits))), other)
		}
	})
	add("SoftplusN", "SoftplusOf(x)", func(f *asm.Func) func(x asm.V) asm.V {
		e, u := f.NewV("e"), f.NewV("u")
		k := newFunction(f, 1, expMagic, log2e, ln2Hi, ln2Lo)
		return func(x asm.V) asm.V {
			e.Set(k.exp(x.Abs().Neg()))
			u.Set(k.c(1).Add(e))
			rest := e.Sub(u.Sub(k.c(1))).Div(u)
			return x.And(x.Gt(k.c(0))).Add(k.normalLog(u, nil).Add(rest))
		}
	})
	add("MishN", "MishOf(x)", func(f *asm.Func) func(x asm.V) asm.V {
		w := f.NewV("w")
		k := newFunction(f, append(expConstants, 1)...)
		return func(x asm.V) asm.V {
			w.Set(k.exp(x.PMin(k.c(mishMax))))
			w.Set(w.Mul(w.Add(k.c(2))))
			return x.Mul(w.Div(w.Add(k.c(2))))
		}
	})
	file.Func("func EluN(y, x *float32, n int, divisor, alpha, gamma float32)",
		"EluN is y = gamma * (x < 0 ? alpha * expm1(x/divisor) : x).",
		func(f *asm.Func) {
			divisor, alpha, gamma := splatted(f, "divisor"), splatted(f, "alpha"), splatted(f, "gamma")
			k := newFunction(f, 1, expMagic, log2e, ln2Hi, ln2Lo)
			unary(f, 1, func(x asm.V) asm.V {
				e := alpha.Mul(k.expm1(x.Div(divisor)))
				return gamma.Mul(e.Select(x.Lt(k.c(0)), x))
			})
		})
	file.Func("func MapN(y, x *float32, n, how int, alpha, beta float32)", "MapN is y = what how says of x.",
		func(f *asm.Func) {
			y, x, n, how := f.Ptr("y"), f.Ptr("x"), f.Int("n"), f.Int("how")
			alpha, beta, in, zero, one := splatted(f, "alpha"), splatted(f, "beta"), f.NewV("in"), f.NewV("zero"), f.NewV("one")
			zero.Set(f.ZeroV())
			one.Set(f.ConstV(1))
			for i, op := range []func(v asm.V) asm.V{
				asm.V.Floor, asm.V.Ceil, asm.V.Nearest,
				func(v asm.V) asm.V { return one.Select(v.Gt(zero), one.Neg().Select(v.Lt(zero), v)) },
				func(v asm.V) asm.V { return v.Div(one.Add(v.Abs())) },
				func(v asm.V) asm.V { return v.And(v.Gt(alpha)) },
				func(v asm.V) asm.V {
					return v.Sub(beta).And(v.Gt(alpha)).Or(v.Add(beta).And(v.Lt(alpha.Neg())))
				},
				func(v asm.V) asm.V { return one.Div(v) },
				func(v asm.V) asm.V { return v.Mul(v).Mul(v) },
			} {
				f.If(how.EqConst(int64(i)), func() {
					f.Sweep(asm.Sweep{
						Left: n, Pointers: []asm.Ptr{y, x}, Unroll: 2,
						Vector: func(u int) {
							in.Set(x.V(int64(16 * u)))
							y.StoreV(int64(16*u), op(in))
						},
						Scalar: func() {
							in.Set(x.Splat(0))
							y.StoreF32(0, op(in).Lane(0))
						},
					})
				})
			}
		})
}
