package main

import (
	"fmt"

	"github.com/normwasm/normwasm/internal/asm"
)

// layerNormRows reads a row twice: sweep for the moments, apply for the result.
// The moments end in a chain of two divisions and a root, some hundred cycles
// in which nothing else of that row can go on. So rows are applied in pairs and
// late: r-2 and r-1 after the sweep of row r, when their numbers are long there.
// A pair loads gamma and beta once; loads are what bounds the application.
func layerNormRows(file *asm.File) {
	file.Func("func layerNormRows(dst, src, gamma, beta, mean, rstd *float32, rows, cols int, epsilon float64) (done int)",
		"layerNormRows normalizes rows until the first hard one; kernel.go has the loop.",
		func(f *asm.Func) {
			k := layerNorm{
				f: f, src: f.Ptr("src"), dst: f.Ptr("dst"), behind: f.Ptr("src"),
				cols: f.Int("cols"), row: f.NewInt("row"), ok: f.NewInt("ok"),
				numbers: newNumbers(f, "mh", "ml", "rstd"),
			}
			latePairs{
				f: f, row: k.row, ok: k.ok, found: k.numbers, measure: k.moments,
				paired:    func() asm.Bool { return f.ArgPtr("gamma").NotNil().And(f.ArgPtr("beta").NotNil()) },
				applyPair: k.applyPair, apply: k.apply,
			}.write()
		})
}

// latePairs is the loop over rows of a kernel that measures a row, which is done or
// hard, and applies what it found later: in pairs, where they are a gain.
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
	f.If(f.ArgInt("cols").GtConst(0).Not(), func() { f.Return(f.ArgInt("rows")) })
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
	f.Return(p.row)
}

type layerNorm struct {
	f                *asm.Func
	src, dst, behind asm.Ptr // behind is the row of src that apply reads
	cols, row, ok    asm.Int
	numbers          // what moments found: mh, ml, rstd

	// beside takes trips of a sweep, with other work beside each four elements, as long
	// as there are both; nil for none.
	beside func(left asm.Int, trip func(beside func(u int)))
}

// numbers are what apply needs of a row.
type numbers []asm.F32

func newNumbers(f *asm.Func, names ...string) numbers {
	var n numbers
	for _, name := range names {
		n = append(n, f.NewF32(name))
	}
	return n
}

// like gives registers for other such numbers.
func (n numbers) like(f *asm.Func, suffix string) numbers {
	var m numbers
	for i := range n {
		m = append(m, f.NewF32(fmt.Sprint("number", i, suffix)))
	}
	return m
}

func (n numbers) set(m numbers) {
	for i := range n {
		n[i].Set(m[i])
	}
}

// rowMoments is layerNormRows without the application.
func rowMoments(file *asm.File) {
	file.Func("func rowMoments(moments *float64, src *float32, rows, cols int)",
		"rowMoments is the mean and the variance of rows; kernel.go has the loop.",
		func(f *asm.Func) {
			k := layerNorm{f: f, src: f.Ptr("src"), cols: f.Int("cols")}
			out, rows, mu, variance := f.Ptr("moments"), f.Int("rows"), f.NewF64("mu"), f.NewF64("variance")
			f.Take(rows, 1, func() {
				f.Scope(func() { k.statistics(mu, variance) })
				out.StoreF64(0, mu)
				out.StoreF64(8, variance)
				out.Advance(16)
			})
		})
}

// moments leaves src behind the row and ok = 1 unless the row is hard.
func (k layerNorm) moments() {
	f := k.f
	mu, variance := f.NewF64("mu"), f.NewF64("variance")
	k.statistics(mu, variance)
	k.carried(variance)
	mh, ml, rstd := k.numbers[0], k.numbers[1], k.numbers[2]
	rstd.Set(f.ConstF64(1).Div(variance.Add(f.ArgF64("epsilon")).Sqrt()).F32())
	mh.Set(mu.F32())
	ml.Set(mu.Sub(mh.F64()).F32())
	f.If(k.ok.NotZero(), func() {
		at := k.row.Shl(2)
		f.If(f.ArgPtr("mean").NotNil(), func() { f.ArgPtr("mean").Add(at).StoreF32(0, mh) })
		f.If(f.ArgPtr("rstd").NotNil(), func() { f.ArgPtr("rstd").Add(at).StoreF32(0, rstd) })
	})
}

// statistics is steps 1 and 2 of a row: it leaves src behind it.
func (k layerNorm) statistics(mu, variance asm.F64) {
	f := k.f
	x, left, shift := f.NewPtr("x"), f.NewInt("left"), f.NewF64("shift")
	n, c := f.NewF64("n"), f.NewF64("c")
	n.Set(k.cols.F64())
	sweep := func(shifted bool) {
		x.Set(k.src)
		left.Set(k.cols)
		f.Scope(func() { k.sweep(x, left, shift, c, variance, shifted) })
		c.Set(c.Div(n))
		variance.Set(variance.Div(n).Sub(c.Mul(c)))
	}
	sweep(false)
	mu.Set(c)
	f.If(mu.Mul(mu).Gt(variance.Mul(f.ConstF64(4096))), func() {
		shift.Set(mu.F32().F64())
		sweep(true)
		mu.Set(shift.Add(c))
	})
	k.src.Set(x)
}

// carried sets ok to 1, or 0 if the variance makes the row a hard one.
func (k layerNorm) carried(variance asm.F64) {
	k.ok.Set(k.f.ConstInt(1))
	carried(k.f, variance.Add(k.f.ArgF64("epsilon")), k.ok)
}

// carried sets ok to 0 if v, a variance with epsilon, makes its row a hard one.
func carried(f *asm.Func, v asm.F64, ok asm.Int) {
	f.Scope(func() {
		r := f.NewF64("v")
		r.Set(v)
		f.If(r.Ge(f.ConstF64(1e-30)).And(r.Le(f.ConstF64(1e36))).Not(), func() { ok.Set(f.ConstInt(0)) })
	})
}

// sweep adds a row, less shift where it is shifted, and its squares up in float64: x
// and left are consumed. Conversions share the adders' two ports and multiply-adds
// have two of their own, so half of the sums are products with one: exact, and
// contracted in the relaxed build they run beside the conversions. Sixteen elements
// are summed among themselves first, so that four registers hold all that one trip
// leaves to the next, and upper halves are converted from memory, without a shuffle.
func (k layerNorm) sweep(x asm.Ptr, left asm.Int, shift, sum, squares asm.F64, shifted bool) {
	f := k.f
	a, q, t, p := f.NewVs("a", 2), f.NewVs("q", 2), f.NewVs("t", 2), f.NewVs("p", 2)
	e, one := f.NewV("e"), f.NewV("one")
	one.Set(f.ConstLanes(0, 0x3ff00000, 0, 0x3ff00000))
	for _, v := range append(append([]asm.V{}, a...), q...) {
		v.Set(f.ZeroV())
	}
	var s asm.V
	if shifted {
		s = f.NewV("shiftV")
		s.Set(shift.Splat())
	}
	// load leaves half h of the vector at x + offset in e.
	load := func(h int, offset int64) {
		v := x.V(offset).PromoteLow()
		if h == 1 {
			v = x.Half(offset + 8).PromoteLow()
		}
		if shifted {
			v = v.SubF64(s)
		}
		e.Set(v)
	}
	// trip takes sixteen elements, and has other work done beside each four.
	trip := func(beside func(u int)) {
		for i := range 4 {
			for h := range 2 {
				load(h, int64(16*i))
				if i == 0 {
					p[h].Set(e.MulF64(e))
					t[h].Set(e)
					continue
				}
				p[h].Set(e.MulAddF64(e, p[h]))
				if i == 3 {
					t[h].Set(e.MulAddF64(one, t[h]))
				} else {
					t[h].Set(t[h].AddF64(e))
				}
			}
			beside(i)
		}
		for h := range 2 {
			a[h].Set(t[h].MulAddF64(one, a[h]))
		}
		q[0].Set(q[0].AddF64(p[0]))
		q[1].Set(p[1].MulAddF64(one, q[1]))
		x.Advance(64)
	}
	if k.beside != nil && !shifted {
		k.beside(left, trip)
	}
	f.Take(left, 16, func() { trip(func(int) {}) })
	f.Take(left, 4, func() {
		for h := range 2 {
			load(h, 0)
			a[h].Set(a[h].AddF64(e))
			q[h].Set(e.MulAddF64(e, q[h]))
		}
		x.Advance(16)
	})
	e.Set(a[0].AddF64(a[1]))
	sum.Set(e.LaneF64(0).Add(e.LaneF64(1)))
	e.Set(q[0].AddF64(q[1]))
	squares.Set(e.LaneF64(0).Add(e.LaneF64(1)))
	d := f.NewF64("d")
	f.Take(left, 1, func() {
		v := x.F32(0).F64()
		if shifted {
			v = v.Sub(shift)
		}
		d.Set(v)
		sum.Set(sum.Add(d))
		squares.Set(squares.Add(d.Mul(d)))
		x.Advance(4)
	})
}

// apply writes one row of dst from behind, in the loop that its parameters ask for.
func (k layerNorm) apply(row numbers) {
	f, mh, ml, rstd := k.f, row[0], row[1], row[2]
	x, y, left := k.behind, k.dst, f.NewInt("left")
	gamma, beta := f.Ptr("gamma"), f.Ptr("beta")
	h, l, r := f.NewV("mhV"), f.NewV("mlV"), f.NewV("rstdV")
	h.Set(mh.Splat())
	l.Set(ml.Splat())
	r.Set(rstd.Splat())
	left.Set(k.cols)
	b, bs := f.NewV("betaV"), f.NewF32("betaS")
	sweep := func(useGamma, useBeta bool) {
		pointers := []asm.Ptr{x, y}
		if useGamma {
			pointers = append(pointers, gamma)
		}
		if useBeta {
			pointers = append(pointers, beta)
		}
		f.Sweep(asm.Sweep{
			Left: left, Pointers: pointers, Unroll: 4,
			Vector: func(u int) {
				o := int64(16 * u)
				v := x.V(o).Sub(h).Sub(l)
				m := r
				if useGamma {
					v, m = v.Mul(r), gamma.V(o)
				}
				if useBeta {
					b.Set(beta.V(o)) // a register: what the relaxed build contracts onto
					v = v.MulAdd(m, b)
				} else {
					v = v.Mul(m)
				}
				y.StoreV(o, v)
			},
			Scalar: func() {
				v := x.F32(0).Sub(mh).Sub(ml).Mul(rstd)
				if useGamma {
					v = v.Mul(gamma.F32(0))
				}
				if useBeta {
					bs.Set(beta.F32(0))
					v = v.Add(bs)
				}
				y.StoreF32(0, v)
			},
		})
	}
	f.IfElse(gamma.NotNil(), func() {
		f.IfElse(beta.NotNil(), func() { sweep(true, true) }, func() { sweep(true, false) })
	}, func() {
		f.IfElse(beta.NotNil(), func() { sweep(false, true) }, func() { sweep(false, false) })
	})
}

// applyPair is apply for two rows, with gamma and beta: each loaded once for both.
func (k layerNorm) applyPair(first, second numbers) {
	f := k.f
	rows := []numbers{first, second}
	x, y := []asm.Ptr{k.behind, f.NewPtr("behindSecond")}, []asm.Ptr{k.dst, f.NewPtr("dstSecond")}
	gamma, beta, left := f.Ptr("gamma"), f.Ptr("beta"), f.NewInt("left")
	x[1].Set(x[0].Add(k.cols.Shl(2)))
	y[1].Set(y[0].Add(k.cols.Shl(2)))
	left.Set(k.cols)
	h, l, r := f.NewVs("mhV", 2), f.NewVs("mlV", 2), f.NewVs("rstdV", 2)
	for i, n := range rows {
		h[i].Set(n[0].Splat())
		l[i].Set(n[1].Splat())
		r[i].Set(n[2].Splat())
	}
	g, b, gs, bs := f.NewV("gammaV"), f.NewV("betaV"), f.NewF32("gammaS"), f.NewF32("betaS")
	f.Sweep(asm.Sweep{
		Left: left, Pointers: []asm.Ptr{x[0], x[1], y[0], y[1], gamma, beta}, Unroll: 4,
		Vector: func(u int) {
			o := int64(16 * u)
			g.Set(gamma.V(o))
			b.Set(beta.V(o))
			for i := range rows {
				y[i].StoreV(o, x[i].V(o).Sub(h[i]).Sub(l[i]).Mul(r[i]).MulAdd(g, b))
			}
		},
		Scalar: func() {
			gs.Set(gamma.F32(0))
			bs.Set(beta.F32(0))
			for i, n := range rows {
				y[i].StoreF32(0, x[i].F32(0).Sub(n[0]).Sub(n[1]).Mul(n[2]).Mul(gs).Add(bs))
			}
		},
	})
	k.behind.Set(x[1])
	k.dst.Set(y[1])
}
