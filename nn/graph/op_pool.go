package graph

import (
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn"
)

func init() { enter(pools) }

var pools = []entry{
	{"MaxPool", 1, "auto_pad ceil_mode dilations kernel_shape pads storage_order strides", checkMaxPool, planPool},
	{"AveragePool", 7, "auto_pad ceil_mode count_include_pad dilations kernel_shape pads strides", checkWindow, planPool},
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
	pool.Ceil = c.Node.Int("ceil_mode", 0) == 1 && (auto == "NOTSET" || auto == "" || auto == "VALID")
	// onnxruntime divides by the stride towards zero: a window that reaches over the plane
	// by less than a stride has one place. (Where it counts pads it would have to count these.)
	if !pool.CountPad {
		pool.PadBottom += overhang(h+pool.PadTop+pool.PadBottom, (kh-1)*pool.DilationH+1, pool.StrideH)
		pool.PadRight += overhang(w+pool.PadLeft+pool.PadRight, (kw-1)*pool.DilationW+1, pool.StrideW)
	}
	oh, ow := pool.OutSize(h, w)
	if oh == 0 || ow == 0 {
		return tooSmall(c, win, h, w)
	}
	planes := dims[0] * dims[1]
	c.Out(0, Float32, planeDims(dims, dims[1], oh, ow)...)
	if c.err != nil || planes*oh*ow == 0 {
		c.Run(nothing)
		return nil
	}
	f := nn.Pool.Max
	if c.Node.Op == "AveragePool" {
		f = nn.Pool.Average
	}
	c.Scratch(4 * pool.ScratchLen(h, w))
	c.Run(func(a *Args) {
		f(pool, a.Out[0].Float32s(), a.In[0].Float32s(), planes, h, w, slab.View[float32](a.Scratch))
	})
	return nil
}

// overhang is by how much a window is larger than n, where that is less than a stride.
func overhang(n, extent, stride int) int {
	if by := extent - n; n > 0 && by > 0 && by < stride {
		return by
	}
	return 0
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
