package norm

import (
	"math"

	"github.com/normwasm/normwasm/internal/kernel"
)

// The backward pass of a grid. With x̂ = (x - μ)/√(σ² + ε) and n values in a group,
//
//	m₁ = Σ γ·dy / n,  m₂ = Σ γ·dy·x̂ / n         over the group
//	dx = (γ·dy - m₁ - x̂·m₂)/√(σ² + ε)
//	dγ = Σ dy·x̂,  dβ = Σ dy                     over the channel, all samples
//
// The kernels take h = (x - float32(μ))·rstd in place of x̂ = h - rest, where rest =
// (μ - float32(μ))·rstd. A caller whose cache holds μ as float32 gets the rest back
// from the data: it is the mean of h, since the mean of x̂ is 0.

// products computes Σdy and Σdy·x̂ of each slot of a sample into sums. mean and rstd
// say how each group was normalized. Unless they are exact, mean is a float32 whose
// rest is found here and added, and groups that float32 does not carry get their
// statistics anew.
func (g *grid) products(dy, x []float32, exact bool) {
	g.kept = exact
	n, share, run := g.count(), g.share, g.share*g.inner
	means, rstds := g.params[:g.period], g.params[g.period:][:g.period]
	for k := range g.groups {
		m, r := float32(g.mean[k]), float32(g.rstd[k])
		// x̂ of two values is ±1 whatever they are: of dx nothing but ε's part is left.
		g.hard[k] = n == 2 || isHard(m, float64(r)) || !(r >= 0x1p-62 && r <= 0x1p62)
		if g.hard[k] {
			m, r = 0, 0
		}
		for s := k * share; s < (k+1)*share; s++ {
			means[s], rstds[s] = m, r
		}
	}
	if g.columns() {
		for i := range 2 {
			tile(g.params[i*g.period:(i+1)*g.period], g.slots)
		}
		kernel.ColumnProducts(&g.sums[0], &dy[0], &x[0], &g.params[0], len(x), g.period)
		for i := range 3 {
			fold(g.sums[i*g.period:(i+1)*g.period], g.slots)
		}
	} else {
		clear(g.sums)
		for o := range g.outer {
			from := o * g.stride
			kernel.RowProducts(&g.triples[0], &dy[from], &x[from], nil, &g.params[0], &g.params[g.period], g.slots, g.inner)
			a, b, c := g.sums[:g.slots], g.sums[g.period:][:g.slots], g.sums[2*g.period:][:g.slots]
			for s, t := 0, g.triples; s < len(a); s, t = s+1, t[3:] {
				a[s] += t[0]
				b[s] += t[1]
				c[s] += t[2]
			}
		}
	}
	a, b, c := g.sums[:g.period], g.sums[g.period:2*g.period], g.sums[2*g.period:]
	for k := range g.groups {
		var sh, all, size float64
		for s := k * share; s < (k+1)*share; s++ {
			sh += c[s]
			all += a[s] + b[s] + c[s]
			size += math.Abs(b[s]) + math.Abs(c[s])
		}
		r := g.rstd[k]
		if g.hard[k] || all-all != 0 || math.Abs(float64(float64(x[k*run])-g.mean[k])*r) <= faintMax && size > 0 && g.isFaint(x, k) {
			g.hard[k] = true
			if !exact {
				mean, variance := exactMoments(x, g.span(k))
				g.mean[k], g.rstd[k] = mean, 1/math.Sqrt(variance+g.epsilon)
			}
			g.exactProducts(dy, x, k, k+1)
			continue
		}
		if !exact {
			g.rest[k] = sh / float64(n)
			g.mean[k] += g.rest[k] / r
		}
		for s := k * share; s < (k+1)*share; s++ {
			b[s] -= float64(g.rest[k] * a[s])
		}
	}
}

// isFaint says whether a group, not of zeros, has an x̂ that float32 has no digits for.
// Other ones show it by one of their first values.
func (g *grid) isFaint(x []float32, group int) bool {
	s, mean, most := g.span(group), g.mean[group], faintMax/g.rstd[group]
	for block := range s.blocks {
		for _, e := range x[s.base+block*s.stride:][:s.run] {
			if !(math.Abs(float64(e)-mean) <= most) {
				return false
			}
		}
	}
	return true
}

// exactProducts computes Σdy and Σdy·x̂ of each slot of some groups into sums, in float64.
func (g *grid) exactProducts(dy, x []float32, from, to int) {
	for from < to {
		n := min(to-from, max(1, settleSlots/g.share))
		e := g.inFloat64(nil, dy, x, from, n)
		for i := range n {
			e.set(i*g.share, g.share, g.mean[from+i], g.rstd[from+i], 0, 0)
		}
		e.products(0, len(e.params), e.dy)
		for i, s := range e.sums {
			slot := from*g.share + i
			g.sums[slot], g.sums[g.period+slot] = s.E, 0
			if s.ET != 0 { // as it is of equal values, whose rstd may be infinite
				g.sums[g.period+slot] = s.ET * e.params[i].Rstd
			}
		}
		e.release()
		from += n
	}
}

// standard is x̂ of one value; equal values, whose rstd may be infinite, have 0.
func standard(x float32, mean, rstd float64) float64 {
	t := float64(x) - mean
	if t == 0 {
		return 0
	}
	return t * rstd
}

// differentiate applies the products: dx of a sample, from m₁ and m₂ of each group
// in moments. own says that these, and the groups' statistics, are those of x and dy
// themselves, neither running ones nor a larger batch's, which are exact. dx may be dy or x.
func (g *grid) differentiate(dx, dy, x, gamma []float32, own bool) {
	g.anyHard = false
	frozen, root, asked, same := true, math.Sqrt(float64(g.count())), false, false
	n, share := g.period, g.share
	as, bs, cs := g.params[2*n:][:n], g.params[3*n:][:n], g.params[4*n:][:n]
	suspects := false
	for k := range g.groups {
		r, m1, m2 := g.rstd[k], g.moments[2*k], g.moments[2*k+1]
		B, C := float64(r*m2), float64(r*(m1-float64(g.rest[k]*m2)))
		t, most := terms(root, B, C), 0.0
		hard := g.hard[k] || !(t < termsMax)
		for s := k * share; s < (k+1)*share; s++ {
			A := r
			if gamma != nil {
				A *= float64(gamma[g.channel(s)])
			}
			most += math.Abs(A)
			hard = hard || isHard(0, A)
			as[s], bs[s], cs[s] = float32(A), float32(B), float32(C)
		}
		g.hard[k], g.suspect[k] = hard, false
		frozen = frozen && B == 0 && C == 0
		if hard {
			g.anyHard = true
			g.exactGradients(dx, dy, x, gamma, k, own)
			continue
		}
		if t == 0 || g.shows(dy, x, k, float64(B*r), C, leastShown(t, most)) {
			continue
		}
		if own && g.columns() && !asked { // dy is the same everywhere, or columns are slow to look through
			asked, same = true, allEqual(dy[:g.size])
		}
		if own && (same || g.isFlat(dy, k)) && g.sameScale(gamma, k) {
			clear(as[k*share : (k+1)*share])
			clear(bs[k*share : (k+1)*share])
			clear(cs[k*share : (k+1)*share])
			continue
		}
		g.suspect[k], suspects = true, true
	}
	if suspects {
		g.settle(dx, dy, x, gamma, own)
	}
	if frozen { // x does not matter
		copy(g.params[g.period:], g.params[2*g.period:3*g.period])
		clear(g.params[:g.period])
		clear(g.params[2*g.period : 3*g.period])
		g.affine(dx, dy, Linear)
		return
	}
	g.each(5, false, func(at, n int, params *float32) {
		if g.columns() {
			kernel.GradRows(&dx[at], &dy[at], &x[at], params, n, g.period)
		} else {
			kernel.GradPlanes(&dx[at], &dy[at], &x[at], nil, params, n, g.inner)
		}
	})
}

// shows says whether one of some values of a group has a dx that reaches least.
func (g *grid) shows(dy, x []float32, k int, slope, C, least float64) bool {
	s, n := g.span(k), g.count()
	means, as := g.params[:g.period], g.params[2*g.period:][:g.period]
	for i := range samples {
		at := n * i / samples
		block, in := at/s.run, at%s.run
		slot := k*g.share + in/g.inner
		at = s.base + block*s.stride + in
		if math.Abs(step(dy[at], x[at], means[slot], float64(as[slot]), slope, C)) >= least {
			return true
		}
	}
	return false
}

// isFlat says whether dy is the same everywhere in a group, as in the gradient of Σy.
// Where gamma is too, nothing is left of g without its mean.
func (g *grid) isFlat(dy []float32, k int) bool {
	s := g.span(k)
	for b := range s.blocks {
		from := s.base + b*s.stride
		if dy[from] != dy[s.base] || s.run > 1 && !allEqual(dy[from:from+s.run]) {
			return false
		}
	}
	return true
}

// sameScale says whether all of a group has one gamma.
func (g *grid) sameScale(gamma []float32, k int) bool {
	return gamma == nil || allEqual(gamma[g.channel(k*g.share):g.channel((k+1)*g.share-1)+1])
}

const (
	settleSlots = 512 // that float64 takes at once
	calmRun     = 40  // columns that a run of calm ones should have: float32 takes it row by row
)

// settle computes dx in float64 for the groups whose dx may cancel, and marks them as
// hard. Without own, the sums are those of a larger batch or of running statistics; then
// this group's data cannot correct them.
func (g *grid) settle(dx, dy, x, gamma []float32, own bool) {
	if g.columns() && g.calmRuns()*calmRun > g.slots {
		for k, hard := range g.hard {
			s := k*g.share + 2*g.period // A, then B and C; all are 0 where nothing is left
			g.suspect[k] = !hard && (g.params[s] != 0 || g.params[s+g.period] != 0 || g.params[s+2*g.period] != 0)
		}
	}
	most := max(1, settleSlots/g.share)
	for from := 0; from < g.groups; from++ {
		n := 0
		for n < most && from+n < g.groups && g.suspect[from+n] {
			g.hard[from+n], g.anyHard = true, true
			n++
		}
		if n == 0 {
			continue
		}
		e, share := g.inFloat64(dx, dy, x, from, n), g.share
		for i := range n {
			e.set(i*share, share, g.mean[from+i], g.rstd[from+i], 0, 0)
		}
		if own && !g.kept {
			e.statistics(0, n*share, share, g.count(), g.epsilon, true)
		}
		g.scales(e, gamma, from)
		for i := range n {
			p, k := e.params[i*share], from+i
			e.set(i*share, share, p.Mean, p.Rstd, g.moments[2*k], float64(g.moments[2*k+1]*g.rstd[k]))
		}
		if own {
			e.products(0, n*share, e.dy)
			for i := range n {
				e.correct(i*share, share, float64(g.count()), g.epsilon, true)
			}
		}
		e.gradients(0, n*share)
		e.release()
		from += n - 1
	}
}

// calmRuns counts the runs of groups that are neither hard nor suspect.
func (g *grid) calmRuns() (runs int) {
	before := false
	for k, hard := range g.hard {
		calm := !hard && !g.suspect[k]
		if calm && !before {
			runs++
		}
		before = calm
	}
	return runs
}

// inFloat64 prepares n groups for the kernels in float64.
func (g *grid) inFloat64(dx, dy, x []float32, from, n int) *exactSlots {
	e := g.exactSlots
	e.columns, e.outer, e.inner, e.stride = g.columns(), g.outer, g.inner, g.stride
	e.take(dx, dy, x, from*g.share*g.inner, n*g.share)
	return e
}

// scales takes gamma for groups from one on.
func (g *grid) scales(e *exactSlots, gamma []float32, from int) {
	for i := range e.params {
		e.params[i].Scale = float64(at(gamma, g.channel(from*g.share+i), 1))
	}
}

// exactGradients is differentiate for one group in float64.
func (g *grid) exactGradients(dx, dy, x, gamma []float32, k int, own bool) {
	m1, m2, s := g.moments[2*k], g.moments[2*k+1], g.span(k)
	e := g.inFloat64(dx, dy, x, k, 1)
	g.scales(e, gamma, k)
	switch {
	case own: // from what was kept or given, which may be rounded to float32
		mean, variance := exactMoments(x, s)
		e.differentiate(0, g.share, mean, variance, g.epsilon, float64(g.count()), true)
	case m2 == 0: // x does not matter
		for b := range s.blocks {
			from := s.base + b*s.stride
			for i, d := range dy[from : from+s.run] {
				dx[from+i] = float32((float64(float64(d)*e.params[i/g.inner].Scale) - m1) * g.rstd[k])
			}
		}
	default:
		e.set(0, g.share, g.mean[k], g.rstd[k], m1, float64(m2*g.rstd[k]))
		e.gradients(0, g.share)
	}
	e.release()
}
