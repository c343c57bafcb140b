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
	for k := range g.groups {
		m, r := float32(g.mean[k]), float32(g.rstd[k])
		// x̂ of two values is ±1 whatever they are: of dx nothing but ε's part is left.
		g.hard[k] = g.count() == 2 || isHard(m, float64(r)) || !(r >= 0x1p-62 && r <= 0x1p62)
		if g.hard[k] {
			m, r = 0, 0
		}
		for s := k * g.share; s < (k+1)*g.share; s++ {
			g.set(0, s, float64(m), float64(r), 0)
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
	n := float64(g.count())
	for k := range g.groups {
		var sh, all float64
		for s := k * g.share; s < (k+1)*g.share; s++ {
			sh += c[s]
			all += a[s] + b[s] + c[s]
		}
		if g.hard[k] || math.IsNaN(all) || math.IsInf(all, 0) {
			g.exactProducts(dy, x, k, exact)
			continue
		}
		if !exact {
			g.rest[k] = sh / n
			g.mean[k] += g.rest[k] / g.rstd[k]
		}
		for s := k * g.share; s < (k+1)*g.share; s++ {
			b[s] -= float64(g.rest[k] * a[s])
		}
	}
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
// in moments. dx may be dy or x.
func (g *grid) differentiate(dx, dy, x, gamma []float32) {
	g.anyHard = false
	frozen := true
	for k := range g.groups {
		r, m1, m2 := g.rstd[k], g.moments[2*k], g.moments[2*k+1]
		B, C := r*m2, r*(m1-float64(g.rest[k]*m2))
		g.hard[k] = g.hard[k] || !(math.Abs(B) <= math.MaxFloat32 && math.Abs(C) <= math.MaxFloat32)
		for s := k * g.share; s < (k+1)*g.share; s++ {
			A := float64(at(gamma, g.channel(s), 1)) * r
			g.hard[k] = g.hard[k] || isHard(0, A)
			g.set(2, s, A, B, C)
		}
		g.anyHard = g.anyHard || g.hard[k]
		frozen = frozen && B == 0 && C == 0
	}
	for k, hard := range g.hard {
		if hard {
			g.exactGradients(dx, dy, x, gamma, k)
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

// exactGradients is differentiate for one group in float64.
func (g *grid) exactGradients(dx, dy, x, gamma []float32, group int) {
	r, m1, m2 := g.rstd[group], g.moments[2*group], g.moments[2*group+1]
	s := g.span(group)
	for b := range s.blocks {
		from := s.base + b*s.stride
		for i := range s.run {
			d := float64(float64(at(gamma, (group*g.share+i/g.inner)/g.repeat, 1)) * float64(dy[from+i]))
			if m1 != 0 || m2 != 0 {
				d = (d - m1) - float64(standard(x[from+i], g.mean[group], r)*m2)
			}
			dx[from+i] = float32(d * r)
		}
	}
}
