package main

import "github.com/normwasm/normwasm/internal/asm"

// clamps writes body once for each value of the clamp argument: two tests a
// call instead of two a vector.
func clamps(f *asm.Func, clamp asm.Int, body func(level int)) {
	f.IfElse(clamp.GeConst(1), func() {
		f.IfElse(clamp.GeConst(2), func() { body(2) }, func() { body(1) })
	}, func() { body(0) })
}

// clamper bounds vectors and single elements, which go through a vector too so
// that pmax and pmin have one meaning.
type clamper struct{ zero, six asm.V }

func newClamper(f *asm.Func) clamper {
	c := clamper{f.NewV("zero"), f.NewV("six")}
	c.zero.Set(f.ZeroV())
	c.six.Set(f.ConstV(6))
	return c
}

func (c clamper) clamp(v asm.V, level int) asm.V {
	if level >= 1 {
		v = v.PMax(c.zero)
	}
	if level >= 2 {
		v = v.PMin(c.six)
	}
	return v
}

func batchNormPlanes(file *asm.File) {
	file.Func("func BatchNormPlanes(dst, src, mean, scale, beta *float32, planes, channels, inner, clamp int)",
		"BatchNormPlanes applies BatchNorm to channels-first data; its twin has the loop.",
		func(f *asm.Func) {
			y, x, planes := f.Ptr("dst"), f.Ptr("src"), f.Int("planes")
			mean, scale, beta := f.Ptr("mean"), f.Ptr("scale"), f.Ptr("beta")
			channel, left := f.NewInt("channel"), f.NewInt("left")
			m, a, b := f.NewV("meanV"), f.NewV("scaleV"), f.NewV("betaV")
			f.Take(planes, 1, func() {
				f.If(channel.Zero(), func() {
					channel.Set(f.ArgInt("channels"))
					mean.Set(f.ArgPtr("mean"))
					scale.Set(f.ArgPtr("scale"))
					beta.Set(f.ArgPtr("beta"))
				})
				channel.Set(channel.AddConst(-1))
				m.Set(mean.Splat(0))
				a.Set(scale.Splat(0))
				b.Set(beta.Splat(0))
				for _, p := range []asm.Ptr{mean, scale, beta} {
					p.Advance(4)
				}
				left.Set(f.ArgInt("inner"))
				clamps(f, f.ArgInt("clamp"), func(level int) {
					f.Scope(func() { affinePlane(f, y, x, left, m, a, b, level, 12) })
				})
			})
		})
}

func batchNormRows(file *asm.File) {
	file.Func("func BatchNormRows(dst, src, mean, scale, beta *float32, count, period, clamp int)",
		"BatchNormRows applies BatchNorm to channels-last data; its twin has the loop.",
		func(f *asm.Func) {
			f.If(f.ArgInt("period").GtConst(0).Not(), func() { f.Leave() })
			m := newMatrix(f, f.ArgInt("count"), f.ArgInt("period"), "dst", "src")
			params := m.columns([]string{"mean", "scale", "beta"}, 4, 4, 4)
			c := newClamper(f)
			clamps(f, f.ArgInt("clamp"), func(level int) {
				f.Scope(func() {
					m.elementwise(params, func(load func(p asm.Ptr) asm.V, p []asm.V) asm.V {
						return c.clamp(load(m.at[1]).Sub(p[0]).MulAdd(p[1], p[2]), level)
					})
				})
			})
		})
}
