package main

import "github.com/normwasm/normwasm/internal/asm"

// winograd goes along a row of tiles, half of the channels at a time. Tiles are two pixels
// apart, so that two columns of each are those of the one before.
func winograd(file *asm.File) {
	file.Func("func WinogradIn(dst *float32, vs int, x *float32, pitch int, n int)",
		"WinogradIn transforms a row of tiles of 4×4 pixels; its twin has the loop.",
		func(f *asm.Func) {
			x, pitch, vs, half := f.Ptr("x"), f.NewInt("pitch"), f.NewInt("vs"), f.NewInt("half")
			to, left := f.Ptr("dst"), f.NewInt("left")
			above, below := f.NewPtr("above"), f.NewPtr("below")
			out := []asm.Ptr{f.NewPtr("out"), f.NewPtr("out"), f.NewPtr("out"), f.NewPtr("out")}
			t := f.NewVs("t", 4)
			pitch.Set(floats(f.ArgInt("pitch")))
			vs.Set(floats(f.ArgInt("vs")))
			half.Set(f.ConstInt(2))
			f.Take(half, 1, func() {
				out[0].Set(to)
				for _, row := range []struct {
					above, below int64
					op           func(v, w asm.V) asm.V
				}{{0, 2, asm.V.Sub}, {1, 2, asm.V.Add}, {2, 1, asm.V.Sub}, {1, 3, asm.V.Sub}} {
					above.Set(x.Add(pitch.MulConst(row.above)))
					below.Set(x.Add(pitch.MulConst(row.below)))
					for i := 1; i < 4; i++ {
						out[i].Set(out[i-1].Add(vs))
					}
					load := func(i int) { t[i].Set(row.op(above.V(int64(32*i)), below.V(int64(32*i)))) }
					load(0)
					load(1)
					left.Set(f.ArgInt("n"))
					f.Take(left, 1, func() {
						load(2)
						load(3)
						out[0].StoreV(0, t[0].Sub(t[2]))
						out[1].StoreV(0, t[1].Add(t[2]))
						out[2].StoreV(0, t[2].Sub(t[1]))
						out[3].StoreV(0, t[1].Sub(t[3]))
						t[0].Set(t[2])
						t[1].Set(t[3])
						above.Advance(64)
						below.Advance(64)
						for _, p := range out {
							p.Advance(32)
						}
					})
					out[0].Set(out[3].Add(vs).Add(f.ArgInt("n").MulConst(-32)))
				}
				x.Advance(16)
				to.Advance(16)
			})
		})

	file.Func("func WinogradOut(y, products *float32, ms int, odd, cols int, from, bias *float32, lo, hi float32)",
		"WinogradOut computes a row of pixels from the products of its tiles; its twin has the loop.",
		func(f *asm.Func) {
			y, from, ms, second, third := f.Ptr("y"), f.Ptr("from"), f.NewInt("ms"), f.NewInt("second"), f.NewInt("third")
			half, left, to, more := f.NewInt("half"), f.NewInt("left"), f.NewPtr("to"), f.NewPtr("more")
			first := f.Ptr("products")
			in := []asm.Ptr{f.NewPtr("in"), f.NewPtr("in"), f.NewPtr("in"), f.NewPtr("in")}
			s, bias, v, sign := f.NewVs("s", 4), f.NewV("bias"), f.NewV("v"), f.NewV("sign")
			bound := newBounds(f)
			ms.Set(floats(f.ArgInt("ms")))
			second.Set(ms.Shl(2))
			third.Set(ms.Shl(3))
			sign.Set(f.ZeroV())
			f.If(f.ArgInt("odd").NotZero(), func() {
				first.Set(first.Add(second))
				sign.Set(f.ConstBits(1 << 31))
			})
			store := func(at int64, sum asm.V) {
				v.Set(bias)
				f.If(from.NotNil(), func() { v.Set(more.V(at).Add(bias)) })
				to.StoreV(at, bound.clamp(v.Add(sum)))
			}
			half.Set(f.ConstInt(0))
			f.Do(func() {
				bias.Set(f.ArgPtr("bias").Add(half).V(0))
				to.Set(y.Add(half))
				more.Set(from.Add(half))
				in[0].Set(first.Add(half))
				for i := 1; i < 4; i++ {
					in[i].Set(in[i-1].Add(ms))
				}
				left.Set(f.ArgInt("cols"))
				f.While(func() asm.Bool { return left.GtConst(0) }, func() {
					for i, p := range in {
						s[i].Set(p.V(0).Add(p.Add(second).V(0).Xor(sign)).Add(p.Add(third).V(0).Xor(sign)))
						p.Advance(32)
					}
					store(0, s[0].Add(s[1]).Add(s[2]))
					f.If(left.GtConst(1), func() { store(32, s[1].Sub(s[2]).Sub(s[3])) })
					to.Advance(64)
					more.Advance(64)
					left.Set(left.AddConst(-2))
				})
				half.Set(half.AddConst(16))
			}, func() asm.Bool { return half.EqConst(16) })
		})
}
