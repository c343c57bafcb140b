package graph

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/nn/ir"
)

// quantSketch builds what quantize_dynamic writes.
type quantSketch struct{ *sketch }

func (s quantSketch) bytes(t ir.DType, dims ...int) *ir.Value {
	x := ir.NewTensor(t, dims...)
	for i := range x.Data {
		x.Data[i] = byte(s.rng.IntN(256))
	}
	return &ir.Value{Name: "q", Type: t, Known: true, Const: x}
}

func (s quantSketch) quantize(x *ir.Value) [3]*ir.Value {
	out := [3]*ir.Value{{Name: "q", Type: ir.Uint8}, {Name: "s", Type: ir.Float32}, {Name: "z", Type: ir.Uint8}}
	s.g.Nodes = append(s.g.Nodes, &ir.Node{Name: "d", Op: "DynamicQuantizeLinear", Version: 17, Inputs: []*ir.Value{x}, Outputs: out[:]})
	return out
}

// product is x · W of what d is, scaled.
func (s quantSketch) product(op string, attrs map[string]*ir.Attr, d [3]*ir.Value, w, ws, wz *ir.Value) *ir.Value {
	sums := s.node(op, attrs, d[0], w, d[2], wz)
	sums.Type = ir.Int32
	cast := s.node("Cast", map[string]*ir.Attr{"to": {Kind: ir.AttrInt, I: int64(ir.Float32)}}, sums)
	return s.node("Mul", nil, cast, s.node("Mul", nil, d[1], ws))
}

func TestDynamicQuantizationIsFused(t *testing.T) {
	conv := map[string]*ir.Attr{"pads": intsAttr(1, 1, 1, 1)}
	for _, c := range []struct {
		name  string
		build func(s quantSketch) *ir.Graph
		want  []string
	}{
		{"one product, bias and ReLU", func(s quantSketch) *ir.Graph {
			y := s.product("MatMulInteger", nil, s.quantize(s.input(2, 5, 12)), s.bytes(ir.Int8, 12, 9), number(0.01), s.bytes(ir.Int8))
			return s.output(s.node("Relu", nil, s.node("Add", nil, s.weights(9), y)))
		}, []string{"DynamicQuantizeMatMul"}},
		{"no bias, scales by column", func(s quantSketch) *ir.Graph {
			return s.output(s.product("MatMulInteger", nil, s.quantize(s.input(1, 12)), s.bytes(ir.Uint8, 12, 9), s.weights(9), s.bytes(ir.Uint8, 9)))
		}, []string{"DynamicQuantizeMatMul"}},
		{"two products of one", func(s quantSketch) *ir.Graph {
			d := s.quantize(s.input(5, 12))
			a := s.product("MatMulInteger", nil, d, s.bytes(ir.Int8, 12, 9), number(0.01), s.bytes(ir.Int8))
			b := s.product("MatMulInteger", nil, d, s.bytes(ir.Int8, 12, 9), number(0.02), s.bytes(ir.Int8))
			return s.output(s.node("Add", nil, a, s.weights(9)), b)
		}, []string{"DynamicQuantizeLinear", "MatMulIntegerToFloat", "MatMulIntegerToFloat"}},
		{"a convolution", func(s quantSketch) *ir.Graph {
			y := s.product("ConvInteger", conv, s.quantize(s.input(2, 3, 7, 6)), s.bytes(ir.Uint8, 9, 3, 3, 3), number(0.01), s.bytes(ir.Uint8))
			return s.output(s.node("Relu", nil, s.node("Add", nil, y, s.weights(1, 9, 1, 1))))
		}, []string{"ConvInteger"}},
		{"two convolutions of one", func(s quantSketch) *ir.Graph {
			d := s.quantize(s.input(1, 3, 7, 6))
			a := s.product("ConvInteger", conv, d, s.bytes(ir.Uint8, 9, 3, 3, 3), number(0.01), s.bytes(ir.Uint8))
			b := s.product("ConvInteger", conv, d, s.bytes(ir.Uint8, 9, 3, 3, 3), number(0.01), s.bytes(ir.Uint8))
			return s.output(a, b)
		}, []string{"DynamicQuantizeLinear", "ConvInteger", "ConvInteger"}},
		{"the sums used again", func(s quantSketch) *ir.Graph {
			d := s.quantize(s.input(5, 12))
			sums := s.node("MatMulInteger", nil, d[0], s.bytes(ir.Int8, 12, 9), d[2])
			sums.Type = ir.Int32
			cast := s.node("Cast", map[string]*ir.Attr{"to": {Kind: ir.AttrInt, I: int64(ir.Float32)}}, sums)
			return s.output(s.node("Mul", nil, cast, s.node("Mul", nil, d[1], number(0.1))), s.node("Neg", nil, cast))
		}, []string{"DynamicQuantizeLinear", "MatMulInteger", "Cast", "Mul", "Mul", "Neg"}},
		{"a scale that widens the result", func(s quantSketch) *ir.Graph {
			return s.output(s.product("MatMulInteger", nil, s.quantize(s.input(5, 12)), s.bytes(ir.Int8, 12, 9), s.weights(2, 1, 9), nil))
		}, []string{"DynamicQuantizeLinear", "MatMulInteger", "Cast", "Mul", "Mul"}},
		{"the zero point of something else", func(s quantSketch) *ir.Graph {
			d, e := s.quantize(s.input(5, 12)), s.quantize(s.input(3))
			d[2] = e[2]
			return s.output(s.product("MatMulInteger", nil, d, s.bytes(ir.Int8, 12, 9), number(0.5), nil))
		}, []string{"DynamicQuantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "Cast", "Mul", "Mul"}},
	} {
		plain, optimized := bothLevels(t, c.name, c.build, c.want, func(k int) float32 { return float32(k*k%37) - 11.5 })
		for i := range plain {
			require.Equal(t, plain[i].Data, optimized[i].Data, "%s: not the same bits", c.name)
		}
	}
}

// bothLevels runs a graph as it is written and optimized, where these operators have to be left of it, and returns what both
// give. Element k of each input is fed(k).
func bothLevels(t *testing.T, name string, build func(quantSketch) *ir.Graph, ops []string, fed func(k int) float32) (plain, optimized []*ir.Tensor) {
	t.Helper()
	run := func(level string) (outputs []*ir.Tensor) {
		s, err := NewSession(build(quantSketch{newSketch()}), Options{Optimize: level})
		require.NoError(t, err, name)
		if level == "all" {
			var left []string
			for _, n := range s.graph.Nodes {
				left = append(left, n.Op)
			}
			require.Equal(t, ops, left, name)
		}
		var dims [][]int
		for _, in := range s.Inputs() {
			d := []int{}
			for _, v := range in.Dims {
				d = append(d, v.Size)
			}
			dims = append(dims, d)
		}
		run, err := s.Prepare(dims)
		require.NoError(t, err, name)
		for i := range dims {
			for k := range run.In(i).Float32s() {
				run.In(i).Float32s()[k] = fed(k)
			}
		}
		require.NoError(t, run.Exec(), name)
		for i := range s.Outputs() {
			out := ir.NewTensor(run.Out(i).Type, run.Out(i).Dims...)
			copy(out.Data, run.Out(i).Data)
			outputs = append(outputs, out)
		}
		return outputs
	}
	return run("none"), run("all")
}
