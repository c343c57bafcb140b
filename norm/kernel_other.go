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

// batchNormPlanes forwards to batchNormPlanesScalar; kernel.go has the loop.
func batchNormPlanes(dst, src, mean, scale, beta *float32, planes, channels, inner, clamp int) {
	batchNormPlanesScalar(dst, src, mean, scale, beta, planes, channels, inner, clamp)
}

// batchNormRows forwards to batchNormRowsScalar; kernel.go has the loop.
func batchNormRows(dst, src, mean, scale, beta *float32, count, period, clamp int) {
	batchNormRowsScalar(dst, src, mean, scale, beta, count, period, clamp)
}
