package op

import (
	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

var (
	poolIn    = []In{{Name: "X", Types: floatTypes, Var: 'T'}}
	maxPoolIn = []In{{Name: "X", Types: floatTypes | 1<<ir.Int8 | 1<<ir.Uint8, Var: 'T'}}
	poolOut   = []Out{{Name: "Y", Var: 'T'}}
	ceilMode  = Attr{Name: "ceil_mode", Kind: ir.AttrInt, Since: 10}
	lpPower   = Attr{Name: "p", Kind: ir.AttrInt, I: 2}
)

func init() { Register(poolRows) }

var poolRows = []Row{{
	Name: "MaxPool", Since: 1, Changes: []int{8, 10, 11, 12, 22},
	In: maxPoolIn, Out: []Out{{Name: "Y", Var: 'T'}, {Name: "Indices", Type: ir.Int64, Opt: true}},
	Attrs: []Attr{autoPad, ceilMode, {Name: "dilations", Kind: ir.AttrInts, Since: 10}, kernelShape, windowPads, {Name: "storage_order", Kind: ir.AttrInt, Since: 8}, strides},
	Rank:  sameRank,
	Plan:  planMaxPool,
}, {
	Name: "AveragePool", Since: 1, Changes: []int{7, 10, 11, 19, 22},
	In: poolIn, Out: poolOut,
	Attrs: []Attr{autoPad, ceilMode, {Name: "count_include_pad", Kind: ir.AttrInt, Since: 7}, {Name: "dilations", Kind: ir.AttrInts, Since: 19}, kernelShape, windowPads, strides},
	Rank:  sameRank,
	Plan:  planAveragePool,
}, {
	Name: "LpPool", Since: 2, Changes: []int{11, 18, 22},
	In: poolIn, Out: poolOut,
	Attrs: []Attr{autoPad, {Name: "ceil_mode", Kind: ir.AttrInt, Since: 18}, {Name: "dilations", Kind: ir.AttrInts, Since: 18}, kernelShape, lpPower, windowPads, strides},
	Rank:  sameRank,
	Plan:  planLpPool,
}, {
	Name: "GlobalAveragePool", Since: 1, Changes: []int{22},
	In: poolIn, Out: poolOut, Rank: sameRank,
	Plan: planGlobalAverage,
}, {
	Name: "GlobalMaxPool", Since: 1, Changes: []int{22},
	In: poolIn, Out: poolOut, Rank: sameRank,
	Plan: planGlobalMax,
}, {
	Name: "GlobalLpPool", Since: 2, Changes: []int{22},
	In: poolIn, Out: poolOut, Attrs: []Attr{lpPower}, Rank: sameRank,
	Plan: planGlobalLp,
}}

// pooling is a pool over the last dimensions of dims, the first two of which are images
// and channels.
type pooling struct {
	sliding
	pool   compute.Pool
	oh, ow int
}

// poolOf reads the geometry.
func poolOf(c *Call, dims []int, countPad bool) (p pooling, err error) {
	kernel, given := c.Ints("kernel_shape")
	if !given || len(dims) < 3 || len(kernel) != len(dims)-2 {
		return p, c.Fail("kernel_shape ", intsOf(kernel), " does not fit dimensions ", dims)
	}
	size := c.Dims(len(kernel))
	for i, k := range kernel {
		if k < 1 || k > windowLimit {
			return p, c.fail("kernel_shape is @", intsOf(kernel))
		}
		size[i] = int(k)
	}
	if p.sliding, err = windowOf(c, dims, size); err != nil {
		return p, err
	}
	if err := p.check(c, 1); err != nil {
		return p, err
	}
	auto := c.Str("auto_pad")
	ceil := c.Int("ceil_mode") == 1 && (auto == "NOTSET" || auto == "" || auto == "VALID")
	win := p.sliding
	// onnxruntime divides by the stride towards zero: a window that reaches over the plane
	// by less than a stride has one place. (Where it counts pads it would have to count these.)
	if !countPad {
		p.PadBottom += overhang(p.h+p.PadTop+p.PadBottom, (p.KernelH-1)*p.DilationH+1, p.StrideH)
		p.PadRight += overhang(p.w+p.PadLeft+p.PadRight, (p.KernelW-1)*p.DilationW+1, p.StrideW)
	}
	for i := range p.deep {
		a := &p.deep[i]
		if !countPad {
			a.After += overhang(a.Size+a.Before+a.After, (a.Kernel-1)*a.Dilation+1, a.Stride)
		}
		a.Fit(ceil)
	}
	p.pool = compute.Pool{Window: p.Window, CountPad: countPad, Ceil: ceil, Deep: p.deep}
	if p.oh, p.ow = p.pool.OutSize(p.h, p.w); p.deep.Places()*p.oh*p.ow == 0 {
		return p, win.tooSmall(c)
	}
	return p, nil
}

// axes has all dimensions that the window slides along.
func (p *pooling) axes(list compute.Deep) compute.Deep {
	list = append(list, p.deep...)
	return append(list,
		compute.Axis{Size: p.h, Places: p.oh, Kernel: p.KernelH, Stride: p.StrideH, Dilation: p.DilationH, Before: p.PadTop, After: p.PadBottom},
		compute.Axis{Size: p.w, Places: p.ow, Kernel: p.KernelW, Stride: p.StrideW, Dilation: p.DilationW, Before: p.PadLeft, After: p.PadRight})
}

func planPool(c *Call, kind compute.PoolKind, countPad bool, power float64) error {
	in := c.In(0)
	p, err := poolOf(c, in.Dims, countPad)
	if err != nil {
		return err
	}
	out := p.dims(c, in.Dims[0], in.Dims[1], p.oh, p.ow)
	c.Out(0, in.Type, out...)
	which := kind == compute.PoolMax && c.Node.Out(1) != nil
	if which {
		c.Out(1, ir.Int64, out...)
	}
	planes := in.Dims[0] * in.Dims[1]
	if c.Err != nil || planes == 0 {
		c.Step = nothing{}
		return nil
	}
	if which || in.Type == ir.Float64 || kind == compute.PoolLp {
		s := Into[anyPool](c)
		s.pool = compute.AnyPool{Kind: kind, Axes: p.axes(s.pool.Axes[:0]), CountPad: countPad, Columns: which && c.Int("storage_order") != 0, P: power}
		s.planes = planes
		s.wide.set(c, 1, in.Type, ir.Elements(out))
		return nil
	}
	s := Into[pool](c)
	s.pool, s.average, s.planes, s.h, s.w = p.pool, kind == compute.PoolAverage, planes, p.h, p.w
	c.Scratch(4 * p.pool.ScratchLen(p.h, p.w))
	s.narrow.set(c, in.Type, in.Len(), ir.Elements(out))
	return nil
}

// pool slides a window over planes of h×w.
type pool struct {
	pool         compute.Pool
	average      bool // the mean, not the maximum
	planes, h, w int
	narrow       narrow
}

func (s *pool) Run(a *Args) {
	y, x, scratch := s.narrow.out(a), s.narrow.in(a), slab.View[float32](a.Scratch)
	if s.average {
		s.pool.Average(y, x, s.planes, s.h, s.w, scratch)
	} else {
		s.pool.Max(y, x, s.planes, s.h, s.w, scratch)
	}
	s.narrow.done(a)
}

// narrow lets a step that computes in float32 take input 0 and give output 0 in a type
// whose numbers float32 has: the small ones. It is set when the step has asked for its own
// scratch memory.
type narrow struct {
	load       func(dst []float64, src []byte) // nil for float32
	store      func(dst []byte, src []float64)
	size       int // of an element
	n, m       int // elements of the input, and of the output
	at, to, by int // bytes of scratch: input, output, a block of float64
}

const narrowBlock = 256

func (s *narrow) set(c *Call, t ir.DType, n, m int) {
	*s = narrow{}
	if t == ir.Float32 {
		return
	}
	at := (c.Bytes + 7) &^ 7
	*s = narrow{load: loadFloats(t), store: storeFloats(t), size: t.Size(), n: n, m: m, by: at, at: at + 8*narrowBlock, to: at + 8*narrowBlock + 4*n}
	c.Scratch(s.to + 4*m)
}

func (s *narrow) block(a *Args) []float64 {
	return slab.View[float64](a.Scratch[s.by:][:8*narrowBlock])
}

func (s *narrow) in(a *Args) []float32 {
	if s.load == nil {
		return a.In[0].Float32s()
	}
	x, block, src := slab.View[float32](a.Scratch[s.at:][:4*s.n]), s.block(a), a.In[0].Data
	for from := 0; from < s.n; from += narrowBlock {
		part := block[:min(narrowBlock, s.n-from)]
		s.load(part, src[from*s.size:][:len(part)*s.size])
		for i, v := range part {
			x[from+i] = float32(v)
		}
	}
	return x
}

func (s *narrow) out(a *Args) []float32 {
	if s.load == nil {
		return a.Out[0].Float32s()
	}
	return slab.View[float32](a.Scratch[s.to:][:4*s.m])
}

func (s *narrow) done(a *Args) {
	if s.load == nil {
		return
	}
	y, block, dst := s.out(a), s.block(a), a.Out[0].Data
	for from := 0; from < s.m; from += narrowBlock {
		part := block[:min(narrowBlock, s.m-from)]
		for i := range part {
			part[i] = float64(y[from+i])
		}
		s.store(dst[from*s.size:][:len(part)*s.size], part)
	}
}

// anyPool pools in float64.
type anyPool struct {
	pool   compute.AnyPool
	planes int
	wide   wide[float64]
}

func (s *anyPool) Run(a *Args) {
	var which []int64
	if len(a.Out) > 1 && a.Out[1] != nil {
		which = a.Out[1].Int64s()
	}
	x := s.wide.in(a, 0)
	if a.Out[0] == nil { // only the indices are wanted
		s.pool.Run(nil, which, x, s.planes)
		return
	}
	s.pool.Run(s.wide.out(a), which, x, s.planes)
	s.wide.done(a)
}

// overhang is by how much a window is larger than n, where that is less than a stride.
func overhang(n, extent, stride int) int {
	if by := extent - n; n > 0 && by > 0 && by < stride {
		return by
	}
	return 0
}

// planGlobalPool makes one element of each plane: f does it in float32.
func planGlobalPool(c *Call, kind compute.PoolKind, power float64, f func(y, x []float32, planes, inner int)) error {
	in := c.In(0)
	dims := in.Dims
	if len(dims) < 2 {
		return c.fail("the input has dimensions @, want at least 2 of them", dims)
	}
	out := c.Clone(dims)
	for i := range out[2:] {
		out[2+i] = 1
	}
	c.Out(0, in.Type, out...)
	planes, inner := dims[0]*dims[1], ir.Elements(dims[2:])
	if in.Type == ir.Float32 && f != nil {
		*Into[globalPool](c) = globalPool{f: f, planes: planes, inner: inner}
		return nil
	}
	s := Into[anyPool](c)
	s.pool = compute.AnyPool{Kind: kind, Axes: append(s.pool.Axes[:0], compute.Axis{Size: inner, Places: 1, Kernel: inner, Stride: 1, Dilation: 1}), P: power}
	s.planes = planes
	s.wide.set(c, 1, in.Type, planes)
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

func planMaxPool(c *Call) error { return planPool(c, compute.PoolMax, false, 0) }

func planAveragePool(c *Call) error {
	return planPool(c, compute.PoolAverage, c.Int("count_include_pad") != 0, 0)
}

// normPower reads p, which is at least 1.
func normPower(c *Call) (float64, error) {
	p := c.Int("p")
	if p < 1 {
		return 0, c.fail("p is %, want at least 1", nil, int(p))
	}
	return float64(p), nil
}

func planLpPool(c *Call) error {
	p, err := normPower(c)
	if err != nil {
		return err
	}
	return planPool(c, compute.PoolLp, false, p)
}

func planGlobalLp(c *Call) error {
	p, err := normPower(c)
	if err != nil {
		return err
	}
	return planGlobalPool(c, compute.PoolLp, p, nil)
}

func planGlobalAverage(c *Call) error {
	return planGlobalPool(c, compute.PoolAverage, 0, compute.GlobalAverage)
}

func planGlobalMax(c *Call) error {
	return planGlobalPool(c, compute.PoolMax, 0, compute.GlobalMax)
}
