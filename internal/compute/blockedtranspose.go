package compute

import (
	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/threads"
)

// BlockedTransposed is ConvTranspose with an input in the blocked layout. Pixels of the result
// that lie a stride apart, a phase, are a convolution of stride 1 by some of the taps: each phase
// is computed as one, strip by strip, and its pixels are moved to where they belong. The result
// has the blocked layout too, or is planes where its channels are few (see TransposedBlocks): then
// all phases are channels of a single convolution.
type BlockedTransposed struct {
	Shape  ConvShape // of which pads may be set before a Run
	Apply  Function  // to what is clamped
	planes bool
	over   bool
	phases []BlockedConv // row by row; their windows are their taps
}

const transposedStrip = 64 << 10 // bytes of a phase that wait in a cache until they are moved

// TransposedBlocks says whether BlockedTransposed has the shape: planes, kernels that are not
// dilated and leave no place out, and one group or groups of whole blocks. planes says that its
// result would be planes, because all phases fit into blocks that each one alone would leave
// mostly empty.
func (s *ConvShape) TransposedBlocks() (planes, ok bool) {
	if !s.Blockable() || s.depthwise() || s.DilationH != 1 || s.DilationW != 1 || s.KernelH < s.StrideH || s.KernelW < s.StrideW {
		return false, false
	}
	return s.OutChannels < Lanes && s.KernelH%s.StrideH == 0 && s.KernelW%s.StrideW == 0, true
}

// PackBlockedTransposed lays out weights and bias (nil for none), as PackConvTranspose does.
func PackBlockedTransposed(s ConvShape, weights, bias []float32, clamp Clamp, over bool) *BlockedTransposed {
	c := &BlockedTransposed{Shape: s}
	c.planes, _ = s.TransposedBlocks()
	cg, og, per := s.InChannels/s.Groups, s.OutChannels/s.Groups, 1 // phases that are channels of a convolution
	whole := cg%Lanes == 0 && og%Lanes == 0
	// The weights of a phase, as a convolution has them, lie here; or where the weights were.
	src, dst := weights, slab.Float32s(len(weights))
	if c.over = over && whole; c.over {
		copy(dst, src)
		src, dst = dst, weights
	}
	if c.planes {
		per = s.StrideH * s.StrideW
	}
	biases := make([]float32, s.OutChannels*per)
	for p := 0; p < s.StrideH*s.StrideW; p += per {
		f := s.phase(p)
		f.OutChannels *= per
		n := 0
		for o := range f.OutChannels {
			q, o := p+o%per, o/per
			y, x := q/s.StrideW, q%s.StrideW
			if bias != nil {
				biases[o*per+q-p] = bias[o]
			}
			for i := range cg {
				w := src[((o/og*cg+i)*og+o%og)*s.KernelH*s.KernelW:]
				for t := f.taps() - 1; t >= 0; t-- { // the first one is met last
					dst[n] = w[(y+t/f.KernelW*s.StrideH)*s.KernelW+x+t%f.KernelW*s.StrideW]
					n++
				}
			}
		}
		c.phases = append(c.phases, *PackBlockedConv(f, dst[:n], biases, clamp, false, whole))
		dst = dst[n:]
	}
	return c
}

// phase is the shape of a phase's convolution.
func (s ConvShape) phase(p int) ConvShape {
	s.Window = Window{KernelH: (s.KernelH-p/s.StrideW-1)/s.StrideH + 1, KernelW: (s.KernelW-p%s.StrideW-1)/s.StrideW + 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1}
	return s
}

// Over says that the weights are where they were, but laid out.
func (c *BlockedTransposed) Over() bool { return c.over }

// Bytes is how much memory the packed weights and the biases take besides what they lie over.
func (c *BlockedTransposed) Bytes() int {
	n := 0
	for i := range c.phases {
		f := &c.phases[i]
		n += f.Bytes()
		if f.over && !c.over {
			n += 4 * len(f.panels)
		}
	}
	return n
}

// transposing is how a run goes about it. Places of a phase are counted from where pixels without
// pads would be.
type transposing struct {
	window             Window // of the phase with most taps
	lattice            blockedLattice
	top, left          int // the first place of any phase
	high, wide         int
	rows               int // of places at a time
	strips             int // of so many rows
	runs, pixels, size int // elements of the tables, and of a phase of these rows
}

func (c *BlockedTransposed) transposing(h, w, oh, ow int) (r transposing) {
	s, f := &c.Shape, &c.phases[0]
	r.top, r.left = s.PadTop/s.StrideH, s.PadLeft/s.StrideW
	r.high, r.wide = (s.PadTop+oh-1)/s.StrideH+1-r.top, (s.PadLeft+ow-1)/s.StrideW+1-r.left
	r.window = f.shape.Window
	r.window.PadTop, r.window.PadLeft = r.window.KernelH-1, r.window.KernelW-1
	r.lattice = blockedLattice{rows: r.window.PadTop + max(h, r.top+r.high), cols: r.window.PadLeft + max(w, r.left+r.wide), step: Lanes}
	r.lattice.direct = r.lattice.rows == h && r.lattice.cols == w
	line := r.wide * Lanes * ChannelBlocks(f.shape.OutChannels)
	r.rows = min(max(transposedStrip/(4*line), 1), r.high)
	r.pixels, r.size = r.rows*r.wide, r.rows*line
	for i := range c.phases {
		r.runs += f.inBlocks() * c.phases[i].shape.taps()
	}
	r.strips = (r.high + r.rows - 1) / r.rows
	return r
}

// ScratchLen returns how many float32 of scratch Run wants for planes of h×w that become oh×ow.
func (c *BlockedTransposed) ScratchLen(h, w, oh, ow int) int {
	r := c.transposing(h, w, oh, ow)
	n := r.runs + r.pixels + threads.MostParts(r.strips*len(c.phases))*r.size
	if !r.lattice.direct {
		n += ChannelBlocks(c.Shape.InChannels) * r.lattice.plane()
	}
	return n
}

// Run computes y [n, blocks, oh, ow, Lanes], or [n, channels, oh, ow] of planes, from x [n,
// blocks, h, w, Lanes]. The result's size is the caller's, as for ConvTranspose. y may not
// overlap x.
func (c *BlockedTransposed) Run(y, x []float32, n, h, w, oh, ow int, scratch []float32) {
	r := c.transposing(h, w, oh, ow)
	l, mem, planes := &r.lattice, arena(scratch), ChannelBlocks(c.Shape.InChannels)
	runs, pix := mem.takeInts(r.runs), mem.takeInts(r.pixels)
	l.pixels(r.window, pix, r.wide)
	taps := runs
	for p := range c.phases {
		k := c.phases[p].inBlocks() * c.phases[p].shape.taps()
		l.runs(c.phases[p].shape.Window, taps[:k], 1)
		taps = taps[k:]
	}
	var padded []float32
	if !l.direct {
		padded = mem.take(planes * l.plane())
	}
	in, out := len(x)/max(n, 1), len(y)/max(n, 1)
	units := r.strips * len(c.phases)
	parts := threads.Parts(units, r.high*r.wide*len(runs)*Lanes*r.size/r.pixels/multiplyAdds)
	for i := range n {
		xi, yi := x[i*in:][:in], y[i*out:][:out]
		if !l.direct {
			l.spread(r.window, padded, xi, planes, h, w)
			xi = padded
		}
		threads.For(parts, func(part int) {
			for u, end := threads.Range(units, parts, part); u < end; u++ {
				c.strip(yi, xi, u/r.strips, u%r.strips*r.rows, runs, pix, mem[part*r.size:][:r.size], &r, oh, ow)
			}
		})
		if c.planes {
			c.Apply.ToAll(yi)
		}
	}
}

// strip computes some rows of places of a phase, from one on.
func (c *BlockedTransposed) strip(y, x []float32, p, first int, runs, pix []int32, room []float32, r *transposing, oh, ow int) {
	l, f := &r.lattice, &c.phases[p]
	g := f.shape.Window
	for q := range p {
		runs = runs[f.inBlocks()*c.phases[q].shape.taps():]
	}
	// Shorter kernels begin that much later.
	from := (r.top+r.window.KernelH-g.KernelH)*l.cols + r.left + r.window.KernelW - g.KernelW
	k := min(r.rows, r.high-first) * r.wide
	strip := room[:r.size/r.pixels*k]
	t := tiling{oh: k / r.wide, ow: r.wide, lattice: *l, runs: runs[:f.inBlocks()*f.shape.taps()], pix: pix[:k]}
	f.tilesOf(strip, x[(from+first*l.cols)*Lanes:], nil, &t, 0, 0, k, 0, ChannelBlocks(f.shape.OutChannels))
	if !c.planes {
		c.Apply.To(strip)
	}
	c.move(y, strip, p, first+r.top, k, r, oh, ow)
}

// move puts k places of a phase, or of all, from a row on to where they belong.
func (c *BlockedTransposed) move(y, strip []float32, phase, top, k int, r *transposing, oh, ow int) {
	s := &c.Shape
	all, units, width := s.StrideH*s.StrideW, len(strip)/(k*Lanes), Lanes
	if c.planes {
		units, width = s.OutChannels*all, 1
	}
	for u := range units {
		o, at := u, u*k*Lanes
		if c.planes {
			o, phase, at = u/all, u%all, u/Lanes*k*Lanes+u%Lanes
		}
		row, col := phase/s.StrideW-s.PadTop, phase%s.StrideW-s.PadLeft // of y, of place 0
		first := (max(-col, 0) + s.StrideW - 1) / s.StrideW
		n := (ow-col+s.StrideW-1)/s.StrideW - first
		for i := range k / r.wide {
			if line := (top+i)*s.StrideH + row; line >= 0 && line < oh && n > 0 {
				kernel.CopyPlane(kernel.Ptr(y[((o*oh+line)*ow+first*s.StrideW+col)*width:]), s.StrideW*width,
					kernel.Ptr(strip[at+(i*r.wide+first-r.left)*Lanes:]), Lanes, n, width)
			}
		}
	}
}
