package nn

// This file is the contract of the kernels. Each exists twice: xxxScalar in
// kernel_scalar.go, compiled everywhere, and xxx, which is assembly in wasm
// (kernel_wasm.s) and forwards to the twin elsewhere (kernel_other.go).
//
// Common to all: no checks, no allocation, sizes ≥ 0, a size of 0 does nothing
// (except that gemm with k = 0 still writes its start values). Pointers need
// float32 alignment only. Offsets, steps and leading dimensions count elements.
// Every product is rounded before it is added. max and min are those of
// f32x4.max and f32x4.min: NaN wins, -0 < +0. An output may be an input only
// where the contract says so.

// Tile of the matrix product: operands are packed in panels of gemmMR rows and
// gemmNR columns.
const (
	gemmMR = 4
	gemmNR = 8
)

// Where the accumulators of a product start.
const (
	startZero = iota // 0
	startRow         // bias[row], as a convolution's output channel
	startCol         // bias[column], as a dense layer's output feature
	startC           // what c holds: accumulate
)

var (
	// gemmTiles computes mp×np tiles of 4×8 elements of c = start + a·b, then
	// clamps. a points to panels [k][4] that lie as apart, b to panels [k][8]
	// that lie bs apart. bias has mp·4 (startRow) or np·8 (startCol) elements.
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
	_ func(c *float32, ldc int, a *float32, as int, b *float32, bs int, k, mp, np int,
		start int, bias *float32, lo, hi float32) = gemmTiles

	// gemmRow is gemmTiles for a single row of a whose elements lie astep apart:
	// np panels of 8 columns. bias has 1 (startRow) or np·8 (startCol) elements.
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
	_ func(c, a *float32, astep int, b *float32, bs int, k, np int,
		start int, bias *float32, lo, hi float32) = gemmRow

	// gemmCol is gemmTiles for a single column of b whose elements lie bstep
	// apart: mp panels of 4 rows. c is contiguous. bias has mp·4 (startRow) or 1
	// (startCol) elements.
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
	_ func(c, a *float32, as int, b *float32, bstep int, k, mp int,
		start int, bias *float32, lo, hi float32) = gemmCol

	// packCols copies np panels of 8 columns of a matrix of k rows.
	//
	//	for p := 0; p < np; p++ {
	//		for t := 0; t < k; t++ {
	//			for l := 0; l < 8; l++ {
	//				dst[p*ds + t*8+l] = src[t*lds + p*8+l]
	//			}
	//		}
	//	}
	_ func(dst *float32, ds int, src *float32, lds int, k, np int) = packCols

	// packPixels gathers np panels of 8 pixels, nt taps each: the operand of a
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
	_ func(dst, src *float32, taps *int32, nt int, pixels *int32, np int) = packPixels

	// transpose writes the transposed matrix, by blocks of 4×4.
	//
	//	for i := 0; i < rows; i++ {
	//		for j := 0; j < cols; j++ {
	//			dst[j*ldd+i] = src[i*lds+j]
	//		}
	//	}
	_ func(dst *float32, ldd int, src *float32, lds int, rows, cols int) = transpose

	// unzip separates the even from the odd elements of x, n of each.
	//
	//	for i := 0; i < n; i++ {
	//		even[i], odd[i] = x[2*i], x[2*i+1]
	//	}
	_ func(even, odd, x *float32, n int) = unzip

	// depthwise correlates one plane with one filter of nt taps.
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
	_ func(y *float32, ldy int, x *float32, ldx int, taps *int32, w *float32, nt int,
		rows, cols int, bias, lo, hi float32) = depthwise

	// maxTaps is depthwise with the maximum in place of the weighted sum.
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
	_ func(y *float32, ldy int, x *float32, ldx int, taps *int32, nt int, rows, cols int) = maxTaps

	// addRows, subRows, mulRows, divRows, maxRows and minRows combine two
	// operands elementwise. y is contiguous [rows, cols]; an operand's row step
	// as, bs is any number and its column step ac, bc is 1 or 0 (a scalar a row).
	// y may be a or b when that operand is contiguous as well.
	//
	//	for r := 0; r < rows; r++ {
	//		for c := 0; c < cols; c++ {
	//			y[r*cols+c] = a[r*as+c*ac] ∘ b[r*bs+c*bc]
	//		}
	//	}
	_ binaryKernel = addRows
	_ binaryKernel = subRows
	_ binaryKernel = mulRows
	_ binaryKernel = divRows
	_ binaryKernel = maxRows
	_ binaryKernel = minRows

	// The elementwise functions of n elements; y may be x. A tail of 1 to 3
	// elements goes through the same operations, lane by lane.

	// y = min(max(x, lo), hi)
	_ func(y, x *float32, n int, lo, hi float32) = clipN
	// y = |x| (the sign bit cleared)
	_ func(y, x *float32, n int) = absN
	// y = -x (the sign bit flipped)
	_ func(y, x *float32, n int) = negN
	// y = √x, correctly rounded
	_ func(y, x *float32, n int) = sqrtN
	// y = x < 0 ? float32(alpha*x) : x (NaN stays)
	_ func(y, x *float32, n int, alpha float32) = leakyN
	// y = min(max(float32(alpha*x) + beta, 0), 1)
	_ func(y, x *float32, n int, alpha, beta float32) = hardSigmoidN
	// y = x * min(max(float32(alpha*x) + beta, 0), 1)
	_ func(y, x *float32, n int, alpha, beta float32) = hardSwishN
	// y = expOf(x)
	_ func(y, x *float32, n int) = expN
	// y = sigmoidOf(x)
	_ func(y, x *float32, n int) = sigmoidN
	// y = x * sigmoidOf(x)
	_ func(y, x *float32, n int) = siluN
	// y = tanhOf(x)
	_ func(y, x *float32, n int) = tanhN
	// y = erfOf(x)
	_ func(y, x *float32, n int) = erfN
	// y = x * normalOf(x), normalOf the cumulative normal distribution
	_ func(y, x *float32, n int) = geluN
	// y = x * sigmoidOf(float32(x * (float32(float32(x*x)*geluCubic) + geluLinear)))
	_ func(y, x *float32, n int) = geluTanhN

	// sumRows adds each row of cols contiguous elements and scales the sum.
	// Rows are taken in blocks of 1024 elements (the last may be shorter):
	//
	//	for r := 0; r < rows; r++ {
	//		total := float64(0)
	//		for each block of row r, m elements, starting at x {
	//			var lane [16]float32            // four vectors
	//			for i := 0; i < m&^3; i++ {
	//				lane[i%16] += x[i]
	//			}
	//			total += float64(fold(lane, x[m&^3:m]))
	//		}
	//		y[r] = float32(total * factor)
	//	}
	//
	// fold: v = (lane[0:4] + lane[4:8]) + (lane[8:12] + lane[12:16]) lanewise,
	// s = (v[0] + v[1]) + (v[2] + v[3]), then s += x[i] for the m%4 elements left
	// (all in float32).
	_ func(y, x *float32, rows, cols int, factor float64) = sumRows

	// squareRows is sumRows of float32(x[i]*x[i]), in the tail as well.
	_ func(y, x *float32, rows, cols int, factor float64) = squareRows

	// y[r] = the maximum of row r, -Inf when cols is 0
	_ func(y, x *float32, rows, cols int) = rowMax
	// y[r] = the minimum of row r, +Inf when cols is 0
	_ func(y, x *float32, rows, cols int) = rowMin

	// softmaxRows normalizes each row of cols contiguous elements; y may be x.
	//
	//	for r := 0; r < rows; r++ {
	//		m := maximum of the row
	//		y[i] = expOf(x[i] - m)
	//		total := sum of y in sumRows' order, as float64
	//		f := float32(1 / total)
	//		y[i] *= f
	//	}
	_ func(y, x *float32, rows, cols int) = softmaxRows

	// addPixelRows adds four weighted rows of n pixels of four bytes each, the
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
	_ func(y *float32, x *int32, ldx int, w *float32, n int) = addPixelRows

	// mixPixels writes n pixels of four float32, each the weighted sum of
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
	_ func(y, x, w *float32, spans *int32, n int) = mixPixels

	// andPixels returns the bits that all of x has, -1 when n is 0.
	_ func(x *int32, n int) int = andPixels
)

type binaryKernel = func(y, a *float32, as, ac int, b *float32, bs, bc int, rows, cols int)

// Constants of expOf:
//
//	x = max(min(x, expMax), expMin)               // NaN stays
//	z = float32(x*log2e) + expMagic                // rounds x/ln2 to an integer n
//	n = z - expMagic
//	i = int32 bits of z - int32 bits of expMagic   // n once more, as integer lanes
//	r = (x - float32(n*ln2Hi)) - float32(n*ln2Lo)  // |r| ≤ ln2/2; n*ln2Hi is exact
//	g = exp6; g = float32(g*r) + exp5; … + exp4; … + exp3; … + exp2
//	p = (float32(float32(r*r)*g) + r) + 1
//	h = i >> 1 (arithmetic)
//	expOf = float32(p * 2^h) * 2^(i-h)             // 2^h: bits (h+127)<<23
//
// The two steps of the scaling give denormal results their single rounding and
// let overflow become +Inf.
const (
	expMax   = 89
	expMin   = -105
	log2e    = 1.44269504
	expMagic = 12582912 // 1.5·2²³
	ln2Hi    = 0.693359375
	ln2Lo    = -2.12194440e-4
	exp2     = 0.5
	exp3     = 0.16666576846
	exp4     = 0.0416665544377
	exp5     = 0.00836320297158
	exp6     = 0.00139262134663
)

// sigmoidOf:
//
//	e = expOf(-|x|)
//	sigmoidOf = (x < 0 ? e : 1) / (1 + e)          // NaN comes through e
//
// tanhOf:
//
//	a = |x|; z = float32(x*x)
//	g = tanh11; g = float32(g*z) + tanh9; … tanh7; … tanh5; … tanh3
//	small = float32(float32(x*z)*g) + x
//	e = expOf(-2a)                                 // a+a, then the sign flipped
//	large = (1 - e) / (1 + e)
//	tanhOf = (a < tanhSplit ? small : large) | the sign bit of x
//
// NaN comes through large; small has x's sign but for -0, hence the bit for both.
const (
	tanhSplit = 0.625
	tanh3     = -0.333333289441
	tanh5     = 0.13332769737
	tanh7     = -0.0538509095785
	tanh9     = 0.0209971789991
	tanh11    = -0.00609671416591
)

// erfOf and normalOf share two halves, t ≥ 0:
//
//	erfSmall(x), |x| < 1:
//		z = float32(x*x)
//		g = erf13; g = float32(g*z) + erf11; … erf9; … erf7; … erf5; … erf3; … erf1
//		erfSmall = float32(x*g) + x
//	erfcLarge(t), t ≥ 1:
//		u = 1 / (float32(t*0.5) + 1)
//		q = erfc8; q = float32(q*u) + erfc7; … ; … erfc1
//		erfcLarge = float32(float32(q*u) * expOf(-float32(t*t)))
//
//	erfOf(x): t = |x|; t < 1 ? erfSmall(x) : (1 - erfcLarge(t)) with the sign of x
//	normalOf(x): s = float32(x*sqrtHalf); t = |s|
//		c = float32(0.5*erfcLarge(t))
//		t < 1 ? float32(0.5*erfSmall(s)) + 0.5 : (s < 0 ? c : 1 - c)
//
// NaN comes through the large half. The polynomials are Chebyshev fits of
// erf(√z)/√z - 1 on [0, 1] and erfc(t)·exp(t²)/u on u ∈ [0, 2/3].
const (
	sqrtHalf = 0.70710678
	erf1     = 0.128379165848
	erf3     = -0.376126266667
	erf5     = 0.112835947152
	erf7     = -0.0268542120106
	erf9     = 0.00518908742343
	erf11    = -0.000801686428717
	erf13    = 7.87587506269e-5
	erfc1    = 0.282094740414
	erfc2    = 0.28210471533
	erfc3    = 0.246510428486
	erfc4    = 0.180396721157
	erfc5    = 0.0578009716881
	erfc6    = 0.0859866510319
	erfc7    = -0.228245865758
	erfc8    = 0.0939210176083
)

// geluTanhN is x·sigmoid(2u) with u = √(2/π)·(x + 0.044715x³), the same as
// x·(1 + tanh u)/2 without its cancellation.
const (
	geluLinear = 1.5957691216 // 2√(2/π)
	geluCubic  = 0.0713548163 // 2√(2/π)·0.044715
)
