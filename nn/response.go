package nn

import "math"

// LocalResponse computes ONNX's LRN across channels of x [n, c, inner]:
//
//	y = x / (bias + alpha/size · Σ x²)^beta
//
// the sum going over the size channels around each, from ⌊(size−1)/2⌋ before to
// ⌈(size−1)/2⌉ after, where they exist. y may not overlap x.
func LocalResponse(y, x []float32, n, c, inner, size int, alpha, beta, bias float32) {
	before, after := (size-1)/2, size/2
	for i := range n {
		for ch := range c {
			out := y[(i*c+ch)*inner:][:inner]
			clear(out)
			for k := max(ch-before, 0); k <= min(ch+after, c-1); k++ {
				for j, v := range x[(i*c+k)*inner:][:inner] {
					out[j] += float32(v * v)
				}
			}
			for j, v := range x[(i*c+ch)*inner:][:inner] {
				out[j] = v / powerOf(float32(alpha/float32(size)*out[j])+bias, beta)
			}
		}
	}
}

// powerOf is v^beta with the exponent that everybody uses taken by square roots.
func powerOf(v, beta float32) float32 {
	if beta == 0.75 {
		r := math.Sqrt(float64(v))
		return float32(r * math.Sqrt(r))
	}
	return PowOf(v, beta)
}
