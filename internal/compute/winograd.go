package compute

import (
	"math"

	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/slab"
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
	winogradLeast = 32
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
// result is the sum of 16 such, of transformed weights and pixels, in place of 9. The roundings
// of the transforms add to those of the sums, so that it is further from the exact result, by
// two times or so.
func PackWinograd(s ConvShape, weights, bias []float32, clamp Clamp) *BlockedConv {
	c := &BlockedConv{shape: s, clamp: clamp, bias: make([]float32, (ChannelBlocks(s.OutChannels)+1)*Lanes), wino: packWinograd(s, weights)}
	copy(c.bias, bias)
	return c
}

// packWinograd transforms weights.
func packWinograd(s ConvShape, weights []float32) *winograd {
	in, blocks := ChannelBlocks(s.InChannels)*Lanes, ChannelBlocks(s.OutChannels)
	w := &winograd{u: slab.Float32s(16 * in * blocks * Lanes)}
	most := 0.0
	var sums [16]float64
	for o := range s.OutChannels {
		sums = [16]float64{}
		for i := range s.InChannels {
			g := (*[9]float32)(weights[(o*s.InChannels+i)*9:])
			var t [4][3]float64 // G·g
			for c := range 3 {
				a, b, d := float64(g[c]), float64(g[3+c]), float64(g[6+c])
				t[0][c], t[1][c], t[2][c], t[3][c] = a, (a+b+d)/2, (a-b+d)/2, d
			}
			for r, v := range t {
				for c, e := range [4]float64{v[0], (v[0] + v[1] + v[2]) / 2, (v[0] - v[1] + v[2]) / 2, v[2]} {
					w.u[((o/Lanes*16+4*r+c)*in+i)*Lanes+o%Lanes] = float32(e)
					sums[4*r+c] += math.Abs(e)
				}
			}
		}
		for _, s := range sums {
			most = max(most, s)
		}
	}
	// An element of a transformed tile is four of x, one of the result nine sums.
	w.limit = math.MaxFloat32 / 64 / max(most, 1)
	return w
}

// weights writes those of a block as pack lays them out, nearly as they were.
func (w *winograd) weights(dst []float32, in int) {
	for i := range in {
		for l := range Lanes {
			u := func(t int) float32 { return w.u[(t*in+i)*Lanes+l] }
			// Columns of g from those of G·g: the middle one is the difference of the two sums.
			for r, row := range [3][4]float32{
				{u(0), u(1), u(2), u(3)},
				{u(4) - u(8), u(5) - u(9), u(6) - u(10), u(7) - u(11)},
				{u(12), u(13), u(14), u(15)},
			} {
				for c, g := range [3]float32{row[0], row[1] - row[2], row[3]} {
					dst[(i/Lanes*9*Lanes+(3*r+c)*Lanes+i%Lanes)*Lanes+l] = g
				}
			}
		}
	}
}

// winogradSizes are how many tiles planes have, and how many rows of them are transformed at
// a time.
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
	_, tw, rows := winogradSizes(c.shape.InChannels, oh, ow)
	in := c.inBlocks()
	l := c.shape.winogradLattice(h, w, oh, ow)
	n := max(16*(in+1)*rows*tw*Lanes+rows*tw+in, in*9*Lanes*Lanes+in*9+oh*ow+2*Lanes)
	if !l.direct {
		n += in * l.plane()
	}
	return n
}

// runWinograd is Run.
func (c *BlockedConv) runWinograd(y, x, residual []float32, n, h, w, oh, ow int, scratch []float32) {
	mem := arena(scratch)
	l := c.shape.winogradLattice(h, w, oh, ow)
	var padded []float32
	if !l.direct {
		padded = mem.take(c.inBlocks() * l.plane())
		clear(padded)
	}
	in, out := len(x)/max(n, 1), ChannelBlocks(c.shape.OutChannels)*oh*ow*Lanes
	for i := range n {
		xi, yi := x[i*in:][:in], y[i*out:][:out]
		var from []float32
		if residual != nil {
			from = residual[i*out:][:out]
		}
		var size float64
		kernel.RowPowers(&size, kernel.Ptr(xi), 1, in, 1)
		if !l.direct {
			l.spread(c.shape.Window, padded, xi, c.inBlocks(), h, w)
			xi = padded
		}
		if size <= c.wino.limit {
			c.inTiles(yi, xi, from, &l, oh, ow, mem)
		} else {
			c.inPixels(yi, xi, from, &l, oh, ow, mem)
		}
		c.vacate(yi, oh*ow)
	}
}

// inTiles computes an image.
func (c *BlockedConv) inTiles(y, x, from []float32, l *blockedLattice, oh, ow int, mem arena) {
	s := &c.shape
	in, none := c.inBlocks(), c.bias[len(c.bias)-Lanes:]
	lo, hi := c.clamp.bounds()
	th, tw, rows := winogradSizes(s.InChannels, oh, ow)
	tiles := rows * tw
	v, m := mem.take(16*in*tiles*Lanes), mem.take(16*tiles*Lanes)
	pix, runs := mem.takeInts(tiles), mem.takeInts(in)
	for i := range pix {
		pix[i] = int32(i * Lanes)
	}
	for r := 0; r < th; r += rows {
		high := min(rows, th-r)
		tiles := high * tw
		for i := range runs {
			runs[i] = int32(min(i, 1) * tiles * Lanes)
		}
		for b := range in {
			for i := range high {
				kernel.WinogradIn(kernel.Ptr(v[(b*tiles+i*tw)*Lanes:]), in*tiles*Lanes, kernel.Ptr(x[b*l.plane()+2*(r+i)*l.cols*Lanes:]), l.cols*Lanes, tw)
			}
		}
		for b := range ChannelBlocks(s.OutChannels) {
			for t := range 16 {
				blockedPixels(m[t*tiles*Lanes:], v[t*in*tiles*Lanes:], pix[:tiles], runs, c.wino.u[(b*16+t)*in*Lanes*Lanes:], nil, none, -inf, inf)
			}
			first, end := b*oh+2*r, b*oh+min(2*(r+high), oh)
			for row := 2 * r; row < min(2*(r+high), oh); row++ {
				at := (b*oh + row) * ow * Lanes
				var start []float32
				if from != nil {
					start = from[at:]
				}
				kernel.WinogradOut(kernel.Ptr(y[at:]), kernel.Ptr(m[(row/2-r)*tw*Lanes:]), tiles*Lanes, row%2, ow, kernel.Ptr(start), kernel.Ptr(c.bias[b*Lanes:]), lo, hi)
			}
			c.Apply.To(y[first*ow*Lanes : end*ow*Lanes])
		}
	}
}

// inPixels is inTiles for an x of which some elements are infinite or NaN, which differences would
// spread over whole tiles, or so large that sums might overflow.
func (c *BlockedConv) inPixels(y, x, from []float32, l *blockedLattice, oh, ow int, mem arena) {
	in, size := c.inBlocks(), oh*ow*Lanes
	panels, runs, pix := mem.take(in*9*Lanes*Lanes), mem.takeInts(in*9), mem.takeInts(oh*ow)
	l.runs(c.shape.Window, runs)
	l.pixels(c.shape.Window, pix, ow)
	bias := mem.take(2 * Lanes)
	clear(bias)
	d := BlockedConv{shape: c.shape, clamp: c.clamp, panels: panels, bias: bias, Apply: c.Apply}
	d.shape.OutChannels = Lanes
	for b := range ChannelBlocks(c.shape.OutChannels) {
		block := winograd{u: c.wino.u[b*16*in*Lanes*Lanes:]}
		block.weights(panels, in*Lanes)
		copy(bias[:Lanes], c.bias[b*Lanes:])
		var start []float32
		if from != nil {
			start = from[b*size:][:size]
		}
		d.tiles(y[b*size:][:size], x, start, l, pix, runs)
	}
}
