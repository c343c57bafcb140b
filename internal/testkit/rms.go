package testkit

import "math"

// RMSNorm normalizes each group by its root mean square, with exact sums. Mean is 0.
// A group of zeros with ε 0 comes out as zeros, one with NaN or Inf as IEEE 754 has it.
func (g Groups) RMSNorm(x, gamma []float32, epsilon float64) Normalized {
	out := Normalized{make([]float64, len(x)), make([]float64, len(x)), make([]float64, len(x)), make([]float64, g.Count), make([]float64, g.Count)}
	for k, elements := range g.members() {
		finite := true
		sum, v := exact(0), exact(0)
		for _, i := range elements {
			if math.IsNaN(float64(x[i])) || math.IsInf(float64(x[i]), 0) {
				finite = false
				continue
			}
			v.SetFloat64(float64(x[i]))
			sum.Add(sum, v.Mul(v, v))
		}
		if len(elements) == 0 {
			out.Rstd[k] = math.NaN()
			continue
		}
		sum.Quo(sum, exact(float64(len(elements))))
		sum.Add(sum, exact(epsilon))
		root := rounded(sum.Sqrt(sum))
		out.Rstd[k] = 1 / root
		for _, i := range elements {
			if root > 0 {
				out.XHat[i] = float64(x[i]) / root
			}
			if !finite {
				out.XHat[i] = math.NaN()
			}
			scale := 1.0
			if gamma != nil {
				scale = float64(gamma[g.Channel[i]])
			}
			out.Scaled[i] = scale * out.XHat[i]
			out.Y[i] = out.Scaled[i]
		}
	}
	return out
}

// ByAxes is LayerNorm's and RMSNorm's: elements whose indices agree outside axes (not
// negative) are a group, and the indices of axes in the order given are the channel.
func ByAxes(shape, axes []int) Groups {
	normalized := make([]bool, len(shape))
	for _, a := range axes {
		normalized[a] = true
	}
	groups := 1
	for a, d := range shape {
		if !normalized[a] {
			groups *= d
		}
	}
	return GroupsOf(shape, groups, func(index []int) (g int) {
		for a, d := range shape {
			if !normalized[a] {
				g = g*d + index[a]
			}
		}
		return g
	}, func(index []int) (c int) {
		for _, a := range axes {
			c = c*shape[a] + index[a]
		}
		return c
	})
}
