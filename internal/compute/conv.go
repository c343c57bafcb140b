package compute

import (
	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/slab"
)

// ConvShape is the shape of a convolution of planes. Channels are dealt to
// Groups of equal size; weights are [OutChannels, InChannels/Groups, KernelH,
// KernelW], with the kernels of Deep before KernelH. Where there is a Deep, planes
// below are volumes.
type ConvShape struct {
	Window
	InChannels, OutChannels, Groups int
	Deep                            Deep
}

// taps is how many elements a channel's kernel has.
//
//go:noinline
func (s *ConvShape) taps() int { return s.Deep.Kernel() * s.KernelH * s.KernelW }

// Conv is a convolution (as networks say: a correlation) with its weights laid
// out for the kernels:
//
//	y[n,o,p] = clamp(bias[o] + Σ_{c,k} weights[o,c,k] · x[n, c, p·stride + k·dilation − pad])
//
// with products added in the order of the weights, and 0 outside of x.
type Conv struct {
	shape  ConvShape
	clamp  Clamp
	path   int
	panels []float32 // by group: panels [K][4] of its output channels
	bias   []float32
	over   bool     // panels are where the weights were
	Apply  Function // to what is clamped
}

const (
	convPixels    = iota // gather the pixels that each tap meets, then multiply
	convPointwise        // x itself is the right operand
	convDepthwise        // one filter a plane
)

// PackConv lays out weights and bias (nil for none). It copies the bias, and the weights
// too unless over says that they may be overwritten, and Over then that they were: where
// they would be padded, there is no room. Weights may be nil where Repack gives them before
// the first Run. It panics where there is no memory, and leaves them as they are.
func PackConv(s ConvShape, weights, bias []float32, clamp Clamp, over bool) *Conv {
	c := &Conv{shape: s, clamp: clamp, path: s.path(), bias: make([]float32, s.OutChannels)}
	copy(c.bias, bias)
	og := s.OutChannels / max(s.Groups, 1)
	k := s.InChannels / max(s.Groups, 1) * s.taps()
	depthwise := c.path == convDepthwise
	c.over = over && (depthwise || og%kernel.MR == 0)
	switch {
	case !c.over:
		if !depthwise {
			og = kernel.RoundUp(og, kernel.MR)
		}
		c.panels = slab.Float32s(s.Groups * og * k)
		if weights != nil {
			c.Repack(weights, bias)
		}
	case !depthwise:
		overwrite(slab.Bytes(weights), 4*kernel.MR*k, func(dst []byte, at int) {
			packA(slab.View[float32](dst), weights[at/4:], k, kernel.MR, k, 0, false, nil)
		})
		fallthrough
	default:
		c.panels = weights
	}
	return c
}

// Over says that the panels are where the weights were, which are gone.
func (c *Conv) Over() bool { return c.over }

// path is the way that suits the shape. Weights are laid out alike for convPixels and
// convPointwise; whether it is convDepthwise does not depend on the window.
func (s *ConvShape) path() int {
	switch {
	case s.InChannels == s.Groups && s.Groups > 1:
		return convDepthwise
	case s.KernelH == 1 && s.KernelW == 1 && s.StrideH == 1 && s.StrideW == 1 &&
		s.PadTop|s.PadLeft|s.PadBottom|s.PadRight == 0:
		for _, a := range s.Deep {
			if a.Kernel != 1 || a.Stride != 1 || a.Before|a.After != 0 {
				return convPixels
			}
		}
		return convPointwise
	}
	return convPixels
}

// packsAs says whether weights of both shapes are laid out alike: only strides,
// dilations and pads differ.
func (s ConvShape) packsAs(t ConvShape) bool {
	if len(s.Deep) != len(t.Deep) {
		return false
	}
	for i := range s.Deep {
		if s.Deep[i].Kernel != t.Deep[i].Kernel {
			return false
		}
	}
	return s.KernelH == t.KernelH && s.KernelW == t.KernelW &&
		s.InChannels == t.InChannels && s.OutChannels == t.OutChannels && s.Groups == t.Groups
}

// With returns the convolution of shape s with the packed weights of c, which both read
// from then on; ok is false where these do not fit: only strides, dilations and pads
// may differ.
func (c *Conv) With(s ConvShape) (d Conv, ok bool) {
	d = *c
	d.shape, d.path = s, s.path()
	return d, s.packsAs(c.shape)
}

// Repack takes other weights and another bias (nil for none) of the same shape, as
// a network in training has after each step. It copies them and allocates nothing.
func (c *Conv) Repack(weights, bias []float32) {
	s := &c.shape
	clear(c.bias)
	copy(c.bias, bias)
	if c.path == convDepthwise {
		copy(c.panels, weights)
		return
	}
	cg, og := s.InChannels/max(s.Groups, 1), s.OutChannels/max(s.Groups, 1)
	k := cg * s.taps()
	size := kernel.RoundUp(og, kernel.MR) * k
	for g := range s.Groups {
		packA(c.panels[g*size:][:size], weights[g*og*k:], k, og, k, 0, false, nil)
	}
}

// Shape returns what the convolution was packed with, or With was given.
func (c *Conv) Shape() ConvShape { return c.shape }

// ScratchLen returns how many float32 of scratch Run wants for planes of h×w.
func (c *Conv) ScratchLen(h, w int) int {
	oh, ow := c.shape.OutSize(h, w)
	s := c.shape
	if oh*ow == 0 || s.OutChannels == 0 {
		return 0
	}
	cg, og := s.InChannels/s.Groups, s.OutChannels/s.Groups
	k := cg * s.taps()
	l := s.volume(s.Deep, h, w, oh, ow)
	pixels := s.Deep.Places() * oh * ow
	switch c.path {
	case convDepthwise:
		return l.scratchLen(1) + k
	case convPointwise:
		return productScratch(og, pixels, k)
	}
	_, cols := productBlocks(pixels, k)
	return l.scratchLen(cg) + k + cols + productScratch(og, pixels, k)
}

// Run computes y [n, OutChannels, …, oh, ow] from x [n, InChannels, …, h, w], with
// oh, ow = OutSize(h, w). y may not overlap x.
func (c *Conv) Run(y, x []float32, n, h, w int, scratch []float32) {
	s := &c.shape
	oh, ow := s.OutSize(h, w)
	if oh*ow == 0 || s.OutChannels == 0 {
		return
	}
	l := s.volume(s.Deep, h, w, oh, ow)
	in, out := s.InChannels*s.Deep.Elements()*h*w, s.OutChannels*s.Deep.Places()*oh*ow
	for i := range n {
		yi, xi := y[i*out:][:out], x[i*in:][:in]
		if c.path == convDepthwise {
			c.depthwise(yi, xi, &l, oh, ow, scratch)
		} else {
			c.multiply(yi, xi, &l, oh, ow, scratch)
		}
	}
}

// multiply runs each group as a matrix product.
func (c *Conv) multiply(y, x []float32, l *lattice, oh, ow int, scratch []float32) {
	s := &c.shape
	cg, og := s.InChannels/s.Groups, s.OutChannels/s.Groups
	k, plane, pixels := cg*s.taps(), s.Deep.Elements()*l.h*l.w, s.Deep.Places()*oh*ow
	size := kernel.RoundUp(og, kernel.MR) * k
	p := product{m: og, n: pixels, k: k, ldc: pixels, astep: kernel.MR, start: kernel.StartRow}
	p.lo, p.hi = c.clamp.bounds()
	for g := range s.Groups {
		mem := arena(scratch)
		b := right{kind: rightRows, data: x[g*cg*plane:][:cg*plane], ld: plane}
		if c.path == convPixels {
			_, cols := productBlocks(pixels, k)
			b = right{kind: rightPixels, data: b.data, planes: l, ow: ow,
				taps: mem.takeInts(k), pix: mem.takeInts(cols)}
			l.taps(b.taps, cg)
			if !l.direct {
				planes := mem.take(cg * l.volume)
				pad(planes, 0)
				for ch := range cg {
					l.spread(planes[ch*l.volume:][:l.volume], b.data[ch*plane:][:plane])
				}
				b.data = planes
			}
		}
		p.a, p.bias = c.panels[g*size:][:size], c.bias[g*og:][:og]
		out := y[g*og*pixels:][:og*pixels]
		p.run(out, &b, &mem)
		c.Apply.To(out)
	}
}

func (c *Conv) depthwise(y, x []float32, l *lattice, oh, ow int, scratch []float32) {
	s := &c.shape
	mem := arena(scratch)
	k := s.taps()
	taps := mem.takeInts(k)
	l.taps(taps, 1)
	spread := mem.take(l.scratchLen(1))
	pad(spread, 0)
	lo, hi := c.clamp.bounds()
	plane, each, places := s.Deep.Elements()*l.h*l.w, s.OutChannels/s.Groups, s.Deep.Places()
	for g := range s.Groups {
		in := x[g*plane:][:plane]
		if !l.direct {
			l.spread(spread, in)
			in = spread
		}
		for o := g * each; o < (g+1)*each; o++ {
			for p := range places {
				kernel.Depthwise(kernel.Ptr(y[(o*places+p)*oh*ow:][:oh*ow]), ow, kernel.Ptr(in[l.planeAt(p):]), l.rowStep(), kernel.Ptr(taps),
					kernel.Ptr(c.panels[o*k:][:k]), k, oh, ow, c.bias[o], lo, hi)
			}
			c.Apply.To(y[o*places*oh*ow:][:places*oh*ow])
		}
	}
}
