package graph

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/opt"
)

// sketch builds small graphs for tests.
type sketch struct {
	g   *ir.Graph
	rng *rand.Rand
}

func newSketch() *sketch {
	return &sketch{g: &ir.Graph{Opsets: map[string]int{"": 17}}, rng: rand.New(rand.NewPCG(1, 2))}
}

func (s *sketch) input(dims ...int) *ir.Value {
	v := &ir.Value{Name: "x" + string(rune('0'+len(s.g.Inputs))), Type: ir.Float32, Known: true}
	for _, d := range dims {
		v.Dims = append(v.Dims, ir.Dim{Size: d})
	}
	s.g.Inputs = append(s.g.Inputs, v)
	return v
}

// weights is a constant of values between 0.5 and 1.5.
func (s *sketch) weights(dims ...int) *ir.Value {
	data := make([]float32, ir.Elements(dims))
	for i := range data {
		data[i] = 0.5 + s.rng.Float32()
	}
	return constant("w", dims, data)
}

func number(f float32) *ir.Value { return constant("c", nil, []float32{f}) }

func (s *sketch) node(op string, attrs map[string]*ir.Attr, in ...*ir.Value) *ir.Value {
	v := &ir.Value{Name: op, Type: ir.Float32}
	s.g.Nodes = append(s.g.Nodes, &ir.Node{Name: op, Op: op, Version: 17, Inputs: in, Outputs: []*ir.Value{v}, Attrs: attrs})
	return v
}

// newest sets the opset of the latest node to the newest.
func (s *sketch) newest(v *ir.Value) *ir.Value {
	s.g.Nodes[len(s.g.Nodes)-1].Version = 26
	return v
}

func (s *sketch) output(v ...*ir.Value) *ir.Graph {
	s.g.Outputs = append(s.g.Outputs, v...)
	return s.g
}

func intsAttr(v ...int64) *ir.Attr { return &ir.Attr{Kind: ir.AttrInts, Ints: v} }

// spelled is LayerNorm over the last axis in primitive nodes, each of which a
// test may replace.
type spelled struct {
	axes1, axes2  []int64
	keep          int64
	power         float32
	epsilon       float32
	outside       bool    // ε added outside the root
	correction    float32 // factor on the variance
	square        string  // "Pow" or "Mul"
	inverse       bool    // multiply by the reciprocal
	gamma, beta   func(s *sketch) *ir.Value
	noBeta        bool
	reuse, expose string // an inner value used twice, or given out
}

func usual() spelled {
	return spelled{
		axes1: []int64{-1}, axes2: []int64{-1}, keep: 1, power: 2, epsilon: 1e-5, square: "Pow",
		gamma: func(s *sketch) *ir.Value { return s.weights(8) },
		beta:  func(s *sketch) *ir.Value { return s.weights(8) },
	}
}

func (p spelled) build() *ir.Graph {
	s := newSketch()
	x := s.input(4, 8)
	values := map[string]*ir.Value{}
	note := func(name string, v *ir.Value) *ir.Value { values[name] = v; return v }
	keep := intAttr(p.keep)
	m := note("mean", s.node("ReduceMean", map[string]*ir.Attr{"axes": intsAttr(p.axes1...), "keepdims": keep}, x))
	d := note("deviation", s.node("Sub", nil, x, m))
	var sq *ir.Value
	if p.square == "Mul" {
		sq = s.node("Mul", nil, d, d)
	} else {
		sq = s.node("Pow", nil, d, number(p.power))
	}
	v := note("variance", s.node("ReduceMean", map[string]*ir.Attr{"axes": intsAttr(p.axes2...), "keepdims": keep}, note("square", sq)))
	if p.correction != 0 {
		v = s.node("Mul", nil, v, number(p.correction))
	}
	var root *ir.Value
	if p.outside {
		root = s.node("Add", nil, s.node("Sqrt", nil, v), number(p.epsilon))
	} else {
		root = s.node("Sqrt", nil, note("sum", s.node("Add", nil, v, number(p.epsilon))))
	}
	note("root", root)
	var n *ir.Value
	if p.inverse {
		n = s.node("Mul", nil, d, s.node("Reciprocal", nil, root))
	} else {
		n = s.node("Div", nil, d, root)
	}
	y := s.node("Mul", nil, note("standardized", n), p.gamma(s))
	if !p.noBeta {
		y = s.node("Add", nil, note("scaled", y), p.beta(s))
	}
	if p.reuse != "" {
		y = s.node("Add", nil, y, values[p.reuse])
	}
	s.output(y)
	if p.expose != "" {
		s.output(values[p.expose])
	}
	return s.g
}

// census counts the operators of g.
func census(g *ir.Graph) map[string]int {
	c := map[string]int{}
	for _, n := range g.Nodes {
		name := n.Op
		if n.Domain != "" {
			name = n.Domain + "." + name
		}
		c[name]++
	}
	return c
}

func TestFuseLayerNorm(t *testing.T) {
	for name, change := range map[string]func(p *spelled){
		"usual":         func(*spelled) {},
		"square as Mul": func(p *spelled) { p.square = "Mul" },
		"by reciprocal": func(p *spelled) { p.inverse = true },
		"no bias":       func(p *spelled) { p.noBeta = true },
		"positive axis": func(p *spelled) { p.axes1, p.axes2 = []int64{1}, []int64{-1} },
		"two axes": func(p *spelled) {
			p.axes1, p.axes2 = []int64{0, 1}, []int64{-1, -2}
			p.gamma = func(s *sketch) *ir.Value { return s.weights(4, 8) }
			p.beta = p.gamma
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := usual()
			change(&p)
			g := p.build()
			opt.Optimize(g)
			assert.Equal(t, map[string]int{"LayerNormalization": 1}, census(g))
			ln := g.Nodes[0]
			assert.Equal(t, p.epsilon, ln.Float("epsilon", 0))
			assert.EqualValues(t, -len(p.axes1), ln.Int("axis", 0))
			assert.Same(t, g.Inputs[0], ln.Inputs[0])
			sameResults(t, p.build)
		})
	}
}

// only is what a census counts of some operators.
func only(c map[string]int, ops ...string) map[string]int {
	some := map[string]int{}
	for _, op := range ops {
		if c[op] > 0 {
			some[op] = c[op]
		}
	}
	return some
}

func TestLayerNormNearMisses(t *testing.T) {
	for name, change := range map[string]func(p *spelled){
		"epsilon outside the root": func(p *spelled) { p.outside = true },
		"unbiased variance":        func(p *spelled) { p.correction = 8.0 / 7 },
		"power 4":                  func(p *spelled) { p.power = 4 },
		"power 1.5":                func(p *spelled) { p.power = 1.5 },
		"per-token scale":          func(p *spelled) { p.gamma = func(s *sketch) *ir.Value { return s.weights(4, 1) } },
		"scale of full rank":       func(p *spelled) { p.gamma = func(s *sketch) *ir.Value { return s.weights(4, 8) } },
		"scalar scale":             func(p *spelled) { p.gamma = func(s *sketch) *ir.Value { return number(2) } },
		"one scale for all":        func(p *spelled) { p.gamma = func(s *sketch) *ir.Value { return s.weights(1) } },
		"computed scale": func(p *spelled) {
			p.gamma = func(s *sketch) *ir.Value { return s.input(8) }
		},
		"different axes":   func(p *spelled) { p.axes2 = []int64{0} },
		"leading axis":     func(p *spelled) { p.axes1, p.axes2 = []int64{0}, []int64{0} },
		"negative epsilon": func(p *spelled) { p.epsilon = -1e-5 },
		"mean used twice, but the deviation's RMSNorm":      func(p *spelled) { p.reuse = "mean" },
		"deviation used twice, but the deviation's RMSNorm": func(p *spelled) { p.reuse = "deviation" },
		"variance used twice":                               func(p *spelled) { p.reuse = "variance" },
		"root used twice":                                   func(p *spelled) { p.reuse = "root" },
		"standardized is twice":                             func(p *spelled) { p.reuse = "standardized" },
		"mean is an output, but the deviation's RMSNorm":    func(p *spelled) { p.expose = "mean" },
		"variance is an output":                             func(p *spelled) { p.expose = "variance" },
	} {
		t.Run(name, func(t *testing.T) {
			p := usual()
			change(&p)
			g := p.build()
			before := census(g)
			opt.Optimize(g)
			if strings.HasSuffix(name, "the deviation's RMSNorm") {
				assert.Equal(t, map[string]int{"RMSNormalization": 1}, only(census(g), "RMSNormalization", "LayerNormalization"))
			} else {
				assert.Equal(t, before, census(g))
			}
			if p.epsilon > 0 {
				sameResults(t, p.build)
			}
		})
	}
	t.Run("bias per token keeps its Add", func(t *testing.T) {
		p := usual()
		p.beta = func(s *sketch) *ir.Value { return s.weights(4, 1) }
		g := p.build()
		opt.Optimize(g)
		assert.Equal(t, map[string]int{"LayerNormalization": 1, "Add": 1}, census(g))
		sameResults(t, p.build)
	})
}

// swish is x·clip(x+3, 0, 6)/6.
func swish(s *sketch, x *ir.Value, shift, lo, hi, div float32) *ir.Value {
	c := s.node("Clip", nil, s.node("Add", nil, x, number(shift)), number(lo), number(hi))
	return s.node("Div", nil, s.node("Mul", nil, x, c), number(div))
}

func TestFuseActivations(t *testing.T) {
	conv := func(s *sketch) *ir.Value {
		return s.node("Conv", nil, s.input(1, 2, 5, 5), s.weights(3, 2, 3, 3))
	}
	norm := func(s *sketch) *ir.Value {
		return s.node("BatchNormalization", nil, s.input(2, 3, 4), s.weights(3), s.weights(3), s.weights(3), s.weights(3))
	}
	training := map[string]*ir.Attr{"training_mode": intAttr(1)}
	gate := map[string]*ir.Attr{"alpha": floatAttr(1.0 / 6), "beta": floatAttr(0.5)}
	for _, c := range []struct {
		name  string
		build func(s *sketch) *ir.Value
		want  string
	}{
		{"hardswish", func(s *sketch) *ir.Value { return swish(s, s.input(4, 8), 3, 0, 6, 6) }, "HardSwish"},
		{"hardswish by a sixth", func(s *sketch) *ir.Value {
			x := s.input(4, 8)
			c := s.node("Clip", nil, s.node("Add", nil, number(3), x), number(0), number(6))
			return s.node("Mul", nil, s.node("Mul", nil, c, x), number(1.0/6))
		}, "HardSwish"},
		{"hardswish through the gate", func(s *sketch) *ir.Value {
			x := s.input(4, 8)
			c := s.node("Clip", nil, s.node("Add", nil, x, number(3)), number(0), number(6))
			return s.node("Mul", nil, x, s.node("Div", nil, c, number(6)))
		}, "HardSwish"},
		{"hardswish of HardSigmoid", func(s *sketch) *ir.Value {
			x := s.input(4, 8)
			return s.node("Mul", nil, s.node("HardSigmoid", gate, x), x)
		}, "HardSwish"},
		{"hardsigmoid", func(s *sketch) *ir.Value {
			c := s.node("Clip", nil, s.node("Add", nil, s.input(4), number(3)), number(0), number(6))
			return s.node("Div", nil, c, number(6))
		}, "HardSigmoid"},
		{"hardswish shifted by 2", func(s *sketch) *ir.Value { return swish(s, s.input(4), 2, 0, 6, 6) }, "Add Clip Div Mul"},
		{"hardswish clipped at 7", func(s *sketch) *ir.Value { return swish(s, s.input(4), 3, 0, 7, 6) }, "Add Clip Div Mul"},
		{"hardswish clipped below", func(s *sketch) *ir.Value { return swish(s, s.input(4), 3, -1, 6, 6) }, "Add Clip Div Mul"},
		{"hardswish by 5", func(s *sketch) *ir.Value { return swish(s, s.input(4), 3, 0, 6, 5) }, "Add Clip Div Mul"},
		{"hardswish of another value", func(s *sketch) *ir.Value {
			c := s.node("Clip", nil, s.node("Add", nil, s.input(4), number(3)), number(0), number(6))
			return s.node("Div", nil, s.node("Mul", nil, s.input(4), c), number(6))
		}, "Add Clip Div Mul"},
		{"hardsigmoid of other slope", func(s *sketch) *ir.Value {
			x := s.input(4, 8)
			return s.node("Mul", nil, s.node("HardSigmoid", nil, x), x)
		}, "HardSigmoid Mul"},
		{"silu", func(s *sketch) *ir.Value {
			x := s.input(4)
			return s.node("Mul", nil, x, s.node("Sigmoid", nil, x))
		}, "normwasm.Silu"},
		{"silu through a product with one", func(s *sketch) *ir.Value {
			x := s.input(4)
			return s.node("Mul", nil, x, s.node("Sigmoid", nil, s.node("Mul", nil, x, number(1))))
		}, "normwasm.Silu"},
		{"silu with a temperature", func(s *sketch) *ir.Value {
			x := s.input(4)
			return s.node("Mul", nil, x, s.node("Sigmoid", nil, s.node("Mul", nil, x, number(1.702))))
		}, "com.microsoft.QuickGelu"},
		{"gate of another value", func(s *sketch) *ir.Value {
			return s.node("Mul", nil, s.input(4), s.node("Sigmoid", nil, s.input(4)))
		}, "Mul Sigmoid"},
		{"conv relu", func(s *sketch) *ir.Value { return s.node("Relu", nil, conv(s)) }, "Conv"},
		{"conv clip", func(s *sketch) *ir.Value { return s.node("Clip", nil, conv(s), number(-1), number(2)) }, "Conv"},
		{"conv clip above only", func(s *sketch) *ir.Value { return s.node("Clip", nil, conv(s), nil, number(2)) }, "Conv"},
		{"conv hardswish", func(s *sketch) *ir.Value { return s.node("HardSwish", nil, conv(s)) }, "Conv"},
		{"conv hardswish, times and plus a number", func(s *sketch) *ir.Value {
			return s.node("Add", nil, s.node("Mul", nil, s.weights(1), s.node("HardSwish", nil, conv(s))), s.weights(1))
		}, "Conv"},
		{"conv hardswish, plus a number, times one", func(s *sketch) *ir.Value {
			return s.node("Mul", nil, s.node("Add", nil, s.node("HardSwish", nil, conv(s)), s.weights(1)), s.weights(1))
		}, "Conv Mul"},
		{"conv hardswish, times nothing", func(s *sketch) *ir.Value {
			return s.node("Mul", nil, s.node("HardSwish", nil, conv(s)), number(0))
		}, "Conv Mul"},
		{"conv hardswish, times a number for each channel", func(s *sketch) *ir.Value {
			return s.node("Mul", nil, s.node("HardSwish", nil, conv(s)), s.weights(3, 1, 1))
		}, "Conv Mul"},
		{"conv sigmoid, times a number", func(s *sketch) *ir.Value {
			return s.node("Mul", nil, s.node("Sigmoid", nil, conv(s)), s.weights(1))
		}, "Conv Mul"},
		{"conv sigmoid", func(s *sketch) *ir.Value { return s.node("Sigmoid", nil, conv(s)) }, "Conv"},
		{"conv tanh", func(s *sketch) *ir.Value { return s.node("Tanh", nil, conv(s)) }, "Conv"},
		{"conv hardsigmoid", func(s *sketch) *ir.Value {
			return s.node("HardSigmoid", map[string]*ir.Attr{"alpha": floatAttr(0.3)}, conv(s))
		}, "Conv"},
		{"conv leaky", func(s *sketch) *ir.Value {
			return s.node("LeakyRelu", map[string]*ir.Attr{"alpha": floatAttr(0.3)}, conv(s))
		}, "Conv"},
		{"conv silu", func(s *sketch) *ir.Value {
			x := conv(s)
			return s.node("Mul", nil, x, s.node("Sigmoid", nil, x))
		}, "Conv"},
		{"conv gelu", func(s *sketch) *ir.Value { return s.newest(s.node("Gelu", nil, conv(s))) }, "Conv"},
		{"conv gelu by tanh", func(s *sketch) *ir.Value {
			return s.newest(s.node("Gelu", map[string]*ir.Attr{"approximate": {Kind: ir.AttrString, S: "tanh"}}, conv(s)))
		}, "Conv"},
		{"conv relu sigmoid", func(s *sketch) *ir.Value { return s.node("Sigmoid", nil, s.node("Relu", nil, conv(s))) }, "Conv Sigmoid"},
		{"conv sigmoid relu", func(s *sketch) *ir.Value { return s.node("Relu", nil, s.node("Sigmoid", nil, conv(s))) }, "Conv Relu"},
		{"conv sigmoid, and its sum", func(s *sketch) *ir.Value {
			x := conv(s)
			return s.node("Add", nil, x, s.node("Sigmoid", nil, x))
		}, "Add Conv Sigmoid"},
		{"conv relu relu", func(s *sketch) *ir.Value { return s.node("Relu", nil, s.node("Relu", nil, conv(s))) }, "Conv Relu"},
		{"conv with computed clip", func(s *sketch) *ir.Value { return s.node("Clip", nil, conv(s), s.input()) }, "Clip Conv"},
		{"conv clip upside down", func(s *sketch) *ir.Value {
			return s.node("Clip", nil, conv(s), number(2), number(1))
		}, "Clip Conv"},
		{"norm relu", func(s *sketch) *ir.Value { return s.node("Relu", nil, norm(s)) }, "BatchNormalization"},
		{"norm relu6", func(s *sketch) *ir.Value { return s.node("Clip", nil, norm(s), number(0), number(6)) }, "BatchNormalization"},
		{"norm clip", func(s *sketch) *ir.Value { return s.node("Clip", nil, norm(s), number(0), number(5)) }, "BatchNormalization Clip"},
		{"norm in training mode, relu", func(s *sketch) *ir.Value {
			return s.node("Relu", nil, s.node("BatchNormalization", training, s.input(2, 3, 4), s.weights(3), s.weights(3), s.weights(3), s.weights(3)))
		}, "BatchNormalization Relu"},
		{"conv used twice", func(s *sketch) *ir.Value {
			c := conv(s)
			return s.node("Add", nil, s.node("Relu", nil, c), c)
		}, "Add Conv Relu"},
	} {
		t.Run(c.name, func(t *testing.T) {
			build := func() *ir.Graph {
				s := newSketch()
				return s.output(c.build(s))
			}
			g := build()
			opt.Optimize(g)
			assert.Equal(t, c.want, listed(g))
			sameResults(t, build)
		})
	}
}

// listed is the operators of g in alphabetical order.
func listed(g *ir.Graph) string {
	var ops []string
	for op, n := range census(g) {
		for range n {
			ops = append(ops, op)
		}
	}
	slices.Sort(ops)
	return strings.Join(ops, " ")
}

func TestFolds(t *testing.T) {
	conv := func(s *sketch) *ir.Value {
		return s.node("Conv", nil, s.input(2, 2, 5, 3), s.weights(3, 2, 3, 3), s.weights(3))
	}
	norm := func(s *sketch, x *ir.Value) *ir.Value {
		return s.node("BatchNormalization", nil, x, s.weights(3), s.weights(3), s.weights(3), s.weights(3))
	}
	for _, c := range []struct {
		name  string
		build func(s *sketch) *ir.Value
		want  string
	}{
		{"norm after conv", func(s *sketch) *ir.Value { return norm(s, conv(s)) }, "Conv"},
		{"norm after conv without bias", func(s *sketch) *ir.Value {
			return norm(s, s.node("Conv", nil, s.input(1, 2, 5, 5), s.weights(3, 2, 3, 3)))
		}, "Conv"},
		{"norm after grouped conv", func(s *sketch) *ir.Value {
			return norm(s, s.node("Conv", map[string]*ir.Attr{"group": intAttr(3)}, s.input(1, 3, 5, 5), s.weights(3, 1, 3, 3)))
		}, "Conv"},
		{"norm after transposed conv", func(s *sketch) *ir.Value {
			return norm(s, s.node("ConvTranspose", map[string]*ir.Attr{"strides": intsAttr(2, 2), "dilations": intsAttr(1, 2)}, s.input(1, 2, 5, 5), s.weights(2, 3, 2, 3), s.weights(3)))
		}, "ConvTranspose"},
		{"norm after sum after conv", func(s *sketch) *ir.Value {
			return s.node("Relu", nil, norm(s, s.node("Add", nil, conv(s), s.weights(1, 3, 1, 1))))
		}, "Conv"},
		{"sum after grouped transposed conv", func(s *sketch) *ir.Value {
			y := s.node("ConvTranspose", map[string]*ir.Attr{"group": intAttr(2), "dilations": intsAttr(2, 1)}, s.input(1, 4, 5, 5), s.weights(4, 3, 3, 3))
			return s.node("Mul", nil, s.node("Add", nil, y, s.weights(6, 1, 1)), s.weights(1, 6, 1, 1))
		}, "ConvTranspose"},
		{"function after transposed conv", func(s *sketch) *ir.Value {
			y := s.node("ConvTranspose", map[string]*ir.Attr{"dilations": intsAttr(2, 1)}, s.input(1, 4, 5, 5), s.weights(4, 3, 3, 3))
			return s.node("Sigmoid", nil, y)
		}, "ConvTranspose"},
		{"norm, relu after conv", func(s *sketch) *ir.Value { return s.node("Relu", nil, norm(s, conv(s))) }, "Conv"},
		{"norm after norm after conv", func(s *sketch) *ir.Value { return norm(s, norm(s, conv(s))) }, "Conv"},
		{"norm after relu", func(s *sketch) *ir.Value {
			return norm(s, s.node("Relu", nil, conv(s)))
		}, "BatchNormalization Conv"},
		{"norm of an input", func(s *sketch) *ir.Value { return norm(s, s.input(2, 3, 4)) }, "BatchNormalization"},
		{"norm with computed statistics", func(s *sketch) *ir.Value {
			return s.node("BatchNormalization", nil, conv(s), s.weights(3), s.weights(3), s.input(3), s.weights(3))
		}, "BatchNormalization Conv"},
		{"norm in training mode", func(s *sketch) *ir.Value {
			training := map[string]*ir.Attr{"training_mode": intAttr(1)}
			return s.node("BatchNormalization", training, conv(s), s.weights(3), s.weights(3), s.weights(3), s.weights(3))
		}, "BatchNormalization Conv"},
		{"norm that gives out a statistic, as opset 13 trains", func(s *sketch) *ir.Value {
			y := norm(s, conv(s))
			n := s.g.Nodes[len(s.g.Nodes)-1]
			n.Version, n.Outputs = 13, append(n.Outputs, nil, &ir.Value{Name: "variance"})
			s.output(n.Outputs[2])
			return y
		}, "BatchNormalization Conv"},
		{"conv with computed weights", func(s *sketch) *ir.Value {
			return norm(s, s.node("Conv", nil, s.input(1, 2, 5, 5), s.input(3, 2, 3, 3)))
		}, "BatchNormalization Conv"},
		{"conv used twice", func(s *sketch) *ir.Value {
			c := conv(s)
			return s.node("Add", nil, norm(s, c), c)
		}, "Add BatchNormalization Conv"},
		{"mul by a number", func(s *sketch) *ir.Value { return s.node("Mul", nil, conv(s), s.weights(1)) }, "Conv"},
		{"number times conv, plus number", func(s *sketch) *ir.Value {
			return s.node("Add", nil, s.weights(1), s.node("Mul", nil, s.weights(1), conv(s)))
		}, "Conv"},
		{"per channel", func(s *sketch) *ir.Value { return s.node("Mul", nil, conv(s), s.weights(3, 1, 1)) }, "Conv"},
		{"per channel, full rank", func(s *sketch) *ir.Value { return s.node("Add", nil, conv(s), s.weights(1, 3, 1, 1)) }, "Conv"},
		{"number minus conv", func(s *sketch) *ir.Value { return s.node("Sub", nil, s.weights(1), conv(s)) }, "Conv"},
		{"conv by number", func(s *sketch) *ir.Value { return s.node("Div", nil, conv(s), s.weights(1)) }, "Conv"},
		{"number by conv", func(s *sketch) *ir.Value { return s.node("Div", nil, s.weights(1), conv(s)) }, "Conv Div"},
		{"along the width", func(s *sketch) *ir.Value {
			return s.node("Mul", nil, s.node("Conv", nil, s.input(2, 2, 5, 5), s.weights(3, 2, 3, 3)), s.weights(3))
		}, "Conv Mul"},
		{"more dimensions", func(s *sketch) *ir.Value { return s.node("Mul", nil, conv(s), s.weights(1, 1, 1, 1, 1)) }, "Conv Mul"},
		{"per example", func(s *sketch) *ir.Value { return s.node("Mul", nil, conv(s), s.weights(2, 1, 1, 1)) }, "Conv Mul"},
		{"matmul and bias", func(s *sketch) *ir.Value {
			return s.node("Add", nil, s.node("MatMul", nil, s.input(2, 3, 4), s.weights(4, 5)), s.weights(5))
		}, "normwasm.MatMul"},
		{"bias and matmul", func(s *sketch) *ir.Value {
			return s.node("Add", nil, s.weights(5), s.node("MatMul", nil, s.input(3, 4), s.weights(4, 5)))
		}, "normwasm.MatMul"},
		{"matmul and a sum of another length", func(s *sketch) *ir.Value {
			return s.node("Add", nil, s.node("MatMul", nil, s.input(3, 4), s.weights(4, 5)), s.weights(1))
		}, "Add MatMul"},
		{"matmul and a bias of higher rank", func(s *sketch) *ir.Value {
			return s.node("Add", nil, s.node("MatMul", nil, s.input(3, 4), s.weights(4, 5)), s.weights(3, 5))
		}, "Add MatMul"},
		{"batched matmul and bias", func(s *sketch) *ir.Value {
			return s.node("Add", nil, s.node("MatMul", nil, s.input(2, 3, 4), s.weights(2, 4, 5)), s.weights(5))
		}, "Add MatMul"},
	} {
		t.Run(c.name, func(t *testing.T) {
			build := func() *ir.Graph {
				s := newSketch()
				return s.output(c.build(s))
			}
			g := build()
			opt.Optimize(g)
			assert.Equal(t, c.want, listed(g))
			sameResults(t, build)
		})
	}
}

func TestDropIdentities(t *testing.T) {
	s := newSketch()
	x := s.input(3, 4)
	a := s.node("Identity", nil, x)
	b := s.node("Dropout", nil, a)
	c := s.node("Mul", nil, b, number(1))
	d := s.node("Add", nil, c, number(0))
	e := s.node("Relu", nil, d)
	f := s.node("Identity", nil, e)
	g := s.output(f)
	opt.Optimize(g)
	assert.Equal(t, "Identity Relu", listed(g), "the graph's output keeps its node")
	assert.Same(t, x, g.Nodes[0].Inputs[0])

	s = newSketch()
	g = s.output(s.node("Relu", nil, s.node("Mul", nil, s.input(3), s.weightsOf(1, 1, 1))))
	opt.Optimize(g)
	assert.Equal(t, "Mul Relu", listed(g), "a factor of higher rank widens the shape")
}

// weightsOf is a constant of ones.
func (s *sketch) weightsOf(dims ...int) *ir.Value {
	ones := make([]float32, ir.Elements(dims))
	for i := range ones {
		ones[i] = 1
	}
	return constant("ones", dims, ones)
}

func TestDeadNodesGo(t *testing.T) {
	s := newSketch()
	x := s.input(3)
	s.node("Exp", nil, s.node("Neg", nil, x))
	g := s.output(s.node("Relu", nil, x))
	opt.Optimize(g)
	assert.Equal(t, []string{"Relu"}, slices.Collect(maps.Keys(census(g))))
}

// sameResults runs the graph as it is written and as the optimizer leaves it.
func sameResults(t *testing.T, build func() *ir.Graph) {
	t.Helper()
	var results [2][]*ir.Tensor
	for i, level := range []string{"none", "all"} {
		s, err := NewSession(build(), Options{Optimize: level})
		require.NoError(t, err)
		var dims [][]int
		for _, in := range s.Inputs() {
			d := []int{}
			for _, dim := range in.Dims {
				d = append(d, dim.Size)
			}
			dims = append(dims, d)
		}
		r, err := s.Prepare(dims)
		require.NoError(t, err)
		rng := rand.New(rand.NewPCG(3, 4))
		for k := range dims {
			x := r.In(k).Float32s()
			for j := range x {
				x[j] = 0.1 + 4*rng.Float32()
			}
		}
		require.NoError(t, r.Exec())
		for k := range s.Outputs() {
			results[i] = append(results[i], r.Out(k))
		}
	}
	for k, want := range results[0] {
		got := results[1][k]
		require.Equal(t, want.Dims, got.Dims)
		for j, w := range want.Float32s() {
			require.InDelta(t, w, got.Float32s()[j], 2e-5*max(1, math.Abs(float64(w))), "output %d, element %d", k, j)
		}
	}
}

// constant makes a float32 constant.
func constant(name string, dims []int, data []float32) *ir.Value {
	t := ir.NewTensor(ir.Float32, dims...)
	copy(t.Float32s(), data)
	v := &ir.Value{Name: name, Type: ir.Float32, Known: true, Const: t}
	for _, d := range dims {
		v.Dims = append(v.Dims, ir.Dim{Size: d})
	}
	return v
}

func floatAttr(f float32) *ir.Attr { return &ir.Attr{Kind: ir.AttrFloat, F: f} }
func intAttr(i int64) *ir.Attr     { return &ir.Attr{Kind: ir.AttrInt, I: i} }
