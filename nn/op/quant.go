package op

import (
	"math"

	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

const (
	byteTypes  Types = 1<<ir.Int8 | 1<<ir.Uint8
	smallTypes       = smallInts
	stepTypes        = byteTypes | smallTypes | 1<<ir.Int16 | 1<<ir.Uint16 // that numbers are quantized to
	scaleTypes Types = 1<<ir.Float32 | 1<<ir.Float16 | 1<<ir.BFloat16
)

var (
	quantizeIn = []In{{Name: "x", Types: scaleTypes | 1<<ir.Int32}, {Name: "y_scale", Types: scaleTypes},
		{Name: "y_zero_point", Types: stepTypes, Var: 'Z', Opt: true}}
	dequantizeIn = []In{{Name: "x", Types: stepTypes | 1<<ir.Int32, Var: 'Z'}, {Name: "x_scale", Types: scaleTypes, Var: 'S'},
		{Name: "x_zero_point", Types: stepTypes | 1<<ir.Int32, Var: 'Z', Opt: true}}
	quantizeOut   = []Out{{Name: "y", Var: 'Z', From: "output_dtype"}}
	dequantizeOut = []Out{{Name: "y", Var: 'S', From: "output_dtype"}}
	quantAxis     = Attr{Name: "axis", Kind: ir.AttrInt, I: 1, Since: 13}
	blockSize     = Attr{Name: "block_size", Kind: ir.AttrInt, Since: 21}
	outputType    = Attr{Name: "output_dtype", Kind: ir.AttrInt, Since: 21}
	quantizeAttrs = []Attr{quantAxis, blockSize, outputType, {Name: "precision", Kind: ir.AttrInt, Since: 23}, {Name: "saturate", Kind: ir.AttrInt, I: 1, Since: 19}}
	// Those that have no version of their own.
	contribAxis    = Attr{Name: "axis", Kind: ir.AttrInt, I: 1}
	contribBlock   = Attr{Name: "block_size", Kind: ir.AttrInt}
	contribOutType = Attr{Name: "output_dtype", Kind: ir.AttrInt}
)

func init() { Register(quantRows) }

var quantRows = []Row{{
	Name: "QuantizeLinear", Since: 10, Changes: []int{13, 19, 21, 23},
	In: quantizeIn, Out: quantizeOut, Attrs: quantizeAttrs, Rank: sameRank,
	Check: checkQuantize, Limits: quantizeLimits,
	Plan: planQuantize,
}, {
	Name: "DequantizeLinear", Since: 10, Changes: []int{13, 19, 21, 23},
	In: dequantizeIn, Out: dequantizeOut,
	Attrs: []Attr{quantAxis, blockSize, {Name: "output_dtype", Kind: ir.AttrInt, Since: 23}},
	Rank:  sameRank, Check: checkDequantize, Limits: "from integers of 4 to 32 bits, to float16, bfloat16 and float32 only",
	Plan: planDequantize,
}, {
	Name: "QuantizeLinear", Domain: microsoft, Since: 1,
	In: quantizeIn, Out: quantizeOut,
	Attrs: []Attr{contribAxis, contribBlock, contribOutType, {Name: "saturate", Kind: ir.AttrInt, I: 1}},
	Rank:  sameRank, Check: checkQuantize, Limits: quantizeLimits,
	Plan: planQuantize,
}, {
	Name: "DequantizeLinear", Domain: microsoft, Since: 1,
	In: dequantizeIn, Out: dequantizeOut,
	Attrs: []Attr{contribAxis, contribBlock, contribOutType},
	Rank:  sameRank, Check: checkDequantize,
	Plan: planDequantize,
}, {
	Name: "DynamicQuantizeLinear", Since: 11,
	In:   []In{{Name: "x", Types: float32Only}},
	Out:  []Out{{Name: "y", Type: ir.Uint8}, {Name: "y_scale", Type: ir.Float32}, {Name: "y_zero_point", Type: ir.Uint8}},
	Rank: sameRank,
	Plan: planDynamicQuantize,
}}

const quantizeLimits = "to integers of 4 to 16 bits only"

func checkQuantize(n *ir.Node) string {
	if to := n.Int("output_dtype", 0); to != 0 && !typeIn(to, stepTypes) {
		return "output_dtype=" + typeName(to)
	}
	return ""
}

func checkDequantize(n *ir.Node) string {
	if to := n.Int("output_dtype", 0); to != 0 && !typeIn(to, scaleTypes) {
		return "output_dtype=" + typeName(to)
	}
	return ""
}

// typeIn says whether a number of an attribute is a type of the set.
func typeIn(number int64, s Types) bool { return number > 0 && number < 32 && s.Has(ir.DType(number)) }

func typeName(number int64) string {
	if number > 0 && number < 256 {
		return ir.DType(number).String()
	}
	return "undefined"
}

// dealt is how the elements of a tensor are dealt to scales and zero points: of an axis of n,
// each index has its own, or each block, at each place of the other axes.
type dealt struct {
	outer, n, inner int
	block           int // 0 for one an index
	one             bool
}

// dealtOf holds scale and zero point, inputs 1 and 2, to the dimensions of x.
func dealtOf(c *Call) (d dealt, err error) {
	x, s := c.In(0).Dims, c.In(1).Dims
	name := c.Row.In[1].Name
	block := c.Int("block_size")
	if z := c.In(2); z != nil && (z.Len() != c.In(1).Len() || len(z.Dims) > 1 && !ir.SameDims(z.Dims, s)) {
		return d, c.Fail(c.Row.In[2].Name, " has dimensions ", z.Dims, ", ", name, " has ", s)
	}
	switch {
	case block < 0 || block > dimLimit:
		return d, c.fail("block_size is %", nil, int(block))
	case block == 0 && len(s) <= 1 && c.In(1).Len() == 1:
		d.one, d.outer, d.n, d.inner = true, 1, 1, c.In(0).Len()
		return d, nil
	}
	axis, err := axisOf(c, c.Int("axis"), len(x))
	if err != nil {
		return d, err
	}
	d.outer, d.n, d.inner, d.block = ir.Elements(x[:axis]), x[axis], ir.Elements(x[axis+1:]), int(block)
	if block == 0 {
		if len(s) != 1 || s[0] != x[axis] {
			return d, c.Fail(name, " has dimensions ", s, ", want one number, or ", x[axis], " as dimension ", axis, " of ", x)
		}
		return d, nil
	}
	want := c.Clone(x)
	want[axis] = d.blocks()
	if !ir.SameDims(want, s) {
		return d, c.Fail(name, " has dimensions ", s, ", want ", want, " for blocks of ", d.block, " along axis ", axis, " of ", x)
	}
	return d, nil
}

func (d *dealt) blocks() int { return (d.n + d.block - 1) / d.block }

// each calls f for every stretch of elements: where it begins, how many there are, the scale
// of the first, and whether each further one has the next.
func (d *dealt) each(f func(at, n, scale int, next bool)) {
	n, inner := d.n, d.inner
	switch {
	case n*inner == 0:
	case d.one:
		f(0, inner, 0, false)
	case d.block == 0 && inner == 1:
		for o := range d.outer {
			f(o*n, n, 0, true)
		}
	case d.block > 0 && inner == 1:
		for o := range d.outer {
			for b := range d.blocks() {
				f(o*n+b*d.block, min(d.block, n-b*d.block), o*d.blocks()+b, false)
			}
		}
	default:
		for i := range d.outer * n {
			if d.block == 0 {
				f(i*inner, inner, i%n, false)
			} else {
				f(i*inner, inner, (i/n*d.blocks()+i%n/d.block)*inner, true)
			}
		}
	}
}

// stepRange is the least and the largest number of an integer type of at most 32 bits.
func stepRange(t ir.DType) (lo, hi int) {
	bits := t.Bits()
	if signedInts.Has(t) {
		return -1 << (bits - 1), 1<<(bits-1) - 1
	}
	return 0, 1<<bits - 1
}

const signedInts Types = 1<<ir.Int2 | 1<<ir.Int4 | 1<<ir.Int8 | 1<<ir.Int16 | 1<<ir.Int32 | 1<<ir.Int64

// loadSteps reads elements from at on of an integer type of at most 32 bits.
func loadSteps(dst []int32, src []byte, t ir.DType, at int) {
	switch t {
	case ir.Int8:
		loadList[int8](dst, src[at:])
	case ir.Uint8:
		loadList[uint8](dst, src[at:])
	case ir.Int16:
		loadList[int16](dst, src[2*at:])
	case ir.Uint16:
		loadList[uint16](dst, src[2*at:])
	case ir.Int32:
		copy(dst, slab.View[int32](src)[at:])
	default:
		bits := t.Bits()
		per, up := 8/bits, 32-bits
		for i := range dst {
			v := uint32(src[(at+i)/per]) >> ((at + i) % per * bits) << up
			if signedInts.Has(t) {
				dst[i] = int32(v) >> up
			} else {
				dst[i] = int32(v >> up)
			}
		}
	}
}

func loadList[T slab.Elem](dst []int32, src []byte) {
	for i, v := range slab.View[T](src)[:len(dst)] {
		dst[i] = int32(v)
	}
}

// storeSteps writes elements from at on. Those before at are there already.
func storeSteps(dst []byte, src []int32, t ir.DType, at int) {
	switch bits := t.Bits(); bits {
	case 8:
		for i, v := range src {
			dst[at+i] = byte(v)
		}
	case 16:
		y := slab.View[uint16](dst)[at:]
		for i, v := range src {
			y[i] = uint16(v)
		}
	default:
		per, mask := 8/bits, int32(1)<<bits-1
		for i, v := range src {
			p, shift := &dst[(at+i)/per], (at+i)%per*bits
			if shift == 0 {
				*p = 0
			}
			*p |= byte(v&mask) << shift
		}
	}
}

// quantPart is how many elements are converted at a time.
const quantPart = 256

// quantScratch are the numbers of a part: of the tensor, of scales, and steps and zero points.
const quantScratch = quantPart * (8 + 8 + 4 + 4)

// quantized is the step of QuantizeLinear and DequantizeLinear.
type quantized struct {
	deal        dealt
	small, wide ir.DType // the integers, and x or y
	scale       ir.DType
	load        func(dst []float64, src []byte)
	loadScale   func(dst []float64, src []byte)
	store       func(dst []byte, src []float64)
	zeros       bool
}

func planQuantize(c *Call) error {
	d, err := dealtOf(c)
	if err != nil {
		return err
	}
	t := ir.DType(c.Int("output_dtype"))
	switch z := c.In(2); {
	case z != nil && t != ir.Undefined && z.Type != t:
		return c.Fail("y_zero_point is ", z.Type.String(), ", but output_dtype is ", t.String())
	case z != nil:
		t = z.Type
	case t == ir.Undefined:
		t = ir.Uint8
	}
	c.Out(0, t, c.In(0).Dims...)
	if s := c.In(1).Host; s != nil {
		if err := c.scales(s); err != nil {
			return err
		}
	}
	s := Into[quantize](c)
	s.quantized = quantized{deal: d, small: t, wide: c.In(0).Type, scale: c.In(1).Type, load: loadFloats(c.In(0).Type), loadScale: loadFloats(c.In(1).Type), zeros: c.In(2) != nil}
	c.Scratch(quantScratch)
	return nil
}

// scales fails for known scales, input 1, that numbers cannot be divided by.
func (c *Call) scales(t *ir.Tensor) error {
	list := make([]float64, t.Len())
	loadFloats(t.Type)(list, t.Data)
	for i, v := range list {
		if undividing(v) {
			return c.Fail(c.Row.In[1].Name, " ", i, " is ", v, ", want a finite number that is not 0")
		}
	}
	return nil
}

// undividing says that nothing is quantized by a scale: it is 0, infinite or NaN.
func undividing(v float64) bool { return v == 0 || v-v != 0 }

// divides fails in a run for a scale of the result that is known only then.
func divides(v float64) {
	if undividing(v) {
		panic(ir.Shape("y_scale is ", v, ", want a finite number that is not 0"))
	}
}

type quantize struct{ quantized }

func (s *quantize) Run(a *Args) {
	x, y := a.In[0], a.Out[0]
	floats, scales := slab.View[float64](a.Scratch[:8*quantPart]), slab.View[float64](a.Scratch[8*quantPart:][:8*quantPart])
	steps, zeros := slab.View[int32](a.Scratch[16*quantPart:][:4*quantPart]), slab.View[int32](a.Scratch[20*quantPart:][:4*quantPart])
	lo, hi := stepRange(s.small)
	clear(zeros)
	fast := s.small.Bits() == 8 && s.wide == ir.Float32
	s.deal.each(func(at, n, scale int, next bool) {
		s.params(a, scales[:1], zeros[:1], scale)
		divides(scales[0])
		if fast && !next {
			compute.Quantize(y.Data[at:at+n], x.Float32s()[at:at+n], compute.Grid{Scale: float32(scales[0]), Zero: int(zeros[0]), Lo: lo, Hi: hi})
			return
		}
		for done := 0; done < n; done += quantPart {
			k, by := min(quantPart, n-done), 0
			if next {
				by = 1
				s.params(a, scales[:k], zeros[:k], scale+done)
				for _, v := range scales[:k] {
					divides(v)
				}
			}
			size := s.wide.Size()
			s.load(floats[:k], x.Data[(at+done)*size:][:k*size])
			for i, j := 0, 0; i < k; i, j = i+1, j+by {
				v := math.RoundToEven(float64(float32(floats[i])/float32(scales[j]))) + float64(zeros[j])
				if v != v {
					v = 0
				}
				steps[i] = int32(min(max(v, float64(lo)), float64(hi)))
			}
			storeSteps(y.Data, steps[:k], s.small, at+done)
		}
	})
}

// params reads scales, and zero points if there are any, from one on.
func (s *quantized) params(a *Args, scales []float64, zeros []int32, from int) {
	size := s.scale.Size()
	s.loadScale(scales, a.In[1].Data[from*size:][:len(scales)*size])
	if s.zeros {
		loadSteps(zeros, a.In[2].Data, s.small, from)
	}
}

func planDequantize(c *Call) error {
	d, err := dealtOf(c)
	if err != nil {
		return err
	}
	t := c.In(1).Type
	if to := ir.DType(c.Int("output_dtype")); to != ir.Undefined {
		t = to
	}
	c.Out(0, t, c.In(0).Dims...)
	if s := c.In(1).Host; s != nil {
		list := make([]float64, s.Len())
		loadFloats(s.Type)(list, s.Data)
		for i, v := range list {
			if v-v != 0 {
				return c.Fail(c.Row.In[1].Name, " ", i, " is ", v, ", want a finite number")
			}
		}
	}
	s := Into[dequantize](c)
	s.quantized = quantized{deal: d, small: c.In(0).Type, wide: t, scale: c.In(1).Type, loadScale: loadFloats(c.In(1).Type), store: storeFloats(t), zeros: c.In(2) != nil}
	c.Scratch(quantScratch)
	return nil
}

type dequantize struct{ quantized }

func (s *dequantize) Run(a *Args) {
	x, y := a.In[0], a.Out[0]
	floats, scales := slab.View[float64](a.Scratch[:8*quantPart]), slab.View[float64](a.Scratch[8*quantPart:][:8*quantPart])
	steps, zeros := slab.View[int32](a.Scratch[16*quantPart:][:4*quantPart]), slab.View[int32](a.Scratch[20*quantPart:][:4*quantPart])
	clear(zeros)
	fast := s.small.Bits() == 8 && s.wide == ir.Float32
	s.deal.each(func(at, n, scale int, next bool) {
		s.params(a, scales[:1], zeros[:1], scale)
		if fast && !next {
			compute.Dequantize(y.Float32s()[at:at+n], compute.Octets{Data: x.Data[at : at+n], Signed: s.small == ir.Int8}, int(zeros[0]), float32(scales[0]))
			return
		}
		for done := 0; done < n; done += quantPart {
			k, by := min(quantPart, n-done), 0
			if next {
				by = 1
				s.params(a, scales[:k], zeros[:k], scale+done)
			}
			loadSteps(steps[:k], x.Data, s.small, at+done)
			for i, j := 0, 0; i < k; i, j = i+1, j+by {
				floats[i] = float64(float32(steps[i]-zeros[j]) * float32(scales[j]))
			}
			size := s.wide.Size()
			s.store(y.Data[(at+done)*size:][:k*size], floats[:k])
		}
	})
}

func planDynamicQuantize(c *Call) error {
	c.Out(0, ir.Uint8, c.In(0).Dims...)
	c.Out(1, ir.Float32)
	c.Out(2, ir.Uint8)
	Into[dynamicQuantize](c)
	return nil
}

type dynamicQuantize struct{}

func (s *dynamicQuantize) Run(a *Args) {
	x := a.In[0].Float32s()
	g := gridOf(x)
	if y := a.Out[0]; y != nil {
		compute.Quantize(y.Data, x, g)
	}
	if y := a.Out[1]; y != nil {
		y.Float32s()[0] = g.Scale
	}
	if y := a.Out[2]; y != nil {
		y.Data[0] = uint8(g.Zero)
	}
}

// gridOf is the grid of uint8 that reaches from the least of the numbers and 0 to the
// largest and 0.
func gridOf(x []float32) compute.Grid {
	lo, hi := float32(0), float32(0)
	if len(x) > 0 {
		lo, hi = compute.Extremes(x)
		lo, hi = min(lo, 0), max(hi, 0)
	}
	g := compute.Grid{Scale: 1, Hi: 255}
	if lo != hi {
		g.Scale = (hi - lo) / 255
	}
	if zero := math.RoundToEven(float64(-lo / g.Scale)); zero > 0 { // not for a NaN
		g.Zero = int(min(zero, 255))
	}
	return g
}
