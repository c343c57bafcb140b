package op

import (
	"math"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

// Normalizations and softmax of float64: plain loops, for models that have it are rare.

// isDouble says that the call computes in float64 throughout.
func isDouble(c *Call) bool { return c.In(0).Type == ir.Float64 }

// doubleNorm normalizes groups of elements: those that differ in dimensions that a group's
// number does not grow along.
type doubleNorm struct {
	dims, steps []int // of x; what one index further adds to the number of the group
	groups, n   int   // n elements each
	center      bool  // the mean is subtracted
	power       int   // 2 for the root of the squares, 1 for magnitudes
	sum         bool  // of them, not the mean
	epsilon     float64
	outside     bool // epsilon is added to the root

	scaled, shifted    broadcast // y·scale, y + shift, over dimensions of their own
	hasScale, hasShift bool
}

// set makes s normalize x where kept says which dimensions number the groups.
func (s *doubleNorm) set(c *Call, kept []bool) {
	dims := c.In(0).Dims
	s.dims, s.steps = append(s.dims[:0], dims...), append(s.steps[:0], c.Dims(len(dims))...)
	s.groups = 1
	for i := len(dims) - 1; i >= 0; i-- {
		if kept[i] {
			s.steps[i] = s.groups
			s.groups *= dims[i]
		}
	}
	s.n = ir.Elements(dims) / max(s.groups, 1)
	s.center, s.power, s.sum, s.epsilon, s.outside = true, 2, false, 0, false
	s.hasScale, s.hasShift = false, false
	c.Scratch(16 * s.groups)
}

// scale lets inputs 1 and 2, where they are there, be factors and summands of y, as a
// tensor of dimensions out, to which theirs, as a function gives them, are repeated.
func (s *doubleNorm) scale(c *Call, out []int, as func(dims []int) []int) error {
	for i, walk := range [...]*broadcast{&s.scaled, &s.shifted} {
		in := c.In(1 + i)
		if in == nil {
			continue
		}
		if in.Type != ir.Float64 {
			return c.Fail("input ", 1+i, " is ", in.Type.String(), ", want float64 as x")
		}
		dims := as(in.Dims)
		if !repeats(dims, out) {
			return c.Fail("input ", 1+i, " has dimensions ", in.Dims, ", which do not broadcast to ", c.In(0).Dims)
		}
		walk.set(out, out, dims)
		s.hasScale, s.hasShift = s.hasScale || i == 0, s.hasShift || i == 1
	}
	return nil
}

func asTheyAre(dims []int) []int { return dims }

func (s *doubleNorm) Run(a *Args) {
	x, y := a.In[0].Float64s(), a.Out[0].Float64s()
	stats := slab.View[float64](a.Scratch[:16*s.groups])
	clear(stats)
	mean, dev := stats[:s.groups], stats[s.groups:]
	n := float64(s.n)
	if s.center {
		for k, v := range x {
			mean[offsetOf(k, s.dims, s.steps)] += v
		}
		for g := range mean {
			mean[g] /= n
		}
	}
	for k, v := range x {
		g := offsetOf(k, s.dims, s.steps)
		if d := v - mean[g]; s.power == 1 {
			dev[g] += math.Abs(d)
		} else {
			dev[g] += float64(d * d)
		}
	}
	for g, v := range dev {
		if !s.sum {
			v /= n
		}
		if !s.outside {
			v += s.epsilon
		}
		if s.power == 2 {
			v = math.Sqrt(v)
		}
		if s.outside {
			v += s.epsilon
		}
		dev[g] = v
	}
	for k, v := range x {
		g := offsetOf(k, s.dims, s.steps)
		if y[k] = (v - mean[g]) / dev[g]; s.sum && dev[g] == 0 {
			y[k] = 0
		}
	}
	if len(y) > 0 && s.hasScale {
		walkPairs(&s.scaled, floatPair("Mul"), y, y, a.In[1].Float64s(), 0)
	}
	if len(y) > 0 && s.hasShift {
		walkPairs(&s.shifted, floatPair("Add"), y, y, a.In[2].Float64s(), 0)
	}
	rounded(output(a, 1), mean)
	for g, v := range dev[:len(output(a, 2))] {
		output(a, 2)[g] = float32(1 / v)
	}
}

// planDoubleRows is LayerNormalization and, without center, RMSNormalization.
func planDoubleRows(c *Call, center bool) error {
	dims := c.In(0).Dims
	axis, err := axisOf(c, c.Int("axis"), len(dims))
	if err != nil {
		return err
	}
	sameOut(c)
	for i := 1; i < c.NumOut(); i++ {
		c.Out(i, ir.Float32, statDims(c, dims, axis)...)
	}
	kept := make([]bool, len(dims))
	for i := range axis {
		kept[i] = true
	}
	s := Into[doubleNorm](c)
	s.set(c, kept)
	s.center, s.epsilon = center, float64(c.Float("epsilon"))
	return s.scale(c, dims, asTheyAre)
}

// planDoubleGroups normalizes groups of channels, for scale and bias of per elements.
func planDoubleGroups(c *Call, groups, per int) error {
	dims := sameOut(c).Dims
	s := Into[doubleNorm](c)
	s.set(c, make([]bool, len(dims)))
	inner := ir.Elements(dims[1:]) / max(groups, 1)
	s.dims, s.steps = append(s.dims[:0], dims[0]*groups, inner), append(s.steps[:0], 1, 0)
	s.groups, s.n, s.epsilon = dims[0]*groups, inner, float64(c.Float("epsilon"))
	c.Scratch(16 * s.groups)
	return s.scale(c, []int{dims[0], per, ir.Elements(dims[1:]) / max(per, 1)}, func(dims []int) []int { return []int{dims[0], 1} })
}

// doubleBatchNorm is BatchNormalization where any of its operands is float64: all of them are
// widened to scratch memory.
type doubleBatchNorm struct {
	load                    [5]func(dst []float64, src []byte)
	store, stat             func(dst []byte, src []float64) // of x's type and of the statistics'
	images, channels, inner int
	epsilon, momentum       float64
	trains                  bool
}

func planDoubleBatchNorm(c *Call, shape []int) error {
	dims := sameOut(c).Dims
	s := Into[doubleBatchNorm](c)
	for i := range s.load {
		s.load[i] = loadFloats(c.In(i).Type)
	}
	s.store, s.stat = storeFloats(c.In(0).Type), storeFloats(c.In(3).Type)
	s.images, s.channels, s.inner = shape[0], shape[1], ir.Elements(shape[2:])
	s.epsilon, s.momentum, s.trains = float64(c.Float("epsilon")), float64(c.Float("momentum")), Trains(c.Node)
	c.Scratch(8 * (ir.Elements(dims) + 6*s.channels))
	for i := 1; i <= 4 && s.trains; i++ {
		c.Out(i, c.In(3).Type, s.channels)
	}
	return nil
}

func (s *doubleBatchNorm) Run(a *Args) {
	room := slab.View[float64](a.Scratch)
	part := func(n int) []float64 {
		p := room[:n]
		room = room[n:]
		return p
	}
	x := part(s.images * s.channels * s.inner)
	gamma, beta, mean, variance := part(s.channels), part(s.channels), part(s.channels), part(s.channels)
	for i, p := range [...][]float64{x, gamma, beta, mean, variance} {
		s.load[i](p, a.In[i].Data)
	}
	if s.trains {
		s.train(a, x, mean, variance, part(s.channels), part(s.channels))
	}
	for c, v := range variance {
		gamma[c] /= math.Sqrt(v + s.epsilon)
	}
	for k := range x {
		c := k / s.inner % s.channels
		x[k] = float64((x[k]-mean[c])*gamma[c]) + beta[c]
	}
	s.store(a.Out[0].Data, x)
}

// train puts the batch's own statistics in the place of the running ones, which it writes
// to the outputs as they become.
func (s *doubleBatchNorm) train(a *Args, x, mean, variance, own, ownVariance []float64) {
	clear(own)
	clear(ownVariance)
	n := float64(s.images * s.inner)
	for k, v := range x {
		own[k/s.inner%s.channels] += v
	}
	for c := range own {
		own[c] /= n
	}
	for k, v := range x {
		d := v - own[k/s.inner%s.channels]
		ownVariance[k/s.inner%s.channels] += float64(d * d)
	}
	for c := range own {
		ownVariance[c] /= n
		mean[c] = float64(mean[c]*s.momentum) + float64(own[c]*(1-s.momentum))
		variance[c] = float64(variance[c]*s.momentum) + float64(ownVariance[c]*(1-s.momentum))
	}
	for i, list := range [...][]float64{mean, variance, own, ownVariance} {
		if i+1 < len(a.Out) && a.Out[i+1] != nil {
			s.stat(a.Out[i+1].Data, list)
		}
	}
	copy(mean, own)
	copy(variance, ownVariance)
}

// doubleLRN divides by sums over neighbouring channels.
type doubleLRN struct {
	images, channels, inner int
	size                    int
	alpha, beta, bias       float64 // alpha is that of one square
}

func (s *doubleLRN) Run(a *Args) {
	x, y := a.In[0].Float64s(), a.Out[0].Float64s()
	for k, v := range x {
		c, sum := k/s.inner%s.channels, 0.0
		for d := max(c-(s.size-1)/2, 0); d <= min(c+s.size/2, s.channels-1); d++ {
			w := x[k+(d-c)*s.inner]
			sum += float64(w * w)
		}
		y[k] = v / math.Pow(s.bias+float64(s.alpha*sum), s.beta)
	}
}

// doubleSoftmax is over the middle one of three axes.
type doubleSoftmax struct {
	outer, n, inner int
	log             bool
}

func (s *doubleSoftmax) Run(a *Args) {
	x, y := a.In[0].Float64s(), a.Out[0].Float64s()
	for k := range s.outer * s.inner {
		at := k/s.inner*s.n*s.inner + k%s.inner
		top, sum := math.Inf(-1), 0.0
		for i := range s.n {
			top = max(top, x[at+i*s.inner])
		}
		for i := range s.n {
			sum += math.Exp(x[at+i*s.inner] - top)
		}
		for i := range s.n {
			d := x[at+i*s.inner] - top
			if s.log {
				y[at+i*s.inner] = d - math.Log(sum)
			} else {
				y[at+i*s.inner] = math.Exp(d) / sum
			}
		}
	}
}

// Functions of one element, with the parameters of float32's.

func softplus(v, _, _ float64) float64 { return max(v, 0) + math.Log1p(math.Exp(-math.Abs(v))) }

func elu(v, alpha, _ float64) float64 {
	if v < 0 {
		return alpha * math.Expm1(v)
	}
	return v
}

func selu(v, alpha, gamma float64) float64 { return gamma * elu(v, alpha, 0) }

func celu(v, alpha, _ float64) float64 {
	if v < 0 {
		return alpha * math.Expm1(v/alpha)
	}
	return v
}

func leakyRelu(v, alpha, _ float64) float64 {
	if v < 0 {
		return alpha * v
	}
	return v
}

func thresholdedRelu(v, alpha, _ float64) float64 {
	if v > alpha {
		return v
	}
	return 0
}

func hardSigmoid(v, alpha, beta float64) float64 {
	return min(max(float64(alpha*v)+beta, 0), 1)
}

func shrinkDouble(v, bias, lambda float64) float64 {
	switch {
	case v < -lambda:
		return v + bias
	case v > lambda:
		return v - bias
	}
	return 0
}

func gelu(v float64) float64 { return 0.5 * v * (1 + math.Erf(v/math.Sqrt2)) }

func geluTanh(v float64) float64 {
	return 0.5 * v * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(v+float64(0.044715*v*v*v))))
}
