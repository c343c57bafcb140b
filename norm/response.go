package norm

import "github.com/normwasm/normwasm/internal/kernel"

const responseOp = "LocalResponseNorm"

// LocalResponseNorm is local response normalization of tensors of one shape [N C …]:
// every element is divided by a power of the sum of the squares of neighbouring channels,
//
//	y[n,c,i] = x[n,c,i] / (bias + alpha/size · Σ_k x[n,k,i]²)^beta
//	k from c - ⌊(size-1)/2⌋ to c + ⌊size/2⌋, where there are such channels
//
// There are no parameters to learn and no mean. All arithmetic is float64: only the
// result is rounded. With beta 0.5, 0.75 or 1 the power is taken by square roots and
// the kernel; others cost a math.Pow an element. It owns the scratch memory, so that
// neither pass allocates once it has run. One LocalResponseNorm serves one goroutine
// at a time.
//
// Source: Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep
// Convolutional Neural Networks" (2012), section 3.3; alpha/size as ONNX and PyTorch
// have it (the paper and TensorFlow do not divide).
type LocalResponseNorm struct {
	shape                  []int
	batch, channels, inner int
	size                   int
	alpha, beta, bias      float64 // alpha is α/size
	positions              int     // pixels of a block
	scratch                []float64
}

// responseElements is how many squares a block has: the first-level cache holds them.
const responseElements = 2048

// NewLocalResponseNorm prepares normalization of tensors of this shape, whose axis 1
// counts channels. The usual numbers are size 5, alpha 1e-4, beta 0.75, bias 1 (ONNX's
// defaults). A rank below 2 or a negative dimension is a *ShapeError; a size below 1, or
// numbers that are not finite, a *ValueError.
func NewLocalResponseNorm(shape []int, size int, alpha, beta, bias float64) (*LocalResponseNorm, error) {
	n, channels, inner, err := NCHW.extents(responseOp, shape)
	if err != nil {
		return nil, err
	}
	if size < 1 {
		return nil, valueError(responseOp, "size is ", size, ", want at least 1")
	}
	for i, v := range []float64{alpha, beta, bias} {
		if v-v != 0 {
			return nil, valueError(responseOp, []string{"alpha", "beta", "bias"}[i], " is ", v, ", want a finite number")
		}
	}
	return &LocalResponseNorm{shape: append([]int(nil), shape...), batch: n, channels: channels, inner: inner, size: size,
		alpha: alpha, beta: beta, bias: bias, positions: min(inner, max(4, responseElements/max(channels, 1)&^3))}, nil
}

// Forward normalizes x into y; y may be x. A wrong length is a *ShapeError.
func (l *LocalResponseNorm) Forward(y, x []float32) error {
	size := l.batch * l.channels * l.inner
	if err := (about{op: responseOp, shape: l.shape}).check(arg{"x", x, size, ofShape}, arg{"y", y, size, ofShape}); err != nil {
		return err
	}
	l.blocks(size, 1, func(at, n int) {
		kernel.LocalResponse(&y[at], &x[at], &l.scratch[0], l.channels, l.inner, n, l.size, l.alpha, l.beta, l.bias)
	})
	return nil
}

// Backward computes the gradient of Forward from dy and its x. With d = bias + alpha/size·Σx²,
//
//	dx[c] = dy[c]/d[c]^beta - 2·alpha·beta/size · x[c] · Σ_k dy[k]·x[k]/d[k]^(beta+1)
//
// over the channels k whose window has c in it. dx may be dy or x.
func (l *LocalResponseNorm) Backward(dx, dy, x []float32) error {
	size := l.batch * l.channels * l.inner
	if err := (about{op: responseOp, shape: l.shape}).check(arg{"x", x, size, ofShape}, arg{"dy", dy, size, ofShape}, arg{"dx", dx, size, ofShape}); err != nil {
		return err
	}
	l.blocks(size, 3, func(at, n int) {
		kernel.LocalResponseGrad(&dx[at], &dy[at], &x[at], &l.scratch[0], l.channels, l.inner, n, l.size, l.alpha, l.beta, l.bias)
	})
	return nil
}

// blocks calls run for each block of pixels, with scratch for some numbers an element.
func (l *LocalResponseNorm) blocks(size, numbers int, run func(at, n int)) {
	if size == 0 {
		return
	}
	if need := numbers * l.channels * l.positions; len(l.scratch) < need {
		l.scratch = make([]float64, need)
	}
	for example := range l.batch {
		for p := 0; p < l.inner; p += l.positions {
			run(example*l.channels*l.inner+p, min(l.positions, l.inner-p))
		}
	}
}
