package main

import "github.com/normwasm/normwasm/internal/asm"

// trainingKernels are those that only nn/train calls, so that only its edition of the
// module links them.
func trainingKernels(file *asm.File) {
	tileTaps(file)
	dotTaps(file)
	dealPlanes(file)
	copyPlane(file)
	maxPairs(file)
	spreadPairs(file)
	gradients(file)
	softmaxGradRows(file)
	dotWide(file)
	momentumN(file)
	adamN(file)
}

// tileTaps is gemmTiles with the pixels where they lie, in place of panels: eight
// accumulators of four filters and eight pixels of a row. What a tile has beyond the
// row's end it stores as well, where a later tile of the same plane will store over it;
// at the plane's end it stores element by element.
func tileTaps(file *asm.File) {
	file.Func("func TileTaps(y *float32, ldy int, x *float32, ldx int, taps *int32, weights *float32, nt, filters int, rows, cols int, bias *float32)",
		"TileTaps correlates planes with filters; its twin has the loop.",
		func(f *asm.Func) {
			y, ldy, ldx, nt := f.Ptr("y"), f.NewInt("ldy"), f.NewInt("ldx"), f.NewInt("nt")
			panel, filters, bias := f.Ptr("weights"), f.Int("filters"), f.Ptr("bias")
			line, at, tap, w := f.NewPtr("line"), f.NewPtr("at"), f.NewPtr("tap"), f.NewPtr("w")
			out, c, end := f.NewPtr("out"), f.NewPtr("c"), f.NewPtr("end")
			rows, cols := f.NewInt("rows"), f.NewInt("cols")
			acc, b0, b1, s := f.NewVs("acc", 8), f.NewV("b0"), f.NewV("b1"), f.NewV("s")
			ldy.Set(floats(f.ArgInt("ldy")))
			ldx.Set(floats(f.ArgInt("ldx")))
			// filter runs body for each filter of the tile, with c at its first pixel.
			filter := func(body func(q int)) {
				c.Set(out)
				f.Block(func(done asm.Exit) {
					for q := range 4 {
						body(q)
						if q < 3 {
							done.If(filters.GtConst(int64(q + 1)).Not())
							c.Set(c.Add(ldy))
						}
					}
				})
			}
			f.While(func() asm.Bool { return filters.GtConst(0) }, func() {
				out.Set(y)
				end.Set(y.Add(floats(f.ArgInt("rows").Mul(f.ArgInt("cols"))).AddConst(-32)))
				line.Set(f.ArgPtr("x"))
				rows.Set(f.ArgInt("rows"))
				f.Take(rows, 1, func() {
					cols.Set(f.ArgInt("cols"))
					at.Set(line)
					f.While(func() asm.Bool { return cols.GtConst(0) }, func() {
						for q := range 4 {
							acc[2*q].Set(bias.Splat(int64(4 * q)))
							acc[2*q+1].Set(acc[2*q])
						}
						tap.Set(f.ArgPtr("taps"))
						w.Set(panel)
						nt.Set(f.ArgInt("nt"))
						f.Take(nt, 1, func() {
							c.Set(at.Add(floats(tap.Int32(0))))
							b0.Set(c.V(0))
							b1.Set(c.V(16))
							for q := range 4 {
								s.Set(w.Splat(int64(4 * q)))
								acc[2*q].Set(s.MulAdd(b0, acc[2*q]))
								acc[2*q+1].Set(s.MulAdd(b1, acc[2*q+1]))
							}
							tap.Advance(4)
							w.Advance(16)
						})
						f.IfElse(cols.GeConst(8).Or(end.Below(out).Not()), func() {
							filter(func(q int) {
								c.StoreV(0, acc[2*q])
								c.StoreV(16, acc[2*q+1])
							})
						}, func() {
							filter(func(q int) {
								f.Block(func(done asm.Exit) {
									for l := range 7 {
										c.StoreF32(int64(4*l), acc[2*q+l/4].Lane(l%4))
										done.If(cols.GtConst(int64(l + 1)).Not())
									}
								})
							})
						})
						nt.Set(cols.Min(f.ConstInt(8)))
						cols.Set(cols.Sub(nt))
						out.Set(out.Add(floats(nt)))
						at.Advance(32)
					})
					line.Set(line.Add(ldx))
				})
				y.Set(y.Add(ldy.Shl(2)))
				panel.Set(panel.Add(f.ArgInt("nt").Shl(4)))
				bias.Advance(16)
				filters.Set(filters.AddConst(-4))
			})
		})
}

// dotTaps goes along rows of both operands: eight sums of four lanes, for four filters and
// two taps. The filters' vectors lie side by side, so that one pointer reads them all.
func dotTaps(file *asm.File) {
	file.Func("func DotTaps(sums, dealt, x *float32, ldx int, taps *int32, nt, panels int, rows, cols int)",
		"DotTaps adds products of two sets of planes; its twin has the loop.",
		func(f *asm.Func) {
			sums, panel, panels := f.Ptr("sums"), f.Ptr("dealt"), f.Int("panels")
			tap, nt, ldx := f.NewPtr("tap"), f.NewInt("nt"), f.NewInt("ldx")
			rows, cols := f.NewInt("rows"), f.NewInt("cols")
			x0, x1, d, to := f.NewPtr("x0"), f.NewPtr("x1"), f.NewPtr("d"), f.NewPtr("to")
			acc, e, v := f.NewVs("acc", 8), f.NewV("e"), f.NewVs("v", 2)
			ldx.Set(floats(f.ArgInt("ldx").Sub(f.ArgInt("cols")))) // from the end of a row to the next one
			row := f.ArgInt("nt").Shl(4)                           // of a filter's sums
			each := func(body func(q int)) {
				to.Set(sums)
				for q := range 4 {
					body(q)
					to.Set(to.Add(row))
				}
			}
			f.Take(panels, 1, func() {
				tap.Set(f.ArgPtr("taps"))
				nt.Set(f.ArgInt("nt"))
				f.Take(nt, 2, func() {
					each(func(q int) {
						acc[2*q].Set(to.V(0))
						acc[2*q+1].Set(to.V(16))
					})
					d.Set(panel)
					x0.Set(f.ArgPtr("x").Add(floats(tap.Int32(0))))
					x1.Set(f.ArgPtr("x").Add(floats(tap.Int32(4))))
					rows.Set(f.ArgInt("rows"))
					f.Take(rows, 1, func() {
						cols.Set(f.ArgInt("cols"))
						f.Take(cols, 4, func() {
							v[0].Set(x0.V(0))
							v[1].Set(x1.V(0))
							for q := range 4 {
								e.Set(d.V(int64(16 * q)))
								acc[2*q].Set(e.MulAdd(v[0], acc[2*q]))
								acc[2*q+1].Set(e.MulAdd(v[1], acc[2*q+1]))
							}
							d.Advance(64)
							x0.Advance(16)
							x1.Advance(16)
						})
						x0.Set(x0.Add(ldx))
						x1.Set(x1.Add(ldx))
					})
					each(func(q int) {
						to.StoreV(0, acc[2*q])
						to.StoreV(16, acc[2*q+1])
					})
					sums.Advance(32)
					tap.Advance(8)
				})
				// sums has gone along one filter's.
				sums.Set(sums.Add(row.MulConst(3)))
				panel.Set(panel.Add(f.ArgInt("rows").Mul(f.ArgInt("cols")).Shl(4)))
			})
		})
}

// dealPlanes lays planes out for dotTaps.
func dealPlanes(file *asm.File) {
	file.Func("func DealPlanes(dst, src *float32, planes, rows, cols int)",
		"DealPlanes puts the vectors of four planes side by side; its twin has the loop.",
		func(f *asm.Func) {
			panel, x, planes := f.Ptr("dst"), f.Ptr("src"), f.Int("planes")
			rows, cols, y, place := f.NewInt("rows"), f.NewInt("cols"), f.NewPtr("y"), f.NewInt("place")
			f.Take(planes, 1, func() {
				y.Set(panel.Add(place.Shl(4)))
				rows.Set(f.ArgInt("rows"))
				f.Take(rows, 1, func() {
					cols.Set(f.ArgInt("cols"))
					f.Take(cols, 4, func() {
						y.StoreV(0, x.V(0))
						y.Advance(64)
						x.Advance(16)
					})
					f.If(cols.NotZero(), func() {
						f.Take(cols, 1, func() {
							y.StoreF32(0, x.F32(0))
							y.Advance(4)
							x.Advance(4)
						})
						// On to the next vector's place.
						y.Set(y.Add(floats(f.ConstInt(16).Sub(f.ArgInt("cols").And(3)))))
					})
				})
				place.Set(place.AddConst(1))
				f.If(place.EqConst(4), func() {
					place.Set(f.ConstInt(0))
					panel.Set(y.AddConst(-48))
				})
			})
		})
}

// copyPlane moves rows of a few elements each, for which a call of Go's copy takes longer
// than the copying. The last vector of a row may overlap the one before it.
func copyPlane(file *asm.File) {
	file.Func("func CopyPlane(dst *float32, ldd int, src *float32, lds int, rows, cols int)",
		"CopyPlane copies a matrix.",
		func(f *asm.Func) {
			down, ldd, across, lds := f.Ptr("dst"), f.NewInt("ldd"), f.Ptr("src"), f.NewInt("lds")
			rows, cols, y, x := f.Int("rows"), f.NewInt("cols"), f.NewPtr("y"), f.NewPtr("x")
			ldd.Set(floats(f.ArgInt("ldd")))
			lds.Set(floats(f.ArgInt("lds")))
			f.Take(rows, 1, func() {
				y.Set(down)
				x.Set(across)
				cols.Set(f.ArgInt("cols"))
				f.Take(cols, 4, func() {
					y.StoreV(0, x.V(0))
					y.Advance(16)
					x.Advance(16)
				})
				f.If(cols.NotZero(), func() {
					f.IfElse(f.ArgInt("cols").GeConst(4), func() {
						// Back by what of a vector is there already.
						cols.Set(floats(cols).AddConst(-16))
						y.Set(y.Add(cols))
						x.Set(x.Add(cols))
						y.StoreV(0, x.V(0))
					}, func() {
						f.Take(cols, 1, func() {
							y.StoreF32(0, x.F32(0))
							y.Advance(4)
							x.Advance(4)
						})
					})
				})
				down.Set(down.Add(ldd))
				across.Set(across.Add(lds))
			})
		})
}

// maxPairs compares the four elements of four windows, one after the other.
func maxPairs(file *asm.File) {
	file.Func("func MaxPairs(y, which, x *float32, ldx int, rows, cols int)",
		"MaxPairs is the maxima of 2×2 windows, and where they are; its twin has the loop.",
		func(f *asm.Func) {
			y, which, upper, lower, ldx := f.Ptr("y"), f.Ptr("which"), f.Ptr("x"), f.NewPtr("lower"), f.NewInt("ldx")
			rows, cols, back := f.Int("rows"), f.NewInt("cols"), f.NewInt("back")
			even, odd := f.NewVs("even", 2), f.NewVs("odd", 2)
			even[0].Set(f.ConstLanes(lane32(0), lane32(2), none, none))
			even[1].Set(f.ConstLanes(none, none, lane32(0), lane32(2)))
			odd[0].Set(f.ConstLanes(lane32(1), lane32(3), none, none))
			odd[1].Set(f.ConstLanes(none, none, lane32(1), lane32(3)))
			v, w, m, at, e, wins := f.NewV("v"), f.NewV("w"), f.NewV("m"), f.NewV("at"), f.NewV("e"), f.NewV("wins")
			ldx.Set(floats(f.ArgInt("ldx")))
			// From the end of one pair of rows to the next one.
			back.Set(ldx.Shl(1).Sub(f.ArgInt("cols").Shl(3)))
			against := func(x asm.V, place uint32) {
				e.Set(x)
				wins.Set(e.Gt(m).Or(e.Ne(e)))
				m.Set(e.Select(wins, m))
				at.Set(f.ConstBits(place).Select(wins, at))
			}
			single := f.NewF32("single")
			f.Take(rows, 1, func() {
				lower.Set(upper.Add(ldx))
				cols.Set(f.ArgInt("cols"))
				f.Take(cols, 4, func() {
					v.Set(upper.V(0))
					w.Set(upper.V(16))
					m.Set(v.Swizzle(even[0]).Or(w.Swizzle(even[1])))
					at.Set(f.ZeroV())
					against(v.Swizzle(odd[0]).Or(w.Swizzle(odd[1])), 1)
					v.Set(lower.V(0))
					w.Set(lower.V(16))
					against(v.Swizzle(even[0]).Or(w.Swizzle(even[1])), 2)
					against(v.Swizzle(odd[0]).Or(w.Swizzle(odd[1])), 3)
					y.StoreV(0, m)
					which.StoreV(0, at)
					upper.Advance(32)
					lower.Advance(32)
					y.Advance(16)
					which.Advance(16)
				})
				f.Take(cols, 1, func() {
					m.Set(upper.Splat(0))
					at.Set(f.ZeroV())
					against(upper.Splat(4), 1)
					against(lower.Splat(0), 2)
					against(lower.Splat(4), 3)
					y.StoreF32(0, m.Lane(0))
					single.Set(at.Lane(0))
					which.StoreF32(0, single)
					upper.Advance(8)
					lower.Advance(8)
					y.Advance(4)
					which.Advance(4)
				})
				upper.Set(upper.Add(back))
			})
		})
}

func spreadPairs(file *asm.File) {
	file.Func("func SpreadPairs(dx *float32, ldx int, dy, which *float32, rows, cols int)",
		"SpreadPairs puts gradients where MaxPairs found the maxima; its twin has the loop.",
		func(f *asm.Func) {
			dy, which, upper, lower, ldx := f.Ptr("dy"), f.Ptr("which"), f.Ptr("dx"), f.NewPtr("lower"), f.NewInt("ldx")
			rows, cols, back := f.Int("rows"), f.NewInt("cols"), f.NewInt("back")
			masks := f.NewVs("mask", 4)
			masks[0].Set(f.ConstLanes(lane32(0), none, lane32(1), none))
			masks[1].Set(f.ConstLanes(none, lane32(0), none, lane32(1)))
			masks[2].Set(f.ConstLanes(lane32(2), none, lane32(3), none))
			masks[3].Set(f.ConstLanes(none, lane32(2), none, lane32(3)))
			g, at, a, b := f.NewV("g"), f.NewV("at"), f.NewV("a"), f.NewV("b")
			ldx.Set(floats(f.ArgInt("ldx")))
			back.Set(ldx.Shl(1).Sub(f.ArgInt("cols").Shl(3)))
			place := func(n uint32) asm.V { return g.And(at.EqI32(f.ConstBits(n))) }
			f.Take(rows, 1, func() {
				lower.Set(upper.Add(ldx))
				cols.Set(f.ArgInt("cols"))
				f.Take(cols, 4, func() {
					g.Set(dy.V(0))
					at.Set(which.V(0))
					for i, p := range []asm.Ptr{upper, lower} {
						a.Set(place(uint32(2 * i)))
						b.Set(place(uint32(2*i + 1)))
						p.StoreV(0, a.Swizzle(masks[0]).Or(b.Swizzle(masks[1])))
						p.StoreV(16, a.Swizzle(masks[2]).Or(b.Swizzle(masks[3])))
						p.Advance(32)
					}
					dy.Advance(16)
					which.Advance(16)
				})
				f.Take(cols, 1, func() {
					g.Set(dy.Splat(0))
					at.Set(which.Splat(0))
					for i, p := range []asm.Ptr{upper, lower} {
						p.StoreF32(0, place(uint32(2*i)).Lane(0))
						p.StoreF32(4, place(uint32(2*i+1)).Lane(0))
						p.Advance(8)
					}
					dy.Advance(4)
					which.Advance(4)
				})
				upper.Set(upper.Add(back))
			})
		})
}

// invSqrt2Pi is the standard normal density at 0.
const invSqrt2Pi = 0.39894228

// gradients are the activations': dx = dy·f′, of the output where that is enough.
func gradients(file *asm.File) {
	add := func(name, doc string, unroll int, build func(f *asm.Func) func(x asm.V) asm.V) {
		file.Func("func "+name+"(dx, dy, of *float32, n int)", name+" is dx = "+doc+".",
			func(f *asm.Func) {
				dx, dy, of, n := f.Ptr("dx"), f.Ptr("dy"), f.Ptr("of"), f.Int("n")
				in := f.NewV("in")
				slope := build(f)
				f.Sweep(asm.Sweep{
					Left: n, Pointers: []asm.Ptr{dx, dy, of}, Unroll: unroll,
					Vector: func(u int) {
						o := int64(16 * u)
						in.Set(of.V(o))
						dx.StoreV(o, slope(in).Mul(dy.V(o)))
					},
					Scalar: func() {
						in.Set(of.Splat(0))
						dx.StoreF32(0, slope(in).Mul(dy.Splat(0)).Lane(0))
					},
				})
			})
	}
	file.Func("func ReluGradN(dx, dy, of *float32, n int)", "ReluGradN is dx = of > 0 ? dy : 0.",
		func(f *asm.Func) {
			dx, dy, y, n, zero := f.Ptr("dx"), f.Ptr("dy"), f.Ptr("of"), f.Int("n"), f.NewV("zero")
			zero.Set(f.ZeroV())
			f.Sweep(asm.Sweep{
				Left: n, Pointers: []asm.Ptr{dx, dy, y}, Unroll: 4,
				Vector: func(u int) { o := int64(16 * u); dx.StoreV(o, dy.V(o).And(y.V(o).Gt(zero))) },
				Scalar: func() { dx.StoreF32(0, dy.Splat(0).And(y.Splat(0).Gt(zero)).Lane(0)) },
			})
		})
	add("TanhGradN", "dy * (1 - of*of)", 2, func(f *asm.Func) func(x asm.V) asm.V {
		one := f.NewV("one")
		one.Set(f.ConstV(1))
		return func(y asm.V) asm.V { return one.Sub(y.Mul(y)) }
	})
	add("SigmoidGradN", "dy * (of * (1 - of))", 2, func(f *asm.Func) func(x asm.V) asm.V {
		one := f.NewV("one")
		one.Set(f.ConstV(1))
		return func(y asm.V) asm.V { return y.Mul(one.Sub(y)) }
	})
	add("SiluGradN", "dy * (s + of*s*(1 - s)), s = SigmoidOf(of)", 1, func(f *asm.Func) func(x asm.V) asm.V {
		s := f.NewV("s")
		k := newFunction(f, append(expConstants, 1)...)
		return func(x asm.V) asm.V {
			s.Set(k.sigmoid(x))
			return s.Add(x.Mul(s).Mul(k.c(1).Sub(s)))
		}
	})
	add("GeluGradN", "dy * (NormalOf(of) + of*density(of))", 1, func(f *asm.Func) func(x asm.V) asm.V {
		small, q, t, s, e := f.NewV("small"), f.NewV("q"), f.NewV("t"), f.NewV("s"), f.NewV("e")
		k := newFunction(f, append(expConstants[:5:5], 1)...)
		return func(x asm.V) asm.V {
			s.Set(x.Mul(k.c(sqrtHalf)))
			k.erfSmall(s, small)
			small.Set(k.c(0.5).Mul(small).Add(k.c(0.5)))
			t.Set(s.Abs())
			k.x.Set(k.c(1).Div(t.Mul(k.c(0.5)).Add(k.c(1))))
			k.horner(k.x, erfcTerms)
			q.Set(k.g.Mul(k.x))
			e.Set(k.exp(t.Mul(t).Neg()))
			q.Set(k.c(0.5).Mul(q.Mul(e)))
			q.Set(q.Select(s.Lt(k.c(0)), k.c(1).Sub(q)))
			return small.Select(t.Lt(k.c(1)), q).Add(x.Mul(k.c(invSqrt2Pi)).Mul(e))
		}
	})
}

func softmaxGradRows(file *asm.File) {
	file.Func("func SoftmaxGradRows(dx, dy, y *float32, rows, cols int)",
		"SoftmaxGradRows is dx = y * (dy - Σ dy*y) row by row; its twin has the loop.",
		func(f *asm.Func) {
			dx, dy, y, rows, cols := f.Ptr("dx"), f.Ptr("dy"), f.Ptr("y"), f.Int("rows"), f.Int("cols")
			p, q, left, sum := f.NewPtr("p"), f.NewPtr("q"), f.NewInt("left"), f.NewF32("sum")
			lane, v := f.NewVs("lane", 4), f.NewV("v")
			f.Take(rows, 1, func() {
				p.Set(dy)
				q.Set(y)
				left.Set(cols)
				for _, l := range lane {
					l.Set(f.ZeroV())
				}
				f.Sweep(asm.Sweep{
					Left: left, Pointers: []asm.Ptr{p, q}, Unroll: 4,
					Vector: func(u int) {
						v.Set(p.V(int64(16 * u)))
						lane[u].Set(v.MulAdd(q.V(int64(16*u)), lane[u]))
					},
				})
				v.Set(lane[0].Add(lane[1]).Add(lane[2].Add(lane[3])))
				sum.Set(v.Sum4())
				f.Take(left, 1, func() {
					sum.Set(sum.Add(p.F32(0).Mul(q.F32(0))))
					p.Advance(4)
					q.Advance(4)
				})
				v.Set(sum.Splat())
				left.Set(cols)
				f.Sweep(asm.Sweep{
					Left: left, Pointers: []asm.Ptr{dx, dy, y}, Unroll: 4,
					Vector: func(u int) { o := int64(16 * u); dx.StoreV(o, dy.V(o).Sub(v).Mul(y.V(o))) },
					Scalar: func() { dx.StoreF32(0, dy.F32(0).Sub(sum).Mul(y.F32(0))) },
				})
			})
		})
}

// dotWide adds in float64, where products of float32 are exact: the relaxed build
// contracts them without a change of the result.
func dotWide(file *asm.File) {
	file.Func("func DotWide(left, right *float32, n int) float64",
		"DotWide is the sum of products in float64; its twin has the loop.",
		func(f *asm.Func) {
			x, y, n, sum := f.Ptr("left"), f.Ptr("right"), f.Int("n"), f.NewF64("sum")
			lane, v := f.NewVs("lane", 8), f.NewVs("v", 2)
			f.Take(n, 16, func() {
				for i, l := range lane {
					e := v[i%2]
					e.Set(x.Half(int64(8 * i)).PromoteLow())
					l.Set(e.MulAddF64(y.Half(int64(8*i)).PromoteLow(), l))
				}
				x.Advance(64)
				y.Advance(64)
			})
			for i := 4; i > 0; i /= 2 {
				for u := range i {
					lane[u].Set(lane[u].AddF64(lane[u+i]))
				}
			}
			sum.Set(lane[0].LaneF64(0).Add(lane[0].LaneF64(1)))
			f.Take(n, 1, func() {
				sum.Set(sum.Add(x.F32(0).F64().Mul(y.F32(0).F64())))
				x.Advance(4)
				y.Advance(4)
			})
			f.Return(sum)
		})
}

func momentumN(file *asm.File) {
	file.Func("func MomentumN(weights, velocity, grad *float32, n int, rate, momentum, decay, by float32)",
		"MomentumN is a step of gradient descent with momentum; its twin has the loop.",
		func(f *asm.Func) {
			w, m, g, n := f.Ptr("weights"), f.Ptr("velocity"), f.Ptr("grad"), f.Int("n")
			rate, momentum, decay, by := splatted(f, "rate"), splatted(f, "momentum"), splatted(f, "decay"), splatted(f, "by")
			x, d, v := f.NewV("x"), f.NewV("d"), f.NewV("v")
			step := func(load func(p asm.Ptr) asm.V) {
				x.Set(load(w))
				d.Set(load(g).Mul(by).Add(x.Mul(decay)))
				v.Set(load(m).Mul(momentum).Add(d))
				x.Set(x.Sub(v.Mul(rate)))
			}
			f.Sweep(asm.Sweep{
				Left: n, Pointers: []asm.Ptr{w, m, g}, Unroll: 1,
				Vector: func(int) {
					step(func(p asm.Ptr) asm.V { return p.V(0) })
					m.StoreV(0, v)
					w.StoreV(0, x)
				},
				Scalar: func() {
					step(func(p asm.Ptr) asm.V { return p.Splat(0) })
					m.StoreF32(0, v.Lane(0))
					w.StoreF32(0, x.Lane(0))
				},
			})
		})
}

func adamN(file *asm.File) {
	file.Func("func AdamN(weights, first, second, grad *float32, n int, rate, beta1, beta2, rest1, rest2, decay, c1, c2, by float32)",
		"AdamN is a step of AdamW; its twin has the loop.",
		func(f *asm.Func) {
			w, m, v, g, n := f.Ptr("weights"), f.Ptr("first"), f.Ptr("second"), f.Ptr("grad"), f.Int("n")
			rate, decay, by := splatted(f, "rate"), splatted(f, "decay"), splatted(f, "by")
			beta1, rest1 := splatted(f, "beta1"), splatted(f, "rest1")
			beta2, rest2 := splatted(f, "beta2"), splatted(f, "rest2")
			c1, c2, tiny := splatted(f, "c1"), splatted(f, "c2"), f.NewV("tiny")
			tiny.Set(f.ConstV(1e-8))
			x, d, a, b := f.NewV("x"), f.NewV("d"), f.NewV("a"), f.NewV("b")
			step := func(load func(p asm.Ptr) asm.V) {
				d.Set(load(g).Mul(by))
				a.Set(load(m).Mul(beta1).Add(rest1.Mul(d)))
				b.Set(load(v).Mul(beta2).Add(rest2.Mul(d.Mul(d))))
				x.Set(load(w))
				d.Set(a.Mul(c1).Div(b.Mul(c2).Sqrt().Add(tiny)))
				x.Set(x.Sub(rate.Mul(d.Add(decay.Mul(x)))))
			}
			f.Sweep(asm.Sweep{
				Left: n, Pointers: []asm.Ptr{w, m, v, g}, Unroll: 1,
				Vector: func(int) {
					step(func(p asm.Ptr) asm.V { return p.V(0) })
					m.StoreV(0, a)
					v.StoreV(0, b)
					w.StoreV(0, x)
				},
				Scalar: func() {
					step(func(p asm.Ptr) asm.V { return p.Splat(0) })
					m.StoreF32(0, a.Lane(0))
					v.StoreF32(0, b.Lane(0))
					w.StoreF32(0, x.Lane(0))
				},
			})
		})
}
