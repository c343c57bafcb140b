package main

import "github.com/normwasm/normwasm/internal/asm"

// gradient is (g*A - h*B) - C, with -B: the same, and open to contraction.
type gradient struct{ mean, rstd, a, minusB, c, product asm.V }

func (k gradient) of(x, g asm.V) asm.V {
	k.product.Set(x.Sub(k.mean).Mul(k.rstd).Mul(k.minusB))
	return g.MulAdd(k.a, k.product).Sub(k.c)
}

func gradRows(file *asm.File) {
	file.Func("func GradRows(dst, dy, src, params *float32, count, period int)",
		"GradRows applies a backward pass to columns; its twin has the loop.",
		func(f *asm.Func) {
			m := newMatrix(f, f.ArgInt("count"), f.ArgInt("period"), "dst", "dy", "src")
			params := m.columns([]string{"params"}, 4)[0]
			product := f.NewV("product")
			all := []asm.Ptr{}
			for k := range 5 {
				all = append(all, params.Add(m.stride.MulConst(int64(k))))
			}
			m.elementwise(all, func(load func(p asm.Ptr) asm.V, p []asm.V) asm.V {
				product.Set(load(m.at[2]).Sub(p[0]).Mul(p[1]).Mul(p[3]))
				return load(m.at[1]).Mul(p[2]).Sub(product).Sub(p[4])
			})
		})
}

func gradPlanes(file *asm.File) {
	file.Func("func GradPlanes(dst, dy, src, gamma, params *float32, planes, inner int)",
		"GradPlanes applies a backward pass to planes; its twin has the loop.",
		func(f *asm.Func) {
			y, g, x, p, planes := f.Ptr("dst"), f.Ptr("dy"), f.Ptr("src"), f.Ptr("params"), f.Int("planes")
			step, left, gamma := f.NewInt("step"), f.NewInt("left"), f.NewPtr("gamma")
			k := gradient{f.NewV("mean"), f.NewV("rstd"), f.NewV("factor"), f.NewV("minusB"), f.NewV("shift"), f.NewV("product")}
			step.Set(floats(planes))
			sweep := func(scaled bool) {
				pointers := []asm.Ptr{y, g, x}
				if scaled {
					pointers = append(pointers, gamma)
				}
				element := func(load func(p asm.Ptr) asm.V) asm.V {
					d := load(g)
					if scaled {
						d = d.Mul(load(gamma))
					}
					return k.of(load(x), d)
				}
				f.Sweep(asm.Sweep{
					Left: left, Pointers: pointers, Unroll: 4,
					Vector: func(u int) {
						o := int64(16 * u)
						y.StoreV(o, element(func(p asm.Ptr) asm.V { return p.V(o) }))
					},
					Scalar: func() { y.StoreF32(0, element(func(p asm.Ptr) asm.V { return p.Splat(0) }).Lane(0)) },
				})
			}
			f.Take(planes, 1, func() {
				for i, v := range []asm.V{k.mean, k.rstd, k.a, k.minusB, k.c} {
					v.Set(p.Add(step.MulConst(int64(i))).Splat(0))
				}
				k.minusB.Set(k.minusB.Neg())
				p.Advance(4)
				left.Set(f.ArgInt("inner"))
				gamma.Set(f.ArgPtr("gamma"))
				f.IfElse(gamma.NotNil(), func() { sweep(true) }, func() { sweep(false) })
			})
		})
}

func rowProducts(file *asm.File) {
	file.Func("func RowProducts(sums *float64, dy, src, gamma, mean, rstd *float32, rows, cols int)",
		"RowProducts is Σg, Σg·h and Σh of each row; its twin has the loop.",
		func(f *asm.Func) {
			out, dy, x, rows := f.Ptr("sums"), f.Ptr("dy"), f.Ptr("src"), f.Int("rows")
			gamma, mean, rstd, left := f.NewPtr("gamma"), f.Ptr("mean"), f.Ptr("rstd"), f.NewInt("left")
			m, s, h, g := f.NewV("m"), f.NewV("s"), f.NewV("h"), f.NewV("g")
			lanes := [][]asm.V{f.NewVs("lanesG", 2), f.NewVs("lanesGH", 2), f.NewVs("lanesH", 2)}
			totals := f.NewVs("total", 3)
			sum := []asm.F64{f.NewF64("sumG"), f.NewF64("sumGH"), f.NewF64("sumH")}
			product := f.NewF32("product")
			clear := func() {
				for _, v := range lanes {
					v[0].Set(f.ZeroV())
					v[1].Set(f.ZeroV())
				}
			}
			fold := func() {
				for i, v := range lanes {
					g.Set(v[0].Add(v[1]))
					totals[i].Set(totals[i].AddF64(g.PromoteLow().AddF64(g.PromoteHigh())))
				}
			}
			row := func(scaled bool) {
				terms := func(load func(p asm.Ptr) asm.V) {
					h.Set(load(x).Sub(m).Mul(s))
					d := load(dy)
					if scaled {
						d = d.Mul(load(gamma))
					}
					g.Set(d)
				}
				add := func(k int) {
					terms(func(p asm.Ptr) asm.V { return p.V(int64(16 * k)) })
					lanes[0][k].Set(lanes[0][k].Add(g))
					lanes[1][k].Set(g.MulAdd(h, lanes[1][k]))
					lanes[2][k].Set(lanes[2][k].Add(h))
				}
				advance := func(bytes int64) {
					x.Advance(bytes)
					dy.Advance(bytes)
					if scaled {
						gamma.Advance(bytes)
					}
				}
				clear()
				for _, v := range totals {
					v.Set(f.ZeroV())
				}
				left.Set(f.ArgInt("cols"))
				folded(f, left, 8, func() {
					add(0)
					add(1)
					advance(32)
				}, func() {
					fold()
					clear()
				})
				f.Take(left, 4, func() {
					add(0)
					advance(16)
				})
				fold()
				for i, v := range totals {
					sum[i].Set(v.LaneF64(0).Add(v.LaneF64(1)))
				}
				f.Take(left, 1, func() {
					terms(func(p asm.Ptr) asm.V { return p.Splat(0) })
					product.Set(g.Mul(h).Lane(0))
					sum[0].Set(sum[0].Add(g.Lane(0).F64()))
					sum[1].Set(sum[1].Add(product.F64()))
					sum[2].Set(sum[2].Add(h.Lane(0).F64()))
					advance(4)
				})
			}
			f.Take(rows, 1, func() {
				m.Set(mean.Splat(0))
				s.Set(rstd.Splat(0))
				mean.Advance(4)
				rstd.Advance(4)
				gamma.Set(f.ArgPtr("gamma"))
				f.IfElse(gamma.NotNil(), func() { row(true) }, func() { row(false) })
				for i, t := range sum {
					out.StoreF64(int64(8*i), t)
				}
				out.Advance(24)
			})
		})
}
