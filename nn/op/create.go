package op

import (
	"math"

	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

// Operators that make values, or keep a part of them by position.

const rangeTypes = floatTypes | 1<<ir.Int16 | 1<<ir.Int32 | 1<<ir.Int64

func init() { Register(createRows) }

var createRows = []Row{{
	Name: "ConstantOfShape", Since: 9, Changes: []int{20, 21, 23, 24, 25},
	In:    []In{{Name: "input", Types: intTypes}},
	Out:   []Out{{Name: "output", From: "value"}},
	Attrs: []Attr{{Name: "value", Kind: ir.AttrTensor}},
	Rank:  firstLen,
	Check: checkConstantOfShape,
	Plan:  planConstantOfShape,
}, {
	Name: "Range", Since: 11,
	In: []In{{Name: "start", Types: rangeTypes, Var: 'T'}, {Name: "limit", Types: rangeTypes, Var: 'T'},
		{Name: "delta", Types: rangeTypes, Var: 'T'}},
	Out:  []Out{{Name: "output", Var: 'T'}},
	Rank: listRank,
	Plan: planRange,
}, {
	Name: "CumSum", Since: 11, Changes: []int{14},
	In: []In{{Name: "x", Types: floatTypes | 1<<ir.Int32 | 1<<ir.Int64 | 1<<ir.Uint32 | 1<<ir.Uint64, Var: 'T'},
		{Name: "axis", Types: intTypes}},
	Out:   []Out{{Name: "y", Var: 'T'}},
	Attrs: []Attr{{Name: "exclusive", Kind: ir.AttrInt}, {Name: "reverse", Kind: ir.AttrInt}},
	Rank:  sameRank,
	Plan:  planCumSum,
}, {
	Name: "CumProd", Since: 26,
	In: []In{{Name: "x", Types: floatTypes | 1<<ir.Int32 | 1<<ir.Int64 | 1<<ir.Uint32 | 1<<ir.Uint64, Var: 'T'},
		{Name: "axis", Types: intTypes}},
	Out:   []Out{{Name: "y", Var: 'T'}},
	Attrs: []Attr{{Name: "exclusive", Kind: ir.AttrInt}, {Name: "reverse", Kind: ir.AttrInt}},
	Rank:  sameRank,
	Plan:  planCumSum,
}}

// checkConstantOfShape: the type of the result is the attribute's.
func checkConstantOfShape(n *ir.Node) string {
	if a := n.Attrs["value"]; a != nil && a.T != nil && !(storedTypes | smallInts | smallFloats).Has(a.T.Type) {
		return "type " + a.T.Type.String()
	}
	return ""
}

func planConstantOfShape(c *Call) error {
	want, _, err := hostInts(c, 0)
	if err != nil {
		return err
	}
	a := c.Node.Attrs["value"]
	if a != nil && (a.T == nil || a.T.Len() != 1) {
		return c.Fail("value must have one element")
	}
	out := c.Dims(len(want))
	for i, w := range want {
		if w < 0 || w > dimLimit {
			return c.fail("the shape's element % is %", nil, i, int(w))
		}
		out[i] = int(w)
	}
	if err := checkDims(c, out); err != nil {
		return err
	}
	s := Into[fill](c)
	t := ir.Float32
	s.value = [8]byte{}
	if a != nil {
		t = a.T.Type
		copy(s.value[:], a.T.Data)
		if bits := t.Bits(); bits < 8 {
			s.value[0] &= 1<<bits - 1
		}
	}
	s.size = max(t.Size(), 1)
	for bits := t.Bits(); bits < 8; bits *= 2 { // a byte of several
		s.value[0] |= s.value[0] << bits
	}
	c.Out(0, t, out...)
	return nil
}

// fill repeats a value.
type fill struct {
	value [8]byte
	size  int
}

func (s *fill) Run(a *Args) { fillTensor(a.Out[0].Data, s.value[:s.size]) }

// planRange: start, limit and delta are scalars that the output's size depends
// on.
func planRange(c *Call) error {
	var ints [3]int64
	var floats [3]float64
	t := c.In(0).Type
	for i := range ints {
		var err error
		if floats[i], err = hostFloat(c, i, 0); err != nil {
			return err
		}
		if !floatTypes.Has(t) {
			ints[i] = c.In(i).Host.AppendInts(c.Longs(1)[:0])[0]
		}
	}
	span := floats[1] - floats[0]
	if !floatTypes.Has(t) && math.Abs(span) < 1<<62 {
		span = float64(ints[1] - ints[0]) // which large numbers lose as floats
	}
	n := rangeSize(math.Ceil(span / floats[2]))
	if n < 0 || floats[2] == 0 {
		return c.Fail("there is no range from ", floats[0], " to ", floats[1], " by ", floats[2])
	}
	c.Out(0, t, n)
	s := Into[numbers](c)
	s.t, s.start, s.delta, s.intStart, s.intDelta = t, floats[0], floats[2], ints[0], ints[2]
	return nil
}

// numbers is the step of Range. Each type is computed as float64 or int64.
type numbers struct {
	t                  ir.DType
	start, delta       float64
	intStart, intDelta int64
}

func (s *numbers) Run(a *Args) {
	y := a.Out[0].Data
	switch s.t {
	case ir.Float32:
		fillRange[float32](y, s.start, s.delta)
	case ir.Float64:
		fillRange[float64](y, s.start, s.delta)
	case ir.Int16:
		fillRange[int16](y, s.intStart, s.intDelta)
	case ir.Int32:
		fillRange[int32](y, s.intStart, s.intDelta)
	default:
		fillRange[int64](y, s.intStart, s.intDelta)
	}
}

func fillRange[D int16 | int32 | int64 | float32 | float64, T wideElem](dst []byte, start, delta T) {
	y, n := slab.View[D](dst), T(0)
	for i := range y {
		y[i] = D(start + T(n*delta))
		n++
	}
}

// rangeSize is -1 for what is no size.
func rangeSize(n float64) int {
	switch {
	case n <= 0:
		return 0
	case n <= dimLimit:
		return int(n)
	}
	return -1
}

func planCumSum(c *Call) error {
	list, _, err := hostInts(c, 1)
	if err != nil {
		return err
	}
	if len(list) != 1 {
		return c.Fail("input 1, the axis, must be one number")
	}
	dims := c.In(0).Dims
	axis, err := axisOf(c, list[0], len(dims))
	if err != nil {
		return err
	}
	c.Out(0, c.In(0).Type, dims...)
	if t := c.In(0).Type; (t == ir.Float32 || t == ir.Int32 || t == ir.Int64) && c.In(0).Len() > 0 &&
		c.Int("exclusive") == 0 && c.Int("reverse") == 0 && c.Node.Op == "CumSum" {
		s := Into[plainCumSum](c)
		s.t, s.n, s.outer, s.inner = t, dims[axis], ir.Elements(dims[:axis]), ir.Elements(dims[axis+1:])
		c.Scratch(16 * blockLen)
		return nil
	}
	if floatTypes.Has(c.In(0).Type) {
		Into[cumSum[float64]](c).set(c, axis)
	} else {
		Into[cumSum[int64]](c).set(c, axis)
	}
	return nil
}

type cumSum[T wideElem] struct {
	w                  wide[T]
	outer, n, inner    int
	exclusive, reverse bool
	product            bool // in place of the sum
}

func (s *cumSum[T]) set(c *Call, axis int) {
	dims, t := c.In(0).Dims, c.In(0).Type
	s.outer, s.n, s.inner = ir.Elements(dims[:axis]), dims[axis], ir.Elements(dims[axis+1:])
	s.exclusive, s.reverse, s.product = c.Int("exclusive") != 0, c.Int("reverse") != 0, c.Node.Op == "CumProd"
	s.w.set(c, 1, t, c.In(0).Len())
}

func (s *cumSum[T]) Run(a *Args) {
	x, y := s.w.in(a, 0), s.w.out(a)
	for o := range s.outer {
		for i := range s.inner {
			at, step := o*s.n*s.inner+i, s.inner
			if s.reverse {
				at, step = at+(s.n-1)*step, -step
			}
			var total T
			if s.product {
				total = 1
			}
			for range s.n {
				before := total
				if s.product {
					total *= x[at]
				} else {
					total += x[at]
				}
				y[at] = total
				if s.exclusive {
					y[at] = before
				}
				at += step
			}
		}
	}
	s.w.done(a)
}

// plainCumSum is cumSum of the usual types, forwards.
type plainCumSum struct {
	t               ir.DType
	outer, n, inner int
}

func (s *plainCumSum) Run(a *Args) {
	x, y, size := a.In[0].Data, a.Out[0].Data, s.t.Size()
	if s.inner == 1 {
		for o := range s.outer {
			from, to := o*s.n*size, (o+1)*s.n*size
			switch s.t {
			case ir.Float32:
				compute.CumSum[float64](slab.View[float32](y[from:to]), slab.View[float32](x[from:to]))
			case ir.Int32:
				compute.CumSum[int32](slab.View[int32](y[from:to]), slab.View[int32](x[from:to]))
			default:
				compute.CumSum[int64](slab.View[int64](y[from:to]), slab.View[int64](x[from:to]))
			}
		}
		return
	}
	how := kernel.CombineInt32 + kernel.CombineAdd
	if size == 8 {
		how = kernel.CombineInt64 + kernel.CombineAdd
	}
	total, wide := a.Scratch[:8*blockLen], a.Scratch[8*blockLen:]
	row := s.inner * size
	for o := range s.outer {
		for i := 0; i < s.inner; i += blockLen {
			m := min(blockLen, s.inner-i)
			clear(total)
			at := (o*s.n*s.inner + i) * size
			for range s.n {
				if s.t == ir.Float32 { // summed in float64
					kernel.Convert(&wide[0], &x[at], m, kernel.ConvertDouble)
					kernel.CombinePairs(&total[0], &total[0], &wide[0], m, kernel.CombineFloat64+kernel.CombineAdd)
					kernel.Convert(&y[at], &total[0], m, kernel.ConvertSingle)
				} else {
					kernel.CombinePairs(&total[0], &total[0], &x[at], m, how)
					copy(y[at:][:m*size], total)
				}
				at += row
			}
		}
	}
}

func firstLen(n *ir.Node, _ func(i int) int) int { return constLen(n, 0) }
