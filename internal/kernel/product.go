package kernel

import "math"

// Matrix products, convolutions and what lays out their operands. The twins see exactly
// the elements that the contract names, so that an index out of range panics there
// instead of reading a neighbour.

// Tile of the matrix product: operands are packed in panels of MR rows and NR columns, or of
// TR rows where multiply-adds are fused.
const (
	MR = 4
	TR = 6
	NR = 8
)

// Where the accumulators of a product start.
const (
	StartZero = iota // 0
	StartRow         // bias[row], as a convolution's output channel
	StartCol         // bias[column], as a dense layer's output feature
	StartC           // what c holds: accumulate
)

// GemmTiles computes mp×np tiles of 4×8 elements of c = start + a·b, then
// clamps. a points to panels [k][4] that lie as apart, b to panels [k][8]
// that lie bs apart. bias has mp·4 (StartRow) or np·8 (StartCol) elements.
//
//	for j := 0; j < np; j++ {
//		for i := 0; i < mp; i++ {
//			for r := 0; r < 4; r++ {
//				for l := 0; l < 8; l++ {
//					p := &c[(i*4+r)*ldc + j*8+l]
//					acc := 0 | bias[i*4+r] | bias[j*8+l] | *p  // by start
//					for t := 0; t < k; t++ {
//						acc += float32(a[i*as + t*4+r] * b[j*bs + t*8+l])
//					}
//					*p = min(max(acc, lo), hi)
//				}
//			}
//		}
//	}
func gemmTilesScalar(c *float32, ldc int, a *float32, as int, b *float32, bs int, k, mp, np int,
	start int, bias *float32, lo, hi float32) {
	tilesScalar(MR, c, ldc, a, as, b, bs, k, mp, np, start, bias, lo, hi)
}

// GemmTall is GemmTiles with tiles of 6×8: panels of a are [k][6].
func gemmTallScalar(c *float32, ldc int, a *float32, as int, b *float32, bs int, k, mp, np int,
	start int, bias *float32, lo, hi float32) {
	tilesScalar(TR, c, ldc, a, as, b, bs, k, mp, np, start, bias, lo, hi)
}

func tilesScalar(high int, c *float32, ldc int, a *float32, as int, b *float32, bs int, k, mp, np int,
	start int, bias *float32, lo, hi float32) {
	cs := slice(c, Span(mp*high, ldc, np*NR))
	av := slice(a, Span(mp, as, k*high))
	bv := slice(b, Span(np, bs, k*NR))
	var rowBias, colBias []float32
	switch start {
	case StartRow:
		rowBias = slice(bias, mp*high)
	case StartCol:
		colBias = slice(bias, np*NR)
	}
	for j := range np {
		bp := bv[min(j*bs, len(bv)):]
		bp = bp[:k*NR]
		for i := range mp * high {
			ap := av[min(i/high*as+i%high, len(av)):]
			ct := (*[NR]float32)(cs[i*ldc+j*NR:])
			var s [NR]float32
			switch start {
			case StartRow:
				for l := range s {
					s[l] = rowBias[i]
				}
			case StartCol:
				s = [NR]float32(colBias[j*NR:])
			case StartC:
				s = *ct
			}
			dot8(ct, &s, ap, high, bp, lo, hi)
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

// GemmRow is GemmTiles for a single row of a whose elements lie astep apart:
// np panels of 8 columns. bias has 1 (StartRow) or np·8 (StartCol) elements.
//
//	for j := 0; j < np; j++ {
//		for l := 0; l < 8; l++ {
//			acc := 0 | bias[0] | bias[j*8+l] | c[j*8+l]  // by start
//			for t := 0; t < k; t++ {
//				acc += float32(a[t*astep] * b[j*bs + t*8+l])
//			}
//			c[j*8+l] = min(max(acc, lo), hi)
//		}
//	}
//
// Four panels at a time hide the latency of the additions.
func gemmRowScalar(c, a *float32, astep int, b *float32, bs int, k, np int,
	start int, bias *float32, lo, hi float32) {
	cv := slice(c, np*NR)
	av := slice(a, Span(k, astep, 1))
	bv := slice(b, Span(np, bs, k*NR))
	for j := range np {
		bp := bv[min(j*bs, len(bv)):]
		ct := (*[NR]float32)(cv[j*NR:])
		var s [NR]float32
		switch start {
		case StartRow:
			for l := range s {
				s[l] = *bias
			}
		case StartCol:
			s = [NR]float32(slice(bias, np*NR)[j*NR:])
		case StartC:
			s = *ct
		}
		dot8(ct, &s, av, astep, bp[:k*NR], lo, hi)
	}
}

// GemmCol is GemmTiles for a single column of b whose elements lie bstep
// apart: mp panels of 4 rows. c is contiguous. bias has mp·4 (StartRow) or 1
// (StartCol) elements.
//
//	for i := 0; i < mp; i++ {
//		for r := 0; r < 4; r++ {
//			acc := 0 | bias[i*4+r] | bias[0] | c[i*4+r]  // by start
//			for t := 0; t < k; t++ {
//				acc += float32(a[i*as + t*4+r] * b[t*bstep])
//			}
//			c[i*4+r] = min(max(acc, lo), hi)
//		}
//	}
//
// Eight panels at a time hide the latency of the additions.
func gemmColScalar(c, a *float32, as int, b *float32, bstep int, k, mp int,
	start int, bias *float32, lo, hi float32) {
	cv := slice(c, mp*MR)
	av := slice(a, Span(mp, as, k*MR))
	bv := slice(b, Span(k, bstep, 1))
	for i := range mp {
		ct := (*[MR]float32)(cv[i*MR:])
		var s [MR]float32
		switch start {
		case StartRow:
			s = [MR]float32(slice(bias, mp*MR)[i*MR:])
		case StartCol:
			for r := range s {
				s[r] = *bias
			}
		case StartC:
			s = *ct
		}
		ap := av[min(i*as, len(av)):]
		for t := range k {
			x := bv[t*bstep]
			w := (*[MR]float32)(ap[t*MR:])
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

// PackCols copies np panels of 8 columns of a matrix of k rows.
//
//	for p := 0; p < np; p++ {
//		for t := 0; t < k; t++ {
//			for l := 0; l < 8; l++ {
//				dst[p*ds + t*8+l] = src[t*lds + p*8+l]
//			}
//		}
//	}
func packColsScalar(dst *float32, ds int, src *float32, lds int, k, np int) {
	d := slice(dst, Span(np, ds, k*NR))
	s := slice(src, Span(k, lds, np*NR))
	for p := range np {
		for t := range k {
			copy(d[p*ds+t*NR:][:NR], s[t*lds+p*NR:])
		}
	}
}

// PackPixels gathers np panels of 8 pixels, nt taps each: the operand of a
// convolution as a matrix product. Where four pixels starting at an even
// four are neighbours (the usual case) they are one vector.
//
//	for p := 0; p < np; p++ {
//		for t := 0; t < nt; t++ {
//			for l := 0; l < 8; l++ {
//				dst[(p*nt+t)*8+l] = src[taps[t] + pixels[p*8+l]]
//			}
//		}
//	}
func packPixelsScalar(dst, src *float32, taps *int32, nt int, pixels *int32, np int) {
	d := slice(dst, np*nt*NR)
	tv, pv := slice(taps, nt), slice(pixels, np*NR)
	// The source's length is not an argument; it is as long as the farthest read.
	far := int32(-1)
	for _, t := range tv {
		far = max(far, t)
	}
	last := int32(0)
	for _, p := range pv {
		last = max(last, p)
	}
	s := slice(src, int(far+last)+1)
	for p := range np {
		px := (*[NR]int32)(pv[p*NR:])
		for _, t := range tv {
			w := (*[NR]float32)(d)
			for l := range w {
				w[l] = s[t+px[l]]
			}
			d = d[NR:]
		}
	}
}

// Transpose writes the transposed matrix, by blocks of 4×4.
//
//	for i := 0; i < rows; i++ {
//		for j := 0; j < cols; j++ {
//			dst[j*ldd+i] = src[i*lds+j]
//		}
//	}
func transposeScalar(dst *float32, ldd int, src *float32, lds int, rows, cols int) {
	d := slice(dst, Span(cols, ldd, rows))
	s := slice(src, Span(rows, lds, cols))
	for i := range rows {
		for j := range cols {
			d[j*ldd+i] = s[i*lds+j]
		}
	}
}

// Unzip separates the even from the odd elements of x, n of each.
//
//	for i := 0; i < n; i++ {
//		even[i], odd[i] = x[2*i], x[2*i+1]
//	}
func unzipScalar(even, odd, x *float32, n int) {
	e, o, s := slice(even, n), slice(odd, n), slice(x, 2*n)
	for i := range e {
		e[i], o[i] = s[2*i], s[2*i+1]
	}
}

// Depthwise correlates one plane with one filter of nt taps.
//
//	for r := 0; r < rows; r++ {
//		for c := 0; c < cols; c++ {
//			acc := bias
//			for t := 0; t < nt; t++ {
//				acc += float32(w[t] * x[r*ldx + taps[t] + c])
//			}
//			y[r*ldy+c] = min(max(acc, lo), hi)
//		}
//	}
func depthwiseScalar(y *float32, ldy int, x *float32, ldx int, taps *int32, w *float32, nt int,
	rows, cols int, bias, lo, hi float32) {
	if rows <= 0 || cols <= 0 {
		return
	}
	tv, wv := slice(taps, nt), slice(w, nt)
	xs, ys := tapSource(x, ldx, tv, rows, cols), slice(y, Span(rows, ldy, cols))
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

// MaxTaps is Depthwise with the maximum in place of the weighted sum.
//
//	for r := 0; r < rows; r++ {
//		for c := 0; c < cols; c++ {
//			acc := -Inf
//			for t := 0; t < nt; t++ {
//				acc = max(acc, x[r*ldx + taps[t] + c])
//			}
//			y[r*ldy+c] = acc
//		}
//	}
func maxTapsScalar(y *float32, ldy int, x *float32, ldx int, taps *int32, nt int, rows, cols int) {
	if rows <= 0 || cols <= 0 {
		return
	}
	tv := slice(taps, nt)
	xs, ys := tapSource(x, ldx, tv, rows, cols), slice(y, Span(rows, ldy, cols))
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
	return slice(x, int(far)+Span(rows, ldx, cols))
}
