package norm

// The plain names of kernels that have no assembly twin yet, on every target. A
// kernel that gets one moves to kernel_other.go.

// responseBlock forwards to responseBlockScalar; kernel.go has the loop.
func responseBlock(dst, src *float32, squares *float64, channels, inner, positions, size int, alpha, beta, bias float64) {
	responseBlockScalar(dst, src, squares, channels, inner, positions, size, alpha, beta, bias)
}

// responseGradBlock forwards to responseGradBlockScalar; kernel.go has the loop.
func responseGradBlock(dst, dy, src *float32, scratch *float64, channels, inner, positions, size int, alpha, beta, bias float64) {
	responseGradBlockScalar(dst, dy, src, scratch, channels, inner, positions, size, alpha, beta, bias)
}
