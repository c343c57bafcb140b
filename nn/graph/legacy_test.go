package graph_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/nn/graph"
	"github.com/normwasm/normwasm/nn/ir"
)

// What opsets 1 to 6 wrote in another way: operands that are broadcast from an axis on,
// attributes that became inputs or have another name since.
func TestOldOpsets(t *testing.T) {
	x := numbered(ir.Float32, 2, 3, 4) // element k is k, as numbered has it
	v := x.Float32s()
	y := f32([]int{3}, 10, 20, 30)
	along := attrs("axis", integer(1), "broadcast", integer(1), "consumed_inputs", integers(0, 0))
	mapped := func(f func(k int) float32) *ir.Tensor {
		out := ir.NewTensor(ir.Float32, 2, 3, 4)
		for k := range out.Float32s() {
			out.Float32s()[k] = f(k)
		}
		return out
	}
	by := func(k int) float32 { return y.Float32s()[k/4%3] }
	name := func(s string) map[string]*ir.Attr { return attrs("to", text(s)) }
	for what, c := range map[string]struct {
		n    node
		want *ir.Tensor
	}{
		"Add from an axis on": {node{op: "Add", version: 1, attrs: along, in: []*ir.Tensor{x, y}}, mapped(func(k int) float32 { return v[k] + by(k) })},
		"Sub from an axis on": {node{op: "Sub", version: 6, attrs: attrs("axis", integer(1), "broadcast", integer(1)), in: []*ir.Tensor{x, y}},
			mapped(func(k int) float32 { return v[k] - by(k) })},
		"Mul of the last dimensions": {node{op: "Mul", version: 6, attrs: attrs("broadcast", integer(1)), in: []*ir.Tensor{x, f32([]int{4}, 1, 2, 3, 4)}},
			mapped(func(k int) float32 { return v[k] * float32(k%4+1) })},
		"Div by one number":  {node{op: "Div", version: 6, attrs: along6(), in: []*ir.Tensor{x, f32([]int{1}, 2)}}, mapped(func(k int) float32 { return v[k] / 2 })},
		"Pow of one shape":   {node{op: "Pow", version: 1, in: []*ir.Tensor{y, f32([]int{3}, 1, 2, 0)}}, f32([]int{3}, 10, 400, 1)},
		"PRelu of channels":  {node{op: "PRelu", version: 6, in: []*ir.Tensor{mapped(func(k int) float32 { return -v[k] - 1 }), y}}, mapped(func(k int) float32 { return (-v[k] - 1) * by(k) })},
		"PRelu of one slope": {node{op: "PRelu", version: 1, in: []*ir.Tensor{f32([]int{2}, -1, 3), f32([]int{1}, 4)}}, f32([]int{2}, -4, 3)},
		"Gemm": {node{op: "Gemm", version: 6, attrs: attrs("broadcast", integer(1)), in: []*ir.Tensor{f32([]int{1, 2}, 1, 2), f32([]int{2, 2}, 1, 2, 3, 4), f32([]int{2}, 5, 6)}},
			f32([]int{1, 2}, 12, 16)},
		"Reshape":          {node{op: "Reshape", version: 1, attrs: attrs("shape", integers(0, -1), "consumed_inputs", integers(0)), in: []*ir.Tensor{x}}, f32([]int{2, 12}, v...)},
		"Cast to INT32":    {node{op: "Cast", version: 1, attrs: name("INT32"), in: []*ir.Tensor{f32([]int{2}, 3.5, -2)}}, whole32(3, -2)},
		"Cast to FLOAT":    {node{op: "Cast", version: 1, attrs: name("FLOAT"), in: []*ir.Tensor{whole32(3, -2)}}, f32([]int{2}, 3, -2)},
		"Concat of axis 1": {node{op: "Concat", version: 1, in: []*ir.Tensor{f32([]int{2, 1}, 1, 2), f32([]int{2, 1}, 3, 4)}}, f32([]int{2, 2}, 1, 3, 2, 4)},
		"Pad":              {node{op: "Pad", version: 1, attrs: attrs("paddings", integers(1, 2), "value", float(7)), in: []*ir.Tensor{f32([]int{1}, 5)}}, f32([]int{4}, 7, 5, 7, 7)},
		"Upsample": {node{op: "Upsample", version: 1, attrs: attrs("height_scale", float(2), "width_scale", float(1), "mode", text("nearest")), in: []*ir.Tensor{f32([]int{1, 1, 1, 2}, 3, 4)}},
			f32([]int{1, 1, 2, 2}, 3, 4, 3, 4)},
		"BatchNormalization": {node{op: "BatchNormalization", version: 6, attrs: attrs("is_test", integer(1), "epsilon", float(0)),
			in: []*ir.Tensor{f32([]int{1, 1, 2}, 3, 5), f32([]int{1}, 2), f32([]int{1}, 1), f32([]int{1}, 3), f32([]int{1}, 4)}}, f32([]int{1, 1, 2}, 1, 3)},
		"Dropout": {node{op: "Dropout", version: 6, attrs: attrs("is_test", integer(1), "ratio", float(0.5)), in: []*ir.Tensor{x}}, x},
		"Selu":    {node{op: "Selu", version: 1, in: []*ir.Tensor{f32([]int{2}, 1, -1)}}, f32([]int{2}, 1.0507, float32(1.0507*1.6732*(math.Exp(-1)-1)))},
		"Elu":     {node{op: "Elu", version: 1, attrs: attrs("consumed_inputs", integers(0)), in: []*ir.Tensor{f32([]int{1}, 2)}}, f32([]int{1}, 2)},
		"Max":     {node{op: "Max", version: 6, in: []*ir.Tensor{y, f32([]int{3}, 15, 15, 15)}}, f32([]int{3}, 15, 20, 30)},
	} {
		got := c.n.run(t)[0]
		require.Equal(t, c.want.Dims, append([]int{}, got.Dims...), what)
		require.Equal(t, c.want.Type, got.Type, what)
		if c.want.Type != ir.Float32 {
			require.Equal(t, c.want.Data, append([]byte{}, got.Data...), what)
			continue
		}
		for i, w := range c.want.Float32s() {
			require.InDelta(t, w, got.Float32s()[i], 1e-6*(1+math.Abs(float64(w))), "%s: element %d", what, i)
		}
	}
	for want, n := range map[string]node{
		"does not begin at axis 2":     {op: "Add", version: 6, attrs: attrs("axis", integer(2), "broadcast", integer(1)), in: []*ir.Tensor{x, f32([]int{3, 4})}},
		"BatchNormalization attribute": {op: "BatchNormalization", version: 6, outs: 5, attrs: attrs("is_test", integer(1)), in: []*ir.Tensor{x, y, y, y, y}},
		"Cast to=0 (opset 6)":          {op: "Cast", version: 1, attrs: name("FLOATS"), in: []*ir.Tensor{x}},
		"Add attribute consumed_input": {op: "Add", version: 6, attrs: along, in: []*ir.Tensor{x, y}},
	} {
		_, err := n.try()
		require.ErrorContains(t, err, want)
	}
}

func along6() map[string]*ir.Attr { return attrs("axis", integer(0), "broadcast", integer(1)) }

func whole32(v ...int32) *ir.Tensor {
	x := ir.NewTensor(ir.Int32, len(v))
	copy(x.Int32s(), v)
	return x
}

// In a body of control flow too, whose operands are around it.
func TestOldOpsetsInBranches(t *testing.T) {
	cond, x := &ir.Value{Name: "cond", Type: ir.Bool}, &ir.Value{Name: "x", Type: ir.Float32}
	b := &ir.Value{Name: "b", Const: f32([]int{2}, 10, 20), Type: ir.Float32}
	branch := func(op string) *ir.Graph {
		y := &ir.Value{Name: op}
		return &ir.Graph{Nodes: []*ir.Node{{Op: op, Version: 6, Attrs: along6(), Inputs: []*ir.Value{x, b}, Outputs: []*ir.Value{y}}}, Outputs: []*ir.Value{y}}
	}
	y := &ir.Value{Name: "y", Type: ir.Float32}
	g := &ir.Graph{Opsets: map[string]int{"": 6}, Inputs: []*ir.Value{cond, x}, Outputs: []*ir.Value{y}, Nodes: []*ir.Node{{Op: "If", Version: 6,
		Attrs:  map[string]*ir.Attr{"then_branch": {Kind: ir.AttrGraph, G: branch("Add")}, "else_branch": {Kind: ir.AttrGraph, G: branch("Sub")}},
		Inputs: []*ir.Value{cond}, Outputs: []*ir.Value{y}}}}
	s, err := graph.NewSession(g, graph.Options{})
	require.NoError(t, err)
	r, err := s.Prepare([][]int{{}, {2, 3}})
	require.NoError(t, err)
	r.In(0).Data[0] = 1
	copy(r.In(1).Float32s(), []float32{0, 1, 2, 3, 4, 5})
	require.NoError(t, r.Exec())
	require.Equal(t, []float32{10, 11, 12, 23, 24, 25}, r.Out(0).Float32s())
}
