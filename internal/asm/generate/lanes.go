package main

import "github.com/normwasm/normwasm/internal/asm"

// lanes writes what goes on around convolutions in the blocked layout, where a pixel is two
// vectors.
func lanes(file *asm.File) {
	file.Func("func MaxLanes(y, x *float32, step int, taps *int32, nt, n int)",
		"MaxLanes is the maximum under places of a window; its twin has the loop.",
		func(f *asm.Func) {
			m := newMaxima(f, 4)
			underLanes(f, []int{2, 1}, m.begin, m.take, m.end)
		})
	file.Func("func MeanLanes(y, x *float32, step int, taps *int32, nt, n int, count float32)",
		"MeanLanes is the mean under places of a window; its twin has the loop.",
		func(f *asm.Func) {
			zero, count := f.NewV("zero"), splatted(f, "count")
			zero.Set(f.ZeroV())
			underLanes(f, []int{4, 1}, func(acc []asm.V) {
				for _, v := range acc {
					v.Set(zero)
				}
			}, func(_ int, acc, v asm.V) { acc.Set(acc.Add(v)) }, func(_ int, acc asm.V) asm.V { return acc.Div(count) })
		})
	laneMeans(file)
	byLanes(file, "MulLanes", "multiplies pixels by one factor a lane", asm.V.Mul)
	byLanes(file, "AddLanes", "adds to pixels one number a lane", asm.V.Add)
}

// underLanes goes through several places at once, and then one by one.
func underLanes(f *asm.Func, sizes []int, begin func(acc []asm.V), take func(i int, acc, v asm.V), end func(i int, acc asm.V) asm.V) {
	y, x, step, n := f.Ptr("y"), f.Ptr("x"), f.NewInt("step"), f.Int("n")
	tap, left, at := f.NewPtr("tap"), f.NewInt("left"), f.NewPtr("at")
	step.Set(floats(f.ArgInt("step")))
	for _, places := range sizes {
		f.Take(n, int64(places), func() {
			f.Scope(func() {
				acc := f.NewVs("acc", 2*places)
				begin(acc)
				tap.Set(f.ArgPtr("taps"))
				left.Set(f.ArgInt("nt"))
				f.Take(left, 1, func() {
					at.Set(x.Add(floats(tap.Int32(0))))
					for i := range places {
						if i > 0 {
							at.Set(at.Add(step))
						}
						take(2*i, acc[2*i], at.V(0))
						take(2*i+1, acc[2*i+1], at.V(16))
					}
					tap.Advance(4)
				})
				for i, v := range acc {
					y.StoreV(int64(16*i), end(i, v))
				}
			})
			y.Advance(int64(32 * places))
			for range places {
				x.Set(x.Add(step))
			}
		})
	}
}

// laneMeans adds up a stretch in float32, four pixels side by side, and stretches in float64.
func laneMeans(file *asm.File) {
	file.Func("func LaneMeans(y, x *float32, blocks, pixels int)",
		"LaneMeans is the mean of each lane of blocks; its twin has the loop.",
		func(f *asm.Func) {
			y, x, blocks, left, n := f.Ptr("y"), f.Ptr("x"), f.Int("blocks"), f.NewInt("left"), f.NewInt("n")
			part, total, count := f.NewVs("part", 8), f.NewVs("total", 4), f.NewV("count")
			f.Take(blocks, 1, func() {
				for _, v := range total {
					v.Set(f.ZeroV())
				}
				left.Set(f.ArgInt("pixels"))
				f.While(func() asm.Bool { return left.GtConst(0) }, func() {
					for _, v := range part {
						v.Set(f.ZeroV())
					}
					n.Set(left.Min(f.ConstInt(128)))
					left.Set(left.Sub(n))
					f.Take(n, 4, func() {
						for i, v := range part {
							v.Set(v.Add(x.V(int64(16 * i))))
						}
						x.Advance(128)
					})
					f.Take(n, 1, func() {
						part[0].Set(part[0].Add(x.V(0)))
						part[1].Set(part[1].Add(x.V(16)))
						x.Advance(32)
					})
					for i := range 2 {
						part[i].Set(part[i].Add(part[i+2]).Add(part[i+4].Add(part[i+6])))
						total[2*i].Set(total[2*i].AddF64(part[i].PromoteLow()))
						total[2*i+1].Set(total[2*i+1].AddF64(part[i].PromoteHigh()))
					}
				})
				count.Set(f.ArgInt("pixels").F64().Splat())
				for i, v := range total {
					v.Set(v.DivF64(count).Demote())
					y.StoreHalf(int64(8*i), v)
				}
				y.Advance(32)
			})
		})
}

func byLanes(file *asm.File, name, does string, op func(v, w asm.V) asm.V) {
	file.Func("func "+name+"(y, x, by *float32, n int)", name+" "+does+"; its twin has the loop.",
		func(f *asm.Func) {
			y, x, by, n := f.Ptr("y"), f.Ptr("x"), f.ArgPtr("by"), f.Int("n")
			w := f.NewVs("by", 2)
			w[0].Set(by.V(0))
			w[1].Set(by.V(16))
			for _, pixels := range []int{4, 1} {
				f.Take(n, int64(pixels), func() {
					for i := range 2 * pixels {
						y.StoreV(int64(16*i), op(x.V(int64(16*i)), w[i%2]))
					}
					y.Advance(int64(32 * pixels))
					x.Advance(int64(32 * pixels))
				})
			}
		})
}
