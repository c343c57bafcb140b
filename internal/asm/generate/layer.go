package main

import "github.com/normwasm/normwasm/internal/asm"

// layerNormRows reads a row twice: sweep for the moments, apply for the result.
// The moments end in a chain of two divisions and a root, some hundred cycles
// in which nothing else of that row can go on. So a trip of the outer loop
// sweeps row r and then applies row r-1, whose numbers are there by then.
func layerNormRows(file *asm.File) {
	file.Func("func layerNormRows(dst, src, gamma, beta, mean, rstd *float32, rows, cols int, epsilon float64) (done int)",
		"layerNormRows normalizes rows until the first hard one; kernel.go has the loop.",
		func(f *asm.Func) {
			k := layerNorm{
				f: f, src: f.Ptr("src"), dst: f.Ptr("dst"), behind: f.Ptr("src"),
				cols: f.Int("cols"), row: f.NewInt("row"), ok: f.NewInt("ok"),
				mh: f.NewF32("mh"), ml: f.NewF32("ml"), rstd: f.NewF32("rstd"),
			}
			mh, ml, rstd := f.NewF32("mhBehind"), f.NewF32("mlBehind"), f.NewF32("rstdBehind")
			f.If(k.cols.GtConst(0).Not(), func() { f.Return(f.ArgInt("rows")) })
			f.Do(func() {
				k.ok.Set(f.ConstInt(0))
				f.If(k.row.Lt(f.ArgInt("rows")), func() { f.Scope(k.moments) })
				f.If(k.row.GtConst(0), func() { f.Scope(func() { k.apply(mh, ml, rstd) }) })
				mh.Set(k.mh)
				ml.Set(k.ml)
				rstd.Set(k.rstd)
				k.row.Set(k.row.Add(k.ok))
			}, func() asm.Bool { return k.ok.NotZero() })
			f.Return(k.row)
		})
}

type layerNorm struct {
	f                *asm.Func
	src, dst, behind asm.Ptr // behind is the row of src that apply reads
	cols, row, ok    asm.Int
	mh, ml, rstd     asm.F32 // what moments found
}

// moments leaves src behind the row and ok = 1 unless the row is hard.
func (k layerNorm) moments() {
	f := k.f
	shift := f.NewF32("shift")
	f.IfElse(k.cols.GeConst(16), func() {
		f.Scope(func() {
			step, q := f.NewInt("quarter"), f.NewPtr("quarters")
			v := f.NewV("sample")
			step.Set(k.cols.Shr(4).Shl(4)) // n/16*4 elements in bytes
			q.Set(k.src.Add(step))
			v.Set(k.src.V(0).Add(q.V(0)))
			q.Set(q.Add(step))
			v.Set(v.Add(q.V(0).Add(q.Add(step).V(0))))
			shift.Set(v.Sum4().Mul(f.ConstF32(0.0625)))
		})
	}, func() { shift.Set(k.src.F32(0)) })

	x, left := f.NewPtr("x"), f.NewInt("left")
	pass, again := f.NewInt("pass"), f.NewInt("again")
	sum, squares := f.NewF64("sum"), f.NewF64("squares")
	n, mu, c, cc, variance := f.NewF64("n"), f.NewF64("mu"), f.NewF64("c"), f.NewF64("cc"), f.NewF64("variance")
	n.Set(k.cols.F64())
	pass.Set(f.ConstInt(0))
	k.ok.Set(f.ConstInt(1))
	f.Do(func() {
		x.Set(k.src)
		left.Set(k.cols)
		again.Set(f.ConstInt(0))
		f.Scope(func() { k.sweep(x, left, shift, sum, squares) })
		mu.Set(sum.Div(n))
		c.Set(mu.Sub(shift.F64()))
		cc.Set(c.Mul(c))
		variance.Set(squares.Div(n).Sub(cc))
		f.IfElse(pass.Zero(), func() {
			f.If(cc.Gt(variance.Mul(f.ConstF64(0.5))), func() {
				shift.Set(mu.F32())
				pass.Set(f.ConstInt(1))
				again.Set(f.ConstInt(1))
			})
		}, func() {
			f.If(cc.Gt(variance), func() { k.ok.Set(f.ConstInt(0)) })
		})
	}, func() asm.Bool { return again.NotZero() })
	k.src.Set(x)

	v := f.NewF64("v")
	v.Set(variance.Add(f.ArgF64("epsilon")))
	f.If(v.Ge(f.ConstF64(1e-30)).And(v.Le(f.ConstF64(1e36))).Not(), func() { k.ok.Set(f.ConstInt(0)) })
	k.rstd.Set(f.ConstF64(1).Div(v.Sqrt()).F32())
	k.mh.Set(mu.F32())
	k.ml.Set(mu.Sub(k.mh.F64()).F32())
	f.If(k.ok.NotZero(), func() {
		at := k.row.Shl(2)
		f.If(f.ArgPtr("mean").NotNil(), func() { f.ArgPtr("mean").Add(at).StoreF32(0, k.mh) })
		f.If(f.ArgPtr("rstd").NotNil(), func() { f.ArgPtr("rstd").Add(at).StoreF32(0, k.rstd) })
	})
}

// sweep adds a row up: x and left are consumed. Sixteen elements a trip are
// enough: two or four times as many were slower in V8, by the registers they take.
func (k layerNorm) sweep(x asm.Ptr, left asm.Int, shift asm.F32, sum, squares asm.F64) {
	f := k.f
	zero := f.ZeroV()
	a, q, total := f.NewVs("a", 4), f.NewVs("q", 4), f.NewVs("total", 2)
	w, d, s := f.NewVs("w", 4), f.NewV("d"), f.NewV("shiftV")
	s.Set(shift.Splat())
	for _, v := range append(append(append([]asm.V{}, a...), q...), total...) {
		v.Set(zero)
	}
	step := func() {
		for i := range w {
			w[i].Set(x.V(int64(16 * i)))
		}
		a[0].Set(a[0].AddF64(w[0].PromoteLow().AddF64(w[2].PromoteLow())))
		a[1].Set(a[1].AddF64(w[0].PromoteHigh().AddF64(w[2].PromoteHigh())))
		a[2].Set(a[2].AddF64(w[1].PromoteLow().AddF64(w[3].PromoteLow())))
		a[3].Set(a[3].AddF64(w[1].PromoteHigh().AddF64(w[3].PromoteHigh())))
		for i := range q {
			d.Set(w[i].Sub(s))
			q[i].Set(d.MulAdd(d, q[i]))
		}
		x.Advance(64)
	}
	fold := func() {
		d.Set(q[0].Add(q[1]).Add(q[2].Add(q[3])))
		total[0].Set(total[0].AddF64(d.PromoteLow()))
		total[1].Set(total[1].AddF64(d.PromoteHigh()))
	}
	f.Scope(func() {
		steps := f.NewInt("steps")
		f.Take(left, 256, func() {
			steps.Set(f.ConstInt(16))
			f.Do(func() {
				step()
				steps.Set(steps.AddConst(-1))
			}, func() asm.Bool { return steps.NotZero() })
			fold()
			for _, v := range q {
				v.Set(zero)
			}
		})
	})
	f.Take(left, 16, step)
	tail := func(k int) {
		j := 2 * (k % 2)
		d.Set(x.V(0))
		a[j].Set(a[j].AddF64(d.PromoteLow()))
		a[j+1].Set(a[j+1].AddF64(d.PromoteHigh()))
		d.Set(d.Sub(s))
		q[k].Set(d.MulAdd(d, q[k]))
		x.Advance(16)
		left.Set(left.AddConst(-4))
	}
	f.If(left.GeConst(4), func() {
		tail(0)
		f.If(left.GeConst(4), func() {
			tail(1)
			f.If(left.GeConst(4), func() { tail(2) })
		})
	})
	fold()
	d.Set(a[0].AddF64(a[2]).AddF64(a[1].AddF64(a[3])))
	sum.Set(d.LaneF64(0).Add(d.LaneF64(1)))
	squares.Set(total[0].LaneF64(0).Add(total[0].LaneF64(1)).Add(total[1].LaneF64(0).Add(total[1].LaneF64(1))))
	e := f.NewF32("e")
	f.Take(left, 1, func() {
		e.Set(x.F32(0))
		sum.Set(sum.Add(e.F64()))
		e.Set(e.Sub(shift))
		squares.Set(squares.Add(e.Mul(e).F64()))
		x.Advance(4)
	})
}

// apply writes one row of dst from behind, in the loop that its parameters ask for.
func (k layerNorm) apply(mh, ml, rstd asm.F32) {
	f := k.f
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
