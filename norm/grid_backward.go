package norm

import "math"

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
		columnProducts(&g.sums[0], &dy[0], &x[0], &g.params[0], len(x), g.period)
		for i := range 3 {
			fold(g.sums[i*g.period:(i+1)*g.period], g.slots)
		}
	} else {
		clear(g.sums)
		for o := range g.outer {
			from := o * g.stride
			rowProducts(&g.triples[0], &dy[from], &x[from], nil, &g.params[0], &g.params[g.period], g.slots, g.inner)
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
			g.exactProducts(dy, x, k, exact)
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

// exactProducts is products for one group in float64.
func (g *grid) exactProducts(dy, x []float32, group int, exact bool) {
	g.hard[group] = true
	s := g.span(group)
	if !exact {
		mean, variance := exactMoments(x, s)
		g.mean[group], g.rstd[group] = mean, 1/math.Sqrt(variance+g.epsilon)
	}
	for i := range g.share {
		var a, b float64
		for block := range s.blocks {
			from := s.base + block*s.stride + i*g.inner
			for j, e := range x[from : from+g.inner] {
				d := float64(dy[from+j])
				a += d
				b += float64(d * standard(e, g.mean[group], g.rstd[group]))
			}
		}
		g.sums[group*g.share+i], g.sums[g.period+group*g.share+i] = a, b
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
// themselves, neither running ones nor a larger batch's. dx may be dy or x.
func (g *grid) differentiate(dx, dy, x, gamma []float32, own bool) {
	g.anyHard = false
	asked, same := false, false // whether dy is the same everywhere: columns are slow to look through one by one
	frozen, root := true, math.Sqrt(float64(g.count()))
	n, share, run := g.period, g.share, g.share*g.inner
	means, as, bs, cs := g.params[:n], g.params[2*n:][:n], g.params[3*n:][:n], g.params[4*n:][:n]
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
		if !hard && own && t != 0 {
			first, least := k*run, leastShown(t, most)
			if !(math.Abs(step(dy[first], x[first], means[k*share], float64(as[k*share]), float64(B*r), C)) >= least) {
				e := g.group(nil, dy, x, gamma, k)
				if g.columns() && !asked {
					asked, same = true, allEqual(dy[:g.size])
				}
				if same && e.sameScale() || !same && e.isFlat() {
					clear(as[k*share : (k+1)*share])
					clear(bs[k*share : (k+1)*share])
					clear(cs[k*share : (k+1)*share])
				} else {
					hard = !e.shows(least, m1, m2)
				}
			}
		}
		g.hard[k] = hard
		g.anyHard = g.anyHard || hard
		frozen = frozen && B == 0 && C == 0
	}
	for k, hard := range g.hard {
		if hard {
			g.exactGradients(dx, dy, x, gamma, k, own)
		}
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
			gradRows(&dx[at], &dy[at], &x[at], params, n, g.period)
		} else {
			gradPlanes(&dx[at], &dy[at], &x[at], nil, params, n, g.inner)
		}
	})
}

// group is one group as float64 takes it.
func (g *grid) group(dx, dy, x, gamma []float32, k int) exactGroup {
	return exactGroup{dx, dy, x, gamma, g.span(k), k * g.share, g.inner, g.repeat, g.mean[k], g.rstd[k], 0}
}

// exactGradients is differentiate for one group in float64.
func (g *grid) exactGradients(dx, dy, x, gamma []float32, group int, own bool) {
	e := g.group(dx, dy, x, gamma, group)
	m1, m2 := g.moments[2*group], g.moments[2*group+1]
	switch {
	case own: // from what was kept or given, which may be rounded to float32
		mean, variance := exactMoments(x, e.span)
		e.mean, e.rstd = mean, 1/math.Sqrt(variance+g.epsilon)
		e.differentiate(variance, g.epsilon, true)
	case m2 == 0:
		e.pass(true, m1, 0, 0, 0)
	default:
		e.pass(true, m1, float64(m2*e.rstd), 0, 0)
	}
}
