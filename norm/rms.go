package norm

const rmsOp = "RMSNorm"

// RMSNorm is root mean square normalization over chosen axes of tensors of one shape:
//
//	y = x/√(Σx²/n + ε) · gamma
//
// over the n elements of each group. Unlike LayerNorm it does not take the mean away:
// half the statistics, and the direction of x stays. It owns the scratch memory, so
// that Forward and Backward allocate nothing once they have run. One RMSNorm serves
// one goroutine at a time.
//
// Source: Zhang, Sennrich, "Root Mean Square Layer Normalization", arXiv:1910.07467, eq. 4.
type RMSNorm struct{ l LayerNorm }

// NewRMSNorm prepares normalization of tensors of this shape over axes, with the rules
// and errors of NewLayerNorm.
func NewRMSNorm(shape, axes []int, epsilon float64) (*RMSNorm, error) {
	l, err := newRows(rmsOp, shape, axes, epsilon, true)
	if err != nil {
		return nil, err
	}
	return &RMSNorm{*l}, nil
}

// Fuse makes Forward apply an activation to its result. Backward takes the gradient
// before it.
func (r *RMSNorm) Fuse(a Activation) error {
	if err := checkActivation(rmsOp, a); err != nil {
		return err
	}
	r.l.Activation = a
	return nil
}

// Rows is the number of groups, Cols that of a group's elements and of gamma's.
func (r *RMSNorm) Rows() int { return r.l.rows }

// Cols is the number of elements in a group, and of gamma.
func (r *RMSNorm) Cols() int { return r.l.cols }

// StatShape is the shape of rstd: x's with 1 at each normalized axis.
func (r *RMSNorm) StatShape() []int { return r.l.StatShape() }

// Forward normalizes each group of x into y. rstd receives each group's 1/√(Σx²/n + ε),
// which Backward needs. With a residual, x + residual takes the place of x, and goes
// to sum. gamma has the dimensions of the axes in the order given. rstd, sum, residual
// and gamma may be nil. y may be the same slice as x or residual, sum too; y must not
// be sum.
//
// A group of zeros gives zeros, for ε = 0 too. NaN and ±Inf make their own group NaN
// (±Inf: NaN where they are, 0 elsewhere). A wrong length is a *ShapeError, and
// nothing has been written then.
func (r *RMSNorm) Forward(y, sum, rstd, x, residual, gamma []float32) error {
	return r.l.ForwardSum(y, sum, nil, rstd, x, residual, gamma, nil)
}

// Backward computes the gradients of Forward from dy, the x that was normalized (the
// sum, with a residual), Forward's rstd, and gamma. With n elements in a group:
//
//	g = dy·γ,  m = Σ g·x̂/n                    over the group
//	dx = (g - x̂·m)/√(Σx²/n + ε)
//	dgamma = Σ dy·x̂                           over the groups
//
// dgamma and gamma may be nil; dx may be dy or x. A wrong length is a *ShapeError, and
// nothing has been written then.
func (r *RMSNorm) Backward(dx, dgamma, dy, x, rstd, gamma []float32) error {
	return r.l.Backward(dx, dgamma, nil, dy, x, nil, rstd, gamma)
}

// RMSNormRows normalizes each row of x, the bare call for contiguous rows:
//
//	y[r,i] = x[r,i]/√(Σ_i x[r,i]²/cols + epsilon) · gamma[i]
//
// y and x are [rows cols], gamma [cols], rstd [rows]; gamma and rstd may be nil. y may
// be x. Nothing is allocated. Errors as for LayerNormRows.
func RMSNormRows(y, rstd, x, gamma []float32, rows, cols int, epsilon float64) error {
	if err := checkMatrix(rmsOp, rows, cols); err != nil {
		return err
	}
	if err := checkEpsilon(rmsOp, epsilon); err != nil {
		return err
	}
	size := rows * cols
	w := about{op: rmsOp, a: rows, b: cols}
	if len(x) != size || len(y) != size || !fits(gamma, cols) || !fits(rstd, rows) {
		return w.check(arg{"x", x, size, ofMatrix}, arg{"y", y, size, ofMatrix}, arg{"gamma", gamma, cols, eachColumn | optional}, arg{"rstd", rstd, rows, eachRow | optional})
	}
	c := rowCall{y: y, rstd: rstd, x: x, gamma: gamma, rows: rows, cols: cols, epsilon: epsilon, rms: true}
	c.run()
	return nil
}
