package main

import "github.com/normwasm/normwasm/internal/asm"

// normPlanes applies what it found of a group beside the sweep of the next one, in one
// loop: the sweep waits for the multipliers and the application for the stores, and a
// group's two divisions and root are long there. Groups that two of would not stay in
// the second-level cache are applied at once.
func normPlanes(file *asm.File) {
	file.Func("func NormPlanes(dst, src, gamma, beta *float32, moments *float64, groups, share, inner, clamp int, epsilon float64, done *int)",
		"NormPlanes normalizes groups of planes until the first hard one; its twin has the loop.",
		func(f *asm.Func) {
			p := planes{
				f: f, x: f.Ptr("src"), y: f.Ptr("dst"), gamma: f.Ptr("gamma"), beta: f.Ptr("beta"),
				mh: f.NewF32("mh"), scale: f.NewF32("scale"), shift: f.NewF32("shift"), ml: f.NewF64("ml"), r: f.NewF64("r"),
				slots: f.NewInt("slots"), left: f.NewInt("planeLeft"),
			}
			k := layerNorm{f: f, src: f.Ptr("src"), cols: f.NewInt("size"), row: f.NewInt("group"), ok: f.NewInt("ok"), beside: p.beside}
			k.cols.Set(f.ArgInt("share").Mul(f.ArgInt("inner")))
			k.count()
			mu, variance, strange := f.NewF64("mu"), f.NewF64("variance"), f.NewInt("strange")
			f.Scope(func() { strangeParams(f, strange) })
			// find takes the statistics of a group, if there is one more and it is not a hard one.
			find := func() {
				k.ok.Set(f.ConstInt(0))
				f.If(k.row.Lt(f.ArgInt("groups")), func() {
					f.Scope(func() { k.statistics(mu, variance) })
					k.carried(variance)
					f.If(mu.Abs().Lt(f.ConstF64(0x1p102)).Not(), func() { k.ok.Set(f.ConstInt(0)) })
					f.If(strange.NotZero(), func() {
						carriedAll(f, "gamma", k, func(e asm.F32) asm.Bool {
							return e.Eq(f.ConstF32(0)).Or(e.Ge(f.ConstF32(0x1p-60)).And(e.Le(f.ConstF32(0x1p60))))
						})
						carriedAll(f, "beta", k, func(e asm.F32) asm.Bool { return e.Lt(f.ConstF32(0x1p102)) })
					})
				})
			}
			factor := func() asm.F64 { return f.ConstF64(1).Div(variance.Add(f.ArgF64("epsilon")).Sqrt()) }
			found := func(r asm.F64) {
				p.mh.Set(mu.F32())
				p.ml.Set(mu.Sub(p.mh.F64()))
				p.r.Set(r)
				p.slots.Set(f.ArgInt("share"))
			}
			at, out := f.NewPtr("at"), f.NewPtr("out")
			at.Set(f.ArgPtr("moments"))
			out.Set(at)
			note := func() {
				out.StoreF64(0, mu)
				out.StoreF64(8, variance)
				out.Advance(16)
				k.row.Set(k.row.AddConst(1))
			}
			f.IfElse(k.cols.GtConst(smallGroup), func() {
				f.Do(func() {
					find()
					f.Scope(p.rest)
					f.If(k.ok.NotZero(), func() {
						note()
						found(factor())
						f.If(k.cols.GtConst(lateGroup), func() { f.Scope(p.rest) })
					})
				}, func() asm.Bool { return k.ok.NotZero() })
			}, func() {
				k.beside = nil
				room, next := f.NewInt("room"), f.NewF64("next")
				take := func() {
					mu.Set(at.F64(0))
					variance.Set(at.F64(8))
					next.Set(factor())
				}
				f.Do(func() {
					room.Set(f.ConstInt(groupBlock))
					f.Do(func() {
						find()
						f.If(k.ok.NotZero(), func() {
							note()
							room.Set(room.Sub(k.cols))
						})
					}, func() asm.Bool { return k.ok.NotZero().And(room.GtConst(0)) })
					f.If(at.Below(out), take)
					f.While(func() asm.Bool { return at.Below(out) }, func() {
						found(next)
						at.Advance(16)
						f.If(at.Below(out), take) // a group before it is needed
						f.Scope(p.rest)
					})
				}, func() asm.Bool { return k.ok.NotZero() })
			})
			f.ArgPtr("done").StoreInt(0, k.row)
		})
}

// Groups of up to smallGroup elements are so soon swept and applied that not even the loop
// that does both at a time hides how long their divisions and root take. So they are swept,
// groupBlock elements of them, and applied after that: what one waits for does not hold up
// the next.
const (
	smallGroup = 1 << 10
	groupBlock = 1 << 11
)

// lateGroup is how many elements a group may have that is applied beside the next one's
// sweep: two of them and the result are in the second-level cache.
const lateGroup = 1 << 16

// strangeParams sets strange to 1 if one of all planes' parameters may be what float32 does
// not carry: then each group looks at its own.
func strangeParams(f *asm.Func, strange asm.Int) {
	p, left, v, all := f.NewPtr("p"), f.NewInt("left"), f.NewV("v"), f.NewV("all")
	all.Set(f.ConstBits(1<<32 - 1))
	low, high, most := f.NewV("low"), f.NewV("high"), f.NewV("most")
	low.Set(f.ConstV(0x1p-60))
	high.Set(f.ConstV(0x1p60))
	most.Set(f.ConstV(0x1p102))
	look := func(name string, carried func() asm.V) {
		f.If(f.ArgPtr(name).NotNil(), func() {
			p.Set(f.ArgPtr(name))
			left.Set(f.ArgInt("groups").Mul(f.ArgInt("share")))
			element := func(load asm.V) {
				v.Set(load.Abs())
				all.Set(all.And(carried()))
			}
			f.Sweep(asm.Sweep{
				Left: left, Pointers: []asm.Ptr{p}, Unroll: 1,
				Vector: func(int) { element(p.V(0)) },
				Scalar: func() { element(p.Splat(0)) },
			})
		})
	}
	look("gamma", func() asm.V { return v.Ge(low).And(v.Le(high)) })
	look("beta", func() asm.V { return v.Lt(most) })
	v.Set(all.Not())
	f.If(v.AnyTrue(), func() { strange.Set(f.ConstInt(1)) })
}

// carriedAll sets ok to 0 if one of the row's parameters, where there are any, is,
// without its sign, not what float32 carries.
func carriedAll(f *asm.Func, name string, k layerNorm, carried func(e asm.F32) asm.Bool) {
	f.If(f.ArgPtr(name).NotNil(), func() {
		f.Scope(func() {
			p, left, e := f.NewPtr("p"), f.NewInt("left"), f.NewF32("e")
			left.Set(f.ArgInt("share"))
			p.Set(f.ArgPtr(name).Add(k.row.Mul(left).Shl(2)))
			f.Take(left, 1, func() {
				e.Set(p.F32(0).Abs())
				f.If(carried(e).Not(), func() { k.ok.Set(f.ConstInt(0)) })
				p.Advance(4)
			})
		})
	})
}

// planes are what is left to apply of a group: slots planes, of the first of which left
// elements, or all if that is 0. x and y are at its elements, gamma and beta at the
// parameters of the next plane.
type planes struct {
	f                *asm.Func
	x, y             asm.Ptr
	gamma, beta      asm.Ptr
	mh, scale, shift asm.F32 // of the first plane
	ml, r            asm.F64 // of the group
	slots, left      asm.Int
}

// next takes the parameters of a plane that begins.
func (p planes) next() {
	f := p.f
	f.If(p.left.Zero(), func() {
		f.Scope(func() {
			a, b := f.NewF64("a"), f.NewF64("b")
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
			p.scale.Set(a.F32())
			p.shift.Set(b.Sub(p.ml.Mul(a)).F32())
		})
		p.left.Set(f.ArgInt("inner"))
	})
}

// params are the first plane's in all lanes.
func (p planes) params() (mean, scale, shift asm.V) {
	v := p.f.NewVs("params", 3)
	v[0].Set(p.mh.Splat())
	v[1].Set(p.scale.Splat())
	v[2].Set(p.shift.Splat())
	return v[0], v[1], v[2]
}

// beside applies sixteen elements with each trip, where nothing is clamped.
func (p planes) beside(left asm.Int, trip func(beside func(u int))) {
	f := p.f
	f.While(func() asm.Bool {
		return left.GeConst(16).And(p.slots.NotZero()).And(f.ArgInt("clamp").Zero())
	}, func() {
		p.next()
		f.Scope(func() {
			steps := f.NewInt("steps")
			steps.Set(left.Min(p.left).Shr(4))
			f.IfElse(steps.Zero(), func() { // the end of the plane, or of a row of few
				f.Scope(func() { p.apply(p.left, 0) })
				p.slots.Set(p.slots.AddConst(-1))
			}, func() {
				left.Set(left.Sub(steps.Shl(4)))
				p.left.Set(p.left.Sub(steps.Shl(4)))
				m, scale, shift := p.params()
				f.Do(func() {
					trip(func(u int) {
						o := int64(16 * u)
						p.y.StoreV(o, p.x.V(o).Sub(m).MulAdd(scale, shift))
					})
					p.x.Advance(64)
					p.y.Advance(64)
					steps.Set(steps.AddConst(-1))
				}, func() asm.Bool { return steps.NotZero() })
				f.If(p.left.Zero(), func() { p.slots.Set(p.slots.AddConst(-1)) })
			})
		})
	})
}

// apply is the loop over left elements of the first plane.
func (p planes) apply(left asm.Int, level int) {
	m, scale, shift := p.params()
	affinePlane(p.f, p.y, p.x, left, m, scale, shift, level, 4)
}

// affinePlane is the loop over left elements, of a plane or of what is left of one, which takes all three along. The
// last four are computed first and stored last, some of them for the second time: planes of 7×7 would have one element
// that takes as long as four. (unroll is how many vectors a trip has; 12 and the last are such a plane.)
func affinePlane(f *asm.Func, y, x asm.Ptr, left asm.Int, m, scale, shift asm.V, level, unroll int) {
	var c clamper
	if level > 0 {
		c = newClamper(f)
	}
	element := func(v asm.V) asm.V { return c.clamp(v.Sub(m).MulAdd(scale, shift), level) }
	f.IfElse(left.GeConst(4), func() {
		last := f.NewV("last")
		left.Set(left.AddConst(-4))
		last.Set(element(x.Add(left.Shl(2)).V(0)))
		left.Set(left.AddConst(3))
		f.Sweep(asm.Sweep{
			Left: left, Pointers: []asm.Ptr{x, y}, Unroll: unroll,
			Vector: func(u int) {
				o := int64(16 * u)
				y.StoreV(o, element(x.V(o)))
			},
		})
		left.Set(left.AddConst(1).Shl(2))
		y.Set(y.Add(left))
		x.Set(x.Add(left))
		y.AddConst(-16).StoreV(0, last)
		left.Set(f.ConstInt(0))
	}, func() {
		f.Take(left, 1, func() {
			y.StoreF32(0, element(x.Splat(0)).Lane(0))
			x.Advance(4)
			y.Advance(4)
		})
	})
}

// rest applies all that is left.
func (p planes) rest() {
	f := p.f
	f.Take(p.slots, 1, func() {
		p.next()
		clamps(f, f.ArgInt("clamp"), func(level int) {
			f.Scope(func() { p.apply(p.left, level) })
		})
	})
}
