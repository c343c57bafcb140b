package main

import "github.com/normwasm/normwasm/internal/asm"

// pairs writes the kernels of elements of any type. They have a loop for each kind.
func pairs(file *asm.File) {
	comparePairs(file)
	combinePairs(file)
	choose(file)
	copyGrid(file)
	convert(file)
	argRows(file)
	findBeyond(file)
	findLarger(file)
	powN(file)
	dividePairs(file)
	sinN(file)
	inverses(file)
	places(file)
	pickAlong(file)
}

// splatElement is one element of size bytes at p, in all lanes.
func splatElement(p asm.Ptr, size int) asm.V {
	switch size {
	case 1:
		return p.Uint8(0).SplatI8()
	case 4:
		return p.Splat(0)
	}
	return p.Splat64(0)
}

// comparePairs has the numbers of how from internal/kernel: what is compared, and three times the type.
func comparePairs(file *asm.File) {
	file.Func("func ComparePairs(dst, left, right *uint8, n, how int)",
		"ComparePairs compares elements of a type; its twin has the loop.",
		func(f *asm.Func) {
			y, a, b, n, how := f.Ptr("dst"), f.Ptr("left"), f.Ptr("right"), f.Int("n"), f.Int("how")
			ones, zero := f.NewV("ones"), f.NewV("zero")
			ones.Set(f.ConstBits(0x01010101))
			zero.Set(f.ZeroV())
			shorts := func() asm.V { return f.ConstBits(0x00010001) }
			kind := func(code int64, size int, compare func(v, w asm.V) asm.V) {
				f.If(how.EqConst(code), func() {
					at := func(i int64) asm.V { return compare(a.V(16*i), b.V(16*i)) }
					f.Take(n, 16, func() {
						switch size {
						case 1:
							y.StoreV(0, at(0).And(ones))
						case 4:
							y.StoreV(0, at(0).NarrowI32(at(1)).NarrowI16(at(2).NarrowI32(at(3))).And(ones))
						case 8:
							// A mask of eight bytes becomes two, of which one bit is left.
							half := func(i int64) asm.V {
								return at(i).NarrowI32(at(i + 1)).NarrowI16(at(i + 2).NarrowI32(at(i + 3))).And(shorts())
							}
							y.StoreV(0, half(0).NarrowI16(half(4)))
						}
						y.Advance(16)
						a.Advance(int64(16 * size))
						b.Advance(int64(16 * size))
					})
					f.Take(n, 1, func() {
						y.StoreInt8(0, compare(splatElement(a, size), splatElement(b, size)).And(ones).LaneI8(0))
						y.Advance(1)
						a.Advance(int64(size))
						b.Advance(int64(size))
					})
				})
			}
			for i, compare := range []func(v, w asm.V) asm.V{
				asm.V.Eq, asm.V.Lt, asm.V.Le, asm.V.EqF64, asm.V.LtF64, asm.V.LeF64,
				asm.V.EqI32, asm.V.LtI32, asm.V.LeI32, asm.V.EqI64, asm.V.LtI64, asm.V.LeI64,
			} {
				kind(int64(i), 4+4*(i/3%2), compare)
			}
			not := func(v asm.V) asm.V { return v.EqI8(zero) }
			for i, compare := range []func(v, w asm.V) asm.V{
				asm.V.EqI8,
				func(v, w asm.V) asm.V { return not(v).Or(not(w)).Not() },
				func(v, w asm.V) asm.V { return not(v).And(not(w)).Not() },
				func(v, w asm.V) asm.V { return not(v).Xor(not(w)) },
				func(v, w asm.V) asm.V { return not(v).Xor(not(w)).Not() },
			} {
				kind(int64(12+i), 1, compare)
			}
		})
}

// combinePairs has the numbers of how from internal/kernel: what is done, and eight times the type.
func combinePairs(file *asm.File) {
	file.Func("func CombinePairs(dst, left, right *uint8, n, how int)",
		"CombinePairs combines elements of a type; its twin has the loop.",
		func(f *asm.Func) {
			y, a, b, n, how := f.Ptr("dst"), f.Ptr("left"), f.Ptr("right"), f.Int("n"), f.Int("how")
			zero, v, w := f.NewV("zero"), f.NewV("v"), f.NewV("w")
			zero.Set(f.ZeroV())
			kind := func(code int64, size int, combine func(v, w asm.V) asm.V) {
				f.If(how.EqConst(code), func() {
					advance := func(bytes int64) {
						y.Advance(bytes)
						a.Advance(bytes)
						b.Advance(bytes)
					}
					step := int64(16 / size)
					at := func(o int64) {
						v.Set(a.V(o))
						w.Set(b.V(o))
						y.StoreV(o, combine(v, w))
					}
					f.Take(n, 2*step, func() {
						at(0)
						at(16)
						advance(32)
					})
					f.Take(n, 1, func() {
						v.Set(splatElement(a, size))
						w.Set(splatElement(b, size))
						v.Set(combine(v, w))
						if size == 4 {
							y.StoreF32(0, v.Lane(0))
						} else {
							y.StoreHalf(0, v)
						}
						advance(int64(size))
					})
				})
			}
			for i, combine := range []func(v, w asm.V) asm.V{asm.V.AddI32, asm.V.SubI32, asm.V.MulI32, asm.V.MaxI32, asm.V.MinI32} {
				kind(int64(i), 4, combine)
			}
			for i, combine := range []func(v, w asm.V) asm.V{asm.V.AddI64, asm.V.SubI64, asm.V.MulI64,
				func(v, w asm.V) asm.V { return v.Select(w.LtI64(v), w) }, func(v, w asm.V) asm.V { return v.Select(v.LtI64(w), w) }} {
				kind(int64(8+i), 8, combine)
			}
			for i, combine := range []func(v, w asm.V) asm.V{asm.V.AddF64, asm.V.SubF64, asm.V.MulF64, asm.V.MaxF64, asm.V.MinF64, asm.V.DivF64} {
				kind(int64(16+i), 8, combine)
			}
			kind(24, 4, func(v, w asm.V) asm.V { return v.Mul(w).Select(v.Lt(zero), v) })
		})
}

func choose(file *asm.File) {
	file.Func("func Choose(dst, condition, left, right *uint8, n, size int)",
		"Choose takes elements from one of two operands; its twin has the loop.",
		func(f *asm.Func) {
			y, c, a, b, n, size := f.Ptr("dst"), f.Ptr("condition"), f.Ptr("left"), f.Ptr("right"), f.Int("n"), f.Int("size")
			zero, m := f.NewV("zero"), f.NewV("m")
			zero.Set(f.ZeroV())
			for _, s := range []int{1, 4, 8} {
				f.If(size.EqConst(int64(s)), func() {
					advance := func(count int64) {
						c.Advance(count)
						for _, p := range []asm.Ptr{y, a, b} {
							p.Advance(count * int64(s))
						}
					}
					put := func(o int64, mask asm.V) { y.StoreV(o, b.V(o).Select(mask, a.V(o))) }
					count := int64(8)
					if s == 1 {
						count = 16
					}
					f.Take(n, count, func() {
						if s == 1 {
							put(0, c.V(0).EqI8(zero))
							advance(16)
							return
						}
						m.Set(c.ExtendU8(0).EqI16(zero)) // eight masks, of which each becomes as wide as an element
						low, high := m.ExtendLowI16(), m.ExtendHighI16()
						if s == 4 {
							put(0, low)
							put(16, high)
						} else {
							put(0, low.ExtendLowI32())
							put(16, low.ExtendHighI32())
							put(32, high.ExtendLowI32())
							put(48, high.ExtendHighI32())
						}
						advance(8)
					})
					f.Take(n, 1, func() {
						taken := c.Uint8(0).NotZero()
						switch s {
						case 1:
							y.StoreInt8(0, a.Uint8(0).If(taken, b.Uint8(0)))
						case 4:
							y.StoreInt32(0, a.Int32(0).If(taken, b.Int32(0)))
						default:
							y.StoreInt(0, a.Int(0).If(taken, b.Int(0)))
						}
						advance(1)
					})
				})
			}
		})
}

func copyGrid(file *asm.File) {
	file.Func("func CopyGrid(dst, src *uint8, rows, cols, dr, dc, sr, sc, size int)",
		"CopyGrid copies elements by steps; its twin has the loop.",
		func(f *asm.Func) {
			y, x, rows, size := f.Ptr("dst"), f.Ptr("src"), f.Int("rows"), f.Int("size")
			d, s, left, dc, sc := f.NewPtr("d"), f.NewPtr("s"), f.NewInt("left"), f.Int("dc"), f.Int("sc")
			move := func(n int64) {
				switch n {
				case 1:
					d.StoreInt8(0, s.Uint8(0))
				case 2:
					d.StoreInt16(0, s.Uint16(0))
				case 4:
					d.StoreInt32(0, s.Int32(0))
				default:
					d.StoreInt(0, s.Int(0))
				}
				d.Set(d.Add(dc))
				s.Set(s.Add(sc))
			}
			for _, n := range []int64{1, 2, 4, 8} {
				f.If(size.EqConst(n), func() {
					f.Take(rows, 1, func() {
						d.Set(y)
						s.Set(x)
						left.Set(f.ArgInt("cols"))
						f.Take(left, 4, func() {
							for range 4 {
								move(n)
							}
						})
						f.Take(left, 1, func() { move(n) })
						y.Set(y.Add(f.ArgInt("dr")))
						x.Set(x.Add(f.ArgInt("sr")))
					})
				})
			}
		})
}

func convert(file *asm.File) {
	file.Func("func Convert(dst, src *uint8, n, how int) (done int)",
		"Convert converts elements from a type to another; its twin has the loop.",
		func(f *asm.Func) {
			y, x, n, how, done := f.Ptr("dst"), f.Ptr("src"), f.Int("n"), f.Int("how"), f.NewInt("done")
			v, limit, low, high := f.NewV("v"), f.NewV("limit"), f.NewV("low"), f.NewV("high")
			done.Set(n)
			kind := func(code, from, to, group int64, many func(), one func()) {
				f.If(how.EqConst(code), func() {
					f.Take(n, group, func() {
						many()
						x.Advance(group * from)
						y.Advance(group * to)
					})
					f.Take(n, 1, func() {
						one()
						x.Advance(from)
						y.Advance(to)
					})
				})
			}
			limit.Set(f.ConstV(1 << 31))
			far := func() {
				f.If(v.Abs().Ge(limit).AnyTrue(), func() { f.Return(done.Sub(n)) })
			}
			kind(0, 4, 4, 4, func() {
				v.Set(x.V(0))
				far()
				y.StoreV(0, v.TruncI32())
			}, func() {
				v.Set(x.Splat(0))
				far()
				y.StoreF32(0, v.TruncI32().Lane(0))
			})
			kind(1, 4, 4, 4, func() { y.StoreV(0, x.V(0).ConvertI32()) }, func() { y.StoreF32(0, x.Splat(0).ConvertI32().Lane(0)) })
			kind(2, 4, 8, 4, func() {
				v.Set(x.V(0))
				y.StoreV(0, v.ExtendLowI32())
				y.StoreV(16, v.ExtendHighI32())
			}, func() { y.StoreInt(0, x.Int32(0)) })
			const none = 0x80808080
			low.Set(f.ConstLanes(0x03020100, 0x0b0a0908, none, none))
			high.Set(f.ConstLanes(none, none, 0x03020100, 0x0b0a0908))
			kind(3, 8, 4, 4, func() { y.StoreV(0, x.V(0).Swizzle(low).Or(x.V(16).Swizzle(high))) }, func() { y.StoreInt32(0, x.Int32(0)) })
			kind(4, 1, 4, 8, func() {
				v.Set(x.ExtendU8(0))
				y.StoreV(0, v.ExtendLowU16())
				y.StoreV(16, v.ExtendHighU16())
			}, func() { y.StoreInt32(0, x.Uint8(0)) })
			kind(5, 1, 4, 8, func() {
				v.Set(x.ExtendI8(0))
				y.StoreV(0, v.ExtendLowI16())
				y.StoreV(16, v.ExtendHighI16())
			}, func() { y.StoreInt32(0, x.Int8(0)) })
			low.Set(f.ConstBits(0xff))
			at := func(i int64) asm.V { return x.V(16 * i).And(low) }
			kind(6, 4, 1, 16, func() { y.StoreV(0, at(0).NarrowI32(at(1)).NarrowU16(at(2).NarrowI32(at(3)))) }, func() { y.StoreInt8(0, x.Int32(0)) })
			kind(7, 4, 8, 4, func() {
				y.StoreV(0, x.Half(0).PromoteLow())
				y.StoreV(16, x.Half(8).PromoteLow())
			}, func() { y.StoreF64(0, x.F32(0).F64()) })
			kind(8, 8, 4, 4, func() {
				y.StoreHalf(0, x.V(0).Demote())
				y.StoreHalf(8, x.V(16).Demote())
			}, func() { y.StoreF32(0, x.F64(0).F32()) })
			kind(9, 8, 4, 4, func() {
				for i := range int64(4) {
					y.StoreF32(4*i, x.Int(8*i).F32())
				}
			}, func() { y.StoreF32(0, x.Int(0).F32()) })
			f.Return(done)
		})
}

func argRows(file *asm.File) {
	file.Func("func ArgRows(best *float32, index *int32, src *float32, n, row, low int)",
		"ArgRows notes the best of columns; its twin has the loop.",
		func(f *asm.Func) {
			b, at, x, n := f.Ptr("best"), f.Ptr("index"), f.Ptr("src"), f.Int("n")
			row, v, t, m := f.NewV("row"), f.NewV("v"), f.NewV("t"), f.NewV("m")
			row.Set(f.ArgInt("row").SplatI32())
			for _, low := range []bool{false, true} {
				beaten := asm.V.Le
				if low {
					beaten = asm.V.Ge
				}
				mask := func() { m.Set(t.Eq(t).AndNot(beaten(v, t))) }
				chosen := f.ArgInt("low").Zero()
				if low {
					chosen = chosen.Not()
				}
				f.If(chosen, func() {
					f.Sweep(asm.Sweep{
						Left: n, Pointers: []asm.Ptr{b, at, x}, Unroll: 1,
						Vector: func(int) {
							v.Set(x.V(0))
							t.Set(b.V(0))
							mask()
							b.StoreV(0, v.Select(m, t))
							at.StoreV(0, row.Select(m, at.V(0)))
						},
						Scalar: func() {
							v.Set(x.Splat(0))
							t.Set(b.Splat(0))
							mask()
							b.StoreF32(0, v.Select(m, t).Lane(0))
							at.StoreF32(0, row.Select(m, at.Splat(0)).Lane(0))
						},
					})
				})
			}
		})
}

// findBeyond goes through sixteen elements at a time, and those of which one fits one by one.
func findBeyond(file *asm.File) {
	file.Func("func FindBeyond(src *float32, n int, limit float32, how int) (at int)",
		"FindBeyond is the first element beyond a limit; its twin has the loop.",
		func(f *asm.Func) {
			x, n, how := f.Ptr("src"), f.Int("n"), f.Int("how")
			limit := splatted(f, "limit")
			for i, fits := range []func(v asm.V) asm.V{
				func(v asm.V) asm.V { return v.Le(limit).Not() }, func(v asm.V) asm.V { return v.Ge(limit).Not() }, func(v asm.V) asm.V { return v.Eq(limit) },
			} {
				f.If(how.EqConst(int64(i)), func() {
					f.Block(func(found asm.Exit) {
						f.Take(n, 16, func() {
							found.If(fits(x.V(0)).Or(fits(x.V(16))).Or(fits(x.V(32)).Or(fits(x.V(48)))).AnyTrue())
							x.Advance(64)
						})
					})
					f.Take(n, 1, func() {
						f.If(fits(x.Splat(0)).AnyTrue(), func() { f.Return(f.ArgInt("n").Sub(n)) })
						x.Advance(4)
					})
				})
			}
			f.Return(f.ArgInt("n"))
		})
}

// places has a loop for each of two types of indices.
func places(file *asm.File) {
	file.Func("func Places(at *int64, indices *uint8, n, size, stride, limit, unit, first, step int) (done int)",
		"Places adds up where indices point; its twin has the loop.",
		func(f *asm.Func) {
			at, x, n, size, limit := f.Ptr("at"), f.Ptr("indices"), f.Int("n"), f.Int("size"), f.Int("limit")
			stride, unit, first, step := f.NewInt("stride"), f.Int("unit"), f.Int("first"), f.Int("step")
			p, zero := f.NewInt("p"), f.NewInt("zero")
			stride.Set(f.ArgInt("stride").Mul(size))
			for _, bytes := range []int64{4, 8} {
				f.If(size.EqConst(bytes), func() {
					f.Take(n, 1, func() {
						if bytes == 4 {
							p.Set(x.Int32(0))
						} else {
							p.Set(x.Int(0))
						}
						p.Set(p.Add(limit).If(p.Lt(zero), p))
						f.If(p.Lt(zero).Or(p.Ge(limit)), func() { f.Return(f.ArgInt("n").Sub(n)) })
						at.StoreInt(0, at.Int(0).Add(p.Mul(unit)).Add(first))
						first.Set(first.Add(step))
						x.Set(x.Add(stride))
						at.Advance(8)
					})
				})
			}
			f.Return(f.ArgInt("n"))
		})
}

// findLarger is findBeyond of int64.
func findLarger(file *asm.File) {
	file.Func("func FindLarger(src *int64, n, limit int) (at int)",
		"FindLarger is the first element above a limit; its twin has the loop.",
		func(f *asm.Func) {
			x, n, limit := f.Ptr("src"), f.Int("n"), f.NewV("limit")
			limit.Set(f.ArgInt("limit").SplatI64())
			f.Block(func(found asm.Exit) {
				f.Take(n, 8, func() {
					found.If(limit.LtI64(x.V(0)).Or(limit.LtI64(x.V(16))).Or(limit.LtI64(x.V(32)).Or(limit.LtI64(x.V(48)))).AnyTrue())
					x.Advance(64)
				})
			})
			f.Take(n, 1, func() {
				f.If(f.ArgInt("limit").Lt(x.Int(0)), func() { f.Return(f.ArgInt("n").Sub(n)) })
				x.Advance(8)
			})
			f.Return(f.ArgInt("n"))
		})
}

// pickAlong has a loop for each type of indices, each size and each direction. The bytes of an
// element are those of an integer.
func pickAlong(file *asm.File) {
	file.Func("func PickAlong(rows, list, indices *uint8, n, width, size, limit, unit, first, step, put int) (done int)",
		"PickAlong moves elements where indices point; its twin has the loop.",
		func(f *asm.Func) {
			x, y, index, n, limit := f.Ptr("rows"), f.Ptr("list"), f.Ptr("indices"), f.Int("n"), f.Int("limit")
			unit, step, p, zero, at := f.Int("unit"), f.Int("step"), f.NewInt("p"), f.NewInt("zero"), f.NewPtr("at")
			how, width := f.NewInt("how"), f.Int("width")
			x.Set(x.Add(f.ArgInt("first")))
			how.Set(f.ArgInt("size").Add(f.ArgInt("put")))
			for _, bytes := range []int64{4, 8} {
				f.If(width.EqConst(bytes), func() {
					for _, size := range []int64{4, 8, 5, 9} {
						f.If(how.EqConst(size), func() {
							one := func(i int64) {
								if bytes == 4 {
									p.Set(index.Int32(4 * i))
								} else {
									p.Set(index.Int(8 * i))
								}
								p.Set(p.Add(limit).If(p.Lt(zero), p))
								f.If(p.Lt(zero).Or(p.Ge(limit)), func() { f.Return(f.ArgInt("n").Sub(n).AddConst(i)) })
								at.Set(x.Add(p.Mul(unit)))
								switch size {
								case 4:
									y.StoreInt32(4*i, at.Int32(0))
								case 8:
									y.StoreInt(8*i, at.Int(0))
								case 5:
									at.StoreInt32(0, y.Int32(4*i))
								case 9:
									at.StoreInt(0, y.Int(8*i))
								}
								x.Set(x.Add(step))
							}
							for _, group := range []int64{4, 1} {
								f.Take(n, group, func() {
									for i := range group {
										one(i)
									}
									index.Advance(bytes * group)
									y.Advance(size &^ 1 * group)
								})
							}
						})
					}
				})
			}
			f.Return(f.ArgInt("n"))
		})
}
