package op

import (
	"math"

	"github.com/normwasm/normwasm/internal/compute"
	"github.com/normwasm/normwasm/internal/kernel"
	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn/ir"
)

// Functions of one element.

func init() {
	list := append(unaryRows, functionRows(functions)...)
	for i := range activations {
		f := &activations[i]
		list = append(list, unary(f.op, f.in, f.since, f.changes, f.attrs, func(c *Call) error { return planActivation(c, f) }))
	}
	Register(list)
}

// functionRows are the rows of functions without parameters.
func functionRows(functions []function) []Row {
	list := make([]Row, len(functions))
	for i := range functions {
		f := &functions[i]
		list[i] = unary(f.op, f.in, f.since, f.changes, nil, func(c *Call) error { return planFunction(c, f) })
	}
	return list
}

// unary is the row of a function of one operand, whose name ONNX has as X or input.
func unary(name string, in []In, since int, changes []int, attrs []Attr, plan func(c *Call) error) Row {
	out := yOut
	if in[0].Name != "X" {
		out = outputOut
	}
	return Row{Name: name, Since: since, Changes: changes, In: in, Out: out, Attrs: attrs, Rank: sameRank, Plan: plan}
}

// largest bounds what Clip gives where the node has no bound: an infinite element too,
// as ONNX has it.
const largest = math.MaxFloat32

var (
	xFloat32    = []In{{Name: "X", Types: float32Only, Var: 'T'}}
	xFloats     = []In{{Name: "X", Types: floatTypes, Var: 'T'}}
	xNumbers    = []In{{Name: "X", Types: numberTypes, Var: 'T'}}
	inputFloats = []In{{Name: "input", Types: floatTypes, Var: 'T'}}
	yOut        = []Out{{Name: "Y", Var: 'T'}}
	outputOut   = []Out{{Name: "output", Var: 'T'}}
)

var unaryRows = []Row{
	{Name: "Relu", Since: 1, Changes: []int{6, 13, 14}, In: []In{{Name: "X", Types: signedTypes, Var: 'T'}}, Out: yOut, Rank: sameRank, Plan: planRelu},
	{Name: "Abs", Since: 1, Changes: []int{6, 13}, In: xNumbers, Out: yOut, Rank: sameRank, Plan: planSigned},
	{Name: "Neg", Since: 1, Changes: []int{6, 13}, In: xNumbers, Out: yOut, Rank: sameRank, Plan: planSigned},
	{Name: "Sign", Since: 9, Changes: []int{13}, In: []In{{Name: "input", Types: numberTypes, Var: 'T'}}, Out: outputOut, Rank: sameRank, Plan: planSigned},
	{
		// The optimizer's: of two operands that broadcast.
		Name: "SiluMul", Domain: ir.Internal, Since: 1,
		In:  []In{{Name: "A", Types: float32Only, Var: 'T'}, {Name: "B", Types: float32Only, Var: 'T'}},
		Out: yOut, Rank: widestRank,
		Plan: planSiluMul,
	},
	{Name: "Silu", Domain: ir.Internal, Since: 1, In: xFloat32, Out: yOut, Rank: sameRank, Plan: planSilu},
	{
		Name: "Gelu", Since: 20, In: xFloats, Out: yOut,
		Attrs: []Attr{{Name: "approximate", Kind: ir.AttrString, S: "none", Words: []string{"none", "tanh"}}},
		Rank:  sameRank,
		Plan:  planGelu,
	}, {
		Name: "Clip", Since: 1, Changes: []int{6, 11, 12, 13},
		In: []In{{Name: "input", Types: numberTypes, Var: 'T'}, {Name: "min", Types: numberTypes, Var: 'T', Opt: true, Since: 11},
			{Name: "max", Types: numberTypes, Var: 'T', Opt: true, Since: 11}},
		Out:   outputOut,
		Attrs: []Attr{{Name: "min", Kind: ir.AttrFloat, F: -largest, Till: 10}, {Name: "max", Kind: ir.AttrFloat, F: largest, Till: 10}},
		Rank:  sameRank, Limits: "before opset 11 float32 and float64 only",
		Plan: planClip,
	}, {
		Name: "PRelu", Since: 1, Changes: []int{6, 7, 9, 16},
		In:   []In{{Name: "X", Types: slopeTypes, Var: 'T'}, {Name: "slope", Types: slopeTypes, Var: 'T'}},
		Out:  yOut,
		Rank: sameRank,
		Plan: planPRelu,
	},
}

// function is a function without parameters: the loop over float32, and the function of a
// float64.
type function struct {
	op      string
	in      []In
	since   int
	changes []int
	f32     func(y, x []float32)
	f64     func(v float64) float64
	unsure  bool // the kernel leaves some elements for Go
}

var functions = []function{
	{"Sigmoid", xFloats, 1, []int{6, 13}, compute.Sigmoid, func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }, false},
	{"Tanh", inputFloats, 1, []int{6, 13}, compute.Tanh, math.Tanh, false},
	{"Softplus", xFloats, 1, []int{22}, compute.Softplus, func(v float64) float64 { return softplus(v, 0, 0) }, false},
	{"Softsign", inputFloats, 1, []int{22}, compute.Softsign, func(v float64) float64 { return v / (1 + math.Abs(v)) }, false},
	{"Mish", xFloats, 18, []int{22}, compute.Mish, func(v float64) float64 { return v * math.Tanh(softplus(v, 0, 0)) }, false},
	{"HardSwish", xFloats, 14, []int{22}, hardSwish, func(v float64) float64 { return v * hardSigmoid(v, 1.0/6, 0.5) }, false},
	{"Erf", inputFloats, 9, []int{13}, compute.Erf, math.Erf, false},
	{"Exp", inputFloats, 1, []int{6, 13}, compute.Exp, math.Exp, false},
	{"Log", inputFloats, 1, []int{6, 13}, compute.Log, math.Log, false},
	{"Sqrt", xFloats, 1, []int{6, 13}, compute.Sqrt, math.Sqrt, false},
	{"Reciprocal", xFloats, 1, []int{6, 13}, compute.Reciprocal, func(v float64) float64 { return 1 / v }, false},
	{"Floor", xFloats, 1, []int{6, 13}, compute.Floor, math.Floor, false},
	{"Ceil", xFloats, 1, []int{6, 13}, compute.Ceil, math.Ceil, false},
	{"Round", xFloats, 11, []int{22}, compute.Round, math.RoundToEven, false},
	{"Sin", inputFloats, 7, []int{22}, compute.Sin, math.Sin, true},
	{"Cos", inputFloats, 7, []int{22}, compute.Cos, math.Cos, true},
}

// activation is a function with one or two parameters, attributes of the node.
type activation struct {
	op      string
	in      []In
	since   int
	changes []int
	attrs   []Attr
	f       func(y, x []float32, a, b float32)
	f64     func(v, a, b float64) float64
}

var activations = []activation{
	{"LeakyRelu", xFloats, 1, []int{6, 16}, []Attr{{Name: "alpha", Kind: ir.AttrFloat, F: 0.01}}, func(y, x []float32, a, _ float32) { compute.LeakyRelu(y, x, a) }, leakyRelu},
	{"Elu", xFloats, 1, []int{6, 22}, []Attr{{Name: "alpha", Kind: ir.AttrFloat, F: 1}}, func(y, x []float32, a, _ float32) { compute.Elu(y, x, a) }, elu},
	{"Selu", xFloats, 1, []int{6, 22}, []Attr{{Name: "alpha", Kind: ir.AttrFloat, F: 1.67326319217681884765625}, {Name: "gamma", Kind: ir.AttrFloat, F: 1.05070102214813232421875}}, compute.Selu, selu},
	{"Celu", xFloats, 12, nil, []Attr{{Name: "alpha", Kind: ir.AttrFloat, F: 1}}, func(y, x []float32, a, _ float32) { compute.Celu(y, x, a) }, celu},
	{"ThresholdedRelu", xFloats, 10, []int{22}, []Attr{{Name: "alpha", Kind: ir.AttrFloat, F: 1}}, func(y, x []float32, a, _ float32) { compute.ThresholdedRelu(y, x, a) }, thresholdedRelu},
	{"HardSigmoid", xFloats, 1, []int{6, 22}, []Attr{{Name: "alpha", Kind: ir.AttrFloat, F: 0.2}, {Name: "beta", Kind: ir.AttrFloat, F: 0.5}}, compute.HardSigmoid, hardSigmoid},
	{"Shrink", inputFloats, 9, nil, []Attr{{Name: "bias", Kind: ir.AttrFloat, F: 0}, {Name: "lambd", Kind: ir.AttrFloat, F: 0.5}}, compute.Shrink, shrinkDouble},
}

func hardSwish(y, x []float32) { compute.HardSwish(y, x, 1.0/6, 0.5) }

// each computes Out[0] = f(In[0], a, b) of n elements of float32.
type each struct {
	f    func(y, x []float32, a, b float32)
	a, b float32
	n    int
	time int // as Timed has it
}

func (s *each) Rows() int { return chunks(s.n) }
func (s *each) Time() int { return s.time }

func (s *each) Run(a *Args) { s.f(a.Out[0].Float32s(), a.In[0].Float32s(), s.a, s.b) }

func (s *each) RunRows(a *Args, from, to int) {
	lo, hi := chunk(s.n, from, to)
	s.f(a.Out[0].Float32s()[lo:hi], a.In[0].Float32s()[lo:hi], s.a, s.b)
}

func stepActivation(c *Call, f func(y, x []float32, a, b float32), a, b float32) {
	n := sameOut(c).Len()
	*Into[each](c) = each{f, a, b, n, n}
}

// planActivation reads the parameters.
func planActivation(c *Call, f *activation) error {
	a, b := c.Float(f.attrs[0].Name), float32(0)
	if len(f.attrs) > 1 {
		b = c.Float(f.attrs[1].Name)
	}
	if isDouble(c) {
		sameOut(c)
		wa, wb := float64(a), float64(b)
		stepEach(c, func(v float64) float64 { return f.f64(v, wa, wb) })
		return nil
	}
	stepActivation(c, f.f, a, b)
	return nil
}

// eachPlain is each without parameters.
type eachPlain struct {
	f    func(y, x []float32)
	n    int
	time int // as Timed has it
}

func (s *eachPlain) Rows() int { return chunks(s.n) }
func (s *eachPlain) Time() int { return s.time }

func (s *eachPlain) Run(a *Args) { s.f(a.Out[0].Float32s(), a.In[0].Float32s()) }

func (s *eachPlain) RunRows(a *Args, from, to int) {
	lo, hi := chunk(s.n, from, to)
	s.f(a.Out[0].Float32s()[lo:hi], a.In[0].Float32s()[lo:hi])
}

func stepFunction(c *Call, f func(y, x []float32)) error {
	n := sameOut(c).Len()
	*Into[eachPlain](c) = eachPlain{f, n, n}
	return nil
}

func planFunction(c *Call, f *function) error {
	if c.In(0).Type == ir.Float32 {
		stepFunction(c, f.f32)
		if f.unsure {
			c.Step.(*eachPlain).time = 0
		}
		return nil
	}
	sameOut(c)
	stepEach(c, f.f64)
	return nil
}

func planSilu(c *Call) error { return stepFunction(c, compute.Silu) }

// planSiluMul: y = silu(a)·b.
func planSiluMul(c *Call) error {
	out, err := broadcastDims(c, 0, 1)
	if err != nil {
		return err
	}
	c.Out(0, ir.Float32, out...)
	s := Into[siluMul](c)
	s.n, s.alike = ir.Elements(out), ir.SameDims(c.In(0).Dims, c.In(1).Dims)
	if s.alike {
		c.InPlace(0, 0)
		return nil
	}
	s.walk.set(out, c.In(0).Dims, c.In(1).Dims)
	c.Scratch(4 * c.In(0).Len())
	return nil
}

type siluMul struct {
	n     int
	alike bool
	walk  broadcast
}

func (s *siluMul) Rows() int {
	if !s.alike {
		return 1
	}
	return chunks(s.n)
}

// Time: what broadcasts takes the scratch memory.
func (s *siluMul) Time() int {
	if !s.alike {
		return 0
	}
	return s.n
}

func (s *siluMul) Run(a *Args) { s.RunRows(a, 0, s.Rows()) }

func (s *siluMul) RunRows(a *Args, from, to int) {
	x, g, y := a.In[0].Float32s(), a.In[1].Float32s(), a.Out[0].Float32s()
	switch {
	case s.n == 0:
	case s.alike:
		lo, hi := chunk(s.n, from, to)
		for ; lo < hi; lo += sumBlock {
			n := min(sumBlock, hi-lo)
			compute.Silu(y[lo:lo+n], x[lo:lo+n])
			compute.Mul(y[lo:lo+n], y[lo:], 0, 1, g[lo:], 0, 1, 1, n)
		}
	default:
		t := slab.View[float32](a.Scratch)[:len(x)]
		compute.Silu(t, x)
		walkRows(&s.walk, compute.Mul, y, t, g, 0)
	}
}

func planGelu(c *Call) error {
	tanh := c.Str("approximate") == "tanh"
	if isDouble(c) {
		f := gelu
		if tanh {
			f = geluTanh
		}
		sameOut(c)
		stepEach(c, f)
		return nil
	}
	if tanh {
		return stepFunction(c, compute.GeluTanh)
	}
	return stepFunction(c, compute.Gelu)
}

func planRelu(c *Call) error {
	switch in := sameOut(c); in.Type {
	case ir.Float32:
		return stepFunction(c, compute.Relu)
	case ir.Float64:
		stepEach(c, func(v float64) float64 { return max(v, 0) })
	default:
		stepInts(c, func(s *blockwise, _ *Args, y, x0, _, _ []byte, n int) {
			kernel.CombinePairs(&y[0], &x0[0], &blockOfZeros[0], n, s.how+kernel.CombineMax)
		})
	}
	return nil
}

// stepInts sets a step of one operand of integers, in int32 or int64, which s.how says.
func stepInts(c *Call, f blockFunc) {
	in := c.In(0)
	s := stepBlocks(c, in.Dims, in.Type, 1, f)
	s.how = kernel.CombineInt64
	if in.Type == ir.Int32 {
		s.how = kernel.CombineInt32
	} else {
		widen[int64](c, s, in.Type)
	}
}

func negateBlock(s *blockwise, _ *Args, y, x0, _, _ []byte, n int) {
	kernel.CombinePairs(&y[0], &blockOfZeros[0], &x0[0], n, s.how+kernel.CombineSub)
}

func absoluteBlock(s *blockwise, a *Args, y, x0, _, _ []byte, n int) {
	t := s.part(a, 1)
	kernel.CombinePairs(&t[0], &blockOfZeros[0], &x0[0], n, s.how+kernel.CombineSub)
	kernel.CombinePairs(&y[0], &x0[0], &t[0], n, s.how+kernel.CombineMax)
}

// signBlock bounds by −1 and 1.
func signBlock(s *blockwise, a *Args, y, x0, _, _ []byte, n int) {
	size, least, most := len(y)/n, s.part(a, 1), s.part(a, 2) // x0 is longer where it is one element
	fillTensor(least[:n*size], signs[1][:size])
	fillTensor(most[:n*size], signs[0][:size])
	clipBlock(s, a, y, x0, least, most, n)
}

// signs are 1 and −1 of any type of integers.
var signs = [2][8]byte{{1}, {255, 255, 255, 255, 255, 255, 255, 255}}

// clipBlock bounds by two more operands.
func clipBlock(s *blockwise, _ *Args, y, x0, x1, x2 []byte, n int) {
	kernel.CombinePairs(&y[0], &x0[0], &x1[0], n, s.how+kernel.CombineMax)
	kernel.CombinePairs(&y[0], &y[0], &x2[0], n, s.how+kernel.CombineMin)
}

// planSigned is Abs, Neg and Sign.
func planSigned(c *Call) error {
	in := sameOut(c)
	f32, f64, block := compute.Sign, sign, blockFunc(signBlock)
	switch c.Node.Op {
	case "Abs":
		f32, f64, block = compute.Abs, math.Abs, absoluteBlock
	case "Neg":
		f32, f64, block = compute.Neg, negative, negateBlock
	}
	switch in.Type {
	case ir.Float32:
		return stepFunction(c, f32)
	case ir.Float64:
		stepEach(c, f64)
	default:
		switch unsigned := in.Type == ir.Uint64; { // the others are widened
		case unsigned && c.Node.Op == "Abs":
			stepEach(c, func(v int64) int64 { return v })
		case unsigned && c.Node.Op == "Sign":
			stepEach(c, func(v int64) int64 { return truth[int64](v != 0) })
		default:
			stepInts(c, block)
		}
	}
	return nil
}

func negative(v float64) float64 { return -v }

func sign(v float64) float64 {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return v
}

// planClip: the bounds are attributes up to opset 10, inputs from 11 on. Where
// the lower bound is above the upper one, the upper one wins.
func planClip(c *Call) error {
	in := sameOut(c)
	if c.Node.Version < 11 {
		switch in.Type {
		case ir.Float32:
		case ir.Float64:
			lo, hi := float64(c.Float("min")), float64(c.Float("max"))
			stepEach(c, func(v float64) float64 { return min(max(v, lo), hi) })
			return nil
		default:
			return unsupported(c, "type ", in.Type.String())
		}
		stepActivation(c, compute.Clip, c.Float("min"), c.Float("max"))
		return nil
	}
	for i := 1; i <= 2; i++ {
		if b := c.In(i); b != nil && b.Len() != 1 {
			return c.Fail("input ", i, " is ", b.Type.String(), " with dimensions ", b.Dims, ", want one ", in.Type.String())
		}
	}
	switch in.Type {
	case ir.Float32:
		Into[clip](c).n = in.Len()
	case ir.Float64:
		stepClip(c, floatPair("Max"), floatPair("Min"), -math.MaxFloat64, math.MaxFloat64)
	case ir.Uint64:
		stepClip(c, intPair("Max", true), intPair("Min", true), 0, -1) // whose bits are the largest
	case ir.Int32, ir.Int64:
		if c.NumIn() == 3 && c.In(1) != nil && c.In(2) != nil {
			s := stepBlocks(c, in.Dims, in.Type, 3, clipBlock)
			if s.how = kernel.CombineInt32; in.Type == ir.Int64 {
				s.how = kernel.CombineInt64
			}
			break
		}
		fallthrough
	default:
		stepClip(c, intPair("Max", false), intPair("Min", false), math.MinInt64, math.MaxInt64)
	}
	return nil
}

// clip bounds n elements of float32 by inputs 1 and 2.
type clip struct{ n int }

func (s *clip) Rows() int { return chunks(s.n) }
func (s *clip) Time() int { return s.n / 4 }

func (s *clip) Run(a *Args) { s.RunRows(a, 0, s.Rows()) }

func (s *clip) RunRows(a *Args, from, to int) {
	lo, hi := float32(-largest), float32(largest)
	if b := optional(a, 1); b != nil {
		lo = b[0]
	}
	if b := optional(a, 2); b != nil {
		hi = b[0]
	}
	i, j := chunk(s.n, from, to)
	compute.Clip(a.Out[0].Float32s()[i:j], a.In[0].Float32s()[i:j], lo, hi)
}

// wideClip clips the other types: y = upper(lower(x, min), max), with lo and hi for bounds
// that are not given.
type wideClip[T wideElem] struct {
	wide         wide[T]
	lower, upper func(a, b T) T
	lo, hi       T
}

func stepClip[T wideElem](c *Call, lower, upper func(a, b T) T, lo, hi T) {
	s := Into[wideClip[T]](c)
	s.lower, s.upper, s.lo, s.hi = lower, upper, lo, hi
	s.wide.set(c, min(c.NumIn(), 3), c.In(0).Type, c.In(0).Len())
}

func (s *wideClip[T]) Run(a *Args) {
	lo, hi := s.lo, s.hi
	if len(s.wide.load) > 1 && a.In[1] != nil {
		lo = s.wide.in(a, 1)[0]
	}
	if len(s.wide.load) > 2 && a.In[2] != nil {
		hi = s.wide.in(a, 2)[0]
	}
	y := s.wide.out(a)
	for k, v := range s.wide.in(a, 0) {
		y[k] = s.upper(s.lower(v, lo), hi)
	}
	s.wide.done(a)
}

// slopeTypes are those of PRelu.
const slopeTypes = floatTypes | indexTypes | 1<<ir.Uint32 | 1<<ir.Uint64

func leaky[T wideElem](v, slope T) T {
	if v < 0 {
		return v * slope
	}
	return v
}

// planPRelu: the slope broadcasts to x.
func planPRelu(c *Call) error {
	out, err := broadcastDims(c, 0, 1)
	if err != nil {
		return err
	}
	if !ir.SameDims(out, c.In(0).Dims) {
		return c.Fail("the slope has dimensions ", c.In(1).Dims, ", which do not broadcast to ", c.In(0).Dims)
	}
	t := c.In(0).Type
	c.Out(0, t, out...)
	inPlaceLike(c, t, out, 0)
	switch t {
	case ir.Float32:
		stepBlocks(c, out, t, 2, combineBlock).how = kernel.CombineLeaky
	case ir.Float64:
		stepPairs(c, out, t, leaky[float64])
	case ir.Uint64: // whose bits may be those of a negative number
		stepPairs(c, out, t, func(v, _ int64) int64 { return v })
	default:
		stepPairs(c, out, t, leaky[int64])
	}
	return nil
}
