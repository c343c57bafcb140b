package compute

import (
	"math"

	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/internal/threads"
)

// winograd is what a convolution of 3×3 at stride 1 has in place of its weights to do with 16
// products for 2×2 pixels, not 36: u = G·g·Gᵀ, 16 right operands.
type winograd struct {
	u     []float32 // by block of the result: [16][channels of x, filled up to blocks][8]
	limit float64   // on Σ|x|: up to it no sum overflows
}

const winogradStrip = 128 << 10 // elements of transformed tiles that stay in the second cache

// Fewer channels are not worth the transforms, and more than these not the memory: weights take
// 16/9 of what they took, and are not laid out where they were.
const (
	winogradLeast = 24
	winogradMost  = 128 * 128 // of both together
)

// Winograd says whether PackWinograd suits the shape. Planes do not count, so that a run's last
// digits do not depend on those of the runs before: only of single pixels it computes more than it saves.
func (s *ConvShape) Winograd() bool {
	return s.KernelH == 3 && s.KernelW == 3 && s.StrideH == 1 && s.StrideW == 1 && s.DilationH == 1 && s.DilationW == 1 &&
		s.Groups == 1 && s.InChannels >= winogradLeast && s.OutChannels >= winogradLeast && s.InChannels*s.OutChannels <= winogradMost &&
		s.Deep == nil
}

// PackWinograd is PackBlockedConv for a shape that is good for fewer products: an element of the
// result is made of sums over the channels alone, of transformed weights and pixels, 16 for 2×2
// elements, where it was the sum over channels and taps.
func PackWinograd(s ConvShape, weights, bias []float32, clamp Clamp) *BlockedConv {
	c := &BlockedConv{shape: s, clamp: clamp, bias: make([]float32, (ChannelBlocks(s.OutChannels)+1)*Lanes), wino: packWinograd(s, weights)}
	copy(c.bias, bias)
	return c
}

// Matrices of the transform of weights and of its inverse.
var (
	winogradG = [12]float32{1, 0, 0, .5, .5, .5, .5, -.5, .5, 0, 0, 1}
	winogradH = [12]float32{1, 0, 0, 0, 0, 1, -1, 0, 0, 0, 0, 1}
)

// twice is a right operand of one row of cols·cols elements, of a matrix of cols columns, that
// makes a·x·aᵀ of it.
type twice [2 * 16 * kernel.NR]float32

func twiceOf(a *[12]float32, cols int) (m twice) {
	rows := len(a) / cols
	for i := range rows * rows {
		for k := range cols * cols {
			m[(i/kernel.NR*cols*cols+k)*kernel.NR+i%kernel.NR] = twiceAt(a, cols, i, k)
		}
	}
	return m
}

// twiceAt is the factor of element k of x in element i of a·x·aᵀ, both counted by rows.
func twiceAt(a *[12]float32, cols, i, k int) float32 {
	rows := len(a) / cols
	return a[i/rows*cols+k/cols] * a[i%rows*cols+k%cols]
}

func (m *twice) of(y *[16]float32, x []float32) {
	kernel.GemmRow(&y[0], kernel.Ptr(x), 1, &m[0], len(x)*kernel.NR, len(x), 2, kernel.StartZero, nil, -inf, inf)
}

// packWinograd transforms weights: a block's, transposed, are a right operand [9][8] for each channel of x.
func packWinograd(s ConvShape, weights []float32) *winograd {
	in, blocks := ChannelBlocks(s.InChannels)*Lanes, ChannelBlocks(s.OutChannels)
	w := &winograd{u: slab.Float32s(16 * in * blocks * Lanes)}
	var m [16 * 9]float32 // in panels of kernel.MR rows
	for i := range 16 {
		for k := range 9 {
			m[(i/kernel.MR*9+k)*kernel.MR+i%kernel.MR] = twiceAt(&winogradG, 3, i, k)
		}
	}
	size, most := s.InChannels*9, 0.0
	columns := make([]float32, size*Lanes)
	for b := range blocks {
		few := min(Lanes, s.OutChannels-b*Lanes)
		if few < Lanes {
			clear(columns)
		}
		kernel.Transpose(kernel.Ptr(columns), Lanes, kernel.Ptr(weights[b*Lanes*size:]), size, few, size)
		u := w.u[b*16*in*Lanes:][:16*in*Lanes]
		kernel.GemmTiles(kernel.Ptr(u), in*Lanes, &m[0], 9*kernel.MR, kernel.Ptr(columns), 9*kernel.NR, 9, 16/kernel.MR, s.InChannels, kernel.StartZero, nil, -inf, inf)
		for t := range 16 {
			var sums [Lanes]float64
			for row := u[t*in*Lanes:][:in*Lanes]; len(row) >= Lanes; row = row[Lanes:] {
				for o, v := range (*[Lanes]float32)(row) {
					sums[o] += math.Abs(float64(v))
				}
			}
			for _, s := range sums {
				most = max(most, s)
			}
		}
	}
	// An element of a transformed tile is four of x, one of the result nine sums.
	w.limit = math.MaxFloat32 / 64 / max(most, 1)
	return w
}

// weights writes those of a block as pack lays them out, nearly as they were.
func (w *winograd) weights(dst []float32, in int) {
	m := twiceOf(&winogradH, 4)
	var u, g [16]float32
	for at := range in * Lanes {
		for t := range u {
			u[t] = w.u[t*in*Lanes+at]
		}
		m.of(&g, u[:])
		for t := range 9 {
			dst[(at/Lanes/Lanes*9+t)*Lanes*Lanes+at%(Lanes*Lanes)] = g[t]
		}
	}
}

// winogradSizes are how many tiles planes have, and how many rows of them are transformed at
// a time at most.
func winogradSizes(channels, oh, ow int) (th, tw, rows int) {
	th, tw = (oh+1)/2, (ow+1)/2
	return th, tw, min(max(winogradStrip/(16*ChannelBlocks(channels)*Lanes*tw), 1), th)
}

// winogradLattice has room for whole tiles.
func (g Window) winogradLattice(h, w, oh, ow int) blockedLattice {
	th, tw, _ := winogradSizes(1, oh, ow)
	l := blockedLattice{rows: 2*th + 2, cols: 2*tw + 2, step: Lanes}
	if l.direct = g.PadTop == 0 && g.PadLeft == 0 && l.rows <= h && l.cols <= w; l.direct {
		l.rows, l.cols = h, w
	}
	return l
}

func (c *BlockedConv) winogradScratch(h, w, oh, ow int) int {
	th, tw, rows := winogradSizes(c.shape.InChannels, oh, ow)
	in := c.inBlocks()
	parts := threads.MostShares(th) // each has its own
	l := c.shape.winogradLattice(h, w, oh, ow)
	n := max(parts*winogradRoom(in, rows*tw)+rows*tw+in, in*9*Lanes*Lanes+in*9+oh*ow+2*Lanes)
	if !l.direct {
		n += in * l.plane()
	}
	return n + 2*in
}

// runWinograd is Run.
func (c *BlockedConv) runWinograd(y, x, residual []float32, n, h, w, oh, ow int, scratch []float32) {
	mem := arena(scratch)
	l := c.shape.winogradLattice(h, w, oh, ow)
	blocks := c.inBlocks()
	sizes := slab.View[float64](slab.Bytes(mem.take(2 * blocks)))
	var padded []float32
	if !l.direct {
		padded = mem.take(blocks * l.plane())
	}
	in, out := len(x)/max(n, 1), ChannelBlocks(c.shape.OutChannels)*oh*ow*Lanes
	for i := range n {
		xi, yi := x[i*in:][:in], y[i*out:][:out]
		var from []float32
		if residual != nil {
			from = residual[i*out:][:out]
		}
		parts := threads.Parts(blocks, in/4)
		threads.For(parts, func(part int) {
			from, to := threads.Range(blocks, parts, part)
			kernel.RowPowers(kernel.Ptr(sizes[from:]), kernel.Ptr(xi[from*h*w*Lanes:]), to-from, h*w*Lanes, 1)
		})
		var size float64
		for _, s := range sizes {
			size += s
		}
		if !l.direct {
			l.spread(c.shape.Window, padded, xi, blocks, h, w)
			xi = padded
		}
		if size <= c.wino.limit {
			c.inTiles(yi, xi, from, &l, oh, ow, mem)
		} else {
			c.inPixels(yi, xi, from, &l, oh, ow, mem)
		}
	}
}

// winogradRoom is how many elements tiles take: transformed ones, and products of a block.
func winogradRoom(in, tiles int) int { return 16 * (in + 1) * tiles * Lanes }

// inTiles computes an image. A part has some rows of tiles, and transforms them for itself, for it
// would take long to come from another core.
func (c *BlockedConv) inTiles(y, x, from []float32, l *blockedLattice, oh, ow int, mem arena) {
	s := &c.shape
	in := c.inBlocks()
	th, tw, rows := winogradSizes(s.InChannels, oh, ow)
	pix, runs := mem.takeInts(rows*tw), mem.takeInts(in)
	for i := range pix {
		pix[i] = int32(i * Lanes)
	}
	for i := range runs {
		runs[i] = int32(min(i, 1) * len(pix) * Lanes)
	}
	parts := threads.Shares(th, th*tw*16*in*Lanes*s.OutChannels/multiplyAdds)
	threads.For(parts, func(part int) {
		first, last := threads.Range(th, parts, part)
		strips := (last - first + rows - 1) / rows // each reads all weights
		for i := range strips {
			r, end := threads.Range(last-first, strips, i)
			c.tileRows(y, x, from, l, oh, ow, first+r, end-r, tw, pix, runs, mem[part*winogradRoom(in, rows*tw):])
		}
	})
}

// tileRows computes so many rows of tiles, from row r on. What is transformed lies as all of pix would.
func (c *BlockedConv) tileRows(y, x, from []float32, l *blockedLattice, oh, ow, r, high, tw int, pix, runs []int32, room []float32) {
	in, none := c.inBlocks(), c.bias[len(c.bias)-Lanes:]
	lo, hi := c.clamp.bounds()
	tiles, most := high*tw, len(pix)
	v, m := room, room[16*in*most*Lanes:]
	for b := range in {
		for i := range high {
			kernel.WinogradIn(kernel.Ptr(v[(b*most+i*tw)*Lanes:]), in*most*Lanes, kernel.Ptr(x[b*l.plane()+2*(r+i)*l.cols*Lanes:]), l.cols*Lanes, tw)
		}
	}
	for b := range ChannelBlocks(c.shape.OutChannels) {
		for t := range 16 {
			blockedPixels(m[t*tiles*Lanes:], v[t*in*most*Lanes:], pix[:tiles], runs, c.wino.u[(b*16+t)*in*Lanes*Lanes:], nil, none, -inf, inf)
		}
		first, last := 2*r, min(2*(r+high), oh)
		for row := first; row < last; row++ {
			at := (b*oh + row) * ow * Lanes
			var start []float32
			if from != nil {
				start = from[at:]
			}
			kernel.WinogradOut(kernel.Ptr(y[at:]), kernel.Ptr(m[(row/2-r)*tw*Lanes:]), tiles*Lanes, row%2, ow, kernel.Ptr(start), kernel.Ptr(c.bias[b*Lanes:]), lo, hi)
		}
		c.finish(y[(b*oh+first)*ow*Lanes:(b*oh+last)*ow*Lanes], b)
	}
}

// inPixels is inTiles for an x of which some elements are infinite or NaN, which differences would
// spread over whole tiles, or so large that sums might overflow.
func (c *BlockedConv) inPixels(y, x, from []float32, l *blockedLattice, oh, ow int, mem arena) {
	in, size := c.inBlocks(), oh*ow*Lanes
	panels := mem.take(in * 9 * Lanes * Lanes)
	t := tiling{oh: oh, ow: ow, lattice: *l, runs: mem.takeInts(in * 9), pix: mem.takeInts(oh * ow)}
	t.lattice.direct = true // x is padded
	l.runs(c.shape.Window, t.runs, 1)
	l.pixels(c.shape.Window, t.pix, ow)
	bias := mem.take(2 * Lanes)
	clear(bias)
	d := BlockedConv{shape: c.shape, clamp: c.clamp, panels: panels, bias: bias, Apply: c.Apply}
	d.shape.OutChannels = Lanes
	t.divide(&d)
	for b := range ChannelBlocks(c.shape.OutChannels) {
		block := winograd{u: c.wino.u[b*16*in*Lanes*Lanes:]}
		block.weights(panels, in*Lanes)
		copy(bias[:Lanes], c.bias[b*Lanes:])
		var start []float32
		if from != nil {
			start = from[b*size:][:size]
		}
		d.tiles(y[b*size:][:size], x, start, &t, nil)
		c.vacate(y[b*size:][:size], b)
	}
}
