package graph

import (
	"math"

	"github.com/normwasm/normwasm/internal/slab"
	"github.com/normwasm/normwasm/nn"
)

// Functions of one element. unary says how to compute one: f32 is the loop over
// float32, f64 the function of a float64 where it is as cheap to have.
type unary struct {
	f32 func(y, x []float32)
	f64 func(v float64) float64
}

func init() {
	for name, f := range functions {
		register(name, functionSince[name], "", nil, func(c *Call) error { return planUnary(c, f) })
	}
	inf := float32(math.Inf(1))
	register("LeakyRelu", 6, "alpha", nil, func(c *Call) error {
		alpha := c.Node.Float("alpha", 0.01)
		return planUnary(c, unary{f32: func(y, x []float32) { nn.LeakyRelu(y, x, alpha) }})
	})
	register("Elu", 6, "alpha", nil, func(c *Call) error {
		alpha := c.Node.Float("alpha", 1)
		return planUnary(c, unary{f32: func(y, x []float32) { nn.Elu(y, x, alpha) }})
	})
	register("Selu", 6, "alpha gamma", nil, func(c *Call) error {
		alpha, gamma := c.Node.Float("alpha", 1.67326319217681884765625), c.Node.Float("gamma", 1.05070102214813232421875)
		return planUnary(c, unary{f32: func(y, x []float32) { nn.Selu(y, x, alpha, gamma) }})
	})
	register("Celu", 12, "alpha", nil, func(c *Call) error {
		alpha := c.Node.Float("alpha", 1)
		return planUnary(c, unary{f32: func(y, x []float32) { nn.Celu(y, x, alpha) }})
	})
	register("ThresholdedRelu", 10, "alpha", nil, func(c *Call) error {
		alpha := c.Node.Float("alpha", 1)
		return planUnary(c, unary{f32: func(y, x []float32) { nn.ThresholdedRelu(y, x, alpha) }})
	})
	register("HardSigmoid", 6, "alpha beta", nil, func(c *Call) error {
		alpha, beta := c.Node.Float("alpha", 0.2), c.Node.Float("beta", 0.5)
		return planUnary(c, unary{f32: func(y, x []float32) { nn.HardSigmoid(y, x, alpha, beta) }})
	})
	register("HardSwish", 1, "alpha beta", nil, func(c *Call) error { // alpha and beta: the optimizer's
		alpha, beta := c.Node.Float("alpha", 1.0/6), c.Node.Float("beta", 0.5)
		return planUnary(c, unary{f32: func(y, x []float32) { nn.HardSwish(y, x, alpha, beta) }})
	})
	register("Shrink", 9, "bias lambd", nil, func(c *Call) error {
		bias, lambda := c.Node.Float("bias", 0), c.Node.Float("lambd", 0.5)
		return planUnary(c, unary{f32: func(y, x []float32) {
			nn.Map(y, x, func(v float32) float32 {
				switch {
				case v < -lambda:
					return v + bias
				case v > lambda:
					return v - bias
				}
				return 0
			})
		}})
	})
	register("Gelu", 20, "approximate", checkGelu, func(c *Call) error {
		if c.Node.Str("approximate", "none") == "tanh" {
			return planUnary(c, unary{f32: nn.GeluTanh})
		}
		return planUnary(c, unary{f32: nn.Gelu})
	})
	register(Internal+".Silu", 1, "", nil, func(c *Call) error { return planUnary(c, unary{f32: nn.Silu}) })
	register("Swish", 24, "alpha", nil, func(c *Call) error {
		alpha := c.Node.Float("alpha", 1)
		return planUnary(c, unary{f32: func(y, x []float32) {
			nn.Map(y, x, func(v float32) float32 { return float32(float64(v) / (1 + math.Exp(-float64(alpha)*float64(v)))) })
		}})
	})
	register("Clip", 6, "min max", nil, func(c *Call) error { return planClip(c, -inf, inf) })
	register("PRelu", 7, "", nil, planPRelu)
	register("Relu", 6, "", nil, planRelu)
	for _, name := range []string{"Abs", "Neg", "Sign"} {
		register(name, 6, "", nil, planSigned)
	}
	register("BitwiseNot", 18, "", nil, planBitwiseNot)
}

func checkGelu(n *Node) string {
	if a := n.Str("approximate", "none"); a != "none" && a != "tanh" {
		return "approximate=" + a
	}
	return ""
}

// functionSince holds the opset of functions younger than the oldest supported.
var functionSince = map[string]int{
	"Sinh": 9, "Cosh": 9, "Asinh": 9, "Acosh": 9, "Atanh": 9, "Erf": 9, "Round": 11, "Mish": 18,
}

var functions = map[string]unary{
	"Sigmoid":    {nn.Sigmoid, func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }},
	"Tanh":       {nn.Tanh, math.Tanh},
	"Softplus":   {f32: nn.Softplus},
	"Softsign":   {f32: nn.Softsign},
	"Mish":       {f32: nn.Mish},
	"Erf":        {nn.Erf, math.Erf},
	"Exp":        {nn.Exp, math.Exp},
	"Log":        {nn.Log, math.Log},
	"Sqrt":       {nn.Sqrt, math.Sqrt},
	"Reciprocal": {nn.Reciprocal, func(v float64) float64 { return 1 / v }},
	"Floor":      {nn.Floor, math.Floor},
	"Ceil":       {nn.Ceil, math.Ceil},
	"Round":      {nn.Round, math.RoundToEven},
	"Sin":        {nn.Sin, math.Sin},
	"Cos":        {nn.Cos, math.Cos},
	"Tan":        wide(math.Tan),
	"Asin":       wide(math.Asin),
	"Acos":       wide(math.Acos),
	"Atan":       wide(math.Atan),
	"Sinh":       wide(math.Sinh),
	"Cosh":       wide(math.Cosh),
	"Asinh":      wide(math.Asinh),
	"Acosh":      wide(math.Acosh),
	"Atanh":      wide(math.Atanh),
}

// wide computes float32 through float64.
func wide(f func(float64) float64) unary {
	narrow := func(v float32) float32 { return float32(f(float64(v))) }
	return unary{func(y, x []float32) { nn.Map(y, x, narrow) }, f}
}

func planUnary(c *Call, f unary) error {
	set := typeSet(Float32)
	if f.f64 != nil {
		set = floatTypes
	}
	if err := need(c, 0, set); err != nil {
		return err
	}
	in := c.In(0)
	c.Out(0, in.Type, cloneDims(in.Dims)...)
	c.InPlace(0, 0)
	if in.Type == Float32 {
		c.Run(func(a *Args) { f.f32(a.Out[0].Float32s(), a.In[0].Float32s()) })
		return nil
	}
	stepEach(c, f.f64)
	return nil
}

// stepEach computes f of each element.
func stepEach[T slab.Elem](c *Call, f func(v T) T) {
	c.Run(func(a *Args) {
		y := slab.View[T](a.Out[0].Data)
		for i, v := range slab.View[T](a.In[0].Data) {
			y[i] = f(v)
		}
	})
}

func planRelu(c *Call) error {
	if err := need(c, 0, signedTypes); err != nil {
		return err
	}
	in := c.In(0)
	c.Out(0, in.Type, cloneDims(in.Dims)...)
	c.InPlace(0, 0)
	switch in.Type {
	case Float32:
		c.Run(func(a *Args) { nn.Relu(a.Out[0].Float32s(), a.In[0].Float32s()) })
	case Float64:
		stepEach(c, func(v float64) float64 { return max(v, 0) })
	case Int8:
		stepEach(c, func(v int8) int8 { return max(v, 0) })
	case Int16:
		stepEach(c, func(v int16) int16 { return max(v, 0) })
	case Int32:
		stepEach(c, func(v int32) int32 { return max(v, 0) })
	case Int64:
		stepEach(c, func(v int64) int64 { return max(v, 0) })
	}
	return nil
}

// planSigned is Abs, Neg and Sign.
func planSigned(c *Call) error {
	if err := need(c, 0, numberTypes); err != nil {
		return err
	}
	in, op := c.In(0), c.Node.Op
	c.Out(0, in.Type, cloneDims(in.Dims)...)
	c.InPlace(0, 0)
	switch in.Type {
	case Float32:
		f := map[string]func(y, x []float32){"Abs": nn.Abs, "Neg": nn.Neg, "Sign": nn.Sign}[op]
		c.Run(func(a *Args) { f(a.Out[0].Float32s(), a.In[0].Float32s()) })
	case Float64:
		switch op {
		case "Abs":
			stepEach(c, math.Abs)
		case "Neg":
			stepEach(c, func(v float64) float64 { return -v })
		default:
			stepEach(c, sign[float64])
		}
	case Int8:
		signed[int8](c)
	case Int16:
		signed[int16](c)
	case Int32:
		signed[int32](c)
	case Int64:
		signed[int64](c)
	case Uint8:
		signed[uint8](c)
	case Uint16:
		signed[uint16](c)
	case Uint32:
		signed[uint32](c)
	case Uint64:
		signed[uint64](c)
	}
	return nil
}

func signed[T integer](c *Call) {
	switch c.Node.Op {
	case "Abs":
		stepEach(c, func(v T) T {
			if v < 0 {
				return -v
			}
			return v
		})
	case "Neg":
		stepEach(c, func(v T) T { return -v })
	default:
		stepEach(c, sign[T])
	}
}

func sign[T integer | float64](v T) T {
	switch {
	case v > 0:
		return 1
	case v < 0:
		var zero T
		return zero - 1
	}
	return v
}

func planBitwiseNot(c *Call) error {
	if err := need(c, 0, intTypes); err != nil {
		return err
	}
	in := c.In(0)
	c.Out(0, in.Type, cloneDims(in.Dims)...)
	c.InPlace(0, 0)
	stepBytes := func(a *Args) {
		y := a.Out[0].Data
		for i, v := range a.In[0].Data {
			y[i] = ^v
		}
	}
	c.Run(stepBytes)
	return nil
}

// planClip: the bounds are attributes up to opset 10, inputs from 11 on. Where
// the lower bound is above the upper one, the upper one wins.
func planClip(c *Call, lo, hi float32) error {
	if err := need(c, 0, numberTypes); err != nil {
		return err
	}
	in := c.In(0)
	c.Out(0, in.Type, cloneDims(in.Dims)...)
	c.InPlace(0, 0)
	if c.Node.Version < 11 {
		if in.Type != Float32 {
			return unsupported(c, "type ", in.Type.String())
		}
		lo, hi = c.Node.Float("min", lo), c.Node.Float("max", hi)
		c.Run(func(a *Args) { nn.Clip(a.Out[0].Float32s(), a.In[0].Float32s(), lo, hi) })
		return nil
	}
	for i := 1; i <= 2; i++ {
		if b := c.In(i); b != nil && (b.Type != in.Type || b.Len() != 1) {
			return c.Fail("input ", i, " is ", b.Type.String(), " with dimensions ", b.Dims, ", want one ", in.Type.String())
		}
	}
	switch in.Type {
	case Float32:
		c.Run(func(a *Args) {
			l, h := lo, hi
			if b := optional(a, 1); b != nil {
				l = b[0]
			}
			if b := optional(a, 2); b != nil {
				h = b[0]
			}
			nn.Clip(a.Out[0].Float32s(), a.In[0].Float32s(), l, h)
		})
	case Float64:
		stepClip[float64](c)
	case Int8:
		stepClip[int8](c)
	case Int16:
		stepClip[int16](c)
	case Int32:
		stepClip[int32](c)
	case Int64:
		stepClip[int64](c)
	case Uint8:
		stepClip[uint8](c)
	case Uint16:
		stepClip[uint16](c)
	case Uint32:
		stepClip[uint32](c)
	case Uint64:
		stepClip[uint64](c)
	}
	return nil
}

func stepClip[T slab.Elem](c *Call) {
	c.Run(func(a *Args) {
		y := slab.View[T](a.Out[0].Data)
		copy(y, slab.View[T](a.In[0].Data))
		if len(a.In) > 1 && a.In[1] != nil {
			lo := slab.View[T](a.In[1].Data)[0]
			for i, v := range y {
				y[i] = max(v, lo)
			}
		}
		if len(a.In) > 2 && a.In[2] != nil {
			hi := slab.View[T](a.In[2].Data)[0]
			for i, v := range y {
				y[i] = min(v, hi)
			}
		}
	})
}

// planPRelu: the slope broadcasts to x.
func planPRelu(c *Call) error {
	if err := needSame(c, typeSet(Float32), 0, 1); err != nil {
		return err
	}
	out, err := broadcastDims(c, 0, 1)
	if err != nil {
		return err
	}
	if !sameDims(out, c.In(0).Dims) {
		return c.Fail("the slope has dimensions ", c.In(1).Dims, ", which do not broadcast to ", c.In(0).Dims)
	}
	c.Out(0, Float32, out...)
	inPlaceLike(c, Float32, out, 0)
	stepBinary(c, out, nn.PRelu)
	return nil
}
