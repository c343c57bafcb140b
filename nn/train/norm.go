package train

import (
	"github.com/normwasm/normwasm/internal/text"
	"github.com/normwasm/normwasm/norm"
)

// batchNorm is norm's layer. Its scale and shift are the parameters.
type batchNorm struct {
	layer       *norm.BatchNormLayer
	gamma, beta *Param
	shape       []int
	x           []float32
	y           buffer
	kept        []float32 // the running statistics before the step
	batches     int
}

func newBatchNorm(b *builder, s *Spec, in []int) (layer, []int, error) {
	framework := norm.PyTorch
	switch s.Preset {
	case "", "pytorch":
	case "onnx":
		framework = norm.ONNX
	case "keras":
		framework = norm.Keras
	default:
		return nil, nil, b.value("preset is ", text.Quote(s.Preset), ", want \"pytorch\", \"onnx\" or \"keras\"")
	}
	// Of [N T D] the features are channels, of [N C H W] the planes.
	channels, layout := in[0], norm.NCHW
	if len(in) == 2 {
		channels, layout = in[1], norm.NHWC
	}
	l, err := norm.NewBatchNormLayer(channels, framework)
	if err != nil {
		return nil, nil, err
	}
	l.Layout = layout
	if l.Epsilon, err = b.epsilon(s, l.Epsilon); err != nil {
		return nil, nil, err
	}
	if s.Momentum != nil {
		if m := *s.Momentum; !(m >= 0 && m <= 1) {
			return nil, nil, b.value("momentum is ", m, ", want 0 to 1")
		}
		l.Momentum = *s.Momentum
	}
	l.Cumulative = s.Cumulative
	n := &batchNorm{layer: l, shape: append([]int{0}, in...), kept: make([]float32, 2*channels)}
	n.gamma, n.beta = affine(s, channels)
	l.Gamma, l.Beta = value(n.gamma), value(n.beta)
	return n, in, nil
}

// affine makes scale and shift, unless the layer has none.
func affine(s *Spec, shape ...int) (gamma, beta *Param) {
	if s.NoAffine {
		return nil, nil
	}
	return newParam("weight", false, shape...).filled(1), newParam("bias", false, shape...)
}

func value(p *Param) []float32 {
	if p == nil {
		return nil
	}
	return p.Value
}

func grad(p *Param) []float32 {
	if p == nil {
		return nil
	}
	return p.Grad
}

func list(params ...*Param) (all []*Param) {
	for _, p := range params {
		if p != nil {
			all = append(all, p)
		}
	}
	return all
}

func (l *batchNorm) params() []*Param { return list(l.gamma, l.beta) }

func (l *batchNorm) forward(p *pass, x []float32) ([]float32, error) {
	l.x, l.shape[0] = x, p.n
	y := l.y.of(len(x))
	return y, l.layer.Forward(y, x, l.shape, p.batch, p.update)
}

func (l *batchNorm) backward(_ *pass, dy []float32) ([]float32, error) {
	return dy, l.layer.Backward(dy, grad(l.gamma), grad(l.beta), dy, l.x)
}

// keep remembers the running statistics, restore brings them back.
func (l *batchNorm) keep() {
	c := len(l.layer.RunningMean)
	copy(l.kept, l.layer.RunningMean)
	copy(l.kept[c:], l.layer.RunningVar)
	l.batches = l.layer.Batches
}

func (l *batchNorm) restore() {
	c := len(l.layer.RunningMean)
	copy(l.layer.RunningMean, l.kept[:c])
	copy(l.layer.RunningVar, l.kept[c:])
	l.layer.Batches = l.batches
}

// rowNorm is LayerNorm or RMSNorm: over the last axis, or over all of an image.
type rowNorm struct {
	rms         bool
	epsilon     float64
	rows, cols  int // rows of an example
	gamma, beta *Param
	n           int // examples that the two are prepared for
	layer       *norm.LayerNorm
	root        *norm.RMSNorm
	x           []float32
	y           buffer
	mean, rstd  buffer
}

func newRowNorm(b *builder, s *Spec, in []int) (layer, []int, error) {
	epsilon, err := b.epsilon(s, norm.DefaultEpsilon)
	if err != nil {
		return nil, nil, err
	}
	l := &rowNorm{rms: s.Type == "rmsNorm", epsilon: epsilon, rows: 1, cols: elements(in)}
	shape := in
	if len(in) == 2 {
		l.rows, l.cols, shape = in[0], in[1], in[1:]
	}
	l.gamma, l.beta = affine(s, shape...)
	if l.rms {
		l.beta = nil
	}
	return l, in, nil
}

func (l *rowNorm) params() []*Param { return list(l.gamma, l.beta) }

func (l *rowNorm) forward(p *pass, x []float32) (y []float32, err error) {
	rows := p.n * l.rows
	if l.n != p.n {
		if l.rms {
			l.root, err = norm.NewRMSNorm([]int{rows, l.cols}, []int{1}, l.epsilon)
		} else {
			l.layer, err = norm.NewLayerNorm([]int{rows, l.cols}, []int{1}, l.epsilon)
		}
		if err != nil {
			return nil, err
		}
		l.n = p.n
	}
	l.x, y = x, l.y.of(len(x))
	if l.rms {
		return y, l.root.Forward(y, nil, l.rstd.of(rows), x, nil, value(l.gamma))
	}
	return y, l.layer.Forward(y, l.mean.of(rows), l.rstd.of(rows), x, nil, value(l.gamma), value(l.beta))
}

func (l *rowNorm) backward(p *pass, dy []float32) ([]float32, error) {
	rows := p.n * l.rows
	if l.rms {
		return dy, l.root.Backward(dy, grad(l.gamma), dy, l.x, l.rstd.of(rows), value(l.gamma))
	}
	return dy, l.layer.Backward(dy, grad(l.gamma), grad(l.beta), dy, l.x, l.mean.of(rows), l.rstd.of(rows), value(l.gamma))
}

// groupNorm is GroupNorm, or InstanceNorm: a group for each channel.
type groupNorm struct {
	groups      int
	epsilon     float64
	shape       []int
	layout      norm.Layout
	gamma, beta *Param
	layer       *norm.GroupNorm
	x           []float32
	y           buffer
	mean, rstd  buffer
}

func newGroupNorm(b *builder, s *Spec, in []int) (layer, []int, error) {
	epsilon, err := b.epsilon(s, norm.DefaultEpsilon)
	if err != nil {
		return nil, nil, err
	}
	channels, layout := in[0], norm.NCHW
	if len(in) == 2 {
		channels, layout = in[1], norm.NHWC
	}
	groups := s.Groups
	if s.Type == "instanceNorm" {
		groups = channels
		if len(in) == 1 {
			return nil, nil, b.shape("input is ", in, ", want [C H W] or [T D]: a channel of one number has no variance")
		}
	}
	if groups < 1 || channels%groups != 0 {
		return nil, nil, b.value("groups is ", groups, ", which does not divide ", channels, " channels")
	}
	l := &groupNorm{groups: groups, epsilon: epsilon, shape: append([]int{0}, in...), layout: layout}
	l.gamma, l.beta = affine(s, channels)
	return l, in, nil
}

func (l *groupNorm) params() []*Param { return list(l.gamma, l.beta) }

func (l *groupNorm) forward(p *pass, x []float32) (y []float32, err error) {
	if l.shape[0] != p.n {
		l.shape[0] = p.n
		if l.layer, err = norm.NewGroupNorm(l.shape, l.layout, l.groups, l.epsilon); err != nil {
			return nil, err
		}
	}
	l.x, y = x, l.y.of(len(x))
	n := p.n * l.groups
	return y, l.layer.Forward(y, l.mean.of(n), l.rstd.of(n), x, value(l.gamma), value(l.beta))
}

func (l *groupNorm) backward(p *pass, dy []float32) ([]float32, error) {
	n := p.n * l.groups
	return dy, l.layer.Backward(dy, grad(l.gamma), grad(l.beta), dy, l.x, l.mean.of(n), l.rstd.of(n), value(l.gamma))
}
