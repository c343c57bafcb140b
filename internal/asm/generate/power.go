package main

import (
	"math"

	"github.com/normwasm/normwasm/internal/asm"
)

// The constants of internal/kernel/power.go.
const (
	powerMagic   = 0x1.8p52
	powerScale   = powerMagic + 1023
	rootHalfBits = 0x3fe6a09e667f3bcd
	log2OfE      = 1.44269504088896340736
	lnOf2        = 0.69314718055994530942
	powerMost    = 200
)

var (
	powerLogs = []float64{0.19608095639753054, 0.2217424991007749, 0.28572166145875727, 0.3999999489183238, 0.6666666667957926, 1.9999999999999472}
	powerExps = []float64{2.7625102005388108e-06, 2.4876164022625967e-05, 0.0001984120875699232, 0.0013888821677630362, 0.008333333353717156, 0.041666666890957, 0.16666666666648303, 0.49999999999797934, 1.0}
)

// twice is 64 bits in both halves.
func twice(f *asm.Func, bits uint64) asm.V {
	lo, hi := uint32(bits), uint32(bits>>32)
	return f.ConstLanes(lo, hi, lo, hi)
}

// polynomial leaves in g the polynomial in v whose first coefficient comes first.
func polynomial(f *asm.Func, g, v asm.V, terms []float64) {
	g.Set(twice(f, math.Float64bits(terms[0])))
	for _, t := range terms[1:] {
		g.Set(g.MulF64(v).AddF64(twice(f, math.Float64bits(t))))
	}
}

func powN(file *asm.File) {
	file.Func("func PowN(y, left, right *float32, n int)", "PowN is y = PowOf(left, right).",
		func(f *asm.Func) {
			y, pa, pb, n := f.Ptr("y"), f.Ptr("left"), f.Ptr("right"), f.Int("n")
			in, exponents, special := f.NewV("in"), f.NewV("exponents"), f.NewV("special")
			a, x, k, s, g, b := newDoubles(f, "a"), newDoubles(f, "x"), newDoubles(f, "k"), newDoubles(f, "s"), newDoubles(f, "g"), newDoubles(f, "b")
			c := func(v float64) asm.V { return twice(f, math.Float64bits(v)) }
			fours(f, y, n, []asm.Ptr{pa, pb}, []asm.V{in, exponents}, in, func() {
				// A third of the code is for what is seldom there.
				inf := f.ConstBits(infBits)
				special.Set(in.Gt(f.ZeroV()).And(in.Lt(inf)).And(exponents.Abs().Lt(inf)).Not())
				a.widened(in)
				b.widened(exponents)
				x.set(func(i int) asm.V { return a[i].AbsF64() })
				k.set(func(i int) asm.V { return x[i].SubI64(twice(f, rootHalfBits)).ShrI64(52) })
				x.set(func(i int) asm.V { return x[i].SubI64(k[i].ShlI64(52)) })
				s.set(func(i int) asm.V { return x[i].SubF64(c(1)).DivF64(x[i].AddF64(c(1))) })
				x.set(func(i int) asm.V { return s[i].MulF64(s[i]) })
				g.polynomial(f, x, powerLogs)
				k.set(func(i int) asm.V { return k[i].AddI64(c(powerMagic)).SubF64(c(powerMagic)) })
				g.set(func(i int) asm.V { return k[i].AddF64(g[i].MulF64(s[i]).MulF64(c(log2OfE))) })
				f.If(special.AnyTrue(), func() {
					x.set(func(i int) asm.V { return a[i].AbsF64() })
					g.set(func(i int) asm.V { return g[i].Select(x[i].LtF64(c(math.Inf(1))), x[i]) })
					g.set(func(i int) asm.V { return c(math.Inf(-1)).Select(x[i].EqF64(f.ZeroV()), g[i]) })
				})
				s.set(func(i int) asm.V { return b[i].MulF64(g[i]).PMinF64(c(powerMost)).PMaxF64(c(-powerMost)) })
				k.set(func(i int) asm.V { return s[i].AddF64(c(powerScale)) })
				x.set(func(i int) asm.V { return s[i].SubF64(k[i].SubF64(c(powerScale))).MulF64(c(lnOf2)) })
				g.polynomial(f, x, powerExps)
				g.set(func(i int) asm.V { return g[i].MulF64(x[i]).AddF64(c(1)).MulF64(k[i].ShlI64(52)) })
				f.If(special.AnyTrue(), func() {
					s.set(func(i int) asm.V { return b[i].TruncF64().EqF64(b[i]) }) // whole
					x.set(func(i int) asm.V { return b[i].MulF64(c(0.5)) })
					g.set(func(i int) asm.V {
						return g[i].Xor(a[i].And(s[i].AndNot(x[i].TruncF64().EqF64(x[i]))).And(twice(f, 1<<63)))
					})
					g.set(func(i int) asm.V {
						return twice(f, 0x7ff8<<48).Select(a[i].LtF64(f.ZeroV()).And(c(math.Inf(-1)).LtF64(a[i])).AndNot(s[i]), g[i])
					})
					g.set(func(i int) asm.V {
						infinite := a[i].EqF64(c(-1)).And(b[i].AbsF64().EqF64(c(math.Inf(1))))
						return c(1).Select(b[i].EqF64(f.ZeroV()).Or(a[i].EqF64(c(1))).Or(infinite), g[i])
					})
				})
				in.Set(g.narrowed(f))
			})
		})
}

// dividePairs divides int32 as float64, which have as many digits as it takes. int64 are
// divided by 1 where WebAssembly cannot, or could not for all dividends.
func dividePairs(file *asm.File) {
	file.Func("func DividePairs(dst, left, right *uint8, n, how int)",
		"DividePairs divides integers; its twin has the loop.",
		func(f *asm.Func) {
			y, a, b, n, how := f.Ptr("dst"), f.Ptr("left"), f.Ptr("right"), f.Int("n"), f.Int("how")
			f.IfElse(how.GeConst(3), func() {
				v, w, d, r, zero := f.NewInt("v"), f.NewInt("w"), f.NewInt("d"), f.NewInt("r"), f.NewInt("zero")
				for i := range 3 {
					f.If(how.EqConst(int64(3+i)), func() {
						f.Take(n, 1, func() {
							v.Set(a.Int(0))
							w.Set(b.Int(0))
							d.Set(f.ConstInt(1).If(w.Zero().Or(w.EqConst(-1)), w))
							switch i {
							case 0:
								r.Set(zero.Sub(v).If(w.EqConst(-1), v.Div(d)))
								r.Set(zero.If(w.Zero(), r))
							case 1:
								r.Set(v.Rem(d))
							case 2:
								r.Set(v.Rem(d))
								r.Set(r.Add(w).If(r.NotZero().And(r.Xor(w).Lt(zero)), r))
							}
							y.StoreInt(0, r)
							a.Advance(8)
							b.Advance(8)
							y.Advance(8)
						})
					})
				}
			}, func() {
				v, w, q, none, zero := f.NewV("v"), f.NewV("w"), f.NewV("q"), f.NewV("none"), f.NewV("zero")
				zero.Set(f.ZeroV())
				high := func(v asm.V) asm.V { return v.Permute(2, 3, 2, 3).ConvertLowI32() }
				const no = 0x80808080
				fours(f, y, n, []asm.Ptr{a, b}, []asm.V{v, w}, q, func() {
					none.Set(w.EqI32(zero))
					q.Set(high(v).DivF64(high(w)).TruncLowI32().Swizzle(f.ConstLanes(no, no, 0x03020100, 0x07060504)))
					q.Set(v.ConvertLowI32().DivF64(w.ConvertLowI32()).TruncLowI32().Or(q).AndNot(none))
					// The one quotient that is no int32 wraps around.
					q.Set(q.SubI32(v.EqI32(f.ConstBits(1 << 31)).And(w.EqI32(f.ConstBits(1<<32 - 1)))))
					f.If(how.GtConst(0), func() { q.Set(v.SubI32(q.MulI32(w)).AndNot(none)) })
					f.If(how.EqConst(2), func() { q.Set(q.AddI32(w.And(q.Xor(w).ShrI32(31)).AndNot(q.EqI32(zero)))) })
				})
			})
		})
}

const (
	sinMost  = 1 << 20
	turns    = 0.63661977236758134308
	quarterA = 1.57079632673412561417
	quarterB = 6.07710050650619224932e-11
)

var (
	sinTerms = []float64{-1. / 39916800, 1. / 362880, -1. / 5040, 1. / 120, -1. / 6, 1}
	cosTerms = []float64{-1. / 3628800, 1. / 40320, -1. / 720, 1. / 24, -1. / 2, 1}
)

func sinN(file *asm.File) {
	file.Func("func SinN(y, x *float32, n, quarters int) (done int)", "SinN is sines of x and so many quarters of a turn; its twin has the loop.",
		func(f *asm.Func) {
			y, x, n, quarters := f.Ptr("y"), f.Ptr("x"), f.Int("n"), f.NewV("quarters")
			v, z, w, s, g, limit := f.NewV("v"), f.NewV("z"), f.NewV("w"), f.NewV("s"), f.NewV("g"), f.NewV("limit")
			quarters.Set(f.ArgInt("quarters").SplatI32().ExtendLowI32())
			c := func(v float64) asm.V { return twice(f, math.Float64bits(v)) }
			limit.Set(c(sinMost))
			sine := func() asm.V {
				f.If(v.AbsF64().LtF64(limit).Not().AnyTrue(), func() { f.Return(f.ArgInt("n").Sub(n)) })
				z.Set(v.MulF64(c(turns)).AddF64(c(powerMagic)))
				w.Set(z.SubF64(c(powerMagic)))
				v.Set(v.SubF64(w.MulF64(c(quarterA))).SubF64(w.MulF64(c(quarterB))))
				z.Set(z.AddI64(quarters))
				w.Set(v.MulF64(v))
				polynomial(f, g, w, sinTerms)
				s.Set(g.MulF64(v))
				polynomial(f, g, w, cosTerms)
				g.Set(g.Select(z.ShlI64(63).ShrI64(63), s))
				return g.Xor(z.ShlI64(62).And(twice(f, 1<<63)))
			}
			f.Take(n, 2, func() {
				v.Set(x.Half(0).PromoteLow())
				s.Set(sine())
				y.StoreHalf(0, s.Demote())
				x.Advance(8)
				y.Advance(8)
			})
			f.Take(n, 1, func() {
				v.Set(x.Splat(0).PromoteLow())
				s.Set(sine())
				y.StoreF32(0, s.Demote().Lane(0))
				x.Advance(4)
				y.Advance(4)
			})
			f.Return(f.ArgInt("n"))
		})
}
