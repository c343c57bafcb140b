package op

import (
	"math"

	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/norm"
)

func init() { Register(batchNormRows) }

var batchNormRows = []Row{{
	Name: "BatchNormalization", Since: 1, Changes: []int{6, 7, 9, 14, 15},
	In: []In{{Name: "X", Types: floatTypes, Var: 'T'}, {Name: "scale", Types: floatTypes, Var: 'S'}, {Name: "B", Types: floatTypes, Var: 'S'}, {Name: "input_mean", Types: floatTypes, Var: 'U'}, {Name: "input_var", Types: floatTypes, Var: 'U'}},
	// Up to opset 13 there are saved_mean and saved_var besides.
	Out: []Out{{Name: "Y", Var: 'T'}, {Name: "running_mean", Var: 'U', Opt: true}, {Name: "running_var", Var: 'U', Opt: true}, {Name: "saved_mean", Var: 'U', Opt: true}, {Name: "saved_var", Var: 'U', Opt: true}},
	Attrs: []Attr{epsilon, {Name: "momentum", Kind: ir.AttrFloat, F: 0.9},
		{Name: "spatial", Kind: ir.AttrInt, I: 1, Till: 8}, {Name: "training_mode", Kind: ir.AttrInt, Since: 14}},
	Rank: sameRank, Fuses: FusesRelu, Check: checkBatchNorm, Limits: "spatial=1 only",
	Plan: planBatchNorm,
}}

// Trains says that a BatchNormalization normalizes with the statistics of its
// batch. Opset 14 has an attribute for that; before it, a node trains when it
// names any of the statistics among its outputs.
func Trains(n *ir.Node) bool {
	if n.Op != "BatchNormalization" || n.Domain != "" {
		return false
	}
	if n.Version >= 14 {
		return n.Int("training_mode", 0) != 0
	}
	return n.Out(1) != nil || n.Out(2) != nil || n.Out(3) != nil || n.Out(4) != nil
}

func checkBatchNorm(n *ir.Node) string {
	switch {
	case n.Int("spatial", 1) != 1:
		return "spatial=0"
	case n.Version < 14 && n.Int("training_mode", 0) != 0:
		return "training_mode=1"
	case n.Version >= 14 && (n.Out(3) != nil || n.Out(4) != nil):
		return "with saved statistics as outputs"
	case n.Version >= 14 && !Trains(n) && (n.Out(1) != nil || n.Out(2) != nil):
		return "with running statistics as outputs, but not in training mode"
	}
	return ""
}

// normActivation is what the optimizer lets the node do to its result: norm has ReLU
// and ReLU6.
func normActivation(c *Call) (norm.Activation, error) {
	switch clampOf(c.Node) {
	case compute.NoClamp:
		return norm.Linear, nil
	case compute.ReLU:
		return norm.ReLU, nil
	case compute.ReLU6:
		return norm.ReLU6, nil
	}
	return norm.Linear, c.Fail("the result cannot be bounded by ", c.Node.Clamp.Lo, " and ", c.Node.Clamp.Hi)
}

// planBatchNorm: inputs are x, scale, bias, mean and variance. From opset 9 on, x
// may have a single dimension: examples of one channel.
func planBatchNorm(c *Call) error {
	dims := c.In(0).Dims
	shape := dims
	if len(dims) == 1 && c.Node.Version >= 9 {
		shape = c.Dims(2)
		shape[0], shape[1] = dims[0], 1
	}
	if len(shape) < 2 {
		return c.fail("x has dimensions @, want at least 2 of them", dims)
	}
	known, double := true, isDouble(c)
	for i := 1; i <= 4; i++ {
		if d := c.In(i).Dims; len(d) != 1 || d[0] != shape[1] {
			return c.Fail("input ", i, " has dimensions ", d, ", want [", shape[1], "], the channels of x ", dims)
		}
		known, double = known && c.In(i).Host != nil, double || c.In(i).Type == ir.Float64
	}
	act, err := normActivation(c)
	if err != nil {
		return err
	}
	epsilon := float64(c.Float("epsilon"))
	if err := norm.BatchNormScale(nil, nil, nil, epsilon); err != nil { // of no channels: only epsilon is checked
		return c.Fail(err)
	}
	if momentum := c.Float("momentum"); double && Trains(c.Node) && !(momentum >= 0 && momentum <= 1) {
		return c.Fail("momentum is ", momentum, ", want 0 to 1")
	}
	if double {
		return planDoubleBatchNorm(c, shape)
	}
	c.Out(0, ir.Float32, dims...)
	c.InPlace(0, 0)
	if Trains(c.Node) {
		return trainBatchNorm(c, shape, epsilon, act)
	}
	if known {
		return knownBatchNorm(c, shape, epsilon, act)
	}
	bn, err := norm.NewBatchNorm(shape, 1, epsilon, act)
	if err != nil {
		return c.Fail(err)
	}
	Into[batchNormGiven](c).norm = bn
	return nil
}

// batchNormGiven has its parameters computed by other nodes.
type batchNormGiven struct {
	norm *norm.BatchNorm // with memory of its own
}

func (s *batchNormGiven) Run(a *Args) {
	must(s.norm.Forward(a.Out[0].Float32s(), a.In[0].Float32s(), a.In[3].Float32s(), a.In[4].Float32s(),
		a.In[1].Float32s(), a.In[2].Float32s()))
}

// channelFactors are a batch normalization's parameters, for x of any size.
type channelFactors struct {
	mean, scale, beta []float32
	// plain says that float32 carries them safely, as norm.BatchNorm has it.
	plain bool
	err   error
}

// Bytes is how much memory they have.
func (f *channelFactors) Bytes() int { return 4 * (len(f.mean) + len(f.scale) + len(f.beta)) }

func newChannelFactors(mean, variance, gamma, beta []float32, epsilon float64) *channelFactors {
	f := &channelFactors{scale: make([]float32, len(mean)), plain: true}
	f.mean, f.beta = append(f.mean, mean...), append(f.beta, beta...)
	f.err = norm.BatchNormScale(f.scale, variance, gamma, epsilon)
	for i, s := range f.scale {
		s = magnitude(s)
		f.plain = f.plain && magnitude(mean[i]) < 1<<102 && magnitude(beta[i]) < 1<<102 &&
			(gamma[i] == 0 || s > 0x1p-126 && s < math.MaxFloat32)
	}
	return f
}

func magnitude(v float32) float32 { return math.Float32frombits(math.Float32bits(v) &^ (1 << 31)) }

// From this many elements on norm.BatchNorm has no other layout for a plane's
// parameters than one of each channel.
const longPlane = 16

// knownBatchNorm plans inference with parameters that are known. Where planes are long
// the parameters are prepared once for all sizes of x.
func knownBatchNorm(c *Call, shape []int, epsilon float64, act norm.Activation) error {
	mean, variance, gamma, beta := c.In(3).Host.Float32s(), c.In(4).Host.Float32s(), c.In(1).Host.Float32s(), c.In(2).Host.Float32s()
	inner := ir.Elements(shape[2:])
	if inner >= longPlane {
		f := Prepared(c, Key{1}, 1, 5, func(bool) *channelFactors { return newChannelFactors(mean, variance, gamma, beta, epsilon) })
		if f.err != nil {
			return c.Fail(f.err)
		}
		if f.plain {
			*Into[batchNormPlanes](c) = batchNormPlanes{factors: f, planes: shape[0] * shape[1], channels: shape[1], inner: inner, activation: act}
			return nil
		}
	}
	bn, err := norm.NewBatchNorm(shape, 1, epsilon, act)
	if err == nil {
		err = bn.Prepare(mean, variance, gamma, beta)
	}
	if err != nil {
		return c.Fail(err)
	}
	Into[batchNorm](c).norm = bn
	return nil
}

// batchNorm has its parameters laid out for one size of x.
type batchNorm struct{ norm *norm.BatchNorm }

func (s *batchNorm) Run(a *Args) { must(s.norm.Apply(a.Out[0].Float32s(), a.In[0].Float32s())) }

// batchNormPlanes normalizes plane by plane.
type batchNormPlanes struct {
	factors                 *channelFactors
	planes, channels, inner int
	activation              norm.Activation
}

func (s *batchNormPlanes) Run(a *Args) { s.RunRows(a, 0, s.planes) }

func (s *batchNormPlanes) Rows() int { return s.planes }

func (s *batchNormPlanes) Time() int { return s.planes * s.inner / 4 }

func (s *batchNormPlanes) RunRows(a *Args, from, to int) {
	y, x := a.Out[0].Float32s(), a.In[0].Float32s()
	for from < to {
		c := from % s.channels
		images, n := 1, min(s.channels-c, to-from)
		if n == s.channels {
			images = (to - from) / n
		}
		next := from + images*n
		must(norm.BatchNormApply(y[from*s.inner:next*s.inner], x[from*s.inner:next*s.inner],
			s.factors.mean[c:c+n], s.factors.scale[c:c+n], s.factors.beta[c:c+n], images, n, s.inner, s.activation))
		from = next
	}
}

// trainBatchNorm plans training mode. Outputs 1 and 2 are what the running mean
// and variance, inputs 3 and 4, become by this batch; each run starts from those
// inputs again. Up to opset 13 outputs 3 and 4 are the batch's own mean and
// variance. (The variance is what the specification says; onnxruntime puts
// 1/√(variance + epsilon) there.)
//
// All variances are those of the population. Opset 14 says so, the earlier ones
// leave it open, and onnxruntime does it for them as well.
func trainBatchNorm(c *Call, shape []int, epsilon float64, act norm.Activation) error {
	momentum := float64(c.Float("momentum"))
	if !(momentum >= 0 && momentum <= 1) {
		return c.Fail("momentum is ", momentum, ", want 0 to 1")
	}
	s := Into[batchNormTraining](c)
	if s.layer == nil || len(s.mean) != shape[1] {
		l, err := norm.NewBatchNormLayer(shape[1], norm.ONNX)
		if err != nil {
			return c.Fail(err)
		}
		s.layer, s.mean, s.variance = l, l.RunningMean, l.RunningVar
	}
	s.layer.Epsilon, s.layer.Activation, s.layer.Momentum = epsilon, act, momentum
	s.shape, s.batch = append(s.shape[:0], shape...), nil
	if c.Node.Out(3) != nil || c.Node.Out(4) != nil {
		s.batch = norm.NewMoments(shape[1])
	}
	for i := 1; i <= 4; i++ {
		c.Out(i, ir.Float32, shape[1])
	}
	return nil
}

// batchNormTraining normalizes with the statistics of the batch.
type batchNormTraining struct {
	layer *norm.BatchNormLayer // with memory of its own
	shape []int
	batch *norm.Moments // where these are outputs
	// Where an output is left out the layer learns into these.
	mean, variance []float32
}

func (s *batchNormTraining) Run(a *Args) {
	x, y, l := a.In[0].Float32s(), a.Out[0].Float32s(), s.layer
	l.Gamma, l.Beta = a.In[1].Float32s(), a.In[2].Float32s()
	l.RunningMean, l.RunningVar = running(a, 1, s.mean), running(a, 2, s.variance)
	if s.batch == nil {
		must(l.Forward(y, x, s.shape, true, true))
		return
	}
	must(l.Moments(s.batch, x, s.shape))
	must(l.ForwardWith(y, x, s.shape, s.batch, true))
	rounded(output(a, 3), s.batch.Mean)
	rounded(output(a, 4), s.batch.Variance)
}

// running is output i, or own where that is left out, with the value of the
// running statistic that comes in: inputs have the outputs' order, two later.
func running(a *Args, i int, own []float32) []float32 {
	r := output(a, i)
	if r == nil {
		r = own
	}
	copy(r, a.In[i+2].Float32s())
	return r
}

// rounded writes x to y, which may be left out.
func rounded(y []float32, x []float64) {
	for i := range y {
		y[i] = float32(x[i])
	}
}
