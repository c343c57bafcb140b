//go:build !wasm || purego

package norm

// The plain names on targets without an assembly twin.

// layerNormRows forwards to layerNormRowsScalar; kernel.go has the loop.
func layerNormRows(dst, src, gamma, beta, mean, rstd *float32, rows, cols int, epsilon float64) (done int) {
	return layerNormRowsScalar(dst, src, gamma, beta, mean, rstd, rows, cols, epsilon)
}

// addRows forwards to addRowsScalar; kernel.go has the loop.
func addRows(dst, src, residual *float32, count int) {
	addRowsScalar(dst, src, residual, count)
}

// peak forwards to peakScalar; kernel.go has the loop.
func peak(src *float32, count int) (bits int) {
	return peakScalar(src, count)
}

// batchNormPlanes forwards to batchNormPlanesScalar; kernel.go has the loop.
func batchNormPlanes(dst, src, mean, scale, beta *float32, planes, channels, inner, clamp int) {
	batchNormPlanesScalar(dst, src, mean, scale, beta, planes, channels, inner, clamp)
}

// batchNormRows forwards to batchNormRowsScalar; kernel.go has the loop.
func batchNormRows(dst, src, mean, scale, beta *float32, count, period, clamp int) {
	batchNormRowsScalar(dst, src, mean, scale, beta, count, period, clamp)
}

// rowMoments forwards to rowMomentsScalar; kernel.go has the loop.
func rowMoments(moments *float64, src *float32, rows, cols int) {
	rowMomentsScalar(moments, src, rows, cols)
}

// normPlanes forwards to normPlanesScalar; kernel.go has the loop.
func normPlanes(dst, src, gamma, beta *float32, moments *float64, groups, share, inner, clamp int, epsilon float64) (done int) {
	return normPlanesScalar(dst, src, gamma, beta, moments, groups, share, inner, clamp, epsilon)
}

// columnSums forwards to columnSumsScalar; kernel.go has the loop.
func columnSums(sums *float64, src, shift *float32, count, period int) {
	columnSumsScalar(sums, src, shift, count, period)
}

// rowPowers forwards to rowPowersScalar; kernel.go has the loop.
func rowPowers(sums *float64, src *float32, rows, cols, p int) {
	rowPowersScalar(sums, src, rows, cols, p)
}

// rmsNormRows forwards to rmsNormRowsScalar; kernel.go has the loop.
func rmsNormRows(dst, src, gamma, rstd *float32, rows, cols int, epsilon float64) (done int) {
	return rmsNormRowsScalar(dst, src, gamma, rstd, rows, cols, epsilon)
}

// siluRows forwards to siluRowsScalar; kernel.go has the loop.
func siluRows(dst, src *float32, count int) {
	siluRowsScalar(dst, src, count)
}

// rowProducts forwards to rowProductsScalar; kernel.go has the loop.
func rowProducts(sums *float64, dy, src, gamma, mean, rstd *float32, rows, cols int) {
	rowProductsScalar(sums, dy, src, gamma, mean, rstd, rows, cols)
}

// gradPlanes forwards to gradPlanesScalar; kernel.go has the loop.
func gradPlanes(dst, dy, src, gamma, params *float32, planes, inner int) {
	gradPlanesScalar(dst, dy, src, gamma, params, planes, inner)
}

// gradRows forwards to gradRowsScalar; kernel.go has the loop.
func gradRows(dst, dy, src, params *float32, count, period int) {
	gradRowsScalar(dst, dy, src, params, count, period)
}

// columnProducts forwards to columnProductsScalar; kernel.go has the loop.
func columnProducts(sums *float64, dy, src, params *float32, count, period int) {
	columnProductsScalar(sums, dy, src, params, count, period)
}

// rowGradients forwards to rowGradientsScalar; kernel.go has the loop.
func rowGradients(sums *float64, dy, src, params *float32, rows, cols int) (lost int) {
	return rowGradientsScalar(sums, dy, src, params, rows, cols)
}

// rowProductsExact forwards to rowProductsExactScalar; kernel.go has the loop.
func rowProductsExact(sums *slotSums, dy, src, gamma *float32, params *slotParams, rows, cols int) {
	rowProductsExactScalar(sums, dy, src, gamma, params, rows, cols)
}

// gradPlanesExact forwards to gradPlanesExactScalar; kernel.go has the loop.
func gradPlanesExact(dst, dy, src, gamma *float32, params *slotParams, planes, inner int) {
	gradPlanesExactScalar(dst, dy, src, gamma, params, planes, inner)
}

// columnProductsExact forwards to columnProductsExactScalar; kernel.go has the loop.
func columnProductsExact(sums *slotSums, dy, src *float32, params *slotParams, rows, cols, stride int) {
	columnProductsExactScalar(sums, dy, src, params, rows, cols, stride)
}

// gradRowsExact forwards to gradRowsExactScalar; kernel.go has the loop.
func gradRowsExact(dst, dy, src *float32, params *slotParams, rows, cols, stride int) {
	gradRowsExactScalar(dst, dy, src, params, rows, cols, stride)
}

// responseBlock forwards to responseBlockScalar; kernel.go has the loop.
func responseBlock(dst, src *float32, squares *float64, channels, inner, positions, size int, alpha, beta, bias float64) {
	responseBlockScalar(dst, src, squares, channels, inner, positions, size, alpha, beta, bias)
}

// responseGradBlock forwards to responseGradBlockScalar; kernel.go has the loop.
func responseGradBlock(dst, dy, src *float32, scratch *float64, channels, inner, positions, size int, alpha, beta, bias float64) {
	responseGradBlockScalar(dst, dy, src, scratch, channels, inner, positions, size, alpha, beta, bias)
}
