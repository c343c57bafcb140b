package main

import "github.com/normwasm/normwasm/internal/asm"

// The kernels of gradients that cancel: float64 throughout, in pairs. A slot, which is
// a row or a column, has seven parameters and two sums, one after the other.

const (
	slotBytes = 8 * 7 // mean, scale, m1, slope, shift, tilt, rstd
	sumBytes  = 8 * 2
)

// slots are the parameters of one slot in both lanes, or of as many as lanes; with
// -slope, which leaves the difference open to contraction.
type slots struct {
	mean, scale, m1, minusSlope, shift, tilt, rstd []asm.V
	t, e                                           asm.V
}

// newSlots takes registers: without the last three parameters where nothing is written.
func newSlots(f *asm.Func, pairs int, write bool) slots {
	k := slots{mean: f.NewVs("mean", pairs), scale: f.NewVs("scale", pairs), m1: f.NewVs("mOne", pairs), minusSlope: f.NewVs("minusSlope", pairs), t: f.NewV("t"), e: f.NewV("e")}
	if write {
		k.shift, k.tilt, k.rstd = f.NewVs("shift", pairs), f.NewVs("tilt", pairs), f.NewVs("rstd", pairs)
	}
	return k
}

// read takes the parameters from p on.
func (k slots) read(p asm.Ptr, each bool) {
	for i, vs := range [][]asm.V{k.mean, k.scale, k.m1, k.minusSlope, k.shift, k.tilt, k.rstd} {
		for j, v := range vs {
			at := int64(8*i + 2*slotBytes*j)
			number := func(at int64) asm.F64 {
				if i == 3 {
					return p.F64(at).Neg()
				}
				return p.F64(at)
			}
			v.Set(number(at).Splat())
			if each {
				v.Set(v.WithLaneF64(1, number(at+slotBytes)))
			}
		}
	}
}

// rest leaves x - mean in t, and in e what is left of g.
func (k slots) rest(pair int, x, g asm.V) {
	k.t.Set(x.SubF64(k.mean[pair]))
	k.e.Set(g.SubF64(k.m1[pair]))
	k.e.Set(k.t.MulAddF64(k.minusSlope[pair], k.e))
}

// sum adds e and e·t to the lanes of two pairs each.
func (k slots) sum(lanes []asm.V, pair int) {
	lanes[pair].Set(lanes[pair].AddF64(k.e))
	lanes[2+pair].Set(k.e.MulAddF64(k.t, lanes[2+pair]))
}

// gradient is dx after rest.
func (k slots) gradient(pair int) asm.V {
	return k.e.AddF64(k.t.MulAddF64(k.tilt[pair], k.shift[pair])).MulF64(k.rstd[pair])
}

// rowLoops are what a kernel does with rows in float64: start of each row, element for
// each pair of e and t, step after those of a group, rest before the elements beyond the
// last four, end of the row.
type rowLoops struct {
	start, rest, end func()
	element          func(k slots, g group, pair int)
	step             func(g group)
}

func (l rowLoops) write(f *asm.Func, rows, cols asm.Int, params bool) {
	dy, x, p, gamma := f.Ptr("dy"), f.Ptr("src"), f.Ptr("params"), f.NewPtr("gamma")
	left, k := f.NewInt("left"), newSlots(f, 1, params)
	sweep := func(scaled bool) {
		for _, g := range []group{{2}, {1}} {
			if g.pairs == 1 {
				l.rest()
			}
			f.Take(left, g.elements(), func() {
				for i := range g.pairs {
					scale := k.scale[0]
					if scaled {
						scale = g.float32(gamma, i)
					}
					k.rest(0, g.float32(x, i), g.float32(dy, i).MulF64(scale))
					l.element(k, g, i)
				}
				l.step(g)
				dy.Advance(4 * g.elements())
				x.Advance(4 * g.elements())
				if scaled {
					gamma.Advance(4 * g.elements())
				}
			})
		}
	}
	f.Take(rows, 1, func() {
		k.read(p, false)
		p.Advance(slotBytes)
		left.Set(cols)
		gamma.Set(f.ArgPtr("gamma"))
		l.start()
		f.IfElse(gamma.NotNil(), func() { sweep(true) }, func() { sweep(false) })
		l.end()
	})
}

func rowProductsExact(file *asm.File) {
	file.Func("func RowProductsExact(sums *SlotSums, dy, src, gamma *float32, params *SlotParams, rows, cols int)",
		"RowProductsExact adds Σe and Σe·t of each row; its twin has the loop.",
		func(f *asm.Func) {
			out, lanes := f.Ptr("sums"), f.NewVs("lanes", 4)
			sums := []asm.F64{f.NewF64("sumE"), f.NewF64("sumET")}
			rowLoops{
				start: func() {
					for _, v := range lanes {
						v.Set(f.ZeroV())
					}
				},
				element: func(k slots, g group, pair int) {
					if g.pairs == 2 {
						k.sum(lanes, pair)
						return
					}
					sums[0].Set(sums[0].Add(k.e.LaneF64(0)))
					sums[1].Set(sums[1].Add(k.e.MulF64(k.t).LaneF64(0)))
				},
				step: func(group) {},
				rest: func() {
					for i, s := range sums {
						v := lanes[2*i]
						v.Set(v.AddF64(lanes[2*i+1]))
						s.Set(v.LaneF64(0).Add(v.LaneF64(1)))
					}
				},
				end: func() {
					for i, s := range sums {
						at := int64(8 * i)
						out.StoreF64(at, out.F64(at).Add(s))
					}
					out.Advance(sumBytes)
				},
			}.write(f, f.Int("rows"), f.ArgInt("cols"), false)
		})
}

func gradPlanesExact(file *asm.File) {
	file.Func("func GradPlanesExact(dst, dy, src, gamma *float32, params *SlotParams, planes, inner int)",
		"GradPlanesExact is GradPlanes in float64; its twin has the loop.",
		func(f *asm.Func) {
			y, v, none := f.Ptr("dst"), f.NewVs("v", 2), func() {}
			rowLoops{
				start:   none,
				element: func(k slots, _ group, pair int) { v[pair].Set(k.gradient(0)) },
				step: func(g group) {
					g.store32(y, v)
					y.Advance(4 * g.elements())
				},
				rest: none,
				end:  none,
			}.write(f, f.Int("planes"), f.ArgInt("inner"), true)
		})
}

// columnsExact writes strips of wide columns, two or four, a lane for each, and of one in
// both lanes. element comes after rest of each pair of a row.
func columnsExact(f *asm.Func, m *matrix, dy, x, params asm.Ptr, wide int, write bool, before func(), element func(k slots, columns, pair int), after func(columns int)) {
	k := newSlots(f, max(1, wide/2), write)
	load := func(p asm.Ptr, columns, pair int) asm.V {
		switch {
		case columns == 1:
			return p.F32(0).F64().Splat()
		case columns == 4 && pair == 0:
			return p.V(0).PromoteLow()
		}
		return p.Half(int64(8 * pair)).PromoteLow()
	}
	strips := []strip{}
	for _, columns := range []int{wide, 1} {
		pairs := max(1, columns/2)
		one := k
		for _, vs := range []*[]asm.V{&one.mean, &one.scale, &one.m1, &one.minusSlope, &one.shift, &one.tilt, &one.rstd} {
			*vs = (*vs)[:min(len(*vs), pairs)]
		}
		strips = append(strips, strip{columns, func() {
			one.read(params, columns > 1)
			before()
		}, func() {
			for i := range pairs {
				one.rest(i, load(x, columns, i), load(dy, columns, i).MulF64(one.scale[i]))
				element(one, columns, i)
			}
		}, func() { after(columns) }})
	}
	m.walk(nil, strips...)
}

func columnProductsExact(file *asm.File) {
	file.Func("func ColumnProductsExact(sums *SlotSums, dy, src *float32, params *SlotParams, rows, cols, stride int)",
		"ColumnProductsExact is RowProductsExact down the columns; its twin has the loop.",
		func(f *asm.Func) {
			m := newPart(f, f.ArgInt("rows"), f.ArgInt("cols"), f.ArgInt("stride"), "dy", "src")
			c := m.columns([]string{"params", "sums"}, slotBytes, sumBytes)
			sums := f.NewVs("sum", 4)
			columnsExact(f, m, m.at[0], m.at[1], c[0], 4, false, func() {
				for _, v := range sums {
					v.Set(f.ZeroV())
				}
			}, func(k slots, _, pair int) { k.sum(sums, pair) }, func(columns int) {
				for i := range columns {
					for s := range 2 {
						at := int64(sumBytes*i + 8*s)
						c[1].StoreF64(at, c[1].F64(at).Add(sums[2*s+i/2].LaneF64(i%2)))
					}
				}
			})
		})
}

func gradRowsExact(file *asm.File) {
	file.Func("func GradRowsExact(dst, dy, src *float32, params *SlotParams, rows, cols, stride int)",
		"GradRowsExact is GradRows in float64; its twin has the loop.",
		func(f *asm.Func) {
			m := newPart(f, f.ArgInt("rows"), f.ArgInt("cols"), f.ArgInt("stride"), "dst", "dy", "src")
			m.rows = 8
			params, v := m.columns([]string{"params"}, slotBytes)[0], f.NewV("v")
			columnsExact(f, m, m.at[1], m.at[2], params, 2, true, func() {}, func(k slots, columns, _ int) {
				v.Set(k.gradient(0).Demote())
				if columns == 1 {
					m.at[0].StoreF32(0, v.Lane(0))
				} else {
					m.at[0].StoreF64(0, v.LaneF64(0))
				}
			}, func(int) {})
		})
}
