package kernel

import "slices"

// Convolutions in the blocked layout: 8 channels of a pixel lie together, and the planes of
// such blocks follow each other. Lanes are channels, so that nothing depends on the size of
// the planes. Pixels are found by a table: pix[i] is where pixel i of the result begins to
// read in x. Tables of steps say how much further on each run of elements lies than the one
// before it; the first is relative to the pixel.

// bounded is v between two bounds that are numbers. NaN stays, and so does the sign of a zero:
// -0 is not below a bound of +0.
func bounded(v, lo, hi float32) float32 {
	if v < lo {
		v = lo
	}
	if hi < v {
		v = hi
	}
	return v
}

// Lanes is how many channels of a pixel lie together in the blocked layout.
const Lanes = 8

// BlockedConv computes 8 channels of n pixels, from each of which it reads nr runs of 8
// elements. weights has a row of 8 for each element. from is nil, or has as many elements as
// y, which may be the same.
//
//	for i := 0; i < n; i++ {
//		for l := 0; l < 8; l++ {
//			acc := bias[l] | float32(from[i*8+l] + bias[l])  // without from, with it
//			at, w := pix[i], 0
//			for r := 0; r < nr; r++ {
//				at += runs[r]
//				for e := 0; e < 8; e++ {
//					acc += float32(x[at+e] * weights[w*8+l])
//					w++
//				}
//			}
//			y[i*8+l] = bounded(acc, lo, hi)
//		}
//	}
func blockedConvScalar(y, x *float32, pix *int32, n int, runs *int32, nr int, weights, from, bias *float32, lo, hi float32) {
	blockedRuns(y, x, pix, n, runs, nr, Lanes, weights, from, bias, lo, hi)
}

// BlockedConvTall is BlockedConv for a multiple of 6 pixels.
func blockedConvTallScalar(y, x *float32, pix *int32, n int, runs *int32, nr int, weights, from, bias *float32, lo, hi float32) {
	blockedRuns(y, x, pix, n, runs, nr, Lanes, weights, from, bias, lo, hi)
}

// BlockedConvPlanes is BlockedConv with runs of a single element, as planes have them.
func blockedConvPlanesScalar(y, x *float32, pix *int32, n int, runs *int32, nr int, weights, from, bias *float32, lo, hi float32) {
	blockedRuns(y, x, pix, n, runs, nr, 1, weights, from, bias, lo, hi)
}

// BlockedConvTriples is BlockedConv with runs of three elements, as rows of 3×3 taps are in planes.
func blockedConvTriplesScalar(y, x *float32, pix *int32, n int, runs *int32, nr int, weights, from, bias *float32, lo, hi float32) {
	blockedRuns(y, x, pix, n, runs, nr, 3, weights, from, bias, lo, hi)
}

func blockedRuns(y, x *float32, pix *int32, n int, runs *int32, nr, lanes int, weights, from, bias *float32, lo, hi float32) {
	ys, fs, ws := slice(y, n*Lanes), slice(from, n*Lanes), slice(weights, nr*lanes*Lanes)
	pixels, steps := slice(pix, n), slice(runs, nr)
	xs := slice(x, reach(pixels, steps, lanes))
	for i, p := range pixels {
		s := blockedStart(fs, bias, i)
		at, w := int(p), ws
		for _, step := range steps {
			at += int(step)
			for _, v := range xs[at:][:lanes] {
				for l, wl := range (*[Lanes]float32)(w) {
					s[l] += float32(v * wl)
				}
				w = w[Lanes:]
			}
		}
		blockedEnd(ys, i, &s, lo, hi)
	}
}

// BlockedDepthwise computes 8 channels of n pixels of a depthwise convolution: channel l
// has nt taps with the weights weights[t*8+l].
//
//	for i := 0; i < n; i++ {
//		for l := 0; l < 8; l++ {
//			acc := bias[l] | float32(from[i*8+l] + bias[l])  // without from, with it
//			at := pix[i]
//			for t := 0; t < nt; t++ {
//				at += taps[t]
//				acc += float32(x[at+l] * weights[t*8+l])
//			}
//			y[i*8+l] = bounded(acc, lo, hi)
//		}
//	}
func blockedDepthwiseScalar(y, x *float32, pix *int32, n int, taps *int32, nt int, weights, from, bias *float32, lo, hi float32) {
	ys, fs, ws := slice(y, n*Lanes), slice(from, n*Lanes), slice(weights, nt*Lanes)
	pixels, steps := slice(pix, n), slice(taps, nt)
	xs := slice(x, reach(pixels, steps, Lanes))
	for i, p := range pixels {
		s := blockedStart(fs, bias, i)
		at, w := int(p), ws
		for _, step := range steps {
			at += int(step)
			v := (*[Lanes]float32)(xs[at:])
			for l, wl := range (*[Lanes]float32)(w) {
				s[l] += float32(v[l] * wl)
			}
			w = w[Lanes:]
		}
		blockedEnd(ys, i, &s, lo, hi)
	}
}

// BlockedDepthwise3 is BlockedDepthwise with a kernel of 3×3 at stride 1 for rows of cols
// pixels, of so many blocks. Rows of x lie pitch apart, and down is from where a row of the
// result begins to read to where the next one does. Blocks lie xstep and ystep apart.
//
//	for b := 0; b < blocks; b++ {
//		for i := 0; i < rows; i++ {
//			for j := 0; j < cols; j++ {
//				for l := 0; l < 8; l++ {
//					p := b*ystep + (i*cols + j) * 8 + l
//					acc := bias[b*8+l] | float32(from[p] + bias[b*8+l])  // without from, with it
//					for s := 0; s < 3; s++ {
//						for t := 0; t < 3; t++ {
//							acc += float32(x[b*xstep+i*down+s*pitch+(j*stride+t)*8+l] * weights[((b*3+s)*3+t)*8+l])
//						}
//					}
//					y[p] = bounded(acc, lo, hi)
//				}
//			}
//		}
//	}
func blockedDepthwise3Scalar(y, x *float32, pitch, down int, weights *float32, rows, cols int, from, bias *float32, lo, hi float32, blocks, ystep, xstep int) {
	blockedWindow(y, x, pitch, down, weights, rows, cols, 3, 1, from, bias, lo, hi, blocks, ystep, xstep)
}

// BlockedDepthwise3Stride2 is BlockedDepthwise3 with a stride of 2 along rows.
func blockedDepthwise3Stride2Scalar(y, x *float32, pitch, down int, weights *float32, rows, cols int, from, bias *float32, lo, hi float32, blocks, ystep, xstep int) {
	blockedWindow(y, x, pitch, down, weights, rows, cols, 3, 2, from, bias, lo, hi, blocks, ystep, xstep)
}

// BlockedDepthwise5 is BlockedDepthwise3 with a kernel of 5×5.
func blockedDepthwise5Scalar(y, x *float32, pitch, down int, weights *float32, rows, cols int, from, bias *float32, lo, hi float32, blocks, ystep, xstep int) {
	blockedWindow(y, x, pitch, down, weights, rows, cols, 5, 1, from, bias, lo, hi, blocks, ystep, xstep)
}

// BlockedDepthwise5Stride2 is BlockedDepthwise5 with a stride of 2 along rows.
func blockedDepthwise5Stride2Scalar(y, x *float32, pitch, down int, weights *float32, rows, cols int, from, bias *float32, lo, hi float32, blocks, ystep, xstep int) {
	blockedWindow(y, x, pitch, down, weights, rows, cols, 5, 2, from, bias, lo, hi, blocks, ystep, xstep)
}

func blockedWindow(y, x *float32, pitch, down int, weights *float32, rows, cols, size, stride int, from, bias *float32, lo, hi float32, blocks, ystep, xstep int) {
	if blocks*rows*cols == 0 {
		return
	}
	n, taps := rows*cols*Lanes, size*size*Lanes
	each := (rows-1)*down + (size-1)*pitch + ((cols-1)*stride+size)*Lanes
	all, fs, ws, biases := slice(y, Span(blocks, ystep, n)), slice(from, Span(blocks, ystep, n)), slice(weights, blocks*taps), slice(bias, blocks*Lanes)
	xs := slice(x, Span(blocks, xstep, each))
	for b := range blocks {
		ys, w := all[b*ystep:][:n], ws[b*taps:]
		var start []float32
		if fs != nil {
			start = fs[b*ystep:]
		}
		for i := range rows * cols {
			s := blockedStart(start, &biases[b*Lanes], i)
			first := xs[b*xstep+i/cols*down+i%cols*stride*Lanes:]
			for t := range size * size {
				v, w := (*[Lanes]float32)(first[t/size*pitch+t%size*Lanes:]), (*[Lanes]float32)(w[t*Lanes:])
				for l := range s {
					s[l] += float32(v[l] * w[l])
				}
			}
			blockedEnd(ys, i, &s, lo, hi)
		}
	}
}

// PadPlanes copies planes of rows×cols elements, which lie step apart and whose rows lie lds
// apart, one behind the other, and puts zeros around them: so many before the first row of each,
// between two rows and behind the last one.
//
//	for p := 0; p < planes; p++ {
//		first zeros
//		for r := 0; r < rows; r++ {
//			src[p*step+r*lds : …+cols]
//			r < rows-1 ? gap zeros : last zeros
//		}
//	}
func padPlanesScalar(dst, src *float32, planes, step, lds, rows, cols, first, gap, last int) {
	size := first
	if rows > 0 {
		size += rows*cols + (rows-1)*gap + last
	}
	d, s := slice(dst, planes*size), slice(src, Span(planes, step, Span(rows, lds, cols)))
	for p := range planes {
		plane := d[p*size:][:size]
		clear(plane)
		for r := 0; r < rows && cols > 0; r++ {
			copy(plane[first+r*(cols+gap):][:cols], s[p*step+r*lds:])
		}
	}
}

// blockedStart is what the sums of pixel i start from.
func blockedStart(from []float32, bias *float32, i int) [Lanes]float32 {
	s := [Lanes]float32(slice(bias, Lanes))
	if from != nil {
		for l, v := range (*[Lanes]float32)(from[i*Lanes:]) {
			s[l] = v + s[l]
		}
	}
	return s
}

func blockedEnd(y []float32, i int, s *[Lanes]float32, lo, hi float32) {
	for l, v := range s {
		y[i*Lanes+l] = bounded(v, lo, hi)
	}
}

// reach is how many elements of x the pixels see.
func reach(pix, steps []int32, lanes int) int {
	if len(pix) == 0 || len(steps) == 0 {
		return 0
	}
	at, most := 0, 0
	for _, step := range steps {
		at += int(step)
		most = max(most, at)
	}
	return int(slices.Max(pix)) + most + lanes
}
