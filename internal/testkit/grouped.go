package testkit

import (
	"math"
	"math/big"
)

// Groups assigns the elements of a tensor to the groups that share statistics and to
// the channels that share a scale and a shift.
type Groups struct {
	Group, Channel []int // of each element
	Count          int   // of groups
}

// GroupsOf builds Groups from what is said about an element's index.
func GroupsOf(shape []int, groups int, group, channel func(index []int) int) Groups {
	size := 1
	for _, d := range shape {
		size *= d
	}
	g := Groups{make([]int, size), make([]int, size), groups}
	for i := range size {
		index := Unravel(i, shape)
		g.Group[i], g.Channel[i] = group(index), channel(index)
	}
	return g
}

// ByChannel is BatchNorm's: axis counts channels and groups.
func ByChannel(shape []int, axis int) Groups {
	of := func(index []int) int { return index[axis] }
	return GroupsOf(shape, shape[axis], of, of)
}

// ByGroup is GroupNorm's: each of the first axis's examples has groups of its own.
// With as many groups as channels it is InstanceNorm's.
func ByGroup(shape []int, axis, groups int) Groups {
	c := shape[axis]
	return GroupsOf(shape, shape[0]*groups,
		func(index []int) int { return index[0]*groups + index[axis]*groups/c },
		func(index []int) int { return index[axis] })
}

// members lists the elements of each group.
func (g Groups) members() [][]int {
	m := make([][]int, g.Count)
	for i, k := range g.Group {
		m[k] = append(m[k], i)
	}
	return m
}

// Normalize normalizes each group as LayerNormRow does, with exact statistics.
func (g Groups) Normalize(x, gamma, beta []float32, epsilon float64) Normalized {
	out := Normalized{make([]float64, len(x)), make([]float64, len(x)), make([]float64, len(x)), make([]float64, g.Count), make([]float64, g.Count)}
	for k, elements := range g.members() {
		row := make([]float32, len(elements))
		var rowGamma, rowBeta []float32
		for j, i := range elements {
			row[j] = x[i]
			if gamma != nil {
				rowGamma = append(rowGamma, gamma[g.Channel[i]])
			}
			if beta != nil {
				rowBeta = append(rowBeta, beta[g.Channel[i]])
			}
		}
		if len(row) == 0 {
			out.Mean[k], out.Rstd[k] = math.NaN(), math.NaN()
			continue
		}
		r := LayerNormRow(row, rowGamma, rowBeta, epsilon)
		out.Mean[k], out.Rstd[k] = r.Mean[0], r.Rstd[0]
		for j, i := range elements {
			out.Y[i], out.XHat[i], out.Scaled[i] = r.Y[j], r.XHat[j], r.Scaled[j]
		}
	}
	return out
}

// Forward is the formula in float64, for central differences: γ·(x - μ)/√(σ² + ε) + β.
// With centered false, μ is 0: RMSNorm.
func (g Groups) Forward(x, gamma, beta []float64, epsilon float64, centered bool) []float64 {
	y := make([]float64, len(x))
	for _, elements := range g.members() {
		n := float64(len(elements))
		mean, variance := 0.0, 0.0
		if centered {
			for _, i := range elements {
				mean += x[i] / n
			}
		}
		for _, i := range elements {
			variance += (x[i] - mean) * (x[i] - mean) / n
		}
		root := math.Sqrt(variance + epsilon)
		for _, i := range elements {
			y[i] = (x[i]-mean)/root*gamma[g.Channel[i]] + beta[g.Channel[i]]
		}
	}
	return y
}

// Widen returns x in float64, and n times value for nil.
func Widen(x []float32, n int, value float64) []float64 {
	w := make([]float64, n)
	for i := range w {
		w[i] = value
		if x != nil {
			w[i] = float64(x[i])
		}
	}
	return w
}

// Dot is Σ a·b.
func Dot(a []float32, b []float64) (sum float64) {
	for i, v := range b {
		sum += float64(a[i]) * v
	}
	return sum
}

// Gradient returns the central differences of f at x, one for each element: f may
// read x anew at each call. The step is relative to deviation, the size that matters.
func Gradient(f func() float64, x []float64, deviation float64) []float64 {
	const step = 1e-4
	g := make([]float64, len(x))
	h := step * deviation
	for i, v := range x {
		// Five points, so that the error is of the fourth order.
		at := func(k float64) float64 { x[i] = v + k*h; return f() }
		g[i] = (8*(at(1)-at(-1)) - (at(2) - at(-2))) / (12 * h)
		x[i] = v
	}
	return g
}

// GradientError is the largest |got-want| over all elements, relative to the largest
// |want|.
func GradientError(got []float32, want []float64) float64 {
	var difference, size float64
	for i, w := range want {
		d := math.Abs(float64(got[i]) - w)
		if d != d {
			return d
		}
		difference, size = max(difference, d), max(size, math.Abs(w))
	}
	if difference == 0 {
		return 0
	}
	return difference / size
}

// Differentiate gives the gradients of Σ dy·y for y = γ·(x - μ)/√(σ² + ε) + β from the
// formula, with all the digits that are left where dy is nearly γ·x̂ or constant. With
// centered false, μ is 0: RMSNorm. terms is the size of what dx is a difference of. A
// group without variance and ε has no gradients, and NaN here.
func (g Groups) Differentiate(x, dy, gamma []float32, channels int, epsilon float64, centered bool) (dx, terms, dgamma, dbeta []float64) {
	dx, terms = make([]float64, len(x)), make([]float64, g.Count)
	dgamma, dbeta = make([]float64, channels), make([]float64, channels)
	for k, elements := range g.members() {
		n, mean, v := exact(float64(len(elements))), exact(0), exact(0)
		xhat, gs := make([]*big.Float, len(elements)), make([]*big.Float, len(elements))
		for j, i := range elements {
			xhat[j], gs[j] = exact(float64(x[i])), exact(float64(dy[i]))
			if gamma != nil {
				gs[j].Mul(gs[j], exact(float64(gamma[g.Channel[i]])))
			}
			mean.Add(mean, xhat[j])
		}
		if mean.Quo(mean, n); !centered {
			mean = exact(0)
		}
		t := exact(0)
		for _, h := range xhat {
			h.Sub(h, mean)
			v.Add(v, t.Mul(h, h))
		}
		v.Add(v.Quo(v, n), exact(epsilon))
		if v.Sign() == 0 {
			for _, i := range elements {
				dx[i] = math.NaN()
			}
			continue
		}
		rstd := exact(0).Quo(exact(1), exact(0).Sqrt(v))
		m1, m2 := exact(0), exact(0)
		for j, i := range elements {
			xhat[j].Mul(xhat[j], rstd)
			m2.Add(m2, t.Mul(gs[j], xhat[j]))
			if centered {
				m1.Add(m1, gs[j])
			}
			d := float64(dy[i])
			dbeta[g.Channel[i]] += d
			dgamma[g.Channel[i]] += d * rounded(xhat[j])
		}
		m1.Quo(m1, n)
		m2.Quo(m2, n)
		for j, i := range elements {
			terms[k] = max(terms[k], math.Abs(rounded(t.Mul(gs[j], rstd))))
			gs[j].Sub(gs[j].Sub(gs[j], m1), t.Mul(xhat[j], m2))
			dx[i] = rounded(gs[j].Mul(gs[j], rstd))
		}
	}
	return dx, terms, dgamma, dbeta
}
