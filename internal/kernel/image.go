package kernel

// AddPixelRows adds four weighted rows of n pixels of four bytes each, the
// first byte in the low bits, to a row of four float32 a pixel. ldx counts
// pixels and may be 0. The relaxed build does not contract it.
//
//	for i := 0; i < n; i++ {
//		for c := 0; c < 4; c++ {
//			for r := 0; r < 4; r++ {
//				y[4*i+c] += float32(w[r] * float32(byte c of x[r*ldx + i]))
//			}
//		}
//	}
func addPixelRowsScalar(y *float32, x *int32, ldx int, w *float32, n int) {
	if n <= 0 {
		return
	}
	weights := slice(w, 4)
	sums, rows := slice(y, 4*n), slice(x, Span(4, ldx, n))
	for i := range n {
		s := sums[4*i : 4*i+4]
		for r, w := range weights {
			p := uint32(rows[r*ldx+i])
			s[0] += float32(w * float32(p&0xff))
			s[1] += float32(w * float32(p>>8&0xff))
			s[2] += float32(w * float32(p>>16&0xff))
			s[3] += float32(w * float32(p>>24))
		}
	}
}

// MixPixels writes n pixels of four float32, each the weighted sum of
// neighbouring ones. The relaxed build does not contract it.
//
//	for i := 0; i < n; i++ {
//		for c := 0; c < 4; c++ {
//			acc := 0
//			for k := 0; k < spans[2*i+1]; k++ {
//				acc += float32(w[k] * x[4*(spans[2*i]+k) + c])
//			}
//			y[4*i+c] = acc
//		}
//		w = w[spans[2*i+1]:]
//	}
func mixPixelsScalar(y, x, w *float32, spans *int32, n int) {
	sums, ranges := slice(y, 4*n), slice(spans, 2*n)
	far, weights := 0, 0
	for i := range max(n, 0) {
		far, weights = max(far, int(ranges[2*i]+ranges[2*i+1])), weights+int(ranges[2*i+1])
	}
	pixels, ws := slice(x, 4*far), slice(w, weights)
	for i := range max(n, 0) {
		var r, g, b, a float32
		at := 4 * int(ranges[2*i])
		for k := range int(ranges[2*i+1]) {
			p := pixels[at+4*k : at+4*k+4]
			r += float32(ws[k] * p[0])
			g += float32(ws[k] * p[1])
			b += float32(ws[k] * p[2])
			a += float32(ws[k] * p[3])
		}
		ws = ws[ranges[2*i+1]:]
		s := sums[4*i : 4*i+4]
		s[0], s[1], s[2], s[3] = r, g, b, a
	}
}

// AndPixels returns the bits that all of x has, -1 when n is 0.
func andPixelsScalar(x *int32, n int) int {
	all := int32(-1)
	for _, p := range slice(x, n) {
		all &= p
	}
	return int(all)
}
