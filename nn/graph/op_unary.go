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
	register("Clip", 6, "min max", nil, func(c *Call) error { return planClip(c, -inf, inf) })
	register("PRelu", 7, "", nil, planPRelu)
	register("Relu", 6, "", nil, planRelu)
	for _, name := range []string{"Abs", "Neg", "Sign"} {
		register(name, 6, "", nil, planSigned)
	}
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
	"Tan":        through64(math.Tan),
	"Asin":       through64(math.Asin),
	"Acos":       through64(math.Acos),
	"Atan":       through64(math.Atan),
	"Sinh":       through64(math.Sinh),
	"Cosh":       through64(math.Cosh),
	"Asinh":      through64(math.Asinh),
	"Acosh":      through64(math.Acosh),
	"Atanh":      through64(math.Atanh),
}

// through64 computes float32 through float64.
func through64(f func(float64) float64) unary {
	narrow := func(v float32) float32 { return float32(f(float64(v))) }
	return unary{func(y, x []float32) { nn.Map(y, x, narrow) }, f}
}

func planUnary(c *Call, f unary) error {
	in := sameOut(c)
	if in.Type == Float32 {
		c.Run(func(a *Args) { f.f32(a.Out[0].Float32s(), a.In[0].Float32s()) })
		return nil
	}
	stepEach(c, f.f64)
	return nil
}

func planRelu(c *Call) error {
	in := sameOut(c)
	switch {
	case in.Type == Float32:
		c.Run(func(a *Args) { nn.Relu(a.Out[0].Float32s(), a.In[0].Float32s()) })
	case in.Type == Float64:
		stepEach(c, func(v float64) float64 { return max(v, 0) })
	default:
		stepEach(c, func(v int64) int64 { return max(v, 0) })
	}
	return nil
}

// planSigned is Abs, Neg and Sign.
func planSigned(c *Call) error {
	in, op := sameOut(c), c.Node.Op
	switch {
	case in.Type == Float32:
		f := map[string]func(y, x []float32){"Abs": nn.Abs, "Neg": nn.Neg, "Sign": nn.Sign}[op]
		c.Run(func(a *Args) { f(a.Out[0].Float32s(), a.In[0].Float32s()) })
	case in.Type == Float64:
		switch op {
		case "Abs":
			stepEach(c, math.Abs)
		case "Neg":
			stepEach(c, func(v float64) float64 { return -v })
		default:
			stepEach(c, sign[float64])
		}
	default:
		unsigned := in.Type == Uint64
		stepEach(c, func(v int64) int64 {
			switch {
			case op == "Neg" || op == "Abs" && v < 0 && !unsigned:
				return -v
			case op == "Abs":
				return v
			case unsigned && v != 0:
				return 1
			}
			return sign(v)
		})
	}
	return nil
}

func sign[T wideElem](v T) T {
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
func planClip(c *Call, lo, hi float32) error {
	in := sameOut(c)
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
	switch {
	case in.Type == Float32:
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
	case in.Type == Float64:
		stepClip(c, func(a, b float64) bool { return a < b })
	case in.Type == Uint64:
		stepClip(c, func(a, b int64) bool { return uint64(a) < uint64(b) })
	default:
		stepClip(c, func(a, b int64) bool { return a < b })
	}
	return nil
}

// stepClip clips other types than float32, which less compares.
func stepClip[T wideElem](c *Call, less func(a, b T) bool) {
	w := newWide[T](c, 1, c.In(0).Type, c.In(0).Len())
	load := loader[T](c.In(0).Type)
	bound := make([]T, 1)
	c.Run(func(a *Args) {
		y := w.out(a)
		copy(y, w.in(a, 0))
		for i := 1; i < len(a.In) && i <= 2; i++ {
			if a.In[i] == nil {
				continue
			}
			if load != nil {
				load(bound, a.In[i].Data)
			} else {
				bound[0] = slab.View[T](a.In[i].Data)[0]
			}
			for k, v := range y {
				if i == 1 && less(v, bound[0]) || i == 2 && less(bound[0], v) {
					y[k] = bound[0]
				}
			}
		}
		w.done(a)
	})
}

// planPRelu: the slope broadcasts to x.
func planPRelu(c *Call) error {
	out, err := broadcastDims(c, 0, 1)
	if err != nil {
		return err
	}
	if !sameDims(out, c.In(0).Dims) {
		return c.Fail("the slope has dimensions ", c.In(1).Dims, ", which do not broadcast to ", c.In(0).Dims)
	}
	c.Out(0, Float32, out...)
	inPlaceLike(c, Float32, out, 0)
	stepFloats(c, out, nn.PRelu)
	return nil
}
