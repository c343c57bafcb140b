package main

import (
	"fmt"

	"github.com/normwasm/normwasm/internal/asm"
)

// gemmTiles keeps a tile of 4×8 in eight registers, or one of 6×8 in twelve. V8 has fifteen:
// beside the accumulators, for two vectors of b, one of a, and the product, which a fused
// multiply-add does without. So the taller tile, whose additions wait less for each other, is
// for the relaxed build. An iteration takes one step of k only: some versions of V8
// (Node 20's) move the loads of all steps to the start of the iteration, spill them, and
// lose half of the speed.
func gemmTiles(file *asm.File) {
	gemmTilesOf(file, "GemmTiles", 4)
	gemmTilesOf(file, "GemmTall", 6)
}

func gemmTilesOf(file *asm.File, name string, high int) {
	file.Func("func "+name+"(dst *float32, ldd int, left *float32, as int, right *float32, bs int, depth, mp, np int, start int, bias *float32, lo, hi float32)",
		fmt.Sprintf("%s computes tiles of %d×8 of a matrix product; its twin has the loop.", name, high),
		func(f *asm.Func) {
			column, ldd, as, bs := f.Ptr("dst"), f.NewInt("ldd"), f.NewInt("as"), f.NewInt("bs")
			panel, np, mp, start := f.Ptr("right"), f.Int("np"), f.NewInt("mp"), f.Int("start")
			columnBias, rowBias := f.Ptr("bias"), f.NewPtr("rowBias")
			strip, c, a, b, k := f.NewPtr("strip"), f.NewPtr("c"), f.NewPtr("a"), f.NewPtr("b"), f.NewInt("k")
			acc, b0, b1, s := f.NewVs("acc", 2*high), f.NewV("b0"), f.NewV("b1"), f.NewV("s")
			bound, loadBounds := boundsIn(f, b0, b1, s)
			ldd.Set(floats(f.ArgInt("ldd")))
			as.Set(floats(f.ArgInt("as")))
			bs.Set(floats(f.ArgInt("bs")))

			step := func() {
				b0.Set(b.V(0))
				b1.Set(b.V(16))
				for r := range high {
					s.Set(a.Splat(int64(4 * r)))
					acc[2*r].Set(s.MulAdd(b0, acc[2*r]))
					acc[2*r+1].Set(s.MulAdd(b1, acc[2*r+1]))
				}
				a.Advance(int64(4 * high))
				b.Advance(32)
			}
			// rows runs body for each row of the tile with c at it.
			rows := func(body func(r int)) {
				for r := range high {
					body(r)
					c.Set(c.Add(ldd))
				}
			}
			f.Take(np, 1, func() {
				strip.Set(f.ArgPtr("left"))
				c.Set(column)
				rowBias.Set(f.ArgPtr("bias"))
				mp.Set(f.ArgInt("mp"))
				f.Take(mp, 1, func() {
					f.Block(func(started asm.Exit) {
						f.If(start.EqConst(startRow), func() {
							for r := range high {
								acc[2*r].Set(rowBias.Splat(int64(4 * r)))
								acc[2*r+1].Set(acc[2*r])
							}
							started.Leave()
						})
						f.If(start.EqConst(startCol), func() {
							for i := range acc {
								acc[i].Set(columnBias.V(int64(16 * (i % 2))))
							}
							started.Leave()
						})
						f.If(start.EqConst(startC), func() {
							b.Set(c)
							rows(func(r int) {
								acc[2*r].Set(c.V(0))
								acc[2*r+1].Set(c.V(16))
							})
							c.Set(b)
							started.Leave()
						})
						for i := range acc {
							acc[i].Set(f.ZeroV())
						}
					})
					a.Set(strip)
					b.Set(panel)
					k.Set(f.ArgInt("depth"))
					f.Take(k, 1, step)
					loadBounds()
					rows(func(r int) {
						c.StoreV(0, bound.clamp(acc[2*r]))
						c.StoreV(16, bound.clamp(acc[2*r+1]))
					})
					strip.Set(strip.Add(as))
					rowBias.Advance(int64(4 * high))
				})
				column.Advance(32)
				columnBias.Advance(32)
				panel.Set(panel.Add(bs))
			})
		})
}

// quarters is how a row's product goes through the panels of 8 columns of its right operand: four at
// a time, so that sums do not wait for each other, and one from each quarter of them. The operand is what
// takes time where it does not fit into the caches, and so it is read in four long streams: a processor
// reads ahead in each of them, but begins late with every one that is new. (Of 113 MB four neighbours at
// a time gave 17 GB/s, one panel 25, quarters 32, a sum over the same memory 26.)
type quarters struct {
	each   asm.Int // panels of a quarter that are left
	apart  asm.Int // bytes from a quarter's panels to the next one's
	across asm.Int // bytes from a quarter's columns to the next one's
}

func newQuarters(f *asm.Func) quarters {
	return quarters{f.NewInt("each"), f.NewInt("apart"), f.NewInt("across")}
}

// pass runs group for np panels of so many bytes, with 4 of them and then with 1. It advances panel
// by one, and columns, pointers to what there is of each column, by 32 bytes.
func (q quarters) pass(f *asm.Func, np, bytes asm.Int, panel asm.Ptr, columns []asm.Ptr, group func(n int)) {
	step := func(n int) func() {
		return func() {
			group(n)
			panel.Set(panel.Add(bytes))
			for _, p := range columns {
				p.Advance(32)
			}
		}
	}
	q.each.Set(np.Shr(2))
	q.apart.Set(q.each.Mul(bytes))
	q.across.Set(q.each.Shl(5))
	np.Set(np.And(3))
	f.Take(q.each, 1, step(4))
	panel.Set(panel.Add(q.apart.MulConst(3)))
	for _, p := range columns {
		p.Set(p.Add(q.across.MulConst(3)))
	}
	f.Take(np, 1, step(1))
}

// panels sets pointers to the group's panels.
func (q quarters) panels(b []asm.Ptr, panel asm.Ptr) {
	b[0].Set(panel)
	for i := 1; i < len(b); i++ {
		b[i].Set(b[i-1].Add(q.apart))
	}
}

// columns runs do for each of the group's n panels with at, a register, where its columns are.
func (q quarters) columns(at, from asm.Ptr, n int, do func(i int)) {
	at.Set(from)
	for i := range n {
		do(i)
		if i+1 < n {
			at.Set(at.Add(q.across))
		}
	}
}

// gemmRow takes four steps of k in a trip: it is the memory's speed that counts.
func gemmRow(file *asm.File) {
	file.Func("func GemmRow(dst, left *float32, astep int, right *float32, bs int, depth, np int, start int, bias *float32, lo, hi float32)",
		"GemmRow multiplies one row by panels of 8 columns; its twin has the loop.",
		func(f *asm.Func) {
			c, a, astep := f.Ptr("dst"), f.NewPtr("a"), f.NewInt("astep")
			panel, np, start, bias := f.Ptr("right"), f.Int("np"), f.ArgInt("start"), f.Ptr("bias")
			k, q := f.NewInt("k"), newQuarters(f)
			bound := newBounds(f)
			astep.Set(floats(f.ArgInt("astep")))
			q.pass(f, np, floats(f.ArgInt("bs")), panel, []asm.Ptr{c, bias}, func(n int) {
				f.Scope(func() {
					acc, s := f.NewVs("acc", 2*n), f.NewV("s")
					b := f.NewPtrs("b", n)
					at := b[0]
					load := func(i int) {
						acc[2*i].Set(at.V(0))
						acc[2*i+1].Set(at.V(16))
					}
					f.Block(func(started asm.Exit) {
						f.If(start.EqConst(startRow), func() {
							for i := range acc {
								acc[i].Set(f.ArgPtr("bias").Splat(0))
							}
							started.Leave()
						})
						f.If(start.EqConst(startCol), func() {
							q.columns(at, bias, n, load)
							started.Leave()
						})
						f.If(start.EqConst(startC), func() {
							q.columns(at, c, n, load)
							started.Leave()
						})
						for i := range acc {
							acc[i].Set(f.ZeroV())
						}
					})
					a.Set(f.ArgPtr("left"))
					k.Set(f.ArgInt("depth"))
					q.panels(b, panel)
					for _, steps := range []int{4, 1} {
						f.Take(k, int64(steps), func() {
							for u := range steps {
								s.Set(a.Splat(0))
								for i := range b {
									acc[2*i].Set(s.MulAdd(b[i].V(int64(32*u)), acc[2*i]))
									acc[2*i+1].Set(s.MulAdd(b[i].V(int64(32*u+16)), acc[2*i+1]))
								}
								a.Set(a.Add(astep))
							}
							for i := range b {
								b[i].Advance(int64(32 * steps))
							}
						})
					}
					q.columns(at, c, n, func(i int) {
						at.StoreV(0, bound.clamp(acc[2*i]))
						at.StoreV(16, bound.clamp(acc[2*i+1]))
					})
				})
			})
		})
}

// gemmCol takes eight panels of a at a time, neighbours: a was laid out just before in most cases.
func gemmCol(file *asm.File) {
	file.Func("func GemmCol(dst, left *float32, as int, right *float32, bstep int, depth, mp int, start int, bias *float32, lo, hi float32)",
		"GemmCol multiplies panels of 4 rows by one column; its twin has the loop.",
		func(f *asm.Func) {
			c, b, as := f.Ptr("dst"), f.NewPtr("b"), f.NewInt("as")
			panel, mp, k := f.Ptr("left"), f.Int("mp"), f.NewInt("k")
			bias := f.Ptr("bias")
			bound := newBounds(f)
			as.Set(floats(f.ArgInt("as")))
			group := func(n int) {
				f.Scope(func() {
					acc, s := f.NewVs("acc", n), f.NewV("s")
					f.Block(func(started asm.Exit) {
						f.If(f.ArgInt("start").EqConst(startRow), func() {
							for i := range acc {
								acc[i].Set(bias.V(int64(16 * i)))
							}
							bias.Advance(int64(16 * n))
							started.Leave()
						})
						f.If(f.ArgInt("start").EqConst(startCol), func() {
							for i := range acc {
								acc[i].Set(bias.Splat(0))
							}
							started.Leave()
						})
						f.If(f.ArgInt("start").EqConst(startC), func() {
							for i := range acc {
								acc[i].Set(c.V(int64(16 * i)))
							}
							started.Leave()
						})
						for i := range acc {
							acc[i].Set(f.ZeroV())
						}
					})
					b.Set(f.ArgPtr("right"))
					k.Set(f.ArgInt("depth"))
					a := make([]asm.Ptr, n)
					for i := range a {
						a[i] = f.NewPtr("panel")
						a[i].Set(panel)
						panel.Set(panel.Add(as))
					}
					step := func(t int) {
						s.Set(b.Splat(0))
						for i := range a {
							acc[i].Set(s.MulAdd(a[i].V(int64(16*t)), acc[i]))
						}
						b.Set(b.Add(floats(f.ArgInt("bstep"))))
					}
					for _, unroll := range []int{4, 1} {
						f.Take(k, int64(unroll), func() {
							for t := range unroll {
								step(t)
							}
							for i := range a {
								a[i].Advance(int64(16 * unroll))
							}
						})
					}
					for i := range acc {
						c.StoreV(int64(16*i), bound.clamp(acc[i]))
					}
					c.Advance(int64(16 * n))
				})
			}
			f.Take(mp, 8, func() { group(8) })
			f.Take(mp, 1, func() { group(1) })
		})
}
