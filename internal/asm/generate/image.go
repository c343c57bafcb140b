package main

import "github.com/normwasm/normwasm/internal/asm"

// imageRows is the number of rows that addPixelRows adds at a time.
const imageRows = 4

// addPixelRows takes four pixels a trip, then single ones. The additions are in an order
// that the relaxed build leaves alone: a picture's tensor has the same bits in all variants.
func addPixelRows(file *asm.File) {
	file.Func("func AddPixelRows(y *float32, x *int32, ldx int, weights *float32, n int)",
		"AddPixelRows adds four weighted rows of pixels of four bytes; its twin has the loop.",
		func(f *asm.Func) {
			y, n, ldx, w := f.Ptr("y"), f.Int("n"), f.NewInt("ldx"), f.Ptr("weights")
			ldx.Set(floats(f.ArgInt("ldx")))
			var rows []asm.Ptr
			for _, name := range []string{"x0", "x1", "x2", "x3"} {
				row := f.NewPtr(name)
				if len(rows) == 0 {
					row.Set(f.ArgPtr("x"))
				} else {
					row.Set(rows[len(rows)-1].Add(ldx))
				}
				rows = append(rows, row)
			}
			weights, pixels, acc := f.NewVs("w", imageRows), f.NewVs("p", imageRows), f.NewV("acc")
			for i, v := range weights {
				v.Set(w.Splat(int64(4 * i)))
			}
			// bytes is pixel q of four as float32: a swizzle gives 0 for indices beyond 15.
			bytes := func(v asm.V, q uint32) asm.V {
				at := 4*q | 0x80808000
				return v.Swizzle(f.ConstLanes(at, at+1, at+2, at+3)).ConvertI32()
			}
			quad := func(q uint32) {
				acc.Set(y.V(int64(16 * q)))
				for i, v := range weights {
					acc.Set(v.MulAddApart(bytes(pixels[i], q), acc))
				}
				y.StoreV(int64(16*q), acc)
			}
			f.Take(n, 4, func() {
				for i, row := range rows {
					pixels[i].Set(row.V(0))
					row.Advance(16)
				}
				for q := range uint32(4) {
					quad(q)
				}
				y.Advance(64)
			})
			f.Take(n, 1, func() {
				for i, row := range rows {
					pixels[i].Set(row.Splat(0))
					row.Advance(4)
				}
				quad(0)
				y.Advance(16)
			})
		})
}

func mixPixels(file *asm.File) {
	file.Func("func MixPixels(y, x, weights *float32, spans *int32, n int)",
		"MixPixels writes n weighted sums of neighbouring pixels of four float32; its twin has the loop.",
		func(f *asm.Func) {
			y, x, w, spans, n := f.Ptr("y"), f.Ptr("x"), f.Ptr("weights"), f.Ptr("spans"), f.Int("n")
			at, count, acc := f.NewPtr("at"), f.NewInt("count"), f.NewV("acc")
			f.Take(n, 1, func() {
				at.Set(x.Add(spans.Int32(0).Shl(4)))
				count.Set(spans.Int32(4))
				acc.Set(f.ZeroV())
				f.Take(count, 1, func() {
					acc.Set(w.Splat(0).MulAddApart(at.V(0), acc))
					at.Advance(16)
					w.Advance(4)
				})
				y.StoreV(0, acc)
				y.Advance(16)
				spans.Advance(8)
			})
		})
}

func andPixels(file *asm.File) {
	file.Func("func AndPixels(x *int32, n int) int",
		"AndPixels is the bits that all n elements have.",
		func(f *asm.Func) {
			x, n, all := f.Ptr("x"), f.Int("n"), f.NewInt("all")
			v := f.NewVs("v", 4)
			for _, v := range v {
				v.Set(f.ConstBits(0xffffffff))
			}
			f.Take(n, 16, func() {
				for i, v := range v {
					v.Set(v.And(x.V(int64(16 * i))))
				}
				x.Advance(64)
			})
			v[0].Set(v[0].And(v[1]).And(v[2].And(v[3])))
			f.Take(n, 1, func() {
				v[0].Set(v[0].And(x.Splat(0)))
				x.Advance(4)
			})
			v[0].Set(v[0].And(v[0].Permute(2, 3, 0, 1)))
			all.Set(v[0].And(v[0].Permute(1, 0, 3, 2)).LaneI32(0))
			f.Return(all)
		})
}
