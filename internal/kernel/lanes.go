package kernel

import "math"

// What networks have around convolutions in the blocked layout, where 8 channels of a pixel
// lie together: 8 is the number of lanes everywhere here, and offsets count elements.

// MaxLanes is the maximum under n places of a window. Place i sees the pixels that begin at
// x[i*step+taps[t]].
//
//	for i := 0; i < n; i++ {
//		for l := 0; l < 8; l++ {
//			acc := -Inf
//			for t := 0; t < nt; t++ {
//				acc = max(acc, x[i*step+taps[t]+l])
//			}
//			y[i*8+l] = acc
//		}
//	}
func maxLanesScalar(y, x *float32, step int, taps *int32, nt, n int) {
	underLanes(y, x, step, taps, nt, n, float32(math.Inf(-1)), larger, 1)
}

// MeanLanes is MaxLanes with sums for maxima, which start from 0 and are divided by count.
func meanLanesScalar(y, x *float32, step int, taps *int32, nt, n int, count float32) {
	underLanes(y, x, step, taps, nt, n, 0, func(a, b float32) float32 { return a + b }, count)
}

func underLanes(y, x *float32, step int, taps *int32, nt, n int, start float32, f func(a, b float32) float32, count float32) {
	ys, offsets, far := slice(y, n*8), slice(taps, nt), 0
	for _, at := range offsets {
		far = max(far, int(at)+8)
	}
	xs := slice(x, Span(n, step, far))
	for i := range n {
		var acc [8]float32
		for l := range acc {
			acc[l] = start
		}
		for _, at := range offsets {
			for l, v := range xs[i*step+int(at):][:8] {
				acc[l] = f(acc[l], v)
			}
		}
		for l, v := range acc {
			ys[i*8+l] = v / count
		}
	}
}

// LaneMeans is the mean of each lane over the pixels of a block:
//
//	for b := 0; b < blocks; b++ {
//		for l := 0; l < 8; l++ {
//			total := float64(0)
//			for each stretch of 128 pixels of the block (the last may be shorter) {
//				var part [4]float32
//				for i := 0; i < its pixels; i++ {
//					part[i%4] += x[pixel i, lane l]  // those beyond the last multiple of 4 all to part[0]
//				}
//				total += float64((part[0] + part[1]) + (part[2] + part[3]))
//			}
//			y[b*8+l] = float32(total / float64(pixels))
//		}
//	}
func laneMeansScalar(y, x *float32, blocks, pixels int) {
	ys, xs := slice(y, blocks*8), slice(x, blocks*pixels*8)
	for b := range blocks {
		block := xs[b*pixels*8:][:pixels*8]
		for l := range 8 {
			total := 0.0
			for from := 0; from < pixels; from += laneStretch {
				n := min(laneStretch, pixels-from)
				var part [4]float32
				for i := range n {
					k := i % 4
					if i >= n&^3 {
						k = 0
					}
					part[k] += block[(from+i)*8+l]
				}
				total += float64((part[0] + part[1]) + (part[2] + part[3]))
			}
			ys[b*8+l] = float32(total / float64(pixels))
		}
	}
}

const laneStretch = 128

// MulLanes multiplies pixels by one factor a lane; y may be x.
//
//	for i := 0; i < n; i++ {
//		for l := 0; l < 8; l++ {
//			y[i*8+l] = x[i*8+l] * by[l]
//		}
//	}
func mulLanesScalar(y, x, by *float32, n int) {
	ys, xs, ws := slice(y, n*8), slice(x, n*8), slice(by, 8)
	for i, v := range xs {
		ys[i] = v * ws[i%8]
	}
}

// AddLanes is MulLanes with a sum for the product.
func addLanesScalar(y, x, by *float32, n int) {
	ys, xs, ws := slice(y, n*8), slice(x, n*8), slice(by, 8)
	for i, v := range xs {
		ys[i] = v + ws[i%8]
	}
}
