package norm

import "math"

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
	if rows < 0 || cols < 0 || (cols > 0 && rows > math.MaxInt/8/cols) {
		return shapeError(layerOp, rows, " rows of ", cols, " columns are not a matrix that memory can hold")
	}
	size := rows * cols
	if err := checkEpsilon(layerOp, epsilon); err != nil {
		return err
	}
	// The comparisons are made before the calls so that the error's parts are
	// not boxed on the way of a call that is right.
	if len(x) != size {
		return checkLength(layerOp, "x", x, size, rows, " rows of ", cols)
	}
	if len(y) != size {
		return checkLength(layerOp, "y", y, size, rows, " rows of ", cols)
	}
	if residual != nil && len(residual) != size {
		return checkLength(layerOp, "residual", residual, size, rows, " rows of ", cols)
	}
	if gamma != nil && len(gamma) != cols {
		return checkLength(layerOp, "gamma", gamma, cols, "one for each column")
	}
	if beta != nil && len(beta) != cols {
		return checkLength(layerOp, "beta", beta, cols, "one for each column")
	}
	if mean != nil && len(mean) != rows {
		return checkLength(layerOp, "mean", mean, rows, "one for each row")
	}
	if rstd != nil && len(rstd) != rows {
		return checkLength(layerOp, "rstd", rstd, rows, "one for each row")
	}
	layerNormChecked(y, mean, rstd, x, residual, gamma, beta, rows, cols, epsilon)
	return nil
}

// layerNormChecked is LayerNormRows once its arguments are known to fit.
func layerNormChecked(y, mean, rstd, x, residual, gamma, beta []float32, rows, cols int, epsilon float64) {
	if rows == 0 {
		return
	}
	if cols == 0 {
		fillNaN(mean) // the mean of nothing
		fillNaN(rstd)
		return
	}
	if residual == nil {
		normalizeRows(y, mean, rstd, x, gamma, beta, rows, cols, epsilon)
		return
	}
	step := max(1, residualBlock/cols)
	for row := 0; row < rows; row += step {
		n := min(step, rows-row)
		from, to := row*cols, (row+n)*cols
		addRows(&y[from], &x[from], &residual[from], n*cols)
		normalizeRows(y[from:to], section(mean, row, n), section(rstd, row, n), y[from:to], gamma, beta, n, cols, epsilon)
	}
}

// normalizeRows runs the kernel, and takes the rows that it stops at in float64.
func normalizeRows(y, mean, rstd, x, gamma, beta []float32, rows, cols int, epsilon float64) {
	for row := 0; row < rows; row++ {
		rest := rows - row
		row += layerNormRows(&y[row*cols], &x[row*cols], pointer(gamma), pointer(beta),
			pointer(section(mean, row, rest)), pointer(section(rstd, row, rest)), rest, cols, epsilon)
		if row == rows {
			return
		}
		mu, r := exactLayerNormRow(y[row*cols:(row+1)*cols], x[row*cols:(row+1)*cols], gamma, beta, epsilon)
		if mean != nil {
			mean[row] = float32(mu)
		}
		if rstd != nil {
			rstd[row] = float32(r)
		}
	}
}

// exactLayerNormRow normalizes one HARD row (kernel.go) in float64: squares that
// overflow or underflow float32, NaN and ±Inf as IEEE 754 has them.
func exactLayerNormRow(y, x, gamma, beta []float32, epsilon float64) (mu, rstd float64) {
	n := float64(len(x))
	var sum float64
	for _, e := range x {
		sum += float64(e)
	}
	mu = sum / n
	var squares float64
	for _, e := range x {
		d := float64(e) - mu
		squares += float64(d * d)
	}
	v := squares/n + epsilon
	rstd = 1 / math.Sqrt(v)
	for i, e := range x {
		t := float64(e) - mu
		if v != 0 { // else equal values: t is 0 and stays so, the limit ε → 0 and not 0·∞
			t *= rstd
		}
		if gamma != nil {
			t *= float64(gamma[i])
		}
		if beta != nil {
			t = float64(t) + float64(beta[i])
		}
		y[i] = float32(t)
	}
	return mu, rstd
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
