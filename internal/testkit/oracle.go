package testkit

import (
	"math"
	"math/big"
)

// precision holds any sum of float32 squares exactly: 2·277 bits between the
// largest and the smallest, and room for the count.
const precision = 640

func exact(v float64) *big.Float { return new(big.Float).SetPrec(precision).SetFloat64(v) }

func rounded(v *big.Float) float64 {
	f, _ := v.Float64()
	return f
}

// Moments returns mean and biased variance of x with all the digits that matter.
// x must be finite and not empty.
func Moments(x []float32) (mean, variance *big.Float) {
	n, d, square := exact(float64(len(x))), exact(0), exact(0)
	mean, variance = exact(0), exact(0)
	for _, e := range x {
		mean.Add(mean, d.SetFloat64(float64(e)))
	}
	mean.Quo(mean, n)
	for _, e := range x {
		d.SetFloat64(float64(e))
		d.Sub(d, mean)
		variance.Add(variance, square.Mul(d, d))
	}
	return mean, variance.Quo(variance, n)
}

// Normalized is what an oracle says about a layer normalization.
type Normalized struct {
	Y          []float64 // gamma·x̂ + beta
	XHat       []float64 // (x - mean)/√(variance + ε)
	Scaled     []float64 // gamma·x̂
	Mean, Rstd []float64 // one for each group
}

// LayerNormRow normalizes one group; gamma and beta may be nil. A group with NaN or
// Inf comes out as NaN, one of equal values as beta.
func LayerNormRow(x, gamma, beta []float32, epsilon float64) Normalized {
	n := len(x)
	r := Normalized{make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, 1), make([]float64, 1)}
	for _, e := range x {
		if math.IsNaN(float64(e)) || math.IsInf(float64(e), 0) {
			for i := range x {
				r.Y[i], r.XHat[i], r.Scaled[i] = math.NaN(), math.NaN(), math.NaN()
			}
			r.Mean[0] = plainMean(x)
			r.Rstd[0] = math.NaN()
			return r
		}
	}
	mean, variance := Moments(x)
	v := exact(epsilon)
	v.Add(v, variance)
	r.Mean[0] = rounded(mean)
	r.Rstd[0] = math.Inf(1)
	root := rounded(exact(0).Sqrt(v))
	if v.Sign() > 0 {
		r.Rstd[0] = 1 / root
	}
	d := exact(0)
	for i, e := range x {
		d.SetFloat64(float64(e))
		d.Sub(d, mean)
		if v.Sign() > 0 {
			r.XHat[i] = rounded(d) / root
		}
		g, b := 1.0, 0.0
		if gamma != nil {
			g = float64(gamma[i])
		}
		if beta != nil {
			b = float64(beta[i])
		}
		r.Scaled[i] = g * r.XHat[i]
		r.Y[i] = r.Scaled[i] + b
	}
	return r
}

func plainMean(x []float32) float64 {
	sum := 0.0
	for _, e := range x {
		sum += float64(e)
	}
	return sum / float64(len(x))
}

// LayerNorm normalizes a tensor over axes (not negative), element by element from
// the definition: elements whose indices agree outside axes are a group; gamma and
// beta are indexed by the indices of axes in the order given.
func LayerNorm(x []float32, shape, axes []int, gamma, beta []float32, epsilon float64) Normalized {
	normalized := make([]bool, len(shape))
	for _, a := range axes {
		normalized[a] = true
	}
	groups, cols := 1, 1
	for a, d := range shape {
		if normalized[a] {
			cols *= d
		} else {
			groups *= d
		}
	}
	members := make([][]int, groups)
	parameter := make([]int, len(x))
	for i := range x {
		index := Unravel(i, shape)
		g, p := 0, 0
		for a, d := range shape {
			if !normalized[a] {
				g = g*d + index[a]
			}
		}
		for _, a := range axes {
			p = p*shape[a] + index[a]
		}
		members[g] = append(members[g], i)
		parameter[i] = p
	}
	out := Normalized{make([]float64, len(x)), make([]float64, len(x)), make([]float64, len(x)), make([]float64, groups), make([]float64, groups)}
	for g, elements := range members {
		if len(elements) == 0 {
			out.Mean[g], out.Rstd[g] = math.NaN(), math.NaN()
			continue
		}
		row := make([]float32, len(elements))
		var rowGamma, rowBeta []float32
		for k, i := range elements {
			row[k] = x[i]
			if gamma != nil {
				rowGamma = append(rowGamma, gamma[parameter[i]])
			}
			if beta != nil {
				rowBeta = append(rowBeta, beta[parameter[i]])
			}
		}
		r := LayerNormRow(row, rowGamma, rowBeta, epsilon)
		out.Mean[g], out.Rstd[g] = r.Mean[0], r.Rstd[0]
		for k, i := range elements {
			out.Y[i], out.XHat[i], out.Scaled[i] = r.Y[k], r.XHat[k], r.Scaled[k]
		}
	}
	return out
}

// BatchNorm normalizes with given statistics in float64, channels along axis.
// scaled is gamma·x̂, before beta and the clamp to [low, high].
func BatchNorm(x []float32, shape []int, axis int, mean, variance, gamma, beta []float32, epsilon, low, high float64) (y, scaled []float64) {
	y, scaled = make([]float64, len(x)), make([]float64, len(x))
	for i, e := range x {
		c := Unravel(i, shape)[axis]
		g, b := 1.0, 0.0
		if gamma != nil {
			g = float64(gamma[c])
		}
		if beta != nil {
			b = float64(beta[c])
		}
		scaled[i] = (float64(e) - float64(mean[c])) / math.Sqrt(float64(variance[c])+epsilon) * g
		y[i] = math.Min(math.Max(scaled[i]+b, low), high)
	}
	return y, scaled
}

// Unravel returns the multi-index of the flat index i in a row-major shape.
func Unravel(i int, shape []int) []int {
	index := make([]int, len(shape))
	for a := len(shape) - 1; a >= 0; a-- {
		index[a] = i % shape[a]
		i /= shape[a]
	}
	return index
}
