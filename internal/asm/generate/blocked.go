package main

import (
	"fmt"

	"github.com/normwasm/normwasm/internal/asm"
)

// blockedTile is a tile of n pixels by 8 channels of a result in the blocked layout, in 2n
// registers.
type blockedTile struct {
	f      *asm.Func
	y      asm.Ptr
	from   asm.Ptr
	acc    []asm.V
	pixels []asm.Ptr
	v      []asm.V // three for what the loops load
}

// limits bound a vector in two instructions, where the sign of a zero does not matter: a lane
// that is -0 stays so behind a lower bound of 0.
type limits struct {
	f      *asm.Func
	lo, hi asm.V
}

func (l limits) load() {
	l.lo.Set(l.f.ArgF32("lo").Splat())
	l.hi.Set(l.f.ArgF32("hi").Splat())
}

func (l limits) clamp(v asm.V) asm.V { return v.PMax(l.lo).PMin(l.hi) }

// blockedTiles runs body for tiles of as many pixels as sizes say, from the first pixel on.
// Pointers to the pixels of x come out of the table `pix`.
func blockedTiles(f *asm.Func, sizes []int, body func(t blockedTile)) {
	y, from, pix, n := f.Ptr("y"), f.Ptr("from"), f.Ptr("pix"), f.Int("n")
	temporary := f.NewVs("v", 3)
	var bound limits
	if sizes[0] > 4 {
		bound = limits{f, temporary[0], temporary[1]}
	} else {
		bound = limits{f, f.NewV("lo"), f.NewV("hi")}
		bound.load()
	}
	for _, size := range sizes {
		f.Take(n, int64(size), func() {
			f.Scope(func() {
				t := blockedTile{f: f, y: y, from: from, acc: f.NewVs("acc", 2*size), v: temporary}
				for i := range size {
					p := f.NewPtr("pixel")
					p.Set(f.ArgPtr("x").Add(floats(pix.Int32(int64(4 * i)))))
					t.pixels = append(t.pixels, p)
				}
				bias := f.NewPtr("bias")
				bias.Set(f.ArgPtr("bias"))
				f.IfElse(from.Nil(), func() {
					for i, v := range t.acc {
						v.Set(bias.V(int64(16 * (i % 2))))
					}
				}, func() {
					for i, v := range t.acc {
						v.Set(from.V(int64(16 * i)).Add(bias.V(int64(16 * (i % 2)))))
					}
					from.Advance(int64(32 * size))
				})
				body(t)
				if sizes[0] > 4 {
					bound.load()
				}
				for i, v := range t.acc {
					y.StoreV(int64(16*i), bound.clamp(v))
				}
			})
			y.Advance(int64(32 * size))
			pix.Advance(int64(4 * size))
		})
	}
}

// blockedConv reads pixels where they are: each step of a run multiplies one channel of the
// tile's pixels, all lanes alike, by the weights of 8 channels of the result.
func blockedConv(file *asm.File) {
	for _, k := range []struct {
		name, doc string
		lanes     int
		tiles     []int
	}{
		{"BlockedConv", "a convolution in the blocked layout", 8, []int{4, 1}},
		{"BlockedConvTall", "a convolution in the blocked layout, six pixels at a time", 8, []int{6}},
		{"BlockedConvPlanes", "a convolution from planes to the blocked layout", 1, []int{4, 1}},
		{"BlockedConvTriples", "a convolution from planes to the blocked layout, three taps at a time", 3, []int{4, 1}},
	} {
		file.Func("func "+k.name+"(y, x *float32, pix *int32, n int, runs *int32, nr int, weights, from, bias *float32, lo, hi float32)",
			k.name+" computes 8 channels of "+k.doc+"; its twin has the loop.",
			func(f *asm.Func) {
				blockedTiles(f, k.tiles, func(t blockedTile) {
					w, run, left, step := f.NewPtr("w"), f.NewPtr("run"), f.NewInt("left"), f.NewInt("step")
					b0, b1, s := t.v[0], t.v[1], t.v[2]
					w.Set(f.ArgPtr("weights"))
					run.Set(f.ArgPtr("runs"))
					left.Set(f.ArgInt("nr"))
					f.Take(left, 1, func() {
						step.Set(floats(run.Int32(0)))
						for _, p := range t.pixels {
							p.Set(p.Add(step))
						}
						// Some versions of V8 (Node 20's) move the loads of all steps to the start of the
						// trip and spill them: a third of the speed is lost. They can't move them over a
						// branch. It is never taken, and a different one each time.
						f.Block(func(never asm.Exit) {
							for c := range k.lanes {
								if c > 0 {
									never.If(left.GeConst(int64(-c)).Not())
								}
								b0.Set(w.V(int64(32 * c)))
								b1.Set(w.V(int64(32*c + 16)))
								for i, p := range t.pixels {
									s.Set(p.Splat(int64(4 * c)))
									t.acc[2*i].Set(s.MulAdd(b0, t.acc[2*i]))
									t.acc[2*i+1].Set(s.MulAdd(b1, t.acc[2*i+1]))
								}
							}
						})
						w.Advance(int64(32 * k.lanes))
						run.Advance(4)
					})
				})
			})
	}
}

// blockedDepthwise multiplies whole vectors: a pixel's 8 channels by their 8 weights.
func blockedDepthwise(file *asm.File) {
	file.Func("func BlockedDepthwise(y, x *float32, pix *int32, n int, taps *int32, nt int, weights, from, bias *float32, lo, hi float32)",
		"BlockedDepthwise computes 8 channels of a depthwise convolution in the blocked layout; its twin has the loop.",
		func(f *asm.Func) {
			blockedTiles(f, []int{4, 1}, func(t blockedTile) {
				w, tap, left, step := f.NewPtr("w"), f.NewPtr("tap"), f.NewInt("left"), f.NewInt("step")
				b0, b1 := t.v[0], t.v[1]
				w.Set(f.ArgPtr("weights"))
				tap.Set(f.ArgPtr("taps"))
				left.Set(f.ArgInt("nt"))
				f.Take(left, 1, func() {
					step.Set(floats(tap.Int32(0)))
					b0.Set(w.V(0))
					b1.Set(w.V(16))
					for i, p := range t.pixels {
						p.Set(p.Add(step))
						t.acc[2*i].Set(p.V(0).MulAdd(b0, t.acc[2*i]))
						t.acc[2*i+1].Set(p.V(16).MulAdd(b1, t.acc[2*i+1]))
					}
					w.Advance(32)
					tap.Advance(4)
				})
			})
		})
}

// blockedWindows are depthwise convolutions of the usual kernels. A row of the window meets
// a row of pixels once: each pixel is loaded for all results that it belongs to, at offsets
// that are part of the instruction. Half of the channels at a time, so that the accumulators
// and a row's weights stay in registers.
func blockedWindows(file *asm.File) {
	for _, k := range []struct {
		name         string
		size, stride int
		tiles        []int // pixels; as many as registers allow, and planes are often multiples of 7
	}{
		{"BlockedDepthwise3", 3, 1, []int{7, 4, 1}},
		{"BlockedDepthwise3Stride2", 3, 2, []int{7, 4, 1}},
		{"BlockedDepthwise5", 5, 1, []int{7, 4, 1}},
		{"BlockedDepthwise5Stride2", 5, 2, []int{7, 4, 1}},
	} {
		file.Func("func "+k.name+"(y, x *float32, pitch, down int, weights *float32, rows, cols int, from, bias *float32, lo, hi float32, blocks, ystep, xstep int)",
			fmt.Sprintf("%s is BlockedDepthwise with a kernel of %[2]d×%[2]d at stride %[3]d; its twin has the loop.", k.name, k.size, k.stride),
			func(f *asm.Func) {
				y, from, plane, weights, bias, blocks := f.Ptr("y"), f.Ptr("from"), f.Ptr("x"), f.Ptr("weights"), f.Ptr("bias"), f.Int("blocks")
				line, at := f.NewPtr("line"), f.NewPtr("at")
				pitch, rows, cols := f.NewInt("pitch"), f.NewInt("rows"), f.NewInt("cols")
				p, w, half, left := f.NewPtr("p"), f.NewPtr("w"), f.NewInt("half"), f.NewInt("left")
				bound := limits{f, f.NewV("lo"), f.NewV("hi")}
				bound.load()
				pitch.Set(floats(f.ArgInt("pitch")))
				f.Take(blocks, 1, func() {
					line.Set(plane)
					rows.Set(f.ArgInt("rows"))
					f.Take(rows, 1, func() {
						at.Set(line)
						cols.Set(f.ArgInt("cols"))
						for _, n := range k.tiles {
							f.Take(cols, int64(n), func() {
								half.Set(f.ConstInt(0))
								f.Do(func() {
									f.Scope(func() {
										acc, v, weight := f.NewVs("acc", n), f.NewV("v"), f.NewVs("weight", k.size)
										v.Set(bias.Add(half).V(0))
										for _, a := range acc {
											a.Set(v)
										}
										f.If(from.NotNil(), func() {
											p.Set(from.Add(half))
											for i, a := range acc {
												a.Set(p.V(int64(32 * i)).Add(a))
											}
										})
										p.Set(at.Add(half))
										w.Set(weights.Add(half))
										left.Set(f.ConstInt(int64(k.size)))
										f.Take(left, 1, func() {
											for t, u := range weight {
												u.Set(w.V(int64(32 * t)))
											}
											for j := range (n-1)*k.stride + k.size {
												v.Set(p.V(int64(32 * j)))
												for i, a := range acc {
													if t := j - i*k.stride; t >= 0 && t < k.size {
														a.Set(v.MulAdd(weight[t], a))
													}
												}
											}
											p.Set(p.Add(pitch))
											w.Advance(int64(32 * k.size))
										})
										p.Set(y.Add(half))
										for i, a := range acc {
											p.StoreV(int64(32*i), bound.clamp(a))
										}
									})
									half.Set(half.AddConst(16))
								}, func() asm.Bool { return half.EqConst(16) })
								f.If(from.NotNil(), func() { from.Advance(int64(32 * n)) })
								y.Advance(int64(32 * n))
								at.Advance(int64(32 * n * k.stride))
							})
						}
						line.Set(line.Add(floats(f.ArgInt("down"))))
					})
					cols.Set(floats(f.ArgInt("ystep").Sub(f.ArgInt("rows").Mul(f.ArgInt("cols")).Shl(3))))
					f.If(from.NotNil(), func() { from.Set(from.Add(cols)) })
					y.Set(y.Add(cols))
					plane.Set(plane.Add(floats(f.ArgInt("xstep"))))
					weights.Advance(int64(32 * k.size * k.size))
					bias.Advance(32)
				})
			})
	}
}

// padPlanes writes planes with borders of zeros, from the first float to the last.
func padPlanes(file *asm.File) {
	file.Func("func PadPlanes(dst, src *float32, planes, step, lds, rows, cols, first, gap, last int)",
		"PadPlanes copies planes and puts zeros around them; its twin has the loop.",
		func(f *asm.Func) {
			y, plane, x, at := f.Ptr("dst"), f.Ptr("src"), f.NewPtr("x"), f.NewPtr("at")
			planes, lines, rows, n, v := f.Int("planes"), f.NewInt("lines"), f.NewInt("rows"), f.NewInt("n"), f.NewV("v")
			zeros := f.NewV("zeros")
			zeros.Set(f.ZeroV())
			f.Take(planes, 1, func() {
				x.Set(plane)
				rows.Set(f.ArgInt("rows"))
				n.Set(f.ArgInt("first"))
				lines.Set(rows.AddConst(1))
				f.Take(lines, 1, func() {
					f.Take(n, 4, func() {
						y.StoreV(0, zeros)
						y.Advance(16)
					})
					f.Take(n, 1, func() {
						y.StoreF32(0, f.ConstF32(0))
						y.Advance(4)
					})
					f.If(rows.NotZero(), func() {
						at.Set(x)
						n.Set(f.ArgInt("cols"))
						f.Sweep(asm.Sweep{
							Left: n, Pointers: []asm.Ptr{y, at}, Unroll: 2,
							Vector: func(u int) {
								v.Set(at.V(int64(16 * u)))
								y.StoreV(int64(16*u), v)
							},
							Scalar: func() { y.StoreF32(0, at.F32(0)) },
						})
						x.Set(x.Add(floats(f.ArgInt("lds"))))
						rows.Set(rows.AddConst(-1))
						n.Set(f.ArgInt("gap"))
						f.If(rows.NotZero().Not(), func() { n.Set(f.ArgInt("last")) })
					})
				})
				plane.Set(plane.Add(floats(f.ArgInt("step"))))
			})
		})
}
