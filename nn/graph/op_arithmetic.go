package graph

import (
	"math"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn"
)

// Arithmetic of two operands, or of any number, with broadcasting.

func init() {
	for _, op := range []string{"Add", "Sub", "Mul", "Div"} {
		register(op, 7, "", nil, planArithmetic)
	}
	for _, op := range []string{"Max", "Min", "Sum", "Mean"} {
		register(op, 6, "", nil, planVariadic)
	}
	register("Mod", 10, "fmod", nil, planArithmetic)
	register("Pow", 7, "", nil, planPow)
	register("BitShift", 11, "direction", nil, planArithmetic)
	for _, op := range []string{"BitwiseAnd", "BitwiseOr", "BitwiseXor"} {
		register(op, 18, "", nil, planArithmetic)
	}
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
	if op == "BitShift" {
		switch c.Node.Str("direction", "") {
		case "LEFT":
			op = "ShiftLeft"
		case "RIGHT":
			op = "ShiftRight"
		default:
			return c.Fail("direction is ", c.Node.Str("direction", ""), ", want LEFT or RIGHT")
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

// intPair is the function behind an operator on integers. Sums, products and
// bits are the same for signed and unsigned numbers; the rest matters for uint64
// alone, as the others are widened. A division by zero, which ONNX leaves
// undefined, gives 0.
func intPair(op string, unsigned bool) func(a, b int64) int64 {
	switch op {
	case "Add":
		return func(a, b int64) int64 { return a + b }
	case "Sub":
		return func(a, b int64) int64 { return a - b }
	case "Mul":
		return func(a, b int64) int64 { return a * b }
	case "ShiftLeft":
		return func(a, b int64) int64 { return a << uint64(b) }
	case "ShiftRight":
		return func(a, b int64) int64 { return int64(uint64(a) >> uint64(b)) }
	case "BitwiseAnd":
		return func(a, b int64) int64 { return a & b }
	case "BitwiseOr":
		return func(a, b int64) int64 { return a | b }
	case "BitwiseXor":
		return func(a, b int64) int64 { return a ^ b }
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
		foldOperands(c, out, float32Kernels[op], func(y []float32) {
			if op == "Mean" {
				count := [1]float32{float32(n)}
				nn.Div(y, y, 0, 1, count[:], 0, 0, 1, len(y))
			}
		})
	case t == Float64:
		foldOperands(c, out, eachPair(floatPair(op)), func(y []float64) {
			if op == "Mean" {
				for i := range y {
					y[i] /= float64(n)
				}
			}
		})
	case n == 2:
		stepPairs(c, out, t, intPair(op, t == Uint64))
	case t == Int64 || t == Uint64:
		foldOperands(c, out, eachPair(intPair(op, t == Uint64)), func([]int64) {})
	default:
		foldNarrow(c, out, eachPair(intPair(op, false)))
	}
	return nil
}

func foldOperands[T float32 | wideElem](c *Call, out []int, f rowKernel[T], finish func(y []T)) {
	walks := foldWalks(c, out)
	c.Run(func(a *Args) {
		y := slab.View[T](a.Out[0].Data)
		x := slab.View[T](a.In[0].Data)
		for i, w := range walks {
			walkRows(w, f, y, x, slab.View[T](a.In[i+1].Data), 0)
			x = y
		}
		finish(y)
	})
}

// foldNarrow is foldOperands of narrower integers.
func foldNarrow(c *Call, out []int, f rowKernel[int64]) {
	walks := foldWalks(c, out)
	w := newWide[int64](c, c.NumIn(), c.In(0).Type, Elements(out))
	c.Run(func(a *Args) {
		y, x := w.out(a), w.in(a, 0)
		for i, walk := range walks {
			walkRows(walk, f, y, x, w.in(a, i+1), 0)
			x = y
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
