package graph

// What the fuzz targets found in operators stays found.

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/normwasm/normwasm/nn/ir"
)

// Integer powers of more elements than are converted at a time.
func TestIntegerPow(t *testing.T) {
	x, y := &ir.Value{Name: "x", Type: ir.Int64}, &ir.Value{Name: "y"}
	two := ir.NewTensor(ir.Int64)
	two.Int64s()[0] = 2
	n := &ir.Node{Op: "Pow", Version: 15, Inputs: []*ir.Value{x, {Name: "two", Type: ir.Int64, Const: two}}, Outputs: []*ir.Value{y}}
	s := session(t, &ir.Graph{Inputs: []*ir.Value{x}, Nodes: []*ir.Node{n}, Outputs: []*ir.Value{y}}, Options{})
	r, err := s.Prepare([][]int{{200}})
	require.NoError(t, err)
	for i := range r.In(0).Int64s() {
		r.In(0).Int64s()[i] = int64(i)
	}
	require.NoError(t, r.Exec())
	for i, v := range r.Out(0).Int64s() {
		assert.Equal(t, int64(i*i), v)
	}
}

// The largest none of nothing, from rows that have other columns.
func TestTopKOfNothing(t *testing.T) {
	x := &ir.Value{Name: "x", Type: ir.Float32}
	n := &ir.Node{Op: "TopK", Version: 9, Inputs: []*ir.Value{x}, Outputs: []*ir.Value{{Name: "v"}, {Name: "i"}},
		Attrs: map[string]*ir.Attr{"k": {Kind: ir.AttrInt}, "axis": {Kind: ir.AttrInt}}}
	s := session(t, &ir.Graph{Inputs: []*ir.Value{x}, Nodes: []*ir.Node{n}, Outputs: n.Outputs}, Options{})
	for _, rows := range []int{0, 3} {
		r, err := s.Prepare([][]int{{rows, 2}})
		require.NoError(t, err)
		require.NoError(t, r.Exec())
		assert.Equal(t, []int{0, 2}, r.Out(0).Dims)
	}
}
