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
var float32Kernels = map[string]rowKernel[float32, float32]{
	"Add": nn.Add, "Sub": nn.Sub, "Mul": nn.Mul, "Div": nn.Div, "Max": nn.Max, "Min": nn.Min,
	"Sum": nn.Add, "Mean": nn.Add,
}

func planArithmetic(c *Call) error {
	op := c.Node.Op
	set := numberTypes
	switch {
	case op == "BitShift":
		set = typeSet(Uint8, Uint16, Uint32, Uint64)
	case op[0] == 'B':
		set = intTypes
	}
	if err := needSame(c, set, 0, 1); err != nil {
		return err
	}
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
	if f := float32Kernels[op]; f != nil && t == Float32 {
		stepBinary(c, out, f)
		return nil
	}
	switch t {
	case Float32:
		stepBinary(c, out, eachPair(floatPair[float32](op)))
	case Float64:
		stepBinary(c, out, eachPair(floatPair[float64](op)))
	case Int8:
		stepBinary(c, out, eachPair(intPair[int8](op)))
	case Int16:
		stepBinary(c, out, eachPair(intPair[int16](op)))
	case Int32:
		stepBinary(c, out, eachPair(intPair[int32](op)))
	case Int64:
		stepBinary(c, out, eachPair(intPair[int64](op)))
	case Uint8:
		stepBinary(c, out, eachPair(intPair[uint8](op)))
	case Uint16:
		stepBinary(c, out, eachPair(intPair[uint16](op)))
	case Uint32:
		stepBinary(c, out, eachPair(intPair[uint32](op)))
	case Uint64:
		stepBinary(c, out, eachPair(intPair[uint64](op)))
	}
	return nil
}

// needSame asks that the inputs listed are there and have one type, in s.
func needSame(c *Call, s types, inputs ...int) error {
	for _, i := range inputs {
		if err := need(c, i, s); err != nil {
			return err
		}
		if t, first := c.In(i).Type, c.In(inputs[0]).Type; t != first {
			return c.Fail("input ", i, " is ", t.String(), ", want ", first.String(), " as input ", inputs[0])
		}
	}
	return nil
}

// floatPair is the function behind an operator. The explicit conversions keep a
// platform from contracting a product with a sum.
func floatPair[T float32 | float64](op string) func(a, b T) T {
	switch op {
	case "Add", "Sum", "Mean":
		return func(a, b T) T { return a + b }
	case "Sub":
		return func(a, b T) T { return a - b }
	case "Mul":
		return func(a, b T) T { return a * b }
	case "Div":
		return func(a, b T) T { return a / b }
	case "Max":
		return func(a, b T) T { return max(a, b) }
	case "Min":
		return func(a, b T) T { return min(a, b) }
	case "Remainder":
		return func(a, b T) T { return T(math.Mod(float64(a), float64(b))) }
	}
	return nil
}

type integer interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

// intPair is the function behind an operator on integers. A division by zero,
// which ONNX leaves undefined, gives 0.
func intPair[T integer](op string) func(a, b T) T {
	switch op {
	case "Add", "Sum":
		return func(a, b T) T { return a + b }
	case "Sub":
		return func(a, b T) T { return a - b }
	case "Mul":
		return func(a, b T) T { return a * b }
	case "Div":
		return func(a, b T) T {
			if b == 0 {
				return 0
			}
			return a / b
		}
	case "Remainder": // has the dividend's sign
		return func(a, b T) T {
			if b == 0 {
				return 0
			}
			return a % b
		}
	case "Modulo": // has the divisor's sign
		return func(a, b T) T {
			if b == 0 {
				return 0
			}
			m := a % b
			if m != 0 && (m < 0) != (b < 0) {
				m += b
			}
			return m
		}
	case "Max":
		return func(a, b T) T { return max(a, b) }
	case "Min":
		return func(a, b T) T { return min(a, b) }
	case "ShiftLeft":
		return func(a, b T) T { return a << uint64(b) }
	case "ShiftRight":
		return func(a, b T) T { return a >> uint64(b) }
	case "BitwiseAnd":
		return func(a, b T) T { return a & b }
	case "BitwiseOr":
		return func(a, b T) T { return a | b }
	case "BitwiseXor":
		return func(a, b T) T { return a ^ b }
	}
	return nil
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
	set := numberTypes
	if op := c.Node.Op; op == "Sum" || op == "Mean" {
		set = floatTypes
	}
	if err := needSame(c, set, inputs...); err != nil {
		return err
	}
	if n == 1 {
		return view(c, cloneDims(c.In(0).Dims))
	}
	out, err := broadcastDims(c, inputs...)
	if err != nil {
		return err
	}
	t := c.In(0).Type
	c.Out(0, t, out...)
	if Elements(out) == 0 {
		c.Run(func(*Args) {})
		return nil
	}
	if n == 2 { // else the output is written while inputs 2 and on are still to be read
		inPlaceLike(c, t, out, 0, 1)
	}
	op := c.Node.Op
	switch t {
	case Float32:
		div := 0
		if op == "Mean" {
			div = n
		}
		foldOperands(c, out, float32Kernels[op], func(y []float32) {
			if div > 0 {
				f := [1]float32{float32(div)}
				nn.Div(y, y, len(y), 1, f[:], 0, 0, 1, len(y))
			}
		})
	case Float64:
		foldOperands(c, out, eachPair(floatPair[float64](op)), func(y []float64) {
			if op == "Mean" {
				for i := range y {
					y[i] /= float64(n)
				}
			}
		})
	case Int8:
		foldOperands(c, out, eachPair(intPair[int8](op)), nil)
	case Int16:
		foldOperands(c, out, eachPair(intPair[int16](op)), nil)
	case Int32:
		foldOperands(c, out, eachPair(intPair[int32](op)), nil)
	case Int64:
		foldOperands(c, out, eachPair(intPair[int64](op)), nil)
	case Uint8:
		foldOperands(c, out, eachPair(intPair[uint8](op)), nil)
	case Uint16:
		foldOperands(c, out, eachPair(intPair[uint16](op)), nil)
	case Uint32:
		foldOperands(c, out, eachPair(intPair[uint32](op)), nil)
	case Uint64:
		foldOperands(c, out, eachPair(intPair[uint64](op)), nil)
	}
	return nil
}

func foldOperands[T slab.Elem](c *Call, out []int, f rowKernel[T, T], finish func(y []T)) {
	first := newBroadcast(out, c.In(0).Dims, c.In(1).Dims)
	var rest []*broadcast
	for i := 2; i < c.NumIn(); i++ {
		rest = append(rest, newBroadcast(out, out, c.In(i).Dims))
	}
	c.Run(func(a *Args) {
		y := slab.View[T](a.Out[0].Data)
		walkRows(first, f, y, slab.View[T](a.In[0].Data), slab.View[T](a.In[1].Data), 0)
		for i, w := range rest {
			walkRows(w, f, y, y, slab.View[T](a.In[i+2].Data), 0)
		}
		if finish != nil {
			finish(y)
		}
	})
}

// planPow: y = x^e. The result has x's type, whatever the exponent's is.
func planPow(c *Call) error {
	pow := typeSet(Float32, Float64, Int32, Int64)
	if err := needAll(c, pow|intTypes, 0, 1); err != nil {
		return err
	}
	x, e := c.In(0), c.In(1)
	if x == nil || e == nil {
		return c.Fail("two inputs are wanted")
	}
	if !pow.has(x.Type) {
		return unsupported(c, "type ", x.Type.String())
	}
	out, err := broadcastDims(c, 0, 1)
	if err != nil {
		return err
	}
	c.Out(0, x.Type, out...)
	inPlaceLike(c, x.Type, out, 0)
	if x.Type == Float32 && e.Type == Float32 {
		stepBinary(c, out, nn.Pow)
		return nil
	}
	return powMixed(c, out)
}

// powMixed computes the rarer types through float64.
func powMixed(c *Call, out []int) error {
	x, e := c.In(0), c.In(1)
	loadX, loadE, store := converter(Float64, x.Type), converter(Float64, e.Type), converter(x.Type, Float64)
	w := newBroadcast(out, x.Dims, e.Dims)
	nx, ne, n := x.Len()*8, e.Len()*8, Elements(out)*8
	f := eachPair(math.Pow)
	c.Scratch(nx + ne + n)
	if n == 0 {
		c.Run(func(*Args) {})
		return nil
	}
	c.Run(func(a *Args) {
		bx, be, by := a.Scratch[:nx], a.Scratch[nx:nx+ne], a.Scratch[nx+ne:nx+ne+n]
		loadX(bx, a.In[0].Data)
		loadE(be, a.In[1].Data)
		walkRows(w, f, slab.View[float64](by), slab.View[float64](bx), slab.View[float64](be), 0)
		store(a.Out[0].Data, by)
	})
	return nil
}
