package graph

import (
	"math"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn"
)

func init() { enter(pools) }

var pools = []entry{
	{"MaxPool", 1, "auto_pad ceil_mode dilations kernel_shape pads storage_order strides", checkMaxPool, planPool},
	{"AveragePool", 7, "auto_pad ceil_mode count_include_pad dilations kernel_shape pads strides", checkWindow, planPool},
	{"LpPool", 2, "auto_pad ceil_mode dilations kernel_shape p pads strides", checkWindow, planPool},
	{"GlobalAveragePool GlobalMaxPool", 1, "", nil, planGlobalPool},
}

func checkMaxPool(n *Node) string {
	if n.Out(1) != nil {
		return "with indices"
	}
	return checkWindow(n)
}

// planPool: storage_order only concerns the indices, which are not implemented.
func planPool(c *Call) error {
	op := c.Node.Op
	dims := c.In(0).Dims
	kernel, given := c.Node.Ints("kernel_shape")
	if !given || len(dims) < 3 || len(kernel) != len(dims)-2 {
		return c.Fail("kernel_shape ", intsOf(kernel), " does not fit dimensions ", dims)
	}
	if len(kernel) > 2 {
		return unsupported(c, "over more than 2 dimensions")
	}
	for _, k := range kernel {
		if k < 1 || k > windowLimit {
			return c.Fail("kernel_shape is ", intsOf(kernel))
		}
	}
	kh, kw := kernelSize(intsOf(kernel))
	win, h, w, err := windowOf(c, dims, kh, kw)
	if err != nil {
		return err
	}
	if err := checkPlanes(c, win, 1, h, w); err != nil {
		return err
	}
	auto := c.Node.Str("auto_pad", "NOTSET")
	pool := nn.Pool{Window: win, CountPad: c.Node.Int("count_include_pad", 0) != 0}
	pool.Ceil = c.Node.Int("ceil_mode", 0) != 0 && (auto == "NOTSET" || auto == "" || auto == "VALID")
	oh, ow := pool.OutSize(h, w)
	planes := dims[0] * dims[1]
	c.Out(0, c.In(0).Type, planeDims(dims, dims[1], oh, ow)...)
	if c.err != nil || planes*oh*ow == 0 {
		c.Run(nothing)
		return nil
	}
	switch t := c.In(0).Type; {
	case op == "LpPool":
		p := c.Node.Int("p", 2)
		if p < 1 {
			return c.Fail("p is ", p)
		}
		c.Run(func(a *Args) { lpPool(a.Out[0].Float32s(), a.In[0].Float32s(), pool, planes, h, w, float64(p)) })
	case t != Float32:
		stepMaxPool(c, pool, planes, h, w)
	default:
		f := nn.Pool.Max
		if op == "AveragePool" {
			f = nn.Pool.Average
		}
		c.Scratch(4 * pool.ScratchLen(h, w))
		c.Run(func(a *Args) {
			f(pool, a.Out[0].Float32s(), a.In[0].Float32s(), planes, h, w, slab.View[float32](a.Scratch))
		})
	}
	return nil
}

// eachUnder calls f for each element of the plane x under the window's place
// (r, q).
func eachUnder(p *nn.Pool, h, w, r, q int, f func(at int)) {
	for ky := range p.KernelH {
		i := r*p.StrideH - p.PadTop + ky*p.DilationH
		if i < 0 || i >= h {
			continue
		}
		for kx := range p.KernelW {
			if j := q*p.StrideW - p.PadLeft + kx*p.DilationW; j >= 0 && j < w {
				f(i*w + j)
			}
		}
	}
}

// stepMaxPool is for the other types, whose elements a float64 holds exactly.
func stepMaxPool(c *Call, p nn.Pool, planes, h, w int) {
	oh, ow := p.OutSize(h, w)
	lowest := math.Inf(-1)
	switch c.In(0).Type {
	case Uint8:
		lowest = 0
	case Int8:
		lowest = math.MinInt8
	}
	wide := newWide[float64](c, 1, c.In(0).Type, planes*oh*ow)
	c.Run(func(a *Args) {
		x, y := wide.in(a, 0), wide.out(a)
		for i := range y {
			plane, best := x[i/(oh*ow)*h*w:], lowest
			eachUnder(&p, h, w, i/ow%oh, i%ow, func(at int) { best = max(best, plane[at]) })
			y[i] = best
		}
		wide.done(a)
	})
}

// lpPool computes (Σ|x|^p)^(1/p) under each place of the window.
func lpPool(y, x []float32, p nn.Pool, planes, h, w int, power float64) {
	oh, ow := p.OutSize(h, w)
	for i := range y {
		plane := x[i/(oh*ow)*h*w:]
		sum := 0.0
		eachUnder(&p, h, w, i/ow%oh, i%ow, func(at int) { sum += math.Pow(math.Abs(float64(plane[at])), power) })
		y[i] = float32(math.Pow(sum, 1/power))
	}
}

func planGlobalPool(c *Call) error {
	dims := c.In(0).Dims
	if len(dims) < 2 {
		return c.Fail("the input has dimensions ", dims, ", want at least 2 of them")
	}
	out := cloneDims(dims)
	for i := range out[2:] {
		out[2+i] = 1
	}
	planes, inner := dims[0]*dims[1], Elements(dims[2:])
	c.Out(0, Float32, out...)
	f := nn.GlobalAverage
	if c.Node.Op == "GlobalMaxPool" {
		f = nn.GlobalMax
	}
	c.Run(func(a *Args) { f(a.Out[0].Float32s(), a.In[0].Float32s(), planes, inner) })
	return nil
}
