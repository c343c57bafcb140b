package main

import "github.com/normwasm/normwasm/internal/asm"

// quantized writes the kernels of quantized products.
func quantized(file *asm.File) {
	dotTiles(file)
	dotRow(file)
	dotQuads(file)
	quadRow(file)
	sumPairs(file)
	sumQuads(file)
	packTaps(file)
	packQuads(file)
	widenBytes(file)
	quantize(file)
	dequantize(file)
	scaleSums(file)
	quantizeSums(file)
	quantizePlane(file)
	wholeNumbers(file)
	levels(file)
	nibbleRow(file)
}

// dotTiles is gemmTiles with pairs of int16: a dot does the products of two steps of k.
func dotTiles(file *asm.File) {
	file.Func("func DotTiles(dst *int32, ldd int, left *int16, right *int8, pairs, mp, np int, sums, zeros *int32)",
		"DotTiles computes tiles of 4×8 sums of products of int16 and int8; its twin has the loop.",
		func(f *asm.Func) {
			column, ldd, panel, np, mp := f.Ptr("dst"), f.NewInt("ldd"), f.Ptr("right"), f.Int("np"), f.NewInt("mp")
			zeros, sums, c, a, b, k := f.Ptr("zeros"), f.NewPtr("sums"), f.NewPtr("c"), f.NewPtr("a"), f.NewPtr("b"), f.NewInt("k")
			acc, b0, b1, s := f.NewVs("acc", 8), f.NewV("b0"), f.NewV("b1"), f.NewV("s")
			ldd.Set(floats(f.ArgInt("ldd")))
			step := func() {
				b0.Set(b.ExtendI8(0))
				b1.Set(b.ExtendI8(8))
				for r := range 4 {
					s.Set(a.Splat(int64(4 * r)))
					acc[2*r].Set(s.DotI16(b0).AddI32(acc[2*r]))
					acc[2*r+1].Set(s.DotI16(b1).AddI32(acc[2*r+1]))
				}
				a.Advance(16)
				b.Advance(16)
			}
			f.Take(np, 1, func() {
				a.Set(f.ArgPtr("left"))
				c.Set(column)
				sums.Set(f.ArgPtr("sums"))
				mp.Set(f.ArgInt("mp"))
				f.Take(mp, 1, func() {
					b0.Set(zeros.V(0).NegI32())
					b1.Set(zeros.V(16).NegI32())
					for r := range 4 {
						s.Set(sums.Splat(int64(4 * r)))
						acc[2*r].Set(s.MulI32(b0))
						acc[2*r+1].Set(s.MulI32(b1))
					}
					b.Set(panel)
					k.Set(f.ArgInt("pairs"))
					f.Take(k, 1, step)
					for r := range 4 {
						c.StoreV(0, acc[2*r])
						c.StoreV(16, acc[2*r+1])
						c.Set(c.Add(ldd))
					}
					sums.Advance(16)
				})
				panel.Set(b)
				column.Advance(32)
				zeros.Advance(32)
			})
		})
}

// dotRow takes four panels of the right operand at a time, as gemmRow does.
func dotRow(file *asm.File) {
	file.Func("func DotRow(dst *int32, left *int16, right *int8, pairs, np, total int, zeros *int32)",
		"DotRow multiplies one row of int16 by panels of 8 columns of int8; its twin has the loop.",
		func(f *asm.Func) {
			c, a, panel, np, zeros := f.Ptr("dst"), f.NewPtr("a"), f.Ptr("right"), f.Int("np"), f.Ptr("zeros")
			k, q := f.NewInt("k"), newQuarters(f)
			q.pass(f, np, f.ArgInt("pairs").Shl(4), panel, []asm.Ptr{c, zeros}, func(n int) {
				f.Scope(func() {
					acc, s := f.NewVs("acc", 2*n), f.NewV("s")
					b := f.NewPtrs("b", n)
					at := b[0]
					s.Set(f.ArgInt("total").SplatI32().NegI32())
					q.columns(at, zeros, n, func(i int) {
						acc[2*i].Set(s.MulI32(at.V(0)))
						acc[2*i+1].Set(s.MulI32(at.V(16)))
					})
					a.Set(f.ArgPtr("left"))
					k.Set(f.ArgInt("pairs"))
					q.panels(b, panel)
					f.Take(k, 1, func() {
						s.Set(a.Splat(0))
						for i := range b {
							acc[2*i].Set(s.DotI16(b[i].ExtendI8(0)).AddI32(acc[2*i]))
							acc[2*i+1].Set(s.DotI16(b[i].ExtendI8(8)).AddI32(acc[2*i+1]))
							b[i].Advance(16)
						}
						a.Advance(4)
					})
					q.columns(at, c, n, func(i int) {
						at.StoreV(0, acc[2*i])
						at.StoreV(16, acc[2*i+1])
					})
				})
			})
		})
}

// dotQuads is dotTiles with bytes: a dot does the products of four steps of k. A tile has six
// rows, because a dot takes as long as five may be begun, and eight sums would wait for it.
func dotQuads(file *asm.File) {
	file.Func("func DotQuads(dst *int32, ldd int, left *uint8, right *int8, quads, mp, np int, sums, zeros, start *int32)",
		"DotQuads computes tiles of 6×8 of what dots of bytes are in this build; its twin has the loop.",
		func(f *asm.Func) {
			column, ldd, panel, np, mp := f.Ptr("dst"), f.NewInt("ldd"), f.Ptr("right"), f.Int("np"), f.NewInt("mp")
			zeros, start, sums := f.Ptr("zeros"), f.Ptr("start"), f.NewPtr("sums")
			c, a, b, k := f.NewPtr("c"), f.NewPtr("a"), f.NewPtr("b"), f.NewInt("k")
			acc, b0, b1, s := f.NewVs("acc", 2*quadRows), f.NewV("b0"), f.NewV("b1"), f.NewV("s")
			ldd.Set(floats(f.ArgInt("ldd")))
			f.Take(np, 1, func() {
				a.Set(f.ArgPtr("left"))
				c.Set(column)
				sums.Set(f.ArgPtr("sums"))
				mp.Set(f.ArgInt("mp"))
				f.Take(mp, 1, func() {
					for r := range quadRows {
						s.Set(sums.Splat(int64(4 * r)))
						acc[2*r].Set(start.V(0).SubI32(zeros.V(0).MulI32(s)))
						acc[2*r+1].Set(start.V(16).SubI32(zeros.V(16).MulI32(s)))
					}
					b.Set(panel)
					k.Set(f.ArgInt("quads"))
					f.Take(k, 1, func() {
						b0.Set(b.V(0))
						b1.Set(b.V(16))
						for r := range quadRows {
							s.Set(a.Splat(int64(4 * r)))
							acc[2*r].Set(b0.DotBytes(s, acc[2*r]))
							acc[2*r+1].Set(b1.DotBytes(s, acc[2*r+1]))
						}
						a.Advance(4 * quadRows)
						b.Advance(32)
					})
					for r := range quadRows {
						c.StoreV(0, acc[2*r])
						c.StoreV(16, acc[2*r+1])
						c.Set(c.Add(ldd))
					}
					sums.Advance(4 * quadRows)
				})
				panel.Set(b)
				column.Advance(32)
				zeros.Advance(32)
				start.Advance(32)
			})
		})
}

// quadRows is QR of the kernels.
const quadRows = 6

// quadRow takes four panels of the right operand at a time, as dotRow does.
func quadRow(file *asm.File) {
	file.Func("func QuadRow(dst *int32, left *uint8, right *int8, quads, np, total int, zeros, start *int32)",
		"QuadRow is DotQuads for one row; its twin has the loop.",
		func(f *asm.Func) {
			c, a, panel, np, zeros, start := f.Ptr("dst"), f.NewPtr("a"), f.Ptr("right"), f.Int("np"), f.Ptr("zeros"), f.Ptr("start")
			k, q := f.NewInt("k"), newQuarters(f)
			q.pass(f, np, f.ArgInt("quads").Shl(5), panel, []asm.Ptr{c, zeros, start}, func(n int) {
				f.Scope(func() {
					acc, s := f.NewVs("acc", 2*n), f.NewV("s")
					b := f.NewPtrs("b", n)
					at := b[0]
					q.columns(at, start, n, func(i int) {
						acc[2*i].Set(at.V(0))
						acc[2*i+1].Set(at.V(16))
					})
					s.Set(f.ArgInt("total").SplatI32())
					q.columns(at, zeros, n, func(i int) {
						acc[2*i].Set(acc[2*i].SubI32(at.V(0).MulI32(s)))
						acc[2*i+1].Set(acc[2*i+1].SubI32(at.V(16).MulI32(s)))
					})
					a.Set(f.ArgPtr("left"))
					k.Set(f.ArgInt("quads"))
					q.panels(b, panel)
					f.Take(k, 1, func() {
						s.Set(a.Splat(0))
						for i := range b {
							acc[2*i].Set(b[i].V(0).DotBytes(s, acc[2*i]))
							acc[2*i+1].Set(b[i].V(16).DotBytes(s, acc[2*i+1]))
							b[i].Advance(32)
						}
						a.Advance(4)
					})
					q.columns(at, c, n, func(i int) {
						at.StoreV(0, acc[2*i])
						at.StoreV(16, acc[2*i+1])
					})
				})
			})
		})
}

// sumQuads has the rows 0 to 3 in one register and 2 to 5 in the other.
func sumQuads(file *asm.File) {
	file.Func("func SumQuads(dst *int32, left *uint8, quads, mp int)",
		"SumQuads writes what dots of the rows of panels with bytes of 1 are in this build; its twin has the loop.",
		func(f *asm.Func) {
			y, a, mp, k, ones := f.Ptr("dst"), f.Ptr("left"), f.Int("mp"), f.NewInt("k"), f.NewV("ones")
			low, high := f.NewV("low"), f.NewV("high")
			ones.Set(f.ConstLanes(0x01010101, 0x01010101, 0x01010101, 0x01010101))
			f.Take(mp, 1, func() {
				low.Set(f.ZeroV())
				high.Set(f.ZeroV())
				k.Set(f.ArgInt("quads"))
				f.Take(k, 1, func() {
					low.Set(ones.DotBytes(a.V(0), low))
					high.Set(ones.DotBytes(a.V(8), high))
					a.Advance(4 * quadRows)
				})
				y.StoreV(0, low)
				y.StoreV(8, high)
				y.Advance(4 * quadRows)
			})
		})
}

func sumPairs(file *asm.File) {
	file.Func("func SumPairs(dst *int32, left *int16, pairs, mp int)",
		"SumPairs writes the sums of the rows of panels; its twin has the loop.",
		func(f *asm.Func) {
			y, a, mp, k := f.Ptr("dst"), f.Ptr("left"), f.Int("mp"), f.NewInt("k")
			sum, ones := f.NewV("sum"), f.NewV("ones")
			ones.Set(f.ConstI16(1))
			f.Take(mp, 1, func() {
				sum.Set(f.ZeroV())
				k.Set(f.ArgInt("pairs"))
				f.Take(k, 1, func() {
					sum.Set(a.V(0).DotI16(ones).AddI32(sum))
					a.Advance(16)
				})
				y.StoreV(0, sum)
				y.Advance(16)
			})
		})
}

// packTaps looks once a panel whether its pixels are neighbours, as packPixels does.
func packTaps(file *asm.File) {
	file.Func("func PackTaps(dst, src *int16, taps *int32, nt int, pixels *int32, mp int)",
		"PackTaps gathers panels of 4 pixels in pairs of taps; its twin has the loop.",
		func(f *asm.Func) {
			y, pixels, mp := f.Ptr("dst"), f.Ptr("pixels"), f.Int("mp")
			tap, nt := f.NewPtr("tap"), f.NewInt("nt")
			px := make([]asm.Ptr, 4) // addresses of the pixels for a tap of 0
			for l := range px {
				px[l] = f.NewPtr("pixel")
			}
			at, first, second := f.NewPtr("at"), f.NewInt("first"), f.NewInt("second")
			even, odd, v, w := f.NewV("even"), f.NewV("odd"), f.NewV("v"), f.NewV("w")
			// Four int16 to the lower, or the upper, halves of four int32.
			const half = 0x8080
			even.Set(f.ConstLanes(half<<16|0x0100, half<<16|0x0302, half<<16|0x0504, half<<16|0x0706))
			odd.Set(f.ConstLanes(0x0100<<16|half, 0x0302<<16|half, 0x0504<<16|half, 0x0706<<16|half))
			two := func(n asm.Int) asm.Int { return n.Shl(1) }
			follow := func() asm.Bool {
				b := f.ConstInt(2).Eq(px[1].Minus(px[0]))
				return b.And(f.ConstInt(4).Eq(px[2].Minus(px[0]))).And(f.ConstInt(6).Eq(px[3].Minus(px[0])))
			}
			each := func(body func()) {
				f.Take(nt, 2, func() {
					first.Set(two(tap.Int32(0)))
					second.Set(two(tap.Int32(4)))
					body()
					tap.Advance(8)
					y.Advance(16)
				})
			}
			f.Take(mp, 1, func() {
				for l := range px {
					px[l].Set(f.ArgPtr("src").Add(two(pixels.Int32(int64(4 * l)))))
				}
				pixels.Advance(16)
				tap.Set(f.ArgPtr("taps"))
				nt.Set(f.ArgInt("nt"))
				f.IfElse(follow(), func() {
					each(func() {
						at.Set(px[0].Add(first))
						v.Set(at.Half(0))
						at.Set(px[0].Add(second))
						w.Set(at.Half(0))
						y.StoreV(0, v.Swizzle(even).Or(w.Swizzle(odd)))
					})
				}, func() {
					each(func() {
						for l := range px {
							y.StoreInt16(int64(4*l), px[l].Add(first).Int16(0))
							y.StoreInt16(int64(4*l+2), px[l].Add(second).Int16(0))
						}
					})
				})
			})
		})
}

// packQuads reads eight neighbours at a time, of which six count.
func packQuads(file *asm.File) {
	file.Func("func PackQuads(dst, src *uint8, taps *int32, nt int, pixels *int32, mp int)",
		"PackQuads gathers panels of 6 pixels in fours of taps; its twin has the loop.",
		func(f *asm.Func) {
			y, pixels, mp := f.Ptr("dst"), f.Ptr("pixels"), f.Int("mp")
			tap, nt, at := f.NewPtr("tap"), f.NewInt("nt"), f.NewPtr("at")
			px := make([]asm.Ptr, quadRows) // addresses of the pixels for a tap of 0
			for l := range px {
				px[l] = f.NewPtr("pixel")
			}
			low, high, places, v := f.NewV("low"), f.NewV("high"), f.NewVs("places", 8), f.NewV("v")
			// Byte p of a tap's goes to place 4·p of its four, and nothing to the others.
			for t := range 4 {
				for h := range 2 {
					lane := func(p uint32) uint32 { return 0x80808080&^(0xff<<(8*t)) | p<<(8*t) }
					p := uint32(4 * h)
					places[2*t+h].Set(f.ConstLanes(lane(p), lane(p+1), lane(p+2), lane(p+3)))
				}
			}
			follow := f.ConstInt(1).Eq(px[1].Minus(px[0]))
			for l := 2; l < quadRows; l++ {
				follow = follow.And(f.ConstInt(int64(l)).Eq(px[l].Minus(px[0])))
			}
			each := func(body func()) {
				f.Take(nt, 4, func() {
					body()
					tap.Advance(16)
					y.Advance(4 * quadRows)
				})
			}
			f.Take(mp, 1, func() {
				for l := range px {
					px[l].Set(f.ArgPtr("src").Add(pixels.Int32(int64(4 * l))))
				}
				pixels.Advance(4 * quadRows)
				tap.Set(f.ArgPtr("taps"))
				nt.Set(f.ArgInt("nt"))
				f.IfElse(follow, func() {
					each(func() {
						for t := range 4 {
							at.Set(px[0].Add(tap.Int32(int64(4 * t))))
							v.Set(at.Half(0))
							if t == 0 {
								low.Set(v.Swizzle(places[0]))
								high.Set(v.Swizzle(places[1]))
								continue
							}
							low.Set(v.Swizzle(places[2*t]).Or(low))
							high.Set(v.Swizzle(places[2*t+1]).Or(high))
						}
						y.StoreV(0, low)
						y.StoreHalf(16, high)
					})
				}, func() {
					each(func() {
						for t := range 4 {
							for l := range px {
								y.StoreInt8(int64(4*l+t), px[l].Add(tap.Int32(int64(4*t))).Uint8(0))
							}
						}
					})
				})
			})
		})
}

func widenBytes(file *asm.File) {
	file.Func("func WidenBytes(dst *int16, src *uint8, n, flip, zero int)",
		"WidenBytes writes bytes as int16 less a zero point; its twin has the loop.",
		func(f *asm.Func) {
			y, x, n := f.Ptr("dst"), f.Ptr("src"), f.Int("n")
			zero, flip := f.NewV("zero"), f.NewV("flip")
			zero.Set(f.ArgInt("zero").SplatI16())
			flip.Set(f.ArgInt("flip").Shl(8).SplatI16())
			f.Take(n, 8, func() {
				// A byte in the upper half is flipped there, and comes down with its sign.
				y.StoreV(0, x.ExtendU8(0).ShlI16(8).Xor(flip).ShrI16(8).SubI16(zero))
				x.Advance(8)
				y.Advance(16)
			})
			v := f.NewV("one")
			f.Take(n, 1, func() {
				v.Set(x.Uint8(0).Shl(8).SplatI16().Xor(flip).ShrI16(8).SubI16(zero))
				y.StoreInt16(0, v.LaneI16(0))
				x.Advance(1)
				y.Advance(2)
			})
		})
}

// gridded is the function grid of the twins, of four numbers.
type gridded struct{ lo, hi asm.V }

func newGridded(f *asm.Func) gridded {
	g := gridded{f.NewV("lo"), f.NewV("hi")}
	g.lo.Set(f.ArgF32("lo").Splat())
	g.hi.Set(f.ArgF32("hi").Splat())
	return g
}

// PMax and PMin keep a NaN, which TruncI32 makes 0.
func (g gridded) of(v asm.V) asm.V { return v.Nearest().PMax(g.lo).PMin(g.hi).TruncI32() }

func quantize(file *asm.File) {
	file.Func("func QuantizeShort(dst *int16, src *float32, n int, scale, lo, hi float32)",
		"QuantizeShort writes numbers as steps from the zero point; its twin has the loop.",
		func(f *asm.Func) {
			y, x, n, scale := f.Ptr("dst"), f.Ptr("src"), f.Int("n"), f.NewV("scale")
			scale.Set(f.ArgF32("scale").Splat())
			g := newGridded(f)
			f.Take(n, 8, func() {
				y.StoreV(0, g.of(x.V(0).Div(scale)).NarrowI32(g.of(x.V(16).Div(scale))))
				x.Advance(32)
				y.Advance(16)
			})
			f.Take(n, 1, func() {
				v := f.NewV("one")
				v.Set(g.of(x.Splat(0).Div(scale)))
				y.StoreInt16(0, v.LaneI32(0))
				x.Advance(4)
				y.Advance(2)
			})
		})
	file.Func("func QuantizeBytes(dst *uint8, src *float32, n int, scale, lo, hi float32, zero int)",
		"QuantizeBytes writes numbers as bytes; its twin has the loop.",
		func(f *asm.Func) {
			x, scale := f.Ptr("src"), f.NewV("scale")
			scale.Set(f.ArgF32("scale").Splat())
			quantizedBytes(f, []asm.Ptr{x}, func(u int64) asm.V { return x.V(16 * u).Div(scale) }, func() asm.V { return x.Splat(0).Div(scale) })
		})
}

// quantizedBytes writes what four and one give of the operands, on the grid, as bytes.
func quantizedBytes(f *asm.Func, operands []asm.Ptr, four func(u int64) asm.V, one func() asm.V) {
	y, n, zero, mask, v := f.Ptr("dst"), f.Int("n"), f.NewV("zero"), f.NewV("mask"), f.NewV("v")
	zero.Set(f.ArgInt("zero").SplatI16())
	mask.Set(f.ConstI16(0xff))
	g := newGridded(f)
	advance := func(elements int64) {
		for _, p := range operands {
			p.Advance(4 * elements)
		}
		y.Advance(elements)
	}
	f.Take(n, 8, func() {
		v.Set(g.of(four(0)).NarrowI32(g.of(four(1))).AddI16(zero).And(mask))
		y.StoreHalf(0, v.NarrowU16(v))
		advance(8)
	})
	f.Take(n, 1, func() {
		v.Set(g.of(one()))
		v.Set(v.NarrowI32(v).AddI16(zero))
		y.StoreInt8(0, v.LaneI16(0))
		advance(1)
	})
}

func dequantize(file *asm.File) {
	file.Func("func DequantizeBytes(dst *float32, src *uint8, n, flip, zero int, scale float32)",
		"DequantizeBytes writes bytes as the numbers that they stand for; its twin has the loop.",
		func(f *asm.Func) {
			y, x, n := f.Ptr("dst"), f.Ptr("src"), f.Int("n")
			zero, flip, scale, v := f.NewV("zero"), f.NewV("flip"), f.NewV("scale"), f.NewV("v")
			zero.Set(f.ArgInt("zero").SplatI16())
			flip.Set(f.ArgInt("flip").Shl(8).SplatI16())
			scale.Set(f.ArgF32("scale").Splat())
			f.Take(n, 8, func() {
				v.Set(x.ExtendU8(0).ShlI16(8).Xor(flip).ShrI16(8).SubI16(zero))
				y.StoreV(0, v.ExtendLowI16().ConvertI32().Mul(scale))
				y.StoreV(16, v.ExtendHighI16().ConvertI32().Mul(scale))
				x.Advance(8)
				y.Advance(32)
			})
			f.Take(n, 1, func() {
				v.Set(x.Uint8(0).Shl(8).SplatI16().Xor(flip).ShrI16(8).SubI16(zero))
				v.Set(v.ExtendLowI16().ConvertI32().Mul(scale))
				y.StoreF32(0, v.Lane(0))
				x.Advance(1)
				y.Advance(4)
			})
		})
}

func scaleSums(file *asm.File) {
	file.Func("func ScaleSums(dst *float32, ldd int, src *int32, lds int, rows, n int, scales, bias *float32, lo, hi float32)",
		"ScaleSums writes int32 sums as float32, scaled by column; its twin has the loop.",
		func(f *asm.Func) {
			down, ldd, across, lds, rows := f.Ptr("dst"), f.NewInt("ldd"), f.Ptr("src"), f.NewInt("lds"), f.Int("rows")
			y, x, s, b, n, v := f.NewPtr("y"), f.NewPtr("x"), f.NewPtr("s"), f.NewPtr("b"), f.NewInt("n"), f.NewV("v")
			bound := newBounds(f)
			ldd.Set(floats(f.ArgInt("ldd")))
			lds.Set(floats(f.ArgInt("lds")))
			f.Take(rows, 1, func() {
				y.Set(down)
				x.Set(across)
				s.Set(f.ArgPtr("scales"))
				b.Set(f.ArgPtr("bias"))
				n.Set(f.ArgInt("n"))
				f.IfElse(b.NotNil(), func() {
					f.Sweep(asm.Sweep{Left: n, Pointers: []asm.Ptr{y, x, s, b}, Unroll: 1,
						Vector: func(int) {
							v.Set(x.V(0).ConvertI32().Mul(s.V(0)))
							v.Set(b.V(0).Add(v)) // not to be contracted: the same bits everywhere
							y.StoreV(0, bound.clamp(v))
						},
						Scalar: func() {
							v.Set(x.Splat(0).ConvertI32().Mul(s.Splat(0)))
							v.Set(bound.clamp(b.Splat(0).Add(v)))
							y.StoreF32(0, v.Lane(0))
						}})
				}, func() {
					f.Sweep(asm.Sweep{Left: n, Pointers: []asm.Ptr{y, x, s}, Unroll: 1,
						Vector: func(int) { y.StoreV(0, bound.clamp(x.V(0).ConvertI32().Mul(s.V(0)))) },
						Scalar: func() {
							v.Set(bound.clamp(x.Splat(0).ConvertI32().Mul(s.Splat(0))))
							y.StoreF32(0, v.Lane(0))
						}})
				})
				down.Set(down.Add(ldd))
				across.Set(across.Add(lds))
			})
		})
}

func quantizeSums(file *asm.File) {
	file.Func("func QuantizeSums(dst *uint8, src *int32, n int, scales *float32, lo, hi float32, zero int)",
		"QuantizeSums writes int32 sums as bytes; its twin has the loop.",
		func(f *asm.Func) {
			x, s := f.Ptr("src"), f.Ptr("scales")
			quantizedBytes(f, []asm.Ptr{x, s}, func(u int64) asm.V { return x.V(16 * u).ConvertI32().Mul(s.V(16 * u)) },
				func() asm.V { return x.Splat(0).ConvertI32().Mul(s.Splat(0)) })
		})
}

func quantizePlane(file *asm.File) {
	file.Func("func QuantizePlane(dst *uint8, src *int32, n, bias int, scale, lo, hi float32, zero int)",
		"QuantizePlane writes int32 sums and a bias as bytes; its twin has the loop.",
		func(f *asm.Func) {
			x, bias, scale := f.Ptr("src"), f.NewV("bias"), f.NewV("scale")
			bias.Set(f.ArgInt("bias").SplatI32())
			scale.Set(f.ArgF32("scale").Splat())
			of := func(v asm.V) asm.V { return v.AddI32(bias).ConvertI32().Mul(scale) }
			quantizedBytes(f, []asm.Ptr{x}, func(u int64) asm.V { return of(x.V(16 * u)) }, func() asm.V { return of(x.Splat(0)) })
		})
}

func wholeNumbers(file *asm.File) {
	file.Func("func WholeNumbers(dst *int32, src *float32, n int)",
		"WholeNumbers writes float32 that are whole as int32; its twin has the loop.",
		func(f *asm.Func) {
			y, x, n, v := f.Ptr("dst"), f.Ptr("src"), f.Int("n"), f.NewV("v")
			f.Sweep(asm.Sweep{Left: n, Pointers: []asm.Ptr{y, x}, Unroll: 1,
				Vector: func(int) { y.StoreV(0, x.V(0).TruncI32()) },
				Scalar: func() {
					v.Set(x.Splat(0).TruncI32())
					y.StoreF32(0, v.Lane(0))
				}})
		})
}

// levels has each byte as often as it has elements, of which it keeps one each, in place: what
// is higher up in the byte is as much larger, which a product with a power of 2 takes back.
func levels(file *asm.File) {
	file.Func("func Levels(dst *float32, src *uint8, n, bits int, scale, zero float32)",
		"Levels widens elements of 4 or 2 bits; its twin has the loop.",
		func(f *asm.Func) {
			y, x, n, v := f.Ptr("dst"), f.Ptr("src"), f.Int("n"), f.NewV("v")
			places, mask, back, scale, zero := f.NewV("places"), f.NewV("mask"), f.NewV("back"), f.NewV("scale"), f.NewV("zero")
			scale.Set(f.ArgF32("scale").Splat())
			zero.Set(f.ArgF32("zero").Splat())
			loop := func(bytes int64, load func() asm.V) {
				f.Take(n, 16, func() {
					v.Set(load().Swizzle(places).And(mask))
					for u, four := range []asm.V{v.ExtendLowU8().ExtendLowU16(), v.ExtendLowU8().ExtendHighU16(), v.ExtendHighU8().ExtendLowU16(), v.ExtendHighU8().ExtendHighU16()} {
						y.StoreV(int64(16*u), four.ConvertI32().Mul(back).Sub(zero).Mul(scale))
					}
					x.Advance(bytes)
					y.Advance(64)
				})
			}
			const one = 127 << 23 // 1, of which a step of the exponent makes half
			f.IfElse(f.ConstInt(4).Eq(f.ArgInt("bits")), func() {
				places.Set(f.ConstLanes(0x01010000, 0x03030202, 0x05050404, 0x07070606))
				mask.Set(f.ConstBits(0xf00ff00f))
				back.Set(f.ConstLanes(one, one-4<<23, one, one-4<<23))
				loop(8, func() asm.V { return x.Splat64(0) })
			}, func() {
				places.Set(f.ConstLanes(0, 0x01010101, 0x02020202, 0x03030303))
				mask.Set(f.ConstBits(0xc0300c03))
				back.Set(f.ConstLanes(one, one-2<<23, one-4<<23, one-6<<23))
				loop(4, func() asm.V { return x.Splat(0) })
			})
		})
}

// nibbleRow leaves elements where they are in their lanes, but for the highest, whose lane
// would be negative: the other operand is as much smaller.
func nibbleRow(file *asm.File) {
	file.Func("func NibbleRow(dst *float32, src *uint8, x, sums, scales, zeros *float32, columns, blocks, units, step int)",
		"NibbleRow multiplies one row by columns of elements of 4 bits in blocks; its twin has the loop.",
		func(f *asm.Func) {
			y, data, scales, zeros, columns := f.Ptr("dst"), f.Ptr("src"), f.Ptr("scales"), f.Ptr("zeros"), f.Int("columns")
			x, sums, blocks, units, step := f.NewPtr("x"), f.NewPtr("sums"), f.NewInt("blocks"), f.NewInt("units"), f.NewInt("step")
			acc, total, v := f.NewVs("acc", 2), f.NewV("total"), f.NewV("v")
			step.Set(f.ArgInt("step").Shl(2))
			f.Take(columns, 1, func() {
				x.Set(f.ArgPtr("x"))
				sums.Set(f.ArgPtr("sums"))
				total.Set(f.ZeroV())
				blocks.Set(f.ArgInt("blocks"))
				f.Take(blocks, 1, func() {
					acc[0].Set(sums.V(0).Mul(zeros.Splat(0)).Neg())
					acc[1].Set(f.ZeroV())
					units.Set(f.ArgInt("units"))
					f.Take(units, 1, func() {
						v.Set(data.V(0))
						for j := range 7 {
							acc[j%2].Set(v.And(f.ConstBits(15<<(4*j))).ConvertI32().MulAdd(x.V(int64(16*j)), acc[j%2]))
						}
						acc[1].Set(v.ShrU32(28).ConvertI32().MulAdd(x.V(7*16), acc[1]))
						data.Advance(16)
						x.Advance(128)
					})
					acc[0].Set(acc[0].Add(acc[1]))
					total.Set(acc[0].MulAdd(scales.Splat(0), total))
					scales.Advance(4)
					sums.Advance(16)
					zeros.Set(zeros.Add(step))
				})
				y.StoreF32(0, total.Sum4())
				y.Advance(4)
			})
		})
}
