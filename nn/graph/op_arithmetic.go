package graph

import (
	"math"

	"github.com/normwasm/normwasm/nn"
)

// Arithmetic of two operands, or of any number, with broadcasting.

func init() { enter(arithmetic) }

var arithmetic = []entry{
	{"Add Sub Mul Div", 7, "", nil, planArithmetic},
	{"Mod", 10, "fmod", nil, planArithmetic},
	{"Pow", 7, "", nil, planPow},
	{"Max Min Sum Mean", 6, "", nil, planVariadic},
}

// float32Kernels are the operators that nn has kernels for.
var float32Kernels = map[string]rowKernel[float32]{
	"Add": nn.Add, "Sub": nn.Sub, "Mul": nn.Mul, "Div": nn.Div, "Max": nn.Max, "Min": nn.Min,
	"Sum": nn.Add, "Mean": nn.Add,
}

func planArithmetic(c *Call) error {
	op := c.Node.Op
	t := c.In(0).Type
	if op == "Mod" {
		op = "Remainder"
		if c.Node.Int("fmod", 0) == 0 {
			op = "Modulo"
			if floatTypes.has(t) {
				return c.Fail("fmod=0 is for integers, the inputs are ", t.String())
			}
		}
	}
	out, err := broadcastDims(c, 0, 1)
	if err != nil {
		return err
	}
	c.Out(0, t, out...)
	inPlaceLike(c, t, out, 0, 1)
	switch f := float32Kernels[op]; {
	case f != nil && t == Float32:
		stepFloats(c, out, f)
	case floatTypes.has(t):
		stepPairs(c, out, t, floatPair(op))
	default:
		stepPairs(c, out, t, intPair(op, t == Uint64))
	}
	return nil
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

// intPair is the function behind an operator on integers. Sums and
// products are the same for signed and unsigned numbers; the rest matters for
// uint64 alone, as the others are widened. A division by zero, which ONNX leaves
// undefined, gives 0.
func intPair(op string, unsigned bool) func(a, b int64) int64 {
	switch op {
	case "Add":
		return func(a, b int64) int64 { return a + b }
	case "Sub":
		return func(a, b int64) int64 { return a - b }
	case "Mul":
		return func(a, b int64) int64 { return a * b }
	case "Max":
		return func(a, b int64) int64 {
			if before(a, b, unsigned) {
				return b
			}
			return a
		}
	case "Min":
		return func(a, b int64) int64 {
			if before(a, b, unsigned) {
				return a
			}
			return b
		}
	}
	return func(a, b int64) int64 {
		switch {
		case b == 0:
			return 0
		case op == "Div" && unsigned:
			return int64(uint64(a) / uint64(b))
		case op == "Div":
			return a / b
		case unsigned:
			return int64(uint64(a) % uint64(b))
		}
		m := a % b
		if op == "Modulo" && m != 0 && (m < 0) != (b < 0) {
			m += b // Modulo has the divisor's sign, Remainder the dividend's
		}
		return m
	}
}

// before says a < b.
func before(a, b int64, unsigned bool) bool {
	if unsigned {
		return uint64(a) < uint64(b)
	}
	return a < b
}

// planVariadic folds any number of operands from the left into the output.
func planVariadic(c *Call) error {
	n := c.NumIn()
	if n == 0 {
		return c.Fail("there are no inputs")
	}
	inputs := make([]int, n)
	for i := range inputs {
		inputs[i] = i
	}
	if n == 1 {
		return view(c, c.In(0).Dims)
	}
	out, err := broadcastDims(c, inputs...)
	if err != nil {
		return err
	}
	t := c.In(0).Type
	c.Out(0, t, out...)
	if Elements(out) == 0 {
		c.Run(nothing)
		return nil
	}
	if n == 2 { // else the output is written while inputs 2 and on are still to be read
		inPlaceLike(c, t, out, 0, 1)
	}
	op := c.Node.Op
	switch {
	case t == Float32:
		foldFloats(c, out)
	case t == Float64:
		foldWide(c, out, eachPair(floatPair(op)), op == "Mean")
	default:
		foldWide(c, out, eachPair(intPair(op, t == Uint64)), false)
	}
	return nil
}

func foldFloats(c *Call, out []int) {
	walks, f := foldWalks(c, out), float32Kernels[c.Node.Op]
	count := []float32{float32(c.NumIn())}
	mean := c.Node.Op == "Mean"
	c.Run(func(a *Args) {
		y, x := a.Out[0].Float32s(), a.In[0].Float32s()
		for i, w := range walks {
			walkRows(w, f, y, x, a.In[i+1].Float32s(), 0)
			x = y
		}
		if mean {
			nn.Div(y, y, 0, 1, count, 0, 0, 1, len(y))
		}
	})
}

// foldWide is foldFloats of the other types.
func foldWide[T wideElem](c *Call, out []int, f rowKernel[T], mean bool) {
	walks, n := foldWalks(c, out), T(c.NumIn())
	w := newWide[T](c, c.NumIn(), c.In(0).Type, Elements(out))
	c.Run(func(a *Args) {
		y, x := w.out(a), w.in(a, 0)
		for i, walk := range walks {
			walkRows(walk, f, y, x, w.in(a, i+1), 0)
			x = y
		}
		if mean {
			for i := range y {
				y[i] /= n
			}
		}
		w.done(a)
	})
}

// foldWalks gives the walks of inputs 0 and 1, then of the result so far and
// each further input.
func foldWalks(c *Call, out []int) []*broadcast {
	walks := []*broadcast{newBroadcast(out, c.In(0).Dims, c.In(1).Dims)}
	for i := 2; i < c.NumIn(); i++ {
		walks = append(walks, newBroadcast(out, out, c.In(i).Dims))
	}
	return walks
}

// planPow: y = x^e. The result has x's type, whatever the exponent's is.
func planPow(c *Call) error {
	if err := need(c, 1, numberTypes); err != nil {
		return err
	}
	x, e := c.In(0), c.In(1)
	out, err := broadcastDims(c, 0, 1)
	if err != nil {
		return err
	}
	c.Out(0, x.Type, out...)
	inPlaceLike(c, x.Type, out, 0)
	if x.Type == Float32 && e.Type == Float32 {
		stepFloats(c, out, nn.Pow)
	} else {
		stepPairs(c, out, x.Type, math.Pow)
	}
	return nil
}
