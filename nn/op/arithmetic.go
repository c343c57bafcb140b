package op

import (
	"math"

	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

// Arithmetic of two operands, or of any number, with broadcasting.

func init() { Register(arithmeticRows) }

var arithmeticRows = []Row{{
	Name: "Mod", Since: 10, Changes: []int{13},
	In:    twoNumbers,
	Out:   pairOut,
	Attrs: []Attr{{Name: "fmod", Kind: ir.AttrInt}},
	Rank:  widestRank,
	Plan:  planMod,
}, {
	Name: "Pow", Since: 1, Changes: []int{7, 12, 13, 15},
	In:   []In{{Name: "X", Types: floatTypes | indexTypes, Var: 'T'}, {Name: "Y", Types: numberTypes}},
	Out:  []Out{{Name: "Z", Var: 'T'}},
	Rank: widestRank,
	Plan: planPow,
},
	{Name: "Add", Since: 1, Changes: []int{6, 7, 13, 14}, In: twoNumbers, Out: pairOut, Rank: widestRank, Plan: planArithmetic},
	{Name: "Sub", Since: 1, Changes: []int{6, 7, 13, 14}, In: twoNumbers, Out: pairOut, Rank: widestRank, Plan: planArithmetic},
	{Name: "Mul", Since: 1, Changes: []int{6, 7, 13, 14}, In: twoNumbers, Out: pairOut, Rank: widestRank, Plan: planArithmetic},
	{Name: "Div", Since: 1, Changes: []int{6, 7, 13, 14}, In: twoNumbers, Out: pairOut, Rank: widestRank, Plan: planArithmetic},
	{Name: "Max", Since: 1, Changes: []int{6, 8, 12, 13}, In: manyNumbers, Out: []Out{{Name: "max", Var: 'T'}}, Rank: widestRank, Plan: planVariadic},
	{Name: "Min", Since: 1, Changes: []int{6, 8, 12, 13}, In: manyNumbers, Out: []Out{{Name: "min", Var: 'T'}}, Rank: widestRank, Plan: planVariadic},
	{Name: "Sum", Since: 1, Changes: []int{6, 8, 13}, In: manyFloats, Out: []Out{{Name: "sum", Var: 'T'}}, Rank: widestRank, Plan: planVariadic},
	{Name: "Mean", Since: 1, Changes: []int{6, 8, 13}, In: manyFloats, Out: []Out{{Name: "mean", Var: 'T'}}, Rank: widestRank, Plan: planVariadic},
}

// Operands of one type: two, or any number of them.
var (
	twoNumbers  = []In{{Name: "A", Types: numberTypes, Var: 'T'}, {Name: "B", Types: numberTypes, Var: 'T'}}
	pairOut     = []Out{{Name: "C", Var: 'T'}}
	manyNumbers = []In{{Name: "data_0", Types: numberTypes, Var: 'T', Many: true}}
	manyFloats  = []In{{Name: "data_0", Types: floatTypes, Var: 'T', Many: true}}
)

// floatKernel is nn's kernel of an operator, nil for none.
func floatKernel(op string) rowKernel[float32] {
	switch op {
	case "Add", "Sum", "Mean":
		return compute.Add
	case "Sub":
		return compute.Sub
	case "Mul":
		return compute.Mul
	case "Div":
		return compute.Div
	case "Max":
		return compute.Max
	case "Min":
		return compute.Min
	}
	return nil
}

// planMod: the result has the divisor's sign, or with fmod the dividend's.
func planMod(c *Call) error {
	if c.Int("fmod") != 0 {
		return planPairs(c, "Remainder")
	}
	if t := c.In(0).Type; floatTypes.Has(t) {
		return c.Fail("fmod=0 is for integers, the inputs are ", t.String())
	}
	return planPairs(c, "Modulo")
}

func planArithmetic(c *Call) error { return planPairs(c, c.Node.Op) }

// planPairs is for the operators that floatPair and intPair know.
func planPairs(c *Call, op string) error {
	t := c.In(0).Type
	out, err := broadcastDims(c, 0, 1)
	if err != nil {
		return err
	}
	c.Out(0, t, out...)
	inPlaceLike(c, t, out, 0, 1)
	if f := floatKernel(op); f != nil && t == ir.Float32 {
		stepFloats(c, out, f)
		return nil
	}
	how := combination(op)
	switch {
	case t == ir.Float32:
		stepBlocks(c, out, t, 2, remainderBlock)
	case t == ir.Float64 && how >= 0:
		stepBlocks(c, out, t, 2, combineBlock).how = kernel.CombineFloat64 + how
	case t == ir.Float64:
		stepPairs(c, out, t, floatPair(op))
	case t == ir.Uint64 && (how < 0 || how > kernel.CombineMul):
		stepPairs(c, out, t, intPair(op, true))
	case t == ir.Int32 && how >= 0 && how < kernel.CombineDiv:
		stepBlocks(c, out, t, 2, combineBlock).how = kernel.CombineInt32 + how
	case how >= 0 && how < kernel.CombineDiv:
		s := stepBlocks(c, out, t, 2, combineBlock)
		widen[int64](c, s, t)
		s.how = kernel.CombineInt64 + how
	default:
		s := stepBlocks(c, out, t, 2, divideBlock)
		switch op {
		case "Div":
			s.how = kernel.DivideQuotient
		case "Modulo":
			s.how = kernel.DivideModulo
		default:
			s.how = kernel.DivideRemainder
		}
		if t != ir.Int32 {
			s.how += kernel.DivideInt64
			widen[int64](c, s, t)
		}
	}
	return nil
}

// combination is what kernel.CombinePairs calls an operator, −1 where it has none.
func combination(op string) int {
	switch op {
	case "Add", "Sum":
		return kernel.CombineAdd
	case "Sub":
		return kernel.CombineSub
	case "Mul":
		return kernel.CombineMul
	case "Max":
		return kernel.CombineMax
	case "Min":
		return kernel.CombineMin
	case "Div":
		return kernel.CombineDiv
	}
	return -1
}

func divideBlock(s *blockwise, _ *Args, y, x0, x1, _ []byte, n int) {
	kernel.DividePairs(&y[0], &x0[0], &x1[0], n, s.how)
}

func remainderBlock(_ *blockwise, _ *Args, y, x0, x1, _ []byte, n int) {
	compute.FloatRemainder(slab.View[float32](y), slab.View[float32](x0[:4*n]), slab.View[float32](x1[:4*n]))
}

// floatPair is the function behind an operator.
func floatPair(op string) func(a, b float64) float64 {
	switch op {
	case "Add", "Sum", "Mean":
		return func(a, b float64) float64 { return a + b }
	case "Sub":
		return func(a, b float64) float64 { return a - b }
	case "Mul":
		return func(a, b float64) float64 { return a * b }
	case "Div":
		return func(a, b float64) float64 { return a / b }
	case "Max":
		return func(a, b float64) float64 { return max(a, b) }
	case "Min":
		return func(a, b float64) float64 { return min(a, b) }
	}
	return math.Mod
}

// intPair is the function behind an operator on integers, of those that planPairs or folds
// have. Sums and products are the same for signed and unsigned numbers; the rest matters for
// uint64 alone, as the others are widened. A division by zero, which ONNX leaves undefined,
// gives 0.
func intPair(op string, unsigned bool) func(a, b int64) int64 {
	switch op {
	case "Add":
		return func(a, b int64) int64 { return a + b }
	case "Mul":
		return func(a, b int64) int64 { return a * b }
	case "Max":
		if unsigned {
			return func(a, b int64) int64 { return int64(max(uint64(a), uint64(b))) }
		}
		return func(a, b int64) int64 { return max(a, b) }
	case "Min":
		if unsigned {
			return func(a, b int64) int64 { return int64(min(uint64(a), uint64(b))) }
		}
		return func(a, b int64) int64 { return min(a, b) }
	case "Div":
		return func(a, b int64) int64 {
			if b == 0 {
				return 0
			}
			return int64(uint64(a) / uint64(b))
		}
	}
	return func(a, b int64) int64 {
		if b == 0 {
			return 0
		}
		return int64(uint64(a) % uint64(b))
	}
}

// planVariadic folds any number of operands from the left into the output.
func planVariadic(c *Call) error {
	n, op := c.NumIn(), c.Node.Op
	if n == 1 {
		return view(c, c.In(0).Dims)
	}
	inputs := c.Dims(n)
	for i := range inputs {
		inputs[i] = i
	}
	out, err := broadcastDims(c, inputs...)
	if err != nil {
		return err
	}
	t := c.In(0).Type
	c.Out(0, t, out...)
	if n == 2 { // else the output is written while inputs 2 and on are still to be read
		inPlaceLike(c, t, out, 0, 1)
	}
	switch {
	case ir.Elements(out) == 0:
		c.Step = nothing{}
	case n == 2 && op != "Mean" && t != ir.Float32:
		return planPairs(c, op)
	case t == ir.Float32 && n == 2 && op != "Mean":
		stepFloats(c, out, floatKernel(op))
	case t == ir.Float32:
		s := Into[floatFold](c)
		s.walks, s.f = foldWalks(c, out, s.walks), floatKernel(op)
		s.count, s.mean = [1]float32{float32(n)}, op == "Mean"
	case t == ir.Float64:
		stepFold(c, out, floatPair(op))
	default:
		stepFold(c, out, intPair(op, t == ir.Uint64))
	}
	return nil
}

// floatFold computes f(f(In[0], In[1]), In[2]) and so on, and divides by the count for
// a mean.
type floatFold struct {
	walks []broadcast
	f     rowKernel[float32]
	count [1]float32
	mean  bool
}

func (s *floatFold) Run(a *Args) {
	y, x := a.Out[0].Float32s(), a.In[0].Float32s()
	for i := range s.walks {
		walkRows(&s.walks[i], s.f, y, x, a.In[i+1].Float32s(), 0)
		x = y
	}
	if s.mean {
		compute.Div(y, y, 0, 1, s.count[:], 0, 0, 1, len(y))
	}
}

// wideFold is floatFold of the other types.
type wideFold[T wideElem] struct {
	walks []broadcast
	wide  wide[T]
	f     func(a, b T) T
	count T
	mean  bool
}

func stepFold[T wideElem](c *Call, out []int, f func(a, b T) T) {
	s := Into[wideFold[T]](c)
	s.walks, s.f = foldWalks(c, out, s.walks), f
	s.count, s.mean = T(c.NumIn()), c.Node.Op == "Mean"
	s.wide.set(c, c.NumIn(), c.In(0).Type, ir.Elements(out))
}

func (s *wideFold[T]) Run(a *Args) {
	y, x := s.wide.out(a), s.wide.in(a, 0)
	for i := range s.walks {
		walkPairs(&s.walks[i], s.f, y, x, s.wide.in(a, i+1), 0)
		x = y
	}
	if s.mean {
		for i := range y {
			y[i] /= s.count
		}
	}
	s.wide.done(a)
}

// foldWalks gives the walks of inputs 0 and 1, then of the result so far and
// each further input, in list's memory where that is enough.
func foldWalks(c *Call, out []int, list []broadcast) []broadcast {
	for len(list) < c.NumIn()-1 {
		list = append(list, broadcast{})
	}
	list = list[:c.NumIn()-1]
	list[0].set(out, c.In(0).Dims, c.In(1).Dims)
	for i := 1; i < len(list); i++ {
		list[i].set(out, out, c.In(i+1).Dims)
	}
	return list
}

// planPow: y = x^e. The result has x's type, whatever the exponent's is.
func planPow(c *Call) error {
	x, e := c.In(0), c.In(1)
	out, err := broadcastDims(c, 0, 1)
	if err != nil {
		return err
	}
	c.Out(0, x.Type, out...)
	inPlaceLike(c, x.Type, out, 0)
	if x.Type == ir.Float32 && e.Type == ir.Float32 {
		stepFloats(c, out, compute.Pow)
		if s, ok := c.Step.(*floatPairs); ok {
			s.time = 0 // not kernels alone
		}
	} else {
		stepPairs(c, out, x.Type, math.Pow)
	}
	return nil
}
