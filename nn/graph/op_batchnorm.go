package graph

import (
	"github.com/normwasm/normwasm/nn"
	"github.com/normwasm/normwasm/norm"
)

// trains says that a BatchNormalization normalizes with the statistics of its
// batch. Opset 14 has an attribute for that; before it, a node trains when it
// names any of the statistics among its outputs.
func trains(n *Node) bool {
	if n.Version >= 14 {
		return n.Int("training_mode", 0) != 0
	}
	return n.Out(1) != nil || n.Out(2) != nil || n.Out(3) != nil || n.Out(4) != nil
}

func checkBatchNorm(n *Node) string {
	switch {
	case n.Int("spatial", 1) != 1:
		return "spatial=0"
	case n.Version < 14 && n.Int("training_mode", 0) != 0:
		return "training_mode=1"
	case n.Version >= 14 && (n.Out(3) != nil || n.Out(4) != nil):
		return "with saved statistics as outputs"
	case n.Version >= 14 && !trains(n) && (n.Out(1) != nil || n.Out(2) != nil):
		return "with running statistics as outputs, but not in training mode"
	}
	return ""
}

// normActivation reads fusedAttrs; norm has ReLU and ReLU6.
func normActivation(n *Node) (norm.Activation, bool) {
	clamp, ok := fusedClamp(n)
	switch {
	case !ok:
	case clamp == nn.NoClamp:
		return norm.Linear, true
	case clamp == nn.ReLU:
		return norm.ReLU, true
	case clamp == nn.ReLU6:
		return norm.ReLU6, true
	}
	return norm.Linear, false
}

// planBatchNorm: inputs are x, scale, bias, mean and variance. From opset 9 on, x
// may have a single dimension: examples of one channel.
func planBatchNorm(c *Call) error {
	dims := c.In(0).Dims
	shape := dims
	if len(dims) == 1 && c.Node.Version >= 9 {
		shape = []int{dims[0], 1}
	}
	if len(shape) < 2 {
		return c.Fail("x has dimensions ", dims, ", want at least 2 of them")
	}
	known := true
	for i := 1; i <= 4; i++ {
		if d := c.In(i).Dims; len(d) != 1 || d[0] != shape[1] {
			return c.Fail("input ", i, " has dimensions ", d, ", want [", shape[1], "], the channels of x ", dims)
		}
		known = known && c.In(i).Host != nil
	}
	act, _ := normActivation(c.Node)
	epsilon := float64(c.Node.Float("epsilon", 1e-5))
	bn, err := norm.NewBatchNorm(shape, 1, epsilon, act)
	if err != nil {
		return c.Fail(err)
	}
	c.Out(0, Float32, dims...)
	c.InPlace(0, 0)
	if trains(c.Node) {
		return trainBatchNorm(c, shape, epsilon, act)
	}
	if known {
		host := func(i int) []float32 { return c.In(i).Host.Float32s() }
		if err := bn.Prepare(host(3), host(4), host(1), host(2)); err != nil {
			return c.Fail(err)
		}
		c.Run(func(a *Args) { must(bn.Apply(a.Out[0].Float32s(), a.In[0].Float32s())) })
		return nil
	}
	c.Run(func(a *Args) {
		must(bn.Forward(a.Out[0].Float32s(), a.In[0].Float32s(), a.In[3].Float32s(), a.In[4].Float32s(),
			a.In[1].Float32s(), a.In[2].Float32s()))
	})
	return nil
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
	l, err := norm.NewBatchNormLayer(shape[1], norm.ONNX)
	if err != nil {
		return c.Fail(err)
	}
	l.Epsilon, l.Activation = epsilon, act
	if l.Momentum = float64(c.Node.Float("momentum", 0.9)); !(l.Momentum >= 0 && l.Momentum <= 1) {
		return c.Fail("momentum is ", l.Momentum, ", want 0 to 1")
	}
	var batch *norm.Moments
	if c.Node.Out(3) != nil || c.Node.Out(4) != nil {
		batch = norm.NewMoments(shape[1])
	}
	for i := 1; i <= 4; i++ {
		c.Out(i, Float32, shape[1])
	}
	// Where an output is left out the layer learns into its own memory.
	mean, variance := l.RunningMean, l.RunningVar
	c.Run(func(a *Args) {
		x, y := a.In[0].Float32s(), a.Out[0].Float32s()
		l.Gamma, l.Beta = a.In[1].Float32s(), a.In[2].Float32s()
		l.RunningMean, l.RunningVar = running(a, 1, mean), running(a, 2, variance)
		if batch == nil {
			must(l.Forward(y, x, shape, true, true))
			return
		}
		must(l.Moments(batch, x, shape))
		must(l.ForwardWith(y, x, shape, batch, true))
		rounded(output(a, 3), batch.Mean)
		rounded(output(a, 4), batch.Variance)
	})
	return nil
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
