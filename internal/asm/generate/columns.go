package main

import "github.com/normwasm/normwasm/internal/asm"

// matrix walks count elements in rows of period, the last of which may be short, in
// blocks of some rows; a block in strips, groups of neighbouring columns, whose
// sums or parameters stand in registers while the strip goes down its rows.
type matrix struct {
	f            *asm.Func
	rows         int64     // of a block: 16 where sums are folded
	data         []asm.Ptr // at the strip's first row; registers
	at           []asm.Ptr // at its current row
	stride       asm.Int   // bytes from row to row
	wider        bool      // than a row of period elements
	period       asm.Int
	column       []asm.Ptr // what there is one of for each column: moved on after a strip,
	bytes        []int64   // by so many bytes a column,
	start        func()    // and set to column 0
	left, height asm.Int
	rest, short  asm.Int
	steps, pass  asm.Int
}

// newMatrix reads the arguments that have names as data. count and period are
// arguments or expressions.
func newMatrix(f *asm.Func, count, period asm.Int, names ...string) *matrix {
	m := &matrix{
		f: f, rows: 16, period: period, stride: f.NewInt("stride"), left: f.NewInt("left"), height: f.NewInt("height"),
		rest: f.NewInt("rest"), short: f.NewInt("short"), steps: f.NewInt("steps"), pass: f.NewInt("pass"),
	}
	for _, name := range names {
		m.data = append(m.data, f.Ptr(name))
		m.at = append(m.at, f.NewPtr(name+"At"))
	}
	m.stride.Set(floats(period))
	m.rest.Set(count)
	return m
}

// newPart is newMatrix for some columns of a matrix whose rows are stride elements.
func newPart(f *asm.Func, rows, cols, stride asm.Int, names ...string) *matrix {
	m := newMatrix(f, rows.Mul(cols), cols, names...)
	m.wider = true
	m.stride.Set(floats(stride))
	return m
}

// strip is code for some columns.
type strip struct {
	columns            int
	before, row, after func()
}

// walk writes the loops; strips come from wide to narrow and end with one column.
func (m *matrix) walk(blockEnd func(), strips ...strip) {
	f := m.f
	f.While(func() asm.Bool { return m.rest.GtConst(0) }, func() {
		m.start()
		m.steps.Set(m.period)
		m.height.Set(f.ConstInt(0))
		block := m.steps.MulConst(m.rows)
		f.If(m.rest.Ge(block), func() {
			m.height.Set(f.ConstInt(m.rows))
			m.rest.Set(m.rest.Sub(block))
		})
		f.While(func() asm.Bool { return m.height.Lt(f.ConstInt(m.rows)).And(m.rest.Ge(m.steps)) }, func() {
			m.height.Set(m.height.AddConst(1))
			m.rest.Set(m.rest.Sub(m.steps))
		})
		m.short.Set(f.ConstInt(0))
		f.If(m.height.Lt(f.ConstInt(m.rows)), func() {
			m.short.Set(m.rest)
			m.rest.Set(f.ConstInt(0))
		})
		// The columns that the short row has, a row higher, then the others.
		m.pass.Set(m.steps.Sub(m.short))
		m.left.Set(m.short)
		m.height.Set(m.height.AddConst(1))
		f.Do(func() {
			f.If(m.height.GtConst(0), func() {
				for _, s := range strips {
					m.strip(s)
				}
			})
			m.height.Set(m.height.AddConst(-1))
			m.left.Set(m.pass)
			m.pass.Set(f.ConstInt(0))
		}, func() asm.Bool { return m.left.NotZero() })
		for _, p := range m.data {
			if m.wider {
				p.Set(p.Add(m.stride.MulConst(m.rows).Sub(floats(m.period))))
			} else {
				p.Set(p.Add(m.stride.MulConst(m.rows - 1)))
			}
		}
		if blockEnd != nil {
			blockEnd()
		}
	})
}

func (m *matrix) strip(s strip) {
	f := m.f
	f.Take(m.left, int64(s.columns), func() {
		for i, p := range m.data {
			m.at[i].Set(p)
		}
		m.steps.Set(m.height)
		s.before()
		f.Do(func() {
			s.row()
			for _, p := range m.at {
				p.Set(p.Add(m.stride))
			}
			m.steps.Set(m.steps.AddConst(-1))
		}, func() asm.Bool { return m.steps.NotZero() })
		if s.after != nil {
			s.after()
		}
		for _, p := range m.data {
			p.Advance(int64(4 * s.columns))
		}
		for i, p := range m.column {
			p.Advance(m.bytes[i] * int64(s.columns))
		}
	})
}

// elementwise walks over elements that become others, at the first of data: the
// columns' parameters stand in registers, element gives the new one.
func (m *matrix) elementwise(params []asm.Ptr, element func(load func(p asm.Ptr) asm.V, params []asm.V) asm.V) {
	f, y := m.f, m.at[0]
	// Cache lines that are a large power of two apart compete for the few ways of one set
	// in the first-level cache. Sixteen rows of three operands would evict each other.
	m.rows = 8
	regs := [][]asm.V{f.NewVs("param", len(params)), f.NewVs("param", len(params))}
	read := func(wide int, load func(p asm.Ptr, i int) asm.V) func() {
		return func() {
			for i := range wide {
				for k, v := range regs[i] {
					v.Set(load(params[k], i))
				}
			}
		}
	}
	vector := func(p asm.Ptr, i int) asm.V { return p.V(int64(16 * i)) }
	vectors := func(wide int) strip {
		return strip{4 * wide, read(wide, vector), func() {
			for i := range wide {
				y.StoreV(int64(16*i), element(func(p asm.Ptr) asm.V { return vector(p, i) }, regs[i]))
			}
		}, nil}
	}
	m.walk(nil, vectors(2), vectors(1), strip{1, read(1, func(p asm.Ptr, _ int) asm.V { return p.Splat(0) }), func() {
		y.StoreF32(0, element(func(p asm.Ptr) asm.V { return p.Splat(0) }, regs[0]).Lane(0))
	}, nil})
}

// columns gives the pointers of what there is one of for each column: arguments, of
// elements of 4 or 8 bytes.
func (m *matrix) columns(names []string, bytes ...int64) []asm.Ptr {
	for _, name := range names {
		m.column = append(m.column, m.f.NewPtr(name))
	}
	m.bytes = bytes
	m.start = func() {
		for i, name := range names {
			m.column[i].Set(m.f.ArgPtr(name))
		}
	}
	return m.column
}

// zero clears n elements of float64 at an argument.
func zero(f *asm.Func, name string, n asm.Int) {
	f.Scope(func() {
		p, left := f.Ptr(name), f.NewInt("left")
		left.Set(n.Shl(1))
		f.Sweep(asm.Sweep{
			Left: left, Pointers: []asm.Ptr{p}, Unroll: 1,
			Vector: func(int) { p.StoreV(0, f.ZeroV()) },
			Scalar: func() { p.StoreF32(0, f.ConstF32(0)) },
		})
	})
}

// addTo adds four float32 to as many float64 at p.
func addTo(p asm.Ptr, v asm.V) {
	p.StoreV(0, p.V(0).AddF64(v.PromoteLow()))
	p.StoreV(16, p.V(16).AddF64(v.PromoteHigh()))
}

func columnSums(file *asm.File) {
	file.Func("func ColumnSums(sums *float64, src, shift *float32, count, period int)",
		"ColumnSums is Σx and Σx² of each column; its twin has the loop.",
		func(f *asm.Func) {
			zero(f, "sums", f.ArgInt("period").Shl(1))
			f.IfElse(f.ArgPtr("shift").Nil(), func() {
				f.Scope(func() { columnSquares(f, false) })
			}, func() {
				f.Scope(func() { columnSquares(f, true) })
			})
		})
}

// columnSquares adds up columns and their squares, less shift where they are shifted:
// in float64, with products as in layerNorm.sweep.
func columnSquares(f *asm.Func, shifted bool) {
	m := newMatrix(f, f.ArgInt("count"), f.ArgInt("period"), "src")
	names, bytes := []string{"sums"}, []int64{8}
	if shifted {
		names, bytes = append(names, "shift"), append(bytes, 4)
	}
	c := m.columns(names, bytes...)
	x, sum := m.at[0], c[0]
	squares := sum.Add(m.stride.Shl(1))
	q, s, e := f.NewVs("q", 4), f.NewVs("s", 4), f.NewV("e")
	var k []asm.V
	if shifted {
		k = f.NewVs("k", 4)
	}
	vectors := func(n int) strip {
		return strip{4 * n, func() {
			for i := range 2 * n {
				o := int64(16 * i)
				s[i].Set(sum.V(o))
				q[i].Set(squares.V(o))
				if shifted {
					k[i].Set(c[1].Half(int64(8 * i)).PromoteLow())
				}
			}
		}, func() {
			for i := range 2 * n {
				v := x.Half(int64(8 * i)).PromoteLow()
				if i%2 == 0 {
					v = x.V(int64(8 * i)).PromoteLow()
				}
				if shifted {
					v = v.SubF64(k[i])
				}
				e.Set(v)
				s[i].Set(s[i].AddF64(e))
				q[i].Set(e.MulAddF64(e, q[i]))
			}
		}, func() {
			p := f.NewPtr("squares")
			p.Set(squares)
			for i := range 2 * n {
				o := int64(16 * i)
				sum.StoreV(o, s[i])
				p.StoreV(o, q[i])
			}
		}}
	}
	d, total, square, shift := f.NewF64("d"), f.NewF64("total"), f.NewF64("square"), f.NewF64("shift")
	m.walk(nil, vectors(2), vectors(1), strip{1, func() {
		total.Set(sum.F64(0))
		square.Set(squares.F64(0))
		if shifted {
			shift.Set(c[1].F32(0).F64())
		}
	}, func() {
		v := x.F32(0).F64()
		if shifted {
			v = v.Sub(shift)
		}
		d.Set(v)
		total.Set(total.Add(d))
		square.Set(square.Add(d.Mul(d)))
	}, func() {
		sum.StoreF64(0, total)
		squares.StoreF64(0, square)
	}})
}

func columnProducts(file *asm.File) {
	file.Func("func ColumnProducts(sums *float64, dy, src, params *float32, count, period int)",
		"ColumnProducts is Σdy, Σdy·h and Σh of each column; its twin has the loop.",
		func(f *asm.Func) {
			zero(f, "sums", f.ArgInt("period").MulConst(3))
			m := newMatrix(f, f.ArgInt("count"), f.ArgInt("period"), "dy", "src")
			c := m.columns([]string{"params", "sums"}, 4, 8)
			dy, x, mean, sum := m.at[0], m.at[1], c[0], c[1]
			rstd := mean.Add(m.stride)
			mu, r, h, g := f.NewVs("mu", 2), f.NewVs("r", 2), f.NewV("h"), f.NewV("g")
			totals := [][]asm.V{f.NewVs("sumG", 2), f.NewVs("sumGH", 2), f.NewVs("sumH", 2)}
			vectors := func(n int) strip {
				return strip{4 * n, func() {
					for i := range n {
						mu[i].Set(mean.V(int64(16 * i)))
						r[i].Set(rstd.V(int64(16 * i)))
						for _, t := range totals {
							t[i].Set(f.ZeroV())
						}
					}
				}, func() {
					for i := range n {
						o := int64(16 * i)
						h.Set(x.V(o).Sub(mu[i]).Mul(r[i]))
						g.Set(dy.V(o))
						totals[0][i].Set(totals[0][i].Add(g))
						totals[1][i].Set(g.MulAdd(h, totals[1][i]))
						totals[2][i].Set(totals[2][i].Add(h))
					}
				}, func() {
					for t, v := range totals {
						for i := range n {
							f.Scope(func() {
								p := f.NewPtr("total")
								p.Set(sum.Add(m.stride.MulConst(int64(2 * t))).AddConst(int64(32 * i)))
								addTo(p, v[i])
							})
						}
					}
				}}
			}
			muS, rS, hS, gS := f.NewF32("muS"), f.NewF32("rS"), f.NewF32("hS"), f.NewF32("gS")
			single := []asm.F32{f.NewF32("oneG"), f.NewF32("oneGH"), f.NewF32("oneH")}
			m.walk(nil, vectors(2), vectors(1), strip{1, func() {
				muS.Set(mean.F32(0))
				rS.Set(rstd.F32(0))
				for _, t := range single {
					t.Set(f.ConstF32(0))
				}
			}, func() {
				hS.Set(x.F32(0).Sub(muS).Mul(rS))
				gS.Set(dy.F32(0))
				single[0].Set(single[0].Add(gS))
				single[1].Set(single[1].Add(gS.Mul(hS)))
				single[2].Set(single[2].Add(hS))
			}, func() {
				for t, v := range single {
					p := sum.Add(m.stride.MulConst(int64(2 * t)))
					p.StoreF64(0, p.F64(0).Add(v.F64()))
				}
			}})
		})
}

// rowGradients has parameters of rows, which each strip reads anew for its columns:
// four vectors of them, as the sums of two are all that it keeps.
func rowGradients(file *asm.File) {
	file.Func("func RowGradients(sums *float64, dy, src, params *float32, rows, cols int) (lost int)",
		"RowGradients adds Σdy·x̂ and Σdy of each column; its twin has the loop.",
		func(f *asm.Func) {
			m := newMatrix(f, f.ArgInt("rows").Mul(f.ArgInt("cols")), f.ArgInt("cols"), "dy", "src")
			dy, x, sum := m.at[0], m.at[1], m.columns([]string{"sums"}, 8)[0]
			params := f.Ptr("params")
			mean, rstd, rest := f.NewPtr("mean"), f.NewPtr("rstd"), f.NewPtr("restOfMean")
			rows := f.ArgInt("rows").Shl(2)
			start := func() {
				mean.Set(params)
				rstd.Set(params.Add(rows))
				rest.Set(params.Add(rows.MulConst(5)))
			}
			mu, r, e, h, g := f.NewV("mu"), f.NewV("r"), f.NewV("rest"), f.NewV("h"), f.NewV("g")
			scales, shifts := f.NewVs("scale", 4), f.NewVs("shift", 4)
			lost := f.NewV("lost")
			next := func() {
				for _, p := range []asm.Ptr{mean, rstd, rest} {
					p.Advance(4)
				}
			}
			vectors := func(n int) strip {
				return strip{4 * n, func() {
					start()
					for i := range n {
						scales[i].Set(f.ZeroV())
						shifts[i].Set(f.ZeroV())
					}
				}, func() {
					mu.Set(mean.Splat(0))
					r.Set(rstd.Splat(0))
					e.Set(rest.Splat(0))
					for i := range n {
						o := int64(16 * i)
						h.Set(x.V(o).Sub(mu).Mul(r).Sub(e))
						g.Set(dy.V(o))
						scales[i].Set(g.MulAdd(h, scales[i]))
						shifts[i].Set(shifts[i].Add(g))
					}
					next()
				}, func() {
					h.Set(f.ZeroV()) // NaN, if one of the sums is not finite
					for i := range n {
						h.Set(h.Add(scales[i].Sub(scales[i])).Add(shifts[i].Sub(shifts[i])))
					}
					h.Set(h.Ne(h))
					f.IfElse(h.AnyTrue(), func() { lost.Set(h) }, func() {
						// mean is free now, and another strip sets it anew.
						for i := range n {
							mean.Set(sum.AddConst(int64(32 * i)))
							addTo(mean, scales[i])
							mean.Set(mean.Add(m.stride.Shl(1)))
							addTo(mean, shifts[i])
						}
					})
				}}
			}
			hS, gS, scale, shift := f.NewF32("hS"), f.NewF32("gS"), f.NewF32("scaleS"), f.NewF32("shiftS")
			m.walk(func() { params.Advance(64) }, vectors(4), vectors(1), strip{1, func() {
				start()
				scale.Set(f.ConstF32(0))
				shift.Set(f.ConstF32(0))
			}, func() {
				hS.Set(x.F32(0).Sub(mean.F32(0)).Mul(rstd.F32(0)).Sub(rest.F32(0)))
				gS.Set(dy.F32(0))
				scale.Set(scale.Add(gS.Mul(hS)))
				shift.Set(shift.Add(gS))
				next()
			}, func() {
				gS.Set(scale.Sub(scale).Add(shift.Sub(shift)))
				f.IfElse(gS.Eq(gS), func() {
					sum.StoreF64(0, sum.F64(0).Add(scale.F64()))
					p := sum.Add(m.stride.Shl(1))
					p.StoreF64(0, p.F64(0).Add(shift.F64()))
				}, func() { lost.Set(f.ConstBits(1)) })
			}})
			f.If(lost.AnyTrue(), func() { f.Return(f.ConstInt(1)) })
			f.Return(f.ConstInt(0))
		})
}
