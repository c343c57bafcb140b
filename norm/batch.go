package norm

import (
	"math"

	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/slab"
)

const batchOp = "BatchNorm"

// Activation is what a normalization applies to its result in the same pass.
type Activation int

const (
	Linear Activation = iota // y as it is
	ReLU                     // max(y, 0)
	ReLU6                    // min(max(y, 0), 6)
)

// BatchNorm is batch normalization in inference, for tensors of one shape: every
// channel c is normalized with statistics that were fixed in training,
//
//	y = (x - mean[c])/√(variance[c] + epsilon) · gamma[c] + beta[c]
//
// and a ReLU, ReLU6 or SiLU may follow in the same pass (NaN goes through all). It
// holds the prepared parameters, so that neither Forward nor Apply allocates. One
// BatchNorm serves one goroutine at a time; Apply alone may run concurrently.
//
// Source: Ioffe, Szegedy, "Batch Normalization", arXiv:1502.03167, algorithm 2.
type BatchNorm struct {
	shape                  []int
	axis                   int
	outer, channels, inner int
	epsilon                float64
	activation             Activation

	// What the kernels read: one value a channel, or in the rows form the
	// channels' values tiled to period.
	mean, scale, beta []float32
	period            int // 0 for the planes form

	exact []float64    // gamma/√(variance + ε) of every channel
	hard  []bool       // channels that float32 does not carry safely
	any   bool         // whether there are any
	given [4][]float32 // what Prepare was called with, to know it again
	ready bool
}

// The rows form serves channels-last data, and planes too short to vectorize.
const (
	shortPlane = 16  // below this many elements a plane is short
	tileTarget = 256 // tiles are about this long, so that a kernel's inner loop pays
)

// NewBatchNorm prepares batch normalization of tensors of this shape, whose
// channels are counted by axis (negative counts from the end; Layout.Axis gives it
// for NCHW and NHWC). Rank 1 and more; dimensions of 0 are legal. The parameters
// come with Prepare or Forward.
//
// An axis out of range or a negative dimension is a *ShapeError; an epsilon that
// is NaN, infinite or negative a *ValueError.
func NewBatchNorm(shape []int, axis int, epsilon float64, activation Activation) (*BatchNorm, error) {
	if _, err := elements(batchOp, shape); err != nil {
		return nil, err
	}
	axis, err := resolveAxis(batchOp, axis, shape)
	if err != nil {
		return nil, err
	}
	if err := checkEpsilon(batchOp, epsilon); err != nil {
		return nil, err
	}
	if err := checkActivation(batchOp, activation); err != nil {
		return nil, err
	}
	b := &BatchNorm{shape: append([]int(nil), shape...), axis: axis, channels: shape[axis], epsilon: epsilon, activation: activation}
	if b.outer, err = elements(batchOp, shape[:axis]); err != nil {
		return nil, err
	}
	if b.inner, err = elements(batchOp, shape[axis+1:]); err != nil {
		return nil, err
	}
	return b, nil
}

// Channels is the number of elements that mean, variance, gamma and beta have.
func (b *BatchNorm) Channels() int { return b.channels }

// allocate makes the slices for the parameters. The constructor leaves that to the first
// Prepare: a shape may be absurdly large, and whoever passes parameters of that length
// has had the memory for them.
func (b *BatchNorm) allocate() {
	n := b.channels
	if b.inner > 0 && b.inner < shortPlane {
		n *= b.inner
		if b.outer > 1 && n > 0 {
			for n%4 != 0 {
				n *= 2
			}
			n *= (tileTarget + n - 1) / n
		}
		b.period = n
	}
	b.mean, b.scale, b.beta = make([]float32, n), make([]float32, n), make([]float32, n)
	b.exact, b.hard = make([]float64, b.channels), make([]bool, b.channels)
}

// Prepare takes the parameters, each with Channels elements; gamma and beta may be
// nil (then 1 and 0). They are copied: later changes of the slices do not show.
//
// Stored variances may be a little below 0, as float32 leaves them: what counts is
// variance + epsilon. Where that is negative or NaN the channel's results are NaN,
// where it is 0 infinite or NaN; other channels do not notice. A wrong length is a
// *ShapeError; what had been prepared before stays in force.
func (b *BatchNorm) Prepare(mean, variance, gamma, beta []float32) error {
	n := b.channels
	w := about{op: batchOp, shape: b.shape, a: b.axis}
	if err := w.check(arg{"mean", mean, n, ofAxis}, arg{"variance", variance, n, ofAxis}, arg{"gamma", gamma, n, ofAxis | optional}, arg{"beta", beta, n, ofAxis | optional}); err != nil {
		return err
	}
	if b.exact == nil {
		b.allocate()
	}
	b.any = false
	for c := range n {
		g := float32(1)
		if gamma != nil {
			g = gamma[c]
		}
		b.exact[c] = exactScale(g, variance[c], b.epsilon)
		b.hard[c] = isHard(mean[c], b.exact[c]) || kernel.IsLarge(at(beta, c, 0))
		b.any = b.any || b.hard[c]
	}
	repeat := 1
	if b.period > 0 {
		repeat = b.inner
	}
	for c := range n {
		t := float32(0)
		if beta != nil {
			t = beta[c]
		}
		for i := c * repeat; i < (c+1)*repeat; i++ {
			b.mean[i], b.scale[i], b.beta[i] = mean[c], float32(b.exact[c]), t
		}
	}
	tile(b.mean, n*repeat)
	tile(b.scale, n*repeat)
	tile(b.beta, n*repeat)
	for i, s := range [...][]float32{mean, variance, gamma, beta} {
		b.given[i] = append(b.given[i][:0], s...)
	}
	b.ready = true
	return nil
}

// prepared says whether the latest Prepare had these very parameters. Statistics
// at inference rarely change, and comparing them costs a tenth of the roots and
// quotients of preparing them.
func (b *BatchNorm) prepared(mean, variance, gamma, beta []float32) bool {
	return b.ready && equalBits(b.given[0], mean) && equalBits(b.given[1], variance) &&
		equalBits(b.given[2], gamma) && equalBits(b.given[3], beta)
}

// equalBits compares numbers by their bits. (Where a module is built without inlining math.Float32bits would be a call for each.)
func equalBits(a, b []float32) bool {
	if len(a) != len(b) {
		return false
	}
	x, y := slab.View[uint32](slab.Bytes(a)), slab.View[uint32](slab.Bytes(b))
	y = y[:len(x)]
	var other uint32
	for i, v := range x {
		other |= v ^ y[i]
	}
	return other == 0
}

// tile repeats the first n elements of s over all of it.
func tile(s []float32, n int) {
	for filled := n; filled > 0 && filled < len(s); filled *= 2 {
		copy(s[filled:], s[:filled])
	}
}

// Apply normalizes x into y with the parameters of the latest Prepare. Both have
// the elements of the prepared shape; y may be the same slice as x and must not
// overlap it otherwise. A wrong length is a *ShapeError, a missing Prepare a
// *ValueError.
func (b *BatchNorm) Apply(y, x []float32) error {
	size := b.outer * b.channels * b.inner
	if err := b.sized(y, x, size); err != nil {
		return err
	}
	switch {
	case !b.ready:
		return valueError(batchOp, "Apply came before Prepare: there are no statistics")
	case size == 0:
		return nil
	}
	switch {
	case b.any:
		b.applyExact(y, x)
	case b.activation == SiLU:
		b.applySiLU(y, x)
	case b.period > 0:
		kernel.BatchNormRows(&y[0], &x[0], &b.mean[0], &b.scale[0], &b.beta[0], size, b.period, int(b.activation))
	default:
		kernel.BatchNormPlanes(&y[0], &x[0], &b.mean[0], &b.scale[0], &b.beta[0], b.outer*b.channels, b.channels, b.inner, int(b.activation))
	}
	return nil
}

// applySiLU applies the activation to some elements while the first-level cache has them.
func (b *BatchNorm) applySiLU(y, x []float32) {
	if b.period > 0 {
		step := max(1, residualBlock/b.period) * b.period
		for from := 0; from < len(x); from += step {
			part := y[from:min(from+step, len(x))]
			kernel.BatchNormRows(&part[0], &x[from], &b.mean[0], &b.scale[0], &b.beta[0], len(part), b.period, kernel.ClampNone)
			activate(part, SiLU)
		}
		return
	}
	step := max(1, residualBlock/b.inner)
	for from := 0; from < len(x); {
		c := from / b.inner % b.channels
		n := min(step, b.channels-c)
		part := y[from : from+n*b.inner]
		kernel.BatchNormPlanes(&part[0], &x[from], &b.mean[c], &b.scale[c], &b.beta[c], n, n, b.inner, kernel.ClampNone)
		activate(part, SiLU)
		from += len(part)
	}
}

// Forward is Prepare and Apply in one call, for statistics that come with each call.
func (b *BatchNorm) Forward(y, x, mean, variance, gamma, beta []float32) error {
	size := b.outer * b.channels * b.inner
	if err := b.sized(y, x, size); err != nil {
		return err
	}
	if !b.prepared(mean, variance, gamma, beta) {
		if err := b.Prepare(mean, variance, gamma, beta); err != nil {
			return err
		}
	}
	return b.Apply(y, x)
}

func (b *BatchNorm) sized(y, x []float32, size int) error {
	return about{op: batchOp, shape: b.shape}.check(arg{"x", x, size, ofShape}, arg{"y", y, size, ofShape})
}

// applyExact serves calls with HARD channels. It computes these in float64 and the others
// plane by plane with the kernel, so that a channel's result does not depend on its
// neighbours.
func (b *BatchNorm) applyExact(y, x []float32) {
	clamp := int(b.activation)
	if b.activation == SiLU {
		clamp = kernel.ClampNone // and the activation last
	}
	at := 0
	for range b.outer {
		for c := range b.channels {
			i := c
			if b.period > 0 {
				i = c * b.inner
			}
			if !b.hard[c] {
				kernel.BatchNormPlanes(&y[at], &x[at], &b.mean[i], &b.scale[i], &b.beta[i], 1, 1, b.inner, clamp)
				at += b.inner
				continue
			}
			m, a, beta := float64(b.mean[i]), b.exact[c], float64(b.beta[i])
			from, to := x[at:at+b.inner], y[at:at+b.inner]
			for j, e := range from {
				to[j] = kernel.Clamped(float32(float64((float64(e)-m)*a)+beta), clamp)
			}
			at += b.inner
		}
	}
	if b.activation == SiLU {
		activate(y, SiLU)
	}
}

// exactScale is gamma/√(variance + ε), rounded to float64 only.
func exactScale(gamma, variance float32, epsilon float64) float64 {
	return float64(gamma) / math.Sqrt(float64(variance)+epsilon)
}

// isHard says whether x - mean could overflow float32 for some finite x, or the
// scale leaves its normal range. A mean below half a step of the largest float32 is
// lost against it.
func isHard(mean float32, scale float64) bool {
	scale = math.Abs(scale)
	return !(math.Abs(float64(mean)) < kernel.MeanMax) || !(scale == 0 || scale >= 0x1p-126 && scale <= math.MaxFloat32)
}

// BatchNormScale fills scale with gamma/√(variance + epsilon), computed in float64:
// what BatchNormApply takes. gamma may be nil (then 1). scale may be the same slice
// as either. It is NaN where variance + epsilon is negative, as in BatchNorm. Lengths
// that differ are a *ShapeError.
func BatchNormScale(scale, variance, gamma []float32, epsilon float64) error {
	if err := checkEpsilon(batchOp, epsilon); err != nil {
		return err
	}
	n := len(scale)
	if err := (about{op: batchOp}).check(arg{"variance", variance, n, eachChannel}, arg{"gamma", gamma, n, eachChannel | optional}); err != nil {
		return err
	}
	for c, v := range variance {
		g := float32(1)
		if gamma != nil {
			g = gamma[c]
		}
		scale[c] = float32(exactScale(g, v, epsilon))
	}
	return nil
}

// BatchNormApply is the bare application, without allocation or preparation:
//
//	y[o,c,i] = activation((x[o,c,i] - mean[c]) · scale[c] + beta[c])
//
// x and y are [outer channels inner] (NCHW: outer N, inner H·W; NHWC: outer
// N·H·W, inner 1), the parameters [channels]. All arithmetic is float32: unlike
// BatchNorm it does not look for means and scales near the ends of float32's range.
// y may be the same slice as x. A wrong length is a *ShapeError.
func BatchNormApply(y, x, mean, scale, beta []float32, outer, channels, inner int, activation Activation) error {
	if outer < 0 || channels < 0 || inner < 0 {
		return shapeError(batchOp, "outer, channels and inner are ", []int{outer, channels, inner}, ", want none negative")
	}
	size, err := elements3(outer, channels, inner)
	if err != nil {
		return err
	}
	w := about{op: batchOp, a: outer, b: channels, c: inner}
	if len(x) != size || len(y) != size || len(mean) != channels || len(scale) != channels || len(beta) != channels {
		return w.check(arg{"x", x, size, ofPlanes}, arg{"y", y, size, ofPlanes}, arg{"mean", mean, channels, eachChannel},
			arg{"scale", scale, channels, eachChannel}, arg{"beta", beta, channels, eachChannel})
	}
	switch {
	case activation < Linear || activation > ReLU6:
		return valueError(batchOp, "activation is ", int(activation), ", want Linear, ReLU or ReLU6 (0 to 2)")
	case size == 0:
		return nil
	}
	if inner == 1 {
		kernel.BatchNormRows(&y[0], &x[0], &mean[0], &scale[0], &beta[0], size, channels, int(activation))
	} else {
		kernel.BatchNormPlanes(&y[0], &x[0], &mean[0], &scale[0], &beta[0], outer*channels, channels, inner, int(activation))
	}
	return nil
}

// elements3 is elements without a slice that would have to be allocated.
func elements3(outer, channels, inner int) (int, error) {
	if outer == 0 || channels == 0 || inner == 0 {
		return 0, nil
	}
	const limit = math.MaxInt / 8
	if outer > limit/channels || outer*channels > limit/inner {
		return 0, shapeError(batchOp, "x ", []int{outer, channels, inner}, " has more elements than memory can hold")
	}
	return outer * channels * inner, nil
}
