package norm

const foldOp = "FoldBatchNorm"

// FoldBatchNorm moves a BatchNorm with fixed statistics into the convolution or linear
// layer before it: with a = gamma/√(variance + ε),
//
//	weight[o,c,i] = w[o,c,i]·a[c],  bias[c] = (b[c] - mean[c])·a[c] + beta[c]
//
// so that weight·x + bias is BatchNorm(w·x + b), one operation fewer. w and weight are
// [outer channels inner], c counting the layer's outputs:
//
//	convolution [O I/g kH kW]            outer 1, channels O, inner I/g·kH·kW
//	linear [O I] (Gemm with transB)      outer 1, channels O, inner I
//	linear [I O]                         outer I, channels O, inner 1
//	transposed convolution [I O kH kW]   outer I, channels O, inner kH·kW
//
// b, gamma and beta may be nil (0, 1 and 0). weight may be w, bias may be b. All
// arithmetic is float64. A channel whose variance + epsilon is negative gets NaN, as in
// BatchNorm. Wrong lengths are a *ShapeError; nothing has been written then.
func FoldBatchNorm(weight, bias, w, b, mean, variance, gamma, beta []float32, outer, channels, inner int, epsilon float64) error {
	if outer < 0 || channels < 0 || inner < 0 {
		return shapeError(foldOp, "outer, channels and inner are ", []int{outer, channels, inner}, ", want none negative")
	}
	size, err := elements3(outer, channels, inner)
	if err != nil {
		return err
	}
	if err := checkEpsilon(foldOp, epsilon); err != nil {
		return err
	}
	p := about{op: foldOp, a: outer, b: channels, c: inner}
	if err := p.check(arg{"w", w, size, ofPlanes}, arg{"weight", weight, size, ofPlanes}, arg{"bias", bias, channels, eachChannel},
		arg{"mean", mean, channels, eachChannel}, arg{"variance", variance, channels, eachChannel}, arg{"b", b, channels, eachChannel | optional},
		arg{"gamma", gamma, channels, eachChannel | optional}, arg{"beta", beta, channels, eachChannel | optional}); err != nil {
		return err
	}
	for c := range channels {
		a := exactScale(at(gamma, c, 1), variance[c], epsilon)
		for o := range outer {
			from := (o*channels + c) * inner
			for i, e := range w[from : from+inner] {
				weight[from+i] = float32(float64(e) * a)
			}
		}
		bias[c] = float32(float64((float64(at(b, c, 0))-float64(mean[c]))*a) + float64(at(beta, c, 0)))
	}
	return nil
}
