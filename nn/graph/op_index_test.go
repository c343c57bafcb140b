package graph_test

import (
	"errors"
	"math"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
)

// Elements of half a byte, rows of an odd number of them, and of whole bytes.
func TestGatherStoredWeights(t *testing.T) {
	for _, kind := range []ir.DType{ir.Int8, ir.Uint8, ir.Int4, ir.Uint4, ir.BFloat16} {
		for _, dims := range [][]int{{5, 4}, {5, 3}, {3, 5}, {2, 3, 3}, {2, 4, 2}} {
			for axis := range dims {
				x := ir.NewTensor(kind, dims...)
				for i := range x.Data {
					x.Data[i] = byte(37*i + 11*axis)
				}
				view := node{op: "Identity", in: []*ir.Tensor{node{op: "Reshape", in: []*ir.Tensor{x, list(-1)}}.run(t)[0]}}.run(t)[0]
				require.Equal(t, []int{x.Len()}, view.Dims)
				x = node{op: "Reshape", in: []*ir.Tensor{view, list(wide(dims)...)}}.run(t)[0]
				y := node{op: "Gather", attrs: attrs("axis", integer(int64(axis))), in: []*ir.Tensor{x, list(1, -1, 0)}}.run(t)[0]
				require.Equal(t, kind, y.Type)
				want := append([]int(nil), dims...)
				want[axis] = 3
				require.Equal(t, want, append([]int{}, y.Dims...))
				element := func(x *ir.Tensor, index []int) int {
					k := offset(x.Dims, index...)
					switch kind.Bits() {
					case 4:
						return int(x.Data[k/2] >> (k % 2 * 4) & 15)
					case 8:
						return int(x.Data[k])
					}
					return int(x.Data[2*k]) | int(x.Data[2*k+1])<<8
				}
				each(y.Dims, func(index []int, _ int) {
					from := append([]int(nil), index...)
					from[axis] = []int{1, dims[axis] - 1, 0}[index[axis]]
					require.Equal(t, element(x, from), element(y, index), "%s %v along %d at %v", kind, dims, axis, index)
				})
			}
		}
	}
}

func wide(list []int) (out []int64) {
	for _, v := range list {
		out = append(out, int64(v))
	}
	return out
}

func TestGather(t *testing.T) {
	idx := i64([]int{2, 2}, 2, 0, -1, 1)
	small := ir.NewTensor(ir.Int32, 2, 2)
	copy(small.Int32s(), []int32{2, 0, -1, 1})
	for _, in := range []*ir.Tensor{idx, small} {
		x := numbered(ir.Float32, 3, 4)
		rows := []int{2, 0, 2, 1}
		picks(t, node{op: "Gather", in: []*ir.Tensor{x, in}}, []int{2, 2, 4}, func(i []int) int { return rows[i[0]*2+i[1]]*4 + i[2] })
		cols := []int{2, 0, 3, 1}
		picks(t, node{op: "Gather", attrs: attrs("axis", integer(-1)), in: []*ir.Tensor{x, in}}, []int{3, 2, 2},
			func(i []int) int { return i[0]*4 + cols[i[1]*2+i[2]] })
		picks(t, node{op: "GatherElements", attrs: attrs("axis", integer(1)), in: []*ir.Tensor{x, in}}, []int{2, 2},
			func(i []int) int { return i[0]*4 + cols[i[0]*2+i[1]] })
	}
	picks(t, node{op: "Gather", in: []*ir.Tensor{numbered(ir.Float32, 3, 4), i64(nil, 1)}}, []int{4}, func(i []int) int { return 4 + i[0] })
	picks(t, node{op: "Gather", in: []*ir.Tensor{numbered(ir.Float32, 3, 4), list()}}, []int{0, 4}, nil)
	cube := numbered(ir.Float32, 2, 3, 4)
	picks(t, node{op: "GatherND", in: []*ir.Tensor{cube, i64([]int{2, 2}, 1, 2, 0, -1)}}, []int{2, 4},
		func(i []int) int { return []int{20, 8}[i[0]] + i[1] })
	picks(t, node{op: "GatherND", attrs: attrs("batch_dims", integer(1)), in: []*ir.Tensor{cube, i64([]int{2, 1}, 2, 0)}}, []int{2, 4},
		func(i []int) int { return []int{8, 12}[i[0]] + i[1] })
	for text, n := range map[string]node{
		"an index is 3, want one in [-3, 2]":        {op: "Gather", in: []*ir.Tensor{numbered(ir.Float32, 3, 4), list(3)}},
		"an index is -4":                            {op: "GatherElements", in: []*ir.Tensor{numbered(ir.Float32, 3), list(-4)}},
		"an index is 9":                             {op: "GatherND", in: []*ir.Tensor{cube, i64([]int{1, 1}, 9)}},
		"indices have dimensions [1 4]":             {op: "GatherND", in: []*ir.Tensor{cube, i64([]int{1, 4})}},
		"indices have dimensions [4]":               {op: "GatherElements", in: []*ir.Tensor{cube, list(1, 1, 1, 1)}},
		"an index is 3, want one in [-2, 1]":        {op: "ScatterND", in: []*ir.Tensor{f32([]int{2}), i64([]int{1, 1}, 3), f32([]int{1})}},
		"updates have dimensions [2], want [1 3 4]": {op: "ScatterND", in: []*ir.Tensor{cube, i64([]int{1, 1}), f32([]int{2})}},
		"axis is 2":           {op: "Gather", attrs: attrs("axis", integer(2)), in: []*ir.Tensor{numbered(ir.Float32, 3, 4), list(0)}},
		"Gather type float32": {op: "Gather", in: []*ir.Tensor{numbered(ir.Float32, 3, 4), f32([]int{1})}},
	} {
		_, err := n.try()
		require.ErrorContains(t, err, text)
	}
}

func TestScatter(t *testing.T) {
	data := f32([]int{2, 3}, 1, 2, 3, 4, 5, 6)
	idx := i64([]int{1, 2}, 2, -2)
	up := f32([]int{1, 2}, 10, 20)
	for reduction, want := range map[string][]float32{
		"none": {1, 20, 10, 4, 5, 6}, "add": {1, 22, 13, 4, 5, 6}, "mul": {1, 40, 30, 4, 5, 6},
		"max": {1, 20, 10, 4, 5, 6}, "min": {1, 2, 3, 4, 5, 6},
	} {
		y := node{op: "ScatterElements", version: 18, attrs: attrs("axis", integer(1), "reduction", text(reduction)),
			in: []*ir.Tensor{data, idx, up}}.run(t)[0]
		require.Equal(t, want, y.Float32s(), reduction)
	}
	// The same place twice: the sum counts both.
	y := node{op: "ScatterElements", version: 16, attrs: attrs("reduction", text("add")),
		in: []*ir.Tensor{list(1, 2), list(1, 1), list(10, 20)}}.run(t)[0]
	require.Equal(t, []int64{1, 32}, y.Int64s())
	y = node{op: "ScatterND", in: []*ir.Tensor{data, i64([]int{1, 1}, 1), f32([]int{1, 3}, 7, 8, 9)}}.run(t)[0]
	require.Equal(t, []float32{1, 2, 3, 7, 8, 9}, y.Float32s())
	y = node{op: "ScatterND", in: []*ir.Tensor{data, i64([]int{2, 2}, 0, 1, -1, 0), f32([]int{2}, 7, 8)}}.run(t)[0]
	require.Equal(t, []float32{1, 7, 3, 8, 5, 6}, y.Float32s())
	_, err := node{op: "ScatterND", version: 16, attrs: attrs("reduction", text("add")),
		in: []*ir.Tensor{bools([]int{2}), i64([]int{1, 1}), bools([]int{1})}}.try()
	require.ErrorContains(t, err, "ScatterND: reduction=add of type bool")
	_, err = node{op: "ScatterND", version: 16, attrs: attrs("reduction", text("xor")), in: []*ir.Tensor{data, list(), data}}.try()
	require.ErrorContains(t, err, "ScatterND reduction=xor")
}

func TestOneHot(t *testing.T) {
	y := node{op: "OneHot", in: []*ir.Tensor{list(1, -1, 7), i64(nil, 3), f32([]int{2}, 0.5, 2)}}.run(t)[0]
	require.Equal(t, []int{3, 3}, y.Dims)
	require.Equal(t, []float32{0.5, 2, 0.5, 0.5, 0.5, 2, 0.5, 0.5, 0.5}, y.Float32s())
	y = node{op: "OneHot", attrs: attrs("axis", integer(0)), in: []*ir.Tensor{f32([]int{2}, 0, 1), i64([]int{1}, 2), list(0, 1)}}.run(t)[0]
	require.Equal(t, []int64{1, 0, 0, 1}, y.Int64s())
	_, err := node{op: "OneHot", in: []*ir.Tensor{list(1), i64(nil, -3), f32([]int{2})}}.try()
	require.ErrorContains(t, err, "depth is -3")
}

func TestMakers(t *testing.T) {
	y := node{op: "ConstantOfShape", in: []*ir.Tensor{list(2, 3)}}.run(t)[0]
	require.Equal(t, []int{2, 3}, y.Dims)
	require.Equal(t, make([]float32, 6), y.Float32s())
	y = node{op: "ConstantOfShape", attrs: attrs("value", tensor(list(-7))), in: []*ir.Tensor{list(3)}}.run(t)[0]
	require.Equal(t, []int64{-7, -7, -7}, y.Int64s())
	require.Equal(t, []int{0}, node{op: "ConstantOfShape", in: []*ir.Tensor{list(0)}}.run(t)[0].Dims)

	ranged := func(kind ir.DType, v ...float32) *ir.Tensor {
		var in []*ir.Tensor
		for _, x := range v {
			in = append(in, node{op: "Cast", attrs: attrs("to", integer(int64(kind))), in: []*ir.Tensor{f32(nil, x)}}.run(t)[0])
		}
		return node{op: "Range", in: in}.run(t)[0]
	}
	for _, kind := range []ir.DType{ir.Int16, ir.Int32, ir.Int64} {
		require.Equal(t, []int64{1, 4, 7}, ranged(kind, 1, 8, 3).Ints())
		require.Equal(t, []int64{5, 3}, ranged(kind, 5, 1, -2).Ints())
		require.Empty(t, ranged(kind, 5, 1, 2).Ints())
	}
	require.Equal(t, []float32{0, 0.25, 0.5, 0.75}, ranged(ir.Float32, 0, 1, 0.25).Float32s())
	require.Equal(t, []float64{1, 0.5}, ranged(ir.Float64, 1, 0, -0.5).Float64s())

	for text, n := range map[string]node{
		"the shape's element 0 is -1":                   {op: "ConstantOfShape", in: []*ir.Tensor{list(-1)}},
		"more than 2147483647 elements":                 {op: "ConstantOfShape", in: []*ir.Tensor{list(1<<31-1, 1<<31-1)}},
		"value must have one element":                   {op: "ConstantOfShape", attrs: attrs("value", tensor(list())), in: []*ir.Tensor{list(1)}},
		"there is no range from 1 to 2 by 0":            {op: "Range", in: []*ir.Tensor{i64(nil, 1), i64(nil, 2), i64(nil, 0)}},
		"there is no range from -9.223372036854776e+18": {op: "Range", in: []*ir.Tensor{i64(nil, math.MinInt64), i64(nil, math.MaxInt64), i64(nil, 1)}},
		"there is no range from 0 to NaN":               {op: "Range", in: []*ir.Tensor{f32(nil, 0), f32(nil, float32(math.NaN())), f32(nil, 1)}},
	} {
		_, err := n.try()
		require.ErrorContains(t, err, text)
	}
}

func TestTriluAndCumSum(t *testing.T) {
	for k := int64(-4); k <= 5; k++ {
		for upper := int64(0); upper < 2; upper++ {
			x := random(1, 2, 3, 4)
			y := node{op: "Trilu", version: 14, attrs: attrs("upper", integer(upper)), in: []*ir.Tensor{x, i64(nil, k)}}.run(t)[0]
			each(x.Dims, func(i []int, q int) {
				want := float32(0)
				if d := int64(i[2] - i[1]); upper == 1 && d >= k || upper == 0 && d <= k {
					want = x.Float32s()[q]
				}
				require.Equal(t, want, y.Float32s()[q], "k %d, upper %d, element %v", k, upper, i)
			})
		}
	}
	x := list(1, 2, 3)
	for kv, want := range map[[2]int64][]int64{{0, 0}: {1, 3, 6}, {1, 0}: {0, 1, 3}, {0, 1}: {6, 5, 3}, {1, 1}: {5, 3, 0}} {
		y := node{op: "CumSum", attrs: attrs("exclusive", integer(kv[0]), "reverse", integer(kv[1])), in: []*ir.Tensor{x, i64(nil, 0)}}.run(t)[0]
		require.Equal(t, want, y.Int64s())
	}
	y := node{op: "CumSum", in: []*ir.Tensor{f32([]int{2, 2}, 1, 2, 3, 4), i64(nil, 0)}}.run(t)[0]
	require.Equal(t, []float32{1, 2, 4, 6}, y.Float32s())
}

func TestTopK(t *testing.T) {
	x := random(1, 3, 20, 2)
	copy(x.Float32s()[10:], x.Float32s()[:10]) // equal elements keep their order
	for _, k := range []int{0, 1, 5, 20} {
		for largest := int64(0); largest < 2; largest++ {
			y := node{op: "TopK", outs: 2, attrs: attrs("axis", integer(1), "largest", integer(largest)), in: []*ir.Tensor{x, list(int64(k))}}.run(t)
			require.Equal(t, []int{3, k, 2}, y[0].Dims)
			for o := range 3 {
				for i := range 2 {
					order := make([]int, 20)
					for j := range order {
						order[j] = j
					}
					v := func(j int) float32 { return x.Float32s()[(o*20+j)*2+i] }
					sort.SliceStable(order, func(a, b int) bool {
						if largest == 1 {
							return v(order[a]) > v(order[b])
						}
						return v(order[a]) < v(order[b])
					})
					for q := range k {
						require.Equal(t, int64(order[q]), y[1].Int64s()[(o*k+q)*2+i])
						require.Equal(t, v(order[q]), y[0].Float32s()[(o*k+q)*2+i])
					}
				}
			}
		}
	}
	y := node{op: "TopK", version: 9, outs: 2, attrs: attrs("k", integer(2)), in: []*ir.Tensor{f32([]int{3}, 1, 3, 2)}}.run(t)
	require.Equal(t, []float32{3, 2}, y[0].Float32s())
	_, err := node{op: "TopK", outs: 2, in: []*ir.Tensor{f32([]int{3}), list(4)}}.try()
	require.ErrorContains(t, err, "k is 4, but dimension 0 of [3] is smaller")
}

func TestNonZero(t *testing.T) {
	y := node{op: "NonZero", in: []*ir.Tensor{f32([]int{2, 3}, 0, 5, 0, float32(math.NaN()), 0, -1)}}.run(t)[0]
	require.Equal(t, []int{2, 3}, y.Dims)
	require.Equal(t, []int64{0, 1, 1, 1, 0, 2}, y.Int64s())
}

func TestDropout(t *testing.T) {
	x := random(1, 2, 3)
	mask := node{op: "Dropout", outs: 2, in: []*ir.Tensor{x}}.run(t)[1]
	require.Equal(t, ir.Bool, mask.Type)
	require.Equal(t, []int64{1, 1, 1, 1, 1, 1}, mask.Ints())
	mask = node{op: "Dropout", version: 11, outs: 2, in: []*ir.Tensor{x}}.run(t)[1]
	require.Equal(t, ir.Bool, mask.Type)
	require.Equal(t, []int64{0, 0, 0, 0, 0, 0}, mask.Ints(), "as onnxruntime has it before ONNX says what a mask is")
	mask = node{op: "Dropout", version: 9, outs: 2, in: []*ir.Tensor{x}}.run(t)[1]
	require.Equal(t, []float32{0, 0, 0, 0, 0, 0}, mask.Float32s())
	n := node{op: "Dropout", constant: true, in: []*ir.Tensor{x, ir.NewTensor(ir.BFloat16), bools(nil, 0)}}
	_, err := n.try()
	require.NoError(t, err, "the ratio, of any type, counts in training only")
}

// TestTypesAreFoundAtLoad: what follows from the inputs' types is listed before
// anything is planned, all of it.
func TestTypesAreFoundAtLoad(t *testing.T) {
	g := &ir.Graph{Opsets: map[string]int{"": 17}}
	add := func(op string, attrs map[string]*ir.Attr, in ...*ir.Value) *ir.Value {
		y := &ir.Value{Name: "y"}
		g.Nodes = append(g.Nodes, &ir.Node{Op: op, Version: 17, Attrs: attrs, Inputs: in, Outputs: []*ir.Value{y}})
		return y
	}
	x := &ir.Value{Name: "x", Type: ir.Float32}
	g.Inputs = []*ir.Value{x}
	half := add("Cast", attrs("to", integer(int64(ir.Float16))), x)
	half = add("Reshape", nil, half, &ir.Value{Const: list(-1)})
	add("Add", nil, half, half) // as float32
	n := add("ArgMax", nil, x)
	add("Relu", nil, add("Identity", nil, n)) // int64 is fine
	add("Sigmoid", nil, n)
	add("GlobalMaxPool", nil, add("Transpose", nil, n))
	add("Surprise", nil, n)
	g.Outputs = []*ir.Value{half}
	_, err := graph.NewSession(g, graph.Options{})
	var missing *ir.UnsupportedError
	require.True(t, errors.As(err, &missing), "%v", err)
	require.Equal(t, "Sigmoid type int64 (opset 17), GlobalMaxPool type int64 (opset 17), Surprise (opset 17)",
		strings.Join(missing.Missing, ", "))
}

// TestStepsAllocateNothing runs an example of every way to compute something.
func TestStepsAllocateNothing(t *testing.T) {
	x, image := random(1, 4, 6), random(1, 1, 4, 5, 5)
	ints, lens := numbered(ir.Int32, 4, 6), ir.NewTensor(ir.Int32, 2)
	copy(lens.Int32s(), []int32{4, 2})
	for _, n := range []node{
		{op: "Add", in: []*ir.Tensor{x, random(2, 6)}},
		{op: "Add", in: []*ir.Tensor{ints, ints}},
		{op: "Less", in: []*ir.Tensor{x, x}},
		{op: "Max", in: []*ir.Tensor{ints, ints, ints}},
		{op: "Mean", in: []*ir.Tensor{x, x, x}},
		{op: "Pow", in: []*ir.Tensor{ints, f32(nil, 2)}},
		{op: "Where", in: []*ir.Tensor{bools([]int{4, 1}, 1), x, x}},
		{op: "Cast", attrs: attrs("to", integer(int64(ir.Uint8))), in: []*ir.Tensor{x}},
		{op: "Cast", attrs: attrs("to", integer(int64(ir.Float16))), in: []*ir.Tensor{ints}},
		{op: "IsNaN", in: []*ir.Tensor{x}},
		{op: "Clip", in: []*ir.Tensor{ints, node{op: "Cast", attrs: attrs("to", integer(int64(ir.Int32))), in: []*ir.Tensor{f32(nil, 3)}}.run(t)[0]}},
		{op: "Abs", in: []*ir.Tensor{ints}},
		{op: "Tan", in: []*ir.Tensor{x}},
		{op: "Softmax", attrs: attrs("axis", integer(0)), in: []*ir.Tensor{x}},
		{op: "ReduceMean", attrs: attrs("axes", integers(0, 2)), in: []*ir.Tensor{random(1, 2, 3, 4)}},
		{op: "ReduceMax", in: []*ir.Tensor{ints}},
		{op: "ArgMin", in: []*ir.Tensor{ints}},
		{op: "ArgMax", in: []*ir.Tensor{x}},
		{op: "MatMul", in: []*ir.Tensor{random(1, 2, 3, 4), random(2, 2, 4, 5)}},
		{op: "Gemm", attrs: attrs("beta", float(2)), in: []*ir.Tensor{x, random(2, 6, 3), random(3, 3)}},
		{op: "Conv", constant: true, attrs: attrs("pads", integers(1, 1, 1, 1)), in: []*ir.Tensor{image, random(2, 3, 4, 3, 3)}},
		{op: "ConvTranspose", constant: true, in: []*ir.Tensor{image, random(2, 4, 3, 3, 3)}},
		{op: "MaxPool", attrs: attrs("kernel_shape", integers(2, 2)), in: []*ir.Tensor{image}},
		{op: "GlobalAveragePool", in: []*ir.Tensor{image}},
		{op: "Resize", attrs: attrs("mode", text("linear")), constant: true, in: []*ir.Tensor{image, nil, nil, list(1, 4, 7, 3)}},
		{op: "BatchNormalization", in: []*ir.Tensor{image, random(1, 4), random(1, 4), random(1, 4), f32([]int{4}, 1, 1, 1, 1)}},
		{op: "BatchNormalization", version: 9, outs: 5, in: []*ir.Tensor{image, random(1, 4), random(1, 4), random(1, 4), random(1, 4)}},
		{op: "BatchNormalization", version: 15, outs: 3, attrs: attrs("training_mode", integer(1)),
			in: []*ir.Tensor{image, random(1, 4), random(1, 4), random(1, 4), random(1, 4)}},
		{op: "LayerNormalization", version: 17, outs: 3, in: []*ir.Tensor{x, random(2, 1)}},
		{op: "InstanceNormalization", in: []*ir.Tensor{image, random(2, 4), random(3, 4)}},
		{op: "LRN", attrs: attrs("size", integer(3)), in: []*ir.Tensor{image}},
		{op: "Transpose", in: []*ir.Tensor{x}},
		{op: "Transpose", in: []*ir.Tensor{ints}},
		{op: "Slice", constant: true, in: []*ir.Tensor{ints, list(-1), list(-9), list(1), list(-1)}},
		{op: "Concat", attrs: attrs("axis", integer(1)), in: []*ir.Tensor{x, x}},
		{op: "Split", attrs: attrs("axis", integer(1)), outs: 2, in: []*ir.Tensor{x}},
		{op: "Pad", constant: true, attrs: attrs("mode", text("reflect")), in: []*ir.Tensor{x, list(1, 1, 1, 1)}},
		{op: "Pad", constant: true, in: []*ir.Tensor{x, list(1, 1, 1, 1)}},
		{op: "Gather", in: []*ir.Tensor{x, list(1, 0)}},
		{op: "GatherElements", in: []*ir.Tensor{x, i64([]int{1, 2}, 1, 0)}},
		{op: "ScatterND", version: 16, attrs: attrs("reduction", text("add")), in: []*ir.Tensor{x, i64([]int{1, 2}, 1, 0), random(1, 1)}},
		{op: "OneHot", constant: true, in: []*ir.Tensor{list(1, 2), i64(nil, 3), f32([]int{2}, 0, 1)}},
		{op: "Trilu", version: 14, in: []*ir.Tensor{x}},
		{op: "CumSum", constant: true, in: []*ir.Tensor{ints, i64(nil, 0)}},
		{op: "TopK", constant: true, outs: 2, in: []*ir.Tensor{x, list(2)}},
		{op: "LSTM", outs: 3, constant: true, in: []*ir.Tensor{random(1, 4, 2, 3), random(2, 1, 20, 3), random(3, 1, 20, 5)}},
		{op: "GRU", outs: 2, in: []*ir.Tensor{random(1, 4, 2, 3), random(2, 1, 15, 3), random(3, 1, 15, 5), random(4, 1, 30), lens}},
		{op: "Einsum", attrs: attrs("equation", text("ij,kj->ki")), in: []*ir.Tensor{x, random(2, 5, 6)}},
		{op: "Einsum", attrs: attrs("equation", text("ij,ij->j")), in: []*ir.Tensor{ints, ints}},
		{op: "Hardmax", in: []*ir.Tensor{x}},
		{op: "EyeLike", in: []*ir.Tensor{x}},
		{op: "Compress", constant: true, attrs: attrs("axis", integer(1)), in: []*ir.Tensor{x, bools([]int{3}, 1, 0, 1)}},
		{op: "BitwiseAnd", version: 18, in: []*ir.Tensor{ints, ints}},
		{op: "Det", in: []*ir.Tensor{random(1, 2, 3, 3)}},
		{op: "SoftmaxCrossEntropyLoss", outs: 2, in: []*ir.Tensor{x, list(1, 0, 5, 2)}},
	} {
		s, err := graph.NewSession(n.graph(), graph.Options{Optimize: "none"})
		require.NoError(t, err, n.op)
		var dims [][]int
		var feeds []*ir.Tensor
		for i, x := range n.in {
			if x != nil && !(n.constant && i > 0) {
				dims, feeds = append(dims, x.Dims), append(feeds, x)
			}
		}
		r, err := s.Prepare(dims)
		require.NoError(t, err, n.op)
		for i, x := range feeds {
			copy(r.In(i).Data, x.Data)
		}
		require.NoError(t, r.Exec(), n.op)
		require.Zero(t, testing.AllocsPerRun(3, func() { err = r.Exec() }), "%s %s", n.op, n.in[0].Type)
		require.NoError(t, err)
	}
}
