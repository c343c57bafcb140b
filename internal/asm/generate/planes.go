package main

import "github.com/normwasm/normwasm/internal/asm"

// normPlanes applies what it found of a group while the first-level cache still has
// the group's elements. Small groups are applied one late, after the sweep of the
// next: their numbers, two divisions and a root, are there by then.
func normPlanes(file *asm.File) {
	file.Func("func normPlanes(dst, src, gamma, beta *float32, moments *float64, groups, share, inner, clamp int, epsilon float64) (done int)",
		"normPlanes normalizes groups of planes until the first hard one; kernel.go has the loop.",
		func(f *asm.Func) {
			k := layerNorm{f: f, src: f.Ptr("src"), cols: f.NewInt("size"), row: f.NewInt("group"), ok: f.NewInt("ok")}
			k.cols.Set(f.ArgInt("share").Mul(f.ArgInt("inner")))
			out, mu, variance := f.Ptr("moments"), f.NewF64("mu"), f.NewF64("variance")
			p := planes{
				f: f, x: f.Ptr("src"), y: f.Ptr("dst"), gamma: f.Ptr("gamma"), beta: f.Ptr("beta"),
				mh: f.NewF32("mh"), ml: f.NewF64("ml"), r: f.NewF64("r"),
			}
			scales, shifts, waiting := f.Ptr("gamma"), f.Ptr("beta"), f.NewInt("waiting")
			take := func() {
				p.mh.Set(mu.F32())
				p.ml.Set(mu.Sub(p.mh.F64()))
				p.r.Set(f.ConstF64(1).Div(variance.Add(f.ArgF64("epsilon")).Sqrt()))
				waiting.Set(k.ok)
			}
			small := func() asm.Bool { return k.cols.GtConst(lateGroup).Not() }
			f.Do(func() {
				k.ok.Set(f.ConstInt(0))
				f.If(k.row.Lt(f.ArgInt("groups")), func() {
					f.Scope(func() { k.statistics(mu, variance) })
					k.carried(variance)
					f.If(mu.Abs().Lt(f.ConstF64(0x1p102)).Not(), func() { k.ok.Set(f.ConstInt(0)) })
					f.If(scales.NotNil(), func() {
						carriedAll(f, scales, k.ok, func(e asm.F32) asm.Bool {
							return e.Eq(f.ConstF32(0)).Or(e.Ge(f.ConstF32(0x1p-60)).And(e.Le(f.ConstF32(0x1p60))))
						})
					})
					f.If(shifts.NotNil(), func() {
						carriedAll(f, shifts, k.ok, func(e asm.F32) asm.Bool { return e.Lt(f.ConstF32(0x1p102)) })
					})
				})
				f.If(k.ok.NotZero(), func() {
					out.StoreF64(0, mu)
					out.StoreF64(8, variance)
					out.Advance(16)
					k.row.Set(k.row.AddConst(1))
				})
				f.If(small().Not(), take)
				f.If(waiting.NotZero(), func() { f.Scope(p.apply) })
				waiting.Set(f.ConstInt(0))
				f.If(small(), take)
			}, func() asm.Bool { return k.ok.NotZero() })
			f.Return(k.row)
		})
}

// lateGroup is how many elements two groups may have each and stay in the first-level
// cache beside what is written.
const lateGroup = 4096

// carriedAll sets ok to 0 if one of a group's parameters is, without its sign, not what
// float32 carries.
func carriedAll(f *asm.Func, p asm.Ptr, ok asm.Int, carried func(e asm.F32) asm.Bool) {
	f.Scope(func() {
		left, e := f.NewInt("left"), f.NewF32("e")
		left.Set(f.ArgInt("share"))
		f.Take(left, 1, func() {
			e.Set(p.F32(0).Abs())
			f.If(carried(e).Not(), func() { ok.Set(f.ConstInt(0)) })
			p.Advance(4)
		})
	})
}

// planes are the next group to apply: x and y are at its elements, gamma and beta at
// its parameters.
type planes struct {
	f           *asm.Func
	x, y        asm.Ptr
	gamma, beta asm.Ptr
	mh          asm.F32
	ml, r       asm.F64
}

func (p planes) apply() {
	f := p.f
	slots, left, a, b := f.NewInt("slots"), f.NewInt("left"), f.NewF64("a"), f.NewF64("shift")
	m, scale, shift, c := f.NewV("meanV"), f.NewV("scaleV"), f.NewV("shiftV"), newClamper(f)
	m.Set(p.mh.Splat())
	slots.Set(f.ArgInt("share"))
	f.Take(slots, 1, func() {
		a.Set(p.r)
		b.Set(f.ConstF64(0))
		f.If(p.gamma.NotNil(), func() {
			a.Set(a.Mul(p.gamma.F32(0).F64()))
			p.gamma.Advance(4)
		})
		f.If(p.beta.NotNil(), func() {
			b.Set(p.beta.F32(0).F64())
			p.beta.Advance(4)
		})
		scale.Set(a.F32().Splat())
		shift.Set(b.Sub(p.ml.Mul(a)).F32().Splat())
		left.Set(f.ArgInt("inner"))
		clamps(f, f.ArgInt("clamp"), func(level int) {
			f.Sweep(asm.Sweep{
				Left: left, Pointers: []asm.Ptr{p.x, p.y}, Unroll: 8,
				Vector: func(u int) {
					o := int64(16 * u)
					p.y.StoreV(o, c.clamp(p.x.V(o).Sub(m).MulAdd(scale, shift), level))
				},
				Scalar: func() {
					p.y.StoreF32(0, c.clamp(p.x.Splat(0).Sub(m).MulAdd(scale, shift), level).Lane(0))
				},
			})
		})
	})
}
