package nn

import (
	"math"
	"unsafe"
)

// The scalar twins of the kernels: same operations, same order, in plain Go.
// They see exactly the elements that the contract names, so that an index out
// of range panics here instead of reading a neighbour.

func vec(p *float32, n int) []float32 { return unsafe.Slice(p, max(n, 0)) }
func idx(p *int32, n int) []int32     { return unsafe.Slice(p, max(n, 0)) }

// span is the number of elements that rows of n elements touch, ld apart.
func span(rows, ld, n int) int {
	if rows <= 0 || n <= 0 {
		return 0
	}
	return (rows-1)*ld + n
}

// ptr is the address that a kernel takes for s; nil for an empty slice.
func ptr(s []float32) *float32 { return unsafe.SliceData(s) }
func ptr32(s []int32) *int32   { return unsafe.SliceData(s) }

func gemmTilesScalar(c *float32, ldc int, a *float32, as int, b *float32, bs int, k, mp, np int,
	start int, bias *float32, lo, hi float32) {
	cs := vec(c, span(mp*gemmMR, ldc, np*gemmNR))
	av := vec(a, span(mp, as, k*gemmMR))
	bv := vec(b, span(np, bs, k*gemmNR))
	var rowBias, colBias []float32
	switch start {
	case startRow:
		rowBias = vec(bias, mp*gemmMR)
	case startCol:
		colBias = vec(bias, np*gemmNR)
	}
	for j := range np {
		bp := bv[min(j*bs, len(bv)):]
		bp = bp[:k*gemmNR]
		for i := range mp * gemmMR {
			ap := av[min(i/gemmMR*as+i%gemmMR, len(av)):]
			ct := (*[gemmNR]float32)(cs[i*ldc+j*gemmNR:])
			var s [gemmNR]float32
			switch start {
			case startRow:
				for l := range s {
					s[l] = rowBias[i]
				}
			case startCol:
				s = [gemmNR]float32(colBias[j*gemmNR:])
			case startC:
				s = *ct
			}
			dot8(ct, &s, ap, gemmMR, bp, lo, hi)
		}
	}
}

// dot8 runs the accumulators of one row of a tile: c = clamp(s + a·b), with a's
// elements astep apart and b a panel of eight columns.
func dot8(c, s *[8]float32, a []float32, astep int, b []float32, lo, hi float32) {
	c0, c1, c2, c3, c4, c5, c6, c7 := s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]
	for t := 0; len(b) >= 8; t += astep {
		w := (*[8]float32)(b)
		x := a[t]
		c0 += float32(x * w[0])
		c1 += float32(x * w[1])
		c2 += float32(x * w[2])
		c3 += float32(x * w[3])
		c4 += float32(x * w[4])
		c5 += float32(x * w[5])
		c6 += float32(x * w[6])
		c7 += float32(x * w[7])
		b = b[8:]
	}
	c[0] = clampOf(c0, lo, hi)
	c[1] = clampOf(c1, lo, hi)
	c[2] = clampOf(c2, lo, hi)
	c[3] = clampOf(c3, lo, hi)
	c[4] = clampOf(c4, lo, hi)
	c[5] = clampOf(c5, lo, hi)
	c[6] = clampOf(c6, lo, hi)
	c[7] = clampOf(c7, lo, hi)
}

func gemmRowScalar(c, a *float32, astep int, b *float32, bs int, k, np int,
	start int, bias *float32, lo, hi float32) {
	cv := vec(c, np*gemmNR)
	av := vec(a, span(k, astep, 1))
	bv := vec(b, span(np, bs, k*gemmNR))
	for j := range np {
		bp := bv[min(j*bs, len(bv)):]
		ct := (*[gemmNR]float32)(cv[j*gemmNR:])
		var s [gemmNR]float32
		switch start {
		case startRow:
			for l := range s {
				s[l] = *bias
			}
		case startCol:
			s = [gemmNR]float32(vec(bias, np*gemmNR)[j*gemmNR:])
		case startC:
			s = *ct
		}
		dot8(ct, &s, av, astep, bp[:k*gemmNR], lo, hi)
	}
}

func gemmColScalar(c, a *float32, as int, b *float32, bstep int, k, mp int,
	start int, bias *float32, lo, hi float32) {
	cv := vec(c, mp*gemmMR)
	av := vec(a, span(mp, as, k*gemmMR))
	bv := vec(b, span(k, bstep, 1))
	for i := range mp {
		ct := (*[gemmMR]float32)(cv[i*gemmMR:])
		var s [gemmMR]float32
		switch start {
		case startRow:
			s = [gemmMR]float32(vec(bias, mp*gemmMR)[i*gemmMR:])
		case startCol:
			for r := range s {
				s[r] = *bias
			}
		case startC:
			s = *ct
		}
		ap := av[min(i*as, len(av)):]
		for t := range k {
			x := bv[t*bstep]
			w := (*[gemmMR]float32)(ap[t*gemmMR:])
			s[0] += float32(w[0] * x)
			s[1] += float32(w[1] * x)
			s[2] += float32(w[2] * x)
			s[3] += float32(w[3] * x)
		}
		for r := range s {
			ct[r] = clampOf(s[r], lo, hi)
		}
	}
}

func packColsScalar(dst *float32, ds int, src *float32, lds int, k, np int) {
	d := vec(dst, span(np, ds, k*gemmNR))
	s := vec(src, span(k, lds, np*gemmNR))
	for p := range np {
		for t := range k {
			copy(d[p*ds+t*gemmNR:][:gemmNR], s[t*lds+p*gemmNR:])
		}
	}
}

func packPixelsScalar(dst, src *float32, taps *int32, nt int, pixels *int32, np int) {
	d := vec(dst, np*nt*gemmNR)
	tv, pv := idx(taps, nt), idx(pixels, np*gemmNR)
	// The source's length is not an argument; it is as long as the farthest read.
	far := int32(-1)
	for _, t := range tv {
		far = max(far, t)
	}
	last := int32(0)
	for _, p := range pv {
		last = max(last, p)
	}
	s := vec(src, int(far+last)+1)
	for p := range np {
		px := (*[gemmNR]int32)(pv[p*gemmNR:])
		for _, t := range tv {
			w := (*[gemmNR]float32)(d)
			for l := range w {
				w[l] = s[t+px[l]]
			}
			d = d[gemmNR:]
		}
	}
}

func transposeScalar(dst *float32, ldd int, src *float32, lds int, rows, cols int) {
	d := vec(dst, span(cols, ldd, rows))
	s := vec(src, span(rows, lds, cols))
	for i := range rows {
		for j := range cols {
			d[j*ldd+i] = s[i*lds+j]
		}
	}
}

func unzipScalar(even, odd, x *float32, n int) {
	e, o, s := vec(even, n), vec(odd, n), vec(x, 2*n)
	for i := range e {
		e[i], o[i] = s[2*i], s[2*i+1]
	}
}

func depthwiseScalar(y *float32, ldy int, x *float32, ldx int, taps *int32, w *float32, nt int,
	rows, cols int, bias, lo, hi float32) {
	if rows <= 0 || cols <= 0 {
		return
	}
	tv, wv := idx(taps, nt), vec(w, nt)
	xs, ys := tapSource(x, ldx, tv, rows, cols), vec(y, span(rows, ldy, cols))
	for r := range rows {
		out := ys[r*ldy:][:cols]
		for c := range out {
			out[c] = bias
		}
		for t, f := range wv {
			in := xs[r*ldx+int(tv[t]):][:len(out)]
			for c, v := range in {
				out[c] += float32(f * v)
			}
		}
		for c, v := range out {
			out[c] = clampOf(v, lo, hi)
		}
	}
}

func maxTapsScalar(y *float32, ldy int, x *float32, ldx int, taps *int32, nt int, rows, cols int) {
	if rows <= 0 || cols <= 0 {
		return
	}
	tv := idx(taps, nt)
	xs, ys := tapSource(x, ldx, tv, rows, cols), vec(y, span(rows, ldy, cols))
	low := float32(math.Inf(-1))
	for r := range rows {
		out := ys[r*ldy:][:cols]
		for c := range out {
			out[c] = low
		}
		for _, t := range tv {
			in := xs[r*ldx+int(t):][:len(out)]
			for c, v := range in {
				out[c] = larger(out[c], v)
			}
		}
	}
}

// tapSource is x up to the last element that the taps reach.
func tapSource(x *float32, ldx int, taps []int32, rows, cols int) []float32 {
	far := int32(0)
	for _, t := range taps {
		far = max(far, t)
	}
	return vec(x, int(far)+span(rows, ldx, cols))
}
