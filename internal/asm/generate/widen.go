package main

import "github.com/normwasm/normwasm/internal/asm"

// widen writes the kernels that turn narrow elements into float32, eight a trip.
func widen(file *asm.File) {
	file.Func("func WidenHalf(y *float32, x *uint8, n int)",
		"WidenHalf writes float16 as float32; its twin has the loop.",
		func(f *asm.Func) {
			y, x, n := f.Ptr("y"), f.Ptr("x"), f.Int("n")
			v, small := f.NewV("v"), f.NewV("small")
			scale, most, inf, magnitude, sign := f.NewV("scale"), f.NewV("most"), f.NewV("inf"), f.NewV("magnitude"), f.NewV("sign")
			scale.Set(f.ConstV(0x1p112))
			most.Set(f.ConstBits(0x0f7fffff))
			inf.Set(f.ConstBits(0xff << 23))
			magnitude.Set(f.ConstBits(0x7fff))
			sign.Set(f.ConstBits(0x8000))
			f.Take(n, 8, func() {
				for h := range int64(2) {
					v.Set(x.ExtendU16(8 * h))
					small.Set(v.And(magnitude).ShlI32(13))
					y.StoreV(16*h, small.Mul(scale).Or(small.GtI32(most).And(inf)).Or(v.And(sign).ShlI32(16)))
				}
				x.Advance(16)
				y.Advance(32)
			})
		})
	file.Func("func NarrowHalf(y *uint8, x *float32, n int)",
		"NarrowHalf writes float32 as float16; its twin has the loop.",
		func(f *asm.Func) {
			y, x, n := f.Ptr("y"), f.Ptr("x"), f.Int("n")
			v, low, r := f.NewV("v"), f.NewV("low"), f.NewVs("r", 2)
			half, down, round, one := f.NewV("half"), f.NewV("down"), f.NewV("round"), f.NewV("one")
			half.Set(f.ConstV(0.5))
			down.Set(f.ConstBits(112<<23 - 0xfff))
			round.Set(f.ConstBits(1))
			one.Set(f.ConstBits(0x7fffffff))
			f.Take(n, 8, func() {
				for h, r := range r {
					v.Set(x.V(int64(16 * h)))
					low.Set(v.And(one))
					r.Set(low.SubI32(down).AddI32(low.ShrI32(13).And(round)).ShrI32(13))
					r.Set(low.Add(half).Select(f.ConstBits(0x38800000).GtI32(low), r))
					r.Set(r.Select(f.ConstBits(0x477ff000).GtI32(low), f.ConstBits(0x7c00)))
					r.Set(f.ConstBits(0x7e00).Select(low.GtI32(f.ConstBits(0xff<<23)), r))
					// The sign goes to the upper half's end, and what is beside the sixteen bits away.
					r.Set(r.Or(v.ShrU32(31).ShlI32(15)).ShlI32(16).ShrI32(16))
				}
				y.StoreV(0, r[0].NarrowI32(r[1]))
				x.Advance(32)
				y.Advance(16)
			})
		})
	file.Func("func WidenBrain(y *float32, x *uint8, n int)",
		"WidenBrain writes bfloat16 as float32; its twin has the loop.",
		func(f *asm.Func) {
			y, x, n := f.Ptr("y"), f.Ptr("x"), f.Int("n")
			f.Take(n, 8, func() {
				for h := range int64(2) {
					y.StoreV(16*h, x.ExtendU16(8*h).ShlI32(16))
				}
				x.Advance(16)
				y.Advance(32)
			})
		})
	file.Func("func WidenInt8(y *float32, x *uint8, n int)",
		"WidenInt8 writes int8 as float32; its twin has the loop.",
		func(f *asm.Func) {
			y, x, n, v := f.Ptr("y"), f.Ptr("x"), f.Int("n"), f.NewV("v")
			f.Take(n, 8, func() {
				v.Set(x.ExtendI8(0))
				y.StoreV(0, v.ExtendLowI16().ConvertI32())
				y.StoreV(16, v.ExtendHighI16().ConvertI32())
				x.Advance(8)
				y.Advance(32)
			})
		})
}
