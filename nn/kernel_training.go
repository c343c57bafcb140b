package nn

// The contract of the kernels that only training calls; kernel.go says what is common
// to all. The default edition of the module links none of them.

var (
	// tileTaps correlates planes with filters. weights are panels [nt][4] of four
	// filters each, the last padded; bias has as many elements as the panels have
	// filters. Reads go up to 7 elements beyond the last of a row, where the memory
	// has to be; what is there does not matter. Writes are those below.
	//
	//	for o := 0; o < filters; o++ {
	//		for r := 0; r < rows; r++ {
	//			for c := 0; c < cols; c++ {
	//				acc := bias[o]
	//				for t := 0; t < nt; t++ {
	//					acc += float32(weights[(o/4*nt+t)*4 + o%4] * x[r*ldx + taps[t] + c])
	//				}
	//				y[o*ldy + r*cols+c] = acc
	//			}
	//		}
	//	}
	_ func(y *float32, ldy int, x *float32, ldx int, taps *int32, weights *float32, nt, filters int,
		rows, cols int, bias *float32) = tileTaps

	// dotTaps adds to sums [4·panels][nt][4] the products of planes: each has four
	// lanes, for columns 0, 4 …, columns 1, 5 … and so on. nt is even, cols a multiple of
	// 4. dealt has the planes of a panel vector by vector: [panels][rows][cols/4][4][4].
	//
	//	for o := 0; o < 4*panels; o++ {
	//		for t := 0; t < nt; t++ {
	//			for r := 0; r < rows; r++ {
	//				for c := 0; c < cols; c++ {
	//					d := dealt[((o/4*rows+r)*cols + c&^3)*4 + o%4*4 + c%4]
	//					sums[(o*nt+t)*4 + c%4] += float32(d * x[r*ldx + taps[t] + c])
	//				}
	//			}
	//		}
	//	}
	_ func(sums, dealt, x *float32, ldx int, taps *int32, nt, panels int, rows, cols int) = dotTaps

	// dealPlanes lays src [planes][rows][cols] out as dotTaps wants it. What is beyond
	// the last column, and the planes that a last panel lacks, stay as they were.
	//
	//	pitch := roundUp(cols, 4)
	//	dst[((o/4*rows+r)*pitch + c&^3)*4 + o%4*4 + c%4] = src[(o*rows+r)*cols + c]
	_ func(dst, src *float32, planes, rows, cols int) = dealPlanes

	// dst[r*ldd+c] = src[r*lds+c]
	_ func(dst *float32, ldd int, src *float32, lds int, rows, cols int) = copyPlane

	// maxPairs finds the maxima of windows of 2×2, and where they are: 0 and 1 in the
	// upper row, 2 and 3 in the lower one, as integers. The first of equals wins, and
	// the last NaN.
	//
	//	for r := 0; r < rows; r++ {
	//		for c := 0; c < cols; c++ {
	//			y[r*cols+c], which[r*cols+c] = the maximum of x[2*r*ldx + 2*c], … + 1], … + ldx], … + ldx+1]
	//		}
	//	}
	_ func(y, which, x *float32, ldx int, rows, cols int) = maxPairs

	// spreadPairs writes windows of 2×2 with dy where which says, and 0 elsewhere.
	_ func(dx *float32, ldx int, dy, which *float32, rows, cols int) = spreadPairs

	// The gradients of activations: dx = dy·f′ for n elements, where `of` is the output of
	// relu, tanh and sigmoid, and the input of silu and gelu. dx may be dy.

	// dx = of > 0 ? dy : 0
	_ gradientKernel = reluGradN
	// dx = (1 - float32(of*of)) * dy
	_ gradientKernel = tanhGradN
	// dx = float32(of*(1-of)) * dy
	_ gradientKernel = sigmoidGradN
	// s = sigmoidOf(of); dx = (s + float32(float32(of*s)*(1-s))) * dy
	_ gradientKernel = siluGradN
	// dx = (normalOf(of) + float32(float32(of*invSqrt2Pi)*expOf(-float32(t*t)))) * dy, t = |float32(of*sqrtHalf)|
	_ gradientKernel = geluGradN

	// softmaxGradRows is the gradient of rows of a softmax. dx may be dy.
	//
	//	for each row {
	//		sum := Σ float32(dy*y) in sixteen lanes, the fours that are left of whole
	//			sixteens in the first four, folded as in sumRows
	//		dx[i] = (dy[i] - sum) * y[i]
	//	}
	_ func(dx, dy, y *float32, rows, cols int) = softmaxGradRows

	// dotWide is the sum of float64(a[i])*float64(b[i]): sixteen lanes of float64, each
	// every sixteenth product; lane l is added to l+8 … l+8 to l+4 … and so on down to one
	// sum, to which those of the n%16 last products are added.
	_ func(a, b *float32, n int) float64 = dotWide

	// momentumN is a step of gradient descent with momentum.
	//
	//	d := float32(grad[i]*by) + float32(w[i]*decay)
	//	velocity[i] = float32(velocity[i]*momentum) + d
	//	w[i] -= float32(velocity[i]*rate)
	_ func(w, velocity, grad *float32, n int, rate, momentum, decay, by float32) = momentumN

	// adamN is a step of AdamW; rest is 1 − beta.
	//
	//	d := float32(grad[i]*by)
	//	first[i] = float32(first[i]*beta1) + float32(rest1*d)
	//	second[i] = float32(second[i]*beta2) + float32(rest2*float32(d*d))
	//	d = float32(first[i]*c1) / (√float32(second[i]*c2) + 1e-8)
	//	w[i] -= float32(rate*(d + float32(decay*w[i])))
	_ func(w, first, second, grad *float32, n int, rate, beta1, beta2, rest1, rest2, decay, c1, c2, by float32) = adamN
)

type gradientKernel = func(dx, dy, of *float32, n int)

// invSqrt2Pi is the standard normal density at 0.
const invSqrt2Pi = 0.39894228
