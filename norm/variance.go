package norm

import (
	"math"

	"github.com/normwasm/normwasm/internal/kernel"
)

const varianceOp = "MeanVarianceNorm"

// MeanVarianceNorm normalizes chosen axes of tensors of one shape without parameters,
//
//	y = (x - μ)/(√(σ² + epsilon) + deviation)
//
// with two ways to keep from dividing by zero: LayerNorm's epsilon inside of the root,
// and what ONNX's MeanVarianceNormalization adds to the standard deviation. Equal
// values give 0. It owns the scratch memory, so that Forward allocates nothing once it
// has run. One MeanVarianceNorm serves one goroutine at a time.
//
// Source: ONNX operators, MeanVarianceNormalization, opset 13.
type MeanVarianceNorm struct{ l LayerNorm }

// NewMeanVarianceNorm prepares normalization of tensors of this shape over axes, with
// the rules and errors of NewLayerNorm. ONNX has the axes 0, 2 and 3 of [N C H W] by
// default, an epsilon of 0 and a deviation of 1e-9.
func NewMeanVarianceNorm(shape, axes []int, epsilon, deviation float64) (*MeanVarianceNorm, error) {
	if err := checkAdded(varianceOp, "deviation", deviation); err != nil {
		return nil, err
	}
	l, err := newRows(varianceOp, shape, axes, epsilon, false)
	if err != nil {
		return nil, err
	}
	l.standard, l.deviation = true, deviation
	return &MeanVarianceNorm{*l}, nil
}

// Forward normalizes x into y; y may be x. NaN and ±Inf make their own group NaN. A
// wrong length is a *ShapeError, and nothing has been written then.
func (m *MeanVarianceNorm) Forward(y, x []float32) error {
	return m.l.Forward(y, nil, nil, x, nil, nil, nil)
}

// standardize is MeanVarianceNorm of n rows: affinePlanes with what the mean lacks in
// float32 in the shift, some rows at a time while the caches hold them.
func (c *rowCall) standardize(y, x []float32, n int) {
	const step = 8
	var moments [2 * step]float64
	var params [3 * step]float32
	for row := 0; row < n; row += step {
		k := min(step, n-row)
		xs, ys := x[row*c.cols:(row+k)*c.cols], y[row*c.cols:(row+k)*c.cols]
		kernel.RowMoments(&moments[0], &xs[0], k, c.cols)
		hard := false
		for i := range k {
			mu := moments[2*i]
			r := c.factor(moments[2*i+1])
			high := float32(mu)
			params[i], params[k+i], params[2*k+i] = high, float32(r), float32(-((mu - float64(high)) * r))
			hard = hard || isHard(high, r)
		}
		if !hard {
			kernel.AffinePlanes(&ys[0], &xs[0], &params[0], k, c.cols, kernel.ClampNone)
			continue
		}
		for i := range k {
			from, to := i*c.cols, (i+1)*c.cols
			if one := [3]float32{params[i], params[k+i], params[2*k+i]}; !isHard(one[0], float64(one[1])) {
				kernel.AffinePlanes(&ys[from], &xs[from], &one[0], 1, c.cols, kernel.ClampNone)
				continue
			}
			mu, v := exactRow(xs[from:to], false)
			r := c.factor(v)
			for j, e := range xs[from:to] {
				d := float64(e) - mu
				if d != 0 || r-r == 0 { // else equal values, and 0·∞
					d *= r
				}
				ys[from+j] = float32(d)
			}
		}
	}
}

// factor is 1/(√(σ² + epsilon) + deviation).
func (c *rowCall) factor(variance float64) float64 {
	return 1 / (math.Sqrt(variance+c.epsilon) + c.deviation)
}
