package bridge

import (
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/norm"
)

var (
	epsilon    = Option{Name: "epsilon", Default: norm.DefaultEpsilon}
	layouts    = []string{"nchw", "nhwc"}
	layout     = Option{Name: "layout", Kind: Word, Words: layouts}
	activation = Option{Name: "activation", Kind: Word, Words: []string{"", "relu", "relu6", "silu"}}
	groups     = Option{Name: "groups", Kind: Whole, Needed: true}
	channels   = Option{Name: "layer", Kind: ID, Needed: true} // what keeps a BatchNorm's state

	rowOptions   = []Option{epsilon, activation}
	groupOptions = []Option{epsilon, layout, activation, groups}

	lpOptions       = []Option{{Name: "epsilon"}, {Name: "axis", Kind: Whole, Default: -1}, {Name: "p", Kind: Whole, Default: 2}}
	responseOptions = []Option{{Name: "size", Kind: Whole, Needed: true}, {Name: "alpha", Default: 1e-4}, {Name: "beta", Default: 0.75}, {Name: "bias", Default: 1}}

	gradients = []Operand{{"out", Written}, {"dy", InPlace}, {"x", InPlace | Needed}, {"scale", 0},
		{"mean", Needed}, {"invStdDev", Needed}, {"dscale", Written}, {"dbias", Written}}
	groupOperands    = []Operand{{"out", Written}, {"x", InPlace}, {"scale", 0}, {"bias", 0}, {"mean", Written}, {"invStdDev", Written}}
	spectralOperands = []Operand{{"out", Written}, {"w", InPlace}, {"u", Written | Double | Needed}, {"v", Written | Double | Needed}, {"sigma", Written | Double | Needed}}
)

// Operations are all that norm computes for JavaScript, and the rows of pictures. Their order is the module's
// interface.
var Operations = [...]Operation{
	{Name: "layerNorm", Function: true, prepare: prepareLayer, run: runLayer, Axes: true, Options: rowOptions,
		Operands: []Operand{{"out", Written}, {"x", InPlace}, {"scale", 0}, {"bias", 0}, {"residual", InPlace},
			{"mean", Written}, {"invStdDev", Written}, {"sum", Written}},
		Doc: `y = scale·(x − mean)/√(var + epsilon) + bias over axes (default: the last; any set, in any
order, negative ones count from the end). scale and bias have the dimensions of axes in the
order given; residual, of x's shape, is added first, and sum receives x + residual; mean and
invStdDev receive one element for each group.`},
	{Name: "batchNorm", Function: true, prepare: prepareBatch, run: runBatch,
		Options:  []Option{epsilon, {Name: "layout", Kind: Word, Words: layouts, Default: None}, activation, {Name: "axis", Kind: Whole, Default: None}},
		Operands: []Operand{{"out", Written}, {"x", InPlace}, {"scale", 0}, {"bias", 0}, {"mean", Needed}, {"variance", Needed}},
		Doc: `Inference: y = scale·(x − mean)/√(variance + epsilon) + bias for each channel. The channels
are axis 1 (layout 'nchw', the default), the last ('nhwc'), or the axis named.`},
	{Name: "rmsNorm", Function: true, prepare: prepareRMS, run: runRMS, Axes: true, Options: rowOptions,
		Operands: []Operand{{"out", Written}, {"x", InPlace}, {"scale", 0}, {"residual", InPlace}, {"invStdDev", Written}, {"sum", Written}},
		Doc:      `y = scale·x/√(mean(x²) + epsilon) over axes; residual, sum and invStdDev as for layerNorm.`},
	{Name: "groupNorm", Function: true, prepare: prepareGroup, run: runGroup, Options: groupOptions, Operands: groupOperands,
		Doc: `y = scale·(x − mean)/√(var + epsilon) + bias for each of so many groups of channels of each
example. scale and bias are by channel; mean and invStdDev receive [N groups].`},
	{Name: "instanceNorm", Function: true, prepare: prepareInstance, run: runGroup, Options: groupOptions[:3], Operands: groupOperands,
		Doc: `groupNorm with a channel a group.`},
	{Name: "meanVarianceNorm", Function: true, prepare: prepareMeanVariance, run: runMeanVariance, Axes: true,
		Options: []Option{{Name: "epsilon", Default: None}}, Operands: groupOperands[:2],
		Doc: `(x − mean)/(√var + 1e-9) over axes (default: all but axis 1); with an epsilon
(x − mean)/√(var + epsilon).`},
	{Name: "lpNorm", Function: true, prepare: prepareLp, run: runLp, Operands: groupOperands[:2], Options: lpOptions,
		Doc: `x/max(‖x‖, epsilon) along an axis; p is 1 or 2.`},
	{Name: "localResponseNorm", Function: true, prepare: prepareResponse, run: runResponse, Operands: groupOperands[:2], Options: responseOptions,
		Doc: `x/(bias + alpha/size·Σx²)^beta over size neighbouring channels (axis 1).`},
	{Name: "foldBatchNorm", run: runFold, Options: []Option{epsilon},
		Operands: []Operand{{"out", Written}, {"weight", InPlace}, {"bias", 0}, {"mean", Needed}, {"variance", Needed},
			{"scale", 0}, {"shift", 0}, {"outBias", Written | Needed}},
		Doc: `The weights [O …] of a convolution or linear layer with a BatchNorm folded in; outBias
receives the bias. All but the weights have an element for each output.`},
	{Name: "layerNormBackward", prepare: prepareLayer, run: runLayerBackward, Axes: true, Options: rowOptions[:1], Operands: gradients,
		Doc: `The gradient of layerNorm's x. mean and invStdDev are what it gave; dscale and dbias
receive the parameters' gradients.`},
	{Name: "rmsNormBackward", prepare: prepareRMS, run: runRMSBackward, Axes: true, Options: rowOptions[:1],
		Operands: []Operand{{"out", Written}, {"dy", InPlace}, {"x", InPlace | Needed}, {"scale", 0}, {"invStdDev", Needed}, {"dscale", Written}},
		Doc:      `The gradient of rmsNorm's x. invStdDev is what it gave.`},
	{Name: "groupNormBackward", prepare: prepareGroup, run: runGroupBackward, Options: groupOptions, Operands: gradients,
		Doc: `The gradient of groupNorm's x, before the activation. mean and invStdDev are what it gave.`},
	{Name: "instanceNormBackward", prepare: prepareInstance, run: runGroupBackward, Options: groupOptions[:3], Operands: gradients,
		Doc: `The gradient of instanceNorm's x, as groupNormBackward.`},
	{Name: "batchNormForward", run: runBatchForward,
		Options: []Option{channels, layout, {Name: "preset", Kind: Word, Words: []string{"pytorch", "onnx", "keras"}},
			{Name: "epsilon", Default: None}, {Name: "momentum", Default: None},
			{Name: "useBatchStats", Kind: Flag, Default: 1}, {Name: "updateStats", Kind: Flag, Default: 1},
			{Name: "cumulative", Kind: Flag}, {Name: "batches", Kind: Whole}, {Name: "count"}},
		Operands: []Operand{{"out", Written}, {"x", InPlace}, {"scale", 0}, {"bias", 0},
			{"runningMean", Written | Learnt | Needed}, {"runningVar", Written | Learnt | Needed}, {"moments", Double}},
		Doc: `BatchNorm in training. epsilon and momentum default to the preset's. cumulative takes the
plain average of all batches in place of momentum, batches having been seen before. moments
(mean, then variance, of count values) take the place of the batch's own.`},
	{Name: "batchNormBackward", run: runBatchBackward, Options: []Option{channels},
		Operands: []Operand{{"out", Written}, {"dy", InPlace}, {"x", InPlace | Needed}, {"scale", 0}, {"sums", Double},
			{"dscale", Written}, {"dbias", Written}},
		Doc: `The gradient of the x of the layer's latest forward. sums are those of all workers.`},
	{Name: "batchNormMoments", run: runBatchMoments, Options: []Option{channels, layout},
		Operands: []Operand{{"x", Needed}, {"moments", Written | Double | Needed}},
		Doc:      `Means and biased variances of a part of a batch, two for each channel.`},
	{Name: "batchNormSums", run: runBatchSums, Options: []Option{channels},
		Operands: []Operand{{"dy", Needed}, {"x", Needed}, {"sums", Written | Double | Needed}},
		Doc:      `Part of the reductions of the backward pass, two for each channel.`},
	{Name: "adaptiveLayerNorm", Function: true, prepare: prepareAdaptive, run: runAdaptive, Options: rowOptions[:1],
		Operands: []Operand{{"out", Written}, {"x", InPlace}, {"scale", 0}, {"shift", 0}, {"mean", Written}, {"invStdDev", Written}},
		Doc: `y = (x − mean)/√(var + epsilon)·(1 + scale) + shift of x [N … F] over the last axis. scale and
shift are [N F]; mean and invStdDev receive [N …].`},
	{Name: "adaptiveLayerNormBackward", prepare: prepareAdaptive, run: runAdaptiveBackward, Options: rowOptions[:1],
		Operands: []Operand{{"out", Written}, {"dy", InPlace}, {"x", InPlace | Needed}, {"scale", 0}, {"mean", Needed}, {"invStdDev", Needed},
			{"dscale", Written}, {"dshift", Written}},
		Doc: `The gradient of adaptiveLayerNorm's x. mean and invStdDev are what it gave; dscale and
dshift receive [N F].`},
	{Name: "weightNorm", Function: true, run: runWeight, Operands: []Operand{{"out", Written}, {"v", InPlace}, {"g", Needed}},
		Doc: `g·v/‖v‖ for each row of the weights v [O …]; g has one element for each.`},
	{Name: "spectralNorm", prepare: prepareSpectral, run: runSpectral, Options: []Option{{Name: "steps", Kind: Whole, Default: 1}}, Operands: spectralOperands,
		Doc: `The weights w [O …], as a matrix of O rows, divided by their largest singular value, after
some steps of power iteration. u and v are unit vectors with an element for each row and each
column, and are updated; sigma, of one element, receives the value.`},
	{Name: "lpNormBackward", prepare: prepareLp, run: runLpBackward, Options: lpOptions, Operands: gradients[:3],
		Doc: `The gradient of lpNorm's x.`},
	{Name: "localResponseNormBackward", prepare: prepareResponse, run: runResponseBackward, Options: responseOptions, Operands: gradients[:3],
		Doc: `The gradient of localResponseNorm's x.`},
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
	layout, axis, rank := c.whole(1), c.whole(3), len(c.Shape)
	channels := 1
	if layout == int(norm.NHWC) {
		channels = rank - 1
	}
	if axis == None {
		if rank < 2 {
			_, err := norm.NCHW.Axis(rank)
			return nil, err
		}
		axis = channels
	} else if layout != None && axis != channels && axis != channels-rank {
		return nil, &Error{Contradiction, text.Join("batchNorm: axis is ", axis, ", and layout '", layouts[layout],
			"' has the channels at axis ", channels, " of x ", c.Shape, ": give one of the two")}
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
