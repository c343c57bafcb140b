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
	windowStrip  = 64 << 10  // bytes of padded planes that a depthwise convolution has at a time
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
	from := len(weights) / max(s.OutChannels, 1) * Lanes // of a block
	if whole := s.OutChannels / Lanes; over && whole > 0 && from == size {
		c.over = true
		if whole < blocks { // it takes more than its weights do
			c.rest = slab.Float32s(size)
			c.pack(c.rest, weights[whole*size:])
		}
		c.panels = weights[:whole*size]
		overwrite(slab.Bytes(c.panels), 4*size, func(dst []byte, at int) {
			c.pack(slab.View[float32](dst), weights[at/4:][:size])
		})
		return c
	}
	c.panels = slab.Float32s(blocks * size)
	for b := range blocks {
		c.pack(c.panels[b*size:][:size], weights[b*from:min((b+1)*from, len(weights))])
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

// pack lays out the weights [channels of the result][channels of x][taps] of a block. It leaves alone what there
// are none for.
func (c *BlockedConv) pack(dst, src []float32) {
	taps, cg := c.shape.taps(), c.shape.InChannels/c.shape.Groups
	size := cg * taps
	if c.planes || c.depthwise || taps == 1 {
		kernel.Transpose(kernel.Ptr(dst), Lanes, kernel.Ptr(src), size, len(src)/size, size)
		return
	}
	room := make([]float32, Lanes*taps*Lanes)
	for i := 0; i < cg; i += Lanes {
		few := min(Lanes, cg-i)
		kernel.Transpose(&room[0], Lanes, kernel.Ptr(src[i*taps:]), size, len(src)/size, few*taps)
		to := dst[i*taps*Lanes:]
		for at := range few * taps {
			in, t := at/taps, at%taps
			*(*[Lanes]float32)(to[(t*Lanes+in)*Lanes:]) = [Lanes]float32(room[at*Lanes:])
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
		from, to := threads.Range(n, parts, part)
		l.fill(g, dst[from*l.plane():], x[from*h*w*l.step:], to-from, -g.PadTop, h, w)
	})
}

// fill is spread of rows of planes: from row top on, and as many as the lattice has. Rows that planes
// do not have are zeros too.
func (l *blockedLattice) fill(g Window, dst, x []float32, n, top, h, w int) {
	row, left, cols := l.cols*l.step, g.PadLeft*l.step, min(w, l.cols-g.PadLeft)*l.step
	from, to := max(top, 0), min(top+l.rows, h)
	rows, first, last := to-from, l.plane(), 0
	if rows = max(rows, 0); cols <= 0 {
		rows = 0
	}
	if rows > 0 {
		first, last = (from-top)*row+left, (top+l.rows-to)*row+row-left-cols
		x = x[from*w*l.step:]
	}
	kernel.PadPlanes(kernel.Ptr(dst), kernel.Ptr(x), n, h*w*l.step, w*l.step, rows, cols, first, row-cols, last)
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
// all, but for depthwise convolutions, whose planes are padded strip by strip.
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

// ofRows is a lattice for so many rows of the result.
func (l *blockedLattice) ofRows(g Window, rows int) blockedLattice {
	strip := *l
	if !l.direct {
		strip.rows = (rows-1)*g.StrideH + g.extentH()
	}
	return strip
}

// sizes are how many planes of x are padded at a time, and how many runs and pixels tables have
// for so many rows of a result. Kernels for a usual depthwise window need none.
func (c *BlockedConv) sizes(rows, oh, ow int) (planes, runs, pixels int) {
	s := &c.shape
	switch {
	case c.depthwise && s.blockedWindow() != nil:
		return 1, 0, 0
	case c.depthwise:
		return 1, s.taps(), rows * ow
	case c.planes:
		return s.InChannels, s.InChannels * s.taps() / c.wide(), min(c.strip()+ow, oh*ow)
	}
	return ChannelBlocks(s.InChannels), c.inBlocks() * s.taps(), min(c.strip()+ow, oh*ow)
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
	planes, runs, pixels := c.sizes(rows, oh, ow)
	n := runs + pixels
	if l.direct {
		return n
	}
	parts := threads.MostParts(max(oh*ow, ChannelBlocks(c.shape.OutChannels))) // each has its own
	if c.depthwise {
		return n + parts*l.roomTogether(ChannelBlocks(c.shape.OutChannels))
	}
	most := l.plane()
	for ; parts > 1; parts-- {
		strip := l.ofRows(c.shape.Window, partRowsOf(oh, ow, parts))
		most = max(most, parts*strip.plane())
	}
	return n + planes*most
}

// together is of how many blocks, of so many, a depthwise convolution has padded planes at a time.
func (l *blockedLattice) together(blocks int) int {
	if l.direct {
		return blocks
	}
	return min(max(windowStrip/(4*l.plane()), 1), blocks)
}

// roomTogether is how many elements these have at most, also where a lattice has fewer rows.
func (l *blockedLattice) roomTogether(blocks int) int {
	return max(l.plane(), min(windowStrip/4, blocks*l.plane()))
}

// partRowsOf is how many rows a part has pixels of, at most, where so many parts have whole strips.
func partRowsOf(oh, ow, parts int) int {
	units := (oh*ow + tileStrip - 1) / tileStrip
	pixels := (units + parts - 1) / parts * tileStrip
	return min((pixels+ow-2)/ow+1, oh)
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
	planes, nruns, npixels := c.sizes(rows, oh, ow)
	mem := arena(scratch)
	t := tiling{h: h, w: w, oh: oh, ow: ow, lattice: l, runs: mem.takeInts(nruns), pix: mem.takeInts(npixels), planes: planes}
	if !c.depthwise {
		t.divide(c)
	}
	t.lattice.runs(s.Window, t.runs, c.wide())
	t.lattice.pixels(s.Window, t.pix, ow)
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
			c.windows(yi, xi, from, &t, rows, mem)
		case l.direct && oh*ow == 1 && len(t.runs) == len(xi)/Lanes && len(t.runs) == c.inBlocks() && from == nil && !c.planes:
			// A pixel: the weights are a right operand, and there is no more to read of x.
			c.pixel(yi, xi)
		default:
			c.tiles(yi, xi, from, &t, mem)
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

// tiling is how an image is computed: in how many parts, and where they read.
type tiling struct {
	h, w, oh, ow int
	lattice      blockedLattice // what a part reads
	planes       int            // that are padded, unless the lattice is direct
	runs, pix    []int32        // tables for it; that of pixels is for some rows, the others are further on alike
	parts        int
	byPixels     bool
}

// divide divides it by pixels or, where weights are more than these, by blocks of the result: each part
// reads all of what is not divided. Parts by pixels have a lattice each, which they fill themselves.
func (t *tiling) divide(c *BlockedConv) {
	pixels, blocks := t.oh*t.ow, ChannelBlocks(c.shape.OutChannels)
	elements := Lanes
	if c.planes {
		elements = c.wide()
	}
	units := (pixels + tileStrip - 1) / tileStrip
	t.parts = threads.Parts(max(units, blocks), pixels*blocks*len(t.runs)*elements*Lanes/multiplyAdds)
	weights, x := blocks*len(t.runs)*elements*Lanes, t.planes*t.h*t.w*t.lattice.step
	if t.byPixels = units >= t.parts && (blocks < t.parts || pixels >= t.parts*partPixels && weights <= x); !t.byPixels {
		t.parts = min(t.parts, blocks)
		return
	}
	t.lattice = t.lattice.ofRows(c.shape.Window, partRowsOf(t.oh, t.ow, t.parts))
}

// tiles computes an image.
func (c *BlockedConv) tiles(y, x, from []float32, t *tiling, room []float32) {
	blocks, l := ChannelBlocks(c.shape.OutChannels), &t.lattice
	if !t.byPixels {
		if !l.direct {
			l.spread(c.shape.Window, room, x, t.planes, t.h, t.w)
			x = room
		}
		threads.For(t.parts, func(part int) {
			b, end := threads.Range(blocks, t.parts, part)
			c.tilesOf(y, x, from, t, 0, 0, t.oh*t.ow, b, end)
		})
		return
	}
	pixels := t.oh * t.ow
	size := t.planes * l.plane()
	threads.For(t.parts, func(part int) {
		at, end := threads.Range((pixels+tileStrip-1)/tileStrip, t.parts, part)
		at, end = at*tileStrip, min(end*tileStrip, pixels)
		top, in := 0, x
		if !l.direct {
			top, in = at/t.ow, room[part*size:][:size]
			l.fill(c.shape.Window, in, x, t.planes, top*c.shape.StrideH-c.shape.PadTop, t.h, t.w)
		}
		c.tilesOf(y, in, from, t, top, at, end, 0, blocks)
	})
}

// partPixels is how many pixels a part should have at least.
const partPixels = 36

// tileStrip is of how many pixels the strips of parts of a step are multiples: whole tiles of the kernels.
const tileStrip = 12

// strip is how many pixels meet a block of weights.
func (c *BlockedConv) strip() int {
	cg := c.shape.InChannels / c.shape.Groups
	return max(blockedStrip/(4*kernel.RoundUp(cg, Lanes))/tileStrip*tileStrip, 36)
}

// tilesOf computes some pixels of some blocks, from an x that begins with what row top of the result
// reads. Blocks of weights that stay in a cache are met by all pixels of a strip; sums that are not
// done wait in y.
func (c *BlockedConv) tilesOf(y, x, from []float32, t *tiling, top, first, last, block, end int) {
	s := &c.shape
	l, runs := &t.lattice, t.runs
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
		row := at / t.ow
		pixels := t.pix[at-row*t.ow:][:min(strip, last-at)]
		in := x[(row-top)*s.StrideH*l.cols*l.step:]
		for b := block; b < end; b++ {
			to := (b*t.oh*t.ow + at) * Lanes
			out := y[to:][:len(pixels)*Lanes]
			xg := in
			if s.Groups > 1 {
				xg = in[b*Lanes/og*cg/Lanes*l.plane():]
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

// windows computes an image of a depthwise convolution, at most so many rows at a time. It is divided
// by rows, as what comes before and after it is, or where there are few by blocks.
func (c *BlockedConv) windows(y, x, from []float32, t *tiling, rows int, room []float32) {
	s := &c.shape
	blocks, h, w, oh, ow := ChannelBlocks(s.OutChannels), t.h, t.w, t.oh, t.ow
	l := t.lattice
	parts := threads.Parts(max(blocks, oh), len(y)*s.taps()/6+len(x)/2)
	byRows := oh >= 4*parts || blocks < parts
	if byRows {
		parts = min(parts, oh)
		rows = min(rows, (oh+parts-1)/parts)
		l = l.ofRows(s.Window, rows)
	} else {
		parts = min(parts, blocks)
	}
	threads.For(parts, func(part int) {
		b, lastBlock, top, bottom := 0, blocks, 0, oh
		if byRows {
			top, bottom = threads.Range(oh, parts, part)
		} else {
			b, lastBlock = threads.Range(blocks, parts, part)
		}
		size := l.roomTogether(blocks)
		for n := 0; b < lastBlock; b += n {
			n = min(l.together(blocks), lastBlock-b)
			if whole := len(c.panels) / c.panelLen(); b+n > whole {
				n = max(whole-b, 1) // the weights of the last block lie elsewhere
			}
			planes := x[b*h*w*Lanes:][:n*h*w*Lanes]
			for first := top; first < bottom; first += rows {
				high, in, step := min(rows, bottom-first), planes, h*w*Lanes
				if l.direct {
					in = in[first*s.StrideH*w*Lanes:]
				} else {
					in, step = room[part*size:][:size], l.plane()
					l.fill(s.Window, in, planes, n, first*s.StrideH-s.PadTop, h, w)
				}
				at := (b*oh + first) * ow * Lanes
				var start []float32
				if from != nil {
					start = from[at:]
				}
				c.windowsOf(y[at:], in, start, &l, t, b, n, high, step)
			}
		}
	})
}

// windowsOf computes so many rows of n blocks, from block b on. Planes of x lie step apart.
func (c *BlockedConv) windowsOf(y, x, from []float32, l *blockedLattice, t *tiling, b, n, rows, step int) {
	s := &c.shape
	lo, hi := c.clamp.bounds()
	plane, size := t.oh*t.ow*Lanes, rows*t.ow*Lanes
	window := s.blockedWindow()
	if window != nil {
		window(kernel.Ptr(y), kernel.Ptr(x), l.cols*Lanes, s.StrideH*l.cols*Lanes, kernel.Ptr(c.panel(b)), rows, t.ow, kernel.Ptr(from), kernel.Ptr(c.bias[b*Lanes:]), lo, hi, n, plane, step)
		if size == plane && b+n < ChannelBlocks(s.OutChannels) {
			c.Apply.To(y[:n*size])
			return
		}
	}
	for i := range n {
		out := y[i*plane:][:size]
		if window == nil {
			var start []float32
			if from != nil {
				start = from[i*plane:]
			}
			kernel.BlockedDepthwise(kernel.Ptr(out), kernel.Ptr(x[i*step:]), kernel.Ptr(t.pix), rows*t.ow, kernel.Ptr(t.runs), len(t.runs),
				kernel.Ptr(c.panel(b+i)), kernel.Ptr(start), kernel.Ptr(c.bias[(b+i)*Lanes:]), lo, hi)
		}
		c.finish(out, b+i)
	}
}

// blockedWindow is the kernel for a usual window, or nil.
func (g Window) blockedWindow() func(y, x *float32, pitch, down int, weights *float32, rows, cols int, from, bias *float32, lo, hi float32, blocks, ystep, xstep int) {
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
