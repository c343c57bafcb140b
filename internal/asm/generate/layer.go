package main

import (
	"fmt"

	"github.com/normwasm/normwasm/internal/asm"
)

// layerNormRows reads a row twice: sweep for the moments, apply for the result.
// The moments end in a chain of two divisions and a root, some hundred cycles
// in which nothing else of that row can go on. So a row is applied beside the sweep
// of the next one, in one loop where both parameters are there: the sweep waits for
// the adders and multipliers, the application for loads and stores.
func layerNormRows(file *asm.File) {
	file.Func("func LayerNormRows(dst, src, gamma, beta, mean, rstd *float32, rows, cols int, epsilon float64, done *int)",
		"LayerNormRows normalizes rows until the first hard one; its twin has the loop.",
		func(f *asm.Func) {
			k := layerNorm{
				f: f, src: f.Ptr("src"), cols: f.Int("cols"), row: f.NewInt("row"), ok: f.NewInt("ok"),
				numbers: newNumbers(f, "mh", "rstd", "shift"),
			}
			late := lateRow{f: f, x: f.Ptr("src"), y: f.Ptr("dst"), gamma: f.Ptr("gamma"), beta: f.Ptr("beta"), left: f.NewInt("rowLeft"), numbers: k.numbers.like(f, "Late")}
			k.beside = late.beside
			f.If(k.cols.GtConst(0).Not(), func() {
				f.ArgPtr("done").StoreInt(0, f.ArgInt("rows"))
				f.Leave()
			})
			k.count()
			f.Do(func() {
				k.ok.Set(f.ConstInt(0))
				f.If(k.row.Lt(f.ArgInt("rows")), func() { f.Scope(k.moments) })
				f.If(late.left.NotZero(), func() { f.Scope(late.rest) })
				f.If(k.ok.NotZero(), func() {
					late.numbers.set(k.numbers)
					late.left.Set(k.cols)
					late.gamma.Set(f.ArgPtr("gamma"))
					late.beta.Set(f.ArgPtr("beta"))
				})
				k.row.Set(k.row.Add(k.ok))
			}, func() asm.Bool { return k.ok.NotZero() })
			f.ArgPtr("done").StoreInt(0, k.row)
		})
}

// lateRow is what is left to apply of a row: left elements, at which all pointers are.
type lateRow struct {
	f           *asm.Func
	x, y        asm.Ptr
	gamma, beta asm.Ptr
	left        asm.Int
	numbers     // mh, rstd, shift
}

func (r lateRow) vectors() (m, s, c asm.V) {
	v := r.f.NewVs("number", 3)
	for i := range v {
		v[i].Set(r.numbers[i].Splat())
	}
	return v[0], v[1], v[2]
}

// beside applies sixteen elements with each trip, where there are both parameters.
func (r lateRow) beside(left asm.Int, trip func(beside func(u int))) {
	f := r.f
	f.If(r.left.GeConst(16).And(left.GeConst(16)).And(r.gamma.NotNil()).And(r.beta.NotNil()), func() {
		f.Scope(func() {
			steps := f.NewInt("steps")
			steps.Set(r.left.Shr(4))
			left.Set(left.Sub(steps.Shl(4)))
			r.left.Set(r.left.And(15))
			m, s, c := r.vectors()
			b := f.NewV("betaV")
			f.Do(func() {
				trip(func(u int) {
					o := int64(16 * u)
					b.Set(r.beta.V(o))
					r.y.StoreV(o, r.x.V(o).Sub(m).MulAdd(s, c).MulAdd(r.gamma.V(o), b))
				})
				for _, p := range []asm.Ptr{r.x, r.y, r.gamma, r.beta} {
					p.Advance(64)
				}
				steps.Set(steps.AddConst(-1))
			}, func() asm.Bool { return steps.NotZero() })
		})
	})
}

// rest applies all that is left, in the loop that its parameters ask for.
func (r lateRow) rest() {
	f := r.f
	m, s, c := r.vectors()
	b := f.NewV("betaV") // a register: what the relaxed build contracts onto
	sweep := func(useGamma, useBeta bool) {
		pointers := []asm.Ptr{r.x, r.y}
		if useGamma {
			pointers = append(pointers, r.gamma)
		}
		if useBeta {
			pointers = append(pointers, r.beta)
		}
		element := func(load func(p asm.Ptr) asm.V) asm.V {
			if useBeta {
				b.Set(load(r.beta))
			}
			v := load(r.x).Sub(m).MulAdd(s, c)
			switch {
			case useGamma && useBeta:
				return v.MulAdd(load(r.gamma), b)
			case useGamma:
				return v.Mul(load(r.gamma))
			case useBeta:
				return v.Add(b)
			}
			return v
		}
		f.Sweep(asm.Sweep{
			Left: r.left, Pointers: pointers, Unroll: 4,
			Vector: func(u int) {
				o := int64(16 * u)
				r.y.StoreV(o, element(func(p asm.Ptr) asm.V { return p.V(o) }))
			},
			Scalar: func() { r.y.StoreF32(0, element(func(p asm.Ptr) asm.V { return p.Splat(0) }).Lane(0)) },
		})
	}
	f.IfElse(r.gamma.NotNil(), func() {
		f.IfElse(r.beta.NotNil(), func() { sweep(true, true) }, func() { sweep(true, false) })
	}, func() {
		f.IfElse(r.beta.NotNil(), func() { sweep(false, true) }, func() { sweep(false, false) })
	})
}

type layerNorm struct {
	f             *asm.Func
	src           asm.Ptr
	cols, row, ok asm.Int
	n, part       asm.F64 // of elements: how many, and 1/n
	numbers               // what moments found: mh, rstd, shift

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
	file.Func("func RowMoments(moments *float64, src *float32, rows, cols int)",
		"RowMoments is the mean and the variance of rows; its twin has the loop.",
		func(f *asm.Func) {
			k := layerNorm{f: f, src: f.Ptr("src"), cols: f.Int("cols")}
			out, rows, mu, variance := f.Ptr("moments"), f.Int("rows"), f.NewF64("mu"), f.NewF64("variance")
			k.count()
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
	mh, rstd, shift, r := k.numbers[0], k.numbers[1], k.numbers[2], f.NewF64("r")
	r.Set(f.ConstF64(1).Div(variance.Add(f.ArgF64("epsilon")).Sqrt()))
	rstd.Set(r.F32())
	mh.Set(mu.F32())
	shift.Set(mh.F64().Sub(mu).Mul(r).F32())
	f.If(k.ok.NotZero(), func() {
		at := k.row.Shl(2)
		f.If(f.ArgPtr("mean").NotNil(), func() { f.ArgPtr("mean").Add(at).StoreF32(0, mh) })
		f.If(f.ArgPtr("rstd").NotNil(), func() { f.ArgPtr("rstd").Add(at).StoreF32(0, rstd) })
	})
}

// count prepares for rows of cols elements. (The variance has no digits to lose by part, and a division less is one less
// to wait for.)
func (k *layerNorm) count() {
	k.n, k.part = k.f.NewF64("n"), k.f.NewF64("part")
	k.n.Set(k.cols.F64())
	k.part.Set(k.f.ConstF64(1).Div(k.n))
}

// statistics is steps 1 and 2 of a row: it leaves src behind it.
func (k layerNorm) statistics(mu, variance asm.F64) {
	f := k.f
	x, left, shift := f.NewPtr("x"), f.NewInt("left"), f.NewF64("shift")
	c := f.NewF64("c")
	sweep := func(shifted bool) {
		x.Set(k.src)
		left.Set(k.cols)
		f.Scope(func() { k.sweep(x, left, shift, c, variance, shifted) })
		c.Set(c.Div(k.n))
		variance.Set(variance.Mul(k.part).Sub(c.Mul(c)))
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
// leaves to the next, and halves are converted from memory: without a shuffle, and as
// one instruction where no store comes between, which is why other work waits.
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
		v := x.Half(offset + int64(8*h)).PromoteLow()
		if shifted {
			v = v.SubF64(s)
		}
		e.Set(v)
	}
	// trip takes sixteen elements, and has other work done, in four parts.
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
		}
		for h := range 2 {
			a[h].Set(t[h].MulAddF64(one, a[h]))
		}
		q[0].Set(q[0].AddF64(p[0]))
		q[1].Set(p[1].MulAddF64(one, q[1]))
		for i := range 4 {
			beside(i)
		}
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
