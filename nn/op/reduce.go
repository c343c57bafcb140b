package op

import (
	"math"

	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

func init() {
	list := make([]Row, len(reductionList))
	for i := range reductionList {
		r := &reductionList[i]
		attrs := axesAttrs18
		if r.moved == 13 {
			attrs = axesAttrs13
		}
		list[i] = Row{
			Name: r.name, Since: 1, Changes: r.changes, In: r.in, Out: reducedOut, Attrs: attrs, Rank: reducedRank,
			Plan: func(c *Call) error { return planReduce(c, r.kind, r.moved) },
		}
	}
	Register(list)
}

// reductionList are the reductions, and from which opset version on their axes are an
// input.
var reductionList = [...]struct {
	name    string
	kind    compute.Reduce
	in      []In
	changes []int
	moved   int
}{
	{"ReduceSum", compute.ReduceSum, sumIn13, []int{11, 13}, 13},
	{"ReduceMean", compute.ReduceMean, sumIn, sumChanges, 18},
	{"ReduceMax", compute.ReduceMax, extremeIn, extremeChanges, 18},
	{"ReduceMin", compute.ReduceMin, extremeIn, extremeChanges, 18},
	{"ReduceSumSquare", compute.ReduceSumSquare, sumIn, sumChanges, 18},
	{"ReduceL1", compute.ReduceL1, sumIn, sumChanges, 18},
	{"ReduceL2", compute.ReduceL2, sumIn, sumChanges, 18},
	{"ReduceLogSum", compute.ReduceLogSum, sumIn, sumChanges, 18},
	{"ReduceLogSumExp", compute.ReduceLogSumExp, sumIn, sumChanges, 18},
	{"ReduceProd", compute.ReduceProd, sumIn, sumChanges, 18},
}

// extremeTypes are the types of maxima and minima.
const extremeTypes = sumTypes | boolOnly | 1<<ir.Int8 | 1<<ir.Int16 | 1<<ir.Uint8 | 1<<ir.Uint16

var (
	sumIn          = []In{{Name: "data", Types: sumTypes, Var: 'T'}, {Name: "axes", Types: intTypes, Opt: true, Since: 18}}
	sumIn13        = []In{{Name: "data", Types: sumTypes, Var: 'T'}, {Name: "axes", Types: intTypes, Opt: true, Since: 13}}
	extremeIn      = []In{{Name: "data", Types: extremeTypes, Var: 'T'}, {Name: "axes", Types: intTypes, Opt: true, Since: 18}}
	sumChanges     = []int{11, 13, 18}
	extremeChanges = []int{11, 12, 13, 18, 20}
	reducedOut     = []Out{{Name: "reduced", Var: 'T'}}
	axesAttrs13    = []Attr{{Name: "axes", Kind: ir.AttrInts, Till: 12}, keepDims, {Name: "noop_with_empty_axes", Kind: ir.AttrInt, Since: 13}}
	axesAttrs18    = []Attr{{Name: "axes", Kind: ir.AttrInts, Till: 17}, keepDims, {Name: "noop_with_empty_axes", Kind: ir.AttrInt, Since: 18}}
	keepDims       = Attr{Name: "keepdims", Kind: ir.AttrInt, I: 1}
)

// sumTypes are the types that sums are implemented of.
const sumTypes = floatTypes | 1<<ir.Int32 | 1<<ir.Int64 | 1<<ir.Uint32

// reducedRank is known where the reduced dimensions stay as 1.
func reducedRank(n *ir.Node, rank func(i int) int) int {
	if n.Int("keepdims", 1) != 1 {
		return -1
	}
	return rank(0)
}

// reducedAxes reads axes (an attribute up to opset moved-1, an input after that): it
// gives a mask of the dimensions that stay, and those of the output. identity says
// that there is nothing to reduce.
func reducedAxes(c *Call, moved int) (kept []bool, out []int, identity bool, err error) {
	axes, _, err := listArg(c, "axes", 1, moved)
	if err != nil {
		return nil, nil, false, err
	}
	dims := c.In(0).Dims
	mask, err := axesOf(c, axes, len(dims))
	if err != nil {
		return nil, nil, false, err
	}
	identity = len(axes) == 0 && c.Int("noop_with_empty_axes") == 1
	all := len(axes) == 0 && !identity
	keep := c.Int("keepdims") == 1
	out = c.Dims(len(dims))[:0]
	for i, d := range dims {
		reduced := mask[i] || all
		mask[i] = !reduced
		switch {
		case !reduced:
			out = append(out, d)
		case keep:
			out = append(out, 1)
		}
	}
	return mask, out, identity, nil
}

func planReduce(c *Call, kind compute.Reduce, moved int) error {
	kept, out, identity, err := reducedAxes(c, moved)
	if err != nil {
		return err
	}
	in := c.In(0)
	c.Out(0, in.Type, out...)
	if identity && (kind == compute.ReduceSum || kind == compute.ReduceMean || kind == compute.ReduceMax || kind == compute.ReduceMin || kind == compute.ReduceProd) {
		c.Alias(0, 0)
		return nil
	}
	if ir.Elements(out) == 0 {
		c.Step = nothing{}
		return nil
	}
	if in.Len() == 0 && (kind == compute.ReduceMax || kind == compute.ReduceMin || kind == compute.ReduceMean) && !floatTypes.Has(in.Type) {
		return c.fail("there is no element to reduce in @", in.Dims)
	}
	switch in.Type {
	case ir.Float32:
		s := Into[floatReduction](c)
		s.kind = kind
		s.set(c, in.Dims, kept, 4, false)
		if s.gathers {
			c.Scratch(4 * s.rows * s.n)
		}
	case ir.Float64:
		stepReduction[float64](c, kept, kind)
	default:
		stepReduction[int64](c, kept, kind)
	}
	return nil
}

// grouping is how the reduced elements lie: [rows, n, inner], of which n are
// one result's, or scattered, and then gathered to rows of n first.
type grouping struct {
	rows, n, inner int
	gathers        bool
	gather         strided
}

// set finds a grouping of elements of the given size. Gathered ones have
// inner = 1, as have all where flat is set.
func (g *grouping) set(c *Call, dims []int, kept []bool, size int, flat bool) {
	g.gathers = false
	// Neighbours of one kind count as one dimension, so that kept and reduced ones
	// alternate; those of 1 join either.
	sizes := c.Dims(len(dims))[:0]
	first, last := false, false // whether the first and the last of sizes are kept
	at, count := 0, 0
	for i, d := range dims {
		switch {
		case d == 1:
		case len(sizes) > 0 && kept[i] == last:
			sizes[len(sizes)-1] *= d
		default:
			if len(sizes) == 0 {
				first = kept[i]
			}
			if last = kept[i]; !last {
				at, count = len(sizes), count+1
			}
			sizes = append(sizes, d)
		}
	}
	if count == 0 { // one element each
		g.rows, g.n, g.inner = ir.Elements(dims), 1, 1
		return
	}
	g.rows, g.n, g.inner = ir.Elements(sizes[:at]), sizes[at], ir.Elements(sizes[at+1:])
	if count == 1 && (g.inner == 1 || !flat) {
		return
	}
	strides := rowMajor(c, sizes)
	walk, src := c.Dims(len(sizes))[:0], c.Dims(len(sizes))[:0]
	g.rows, g.n, g.inner, g.gathers = 1, 1, 1, true
	for _, want := range []bool{true, false} {
		for i, n := range sizes {
			if keeps := first == (i%2 == 0); keeps != want {
				continue
			}
			walk, src = append(walk, n), append(src, strides[i])
			if want {
				g.rows *= n
			} else {
				g.n *= n
			}
		}
	}
	g.gather.set(size, walk, src, rowMajor(c, walk))
}

// floatReduction reduces float32.
type floatReduction struct {
	grouping
	kind compute.Reduce
}

// Rows: what is gathered is in the scratch memory all at once.
func (s *floatReduction) Rows() int {
	if s.gathers {
		return 1
	}
	return s.rows
}

func (s *floatReduction) Run(a *Args) { s.RunRows(a, 0, s.Rows()) }

func (s *floatReduction) RunRows(a *Args, from, to int) {
	y, x := a.Out[0].Float32s(), a.In[0].Float32s()
	switch {
	case from == to:
	case s.gathers:
		s.gather.run(a.Scratch, a.In[0].Data)
		s.kind.Run(y, slab.View[float32](a.Scratch[:4*s.rows*s.n]), s.rows, s.n, 1)
	default:
		s.kind.Run(y[from*s.inner:to*s.inner], x[from*s.n*s.inner:to*s.n*s.inner], to-from, s.n, s.inner)
	}
}

// wideReduction is for the types that nn has no reductions of.
type wideReduction[T wideElem] struct {
	grouping
	wide wide[T]
	kind compute.Reduce
	at   int // bytes of scratch memory before what is gathered
}

// stepReduction uses the kernels for what they combine, and int32 and int64 as they are.
func stepReduction[T wideElem](c *Call, kept []bool, kind compute.Reduce) {
	if how := combined(kind); how >= 0 && (c.In(0).Type == ir.Int32 || c.In(0).Type == ir.Int64) && c.In(0).Len() > 0 {
		s := Into[intReduction](c)
		s.size = c.In(0).Type.Size()
		if s.how = kernel.CombineInt32 + how; s.size == 8 {
			s.how = kernel.CombineInt64 + how
		}
		s.set(c, c.In(0).Dims, kept, s.size, false)
		s.at = 0
		if s.gathers {
			s.at = s.size * s.rows * s.n
		}
		c.Scratch(s.at + 8*s.n)
		return
	}
	s := Into[wideReduction[T]](c)
	s.kind = kind
	s.grouping.set(c, c.In(0).Dims, kept, 8, true)
	s.wide.set(c, 1, c.In(0).Type, s.rows)
	s.at = c.Bytes
	if s.gathers {
		c.Scratch(s.at + 8*s.rows*s.n)
	}
}

// combined is what kernel.CombinePairs calls the function that a reduction repeats, −1 where
// there is none.
func combined(kind compute.Reduce) int {
	switch kind {
	case compute.ReduceSum:
		return kernel.CombineAdd
	case compute.ReduceProd:
		return kernel.CombineMul
	case compute.ReduceMax:
		return kernel.CombineMax
	case compute.ReduceMin:
		return kernel.CombineMin
	}
	return -1
}

// intReduction reduces integers, which may be combined in any order.
type intReduction struct {
	grouping
	size, how int
	at        int // of scratch memory, after what is gathered: for half a row
}

func (s *intReduction) Run(a *Args) {
	x, y, size := a.In[0].Data, a.Out[0].Data, s.size
	if s.gathers {
		s.gather.run(a.Scratch, x)
		x = a.Scratch[:s.at]
	}
	if s.inner > 1 {
		for r := range s.rows {
			out, in := y[r*s.inner*size:][:s.inner*size], x[r*s.n*s.inner*size:][:s.n*s.inner*size]
			copy(out, in)
			for j := 1; j < s.n; j++ {
				kernel.CombinePairs(&out[0], &out[0], &in[j*len(out)], s.inner, s.how)
			}
		}
		return
	}
	t := a.Scratch[s.at:][:s.n*size]
	for r := range s.rows {
		copy(y[r*size:][:size], halved(t, x[r*s.n*size:][:s.n*size], s.n, size, s.how))
	}
}

// halved combines n integers of so many bytes to one; t has room for half of them.
func halved(t, in []byte, n, size, how int) []byte {
	for n > 1 { // halves onto each other; the middle one of an odd number waits
		half := n / 2
		kernel.CombinePairs(&t[0], &in[0], &in[(n-half)*size], half, how)
		if n%2 != 0 {
			copy(t[half*size:][:size], in[half*size:])
		}
		in, n = t, n-half
	}
	return in
}

func (s *wideReduction[T]) Run(a *Args) {
	x, y := s.wide.in(a, 0), s.wide.out(a)
	if s.gathers {
		s.gather.run(a.Scratch[s.at:], slab.Bytes(x))
		x = slab.View[T](a.Scratch[s.at:][:8*s.rows*s.n])
	}
	for r := range y {
		y[r] = reduceRow(x[r*s.n:][:s.n], s.kind)
	}
	s.wide.done(a)
}

func reduceRow[T wideElem](x []T, kind compute.Reduce) T {
	var acc T
	switch kind {
	case compute.ReduceProd:
		acc = 1
	case compute.ReduceMax:
		acc = T(math.Inf(-1)) // of floats; integers have an element
	case compute.ReduceMin:
		acc = T(math.Inf(1))
	}
	wide, top := 0.0, math.Inf(-1)
	if kind == compute.ReduceLogSumExp {
		for _, v := range x {
			top = max(top, float64(v))
		}
		if math.IsInf(top, 0) {
			return T(top)
		}
	}
	for k, v := range x {
		switch kind {
		case compute.ReduceMax:
			if acc = max(acc, v); k == 0 {
				acc = v
			}
		case compute.ReduceMin:
			if acc = min(acc, v); k == 0 {
				acc = v
			}
		case compute.ReduceProd:
			acc *= v
		case compute.ReduceSumSquare:
			acc += T(v * v)
		case compute.ReduceL1:
			if v < 0 {
				v = -v
			}
			acc += v
		case compute.ReduceL2:
			wide += float64(float64(v) * float64(v))
		case compute.ReduceLogSumExp:
			wide += math.Exp(float64(v) - top)
		default:
			acc += v
		}
	}
	n := T(len(x))
	switch kind {
	case compute.ReduceMean:
		return acc / n // 0/0 of floats is NaN; integers have an element
	case compute.ReduceL2:
		return T(math.Sqrt(wide))
	case compute.ReduceLogSum:
		return T(math.Log(float64(acc)))
	case compute.ReduceLogSumExp:
		return T(top + math.Log(wide))
	}
	return acc
}

// offsetOf turns a row-major index over dims into an offset by steps.
func offsetOf(index int, dims, steps []int) int {
	off := 0
	for i := len(dims) - 1; i >= 0; i-- {
		off += index % dims[i] * steps[i]
		index /= dims[i]
	}
	return off
}
