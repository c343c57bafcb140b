package main

import (
	"math"

	"github.com/normwasm/normwasm/internal/asm"
)

// testKernels is a handful of tiny functions, one a fault of the assembler or a
// construct of the package; internal/asm/asmtest runs them in wasm.
func testKernels() *asm.File {
	file := asm.NewFile("asmtest", "wasm", command, "What internal/asm writes, in small pieces for its tests.")
	file.Func("func storeOffset(dst, src *float32)", "storeOffset is dst[4:8] = src[0:4], dst[8:12] = src[4:8].",
		func(f *asm.Func) {
			y, x := f.Ptr("dst"), f.Ptr("src")
			y.StoreV(16, x.V(0))
			y.StoreV(32, x.V(16))
		})
	file.Func("func storeScalars(dst *float32, wide *float64, gamma float32, delta float64)",
		"storeScalars is dst[1] = gamma, wide[2] = delta.",
		func(f *asm.Func) {
			f.Ptr("dst").StoreF32(4, f.ArgF32("gamma"))
			f.Ptr("wide").StoreF64(16, f.F64("delta"))
		})
	file.Func("func lanes(dst, src *float32)", "lanes is dst[0:4] = src[3], src[0], src[1], src[2].",
		func(f *asm.Func) {
			y, v := f.Ptr("dst"), f.NewV("v")
			v.Set(f.Ptr("src").V(0))
			for i := range 4 {
				y.StoreF32(int64(4*i), v.Lane((i+3)%4))
			}
		})
	file.Func("func replaceLanes(dst, src *float32)", "replaceLanes is dst[0:4] = src[0], src[5], src[2], src[3].",
		func(f *asm.Func) {
			x := f.Ptr("src")
			f.Ptr("dst").StoreV(0, x.V(0).WithLane(1, x.F32(20)))
		})
	file.Func("func splats(dst, src *float32)", "splats is dst[4i:4i+4] = src[i] four times, for 20 elements.",
		func(f *asm.Func) {
			y, x := f.Ptr("dst"), f.Ptr("src")
			for i := range int64(20) {
				y.StoreV(16*i, x.Splat(4*i))
			}
		})
	file.Func("func permute(dst, src *float32)", "permute is dst[0:4] = src[3], src[1], src[0], src[0].",
		func(f *asm.Func) { f.Ptr("dst").StoreV(0, f.Ptr("src").V(0).Permute(3, 1, 0, 0)) })
	file.Func("func promote(dst *float64, src *float32)", "promote is dst[i] = float64(src[i]) for four elements.",
		func(f *asm.Func) {
			y, v := f.Ptr("dst"), f.NewV("v")
			v.Set(f.Ptr("src").V(0))
			y.StoreV(0, v.PromoteLow())
			y.StoreV(16, v.PromoteHigh())
		})
	file.Func("func constants(dst *float32, wide *float64)", "constants stores one, a tenth, -0, infinity and the like.",
		func(f *asm.Func) {
			y, w := f.Ptr("dst"), f.Ptr("wide")
			for i, c := range testConstants {
				y.StoreF32(int64(4*i), f.ConstF32(float32(c)))
				w.StoreF64(int64(8*i), f.ConstF64(c))
			}
			y.StoreV(int64(4*len(testConstants)), f.ConstV(-0.1))
		})
	file.Func("func mulAdd(dst, x, y, z *float32)", "mulAdd is dst[0:4] = x*y + z in one that may be contracted and one that may not.",
		func(f *asm.Func) {
			d, acc := f.Ptr("dst"), f.NewV("acc")
			acc.Set(f.Ptr("z").V(0))
			x, y := f.Ptr("x"), f.Ptr("y")
			d.StoreV(0, x.V(0).MulAdd(y.V(0), acc))
			d.StoreV(16, x.V(0).MulAddApart(y.V(0), acc))
		})
	file.Func("func sweep(dst, src *float32, count int)", "sweep is dst[i] = 2 src[i], by twelve, by four, by one.",
		func(f *asm.Func) {
			y, x := f.Ptr("dst"), f.Ptr("src")
			f.Sweep(asm.Sweep{
				Left: f.Int("count"), Pointers: []asm.Ptr{y, x}, Unroll: 3,
				Vector: func(u int) { o := int64(16 * u); y.StoreV(o, x.V(o).Add(x.V(o))) },
				Scalar: func() { y.StoreF32(0, x.F32(0).Add(x.F32(0))) },
			})
		})
	file.Func("func firstNegative(src *float32, count int) (index int)",
		"firstNegative is the least i with src[i] < 0, or count.",
		func(f *asm.Func) {
			x, left := f.Ptr("src"), f.Int("count")
			f.Take(left, 1, func() {
				f.If(x.F32(0).Lt(f.ConstF32(0)), func() { f.Return(f.ArgInt("count").Sub(left)) })
				x.Advance(4)
			})
			f.Return(f.ArgInt("count"))
		})
	file.Func("func argument(flag bool, small int32, gamma float32, list []float32, delta float64) float64",
		"argument is small + gamma + len(list) + delta, negative when flag.",
		func(f *asm.Func) {
			sum := f.NewF64("sum")
			sum.Set(f.ArgInt("small").F64().Add(f.ArgF32("gamma").F64()).Add(f.ArgInt("list_len").F64()).Add(f.ArgF64("delta")))
			f.If(f.ArgInt("flag").NotZero(), func() { sum.Set(sum.Neg()) })
			f.Return(sum)
		})
	file.Func("func leaveBlock(count int) int", "leaveBlock counts to min(count, 10) by leaving a loop.",
		func(f *asm.Func) {
			count, i := f.Int("count"), f.NewInt("i")
			f.Block(func(exit asm.Exit) {
				f.While(func() asm.Bool { return i.Lt(count) }, func() {
					exit.If(i.EqConst(10))
					i.Set(i.AddConst(1))
				})
			})
			f.Return(i)
		})
	integers(file)
	return file
}

var testConstants = []float64{1, 0.1, -3, 1e-30, 1e30, 6, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), 16777217}
