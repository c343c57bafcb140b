package kernel

import "fmt"

// The cases of the kernels in the blocked layout.

// blockedCall draws the operands that the convolutions share: what is read, and from where.
type blockedCall struct {
	n, nr, lanes     int
	pix, runs        []int32
	x, weights, bias []float32
	from             []float32
	lo, hi           float32
	y                *result
}

func (c *call) blocked(lanes, rows, tile int) *blockedCall {
	const far = 40
	p := &blockedCall{n: c.size(20) / tile * tile, nr: c.size(12), lanes: lanes}
	p.pix, p.runs = c.offsets(p.n, far), c.offsets(p.nr, 9)
	p.x = c.either(reach(p.pix, p.runs, lanes))
	p.weights, p.bias, p.from = c.plain(p.nr*rows*Lanes), c.plain(Lanes), c.maybe(c.plain(p.n*Lanes))
	p.lo, p.hi = c.numberBounds()
	p.y = c.out(p.n * Lanes)
	return p
}

// keep makes the oracle: row gives the weight's row of element e of run r, and at the
// element of x that meets it for channel l.
func (p *blockedCall) keep(at func(from, e, l int) int) {
	p.y.keep(Lanes, Lanes, func(i, l int) (float64, float64) {
		start := float64(p.bias[l])
		if p.from != nil {
			start += float64(p.from[i*Lanes+l])
		}
		places := make([]int, p.nr)
		place := int(p.pix[i])
		for r, step := range p.runs {
			place += int(step)
			places[r] = place
		}
		rows := len(p.weights) / Lanes / max(p.nr, 1)
		var s sum
		s.add(start)
		for t := range p.nr * rows {
			s.add(float64(p.weights[t*Lanes+l]) * float64(p.x[at(places[t/rows], t%rows, l)]))
		}
		return clamped(s.value, p.lo, p.hi), s.after(p.nr*rows + 1)
	})
}

func blockedTimes(channels, each, size int, run func(y, x *float32, pix []int32, runs []int32, w, bias *float32)) timing {
	wide := size + 2
	var pix, runs []int32
	for i := range size * size {
		pix = append(pix, int32((i/size*wide+i%size)*Lanes))
	}
	at := int32(0)
	for b := range channels / Lanes {
		for t := range 9 {
			to := int32((b*wide*wide + t/3*wide + t%3) * Lanes)
			runs = append(runs, to-at)
			at = to
		}
	}
	return operations(fmt.Sprintf("3x3/%dx%dx%d", channels, size, size), 2*channels*9*each*size*size, func(data func(n int) *float32) func() {
		x, y := data(channels*wide*wide), data(size*size*Lanes)
		w, bias := data(channels*9*Lanes), data(Lanes)
		return func() { run(y, x, pix, runs, w, bias) }
	})
}

var blockedCases = []kernelCase{
	{"BlockedConv", func(c *call) {
		p := c.blocked(Lanes, Lanes, 1)
		p.keep(func(from, e, _ int) int { return from + e })
		BlockedConv(p.y.kernel(), Ptr(p.x), Ptr(p.pix), p.n, Ptr(p.runs), p.nr, Ptr(p.weights), Ptr(p.from), Ptr(p.bias), p.lo, p.hi)
		blockedConvScalar(p.y.twin(), Ptr(p.x), Ptr(p.pix), p.n, Ptr(p.runs), p.nr, Ptr(p.weights), Ptr(p.from), Ptr(p.bias), p.lo, p.hi)
	}, []timing{blockedTimes(64, Lanes, 56, convTime), blockedTimes(64, Lanes, 14, convTime), blockedTimes(64, Lanes, 7, convTime)}},
	{"BlockedConvTall", func(c *call) {
		p := c.blocked(Lanes, Lanes, TR)
		p.keep(func(from, e, _ int) int { return from + e })
		BlockedConvTall(p.y.kernel(), Ptr(p.x), Ptr(p.pix), p.n, Ptr(p.runs), p.nr, Ptr(p.weights), Ptr(p.from), Ptr(p.bias), p.lo, p.hi)
		blockedConvTallScalar(p.y.twin(), Ptr(p.x), Ptr(p.pix), p.n, Ptr(p.runs), p.nr, Ptr(p.weights), Ptr(p.from), Ptr(p.bias), p.lo, p.hi)
	}, []timing{blockedTimes(64, Lanes, 6, func(y, x *float32, pix, runs []int32, w, bias *float32) {
		BlockedConvTall(y, x, &pix[0], len(pix), &runs[0], len(runs), w, nil, bias, -inf, inf)
	})}},
	{"BlockedConvPlanes", func(c *call) {
		p := c.blocked(1, 1, 1)
		p.keep(func(from, _, _ int) int { return from })
		BlockedConvPlanes(p.y.kernel(), Ptr(p.x), Ptr(p.pix), p.n, Ptr(p.runs), p.nr, Ptr(p.weights), Ptr(p.from), Ptr(p.bias), p.lo, p.hi)
		blockedConvPlanesScalar(p.y.twin(), Ptr(p.x), Ptr(p.pix), p.n, Ptr(p.runs), p.nr, Ptr(p.weights), Ptr(p.from), Ptr(p.bias), p.lo, p.hi)
	}, []timing{blockedTimes(64, 1, 56, func(y, x *float32, pix, runs []int32, w, bias *float32) {
		BlockedConvPlanes(y, x, &pix[0], len(pix), &runs[0], len(runs), w, nil, bias, -inf, inf)
	})}},
	{"BlockedConvTriples", func(c *call) {
		p := c.blocked(3, 3, 1)
		p.keep(func(from, e, _ int) int { return from + e })
		BlockedConvTriples(p.y.kernel(), Ptr(p.x), Ptr(p.pix), p.n, Ptr(p.runs), p.nr, Ptr(p.weights), Ptr(p.from), Ptr(p.bias), p.lo, p.hi)
		blockedConvTriplesScalar(p.y.twin(), Ptr(p.x), Ptr(p.pix), p.n, Ptr(p.runs), p.nr, Ptr(p.weights), Ptr(p.from), Ptr(p.bias), p.lo, p.hi)
	}, []timing{blockedTimes(64, 3, 56, func(y, x *float32, pix, runs []int32, w, bias *float32) {
		BlockedConvTriples(y, x, &pix[0], len(pix), &runs[0], len(runs), w, nil, bias, -inf, inf)
	})}},
	{"BlockedDepthwise", func(c *call) {
		p := c.blocked(Lanes, 1, 1)
		p.keep(func(from, _, l int) int { return from + l })
		BlockedDepthwise(p.y.kernel(), Ptr(p.x), Ptr(p.pix), p.n, Ptr(p.runs), p.nr, Ptr(p.weights), Ptr(p.from), Ptr(p.bias), p.lo, p.hi)
		blockedDepthwiseScalar(p.y.twin(), Ptr(p.x), Ptr(p.pix), p.n, Ptr(p.runs), p.nr, Ptr(p.weights), Ptr(p.from), Ptr(p.bias), p.lo, p.hi)
	}, []timing{blockedTimes(Lanes, 1, 56, depthwiseTime), blockedTimes(Lanes, 1, 14, depthwiseTime), blockedTimes(Lanes, 1, 7, depthwiseTime)}},
	windowCase("BlockedDepthwise3", 3, 1, BlockedDepthwise3, blockedDepthwise3Scalar),
	windowCase("BlockedDepthwise3Stride2", 3, 2, BlockedDepthwise3Stride2, blockedDepthwise3Stride2Scalar),
	windowCase("BlockedDepthwise5", 5, 1, BlockedDepthwise5, blockedDepthwise5Scalar),
	windowCase("BlockedDepthwise5Stride2", 5, 2, BlockedDepthwise5Stride2, blockedDepthwise5Stride2Scalar),
	{"PadPlanes", func(c *call) {
		planes, rows, cols := c.r.IntN(4), c.r.IntN(4), c.size(20)
		first, gap, last := c.size(30), c.size(20), c.size(30)
		size := first
		if rows > 0 {
			size += rows*cols + (rows-1)*gap + last
		}
		lds := cols + c.r.IntN(4)
		step := Span(rows, lds, cols) + c.r.IntN(4)
		x, y := c.either(Span(planes, step, Span(rows, lds, cols))), c.out(planes*size)
		y.keep(size, size, func(p, i int) (float64, float64) {
			r, at := (i-first)/max(cols+gap, 1), (i-first)%max(cols+gap, 1)
			if i < first || r >= rows || at >= cols {
				return 0, 0
			}
			return moved(x[p*step+r*lds+at])
		})
		PadPlanes(y.kernel(), Ptr(x), planes, step, lds, rows, cols, first, gap, last)
		padPlanesScalar(y.twin(), Ptr(x), planes, step, lds, rows, cols, first, gap, last)
	}, square(func(y, x *float32) { PadPlanes(y, x, 8, 14*14*8, 14*8, 14, 14*8, 17*8, 2*8, 17*8) })},
}

// blockedWindowKernel is a depthwise convolution with a kernel of its own.
type blockedWindowKernel func(y, x *float32, pitch, down int, weights *float32, rows, cols int, from, bias *float32, lo, hi float32, blocks, ystep, xstep int)

func windowCase(name string, size, stride int, kernel, twin blockedWindowKernel) kernelCase {
	draw := func(c *call) {
		rows, cols, blocks := c.r.IntN(4), c.size(20), c.r.IntN(4)
		pitch := (max(cols-1, 0)*stride+size)*Lanes + c.r.IntN(3)*Lanes
		down := pitch * (1 + c.r.IntN(2))
		each, n, taps := max(rows-1, 0)*down+size*pitch, rows*cols*Lanes, size*size*Lanes
		xstep, ystep := each+c.r.IntN(3)*Lanes, n+c.r.IntN(3)*Lanes
		x := c.either(Span(blocks, xstep, each))
		w, bias, from := c.plain(blocks*taps), c.plain(blocks*Lanes), c.maybe(c.plain(Span(blocks, ystep, n)))
		lo, hi := c.numberBounds()
		y := c.out(Span(blocks, ystep, n))
		y.keep(n, ystep, func(b, at int) (float64, float64) {
			p, l := at/Lanes, at%Lanes
			i, j := p/cols, p%cols
			var s sum
			start := float64(bias[b*Lanes+l])
			if from != nil {
				start += float64(from[b*ystep+at])
			}
			s.add(start)
			for t := range size * size {
				s.add(float64(w[b*taps+t*Lanes+l]) * float64(x[b*xstep+i*down+t/size*pitch+(j*stride+t%size)*Lanes+l]))
			}
			return clamped(s.value, lo, hi), s.after(size*size + 1)
		})
		kernel(y.kernel(), Ptr(x), pitch, down, Ptr(w), rows, cols, Ptr(from), Ptr(bias), lo, hi, blocks, ystep, xstep)
		twin(y.twin(), Ptr(x), pitch, down, Ptr(w), rows, cols, Ptr(from), Ptr(bias), lo, hi, blocks, ystep, xstep)
	}
	var times []timing
	for _, side := range []int{56, 14, 7} {
		pitch := (side*stride + size) * Lanes
		times = append(times, operations(fmt.Sprintf("8x%dx%d", side, side), 2*size*size*Lanes*side*side, func(data func(n int) *float32) func() {
			x, y, w := data(pitch*(side*stride+size)), data(side*side*Lanes), data(size*size*Lanes)
			return func() { kernel(y, x, pitch, stride*pitch, w, side, side, nil, w, -inf, inf, 1, 0, 0) }
		}))
	}
	return kernelCase{name, draw, times}
}

func convTime(y, x *float32, pix, runs []int32, w, bias *float32) {
	BlockedConv(y, x, &pix[0], len(pix), &runs[0], len(runs), w, nil, bias, -inf, inf)
}

func depthwiseTime(y, x *float32, pix, runs []int32, w, bias *float32) {
	BlockedDepthwise(y, x, &pix[0], len(pix), &runs[0], len(runs), w, nil, bias, -inf, inf)
}

// numberBounds draws bounds that are numbers.
func (c *call) numberBounds() (lo, hi float32) {
	for {
		if lo, hi = c.bounds(); lo == lo && hi == hi {
			return lo, hi
		}
	}
}
