package main

import "github.com/normwasm/normwasm/internal/asm"

// rowPower leaves Σ|x| or Σx² of a row in sum; x and left are consumed.
func rowPower(f *asm.Func, x asm.Ptr, left asm.Int, sum asm.F64, square bool) {
	q, total, w := f.NewVs("q", 8), f.NewVs("total", 2), f.NewV("w")
	for _, v := range append(append([]asm.V{}, q...), total...) {
		v.Set(f.ZeroV())
	}
	add := func(k int, offset int64) {
		if !square {
			q[k].Set(q[k].Add(x.V(offset).Abs()))
			return
		}
		w.Set(x.V(offset))
		q[k].Set(w.MulAdd(w, q[k]))
	}
	step := func() {
		for k := range q {
			add(k, int64(16*k))
		}
		x.Advance(128)
	}
	fold := func() {
		w.Set(q[0].Add(q[1]).Add(q[2].Add(q[3])).Add(q[4].Add(q[5]).Add(q[6].Add(q[7]))))
		total[0].Set(total[0].AddF64(w.PromoteLow()))
		total[1].Set(total[1].AddF64(w.PromoteHigh()))
	}
	foldedEvery(f, 4, left, 32, step, func() {
		fold()
		for _, v := range q {
			v.Set(f.ZeroV())
		}
	})
	f.Block(func(done asm.Exit) {
		for k := range 7 {
			done.If(left.GeConst(4).Not())
			add(k, 0)
			x.Advance(16)
			left.Set(left.AddConst(-4))
		}
	})
	fold()
	sum.Set(total[0].LaneF64(0).Add(total[0].LaneF64(1)).Add(total[1].LaneF64(0).Add(total[1].LaneF64(1))))
	e := f.NewF32("e")
	f.Take(left, 1, func() {
		e.Set(x.F32(0))
		if square {
			e.Set(e.Mul(e))
		}
		sum.Set(sum.Add(e.Abs().F64()))
		x.Advance(4)
	})
}

// folded runs step for each whole trip of elements in left, and fold after every
// sixteen of them.
func folded(f *asm.Func, left asm.Int, trip int64, step, fold func()) {
	foldedEvery(f, 16, left, trip, step, fold)
}

func foldedEvery(f *asm.Func, n int64, left asm.Int, trip int64, step, fold func()) {
	f.Scope(func() {
		steps := f.NewInt("steps")
		f.Take(left, n*trip, func() {
			steps.Set(f.ConstInt(n))
			f.Do(func() {
				step()
				steps.Set(steps.AddConst(-1))
			}, func() asm.Bool { return steps.NotZero() })
			fold()
		})
	})
	f.Take(left, trip, step)
}

func rowPowers(file *asm.File) {
	file.Func("func RowPowers(sums *float64, src *float32, rows, cols, power int)",
		"RowPowers is Σ|x| or Σx² of each row; its twin has the loop.",
		func(f *asm.Func) {
			out, x, rows := f.Ptr("sums"), f.Ptr("src"), f.Int("rows")
			left, sum := f.NewInt("left"), f.NewF64("sum")
			f.Take(rows, 1, func() {
				left.Set(f.ArgInt("cols"))
				f.IfElse(f.ArgInt("power").EqConst(2), func() {
					f.Scope(func() { rowPower(f, x, left, sum, true) })
				}, func() {
					f.Scope(func() { rowPower(f, x, left, sum, false) })
				})
				out.StoreF64(0, sum)
				out.Advance(8)
			})
		})
}

// rmsNormRows applies rows late, as layerNormRows does, but in pairs that load gamma
// once: with so little to sum there is nothing to gain from both in one loop.
func rmsNormRows(file *asm.File) {
	file.Func("func RmsNormRows(dst, src, gamma, rstd *float32, rows, cols int, epsilon float64, done *int)",
		"RmsNormRows normalizes rows until the first hard one; its twin has the loop.",
		func(f *asm.Func) {
			src, behind, dst, cols := f.Ptr("src"), f.Ptr("src"), f.Ptr("dst"), f.Int("cols")
			row, ok, found := f.NewInt("row"), f.NewInt("ok"), newNumbers(f, "rstd")
			measure := func() {
				left, v := f.NewInt("left"), f.NewF64("v")
				left.Set(cols)
				f.Scope(func() { rowPower(f, src, left, v, true) })
				v.Set(v.Div(cols.F64()).Add(f.ArgF64("epsilon")))
				ok.Set(f.ConstInt(1))
				carried(f, v, ok)
				found[0].Set(f.ConstF64(1).Div(v.Sqrt()).F32())
				f.If(ok.NotZero().And(f.ArgPtr("rstd").NotNil()), func() {
					f.ArgPtr("rstd").Add(row.Shl(2)).StoreF32(0, found[0])
				})
			}
			apply := func(rows ...numbers) {
				x, y := []asm.Ptr{behind}, []asm.Ptr{dst}
				if len(rows) == 2 {
					x, y = append(x, f.NewPtr("behindSecond")), append(y, f.NewPtr("dstSecond"))
					x[1].Set(behind.Add(cols.Shl(2)))
					y[1].Set(dst.Add(cols.Shl(2)))
				}
				left, gamma := f.NewInt("left"), f.Ptr("gamma")
				r, g := f.NewVs("rstdV", len(rows)), f.NewV("gammaV")
				for i, n := range rows {
					r[i].Set(n[0].Splat())
				}
				left.Set(cols)
				sweep := func(scaled bool) {
					pointers := append(append([]asm.Ptr{}, x...), y...)
					if scaled {
						pointers = append(pointers, gamma)
					}
					f.Sweep(asm.Sweep{
						Left: left, Pointers: pointers, Unroll: 4,
						Vector: func(u int) {
							o := int64(16 * u)
							if scaled {
								g.Set(gamma.V(o))
							}
							for i := range rows {
								v := x[i].V(o).Mul(r[i])
								if scaled {
									v = v.Mul(g)
								}
								y[i].StoreV(o, v)
							}
						},
						Scalar: func() {
							for i, n := range rows {
								v := x[i].F32(0).Mul(n[0])
								if scaled {
									v = v.Mul(gamma.F32(0))
								}
								y[i].StoreF32(0, v)
							}
						},
					})
				}
				if len(rows) == 2 {
					sweep(true)
					behind.Set(x[1])
					dst.Set(y[1])
				} else {
					f.IfElse(gamma.NotNil(), func() { sweep(true) }, func() { sweep(false) })
				}
			}
			latePairs{
				f: f, row: row, ok: ok, found: found, measure: measure,
				paired:    func() asm.Bool { return f.ArgPtr("gamma").NotNil() },
				applyPair: func(n, m numbers) { apply(n, m) },
				apply:     func(n numbers) { apply(n) },
			}.write()
		})
}

// latePairs is the loop over rows of a kernel that measures a row, which is done or
// hard, and applies what it found later: r-2 and r-1 after the sweep of row r.
type latePairs struct {
	f         *asm.Func
	row, ok   asm.Int
	found     numbers            // what measure found
	measure   func()             // of row; sets ok
	paired    func() asm.Bool    // whether applyPair serves this call
	applyPair func(n, m numbers) // to the next two rows
	apply     func(n numbers)    // to the next row
}

func (p latePairs) write() {
	f := p.f
	first, second := p.found.like(f, "First"), p.found.like(f, "Second")
	waiting := f.NewInt("waiting")
	f.If(f.ArgInt("cols").GtConst(0).Not(), func() {
		f.ArgPtr("done").StoreInt(0, f.ArgInt("rows"))
		f.Leave()
	})
	f.Do(func() {
		p.ok.Set(f.ConstInt(0))
		f.If(p.row.Lt(f.ArgInt("rows")), func() { f.Scope(p.measure) })
		f.If(p.ok.Lt(waiting), func() { // two rows, or no more to come
			f.If(waiting.EqConst(2).And(p.paired()), func() {
				f.Scope(func() { p.applyPair(first, second) })
				waiting.Set(f.ConstInt(0))
			})
			f.While(waiting.NotZero, func() {
				f.Scope(func() { p.apply(first) })
				first.set(second)
				waiting.Set(waiting.AddConst(-1))
			})
		})
		f.IfElse(waiting.Zero(), func() { first.set(p.found) }, func() { second.set(p.found) })
		waiting.Set(waiting.Add(p.ok))
		p.row.Set(p.row.Add(p.ok))
	}, func() asm.Bool { return p.ok.NotZero() })
	f.ArgPtr("done").StoreInt(0, p.row)
}
