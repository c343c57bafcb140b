package main

import (
	"math"

	"github.com/normwasm/normwasm/internal/asm"
)

// Functions of float32 that are computed in float64, four elements a trip: two vectors side
// by side hide each other's latency, and V8 makes a constant once for both.

// doubles are four float64.
type doubles [2]asm.V

func newDoubles(f *asm.Func, name string) doubles { return doubles{f.NewV(name), f.NewV(name)} }

// set assigns to both vectors.
func (d doubles) set(of func(i int) asm.V) {
	for i, v := range d {
		v.Set(of(i))
	}
}

// polynomial leaves in d the polynomial in z whose first coefficient comes first.
func (d doubles) polynomial(f *asm.Func, z doubles, terms []float64) {
	d.set(func(int) asm.V { return twice(f, math.Float64bits(terms[0])) })
	for _, t := range terms[1:] {
		d.set(func(i int) asm.V { return d[i].MulF64(z[i]).AddF64(twice(f, math.Float64bits(t))) })
	}
}

// widened sets d to four float32.
func (d doubles) widened(v asm.V) {
	d[0].Set(v.PromoteLow())
	d[1].Set(v.PromoteHigh())
}

// narrowed is d as four float32.
func (d doubles) narrowed(f *asm.Func) asm.V {
	const none = 0x80808080
	return d[1].Demote().Swizzle(f.ConstLanes(none, none, 0x03020100, 0x07060504)).Or(d[0].Demote())
}

// fours goes through n elements: body finds four of each operand in its register and leaves
// the results in out. Where there are less than four, the first fills up.
func fours(f *asm.Func, y asm.Ptr, n asm.Int, operands []asm.Ptr, in []asm.V, out asm.V, body func()) {
	f.While(func() asm.Bool { return n.GtConst(0) }, func() {
		f.IfElse(n.GeConst(4), func() {
			for i, p := range operands {
				in[i].Set(p.V(0))
			}
		}, func() {
			for i, p := range operands {
				in[i].Set(p.Splat(0))
				for l := 1; l < 3; l++ {
					f.If(n.GtConst(int64(l)), func() { in[i].Set(in[i].WithLane(l, p.F32(int64(4*l)))) })
				}
			}
		})
		body()
		f.IfElse(n.GeConst(4), func() { y.StoreV(0, out) }, func() {
			y.StoreF32(0, out.Lane(0))
			for l := 1; l < 3; l++ {
				f.If(n.GtConst(int64(l)), func() { y.StoreF32(int64(4*l), out.Lane(l)) })
			}
		})
		for _, p := range append([]asm.Ptr{y}, operands...) {
			p.Advance(16)
		}
		n.Set(n.AddConst(-4))
	})
}

// The constants of internal/kernel/inverse.go.
const (
	hyperbolicMost = 100
	tangentEighth  = 0.41421356237309503 // of π/8
	tangentThree   = 2.4142135623730951  // of 3π/8
)

var arcTerms = []float64{-0.03765510601291402, 0.06974197686595265, -0.08992552906150912, 0.11103456908947464, -0.14285386553752139, 0.19999993053555815, -0.33333333276922494, 0.9999999999992447}

// inverses writes the functions of trigonometry but for the sine and the cosine.
func inverses(file *asm.File) {
	constant := func(f *asm.Func) func(v float64) asm.V {
		return func(v float64) asm.V { return twice(f, math.Float64bits(v)) }
	}
	// signed gives d the sign of v.
	signed := func(f *asm.Func, d, v doubles) {
		d.set(func(i int) asm.V { return d[i].Or(v[i].And(twice(f, 1<<63))) })
	}
	file.Func("func AreaN(y, x *float32, n, how int)", "AreaN is inverse hyperbolic functions; its twin has the loop.",
		func(f *asm.Func) {
			y, x, n, how, in := f.Ptr("y"), f.Ptr("x"), f.Int("n"), f.Int("how"), f.NewV("in")
			v, u, k, s, g := newDoubles(f, "v"), newDoubles(f, "u"), newDoubles(f, "k"), newDoubles(f, "s"), newDoubles(f, "g")
			c := constant(f)
			fours(f, y, n, []asm.Ptr{x}, []asm.V{in}, in, func() {
				v.widened(in)
				f.If(how.EqConst(0), func() {
					u.set(func(i int) asm.V { return v[i].MulF64(v[i]) })
					u.set(func(i int) asm.V {
						return u[i].DivF64(u[i].AddF64(c(1)).SqrtF64().AddF64(c(1))).AddF64(v[i].AbsF64())
					})
				})
				f.If(how.EqConst(1), func() {
					u.set(func(i int) asm.V { return v[i].SubF64(c(1)) })
					u.set(func(i int) asm.V { return u[i].MulF64(v[i].AddF64(c(1))).SqrtF64().AddF64(u[i]) })
				})
				f.If(how.EqConst(2), func() {
					u.set(func(i int) asm.V { return v[i].AbsF64() })
					u.set(func(i int) asm.V { return u[i].AddF64(u[i]).DivF64(c(1).SubF64(u[i])) })
				})
				s.set(func(i int) asm.V { return u[i].AddF64(c(1)) })
				k.set(func(i int) asm.V { return s[i].SubI64(twice(f, rootHalfBits)).ShrI64(52) })
				s.set(func(i int) asm.V { return s[i].SubI64(k[i].ShlI64(52)).SubF64(c(1)) })
				s.set(func(i int) asm.V { return u[i].Select(k[i].EqI64(f.ZeroV()), s[i]) })
				s.set(func(i int) asm.V { return s[i].DivF64(s[i].AddF64(c(2))) })
				u.set(func(i int) asm.V { return s[i].MulF64(s[i]) })
				g.polynomial(f, u, powerLogs)
				k.set(func(i int) asm.V { return k[i].AddI64(c(powerMagic)).SubF64(c(powerMagic)) })
				g.set(func(i int) asm.V { return g[i].MulF64(s[i]).AddF64(k[i].MulF64(c(lnOf2))) })
				nan := twice(f, 0x7ff8<<48)
				f.If(how.EqConst(0), func() {
					g.set(func(i int) asm.V {
						return g[i].Select(v[i].AbsF64().LtF64(c(math.Inf(1))), v[i].AbsF64())
					})
				})
				f.If(how.EqConst(1), func() {
					g.set(func(i int) asm.V {
						return g[i].Select(v[i].LtF64(c(math.Inf(1))), v[i]).Select(c(1).LeF64(v[i]), nan)
					})
				})
				f.If(how.EqConst(2), func() {
					g.set(func(i int) asm.V { return g[i].MulF64(c(0.5)) })
					g.set(func(i int) asm.V {
						return g[i].Select(v[i].AbsF64().LtF64(c(1)), c(math.Inf(1)).Select(v[i].AbsF64().EqF64(c(1)), nan))
					})
				})
				f.If(how.EqConst(1).Not(), func() { signed(f, g, v) })
				in.Set(g.narrowed(f))
			})
		})
	file.Func("func HyperbolicN(y, x *float32, n, how int)", "HyperbolicN is hyperbolic functions; its twin has the loop.",
		func(f *asm.Func) {
			y, x, n, how, in := f.Ptr("y"), f.Ptr("x"), f.Int("n"), f.Int("how"), f.NewV("in")
			v, k, r, g := newDoubles(f, "v"), newDoubles(f, "k"), newDoubles(f, "r"), newDoubles(f, "g")
			c := constant(f)
			fours(f, y, n, []asm.Ptr{x}, []asm.V{in}, in, func() {
				v.widened(in)
				r.set(func(i int) asm.V { return v[i].AbsF64().PMinF64(c(hyperbolicMost)).MulF64(c(log2OfE)) })
				k.set(func(i int) asm.V { return r[i].AddF64(c(powerScale)) })
				r.set(func(i int) asm.V { return r[i].SubF64(k[i].SubF64(c(powerScale))).MulF64(c(lnOf2)) })
				g.polynomial(f, r, powerExps)
				k.set(func(i int) asm.V { return k[i].ShlI64(52) })
				g.set(func(i int) asm.V { return g[i].MulF64(r[i]).MulF64(k[i]).AddF64(k[i].SubF64(c(1))) })
				k.set(func(i int) asm.V { return g[i].AddF64(c(1)) })
				f.IfElse(how.EqConst(0), func() {
					g.set(func(i int) asm.V { return g[i].DivF64(k[i]).AddF64(g[i]).MulF64(c(0.5)) })
					signed(f, g, v)
				}, func() {
					g.set(func(i int) asm.V { return g[i].MulF64(g[i]).DivF64(k[i]).MulF64(c(0.5)).AddF64(c(1)) })
				})
				in.Set(g.narrowed(f))
			})
		})
	file.Func("func ArcN(y, x *float32, n, how int)", "ArcN is inverse functions of angles; its twin has the loop.",
		func(f *asm.Func) {
			y, x, n, how, in := f.Ptr("y"), f.Ptr("x"), f.Int("n"), f.Int("how"), f.NewV("in")
			v, p, q, t, g := newDoubles(f, "v"), newDoubles(f, "p"), newDoubles(f, "q"), newDoubles(f, "t"), newDoubles(f, "g")
			mid, steep := f.NewV("mid"), f.NewV("steep")
			c := constant(f)
			fours(f, y, n, []asm.Ptr{x}, []asm.V{in}, in, func() {
				v.widened(in)
				p.set(func(i int) asm.V { return v[i].AbsF64() })
				f.IfElse(how.EqConst(2), func() { q.set(func(int) asm.V { return c(1) }) }, func() {
					q.set(func(i int) asm.V { return c(1).SubF64(p[i]).MulF64(p[i].AddF64(c(1))).SqrtF64() })
					f.If(how.EqConst(1), func() {
						g.set(func(i int) asm.V { return p[i] })
						p.set(func(i int) asm.V { return q[i] })
						q.set(func(i int) asm.V { return g[i] })
					})
				})
				for i := range v { // the quotient, and in g where it begins
					mid.Set(q[i].MulF64(c(tangentEighth)).LtF64(p[i]))
					steep.Set(q[i].MulF64(c(tangentThree)).LtF64(p[i]))
					g[i].Set(c(math.Pi/2).Select(steep, c(math.Pi/4)).And(mid))
					t[i].Set(q[i].Xor(twice(f, 1<<63)).Select(steep, p[i].SubF64(q[i]).Select(mid, p[i])))
					q[i].Set(p[i].Select(steep, p[i].AddF64(q[i]).Select(mid, q[i])))
					t[i].Set(t[i].DivF64(q[i]))
					q[i].Set(g[i])
				}
				p.set(func(i int) asm.V { return t[i].MulF64(t[i]) })
				g.polynomial(f, p, arcTerms)
				g.set(func(i int) asm.V { return g[i].MulF64(t[i]).AddF64(q[i]) })
				f.IfElse(how.EqConst(1), func() {
					g.set(func(i int) asm.V { return c(math.Pi).SubF64(g[i]).Select(v[i].LtF64(f.ZeroV()), g[i]) })
				}, func() { signed(f, g, v) })
				in.Set(g.narrowed(f))
			})
		})
	file.Func("func TanN(y, x *float32, n int) (done int)", "TanN is tangents; its twin has the loop.",
		func(f *asm.Func) {
			y, x, n, in := f.Ptr("y"), f.Ptr("x"), f.Int("n"), f.NewV("in")
			v, z, w, s, g := newDoubles(f, "v"), newDoubles(f, "z"), newDoubles(f, "w"), newDoubles(f, "s"), newDoubles(f, "g")
			c := constant(f)
			fours(f, y, n, []asm.Ptr{x}, []asm.V{in}, in, func() {
				f.If(in.Abs().Lt(f.ConstV(sinMost)).Not().AnyTrue(), func() { f.Return(f.ArgInt("n").Sub(n)) })
				v.widened(in)
				z.set(func(i int) asm.V { return v[i].MulF64(c(turns)).AddF64(c(powerMagic)) })
				w.set(func(i int) asm.V { return z[i].SubF64(c(powerMagic)) })
				v.set(func(i int) asm.V { return v[i].SubF64(w[i].MulF64(c(quarterA))).SubF64(w[i].MulF64(c(quarterB))) })
				w.set(func(i int) asm.V { return v[i].MulF64(v[i]) })
				s.polynomial(f, w, sinTerms)
				s.set(func(i int) asm.V { return s[i].MulF64(v[i]) })
				g.polynomial(f, w, cosTerms)
				z.set(func(i int) asm.V { return z[i].ShlI64(63) })
				w.set(func(i int) asm.V { return z[i].ShrI64(63) })
				v.set(func(i int) asm.V { return g[i].Select(w[i], s[i]) })
				s.set(func(i int) asm.V { return s[i].Select(w[i], g[i]).Xor(z[i]) })
				v.set(func(i int) asm.V { return v[i].DivF64(s[i]) })
				in.Set(v.narrowed(f))
			})
			f.Return(f.ArgInt("n"))
		})
}
