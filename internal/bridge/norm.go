package bridge

import (
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/norm"
)

var (
	epsilon    = Option{Name: "epsilon", Default: 1e-5}
	layout     = Option{Name: "layout", Words: []string{"nchw", "nhwc"}}
	activation = Option{Name: "activation", Words: []string{"linear", "relu", "relu6", "silu"}}
	groups     = Option{Name: "groups", Whole: true, Default: None}
	channels   = Option{Name: "layer", Whole: true} // what keeps a BatchNorm's state

	rowOptions   = []Option{epsilon, activation}
	groupOptions = []Option{epsilon, layout, activation, groups}

	lpOptions       = []Option{{Name: "epsilon"}, {Name: "axis", Whole: true, Default: -1}, {Name: "p", Whole: true, Default: 2}}
	responseOptions = []Option{{Name: "size", Whole: true, Default: None}, {Name: "alpha", Default: 1e-4}, {Name: "beta", Default: 0.75}, {Name: "bias", Default: 1}}

	gradients = []Operand{{"out", Written}, {"dy", InPlace}, {"x", InPlace}, {"scale", 0},
		{"mean", 0}, {"invStdDev", 0}, {"dscale", Written}, {"dbias", Written}}
	groupOperands    = []Operand{{"out", Written}, {"x", InPlace}, {"scale", 0}, {"bias", 0}, {"mean", Written}, {"invStdDev", Written}}
	spectralOperands = []Operand{{"out", Written}, {"w", InPlace}, {"u", Written | Double}, {"v", Written | Double}, {"sigma", Written | Double}}
)

// Operations are all that norm computes for JavaScript, and the rows of pictures. Their order is the module's
// interface.
var Operations = [...]Operation{
	{Name: "layerNorm", prepare: prepareLayer, run: runLayer, Options: rowOptions,
		Operands: []Operand{{"out", Written}, {"x", InPlace}, {"scale", 0}, {"bias", 0}, {"residual", InPlace},
			{"mean", Written}, {"invStdDev", Written}, {"sum", Written}}},
	{Name: "batchNorm", prepare: prepareBatch, run: runBatch,
		Options:  []Option{epsilon, layout, activation, {Name: "axis", Whole: true, Default: None}},
		Operands: []Operand{{"out", Written}, {"x", InPlace}, {"scale", 0}, {"bias", 0}, {"mean", 0}, {"variance", 0}}},
	{Name: "rmsNorm", prepare: prepareRMS, run: runRMS, Options: rowOptions,
		Operands: []Operand{{"out", Written}, {"x", InPlace}, {"scale", 0}, {"residual", InPlace}, {"invStdDev", Written}, {"sum", Written}}},
	{Name: "groupNorm", prepare: prepareGroup, run: runGroup, Options: groupOptions, Operands: groupOperands},
	{Name: "instanceNorm", prepare: prepareInstance, run: runGroup, Options: groupOptions[:3], Operands: groupOperands},
	{Name: "meanVarianceNorm", prepare: prepareMeanVariance, run: runMeanVariance,
		Options: []Option{{Name: "epsilon", Default: None}}, Operands: groupOperands[:2]},
	{Name: "lpNorm", prepare: prepareLp, run: runLp, Operands: groupOperands[:2], Options: lpOptions},
	{Name: "localResponseNorm", prepare: prepareResponse, run: runResponse, Operands: groupOperands[:2], Options: responseOptions},
	{Name: "foldBatchNorm", run: runFold, Options: []Option{epsilon},
		Operands: []Operand{{"out", Written}, {"weight", InPlace}, {"bias", 0}, {"mean", 0}, {"variance", 0},
			{"scale", 0}, {"shift", 0}, {"outBias", Written}}},
	{Name: "layerNormBackward", prepare: prepareLayer, run: runLayerBackward, Options: rowOptions[:1], Operands: gradients},
	{Name: "rmsNormBackward", prepare: prepareRMS, run: runRMSBackward, Options: rowOptions[:1],
		Operands: []Operand{{"out", Written}, {"dy", InPlace}, {"x", InPlace}, {"scale", 0}, {"invStdDev", 0}, {"dscale", Written}}},
	{Name: "groupNormBackward", prepare: prepareGroup, run: runGroupBackward, Options: groupOptions, Operands: gradients},
	{Name: "instanceNormBackward", prepare: prepareInstance, run: runGroupBackward, Options: groupOptions[:3], Operands: gradients},
	{Name: "batchNormForward", run: runBatchForward,
		Options: []Option{channels, layout, {Name: "preset", Words: []string{"pytorch", "onnx", "keras"}}, epsilon, {Name: "momentum", Default: 0.1},
			{Name: "useBatchStats", Whole: true, Default: 1}, {Name: "updateStats", Whole: true, Default: 1},
			{Name: "cumulative", Whole: true}, {Name: "batches", Whole: true}, {Name: "count"}},
		Operands: []Operand{{"out", Written}, {"x", InPlace}, {"scale", 0}, {"bias", 0},
			{"runningMean", Written}, {"runningVar", Written}, {"moments", Double}}},
	{Name: "batchNormBackward", run: runBatchBackward, Options: []Option{channels},
		Operands: []Operand{{"out", Written}, {"dy", InPlace}, {"x", InPlace}, {"scale", 0}, {"sums", Double},
			{"dscale", Written}, {"dbias", Written}}},
	{Name: "batchNormMoments", run: runBatchMoments, Options: []Option{channels, layout},
		Operands: []Operand{{"x", 0}, {"moments", Written | Double}}},
	{Name: "batchNormSums", run: runBatchSums, Options: []Option{channels},
		Operands: []Operand{{"dy", 0}, {"x", 0}, {"sums", Written | Double}}},
	{Name: "adaptiveLayerNorm", prepare: prepareAdaptive, run: runAdaptive, Options: rowOptions[:1],
		Operands: []Operand{{"out", Written}, {"x", InPlace}, {"scale", 0}, {"shift", 0}, {"mean", Written}, {"invStdDev", Written}}},
	{Name: "adaptiveLayerNormBackward", prepare: prepareAdaptive, run: runAdaptiveBackward, Options: rowOptions[:1],
		Operands: []Operand{{"out", Written}, {"dy", InPlace}, {"x", InPlace}, {"scale", 0}, {"mean", 0}, {"invStdDev", 0},
			{"dscale", Written}, {"dshift", Written}}},
	{Name: "weightNorm", run: runWeight, Operands: []Operand{{"out", Written}, {"v", InPlace}, {"g", 0}}},
	{Name: "spectralNorm", prepare: prepareSpectral, run: runSpectral, Options: []Option{{Name: "steps", Whole: true, Default: 1}}, Operands: spectralOperands},
	{Name: "lpNormBackward", prepare: prepareLp, run: runLpBackward, Options: lpOptions, Operands: gradients[:3]},
	{Name: "localResponseNormBackward", prepare: prepareResponse, run: runResponseBackward, Options: responseOptions, Operands: gradients[:3]},
	imageRows,
}

func prepareLayer(c *Call) (any, error) {
	l, err := norm.NewLayerNorm(c.Shape, c.lastAxis(), c.Options[0])
	if err == nil {
		l.Activation = norm.Activation(c.whole(1))
	}
	return l, err
}

func runLayer(c *Call) error {
	o := &c.Operands
	return c.plan.(*norm.LayerNorm).ForwardSum(o[0], o[7], o[5], o[6], o[1], o[4], o[2], o[3])
}

// lastAxis are the axes that LayerNorm and RMSNorm take when none are given.
func (c *Call) lastAxis() []int {
	if c.Axes == nil {
		return lastAxis
	}
	return c.Axes
}

var lastAxis = []int{-1}

func prepareBatch(c *Call) (any, error) {
	axis := c.whole(3)
	if axis == None {
		var err error
		if axis, err = norm.Layout(c.whole(1)).Axis(len(c.Shape)); err != nil {
			return nil, err
		}
	}
	return norm.NewBatchNorm(c.Shape, axis, c.Options[0], norm.Activation(c.whole(2)))
}

func runBatch(c *Call) error {
	o := &c.Operands
	return c.plan.(*norm.BatchNorm).Forward(o[0], o[1], o[4], o[5], o[2], o[3])
}

func prepareRMS(c *Call) (any, error) {
	r, err := norm.NewRMSNorm(c.Shape, c.lastAxis(), c.Options[0])
	if err == nil {
		err = r.Fuse(norm.Activation(c.whole(1)))
	}
	return r, err
}

func runRMS(c *Call) error {
	o := &c.Operands
	return c.plan.(*norm.RMSNorm).Forward(o[0], o[5], o[4], o[1], o[3], o[2])
}

func prepareGroup(c *Call) (any, error) {
	g, err := norm.NewGroupNorm(c.Shape, norm.Layout(c.whole(1)), c.whole(3), c.Options[0])
	g.Activation = norm.Activation(c.whole(2))
	return g, err
}

func prepareInstance(c *Call) (any, error) {
	i, err := norm.NewInstanceNorm(c.Shape, norm.Layout(c.whole(1)), c.Options[0])
	i.Activation = norm.Activation(c.whole(2))
	return &i.GroupNorm, err
}

func runGroup(c *Call) error {
	o := &c.Operands
	return c.plan.(*norm.GroupNorm).Forward(o[0], o[4], o[5], o[1], o[2], o[3])
}

// prepareMeanVariance takes all axes but the channels' when none are given, as ONNX
// does for [N C H W]. Without an epsilon it adds to the deviation what ONNX does.
func prepareMeanVariance(c *Call) (any, error) {
	axes := c.Axes
	if axes == nil {
		axes = []int{}
		for i := range c.Shape {
			if i != 1 {
				axes = append(axes, i)
			}
		}
	}
	epsilon, deviation := c.Options[0], 0.0
	if epsilon == None {
		epsilon, deviation = 0, 1e-9
	}
	return norm.NewMeanVarianceNorm(c.Shape, axes, epsilon, deviation)
}

func runMeanVariance(c *Call) error {
	return c.plan.(*norm.MeanVarianceNorm).Forward(c.Operands[0], c.Operands[1])
}

func prepareLp(c *Call) (any, error) {
	return norm.NewLpNorm(c.Shape, c.whole(1), c.whole(2), c.Options[0])
}

func runLp(c *Call) error {
	return c.plan.(*norm.LpNorm).Forward(c.Operands[0], c.Operands[1])
}

func prepareResponse(c *Call) (any, error) {
	return norm.NewLocalResponseNorm(c.Shape, c.whole(0), c.Options[1], c.Options[2], c.Options[3])
}

func runResponse(c *Call) error {
	return c.plan.(*norm.LocalResponseNorm).Forward(c.Operands[0], c.Operands[1])
}

// prepareAdaptive sees [N … F] as examples, tokens and features.
func prepareAdaptive(c *Call) (any, error) {
	last := len(c.Shape) - 1
	if last < 1 {
		return nil, &Error{BadShape, text.Join("norm: AdaptiveLayerNorm: x has rank ", last+1, ", want at least 2 (examples and features)")}
	}
	return norm.NewAdaptiveLayerNorm(c.Shape[0], product(c.Shape[1:last]), c.Shape[last], c.Options[0])
}

func runAdaptive(c *Call) error {
	o := &c.Operands
	return c.plan.(*norm.AdaptiveLayerNorm).Forward(o[0], o[4], o[5], o[1], o[2], o[3])
}
