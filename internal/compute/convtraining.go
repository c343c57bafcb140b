package compute

import (
	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/slab"
)

// ConvTraining is a convolution whose weights change with each step: Conv without panels
// of pixels, which read in place as here come out cheaper for small planes and few
// channels, and with the gradient of its weights. Each output adds its products in the
// order of the weights, as Conv does.
type ConvTraining struct {
	shape        ConvShape
	h, w, oh, ow int
	lattice      lattice
	taps         []int32   // of a group's channels; one more where their number is odd, for pairs
	panels       []float32 // by group: panels [K][4] of its output channels
	bias         []float32 // by group, a multiple of four
	sums         []float32 // by group: [output channels][K] of four lanes
}

// What the kernels read beyond a row.
const convSlack = 8

// NewConvTraining prepares for planes of h×w.
func NewConvTraining(s ConvShape, h, w int) *ConvTraining {
	c := &ConvTraining{shape: s, h: h, w: w}
	c.oh, c.ow = s.OutSize(h, w)
	c.lattice = s.lattice(h, w, c.oh, c.ow)
	// A tile of eight pixels reads beyond a row that does not end with one.
	c.lattice.direct = c.lattice.direct && c.ow%8 == 0
	cg, og := c.group()
	k := cg * s.KernelH * s.KernelW
	c.taps = make([]int32, kernel.RoundUp(k, 2))
	c.lattice.taps(c.taps[:k], cg)
	c.panels = slab.Float32s(s.Groups * kernel.RoundUp(og, 4) * k)
	c.bias = slab.Float32s(s.Groups * kernel.RoundUp(og, 4))
	return c
}

// group is how many input and output channels a group has.
func (c *ConvTraining) group() (cg, og int) {
	return c.shape.InChannels / c.shape.Groups, c.shape.OutChannels / c.shape.Groups
}

// Pack takes the weights and the bias (nil for none). It allocates nothing.
func (c *ConvTraining) Pack(weights, bias []float32) {
	cg, og := c.group()
	k, m := cg*c.shape.KernelH*c.shape.KernelW, kernel.RoundUp(og, 4)
	for g := range c.shape.Groups {
		packA(c.panels[g*m*k:][:m*k], weights[g*og*k:], k, og, k, 0, false, nil)
		if bias != nil {
			copy(c.bias[g*m:], bias[g*og:][:og])
		}
	}
}

// ScratchLen returns how many float32 of scratch Run and Gradients want.
func (c *ConvTraining) ScratchLen() int {
	cg, og := c.group()
	return c.planesLen(cg) + kernel.RoundUp(og, 4)*c.oh*kernel.RoundUp(c.ow, 4) + og
}

func (c *ConvTraining) planesLen(cg int) int {
	if c.lattice.direct {
		return 0
	}
	return cg*c.lattice.len + convSlack
}

// border prepares the memory that planes spreads a group's channels in.
func (c *ConvTraining) border(mem *arena, cg int) []float32 {
	room := mem.take(c.planesLen(cg))
	clear(room)
	return room
}

// planes is a group's channels, spread in room where they do not lie so themselves.
func (c *ConvTraining) planes(room, x []float32, cg int) []float32 {
	l := &c.lattice
	if l.direct {
		return x
	}
	size := l.h * l.w
	cols := min(l.w, l.cols-l.window.PadLeft)
	rows := min(l.h, l.rows-l.window.PadTop)
	for ch := range cg {
		dst, src := room[ch*l.len:][:l.len], x[ch*size:][:size]
		if l.phases == 1 {
			if rows > 0 && cols > 0 {
				kernel.CopyPlane(kernel.Ptr(dst[l.window.PadTop*l.pitch+l.window.PadLeft:]), l.pitch, kernel.Ptr(src), l.w, rows, cols)
			}
			continue
		}
		l.spread(dst, src)
	}
	return room
}

// Run computes y [n, OutChannels, oh, ow] from x [n, InChannels, h, w] with the weights
// of the latest Pack.
func (c *ConvTraining) Run(y, x []float32, n int, scratch []float32) {
	pixels, size := c.oh*c.ow, c.h*c.w
	if pixels == 0 {
		return
	}
	cg, og := c.group()
	k, m := cg*c.shape.KernelH*c.shape.KernelW, kernel.RoundUp(og, 4)
	mem := arena(scratch)
	room := c.border(&mem, cg)
	for i := range n * c.shape.Groups { // groups follow each other as examples do
		g := i % c.shape.Groups
		in := c.planes(room, x[i*cg*size:][:cg*size], cg)
		kernel.TileTaps(kernel.Ptr(y[i*og*pixels:][:og*pixels]), pixels, kernel.Ptr(in), c.lattice.rowStep(), kernel.Ptr(c.taps),
			kernel.Ptr(c.panels[g*m*k:]), k, og, c.oh, c.ow, kernel.Ptr(c.bias[g*m:]))
	}
}

// Gradients computes dw, of the weights' shape, and db (nil for none) from dy
// [n, OutChannels, oh, ow] and what Run had for x.
func (c *ConvTraining) Gradients(dw, db, dy, x []float32, n int, scratch []float32) {
	pixels, size := c.oh*c.ow, c.h*c.w
	cg, og := c.group()
	k, m, nt := cg*c.shape.KernelH*c.shape.KernelW, kernel.RoundUp(og, 4), len(c.taps)
	if c.sums == nil {
		c.sums = slab.Float32s(c.shape.Groups * m * nt * 4)
	}
	clear(c.sums)
	mem := arena(scratch)
	room := c.border(&mem, cg)
	pitch := kernel.RoundUp(c.ow, 4)
	dealt := mem.take(m * c.oh * pitch)
	clear(dealt)
	sums := mem.take(og)
	clear(db)
	for i := range n * c.shape.Groups * min(pixels, 1) {
		g := i % c.shape.Groups
		in := c.planes(room, x[i*cg*size:][:cg*size], cg)
		d := dy[i*og*pixels:][:og*pixels]
		if db != nil {
			ReduceSum.Run(sums, d, og, pixels, 1)
			b := db[g*og:][:og]
			Add(b, b, 0, 1, sums, 0, 1, 1, og)
		}
		kernel.DealPlanes(kernel.Ptr(dealt), kernel.Ptr(d), og, c.oh, c.ow)
		kernel.DotTaps(kernel.Ptr(c.sums[g*m*nt*4:]), kernel.Ptr(dealt), kernel.Ptr(in), c.lattice.rowStep(), kernel.Ptr(c.taps), nt, m/4, c.oh, pitch)
	}
	for o := range c.shape.OutChannels {
		sums, to := c.sums[(o/og*m+o%og)*nt*4:], dw[o*k:][:k]
		for t := range to {
			s := (*[4]float32)(sums[4*t:])
			to[t] = (s[0] + s[1]) + (s[2] + s[3])
		}
	}
}
