package norm

import (
	"math"

	"github.com/normwasm/normwasm/internal/kernel"
)

// rowGradient is the scratch of a backward pass over rows.
type rowGradient struct {
	second []float32 // for strided rows: dy, then dx
	params []float32 // of a block, as gradPlanes has them
	sums   []float64 // three of each row of a block
	totals []float64 // Σdy·x̂ and Σdy of each column, and as many to spare
	kinds  []rowKind // of a block
	one    [6]float32
	exact  exactSlots // rows of a block
}

// rowKind says in which way a row's dx is computed.
type rowKind byte

const (
	calmRow rowKind = iota // in float32
	weakRow                // in float64, as it cancels
	hardRow                // in float64, with statistics that are computed anew
)

// gradBlock is about how many elements a block of the backward pass has: x and dy
// stay in the second-level cache between its three sweeps.
const gradBlock = 1 << 14

// Backward computes the gradients of Forward from dy (the gradient of y, before the
// Activation where there is one), the x that was normalized (the sum, with a residual,
// whose gradient dx is as well), Forward's mean and rstd, and gamma. With n elements in
// a group:
//
//	g = dy·γ,  m₁ = Σ g/n,  m₂ = Σ g·x̂/n      over the group
//	dx = (g - m₁ - x̂·m₂)/√(σ² + ε)
//	dgamma = Σ dy·x̂,  dbeta = Σ dy            over the groups
//
// dgamma and dbeta have the dimensions of gamma; these three may be nil. dx may be
// dy or x. A wrong length is a *ShapeError, and nothing has been written then.
//
// mean is a rounded number; what it lacks is found again in x, so that it does not
// show where the mean is large against the deviation.
func (l *LayerNorm) Backward(dx, dgamma, dbeta, dy, x, mean, rstd, gamma []float32) error {
	size := l.rows * l.cols
	means := ofRest
	if l.rms {
		means |= optional // and not looked at
	}
	if err := l.about().check(arg{"x", x, size, ofShape}, arg{"dy", dy, size, ofShape}, arg{"dx", dx, size, ofShape},
		arg{"dgamma", dgamma, l.cols, ofAxes | optional}, arg{"dbeta", dbeta, l.cols, ofAxes | optional}, arg{"gamma", gamma, l.cols, ofAxes | optional},
		arg{"mean", mean, l.rows, means}, arg{"rstd", rstd, l.rows, ofRest}); err != nil {
		return err
	}
	if size == 0 {
		clear(dgamma)
		clear(dbeta)
		return nil
	}
	if !l.allocated {
		l.allocate()
	}
	block := min(l.rows, max(16, gradBlock/l.cols&^15))
	if l.strided {
		block = l.block
	}
	b := &l.backward
	if b.totals == nil {
		b.totals = make([]float64, 4*l.cols)
		b.params, b.sums, b.kinds = make([]float32, 6*block), make([]float64, 3*block), make([]rowKind, block)
		if l.strided {
			b.second = make([]float32, block*l.cols)
		}
	}
	clear(b.totals[:2*l.cols])
	if l.order != nil {
		gamma = reorder(l.gamma, gamma, l.order)
	}
	for row := 0; row < l.rows; row += block {
		n := min(block, l.rows-row)
		m, r := section(mean, row, n), rstd[row:row+n]
		if !l.strided {
			from, to := row*l.cols, (row+n)*l.cols
			l.gradients(dx[from:to], dy[from:to], x[from:to], m, r, gamma)
			continue
		}
		xs, ds := l.scratch[:n*l.cols], b.second[:n*l.cols]
		l.move(x, xs, row, n, gather)
		l.move(dy, ds, row, n, gather)
		l.gradients(ds, ds, xs, m, r, gamma)
		l.move(dx, ds, row, n, scatter)
	}
	b.exact.release()
	for i := range l.cols {
		at := i
		if l.order != nil {
			at = l.order[i]
		}
		if dgamma != nil {
			dgamma[at] = float32(b.totals[i])
		}
		if dbeta != nil {
			dbeta[at] = float32(b.totals[l.cols+i])
		}
	}
	return nil
}

// gradients is Backward for a block of contiguous rows.
func (l *LayerNorm) gradients(dx, dy, x, mean, rstd, gamma []float32) {
	b, rows, cols := &l.backward, len(rstd), l.cols
	b.exact.release() // another block's
	p := b.params[:6*rows]
	clear(p)
	copy(p, mean)
	copy(p[rows:], rstd)
	kernel.RowProducts(&b.sums[0], &dy[0], &x[0], pointer(gamma), &p[0], &p[rows], rows, cols)
	every, root, first := l.cancels(), math.Sqrt(float64(cols)), float64(at(gamma, 0, 1))
	means, as, bs, cs, es := p[:rows], p[2*rows:], p[3*rows:], p[4*rows:], p[5*rows:]
	kinds, sums, worst := b.kinds[:rows], b.sums, calmRow
	for k, m := range means {
		m1, m2, rest := l.means(sums[0], sums[1], sums[2])
		sums = sums[3:]
		r := float64(rstd[k])
		B, C := float64(r*m2), float64(r*(m1-float64(rest*m2)))
		as[k], bs[k], cs[k], es[k] = rstd[k], float32(B), float32(C), float32(rest)
		from, slope, t := k*cols, float64(B*r), terms(root, B, C)
		kind := calmRow
		switch {
		case every || !(r >= 0x1p-62 && r <= 0x1p62) || !(math.Abs(float64(m)) < kernel.MeanMax) || !(t < termsMax):
			kind = hardRow
		case float64(float64(l.epsilon*r)*r) >= 1-0x1p-19 && l.isFaint(&x[from], m, r):
			kind = hardRow
		case t == 0:
		default:
			least := leastShown(t, r)
			if math.Abs(step(dy[from], x[from], m, float64(r*first), slope, C)) >= least || shows(dy[from:from+cols], x[from:from+cols], gamma, m, r, slope, C, least) {
				break
			}
			if !l.rms && allEqual(dy[from:from+cols]) && (gamma == nil || allEqual(gamma)) {
				as[k], bs[k], cs[k] = 0, 0, 0
				break
			}
			e := l.inFloat64(dx, dy, x, gamma, rows)
			e.set(k, 1, float64(m)+rest/r, r, 0, 0)
			e.statistics(k, 1, 1, cols, l.epsilon, !l.rms)
			e.set(k, 1, e.params[k].Mean, e.params[k].Rstd, m1, float64(m2*r))
			e.products(k, 1, dy)
			e.correct(k, 1, float64(cols), l.epsilon, !l.rms)
			kind = weakRow
		}
		kinds[k] = kind
		worst = max(worst, kind)
	}
	if worst < hardRow {
		l.addGradients(dy, x, p, rows)
	}
	if worst == calmRow {
		kernel.GradPlanes(&dx[0], &dy[0], &x[0], pointer(gamma), &p[0], rows, cols)
		return
	}
	for k := range rows {
		from := k * cols
		for i := range b.one {
			b.one[i] = p[i*rows+k]
		}
		if worst == hardRow && kinds[k] != hardRow {
			l.addGradients(dy[from:], x[from:], b.one[:], 1)
		}
		switch kinds[k] {
		case calmRow:
			kernel.GradPlanes(&dx[from], &dy[from], &x[from], pointer(gamma), &b.one[0], 1, cols)
		case weakRow:
			b.exact.gradients(k, 1)
		case hardRow:
			mu, v := l.exactTotals(dy, x, from)
			e := l.inFloat64(dx, dy, x, gamma, rows)
			e.differentiate(k, 1, mu, v, l.epsilon, float64(cols), !l.rms)
		}
	}
}

// addGradients adds the gradients of gamma and beta to the totals. Where sums of rows
// overflow, what the kernel could add is taken out again, and all of it added in float64.
func (l *LayerNorm) addGradients(dy, x, params []float32, rows int) {
	cols := l.cols
	totals, again := l.backward.totals[:2*cols], l.backward.totals[2*cols:]
	if kernel.RowGradients(&totals[0], &dy[0], &x[0], &params[0], rows, cols) == 0 {
		return
	}
	clear(again)
	kernel.RowGradients(&again[0], &dy[0], &x[0], &params[0], rows, cols)
	for i, s := range again {
		totals[i] -= s
	}
	for k := range rows {
		l.exactTotals(dy, x, k*cols)
	}
}

// isFaint says whether a row whose variance is nothing beside ε has an x̂ that float32
// has no digits for. x - mean is a multiple of the values' last bits: it is 0, or it is
// not that small, unless they are. A row of zeros is as good as any.
func (l *LayerNorm) isFaint(x *float32, mean float32, rstd float64) bool {
	const small = faintMax * 0x1p25
	if !(float64(math.Abs(float64(mean))*rstd) <= small) {
		return false
	}
	var sum float64
	kernel.RowPowers(&sum, x, 1, l.cols, 1)
	return sum > 0 && float64(sum*rstd) <= float64(small*float64(l.cols))
}

// cancels says whether x̂ is the same whatever x is, but for ε: then of dx nothing is
// left but ε's part, which float32 would not show.
func (l *LayerNorm) cancels() bool { return l.rms && l.cols == 1 || !l.rms && l.cols == 2 }

// means turns the sums of g, g·h and h into m₁, m₂ and the rest of h - x̂.
func (l *LayerNorm) means(sum, product, deviation float64) (m1, m2, rest float64) {
	n := float64(l.cols)
	if l.rms {
		return 0, product / n, 0
	}
	rest = deviation / n
	return sum / n, (product - float64(rest*sum)) / n, rest
}

// inFloat64 prepares a block of rows for the kernels in float64; release ends that.
func (l *LayerNorm) inFloat64(dx, dy, x, gamma []float32, rows int) *exactSlots {
	e := &l.backward.exact
	if e.dx == nil {
		e.take(dx, dy, x, 0, rows)
		e.gamma, e.outer, e.inner = gamma, 1, l.cols
	}
	return e
}

// exactTotals adds a row to the totals.
func (l *LayerNorm) exactTotals(dy, x []float32, from int) (mu, v float64) {
	x, dy = x[from:from+l.cols], dy[from:]
	mu, v = exactRow(x, l.rms)
	r := 1 / math.Sqrt(v+l.epsilon)
	scales, shifts := l.backward.totals, l.backward.totals[l.cols:]
	for i, e := range x {
		d := float64(dy[i])
		scales[i] += float64(d * standard(e, mu, r))
		shifts[i] += d
	}
	return mu, v
}
