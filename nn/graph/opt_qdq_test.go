package graph

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/nn/ir"
)

// quantizer is a scale with a zero point, as static quantization writes them.
type quantizer struct {
	scale *ir.Value
	zero  *ir.Value
}

func gridAt(t ir.DType, zero byte, scales ...float32) quantizer {
	dims := []int{len(scales)}
	if len(scales) == 1 {
		dims = nil
	}
	z := ir.NewTensor(t, dims...)
	for i := range z.Data {
		z.Data[i] = zero
	}
	return quantizer{constant("s", dims, scales), &ir.Value{Name: "z", Type: t, Known: true, Const: z}}
}

func (s quantSketch) q(x *ir.Value, by quantizer) *ir.Value {
	y := s.node("QuantizeLinear", nil, x, by.scale, by.zero)
	y.Type = by.zero.Type
	return y
}

func (s quantSketch) dq(x *ir.Value, by quantizer, axis int64) *ir.Value {
	return s.node("DequantizeLinear", map[string]*ir.Attr{"axis": {Kind: ir.AttrInt, I: axis}}, x, by.scale, by.zero)
}

// pair is what stands between two operators.
func (s quantSketch) pair(x *ir.Value, by quantizer) *ir.Value { return s.dq(s.q(x, by), by, 1) }

func (s quantSketch) int32s(n int) *ir.Value {
	x := ir.NewTensor(ir.Int32, n)
	for i := range x.Int32s() {
		x.Int32s()[i] = int32(s.rng.IntN(2000) - 1000)
	}
	return &ir.Value{Name: "b", Type: ir.Int32, Known: true, Const: x}
}

// TestStaticQuantizationIsFused compares with the nodes as they are written: the results of
// a last QuantizeLinear may be one step apart, others are as near as float32 sums.
func TestStaticQuantizationIsFused(t *testing.T) {
	a, b, c := gridAt(ir.Uint8, 120, 0.1), gridAt(ir.Uint8, 0, 0.07), gridAt(ir.Int8, 3, 0.25)
	int8s := func(scales ...float32) quantizer { return gridAt(ir.Int8, 0, scales...) }
	nine := []float32{.01, .02, .03, .015, .011, .017, .02, .013, .01}
	biases := make([]float32, 9)
	for i := range biases {
		biases[i] = 0.1 * nine[i] // a's scale times the weights'
	}
	conv := map[string]*ir.Attr{"pads": intsAttr(1, 1, 1, 1)}
	weights := func(s quantSketch) *ir.Value { return s.dq(s.bytes(ir.Int8, 9, 3, 3, 3), int8s(nine...), 0) }
	const deq, qu = "DequantizeLinear", "QuantizeLinear"
	for _, e := range []struct {
		name  string
		build func(s quantSketch) *ir.Graph
		want  []string
	}{
		{"a convolution", func(s quantSketch) *ir.Graph {
			bias := s.dq(s.int32s(9), gridAtInt32(biases), 0)
			return s.output(s.q(s.node("Conv", conv, s.pair(s.input(1, 3, 7, 6), a), weights(s), bias), c))
		}, []string{qu, "QLinearConv"}},
		{"a convolution and a Relu, bias of float32", func(s quantSketch) *ir.Graph {
			y := s.node("Conv", conv, s.pair(s.input(1, 3, 7, 6), a), weights(s), s.weights(9))
			return s.output(s.q(s.node("Relu", nil, y), b))
		}, []string{qu, "QLinearConv"}},
		{"a Relu that counts", func(s quantSketch) *ir.Graph {
			y := s.node("Conv", conv, s.pair(s.input(1, 3, 7, 6), a), weights(s))
			return s.output(s.q(s.node("Relu", nil, y), c))
		}, []string{qu, "ConvInteger", qu}},
		{"a convolution to float32", func(s quantSketch) *ir.Graph {
			return s.output(s.node("Conv", conv, s.pair(s.input(1, 3, 7, 6), a), weights(s), s.weights(9)))
		}, []string{qu, "ConvInteger"}},
		{"a convolution of volumes", func(s quantSketch) *ir.Graph {
			return s.output(s.q(s.node("Conv", nil, s.pair(s.input(1, 3, 4, 5, 6), a), s.dq(s.bytes(ir.Int8, 9, 3, 2, 3, 3), int8s(nine...), 0)), c))
		}, []string{qu, "QLinearConv"}},
		{"two convolutions, one after another", func(s quantSketch) *ir.Graph {
			y := s.pair(s.node("Conv", conv, s.pair(s.input(1, 3, 7, 6), a), weights(s)), b)
			return s.output(s.q(s.node("Conv", nil, y, s.dq(s.bytes(ir.Uint8, 4, 9, 1, 1), gridAt(ir.Uint8, 128, 0.01), 0)), c))
		}, []string{qu, "QLinearConv", "QLinearConv"}},
		{"a product with constants", func(s quantSketch) *ir.Graph {
			return s.output(s.q(s.node("MatMul", nil, s.pair(s.input(5, 12), a), s.dq(s.bytes(ir.Int8, 12, 9), int8s(nine...), 1)), c))
		}, []string{qu, "QLinearMatMul"}},
		{"a product of activations, to float32", func(s quantSketch) *ir.Graph {
			return s.output(s.node("MatMul", nil, s.pair(s.input(2, 5, 12), a), s.pair(s.input(2, 12, 4), c)))
		}, []string{qu, qu, "MatMulIntegerToFloat"}},
		{"Gemm", func(s quantSketch) *ir.Graph {
			attrs := map[string]*ir.Attr{"transB": {Kind: ir.AttrInt, I: 1}}
			y := s.node("Gemm", attrs, s.pair(s.input(5, 12), a), s.dq(s.bytes(ir.Int8, 9, 12), int8s(nine...), 0), s.dq(s.int32s(9), gridAtInt32(biases), 0))
			return s.output(s.q(y, c))
		}, []string{qu, "QGemm"}},
		{"Gemm to float32", func(s quantSketch) *ir.Graph {
			return s.output(s.node("Gemm", nil, s.pair(s.input(5, 12), a), s.dq(s.bytes(ir.Int8, 12, 9), int8s(0.01), 0), s.weights(9)))
		}, []string{qu, "QGemm"}},
		{"Gemm with beta", func(s quantSketch) *ir.Graph {
			attrs := map[string]*ir.Attr{"beta": {Kind: ir.AttrFloat, F: 0.5}}
			return s.output(s.q(s.node("Gemm", attrs, s.pair(s.input(5, 12), a), s.dq(s.bytes(ir.Int8, 12, 9), int8s(0.01), 0), s.weights(9)), c))
		}, []string{qu, deq, "Gemm", qu}},
		{"a sum and its Relu", func(s quantSketch) *ir.Graph {
			y := s.node("Add", nil, s.pair(s.input(2, 12), a), s.pair(s.input(2, 12), b))
			return s.output(s.q(s.node("Relu", nil, y), b))
		}, []string{qu, qu, "QLinearAdd"}},
		{"average pools", func(s quantSketch) *ir.Graph {
			attrs := map[string]*ir.Attr{"kernel_shape": intsAttr(2, 2)}
			y := s.pair(s.node("AveragePool", attrs, s.pair(s.input(1, 3, 6, 6), a)), a)
			return s.output(s.q(s.node("GlobalAveragePool", nil, y), a))
		}, []string{qu, "QLinearAveragePool", "QLinearGlobalAveragePool"}},
		{"MaxPool and Reshape, which only move", func(s quantSketch) *ir.Graph {
			y := s.pair(s.node("MaxPool", map[string]*ir.Attr{"kernel_shape": intsAttr(2, 2)}, s.pair(s.input(1, 3, 6, 6), a)), a)
			return s.output(s.q(s.node("Flatten", nil, y), a))
		}, []string{qu, "MaxPool", "Flatten"}},
		{"MaxPool to another scale", func(s quantSketch) *ir.Graph {
			return s.output(s.q(s.node("MaxPool", map[string]*ir.Attr{"kernel_shape": intsAttr(2, 2)}, s.pair(s.input(1, 3, 6, 6), a)), b))
		}, []string{qu, deq, "MaxPool", qu}},
		{"weights with scales along another axis", func(s quantSketch) *ir.Graph {
			return s.output(s.q(s.node("MatMul", nil, s.pair(s.input(5, 9), a), s.dq(s.bytes(ir.Int8, 9, 9), int8s(nine...), 0)), c))
		}, []string{qu, deq, "MatMul", qu}},
		{"a result that is used twice", func(s quantSketch) *ir.Graph {
			y := s.node("MatMul", nil, s.pair(s.input(5, 12), a), s.dq(s.bytes(ir.Int8, 12, 9), int8s(0.01), 1))
			return s.output(s.q(y, c), s.node("Neg", nil, y))
		}, []string{qu, "MatMulIntegerToFloat", qu, "Neg"}},
	} {
		plain, optimized := bothLevels(t, e.name, e.build, e.want, func(k int) float32 { return float32(k*k%37)*0.5 - 9 })
		for i, want := range plain {
			got := optimized[i]
			require.Equal(t, want.Type, got.Type, e.name)
			require.Equal(t, want.Dims, got.Dims, e.name)
			apart := 0
			for k := range want.Len() {
				if want.Type == ir.Float32 {
					w, g := want.Float32s()[k], got.Float32s()[k]
					require.InDelta(t, w, g, 1e-3*(1+math.Abs(float64(w))), "%s, element %d", e.name, k)
					continue
				}
				d := int(int8(want.Data[k] - got.Data[k]))
				require.LessOrEqual(t, max(d, -d), 1, "%s, element %d", e.name, k)
				apart += max(d, -d)
			}
			require.LessOrEqual(t, apart, want.Len()/20, e.name)
		}
	}
}

func gridAtInt32(scales []float32) quantizer {
	return quantizer{constant("s", []int{len(scales)}, scales), &ir.Value{Name: "z", Type: ir.Int32, Known: true, Const: ir.NewTensor(ir.Int32, len(scales))}}
}
