package graph

import (
	"math"

	"github.com/normwasm/normwasm/nn"
)

// Functions of one element.

func init() {
	enter(unaries)
	for i := range functions {
		f := &functions[i]
		functionOf[f.op] = f
		enter([]entry{{f.op, f.since, "", nil, planFunction}})
	}
	for i := range activations {
		f := &activations[i]
		activationOf[f.op] = f
		enter([]entry{{f.op, f.since, f.attrA + " " + f.attrB, nil, planActivation}})
	}
}

var unaries = []entry{
	{"Gelu", 20, "approximate", checkGelu, planGelu},
	{"Clip", 6, "min max", nil, planClip},
	{"PRelu", 7, "", nil, planPRelu},
	{"Relu", 6, "", nil, planRelu},
	{"Abs Neg Sign", 6, "", nil, planSigned},
}

// function is a function without parameters: the loop over float32, or nil
// where there is only that of a float64, which serves both.
type function struct {
	op    string
	since int
	f32   func(y, x []float32)
	f64   func(v float64) float64
}

var functionOf = map[string]*function{}

var functions = []function{
	{"Sigmoid", 6, nn.Sigmoid, func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }},
	{"Tanh", 6, nn.Tanh, math.Tanh},
	{"Softplus", 1, nn.Softplus, nil},
	{"Softsign", 1, nn.Softsign, nil},
	{"Mish", 18, nn.Mish, nil},
	{Internal + ".Silu", 1, nn.Silu, nil},
	{"Erf", 9, nn.Erf, math.Erf},
	{"Exp", 6, nn.Exp, math.Exp},
	{"Log", 6, nn.Log, math.Log},
	{"Sqrt", 6, nn.Sqrt, math.Sqrt},
	{"Reciprocal", 6, nn.Reciprocal, func(v float64) float64 { return 1 / v }},
	{"Floor", 6, nil, math.Floor},
	{"Ceil", 6, nil, math.Ceil},
	{"Round", 11, nil, math.RoundToEven},
	{"Sin", 7, nil, math.Sin},
	{"Cos", 7, nil, math.Cos},
	{"Tan", 7, nil, math.Tan},
	{"Asin", 7, nil, math.Asin},
	{"Acos", 7, nil, math.Acos},
	{"Atan", 7, nil, math.Atan},
	{"Sinh", 9, nil, math.Sinh},
	{"Cosh", 9, nil, math.Cosh},
	{"Asinh", 9, nil, math.Asinh},
	{"Acosh", 9, nil, math.Acosh},
	{"Atanh", 9, nil, math.Atanh},
}

// activation is a function with one or two parameters, attributes of the node.
type activation struct {
	op           string
	since        int
	attrA, attrB string
	a, b         float32 // where the attributes are absent
	f            func(y, x []float32, a, b float32)
}

var activationOf = map[string]*activation{}

var activations = []activation{
	{"LeakyRelu", 6, "alpha", "", 0.01, 0, func(y, x []float32, a, _ float32) { nn.LeakyRelu(y, x, a) }},
	{"Elu", 6, "alpha", "", 1, 0, func(y, x []float32, a, _ float32) { nn.Elu(y, x, a) }},
	{"Selu", 6, "alpha", "gamma", 1.67326319217681884765625, 1.05070102214813232421875, nn.Selu},
	{"Celu", 12, "alpha", "", 1, 0, func(y, x []float32, a, _ float32) { nn.Celu(y, x, a) }},
	{"ThresholdedRelu", 10, "alpha", "", 1, 0, func(y, x []float32, a, _ float32) { nn.ThresholdedRelu(y, x, a) }},
	{"HardSigmoid", 6, "alpha", "beta", 0.2, 0.5, nn.HardSigmoid},
	{"HardSwish", 14, "", "", 1.0 / 6, 0.5, nn.HardSwish},
	{"Shrink", 9, "bias", "lambd", 0, 0.5, shrink},
}

func shrink(y, x []float32, bias, lambda float32) {
	for i, v := range x {
		switch {
		case v < -lambda:
			y[i] = v + bias
		case v > lambda:
			y[i] = v - bias
		default:
			y[i] = 0
		}
	}
}

func planActivation(c *Call) error {
	f := activationOf[c.Node.Op]
	a, b := c.Node.Float(f.attrA, f.a), c.Node.Float(f.attrB, f.b)
	sameOut(c)
	c.Run(func(args *Args) { f.f(args.Out[0].Float32s(), args.In[0].Float32s(), a, b) })
	return nil
}

func planGelu(c *Call) error {
	f := nn.Gelu
	if c.Node.Str("approximate", "none") == "tanh" {
		f = nn.GeluTanh
	}
	return stepFunction(c, f)
}

func stepFunction(c *Call, f func(y, x []float32)) error {
	sameOut(c)
	c.Run(func(a *Args) { f(a.Out[0].Float32s(), a.In[0].Float32s()) })
	return nil
}

func planFunction(c *Call) error {
	f := functionOf[c.Node.key()]
	if c.In(0).Type == Float32 && f.f32 != nil {
		return stepFunction(c, f.f32)
	}
	sameOut(c)
	stepEach(c, f.f64)
	return nil
}

func checkGelu(n *Node) string {
	if a := n.Str("approximate", "none"); a != "none" && a != "tanh" {
		return "approximate=" + a
	}
	return ""
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
func planClip(c *Call) error {
	in := sameOut(c)
	inf := float32(math.Inf(1))
	if c.Node.Version < 11 {
		if in.Type != Float32 {
			return unsupported(c, "type ", in.Type.String())
		}
		lo, hi := c.Node.Float("min", -inf), c.Node.Float("max", inf)
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
			lo, hi := -inf, inf
			if b := optional(a, 1); b != nil {
				lo = b[0]
			}
			if b := optional(a, 2); b != nil {
				hi = b[0]
			}
			nn.Clip(a.Out[0].Float32s(), a.In[0].Float32s(), lo, hi)
		})
	case Float64:
		stepClip(c, floatPair("Max"), floatPair("Min"))
	default:
		stepClip(c, intPair("Max", in.Type == Uint64), intPair("Min", in.Type == Uint64))
	}
	return nil
}

// stepClip clips the other types: y = upper(lower(x, min), max).
func stepClip[T wideElem](c *Call, lower, upper func(a, b T) T) {
	w := newWide[T](c, min(c.NumIn(), 3), c.In(0).Type, c.In(0).Len())
	c.Run(func(a *Args) {
		y := w.out(a)
		copy(y, w.in(a, 0))
		for i := 1; i < len(w.load); i++ {
			if a.In[i] == nil {
				continue
			}
			bound := w.in(a, i)[0]
			for k, v := range y {
				if i == 1 {
					y[k] = lower(v, bound)
				} else {
					y[k] = upper(v, bound)
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
