package main

import "github.com/normwasm/normwasm/internal/asm"

// response writes LocalResponseNorm's kernels: float64 throughout, four pixels at a
// time as two pairs, the last ones each in both lanes of a pair.
type response struct {
	f                 *asm.Func
	plane             asm.Int // bytes of a channel in the scratch
	channel, n, steps asm.Int
	left              asm.Int
	window, walk      asm.Ptr
	sum, d, power     []asm.V
	scale, bias       asm.V
}

func newResponse(f *asm.Func) response {
	k := response{
		f: f, plane: f.NewInt("plane"), channel: f.NewInt("channel"), n: f.NewInt("n"), steps: f.NewInt("steps"),
		left: f.NewInt("left"), window: f.NewPtr("window"), walk: f.NewPtr("walk"),
		sum: f.NewVs("sum", 2), d: f.NewVs("d", 2), power: f.NewVs("power", 2), scale: f.NewV("scale"), bias: f.NewV("bias"),
	}
	k.plane.Set(f.ArgInt("positions").Shl(3))
	k.scale.Set(f.ArgF64("alpha").Div(f.ArgInt("size").F64()).Splat())
	k.bias.Set(f.ArgF64("bias").Splat())
	return k
}

// each runs body for each channel, with pointers into data of the tensor; body moves
// them over the block's positions.
func (k response) each(data []asm.Ptr, body func()) {
	f := k.f
	k.channel.Set(f.ConstInt(0))
	f.Do(func() {
		k.left.Set(f.ArgInt("positions"))
		body()
		for _, p := range data {
			p.Set(p.Add(floats(f.ArgInt("inner").Sub(f.ArgInt("positions")))))
		}
		k.channel.Set(k.channel.AddConst(1))
	}, func() asm.Bool { return k.channel.Lt(f.ArgInt("channels")) })
}

// pixels runs body for each four positions, and one by one for the rest.
func (k response) pixels(wide, narrow []asm.Ptr, body func(g group)) {
	for _, g := range []group{{2}, {1}} {
		n := g.elements()
		k.f.Take(k.left, n, func() {
			body(g)
			for _, p := range wide {
				p.Advance(8 * n)
			}
			for _, p := range narrow {
				p.Advance(4 * n)
			}
		})
	}
}

// group is four elements in two pairs, or one in a pair.
type group struct{ pairs int }

func (g group) elements() int64 {
	if g.pairs == 1 {
		return 1
	}
	return 4
}

func (g group) float32(p asm.Ptr, i int) asm.V {
	switch {
	case g.pairs == 1:
		return p.F32(0).F64().Splat()
	case i == 0:
		return p.V(0).PromoteLow()
	}
	return p.Half(8).PromoteLow()
}

func (g group) float64(p asm.Ptr, i int) asm.V {
	if g.pairs == 1 {
		return p.F64(0).Splat()
	}
	return p.V(int64(16 * i))
}

func (g group) store64(p asm.Ptr, i int, v asm.V) {
	if g.pairs == 1 {
		p.StoreF64(0, v.LaneF64(0))
		return
	}
	p.StoreV(int64(16*i), v)
}

func (g group) store32(p asm.Ptr, v []asm.V) {
	if g.pairs == 1 {
		p.StoreF32(0, v[0].LaneF64(0).F32())
		return
	}
	p.StoreV(0, v[0].Demote().Or(v[1].Demote().Permute(2, 3, 0, 1)))
}

// square fills the start of the scratch with the squares of x.
func (k response) square(src, scratch string) {
	k.f.Scope(func() {
		x, s := k.f.Ptr(src), k.f.Ptr(scratch)
		k.each([]asm.Ptr{x}, func() {
			k.pixels([]asm.Ptr{s}, []asm.Ptr{x}, func(g group) {
				for i := range g.pairs {
					k.d[i].Set(g.float32(x, i))
					g.store64(s, i, k.d[i].MulF64(k.d[i]))
				}
			})
		})
	})
}

// open sets the window of a channel among the planes from base: from before channels
// below to after channels above, where there are such.
func (k response) open(base asm.Ptr, before, after asm.Int) {
	f := k.f
	f.Scope(func() {
		from := f.NewInt("from")
		from.Set(k.channel.Sub(before))
		f.If(from.Lt(f.ConstInt(0)), func() { from.Set(f.ConstInt(0)) })
		k.n.Set(k.channel.Add(after))
		f.If(k.n.Ge(f.ArgInt("channels")), func() { k.n.Set(f.ArgInt("channels").AddConst(-1)) })
		k.n.Set(k.n.Sub(from).AddConst(1))
		k.window.Set(base.Add(from.Mul(k.plane)))
	})
}

func (k response) before() asm.Int { return k.f.ArgInt("size").AddConst(-1).Shr(1) }
func (k response) after() asm.Int  { return k.f.ArgInt("size").Shr(1) }

// add leaves the sum over the window in sum.
func (k response) add(g group) {
	f := k.f
	for i := range g.pairs {
		k.sum[i].Set(f.ZeroV())
	}
	k.walk.Set(k.window)
	k.steps.Set(k.n)
	f.Do(func() {
		for i := range g.pairs {
			k.sum[i].Set(k.sum[i].AddF64(g.float64(k.walk, i)))
		}
		k.walk.Set(k.walk.Add(k.plane))
		k.steps.Set(k.steps.AddConst(-1))
	}, func() asm.Bool { return k.steps.NotZero() })
}

// divisor leaves d and its power beta.
func (k response) divisor(g group) {
	f, beta := k.f, k.f.ArgF64("beta")
	for i := range g.pairs {
		k.d[i].Set(k.scale.MulF64(k.sum[i]).AddF64(k.bias))
		k.power[i].Set(k.d[i])
	}
	f.If(beta.Ne(f.ConstF64(1)), func() {
		for i := range g.pairs {
			k.power[i].Set(k.d[i].SqrtF64())
		}
		f.If(beta.Ne(f.ConstF64(0.5)), func() {
			for i := range g.pairs {
				k.power[i].Set(k.power[i].MulF64(k.power[i].SqrtF64()))
			}
		})
	})
}

func responseBlock(file *asm.File) {
	file.Func("func ResponseBlock(dst, src *float32, squares *float64, channels, inner, positions, size int, alpha, beta, bias float64)",
		"ResponseBlock divides pixels by what their neighbours amount to; its twin has the loop.",
		func(f *asm.Func) {
			k := newResponse(f)
			k.square("src", "squares")
			y, x := f.Ptr("dst"), f.Ptr("src")
			k.each([]asm.Ptr{y, x}, func() {
				k.open(f.ArgPtr("squares"), k.before(), k.after())
				k.pixels([]asm.Ptr{k.window}, []asm.Ptr{y, x}, func(g group) {
					k.add(g)
					k.divisor(g)
					for i := range g.pairs {
						k.sum[i].Set(g.float32(x, i).DivF64(k.power[i]))
					}
					g.store32(y, k.sum)
				})
			})
		})
}

func responseGradBlock(file *asm.File) {
	file.Func("func ResponseGradBlock(dst, dy, src *float32, scratch *float64, channels, inner, positions, size int, alpha, beta, bias float64)",
		"ResponseGradBlock is the backward pass of ResponseBlock; its twin has the loop.",
		func(f *asm.Func) {
			k := newResponse(f)
			k.square("src", "scratch")
			y, dy, x := f.NewPtr("dst"), f.NewPtr("dy"), f.NewPtr("src")
			factors, terms := f.NewPtr("factors"), f.NewPtr("terms")
			start := func() {
				y.Set(f.ArgPtr("dst"))
				dy.Set(f.ArgPtr("dy"))
				x.Set(f.ArgPtr("src"))
				factors.Set(f.ArgPtr("scratch").Add(f.ArgInt("channels").Mul(k.plane)))
				terms.Set(factors.Add(f.ArgInt("channels").Mul(k.plane)))
			}
			start()
			k.each([]asm.Ptr{dy, x}, func() {
				k.open(f.ArgPtr("scratch"), k.before(), k.after())
				k.pixels([]asm.Ptr{k.window, factors, terms}, []asm.Ptr{dy, x}, func(g group) {
					k.add(g)
					k.divisor(g)
					for i := range g.pairs {
						g.store64(factors, i, k.power[i])
						g.store64(terms, i, g.float32(dy, i).MulF64(g.float32(x, i)).DivF64(k.power[i].MulF64(k.d[i])))
					}
				})
			})
			start()
			slope := k.scale
			slope.Set(f.ConstF64(2).Mul(f.ArgF64("alpha")).Mul(f.ArgF64("beta")).Div(f.ArgInt("size").F64()).Splat())
			k.each([]asm.Ptr{y, dy, x}, func() {
				k.open(terms, k.after(), k.before())
				k.pixels([]asm.Ptr{k.window, factors}, []asm.Ptr{y, dy, x}, func(g group) {
					k.add(g)
					for i := range g.pairs {
						product := slope.MulF64(g.float32(x, i)).MulF64(k.sum[i])
						k.sum[i].Set(g.float32(dy, i).DivF64(g.float64(factors, i)).SubF64(product))
					}
					g.store32(y, k.sum)
				})
			})
		})
}
