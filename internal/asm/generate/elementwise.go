package main

import (
	"math"

	"github.com/normwasm/normwasm/internal/asm"
)

func binaries(file *asm.File) {
	binary(file, "AddRows", "+", asm.V.Add, asm.F32.Add)
	binary(file, "SubRows", "-", asm.V.Sub, asm.F32.Sub)
	binary(file, "MulRows", "*", asm.V.Mul, asm.F32.Mul)
	binary(file, "DivRows", "/", asm.V.Div, asm.F32.Div)
	binary(file, "MaxRows", "max", asm.V.Max, asm.F32.Max)
	binary(file, "MinRows", "min", asm.V.Min, asm.F32.Min)
}

// binary has a loop for each of the four ways in which operands go along a row
// or stay. Operands that leave no gap between rows make one long row.
func binary(file *asm.File, name, sign string, vector func(v, w asm.V) asm.V, scalar func(x, y asm.F32) asm.F32) {
	file.Func("func "+name+"(y, left *float32, as, ac int, right *float32, bs, bc int, rows, cols int)",
		name+" is y = a "+sign+" b row by row; its twin has the loop.",
		func(f *asm.Func) {
			y, aRow, bRow := f.Ptr("y"), f.Ptr("left"), f.Ptr("right")
			as, ac, bs, bc := f.Int("as"), f.Int("ac"), f.Int("bs"), f.Int("bc")
			rows, cols, left := f.Int("rows"), f.Int("cols"), f.NewInt("left")
			a, b := f.NewPtr("pa"), f.NewPtr("pb")
			va, vb, sa, sb := f.NewV("va"), f.NewV("vb"), f.NewF32("sa"), f.NewF32("sb")
			f.If(cols.GtConst(0).Not(), func() { f.Leave() })
			gapless := func(step, column asm.Int) asm.Bool { return step.Eq(cols.Mul(column)) }
			f.If(gapless(as, ac).And(gapless(bs, bc)).And(rows.GtConst(1)), func() {
				cols.Set(cols.Mul(rows))
				rows.Set(f.ConstInt(1))
			})
			as.Set(floats(as))
			bs.Set(floats(bs))
			loop := func(moveA, moveB bool) {
				p := []asm.Ptr{y}
				if moveA {
					p = append(p, a)
				}
				if moveB {
					p = append(p, b)
				}
				f.Sweep(asm.Sweep{
					Left: left, Pointers: p, Unroll: 4,
					Vector: func(u int) {
						o := int64(16 * u)
						v, w := va, vb
						if moveA {
							v = a.V(o)
						}
						if moveB {
							w = b.V(o)
						}
						y.StoreV(o, vector(v, w))
					},
					Scalar: func() {
						v, w := sa, sb
						if moveA {
							v = a.F32(0)
						}
						if moveB {
							w = b.F32(0)
						}
						y.StoreF32(0, scalar(v, w))
					},
				})
			}
			f.Take(rows, 1, func() {
				a.Set(aRow)
				b.Set(bRow)
				left.Set(cols)
				sa.Set(a.F32(0))
				sb.Set(b.F32(0))
				va.Set(sa.Splat())
				vb.Set(sb.Splat())
				f.IfElse(ac.NotZero(), func() {
					f.IfElse(bc.NotZero(), func() { loop(true, true) }, func() { loop(true, false) })
				}, func() {
					f.IfElse(bc.NotZero(), func() { loop(false, true) }, func() { loop(false, false) })
				})
				aRow.Set(aRow.Add(as))
				bRow.Set(bRow.Add(bs))
			})
		})
}

// unary writes y[i] = op(x[i]). A tail goes through the vector operation, one
// element in all four lanes.
func unary(f *asm.Func, unroll int, op func(x asm.V) asm.V) {
	y, x, n := f.Ptr("y"), f.Ptr("x"), f.Int("n")
	in := f.NewV("in")
	f.Sweep(asm.Sweep{
		Left: n, Pointers: []asm.Ptr{y, x}, Unroll: unroll,
		Vector: func(u int) {
			in.Set(x.V(int64(16 * u)))
			y.StoreV(int64(16*u), op(in))
		},
		Scalar: func() {
			in.Set(x.Splat(0))
			y.StoreF32(0, op(in).Lane(0))
		},
	})
}

func unaries(file *asm.File) {
	file.Func("func ClipN(y, x *float32, n int, lo, hi float32)",
		"ClipN is y = min(max(x, lo), hi).",
		func(f *asm.Func) { unary(f, 4, newBounds(f).clamp) })
	file.Func("func AbsN(y, x *float32, n int)", "AbsN is y = |x|.",
		func(f *asm.Func) { unary(f, 4, asm.V.Abs) })
	file.Func("func NegN(y, x *float32, n int)", "NegN is y = -x.",
		func(f *asm.Func) { unary(f, 4, asm.V.Neg) })
	file.Func("func SqrtN(y, x *float32, n int)", "SqrtN is y = √x.",
		func(f *asm.Func) { unary(f, 2, asm.V.Sqrt) })
	file.Func("func LeakyN(y, x *float32, n int, alpha float32)", "LeakyN is y = x < 0 ? alpha*x : x.",
		func(f *asm.Func) {
			alpha, zero := splatted(f, "alpha"), f.NewV("zero")
			zero.Set(f.ZeroV())
			unary(f, 4, func(x asm.V) asm.V { return alpha.Mul(x).Select(x.Lt(zero), x) })
		})
	// y is never -0 after + 0, as Go's max(y, 0) never is, and a NaN passes both.
	hard := func(f *asm.Func) func(x asm.V) asm.V {
		alpha, beta, zero, one := splatted(f, "alpha"), splatted(f, "beta"), f.NewV("zero"), f.NewV("one")
		zero.Set(f.ZeroV())
		one.Set(f.ConstV(1))
		return func(x asm.V) asm.V { return alpha.MulAdd(x, beta).PMax(zero).Add(zero).PMin(one) }
	}
	file.Func("func HardSigmoidN(y, x *float32, n int, alpha, beta float32)",
		"HardSigmoidN is y = min(max(alpha*x + beta, 0), 1).",
		func(f *asm.Func) { unary(f, 4, hard(f)) })
	file.Func("func HardSwishN(y, x *float32, n int, alpha, beta, scale, shift float32)",
		"HardSwishN is y = x * min(max(alpha*x + beta, 0), 1) * scale + shift.",
		func(f *asm.Func) {
			sigmoid, scale, shift := hard(f), splatted(f, "scale"), splatted(f, "shift")
			unary(f, 4, func(x asm.V) asm.V { return x.Mul(sigmoid(x)).MulAdd(scale, shift) })
		})
}

func splatted(f *asm.Func, name string) asm.V {
	v := f.NewV(name)
	v.Set(f.ArgF32(name).Splat())
	return v
}

// pool holds constants in registers as far as there are any, the rest it
// writes out where they are used.
type pool struct {
	f     *asm.Func
	known map[uint32]asm.V
}

func newPool(f *asm.Func, values ...float32) pool {
	p := pool{f, map[uint32]asm.V{}}
	for _, x := range values {
		p.keep(math.Float32bits(x))
	}
	return p
}

func (p pool) keep(bits uint32) {
	if _, ok := p.known[bits]; !ok {
		v := p.f.NewV("const")
		v.Set(p.f.ConstBits(bits))
		p.known[bits] = v
	}
}

func (p pool) bits(bits uint32) asm.V {
	if v, ok := p.known[bits]; ok {
		return v
	}
	return p.f.ConstBits(bits)
}

func (p pool) c(x float32) asm.V { return p.bits(math.Float32bits(x)) }

// mulAdd is v*w + x, open to contraction when x has a register.
func (p pool) mulAdd(v, w asm.V, x float32) asm.V {
	if c, ok := p.known[math.Float32bits(x)]; ok {
		return v.MulAdd(w, c)
	}
	return v.Mul(w).Add(p.c(x))
}
