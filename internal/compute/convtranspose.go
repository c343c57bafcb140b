package compute

import (
	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/slab"
)

// ConvTranspose is the transposed convolution: what a convolution with the same
// Window does to gradients, each input element adding its weighted kernel to the
// output:
//
//	y[n,o, p·stride + k·dilation − pad] += x[n,c,p] · weights[c,o,k]
//
// Weights are [InChannels, OutChannels/Groups, …, KernelH, KernelW]. Places of an axis of
// Deep are y's elements here.
type ConvTranspose struct {
	shape  ConvShape
	clamp  Clamp
	panels []float32
	bias   []float32
	over   bool     // panels are where the weights were
	Apply  Function // to what is clamped
}

// PackConvTranspose is as PackConv. With over it takes memory for the weights of a group
// for a moment; where these are very many, it does not overwrite them either.
func PackConvTranspose(s ConvShape, weights, bias []float32, clamp Clamp, over bool) *ConvTranspose {
	c := &ConvTranspose{shape: s, clamp: clamp, bias: make([]float32, s.OutChannels)}
	copy(c.bias, bias)
	cg, m := s.InChannels/s.Groups, c.rows()
	if c.over = over && m%kernel.MR == 0 && m*cg <= 2*placeBlock; c.over {
		overwrite(slab.Bytes(weights), 4*m*cg, func(dst []byte, at int) { packA(slab.View[float32](dst), weights[at/4:], m, m, cg, 0, true, nil) })
		c.panels = weights
		return c
	}
	c.panels = slab.Float32s(s.Groups * kernel.RoundUp(m, kernel.MR) * cg)
	if weights != nil {
		c.Repack(weights, bias)
	}
	return c
}

// Over says that the panels are where the weights were, which are gone.
func (c *ConvTranspose) Over() bool { return c.over }

// With returns the transposed convolution of shape s with the packed weights of c, which
// both read from then on; ok is false where these do not fit: only strides, dilations
// and pads may differ.
func (c *ConvTranspose) With(s ConvShape) (d ConvTranspose, ok bool) {
	d = *c
	d.shape = s
	return d, s.packsAs(c.shape)
}

// Repack takes other weights and another bias (nil for none) of the same shape. It
// copies them and allocates nothing.
func (c *ConvTranspose) Repack(weights, bias []float32) {
	s := &c.shape
	clear(c.bias)
	copy(c.bias, bias)
	cg, m := s.InChannels/s.Groups, c.rows()
	size := kernel.RoundUp(m, kernel.MR) * cg
	for g := range s.Groups {
		packA(c.panels[g*size:][:size], weights[g*cg*m:], m, m, cg, 0, true, nil)
	}
}

// rows is the number of kernel elements that one input pixel spreads to.
func (c *ConvTranspose) rows() int {
	return c.shape.OutChannels / c.shape.Groups * c.shape.taps()
}

// OutSize returns (h−1)·stride + extent − pads: the output without any output
// padding.
func (c *ConvTranspose) OutSize(h, w int) (oh, ow int) {
	s := &c.shape
	return (h-1)*s.StrideH + s.extentH() - s.PadTop - s.PadBottom,
		(w-1)*s.StrideW + s.extentW() - s.PadLeft - s.PadRight
}

// ScratchLen returns how many float32 of scratch Run wants for planes of h×w.
func (c *ConvTranspose) ScratchLen(h, w int) int {
	m, n := c.rows(), c.shape.Deep.Elements()*h*w
	return m*n + productScratch(m, n, c.shape.InChannels/c.shape.Groups)
}

// Run computes y [n, OutChannels, oh, ow] from x [n, InChannels, h, w]. The
// output size is the caller's (OutSize plus output padding); PadTop and PadLeft
// say where the first element falls. y may not overlap x.
func (c *ConvTranspose) Run(y, x []float32, n, h, w, oh, ow int, scratch []float32) {
	s := &c.shape
	cg, og, m := s.InChannels/s.Groups, s.OutChannels/s.Groups, c.rows()
	size := kernel.RoundUp(m, kernel.MR) * cg
	lo, hi := c.clamp.bounds()
	in, plane := s.Deep.Elements()*h*w, s.Deep.Places()*oh*ow
	for i := range n * s.Groups {
		g := i % s.Groups
		out := y[i*og*plane:][:og*plane]
		for o := range og {
			fillWith(out[o*plane:][:plane], c.bias[g*og+o])
		}
		if in > 0 && m > 0 {
			mem := arena(scratch)
			cols := mem.take(m * in)
			p := product{m: m, n: in, k: cg, ldc: in, a: c.panels[g*size:][:size], astep: kernel.MR}
			p.lo, p.hi = NoClamp.bounds()
			b := right{kind: rightRows, data: x[i*cg*in:][:cg*in], ld: in}
			p.run(cols, &b, &mem)
			// The products belong to where each kernel element falls.
			k := s.taps()
			for r := range m {
				c.scatter(out[r/k*plane:][:plane], cols[r*in:][:in], 0, r%k, [4]int{h, w, oh, ow})
			}
		}
		if c.clamp != NoClamp && len(out) > 0 {
			kernel.ClipN(kernel.Ptr(out), kernel.Ptr(out), len(out), lo, hi)
		}
		c.Apply.To(out)
	}
}

// scatter adds a kernel element's products to where they belong, from an axis of Deep on.
func (c *ConvTranspose) scatter(out, in []float32, axis, tap int, planes [4]int) {
	s := &c.shape
	if axis < len(s.Deep) {
		a := &s.Deep[axis]
		rest := s.Deep[axis+1:].Kernel() * s.KernelH * s.KernelW
		from, to := len(in)/a.Size, len(out)/max(a.Places, 1)
		at := tap/rest*a.Dilation - a.Before
		for i := range a.Size {
			if at >= 0 && at < a.Places {
				c.scatter(out[at*to:][:to], in[i*from:][:from], axis+1, tap%rest, planes)
			}
			at += a.Stride
		}
		return
	}
	h, w, oh, ow := planes[0], planes[1], planes[2], planes[3]
	ky, kx := tap/s.KernelW, tap%s.KernelW
	for iy := range h {
		oy := iy*s.StrideH + ky*s.DilationH - s.PadTop
		if oy < 0 || oy >= oh {
			continue
		}
		row, in := out[oy*ow:][:ow], in[iy*w:][:w]
		ox := kx*s.DilationW - s.PadLeft
		for _, v := range in {
			if ox >= 0 && ox < ow {
				row[ox] += v
			}
			ox += s.StrideW
		}
	}
}
