package graph

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/normwasm/normwasm/nn/ir"
	"github.com/normwasm/normwasm/nn/op"
	"github.com/normwasm/normwasm/nn/opt"
)

// fusion is a graph and the operators that the optimizer leaves of it.
type fusion struct {
	name  string
	build func(s *sketch) []*ir.Value
	want  string
}

func (c fusion) test(t *testing.T) {
	t.Run(c.name, func(t *testing.T) {
		build := func() *ir.Graph {
			s := newSketch()
			return s.output(c.build(s)...)
		}
		g := build()
		opt.Optimize(g)
		assert.Equal(t, c.want, listed(g))
		sameResults(t, build)
	})
}

func outs(v ...*ir.Value) []*ir.Value { return v }

func integers(v ...int64) *ir.Value {
	t := ir.NewTensor(ir.Int64, len(v))
	copy(t.Int64s(), v)
	return &ir.Value{Name: "ints", Type: ir.Int64, Const: t}
}

// rms is RMSNorm spelled in nodes, each of which a test may replace.
type rms struct {
	square, inverse string
	power           float32
	outside         bool
	keep            int64
	axis            int64
	gamma           func(s *sketch) *ir.Value
	reuse, none     bool
}

func (p rms) build(s *sketch, x *ir.Value) *ir.Value {
	square := x
	if p.square == "Mul" {
		square = s.node("Mul", nil, x, x)
	} else {
		square = s.node("Pow", nil, x, number(p.power))
	}
	mean := s.node("ReduceMean", map[string]*ir.Attr{"axes": intsAttr(p.axis), "keepdims": intAttr(p.keep)}, square)
	var root *ir.Value
	sum := mean
	if !p.outside {
		sum = s.node("Add", nil, mean, number(1e-3))
	}
	if p.inverse != "Pow" {
		root = s.node("Sqrt", nil, sum)
	}
	if p.outside {
		root = s.node("Add", nil, root, number(1e-3))
	}
	var y *ir.Value
	switch p.inverse {
	case "Reciprocal":
		y = s.node("Mul", nil, x, s.node("Reciprocal", nil, root))
	case "one over":
		y = s.node("Mul", nil, s.node("Div", nil, number(1), root), x)
	case "Pow":
		y = s.node("Mul", nil, x, s.node("Pow", nil, sum, number(-0.5)))
	default:
		y = s.node("Div", nil, x, root)
	}
	if p.reuse {
		s.output(mean)
	}
	if p.none {
		return y
	}
	return s.node("Mul", nil, p.gamma(s), y)
}

func TestFuseRMSNorm(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(p *rms)
		want   string
	}{
		{"usual", func(*rms) {}, "RMSNormalization"},
		{"square as Mul", func(p *rms) { p.square = "Mul" }, "RMSNormalization"},
		{"by Reciprocal", func(p *rms) { p.inverse = "Reciprocal" }, "RMSNormalization"},
		{"by one over", func(p *rms) { p.inverse = "one over" }, "RMSNormalization"},
		{"by Pow", func(p *rms) { p.inverse = "Pow" }, "RMSNormalization"},
		{"positive axis", func(p *rms) { p.axis = 1 }, "RMSNormalization"},
		{"power 3", func(p *rms) { p.power = 3 }, "Add Div Mul Pow ReduceMean Sqrt"},
		{"epsilon outside", func(p *rms) { p.outside = true }, "Add Div Mul Pow ReduceMean Sqrt"},
		{"first axis", func(p *rms) { p.axis = 0 }, "Add Div Mul Pow ReduceMean Sqrt"},
		{"no scale", func(p *rms) { p.none = true }, "Add Div Pow ReduceMean Sqrt"},
		{"scalar scale", func(p *rms) { p.gamma = func(*sketch) *ir.Value { return number(2) } }, "Add Div Mul Pow ReduceMean Sqrt"},
		{"scale per row", func(p *rms) { p.gamma = func(s *sketch) *ir.Value { return s.weights(4, 1) } }, "Add Div Mul Pow ReduceMean Sqrt"},
		{"computed scale", func(p *rms) { p.gamma = func(s *sketch) *ir.Value { return s.input(8) } }, "Add Div Mul Pow ReduceMean Sqrt"},
		{"mean used twice", func(p *rms) { p.reuse = true }, "Add Div Mul Pow ReduceMean Sqrt"},
	} {
		p := rms{square: "Pow", power: 2, keep: 1, axis: -1, gamma: func(s *sketch) *ir.Value { return s.weights(8) }}
		c.change(&p)
		fusion{c.name, func(s *sketch) []*ir.Value { return outs(p.build(s, s.input(4, 8))) }, c.want}.test(t)
	}
	// In front of a product its x may be a sum that goes on, as in a decoder's layer.
	fusion{"of a sum that goes on", func(s *sketch) []*ir.Value {
		sum := s.node("Add", nil, s.input(4, 8), s.input(4, 8))
		p := rms{square: "Pow", power: 2, keep: 1, axis: -1, gamma: func(s *sketch) *ir.Value { return s.weights(8) }}
		return outs(s.node("Add", nil, sum, p.build(s, sum)))
	}, "Add com.microsoft.SkipSimplifiedLayerNormalization"}.test(t)
}

func TestFuseResidual(t *testing.T) {
	norm := func(s *sketch, x *ir.Value) *ir.Value {
		return s.node("LayerNormalization", nil, x, s.weights(8), s.weights(8))
	}
	rms := func(s *sketch, x *ir.Value) *ir.Value {
		return s.node("SimplifiedLayerNormalization", nil, x, s.weights(8))
	}
	sum := func(s *sketch) *ir.Value { return s.node("Add", nil, s.input(2, 4, 8), s.input(2, 4, 8)) }
	for _, c := range []fusion{
		{"LayerNorm", func(s *sketch) []*ir.Value { return outs(norm(s, sum(s))) }, "com.microsoft.SkipLayerNormalization"},
		{"RMSNorm", func(s *sketch) []*ir.Value { return outs(rms(s, sum(s))) }, "com.microsoft.SkipSimplifiedLayerNormalization"},
		{"without a bias", func(s *sketch) []*ir.Value { return outs(s.node("LayerNormalization", nil, sum(s), s.weights(8))) }, "com.microsoft.SkipLayerNormalization"},
		{"of a sum that is used before", func(s *sketch) []*ir.Value {
			v := sum(s)
			neg := s.node("Neg", nil, v)
			return outs(s.node("Mul", nil, norm(s, v), neg), v)
		}, "Mul Neg com.microsoft.SkipLayerNormalization"},
		{"twice of one sum", func(s *sketch) []*ir.Value { v := sum(s); return outs(norm(s, v), norm(s, v)) }, "LayerNormalization com.microsoft.SkipLayerNormalization"},
		{"of operands that broadcast", func(s *sketch) []*ir.Value { return outs(norm(s, s.node("Add", nil, s.input(2, 4, 8), s.input(4, 8)))) }, "com.microsoft.SkipLayerNormalization"},
		{"of operands that broadcast the other way", func(s *sketch) []*ir.Value {
			v := s.node("Add", nil, s.input(4, 1), s.input(2, 1, 8))
			return outs(norm(s, v), v)
		}, "com.microsoft.SkipLayerNormalization"},
		{"of rows that the scale widens", func(s *sketch) []*ir.Value {
			p := usual()
			x := s.node("Add", nil, s.input(4, 8), s.input(1, 8))
			m := s.node("ReduceMean", map[string]*ir.Attr{"axes": intsAttr(-1)}, x)
			d := s.node("Sub", nil, x, m)
			v := s.node("ReduceMean", map[string]*ir.Attr{"axes": intsAttr(-1)}, s.node("Mul", nil, d, d))
			n := s.node("Div", nil, d, s.node("Sqrt", nil, s.node("Add", nil, v, number(p.epsilon))))
			return outs(s.node("Add", nil, s.node("Mul", nil, n, s.weights(8)), s.weights(8)))
		}, "com.microsoft.SkipLayerNormalization"},
		{"with a constant", func(s *sketch) []*ir.Value { return outs(norm(s, s.node("Add", nil, s.input(2, 4, 8), s.weights(8)))) }, "Add LayerNormalization"},
		{"of two axes", func(s *sketch) []*ir.Value {
			return outs(s.node("LayerNormalization", map[string]*ir.Attr{"axis": intAttr(-2)}, sum(s), s.weights(4, 8)))
		}, "Add LayerNormalization"},
		{"with a computed scale", func(s *sketch) []*ir.Value { return outs(s.node("LayerNormalization", nil, sum(s), s.input(8))) }, "Add LayerNormalization"},
	} {
		c.test(t)
	}
}

func TestFuseGelu(t *testing.T) {
	gate := func(s *sketch, x *ir.Value, root, one float32) *ir.Value {
		return s.node("Add", nil, s.node("Erf", nil, s.node("Div", nil, x, number(root))), number(one))
	}
	soft := func(s *sketch, x *ir.Value, cubic, factor float32, powers bool) *ir.Value {
		cube := s.node("Pow", nil, x, number(3))
		if !powers {
			cube = s.node("Mul", nil, x, s.node("Mul", nil, x, x))
		}
		inner := s.node("Add", nil, x, s.node("Mul", nil, number(cubic), cube))
		return s.node("Add", nil, s.node("Tanh", nil, s.node("Mul", nil, inner, number(factor))), number(1))
	}
	const root = math.Sqrt2
	factor := float32(math.Sqrt(2 / math.Pi))
	for _, c := range []fusion{
		{"x·gate/2", func(s *sketch) []*ir.Value {
			x := s.input(40)
			return outs(s.node("Mul", nil, s.node("Mul", nil, x, gate(s, x, root, 1)), number(0.5)))
		}, "Gelu"},
		{"by a division", func(s *sketch) []*ir.Value {
			x := s.input(40)
			return outs(s.node("Div", nil, s.node("Mul", nil, gate(s, x, root, 1), x), number(2)))
		}, "Gelu"},
		{"x/2·gate", func(s *sketch) []*ir.Value {
			x := s.input(40)
			return outs(s.node("Mul", nil, s.node("Mul", nil, x, number(0.5)), gate(s, x, root, 1)))
		}, "Gelu"},
		{"x·(gate/2)", func(s *sketch) []*ir.Value {
			x := s.input(40)
			return outs(s.node("Mul", nil, x, s.node("Mul", nil, number(0.5), gate(s, x, root, 1))))
		}, "Gelu"},
		{"by a product with 1/√2", func(s *sketch) []*ir.Value {
			x := s.input(40)
			g := s.node("Add", nil, number(1), s.node("Erf", nil, s.node("Mul", nil, x, number(math.Sqrt2/2))))
			return outs(s.node("Mul", nil, s.node("Mul", nil, x, g), number(0.5)))
		}, "Gelu"},
		{"tanh of powers", func(s *sketch) []*ir.Value {
			x := s.input(40)
			return outs(s.node("Mul", nil, s.node("Mul", nil, number(0.5), x), soft(s, x, 0.044715, factor, true)))
		}, "Gelu"},
		{"tanh of products", func(s *sketch) []*ir.Value {
			x := s.input(40)
			return outs(s.node("Mul", nil, s.node("Mul", nil, x, soft(s, x, 0.044715, factor, false)), number(0.5)))
		}, "Gelu"},
		{"tanh of x·(1 + 0.044715·x²)", func(s *sketch) []*ir.Value {
			x := s.input(40)
			inner := s.node("Mul", nil, s.node("Mul", nil, x, number(factor)), s.node("Add", nil, number(1), s.node("Mul", nil, s.node("Mul", nil, x, number(0.044715)), x)))
			return outs(s.node("Mul", nil, s.node("Mul", nil, x, number(0.5)), s.node("Add", nil, s.node("Tanh", nil, inner), number(1))))
		}, "Gelu"},
		{"tanh of x·(a + b·x²)", func(s *sketch) []*ir.Value {
			x := s.input(40)
			inner := s.node("Mul", nil, x, s.node("Add", nil, number(factor), s.node("Div", nil, s.node("Pow", nil, x, number(2)), number(1/(0.044715*factor)))))
			return outs(s.node("Mul", nil, s.node("Mul", nil, x, number(0.5)), s.node("Add", nil, s.node("Tanh", nil, inner), number(1))))
		}, "Gelu"},
		{"tanh with a square too", func(s *sketch) []*ir.Value {
			x := s.input(40)
			inner := s.node("Mul", nil, number(factor), s.node("Add", nil, s.node("Pow", nil, x, number(2)), s.node("Add", nil, x, s.node("Mul", nil, number(0.044715), s.node("Pow", nil, x, number(3))))))
			return outs(s.node("Mul", nil, s.node("Mul", nil, x, number(0.5)), s.node("Add", nil, s.node("Tanh", nil, inner), number(1))))
		}, "Add Add Add Mul Mul Mul Mul Pow Pow Tanh"},
		{"another root", func(s *sketch) []*ir.Value {
			x := s.input(40)
			return outs(s.node("Mul", nil, s.node("Mul", nil, x, gate(s, x, 1.5, 1)), number(0.5)))
		}, "Add Div Erf Mul Mul"},
		{"another sum", func(s *sketch) []*ir.Value {
			x := s.input(40)
			return outs(s.node("Mul", nil, s.node("Mul", nil, x, gate(s, x, root, 2)), number(0.5)))
		}, "Add Div Erf Mul Mul"},
		{"another factor", func(s *sketch) []*ir.Value {
			x := s.input(40)
			return outs(s.node("Mul", nil, s.node("Mul", nil, x, gate(s, x, root, 1)), number(0.25)))
		}, "Add Div Erf Mul Mul"},
		{"gate of another value", func(s *sketch) []*ir.Value {
			return outs(s.node("Mul", nil, s.node("Mul", nil, s.input(40), gate(s, s.input(40), root, 1)), number(0.5)))
		}, "Add Div Erf Mul Mul"},
		{"another cubic term", func(s *sketch) []*ir.Value {
			x := s.input(40)
			return outs(s.node("Mul", nil, s.node("Mul", nil, number(0.5), x), soft(s, x, 0.05, factor, true)))
		}, "Add Add Mul Mul Mul Mul Pow Tanh"},
		{"a gate that is used twice", func(s *sketch) []*ir.Value {
			x := s.input(40)
			g := gate(s, x, root, 1)
			return outs(s.node("Mul", nil, s.node("Mul", nil, x, g), number(0.5)), g)
		}, "Add Div Erf Mul Mul"},
	} {
		c.test(t)
	}
}

func TestFuseGate(t *testing.T) {
	silu := func(s *sketch, x *ir.Value) *ir.Value { return s.node("Mul", nil, x, s.node("Sigmoid", nil, x)) }
	for _, c := range []fusion{
		{"gated", func(s *sketch) []*ir.Value {
			return outs(s.node("Mul", nil, silu(s, s.input(3, 300)), s.input(3, 300)))
		}, "normwasm.SiluMul"},
		{"that broadcasts", func(s *sketch) []*ir.Value { return outs(s.node("Mul", nil, s.input(3, 1), silu(s, s.input(30)))) }, "normwasm.SiluMul"},
		{"a constant", func(s *sketch) []*ir.Value { return outs(s.node("Mul", nil, silu(s, s.input(3, 4)), s.weights(4))) }, "Mul normwasm.Silu"},
		{"used twice", func(s *sketch) []*ir.Value {
			v := silu(s, s.input(3, 4))
			return outs(s.node("Mul", nil, v, s.input(3, 4)), v)
		}, "Mul normwasm.Silu"},
	} {
		c.test(t)
	}
}

func TestFuseGroupNorm(t *testing.T) {
	type spelling struct {
		from, to    []int64
		scale, bias float32
		channels    []int
		shape       bool
	}
	for _, c := range []struct {
		name   string
		change func(p *spelling)
		want   string
	}{
		{"usual", func(*spelling) {}, "GroupNormalization Reshape"},
		{"shape of x", func(p *spelling) { p.shape = true }, "GroupNormalization Reshape Shape"},
		{"batch in numbers", func(p *spelling) { p.from, p.to = []int64{2, 4, -1}, []int64{2, 8, 3, 5} }, "GroupNormalization Reshape"},
		{"other batch", func(p *spelling) { p.from, p.to = []int64{0, 4, -1}, []int64{2, 8, 3, 5} }, "Add InstanceNormalization Mul Reshape Reshape"},
		{"scaled inside", func(p *spelling) { p.scale = 2 }, "Add InstanceNormalization Mul Reshape Reshape"},
		{"shifted inside", func(p *spelling) { p.bias = 1 }, "Add InstanceNormalization Mul Reshape Reshape"},
		{"one group", func(p *spelling) { p.from = []int64{0, 1, -1} }, "Add InstanceNormalization Mul Reshape Reshape"},
		{"scale of another axis", func(p *spelling) { p.channels = []int{3, 1} }, "Add InstanceNormalization Mul Reshape Reshape"},
		{"scale per element", func(p *spelling) { p.channels = []int{8, 3, 1} }, "Add InstanceNormalization Mul Reshape Reshape"},
	} {
		p := spelling{from: []int64{0, 4, -1}, to: []int64{0, 8, 3, 5}, scale: 1, channels: []int{8, 1, 1}}
		c.change(&p)
		groups := int(p.from[1])
		fill := func(v float32) *ir.Value {
			list := make([]float32, groups)
			for i := range list {
				list[i] = v
			}
			return constant("w", []int{groups}, list)
		}
		fusion{c.name, func(s *sketch) []*ir.Value {
			x := s.input(2, 8, 3, 5)
			y := s.node("InstanceNormalization", nil, s.node("Reshape", nil, x, integers(p.from...)), fill(p.scale), fill(p.bias))
			to := integers(p.to...)
			if p.shape {
				to = s.node("Shape", nil, x)
				to.Type = ir.Int64
			}
			return outs(s.node("Add", nil, s.node("Mul", nil, s.node("Reshape", nil, y, to), s.weights(p.channels...)), s.weights(p.channels...)))
		}, c.want}.test(t)
	}
}

func TestFuseLpNorm(t *testing.T) {
	length := func(s *sketch, op string, x *ir.Value, axes ...int64) *ir.Value {
		return s.node(op, map[string]*ir.Attr{"axes": intsAttr(axes...)}, x)
	}
	shape := func(s *sketch, x *ir.Value) *ir.Value {
		v := s.node("Shape", nil, x)
		v.Type = ir.Int64
		return v
	}
	for _, c := range []fusion{
		{"PyTorch's", func(s *sketch) []*ir.Value {
			x := s.input(3, 8)
			return outs(s.node("Div", nil, x, s.node("Expand", nil, s.node("Clip", nil, length(s, "ReduceL2", x, -1), number(1e-12)), shape(s, x))))
		}, "normwasm.LpNormalization"},
		{"of another axis", func(s *sketch) []*ir.Value {
			x := s.input(3, 8, 2)
			return outs(s.node("Div", nil, x, s.node("Max", nil, length(s, "ReduceL2", x, 1), number(0.5))))
		}, "normwasm.LpNormalization"},
		{"of sums", func(s *sketch) []*ir.Value {
			x := s.input(3, 8)
			return outs(s.node("Div", nil, x, s.node("Clip", nil, length(s, "ReduceL1", x, 1), number(1e-3))))
		}, "normwasm.LpNormalization"},
		{"without a bound", func(s *sketch) []*ir.Value {
			x := s.input(3, 8)
			return outs(s.node("Div", nil, x, length(s, "ReduceL2", x, -1)))
		}, "Div ReduceL2"},
		{"with an upper bound", func(s *sketch) []*ir.Value {
			x := s.input(3, 8)
			return outs(s.node("Div", nil, x, s.node("Clip", nil, length(s, "ReduceL2", x, -1), number(1e-12), number(2))))
		}, "Clip Div ReduceL2"},
		{"of two axes", func(s *sketch) []*ir.Value {
			x := s.input(3, 8)
			return outs(s.node("Div", nil, x, s.node("Clip", nil, length(s, "ReduceL2", x, 0, 1), number(1e-12))))
		}, "Clip Div ReduceL2"},
		{"of another value", func(s *sketch) []*ir.Value {
			return outs(s.node("Div", nil, s.input(3, 8), s.node("Clip", nil, length(s, "ReduceL2", s.input(3, 8), -1), number(1e-12))))
		}, "Clip Div ReduceL2"},
	} {
		c.test(t)
	}
}

// spelledAttention is attention in nodes, each of which a test may replace.
type spelledAttention struct {
	q, k, v, mask      []int
	perm               []int64 // of k
	scale              func(s *sketch, v *ir.Value) *ir.Value
	scaleQ, scaleK     bool
	softmax            int64
	guard, give, heads bool
}

func (p spelledAttention) build(s *sketch) []*ir.Value {
	q, k, v := s.input(p.q...), s.input(p.k...), s.input(p.v...)
	swap := map[string]*ir.Attr{"perm": intsAttr(0, 2, 1, 3)}
	if p.heads {
		q, v = s.node("Transpose", swap, q), s.node("Transpose", swap, v)
		if len(p.perm) == 4 && p.perm[1] == 1 {
			k = s.node("Transpose", swap, k)
		}
	}
	kt := s.node("Transpose", map[string]*ir.Attr{"perm": intsAttr(p.perm...)}, k)
	if p.scaleQ {
		q = s.node("Mul", nil, q, number(0.7))
	}
	if p.scaleK {
		kt = s.node("Mul", nil, number(0.6), kt)
	}
	scores := s.node("MatMul", nil, q, kt)
	if p.scale != nil {
		scores = p.scale(s, scores)
	}
	inner := scores
	if p.mask != nil {
		scores = s.node("Add", nil, scores, s.input(p.mask...))
	}
	w := s.node("Softmax", map[string]*ir.Attr{"axis": intAttr(p.softmax)}, scores)
	if p.guard {
		nan := s.node("IsNaN", nil, w)
		nan.Type = ir.Bool
		w = s.node("Where", nil, nan, number(0), w)
	}
	y := s.node("MatMul", nil, w, v)
	if p.heads {
		y = s.node("Transpose", swap, y)
	}
	if p.give {
		return outs(y, inner)
	}
	return outs(y)
}

func TestFuseAttention(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(p *spelledAttention)
		want   string
	}{
		{"usual", func(*spelledAttention) {}, "normwasm.Attention"},
		{"without a mask", func(p *spelledAttention) { p.mask = nil }, "normwasm.Attention"},
		{"without a scale", func(p *spelledAttention) { p.scale = nil }, "normwasm.Attention"},
		{"divided", func(p *spelledAttention) {
			p.scale = func(s *sketch, v *ir.Value) *ir.Value { return s.node("Div", nil, v, number(3)) }
		}, "normwasm.Attention"},
		{"scaled on both sides", func(p *spelledAttention) { p.scale, p.scaleQ, p.scaleK = nil, true, true }, "normwasm.Attention"},
		{"guarded against NaN", func(p *spelledAttention) { p.guard = true }, "normwasm.Attention"},
		{"of three dimensions", func(p *spelledAttention) {
			p.q, p.k, p.v, p.mask, p.perm = []int{6, 5, 8}, []int{6, 7, 8}, []int{6, 7, 4}, []int{6, 5, 7}, []int64{0, 2, 1}
		}, "normwasm.Attention"},
		{"heads behind rows", func(p *spelledAttention) {
			p.heads = true
			p.q, p.k, p.v = []int{2, 5, 3, 8}, []int{2, 7, 3, 8}, []int{2, 7, 3, 4}
		}, "normwasm.Attention"},
		{"heads behind rows, keys at once", func(p *spelledAttention) {
			p.heads, p.perm = true, []int64{0, 2, 3, 1}
			p.q, p.k, p.v = []int{2, 5, 3, 8}, []int{2, 7, 3, 8}, []int{2, 7, 3, 4}
		}, "normwasm.Attention"},
		{"one head of keys", func(p *spelledAttention) { p.k, p.v = []int{2, 1, 7, 8}, []int{2, 1, 7, 4} }, "normwasm.Attention"},
		{"one head of values", func(p *spelledAttention) { p.v = []int{2, 1, 7, 4} }, "normwasm.Attention"},
		{"one batch of queries", func(p *spelledAttention) { p.q = []int{1, 3, 5, 8} }, "normwasm.Attention"},
		{"a mask of more batches", func(p *spelledAttention) {
			p.q, p.k, p.v, p.mask = []int{1, 1, 5, 8}, []int{1, 1, 7, 8}, []int{1, 1, 7, 4}, []int{2, 3, 5, 7}
		}, "normwasm.Attention"},
		{"a mask of more queries", func(p *spelledAttention) { p.q = []int{2, 3, 1, 8} }, "normwasm.Attention"},
		{"a mask of more keys", func(p *spelledAttention) { p.k = []int{2, 3, 1, 8} }, "normwasm.Attention"},
		{"a mask of rows", func(p *spelledAttention) { p.mask = []int{5, 1} }, "normwasm.Attention"},
		{"a mask of a number", func(p *spelledAttention) { p.mask = []int{} }, "normwasm.Attention"},
		{"many queries and keys", func(p *spelledAttention) {
			p.q, p.k, p.v, p.mask = []int{1, 2, 70, 8}, []int{1, 2, 600, 8}, []int{1, 2, 600, 4}, []int{1, 1, 70, 600}
		}, "normwasm.Attention"},
		{"of no keys", func(p *spelledAttention) {
			p.k, p.v, p.mask = []int{2, 3, 0, 8}, []int{2, 3, 0, 4}, nil
		}, "normwasm.Attention"},
		{"scores given out", func(p *spelledAttention) { p.give = true }, "Add MatMul MatMul Mul Softmax Transpose"},
		{"softmax of another axis", func(p *spelledAttention) { p.softmax = 2 }, "Add MatMul MatMul Mul Softmax Transpose"},
		{"scale per row", func(p *spelledAttention) {
			p.scale = func(s *sketch, v *ir.Value) *ir.Value { return s.node("Mul", nil, v, s.weights(5, 1)) }
		}, "Add MatMul MatMul Mul Softmax Transpose"},
		{"keys turned in another way", func(p *spelledAttention) {
			p.k, p.perm = []int{3, 2, 7, 8}, []int64{1, 0, 3, 2}
		}, "Add MatMul MatMul Mul Softmax Transpose"},
		{"a mask of more dimensions", func(p *spelledAttention) { p.mask = []int{2, 2, 3, 5, 7} }, "Add MatMul MatMul Mul Softmax Transpose"},
	} {
		p := spelledAttention{q: []int{2, 3, 5, 8}, k: []int{2, 3, 7, 8}, v: []int{2, 3, 7, 4}, mask: []int{2, 1, 5, 7}, perm: []int64{0, 1, 3, 2}, softmax: -1,
			scale: func(s *sketch, v *ir.Value) *ir.Value { return s.node("Mul", nil, number(0.35), v) }}
		c.change(&p)
		fusion{c.name, p.build, c.want}.test(t)
	}
}

// list is a list of dimensions as exporters spell it: numbers, and dimensions of values.
func (s *sketch) list(of ...any) *ir.Value {
	var parts []*ir.Value
	for i := 0; i < len(of); i++ {
		switch v := of[i].(type) {
		case int:
			parts = append(parts, integers(int64(v)))
		case *ir.Value: // followed by the axis
			i++
			at := integers(int64(of[i].(int)))
			at.Const.Dims = nil
			parts = append(parts, s.integer("Unsqueeze", nil, s.integer("Gather", nil, s.integer("Shape", nil, v), at), integers(0)))
		}
	}
	return s.integer("Concat", map[string]*ir.Attr{"axis": intAttr(0)}, parts...)
}

// integer is node for a result of integers.
func (s *sketch) integer(op string, attrs map[string]*ir.Attr, in ...*ir.Value) *ir.Value {
	v := s.node(op, attrs, in...)
	v.Type = ir.Int64
	return v
}

func equation(of string) map[string]*ir.Attr {
	return map[string]*ir.Attr{"equation": {Kind: ir.AttrString, S: of}}
}

func TestFuseAttentionAsExported(t *testing.T) {
	least := number(-math.MaxFloat32)
	last := map[string]*ir.Attr{"axis": intAttr(-1)}
	perm := func(p ...int64) map[string]*ir.Attr { return map[string]*ir.Attr{"perm": intsAttr(p...)} }
	seen := func(s *sketch, dims ...int) *ir.Value {
		v := s.node("Less", nil, s.input(dims...), number(2.5))
		v.Type = ir.Bool
		return v
	}
	// hiding is attention some scores of which are hidden.
	hiding := func(hide func(s *sketch, scores *ir.Value) *ir.Value) func(s *sketch) []*ir.Value {
		return func(s *sketch) []*ir.Value {
			q, k, v := s.input(2, 3, 5, 8), s.input(2, 3, 7, 8), s.input(2, 3, 7, 4)
			scores := s.node("Div", nil, s.node("MatMul", nil, q, s.node("Transpose", perm(0, 1, 3, 2), k)), number(3))
			return outs(s.node("MatMul", nil, s.node("Softmax", last, hide(s, scores)), v))
		}
	}
	// heads of x, [2, n, 24], as a Reshape with dimensions that are computed puts them.
	heads := func(s *sketch, x *ir.Value) *ir.Value {
		return s.node("Reshape", nil, x, s.list(x, 0, x, 1, 3, 8))
	}
	for _, c := range []fusion{
		{"Where", hiding(func(s *sketch, v *ir.Value) *ir.Value { return s.node("Where", nil, seen(s, 2, 1, 5, 7), v, least) }), "Less Where normwasm.Attention"},
		{"Where, the other way", hiding(func(s *sketch, v *ir.Value) *ir.Value {
			return s.node("Where", nil, seen(s, 5, 7), number(float32(math.Inf(-1))), v)
		}), "Less Where normwasm.Attention"},
		{"Where of hidden rows", hiding(func(s *sketch, v *ir.Value) *ir.Value { return s.node("Where", nil, seen(s, 5, 1), v, least) }), "Less Where normwasm.Attention"},
		{"Where and a mask", hiding(func(s *sketch, v *ir.Value) *ir.Value {
			return s.node("Add", nil, s.input(2, 1, 1, 7), s.node("Where", nil, seen(s, 1, 1, 5, 7), v, least))
		}), "Add Less Where normwasm.Attention"},
		{"Where with a repeated condition", hiding(func(s *sketch, v *ir.Value) *ir.Value {
			many := s.node("Expand", nil, seen(s, 2, 1, 1, 7), s.integer("Shape", nil, v))
			many.Type = ir.Bool
			return s.node("Where", nil, many, least, v)
		}), "Less Where normwasm.Attention"},
		{"Where with a number that scores may be below", hiding(func(s *sketch, v *ir.Value) *ir.Value {
			return s.node("Where", nil, seen(s, 5, 7), v, number(-1e4))
		}), "Div Less MatMul MatMul Softmax Transpose Where"},
		{"Where with more dimensions", hiding(func(s *sketch, v *ir.Value) *ir.Value {
			return s.node("Where", nil, seen(s, 2, 2, 3, 5, 7), v, least)
		}), "Div Less MatMul MatMul Softmax Transpose Where"},
		{"a root of the depth", func(s *sketch) []*ir.Value {
			x, y := s.input(2, 5, 24), s.input(2, 7, 24)
			q, k := s.node("Transpose", perm(0, 2, 1, 3), heads(s, x)), s.node("Transpose", perm(0, 2, 3, 1), heads(s, y))
			v := s.node("Transpose", perm(0, 2, 1, 3), heads(s, y))
			depth := s.integer("Slice", nil, s.integer("Shape", nil, q), integers(-1), integers(math.MaxInt64))
			scale := s.node("Div", nil, number(1), s.node("Sqrt", nil, s.node("Cast", map[string]*ir.Attr{"to": intAttr(int64(ir.Float32))}, depth)))
			root := func() *ir.Value { return s.node("Sqrt", nil, scale) }
			scores := s.node("MatMul", nil, s.node("Mul", nil, q, root()), s.node("Mul", nil, k, root()))
			return outs(s.node("Transpose", perm(0, 2, 1, 3), s.node("MatMul", nil, s.node("Softmax", last, scores), v)))
		}, "Concat Concat Concat Gather Gather Gather Gather Gather Gather Reshape Reshape Reshape Shape Shape Shape Shape Shape Shape Unsqueeze Unsqueeze Unsqueeze Unsqueeze Unsqueeze Unsqueeze normwasm.Attention"},
		{"keys transposed with all heads as one dimension", func(s *sketch) []*ir.Value {
			q, k, v := s.input(2, 3, 5, 8), s.input(2, 3, 7, 8), s.input(2, 3, 7, 4)
			kt := s.node("Reshape", nil, s.node("Transpose", perm(0, 2, 1), s.node("Reshape", nil, k, integers(-1, 7, 8))), integers(2, 3, 8, 7))
			return outs(s.node("MatMul", nil, s.node("Softmax", last, s.node("MatMul", nil, q, kt)), v))
		}, "normwasm.Attention"},
		{"and to dimensions that are computed", func(s *sketch) []*ir.Value {
			q, v := s.input(2, 3, 5, 8), s.input(2, 3, 7, 4)
			k := s.node("Reshape", nil, s.input(2, 3, 7, 8), s.list(v, 0, 3, v, 2, 8))
			kt := s.node("Reshape", nil, s.node("Transpose", perm(0, 2, 1), s.node("Reshape", nil, k, s.list(-1, k, -2, k, -1))), s.list(k, 0, k, 1, k, 3, k, 2))
			return outs(s.node("MatMul", nil, s.node("Softmax", last, s.node("MatMul", nil, q, kt)), v))
		}, "Concat Gather Gather Reshape Shape Shape Unsqueeze Unsqueeze normwasm.Attention"},
		{"heads that end up elsewhere", func(s *sketch) []*ir.Value {
			q, k, v := s.input(3, 2, 5, 8), s.input(2, 3, 7, 8), s.input(3, 2, 7, 4)
			kt := s.node("Reshape", nil, s.node("Transpose", perm(0, 2, 1), s.node("Reshape", nil, k, integers(-1, 7, 8))), integers(3, 2, 8, 7))
			return outs(s.node("MatMul", nil, s.node("Softmax", last, s.node("MatMul", nil, q, kt)), v))
		}, "MatMul MatMul Reshape Reshape Softmax Transpose"},
		{"heads behind rows of three dimensions", func(s *sketch) []*ir.Value {
			q, k, v := s.input(5, 6, 8), s.input(7, 6, 8), s.input(7, 6, 4)
			scores := s.node("MatMul", nil, s.node("Transpose", perm(1, 0, 2), q), s.node("Transpose", perm(1, 2, 0), k))
			y := s.node("MatMul", nil, s.node("Softmax", last, scores), s.node("Transpose", perm(1, 0, 2), v))
			return outs(s.node("Transpose", perm(1, 0, 2), y))
		}, "normwasm.Attention"},
		{"Einsums of Keras", func(s *sketch) []*ir.Value {
			q, k, v := s.input(2, 5, 3, 8), s.input(2, 7, 3, 8), s.input(2, 7, 3, 4)
			scores := s.node("Einsum", equation("aecd,abcd->acbe"), k, s.node("Mul", nil, q, number(0.3)))
			p := s.node("Softmax", last, s.node("Add", nil, scores, s.input(2, 1, 5, 7)))
			return outs(s.node("Einsum", equation("acbe, aecd -> abcd"), p, v))
		}, "normwasm.Attention"},
		{"Einsums with the heads before", func(s *sketch) []*ir.Value {
			q, k, v := s.input(2, 3, 5, 8), s.input(2, 3, 7, 8), s.input(2, 3, 7, 4)
			p := s.node("Softmax", last, s.node("Einsum", equation("bhqd,bhkd->bhqk"), q, k))
			return outs(s.node("Einsum", equation("bhqk,bhkd->bhqd"), p, v))
		}, "normwasm.Attention"},
		{"Einsums of another order", func(s *sketch) []*ir.Value {
			q, k, v := s.input(2, 3, 5, 8), s.input(2, 3, 7, 8), s.input(2, 3, 7, 4)
			p := s.node("Softmax", last, s.node("Einsum", equation("bhqd,bhkd->hbqk"), q, k))
			return outs(s.node("Einsum", equation("hbqk,bhkd->bhqd"), p, v))
		}, "Einsum Einsum Softmax"},
	} {
		c.test(t)
	}
	// repeated is x with each of its heads n times, to dimensions that are spelled in nodes.
	repeated := func(s *sketch, x *ir.Value, axis int64, many, to *ir.Value) *ir.Value {
		return s.node("Reshape", nil, s.node("Expand", nil, s.node("Unsqueeze", nil, x, integers(axis)), many), to)
	}
	// usual is an input of such dimensions, repeated to numbers.
	usual := func(s *sketch, n int64, batch, heads, rows, depth int) *ir.Value {
		b, h, r, d := int64(batch), int64(heads), int64(rows), int64(depth)
		return repeated(s, s.input(batch, heads, rows, depth), 2, integers(b, h, n, r, d), integers(b, h*n, r, d))
	}
	attention := func(s *sketch, q, k, v *ir.Value) []*ir.Value {
		scores := s.node("Add", nil, s.node("MatMul", nil, q, s.node("Transpose", perm(0, 1, 3, 2), k)), s.input(2, 1, 1, 7))
		return outs(s.node("MatMul", nil, s.node("Softmax", last, scores), v))
	}
	for _, c := range []fusion{
		{"repeated heads", func(s *sketch) []*ir.Value {
			k, v := s.input(2, 3, 7, 8), s.input(2, 3, 7, 4)
			return attention(s, s.input(2, 6, 5, 8), repeated(s, k, 2, integers(2, 3, 2, 7, 8), integers(2, 6, 7, 8)), repeated(s, v, -3, integers(1, 3, 2, 1, 1), integers(0, 6, -1, 4)))
		}, "normwasm.Attention"},
		{"repeated heads, one query", func(s *sketch) []*ir.Value {
			k, v := s.input(2, 3, 7, 8), s.input(2, 3, 7, 8)
			return attention(s, s.input(2, 9, 1, 8), repeated(s, k, 2, integers(2, 3, 3, 7, 8), integers(2, -1, 7, 8)), repeated(s, v, 2, integers(2, 3, 3, 7, 8), integers(-1, 9, 7, 8)))
		}, "normwasm.Attention"},
		{"one head, repeated", func(s *sketch) []*ir.Value {
			return attention(s, s.input(2, 4, 5, 8), usual(s, 4, 2, 1, 7, 8), usual(s, 4, 2, 1, 7, 4))
		}, "normwasm.Attention"},
		{"repeated heads for one of queries", func(s *sketch) []*ir.Value {
			return attention(s, s.input(2, 1, 5, 8), usual(s, 2, 2, 3, 7, 8), usual(s, 2, 2, 3, 7, 4))
		}, "normwasm.Attention"},
		{"many queries, heads behind rows, repeated", func(s *sketch) []*ir.Value {
			k, v := s.node("Transpose", perm(0, 2, 1, 3), s.input(1, 70, 2, 8)), s.node("Transpose", perm(0, 2, 1, 3), s.input(1, 70, 2, 8))
			scores := s.node("MatMul", nil, s.input(1, 4, 70, 8), s.node("Transpose", perm(0, 1, 3, 2), repeated(s, k, 2, integers(1, 2, 2, 70, 8), integers(1, 4, 70, 8))))
			return outs(s.node("MatMul", nil, s.node("Softmax", last, scores), repeated(s, v, 2, integers(1, 2, 2, 70, 8), integers(1, 4, 70, 8))))
		}, "normwasm.Attention"},
		{"a cache, repeated as PyTorch does", func(s *sketch) []*ir.Value {
			join := func() *ir.Value {
				return s.node("Concat", map[string]*ir.Attr{"axis": intAttr(-2)}, s.input(2, 3, 6, 8), s.input(2, 3, 1, 8))
			}
			twice := func(x *ir.Value) *ir.Value {
				many := s.list(x, 0, x, 1, 2, x, 2, x, 3)
				equal := s.node("Equal", nil, many, integers(-1, -1, -1, -1, -1)) // (once constants are folded)
				equal.Type = ir.Bool
				return repeated(s, x, 2, s.integer("Where", nil, equal, integers(1, 1, 1, 1, 1), many), s.list(x, 0, 6, x, 2, x, 3))
			}
			return attention(s, s.input(2, 6, 1, 8), twice(join()), twice(join()))
		}, "Concat Concat normwasm.Attention"},
		{"heads repeated in another order", func(s *sketch) []*ir.Value {
			k, v := s.input(2, 3, 7, 8), s.input(2, 3, 7, 4)
			return attention(s, s.input(2, 6, 5, 8), repeated(s, k, 1, integers(2, 2, 3, 7, 8), integers(2, 6, 7, 8)), repeated(s, v, 1, integers(2, 2, 3, 7, 4), integers(2, 6, 7, 4)))
		}, "Expand Expand Reshape Reshape Unsqueeze Unsqueeze normwasm.Attention"},
		{"keys alone repeated", func(s *sketch) []*ir.Value {
			return attention(s, s.input(2, 6, 5, 8), usual(s, 2, 2, 3, 7, 8), s.input(2, 6, 7, 4))
		}, "Expand Reshape Unsqueeze normwasm.Attention"},
		{"keys repeated twice, values three times", func(s *sketch) []*ir.Value {
			return attention(s, s.input(2, 6, 5, 8), usual(s, 2, 2, 3, 7, 8), usual(s, 3, 2, 2, 7, 4))
		}, "Expand Expand Reshape Reshape Unsqueeze Unsqueeze normwasm.Attention"},
		{"repeated more often than the step takes", func(s *sketch) []*ir.Value {
			scores := s.node("MatMul", nil, s.input(1, op.MaxHeads+1, 1, 1), s.node("Transpose", perm(0, 1, 3, 2), usual(s, op.MaxHeads+1, 1, 1, 2, 1)))
			return outs(s.node("MatMul", nil, s.node("Softmax", last, scores), usual(s, op.MaxHeads+1, 1, 1, 2, 1)))
		}, "Expand Expand Reshape Reshape Unsqueeze Unsqueeze normwasm.Attention"},
		{"a batch repeated as well", func(s *sketch) []*ir.Value {
			k, v := s.input(1, 3, 7, 8), s.input(1, 3, 7, 4)
			return attention(s, s.input(2, 6, 5, 8), repeated(s, k, 2, integers(2, 3, 2, 7, 8), integers(2, 6, 7, 8)), repeated(s, v, 2, integers(2, 3, 2, 7, 4), integers(2, 6, 7, 4)))
		}, "Expand Expand Reshape Reshape Unsqueeze Unsqueeze normwasm.Attention"},
		{"heads and rows that are taken together otherwise", func(s *sketch) []*ir.Value {
			k, v := s.input(2, 3, 14, 8), s.input(2, 3, 14, 4)
			return attention(s, s.input(2, 12, 5, 8), repeated(s, k, 2, integers(2, 3, 2, 14, 8), integers(2, 12, 7, 8)), repeated(s, v, 2, integers(2, 3, 2, 14, 4), integers(2, 12, 7, 4)))
		}, "Expand Expand Reshape Reshape Unsqueeze Unsqueeze normwasm.Attention"},
	} {
		c.test(t)
	}
	// What a Reshape to computed dimensions gives may be added up in a normalization.
	fusion{"a residual of computed dimensions", func(s *sketch) []*ir.Value {
		x := s.input(2, 5, 24)
		y := s.node("Reshape", nil, s.node("Reshape", nil, x, s.list(-1, 24)), s.list(x, 0, x, 1, 24))
		return outs(s.node("LayerNormalization", nil, s.node("Add", nil, y, x), s.weights(24), s.weights(24)))
	}, "Concat Concat Gather Gather Reshape Reshape Shape Shape Unsqueeze Unsqueeze com.microsoft.SkipLayerNormalization"}.test(t)
	fusion{"the third part of a Split", func(s *sketch) []*ir.Value {
		x := s.input(3, 2, 4, 5, 8)
		a, b, c := s.node("Split", map[string]*ir.Attr{"axis": intAttr(0)}, x, integers(1, 1, 1)), &ir.Value{Name: "b", Type: ir.Float32}, &ir.Value{Name: "c", Type: ir.Float32}
		split := s.g.Nodes[len(s.g.Nodes)-1]
		split.Outputs = []*ir.Value{a, b, c}
		flat := func(v *ir.Value) *ir.Value { return s.node("Squeeze", nil, v, integers(0)) }
		q, k, v := flat(a), flat(b), flat(c)
		return outs(s.node("MatMul", nil, s.node("Softmax", last, s.node("MatMul", nil, q, s.node("Transpose", perm(0, 1, 3, 2), k))), v))
	}, "Split Squeeze Squeeze Squeeze normwasm.Attention"}.test(t)
}
