package compute

import (
	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/threads"
)

// Lanes is how many channels of a pixel lie together in the blocked layout: [n, blocks, h, w,
// Lanes], with as many blocks as the channels need. What there is no channel for holds zeros,
// or what became of them: finite numbers.
const Lanes = kernel.Lanes

// ChannelBlocks is how many blocks channels take.
//
//go:noinline
func ChannelBlocks(channels int) int { return (channels + Lanes - 1) / Lanes }

// BlockedConv is Conv with a result in the blocked layout. Its input has that layout too, or
// is planes, which suits the first layer of a network with its few channels. Products are
// added block of channels by block, tap by tap, channel by channel; of planes and depthwise as
// Conv does.
type BlockedConv struct {
	shape     ConvShape
	clamp     Clamp
	planes    bool
	depthwise bool
	panels    []float32 // by block of the result: [blocks of x][taps][8 of x][8]; [channels of x][taps][8] of planes; [taps][8] depthwise
	rest      []float32 // the last block, where the others lie over their weights and it has channels that are missing
	bias      []float32 // filled up to blocks, and then zeros for 8 more
	over      bool
	wino      *winograd // in place of the panels
	Apply     Function  // to what is clamped
}

const (
	blockedRuns  = 64        // runs of 8 rows of weights that stay in the first cache
	blockedStrip = 256 << 10 // bytes of x that stay in the second one
	windowStrip  = 64 << 10  // bytes of a padded plane, of which a depthwise convolution has one at a time
)

// Blockable says whether BlockedConv has the shape: planes, and groups that are one, or
// of one channel each, or of whole blocks.
func (s *ConvShape) Blockable() bool {
	if s.Deep != nil || s.Groups < 1 || s.InChannels < 1 || s.OutChannels < 1 {
		return false
	}
	return s.Groups == 1 || s.depthwise() || s.InChannels/s.Groups%Lanes == 0 && s.OutChannels/s.Groups%Lanes == 0
}

func (s *ConvShape) depthwise() bool {
	return s.Groups > 1 && s.Groups == s.InChannels && s.Groups == s.OutChannels
}

// PackBlockedConv lays out weights and bias (nil for none), as PackConv does. planes says
// that x is; there are no groups then.
func PackBlockedConv(s ConvShape, weights, bias []float32, clamp Clamp, planes, over bool) *BlockedConv {
	blocks := ChannelBlocks(s.OutChannels)
	c := &BlockedConv{shape: s, clamp: clamp, planes: planes, depthwise: s.depthwise(), bias: make([]float32, (blocks+1)*Lanes)}
	copy(c.bias, bias)
	size := c.panelLen()
	lay := func(dst, src []float32) {
		clear(dst)
		c.pack(dst, src)
	}
	from := len(weights) / max(s.OutChannels, 1) * Lanes // of a block
	if whole := s.OutChannels / Lanes; over && whole > 0 && from == size {
		c.over = true
		if whole < blocks { // it takes more than its weights do
			c.rest = slab.Float32s(size)
			lay(c.rest, weights[whole*size:])
		}
		c.panels = weights[:whole*size]
		overwrite(slab.Bytes(c.panels), 4*size, func(dst []byte, at int) {
			lay(slab.View[float32](dst), weights[at/4:][:size])
		})
		return c
	}
	c.panels = slab.Float32s(blocks * size)
	for b := range blocks {
		lay(c.panels[b*size:][:size], weights[b*from:min((b+1)*from, len(weights))])
	}
	return c
}

// Over says that the panels are where the weights were, which are gone.
func (c *BlockedConv) Over() bool { return c.over }

// Bytes is how much memory the packed weights and the bias take besides what they lie over.
func (c *BlockedConv) Bytes() int {
	n := 4 * len(c.bias)
	if c.wino != nil {
		return n + 4*len(c.wino.u)
	}
	if !c.over {
		n += 4 * len(c.panels)
	}
	return n + 4*len(c.rest)
}

// panel is the weights of a block of the result.
func (c *BlockedConv) panel(block int) []float32 {
	if size := c.panelLen(); (block+1)*size <= len(c.panels) {
		return c.panels[block*size:][:size]
	}
	return c.rest
}

// inBlocks is how many blocks of x a result is made of.
func (c *BlockedConv) inBlocks() int {
	return ChannelBlocks(c.shape.InChannels / c.shape.Groups)
}

// panelLen is how many elements the weights of a block of the result take.
func (c *BlockedConv) panelLen() int {
	taps := c.shape.taps()
	switch {
	case c.depthwise:
		return taps * Lanes
	case c.planes:
		return c.shape.InChannels * taps * Lanes
	}
	return c.inBlocks() * taps * Lanes * Lanes
}

// pack lays out the weights [channels of the result][channels of x][taps] of a block.
func (c *BlockedConv) pack(dst, src []float32) {
	taps, cg := c.shape.taps(), c.shape.InChannels/c.shape.Groups
	for o := range len(src) / (cg * taps) {
		for i := range cg {
			for t, w := range src[(o*cg+i)*taps:][:taps] {
				at := (i/Lanes*taps+t)*Lanes + i%Lanes
				if c.planes || c.depthwise {
					at = i*taps + t
				}
				dst[at*Lanes+o] = w
			}
		}
	}
}

// With is Conv.With.
func (c *BlockedConv) With(s ConvShape) (d BlockedConv, ok bool) {
	d = *c
	d.shape = s
	return d, s.packsAs(c.shape) && (c.wino == nil || s.Winograd())
}

// blockedLattice is how padded planes of blocks lie in memory.
type blockedLattice struct {
	rows, cols, step int // elements of a pixel: 8, or 1 of planes
	direct           bool
}

func (g Window) blockedLattice(h, w, oh, ow, step int) blockedLattice {
	l := blockedLattice{rows: (oh-1)*g.StrideH + g.extentH(), cols: (ow-1)*g.StrideW + g.extentW(), step: step}
	if l.direct = g.PadTop == 0 && g.PadLeft == 0 && l.rows <= h && l.cols <= w; l.direct {
		l.rows, l.cols = h, w
	}
	return l
}

// plane is how many elements a padded plane has.
func (l *blockedLattice) plane() int { return l.rows * l.cols * l.step }

// spread copies planes of h×w pixels into the middle of those at dst. Their borders become zeros.
func (l *blockedLattice) spread(g Window, dst, x []float32, n, h, w int) {
	parts := threads.Parts(n, n*l.plane()/2)
	threads.For(parts, func(part int) {
		for i, to := threads.Range(n, parts, part); i < to; i++ {
			plane := dst[i*l.plane():][:l.plane()]
			l.sides(g, plane, w)
			l.strip(g, plane, x[i*h*w*l.step:][:h*w*l.step], -g.PadTop, h, w)
		}
	})
}

// sides sets the left and right borders of a plane to zero.
func (l *blockedLattice) sides(g Window, dst []float32, w int) {
	right := min(g.PadLeft+w, l.cols)
	blank(dst, l.cols*l.step, l.rows, min(g.PadLeft, l.cols)*l.step)
	blank(dst[right*l.step:], l.cols*l.step, l.rows, (l.cols-right)*l.step)
}

// strip copies the rows of a plane from row top on into dst, a plane of the lattice of which the
// left and right borders are zeros. Rows that the plane does not have are zeros too.
func (l *blockedLattice) strip(g Window, dst, x []float32, top, h, w int) {
	row := l.cols * l.step
	from := min(max(top, 0), top+l.rows)
	to := max(min(top+l.rows, h), from)
	blank(dst, row, 1, (from-top)*row)
	blank(dst[(to-top)*row:], row, 1, (top+l.rows-to)*row)
	if cols := min(w, l.cols-g.PadLeft); to > from && cols > 0 {
		kernel.CopyPlane(kernel.Ptr(dst[(from-top)*row+g.PadLeft*l.step:]), row, kernel.Ptr(x[from*w*l.step:]), w*l.step, to-from, cols*l.step)
	}
}

var zeros [Lanes]float32

// blank sets so many elements of each of some rows to zero. Kernels do it, so that it is done when
// other kernels of a part of a step are.
func blank(dst []float32, pitch, rows, width int) {
	if rows > 1 {
		for at := 0; at < width; at += Lanes {
			kernel.CopyPlane(kernel.Ptr(dst[at:]), pitch, &zeros[0], 0, rows, min(Lanes, width-at))
		}
		return
	}
	whole := width / Lanes * Lanes
	if whole > 0 {
		kernel.CopyPlane(kernel.Ptr(dst), Lanes, &zeros[0], 0, whole/Lanes, Lanes)
	}
	if whole < width {
		kernel.CopyPlane(kernel.Ptr(dst[whole:]), 0, &zeros[0], 0, 1, width-whole)
	}
}

// pixels writes where each pixel of the result begins to read.
func (l *blockedLattice) pixels(g Window, dst []int32, ow int) {
	at, col := 0, 0
	for i := range dst {
		dst[i] = int32((at + col*g.StrideW) * l.step)
		if col++; col == ow {
			col, at = 0, at+g.StrideH*l.cols
		}
	}
}

// runs writes by how much each run of so many taps of each plane lies behind the one before it.
func (l *blockedLattice) runs(g Window, dst []int32, wide int) {
	before, plane := 0, 0
	for len(dst) > 0 {
		for ky := range g.KernelH {
			for kx := 0; kx < g.KernelW; kx += wide {
				at := plane + (ky*g.DilationH*l.cols+kx*g.DilationW)*l.step
				dst[0] = int32(at - before)
				before, dst = at, dst[1:]
			}
		}
		plane += l.plane()
	}
}

// lattice is how what is read at a time lies in memory, and of how many rows of the result: of
// all but depthwise convolutions, whose planes are padded strip by strip.
func (c *BlockedConv) lattice(h, w, oh, ow int) (l blockedLattice, rows int) {
	s := &c.shape
	l = s.blockedLattice(h, w, oh, ow, c.step())
	if !c.depthwise || l.direct {
		return l, oh
	}
	most := max(windowStrip/(4*Lanes*l.cols)-s.extentH(), 0)/s.StrideH + 1
	rows = min(oh, most)
	l.rows = (rows-1)*s.StrideH + s.extentH()
	return l, rows
}

// sizes are how many planes of x are padded at a time, runs of a result, and pixels of so many
// of its rows.
func (c *BlockedConv) sizes(rows, ow int) (planes, runs, pixels int) {
	s := &c.shape
	switch {
	case c.depthwise:
		return 1, s.taps(), rows * ow
	case c.planes:
		return s.InChannels, s.InChannels * s.taps() / c.wide(), rows * ow
	}
	return ChannelBlocks(s.InChannels), c.inBlocks() * s.taps(), rows * ow
}

// wide is how many taps are in a run: of planes, a row of three is one.
func (c *BlockedConv) wide() int {
	if c.planes && c.shape.KernelW == 3 && c.shape.DilationW == 1 {
		return 3
	}
	return 1
}

func (c *BlockedConv) step() int {
	if c.planes {
		return 1
	}
	return Lanes
}

// ScratchLen returns how many float32 of scratch Run wants for planes of h×w.
func (c *BlockedConv) ScratchLen(h, w int) int {
	oh, ow := c.shape.OutSize(h, w)
	if oh*ow == 0 {
		return 0
	}
	if c.wino != nil {
		return c.winogradScratch(h, w, oh, ow)
	}
	l, rows := c.lattice(h, w, oh, ow)
	planes, runs, pixels := c.sizes(rows, ow)
	n := runs + pixels
	if !l.direct {
		n += planes * l.plane()
		if c.depthwise { // each part has its own
			n += (threads.MostParts(c.windowUnits(oh, rows)) - 1) * l.plane()
		}
	}
	return n
}

// windowUnits is of how many strips of rows the blocks of a depthwise convolution are.
func (c *BlockedConv) windowUnits(oh, rows int) int {
	return ChannelBlocks(c.shape.OutChannels) * ((oh + rows - 1) / rows)
}

// Run computes y [n, blocks, oh, ow, Lanes] from x [n, blocks, h, w, Lanes], or [n, channels,
// h, w] of planes, with oh, ow = OutSize(h, w). residual is nil or as large as y, which may be
// the same memory, and is added before the clamp. y may not overlap x.
func (c *BlockedConv) Run(y, x, residual []float32, n, h, w int, scratch []float32) {
	s := &c.shape
	oh, ow := s.OutSize(h, w)
	if oh*ow == 0 {
		return
	}
	if c.wino != nil {
		c.runWinograd(y, x, residual, n, h, w, oh, ow, scratch)
		return
	}
	l, rows := c.lattice(h, w, oh, ow)
	nplanes, nruns, npixels := c.sizes(rows, ow)
	mem := arena(scratch)
	runs, pix := mem.takeInts(nruns), mem.takeInts(npixels)
	l.runs(s.Window, runs, c.wide())
	l.pixels(s.Window, pix, ow)
	blocks, size := ChannelBlocks(s.OutChannels), oh*ow*Lanes
	in := len(x) / max(n, 1)
	for i := range n {
		xi, yi := x[i*in:][:in], y[i*blocks*size:][:blocks*size]
		var from []float32
		if residual != nil {
			from = residual[i*blocks*size:][:blocks*size]
		}
		switch {
		case c.depthwise:
			c.windows(yi, xi, from, &l, h, w, oh, ow, rows, mem, pix, runs)
		case l.direct && oh*ow == 1 && len(runs) == len(xi)/Lanes && len(runs) == c.inBlocks() && from == nil && !c.planes:
			// A pixel: the weights are a right operand, and there is no more to read of x.
			c.pixel(yi, xi)
		default:
			if !l.direct {
				padded := mem[:nplanes*l.plane()]
				l.spread(s.Window, padded, xi, nplanes, h, w)
				xi = padded
			}
			c.tiles(yi, xi, from, &l, pix, runs)
		}
	}
}

// multiplyAdds is about how many a nanosecond has time for.
const multiplyAdds = 20

// pixel computes a single pixel from one.
func (c *BlockedConv) pixel(y, x []float32) {
	lo, hi := c.clamp.bounds()
	size, blocks := c.panelLen(), ChannelBlocks(c.shape.OutChannels)
	whole := len(c.panels) / size
	parts := threads.Parts(blocks, blocks*size/3) // it is the weights that take time
	threads.For(parts, func(part int) {
		from, to := threads.Range(blocks, parts, part)
		if n := min(to, whole) - from; n > 0 {
			kernel.GemmRow(kernel.Ptr(y[from*Lanes:]), kernel.Ptr(x), 1, kernel.Ptr(c.panels[from*size:]), size, len(x), n, kernel.StartCol, kernel.Ptr(c.bias[from*Lanes:]), lo, hi)
		}
		if whole < to {
			kernel.GemmRow(kernel.Ptr(y[whole*Lanes:]), kernel.Ptr(x), 1, kernel.Ptr(c.rest), len(c.rest), len(x), 1, kernel.StartCol, kernel.Ptr(c.bias[whole*Lanes:]), lo, hi)
		}
		for b := from; b < to; b++ {
			c.finish(y[b*Lanes:][:Lanes], b)
		}
	})
}

// tiles computes an image, divided by pixels or, where there are few of these, by blocks of the result.
func (c *BlockedConv) tiles(y, x, from []float32, l *blockedLattice, pix, runs []int32) {
	blocks, strip := ChannelBlocks(c.shape.OutChannels), c.strip()
	elements := Lanes
	if c.planes {
		elements = c.wide()
	}
	units := (len(pix) + tileStrip - 1) / tileStrip
	parts := threads.Parts(max(units, blocks), len(pix)*blocks*len(runs)*elements*Lanes/multiplyAdds)
	if byPixels := units >= parts && (blocks < parts || len(pix) >= parts*strip); !byPixels {
		parts = min(parts, blocks)
		threads.For(parts, func(part int) {
			b, end := threads.Range(blocks, parts, part)
			c.tilesOf(y, x, from, l, pix, runs, 0, len(pix), b, end)
		})
		return
	}
	threads.For(parts, func(part int) {
		at, end := threads.Range(units, parts, part)
		c.tilesOf(y, x, from, l, pix, runs, at*tileStrip, min(end*tileStrip, len(pix)), 0, blocks)
	})
}

// tileStrip is of how many pixels the strips of parts of a step are multiples: whole tiles of the kernels.
const tileStrip = 12

// strip is how many pixels meet a block of weights.
func (c *BlockedConv) strip() int {
	cg := c.shape.InChannels / c.shape.Groups
	return max(blockedStrip/(4*kernel.RoundUp(cg, Lanes))/tileStrip*tileStrip, 36)
}

// tilesOf computes some pixels of some blocks. Blocks of weights that stay in a cache are met by all
// pixels of a strip; sums that are not done wait in y.
func (c *BlockedConv) tilesOf(y, x, from []float32, l *blockedLattice, pix, runs []int32, first, last, block, end int) {
	s := &c.shape
	cg, strip := s.InChannels/s.Groups, c.strip()
	lo, hi := c.clamp.bounds()
	og, none := s.OutChannels/s.Groups, c.bias[len(c.bias)-Lanes:]
	rows, most := Lanes, blockedRuns
	conv := blockedPixels
	if c.planes {
		rows, conv = c.wide(), blockedPlanes
		if rows == 3 {
			conv = blockedTriples
		}
		most = blockedRuns * Lanes / rows
	}
	for at := first; at < last; at += strip {
		pixels := pix[at:min(at+strip, last)]
		for b := block; b < end; b++ {
			to := (b*len(pix) + at) * Lanes
			out := y[to:][:len(pixels)*Lanes]
			xg := x
			if s.Groups > 1 {
				xg = x[b*Lanes/og*cg/Lanes*l.plane():]
			}
			var start []float32
			if from != nil {
				start = from[to:][:len(out)]
			}
			panel, bias := c.panel(b), c.bias[b*Lanes:][:Lanes]
			for r, base := 0, 0; r < len(runs); r += most {
				part := runs[r:min(r+most, len(runs))]
				low, high := -inf, inf
				if r+len(part) == len(runs) {
					low, high = lo, hi
				}
				conv(out, xg[base:], pixels, part, panel[r*rows*Lanes:], start, bias, low, high)
				for _, step := range part {
					base += int(step)
				}
				start, bias = out, none
			}
			c.finish(out, b)
		}
	}
}

// finish applies the function to pixels of a block, and vacates them.
func (c *BlockedConv) finish(y []float32, block int) {
	c.Apply.To(y)
	c.vacate(y, block)
}

// vacate sets to zero what there is no channel for: of an infinite x it would be NaN, which the
// next convolution would give to all its channels.
func (c *BlockedConv) vacate(y []float32, block int) {
	if used := c.shape.OutChannels - block*Lanes; used < Lanes {
		kernel.CopyPlane(kernel.Ptr(y[used:]), Lanes, &zeros[0], 0, len(y)/Lanes, Lanes-used)
	}
}

// blockedPixels is kernel.BlockedConv, in tiles of six pixels where these are faster.
func blockedPixels(y, x []float32, pix, runs []int32, weights, from, bias []float32, lo, hi float32) {
	n := 0
	if tall {
		n = len(pix) / kernel.TR * kernel.TR
	}
	if n > 0 {
		kernel.BlockedConvTall(kernel.Ptr(y), kernel.Ptr(x), kernel.Ptr(pix), n, kernel.Ptr(runs), len(runs), kernel.Ptr(weights), kernel.Ptr(from), kernel.Ptr(bias), lo, hi)
	}
	if n == len(pix) {
		return
	}
	if from != nil {
		from = from[n*Lanes:]
	}
	kernel.BlockedConv(kernel.Ptr(y[n*Lanes:]), kernel.Ptr(x), kernel.Ptr(pix[n:]), len(pix)-n, kernel.Ptr(runs), len(runs), kernel.Ptr(weights), kernel.Ptr(from), kernel.Ptr(bias), lo, hi)
}

// blockedPlanes is kernel.BlockedConvPlanes.
func blockedPlanes(y, x []float32, pix, runs []int32, weights, from, bias []float32, lo, hi float32) {
	kernel.BlockedConvPlanes(kernel.Ptr(y), kernel.Ptr(x), kernel.Ptr(pix), len(pix), kernel.Ptr(runs), len(runs), kernel.Ptr(weights), kernel.Ptr(from), kernel.Ptr(bias), lo, hi)
}

// blockedTriples is kernel.BlockedConvTriples.
func blockedTriples(y, x []float32, pix, runs []int32, weights, from, bias []float32, lo, hi float32) {
	kernel.BlockedConvTriples(kernel.Ptr(y), kernel.Ptr(x), kernel.Ptr(pix), len(pix), kernel.Ptr(runs), len(runs), kernel.Ptr(weights), kernel.Ptr(from), kernel.Ptr(bias), lo, hi)
}

// windows computes an image of a depthwise convolution, so many rows at a time.
func (c *BlockedConv) windows(y, x, from []float32, l *blockedLattice, h, w, oh, ow, rows int, room []float32, pix, taps []int32) {
	s := &c.shape
	lo, hi := c.clamp.bounds()
	window := s.blockedWindow()
	units := c.windowUnits(oh, rows)
	strips := units / ChannelBlocks(s.OutChannels)
	parts := threads.Parts(units, len(y)*len(taps)/6+len(x)/2)
	threads.For(parts, func(part int) {
		var padded []float32
		if !l.direct {
			padded = room[part*l.plane():][:l.plane()]
			l.sides(s.Window, padded, w)
		}
		for i, end := threads.Range(units, parts, part); i < end; i++ {
			b, first := i/strips, i%strips*rows
			weights, bias := c.panel(b), c.bias[b*Lanes:][:Lanes]
			n := min(rows, oh-first)
			in := x[b*h*w*Lanes:][:h*w*Lanes]
			if !l.direct {
				l.strip(s.Window, padded, in, first*s.StrideH-s.PadTop, h, w)
				in = padded
			}
			at := (b*oh + first) * ow * Lanes
			out := y[at:][:n*ow*Lanes]
			var start []float32
			if from != nil {
				start = from[at:][:len(out)]
			}
			if window != nil {
				window(kernel.Ptr(out), kernel.Ptr(in), l.cols*Lanes, s.StrideH*l.cols*Lanes, kernel.Ptr(weights), n, ow, kernel.Ptr(start), kernel.Ptr(bias), lo, hi)
			} else {
				kernel.BlockedDepthwise(kernel.Ptr(out), kernel.Ptr(in), kernel.Ptr(pix), n*ow, kernel.Ptr(taps), len(taps),
					kernel.Ptr(weights), kernel.Ptr(start), kernel.Ptr(bias), lo, hi)
			}
			c.finish(out, b)
		}
	})
}

// blockedWindow is the kernel for a usual window, or nil.
func (g Window) blockedWindow() func(y, x *float32, pitch, down int, weights *float32, rows, cols int, from, bias *float32, lo, hi float32) {
	if g.KernelH != g.KernelW || g.DilationH != 1 || g.DilationW != 1 {
		return nil
	}
	switch [2]int{g.KernelW, g.StrideW} {
	case [2]int{3, 1}:
		return kernel.BlockedDepthwise3
	case [2]int{3, 2}:
		return kernel.BlockedDepthwise3Stride2
	case [2]int{5, 1}:
		return kernel.BlockedDepthwise5
	case [2]int{5, 2}:
		return kernel.BlockedDepthwise5Stride2
	}
	return nil
}
