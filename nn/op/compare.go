package op

import (
	"math"

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

// comparison is the function behind an operator whose result is a bool: one that gives 1
// where it holds, for each type that its operands are widened to.
type comparison struct {
	op       string
	floats   func(a, b float64) float64
	ints     func(a, b int64) int64
	unsigned func(a, b int64) int64 // of uint64, whose bits a and b are
	bools    func(a, b int64) int64
}

var comparisons = [...]comparison{
	{"Equal", equal[float64], equal[int64], equal[int64], equalBools},
	{"Less", less[float64], less[int64], func(a, b int64) int64 { return less(flip(a), flip(b)) }, nil},
	{"Greater", func(a, b float64) float64 { return less(b, a) },
		func(a, b int64) int64 { return less(b, a) }, func(a, b int64) int64 { return less(flip(b), flip(a)) }, nil},
	{"LessOrEqual", atMost[float64], atMost[int64],
		func(a, b int64) int64 { return atMost(flip(a), flip(b)) }, nil},
	{"GreaterOrEqual", func(a, b float64) float64 { return atMost(b, a) },
		func(a, b int64) int64 { return atMost(b, a) }, func(a, b int64) int64 { return atMost(flip(b), flip(a)) }, nil},
	{"And", nil, nil, nil, func(a, b int64) int64 { return truth[int64](a != 0 && b != 0) }},
	{"Or", nil, nil, nil, func(a, b int64) int64 { return truth[int64](a != 0 || b != 0) }},
	{"Xor", nil, nil, nil, func(a, b int64) int64 { return 1 - equalBools(a, b) }},
}

func truth[T wideElem | uint8](b bool) T {
	if b {
		return 1
	}
	return 0
}

func equal[T wideElem](a, b T) T  { return truth[T](a == b) }
func less[T wideElem](a, b T) T   { return truth[T](a < b) }
func atMost[T wideElem](a, b T) T { return truth[T](a <= b) }

func equalBools(a, b int64) int64 { return truth[int64]((a != 0) == (b != 0)) }

// flip gives unsigned numbers the order of signed ones.
func flip(v int64) int64 { return v ^ math.MinInt64 }

func planCompare(c *Call) error {
	f := &comparisons[0]
	for i := range comparisons {
		if comparisons[i].op == c.Node.Op {
			f = &comparisons[i]
		}
	}
	out, err := broadcastDims(c, 0, 1)
	if err != nil {
		return err
	}
	c.Out(0, ir.Bool, out...)
	switch t := c.In(0).Type; {
	case t == ir.String:
		s := Into[sameStrings](c)
		s.walk.set(out, c.In(0).Dims, c.In(1).Dims)
		s.f = func(i, j int64) int64 { return truth[int64](s.a[i] == s.b[j]) }
		s.n = [3]int{c.In(0).Len(), c.In(1).Len(), ir.Elements(out)}
		c.Scratch(8 * (s.n[0] + s.n[1] + s.n[2]))
	case t == ir.Bool:
		stepPairs(c, out, ir.Bool, f.bools)
	case t == ir.Uint64:
		stepPairs(c, out, ir.Bool, f.unsigned)
	case floatTypes.Has(t):
		stepPairs(c, out, ir.Bool, f.floats)
	default:
		stepPairs(c, out, ir.Bool, f.ints)
	}
	return nil
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
	sameOut(c)
	c.Step = not{}
	return nil
}

type not struct{}

func (not) Run(a *Args) {
	y := a.Out[0].Data
	for i, v := range a.In[0].Data {
		y[i] = truth[uint8](v == 0)
	}
}

func planWhere(c *Call) error {
	out, err := broadcastDims(c, 0, 1, 2)
	if err != nil {
		return err
	}
	t := c.In(1).Type
	c.Out(0, t, out...)
	if ir.Elements(out) == 0 {
		c.Step = nothing{}
		return nil
	}
	inPlaceLike(c, t, out, 1, 2)
	s := Into[where](c)
	s.size = t.Size()
	s.walk.set(out, c.In(0).Dims, c.In(1).Dims, c.In(2).Dims)
	return nil
}

// where chooses elements of size bytes of input 1 or 2.
type where struct {
	walk broadcast
	size int
}

func (s *where) Rows() int { return s.walk.rows() }

func (s *where) Run(a *Args) { s.RunRows(a, 0, s.Rows()) }

func (s *where) RunRows(args *Args, from, to int) {
	w, y, cond, a, b := &s.walk, args.Out[0].Data, args.In[0].Data, args.In[1].Data, args.In[2].Data
	if w.flat() {
		lo, hi := chunk(w.dims[1], from, to)
		cs, as, bs := w.steps[0][1], w.steps[1][1], w.steps[2][1]
		s.row(y[lo*s.size:], cond[lo*cs:], a[lo*as*s.size:], b[lo*bs*s.size:], hi-lo, cs, as, bs)
		return
	}
	size := ir.Elements(w.dims[1:]) * s.size
	cs, as, bs := w.steps[0][0], w.steps[1][0]*s.size, w.steps[2][0]*s.size
	for i := from; i < to; i++ {
		s.rows(y[i*size:], cond[i*cs:], a[i*as:], b[i*bs:], 1)
	}
}

// rows returns how many bytes of y it wrote.
func (s *where) rows(y, cond, a, b []byte, level int) int {
	w := &s.walk
	n, cs, as, bs := w.dims[level], w.steps[0][level], w.steps[1][level], w.steps[2][level]
	if level == len(w.dims)-1 {
		s.row(y, cond, a, b, n, cs, as, bs)
		return n * s.size
	}
	done := 0
	for i := range n {
		done += s.rows(y[done:], cond[i*cs:], a[i*as*s.size:], b[i*bs*s.size:], level+1)
	}
	return done
}

// row chooses n elements. The steps are in elements.
func (s *where) row(y, cond, a, b []byte, n, cs, as, bs int) {
	size := s.size
	if size == 4 {
		chooseWords(slab.View[uint32](y[:4*n]), cond, slab.View[uint32](a), slab.View[uint32](b), cs, as, bs)
		return
	}
	for k := range n {
		if cond[k*cs] != 0 {
			copy(y[k*size:(k+1)*size], a[k*as*size:])
		} else {
			copy(y[k*size:(k+1)*size], b[k*bs*size:])
		}
	}
}

func chooseWords(y []uint32, cond []byte, a, b []uint32, cs, as, bs int) {
	p, i, j := 0, 0, 0
	for k := range y {
		if cond[p] != 0 {
			y[k] = a[i]
		} else {
			y[k] = b[j]
		}
		p, i, j = p+cs, i+as, j+bs
	}
}

func isNaN(v float64) bool { return v != v }

func planIsNaN(c *Call) error { return planTest(c, isNaN) }

func planIsInf(c *Call) error {
	neg, pos := c.Int("detect_negative") != 0, c.Int("detect_positive") != 0
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

func planTest(c *Call, f func(v float64) bool) error {
	in := c.In(0)
	c.Out(0, ir.Bool, in.Dims...)
	s := Into[test](c)
	s.load, s.size, s.f = loadFloats(in.Type), in.Type.Size(), f
	c.Scratch(8)
	return nil
}

// test gives 1 where f holds.
type test struct {
	load func(dst []float64, src []byte)
	size int
	f    func(v float64) bool
}

func (s *test) Run(a *Args) {
	y, src, v := a.Out[0].Data, a.In[0].Data, slab.View[float64](a.Scratch[:8])
	for i := range y {
		s.load(v, src[i*s.size:(i+1)*s.size])
		y[i] = truth[uint8](s.f(v[0]))
	}
}
