package norm

import "slices"

// Framework says whose meaning of momentum, of the running variance and of the
// defaults a layer follows:
//
//	PyTorch  r ← (1-m)·r + m·b   running variance unbiased   m = 0.1    ε = 1e-5
//	ONNX     r ← m·r + (1-m)·b   running variance biased     m = 0.9    ε = 1e-5
//	Keras    r ← m·r + (1-m)·b   running variance biased     m = 0.99   ε = 1e-3
//
// r is a running statistic, b the batch's. The batch itself is always normalized
// with its biased variance. A single value per channel has no unbiased variance:
// PyTorch refuses it in training, under the others it becomes beta.
type Framework int

const (
	PyTorch Framework = iota
	ONNX
	Keras
)

// DefaultEpsilon is the ε of most frameworks' normalizations.
const DefaultEpsilon = 1e-5

// Defaults are the framework's momentum and ε.
func (f Framework) Defaults() (momentum, epsilon float64) {
	switch f {
	case ONNX:
		return 0.9, DefaultEpsilon
	case Keras:
		return 0.99, 1e-3
	}
	return 0.1, DefaultEpsilon
}

// BatchNormLayer is batch normalization with its parameters and running statistics,
// for training. Forward normalizes with the statistics of the batch,
//
//	y = (x - μ_c)/√(σ²_c + ε) · Gamma[c] + Beta[c]
//	μ_c = mean of x over all axes but the channels', σ²_c = mean of (x - μ_c)²
//
// or with the running ones, and remembers which, so that Backward can give the
// gradients of that very pass. Shapes may differ from call to call; with a shape
// seen last time nothing is allocated. One layer serves one goroutine at a time.
//
// The exported fields may be read and set between calls; the four slices must keep
// their length.
//
// Source: Ioffe, Szegedy, "Batch Normalization", arXiv:1502.03167, algorithms 1 and 2
// and the gradients of section 3.
type BatchNormLayer struct {
	Gamma, Beta             []float32 // scale and shift; nil for a layer without them
	RunningMean, RunningVar []float32
	Batches                 int // that the running statistics have seen

	Framework  Framework
	Momentum   float64
	Cumulative bool // the plain average over all batches in place of Momentum (PyTorch's momentum None)
	Epsilon    float64
	Layout     Layout
	Activation Activation // in the forward pass; Backward takes the gradient before it

	op       string
	instance bool // statistics for each example by itself
	channels int
	shape    []int
	grid     *grid
	epsilon  float64 // of the grid's pass, as the next four
	count    int     // values behind each batch statistic; 0 when they were the running ones
	saved    []float64
	sums     []float64 // Σdy·x̂ and Σdy of each channel
	batch    *Moments  // what the running statistics take from a batch
	ready    bool
}

// NewBatchNormLayer returns a layer with the framework's defaults, Gamma and
// RunningVar 1, Beta and RunningMean 0. A negative number of channels is a
// *ShapeError, an unknown framework a *ValueError.
func NewBatchNormLayer(channels int, framework Framework) (*BatchNormLayer, error) {
	return newLayer(batchOp, channels, framework, false)
}

// NewInstanceNormLayer returns a BatchNormLayer that takes the statistics of each
// example and channel by themselves, and whose running statistics take the average
// over the examples: PyTorch's InstanceNorm with track_running_stats. With
// useBatch false all examples share the running statistics.
func NewInstanceNormLayer(channels int, framework Framework) (*BatchNormLayer, error) {
	return newLayer(instanceOp, channels, framework, true)
}

func newLayer(op string, channels int, framework Framework, instance bool) (*BatchNormLayer, error) {
	if channels < 0 {
		return nil, shapeError(op, "channels is ", channels, ", want at least 0")
	}
	if framework < PyTorch || framework > Keras {
		return nil, valueError(op, "framework is ", int(framework), ", want PyTorch, ONNX or Keras (0 to 2)")
	}
	l := &BatchNormLayer{Framework: framework, op: op, instance: instance, channels: channels}
	l.Momentum, l.Epsilon = framework.Defaults()
	s := make([]float32, 4*channels)
	l.Gamma, l.Beta = s[:channels:channels], s[channels:2*channels:2*channels]
	l.RunningMean, l.RunningVar = s[2*channels:3*channels:3*channels], s[3*channels:]
	for c := range channels {
		l.Gamma[c], l.RunningVar[c] = 1, 1
	}
	l.sums = make([]float64, 2*channels)
	l.batch = NewMoments(channels)
	return l, nil
}

// Forward normalizes x of this shape into y; y may be x. useBatch normalizes with
// the batch's statistics rather than the running ones, update lets the running ones
// learn from the batch (afterwards): training sets both, inference none.
//
// A channel whose running variance + Epsilon is negative is NaN where it is used. A wrong
// length or rank is a *ShapeError; a momentum or epsilon that makes no sense is a *ValueError, as is a single value per channel under
// PyTorch. Neither y nor the running statistics have changed then. A batch of no
// values at all changes nothing.
func (l *BatchNormLayer) Forward(y, x []float32, shape []int, useBatch, update bool) error {
	if err := l.prepare(y, x, shape, useBatch || update, 0); err != nil {
		return err
	}
	g := l.grid
	l.count = 0
	if len(x) == 0 {
		return nil
	}
	if useBatch {
		l.count = g.count()
	}
	l.batch.Reset()
	for n := range g.samples {
		part, from := x[n*g.size:(n+1)*g.size], n*2*g.groups
		if useBatch {
			g.forward(y[n*g.size:(n+1)*g.size], part, l.Gamma, l.Beta)
		} else if update {
			g.statistics(part)
		}
		if useBatch || update {
			for c := range l.channels {
				l.batch.Mean[c] += (g.mean[c] - l.batch.Mean[c]) / float64(n+1)
				l.batch.Variance[c] += (g.variance[c] - l.batch.Variance[c]) / float64(n+1)
			}
		}
		if !useBatch {
			l.frozen()
			g.normalize(y[n*g.size:(n+1)*g.size], part, l.Gamma, l.Beta)
		}
		l.save(from)
	}
	if update {
		l.batch.Count = g.count()
		l.learn(l.batch)
	}
	return nil
}

// prepare checks the arguments of a pass and sets up the grid for its shape. count
// is the number of values behind a statistic, 0 for those that x has; after an error
// everything is as it was.
func (l *BatchNormLayer) prepare(y, x []float32, shape []int, statistics bool, count int) error {
	n, channels, inner, err := l.Layout.extents(l.op, shape)
	if err != nil {
		return err
	}
	if channels != l.channels {
		return shapeError(l.op, "x ", shape, " has ", channels, " channels (axis ", l.Layout.axis(len(shape)), "), want ", l.channels)
	}
	if err := checkEpsilon(l.op, l.Epsilon); err != nil {
		return err
	}
	if err := checkActivation(l.op, l.Activation); err != nil {
		return err
	}
	if statistics && !l.Cumulative && !(l.Momentum >= 0 && l.Momentum <= 1) {
		return valueError(l.op, "momentum is ", l.Momentum, ", want 0 to 1")
	}
	size := n * channels * inner
	w := about{op: l.op, shape: shape}
	if err := w.check(arg{"x", x, size, ofShape}, arg{"y", y, size, ofShape}, arg{"gamma", l.Gamma, channels, eachChannel | optional}, arg{"beta", l.Beta, channels, eachChannel | optional},
		arg{"running mean", l.RunningMean, channels, eachChannel}, arg{"running variance", l.RunningVar, channels, eachChannel}); err != nil {
		return err
	}
	if count == 0 {
		if count = inner; !l.instance {
			count *= n
		}
	}
	if statistics && size > 0 && count == 1 && l.Framework == PyTorch {
		return valueError(l.op, "x ", shape, " has one value per channel, want more (PyTorch's unbiased variance divides by one less)")
	}
	if l.grid == nil || !slices.Equal(l.shape, shape) || l.epsilon != l.Epsilon {
		l.grid = l.newGrid(n, channels, inner)
		l.shape, l.epsilon = append(l.shape[:0], shape...), l.Epsilon
	}
	l.grid.activation = l.Activation
	if size > 0 {
		l.grid.allocate()
		if want := l.grid.samples * 2 * l.grid.groups; len(l.saved) < want {
			l.saved = make([]float64, want)
		}
	}
	l.ready = true
	return nil
}

func (l *BatchNormLayer) newGrid(n, channels, inner int) *grid {
	samples, outer := 1, n
	if l.instance {
		samples, outer = n, 1
	}
	if l.Layout == NHWC {
		outer, inner = outer*inner, 1
	}
	g := newGrid(samples, outer, channels, inner, 1)
	g.epsilon = l.Epsilon
	return g
}

// frozen takes the running statistics for those of the sample.
func (l *BatchNormLayer) frozen() {
	for c := range l.channels {
		l.grid.mean[c], l.grid.variance[c] = float64(l.RunningMean[c]), float64(l.RunningVar[c])
	}
}

// save keeps mean and 1/√(σ² + ε) of a sample for the backward pass.
func (l *BatchNormLayer) save(from int) {
	g := l.grid
	copy(l.saved[from:], g.mean)
	copy(l.saved[from+g.groups:], g.rstd)
}

// learn updates the running statistics from a batch.
func (l *BatchNormLayer) learn(m *Moments) {
	keep := l.Momentum
	if l.Framework == PyTorch {
		keep = 1 - l.Momentum
	}
	if l.Cumulative {
		keep = float64(l.Batches) / float64(l.Batches+1)
	}
	for c := range l.channels {
		l.RunningMean[c] = float32(float64(keep*float64(l.RunningMean[c])) + float64((1-keep)*m.Mean[c]))
		l.RunningVar[c] = float32(float64(keep*float64(l.RunningVar[c])) + float64((1-keep)*l.runningVariance(m, c)))
	}
	l.Batches++
}

// runningVariance is the framework's variance of a batch for the running statistics.
func (l *BatchNormLayer) runningVariance(m *Moments, c int) float64 {
	v := m.Variance[c]
	if l.Framework == PyTorch && m.Count > 1 {
		v *= float64(m.Count) / float64(m.Count-1)
	}
	return v
}

// Backward computes the gradients of the latest Forward or ForwardWith, in the mode
// that it ran in. dy is the gradient of its y (before the Activation, where there is
// one), x what it was given. With n values per channel and batch statistics
//
//	dβ = Σ dy,  dγ = Σ dy·x̂,  dx = γ/√(σ² + ε) · (dy - dβ/n - x̂·dγ/n)
//
// and with running statistics dx = γ/√(σ² + ε)·dy. dgamma and dbeta may be nil; dx
// may be dy or x. A wrong length is a *ShapeError, a missing Forward a *ValueError.
func (l *BatchNormLayer) Backward(dx, dgamma, dbeta, dy, x []float32) error {
	if err := l.checkBackward(dx, dgamma, dbeta, dy, x); err != nil {
		return err
	}
	clear(l.sums)
	g := l.grid
	for n := 0; n < g.samples && len(x) > 0; n++ {
		l.restore(n)
		for k := 0; k < g.groups; {
			p, groups, e, c := g.part(k)
			from, to := n*g.size+e, (n+1)*g.size
			p.products(dy[from:to], x[from:to], true)
			for s := range p.slots {
				l.sums[c+g.channel(s)] += p.sums[p.period+s]
				l.sums[l.channels+c+g.channel(s)] += p.sums[s]
			}
			sums := l.sums
			if l.instance { // each example has its own
				sums = nil
			}
			l.differentiate(p, c, dx[from:to], dy[from:to], x[from:to], sums, l.count > 0)
			k += groups
		}
	}
	l.parameters(dgamma, dbeta, l.sums)
	return nil
}

func (l *BatchNormLayer) checkBackward(dx, dgamma, dbeta, dy, x []float32) error {
	if !l.ready {
		return valueError(l.op, "Backward came before Forward: there are no statistics")
	}
	size := l.grid.samples * l.grid.size
	return about{op: l.op, shape: l.shape}.check(arg{"dx", dx, size, ofShape}, arg{"dy", dy, size, ofShape}, arg{"x", x, size, ofShape},
		arg{"gamma", l.Gamma, l.channels, eachChannel | optional}, arg{"dgamma", dgamma, l.channels, eachChannel | optional}, arg{"dbeta", dbeta, l.channels, eachChannel | optional})
}

// products runs the reductions of x with the statistics of its forward pass.
func (l *BatchNormLayer) products(dy, x []float32) {
	l.restore(0)
	l.grid.products(dy, x, true)
}

// restore takes the statistics of a sample's forward pass.
func (l *BatchNormLayer) restore(sample int) {
	g := l.grid
	from := sample * 2 * g.groups
	for k := range g.groups {
		g.mean[k], g.rstd[k] = l.saved[from+k], l.saved[from+g.groups+k]
		g.rest[k] = (g.mean[k] - float64(float32(g.mean[k]))) * g.rstd[k]
	}
}

// differentiate gives dx of a part of a sample, whose channels begin at c, from the
// sums of all channels; nil sums are the part's own. own as in grid.differentiate.
func (l *BatchNormLayer) differentiate(g *grid, c int, dx, dy, x []float32, sums []float64, own bool) {
	for k := range g.groups {
		var m1, m2 float64
		if l.count > 0 {
			a, b := g.sums[k], g.sums[g.period+k]
			if sums != nil {
				a, b = sums[l.channels+c+k], sums[c+k]
			}
			scale := float64(at(l.Gamma, c+k, 1)) / float64(l.count)
			m1, m2 = float64(a*scale)+(scale-scale), b*scale // NaN for an infinite γ, which belongs inside of Σ γ·dy
		}
		g.moments[2*k], g.moments[2*k+1] = m1, m2
	}
	g.differentiate(dx, dy, x, tail(l.Gamma, c), own)
}

func (l *BatchNormLayer) parameters(dgamma, dbeta []float32, sums []float64) {
	for c := range dgamma {
		dgamma[c] = float32(sums[c])
	}
	for c := range dbeta {
		dbeta[c] = float32(sums[l.channels+c])
	}
}
