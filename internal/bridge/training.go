package bridge

import (
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/norm"
)

// layer is what a BatchNorm in training keeps from its forward pass to its backward
// pass. Parameters and running statistics are the caller's and come with each call.
type layer struct {
	norm *norm.BatchNormLayer
	none []float32 // stands for the running statistics between forward passes
}

// layerBytes is about what a channel of a layer takes.
const layerBytes = 128

// NewLayer makes a layer of so many channels, which takes examples together or, for
// InstanceNorm with running statistics, each by itself. Free lets go of it.
func (b *Bridge) NewLayer(channels int, instance bool) (Handle, error) {
	if channels > MaxBytes/layerBytes {
		return 0, &Error{NoMemory, text.Join("norm: BatchNorm: ", channels, " channels; the limit is ", MaxBytes/layerBytes)}
	}
	if err := slab.Reserve(channels * layerBytes); err != nil {
		return 0, err
	}
	construct := norm.NewBatchNormLayer
	if instance {
		construct = norm.NewInstanceNormLayer
	}
	n, err := construct(channels, norm.PyTorch)
	if err != nil {
		return 0, err
	}
	l := &layer{n, make([]float32, channels)}
	l.giveBack()
	h, err := b.Keep(l)
	if err != nil {
		return 0, err
	}
	b.inUse += channels * layerBytes
	return h, nil
}

// take lends the caller's slices to the layer, giveBack takes them away again.
func (l *layer) take(scale, bias, mean, variance []float32) {
	l.norm.Gamma, l.norm.Beta, l.norm.RunningMean, l.norm.RunningVar = scale, bias, mean, variance
}

func (l *layer) giveBack() { l.take(nil, nil, l.none, l.none) }

// layer is the one that the first option names.
func (c *Call) layer() (*layer, error) {
	h := Handle(uint32(int64(c.Options[0])))
	v := c.b.handles.get(h)
	if l, ok := v.(*layer); ok {
		return l, nil
	}
	return nil, gone(h, "layer", v)
}

// moments are an operand's count, means and biased variances.
func (l *layer) moments(s []float32, count float64) (*norm.Moments, error) {
	d, err := doubles(s)
	if err != nil {
		return nil, err
	}
	n := len(l.none)
	if len(d) != 2*n {
		return nil, &Error{BadShape, text.Join("norm: BatchNorm: moments has ", len(d), " elements, want ", 2*n, " (mean and variance of each channel)")}
	}
	return &norm.Moments{Count: int(count), Mean: d[:n], Variance: d[n:]}, nil
}

func runBatchForward(c *Call) error {
	l, err := c.layer()
	if err != nil {
		return err
	}
	o, n := &c.Operands, l.norm
	n.Layout, n.Framework = norm.Layout(c.whole(1)), norm.Framework(c.whole(2))
	n.Momentum, n.Epsilon = n.Framework.Defaults()
	if c.Options[3] != None {
		n.Epsilon = c.Options[3]
	}
	if c.Options[4] != None {
		n.Momentum = c.Options[4]
	}
	n.Cumulative, n.Batches = c.whole(7) != 0, c.whole(8)
	l.take(o[2], o[3], o[4], o[5])
	defer l.giveBack()
	if o[6] == nil {
		return n.Forward(o[0], o[1], c.Shape, c.whole(5) != 0, c.whole(6) != 0)
	}
	m, err := l.moments(o[6], c.Options[9])
	if err != nil {
		return err
	}
	return n.ForwardWith(o[0], o[1], c.Shape, m, c.whole(6) != 0)
}

func runBatchMoments(c *Call) error {
	l, err := c.layer()
	if err != nil {
		return err
	}
	m, err := l.moments(c.Operands[1], 0)
	if err != nil {
		return err
	}
	l.norm.Layout = norm.Layout(c.whole(1))
	return l.norm.Moments(m, c.Operands[0], c.Shape)
}

func runBatchSums(c *Call) error {
	l, err := c.layer()
	if err != nil {
		return err
	}
	sums, err := doubles(c.Operands[2])
	if err != nil {
		return err
	}
	return l.norm.BackwardSums(sums, c.Operands[0], c.Operands[1])
}

func runBatchBackward(c *Call) error {
	l, err := c.layer()
	if err != nil {
		return err
	}
	o := &c.Operands
	l.take(o[3], nil, l.none, l.none)
	defer l.giveBack()
	if o[4] == nil {
		return l.norm.Backward(o[0], o[5], o[6], o[1], o[2])
	}
	sums, err := doubles(o[4])
	if err != nil {
		return err
	}
	return l.norm.BackwardWith(o[0], o[5], o[6], o[1], o[2], sums)
}

func runLayerBackward(c *Call) error {
	o := &c.Operands
	return c.plan.(*norm.LayerNorm).Backward(o[0], o[6], o[7], o[1], o[2], o[4], o[5], o[3])
}

func runRMSBackward(c *Call) error {
	o := &c.Operands
	return c.plan.(*norm.RMSNorm).Backward(o[0], o[5], o[1], o[2], o[4], o[3])
}

func runGroupBackward(c *Call) error {
	o := &c.Operands
	return c.plan.(*norm.GroupNorm).Backward(o[0], o[6], o[7], o[1], o[2], o[4], o[5], o[3])
}

func runAdaptiveBackward(c *Call) error {
	o := &c.Operands
	return c.plan.(*norm.AdaptiveLayerNorm).Backward(o[0], o[6], o[7], o[1], o[2], o[4], o[5], o[3])
}

func runLpBackward(c *Call) error {
	o := &c.Operands
	return c.plan.(*norm.LpNorm).Backward(o[0], o[1], o[2])
}

func runResponseBackward(c *Call) error {
	o := &c.Operands
	return c.plan.(*norm.LocalResponseNorm).Backward(o[0], o[1], o[2])
}
