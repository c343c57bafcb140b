package kernel

import "math"

// Products of quantized numbers, and what numbers go through before and after them. Left
// operands are int16, in panels of 4 rows with the elements of a row in pairs, [k/2][4][2];
// right ones are int8 in panels of 8 columns, [k/2][8][2]. Sums are int32 and wrap around.

// DotTiles computes mp×np tiles of 4×8 sums of products. left points to mp panels, right to
// np panels of so many pairs, one after another; sums has mp·4 elements, zeros np·8.
//
//	for j := 0; j < np*8; j++ {
//		for i := 0; i < mp*4; i++ {
//			acc := -sums[i] * zeros[j]
//			for t := 0; t < pairs; t++ {
//				a, b := left[(i/4*pairs+t)*8 + i%4*2:], right[(j/8*pairs+t)*16 + j%8*2:]
//				acc += a[0]*b[0] + a[1]*b[1]
//			}
//			dst[i*ldd + j] = acc
//		}
//	}
func dotTilesScalar(dst *int32, ldd int, left *int16, right *int8, pairs, mp, np int, sums, zeros *int32) {
	cs := slice(dst, Span(mp*MR, ldd, np*NR))
	a, b := slice(left, mp*pairs*2*MR), slice(right, np*pairs*2*NR)
	rowSums, colZeros := slice(sums, mp*MR), slice(zeros, np*NR)
	for j := range np {
		panel := b[j*pairs*2*NR:][:pairs*2*NR]
		zero := (*[NR]int32)(colZeros[j*NR:])
		for i := range mp * MR {
			row := a[i/MR*pairs*2*MR:][:pairs*2*MR]
			dotPairs((*[NR]int32)(cs[i*ldd+j*NR:]), row[min(i%MR*2, len(row)):], 2*MR, panel, rowSums[i], zero)
		}
	}
}

// dotPairs is the sums of one row, whose pairs are step apart, and eight columns.
func dotPairs(c *[NR]int32, a []int16, step int, panel []int8, sum int32, zero *[NR]int32) {
	var acc [NR]int32
	for l := range acc {
		acc[l] = -(sum * zero[l])
	}
	for t := 0; len(panel) > 0; t += step {
		w := (*[2 * NR]int8)(panel)
		x, y := int32(a[t]), int32(a[t+1])
		for l := range acc {
			acc[l] += x*int32(w[2*l]) + y*int32(w[2*l+1])
		}
		panel = panel[2*NR:]
	}
	*c = acc
}

// DotRow is DotTiles for one row, whose pairs lie one after another, and its sum.
func dotRowScalar(dst *int32, left *int16, right *int8, pairs, np, total int, zeros *int32) {
	cs, a, b, colZeros := slice(dst, np*NR), slice(left, 2*pairs), slice(right, np*pairs*2*NR), slice(zeros, np*NR)
	for j := range np {
		dotPairs((*[NR]int32)(cs[j*NR:]), a, 2, b[j*pairs*2*NR:][:pairs*2*NR], int32(total), (*[NR]int32)(colZeros[j*NR:]))
	}
}

// QR is the rows of a panel of bytes.
const QR = 6

// DotQuads is DotTiles for left operands of bytes in panels [k/4][6][4], right ones in panels
// [k/4][8][4], and sums that begin with start, by column. The relaxed build multiplies by dots
// of four int8 with four bytes, which are uint8 or int8, and whose products may meet in int16
// that may saturate, as the engine has them: the caller has to find out what they are. Every
// other build has in their place what only shows that kernel and twin do the same:
//
//	for t := 0; t < quads; t++ {
//		acc += int32 of the two int16 of q15(left pairs * right pairs), as they lie in memory
//	}
//
// with q15(a*b) = min((a*b + 1<<14) >> 15, 32767).
func dotQuadsScalar(dst *int32, ldd int, left *uint8, right *int8, quads, mp, np int, sums, zeros, start *int32) {
	cs := slice(dst, Span(mp*QR, ldd, np*NR))
	a, b := slice(left, mp*quads*4*QR), slice(right, np*quads*4*NR)
	rowSums, colZeros, first := slice(sums, mp*QR), slice(zeros, np*NR), slice(start, np*NR)
	for j := range np * NR {
		for i := range mp * QR {
			acc := first[j] - rowSums[i]*colZeros[j]
			for t := range quads {
				acc += quadDot(b[(j/NR*quads+t)*4*NR+j%NR*4:], a[(i/QR*quads+t)*4*QR+i%QR*4:])
			}
			cs[i*ldd+j] = acc
		}
	}
}

// quadDot is what stands for a dot of bytes.
func quadDot(w []int8, x []uint8) int32 {
	q15 := func(at int) int32 {
		a, b := int32(w[at+1])<<8|int32(uint8(w[at])), int32(int8(x[at+1]))<<8|int32(x[at])
		return min((a*b+1<<14)>>15, 32767)
	}
	return q15(0)&0xffff | q15(2)<<16
}

// QuadRow is DotQuads for one row, whose bytes lie one after another, and its sum.
func quadRowScalar(dst *int32, left *uint8, right *int8, quads, np, total int, zeros, start *int32) {
	a, b := slice(left, 4*quads), slice(right, np*quads*4*NR)
	colZeros, first := slice(zeros, np*NR), slice(start, np*NR)
	for j, out := 0, slice(dst, np*NR); j < len(out); j++ {
		acc := first[j] - int32(total)*colZeros[j]
		for t := range quads {
			acc += quadDot(b[(j/NR*quads+t)*4*NR+j%NR*4:], a[4*t:])
		}
		out[j] = acc
	}
}

// SumQuads writes the dots of the rows of mp panels with bytes of 1.
func sumQuadsScalar(dst *int32, left *uint8, quads, mp int) {
	a, ones := slice(left, mp*quads*4*QR), []int8{1, 1, 1, 1}
	for i, out := 0, slice(dst, mp*QR); i < len(out); i++ {
		s := int32(0)
		for t := range quads {
			s += quadDot(ones, a[(i/QR*quads+t)*4*QR+i%QR*4:])
		}
		out[i] = s
	}
}

// SumPairs writes the sums of the rows of mp panels.
//
//	for i := 0; i < mp*4; i++ {
//		dst[i] = 0
//		for t := 0; t < pairs; t++ {
//			dst[i] += left[(i/4*pairs+t)*8 + i%4*2] + left[(i/4*pairs+t)*8 + i%4*2 + 1]
//		}
//	}
func sumPairsScalar(dst *int32, left *int16, pairs, mp int) {
	a := slice(left, mp*pairs*2*MR)
	for i, out := 0, slice(dst, mp*MR); i < len(out); i++ {
		s := int32(0)
		for t := range pairs {
			at := (i/MR*pairs+t)*2*MR + i%MR*2
			s += int32(a[at]) + int32(a[at+1])
		}
		out[i] = s
	}
}

// PackTaps gathers mp panels of 4 pixels: nt taps of each, an even number.
//
//	for i := 0; i < mp*4; i++ {
//		for t := 0; t < nt; t++ {
//			dst[(i/4*nt/2 + t/2)*8 + i%4*2 + t%2] = src[taps[t] + pixels[i]]
//		}
//	}
func packTapsScalar(dst, src *int16, taps *int32, nt int, pixels *int32, mp int) {
	ts, px, out := slice(taps, nt), slice(pixels, mp*MR), slice(dst, mp*MR*nt)
	far := int32(-1)
	if len(ts) > 0 && len(px) > 0 {
		far = most(ts) + most(px)
	}
	x := slice(src, int(far)+1)
	for i, p := range px {
		panel := out[i/MR*MR*nt:][:MR*nt]
		for t, tap := range ts {
			panel[t/2*2*MR+i%MR*2+t%2] = x[tap+p]
		}
	}
}

// PackQuads is PackTaps for mp panels of 6 pixels of bytes: nt taps of each, a multiple of 4. It
// may read two bytes behind a pixel.
//
//	for i := 0; i < mp*6; i++ {
//		for t := 0; t < nt; t++ {
//			dst[(i/6*nt/4 + t/4)*24 + i%6*4 + t%4] = src[taps[t] + pixels[i]]
//		}
//	}
func packQuadsScalar(dst, src *uint8, taps *int32, nt int, pixels *int32, mp int) {
	ts, px, out := slice(taps, nt), slice(pixels, mp*QR), slice(dst, mp*QR*nt)
	far := int32(-1)
	if len(ts) > 0 && len(px) > 0 {
		far = most(ts) + most(px)
	}
	x := slice(src, int(far)+1)
	for i, p := range px {
		panel := out[i/QR*QR*nt:][:QR*nt]
		for t, tap := range ts {
			panel[t/4*4*QR+i%QR*4+t%4] = x[tap+p]
		}
	}
}

func most(list []int32) int32 {
	m := list[0]
	for _, v := range list[1:] {
		m = max(m, v)
	}
	return m
}

// WidenBytes writes n bytes, after an exclusive or with flip, as int8 or uint8 less zero:
// 128 makes of uint8 int8, with a zero point that is less by 128, and the other way round.
//
//	for i := 0; i < n; i++ {
//		dst[i] = int16(int8(src[i] ^ flip)) - zero
//	}
func widenBytesScalar(dst *int16, src *uint8, n, flip, zero int) {
	out := slice(dst, n)
	for i, v := range slice(src, n) {
		out[i] = int16(int8(v^uint8(flip))) - int16(zero)
	}
}

// The steps of a quantization. lo and hi are whole numbers of int16.
func grid(v, lo, hi float32) int32 {
	r := float32(math.RoundToEven(float64(v)))
	switch {
	case r != r:
		return 0
	case r < lo:
		r = lo
	case r > hi:
		r = hi
	}
	return int32(r)
}

// QuantizeShort writes n numbers as steps from the zero point.
//
//	for i := 0; i < n; i++ {
//		dst[i] = int16(min(max(nearest(src[i] / scale), lo), hi))  // NaN: 0
//	}
func quantizeShortScalar(dst *int16, src *float32, n int, scale, lo, hi float32) {
	out := slice(dst, n)
	for i, v := range slice(src, n) {
		out[i] = int16(grid(v/scale, lo, hi))
	}
}

// QuantizeBytes is QuantizeShort with the zero point added, of which the lowest 8 bits are
// kept.
func quantizeBytesScalar(dst *uint8, src *float32, n int, scale, lo, hi float32, zero int) {
	out := slice(dst, n)
	for i, v := range slice(src, n) {
		out[i] = uint8(grid(v/scale, lo, hi) + int32(zero))
	}
}

// DequantizeBytes writes n bytes, after an exclusive or with flip, as int8 less zero, times
// scale.
//
//	for i := 0; i < n; i++ {
//		dst[i] = float32(int8(src[i] ^ flip) - zero) * scale
//	}
func dequantizeBytesScalar(dst *float32, src *uint8, n, flip, zero int, scale float32) {
	out := slice(dst, n)
	for i, v := range slice(src, n) {
		out[i] = float32(int32(int8(v^uint8(flip)))-int32(zero)) * scale
	}
}

// ScaleSums writes rows of int32 sums as float32: times scales, by column, plus bias, where
// there is one, clamped.
//
//	for r := 0; r < rows; r++ {
//		for i := 0; i < n; i++ {
//			v := float32(src[r*lds + i]) * scales[i]
//			if bias != nil { v += bias[i] }
//			dst[r*ldd + i] = min(max(v, lo), hi)
//		}
//	}
func scaleSumsScalar(dst *float32, ldd int, src *int32, lds int, rows, n int, scales, bias *float32, lo, hi float32) {
	out, in, s, b := slice(dst, Span(rows, ldd, n)), slice(src, Span(rows, lds, n)), slice(scales, n), slice(bias, n)
	for r := range rows {
		for i := range n {
			v := float32(float32(in[r*lds+i]) * s[i])
			if b != nil {
				v += b[i]
			}
			out[r*ldd+i] = min(max(v, lo), hi)
		}
	}
}

// QuantizeSums writes n int32 sums as bytes.
//
//	for i := 0; i < n; i++ {
//		dst[i] = uint8(min(max(nearest(float32(src[i]) * scales[i]), lo), hi) + zero)  // NaN: zero
//	}
func quantizeSumsScalar(dst *uint8, src *int32, n int, scales *float32, lo, hi float32, zero int) {
	out, s := slice(dst, n), slice(scales, n)
	for i, v := range slice(src, n) {
		out[i] = uint8(grid(float32(float32(v)*s[i]), lo, hi) + int32(zero))
	}
}

// QuantizePlane is QuantizeSums with one scale, and one bias that is added to the sums.
func quantizePlaneScalar(dst *uint8, src *int32, n, bias int, scale, lo, hi float32, zero int) {
	out := slice(dst, n)
	for i, v := range slice(src, n) {
		out[i] = uint8(grid(float32(float32(v+int32(bias))*scale), lo, hi) + int32(zero))
	}
}

// WholeNumbers writes n numbers as int32: they have to be whole, and in its range. dst may be
// src.
func wholeNumbersScalar(dst *int32, src *float32, n int) {
	out := slice(dst, n)
	for i, v := range slice(src, n) {
		out[i] = int32(v)
	}
}

// Levels writes n elements of 4 or 2 bits, a multiple of 16, less zero, times scale. The first
// of a byte is in its lowest bits.
//
//	for i := 0; i < n; i++ {
//		dst[i] = (float32(src[i*bits/8] >> (i*bits%8) & (1<<bits - 1)) - zero) * scale
//	}
func levelsScalar(dst *float32, src *uint8, n, bits int, scale, zero float32) {
	per, mask := 8/bits, uint8(1)<<bits-1
	x := slice(src, n/per)
	for i, out := 0, slice(dst, n); i < len(out); i++ {
		out[i] = (float32(x[i/per]>>(i%per*bits)&mask) - zero) * scale
	}
}

// NibbleRow multiplies one row by columns, one after another, of elements of 4 bits in blocks
// of so many units of 32. x is the row with each 32 of its elements transposed, [8][4] of
// [4][8], and element j of 8 divided by 16^j, but for the last. sums has for each block the
// sums of its columns of four, of x as it was. zeros goes on by step from block to block.
//
//	for c := 0; c < columns; c++ {
//		var total [4]float32
//		for b := 0; b < blocks; b++ {
//			even, odd := -(sums[b] * zero), 0   // lanewise
//			for each unit of the block {
//				words := four uint32 of src
//				for j := 0; j < 7; j++ {
//					even or odd, as j is, += float32(words & 15<<4j) * x[j]
//				}
//				odd += float32(words >> 28) * x[7]
//			}
//			total += (even + odd) * scale
//		}
//		dst[c] = (total[0] + total[1]) + (total[2] + total[3])
//	}
func nibbleRowScalar(dst *float32, src *uint8, x, sums, scales, zeros *float32, columns, blocks, units, step int) {
	data, xs, of := slice(src, columns*blocks*units*16), slice(x, blocks*units*32), slice(sums, 4*blocks)
	each, points := slice(scales, columns*blocks), slice(zeros, (columns*blocks-1)*step+1)
	for c, out := 0, slice(dst, columns); c < len(out); c++ {
		var total [4]float32
		for b := range blocks {
			at := c*blocks + b
			for l := range total {
				acc := [2]float32{-float32(of[4*b+l] * points[at*step])}
				for u := range units {
					row := xs[(b*units+u)*32+l:]
					for i, v := range data[(at*units+u)*16+4*l:][:4] {
						low, high := uint32(v&15)<<(8*i), uint32(v&0xf0)<<(8*i)
						if i == 3 {
							high >>= 28
						}
						acc[0] += float32(float32(low) * row[8*i])
						acc[1] += float32(float32(high) * row[8*i+4])
					}
				}
				total[l] += float32((acc[0] + acc[1]) * each[at])
			}
		}
		out[c] = (total[0] + total[1]) + (total[2] + total[3])
	}
}
