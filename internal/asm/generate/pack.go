package main

import "github.com/normwasm/normwasm/internal/asm"

func packCols(file *asm.File) {
	file.Func("func PackCols(dst *float32, ds int, src *float32, lds int, depth, np int)",
		"PackCols copies a matrix into panels of 8 columns; its twin has the loop.",
		func(f *asm.Func) {
			panel, ds, column, lds, np := f.Ptr("dst"), f.NewInt("ds"), f.Ptr("src"), f.NewInt("lds"), f.Int("np")
			y, x, k := f.NewPtr("y"), f.NewPtr("x"), f.NewInt("k")
			ds.Set(floats(f.ArgInt("ds")))
			lds.Set(floats(f.ArgInt("lds")))
			f.Take(np, 1, func() {
				y.Set(panel)
				x.Set(column)
				k.Set(f.ArgInt("depth"))
				copyRow := func(t int) {
					y.StoreV(int64(32*t), x.V(0))
					y.StoreV(int64(32*t+16), x.V(16))
					x.Set(x.Add(lds))
				}
				for _, unroll := range []int{4, 1} {
					f.Take(k, int64(unroll), func() {
						for t := range unroll {
							copyRow(t)
						}
						y.Advance(int64(32 * unroll))
					})
				}
				panel.Set(panel.Add(ds))
				column.Advance(32)
			})
		})
}

// packPixels looks once a panel whether its fours are neighbours and then has
// one loop over the taps for each of the answers.
func packPixels(file *asm.File) {
	file.Func("func PackPixels(dst, src *float32, taps *int32, nt int, pixels *int32, np int)",
		"PackPixels gathers panels of 8 pixels; its twin has the loop.",
		func(f *asm.Func) {
			y, pixels, np := f.Ptr("dst"), f.Ptr("pixels"), f.Int("np")
			tap, nt := f.NewPtr("tap"), f.NewInt("nt")
			px := make([]asm.Ptr, 8) // addresses of the pixels for a tap of 0
			for l := range px {
				px[l] = f.NewPtr("pixel")
			}
			at, offset := f.NewPtr("at"), f.NewInt("offset")
			v := f.NewV("v")
			// four copies pixels h to h+3 of a tap: one vector or four elements.
			four := func(h int, neighbours bool) {
				if neighbours {
					at.Set(px[h].Add(offset))
					v.Set(at.V(0))
					y.StoreV(int64(4*h), v)
					return
				}
				for l := h; l < h+4; l++ {
					y.StoreF32(int64(4*l), px[l].Add(offset).F32(0))
				}
			}
			taps := func(first, second bool) {
				f.Take(nt, 1, func() {
					offset.Set(floats(tap.Int32(0)))
					four(0, first)
					four(4, second)
					tap.Advance(4)
					y.Advance(32)
				})
			}
			follow := func(h int) asm.Bool {
				b := f.ConstInt(4).Eq(px[h+1].Minus(px[h]))
				return b.And(f.ConstInt(8).Eq(px[h+2].Minus(px[h]))).And(f.ConstInt(12).Eq(px[h+3].Minus(px[h])))
			}
			f.Take(np, 1, func() {
				for l := range px {
					px[l].Set(f.ArgPtr("src").Add(floats(pixels.Int32(int64(4 * l)))))
				}
				pixels.Advance(32)
				tap.Set(f.ArgPtr("taps"))
				nt.Set(f.ArgInt("nt"))
				f.IfElse(follow(0), func() {
					f.IfElse(follow(4), func() { taps(true, true) }, func() { taps(true, false) })
				}, func() {
					f.IfElse(follow(4), func() { taps(false, true) }, func() { taps(false, false) })
				})
			})
		})
}

const none = 0x80808080 // four byte indices that give zero

// lane32 is the four byte indices of 32-bit lane n.
func lane32(n uint32) uint32 { b := 4 * n; return b | (b+1)<<8 | (b+2)<<16 | (b+3)<<24 }

// transpose works on blocks of 4×4. With no shuffle of two operands to be had
// from the assembler, rows are interleaved as the union of two swizzles that
// leave each other's lanes at zero.
func transpose(file *asm.File) {
	file.Func("func Transpose(dst *float32, ldd int, src *float32, lds int, rows, cols int)",
		"Transpose writes the transposed matrix; its twin has the loop.",
		func(f *asm.Func) {
			down, ldd, across, lds, rows := f.Ptr("dst"), f.NewInt("ldd"), f.Ptr("src"), f.NewInt("lds"), f.Int("rows")
			y, x, cols, p := f.NewPtr("y"), f.NewPtr("x"), f.NewInt("cols"), f.NewPtr("p")
			masks := f.NewVs("mask", 4)
			masks[0].Set(f.ConstLanes(lane32(0), none, lane32(1), none))
			masks[1].Set(f.ConstLanes(none, lane32(0), none, lane32(1)))
			masks[2].Set(f.ConstLanes(lane32(2), none, lane32(3), none))
			masks[3].Set(f.ConstLanes(none, lane32(2), none, lane32(3)))
			r, t := f.NewVs("r", 4), f.NewVs("t", 4)
			ldd.Set(floats(f.ArgInt("ldd")))
			lds.Set(floats(f.ArgInt("lds")))
			start := func() {
				y.Set(down)
				x.Set(across)
				cols.Set(f.ArgInt("cols"))
			}
			f.Take(rows, 4, func() {
				start()
				f.Take(cols, 4, func() {
					p.Set(x)
					for i := range r {
						r[i].Set(p.V(0))
						p.Set(p.Add(lds))
					}
					low := func(a, b asm.V) asm.V { return a.Swizzle(masks[0]).Or(b.Swizzle(masks[1])) }
					high := func(a, b asm.V) asm.V { return a.Swizzle(masks[2]).Or(b.Swizzle(masks[3])) }
					t[0].Set(low(r[0], r[1]))
					t[1].Set(low(r[2], r[3]))
					t[2].Set(high(r[0], r[1]))
					t[3].Set(high(r[2], r[3]))
					for i := range 2 {
						y.StoreV(0, t[2*i].WithLaneF64(1, t[2*i+1].LaneF64(0)))
						y.Set(y.Add(ldd))
						y.StoreV(0, t[2*i+1].WithLaneF64(0, t[2*i].LaneF64(1)))
						y.Set(y.Add(ldd))
					}
					x.Advance(16)
				})
				f.Take(cols, 1, func() {
					p.Set(x)
					for i := range 4 {
						y.StoreF32(int64(4*i), p.F32(0))
						p.Set(p.Add(lds))
					}
					y.Set(y.Add(ldd))
					x.Advance(4)
				})
				down.Advance(16)
				across.Set(across.Add(lds.Shl(2)))
			})
			// Two rows more, of a panel of six.
			f.Take(rows, 2, func() {
				start()
				f.Take(cols, 4, func() {
					r[0].Set(x.V(0))
					r[1].Set(x.Add(lds).V(0))
					for i := range 2 {
						t[0].Set(r[0].Swizzle(masks[2*i]).Or(r[1].Swizzle(masks[2*i+1])))
						for l := range 2 {
							y.StoreF64(0, t[0].LaneF64(l))
							y.Set(y.Add(ldd))
						}
					}
					x.Advance(16)
				})
				f.Take(cols, 1, func() {
					y.StoreF32(0, x.F32(0))
					y.StoreF32(4, x.Add(lds).F32(0))
					y.Set(y.Add(ldd))
					x.Advance(4)
				})
				down.Advance(8)
				across.Set(across.Add(lds.Shl(1)))
			})
			f.Take(rows, 1, func() {
				start()
				f.Take(cols, 1, func() {
					y.StoreF32(0, x.F32(0))
					y.Set(y.Add(ldd))
					x.Advance(4)
				})
				down.Advance(4)
				across.Set(across.Add(lds))
			})
		})
}

func unzip(file *asm.File) {
	file.Func("func Unzip(even, odd, x *float32, n int)",
		"Unzip separates even from odd elements; its twin has the loop.",
		func(f *asm.Func) {
			even, odd, x, n := f.Ptr("even"), f.Ptr("odd"), f.Ptr("x"), f.Int("n")
			masks, v, w := f.NewVs("mask", 4), f.NewV("v"), f.NewV("w")
			masks[0].Set(f.ConstLanes(lane32(0), lane32(2), none, none))
			masks[1].Set(f.ConstLanes(none, none, lane32(0), lane32(2)))
			masks[2].Set(f.ConstLanes(lane32(1), lane32(3), none, none))
			masks[3].Set(f.ConstLanes(none, none, lane32(1), lane32(3)))
			f.Sweep(asm.Sweep{
				Left: n, Pointers: []asm.Ptr{even, odd, x, x}, Unroll: 1,
				Vector: func(int) {
					v.Set(x.V(0))
					w.Set(x.V(16))
					even.StoreV(0, v.Swizzle(masks[0]).Or(w.Swizzle(masks[1])))
					odd.StoreV(0, v.Swizzle(masks[2]).Or(w.Swizzle(masks[3])))
				},
				Scalar: func() {
					even.StoreF32(0, x.F32(0))
					odd.StoreF32(0, x.F32(4))
				},
			})
		})
}
