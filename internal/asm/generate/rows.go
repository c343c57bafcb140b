package main

import (
	"math"

	"github.com/normwasm/normwasm/internal/asm"
)

// rowSum adds up rows in sumRows' order.
type rowSum struct {
	f           *asm.Func
	left, block asm.Int
	x           asm.Ptr
	lane        []asm.V
	v           asm.V
	part        asm.F32
	total       asm.F64
	square      bool
}

func newRowSum(f *asm.Func, x asm.Ptr, square bool) rowSum {
	return rowSum{f, f.NewInt("left"), f.NewInt("block"), x, f.NewVs("lane", 4), f.NewV("v"), f.NewF32("part"), f.NewF64("total"), square}
}

// row leaves the sum of cols elements in total, and x behind them.
func (s rowSum) row(cols asm.Int) {
	f := s.f
	s.total.Set(f.ConstF64(0))
	s.left.Set(cols)
	add := func(k int) {
		o := int64(16 * k)
		if s.square {
			s.v.Set(s.x.V(o))
			s.lane[k].Set(s.v.MulAdd(s.v, s.lane[k]))
		} else {
			s.lane[k].Set(s.lane[k].Add(s.x.V(o)))
		}
	}
	f.While(func() asm.Bool { return s.left.GtConst(0) }, func() {
		s.block.Set(s.left.Min(f.ConstInt(1024)))
		s.left.Set(s.left.Sub(s.block))
		for _, v := range s.lane {
			v.Set(f.ZeroV())
		}
		f.Take(s.block, 16, func() {
			for k := range 4 {
				add(k)
			}
			s.x.Advance(64)
		})
		// Vectors beyond the last sixteen elements, at most three.
		f.Block(func(done asm.Exit) {
			for k := range 3 {
				done.If(s.block.GeConst(int64(4*k + 4)).Not())
				add(k)
			}
		})
		s.v.Set(s.lane[0].Add(s.lane[1]).Add(s.lane[2].Add(s.lane[3])))
		s.part.Set(s.v.Sum4())
		s.x.Set(s.x.Add(floats(s.block.And(12))))
		s.block.Set(s.block.And(3))
		f.Take(s.block, 1, func() {
			e := s.x.F32(0)
			if s.square {
				e = e.Mul(e)
			}
			s.part.Set(s.part.Add(e))
			s.x.Advance(4)
		})
		s.total.Set(s.total.Add(s.part.F64()))
	})
}

func sums(file *asm.File) {
	for _, k := range []struct {
		name, doc string
		square    bool
	}{{"SumRows", "Σx", false}, {"SquareRows", "Σx²", true}} {
		file.Func("func "+k.name+"(y, x *float32, rows, cols int, factor float64)",
			k.name+" is y[r] = factor * "+k.doc+" of row r; its twin has the loop.",
			func(f *asm.Func) {
				y, x, rows := f.Ptr("y"), f.Ptr("x"), f.Int("rows")
				s := newRowSum(f, x, k.square)
				f.Take(rows, 1, func() {
					s.row(f.ArgInt("cols"))
					y.StoreF32(0, s.total.Mul(f.ArgF64("factor")).F32())
					y.Advance(4)
				})
			})
	}
}

// extreme leaves the largest (or smallest) element of a row in best and x
// behind the row. The order does not matter to the result; eight accumulators,
// as each waits for a maximum of eight instructions.
func extreme(f *asm.Func, x asm.Ptr, cols asm.Int, best asm.F32, identity float64,
	vector func(v, w asm.V) asm.V, scalar func(x, y asm.F32) asm.F32) {
	f.Scope(func() {
		m, left := f.NewVs("m", 8), f.NewInt("left")
		left.Set(cols)
		for _, v := range m {
			v.Set(f.ConstBits(math.Float32bits(float32(identity))))
		}
		f.Sweep(asm.Sweep{
			Left: left, Pointers: []asm.Ptr{x}, Unroll: len(m),
			Vector: func(u int) { m[u].Set(vector(m[u], x.V(int64(16*u)))) },
		})
		for n := len(m) / 2; n > 0; n /= 2 {
			for i := range n {
				m[i].Set(vector(m[i], m[n+i]))
			}
		}
		best.Set(scalar(scalar(m[0].Lane(0), m[0].Lane(1)), scalar(m[0].Lane(2), m[0].Lane(3))))
		f.Take(left, 1, func() {
			best.Set(scalar(best, x.F32(0)))
			x.Advance(4)
		})
	})
}

func extremes(file *asm.File) {
	for _, k := range []struct {
		name, doc string
		identity  float64
		vector    func(v, w asm.V) asm.V
		scalar    func(x, y asm.F32) asm.F32
	}{
		{"RowMax", "maximum", math.Inf(-1), asm.V.Max, asm.F32.Max},
		{"RowMin", "minimum", math.Inf(1), asm.V.Min, asm.F32.Min},
	} {
		file.Func("func "+k.name+"(y, x *float32, rows, cols int)", k.name+" is y[r] = the "+k.doc+" of row r.",
			func(f *asm.Func) {
				y, x, rows, best := f.Ptr("y"), f.Ptr("x"), f.Int("rows"), f.NewF32("best")
				f.Take(rows, 1, func() {
					extreme(f, x, f.ArgInt("cols"), best, k.identity, k.vector, k.scalar)
					y.StoreF32(0, best)
					y.Advance(4)
				})
			})
	}
}

// softmaxRows goes over a row four times: maximum, exponentials, their sum, the
// scaling. A row is in the cache by then.
func softmaxRows(file *asm.File) {
	file.Func("func SoftmaxRows(y, x *float32, rows, cols int)",
		"SoftmaxRows normalizes rows to exp(x)/Σexp(x); its twin has the loop.",
		func(f *asm.Func) {
			y, x, rows, cols := f.Ptr("y"), f.Ptr("x"), f.Int("rows"), f.Int("cols")
			in, out, left := f.NewPtr("in"), f.NewPtr("out"), f.NewInt("leftover")
			best, factor := f.NewF32("best"), f.NewF32("factor")
			f.If(cols.GtConst(0).Not(), func() { f.Leave() })
			f.Take(rows, 1, func() {
				in.Set(x)
				// pmax passes NaNs over, and here it may: one of them spoils the
				// sum, and so the row, in any case. Nor does a zero's sign show.
				extreme(f, in, cols, best, math.Inf(-1), asm.V.PMax, asm.F32.Max)
				in.Set(x)
				out.Set(y)
				left.Set(cols)
				f.Scope(func() {
					m := f.NewV("m")
					m.Set(best.Splat())
					k := newFunction(f, append(append(expScalars[:4:4], expTerms...), 1, expMax)...)
					f.Sweep(asm.Sweep{
						Left: left, Pointers: []asm.Ptr{in, out}, Unroll: 1,
						Vector: func(int) { out.StoreV(0, k.exp(in.V(0).Sub(m))) },
						Scalar: func() { out.StoreF32(0, k.exp(in.Splat(0).Sub(m)).Lane(0)) },
					})
				})
				out.Set(y)
				f.Scope(func() {
					s := newRowSum(f, out, false)
					s.row(cols)
					factor.Set(f.ConstF64(1).Div(s.total).F32())
				})
				left.Set(cols)
				f.Scope(func() {
					scale := f.NewV("scale")
					scale.Set(factor.Splat())
					f.Sweep(asm.Sweep{
						Left: left, Pointers: []asm.Ptr{y}, Unroll: 4,
						Vector: func(u int) { o := int64(16 * u); y.StoreV(o, y.V(o).Mul(scale)) },
						Scalar: func() { y.StoreF32(0, y.F32(0).Mul(factor)) },
					})
				})
				x.Set(x.Add(floats(cols)))
			})
		})
}

// expRows is softmaxRows without its last pass, which whoever calls it does later, and to
// less: to the products.
func expRows(file *asm.File) {
	file.Func("func ExpRows(y, best, sums, x *float32, rows, cols int)",
		"ExpRows is exp(x - maximum) of rows, with their sums; its twin has the loop.",
		func(f *asm.Func) {
			y, x, rows, cols := f.Ptr("y"), f.Ptr("x"), f.Int("rows"), f.Int("cols")
			bests, sums := f.Ptr("best"), f.Ptr("sums")
			in, out, left := f.NewPtr("in"), f.NewPtr("out"), f.NewInt("leftover")
			best := f.NewF32("best")
			zero := f.ConstF32(0)
			f.Take(rows, 1, func() {
				in.Set(x)
				extreme(f, in, cols, best, math.Inf(-1), asm.V.PMax, func(a, b asm.F32) asm.F32 { return b.If(a.Lt(b), a) })
				best.Set(bests.F32(0).If(best.Lt(bests.F32(0)), best).Add(zero))
				bests.StoreF32(0, best)
				best.Set(zero.If(best.Lt(f.ConstF32(-math.MaxFloat32)), best))
				in.Set(x)
				out.Set(y)
				left.Set(cols)
				f.Scope(func() {
					m := f.NewV("m")
					m.Set(best.Splat())
					k := newFunction(f, append(append(expScalars[:4:4], expTerms...), 1, expMax)...)
					f.Sweep(asm.Sweep{
						Left: left, Pointers: []asm.Ptr{in, out}, Unroll: 1,
						Vector: func(int) { out.StoreV(0, k.exp(in.V(0).Sub(m))) },
						Scalar: func() { out.StoreF32(0, k.exp(in.Splat(0).Sub(m)).Lane(0)) },
					})
				})
				f.Scope(func() {
					s := newRowSum(f, y, false)
					s.row(cols)
					sums.StoreF32(0, s.total.F32())
				})
				x.Set(x.Add(floats(cols)))
				bests.Advance(4)
				sums.Advance(4)
			})
		})
}

// expPanel takes eight rows that lie side by side, whose maxima and sums need no shuffles.
func expPanel(file *asm.File) {
	file.Func("func ExpPanel(x, best, sums *float32, n int)",
		"ExpPanel is ExpRows for eight rows side by side; its twin has the loop.",
		func(f *asm.Func) {
			x, best, sums, n := f.NewPtr("at"), f.Ptr("best"), f.Ptr("sums"), f.NewInt("left")
			m, s := f.NewVs("m", 2), f.NewVs("s", 2)
			k := newFunction(f, append(expConstants[:7:7], 1)...)
			for i := range m {
				m[i].Set(best.V(int64(16 * i)))
				s[i].Set(f.ZeroV())
			}
			x.Set(f.ArgPtr("x"))
			n.Set(f.ArgInt("n"))
			f.Take(n, 1, func() {
				for i := range m {
					m[i].Set(m[i].PMax(x.V(int64(16 * i))))
				}
				x.Advance(32)
			})
			for i := range m {
				m[i].Set(m[i].Add(f.ZeroV()))
				best.StoreV(int64(16*i), m[i])
				m[i].Set(f.ZeroV().Select(m[i].Lt(f.ConstV(-math.MaxFloat32)), m[i]))
			}
			x.Set(f.ArgPtr("x"))
			n.Set(f.ArgInt("n"))
			f.Take(n, 1, func() {
				for i := range m {
					o := int64(16 * i)
					k.exp(x.V(o).Sub(m[i]))
					x.StoreV(o, k.g)
					s[i].Set(s[i].Add(k.g))
				}
				x.Advance(32)
			})
			for i := range s {
				sums.StoreV(int64(16*i), s[i])
			}
		})
}

// rowDots takes four rows at a time, whose sums do not wait for each other.
func rowDots(file *asm.File) {
	file.Func("func DotRows(y, x, matrix *float32, ld int, depth, rows int)",
		"DotRows multiplies the rows of a matrix by one vector; its twin has the loop.",
		func(f *asm.Func) {
			y, row, rows := f.Ptr("y"), f.Ptr("matrix"), f.Int("rows")
			ld, x, k := f.NewInt("apart"), f.NewPtr("at"), f.NewInt("k")
			ld.Set(floats(f.ArgInt("ld")))
			group := func(n int) {
				f.Scope(func() {
					acc, v := f.NewVs("acc", n), f.NewV("v")
					a, sum := make([]asm.Ptr, n), make([]asm.F32, n)
					for i := range a {
						a[i], sum[i] = f.NewPtr("row"), f.NewF32("sum")
						a[i].Set(row)
						row.Set(row.Add(ld))
						acc[i].Set(f.ZeroV())
					}
					x.Set(f.ArgPtr("x"))
					k.Set(f.ArgInt("depth"))
					f.Take(k, 4, func() {
						v.Set(x.V(0))
						for i := range a {
							acc[i].Set(v.MulAdd(a[i].V(0), acc[i]))
							a[i].Advance(16)
						}
						x.Advance(16)
					})
					for i := range a {
						sum[i].Set(acc[i].Sum4())
					}
					f.Take(k, 1, func() {
						for i := range a {
							sum[i].Set(sum[i].Add(x.F32(0).Mul(a[i].F32(0))))
							a[i].Advance(4)
						}
						x.Advance(4)
					})
					for i := range a {
						y.StoreF32(int64(4*i), sum[i])
					}
					y.Advance(int64(4 * n))
				})
			}
			f.Take(rows, 4, func() { group(4) })
			f.Take(rows, 1, func() { group(1) })
		})
}
