package main

import "github.com/normwasm/normwasm/internal/asm"

// window is what depthwise and maxTaps share: for each row, blocks of columns
// whose accumulators stay in registers while the taps go by.
type window struct {
	widths []int // vectors of a block, the widest first
	begin  func(acc []asm.V)
	tap    func(acc []asm.V, at asm.Ptr) // at is the block's first element under the tap
	single func(acc asm.V, at asm.Ptr)   // the same for one column
	end    func(i int, acc asm.V) asm.V  // what is stored of accumulator i
	next   func()                        // to the next tap's weight
	rewind func()                        // to the first tap's weight
}

func (w window) write(f *asm.Func) {
	row, ldy, line, ldx := f.Ptr("y"), f.NewInt("ldy"), f.Ptr("x"), f.NewInt("ldx")
	rows, cols, nt, tap := f.Int("rows"), f.NewInt("cols"), f.NewInt("nt"), f.NewPtr("tap")
	y, x, at := f.NewPtr("yy"), f.NewPtr("xx"), f.NewPtr("at")
	ldy.Set(floats(f.ArgInt("ldy")))
	ldx.Set(floats(f.ArgInt("ldx")))
	taps := func(body func()) {
		tap.Set(f.ArgPtr("taps"))
		nt.Set(f.ArgInt("nt"))
		w.rewind()
		f.Take(nt, 1, func() {
			at.Set(x.Add(floats(tap.Int32(0))))
			body()
			tap.Advance(4)
			w.next()
		})
	}
	f.Take(rows, 1, func() {
		y.Set(row)
		x.Set(line)
		cols.Set(f.ArgInt("cols"))
		for _, n := range w.widths {
			f.Take(cols, int64(4*n), func() {
				f.Scope(func() {
					acc := f.NewVs("acc", n)
					w.begin(acc)
					taps(func() { w.tap(acc, at) })
					for i := range acc {
						y.StoreV(int64(16*i), w.end(i, acc[i]))
					}
				})
				y.Advance(int64(16 * n))
				x.Advance(int64(16 * n))
			})
		}
		f.Take(cols, 1, func() {
			f.Scope(func() {
				acc := f.NewVs("acc", 1)
				w.begin(acc)
				taps(func() { w.single(acc[0], at) })
				y.StoreF32(0, w.end(0, acc[0]).Lane(0))
			})
			y.Advance(4)
			x.Advance(4)
		})
		row.Set(row.Add(ldy))
		line.Set(line.Add(ldx))
	})
}

func depthwise(file *asm.File) {
	file.Func("func Depthwise(y *float32, ldy int, x *float32, ldx int, taps *int32, weights *float32, nt int, rows, cols int, bias, lo, hi float32)",
		"Depthwise correlates one plane with one filter; its twin has the loop.",
		func(f *asm.Func) {
			weight, s, bias := f.NewPtr("weight"), f.NewV("s"), f.NewV("bias")
			bound := newBounds(f)
			bias.Set(f.ArgF32("bias").Splat())
			window{
				// Ten vectors, where there are that many, spread the work around a tap
				// (its offset, its weight, the loop) thinner than six do, by a tenth.
				widths: []int{10, 6, 4, 2, 1},
				begin: func(acc []asm.V) {
					for _, v := range acc {
						v.Set(bias)
					}
				},
				tap: func(acc []asm.V, at asm.Ptr) {
					s.Set(weight.Splat(0))
					for i, v := range acc {
						v.Set(s.MulAdd(at.V(int64(16*i)), v))
					}
				},
				single: func(acc asm.V, at asm.Ptr) {
					s.Set(weight.Splat(0))
					acc.Set(s.MulAdd(at.Splat(0), acc))
				},
				end:    func(_ int, acc asm.V) asm.V { return bound.clamp(acc) },
				next:   func() { weight.Advance(4) },
				rewind: func() { weight.Set(f.ArgPtr("weights")) },
			}.write(f)
		})
}

func maxTaps(file *asm.File) {
	file.Func("func MaxTaps(y *float32, ldy int, x *float32, ldx int, taps *int32, nt int, rows, cols int)",
		"MaxTaps is Depthwise with the maximum for the sum; its twin has the loop.",
		func(f *asm.Func) {
			m := newMaxima(f, 4)
			window{
				widths: []int{4, 2, 1},
				begin:  m.begin,
				tap: func(acc []asm.V, at asm.Ptr) {
					for i, v := range acc {
						m.take(i, v, at.V(int64(16*i)))
					}
				},
				single: func(acc asm.V, at asm.Ptr) { m.take(0, acc, at.Splat(0)) },
				end:    m.end,
				next:   func() {},
				rewind: func() {},
			}.write(f)
		})
}
