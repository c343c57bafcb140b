package op

import (
	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

var (
	poolIn   = []In{{Name: "X", Types: float32Only, Var: 'T'}}
	poolOut  = []Out{{Name: "Y", Var: 'T'}}
	ceilMode = Attr{Name: "ceil_mode", Kind: ir.AttrInt, Since: 10}
)

func init() { Register(poolRows) }

var poolRows = []Row{{
	Name: "MaxPool", Since: 1, Changes: []int{8, 10, 11, 12, 22},
	In: poolIn, Out: poolOut,
	Attrs: []Attr{autoPad, ceilMode, {Name: "dilations", Kind: ir.AttrInts, Since: 10}, kernelShape, windowPads, {Name: "storage_order", Kind: ir.AttrInt, Since: 8}, strides},
	Rank:  sameRank, Check: checkMaxPool, Limits: windowLimits + ", without indices",
	Plan: planMaxPool,
}, {
	Name: "AveragePool", Since: 7, Changes: []int{10, 11, 19, 22},
	In: poolIn, Out: poolOut,
	Attrs: []Attr{autoPad, ceilMode, {Name: "count_include_pad", Kind: ir.AttrInt}, {Name: "dilations", Kind: ir.AttrInts, Since: 19}, kernelShape, windowPads, strides},
	Rank:  sameRank, Check: checkWindow, Limits: windowLimits,
	Plan: planAveragePool,
}, {
	Name: "GlobalAveragePool", Since: 1, Changes: []int{22},
	In: poolIn, Out: poolOut, Rank: sameRank,
	Plan: planGlobalAverage,
}, {
	Name: "GlobalMaxPool", Since: 1, Changes: []int{22},
	In: poolIn, Out: poolOut, Rank: sameRank,
	Plan: planGlobalMax,
}}

func checkMaxPool(n *ir.Node) string {
	if n.Out(1) != nil {
		return "with indices"
	}
	return checkWindow(n)
}

// planPool: storage_order only concerns the indices, which are not implemented.
func planPool(c *Call, average, countPad bool) error {
	dims := c.In(0).Dims
	kernel, given := c.Ints("kernel_shape")
	if !given || len(dims) < 3 || len(kernel) != len(dims)-2 {
		return c.Fail("kernel_shape ", intsOf(kernel), " does not fit dimensions ", dims)
	}
	if len(kernel) > 2 {
		return unsupported(c, "over more than 2 dimensions")
	}
	size := c.Dims(len(kernel))
	for i, k := range kernel {
		if k < 1 || k > windowLimit {
			return c.fail("kernel_shape is @", intsOf(kernel))
		}
		size[i] = int(k)
	}
	kh, kw := kernelSize(size)
	win, h, w, err := windowOf(c, dims, kh, kw)
	if err != nil {
		return err
	}
	if err := checkPlanes(c, win, 1, h, w); err != nil {
		return err
	}
	auto := c.Str("auto_pad")
	p := compute.Pool{Window: win, CountPad: countPad}
	p.Ceil = c.Int("ceil_mode") == 1 && (auto == "NOTSET" || auto == "" || auto == "VALID")
	// onnxruntime divides by the stride towards zero: a window that reaches over the plane
	// by less than a stride has one place. (Where it counts pads it would have to count these.)
	if !p.CountPad {
		p.PadBottom += overhang(h+p.PadTop+p.PadBottom, (kh-1)*p.DilationH+1, p.StrideH)
		p.PadRight += overhang(w+p.PadLeft+p.PadRight, (kw-1)*p.DilationW+1, p.StrideW)
	}
	oh, ow := p.OutSize(h, w)
	if oh == 0 || ow == 0 {
		return tooSmall(c, win, h, w)
	}
	planes := dims[0] * dims[1]
	c.Out(0, ir.Float32, planeDims(c, dims, dims[1], oh, ow)...)
	if c.Err != nil || planes*oh*ow == 0 {
		c.Step = nothing{}
		return nil
	}
	c.Scratch(4 * p.ScratchLen(h, w))
	*Into[pool](c) = pool{pool: p, average: average, planes: planes, h: h, w: w}
	return nil
}

// pool slides a window over planes of h×w.
type pool struct {
	pool         compute.Pool
	average      bool // the mean, not the maximum
	planes, h, w int
}

func (s *pool) Run(a *Args) {
	y, x, scratch := a.Out[0].Float32s(), a.In[0].Float32s(), slab.View[float32](a.Scratch)
	if s.average {
		s.pool.Average(y, x, s.planes, s.h, s.w, scratch)
	} else {
		s.pool.Max(y, x, s.planes, s.h, s.w, scratch)
	}
}

// overhang is by how much a window is larger than n, where that is less than a stride.
func overhang(n, extent, stride int) int {
	if by := extent - n; n > 0 && by > 0 && by < stride {
		return by
	}
	return 0
}

func planGlobalPool(c *Call, f func(y, x []float32, planes, inner int)) error {
	dims := c.In(0).Dims
	if len(dims) < 2 {
		return c.fail("the input has dimensions @, want at least 2 of them", dims)
	}
	out := c.Clone(dims)
	for i := range out[2:] {
		out[2+i] = 1
	}
	c.Out(0, ir.Float32, out...)
	*Into[globalPool](c) = globalPool{f: f, planes: dims[0] * dims[1], inner: ir.Elements(dims[2:])}
	return nil
}

// globalPool makes one element of each plane.
type globalPool struct {
	f             func(y, x []float32, planes, inner int)
	planes, inner int
}

func (s *globalPool) Run(a *Args) { s.RunRows(a, 0, s.planes) }

func (s *globalPool) Rows() int { return s.planes }

func (s *globalPool) RunRows(a *Args, from, to int) {
	s.f(a.Out[0].Float32s()[from:to], a.In[0].Float32s()[from*s.inner:to*s.inner], to-from, s.inner)
}

func planMaxPool(c *Call) error { return planPool(c, false, false) }

func planAveragePool(c *Call) error { return planPool(c, true, c.Int("count_include_pad") != 0) }

func planGlobalAverage(c *Call) error { return planGlobalPool(c, compute.GlobalAverage) }

func planGlobalMax(c *Call) error { return planGlobalPool(c, compute.GlobalMax) }
