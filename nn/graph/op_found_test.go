package graph

// What the fuzz targets found in operators stays found.

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Integer powers of more elements than are converted at a time.
func TestIntegerPow(t *testing.T) {
	x, y := &Value{Name: "x", Type: Int64}, &Value{Name: "y"}
	two := NewTensor(Int64)
	two.Int64s()[0] = 2
	n := &Node{Op: "Pow", Version: 15, Inputs: []*Value{x, {Name: "two", Type: Int64, Const: two}}, Outputs: []*Value{y}}
	s := session(t, &Graph{Inputs: []*Value{x}, Nodes: []*Node{n}, Outputs: []*Value{y}}, Options{})
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
	x := &Value{Name: "x", Type: Float32}
	n := &Node{Op: "TopK", Version: 9, Inputs: []*Value{x}, Outputs: []*Value{{Name: "v"}, {Name: "i"}},
		Attrs: map[string]*Attr{"k": {Kind: AttrInt}, "axis": {Kind: AttrInt}}}
	s := session(t, &Graph{Inputs: []*Value{x}, Nodes: []*Node{n}, Outputs: n.Outputs}, Options{})
	for _, rows := range []int{0, 3} {
		r, err := s.Prepare([][]int{{rows, 2}})
		require.NoError(t, err)
		require.NoError(t, r.Exec())
		assert.Equal(t, []int{0, 2}, r.Out(0).Dims)
	}
}
