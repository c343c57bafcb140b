package op

import (
	"math"

	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

// Comparisons, logic and selection. A bool is a byte; any but 0 is true.

func init() { Register(compareRows) }

var compareRows = []Row{{
	Name: "Not", Since: 1,
	In:   []In{{Name: "X", Types: boolOnly}},
	Out:  []Out{{Name: "Y", Type: ir.Bool}},
	Rank: sameRank,
	Plan: planNot,
}, {
	Name: "Where", Since: 9, Changes: []int{16}, Lifts: liftedTypes,
	In: []In{{Name: "condition", Types: boolOnly}, {Name: "X", Types: movedTypes, Var: 'T'},
		{Name: "Y", Types: movedTypes, Var: 'T'}},
	Out:  []Out{{Name: "output", Var: 'T'}},
	Rank: widestRank,
	Plan: planWhere,
}, {
	Name: "IsNaN", Since: 9, Changes: []int{13, 20},
	In:   []In{{Name: "X", Types: floatTypes | 1<<ir.Float16}},
	Out:  []Out{{Name: "Y", Type: ir.Bool}},
	Rank: sameRank,
	Plan: planIsNaN,
}, {
	Name: "IsInf", Since: 10, Changes: []int{20},
	In:    []In{{Name: "X", Types: floatTypes | 1<<ir.Float16}},
	Out:   []Out{{Name: "Y", Type: ir.Bool}},
	Attrs: []Attr{{Name: "detect_negative", Kind: ir.AttrInt, I: 1}, {Name: "detect_positive", Kind: ir.AttrInt, I: 1}},
	Rank:  sameRank,
	Plan:  planIsInf,
},
	{Name: "Equal", Since: 1, Changes: []int{7, 11, 13, 19}, In: []In{{Name: "A", Types: numberTypes | boolOnly | 1<<ir.String, Var: 'T'}, {Name: "B", Types: numberTypes | boolOnly | 1<<ir.String, Var: 'T'}}, Out: compareOut, Rank: widestRank, Plan: planCompare},
	{Name: "Less", Since: 1, Changes: []int{7, 9, 13}, In: twoNumbers, Out: compareOut, Rank: widestRank, Plan: planCompare},
	{Name: "Greater", Since: 1, Changes: []int{7, 9, 13}, In: twoNumbers, Out: compareOut, Rank: widestRank, Plan: planCompare},
	{Name: "LessOrEqual", Since: 12, Changes: []int{16}, In: twoNumbers, Out: compareOut, Rank: widestRank, Plan: planCompare},
	{Name: "GreaterOrEqual", Since: 12, Changes: []int{16}, In: twoNumbers, Out: compareOut, Rank: widestRank, Plan: planCompare},
	{Name: "And", Since: 1, Changes: []int{7}, In: twoBools, Out: compareOut, Rank: widestRank, Plan: planCompare},
	{Name: "Or", Since: 1, Changes: []int{7}, In: twoBools, Out: compareOut, Rank: widestRank, Plan: planCompare},
	{Name: "Xor", Since: 1, Changes: []int{7}, In: twoBools, Out: compareOut, Rank: widestRank, Plan: planCompare},
}

var (
	twoBools   = []In{{Name: "A", Types: boolOnly, Var: 'T'}, {Name: "B", Types: boolOnly, Var: 'T'}}
	compareOut = []Out{{Name: "C", Type: ir.Bool}}
)

func truth[T wideElem | uint8](b bool) T {
	if b {
		return 1
	}
	return 0
}

func planCompare(c *Call) error {
	out, err := broadcastDims(c, 0, 1)
	if err != nil {
		return err
	}
	c.Out(0, ir.Bool, out...)
	f, how, bools := compareBlock, kernel.CompareEqual, kernel.CompareSame
	switch c.Node.Op {
	case "Less":
		how = kernel.CompareLess
	case "Greater":
		f, how = compareBack, kernel.CompareLess
	case "LessOrEqual":
		how = kernel.CompareAtMost
	case "GreaterOrEqual":
		f, how = compareBack, kernel.CompareAtMost
	case "And":
		bools = kernel.CompareAnd
	case "Or":
		bools = kernel.CompareOr
	case "Xor":
		bools = kernel.CompareXor
	}
	t := c.In(0).Type
	if t == ir.String {
		s := Into[sameStrings](c)
		s.walk.set(out, c.In(0).Dims, c.In(1).Dims)
		s.f = func(i, j int64) int64 { return truth[int64](s.a[i] == s.b[j]) }
		s.n = [3]int{c.In(0).Len(), c.In(1).Len(), ir.Elements(out)}
		c.Scratch(8 * (s.n[0] + s.n[1] + s.n[2]))
		return nil
	}
	s := stepBlocks(c, out, ir.Bool, 2, f)
	switch s.how = how; {
	case t == ir.Bool:
		s.how = bools
	case t.Size() == 1 && how == kernel.CompareEqual:
		s.how = kernel.CompareBytes
	case t == ir.Float32:
	case t == ir.Float64:
		s.how += kernel.CompareFloat64
	case t == ir.Int32:
		s.how += kernel.CompareInt32
	default:
		s.how += kernel.CompareInt64
		if t == ir.Int64 || t == ir.Uint64 && how == kernel.CompareEqual {
			break
		}
		w := widen[int64](c, s, ir.Int64)
		if t == ir.Uint64 {
			w.load = [2]func(dst []int64, src []byte){loadFlipped, loadFlipped}
		}
	}
	return nil
}

func loadFlipped(dst []int64, src []byte) {
	for i, v := range slab.View[int64](src) {
		dst[i] = v ^ math.MinInt64
	}
}

// sameStrings compares strings, whose places it walks over.
type sameStrings struct {
	walk broadcast
	n    [3]int // of both operands and the result
	a, b []string
	f    func(i, j int64) int64
}

func (s *sameStrings) Run(a *Args) {
	i, j, y := slab.View[int64](a.Scratch)[:s.n[0]], slab.View[int64](a.Scratch)[s.n[0]:][:s.n[1]], slab.View[int64](a.Scratch)[s.n[0]+s.n[1]:][:s.n[2]]
	for k := range i {
		i[k] = int64(k)
	}
	for k := range j {
		j[k] = int64(k)
	}
	s.a, s.b = a.In[0].Strings, a.In[1].Strings
	if len(y) > 0 {
		walkPairs(&s.walk, s.f, y, i, j, 0)
	}
	s.a, s.b = nil, nil
	for k, v := range y {
		a.Out[0].Data[k] = byte(v)
	}
}

func planNot(c *Call) error {
	stepBlocks(c, sameOut(c).Dims, ir.Bool, 1, withZeros).how = kernel.CompareSame
	return nil
}

func planWhere(c *Call) error {
	out, err := broadcastDims(c, 0, 1, 2)
	if err != nil {
		return err
	}
	t := c.In(1).Type
	c.Out(0, t, out...)
	inPlaceLike(c, t, out, 1, 2)
	stepBlocks(c, out, t, 3, chooseBlock)
	return nil
}

func isNaN(v float64) bool { return v != v }

func planIsNaN(c *Call) error {
	if in := c.In(0); in.Type == ir.Float32 {
		c.Out(0, ir.Bool, in.Dims...)
		stepBlocks(c, in.Dims, ir.Bool, 1, nanBlock)
		return nil
	}
	return planTest(c, isNaN)
}

// nanBlock tells what is not equal to itself.
func nanBlock(_ *blockwise, _ *Args, y, x0, _, _ []byte, n int) {
	kernel.ComparePairs(&y[0], &x0[0], &x0[0], n, kernel.CompareFloat32+kernel.CompareEqual)
	kernel.ComparePairs(&y[0], &y[0], &blockOfZeros[0], n, kernel.CompareSame)
}

func planIsInf(c *Call) error {
	neg, pos := c.Int("detect_negative") != 0, c.Int("detect_positive") != 0
	if in := c.In(0); in.Type == ir.Float32 {
		c.Out(0, ir.Bool, in.Dims...)
		*Into[infinities](c) = infinities{neg, pos}
		return nil
	}
	switch {
	case neg && pos:
		return planTest(c, func(v float64) bool { return math.Abs(v) > math.MaxFloat64 })
	case neg:
		return planTest(c, func(v float64) bool { return v < -math.MaxFloat64 })
	case pos:
		return planTest(c, func(v float64) bool { return v > math.MaxFloat64 })
	}
	return planTest(c, func(float64) bool { return false })
}

// infinities finds infinite numbers of float32, of which there are hardly any.
type infinities struct{ neg, pos bool }

func (s *infinities) Run(a *Args) {
	y, x := a.Out[0].Data, a.In[0].Float32s()
	clear(y)
	for len(x) > 0 {
		n := min(blockLen, len(x))
		if kernel.FindBeyond(&x[0], n, math.MaxFloat32, kernel.FindAbove) < n || kernel.FindBeyond(&x[0], n, -math.MaxFloat32, kernel.FindBelow) < n {
			for i, v := range x[:n] {
				y[i] = truth[uint8](v > math.MaxFloat32 && s.pos || v < -math.MaxFloat32 && s.neg)
			}
		}
		x, y = x[n:], y[n:]
	}
}

func planTest(c *Call, f func(v float64) bool) error {
	in := c.In(0)
	c.Out(0, ir.Bool, in.Dims...)
	s := Into[test](c)
	s.load, s.size, s.f = loadFloats(in.Type), in.Type.Size(), f
	c.Scratch(8 * blockLen)
	return nil
}

// test gives 1 where f holds.
type test struct {
	load func(dst []float64, src []byte)
	size int
	f    func(v float64) bool
}

func (s *test) Run(a *Args) {
	y, src, v := a.Out[0].Data, a.In[0].Data, slab.View[float64](a.Scratch[:8*blockLen])
	for len(y) > 0 {
		v = v[:min(blockLen, len(y))]
		s.load(v, src[:len(v)*s.size])
		for i, e := range v {
			if y[i] = 0; s.f(e) {
				y[i] = 1
			}
		}
		y, src = y[len(v):], src[len(v)*s.size:]
	}
}
