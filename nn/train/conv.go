package train

import (
	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/text"
)

// conv is a convolution of images.
type conv struct {
	shape        compute.ConvShape
	h, w, oh, ow int
	weight, bias *Param
	direct       *compute.ConvTraining
	back         *compute.ConvTranspose // the gradient of x: with strides,
	turned       *compute.ConvTraining  // and without, where it is a convolution with the kernels turned round
	kernels      []float32
	x            []float32
	y, dx        buffer
}

func newConv(b *builder, s *Spec, in []int) (layer, []int, error) {
	if len(in) != 3 {
		return nil, nil, b.shape("input is ", in, ", want [C H W]")
	}
	if err := b.positive("filters", s.Filters); err != nil {
		return nil, nil, err
	}
	if err := b.positive("kernel", s.Kernel); err != nil {
		return nil, nil, err
	}
	groups, stride := max(s.Groups, 1), max(s.Stride, 1)
	if s.Groups < 0 || in[0]%groups != 0 || s.Filters%groups != 0 {
		return nil, nil, b.value("groups is ", s.Groups, ", which does not divide ", in[0], " channels and ", s.Filters, " filters")
	}
	if s.Stride < 0 {
		return nil, nil, b.value("stride is ", s.Stride, ", want at least 1")
	}
	w := compute.Window{KernelH: s.Kernel, KernelW: s.Kernel, StrideH: stride, StrideW: stride, DilationH: 1, DilationW: 1}
	switch s.Padding {
	case "same", "":
		w = w.Same(in[1], in[2], true)
	case "valid":
		if s.Kernel > in[1] || s.Kernel > in[2] {
			return nil, nil, b.shape("its kernel of ", s.Kernel, " is larger than the input ", in)
		}
	default:
		return nil, nil, b.value("padding is ", text.Quote(s.Padding), ", want \"same\" or \"valid\"")
	}
	c := &conv{shape: compute.ConvShape{Window: w, InChannels: in[0], OutChannels: s.Filters, Groups: groups}, h: in[1], w: in[2]}
	c.oh, c.ow = w.OutSize(in[1], in[2])
	each := in[0] / groups
	c.weight = newParam("weight", true, s.Filters, each, s.Kernel, s.Kernel).he(b.rand, each*s.Kernel*s.Kernel)
	if !s.NoBias {
		c.bias = newParam("bias", false, s.Filters)
	}
	c.direct = compute.NewConvTraining(c.shape, c.h, c.w)
	t := c.shape
	t.InChannels, t.OutChannels = t.OutChannels, t.InChannels
	if stride > 1 {
		c.back = compute.PackConvTranspose(t, c.weight.Value, nil, compute.NoClamp, false)
	} else {
		k := s.Kernel - 1
		t.PadTop, t.PadLeft, t.PadBottom, t.PadRight = k-t.PadTop, k-t.PadLeft, k-t.PadBottom, k-t.PadRight
		c.kernels = make([]float32, len(c.weight.Value))
		c.turned = compute.NewConvTraining(t, c.oh, c.ow)
	}
	return c, []int{s.Filters, c.oh, c.ow}, nil
}

func (c *conv) params() []*Param {
	if c.bias == nil {
		return []*Param{c.weight}
	}
	return []*Param{c.weight, c.bias}
}

func (c *conv) forward(p *pass, x []float32) ([]float32, error) {
	c.x = x
	y := c.y.of(p.n * c.shape.OutChannels * c.oh * c.ow)
	c.direct.Pack(c.weight.Value, value(c.bias))
	c.direct.Run(y, x, p.n, p.scratch.of(c.direct.ScratchLen()))
	return y, nil
}

func (c *conv) backward(p *pass, dy []float32) ([]float32, error) {
	c.direct.Gradients(c.weight.Grad, grad(c.bias), dy, c.x, p.n, p.scratch.of(c.direct.ScratchLen()))
	if p.last {
		return nil, nil
	}
	dx := c.dx.of(p.n * c.shape.InChannels * c.h * c.w)
	if c.back != nil {
		c.back.Repack(c.weight.Value, nil)
		c.back.Run(dx, dy, p.n, c.oh, c.ow, c.h, c.w, p.scratch.of(c.back.ScratchLen(c.oh, c.ow)))
		return dx, nil
	}
	c.turn()
	c.turned.Pack(c.kernels, nil)
	c.turned.Run(dx, dy, p.n, p.scratch.of(c.turned.ScratchLen()))
	return dx, nil
}

// turn writes the kernels from each filter to each channel, back to front.
func (c *conv) turn() {
	s := &c.shape
	cg, og, size := s.InChannels/s.Groups, s.OutChannels/s.Groups, s.KernelH*s.KernelW
	for g := range s.Groups {
		for o := range og {
			for ch := range cg {
				from := c.weight.Value[((g*og+o)*cg+ch)*size:][:size]
				to := c.kernels[((g*cg+ch)*og+o)*size:][:size]
				for i, v := range from {
					to[size-1-i] = v
				}
			}
		}
	}
}
