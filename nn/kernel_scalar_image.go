package nn

func addPixelRowsScalar(y *float32, x *int32, ldx int, w *float32, n int) {
	if n <= 0 {
		return
	}
	weights := vec(w, 4)
	sums, rows := vec(y, 4*n), idx(x, span(4, ldx, n))
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

func mixPixelsScalar(y, x, w *float32, spans *int32, n int) {
	sums, ranges := vec(y, 4*n), idx(spans, 2*n)
	far, weights := 0, 0
	for i := range max(n, 0) {
		far, weights = max(far, int(ranges[2*i]+ranges[2*i+1])), weights+int(ranges[2*i+1])
	}
	pixels, ws := vec(x, 4*far), vec(w, weights)
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

func andPixelsScalar(x *int32, n int) int {
	all := int32(-1)
	for _, p := range idx(x, n) {
		all &= p
	}
	return int(all)
}
