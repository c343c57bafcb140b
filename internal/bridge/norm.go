package bridge

import (
	"slices"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/norm"
)

// LayerNorm is a call of norm.LayerNorm.
type LayerNorm struct {
	Y, X, Scale, Bias, Residual, Mean, InvStdDev []float32

	Shape   []int
	Axes    []int // nil: the last one
	Epsilon float64
}

// BatchNorm is a call of norm.BatchNorm.
type BatchNorm struct {
	Y, X, Scale, Bias, Mean, Variance []float32

	Shape      []int
	Layout     norm.Layout
	Axis       int
	ByAxis     bool // Axis names the channel axis, and Layout does not count
	Activation norm.Activation
	Epsilon    float64
}

// LayerNormFrame runs the call on the frame: operands y, x, scale, bias,
// residual, mean, invStdDev, then the shape and the axes (-1: the last).
func (b *Bridge) LayerNormFrame(epsilon float64) error {
	r := b.read()
	a := LayerNorm{
		Y: r.floats(), X: r.floats(), Scale: r.floats(), Bias: r.floats(),
		Residual: r.floats(), Mean: r.floats(), InvStdDev: r.floats(),
		Shape: r.list("shape"), Axes: r.list("axes"), Epsilon: epsilon,
	}
	if r.err != nil {
		return r.err
	}
	return b.LayerNorm(&a)
}

// BatchNormFrame runs the call on the frame: operands y, x, scale, bias, mean,
// variance, then the shape, layout (0 NCHW, 1 NHWC, 2 by axis), axis and
// activation (0 none, 1 ReLU, 2 ReLU6).
func (b *Bridge) BatchNormFrame(epsilon float64) error {
	r := b.read()
	a := BatchNorm{
		Y: r.floats(), X: r.floats(), Scale: r.floats(), Bias: r.floats(),
		Mean: r.floats(), Variance: r.floats(),
		Shape: r.list("shape"), Epsilon: epsilon,
	}
	layout := r.int()
	a.Layout, a.ByAxis = norm.Layout(layout), layout == 2
	a.Axis, a.Activation = r.int(), norm.Activation(r.int())
	if r.err != nil {
		return r.err
	}
	return b.BatchNorm(&a)
}

// LayerNorm runs a call. The preparation for its shape and axes is kept, so that
// a call like an earlier one allocates nothing.
func (b *Bridge) LayerNorm(a *LayerNorm) error {
	axes := a.Axes
	if axes == nil {
		axes = lastAxis
	}
	p, err := b.layers.get(layerKey{a.Shape, axes, a.Epsilon}, newLayerPlan)
	if err != nil {
		return err
	}
	if err := apart("LayerNorm", a.Y, pair{a.X, "x"}, pair{a.Residual, "residual"}); err != nil {
		return err
	}
	if err := separate("LayerNorm", a.Y, pair{a.Scale, "scale"}, pair{a.Bias, "bias"}, pair{a.Mean, "mean"}, pair{a.InvStdDev, "invStdDev"}); err != nil {
		return err
	}
	return p.layer.Forward(a.Y, a.Mean, a.InvStdDev, a.X, a.Residual, a.Scale, a.Bias)
}

// BatchNorm runs a call, and keeps its preparation as LayerNorm does.
func (b *Bridge) BatchNorm(a *BatchNorm) error {
	axis := a.Axis
	if !a.ByAxis {
		var err error
		if axis, err = a.Layout.Axis(len(a.Shape)); err != nil {
			return err
		}
	}
	p, err := b.batches.get(batchKey{a.Shape, axis, a.Epsilon, a.Activation}, newBatchPlan)
	if err != nil {
		return err
	}
	if err := apart("BatchNorm", a.Y, pair{a.X, "x"}); err != nil {
		return err
	}
	return p.batch.Forward(a.Y, a.X, a.Mean, a.Variance, a.Scale, a.Bias)
}

// pair is an operand with its name.
type pair struct {
	s    []float32
	name string
}

// apart refuses an output that lies across an operand which it may only be equal
// to: resident tensors are passed as they are, so that callers can make them meet.
func apart(op string, y []float32, operands ...pair) error {
	for _, o := range operands {
		if o.s != nil && slab.Overlap(y, o.s) && &y[0] != &o.s[0] {
			return &Error{Invalid, text.Join("norm: ", op, ": out overlaps ", o.name, " without being the same")}
		}
	}
	return nil
}

// separate refuses an output that shares memory with an operand.
func separate(op string, y []float32, operands ...pair) error {
	for _, o := range operands {
		if o.s != nil && slab.Overlap(y, o.s) {
			return &Error{Invalid, text.Join("norm: ", op, ": out and ", o.name, " are the same memory")}
		}
	}
	return nil
}

var lastAxis = []int{-1}

type layerKey struct {
	shape, axes []int
	epsilon     float64
}

type layerPlan struct {
	key   layerKey
	layer *norm.LayerNorm
}

func (p *layerPlan) serves(k layerKey) bool {
	return p.key.epsilon == k.epsilon && slices.Equal(p.key.shape, k.shape) && slices.Equal(p.key.axes, k.axes)
}

func newLayerPlan(k layerKey) (*layerPlan, error) {
	l, err := norm.NewLayerNorm(k.shape, k.axes, k.epsilon)
	if err != nil {
		return nil, err
	}
	k.shape, k.axes = slices.Clone(k.shape), slices.Clone(k.axes)
	return &layerPlan{k, l}, nil
}

type batchKey struct {
	shape      []int
	axis       int
	epsilon    float64
	activation norm.Activation
}

type batchPlan struct {
	key   batchKey
	batch *norm.BatchNorm
}

func (p *batchPlan) serves(k batchKey) bool {
	return p.key.axis == k.axis && p.key.epsilon == k.epsilon && p.key.activation == k.activation && slices.Equal(p.key.shape, k.shape)
}

func newBatchPlan(k batchKey) (*batchPlan, error) {
	n, err := norm.NewBatchNorm(k.shape, k.axis, k.epsilon, k.activation)
	if err != nil {
		return nil, err
	}
	k.shape = slices.Clone(k.shape)
	return &batchPlan{k, n}, nil
}

// cache keeps the latest few preparations, the latest first.
type cache[K any, P interface{ serves(K) bool }] struct {
	plans []P
}

// cached is enough for the layers of a small network, and few enough to search.
const cached = 16

func (c *cache[K, P]) get(k K, prepare func(K) (P, error)) (P, error) {
	for i, p := range c.plans {
		if p.serves(k) {
			copy(c.plans[1:i+1], c.plans[:i])
			c.plans[0] = p
			return p, nil
		}
	}
	p, err := prepare(k)
	if err != nil {
		return p, err
	}
	if len(c.plans) == cached {
		c.plans = c.plans[:cached-1]
	}
	c.plans = slices.Insert(c.plans, 0, p)
	return p, nil
}
