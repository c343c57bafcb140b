package norm

import (
	"math"

	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/threads"
)

const layerOp = "LayerNorm"

// residualBlock is how many elements of x + residual are written before they are
// normalized: 16 KB, which the first-level cache still holds.
const residualBlock = 4096

// LayerNormRows normalizes each row of x with the row's own mean and variance:
//
//	y[r,i] = (x[r,i] - μ_r)/√(σ²_r + epsilon) · gamma[i] + beta[i]
//	μ_r = Σ_i x[r,i]/cols,  σ²_r = Σ_i (x[r,i] - μ_r)²/cols
//
// Shapes: y, x and residual are [rows cols], gamma and beta [cols], mean and
// rstd [rows]. mean and rstd receive μ and 1/√(σ² + epsilon), which a backward
// pass needs. Of these mean, rstd, residual, gamma and beta may be nil. With a
// residual, x + residual (rounded to float32) takes the place of x.
//
// y may be the same slice as x or as residual; it must not overlap them
// otherwise. Nothing is allocated.
//
// A row of equal values gives beta, for epsilon 0 too (the limit ε → 0; rstd is
// then +Inf). NaN and ±Inf make their own row NaN and no other. An epsilon that
// is NaN, infinite or negative is a *ValueError, a wrong length a *ShapeError;
// nothing has been written then.
//
// Source: Ba, Kiros, Hinton, "Layer Normalization", arXiv:1607.06450, eq. 4.
func LayerNormRows(y, mean, rstd, x, residual, gamma, beta []float32, rows, cols int, epsilon float64) error {
	if err := checkMatrix(layerOp, rows, cols); err != nil {
		return err
	}
	if err := checkEpsilon(layerOp, epsilon); err != nil {
		return err
	}
	size := rows * cols
	w := about{op: layerOp, a: rows, b: cols}
	// A list of what each must be takes longer to write than a small row to normalize.
	if len(x) != size || len(y) != size || !fits(residual, size) || !fits(gamma, cols) || !fits(beta, cols) || !fits(mean, rows) || !fits(rstd, rows) {
		return w.check(arg{"x", x, size, ofMatrix}, arg{"y", y, size, ofMatrix}, arg{"residual", residual, size, ofMatrix | optional},
			arg{"gamma", gamma, cols, eachColumn | optional}, arg{"beta", beta, cols, eachColumn | optional},
			arg{"mean", mean, rows, eachRow | optional}, arg{"rstd", rstd, rows, eachRow | optional})
	}
	c := rowCall{y: y, mean: mean, rstd: rstd, x: x, residual: residual, gamma: gamma, beta: beta, rows: rows, cols: cols, epsilon: epsilon}
	c.run()
	return nil
}

// rowCall is a normalization of rows whose arguments are known to fit: LayerNorm, or
// RMSNorm with rms (then mean and beta are nil).
type rowCall struct {
	y, sum, mean, rstd, x, residual, gamma, beta []float32

	rows, cols int
	epsilon    float64
	rms        bool
	standard   bool    // MeanVarianceNorm,
	deviation  float64 // with what it adds to the standard deviation
	activation Activation
	hard       bool // all rows, by their beta
}

func (c *rowCall) run() {
	if c.rows == 0 {
		return
	}
	if c.cols == 0 {
		fillNaN(c.mean) // the mean of nothing
		fillNaN(c.rstd)
		return
	}
	c.hard = c.beta != nil && kernel.IsLarge(math.Float32frombits(uint32(kernel.Peak(&c.beta[0], c.cols))))
	if c.divided() {
		return
	}
	if c.residual == nil && c.activation == Linear {
		c.normalize(c.y, c.x, 0, c.rows)
		return
	}
	step := max(1, residualBlock/c.cols)
	for row := 0; row < c.rows; row += step {
		n := min(step, c.rows-row)
		from, to := row*c.cols, (row+n)*c.cols
		y, x := c.y[from:to], c.x[from:to]
		if c.residual != nil {
			sum := y
			if c.sum != nil {
				sum = c.sum[from:to]
			}
			kernel.AddRows(&sum[0], &x[0], 0, 1, &c.residual[from], 0, 1, 1, n*c.cols)
			x = sum
		}
		c.normalize(y, x, row, n)
		activate(y, c.activation)
	}
}

// divided normalizes the rows on several threads, if there are some and it pays. Of each
// part's rows the first hard one and those behind it are left for this thread.
func (c *rowCall) divided() bool {
	size := c.rows * c.cols
	parts := threads.Parts(c.rows, size/2)
	if parts == 1 || c.hard || c.standard {
		return false
	}
	x := c.x
	if c.residual != nil {
		if x = c.y; c.sum != nil {
			x = c.sum
		}
	}
	threads.For(parts, func(part int) {
		from, to := threads.Range(c.rows, parts, part)
		if at, n := from*c.cols, (to-from)*c.cols; c.residual != nil && n > 0 {
			kernel.AddRows(&x[at], &c.x[at], 0, 1, &c.residual[at], 0, 1, 1, n)
		}
		c.rowsOf(c.y[from*c.cols:], x[from*c.cols:], from, to-from, threads.Result(part))
	})
	for part := range parts {
		from, to := threads.Range(c.rows, parts, part)
		if from += *threads.Result(part); from < to {
			c.normalize(c.y[from*c.cols:to*c.cols], x[from*c.cols:to*c.cols], from, to-from)
		}
	}
	if c.activation != Linear {
		threads.For(parts, func(part int) {
			from, to := threads.Range(size, parts, part)
			activate(c.y[from:to], c.activation)
		})
	}
	return true
}

// rowsOf runs the kernel on n rows, whose statistics go to first and the following ones, and
// has it say how many came before the first hard one.
func (c *rowCall) rowsOf(y, x []float32, first, n int, done *int) {
	mean, rstd := pointer(section(c.mean, first, n)), pointer(section(c.rstd, first, n))
	if c.rms {
		kernel.RmsNormRows(&y[0], &x[0], pointer(c.gamma), rstd, n, c.cols, c.epsilon, done)
	} else {
		kernel.LayerNormRows(&y[0], &x[0], pointer(c.gamma), pointer(c.beta), mean, rstd, n, c.cols, c.epsilon, done)
	}
}

// normalize runs the kernel on n rows, whose statistics go to first and the following
// ones, and takes the rows that it stops at in float64.
func (c *rowCall) normalize(y, x []float32, first, n int) {
	cols := c.cols
	if c.standard {
		c.standardize(y, x, n)
		return
	}
	for row := 0; row < n; row++ {
		if !c.hard {
			done := 0
			c.rowsOf(y[row*cols:], x[row*cols:], first+row, n-row, &done)
			row += done
		}
		if row == n {
			return
		}
		mu, r := c.exact(y[row*cols:(row+1)*cols], x[row*cols:(row+1)*cols])
		if c.mean != nil {
			c.mean[first+row] = float32(mu)
		}
		if c.rstd != nil {
			c.rstd[first+row] = float32(r)
		}
	}
}

// exact normalizes one HARD row (internal/kernel) in float64: squares that overflow or
// underflow float32, NaN and ±Inf as IEEE 754 has them.
func (c *rowCall) exact(y, x []float32) (mu, rstd float64) {
	mu, v := exactRow(x, c.rms)
	v += c.epsilon
	rstd = 1 / math.Sqrt(v)
	for i, e := range x {
		t := float64(e) - mu
		if v != 0 { // else equal values: t is 0 and stays so, the limit ε → 0 and not 0·∞
			t *= rstd
		}
		if c.gamma != nil {
			t *= float64(c.gamma[i])
		}
		if c.beta != nil {
			t = float64(t) + float64(c.beta[i])
		}
		y[i] = float32(t)
	}
	return mu, rstd
}

// exactRow returns mean and variance of a row in float64; with rms 0 and the mean of
// the squares.
func exactRow(x []float32, rms bool) (mean, variance float64) {
	if !rms {
		return exactMoments(x, span{0, 1, len(x), 0})
	}
	for _, e := range x {
		variance += float64(float64(e) * float64(e))
	}
	return 0, variance / float64(len(x))
}

// section is s[from:from+n], and nil for nil.
func section(s []float32, from, n int) []float32 {
	if s == nil {
		return nil
	}
	return s[from : from+n]
}

func fillNaN(s []float32) {
	for i := range s {
		s[i] = float32(math.NaN())
	}
}
